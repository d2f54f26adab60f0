/* SPDX-License-Identifier: BSD-3-Clause
 * The socket of an endpoint: reading in bounded slices, the queue of what the client has not read, and the end.
 *
 * A client can stall only itself. Requests are read sixteen a turn; none while the client leaves its replies unread;
 * none while descriptors that it should not have sent are being closed. And it can block nobody: the last reference to
 * a descriptor in our receive queue is never dropped on the loop, for closing a foreign one may block.
 */
#include "rpc/rpc_internal.h"

#include <sys/socket.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16; same number on every architecture we build for */
#endif

/* What a queued descriptor counts for, in bytes: a few hundred of them fill the queue, too. */
#define QUEUE_FD_COST 1024u

/* Empty messages that a client's send buffer of the default size can hold: each costs it 768 bytes. */
#define DRAIN_EMPTY_MAX 300u

struct out {
  struct list link;
  uint64_t call;
  bool more;
  uint8_t *data;
  size_t len;
  size_t n_fds;
  int fds[FRAME_FDS_MAX];
};

/* Batches of foreign descriptors being closed at a time. A file system of the client's own can hold a close() for ever:
 * that may hold up those who send descriptors where none belong, but never the other work off the loop. */
#define CLOSERS_MAX 2u

struct foreign {
  struct list link; /* while it waits for a closer */
  struct endpoint *ep;
  size_t n;
  int fds[];
};

struct rpc_stats rpc_stats;

/* Where frames are received; decoding copies out of it. One thread. */
static uint8_t recv_buf[FRAME_MAX];
uint8_t rpc_send_buf[FRAME_ENCODE_ROOM];

/* A client that makes one call at a time has never a second frame waiting: after so many turns of that it is looked for
 * only in every so-manieth. Whoever sends more at once loses a few turns by it, and then nothing. */
#define ALONE_TURNS 4u
#define LOOK_EVERY 16u

void rpc_get_stats(struct rpc_stats *ret) { *ret = rpc_stats; }
unsigned endpoint_calls(const struct endpoint *ep) { return ep->n_calls; }
bool endpoint_full(const struct endpoint *ep) { return ep->queued > ENDPOINT_QUEUE_MAX; }

void endpoint_ref(struct endpoint *ep) { ep->refs++; }

void endpoint_unref(struct endpoint *ep) {
  if (--ep->refs)
    return;
  rpc_stats.endpoints--;
  free(ep);
}

static void update_events(struct endpoint *ep) {
  if (ep->state != EP_OPEN)
    return;
  bool full = endpoint_full(ep);
  if (full && !ep->paused)
    rpc_stats.stalled++;
  ep->paused = full;
  unsigned events = LOOP_HANGUP;
  if (!ep->eof && !ep->doomed && !ep->closing && !full)
    events |= LOOP_READ;
  if (!list_empty(&ep->queue))
    events |= LOOP_WRITE;
  if (loop_watch_set(ep->watch, events) < 0)
    endpoint_doom(ep);
}

/* --- descriptors of the client's ---------------------------------------------------------------------------------- */

static void close_fds(const int *fds, size_t n) {
  for (size_t i = 0; i < n; i++)
    fd_close(fds[i]);
}

/* A lingering socket would hold the helper thread for as long as its peer likes: it is told not to. */
static void close_patiently(const int *fds, size_t n) {
  const struct linger off = {0};
  for (size_t i = 0; i < n; i++) {
    (void)setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &off, sizeof off);
    fd_close(fds[i]);
  }
}

static void foreign_work(void *arg) {
  struct foreign *b = arg;
  close_patiently(b->fds, b->n);
}

static struct list closers_waiting = {&closers_waiting, &closers_waiting};
static unsigned closers;

static void foreign_done(void *arg);

/* 0: it is under way or waits. */
static int foreign_start(struct foreign *b) {
  if (closers >= CLOSERS_MAX) {
    list_append(&closers_waiting, &b->link);
    return 0;
  }
  int r = loop_offload(b->ep->loop, foreign_work, foreign_done, b);
  if (r == 0)
    closers++;
  return r;
}

static void foreign_free(struct foreign *b) {
  b->ep->closing--;
  update_events(b->ep);
  endpoint_unref(b->ep);
  free(b);
}

static void foreign_done(void *arg) {
  closers--;
  foreign_free(arg);
  while (closers < CLOSERS_MAX && !list_empty(&closers_waiting)) {
    struct foreign *next = list_first(&closers_waiting, struct foreign, link);
    list_remove(&next->link);
    if (foreign_start(next) < 0) {
      close_patiently(next->fds, next->n);
      foreign_free(next);
    }
  }
}

