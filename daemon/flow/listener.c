/* SPDX-License-Identifier: BSD-3-Clause
 * Listeners in the table. Connections wait in the stack's queue; what takes them from there are Accept calls, or the
 * accept queue of a real listening socket that a program holds. The kernel does not say when that has room again, so a
 * full one is looked at from time to time, while somebody waits for it.
 */
#include "flow/flow_impl.h"

#include <fcntl.h>

#define LOOK_FIRST_MS 1u
#define LOOK_LAST_MS 256u /* for a program that does not accept at all */

struct flow_listener {
  struct flow_entry entry;
  struct flow_table *table;
  struct stack_listener *listener;
  const struct flow_listener_ops *ops;
  void *arg;
  bool ended;
  int socket; /* our duplicate of the program's; -1: Accept calls */
  struct seal_chamber *chamber;
  struct loop_timer *look;
  unsigned look_ms, backlog;
};

static void bury_listener(struct flow_listener *l, enum stack_end why) {
  struct flow_info info;
  flow_listener_entry_info(&l->entry, &info);
  info.conn.end = why;
  flow_bury(l->table, &info);
  flow_entry_remove(l->table, &l->entry);
  l->ended = true;
}

static void end_socket(struct flow_listener *l) {
  l->look = loop_timer_free(l->look);
  if (l->socket >= 0)
    seal_end_listener(l->socket);
  l->socket = fd_close(l->socket);
  l->chamber = seal_chamber_unref(l->chamber);
}

static void on_acceptable(void *arg) {
  struct flow_listener *l = arg;
  l->ops->acceptable(l->arg);
}

static void on_ended(void *arg, enum stack_end why) {
  struct flow_listener *l = arg;
  if (l->ended)
    return;
  bury_listener(l, why);
  end_socket(l);
  l->ops->ended(l->arg, why);
}

/* Nobody can be let in any more: peers are to be refused, not taken in and left alone. */
static void end_now(struct flow_listener *l, enum stack_end why) {
  on_ended(l, why);
  l->listener = stack_listener_close(l->listener);
}

static const struct stack_listener_ops listener_ops = {.acceptable = on_acceptable, .ended = on_ended};

/* A listener that follows the interface's addresses is a wildcard to its program: where it is, each connection says. */
static int open_socket(struct flow_listener *l, const struct stack_listen_options *o, uint64_t owner, int *ret_fd) {
  struct stack_listener_info info;
  _cleanup_close_ int fd = -1;
  if (flow_no_sockets(l->table))
    return -ENOPKG;
  stack_listener_info(l->listener, &info);
  const struct net_endpoint at = {.addr = o->follow ? (struct net_addr){.family = o->family} : info.local.addr,
                                  .port = info.local.port};
  int r = seal_chamber_get(l->table->seal, owner, &l->chamber);
  if (r == 0)
    r = seal_listen(l->chamber, &at, l->backlog, &fd);
  if (r == 0)
    r = loop_timer_new(l->table->loop, CLOCK_ID_MONO, on_acceptable, l, &l->look);
  if (r < 0)
    return r == -EPIPE || r == -ETIME ? -ENOPKG : r;
  l->socket = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (l->socket < 0)
    return -errno;
  *ret_fd = TAKE_FD(fd);
  return 0;
}

int flow_listen(struct flow_table *t, const struct net_endpoint *local, const struct stack_listen_options *o, bool socket,
                const struct flow_label *label, const struct flow_listener_ops *ops, void *arg,
                struct flow_listener **ret, int *ret_fd) {
  struct flow_listener *l = calloc(1, sizeof *l);
  if (!l)
    return -ENOMEM;
  *l = (struct flow_listener){.table = t, .ops = ops, .arg = arg, .socket = -1, .backlog = o->backlog};
  int r = flow_entry_init(t, &l->entry, FLOW_LISTENER, label);
  if (r == 0)
    r = stack_tcp_listen(t->stack, local, o, &listener_ops, l, &l->listener);
  if (r == 0 && socket)
    r = open_socket(l, o, label->owner, ret_fd);
  if (r < 0) {
    l->listener = stack_listener_close(l->listener);
    end_socket(l);
    flow_entry_done(&l->entry);
    free(l);
    return r;
  }
  flow_entry_add(t, &l->entry);
  flow_announce(t, &l->entry);
  *ret = l;
  return 0;
}

