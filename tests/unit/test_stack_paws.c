/* SPDX-License-Identifier: BSD-3-Clause
 * Packet scripts: what is old is told by its timestamp (RFC 7323 5, RFC 6191). Patches 0038 and 0040 of
 * third_party/lwip/patches.
 */
#include "stack_script_ts.h"

TestSuite(stack_paws, .init = setup, .fini = teardown, .timeout = 60);

#define DAY (24u * 3600)

/* --- PAWS: RFC 7323 5 ------------------------------------------------------------------------------------------- */

Test(stack_paws, p0038_what_is_old_is_dropped_and_answered) {
  open_stamped(1000, true, 100);
  data(0, 100, 'a', 200);
  pass(30);
  unsigned before = w.n;
  data(100, 100, 'x', 199);
  cr_expect_eq(w.n, before + 1);
  cr_expect_eq(wire_get(last_tcp() + 42, 4), 1101);
  cr_expect_eq(last_echo(), 200);
  peer(WIRE_ACK | WIRE_FIN, 100, 0, 0, 199);
  cr_expect_eq(w.n, before + 2);
  expect_received("100a");
  data(100, 100, 'b', 200);
  expect_received("100a 100b");
}

/* Two ends that take each other's ACKs for old would answer for ever. */
Test(stack_paws, p0038_an_old_ack_is_not_answered) {
  open_stamped(1000, true, 100);
  data(0, 100, 'a', 200);
  pass(30);
  put(2 * K);
  unsigned before = w.n;
  script.seq = 1101;
  script.tsval = 199;
  ack("1");
  cr_expect_eq(w.n, before);
  cr_expect_eq(info().send_queue, 2 * K, "nor does it acknowledge");
}

/* 5.2: a RST is not measured by it, and tells nothing by it. */
Test(stack_paws, p0038_a_reset_may_be_old) {
  open_stamped(1000, true, 100);
  data(0, 100, 'a', 200);
  peer(WIRE_RST, 110, 0, 0, 0x7000000); /* in the window, and not the next */
  data(100, 100, 'b', 200);
  expect_received("100a 100b");
  peer(WIRE_RST, 200, 0, 0, 150);
  cr_expect_eq(e.why, STACK_END_RESET_BY_PEER);
}

Test(stack_paws, p0038_the_peers_clock_wraps_around) {
  open_stamped(1000, true, 0xfffffff0);
  data(0, 100, 'a', 0xfffffffe);
  pass(30);
  data(100, 100, 'b', 3);
  pass(30);
  data(200, 100, 'x', 0xffffffff);
  data(200, 100, 'c', 4);
  expect_received("100a 100b 100c");
  pass(30);
  cr_expect_eq(last_echo(), 4);
}

/* 5.5: in 24 days a clock of a millisecond goes half way round. 60 days are more than 32 bits of milliseconds. */
static void after_days(unsigned days, bool taken) {
  open_stamped(1000, true, 100);
  data(0, 100, 'a', 200);
  pass(30);
  wire_run(&w, days * DAY * SEC);
  wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
  data(100, 100, 'b', 150);
  expect_received(taken ? "100a 100b" : "100a");
  pass(30);
  cr_expect_eq(wire_get(last_tcp() + 42, 4), taken ? 1201 : 1101);
  cr_expect_eq(last_echo(), taken ? 150 : 200);
}
Test(stack_paws, p0038_23_days_idle) { after_days(23, false); }
Test(stack_paws, p0038_25_days_idle) { after_days(25, true); }
Test(stack_paws, p0038_60_days_idle) { after_days(60, true); }

/* The sequence numbers have come round: 2^32 bytes went by since 'a', which here is said and not sent. A copy of it
 * that the network kept until now has the numbers of what is expected next. */
