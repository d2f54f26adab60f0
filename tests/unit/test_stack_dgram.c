/* SPDX-License-Identifier: BSD-3-Clause
 * UDP and ICMP echo of the stack, between two interfaces and against a wire that lies.
 */
#include "stack_seen.h"
#include "stack_wire_open.h"

static struct seen a, b;

TestSuite(stack_dgram, .timeout = 30);

Test(stack_dgram, udp_there_and_back) {
  struct net n;
  struct stack_udp *ua, *ub, *x;
  net_open(&n, NULL);
  struct net_endpoint la = ep(n.addr_a, 0), lb = ep(n.addr_b, 53), foreign = ep(addr_of("10.9.9.9"), 1);
  cr_assert_eq(stack_udp_open(n.s, &la, &seen_ops, &a, &ua), 0);
  cr_assert_eq(stack_udp_open(n.s, &lb, &seen_ops, &b, &ub), 0);
  cr_expect_eq(stack_udp_open(n.s, &lb, &seen_ops, &b, &x), -EADDRINUSE);
  cr_expect_eq(stack_udp_open(n.s, &foreign, &seen_ops, &b, &x), -EADDRNOTAVAIL);
  cr_expect_geq(stack_udp_local(ua).port, 32768);
  cr_expect_eq(stats_of(&n).udp, 2);
  cr_assert_eq(stack_udp_send(ua, &lb, "question", 8), 0);
  run(&n, 1 * SEC);
  cr_expect_eq(b.n, 1);
  cr_expect_eq(b.len, 8);
  cr_expect(net_addr_equal(&b.from.addr, &n.addr_a) && b.from.port == stack_udp_local(ua).port);
  cr_expect(net_endpoint_equal(&b.to, &lb));
  cr_assert_eq(stack_udp_send(ub, &b.from, NULL, 0), 0);
  run(&n, 1 * SEC);
  cr_expect_eq(a.n, 1);
  cr_expect_eq(a.len, 0, "an empty datagram is one");
  /* larger than the MTU: fragments there, one datagram here */
  static uint8_t big[9000];
  for (size_t i = 0; i < sizeof big; i++)
    big[i] = (uint8_t)(i * 7);
  cr_assert_eq(stack_udp_send(ua, &lb, big, sizeof big), 0);
  run(&n, 1 * SEC);
  cr_expect_eq(b.n, 2);
  cr_expect_eq(b.len, sizeof big);
  cr_expect_arr_eq(b.data, big, sizeof b.data);
  cr_expect_eq(stack_udp_send(ua, &lb, big, 65508), -EMSGSIZE);
  /* nobody there */
  struct net_endpoint nobody = ep(n.addr_b, 54);
  cr_assert_eq(stack_udp_send(ua, &nobody, "x", 1), 0);
  run(&n, 1 * SEC);
  cr_expect_eq(a.errors, 1);
  cr_expect_eq(a.error, -ECONNREFUSED);
  cr_expect(net_endpoint_equal(&a.remote, &nobody));
  struct net_endpoint far = ep(addr_of("192.0.2.1"), 1);
  cr_expect_eq(stack_udp_send(ua, &far, "x", 1), -ENETUNREACH);
  stack_if_clear_ipv4(n.a);
  cr_expect_eq(a.ended, 1);
  cr_expect_eq(b.ended, 0);
  cr_expect_eq(stack_udp_send(ua, &lb, "x", 1), -EADDRNOTAVAIL);
  stack_udp_close(ua);
  stack_udp_close(ub);
  run(&n, 60 * SEC);
  cr_expect_eq(stats_of(&n).udp, 0);
  cr_expect_eq(stats_of(&n).pbuf_bytes, 0);
  cr_expect_eq(stats_of(&n).asserts, 0);
  net_close(&n);
}

Test(stack_dgram, the_next_port_is_no_neighbour_of_the_last) {
  struct net n;
  struct stack_udp *u[20];
  unsigned next = 0;
  net_open(&n, NULL);
  for (int i = 0; i < 20; i++) {
    cr_assert_eq(stack_udp_open(n.s, NULL, &seen_ops, &a, &u[i]), 0);
    next += i > 0 && stack_udp_local(u[i]).port == stack_udp_local(u[i - 1]).port + 1;
  }
  cr_expect_lt(next, 3);
  for (int i = 0; i < 20; i++)
    stack_udp_close(u[i]);
  net_close(&n);
}

