/* SPDX-License-Identifier: BSD-3-Clause
 * What is configured of an interface beyond its IPv4 address: IPv6 addresses, routes of both families, MTU, and the
 * parameters and messages of neighbour discovery. Who decides on them is above (netconf): this room detects no duplicate,
 * makes no address and believes no router advertisement.
 *
 * An address belongs to one interface, a link-local one too: so it says which link it is about, and there are no zones.
 */
#ifndef CAPNET_STACK_IF6_H
#define CAPNET_STACK_IF6_H

#include "stack/stack.h"

/* --- addresses -------------------------------------------------------------------------------------------------- */

#define IP6_MTU_MIN 1280u       /* RFC 8200 5: a device that takes less has no IPv6 */
#define STACK_IPV6_ADDRESSES 16 /* of an interface; of them so many may be link-local or not */

/* Adds the address, or changes its state or length; what is bound to it is not touched by that. It follows no on-link
 * prefix from it (RFC 5942 4): that is a route. TENTATIVE: not used, and of what is sent to it only neighbour discovery is
 * looked at; its solicited-node group is joined. DEPRECATED: used where there is no other (RFC 6724 5 rule 3), and by
 * what is bound to it. -EINVAL: not a unicast IPv6 address, or a length that is not 1..128; -EADDRINUSE: another interface
 * has it; -ENOBUFS: too many; -EMSGSIZE: the device's MTU is below 1280 (RFC 8200 5). */
int stack_if_set_ipv6(struct stack_if *i, const struct net_addr *addr, uint8_t prefix_len, enum stack_addr_state state);
/* What is bound to it ends (-EADDRNOTAVAIL, STACK_END_ADDRESS_LOST), and sends nothing. -ENOENT. */
int stack_if_remove_ipv6(struct stack_if *i, const struct net_addr *addr);

/* --- routes ----------------------------------------------------------------------------------------------------- */

#define STACK_ROUTES_MAX 64 /* of a family on an interface */

/* gateway family 0: dst is on link. */
struct stack_route {
  struct net_prefix dst;
  struct net_addr gateway;
  const char *origin; /* who says so, as it is shown; static; NULL: not known here */
};
/* Replaces all routes of the family, copied. Those that follow from stack_if_set_ipv4 (on-link prefix, default through
 * its gateway) and fe80::/10 are not among them. IPv4: options 33 and 121, and routers after that gateway; IPv6: on-link prefixes, and routers as ::/0
 * and more specific. Several for one prefix: the first is preferred, the next when its neighbour does not answer.
 * -EINVAL: another family, host bits, a gateway that is not unicast; -ENOBUFS: more than STACK_ROUTES_MAX. */
int stack_if_set_routes(struct stack_if *i, uint8_t family, const struct stack_route *list, unsigned n);
/* Between interfaces that know a route for the same prefix the smaller one wins; default 0, then the order in which they
 * were added. */
void stack_if_set_metric(struct stack_if *i, unsigned metric);

/* --- parameters of the link ------------------------------------------------------------------------------------- */

/* RFC 4861 6.3.4, of all that is sent from now on. 0: the default (64, 30,000 ms, 1,000 ms). */
void stack_if_set_nd(struct stack_if *i, uint8_t hop_limit, uint32_t reachable_ms, uint32_t retrans_ms);

/* --- neighbour discovery for those who configure ---------------------------------------------------------------- */

/* Router advertisements, and solicitations and advertisements about a tentative or other address of the interface.
 * What RFC 4861 6.1.2, 7.1.1 and 7.1.2 demand was checked: hop limit 255, checksum, code, lengths, also those of all
 * options. icmp is borrowed. Solicitations of an address that is not tentative have been answered, and what they and
 * router advertisements say of the sender's link-layer address has been noted. May close its stack_nd. */
struct stack_nd_ops {
  void (*received)(void *arg, const struct net_addr *from, const struct net_addr *to, const uint8_t *icmp, size_t len);
};
struct stack_nd;
/* One for an interface: -EBUSY. -ENOMEM. */
int stack_nd_open(struct stack_if *i, const struct stack_nd_ops *ops, void *arg, struct stack_nd **ret);
/* src family 0: "::", else an address of the interface, which may be tentative (-EADDRNOTAVAIL). The checksum is filled
 * in, hop limit 255. -EINVAL: no IPv6 destination, or shorter than its header; -EMSGSIZE; -ENETDOWN: no link; -ENOBUFS. */
int stack_nd_send(struct stack_nd *nd, const struct net_addr *src, const struct net_addr *dst, const void *icmp, size_t len);
struct stack_nd *stack_nd_close(struct stack_nd *nd); /* NULL is fine */

#endif
