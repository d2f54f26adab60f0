/* SPDX-License-Identifier: BSD-3-Clause
 * Packet scripts: timestamps (RFC 7323), what is echoed, the room they take, and the round trips they tell. Patches 0035
 * to 0037, 0039 and 0041 of third_party/lwip/patches.
 */
#include "stack_script_ts.h"

TestSuite(stack_ts, .init = setup, .fini = teardown, .timeout = 60);

/* --- agreeing on it --------------------------------------------------------------------------------------------- */

static uint16_t connect_out(void) {
  struct net_endpoint remote = ep(net_addr_v4(WIRE_PEER), 80);
  cr_assert_eq(stack_tcp_connect(w.s, NULL, &remote, &end_ops, &e, &e.c), 0);
  wire_run(&w, 0);
  cr_assert_eq(last_tcp()[47], WIRE_SYN);
  return (uint16_t)wire_get(last_tcp() + 34, 2);
}

static void answer_syn(uint16_t port, uint32_t ack, const uint8_t *options, size_t n) {
  wire_tcp(&w, &(struct wire_tcp){.sport = 80, .dport = port, .seq = 5000, .ack = ack, .flags = WIRE_SYN | WIRE_ACK,
                                  .wnd = 60000, .options = options, .n_options = n});
}

static void send_some(size_t n) {
  e.to_send += n;
  end_send(&e);
  wire_run(&w, 0);
}

Test(stack_ts, p0037_a_listener_answers_with_the_option) {
  open_stamped(1000, true, 77);
  const uint8_t *syn_ack = wire_last(&w, 0);
  uint32_t val, ecr;
  cr_assert(stamp_of(syn_ack, &val, &ecr));
  cr_expect_eq(ecr, 77);
  put(100);
  cr_assert(stamp_of(last_tcp(), &val, &ecr));
  cr_expect_eq(ecr, 77);
}

Test(stack_ts, p0037_a_peer_without_it_gets_none) {
  open_script(1000, true);
  cr_expect_not(last_has_stamp());
  put(100);
  cr_expect_not(last_has_stamp());
  script.ts = true; /* and later it is too late: it is not looked at, and nothing is answered with it */
  data(0, 100, 'a', 500);
  data(100, 100, 'b', 400);
  expect_received("100a 100b");
  cr_expect_not(last_has_stamp());
}

Test(stack_ts, p0037_a_connect_offers_it) {
  uint8_t o[12] = {1, 1, 8, 10, 0, 0, 0, 99};
  uint16_t port = connect_out();
  cr_expect_eq(last_echo(), 0, "there is nothing to echo yet");
  uint32_t syn_val = last_val();
  wire_put(o + 8, syn_val, 4);
  pass(70);
  answer_syn(port, wire_get(last_tcp() + 38, 4) + 1, o, sizeof o);
  cr_assert_eq(e.connected, 1);
  cr_expect_eq(last_tcp()[47], WIRE_ACK);
  cr_expect_eq(last_echo(), 99);
  cr_expect_eq(last_val(), syn_val + 70, "a clock of a millisecond");
  send_some(10);
  cr_expect_eq(last_echo(), 99);
}

Test(stack_ts, p0037_a_connect_to_a_peer_without_it) {
  uint16_t port = connect_out();
  answer_syn(port, wire_get(last_tcp() + 38, 4) + 1, NULL, 0);
  cr_assert_eq(e.connected, 1);
  send_some(10);
  cr_expect_not(last_has_stamp());
}

/* 7.1: neither the uptime of the machine nor the clock of another connection can be told. */
Test(stack_ts, p0037_each_connection_has_a_clock_of_its_own) {
  static const uint8_t o[12] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0};
  uint32_t val[3], now = (uint32_t)(loop_now(w.loop, CLOCK_ID_MONO) / MS);
  listen_on(80, 8);
  for (uint16_t i = 0; i < 3; i++) {
    wire_tcp(&w, &(struct wire_tcp){.sport = (uint16_t)(999 + i), .dport = 80, .flags = WIRE_SYN, .wnd = 100,
                                    .options = o, .n_options = 12});
    val[i] = last_val();
    cr_expect_neq(val[i], now);
  }
  cr_expect(val[0] != val[1] && val[1] != val[2]);
}

