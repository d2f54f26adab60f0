/* SPDX-License-Identifier: BSD-3-Clause
 * A peer that acknowledges what it likes: the books of the sender stay in order, its memory is bounded, and an honest
 * peer that takes over gets the rest.
 */
#include "../unit/stack_peer.h"
#include "../unit/stack_score.h"

#include "stack/stack_private.h"

TestSuite(sim_acks, .init = setup, .fini = teardown, .timeout = 120);

static const uint8_t with_sack[] = {2, 4, 5, 180, 1, 3, 3, 8, 4, 2, 1, 1};
static const uint8_t no_sack[] = {2, 4, 5, 180, 1, 3, 3, 8};
static const uint8_t unscaled[] = {2, 4, 5, 180, 4, 2, 1, 1};

static uint64_t seed;
static uint64_t draw(void) {
  uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}
static uint32_t below(uint32_t n) { return (uint32_t)(draw() % n); }

static struct tcp_pcb *ours(void) { return score_pcb(80); }

static void send_all(uint64_t n) {
  e.to_send = n;
  end_send(&e);
  wire_run(&w, 0);
}

static void ack(uint32_t seq, uint32_t to, uint16_t wnd, const uint8_t *options, size_t n) {
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = seq, .ack = to, .flags = WIRE_ACK, .wnd = wnd,
                                  .options = options, .n_options = n});
}

static size_t sack_option(uint8_t *o, const uint32_t (*blocks)[2], unsigned n) {
  o[0] = o[1] = 1;
  o[2] = 5;
  o[3] = (uint8_t)(2 + 8 * n);
  for (unsigned i = 0; i < n; i++) {
    wire_put(o + 4 + 8 * i, blocks[i][0], 4);
    wire_put(o + 8 + 8 * i, blocks[i][1], 4);
  }
  return 4 + 8 * (size_t)n;
}

/* An honest peer with a large window until everything has arrived. */
static void honest(void) {
  for (int i = 0; i < 20000 && !e.ended && stack_conn_unacked(e.c) > 0; i++) {
    ack(ours()->rcv_nxt, ours()->snd_nxt, 65000, NULL, 0);
    wire_run(&w, 50 * MS);
    score_check("honest", (uint64_t)i);
  }
  cr_expect(e.ended || stack_conn_unacked(e.c) == 0, "%zu bytes are left", stack_conn_unacked(e.c));
}

/* --- anything ---------------------------------------------------------------------------------------------------- */

static uint32_t random_place(const struct tcp_pcb *pcb) {
  uint32_t out = pcb->snd_nxt - pcb->lastack;
  switch (below(8)) {
    case 0:
      return (uint32_t)draw();
    case 1:
      return pcb->snd_nxt + below(3);
    case 2:
      return pcb->lastack - below(3000);
    case 3:
      return pcb->lastack + below(3);
    case 4:
      return pcb->lastack + below(20) * pcb->mss;
    default:
      return pcb->lastack + below(out + 1);
  }
}

static size_t random_options(uint8_t *o, const struct tcp_pcb *pcb) {
  uint32_t blocks[4][2];
  unsigned n = below(5);
  for (unsigned i = 0; i < n; i++) {
    blocks[i][0] = random_place(pcb);
    blocks[i][1] = below(3) ? blocks[i][0] + below(5 * 1460u) : random_place(pcb);
  }
  size_t len = sack_option(o, blocks, n);
  if (below(20) == 0)
    o[3] = (uint8_t)draw(); /* a length that is none */
  return below(10) ? len : 0;
}

static void random_segment(void) {
  static const uint16_t windows[] = {0, 1, 3, 100, 1459, 1461, 4000, 20000, 65000};
  const struct tcp_pcb *pcb = ours();
  uint8_t options[40];
  struct wire_tcp t = {.sport = 999, .dport = 80, .seq = pcb->rcv_nxt, .ack = pcb->lastack, .flags = WIRE_ACK,
                       .wnd = windows[below(ARRAY_SIZE(windows))], .options = options};
  t.n_options = random_options(options, pcb);
  switch (below(12)) {
    case 0:
      t.seq = (uint32_t)draw();
      break;
    case 1:
      t.seq -= below(3);
      break;
    case 2:
      t.len = below(3); /* makes a smaller window count */
      break;
    case 3:
      t.flags |= WIRE_PSH;
      break;
    case 4:
      t.seq += 1 + below(2000); /* not what is expected: RST and SYN are answered, and that is all */
      t.flags |= below(2) ? WIRE_RST : WIRE_SYN;
      break;
    default:;
  }
  if (below(2))
    t.ack = below(3) ? pcb->lastack + below(MIN(pcb->snd_nxt - pcb->lastack, 6 * 1460u) + 1) : random_place(pcb);
  wire_tcp(&w, &t);
}

