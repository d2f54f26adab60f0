/* SPDX-License-Identifier: BSD-3-Clause
 * loop/loop.h: each promise held by both implementations. Turns are counted, never time: on the real loop a task that
 * queues itself keeps every wait from blocking, so that a watch that would spin is called once a turn and is seen.
 */
#include "loop/loop.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#define TURNS 200

struct settle {
  struct loop *loop;
  struct loop_task task;
  int left;
};

static void settle_step(void *arg) {
  struct settle *s = arg;
  if (--s->left > 0) {
    loop_task_queue(s->loop, &s->task);
  } else {
    loop_stop(s->loop);
  }
}

/* Runs TURNS turns, without waiting. */
static void settle(struct loop *loop) {
  struct settle s = {.loop = loop, .left = TURNS};
  loop_task_init(&s.task, settle_step, &s);
  loop_task_queue(loop, &s.task);
  cr_assert_eq(loop_run(loop), 0);
  cr_assert_eq(s.left, 0);
}

static bool simulated;

static void stop_loop(void *arg) { loop_stop(arg); }

/* Nothing pending but one timer: the wait is a turn or two, however long it lasts. A spin that the loop keeps to itself
 * calls no watch, but here it shows as thousands of turns. */
static void assert_idle(struct loop *loop, enum clock_id clock) {
  struct loop_timer *t;
  struct loop_stats before, after;
  cr_assert_eq(loop_timer_new(loop, clock, stop_loop, loop, &t), 0);
  loop_get_stats(loop, &before);
  loop_timer_set(t, loop_now(loop, clock) + 20 * NSEC_PER_MSEC);
  cr_assert_eq(simulated ? loop_sim_advance(loop, 20 * NSEC_PER_MSEC) : loop_run(loop), 0);
  loop_get_stats(loop, &after);
  cr_assert_eq(after.timer_calls - before.timer_calls, 1);
  cr_assert_eq(after.watch_calls, before.watch_calls);
  cr_assert_leq(after.turns - before.turns, 4, "%lu turns", (unsigned long)(after.turns - before.turns));
  loop_timer_free(t);
}

static void with_loop(int (*new)(struct loop **ret), void (*test)(struct loop *loop)) {
  struct loop *loop;
  simulated = new == loop_sim_new;
  cr_assert_eq(new (&loop), 0);
  test(loop);
  cr_assert_null(loop_free(loop));
}

#define BOTH(name)                                                           \
  static void name(struct loop *loop);                                       \
  Test(loop_uv, name, .timeout = 30) { with_loop(loop_uv_new, name); }       \
  Test(loop_sim, name, .timeout = 30) { with_loop(loop_sim_new, name); }     \
  static void name(struct loop *loop)

struct probe {
  struct loop *loop;
  struct loop_watch *w;
  struct loop_timer *t;
  int fd, peer;
  int calls, hangups, reads, writes, oob;
  bool consume, free_self, stop;
  struct probe *kill; /* frees this one's watch */
  int order;
};

static void on_watch(void *arg, unsigned events) {
  struct probe *p = arg;
  p->calls++;
  p->hangups += (events & LOOP_HANGUP) != 0;
  p->reads += (events & LOOP_READ) != 0;
  p->writes += (events & LOOP_WRITE) != 0;
  if (p->consume && (events & LOOP_READ)) {
    char buf[64];
    (void)!read(p->fd, buf, sizeof(buf));
  }
  if (p->kill) {
    p->kill->w = loop_watch_free(p->kill->w);
  }
  if (p->free_self) {
    p->w = loop_watch_free(p->w);
    p->fd = fd_close(p->fd);
  }
}

