/* SPDX-License-Identifier: BSD-3-Clause
 * TcpSocket: the control of one connection. It owns the flow. The client may close the control and keep the data
 * descriptor: the capability then lives on without an endpoint until the flow is over. When the flow is over first, the
 * control stays and tells why.
 */
#include "cap/tcp.h"

struct waiter {
  struct list link;
  struct call *call;
};

struct cap_tcp_socket {
  struct cap cap;
  struct flow *flow; /* until the capability is released */
  bool charged, over;
  enum stack_end end; /* once it is over */
  struct list waiters; /* of WaitEnd */
};

static struct cap_tcp_socket *socket_of(struct call *call) { return (struct cap_tcp_socket *)cap_of(call); }

/* --- status ------------------------------------------------------------------------------------------------------------ */

/* One sentence on the end. A time-out may have been announced by ICMP. */
static const char *end_sentence(const struct stack_conn_info *i, Capnet__ErrorCode code) {
  switch (i->end == STACK_END_TIMED_OUT ? i->end_error : 0) {
  case -EHOSTUNREACH: return "host unreachable (ICMP), then timed out";
  case -ENETUNREACH: return "network unreachable (ICMP), then timed out";
  case -ECONNREFUSED: return "port unreachable (ICMP), then timed out";
  default: return error_code_sentence(code);
  }
}

static void status_reply(struct call *call, const struct flow_info *info) {
  Capnet__TcpStatusReply reply = CAPNET__TCP_STATUS_REPLY__INIT;
  Capnet__TcpOptions options;
  Capnet__Error error = CAPNET__ERROR__INIT;
  struct tcp_endpoint_text local, remote;
  tcp_options_fill(&options, &info->conn.options);
  reply.state = (char *)stack_tcp_state_name(info->dead ? STACK_TCP_CLOSED : info->conn.state);
  reply.has_end = reply.has_bytes_in = reply.has_bytes_out = 1;
  reply.end = (Capnet__TcpEnd)info->conn.end;
  reply.options = &options;
  reply.bytes_in = info->conn.bytes_in;
  reply.bytes_out = info->conn.bytes_out;
  reply.local = tcp_endpoint_fill(&local, &info->conn.local);
  reply.remote = tcp_endpoint_fill(&remote, &info->conn.remote);
  int e = info->dead ? tcp_end_errno(info->conn.end) : 0;
  if (e) {
    error.has_code = 1;
    error.code = error_code_from_errno(e);
    error.message = (char *)end_sentence(&info->conn, error.code);
    reply.error = &error;
  }
  call_reply(call, &reply.base);
}

static void current(struct cap_tcp_socket *s, struct flow_info *ret) {
  flow_info(s->flow, ret);
  if (s->over) {
    ret->dead = true;
    ret->conn.end = s->end;
  }
}

static void tcp_socket_status(Capnet__TcpSocket_Service *service, const Capnet__TcpStatusRequest *rq,
                              Capnet__TcpStatusReply_Closure closure, void *data) {
  (void)service, (void)rq, (void)closure;
  struct flow_info info;
  current(socket_of(data), &info);
  status_reply(data, &info);
}

/* --- control ------------------------------------------------------------------------------------------------------------ */

static bool alive(struct call *call) {
  if (!socket_of(call)->over)
    return true;
  call_error(call, -EBUSY, NULL, NULL, "the connection is over");
  return false;
}

static void tcp_socket_set_options(Capnet__TcpSocket_Service *service, const Capnet__TcpSetOptionsRequest *rq,
                                   Capnet__TcpSetOptionsReply_Closure closure, void *data) {
  (void)service, (void)closure;
  struct cap_tcp_socket *s = socket_of(data);
  if (!alive(data))
    return;
  struct flow_info info;
  flow_info(s->flow, &info);
  struct stack_conn_options o = info.conn.options;
  if (!tcp_options_parse(data, rq->options, &o))
    return;
  int r = flow_set_options(s->flow, &o);
  if (r < 0) {
    call_error(data, r, NULL, "options", "an option is out of range");
    return;
  }
  flow_info(s->flow, &info);
  Capnet__TcpOptions options;
  Capnet__TcpSetOptionsReply reply = CAPNET__TCP_SET_OPTIONS_REPLY__INIT;
  tcp_options_fill(&options, &info.conn.options);
  reply.options = &options;
  call_reply(data, &reply.base);
}

