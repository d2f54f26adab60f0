/* SPDX-License-Identifier: BSD-3-Clause
 * The pump: what goes through, what holds back, and how each end of a connection looks on the other side.
 */
#include "flow_client.h"

TestSuite(flow, .timeout = 120);

/* --- bytes ---------------------------------------------------------------------------------------------------------- */

Test(flow, bytes_both_ways_and_a_clean_end) {
  struct rig r;
  const uint64_t up = 3000000, down = 2000000;
  rig_open(&r, down, false);
  r.server.shut_after = true;
  for (int i = 0; i < 2000 && !r.overs; i++) {
    rig_client_write(&r, up);
    if (r.written == up && r.got == down)
      cr_assert_eq(shutdown(r.fd, SHUT_WR), 0);
    rig_run(&r, 10 * MS);
    rig_client_read(&r, down + 1);
  }
  cr_expect_eq(r.server.got, up);
  cr_expect_eq(r.got, down);
  cr_expect(!r.bad && !r.server.bad);
  cr_expect(r.eof && r.server.eof);
  cr_expect_eq(r.overs, 1);
  cr_expect_eq(r.why, STACK_END_CLOSED);
  cr_expect_eq(r.server.why, STACK_END_CLOSED);
  struct flow_info i = rig_info(&r);
  cr_expect(i.dead);
  cr_expect_eq(i.conn.end, STACK_END_CLOSED);
  rig_close(&r);
}

/* The window closes, and everybody's memory stays within what the info says. */
Test(flow, a_client_that_does_not_read_holds_the_peer_back) {
  struct rig r;
  const uint64_t all = 20000000;
  rig_open(&r, all, false);
  rig_run(&r, 30 * SEC);
  struct flow_info i = rig_info(&r);
  cr_expect_eq(i.blocked, FLOW_BLOCKED_CLIENT_READING, "%s", flow_blocked_name(i.blocked));
  /* The last write may have ended within a segment: what that left of the window is too little to be used. */
  cr_expect_leq(i.conn.our_window, i.conn.mss, "%u", i.conn.our_window);
  cr_expect_leq(i.conn.recv_queue, i.conn.recv_capacity);
  cr_expect_gt(i.conn.recv_queue, 0);
  cr_expect_leq(i.client_recv_queue, i.client_recv_capacity + 65536);
  cr_expect_lt(r.server.sent, i.conn.recv_capacity + i.client_recv_capacity + (2u << 20));
  const uint64_t stuck = r.server.sent;
  rig_run(&r, 300 * SEC);
  cr_expect_eq(r.server.sent, stuck);
  for (int k = 0; k < 20000 && r.got < all; k++) {
    rig_client_read(&r, all);
    rig_run(&r, 10 * MS);
  }
  cr_expect_eq(r.got, all);
  cr_expect(!r.bad);
  rig_close(&r);
}

Test(flow, a_peer_that_does_not_read_holds_the_client_back) {
  struct rig r;
  rig_open(&r, 0, true);
  for (int i = 0; i < 100; i++) {
    rig_client_write(&r, 50000000);
    rig_run(&r, 100 * MS);
  }
  const uint64_t stuck = r.written;
  rig_run(&r, 100 * SEC);
  rig_client_write(&r, 50000000);
  cr_expect_eq(r.written, stuck);
  struct flow_info i = rig_info(&r);
  cr_expect_eq(i.blocked, FLOW_BLOCKED_PEER_WINDOW, "%s, window %u", flow_blocked_name(i.blocked), i.conn.peer_window);
  cr_expect_leq(i.conn.send_queue, i.conn.send_capacity);
  cr_expect_gt(i.client_send_queue, 0);
  cr_expect_lt(stuck, 8u << 20);
  r.server.hold = false;
  end_recv(&r.server);
  for (int k = 0; k < 1000 && r.server.got < stuck; k++)
    rig_run(&r, 100 * MS);
  cr_expect_eq(r.server.got, stuck);
  cr_expect(!r.server.bad);
  rig_close(&r);
}

