/* SPDX-License-Identifier: BSD-3-Clause
 * Packet scripts: path-MTU discovery by ICMP (RFC 1191, RFC 5927), what is remembered of it, and what else ICMP says to
 * a connection (RFC 1122 4.2.3.9). The peer's packets are of 1000 bytes, so of 1040 with their headers. Patches 0044 and
 * 0045 of third_party/lwip/patches.
 */
#include "stack_icmp.h"

#include "stack/stack_if6.h"
#include "stack/stack_private.h"

TestSuite(stack_pmtu, .init = setup, .fini = teardown, .timeout = 60);

/* --- what a claim does ------------------------------------------------------------------------------------------- */

Test(stack_pmtu, p0044_packets_of_tcp_are_not_fragmented) {
  unsigned seen = 0;
  open_script(1000, true);
  put(3 * K);
  ack("3");
  wire_tcp(&w, &(struct wire_tcp){.sport = 77, .dport = 78, .seq = 1, .flags = WIRE_SYN, .wnd = 100}); /* is reset */
  for (unsigned i = 0; i < w.n; i++) {
    const uint8_t *f = w.got[i].data;
    if (wire_get(f + 12, 2) != 0x0800 || f[23] != 6)
      continue;
    cr_expect_eq(wire_get(f + 20, 2), 0x4000, "frame %u", i);
    cr_expect_eq(wire_sum(f + 14, 20, 0), 0);
    seen++;
  }
  cr_expect_geq(seen, 5);
}

/* All of it was one segment, which is cut anew; it begins with an initial window, and ssthresh stays. */
Test(stack_pmtu, p0045_a_claim_is_honoured) {
  open_script(500, true);
  put(10 * K);
  expect_out("0..9");
  cr_assert_eq(pcb()->unacked->len, 10 * K);
  uint32_t ssthresh = info().ssthresh;
  pass(5);
  too_big(840, 0, 1040);
  expect_out("0+800 800+800 1600+800 2400+800 3200+800 4000+800 4800+800 5600+800 6400+800 7200+800");
  struct stack_conn_info i = info();
  cr_expect_eq(i.mss, 800);
  cr_expect_eq(i.path_mtu, 840);
  cr_expect_eq(i.path_origin, STACK_PATH_ICMP);
  cr_expect_eq(i.ssthresh, ssthresh);
  cr_expect_eq(stats().pmtu_reduced, 1);
  for (uint32_t at = 1 * K; at < 10 * K; at += K) /* the router says so of each */
    too_big(840, at, 1040);
  expect_quiet(90);
  cr_expect_eq(stats().pmtu_refused, 0);
  ack("4");
  expect_out("8000+800 8800+800 9600+400");
}

Test(stack_pmtu, p0045_without_sack) {
  open_script(100000, false);
  put(10 * K);
  (void)out();
  pass(5);
  too_big(840, 3 * K, 1040);
  cr_expect_eq(strncmp(out(), "0+800 800+800 ", 14), 0, "%s", script.text);
  pass(100);
  ack("0.8");
  ack("8");
  (void)out();
  pass(100);
  ack("10");
  cr_expect_geq(info().cwnd, 10 * K);
  expect_quiet(1000);
  cr_expect_eq(info().mss, 800);
}

/* In the middle of a recovery nothing is forgotten of it. */
Test(stack_pmtu, p0045_while_losses_are_repaired) {
  open_script(100000, true);
  put(10 * K);
  (void)out();
  pass(100);
  ack("0 1.5-2.5"); /* no whole packet of them: nothing larger has arrived */
  pass(1);
  too_big(840, 5 * K, 1040);
  cr_expect_eq(info().mss, 800);
  pass(300);
  ack("10");
  cr_expect_eq(pcb()->sacked + pcb()->lost + pcb()->retrans, 0);
}

/* What is not larger than the new size stays on its way. */
Test(stack_pmtu, p0045_small_packets_are_not_sent_again) {
  open_script(100000, true);
  stack_conn_set_options(e.c, &(struct stack_conn_options){.nodelay = true});
  put(500);
  put(300);
  put(1000);
  expect_out("0+500 500+300 800+1000");
  too_big(840, 800, 1040);
  expect_out("800+800 1600+200");
}

/* --- what is no claim --------------------------------------------------------------------------------------------- */

