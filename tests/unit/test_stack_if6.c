/* SPDX-License-Identifier: BSD-3-Clause
 * IPv6 addresses of an interface: what each state allows, the groups that follow, what is not for us, and that an idle
 * address costs nothing.
 */
#include "stack_seen.h"
#include "stack_wire_open.h"
#include "stack_wire6.h"

static struct wire w;
static struct net_addr own, peer;

static void setup(void) {
  cr_assert_eq(wire_open(&w), 0);
  own = wire6_addr(WIRE6_OWN);
  peer = wire6_addr(WIRE6_PEER);
}
static struct stack_stats stats(void) {
  struct stack_stats st;
  stack_get_stats(w.s, &st);
  return st;
}
static void teardown(void) {
  wire_run(&w, 120 * SEC);
  cr_expect_eq(stats().pbuf_bytes, 0);
  cr_expect_eq(stats().asserts, 0);
  wire_close(&w);
}
TestSuite(stack_if6, .init = setup, .fini = teardown, .timeout = 60);

static void prefer(const char *a, uint8_t len) {
  struct net_addr addr = wire6_addr(a);
  cr_assert_eq(stack_if_set_ipv6(w.i, &addr, len, STACK_ADDR_PREFERRED), 0);
}

struct list_of {
  unsigned n;
  struct stack_if_addr_info at[20];
};
static void note(void *arg, const struct stack_if_addr_info *info) {
  struct list_of *l = arg;
  l->at[l->n++] = *info;
}

/* --- states ----------------------------------------------------------------------------------------------------- */

Test(stack_if6, addresses_are_listed_with_their_states) {
  struct list_of l = {0};
  struct net_addr global = wire6_addr("2001:db8::5");
  cr_assert_eq(stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_TENTATIVE), 0);
  cr_assert_eq(stack_if_set_ipv6(w.i, &global, 56, STACK_ADDR_DEPRECATED), 0);
  stack_if_addr_each(w.i, note, &l);
  cr_assert_eq(l.n, 3);
  cr_expect_eq(l.at[0].addr.family, AF_INET);
  cr_expect(net_addr_equal(&l.at[1].addr, &own));
  cr_expect_eq(l.at[1].state, STACK_ADDR_TENTATIVE);
  cr_expect_eq(l.at[2].state, STACK_ADDR_DEPRECATED);
  cr_expect_eq(l.at[2].prefix_len, 56);
  cr_expect(stack_is_own(w.s, &own), "nobody else's, although it is not used");
  cr_assert_eq(stack_if_set_ipv6(w.i, &own, 10, STACK_ADDR_PREFERRED), 0);
  cr_assert_eq(stack_if_remove_ipv6(w.i, &global), 0);
  l.n = 0;
  stack_if_addr_each(w.i, note, &l);
  cr_assert_eq(l.n, 2);
  cr_expect_eq(l.at[1].state, STACK_ADDR_PREFERRED);
  cr_expect_eq(l.at[1].prefix_len, 10);
  cr_expect_eq(stack_if_remove_ipv6(w.i, &global), -ENOENT);
  cr_expect(!stack_is_own(w.s, &global));
}

Test(stack_if6, what_is_no_address_is_refused) {
  static const char *const bad[] = {"::", "::1", "ff02::1", "10.0.0.1"};
  struct net_addr a;
  for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
    a = wire6_addr(bad[k]);
    cr_expect_eq(stack_if_set_ipv6(w.i, &a, 64, STACK_ADDR_PREFERRED), -EINVAL, "%s", bad[k]);
  }
  cr_expect_eq(stack_if_set_ipv6(w.i, &own, 0, STACK_ADDR_PREFERRED), -EINVAL);
  cr_expect_eq(stack_if_set_ipv6(w.i, &own, 129, STACK_ADDR_PREFERRED), -EINVAL);
  for (unsigned k = 0; k < STACK_IPV6_ADDRESSES; k++) {
    a = wire6_addr("2001:db8::");
    a.b[15] = (uint8_t)(k + 1);
    cr_expect_eq(stack_if_set_ipv6(w.i, &a, 64, STACK_ADDR_PREFERRED), 0);
  }
  cr_expect_eq(stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_PREFERRED), -ENOBUFS);
  cr_expect_eq(stack_if_set_ipv6(w.i, &a, 64, STACK_ADDR_DEPRECATED), 0, "a change needs no room");
}

