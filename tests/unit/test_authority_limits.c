/* SPDX-License-Identifier: BSD-3-Clause
 * The table of limits: complete, sane, and each ceiling at N and N+1.
 */
#include "authority/limits.h"
#include "base/util.h"

#include <criterion/criterion.h>
#include <stdio.h>

Test(authority_limits, every_row_is_filled_and_the_fallback_respects_the_ceiling) {
  for (unsigned i = 0; i < AUTH_LIMIT_COUNT; i++) {
    const struct auth_limit_def *d = &auth_limits[i];
    cr_assert_not_null(d->name, "row %u", i);
    cr_expect(d->fallback > 0 && d->ceiling > 0, "%s", d->name);
    cr_expect(auth_limit_tighter((enum auth_limit)i, d->fallback, d->ceiling), "%s", d->name);
    cr_expect(strcmp(d->unit, "") == 0 || strcmp(d->unit, "bytes") == 0 || strcmp(d->unit, "ms") == 0, "%s", d->name);
    cr_expect_eq(d->budget, d->per_uid != 0, "%s: budgets, and only they, have a ceiling by uid", d->name);
    cr_expect_lt(d->ceiling, AUTH_LIMIT_INHERIT);
    enum auth_limit l;
    cr_expect_eq(auth_limit_by_name(d->name, &l), 0);
    cr_expect_eq(l, i, "%s stands twice", d->name);
  }
}

Test(authority_limits, unknown_names_are_refused) {
  enum auth_limit l = LIMIT_BYTES;
  static const char *const bad[] = {"", "socket", "sockets ", "Sockets", "ping", "ping.count.x"};
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
    cr_expect_eq(auth_limit_by_name(bad[i], &l), -EINVAL, "%s", bad[i]);
  cr_expect_eq(l, LIMIT_BYTES);
}

Test(authority_limits, each_ceiling_at_n_and_n_plus_1) {
  for (unsigned i = 0; i < AUTH_LIMIT_COUNT; i++) {
    const struct auth_limit_def *d = &auth_limits[i];
    char text[32];
    uint64_t v = 7;
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)d->ceiling);
    cr_expect_eq(auth_limit_parse((enum auth_limit)i, text, &v), 0, "%s = %s", d->name, text);
    cr_expect_eq(v, d->ceiling);
    v = 7;
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)(d->minimum ? d->ceiling - 1 : d->ceiling + 1));
    cr_expect_eq(auth_limit_parse((enum auth_limit)i, text, &v), -ERANGE, "%s = %s", d->name, text);
    cr_expect_eq(v, 7);
  }
}

Test(authority_limits, suffixes_belong_to_their_units) {
  static const struct {
    enum auth_limit l;
    const char *text;
    int error;
    uint64_t value;
  } rows[] = {
      {LIMIT_BYTES, "4K", 0, 4096},          {LIMIT_BYTES, "2M", 0, 2 << 20},    {LIMIT_BYTES, "0", 0, 0},
      {LIMIT_BYTES, "1G", -ERANGE, 0},       {LIMIT_BYTES, "1k", -EINVAL, 0},    {LIMIT_BYTES, "1s", -EINVAL, 0},
      {LIMIT_DNS_TIME, "500", 0, 500},       {LIMIT_DNS_TIME, "500ms", 0, 500},  {LIMIT_DNS_TIME, "5s", 0, 5000},
      {LIMIT_DNS_TIME, "1m", 0, 60000},      {LIMIT_DNS_TIME, "1K", -EINVAL, 0}, {LIMIT_DNS_TIME, "5 s", -EINVAL, 0},
      {LIMIT_SOCKETS, "1K", -EINVAL, 0},     {LIMIT_SOCKETS, "", -EINVAL, 0},    {LIMIT_SOCKETS, "-1", -EINVAL, 0},
      {LIMIT_SOCKETS, "+1", -EINVAL, 0},     {LIMIT_SOCKETS, "0x10", -EINVAL, 0}, {LIMIT_SOCKETS, " 1", -EINVAL, 0},
      {LIMIT_SOCKETS, "18446744073709551616", -ERANGE, 0}, /* 2^64 */
      {LIMIT_BYTES, "18014398509481985K", -ERANGE, 0},     /* wraps to 1024 */
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    uint64_t v = 99;
    cr_expect_eq(auth_limit_parse(rows[i].l, rows[i].text, &v), rows[i].error, "row %zu %s", i, rows[i].text);
    cr_expect_eq(v, rows[i].error ? 99 : rows[i].value, "row %zu", i);
  }
}

Test(authority_limits, tighter_turns_round_for_a_minimum) {
  cr_expect(auth_limit_tighter(LIMIT_SOCKETS, 3, 4));
  cr_expect(auth_limit_tighter(LIMIT_SOCKETS, 4, 4));
  cr_expect_not(auth_limit_tighter(LIMIT_SOCKETS, 5, 4));
  cr_expect(auth_limit_tighter(LIMIT_PING_INTERVAL_MIN, 300, 200));
  cr_expect_not(auth_limit_tighter(LIMIT_PING_INTERVAL_MIN, 199, 200));
}

/* What is in use is counted in 32 bits, and only for the first of the table. */
Test(authority_limits, budgets_come_first_and_fit_their_counters) {
  for (unsigned i = 0; i < AUTH_LIMIT_COUNT; i++) {
    cr_expect_eq(auth_limits[i].budget, i < AUTH_BUDGET_COUNT, "%s", auth_limits[i].name);
    if (auth_limits[i].budget)
      cr_expect_leq(auth_limits[i].ceiling, AUTH_BUDGET_CEILING, "%s", auth_limits[i].name);
  }
}
