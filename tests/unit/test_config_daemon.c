/* SPDX-License-Identifier: BSD-3-Clause
 * capnetd.conf: every key good and bad, lines as they must be, and files that are not to be trusted.
 */
#include "config_util.h"

static struct reports seen;

static struct config *parse_n(const char *text, size_t len) {
  struct config *c = NULL;
  memset(&seen, 0, sizeof(seen));
  int r = config_parse("x.conf", text, len, &c, collect, &seen);
  cr_assert_eq(r, c ? 0 : -EINVAL);
  cr_assert_eq(c == NULL, seen.n > 0, "an error, and only an error, is reported: %s", seen.text[0]);
  return c;
}
static struct config *parse(const char *text) { return parse_n(text, strlen(text)); }

Test(config_daemon, a_full_file) {
  struct config *c = parse("# a comment\n; another\n\n"
                           "[daemon]\nruntime-dir = /run/x\nstate-dir=/var/lib/x\nlog-level = debug\nuser = capnet\n"
                           "[interface net0]\ndevice = tap\nifname = capnet0\nmtu = 1400\nmac = 02:00:00:00:00:01\n"
                           "mode = static\naddress = 10.0.0.2/24\ngateway = 10.0.0.1\nmetric = 4294967295\nhostname = Box\n"
                           "ipv6 = static\nipv6-address = 2001:db8::2/64\nipv6-address = 2001:DB8:1::2/56\n"
                           "ipv6-gateway = fe80::1\ndhcp6 = always\n"
                           "[interface net1]\ndevice = slirp\nhost-loopback = yes\n"
                           "forward = tcp:127.0.0.1:8080-80\nforward = tcp:127.0.0.1:8081-81\n"
                           "[resolver]\nservers = 10.0.0.53, 10.0.0.54:5353 2001:db8::53 [2001:db8::54]:54\n"
                           "search = Example.com a.example.net\n"
                           "[limits]\nuid.sockets = 77 ; inline\nuid.bytes = 2M\n");
  cr_assert_not_null(c, "%s", seen.text[0]);
  cr_expect_str_eq(c->runtime_dir, "/run/x");
  cr_expect_str_eq(c->state_dir, "/var/lib/x");
  cr_expect_str_eq(c->user, "capnet");
  cr_expect_eq(c->log_level, LOG_LVL_DEBUG);
  cr_assert_eq(c->n_interfaces, 2u);
  struct config_interface *i = &c->interfaces[0];
  cr_expect_str_eq(i->name, "net0");
  cr_expect_eq(i->device, CONFIG_TAP);
  cr_expect_str_eq(i->ifname, "capnet0");
  cr_expect_eq(i->mtu, 1400u);
  cr_expect_eq(i->metric, UINT32_MAX);
  cr_expect_eq(i->mac[5], 1);
  cr_expect_eq(i->netconf.mode, NETCONF_STATIC);
  cr_expect_eq(net_addr_to_v4(&i->netconf.fixed.addr), 0x0a000002u);
  cr_expect_eq(i->netconf.fixed.prefix_len, 24);
  cr_expect_eq(net_addr_to_v4(&i->netconf.fixed.gateway), 0x0a000001u);
  cr_expect_str_eq(i->netconf.hostname, "box");
  cr_expect_eq(i->netconf.ip6, NETCONF_IP6_STATIC);
  cr_expect_eq(i->netconf.dhcp6, NETCONF_DHCP6_ALWAYS);
  cr_assert_eq(i->netconf.fixed6.n, 2u);
  cr_expect_eq(i->netconf.fixed6.list[1].addr.b[5], 1);
  cr_expect_eq(i->netconf.fixed6.list[1].prefix_len, 56);
  cr_expect_eq(i->netconf.fixed6.gateway.b[0], 0xfe);
  cr_expect(i->hostname_set);
  cr_expect_eq(i->netconf.resolver.n_servers, 4u);
  i = &c->interfaces[1];
  cr_expect_eq(i->device, CONFIG_SLIRP);
  cr_expect(i->host_loopback);
  cr_expect_eq(i->n_forwards, 2u);
  cr_expect_eq(i->forwards[1].host_port, 8081);
  cr_expect_eq(i->netconf.mode, NETCONF_DHCP, "the default");
  cr_expect_eq(i->netconf.ip6, NETCONF_IP6_AUTO, "the default");
  cr_expect_eq(i->netconf.dhcp6, NETCONF_DHCP6_AUTO, "the default");
  cr_expect_not(i->hostname_set);
  cr_assert_eq(c->resolver.n_servers, 4u);
  cr_expect_eq(c->resolver.servers[0].addr.port, 53);
  cr_expect_eq(c->resolver.servers[1].addr.port, 5353);
  cr_expect_eq(c->resolver.servers[2].addr.port, 53);
  cr_expect_eq(c->resolver.servers[3].addr.port, 54);
  cr_expect_str_eq(c->resolver.servers[0].origin, "static");
  cr_assert_eq(c->resolver.n_search, 2u);
  cr_expect_str_eq(c->resolver.search[0].name, "example.com");
  cr_expect_eq(c->uid_limits[LIMIT_SOCKETS], 77u);
  cr_expect_eq(c->uid_limits[LIMIT_BYTES], 2u << 20);
  cr_expect_eq(c->uid_limits[LIMIT_CALLS], AUTH_LIMIT_INHERIT);
  config_free(c);
}

