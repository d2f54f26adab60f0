/* SPDX-License-Identifier: BSD-3-Clause
 * Packet scripts: how much is sent and when, and when the stack acknowledges. Patches 0027, 0029 to 0033 and 0042
 * of third_party/lwip/patches.
 */
#include "stack_script.h"

TestSuite(stack_sender, .init = setup, .fini = teardown, .timeout = 60);

/* --- the peer's window ------------------------------------------------------------------------------------------ */

Test(stack_sender, p0027_a_large_segment_is_split_at_the_window) {
  open_script(1000, true);
  window("0", 4500);
  put(10 * K);
  expect_out("0..3");
  pass(1);
  ack("4");
  expect_out("4..7");
  pass(1);
  ack("8");
  expect_out("8..9");
  ack("10");
  expect_quiet(5000);
}

Test(stack_sender, p0006_a_silly_window_is_filled_by_the_persist_timer) {
  open_script(1000, true);
  window("0", 600);
  put(3 * K);
  expect_after(1500, "0+600");
  ack("0.6");
  expect_after(1500, "600+600");
  script.wnd = 5000;
  ack("1.2");
  pass(1);
  (void)out();
  ack("3");
  expect_quiet(5000);
  cr_expect_eq(info().send_queue, 0);
  cr_expect_eq(info().retransmits, 0);
}

Test(stack_sender, p0027_a_zero_window_is_probed) {
  open_script(1000, true);
  window("0", 0);
  put(3 * K);
  expect_after(1500, "0+1");
  ack("0");
  expect_after(3000, "0+1");
  script.wnd = 5000;
  ack("0");
  expect_out("0..2");
  ack("3");
  expect_quiet(5000);
}

Test(stack_sender, p0027_the_byte_of_a_probe_is_acknowledged) {
  open_script(1000, true);
  window("0", 0);
  put(3 * K);
  expect_after(1500, "0+1");
  ack("0.001");
  pass(3002);
  cr_expect_neq(*out(), 0, "it is probed on");
  script.wnd = 5000;
  ack("0.001");
  cr_expect_neq(*out(), 0);
  ack("3");
  expect_quiet(5000);
  cr_expect_eq(info().send_queue, 0);
  cr_expect_eq(info().bytes_out, 3 * K);
}

Test(stack_sender, p0027_a_window_that_shrinks) {
  open_script(100000, true);
  put(30 * K);
  expect_out("0..9");
  pass(100);
  window("1", 2000);
  expect_quiet(50);
  window("10", 2000);
  expect_out("10..11");
  pass(100);
  window("11", 0);
  expect_quiet(100);
  window("12", 3000);
  expect_out("12..14");
}

Test(stack_sender, p0027_a_fin_behind_a_closed_window) {
  open_script(1000, true);
  window("0", 2500);
  e.shut_after = true;
  put(3 * K);
  expect_out("0..1");
  window("2", 0);
  expect_after(1500, "2000+1");
  script.wnd = 5000;
  ack("2");
  expect_out("2000+1000F");
  ack("3.001");
  expect_quiet(1000);
  cr_expect_eq(info().state, STACK_TCP_FIN_WAIT_2);
}

Test(stack_sender, p0027_a_lone_fin_behind_a_closed_window) {
  open_script(1000, true);
  window("0", 2000);
  put(2 * K);
  expect_out("0..1");
  window("2", 0);
  stack_conn_shutdown_write(e.c);
  pass(10000);
  (void)out();
  script.wnd = 5000;
  ack("2");
  pass(5000);
  ack("2.001");
  cr_expect_eq(info().state, STACK_TCP_FIN_WAIT_2);
}

/* --- the congestion window -------------------------------------------------------------------------------------- */

Test(stack_sender, p0028_slow_start_counts_bytes) {
  open_script(100000, true);
  put(200 * K);
  expect_out("0..9");
  cr_expect_eq(info().cwnd, 10 * K);
  pass(100);
  ack("1");
  expect_out("10..11");
  ack("5");
  expect_out("12..19");
  ack("10");
  expect_out("20..29");
  cr_expect_eq(info().cwnd, 20 * K);
  pass(100);
  ack("30");
  expect_out("30..69");
  cr_expect_eq(info().cwnd, 40 * K);
}

/* A window that nobody fills does not grow. */
Test(stack_sender, p0028_an_unused_window_does_not_grow) {
  open_script(100000, true);
  for (unsigned i = 1; i < 50; i++) {
    char text[8];
    put(K);
    pass(100);
    snprintf(text, sizeof text, "%u", i);
    ack(text);
  }
  cr_expect_eq(info().cwnd, 10 * K, "%u", info().cwnd);
}

