/* SPDX-License-Identifier: BSD-3-Clause
 * lwIP's timers without a tick. Its clocks are moved to now before anything enters it (stack_sync); a timer of the loop
 * is armed only for what is due, to the millisecond. A connection with nothing in flight, no keepalive and no time-out
 * wakes nobody and is looked at by nobody.
 *
 * A pcb that something happened to is touched. At the end of the turn it is computed when each touched one is due, and
 * it is filed: in the wheel, in the queue of TIME_WAIT (they all wait equally long), or nowhere. So a turn costs what
 * it changed, however many connections there are.
 *
 * ARP and reassembly count seconds: while an entry waits for an answer or a datagram for its fragments a timer runs,
 * otherwise entries age when somebody next looks.
 */
#include "stack/stack_private.h"
#include "stack/stack_table.h"

#include "lwip/etharp.h"
#include "lwip/ip4_frag.h"
#include "lwip/priv/tcp_rexmit.h"

#define TICK_NS ((uint64_t)TCP_SLOW_INTERVAL * NSEC_PER_MSEC)
#define TICKS(ms) ((uint32_t)((ms) / TCP_SLOW_INTERVAL))
#define NEVER UINT32_MAX
#define RETRY_TICKS TICKS(200)      /* what could not be sent for want of a route or of memory */
#define RETRY_DUE_TICKS TICKS(50)   /* what was due, and could not be done: the driver still has the segment */
#define TIME_WAIT_TICKS TICKS(2 * TCP_MSL)
#define TURN_VISITS 512u            /* of each kind in one turn: the rest is the next one's */
#define AGE_SECONDS_MAX 301         /* ARP_MAXAGE and one: older than that is all the same */

static uint64_t mono(struct stack *s) { return loop_now(s->loop, CLOCK_ID_MONO); }

/* --- when is a pcb due? ----------------------------------------------------------------------------------------- */

/* Ticks from now until `after` ticks have passed since `since`; lwIP compares with ">". */
static uint32_t until(u32_t since, uint64_t after) {
  u32_t passed = tcp_ticks - since;
  return passed > after ? 0 : (uint32_t)MIN(after - passed + 1, NEVER - 1);
}

static uint32_t keepalive_due(const struct tcp_pcb *pcb) {
  if (!ip_get_option(pcb, SOF_KEEPALIVE) || (pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT))
    return NEVER;
  uint64_t probe = (uint64_t)pcb->keep_idle + (uint64_t)pcb->keep_cnt_sent * pcb->keep_intvl;
  uint64_t death = (uint64_t)pcb->keep_idle + (uint64_t)pcb->keep_cnt * pcb->keep_intvl;
  return until(pcb->tmr, MIN(probe, death) / TCP_SLOW_INTERVAL);
}

/* What tcp_slowtmr_pcb does. */
static uint32_t slow_due(const struct tcp_pcb *pcb) {
  uint32_t due = keepalive_due(pcb);
  if (pcb->persist_backoff > 0)
    due = MIN(due, tcp_persist_ticks_left(pcb));
  else if (pcb->rexmit_timer != TCP_REXMIT_OFF)
    due = MIN(due, TCP_SEQ_LT(tcp_ticks, pcb->rexmit_due) ? pcb->rexmit_due - tcp_ticks : 0);
  else if (pcb->unsent)
    due = MIN(due, RETRY_TICKS);
  if (pcb->flags & TF_NAGLEMEMERR)
    due = MIN(due, RETRY_TICKS);
  if (pcb->ooseq)
    due = MIN(due, until(pcb->tmr, (uint64_t)TICKS(tcp_rto(pcb)) * TCP_OOSEQ_TIMEOUT - 1));
  if (pcb->state == FIN_WAIT_2 && (pcb->flags & TF_RXCLOSED))
    due = MIN(due, until(pcb->tmr, TICKS(TCP_FIN_WAIT_TIMEOUT)));
  if (pcb->state == SYN_RCVD)
    due = MIN(due, until(pcb->tmr, TICKS(TCP_SYN_RCVD_TIMEOUT)));
  if (pcb->state == LAST_ACK && !pcb->unsent && (!pcb->unacked || !pcb->unacked->len))
    due = MIN(due, until(pcb->tmr, TIME_WAIT_TICKS));
  return due;
}

