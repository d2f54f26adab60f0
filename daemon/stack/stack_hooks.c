/* SPDX-License-Identifier: BSD-3-Clause
 * lwIP's questions to us (lwip-port/capnet_hooks.h).
 */
#include "stack/stack_listen_private.h"
#include "stack/stack_table.h"

#include "capnet_hooks.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"

/* RFC 6528: a clock of 4 microseconds plus a keyed hash of the connection's four-tuple. */
u32_t stack_hook_isn(const ip_addr_t *local, u16_t lport, const ip_addr_t *remote, u16_t rport) {
  struct stack *s = stack_the();
  uint64_t now = s ? loop_now(s->loop, CLOCK_ID_MONO) : 0;
  return (u32_t)(now / 4000) + stack_isn_hash(local, lport, remote, rport);
}

/* RFC 7323 7.1: none of two connections tells the clock of the other, nor how long the machine is up. */
u32_t stack_hook_ts_offset(const ip_addr_t *local, u16_t lport, const ip_addr_t *remote, u16_t rport) {
  return stack_ts_hash(local, lport, remote, rport);
}

u32_t stack_hook_now_s(void) {
  struct stack *s = stack_the();
  return s ? (u32_t)(loop_now(s->loop, CLOCK_ID_MONO) / NSEC_PER_SEC) : 0;
}

u32_t stack_hook_now_us(void) {
  struct stack *s = stack_the();
  return s ? (u32_t)(loop_now(s->loop, CLOCK_ID_MONO) / NSEC_PER_USEC) : 0;
}

int stack_hook_output_later(const struct tcp_pcb *pcb) { return stack_tcp_output_later(pcb); }

u16_t stack_hook_tcp_path_mss(const struct tcp_pcb *pcb) { return stack_tcp_path_mss(stack_the(), pcb); }
int stack_hook_tcp_timed_out(struct tcp_pcb *pcb) { return stack_tcp_timed_out(pcb); }

/* Martians, and the strong host model (RFC 1122 3.3.4.2): a packet is for the address of the interface it came in
 * by. No group is ever joined. */
static bool martian(const struct ip_hdr *h, struct netif *inp) {
  ip4_addr_t src, dst;
  ip4_addr_copy(src, h->src);
  ip4_addr_copy(dst, h->dest);
  if (ip4_addr_isloopback(&src) || ip4_addr_isloopback(&dst) || ip4_addr_ismulticast(&dst))
    return true;
  if (!ip4_addr_isany(&src) && ip4_addr_eq(&src, netif_ip4_addr(inp)))
    return true;
  return !ip4_addr_eq(&dst, netif_ip4_addr(inp)) && !ip4_addr_isbroadcast(&dst, inp);
}

int stack_hook_ip4_input(struct pbuf *p, struct netif *inp) {
  struct stack *s = stack_the();
  if (!s || p->len < IP_HLEN) {
    pbuf_free(p);
    return 1;
  }
  if (s->looping)
    return 0;
  if (stack_udp_take(s, p, inp) || martian((const struct ip_hdr *)p->payload, inp)) {
    pbuf_free(p);
    return 1;
  }
  return 0;
}

/* RFC 9293 3.10.7.1: to what has no ACK, sequence number 0 and all of the segment acknowledged. Who sent it is not
 * known, so this is limited as every answer to a stranger is. */
static bool reset_syn(const struct tcp_hdr *hdr, const struct pbuf *p) {
  if (!stack_hook_rst())
    return false;
  u32_t len = p->tot_len + 1u + ((TCPH_FLAGS(hdr) & TCP_FIN) != 0);
  tcp_rst_netif(ip_current_input_netif(), 0, hdr->seqno + len, ip_current_dest_addr(), ip_current_src_addr(), hdr->dest,
                hdr->src);
  return true;
}

static bool connections(struct tcp_pcb *const *list) { return list == &tcp_active_pcbs || list == &tcp_tw_pcbs; }

void stack_hook_tcp_reg(struct tcp_pcb **list, struct tcp_pcb *pcb) {
  if (!connections(list))
    return;
  stack_table_add(pcb);
  stack_timer_touch(stack_the(), pcb);
}

void stack_hook_tcp_rmv(struct tcp_pcb **list, struct tcp_pcb *pcb) {
  if (!connections(list))
    return;
  stack_tcp_leaves(pcb);
  stack_table_remove(pcb);
  stack_timer_forget(stack_the(), pcb);
}

struct tcp_pcb *stack_hook_tcp_find(const ip_addr_t *local, u16_t lport, const ip_addr_t *remote, u16_t rport) {
  return stack_table_find(local, lport, remote, rport);
}

struct tcp_pcb_listen *stack_hook_tcp_find_listener(const ip_addr_t *local, u16_t lport) {
  return stack_listener_find(stack_the(), local, lport);
}

/* No memory for a connection: the oldest in TIME_WAIT gives way, and nothing that is alive. */
int stack_hook_tcp_make_room(void) { return stack_timer_drop_time_wait(stack_the(), 1) > 0; }

/* hdr is in our byte order already, p begins behind it. */
err_t stack_hook_tcp_input(struct tcp_pcb *pcb, const struct tcp_hdr *hdr, const struct pbuf *p) {
  unsigned flags = TCPH_FLAGS(hdr);
  if (pcb->state == TIME_WAIT) {
    if ((flags & (TCP_FIN | TCP_SYN | TCP_RST)) == TCP_FIN) /* the only thing that makes it wait anew */
      stack_timer_touch(stack_the(), pcb);
    return ERR_OK;
  }
  if (pcb->state != LISTEN) {
    stack_timer_touch(stack_the(), pcb);
    stack_tcp_dirty(pcb);
    return ERR_OK;
  }
  struct tcp_pcb_listen *l = (struct tcp_pcb_listen *)pcb;
  if ((flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN || l->accepts_pending < l->backlog)
    return ERR_OK;
  bool refused = stack_listener_refuses(l) && reset_syn(hdr, p);
  stack_listener_overflow(stack_the(), l, refused);
  return refused ? ERR_ABRT : ERR_OK; /* lwIP drops it either way */
}
