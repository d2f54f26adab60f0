/* SPDX-License-Identifier: BSD-3-Clause
 * How large the packets of a connection are. Routers tell that one was too large (ICMP), or say nothing and drop it.
 *
 * A claim counts only if it quotes the beginning of a packet that is on its way and larger than what it claims: who does
 * not see our packets has to guess a sequence number among 2^32 for each of the few that are (RFC 5927 4.1). As long as
 * no larger packet has arrived the claim is believed at once; else only when a time-out shows that nothing arrives any
 * more (RFC 5927 7). There is a floor.
 *
 * A black hole (RFC 4821 7.7, RFC 8899 4.3): a packet that goes unanswered for the third time goes out again in smaller
 * ones, two time-outs later in the smallest; when that does not help either it was not the size, and all is put back.
 *
 * What was lowered is tried again after a time, without a timer: by what is sent then. A trial ends by the first
 * time-out, and does not count as congestion.
 */
#include "stack/stack_pmtu.h"
#include "stack/stack_table.h"
#include "stack/stack_tcp_private.h"

#include "lwip/priv/tcp_rexmit.h"

#define BASE4 1240u /* RFC 8899 5.1.2 has 1200 bytes of payload; what tunnels make of it still passes 1280 */
#define BASE6 1280u
#define SUSPECT_TIMEOUTS 2u /* before the one that is at hand */
#define STEP_TIMEOUTS 2u    /* that each smaller size gets */
/* What was found without a word of a router may have been an outage: the first trial comes soon. */
#define FIRST_TRIAL_NS (60 * NSEC_PER_SEC)

static uint64_t now_of(const struct stack_conn *c) { return loop_now(c->s->loop, CLOCK_ID_MONO); }

static uint16_t mss_of(const struct tcp_pcb *pcb, uint16_t mtu) {
  uint16_t headers = stack_pmtu_headers(pcb);
  return mtu > headers + TCP_MSS_MIN ? (uint16_t)(mtu - headers) : TCP_MSS_MIN;
}

const char *stack_path_origin_name(enum stack_path_origin o) {
  static const char *const names[] = {[STACK_PATH_INTERFACE] = "interface",
                                      [STACK_PATH_ICMP] = "icmp",
                                      [STACK_PATH_CACHE] = "cache",
                                      [STACK_PATH_BLACK_HOLE] = "black-hole"};
  return (unsigned)o < ARRAY_SIZE(names) ? names[o] : "unknown";
}

/* The size is what it is now, and for so long. */
static void settle(struct stack_conn *c, enum stack_path_origin origin, uint64_t raise_ns) {
  c->path.state = PATH_KNOWN;
  c->path.origin = origin;
  c->path.raise_ns = raise_ns;
  c->path.pending = 0;
  c->pcb->mss_acked = MIN(c->pcb->mss_acked, c->pcb->mss);
}

/* --- claims ----------------------------------------------------------------------------------------------------- */

/* The data of the packet that begins at seq, is on its way, and has not arrived; 0: there is none. */
static uint16_t packet_at(const struct tcp_pcb *pcb, uint32_t seq) {
  if (TCP_SEQ_LT(seq, pcb->lastack) || !TCP_SEQ_LT(seq, pcb->snd_nxt))
    return 0;
  for (const struct tcp_seg *seg = pcb->unacked; seg; seg = seg->next) {
    uint32_t at = seq - lwip_ntohl(seg->tcphdr->seqno);
    if (at >= seg->len)
      continue;
    if ((seg->marks & TCP_SEG_SACKED) || !seg->packet || at % seg->packet)
      return 0;
    return (uint16_t)MIN(seg->packet, seg->len - at);
  }
  return 0;
}

static void believe(struct stack_conn *c, uint16_t mtu) {
  stack_pmtu_learn(c->s, &c->pcb->local_ip, &c->pcb->remote_ip, false, mtu);
  settle(c, STACK_PATH_ICMP, now_of(c) + STACK_PMTU_LIFETIME_NS);
  c->s->pmtu_reduced++;
}