/* 3.2: the peer has to go on. Nothing is answered, and the connection stays. */
Test(stack_ts, p0037_a_segment_without_it_is_dropped) {
  open_stamped(1000, true, 100);
  data(0, 100, 'a', 100);
  pass(50);
  unsigned before = w.n;
  script.ts = false;
  data(100, 100, 'x', 0);
  peer(WIRE_ACK | WIRE_FIN, 100, 0, 0, 0);
  pass(50);
  cr_expect_eq(w.n, before);
  script.ts = true;
  data(100, 100, 'b', 100);
  expect_received("100a 100b");
  script.ts = false; /* but a RST may be without */
  peer(WIRE_RST | WIRE_ACK, 200, 0, 0, 0);
  cr_expect_eq(e.why, STACK_END_RESET_BY_PEER);
}

Test(stack_ts, p0037_each_kind_of_segment_has_it) {
  open_stamped(1000, true, 100);
  window("0", 0);
  put(K);
  pass(2000);
  expect_out("0+1"); /* its byte is looked at: it lies behind the option */
  cr_expect(last_has_stamp(), "a probe of the window");
  script.wnd = 65000;
  ack("0.001");
  ack("1");
  struct stack_conn_options o = {.keepalive_idle_s = 10, .keepalive_interval_s = 10, .keepalive_count = 3};
  unsigned before = w.n;
  cr_assert_eq(stack_conn_set_options(e.c, &o), 0);
  pass(10050);
  cr_expect_gt(w.n, before);
  cr_expect(last_has_stamp(), "a keep-alive");
  cr_expect_eq(wire_get(last_tcp() + 38, 4), script.base + K - 1);
  stack_conn_abort(e.c, STACK_END_REVOKED);
  e.c = NULL;
  wire_run(&w, 0);
  cr_expect(last_tcp()[47] & WIRE_RST);
  cr_expect(last_has_stamp(), "a reset");
}

/* --- options of a SYN, room in a packet ------------------------------------------------------------------------- */

/* A peer with jumbo frames repeats its SYN. Its packets would not pass our interface. */
Test(stack_ts, p0035_the_options_of_a_syn_count_once) {
  static const uint8_t jumbo[4] = {2, 4, 0x23, 0};
  struct wire_tcp t = {.sport = 999, .dport = 80, .seq = 1000, .flags = WIRE_SYN, .wnd = 65000, .options = jumbo,
                       .n_options = sizeof jumbo};
  listen_on(80, 8);
  wire_tcp(&w, &t);
  wire_tcp(&w, &t);
  t = (struct wire_tcp){.sport = 999, .dport = 80, .seq = 1001, .ack = wire_get(last_tcp() + 38, 4) + 1,
                        .flags = WIRE_ACK, .wnd = 65000};
  wire_tcp(&w, &t);
  cr_assert_eq(stack_listener_accept(l, &end_ops, &e, &e.c), 0);
  cr_expect_eq(info().mss, 1460);
  unsigned before = w.n;
  send_some(3 * 1460);
  cr_expect_eq(w.n, before + 3);
}

Test(stack_ts, p0035_who_does_not_answer_our_syn_chooses_nothing) {
  static const uint8_t tiny[12] = {2, 4, 0, 64, 1, 3, 3, 14, 4, 2, 1, 1};
  uint16_t port = connect_out();
  uint32_t iss = wire_get(last_tcp() + 38, 4);
  answer_syn(port, iss + 7, tiny, sizeof tiny);
  cr_assert_eq(e.connected, 0);
  answer_syn(port, iss + 1, (const uint8_t[]){2, 4, 5, 0xb4}, 4);
  cr_assert_eq(e.connected, 1);
  cr_expect_eq(info().mss, 1460);
  cr_expect_eq(pcb()->snd_scale, 0);
}