static void probe_open(struct probe *p, struct loop *loop, int type) {
  int fds[2];
  cr_assert_eq(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
  *p = (struct probe){.loop = loop, .fd = fds[0], .peer = fds[1]};
  cr_assert_eq(loop_watch_new(loop, p->fd, on_watch, p, &p->w), 0);
}

static void probe_close(struct probe *p) {
  p->w = loop_watch_free(p->w);
  p->t = loop_timer_free(p->t);
  p->fd = fd_close(p->fd);
  p->peer = fd_close(p->peer);
}

BOTH(a_watch_is_silent_at_first_and_level_triggered_when_set) {
  struct probe p;
  probe_open(&p, loop, SOCK_SEQPACKET);
  cr_assert_eq(send(p.peer, "x", 1, 0), 1);
  settle(loop);
  cr_assert_eq(p.calls, 0);
  cr_assert_eq(loop_watch_set(p.w, LOOP_READ), 0);
  settle(loop);
  cr_assert_geq(p.reads, TURNS - 2, "not read: called each turn");
  p.consume = true;
  settle(loop);
  int before = p.calls;
  settle(loop);
  cr_assert_eq(p.calls, before, "read: quiet");
  cr_assert_eq(loop_watch_set(p.w, 64), -EINVAL);
  probe_close(&p);
}

BOTH(writability_follows_what_is_set) {
  struct probe p;
  probe_open(&p, loop, SOCK_STREAM);
  cr_assert_eq(loop_watch_set(p.w, LOOP_WRITE), 0);
  settle(loop);
  cr_assert_gt(p.writes, 0);
  cr_assert_eq(p.reads, 0);
  int before = p.calls;
  cr_assert_eq(loop_watch_set(p.w, 0), 0);
  settle(loop);
  cr_assert_eq(p.calls, before);
  char block[4096] = {0};
  while (send(p.fd, block, sizeof(block), 0) > 0) {
  }
  cr_assert_eq(loop_watch_set(p.w, LOOP_WRITE), 0);
  settle(loop);
  cr_assert_eq(p.calls, before, "full");
  while (read(p.peer, block, sizeof(block)) > 0) {
  }
  settle(loop);
  cr_assert_gt(p.calls, before);
  probe_close(&p);
}

BOTH(a_full_close_is_told_once_and_then_is_quiet) {
  struct probe p;
  probe_open(&p, loop, SOCK_STREAM);
  cr_assert_eq(loop_watch_set(p.w, LOOP_HANGUP), 0);
  settle(loop);
  cr_assert_eq(p.calls, 0);
  p.peer = fd_close(p.peer);
  settle(loop);
  cr_assert_eq(p.hangups, 1);
  cr_assert_eq(p.calls, 1);
  assert_idle(loop, CLOCK_ID_MONO);
  cr_assert_eq(loop_watch_set(p.w, 0), 0);
  cr_assert_eq(loop_watch_set(p.w, LOOP_HANGUP), 0);
  settle(loop);
  cr_assert_eq(p.calls, 1);
  probe_close(&p);
}

BOTH(a_half_close_is_no_hangup_and_does_not_spin) {
  struct probe p;
  probe_open(&p, loop, SOCK_STREAM);
  cr_assert_eq(loop_watch_set(p.w, LOOP_HANGUP), 0);
  cr_assert_eq(shutdown(p.peer, SHUT_WR), 0);
  settle(loop);
  cr_assert_eq(p.calls, 0);
  assert_idle(loop, CLOCK_ID_MONO);
  cr_assert_eq(loop_watch_set(p.w, LOOP_HANGUP | LOOP_READ), 0);
  settle(loop);
  cr_assert_gt(p.reads, 0, "the end of file is a read");
  cr_assert_eq(p.hangups, 0);
  int before = p.calls;
  cr_assert_eq(loop_watch_set(p.w, LOOP_HANGUP), 0);
  settle(loop);
  cr_assert_eq(p.calls, before);
  p.peer = fd_close(p.peer);
  settle(loop);
  cr_assert_eq(p.hangups, 1);
  cr_assert_eq(p.calls, before + 1);
  assert_idle(loop, CLOCK_ID_MONO);
  probe_close(&p);
}

BOTH(a_hangup_comes_along_with_reads_too_and_once) {
  struct probe p;
  probe_open(&p, loop, SOCK_STREAM);
  p.consume = true;
  cr_assert_eq(loop_watch_set(p.w, LOOP_HANGUP | LOOP_READ), 0);
  cr_assert_eq(send(p.peer, "x", 1, 0), 1);
  settle(loop);
  cr_assert_eq(p.reads, 1);
  cr_assert_eq(p.hangups, 0);
  p.peer = fd_close(p.peer);
  settle(loop);
  cr_assert_eq(p.hangups, 1);
  cr_assert_gt(p.reads, 1);
  probe_close(&p);
}

/* The peer went with our bytes unread: the socket carries ECONNRESET (EPOLLERR). */
BOTH(a_reset_is_a_hangup_and_an_error_that_a_read_finds) {
  struct probe p;
  probe_open(&p, loop, SOCK_STREAM);
  cr_assert_eq(send(p.fd, "x", 1, 0), 1);
  cr_assert_eq(loop_watch_set(p.w, LOOP_HANGUP), 0);
  p.peer = fd_close(p.peer);
  settle(loop);
  cr_assert_eq(p.hangups, 1);
  cr_assert_eq(p.calls, 1);
  assert_idle(loop, CLOCK_ID_MONO);
  cr_assert_eq(loop_watch_set(p.w, LOOP_READ), 0);
  settle(loop);
  cr_assert_gt(p.reads, 0);
  char c;
  cr_assert_eq(read(p.fd, &c, 1), -1);
  cr_assert_eq(errno, ECONNRESET);
  settle(loop);
  cr_assert_gt(p.reads, TURNS, "still level-triggered: end of file now");
  probe_close(&p);
}

BOTH(out_of_band_bytes_do_not_spin) {
  struct probe p;
  probe_open(&p, loop, SOCK_STREAM);
  if (send(p.peer, "!", 1, MSG_OOB) != 1) {
    probe_close(&p);
    cr_skip_test("no out-of-band data on AF_UNIX here");
  }
  cr_assert_eq(loop_watch_set(p.w, LOOP_HANGUP), 0);
  for (int i = 0; i < 5; i++) {
    settle(loop);
    assert_idle(loop, CLOCK_ID_MONO);
    cr_assert_eq(send(p.peer, "!!", 2, MSG_OOB), 2);
  }
  cr_assert_eq(p.calls, 0);
  struct loop_stats a, b;
  loop_get_stats(loop, &a);
  p.consume = true;
  cr_assert_eq(loop_watch_set(p.w, LOOP_HANGUP | LOOP_READ), 0);
  settle(loop);
  int before = p.calls;
  settle(loop);
  loop_get_stats(loop, &b);
  cr_assert_eq(p.calls, before, "drained");
  cr_assert_leq(b.watch_calls - a.watch_calls, 8);
  p.peer = fd_close(p.peer);
  settle(loop);
  cr_assert_eq(p.hangups, 1);
  probe_close(&p);
}

BOTH(a_callback_may_free_its_own_watch_and_another_that_is_ready) {
  struct probe self, a, b;
  probe_open(&self, loop, SOCK_STREAM);
  probe_open(&a, loop, SOCK_STREAM);
  probe_open(&b, loop, SOCK_STREAM);
  self.free_self = true;
  a.kill = &b;
  b.kill = &a;
  struct probe *all[] = {&self, &a, &b};
  for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
    cr_assert_eq(send(all[i]->peer, "x", 1, 0), 1);
    cr_assert_eq(loop_watch_set(all[i]->w, LOOP_READ), 0);
  }
  settle(loop);
  cr_assert_eq(self.calls, 1);
  cr_assert((a.calls == 0) != (b.calls == 0), "whoever came first freed the other: %d %d", a.calls, b.calls);
  probe_close(&self);
  probe_close(&a);
  probe_close(&b);
}

