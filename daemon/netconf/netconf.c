/* SPDX-License-Identifier: BSD-3-Clause
 * The policy of one interface: which source of addresses rules, and what the rooms above are told. A configured address
 * and DHCP exclude each other; configured resolvers come before those of a lease.
 *
 * The first steps are taken at the end of the turn in which netconf_new was called, so no upcall comes from inside it.
 */
#include "netconf/netconf.h"

#include "base/util.h"
#include "netconf/dhcp4_client.h"

#include <stdio.h>

struct netconf {
  struct loop *loop;
  struct stack_if *iface;
  struct netconf_config cfg;
  const struct netconf_upcalls *up;
  void *arg;
  struct loop_task begin;
  bool begun, link;
  struct dhcp4_client *dhcp; /* NETCONF_DHCP only */

  /* In force. */
  struct net_addr addr, gateway;
  uint8_t prefix_len;
  const char *origin;
  struct names_config resolver;
  bool resolver_told;
};

/* --- the resolver ------------------------------------------------------------------------------------------------- */

static void add_server(struct names_config *c, const struct net_endpoint *ep, const char *origin) {
  for (unsigned i = 0; i < c->n_servers; i++)
    if (net_endpoint_equal(&c->servers[i].addr, ep))
      return;
  if (c->n_servers < NAMES_SERVERS_MAX)
    c->servers[c->n_servers++] = (struct names_server){*ep, origin};
}

static void add_search(struct names_config *c, const char *name, const char *origin) {
  for (unsigned i = 0; i < c->n_search; i++)
    if (strcmp(c->search[i].name, name) == 0)
      return;
  if (c->n_search == NAMES_SEARCH_MAX)
    return;
  struct names_domain *d = &c->search[c->n_search++];
  memcpy(d->name, name, sizeof(d->name));
  d->name[sizeof(d->name) - 1] = '\0';
  d->origin = origin;
}

static void merge(const struct names_config *fixed, const struct dhcp4_lease *lease, struct names_config *ret) {
  *ret = (struct names_config){.search_present = fixed->search_present};
  for (unsigned i = 0; i < MIN(fixed->n_servers, (unsigned)NAMES_SERVERS_MAX); i++)
    add_server(ret, &fixed->servers[i].addr, "static");
  for (unsigned i = 0; i < MIN(fixed->n_search, (unsigned)NAMES_SEARCH_MAX); i++)
    add_search(ret, fixed->search[i].name, "static");
  if (lease != NULL) {
    const struct dhcp4_params *p = &lease->params;
    for (unsigned i = 0; i < p->n_dns; i++)
      add_server(ret, &(struct net_endpoint){p->dns[i], 53}, "dhcp");
    for (unsigned i = 0; i < p->n_search; i++)
      add_search(ret, p->search[i], "dhcp");
    ret->search_present |= p->search_present;
  }
  ret->search_present |= ret->n_search > 0;
}

static bool resolver_equal(const struct names_config *a, const struct names_config *b) {
  if (a->n_servers != b->n_servers || a->n_search != b->n_search || a->search_present != b->search_present)
    return false;
  for (unsigned i = 0; i < a->n_servers; i++)
    if (!net_endpoint_equal(&a->servers[i].addr, &b->servers[i].addr) ||
        strcmp(a->servers[i].origin, b->servers[i].origin) != 0)
      return false;
  for (unsigned i = 0; i < a->n_search; i++)
    if (strcmp(a->search[i].name, b->search[i].name) != 0 || strcmp(a->search[i].origin, b->search[i].origin) != 0)
      return false;
  return true;
}

static void update_resolver(struct netconf *n, const struct dhcp4_lease *lease) {
  struct names_config c;
  merge(&n->cfg.resolver, lease, &c);
  if (n->resolver_told && resolver_equal(&c, &n->resolver))
    return;
  n->resolver = c;
  n->resolver_told = true;
  if (n->up->resolver != NULL)
    n->up->resolver(n->arg, &n->resolver);
}

/* --- the address -------------------------------------------------------------------------------------------------- */

