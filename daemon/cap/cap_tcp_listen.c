/* SPDX-License-Identifier: BSD-3-Clause
 * TcpListenAuthority: the right to bind. A rule may name "interface-address", whatever the lease gave: the listener is
 * then at all addresses of the interface, and follows them. One that is bound to an address of its own ends with
 * ADDRESS_LOST when that goes.
 */
#include "cap/tcp.h"
#include "cap/tcp_listener.h"

/* --- where ---------------------------------------------------------------------------------------------------------------- */

struct where {
  struct auth_request rq;
  struct net_endpoint bind;
  uint8_t family; /* of "*" and of the interface's; 0: both */
};

static struct stack *stack_of(struct call *call) { return flow_stack(cap_room(cap_of(call))); }

static struct where where_exact(struct call *call, struct net_addr addr, uint16_t port) {
  struct where w = {.rq = {.kind = AUTH_TCP_LISTEN}, .bind = {.addr = addr, .port = port}, .family = addr.family};
  w.rq.to = w.bind;
  w.rq.own = stack_is_own(stack_of(call), &addr);
  w.rq.broadcast = stack_is_broadcast(stack_of(call), &addr);
  w.rq.interface = addr.family ? stack_if_with(stack_of(call), &addr) : NULL;
  w.rq.unrouted = addr.family && !w.rq.interface; /* nobody's address: the stack will say so */
  return w;
}

/* Rights know one wildcard only, which covers both families and either. */
static struct where where_every(struct call *call, uint8_t family, uint16_t port) {
  struct where w = where_exact(call, (struct net_addr){0}, port);
  w.bind.addr.family = w.family = family;
  return w;
}

static bool covered(struct call *call, const struct where *w) {
  struct auth_node_info info;
  auth_info(cap_of(call)->node, &info);
  return auth_rights_cover(info.rights, &w->rq);
}

struct search {
  struct call *call;
  struct where found;
  bool covered;
};

/* The first interface that has an address and is covered; else the first that is covered; else the first that has one. */
static void consider(void *arg, const struct stack_if_info *info) {
  struct search *s = arg;
  struct where w = s->found;
  w.bind.addr = stack_interface_address(stack_of(s->call), info->name, w.family);
  w.rq.to = w.bind;
  w.rq.interface = info->name;
  w.rq.unrouted = false;
  const bool ok = covered(s->call, &w), better = w.bind.addr.family && !s->found.bind.addr.family;
  if (ok ? !s->covered || better : !s->covered && better)
    s->found = w;
  s->covered |= ok;
}

/* addr family 0 in it: that interface has no address, or none has. */
static struct where where_interface(struct call *call, uint8_t family, uint16_t port) {
  struct search s = {.call = call,
                     .found = {.rq = {.kind = AUTH_TCP_LISTEN, .interface_address = true, .to.port = port, .unrouted = true},
                               .bind.port = port,
                               .family = family}};
  stack_if_each(stack_of(call), consider, &s);
  return s.found;
}

/* Of what is several addresses: as asked for; else both, but a program that is given a listening socket expects one of
 * IPv4, which sees its peers as they are. */
static uint8_t family_of(const Capnet__TcpListenRequest *rq, uint8_t asked) {
  return rq->has_family || !rq->socket ? asked : AF_INET;
}

/* Without an address in the request: what the rights name, from the narrowest on. */
static struct where where_default(struct call *call, uint8_t asked, uint8_t family, uint16_t port) {
  struct where w = where_interface(call, family, port);
  if (covered(call, &w))
    return w;
  struct auth_node_info info;
  auth_info(cap_of(call)->node, &info);
  for (unsigned i = 0; info.rights && i < info.rights->n; i++) {
    const struct auth_rule *r = &info.rights->rules[i];
    if (r->where != AUTH_WHERE_PREFIX || (asked && asked != r->prefix.addr.family))
      continue;
    struct where exact = where_exact(call, r->prefix.addr, port);
    if (covered(call, &exact))
      return exact;
  }
  struct where any = where_every(call, family, port);
  return covered(call, &any) ? any : w;
}

static bool parse_family(struct call *call, const Capnet__TcpListenRequest *rq, uint8_t *ret) {
  static const uint8_t families[] = {[CAPNET__TCP_FAMILY__TCP_FAMILY_BOTH] = 0,
                                     [CAPNET__TCP_FAMILY__TCP_FAMILY_IPV4] = AF_INET,
                                     [CAPNET__TCP_FAMILY__TCP_FAMILY_IPV6] = AF_INET6};
  if ((unsigned)rq->family >= ARRAY_SIZE(families)) {
    cap_malformed(call, "family", "no such family");
    return false;
  }
  *ret = families[rq->family];
  return true;
}

static bool parse_address(struct call *call, const char *text, uint8_t family, uint16_t port, struct where *ret) {
  struct net_addr addr;
  if (net_addr_parse(text, &addr) < 0) {
    cap_malformed(call, "address", "an address, * or interface-address");
    return false;
  }
  if (family && family != addr.family) {
    cap_malformed(call, "family", "the address is of another one");
    return false;
  }
  *ret = net_addr_is_unspecified(&addr) ? where_every(call, addr.family, port) : where_exact(call, addr, port);
  return true;
}

static bool parse_where(struct call *call, const Capnet__TcpListenRequest *rq, struct where *ret) {
  uint8_t asked;
  if (!rq->has_port || rq->port == 0 || rq->port > UINT16_MAX) {
    cap_malformed(call, "port", "1 to 65535");
    return false;
  }
  if (!parse_family(call, rq, &asked))
    return false;
  const uint16_t port = (uint16_t)rq->port;
  const uint8_t family = family_of(rq, asked);
  if (!rq->address || !*rq->address)
    *ret = where_default(call, asked, family, port);
  else if (strcmp(rq->address, "interface-address") == 0)
    *ret = where_interface(call, family, port);
  else if (strcmp(rq->address, "*") == 0)
    *ret = where_every(call, family, port);
  else
    return parse_address(call, rq->address, asked, port, ret);
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

/* Answers the call when there is no address that it could be at. */
static bool has_place(struct call *call, const struct where *w) {
  const uint8_t family = w->rq.interface_address ? w->family : 0;
  const char *of = family == AF_INET ? " of IPv4" : family == AF_INET6 ? " of IPv6" : "";
  if (!stack_interface_address(stack_of(call), NULL, family).family) {
    call_error(call, -ENONET, NULL, NULL, "no interface has an address%s yet", of);
    return false;
  }
  if (w->rq.interface_address && !w->bind.addr.family) {
    call_error(call, -ENONET, NULL, NULL, "%s has no address%s yet", w->rq.interface, of);
    return false;
  }
  return true;
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
  if (!has_place(call, &w))
    return;
  const struct cap_listener_request how = {
      .bind = w.bind,
      .options = {.backlog = backlog,
                  .follow = w.rq.interface_address,
                  .family = w.family,
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
