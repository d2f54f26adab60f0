/* SPDX-License-Identifier: BSD-3-Clause
 * Packet scripts: what is seldom on the way out of a loss: FINs, edges that do not match, windows that close meanwhile,
 * several losses, and how the congestion window comes back. Patches 0028 and 0032 of third_party/lwip/patches.
 */
#include "stack_script.h"

TestSuite(stack_recovery, .init = setup, .fini = teardown, .timeout = 60);

/* The peer took a part of a packet, and the whole ones behind it. */
Test(stack_recovery, p0028_an_ack_inside_of_a_packet_and_sacks_behind_it) {
  open_script(1000, true);
  put(10 * K);
  pass(1);
  (void)out();
  ack("3.5");
  ack("3.5 4-9");
  pass(20);
  cr_expect_neq(*out(), 0, "found by SACK");
  ack("9 9.5-10");
  pass(1000);
  (void)out();
  ack("10");
  expect_quiet(5000);
  cr_expect_eq(pcb()->sacked + pcb()->lost + pcb()->retrans, 0);
}

Test(stack_recovery, p0028_a_lost_fin_is_probed) {
  open_script(100000, true);
  e.shut_after = true;
  put(4500);
  expect_out("0..3 4000+500F");
  pass(100);
  ack("3");
  expect_after(200, "4000+500F");
  pass(100);
  ack("3 4-4.501");
  expect_out("3");
  pass(100);
  ack("4.501");
  expect_quiet(5000);
  cr_expect_eq(info().state, STACK_TCP_FIN_WAIT_2);
}

Test(stack_recovery, p0028_a_fin_alone_is_sent_again) {
  open_script(100000, true);
  put(2 * K);
  expect_out("0..1");
  pass(100);
  ack("2");
  stack_conn_shutdown_write(e.c);
  pass(0);
  expect_out("2000+0F");
  cr_expect_neq(until_out(600), 600);
  cr_expect_str_eq(script.text, "2000+0F", "%s", script.text);
  ack("2.001");
  expect_quiet(5000);
  cr_expect_eq(info().state, STACK_TCP_FIN_WAIT_2);
}

/* The byte of the FIN is one that SACK may name. */
Test(stack_recovery, p0028_a_sacked_fin_is_not_sent_again) {
  open_script(100000, true);
  put(4 * K);
  stack_conn_shutdown_write(e.c);
  pass(0);
  expect_out("0..3 4000+0F");
  pass(100);
  ack("0 1-4.001");
  expect_out("0");
  pass(3000);
  cr_expect_null(strstr(out(), "F"), "%s", script.text);
  ack("4.001");
  expect_quiet(5000);
  cr_expect_eq(info().state, STACK_TCP_FIN_WAIT_2);
}

/* RFC 9293 3.8.6: it has no room for what is on its way, but it answers: it is alive. */
Test(stack_recovery, p0028_a_window_that_closes_on_what_was_sent_ends_nothing) {
  open_script(100000, true);
  put(10 * K);
  pass(100);
  (void)out();
  window("1", 0);
  for (int i = 0; i < 1200; i++) {
    pass(1000);
    wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
    if (*out())
      ack("1");
  }
  cr_expect_eq(e.ended, 0);
  script.wnd = 20000;
  ack("1");
  for (int i = 0; i < 200 && info().send_queue; i++) {
    pass(1000);
    wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
    if (*out())
      ack("10");
  }
  cr_expect_eq(info().send_queue, 0);
}

/* Without SACK: only what has no data and changes nothing is a duplicate (RFC 5681 2). */
Test(stack_recovery, p0028_window_updates_are_no_duplicates) {
  open_script(100000, false);
  put(10 * K);
  pass(100);
  (void)out();
  for (int i = 0; i < 6; i++) {
    script.wnd = (uint16_t)(script.wnd + 50);
    ack("0");
  }
  expect_out("");
  ack("0");
  ack("0");
  expect_out("");
  ack("0");
  expect_out("0");
}