Test(config_daemon, an_empty_file_has_defaults_and_an_empty_search_list_is_told_from_none) {
  struct config *c = parse("");
  cr_assert_not_null(c);
  cr_expect_eq(c->n_interfaces, 0u);
  cr_expect_eq(c->log_level, LOG_LVL_NOTICE);
  cr_expect_not(c->resolver.search_present);
  config_free(c);
  c = parse("[resolver]\nsearch =\n[interface n0]\nhostname =\n");
  cr_assert_not_null(c);
  cr_expect(c->resolver.search_present);
  cr_expect_eq(c->resolver.n_search, 0u);
  cr_expect(c->interfaces[0].hostname_set);
  cr_expect_str_eq(c->interfaces[0].netconf.hostname, "");
  cr_expect_str_eq(c->interfaces[0].ifname, "n0", "a tap is called as its interface");
  config_free(c);
}

Test(config_daemon, each_bad_value_is_named_with_line_and_key) {
  static const struct {
    const char *section, *key, *value;
  } rows[] = {
      {"daemon", "runtime-dir", "run/x"},        {"daemon", "runtime-dir", ""},
      {"daemon", "state-dir", "x"},              {"daemon", "user", "a b"},
      {"daemon", "user", ""},                    {"daemon", "log-level", "loud"},
      {"daemon", "colour", "red"},               {"interface n", "device", "memory"},
      {"interface n", "ifname", "sixteen-letters0"}, {"interface n", "ifname", "a/b"},
      {"interface n", "fd", ""},                 {"interface n", "mtu", "575"},
      {"interface n", "metric", "4294967296"},   {"interface n", "metric", "-1"},
      {"interface n", "metric", "01"},           {"interface n", "metric", ""},
      {"interface n", "mtu", "65521"},            {"interface n", "mtu", "1e3"},
      {"interface n", "mac", "02:00:00:00:00"},  {"interface n", "mac", "01:00:00:00:00:01"},
      {"interface n", "mac", "00:00:00:00:00:00"}, {"interface n", "mode", "auto"},
      {"interface n", "address", "10.0.0.2"},    {"interface n", "address", "10.0.0.2/0"},
      {"interface n", "address", "10.0.0.2/33"}, {"interface n", "address", "10.0.0.0/24"},
      {"interface n", "address", "10.0.0.255/24"}, {"interface n", "address", "127.0.0.1/8"},
      {"interface n", "address", "2001:db8::1/64"}, {"interface n", "gateway", "::1"},
      {"interface n", "gateway", "10.0.0.256"},  {"interface n", "hostname", "two words"},
      {"interface n", "ipv6", "yes"},            {"interface n", "dhcp6", "on"},
      {"interface n", "ipv6-address", "10.0.0.1/24"}, {"interface n", "ipv6-address", "2001:db8::1"},
      {"interface n", "ipv6-address", "2001:db8::1/0"}, {"interface n", "ipv6-address", "2001:db8::1/129"},
      {"interface n", "ipv6-address", "ff02::1/64"}, {"interface n", "ipv6-address", "::1/128"},
      {"interface n", "ipv6-address", "::ffff:10.0.0.1/96"}, {"interface n", "ipv6-gateway", "10.0.0.1"},
      {"interface n", "ipv6-gateway", "ff02::2"},
      {"interface n", "hostname", "a..b"},       {"interface n", "host-loopback", "true"},
      {"interface n", "forward", "tcp:8080-80"}, {"interface n", "speed", "1"},
      {"resolver", "servers", ""},               {"resolver", "servers", "dns.example"},
      {"resolver", "servers", "10.0.0.1:0"},     {"resolver", "servers", "0.0.0.0"},
      {"resolver", "servers", "224.0.0.1"},      {"resolver", "search", "*"},
      {"resolver", "search", "a..b"},            {"resolver", "domain", "a"},
      {"limits", "uid.sockets", "many"},         {"limits", "uid.sockets", "65536"},
      {"limits", "uid.ping.count", "1"},         {"limits", "sockets", "1"},
      {"limits", "uid.", "1"},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    char text[256], want[64];
    (void)snprintf(text, sizeof(text), "# one\n[%s]\n%s = %s\n", rows[i].section, rows[i].key, rows[i].value);
    cr_expect_null(parse(text), "%s", text);
    (void)snprintf(want, sizeof(want), "3 %s: ", rows[i].key);
    cr_expect(reported(&seen, want), "%s → %s", text, seen.text[0]);
    cr_expect_str_eq(seen.file[0], "x.conf");
  }
}

