/* SPDX-License-Identifier: BSD-3-Clause
 * What every device shares: counting, the upcalls, the bound on a frame's size, and doing what a device cannot.
 */
#include "nic/nic.h"
#include "nic/nic_gso.h"

#include <stdio.h>

static const struct {
  unsigned bit;
  const char *name;
} feature_names[] = {
    {NIC_TX_CSUM, "tx-csum"}, {NIC_TX_TSO4, "tx-tso4"}, {NIC_TX_TSO6, "tx-tso6"},
    {NIC_RX_CSUM, "rx-csum"}, {NIC_RX_TSO4, "rx-tso4"}, {NIC_RX_TSO6, "rx-tso6"},
};

const char *nic_features_text(unsigned features, char ret[NIC_FEATURES_TEXT_MAX]) {
  size_t at = 0;
  (void)snprintf(ret, NIC_FEATURES_TEXT_MAX, "none");
  for (size_t i = 0; i < ARRAY_SIZE(feature_names); i++)
    if (features & feature_names[i].bit)
      at += (size_t)snprintf(ret + at, NIC_FEATURES_TEXT_MAX - at, "%s%s", at ? " " : "", feature_names[i].name);
  return ret;
}

static bool frame_fits(const struct nic *nic, const struct nic_frame *f) {
  if (f->len < NIC_HEADER_LEN || f->n_iov == 0 || f->n_iov > NIC_IOV_MAX)
    return false;
  if (f->off.gso == NIC_GSO_NONE)
    return f->len <= nic_frame_max(nic);
  return f->len <= NIC_SUPER_MAX && f->off.csum == NIC_CSUM_PARTIAL && f->off.gso_size > 0 &&
         (size_t)f->off.hdr_len + f->off.gso_size <= nic_frame_max(nic);
}

/* Can the device do all that is left to do? */
static bool is_native(const struct nic *nic, const struct nic_frame *f) {
  unsigned need = f->off.csum == NIC_CSUM_PARTIAL ? NIC_TX_CSUM : 0;
  if (f->off.gso != NIC_GSO_NONE)
    need |= f->off.gso == NIC_GSO_TCP4 ? NIC_TX_TSO4 : NIC_TX_TSO6;
  return (nic->features & need) == need;
}

/* Hands one run of well-sized frames to the backend. Counts before and after, never from inside it. */
static unsigned send_run(struct nic *nic, const struct nic_frame *frames, unsigned n) {
  unsigned taken = n > 0 ? nic->ops->send(nic, frames, n) : 0;
  for (unsigned i = 0; i < taken; i++) {
    nic->counters.tx_frames++;
    nic->counters.tx_bytes += frames[i].len;
  }
  nic->counters.tx_dropped += n - taken;
  return taken;
}

struct pieces {
  struct nic *nic;
  unsigned taken;
};

static void send_piece(void *arg, const struct nic_frame *piece) {
  struct pieces *p = arg;
  p->taken += send_run(p->nic, piece, 1);
}

static unsigned send_in_software(struct nic *nic, const struct nic_frame *f) {
  struct pieces p = {.nic = nic};
  if (nic_gso_cut(f, send_piece, &p) < 0)
    nic->counters.tx_dropped++;
  return p.taken > 0;
}

unsigned nic_send(struct nic *nic, const struct nic_frame *frames, unsigned n) {
  unsigned taken = 0, start = 0;
  for (unsigned i = 0; i < n; i++) {
    bool fits = frame_fits(nic, &frames[i]);
    if (fits && is_native(nic, &frames[i]))
      continue;
    taken += send_run(nic, frames + start, i - start);
    if (fits)
      taken += send_in_software(nic, &frames[i]);
    else
      nic->counters.tx_dropped++;
    start = i + 1;
  }
  return taken + send_run(nic, frames + start, n - start);
}

int nic_start(struct nic *nic, const struct nic_upcalls *up, void *arg) {
  if (nic->up)
    return -EALREADY;
  nic->up = up;
  nic->up_arg = arg;
  int r = nic->ops->start(nic);
  if (r < 0)
    nic->up = NULL;
  return r;
}

struct nic *nic_free(struct nic *nic) {
  if (nic)
    nic->ops->free(nic);
  return NULL;
}

/* The upcall comes last: the room above may free the device in it, so callers touch nothing of it afterwards. */
void nic_deliver(struct nic *nic, struct nic_rx *frames, unsigned n) {
  if (n == 0)
    return;
  for (unsigned i = 0; i < n; i++)
    nic->counters.rx_bytes += frames[i].len;
  nic->counters.rx_frames += n;
  if (nic->up && nic->up->frames)
    nic->up->frames(nic->up_arg, frames, n);
  for (unsigned i = 0; i < n; i++)
    frames[i].buf = nic_buf_free(frames[i].buf);
}

void nic_set_link(struct nic *nic, bool up) {
  if (nic->link_up == up)
    return;
  nic->link_up = up;
  if (nic->up && nic->up->link)
    nic->up->link(nic->up_arg, up);
}

void nic_set_mtu(struct nic *nic, unsigned mtu) {
  mtu = MIN(MAX(mtu, (unsigned)NIC_MTU_MIN), (unsigned)NIC_MTU_MAX);
  if (nic->mtu == mtu)
    return;
  nic->mtu = mtu;
  nic->mtu_origin = "device";
  if (nic->up && nic->up->mtu)
    nic->up->mtu(nic->up_arg);
}

void nic_set_away(struct nic *nic, bool away) {
  if (nic->away == away)
    return;
  nic->away = away;
  if (nic->up && nic->up->away)
    nic->up->away(nic->up_arg, away);
}

void nic_gone(struct nic *nic, int error) {
  if (nic->up && nic->up->gone)
    nic->up->gone(nic->up_arg, error);
}
