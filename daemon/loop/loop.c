/* SPDX-License-Identifier: BSD-3-Clause
 * What the two loops share: timers, tasks and counters; the rest goes through the table.
 */
#include "loop/loop_impl.h"

#include <poll.h>

struct loop_timer {
  struct loop *loop;
  enum clock_id clock;
  loop_fn fn;
  void *arg;
  uint64_t deadline, seq;
  size_t pos;      /* in the heap, NOT_IN_HEAP otherwise */
  struct list due; /* linked while it waits for its call in the turn under way */
};

#define NOT_IN_HEAP SIZE_MAX

static bool heap_before(const struct loop_timer *a, const struct loop_timer *b) {
  return a->deadline != b->deadline ? a->deadline < b->deadline : a->seq < b->seq;
}

static void heap_place(struct loop_heap *h, size_t pos, struct loop_timer *t) {
  h->t[pos] = t;
  t->pos = pos;
}

/* Moves t, which belongs at pos or above or below it, to where the order holds. */
static void heap_sift(struct loop_heap *h, size_t pos, struct loop_timer *t) {
  while (pos > 0 && heap_before(t, h->t[(pos - 1) / 2])) {
    heap_place(h, pos, h->t[(pos - 1) / 2]);
    pos = (pos - 1) / 2;
  }
  for (size_t child = 2 * pos + 1; child < h->n; child = 2 * pos + 1) {
    if (child + 1 < h->n && heap_before(h->t[child + 1], h->t[child])) {
      child++;
    }
    if (!heap_before(h->t[child], t)) {
      break;
    }
    heap_place(h, pos, h->t[child]);
    pos = child;
  }
  heap_place(h, pos, t);
}

static void heap_remove(struct loop_heap *h, struct loop_timer *t) {
  size_t pos = t->pos;
  struct loop_timer *last = h->t[--h->n];
  t->pos = NOT_IN_HEAP;
  if (last != t) {
    heap_sift(h, pos, last);
  }
}

/* Room for one timer more, before it exists. */
static int heap_reserve(struct loop_heap *h) {
  if (h->n_timers == h->cap) {
    size_t cap = h->cap ? 2 * h->cap : 16;
    struct loop_timer **t = reallocarray(h->t, cap, sizeof(*t));
    if (!t) {
      return -ENOMEM;
    }
    h->t = t;
    h->cap = cap;
  }
  h->n_timers++;
  return 0;
}

int loop_timer_new(struct loop *loop, enum clock_id clock, loop_fn fn, void *arg, struct loop_timer **ret) {
  struct loop_timer *t = calloc(1, sizeof(*t));
  if (!t) {
    return -ENOMEM;
  }
  int r = heap_reserve(&loop->heap[clock]);
  if (r < 0) {
    free(t);
    return r;
  }
  *t = (struct loop_timer){.loop = loop, .clock = clock, .fn = fn, .arg = arg, .pos = NOT_IN_HEAP};
  list_init(&t->due);
  *ret = t;
  return 0;
}

void loop_timer_set(struct loop_timer *t, uint64_t deadline_ns) {
  struct loop_heap *h = &t->loop->heap[t->clock];
  if (t->pos != NOT_IN_HEAP && t->deadline == deadline_ns) {
    return;
  }
  loop_timer_clear(t);
  t->deadline = deadline_ns;
  t->seq = t->loop->timer_seq++;
  heap_sift(h, h->n++, t);
}

void loop_timer_clear(struct loop_timer *t) {
  list_remove(&t->due);
  if (t->pos != NOT_IN_HEAP) {
    heap_remove(&t->loop->heap[t->clock], t);
  }
}

bool loop_timer_armed(const struct loop_timer *t) { return t->pos != NOT_IN_HEAP || !list_empty(&t->due); }

struct loop_timer *loop_timer_free(struct loop_timer *t) {
  if (t) {
    loop_timer_clear(t);
    t->loop->heap[t->clock].n_timers--;
    free(t);
  }
  return NULL;
}

uint64_t loop_base_next(const struct loop *loop, enum clock_id clock) {
  const struct loop_heap *h = &loop->heap[clock];
  return h->n > 0 ? MAX(h->t[0]->deadline, 1) : 0;
}

size_t loop_base_fire(struct loop *loop, enum clock_id clock, uint64_t now) {
  struct loop_heap *h = &loop->heap[clock];
  struct list due;
  size_t calls = 0;
  list_init(&due);
  while (h->n > 0 && h->t[0]->deadline <= now) {
    struct loop_timer *t = h->t[0];
    heap_remove(h, t);
    list_append(&due, &t->due);
  }
  /* A callback may clear, set or free any of the others: always start again at the head. */
  while (!list_empty(&due)) {
    struct loop_timer *t = list_first(&due, struct loop_timer, due);
    list_remove(&t->due);
    calls++;
    loop->stats.timer_calls++;
    t->fn(t->arg);
  }
  return calls;
}

