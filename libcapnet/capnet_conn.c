/* SPDX-License-Identifier: BSD-3-Clause
 * One endpoint and one blocking call on it. The daemon is not trusted to be well: a reply of another call, descriptors
 * that nobody claims, broken frames and silence all end in a typed error and leak nothing.
 *
 * A call that was given up (deadline, stop descriptor, the callback's wish) is cancelled with a CANCEL frame and its
 * late replies are dropped by the calls after it: ids only grow, so a smaller one is stale and a greater one is a lie.
 */
#include "libcapnet/conn.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

static uint64_t now_ns(void) {
  struct timespec ts;
  (void)clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t deadline_in(unsigned timeout_ms) { return timeout_ms ? now_ns() + timeout_ms * NSEC_PER_MSEC : 0; }

/* --- handles ------------------------------------------------------------------------------------------------------ */

int conn_check_fd(int fd, struct capnet_error *err) {
  int domain, type;
  socklen_t len = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain != AF_UNIX)
    return fail(err, EBADF, "ARGUMENT", "descriptor %d is no UNIX socket", fd);
  len = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
    return fail(err, EBADF, "ARGUMENT", "descriptor %d is no SEQPACKET socket", fd);
  return 0;
}

static int conn_of(int fd, pid_t owner, capnet **ret, struct capnet_error *err) {
  capnet *cap = calloc(1, sizeof *cap);
  if (!cap) {
    (void)fd_close(fd);
    return fail_errno(err, ENOMEM, "capnet");
  }
  cap->buf = malloc(FRAME_MAX + 1);
  if (!cap->buf) {
    free(cap);
    (void)fd_close(fd);
    return fail_errno(err, ENOMEM, "capnet");
  }
  cap->fd = fd;
  cap->shared_fd = cap->stop_fd = -1;
  cap->owner = owner;
  pthread_mutex_init(&cap->lock, NULL);
  *ret = cap;
  return 0;
}

int conn_new(int fd, capnet **ret, struct capnet_error *err) { return conn_of(fd, process_id(), ret, err); }

int capnet_adopt(int fd, capnet **ret, struct capnet_error *err) {
  int r = conn_check_fd(fd, err);
  if (r < 0)
    return r;
  int kept = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (kept < 0)
    return fail_errno(err, errno, "capnet_adopt");
  capnet *cap;
  r = conn_new(kept, &cap, err);
  if (r < 0)
    return r;
  (void)fd_close(fd);
  *ret = cap;
  return 0;
}

void capnet_close(capnet *cap) {
  if (!cap)
    return;
  (void)fd_close(cap->fd);
  (void)fd_close(cap->shared_fd);
  free(cap->buf);
  if (pthread_mutex_trylock(&cap->lock) == 0) { /* in a child a thread that is not here may hold it */
    pthread_mutex_unlock(&cap->lock);
    pthread_mutex_destroy(&cap->lock);
  }
  free(cap);
}

void capnet_closep(capnet **cap) {
  capnet_close(*cap);
  *cap = NULL;
}

static int set_patience(capnet *cap, uint64_t ms) {
  const struct timeval tv = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
  if (cap->patience_ms != ms && setsockopt(cap->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) < 0)
    return -errno;
  cap->patience_ms = ms;
  return 0;
}

/* Whoever gets it from here may wait on it in a way of his own. In a child the option is the parent's. */
int capnet_fd(const capnet *cap) {
  capnet *shown = (capnet *)cap;
  if (cap->owner == process_id() && atomic_exchange(&shown->ours_alone, false))
    (void)set_patience(shown, 0);
  return cap->fd;
}

void capnet_set_stop_fd(capnet *cap, int fd) { cap->stop_fd = fd; }

/* --- waiting ------------------------------------------------------------------------------------------------------ */

