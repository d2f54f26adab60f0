/* SPDX-License-Identifier: BSD-3-Clause
 * What the tests of daemon/nic/ share: a room above a device that writes down what it is told.
 */
#ifndef CAPNET_TEST_NIC_UTIL_H
#define CAPNET_TEST_NIC_UTIL_H

#include "nic/nic.h"

#define SINK_MAX 4096
#define SINK_FRAME_MAX 2048

struct sink {
  struct {
    uint8_t data[SINK_FRAME_MAX];
    size_t len;
    struct nic_offload off;
    unsigned pieces;
    uint64_t at; /* monotonic, when loop is set */
  } got[SINK_MAX];
  unsigned n, calls;
  unsigned link_calls, gone_calls;
  bool link;
  int gone_error;
  struct loop *loop;
};

/* The whole frame, as far as it fits. */
static inline size_t rx_copy(const struct nic_rx *f, void *to, size_t max) {
  size_t at = 0;
  for (const struct nic_buf *b = f->buf; b && at < max; b = b->next) {
    size_t here = MIN((size_t)b->len, max - at);
    memcpy((uint8_t *)to + at, b->data, here);
    at += here;
  }
  return at;
}

static void sink_frames(void *arg, struct nic_rx *frames, unsigned n) {
  struct sink *s = arg;
  s->calls++;
  for (unsigned i = 0; i < n && s->n < SINK_MAX; i++, s->n++) {
    s->got[s->n].len = frames[i].len;
    s->got[s->n].at = s->loop ? loop_now(s->loop, CLOCK_ID_MONO) : 0;
    s->got[s->n].off = frames[i].off;
    s->got[s->n].pieces = frames[i].buf->next ? 2 : 1;
    (void)rx_copy(&frames[i], s->got[s->n].data, SINK_FRAME_MAX);
  }
}

static void sink_link(void *arg, bool up) {
  struct sink *s = arg;
  s->link_calls++;
  s->link = up;
}

static void sink_gone(void *arg, int error) {
  struct sink *s = arg;
  s->gone_calls++;
  s->gone_error = error;
}

static const struct nic_upcalls sink_upcalls = {.frames = sink_frames, .link = sink_link, .gone = sink_gone};

/* Sends one frame of len bytes whose first four after the header carry id. */
static inline unsigned send_numbered(struct nic *nic, uint32_t id, size_t len) {
  uint8_t buf[NIC_HEADER_LEN + NIC_MTU_MAX + 1] = {0};
  memcpy(buf + NIC_HEADER_LEN, &id, sizeof id);
  return nic_send_one(nic, buf, len);
}

static inline uint32_t sink_id(const struct sink *s, unsigned i) {
  uint32_t id;
  memcpy(&id, s->got[i].data + NIC_HEADER_LEN, sizeof id);
  return id;
}

#endif