/* RFC 6937: while the window shrinks from 20 to 14 packets, 0.7 of a packet leaves for each that arrives. */
Test(stack_sender, p0028_recovery_sends_in_proportion) {
  open_script(100000, true);
  put(200 * K);
  pass(100);
  ack("10");
  pass(100);
  (void)out(); /* 10..29 are on their way */
  ack("10 11-12");
  ack("10 11-13");
  expect_out("30..31"); /* RFC 3042 */
  unsigned sent = 0;
  for (unsigned k = 14; k <= 30; k++) {
    char text[32];
    unsigned before = w.n;
    snprintf(text, sizeof text, "10 11-%u", k);
    ack(text);
    cr_expect_leq(w.n - before, 1, "%s: %s", text, out());
    sent += w.n - before;
    cr_expect_leq(sent * 10, (k - 13) * 7 + 10, "%u for %u", sent, k - 13);
  }
  cr_expect_eq(info().ssthresh, 14 * K);
  cr_expect_geq(sent, 11, "%u", sent);
  pass(100);
  (void)out();
  ack("30 31-33");
  cr_expect_leq(info().cwnd, 15 * K);
  cr_expect_geq(info().cwnd, 13 * K);
}

Test(stack_sender, p0032_cubic_keeps_seven_tenths) {
  open_script(100000, true);
  cr_expect_str_eq(info().congestion, "cubic");
  put(10 * K);
  pass(100);
  ack("0 1-10");
  cr_expect_eq(info().ssthresh, 7 * K);
  pass(100);
  ack("10");
  cr_expect_eq(info().cwnd, 7 * K);
}

static int choose(const char *name) {
  struct stack_conn_options o = {.congestion = name};
  return stack_conn_set_options(e.c, &o);
}

/* So many packets of 1000 arrived, one ACK each, with more to send all the time. */
static void arrive(unsigned from, unsigned to) {
  char text[16];
  for (unsigned k = from; k <= to; k++) {
    snprintf(text, sizeof text, "%u", k);
    ack(text);
  }
}

Test(stack_sender, p0042_the_controller_that_is_chosen_decides) {
  open_script(100000, true);
  cr_assert_eq(choose("reno"), 0);
  cr_expect_str_eq(info().congestion, "reno");
  cr_expect_str_eq(info().options.congestion, "reno");
  cr_expect_eq(info().cwnd, 10 * K);
  put(10 * K);
  pass(100);
  ack("0 1-10");
  cr_expect_eq(info().ssthresh, 5 * K, "half, not seven tenths");
}

/* Both ways round: what the path bears stays, in slow start, within a recovery and after it. */
static void stays(const char *to) {
  struct stack_conn_info before = info();
  cr_assert_eq(choose(to), 0);
  struct stack_conn_info after = info();
  cr_expect_str_eq(after.congestion, to);
  cr_expect(after.cwnd == before.cwnd && after.ssthresh == before.ssthresh && after.send_queue == before.send_queue);
}

Test(stack_sender, p0042_a_change_on_the_way_keeps_the_window) {
  open_script(100000, true);
  put(60 * K);
  pass(100);
  arrive(1, 10);
  cr_expect_eq(info().cwnd, 20 * K);
  stays("reno");
  stays("cubic");
  arrive(11, 12);
  cr_expect_eq(info().cwnd, 22 * K, "slow start goes on");
  pass(100);
  ack("12 13-20");
  uint32_t threshold = info().ssthresh;
  cr_expect(threshold >= 22 * K * 7 / 10 - K && threshold <= 22 * K * 7 / 10, "%u", threshold);
  stays("reno");
  pass(100);
  (void)out();
  ack("34");
  cr_expect_eq(info().ssthresh, threshold, "the recovery ends as it began");
  cr_expect_eq(info().cwnd, threshold);
  put(60 * K);
  uint32_t cwnd = info().cwnd;
  pass(100);
  arrive(35, 35 + cwnd / K);
  cr_expect_eq(info().cwnd, cwnd + K, "reno: a packet a window");
  stays("cubic");
}

/* CUBIC without a maximum that it knew: it begins where it is, and grows. */
Test(stack_sender, p0042_cubic_begins_at_the_window_that_there_is) {
  open_script(100000, true);
  cr_assert_eq(choose("reno"), 0);
  put(10 * K);
  pass(100);
  ack("0 1-10");
  pass(100);
  ack("10");
  cr_expect_eq(info().cwnd, 5 * K);
  cr_assert_eq(choose("cubic"), 0);
  unsigned at = 10;
  uint32_t last = 5 * K;
  for (unsigned round = 0; round < 20; round++) {
    unsigned n = info().cwnd / K;
    put(n * K + K); /* always more than the window lets out */
    pass(100);
    arrive(at + 1, at + n);
    at += n;
    cr_expect_geq(info().cwnd, last);
    cr_expect_leq(info().cwnd, last + last / 2, "round %u: %u after %u", round, info().cwnd, last);
    last = info().cwnd;
  }
  cr_expect_gt(last, 8 * K);
}

Test(stack_sender, p0042_an_unknown_controller_changes_nothing) {
  open_script(100000, true);
  struct stack_conn_options o = {.nodelay = true, .congestion = "vegas"};
  cr_expect_eq(stack_conn_set_options(e.c, &o), -EINVAL);
  cr_expect_str_eq(info().congestion, "cubic");
  cr_expect(!info().options.nodelay);
  char names[STACK_CONGESTION_STRLEN];
  cr_expect_str_eq(stack_congestion_names(names), "cubic, reno");
  cr_expect_null(stack_congestion_find("cubi"));
}

