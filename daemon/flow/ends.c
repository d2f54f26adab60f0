/* SPDX-License-Identifier: BSD-3-Clause
 * Which form a client's descriptor takes.
 */
#include "flow/flow_impl.h"

#include <stdio.h>

void flow_table_set_seal(struct flow_table *t, struct seal *seal, const char *why) {
  t->seal = seal;
  (void)snprintf(t->no_seal, sizeof t->no_seal, "%s", why ? why : "");
}

const char *flow_why_no_sockets(const struct flow_table *t) { return t->seal ? seal_why_not(t->seal) : t->no_seal; }

const char *flow_no_sockets(struct flow_table *t) {
  if (t->seal)
    (void)seal_wait(t->seal);
  return flow_why_no_sockets(t);
}

void flow_ends_done(struct flow_ends *e) {
  e->ours = fd_close(e->ours);
  e->client = fd_close(e->client);
  e->chamber = seal_chamber_unref(e->chamber);
}

static int open_ends(struct flow_table *t, struct stack_conn *conn, enum flow_form_wish wish, uint64_t owner,
                     struct flow_ends *ret) {
  int r = -ENOPKG;
  if (wish != FLOW_FORM_PAIR && !flow_no_sockets(t))
    r = flow_socket_open(t, conn, owner, ret);
  if (r == 0 || wish == FLOW_FORM_SOCKET)
    return r == -EPIPE || r == -ETIME ? -ENOPKG : r;
  if (r != -ENOPKG)
    t->n_fallbacks++;
  return flow_pair_open(ret);
}

int flow_new(struct flow_table *t, struct stack_conn *conn, enum flow_form_wish wish, const struct flow_label *label,
             const struct flow_ops *ops, void *arg, struct flow **ret, int *ret_fd) {
  struct flow_ends e = FLOW_ENDS_NONE;
  int r = open_ends(t, conn, wish, label->owner, &e);
  if (r < 0) {
    stack_conn_abort(conn, STACK_END_LIMIT);
    return r;
  }
  const bool socket = e.form == &flow_form_socket;
  r = flow_start(t, conn, &e, label, ops, arg, ret);
  if (r == 0) {
    *ret_fd = TAKE_FD(e.client);
    t->n_sockets += socket;
  }
  flow_ends_done(&e);
  return r;
}
