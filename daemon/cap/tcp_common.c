/* SPDX-License-Identifier: BSD-3-Clause
 * TCP values between wire and stack, and the handing over of a connection.
 */
#include "cap/tcp.h"

#include <assert.h>
#include <stdio.h>

/* As on Linux, for a client that names only the idle time. */
#define KEEPALIVE_INTERVAL_S 75
#define KEEPALIVE_COUNT 9

static_assert((int)FLOW_FORM_SOCKET == (int)CAPNET__TCP_FORM__TCP_FORM_SOCKET &&
                  (int)FLOW_FORM_PAIR == (int)CAPNET__TCP_FORM__TCP_FORM_PAIR,
              "the wire's forms are the flow room's");
static_assert((int)STACK_END_LIMIT == (int)CAPNET__TCP_END__TCP_END_LIMIT &&
                  (int)STACK_END_REVOKED == (int)CAPNET__TCP_END__TCP_END_REVOKED,
              "the wire's reasons are the stack's, in the same order");

bool tcp_endpoint_parse(struct call *call, const char *field, const Capnet__TcpEndpoint *e, bool port_optional,
                        struct net_endpoint *ret) {
  if (!e || !e->address || net_addr_parse(e->address, &ret->addr) < 0) {
    cap_malformed(call, field, "not an address");
    return false;
  }
  if ((!e->has_port && !port_optional) || e->port > UINT16_MAX || (e->port == 0 && !port_optional)) {
    cap_malformed(call, field, "port out of range");
    return false;
  }
  ret->port = (uint16_t)e->port;
  return true;
}

Capnet__TcpEndpoint *tcp_endpoint_fill(struct tcp_endpoint_text *t, const struct net_endpoint *e) {
  capnet__tcp_endpoint__init(&t->msg);
  t->msg.address = (char *)net_addr_format(&e->addr, t->text);
  t->msg.has_port = 1;
  t->msg.port = e->port;
  return &t->msg;
}

struct stack_conn_options tcp_options_preset(const struct cap *authority) {
  struct auth_node_info info;
  auth_info(authority->node, &info);
  return (struct stack_conn_options){.congestion = info.congestion[0] ? stack_congestion_find(info.congestion) : NULL};
}

static bool congestion_parse(struct call *call, const char *name, struct stack_conn_options *o) {
  char known[STACK_CONGESTION_STRLEN];
  const char *found = stack_congestion_find(name);
  if (found) {
    o->congestion = found;
    return true;
  }
  call_error(call, -EINVAL, NULL, "options.congestion", "there is no such congestion controller; there are %s",
             stack_congestion_names(known));
  return false;
}

bool tcp_options_parse(struct call *call, const Capnet__TcpOptions *m, struct stack_conn_options *o) {
  if (!m)
    return true;
  if (m->congestion && !congestion_parse(call, m->congestion, o))
    return false;
  if (m->has_keepalive_idle_s)
    o->keepalive_idle_s = m->keepalive_idle_s;
  if (m->has_keepalive_interval_s)
    o->keepalive_interval_s = m->keepalive_interval_s;
  if (m->has_keepalive_count)
    o->keepalive_count = m->keepalive_count;
  if (o->keepalive_idle_s && !o->keepalive_interval_s && !m->has_keepalive_interval_s)
    o->keepalive_interval_s = KEEPALIVE_INTERVAL_S;
  if (o->keepalive_idle_s && !o->keepalive_count && !m->has_keepalive_count)
    o->keepalive_count = KEEPALIVE_COUNT;
  if (m->has_user_timeout_ms)
    o->user_timeout_ms = m->user_timeout_ms;
  if (m->has_idle_timeout_ms)
    o->idle_timeout_ms = m->idle_timeout_ms;
  if (m->has_nodelay)
    o->nodelay = m->nodelay;
  return true;
}

void tcp_options_fill(Capnet__TcpOptions *m, const struct stack_conn_options *o) {
  capnet__tcp_options__init(m);
  m->has_keepalive_idle_s = m->has_keepalive_interval_s = m->has_keepalive_count = 1;
  m->keepalive_idle_s = o->keepalive_idle_s;
  m->keepalive_interval_s = o->keepalive_interval_s;
  m->keepalive_count = o->keepalive_count;
  m->has_user_timeout_ms = m->has_idle_timeout_ms = m->has_nodelay = 1;
  m->user_timeout_ms = o->user_timeout_ms;
  m->idle_timeout_ms = o->idle_timeout_ms;
  m->nodelay = o->nodelay;
  m->congestion = o->congestion && o->congestion[0] ? (char *)o->congestion : NULL;
}

void tcp_no_sockets(struct call *call) {
  const char *why = flow_no_sockets(cap_room(cap_of(call)));
  call_error(call, -ENOPKG, NULL, "form", "real sockets cannot be had: %s", why ? why : "the helper process is in trouble");
}

bool tcp_form_parse(struct call *call, bool has_form, Capnet__TcpForm form, enum flow_form_wish *ret) {
  if (!has_form)
    form = CAPNET__TCP_FORM__TCP_FORM_AUTO;
  switch ((int)form) {
  case FLOW_FORM_SOCKET:
    if (flow_no_sockets(cap_room(cap_of(call)))) {
      tcp_no_sockets(call);
      return false;
    }
    /* fallthrough */
  case FLOW_FORM_AUTO:
  case FLOW_FORM_PAIR: *ret = (enum flow_form_wish)form; return true;
  default: cap_malformed(call, "form", "no such form"); return false;
  }
}

static uint64_t grant_of(const struct auth_node *n) {
  struct auth_node_info info;
  for (const struct auth_node *up; (up = auth_parent(n));)
    n = up;
  auth_info(n, &info);
  return info.id;
}

