/* SPDX-License-Identifier: BSD-3-Clause
 * A network device: an ops table that moves Ethernet frames in batches. Backends (tap, slirp, memory) and decorators
 * (fault) look the same from above; a decorator owns the device it wraps. What a frame is: nic_frame.h.
 */
#ifndef CAPNET_NIC_H
#define CAPNET_NIC_H

#include "nic/nic_buf.h"

#include <sys/types.h>

struct nic;

/* What the room above is told. A NULL member is not called. */
struct nic_upcalls {
  void (*frames)(void *arg, struct nic_rx *frames, unsigned n);
  void (*link)(void *arg, bool up);             /* carrier, when it changes */
  void (*mtu)(void *arg);                       /* nic->mtu has changed */
  /* true: the device is gone, but will be opened again when it is back (false). Until then it has no link, which is
   * told before and after. */
  void (*away)(void *arg, bool away);
  void (*gone)(void *arg, int error);           /* the device cannot be used any more; -errno */
};

struct nic_counters {
  uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes; /* a super-frame that the device cuts is one */
  uint64_t rx_dropped; /* not readable, over the device's frame size, or no buffer */
  uint64_t tx_dropped; /* refused by the device: queue full, link down */
};

struct nic_ops {
  const char *kind; /* "tap", "slirp", "memory", "fault" */
  /* Sends frames in order; returns how many were taken (the rest is dropped and counted by nic_send). Never blocks. */
  unsigned (*send)(struct nic *nic, const struct nic_frame *frames, unsigned n);
  /* Starts delivering frames to nic->up. Called once. 0 or -errno. */
  int (*start)(struct nic *nic);
  void (*free)(struct nic *nic);
};

#define NIC_NAME_MAX 16
#define NIC_MTU_MIN 576 /* RFC 791: every host takes a datagram of this size */
#define NIC_MTU_MAX 65520 /* the most that TAP and libslirp both take is a byte more */

/* Embedded first in every backend's own struct. */
struct nic {
  const struct nic_ops *ops;
  struct loop *loop;
  const struct nic_upcalls *up;
  void *up_arg;
  char name[NIC_NAME_MAX]; /* the device's name as the host knows it, "slirp0", "mem0" */
  uint8_t mac[6];          /* the stack's own address on this link */
  unsigned mtu;            /* of the IP packet, bytes */
  const char *mtu_origin;  /* "device", "configuration", "default": static string */
  unsigned features;       /* enum nic_feature */
  bool link_up;
  bool away; /* upcall away */
  struct nic_counters counters;
};

static inline size_t nic_frame_max(const struct nic *nic) { return NIC_HEADER_LEN + nic->mtu; }

/* Sends through the device and counts. What the device cannot do of a frame's offload is done here: a super-frame leaves
 * as its packets, each counted. A frame that is shorter than its header, longer than nic_frame_max (its packets, if it is
 * a super-frame) or malformed is dropped alone; when the device refuses one, it and those of its kind behind it are
 * dropped. Returns how many were taken, at least in part. */
unsigned nic_send(struct nic *nic, const struct nic_frame *frames, unsigned n);
int nic_start(struct nic *nic, const struct nic_upcalls *up, void *arg);
struct nic *nic_free(struct nic *nic); /* returns NULL; NULL is fine */
/* One ordinary frame in one piece. */
static inline unsigned nic_send_one(struct nic *nic, const void *data, size_t len) {
  struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
  return nic_send(nic, &(struct nic_frame){.iov = &iov, .n_iov = 1, .len = len}, 1);
}
/* For backends: counts, delivers upward, and frees what nobody took. Comes last: the device may be freed in it. */
void nic_deliver(struct nic *nic, struct nic_rx *frames, unsigned n);
void nic_set_link(struct nic *nic, bool up);
void nic_set_mtu(struct nic *nic, unsigned mtu); /* brought between the bounds above; origin "device" */
void nic_set_away(struct nic *nic, bool away);
void nic_gone(struct nic *nic, int error);

