/* SPDX-License-Identifier: BSD-3-Clause
 * A UNIX socketpair of which one end is given away.
 */
#ifndef CAPNET_BASE_PAIR_H
#define CAPNET_BASE_PAIR_H

/* type is SOCK_STREAM or SOCK_SEQPACKET. The client's end blocks, as anyone expects of a fresh descriptor; whoever uses ours
 * says MSG_DONTWAIT each time, which spares a system call for each pair. Both are close-on-exec and the caller's. -errno of
 * socketpair: -EMFILE, -ENFILE, -ENOMEM. */
int pair_new(int type, int *ret_ours, int *ret_client);

#endif
