/* SPDX-License-Identifier: BSD-3-Clause
 * The loop over libuv with the kernel's clocks. A turn is one iteration: the descriptors that are ready (timers are two
 * of them: a timerfd for each clock, exact and never early), then the tasks, in libuv's check phase.
 */
#include "loop/loop_impl.h"

#include <sys/socket.h>
#include <sys/timerfd.h>
#include <uv.h>

struct uv_clock {
  uv_poll_t poll;
  int fd;
  uint64_t armed; /* what the timerfd is set to, 0: nothing */
};

struct loop_uv {
  struct loop base;
  uv_loop_t uv;
  uv_prepare_t prepare;
  uv_check_t check;
  uv_idle_t idle; /* active while tasks wait: then libuv does not block */
  struct uv_clock clock[CLOCK_ID_COUNT];
  size_t n_jobs;
};

struct uv_watch {
  struct loop_watch base;
  uv_poll_t poll;
  bool deaf_to_oob; /* urgent data that cannot be read: asking for it would spin */
  bool closing;
};

struct uv_sig {
  uv_signal_t handle;
  void (*fn)(void *arg, int signo);
  void *arg;
};

struct uv_job {
  struct loop_uv *loop;
  uv_work_t req;
  loop_fn work, done;
  void *arg;
};

static struct loop_uv *of(const struct loop *loop) { return container_of(loop, struct loop_uv, base); }

static uint64_t uvloop_now(const struct loop *loop _unused_, enum clock_id clock) { return clock_real_ns(clock); }

static int uvloop_run(struct loop *loop) {
  (void)uv_run(&of(loop)->uv, UV_RUN_DEFAULT);
  return 0;
}

static void uvloop_stop(struct loop *loop) { uv_stop(&of(loop)->uv); }

/* -- timers and tasks -- */

static void on_clock(uv_poll_t *handle, int status _unused_, int events _unused_) {
  struct loop_uv *l = handle->loop->data;
  enum clock_id id = handle == &l->clock[CLOCK_ID_BOOT].poll ? CLOCK_ID_BOOT : CLOCK_ID_MONO;
  uint64_t expirations;
  if (read(l->clock[id].fd, &expirations, sizeof(expirations)) == sizeof(expirations)) {
    l->clock[id].armed = 0;
  }
  (void)loop_base_fire(&l->base, id, clock_real_ns(id));
}

/* Before each wait, so that a timer that is moved many times in a turn costs one system call at most. */
static void on_prepare(uv_prepare_t *handle) {
  struct loop_uv *l = handle->loop->data;
  for (int id = 0; id < CLOCK_ID_COUNT; id++) {
    uint64_t next = loop_base_next(&l->base, id);
    if (next != l->clock[id].armed) {
      struct itimerspec when = {
          .it_value = {.tv_sec = (time_t)(next / NSEC_PER_SEC), .tv_nsec = (long)(next % NSEC_PER_SEC)}};
      (void)timerfd_settime(l->clock[id].fd, TFD_TIMER_ABSTIME, &when, NULL);
      l->clock[id].armed = next;
    }
  }
}

static void on_check(uv_check_t *handle) {
  struct loop_uv *l = handle->loop->data;
  l->base.stats.turns++;
  (void)loop_base_tasks(&l->base);
  if (list_empty(&l->base.tasks)) {
    (void)uv_idle_stop(&l->idle);
  }
}

static void on_idle(uv_idle_t *handle _unused_) {}

static void uvloop_wake(struct loop *loop) { (void)uv_idle_start(&of(loop)->idle, on_idle); }

/* -- watches -- */

/* UV_DISCONNECT is not used: it is the peer's half-close, which stays true and would be reported again and again.
 * UV_PRIORITIZED is quiet, and with it epoll still reports the full close. */
static int uv_events(const struct uv_watch *w) {
  int e = 0;
  e |= w->base.events & LOOP_READ ? UV_READABLE : 0;
  e |= w->base.events & LOOP_WRITE ? UV_WRITABLE : 0;
  e |= (w->base.events & LOOP_HANGUP) && !w->base.hung_up && !w->deaf_to_oob ? UV_PRIORITIZED : 0;
  return e;
}

/* A stopped poll handle is out of epoll at once. */
static void on_poll(uv_poll_t *handle, int status, int ready) {
  struct uv_watch *w = container_of(handle, struct uv_watch, poll);
  unsigned events = 0;
  if (status < 0) { /* EPOLLERR: libuv stopped the handle; who reads or writes learns the error */
    events = w->base.events;
  } else {
    events |= ready & UV_READABLE ? LOOP_READ : 0;
    events |= ready & UV_WRITABLE ? LOOP_WRITE : 0;
    if ((w->base.events & LOOP_HANGUP) && !w->base.hung_up && loop_base_hangup(w->base.fd)) {
      events |= LOOP_HANGUP;
    } else if (ready & UV_PRIORITIZED) {
      char byte;
      if (recv(w->base.fd, &byte, 1, MSG_OOB | MSG_DONTWAIT) < 0) {
        w->deaf_to_oob = true;
        (void)uv_poll_start(handle, uv_events(w), on_poll);
      }
    }
  }
  loop_base_dispatch(&w->base, events);
  if (status < 0 && !w->closing && uv_events(w) != 0) {
    (void)uv_poll_start(handle, uv_events(w), on_poll);
  }
}

/* What was urgent when it made us deaf may have been read since: at most one more call tells that it was not. */
static void uvloop_watch_update(struct loop_watch *base) {
  struct uv_watch *w = container_of(base, struct uv_watch, base);
  w->deaf_to_oob = false;
  (void)uv_poll_start(&w->poll, uv_events(w), on_poll); /* no events: stops */
}

