/* SPDX-License-Identifier: BSD-3-Clause
 * What the files of this room share. lwIP's state is global, so there is one struct stack a process.
 *
 * A turn: whatever enters lwIP (frames, timers, calls from above) first moves its clocks (stack_sync) and afterwards
 * asks for the end of the turn (stack_kick). There, in one loop task, upcalls go out. Frames that lwIP makes leave at once.
 */
#ifndef CAPNET_STACK_PRIVATE_H
#define CAPNET_STACK_PRIVATE_H

#include "stack/stack_state.h"

/* stack.c */
struct stack *stack_the(void); /* NULL before stack_new */
void stack_kick(struct stack *s);

/* stack_limit.c */
int stack_refuse(struct stack *s, enum stack_limit l); /* counts, -ENOBUFS */
bool stack_echo_reply_allowed(struct stack *s);

/* stack_neigh.c */
void stack_neigh_serve(struct stack *s);
void stack_neigh_forget(struct stack *s);
bool stack_neigh_waits(void); /* an entry of ARP's is being asked for */
/* hop did not answer; p: a packet that waited for it. Told in the turn. */
void stack_neigh_unanswered(struct stack_if *i, const struct net_addr *hop, const struct pbuf *p);

/* stack_rand.c */
void stack_rand_init(void);
uint32_t stack_rand32(void);
uint32_t stack_isn_hash(const ip_addr_t *local, uint16_t lport, const ip_addr_t *remote, uint16_t rport);
uint32_t stack_ts_hash(const ip_addr_t *local, uint16_t lport, const ip_addr_t *remote, uint16_t rport);
uint32_t stack_index_hash(const ip_addr_t *local, uint16_t lport, const ip_addr_t *remote, uint16_t rport);
/* Calls taken(arg, port) for ports in a random order until one is free; 0 when none is (RFC 6056). */
uint16_t stack_random_port(bool (*taken)(void *arg, uint16_t port), void *arg);
/* The same for a connection to remote: hard to guess for others, and none twice before all others were given. */
uint16_t stack_connection_port(const ip_addr_t *local, const ip_addr_t *remote, uint16_t rport,
                               bool (*taken)(void *arg, uint16_t port), void *arg);

/* stack_port.c */
uint64_t stack_port_asserts(void);
uint64_t stack_port_failures(void); /* allocations refused, by the limit or by malloc */
uint64_t stack_port_refused(void);  /* those by the limit */
void stack_port_set_limit(size_t bytes);
/* Memory that others made and lwIP holds. False (counted): the limit does not allow it. */
bool stack_port_hold(size_t size);
void stack_port_release(size_t size);
uint64_t stack_port_pbuf_bytes(void);
bool stack_port_reassembling(void);

/* stack_if.c */
struct stack_if *stack_if_of(const struct netif *n);
void stack_if_poll_loopback(struct stack *s);
struct stack_if *stack_if_free(struct stack_if *i);

/* stack_addr.c */
struct stack_if *stack_if_owner(struct stack *s, const struct net_addr *a); /* where a may be used */
bool stack_has_address(struct stack *s); /* of any family, usable */
void stack_if_ask_gateway(struct stack_if *i);
struct net_addr stack_if_addr(const struct stack_if *i); /* IPv4 */

/* stack_route.c; more in stack_route.h */
bool stack_if_reaches(const struct stack_if *i, const struct net_addr *dst); /* on link, or through a gateway */
struct net_addr stack_if_next_hop(const struct stack_if *i, const struct net_addr *dst); /* family 0: none */
/* The interface for a datagram to dst. */
int stack_route(struct stack *s, const struct net_addr *dst, struct stack_if **ret);

/* stack_err.c: lwIP's vocabulary into ours, the only place */
int stack_errno(err_t e);
ip_addr_t stack_to_lwip(const struct net_addr *a);
struct net_addr stack_from_lwip(const ip_addr_t *a);
struct net_addr stack_from_ip4(const ip4_addr_t *a);

/* stack_icmp.c */
int stack_icmp_init(struct stack *s);
void stack_icmp_done(struct stack *s);
/* The next hop of this packet of ours, of which quote is the beginning, does not answer. */
void stack_icmp_undelivered(struct stack *s, const uint8_t *quote, size_t len);

/* stack_udp.c */
bool stack_udp_take(struct stack *s, struct pbuf *p, struct netif *inp); /* for a socket of one interface */
/* error 0 is told to nobody. False: no socket is there. */
bool stack_udp_icmp(struct stack *s, const struct net_endpoint *local, const struct net_endpoint *remote, int error);
void stack_udp_address_lost(struct stack *s, const struct net_addr *a);

/* stack_tcp.c */
void stack_tcp_init(void);
void stack_tcp_serve(struct stack *s);
void stack_tcp_dirty(struct tcp_pcb *pcb); /* the end of the turn is to look at it */
bool stack_tcp_unwritten(const struct tcp_pcb *pcb); /* committed, not lwIP's, and nothing of it is on its way */
bool stack_tcp_output_later(const struct tcp_pcb *pcb);
void stack_tcp_leaves(struct tcp_pcb *pcb); /* its list: for now it still knows all about itself */
uint64_t stack_tcp_deadline(const struct tcp_pcb *pcb); /* monotonic, of the time-outs that lwIP does not have */
bool stack_tcp_check_deadline(struct tcp_pcb *pcb);     /* true: it has come, and pcb is gone */
void stack_tcp_icmp(struct stack *s, const struct net_endpoint *local, const struct net_endpoint *remote, uint32_t seq,
                    int error);
void stack_tcp_address_lost(struct stack *s, const struct net_addr *a);
void stack_tcp_reset(struct stack *s, const struct net_addr *a); /* as well, and the other ends are told */
void stack_tcp_forget_all(struct stack *s);
void stack_tcp_unanswered(struct stack *s, const struct stack_if *i, const struct net_addr *hop);

#endif
