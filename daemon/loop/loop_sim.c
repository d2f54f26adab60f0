/* SPDX-License-Identifier: BSD-3-Clause
 * The loop of the tests: real descriptors, polled without waiting, and two clocks that only a test moves. A turn is:
 * timers that are due, descriptors that are ready, jobs, tasks. Everything is on one thread and in a fixed order, so
 * that a run can be repeated.
 */
#include "loop/loop_impl.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

/* So many turns without a pause are no work but a callback that leaves its descriptor ready. */
#define SIM_TURNS_MAX 1000000

/* The clocks start apart, so that a time of one given to the other shows. */
#define SIM_MONO_START (1000 * NSEC_PER_SEC)
#define SIM_BOOT_START (500000 * NSEC_PER_SEC)

struct loop_sim {
  struct loop base;
  uint64_t now[CLOCK_ID_COUNT];
  bool stopped;
  struct list watches, ready, jobs, signals;
  size_t n_watches;
  struct pollfd *fds; /* room for every watch */
  size_t fds_cap;
};

struct sim_watch {
  struct loop_watch base;
  struct list link, ready;
  unsigned revents;
};

struct sim_job {
  struct list link;
  loop_fn work, done;
  void *arg;
};

struct sim_signal {
  struct list link;
  int fd;
  int signo;
  bool was_blocked;
  void (*fn)(void *arg, int signo);
  void *arg;
};

static struct loop_sim *of(const struct loop *loop) { return container_of(loop, struct loop_sim, base); }

static uint64_t sim_now(const struct loop *loop, enum clock_id clock) { return of(loop)->now[clock]; }
static void sim_stop(struct loop *loop) { of(loop)->stopped = true; }
static void sim_wake(struct loop *loop _unused_) {}

static bool sim_wants(const struct loop_watch *w) {
  return w->events & (LOOP_READ | LOOP_WRITE) || ((w->events & LOOP_HANGUP) && !w->hung_up);
}

/* What poll(2) said, in our words: a hang-up or an error makes ready whatever is asked for. */
static unsigned sim_events(short revents) {
  unsigned e = 0;
  e |= revents & (POLLIN | POLLHUP | POLLERR) ? LOOP_READ : 0;
  e |= revents & (POLLOUT | POLLHUP | POLLERR) ? LOOP_WRITE : 0;
  e |= revents & (POLLHUP | POLLERR) ? LOOP_HANGUP : 0;
  return e;
}

/* Polls first and calls afterwards: a callback may free any watch, which takes it off the ready list. */
static size_t sim_watches(struct loop_sim *l) {
  size_t n = 0, i = 0;
  list_for_each(pos, &l->watches) {
    struct sim_watch *w = list_entry(pos, struct sim_watch, link);
    if (sim_wants(&w->base)) {
      unsigned e = w->base.events;
      l->fds[n++] = (struct pollfd){
          .fd = w->base.fd, .events = (short)((e & LOOP_READ ? POLLIN : 0) | (e & LOOP_WRITE ? POLLOUT : 0))};
    }
  }
  if (n == 0 || poll(l->fds, (nfds_t)n, 0) <= 0) {
    return 0;
  }
  n = 0;
  list_for_each(pos, &l->watches) {
    struct sim_watch *w = list_entry(pos, struct sim_watch, link);
    if (sim_wants(&w->base)) {
      w->revents = sim_events(l->fds[i++].revents) & w->base.events;
      if (w->revents) {
        list_append(&l->ready, &w->ready);
        n++;
      }
    }
  }
  while (!list_empty(&l->ready)) {
    struct sim_watch *w = list_first(&l->ready, struct sim_watch, ready);
    list_remove(&w->ready);
    loop_base_dispatch(&w->base, w->revents);
  }
  return n;
}

static size_t sim_signals(struct loop_sim *l) {
  size_t n = 0;
  list_for_each(pos, &l->signals) {
    struct sim_signal *s = list_entry(pos, struct sim_signal, link);
    struct signalfd_siginfo info;
    while (read(s->fd, &info, sizeof(info)) == sizeof(info)) {
      n++;
      s->fn(s->arg, s->signo);
    }
  }
  return n;
}

static size_t sim_jobs(struct loop_sim *l) {
  size_t n = 0;
  while (!list_empty(&l->jobs)) {
    struct sim_job job, *first = list_first(&l->jobs, struct sim_job, link);
    list_remove(&first->link);
    job = *first;
    free(first);
    n++;
    job.work(job.arg);
    job.done(job.arg);
  }
  return n;
}

/* Returns whether anything happened. */
static bool sim_turn(struct loop_sim *l) {
  size_t n = 0;
  for (int id = 0; id < CLOCK_ID_COUNT; id++) {
    n += loop_base_fire(&l->base, id, l->now[id]);
  }
  n += sim_watches(l);
  n += sim_signals(l);
  n += sim_jobs(l);
  n += loop_base_tasks(&l->base);
  l->base.stats.turns++;
  return n > 0;
}

/* Leaves stopped as it is, so that loop_stop ends an advance too. */
static int sim_drain(struct loop_sim *l) {
  for (int i = 0; !l->stopped; i++) {
    if (i == SIM_TURNS_MAX) {
      return -ELOOP;
    }
    if (!sim_turn(l)) {
      break;
    }
  }
  return 0;
}

