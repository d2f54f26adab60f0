/* SPDX-License-Identifier: BSD-3-Clause
 * A wire that wants to harm: malformed frames of every protocol, forged errors, peers that break the rules of TCP. The
 * stack stays alive, no assertion of lwIP that guards memory is needed, and every object is gone afterwards.
 */
#include "stack_peer.h"

TestSuite(stack_hostile, .init = setup, .fini = teardown, .timeout = 120);

Test(stack_hostile, short_frames_never_reach_lwip) {
  uint8_t f[64];
  for (size_t len = 14; len < 42; len++) {
    memset(f, 0, sizeof f);
    memset(f, 0xff, 6);
    wire_put(f + 12, 0x0806, 2);
    wire_inject(&w, f, len);
  }
  cr_expect_eq(stats().short_arp, 42 - 15);
  cr_expect_eq(stats().short_frames, 1);
  for (size_t len = 15; len < 34; len++) {
    memset(f, 0x45, sizeof f);
    memcpy(f, w.mac, 6);
    wire_put(f + 12, 0x0800, 2);
    wire_inject(&w, f, len);
  }
  cr_expect_eq(stats().short_frames, 1 + 34 - 15);
  wire_put(f + 12, 0x88cc, 2);
  wire_inject(&w, f, 60);
  cr_expect_eq(stats().bad_ethertype, 1);
}

Test(stack_hostile, nothing_answers_ipv6_or_martians) {
  uint8_t f[128] = {0};
  wire_run(&w, 60 * SEC);
  unsigned before = w.n;
  memset(f, 0xff, 6);
  wire_put(f + 12, 0x86dd, 2);
  f[14] = 0x60;
  wire_inject(&w, f, 100);
  struct {
    uint32_t src, dst;
  } bad[] = {{WIRE_OWN, WIRE_OWN}, {0x7f000001, WIRE_OWN}, {WIRE_PEER, 0x7f000001}, {WIRE_PEER, 0xe0000001},
             {WIRE_PEER, 0x0a000063}};
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    memset(f + 34, 0, 16);
    f[34] = 8;
    wire_put(f + 36, wire_sum(f + 34, 16, 0), 2);
    wire_ip(&w, f, 1, 16);
    wire_put(f + 26, bad[i].src, 4);
    wire_put(f + 30, bad[i].dst, 4);
    wire_put(f + 24, 0, 2);
    wire_put(f + 24, wire_sum(f + 14, 20, 0), 2);
    wire_inject(&w, f, 50);
  }
  wire_run(&w, 60 * SEC);
  cr_expect_eq(w.n, before);
}

Test(stack_hostile, icmp_ends_a_connection_only_while_connecting_and_only_with_the_right_sequence) {
  struct net_endpoint remote = ep(net_addr_v4(WIRE_PEER), 80);
  uint8_t f[128], quote[28];
  cr_assert_eq(stack_tcp_connect(w.s, NULL, &remote, &end_ops, &e, &e.c), 0);
  wire_run(&w, 10 * MS);
  const uint8_t *out = wire_last(&w, 0);
  cr_assert(out[23] == 6 && out[47] == WIRE_SYN);
  memcpy(quote, out + 14, 28);
  for (int good = 0; good < 2; good++) {
    if (!good)
      quote[27] ^= 0x40;
    memset(f, 0, sizeof f);
    f[34] = 3;
    f[35] = 1;
    memcpy(f + 42, quote, 28);
    wire_put(f + 36, wire_sum(f + 34, 36, 0), 2);
    wire_inject(&w, f, wire_ip(&w, f, 1, 36));
    wire_run(&w, 10 * MS);
    cr_expect_eq(e.ended, (unsigned)good);
    quote[27] ^= 0x40;
  }
  cr_expect_eq(e.why, STACK_END_UNREACHABLE);
  struct stack_conn_info info;
  stack_conn_info(e.c, &info);
  cr_expect_eq(info.end_error, -EHOSTUNREACH);
}

