/* SPDX-License-Identifier: BSD-3-Clause
 * IPv6 addresses of an interface, in lwIP's slots, and the parameters of its link.
 */
#include "stack/stack_if6.h"
#include "stack/stack_ip6.h"
#include "stack/stack_listen_private.h"
#include "stack/stack_route.h"


_Static_assert(LWIP_IPV6_NUM_ADDRESSES == STACK_IPV6_ADDRESSES, "lwipopts.h");
_Static_assert(sizeof(ip6_addr_t) == 16, "lwipopts.h: no zones");

struct net_addr stack_from_ip6(const void *b) {
  struct net_addr r = {.family = AF_INET6};
  memcpy(r.b, b, 16);
  return r;
}

ip6_addr_t stack_to_ip6(const struct net_addr *a) {
  ip6_addr_t r = {{0}};
  if (a->family == AF_INET6)
    memcpy(r.addr, a->b, 16);
  return r;
}

/* --- asking ----------------------------------------------------------------------------------------------------- */

int stack_if6_slot(const struct stack_if *i, const struct net_addr *a) {
  for (int k = 0; a->family == AF_INET6 && k < LWIP_IPV6_NUM_ADDRESSES; k++)
    if (!ip6_addr_isinvalid(netif_ip6_addr_state(&i->netif, k)) && memcmp(netif_ip6_addr(&i->netif, k)->addr, a->b, 16) == 0)
      return k;
  return -1;
}

bool stack_if6_usable(const struct stack_if *i, const struct net_addr *a) {
  int k = stack_if6_slot(i, a);
  return k >= 0 && ip6_addr_isvalid(netif_ip6_addr_state(&i->netif, k));
}

bool stack_if6_has_usable(const struct stack_if *i) {
  for (int k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++)
    if (ip6_addr_isvalid(netif_ip6_addr_state(&i->netif, k)))
      return true;
  return false;
}

bool stack_if_can_ip6(const struct stack_if *i) { return i->nic->mtu >= IP6_MTU_MIN; }

static enum stack_addr_state state_of(uint8_t lwip) {
  if (!ip6_addr_isvalid(lwip))
    return STACK_ADDR_TENTATIVE;
  return ip6_addr_isdeprecated(lwip) ? STACK_ADDR_DEPRECATED : STACK_ADDR_PREFERRED;
}

void stack_if_addr_each(const struct stack_if *i, void (*fn)(void *arg, const struct stack_if_addr_info *info), void *arg) {
  struct stack_if_addr_info info = {
      .addr = stack_if_addr(i), .prefix_len = i->prefix_len, .state = STACK_ADDR_PREFERRED};
  if (info.addr.family)
    fn(arg, &info);
  for (int k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++) {
    uint8_t state = netif_ip6_addr_state(&i->netif, k);
    if (ip6_addr_isinvalid(state))
      continue;
    info = (struct stack_if_addr_info){.addr = stack_from_ip6(netif_ip6_addr(&i->netif, k)->addr),
                                       .prefix_len = i->prefix_len6[k],
                                       .state = state_of(state)};
    fn(arg, &info);
  }
}

/* --- setting ---------------------------------------------------------------------------------------------------- */

static int check_address(const struct stack_if *i, const struct net_addr *addr, uint8_t len) {
  enum net_class c = net_addr_class(addr);
  if (addr->family != AF_INET6 || len < 1 || len > 128 || (c != NET_UNICAST && c != NET_LINK_LOCAL))
    return -EINVAL;
  if (!stack_if_can_ip6(i))
    return -EMSGSIZE;
  list_for_each(l, &i->s->ifs) {
    const struct stack_if *other = list_entry(l, struct stack_if, link);
    if (other != i && stack_if6_slot(other, addr) >= 0)
      return -EADDRINUSE;
  }
  return 0;
}

static int free_slot(const struct stack_if *i) {
  for (int k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++)
    if (ip6_addr_isinvalid(netif_ip6_addr_state(&i->netif, k)))
      return k;
  return -ENOBUFS;
}

/* lwIP is to know it before it is valid. The group first: duplicate address detection hears the others by it. */
static int add(struct stack_if *i, const struct net_addr *addr) {
  int k = free_slot(i);
  struct net_addr group = stack_solicited_node(addr);
  if (k < 0)
    return k;
  int r = stack_mld_join(i, &group);
  if (r < 0)
    return r;
  ip6_addr_t a = stack_to_ip6(addr);
  netif_ip6_addr_set(&i->netif, (s8_t)k, &a);
  return k;
}

int stack_if_set_ipv6(struct stack_if *i, const struct net_addr *addr, uint8_t prefix_len, enum stack_addr_state state) {
  static const uint8_t states[] = {[STACK_ADDR_TENTATIVE] = IP6_ADDR_TENTATIVE,
                                   [STACK_ADDR_PREFERRED] = IP6_ADDR_PREFERRED,
                                   [STACK_ADDR_DEPRECATED] = IP6_ADDR_DEPRECATED};
  int r = check_address(i, addr, prefix_len), k = stack_if6_slot(i, addr);
  if (r < 0)
    return r;
  stack_sync(i->s);
  if (k < 0)
    k = add(i, addr);
  if (k < 0)
    return k;
  i->prefix_len6[k] = prefix_len;
  netif_ip6_addr_set_state(&i->netif, (s8_t)k, states[state]);
  stack_listeners_address_gained(i->s, i);
  stack_kick(i->s);
  return 0;
}

static void lose(struct stack_if *i, const struct net_addr *old) {
  stack_tcp_address_lost(i->s, old);
  stack_listeners_address_lost(i->s, old);
  stack_udp_address_lost(i->s, old);
  stack_neigh6_drop_from(i, old);
}

int stack_if_remove_ipv6(struct stack_if *i, const struct net_addr *addr) {
  struct net_addr old = *addr, group = stack_solicited_node(addr);
  int k = stack_if6_slot(i, &old);
  if (k < 0)
    return -ENOENT;
  stack_sync(i->s);
  netif_ip6_addr_set_state(&i->netif, (s8_t)k, IP6_ADDR_INVALID);
  netif_ip6_addr_set(&i->netif, (s8_t)k, IP6_ADDR_ANY6);
  i->prefix_len6[k] = 0;
  lose(i, &old);
  stack_mld_leave(i, &group);
  stack_kick(i->s);
  return 0;
}

void stack_if6_clear(struct stack_if *i) {
  for (int k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++) {
    struct net_addr a = stack_from_ip6(netif_ip6_addr(&i->netif, k)->addr);
    if (!ip6_addr_isinvalid(netif_ip6_addr_state(&i->netif, k)))
      (void)stack_if_remove_ipv6(i, &a);
  }
}

/* --- the link --------------------------------------------------------------------------------------------------- */

void stack_if_set_nd(struct stack_if *i, uint8_t hop_limit, uint32_t reachable_ms, uint32_t retrans_ms) {
  i->nd_params = (struct stack_nd_params){.hop_limit = hop_limit ? hop_limit : IP_DEFAULT_TTL,
                                          .reachable_ms = reachable_ms ? reachable_ms : 30000,
                                          .retrans_ms = retrans_ms ? retrans_ms : 1000};
}
