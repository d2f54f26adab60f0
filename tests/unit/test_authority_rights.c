/* SPDX-License-Identifier: BSD-3-Clause
 * The grammar of rules, what they cover, the rule of the special addresses, and narrowing.
 */
#include "authority_util.h"

#include <stdio.h>

static struct auth_rule parsed(enum auth_kind kind, const char *text) {
  struct auth_rule r;
  char err[160];
  cr_assert_eq(auth_rule_parse(kind, text, &r, err), 0, "%s: %s", text, err);
  return r;
}

Test(authority_rights, good_rules_and_their_canonical_text) {
  static const struct {
    enum auth_kind kind;
    const char *text, *canonical;
  } rows[] = {
      {AUTH_TCP_CONNECT, "10.0.0.1:80", "10.0.0.1:80"},
      {AUTH_TCP_CONNECT, "10.0.0.1/32:80", "10.0.0.1:80"},
      {AUTH_TCP_CONNECT, "  10.0.0.0/8:80-443\t", "10.0.0.0/8:80-443"},
      {AUTH_TCP_CONNECT, "*:*", "*:*"},
      {AUTH_TCP_CONNECT, "*:0-65535", "*:*"},
      {AUTH_TCP_CONNECT, "0.0.0.0/0:443", "0.0.0.0/0:443"},
      {AUTH_TCP_CONNECT, "[2001:db8::/32]:443", "[2001:db8::/32]:443"},
      {AUTH_TCP_CONNECT, "[2001:DB8:0:0::1]:443", "[2001:db8::1]:443"},
      {AUTH_TCP_CONNECT, "[::ffff:127.0.0.1]:1", "127.0.0.1:1"},
      {AUTH_TCP_CONNECT, "[::ffff:10.0.0.0/104]:1", "10.0.0.0/8:1"},
      {AUTH_TCP_LISTEN, "interface-address:8080", "interface-address:8080"},
      {AUTH_TCP_LISTEN, "*:8000-8999", "*:8000-8999"},
      {AUTH_TCP_LISTEN, "10.0.0.1:80", "10.0.0.1:80"},
      {AUTH_TCP_LISTEN, "[fe80::1]:80", "[fe80::1]:80"},
      {AUTH_PING, "*", "*"},
      {AUTH_PING, "10.0.0.0/24  via\tnet1 ", "10.0.0.0/24 via net1"},
      {AUTH_TCP_CONNECT, "*:80 via a.b-c_D", "*:80 via a.b-c_D"},
      {AUTH_TCP_CONNECT, "[2001:db8::/32]:443 via fifteen-letters", "[2001:db8::/32]:443 via fifteen-letters"},
      {AUTH_TCP_LISTEN, "interface-address:8080 via net0", "interface-address:8080 via net0"},
      {AUTH_PING, "10.0.0.0/24", "10.0.0.0/24"},
      {AUTH_PING, "fe80::/10", "fe80::/10"},
      {AUTH_PING, "[fe80::/10]", "fe80::/10"},
      {AUTH_DNS, "*", "* A,AAAA"},
      {AUTH_DNS, "Example.COM.", "example.com A,AAAA"},
      {AUTH_DNS, "example.com   AAAA,A", "example.com A,AAAA"},
      {AUTH_DNS, "_srv.x-1.example A", "_srv.x-1.example A"},
      {AUTH_STATUS, "own", "own"},
      {AUTH_STATUS, "grant", "grant"},
      {AUTH_STATUS, "all", "all"},
      {AUTH_MANAGER, "* get", "* get"},
      {AUTH_MANAGER, "net0 release,get", "net0 get,release"},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    char buf[AUTH_RULE_STRLEN];
    struct auth_rule r = parsed(rows[i].kind, rows[i].text);
    cr_expect_str_eq(auth_rule_format(rows[i].kind, &r, buf), rows[i].canonical, "row %zu", i);
  }
}