Test(stack_if6, an_address_belongs_to_one_interface) {
  struct net n;
  struct net_addr a = wire6_addr("fe80::77");
  wire_close(&w);
  net_open(&n, NULL);
  cr_assert_eq(stack_if_set_ipv6(n.a, &a, 64, STACK_ADDR_TENTATIVE), 0);
  cr_expect_eq(stack_if_set_ipv6(n.b, &a, 64, STACK_ADDR_TENTATIVE), -EADDRINUSE);
  cr_assert_eq(stack_if_remove_ipv6(n.a, &a), 0);
  cr_expect_eq(stack_if_set_ipv6(n.b, &a, 64, STACK_ADDR_TENTATIVE), 0);
  net_close(&n);
  cr_assert_eq(wire_open(&w), 0);
}

Test(stack_if6, a_link_too_narrow_for_ipv6) {
  struct loop *loop;
  struct stack *s;
  struct stack_if *i;
  struct nic *x, *y;
  struct stack_if_info info;
  wire_close(&w);
  cr_assert_eq(loop_sim_new(&loop), 0);
  cr_assert_eq(nic_memory_pair(loop, 1279, 8, &x, &y), 0);
  cr_assert_eq(stack_new(loop, &s), 0);
  cr_assert_eq(stack_if_add(s, x, "n", NULL, NULL, &i), 0);
  cr_expect_eq(stack_if_set_ipv6(i, &own, 64, STACK_ADDR_TENTATIVE), -EMSGSIZE);
  stack_if_info(i, &info);
  cr_expect_eq(info.mtu6, 0);
  stack_free(s);
  nic_free(y);
  loop_free(loop);
  cr_assert_eq(wire_open(&w), 0);
}

/* Asked for by a neighbour: only what is not tentative answers. */
Test(stack_if6, a_tentative_address_is_not_used) {
  struct stack_udp *u;
  struct net_endpoint at = ep(own, 546), to = ep(peer, 547);
  static struct seen seen;
  cr_assert_eq(stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_TENTATIVE), 0);
  wire_run(&w, 5 * SEC);
  unsigned before = w.n;
  wire6_nd(&w, WIRE6_PEER, "ff02::1:ff00:1", 135, 0, WIRE6_OWN, WIRE6_SLLA);
  wire6_nd(&w, "::", "ff02::1:ff00:1", 135, 0, WIRE6_OWN, 0);
  wire6_udp(&w, WIRE6_PEER, WIRE6_OWN, 547, 546, "x", 1);
  cr_expect_eq(w.n, before);
  cr_expect_eq(stack_udp_open(w.s, &at, &seen_ops, &seen, &u), -EADDRNOTAVAIL);
  cr_assert_eq(stack_udp_open_if(w.i, AF_INET6, 546, &seen_ops, &seen, &u), 0);
  cr_expect_eq(stack_udp_send(u, &to, "x", 1), -EADDRNOTAVAIL);
  cr_assert_eq(stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_PREFERRED), 0);
  wire6_nd(&w, WIRE6_PEER, "ff02::1:ff00:1", 135, 0, WIRE6_OWN, WIRE6_SLLA);
  const uint8_t *na, *f = wire6_find(&w, before, 136, &na);
  cr_assert(f != NULL);
  cr_expect_eq(na[4], WIRE6_NA_S | WIRE6_NA_O);
  cr_expect_arr_eq(na + 26, w.mac, 6);
  cr_expect_eq(f[21], 255);
  cr_expect_arr_eq(f, wire_peer_mac, 6);
  cr_expect_eq(stack_udp_send(u, &to, "x", 1), 0);
  stack_udp_close(u);
}

/* --- groups ----------------------------------------------------------------------------------------------------- */

