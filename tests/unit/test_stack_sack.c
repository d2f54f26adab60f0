/* SPDX-License-Identifier: BSD-3-Clause
 * Packet scripts: losses that SACK tells of, found by time (RACK-TLP). Patch 0028 of third_party/lwip/patches.
 */
#include "stack_script.h"

TestSuite(stack_sack, .init = setup, .fini = teardown, .timeout = 60);

Test(stack_sack, p0028_one_hole_is_filled_once_and_at_once) {
  open_script(100000, true);
  put(10 * K);
  expect_out("0..9");
  pass(100);
  ack("0 1-2");
  ack("0 1-3");
  expect_out("");
  ack("0 1-4");
  expect_out("0");
  for (const char *const *a = (const char *const[]){"0 1-5", "0 1-6", "0 1-7", "0 1-8", "0 1-9", "0 1-10", NULL}; *a; a++)
    ack(*a);
  expect_quiet(100);
  ack("10");
  expect_quiet(5000);
  cr_expect_eq(info().retransmits, 1);
  cr_expect_eq(info().send_queue, 0);
}

Test(stack_sack, p0028_two_holes) {
  open_script(100000, true);
  put(10 * K);
  expect_out("0..9");
  pass(100);
  ack("0 5-8 1-4");
  expect_out("0 4");
  pass(100);
  ack("4 5-10");
  expect_out("");
  ack("10");
  expect_quiet(5000);
  cr_expect_eq(info().retransmits, 2);
}

/* RFC 8985 3.1: something sent later has arrived, so what was sent again is lost again. */
Test(stack_sack, p0028_a_lost_retransmission_is_found) {
  open_script(100000, true);
  put(30 * K);
  expect_out("0..9");
  pass(100);
  ack("0 1-4");
  expect_out("0");
  pass(5);
  ack("0 1-7");
  expect_out("10..12");
  pass(95);
  ack("0 1-10");
  (void)out();
  cr_expect_eq(info().retransmits, 1, "what arrived now was sent before it");
  pass(10);
  ack("0 1-11");
  cr_expect_eq(info().retransmits, 2);
  expect_out("0 16");
}

Test(stack_sack, p0028_an_ack_in_the_middle_of_a_large_segment) {
  open_script(1000, true);
  put(10 * K);
  expect_out("0..9");
  cr_assert_null(pcb()->unacked->next, "it is one segment");
  pass(1);
  ack("3.5");
  cr_expect_eq(info().send_queue, 6500);
  expect_after(10, "9500+500");
  expect_after(200, "3500+1000");
  ack("4.5");
  expect_out("4500+1000 5500+1000");
  ack("10");
  expect_quiet(5000);
}

Test(stack_sack, p0028_a_sack_in_the_middle_of_a_large_segment) {
  open_script(40000, true);
  put(10 * K);
  expect_out("0..9");
  pass(40);
  ack("0 2-4");
  cr_expect_eq(pcb()->sacked, 2 * K);
  expect_out("");
  ack("0 2-6");
  expect_out("0..1");
  ack("6 7-8");
  expect_out("6"); /* in recovery nobody waits */
  cr_expect_eq(pcb()->sacked, K);
  ack("10");
  expect_quiet(5000);
  cr_expect_eq(pcb()->sacked, 0);
  cr_expect_eq(pcb()->lost, 0);
  cr_expect_eq(pcb()->retrans, 0);
}

Test(stack_sack, p0028_a_large_segment_is_split_by_two_edges) {
  open_script(1000, true);
  put(10 * K);
  expect_out("0..9");
  cr_assert_null(pcb()->unacked->next, "it is one segment");
  pass(1);
  ack("0 2-6");
  cr_expect_eq(pcb()->sacked, 4 * K);
  expect_out("0..1");
  pass(1);
  ack("2 7-10 2-6");
  expect_out("6");
  ack("10");
  expect_quiet(5000);
}

/* A peer that reports single bytes does not have the stack split into those: whole packets count. */
Test(stack_sack, p0028_edges_inside_of_packets) {
  open_script(1000, true);
  put(10 * K);
  expect_out("0..9");
  pass(1);
  ack("0 2.5-6.5");
  cr_expect_eq(pcb()->sacked, 3 * K);
  ack("0 7.1-7.2 7.3-7.4 7.5-7.6 7.7-7.8");
  cr_expect_eq(pcb()->sacked, 3 * K);
  expect_out("0..2");
  ack("3 7-10 3-6");
  expect_out("6");
  ack("10");
  expect_quiet(5000);
}

/* RFC 2018, 2883: what cannot be, or was there before. */
Test(stack_sack, p0028_blocks_that_say_nothing) {
  static const char *const bogus[] = {
      "2 12-13", "2 9-10.001", "2 5-5", "2 6-3", "2 -2--1", "2 0-1", "2 1-2", "2 -2000000-5", "2 2000000-3", "2 1-3", "2 -1-10",
  };
  open_script(100000, true);
  put(10 * K);
  pass(100);
  ack("2");
  uint32_t cwnd = info().cwnd;
  (void)out();
  for (size_t i = 0; i < ARRAY_SIZE(bogus); i++) {
    ack(bogus[i]);
    cr_expect_eq(pcb()->sacked, 0, "%s: %u", bogus[i], pcb()->sacked);
    cr_expect_eq(pcb()->lost, 0, "%s", bogus[i]);
  }
  cr_expect_eq(info().cwnd, cwnd);
  expect_quiet(50);
  ack("10");
  expect_quiet(5000);
  cr_expect_eq(info().retransmits, 0);
}