/* RFC 6691: the option is taken from the payload of each packet, also where the device cuts. */
Test(stack_ts, p0036_full_packets_are_as_large_as_the_interface_allows) {
  uint8_t o[16] = {2, 4, 5, 0xb4, 1, 1, 8, 10, 0, 0, 0, 9};
  uint16_t port = connect_out();
  wire_put(o + 12, last_val(), 4);
  answer_syn(port, wire_get(last_tcp() + 38, 4) + 1, o, sizeof o);
  cr_expect_eq(info().mss, 1448);
  cr_expect_eq(info().cwnd, 10 * 1448);
  unsigned before = w.n;
  send_some(5 * 1448 + 1);
  cr_expect_eq(w.n, before + 6);
  for (unsigned k = 1; k < 6; k++) {
    cr_expect_eq(wire_get(wire_last(&w, k) + 16, 2), 1500);
    cr_expect_eq(w.got[(w.n - 1 - k) % WIRE_KEEP].len, 1514);
  }
}

Test(stack_ts, p0036_packets_are_counted_without_the_option) {
  open_stamped(100000, true, 1);
  cr_expect_eq(info().mss, K);
  cr_expect_eq(info().cwnd, 10 * K, "the initial window");
  put(30 * K);
  expect_out("0..9");
  uint32_t val, ecr, first = last_val();
  for (unsigned k = 0; k < 10; k++) {
    const uint8_t *f = wire_last(&w, k);
    cr_assert(stamp_of(f, &val, &ecr));
    cr_expect_eq(val, first);
    cr_expect_eq(wire_get(f + 16, 2), 20 + 20 + 12 + K);
  }
  script.tsecr = first;
  ack("0 4-4.5"); /* half of one is none */
  cr_expect_eq(pcb()->sacked, 0);
  ack("0 4-5.5");
  cr_expect_eq(pcb()->sacked, K);
}

/* Three blocks and the option fill the 40 bytes. */
Test(stack_ts, p0037_three_blocks_of_sack_beside_it) {
  open_stamped(1000, true, 1);
  for (unsigned i = 1; i <= 4; i++)
    data(i * 1000, 100, 'a', 1);
  const uint8_t *f = last_tcp();
  cr_expect_eq(f[46] >> 4, 15, "60 bytes of header");
  cr_expect_eq(last_echo(), 1);
  cr_expect_eq(f[68], 5, "behind 12 bytes and two of padding");
  cr_expect_eq(f[69], 2 + 3 * 8);
  for (unsigned i = 0; i < 3; i++)
    cr_expect_eq(wire_get(f + 70 + i * 8, 4), 1001 + (4 - i) * 1000);
}

/* --- what is echoed: RFC 7323 4.3 ------------------------------------------------------------------------------- */

Test(stack_ts, p0037_a_delayed_ack_echoes_the_first) {
  open_stamped(1000, true, 1);
  data(0, 100, 'a', 10);
  pass(5);
  data(100, 100, 'b', 11);
  cr_expect_eq(wire_get(last_tcp() + 42, 4), 1201);
  cr_expect_eq(last_echo(), 10);
  data(200, 100, 'c', 20);
  pass(30);
  cr_expect_eq(wire_get(last_tcp() + 42, 4), 1301, "by the timer");
  cr_expect_eq(last_echo(), 20);
}

/* The ACK leaves at the end of the turn, for all that came in it. */
Test(stack_ts, p0037_one_ack_for_a_turn_echoes_the_first) {
  uint8_t o[12];
  open_stamped(1000, true, 1);
  for (uint32_t i = 0; i < 6; i++) {
    script.tsval = 10 + i;
    wire_tcp_later(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1001 + i * 100, .ack = script.base,
                                          .flags = WIRE_ACK, .wnd = 65000, .options = o, .n_options = stamp(o),
                                          .len = 100, .fill = 'a'});
  }
  unsigned before = w.n;
  wire_run(&w, 0);
  cr_expect_eq(w.n, before + 1);
  cr_expect_eq(wire_get(last_tcp() + 42, 4), 1601);
  cr_expect_eq(last_echo(), 10);
}

