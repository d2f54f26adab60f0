/* SPDX-License-Identifier: BSD-3-Clause
 * The table of ways, of both families: what wins, what happens when a gateway does not answer, and which source goes with
 * a destination (RFC 6724).
 */
#include "stack_util.h"
#include "stack_wire_open.h"
#include "stack_wire6.h"

#include "stack/stack_if6.h"

#define NOBODY_V4 0x0a0000fdu

static struct net n;
static struct wire w;

static void two(void) { net_open(&n, NULL); }
static void two_done(void) {
  run(&n, 120 * SEC);
  cr_expect_eq(stats_of(&n).pbuf_bytes, 0);
  net_close(&n);
}
TestSuite(stack_route, .init = two, .fini = two_done, .timeout = 60);

static void one(void) { cr_assert_eq(wire_open(&w), 0); }
static void one_done(void) {
  struct stack_stats st;
  wire_run(&w, 120 * SEC);
  stack_get_stats(w.s, &st);
  cr_expect_eq(st.pbuf_bytes, 0);
  wire_close(&w);
}
TestSuite(stack_gateway, .init = one, .fini = one_done, .timeout = 60);

static struct net_prefix prefix(const char *text) {
  struct net_prefix p;
  cr_assert_eq(net_prefix_parse(text, &p), 0, "%s", text);
  return p;
}
static struct stack_route via(const char *dst, const char *gw) {
  struct stack_route r = {.dst = prefix(dst)};
  if (gw)
    r.gateway = addr_of(gw);
  return r;
}
static void have(struct stack_if *i, const char *a, uint8_t len) {
  struct net_addr addr = addr_of(a);
  cr_assert_eq(stack_if_set_ipv6(i, &addr, len, STACK_ADDR_PREFERRED), 0);
}

/* "a via GATEWAY from SOURCE" or the error. */
static const char *way(struct stack *s, const char *dst) {
  static char text[200];
  char gw[NET_ADDR_STRLEN], src[NET_ADDR_STRLEN];
  struct stack_route_info info;
  struct net_addr to = addr_of(dst);
  int r = stack_route_lookup(s, &to, &info);
  if (r < 0)
    return r == -ENONET ? "no address" : "unreachable";
  (void)snprintf(text, sizeof text, "%s via %s from %s", info.ifname, info.gateway.family ? net_addr_format(&info.gateway, gw) : "link",
                 net_addr_format(&info.source, src));
  return text;
}

/* --- what wins --------------------------------------------------------------------------------------------------- */

Test(stack_route, the_longest_prefix_then_the_metric_then_the_order) {
  struct stack_route a[] = {via("0.0.0.0/0", "10.0.0.254"), via("192.0.2.0/24", "10.0.0.253")};
  struct stack_route b[] = {via("0.0.0.0/0", "10.0.0.252"), via("192.0.2.128/25", "10.0.0.251")};
  cr_expect_str_eq(way(n.s, "192.0.2.1"), "unreachable");
  cr_assert_eq(stack_if_set_routes(n.a, AF_INET, a, 2), 0);
  cr_assert_eq(stack_if_set_routes(n.b, AF_INET, b, 2), 0);
  cr_expect_str_eq(way(n.s, "192.0.2.1"), "a via 10.0.0.253 from 10.0.0.1");
  cr_expect_str_eq(way(n.s, "192.0.2.200"), "b via 10.0.0.251 from 10.0.0.2");
  cr_expect_str_eq(way(n.s, "8.8.8.8"), "a via 10.0.0.254 from 10.0.0.1");
  cr_expect_str_eq(way(n.s, "10.0.0.9"), "a via link from 10.0.0.1");
  cr_expect_str_eq(way(n.s, "169.254.1.1"), "a via link from 10.0.0.1");
  stack_if_set_metric(n.a, 10);
  cr_expect_str_eq(way(n.s, "8.8.8.8"), "b via 10.0.0.252 from 10.0.0.2");
  cr_expect_str_eq(way(n.s, "10.0.0.9"), "b via link from 10.0.0.2");
  cr_expect_str_eq(way(n.s, "192.0.2.1"), "a via 10.0.0.253 from 10.0.0.1", "the metric is for equal prefixes");
  cr_expect_str_eq(way(n.s, "10.0.0.2"), "a via link from 10.0.0.1", "who does not own it");
  cr_assert_eq(stack_if_set_routes(n.b, AF_INET, NULL, 0), 0);
  cr_expect_str_eq(way(n.s, "8.8.8.8"), "a via 10.0.0.254 from 10.0.0.1");
  stack_if_clear_ipv4(n.a);
  cr_expect_str_eq(way(n.s, "8.8.8.8"), "unreachable", "without an address its routes are none");
  stack_if_clear_ipv4(n.b);
  cr_expect_str_eq(way(n.s, "8.8.8.8"), "no address");
}

