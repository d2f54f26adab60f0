/* SPDX-License-Identifier: BSD-3-Clause
 * Every limit of the stack (stack_limits.h) at N and at N+1: what is over it is refused, counted, and harms nothing
 * else. The backlog of a listener is tested in test_stack_tcp.c.
 */
#include "stack_peer.h"

TestSuite(stack_limits, .init = setup, .fini = teardown, .timeout = 120);

static uint64_t refused(enum stack_limit which) { return stats().refused[which]; }

static struct stack_limits limits = STACK_LIMITS_DEFAULT;
static const struct stack_udp_ops no_udp = {0};
static void no_echo(void *arg _unused_, const struct stack_echo_event *ev _unused_) {}

Test(stack_limits, each_has_a_name) {
  for (unsigned i = 0; i < STACK_LIMIT_COUNT; i++)
    for (unsigned k = 0; k < i; k++)
      cr_expect_str_neq(stack_limit_name((enum stack_limit)i), stack_limit_name((enum stack_limit)k));
  cr_expect_str_eq(stack_limit_name(STACK_LIMIT_COUNT), "unknown");
}

Test(stack_limits, connections) {
  struct end many[4] = {0};
  struct net_endpoint to = ep(net_addr_v4(WIRE_PEER), 80);
  limits.connections = 3;
  stack_set_limits(w.s, &limits);
  for (int i = 0; i < 3; i++)
    cr_assert_eq(stack_tcp_connect(w.s, NULL, &to, &end_ops, &many[i], &many[i].c), 0);
  cr_expect_eq(refused(STACK_LIMIT_CONNECTIONS), 0);
  cr_expect_eq(stack_tcp_connect(w.s, NULL, &to, &end_ops, &many[3], &many[3].c), -ENOBUFS);
  cr_expect_eq(refused(STACK_LIMIT_CONNECTIONS), 1);
  end_close(&many[0]);
  cr_assert_eq(stack_tcp_connect(w.s, NULL, &to, &end_ops, &many[3], &many[3].c), 0);
  for (int i = 1; i < 4; i++)
    end_close(&many[i]);
}

/* From the wire it is the same budget: one more is reset. */
Test(stack_limits, accepted_connections) {
  limits.connections = 1;
  stack_set_limits(w.s, &limits);
  uint32_t ack = handshake(NULL, 0);
  wire_tcp(&w, &(struct wire_tcp){.sport = 998, .dport = 80, .seq = 1000, .flags = WIRE_SYN, .wnd = 65000});
  ack = wire_get(wire_last(&w, 0) + 38, 4) + 1;
  wire_tcp(&w, &(struct wire_tcp){.sport = 998, .dport = 80, .seq = 1001, .ack = ack, .flags = WIRE_ACK, .wnd = 65000});
  cr_expect_eq(wire_last(&w, 0)[47] & WIRE_RST, WIRE_RST);
  cr_expect_eq(refused(STACK_LIMIT_CONNECTIONS), 1);
  cr_expect_eq(stats().tcp_active, 1);
}