/* The same number comes back at once from the kernel: the new watch must not see the old one's events. */
BOTH(a_descriptor_number_may_be_used_again_at_once) {
  struct probe p, q;
  probe_open(&p, loop, SOCK_STREAM);
  int number = p.fd;
  cr_assert_eq(loop_watch_set(p.w, LOOP_READ), 0);
  cr_assert_eq(send(p.peer, "x", 1, 0), 1);
  probe_close(&p);
  probe_open(&q, loop, SOCK_STREAM);
  cr_assert_eq(q.fd, number);
  cr_assert_eq(loop_watch_set(q.w, LOOP_READ), 0);
  settle(loop);
  cr_assert_eq(p.calls, 0);
  cr_assert_eq(q.calls, 0);
  cr_assert_eq(send(q.peer, "x", 1, 0), 1);
  settle(loop);
  cr_assert_gt(q.calls, 0);
  probe_close(&q);
}

/* The same where closing is left to take the descriptor out: it does, and what was told of it already is nobody's. */
struct successor {
  struct probe old, next;
  int ready_pipe[2];
};

static void replace(void *arg, unsigned events _unused_) {
  struct successor *s = arg;
  char c;
  cr_assert_eq(read(s->ready_pipe[0], &c, 1), 1);
  const int number = s->old.fd;
  s->old.w = loop_watch_free_closing(s->old.w);
  s->old.fd = fd_close(s->old.fd);
  probe_open(&s->next, s->old.loop, SOCK_STREAM);
  cr_assert_eq(s->next.fd, number);
  cr_assert_eq(loop_watch_set(s->next.w, LOOP_READ | LOOP_HANGUP), 0);
}

