/* SPDX-License-Identifier: BSD-3-Clause
 * The pump of one connection. Bytes are never copied into a buffer of the pump's own: from the wire they go from the
 * stack's receive queue into the descriptor, from the client they are read straight into the stack's send ring. So
 * backpressure is true: the window opens as the descriptor takes bytes, and the client blocks when the ring is full.
 *
 * Each direction ends by itself:
 *   wire → client   the peer's FIN, once all bytes before it are in the descriptor, becomes shutdown(SHUT_WR) of our end
 *   client → wire   end of file from the client becomes FIN after what was queued
 * and the connection as a whole ends in one of three ways: both directions ended (CLOSED), the client closed its
 * descriptor (FIN, or RST when bytes for it were left unread: it cannot get them any more), or the stack says so.
 *
 * No system call is made only to learn that there is nothing to do: the descriptor is read when the loop said that it
 * has something, and no further than the first read that came back short; it is written when there are bytes for it,
 * and after a write that came back short not until the loop says that there is room. The loop is asked for less only
 * when it would tell what nobody can use (a full ring), and for room only when there was none.
 */
#include "flow/flow_impl.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define PUMP_IOV 64
#define LOOK_FIRST_MS 1u
#define LOOK_LAST_MS 1024u
#define LAST_BYTES_MS 60000u /* how long a peer may take nothing once the client, as far as we can see, is gone */

struct flow {
  struct flow_entry entry;
  struct flow_table *table;
  const struct flow_form *form;
  struct seal_chamber *chamber;
  struct stack_conn *conn;
  int fd;
  struct loop_watch *watch;
  const struct flow_ops *ops;
  void *arg;
  struct loop_timer *look; /* for what the kernel does not tell; made when it is needed */
  unsigned look_ms;
  struct loop_task again; /* the turn's bytes were used up, or an end is to be told */
  uint64_t turn;          /* of the loop: what the two below are for */
  size_t budget_in, budget_out;
  bool shutting;          /* the client is to write no more: what it wrote is still read, to the end of it */
  bool client_eof;        /* nothing more comes from the client; our FIN is queued */
  bool client_gone;       /* the client closed its descriptor, or both directions of it were shut down */
  bool client_deaf;       /* the client shut its reading side down: bytes for it are dropped, as the kernel's TCP does */
  bool client_full;       /* the descriptor takes no more for now */
  bool grown;             /* more room towards the client was asked for */
  bool client_ready;      /* the descriptor may have bytes, or its end, to be read */
  bool ring_full;         /* the stack takes no more for now: `writable` will tell */
  bool peer_done;         /* the peer's FIN was passed on */
  enum stack_end end;     /* the stack's word; bytes may still be due to the client */
  int end_error;          /* and what it says finer, of the end */
  bool over;
};

static void on_look(void *arg);

static void set_events(struct flow *f) {
  if (!f->watch)
    return;
  unsigned events = f->client_gone ? 0 : LOOP_HANGUP;
  if (!f->client_eof && !f->end && !f->ring_full)
    events |= LOOP_READ;
  if (f->client_full)
    events |= LOOP_WRITE;
  (void)loop_watch_set(f->watch, events);
}

static void info_of(const struct flow *f, struct flow_info *ret) {
  flow_entry_info(&f->entry, ret);
  ret->dead = f->over;
  ret->form = f->form->name;
  if (f->conn)
    stack_conn_info(f->conn, &ret->conn);
  if (f->over) {
    ret->conn.end = f->end;
    ret->conn.end_error = f->end_error;
  }
}

/* The one place where a flow ends: status keeps what it was, the owner is told at the end of the turn. */
static void finish(struct flow *f, enum stack_end why) {
  if (f->over)
    return;
  struct flow_info info;
  info_of(f, &info);
  info.conn.end = why;
  flow_bury(f->table, &info);
  f->over = true;
  f->end = why;
  f->end_error = info.conn.end_error;
  f->watch = loop_watch_free_closing(f->watch); /* the client's end was given away, ours never is */
  f->look = loop_timer_free(f->look);
  if (f->fd >= 0)
    f->form->close(TAKE_FD(f->fd), why, f->client_eof);
  /* A program may have kept its end from hearing of that (SO_ATTACH_FILTER): nothing of it may stay. */
  if (f->chamber && why != STACK_END_CLOSED)
    (void)seal_program_destroy(f->chamber, &info.conn.local, &info.conn.remote);
  f->chamber = seal_chamber_unref(f->chamber);
  flow_entry_remove(f->table, &f->entry);
  if (why == STACK_END_CLOSED)
    f->conn = stack_conn_close(f->conn);
  else
    f->conn = stack_conn_abort(f->conn, why);
  loop_task_queue(f->table->loop, &f->again);
}

