/* SPDX-License-Identifier: BSD-3-Clause
 * From the fork until it is known whether chambers can be had. The helper confines itself, makes the first chamber and
 * fills its store, beside all else that the daemon does until its first frame; then a trial connection decides. Only who
 * needs a chamber before that waits.
 */
#include "seal/seal_internal.h"

#include <stdio.h>
#include <sys/socket.h>

#define START_MS 10000 /* a loaded machine; the usual is 20 */
#define TRIAL_MS 2000
#define LOOP_MS 500 /* so long the loop stands still for a helper that is late; then who asks hears that there is nothing yet */

static const char no_answer[] = "the helper process does not answer";

static int spawn(struct seal *s, const struct seal_config *cfg) {
  int pair[2];
  const pid_t parent = getpid();
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return -errno;
  const pid_t pid = fork();
  if (pid == 0)
    seal_helper_run(pair[1], parent, cfg);
  const int r = pid < 0 ? -errno : 0;
  (void)fd_close(pair[1]);
  s->fd = pair[0];
  s->child = MAX(pid, 0);
  return r;
}

int seal_start(const struct seal_config *cfg, struct seal **ret) {
  struct seal *s = calloc(1, sizeof *s);
  if (!s)
    return -ENOMEM;
  list_init(&s->chambers);
  s->fd = -1;
  int r = spawn(s, cfg);
  if (r < 0) {
    seal_free(s);
    return r;
  }
  *ret = s;
  return 0;
}

/* --- steps ---------------------------------------------------------------------------------------------------------- */

void seal_settle(struct seal *s) {
  if (s->phase == SEAL_SETTLED)
    return;
  s->phase = SEAL_SETTLED;
  s->waits = 0; /* those of the start do not count */
  s->limit = loop_timer_free(s->limit);
  if (s->loop)
    loop_task_queue(s->loop, &s->settled);
}

static void fail(struct seal *s, const char *why) {
  (void)snprintf(s->why, sizeof s->why, "%.*s", SEAL_WHY_MAX - 1, why);
  seal_helper_gone(s, why);
}

/* A sandbox may let namespaces be made, and yet no socket in them, or drop what these send. */
static void try_one(struct seal *s, struct seal_chamber *c) {
  const struct net_endpoint local = {.addr = net_addr_v4(0xc0000202), .port = 1024}, /* RFC 5737 */
      remote = {.addr = net_addr_v4(0xc6336402), .port = 1024};
  _cleanup_close_ int ours = -1, program = -1;
  char why[SEAL_WHY_MAX];
  s->phase = SEAL_TRIED; /* what is answered meanwhile begins no other trial */
  int r = seal_connect_within(c, &local, &remote, TRIAL_MS, &ours, &program);
  if (r == 0) {
    seal_settle(s);
    return;
  }
  (void)snprintf(why, sizeof why,
                 "no connection can be made in a sealed namespace: %s (in a unit: IPAddressDeny=, RestrictAddressFamilies=)",
                 strerror(-r));
  fail(s, why);
}

static bool is_filled(const struct seal_chamber *c) {
  return !c->pools[SEAL_OURS][SEAL_V4].asked && !c->pools[SEAL_PROGRAMS][SEAL_V4].asked;
}

void seal_start_step(struct seal *s, const struct seal_message *m) {
  struct seal_chamber *c = seal_spare(s);
  if (m->error < 0 && (m->op == SEAL_READY || m->op == SEAL_MAKE)) {
    fail(s, m->why[0] ? m->why : strerror(-m->error));
    return;
  }
  if (s->phase == SEAL_CONFINES && m->op == SEAL_READY)
    s->phase = SEAL_MAKES;
  else if (s->phase == SEAL_MAKES && c)
    s->phase = SEAL_FILLS;
  if (s->phase == SEAL_FILLS && c && is_filled(c))
    try_one(s, c);
}

static void on_limit(void *arg) { fail(arg, no_answer); }

/* The helper reads it as soon as it is confined. If it has ended, what it said last is read. */
static void ask_first(struct seal *s) {
  if (s->asked || s->fd < 0)
    return;
  s->asked = true;
  int r = seal_request_chamber(s);
  if (r == -ENOMEM || r == -EAGAIN)
    fail(s, strerror(-r));
}

int seal_join(struct seal *s, struct loop *loop, loop_fn settled, void *arg) {
  int r = s->fd >= 0 ? loop_watch_new(loop, s->fd, seal_on_helper, s, &s->watch) : 0;
  if (r == 0 && s->watch)
    r = loop_watch_set(s->watch, LOOP_READ);
  if (r == 0)
    r = loop_timer_new(loop, CLOCK_ID_MONO, on_limit, s, &s->limit);
  if (r < 0)
    return r;
  s->loop = loop;
  loop_task_init(&s->settled, settled, arg);
  if (s->phase == SEAL_SETTLED) {
    s->limit = loop_timer_free(s->limit);
    loop_task_queue(loop, &s->settled);
    return 0;
  }
  loop_timer_set(s->limit, loop_now(loop, CLOCK_ID_MONO) + START_MS * NSEC_PER_MSEC);
  ask_first(s);
  return 0;
}

int seal_wait(struct seal *s) {
  const uint64_t end = clock_real_ns(CLOCK_ID_MONO) + (s->loop ? LOOP_MS : START_MS) * NSEC_PER_MSEC;
  struct seal_message m;
  if (s->phase != SEAL_SETTLED)
    ask_first(s);
  while (s->phase != SEAL_SETTLED) {
    const uint64_t now = clock_real_ns(CLOCK_ID_MONO);
    if (now < end && seal_wait_answer(s, &m, (int)((end - now) / NSEC_PER_MSEC + 1)) != -ETIME)
      continue;
    if (s->loop) /* whose own timer ends it */
      return -ETIME;
    fail(s, no_answer);
  }
  return s->fd < 0 ? -EPIPE : 0;
}

const char *seal_why_not(const struct seal *s) {
  if (s->phase != SEAL_SETTLED)
    return "the first sealed namespaces are being made";
  return s->fd < 0 ? s->why : NULL;
}

struct seal *seal_free(struct seal *s) {
  if (!s)
    return NULL;
  while (!list_empty(&s->chambers))
    seal_forget(list_first(&s->chambers, struct seal_chamber, link));
  seal_helper_gone(s, "the daemon ends");
  if (s->loop)
    loop_task_cancel(&s->settled);
  s->limit = loop_timer_free(s->limit);
  free(s);
  return NULL;
}
