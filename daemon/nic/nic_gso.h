/* SPDX-License-Identifier: BSD-3-Clause
 * Segmentation and checksums of TCP in software: for devices that cannot, and what a super-frame's headers must say for
 * those that can. IPv4 without, with options; IPv6 without extension headers: what has some is neither summed nor cut.
 */
#ifndef CAPNET_NIC_GSO_H
#define CAPNET_NIC_GSO_H

#include "nic/nic_frame.h"

/* Where a frame's headers lie, counted from its first byte. */
struct nic_headers {
  bool v6, fragment;
  uint8_t proto; /* of IP's payload; 0: not IP */
  size_t l4;     /* IP's payload */
  size_t end;    /* TCP's payload; for others l4 */
};
/* len bytes of the frame are there to look at. -EINVAL: they do not hold the headers whole, or contradict themselves. */
int nic_headers_parse(const uint8_t *p, size_t len, struct nic_headers *ret);

/* Prepares a frame to send whose TCP checksum is left to the device: writes the pseudo-header's sum into its field and
 * says so in *ret. head has len bytes of it, total is the whole frame's length; gso_size > 0 where it is to be cut (a
 * frame with no more payload than that is an ordinary one). What is not TCP over IP stays as it is. -EINVAL: headers not
 * whole, a fragment, or gso_size without TCP. */
int nic_tcp_partial(uint8_t *head, size_t len, size_t total, uint16_t gso_size, struct nic_offload *ret);

/* Completes a NIC_CSUM_PARTIAL in a frame of one piece. -EINVAL: the field is outside of it. */
int nic_csum_complete(uint8_t *p, size_t len, const struct nic_offload *off);

/* Calls emit for each packet that f, a super-frame or one with a partial checksum, stands for, in order: complete frames of one
 * piece, valid during the call. FIN and PSH go with the last one, CWR with the first (RFC 3168 6.1.2); IPv4's identification
 * counts on. -ENOMEM, or -EINVAL: headers that do not fit f->off or the frame's length; nothing was emitted then. */
int nic_gso_cut(const struct nic_frame *f, void (*emit)(void *arg, const struct nic_frame *piece), void *arg);

#endif
