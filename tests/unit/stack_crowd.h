/* SPDX-License-Identifier: BSD-3-Clause
 * Very many connections between the two interfaces of one stack, both ends in it: each connection is two pcbs.
 */
#ifndef CAPNET_TEST_STACK_CROWD_H
#define CAPNET_TEST_STACK_CROWD_H

#include "stack_util.h"

#define CROWD_LISTENERS 8u
#define CROWD_PORT 80u /* and the next ones */
#define CROWD_BATCH 200u

struct crowd_end {
  struct crowd *w;
  struct stack_conn *c;
  unsigned connected, ended;
  uint64_t got;
  enum stack_end why;
};

struct crowd {
  struct net n;
  struct stack_listener *l[CROWD_LISTENERS];
  struct crowd_end *clients, *servers;
  size_t n_clients, n_servers, max;
  size_t deaf;        /* so many servers, the first ones, do not read */
  bool server_closes; /* as soon as it has accepted */
};

static inline void crowd_connected(void *arg) { ((struct crowd_end *)arg)->connected++; }
static inline void crowd_ended(void *arg, enum stack_end why) {
  struct crowd_end *e = arg;
  e->ended++;
  e->why = why;
}
static inline void crowd_readable(void *arg) {
  struct crowd_end *e = arg;
  size_t n = stack_conn_unread(e->c);
  if (e >= e->w->servers && e < e->w->servers + e->w->deaf)
    return;
  e->got += n;
  stack_conn_consume(e->c, n);
}
static const struct stack_conn_ops crowd_ops = {.connected = crowd_connected, .readable = crowd_readable, .ended = crowd_ended};

static inline void crowd_accept(void *arg) {
  struct crowd *w = arg;
  for (size_t k = 0; k < CROWD_LISTENERS; k++)
    while (w->l[k] && w->n_servers < w->max) {
      struct crowd_end *e = &w->servers[w->n_servers];
      if (stack_listener_accept(w->l[k], &crowd_ops, e, &e->c) < 0)
        break;
      e->w = w;
      w->n_servers++;
      if (w->server_closes)
        e->c = stack_conn_close(e->c);
    }
}

/* The two interfaces learn each other's hardware address: a thousand SYNs would not wait for that. */
static inline void crowd_meet(struct crowd *w) {
  struct crowd_end e = {.w = w};
  struct net_endpoint from = ep(w->n.addr_a, 0), closed = ep(w->n.addr_b, 9);
  cr_assert_eq(stack_tcp_connect(w->n.s, &from, &closed, &crowd_ops, &e, &e.c), 0);
  run(&w->n, 1 * SEC);
  cr_assert_eq(e.why, STACK_END_REFUSED);
  stack_conn_close(e.c);
}

static inline void crowd_open(struct crowd *w, size_t max) {
  static const struct stack_listener_ops ops = {.acceptable = crowd_accept};
  memset(w, 0, sizeof(*w));
  net_open(&w->n, NULL);
  w->max = max;
  w->clients = calloc(max, sizeof(struct crowd_end));
  w->servers = calloc(max, sizeof(struct crowd_end));
  cr_assert(w->clients && w->servers);
  for (uint16_t k = 0; k < CROWD_LISTENERS; k++) {
    struct net_endpoint at = ep(w->n.addr_b, (uint16_t)(CROWD_PORT + k));
    cr_assert_eq(stack_tcp_listen(w->n.s, &at, BACKLOG(STACK_LISTEN_BACKLOG_MAX), &ops, w, &w->l[k]), 0);
  }
  crowd_meet(w);
}

static inline void crowd_connect(struct crowd *w) {
  struct crowd_end *e = &w->clients[w->n_clients];
  struct net_endpoint from = ep(w->n.addr_a, 0), to = ep(w->n.addr_b, (uint16_t)(CROWD_PORT + w->n_clients % CROWD_LISTENERS));
  e->w = w;
  cr_assert_eq(stack_tcp_connect(w->n.s, &from, &to, &crowd_ops, e, &e->c), 0, "connection %zu", w->n_clients);
  w->n_clients++;
}

/* n connections, established and idle. */
static inline void crowd_fill(struct crowd *w, size_t n) {
  while (w->n_clients < n) {
    for (size_t i = 0; i < CROWD_BATCH && w->n_clients < n; i++)
      crowd_connect(w);
    run(&w->n, 1 * MS);
  }
  run(&w->n, 2 * SEC);
  cr_assert_eq(w->n_servers, n);
  for (size_t i = 0; i < n; i++)
    cr_assert(w->clients[i].connected == 1 && !w->clients[i].ended);
}

static inline void crowd_close(struct crowd *w) {
  for (size_t k = 0; k < CROWD_LISTENERS; k++)
    stack_listener_close(w->l[k]);
  for (size_t i = 0; i < w->n_clients; i++)
    stack_conn_abort(w->clients[i].c, STACK_END_REVOKED);
  for (size_t i = 0; i < w->n_servers; i++)
    stack_conn_abort(w->servers[i].c, STACK_END_REVOKED);
  net_close(&w->n);
  free(w->clients);
  free(w->servers);
}

static inline void crowd_say(struct crowd_end *e, size_t n) {
  struct iovec iov[2];
  cr_assert_eq(stack_conn_send_space(e->c, iov), 1);
  memset(iov[0].iov_base, 'x', n);
  cr_assert_eq(stack_conn_send_commit(e->c, n), 0);
}

#endif
