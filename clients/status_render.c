/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-status for a person: the sections that are tables, one function each, and the table of them last.
 */
#include "clients/status_render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *status_string(const json_t *object, const char *key) {
  return json_string_value(json_object_get(object, key));
}

bool status_number(const json_t *object, const char *key, uint64_t *ret) {
  const json_t *v = json_object_get(object, key);
  if (!json_is_integer(v)) {
    return false;
  }
  *ret = (uint64_t)json_integer_value(v);
  return true;
}

static char *number_as(const json_t *object, const char *key, char *(*format)(uint64_t)) {
  uint64_t n;
  return status_number(object, key, &n) ? format(n) : text_format("%s", "");
}
char *status_bytes(const json_t *object, const char *key) { return number_as(object, key, text_bytes); }
char *status_seconds(const json_t *object, const char *key) { return number_as(object, key, text_duration); }
static char *status_count(const json_t *object, const char *key) { return number_as(object, key, text_count); }

static void put_escaped(const struct style *s, enum colour c, const char *text) {
  char *safe = text_escape(text);
  style_put(s, c, safe);
  free(safe);
}

static void wrap_escaped(struct wrap *w, enum colour c, const char *before, const char *text, const char *after) {
  char *whole = text_format("%s%s%s", before, text, after), *safe = text_escape(whole);
  wrap_paint(w, c, safe);
  free(safe);
  free(whole);
}

/* What programs are handed, and if that is the lesser form, why: the daemon's sentence, wrapped between words. */
static void render_forms(const json_t *d, const struct style *s) {
  const json_t *sockets = json_object_get(d, "sockets");
  const char *why = status_string(d, "no_sockets");
  if (!sockets)
    return;
  struct wrap w = {.style = s, .separator = " ", .indent = "    ", .indent_width = 4, .column = 2};
  (void)fputs("  ", s->out);
  if (json_is_true(sockets)) {
    (void)fputs("programs get real sockets\n", s->out);
    return;
  }
  wrap_item(&w, "programs get stream pairs, not real sockets:");
  char *words = text_format("%s", why ? why : "the daemon does not say why");
  for (char *at = words, *word; (word = strtok_r(at, " ", &at));)
    wrap_escaped(&w, COLOUR_YELLOW, "", word, "");
  free(words);
  (void)fputc('\n', s->out);
}

static void render_daemon(const json_t *d, const struct style *s, bool verbose) {
  uint64_t n;
  const char *version = status_string(d, "version");
  char *up = status_seconds(d, "uptime_s");
  (void)fputs("  capnetd ", s->out);
  put_escaped(s, COLOUR_NONE, version ? version : "of unknown version");
  if (status_number(d, "pid", &n)) {
    (void)fprintf(s->out, ", pid %" PRIu64, n);
  }
  if (*up) {
    (void)fprintf(s->out, ", up %s", up);
  }
  free(up);
  static const struct {
    const char *key, *label;
  } counts[] = {{"endpoints", "endpoints"}, {"calls_parked", "calls parked"}, {"descriptors", "descriptors"}};
  for (unsigned i = 0; i < 3; i++) {
    if (status_number(d, counts[i].key, &n)) {
      (void)fprintf(s->out, ", %" PRIu64 " %s", n, counts[i].label);
    }
  }
  (void)fputc('\n', s->out);
  render_forms(d, s);
  size_t i;
  const json_t *c;
  json_array_foreach(json_object_get(d, "counters"), i, c) {
    const char *name = status_string(c, "name");
    if (verbose && name && status_number(c, "value", &n)) {
      (void)fputs("    ", s->out);
      put_escaped(s, COLOUR_NONE, name);
      (void)fprintf(s->out, " %" PRIu64 "\n", n);
    }
  }
}

static void render_addresses(const json_t *interface, const struct style *s) {
  static const struct column columns[] = {
      {.title = "ADDRESS"},
      {.title = "ORIGIN"},
      {.title = "VALID FOR"},
      {.title = "PREFERRED FOR", .fold = 2, .label = "preferred for"},
      {.title = "STATE", .fold = 1, .label = "state"},
  };
  struct table *t = table_new(columns, 5);
  size_t i;
  const json_t *a;
  json_array_foreach(json_object_get(interface, "addresses"), i, a) {
    uint64_t prefix;
    const char *address = status_string(a, "address");
    char *text = status_number(a, "prefix", &prefix) ? text_format("%s/%" PRIu64, address ? address : "?", prefix)
                                                     : text_format("%s", address ? address : "?");
    char *valid = status_seconds(a, "valid_for_s"), *preferred = status_seconds(a, "preferred_for_s");
    const char *state = status_string(a, "state");
    bool same = strcmp(valid, preferred) == 0 || (state && strcmp(state, "deprecated") == 0);
    table_row(t, (const char *[]){text, status_string(a, "origin"), *valid ? valid : "no end", same ? "" : preferred,
                                  state});
    if (state) {
      table_paint(t, 4, strcmp(state, "preferred") == 0 ? COLOUR_GREEN : COLOUR_YELLOW);
    }
    if (status_string(a, "why")) {
      table_note(t, status_string(a, "why"));
    }
    free(text);
    free(valid);
    free(preferred);
  }
  table_print(t, s, 4);
  table_free(t);
  if (json_array_size(json_object_get(interface, "addresses")) == 0) {
    (void)fputs("    no address\n", s->out);
  }
}