Test(stack_sender, p0029_after_idleness_the_window_is_the_first_one) {
  open_script(100000, true);
  put(30 * K);
  pass(100);
  ack("10");
  pass(100);
  ack("30");
  (void)out();
  cr_assert_gt(info().cwnd, 20 * K);
  pass(50);
  put(15 * K);
  expect_out("30..44");
  pass(100);
  ack("45");
  uint32_t cwnd = info().cwnd;
  pass(5000);
  put(30 * K);
  expect_out("45..54");
  cr_expect_eq(info().cwnd, 10 * K);
  cr_expect_eq(info().ssthresh, MAX(cwnd / 4 * 3, info().ssthresh));
}

/* --- small segments --------------------------------------------------------------------------------------------- */

Test(stack_sender, p0031_the_small_end_of_large_data_leaves_at_once) {
  open_script(100000, true);
  put(2500);
  expect_out("0..1 2000+500");
  put(300);
  expect_out("");
  pass(100);
  ack("2");
  expect_out("");
  ack("2.5");
  expect_out("2500+300");
}

Test(stack_sender, p0031_small_ones_gather_until_the_first_is_acknowledged) {
  open_script(100000, true);
  put(10);
  expect_out("0+10");
  for (int i = 0; i < 9; i++)
    put(10);
  expect_out("");
  pass(100);
  ack("0.01");
  expect_out("10+90");
}

Test(stack_sender, p0031_nodelay_waits_for_nothing) {
  struct stack_conn_options o = {.nodelay = true};
  open_script(100000, true);
  cr_assert_eq(stack_conn_set_options(e.c, &o), 0);
  put(2500);
  put(300);
  put(7);
  expect_out("0..1 2000+500 2500+300 2800+7");
}

/* --- what the stack acknowledges -------------------------------------------------------------------------------- */

static void peer_data(unsigned k) {
  wire_tcp_later(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1001 + k * K, .ack = script.base,
                                        .flags = WIRE_ACK, .wnd = 65000, .len = K});
}

/* The newest frame acknowledges so many packets; its blocks of SACK are counted. */
static unsigned expect_ack(unsigned packets) {
  const uint8_t *f = wire_last(&w, 0);
  cr_expect_eq(wire_get(f + 42, 4), 1001 + packets * K, "%u", wire_get(f + 42, 4) - 1001);
  return f[46] >> 4 > 5 ? (f[57] - 2u) / 8 : 0;
}

static void take(void) {
  struct iovec iov[8];
  for (int n; (n = stack_conn_peek(e.c, iov, 8)) > 0;) {
    size_t all = 0;
    for (int i = 0; i < n; i++)
      all += iov[i].iov_len;
    stack_conn_consume(e.c, all);
  }
}
static void take_all(void *arg) {
  (void)arg;
  take();
}

Test(stack_sender, p0033_one_ack_a_turn) {
  static const struct stack_conn_ops ops = {.readable = take_all};
  open_script(1000, true);
  stack_conn_set_ops(e.c, &ops, NULL);
  uint32_t wnd = info().our_window;
  unsigned before = w.n;
  for (unsigned k = 0; k < 12; k++)
    peer_data(k);
  wire_run(&w, 0);
  cr_expect_eq(w.n - before, 1, "%u", w.n - before);
  cr_expect_eq(expect_ack(12), 0);
  cr_expect_geq(info().our_window, wnd, "%u of %u", info().our_window, wnd);
  cr_expect_geq(wire_get(wire_last(&w, 0) + 48, 2), wnd >> 8 > 0xffff ? 0xffff : MIN(wnd >> 8, 0xffff));
}

Test(stack_sender, p0033_a_lone_packet_is_acknowledged_within_25_ms) {
  open_script(1000, true);
  unsigned before = w.n;
  peer_data(0);
  wire_run(&w, 0);
  cr_expect_eq(w.n, before, "it is not at once");
  pass(26);
  cr_assert_eq(w.n, before + 1);
  expect_ack(1);
  peer_data(1);
  wire_run(&w, 0);
  pass(5);
  peer_data(2);
  wire_run(&w, 0);
  cr_expect_eq(w.n, before + 2, "the second is, RFC 9293 3.8.6.3");
  expect_ack(3);
}

Test(stack_sender, p0033_what_is_out_of_order_is_acknowledged_each) {
  open_script(1000, true);
  unsigned before = w.n;
  peer_data(1);
  peer_data(3);
  peer_data(5);
  wire_run(&w, 0);
  cr_assert_eq(w.n - before, 3);
  cr_expect_eq(expect_ack(0), 3);
  const uint8_t *f = wire_last(&w, 0);
  cr_expect_eq(wire_get(f + 58, 4), 1001 + 5 * K, "the newest block comes first, RFC 2018 4");
  peer_data(0);
  wire_run(&w, 0);
  cr_expect_eq(expect_ack(2), 2);
  peer_data(2);
  peer_data(4);
  wire_run(&w, 0);
  cr_expect_eq(expect_ack(6), 0);
}