BOTH(closing_ends_a_watch_and_its_number_is_free_at_once) {
  struct successor s = {0};
  struct loop_watch *first;
  cr_assert_eq(pipe(s.ready_pipe), 0);
  cr_assert_eq(loop_watch_new(loop, s.ready_pipe[0], replace, &s, &first), 0);
  cr_assert_eq(loop_watch_set(first, LOOP_READ), 0);
  probe_open(&s.old, loop, SOCK_STREAM);
  s.old.consume = true;
  cr_assert_eq(loop_watch_set(s.old.w, LOOP_READ | LOOP_HANGUP), 0);
  settle(loop);
  /* Both are ready in one turn, the one that replaces the other first. */
  cr_assert_eq(write(s.ready_pipe[1], "x", 1), 1);
  cr_assert_eq(send(s.old.peer, "x", 1, 0), 1);
  settle(loop);
  cr_assert_leq(s.old.calls, 1);
  cr_assert_eq(s.next.calls, 0, "what was told was the old one's");
  cr_assert_eq(send(s.next.peer, "x", 1, 0), 1);
  s.next.consume = true;
  settle(loop);
  cr_assert_eq(s.next.reads, 1);
  loop_watch_free(first);
  (void)fd_close(s.ready_pipe[0]);
  (void)fd_close(s.ready_pipe[1]);
  probe_close(&s.old);
  probe_close(&s.next);
  assert_idle(loop, CLOCK_ID_MONO);
}

static char fired[64];

static void on_timer(void *arg) {
  struct probe *p = arg;
  p->calls++;
  size_t len = strlen(fired);
  fired[len] = (char)p->order;
  if (p->kill) {
    p->kill->t = loop_timer_free(p->kill->t);
  }
  if (p->free_self) {
    p->t = loop_timer_free(p->t);
  }
  if (p->stop) {
    loop_stop(p->loop);
  }
}

static void timer_open(struct probe *p, struct loop *loop, enum clock_id clock, int name) {
  *p = (struct probe){.loop = loop, .fd = -1, .peer = -1, .order = name};
  cr_assert_eq(loop_timer_new(loop, clock, on_timer, p, &p->t), 0);
}

BOTH(timers_fire_in_order_of_deadline_and_never_again) {
  struct probe p[5];
  uint64_t now = loop_now(loop, CLOCK_ID_MONO);
  for (int i = 0; i < 5; i++) {
    timer_open(&p[i], loop, CLOCK_ID_MONO, 'a' + i);
    cr_assert_not(loop_timer_armed(p[i].t));
  }
  static const uint64_t age[] = {10, 50, 30, 30, 40}; /* all past: b e c d a, equals in the order of arming */
  for (int i = 0; i < 5; i++) {
    loop_timer_set(p[i].t, now - age[i]);
  }
  loop_timer_set(p[4].t, now - 40); /* the same again changes nothing */
  settle(loop);
  cr_assert_str_eq(fired, "becda");
  settle(loop);
  cr_assert_str_eq(fired, "becda");
  for (int i = 0; i < 5; i++) {
    cr_assert_not(loop_timer_armed(p[i].t));
    probe_close(&p[i]);
  }
}

BOTH(a_timer_callback_may_free_itself_and_another_that_is_due) {
  struct probe a, b, c;
  uint64_t now = loop_now(loop, CLOCK_ID_BOOT);
  timer_open(&a, loop, CLOCK_ID_BOOT, 'a');
  timer_open(&b, loop, CLOCK_ID_BOOT, 'b');
  timer_open(&c, loop, CLOCK_ID_BOOT, 'c');
  a.kill = &b;
  a.free_self = true;
  loop_timer_set(a.t, now - 3);
  loop_timer_set(b.t, now - 2);
  loop_timer_set(c.t, now - 1);
  settle(loop);
  cr_assert_str_eq(fired, "ac");
  cr_assert_null(a.t);
  cr_assert_null(b.t);
  probe_close(&c);
}

