/* SPDX-License-Identifier: BSD-3-Clause
 * base/log.h: nothing that acts on a terminal gets out, levels filter, long text is cut at a character.
 */
#include "base/log.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const char *escaped(const char *in, size_t len) {
  static char out[256];
  return escape_text(in, len, out, sizeof(out));
}
#define ESCAPED(literal) escaped(literal, sizeof(literal) - 1)

Test(base_log, what_acts_on_a_terminal_is_escaped) {
  cr_assert_str_eq(ESCAPED("plain \"text\" ~"), "plain \"text\" ~");
  cr_assert_str_eq(ESCAPED("\033[2Jx"), "\\x1b[2Jx");
  cr_assert_str_eq(ESCAPED("a\nb\rc\td\0e"), "a\\x0ab\\x0dc\\x09d\\x00e");
  cr_assert_str_eq(ESCAPED("\x7f"), "\\x7f");
  cr_assert_str_eq(ESCAPED("C:\\x41"), "C:\\\\x41");
  cr_assert_str_eq(ESCAPED("\xc2\x9b" "2J"), "\\xc2\\x9b" "2J", "C1's CSI");
  cr_assert_str_eq(ESCAPED("\xe2\x80\xae"), "\\xe2\\x80\\xae", "right-to-left override");
}

Test(base_log, utf8_stays_and_what_is_none_is_escaped) {
  cr_assert_str_eq(ESCAPED("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  cr_assert_str_eq(ESCAPED("\xc3"), "\\xc3");
  cr_assert_str_eq(ESCAPED("\xc3z"), "\\xc3z");
  cr_assert_str_eq(ESCAPED("\x80"), "\\x80");
  cr_assert_str_eq(ESCAPED("\xc0\xaf"), "\\xc0\\xaf", "overlong");
  cr_assert_str_eq(ESCAPED("\xe0\x80\xaf"), "\\xe0\\x80\\xaf", "overlong");
  cr_assert_str_eq(ESCAPED("\xf0\x80\x80\xaf"), "\\xf0\\x80\\x80\\xaf", "overlong");
  cr_assert_str_eq(ESCAPED("\xed\xa0\x80"), "\\xed\\xa0\\x80", "surrogate");
  cr_assert_str_eq(ESCAPED("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80", "above U+10FFFF");
  cr_assert_str_eq(ESCAPED("\xff\xfe"), "\\xff\\xfe");
}

Test(base_log, every_size_is_kept_and_cuts_between_characters) {
  static const char in[] = "ab\xe2\x82\xac\n\xc3\xa4zz";
  static const char full[] = "ab\xe2\x82\xac\\x0a\xc3\xa4zz";
  for (size_t size = 1; size <= sizeof(full) + 1; size++) {
    char out[32];
    memset(out, '#', sizeof(out));
    (void)escape_text(in, sizeof(in) - 1, out, size);
    size_t len = strlen(out);
    cr_assert_lt(len, size);
    cr_assert_eq(out[size], '#', "wrote past %zu", size);
    if (size >= sizeof(full)) {
      cr_assert_str_eq(out, full);
    } else if (size >= 4) {
      cr_assert(len >= 3 && strcmp(out + len - 3, "\xe2\x80\xa6") == 0, "size %zu: %s", size, out);
      char again[64];
      cr_assert_null(strstr(escape_text(out, len, again, sizeof(again)), "\\xe2"), "cut inside a character: %s", out);
    } else {
      cr_assert_eq(len, 0);
    }
  }
}

static int n_lines;
static char last[8192];
static enum log_level last_level;
static size_t last_fields;

static void capture(enum log_level level, const char *text, const struct log_field *fields, size_t n_fields) {
  n_lines++;
  last_level = level;
  last_fields = n_fields;
  if (n_fields > 0) {
    cr_assert_str_eq(fields[0].key, "CAPNET_GRANT");
  }
  (void)snprintf(last, sizeof(last), "%s", text);
}

Test(base_log, levels_filter) {
  log_set_sink(capture);
  cr_assert_eq(log_get_level(), LOG_LVL_NOTICE);
  log_info("no");
  cr_assert_eq(n_lines, 0);
  log_notice("yes %d", 1);
  cr_assert_eq(n_lines, 1);
  cr_assert_eq(last_level, LOG_LVL_NOTICE);
  cr_assert_str_eq(last, "yes 1");
  log_set_level(LOG_LVL_ERROR);
  log_warning("no");
  log_error("line\n%s", "\033");
  cr_assert_eq(n_lines, 2);
  cr_assert_str_eq(last, "line\\x0a\\x1b");
}

Test(base_log, events_carry_fields_and_errno_survives) {
  log_set_sink(capture);
  struct log_field f[] = {{"CAPNET_GRANT", "web"}, {"CAPNET_CAP_ID", "7"}};
  errno = ENOENT;
  log_event(LOG_LVL_ERROR, f, ARRAY_SIZE(f), "%s", "x");
  cr_assert_eq(errno, ENOENT);
  cr_assert_eq(last_fields, 2);
}

Test(base_log, endless_text_is_cut) {
  log_set_sink(capture);
  char *big = calloc(1, 100001);
  memset(big, '\1', 100000);
  log_error("%s", big);
  free(big);
  cr_assert_lt(strlen(last), 4096);
  cr_assert_str_eq(last + strlen(last) - 3, "\xe2\x80\xa6");
}

Test(base_log, level_names) {
  enum log_level l;
  cr_assert_eq(log_level_parse("debug", &l), 0);
  cr_assert_eq(l, LOG_LVL_DEBUG);
  cr_assert_eq(log_level_parse("Debug", &l), -EINVAL);
  cr_assert_eq(log_level_parse("", &l), -EINVAL);
  cr_assert_eq(l, LOG_LVL_DEBUG);
}
