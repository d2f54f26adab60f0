/* SPDX-License-Identifier: BSD-3-Clause
 * What becomes of a SYN beyond a listener's backlog, on the wire and in the counters.
 */
#include "stack_peer.h"

static struct stack_listener_info info_now(void) {
  struct stack_listener_info info;
  stack_listener_info(l, &info);
  return info;
}

TestSuite(stack_overflow, .init = setup, .fini = teardown, .timeout = 60);

static void open_80(unsigned backlog, enum stack_overflow overflow) {
  const struct stack_listen_options o = {.backlog = backlog, .overflow = overflow};
  const struct net_endpoint at = ep(net_addr_v4(WIRE_OWN), 80);
  cr_assert_eq(stack_tcp_listen(w.s, &at, &o, &lops, &waiting, &l), 0);
}

static void send_from(uint16_t port, uint8_t flags, uint32_t seq, uint32_t ack, size_t len) {
  wire_tcp(&w, &(struct wire_tcp){.sport = port, .dport = 80, .seq = seq, .ack = ack, .flags = flags, .wnd = 65000,
                                  .len = len});
}

/* The answer to a segment; NULL: none came. */
static const uint8_t *answer_to(uint16_t port, uint8_t flags, uint32_t seq, uint32_t ack, size_t len) {
  unsigned before = w.n;
  send_from(port, flags, seq, ack, len);
  return w.n == before ? NULL : wire_last(&w, 0);
}

/* Our initial sequence number. */
static uint32_t half_open(uint16_t port, uint32_t seq) {
  const uint8_t *f = answer_to(port, WIRE_SYN, seq, 0, 0);
  cr_assert(f && f[47] == (WIRE_SYN | WIRE_ACK));
  return wire_get(f + 38, 4);
}

/* RFC 9293 3.10.7.1, byte by byte: from us to who asked, and nothing in it but the header. */
static void expect_reset(const uint8_t *f, uint16_t port, uint32_t ack) {
  cr_assert(f, "nothing came");
  cr_expect_arr_eq(f, wire_peer_mac, 6);
  cr_expect_eq(wire_get(f + 16, 2), 40, "IP and TCP without options or data");
  cr_expect_eq(f[23], 6);
  cr_expect_eq(wire_get(f + 26, 4), WIRE_OWN);
  cr_expect_eq(wire_get(f + 30, 4), WIRE_PEER);
  cr_expect_eq(wire_get(f + 34, 2), 80);
  cr_expect_eq(wire_get(f + 36, 2), port);
  cr_expect_eq(wire_get(f + 38, 4), 0, "SEQ=0");
  cr_expect_eq(wire_get(f + 42, 4), ack, "ACK=SEG.SEQ+SEG.LEN: %#x for %#x", wire_get(f + 42, 4), ack);
  cr_expect_eq(f[46], 0x50);
  cr_expect_eq(f[47], WIRE_RST | WIRE_ACK);
  uint8_t copy[54];
  memcpy(copy, f, sizeof copy);
  wire_l4_sum(copy, 20, 16);
  cr_expect_arr_eq(copy + 50, f + 50, 2, "the checksum");
}

Test(stack_overflow, waits_at_n_and_one_more) {
  open_80(3, STACK_OVERFLOW_WAIT);
  for (uint16_t i = 0; i < 3; i++)
    (void)half_open((uint16_t)(1000 + i), 7);
  cr_expect_eq(info_now().dropped, 0);
  cr_expect_null(answer_to(2000, WIRE_SYN, 500, 0, 0));
  struct stack_listener_info info = info_now();
  cr_expect_eq(info.half_open, 3);
  cr_expect_eq(info.dropped, 1);
  cr_expect_eq(info.refused, 0);
  cr_expect_eq(stats().syn_dropped, 1);
}

/* Half-open and waiting ones fill it together. */
Test(stack_overflow, refuses_at_n_and_one_more) {
  open_80(3, STACK_OVERFLOW_REFUSE);
  (void)half_open(1000, 7);
  uint32_t isn = half_open(1001, 7);
  send_from(1001, WIRE_ACK, 8, isn + 1, 0);
  (void)half_open(1002, 7);
  struct stack_listener_info info = info_now();
  cr_expect_eq(info.waiting, 1);
  cr_expect_eq(info.half_open, 2);
  cr_expect_eq(info.refused, 0);
  expect_reset(answer_to(2000, WIRE_SYN, 500, 0, 0), 2000, 501);
  expect_reset(answer_to(2000, WIRE_SYN, 0xffffffff, 0, 0), 2000, 0);
  info = info_now();
  cr_expect_eq(info.half_open, 2);
  cr_expect_eq(info.waiting, 1);
  cr_expect_eq(info.refused, 2);
  cr_expect_eq(info.dropped, 0);
  cr_expect_eq(stats().syn_dropped, 0);
  cr_expect_eq(stats().tcp_active, 3);
  cr_assert_eq(stack_listener_accept(l, &end_ops, &e, &e.c), 0);
  (void)half_open(2000, 9);
  cr_expect_eq(info_now().refused, 2, "there is a place again");
}