Test(stack_limits, listeners_sockets_sessions_and_interfaces) {
  struct stack_listener *li[3];
  struct stack_udp *u[3];
  struct stack_echo *ec[3];
  struct stack_if *other;
  struct nic *near, *far;
  limits.listeners = limits.udp_sockets = limits.echo_sessions = 2;
  limits.interfaces = 1;
  stack_set_limits(w.s, &limits);
  struct net_endpoint any = {0};
  for (int i = 0; i < 3; i++) {
    int want = i < 2 ? 0 : -ENOBUFS;
    cr_expect_eq(stack_tcp_listen(w.s, &any, BACKLOG(1), &lops, NULL, &li[i]), want);
    cr_expect_eq(stack_udp_open(w.s, NULL, &no_udp, NULL, &u[i]), want);
    cr_expect_eq(stack_echo_open(w.s, no_echo, NULL, &ec[i]), want);
    cr_expect_eq(refused(STACK_LIMIT_LISTENERS) + refused(STACK_LIMIT_UDP_SOCKETS) + refused(STACK_LIMIT_ECHO_SESSIONS),
                 i < 2 ? 0u : 3u);
  }
  cr_assert_eq(nic_memory_pair(w.loop, 1500, 16, &near, &far), 0);
  cr_expect_eq(stack_if_add(w.s, near, "net1", NULL, NULL, &other), -ENOBUFS);
  cr_expect_eq(refused(STACK_LIMIT_INTERFACES), 1);
  nic_free(far);
  stack_listener_close(li[0]);
  stack_udp_close(u[0]);
  stack_echo_close(ec[0]);
  cr_expect_eq(stack_tcp_listen(w.s, &any, BACKLOG(1), &lops, NULL, &li[0]), 0, "a place that was given back is free");
  cr_expect_eq(stack_udp_open(w.s, NULL, &no_udp, NULL, &u[0]), 0);
  cr_expect_eq(stack_echo_open(w.s, no_echo, NULL, &ec[0]), 0);
  for (int i = 0; i < 2; i++) {
    stack_listener_close(li[i]);
    stack_udp_close(u[i]);
    stack_echo_close(ec[i]);
  }
}

/* --- what the wire can make us hold ----------------------------------------------------------------------------- */

/* lwIP's allocations: the bytes that a peer sends and nobody takes, here. */
Test(stack_limits, memory) {
  handshake(NULL, 0);
  struct wire_tcp t = {.sport = 999, .dport = 80, .seq = 1001, .ack = 0, .flags = WIRE_ACK, .wnd = 65000, .len = 1000};
  t.ack = wire_get(wire_last(&w, 0) + 38, 4) + 1;
  limits.memory = 20000;
  stack_set_limits(w.s, &limits);
  for (int i = 0; i < 40; i++, t.seq += 1000)
    wire_tcp(&w, &t);
  cr_expect_gt(refused(STACK_LIMIT_MEMORY), 0);
  cr_expect_gt(stats().no_memory, 0);
  cr_expect_leq(stats().pbuf_bytes, 20000);
  size_t had = stack_conn_unread(e.c);
  cr_expect(had >= 5000 && had < 20000, "%zu", had);
  limits = (struct stack_limits)STACK_LIMITS_DEFAULT;
  stack_set_limits(w.s, &limits);
  t.seq = 1001 + (uint32_t)had;
  wire_tcp(&w, &t);
  cr_expect_eq(stack_conn_unread(e.c), had + 1000, "it goes on when there is memory");
}

static void fragment(unsigned id, unsigned offset, bool more) {
  uint8_t f[64] = {0};
  size_t n = wire_ip(&w, f, 17, 16);
  wire_put(f + 18, id, 2);
  wire_put(f + 20, offset | (more ? 0x2000 : 0), 2);
  wire_put(f + 24, 0, 2);
  wire_put(f + 24, wire_sum(f + 14, 20, 0), 2);
  wire_inject(&w, f, n);
}

Test(stack_limits, datagrams_in_pieces) {
  for (unsigned i = 0; i < 128; i++)
    fragment(i, 2, true);
  cr_expect_eq(refused(STACK_LIMIT_FRAGMENTS), 0);
  uint64_t full = stats().pbuf_bytes;
  fragment(128, 2, true);
  cr_expect_eq(refused(STACK_LIMIT_FRAGMENTS), 1, "the oldest gives way");
  cr_expect_eq(stats().pbuf_bytes, full);
}

Test(stack_limits, pieces_of_one_datagram) {
  for (unsigned i = 0; i < 128; i++)
    fragment(1, 2 + 2 * i, true);
  cr_expect_eq(refused(STACK_LIMIT_FRAGMENTS), 0);
  uint64_t full = stats().pbuf_bytes;
  fragment(1, 2 + 2 * 128, true);
  cr_expect_eq(refused(STACK_LIMIT_FRAGMENTS), 1);
  cr_expect_eq(stats().pbuf_bytes, full);
}

