/* SPDX-License-Identifier: BSD-3-Clause
 * What has to be true of the queues of every TCP connection, whatever the peer says: order, tails, counts, the sums over
 * the marks, and a timer for all that waits. Looks at lwIP from inside.
 */
#ifndef CAPNET_TEST_STACK_SCORE_H
#define CAPNET_TEST_STACK_SCORE_H

#include <criterion/criterion.h>
#include <inttypes.h>

#include "lwip/priv/tcp_priv.h"
#include "lwip/priv/tcp_rexmit.h"

struct score {
  uint32_t sacked, lost, retrans, bytes, pbufs, end;
  const struct tcp_seg *last;
  bool any;
};

static inline uint32_t score_seq(const struct tcp_seg *seg) { return lwip_ntohl(seg->tcphdr->seqno); }

/* NULL, or what is wrong. */
static inline const char *score_queue(const struct tcp_seg *seg, const struct tcp_seg *tail, struct score *t) {
  for (; seg; seg = seg->next) {
    uint32_t len = TCP_TCPLEN(seg);
    if (t->any && score_seq(seg) != t->end)
      return "a gap in the queue";
    if (len == 0)
      return "an empty segment";
    if (seg->p->tot_len < seg->len || seg->p->ref < 1)
      return "a segment without its data";
    if ((seg->marks & TCP_SEG_SACKED) && (seg->marks & TCP_SEG_LOST))
      return "both arrived and lost";
    if ((seg->marks & TCP_SEG_RETRANS) && !(seg->marks & TCP_SEG_LOST))
      return "sent again, and not lost";
    t->sacked += seg->marks & TCP_SEG_SACKED ? len : 0;
    t->lost += seg->marks & TCP_SEG_LOST ? len : 0;
    t->retrans += seg->marks & TCP_SEG_RETRANS ? len : 0;
    t->bytes += seg->len;
    t->pbufs += pbuf_clen(seg->p);
    t->end = score_seq(seg) + len;
    t->any = true;
    if (!seg->next && seg != tail)
      return "the tail is not the last";
  }
  return NULL;
}

static inline const char *score_timers(const struct tcp_pcb *pcb) {
  if (pcb->persist_backoff && (pcb->unacked || !pcb->unsent))
    return "a persist timer with something in flight, or with nothing to send";
  if (pcb->unacked && pcb->rexmit_timer == TCP_REXMIT_OFF)
    return "nobody looks after what is in flight";
  if (pcb->rexmit_timer != TCP_REXMIT_OFF && !pcb->persist_backoff) {
    int32_t left = (int32_t)(pcb->rexmit_due - tcp_ticks);
    if (left < -100 || left > (int32_t)(TCP_RTO_MAX / TCP_SLOW_INTERVAL) + 2)
      return "a timer that never fires";
  }
  return NULL;
}

static inline const char *score_of(const struct tcp_pcb *pcb) {
  struct score t = {0};
  const char *wrong = score_queue(pcb->unacked, pcb->unacked_tail, &t);
  uint32_t out = pcb->snd_nxt - pcb->lastack, sent_end = t.end;
  if (wrong)
    return wrong;
  if (!pcb->unacked != !pcb->unacked_tail || !pcb->unsent != !pcb->unsent_tail)
    return "a stale tail";
  if (out > TCP_SND_BUF + 2u)
    return "acknowledged what was not sent";
  /* a probe of a closed window may be a byte ahead */
  if (pcb->unacked && (pcb->snd_nxt - sent_end > 1 || TCP_SEQ_GT(score_seq(pcb->unacked), pcb->lastack)))
    return "in flight is not what lies between lastack and snd_nxt";
  if (((pcb->flags & TF_SACK) ? t.sacked != pcb->sacked : pcb->sacked > out) || t.lost != pcb->lost || t.retrans != pcb->retrans)
    return "the sums are wrong";
  if ((wrong = score_queue(pcb->unsent, pcb->unsent_tail, &t)))
    return wrong;
  if (t.sacked != ((pcb->flags & TF_SACK) ? pcb->sacked : 0) || t.lost != pcb->lost)
    return "marks on what was not sent";
  if (t.any && t.end - pcb->snd_lbb > 1)
    return "the queue does not end where the next byte goes";
  if (t.pbufs != pcb->snd_queuelen)
    return "snd_queuelen";
  if (pcb->state >= ESTABLISHED && t.bytes + pcb->snd_buf != TCP_SND_BUF)
    return "snd_buf";
  return score_timers(pcb);
}

/* All connections. Only between turns of the loop. */
static inline void score_check(const char *where, uint64_t step) {
  for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
    const char *wrong = score_of(pcb);
    cr_assert_null(wrong, "%s, step %" PRIu64 ": %s (port %u, state %d)", where, step, wrong, pcb->local_port, pcb->state);
  }
}

static inline struct tcp_pcb *score_pcb(uint16_t local_port) {
  struct tcp_pcb *pcb = tcp_active_pcbs;
  while (pcb && pcb->local_port != local_port)
    pcb = pcb->next;
  return pcb;
}

#endif
