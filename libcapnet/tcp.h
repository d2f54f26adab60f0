/* SPDX-License-Identifier: BSD-3-Clause
 * Shared by the two TCP files: what a connection's end means.
 */
#ifndef LIBCAPNET_TCP_H
#define LIBCAPNET_TCP_H

#include "libcapnet/conn.h"

/* 0 for an end in good order (or none yet), else the error it is. */
int tcp_end_error(const struct capnet_tcp_status *status, struct capnet_error *err);

#endif