Test(flow, what_a_connection_waits_for) {
  struct rig r;
  rig_open(&r, 0, false);
  cr_expect_eq(rig_info(&r).blocked, FLOW_BLOCKED_CLIENT_SENDING);
  cr_assert_eq(shutdown(r.fd, SHUT_WR), 0);
  rig_run(&r, 1 * SEC);
  cr_expect_eq(rig_info(&r).blocked, FLOW_BLOCKED_NOTHING);
  for (enum flow_blocked b = FLOW_BLOCKED_NOTHING; b <= FLOW_BLOCKED_ACCEPT_QUEUE; b++)
    cr_expect_neq(flow_blocked_name(b)[0], '?');
  rig_close(&r);
}

/* --- half-close ------------------------------------------------------------------------------------------------------- */

Test(flow, half_close_by_the_client) {
  struct rig r;
  rig_open(&r, 0, false);
  rig_client_write(&r, 1000);
  cr_assert_eq(shutdown(r.fd, SHUT_WR), 0);
  rig_run(&r, 1 * SEC);
  cr_expect(r.server.eof);
  cr_expect_eq(r.server.got, 1000);
  cr_expect_eq(r.overs, 0);
  r.server.to_send = 100000;
  r.server.shut_after = true;
  end_send(&r.server);
  for (int i = 0; i < 100; i++) {
    rig_run(&r, 100 * MS);
    rig_client_read(&r, 100001);
  }
  cr_expect_eq(r.got, 100000);
  cr_expect(r.eof && !r.bad);
  cr_expect_eq(r.why, STACK_END_CLOSED);
  rig_close(&r);
}

Test(flow, half_close_by_the_peer) {
  struct rig r;
  rig_open(&r, 1000, false);
  r.server.shut_after = true;
  end_send(&r.server);
  rig_run(&r, 1 * SEC);
  rig_client_read(&r, 1001);
  cr_expect(r.eof);
  cr_expect_eq(r.got, 1000);
  cr_expect_eq(r.overs, 0);
  for (int i = 0; i < 100; i++) {
    rig_client_write(&r, 500000);
    rig_run(&r, 100 * MS);
  }
  cr_expect_eq(r.server.got, 500000);
  cr_expect_eq(r.overs, 0);
  cr_assert_eq(shutdown(r.fd, SHUT_WR), 0);
  rig_run(&r, 10 * SEC);
  cr_expect(r.server.eof);
  cr_expect_eq(r.overs, 1);
  cr_expect_eq(r.why, STACK_END_CLOSED);
  rig_close(&r);
}

/* After both sides' FIN the end is the stack's word: a peer that never acknowledges the last bytes is not "closed". */
Test(flow, both_shut_down_is_not_yet_the_end) {
  struct rig r;
  rig_open(&r, 0, true);
  r.server.shut_after = true;
  end_send(&r.server);
  rig_run(&r, 1 * SEC);
  for (int i = 0; i < 50; i++) {
    rig_client_write(&r, 800000); /* more than the peer's window, less than that and the send queue */
    rig_run(&r, 100 * MS);
  }
  cr_assert_eq(shutdown(r.fd, SHUT_WR), 0);
  rig_run(&r, 1 * SEC);
  cr_expect_eq(r.overs, 0, "%s", stack_end_name(r.why));
  cr_expect_eq(rig_info(&r).client_send_queue, 0);
  cr_expect_gt(rig_info(&r).conn.send_queue, 0);
  r.server.c = stack_conn_abort(r.server.c, STACK_END_RESET_LOCAL);
  rig_run(&r, 1 * SEC);
  cr_expect_eq(r.overs, 1);
  cr_expect_eq(r.why, STACK_END_RESET_BY_PEER, "%s", stack_end_name(r.why));
  rig_close(&r);
}

/* The peer acknowledges each probe of its closed window, for ever. */
Test(flow, a_client_that_is_gone_does_not_wait_for_ever) {
  struct rig r;
  rig_open(&r, 0, true);
  r.server.shut_after = true;
  end_send(&r.server);
  rig_run(&r, 1 * SEC);
  for (int i = 0; i < 50; i++) {
    rig_client_write(&r, 800000); /* more than the peer's window, less than that and the send queue */
    rig_run(&r, 100 * MS);
  }
  r.fd = fd_close(r.fd);
  rig_run(&r, 30 * SEC);
  cr_expect_eq(r.overs, 0);
  rig_run(&r, 300 * SEC);
  cr_expect_eq(r.overs, 1);
  cr_expect_eq(r.why, STACK_END_TIMED_OUT, "%s", stack_end_name(r.why));
  rig_close(&r);
}

