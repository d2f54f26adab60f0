/* SPDX-License-Identifier: BSD-3-Clause
 * Listeners in the table. The queue of waiting connections is the stack's; this only names and shows it.
 */
#include "flow/flow_impl.h"

struct flow_listener {
  struct flow_entry entry;
  struct flow_table *table;
  struct stack_listener *listener;
  const struct flow_listener_ops *ops;
  void *arg;
  bool ended;
};

static void bury_listener(struct flow_listener *l, enum stack_end why) {
  struct flow_info info;
  flow_listener_entry_info(&l->entry, &info);
  info.conn.end = why;
  flow_bury(l->table, &info);
  flow_entry_remove(l->table, &l->entry);
  l->ended = true;
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
  l->ops->ended(l->arg, why);
}

static const struct stack_listener_ops listener_ops = {.acceptable = on_acceptable, .ended = on_ended};

int flow_listen(struct flow_table *t, const struct net_endpoint *local, unsigned backlog,
                const struct flow_label *label, const struct flow_listener_ops *ops, void *arg,
                struct flow_listener **ret) {
  struct flow_listener *l = calloc(1, sizeof *l);
  if (!l)
    return -ENOMEM;
  list_init(&l->entry.link);
  l->table = t;
  l->ops = ops;
  l->arg = arg;
  const struct stack_listen_options o = {.backlog = backlog};
  int r = stack_tcp_listen(t->stack, local, &o, &listener_ops, l, &l->listener);
  if (r < 0) {
    free(l);
    return r;
  }
  flow_entry_add(t, &l->entry, FLOW_LISTENER, label);
  flow_announce(t, &l->entry);
  *ret = l;
  return 0;
}

int flow_accept(struct flow_listener *l, struct stack_conn **ret) {
  return stack_listener_accept(l->listener, NULL, NULL, ret);
}

struct flow_listener *flow_listener_free(struct flow_listener *l) {
  if (!l)
    return NULL;
  if (!l->ended)
    bury_listener(l, STACK_END_CLOSED);
  l->listener = stack_listener_close(l->listener);
  free(l);
  return NULL;
}

void flow_listener_info(const struct flow_listener *l, struct stack_listener_info *ret) {
  stack_listener_info(l->listener, ret);
}

uint64_t flow_listener_id(const struct flow_listener *l) { return l->entry.id; }

void flow_listener_entry_info(const struct flow_entry *e, struct flow_info *ret) {
  const struct flow_listener *l = container_of(e, struct flow_listener, entry);
  flow_entry_info(e, ret);
  stack_listener_info(l->listener, &ret->listener);
  if (ret->listener.waiting + ret->listener.half_open >= ret->listener.backlog)
    ret->blocked = FLOW_BLOCKED_ACCEPT_QUEUE;
}
