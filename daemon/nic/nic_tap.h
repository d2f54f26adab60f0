/* SPDX-License-Identifier: BSD-3-Clause
 * Between the opening of a TAP and its use.
 */
#ifndef CAPNET_NIC_TAP_H
#define CAPNET_NIC_TAP_H

#include "nic/nic.h"

#define TAP_VNET_MIN 10u /* struct virtio_net_hdr; an inherited descriptor may have a longer one, of which we use that much */
#define TAP_VNET_MAX 32u

struct nic_tap {
  struct nic nic;
  int fd;
  size_t vnet_len; /* of the header in front of each frame, 0: none; its fields are little-endian */
  size_t rx_max;   /* the largest frame that may come */
  struct loop_watch *watch;
  struct loop_task lost; /* says that the link is down, after the send that found out */
  struct nic_slot slot;
  struct nic_trim trim;
  unsigned budget, full; /* frames to read in a turn; turns in a row that used it up */
};

/* Fills in t->fd, t->vnet_len, and of t->nic name, features, MTU and its origin, MAC, link_up. 0 or -errno. */
int tap_set_up(struct nic_tap *t, const struct nic_tap_config *cfg);

#endif