/* Opening a device may need a privilege; nothing is read before nic_start.
 *
 * tap: ifname names a persistent TAP or one to create (CAP_NET_ADMIN, or owned by our uid); fd >= 0 is an inherited TAP
 * descriptor instead, consumed also on failure. The MAC is the stack's, not the TAP's: a locally administered address
 * derived with nic_stable_mac when it is all zero. mtu 0 takes the device's. An inherited TAP must have been opened
 * with IFF_NO_PI; with IFF_VNET_HDR it has offloads. One that is opened here has those that the kernel knows (features).
 * links (borrowed, may be NULL) tells of link and MTU at once, and when a device that was deleted is back: a persistent
 * one that uid and gid, who the process will be, may attach to is then opened again, without any privilege.
 * Errors: -EPERM, -EBUSY, -ENODEV, -EINVAL (not a TAP, bad name or mtu). */
struct nic_tap_config {
  const char *ifname;
  int fd;
  unsigned mtu;
  uint8_t mac[6];
  struct nic_links *links; /* nic_link.h */
  uid_t uid;
  gid_t gid;
};
int nic_tap_open(struct loop *loop, const struct nic_tap_config *cfg, struct nic **ret);

/* slirp: libslirp in a child process of its own that speaks frames over a SEQPACKET pair (one message, one frame).
 * The child dies with us (PR_SET_PDEATHSIG, and end of file on the pair), and holds no other descriptor of ours.
 * forwards are "tcp:HOSTADDR:HOSTPORT-GUESTPORT" as parsed below and reach 10.0.2.15, the address that DHCP leases.
 * 10.0.2.3 forwards DNS to the first IPv4 server of the host's resolv.conf. An all-zero mac is derived from the name.
 * Errors: -EOPNOTSUPP (built without libslirp), -EINVAL, and what binding a forward says: -EADDRINUSE, -EACCES. */
struct nic_forward {
  bool udp;
  uint32_t host_addr; /* host order */
  uint16_t host_port, guest_port;
};
struct nic_slirp_config {
  bool host_loopback; /* false: 10.0.2.2 does not reach the host's 127.0.0.1. 127/8 and 0/8 themselves never do */
  const struct nic_forward *forwards;
  unsigned n_forwards;
  unsigned mtu; /* 0: NIC_MTU_MAX. No wire is behind it: libslirp speaks to the host by sockets */
  uint8_t mac[6];
  bool change_ids; /* the child becomes uid and gid, without supplementary groups, once its forwards are bound */
  uid_t uid;
  gid_t gid;
};
/* -ELIBACC: libslirp is not installed; -EADDRINUSE, -EACCES: of a forward. */
int nic_slirp_open(struct loop *loop, const struct nic_slirp_config *cfg, struct nic **ret);
int nic_forward_parse(const char *s, struct nic_forward *ret); /* -EINVAL */

/* memory: two devices back to back; what one sends the other delivers at the end of the loop's turn, in one batch.
 * queue bounds the frames in flight each way. When one is freed the link of the other goes down. They have no features,
 * so packets travel as on a wire; a test may set some, then a frame arrives as it was sent, offload and all. */
int nic_memory_pair(struct loop *loop, unsigned mtu, unsigned queue, struct nic **ret_a, struct nic **ret_b);

/* fault: wraps inner (consumed also on failure) and disturbs what is SENT through it. Probabilities are per 1,000
 * frames and drawn from a generator seeded by seed, so a run can be repeated. Delay is per frame, and jitter adds up to
 * its value without overtaking; a reordered frame is held back until one later frame has passed or its delay plus 10 ms
 * is over. A corrupted frame has one bit flipped. A lost frame counts as sent; at most NIC_FAULT_HELD frames are under
 * way, one more is refused as from a full queue. */
#define NIC_FAULT_HELD 8192
#define NIC_FAULT_DELAY_MAX_NS (60 * NSEC_PER_SEC)
struct nic_fault_config {
  uint64_t seed;
  unsigned loss_permille, duplicate_permille, reorder_permille, corrupt_permille;
  uint64_t delay_ns, jitter_ns;
};
/* 0, -ENOMEM, or -EINVAL: a rate over 1000, a delay or jitter over the maximum. */
int nic_fault_wrap(struct nic *inner, const struct nic_fault_config *cfg, struct nic **ret);

/* A MAC that is the same at every start: locally administered unicast, hashed from the machine id (or, where there is
 * none, the host name) and the interface's name. */
void nic_stable_mac(const char *ifname, uint8_t ret[6]);

#endif