/* What the claim says of a packet of len bytes. Never less than the floor. */
static uint16_t claimed(const struct tcp_pcb *pcb, uint32_t mtu, uint16_t len) {
  uint32_t floor = stack_pmtu_floor(&pcb->remote_ip);
  if (!mtu)
    mtu = stack_pmtu_plateau(len);
  return (uint16_t)MIN(MAX(mtu, floor), UINT16_MAX);
}

void stack_tcp_too_big(struct stack *s, const struct net_endpoint *local, const struct net_endpoint *remote, uint32_t seq,
                       uint32_t mtu, size_t quoted_len) {
  ip_addr_t l = stack_to_lwip(&local->addr), r = stack_to_lwip(&remote->addr);
  struct tcp_pcb *pcb = stack_table_find(&l, local->port, &r, remote->port);
  struct stack_conn *c = pcb && pcb->state >= ESTABLISHED && pcb->state != TIME_WAIT ? conn_of_pcb(pcb) : NULL;
  if (!c) {
    s->pmtu_refused++;
    return;
  }
  uint16_t headers = stack_pmtu_headers(pcb);
  if (mtu ? mtu == headers + (uint32_t)pcb->mss : quoted_len > headers + (size_t)pcb->mss)
    return; /* one of the burst that the first claim was about */
  uint16_t packet = packet_at(pcb, seq), len = (uint16_t)(headers + packet), to = claimed(pcb, mtu, len);
  uint16_t mss = mss_of(pcb, to);
  if (!packet || to >= len || quoted_len <= to || mss >= pcb->mss) {
    s->pmtu_refused++;
    return;
  }
  if (mss < pcb->mss_acked) {
    c->path.pending = to;
    c->path.pending_seq = seq;
    return;
  }
  tcp_mss_too_large(pcb, mss);
  believe(c, to);
  stack_timer_touch(s, pcb);
  conn_dirty(c);
}

/* --- time-outs -------------------------------------------------------------------------------------------------- */

static uint16_t base_of(const struct tcp_pcb *pcb) { return mss_of(pcb, IP_IS_V6(&pcb->remote_ip) ? BASE6 : BASE4); }
static uint16_t floor_of(const struct tcp_pcb *pcb) { return mss_of(pcb, stack_pmtu_floor(&pcb->remote_ip)); }

/* First the base, then the floor, then it was something else. */
static void suspect(struct stack_conn *c, uint16_t packet) {
  struct tcp_pcb *pcb = c->pcb;
  struct conn_path *p = &c->path;
  if (p->state == PATH_SUSPECT && pcb->mss <= floor_of(pcb)) {
    p->state = PATH_CLEARED;
    tcp_mss_set(pcb, p->before);
    return;
  }
  uint16_t mss = p->state == PATH_SUSPECT || packet <= base_of(pcb) ? floor_of(pcb) : base_of(pcb);
  if (p->state != PATH_SUSPECT)
    p->before = pcb->mss;
  p->state = PATH_SUSPECT;
  p->seq = pcb->lastack;
  p->next = (uint8_t)(pcb->nrtx + STEP_TIMEOUTS);
  tcp_mss_set(pcb, mss);
}

/* Is it time to? What is not larger than the base is above suspicion, unless it is what a router let us have: that may
 * have been the first narrow link of two. */
static bool suspicious(const struct stack_conn *c, uint16_t packet) {
  const struct tcp_pcb *pcb = c->pcb;
  if (c->path.state == PATH_SUSPECT)
    return pcb->nrtx >= c->path.next;
  bool large = packet > base_of(pcb) || (pcb->mss < pcb->mss_max && packet >= pcb->mss && packet > floor_of(pcb));
  return c->path.state != PATH_CLEARED && pcb->nrtx >= SUSPECT_TIMEOUTS && large;
}