static bool has(int fd, short event) {
  struct pollfd p = {.fd = fd};
  return poll(&p, 1, 0) > 0 && (p.revents & event);
}

/* Until then nothing else may happen: the pump runs again a little later, each time a little more. */
static bool look_again(struct flow *f) {
  if (!f->look && loop_timer_new(f->table->loop, CLOCK_ID_MONO, on_look, f, &f->look) < 0)
    return false;
  f->look_ms = f->look_ms ? MIN(f->look_ms * 2, LOOK_LAST_MS) : LOOK_FIRST_MS;
  loop_timer_set(f->look, loop_now(f->table->loop, CLOCK_ID_MONO) + f->look_ms * NSEC_PER_MSEC);
  return true;
}

/* However often the pump runs in a turn of the loop, a fast flow costs the others no more than this, each way. */
static void renew_budgets(struct flow *f) {
  struct loop_stats now;
  loop_get_stats(f->table->loop, &now);
  if (f->turn == now.turns)
    return;
  f->turn = now.turns;
  f->budget_in = f->budget_out = FLOW_TURN_BYTES;
}

static size_t total(const struct iovec *iov, int n) {
  size_t all = 0;
  for (int i = 0; i < n; i++)
    all += iov[i].iov_len;
  return all;
}

/* Takes the descriptor no more? The first time that it seems so it is given more room. */
static bool is_full(struct flow *f) {
  const bool first = !f->grown;
  f->grown = true;
  return !first || !f->form->grow || !f->form->grow(f->fd);
}

/* One sendmsg. Returns what the client took. Less than it was offered: it takes no more now. */
static size_t give(struct flow *f, struct iovec *iov, int n) {
  if (f->client_deaf)
    return stack_conn_unread(f->conn);
  struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)n};
  ssize_t sent;
  do
    sent = sendmsg(f->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  f->table->io.writes++;
  if (sent > 0) {
    f->client_full = (size_t)sent < total(iov, n) && is_full(f);
    f->table->io.writes_short += f->client_full;
    return (size_t)sent;
  }
  f->table->io.writes_refused++;
  if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
    f->client_full = is_full(f);
  else if (has(f->fd, POLLHUP)) /* EPIPE: closed, or has it only stopped reading? */
    f->client_gone = true;
  else
    f->client_deaf = true;
  return 0;
}

/* Passes bytes on until one side has no more. */
static void pump_to_client(struct flow *f) {
  while (!f->peer_done && !f->client_gone && !f->client_full) {
    struct iovec iov[PUMP_IOV];
    int n = stack_conn_peek(f->conn, iov, PUMP_IOV);
    if (n <= 0) {
      if (stack_conn_eof(f->conn)) {
        f->peer_done = f->form->shut(f->fd);
        f->client_full = !f->peer_done;
      }
      return;
    }
    if (f->budget_out == 0) {
      loop_task_queue(f->table->loop, &f->again);
      return;
    }
    size_t taken = give(f, iov, n);
    stack_conn_consume(f->conn, taken);
    f->budget_out -= MIN(f->budget_out, taken);
  }
}

/* After a shutdown from the control: does our end have all that the client wrote? The pair's says so by end of file. */
static bool client_wrote_all(const struct flow *f) {
  struct stack_conn_info info;
  struct seal_queues q;
  if (!f->chamber)
    return false;
  stack_conn_info(f->conn, &info);
  return !seal_program_queues(f->chamber, &info.local, &info.remote, &q) || q.unsent == 0;
}

/* With our FIN on its way as well a full close needs no asking for. */
static void client_ended(struct flow *f) {
  f->client_eof = true;
  if (!f->peer_done)
    f->form->half(f->fd);
  (void)stack_conn_shutdown_write(f->conn);
}

/* A stream that gave less than it was asked for is empty, and the loop tells of more. Not asked there: what comes after
 * the last bytes of a client that is gone, or was told to write no more. */
static void has_read(struct flow *f, const struct iovec *iov, int n, ssize_t got) {
  f->table->io.reads++;
  f->table->io.reads_empty += got < 0 && errno == EAGAIN;
  if (got <= 0 || ((size_t)got < total(iov, n) && !f->client_gone && !f->shutting))
    f->client_ready = false;
}

/* What the budget leaves is the next turn's: the loop tells of bytes again, but not that there are none. */
static void next_turn(struct flow *f) {
  f->client_ready = f->shutting;
  if (f->shutting)
    loop_task_queue(f->table->loop, &f->again);
}