Test(authority_rights, bad_rules_are_refused_with_a_sentence) {
  static const struct {
    enum auth_kind kind;
    const char *text;
  } rows[] = {
      {AUTH_TCP_CONNECT, ""},
      {AUTH_TCP_CONNECT, "   "},
      {AUTH_TCP_CONNECT, "10.0.0.1"},
      {AUTH_TCP_CONNECT, "10.0.0.1:80 via"},
      {AUTH_TCP_CONNECT, "10.0.0.1:80 via sixteen-letters-"},
      {AUTH_TCP_CONNECT, "10.0.0.1:80 via net0 via net1"},
      {AUTH_TCP_CONNECT, "10.0.0.1:80 via n*"},
      {AUTH_TCP_CONNECT, "10.0.0.1:80 net0"},
      {AUTH_TCP_CONNECT, "via net0"},
      {AUTH_PING, "10.0.0.1 over net0"},
      {AUTH_TCP_LISTEN, "*:80 via "},
      {AUTH_DNS, "example.com A via net0"},
      {AUTH_TCP_CONNECT, "10.0.0.1:"},
      {AUTH_TCP_CONNECT, ":80"},
      {AUTH_TCP_CONNECT, "10.0.0.1/8:80"},
      {AUTH_TCP_CONNECT, "10.0.0.1:80 443"},
      {AUTH_TCP_CONNECT, "10.0.0.1:80-79"},
      {AUTH_TCP_CONNECT, "10.0.0.1:65536"},
      {AUTH_TCP_CONNECT, "010.0.0.1:80"},
      {AUTH_TCP_CONNECT, "2001:db8::1:80"},
      {AUTH_TCP_CONNECT, "[2001:db8::1]"},
      {AUTH_TCP_CONNECT, "[2001:db8::1:80"},
      {AUTH_TCP_CONNECT, "[2001:db8::1]x:80"},
      {AUTH_TCP_CONNECT, "[10.0.0.1]:80"},
      {AUTH_TCP_CONNECT, "[*]:80"},
      {AUTH_TCP_CONNECT, "example.com:80"},
      {AUTH_TCP_CONNECT, "interface-address:80"},
      {AUTH_TCP_CONNECT, "**:80"},
      {AUTH_TCP_LISTEN, "10.0.0.0/8:80"},
      {AUTH_TCP_LISTEN, "0.0.0.0:80"},
      {AUTH_TCP_LISTEN, "[::]:80"},
      {AUTH_TCP_LISTEN, "224.0.0.1:80"},
      {AUTH_TCP_LISTEN, "255.255.255.255:80"},
      {AUTH_TCP_LISTEN, "interface-address"},
      {AUTH_PING, "10.0.0.1:80"},
      {AUTH_PING, "[]"},
      {AUTH_PING, "[10.0.0.1]"},
      {AUTH_PING, "gateway"},
      {AUTH_DNS, "*.example.com"},
      {AUTH_DNS, ".example.com"},
      {AUTH_DNS, "a..b"},
      {AUTH_DNS, "example.com.."},
      {AUTH_DNS, "."},
      {AUTH_DNS, "exa mple.com"},
      {AUTH_DNS, "example.com MX"},
      {AUTH_DNS, "example.com a"},
      {AUTH_DNS, "example.com A,A"},
      {AUTH_DNS, "example.com A,"},
      {AUTH_DNS, "example.com A AAAA"},
      {AUTH_DNS, "ex\xc3\xa4mple.com"},
      {AUTH_STATUS, "every"},
      {AUTH_STATUS, "own all"},
      {AUTH_MANAGER, "net0"},
      {AUTH_MANAGER, "net0 destroy"},
      {AUTH_MANAGER, "net0 get,get"},
      {AUTH_MANAGER, "net/0 get"},
      {AUTH_MANAGER, "sixteen-letters0 get"},
      {AUTH_GRANT, "*"},
      {AUTH_TCP_LISTENER, "*"},
      {AUTH_TCP_SOCKET, "*"},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    char err[160] = "";
    struct auth_rule r, before;
    memset(&r, 0x5a, sizeof(r));
    before = r;
    cr_expect_eq(auth_rule_parse(rows[i].kind, rows[i].text, &r, err), -EINVAL, "%s", rows[i].text);
    cr_expect(strlen(err) > 10, "%s: \"%s\"", rows[i].text, err);
    cr_expect_eq(memcmp(&r, &before, sizeof(r)), 0, "untouched on failure");
  }
}

