/* SPDX-License-Identifier: BSD-3-Clause
 * Connections that are being opened: in the table from the first SYN on, so that status shows them, and with the reason
 * among the dead when they fail.
 */
#include "flow/flow_impl.h"

struct flow_attempt {
  struct flow_entry entry;
  struct flow_table *table;
  struct stack_conn *conn;
  const struct flow_attempt_ops *ops;
  void *arg;
};

static void attempt_done(struct flow_attempt *a) {
  flow_entry_remove(a->table, &a->entry);
  flow_entry_done(&a->entry);
  free(a);
}

static void bury_attempt(struct flow_attempt *a, enum stack_end why) {
  struct flow_info info;
  flow_attempt_info(&a->entry, &info);
  info.conn.end = why;
  flow_bury(a->table, &info);
}

static void on_connected(void *arg) {
  struct flow_attempt *a = arg;
  const struct flow_attempt_ops *ops = a->ops;
  void *owner = a->arg;
  struct stack_conn *conn = TAKE_PTR(a->conn);
  stack_conn_set_ops(conn, NULL, NULL);
  attempt_done(a);
  ops->connected(owner, conn);
}

static void on_failed(void *arg, enum stack_end why) {
  struct flow_attempt *a = arg;
  const struct flow_attempt_ops *ops = a->ops;
  void *owner = a->arg;
  struct stack_conn_info info;
  stack_conn_info(a->conn, &info);
  bury_attempt(a, why);
  a->conn = stack_conn_close(a->conn);
  attempt_done(a);
  ops->failed(owner, why, info.end_error);
}

static const struct stack_conn_ops attempt_ops = {.connected = on_connected, .ended = on_failed};

int flow_connect(struct flow_table *t, const struct net_endpoint *local, const struct net_endpoint *remote,
                 const struct stack_conn_options *options, const struct flow_label *label,
                 const struct flow_attempt_ops *ops, void *arg, struct flow_attempt **ret) {
  struct flow_attempt *a = calloc(1, sizeof *a);
  if (!a)
    return -ENOMEM;
  a->table = t;
  a->ops = ops;
  a->arg = arg;
  int r = flow_entry_init(t, &a->entry, FLOW_ATTEMPT, label);
  if (r == 0)
    r = stack_tcp_connect(t->stack, local, remote, &attempt_ops, a, &a->conn);
  if (r >= 0 && options)
    r = stack_conn_set_options(a->conn, options);
  if (r < 0) {
    a->conn = stack_conn_abort(a->conn, STACK_END_RESET_LOCAL);
    flow_entry_done(&a->entry);
    free(a);
    return r;
  }
  flow_entry_add(t, &a->entry);
  flow_announce(t, &a->entry);
  *ret = a;
  return 0;
}

struct flow_attempt *flow_attempt_cancel(struct flow_attempt *a, enum stack_end why) {
  if (!a)
    return NULL;
  bury_attempt(a, why);
  a->conn = stack_conn_abort(a->conn, why);
  attempt_done(a);
  return NULL;
}

void flow_attempt_info(const struct flow_entry *e, struct flow_info *ret) {
  const struct flow_attempt *a = container_of(e, struct flow_attempt, entry);
  flow_entry_info(e, ret);
  stack_conn_info(a->conn, &ret->conn);
}