Test(stack_pmtu, p0045_a_claim_has_to_name_a_packet_of_ours) {
  open_script(100000, true);
  put(10 * K);
  ack("1");
  put(2 * K);
  (void)out();
  static const uint32_t wrong[] = {0, 12 * K, 3500, 1001, (uint32_t)-1, 0x80000000};
  for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
    too_big(576, wrong[i], 1040);
  cr_expect_eq(stats().pmtu_refused, ARRAY_SIZE(wrong));
  ack("1 4-5");
  too_big(576, 4 * K, 1040); /* it has arrived */
  cr_expect_eq(stats().pmtu_refused, ARRAY_SIZE(wrong) + 1);
  cr_expect_eq(info().mss, 1000);
  cr_expect_eq(info().path_origin, STACK_PATH_INTERFACE);
}

Test(stack_pmtu, p0045_a_claim_has_to_be_smaller) {
  open_script(100000, true);
  put(10 * K);
  (void)out();
  too_big(1500, 0, 1040);
  too_big(1041, 0, 1040);
  too_big(900, 0, 900); /* it would have passed */
  cr_expect_eq(stats().pmtu_refused, 3);
  expect_out("");
  too_big(840, 0, 1040);
  too_big(900, 9 * K, 1040); /* sent before, larger than now */
  cr_expect_eq(info().mss, 800);
  cr_expect_eq(stats().pmtu_refused, 4);
}

/* RFC 5927 7.2: who sends nothing large cannot be told to send smaller. */
Test(stack_pmtu, p0045_an_interactive_connection_hears_none) {
  open_script(100000, true);
  put(50);
  too_big(576, 0, 1500);
  too_big(0, 0, 1500);
  cr_expect_eq(info().mss, 1000);
  put(5 * K);
  ack("0.05");
  cr_expect_eq(stats().pmtu_reduced, 0);
}

Test(stack_pmtu, p0045_there_is_a_floor) {
  open_script(100000, true);
  put(10 * K);
  (void)out();
  too_big(68, 0, 1040);
  cr_expect_eq(info().mss, 536);
  cr_expect_eq(strncmp(out(), "0+536 536+536 ", 14), 0, "%s", script.text);
  too_big(67, 0, 576);
  too_big(1, 536, 576);
  cr_expect_eq(info().mss, 536);
  cr_expect_eq(stats().pmtu_refused, 2);
}

/* RFC 1191 7. The rest of the burst is not about what is sent now. */
Test(stack_pmtu, p0045_a_router_that_names_no_size) {
  open_script(100000, true);
  put(10 * K);
  (void)out();
  for (uint32_t at = 0; at < 10 * K; at += K)
    too_big(0, at, 1040);
  cr_expect_eq(info().mss, 1006 - 40);
  cr_expect_eq(strncmp(out(), "0+966 966+966 ", 14), 0, "%s", script.text);
  too_big(0, 966, 1006);
  cr_expect_eq(info().mss, 536);
  cr_expect_eq(stack_pmtu_plateau(1500), 1492);
  cr_expect_eq(stack_pmtu_plateau(1492), 1006);
  cr_expect_eq(stack_pmtu_plateau(65535), 32000);
  cr_expect_eq(stack_pmtu_plateau(100), 68);
}

/* RFC 5927 7: larger ones have arrived. */
Test(stack_pmtu, p0045_who_makes_progress_does_not_believe) {
  open_script(100000, true);
  put(5 * K);
  pass(100);
  ack("5");
  put(10 * K);
  (void)out();
  too_big(576, 7 * K, 1040);
  cr_expect_eq(info().mss, 1000);
  expect_out("");
  pass(100);
  ack("10"); /* what was named is there */
  put(1 * K);
  pass(2000); /* time-outs later it counts no more */
  cr_expect_gt(pcb()->nrtx, 0);
  cr_expect_eq(info().mss, 1000);
  cr_expect_eq(stats().pmtu_reduced, 0);
}

/* ... until nothing does any more: the path has changed. It is no congestion either. */
Test(stack_pmtu, p0045_the_path_becomes_narrower) {
  open_script(100000, true);
  put(5 * K);
  pass(100);
  ack("5");
  put(10 * K);
  (void)out();
  uint32_t ssthresh = info().ssthresh;
  for (uint32_t at = 5 * K; at < 15 * K; at += K)
    too_big(840, at, 1040);
  cr_expect_eq(info().mss, 1000);
  while (!pcb()->nrtx)
    pass(1);
  cr_expect_eq(info().mss, 800);
  cr_expect_eq(info().ssthresh, ssthresh);
  cr_expect_not_null(strstr(out(), "5000+800"), "%s", script.text);
  pass(100);
  ack("5.8");
  pass(100);
  ack("9");
  pass(100);
  ack("15");
  cr_expect_eq(info().path_mtu, 840);
  cr_expect_eq(stats().pmtu_reduced, 1);
}