static void numbers_come_again(void) {
  script.tsval = 100;
  open_script(1000, true);
  struct tcp_pcb *p = tcp_active_pcbs;
  data(0, 100, 'a', 100);
  pass(30);
  stack_conn_consume(e.c, 100);
  pass(30);
  p->rcv_nxt -= 100;
  p->rcv_ann_right_edge -= 100;
  p->snd_wl1 -= 100;
#if LWIP_TCP_TIMESTAMPS
  p->ts_lastacksent -= 100;
  p->ts_recent = 2100;
#endif
  data(0, 100, 'a', 100);
  data(0, 100, 'n', 2101);
}
Test(stack_paws, p0038_an_old_segment_with_new_numbers) {
  script.ts = true;
  numbers_come_again();
  expect_received("100n");
}
/* What it is for: so it ends without. */
Test(stack_paws, without_timestamps_an_old_segment_becomes_part_of_the_stream) {
  script.ts = false;
  numbers_come_again();
  expect_received("100a");
}

/* --- TIME_WAIT: RFC 6191 ---------------------------------------------------------------------------------------- */

static uint32_t ours_val;

/* We closed first; the peer's last timestamp was 300, its next number 1102. Returns our next number. */
static uint32_t time_wait(void) {
  open_stamped(1000, true, 100);
  data(0, 100, 'a', 200);
  cr_assert_eq(stack_conn_shutdown_write(e.c), 0);
  wire_run(&w, 0);
  script.base++;
  peer(WIRE_ACK | WIRE_FIN, 100, 0, 0, 300);
  cr_assert_eq(stats().tcp_time_wait, 1);
  ours_val = last_val();
  return script.base;
}

static unsigned syn_again(uint32_t seq, uint32_t tsval) {
  uint8_t o[12];
  unsigned before = w.n;
  script.tsval = tsval;
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = seq, .flags = WIRE_SYN, .wnd = 65000, .options = o,
                                  .n_options = stamp(o)});
  return w.n == before ? 0 : last_tcp()[47];
}

Test(stack_paws, p0040_a_later_timestamp_reopens_with_any_number) {
  uint32_t ours = time_wait();
  cr_expect_eq(syn_again(500, 301), WIRE_SYN | WIRE_ACK);
  uint32_t isn = wire_get(last_tcp() + 38, 4);
  cr_expect_gt((int32_t)(isn - ours), 0);
  cr_expect_geq((int32_t)(last_val() - ours_val), 0, "our clock goes on");
  cr_expect_eq(stats().tcp_time_wait, 0);
  /* what is left of the old one, whose numbers fit into the new window, stays out */
  script.base = isn + 1;
  peer(WIRE_ACK, 501 - 1001, 0, 0, 302);
  cr_assert_eq(waiting, 2);
  stack_conn_abort(e.c, STACK_END_REVOKED);
  cr_assert_eq(stack_listener_accept(l, &end_ops, &e, &e.c), 0);
  e.hold = true;
  data(501 - 1001, 100, 'x', 200);
  data(501 - 1001, 100, 'n', 302);
  expect_received("100n");
}

Test(stack_paws, p0040_an_earlier_timestamp_does_not_reopen) {
  (void)time_wait();
  cr_expect_eq(syn_again(1u << 30, 299), WIRE_ACK, "answered as what is old");
  cr_expect_eq(syn_again(1102, 299), WIRE_ACK, "and not with a RST");
  cr_expect_eq(stats().tcp_time_wait, 1);
}

Test(stack_paws, p0040_the_same_timestamp_leaves_it_to_the_number) {
  (void)time_wait();
  cr_expect_eq(syn_again(500, 300), WIRE_ACK);
  cr_expect_eq(stats().tcp_time_wait, 1);
  cr_expect_eq(syn_again(1103, 300), WIRE_SYN | WIRE_ACK);
}

Test(stack_paws, p0040_a_syn_without_it_is_judged_by_its_number) {
  (void)time_wait();
  script.ts = false;
  cr_expect_eq(syn_again(500, 0), 0);
  cr_expect_eq(stats().tcp_time_wait, 1);
  cr_expect_eq(syn_again(1103, 0), WIRE_SYN | WIRE_ACK);
}

/* What the peer said last, in TIME_WAIT too, is what a SYN has to be later than. */
Test(stack_paws, p0040_the_clock_goes_on_in_time_wait) {
  (void)time_wait();
  peer(WIRE_ACK | WIRE_FIN, 100, 0, 0, 400);
  cr_expect_eq(last_echo(), 400);
  cr_expect_eq(syn_again(1u << 30, 399), WIRE_ACK);
  cr_expect_eq(syn_again(500, 401), WIRE_SYN | WIRE_ACK);
}
