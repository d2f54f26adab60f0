/* SPDX-License-Identifier: BSD-3-Clause
 * The birth of a TcpListener, asked for by the authority that covers it.
 */
#ifndef CAPNET_CAP_TCP_LISTENER_H
#define CAPNET_CAP_TCP_LISTENER_H

#include "cap/cap.h"

struct cap_listener_handover {
  int fd; /* the client's end, the caller's */
  struct net_endpoint local;
  uint64_t id;
};
/* Rights and backlog were decided before. -errno with why filled in. */
int cap_tcp_listener_open(struct cap *authority, const struct net_endpoint *bind, unsigned backlog,
                          struct cap_listener_handover *ret, struct auth_refusal *why);

#endif