/* --- what is remembered -------------------------------------------------------------------------------------------- */

/* Another connection of the peer's, answered by it. Returns the MSS that the stack offers. */
static uint16_t another(uint16_t sport, struct stack_conn **ret) {
  static const uint8_t o[4] = {2, 4, 3, 0xe8};
  struct wire_tcp t = {.sport = sport, .dport = 80, .seq = 5000, .flags = WIRE_SYN, .wnd = 65000, .options = o, .n_options = 4};
  wire_tcp(&w, &t);
  const uint8_t *f = wire_last(&w, 0);
  cr_assert_eq(f[47], WIRE_SYN | WIRE_ACK);
  cr_assert_eq(f[54], 2);
  uint16_t mss = (uint16_t)wire_get(f + 56, 2);
  t = (struct wire_tcp){.sport = sport, .dport = 80, .seq = 5001, .ack = wire_get(f + 38, 4) + 1, .flags = WIRE_ACK, .wnd = 65000};
  wire_tcp(&w, &t);
  static const struct stack_conn_ops nothing;
  cr_assert_eq(stack_listener_accept(l, &nothing, NULL, ret), 0);
  wire_run(&w, 0);
  return mss;
}

static struct stack_conn_info info_of(struct stack_conn *c) {
  struct stack_conn_info i;
  wire_run(&w, 0);
  stack_conn_info(c, &i);
  return i;
}

Test(stack_pmtu, p0045_the_next_connection_knows_for_ten_minutes) {
  struct stack_conn *c;
  open_script(100000, true);
  put(10 * K);
  (void)out();
  too_big(840, 0, 1040);
  (void)out();
  ack("10");
  cr_expect_eq(another(998, &c), 1460, "what we take has not changed");
  struct stack_conn_info i = info_of(c);
  cr_expect_eq(i.mss, 800);
  cr_expect_eq(i.path_mtu, 840);
  uint8_t byte = 1;
  struct iovec iov[2];
  cr_assert_geq(stack_conn_send_space(c, iov), 1);
  memcpy(iov[0].iov_base, &byte, 1);
  cr_assert_eq(stack_conn_send_commit(c, 1), 0);
  cr_expect_eq(info_of(c).path_origin, STACK_PATH_CACHE);
  stack_conn_abort(c, STACK_END_RESET_LOCAL);
  wire_run(&w, 599 * SEC);
  wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
  another(997, &c);
  cr_expect_eq(info_of(c).mss, 800);
  stack_conn_abort(c, STACK_END_RESET_LOCAL);
  wire_run(&w, 2 * SEC);
  another(996, &c);
  cr_expect_eq(info_of(c).mss, 1000);
  cr_expect_eq(info_of(c).path_origin, STACK_PATH_INTERFACE);
  stack_conn_abort(c, STACK_END_RESET_LOCAL);
}

/* RFC 1191 6.3. A claim ends the trial as it begins: no loss is counted. */
Test(stack_pmtu, p0045_larger_ones_are_tried_after_ten_minutes) {
  open_script(100000, true);
  put(10 * K);
  (void)out();
  too_big(840, 0, 1040);
  (void)out();
  pass(100);
  answer_all();
  pass(601000);
  wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
  put(2 * K);
  expect_out("10..11");
  too_big(840, 10 * K, 1040);
  expect_out("10000+800 10800+800 11600+400");
  answer_all();
  put(2 * K);
  expect_out("12000+800 12800+800 13600+400");
  answer_all();
  pass(601000);
  wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
  put(2 * K);
  expect_out("14..15");
  pass(100);
  ack("16");
  cr_expect_eq(info().path_origin, STACK_PATH_INTERFACE);
  cr_expect_eq(info().path_mtu, 1500);
}