void loop_task_init(struct loop_task *t, loop_fn fn, void *arg) {
  list_init(&t->link);
  t->fn = fn;
  t->arg = arg;
}

void loop_task_queue(struct loop *loop, struct loop_task *t) {
  if (list_empty(&t->link)) {
    list_append(&loop->tasks, &t->link);
    loop->ops->wake(loop);
  }
}

void loop_task_cancel(struct loop_task *t) { list_remove(&t->link); }

/* The boot-time clock is read first: if we are interrupted in between, it seems to be less ahead than it is, never more. */
static uint64_t ahead(const struct loop *loop) {
  const uint64_t boot = loop_now(loop, CLOCK_ID_BOOT), mono = loop_now(loop, CLOCK_ID_MONO);
  return boot > mono ? boot - mono : 0;
}

void loop_on_resume(struct loop *loop, void (*fn)(void *arg, uint64_t slept_ns), void *arg) {
  loop->resume.fn = fn;
  loop->resume.arg = arg;
  loop->resume.ahead = ahead(loop);
}

static size_t look_for_sleep(struct loop *loop) {
  const uint64_t now = loop->resume.fn ? ahead(loop) : 0, was = loop->resume.ahead;
  if (now < was + LOOP_SLEEP_NS)
    return 0;
  loop->resume.ahead = now;
  loop->resume.fn(loop->resume.arg, now - was);
  return 1;
}

size_t loop_base_tasks(struct loop *loop) {
  struct list now;
  size_t calls = look_for_sleep(loop);
  list_take(&loop->tasks, &now);
  while (!list_empty(&now)) {
    struct loop_task *t = list_first(&now, struct loop_task, link);
    list_remove(&t->link);
    calls++;
    t->fn(t->arg);
  }
  return calls;
}

int loop_watch_new(struct loop *loop, int fd, loop_watch_fn fn, void *arg, struct loop_watch **ret) {
  struct loop_watch init = {.loop = loop, .fd = fd, .fn = fn, .arg = arg};
  return loop->ops->watch_new(&init, ret);
}

int loop_watch_new_socket(struct loop *loop, int fd, loop_watch_fn fn, void *arg, struct loop_watch **ret) {
  struct loop_watch init = {.loop = loop, .fd = fd, .fn = fn, .arg = arg, .is_socket = true};
  return loop->ops->watch_new(&init, ret);
}

int loop_watch_set(struct loop_watch *w, unsigned events) {
  if (events & ~(unsigned)(LOOP_READ | LOOP_WRITE | LOOP_HANGUP)) {
    return -EINVAL;
  }
  if (events != w->events) {
    w->events = events;
    w->loop->ops->watch_update(w);
  }
  return 0;
}

struct loop_watch *loop_watch_free(struct loop_watch *w) {
  if (w) {
    w->loop->ops->watch_free(w, false);
  }
  return NULL;
}

struct loop_watch *loop_watch_free_closing(struct loop_watch *w) {
  if (w) {
    w->loop->ops->watch_free(w, true);
  }
  return NULL;
}

void loop_base_dispatch(struct loop_watch *w, unsigned events) {
  events &= w->events;
  if (w->hung_up) {
    events &= ~(unsigned)LOOP_HANGUP;
  }
  if (events & LOOP_HANGUP) {
    w->hung_up = true;
    w->loop->ops->watch_update(w);
  }
  if (events) {
    w->loop->stats.watch_calls++;
    w->fn(w->arg, events);
  }
}

bool loop_base_hangup(int fd) {
  struct pollfd p = {.fd = fd};
  return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR));
}

void loop_base_init(struct loop *loop, const struct loop_ops *ops) {
  *loop = (struct loop){.ops = ops};
  list_init(&loop->tasks);
}

void loop_base_done(struct loop *loop) {
  for (int c = 0; c < CLOCK_ID_COUNT; c++) {
    free(loop->heap[c].t);
  }
}

struct loop *loop_free(struct loop *loop) { return loop ? loop->ops->free(loop) : NULL; }
int loop_run(struct loop *loop) { return loop->ops->run(loop); }
void loop_stop(struct loop *loop) { loop->ops->stop(loop); }
uint64_t loop_now(const struct loop *loop, enum clock_id clock) { return loop->ops->now(loop, clock); }
void loop_get_stats(const struct loop *loop, struct loop_stats *ret) { *ret = loop->stats; }

int loop_offload(struct loop *loop, loop_fn work, loop_fn done, void *arg) {
  return loop->ops->offload(loop, work, done, arg);
}

int loop_signal(struct loop *loop, int signo, void (*fn)(void *arg, int signo), void *arg) {
  return loop->ops->signal(loop, signo, fn, arg);
}
