/* SPDX-License-Identifier: BSD-3-Clause
 * One sealed pair of network namespaces, as the kernel is told to make it. For the helper process alone: each call moves
 * the calling thread from namespace to namespace.
 */
#ifndef CAPNET_SEAL_NET_H
#define CAPNET_SEAL_NET_H

#include "seal/seal_protocol.h"

struct seal_net {
  int ns[SEAL_SIDES]; /* of /proc/self/ns/net */
};

/* Makes the pair. -errno with why filled in. */
int seal_net_make(struct seal_net *ret, char why[SEAL_WHY_MAX]);
void seal_net_done(struct seal_net *n);
/* A sock_diag(7) socket of the programs' side, which sees theirs and changes nothing. -errno. */
int seal_net_diag(const struct seal_net *n);
/* Fresh TCP sockets of one side, non-blocking, close-on-exec, with what all of them have in common set. AF_INET or
 * AF_INET6. 0, or -errno with *ret_n fewer than wanted. */
int seal_net_sockets(const struct seal_net *n, enum seal_side side, int family, int *fds, unsigned wanted,
                     unsigned *ret_n);

#endif
