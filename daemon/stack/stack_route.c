/* SPDX-License-Identifier: BSD-3-Clause
 * The one table of ways, of both families: what follows from an IPv4 address, fe80::/10 wherever there is an IPv6
 * address, and the list of each interface (stack_if_set_routes). Tables are short and walked.
 *
 * A gateway that did not answer when it was last asked yields to the next one. While its turn would be, it is asked again
 * once a minute (RFC 4191 3.2), beside the traffic. IPv6's are remembered in the neighbour cache, IPv4's here.
 */
#include "stack/stack_route.h"
#include "stack/stack_dgram.h"
#include "stack/stack_ip6.h"

#include "capnet_hooks.h"
#include "lwip/etharp.h"

#define REVIVE_NS (60 * NSEC_PER_SEC)

static const struct stack_route link_local6 = {.dst = {.addr = {.family = AF_INET6, .b = {0xfe, 0x80}}, .len = 10},
                                               .origin = "link-local"};
static const struct stack_route link_local4 = {.dst = {.addr = {.family = AF_INET, .b = {169, 254}}, .len = 16},
                                               .origin = "link-local"};

static struct stack_route_list *list_of(struct stack_if *i, uint8_t family) { return &i->routes[family == AF_INET6]; }

static bool has_address(const struct stack_if *i, uint8_t family) {
  return family == AF_INET6 ? stack_if6_has_usable(i) : stack_if_addr(i).family != 0;
}

/* --- gateways of IPv4 that do not answer ------------------------------------------------------------------------ */

static struct stack_hop4 *silent_hop(const struct stack_if *i, const struct net_addr *hop) {
  for (size_t k = 0; k < ARRAY_SIZE(i->silent); k++)
    if (i->silent[k].hop.family && net_addr_equal(&i->silent[k].hop, hop))
      return (struct stack_hop4 *)&i->silent[k];
  return NULL;
}

static bool is_gateway(const struct stack_if *i, const struct net_addr *hop) {
  const struct stack_route_list *l = &i->routes[hop->family == AF_INET6];
  struct net_addr gw = stack_from_ip4(netif_ip4_gw(&i->netif));
  for (unsigned k = 0; k < l->n; k++)
    if (l->list[k].gateway.family && net_addr_equal(&l->list[k].gateway, hop))
      return true;
  return net_addr_equal(&gw, hop);
}

bool stack_route_gateway(const struct stack_if *i, const struct net_addr *hop) { return is_gateway(i, hop); }

/* Its packets go another way if there is one; the oldest of them is forgotten, and so tried again. */
void stack_route_unanswered(struct stack_if *i, const struct net_addr *hop) {
  struct stack_hop4 *h = silent_hop(i, hop);
  if (!is_gateway(i, hop))
    return;
  for (size_t k = 0; !h && k < ARRAY_SIZE(i->silent); k++)
    if (!i->silent[k].hop.family)
      h = &i->silent[k];
  if (!h)
    h = &i->silent[i->silent_next++ % ARRAY_SIZE(i->silent)];
  *h = (struct stack_hop4){.hop = *hop, .asked_ns = loop_now(i->s->loop, CLOCK_ID_MONO)};
}

static bool arp_knows(const struct stack_if *i, const struct net_addr *hop) {
  ip_addr_t a = stack_to_lwip(hop);
  struct eth_addr *mac;
  const ip4_addr_t *ip;
  return etharp_find_addr((struct netif *)&i->netif, ip_2_ip4(&a), &mac, &ip) >= 0;
}

bool stack_if_resolves(struct stack_if *i, const struct net_addr *hop, bool ask) {
  stack_sync(i->s); /* what is known is as old as it is */
  if (arp_knows(i, hop))
    return true;
  if (!ask)
    return false;
  ip_addr_t a = stack_to_lwip(hop);
  (void)etharp_query(&i->netif, ip_2_ip4(&a), NULL);
  stack_kick(i->s);
  return false;
}

static bool dead(const struct stack_if *i, const struct net_addr *hop) {
  if (!hop->family)
    return false;
  if (hop->family == AF_INET6)
    return stack_neigh6_dead(i, hop);
  struct stack_hop4 *h = silent_hop(i, hop);
  if (h && arp_knows(i, hop))
    h->hop.family = 0;
  return h && h->hop.family;
}

static void revive(struct stack_if *i, const struct net_addr *hop) {
  struct stack_hop4 *h = hop->family == AF_INET ? silent_hop(i, hop) : NULL;
  uint64_t now = loop_now(i->s->loop, CLOCK_ID_MONO);
  if (hop->family == AF_INET6) {
    stack_neigh6_revive(i, hop);
  } else if (h && now - h->asked_ns >= REVIVE_NS) {
    ip_addr_t a = stack_to_lwip(hop);
    h->asked_ns = now;
    stack_sync(i->s); /* or the seconds that nobody counted until now would age the question */
    (void)etharp_query(&i->netif, ip_2_ip4(&a), NULL);
  }
}