Test(config_daemon, numbers_at_n_and_n_plus_1) {
  struct config *c = parse("[interface a]\nmtu = 576\n[interface b]\nmtu = 65520\n[interface fifteen-letters]\n"
                           "[interface d]\n");
  cr_expect_not_null(c, "%s", seen.text[0]);
  config_free(c);
  cr_expect_null(parse("[interface a]\n[interface b]\n[interface c]\n[interface d]\n[interface e]\n"));
  cr_expect(reported(&seen, "5 interface e: more than 4 interfaces"));
  cr_expect_null(parse("[interface sixteen-letters0]\n"));
  char text[2048] = "[resolver]\n";
  for (int i = 0; i < NAMES_SERVERS_MAX; i++)
    strcat(text, "servers = 10.0.0.1\n");
  c = parse(text);
  cr_expect_not_null(c);
  config_free(c);
  strcat(text, "servers = 10.0.0.1\n");
  cr_expect_null(parse(text));
  cr_expect(reported(&seen, "10 servers: more than 8 servers"));
  strcpy(text, "[interface a]\n");
  for (int i = 0; i < NETCONF_FIXED6_MAX; i++)
    (void)snprintf(text + strlen(text), 64, "ipv6-address = 2001:db8::%d/64\n", i + 1);
  c = parse(text);
  cr_expect_not_null(c);
  config_free(c);
  strcat(text, "ipv6-address = 2001:db8::99/64\n");
  cr_expect_null(parse(text));
  cr_expect(reported(&seen, "6 ipv6-address: more than 4 addresses"));
  cr_expect_null(parse("[interface a]\nipv6-address = 2001:db8::1/64\nipv6-address = 2001:DB8::1/56\n"));
  cr_expect(reported(&seen, "3 ipv6-address: 2001:DB8::1/56 stands twice"));
  strcpy(text, "[interface a]\ndevice = slirp\n");
  for (int i = 0; i < CONFIG_FORWARDS_MAX; i++)
    strcat(text, "forward = tcp:127.0.0.1:8080-80\n");
  c = parse(text);
  cr_expect_not_null(c);
  config_free(c);
  strcat(text, "forward = tcp:127.0.0.1:8080-80\n");
  cr_expect_null(parse(text));
}

