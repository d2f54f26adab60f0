/* SPDX-License-Identifier: BSD-3-Clause
 * Grants: every key good and bad, items and their limits, the directory, reload's comparison, names of users.
 */
#include "config_util.h"

static struct reports seen;

static struct grant *parse(const char *text) {
  struct grant *g = NULL;
  memset(&seen, 0, sizeof(seen));
  int r = grant_parse("/x/web.grant", "web", text, strlen(text), &g, collect, &seen);
  cr_assert_eq(r, g ? 0 : -EINVAL);
  cr_assert_eq(g == NULL, seen.n > 0, "%s", seen.text[0]);
  return g;
}

static const char full[] = "[grant]\ndescription = the web ; and more\nusers = root, 1000 1001\ngroups = adm\n"
                           "limit.sockets = 1000\nlimit.bytes = 4M\nsocket.congestion = reno\n"
                           "[connect]\nallow = 10.0.0.0/8:80-443\nallow = [2001:db8::/32]:443\nsockets = 4\n"
                           "connect.time = 5s\nexpires = 2h\nsocket.congestion = cubic\n"
                           "[tcp-connect other]\nallow = *:22\n"
                           "[listen]\nallow = interface-address:8080\nlisten.backlog = 5\n"
                           "[ping]\nallow = *\nping.count = 500\nping.interval.min = 1s\n"
                           "[dns]\nallow = example.com A\nlookups = 3\n[status]\nallow = grant\n"
                           "[manager]\nallow = net0 get,renew\n";

Test(config_grant, a_full_file) {
  struct grant *g = parse(full);
  cr_assert_not_null(g, "%s", seen.text[0]);
  cr_expect_str_eq(g->name, "web");
  cr_expect_str_eq(g->description, "the web");
  cr_assert_eq(g->n_users, 3u);
  cr_expect_str_eq(g->users[2].text, "1001");
  cr_expect_eq(g->users[2].line, 3u);
  cr_assert_eq(g->n_groups, 1u);
  cr_expect_eq(g->limits[LIMIT_SOCKETS], 1000u);
  cr_assert_eq(g->n_items, 7u);
  static const struct {
    const char *name;
    enum auth_kind kind;
    unsigned rules;
  } items[] = {{"connect", AUTH_TCP_CONNECT, 2}, {"other", AUTH_TCP_CONNECT, 1}, {"listen", AUTH_TCP_LISTEN, 1},
               {"ping", AUTH_PING, 1},           {"dns", AUTH_DNS, 1},           {"status", AUTH_STATUS, 1},
               {"manager", AUTH_MANAGER, 1}};
  for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
    cr_expect_str_eq(g->items[i].name, items[i].name);
    cr_expect_eq(g->items[i].kind, items[i].kind);
    cr_assert_not_null(g->items[i].rights);
    cr_expect_eq(g->items[i].rights->n, items[i].rules);
  }
  cr_expect_eq(g->items[0].limits[LIMIT_SOCKETS], 4u);
  cr_expect_eq(g->items[0].limits[LIMIT_CONNECT_TIME], 5000u);
  cr_expect_eq(g->items[0].expires_s, 7200u);
  cr_expect_str_eq(g->congestion, "reno");
  cr_expect_str_eq(g->items[0].congestion, "cubic");
  cr_expect_str_eq(g->items[1].congestion, "", "the grant's");
  cr_expect_eq(g->items[1].limits[LIMIT_SOCKETS], AUTH_LIMIT_INHERIT);
  cr_expect_eq(g->limits[LIMIT_PING_COUNT], 500u, "the grant is as loose as its loosest item");
  cr_expect_eq(g->limits[LIMIT_PING_INTERVAL_MIN], AUTH_LIMIT_INHERIT, "tighter than the fallback: the item's only");
  grant_free(g);
}

/* What the parser lets pass the tree must mint. */
Test(config_grant, a_parsed_grant_can_be_minted) {
  struct grant *g = parse(full);
  struct auth_tree *t = NULL;
  struct auth_node *root = NULL, *n = NULL;
  struct auth_refusal why = {0};
  cr_assert_eq(auth_tree_new(NULL, NULL, &t), 0);
  struct auth_spec spec = {.kind = AUTH_GRANT, .grant = g->name, .limits = g->limits};
  cr_assert_eq(auth_mint(t, NULL, &spec, &root, &why), 0, "%s", why.text);
  for (unsigned i = 0; i < g->n_items; i++) {
    spec = (struct auth_spec){
        .kind = g->items[i].kind, .name = g->items[i].name, .rights = g->items[i].rights, .limits = g->items[i].limits};
    cr_expect_eq(auth_mint(t, root, &spec, &n, &why), 0, "%s: %s", g->items[i].name, why.text);
  }
  t = auth_tree_free(t);
  grant_free(g);
}

