/* SPDX-License-Identifier: BSD-3-Clause
 * What the machines say is done here, in their order: messages are sent, the stack gets addresses, routes and parameters,
 * the rooms above are told. Decides nothing.
 */
#include "netconf/netconf_ip6.h"

#include "base/util.h"
#include "netconf/slaac_lists.h"

static uint64_t end_of(uint64_t until) { return until == ADDRS6_FOREVER ? 0 : until; }

/* --- what is brought along ---------------------------------------------------------------------------------------- */

static void add_server(struct names_config *c, const struct net_addr *a, const char *origin) {
  if (c->n_servers < NAMES_SERVERS_MAX)
    c->servers[c->n_servers++] = (struct names_server){{*a, 53}, origin};
}
static void add_domain(struct names_config *c, const char *name, const char *origin) {
  if (c->n_search == NAMES_SEARCH_MAX)
    return;
  struct names_domain *d = &c->search[c->n_search++];
  memcpy(d->name, name, sizeof(d->name));
  d->origin = origin;
}

/* RFC 8106 5.3.1: what DHCP says comes before what routers say. */
static void bring_resolver(struct netconf_ip6 *p) {
  struct names_config *c = &p->brought.resolver;
  *c = (struct names_config){0};
  for (unsigned i = 0; i < p->dhcp.params.n_dns; i++)
    add_server(c, &p->dhcp.params.dns[i], "dhcp6");
  for (unsigned i = 0; i < p->slaac.n_servers; i++)
    add_server(c, &p->slaac.servers[i].addr, "ra");
  for (unsigned i = 0; i < p->dhcp.params.n_search; i++)
    add_domain(c, p->dhcp.params.search[i], "dhcp6");
  for (unsigned i = 0; i < p->slaac.n_domains; i++)
    add_domain(c, p->slaac.domains[i].name, "ra");
  c->search_present = c->n_search > 0;
  _Static_assert(sizeof(p->brought.ntp) == sizeof(p->dhcp.params.ntp), "all of them");
  memcpy(p->brought.ntp, p->dhcp.params.ntp, sizeof(p->brought.ntp));
  p->brought.n_ntp = p->dhcp.params.n_ntp;
  p->brought.ntp_origin = "dhcp6";
  netconf_changed(p->n);
}

static bool usable(const struct addr6 *e) {
  return e != NULL && (e->state == ADDR6_PREFERRED || e->state == ADDR6_DEPRECATED);
}

/* Configured ways first: their prefixes while an address of theirs is usable, their gateway while any is. */
void netconf_ip6_apply_routes(struct netconf_ip6 *p) {
  struct slaac_hop hops[SLAAC_HOPS_MAX];
  struct stack_route list[SLAAC_HOPS_MAX + NETCONF_FIXED6_MAX + 1];
  unsigned n = 0, n_hops = slaac_hops(&p->slaac, hops);
  bool any = false;
  for (unsigned i = 0; i < p->fixed.n; i++) {
    const struct netconf_fixed6 *f = &p->fixed.list[i];
    const struct addr6 *e = addrs6_find(&p->addrs, &f->addr);
    if (!usable(e) || e->origin != ADDR6_STATIC)
      continue;
    any = true;
    if (f->prefix_len < 128)
      list[n++] = (struct stack_route){.dst = net_prefix_of(&f->addr, f->prefix_len), .origin = "static"};
  }
  if (p->running && p->fixed.gateway.family != 0 && any)
    list[n++] = (struct stack_route){
        .dst = {.addr = {.family = AF_INET6}}, .gateway = p->fixed.gateway, .origin = "static"};
  for (unsigned i = 0; i < n_hops; i++)
    list[n++] = (struct stack_route){.dst = hops[i].dst, .gateway = hops[i].gateway, .origin = "ra"};
  (void)stack_if_set_routes(p->n->iface, AF_INET6, list, n);
}

