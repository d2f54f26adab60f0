/* SPDX-License-Identifier: BSD-3-Clause
 * Between loop.c and the two implementations: what they share (timers, tasks, counters) and the table of what differs.
 * Nobody else includes this.
 */
#ifndef CAPNET_LOOP_IMPL_H
#define CAPNET_LOOP_IMPL_H

#include "loop/loop.h"

struct loop_ops {
  struct loop *(*free)(struct loop *loop);
  int (*run)(struct loop *loop);
  void (*stop)(struct loop *loop);
  uint64_t (*now)(const struct loop *loop, enum clock_id clock);
  void (*wake)(struct loop *loop); /* a task waits: the next wait must not block */
  int (*watch_new)(const struct loop_watch *init, struct loop_watch **ret); /* a copy of init, silent */
  void (*watch_update)(struct loop_watch *w); /* w->events or w->hung_up changed */
  void (*watch_free)(struct loop_watch *w, bool closing); /* closing: its descriptor, and it is the last of its file */
  int (*offload)(struct loop *loop, loop_fn work, loop_fn done, void *arg);
  int (*signal)(struct loop *loop, int signo, void (*fn)(void *arg, int signo), void *arg);
};

/* A binary heap by (deadline, order of arming). cap is at least the number of timers that exist on this clock, so that
 * arming never allocates. */
struct loop_heap {
  struct loop_timer **t;
  size_t n, cap, n_timers;
};

struct loop {
  const struct loop_ops *ops;
  struct list tasks;
  struct loop_heap heap[CLOCK_ID_COUNT];
  uint64_t timer_seq;
  struct {
    void (*fn)(void *arg, uint64_t slept_ns);
    void *arg;
    uint64_t ahead; /* the boot-time clock is, of the monotonic one */
  } resume;
  struct loop_stats stats;
};

struct loop_watch {
  struct loop *loop;
  int fd;
  unsigned events; /* as asked for */
  bool hung_up;    /* LOOP_HANGUP was delivered, never again */
  bool is_socket;  /* for certain */
  loop_watch_fn fn;
  void *arg;
};

void loop_base_init(struct loop *loop, const struct loop_ops *ops);
void loop_base_done(struct loop *loop);

/* Earliest deadline on a clock, 0 without any. */
uint64_t loop_base_next(const struct loop *loop, enum clock_id clock);
/* Calls every timer of the clock due at now, but none that a callback arms. Returns how many. */
size_t loop_base_fire(struct loop *loop, enum clock_id clock, uint64_t now);
/* The end of the turn: whether the machine has slept, then tasks queued so far; those that they queue wait for the next.
 * Returns how many were called. */
size_t loop_base_tasks(struct loop *loop);
/* Calls the watch with what of events it still asks for. The watch may be gone afterwards. */
void loop_base_dispatch(struct loop_watch *w, unsigned events);
/* Did the peer close both directions (or the descriptor break)? */
bool loop_base_hangup(int fd);

#endif
