/* SPDX-License-Identifier: BSD-3-Clause
 * The TAP device at work; nic_tap_open.c opens it.
 *
 * With a struct virtio_net_hdr in front of each frame the kernel takes super-frames and cuts them itself, or never cuts
 * them, and leaves checksums alone that no wire will see; it hands us the same. One readv or writev a frame, from and to
 * where the bytes lie.
 *
 * Link. nic_tap_link.c hears of it where it can. tun(4) itself tells us no more than this: a write to an interface that
 * is administratively down is EIO, POLLOUT is raised again when it comes up, and everything is EBADFD once it was deleted.
 * So for a device of another namespace a failed write takes the link down and arms writability, which brings it back.
 */
#include "nic/nic_tap.h"

#include <endian.h>
#include <linux/virtio_net.h>
#include <poll.h>

#define TAP_BATCH 32                 /* frames read in one turn */
#define TAP_TURN_BYTES (1024u * 1024) /* and bytes: sixteen large super-frames, a third of a millisecond */
#define TAP_PATIENCE 4               /* turns that find all they may read, before they may read more */

_Static_assert(sizeof(struct virtio_net_hdr) == TAP_VNET_MIN, "the header that every longer one begins with");

void tap_fail(struct nic_tap *t, int error) {
  t->watch = loop_watch_free(t->watch);
  t->index = 0;
  t->may_return = false;
  if (t->links)
    nic_links_unwatch(t->links, &t->told);
  t->nic.link_up = false;
  nic_gone(&t->nic, error);
}

/* False: what it stands for is not known here. */
static bool tap_parse_header(const uint8_t *p, struct nic_offload *ret) {
  struct virtio_net_hdr h;
  memcpy(&h, p, sizeof h);
  *ret = (struct nic_offload){.gso_size = le16toh(h.gso_size), .hdr_len = le16toh(h.hdr_len)};
  if (h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
    ret->csum = NIC_CSUM_PARTIAL;
    ret->csum_start = le16toh(h.csum_start);
    ret->csum_offset = le16toh(h.csum_offset);
  } else if (h.flags & VIRTIO_NET_HDR_F_DATA_VALID) {
    ret->csum = NIC_CSUM_VALID;
  }
  switch (h.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
  case VIRTIO_NET_HDR_GSO_NONE:
    ret->gso_size = 0;
    return true;
  case VIRTIO_NET_HDR_GSO_TCPV4:
    ret->gso = NIC_GSO_TCP4;
    return ret->gso_size > 0;
  case VIRTIO_NET_HDR_GSO_TCPV6:
    ret->gso = NIC_GSO_TCP6;
    return ret->gso_size > 0;
  default:
    return false;
  }
}

/* The largest frame that may come. */
static size_t tap_rx_max(const struct nic_tap *t) {
  return t->nic.features & (NIC_RX_TSO4 | NIC_RX_TSO6) ? NIC_SUPER_MAX : nic_frame_max(&t->nic);
}

/* 1: a frame; 0: one that was dropped; -errno. Without a buffer a frame is read all the same, or it would be there for
 * ever. */
static int tap_read_frame(struct nic_tap *t, struct nic_rx *ret) {
  uint8_t header[TAP_VNET_MAX], nowhere;
  struct iovec iov[1 + NIC_SLOT_IOV] = {{.iov_base = header, .iov_len = t->vnet_len}};
  unsigned n = nic_slot_prepare(&t->slot, tap_rx_max(t), iov + 1);
  if (n == 0)
    iov[1] = (struct iovec){.iov_base = &nowhere, .iov_len = 1};
  ssize_t got;
  do {
    got = readv(t->fd, iov, (int)MAX(n, 1u) + 1);
  } while (got < 0 && errno == EINTR);
  if (got <= 0)
    return got < 0 ? -errno : -ENODEV;

  struct nic_rx f = {0};
  f.len = (size_t)got < t->vnet_len ? 0 : (size_t)got - t->vnet_len;
  if (n > 0 && f.len >= NIC_HEADER_LEN && (t->vnet_len == 0 || tap_parse_header(header, &f.off)) &&
      f.len <= (f.off.gso != NIC_GSO_NONE ? NIC_SUPER_MAX : nic_frame_max(&t->nic)))
    f.buf = nic_slot_take(&t->slot, f.len);
  if (!f.buf) {
    t->nic.counters.rx_dropped++;
    return 0;
  }
  *ret = f;
  return 1;
}

/* To read until nothing is there costs a call that learns only that. So a turn reads what the last one found, and more
 * once that was there several times in a row: the loop calls again while frames wait. */
static void tap_adapt(struct nic_tap *t, unsigned found, bool drained) {
  if (drained) {
    t->budget = MAX(found, 1u);
    t->full = 0;
  } else if (++t->full >= TAP_PATIENCE) {
    t->budget = MIN(t->budget * 2, (unsigned)TAP_BATCH);
    t->full = 0;
  }
}

