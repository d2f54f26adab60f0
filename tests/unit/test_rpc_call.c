/* SPDX-License-Identifier: BSD-3-Clause
 * Calls of a client that keeps to the rules: answers in any order, streams, cancellation, deadlines, descriptors, and
 * how an endpoint and its calls end.
 */
#include "rpc_util.h"

static struct loop *loop;
static struct rig rig;
static unsigned fds_before;

static void setup(void) {
  fds_before = fd_count();
  cr_assert_eq(loop_sim_new(&loop), 0);
  rig_open(&rig, loop);
}

static void teardown(void) {
  rig_close(&rig);
  loop_free(loop);
  expect_no_leak(fds_before);
}

TestSuite(rpc_call, .init = setup, .fini = teardown, .timeout = 60);

Test(rpc_call, straight_way) {
  send_echo(rig.client, 7, "", 42);
  cr_assert_eq(loop_run(loop), 0);
  cr_assert_eq(expect_reply(rig.client, 7, false), 42);
  expect_nothing(rig.client);
  cr_assert_eq(rig.begins, 1);
  cr_assert_eq(rig.ends, 1);
  cr_assert_eq(rig.dones, 1);
  cr_assert_eq(rig.last_error, 0);
  cr_assert_str_eq(rig.last_method, "Ping.Echo");
  cr_assert_eq(rig.freed_data, 1);
  cr_assert_eq(endpoint_calls(rig.ep), 0);
}

static struct rpc_stats stats(void) {
  struct rpc_stats s;
  rpc_get_stats(&s);
  return s;
}

static void call_and_answer(unsigned from, unsigned n) {
  for (unsigned i = from; i < from + n; i++) {
    send_echo(rig.client, i, "", i);
    loop_run(loop);
    cr_assert_eq(expect_reply(rig.client, i, false), i);
  }
}

/* Nothing is allocated for it, and it is looked for a second request only now and then. */
Test(rpc_call, one_at_a_time_is_cheap) {
  enum { WARM = 20, CALLS = 320 };
  call_and_answer(1, WARM);
  const struct rpc_stats before = stats();
  call_and_answer(WARM + 1, CALLS);
  const struct rpc_stats now = stats();
  cr_expect_eq(now.requests - before.requests, CALLS);
  cr_expect_eq(now.allocations, before.allocations);
  cr_expect_eq(now.reads_empty - before.reads_empty, CALLS / 16);
  cr_expect_eq(now.reads - before.reads, CALLS + CALLS / 16);
}

/* Who sends many at once is read in bounded batches, also after a time of single ones. */
Test(rpc_call, many_at_once_are_read_together) {
  enum { N = 48 };
  call_and_answer(1, 40);
  const struct rpc_stats before = stats();
  struct loop_stats a, b;
  loop_get_stats(loop, &a);
  for (unsigned i = 0; i < N; i++)
    send_echo(rig.client, 100 + i, "", i);
  loop_run(loop);
  loop_get_stats(loop, &b);
  for (unsigned i = 0; i < N; i++)
    cr_assert_eq(expect_reply(rig.client, 100 + i, false), i);
  cr_expect_leq(stats().reads_empty - before.reads_empty, 1);
  cr_expect_leq(b.watch_calls - a.watch_calls, 16 + N / ENDPOINT_TURN_MAX);
}

Test(rpc_call, answers_in_any_order) {
  struct call *calls[3];
  for (unsigned i = 0; i < 3; i++) {
    send_echo(rig.client, i + 1, "park", 0);
    loop_run(loop);
    calls[i] = rig.parked;
  }
  send_echo(rig.client, 4, "", 4);
  loop_run(loop);
  cr_assert_eq(expect_reply(rig.client, 4, false), 4);
  Capnet__PingEchoEvent ev = CAPNET__PING_ECHO_EVENT__INIT;
  for (unsigned i = 3; i-- > 0;) {
    call_reply(calls[i], &ev.base);
    expect_reply(rig.client, i + 1, false);
  }
  cr_assert_eq(rig.n_cancelled, 0);
  send_echo(rig.client, 1, "", 5); /* an id may be used again once its call is over */
  loop_run(loop);
  cr_assert_eq(expect_reply(rig.client, 1, false), 5);
}

Test(rpc_call, stream) {
  send_echo(rig.client, 9, "stream", 5);
  loop_run(loop);
  for (unsigned i = 1; i <= 5; i++)
    cr_assert_eq(expect_reply(rig.client, 9, i < 5), i);
  expect_nothing(rig.client);
  cr_assert_eq(rig.stream_result, 0);
}

