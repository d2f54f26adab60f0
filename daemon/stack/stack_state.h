/* SPDX-License-Identifier: BSD-3-Clause
 * What the stack and each of its interfaces remember. For stack_private.h, and by it for all files of this room.
 */
#ifndef CAPNET_STACK_STATE_H
#define CAPNET_STACK_STATE_H

#include "stack/stack.h"
#include "stack/stack_dgram.h"
#include "stack/stack_if_mtu.h"
#include "stack/stack_limits.h"
#include "stack/stack_listen.h"
#include "stack/stack_pmtu.h"
#include "stack/stack_timer.h"
#include "stack/stack_wheel.h"

#include "lwip/err.h"
#include "lwip/ip_addr.h"
#include "lwip/netif.h"
#include "lwip/tcp.h"

/* Of one interface and family: stack_route.c. */
struct stack_route;
struct stack_route_list {
  struct stack_route *list;
  unsigned n;
};
struct stack_hop4 {
  struct net_addr hop; /* family 0: an empty entry */
  uint64_t asked_ns;
};
struct stack_nd_params {
  uint8_t hop_limit;
  uint32_t reachable_ms, retrans_ms;
};

struct stack {
  struct loop *loop;
  struct list ifs, conns, listeners, udps, echoes;
  struct list connecting;      /* stack_conn.wait_link: no answer to the SYN yet */
  struct list dirty, dirty_listeners; /* with something to tell or to send */
  struct list starved;         /* connections that found no memory for their send queue */
  struct list undelivered;     /* packets and neighbours: stack_neigh.c */
  unsigned n_conns, n_listeners, n_bound, n_udps, n_echoes, n_ifs;
  size_t send_memory; /* in use */
  size_t rx_first, rx_grown; /* what receive windows promise: at first, and by what they have grown (stack_tcp_tune.c) */
  struct stack_limits limits;
  uint64_t refused[STACK_LIMIT_COUNT], buckets[STACK_LIMIT_COUNT];
  struct loop_task turn;
  struct loop_timer *tick, *second;
  uint64_t tick_deadline; /* 0: not armed */
  struct wheel wheel;     /* pcbs that something is due for */
  struct list touched;    /* pcbs whose deadline is computed at the end of the turn */
  struct list time_wait;  /* pcbs, the oldest first */
  uint64_t timer_visits;
  uint64_t tick_ns;       /* the instant that tcp_ticks stands for */
  uint64_t second_ns;     /* the instant up to which ARP and reassembly have aged */
  void *serving;          /* whose upcall runs; NULL as soon as that is freed */
  enum stack_end cause;   /* why lwIP ends connections just now, STACK_END_NONE: it decides itself */
  bool looping;           /* the packet comes from ourselves */
  bool in_turn;
  bool reassembled; /* the packet was put together from fragments */
  struct stack_neigh6 *neigh6;
  struct stack_reass6 *reass6;
  struct loop_timer *mld;
  struct raw_pcb *icmp;
  struct stack_listener *on_port[UINT16_MAX + 1]; /* stack_listener.port_next */
  uint64_t short_frames, short_arp, bad_ethertype, bad_checksum, icmp_malformed, syn_dropped, no_memory;
  uint64_t ip6_refused, nd_refused, nd_redirects;
  uint64_t pmtu_reduced, pmtu_black_holes, pmtu_refused;
  struct stack_pmtu pmtu[STACK_PMTU_ENTRIES];
};

struct stack_if {
  struct list link, arps; /* of stack.ifs; who listens to ARP */
  struct stack *s;
  struct nic *nic;
  struct netif netif;
  char name[NIC_NAME_MAX];
  const struct stack_if_upcalls *up;
  void *up_arg;
  bool gone;
  uint8_t prefix_len;
  uint8_t prefix_len6[LWIP_IPV6_NUM_ADDRESSES];
  struct stack_route_list routes[2]; /* IPv4, IPv6 */
  struct stack_hop4 silent[8];       /* gateways of IPv4 that do not answer */
  unsigned silent_next, metric;
  struct net_addr hop;               /* of what is being sent, by who knows better than the routes (stack_udp_send_by) */
  struct stack_mtu_limit mtu_limit[2]; /* IPv4, IPv6 */
  struct stack_nd_params nd_params;
  struct stack_nd *nd;
  struct list groups; /* stack_mld.c */
  uint64_t mld_due, mld_v1_until;
};

#endif