Test(stack_route, ipv6_has_no_prefix_but_what_it_is_told) {
  cr_expect_str_eq(way(n.s, "2001:db8::9"), "unreachable", "IPv4 is there");
  have(n.a, "fe80::a", 64);
  have(n.a, "2001:db8::a", 64);
  cr_expect_str_eq(way(n.s, "2001:db8::9"), "unreachable", "RFC 5942");
  cr_expect_str_eq(way(n.s, "fe80::9"), "a via link from fe80::a");
  cr_expect_str_eq(way(n.s, "ff02::fb"), "a via link from fe80::a");
  struct stack_route l[] = {via("2001:db8::/64", NULL), via("::/0", "fe80::fe"), via("2001:db8:f::/48", "fe80::fd")};
  cr_assert_eq(stack_if_set_routes(n.a, AF_INET6, l, 3), 0);
  cr_expect_str_eq(way(n.s, "2001:db8::9"), "a via link from 2001:db8::a");
  cr_expect_str_eq(way(n.s, "2606:4700::1"), "a via fe80::fe from 2001:db8::a");
  cr_expect_str_eq(way(n.s, "2001:db8:f:1::1"), "a via fe80::fd from 2001:db8::a");
  have(n.b, "fe80::b", 64);
  cr_expect_str_eq(way(n.s, "fe80::9"), "a via link from fe80::a");
  stack_if_set_metric(n.a, 5);
  cr_expect_str_eq(way(n.s, "fe80::9"), "b via link from fe80::b");
}

static struct {
  unsigned n, errors;
  int error;
  char from[NET_ADDR_STRLEN];
} heard;
static void on_heard(void *arg _unused_, const struct net_endpoint *from, const struct net_endpoint *to _unused_,
                     const uint8_t *data _unused_, size_t len _unused_) {
  heard.n++;
  net_addr_format(&from->addr, heard.from);
}
static void on_lost(void *arg _unused_, const struct net_endpoint *peer _unused_, int error) {
  heard.errors++;
  heard.error = error;
}
/* From local (NULL: whatever the stack takes) to port 9 of an own address; the frames that it took. */
static uint64_t to_own(const char *local, const char *dst) {
  static const struct stack_udp_ops ops = {.received = on_heard, .error = on_lost};
  struct net_endpoint at = {.addr = {.family = AF_INET6}}, to = ep(addr_of(dst), 9);
  struct stack_udp *listener, *u;
  uint64_t before = n.nic_a->counters.tx_frames;
  memset(&heard, 0, sizeof heard);
  if (local)
    at.addr = addr_of(local);
  cr_assert_eq(stack_udp_open(n.s, &to, &ops, NULL, &listener), 0);
  cr_assert_eq(stack_udp_open(n.s, &at, &ops, NULL, &u), 0);
  cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
  run(&n, 10 * SEC);
  stack_udp_close(u);
  stack_udp_close(listener);
  return n.nic_a->counters.tx_frames - before;
}

/* Two interfaces on one link: without a source the owner of an address speaks to itself, as on any host (RFC 6724 5 rule 1),
 * and from an address of the other one it is reached as a neighbour. */
Test(stack_route, an_own_address_of_the_other_interface) {
  struct stack_route on_link = via("2001:db8::/64", NULL);
  have(n.a, "fe80::a", 64);
  have(n.b, "fe80::b", 64);
  have(n.a, "2001:db8::a", 64);
  have(n.b, "2001:db8::b", 64);
  cr_assert_eq(stack_if_set_routes(n.a, AF_INET6, &on_link, 1), 0);
  cr_assert_eq(stack_if_set_routes(n.b, AF_INET6, &on_link, 1), 0);
  run(&n, 3 * SEC);
  cr_expect_str_eq(way(n.s, "2001:db8::b"), "b via link from 2001:db8::b");
  cr_expect_str_eq(way(n.s, "2001:db8::a"), "a via link from 2001:db8::a");
  cr_expect_eq(to_own(NULL, "2001:db8::b"), 0, "nothing on the wire");
  cr_expect_eq(heard.n, 1);
  cr_expect_str_eq(heard.from, "2001:db8::b");
  cr_expect_gt(to_own("2001:db8::a", "2001:db8::b"), 0);
  cr_expect_eq(heard.n, 1);
  cr_expect_str_eq(heard.from, "2001:db8::a");
  cr_expect_gt(to_own(NULL, "fe80::b"), 0, "a link-local address is asked for on the first link");
  cr_expect_eq(heard.n, 1);
  cr_expect_str_eq(heard.from, "fe80::a");
  struct net_addr b = addr_of("2001:db8::b");
  cr_assert_eq(stack_if_set_ipv6(n.b, &b, 64, STACK_ADDR_TENTATIVE), 0);
  cr_expect_str_eq(way(n.s, "2001:db8::b"), "a via link from 2001:db8::a", "whose that is is not known yet");
}