BOTH(a_cleared_timer_does_not_fire_and_many_are_kept_in_order) {
  enum { N = 300 };
  static struct probe p[N];
  uint64_t now = loop_now(loop, CLOCK_ID_MONO);
  for (int i = 0; i < N; i++) {
    timer_open(&p[i], loop, CLOCK_ID_MONO, i < 3 ? 'x' : 0);
    loop_timer_set(p[i].t, now - 1 - (uint64_t)((i * 7919) % N));
  }
  for (int i = 0; i < N; i++) {
    if (i % 3 != 0) {
      loop_timer_clear(p[i].t);
      cr_assert_not(loop_timer_armed(p[i].t));
    }
  }
  settle(loop);
  for (int i = 0; i < N; i++) {
    cr_assert_eq(p[i].calls, i % 3 == 0, "%d", i);
    probe_close(&p[i]);
  }
}

static void rearm_in_the_past(void *arg) {
  struct probe *p = arg;
  struct loop_stats s;
  loop_get_stats(p->loop, &s);
  cr_assert_neq((int)s.turns, p->order, "twice in one turn");
  p->order = (int)s.turns;
  p->calls++;
  if (p->calls < 10) {
    loop_timer_set(p->t, 1);
  }
}

BOTH(a_deadline_in_the_past_fires_in_the_next_turn) {
  struct probe p = {.loop = loop, .fd = -1, .peer = -1, .order = -1};
  cr_assert_eq(loop_timer_new(loop, CLOCK_ID_MONO, rearm_in_the_past, &p, &p.t), 0);
  loop_timer_set(p.t, 1);
  settle(loop);
  cr_assert_eq(p.calls, 10);
  probe_close(&p);
}

BOTH(a_deadline_that_never_comes_can_be_set) {
  struct probe p;
  timer_open(&p, loop, CLOCK_ID_BOOT, 'x');
  loop_timer_set(p.t, UINT64_MAX);
  settle(loop);
  cr_assert_eq(p.calls, 0);
  cr_assert(loop_timer_armed(p.t));
  probe_close(&p);
}

struct chain {
  struct loop *loop;
  struct loop_task task;
  struct chain *other;
  bool again, cancel_other;
  int calls;
  uint64_t turn;
};

static void on_task(void *arg) {
  struct chain *c = arg;
  struct loop_stats s;
  loop_get_stats(c->loop, &s);
  cr_assert(c->calls == 0 || s.turns != c->turn, "a task queued by a task waits for the next turn");
  c->turn = s.turns;
  c->calls++;
  if (c->again) {
    c->again = false;
    loop_task_queue(c->loop, &c->task);
  }
  if (c->cancel_other) {
    loop_task_cancel(&c->other->task);
  }
}

BOTH(tasks_run_once_at_the_end_of_the_turn) {
  struct chain a = {.loop = loop, .again = true}, b = {.loop = loop}, c = {.loop = loop};
  loop_task_init(&a.task, on_task, &a);
  loop_task_init(&b.task, on_task, &b);
  loop_task_init(&c.task, on_task, &c);
  b.other = &c;
  b.cancel_other = true;
  loop_task_queue(loop, &a.task);
  loop_task_queue(loop, &a.task);
  loop_task_queue(loop, &b.task);
  loop_task_queue(loop, &c.task);
  settle(loop);
  cr_assert_eq(a.calls, 2);
  cr_assert_eq(b.calls, 1);
  cr_assert_eq(c.calls, 0, "cancelled by the one before it");
  loop_task_cancel(&c.task);
}

struct job {
  struct loop *loop;
  int worked, finished;
};

static void job_work(void *arg) { ((struct job *)arg)->worked++; }
static void job_done(void *arg) {
  struct job *j = arg;
  cr_assert_eq(j->worked, 1);
  j->finished++;
  loop_stop(j->loop);
}

