/* SPDX-License-Identifier: BSD-3-Clause
 * TcpListenAuthority: the right to bind. A rule may name "interface-address", whatever the lease gave: the listener then
 * follows it from address to address. One that is bound to an address of its own ends with ADDRESS_LOST when that goes.
 */
#include "cap/tcp.h"
#include "cap/tcp_listener.h"

/* --- where ---------------------------------------------------------------------------------------------------------------- */

struct where {
  struct auth_request rq;
  struct net_endpoint bind;
};

static void first_address(void *arg, const struct stack_if_info *info) {
  struct net_addr *ret = arg;
  if (!ret->family)
    *ret = info->addr;
}

static struct net_addr interface_address(struct call *call) {
  struct net_addr a = {0};
  stack_if_each(flow_stack(cap_room(cap_of(call))), first_address, &a);
  return a;
}

static struct where where_interface(struct net_addr addr, uint16_t port) {
  struct where w = {.rq = {.kind = AUTH_TCP_LISTEN, .interface_address = true}, .bind = {.addr = addr, .port = port}};
  w.rq.to = w.bind;
  return w;
}

static struct where where_exact(struct call *call, struct net_addr addr, uint16_t port) {
  struct stack *s = flow_stack(cap_room(cap_of(call)));
  struct where w = {.rq = {.kind = AUTH_TCP_LISTEN}, .bind = {.addr = addr, .port = port}};
  w.rq.to = w.bind;
  w.rq.own = stack_is_own(s, &addr);
  w.rq.broadcast = stack_is_broadcast(s, &addr);
  return w;
}

static bool covered(struct call *call, const struct where *w) {
  struct auth_node_info info;
  auth_info(cap_of(call)->node, &info);
  return auth_rights_cover(info.rights, &w->rq);
}

/* Without an address in the request: what the rights name, from the narrowest on. */
static struct where where_default(struct call *call, struct net_addr iface, uint16_t port) {
  struct where w = where_interface(iface, port);
  if (covered(call, &w))
    return w;
  struct auth_node_info info;
  auth_info(cap_of(call)->node, &info);
  for (unsigned i = 0; info.rights && i < info.rights->n; i++) {
    const struct auth_rule *r = &info.rights->rules[i];
    if (r->where != AUTH_WHERE_PREFIX)
      continue;
    struct where exact = where_exact(call, r->prefix.addr, port);
    if (covered(call, &exact))
      return exact;
  }
  struct where any = where_exact(call, (struct net_addr){0}, port);
  return covered(call, &any) ? any : w;
}

static bool parse_where(struct call *call, const Capnet__TcpListenRequest *rq, struct where *ret) {
  if (!rq->has_port || rq->port == 0 || rq->port > UINT16_MAX) {
    cap_malformed(call, "port", "1 to 65535");
    return false;
  }
  const uint16_t port = (uint16_t)rq->port;
  const struct net_addr iface = interface_address(call);
  struct net_addr addr = {0};
  if (!rq->address || !*rq->address)
    *ret = where_default(call, iface, port);
  else if (strcmp(rq->address, "interface-address") == 0)
    *ret = where_interface(iface, port);
  else if (strcmp(rq->address, "*") == 0)
    *ret = where_exact(call, addr, port);
  else if (net_addr_parse(rq->address, &addr) == 0)
    *ret = where_exact(call, net_addr_is_unspecified(&addr) ? (struct net_addr){0} : addr, port);
  else {
    cap_malformed(call, "address", "an address, * or interface-address");
    return false;
  }
  return true;
}

/* --- the request ------------------------------------------------------------------------------------------------------------ */

#define BACKLOG_DEFAULT 16

static void listen_now(struct call *call, const struct cap_listener_request *how) {
  struct auth_refusal why = {0};
  struct cap_listener_handover h;
  int r = cap_tcp_listener_open(cap_of(call), how, &h, &why);
  if (r == -ENOPKG) {
    tcp_no_sockets(call);
    return;
  }
  if (r < 0) {
    cap_refuse(call, &why);
    return;
  }
  Capnet__TcpListenReply reply = CAPNET__TCP_LISTEN_REPLY__INIT;
  Capnet__Descriptor slot = CAPNET__DESCRIPTOR__INIT, socket = CAPNET__DESCRIPTOR__INIT;
  struct tcp_endpoint_text local;
  slot.has_slot = socket.has_slot = 1;
  (void)call_add_fd(call, h.fd, &slot.slot);
  reply.listener = &slot;
  if (how->socket) {
    (void)call_add_fd(call, h.socket, &socket.slot);
    reply.socket = &socket;
  }
  reply.local = tcp_endpoint_fill(&local, &h.local);
  reply.has_id = 1;
  reply.id = h.id;
  call_reply(call, &reply.base);
}

static void tcp_listen_listen(Capnet__TcpListenAuthority_Service *service, const Capnet__TcpListenRequest *rq,
                              Capnet__TcpListenReply_Closure closure, void *data) {
  (void)service, (void)closure;
  struct call *call = data;
  struct cap *cap = cap_of(call);
  struct where w;
  const uint64_t backlog_max = auth_limit_value(cap->node, LIMIT_LISTEN_BACKLOG);
  const uint32_t backlog = rq->has_backlog ? rq->backlog : (uint32_t)MIN(backlog_max, BACKLOG_DEFAULT);
  if (!parse_where(call, rq, &w) || !cap_decide(call, &w.rq) || !cap_bound(call, LIMIT_LISTEN_BACKLOG, backlog))
    return;
  if (backlog == 0 || rq->overflow > CAPNET__TCP_OVERFLOW__TCP_OVERFLOW_REFUSE) {
    cap_malformed(call, backlog ? "overflow" : "backlog", backlog ? "no such policy" : "at least 1");
    return;
  }
  struct stack_conn_options conn = tcp_options_preset(cap);
  if (!tcp_options_parse(call, rq->options, &conn))
    return;
  if (!stack_conn_options_valid(&conn)) {
    cap_malformed(call, "options", "an option is out of range");
    return;
  }
  if (!interface_address(call).family) {
    call_error(call, -ENONET, NULL, NULL, "no interface has an address yet");
    return;
  }
  const struct cap_listener_request how = {
      .bind = w.bind,
      .options = {.backlog = backlog,
                  .follow = w.rq.interface_address,
                  .conn = conn,
                  .overflow = rq->overflow == CAPNET__TCP_OVERFLOW__TCP_OVERFLOW_REFUSE ? STACK_OVERFLOW_REFUSE
                                                                                         : STACK_OVERFLOW_WAIT},
      .socket = rq->socket};
  listen_now(call, &how);
}

/* --- the table ---------------------------------------------------------------------------------------------------------------- */

static void tcp_listen_release(struct cap *c) { (void)c; } /* listeners are capabilities of their own */

static Capnet__TcpListenAuthority_Service tcp_listen_service = CAPNET__TCP_LISTEN_AUTHORITY__INIT(tcp_listen_);

const struct cap_kind cap_tcp_listen_kind = {.kind = AUTH_TCP_LISTEN,
                                             .size = sizeof(struct cap),
                                             .service = &tcp_listen_service.base,
                                             .release = tcp_listen_release};