/* MLDv2: the group is reported before duplicate address detection can ask in it, from "::", and once again. */
Test(stack_if6, the_solicited_node_group_is_reported) {
  unsigned before = w.n;
  const uint8_t *r;
  struct net_addr group = wire6_addr("ff02::1:ff00:1");
  cr_assert_eq(stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_TENTATIVE), 0);
  wire_run(&w, 0);
  const uint8_t *f = wire6_find(&w, before, 143, &r);
  cr_assert(f != NULL);
  cr_expect_eq(f[21], 1, "hop limit");
  cr_expect_eq(f[20], 0, "a router alert");
  cr_expect_eq(wire_get(f + 56, 2), 0x0502);
  cr_expect_eq(wire_get(f + 22, 4), 0, "from ::");
  cr_expect_eq(wire_get(f, 6) & 0xffffffff, 0x00000016u);
  cr_expect_eq(wire_get(r + 6, 2), 1);
  cr_expect_eq(r[8], 4, "CHANGE_TO_EXCLUDE_MODE");
  cr_expect_arr_eq(r + 12, group.b, 16);
  cr_expect_eq(wire6_sum(f, r, 58, 28), 0, "checksum");
  wire_run(&w, 30 * SEC);
  cr_expect_eq(wire6_count(&w, before, 143), 2, "robustness");
  before = w.n;
  cr_assert_eq(stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_PREFERRED), 0);
  prefer("2001:db8::1", 64); /* the same group */
  cr_assert_eq(stack_if_remove_ipv6(w.i, &own), 0);
  wire_run(&w, 30 * SEC);
  cr_expect_eq(w.n, before, "nothing of that changes the groups");
  struct net_addr a = wire6_addr("2001:db8::1");
  cr_assert_eq(stack_if_remove_ipv6(w.i, &a), 0);
  wire_run(&w, 0);
  cr_assert(wire6_find(&w, before, 143, &r) != NULL);
  cr_expect_eq(r[8], 3, "CHANGE_TO_INCLUDE_MODE");
}

static void query(const char *src, const char *group, uint8_t hops, bool alert, size_t len, uint16_t code) {
  uint8_t f[200] = {0}, *q = f + WIRE6_AT + (alert ? 8 : 0);
  struct net_addr g = wire6_addr(group);
  q[0] = 130;
  wire_put(q + 4, code, 2);
  memcpy(q + 8, g.b, 16);
  if (alert)
    memcpy(f + WIRE6_AT, (const uint8_t[]){58, 0, 5, 2, 0, 0, 1, 0}, 8);
  size_t n = wire6_ip(&w, f, src, "ff02::1", alert ? 0 : 58, hops, len + (alert ? 8 : 0));
  wire_put(q + 2, wire6_sum(f, q, 58, len), 2);
  wire_inject(&w, f, n);
}

Test(stack_if6, queries_are_answered_in_their_time_and_tongue) {
  const uint8_t *r;
  prefer(WIRE6_OWN, 64);
  prefer("2001:db8::2:3", 64);
  wire_run(&w, 10 * SEC);
  unsigned before = w.n;
  query(WIRE6_PEER, "::", 1, true, 28, 2000);
  wire_run(&w, 2001 * MS);
  cr_assert_eq(w.n - before, 1);
  const uint8_t *f = wire6_find(&w, before, 143, &r);
  cr_assert(f != NULL);
  cr_expect_eq(wire_get(r + 6, 2), 2, "both groups in one report");
  cr_expect_eq(r[8], 2, "MODE_IS_EXCLUDE");
  cr_expect_eq(wire_get(f + 22, 2), 0xfe80);
  before = w.n;
  query(WIRE6_PEER, "ff02::1:ff02:3", 1, true, 28, 1000);
  wire_run(&w, 1001 * MS);
  cr_assert(wire6_find(&w, before, 143, &r) != NULL);
  cr_expect_eq(wire_get(r + 6, 2), 1);
  before = w.n;
  query(WIRE6_PEER, "ff02::1:ff99:9999", 1, true, 28, 1000);
  query("2001:db8::9", "::", 1, true, 28, 1000);
  query(WIRE6_PEER, "::", 64, true, 28, 1000);
  query(WIRE6_PEER, "::", 1, false, 28, 1000);
  query(WIRE6_PEER, "::", 1, true, 26, 1000);
  wire_run(&w, 60 * SEC);
  cr_expect_eq(w.n, before, "not ours, or no query of a router");
  cr_expect_eq(stats().nd_refused, 4);
  query(WIRE6_PEER, "::", 1, true, 24, 1000);
  wire_run(&w, 1001 * MS);
  cr_expect_eq(wire6_count(&w, before, 131), 2, "MLDv1: one for each");
  cr_expect_eq(wire6_count(&w, before, 143), 0);
}

