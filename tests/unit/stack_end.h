/* SPDX-License-Identifier: BSD-3-Clause
 * Ends of TCP connections for the tests: they send a pattern, check what they receive, and write down what they are told.
 */
#ifndef CAPNET_TEST_STACK_END_H
#define CAPNET_TEST_STACK_END_H

#include "stack_util.h"

/* One end of a connection. It consumes everything unless told not to, and checks that what comes is the pattern. */
struct end {
  struct net *n;
  struct stack_conn *c;
  unsigned connected, readable, writable, acked, ended;
  enum stack_end why;
  uint64_t got, sent, to_send; /* bytes of the pattern */
  bool hold, shut_after, eof, bad;
};

static inline uint8_t pattern(uint64_t at) { return (uint8_t)(at * 131 + (at >> 8) * 7 + (at >> 16)); }

static inline void end_send(struct end *e) {
  struct iovec iov[2];
  int n;
  while (e->sent < e->to_send && (n = stack_conn_send_space(e->c, iov)) > 0) {
    size_t k = MIN(iov[0].iov_len, e->to_send - e->sent);
    for (size_t i = 0; i < k; i++)
      ((uint8_t *)iov[0].iov_base)[i] = pattern(e->sent + i);
    cr_assert_eq(stack_conn_send_commit(e->c, k), 0);
    e->sent += k;
  }
  if (e->sent == e->to_send && e->shut_after)
    stack_conn_shutdown_write(e->c);
}

static inline void end_recv(struct end *e) {
  struct iovec iov[8];
  int n;
  while (!e->hold && (n = stack_conn_peek(e->c, iov, 8)) > 0) {
    size_t all = 0;
    for (int i = 0; i < n; i++) {
      const uint8_t *p = iov[i].iov_base;
      for (size_t k = 0; k < iov[i].iov_len; k++)
        e->bad |= p[k] != pattern(e->got + k);
      e->got += iov[i].iov_len;
      all += iov[i].iov_len;
    }
    stack_conn_consume(e->c, all);
  }
  e->eof = stack_conn_eof(e->c);
}

static inline void end_on_connected(void *arg) {
  struct end *e = arg;
  e->connected++;
  end_send(e);
}
static inline void end_on_readable(void *arg) {
  struct end *e = arg;
  e->readable++;
  end_recv(e);
}
static inline void end_on_writable(void *arg) {
  struct end *e = arg;
  e->writable++;
  end_send(e);
}
static inline void end_on_acked(void *arg) { ((struct end *)arg)->acked++; }
static inline void end_on_ended(void *arg, enum stack_end why) {
  struct end *e = arg;
  e->ended++;
  e->why = why;
}

static const struct stack_conn_ops end_ops = {.connected = end_on_connected,
                                              .readable = end_on_readable,
                                              .writable = end_on_writable,
                                              .acked = end_on_acked,
                                              .ended = end_on_ended};

static inline void end_connect(struct end *e, struct net *n, uint16_t port) {
  struct net_endpoint l = ep(n->addr_a, 0), r = ep(n->addr_b, port);
  e->n = n;
  cr_assert_eq(stack_tcp_connect(n->s, &l, &r, &end_ops, e, &e->c), 0);
}

static inline void count_acceptable(void *arg) { ++*(unsigned *)arg; }
static inline void end_close(struct end *e) { e->c = stack_conn_close(e->c); }

/* The end of a run: after all timers nothing is left of the two. */
static inline void end_last(struct net *n, struct end *a, struct end *b) {
  end_close(a);
  end_close(b);
  run(n, 300 * SEC);
  cr_expect_eq(stats_of(n).asserts, 0);
  cr_expect_eq(stats_of(n).tcp_active, 0);
  cr_expect_eq(stats_of(n).pbuf_bytes, 0);
  net_close(n);
}

/* A pair of ends, connected; the listener is closed again. */
static inline void end_pair(struct net *n, struct end *client, struct end *server) {
  static const struct stack_listener_ops ops = {.acceptable = count_acceptable};
  struct stack_listener *l;
  struct net_endpoint at = ep(n->addr_b, 80);
  unsigned waiting = 0;
  cr_assert_eq(stack_tcp_listen(n->s, &at, BACKLOG(4), &ops, &waiting, &l), 0);
  end_connect(client, n, 80);
  run(n, 200 * MS);
  for (int i = 0; i < 100 && !waiting; i++)
    run(n, 1 * SEC);
  cr_assert_eq(waiting, 1);
  server->n = n;
  cr_assert_eq(stack_listener_accept(l, &end_ops, server, &server->c), 0);
  stack_listener_close(l);
}

#endif