Test(stack_hostile, syn_is_sent_again_with_backoff_and_given_up) {
  struct net_endpoint remote = ep(net_addr_v4(WIRE_PEER), 80);
  cr_assert_eq(stack_tcp_connect(w.s, NULL, &remote, &end_ops, &e, &e.c), 0);
  wire_run(&w, 500 * MS);
  unsigned start = w.n;
  wire_run(&w, 3 * SEC);
  cr_expect_eq(w.n - start, 2, "after 1 and 3 seconds");
  wire_run(&w, 200 * SEC);
  cr_expect_eq(e.why, STACK_END_TIMED_OUT);
}

Test(stack_hostile, syn_flood_is_bounded_by_the_backlog) {
  listen_on(80, 16);
  for (uint16_t i = 0; i < 1000; i++)
    wire_tcp(&w, &(struct wire_tcp){.sport = (uint16_t)(1000 + i), .dport = 80, .seq = i, .flags = WIRE_SYN, .wnd = 100});
  cr_expect_eq(stats().tcp_active, 16);
  cr_expect_eq(stats().syn_dropped, 1000 - 16);
  struct stack_listener_info info;
  stack_listener_info(l, &info);
  cr_expect_eq(info.half_open, 16);
  wire_run(&w, 60 * SEC);
  cr_expect_eq(stats().tcp_active, 0, "half-open ones are forgotten");
}

/* Out of order beyond the window, then the gap: rcv_wnd must not wrap. */
Test(stack_hostile, window_holds_against_out_of_order_overrun) {
  uint32_t ack = handshake(NULL, 0);
  stack_conn_set_rcvbuf(e.c, 4096);
  wire_run(&w, 10 * MS);
  struct wire_tcp t = {.sport = 999, .dport = 80, .ack = ack, .flags = WIRE_ACK, .wnd = 65000};
  t.seq = 1001 + 4000, t.len = 1400;
  wire_tcp(&w, &t);
  for (t.seq = 1001, t.len = 1000; t.seq < 1001 + 4000; t.seq += 1000)
    wire_tcp(&w, &t);
  for (int i = 0; i < 50; i++, t.seq += 1000)
    wire_tcp(&w, &t);
  cr_expect_leq(stack_conn_unread(e.c), 4096);
  cr_expect_geq(stack_conn_unread(e.c), 4000);
}

/* Data that fills the window and covers a queued FIN must not take the FIN with it. */
Test(stack_hostile, window_holds_against_a_fin_beyond_it) {
  uint32_t ack = handshake(NULL, 0);
  stack_conn_set_rcvbuf(e.c, 4096);
  wire_run(&w, 10 * MS);
  struct wire_tcp t = {.sport = 999, .dport = 80, .ack = ack, .flags = WIRE_ACK | WIRE_FIN, .wnd = 65000};
  t.seq = 1001 + 4095;
  wire_tcp(&w, &t);
  t.flags = WIRE_ACK;
  for (t.seq = 1001, t.len = 1024; t.seq < 1001 + 4096; t.seq += 1024)
    wire_tcp(&w, &t);
  for (int i = 0; i < 50; i++, t.seq += 1000)
    wire_tcp(&w, &t);
  cr_expect_leq(stack_conn_unread(e.c), 4096);
}

Test(stack_hostile, a_tiny_mss_is_raised_and_a_late_one_ignored) {
  static const uint8_t one[] = {2, 4, 0, 1}, late[] = {2, 4, 0, 100};
  uint32_t ack = handshake(one, sizeof one);
  struct stack_conn_info info;
  stack_conn_info(e.c, &info);
  cr_expect_eq(info.mss, 64);
  e.to_send = 400000;
  end_send(&e);
  wire_run(&w, 10 * MS);
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1001, .ack = ack + 64, .flags = WIRE_ACK,
                                  .wnd = 65000, .options = late, .n_options = 4});
  stack_conn_info(e.c, &info);
  cr_expect_eq(info.mss, 64);
}