void endpoint_close_foreign(struct endpoint *ep, const int *fds, size_t n) {
  if (n == 0)
    return;
  rpc_stats.descriptors_refused += n;
  struct foreign *b = malloc(sizeof *b + n * sizeof *fds);
  if (b) {
    *b = (struct foreign){.ep = ep, .n = n};
    list_init(&b->link);
    memcpy(b->fds, fds, n * sizeof *fds);
    if (foreign_start(b) == 0) {
      ep->closing++;
      endpoint_ref(ep);
      return;
    }
    free(b);
  }
  close_patiently(fds, n);
}

/* --- the queue ---------------------------------------------------------------------------------------------------- */

static Capnet__Frame error_frame(uint64_t call, const Capnet__Error *e) {
  Capnet__Frame f = CAPNET__FRAME__INIT;
  f.has_kind = f.has_call = 1;
  f.kind = CAPNET__FRAME__KIND__ERROR;
  f.call = call;
  f.error = (Capnet__Error *)e;
  return f;
}

static size_t out_cost(const struct out *o) { return sizeof *o + o->len + o->n_fds * QUEUE_FD_COST; }

static void out_free(struct endpoint *ep, struct out *o) {
  list_remove(&o->link);
  ep->queued -= out_cost(o);
  close_fds(o->fds, o->n_fds);
  free(o->data);
  free(o);
}

/* Too many descriptors are in flight for our uid. One reply of several goes without them, its slots then point nowhere;
 * the last one becomes an error. */
static int out_degrade(struct endpoint *ep, struct out *o) {
  uint8_t *data = NULL;
  size_t len = 0;
  if (!o->more) {
    Capnet__Error e = CAPNET__ERROR__INIT;
    e.has_code = 1;
    e.code = CAPNET__ERROR_CODE__ERROR_LIMIT;
    e.message = (char *)"too many descriptors are in flight";
    const Capnet__Frame f = error_frame(o->call, &e);
    int r = frame_encode(&f, NULL, &data, &len);
    if (r < 0)
      return r;
  }
  ep->queued -= out_cost(o);
  close_fds(o->fds, o->n_fds);
  o->n_fds = 0;
  if (data) {
    free(o->data);
    o->data = data;
    o->len = len;
  }
  ep->queued += out_cost(o);
  return 0;
}

static void flush(struct endpoint *ep) {
  while (!list_empty(&ep->queue)) {
    struct out *o = list_first(&ep->queue, struct out, link);
    int r = frame_send(ep->fd, o->data, o->len, o->fds, o->n_fds, 1);
    if (r == -EAGAIN)
      return;
    if (r == -ETOOMANYREFS && o->n_fds) {
      r = out_degrade(ep, o);
      if (r == 0)
        continue;
    }
    if (r < 0) {
      endpoint_doom(ep);
      return;
    }
    out_free(ep, o);
  }
}

static struct out *out_new(const uint8_t *data, size_t len) {
  struct out *o = calloc(1, sizeof *o);
  uint8_t *copy = o ? malloc(len) : NULL;
  if (!copy) {
    free(o);
    return NULL;
  }
  rpc_stats.allocations += 2;
  memcpy(copy, data, len);
  o->data = copy;
  o->len = len;
  return o;
}

int endpoint_send(struct endpoint *ep, uint64_t call, bool more, const uint8_t *data, size_t len, const int *fds,
                  size_t n_fds) {
  int r = 0;
  struct out *o;
  if (ep->state != EP_OPEN || ep->doomed)
    goto done;
  r = list_empty(&ep->queue) ? frame_send(ep->fd, data, len, fds, n_fds, 1) : -EAGAIN;
  if (r == 0 || r == -ETOOMANYREFS || r == -EMSGSIZE)
    goto done;
  if (r == -EAGAIN && (o = out_new(data, len))) {
    o->call = call;
    o->more = more;
    o->n_fds = n_fds;
    if (n_fds)
      memcpy(o->fds, fds, n_fds * sizeof *fds);
    list_append(&ep->queue, &o->link);
    ep->queued += out_cost(o);
    update_events(ep);
    return 0;
  }
  endpoint_doom(ep);
  r = 0;
done:
  close_fds(fds, n_fds);
  return r;
}

