/* SPDX-License-Identifier: BSD-3-Clause
 * The policy of one interface: joins its parts, merges the resolver (configured servers come before those that were
 * given), and tells the rooms above.
 *
 * The first steps are taken at the end of the turn in which netconf_new was called, so no upcall comes from inside it.
 */
#include "netconf/netconf_private.h"

#include "base/util.h"

#include <sys/random.h>

/* --- the resolver ------------------------------------------------------------------------------------------------- */

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

/* A server that says less than every host must take (RFC 791) is not believed: it would only make us slow. */
static void limit_mtu(struct netconf *n, const struct netconf_brought *b) {
  bool sane = b->mtu >= NIC_MTU_MIN;
  (void)stack_if_limit_mtu(n->iface, AF_INET, sane ? b->mtu : 0, sane ? b->mtu_origin : NULL);
}

void netconf_changed(struct netconf *n) {
  struct names_config c = {0};
  const struct netconf_brought *ip4 = netconf_ip4_brought(n->ip4);
  limit_mtu(n, ip4);
  names_config_merge(&c, &n->cfg.resolver, NULL);
  names_config_merge(&c, &ip4->resolver, NULL);
  names_config_merge(&c, &netconf_ip6_brought(n->ip6)->resolver, NULL);
  if (n->resolver_told && resolver_equal(&c, &n->resolver))
    return;
  n->resolver = c;
  n->resolver_told = true;
  if (n->up->resolver != NULL)
    n->up->resolver(n->arg, &n->resolver);
}

/* The configured ones say so whoever filled them in. */
static void set_resolver(struct netconf *n, const struct names_config *c) {
  n->cfg.resolver = *c;
  for (unsigned i = 0; i < MIN(c->n_servers, (unsigned)NAMES_SERVERS_MAX); i++)
    n->cfg.resolver.servers[i].origin = "static";
  for (unsigned i = 0; i < MIN(c->n_search, (unsigned)NAMES_SEARCH_MAX); i++)
    n->cfg.resolver.search[i].origin = "static";
}

/* --- for the parts ------------------------------------------------------------------------------------------------ */

void netconf_tell(struct netconf *n, const struct netconf_event *ev) {
  if (n->up->event != NULL)
    n->up->event(n->arg, ev);
}

void netconf_tell_address(struct netconf *n, const struct net_addr *addr, uint8_t prefix_len, const char *origin,
                          const char *state, const char *reason) {
  netconf_tell(n, &(struct netconf_event){.section = "interfaces",
                                          .protocol = origin,
                                          .family = addr->family,
                                          .to = state,
                                          .addr = *addr,
                                          .prefix_len = prefix_len,
                                          .reason = reason});
}

uint32_t netconf_random(struct netconf *n) {
  uint32_t v = 0;
  if (n->cfg.random != NULL)
    return n->cfg.random(n->cfg.random_arg);
  (void)getrandom(&v, sizeof(v), 0);
  return v;
}

void netconf_lease_clock(const struct netconf *n, struct lease_clock *ret) {
  uint64_t wall_s = n->cfg.wall_s != NULL ? n->cfg.wall_s(n->cfg.wall_arg) : clock_wall_us() / 1000000;
  lease_clock_read(loop_now(n->loop, CLOCK_ID_BOOT), wall_s, ret);
}

