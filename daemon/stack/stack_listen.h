/* SPDX-License-Identifier: BSD-3-Clause
 * TCP listeners of the stack.
 */
#ifndef CAPNET_STACK_LISTEN_H
#define CAPNET_STACK_LISTEN_H

#include "stack/stack_tcp.h"

struct stack_listener_ops {
  void (*acceptable)(void *arg);                /* a connection waits; once a turn at most */
  void (*ended)(void *arg, enum stack_end why); /* its address is gone */
};

/* local.addr family 0 is every address; port 0 a random one. backlog 1..255 bounds half-open plus waiting connections;
 * a SYN beyond it is dropped and counted, as Linux does. A specific bind beside a wildcard (or the reverse) of the same
 * port is -EADDRINUSE: one grant must not shadow another's. */
int stack_tcp_listen(struct stack *s, const struct net_endpoint *local, unsigned backlog,
                     const struct stack_listener_ops *ops, void *arg, struct stack_listener **ret);
/* -EAGAIN when none waits. The connection may have data, or be over already. */
int stack_listener_accept(struct stack_listener *l, const struct stack_conn_ops *ops, void *arg,
                          struct stack_conn **ret);
/* Resets what waits. Returns NULL; NULL is fine. */
struct stack_listener *stack_listener_close(struct stack_listener *l);

struct stack_listener_info {
  struct net_endpoint local;
  unsigned backlog, waiting, half_open;
  uint64_t accepted, dropped;
};
void stack_listener_info(const struct stack_listener *l, struct stack_listener_info *ret);

#endif
