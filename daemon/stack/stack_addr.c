/* SPDX-License-Identifier: BSD-3-Clause
 * Addresses of the interfaces, and the routes that follow from them.
 */
#include "stack/stack_listen_private.h"

#include "lwip/etharp.h"

struct net_addr stack_if_addr(const struct stack_if *i) {
  if (ip4_addr_isany(netif_ip4_addr(&i->netif)))
    return (struct net_addr){0};
  return stack_from_ip4(netif_ip4_addr(&i->netif));
}

static uint32_t mask_of(uint8_t len) { return len ? UINT32_MAX << (32 - len) : 0; }

static struct net_prefix on_link(const struct stack_if *i) {
  struct net_addr a = stack_if_addr(i);
  return (struct net_prefix){.addr = net_addr_v4(net_addr_to_v4(&a) & mask_of(i->prefix_len)), .len = i->prefix_len};
}

/* --- setting ---------------------------------------------------------------------------------------------------- */

/* Sends nothing: when an address is lost, it may already be somebody else's. */
static void lose(struct stack_if *i, const struct net_addr *old) {
  struct stack *s = i->s;
  stack_tcp_address_lost(s, old);
  stack_listeners_address_lost(s, old);
  stack_udp_address_lost(s, old);
  etharp_cleanup_netif(&i->netif);
}

static int check_address(struct stack *s, const struct stack_if *i, const struct net_addr *addr, uint8_t len,
                         const struct net_addr *gw) {
  if (addr->family != AF_INET || len < 1 || len > 32)
    return -EINVAL;
  enum net_class c = net_addr_class(addr);
  if (c != NET_UNICAST && c != NET_LINK_LOCAL)
    return -EINVAL;
  if (gw && gw->family && (gw->family != AF_INET || net_addr_is_unspecified(gw) || net_addr_equal(gw, addr)))
    return -EINVAL;
  struct stack_if *owner = stack_if_owner(s, addr);
  return owner && owner != i ? -EADDRINUSE : 0;
}

static void set_default(struct stack *s) {
  struct netif *def = NULL;
  list_for_each(l, &s->ifs) {
    struct stack_if *i = list_entry(l, struct stack_if, link);
    if (!def && !ip4_addr_isany(netif_ip4_gw(&i->netif)))
      def = &i->netif;
  }
  netif_set_default(def);
}

/* So that status knows it, and the first packet does not wait. */
void stack_if_ask_gateway(struct stack_if *i) {
  if (!ip4_addr_isany(netif_ip4_gw(&i->netif)) && netif_is_link_up(&i->netif))
    etharp_query(&i->netif, netif_ip4_gw(&i->netif), NULL);
}

int stack_if_set_ipv4(struct stack_if *i, const struct net_addr *addr, uint8_t prefix_len, const struct net_addr *gw) {
  struct stack *s = i->s;
  int r = check_address(s, i, addr, prefix_len, gw);
  if (r < 0)
    return r;
  struct net_addr old = stack_if_addr(i);
  bool fresh = !net_addr_equal(&old, addr);
  stack_sync(s);
  if (old.family && fresh)
    lose(i, &old);
  ip_addr_t a = stack_to_lwip(addr), g = stack_to_lwip(gw);
  bool new_gw = fresh || !ip4_addr_eq(ip_2_ip4(&g), netif_ip4_gw(&i->netif));
  ip4_addr_t m = {.addr = lwip_htonl(mask_of(prefix_len))};
  i->prefix_len = prefix_len;
  netif_set_addr(&i->netif, ip_2_ip4(&a), &m, ip_2_ip4(&g));
  set_default(s);
  if (fresh)
    stack_listeners_address_gained(s, i);
  if (new_gw)
    stack_if_ask_gateway(i);
  stack_kick(s);
  return 0;
}

void stack_if_clear_ipv4(struct stack_if *i) {
  struct net_addr old = stack_if_addr(i);
  stack_sync(i->s);
  if (old.family)
    lose(i, &old);
  i->prefix_len = 0;
  netif_set_addr(&i->netif, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4);
  set_default(i->s);
  stack_kick(i->s);
}

/* --- asking ----------------------------------------------------------------------------------------------------- */

