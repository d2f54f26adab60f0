/* SPDX-License-Identifier: BSD-3-Clause
 * What receive windows promise: how large they are while others promise much, what counts, and that nothing is taken
 * back. tests/sim/test_sim_promise.c fills the stack with it. Patch 0043 of third_party/lwip/patches.
 */
#include "stack_peer.h"

#include "stack/stack_tcp_private.h"

TestSuite(stack_promise, .init = setup, .fini = teardown, .timeout = 60);

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

Test(stack_promise, newcomers_get_less_and_the_share_is_not_passed_before_the_floor) {
  static const size_t shares[] = {0, 1, 16 * KIB, 2 * MIB, 64 * MIB, 512 * MIB};
  for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
    size_t all = 0, last = STACK_RCVBUF, at_floor = 0;
    for (unsigned k = 0; k < 20000; k++) {
      size_t w = tune_first(shares[i], all);
      cr_assert(w <= last && w >= STACK_RCVBUF_FLOOR && w <= STACK_RCVBUF);
      cr_assert(w == STACK_RCVBUF_FLOOR || all + w <= shares[i], "%zu of %zu and %zu more", all, shares[i], w);
      at_floor += w == STACK_RCVBUF_FLOOR;
      all += w;
      last = w;
    }
    cr_expect_leq(all, shares[i] + at_floor * STACK_RCVBUF_FLOOR);
  }
  cr_expect_eq(tune_first(64 * MIB, 0), STACK_RCVBUF);
  cr_expect_eq(tune_first(64 * MIB, 32 * MIB), STACK_RCVBUF, "half of it is given out in full");
  cr_expect_eq(tune_first(64 * MIB, 48 * MIB), 256 * KIB);
  cr_expect_eq(tune_first(64 * MIB, 63 * MIB), STACK_RCVBUF_FLOOR);
  cr_expect_eq(tune_first(64 * MIB, SIZE_MAX), STACK_RCVBUF_FLOOR);
}

Test(stack_promise, growth_never_takes_all) {
  size_t all = 0, n = 0;
  for (; n < 1000; n++) {
    size_t more = MIN(tune_grown(64 * MIB, all), 5 * MIB + 512 * KIB);
    cr_assert_lt(all + more, 64 * MIB);
    cr_expect(n >= 8 || more == 5 * MIB + 512 * KIB, "eight at full size: %zu", n);
    all += more;
  }
  cr_expect_eq(tune_grown(64 * MIB, 64 * MIB), 0);
  cr_expect_eq(tune_grown(64 * MIB, SIZE_MAX), 0);
  cr_expect_eq(tune_grown(0, 0), 0);
}

static uint32_t window_of(const uint8_t *f, unsigned scale) { return wire_get(f + 48, 2) << scale; }

/* With a peer that scales and one that does not. */
Test(stack_promise, p0043_a_syn_offers_the_floor) {
  static const uint8_t scale[] = {1, 3, 3, 0};
  listen_on(80, 8);
  for (unsigned i = 0; i < 2; i++) {
    wire_tcp(&w, &(struct wire_tcp){.sport = (uint16_t)(900 + i), .dport = 80, .seq = 1000, .flags = WIRE_SYN, .wnd = 65000,
                                    .options = scale, .n_options = i ? sizeof scale : 0});
    cr_expect_eq(wire_last(&w, 0)[47], WIRE_SYN | WIRE_ACK);
    cr_expect_eq(window_of(wire_last(&w, 0), 0), TCP_SYN_WND);
  }
  struct net_endpoint to = ep(net_addr_v4(WIRE_PEER), 9);
  cr_assert_eq(stack_tcp_connect(w.s, NULL, &to, &end_ops, &e, &e.c), 0);
  wire_run(&w, 1 * MS);
  cr_expect_eq(wire_last(&w, 0)[47], WIRE_SYN);
  cr_expect_eq(window_of(wire_last(&w, 0), 0), TCP_SYN_WND);
}

static uint64_t promised(void) { return stats().rx_promised; }

