/* SPDX-License-Identifier: BSD-3-Clause
 * resolve_render.h: answers for a person and as JSON; the table of failures.
 */
#include "clients/resolve_render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_OTHER 1

/* 3 and 4 are every client's: refused, and no daemon. The numbers are documented in capnet-resolve(1): only append. */
static const struct resolve_failure failures[] = {
    {"DENIED", 3, "the grant does not allow it"},
    {"NOT_FOUND", 5, "there is no such name"},
    {"NO_DATA", 6, "the name exists, but has no such record"},
    {"TIMED_OUT", 7, "no name server answered in time"},
    {"SERVER_REFUSED", 8, "the name server refused to answer"},
    {"SERVER_FAILURE", 9, "the name server failed (SERVFAIL)"},
    {"MALFORMED_ANSWER", 10, "the name server's answer could not be read"},
    {"UNAVAILABLE", 11, "no name servers are configured"},
    {"NO_CONFIGURATION", 12, "the network has no address or no route yet"},
    {"TOO_LARGE", 13, "the answer is larger than the grant allows"},
    {"DEADLINE", 14, "the time for the whole call was over"},
};

const struct resolve_failure *resolve_failure_of(const char *code) {
  for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
    if (strcmp(failures[i].code, code) == 0) {
      return &failures[i];
    }
  }
  return NULL;
}

static const char *type_name(unsigned type) {
  return type == CAPNET_DNS_AAAA ? "AAAA" : type == CAPNET_DNS_A ? "A" : "?";
}

int resolve_exit(const struct capnet_dns_result *r) {
  int first = EXIT_OTHER;
  bool failed = false;
  for (size_t i = 0; i < r->n_answers; i++) {
    if (r->answers[i].n_addresses) {
      return 0;
    }
    if (!failed && r->answers[i].error.error) {
      const struct resolve_failure *f = resolve_failure_of(r->answers[i].error.code);
      first = f ? f->exit : EXIT_OTHER;
      failed = true;
    }
  }
  return first;
}

char *resolve_sentence(const struct capnet_error *e, const char *asked, const char *type) {
  const struct resolve_failure *f = resolve_failure_of(e->code);
  char *line = text_format("%s%s%s: %s%s%s%s", asked, type ? " " : "", type ? type : "",
                           f ? f->sentence : *e->message ? e->message : "it failed",
                           *e->grant || *e->rule ? " (" : "", *e->grant ? "grant " : "", e->grant);
  char *whole = text_format("%s%s%s%s", line, *e->rule ? (*e->grant ? ", rule " : "rule ") : "", e->rule,
                            *e->grant || *e->rule ? ")" : "");
  char *safe = text_escape(whole);
  free(line);
  free(whole);
  return safe;
}

static void put_safe(const struct style *s, enum colour c, const char *text) {
  char *safe = text_escape(text);
  style_put(s, c, safe);
  free(safe);
}

static void render_answer(const struct capnet_dns_answer *a, const char *asked, const struct style *s) {
  if (a->error.error || !a->n_addresses) {
    struct capnet_error none = {.code = "NO_DATA"};
    char *sentence = resolve_sentence(a->error.error ? &a->error : &none, asked, type_name(a->type));
    (void)fputs("  ", s->out);
    style_put(s, strcmp(a->error.code, "NO_DATA") == 0 ? COLOUR_DIM : COLOUR_RED, sentence);
    (void)fputc('\n', s->out);
    free(sentence);
  }
  size_t width = 0;
  for (size_t i = 0; i < a->n_addresses; i++) {
    size_t len = strlen(a->addresses[i].address);
    width = len > width ? len : width;
  }
  for (size_t i = 0; i < a->n_addresses; i++) {
    char *safe = text_escape(a->addresses[i].address), *ttl = text_duration(a->addresses[i].ttl);
    (void)fprintf(s->out, "  %-4s  %-*s  ttl %s\n", type_name(a->type), (int)width, safe, ttl);
    free(ttl);
    free(safe);
  }
}

static void render_origin(const struct capnet_dns_answer *a, const struct style *s) {
  char *took = text_microseconds(a->elapsed_us), *source = text_escape(*a->source ? a->source : "unknown");
  char *upstream = text_escape(a->upstream);
  char *line =
      text_format("  %s: from %s%s%s in %s", type_name(a->type), source, *upstream ? " by " : "", upstream, took);
  style_put(s, COLOUR_DIM, line);
  (void)fputc('\n', s->out);
  free(line);
  free(upstream);
  free(source);
  free(took);
}

void resolve_render(const struct capnet_dns_result *r, const char *asked, const struct style *s) {
  put_safe(s, COLOUR_BOLD, asked);
  if (r->name && strcmp(r->name, asked) != 0) {
    (void)fputs("  found as ", s->out);
    put_safe(s, COLOUR_NONE, r->name);
  }
  (void)fputc('\n', s->out);
  for (size_t i = 0; i < r->n_aliases; i++) {
    (void)fputs(i ? "  which is an alias of " : "  is an alias of ", s->out);
    put_safe(s, COLOUR_NONE, r->aliases[i]);
    (void)fputc('\n', s->out);
  }
  for (size_t i = 0; i < r->n_answers; i++) {
    render_answer(&r->answers[i], asked, s);
  }
  for (size_t i = 0; i < r->n_answers; i++) {
    render_origin(&r->answers[i], s);
  }
}

static json_t *answer_json(const struct capnet_dns_answer *a) {
  json_t *out = json_pack("{s:s, s:[], s:I}", "type", type_name(a->type), "addresses", "elapsed_us",
                          (json_int_t)a->elapsed_us);
  json_t *list = json_object_get(out, "addresses");
  for (size_t i = 0; i < a->n_addresses; i++) {
    (void)json_array_append_new(list, json_pack("{s:o, s:I}", "address", text_json(a->addresses[i].address), "ttl_s",
                                                (json_int_t)a->addresses[i].ttl));
  }
  if (*a->source) {
    (void)json_object_set_new(out, "source", text_json(a->source));
  }
  if (*a->upstream) {
    (void)json_object_set_new(out, "upstream", text_json(a->upstream));
  }
  if (a->error.error) {
    (void)json_object_set_new(out, "error", json_string(a->error.code));
    (void)json_object_set_new(out, "message", text_json(a->error.message));
  }
  return out;
}

json_t *resolve_json(const struct capnet_dns_result *r, const char *asked) {
  json_t *out = json_pack("{s:o, s:[], s:[]}", "asked", text_json(asked), "aliases", "answers");
  if (r->name) {
    (void)json_object_set_new(out, "name", text_json(r->name));
  }
  for (size_t i = 0; i < r->n_aliases; i++) {
    (void)json_array_append_new(json_object_get(out, "aliases"), text_json(r->aliases[i]));
  }
  for (size_t i = 0; i < r->n_answers; i++) {
    (void)json_array_append_new(json_object_get(out, "answers"), answer_json(&r->answers[i]));
  }
  return out;
}
