/* SPDX-License-Identifier: BSD-3-Clause
 * Between the opening of a TAP, its use, and what is told of it.
 */
#ifndef CAPNET_NIC_TAP_H
#define CAPNET_NIC_TAP_H

#include "nic/nic_link.h"

#define TAP_VNET_MIN 10u /* struct virtio_net_hdr; an inherited descriptor may have a longer one, of which we use that much */
#define TAP_VNET_MAX 32u

struct nic_tap {
  struct nic nic;
  int fd;
  size_t vnet_len; /* of the header in front of each frame, 0: none; its fields are little-endian */
  struct loop_watch *watch; /* NULL: not started, or away */
  struct loop_task lost; /* says that the link is down, after the send that found out */
  struct nic_slot slot;
  struct nic_trim trim;
  unsigned budget, full; /* frames to read in a turn; turns in a row that used it up */

  struct nic_links *links; /* NULL: nobody tells but the descriptor */
  struct nic_link_watch told;
  unsigned index; /* of the device in the namespace that links tells of; 0: it is not there, or away */
  char ifname[NIC_NAME_MAX]; /* under which it comes back */
  bool fixed_mtu, persistent, may_return;
  uid_t uid;
  gid_t gid;
  struct loop_timer *again; /* to open it again, when it is back but not to be had yet */
  unsigned tries;
  bool *ret_freed; /* set by free while something is told */
};

/* nic_tap_open.c: fills in t->fd, t->vnet_len, and of t->nic name, features, MTU and its origin, MAC, link_up. 0 or
 * -errno. */
int tap_set_up(struct nic_tap *t, const struct nic_tap_config *cfg);
/* Attaches the descriptor, whose device was deleted, to the one that has its name now. -EBUSY, -EPERM, -EINVAL: it is no
 * TAP, or has other headers. */
int tap_attach_again(struct nic_tap *t);

/* nic_tap.c */
int tap_begin(struct nic_tap *t); /* to be called when frames come */
void tap_fail(struct nic_tap *t, int error); /* it is gone for good; an upcall, which comes last */

/* nic_tap_link.c. Is this the device that the descriptor stands for? Then its MTU and link are what it says. */
void tap_link_init(struct nic_tap *t, const struct nic_tap_config *cfg);
int tap_link_start(struct nic_tap *t);
void tap_link_done(struct nic_tap *t);
/* The descriptor says that the device is no more: an upcall, which comes last. */
void tap_vanished(struct nic_tap *t);

#endif
