/* SPDX-License-Identifier: BSD-3-Clause
 * IPv4 addresses of the interfaces, and whose an address is.
 */
#include "stack/stack_ip6.h"
#include "stack/stack_listen_private.h"

#include "lwip/etharp.h"

struct net_addr stack_if_addr(const struct stack_if *i) {
  if (ip4_addr_isany(netif_ip4_addr(&i->netif)))
    return (struct net_addr){0};
  return stack_from_ip4(netif_ip4_addr(&i->netif));
}

static uint32_t mask_of(uint8_t len) { return len ? UINT32_MAX << (32 - len) : 0; }

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
  stack_kick(i->s);
}

void stack_if_reset_ipv4(struct stack_if *i) {
  struct net_addr a = stack_if_addr(i);
  stack_sync(i->s);
  if (a.family)
    stack_tcp_reset(i->s, &a);
  stack_kick(i->s);
}

/* --- asking ----------------------------------------------------------------------------------------------------- */

struct stack_if *stack_if_owner(struct stack *s, const struct net_addr *a) {
  list_for_each(l, &s->ifs) {
    struct stack_if *i = list_entry(l, struct stack_if, link);
    struct net_addr own = stack_if_addr(i);
    if ((own.family && net_addr_equal(&own, a)) || stack_if6_usable(i, a))
      return i;
  }
  return NULL;
}

bool stack_has_address(struct stack *s) {
  list_for_each(l, &s->ifs) {
    const struct stack_if *i = list_entry(l, struct stack_if, link);
    if (stack_if_addr(i).family || stack_if6_has_usable(i))
      return true;
  }
  return false;
}

const char *stack_if_with(struct stack *s, const struct net_addr *a) {
  const struct stack_if *i = stack_if_owner(s, a);
  return i ? i->name : NULL;
}

/* One that is tentative, too: nobody is to reach it by calling it somebody else's. */
bool stack_is_own(struct stack *s, const struct net_addr *a) {
  list_for_each(l, &s->ifs)
    if (stack_if6_slot(list_entry(l, struct stack_if, link), a) >= 0)
      return true;
  return stack_if_owner(s, a) != NULL;
}

bool stack_is_broadcast(struct stack *s, const struct net_addr *a) {
  if (net_addr_class(a) == NET_BROADCAST)
    return true;
  list_for_each(l, &s->ifs) {
    struct stack_if *i = list_entry(l, struct stack_if, link);
    struct net_addr own = stack_if_addr(i);
    struct net_prefix p = net_prefix_of(&own, i->prefix_len);
    if (own.family && net_prefix_broadcast(&p, a))
      return true;
  }
  return false;
}