BOTH(work_is_done_elsewhere_and_finished_here) {
  struct job j = {.loop = loop};
  cr_assert_eq(loop_offload(loop, job_work, job_done, &j), 0);
  cr_assert_eq(j.finished, 0);
  cr_assert_eq(loop_run(loop), 0);
  cr_assert_eq(j.finished, 1);
}

static void free_loop_under_a_job(int (*new)(struct loop **ret)) {
  struct job j = {0};
  cr_assert_eq(new (&j.loop), 0);
  cr_assert_eq(loop_offload(j.loop, job_work, job_done, &j), 0);
  cr_assert_null(loop_free(j.loop));
  cr_assert_eq(j.finished, 1, "who owns arg learns the end");
}
Test(loop_uv, freeing_waits_for_work, .timeout = 30) { free_loop_under_a_job(loop_uv_new); }
Test(loop_sim, freeing_waits_for_work, .timeout = 30) { free_loop_under_a_job(loop_sim_new); }

static void on_signal(void *arg, int signo) {
  struct probe *p = arg;
  cr_assert_eq(signo, SIGUSR2);
  p->calls++;
  loop_stop(p->loop);
}

BOTH(signals_reach_the_loop) {
  struct probe p = {.loop = loop};
  cr_assert_eq(loop_signal(loop, SIGUSR2, on_signal, &p), 0);
  cr_assert_eq(kill(getpid(), SIGUSR2), 0);
  cr_assert_eq(loop_run(loop), 0);
  cr_assert_eq(p.calls, 1);
}

BOTH(idle_means_idle_on_either_clock) {
  assert_idle(loop, CLOCK_ID_MONO);
  assert_idle(loop, CLOCK_ID_BOOT);
}

Test(loop_uv, timers_are_never_early, .timeout = 30) {
  struct loop *loop;
  cr_assert_eq(loop_uv_new(&loop), 0);
  for (int id = 0; id < CLOCK_ID_COUNT; id++) {
    for (int i = 0; i < 20; i++) {
      struct probe p;
      memset(fired, 0, sizeof(fired));
      timer_open(&p, loop, id, 'x');
      p.stop = true;
      uint64_t deadline = loop_now(loop, id) + 300 * NSEC_PER_USEC;
      loop_timer_set(p.t, deadline);
      cr_assert_eq(loop_run(loop), 0);
      cr_assert_geq(loop_now(loop, id), deadline);
      probe_close(&p);
    }
  }
  cr_assert_null(loop_free(loop));
}

Test(loop_uv, a_watch_on_what_cannot_be_polled_is_refused) {
  struct loop *loop;
  struct loop_watch *w = NULL;
  cr_assert_eq(loop_uv_new(&loop), 0);
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  cr_assert_geq(fd, 0);
  cr_assert_lt(loop_watch_new(loop, fd, on_watch, NULL, &w), 0);
  cr_assert_null(w);
  (void)fd_close(fd);
  /* The same under a number that was watched before. */
  struct probe p;
  probe_open(&p, loop, SOCK_STREAM);
  const int number = p.fd;
  probe_close(&p);
  fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  cr_assert_eq(dup3(fd, number, O_CLOEXEC) < 0 ? -1 : number, fd == number ? -1 : number);
  cr_assert_eq(loop_watch_new(loop, number, on_watch, NULL, &w), -EPERM);
  cr_assert_null(w);
  if (fd != number)
    (void)close(number);
  (void)fd_close(fd);
  cr_assert_null(loop_free(loop));
}

/* What a connection's watch costs in its life: libuv's DEL, in vain, and ADD. */
Test(loop_uv, a_socket_is_watched_for_two_system_calls, .timeout = 30) {
  struct loop *loop;
  struct loop_stats before, after;
  cr_assert_eq(loop_uv_new(&loop), 0);
  for (int i = 0; i < 3; i++) {
    int sv[2];
    struct probe p = {.loop = loop, .consume = true};
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
    p.fd = sv[0];
    p.peer = sv[1];
    loop_get_stats(loop, &before);
    cr_assert_eq(loop_watch_new_socket(loop, p.fd, on_watch, &p, &p.w), 0);
    cr_assert_eq(loop_watch_set(p.w, LOOP_HANGUP | LOOP_READ), 0);
    settle(loop);
    cr_assert_eq(loop_watch_set(p.w, LOOP_HANGUP), 0);
    cr_assert_eq(loop_watch_set(p.w, LOOP_HANGUP | LOOP_READ), 0, "changed and changed back");
    cr_assert_eq(send(p.peer, "x", 1, 0), 1);
    settle(loop);
    cr_assert_eq(p.reads, 1);
    p.w = loop_watch_free_closing(p.w);
    p.fd = fd_close(p.fd);
    loop_get_stats(loop, &after);
    cr_expect_eq(after.watch_changes - before.watch_changes, 2, "%lu", (unsigned long)(after.watch_changes - before.watch_changes));
    probe_close(&p);
    assert_idle(loop, CLOCK_ID_MONO);
  }
  cr_assert_null(loop_free(loop));
}

