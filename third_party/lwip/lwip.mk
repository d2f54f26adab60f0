# SPDX-License-Identifier: BSD-3-Clause
# lwIP's files that we compile: the raw API of the core, IPv4, IPv6 and Ethernet. No sequential API.
LWIP_PATCHES = \
	third_party/lwip/patches/0001-ip6addr_ntoa_r-last-block.patch \
	third_party/lwip/patches/0002-tcp-parseopt-bound.patch \
	third_party/lwip/patches/0003-tcp-mss-floor-and-syn-only.patch \
	third_party/lwip/patches/0004-tcp-window-underflow.patch \
	third_party/lwip/patches/0005-tcp-split-flags.patch \
	third_party/lwip/patches/0006-tcp-persist-in-ms.patch \
	third_party/lwip/patches/0007-tcp-rto-bounds.patch \
	third_party/lwip/patches/0008-tcp-rtt-of-the-syn.patch \
	third_party/lwip/patches/0009-tcp-count-retransmissions.patch \
	third_party/lwip/patches/0010-tcp-last-ack-with-data.patch \
	third_party/lwip/patches/0011-ip4-frag-nothing-behind-the-last.patch \
	third_party/lwip/patches/0012-etharp-length-and-state.patch \
	third_party/lwip/patches/0013-tcp-the-clock-is-separate.patch \
	third_party/lwip/patches/0014-tcp-wait-for-the-last-answer.patch \
	third_party/lwip/patches/0015-tcp-syn-reopens-from-time-wait.patch \
	third_party/lwip/patches/0016-etharp-tell-what-is-unanswered.patch \
	third_party/lwip/patches/0017-ask-before-answering-with-an-error.patch \
	third_party/lwip/patches/0018-netif-poll-is-bounded.patch \
	third_party/lwip/patches/0019-tell-when-a-limit-is-reached.patch \
	third_party/lwip/patches/0020-tcp-timers-of-one-pcb.patch \
	third_party/lwip/patches/0021-tcp-lists-linked-both-ways.patch \
	third_party/lwip/patches/0022-tcp-look-up-by-hook.patch \
	third_party/lwip/patches/0023-tcp-listener-knows-its-pending.patch \
	third_party/lwip/patches/0024-tcp-backlog-of-16-bits.patch \
	third_party/lwip/patches/0025-tcp-make-room-by-hook.patch \
	third_party/lwip/patches/0026-tcp-timers-are-instants.patch

LWIP_SOURCES = \
	third_party/lwip/src/api/err.c \
	third_party/lwip/src/core/altcp.c \
	third_party/lwip/src/core/altcp_alloc.c \
	third_party/lwip/src/core/altcp_tcp.c \
	third_party/lwip/src/core/def.c \
	third_party/lwip/src/core/dns.c \
	third_party/lwip/src/core/inet_chksum.c \
	third_party/lwip/src/core/init.c \
	third_party/lwip/src/core/ip.c \
	third_party/lwip/src/core/ipv4/acd.c \
	third_party/lwip/src/core/ipv4/autoip.c \
	third_party/lwip/src/core/ipv4/dhcp.c \
	third_party/lwip/src/core/ipv4/etharp.c \
	third_party/lwip/src/core/ipv4/icmp.c \
	third_party/lwip/src/core/ipv4/igmp.c \
	third_party/lwip/src/core/ipv4/ip4.c \
	third_party/lwip/src/core/ipv4/ip4_addr.c \
	third_party/lwip/src/core/ipv4/ip4_frag.c \
	third_party/lwip/src/core/ipv6/dhcp6.c \
	third_party/lwip/src/core/ipv6/ethip6.c \
	third_party/lwip/src/core/ipv6/icmp6.c \
	third_party/lwip/src/core/ipv6/inet6.c \
	third_party/lwip/src/core/ipv6/ip6.c \
	third_party/lwip/src/core/ipv6/ip6_addr.c \
	third_party/lwip/src/core/ipv6/ip6_frag.c \
	third_party/lwip/src/core/ipv6/mld6.c \
	third_party/lwip/src/core/ipv6/nd6.c \
	third_party/lwip/src/core/mem.c \
	third_party/lwip/src/core/memp.c \
	third_party/lwip/src/core/netif.c \
	third_party/lwip/src/core/pbuf.c \
	third_party/lwip/src/core/raw.c \
	third_party/lwip/src/core/stats.c \
	third_party/lwip/src/core/sys.c \
	third_party/lwip/src/core/tcp.c \
	third_party/lwip/src/core/tcp_in.c \
	third_party/lwip/src/core/tcp_out.c \
	third_party/lwip/src/core/timeouts.c \
	third_party/lwip/src/core/udp.c \
	third_party/lwip/src/netif/ethernet.c