/* A domain of n bytes in labels of at most 50. */
static void long_domain(char *buf, size_t n) {
  memset(buf, 'a', n);
  for (size_t i = 50; i < n - 1; i += 51)
    buf[i] = '.';
  buf[n] = 0;
}

Test(authority_rights, lengths_at_n_and_n_plus_1) {
  char text[AUTH_RULE_STRLEN + 2], err[160];
  struct auth_rule r;
  long_domain(text, 253);
  cr_expect_eq(auth_rule_parse(AUTH_DNS, text, &r, err), 0, "%s", err);
  char formatted[AUTH_RULE_STRLEN];
  cr_expect_eq(strlen(auth_rule_format(AUTH_DNS, &r, formatted)), 253 + strlen(" A,AAAA"));
  long_domain(text, 254);
  cr_expect_eq(auth_rule_parse(AUTH_DNS, text, &r, err), -EINVAL);
  memset(text, 'a', 63);
  strcpy(text + 63, ".b");
  cr_expect_eq(auth_rule_parse(AUTH_DNS, text, &r, err), 0);
  memset(text, 'a', 64);
  strcpy(text + 64, ".b");
  cr_expect_eq(auth_rule_parse(AUTH_DNS, text, &r, err), -EINVAL);
  cr_expect_eq(auth_rule_parse(AUTH_MANAGER, "fifteen-letters get", &r, err), 0);
  cr_expect_eq(auth_rule_parse(AUTH_MANAGER, "fifteen-letters0 get", &r, err), -EINVAL);
  memset(text, ' ', sizeof(text));
  memcpy(text, "own", 3);
  text[AUTH_RULE_STRLEN] = 'x';
  text[AUTH_RULE_STRLEN + 1] = 0;
  cr_expect_eq(auth_rule_parse(AUTH_STATUS, text, &r, err), -EINVAL);
}

Test(authority_rights, sets_at_n_and_n_plus_1_rules) {
  const char *lines[AUTH_RULES_MAX + 1];
  char err[160];
  struct auth_rights *r = NULL;
  for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
    lines[i] = "10.0.0.1:80";
  cr_assert_eq(auth_rights_parse(AUTH_TCP_CONNECT, lines, AUTH_RULES_MAX, &r, err), 0);
  cr_expect_eq(r->n, AUTH_RULES_MAX);
  free(r);
  r = NULL;
  cr_expect_eq(auth_rights_parse(AUTH_TCP_CONNECT, lines, AUTH_RULES_MAX + 1, &r, err), -E2BIG);
  cr_expect_null(r);
}

Test(authority_rights, kinds_by_name) {
  for (unsigned k = 0; k < AUTH_KIND_COUNT; k++) {
    enum auth_kind got = AUTH_KIND_COUNT;
    cr_expect_eq(auth_kind_by_name(auth_kind_name((enum auth_kind)k), &got), 0);
    cr_expect_eq(got, k);
  }
  enum auth_kind k;
  cr_expect_eq(auth_kind_by_name("udp", &k), -EINVAL);
}

/* flags: o own, b broadcast */
static bool reaches(const char *rule, const char *addr, const char *flags) {
  struct auth_rule r = parsed(AUTH_PING, rule);
  struct auth_request rq = {.kind = AUTH_PING, .own = strchr(flags, 'o'), .broadcast = strchr(flags, 'b')};
  cr_assert_eq(net_addr_parse(addr, &rq.to.addr), 0, "%s", addr);
  return auth_rule_covers(AUTH_PING, &r, &rq);
}

