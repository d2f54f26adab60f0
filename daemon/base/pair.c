/* SPDX-License-Identifier: BSD-3-Clause
 * Socketpairs that are given away by half.
 */
#include "base/pair.h"

#include "base/util.h"

#include <sys/socket.h>

int pair_new(int type, int *ret_ours, int *ret_client) {
  int sv[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sv) < 0)
    return -errno;
  *ret_ours = sv[0];
  *ret_client = sv[1];
  return 0;
}
