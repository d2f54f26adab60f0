/* SPDX-License-Identifier: BSD-3-Clause
 * How lwIP is built here. ADR 0002 says why, and is the baseline that later changes of TCP are measured against.
 */
#ifndef CAPNET_LWIPOPTS_H
#define CAPNET_LWIPOPTS_H

#include "stack/stack_pcb.h"

/* --- one thread, our own loop and timers ------------------------------------------------------------------------ */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS 0 /* stack_timer.c runs them, and only while they have work */
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_HOOK_FILENAME "capnet_hooks.h"
#define LWIP_HOOK_IP4_ROUTE_SRC(src, dest) stack_hook_route(src, dest) /* lwip/ip4.h wants to know it early */

/* --- memory: malloc, with one limit for all of lwIP (stack_port.c) ---------------------------------------------- */
#define MEM_ALIGNMENT 8
#define MEM_CUSTOM_ALLOCATOR 1
#define MEM_CUSTOM_MALLOC stack_port_malloc
#define MEM_CUSTOM_CALLOC stack_port_calloc
#define MEM_CUSTOM_FREE stack_port_free
#define MEMP_MEM_MALLOC 1
#define LWIP_PBUF_REF_T u16_t
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define LWIP_NETIF_TX_SINGLE_PBUF 0
#define PBUF_POOL_BUFSIZE 2048
/* A packet that waits for a neighbour is always copied: its payload lies in a send queue that may be freed meanwhile,
 * and a segment somebody else refers to is not retransmitted. */
#define PBUF_NEEDS_COPY(p) (1)

/* --- link ------------------------------------------------------------------------------------------------------- */
#define LWIP_ARP 1
#define LWIP_ETHERNET 1
#define ARP_TABLE_SIZE 64
#define ETHARP_TABLE_MATCH_NETIF 1
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 32 /* packets that wait for one neighbour; the oldest falls off */
#define ARP_MAXPENDING 4 /* asked for at 0, 1, 2 and 3 s, given up between 3 and 4 (patch) */
#define LWIP_NETIF_LOOPBACK 1 /* a connection to one's own address, where rights name it */
#define LWIP_HAVE_LOOPIF 0
#define LWIP_LOOPBACK_MAX_PBUFS 128 /* of up to 64 KiB */
#define NETIF_LOOP_POLL_MAX 8 /* of them a turn (patch) */
#define LWIP_NETIF_API 0
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHKSUM_ALGORITHM 3

/* --- IP --------------------------------------------------------------------------------------------------------- */
#define LWIP_IPV4 1
/* ADR 0016: neighbours, groups, fragments and ways are ours (stack_ip6.h). */
#define LWIP_IPV6 1
#define LWIP_IPV6_NUM_ADDRESSES 16
#define LWIP_IPV6_SCOPES 0 /* an address belongs to one interface, which says what link a link-local one is about */
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 0
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_MLD 0
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define LWIP_IPV6_DHCP6 0
#define LWIP_ND6_ALLOW_RA_UPDATES 1 /* only so that a netif has an MTU for IPv6 apart */
#define LWIP_ND6_TCP_REACHABILITY_HINTS 1
#define LWIP_ND6_QUEUEING 0
#define LWIP_ND6_NUM_DESTINATIONS 1
#define IPV6_FRAG_COPYHEADER 1
#define IP_FORWARD 0
#define IP_DEFAULT_TTL 64
#define IP_OPTIONS_ALLOWED 0
#define IP_FRAG 1
#define IP_REASSEMBLY 1
#define IP_REASS_MAX_PBUFS 128
#define IP_REASS_MAXAGE 15
#define LWIP_DHCP 0 /* netconf has a client of its own */
#define LWIP_ACD 0
#define LWIP_AUTOIP 0
#define LWIP_DNS 0
#define LWIP_IGMP 0
#define LWIP_ICMP 1
#define LWIP_RAW 1
#define LWIP_UDP 1

/* --- TCP -------------------------------------------------------------------------------------------------------- */
#define LWIP_TCP 1
#define LWIP_CALLBACK_API 1
#define TCP_SLOW_INTERVAL 1 /* ms: one tick of TCP. It is a unit, nothing happens each of them (stack_timer.c) */
#define TCP_FAST_INTERVAL 25 /* ms: a delayed ACK waits no longer */
#define LWIP_TCP_PCB_HOOK_DATA struct stack_pcb
/* The upper limit; the effective one comes from the interface's MTU. lwIP opens its window by one MSS at least: two must
 * fit the window of a peer that does not scale it, or both wait. */
#define TCP_MSS 32740
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 /* they are for TCP_SNDLOWAT, of the sequential API; stack_if.c has the rest */
#define TCP_WND_UPDATE_THRESHOLD (4 * 8960) /* not a share of the largest MSS: what was read is told to the peer */
#define TCP_MSS_MIN 64      /* a peer's smaller offer is raised to this (patch) */
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 8
#define TCP_WND (8 * 1024 * 1024)
#define TCP_SYN_WND (16 * 1024) /* the first flight of a peer, RFC 6928 (patch): STACK_RCVBUF_FLOOR */
#define TCP_SND_BUF (8 * 1024 * 1024)
#define TCP_SND_QUEUELEN 32768
#define TCP_SNDLOWAT (4 * 1460)
#define TCP_SNDQUEUELOWAT 1024
#define TCP_OVERSIZE 0 /* writes do not copy */
#define LWIP_TCP_GSO 1 /* segments of many packets, where the device cuts them (patch) */
#define TCP_CC_DEFAULT tcp_cc_cubic
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_BYTES (4 * 1024 * 1024)
#define TCP_OOSEQ_MAX_PBUFS 2048
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_MAX_SACK_NUM 4
#ifndef LWIP_TCP_TIMESTAMPS
#define LWIP_TCP_TIMESTAMPS 1 /* ADR 0014; 0: a build to measure against */
#endif
#define LWIP_TCP_KEEPALIVE 1
#define LWIP_TCP_RTO_TIME 1000 /* RFC 6298 2.1 */
#define TCP_RTO_MIN 200        /* ms, as Linux (patch) */
#define TCP_RTO_MAX 120000     /* ms, RFC 6298 2.5 (patch) */
#define TCP_MAXRTX 12
#define TCP_SYNMAXRTX 6
#define TCP_MSL 15000UL /* TIME_WAIT lasts 30 s */
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 0xff
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1 /* names the stack_conn, and says when a pcb is freed */
#define SO_REUSE 1
#define LWIP_ALTCP 0

/* --- counters that stack_get_stats reads ------------------------------------------------------------------------ */
#define LWIP_STATS 1
#define LWIP_STATS_LARGE 1
#define LWIP_STATS_DISPLAY 0
#define MEM_STATS 0
#define MEMP_STATS 1
#define SYS_STATS 0

#endif