void tcp_label(const struct auth_node *n, struct tcp_label *ret) {
  struct auth_node_info info;
  auth_info(n, &info);
  ret->flow = (struct flow_label){.cap_id = info.id,
                                  .owner = grant_of(n),
                                  .grant = info.grant,
                                  .taken_by = cap_taker_format(&info.taker, ret->taken_by)};
}
static_assert(FLOW_TAKER_MAX >= CAP_TAKER_STRLEN && FLOW_GRANT_MAX >= AUTH_NAME_MAX, "both fit the table's labels");

int tcp_end_errno(enum stack_end why) {
  switch (why) {
  case STACK_END_NONE:
  case STACK_END_CLOSED: return 0;
  case STACK_END_RESET_BY_PEER:
  case STACK_END_RESET_LOCAL: return -ECONNRESET;
  case STACK_END_REFUSED: return -ECONNREFUSED;
  case STACK_END_TIMED_OUT: return -ETIMEDOUT;
  case STACK_END_UNREACHABLE: return -EHOSTUNREACH;
  case STACK_END_REVOKED: return -EKEYREVOKED;
  case STACK_END_ADDRESS_LOST: return error_code_to_errno(CAPNET__ERROR_CODE__ERROR_ADDRESS_LOST) * -1;
  case STACK_END_LIMIT:
  case STACK_END_COUNT: break;
  }
  return -ENOBUFS;
}

static int handover_failed(struct auth_refusal *why, int r) {
  if (why->error == 0) {
    why->error = r;
    (void)snprintf(why->text, sizeof why->text, "the connection cannot be handed over: %s",
                   error_code_sentence(error_code_from_errno(r)));
  }
  return r;
}

/* The capability of an established connection, charged for, and its label. Without ret_control nobody gets the client's
 * end. On failure conn was reset. */
static int socket_new(struct cap *authority, struct stack_conn *conn, struct cap **ret, int *ret_control,
                      struct tcp_label *ret_label, struct auth_refusal *why) {
  const struct auth_spec spec = {.kind = AUTH_TCP_SOCKET};
  *why = (struct auth_refusal){0};
  int r = cap_mint(authority->caps, authority->node, &spec, authority, ret, ret_control, why);
  if (r == 0) {
    r = auth_charge((*ret)->node, LIMIT_SOCKETS, 1, why);
    if (r < 0) {
      if (ret_control)
        *ret_control = fd_close(*ret_control);
      cap_end(*ret, 0);
    }
  }
  if (r < 0) {
    stack_conn_abort(conn, STACK_END_LIMIT);
    return r;
  }
  stack_conn_set_rcvbuf_max(conn, auth_limit_value((*ret)->node, LIMIT_SOCKET_RCVBUF));
  tcp_label((*ret)->node, ret_label);
  return 0;
}

/* What socket_new did is undone, or the flow becomes the capability's. */
static int socket_done(struct cap *socket, struct flow *flow, int r) {
  if (r < 0) {
    auth_uncharge(socket->node, LIMIT_SOCKETS, 1);
    cap_end(socket, 0);
  } else
    cap_tcp_socket_attach(socket, flow);
  return r;
}

int tcp_hand_over(struct cap *authority, struct stack_conn *conn, enum flow_form_wish wish, bool control,
                  struct tcp_handover *ret, struct auth_refusal *why) {
  struct cap *socket;
  struct flow *flow = NULL;
  struct tcp_label label;
  struct stack_conn_info info;
  stack_conn_info(conn, &info);
  ret->control = -1;
  int r = socket_new(authority, conn, &socket, control ? &ret->control : NULL, &label, why);
  if (r < 0)
    return handover_failed(why, r);
  r = flow_new(cap_room(socket), conn, wish, &label.flow, &cap_tcp_socket_flow_ops, socket, &flow, &ret->data);
  if (r < 0)
    ret->control = fd_close(ret->control);
  if (socket_done(socket, flow, r) < 0)
    return handover_failed(why, r);
  capnet__tcp_connection__init(&ret->msg);
  capnet__descriptor__init(&ret->data_slot);
  capnet__descriptor__init(&ret->control_slot);
  ret->msg.data = &ret->data_slot;
  ret->msg.control = control ? &ret->control_slot : NULL;
  ret->msg.local = tcp_endpoint_fill(&ret->local, &info.local);
  ret->msg.remote = tcp_endpoint_fill(&ret->remote, &info.remote);
  ret->msg.has_id = ret->msg.has_form = 1;
  ret->msg.id = flow_id(flow);
  ret->msg.form = flow_is_socket(flow) ? CAPNET__TCP_FORM__TCP_FORM_SOCKET : CAPNET__TCP_FORM__TCP_FORM_PAIR;
  return 0;
}

int tcp_enter(struct cap *authority, struct flow_listener *l, struct stack_conn *conn, struct auth_refusal *why) {
  struct cap *socket;
  struct flow *flow = NULL;
  struct tcp_label label;
  int r = socket_new(authority, conn, &socket, NULL, &label, why);
  if (r < 0)
    return r;
  r = flow_enter(l, conn, &label.flow, &cap_tcp_socket_flow_ops, socket, &flow);
  return socket_done(socket, flow, r);
}

void tcp_answer(struct call *call, struct cap *authority, struct stack_conn *conn, enum flow_form_wish wish,
                bool control) {
  struct tcp_handover h;
  struct auth_refusal why;
  if (tcp_hand_over(authority, conn, wish, control, &h, &why) < 0) {
    cap_refuse(call, &why);
    return;
  }
  h.data_slot.has_slot = h.control_slot.has_slot = 1;
  (void)call_add_fd(call, h.data, &h.data_slot.slot);
  if (control)
    (void)call_add_fd(call, h.control, &h.control_slot.slot);
  call_reply(call, &h.msg.base);
}