Test(config_grant, each_bad_value_is_named_with_line_and_key) {
  static const struct {
    const char *section, *key, *value;
  } rows[] = {
      {"grant", "description", ""},      {"grant", "users", ""},           {"grant", "users", "*"},
      {"grant", "users", "a:b"},         {"grant", "users", "-x"},         {"grant", "groups", "a/b"},
      {"grant", "limit.sockets", "x"},   {"grant", "limit.sockets", "65536"}, {"grant", "limit.colour", "1"},
      {"grant", "sockets", "1"},         {"grant", "allow", "*"},          {"grant", "interface", "net0"},
      {"connect", "allow", ""},          {"connect", "allow", "example.com:80"}, {"connect", "deny", "*"},
      {"connect", "limit.sockets", "1"}, {"connect", "sockets", "-1"},     {"connect", "ping.count", "1"},
      {"connect", "expires", "0h"},      {"connect", "expires", "5"},      {"connect", "expires", "5w"},
      {"connect", "expires", "100001s"}, {"connect", "expires", "5hh"},    {"connect", "listen.backlog", "1"},
      {"listen", "allow", "10.0.0.0/8:1"}, {"listen", "connect.time", "1"}, {"listen", "listen.backlog", "4097"},
      {"ping", "allow", "*:80"},         {"ping", "ping.interval.min", "9"}, {"ping", "ping.payload", "65508"},
      {"ping", "sockets", "1"},          {"dns", "allow", "*.example.com"}, {"dns", "dns.name", "254"},
      {"status", "allow", "everything"}, {"status", "lookups", "1"},       {"manager", "allow", "net0"},
      {"manager", "users", "root"},      {"dns more", "allow", "a b c"},
      {"grant", "socket.congestion", "renoo"}, {"connect", "socket.congestion", ""}, {"listen", "socket.congestion", "CUBIC"},
      {"ping", "socket.congestion", "reno"},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    char text[256], want[64];
    (void)snprintf(text, sizeof(text), "# one\n[%s]\n%s = %s\n", rows[i].section, rows[i].key, rows[i].value);
    cr_expect_null(parse(text), "%s", text);
    (void)snprintf(want, sizeof(want), "3 %s: ", rows[i].key);
    cr_expect(reported(&seen, want), "%s → %s", text, seen.text[0]);
  }
}

Test(config_grant, structure) {
  static const struct {
    const char *text, *want;
  } rows[] = {
      {"[ping]\nallow = *\n", "0 -: there is no section [grant]"},
      {"[grant]\n", "0 -: nothing is granted"},
      {"[grant]\n[ping]\n", "2 ping: the section has no allow"},
      {"[grant]\n[ping]\nallow = *\n[grant]\n", "4 grant: the section stands twice"},
      {"[grant]\n[ping]\nallow = *\n[ping]\nallow = *\n", "4 ping: there is an item ping already, in line 2"},
      {"[grant]\n[ping x]\nallow = *\n[dns x]\nallow = *\n", "4 dns x: there is an item x already"},
      {"[grant]\n[pin]\nallow = *\n", "2 pin: unknown section"},
      {"[grant]\n[tcp-socket]\n", "2 tcp-socket: unknown section"},
      {"[grant]\n[ping a b]\n", "2 ping a b: \"a b\" is no name"},
      {"[grant]\n[ping ]\n", "no name of an item"},
      {"[grant]\ndescription = a\ndescription = b\n[ping]\nallow = *\n", "3 description: the key stands twice"},
      {"[grant]\n[ping]\nallow = *\npings = 1\npings = 1\n", "5 pings: the key stands twice"},
      {"[grant]\n[listen]\nallow = *:80\nsocket.congestion = bbr\n",
       "4 socket.congestion: \"bbr\" is no congestion controller; there are cubic, reno"},
      {"[grant]\n[dns]\nallow = *\nsocket.congestion = reno\n", "4 socket.congestion: socket.congestion says nothing about dns"},
      {"[grant]\n[connect]\nallow = *:80\nsocket.congestion = reno\nsocket.congestion = reno\n",
       "5 socket.congestion: the key stands twice"},
      {"[grant]\nlimit.sockets = 3\n[connect]\nallow = *:*\nsockets = 4\n", "3 sockets: looser than the grant's"},
      {"[grant]\nlimit.ping.interval.min = 500\n[ping]\nallow = *\nping.interval.min = 499\n",
       "3 ping.interval.min: looser"},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    cr_expect_null(parse(rows[i].text), "%s", rows[i].text);
    cr_expect(reported(&seen, rows[i].want), "%s → %s", rows[i].text, seen.text[0]);
  }
  struct grant *g = parse("[grant]\nlimit.sockets = 3\n[connect]\nallow = *:*\nsockets = 3\n");
  cr_expect_not_null(g);
  grant_free(g);
}

