/* SPDX-License-Identifier: BSD-3-Clause
 * The choice of a way for a packet, of both families. lwIP asks here for interface, source and next hop.
 */
#ifndef CAPNET_STACK_ROUTE_H
#define CAPNET_STACK_ROUTE_H

#include "stack/stack_if6.h"
#include "stack/stack_private.h"

struct stack_way {
  struct stack_if *i;
  struct net_prefix dst;   /* of the route */
  struct net_addr gateway; /* family 0: on link */
  const char *origin;
  bool dead;               /* the gateway does not answer */
  /* The gateway that would be better if it answered. */
  struct net_addr spared;
  struct stack_if *spared_if; /* NULL: there is none */
};
/* only NULL: on any interface. Routes whose gateway answers before those whose does not (RFC 4191 3.2), then the longest
 * prefix, an interface that does not itself own dst (so that two on one wire talk over it), the metric, the order.
 * -ENONET: no address of that family, -ENETUNREACH. */
int stack_way_find(struct stack *s, const struct stack_if *only, const struct net_addr *dst, struct stack_way *ret);

/* Interface and source of a packet. src family 0, "0.0.0.0" or "::": chosen; else it must be ours and usable
 * (-EADDRNOTAVAIL), and its interface has to have a way. */
int stack_path(struct stack *s, const struct net_addr *src, const struct net_addr *dst, struct stack_if **ret,
               struct net_addr *ret_src);
/* The source of what leaves by i; family 0: none. */
struct net_addr stack_source(const struct stack_if *i, const struct net_addr *dst);

void stack_route_unanswered(struct stack_if *i, const struct net_addr *hop); /* ARP asked for it in vain */
bool stack_route_gateway(const struct stack_if *i, const struct net_addr *hop);
void stack_route_clear(struct stack_if *i);
err_t stack_output_ip4(struct netif *n, struct pbuf *p, const ip4_addr_t *dst);

#endif