bool flow_listener_is_socket(const struct flow_listener *l) { return l->socket >= 0; }

/* The program's own word in listen(2) counts, but the grant's bound is above it. The kernel takes a backlog of 0 for 1. */
static bool has_room(const struct flow_listener *l, unsigned waiting, unsigned backlog) {
  return waiting < MIN(MAX(backlog, 1u), l->backlog);
}

static void look_again(struct flow_listener *l) {
  loop_timer_set(l->look, loop_now(l->table->loop, CLOCK_ID_MONO) + l->look_ms * NSEC_PER_MSEC);
  l->look_ms = MIN(l->look_ms * 2, LOOK_LAST_MS);
}

int flow_accept(struct flow_listener *l, struct stack_conn **ret) {
  struct stack_listener_info info;
  unsigned waiting, backlog;
  if (l->ended)
    return -EAGAIN;
  if (l->socket < 0)
    return stack_listener_accept(l->listener, NULL, NULL, ret);
  stack_listener_info(l->listener, &info);
  if (info.waiting == 0)
    return -EAGAIN;
  if (!seal_queue(l->socket, &waiting, &backlog) || flow_no_sockets(l->table)) {
    end_now(l, flow_no_sockets(l->table) ? STACK_END_LIMIT : STACK_END_CLOSED);
    return -EAGAIN;
  }
  if (!has_room(l, waiting, backlog)) {
    look_again(l);
    return -EAGAIN;
  }
  l->look_ms = LOOK_FIRST_MS;
  return stack_listener_accept(l->listener, NULL, NULL, ret);
}

int flow_enter(struct flow_listener *l, struct stack_conn *conn, const struct flow_label *label, const struct flow_ops *ops,
               void *arg, struct flow **ret) {
  struct flow_ends e = FLOW_ENDS_NONE;
  struct stack_conn_info info;
  e.form = &flow_form_socket;
  e.chamber = seal_chamber_ref(l->chamber);
  stack_conn_info(conn, &info);
  int r = seal_enter(l->chamber, &info.local, &info.remote, &e.ours);
  if (r < 0 && flow_make_way(l->table, l->chamber, &info))
    r = seal_enter(l->chamber, &info.local, &info.remote, &e.ours);
  if (r < 0)
    stack_conn_abort(conn, STACK_END_LIMIT);
  else
    r = flow_start(l->table, conn, &e, label, ops, arg, ret);
  if (r == 0)
    l->table->n_sockets++;
  flow_ends_done(&e);
  return r;
}

struct flow_listener *flow_listener_free(struct flow_listener *l) {
  if (!l)
    return NULL;
  if (!l->ended)
    bury_listener(l, STACK_END_CLOSED);
  l->listener = stack_listener_close(l->listener);
  end_socket(l);
  flow_entry_done(&l->entry);
  free(l);
  return NULL;
}

void flow_listener_info(const struct flow_listener *l, struct stack_listener_info *ret) {
  *ret = (struct stack_listener_info){0};
  if (l->listener)
    stack_listener_info(l->listener, ret);
}

uint64_t flow_listener_id(const struct flow_listener *l) { return l->entry.id; }

void flow_listener_entry_info(const struct flow_entry *e, struct flow_info *ret) {
  const struct flow_listener *l = container_of(e, struct flow_listener, entry);
  flow_entry_info(e, ret);
  stack_listener_info(l->listener, &ret->listener);
  if (l->socket >= 0) {
    ret->form = flow_form_socket.name;
    ret->has_queue = seal_queue(l->socket, &ret->queue, &ret->queue_backlog);
  }
  if (ret->listener.waiting + ret->listener.half_open >= ret->listener.backlog)
    ret->blocked = FLOW_BLOCKED_ACCEPT_QUEUE;
}
