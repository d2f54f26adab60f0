/* SPDX-License-Identifier: BSD-3-Clause
 * IPv4 of one interface: a configured address or DHCP, and what follows from either.
 */
#include "netconf/dhcp4_client.h"
#include "netconf/netconf_private.h"

#include "base/util.h"

struct netconf_ip4 {
  struct netconf *n;
  enum netconf_mode mode;
  struct netconf_static fixed;
  struct dhcp4_client *dhcp; /* NETCONF_DHCP only */
  const char *reason;        /* of its last transition */

  /* In force. */
  struct net_addr addr, gateway;
  uint8_t prefix_len;
  const char *origin;
  struct netconf_brought brought;
};

/* --- the address -------------------------------------------------------------------------------------------------- */

static void clear_address(struct netconf_ip4 *p, const char *reason) {
  if (p->addr.family == 0)
    return;
  struct net_addr was = p->addr;
  uint8_t len = p->prefix_len;
  const char *origin = p->origin;
  stack_if_clear_ipv4(p->n->iface);
  p->addr = p->gateway = (struct net_addr){0};
  p->prefix_len = 0;
  p->origin = NULL;
  netconf_tell_address(p->n, &was, len, origin, "gone", reason);
}

/* Nobody is told when all stays as it is: a renewal is no news. */
static int set_address(struct netconf_ip4 *p, const struct net_addr *addr, uint8_t len, const struct net_addr *gateway,
                       const char *origin) {
  int r = stack_if_set_ipv4(p->n->iface, addr, len, gateway);
  if (r < 0)
    return r;
  bool same = net_addr_equal(&p->addr, addr) && p->prefix_len == len && p->origin != NULL &&
              strcmp(p->origin, origin) == 0;
  p->addr = *addr;
  p->prefix_len = len;
  p->gateway = *gateway;
  p->origin = origin;
  if (!same)
    netconf_tell_address(p->n, addr, len, origin, "preferred", NULL);
  return 0;
}

int netconf_static_check(const struct netconf_static *s) {
  if (s->addr.family != AF_INET || s->prefix_len == 0 || s->prefix_len > 32)
    return -EINVAL;
  enum net_class c = net_addr_class(&s->addr);
  if (c != NET_UNICAST && c != NET_LINK_LOCAL)
    return -EINVAL;
  uint32_t host = s->prefix_len == 32 ? 0 : UINT32_MAX >> s->prefix_len, v = net_addr_to_v4(&s->addr);
  if (s->prefix_len <= 30 && ((v & host) == 0 || (v & host) == host))
    return -EINVAL;
  if (s->gateway.family == 0)
    return 0;
  if (s->gateway.family != AF_INET || net_addr_equal(&s->gateway, &s->addr))
    return -EINVAL;
  c = net_addr_class(&s->gateway);
  return c == NET_UNICAST || c == NET_LINK_LOCAL ? 0 : -EINVAL;
}

static void apply_static(struct netconf_ip4 *p) {
  const struct netconf_static *s = &p->fixed;
  (void)set_address(p, &s->addr, s->prefix_len, &s->gateway, "static");
}

/* --- the lease ---------------------------------------------------------------------------------------------------- */

static void bring(struct netconf_ip4 *p, const struct dhcp4_params *params) {
  struct netconf_brought *b = &p->brought;
  *b = (struct netconf_brought){0};
  if (params != NULL) {
    for (unsigned i = 0; i < params->n_dns; i++)
      b->resolver.servers[b->resolver.n_servers++] = (struct names_server){{params->dns[i], 53}, "dhcp"};
    for (unsigned i = 0; i < params->n_search; i++) {
      struct names_domain *d = &b->resolver.search[b->resolver.n_search++];
      memcpy(d->name, params->search[i], sizeof(d->name));
      d->origin = "dhcp";
    }
    b->resolver.search_present = params->search_present;
    b->mtu = params->mtu;
    b->mtu_origin = "dhcp";
  }
  netconf_changed(p->n);
}

