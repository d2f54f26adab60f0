/* SPDX-License-Identifier: BSD-3-Clause
 * What the tests of daemon/flow/ share: a flow from interface a to a plain end of the stack on interface b, with the
 * descriptor that a client would hold: a stream pair, or with RIG_SOCKETS a real socket.
 */
#ifndef CAPNET_TEST_FLOW_UTIL_H
#define CAPNET_TEST_FLOW_UTIL_H

#include "fd_util.h"
#include "flow/flow.h"
#include "seal_util.h"
#include "stack_end.h"

#include <sys/socket.h>

#ifdef RIG_SOCKETS
static const bool rig_sockets = true;
#else
static const bool rig_sockets = false;
#endif

struct rig {
  struct seal *seal;
  unsigned fds_before;
  struct net n;
  struct flow_table *t;
  struct stack_listener *l;
  struct end server;
  struct flow *f;
  int fd; /* the client's */
  enum flow_form_wish wish;
  unsigned overs, connected, failed, waiting;
  enum stack_end why;
  int error;
  uint64_t written, got;
  bool bad, eof, reset;
};

static const struct flow_label rig_label = {.cap_id = 7, .owner = 1, .grant = "web", .taken_by = "test[1] uid 2"};

static inline void rig_over(void *arg, enum stack_end why) {
  struct rig *r = arg;
  r->overs++;
  r->why = why;
}
static const struct flow_ops rig_flow_ops = {.over = rig_over};

static inline void rig_connected(void *arg, struct stack_conn *conn) {
  struct rig *r = arg;
  r->connected++;
  r->error = flow_new(r->t, conn, r->wish, &rig_label, &rig_flow_ops, r, &r->f, &r->fd);
}
static inline void rig_failed(void *arg, enum stack_end why, int error) {
  struct rig *r = arg;
  r->failed++;
  r->why = why;
  r->error = error;
}
static const struct flow_attempt_ops rig_attempt_ops = {.connected = rig_connected, .failed = rig_failed};

static inline void rig_settled(void *arg _unused_) {}

static inline void rig_tables(struct rig *r) {
  memset(r, 0, sizeof *r);
  r->fds_before = fd_count();
  r->fd = -1;
  r->wish = rig_sockets ? FLOW_FORM_SOCKET : FLOW_FORM_PAIR;
  r->seal = rig_sockets ? seal_or_skip() : NULL;
  net_open(&r->n, NULL);
  cr_assert_eq(flow_table_new(r->n.loop, r->n.s, &r->t), 0);
  flow_table_set_seal(r->t, r->seal, "a test of stream pairs");
  if (r->seal)
    cr_assert_eq(seal_join(r->seal, r->n.loop, rig_settled, NULL), 0);
}

/* The simulated clock runs ahead of the kernel, whose TCP between the two ends of a real socket has its own: give it a
 * moment (a delayed acknowledgement, 40 ms) wherever a test waits for what it says. */
static inline void rig_run(struct rig *r, uint64_t ns) {
  run(&r->n, ns);
  if (!rig_sockets)
    return;
  (void)poll(NULL, 0, ns >= SEC ? 60 : 1);
  run(&r->n, 0);
}

static inline struct flow_attempt *rig_attempt(struct rig *r, uint16_t port) {
  struct net_endpoint local = ep(r->n.addr_a, 0), remote = ep(r->n.addr_b, port);
  struct flow_attempt *a = NULL;
  cr_assert_eq(flow_connect(r->t, &local, &remote, NULL, &rig_label, &rig_attempt_ops, r, &a), 0);
  return a;
}

/* One connection, established; the server sends a pattern, and reads unless it holds. */
static inline void rig_open(struct rig *r, uint64_t server_sends, bool hold) {
  static const struct stack_listener_ops ops = {.acceptable = count_acceptable};
  struct net_endpoint at;
  rig_tables(r);
  at = ep(r->n.addr_b, 80);
  cr_assert_eq(stack_tcp_listen(r->n.s, &at, BACKLOG(4), &ops, &r->waiting, &r->l), 0);
  (void)rig_attempt(r, 80);
  rig_run(r, 1 * SEC);
  cr_assert_eq(r->connected, 1);
  cr_assert_eq(r->error, 0);
  r->server = (struct end){.n = &r->n, .to_send = server_sends, .hold = hold};
  cr_assert_eq(stack_listener_accept(r->l, &end_ops, &r->server, &r->server.c), 0);
  r->l = stack_listener_close(r->l);
  end_send(&r->server);
}

static inline struct flow_stats rig_stats(struct rig *r) {
  struct flow_stats s;
  flow_get_stats(r->t, &s);
  return s;
}

static inline struct flow_info rig_info(struct rig *r) {
  struct flow_info i;
  flow_info(r->f, &i);
  return i;
}

#endif
