/* SPDX-License-Identifier: BSD-3-Clause
 * Between the daemon and its helper process: fixed messages over a SEQPACKET pair, sockets in SCM_RIGHTS. The daemon is
 * believed by nobody: the helper checks each field, and knows no address, port or program.
 */
#ifndef CAPNET_SEAL_PROTOCOL_H
#define CAPNET_SEAL_PROTOCOL_H

#include "base/child.h"
#include "base/util.h"
#include "seal/seal.h"

enum seal_side { SEAL_OURS, SEAL_PROGRAMS, SEAL_SIDES };

/* The index of the link in either namespace, which is the scope of link-local addresses: not by the order in which the
 * kernel makes devices. */
#define SEAL_LINK_INDEX 1000

#define SEAL_BATCH_MAX 64 /* sockets of one message; SCM_RIGHTS takes 253 */

enum seal_op {
  SEAL_READY,   /* helper, once: error and why, or 0 */
  SEAL_MAKE,    /* makes a chamber of this number; answered, with a sock_diag socket of the programs' side if n is 1 */
  SEAL_DROP,    /* forgets it; not answered. The namespaces live on while a socket of theirs does */
  SEAL_SOCKETS, /* n fresh sockets of one side and family; answered with as many as could be made, error says why not all */
  /* Helper, after each SEAL_SOCKETS: its own copies of those are closed. Before, closing one would not end it. */
  SEAL_YOURS,
};

struct seal_message {
  uint32_t op, n;
  uint64_t chamber;
  int32_t family, error;
  uint32_t side;
  char why[SEAL_WHY_MAX];
};

/* The helper process, in the child of a fork. fd: its end of the pair. */
_noreturn_ void seal_helper_run(int fd, pid_t parent, const struct seal_config *cfg);

#endif