static void random_peer(uint64_t s, const uint8_t *options, size_t n, unsigned segments) {
  handshake(options, n);
  struct stack_conn_options o = {.nodelay = s % 2};
  cr_assert_eq(stack_conn_set_options(e.c, &o), 0);
  e.shut_after = s % 3 == 0;
  for (seed = s; segments-- && !e.ended && ours();) {
    if (e.to_send < 2000000 && below(2))
      send_all(e.to_send + (below(2) ? below(200000) : below(300)));
    random_segment();
    score_check("random", segments);
    cr_assert_lt(stats().pbuf_bytes, 64u << 20);
    cr_assert_eq(stats().asserts, 0, "seed %lu, %u left", (unsigned long)s, segments);
    if (below(2))
      wire_run(&w, below(20) ? below(60) * MS : 2 * SEC);
    score_check("later", segments);
  }
  cr_expect_eq(e.ended, 0, "seed %lu: why %d", (unsigned long)s, e.why);
  if (!e.ended && ours())
    honest();
}

/* setup and teardown check each: one connection after another. */
static void random_peers(uint64_t first, unsigned n, unsigned segments) {
  for (uint64_t s = first; s < first + n; s++) {
    switch (s % 4) {
      case 0:
        random_peer(s, no_sack, sizeof no_sack, segments);
        break;
      case 1:
        random_peer(s, unscaled, sizeof unscaled, segments);
        break;
      default:
        random_peer(s, with_sack, sizeof with_sack, segments);
    }
    teardown();
    setup();
  }
}

Test(sim_acks, twenty_thousand_random_segments) { random_peers(1, 20, 1000); }

/* --- what they found, and what a reading found ---------------------------------------------------------------- */

/* RFC 9293 3.8.6.1: the byte of the probe is acknowledged, and the window stays closed. Nothing is left to probe with. */
Test(sim_acks, the_probe_was_all_there_was_to_send) {
  struct wire_tcp t;
  uint32_t at = handshake(with_sack, sizeof with_sack);
  peer_window(&t, at, 0);
  send_all(1);
  for (int i = 0; i < 100 && ours()->snd_nxt == at; i++)
    wire_run(&w, 100 * MS);
  cr_assert_eq(ours()->snd_nxt, at + 1, "probed");
  ack(t.seq, at + 1, 0, NULL, 0);
  cr_expect_eq(stack_conn_unacked(e.c), 0);
  score_check("acknowledged", 0);
  wire_run(&w, 200 * SEC);
  cr_expect_eq(stats().asserts, 0);
  send_all(1000);
  ack(t.seq, at + 1, 65000, NULL, 0);
  cr_expect_eq(ours()->snd_nxt, at + 1000);
  honest();
}

/* After a time-out the congestion window is one packet. A probe that was not answered is not in flight: when the window
 * opens, that packet goes. */
Test(sim_acks, a_lost_probe_holds_up_nothing) {
  struct wire_tcp t;
  uint32_t at = handshake(unscaled, sizeof unscaled);
  peer_window(&t, at, 65000);
  send_all(100);
  wire_run(&w, 1500 * MS); /* the probe for the tail, and the time-out */
  cr_assert_eq(ours()->cwnd, 1460);
  at += 100;
  t.ack = at, t.wnd = 0, t.len = 1;
  wire_tcp(&w, &t);
  t.seq++;
  cr_assert_eq(ours()->snd_wnd, 0);
  send_all(100 + 5000);
  for (int i = 0; i < 100 && ours()->snd_nxt == at; i++)
    wire_run(&w, 100 * MS);
  cr_assert_eq(ours()->snd_nxt, at + 1, "probed");
  t.wnd = 65000, t.len = 0;
  wire_tcp(&w, &t);
  score_check("open", 0);
  wire_run(&w, 10 * SEC);
  cr_expect_geq(ours()->snd_nxt - at, 1460, "%u bytes were sent in 10 s", ours()->snd_nxt - at);
  honest();
}

