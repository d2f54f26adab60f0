/* SPDX-License-Identifier: BSD-3-Clause
 * Capabilities over IPv6: rights over prefixes, connections, listeners of either family, echo, all as frames.
 */
#include "cap_client.h"
#include "stack_util6.h"

TestSuite(cap_v6, .timeout = 60);

static const struct item_spec items[] = {
    {"connect", AUTH_TCP_CONNECT, {"[2001:db8::2]:80", "[2001:db8:5::/48]:443", "[fe80::/10]:22", "10.0.0.2:80"}, {{0}}, 0},
    {"all", AUTH_TCP_CONNECT, {"*:*"}, {{0}}, 0},
    {"ping", AUTH_PING, {"2001:db8::2", "2001:db8::/64"}, {{0}}, 0},
    {"iface", AUTH_TCP_LISTEN, {"interface-address:8080-8090"}, {{0}}, 0},
    {"any", AUTH_TCP_LISTEN, {"*:9000-9010"}, {{0}}, 0},
    {"exact", AUTH_TCP_LISTEN, {"[2001:db8::2]:7000", "10.0.0.2:7001"}, {{0}}, 0},
};
#define N_ITEMS ARRAY_SIZE(items)

static void open_v6(struct world *w) {
  world_open(w, items, N_ITEMS);
  net_add_v6(&w->n);
}

/* --- rights and connections ------------------------------------------------------------------------------------------ */

/* From the near host: both are one stack, which would not leave for an address of its own. */
static struct answer connects(struct world *w, int fd, const char *to, uint32_t port) {
  struct connect_request c;
  Capnet__TcpEndpoint local = CAPNET__TCP_ENDPOINT__INIT;
  connect_request(&c, to, port);
  local.address = (char *)(strchr(to, '.') ? "10.0.0.1" : "2001:db8::1");
  c.rq.local = &local;
  return connect_answer(w, fd, &c.rq);
}

Test(cap_v6, rights_over_prefixes) {
  struct world w;
  open_v6(&w);
  const struct {
    const char *item, *to;
    uint32_t port;
    int code;
  } all[] = {{"connect", "2001:db8::2", 80, ERR(REFUSED)}, /* nobody listens: it was allowed */
             {"connect", "2001:0db8:0:0::0002", 80, ERR(REFUSED)},
             {"connect", "2001:db8::2", 81, ERR(DENIED)},
             {"connect", "2001:db8::1", 80, ERR(DENIED)},
             {"connect", "2001:db8:5::1", 443, ERR(UNREACHABLE)}, /* no route, and allowed */
             {"connect", "2001:db8:5:ffff::1", 443, ERR(UNREACHABLE)},
             {"connect", "2001:db8:6::1", 443, ERR(DENIED)},
             {"connect", "fe80::9", 23, ERR(DENIED)},
             {"connect", "fe80::2", 22, ERR(DENIED)}, /* an own address is to be named alone */
             {"connect", "::ffff:10.0.0.2", 80, ERR(REFUSED)},
             {"connect", "::ffff:10.0.0.3", 80, ERR(DENIED)},
             {"all", "2001:db8:5::1", 443, ERR(UNREACHABLE)},
             {"all", "2001:db8::2", 443, ERR(DENIED)},
             {"all", "fe80::9", 443, ERR(DENIED)},
             {"all", "ff02::1", 443, ERR(DENIED)},
             {"all", "::1", 443, ERR(DENIED)},
             {"all", "::", 443, ERR(DENIED)},
             {"all", "::ffff:127.0.0.1", 443, ERR(DENIED)}};
  int fds[] = {take_one(&w, "connect"), take_one(&w, "all")};
  for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
    _answer_ struct answer a = connects(&w, fds[all[i].item[0] == 'a'], all[i].to, all[i].port);
    cr_expect_eq(a.code, all[i].code, "%s:%u %s", all[i].to, all[i].port, error_code_name((Capnet__ErrorCode)a.code));
  }
  world_close(&w);
}

Test(cap_v6, a_connection_carries_bytes_and_addresses) {
  struct world w;
  open_v6(&w);
  w.n.addr_b = addr_of("2001:db8::2");
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  _answer_ struct answer a = connects(&w, fd, "2001:db8::2", 80);
  cr_assert_eq(a.code, 0);
  const Capnet__TcpConnection *c = (const Capnet__TcpConnection *)a.body;
  cr_expect_str_eq(c->remote->address, "2001:db8::2");
  cr_expect_str_eq(c->local->address, "2001:db8::1");
  struct conn conn = conn_of(&a);
  cr_assert_eq(send(conn.data, "question", 8, 0), 8);
  world_run(&w, 1000);
  cr_assert_eq(w.n_peers, 1);
  cr_expect_eq(w.peers[0].got, 8);
  world_close(&w);
}

/* --- listeners -------------------------------------------------------------------------------------------------------- */

static struct answer listens(struct world *w, int fd, const char *addr, uint32_t port, int family) {
  Capnet__TcpListenRequest rq = CAPNET__TCP_LISTEN_REQUEST__INIT;
  rq.address = (char *)addr;
  rq.has_port = 1;
  rq.port = port;
  rq.has_family = family >= 0;
  rq.family = (Capnet__TcpFamily)family;
  return call(w, fd, LISTEN, &rq.base, &capnet__tcp_listen_reply__descriptor);
}

