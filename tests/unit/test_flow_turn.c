/* SPDX-License-Identifier: BSD-3-Clause
 * What the pump costs: system calls on the client's descriptor, counted, and what one connection takes of a turn.
 */
#include "flow_client.h"

TestSuite(flow_turn, .timeout = 120);

static struct flow_io io_since(struct rig *r, const struct flow_io *before) {
  struct flow_io now = rig_stats(r).io;
  now.reads -= before->reads;
  now.reads_empty -= before->reads_empty;
  now.writes -= before->writes;
  now.writes_short -= before->writes_short;
  now.writes_refused -= before->writes_refused;
  return now;
}

static void answer(struct rig *r, uint64_t upto) {
  r->server.to_send = upto;
  end_send(&r->server);
  run(&r->n, 1 * MS);
}

/* --- system calls --------------------------------------------------------------------------------------------------- */

Test(flow_turn, a_question_and_its_answer_cost_one_read_and_one_write) {
  enum { ROUNDS = 200 };
  struct rig r;
  rig_open(&r, 0, false);
  struct flow_io before = rig_stats(&r).io;
  cr_expect_eq(before.reads + before.writes, 0, "nothing was asked for yet");
  for (uint64_t i = 1; i <= ROUNDS; i++) {
    rig_client_write(&r, i);
    rig_run(&r, 1 * MS);
    cr_assert_eq(r.server.got, i);
    answer(&r, i);
    rig_client_read(&r, i);
    cr_assert_eq(r.got, i);
  }
  struct flow_io io = io_since(&r, &before);
  cr_expect_eq(io.reads, ROUNDS, "%lu", (unsigned long)io.reads);
  cr_expect_eq(io.writes, ROUNDS, "%lu", (unsigned long)io.writes);
  cr_expect_eq(io.reads_empty + io.writes_short + io.writes_refused, 0);
  rig_close(&r);
}

/* Acknowledgements, timers and bytes for a client that takes none: nothing that the client could be asked for. */
Test(flow_turn, what_does_not_concern_the_client_costs_nothing) {
  struct rig r;
  rig_open(&r, 0, false);
  rig_client_write(&r, 5000);
  rig_run(&r, 1 * MS);
  struct flow_io before = rig_stats(&r).io;
  rig_run(&r, 100 * SEC);
  cr_expect_eq(r.server.got, 5000);
  struct flow_io io = io_since(&r, &before);
  cr_expect_eq(io.reads + io.writes, 0);

  r.server.to_send = 20000000;
  end_send(&r.server);
  rig_run(&r, 30 * SEC);
  cr_expect_gt(stack_conn_unread(r.server.c) + r.server.sent, 0);
  before = rig_stats(&r).io;
  rig_run(&r, 300 * SEC);
  io = io_since(&r, &before);
  cr_expect_eq(io.writes, 0, "the descriptor is full");
  cr_expect_leq(before.writes_refused, 1);
  unsigned drained = 0;
  for (; drained < 20000 && r.got < r.server.to_send; drained++) {
    rig_client_read(&r, r.server.to_send);
    rig_run(&r, 10 * MS);
  }
  cr_expect_eq(r.got, r.server.to_send);
  io = rig_stats(&r).io;
  cr_expect_leq(io.writes_refused + io.writes_short, drained + 1, "one of them each time that it became full");
  cr_expect(!r.bad);
  rig_close(&r);
}

/* A ring that is full asks the loop for nothing, and the bytes behind it are read without being asked for again. */
Test(flow_turn, a_full_ring_is_silent) {
  struct rig r;
  const uint64_t all = 8000000;
  rig_open(&r, 0, true);
  for (int i = 0; i < 50; i++) {
    rig_client_write(&r, all);
    rig_run(&r, 100 * MS);
  }
  struct flow_io before = rig_stats(&r).io, io;
  struct loop_stats a, b;
  loop_get_stats(r.n.loop, &a);
  rig_run(&r, 100 * SEC);
  loop_get_stats(r.n.loop, &b);
  io = io_since(&r, &before);
  cr_expect_eq(io.reads, 0);
  cr_expect_lt(b.watch_calls - a.watch_calls, 1000, "zero-window probes, no more");
  r.server.hold = false;
  end_recv(&r.server);
  for (int k = 0; k < 5000 && r.server.got < all; k++) {
    rig_client_write(&r, all);
    rig_run(&r, 10 * MS);
  }
  cr_expect_eq(r.server.got, all);
  cr_expect(!r.server.bad);
  rig_close(&r);
}

Test(flow_turn, the_last_bytes_and_the_end_are_read_at_once) {
  struct rig r;
  rig_open(&r, 0, false);
  struct flow_io before = rig_stats(&r).io;
  rig_client_write(&r, 10);
  r.fd = fd_close(r.fd);
  rig_run(&r, 1 * SEC);
  rig_until_over(&r);
  cr_expect_eq(r.server.got, 10);
  cr_expect_eq(r.overs, 1);
  struct flow_io io = io_since(&r, &before);
  cr_expect_leq(io.reads, 2);
  cr_expect_eq(io.reads_empty, 0);
  rig_close(&r);
}

/* --- fairness --------------------------------------------------------------------------------------------------------- */

enum { SMALL = 100 };

