/* SPDX-License-Identifier: BSD-3-Clause
 * The loop over libuv with the kernel's clocks. A turn is one iteration: timers, the descriptors that are ready, then the
 * tasks, in libuv's check phase. No timer is early. The monotonic clock's are a libuv timer, which costs no system call and
 * is up to a millisecond late; the boot-time clock, which libuv does not know, is a timerfd among the descriptors.
 */
#include "loop/busy.h"
#include "loop/loop_impl.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <uv.h>

struct uv_clock {
  uv_timer_t timer; /* every deadline of CLOCK_ID_MONO, and of the other one what has passed already */
  uv_poll_t poll;   /* CLOCK_ID_BOOT: of its timerfd */
  int fd;
  uint64_t armed; /* what it is set to, 0: nothing */
};

struct loop_uv {
  struct loop base;
  uv_loop_t uv;
  uv_prepare_t prepare;
  uv_check_t check;
  uv_idle_t idle; /* active while tasks wait: then libuv does not block */
  struct list changed;    /* watches that want something else of epoll than they have */
  struct uv_slot **slots; /* by descriptor number */
  size_t n_slots;
  struct uv_clock clock[CLOCK_ID_COUNT];
  size_t n_jobs;
  struct busy busy;
  uint64_t wait_ns; /* when the wait under way began, 0: it began with a look, or does not block */
};

/* libuv's handle for a descriptor number. Making one costs three system calls and ending it another, so it is kept for who
 * gets the number next: a connection comes and goes with a descriptor or two. Starting costs two, one of them in vain, and
 * stopping one, which is saved where the descriptor is closed: the handle is then stale, started as far as libuv knows. */
struct uv_slot {
  uv_poll_t poll;
  struct uv_watch *watch; /* NULL: nobody's, and stopped or stale */
};

