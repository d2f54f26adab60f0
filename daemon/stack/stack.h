/* SPDX-License-Identifier: BSD-3-Clause
 * The user-space TCP/IP stack: the only room that knows lwIP. One stack a process (lwIP's state is global). Everything
 * runs on the loop's thread; upcalls come from the loop or from a call made into this room, never from another thread.
 *
 * Errors are -errno in the vocabulary of DESIGN section 2:
 *   -ENONET no configuration (no address, no route)   -ECONNREFUSED  -ETIMEDOUT  -EHOSTUNREACH/-ENETUNREACH
 *   -ECONNRESET  -EADDRINUSE  -EADDRNOTAVAIL  -ENOBUFS (the stack's own limit)  -EMSGSIZE  -EINVAL
 */
#ifndef CAPNET_STACK_H
#define CAPNET_STACK_H

#include "base/net.h"
#include "loop/loop.h"
#include "nic/nic.h"
#include "stack/stack_limits.h"

struct stack;
struct stack_if;

int stack_new(struct loop *loop, struct stack **ret);
struct stack *stack_free(struct stack *s); /* after all that was made from it is gone; frees the interfaces and devices */

/* --- interfaces ------------------------------------------------------------------------------------------------ */

/* A NULL member is not called. */
struct stack_if_upcalls {
  void (*link)(void *arg, bool up);
  void (*mtu)(void *arg);              /* the device's has changed; below 1280 IPv6 is to be taken away */
  void (*away)(void *arg, bool away);  /* the device is gone, but opened again when it is back (nic.h) */
  void (*gone)(void *arg, int error);
};

/* Takes over nic (consumed also on failure) and starts it. name ("net0") is the operator's, unique. */
int stack_if_add(struct stack *s, struct nic *nic, const char *name, const struct stack_if_upcalls *up, void *arg,
                 struct stack_if **ret);

/* The address, its on-link prefix and the gateway (family 0: none). Replacing the address ends the connections,
 * listeners and UDP sockets bound to it (-EADDRNOTAVAIL, STACK_END_ADDRESS_LOST), but for listeners that follow
 * (stack_listen_options); keeping it (a renewal) touches nothing. Sends one gratuitous ARP for a new address and
 * resolves the gateway. */
int stack_if_set_ipv4(struct stack_if *i, const struct net_addr *addr, uint8_t prefix_len, const struct net_addr *gw);
void stack_if_clear_ipv4(struct stack_if *i);
/* Before an address is given up to another host (RFC 5227 2.4): its TCP connections end as above, and their other ends are
 * told, while it is still ours to send from. */
void stack_if_reset_ipv4(struct stack_if *i);
/* Neighbours, gateways that did not answer, groups: all as after a link that was away. */
void stack_if_forget_neighbours(struct stack_if *i);
/* Lowers the family's MTU below the device's (DHCP option 26, RFC 4861 4.6.4), at once, for open connections too; a larger
 * one than the device's changes nothing. 0 lifts it. origin is shown, and not copied. -EINVAL: below 68 (RFC 791) or 1280
 * (RFC 8200 5), or no family. */
int stack_if_limit_mtu(struct stack_if *i, uint8_t family, unsigned mtu, const char *origin);

struct stack_if_info {
  const char *name;   /* the operator's */
  const char *device; /* the nic's */
  const char *kind;
  uint8_t mac[6];
  unsigned device_mtu; /* before what the network asks for */
  unsigned mtu; /* for IPv4 */
  const char *mtu_origin;
  bool link_up;
  const char *state; /* "up", "down" (the link), "gone" (the device) */
  struct net_addr addr; /* IPv4, family 0: none. All of them: stack_if_addr_each */
  uint8_t prefix_len;
  struct net_addr gateway;
  unsigned mtu6; /* 0: less than IPv6 needs */
  const char *mtu6_origin;
  unsigned metric;
  struct nic_counters nic;
  char offloads[NIC_FEATURES_TEXT_MAX]; /* "tx-csum …" or "none" */
};
void stack_if_info(const struct stack_if *i, struct stack_if_info *ret);
void stack_if_each(struct stack *s, void (*fn)(void *arg, const struct stack_if_info *info), void *arg);