/* The section comes first, then the script; an address that the script gives says so. */
Test(config_daemon, a_fixture_and_its_script) {
  static const char script[] = "address 10.0.0.2/24 gateway 10.0.0.1\nmachine mac 02:00:00:00:00:09\nmachine hostname box\n";
  static const char conf[] = "[interface a]\ndevice = fixture\nscript = net.sim\n"
                             "[interface b]\ndevice = fixture\nscript = net.sim\nmode = dhcp\nmac = 02:00:00:00:00:01\n";
  static const char bad[] = "\nhost\n";
  char dir[] = "/tmp/capnet-config-XXXXXX", path[64];
  cr_assert_not_null(mkdtemp(dir));
  (void)snprintf(path, sizeof(path), "%s/x.conf", dir);
  write_file(dir, "net.sim", script, sizeof(script) - 1, 0600);
  write_file(dir, "x.conf", conf, sizeof(conf) - 1, 0600);
  struct config *c = NULL;
  memset(&seen, 0, sizeof(seen));
  cr_assert_eq(config_load(path, &c, collect, &seen), 0, "%s", seen.text[0]);
  const struct config_interface *a = &c->interfaces[0], *b = &c->interfaces[1];
  cr_expect_eq(a->device, CONFIG_FIXTURE);
  cr_expect_not_null(a->fixture);
  cr_expect_eq(a->netconf.mode, NETCONF_STATIC);
  cr_expect_str_eq(a->netconf.fixed_origin, "fixture");
  cr_expect_eq(net_addr_to_v4(&a->netconf.fixed.addr), 0x0a000002u);
  cr_expect_eq(a->mac[5], 9);
  cr_expect_str_eq(a->netconf.hostname, "box");
  cr_expect_eq(b->netconf.mode, NETCONF_DHCP);
  cr_expect_null(b->netconf.fixed_origin);
  cr_expect_eq(b->mac[5], 1);
  config_free(c);
  write_file(dir, "net.sim", bad, sizeof(bad) - 1, 0600);
  memset(&seen, 0, sizeof(seen));
  cr_expect_eq(config_load(path, &c, collect, &seen), -EINVAL);
  cr_expect_not_null(strstr(seen.text[0], "host: an address is missing"), "%s", seen.text[0]);
  cr_expect_not_null(strstr(seen.file[0], "net.sim"));
  remove_tree(dir);
}

Test(config_daemon, what_only_the_whole_section_tells) {
  static const struct {
    const char *text, *want;
  } rows[] = {
      {"mode = static\n", "2 address: mode = static needs"},
      {"address = 10.0.0.2/24\n", "2 address: an address needs"},
      {"gateway = 10.0.0.1\n", "2 gateway: a gateway needs"},
      {"mode = static\naddress = 10.0.0.2/24\ngateway = 10.0.1.1\n", "2 gateway: the gateway is not"},
      {"mode = static\naddress = 10.0.0.2/24\ngateway = 10.0.0.2\n", "2 gateway: the gateway is not"},
      {"mode = static\naddress = 10.0.0.2/24\ngateway = 10.0.0.255\n", "2 gateway: the gateway is not"},
      {"ipv6 = static\n", "2 ipv6-address: ipv6 = static needs"},
      {"ipv6 = off\nipv6-address = 2001:db8::2/64\n", "2 ipv6: with ipv6 = off"},
      {"ipv6-gateway = fe80::1\n", "2 ipv6-gateway: a gateway needs"},
      {"ipv6-address = 2001:db8::2/64\nipv6-gateway = 2001:db8::2\n", "2 ipv6-gateway: the gateway is another"},
      {"host-loopback = yes\n", "2 host-loopback: only device"},
      {"forward = tcp:127.0.0.1:8080-80\n", "2 forward: only device"},
      {"device = slirp\nifname = x\n", "2 ifname: only device"},
      {"device = slirp\nfd = x\n", "2 fd: only device"},
      {"fd = x\nifname = y\n", "2 fd: either"},
      {"script = x\n", "2 script: only device"},
      {"device = fixture\n", "2 script: device = fixture needs"},
      {"device = fixture\nscript = x\nmtu = 1501\n", "2 mtu: device = fixture has"},
      {"device = fixture\nscript = x\nforward = tcp:127.0.0.1:8080-80\n", "2 forward: only device"},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    char text[256];
    (void)snprintf(text, sizeof(text), "# one\n[interface n]\n%s", rows[i].text);
    cr_expect_null(parse(text));
    cr_expect(reported(&seen, rows[i].want), "%s → %s", rows[i].text, seen.text[0]);
  }
}