static void tcp_socket_shutdown(Capnet__TcpSocket_Service *service, const Capnet__TcpShutdownRequest *rq,
                                Capnet__TcpShutdownReply_Closure closure, void *data) {
  (void)service, (void)rq, (void)closure;
  if (!alive(data))
    return;
  flow_shutdown(socket_of(data)->flow);
  Capnet__TcpShutdownReply reply = CAPNET__TCP_SHUTDOWN_REPLY__INIT;
  call_reply(data, &reply.base);
}

static void tcp_socket_abort(Capnet__TcpSocket_Service *service, const Capnet__TcpAbortRequest *rq,
                             Capnet__TcpAbortReply_Closure closure, void *data) {
  (void)service, (void)rq, (void)closure;
  if (!alive(data))
    return;
  flow_abort(socket_of(data)->flow, STACK_END_RESET_LOCAL);
  Capnet__TcpAbortReply reply = CAPNET__TCP_ABORT_REPLY__INIT;
  call_reply(data, &reply.base);
}

static void waiter_free(struct waiter *w) {
  list_remove(&w->link);
  free(w);
}

static void on_wait_cancel(void *arg, int reason) {
  (void)reason;
  waiter_free(arg);
}

static void tcp_socket_wait_end(Capnet__TcpSocket_Service *service, const Capnet__TcpWaitEndRequest *rq,
                                Capnet__TcpStatusReply_Closure closure, void *data) {
  (void)rq;
  struct cap_tcp_socket *s = socket_of(data);
  if (s->over) {
    tcp_socket_status(service, NULL, closure, data);
    return;
  }
  struct waiter *w = malloc(sizeof *w);
  if (!w) {
    call_error(data, -ENOMEM, NULL, NULL, "out of memory");
    return;
  }
  w->call = data;
  list_append(&s->waiters, &w->link);
  call_on_cancel(data, on_wait_cancel, w);
}

/* --- events ------------------------------------------------------------------------------------------------------------- */

static void uncharge(struct cap_tcp_socket *s) {
  if (s->charged)
    auth_uncharge(s->cap.node, LIMIT_SOCKETS, 1);
  s->charged = false;
}

static void on_over(void *arg, enum stack_end why) {
  struct cap_tcp_socket *s = arg;
  s->over = true;
  s->end = why;
  uncharge(s);
  if (!s->cap.ep) { /* nobody can ask */
    cap_end(&s->cap, 0);
    return;
  }
  struct flow_info info;
  current(s, &info);
  while (!list_empty(&s->waiters)) {
    struct waiter *w = list_first(&s->waiters, struct waiter, link);
    struct call *call = w->call;
    waiter_free(w);
    status_reply(call, &info);
  }
}

const struct flow_ops cap_tcp_socket_flow_ops = {.over = on_over};

void cap_tcp_socket_attach(struct cap *c, struct flow *f) {
  struct cap_tcp_socket *s = (struct cap_tcp_socket *)c;
  s->flow = f;
  s->charged = true;
}

static void tcp_socket_release(struct cap *c) {
  struct cap_tcp_socket *s = (struct cap_tcp_socket *)c;
  if (!s->flow)
    return;
  if (c->ended)
    flow_abort(s->flow, STACK_END_REVOKED);
  s->flow = flow_free(s->flow);
  uncharge(s);
}

static bool tcp_socket_survives(const struct cap *c) {
  const struct cap_tcp_socket *s = (const struct cap_tcp_socket *)c;
  return s->flow && !s->over;
}

/* --- the table ------------------------------------------------------------------------------------------------------------ */

static void tcp_socket_init(struct cap *c) { list_init(&((struct cap_tcp_socket *)c)->waiters); }

static Capnet__TcpSocket_Service tcp_socket_service = CAPNET__TCP_SOCKET__INIT(tcp_socket_);

const struct cap_kind cap_tcp_socket_kind = {.kind = AUTH_TCP_SOCKET,
                                             .size = sizeof(struct cap_tcp_socket),
                                             .service = &tcp_socket_service.base,
                                             .init = tcp_socket_init,
                                             .release = tcp_socket_release,
                                             .survives = tcp_socket_survives};