static void on_apply(void *arg, const struct dhcp4_lease *lease) {
  struct netconf_ip4 *p = arg;
  const struct dhcp4_params *params = &lease->params;
  /* A gateway that the stack cannot use costs the way out, not the subnet. */
  if (set_address(p, &params->addr, params->prefix_len, &params->gateway, "dhcp") < 0)
    (void)set_address(p, &params->addr, params->prefix_len, &(struct net_addr){0}, "dhcp");
  bring(p, params);
}

static void on_drop(void *arg) {
  struct netconf_ip4 *p = arg;
  /* First what would be asked without a way to ask it, then the address. */
  bring(p, NULL);
  clear_address(p, "the lease is over");
}

/* What is due next. */
static const char *next_of(enum dhcp_state state, const struct dhcp4_lease *l, uint64_t *ret_ns) {
  *ret_ns = 0;
  if (state == DHCP_BOUND && l != NULL && l->expiry_ns != 0) {
    *ret_ns = l->t1_ns;
    return "renew";
  }
  if (state == DHCP_RENEWING && l != NULL && l->expiry_ns != 0) {
    *ret_ns = l->t2_ns;
    return "rebind";
  }
  if (state == DHCP_REBINDING && l != NULL && l->expiry_ns != 0) {
    *ret_ns = l->expiry_ns;
    return "expiry";
  }
  return NULL;
}

static void on_state(void *arg, enum dhcp_state from, enum dhcp_state to, const char *why) {
  struct netconf_ip4 *p = arg;
  const struct dhcp4_lease *l = p->dhcp != NULL ? dhcp4_client_lease(p->dhcp) : NULL;
  struct netconf_event ev = {.section = "leases",
                             .protocol = "dhcp4",
                             .family = AF_INET,
                             .from = dhcp_state_name(from),
                             .to = dhcp_state_name(to),
                             .reason = why};
  p->reason = why;
  if (l != NULL) {
    ev.addr = l->params.addr;
    ev.prefix_len = l->params.prefix_len;
    ev.server = l->params.server;
    ev.valid_until_ns = l->expiry_ns;
  }
  ev.next = next_of(to, l, &ev.next_ns);
  netconf_tell(p->n, &ev);
}

static const struct dhcp4_client_ops client_ops = {.apply = on_apply, .drop = on_drop, .state = on_state};

