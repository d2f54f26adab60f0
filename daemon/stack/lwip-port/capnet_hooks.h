/* SPDX-License-Identifier: BSD-3-Clause
 * Where lwIP asks this room: initial sequence numbers, clocks, ways, a look at what comes in, the index of
 * connections (stack_hooks.c), whether it may answer (stack_limit.c); and tells of packets without a way (stack_neigh.c).
 */
#ifndef CAPNET_LWIP_HOOKS_H
#define CAPNET_LWIP_HOOKS_H

#include "stack/stack_limits.h"

#include "lwip/err.h"
#include "lwip/ip_addr.h"

struct netif;
struct pbuf;
struct tcp_pcb;
struct tcp_pcb_listen;
struct tcp_hdr;

u32_t stack_hook_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port);
struct netif *stack_hook_route(const ip4_addr_t *src, const ip4_addr_t *dest);
struct netif *stack_hook_route6(const ip6_addr_t *src, const ip6_addr_t *dest);
const ip_addr_t *stack_hook_source6(struct netif *n, const ip6_addr_t *dest);
const ip4_addr_t *stack_hook_gateway(struct netif *n, const ip4_addr_t *dest);
int stack_hook_ip6_input(struct pbuf *p, struct netif *inp);
int stack_hook_ip4_input(struct pbuf *p, struct netif *inp);
err_t stack_hook_tcp_input(struct tcp_pcb *pcb, const struct tcp_hdr *hdr, const struct pbuf *p);
u32_t stack_hook_ts_offset(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port);
u32_t stack_hook_now_us(void);
u32_t stack_hook_now_s(void);
u16_t stack_hook_tcp_path_mss(const struct tcp_pcb *pcb);
int stack_hook_tcp_timed_out(struct tcp_pcb *pcb);
int stack_hook_output_later(const struct tcp_pcb *pcb);
void stack_hook_tcp_reg(struct tcp_pcb **list, struct tcp_pcb *pcb);
void stack_hook_tcp_rmv(struct tcp_pcb **list, struct tcp_pcb *pcb);
struct tcp_pcb *stack_hook_tcp_find(const ip_addr_t *local, u16_t lport, const ip_addr_t *remote, u16_t rport);
struct tcp_pcb_listen *stack_hook_tcp_find_listener(const ip_addr_t *local, u16_t lport);
int stack_hook_tcp_make_room(void);
void stack_hook_unanswered(struct netif *n, const ip4_addr_t *hop, struct pbuf *p);
int stack_hook_icmp_error(void);
u16_t stack_hook_path_mtu6(const void *ip6hdr, const ip6_addr_t *dest, const struct netif *n);
int stack_hook_icmp6_input(struct pbuf *p, struct netif *inp);
int stack_hook_rst(void);
void stack_hook_limit(enum stack_limit l);

#define LWIP_HOOK_TCP_ISN(local, lport, remote, rport) stack_hook_isn(local, lport, remote, rport)
#define LWIP_HOOK_TCP_TS_OFFSET(local, lport, remote, rport) stack_hook_ts_offset(local, lport, remote, rport)
#define LWIP_HOOK_NOW_US() stack_hook_now_us()
#define LWIP_HOOK_NOW_S() stack_hook_now_s()
#define LWIP_HOOK_TCP_OUTPUT_LATER(pcb) stack_hook_output_later(pcb)
#define LWIP_HOOK_TCP_PATH_MSS(pcb) stack_hook_tcp_path_mss(pcb)
#define LWIP_HOOK_TCP_TIMED_OUT(pcb) stack_hook_tcp_timed_out(pcb)
#define LWIP_HOOK_IP6_INPUT(p, inp) stack_hook_ip6_input(p, inp)
#define LWIP_HOOK_IP6_CHOOSE_NETIF(src, dest) stack_hook_route6(src, dest)
#define LWIP_HOOK_IP6_CHOOSE_SOURCE(netif, dest) stack_hook_source6(netif, dest)
#define LWIP_HOOK_ETHARP_GET_GW(netif, dest) stack_hook_gateway(netif, dest)
#define LWIP_HOOK_IP4_INPUT(p, inp) stack_hook_ip4_input(p, inp)
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p) stack_hook_tcp_input(pcb, hdr, p)
#define LWIP_HOOK_TCP_REG(pcbs, pcb) stack_hook_tcp_reg((struct tcp_pcb **)(pcbs), (struct tcp_pcb *)(pcb))
#define LWIP_HOOK_TCP_RMV(pcbs, pcb) stack_hook_tcp_rmv((struct tcp_pcb **)(pcbs), (struct tcp_pcb *)(pcb))
#define LWIP_HOOK_TCP_FIND(local, lport, remote, rport) stack_hook_tcp_find(local, lport, remote, rport)
#define LWIP_HOOK_TCP_FIND_LISTENER(local, lport) stack_hook_tcp_find_listener(local, lport)
#define LWIP_HOOK_TCP_MAKE_ROOM() stack_hook_tcp_make_room()
/* stack_tcp_connect and stack_tcp_listen see to both themselves. */
#define LWIP_HOOK_TCP_BIND_IN_USE(pcb, ip, port) 0
#define LWIP_HOOK_TCP_ADDR_CHANGED(old, new) ((void)(old), (void)(new))
#define LWIP_HOOK_ETHARP_UNANSWERED(netif, hop, p) stack_hook_unanswered(netif, hop, p)
#define LWIP_HOOK_ICMP_ERROR_ALLOWED() stack_hook_icmp_error()
#define LWIP_HOOK_IP6_PATH_MTU(ip6hdr, dest, netif) stack_hook_path_mtu6(ip6hdr, dest, netif)
#define LWIP_HOOK_ICMP6_INPUT(p, inp) stack_hook_icmp6_input(p, inp)
#define LWIP_HOOK_TCP_RST_ALLOWED() stack_hook_rst()
#define LWIP_HOOK_LIMIT_REACHED(what) stack_hook_limit(STACK_LIMIT_##what)

#endif