/* A file with n times the line that fmt makes of a number. */
static struct grant *parse_many(const char *head, const char *fmt, unsigned n) {
  static char text[CONFIG_FILE_MAX];
  size_t len = (size_t)snprintf(text, sizeof(text), "%s", head);
  for (unsigned i = 0; i < n; i++)
    len += (size_t)snprintf(text + len, sizeof(text) - len, fmt, i);
  return parse(text);
}

Test(config_grant, numbers_at_n_and_n_plus_1) {
  static const struct {
    const char *head, *fmt, *want;
    unsigned max;
  } rows[] = {
      {"[grant]\n[connect]\n", "allow = 10.0.0.1:%u\n", "more than 64 rules", AUTH_RULES_MAX},
      {"[grant]\n", "[ping p%u]\nallow = *\n", "more than 32 items", CONFIG_ITEMS_MAX},
      {"[ping]\nallow = *\n[grant]\n", "users = %u\n", "more than 32 names", CONFIG_WHO_MAX},
      {"[ping]\nallow = *\n[grant]\n", "groups = %u\n", "more than 32 names", CONFIG_WHO_MAX},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    struct grant *g = parse_many(rows[i].head, rows[i].fmt, rows[i].max);
    cr_expect_not_null(g, "%s", seen.text[0]);
    grant_free(g);
    cr_expect_null(parse_many(rows[i].head, rows[i].fmt, rows[i].max + 1));
    cr_expect(reported(&seen, rows[i].want), "%s", seen.text[0]);
  }
}

Test(config_grant, equal_or_changed) {
  struct grant *a = parse(full), *b = parse(full);
  cr_expect(grant_equal(a, b));
  b->items[0].line = 99;
  cr_expect(grant_equal(a, b), "where it stands does not matter");
  a->resolved = b->resolved = true;
  b->uids[0] = 7;
  cr_expect_not(grant_equal(a, b), "the same name is another uid now");
  grant_free(b);
  static const struct {
    const char *from, *to;
  } changes[] = {{"the web", "the net"}, {"1001", "1002"},        {"groups = adm", "groups = tty"},
                 {"= 1000\n", "= 999\n"}, {"sockets = 4", "sockets = 5"}, {"2h", "3h"},
                 {"= reno", "= cubic"}, {"= cubic", "= reno"}, {"80-443", "80-444"},   {"= grant", "= own"},    {"[dns]", "[dns x]"}};
  for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
    char text[1024];
    const char *at = strstr(full, changes[i].from);
    cr_assert_not_null(at, "%s", changes[i].from);
    (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - full), full, changes[i].to,
                   at + strlen(changes[i].from));
    b = parse(text);
    cr_assert_not_null(b, "%s", seen.text[0]);
    cr_expect_not(grant_equal(a, b), "%s", changes[i].from);
    grant_free(b);
  }
  grant_free(a);
}

Test(config_grant, names_are_resolved) {
  struct grant *g = parse("[grant]\nusers = root, 4294967294\ngroups = root 77\n[ping]\nallow = *\n");
  cr_assert_eq(config_grant_resolve(g, collect, &seen), 0);
  cr_expect(g->resolved);
  cr_expect(g->uids[0] == 0 && g->uids[1] == 4294967294u && g->gids[0] == 0 && g->gids[1] == 77);
  grant_free(g);
  static const struct {
    const char *line, *want;
    int error;
  } rows[] = {
      {"users = root no-such-user-x", "2 users: no-such-user-x: there is no such", -ENOENT},
      {"groups = no-such-group-x", "2 groups: no-such-group-x: there is no such", -ENOENT},
      {"users = 65534", "2 users: 65534: this id", -EINVAL},
      {"users = nobody", "2 users: nobody: this id", -EINVAL},
      {"users = 4294967295", "2 users: 4294967295: this id", -EINVAL},
      {"users = 99999999999", "2 users: 99999999999: this id", -EINVAL},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    char text[128];
    (void)snprintf(text, sizeof(text), "[grant]\n%s\n[ping]\nallow = *\n", rows[i].line);
    g = parse(text);
    cr_assert_not_null(g);
    cr_expect_eq(config_grant_resolve(g, collect, &seen), rows[i].error);
    cr_expect_not(g->resolved);
    cr_expect(reported(&seen, rows[i].want), "%s", seen.text[0]);
    grant_free(g);
  }
}

