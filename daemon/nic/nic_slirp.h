/* SPDX-License-Identifier: BSD-3-Clause
 * Between the two halves of the slirp device. The pair speaks frames, one message each; the child's first message is
 * one int instead: 0, or the -errno that its start failed with.
 */
#ifndef CAPNET_NIC_SLIRP_H
#define CAPNET_NIC_SLIRP_H

#include "nic/nic.h"

#define SLIRP_BATCH 32                /* frames moved in one turn, either side */
#define SLIRP_BATCH_LARGE 8           /* by the daemon, where one may need a big buffer */
#define SLIRP_PAIR_BUFFER (4 * 1024 * 1024) /* wished for; the kernel cuts it to net.core.wmem_max */

/* Becomes the child: takes fd, never returns. parent is who it must not outlive. */
_noreturn_ void slirp_child_run(int fd, pid_t parent, const struct nic_slirp_config *cfg);

#endif