static void render_time_servers(const json_t *interface, const struct style *s) {
  struct wrap w = {.style = s, .separator = "  ", .indent = "    ", .indent_width = 4, .column = 4};
  const json_t *list = json_object_get(interface, "time_servers"), *t;
  size_t i;
  if (json_array_size(list) == 0) {
    return;
  }
  (void)fputs("    ", s->out);
  json_array_foreach(list, i, t) {
    const char *address = status_string(t, "address"), *origin = status_string(t, "origin");
    char *behind = text_format(" (%s)", origin ? origin : "?");
    wrap_escaped(&w, COLOUR_NONE, i == 0 ? "time servers " : "", address ? address : "?", behind);
    free(behind);
  }
  (void)fputc('\n', s->out);
}

static void render_traffic(const json_t *interface, const struct style *s) {
  static const char *const ways[] = {"rx", "tx"};
  for (unsigned w = 0; w < 2; w++) {
    char *keys[3], *values[3];
    static const char *const names[] = {"frames", "bytes", "dropped"};
    for (unsigned k = 0; k < 3; k++) {
      keys[k] = text_format("%s_%s", ways[w], names[k]);
      values[k] = k == 1 ? status_bytes(interface, keys[k]) : status_count(interface, keys[k]);
      free(keys[k]);
    }
    if (*values[0]) {
      (void)fprintf(s->out, "    %s %s frames, %s bytes", ways[w], values[0], *values[1] ? values[1] : "?");
      (void)fprintf(s->out, *values[2] ? ", %s dropped\n" : "\n", values[2]);
    }
    for (unsigned k = 0; k < 3; k++) {
      free(values[k]);
    }
  }
}

static void render_interface(const json_t *interface, const struct style *s, bool verbose) {
  static const struct {
    const char *key, *label;
  } words[] = {{"kind", ""}, {"device", "device "}, {"mode", "mode "}, {"mac", "mac "}};
  const char *name = status_string(interface, "name"), *origin = status_string(interface, "mtu_origin");
  const json_t *link = json_object_get(interface, "link");
  const char *state = status_string(interface, "state");
  struct wrap w = {.style = s, .separator = "  ", .indent = "    ", .indent_width = 4, .column = 2};
  (void)fputs("  ", s->out);
  wrap_escaped(&w, COLOUR_BOLD, "", name ? name : "?", "");
  if (state && strcmp(state, "gone") == 0) {
    wrap_escaped(&w, COLOUR_RED, "device ", state, "");
  } else if (link) {
    bool up = json_is_true(link);
    wrap_escaped(&w, up ? COLOUR_GREEN : COLOUR_RED, "link ", up ? "up" : "down", "");
  }
  for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    const char *value = status_string(interface, words[i].key);
    if (value) {
      wrap_escaped(&w, COLOUR_NONE, words[i].label, value, "");
    }
  }
  uint64_t mtu;
  if (status_number(interface, "mtu", &mtu)) {
    char *text = text_format("mtu %" PRIu64 "%s", mtu, origin ? " (" : "");
    wrap_escaped(&w, COLOUR_NONE, text, origin ? origin : "", origin ? ")" : "");
    free(text);
  }
  const char *ipv6 = status_string(interface, "ipv6"), *ipv6_origin = status_string(interface, "ipv6_mtu_origin");
  if (ipv6) {
    wrap_escaped(&w, COLOUR_NONE, "ipv6 ", ipv6, "");
  }
  const char *ipv6_why = status_string(interface, "ipv6_why");
  if (ipv6_why) {
    wrap_escaped(&w, COLOUR_YELLOW, "ipv6 is not there: ", ipv6_why, "");
  }
  if (status_number(interface, "ipv6_mtu", &mtu)) {
    char *text = text_format("ipv6 mtu %" PRIu64 " (", mtu);
    wrap_escaped(&w, COLOUR_NONE, text, ipv6_origin ? ipv6_origin : "?", ")");
    free(text);
  }
  if (status_number(interface, "metric", &mtu) && mtu > 0) {
    char *text = text_format("metric %" PRIu64, mtu);
    wrap_escaped(&w, COLOUR_NONE, text, "", "");
    free(text);
  }
  const char *offloads = status_string(interface, "offloads");
  if (offloads) {
    wrap_escaped(&w, COLOUR_NONE, "offloads ", offloads, "");
  }
  (void)fputc('\n', s->out);
  render_addresses(interface, s);
  render_time_servers(interface, s);
  if (verbose) {
    render_traffic(interface, s);
  }
}