/* --- the search ------------------------------------------------------------------------------------------------- */

struct search {
  const struct net_addr *dst;
  struct stack_way best, first; /* first: if all gateways answered */
  bool owns_best, owns_first;
};

static bool better(const struct stack_way *a, bool owns_a, const struct stack_way *b, bool owns_b) {
  if (!b->i)
    return true;
  if (a->dst.len != b->dst.len)
    return a->dst.len > b->dst.len;
  if (owns_a != owns_b)
    return !owns_a;
  return a->i->metric < b->i->metric;
}

static struct stack_way way_of(struct stack_if *i, const struct stack_route *r) {
  return (struct stack_way){
      .i = i, .dst = r->dst, .gateway = r->gateway, .origin = r->origin, .dead = dead(i, &r->gateway)};
}

static void consider(struct search *x, struct stack_if *i, const struct stack_route *r, bool owns) {
  struct stack_way w = way_of(i, r);
  if (better(&w, owns, &x->first, x->owns_first)) {
    x->first = w;
    x->owns_first = owns;
  }
  bool alive = x->best.i && x->best.dead != w.dead;
  if (alive ? !w.dead : better(&w, owns, &x->best, x->owns_best)) {
    x->best = w;
    x->owns_best = owns;
  }
}

/* The on-link prefix of the IPv4 address, and its gateway. */
static struct stack_route connected(const struct stack_if *i) {
  struct net_addr a = stack_if_addr(i);
  return (struct stack_route){.dst = net_prefix_of(&a, i->prefix_len)};
}
static struct stack_route gateway4(const struct stack_if *i) {
  return (struct stack_route){.dst = {.addr = net_addr_v4(0)}, .gateway = stack_from_ip4(netif_ip4_gw(&i->netif))};
}

static void consider_if(struct search *x, struct stack_if *i) {
  const struct net_addr *dst = x->dst;
  struct stack_route_list *l = list_of(i, dst->family);
  bool v4 = dst->family == AF_INET;
  struct net_addr own = stack_if_addr(i);
  bool owns = v4 ? net_addr_equal(&own, dst) : stack_if6_usable(i, dst);
  if (v4) {
    struct stack_route r = connected(i);
    if (net_prefix_contains(&r.dst, dst) || net_addr_class(dst) == NET_BROADCAST)
      consider(x, i, &r, owns);
    else if (net_prefix_contains(&link_local4.dst, dst))
      consider(x, i, &link_local4, owns);
  } else if (net_prefix_contains(&link_local6.dst, dst) || net_addr_class(dst) == NET_MULTICAST) {
    consider(x, i, &link_local6, owns);
  } else if (owns) {
    consider(x, i, &(struct stack_route){.dst = {.addr = *dst, .len = 128}}, owns);
  }
  if (v4 && !ip4_addr_isany(netif_ip4_gw(&i->netif))) {
    struct stack_route r = gateway4(i);
    consider(x, i, &r, owns);
  }
  for (unsigned k = 0; k < l->n; k++)
    if (net_prefix_contains(&l->list[k].dst, dst))
      consider(x, i, &l->list[k], owns);
}

int stack_way_find(struct stack *s, const struct stack_if *only, const struct net_addr *dst, struct stack_way *ret) {
  struct search x = {.dst = dst};
  bool any = false;
  list_for_each(l, &s->ifs) {
    struct stack_if *i = list_entry(l, struct stack_if, link);
    if ((only && i != only) || !has_address(i, dst->family))
      continue;
    any = true;
    if (netif_is_link_up(&i->netif))
      consider_if(&x, i);
  }
  /* An IPv6 destination where there is only IPv4 is out of reach; waiting for a configuration would not help. */
  if (!x.best.i)
    return any || (dst->family != AF_INET && stack_has_address(s)) ? -ENETUNREACH : -ENONET;
  *ret = x.best;
  if (x.first.dead && !x.best.dead) {
    ret->spared = x.first.gateway;
    ret->spared_if = x.first.i;
  }
  return 0;
}

/* For what is sent, not for what is only looked at. */
static int way_for(struct stack *s, const struct stack_if *only, const struct net_addr *dst, struct stack_way *ret) {
  int r = stack_way_find(s, only, dst, ret);
  if (r == 0 && ret->spared_if)
    revive(ret->spared_if, &ret->spared);
  return r;
}