static void clear_address(struct netconf *n) {
  if (n->addr.family == 0)
    return;
  stack_if_clear_ipv4(n->iface);
  n->addr = n->gateway = (struct net_addr){0};
  n->prefix_len = 0;
  n->origin = NULL;
  if (n->up->address != NULL)
    n->up->address(n->arg, &n->addr, 0, NULL);
}

/* Nobody is told when all stays as it is: a renewal is no news. */
static int set_address(struct netconf *n, const struct net_addr *addr, uint8_t len, const struct net_addr *gateway,
                       const char *origin) {
  int r = stack_if_set_ipv4(n->iface, addr, len, gateway);
  if (r < 0)
    return r;
  bool same = net_addr_equal(&n->addr, addr) && n->prefix_len == len && n->origin != NULL &&
              strcmp(n->origin, origin) == 0;
  n->addr = *addr;
  n->prefix_len = len;
  n->gateway = *gateway;
  n->origin = origin;
  if (!same && n->up->address != NULL)
    n->up->address(n->arg, &n->addr, len, origin);
  return 0;
}

static int check_static(const struct netconf_static *s) {
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

static void apply_static(struct netconf *n) {
  const struct netconf_static *s = &n->cfg.fixed;
  (void)set_address(n, &s->addr, s->prefix_len, &s->gateway, "static");
}

/* --- the lease ---------------------------------------------------------------------------------------------------- */

static void on_apply(void *arg, const struct dhcp4_lease *lease) {
  struct netconf *n = arg;
  const struct dhcp4_params *p = &lease->params;
  /* A gateway that the stack cannot use costs the way out, not the subnet. */
  if (set_address(n, &p->addr, p->prefix_len, &p->gateway, "dhcp") < 0)
    (void)set_address(n, &p->addr, p->prefix_len, &(struct net_addr){0}, "dhcp");
  update_resolver(n, lease);
}

static void on_drop(void *arg) {
  struct netconf *n = arg;
  /* First what would be asked without a way to ask it, then the address. */
  update_resolver(n, NULL);
  clear_address(n);
}

static void on_state(void *arg, enum dhcp_state from, enum dhcp_state to, const char *why) {
  struct netconf *n = arg;
  if (n->up->lease == NULL)
    return;
  char text[256], addr[NET_ADDR_STRLEN], server[NET_ADDR_STRLEN];
  struct stack_if_info info;
  stack_if_info(n->iface, &info);
  const struct dhcp4_lease *l = n->dhcp != NULL ? dhcp4_client_lease(n->dhcp) : NULL;
  if (to != DHCP_BOUND || l == NULL) {
    snprintf(text, sizeof(text), "%s: %s: %s", info.name, dhcp_state_name(to), why);
  } else {
    net_addr_format(&l->params.addr, addr);
    net_addr_format(&l->params.server, server);
    uint64_t now = loop_now(n->loop, CLOCK_ID_BOOT);
    if (l->expiry_ns == 0)
      snprintf(text, sizeof(text), "%s: bound: %s: %s/%u from %s for ever", info.name, why, addr, l->params.prefix_len,
               server);
    else
      snprintf(text, sizeof(text), "%s: bound: %s: %s/%u from %s for %llu s", info.name, why, addr,
               l->params.prefix_len, server,
               (unsigned long long)((l->expiry_ns - now + NSEC_PER_SEC / 2) / NSEC_PER_SEC));
  }
  n->up->lease(n->arg, from, to, text);
}

static const struct dhcp4_client_ops client_ops = {.apply = on_apply, .drop = on_drop, .state = on_state};

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_begin(void *arg) {
  struct netconf *n = arg;
  n->begun = true;
  update_resolver(n, NULL);
  if (n->cfg.mode == NETCONF_STATIC && n->link)
    apply_static(n);
  if (n->cfg.mode == NETCONF_DHCP)
    dhcp4_client_start(n->dhcp);
}

int netconf_new(struct loop *loop, struct stack_if *iface, const struct netconf_config *cfg,
                const struct netconf_upcalls *up, void *arg, struct netconf **ret) {
  if (cfg->mode == NETCONF_STATIC && check_static(&cfg->fixed) < 0)
    return -EINVAL;
  struct netconf *n = calloc(1, sizeof(*n));
  if (n == NULL)
    return -ENOMEM;
  n->loop = loop;
  n->iface = iface;
  n->cfg = *cfg;
  n->cfg.hostname[sizeof(n->cfg.hostname) - 1] = '\0';
  n->up = up;
  n->arg = arg;
  struct stack_if_info info;
  stack_if_info(iface, &info);
  n->link = info.link_up;
  if (cfg->mode == NETCONF_DHCP) {
    int r = dhcp4_client_new(loop, iface, n->cfg.hostname, &client_ops, n, &n->dhcp);
    if (r < 0) {
      free(n);
      return r;
    }
  }
  loop_task_init(&n->begin, on_begin, n);
  loop_task_queue(loop, &n->begin);
  *ret = n;
  return 0;
}

struct netconf *netconf_free(struct netconf *n) {
  if (n == NULL)
    return NULL;
  loop_task_cancel(&n->begin);
  n->dhcp = dhcp4_client_free(n->dhcp);
  free(n);
  return NULL;
}

void netconf_link(struct netconf *n, bool up) {
  n->link = up;
  if (n->dhcp != NULL)
    dhcp4_client_link(n->dhcp, up);
  /* A configured address outlives a link that goes away: nobody else can have it. */
  if (up && n->begun && n->cfg.mode == NETCONF_STATIC)
    apply_static(n);
}

int netconf_set_static(struct netconf *n, const struct netconf_static *s, const struct names_config *resolver) {
  if (check_static(s) < 0)
    return -EINVAL;
  /* The stack decides first; only then the old way is given up. One address replaces the other without a gap. */
  if (n->link) {
    int r = set_address(n, &s->addr, s->prefix_len, &s->gateway, "static");
    if (r < 0)
      return r;
  } else {
    clear_address(n);
  }
  enum dhcp_state was = n->dhcp != NULL ? dhcp4_client_state(n->dhcp) : DHCP_OFF;
  n->dhcp = dhcp4_client_free(n->dhcp);
  n->cfg.mode = NETCONF_STATIC;
  n->cfg.fixed = *s;
  if (resolver != NULL)
    n->cfg.resolver = *resolver;
  update_resolver(n, NULL);
  if (was != DHCP_OFF)
    on_state(n, was, DHCP_OFF, "a static address was set");
  return 0;
}

int netconf_use_dhcp(struct netconf *n) {
  if (n->cfg.mode == NETCONF_DHCP)
    return 0;
  int r = dhcp4_client_new(n->loop, n->iface, n->cfg.hostname, &client_ops, n, &n->dhcp);
  if (r < 0)
    return r;
  n->cfg.mode = NETCONF_DHCP;
  clear_address(n);
  update_resolver(n, NULL);
  if (n->begun)
    dhcp4_client_start(n->dhcp);
  return 0;
}

int netconf_renew(struct netconf *n) {
  if (n->cfg.mode != NETCONF_DHCP)
    return -EPROTONOSUPPORT;
  dhcp4_client_renew(n->dhcp);
  return 0;
}

int netconf_release(struct netconf *n) { return n->dhcp != NULL ? dhcp4_client_release(n->dhcp) : -ENODATA; }

void netconf_info(const struct netconf *n, struct netconf_info *ret) {
  struct stack_if_info info;
  stack_if_info(n->iface, &info);
  const struct dhcp4_lease *l = n->dhcp != NULL ? dhcp4_client_lease(n->dhcp) : NULL;
  *ret = (struct netconf_info){.ifname = info.name,
                               .mode = n->cfg.mode,
                               .addr = n->addr,
                               .prefix_len = n->prefix_len,
                               .gateway = n->gateway,
                               .origin = n->origin,
                               .dhcp = n->dhcp != NULL ? dhcp4_client_state(n->dhcp) : DHCP_OFF,
                               .resolver = &n->resolver};
  if (l != NULL) {
    ret->valid_until_ns = l->expiry_ns;
    ret->server = l->params.server;
    ret->t1_ns = l->t1_ns;
    ret->t2_ns = l->t2_ns;
  }
}