/* Connections beside the rig's own, which is the one in bulk. */
struct crowd {
  struct rig *bulk;
  struct stack_listener *l;
  unsigned waiting;
  struct rig client[SMALL]; /* only its own connection's members */
  struct end server[SMALL];
  uint64_t bulk_at[SMALL], turn_at[SMALL]; /* when its byte came: what bulk had got; the loop's turn */
};
static struct crowd crowd;

static uint64_t turns(void) {
  struct loop_stats s;
  loop_get_stats(crowd.bulk->n.loop, &s);
  return s.turns;
}

static void on_small(void *arg) {
  struct end *e = arg;
  const size_t i = (size_t)(e - crowd.server);
  end_on_readable(arg);
  if (e->got && !crowd.turn_at[i]) {
    crowd.bulk_at[i] = crowd.bulk->server.got;
    crowd.turn_at[i] = turns();
  }
}
static const struct stack_conn_ops small_ops = {.readable = on_small, .ended = end_on_ended};

static void on_small_connected(void *arg, struct stack_conn *conn) {
  struct rig *c = arg;
  c->connected++;
  cr_assert_eq(flow_new(crowd.bulk->t, conn, c->wish, &rig_label, &rig_flow_ops, c, &c->f, &c->fd), 0);
}
static const struct flow_attempt_ops small_attempt = {.connected = on_small_connected, .failed = rig_failed};

static void crowd_open(struct rig *bulk) {
  static const struct stack_listener_ops ops = {.acceptable = count_acceptable};
  struct net_endpoint local = ep(bulk->n.addr_a, 0), at = ep(bulk->n.addr_b, 81);
  memset(&crowd, 0, sizeof crowd);
  crowd.bulk = bulk;
  cr_assert_eq(stack_tcp_listen(bulk->n.s, &at, BACKLOG(4), &ops, &crowd.waiting, &crowd.l), 0);
  for (int i = 0; i < SMALL; i++) {
    struct rig *c = &crowd.client[i];
    struct flow_attempt *a;
    c->wish = bulk->wish;
    cr_assert_eq(flow_connect(bulk->t, &local, &at, NULL, &rig_label, &small_attempt, c, &a), 0);
    rig_run(bulk, 100 * MS);
    cr_assert_eq(c->connected, 1);
    crowd.server[i] = (struct end){.n = &bulk->n};
    cr_assert_eq(stack_listener_accept(crowd.l, &small_ops, &crowd.server[i], &crowd.server[i].c), 0);
  }
  crowd.l = stack_listener_close(crowd.l);
}

static void crowd_close(struct rig *bulk) {
  for (int i = 0; i < SMALL; i++)
    crowd.client[i].fd = fd_close(crowd.client[i].fd);
  for (int i = 0; i < SMALL; i++)
    end_close(&crowd.server[i]);
  rig_run(bulk, 1 * SEC);
  for (int i = 0; i < SMALL; i++)
    crowd.client[i].f = flow_free(crowd.client[i].f);
}

/* What all wrote before the loop ran is passed on in the loop's order, and bulk takes its share of a turn at a time. */
Test(flow_turn, bulk_lets_the_others_through) {
  struct rig r;
  rig_open(&r, 0, false);
  crowd_open(&r);
  rig_client_write(&r, UINT64_MAX / 2); /* as much as the descriptor takes */
  cr_assert_gt(r.written, FLOW_TURN_BYTES, "or this shows nothing");
  for (int i = 0; i < SMALL; i++)
    cr_assert_eq(send(crowd.client[i].fd, "\0", 1, MSG_NOSIGNAL), 1);
  const uint64_t start = turns(), had = r.server.got;
  rig_run(&r, 50 * MS);
  for (int i = 0; i < SMALL; i++) {
    cr_assert_eq(crowd.server[i].got, 1, "%d", i);
    cr_expect_leq(crowd.turn_at[i] - start, 3, "%d: turn %lu", i, (unsigned long)(crowd.turn_at[i] - start));
    cr_expect_leq(crowd.bulk_at[i] - had, 2 * (FLOW_TURN_BYTES + 65536), "%d", i);
  }
  crowd_close(&r);
  rig_close(&r);
}

static unsigned served(void) {
  unsigned n = 0;
  for (int i = 0; i < SMALL; i++) {
    char c;
    n += recv(crowd.client[i].fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) == 1;
  }
  return n;
}

static unsigned served_after; /* turns until all small ones had their byte */

static void each_turn(void *arg) {
  struct loop_task *again = arg;
  if (served() == SMALL)
    return;
  served_after++;
  loop_task_queue(crowd.bulk->n.loop, again);
}

/* The same towards clients: a queue of a megabyte for one that had been slow, and a byte for each of the others. */
Test(flow_turn, bulk_lets_the_others_through_to_their_clients) {
  struct rig r;
  struct loop_task watcher;
  rig_open(&r, 20000000, false);
  crowd_open(&r);
  rig_run(&r, 30 * SEC);
  rig_client_read(&r, UINT64_MAX); /* so the descriptor is empty and the stack's queue full */
  for (int i = 0; i < SMALL; i++) {
    crowd.server[i].to_send = 1;
    end_send(&crowd.server[i]);
  }
  loop_task_init(&watcher, each_turn, &watcher);
  loop_task_queue(r.n.loop, &watcher);
  rig_run(&r, 50 * MS);
  cr_expect_eq(served(), SMALL);
  cr_expect_leq(served_after, rig_sockets ? 20 : 6, "%u turns", served_after);
  crowd_close(&r);
  rig_close(&r);
}