/* RFC 2018 8: the RTO forgets what the peer said when the front of the queue is what it does not have any more. */
Test(stack_sack, p0028_a_peer_that_reneges) {
  open_script(100000, true);
  put(10 * K);
  pass(100);
  (void)out();
  ack("0 1-10");
  expect_out("0");
  pass(100);
  ack("1"); /* not 10 */
  cr_expect_eq(pcb()->sacked, 9 * K);
  pass(2000);
  cr_expect_eq(pcb()->sacked, 0);
  (void)out();
  ack("2");
  expect_out("2..3");
  ack("4");
  expect_out("4..7");
  ack("8");
  expect_out("8..9");
  ack("10");
  expect_quiet(10000);
}

Test(stack_sack, p0028_a_little_reordering_is_waited_for) {
  open_script(100000, true);
  put(10 * K);
  pass(100);
  (void)out();
  ack("0 1-3");
  expect_quiet(20);
  ack("3"); /* here it is */
  expect_quiet(50);
  ack("10");
  expect_quiet(5000);
  cr_expect_eq(info().retransmits, 0);
}

/* A quarter of the smallest round trip, RFC 8985 6.2 step 4. */
Test(stack_sack, p0028_the_time_for_reordering_ends) {
  open_script(100000, true);
  put(10 * K);
  pass(100);
  (void)out();
  ack("0 1-2");
  expect_after(25, "0");
  cr_expect_eq(info().ssthresh, 7 * K);
  ack("10");
  expect_quiet(5000);
}

/* Once something was overtaken, three that arrived behind a hole are no proof. */
Test(stack_sack, p0028_after_reordering_time_is_needed) {
  open_script(100000, true);
  put(10 * K);
  pass(100);
  (void)out();
  ack("0 1-2");
  pass(5);
  ack("2");
  cr_expect_eq(pcb()->reordered, 1);
  ack("10");
  put(10 * K);
  expect_out("10..19");
  pass(105);
  ack("10 11-16");
  expect_quiet(18);
  pass(10);
  expect_out("10");
}

/* RFC 8985 6.2: a DSACK says that the window was too small. */
Test(stack_sack, p0028_a_dsack_widens_the_time_for_reordering) {
  open_script(100000, true);
  put(10 * K);
  pass(100);
  (void)out();
  ack("0 1-2");
  expect_after(25, "0");
  ack("10");
  pass(20);
  ack("10 0-1"); /* both arrived */
  put(5 * K);
  expect_out("10..14");
  pass(100);
  ack("10 11-12");
  expect_quiet(40);
  pass(15);
  expect_out("10");
}

/* RFC 8985 7: two lost at the end. The probe is the last one, its SACK finds the other. */
Test(stack_sack, p0028_a_lost_tail_is_probed) {
  open_script(100000, true);
  put(10 * K);
  pass(100);
  (void)out();
  ack("8");
  cr_assert_eq(info().rto_ms, 250);
  expect_after(200, "9");
  expect_quiet(100);
  ack("8 9-10");
  expect_out("8");
  pass(100);
  ack("10");
  expect_quiet(5000);
  cr_expect_eq(info().retransmits, 2, "%u", (unsigned)info().retransmits);
  cr_expect_eq(info().ssthresh, 12600, "18 packets are 0.7 of that: %u", info().ssthresh);
}

Test(stack_sack, p0028_a_probe_is_sent_once_then_the_rto_comes) {
  open_script(100000, true);
  put(10 * K);
  pass(100);
  (void)out();
  ack("8");
  expect_after(200, "9");
  expect_after(250, "8");
  cr_expect_eq(info().cwnd, K);
  expect_after(500, "8");
}

/* RFC 8985 7.4.2: the probe itself was the repair. That it was one is known when more is acknowledged. */
Test(stack_sack, p0028_a_probe_that_repairs_counts_as_a_loss) {
  open_script(100000, true);
  put(10 * K);
  pass(100);
  (void)out();
  ack("8");
  cr_expect_eq(info().cwnd, 18 * K);
  expect_after(200, "9");
  pass(100);
  ack("10");
  put(5 * K);
  expect_out("10..14");
  pass(100);
  ack("12");
  cr_expect_eq(info().ssthresh, 12600, "%u", info().ssthresh);
  cr_expect_leq(info().cwnd, 12600 + 2 * K);
}

/* ... and one that was not needed does not: the peer says that it came twice. */
Test(stack_sack, p0028_a_probe_in_vain_costs_nothing) {
  open_script(100000, true);
  put(10 * K);
  pass(100);
  (void)out();
  ack("8");
  uint32_t cwnd = info().cwnd;
  expect_after(200, "9");
  ack("10");
  pass(100);
  ack("10 9-10");
  put(5 * K);
  pass(100);
  ack("12");
  cr_expect_geq(info().cwnd, cwnd);
}

Test(stack_sack, p0028_the_probe_is_new_data_if_there_is_some) {
  open_script(100000, true);
  put(30 * K);
  expect_out("0..9");
  expect_after(200, "10");
  pass(100);
  ack("11");
  cr_expect_geq(info().cwnd, 20 * K, "it was no loss");
  cr_expect_eq(info().retransmits, 0);
}
