/* SPDX-License-Identifier: BSD-3-Clause
 * A device between the stack and a wire that looks at what is sent, and decides what becomes of it; what comes in passes.
 * First member of the struct that it is made for, which owns the wire from then on.
 */
#ifndef CAPNET_TEST_NIC_BETWEEN_H
#define CAPNET_TEST_NIC_BETWEEN_H

#include "nic/nic.h"

struct nic_between {
  struct nic nic;
  struct nic *inner;
  void (*sent)(struct nic_between *b, size_t len); /* the frame is in `frame`; nic_send_one(b->inner, …) lets it pass */
  void (*free)(struct nic_between *b);             /* frees what it is the beginning of */
  uint8_t frame[NIC_HEADER_LEN + 1500];
};

static inline unsigned nic_between_send(struct nic *nic, const struct nic_frame *frames, unsigned n) {
  struct nic_between *b = container_of(nic, struct nic_between, nic);
  for (unsigned i = 0; i < n; i++) {
    nic_frame_gather(&frames[i], b->frame);
    b->sent(b, frames[i].len);
  }
  return n;
}

static inline void nic_between_frames(void *arg, struct nic_rx *frames, unsigned n) {
  nic_deliver(&((struct nic_between *)arg)->nic, frames, n);
}

static inline int nic_between_start(struct nic *nic) {
  static const struct nic_upcalls up = {.frames = nic_between_frames};
  struct nic_between *b = container_of(nic, struct nic_between, nic);
  return nic_start(b->inner, &up, b);
}

static inline void nic_between_free(struct nic *nic) {
  struct nic_between *b = container_of(nic, struct nic_between, nic);
  nic_free(b->inner);
  b->free(b);
}

static inline void nic_between_init(struct nic_between *b, struct nic *inner) {
  static const struct nic_ops ops = {
      .kind = "between", .send = nic_between_send, .start = nic_between_start, .free = nic_between_free};
  b->nic = *inner;
  b->nic.ops = &ops;
  b->nic.counters = (struct nic_counters){0};
  b->inner = inner;
}

#endif
