/* SPDX-License-Identifier: BSD-3-Clause
 * What is known of the path MTU to destinations (RFC 1191, RFC 8201): how large a packet reaches it, as a router told that
 * named a packet of ours. A connection begins with it. It is forgotten after ten minutes, so larger packets are tried
 * again (RFC 1191 6.3); it is bounded, and which entries give way to others cannot be aimed at.
 */
#ifndef CAPNET_STACK_PMTU_H
#define CAPNET_STACK_PMTU_H

#include "base/net.h"
#include "base/util.h"

#include "lwip/ip_addr.h"

#define STACK_PMTU_LIFETIME_NS (600 * NSEC_PER_SEC)
#define STACK_PMTU_WAYS 4u    /* destinations that share a place, the oldest of which gives way */
#define STACK_PMTU_PLACES 256u
#define STACK_PMTU_ENTRIES (STACK_PMTU_WAYS * STACK_PMTU_PLACES)

struct stack;
struct tcp_pcb;

struct stack_pmtu {
  ip_addr_t local, remote; /* by where it leaves, too: two addresses of ours may have two paths */
  uint64_t until_ns;       /* monotonic; 0: none */
  uint16_t mtu;
  bool weak; /* said of a datagram, of which nobody knows whether it was sent: fragments follow it, TCP does not */
};

/* The largest packet, IP header included, or 0: nothing is known, or only something weak that does not count.
 * ret_until_ns, when not NULL: when it is forgotten. */
uint16_t stack_pmtu_find(struct stack *s, const ip_addr_t *local, const ip_addr_t *remote, bool weak_counts,
                         uint64_t *ret_until_ns);
/* What is weak gives way to what is not, and takes no place from it. */
void stack_pmtu_learn(struct stack *s, const ip_addr_t *local, const ip_addr_t *remote, bool weak, uint16_t mtu);
/* Of a packet of which a router said only that it is too large: RFC 1191 7, the next plateau below. */
uint16_t stack_pmtu_plateau(uint16_t len);
/* What no claim lowers it under. */
uint16_t stack_pmtu_floor(const ip_addr_t *remote);
/* The IP and TCP headers of each packet of a connection, with the options that all have. */
uint16_t stack_pmtu_headers(const struct tcp_pcb *pcb);

/* --- what the connections of TCP make of it (stack_tcp_path.c) ---------------------------------------------------- */

/* Packet too big: seq begins what the router quoted, of quoted_len bytes; mtu 0: it did not say which size passes. */
void stack_tcp_too_big(struct stack *s, const struct net_endpoint *local, const struct net_endpoint *remote, uint32_t seq,
                       uint32_t mtu, size_t quoted_len);
/* The largest segment of a connection that begins. */
uint16_t stack_tcp_path_mss(struct stack *s, const struct tcp_pcb *pcb);
/* A time-out is about to be handled; true: it was the size of the packets, which was lowered. */
bool stack_tcp_timed_out(const struct tcp_pcb *pcb);

#endif