static void on_watch_closed(uv_handle_t *handle) { free(container_of((uv_poll_t *)handle, struct uv_watch, poll)); }

static int uvloop_watch_new(const struct loop_watch *init, struct loop_watch **ret) {
  struct uv_watch *w = calloc(1, sizeof(*w));
  if (!w) {
    return -ENOMEM;
  }
  w->base = *init;
  int r = uv_poll_init(&of(init->loop)->uv, &w->poll, init->fd);
  if (r < 0) {
    free(w);
    return r; /* libuv's codes are -errno */
  }
  *ret = &w->base;
  return 0;
}

static void uvloop_watch_free(struct loop_watch *base) {
  struct uv_watch *w = container_of(base, struct uv_watch, base);
  w->closing = true;
  uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

/* -- work off the loop, signals -- */

static void job_work(uv_work_t *req) {
  struct uv_job *job = container_of(req, struct uv_job, req);
  job->work(job->arg);
}

static void job_done(uv_work_t *req, int status _unused_) {
  struct uv_job *job = container_of(req, struct uv_job, req);
  loop_fn done = job->done;
  void *arg = job->arg;
  job->loop->n_jobs--;
  free(job);
  done(arg);
}

static int uvloop_offload(struct loop *loop, loop_fn work, loop_fn done, void *arg) {
  struct uv_job *job = calloc(1, sizeof(*job));
  if (!job) {
    return -ENOMEM;
  }
  *job = (struct uv_job){.loop = of(loop), .work = work, .done = done, .arg = arg};
  int r = uv_queue_work(&of(loop)->uv, &job->req, job_work, job_done);
  if (r < 0) {
    free(job);
    return r;
  }
  of(loop)->n_jobs++;
  return 0;
}

static void on_signal(uv_signal_t *handle, int signo) {
  struct uv_sig *s = container_of(handle, struct uv_sig, handle);
  s->fn(s->arg, signo);
}

static void on_signal_closed(uv_handle_t *handle) { free(container_of((uv_signal_t *)handle, struct uv_sig, handle)); }

static int uvloop_signal(struct loop *loop, int signo, void (*fn)(void *arg, int signo), void *arg) {
  struct uv_sig *s = calloc(1, sizeof(*s));
  if (!s) {
    return -ENOMEM;
  }
  s->fn = fn;
  s->arg = arg;
  int r = uv_signal_init(&of(loop)->uv, &s->handle);
  if (r < 0) {
    free(s);
    return r;
  }
  r = uv_signal_start(&s->handle, on_signal, signo);
  if (r < 0) {
    uv_close((uv_handle_t *)&s->handle, on_signal_closed);
  }
  return r;
}

/* -- life -- */

static void close_rest(uv_handle_t *handle, void *arg _unused_) {
  if (!uv_is_closing(handle)) {
    uv_close(handle, handle->type == UV_SIGNAL ? on_signal_closed : NULL);
  }
}

/* Jobs still under way are waited for and their done called: nobody else could free what they own. */
static struct loop *uvloop_free(struct loop *loop) {
  struct loop_uv *l = of(loop);
  while (l->n_jobs > 0) {
    (void)uv_run(&l->uv, UV_RUN_ONCE);
  }
  uv_walk(&l->uv, close_rest, NULL);
  while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0) {
  }
  (void)uv_loop_close(&l->uv);
  for (int id = 0; id < CLOCK_ID_COUNT; id++) {
    (void)fd_close(l->clock[id].fd);
  }
  loop_base_done(&l->base);
  free(l);
  return NULL;
}

static const struct loop_ops uvloop_ops = {
    .free = uvloop_free,
    .run = uvloop_run,
    .stop = uvloop_stop,
    .now = uvloop_now,
    .wake = uvloop_wake,
    .watch_new = uvloop_watch_new,
    .watch_update = uvloop_watch_update,
    .watch_free = uvloop_watch_free,
    .offload = uvloop_offload,
    .signal = uvloop_signal,
};

static int clock_open(struct loop_uv *l, enum clock_id id) {
  struct uv_clock *c = &l->clock[id];
  c->fd = timerfd_create(id == CLOCK_ID_BOOT ? CLOCK_BOOTTIME : CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (c->fd < 0) {
    return -errno;
  }
  int r = uv_poll_init(&l->uv, &c->poll, c->fd);
  return r < 0 ? r : uv_poll_start(&c->poll, UV_READABLE, on_clock);
}

int loop_uv_new(struct loop **ret) {
  struct loop_uv *l = calloc(1, sizeof(*l));
  if (!l) {
    return -ENOMEM;
  }
  loop_base_init(&l->base, &uvloop_ops);
  int r = uv_loop_init(&l->uv);
  if (r < 0) {
    free(l);
    return r;
  }
  l->uv.data = l;
  l->clock[CLOCK_ID_MONO].fd = l->clock[CLOCK_ID_BOOT].fd = -1;
  (void)uv_idle_init(&l->uv, &l->idle);
  (void)uv_prepare_init(&l->uv, &l->prepare);
  (void)uv_prepare_start(&l->prepare, on_prepare);
  (void)uv_check_init(&l->uv, &l->check);
  (void)uv_check_start(&l->check, on_check);
  r = clock_open(l, CLOCK_ID_MONO);
  r = r < 0 ? r : clock_open(l, CLOCK_ID_BOOT);
  if (r < 0) {
    (void)uvloop_free(&l->base);
    return r;
  }
  *ret = &l->base;
  return 0;
}