/* --- what is not for us ----------------------------------------------------------------------------------------- */

Test(stack_if6, martians_are_refused_and_counted) {
  static const struct {
    const char *src, *dst;
  } bad[] = {{"ff02::1", WIRE6_OWN},   {"::1", WIRE6_OWN},   {WIRE6_OWN, WIRE6_OWN}, {"::", WIRE6_OWN},
             {WIRE6_PEER, "::1"},      {WIRE6_PEER, "::"},   {WIRE6_PEER, "ff01::1"}, {WIRE6_PEER, "ff00::1"}};
  static struct seen seen;
  struct stack_udp *u;
  prefer(WIRE6_OWN, 64);
  wire_run(&w, 10 * SEC);
  cr_assert_eq(stack_udp_open(w.s, &(struct net_endpoint){.port = 9}, &seen_ops, &seen, &u), 0);
  unsigned before = w.n;
  for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
    wire6_udp(&w, bad[k].src, bad[k].dst, 9, 9, "x", 1);
    cr_expect_eq(stats().ip6_refused, k + 1, "%s to %s", bad[k].src, bad[k].dst);
  }
  uint8_t f[100] = {0}; /* v4-mapped, which the parser makes IPv4 */
  size_t n = wire6_ip(&w, f, WIRE6_PEER, WIRE6_OWN, 17, 64, 9);
  memset(f + 22, 0, 16);
  memset(f + 32, 0xff, 2);
  wire_inject(&w, f, n);
  cr_expect_eq(stats().ip6_refused, ARRAY_SIZE(bad) + 1);
  wire6_ip(&w, f, WIRE6_PEER, WIRE6_OWN, 17, 64, 9); /* one of us, told to all of the link */
  memset(f, 0xff, 6);
  wire_inject(&w, f, n);
  cr_expect_eq(stats().ip6_refused, ARRAY_SIZE(bad) + 2);
  wire6_udp(&w, WIRE6_PEER, "fe80::2", 9, 9, "x", 1);
  wire6_udp(&w, WIRE6_PEER, "ff02::2", 9, 9, "x", 1);
  wire6_udp(&w, WIRE6_PEER, "ff02::1:ff00:2", 9, 9, "x", 1);
  cr_expect_eq(seen.n, 0);
  cr_expect_eq(w.n, before, "nothing of that is answered");
  wire6_udp(&w, WIRE6_PEER, "ff02::1", 9, 9, "x", 1);
  cr_expect_eq(seen.n, 1, "all nodes");
  stack_udp_close(u);
}

Test(stack_if6, the_strong_host_model) {
  struct net n;
  static struct seen seen;
  struct stack_udp *u, *v;
  struct net_addr a = wire6_addr("2001:db8:1::1"), b = wire6_addr("2001:db8:2::1"), c = wire6_addr("2001:db8:2::2");
  struct stack_route to_b = {.dst = {.addr = wire6_addr("2001:db8:2::"), .len = 64}};
  wire_close(&w);
  net_open(&n, NULL);
  cr_assert_eq(stack_if_set_ipv6(n.a, &a, 64, STACK_ADDR_PREFERRED), 0);
  cr_assert_eq(stack_if_set_ipv6(n.b, &b, 64, STACK_ADDR_PREFERRED), 0);
  cr_assert_eq(stack_if_set_ipv6(n.a, &c, 64, STACK_ADDR_PREFERRED), 0);
  cr_assert_eq(stack_if_set_routes(n.a, AF_INET6, &to_b, 1), 0);
  cr_assert_eq(stack_if_set_routes(n.b, AF_INET6, &to_b, 1), 0);
  struct net_endpoint at_b = ep(b, 7), from_a = ep(c, 8), at_a = ep(a, 9);
  cr_assert_eq(stack_udp_open(n.s, &at_b, &seen_ops, &seen, &u), 0);
  cr_assert_eq(stack_udp_open(n.s, &from_a, &seen_ops, &seen, &v), 0);
  cr_assert_eq(stack_udp_send(v, &at_b, "over the wire", 13), 0);
  run(&n, SEC);
  cr_expect_eq(seen.n, 1);
  cr_expect(net_addr_equal(&seen.from.addr, &c));
  cr_expect_eq(stack_udp_send(u, &at_a, "x", 1), -ENETUNREACH, "no way out of b, although a is near");
  stack_udp_close(u);
  stack_udp_close(v);
  net_close(&n);
  cr_assert_eq(wire_open(&w), 0);
}