/* FIN comes after all that the client wrote, what still lies in its descriptor among it. */
Test(flow, shutdown_from_the_control_loses_nothing) {
  struct rig r;
  rig_open(&r, 0, true);
  for (int i = 0; i < 50; i++) {
    rig_client_write(&r, 50000000);
    rig_run(&r, 100 * MS);
  }
  cr_expect_gt(rig_info(&r).client_send_queue, 0);
  flow_shutdown(r.f);
  flow_shutdown(r.f);
  if (!rig_sockets) { /* TCP cannot stop the other side: what it writes from now on is not read */
    ssize_t more = send(r.fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    int error = errno;
    cr_expect_eq(more, -1);
    cr_expect_eq(error, EPIPE);
  }
  r.server.hold = false;
  end_recv(&r.server);
  for (int k = 0; k < 1000 && !r.server.eof; k++)
    rig_run(&r, 100 * MS);
  cr_expect(r.server.eof);
  cr_expect_eq(r.server.got, r.written, "%lu of %lu", (unsigned long)r.server.got, (unsigned long)r.written);
  cr_expect_eq(r.overs, 0);
  r.server.to_send = 10;
  r.server.shut_after = true;
  end_send(&r.server);
  rig_run(&r, 1 * SEC);
  rig_client_read(&r, 11);
  cr_expect(r.eof);
  cr_expect_eq(r.got, 10);
  rig_until_over(&r);
  cr_expect_eq(r.why, STACK_END_CLOSED);
  rig_close(&r);
}

/* --- the client's end --------------------------------------------------------------------------------------------------- */

Test(flow, close_with_nothing_unread_is_a_fin) {
  struct rig r;
  rig_open(&r, 500, false);
  rig_run(&r, 1 * SEC);
  rig_client_read(&r, 500);
  rig_client_write(&r, 300000);
  r.fd = fd_close(r.fd);
  rig_run(&r, 10 * SEC);
  cr_expect_eq(r.server.got, r.written);
  cr_expect(r.server.eof);
  cr_expect_eq(r.server.ended, 0);
  rig_until_over(&r);
  cr_expect_eq(r.overs, 1);
  cr_expect_eq(r.why, STACK_END_CLOSED);
  cr_expect_eq(r.server.ended, 0);
  rig_close(&r);
}

Test(flow, close_with_bytes_unread_in_the_descriptor_is_a_reset) {
  struct rig r;
  rig_open(&r, 500, false);
  rig_run(&r, 1 * SEC);
  rig_client_read(&r, 499);
  r.fd = fd_close(r.fd);
  rig_run(&r, 10 * SEC);
  cr_expect_eq(r.overs, 1);
  cr_expect_eq(r.why, STACK_END_RESET_LOCAL);
  cr_expect_eq(r.server.ended, 1);
  cr_expect_eq(r.server.why, STACK_END_RESET_BY_PEER, "%s", stack_end_name(r.server.why));
  rig_close(&r);
}

Test(flow, close_with_bytes_unread_in_the_stack_is_a_reset) {
  struct rig r;
  rig_open(&r, 5000000, false);
  rig_run(&r, 10 * SEC);
  cr_expect_gt(rig_info(&r).conn.recv_queue, 0);
  r.fd = fd_close(r.fd);
  rig_run(&r, 10 * SEC);
  cr_expect_eq(r.overs, 1);
  cr_expect_eq(r.why, STACK_END_RESET_LOCAL);
  cr_expect_eq(r.server.why, STACK_END_RESET_BY_PEER);
  rig_close(&r);
}

Test(flow, shut_rd_drops_what_comes_and_still_sends) {
  struct rig r;
  if (rig_sockets)
    cr_skip_test("the kernel's TCP keeps what comes after SHUT_RD, and so do we");
  rig_open(&r, 5000000, false);
  cr_assert_eq(shutdown(r.fd, SHUT_RD), 0);
  for (int i = 0; i < 100; i++) {
    rig_client_write(&r, 100000);
    rig_run(&r, 100 * MS);
  }
  cr_expect_eq(r.server.sent, 5000000);
  cr_expect_eq(stack_conn_unacked(r.server.c), 0);
  cr_expect_eq(r.server.got, 100000);
  cr_expect_eq(r.overs, 0);
  r.fd = fd_close(r.fd);
  rig_run(&r, 10 * SEC);
  cr_expect(r.server.eof);
  cr_expect_eq(r.why, STACK_END_CLOSED, "%s", stack_end_name(r.why));
  rig_close(&r);
}

/* --- the peer's end, and ours --------------------------------------------------------------------------------------------- */

Test(flow, a_reset_waits_until_the_client_has_what_came_before) {
  struct rig r;
  rig_open(&r, 5000000, false);
  rig_run(&r, 10 * SEC);
  const struct flow_info before = rig_info(&r);
  cr_expect_gt(before.conn.recv_queue, 0);
  r.server.c = stack_conn_abort(r.server.c, STACK_END_RESET_LOCAL);
  rig_run(&r, 10 * SEC);
  cr_expect_eq(r.overs, 0);
  for (int i = 0; i < 1000 && !r.eof && !r.reset; i++) {
    rig_client_read(&r, UINT64_MAX);
    rig_run(&r, 10 * MS);
  }
  cr_expect(rig_cut(&r));
  cr_expect_eq(r.got, before.conn.bytes_in);
  cr_expect(!r.bad);
  cr_expect_eq(r.overs, 1);
  cr_expect_eq(r.why, STACK_END_RESET_BY_PEER);
  rig_close(&r);
}

Test(flow, revoked_is_a_reset_and_the_client_keeps_its_queue) {
  struct rig r;
  rig_open(&r, 1000, false);
  rig_run(&r, 1 * SEC);
  rig_client_write(&r, 10);
  flow_abort(r.f, STACK_END_REVOKED);
  flow_abort(r.f, STACK_END_RESET_LOCAL); /* the first word holds */
  cr_expect(flow_is_over(r.f));
  cr_expect_eq(r.overs, 0);
  rig_run(&r, 1 * SEC);
  cr_expect_eq(r.overs, 1);
  cr_expect_eq(r.why, STACK_END_REVOKED);
  cr_expect_eq(r.server.why, STACK_END_RESET_BY_PEER);
  cr_expect_eq(r.server.got, 0);
  rig_client_read(&r, 1001);
  cr_expect_eq(r.got, 1000);
  cr_expect(rig_sockets ? rig_cut(&r) : r.eof || r.reset); /* a pair's end is a reset while bytes of its own lie unread */
  const struct stack_conn_options o = {0};
  cr_expect_eq(flow_set_options(r.f, &o), -ENOTCONN);
  flow_shutdown(r.f);
  rig_close(&r);
}

Test(flow, abort_is_a_reset_at_once) {
  struct rig r;
  rig_open(&r, 0, false);
  flow_abort(r.f, STACK_END_RESET_LOCAL);
  rig_run(&r, 1 * SEC);
  cr_expect_eq(r.why, STACK_END_RESET_LOCAL);
  cr_expect_eq(r.server.ended, 1);
  cr_expect_eq(r.server.why, STACK_END_RESET_BY_PEER, "%s", stack_end_name(r.server.why));
  rig_close(&r);
}

static void free_it(void *arg, enum stack_end why _unused_) {
  struct rig *r = arg;
  r->overs++;
  r->f = flow_free(r->f);
}

Test(flow, it_may_be_freed_when_it_is_told_or_never_be_told) {
  struct rig r;
  static const struct flow_ops ops = {.over = free_it};
  rig_tables(&r);
  struct end client = {0}, server = {0};
  end_pair(&r.n, &client, &server);
  r.server = server;
  stack_conn_set_ops(r.server.c, &end_ops, &r.server);
  cr_assert_eq(flow_new(r.t, client.c, r.wish, &rig_label, &ops, &r, &r.f, &r.fd), 0);
  flow_abort(r.f, STACK_END_REVOKED);
  rig_run(&r, 1 * SEC);
  cr_expect_eq(r.overs, 1);
  cr_expect_null(r.f);
  rig_close(&r);
  rig_open(&r, 0, false);
  r.f = flow_free(r.f);
  rig_run(&r, 1 * SEC);
  cr_expect_eq(r.overs, 0);
  cr_expect_eq(r.server.why, STACK_END_RESET_BY_PEER);
  rig_client_read(&r, 1);
  cr_expect(rig_cut(&r));
  rig_close(&r);
}
