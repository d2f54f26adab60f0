/* SPDX-License-Identifier: BSD-3-Clause
 * What a connection tells about itself. Nothing here changes anything or sends a frame.
 */
#include "stack/stack_tcp_private.h"

#include "lwip/priv/tcp_rexmit.h"

_Static_assert((int)STACK_TCP_TIME_WAIT == (int)TIME_WAIT && (int)STACK_TCP_SYN_SENT == (int)SYN_SENT &&
                   (int)STACK_TCP_LAST_ACK == (int)LAST_ACK,
               "the states are lwIP's");

const char *stack_end_name(enum stack_end e) {
  static const char *const names[] = {
      [STACK_END_NONE] = "none",
      [STACK_END_CLOSED] = "closed",
      [STACK_END_RESET_BY_PEER] = "reset-by-peer",
      [STACK_END_RESET_LOCAL] = "reset-local",
      [STACK_END_REFUSED] = "refused",
      [STACK_END_TIMED_OUT] = "timed-out",
      [STACK_END_UNREACHABLE] = "unreachable",
      [STACK_END_REVOKED] = "revoked",
      [STACK_END_ADDRESS_LOST] = "address-lost",
      [STACK_END_LIMIT] = "limit",
  };
  _Static_assert(ARRAY_SIZE(names) == STACK_END_COUNT, "a name for each");
  return (unsigned)e < STACK_END_COUNT ? names[e] : "unknown";
}

const char *stack_icmp_error_name(int error) {
  switch (error) {
  case -EHOSTUNREACH: return "host-unreachable";
  case -ENETUNREACH: return "net-unreachable";
  case -ECONNREFUSED: return "port-unreachable"; /* or the protocol */
  default: return NULL;
  }
}

const char *stack_tcp_state_name(enum stack_tcp_state s) {
  static const char *const names[] = {"CLOSED",     "LISTEN",     "SYN-SENT", "SYN-RECV", "ESTAB",    "FIN-WAIT-1",
                                      "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",  "LAST-ACK", "TIME-WAIT"};
  return (unsigned)s < ARRAY_SIZE(names) ? names[s] : "UNKNOWN";
}

static void snapshot_path(const struct stack_conn *c, struct stack_conn_info *ret) {
  const struct tcp_pcb *pcb = c->pcb;
  ret->path_mtu = pcb->mss < pcb->mss_max ? pcb->mss + (unsigned)stack_pmtu_headers(pcb) : ret->mtu;
  if (pcb->mss < pcb->mss_max)
    ret->path_origin = c->path.state == PATH_SUSPECT ? STACK_PATH_BLACK_HOLE : (enum stack_path_origin)c->path.origin;
}

/* Only what the pcb knows. */
void conn_snapshot(const struct stack_conn *c, struct stack_conn_info *ret) {
  const struct tcp_pcb *pcb = c->pcb;
  struct net_endpoint local = c->last ? c->last->local : (struct net_endpoint){0};
  *ret = (struct stack_conn_info){
      .local = {.addr = stack_from_lwip(&pcb->local_ip), .port = pcb->local_port},
      .remote = {.addr = stack_from_lwip(&pcb->remote_ip), .port = pcb->remote_port},
      .state = (enum stack_tcp_state)pcb->state,
      .peer_window = pcb->snd_wnd,
      .our_window = pcb->rcv_ann_wnd,
      .cwnd = pcb->cwnd,
      .ssthresh = pcb->ssthresh,
      .mss = pcb->mss,
      .congestion = pcb->cc->name,
      .retransmits = pcb->rexmits,
      .has_rtt = pcb->srtt > 0,
      .rtt_us = pcb->srtt,
      .rttvar_us = pcb->rttvar,
      .rto_ms = tcp_rto_now(pcb),
  };
  if (!ret->local.port) /* lwIP forgets it on the way out */
    ret->local = local;
  const struct stack_if *i = stack_if_owner(c->s, &ret->local.addr);
  if (i) {
    ret->mtu = stack_if_mtu(i, ret->local.addr.family);
    ret->mtu_origin = stack_if_mtu_origin(i, ret->local.addr.family);
  }
  snapshot_path(c, ret);
}

void stack_conn_info(const struct stack_conn *c, struct stack_conn_info *ret) {
  if (c->pcb)
    conn_snapshot(c, ret);
  else
    *ret = c->last ? *c->last : (struct stack_conn_info){.congestion = ""};
  if (!c->pcb)
    ret->state = STACK_TCP_CLOSED;
  ret->end = c->end;
  ret->end_error = c->end_error;
  ret->icmp_error = conn_icmp_error(c);
  ret->options = c->options;
  ret->options.congestion = ret->congestion; /* that in force */
  ret->recv_queue = c->rx_bytes;
  ret->recv_capacity = c->rx_capacity;
  ret->send_queue = c->tx_len;
  ret->send_capacity = MAX(conn_send_limit(c), c->tx_len); /* it may have been larger */
  ret->bytes_in = c->bytes_in;
  ret->bytes_out = c->bytes_out;
  ret->opened_ns = c->opened_ns;
}
