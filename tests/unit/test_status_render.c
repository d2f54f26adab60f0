/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-status for a person, on tests/fixtures/status.json and on what a daemon may leave out.
 */
#include "clients/status_render.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static json_t *fixture(void) {
  const char *top = getenv("top_srcdir");
  char *path = text_format("%s/tests/fixtures/status.json", top ? top : ".");
  json_t *root = json_load_file(path, 0, NULL);
  cr_assert_not_null(root, "%s", path);
  free(path);
  return root;
}

static char *rendered(const json_t *shaped, unsigned width, bool colour, bool verbose) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  struct style s = {.out = f, .width = width, .colour = colour};
  status_render(shaped, &s, verbose);
  (void)fclose(f);
  return text;
}

/* Steals raw. */
static char *rendered_raw(json_t *raw, const char *section, unsigned width, bool verbose) {
  json_t *shaped = status_shape(raw, &section, 1);
  char *text = rendered(shaped, width, false, verbose);
  json_decref(shaped);
  json_decref(raw);
  return text;
}

static void has(const char *text, const char *part) {
  cr_assert_not_null(strstr(text, part), "no '%s' in:\n%s", part, text);
}
static void lacks(const char *text, const char *part) {
  cr_assert_null(strstr(text, part), "'%s' in:\n%s", part, text);
}

static size_t longest_line(const char *text) {
  size_t longest = 0;
  while (*text) {
    size_t len = strcspn(text, "\n");
    longest = len > longest ? len : longest;
    text += len + (text[len] == '\n');
  }
  return longest;
}

Test(status_render, each_section_says_what_it_knows) {
  json_t *raw = fixture(), *shaped = status_shape(raw, NULL, 0);
  char *text = rendered(shaped, 0, false, false);
  static const char *const parts[] = {
      "capnetd 0.1.0, pid 812, up 1d 02h",
      "net0  link up  tap  device capnet0  mode dhcp  mac 02:9c:5a:11:22:33  mtu 1500 (dhcp)  ipv6 auto  ipv6 mtu 1492 (ra)  metric 100  offloads tx-csum tx-tso4 rx-csum\n",
      "10.0.2.15/24                dhcp        23h 40m    standby\n        a configured address is in force\n",
      "fe80::9c:5aff:fe11:2233/64  link-local  no end",
      "    time servers 10.0.2.7 (dhcp)  2001:db8::7 (dhcp6)\n",
      "net1  link down",
      "default (0.0.0.0/0)  10.0.2.2  net0", "100  does not answer",
      "on link",
      "52:55:0a:00:02:02  reachable  net0       gateway",
      "unresolved",
      "server  10.0.2.3         dhcp    answered last",
      "last error: 10.0.2.3: timed out on broken.example",
      "11h 40m   20h 33m    23h 40m",
      "the server granted a lease, next: renew in 11h 40m",
      "not in force: a configured address is",
      "LISTEN         2      64  10.0.2.15:8080",
      "ESTAB       720K       0",
      "client-not-reading",
      "12s ago  refused  10.0.2.15:49150  10.9.9.9:22",
      "sockets 3/64 (2 refused), bytes 1.2M/8M",
      "|  `- fetcher #6 tcp-connect, taken by curl[1234] uid 1000, expires in 59m 59s",
      "revoked: the grant's file was changed",
  };
  for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
    has(text, parts[i]);
  }
  lacks(text, "lwip-asserts");
  lacks(text, "connect.time");
  free(text);
  text = rendered(shaped, 0, false, true);
  static const char *const more[] = {"lwip-asserts 0",        "connect.time 30000 ms",
                                     "client recv 208K/208K", "rtt 23.4 ms",
                                     "keepalive 7200s+9x75s", "keepalive off",
                                     "retransmits 17",        "newreno",
                                     "path mtu 1400 (icmp)",  "ICMP says host-unreachable",
                                     "mtu 1500 (dhcp)",       "rx 120,433 frames, 93.5M bytes, 2 dropped"};
  for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
    has(text, more[i]);
  }
  free(text);
  json_decref(shaped);
  json_decref(raw);
}

