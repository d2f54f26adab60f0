/* SPDX-License-Identifier: BSD-3-Clause
 * The fault decorator: a device that disturbs what is sent through another one, repeatably.
 *
 * It sends no offload on: super-frames come here as the packets they stand for, with complete checksums.
 *
 * Every frame draws the same numbers in the same order (loss, duplication, reordering, corruption, the bit, jitter),
 * whatever the configuration: so switching one fault on does not move where the others strike.
 *
 * Frames wait in two lists. `queue` is in order of sending; its deadlines never fall, so only its head is timed. `held`
 * has the reordered ones, which leave when a frame sent after them has passed, or when their own deadline is over.
 */
#include "nic/nic.h"

#include <stdio.h>

#define REORDER_GRACE_NS (10 * NSEC_PER_MSEC)

struct fault_frame {
  struct list link;
  uint64_t due, seq;
  size_t len;
  uint8_t data[];
};

struct nic_fault {
  struct nic nic;
  struct nic *inner;
  struct nic_fault_config cfg;
  uint64_t state, next_seq, last_due;
  struct list queue, held;
  unsigned waiting;
  struct loop_timer *timer;
  uint8_t frame[NIC_HEADER_LEN + NIC_MTU_MAX]; /* the one being sent, in one piece */
};

struct fate {
  bool lost, duplicated, reordered, corrupted;
  uint64_t bit, jitter;
};

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t draw(struct nic_fault *f) {
  uint64_t z = f->state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static struct fate draw_fate(struct nic_fault *f, size_t len) {
  struct fate fate;
  fate.lost = draw(f) % 1000 < f->cfg.loss_permille;
  fate.duplicated = draw(f) % 1000 < f->cfg.duplicate_permille;
  fate.reordered = draw(f) % 1000 < f->cfg.reorder_permille;
  fate.corrupted = draw(f) % 1000 < f->cfg.corrupt_permille;
  fate.bit = draw(f) % (8 * (uint64_t)len);
  uint64_t jitter = draw(f);
  fate.jitter = f->cfg.jitter_ns > 0 ? jitter % (f->cfg.jitter_ns + 1) : 0;
  return fate;
}

static void fault_arm(struct nic_fault *f) {
  uint64_t due = 0;
  if (!list_empty(&f->queue))
    due = list_first(&f->queue, struct fault_frame, link)->due;
  list_for_each(pos, &f->held) {
    struct fault_frame *held = list_entry(pos, struct fault_frame, link);
    due = due == 0 ? held->due : MIN(due, held->due);
  }
  if (due == 0)
    loop_timer_clear(f->timer);
  else
    loop_timer_set(f->timer, due);
}

/* Only hands on: the frame stays the caller's. What inner refuses now was already reported as taken: count it twice
 * rather than not at all. */
static void fault_pass(struct nic_fault *f, const uint8_t *data, size_t len) {
  if (nic_send_one(f->inner, data, len) == 0)
    f->nic.counters.tx_dropped++;
}

static void fault_release(struct nic_fault *f, struct fault_frame *frame) {
  list_remove(&frame->link);
  f->waiting--;
  fault_pass(f, frame->data, frame->len);
  free(frame);
}

/* A frame numbered seq has passed: what was held back for one like it follows. */
static void fault_release_held(struct nic_fault *f, uint64_t seq) {
  list_for_each(pos, &f->held) {
    struct fault_frame *held = list_entry(pos, struct fault_frame, link);
    if (held->seq < seq)
      fault_release(f, held);
  }
}

static void fault_due(void *arg) {
  struct nic_fault *f = arg;
  uint64_t now = loop_now(f->nic.loop, CLOCK_ID_MONO);
  while (!list_empty(&f->queue)) {
    struct fault_frame *frame = list_first(&f->queue, struct fault_frame, link);
    uint64_t seq = frame->seq;
    if (frame->due > now)
      break;
    fault_release(f, frame);
    fault_release_held(f, seq);
  }
  list_for_each(pos, &f->held) {
    struct fault_frame *held = list_entry(pos, struct fault_frame, link);
    if (held->due <= now)
      fault_release(f, held);
  }
  fault_arm(f);
}

static bool fault_keep(struct nic_fault *f, const uint8_t *data, size_t len, uint64_t due, bool held) {
  if (f->waiting >= NIC_FAULT_HELD)
    return false;
  struct fault_frame *frame = malloc(sizeof *frame + len);
  if (!frame)
    return false;
  frame->due = due;
  frame->seq = f->next_seq;
  frame->len = len;
  memcpy(frame->data, data, len);
  list_append(held ? &f->held : &f->queue, &frame->link);
  f->waiting++;
  return true;
}

/* One copy on its way: at once, after its delay, or behind a later one. */
static bool fault_emit(struct nic_fault *f, const uint8_t *data, size_t len, const struct fate *fate) {
  uint64_t now = loop_now(f->nic.loop, CLOCK_ID_MONO);
  uint64_t due = now + f->cfg.delay_ns + fate->jitter;
  if (fate->reordered)
    return fault_keep(f, data, len, due + REORDER_GRACE_NS, true);
  due = f->last_due = MAX(due, f->last_due);
  if (due > now || !list_empty(&f->queue))
    return fault_keep(f, data, len, due, false);
  fault_pass(f, data, len);
  fault_release_held(f, f->next_seq);
  return true;
}

static bool fault_send_one(struct nic_fault *f, const struct nic_frame *frame) {
  struct fate fate = draw_fate(f, frame->len);

  f->next_seq++;
  if (fate.lost)
    return true;
  nic_frame_gather(frame, f->frame);
  if (fate.corrupted)
    f->frame[fate.bit / 8] ^= (uint8_t)(1u << (fate.bit % 8));
  if (!fault_emit(f, f->frame, frame->len, &fate))
    return false;
  if (fate.duplicated)
    (void)fault_emit(f, f->frame, frame->len, &fate); /* no room for a copy that nobody asked for is no error */
  return true;
}

static unsigned fault_send(struct nic *nic, const struct nic_frame *frames, unsigned n) {
  struct nic_fault *f = container_of(nic, struct nic_fault, nic);
  unsigned taken = 0;
  if (!nic->link_up)
    return 0;
  while (taken < n && fault_send_one(f, &frames[taken]))
    taken++;
  fault_arm(f);
  return taken;
}

/* What comes from inner goes up as it is. */
static void from_inner_frames(void *arg, struct nic_rx *frames, unsigned n) {
  struct nic_fault *f = arg;
  nic_deliver(&f->nic, frames, n);
}

static void from_inner_link(void *arg, bool up) {
  struct nic_fault *f = arg;
  nic_set_link(&f->nic, up);
}

static void from_inner_mtu(void *arg) {
  struct nic_fault *f = arg;
  nic_set_mtu(&f->nic, f->inner->mtu);
}

static void from_inner_away(void *arg, bool away) {
  struct nic_fault *f = arg;
  nic_set_away(&f->nic, away);
}

static void from_inner_gone(void *arg, int error) {
  struct nic_fault *f = arg;
  f->nic.link_up = false;
  nic_gone(&f->nic, error);
}

static const struct nic_upcalls from_inner = {
    .frames = from_inner_frames,
    .link = from_inner_link,
    .mtu = from_inner_mtu,
    .away = from_inner_away,
    .gone = from_inner_gone,
};

static int fault_start(struct nic *nic) {
  struct nic_fault *f = container_of(nic, struct nic_fault, nic);
  return nic_start(f->inner, &from_inner, f);
}

static void list_drain(struct list *l) {
  list_for_each(pos, l)
    free(list_entry(pos, struct fault_frame, link));
  list_init(l);
}

static void fault_free(struct nic *nic) {
  struct nic_fault *f = container_of(nic, struct nic_fault, nic);
  list_drain(&f->queue);
  list_drain(&f->held);
  f->timer = loop_timer_free(f->timer);
  f->inner = nic_free(f->inner);
  free(f);
}

static const struct nic_ops fault_ops = {
    .kind = "fault",
    .send = fault_send,
    .start = fault_start,
    .free = fault_free,
};

static bool config_valid(const struct nic_fault_config *cfg) {
  return cfg->loss_permille <= 1000 && cfg->duplicate_permille <= 1000 && cfg->reorder_permille <= 1000 &&
         cfg->corrupt_permille <= 1000 && cfg->delay_ns <= NIC_FAULT_DELAY_MAX_NS &&
         cfg->jitter_ns <= NIC_FAULT_DELAY_MAX_NS;
}

int nic_fault_wrap(struct nic *inner, const struct nic_fault_config *cfg, struct nic **ret) {
  struct nic_fault *f = config_valid(cfg) ? calloc(1, sizeof *f) : NULL;
  int r = f ? 0 : config_valid(cfg) ? -ENOMEM : -EINVAL;
  if (f)
    r = loop_timer_new(inner->loop, CLOCK_ID_MONO, fault_due, f, &f->timer);
  if (r < 0) {
    free(f);
    (void)nic_free(inner);
    return r;
  }
  f->nic = *inner;
  f->nic.ops = &fault_ops;
  f->nic.up = NULL;
  f->nic.up_arg = NULL;
  f->nic.counters = (struct nic_counters){0};
  f->nic.features &= ~(unsigned)(NIC_TX_CSUM | NIC_TX_TSO4 | NIC_TX_TSO6);
  f->inner = inner;
  f->cfg = *cfg;
  f->state = cfg->seed;
  list_init(&f->queue);
  list_init(&f->held);
  *ret = &f->nic;
  return 0;
}
