/* SPDX-License-Identifier: BSD-3-Clause
 * IPv6 within this room. lwIP has the header, the extension headers that passed stack_in6.c, and the transports; ours are
 * the look at what comes in, fragments, neighbours, groups, and the choice of interface, next hop and source (ADR 0016).
 */
#ifndef CAPNET_STACK_IP6_H
#define CAPNET_STACK_IP6_H

#include "stack/stack_if6.h"
#include "stack/stack_private.h"

#define ND_HOP_LIMIT 255

/* RFC 4861 4, RFC 2710 and RFC 3810. */
enum {
  ICMP6_MLD_QUERY = 130,
  ICMP6_MLD_REPORT = 131,
  ICMP6_MLD_DONE = 132,
  ICMP6_ND_RS = 133,
  ICMP6_ND_RA = 134,
  ICMP6_ND_NS = 135,
  ICMP6_ND_NA = 136,
  ICMP6_ND_REDIRECT = 137,
  ICMP6_MLD2_REPORT = 143
};

struct net_addr stack_from_ip6(const void *b); /* 16 bytes in network order; never canonical, for the wire's sake */
ip6_addr_t stack_to_ip6(const struct net_addr *a);
struct net_addr stack_solicited_node(const struct net_addr *a);
extern const struct net_addr stack_all_nodes; /* ff02::1 */

/* stack_if6.c */
bool stack_if_can_ip6(const struct stack_if *i); /* its MTU is enough */
/* The slot of an address of the interface in lwIP's array, -1: it has no such. */
int stack_if6_slot(const struct stack_if *i, const struct net_addr *a);
bool stack_if6_usable(const struct stack_if *i, const struct net_addr *a);    /* preferred or deprecated */
bool stack_if6_has_usable(const struct stack_if *i);                         /* one of them at least */
void stack_if6_clear(struct stack_if *i); /* before it is freed */

/* stack_source.c: RFC 6724 5 among the addresses of i. The slot, -1: there is none. */
int stack_source6(const struct stack_if *i, const struct net_addr *dst);

/* stack_in6.c */
struct ip6_in {
  struct stack_if *i;
  struct net_addr src, dst;
  const uint8_t *h; /* from the IPv6 header on */
  size_t len;       /* of the whole packet */
  size_t here;      /* of it in one piece */
  uint8_t proto;    /* behind the extension headers; IP6_NEXTH_FRAGMENT: stopped there */
  size_t at;        /* where that begins */
  bool router_alert;
  bool fragment;    /* it has a fragment header, or was put together from fragments */
};

/* stack_reass6.c. Takes over p, whose fragment header is at in->at. The whole packet, without that header, or NULL. */
struct pbuf *stack_reass6(const struct ip6_in *in, struct pbuf *p);
void stack_reass6_forget(struct stack *s, const struct stack_if *i); /* i NULL: all */
int stack_reass6_init(struct stack *s);
void stack_reass6_done(struct stack *s);

/* stack_out6.c */
err_t stack_output_ip6(struct netif *n, struct pbuf *p, const ip6_addr_t *dst);
/* A packet made by hand: src family 0 is "::", alert adds a hop-by-hop header with a router alert (RFC 2711), mac NULL
 * finds the way. -EMSGSIZE, -ENETDOWN, -ENOBUFS. */
int stack_ip6_send(struct stack_if *i, const struct net_addr *src, const struct net_addr *dst, uint8_t hop_limit,
                   bool alert, const void *icmp, size_t len, const uint8_t *mac);

/* stack_mld.c: the groups of an interface (RFC 3810, RFC 2710). Joins are counted. */
int stack_mld_join(struct stack_if *i, const struct net_addr *group);
void stack_mld_leave(struct stack_if *i, const struct net_addr *group);
bool stack_mld_member(const struct stack_if *i, const struct net_addr *group);
void stack_mld_input(const struct ip6_in *in);
void stack_mld_link_up(struct stack_if *i);
void stack_mld_clear(struct stack_if *i);
int stack_mld_init(struct stack *s);
void stack_mld_done(struct stack *s);

/* stack_nd.c */
void stack_nd_input(const struct ip6_in *in);

/* stack_neigh6.c: the neighbour cache (RFC 4861 5.1, 7.2, 7.3). */
struct neigh6;
int stack_neigh6_init(struct stack *s);
void stack_neigh6_done(struct stack *s);
err_t stack_neigh6_output(struct stack_if *i, const struct net_addr *hop, struct pbuf *p);
/* A packet of hop's with its link-layer address; NULL: without, and only who is known already is noted. router: as an
 * advertisement of a router; else it says nothing of that. */
void stack_neigh6_learn(struct stack_if *i, const struct net_addr *hop, const uint8_t mac[6], bool router);
/* An advertisement about hop, mac NULL: without its link-layer address. */
struct neigh6_advert {
  bool router, solicited, override;
  const uint8_t *mac;
};
void stack_neigh6_advertised(struct stack_if *i, const struct net_addr *hop, const struct neigh6_advert *a);
void stack_neigh6_confirm(struct stack_if *i, const struct net_addr *hop); /* it brings our packets on (7.3.1) */
bool stack_neigh6_dead(const struct stack_if *i, const struct net_addr *hop); /* it did not answer when last asked */
void stack_neigh6_revive(struct stack_if *i, const struct net_addr *hop);     /* asks it again, once a minute */
void stack_neigh6_drop_from(struct stack_if *i, const struct net_addr *src);  /* packets that wait, of that source */
void stack_neigh6_clear(struct stack_if *i);
void stack_neigh6_each(struct stack *s, void (*fn)(void *arg, const struct stack_neigh_info *info), void *arg);

#endif