/* RFC 6582 3.2 4: each duplicate lets go of one packet more, once half of them are gone. */
Test(stack_recovery, p0028_duplicates_let_new_data_go) {
  open_script(100000, false);
  put(30 * K);
  pass(100);
  expect_out("0..9");
  for (int i = 0; i < 9; i++)
    ack("0");
  expect_out("10..11 0 12..15"); /* before that, RFC 3042 */
  cr_expect_eq(info().ssthresh, 7 * K);
  pass(90);
  ack("0");
  ack("0");
  pass(10);
  ack("12");
  cr_expect_leq(info().cwnd, 8 * K);
  (void)out();
  pass(100);
  ack("16");
  cr_expect_neq(*out(), 0);
  cr_expect_eq(info().retransmits, 1);
}

/* After a time-out duplicates are answers to what was sent twice (RFC 6582 4.1). */
Test(stack_recovery, p0028_duplicates_after_a_time_out_say_nothing) {
  open_script(100000, false);
  put(10 * K);
  expect_out("0..9");
  expect_after(300, "0");
  ack("10");
  uint32_t ssthresh = info().ssthresh;
  put(K);
  expect_out("10");
  for (int i = 0; i < 9; i++)
    ack("10");
  expect_out("");
  cr_expect_eq(info().ssthresh, ssthresh);
}

/* Every second one is lost, also of those sent again: it takes rounds, no time-out, and one reduction. */
Test(stack_recovery, p0028_many_holes_take_no_time_out) {
  open_script(100000, true);
  put(10 * K);
  pass(100);
  (void)out();
  ack("0 1-2 3-4 5-6 7-8");
  pass(5);
  ack("0 9-10 1-2 3-4 5-6");
  cr_expect_eq(info().ssthresh, 7 * K);
  char *first = strdup(out());
  cr_expect_eq(strncmp(first, "0 2", 3), 0, "%s", first);
  free(first);
  pass(100);
  ack("3 5-6 7-8 9-10");
  pass(1);
  (void)out();
  pass(100);
  ack("7 9-10");
  (void)out();
  pass(100);
  ack("10");
  expect_quiet(2000);
  cr_expect_eq(info().cwnd, 7 * K, "%u", info().cwnd);
  cr_expect_eq(info().retransmits, 5, "%u", (unsigned)info().retransmits);
}

/* A whole window in flight, acknowledged after each round trip. */
static void rounds(unsigned n, unsigned ms) {
  while (n--) {
    uint32_t end = pcb()->snd_nxt - script.base;
    char text[16];
    pass(ms);
    (void)out();
    snprintf(text, sizeof text, "%u", end / K);
    ack(text);
    put(40 * K);
  }
}

/* The window after a loss at 40 packets and so many round trips more. */
static uint32_t grown(unsigned n, unsigned ms) {
  open_script(ms * 1000, true);
  put(120 * K);
  rounds(2, ms);
  (void)out();
  cr_assert_eq(info().cwnd, 40 * K);
  uint32_t una = (pcb()->lastack - script.base) / K, end = (pcb()->snd_nxt - script.base) / K;
  char text[48];
  pass(ms);
  snprintf(text, sizeof text, "%u %u-%u", una, una + 1, una + 5);
  ack(text);
  cr_assert_eq(info().ssthresh, 28 * K, "%u", info().ssthresh);
  snprintf(text, sizeof text, "%u %u-%u", una, una + 1, end);
  ack(text);
  rounds(1, ms);
  cr_expect(info().cwnd >= 28 * K && info().cwnd <= 29 * K, "one packet arrived outside of recovery: %u", info().cwnd);
  rounds(n, ms);
  cr_expect_eq(info().retransmits, 1);
  return info().cwnd;
}

/* RFC 9438 4.2: the window is there again after K = (40 * 0.3 / 0.4)^(1/3) = 3.1 s, slowly at the end. */
Test(stack_recovery, p0032_cubic_comes_back_to_where_it_was) {
  uint32_t cwnd = grown(11, 300);
  cr_expect(cwnd >= 39 * K && cwnd <= 41 * K, "%u", cwnd);
}

/* 4.3: on a short path it is as fast as Reno: 0.53 packets a round trip up to the old window, one behind it. */
Test(stack_recovery, p0032_cubic_is_not_slower_than_reno) {
  uint32_t cwnd = grown(31, 100);
  cr_expect(cwnd >= 47 * K && cwnd <= 50 * K, "%u", cwnd);
}