Test(rpc_call, cancel) {
  send_echo(rig.client, 1, "park", 0);
  send_cancel(rig.client, 1);
  send_cancel(rig.client, 1); /* and once too often */
  send_cancel(rig.client, 2);
  loop_run(loop);
  expect_error(rig.client, 1, CANCELLED);
  expect_nothing(rig.client);
  cr_assert_eq(rig.n_cancelled, 1);
  cr_assert_eq(rig.cancel_reason, -ECANCELED);
  cr_assert_eq(rig.last_error, -ECANCELED);
  cr_assert_eq(rig.freed_data, 1);
}

/* A handler without a cancel function answers late, into nothing. */
Test(rpc_call, cancel_deaf) {
  send_echo(rig.client, 1, "park-deaf", 0);
  send_cancel(rig.client, 1);
  loop_run(loop);
  expect_error(rig.client, 1, CANCELLED);
  cr_assert_eq(rig.ends, 1);
  Capnet__PingEchoEvent ev = CAPNET__PING_ECHO_EVENT__INIT;
  uint32_t slot;
  cr_assert_null(call_owner(rig.parked));
  cr_assert_eq(call_add_fd(rig.parked, dup(rig.client), &slot), -ECONNRESET);
  cr_assert_eq(call_reply_more(rig.parked, &ev.base), -ECONNRESET);
  call_reply(rig.parked, &ev.base);
  expect_nothing(rig.client);
  cr_assert_eq(rig.freed_data, 1);
}

static void send_deadline(uint64_t call, uint64_t ms, uint32_t handler_limit) {
  Capnet__PingEchoRequest rq = CAPNET__PING_ECHO_REQUEST__INIT;
  Capnet__Frame f = request_frame(call, ECHO);
  f.has_deadline_ms = ms != 0;
  f.deadline_ms = ms;
  rq.target = (char *)"park";
  rq.has_timeout_ms = handler_limit != 0;
  rq.timeout_ms = handler_limit;
  send_frame(rig.client, &f, &rq.base);
  loop_run(loop);
}

Test(rpc_call, deadlines) {
  send_deadline(1, 3000, 0);
  send_deadline(2, 1000, 0);
  send_deadline(3, 5000, 2000); /* the handler's ceiling is earlier */
  send_deadline(4, 500, 2000);  /* the client's own is */
  send_deadline(5, 0, 4000);    /* the handler's default */
  send_deadline(6, 0, 0);
  static const struct {
    uint64_t call, at_ms;
  } expected[] = {{4, 500}, {2, 1000}, {3, 2000}, {1, 3000}, {5, 4000}};
  uint64_t now = 0;
  for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
    loop_sim_advance(loop, (expected[i].at_ms - now) * NSEC_PER_MSEC - 1);
    expect_nothing(rig.client);
    loop_sim_advance(loop, 1);
    expect_error(rig.client, expected[i].call, DEADLINE);
    cr_assert_eq(rig.n_cancelled, i + 1);
    cr_assert_eq(rig.cancel_reason, -ETIME);
    now = expected[i].at_ms;
  }
  loop_sim_advance(loop, 1000 * NSEC_PER_SEC);
  expect_nothing(rig.client);
  cr_assert_eq(endpoint_calls(rig.ep), 1);
}

/* Deadlines are boot-time: they pass while the machine sleeps. A huge one neither overflows nor fires. */
Test(rpc_call, deadline_suspend_and_overflow) {
  send_deadline(1, 60000, 0);
  send_deadline(2, UINT64_MAX, 0);
  loop_sim_suspend(loop, 60 * NSEC_PER_SEC);
  expect_error(rig.client, 1, DEADLINE);
  expect_nothing(rig.client);
}

Test(rpc_call, descriptors_of_a_reply) {
  size_t n;
  rig.owned_fd = dup(rig.client);
  send_echo(rig.client, 1, "fds", FRAME_FDS_MAX);
  loop_run(loop);
  _cleanup_(frame_freep) Capnet__Frame *f = receive(rig.client, &n, NULL);
  cr_assert_eq(f->kind, CAPNET__FRAME__KIND__REPLY);
  cr_assert_eq(n, FRAME_FDS_MAX);
  send_echo(rig.client, 2, "fds", FRAME_FDS_MAX + 1);
  loop_run(loop);
  expect_error(rig.client, 2, TOO_LARGE); /* -E2BIG; and nothing leaked, as the end of the test shows */
}

Test(rpc_call, a_reply_that_does_not_fit) {
  send_echo(rig.client, 1, "big", FRAME_MAX);
  send_echo(rig.client, 2, "", 2);
  loop_run(loop);
  expect_error(rig.client, 1, TOO_LARGE);
  cr_assert_eq(expect_reply(rig.client, 2, false), 2);
}