struct uv_watch {
  struct loop_watch base;
  struct uv_slot *slot;
  struct list changed;
  int asked;        /* of libuv */
  bool half;        /* the peer half-closed, which stays true: asking for it again would spin */
  bool deaf_to_oob; /* urgent data that cannot be read: asking for it would spin */
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

static void apply_changes(struct loop_uv *l);

/* -- timers and tasks -- */

static void on_timerfd(uv_poll_t *handle, int status _unused_, int events _unused_) {
  struct loop_uv *l = handle->loop->data;
  struct uv_clock *c = &l->clock[CLOCK_ID_BOOT];
  uint64_t expirations;
  if (read(c->fd, &expirations, sizeof(expirations)) == sizeof(expirations)) {
    c->armed = 0;
  }
  (void)loop_base_fire(&l->base, CLOCK_ID_BOOT, clock_real_ns(CLOCK_ID_BOOT));
}

static void on_timer(uv_timer_t *handle) {
  struct loop_uv *l = handle->loop->data;
  struct uv_clock *c = container_of(handle, struct uv_clock, timer);
  const enum clock_id id = c == &l->clock[CLOCK_ID_MONO] ? CLOCK_ID_MONO : CLOCK_ID_BOOT;
  c->armed = 0;
  (void)loop_base_fire(&l->base, id, clock_real_ns(id));
}

static void set_timerfd(struct uv_clock *c, uint64_t next) {
  struct itimerspec when = {
      .it_value = {.tv_sec = (time_t)(next / NSEC_PER_SEC), .tv_nsec = (long)(next % NSEC_PER_SEC)}};
  (void)timerfd_settime(c->fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* libuv counts whole milliseconds of the same clock, from what it was when this iteration began. What has passed is due in
 * the next turn, whatever part of a millisecond it has. */
static void set_clock(struct loop_uv *l, enum clock_id id, uint64_t next) {
  struct uv_clock *c = &l->clock[id];
  const uint64_t at = next / NSEC_PER_MSEC + 1, now = uv_now(&l->uv);
  c->armed = next;
  if (next && next <= clock_real_ns(id)) {
    (void)uv_timer_start(&c->timer, on_timer, 0, 0);
  } else if (id == CLOCK_ID_BOOT) {
    (void)uv_timer_stop(&c->timer);
    set_timerfd(c, next);
  } else if (next) {
    (void)uv_timer_start(&c->timer, on_timer, at > now ? at - now : 0, 0);
  } else {
    (void)uv_timer_stop(&c->timer);
  }
}

/* The wait is over: the first that comes of it says so. */
static void waited(struct loop_uv *l) {
  if (l->wait_ns) {
    busy_slept(&l->busy, clock_real_ns(CLOCK_ID_MONO) - l->wait_ns);
  }
  l->wait_ns = 0;
}

/* Looks for events that libuv will find in its wait: with one there that does not sleep. */
static void look(struct loop_uv *l, uint64_t start) {
  const int fd = uv_backend_fd(&l->uv);
  struct epoll_event event;
  bool found;
  do {
    found = epoll_wait(fd, &event, 1, 0) > 0;
  } while (!found && clock_real_ns(CLOCK_ID_MONO) - start < BUSY_LOOK_NS);
  busy_looked(&l->busy, found);
}

/* changed: epoll does not know yet what is wanted. */
static void before_wait(struct loop_uv *l, bool changed) {
  l->wait_ns = 0;
  if (uv_backend_timeout(&l->uv) == 0) {
    return;
  }
  const uint64_t now = clock_real_ns(CLOCK_ID_MONO);
  if (changed || !busy_worth(&l->busy)) {
    l->wait_ns = now;
  } else {
    look(l, now);
  }
}

/* Before each wait, so that what is changed many times in a turn costs its system calls once at most, and what is
 * changed and changed back none. */
static void on_prepare(uv_prepare_t *handle) {
  struct loop_uv *l = handle->loop->data;
  const bool changed = !list_empty(&l->changed);
  apply_changes(l);
  for (int id = 0; id < CLOCK_ID_COUNT; id++) {
    uint64_t next = loop_base_next(&l->base, id);
    if (next != l->clock[id].armed) {
      set_clock(l, id, next);
    }
  }
  before_wait(l, changed);
}

static void on_check(uv_check_t *handle) {
  struct loop_uv *l = handle->loop->data;
  waited(l);
  l->base.stats.turns++;
  (void)loop_base_tasks(&l->base);
  if (list_empty(&l->base.tasks)) {
    (void)uv_idle_stop(&l->idle);
  }
}

static void on_idle(uv_idle_t *handle _unused_) {}

static void uvloop_wake(struct loop *loop) { (void)uv_idle_start(&of(loop)->idle, on_idle); }

/* -- watches -- */

static bool wants_hangup(const struct uv_watch *w) { return (w->base.events & LOOP_HANGUP) && !w->base.hung_up; }

/* UV_DISCONNECT is the peer's half-close and comes with the full close, so that needs no asking for at each event. Once
 * there was a half-close UV_DISCONNECT would be reported again and again: from then on UV_PRIORITIZED, which is quiet,
 * makes epoll report the full close. */
static int uv_events(const struct uv_watch *w) {
  int e = 0;
  e |= w->base.events & LOOP_READ ? UV_READABLE : 0;
  e |= w->base.events & LOOP_WRITE ? UV_WRITABLE : 0;
  if (wants_hangup(w) && !w->half)
    e |= UV_DISCONNECT;
  else if (wants_hangup(w) && !w->deaf_to_oob)
    e |= UV_PRIORITIZED;
  return e;
}

static void change(struct uv_watch *w) {
  struct loop_uv *l = of(w->base.loop);
  if (list_empty(&w->changed)) {
    list_append(&l->changed, &w->changed);
  }
}

static void hear_urgent(struct uv_watch *w) {
  char byte;
  if (recv(w->base.fd, &byte, 1, MSG_OOB | MSG_DONTWAIT) < 0) {
    w->deaf_to_oob = true;
    change(w);
  }
}

/* Which close is it? */
static unsigned hangup(struct uv_watch *w, int ready) {
  if (loop_base_hangup(w->base.fd)) {
    return LOOP_HANGUP;
  }
  if (!w->half) {
    w->half = true;
    change(w);
  } else if (ready & UV_PRIORITIZED) {
    hear_urgent(w);
  }
  return 0;
}

static void on_poll(uv_poll_t *handle, int status, int ready);

/* epoll_ctl(2), as libuv makes them: DEL and ADD to start, whatever was before, DEL to stop. */
static void start(struct loop_uv *l, struct uv_slot *slot, int events) {
  l->base.stats.watch_changes += 2;
  (void)uv_poll_start(&slot->poll, events, on_poll);
}

static void stop(struct loop_uv *l, struct uv_slot *slot) {
  l->base.stats.watch_changes++;
  (void)uv_poll_stop(&slot->poll);
}

static void on_poll(uv_poll_t *handle, int status, int ready) {
  struct uv_slot *slot = container_of(handle, struct uv_slot, poll);
  struct uv_watch *w = slot->watch;
  unsigned events = 0;
  waited(handle->loop->data);
  if (!w) { /* stale */
    stop(handle->loop->data, slot);
    return;
  }
  if (!w->asked) { /* said of who had the number before, and was closed in this turn */
    return;
  }
  if (status < 0) { /* EPOLLERR: libuv gave up; who reads or writes learns the error */
    events = w->base.events;
    stop(of(w->base.loop), slot);
    w->asked = 0;
    change(w);
  } else {
    events |= ready & UV_READABLE ? LOOP_READ : 0;
    events |= ready & UV_WRITABLE ? LOOP_WRITE : 0;
    if (wants_hangup(w) && (w->half || (ready & UV_DISCONNECT))) {
      events |= hangup(w, ready);
    }
  }
  loop_base_dispatch(&w->base, events);
}

static void apply_changes(struct loop_uv *l) {
  while (!list_empty(&l->changed)) {
    struct uv_watch *w = list_first(&l->changed, struct uv_watch, changed);
    int e = uv_events(w);
    list_remove(&w->changed);
    if (e != w->asked && e) {
      start(l, w->slot, e);
    } else if (e != w->asked) {
      stop(l, w->slot);
    }
    w->asked = e;
  }
}

/* What was urgent when it made us deaf may have been read since: at most one more call tells that it was not. */
static void uvloop_watch_update(struct loop_watch *base) {
  struct uv_watch *w = container_of(base, struct uv_watch, base);
  w->deaf_to_oob = false;
  change(w);
}

static int slots_reserve(struct loop_uv *l, size_t n) {
  if (n <= l->n_slots) {
    return 0;
  }
  n = MAX(n, 2 * l->n_slots);
  struct uv_slot **slots = reallocarray(l->slots, n, sizeof(*slots));
  if (!slots) {
    return -ENOMEM;
  }
  memset(slots + l->n_slots, 0, (n - l->n_slots) * sizeof(*slots));
  l->slots = slots;
  l->n_slots = n;
  return 0;
}

/* epoll takes no files, and libuv asks it only when a handle is made. */
static int check_again(int fd) {
  struct stat st;
  if (fstat(fd, &st) < 0) {
    return -errno;
  }
  return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? -EPERM : 0;
}

static int slot_get(struct loop_uv *l, int fd, bool is_socket, struct uv_slot **ret) {
  int r = fd < 0 ? -EBADF : slots_reserve(l, (size_t)fd + 1);
  if (r < 0) {
    return r;
  }
  struct uv_slot *slot = l->slots[fd];
  if (slot) {
    r = slot->watch ? -EEXIST : is_socket ? 0 : check_again(fd);
  } else if (!(slot = calloc(1, sizeof(*slot)))) {
    r = -ENOMEM;
  } else if ((r = uv_poll_init(&l->uv, &slot->poll, fd)) < 0) { /* libuv's codes are -errno */
    free(slot);
  } else {
    l->slots[fd] = slot;
  }
  if (r == 0) {
    *ret = slot;
  }
  return r;
}

static int uvloop_watch_new(const struct loop_watch *init, struct loop_watch **ret) {
  struct uv_watch *w = calloc(1, sizeof(*w));
  if (!w) {
    return -ENOMEM;
  }
  w->base = *init;
  list_init(&w->changed);
  int r = slot_get(of(init->loop), init->fd, init->is_socket, &w->slot);
  if (r < 0) {
    free(w);
    return r;
  }
  w->slot->watch = w;
  *ret = &w->base;
  return 0;
}

/* A stopped handle is out of epoll at once, and what epoll had said of it already is forgotten. One whose descriptor is closed
 * instead is stopped by starting it for the next. */
static void uvloop_watch_free(struct loop_watch *base, bool closing) {
  struct uv_watch *w = container_of(base, struct uv_watch, base);
  w->slot->watch = NULL;
  if (w->asked && !closing) {
    stop(of(base->loop), w->slot);
  }
  list_remove(&w->changed);
  free(w);
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

/* libuv makes descriptors of its own for signals: they must not get a number that it believes to be watched. */
static void drop_stale(struct loop_uv *l) {
  for (size_t i = 0; i < l->n_slots; i++) {
    if (l->slots[i] && !l->slots[i]->watch) {
      stop(l, l->slots[i]);
    }
  }
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
  drop_stale(of(loop));
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
  for (size_t i = 0; i < l->n_slots; i++) {
    free(l->slots[i]);
  }
  free(l->slots);
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

static int clocks_open(struct loop_uv *l) {
  struct uv_clock *c = &l->clock[CLOCK_ID_BOOT];
  for (int id = 0; id < CLOCK_ID_COUNT; id++) {
    (void)uv_timer_init(&l->uv, &l->clock[id].timer);
  }
  c->fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (c->fd < 0) {
    return -errno;
  }
  int r = uv_poll_init(&l->uv, &c->poll, c->fd);
  return r < 0 ? r : uv_poll_start(&c->poll, UV_READABLE, on_timerfd);
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
  list_init(&l->changed);
  busy_init(&l->busy);
  l->clock[CLOCK_ID_MONO].fd = l->clock[CLOCK_ID_BOOT].fd = -1;
  (void)uv_idle_init(&l->uv, &l->idle);
  (void)uv_prepare_init(&l->uv, &l->prepare);
  (void)uv_prepare_start(&l->prepare, on_prepare);
  (void)uv_check_init(&l->uv, &l->check);
  (void)uv_check_start(&l->check, on_check);
  r = clocks_open(l);
  if (r < 0) {
    (void)uvloop_free(&l->base);
    return r;
  }
  *ret = &l->base;
  return 0;
}