/* --- link-local ------------------------------------------------------------------------------------------------- */

/* Neighbour resolution, the datagram that waited for it, the answer; then larger than a packet, both ways. */
Test(stack_if6, datagrams_over_link_local_addresses) {
  static struct seen seen;
  static uint8_t big[3000];
  struct net n;
  struct stack_udp *u, *v;
  struct net_addr a = wire6_addr("fe80::a"), b = wire6_addr("fe80::b");
  wire_close(&w);
  net_open(&n, NULL);
  cr_assert_eq(stack_if_set_ipv6(n.a, &a, 64, STACK_ADDR_PREFERRED), 0);
  cr_assert_eq(stack_if_set_ipv6(n.b, &b, 64, STACK_ADDR_PREFERRED), 0);
  struct net_endpoint to_b = ep(b, 547), to_a = ep(a, 546), all = ep(wire6_addr("ff02::1"), 546);
  cr_assert_eq(stack_udp_open_if(n.a, AF_INET6, 546, &seen_ops, &seen, &u), 0);
  cr_assert_eq(stack_udp_open_if(n.b, AF_INET6, 547, &seen_ops, &seen, &v), 0);
  cr_assert_eq(stack_udp_send(u, &to_b, "solicit", 7), 0);
  run(&n, 10 * MS);
  cr_assert_eq(seen.n, 1);
  cr_expect(net_endpoint_equal(&seen.from, &to_a));
  cr_expect(net_endpoint_equal(&seen.to, &to_b));
  cr_assert_eq(stack_udp_send(v, &to_a, "advertise", 9), 0);
  run(&n, 10 * MS);
  cr_expect_eq(seen.n, 2);
  cr_expect_eq(seen.len, 9);
  cr_assert_eq(stack_udp_send(v, &all, "all", 3), 0);
  run(&n, 10 * MS);
  cr_expect_eq(seen.n, 3);
  for (size_t k = 0; k < sizeof big; k++)
    big[k] = (uint8_t)(k * 7);
  cr_assert_eq(stack_udp_send(u, &to_b, big, sizeof big), 0);
  run(&n, 10 * MS);
  cr_expect_eq(seen.n, 4);
  cr_expect_eq(seen.len, sizeof big);
  cr_expect_arr_eq(seen.data, big, sizeof big);
  cr_expect_eq(stack_udp_send(u, &to_b, big, 65535 - 48 + 1), -EMSGSIZE);
  stack_udp_close(u);
  stack_udp_close(v);
  net_close(&n);
  cr_assert_eq(wire_open(&w), 0);
}

Test(stack_if6, a_socket_of_both_families) {
  static struct seen seen;
  struct stack_udp *u, *v6;
  prefer(WIRE6_OWN, 64);
  cr_assert_eq(stack_udp_open(w.s, &(struct net_endpoint){.port = 9}, &seen_ops, &seen, &u), 0);
  cr_assert_eq(stack_udp_open(w.s, &(struct net_endpoint){.addr = wire6_addr("::"), .port = 10}, &seen_ops, &seen, &v6), 0);
  wire6_udp(&w, WIRE6_PEER, WIRE6_OWN, 1, 9, "x", 1);
  cr_expect_eq(seen.n, 1);
  cr_expect_eq(seen.from.addr.family, AF_INET6);
  wire6_udp(&w, WIRE6_PEER, WIRE6_OWN, 1, 10, "x", 1);
  cr_expect_eq(seen.n, 2);
  uint8_t f[64] = {0};
  wire_put(f + 34, 1, 2);
  wire_put(f + 36, 10, 2);
  wire_put(f + 38, 8, 2);
  wire_inject(&w, f, wire_ip(&w, f, 17, 8));
  cr_expect_eq(seen.n, 2, "IPv6 only");
  wire_put(f + 36, 9, 2);
  wire_inject(&w, f, wire_ip(&w, f, 17, 8));
  cr_expect_eq(seen.n, 3);
  struct net_endpoint v4 = ep(net_addr_v4(WIRE_PEER), 1);
  cr_expect_eq(stack_udp_send(u, &v4, "x", 1), 0);
  cr_expect_eq(stack_udp_send(v6, &v4, "x", 1), -EINVAL);
  stack_udp_close(u);
  stack_udp_close(v6);
}