/* The second example there: segments A to E, of which C overtakes B and E overtakes D. */
Test(stack_ts, p0037_a_filled_hole_echoes_what_filled_it) {
  static const struct {
    uint32_t at, tsval, ack, echo;
  } step[] = {{0, 11, 1, 11}, {2, 13, 1, 11}, {1, 12, 3, 12}, {4, 15, 3, 12}, {3, 14, 5, 14}};
  open_stamped(1000, true, 10);
  for (size_t i = 0; i < ARRAY_SIZE(step); i++) {
    data(step[i].at * 100, 100, 'a', step[i].tsval);
    pass(30);
    cr_expect_eq(wire_get(last_tcp() + 42, 4), 1001 + step[i].ack * 100, "step %zu", i);
    cr_expect_eq(last_echo(), step[i].echo, "step %zu: %u", i, last_echo());
  }
  expect_received("500a");
}

/* Our ACK was lost: the next one answers what was sent again, or the peer measures its time-out. */
Test(stack_ts, p0037_what_is_sent_again_is_echoed) {
  open_stamped(1000, true, 10);
  data(0, 100, 'a', 10);
  pass(30);
  data(0, 100, 'a', 230);
  cr_expect_eq(last_echo(), 230);
}

Test(stack_ts, p0037_a_syn_that_is_sent_again_is_echoed) {
  uint8_t o[12] = {1, 1, 8, 10};
  struct wire_tcp t = {.sport = 999, .dport = 80, .seq = 1000, .flags = WIRE_SYN, .wnd = 65000, .options = o,
                       .n_options = 12};
  listen_on(80, 8);
  wire_put(o + 4, 10, 4);
  wire_tcp(&w, &t);
  pass(500);
  wire_put(o + 4, 510, 4);
  wire_tcp(&w, &t);
  cr_expect_eq(last_tcp()[47], WIRE_SYN | WIRE_ACK);
  cr_expect_eq(last_echo(), 510);
}

/* From off the path: the right place of the stream, and an acknowledgement that cannot be the peer's. */
Test(stack_ts, p0037_a_stranger_does_not_move_the_clock) {
  open_stamped(1000, true, 100);
  script.base += 5000;
  peer(WIRE_ACK, 0, 0, 0, 0x70000000);
  script.base -= 5000 + 70000;
  peer(WIRE_ACK, 0, 0, 0, 0x70000000);
  script.base += 70000;
  data(0, 100, 'a', 101);
  expect_received("100a");
  pass(30);
  cr_expect_eq(last_echo(), 101);
}

/* --- round trips ------------------------------------------------------------------------------------------------ */

static void expect_rtt(uint32_t rtt, uint32_t rttvar, uint32_t rto) {
  struct stack_conn_info i = info();
  cr_expect_eq(i.rtt_us, rtt, "%u for %u", i.rtt_us, rtt);
  cr_expect_eq(i.rttvar_us, rttvar, "%u for %u", i.rttvar_us, rttvar);
  cr_expect_eq(i.rto_ms, rto, "%u for %u", i.rto_ms, rto);
}