/* The stop descriptor goes before what is awaited. */
int wait_fd(int fd, short events, int stop_fd, uint64_t deadline_ns, struct capnet_error *err) {
  for (;;) {
    struct pollfd p[2] = {{.fd = stop_fd, .events = POLLIN}, {.fd = fd, .events = events}};
    struct timespec left, *timeout = NULL;
    if (deadline_ns) {
      uint64_t now = now_ns(), ns = deadline_ns > now ? deadline_ns - now : 0;
      left = (struct timespec){.tv_sec = (time_t)(ns / NSEC_PER_SEC), .tv_nsec = (long)(ns % NSEC_PER_SEC)};
      timeout = &left;
    }
    int n = ppoll(p, 2, timeout, NULL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return fail_errno(err, errno, "poll");
    if (p[0].revents)
      return fail_code(err, CAPNET__ERROR_CODE__ERROR_CANCELLED, "stopped");
    if (p[1].revents)
      return 0;
    if (n == 0)
      return fail_code(err, CAPNET__ERROR_CODE__ERROR_DEADLINE, "the time given for the call is over");
  }
}

static int lock_until(capnet *cap, uint64_t deadline_ns, struct capnet_error *err) {
  int r;
  if (deadline_ns) {
    struct timespec ts = {.tv_sec = (time_t)(deadline_ns / NSEC_PER_SEC),
                          .tv_nsec = (long)(deadline_ns % NSEC_PER_SEC)};
    r = pthread_mutex_clocklock(&cap->lock, CLOCK_MONOTONIC, &ts);
  } else {
    r = pthread_mutex_lock(&cap->lock);
  }
  if (r == ETIMEDOUT)
    return fail_code(err, CAPNET__ERROR_CODE__ERROR_DEADLINE, "another call on this handle took too long");
  return r ? fail_errno(err, r, "lock") : 0;
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

static int conn_end(capnet *cap, struct capnet_error *err, int r) {
  if (!cap->ended) {
    cap->ended = true;
    cap->end = *err;
  }
  return r;
}

static int broken(struct call *c, const char *what) {
  return conn_end(c->cap, c->err, fail(c->err, EPROTO, "PROTOCOL", "the peer broke the protocol: %s", what));
}

static int gone(struct call *c) {
  return conn_end(c->cap, c->err, fail(c->err, ECONNRESET, "GONE", "the endpoint ended without a reason"));
}

static void close_fds(struct call *c) {
  for (size_t i = 0; i < c->n_fds; i++)
    (void)fd_close(c->fds[i]);
  c->n_fds = 0;
}

static void drop_reply(struct call *c) {
  close_fds(c);
  body_free(c->reply);
  c->reply = NULL;
}

/* Asked before each frame: a daemon that always has one ready must not outrun the wish to stop. */
static bool stop_wanted(int stop_fd) {
  struct pollfd p = {.fd = stop_fd, .events = POLLIN};
  return stop_fd >= 0 && poll(&p, 1, 0) > 0;
}

/* Waits and receives in one system call: where there is nothing to stop for and nobody else sees the descriptor. The kernel
 * keeps the time for the calls that follow, so it must be the whole of it that is left. -EAGAIN, -EINTR: do it in two. */
static ssize_t receive_patiently(struct call *c) {
  capnet *cap = c->cap;
  const uint64_t ms = c->timeout_ms ? c->timeout_ms + (uint64_t)CALL_GRACE_MS : 0;
  if (cap->stop_fd >= 0 || !cap->ours_alone || !ms != !c->deadline_ns ||
      (ms && now_ns() + (ms - PATIENCE_SLACK_MS) * NSEC_PER_MSEC > c->deadline_ns) || set_patience(cap, ms) < 0)
    return -EAGAIN;
  return frame_recv_lost(cap->fd, cap->buf, FRAME_MAX + 1, c->fds, &c->n_fds, 0, &c->fds_lost);
}

/* The next message, waited for. What has just been asked for is not there yet: no look before the wait. */
static int receive_message(struct call *c, uint64_t deadline_ns, ssize_t *ret) {
  capnet *cap = c->cap;
  const bool asked = c->asked;
  ssize_t n = -EAGAIN;
  int r = 0;
  c->asked = false;
  if (asked)
    n = receive_patiently(c);
  else if (stop_wanted(cap->stop_fd))
    return fail_code(c->err, CAPNET__ERROR_CODE__ERROR_CANCELLED, "stopped");
  else
    n = frame_recv_lost(cap->fd, cap->buf, FRAME_MAX + 1, c->fds, &c->n_fds, 1, &c->fds_lost);
  while (r == 0 && (n == -EAGAIN || n == -EINTR)) {
    r = wait_fd(cap->fd, POLLIN, cap->stop_fd, deadline_ns, c->err);
    if (r == 0)
      n = frame_recv_lost(cap->fd, cap->buf, FRAME_MAX + 1, c->fds, &c->n_fds, 1, &c->fds_lost);
  }
  *ret = n;
  return r;
}

/* One decoded frame; TERMINAL and end of file end the endpoint for good. */
static int receive(struct call *c, uint64_t deadline_ns, Capnet__Frame **ret) {
  capnet *cap = c->cap;
  ssize_t n = 0;
  int r = receive_message(c, deadline_ns, &n);
  if (r < 0)
    return r;
  if (n == 0 || n == -ECONNRESET || n == -EPIPE) {
    close_fds(c);
    return gone(c);
  }
  if (n < 0) {
    close_fds(c);
    return n == -EMSGSIZE ? broken(c, "a frame that is too long") : fail_errno(c->err, (int)-n, "receive");
  }
  Capnet__Frame *frame;
  r = frame_decode(cap->buf, (size_t)n, &frame);
  if (r < 0) {
    close_fds(c);
    return broken(c, "a frame that cannot be read");
  }
  if (frame->kind == CAPNET__FRAME__KIND__TERMINAL) {
    r = conn_end(cap, c->err, fail_wire(c->err, frame->error));
    frame_free(frame);
    close_fds(c);
    return r;
  }
  *ret = frame;
  return 0;
}

int call_frame(struct call *c, Capnet__Frame **ret) {
  drop_reply(c);
  int r = receive(c, c->deadline_ns, ret);
  if (r == 0 && (*ret)->kind != CAPNET__FRAME__KIND__REPLY && (*ret)->kind != CAPNET__FRAME__KIND__ERROR) {
    frame_free(TAKE_PTR(*ret));
    close_fds(c);
    r = broken(c, "a frame that only a client sends");
  }
  if (r < 0)
    c->result = r;
  return r;
}

int call_unpack(struct call *c, const Capnet__Frame *frame) {
  ProtobufCBinaryData empty = {0, NULL};
  int r = body_decode(c->reply_type, frame->has_body ? &frame->body : &empty, &c->reply);
  if (r < 0) {
    close_fds(c);
    return broken(c, "a reply that cannot be read");
  }
  return 0;
}

/* --- one call ----------------------------------------------------------------------------------------------------- */

/* The daemon closes its receiving side before it sends its last frame, which has the reason: that frame may still lie
 * in the queue behind others, or be on its way. */
static int sending_failed(struct call *c, int error) {
  if (error != -EPIPE && error != -ECONNRESET)
    return fail_errno(c->err, -error, "send");
  uint64_t until = deadline_in(LAST_WORD_MS);
  if (c->deadline_ns && c->deadline_ns < until)
    until = c->deadline_ns;
  do {
    Capnet__Frame *frame;
    int r = receive(c, until, &frame);
    if (r < 0)
      return r == -ETIME && !c->cap->ended ? gone(c) : r;
    frame_free(frame);
    close_fds(c);
  } while (now_ns() < until);
  return gone(c);
}

static int send_frame(struct call *c, const Capnet__Frame *frame, const ProtobufCMessage *body, bool patient) {
  _cleanup_free_ uint8_t *data = NULL;
  size_t len;
  int r = frame_encode(frame, body, &data, &len);
  if (r < 0)
    return fail(c->err, -r, "ARGUMENT", "the request is too large");
  for (;;) {
    r = frame_send(c->cap->fd, data, len, NULL, 0, 1);
    if (r != -EAGAIN || !patient)
      break;
    r = wait_fd(c->cap->fd, POLLOUT, c->cap->stop_fd, c->deadline_ns, c->err);
    if (r < 0)
      return r;
  }
  return r < 0 && patient ? sending_failed(c, r) : r;
}

/* What the generated stubs call. The closure is not used: replies are fetched by call_next. */
static void invoke(ProtobufCService *service, unsigned method, const ProtobufCMessage *input,
                   _unused_ ProtobufCClosure closure, _unused_ void *data) {
  struct call *c = container_of(service, struct call, service);
  c->reply_type = service->descriptor->methods[method].output;
  if (c->result < 0)
    return;
  c->id = ++c->cap->last_call;
  Capnet__Frame frame = CAPNET__FRAME__INIT;
  frame.has_kind = frame.has_call = frame.has_method = 1;
  frame.kind = CAPNET__FRAME__KIND__REQUEST;
  frame.call = c->id;
  frame.method = method + (service->descriptor == &capnet__capability__descriptor ? 0 : METHOD_KIND_BASE);
  if (c->timeout_ms) {
    frame.has_deadline_ms = 1;
    frame.deadline_ms = c->timeout_ms;
  }
  c->result = send_frame(c, &frame, input, true);
  c->started = c->asked = c->result == 0;
}

void call_init(struct call *c, capnet *cap, const ProtobufCServiceDescriptor *service, unsigned timeout_ms,
               struct capnet_error *err) {
  *c = (struct call){.service = {.descriptor = service, .invoke = invoke}, .cap = cap, .timeout_ms = timeout_ms};
  c->err = err ? err : &c->scratch;
  if (timeout_ms)
    c->deadline_ns = deadline_in(timeout_ms) + CALL_GRACE_MS * NSEC_PER_MSEC;
  grant_after_fork(cap);
  if (cap->owner != process_id()) {
    c->result = fail(c->err, EOWNERDEAD, "FORKED", "this capability belongs to the process that took it");
    return;
  }
  c->result = lock_until(cap, c->deadline_ns, c->err);
  if (c->result < 0)
    return;
  c->locked = true;
  if (cap->ended)
    c->result = fail_copy(c->err, &cap->end);
  else
    c->result = grant_ensure(cap, c->deadline_ns, c->err);
}

/* 1: frame is of this call; 0: of one that was given up. */
static int is_mine(struct call *c, const Capnet__Frame *frame) {
  if (frame->kind != CAPNET__FRAME__KIND__REPLY && frame->kind != CAPNET__FRAME__KIND__ERROR)
    return broken(c, "a frame that only a client sends");
  if (frame->call > c->id)
    return broken(c, "an answer to a call that was not made");
  return frame->call == c->id;
}

int call_next(struct call *c, void **ret_message) {
  drop_reply(c);
  if (c->result < 0 || c->finished)
    return c->result;
  _cleanup_(frame_freep) Capnet__Frame *frame = NULL;
  int r;
  for (;;) {
    r = receive(c, c->deadline_ns, &frame);
    if (r < 0)
      return c->result = r;
    r = is_mine(c, frame);
    if (r == 1)
      break;
    close_fds(c);
    if (r < 0)
      return c->result = r;
    frame_free(TAKE_PTR(frame));
    /* Stale frames must not keep a call alive for longer than its deadline. */
    if (c->deadline_ns && now_ns() >= c->deadline_ns)
      return c->result = fail_code(c->err, CAPNET__ERROR_CODE__ERROR_DEADLINE, NULL);
  }
  if (frame->kind == CAPNET__FRAME__KIND__ERROR) {
    c->finished = true;
    close_fds(c);
    return c->result = fail_wire(c->err, frame->error);
  }
  c->finished = !frame->more;
  if (c->n_fds > FRAME_FDS_MAX) {
    close_fds(c);
    return c->result = broken(c, "too many descriptors");
  }
  r = call_unpack(c, frame);
  if (r < 0)
    return c->result = r;
  *ret_message = c->reply;
  return 1;
}

int call_one(struct call *c, void **ret_message) {
  int r = call_next(c, ret_message);
  if (r < 0)
    return r;
  if (r == 0 || !c->finished)
    return c->result = broken(c, "one reply was due");
  return 0;
}

int call_take_fd(struct call *c, const Capnet__Descriptor *d, int *ret) {
  if (c->fds_lost && d && d->has_slot && d->slot >= c->n_fds && d->slot < FRAME_FDS_MAX)
    return c->result = fail_errno(c->err, EMFILE, "the descriptor of the reply");
  if (!d || !d->has_slot || d->slot >= c->n_fds || c->fds[d->slot] < 0)
    return c->result = broken(c, "a reply without its descriptor");
  *ret = TAKE_FD(c->fds[d->slot]);
  return 0;
}

int conn_from_slot(struct call *c, const Capnet__Descriptor *d, capnet **ret) {
  _cleanup_close_ int fd = -1;
  int r = call_take_fd(c, d, &fd);
  if (r == 0 && conn_check_fd(fd, NULL) < 0)
    r = c->result = broken(c, "a descriptor of another kind");
  if (r < 0)
    return r;
  r = conn_of(TAKE_FD(fd), c->cap->owner, ret, c->err);
  if (r < 0)
    c->result = r;
  else
    (*ret)->ours_alone = true;
  return r;
}

int call_done(struct call *c, int r) {
  drop_reply(c);
  if (c->started && !c->finished && !c->cap->ended) {
    Capnet__Frame frame = CAPNET__FRAME__INIT;
    frame.has_kind = frame.has_call = 1;
    frame.kind = CAPNET__FRAME__KIND__CANCEL;
    frame.call = c->id;
    (void)send_frame(c, &frame, NULL, false);
  }
  if (c->locked)
    pthread_mutex_unlock(&c->cap->lock);
  return r ? r : c->result;
}
