/* SPDX-License-Identifier: BSD-3-Clause
 * The birth of a TcpListener, asked for by the authority that covers it.
 */
#ifndef CAPNET_CAP_TCP_LISTENER_H
#define CAPNET_CAP_TCP_LISTENER_H

#include "cap/tcp.h"

struct cap_listener_request {
  struct net_endpoint bind;
  struct stack_listen_options options;
  bool socket; /* a real listening socket */
};
struct cap_listener_handover {
  int fd;     /* the client's end, the caller's */
  int socket; /* the listening socket, the caller's; -1: not asked for */
  struct net_endpoint local;
  uint64_t id;
};
/* Rights and backlog were decided before. -errno with why filled in; -ENOPKG: no real sockets. */
int cap_tcp_listener_open(struct cap *authority, const struct cap_listener_request *rq, struct cap_listener_handover *ret,
                          struct auth_refusal *why);

#endif