/* Without a way between the two the sender is told. */
Test(stack_route, an_own_address_on_another_link) {
  struct stack_route on_link = via("2001:db8::/64", NULL);
  have(n.a, "2001:db8::a", 64);
  have(n.b, "2001:db8:1::b", 64);
  cr_assert_eq(stack_if_set_routes(n.a, AF_INET6, &on_link, 1), 0);
  (void)to_own(NULL, "2001:db8:1::b");
  cr_expect_eq(heard.n, 1);
  struct net_endpoint at = ep(addr_of("2001:db8::a"), 0), to = ep(addr_of("2001:db8:1::b"), 9);
  struct stack_udp *u;
  cr_assert_eq(stack_udp_open(n.s, &at, &(const struct stack_udp_ops){.received = on_heard}, NULL, &u), 0);
  cr_expect_eq(stack_udp_send(u, &to, "x", 1), -ENETUNREACH);
  stack_udp_close(u);
}

Test(stack_route, bad_routes_are_refused) {
  struct stack_route r = via("192.0.2.0/24", "10.0.0.254"), many[STACK_ROUTES_MAX + 1];
  cr_expect_eq(stack_if_set_routes(n.a, AF_INET6, &r, 1), -EINVAL);
  cr_expect_eq(stack_if_set_routes(n.a, AF_UNIX, &r, 1), -EINVAL);
  r.gateway = addr_of("fe80::1");
  cr_expect_eq(stack_if_set_routes(n.a, AF_INET, &r, 1), -EINVAL);
  r.gateway = addr_of("224.0.0.1");
  cr_expect_eq(stack_if_set_routes(n.a, AF_INET, &r, 1), -EINVAL);
  r = via("192.0.2.0/24", "10.0.0.254");
  r.dst.len = 8;
  cr_expect_eq(stack_if_set_routes(n.a, AF_INET, &r, 1), -EINVAL, "host bits");
  r.dst.len = 33;
  cr_expect_eq(stack_if_set_routes(n.a, AF_INET, &r, 1), -EINVAL);
  for (size_t k = 0; k < ARRAY_SIZE(many); k++)
    many[k] = via("192.0.2.0/24", "10.0.0.254");
  cr_expect_eq(stack_if_set_routes(n.a, AF_INET, many, STACK_ROUTES_MAX), 0);
  cr_expect_eq(stack_if_set_routes(n.a, AF_INET, many, STACK_ROUTES_MAX + 1), -ENOBUFS);
}

struct table {
  unsigned n;
  char text[12][100];
};
static void note(void *arg, const struct stack_route_info *i) {
  struct table *t = arg;
  char dst[NET_PREFIX_STRLEN], gw[NET_ADDR_STRLEN], src[NET_ADDR_STRLEN];
  (void)snprintf(t->text[t->n++], 100, "%s %s %s %s", i->ifname, net_prefix_format(&i->dst, dst),
                 i->gateway.family ? net_addr_format(&i->gateway, gw) : "link", net_addr_format(&i->source, src));
}