static void apply_link(struct netconf_ip6 *p) {
  const struct slaac_machine *m = &p->slaac;
  stack_if_set_nd(p->n->iface, m->hop_limit, m->reachable_ms, m->retrans_ms);
  p->addrs.retrans_ms = m->retrans_ms;
  p->brought.mtu = m->mtu;
  p->brought.mtu_origin = m->mtu != 0 ? "ra" : NULL;
  (void)stack_if_limit_mtu(p->n->iface, AF_INET6, m->mtu, p->brought.mtu_origin);
}

/* --- addresses ---------------------------------------------------------------------------------------------------- */

static void probe(struct netconf_ip6 *p, const struct addr6_action *a) {
  uint8_t ns[DAD_NS_LEN];
  struct net_addr group = dad_group(&a->addr);
  dad_encode(&a->addr, a->nonce, ns);
  const struct addr6 *e = addrs6_find(&p->addrs, &a->addr);
  if (p->nd == NULL || e == NULL || e->state != ADDR6_TENTATIVE) /* it is being switched off, or was refused meanwhile */
    return;
  (void)stack_nd_send(p->nd, NULL, &group, ns, sizeof(ns));
}

/* The machines that it is of learn what became of the address, also when a stronger origin stands for it in the table. */
static void pass_on(struct netconf_ip6 *p, const struct addr6_action *a) {
  bool unique = a->to == ADDR6_PREFERRED || a->to == ADDR6_DEPRECATED;
  struct slaac_actions s = {.n = 0};
  struct dhcp6_actions d;
  if (a->origin == ADDR6_LINK_LOCAL || net_addr_equal(&a->addr, &p->slaac.link_local)) {
    dhcp6_link(&p->dhcp, unique, netconf_ip6_now(p), &d); /* it speaks from this address */
    netconf_ip6_run_dhcp(p, &d);
  }
  if (a->to == ADDR6_REFUSED) {
    slaac_unusable(&p->slaac, &a->addr, netconf_ip6_now(p), &s);
  } else if (a->from == ADDR6_TENTATIVE && (unique || a->to == ADDR6_DUPLICATE)) {
    slaac_verified(&p->slaac, &a->addr, unique, netconf_ip6_now(p), &s);
    if (!unique) {
      dhcp6_duplicate(&p->dhcp, &a->addr, netconf_ip6_now(p), &d);
      netconf_ip6_run_dhcp(p, &d);
    }
  }
  netconf_ip6_run_slaac(p, &s);
}

static const enum stack_addr_state states[] = {[ADDR6_TENTATIVE] = STACK_ADDR_TENTATIVE,
                                               [ADDR6_PREFERRED] = STACK_ADDR_PREFERRED,
                                               [ADDR6_DEPRECATED] = STACK_ADDR_DEPRECATED};

void netconf_ip6_tell_length(struct netconf_ip6 *p, const struct net_addr *addr) {
  const struct addr6 *e = addrs6_find(&p->addrs, addr);
  if (usable(e))
    (void)stack_if_set_ipv6(p->n->iface, &e->addr, e->prefix_len, states[e->state]);
}

static int tell_stack(struct netconf_ip6 *p, const struct addr6_action *a) {
  if (a->to != ADDR6_GONE && a->to != ADDR6_DUPLICATE && a->to != ADDR6_REFUSED)
    return stack_if_set_ipv6(p->n->iface, &a->addr, a->prefix_len, states[a->to]);
  (void)stack_if_remove_ipv6(p->n->iface, &a->addr);
  return 0;
}

/* It goes on as a change of the table, so that all hear of it. */
static void refused(struct netconf_ip6 *p, const struct net_addr *addr, int error) {
  struct addrs6_actions acts;
  const char *why = error == -EADDRINUSE ? "another interface has this address"
                    : error == -ENOBUFS  ? "the stack has no room for it"
                    : error == -EMSGSIZE ? "the device's MTU is too small for it"
                                         : "the stack cannot have it";
  (void)addrs6_refused(&p->addrs, addr, error == -EADDRINUSE, why, netconf_ip6_now(p), &acts);
  netconf_ip6_run_addrs(p, &acts);
}

