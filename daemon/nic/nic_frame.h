/* SPDX-License-Identifier: BSD-3-Clause
 * What a frame is on its way down and up, and what may be left of it for the device to do. Frames are whole Ethernet II
 * frames without FCS. The meanings are those of struct virtio_net_hdr (virtio 1.2, 5.1.6).
 */
#ifndef CAPNET_NIC_FRAME_H
#define CAPNET_NIC_FRAME_H

#include "base/util.h"

#include <sys/uio.h>

#define NIC_HEADER_LEN 14                        /* Ethernet II: two addresses and the type */
#define NIC_SUPER_MAX (NIC_HEADER_LEN + 65535u)  /* the largest super-frame: a whole IPv4 packet */
#define NIC_IOV_MAX 256                          /* pieces of a frame to send */

enum nic_gso { NIC_GSO_NONE, NIC_GSO_TCP4, NIC_GSO_TCP6 };

enum nic_csum {
  NIC_CSUM_NONE,    /* nothing is known; what is sent is complete */
  NIC_CSUM_PARTIAL, /* the field holds the sum of the pseudo-header alone. Received so, it never was on a wire */
  NIC_CSUM_VALID    /* received only: somebody below has verified it */
};

/* Zero: an ordinary, complete frame. */
struct nic_offload {
  uint8_t gso;           /* enum nic_gso: a super-frame, to be cut into packets of gso_size bytes of payload */
  uint8_t csum;          /* enum nic_csum, of TCP or UDP; a super-frame to send is always NIC_CSUM_PARTIAL */
  uint16_t gso_size;
  uint16_t hdr_len;      /* of a super-frame: from Ethernet to the end of TCP's options. 0 when received and not told */
  uint16_t csum_start;   /* NIC_CSUM_PARTIAL: from the frame's first byte to where summing begins */
  uint16_t csum_offset;  /* from there to the field */
};

/* To send: its pieces, borrowed for the duration of the call. */
struct nic_frame {
  const struct iovec *iov;
  unsigned n_iov; /* at most NIC_IOV_MAX */
  size_t len;     /* of all pieces */
  struct nic_offload off;
};

/* Its bytes in one piece: f->len of them. */
static inline void nic_frame_gather(const struct nic_frame *f, uint8_t *to) {
  for (unsigned i = 0; i < f->n_iov; to += f->iov[i++].iov_len)
    memcpy(to, f->iov[i].iov_base, f->iov[i].iov_len);
}

/* Received: a chain of one or two buffers. They are the device's, which frees them after the upcall, unless
 * nic_rx_take was called. The first holds all headers, or all of the frame. */
struct nic_buf;
struct nic_rx {
  struct nic_buf *buf;
  size_t len; /* of the whole chain */
  struct nic_offload off;
};
static inline struct nic_buf *nic_rx_take(struct nic_rx *f) { return TAKE_PTR(f->buf); }

/* What a device does by itself. */
enum nic_feature {
  NIC_TX_CSUM = 1, /* completes NIC_CSUM_PARTIAL */
  NIC_TX_TSO4 = 2, /* cuts NIC_GSO_TCP4 */
  NIC_TX_TSO6 = 4,
  NIC_RX_CSUM = 8, /* may deliver NIC_CSUM_PARTIAL and NIC_CSUM_VALID */
  NIC_RX_TSO4 = 16, /* may deliver super-frames */
  NIC_RX_TSO6 = 32
};
#define NIC_FEATURES_TEXT_MAX 64
/* "tx-csum tx-tso4 …" or "none", for people. */
const char *nic_features_text(unsigned features, char ret[NIC_FEATURES_TEXT_MAX]);

#endif