int stack_route(struct stack *s, const struct net_addr *dst, struct stack_if **ret) {
  struct stack_way w;
  int r = way_for(s, NULL, dst, &w);
  if (r == 0)
    *ret = w.i;
  return r;
}

bool stack_if_reaches(const struct stack_if *i, const struct net_addr *dst) {
  struct stack_way w;
  return stack_way_find(i->s, i, dst, &w) == 0;
}

struct net_addr stack_if_next_hop(const struct stack_if *i, const struct net_addr *dst) {
  struct stack_way w;
  if (way_for(i->s, i, dst, &w) < 0)
    return (struct net_addr){0};
  return w.gateway.family ? w.gateway : *dst;
}

struct net_addr stack_source(const struct stack_if *i, const struct net_addr *dst) {
  if (dst->family != AF_INET6)
    return stack_if_addr(i);
  int slot = stack_source6(i, dst);
  return slot < 0 ? (struct net_addr){0} : stack_from_ip6(netif_ip6_addr(&i->netif, slot)->addr);
}

int stack_path(struct stack *s, const struct net_addr *src, const struct net_addr *dst, struct stack_if **ret,
               struct net_addr *ret_src) {
  struct stack_if *i = NULL;
  if (src && !net_addr_is_unspecified(src)) {
    i = stack_if_owner(s, src);
    if (!i || src->family != dst->family)
      return -EADDRNOTAVAIL;
    if (!stack_if_reaches(i, dst))
      return -ENETUNREACH;
    *ret = i;
    *ret_src = *src;
    return 0;
  }
  int r = stack_route(s, dst, &i);
  if (r < 0)
    return r;
  struct net_addr chosen = stack_source(i, dst);
  if (!chosen.family)
    return -EADDRNOTAVAIL;
  *ret = i;
  *ret_src = chosen;
  return 0;
}

/* --- lwIP's questions ------------------------------------------------------------------------------------------- */

/* What has one of our addresses as its source leaves through that address's interface or not at all, even when another
 * one is nearer or this one has no link: so two interfaces of one stack behave like two hosts. */
struct netif *stack_hook_route(const ip4_addr_t *src, const ip4_addr_t *dest) {
  struct stack *s = stack_the();
  struct netif *n;
  struct stack_if *i;
  if (src && !ip4_addr_isany(src)) {
    NETIF_FOREACH(n) {
      if (ip4_addr_eq(netif_ip4_addr(n), src))
        return n;
    }
  }
  struct net_addr dst = stack_from_ip4(dest);
  return s && stack_route(s, &dst, &i) == 0 ? &i->netif : NULL;
}

struct netif *stack_hook_route6(const ip6_addr_t *src, const ip6_addr_t *dest) {
  struct stack *s = stack_the();
  struct net_addr from = stack_from_ip6(src->addr), to = stack_from_ip6(dest->addr);
  struct stack_if *i = NULL;
  if (!ip6_addr_isany(src))
    i = stack_if_owner(s, &from);
  else if (stack_route(s, &to, &i) < 0)
    i = NULL;
  return i && netif_is_link_up(&i->netif) ? &i->netif : NULL;
}

const ip_addr_t *stack_hook_source6(struct netif *n, const ip6_addr_t *dest) {
  struct net_addr to = stack_from_ip6(dest->addr);
  int slot = stack_source6(stack_if_of(n), &to);
  return slot < 0 ? NULL : netif_ip_addr6(n, slot);
}

/* The next hop was chosen already. */
const ip4_addr_t *stack_hook_gateway(struct netif *n _unused_, const ip4_addr_t *dest) { return dest; }

err_t stack_output_ip4(struct netif *n, struct pbuf *p, const ip4_addr_t *dst) {
  struct stack_if *i = stack_if_of(n);
  bool near = ip4_addr_net_eq(dst, netif_ip4_addr(n), netif_ip4_netmask(n));
  if (ip4_addr_isbroadcast(dst, n) || ip4_addr_ismulticast(dst) || (near && !i->routes[0].n && !i->hop.family))
    return etharp_output(n, p, dst);
  struct net_addr to = stack_from_ip4(dst), hop = i->hop.family ? i->hop : stack_if_next_hop(i, &to);
  if (!hop.family)
    return ERR_RTE;
  ip_addr_t h = stack_to_lwip(&hop);
  return etharp_output(n, p, ip_2_ip4(&h));
}

/* --- setting ---------------------------------------------------------------------------------------------------- */