/* --- the directory ------------------------------------------------------------------------------------------------ */

static char dir[64];
static void setup(void) {
  strcpy(dir, "/tmp/capnet-grants.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
}
static void teardown(void) { remove_tree(dir); }
TestSuite(config_grants, .init = setup, .fini = teardown);

static const char small[] = "[grant]\n[ping]\nallow = *\n";
static int load(const char *path, struct grant_set **ret) {
  memset(&seen, 0, sizeof(seen));
  *ret = NULL;
  int r = grants_load(path, ret, collect, &seen);
  cr_expect_eq(r == 0, *ret != NULL && seen.n == 0, "%s", seen.text[0]);
  return r;
}

Test(config_grants, all_files_in_order_and_nothing_else) {
  struct grant_set *s;
  write_file(dir, "b.grant", small, strlen(small), 0644);
  write_file(dir, "a-1.grant", small, strlen(small), 0600);
  write_file(dir, "README", "no", 2, 0666);
  write_file(dir, "x.grant.bak", "no", 2, 0666);
  write_file(dir, ".hidden.grant", "no", 2, 0666);
  cr_assert_eq(load(dir, &s), 0);
  cr_assert_eq(s->n, 2u);
  cr_expect_str_eq(s->grants[0]->name, "a-1");
  cr_expect_str_eq(s->grants[1]->name, "b");
  grants_free(s);
}

Test(config_grants, one_bad_file_spoils_all_and_each_is_named) {
  struct grant_set *s;
  write_file(dir, "good.grant", small, strlen(small), 0644);
  write_file(dir, "loose.grant", small, strlen(small), 0666);
  write_file(dir, "wrong.grant", "[grant]\nx = 1\n", 14, 0644);
  write_file(dir, "Upper.grant", small, strlen(small), 0644);
  write_file(dir, "-dash.grant", small, strlen(small), 0644);
  write_file(dir, "a b.grant", small, strlen(small), 0644);
  cr_expect_lt(load(dir, &s), 0);
  cr_expect_eq(seen.n, 5u);
  cr_expect(reported(&seen, "writable by its group"));
  cr_expect(reported(&seen, "2 x: unknown key"));
  cr_expect_not_null(strstr(seen.file[4], "/wrong.grant"), "%s", seen.file[4]);
}

Test(config_grants, names_at_63_and_64) {
  struct grant_set *s;
  char name[80];
  (void)snprintf(name, sizeof(name), "%063d.grant", 1);
  write_file(dir, name, small, strlen(small), 0644);
  cr_expect_eq(load(dir, &s), 0);
  grants_free(s);
  (void)snprintf(name, sizeof(name), "%064d.grant", 1);
  write_file(dir, name, small, strlen(small), 0644);
  cr_expect_eq(load(dir, &s), -EINVAL);
}

Test(config_grants, the_directory_itself) {
  struct grant_set *s;
  char path[128];
  cr_expect_eq(load(dir, &s), 0, "an empty one");
  grants_free(s);
  (void)snprintf(path, sizeof(path), "%s/none", dir);
  cr_expect_eq(load(path, &s), -ENOENT);
  cr_assert_eq(chmod(dir, 0777), 0);
  cr_expect_eq(load(dir, &s), -EPERM);
}

/* The shipped grant and the examples of the manual hold. */
Test(config_grants, shipped_grants_parse) {
  static const char *const dirs[] = {"systemd/grants.d", "docs/examples"};
  const char *top = getenv("top_srcdir");
  if (!top)
    cr_skip_test("top_srcdir is not set");
  for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
    char command[1024];
    struct grant_set *s;
    (void)snprintf(command, sizeof(command), "cp '%s/%s/'*.grant '%s' && chmod 644 '%s/'*", top, dirs[i], dir, dir);
    cr_assert_eq(system(command), 0);
    cr_expect_eq(load(dir, &s), 0, "%s: %s", seen.file[0], seen.text[0]);
    cr_expect(s && s->n > 0);
    grants_free(s);
  }
}