Test(config_daemon, sections_and_keys_that_stand_twice_or_nowhere) {
  cr_expect_null(parse("[daemon]\nuser = a\nuser = b\n[daemon]\nuser = c\n[interface a]\n[interface a]\n"));
  cr_expect(reported(&seen, "3 user: the key stands twice"));
  cr_expect(reported(&seen, "4 daemon: the section stands twice"));
  cr_expect(reported(&seen, "7 interface a: the interface stands twice"));
  cr_expect_eq(seen.n, 3u, "keys of a refused section are not judged");
  cr_expect_null(parse("user = a\n[demon]\nuser = b\n[limits]\nuid.calls = 1\nuid.calls = 1\n"));
  cr_expect(reported(&seen, "1 user: the key stands before"));
  cr_expect(reported(&seen, "2 demon: unknown section"));
  cr_expect(reported(&seen, "6 uid.calls: the key stands twice"));
  cr_expect_null(parse("[interface]\n"));
  cr_expect_null(parse("[interface ]\n"));
  cr_expect_null(parse("[]\n"));
  cr_expect_null(parse("[daemon\n"));
  cr_expect_null(parse("[daemon] user = x\n"));
}

Test(config_daemon, lines) {
  struct config *c = parse("[daemon]\r\nuser = a\r\n   \r\nlog-level = info");
  cr_assert_not_null(c, "CRLF, and no newline at the end: %s", seen.text[0]);
  cr_expect_str_eq(c->user, "a");
  cr_expect_eq(c->log_level, LOG_LVL_INFO);
  config_free(c);
  cr_expect_null(parse("[daemon]\nuser = a\n  b\n"));
  cr_expect(reported(&seen, "3 -: the line begins with white space"));
  cr_expect_null(parse("[daemon]\nuser\n"));
  cr_expect(reported(&seen, "2 -: not KEY = VALUE"));
  cr_expect_null(parse("[daemon]\nuser: a\n"));
  cr_expect_null(parse("[daemon]\n= a\n"));
  cr_expect_null(parse("[daemon]\nUser = a\n"));
  cr_expect_null(parse("[daemon]\nuser = a\x1b[2J\n"));
  cr_expect(reported(&seen, "2 -: the line has a control byte"));
  cr_expect_null(parse_n("[daemon]\nuser = a\0b\n", 21));
  cr_expect(reported(&seen, "2 -: the line has a NUL byte"));
  cr_expect_null(parse_n("\0\0\0\0", 4));
}