Test(stack_route, the_whole_table_is_shown) {
  struct table t = {0};
  struct net_addr gw = addr_of("10.0.0.254");
  struct stack_route v4 = via("192.0.2.0/24", "10.0.0.253"), v6[] = {via("2001:db8::/64", NULL), via("::/0", "fe80::fe")};
  cr_assert_eq(stack_if_set_ipv4(n.a, &n.addr_a, 24, &gw), 0);
  cr_assert_eq(stack_if_set_routes(n.a, AF_INET, &v4, 1), 0);
  cr_assert_eq(stack_if_set_routes(n.a, AF_INET6, v6, 2), 0);
  have(n.a, "fe80::a", 64);
  have(n.a, "2001:db8::a", 64);
  stack_route_each(n.s, note, &t);
  static const char *const want[] = {"a 10.0.0.0/24 link 10.0.0.1",     "a 192.0.2.0/24 10.0.0.253 10.0.0.1",
                                     "a 0.0.0.0/0 10.0.0.254 10.0.0.1", "a fe80::/10 link fe80::a",
                                     "a 2001:db8::/64 link 2001:db8::a", "a ::/0 fe80::fe fe80::a",
                                     "b 10.0.0.0/24 link 10.0.0.2"};
  cr_assert_eq(t.n, ARRAY_SIZE(want));
  for (size_t k = 0; k < ARRAY_SIZE(want); k++)
    cr_expect_str_eq(t.text[k], want[k]);
}

/* --- sources ------------------------------------------------------------------------------------------------------ */

static void from(const char *dst, const char *src) {
  struct stack_route_info info;
  struct net_addr to = addr_of(dst), want = addr_of(src);
  char got[NET_ADDR_STRLEN];
  cr_assert_eq(stack_route_lookup(n.s, &to, &info), 0, "%s", dst);
  cr_expect(net_addr_equal(&info.source, &want), "%s: %s instead of %s", dst, net_addr_format(&info.source, got), src);
}

/* RFC 6724 5, and its examples in 10.1 as far as one interface shows them. */
Test(stack_route, sources_follow_rfc_6724) {
  struct stack_route all = via("::/0", "fe80::fe");
  struct net_addr a;
  cr_assert_eq(stack_if_set_routes(n.a, AF_INET6, &all, 1), 0);
  have(n.a, "fe80::a", 64);
  from("2001:db8:1::1", "fe80::a"); /* there is no other */
  have(n.a, "2001:db8:3::1", 64);
  from("2001:db8:1::1", "2001:db8:3::1"); /* rule 2 */
  from("fe80::9", "fe80::a");
  from("ff02::1", "fe80::a");
  from("ff0e::1", "2001:db8:3::1");
  have(n.a, "2001:db8:1:1::1", 64);
  from("2001:db8:1:2::1", "2001:db8:1:1::1"); /* rule 8 */
  from("2001:db8:3::1", "2001:db8:3::1");     /* rule 1, itself */
  have(n.a, "fd00::1", 64);
  from("fd99::1", "fd00::1"); /* rule 6 */
  have(n.a, "2002:c633:6401::1", 64);
  from("2002:c000:201::1", "2002:c633:6401::1");
  from("2001:db8:1::1", "2001:db8:1:1::1");
  a = addr_of("2001:db8:1:1::1");
  cr_assert_eq(stack_if_set_ipv6(n.a, &a, 64, STACK_ADDR_DEPRECATED), 0);
  from("2001:db8:1:2::1", "2001:db8:3::1"); /* rule 3 */
  a = addr_of("2001:db8:3::1");
  cr_assert_eq(stack_if_set_ipv6(n.a, &a, 64, STACK_ADDR_TENTATIVE), 0);
  a = addr_of("2002:c633:6401::1");
  cr_assert_eq(stack_if_remove_ipv6(n.a, &a), 0);
  a = addr_of("fd00::1");
  cr_assert_eq(stack_if_remove_ipv6(n.a, &a), 0);
  from("2001:db8:1:2::1", "2001:db8:1:1::1"); /* a deprecated one before one of too small a scope */
}

/* The prefix of the source bounds the match (2.2): what is behind it is the host's own choice. */
Test(stack_route, a_match_ends_with_the_prefix) {
  struct stack_route all = via("::/0", "fe80::fe");
  cr_assert_eq(stack_if_set_routes(n.a, AF_INET6, &all, 1), 0);
  have(n.a, "2001:db8::1111:0:0:1", 64);
  have(n.a, "2001:db8::2222:0:0:1", 64);
  from("2001:db8::2222:0:0:9", "2001:db8::1111:0:0:1");
}

/* --- gateways that do not answer --------------------------------------------------------------------------------- */

static struct stack_udp *sender(void) {
  static const struct stack_udp_ops none = {0};
  struct stack_udp *u;
  cr_assert_eq(stack_udp_open(w.s, NULL, &none, NULL, &u), 0);
  return u;
}