/* libuv's own descriptors take the numbers of sockets that it believes to be watched yet. */
Test(loop_uv, signals_work_on_the_numbers_of_closed_sockets, .timeout = 30) {
  struct loop *loop;
  struct probe p[4];
  cr_assert_eq(loop_uv_new(&loop), 0);
  for (int i = 0; i < 4; i++) {
    probe_open(&p[i], loop, SOCK_STREAM);
    cr_assert_eq(loop_watch_set(p[i].w, LOOP_READ | LOOP_HANGUP), 0);
  }
  settle(loop);
  for (int i = 0; i < 4; i++) {
    p[i].w = loop_watch_free_closing(p[i].w);
    p[i].fd = fd_close(p[i].fd);
    probe_close(&p[i]);
  }
  struct probe s = {.loop = loop};
  cr_assert_eq(loop_signal(loop, SIGUSR2, on_signal, &s), 0);
  cr_assert_eq(kill(getpid(), SIGUSR2), 0);
  cr_assert_eq(loop_run(loop), 0);
  cr_assert_eq(s.calls, 1);
  cr_assert_null(loop_free(loop));
}

/* A number has one watch at a time, and a second one does no harm to the first. */
Test(loop_uv, a_descriptor_is_watched_once) {
  struct loop *loop;
  struct loop_watch *w = NULL;
  struct probe p;
  cr_assert_eq(loop_uv_new(&loop), 0);
  probe_open(&p, loop, SOCK_STREAM);
  cr_assert_eq(loop_watch_set(p.w, LOOP_READ), 0);
  cr_assert_eq(loop_watch_new(loop, p.fd, on_watch, NULL, &w), -EEXIST);
  p.consume = true;
  cr_assert_eq(send(p.peer, "x", 1, 0), 1);
  settle(loop);
  cr_assert_eq(p.reads, 1);
  probe_close(&p);
  cr_assert_null(loop_free(loop));
}

/* -- the simulation's own -- */

Test(loop_sim, clocks_move_only_by_hand_and_timers_see_their_exact_deadline) {
  struct loop *loop;
  struct probe a, b;
  cr_assert_eq(loop_sim_new(&loop), 0);
  uint64_t mono = loop_now(loop, CLOCK_ID_MONO), boot = loop_now(loop, CLOCK_ID_BOOT);
  cr_assert(mono != 0 && boot != 0 && mono != boot);
  timer_open(&a, loop, CLOCK_ID_MONO, 'a');
  timer_open(&b, loop, CLOCK_ID_BOOT, 'b');
  loop_timer_set(a.t, mono + 10);
  loop_timer_set(b.t, boot + 5);
  cr_assert_eq(loop_run(loop), 0);
  cr_assert_eq(loop_now(loop, CLOCK_ID_MONO), mono);
  cr_assert_str_eq(fired, "");
  cr_assert_eq(loop_sim_advance(loop, 9), 0);
  cr_assert_str_eq(fired, "b");
  cr_assert_eq(loop_sim_advance(loop, 1), 0);
  cr_assert_str_eq(fired, "ba");
  cr_assert_eq(loop_now(loop, CLOCK_ID_MONO), mono + 10);
  cr_assert_eq(loop_now(loop, CLOCK_ID_BOOT), boot + 10);
  probe_close(&a);
  probe_close(&b);
  cr_assert_null(loop_free(loop));
}