/* The last byte of the options is a kind that wants a length. With sanitizers this is a read out of bounds. */
Test(stack_hostile, options_that_end_too_early) {
  static const uint8_t kinds[] = {2, 3, 4, 5, 8, 77};
  listen_on(80, 255);
  for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
    for (size_t n = 4; n <= 40; n += 4) {
      uint8_t o[40];
      memset(o, 1, sizeof o);
      o[n - 1] = kinds[i];
      wire_tcp(&w, &(struct wire_tcp){.sport = (uint16_t)(i * 100 + n), .dport = 80, .flags = WIRE_SYN, .wnd = 1,
                                      .options = o, .n_options = n});
    }
  cr_expect_eq(stats().tcp_active, ARRAY_SIZE(kinds) * 10);
}

Test(stack_hostile, user_timeout_when_nothing_is_acknowledged) {
  handshake(NULL, 0);
  struct stack_conn_options o = {.user_timeout_ms = 7000};
  cr_assert_eq(stack_conn_set_options(e.c, &o), 0);
  e.to_send = 1000;
  end_send(&e);
  wire_run(&w, 6 * SEC);
  cr_expect_eq(e.ended, 0);
  struct stack_conn_info info;
  stack_conn_info(e.c, &info);
  cr_expect_gt(info.retransmits, 2);
  wire_run(&w, 2 * SEC);
  cr_expect_eq(e.why, STACK_END_TIMED_OUT);
}

Test(stack_hostile, keepalive_death) {
  handshake(NULL, 0);
  struct stack_conn_options o = {.keepalive_idle_s = 10, .keepalive_interval_s = 2, .keepalive_count = 3};
  cr_assert_eq(stack_conn_set_options(e.c, &o), 0);
  wire_run(&w, 9 * SEC);
  unsigned before = w.n;
  wire_run(&w, 6 * SEC);
  cr_expect_eq(w.n - before, 3, "probes at 10, 12 and 14 seconds: %u", w.n - before);
  cr_expect_eq(e.ended, 0);
  wire_run(&w, 3 * SEC);
  cr_expect_eq(e.why, STACK_END_TIMED_OUT);
}

Test(stack_hostile, zero_window_is_probed_and_data_flows_when_it_opens) {
  uint32_t ack = handshake(NULL, 0);
  struct wire_tcp t;
  peer_window(&t, ack, 0);
  e.to_send = 100;
  end_send(&e);
  wire_run(&w, 1 * SEC);
  cr_expect_eq(wire_get(wire_last(&w, 0) + 16, 2), 40, "nothing but ACKs may go out");
  unsigned before = w.n;
  wire_run(&w, 10 * SEC);
  cr_expect_geq(w.n - before, 2);
  cr_expect_leq(w.n - before, 5, "%u probes in ten seconds", w.n - before);
  t.wnd = 1000;
  wire_tcp(&w, &t);
  wire_run(&w, 1 * SEC);
  t.ack = ack + 100;
  wire_tcp(&w, &t);
  cr_expect_eq(stack_conn_unacked(e.c), 0);
}

/* Fragments behind the last one: the datagram is never complete, and is forgotten. */
Test(stack_hostile, fragments_behind_the_last) {
  struct {
    unsigned offset, len;
    bool more;
  } frag[] = {{1, 8, false}, {2, 1400, true}, {177, 1400, true}, {0, 8, true}};
  uint8_t f[1600] = {0};
  for (size_t i = 0; i < ARRAY_SIZE(frag); i++) {
    size_t n = wire_ip(&w, f, 17, frag[i].len);
    wire_put(f + 18, 77, 2);
    wire_put(f + 20, frag[i].offset | (frag[i].more ? 0x2000 : 0), 2);
    wire_put(f + 24, 0, 2);
    wire_put(f + 24, wire_sum(f + 14, 20, 0), 2);
    wire_inject(&w, f, n);
  }
  cr_expect_gt(stats().pbuf_bytes, 0);
  wire_run(&w, 30 * SEC);
  cr_expect_eq(stats().pbuf_bytes, 0);
}

