/* SPDX-License-Identifier: BSD-3-Clause
 * The doors: one socket a grant, in RUNTIME/grants/NAME.sock, and who may come in. A lock file decides whether a daemon is
 * alive behind what is found there.
 */
#ifndef CAPNET_CORE_SERVER_H
#define CAPNET_CORE_SERVER_H

#include "authority/authority.h"
#include "loop/loop.h"

/* Takes RUNTIME/lock, making RUNTIME (0755) and RUNTIME/grants when they are missing. -EBUSY: a daemon is alive. The
 * descriptor holds the lock until it is closed. */
int runtime_lock(const char *runtime_dir, int *ret_fd);

struct door;
struct door_config {
  const char *path;
  const uid_t *uids;
  size_t n_uids;
  const gid_t *gids;
  size_t n_gids;
  bool everyone; /* no list at all: any uid but the overflow one */
};
struct door_ops {
  /* A peer that may come in; fd is the callee's. */
  void (*enter)(void *arg, int fd, const struct auth_taker *taker);
  /* One that may not; it was sent Terminal{NOT_PERMITTED} and closed. */
  void (*refused)(void *arg, const struct auth_taker *taker);
};

/* Replaces a stale socket at path, binds it 0600 and adds an ACL entry for each uid and gid (0666 for everyone). Copies
 * cfg. Peers are checked by SO_PEERCRED and SO_PEERGROUPS as well; root and the daemon's own uid may always come in, the
 * overflow uid never. */
int door_open(struct loop *loop, const struct door_config *cfg, const struct door_ops *ops, void *arg, struct door **ret);
struct door *door_close(struct door *d); /* removes the socket; NULL is fine */

#endif
