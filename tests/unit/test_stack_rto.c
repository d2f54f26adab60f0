/* SPDX-License-Identifier: BSD-3-Clause
 * Packet scripts: round trips and the retransmission time-out (RFC 6298), and peers without SACK (RFC 6582). Patches
 * 0007, 0026 and 0028 of third_party/lwip/patches.
 */
#include "stack_script.h"

TestSuite(stack_rto, .init = setup, .fini = teardown, .timeout = 60);

/* Sends one packet, and the peer acknowledges it after so long. */
static void round_trip(unsigned ms) {
  char text[16];
  put(K);
  pass(ms);
  snprintf(text, sizeof text, "%u", (unsigned)(e.sent / K));
  ack(text);
}

static void expect_rtt(uint32_t rtt, uint32_t rttvar, uint32_t rto) {
  struct stack_conn_info i = info();
  cr_expect(i.has_rtt);
  cr_expect_eq(i.rtt_us, rtt, "%u for %u", i.rtt_us, rtt);
  cr_expect_eq(i.rttvar_us, rttvar, "%u for %u", i.rttvar_us, rttvar);
  cr_expect_eq(i.rto_ms, rto, "%u for %u", i.rto_ms, rto);
}

Test(stack_rto, p0028_round_trips_are_counted_as_rfc_6298_says) {
  open_script(100000, true);
  expect_rtt(100000, 50000, 300);
  round_trip(100);
  expect_rtt(100000, 37500, 250);
  round_trip(180);
  expect_rtt(110000, 48125, 303);
  round_trip(30);
  expect_rtt(100000, 56093, 325);
}

Test(stack_rto, p0028_the_time_out_is_at_least_200_ms) {
  open_script(1000, true);
  for (int i = 0; i < 40; i++)
    round_trip(1);
  struct stack_conn_info i = info();
  cr_expect_eq(i.rtt_us, 1000);
  cr_expect_lt(i.rttvar_us, 10);
  cr_expect_eq(i.rto_ms, 200);
  (void)out();
  put(K);
  expect_out("40");
  expect_after(200, "40");
}

/* Nothing was measured, since the SYN had to be sent twice: one second (RFC 6298 2.1). */
Test(stack_rto, p0028_the_first_time_out_is_a_second) {
  open_script(1500000, true);
  cr_expect(!info().has_rtt);
  put(K);
  expect_out("0");
  expect_after(1000, "0");
  for (unsigned ms = 2000; ms <= 64000; ms *= 2)
    expect_after(ms, "0");
  expect_after(120000, "0"); /* 2.5: the most */
}

Test(stack_rto, p0028_the_time_out_doubles) {
  open_script(100000, true);
  put(K);
  expect_out("0");
  expect_after(300, "0");
  for (unsigned ms = 600; ms <= 38400; ms *= 2)
    expect_after(ms, "0");
  ack("1");
  cr_expect_eq(info().rto_ms, 76800, "until there is a measurement");
}

/* RFC 6298 3: which of the two was acknowledged? */
Test(stack_rto, p0028_karn) {
  open_script(100000, true);
  put(K);
  expect_out("0");
  expect_after(300, "0");
  pass(150);
  ack("1");
  expect_rtt(100000, 50000, 600); /* still doubled */
}

/* RFC 6298 5.5 and the end of 5: the path became slower than the time-out. Were it back at once, nothing would ever be
 * measured, and every packet sent twice. */
Test(stack_rto, p0028_backoff_stays_until_there_is_a_measurement) {
  open_script(100000, true);
  for (int i = 0; i < 20; i++)
    round_trip(800);
  cr_expect_leq(info().retransmits, 6, "%u times", (unsigned)info().retransmits);
  cr_expect_gt(info().rto_ms, 800);
}

Test(stack_rto, p0028_slow_start_after_the_time_out) {
  open_script(100000, true);
  put(30 * K);
  expect_out("0..9");
  expect_after(200, "10");
  expect_after(300, "0");
  cr_expect_eq(info().cwnd, K);
  cr_expect_eq(info().ssthresh, 7 * K);
  ack("1");
  expect_out("1..2");
  ack("3");
  expect_out("3..6");
  ack("7");
  cr_expect_geq(info().cwnd, 7 * K);
  expect_out("7..13");
  pass(100);
  ack("14");
  cr_expect_leq(info().cwnd, 9 * K, "not more than a packet a round trip: %u", info().cwnd);
}

Test(stack_rto, p0028_what_was_sacked_is_not_sent_again_after_a_time_out) {
  open_script(100000, true);
  put(10 * K);
  pass(100);
  (void)out();
  ack("0 4-5 7-9");
  (void)out(); /* and all of it is lost again */
  pass(1000);
  cr_expect_eq(info().cwnd, K);
  (void)out();
  ack("1 4-5 7-9");
  expect_out("1..2");
  ack("3 4-5 7-9");
  expect_out("3 5..6");
  ack("9");
  expect_out("9");
  ack("10");
  expect_quiet(10000);
}

/* --- without SACK ----------------------------------------------------------------------------------------------- */

Test(stack_rto, p0028_three_duplicates_name_the_head) {
  open_script(100000, false);
  put(10 * K);
  pass(100);
  (void)out();
  ack("0");
  ack("0");
  expect_out("");
  ack("0");
  expect_out("0");
  cr_expect_eq(info().ssthresh, 7 * K);
  for (int i = 0; i < 6; i++)
    ack("0");
  expect_out("");
  pass(100);
  ack("10");
  expect_quiet(5000);
  cr_expect_eq(info().retransmits, 1);
  cr_expect_eq(info().cwnd, 7 * K);
}

Test(stack_rto, p0028_a_partial_ack_names_the_next_hole) {
  open_script(100000, false);
  put(10 * K);
  pass(100);
  (void)out();
  for (int i = 0; i < 7; i++)
    ack("0");
  expect_out("0");
  pass(100);
  ack("3");
  expect_out("3");
  pass(100);
  ack("7");
  expect_out("7");
  pass(100);
  ack("10");
  expect_quiet(5000);
  cr_expect_eq(info().retransmits, 3);
  cr_expect_eq(info().cwnd, 7 * K);
}

/* RFC 6582 4, "impatient": each partial ACK would put off the time-out of many losses. */
static void partial_acks(bool duplicates) {
  open_script(100000, false);
  put(10 * K);
  pass(100);
  (void)out();
  for (int i = 0; i < 4; i++)
    ack("0");
  expect_out("0");
  pass(100);
  ack("1");
  expect_out("1");
  cr_assert_eq(info().rto_ms, 300);
  for (unsigned k = 2; k < 6; k++) {
    char text[8];
    pass(60);
    snprintf(text, sizeof text, "%u", k);
    ack(text);
    for (int i = 0; i < 2 && duplicates; i++)
      ack(text);
  }
  cr_expect_eq(info().cwnd > K, 1);
  pass(62);
  cr_expect_eq(info().cwnd, K, "the time-out was put off");
}
Test(stack_rto, p0028_only_the_first_partial_ack_puts_off_the_time_out) { partial_acks(false); }
Test(stack_rto, p0028_nor_do_duplicates_between_partial_acks) { partial_acks(true); }

/* The ACK that ends the hole says nothing about those that waited behind it. */
Test(stack_rto, p0028_an_ack_that_fills_a_hole_is_no_round_trip) {
  open_script(100000, false);
  put(10 * K);
  pass(100);
  for (int i = 0; i < 9; i++)
    ack("0");
  pass(150);
  ack("10");
  cr_expect_eq(info().rtt_us, 100000, "%u", info().rtt_us);
}