/* Reads into the stack's ring; false when the client closed with bytes of ours unread (ECONNRESET says so). */
static bool pump_from_client(struct flow *f) {
  while (f->client_ready && !f->client_eof && !f->end) {
    struct iovec iov[2];
    if (f->budget_in == 0) {
      next_turn(f);
      return true;
    }
    int n = stack_conn_send_space(f->conn, iov);
    f->ring_full = n <= 0;
    if (f->ring_full)
      return true;
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)n};
    ssize_t got = recvmsg(f->fd, &msg, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR)
      continue;
    has_read(f, iov, n, got);
    if (got <= 0) {
      const bool none = got < 0 && errno == EAGAIN;
      (void)stack_conn_send_commit(f->conn, 0);
      if (got < 0 && !none)
        return false;
      if (got == 0 || (f->shutting && (client_wrote_all(f) || !look_again(f))))
        client_ended(f);
      return true;
    }
    if (stack_conn_send_commit(f->conn, (size_t)got) < 0)
      return true;
    f->budget_in -= MIN(f->budget_in, (size_t)got);
  }
  return true;
}

/* The client is gone, as far as we can see, and its last bytes are with the stack or on their way there: they must not
 * wait for ever for a peer whose window stays closed, unless the client asked for that. */
static void bound_last_bytes(struct flow *f) {
  struct stack_conn_info info;
  stack_conn_info(f->conn, &info);
  if (info.options.user_timeout_ms)
    return;
  info.options.user_timeout_ms = LAST_BYTES_MS;
  (void)stack_conn_set_options(f->conn, &info.options);
}

/* The stack's word that it is over waits until the client has every byte that came before. With both FINs under way only
 * that word counts: a client that shut its descriptor down looks like one that closed it. */
static bool client_served(struct flow *f) {
  if (!f->client_gone && !f->peer_done && stack_conn_unread(f->conn) > 0)
    return false;
  return f->form->delivered(f->fd) || !look_again(f);
}

/* With the ring full nothing is read, so the descriptor's error is not met that way. */
static bool client_reset(const struct flow *f) {
  return f->client_gone && !f->client_eof && !f->end && has(f->fd, POLLERR);
}

static void pump(struct flow *f) {
  if (f->over)
    return;
  renew_budgets(f);
  pump_to_client(f);
  if (!pump_from_client(f) || client_reset(f)) {
    finish(f, STACK_END_RESET_LOCAL);
    return;
  }
  if (f->end && client_served(f))
    finish(f, f->end);
  else if (!f->end && f->client_gone && f->client_eof && !f->peer_done)
    finish(f, stack_conn_unread(f->conn) || f->form->unread(f->fd) ? STACK_END_RESET_LOCAL : STACK_END_CLOSED);
  else {
    if (f->client_gone && !f->end)
      bound_last_bytes(f);
    set_events(f);
  }
}

static void on_client(void *arg, unsigned events) {
  struct flow *f = arg;
  if (events & LOOP_HANGUP)
    f->client_gone = true;
  if (events & (LOOP_READ | LOOP_HANGUP))
    f->client_ready = true;
  if (events & LOOP_WRITE)
    f->client_full = false;
  pump(f);
}

static void on_readable(void *arg) { pump(arg); }

static void on_writable(void *arg) {
  struct flow *f = arg;
  f->ring_full = false;
  pump(f);
}

static void on_look(void *arg) {
  struct flow *f = arg;
  f->client_ready |= f->shutting;
  pump(f);
}

static void on_ended(void *arg, enum stack_end why) {
  struct flow *f = arg;
  if (f->over)
    return;
  f->end = why;
  pump(f);
}

static const struct stack_conn_ops conn_ops = {.readable = on_readable, .writable = on_writable, .ended = on_ended};

static void on_again(void *arg) {
  struct flow *f = arg;
  if (!f->over)
    pump(f);
  else if (f->ops)
    f->ops->over(f->arg, f->end);
}

int flow_start(struct flow_table *t, struct stack_conn *conn, struct flow_ends *ends, const struct flow_label *label,
               const struct flow_ops *ops, void *arg, struct flow **ret) {
  struct flow *f = calloc(1, sizeof *f);
  int r = f ? flow_entry_init(t, &f->entry, FLOW_TCP, label) : -ENOMEM;
  if (r == 0)
    r = loop_watch_new_socket(t->loop, ends->ours, on_client, f, &f->watch);
  if (r < 0) {
    stack_conn_abort(conn, STACK_END_LIMIT);
    if (f)
      flow_entry_done(&f->entry);
    free(f);
    return r;
  }
  f->table = t;
  f->turn = UINT64_MAX;
  f->form = ends->form;
  f->chamber = TAKE_PTR(ends->chamber);
  f->conn = conn;
  f->fd = TAKE_FD(ends->ours);
  f->ops = ops;
  f->arg = arg;
  loop_task_init(&f->again, on_again, f);
  flow_entry_add(t, &f->entry);
  stack_conn_set_ops(conn, &conn_ops, f);
  flow_announce(t, &f->entry);
  if (stack_conn_unread(conn) || stack_conn_eof(conn))
    loop_task_queue(t->loop, &f->again);
  else
    set_events(f);
  *ret = f;
  return 0;
}

