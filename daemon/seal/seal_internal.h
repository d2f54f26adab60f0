/* SPDX-License-Identifier: BSD-3-Clause
 * Inside the room: a chamber and what of its sockets lies in store.
 */
#ifndef CAPNET_SEAL_INTERNAL_H
#define CAPNET_SEAL_INTERNAL_H

#include "base/list.h"
#include "seal/seal_protocol.h"

enum { SEAL_V4, SEAL_V6, SEAL_FAMILIES };

struct seal_pool {
  int fds[SEAL_BATCH_MAX]; /* n that are ours alone, then those that the helper has not closed yet */
  unsigned n, arrived, target;
  bool asked;
  uint64_t asked_ns; /* monotonic, last */
};

struct seal_chamber {
  struct list link; /* of seal.chambers, the one used last at the end */
  struct seal *s;
  uint64_t number, owner; /* owner 0: nobody's yet */
  unsigned refs;
  bool ready;
  unsigned late; /* handshakes that did not come to be in time */
  int diag; /* a sock_diag(7) socket of the programs' side; -1: none */
  struct seal_pool pools[SEAL_SIDES][SEAL_FAMILIES];
};

/* As seal_connect, waiting at most so long for the handshake, which is usually over at once. */
int seal_connect_within(struct seal_chamber *c, const struct net_endpoint *local, const struct net_endpoint *remote,
                        int timeout_ms, int *ret_ours, int *ret_program);

/* A fresh socket of the chamber, the caller's. -EPIPE, -ETIME, or what the helper says. */
int seal_take(struct seal_chamber *c, enum seal_side side, uint8_t family);

#endif