Test(rpc_call, the_account_refuses) {
  rig.refuse = -EDQUOT;
  send_echo(rig.client, 1, "", 0);
  loop_run(loop);
  _cleanup_(frame_freep) Capnet__Frame *f = receive(rig.client, NULL, NULL);
  cr_assert_eq(f->error->code, CAPNET__ERROR_CODE__ERROR_OVER_BUDGET);
  cr_assert_str_eq(f->error->grant, "web");
  cr_assert_str_eq(f->error->rule, "calls");
  cr_assert_eq(rig.handled, 0);
  cr_assert_eq(rig.dones, 1);
  cr_assert_eq(rig.last_error, -EDQUOT);
  rig.refuse = 0;
  send_echo(rig.client, 1, "", 3);
  loop_run(loop);
  cr_assert_eq(expect_reply(rig.client, 1, false), 3);
}

Test(rpc_call, at_most_so_many_under_way) {
  for (unsigned i = 1; i <= ENDPOINT_CALLS_MAX; i++) {
    send_echo(rig.client, i, "park", 0);
    loop_run(loop);
  }
  expect_nothing(rig.client);
  cr_assert_eq(endpoint_calls(rig.ep), ENDPOINT_CALLS_MAX);
  send_echo(rig.client, 1000, "", 0);
  loop_run(loop);
  expect_error(rig.client, 1000, LIMIT);
  send_cancel(rig.client, 1);
  send_echo(rig.client, 1000, "", 6);
  loop_run(loop);
  expect_error(rig.client, 1, CANCELLED);
  cr_assert_eq(expect_reply(rig.client, 1000, false), 6);
}

Test(rpc_call, terminal_comes_before_the_end_of_file) {
  rig_forget_duplicate(&rig);
  send_echo(rig.client, 1, "park", 0);
  loop_run(loop);
  for (unsigned i = 2; i < 30; i++)
    send_echo(rig.client, i, "", 0); /* unread requests would otherwise become a reset */
  Capnet__Error e = CAPNET__ERROR__INIT;
  e.has_code = 1;
  e.code = CAPNET__ERROR_CODE__ERROR_REVOKED;
  e.message = (char *)"revoked by grant web";
  rig.ep = endpoint_free(rig.ep, &e);
  cr_assert_eq(rig.n_cancelled, 1);
  cr_assert_eq(rig.cancel_reason, -ECONNRESET);
  cr_assert_eq(rig.hangups, 0, "the owner did it itself");
  cr_assert_eq(rig.handled, 1);
  expect_terminal(rig.client, REVOKED);
  expect_eof(rig.client);
}

Test(rpc_call, freed_without_a_word) {
  rig_forget_duplicate(&rig);
  send_echo(rig.client, 1, "", 0);
  rig.ep = endpoint_free(rig.ep, NULL);
  expect_eof(rig.client);
}

/* A capability that revokes itself: its endpoint goes inside the handler of its own call. */
Test(rpc_call, freed_inside_a_handler) {
  rig_forget_duplicate(&rig);
  send_echo(rig.client, 1, "free", 0);
  send_echo(rig.client, 2, "", 0);
  loop_run(loop);
  expect_eof(rig.client);
  cr_assert_eq(rig.handled, 1);
  cr_assert_eq(rig.dones, 1);
  cr_assert_eq(rig.freed_data, 1);
}

Test(rpc_call, parked_after_the_endpoint_went) {
  send_echo(rig.client, 1, "free-park", 0);
  loop_run(loop);
  cr_assert_eq(rig.n_cancelled, 1);
  cr_assert_eq(rig.cancel_reason, -ECONNRESET);
}

Test(rpc_call, freed_by_the_log_line) {
  rig.free_in_done = true;
  send_echo(rig.client, 1, "", 8);
  send_echo(rig.client, 2, "", 8);
  loop_run(loop);
  cr_assert_eq(expect_reply(rig.client, 1, false), 8);
  cr_assert_eq(rig.handled, 1);
}

Test(rpc_call, a_call_outlives_its_endpoint) {
  send_echo(rig.client, 1, "park-deaf", 0);
  loop_run(loop);
  rig.ep = endpoint_free(rig.ep, NULL);
  cr_assert_eq(rig.ends, 1);
  cr_assert_eq(rig.freed_data, 0);
  call_error(rig.parked, -ETIMEDOUT, NULL, NULL, "too late");
  cr_assert_eq(rig.freed_data, 1);
}

Test(rpc_call, client_closes) {
  send_echo(rig.client, 1, "park", 0);
  loop_run(loop);
  rig.client = fd_close(rig.client);
  rig.keep_on_hangup = true;
  loop_run(loop);
  cr_assert_eq(rig.n_cancelled, 1);
  cr_assert_eq(rig.cancel_reason, -ECONNRESET);
  cr_assert_eq(rig.hangups, 1);
  struct loop_stats a, b;
  loop_get_stats(loop, &a);
  loop_sim_advance(loop, 10 * NSEC_PER_SEC);
  loop_get_stats(loop, &b);
  cr_assert_eq(a.watch_calls, b.watch_calls, "silent until the owner frees it");
  cr_assert_eq(rig.hangups, 1);
}
