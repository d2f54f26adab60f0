/* SPDX-License-Identifier: BSD-3-Clause
 * What every device shares: counting, the upcalls, and the bound on a frame's size.
 */
#include "nic/nic.h"

static bool frame_fits(const struct nic *nic, const struct nic_frame *f) {
  return f->len >= NIC_HEADER_LEN && f->len <= nic_frame_max(nic);
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

unsigned nic_send(struct nic *nic, const struct nic_frame *frames, unsigned n) {
  unsigned taken = 0, start = 0;
  for (unsigned i = 0; i < n; i++) {
    if (frame_fits(nic, &frames[i]))
      continue;
    taken += send_run(nic, frames + start, i - start);
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
void nic_deliver(struct nic *nic, const struct nic_frame *frames, unsigned n) {
  if (n == 0)
    return;
  for (unsigned i = 0; i < n; i++)
    nic->counters.rx_bytes += frames[i].len;
  nic->counters.rx_frames += n;
  if (nic->up && nic->up->frames)
    nic->up->frames(nic->up_arg, frames, n);
}

void nic_set_link(struct nic *nic, bool up) {
  if (nic->link_up == up)
    return;
  nic->link_up = up;
  if (nic->up && nic->up->link)
    nic->up->link(nic->up_arg, up);
}

void nic_gone(struct nic *nic, int error) {
  if (nic->up && nic->up->gone)
    nic->up->gone(nic->up_arg, error);
}