bool flow_make_way(struct flow_table *t, const struct seal_chamber *c, const struct stack_conn_info *info) {
  bool found = false;
  list_for_each(pos, &t->live) {
    struct flow_entry *e = list_entry(pos, struct flow_entry, link);
    struct flow *f = container_of(e, struct flow, entry);
    struct stack_conn_info old;
    if (e->kind != FLOW_TCP || f->chamber != c || !f->end)
      continue;
    stack_conn_info(f->conn, &old);
    if (net_endpoint_equal(&old.local, &info->local) && net_endpoint_equal(&old.remote, &info->remote)) {
      finish(f, f->end);
      found = true;
    }
  }
  return seal_program_destroy(c, &info->local, &info->remote) || found;
}

void flow_abort(struct flow *f, enum stack_end why) { finish(f, why); }

void flow_shutdown(struct flow *f) {
  if (f->over || f->client_eof)
    return;
  f->shutting = f->client_ready = true;
  f->form->stop(f->fd);
  pump(f);
}

int flow_set_options(struct flow *f, const struct stack_conn_options *o) {
  return f->over ? -ENOTCONN : stack_conn_set_options(f->conn, o);
}

struct flow *flow_free(struct flow *f) {
  if (!f)
    return NULL;
  f->ops = NULL;
  finish(f, STACK_END_RESET_LOCAL);
  loop_task_cancel(&f->again);
  flow_entry_done(&f->entry);
  free(f);
  return NULL;
}

bool flow_is_over(const struct flow *f) { return f->over; }
bool flow_is_socket(const struct flow *f) { return f->form == &flow_form_socket; }
uint64_t flow_id(const struct flow *f) { return f->entry.id; }

static size_t queue_of(int fd, unsigned long request) {
  int n = 0;
  return ioctl(fd, request, &n) == 0 && n > 0 ? (size_t)n : 0;
}

static size_t capacity_of(int fd, int option) {
  int n = 0;
  socklen_t len = sizeof n;
  return getsockopt(fd, SOL_SOCKET, option, &n, &len) == 0 && n > 0 ? (size_t)n : 0;
}

static enum flow_blocked blocked_on(const struct flow *f, const struct flow_info *info) {
  if (f->client_full)
    return FLOW_BLOCKED_CLIENT_READING;
  if (info->conn.send_queue > 0)
    return info->conn.peer_window == 0 ? FLOW_BLOCKED_PEER_WINDOW : FLOW_BLOCKED_NOTHING;
  return f->client_eof || info->client_send_queue ? FLOW_BLOCKED_NOTHING : FLOW_BLOCKED_CLIENT_SENDING;
}

/* Both ends of the descriptor are buffers: of a real socket the program's counts as well. */
static void client_info(const struct flow *f, struct flow_info *ret) {
  struct seal_queues theirs;
  ret->has_client = true;
  ret->client_recv_queue = queue_of(f->fd, SIOCOUTQ);
  ret->client_recv_capacity = capacity_of(f->fd, SO_SNDBUF);
  ret->client_send_queue = queue_of(f->fd, SIOCINQ);
  ret->client_send_capacity = f->chamber ? capacity_of(f->fd, SO_RCVBUF) : ret->client_recv_capacity;
  if (f->chamber && seal_program_queues(f->chamber, &ret->conn.local, &ret->conn.remote, &theirs)) {
    ret->client_recv_queue += theirs.unread;
    ret->client_recv_capacity += theirs.recv_capacity;
    ret->client_send_queue += theirs.unsent;
    ret->client_send_capacity += theirs.send_capacity;
  }
}

void flow_info(const struct flow *f, struct flow_info *ret) {
  info_of(f, ret);
  if (f->fd < 0)
    return;
  client_info(f, ret);
  ret->blocked = blocked_on(f, ret);
}

void flow_tcp_born_info(const struct flow_entry *e, struct flow_info *ret) {
  info_of(container_of(e, struct flow, entry), ret);
}

void flow_tcp_info(const struct flow_entry *e, struct flow_info *ret) {
  flow_info(container_of(e, struct flow, entry), ret);
}
