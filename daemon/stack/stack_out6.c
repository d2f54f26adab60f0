/* SPDX-License-Identifier: BSD-3-Clause
 * IPv6 on its way out: to a group, or to the next hop that our table names; what this room sends by itself; and the part of
 * lwIP's nd6.h that its other files call.
 */
#include "stack/stack_ip6.h"
#include "stack/stack_route.h"

#include "lwip/inet_chksum.h"
#include "lwip/ip6.h"
#include "lwip/nd6.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip6.h"
#include "netif/ethernet.h"

#define ALERT_LEN 8u /* a hop-by-hop header with a router alert and two bytes of padding */

/* RFC 2464 7. */
static void group_mac(const uint8_t *group, struct eth_addr *ret) {
  ret->addr[0] = ret->addr[1] = 0x33;
  memcpy(ret->addr + 2, group + 12, 4);
}

/* TCP and UDP have lwIP's default, unless a router wants another one. No checksum covers it. */
static void set_hop_limit(const struct stack_if *i, uint8_t *h) {
  bool transport = h[6] == IP6_NEXTH_TCP || h[6] == IP6_NEXTH_UDP || h[6] == IP6_NEXTH_FRAGMENT;
  if (transport && h[7] == IP_DEFAULT_TTL)
    h[7] = i->nd_params.hop_limit;
}

err_t stack_output_ip6(struct netif *n, struct pbuf *p, const ip6_addr_t *dst) {
  struct stack_if *i = stack_if_of(n);
  set_hop_limit(i, p->payload);
  if (ip6_addr_ismulticast(dst)) {
    struct eth_addr mac;
    group_mac((const uint8_t *)dst->addr, &mac);
    return ethernet_output(n, p, (const struct eth_addr *)n->hwaddr, &mac, ETHTYPE_IPV6);
  }
  struct net_addr to = stack_from_ip6(dst->addr), hop = stack_if_next_hop(i, &to);
  return hop.family ? stack_neigh6_output(i, &hop, p) : ERR_RTE;
}

/* --- made by hand ----------------------------------------------------------------------------------------------- */

static void fill_header(uint8_t *h, const struct net_addr *src, const struct net_addr *dst, uint8_t hop_limit, bool alert,
                        size_t len) {
  static const uint8_t router_alert[ALERT_LEN] = {IP6_NEXTH_ICMP6, 0, 5, 2, 0, 0, 1, 0};
  size_t payload = len + (alert ? ALERT_LEN : 0);
  memset(h, 0, IP6_HLEN);
  h[0] = 0x60;
  h[4] = (uint8_t)(payload >> 8);
  h[5] = (uint8_t)payload;
  h[6] = alert ? IP6_NEXTH_HOPBYHOP : IP6_NEXTH_ICMP6;
  h[7] = hop_limit;
  if (src->family)
    memcpy(h + 8, src->b, 16);
  memcpy(h + 24, dst->b, 16);
  if (alert)
    memcpy(h + IP6_HLEN, router_alert, ALERT_LEN);
}

static void fill_sum(struct pbuf *p, u16_t before, const struct net_addr *src, const struct net_addr *dst) {
  ip6_addr_t from = stack_to_ip6(src), to = stack_to_ip6(dst);
  pbuf_remove_header(p, before);
  memset((uint8_t *)p->payload + 2, 0, 2);
  u16_t sum = ip6_chksum_pseudo(p, IP6_NEXTH_ICMP6, p->tot_len, &from, &to);
  memcpy((uint8_t *)p->payload + 2, &sum, 2);
  pbuf_add_header(p, before);
}

int stack_ip6_send(struct stack_if *i, const struct net_addr *src, const struct net_addr *dst, uint8_t hop_limit,
                   bool alert, const void *icmp, size_t len, const uint8_t *mac) {
  u16_t before = (u16_t)(IP6_HLEN + (alert ? ALERT_LEN : 0));
  if (len + before > stack_if_mtu(i, AF_INET6))
    return -EMSGSIZE;
  if (i->gone || !netif_is_link_up(&i->netif))
    return -ENETDOWN;
  struct pbuf *p = pbuf_alloc(PBUF_LINK, (u16_t)(before + len), PBUF_RAM);
  if (!p)
    return -ENOBUFS;
  fill_header(p->payload, src, dst, hop_limit, alert, len);
  memcpy((uint8_t *)p->payload + before, icmp, len);
  fill_sum(p, before, src, dst);
  ip6_addr_t to = stack_to_ip6(dst);
  struct eth_addr hw;
  err_t e;
  if (mac) {
    memcpy(hw.addr, mac, 6);
    e = ethernet_output(&i->netif, p, (const struct eth_addr *)i->netif.hwaddr, &hw, ETHTYPE_IPV6);
  } else {
    e = stack_output_ip6(&i->netif, p, &to);
  }
  pbuf_free(p);
  return stack_errno(e);
}

/* --- lwip/nd6.h ------------------------------------------------------------------------------------------------- */

/* What is neighbour discovery was taken before lwIP saw it (stack_in6.c). */
void nd6_input(struct pbuf *p, struct netif *inp _unused_) { pbuf_free(p); }

u16_t nd6_get_destination_mtu(const ip6_addr_t *dst _unused_, struct netif *n) {
  return n ? netif_mtu6(n) : (u16_t)IP6_MTU_MIN;
}

/* A segment acknowledged what we sent: the next hop works. */
void nd6_reachability_hint(const ip6_addr_t *dst) {
  struct netif *n = ip_current_input_netif();
  struct stack_if *i = n ? stack_if_of(n) : NULL;
  struct net_addr to = stack_from_ip6(dst->addr);
  struct stack_way w;
  if (!i || i->s->looping || stack_way_find(i->s, i, &to, &w) < 0)
    return;
  stack_neigh6_confirm(i, w.gateway.family ? &w.gateway : &to);
}

void nd6_cleanup_netif(struct netif *n) { stack_neigh6_clear(stack_if_of(n)); }
void nd6_restart_netif(struct netif *n _unused_) {}
void nd6_tmr(void) {} /* named by lwIP's table of timers, which nobody runs */