static void render_interfaces(const json_t *list, const struct style *s, bool verbose) {
  size_t i;
  const json_t *interface;
  json_array_foreach(list, i, interface) { render_interface(interface, s, verbose); }
}

static void render_routes(const json_t *list, const struct style *s, bool verbose) {
  (void)verbose;
  static const struct column columns[] = {
      {.title = "DESTINATION"},
      {.title = "GATEWAY"},
      {.title = "INTERFACE", .fold = 3, .label = "interface"},
      {.title = "SOURCE", .fold = 1, .label = "source"},
      {.title = "ORIGIN", .fold = 2, .label = "origin"},
      {.title = "METRIC", .right = true, .fold = 4, .label = "metric"},
      {.title = "", .fold = 5},
  };
  struct table *t = table_new(columns, 7);
  size_t i;
  const json_t *r;
  json_array_foreach(list, i, r) {
    const char *to = status_string(r, "destination"), *gateway = status_string(r, "gateway");
    bool all = to && (strcmp(to, "0.0.0.0/0") == 0 || strcmp(to, "::/0") == 0);
    char *shown = text_format(all ? "default (%s)" : "%s", to ? to : "?");
    uint64_t n;
    char *metric = status_number(r, "metric", &n) && n > 0 ? text_format("%" PRIu64, n) : text_format("%s", "");
    bool silent = json_is_true(json_object_get(r, "unreachable"));
    table_row(t, (const char *[]){shown, gateway ? gateway : "on link", status_string(r, "interface"),
                                  status_string(r, "source"), status_string(r, "origin"), metric,
                                  silent ? "does not answer" : NULL});
    table_paint(t, 6, COLOUR_RED);
    free(shown);
    free(metric);
  }
  table_print(t, s, 2);
  table_free(t);
}

static void render_neighbours(const json_t *list, const struct style *s, bool verbose) {
  (void)verbose;
  static const struct column columns[] = {
      {.title = "ADDRESS"},
      {.title = "MAC"},
      {.title = "STATE"},
      {.title = "INTERFACE", .fold = 1, .label = "interface"},
      {.title = "ROLE", .fold = 2},
  };
  struct table *t = table_new(columns, 5);
  size_t i;
  const json_t *n;
  json_array_foreach(list, i, n) {
    const char *mac = status_string(n, "mac"), *state = status_string(n, "state");
    table_row(t, (const char *[]){status_string(n, "address"), mac ? mac : "unresolved", state,
                                  status_string(n, "interface"),
                                  json_is_true(json_object_get(n, "gateway")) ? "gateway" : NULL});
    if (state && strcmp(state, "pending") == 0) {
      table_paint(t, 2, COLOUR_YELLOW);
    }
  }
  table_print(t, s, 2);
  table_free(t);
}

static void render_search(const json_t *resolver, struct table *t) {
  const json_t *search = json_object_get(resolver, "search"), *present = json_object_get(resolver, "search_present");
  size_t i;
  const json_t *d;
  json_array_foreach(search, i, d) {
    table_row(t, (const char *[]){"search", status_string(d, "domain"), status_string(d, "origin"), NULL});
  }
  if (json_array_size(search) == 0 && present) {
    table_row(t, (const char *[]){"search", json_is_true(present) ? "an empty list" : "not configured", NULL, NULL});
    table_paint(t, 1, COLOUR_DIM);
  }
}

static void render_resolver(const json_t *resolver, const struct style *s, bool verbose) {
  (void)verbose;
  static const struct column columns[] = {{.title = "WHAT"}, {.title = "VALUE"}, {.title = "ORIGIN"}, {.title = "USE"}};
  struct table *t = table_new(columns, 4);
  size_t i;
  const json_t *server;
  json_array_foreach(json_object_get(resolver, "servers"), i, server) {
    bool in_use = json_is_true(json_object_get(server, "in_use"));
    table_row(t, (const char *[]){"server", status_string(server, "address"), status_string(server, "origin"),
                                  in_use ? "answered last" : NULL});
  }
  if (i == 0) {
    table_row(t, (const char *[]){"server", "none", NULL, NULL});
    table_paint(t, 1, COLOUR_YELLOW);
  }
  render_search(resolver, t);
  table_print(t, s, 2);
  table_free(t);
  char *queries = status_count(resolver, "queries"), *failures = status_count(resolver, "failures");
  const char *error = status_string(resolver, "last_error");
  if (*queries) {
    (void)fprintf(s->out, "  %s queries", queries);
    (void)fprintf(s->out, *failures ? ", %s failed\n" : "\n", failures);
  }
  if (error && *error) {
    (void)fputs("  last error: ", s->out);
    put_escaped(s, COLOUR_YELLOW, error);
    (void)fputc('\n', s->out);
  }
  free(queries);
  free(failures);
}