static void changed(struct netconf_ip6 *p, const struct addr6_action *a) {
  int r = tell_stack(p, a);
  if (r < 0) {
    refused(p, &a->addr, r);
    return;
  }
  if (a->origin == ADDR6_STATIC)
    netconf_ip6_apply_routes(p);
  /* A duplicate was never in use: that it is given up is no news. */
  if ((a->from != ADDR6_DUPLICATE && a->from != ADDR6_REFUSED) || a->to != ADDR6_GONE)
    netconf_tell_address(p->n, &a->addr, a->prefix_len, addr6_origin_name(a->origin), addr6_state_name(a->to), a->why);
  pass_on(p, a);
}

void netconf_ip6_run_addrs(struct netconf_ip6 *p, const struct addrs6_actions *acts) {
  for (unsigned i = 0; i < acts->n; i++) {
    if (acts->a[i].probe)
      probe(p, &acts->a[i]);
    else
      changed(p, &acts->a[i]);
  }
}

/* --- routers ------------------------------------------------------------------------------------------------------ */

static void tell_router(struct netconf_ip6 *p, const struct slaac_action *a) {
  uint64_t end = strcmp(a->to, "gone") != 0 ? end_of(a->valid_until) : 0;
  netconf_tell(p->n, &(struct netconf_event){.section = "leases",
                                             .protocol = "ra",
                                             .family = AF_INET6,
                                             .from = a->from,
                                             .to = a->to,
                                             .server = a->addr,
                                             .reason = a->why,
                                             .next = end != 0 ? "expiry" : NULL,
                                             .next_ns = end,
                                             .valid_until_ns = end});
}

static void slaac_address(struct netconf_ip6 *p, const struct slaac_action *a) {
  struct addrs6_actions acts;
  struct addr6 e = {.addr = a->addr,
                    .prefix_len = 64,
                    .origin = a->link_local ? ADDR6_LINK_LOCAL : ADDR6_SLAAC,
                    .preferred_until = a->preferred_until,
                    .valid_until = a->valid_until};
  if (a->kind == SLAAC_ACT_FORGET)
    (void)addrs6_remove(&p->addrs, &a->addr, e.origin, a->why, netconf_ip6_now(p), &acts);
  else
    (void)addrs6_set(&p->addrs, &e, true, netconf_ip6_now(p), &acts); /* a stronger origin may have it already */
  netconf_ip6_run_addrs(p, &acts);
}

static void solicit(struct netconf_ip6 *p) {
  static const struct net_addr all_routers = {AF_INET6, {0xff, 0x02, [15] = 2}};
  uint8_t rs[RS_LEN];
  rs_encode(p->mac, rs);
  (void)stack_nd_send(p->nd, &p->slaac.link_local, &all_routers, rs, sizeof(rs));
}

void netconf_ip6_run_slaac(struct netconf_ip6 *p, const struct slaac_actions *acts) {
  if (acts->resolver)
    bring_resolver(p);
  if (acts->routes)
    netconf_ip6_apply_routes(p);
  if (acts->link)
    apply_link(p);
  for (unsigned i = 0; i < acts->n; i++) {
    if (acts->a[i].kind == SLAAC_ACT_ROUTER)
      tell_router(p, &acts->a[i]);
    else
      slaac_address(p, &acts->a[i]);
  }
  if (acts->dhcp)
    netconf_ip6_want_dhcp(p);
  if (acts->solicit && p->running)
    solicit(p);
}

/* --- DHCPv6 ------------------------------------------------------------------------------------------------------- */

static void on_received(void *arg, const struct net_endpoint *from, const struct net_endpoint *to _unused_,
                        const uint8_t *data, size_t len) {
  struct netconf_ip6 *p = arg;
  struct dhcp6_reply r;
  struct dhcp6_actions acts;
  if (dhcp6_decode(data, len, p->dhcp.cfg.iaid, &r) < 0) {
    p->dhcp.ignored++;
    return;
  }
  dhcp6_receive(&p->dhcp, &from->addr, &r, netconf_ip6_now(p), &acts);
  netconf_ip6_run_dhcp(p, &acts);
  netconf_ip6_arm(p);
}
static const struct stack_udp_ops udp_ops = {.received = on_received};