/* From 1 to n bytes each, behind a gap of one. */
static void out_of_order(uint32_t ack, unsigned n, size_t len, unsigned stride) {
  for (unsigned i = 0; i < n; i++)
    wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1002 + i * stride, .ack = ack, .flags = WIRE_ACK,
                                    .wnd = 65000, .len = len});
  cr_expect_eq(refused(STACK_LIMIT_OUT_OF_ORDER), 0);
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1002 + n * stride, .ack = ack, .flags = WIRE_ACK,
                                  .wnd = 65000, .len = len});
  cr_expect_eq(refused(STACK_LIMIT_OUT_OF_ORDER), 1);
  cr_expect_eq(stack_conn_unread(e.c), 0);
}

Test(stack_limits, buffers_out_of_order) {
  uint32_t ack = handshake(NULL, 0);
  out_of_order(ack, 2048, 1, 2);
}

Test(stack_limits, bytes_out_of_order) {
  static const uint8_t scale[] = {1, 3, 3, 0};
  uint32_t ack = handshake(scale, sizeof scale);
  stack_conn_set_rcvbuf(e.c, 8 * 1024 * 1024);
  wire_run(&w, 100 * MS);
  out_of_order(ack, 2048, 1460, 1460);
  cr_expect_leq(stats().pbuf_bytes, 4800 * 1024);
}

static void count_each(void *arg, const struct stack_neigh_info *i _unused_) { ++*(unsigned *)arg; }

Test(stack_limits, neighbours) {
  unsigned n = 0;
  for (uint32_t i = 1; i < 64; i++) /* with the peer itself 64 */
    wire_arp(&w, 1, WIRE_PEER + i, WIRE_OWN);
  stack_neigh_each(w.s, count_each, &n);
  cr_expect_eq(n, 64);
  cr_expect_eq(refused(STACK_LIMIT_NEIGHBOURS), 0);
  wire_arp(&w, 1, WIRE_PEER + 64, WIRE_OWN);
  n = 0;
  stack_neigh_each(w.s, count_each, &n);
  cr_expect_eq(n, 64);
  cr_expect_eq(refused(STACK_LIMIT_NEIGHBOURS), 1);
}

Test(stack_limits, packets_for_a_neighbour_that_is_asked_for) {
  struct stack_udp *u;
  struct net_endpoint to = ep(net_addr_v4(WIRE_PEER + 7), 9);
  cr_assert_eq(stack_udp_open(w.s, NULL, &no_udp, NULL, &u), 0);
  for (int i = 0; i < 33; i++) {
    cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
    cr_expect_eq(refused(STACK_LIMIT_NEIGHBOUR_QUEUE), i < 32 ? 0u : 1u);
  }
  wire_run(&w, 10 * MS);
  unsigned before = w.n;
  wire_arp(&w, 2, WIRE_PEER + 7, WIRE_OWN);
  cr_expect_eq(w.n - before, 32, "the newest leave when it answers");
  stack_udp_close(u);
}

/* --- what we answer --------------------------------------------------------------------------------------------- */

/* n identical frames at one instant, then one more; after step one is answered again. */
static void answers(const uint8_t *f, size_t len, unsigned n, uint64_t step, enum stack_limit which) {
  wire_run(&w, 10 * SEC);
  unsigned before = w.n;
  for (unsigned i = 0; i < n; i++)
    wire_inject(&w, f, len);
  cr_expect_eq(w.n - before, n);
  cr_expect_eq(refused(which), 0);
  wire_inject(&w, f, len);
  cr_expect_eq(w.n - before, n);
  cr_expect_eq(refused(which), 1);
  wire_run(&w, step);
  wire_inject(&w, f, len);
  cr_expect_eq(w.n - before, n + 1);
  cr_expect_eq(refused(which), 1);
}