/* RFC 6582 3.2 step 5: an ACK of all that was out when the loss was seen ends it; what was sent since is not lost. */
Test(sim_acks, a_full_ack_names_nothing_lost) {
  uint32_t at = handshake(no_sack, sizeof no_sack);
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1001, .ack = at, .flags = WIRE_ACK, .wnd = 65000});
  send_all(400000);
  wire_run(&w, 20 * MS);
  ack(1001, at + 2920, 65000, NULL, 0);
  wire_run(&w, 20 * MS);
  for (int i = 0; i < 9; i++) {
    ack(1001, at + 2920, 65000, NULL, 0);
    wire_run(&w, 1 * MS);
  }
  const struct tcp_pcb *pcb = ours();
  cr_assert_eq(pcb->recovery, TCP_RECOVERY_FAST);
  cr_assert_gt(pcb->snd_nxt, pcb->recover, "new data left in the recovery");
  uint32_t rexmits = pcb->rexmits;
  ack(1001, pcb->recover, 65000, NULL, 0);
  cr_expect_neq(pcb->recovery, TCP_RECOVERY_FAST);
  cr_expect_eq(pcb->lost, 0);
  cr_expect_eq(pcb->rexmits, rexmits);
  honest();
}

/* A peer that reports every other byte as arrived: segments are not cut in crumbs, which would cost hundreds of bytes
 * each, and more pbufs than lwIP can count. */
Test(sim_acks, sacks_of_single_bytes_cost_no_memory) {
  uint32_t at = handshake(with_sack, sizeof with_sack);
  uint8_t options[40];
  uint32_t blocks[4][2];
  send_all(2000000);
  for (int i = 0; i < 200 && ours()->snd_nxt - ours()->lastack < 300000; i++) {
    ack(1001, ours()->snd_nxt, 65000, NULL, 0);
    wire_run(&w, 1 * MS);
  }
  at = ours()->lastack;
  cr_assert_gt(ours()->snd_nxt - at, 200000);
  uint64_t before = stats().pbuf_bytes;
  uint32_t pbufs = ours()->snd_queuelen;
  for (uint32_t off = 1; off < 40000; off += 8) {
    for (unsigned k = 0; k < 4; k++) {
      blocks[k][0] = at + off + 2 * k;
      blocks[k][1] = blocks[k][0] + 1;
    }
    ack(1001, at, 65000, options, sack_option(options, blocks, 4));
  }
  score_check("crumbs", 0);
  cr_expect_lt(ours()->snd_queuelen, pbufs + 4000, "%u pbufs", ours()->snd_queuelen);
  cr_expect_lt(stats().pbuf_bytes, before + 2000000, "%lu bytes", (unsigned long)stats().pbuf_bytes);
  honest();
}

/* RFC 9293 3.10.7.4: the window counts in a segment that is acceptable and acknowledges what was sent, and in no other.
 * Else whoever guesses the ports freezes it for good. */
static void forged_window(uint32_t seq_off, uint32_t ack_off) {
  struct wire_tcp t;
  uint32_t at = handshake(with_sack, sizeof with_sack);
  peer_window(&t, at, 10);
  uint32_t wl1 = ours()->snd_wl1, wl2 = ours()->snd_wl2;
  ack(t.seq + seq_off, at + ack_off, 0, NULL, 0);
  cr_expect_eq(ours()->snd_wnd, 10 << 8, "%u", ours()->snd_wnd);
  cr_expect_eq(ours()->snd_wl1, wl1);
  cr_expect_eq(ours()->snd_wl2, wl2);
  send_all(100000);
  honest();
  cr_expect_eq(e.ended, 0);
}
Test(sim_acks, a_window_far_ahead_of_what_is_expected) { forged_window(0x40000000, 0); }
Test(sim_acks, a_window_with_an_ack_of_what_was_never_sent) { forged_window(0, 0x40000000); }
Test(sim_acks, a_window_with_an_ack_from_long_ago) { forged_window(1, 0u - 0x10000000); }