static unsigned arps(unsigned since) {
  unsigned n = 0;
  for (unsigned k = 0; k + since < w.n; k++)
    n += wire_get(wire_last(&w, k) + 12, 2) == 0x0806;
  return n;
}

static bool udp_to(unsigned since, const uint8_t *mac) {
  for (unsigned k = 0; k + since < w.n; k++) {
    const uint8_t *f = wire_last(&w, k);
    unsigned proto = wire_get(f + 12, 2) == 0x86dd ? f[20] : wire_get(f + 12, 2) == 0x0800 ? f[23] : 0;
    if (proto == 17 && memcmp(f, mac, 6) == 0)
      return true;
  }
  return false;
}

Test(stack_gateway, a_silent_ipv4_gateway_yields_to_the_next) {
  struct stack_route l[] = {via("0.0.0.0/0", "10.0.0.253"), via("0.0.0.0/0", "10.0.0.2")};
  struct net_endpoint to = ep(addr_of("8.8.8.8"), 53);
  struct net_addr own = net_addr_v4(WIRE_OWN);
  struct stack_udp *u = sender();
  cr_assert_eq(stack_if_set_ipv4(w.i, &own, 24, NULL), 0);
  cr_assert_eq(stack_if_set_routes(w.i, AF_INET, l, 2), 0);
  wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
  unsigned before = w.n;
  cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
  wire_run(&w, 5 * SEC);
  cr_expect(!udp_to(before, wire_peer_mac), "it waited for the first, which is asked for");
  cr_expect_str_eq(way(w.s, "8.8.8.8"), "net0 via 10.0.0.2 from 10.0.0.1");
  before = w.n;
  cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
  wire_run(&w, 10 * MS);
  cr_expect(udp_to(before, wire_peer_mac));
  before = w.n;
  wire_run(&w, 61 * SEC);
  cr_expect_eq(w.n, before, "nobody asks without traffic");
  cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
  wire_run(&w, 10 * MS);
  cr_expect(udp_to(before, wire_peer_mac));
  cr_expect_eq(arps(before), 1, "the first is asked again, once");
  wire_arp(&w, 2, NOBODY_V4, WIRE_OWN);
  cr_expect_str_eq(way(w.s, "8.8.8.8"), "net0 via 10.0.0.253 from 10.0.0.1", "it is back");
  stack_udp_close(u);
}

static void routers(void) {
  struct stack_route l[] = {via("::/0", "fe80::fe"), via("::/0", WIRE6_PEER)};
  have(w.i, WIRE6_OWN, 64);
  have(w.i, "2001:db8::1", 64);
  cr_assert_eq(stack_if_set_routes(w.i, AF_INET6, l, 2), 0);
}

Test(stack_gateway, a_silent_router_yields_to_the_next) {
  struct net_endpoint to = ep(addr_of("2001:db8:9::9"), 53);
  struct stack_udp *u = sender();
  routers();
  wire6_nd(&w, WIRE6_PEER, "ff02::1:ff00:1", 135, 0, WIRE6_OWN, WIRE6_SLLA);
  cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
  wire_run(&w, 5 * SEC);
  cr_expect_str_eq(way(w.s, "2001:db8:9::9"), "net0 via fe80::9 from 2001:db8::1");
  unsigned before = w.n;
  cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
  wire_run(&w, 10 * MS);
  cr_expect(udp_to(before, wire_peer_mac));
  wire6_nd(&w, WIRE6_PEER, WIRE6_OWN, 136, WIRE6_NA_R | WIRE6_NA_S, WIRE6_PEER, WIRE6_TLLA);
  before = w.n;
  wire_run(&w, 61 * SEC);
  cr_expect_eq(w.n, before, "nobody asks without traffic");
  cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
  wire_run(&w, 10 * MS);
  cr_expect_eq(wire6_count(&w, before, 135), 1, "the first is asked again after a minute");
  cr_expect(udp_to(before, wire_peer_mac), "beside the traffic");
  wire6_nd(&w, "fe80::fe", WIRE6_OWN, 136, WIRE6_NA_R | WIRE6_NA_S, "fe80::fe", WIRE6_TLLA);
  cr_expect_str_eq(way(w.s, "2001:db8:9::9"), "net0 via fe80::fe from 2001:db8::1", "it is back");
  stack_udp_close(u);
}

static void first_unreachable(void *arg, const struct stack_route_info *i) {
  if (i->gateway.family == AF_INET6 && i->unreachable)
    ++*(unsigned *)arg;
}

