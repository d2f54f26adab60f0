/* SPDX-License-Identifier: BSD-3-Clause
 * Packet scripts: large packets vanish, and nobody says so (RFC 4821 7.7, RFC 8899 4.3). The peer takes 1400 bytes.
 * Patch 0045 of third_party/lwip/patches.
 */
#include "stack_icmp.h"

TestSuite(black_hole, .init = setup, .fini = teardown, .timeout = 60);

/* The n-th time-out in a row has fired, and this came out. */
static void expect_timeout(unsigned n, const char *want) {
  for (unsigned ms = 0; ms < 2000000 && pcb()->nrtx < n; ms++) {
    pass(1);
    if (ms % 1000 == 0)
      wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
    if (pcb()->nrtx < n)
      (void)out();
  }
  cr_assert_eq(pcb()->nrtx, n);
  expect_out(want);
}

/* Three times the first packet is not answered; in smaller ones it is. */
static void find_black_hole(void) {
  open_script_mss(100000, true, 1400);
  put(14000);
  (void)out();
  expect_timeout(1, "0+1400");
  expect_timeout(2, "0+1400");
  cr_expect_eq(info().mss, 1400);
  expect_timeout(3, "0+1200");
  cr_expect_eq(info().path_origin, STACK_PATH_BLACK_HOLE);
  cr_expect_eq(stats().pmtu_black_holes, 0, "it may be something else");
  pass(100);
  ack("1.2");
  expect_out("1200+200 1400+1200 2600+200"); /* as it was cut before */
  answer_all();
  cr_expect_eq(stats().pmtu_black_holes, 1);
  cr_expect_eq(stats().pmtu_reduced, 1);
  cr_expect_eq(info().mss, 1200);
  cr_expect_eq(info().path_mtu, 1240);
}

Test(black_hole, p0045_found) {
  find_black_hole();
  put(2400);
  expect_out("14000+1200 15200+1200");
  ack("16.4");
}

/* After a minute larger ones are tried; one time-out is enough, and it is no congestion. Then every ten minutes. */
Test(black_hole, p0045_left_again_and_no_better) {
  find_black_hole();
  uint32_t ssthresh = info().ssthresh;
  pass(61000);
  wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
  put(2800);
  expect_out("14000+1400 15400+1400");
  expect_timeout(1, "14000+1200");
  cr_expect_geq(info().ssthresh, ssthresh);
  answer_all();
  for (unsigned i = 0; i < 9; i++) {
    pass(60000);
    wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
    put(1400);
    cr_expect_eq(info().mss, 1200, "minute %u", i);
    answer_all();
  }
  pass(70000);
  wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
  put(1400);
  cr_expect_eq(info().mss, 1400);
  answer_all();
  cr_expect_eq(info().path_origin, STACK_PATH_INTERFACE);
  cr_expect_eq(stats().pmtu_black_holes, 1);
}

/* It was an outage, or is gone: what is large gets through, and that is that. */
Test(black_hole, p0045_left_again_for_good) {
  find_black_hole();
  pass(61000);
  wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
  put(2800);
  expect_out("14000+1400 15400+1400");
  pass(100);
  ack("16.8");
  cr_expect_eq(info().path_origin, STACK_PATH_INTERFACE);
  put(1400);
  expect_timeout(2, "16800+1400"); /* a lost packet is a lost packet */
  ack("18.2");
  cr_expect_eq(info().mss, 1400);
}

/* No size helps: then it was not the size, and nothing is left of the attempt. */
Test(black_hole, p0045_an_outage_is_none) {
  open_script_mss(100000, true, 1400);
  put(14000);
  (void)out();
  expect_timeout(3, "0+1200");
  expect_timeout(4, "0+1200");
  expect_timeout(5, "0+536");
  expect_timeout(6, "0+536");
  for (unsigned n = 7; n < 10; n++)
    expect_timeout(n, "0+536 536+664 1200+200"); /* as it was cut before */
  answer_all();
  cr_expect_eq(info().mss, 1400);
  cr_expect_eq(info().path_mtu, 1500);
  cr_expect_eq(stats().pmtu_black_holes, 0);
  put(1400);
  answer_all(); /* a round trip was measured */
  put(1400);
  (void)out();
  expect_timeout(3, "15400+1200"); /* the next one may be one again */
  answer_all();
}

Test(black_hole, p0045_the_smallest_size_gets_through) {
  open_script_mss(100000, true, 1400);
  put(14000);
  (void)out();
  expect_timeout(5, "0+536");
  pass(100);
  ack("0.536");
  cr_expect_eq(info().path_mtu, 576);
  cr_expect_eq(stats().pmtu_black_holes, 1);
  answer_all();
}

/* Of what is small, of a FIN, or while the peer takes nothing, no time-out says anything about the size. */
Test(black_hole, p0045_small_packets_are_above_suspicion) {
  open_script_mss(100000, true, 1400);
  put(1000);
  (void)out();
  expect_timeout(6, "0");
  cr_expect_eq(info().mss, 1400);
  ack("1");
  stack_conn_shutdown_write(e.c);
  pass(0);
  expect_out("1000+0F");
  expect_timeout(4, "1000+0F");
  cr_expect_eq(info().mss, 1400);
  ack("1.001");
}

Test(black_hole, p0045_a_closed_window_is_no_black_hole) {
  open_script_mss(100000, true, 1400);
  put(14000);
  pass(1);
  window("0", 0);
  (void)out();
  for (unsigned i = 0; i < 60; i++) {
    pass(1000);
    wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
    ack("0");
    (void)out();
  }
  cr_expect_gt(pcb()->nrtx, 3);
  cr_expect_eq(info().mss, 1400);
}

/* Smaller packets pass and are reported: the large one at the head is what all wait for. */
Test(black_hole, p0045_small_ones_pass_meanwhile) {
  open_script_mss(100000, true, 1400);
  stack_conn_set_options(e.c, &(struct stack_conn_options){.nodelay = true});
  put(1400);
  for (unsigned i = 0; i < 3; i++)
    put(100);
  expect_out("0+1400 1400+100 1500+100 1600+100");
  pass(100);
  ack("0 1.4-1.7");
  expect_timeout(3, "0+1200");
  pass(100);
  ack("1.7");
  cr_expect_eq(stats().pmtu_black_holes, 1);
}

/* A router speaks for its own link only, and the next one says nothing. */
Test(black_hole, p0045_behind_a_narrow_link_that_is_told_of) {
  open_script_mss(100000, true, 1400);
  put(14000);
  (void)out();
  too_big(1006, 0, 1440);
  cr_expect_eq(info().mss, 966);
  expect_timeout(2, "0+966");
  expect_timeout(3, "0+536");
  pass(100);
  ack("0.536");
  answer_all();
  cr_expect_eq(info().path_mtu, 576);
  cr_expect_eq(stats().pmtu_black_holes, 1);
  cr_expect_eq(stats().pmtu_reduced, 2);
}
