/* SPDX-License-Identifier: BSD-3-Clause
 * TCP values between wire and stack, and the handing over of a connection.
 */
#include "cap/tcp.h"

#include <assert.h>
#include <stdio.h>

/* As on Linux, for a client that names only the idle time. */
#define KEEPALIVE_INTERVAL_S 75
#define KEEPALIVE_COUNT 9

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

void tcp_options_parse(const Capnet__TcpOptions *m, struct stack_conn_options *o) {
  if (!m)
    return;
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
}

void tcp_label(const struct auth_node *n, struct flow_label *ret) {
  struct auth_node_info info;
  auth_info(n, &info);
  memset(ret, 0, sizeof *ret);
  ret->cap_id = info.id;
  (void)snprintf(ret->grant, sizeof ret->grant, "%s", info.grant);
  (void)cap_taker_format(&info.taker, ret->taken_by);
}
static_assert(sizeof(((struct flow_label *)0)->taken_by) >= CAP_TAKER_STRLEN, "a taker fits its label");

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

int tcp_hand_over(struct cap *authority, struct stack_conn *conn, struct tcp_handover *ret, struct auth_refusal *why) {
  const struct auth_spec spec = {.kind = AUTH_TCP_SOCKET};
  struct cap *socket;
  struct flow *flow;
  struct flow_label label;
  struct stack_conn_info info;
  *why = (struct auth_refusal){0};
  int r = cap_mint(authority->caps, authority->node, &spec, authority, &socket, &ret->control, why);
  if (r < 0) {
    stack_conn_abort(conn, STACK_END_LIMIT);
    return handover_failed(why, r);
  }
  r = auth_charge(socket->node, LIMIT_SOCKETS, 1, why);
  if (r < 0)
    stack_conn_abort(conn, STACK_END_LIMIT);
  else {
    stack_conn_set_rcvbuf(conn, auth_limit_value(socket->node, LIMIT_SOCKET_RCVBUF));
    stack_conn_info(conn, &info);
    tcp_label(socket->node, &label);
    r = flow_new(cap_room(socket), conn, &label, &cap_tcp_socket_flow_ops, socket, &flow, &ret->data);
    if (r < 0)
      auth_uncharge(socket->node, LIMIT_SOCKETS, 1);
  }
  if (r < 0) {
    ret->control = fd_close(ret->control);
    cap_end(socket, 0);
    return handover_failed(why, r);
  }
  cap_tcp_socket_attach(socket, flow);
  capnet__tcp_connection__init(&ret->msg);
  capnet__descriptor__init(&ret->data_slot);
  capnet__descriptor__init(&ret->control_slot);
  ret->msg.data = &ret->data_slot;
  ret->msg.control = &ret->control_slot;
  ret->msg.local = tcp_endpoint_fill(&ret->local, &info.local);
  ret->msg.remote = tcp_endpoint_fill(&ret->remote, &info.remote);
  ret->msg.has_id = 1;
  ret->msg.id = flow_id(flow);
  return 0;
}

void tcp_answer(struct call *call, struct cap *authority, struct stack_conn *conn) {
  struct tcp_handover h;
  struct auth_refusal why;
  if (tcp_hand_over(authority, conn, &h, &why) < 0) {
    cap_refuse(call, &why);
    return;
  }
  h.data_slot.has_slot = h.control_slot.has_slot = 1;
  (void)call_add_fd(call, h.data, &h.data_slot.slot);
  (void)call_add_fd(call, h.control, &h.control_slot.slot);
  call_reply(call, &h.msg.base);
}
