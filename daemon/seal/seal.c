/* SPDX-License-Identifier: BSD-3-Clause
 * The daemon's side: whose each chamber is, and the store of fresh sockets. What is asked for ahead of need is answered
 * through the loop; only when the store is empty does the daemon wait for the helper, and not for one that is late.
 */
#include "seal/seal_internal.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define ANSWER_MS 500 /* the usual is under 10; once it was not enough the next waits for nothing */
/* Sockets of each side that lie in store: few for who needs few, and as many as a message takes for who used up half of
 * them at once, so that neither process wakes for each connection. IPv6 ones come when asked for. */
#define STORE 8
#define STORE_MAX SEAL_BATCH_MAX
#define BUSY_NS (100 * NSEC_PER_MSEC)
#define QUIET_NS (10 * NSEC_PER_SEC)

/* --- the helper's end --------------------------------------------------------------------------------------------- */

void seal_helper_gone(struct seal *s, const char *why) {
  if (s->fd < 0)
    return;
  s->watch = loop_watch_free(s->watch);
  s->fd = fd_close(s->fd);
  if (!s->why[0])
    (void)snprintf(s->why, sizeof s->why, "%s", why);
  child_end(&s->child);
  seal_settle(s);
}

static int ask(struct seal *s, const struct seal_message *m) {
  if (s->fd < 0)
    return -EPIPE;
  if (send(s->fd, m, sizeof *m, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof *m)
    return 0;
  const int r = -errno;
  if (r != -EAGAIN && s->phase == SEAL_SETTLED) /* before that, its last word is still to be read */
    seal_helper_gone(s, "the helper process ended");
  return r;
}

/* --- chambers ------------------------------------------------------------------------------------------------------- */

static struct seal_chamber *by_number(struct seal *s, uint64_t number) {
  list_for_each(pos, &s->chambers) {
    struct seal_chamber *c = list_entry(pos, struct seal_chamber, link);
    if (c->number == number)
      return c;
  }
  return NULL;
}

static struct seal_chamber *by_owner(struct seal *s, uint64_t owner) {
  list_for_each(pos, &s->chambers) {
    struct seal_chamber *c = list_entry(pos, struct seal_chamber, link);
    if (c->owner == owner)
      return c;
  }
  return NULL;
}

void seal_forget(struct seal_chamber *c) {
  c->diag = fd_close(c->diag);
  for (int side = 0; side < SEAL_SIDES; side++)
    for (int family = 0; family < SEAL_FAMILIES; family++) {
      struct seal_pool *p = &c->pools[side][family];
      for (unsigned i = 0; i < p->n + p->arrived; i++)
        (void)close(p->fds[i]);
    }
  list_remove(&c->link);
  c->s->n--;
  free(c);
}

/* false: the helper cannot be told now, and would keep it. */
static bool give_up(struct seal_chamber *c) {
  if (ask(c->s, &(struct seal_message){.op = SEAL_DROP, .chamber = c->number}) == -EAGAIN)
    return false;
  seal_forget(c);
  return true;
}

int seal_request_chamber(struct seal *s) {
  struct seal_chamber *c = calloc(1, sizeof *c);
  if (!c)
    return -ENOMEM;
  c->s = s;
  c->diag = -1;
  c->number = ++s->last_number;
  for (int side = 0; side < SEAL_SIDES; side++)
    c->pools[side][SEAL_V4].target = c->pools[side][SEAL_V6].target = STORE;
  int r = ask(s, &(struct seal_message){.op = SEAL_MAKE, .chamber = c->number});
  if (r < 0) {
    free(c);
    return r;
  }
  list_append(&s->chambers, &c->link);
  s->n++;
  return 0;
}

/* --- the store ------------------------------------------------------------------------------------------------------ */

static int family_of(int index) { return index == SEAL_V4 ? AF_INET : AF_INET6; }

static void adapt(struct seal_pool *p) {
  const uint64_t now = clock_real_ns(CLOCK_ID_MONO), since = now - p->asked_ns;
  if (p->asked_ns && since < BUSY_NS)
    p->target = MIN(p->target * 2, (unsigned)STORE_MAX);
  else if (since > QUIET_NS)
    p->target = STORE;
  p->asked_ns = now;
}

static int refill(struct seal_chamber *c, enum seal_side side, int family) {
  struct seal_pool *p = &c->pools[side][family];
  if (p->asked || p->n > p->target / 2)
    return 0;
  adapt(p);
  if (p->n >= p->target)
    return 0;
  int r = ask(c->s, &(struct seal_message){.op = SEAL_SOCKETS, .chamber = c->number, .side = side,
                                           .family = family_of(family), .n = p->target - p->n});
  p->asked = r == 0;
  return r;
}

static void store(struct seal_chamber *c, const struct seal_message *m, const int *fds, unsigned n) {
  struct seal_pool *p = &c->pools[m->side][m->family == AF_INET ? SEAL_V4 : SEAL_V6];
  if (m->op == SEAL_YOURS) {
    p->asked = false;
    p->n += p->arrived;
    p->arrived = 0;
  }
  for (unsigned i = 0; i < n; i++)
    if (p->n + p->arrived < ARRAY_SIZE(p->fds))
      p->fds[p->n + p->arrived++] = fds[i];
    else
      (void)close(fds[i]);
}

/* --- answers -------------------------------------------------------------------------------------------------------- */

static void take_answer(struct seal *s, const struct seal_message *m, const int *fds, unsigned n) {
  struct seal_chamber *c = by_number(s, m->chamber);
  if (c && (m->op == SEAL_SOCKETS || m->op == SEAL_YOURS) && m->side < SEAL_SIDES) {
    store(c, m, fds, n);
    return;
  }
  if (c && m->op == SEAL_MAKE && n > 0 && c->diag < 0) {
    c->diag = fds[0];
    fds++, n--;
  }
  for (unsigned i = 0; i < n; i++)
    (void)close(fds[i]);
  if (!c || m->op != SEAL_MAKE || c->ready)
    return;
  if (m->error < 0) {
    (void)snprintf(s->why, sizeof s->why, "%.*s", SEAL_WHY_MAX - 1, m->why);
    seal_forget(c);
    return;
  }
  c->ready = true;
  s->why[0] = 0;
  (void)refill(c, SEAL_OURS, SEAL_V4);
  (void)refill(c, SEAL_PROGRAMS, SEAL_V4);
}

/* One message. 0; -EAGAIN: none is there; -EPIPE. */
static int receive(struct seal *s, struct seal_message *m) {
  union {
    struct cmsghdr head;
    char buf[CMSG_SPACE(SEAL_BATCH_MAX * sizeof(int))];
  } control;
  struct iovec iov = {.iov_base = m, .iov_len = sizeof *m};
  struct msghdr msg = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof control.buf};
  ssize_t got;
  do
    got = recvmsg(s->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (got < 0 && (errno == EINTR || errno == ECONNRESET)); /* a reset is told once, before what it said last */
  if (got < 0 && errno == EAGAIN)
    return -EAGAIN;
  if (got != sizeof *m) {
    seal_helper_gone(s, "the helper process ended");
    return -EPIPE;
  }
  const struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
  unsigned n = 0;
  int fds[SEAL_BATCH_MAX];
  if (head && head->cmsg_type == SCM_RIGHTS) {
    n = (unsigned)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(fds, CMSG_DATA(head), n * sizeof(int));
  }
  s->late = false;
  m->why[SEAL_WHY_MAX - 1] = 0;
  take_answer(s, m, fds, n);
  if (s->phase != SEAL_SETTLED)
    seal_start_step(s, m);
  return 0;
}

void seal_on_helper(void *arg, unsigned events) {
  struct seal *s = arg;
  struct seal_message m;
  (void)events;
  while (s->fd >= 0 && receive(s, &m) == 0)
    ;
}

int seal_wait_answer(struct seal *s, struct seal_message *m, int timeout_ms) {
  int r;
  if (s->fd < 0)
    return -EPIPE;
  while ((r = receive(s, m)) == -EAGAIN) {
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    r = poll(&p, 1, s->late ? 0 : timeout_ms);
    if (r < 0 && errno == EINTR)
      continue;
    if (r <= 0) {
      s->late = true;
      return -ETIME;
    }
  }
  return r;
}

int seal_take(struct seal_chamber *c, enum seal_side side, uint8_t family) {
  const int f = family == AF_INET6 ? SEAL_V6 : SEAL_V4;
  struct seal_pool *p = &c->pools[side][f];
  struct seal_message m = {0};
  int r = refill(c, side, f);
  if (p->n == 0) {
    c->s->waits++;
    while (r == 0 && p->n == 0 && p->asked)
      r = seal_wait_answer(c->s, &m, ANSWER_MS);
  }
  if (p->n > 0) {
    const int fd = p->fds[--p->n];
    p->fds[p->n] = p->fds[p->n + p->arrived];
    return fd;
  }
  return r < 0 ? r : m.error < 0 ? m.error : -EMFILE;
}

/* --- owners --------------------------------------------------------------------------------------------------------- */

/* The one that was not used for longest makes room. */
static bool drop_idle(struct seal *s) {
  list_for_each(pos, &s->chambers) {
    struct seal_chamber *c = list_entry(pos, struct seal_chamber, link);
    if (c->owner && c->refs == 0) {
      s->n_idle--;
      if (give_up(c))
        return true;
      s->n_idle++;
    }
  }
  return false;
}

struct seal_chamber *seal_spare(struct seal *s) {
  struct seal_chamber *c = by_owner(s, 0);
  return c && c->ready ? c : NULL;
}

static int spare(struct seal *s, struct seal_chamber **ret) {
  struct seal_message m;
  int r = 0;
  if (!by_owner(s, 0)) {
    if (s->n >= SEAL_CHAMBERS_MAX && !drop_idle(s))
      return -ENOBUFS;
    r = seal_request_chamber(s);
  }
  if (!seal_spare(s))
    s->waits++;
  while (r == 0 && by_owner(s, 0) && !seal_spare(s))
    r = seal_wait_answer(s, &m, ANSWER_MS);
  *ret = seal_spare(s);
  return *ret ? 0 : r < 0 ? r : -ENOBUFS;
}

int seal_chamber_get(struct seal *s, uint64_t owner, struct seal_chamber **ret) {
  int r = seal_wait(s);
  if (r < 0)
    return r;
  struct seal_chamber *c = by_owner(s, owner);
  if (!c) {
    r = spare(s, &c);
    if (r < 0)
      return r;
    c->owner = owner;
    if (s->n < SEAL_CHAMBERS_MAX)
      (void)seal_request_chamber(s); /* for the next newcomer */
  } else if (c->refs == 0)
    s->n_idle--;
  list_remove(&c->link);
  list_append(&s->chambers, &c->link);
  c->refs++;
  *ret = c;
  return 0;
}

struct seal_chamber *seal_chamber_ref(struct seal_chamber *c) {
  c->refs++;
  return c;
}

struct seal_chamber *seal_chamber_unref(struct seal_chamber *c) {
  if (c && --c->refs == 0 && ++c->s->n_idle > SEAL_IDLE_MAX)
    (void)drop_idle(c->s);
  return NULL;
}

void seal_get_stats(const struct seal *s, struct seal_stats *ret) {
  *ret = (struct seal_stats){.chambers = s->n, .waits = s->waits};
  list_for_each(pos, &s->chambers) {
    const struct seal_chamber *c = list_entry(pos, struct seal_chamber, link);
    for (int side = 0; side < SEAL_SIDES; side++)
      for (int family = 0; family < SEAL_FAMILIES; family++)
        ret->sockets += c->pools[side][family].n + c->pools[side][family].arrived;
    ret->sockets += c->diag >= 0;
  }
}
