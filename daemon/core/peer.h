/* SPDX-License-Identifier: BSD-3-Clause
 * Who is at the other end of a UNIX socket.
 */
#ifndef CAPNET_CORE_PEER_H
#define CAPNET_CORE_PEER_H

#include "authority/authority.h"

/* Fills ret from the kernel's word (SO_PEERCRED). comm and unit are read from /proc while a pidfd holds the pid, so they are
 * never another process's; "" when the peer is gone already. -errno of getsockopt. */
int peer_identify(int fd, struct auth_taker *ret);
/* Is gid, or one of the peer's supplementary groups at connect time (SO_PEERGROUPS), in the list? */
bool peer_in_groups(int fd, gid_t gid, const gid_t *list, size_t n);
uid_t peer_overflow_uid(void); /* who stands for every uid that this user namespace does not map */

#endif