Test(stack_promise, what_counts) {
  static const uint8_t scale[] = {1, 3, 3, 0};
  cr_expect_eq(promised(), 0);
  uint32_t ack = handshake(scale, sizeof scale);
  cr_expect_eq(promised(), STACK_RCVBUF);
  struct wire_tcp t = {.sport = 999, .dport = 80, .seq = 1001, .ack = ack, .flags = WIRE_ACK, .wnd = 65000, .len = 1000};
  for (unsigned i = 0; i < 100; i++, t.seq += 1000)
    wire_tcp(&w, &t);
  cr_expect_eq(promised(), STACK_RCVBUF, "what lies here was promised before");
  stack_conn_set_rcvbuf(e.c, 64 * KIB);
  cr_expect_eq(promised(), STACK_RCVBUF, "and what may still come");
  stack_conn_consume(e.c, 50000);
  cr_expect_eq(promised(), STACK_RCVBUF - 50000, "the debt is paid");
  t.flags = WIRE_RST | WIRE_ACK;
  t.len = 0;
  wire_tcp(&w, &t);
  wire_run(&w, 1 * MS);
  cr_expect_eq(e.ended, 1);
  cr_expect_eq(promised(), 50000, "only what lies here, now that nothing comes");
  stack_conn_consume(e.c, 20000);
  cr_expect_eq(promised(), 30000);
  end_close(&e);
  cr_expect_eq(promised(), 0);
}

/* Where a window ends, as the peer sees it, never moves back: at the floor, while it grows, and when it is made smaller. */
static uint32_t edge, seen;

static void edges(unsigned scale) {
  for (; seen < w.n; seen++) {
    const uint8_t *f = w.got[seen % WIRE_KEEP].data;
    if (wire_get(f + 12, 2) != 0x0800 || f[23] != 6 || !(f[47] & WIRE_ACK))
      continue;
    uint32_t right = wire_get(f + 42, 4) + window_of(f, f[47] & WIRE_SYN ? 0 : scale);
    int32_t more = (int32_t)(right - edge);
    cr_expect_gt(more, f[47] & WIRE_SYN ? 0 : -(1 << scale), "%d bytes taken back", -more); /* the field is rounded down */
    edge = more > 0 ? right : edge;
  }
}

Test(stack_promise, nothing_is_taken_back) {
  static const uint8_t scale[] = {1, 3, 3, 0};
  struct stack_limits limits = STACK_LIMITS_DEFAULT;
  limits.memory = 8 * MIB; /* a share of one, of which a 64th is the floor */
  stack_set_limits(w.s, &limits);
  seen = w.n;
  edge = 1001;
  uint32_t ack = handshake(scale, sizeof scale);
  edges(TCP_RCV_SCALE);
  stack_conn_set_rcvbuf_max(e.c, 6 * MIB); /* as the grant's bound is set behind the accept */
  wire_run(&w, 100 * MS);
  edges(TCP_RCV_SCALE);
  struct stack_conn_info info;
  stack_conn_info(e.c, &info);
  cr_expect_eq(info.recv_capacity, STACK_RCVBUF_FLOOR);
  cr_expect_eq(promised(), STACK_RCVBUF_FLOOR);
  struct wire_tcp t = {.sport = 999, .dport = 80, .seq = 1001, .ack = ack, .flags = WIRE_ACK, .wnd = 65000, .len = 1400};
  size_t largest = 0;
  for (unsigned i = 0; i < 400; i++) {
    wire_tcp(&w, &t);
    edges(TCP_RCV_SCALE);
    t.seq += 1400;
    stack_conn_consume(e.c, stack_conn_unread(e.c));
    wire_run(&w, i % 10 == 0 ? 1 * MS : 0);
    edges(TCP_RCV_SCALE);
    stack_conn_info(e.c, &info);
    largest = MAX(largest, info.recv_capacity);
    if (i == 300)
      stack_conn_set_rcvbuf(e.c, 8 * KIB);
  }
  cr_expect_eq(info.bytes_in, 400 * 1400u);
  cr_expect_leq(largest, STACK_RCVBUF_FLOOR + 256 * KIB, "it grows within a fourth of the other share");
  cr_expect_eq(promised(), 8 * KIB);
}