/* All silent: the first is tried all the same, and who waits is told. */
Test(stack_gateway, when_no_router_answers) {
  struct net_endpoint to = ep(addr_of("2001:db8:9::9"), 53);
  struct stack_udp *u = sender();
  unsigned gone = 0;
  routers();
  for (int k = 0; k < 2; k++) {
    cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
    wire_run(&w, 5 * SEC);
  }
  stack_route_each(w.s, first_unreachable, &gone);
  cr_expect_eq(gone, 2);
  cr_expect_str_eq(way(w.s, "2001:db8:9::9"), "net0 via fe80::fe from 2001:db8::1");
  unsigned before = w.n;
  cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
  wire_run(&w, 5 * SEC);
  cr_expect_eq(wire6_count(&w, before, 135), 3);
  stack_udp_close(u);
}

/* --- the link ----------------------------------------------------------------------------------------------------- */

Test(stack_gateway, mtu_and_hop_limit_of_the_link) {
  struct stack_if_info info;
  struct stack_udp *u = sender();
  static uint8_t data[1400];
  struct net_endpoint to = ep(addr_of(WIRE6_PEER), 9);
  have(w.i, WIRE6_OWN, 64);
  cr_expect_eq(stack_if_limit_mtu(w.i, AF_INET6, 1279, "ra"), -EINVAL);
  cr_expect_eq(stack_if_limit_mtu(w.i, AF_INET, 67, "dhcp"), -EINVAL);
  cr_assert_eq(stack_if_limit_mtu(w.i, AF_INET6, 1280, "ra"), 0);
  cr_assert_eq(stack_if_limit_mtu(w.i, AF_INET, 9000, "dhcp"), 0);
  stack_if_info(w.i, &info);
  cr_expect_eq(info.mtu, 1500);
  cr_expect_eq(info.mtu6, 1280);
  cr_expect_str_eq(info.mtu6_origin, "ra");
  wire6_nd(&w, WIRE6_PEER, "ff02::1:ff00:1", 135, 0, WIRE6_OWN, WIRE6_SLLA);
  stack_if_set_nd(w.i, 33, 0, 0);
  cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
  wire_run(&w, 0);
  cr_expect_eq(wire_last(&w, 0)[21], 33);
  unsigned before = w.n;
  cr_assert_eq(stack_udp_send(u, &to, data, sizeof data), 0);
  wire_run(&w, 0);
  cr_assert_eq(w.n - before, 2, "two fragments");
  cr_expect_leq(wire_get(wire_last(&w, 1) + 18, 2) + 40, 1280);
  cr_expect_eq(wire_last(&w, 1)[21], 33);
  cr_assert_eq(stack_if_limit_mtu(w.i, AF_INET6, 0, NULL), 0);
  before = w.n;
  cr_assert_eq(stack_udp_send(u, &to, data, sizeof data), 0);
  wire_run(&w, 0);
  cr_expect_eq(w.n - before, 1);
  stack_udp_close(u);
}

/* Options 33 and 121 of DHCP, for a gateway that is not on the prefix of the address too. */
Test(stack_gateway, classless_routes_choose_the_next_hop) {
  struct net_addr own = net_addr_v4(WIRE_OWN);
  struct stack_route l[] = {via("203.0.113.9/32", NULL), via("0.0.0.0/0", "203.0.113.9"), via("10.0.0.128/25", "10.0.0.2")};
  struct stack_udp *u = sender();
  cr_assert_eq(stack_if_set_ipv4(w.i, &own, 24, NULL), 0);
  cr_assert_eq(stack_if_set_routes(w.i, AF_INET, l, 3), 0);
  wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
  unsigned before = w.n;
  cr_assert_eq(stack_udp_send(u, &(struct net_endpoint){.addr = addr_of("10.0.0.200"), .port = 9}, "x", 1), 0);
  wire_run(&w, 0);
  cr_expect(udp_to(before, wire_peer_mac), "more specific than on-link");
  before = w.n;
  cr_assert_eq(stack_udp_send(u, &(struct net_endpoint){.addr = addr_of("8.8.8.8"), .port = 9}, "x", 1), 0);
  wire_run(&w, 0);
  const uint8_t *f = wire_last(&w, 0);
  cr_expect_eq(wire_get(f + 12, 2), 0x0806);
  cr_expect_eq(wire_get(f + 38, 4), 0xcb007109u, "it asks for the gateway");
  stack_udp_close(u);
}