/* DHCP's way: no address, broadcasts out, anything in for the port. */
Test(stack_dgram, udp_without_an_address) {
  struct wire w;
  struct stack_udp *u, *x;
  cr_assert_eq(wire_open(&w), 0);
  stack_if_clear_ipv4(w.i);
  cr_expect_eq(stack_udp_open(w.s, NULL, &seen_ops, &a, &x), -ENONET);
  cr_assert_eq(stack_udp_open_if(w.i, AF_INET, 68, &seen_ops, &a, &u), 0);
  cr_expect_eq(stack_udp_open_if(w.i, AF_INET, 68, &seen_ops, &a, &x), -EADDRINUSE);
  struct net_endpoint all = ep(net_addr_v4(0xffffffff), 67);
  cr_assert_eq(stack_udp_send(u, &all, "discover", 8), 0);
  wire_run(&w, 10 * MS);
  const uint8_t *f = wire_last(&w, 0);
  cr_assert(f);
  cr_expect_eq(wire_get(f, 4), 0xffffffff);
  cr_expect_eq(wire_get(f + 26, 4), 0, "from 0.0.0.0");
  cr_expect_eq(wire_get(f + 30, 4), 0xffffffff);
  cr_expect_eq(wire_get(f + 34, 2), 68);
  uint8_t offer[64] = {0};
  wire_put(offer + 34, 67, 2);
  wire_put(offer + 36, 68, 2);
  wire_put(offer + 38, 8 + 5, 2);
  memcpy(offer + 42, "offer", 5);
  size_t len = wire_ip(&w, offer, 17, 13);
  wire_l4_sum(offer, 13, 6);
  wire_inject(&w, offer, len); /* unicast to an address that is not ours yet */
  cr_expect_eq(a.n, 1);
  cr_expect_eq(a.len, 5);
  cr_expect_arr_eq(a.data, "offer", 5);
  offer[44] ^= 1;
  wire_inject(&w, offer, len);
  cr_expect_eq(a.n, 1, "a bad checksum");
  struct stack_stats st;
  stack_get_stats(w.s, &st);
  cr_expect_eq(st.bad_checksum, 1);
  stack_udp_close(u);
  wire_close(&w);
}

/* --- echo ------------------------------------------------------------------------------------------------------- */

Test(stack_dgram, echo_is_answered_by_the_stack) {
  struct net n;
  struct stack_echo *e;
  net_open(&n, NULL);
  cr_assert_eq(stack_echo_open(n.s, seen_echo, &a, &e), 0);
  static uint8_t most[1473];
  cr_expect_eq(stack_echo_send(e, &n.addr_b, 1, 0, most, 1473), -EMSGSIZE);
  cr_assert_eq(stack_echo_send(e, &n.addr_b, 7, 0, most, 1472), 0);
  run(&n, 1 * SEC);
  cr_expect_eq(a.events, 1);
  cr_expect_eq(a.ev.kind, STACK_ECHO_REPLY);
  cr_expect_eq(a.ev.seq, 7);
  cr_expect_eq(a.ev.ttl, 64);
  cr_expect_eq(a.len, 1472);
  stack_echo_close(e);
  run(&n, 10 * SEC);
  cr_expect_eq(stats_of(&n).pbuf_bytes, 0);
  net_close(&n);
}

/* The test answers for 10.0.0.2 with what it likes. */
static size_t icmp_frame(struct wire *w, uint8_t *f, uint8_t type, uint8_t code, const uint8_t *rest, size_t len) {
  memset(f + 34, 0, 8);
  f[34] = type;
  f[35] = code;
  memcpy(f + 42, rest, len);
  wire_put(f + 36, wire_sum(f + 34, 8 + len, 0), 2);
  return wire_ip(w, f, 1, 8 + len);
}

