/* SPDX-License-Identifier: BSD-3-Clause
 * What the tests of daemon/flow/ share: a flow from interface a to a plain end of the stack on interface b, with the
 * descriptor that a client would hold.
 */
#ifndef CAPNET_TEST_FLOW_UTIL_H
#define CAPNET_TEST_FLOW_UTIL_H

#include "fd_util.h"
#include "flow/flow.h"
#include "stack_end.h"

#include <sys/socket.h>

struct rig {
  unsigned fds_before;
  struct net n;
  struct flow_table *t;
  struct stack_listener *l;
  struct end server;
  struct flow *f;
  int fd; /* the client's */
  unsigned overs, connected, failed, waiting;
  enum stack_end why;
  int error;
  uint64_t written, got;
  bool bad, eof;
};

static const struct flow_label rig_label = {.cap_id = 7, .grant = "web", .taken_by = "test[1] uid 2"};

static inline void rig_over(void *arg, enum stack_end why) {
  struct rig *r = arg;
  r->overs++;
  r->why = why;
}
static const struct flow_ops rig_flow_ops = {.over = rig_over};

static inline void rig_connected(void *arg, struct stack_conn *conn) {
  struct rig *r = arg;
  r->connected++;
  r->error = flow_new(r->t, conn, &rig_label, &rig_flow_ops, r, &r->f, &r->fd);
}
static inline void rig_failed(void *arg, enum stack_end why, int error) {
  struct rig *r = arg;
  r->failed++;
  r->why = why;
  r->error = error;
}
static const struct flow_attempt_ops rig_attempt_ops = {.connected = rig_connected, .failed = rig_failed};

static inline void rig_tables(struct rig *r) {
  memset(r, 0, sizeof *r);
  r->fds_before = fd_count();
  r->fd = -1;
  net_open(&r->n, NULL);
  cr_assert_eq(flow_table_new(r->n.loop, r->n.s, &r->t), 0);
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
  run(&r->n, 1 * SEC);
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

static inline void rig_client_write(struct rig *r, uint64_t upto) {
  uint8_t buf[16384];
  while (r->written < upto) {
    size_t n = MIN(sizeof buf, upto - r->written);
    for (size_t i = 0; i < n; i++)
      buf[i] = pattern(r->written + i);
    ssize_t k = send(r->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (k <= 0)
      return;
    r->written += (uint64_t)k;
  }
}

static inline void rig_client_read(struct rig *r, uint64_t upto) {
  uint8_t buf[16384];
  while (r->got < upto) {
    ssize_t k = recv(r->fd, buf, MIN(sizeof buf, upto - r->got), MSG_DONTWAIT);
    if (k <= 0) {
      r->eof = r->eof || k == 0;
      return;
    }
    for (ssize_t i = 0; i < k; i++)
      r->bad |= buf[i] != pattern(r->got + (uint64_t)i);
    r->got += (uint64_t)k;
  }
}

/* Everything that lives is gone, in the rooms and in the kernel. */
static inline void rig_close(struct rig *r) {
  r->fd = fd_close(r->fd);
  end_close(&r->server);
  r->l = stack_listener_close(r->l);
  run(&r->n, 600 * SEC);
  r->f = flow_free(r->f);
  struct flow_stats s = rig_stats(r);
  cr_expect_eq(s.live, 0);
  cr_expect_eq(s.listeners, 0);
  cr_expect_eq(s.attempts, 0);
  r->t = flow_table_free(r->t);
  run(&r->n, 600 * SEC);
  struct stack_stats st = stats_of(&r->n);
  cr_expect_eq(st.asserts, 0);
  cr_expect_eq(st.tcp_active, 0);
  cr_expect_eq(st.tcp_listening, 0);
  cr_expect_eq(st.pbuf_bytes, 0);
  net_close(&r->n);
  cr_expect_eq(fd_count(), r->fds_before);
}

#endif