Test(status_render, no_byte_from_outside_reaches_the_terminal_as_control) {
  json_t *raw = fixture(), *shaped = status_shape(raw, NULL, 0);
  char *text = rendered(shaped, 80, false, true);
  for (const char *p = text; *p; p++) {
    cr_assert(*p == '\n' || (*p >= 0x20 && *p < 0x7f), "byte %02x", (unsigned char)*p);
  }
  has(text, "rsync\\x1b[2J\\x1b]0;x\\x07[4321]");
  free(text);
  text = rendered(shaped, 80, true, true);
  has(text, "\033[32mESTAB\033[0m");
  free(text);
  json_decref(shaped);
  json_decref(raw);
}

/* Each word of each string, whatever the width. */
static void all_strings_in(const json_t *v, const char *text) {
  const char *key;
  json_t *child;
  size_t i;
  if (json_is_object(v)) {
    json_object_foreach((json_t *)v, key, child) {
      if (strcmp(key, "blocked_on") != 0 && strcmp(key, "state") != 0 && strcmp(key, "name") != 0 &&
          strcmp(key, "unit") != 0 && strcmp(key, "grant") != 0) {
        all_strings_in(child, text);
      }
    }
  } else if (json_is_array(v)) {
    json_array_foreach(v, i, child) { all_strings_in(child, text); }
  } else if (json_is_string(v)) {
    char *copy = text_format("%s", json_string_value(v)), *save = NULL;
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
      char *safe = text_escape(word);
      has(text, safe);
      free(safe);
    }
    free(copy);
  }
}

Test(status_render, at_every_width_nothing_is_lost) {
  json_t *raw = fixture(), *shaped = status_shape(raw, NULL, 0);
  for (unsigned width = 20; width <= 240; width += 10) {
    char *text = rendered(shaped, width, false, true);
    all_strings_in(raw, text);
    free(text);
  }
  json_decref(shaped);
  json_decref(raw);
}

Test(status_render, at_80_columns_everything_fits) {
  json_t *raw = fixture(), *shaped = status_shape(raw, NULL, 0);
  char *text = rendered(shaped, 80, false, true);
  cr_assert_leq(longest_line(text), 80, "%zu columns:\n%s", longest_line(text), text);
  free(text);
  json_decref(shaped);
  json_decref(raw);
}

Test(status_render, an_absent_search_list_is_told_from_an_empty_one) {
  char *text = rendered_raw(json_pack("{s:{s:b}}", "resolver", "search_present", 0), "resolver", 0, false);
  has(text, "search  not configured");
  has(text, "server  none");
  free(text);
  text = rendered_raw(json_pack("{s:{s:b}}", "resolver", "search_present", 1), "resolver", 0, false);
  has(text, "search  an empty list");
  free(text);
  text = rendered_raw(json_pack("{s:{s:i}}", "resolver", "queries", 1), "resolver", 0, false);
  lacks(text, "search");
  free(text);
}

Test(status_render, what_is_unknown_is_not_shown_as_zero) {
  char *text = rendered_raw(
      json_pack("{s:[{s:s, s:s, s:s}]}", "sockets", "kind", "tcp", "state", "SYN-SENT", "local", "192.168.7.7:1"),
      "sockets", 0, true);
  lacks(text, "0");
  lacks(text, "RECV-Q");
  free(text);
  text = rendered_raw(json_pack("{s:[{}]}", "interfaces"), "interfaces", 0, true);
  lacks(text, "link");
  lacks(text, "mtu");
  has(text, "no address");
  free(text);
}

Test(status_render, an_empty_answer_says_so_in_each_section) {
  json_t *raw = json_object(), *shaped = status_shape(raw, NULL, 0);
  cr_assert_eq(json_object_size(shaped), status_n_sections);
  char *text = rendered(shaped, 80, false, false);
  static const char *const parts[] = {"no interface", "no route",  "no neighbour",
                                      "no lease",     "no socket", "no capability was taken"};
  for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
    has(text, parts[i]);
  }
  free(text);
  json_decref(shaped);
  json_decref(raw);
}