/* What tcp_fasttmr_pcb does. Its deadline stands until the ACK is sent. */
static uint32_t fast_due(struct tcp_pcb *pcb) {
  uint32_t *at = &pcb->hook_data.ack_due;
  if (!(pcb->flags & (TF_ACK_DELAY | TF_CLOSEPEND)) && !pcb->refused_data)
    *at = 0;
  else if (!*at)
    *at = MAX(tcp_ticks + TICKS(TCP_FAST_INTERVAL), 1u);
  return !*at ? NEVER : (int32_t)(*at - tcp_ticks) <= 0 ? 0 : *at - tcp_ticks;
}

static uint32_t conn_due(struct stack *s, const struct tcp_pcb *pcb) {
  uint64_t at = stack_tcp_deadline(pcb);
  if (stack_tcp_unwritten(pcb)) /* lwIP found no memory for it, and nothing on its way will tell that there is some again */
    return RETRY_TICKS;
  if (at == UINT64_MAX)
    return NEVER;
  return at <= s->tick_ns ? 0 : (uint32_t)MIN((at - s->tick_ns + TICK_NS - 1) / TICK_NS, NEVER - 1);
}

/* Ticks from now, at least one. */
static uint32_t pcb_due(struct stack *s, struct tcp_pcb *pcb) {
  uint32_t due = slow_due(pcb), *retry = &pcb->hook_data.retry_at;
  if (*retry && (int32_t)(*retry - tcp_ticks) > 0)
    due = MAX(due, *retry - tcp_ticks);
  else
    *retry = 0;
  due = MIN(due, MIN(fast_due(pcb), conn_due(s, pcb)));
  return MAX(due, 1u);
}

/* --- where it is filed ------------------------------------------------------------------------------------------ */

static struct tcp_pcb *pcb_of(struct list *l) { return container_of(l, struct tcp_pcb, hook_data.timer.link); }

void stack_timer_forget(struct stack *s, struct tcp_pcb *pcb) {
  struct stack_pcb *k = &pcb->hook_data;
  if (k->filed == STACK_PCB_IN_WHEEL)
    wheel_remove(&s->wheel, &k->timer);
  else if (k->filed != STACK_PCB_NOWHERE)
    list_remove(&k->timer.link);
  k->filed = STACK_PCB_NOWHERE;
}

void stack_timer_touch(struct stack *s, struct tcp_pcb *pcb) {
  struct stack_pcb *k = &pcb->hook_data;
  if (k->filed == STACK_PCB_TOUCHED || !k->indexed) /* what is on no list any more has no deadlines */
    return;
  stack_timer_forget(s, pcb);
  list_append(&s->touched, &k->timer.link);
  k->filed = STACK_PCB_TOUCHED;
  if (!s->in_turn)
    stack_kick(s);
}

static void file(struct stack *s, struct tcp_pcb *pcb) {
  struct stack_pcb *k = &pcb->hook_data;
  stack_timer_forget(s, pcb);
  if (pcb->state == TIME_WAIT) {
    list_append(&s->time_wait, &k->timer.link);
    k->filed = STACK_PCB_TIME_WAIT;
    return;
  }
  uint32_t due = pcb_due(s, pcb);
  if (due == NEVER)
    return;
  wheel_add(&s->wheel, &k->timer, tcp_ticks + MIN(due, WHEEL_AHEAD_MAX));
  k->filed = STACK_PCB_IN_WHEEL;
}

static void arm(struct stack *s) {
  uint32_t due = wheel_next(&s->wheel);
  if (!list_empty(&s->time_wait))
    due = MIN(due, until(pcb_of(s->time_wait.next)->tmr, TIME_WAIT_TICKS));
  uint64_t deadline = due == NEVER ? 0 : s->tick_ns + (uint64_t)due * TICK_NS;
  if (deadline == s->tick_deadline)
    return;
  s->tick_deadline = deadline;
  if (deadline)
    loop_timer_set(s->tick, deadline);
  else
    loop_timer_clear(s->tick);
}

size_t stack_timer_drop_time_wait(struct stack *s, size_t n) {
  size_t dropped = 0;
  for (; dropped < n && !list_empty(&s->time_wait); dropped++)
    tcp_abandon(pcb_of(s->time_wait.next), 0);
  s->refused[STACK_LIMIT_TIME_WAIT] += dropped;
  return dropped;
}