/* Why it is so, and what happens next. */
static void note_lease(struct table *t, const json_t *l) {
  const char *reason = status_string(l, "reason"), *next = status_string(l, "next");
  char *in = status_seconds(l, "next_s");
  char *text = text_format("%s%s%s%s%s%s", reason ? reason : "", reason && next ? ", " : "", next ? "next: " : "",
                           next ? next : "", next && *in ? " in " : "", next ? in : "");
  if (*text) {
    table_note(t, text);
  }
  if (json_is_false(json_object_get(l, "in_force"))) {
    table_note(t, "not in force: a configured address is");
  }
  free(text);
  free(in);
}

static void render_leases(const json_t *list, const struct style *s, bool verbose) {
  (void)verbose;
  static const struct column columns[] = {
      {.title = "INTERFACE"},
      {.title = "PROTOCOL"},
      {.title = "STATE"},
      {.title = "ADDRESS"},
      {.title = "SERVER", .fold = 1, .label = "server"},
      {.title = "RENEW IN", .fold = 4, .label = "renew in"},
      {.title = "REBIND IN", .fold = 3, .label = "rebind in"},
      {.title = "EXPIRES IN", .fold = 5, .label = "expires in"},
  };
  struct table *t = table_new(columns, 8);
  size_t i;
  const json_t *l;
  json_array_foreach(list, i, l) {
    char *t1 = status_seconds(l, "t1_s"), *t2 = status_seconds(l, "t2_s"), *end = status_seconds(l, "expiry_s");
    const char *state = status_string(l, "state");
    table_row(t, (const char *[]){status_string(l, "interface"), status_string(l, "protocol"), state,
                                  status_string(l, "address"), status_string(l, "server"), t1, t2, end});
    bool good = state && (strcmp(state, "bound") == 0 || strcmp(state, "renewing") == 0 || strcmp(state, "valid") == 0);
    table_paint(t, 2, good ? COLOUR_GREEN : COLOUR_YELLOW);
    note_lease(t, l);
    free(t1);
    free(t2);
    free(end);
  }
  table_print(t, s, 2);
  table_free(t);
}

void status_render_route(const json_t *route, const char *destination, const struct style *s) {
  static const struct {
    const char *key, *label;
  } words[] = {{"gateway", " via "}, {"interface", " on "}, {"source", " from "}, {"destination", " by route "},
               {"origin", " of "}};
  put_escaped(s, COLOUR_BOLD, destination);
  for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    const char *value = status_string(route, words[i].key);
    if (value) {
      (void)fputs(words[i].label, s->out);
      put_escaped(s, COLOUR_NONE, value);
    } else if (i == 0) {
      (void)fputs(" directly", s->out);
    }
  }
  (void)fputc('\n', s->out);
}

static const struct {
  const char *name, *none;
  void (*render)(const json_t *value, const struct style *s, bool verbose);
} renderers[] = {
    {"daemon", "nothing is known of the daemon", render_daemon},
    {"interfaces", "no interface", render_interfaces},
    {"routes", "no route", render_routes},
    {"neighbours", "no neighbour", render_neighbours},
    {"resolver", "nothing is known of the resolver", render_resolver},
    {"leases", "no lease: no interface uses DHCP", render_leases},
    {"sockets", "no socket", status_render_sockets},
    {"grants", "no capability was taken", status_render_grants},
};

void status_render(const json_t *shaped, const struct style *s, bool verbose) {
  bool titles = json_object_size(shaped) > 1, first = true;
  for (unsigned i = 0; i < sizeof(renderers) / sizeof(renderers[0]); i++) {
    const json_t *value = json_object_get(shaped, renderers[i].name);
    if (!value) {
      continue;
    }
    if (titles) {
      (void)fputs(first ? "" : "\n", s->out);
      style_put(s, COLOUR_BOLD, renderers[i].name);
      (void)fputc('\n', s->out);
      first = false;
    }
    if (json_array_size(value) == 0 && json_object_size(value) == 0) {
      (void)fputs("  ", s->out);
      style_put(s, COLOUR_DIM, renderers[i].none);
      (void)fputc('\n', s->out);
    } else {
      renderers[i].render(value, s, verbose);
    }
  }
}