Test(status_render, wrong_types_are_taken_as_absent) {
  json_t *raw = json_pack("{s:s, s:[i, s, n, []], s:{s:i, s:s}, s:[{s:s, s:i}], s:[{s:s, s:s}, i]}", "interfaces",
                          "no list", "routes", 1, "x", "resolver", "servers", 3, "queries", "many", "sockets",
                          "stack_recv_queue", "deep", "state", 7, "grants", "id", "one", "rights", "all", 5);
  json_t *shaped = status_shape(raw, NULL, 0);
  free(rendered(shaped, 80, false, true));
  json_decref(shaped);
  json_decref(raw);
}

static size_t nodes_in(const json_t *tree) {
  size_t n = 0, i;
  const json_t *node;
  json_array_foreach(tree, i, node) { n += 1 + nodes_in(json_object_get(node, "children")); }
  return n;
}

/* Steals flat. */
static json_t *tree_of(json_t *flat) {
  json_t *raw = json_pack("{s:o}", "grants", flat), *shaped = status_shape(raw, NULL, 0);
  json_t *tree = json_incref(json_object_get(shaped, "grants"));
  json_decref(shaped);
  json_decref(raw);
  return tree;
}

Test(status_render, grants_nest_under_their_parent_in_any_order) {
  json_t *tree =
      tree_of(json_pack("[{s:i, s:i}, {s:i, s:i}, {s:i}]", "id", 3, "parent", 2, "id", 2, "parent", 1, "id", 1));
  cr_assert_eq(json_array_size(tree), 1);
  char *text = json_dumps(tree, JSON_COMPACT | JSON_SORT_KEYS);
  cr_assert_str_eq(text,
                   "[{\"children\":[{\"children\":[{\"children\":[],\"id\":3,\"parent\":2}],\"id\":2,\"parent\":1}],"
                   "\"id\":1}]");
  free(text);
  json_decref(tree);
}

Test(status_render, orphans_loops_and_twins_are_shown_once) {
  json_t *tree =
      tree_of(json_pack("[{s:i, s:i}, {s:i, s:i}, {s:i, s:i}, {s:i, s:i}, {s:i}, {s:i}, {}]", "id", 1, "parent", 99,
                        "id", 2, "parent", 2, "id", 3, "parent", 4, "id", 4, "parent", 3, "id", 5, "id", 5));
  cr_assert_eq(nodes_in(tree), 7);
  json_decref(tree);
}

Test(status_render, a_chain_deeper_than_the_bound_loses_no_node) {
  enum { N = 500 };
  json_t *flat = json_array();
  for (int i = 0; i < N; i++) {
    (void)json_array_append_new(flat,
                                i ? json_pack("{s:i, s:i}", "id", i, "parent", i - 1) : json_pack("{s:i}", "id", 0));
  }
  json_t *tree = tree_of(flat);
  cr_assert_eq(nodes_in(tree), N);
  struct style s = {.out = tmpfile()};
  status_render_grants(tree, &s, false);
  (void)fclose(s.out);
  json_decref(tree);
}

Test(status_render, the_way_to_a_destination) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  struct style s = {.out = f};
  json_t *via = json_pack("{s:s, s:s, s:s, s:s, s:s}", "destination", "0.0.0.0/0", "gateway", "10.0.2.2", "interface",
                          "net0", "source", "10.0.2.15", "origin", "dhcp");
  json_t *direct = json_pack("{s:s, s:s}", "interface", "net0", "source", "10.0.2.15");
  status_render_route(via, "192.0.2.1", &s);
  status_render_route(direct, "10.0.2.9", &s);
  (void)fclose(f);
  cr_assert_str_eq(text, "192.0.2.1 via 10.0.2.2 on net0 from 10.0.2.15 by route 0.0.0.0/0 of dhcp\n"
                         "10.0.2.9 directly on net0 from 10.0.2.15\n");
  free(text);
  json_decref(via);
  json_decref(direct);
}

Test(status_render, only_known_sections) {
  cr_assert(status_section_known("sockets"));
  cr_assert_not(status_section_known("socket"));
  cr_assert_not(status_section_known(""));
}