bool conn_path_timed_out(struct stack_conn *c) {
  struct tcp_pcb *pcb = c->pcb;
  struct conn_path *p = &c->path;
  uint16_t packet = TCP_SEG_LARGEST(pcb->unacked);
  if (!pcb->snd_wnd) /* it closed its window on what was on its way */
    return false;
  if (p->pending && packet_at(pcb, p->pending_seq) > mss_of(pcb, p->pending)) {
    uint16_t mtu = p->pending;
    tcp_mss_set(pcb, mss_of(pcb, mtu));
    believe(c, mtu);
    return true;
  }
  p->pending = 0;
  if (p->state == PATH_TRIAL && packet > p->before) {
    tcp_mss_set(pcb, p->before);
    settle(c, (enum stack_path_origin)p->origin, now_of(c) + STACK_PMTU_LIFETIME_NS);
    return true;
  }
  if (suspicious(c, packet))
    suspect(c, packet);
  return false;
}

/* --- what comes of it ------------------------------------------------------------------------------------------- */

static void progress(struct stack_conn *c) {
  struct tcp_pcb *pcb = c->pcb;
  struct conn_path *p = &c->path;
  if (p->pending && TCP_SEQ_GT(pcb->lastack, p->pending_seq))
    p->pending = 0;
  if (p->state == PATH_SUSPECT && pcb->lastack != p->seq) {
    settle(c, STACK_PATH_BLACK_HOLE, now_of(c) + (p->found ? STACK_PMTU_LIFETIME_NS : FIRST_TRIAL_NS));
    p->found = true;
    c->s->pmtu_black_holes++;
    c->s->pmtu_reduced++;
  } else if (p->state == PATH_CLEARED && pcb->nrtx == 0) {
    p->state = PATH_KNOWN;
  } else if (p->state == PATH_TRIAL && pcb->mss_acked >= pcb->mss) {
    settle(c, STACK_PATH_INTERFACE, 0);
  }
}

void conn_path_serve(struct stack_conn *c) {
  struct tcp_pcb *pcb = c->pcb;
  struct conn_path *p = &c->path;
  progress(c);
  if (p->state != PATH_KNOWN || pcb->mss == pcb->mss_max)
    return;
  if (!p->raise_ns) { /* it began with what another one had learned */
    uint64_t until = now_of(c);
    (void)stack_pmtu_find(c->s, &pcb->local_ip, &pcb->remote_ip, false, &until);
    settle(c, STACK_PATH_CACHE, until);
  }
  if (now_of(c) < p->raise_ns)
    return;
  p->state = PATH_TRIAL;
  p->before = pcb->mss;
  p->raise_ns = 0;
  tcp_mss_set(pcb, pcb->mss_max);
}

uint16_t stack_tcp_path_mss(struct stack *s, const struct tcp_pcb *pcb) {
  uint16_t mtu = stack_pmtu_find(s, &pcb->local_ip, &pcb->remote_ip, false, NULL);
  return mtu ? mss_of(pcb, mtu) : pcb->mss_max;
}

/* --- the interface ---------------------------------------------------------------------------------------------- */

static void bound(struct tcp_pcb *pcb, unsigned mtu) {
  struct stack_conn *c = conn_of_pcb(pcb);
  uint16_t ceiling = c && c->path.ceiling ? c->path.ceiling : pcb->mss_max;
  uint16_t max = MIN(mss_of(pcb, (uint16_t)mtu), ceiling);
  if (max == pcb->mss_max)
    return;
  pcb->mss_max = max;
  if (c)
    c->path.ceiling = ceiling;
  if (pcb->mss <= max)
    return;
  tcp_mss_set(pcb, max);
  if (c)
    settle(c, STACK_PATH_INTERFACE, 0);
}

/* What is on its way is, the device took it. What is sent from now on, again or for the first time, is cut anew. A larger
 * MTU is tried like one that a path has again. */
void stack_tcp_mtu_changed(struct stack_if *i) {
  for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
    struct net_addr local = stack_from_lwip(&pcb->local_ip);
    if (pcb->state >= SYN_RCVD && stack_if_owner(i->s, &local) == i)
      bound(pcb, stack_if_mtu(i, local.family));
  }
}