Test(loop_sim, suspend_moves_boot_time_alone) {
  struct loop *loop;
  struct probe a, b;
  cr_assert_eq(loop_sim_new(&loop), 0);
  uint64_t mono = loop_now(loop, CLOCK_ID_MONO), boot = loop_now(loop, CLOCK_ID_BOOT);
  timer_open(&a, loop, CLOCK_ID_MONO, 'a');
  timer_open(&b, loop, CLOCK_ID_BOOT, 'b');
  loop_timer_set(a.t, mono + 100);
  loop_timer_set(b.t, boot + 100);
  cr_assert_eq(loop_sim_suspend(loop, 1000), 0);
  cr_assert_str_eq(fired, "b");
  cr_assert_eq(loop_now(loop, CLOCK_ID_MONO), mono);
  cr_assert_eq(loop_now(loop, CLOCK_ID_BOOT), boot + 1000);
  cr_assert_eq(loop_sim_advance(loop, 100), 0);
  cr_assert_str_eq(fired, "ba");
  probe_close(&a);
  probe_close(&b);
  cr_assert_null(loop_free(loop));
}

static uint64_t chain_time;
static void rearm_once(void *arg) {
  struct probe *p = arg;
  chain_time = loop_now(p->loop, CLOCK_ID_MONO);
  if (p->calls++ == 0) {
    loop_timer_set(p->t, chain_time + 7);
  }
}

Test(loop_sim, an_advance_stops_at_every_timer_that_callbacks_arm_on_the_way) {
  struct loop *loop;
  struct probe p = {.fd = -1, .peer = -1};
  cr_assert_eq(loop_sim_new(&loop), 0);
  p.loop = loop;
  uint64_t start = loop_now(loop, CLOCK_ID_MONO);
  cr_assert_eq(loop_timer_new(loop, CLOCK_ID_MONO, rearm_once, &p, &p.t), 0);
  loop_timer_set(p.t, start + 3);
  cr_assert_eq(loop_sim_advance(loop, 100), 0);
  cr_assert_eq(p.calls, 2);
  cr_assert_eq(chain_time, start + 10);
  probe_close(&p);
  cr_assert_null(loop_free(loop));
}

Test(loop_sim, a_callback_that_spins_is_told) {
  struct loop *loop;
  struct probe p;
  cr_assert_eq(loop_sim_new(&loop), 0);
  probe_open(&p, loop, SOCK_STREAM);
  cr_assert_eq(loop_watch_set(p.w, LOOP_WRITE), 0);
  cr_assert_eq(loop_run(loop), -ELOOP);
  probe_close(&p);
  cr_assert_null(loop_free(loop));
}

static uint64_t slept_ns;
static void on_resume(void *arg, uint64_t ns) {
  unsigned *calls = arg;
  ++*calls;
  slept_ns = ns;
}

Test(loop_sim, a_sleep_is_told_once_it_is_over) {
  struct loop *loop;
  unsigned calls = 0;
  cr_assert_eq(loop_sim_new(&loop), 0);
  loop_on_resume(loop, on_resume, &calls);
  cr_assert_eq(loop_sim_advance(loop, 3600 * NSEC_PER_SEC), 0);
  cr_assert_eq(loop_sim_suspend(loop, LOOP_SLEEP_NS - 1), 0);
  cr_assert_eq(calls, 0);
  cr_assert_eq(loop_sim_suspend(loop, 1), 0);
  cr_assert_eq(calls, 1, "short ones add up");
  cr_assert_eq(slept_ns, LOOP_SLEEP_NS);
  cr_assert_eq(loop_sim_suspend(loop, 7200 * NSEC_PER_SEC), 0);
  cr_assert_eq(calls, 2);
  cr_assert_eq(slept_ns, 7200 * NSEC_PER_SEC);
  cr_assert_eq(loop_sim_advance(loop, 3600 * NSEC_PER_SEC), 0);
  cr_assert_eq(calls, 2);
  loop_on_resume(loop, NULL, NULL);
  cr_assert_eq(loop_sim_suspend(loop, 7200 * NSEC_PER_SEC), 0);
  cr_assert_eq(calls, 2);
  cr_assert_null(loop_free(loop));
}

Test(loop_uv, who_is_busy_does_not_sleep) {
  struct loop *loop;
  unsigned calls = 0;
  cr_assert_eq(loop_uv_new(&loop), 0);
  loop_on_resume(loop, on_resume, &calls);
  settle(loop);
  cr_assert_eq(calls, 0);
  cr_assert_null(loop_free(loop));
}
