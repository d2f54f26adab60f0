/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-resolve's answers, sentences and exit codes.
 */
#include "clients/resolve_render.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char *const codes[] = {"DENIED",           "NOT_FOUND",      "NO_DATA",          "TIMED_OUT",
                                    "SERVER_REFUSED",   "SERVER_FAILURE", "MALFORMED_ANSWER", "UNAVAILABLE",
                                    "NO_CONFIGURATION", "TOO_LARGE",      "DEADLINE"};
enum { N_CODES = sizeof(codes) / sizeof(codes[0]) };

Test(resolve_render, each_failure_has_its_own_sentence_and_exit_code) {
  for (size_t i = 0; i < N_CODES; i++) {
    const struct resolve_failure *a = resolve_failure_of(codes[i]);
    cr_assert_not_null(a, "%s", codes[i]);
    cr_assert(a->exit == 3 || a->exit > 4, "%s: %d is taken", codes[i], a->exit);
    for (size_t k = 0; k < i; k++) {
      const struct resolve_failure *b = resolve_failure_of(codes[k]);
      cr_assert_neq(a->exit, b->exit, "%s and %s", codes[i], codes[k]);
      cr_assert_str_neq(a->sentence, b->sentence);
    }
  }
  cr_assert_null(resolve_failure_of("REVOKED"));
}

/* The numbers are documented: these may not change. */
Test(resolve_render, the_exit_codes_are_those_of_the_man_page) {
  static const int exits[N_CODES] = {3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
  for (size_t i = 0; i < N_CODES; i++) {
    cr_assert_eq(resolve_failure_of(codes[i])->exit, exits[i], "%s", codes[i]);
  }
}

static struct capnet_dns_address v4[] = {{"192.0.2.80", 300}, {"192.0.2.81", 30}};
static char *aliases[] = {"www.example.net", "edge\033.example.net"};

static struct capnet_dns_answer good_a(void) {
  return (struct capnet_dns_answer){.type = CAPNET_DNS_A,
                                    .addresses = v4,
                                    .n_addresses = 2,
                                    .source = "dns",
                                    .upstream = "10.0.2.3:53",
                                    .elapsed_us = 12345};
}
static struct capnet_dns_answer failed(unsigned type, const char *code) {
  struct capnet_dns_answer a = {.type = type, .source = "dns", .error = {.error = 1}};
  (void)snprintf(a.error.code, sizeof(a.error.code), "%s", code);
  return a;
}

Test(resolve_render, one_address_is_success_else_the_first_failure_counts) {
  struct capnet_dns_answer answers[] = {failed(CAPNET_DNS_AAAA, "SERVER_FAILURE"), good_a()};
  struct capnet_dns_result r = {.answers = answers, .n_answers = 2};
  cr_assert_eq(resolve_exit(&r), 0);
  answers[1] = failed(CAPNET_DNS_A, "NO_DATA");
  cr_assert_eq(resolve_exit(&r), 9);
  answers[0] = failed(CAPNET_DNS_AAAA, "a code of the future");
  cr_assert_eq(resolve_exit(&r), 1);
  r.n_answers = 0;
  cr_assert_eq(resolve_exit(&r), 1);
}

Test(resolve_render, answers_chain_ttl_source_upstream_and_time) {
  struct capnet_dns_answer answers[] = {good_a(), failed(CAPNET_DNS_AAAA, "NO_DATA")};
  struct capnet_dns_result r = {
      .name = "www.corp.example", .aliases = aliases, .n_aliases = 2, .answers = answers, .n_answers = 2};
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  resolve_render(&r, "www", &(struct style){.out = f});
  (void)fclose(f);
  cr_assert_str_eq(text, "www  found as www.corp.example\n"
                         "  is an alias of www.example.net\n"
                         "  which is an alias of edge\\x1b.example.net\n"
                         "  A     192.0.2.80  ttl 5m 00s\n"
                         "  A     192.0.2.81  ttl 30s\n"
                         "  www AAAA: the name exists, but has no such record\n"
                         "  A: from dns by 10.0.2.3:53 in 12.3 ms\n"
                         "  AAAA: from dns in 0.000 ms\n");
  free(text);
}

Test(resolve_render, the_sentence_names_grant_and_rule_and_is_escaped) {
  struct capnet_error e = {.code = "DENIED", .grant = "web", .rule = "suffix"};
  char *text = resolve_sentence(&e, "x\033y", "A");
  cr_assert_str_eq(text, "x\\x1by A: the grant does not allow it (grant web, rule suffix)");
  free(text);
  struct capnet_error own = {.code = "OTHER", .message = "something else"};
  text = resolve_sentence(&own, "x", NULL);
  cr_assert_str_eq(text, "x: something else");
  free(text);
}

Test(resolve_render, json_has_a_list_even_for_what_failed) {
  struct capnet_dns_answer answers[] = {good_a(), failed(CAPNET_DNS_AAAA, "TIMED_OUT")};
  struct capnet_dns_result r = {.name = "n", .aliases = aliases, .n_aliases = 1, .answers = answers, .n_answers = 2};
  json_t *json = resolve_json(&r, "asked");
  char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
  cr_assert_str_eq(
      text,
      "{\"aliases\":[\"www.example.net\"],\"answers\":[{\"addresses\":[{\"address\":\"192.0.2.80\",\"ttl_s\":300},"
      "{\"address\":\"192.0.2.81\",\"ttl_s\":30}],\"elapsed_us\":12345,\"source\":\"dns\",\"type\":\"A\",\"upstream\":"
      "\"10.0.2.3:53\"},{\"addresses\":[],\"elapsed_us\":0,\"error\":\"TIMED_OUT\",\"message\":\"\",\"source\":\"dns\","
      "\"type\":\"AAAA\"}],\"asked\":\"asked\",\"name\":\"n\"}");
  free(text);
  json_decref(json);
}

/* Text that is no UTF-8 must not take what holds it out of the answer. */
Test(resolve_render, json_of_any_bytes) {
  char alias[] = "a\xff", *list[] = {alias};
  struct capnet_dns_address address = {.address = "\x1b[\xfe", .ttl = 1};
  struct capnet_dns_answer answer = {.type = CAPNET_DNS_A, .addresses = &address, .n_addresses = 1, .upstream = "\xc3"};
  struct capnet_dns_result r = {.name = alias, .aliases = list, .n_aliases = 1, .answers = &answer, .n_answers = 1};
  json_t *json = resolve_json(&r, "b\xff");
  char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
  cr_assert_str_eq(text, "{\"aliases\":[\"a\\\\xff\"],"
                         "\"answers\":[{\"addresses\":[{\"address\":\"\\\\x1b[\\\\xfe\",\"ttl_s\":1}],"
                         "\"elapsed_us\":0,\"type\":\"A\",\"upstream\":\"\\\\xc3\"}],"
                         "\"asked\":\"b\\\\xff\",\"name\":\"a\\\\xff\"}");
  free(text);
  json_decref(json);
}