static int open_dhcp(struct netconf_ip4 *p) {
  return dhcp4_client_new(p->n->loop, p->n->iface, p->n->cfg.hostname, &client_ops, p, &p->dhcp);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

int netconf_ip4_new(struct netconf *n, struct netconf_ip4 **ret) {
  struct netconf_ip4 *p = calloc(1, sizeof(*p));
  if (p == NULL)
    return -ENOMEM;
  p->n = n;
  p->mode = n->cfg.mode;
  p->fixed = n->cfg.fixed;
  int r = p->mode == NETCONF_DHCP ? open_dhcp(p) : 0;
  if (r < 0) {
    free(p);
    return r;
  }
  *ret = p;
  return 0;
}

void netconf_ip4_begin(struct netconf_ip4 *p) {
  if (p->mode == NETCONF_STATIC && p->n->link)
    apply_static(p);
  if (p->mode == NETCONF_DHCP)
    dhcp4_client_start(p->dhcp);
}

struct netconf_ip4 *netconf_ip4_free(struct netconf_ip4 *p) {
  if (p == NULL)
    return NULL;
  p->dhcp = dhcp4_client_free(p->dhcp);
  free(p);
  return NULL;
}

void netconf_ip4_link(struct netconf_ip4 *p, bool up) {
  if (p->dhcp != NULL)
    dhcp4_client_link(p->dhcp, up);
  /* A configured address outlives a link that goes away: nobody else can have it. */
  if (up && p->n->begun && p->mode == NETCONF_STATIC)
    apply_static(p);
}

/* --- what an operator asks for ------------------------------------------------------------------------------------ */

int netconf_ip4_set_static(struct netconf_ip4 *p, const struct netconf_static *s) {
  /* The stack decides first; only then the old way is given up. One address replaces the other without a gap. */
  if (p->n->link) {
    int r = set_address(p, &s->addr, s->prefix_len, &s->gateway, "static");
    if (r < 0)
      return r;
  } else {
    clear_address(p, "another is configured");
  }
  enum dhcp_state was = p->dhcp != NULL ? dhcp4_client_state(p->dhcp) : DHCP_OFF;
  p->dhcp = dhcp4_client_free(p->dhcp);
  p->mode = NETCONF_STATIC;
  p->fixed = *s;
  bring(p, NULL);
  if (was != DHCP_OFF)
    on_state(p, was, DHCP_OFF, "a static address was set");
  return 0;
}

int netconf_ip4_use_dhcp(struct netconf_ip4 *p) {
  if (p->mode == NETCONF_DHCP)
    return 0;
  int r = open_dhcp(p);
  if (r < 0)
    return r;
  p->mode = NETCONF_DHCP;
  clear_address(p, "DHCP is asked instead");
  if (p->n->begun)
    dhcp4_client_start(p->dhcp);
  return 0;
}

int netconf_ip4_renew(struct netconf_ip4 *p) {
  if (p->mode != NETCONF_DHCP)
    return -EPROTONOSUPPORT;
  dhcp4_client_renew(p->dhcp);
  return 0;
}

int netconf_ip4_release(struct netconf_ip4 *p) { return p->dhcp != NULL ? dhcp4_client_release(p->dhcp) : -ENODATA; }

int netconf_ip4_reconfigure(struct netconf_ip4 *p) {
  p->dhcp = dhcp4_client_free(p->dhcp);
  p->mode = p->n->cfg.mode;
  p->fixed = p->n->cfg.fixed;
  bring(p, NULL);
  if (p->mode != NETCONF_STATIC || !net_addr_equal(&p->addr, &p->fixed.addr))
    clear_address(p, "the configuration is applied anew");
  int r = p->mode == NETCONF_DHCP ? open_dhcp(p) : 0;
  if (r == 0 && p->n->begun)
    netconf_ip4_begin(p);
  return r;
}

/* --- what there is ------------------------------------------------------------------------------------------------ */

const struct netconf_brought *netconf_ip4_brought(const struct netconf_ip4 *p) { return &p->brought; }

void netconf_ip4_info(const struct netconf_ip4 *p, struct netconf_info *ret) {
  ret->mode = p->mode;
  ret->addr = p->addr;
  ret->prefix_len = p->prefix_len;
  ret->gateway = p->gateway;
  ret->origin = p->origin;
  ret->dhcp = p->dhcp != NULL ? dhcp4_client_state(p->dhcp) : DHCP_OFF;
}

void netconf_ip4_each_address(const struct netconf_ip4 *p, void (*fn)(void *arg, const struct netconf_address *a),
                              void *arg) {
  if (p->addr.family == 0)
    return;
  const struct dhcp4_lease *l = p->dhcp != NULL ? dhcp4_client_lease(p->dhcp) : NULL;
  struct netconf_address a = {.addr = p->addr,
                              .prefix_len = p->prefix_len,
                              .origin = p->origin,
                              .state = "preferred",
                              .preferred_until_ns = l != NULL ? l->expiry_ns : 0,
                              .valid_until_ns = l != NULL ? l->expiry_ns : 0};
  fn(arg, &a);
}

void netconf_ip4_each_lease(const struct netconf_ip4 *p, void (*fn)(void *arg, const struct netconf_lease *l), void *arg) {
  if (p->dhcp == NULL)
    return;
  const struct dhcp4_lease *l = dhcp4_client_lease(p->dhcp);
  enum dhcp_state state = dhcp4_client_state(p->dhcp);
  struct netconf_lease out = {.protocol = "dhcp4", .state = dhcp_state_name(state), .reason = p->reason};
  if (l != NULL) {
    out.addr = l->params.addr;
    out.prefix_len = l->params.prefix_len;
    out.server = l->params.server;
    out.t1_ns = l->t1_ns;
    out.t2_ns = l->t2_ns;
    out.expiry_ns = l->expiry_ns;
    out.in_force = true;
  }
  out.next = next_of(state, l, &out.next_ns);
  fn(arg, &out);
}