int endpoint_send_error(struct endpoint *ep, uint64_t call, const Capnet__Error *e) {
  const Capnet__Frame f = error_frame(call, e);
  size_t len;
  int r = frame_encode_to(&f, NULL, rpc_send_buf, &len);
  return r < 0 ? r : endpoint_send(ep, call, false, rpc_send_buf, len, NULL, 0);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

/* After shutdown(SHUT_RD) nothing is added, so this ends. Without it the client would see ECONNRESET before the
 * terminal frame, and close would drop the descriptors in the queue here, on the loop. An empty message looks like the
 * end: where it could hide descriptors behind it, as many are read as a send buffer holds. */
static void drain(struct endpoint *ep) {
  int fds[FRAME_SCM_MAX];
  size_t n_fds;
  ssize_t n;
  unsigned empty = ep->takes_fds ? DRAIN_EMPTY_MAX : 1;
  (void)shutdown(ep->fd, SHUT_RD);
  do {
    n = frame_recv(ep->fd, recv_buf, sizeof recv_buf, fds, &n_fds, 1);
    endpoint_close_foreign(ep, fds, n_fds);
  } while (n > 0 || n == -EMSGSIZE || n == -ECONNRESET || (n == 0 && --empty));
}

static void send_terminal(struct endpoint *ep, const Capnet__Error *error) {
  Capnet__Frame f = CAPNET__FRAME__INIT;
  size_t len = 0;
  f.has_kind = 1;
  f.kind = CAPNET__FRAME__KIND__TERMINAL;
  f.error = (Capnet__Error *)error;
  flush(ep);
  if (list_empty(&ep->queue) && frame_encode_to(&f, NULL, rpc_send_buf, &len) == 0)
    (void)frame_send(ep->fd, rpc_send_buf, len, NULL, 0, 1);
}

/* The state is no longer EP_OPEN. The owner's account callbacks are called; they may free the endpoint. */
static void shut(struct endpoint *ep, const Capnet__Error *error) {
  while (!list_empty(&ep->calls))
    call_abort(list_first(&ep->calls, struct call, link), -ECONNRESET, NULL);
  ep->watch = loop_watch_free_closing(ep->watch);
  ep->timer = loop_timer_free(ep->timer);
  loop_task_cancel(&ep->doom);
  if (!ep->gone || ep->takes_fds) /* else nobody reads, and there is nothing in the queue that could block us */
    drain(ep);
  if (error)
    send_terminal(ep, error);
  while (!list_empty(&ep->queue))
    out_free(ep, list_first(&ep->queue, struct out, link));
  ep->fd = fd_close(ep->fd);
}

static void hang_up(struct endpoint *ep, const Capnet__Error *error) {
  if (ep->state != EP_OPEN)
    return;
  endpoint_ref(ep);
  ep->state = EP_HUNG;
  shut(ep, error);
  if (ep->state == EP_HUNG)
    ep->ops->hangup(ep->owner);
  endpoint_unref(ep);
}

void endpoint_breach(struct endpoint *ep, Capnet__ErrorCode code, const char *message) {
  Capnet__Error e = CAPNET__ERROR__INIT;
  e.has_code = 1;
  e.code = code;
  e.message = (char *)message;
  hang_up(ep, &e);
}

void endpoint_doom(struct endpoint *ep) {
  if (ep->state != EP_OPEN || ep->doomed)
    return;
  ep->doomed = true;
  loop_task_queue(ep->loop, &ep->doom);
}

static void on_doom(void *arg) { hang_up(arg, NULL); }

struct endpoint *endpoint_free(struct endpoint *ep, const Capnet__Error *error) {
  if (!ep || ep->state == EP_FREED)
    return NULL;
  bool open = ep->state == EP_OPEN;
  ep->state = EP_FREED;
  if (open)
    shut(ep, error);
  endpoint_unref(ep);
  return NULL;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

/* Is it worth a system call to look whether there is a second frame? The loop tells if we do not. */
static bool look_for_more(struct endpoint *ep) {
  if (ep->alone < ALONE_TURNS || ++ep->unasked >= LOOK_EVERY) {
    ep->unasked = 0;
    return true;
  }
  return false;
}

static void looked(struct endpoint *ep, unsigned frames, bool empty) {
  rpc_stats.reads++;
  rpc_stats.reads_empty += empty;
  if (frames == 1)
    ep->alone = (uint8_t)(empty ? MIN(ep->alone + 1u, ALONE_TURNS) : 0);
}

static void read_frames(struct endpoint *ep) {
  for (unsigned i = 0; i < ENDPOINT_TURN_MAX; i++) {
    if (ep->state != EP_OPEN || ep->doomed || ep->closing || endpoint_full(ep) || (i == 1 && !look_for_more(ep)))
      return;
    int fds[FRAME_SCM_MAX];
    size_t n_fds;
    ssize_t n = frame_recv(ep->fd, recv_buf, sizeof recv_buf, fds, &n_fds, 1);
    looked(ep, i, n == -EAGAIN);
    if (n > 0) {
      endpoint_dispatch(ep, recv_buf, (size_t)n, fds, n_fds);
      continue;
    }
    endpoint_close_foreign(ep, fds, n_fds);
    if (n == -EAGAIN)
      return;
    if (n == 0) {
      ep->eof = true; /* a half-close, or an empty message: the two look the same */
      return;
    }
    if (n == -EMSGSIZE) {
      rpc_stats.malformed++;
      endpoint_breach(ep, CAPNET__ERROR_CODE__ERROR_TOO_LARGE, "a frame is at most 65536 bytes");
    } else {
      hang_up(ep, NULL);
    }
  }
}

static void on_events(void *arg, unsigned events) {
  struct endpoint *ep = arg;
  endpoint_ref(ep);
  if (events & LOOP_HANGUP) {
    ep->gone = true;
    hang_up(ep, NULL);
  }
  if (ep->state == EP_OPEN && events & LOOP_WRITE)
    flush(ep);
  /* What waited while the queue was full is read before the room is used up again: it may be a cancellation. */
  if (ep->state == EP_OPEN && (events & LOOP_READ || ep->paused) && !ep->eof)
    read_frames(ep);
  if (ep->state == EP_OPEN && events & LOOP_WRITE)
    endpoint_tell_writable(ep);
  update_events(ep);
  endpoint_unref(ep);
}

void endpoint_arm(struct endpoint *ep) {
  if (ep->state != EP_OPEN)
    return;
  uint64_t first = 0;
  list_for_each(l, &ep->calls) {
    const struct call *c = list_entry(l, struct call, link);
    if (c->deadline_ns && (!first || c->deadline_ns < first))
      first = c->deadline_ns;
  }
  if (first)
    loop_timer_set(ep->timer, first);
  else
    loop_timer_clear(ep->timer);
}

static struct call *overdue(struct endpoint *ep, uint64_t now) {
  list_for_each(l, &ep->calls) {
    struct call *c = list_entry(l, struct call, link);
    if (c->deadline_ns && c->deadline_ns <= now)
      return c;
  }
  return NULL;
}

static void on_timer(void *arg) {
  struct endpoint *ep = arg;
  uint64_t now = loop_now(ep->loop, CLOCK_ID_BOOT);
  struct call *c;
  endpoint_ref(ep);
  while (ep->state == EP_OPEN && (c = overdue(ep, now)))
    call_abort(c, -ETIME, "the deadline of the call passed");
  endpoint_arm(ep);
  endpoint_unref(ep);
}

int endpoint_new(struct loop *loop, int fd, const struct endpoint_ops *ops, void *owner, struct endpoint **ret) {
  _cleanup_close_ int sock = fd;
  struct endpoint *ep = malloc(sizeof *ep);
  if (!ep)
    return -ENOMEM;
  *ep = (struct endpoint){.loop = loop, .fd = -1, .ops = ops, .owner = owner, .refs = 1};
  list_init(&ep->calls);
  list_init(&ep->queue);
  loop_task_init(&ep->doom, on_doom, ep);
  int r = loop_timer_new(loop, CLOCK_ID_BOOT, on_timer, ep, &ep->timer);
  if (r == 0)
    r = loop_watch_new_socket(loop, sock, on_events, ep, &ep->watch);
  if (r == 0)
    r = loop_watch_set(ep->watch, LOOP_READ | LOOP_HANGUP);
  if (r < 0) {
    loop_watch_free(ep->watch);
    loop_timer_free(ep->timer);
    free(ep);
    return r;
  }
  int off = 0;
  ep->takes_fds = setsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off) < 0;
  ep->fd = TAKE_FD(sock);
  rpc_stats.endpoints++;
  *ret = ep;
  return 0;
}

void endpoint_turn_away(struct loop *loop, int fd, const Capnet__Error *error) {
  struct endpoint *ep = malloc(sizeof *ep);
  if (!ep) {
    fd_close(fd);
    return;
  }
  /* takes_fds: it was connected before anybody could say no. */
  *ep = (struct endpoint){.loop = loop, .fd = fd, .state = EP_FREED, .takes_fds = true, .refs = 1};
  list_init(&ep->calls);
  list_init(&ep->queue);
  rpc_stats.endpoints++;
  drain(ep);
  if (error)
    send_terminal(ep, error);
  ep->fd = fd_close(ep->fd);
  endpoint_unref(ep);
}