Test(authority_rights, special_addresses_are_denied_unless_named) {
  static const struct {
    const char *rule, *addr, *flags;
    bool covered;
  } rows[] = {
      {"*", "10.0.0.1", "", true},
      {"*", "2001:db8::1", "", true},
      {"*", "10.0.0.1", "o", false},
      {"*", "10.0.0.255", "b", false},
      {"*", "127.0.0.1", "", false},
      {"*", "127.0.0.1", "o", false},
      {"*", "::ffff:127.0.0.1", "", false},
      {"*", "::1", "", false},
      {"*", "169.254.1.1", "", false},
      {"*", "fe80::1", "", false},
      {"*", "224.0.0.1", "", false},
      {"*", "ff02::1", "", false},
      {"*", "255.255.255.255", "", false},
      {"*", "240.0.0.1", "", false},
      {"*", "0.0.0.0", "", false},
      {"*", "::", "", false},
      {"0.0.0.0/0", "127.0.0.1", "", false},
      {"0.0.0.0/0", "192.0.2.1", "", true},
      {"0.0.0.0/0", "2001:db8::1", "", false},
      {"::/0", "::1", "", false},
      {"::/0", "2001:db8::1", "", true},
      {"::/0", "::ffff:192.0.2.1", "", false},
      {"126.0.0.0/7", "127.0.0.1", "", false},
      {"126.0.0.0/7", "126.0.0.1", "", true},
      {"127.0.0.0/8", "127.0.0.1", "", true},
      {"127.0.0.0/8", "127.0.0.1", "o", true},
      {"127.0.0.0/8", "::ffff:127.0.0.1", "", true},
      {"127.0.0.0/24", "127.0.1.1", "", false},
      {"::1", "::1", "o", true},
      {"169.254.0.0/16", "169.254.1.1", "", true},
      {"169.254.0.0/16", "169.254.1.1", "o", false},
      {"169.254.1.1", "169.254.1.1", "o", true},
      {"fe80::/10", "fe80::1", "", true},
      {"224.0.0.0/4", "224.0.0.1", "", true},
      {"ff00::/8", "ff02::1", "", true},
      {"240.0.0.0/4", "240.0.0.1", "", true},
      {"240.0.0.0/4", "255.255.255.255", "", false},
      {"255.255.255.254/31", "255.255.255.255", "", false},
      {"255.255.255.255", "255.255.255.255", "", true},
      {"0.0.0.0", "0.0.0.0", "", true},
      {"0.0.0.0/8", "0.1.2.3", "", true},
      {"10.0.0.0/24", "10.0.0.1", "o", false},
      {"10.0.0.1", "10.0.0.1", "o", true},
      {"10.0.0.1/32", "10.0.0.1", "o", true},
      {"10.0.0.0/24", "10.0.0.255", "b", false},
      {"10.0.0.0/24", "10.0.0.255", "", true},
      {"10.0.0.255", "10.0.0.255", "b", true},
      {"2001:db8::/64", "2001:db8::1", "o", false},
      {"2001:db8::1", "2001:db8::1", "o", true},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    cr_expect_eq(reaches(rows[i].rule, rows[i].addr, rows[i].flags), rows[i].covered, "%s on %s [%s]", rows[i].rule,
                 rows[i].addr, rows[i].flags);
}

Test(authority_rights, a_request_that_was_not_made_canonical_gains_nothing) {
  struct auth_rule any = parsed(AUTH_TCP_CONNECT, "*:*"), v6 = parsed(AUTH_TCP_CONNECT, "[::/0]:*");
  struct auth_request rq = {.kind = AUTH_TCP_CONNECT,
                            .to = {{AF_INET6, {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}}, 80}};
  cr_expect_not(auth_rule_covers(AUTH_TCP_CONNECT, &any, &rq));
  cr_expect_not(auth_rule_covers(AUTH_TCP_CONNECT, &v6, &rq));
  rq.to.addr = (struct net_addr){0};
  cr_expect_not(auth_rule_covers(AUTH_TCP_CONNECT, &any, &rq), "no address at all");
}

Test(authority_rights, ports_at_both_edges) {
  struct auth_rule r = parsed(AUTH_TCP_CONNECT, "10.0.0.1:80-443");
  struct auth_request rq = {.kind = AUTH_TCP_CONNECT, .to = {net_addr_v4(0x0a000001), 0}};
  static const struct {
    uint16_t port;
    bool covered;
  } rows[] = {{79, false}, {80, true}, {443, true}, {444, false}};
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    rq.to.port = rows[i].port;
    cr_expect_eq(auth_rule_covers(AUTH_TCP_CONNECT, &r, &rq), rows[i].covered, "%u", rows[i].port);
  }
  rq.to.port = 80;
  rq.kind = AUTH_PING;
  cr_expect_not(auth_rule_covers(AUTH_TCP_CONNECT, &r, &rq), "a request of another kind");
}