/* RFC 6298 3: one that was sent again counts if a timestamp tells which one arrived; and its back-off is over. */
static void sent_again(bool first_arrived) {
  open_stamped(100000, true, 1);
  put(K);
  expect_out("0");
  uint32_t first = last_val();
  expect_after(300, "0");
  uint32_t took = last_val() - first;
  cr_expect(took >= 300 && took <= 302);
  script.tsecr = first_arrived ? first : first + took;
  pass(150);
  ack("1");
  if (first_arrived)
    cr_expect(info().rtt_us >= 143750 && info().rtt_us <= 144000, "%u", info().rtt_us); /* 7/8 * 100 + 450/8 */
  else
    cr_expect_eq(info().rtt_us, 106250, "%u", info().rtt_us);
  cr_expect_eq(info().rto_ms, (info().rtt_us + 4 * info().rttvar_us + 999) / 1000, "no back-off");
}
Test(stack_ts, p0039_the_second_one_is_measured) { sent_again(false); }
Test(stack_ts, p0039_the_first_one_is_measured) { sent_again(true); }

/* The path became four times as long: one measurement is enough. */
Test(stack_ts, p0039_a_path_that_became_slow) {
  open_stamped(100000, true, 1);
  for (int i = 0; i < 5; i++) {
    char text[8];
    put(K);
    script.tsecr = last_val();
    pass(800);
    snprintf(text, sizeof text, "%d", i + 1);
    ack(text);
  }
  cr_expect_leq(info().retransmits, 4, "%u", (unsigned)info().retransmits);
  cr_expect_gt(info().rto_ms, 800);
}

/* Sent once: the microseconds are its own, and the echo is not needed. */
Test(stack_ts, p0041_round_trips_are_measured_in_microseconds) {
  open_stamped(100000, true, 1);
  put(K);
  script.tsecr = last_val() - 50;
  wire_run(&w, 100400 * NSEC_PER_USEC);
  ack("1");
  expect_rtt(100050, 37600, 251);
}

/* A peer that lies: what was never sent, or not then, is no measurement, and the back-off stays. */
static void lie(int64_t by) {
  open_stamped(100000, true, 1);
  put(K);
  uint32_t first = last_val();
  expect_out("0");
  expect_after(300, "0");
  pass(150);
  script.tsecr = first + (uint32_t)by;
  ack("1");
  expect_rtt(100000, 50000, 600);
}
Test(stack_ts, p0039_an_echo_from_before_it_was_sent) { lie(-10); }
Test(stack_ts, p0039_an_echo_from_after_it_was_sent) { lie(320); }
Test(stack_ts, p0039_an_echo_from_the_future) { lie(100000); }
Test(stack_ts, p0039_an_echo_of_nought) { lie(-(int64_t)0x40000000); }

/* Without SACK: the ACK that fills the hole measures what filled it. */
Test(stack_ts, p0039_an_ack_that_fills_a_hole) {
  open_stamped(100000, false, 1);
  put(10 * K);
  script.tsecr = last_val();
  pass(100);
  for (int i = 0; i < 9; i++)
    ack("0");
  script.tsecr = last_val();
  pass(150);
  ack("10");
  cr_expect_eq(info().rtt_us, 106250, "%u", info().rtt_us);
}

Test(stack_ts, p0039_our_clock_wraps_around) {
  open_stamped(100000, true, 1);
  tcp_active_pcbs->ts_offset += 0u - last_val() - 100;
  put(K);
  expect_out("0");
  cr_expect_gt(last_val(), 0xffffff00);
  expect_after(300, "0");
  script.tsecr = last_val();
  cr_expect_lt(script.tsecr, 300);
  pass(150);
  ack("1");
  cr_expect_eq(info().rtt_us, 106250, "%u", info().rtt_us);
}

Test(stack_ts, p0039_a_syn_that_was_sent_twice) {
  uint8_t o[12] = {1, 1, 8, 10, 0, 0, 0, 9};
  uint16_t port = connect_out();
  pass(1100);
  cr_assert_eq(last_tcp()[47], WIRE_SYN);
  wire_put(o + 8, last_val(), 4);
  pass(200);
  answer_syn(port, wire_get(last_tcp() + 38, 4) + 1, o, sizeof o);
  cr_assert_eq(e.connected, 1);
  cr_expect(info().has_rtt);
  cr_expect(info().rtt_us >= 290000 && info().rtt_us <= 301000, "%u", info().rtt_us);
}