/* --- losing it -------------------------------------------------------------------------------------------------- */

Test(stack_if6, a_lost_address_ends_what_is_bound_to_it) {
  static struct seen gone, stays;
  struct stack_udp *u, *v;
  struct net_addr other = wire6_addr("2001:db8::1");
  prefer(WIRE6_OWN, 64);
  prefer("2001:db8::1", 64);
  cr_assert_eq(stack_udp_open(w.s, &(struct net_endpoint){.addr = own, .port = 9}, &seen_ops, &gone, &u), 0);
  cr_assert_eq(stack_udp_open(w.s, &(struct net_endpoint){.addr = other, .port = 9}, &seen_ops, &stays, &v), 0);
  cr_assert_eq(stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_DEPRECATED), 0);
  cr_assert_eq(stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_PREFERRED), 0);
  cr_assert_eq(stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_TENTATIVE), 0);
  cr_assert_eq(stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_PREFERRED), 0);
  wire_run(&w, SEC);
  cr_expect_eq(gone.ended + stays.ended, 0, "states touch nothing");
  cr_assert_eq(stack_if_remove_ipv6(w.i, &own), 0);
  wire_run(&w, SEC);
  cr_expect_eq(gone.ended, 1);
  cr_expect_eq(stays.ended, 0);
  stack_udp_close(u);
  stack_udp_close(v);
}

/* What waits for a neighbour does not leave from an address that is gone. */
Test(stack_if6, packets_that_wait_go_with_their_source) {
  struct stack_udp *u;
  static struct seen seen;
  struct net_endpoint to = ep(peer, 9);
  prefer(WIRE6_OWN, 64);
  prefer("fe80::2", 64);
  cr_assert_eq(stack_udp_open(w.s, &(struct net_endpoint){.addr = own, .port = 9}, &seen_ops, &seen, &u), 0);
  cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
  cr_assert_eq(stack_if_remove_ipv6(w.i, &own), 0);
  unsigned before = w.n;
  wire6_nd(&w, WIRE6_PEER, "fe80::2", 136, WIRE6_NA_S | WIRE6_NA_O, WIRE6_PEER, WIRE6_TLLA);
  wire_run(&w, 0);
  for (unsigned k = 0; k + before < w.n; k++)
    cr_expect_neq(wire_last(&w, k)[20], 17);
  stack_udp_close(u);
}

/* --- idleness --------------------------------------------------------------------------------------------------- */

static uint64_t wakeups(void) {
  struct loop_stats st;
  loop_get_stats(w.loop, &st);
  return st.timer_calls;
}

Test(stack_if6, an_idle_address_wakes_nobody) {
  struct stack_udp *u;
  static struct seen seen;
  prefer(WIRE6_OWN, 64);
  prefer("2001:db8::1", 64);
  cr_assert_eq(stack_udp_open_if(w.i, AF_INET6, 546, &seen_ops, &seen, &u), 0);
  wire6_nd(&w, WIRE6_PEER, "ff02::1:ff00:1", 135, 0, WIRE6_OWN, WIRE6_SLLA);
  cr_assert_eq(stack_udp_send(u, &(struct net_endpoint){.addr = peer, .port = 547}, "x", 1), 0);
  wire_run(&w, 30 * SEC);
  uint64_t before = wakeups();
  unsigned frames = w.n;
  wire_run(&w, 3600 * SEC);
  cr_expect_eq(wakeups(), before);
  cr_expect_eq(w.n, frames);
  stack_udp_close(u);
}
