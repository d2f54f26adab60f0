/* SPDX-License-Identifier: BSD-3-Clause
 * TCP listeners of the stack.
 */
#ifndef CAPNET_STACK_LISTEN_H
#define CAPNET_STACK_LISTEN_H

#include "stack/stack_tcp.h"

struct stack_listener_ops {
  void (*acceptable)(void *arg); /* a connection waits; once a turn at most */
  /* It listens nowhere and will not again: its address is gone (STACK_END_ADDRESS_LOST), or there is no memory to
   * follow it to the next (STACK_END_LIMIT). It is closed as any other. */
  void (*ended)(void *arg, enum stack_end why);
};

#define STACK_LISTEN_BACKLOG_MAX 4096u /* Linux' net.core.somaxconn */

/* What becomes of a SYN beyond the backlog. */
enum stack_overflow {
  STACK_OVERFLOW_WAIT,   /* dropped, as Linux does: the peer sends it again, and finds a place or times out */
  STACK_OVERFLOW_REFUSE, /* answered with a RST (RFC 9293 3.10.7.1) as if nobody listened: the peer knows at once.
                            Beyond stack_limits.resets it is dropped */
};

struct stack_listen_options {
  unsigned backlog; /* 1..STACK_LISTEN_BACKLOG_MAX: half-open and waiting connections together */
  /* With a specific address: the listener belongs to the address's interface rather than to the address, and is at all
   * that the interface has. When one is lost, what waits and what is half open there ends as ever (nothing is sent), but
   * the listener does not: without any it is nowhere until the interface has one again, the same or another. From its
   * beginning to its end it has its port alone, on every address: -EADDRINUSE for another listener on it, whichever comes
   * second. So where it has to go next is never taken. It ends with the interface. A wildcard follows every address
   * anyway. */
  bool follow;
  /* Of a wildcard, and of one that follows: AF_INET or AF_INET6 alone (IPV6_V6ONLY's choice, RFC 3493 5.3), 0: both.
   * Listeners of different families do not meet. */
  uint8_t family;
  enum stack_overflow overflow;
  struct stack_conn_options conn; /* what each connection begins with */
};

/* local.addr family 0 is every address, 0.0.0.0 every one of IPv4, :: every one of IPv6; port 0 a random one. A specific
 * bind beside a wildcard (or the reverse) of the same port and family is -EADDRINUSE: one grant must not shadow another's.
 * -EINVAL: backlog, an option of conn, or a family that the address is not of; -ENONET: the stack has no address;
 * -EADDRNOTAVAIL: not one of its own; -ENOBUFS: a limit, or no memory. */
int stack_tcp_listen(struct stack *s, const struct net_endpoint *local, const struct stack_listen_options *o,
                     const struct stack_listener_ops *ops, void *arg, struct stack_listener **ret);
/* The first address of that family (0: of either) of the interface (NULL: the first that has one); family 0: none. */
struct net_addr stack_interface_address(struct stack *s, const char *ifname, uint8_t family);
/* -EAGAIN when none waits. The connection may have data, or be over already. */
int stack_listener_accept(struct stack_listener *l, const struct stack_conn_ops *ops, void *arg,
                          struct stack_conn **ret);
/* Resets what waits. Returns NULL; NULL is fine. */
struct stack_listener *stack_listener_close(struct stack_listener *l);

struct stack_listener_info {
  /* addr family 0: every address while bound, none (yet) while not; unspecified: every one of that family. One that
   * follows: the first of its addresses. */
  struct net_endpoint local;
  bool bound;                /* it listens; false: it ended, or waits for an address to follow */
  unsigned backlog, waiting, half_open;
  uint64_t accepted;
  uint64_t dropped; /* SYNs beyond the backlog without an answer, and connections without memory */
  uint64_t refused; /* SYNs beyond the backlog that were answered with a RST */
};
void stack_listener_info(const struct stack_listener *l, struct stack_listener_info *ret);

#endif