static bool valid_route(const struct stack_route *r, uint8_t family) {
  struct net_prefix p = r->dst;
  enum net_class c = net_addr_class(&r->gateway);
  if (r->dst.addr.family != family || r->dst.len > (family == AF_INET ? 32 : 128))
    return false;
  for (unsigned bit = p.len; bit < (family == AF_INET ? 32u : 128u); bit++)
    if (p.addr.b[bit / 8] & (0x80 >> bit % 8))
      return false;
  return !r->gateway.family || (r->gateway.family == family && (c == NET_UNICAST || c == NET_LINK_LOCAL));
}

int stack_if_set_routes(struct stack_if *i, uint8_t family, const struct stack_route *list, unsigned n) {
  struct stack_route *copy = NULL;
  if (family != AF_INET && family != AF_INET6)
    return -EINVAL;
  for (unsigned k = 0; k < n; k++)
    if (!valid_route(&list[k], family))
      return -EINVAL;
  if (n > STACK_ROUTES_MAX)
    return -ENOBUFS;
  if (n > 0) {
    copy = calloc(n, sizeof(*copy));
    if (!copy)
      return -ENOBUFS;
    memcpy(copy, list, n * sizeof(*copy));
  }
  struct stack_route_list *l = list_of(i, family);
  free(l->list);
  *l = (struct stack_route_list){.list = copy, .n = n};
  return 0;
}

void stack_if_set_metric(struct stack_if *i, unsigned metric) { i->metric = metric; }

void stack_route_clear(struct stack_if *i) {
  (void)stack_if_set_routes(i, AF_INET, NULL, 0);
  (void)stack_if_set_routes(i, AF_INET6, NULL, 0);
}

/* --- looking ---------------------------------------------------------------------------------------------------- */

static void describe(const struct stack_way *w, struct stack_route_info *ret) {
  const struct net_addr *about = w->gateway.family ? &w->gateway : &w->dst.addr;
  *ret = (struct stack_route_info){.ifname = w->i->name,
                                   .dst = w->dst,
                                   .gateway = w->gateway,
                                   .source = stack_source(w->i, about),
                                   .origin = w->origin,
                                   .metric = w->i->metric,
                                   .unreachable = w->dead};
}

static int look_up(struct stack *s, const struct stack_if *only, const struct net_addr *dst, struct stack_route_info *ret) {
  struct stack_way w;
  int r = stack_way_find(s, only, dst, &w);
  if (r < 0)
    return r;
  describe(&w, ret);
  ret->source = stack_source(w.i, dst);
  return 0;
}

int stack_route_lookup(struct stack *s, const struct net_addr *dst, struct stack_route_info *ret) {
  return look_up(s, NULL, dst, ret);
}

int stack_route_lookup_on(struct stack *s, const char *ifname, const struct net_addr *dst, struct stack_route_info *ret) {
  list_for_each(l, &s->ifs) {
    const struct stack_if *i = list_entry(l, struct stack_if, link);
    if (strcmp(i->name, ifname) == 0)
      return look_up(s, i, dst, ret);
  }
  return -ENODEV;
}

struct each {
  void (*fn)(void *arg, const struct stack_route_info *info);
  void *arg;
};

static void tell(const struct each *e, struct stack_if *i, const struct stack_route *r) {
  struct stack_way w = way_of(i, r);
  struct stack_route_info info;
  describe(&w, &info);
  e->fn(e->arg, &info);
}

static void tell_list(const struct each *e, struct stack_if *i, uint8_t family) {
  const struct stack_route_list *l = list_of(i, family);
  for (unsigned k = 0; k < l->n; k++)
    tell(e, i, &l->list[k]);
}

/* The gateway of the address comes before the others of everywhere, behind what is more specific. */
static void tell_ipv4(const struct each *e, struct stack_if *i) {
  const struct stack_route_list *l = list_of(i, AF_INET);
  struct stack_route on_link = connected(i), def = gateway4(i);
  tell(e, i, &on_link);
  for (unsigned k = 0; k < l->n; k++)
    if (l->list[k].dst.len > 0)
      tell(e, i, &l->list[k]);
  if (!net_addr_is_unspecified(&def.gateway))
    tell(e, i, &def);
  for (unsigned k = 0; k < l->n; k++)
    if (l->list[k].dst.len == 0)
      tell(e, i, &l->list[k]);
}

void stack_route_each(struct stack *s, void (*fn)(void *arg, const struct stack_route_info *info), void *arg) {
  const struct each e = {fn, arg};
  list_for_each(l, &s->ifs) {
    struct stack_if *i = list_entry(l, struct stack_if, link);
    if (has_address(i, AF_INET))
      tell_ipv4(&e, i);
    if (has_address(i, AF_INET6)) {
      tell(&e, i, &link_local6);
      tell_list(&e, i, AF_INET6);
    }
  }
}