Test(stack_limits, icmp_errors) {
  uint8_t f[64] = {0};
  wire_put(f + 34, 7, 2);
  wire_put(f + 36, 4242, 2);
  wire_put(f + 38, 8, 2);
  answers(f, wire_ip(&w, f, 17, 8), 50, 10 * MS, STACK_LIMIT_ICMP_ERRORS);
  cr_expect(wire_last(&w, 0)[23] == 1 && wire_last(&w, 0)[34] == 3);
}

Test(stack_limits, echo_replies) {
  uint8_t f[64] = {0};
  f[34] = 8;
  wire_put(f + 36, wire_sum(f + 34, 16, 0), 2);
  answers(f, wire_ip(&w, f, 1, 16), 2000, 100 * 1000, STACK_LIMIT_ECHO_REPLIES);
}

Test(stack_limits, resets_for_what_is_nobodys) {
  uint8_t f[64] = {0};
  handshake(NULL, 0);
  wire_put(f + 34, 7, 2);
  wire_put(f + 36, 4242, 2);
  f[46] = 0x50;
  f[47] = WIRE_SYN;
  wire_l4_sum(f, 20, 16);
  size_t len = wire_ip(&w, f, 6, 20);
  wire_l4_sum(f, 20, 16);
  answers(f, len, 500, 1 * MS, STACK_LIMIT_RESETS);
  wire_inject(&w, f, len);
  unsigned before = w.n;
  e.c = stack_conn_abort(e.c, STACK_END_REVOKED);
  wire_run(&w, 0);
  cr_expect_eq(w.n - before, 1, "what ends a connection of ours is always sent");
}

/* --- between two ends ------------------------------------------------------------------------------------------- */

TestSuite(stack_limits_pair, .timeout = 60);

Test(stack_limits_pair, time_wait) {
  struct net n;
  net_open(&n, NULL);
  limits.time_wait = 2;
  stack_set_limits(n.s, &limits);
  for (unsigned i = 0; i < 3; i++) {
    struct end client = {0}, server = {0};
    end_pair(&n, &client, &server);
    end_close(&client);
    run(&n, 100 * MS);
    end_close(&server);
    run(&n, 1 * SEC);
    cr_expect_eq(stats_of(&n).tcp_time_wait, MIN(i + 1, 2));
    cr_expect_eq(stats_of(&n).refused[STACK_LIMIT_TIME_WAIT], i < 2 ? 0u : 1u);
  }
  run(&n, 60 * SEC);
  net_close(&n);
}

/* Room for one small chunk: the second connection goes without, and is told when the first gives its back. */
Test(stack_limits_pair, send_memory) {
  struct net n;
  struct end c1 = {0}, s1 = {0}, c2 = {0}, s2 = {0};
  struct iovec iov[2];
  net_open(&n, NULL);
  end_pair(&n, &c1, &s1);
  end_pair(&n, &c2, &s2);
  limits.send_memory = 17 * 1024;
  stack_set_limits(n.s, &limits);
  c1.to_send = 100;
  end_send(&c1);
  cr_expect_eq(stats_of(&n).refused[STACK_LIMIT_SEND_MEMORY], 0);
  cr_expect_eq(stack_conn_send_space(c2.c, iov), 0);
  cr_expect_eq(stats_of(&n).refused[STACK_LIMIT_SEND_MEMORY], 1);
  c2.to_send = 30000; /* two times what fits */
  run(&n, 5 * SEC);
  cr_expect_eq(s1.got, 100);
  cr_expect_geq(c2.writable, 1);
  cr_expect_eq(s2.got, 30000);
  cr_expect(!s2.bad);
  end_close(&c1), end_close(&s1), end_close(&c2), end_close(&s2);
  run(&n, 120 * SEC);
  net_close(&n);
}