/* addr: "if" interface-address, "" every address; flag own as 'o' */
static bool listens(const char *rule, const char *addr, const char *flags) {
  struct auth_rule r = parsed(AUTH_TCP_LISTEN, rule);
  struct auth_request rq = {.kind = AUTH_TCP_LISTEN, .to.port = 80, .own = strchr(flags, 'o')};
  if (strcmp(addr, "if") == 0)
    rq.interface_address = true;
  else if (addr[0])
    cr_assert_eq(net_addr_parse(addr, &rq.to.addr), 0);
  return auth_rule_covers(AUTH_TCP_LISTEN, &r, &rq);
}

Test(authority_rights, listening) {
  static const struct {
    const char *rule, *addr, *flags;
    bool covered;
  } rows[] = {
      {"*:80", "", "", true},
      {"*:80", "0.0.0.0", "", true},
      {"*:80", "if", "", true},
      {"*:80", "10.0.0.1", "o", true},
      {"*:80", "127.0.0.1", "o", true},
      {"*:80", "224.0.0.1", "", false},
      {"*:80", "255.255.255.255", "", false},
      {"*:81", "", "", false},
      {"interface-address:80", "if", "", true},
      {"interface-address:80", "10.0.0.1", "o", true},
      {"interface-address:80", "10.0.0.1", "", false},
      {"interface-address:80", "127.0.0.1", "o", false},
      {"interface-address:80", "", "", false},
      {"interface-address:80", "::", "o", false},
      {"10.0.0.1:80", "10.0.0.1", "o", true},
      {"10.0.0.1:80", "::ffff:10.0.0.1", "o", true},
      {"10.0.0.1:80", "10.0.0.2", "o", false},
      {"10.0.0.1:80", "", "", false},
      {"10.0.0.1:80", "if", "", false},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    cr_expect_eq(listens(rows[i].rule, rows[i].addr, rows[i].flags), rows[i].covered, "%s on %s", rows[i].rule,
                 rows[i].addr);
}

Test(authority_rights, domains_cover_whole_labels_and_granted_types) {
  static const struct {
    const char *rule, *name;
    unsigned mask;
    bool covered;
  } rows[] = {
      {"example.com", "example.com", AUTH_TYPE_A, true},
      {"example.com", "a.b.example.com", AUTH_TYPE_AAAA, true},
      {"example.com", "badexample.com", AUTH_TYPE_A, false},
      {"example.com", "com", AUTH_TYPE_A, false},
      {"example.com", "example.com.evil.net", AUTH_TYPE_A, false},
      {"example.com A", "example.com", AUTH_TYPE_AAAA, false},
      {"example.com A", "example.com", AUTH_TYPE_A | AUTH_TYPE_AAAA, false},
      {"*", "anything.at.all", AUTH_TYPE_A | AUTH_TYPE_AAAA, true},
      {"*", "", AUTH_TYPE_A, false},
      {"*", "x", 0, false},
      {"*", "x", 4, false},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    struct auth_rule r = parsed(AUTH_DNS, rows[i].rule);
    struct auth_request rq = {.kind = AUTH_DNS, .name = rows[i].name, .mask = rows[i].mask};
    cr_expect_eq(auth_rule_covers(AUTH_DNS, &r, &rq), rows[i].covered, "%s on %s", rows[i].rule, rows[i].name);
  }
}

Test(authority_rights, scopes_and_operations) {
  struct auth_rule own = parsed(AUTH_STATUS, "own"), all = parsed(AUTH_STATUS, "all");
  struct auth_request rq = {.kind = AUTH_STATUS, .scope = AUTH_SCOPE_GRANT};
  cr_expect(auth_rule_covers(AUTH_STATUS, &all, &rq));
  cr_expect_not(auth_rule_covers(AUTH_STATUS, &own, &rq));
  struct auth_rule m = parsed(AUTH_MANAGER, "net0 get,renew"), any = parsed(AUTH_MANAGER, "* get");
  rq = (struct auth_request){.kind = AUTH_MANAGER, .name = "net0", .mask = AUTH_OP_RENEW};
  cr_expect(auth_rule_covers(AUTH_MANAGER, &m, &rq));
  rq.name = "net1";
  cr_expect_not(auth_rule_covers(AUTH_MANAGER, &m, &rq));
  rq.name = NULL;
  cr_expect_not(auth_rule_covers(AUTH_MANAGER, &m, &rq));
  rq.mask = AUTH_OP_GET;
  cr_expect(auth_rule_covers(AUTH_MANAGER, &any, &rq));
  rq.mask = AUTH_OP_GET | AUTH_OP_SET;
  cr_expect_not(auth_rule_covers(AUTH_MANAGER, &any, &rq));
}

Test(authority_rights, a_rule_that_names_an_interface_covers_only_that) {
  static const struct {
    const char *rule, *interface;
    bool unrouted, covered;
  } rows[] = {
      {"10.0.0.0/8:80 via net1", "net1", false, true},  {"10.0.0.0/8:80 via net1", "net0", false, false},
      {"10.0.0.0/8:80 via net1", "net10", false, false}, {"10.0.0.0/8:80 via net1", NULL, false, false},
      {"10.0.0.0/8:80 via net1", NULL, true, true},     {"10.0.0.0/8:80", "net0", false, true},
      {"10.0.0.0/8:80", NULL, false, true},             {"10.0.1.0/24:80 via net1", NULL, true, false},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    struct auth_rule r = parsed(AUTH_TCP_CONNECT, rows[i].rule);
    struct auth_request rq = {
        .kind = AUTH_TCP_CONNECT, .to.port = 80, .interface = rows[i].interface, .unrouted = rows[i].unrouted};
    (void)net_addr_parse("10.0.0.9", &rq.to.addr);
    cr_expect_eq(auth_rule_covers(AUTH_TCP_CONNECT, &r, &rq), rows[i].covered, "row %zu", i);
  }
}

Test(authority_rights, narrowing_table) {
  static const struct {
    enum auth_kind kind;
    const char *child, *parent;
    bool subset;
  } rows[] = {
      {AUTH_TCP_CONNECT, "10.0.0.1:80", "10.0.0.0/8:80-443", true},
      {AUTH_TCP_CONNECT, "10.0.0.1:80 via net0", "10.0.0.0/8:80-443", true},
      {AUTH_TCP_CONNECT, "10.0.0.1:80 via net0", "10.0.0.0/8:80-443 via net0", true},
      {AUTH_TCP_CONNECT, "10.0.0.1:80 via net1", "10.0.0.0/8:80-443 via net0", false},
      {AUTH_TCP_CONNECT, "10.0.0.1:80", "10.0.0.0/8:80-443 via net0", false},
      {AUTH_TCP_LISTEN, "interface-address:80", "*:80 via net0", false},
      {AUTH_TCP_LISTEN, "interface-address:80 via net0", "*:80 via net0", true},
      {AUTH_PING, "10.0.0.1", "* via net0", false},
      {AUTH_PING, "10.0.0.1 via net0", "*", true},
      {AUTH_TCP_CONNECT, "10.0.0.1:80", "*:*", true},
      {AUTH_TCP_CONNECT, "*:80", "*:*", true},
      {AUTH_TCP_CONNECT, "*:*", "*:80", false},
      {AUTH_TCP_CONNECT, "*:80", "0.0.0.0/0:80", false},
      {AUTH_TCP_CONNECT, "0.0.0.0/0:80", "*:80", true},
      {AUTH_TCP_CONNECT, "127.0.0.1:80", "*:80", false},
      {AUTH_TCP_CONNECT, "127.0.0.1:80", "0.0.0.0/0:80", false},
      {AUTH_TCP_CONNECT, "127.0.0.1:80", "127.0.0.0/8:80", true},
      {AUTH_TCP_CONNECT, "[::ffff:127.0.0.1]:80", "[::/0]:80", false},
      {AUTH_TCP_CONNECT, "255.255.255.255:80", "240.0.0.0/4:80", false},
      {AUTH_TCP_CONNECT, "10.0.0.0/8:80", "10.0.0.0/24:80", false},
      {AUTH_TCP_LISTEN, "interface-address:80", "*:80", true},
      {AUTH_TCP_LISTEN, "10.0.0.1:80", "interface-address:80", false},
      {AUTH_TCP_LISTEN, "10.0.0.1:80", "10.0.0.1:80-81", true},
      {AUTH_TCP_LISTEN, "*:80", "interface-address:80", false},
      {AUTH_DNS, "a.example.com A", "example.com", true},
      {AUTH_DNS, "badexample.com", "example.com", false},
      {AUTH_DNS, "*", "example.com", false},
      {AUTH_DNS, "example.com", "example.com A", false},
      {AUTH_STATUS, "own", "grant", true},
      {AUTH_STATUS, "all", "grant", false},
      {AUTH_MANAGER, "net0 get", "* get,set", true},
      {AUTH_MANAGER, "* get", "net0 get,set", false},
      {AUTH_MANAGER, "net0 get,renew", "net0 get", false},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    struct auth_rule c = parsed(rows[i].kind, rows[i].child), p = parsed(rows[i].kind, rows[i].parent);
    cr_expect_eq(auth_rule_subset(rows[i].kind, &c, &p), rows[i].subset, "%s in %s", rows[i].child, rows[i].parent);
  }
}

Test(authority_rights, the_first_rule_that_widens_is_named) {
  const char *p[] = {"10.0.0.0/8:80"}, *c[] = {"10.1.0.0/16:80", "10.0.0.1:81", "11.0.0.1:80"};
  char err[160], buf[AUTH_RULE_STRLEN];
  struct auth_rights *parent, *child;
  cr_assert_eq(auth_rights_parse(AUTH_TCP_CONNECT, p, 1, &parent, err), 0);
  cr_assert_eq(auth_rights_parse(AUTH_TCP_CONNECT, c, 3, &child, err), 0);
  const struct auth_rule *first = NULL;
  cr_expect_not(auth_rights_subset(child, parent, &first));
  cr_assert_not_null(first);
  cr_expect_str_eq(auth_rule_format(AUTH_TCP_CONNECT, first, buf), "10.0.0.1:81");
  child->n = 1;
  cr_expect(auth_rights_subset(child, parent, NULL));
  child->n = 0;
  cr_expect(auth_rights_subset(child, parent, NULL), "nothing lies within everything");
  free(parent);
  free(child);
}

Test(authority_rights, no_rules_cover_nothing_and_ruleless_kinds_cover_themselves) {
  char err[160];
  struct auth_rights *none, *grant;
  cr_assert_eq(auth_rights_parse(AUTH_PING, NULL, 0, &none, err), 0);
  cr_assert_eq(auth_rights_parse(AUTH_GRANT, NULL, 0, &grant, err), 0);
  struct auth_request rq = {.kind = AUTH_PING, .to.addr = net_addr_v4(0x0a000001)};
  cr_expect_not(auth_rights_cover(none, &rq));
  cr_expect_not(auth_rights_cover(grant, &rq));
  rq.kind = AUTH_GRANT;
  cr_expect(auth_rights_cover(grant, &rq));
  free(none);
  free(grant);
}

Test(authority_rights, sentences) {
  char buf[AUTH_RULE_STRLEN];
  struct auth_request rq = {.kind = AUTH_TCP_CONNECT, .to = {net_addr_v4(0x0a000001), 80}};
  cr_expect_str_eq(auth_request_format(&rq, buf), "connect to 10.0.0.1:80");
  rq.kind = AUTH_TCP_LISTEN;
  cr_expect_str_eq(auth_request_format(&rq, buf), "listen on 10.0.0.1:80");
  rq.interface_address = true;
  cr_expect_str_eq(auth_request_format(&rq, buf), "listen on interface-address:80");
  rq = (struct auth_request){.kind = AUTH_MANAGER, .name = "a\x1b[31m b", .mask = AUTH_OP_SET};
  cr_expect_str_eq(auth_request_format(&rq, buf), "set interface a?[31m?b", "no escape sequence gets through");
  rq = (struct auth_request){.kind = AUTH_DNS, .name = "example.com", .mask = AUTH_TYPE_A};
  cr_expect_str_eq(auth_request_format(&rq, buf), "resolve example.com (A)");
}

/* parse → format → parse is the identity, over random rules. */
Test(authority_rights, text_and_value_are_one) {
  uint64_t s = 42;
  for (unsigned i = 0; i < 20000; i++) {
    enum auth_kind kind = PICK(&s, world_kinds);
    char text[AUTH_RULE_STRLEN], again[AUTH_RULE_STRLEN];
    rnd_rule_text(&s, kind, text);
    struct auth_rule a = parsed(kind, text);
    auth_rule_format(kind, &a, again);
    struct auth_rule b = parsed(kind, again);
    cr_assert_eq(memcmp(&a, &b, sizeof(a)), 0, "%s → %s", text, again);
  }
}

/* What a subset covers its parent covers. Own and subnet-broadcast flags stay out: a host rule may name such an address
 * inside a wider rule, and there auth_decide asks every ancestor (test_authority_tree). */
Test(authority_rights, a_subset_covers_nothing_more) {
  uint64_t s = 4711;
  unsigned subsets = 0, covered = 0;
  for (unsigned i = 0; i < 60000; i++) {
    enum auth_kind kind = PICK(&s, world_kinds);
    struct auth_rights *p = rnd_rights(&s, kind, 3), *c = rnd_rights(&s, kind, 2);
    if (auth_rights_subset(c, p, NULL)) {
      subsets++;
      for (unsigned j = 0; j < 20; j++) {
        struct auth_request rq = rnd_request(&s, kind);
        if (kind != AUTH_TCP_LISTEN)
          rq.own = rq.broadcast = false;
        char buf[AUTH_RULE_STRLEN];
        if (auth_rights_cover(c, &rq)) {
          covered++;
          cr_assert(auth_rights_cover(p, &rq), "%s", auth_request_format(&rq, buf));
        }
      }
    }
    free(p);
    free(c);
  }
  cr_expect_gt(subsets, 5000u, "the world is too large: the property was hardly tried");
  cr_expect_gt(covered, 5000u);
}
