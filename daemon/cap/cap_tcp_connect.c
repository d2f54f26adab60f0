/* SPDX-License-Identifier: BSD-3-Clause
 * TcpConnectAuthority: the right to open connections. A Connect call is parked while the handshake runs; it holds one
 * socket of the budget from the start, so that attempts cannot outnumber what connections could.
 */
#include "cap/tcp.h"

struct connect {
  struct call *call;
  struct cap *cap;
  struct flow_attempt *attempt;
  enum flow_form_wish form;
  bool control;
};

static void connect_free(struct connect *c) {
  auth_uncharge(c->cap->node, LIMIT_SOCKETS, 1);
  free(c);
}

/* --- events ---------------------------------------------------------------------------------------------------------- */

static void on_connected(void *arg, struct stack_conn *conn) {
  struct connect *c = arg;
  struct call *call = c->call;
  struct cap *cap = c->cap;
  const enum flow_form_wish form = c->form;
  const bool control = c->control;
  connect_free(c);
  tcp_answer(call, cap, conn, form, control);
}

static void on_failed(void *arg, enum stack_end why, int error) {
  struct connect *c = arg;
  struct call *call = c->call;
  connect_free(c);
  int e = error ? error : tcp_end_errno(why);
  call_error(call, e, NULL, NULL, "%s", error_code_sentence(error_code_from_errno(e)));
}

static const struct flow_attempt_ops attempt_ops = {.connected = on_connected, .failed = on_failed};

static void on_cancel(void *arg, int reason) {
  struct connect *c = arg;
  enum stack_end why = reason == -ETIME ? STACK_END_TIMED_OUT : c->cap->ended ? STACK_END_REVOKED : STACK_END_RESET_LOCAL;
  c->attempt = flow_attempt_cancel(c->attempt, why);
  connect_free(c);
}

/* --- the request ------------------------------------------------------------------------------------------------------ */

static bool decide(struct call *call, const struct net_endpoint *local, const struct net_endpoint *remote) {
  struct stack *stack = flow_stack(cap_room(cap_of(call)));
  struct auth_request rq = {.kind = AUTH_TCP_CONNECT,
                            .to = *remote,
                            .own = stack_is_own(stack, &remote->addr),
                            .broadcast = stack_is_broadcast(stack, &remote->addr)};
  cap_way(&rq, stack, &local->addr, &remote->addr);
  return cap_decide(call, &rq);
}

/* Where a connection comes from is the stack's affair, and no rule names it. A holder may choose the port, as the stack
 * would, but none that peers take for a sign of rank (RFC 1700's "only by system processes"). A port that is listened on is
 * refused by the stack, and a connection never keeps a listener from binding: no shadow either way. */
#define LOCAL_PORT_MIN 1024

static bool local_allowed(struct call *call, const struct net_endpoint *local) {
  if (local->port == 0 || local->port >= LOCAL_PORT_MIN)
    return true;
  struct auth_node_info info;
  auth_info(cap_of(call)->node, &info);
  call_error(call, -EACCES, info.grant, "connect.local", "no connection is made from a port below %d", LOCAL_PORT_MIN);
  return false;
}

static void tcp_connect_connect(Capnet__TcpConnectAuthority_Service *service, const Capnet__TcpConnectRequest *rq,
                                Capnet__TcpConnection_Closure closure, void *data) {
  (void)service, (void)closure;
  struct call *call = data;
  struct cap *cap = cap_of(call);
  struct net_endpoint remote = {0}, local = {0};
  struct stack_conn_options options = tcp_options_preset(cap);
  enum flow_form_wish form;
  if (!tcp_endpoint_parse(call, "remote", rq->remote, false, &remote) ||
      (rq->local && !tcp_endpoint_parse(call, "local", rq->local, true, &local)) || !decide(call, &local, &remote) ||
      !local_allowed(call, &local) || !tcp_form_parse(call, rq->has_form, rq->form, &form) ||
      !tcp_options_parse(call, rq->options, &options) || !cap_charge(call, LIMIT_SOCKETS, 1))
    return;
  struct connect *c = calloc(1, sizeof *c);
  struct tcp_label label;
  tcp_label(cap->node, &label);
  int r = -ENOMEM;
  if (c) {
    *c = (struct connect){.call = call, .cap = cap, .form = form, .control = !rq->has_control || rq->control};
    r = flow_connect(cap_room(cap), rq->local ? &local : NULL, &remote, &options, &label.flow, &attempt_ops, c, &c->attempt);
  }
  if (r < 0) {
    auth_uncharge(cap->node, LIMIT_SOCKETS, 1);
    free(c);
    call_error(call, r, NULL, NULL, "%s", error_code_sentence(error_code_from_errno(r)));
    return;
  }
  call_on_cancel(call, on_cancel, c);
  call_limit_deadline(call, auth_limit_value(cap->node, LIMIT_CONNECT_TIME));
}

/* --- the table --------------------------------------------------------------------------------------------------------- */

static void tcp_connect_release(struct cap *c) { (void)c; } /* attempts end with their calls */

static Capnet__TcpConnectAuthority_Service tcp_connect_service = CAPNET__TCP_CONNECT_AUTHORITY__INIT(tcp_connect_);

const struct cap_kind cap_tcp_connect_kind = {.kind = AUTH_TCP_CONNECT,
                                              .size = sizeof(struct cap),
                                              .service = &tcp_connect_service.base,
                                              .release = tcp_connect_release};