/* However many there are, it takes no more room; the newest is there. */
Test(stack_pmtu, the_memory_of_paths_is_bounded) {
  ip_addr_t local = IPADDR4_INIT(PP_HTONL(WIRE_OWN)), remote = local;
  unsigned known = 0;
  for (uint32_t i = 0; i < 3 * STACK_PMTU_ENTRIES; i++) {
    ip_addr_set_ip4_u32_val(remote, lwip_htonl(0x0b000000 + i));
    stack_pmtu_learn(w.s, &local, &remote, false, 1300);
    cr_assert_eq(stack_pmtu_find(w.s, &local, &remote, false, NULL), 1300);
    stack_pmtu_learn(w.s, &local, &remote, false, 1200);
    cr_assert_eq(stack_pmtu_find(w.s, &local, &remote, false, NULL), 1200);
  }
  for (uint32_t i = 0; i < 3 * STACK_PMTU_ENTRIES; i++) {
    ip_addr_set_ip4_u32_val(remote, lwip_htonl(0x0b000000 + i));
    known += stack_pmtu_find(w.s, &local, &remote, false, NULL) != 0;
  }
  cr_expect_leq(known, STACK_PMTU_ENTRIES);
  cr_expect_geq(known, STACK_PMTU_ENTRIES / 2);
  wire_run(&w, 600 * SEC);
  cr_expect_eq(stack_pmtu_find(w.s, &local, &remote, false, NULL), 0);
}

/* --- other errors -------------------------------------------------------------------------------------------------- */

Test(stack_pmtu, an_error_ends_no_connection_and_names_the_cause_of_a_time_out) {
  open_script(1000, true);
  put(1 * K);
  icmp(3, 1, 0, 5 * K, 1040); /* of nothing that was sent */
  cr_expect_eq(info().icmp_error, 0);
  icmp(4, 0, 0, 0, 1040); /* source quench: RFC 6633 */
  cr_expect_eq(info().icmp_error, 0);
  cr_expect_eq(info().cwnd, 10 * K);
  icmp(3, 3, 0, 0, 1040);
  cr_expect_eq(info().icmp_error, -ECONNREFUSED);
  icmp(3, 13, 0, 0, 1040);
  cr_expect_eq(info().icmp_error, -EHOSTUNREACH);
  cr_expect_eq(e.ended, 0);
  ack("1");
  put(1 * K);
  pass(1);
  cr_expect_eq(info().icmp_error, -EHOSTUNREACH, "until something later is acknowledged");
  ack("2");
  cr_expect_eq(info().icmp_error, 0);
  put(1 * K);
  icmp(3, 0, 0, 2 * K, 1040);
  wire_run(&w, 1200 * SEC);
  cr_expect_eq(e.ended, 1);
  cr_expect_eq(e.why, STACK_END_TIMED_OUT);
  cr_expect_eq(info().end_error, -ENETUNREACH);
}

Test(stack_pmtu, a_user_timeout_has_the_cause_too) {
  open_script(1000, true);
  stack_conn_set_options(e.c, &(struct stack_conn_options){.user_timeout_ms = 5000});
  put(1 * K);
  pass(2000);
  icmp(11, 0, 0, 0, 1040);
  pass(4000);
  cr_expect_eq(e.why, STACK_END_TIMED_OUT);
  cr_expect_eq(info().end_error, -EHOSTUNREACH);
}

Test(stack_pmtu, a_time_out_of_which_nobody_said_anything) {
  open_script(1000, true);
  stack_conn_set_options(e.c, &(struct stack_conn_options){.user_timeout_ms = 5000});
  put(1 * K);
  pass(6000);
  cr_expect_eq(info().end_error, -ETIMEDOUT);
}

/* --- the interface's own ------------------------------------------------------------------------------------------ */

/* A lease or a router says less than the device: what is sent from then on is smaller. When that is over the larger
 * size is tried again. */
Test(stack_pmtu, a_smaller_mtu_of_the_interface_counts_at_once) {
  open_script(1000, true);
  put(1 * K);
  expect_out("0");
  cr_assert_eq(stack_if_limit_mtu(w.i, AF_INET, 840, "dhcp"), 0);
  cr_assert_eq(stack_if_limit_mtu(w.i, AF_INET6, 1280, "ra"), 0);
  ack("1");
  put(2 * K);
  expect_out("1000+800 1800+800 2600+400");
  cr_expect_eq(info().mss, 800);
  cr_assert_eq(stack_if_limit_mtu(w.i, AF_INET, 0, NULL), 0);
  ack("3");
  put(1 * K);
  expect_out("3");
}