enum stack_addr_state { STACK_ADDR_TENTATIVE, STACK_ADDR_PREFERRED, STACK_ADDR_DEPRECATED };
struct stack_if_addr_info {
  struct net_addr addr;
  uint8_t prefix_len;
  enum stack_addr_state state;
};
/* The IPv4 address first, then the IPv6 ones. */
void stack_if_addr_each(const struct stack_if *i, void (*fn)(void *arg, const struct stack_if_addr_info *info), void *arg);

/* REREQUESTING is ARP's; STALE to FAILED are those of RFC 4861 5.1 (FAILED: a router that does not answer). */
enum stack_neigh_state {
  STACK_NEIGH_PENDING,
  STACK_NEIGH_STABLE,
  STACK_NEIGH_REREQUESTING,
  STACK_NEIGH_STALE,
  STACK_NEIGH_DELAY,
  STACK_NEIGH_PROBE,
  STACK_NEIGH_FAILED
};
struct stack_neigh_info {
  const char *ifname;
  struct net_addr addr;
  uint8_t mac[6]; /* zero while pending and when failed */
  enum stack_neigh_state state;
  bool router; /* IPv6: it says so */
};
void stack_neigh_each(struct stack *s, void (*fn)(void *arg, const struct stack_neigh_info *info), void *arg);

/* Which way a datagram to dst would go. -ENONET without an address, -ENETUNREACH without a route. Sends nothing. */
struct stack_route_info {
  const char *ifname;
  struct net_prefix dst;   /* 0.0.0.0/0 or ::/0 for the default route */
  struct net_addr gateway; /* family 0: on link */
  struct net_addr source;  /* family 0: none that would do */
  const char *origin;      /* as stack_if_set_routes was told; NULL: it follows from the IPv4 address */
  unsigned metric;         /* the interface's */
  bool unreachable;        /* the gateway does not answer */
};
int stack_route_lookup(struct stack *s, const struct net_addr *dst, struct stack_route_info *ret);
/* The same by one interface alone: a link-local address is one of a link. -ENODEV: there is none of this name. */
int stack_route_lookup_on(struct stack *s, const char *ifname, const struct net_addr *dst, struct stack_route_info *ret);
void stack_route_each(struct stack *s, void (*fn)(void *arg, const struct stack_route_info *info), void *arg);

/* The interface that has this address; NULL: none. */
const char *stack_if_with(struct stack *s, const struct net_addr *a);
/* Is a one of the stack's own addresses, or a directed broadcast of an on-link prefix? For rights. */
bool stack_is_own(struct stack *s, const struct net_addr *a);
bool stack_is_broadcast(struct stack *s, const struct net_addr *a);

/* --- what the stack counts, for status and tests ---------------------------------------------------------------- */

struct stack_stats {
  uint64_t asserts; /* lwIP assertions that would have ended the process */
  uint64_t short_frames, short_arp, bad_ethertype, bad_checksum; /* dropped before or in lwIP */
  uint64_t ip6_refused;  /* impossible source or destination, headers or fragments that are not taken */
  uint64_t nd_refused;   /* neighbour discovery and queries for groups that break their rules */
  uint64_t nd_redirects; /* not followed */
  uint64_t icmp_malformed;
  uint64_t syn_dropped; /* backlog of a listener was full, and it did not refuse */
  uint64_t no_memory;                  /* an allocation failed */
  uint64_t refused[STACK_LIMIT_COUNT]; /* by each limit: not made, not sent, or the oldest given up */
  uint64_t pmtu_reduced;     /* connections whose packets became smaller: told by ICMP, or by a black hole */
  uint64_t pmtu_black_holes; /* found by time-outs, nobody told */
  uint64_t pmtu_refused;     /* "fragmentation needed" that is not about a packet of ours, or claims nothing smaller */
  uint64_t timer_visits; /* connections that a timer of TCP looked at */
  /* live objects */
  uint64_t tcp_active, tcp_time_wait, tcp_listening, udp, pbuf_bytes;
  uint64_t rx_promised; /* bytes that all receive windows offer, with what lies there unread */
};
void stack_get_stats(const struct stack *s, struct stack_stats *ret);

#endif