/* A bounded batch, then back to the loop. One upcall, and it comes last. */
static void tap_read(struct nic_tap *t) {
  struct nic_rx batch[TAP_BATCH];
  unsigned n = 0, i = 0;
  size_t bytes = 0;
  int r = 0;

  for (; i < t->budget && bytes < TAP_TURN_BYTES; i++) {
    r = tap_read_frame(t, &batch[n]);
    if (r < 0)
      break;
    if (r > 0)
      bytes += batch[n++].len;
  }
  bool drained = r == -EAGAIN || r == -ENOBUFS;
  if (r < 0 && !drained && n == 0) { /* else deliver first; the next turn meets the same error */
    if (r == -EBADFD || r == -ENODEV)
      tap_vanished(t);
    else
      tap_fail(t, r);
    return;
  }
  tap_adapt(t, i, drained);
  nic_slot_done(&t->slot);
  nic_trim_used(&t->trim);
  nic_deliver(&t->nic, batch, n);
}

static void tap_event(void *arg, unsigned events) {
  struct nic_tap *t = arg;
  if ((events & LOOP_WRITE) && !t->nic.link_up && !t->index) {
    struct pollfd p = {.fd = t->fd, .events = POLLOUT};
    /* An error also reads as writable: reading tells which it is. */
    if (poll(&p, 1, 0) == 1 && !(p.revents & (POLLERR | POLLHUP))) {
      (void)loop_watch_set(t->watch, LOOP_READ);
      nic_set_link(&t->nic, true); /* last: it may free us; reading is level-triggered and can wait a turn */
      return;
    }
  }
  tap_read(t);
}

static void tap_lost_link(void *arg) {
  struct nic_tap *t = arg;
  if (!t->watch || t->index)
    return;
  (void)loop_watch_set(t->watch, LOOP_READ | LOOP_WRITE);
  nic_set_link(&t->nic, false);
}

static void tap_write_header(const struct nic_offload *off, uint8_t ret[TAP_VNET_MAX]) {
  struct virtio_net_hdr h = {0};
  if (off->csum == NIC_CSUM_PARTIAL) {
    h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    h.csum_start = htole16(off->csum_start);
    h.csum_offset = htole16(off->csum_offset);
  }
  if (off->gso != NIC_GSO_NONE) {
    h.gso_type = off->gso == NIC_GSO_TCP4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    h.gso_size = htole16(off->gso_size);
    h.hdr_len = htole16(off->hdr_len);
  }
  memset(ret, 0, TAP_VNET_MAX);
  memcpy(ret, &h, sizeof h);
}

static int tap_write_frame(struct nic_tap *t, const struct nic_frame *f) {
  uint8_t header[TAP_VNET_MAX];
  struct iovec iov[1 + NIC_IOV_MAX];
  iov[0] = (struct iovec){.iov_base = header, .iov_len = t->vnet_len};
  memcpy(iov + 1, f->iov, f->n_iov * sizeof *iov);
  tap_write_header(&f->off, header);
  ssize_t len;
  do {
    len = writev(t->fd, iov, (int)f->n_iov + 1);
  } while (len < 0 && errno == EINTR);
  return len < 0 ? -errno : 0;
}

static unsigned tap_send(struct nic *nic, const struct nic_frame *frames, unsigned n) {
  struct nic_tap *t = container_of(nic, struct nic_tap, nic);
  if (!nic->link_up || !t->watch)
    return 0;
  for (unsigned i = 0; i < n; i++) {
    int r = tap_write_frame(t, &frames[i]);
    if (r == -EIO && !t->index)
      loop_task_queue(nic->loop, &t->lost); /* not from here: the caller is in the middle of its own work */
    if (r < 0)
      return i;
  }
  return n;
}

int tap_begin(struct nic_tap *t) {
  t->watch = loop_watch_free(t->watch);
  int r = loop_watch_new(t->nic.loop, t->fd, tap_event, t, &t->watch);
  if (r < 0)
    return r;
  r = loop_watch_set(t->watch, t->nic.link_up || t->links ? LOOP_READ : LOOP_READ | LOOP_WRITE);
  if (r < 0)
    t->watch = loop_watch_free(t->watch);
  return r;
}

static int tap_start(struct nic *nic) {
  struct nic_tap *t = container_of(nic, struct nic_tap, nic);
  int r = tap_link_start(t);
  return r < 0 ? r : tap_begin(t);
}

static void tap_free(struct nic *nic) {
  struct nic_tap *t = container_of(nic, struct nic_tap, nic);
  tap_link_done(t);
  loop_task_cancel(&t->lost);
  t->watch = loop_watch_free(t->watch);
  t->fd = fd_close(t->fd);
  nic_slot_done(&t->slot);
  nic_trim_done(&t->trim);
  free(t);
}

static const struct nic_ops tap_ops = {
    .kind = "tap",
    .send = tap_send,
    .start = tap_start,
    .free = tap_free,
};

int nic_tap_open(struct loop *loop, const struct nic_tap_config *cfg, struct nic **ret) {
  struct nic_tap *t = calloc(1, sizeof *t);
  if (!t) {
    (void)fd_close(cfg->fd);
    return -ENOMEM;
  }
  t->nic.ops = &tap_ops;
  t->nic.loop = loop;
  t->fd = cfg->fd;
  loop_task_init(&t->lost, tap_lost_link, t);
  t->budget = TAP_BATCH;
  int r = tap_set_up(t, cfg);
  if (r >= 0)
    r = nic_trim_init(&t->trim, loop);
  if (r < 0) {
    tap_free(&t->nic);
    return r;
  }
  tap_link_init(t, cfg);
  *ret = &t->nic;
  return 0;
}