Test(cap_v6, listeners_by_family) {
  enum { BOTH, V4, V6 };
  struct world w;
  open_v6(&w);
  const struct {
    const char *item, *at;
    uint32_t port;
    int family, code;
    const char *local;
  } all[] = {{"any", "*", 9000, -1, 0, ""},
             {"any", "*", 9000, V4, ERR(ADDRESS_IN_USE), NULL},
             {"any", "*", 9001, V4, 0, "0.0.0.0"},
             {"any", "*", 9001, V6, 0, "::"},
             {"any", "0.0.0.0", 9002, -1, 0, "0.0.0.0"},
             {"any", "::", 9002, -1, 0, "::"},
             {"any", "::", 9003, BOTH, 0, "::"},
             {"any", "::", 9004, V4, ERR(MALFORMED), NULL},
             {"any", "2001:db8::2", 9004, V4, ERR(MALFORMED), NULL},
             {"any", "2001:db8::2", 9004, V6, 0, "2001:db8::2"},
             {"any", "*", 9005, 3, ERR(MALFORMED), NULL},
             {"any", "2001:db8::77", 9005, -1, ERR(ADDRESS_NOT_AVAILABLE), NULL},
             {"any", "ff02::1", 9005, -1, ERR(DENIED), NULL},
             {"iface", "interface-address", 8080, -1, 0, "10.0.0.1"},
             {"iface", "interface-address", 8081, V6, 0, "fe80::1"},
             {"iface", "interface-address", 8081, V4, 0, "10.0.0.1"},
             {"iface", "2001:db8::2", 8082, -1, 0, "2001:db8::2"}, /* the same, by number */
             {"iface", "::", 8083, -1, ERR(DENIED), NULL},
             {"iface", NULL, 8084, V6, 0, "fe80::1"},
             {"exact", NULL, 7000, -1, 0, "2001:db8::2"},
             {"exact", NULL, 7001, V6, ERR(DENIED), NULL},
             {"exact", NULL, 7001, V4, 0, "10.0.0.2"}};
  int fds[] = {take_one(&w, "any"), take_one(&w, "iface"), take_one(&w, "exact")};
  for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
    int fd = fds[all[i].item[0] == 'i' ? 1 : all[i].item[0] == 'e' ? 2 : 0];
    _answer_ struct answer a = listens(&w, fd, all[i].at, all[i].port, all[i].family);
    cr_expect_eq(a.code, all[i].code, "%zu: %s", i, error_code_name((Capnet__ErrorCode)a.code));
    if (a.code == 0)
      cr_expect_str_eq(((Capnet__TcpListenReply *)a.body)->local->address, all[i].local, "%zu", i);
  }
  world_close(&w);
}

/* An interface that has IPv6 alone is one that has an address. */
Test(cap_v6, without_ipv4) {
  struct world w;
  open_v6(&w);
  stack_if_clear_ipv4(w.n.a);
  stack_if_clear_ipv4(w.n.b);
  int any = take_one(&w, "any"), iface = take_one(&w, "iface");
  _answer_ struct answer a = listens(&w, iface, "interface-address", 8080, -1);
  cr_assert_eq(a.code, 0);
  cr_expect_str_eq(((Capnet__TcpListenReply *)a.body)->local->address, "fe80::1");
  _answer_ struct answer b = listens(&w, iface, "interface-address", 8081, CAPNET__TCP_FAMILY__TCP_FAMILY_IPV4);
  expect_code(b.code, NO_CONFIGURATION);
  _answer_ struct answer c = listens(&w, any, "*", 9000, -1);
  cr_expect_eq(c.code, 0);
  world_close(&w);
}

/* --- echo --------------------------------------------------------------------------------------------------------------- */

static struct answer pings(struct world *w, int fd, const char *target, uint32_t payload) {
  Capnet__PingEchoRequest rq = CAPNET__PING_ECHO_REQUEST__INIT;
  rq.target = (char *)target;
  rq.has_payload = rq.has_timeout_ms = 1;
  rq.payload = payload;
  rq.timeout_ms = 10000;
  (void)ask(fd, ECHO, &rq.base);
  world_run(w, 6000);
  return hear(w, fd, &capnet__ping_echo_event__descriptor);
}

Test(cap_v6, echo_and_what_becomes_of_it) {
  struct world w;
  open_v6(&w);
  int fd = take_one(&w, "ping");
  _answer_ struct answer a = pings(&w, fd, "2001:db8::2", 1000);
  const Capnet__PingEchoEvent *ev = (const Capnet__PingEchoEvent *)a.body;
  cr_assert_eq(a.code, 0);
  cr_expect_eq(ev->kind, CAPNET__PING_ECHO_EVENT__KIND__REPLY);
  cr_expect_str_eq(ev->from, "2001:db8::2");
  cr_expect_eq(ev->bytes, 1008);
  cr_expect_eq(ev->ttl, 255);
  _answer_ struct answer b = pings(&w, fd, "2001:db8::77", 56);
  ev = (const Capnet__PingEchoEvent *)b.body;
  cr_expect_eq(ev->kind, CAPNET__PING_ECHO_EVENT__KIND__UNREACHABLE);
  cr_expect_eq(ev->code, 3);
  cr_expect_not(ev->has_mtu);
  _answer_ struct answer c = pings(&w, fd, "2001:db8:5::1", 56);
  expect_code(c.code, DENIED);
  world_close(&w);
}