/* What it carries is acknowledged with it; an acknowledgment number without ACK means nothing. */
Test(stack_overflow, a_reset_acknowledges_all_of_the_segment) {
  open_80(1, STACK_OVERFLOW_REFUSE);
  (void)half_open(1000, 7);
  expect_reset(answer_to(2000, WIRE_SYN, 500, 0x12345678, 0), 2000, 501);
  expect_reset(answer_to(2000, WIRE_SYN, 500, 0, 100), 2000, 601);
  expect_reset(answer_to(2000, WIRE_SYN | WIRE_FIN, 500, 0, 100), 2000, 602);
  cr_expect_eq(info_now().refused, 3);
}

/* The SYN of one who has a place, sent again, and all that comes of it. */
Test(stack_overflow, refusing_touches_nobody_who_is_in) {
  open_80(2, STACK_OVERFLOW_REFUSE);
  uint32_t isn = half_open(1000, 7);
  send_from(1000, WIRE_ACK, 8, isn + 1, 0);
  cr_assert_eq(stack_listener_accept(l, &end_ops, &e, &e.c), 0);
  e.hold = true;
  uint32_t waits = half_open(1001, 7), half = half_open(1002, 7);
  send_from(1001, WIRE_ACK, 8, waits + 1, 0);
  for (uint16_t i = 0; i < 20; i++)
    expect_reset(answer_to((uint16_t)(2000 + i), WIRE_SYN, i, 0, 0), (uint16_t)(2000 + i), i + 1u);
  cr_expect_eq(stats().tcp_active, 3);
  const uint8_t *f = answer_to(1002, WIRE_SYN, 7, 0, 0);
  cr_assert(f && f[47] == (WIRE_SYN | WIRE_ACK), "the half-open one is answered again");
  cr_expect_eq(wire_get(f + 38, 4), half);
  send_from(1002, WIRE_ACK, 8, half + 1, 0);
  cr_expect_eq(info_now().waiting, 2);
  send_from(1000, WIRE_ACK, 8, isn + 1, 100);
  cr_expect_eq(stack_conn_unread(e.c), 100, "the established one goes on");
  cr_expect_eq(e.ended, 0);
  cr_expect_eq(info_now().refused, 20);
}

/* The old connection stays, as it does when the SYN is dropped. */
Test(stack_overflow, refusing_keeps_time_wait) {
  open_80(1, STACK_OVERFLOW_REFUSE);
  uint32_t isn = half_open(999, 1000);
  send_from(999, WIRE_ACK, 1001, isn + 1, 0);
  cr_assert_eq(stack_listener_accept(l, &end_ops, &e, &e.c), 0);
  cr_assert_eq(stack_conn_shutdown_write(e.c), 0);
  wire_run(&w, 0);
  send_from(999, WIRE_FIN | WIRE_ACK, 1001, isn + 2, 0);
  cr_assert_eq(stats().tcp_time_wait, 1);
  (void)half_open(5000, 7);
  expect_reset(answer_to(999, WIRE_SYN, 1u << 30, 0, 0), 999, (1u << 30) + 1);
  cr_expect_eq(stats().tcp_time_wait, 1);
}

/* A flood from addresses that are not the sender's is not reflected without end. */
Test(stack_overflow, resets_are_limited_and_what_is_beyond_is_dropped) {
  struct stack_limits limits = STACK_LIMITS_DEFAULT;
  open_80(1, STACK_OVERFLOW_REFUSE);
  (void)half_open(1000, 7);
  limits.resets = 1;
  limits.resets_burst = 2;
  stack_set_limits(w.s, &limits);
  for (uint16_t i = 0; i < 5; i++)
    cr_expect_eq(answer_to((uint16_t)(2000 + i), WIRE_SYN, 7, 0, 0) != NULL, i < 2, "%u", i);
  struct stack_listener_info info = info_now();
  cr_expect_eq(info.refused, 2);
  cr_expect_eq(info.dropped, 3);
  cr_expect_eq(stats().syn_dropped, 3);
  cr_expect_eq(stats().refused[STACK_LIMIT_RESETS], 3);
}

/* A half-open one goes with the address and without a word; the SYN that is sent again finds the listener there. */
Test(stack_overflow, who_follows_keeps_its_policy) {
  const struct stack_listen_options o = {.backlog = 1, .follow = true, .overflow = STACK_OVERFLOW_REFUSE};
  const struct net_endpoint at = ep(net_addr_v4(WIRE_OWN), 80);
  cr_assert_eq(stack_tcp_listen(w.s, &at, &o, &lops, &waiting, &l), 0);
  (void)half_open(1000, 7);
  unsigned before = w.n;
  stack_if_clear_ipv4(w.i);
  wire_run(&w, 10 * SEC);
  cr_expect_eq(w.n, before);
  cr_expect_eq(info_now().half_open, 0);
  cr_expect_eq(stats().tcp_active, 0);
  cr_assert_eq(stack_if_set_ipv4(w.i, &at.addr, 24, NULL), 0);
  wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
  (void)half_open(1000, 7);
  expect_reset(answer_to(2000, WIRE_SYN, 500, 0, 0), 2000, 501);
  cr_expect_eq(info_now().refused, 1);
}