Test(stack_dgram, echo_hears_only_what_answers_it) {
  struct wire w;
  struct stack_echo *e;
  uint8_t f[256], quote[28];
  struct net_addr peer = net_addr_v4(WIRE_PEER);
  struct stack_stats st;
  cr_assert_eq(wire_open(&w), 0);
  wire_arp(&w, 2, WIRE_PEER, WIRE_OWN);
  cr_assert_eq(stack_echo_open(w.s, seen_echo, &a, &e), 0);
  cr_assert_eq(stack_echo_send(e, &peer, 3, 5, "hello", 5), 0);
  wire_run(&w, 10 * MS);
  if (wire_get(wire_last(&w, 0) + 12, 2) != 0x0800) { /* first it asked who we are */
    wire_arp(&w, 2, WIRE_PEER, WIRE_OWN);
    wire_run(&w, 10 * MS);
  }
  const uint8_t *out = wire_last(&w, 0);
  cr_assert_eq(wire_get(out + 12, 2), 0x0800);
  cr_expect_eq(out[14 + 8], 5, "the TTL that was asked for");
  memcpy(quote, out + 14, 28);
  /* TTL exceeded, quoting it */
  wire_inject(&w, f, icmp_frame(&w, f, 11, 0, quote, 28));
  cr_expect_eq(a.events, 1);
  cr_expect_eq(a.ev.kind, STACK_ECHO_TTL_EXCEEDED);
  cr_expect_eq(a.ev.seq, 3);
  cr_expect(net_addr_equal(&a.ev.from, &peer));
  wire_inject(&w, f, icmp_frame(&w, f, 3, 1, quote, 28));
  cr_expect_eq(a.ev.kind, STACK_ECHO_UNREACHABLE);
  cr_expect_eq(a.ev.code, 1);
  cr_expect_eq(a.events, 2);
  stack_get_stats(w.s, &st);
  cr_expect_eq(st.icmp_malformed, 0);
  /* what cannot be an answer */
  wire_inject(&w, f, icmp_frame(&w, f, 11, 0, quote, 27));
  quote[24] ^= 0x55; /* somebody else's identifier */
  wire_inject(&w, f, icmp_frame(&w, f, 11, 0, quote, 28));
  size_t len = icmp_frame(&w, f, 0, 0, (const uint8_t *)"hello", 5); /* id 0, most likely not ours */
  f[36] ^= 1;
  wire_inject(&w, f, len);
  cr_expect_eq(a.events, 2);
  stack_get_stats(w.s, &st);
  cr_expect_eq(st.icmp_malformed, 3);
  stack_echo_close(e);
  wire_close(&w);
}

Test(stack_dgram, routes_neighbours_and_status_send_nothing) {
  struct wire w;
  struct stack_route_info r;
  struct net_addr far = net_addr_v4(0x08080808), near = net_addr_v4(WIRE_PEER), own = net_addr_v4(WIRE_OWN);
  struct net_addr bcast = net_addr_v4(0x0a0000ff);
  cr_assert_eq(wire_open(&w), 0);
  wire_run(&w, 60 * SEC);
  unsigned before = w.n;
  cr_assert_eq(stack_route_lookup(w.s, &far, &r), 0);
  cr_expect_eq(r.dst.len, 0);
  cr_expect_eq(net_addr_to_v4(&r.gateway), 0x0a0000fe);
  cr_expect(net_addr_equal(&r.source, &own));
  cr_assert_eq(stack_route_lookup(w.s, &near, &r), 0);
  cr_expect_eq(r.dst.len, 24);
  cr_expect_eq(r.gateway.family, 0);
  cr_expect(stack_is_own(w.s, &own) && !stack_is_own(w.s, &near));
  cr_expect(stack_is_broadcast(w.s, &bcast) && !stack_is_broadcast(w.s, &near));
  wire_run(&w, 1 * SEC);
  cr_expect_eq(w.n, before);
  cr_assert_eq(stack_if_set_ipv4(w.i, &own, 24, NULL), 0);
  cr_expect_eq(stack_route_lookup(w.s, &far, &r), -ENETUNREACH);
  stack_if_clear_ipv4(w.i);
  cr_expect_eq(stack_route_lookup(w.s, &far, &r), -ENONET);
  wire_close(&w);
}