Test(config_daemon, long_lines_at_n_and_n_plus_1) {
  char text[512];
  (void)snprintf(text, sizeof(text), "#%0*d\n[daemon]\nuser = %0*d\n", CONFIG_LINE_MAX - 1, 0, 33, 1);
  cr_expect_null(parse(text));
  cr_expect_eq(seen.n, 1u, "the comment is not too long: %s", seen.text[0]);
  cr_expect(reported(&seen, "3 user"));
  (void)snprintf(text, sizeof(text), "#%0*d\n[daemon]\nuser = %0*d\n", CONFIG_LINE_MAX, 0, 32, 1);
  cr_expect_null(parse(text));
  cr_expect_eq(seen.n, 1u);
  cr_expect(reported(&seen, "1 -: the line has more than 190 bytes"));
  (void)snprintf(text, sizeof(text), "[daemon]\nruntime-dir = /%0*d\nuser = x\n", CONFIG_PATH_MAX - 2, 0);
  struct config *c = parse(text);
  cr_expect_not_null(c);
  config_free(c);
  (void)snprintf(text, sizeof(text), "[daemon]\nruntime-dir = /%0*d\nuser = x\n", CONFIG_PATH_MAX - 1, 0);
  cr_expect_null(parse(text));
  cr_expect(reported(&seen, "2 runtime-dir: the value has more than 107 bytes"));
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static char dir[64];
static void setup(void) {
  strcpy(dir, "/tmp/capnet-config.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
}
static void teardown(void) { remove_tree(dir); }
TestSuite(config_files, .init = setup, .fini = teardown);

static int load(const char *name) {
  char path[256];
  struct config *c = NULL;
  (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
  memset(&seen, 0, sizeof(seen));
  int r = config_load(path, &c, collect, &seen);
  cr_expect_eq(r == 0, seen.n == 0);
  if (r < 0)
    cr_expect(strstr(seen.file[0], dir) == seen.file[0], "%s", seen.file[0]);
  config_free(c);
  return r;
}

Test(config_files, what_is_read_and_what_is_not) {
  static const char text[] = "[daemon]\nuser = x\n";
  write_file(dir, "good", text, strlen(text), 0644);
  cr_expect_eq(load("good"), 0);
  write_file(dir, "group", text, strlen(text), 0664);
  cr_expect_eq(load("group"), -EPERM);
  cr_expect(reported(&seen, "writable by its group or by others"));
  write_file(dir, "other", text, strlen(text), 0646);
  cr_expect_eq(load("other"), -EPERM);
  cr_expect_eq(load("missing"), -ENOENT);
  char path[128];
  (void)snprintf(path, sizeof(path), "%s/fifo", dir);
  cr_assert_eq(mkfifo(path, 0600), 0);
  cr_expect_eq(load("fifo"), -EINVAL, "and it does not hang");
  cr_expect(reported(&seen, "not a regular file"));
  cr_expect_eq(load("."), -EINVAL);
  cr_assert_eq(chmod(dir, 0770), 0);
  cr_expect_eq(load("good"), -EPERM);
  cr_expect(reported(&seen, "the directory is writable"));
  cr_assert_eq(chmod(dir, 0700), 0);
  cr_expect_eq(load("good"), 0);
}

Test(config_files, owners) {
  if (geteuid() != 0)
    cr_skip_test("needs root");
  write_file(dir, "theirs", "", 0, 0644);
  char path[128];
  (void)snprintf(path, sizeof(path), "%s/theirs", dir);
  cr_expect_eq(load("theirs"), 0);
  cr_assert_eq(chown(path, 12345, 0), 0);
  cr_expect_eq(load("theirs"), -EPERM);
  cr_expect(reported(&seen, "belongs neither to root"));
  cr_assert_eq(chmod(dir, 0755), 0);
  cr_assert_eq(seteuid(12345), 0);
  int mine = load("theirs");
  cr_assert_eq(seteuid(0), 0);
  cr_expect_eq(mine, 0, "the daemon's own uid is trusted");
  cr_assert_eq(chown(dir, 12345, 0), 0);
  cr_assert_eq(chown(path, 0, 0), 0);
  cr_expect_eq(load("theirs"), -EPERM, "the directory is another's");
}

Test(config_files, size_at_n_and_n_plus_1) {
  char *big = malloc(CONFIG_FILE_MAX + 1);
  cr_assert_not_null(big);
  memset(big, '\n', CONFIG_FILE_MAX + 1);
  write_file(dir, "n", big, CONFIG_FILE_MAX, 0600);
  write_file(dir, "n1", big, CONFIG_FILE_MAX + 1, 0600);
  cr_expect_eq(load("n"), 0);
  cr_expect_eq(load("n1"), -EFBIG);
  free(big);
}

Test(config_files, the_shipped_file_parses) {
  const char *top = getenv("top_srcdir");
  char command[512];
  if (!top)
    cr_skip_test("top_srcdir is not set");
  (void)snprintf(command, sizeof(command), "cp '%s/systemd/capnetd.conf' '%s/c' && chmod 644 '%s/c'", top, dir, dir);
  cr_assert_eq(system(command), 0);
  cr_expect_eq(load("c"), 0, "%s", seen.text[0]);
}