static void trim_time_wait(struct stack *s) {
  struct stack_table_counts counts;
  stack_table_counts(&counts);
  if (counts.time_wait > s->limits.time_wait)
    stack_timer_drop_time_wait(s, counts.time_wait - s->limits.time_wait);
}

void stack_timers_file(struct stack *s) {
  stack_sync(s);
  wheel_advance(&s->wheel, tcp_ticks);
  while (!list_empty(&s->touched))
    file(s, pcb_of(s->touched.next));
  trim_time_wait(s);
  arm(s);
}

/* --- what is due ------------------------------------------------------------------------------------------------ */

/* It may be gone afterwards; otherwise it is filed again. */
static void visit(struct stack *s, struct tcp_pcb *pcb) {
  struct stack_pcb *k = &pcb->hook_data;
  s->timer_visits++;
  stack_timer_touch(s, pcb);
  if (stack_tcp_check_deadline(pcb))
    return;
  stack_tcp_dirty(pcb); /* it may have something to send that found no memory */
  if (fast_due(pcb) == 0 && tcp_fasttmr_pcb(pcb))
    return;
  s->cause = STACK_END_TIMED_OUT;
  bool gone = tcp_slowtmr_pcb(pcb);
  s->cause = STACK_END_NONE;
  if (!gone && slow_due(pcb) == 0)
    k->retry_at = MAX(tcp_ticks + RETRY_DUE_TICKS, 1u);
}

static void on_tick(void *arg) {
  struct stack *s = arg;
  s->tick_deadline = 0;
  stack_sync(s);
  wheel_advance(&s->wheel, tcp_ticks);
  unsigned n = 0;
  for (struct wheel_timer *t; n < TURN_VISITS && (t = wheel_pop(&s->wheel)); n++) {
    struct tcp_pcb *pcb = container_of(t, struct tcp_pcb, hook_data.timer);
    pcb->hook_data.filed = STACK_PCB_NOWHERE;
    visit(s, pcb);
  }
  for (n = 0; n < TURN_VISITS && !list_empty(&s->time_wait) && !until(pcb_of(s->time_wait.next)->tmr, TIME_WAIT_TICKS); n++) {
    s->timer_visits++;
    tcp_timewait_tmr_pcb(pcb_of(s->time_wait.next));
  }
  stack_kick(s);
}

static void on_second(void *arg) {
  struct stack *s = arg;
  stack_sync(s);
  stack_kick(s);
}

void stack_second_check(struct stack *s) {
  if (!stack_neigh_waits() && !stack_port_reassembling())
    loop_timer_clear(s->second);
  else if (!loop_timer_armed(s->second))
    loop_timer_set(s->second, s->second_ns + NSEC_PER_SEC);
}

/* --- the clock -------------------------------------------------------------------------------------------------- */

void stack_sync(struct stack *s) {
  uint64_t now = mono(s);
  uint64_t ticks = (now - s->tick_ns) / TICK_NS, seconds = (now - s->second_ns) / NSEC_PER_SEC;
  if (ticks) {
    s->tick_ns += ticks * TICK_NS;
    tcp_advance((u32_t)ticks);
  }
  if (seconds) {
    s->second_ns += seconds * NSEC_PER_SEC;
    for (uint64_t i = 0; i < MIN(seconds, AGE_SECONDS_MAX); i++) {
      etharp_tmr();
      ip_reass_tmr();
    }
  }
}

int stack_timers_init(struct stack *s) {
  s->tick_ns = s->second_ns = mono(s);
  tcp_ticks = MAX(tcp_ticks, 1u); /* 0 means "no measurement" to lwIP */
  wheel_init(&s->wheel, tcp_ticks);
  list_init(&s->touched);
  list_init(&s->time_wait);
  int r = loop_timer_new(s->loop, CLOCK_ID_MONO, on_tick, s, &s->tick);
  return r < 0 ? r : loop_timer_new(s->loop, CLOCK_ID_MONO, on_second, s, &s->second);
}

void stack_timers_done(struct stack *s) {
  s->tick = loop_timer_free(s->tick);
  s->second = loop_timer_free(s->second);
}
