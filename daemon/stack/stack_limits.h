/* SPDX-License-Identifier: BSD-3-Clause
 * Every limit of the room, in one place; what each refused is counted (stack_stats.refused). What lwIP has to know when
 * it is compiled stands in lwip-port/lwipopts.h and is named here:
 *
 *   neighbours        ARP_TABLE_SIZE 64 entries, the oldest gives way; ARP_QUEUE_LEN packets wait for each;
 *                     IPv6: STACK_NEIGH6_MAX, the one that we sent to longest ago gives way (stack_neigh6.c)
 *   fragments         IP_REASS_MAX_PBUFS 128 fragments, and so many datagrams, for IP_REASS_MAXAGE seconds; IPv6: as
 *                     many again, for 60 seconds (stack_reass6.c)
 *   out of order      TCP_OOSEQ_MAX_BYTES and TCP_OOSEQ_MAX_PBUFS for each connection
 *   path MTUs         STACK_PMTU_ENTRIES destinations, for ten minutes each
 *   to oneself        LWIP_LOOPBACK_MAX_PBUFS packets on the way, NETIF_LOOP_POLL_MAX of them handled in one turn
 *   half-open         the backlog of the listener, with those that wait to be accepted
 *   receive queue     the capacity of the connection (stack_conn_set_rcvbuf), at most TCP_WND; of all connections a
 *                     half of what may be received, down to TCP_SYN_WND each (stack_tcp_tune.c)
 */
#ifndef CAPNET_STACK_LIMITS_H
#define CAPNET_STACK_LIMITS_H

#include <stddef.h>

/* What is there already when a limit is lowered stays. */
struct stack_limits {
  unsigned connections; /* those closing included, TIME_WAIT apart */
  unsigned listeners, udp_sockets, echo_sessions, interfaces;
  unsigned time_wait; /* beyond it the oldest are forgotten, at the end of the turn; also for want of memory */
  size_t memory;      /* all of lwIP's allocations, bytes: packets received and not taken (half of it), headers, pcbs */
  size_t send_memory; /* the send queues of all connections, bytes */
  /* A second; the burst is what may go at once after a pause. */
  unsigned icmp_errors, icmp_errors_burst; /* that we send (RFC 1812 4.3.2.8) */
  unsigned echo_replies, echo_replies_burst;
  unsigned resets, resets_burst; /* in answer to segments of no connection; our own aborts do not count */
};

#define STACK_LIMITS_DEFAULT \
  { \
    .connections = 262144, .listeners = 4096, .udp_sockets = 16384, .echo_sessions = 1024, .interfaces = 16, \
    .time_wait = 16384, .memory = (size_t)512 << 20, .send_memory = (size_t)512 << 20, .icmp_errors = 100, \
    .icmp_errors_burst = 50, .echo_replies = 10000, .echo_replies_burst = 2000, .resets = 1000, .resets_burst = 500, \
  }

enum stack_limit {
  STACK_LIMIT_CONNECTIONS,
  STACK_LIMIT_LISTENERS,
  STACK_LIMIT_UDP_SOCKETS,
  STACK_LIMIT_ECHO_SESSIONS,
  STACK_LIMIT_INTERFACES,
  STACK_LIMIT_TIME_WAIT,
  STACK_LIMIT_MEMORY,
  STACK_LIMIT_SEND_MEMORY,
  STACK_LIMIT_ICMP_ERRORS,
  STACK_LIMIT_ECHO_REPLIES,
  STACK_LIMIT_RESETS,
  STACK_LIMIT_NEIGHBOURS,
  STACK_LIMIT_NEIGHBOUR_QUEUE,
  STACK_LIMIT_FRAGMENTS,
  STACK_LIMIT_OUT_OF_ORDER,
  STACK_LIMIT_LOOPBACK,
  STACK_LIMIT_COUNT
};
const char *stack_limit_name(enum stack_limit l); /* "connections", "udp_sockets", … */

#define STACK_NEIGH6_MAX 256

struct stack;
void stack_set_limits(struct stack *s, const struct stack_limits *l);

#endif