static int sim_run(struct loop *loop) {
  struct loop_sim *l = of(loop);
  int r = sim_drain(l);
  l->stopped = false;
  return r;
}

/* Time to the earliest timer of either clock, or at most limit. */
static uint64_t sim_step(const struct loop_sim *l, uint64_t limit) {
  for (int id = 0; id < CLOCK_ID_COUNT; id++) {
    uint64_t next = loop_base_next(&l->base, id);
    if (next != 0) {
      limit = MIN(limit, next > l->now[id] ? next - l->now[id] : 0);
    }
  }
  return limit;
}

int loop_sim_advance(struct loop *loop, uint64_t ns) {
  struct loop_sim *l = of(loop);
  uint64_t target = l->now[CLOCK_ID_MONO] + ns;
  for (;;) {
    int r = sim_drain(l);
    if (r < 0 || l->stopped || l->now[CLOCK_ID_MONO] >= target) {
      l->stopped = false;
      return r;
    }
    uint64_t step = sim_step(l, target - l->now[CLOCK_ID_MONO]);
    for (int id = 0; id < CLOCK_ID_COUNT; id++) {
      l->now[id] += step;
    }
  }
}

int loop_sim_suspend(struct loop *loop, uint64_t ns) {
  of(loop)->now[CLOCK_ID_BOOT] += ns;
  return sim_run(loop);
}

static int sim_watch_new(const struct loop_watch *init, struct loop_watch **ret) {
  struct loop_sim *l = of(init->loop);
  if (l->n_watches == l->fds_cap) {
    size_t cap = l->fds_cap ? 2 * l->fds_cap : 16;
    struct pollfd *fds = reallocarray(l->fds, cap, sizeof(*fds));
    if (!fds) {
      return -ENOMEM;
    }
    l->fds = fds;
    l->fds_cap = cap;
  }
  struct sim_watch *w = calloc(1, sizeof(*w));
  if (!w) {
    return -ENOMEM;
  }
  w->base = *init;
  list_init(&w->ready);
  list_append(&l->watches, &w->link);
  l->n_watches++;
  *ret = &w->base;
  return 0;
}

static void sim_watch_update(struct loop_watch *w _unused_) {}

static void sim_watch_free(struct loop_watch *base, bool closing _unused_) {
  struct sim_watch *w = container_of(base, struct sim_watch, base);
  of(base->loop)->n_watches--;
  list_remove(&w->link);
  list_remove(&w->ready);
  free(w);
}

static int sim_offload(struct loop *loop, loop_fn work, loop_fn done, void *arg) {
  struct sim_job *job = calloc(1, sizeof(*job));
  if (!job) {
    return -ENOMEM;
  }
  *job = (struct sim_job){.work = work, .done = done, .arg = arg};
  list_append(&of(loop)->jobs, &job->link);
  return 0;
}

static int sim_signal(struct loop *loop, int signo, void (*fn)(void *arg, int signo), void *arg) {
  sigset_t set, old;
  (void)sigemptyset(&set);
  if (sigaddset(&set, signo) < 0) {
    return -errno;
  }
  struct sim_signal *s = calloc(1, sizeof(*s));
  if (!s) {
    return -ENOMEM;
  }
  *s = (struct sim_signal){.signo = signo, .fn = fn, .arg = arg};
  s->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (s->fd < 0) {
    int r = -errno;
    free(s);
    return r;
  }
  (void)sigprocmask(SIG_BLOCK, &set, &old);
  s->was_blocked = sigismember(&old, signo) == 1;
  list_append(&of(loop)->signals, &s->link);
  return 0;
}

/* As with the real loop, jobs that wait are done first. */
static struct loop *sim_free(struct loop *loop) {
  struct loop_sim *l = of(loop);
  (void)sim_jobs(l);
  list_for_each(pos, &l->signals) {
    struct sim_signal *s = list_entry(pos, struct sim_signal, link);
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, s->signo);
    if (!s->was_blocked) {
      (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    }
    (void)fd_close(s->fd);
    list_remove(&s->link);
    free(s);
  }
  free(l->fds);
  loop_base_done(&l->base);
  free(l);
  return NULL;
}

static const struct loop_ops sim_ops = {
    .free = sim_free,
    .run = sim_run,
    .stop = sim_stop,
    .now = sim_now,
    .wake = sim_wake,
    .watch_new = sim_watch_new,
    .watch_update = sim_watch_update,
    .watch_free = sim_watch_free,
    .offload = sim_offload,
    .signal = sim_signal,
};

int loop_sim_new(struct loop **ret) {
  struct loop_sim *l = calloc(1, sizeof(*l));
  if (!l) {
    return -ENOMEM;
  }
  loop_base_init(&l->base, &sim_ops);
  l->now[CLOCK_ID_MONO] = SIM_MONO_START;
  l->now[CLOCK_ID_BOOT] = SIM_BOOT_START;
  list_init(&l->watches);
  list_init(&l->ready);
  list_init(&l->jobs);
  list_init(&l->signals);
  *ret = &l->base;
  return 0;
}