struct stack_if *stack_if_owner(struct stack *s, const struct net_addr *a) {
  list_for_each(l, &s->ifs) {
    struct stack_if *i = list_entry(l, struct stack_if, link);
    struct net_addr own = stack_if_addr(i);
    if (own.family && net_addr_equal(&own, a))
      return i;
  }
  return NULL;
}

bool stack_if_reaches(const struct stack_if *i, const struct net_addr *dst) {
  struct net_prefix p = on_link(i);
  return netif_is_link_up(&i->netif) && (net_prefix_contains(&p, dst) || !ip4_addr_isany(netif_ip4_gw(&i->netif)));
}

/* As etharp_output decides it. */
struct net_addr stack_if_next_hop(const struct stack_if *i, const struct net_addr *dst) {
  struct net_prefix p = on_link(i);
  bool direct = net_prefix_contains(&p, dst) || net_addr_class(dst) == NET_LINK_LOCAL;
  return direct ? *dst : stack_from_ip4(netif_ip4_gw(&i->netif));
}

bool stack_has_address(struct stack *s) {
  list_for_each(l, &s->ifs)
    if (stack_if_addr(list_entry(l, struct stack_if, link)).family)
      return true;
  return false;
}

bool stack_is_own(struct stack *s, const struct net_addr *a) { return stack_if_owner(s, a) != NULL; }

bool stack_is_broadcast(struct stack *s, const struct net_addr *a) {
  if (net_addr_class(a) == NET_BROADCAST)
    return true;
  list_for_each(l, &s->ifs) {
    struct stack_if *i = list_entry(l, struct stack_if, link);
    if (!stack_if_addr(i).family)
      continue;
    struct net_prefix p = on_link(i);
    if (net_prefix_broadcast(&p, a))
      return true;
  }
  return false;
}

/* Longest prefix first; between equals an interface that does not itself own dst, so that two interfaces on one wire
 * talk over it. The default route comes last. */
int stack_route(struct stack *s, const struct net_addr *dst, struct stack_if **ret) {
  struct stack_if *best = NULL, *def = NULL;
  int score = -1;
  bool any = false;
  if (dst->family != AF_INET)
    return stack_has_address(s) ? -ENETUNREACH : -ENONET;
  list_for_each(l, &s->ifs) {
    struct stack_if *i = list_entry(l, struct stack_if, link);
    struct net_addr own = stack_if_addr(i);
    if (!own.family)
      continue;
    any = true;
    if (!netif_is_link_up(&i->netif))
      continue;
    struct net_prefix p = on_link(i);
    int v = 2 * p.len + !net_addr_equal(&own, dst);
    bool match = net_prefix_contains(&p, dst) || net_addr_class(dst) == NET_BROADCAST;
    if (match && v > score) {
      score = v;
      best = i;
    }
    if (!def && !ip4_addr_isany(netif_ip4_gw(&i->netif)))
      def = i;
  }
  if (!best)
    best = def;
  if (!best)
    return any ? -ENETUNREACH : -ENONET;
  *ret = best;
  return 0;
}

static void describe(const struct stack_if *i, bool is_default, struct stack_route_info *ret) {
  *ret = (struct stack_route_info){.ifname = i->name, .dst = on_link(i), .source = stack_if_addr(i)};
  if (is_default) {
    ret->dst = (struct net_prefix){.addr = net_addr_v4(0), .len = 0};
    ret->gateway = stack_from_ip4(netif_ip4_gw(&i->netif));
  }
}

int stack_route_lookup(struct stack *s, const struct net_addr *dst, struct stack_route_info *ret) {
  struct stack_if *i;
  int r = stack_route(s, dst, &i);
  if (r < 0)
    return r;
  struct net_prefix p = on_link(i);
  describe(i, !net_prefix_contains(&p, dst), ret);
  return 0;
}

void stack_route_each(struct stack *s, void (*fn)(void *arg, const struct stack_route_info *info), void *arg) {
  list_for_each(l, &s->ifs) {
    struct stack_if *i = list_entry(l, struct stack_if, link);
    struct stack_route_info info;
    if (!stack_if_addr(i).family)
      continue;
    describe(i, false, &info);
    fn(arg, &info);
    if (ip4_addr_isany(netif_ip4_gw(&i->netif)))
      continue;
    describe(i, true, &info);
    fn(arg, &info);
  }
}