static void send_dhcp(struct netconf_ip6 *p, const struct dhcp6_send *m) {
  static const struct net_endpoint servers = {{AF_INET6, {0xff, 0x02, [13] = 1, [15] = 2}}, DHCP6_SERVER_PORT};
  uint8_t buf[DHCP6_MSG_MAX];
  size_t len = dhcp6_encode(m, buf);
  /* One that cannot be sent is one that was lost: the machine tries again. */
  if (p->udp == NULL && stack_udp_open_if(p->n->iface, AF_INET6, DHCP6_CLIENT_PORT, &udp_ops, p, &p->udp) < 0)
    return;
  (void)stack_udp_send(p->udp, &servers, buf, len);
}

static void tell_dhcp(struct netconf_ip6 *p, const struct dhcp6_action *a) {
  const struct dhcp6_lease *l = &p->dhcp.lease;
  struct netconf_event ev = {.section = "leases",
                             .protocol = "dhcp6",
                             .family = AF_INET6,
                             .from = dhcp6_state_name(a->from),
                             .to = dhcp6_state_name(a->to),
                             .reason = a->why};
  p->dhcp_reason = a->why;
  if (l->n_addrs > 0) {
    ev.addr = l->addrs[0].addr;
    ev.prefix_len = 128;
    ev.server = l->from;
    ev.valid_until_ns = end_of(l->addrs[0].valid_until);
  }
  ev.next = netconf_ip6_dhcp_next(p, &ev.next_ns);
  netconf_tell(p->n, &ev);
}

static void dhcp_address(struct netconf_ip6 *p, const struct dhcp6_action *a) {
  struct addrs6_actions acts;
  /* 128: a lease says nothing of the link (RFC 5942 4); routers do. */
  struct addr6 e = {.addr = a->addr.addr,
                    .prefix_len = 128,
                    .origin = ADDR6_DHCP,
                    .preferred_until = a->addr.preferred_until,
                    .valid_until = a->addr.valid_until};
  if (a->kind == DHCP6_ACT_FORGET)
    (void)addrs6_remove(&p->addrs, &e.addr, e.origin, a->why, netconf_ip6_now(p), &acts);
  else
    (void)addrs6_set(&p->addrs, &e, false, netconf_ip6_now(p), &acts);
  netconf_ip6_run_addrs(p, &acts);
}

void netconf_ip6_run_dhcp(struct netconf_ip6 *p, const struct dhcp6_actions *acts) {
  for (unsigned i = 0; i < acts->n; i++) {
    const struct dhcp6_action *a = &acts->a[i];
    switch (a->kind) {
    case DHCP6_ACT_SEND:
      send_dhcp(p, &a->message);
      break;
    case DHCP6_ACT_ADDRESS:
    case DHCP6_ACT_FORGET:
      dhcp_address(p, a);
      break;
    case DHCP6_ACT_PARAMS:
      bring_resolver(p);
      break;
    case DHCP6_ACT_STATE:
      tell_dhcp(p, a);
      break;
    }
  }
  netconf_ip6_lease_save(p);
}

void netconf_ip6_want_dhcp(struct netconf_ip6 *p) {
  struct dhcp6_actions acts;
  enum dhcp6_mode want = DHCP6_MODE_OFF;
  if (p->running && p->dhcp6 == NETCONF_DHCP6_ALWAYS)
    want = DHCP6_MODE_ADDRESSES;
  else if (p->running && p->dhcp6 == NETCONF_DHCP6_AUTO && p->mode == NETCONF_IP6_AUTO)
    want = MAX((enum dhcp6_mode)p->slaac.dhcp, p->dhcp.mode); /* what runs is not stopped by a router's silence */
  if (want == p->dhcp.mode)
    return;
  dhcp6_want(&p->dhcp, want, netconf_ip6_now(p), &acts);
  netconf_ip6_run_dhcp(p, &acts);
}
