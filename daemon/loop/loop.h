/* SPDX-License-Identifier: BSD-3-Clause
 * The event loop as the rooms above see it: watches, timers, after-turn tasks, work off the loop. One thread. Two
 * implementations: loop_uv.c (libuv, real clocks) and loop_sim.c (real descriptors polled without waiting, clocks moved
 * by hand). Callbacks may free the object they were called for, and any other.
 */
#ifndef CAPNET_LOOP_H
#define CAPNET_LOOP_H

#include "base/clock.h"
#include "base/list.h"

struct loop;
struct loop_watch;
struct loop_timer;

enum loop_events {
  LOOP_READ = 1,
  LOOP_WRITE = 2,
  /* The peer closed both directions (EPOLLHUP) without asking for readability. Delivered once; after that the watch is
   * silent for it: it must never spin (DESIGN section 10). A peer's half-close is not reported here: it is a READ. */
  LOOP_HANGUP = 4
};

typedef void (*loop_fn)(void *arg);
typedef void (*loop_watch_fn)(void *arg, unsigned events);

/* Free with loop_free, after all watches and timers are gone. 0 or -errno. */
int loop_uv_new(struct loop **ret);
int loop_sim_new(struct loop **ret);
struct loop *loop_free(struct loop *loop);

/* Runs until loop_stop. The simulated loop runs until nothing is ready and no timer is due (it moves no clock). */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
uint64_t loop_now(const struct loop *loop, enum clock_id clock); /* ns; read anew at each call */

/* Simulation only: runs what is ready, moves both clocks to the next timer, and so on until ns from now have passed. */
int loop_sim_advance(struct loop *loop, uint64_t ns);
/* Simulation only: suspend. The boot-time clock moves, the monotonic one does not. */
int loop_sim_suspend(struct loop *loop, uint64_t ns);

/* A watch borrows fd, which nobody else watches and whose users do not wait; events are level-triggered, none at first. Free before
 * closing the descriptor. -EPERM: it cannot be polled. */
int loop_watch_new(struct loop *loop, int fd, loop_watch_fn fn, void *arg, struct loop_watch **ret);
/* The same for what its maker knows to be a socket, so that nobody has to ask the kernel. */
int loop_watch_new_socket(struct loop *loop, int fd, loop_watch_fn fn, void *arg, struct loop_watch **ret);
int loop_watch_set(struct loop_watch *w, unsigned events); /* 0 silences it; setting what is set costs nothing */
struct loop_watch *loop_watch_free(struct loop_watch *w);  /* returns NULL; NULL is fine */
/* The same where the caller closes the descriptor before it returns to the loop, and no copy of it lives on in another
 * process or under another number: closing is then what takes it out of epoll. With a copy its events would go on coming. */
struct loop_watch *loop_watch_free_closing(struct loop_watch *w);

/* One-shot. The deadline is absolute on the timer's clock; one in the past fires in the next turn. */
int loop_timer_new(struct loop *loop, enum clock_id clock, loop_fn fn, void *arg, struct loop_timer **ret);
void loop_timer_set(struct loop_timer *t, uint64_t deadline_ns);
void loop_timer_clear(struct loop_timer *t);
bool loop_timer_armed(const struct loop_timer *t);
struct loop_timer *loop_timer_free(struct loop_timer *t);

/* Runs fn once at the end of the current turn (or of the next, when called from a task). Embedded in its owner. */
struct loop_task {
  struct list link;
  loop_fn fn;
  void *arg;
};
void loop_task_init(struct loop_task *t, loop_fn fn, void *arg);
void loop_task_queue(struct loop *loop, struct loop_task *t); /* queueing twice runs it once */
void loop_task_cancel(struct loop_task *t);

/* Runs work on another thread, then done on the loop. work may touch only arg. 0 or -errno (then neither runs). */
int loop_offload(struct loop *loop, loop_fn work, loop_fn done, void *arg);

/* Calls fn(arg, signo) on the loop for a signal. Freed with the loop. */
int loop_signal(struct loop *loop, int signo, void (*fn)(void *arg, int signo), void *arg);

#define LOOP_SLEEP_NS NSEC_PER_SEC /* a shorter one is none */
/* Calls fn when the machine has been asleep: the boot-time clock ran and the monotonic one did not, for LOOP_SLEEP_NS or more in sum.
 * In the first turn after waking, when the timers that are due by then have fired. One for a loop; fn NULL: nobody. */
void loop_on_resume(struct loop *loop, void (*fn)(void *arg, uint64_t slept_ns), void *arg);

/* Counters for tests and status: turns of the loop, callbacks run; system calls to change what is watched. */
struct loop_stats {
  uint64_t turns, watch_calls, timer_calls, watch_changes;
};
void loop_get_stats(const struct loop *loop, struct loop_stats *ret);

#endif