const char *netconf_lease_unreadable(ssize_t error) {
  if (error == -ENOENT)
    return NULL;
  return error == -EFBIG ? "the file of the last lease is ignored: it is too long"
                         : "the file of the last lease cannot be read";
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_begin(void *arg) {
  struct netconf *n = arg;
  n->begun = true;
  netconf_changed(n);
  netconf_ip4_begin(n->ip4);
  netconf_ip6_begin(n->ip6);
}

int netconf_new(struct loop *loop, struct stack_if *iface, const struct netconf_config *cfg,
                const struct netconf_upcalls *up, void *arg, struct netconf **ret) {
  if ((cfg->mode == NETCONF_STATIC && netconf_static_check(&cfg->fixed) < 0) || netconf_static6_check(&cfg->fixed6) < 0)
    return -EINVAL;
  struct netconf *n = calloc(1, sizeof(*n));
  if (n == NULL)
    return -ENOMEM;
  n->loop = loop;
  n->iface = iface;
  n->cfg = *cfg;
  n->cfg.hostname[sizeof(n->cfg.hostname) - 1] = '\0';
  set_resolver(n, &cfg->resolver);
  n->configured = n->cfg.resolver;
  n->up = up;
  n->arg = arg;
  struct stack_if_info info;
  stack_if_info(iface, &info);
  n->link = info.link_up;
  int r = netconf_ip4_new(n, &n->ip4);
  if (r == 0)
    r = netconf_ip6_new(n, &n->ip6);
  if (r < 0) {
    n->ip4 = netconf_ip4_free(n->ip4);
    free(n);
    return r;
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
  n->ip6 = netconf_ip6_free(n->ip6);
  n->ip4 = netconf_ip4_free(n->ip4);
  free(n);
  return NULL;
}

void netconf_link(struct netconf *n, bool up) {
  n->link = up;
  netconf_ip4_link(n->ip4, up);
  netconf_ip6_link(n->ip6, up);
}

void netconf_resumed(struct netconf *n) {
  if (!n->link)
    return;
  stack_if_forget_neighbours(n->iface);
  netconf_link(n, false);
  netconf_link(n, true);
}

bool netconf_settled(const struct netconf *n) {
  return n->begun && (!n->link || (netconf_ip4_settled(n->ip4) && netconf_ip6_settled(n->ip6)));
}

void netconf_mtu(struct netconf *n) { netconf_ip6_mtu(n->ip6); }

/* --- what an operator asks for ------------------------------------------------------------------------------------ */

int netconf_set_static(struct netconf *n, const struct netconf_static *s, const struct names_config *resolver) {
  int r = netconf_static_check(s);
  if (r == 0)
    r = netconf_ip4_set_static(n->ip4, s);
  if (r < 0)
    return r;
  if (resolver != NULL)
    set_resolver(n, resolver);
  netconf_changed(n);
  return 0;
}

int netconf_use_dhcp(struct netconf *n) { return netconf_ip4_use_dhcp(n->ip4); }
int netconf_renew(struct netconf *n) { return netconf_ip4_renew(n->ip4); }
int netconf_release(struct netconf *n) { return netconf_ip4_release(n->ip4); }

int netconf_set_static6(struct netconf *n, const struct netconf_static6 *s, const struct names_config *resolver) {
  if (n->cfg.ip6 == NETCONF_IP6_OFF)
    return -EPROTONOSUPPORT;
  int r = s->n > 0 ? netconf_static6_check(s) : 0;
  if (r == 0)
    r = s->n > 0 ? netconf_ip6_set_static(n->ip6, s) : netconf_ip6_use_auto(n->ip6);
  if (r < 0)
    return r;
  if (resolver != NULL)
    set_resolver(n, resolver);
  netconf_changed(n);
  return 0;
}

int netconf_renew6(struct netconf *n) { return netconf_ip6_renew(n->ip6); }
int netconf_release6(struct netconf *n) { return netconf_ip6_release(n->ip6); }

int netconf_reconfigure(struct netconf *n) {
  n->cfg.resolver = n->configured;
  int r = netconf_ip4_reconfigure(n->ip4);
  if (r == 0)
    r = netconf_ip6_configure(n->ip6, n->cfg.ip6, n->cfg.dhcp6, &n->cfg.fixed6);
  (void)netconf_ip6_renew(n->ip6); /* a lease that was given back is asked for again */
  netconf_changed(n);
  return r;
}

/* --- what there is ------------------------------------------------------------------------------------------------ */

void netconf_info(const struct netconf *n, struct netconf_info *ret) {
  struct stack_if_info info;
  stack_if_info(n->iface, &info);
  *ret = (struct netconf_info){.ifname = info.name, .resolver = &n->resolver};
  netconf_ip4_info(n->ip4, ret);
  netconf_ip6_info(n->ip6, ret);
}

void netconf_each_address(const struct netconf *n, void (*fn)(void *arg, const struct netconf_address *a), void *arg) {
  netconf_ip4_each_address(n->ip4, fn, arg);
  netconf_ip6_each_address(n->ip6, fn, arg);
}

void netconf_each_lease(const struct netconf *n, void (*fn)(void *arg, const struct netconf_lease *l), void *arg) {
  netconf_ip4_each_lease(n->ip4, fn, arg);
  netconf_ip6_each_lease(n->ip6, fn, arg);
}

void netconf_each_ntp(const struct netconf *n, void (*fn)(void *arg, const struct net_addr *a, const char *origin),
                      void *arg) {
  const struct netconf_brought *of[] = {netconf_ip4_brought(n->ip4), netconf_ip6_brought(n->ip6)};
  for (size_t k = 0; k < ARRAY_SIZE(of); k++)
    for (unsigned i = 0; i < of[k]->n_ntp; i++)
      fn(arg, &of[k]->ntp[i], of[k]->ntp_origin);
}

void netconf_each_counter(const struct netconf *n, void (*fn)(void *arg, const char *name, uint64_t value), void *arg) {
  netconf_ip4_each_counter(n->ip4, fn, arg);
  netconf_ip6_each_counter(n->ip6, fn, arg);
}