/* All of lwIP's memory but so much, until it is given back. */
static size_t held;
static void hold_memory(size_t but) {
  size_t n = 0;
  for (size_t bit = (size_t)1 << 30; bit; bit >>= 1)
    if (stack_port_hold(bit))
      n += bit;
  cr_assert_gt(n, but);
  stack_port_release(but);
  held = n - but;
}
static void give_back(void) {
  stack_port_release(held);
  held = 0;
}

/* Ten seconds without memory are no twelve probes without an answer. */
Test(sim_acks, a_probe_without_memory_is_not_the_end) {
  struct wire_tcp t;
  uint32_t at = handshake(with_sack, sizeof with_sack);
  peer_window(&t, at, 0);
  send_all(200000);
  hold_memory(0);
  wire_run(&w, 10 * SEC);
  give_back();
  cr_assert_eq(e.ended, 0, "why %d", e.why);
  honest();
}

/* The window opens by a multiple of 64 KB while there is no memory to cut a segment: tried again, and not with what
 * 16 bits hold of the window. */
Test(sim_acks, no_memory_to_cut_for_a_window_of_64_kilobytes) {
  struct wire_tcp t;
  uint32_t at = handshake(with_sack, sizeof with_sack);
  peer_window(&t, at, 0);
  send_all(200000);
  t.wnd = 256; /* << 8 */
  for (size_t left = 0; ours()->snd_wnd == 0; left += 16) { /* until there is just enough for the frame */
    hold_memory(left);
    wire_tcp(&w, &t);
    give_back();
  }
  hold_memory(0);
  cr_assert_eq(ours()->snd_nxt, at, "no memory to cut");
  wire_run(&w, 10 * SEC);
  score_check("no memory", 0);
  give_back();
  cr_expect_eq(stats().asserts, 0);
  wire_run(&w, 60 * SEC);
  cr_expect_gt(ours()->snd_nxt - at, 1460);
  honest();
}

/* Every allocation may fail at any time. */
Test(sim_acks, memory_that_comes_and_goes) {
  handshake(with_sack, sizeof with_sack);
  for (seed = 99; e.to_send < 3000000 && !e.ended;) {
    hold_memory(below(20000));
    if (below(2))
      send_all(e.to_send + below(50000));
    for (int i = 0; i < 5 && ours(); i++) {
      random_segment();
      wire_run(&w, below(10) * MS);
      score_check("short of memory", e.to_send);
    }
    give_back();
    random_segment();
    wire_run(&w, below(10) * MS);
    score_check("memory", e.to_send);
    cr_assert_eq(stats().asserts, 0);
  }
  cr_expect_eq(e.ended, 0, "why %d", e.why);
  honest();
}

/* The clock of the round trips is of 32 bits, and wraps after 71 minutes: what arrived before a long pause is not later
 * than what was sent after it. The second of ten packets is reported: the first alone is lost. */
static void gap_after(uint64_t pause) {
  uint32_t at = handshake(with_sack, sizeof with_sack), block[1][2];
  uint8_t options[12];
  for (int i = 0; i < 5; i++) {
    send_all(e.to_send + 1460 * 10u);
    wire_run(&w, 10 * MS);
    ack(1001, at = ours()->snd_nxt, 65000, NULL, 0);
  }
  wire_run(&w, pause);
  send_all(e.to_send + 1460 * 10u);
  cr_assert_eq(ours()->snd_nxt, at + 1460 * 10u);
  wire_run(&w, 10 * MS);
  block[0][0] = at + 1460;
  block[0][1] = at + 2920;
  ack(1001, at, 65000, options, sack_option(options, block, 1));
  wire_run(&w, 8 * MS);
  cr_expect_eq(ours()->lost, 1460, "%u bytes lost", ours()->lost);
  honest();
}
Test(sim_acks, a_gap_after_a_minute) { gap_after(60 * SEC); }
Test(sim_acks, a_gap_after_forty_minutes) { gap_after(2400 * SEC); }
Test(sim_acks, a_gap_after_seventy_minutes) { gap_after(4200 * SEC); }