static uint64_t rnd(uint64_t *s) {
  *s ^= *s << 13;
  *s ^= *s >> 7;
  *s ^= *s << 17;
  return *s;
}

/* What was said last between the two is taken, bent, and said again. */
Test(stack_hostile, a_hundred_thousand_mutations, .timeout = 300) {
  uint64_t seed = 88172645463325252u;
  static uint8_t base[8][1600];
  size_t len[8];
  uint32_t ack = handshake(NULL, 0);
  e.to_send = 100000;
  end_send(&e);
  for (int i = 0; i < 8; i++) {
    uint8_t *f = base[i];
    memset(f, 0, sizeof base[i]);
    for (int k = 34; k < 200; k++)
      f[k] = (uint8_t)rnd(&seed);
    if (i < 4) { /* TCP for the connection */
      wire_put(f + 34, 999, 2);
      wire_put(f + 36, 80, 2);
      wire_put(f + 38, 1001, 4);
      wire_put(f + 42, ack, 4);
      f[46] = i < 2 ? 0x50 : 0xa0;
      f[47] = WIRE_ACK;
    } else if (i < 6) { /* ICMP */
      f[34] = i == 4 ? 8 : 3;
      f[42] = 0x45;
    }
    len[i] = wire_ip(&w, f, i < 4 ? 6 : i < 6 ? 1 : 17, 120);
  }
  wire_put(base[7] + 12, 0x0806, 2);
  for (int i = 0; i < 100000; i++) {
    uint8_t f[1600];
    unsigned k = (unsigned)(rnd(&seed) % 8);
    memcpy(f, base[k], len[k]);
    for (unsigned m = (unsigned)(rnd(&seed) % 4); m > 0; m--)
      f[12 + rnd(&seed) % (len[k] - 12)] = (uint8_t)rnd(&seed);
    size_t n = rnd(&seed) % 8 ? len[k] : 14 + rnd(&seed) % (len[k] - 14);
    if (rnd(&seed) % 4) { /* with right checksums it gets further */
      wire_put(f + 24, 0, 2);
      wire_put(f + 24, wire_sum(f + 14, 20, 0), 2);
      if (k < 4)
        wire_l4_sum(f, len[k] - 34, 16);
      else if (k < 6) {
        wire_put(f + 36, 0, 2);
        wire_put(f + 36, wire_sum(f + 34, len[k] - 34, 0), 2);
      }
    }
    wire_inject(&w, f, n);
    if (i % 1000 == 0)
      wire_run(&w, 1 * SEC);
  }
}

/* RFC 6528: unrelated between four-tuples, and for the same one a clock of 4 microseconds. */
Test(stack_hostile, initial_sequence_numbers) {
  uint32_t isn[8];
  listen_on(80, 255);
  for (uint16_t i = 0; i < 8; i++) {
    uint16_t port = i < 7 ? (uint16_t)(5000 + i) : 5006;
    if (i == 7) { /* the last once more, a second after it was reset */
      wire_tcp(&w, &(struct wire_tcp){.sport = port, .dport = 80, .seq = 1, .flags = WIRE_RST});
      wire_run(&w, 1 * SEC);
    }
    wire_tcp(&w, &(struct wire_tcp){.sport = port, .dport = 80, .seq = 0, .flags = WIRE_SYN, .wnd = 1000});
    const uint8_t *f = wire_last(&w, 0);
    cr_assert_eq(f[47], WIRE_SYN | WIRE_ACK);
    isn[i] = wire_get(f + 38, 4);
  }
  for (int i = 1; i < 7; i++)
    cr_expect_gt((uint32_t)(isn[i] - isn[i - 1] + 1000), 2000, "%u after %u", isn[i], isn[i - 1]);
  cr_expect_eq(isn[7] - isn[6], 250000);
}
