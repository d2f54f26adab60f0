/* SPDX-License-Identifier: BSD-3-Clause
 * lwIP's timers without a tick. Its clocks are moved to now before anything enters it (stack_sync); a timer of the loop
 * is armed only for what is due. A connection with nothing in flight, no keepalive and no time-out wakes nobody.
 *
 * After activity the tick fires once within TCP_FAST_INTERVAL (delayed ACKs), and then says itself when it is needed
 * next. ARP and reassembly count seconds: while an entry waits for an answer or a datagram for its fragments a timer
 * runs, otherwise entries age when somebody next looks.
 */
#include "stack/stack_private.h"

#include "lwip/etharp.h"
#include "lwip/ip4_frag.h"
#include "lwip/priv/tcp_priv.h"

#define TICK_NS ((uint64_t)TCP_SLOW_INTERVAL * NSEC_PER_MSEC)
#define FAST_NS ((uint64_t)TCP_FAST_INTERVAL * NSEC_PER_MSEC)
#define NEVER UINT32_MAX
#define RETRY_TICKS (200 / TCP_SLOW_INTERVAL) /* what could not be sent for want of a route or of memory */
#define AGE_SECONDS_MAX 301                   /* ARP_MAXAGE and one: older than that is all the same */

static uint64_t mono(struct stack *s) { return loop_now(s->loop, CLOCK_ID_MONO); }

/* Ticks from now until `after` ticks have passed since `since`; lwIP compares with ">". */
static uint32_t until(u32_t since, uint64_t after) {
  u32_t passed = tcp_ticks - since;
  return passed > after ? 1 : (uint32_t)MIN(after - passed + 1, NEVER - 1);
}

static uint32_t keepalive_due(const struct tcp_pcb *pcb) {
  if (!ip_get_option(pcb, SOF_KEEPALIVE) || (pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT))
    return NEVER;
  uint64_t probe = (uint64_t)pcb->keep_idle + (uint64_t)pcb->keep_cnt_sent * pcb->keep_intvl;
  uint64_t death = (uint64_t)pcb->keep_idle + (uint64_t)pcb->keep_cnt * pcb->keep_intvl;
  return until(pcb->tmr, MIN(probe, death) / TCP_SLOW_INTERVAL);
}

static uint32_t pcb_due(const struct tcp_pcb *pcb) {
  uint32_t due = keepalive_due(pcb);
  if (pcb->persist_backoff > 0)
    due = MIN(due, tcp_persist_ticks_left(pcb));
  else if (pcb->rtime >= 0)
    due = MIN(due, pcb->rto > pcb->rtime ? (uint32_t)(pcb->rto - pcb->rtime) : 0);
  else if (pcb->unsent)
    due = MIN(due, (uint32_t)RETRY_TICKS);
  if (pcb->flags & TF_NAGLEMEMERR)
    due = MIN(due, (uint32_t)RETRY_TICKS);
  if (pcb->ooseq)
    due = MIN(due, until(pcb->tmr, (uint64_t)pcb->rto * TCP_OOSEQ_TIMEOUT));
  if (pcb->state == FIN_WAIT_2 && (pcb->flags & TF_RXCLOSED))
    due = MIN(due, until(pcb->tmr, TCP_FIN_WAIT_TIMEOUT / TCP_SLOW_INTERVAL));
  if (pcb->state == SYN_RCVD)
    due = MIN(due, until(pcb->tmr, TCP_SYN_RCVD_TIMEOUT / TCP_SLOW_INTERVAL));
  if (pcb->state == LAST_ACK)
    due = MIN(due, until(pcb->tmr, 2 * TCP_MSL / TCP_SLOW_INTERVAL));
  return MAX(due, 1u);
}

/* Sets the timer; a deadline that is already nearer stays. */
static void arm(struct stack *s, uint64_t deadline) {
  if (s->tick_deadline && s->tick_deadline <= deadline)
    return;
  s->tick_deadline = deadline;
  loop_timer_set(s->tick, deadline);
}

static void arm_next(struct stack *s) {
  uint32_t due = NEVER;
  for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
    if (pcb->flags & (TF_ACK_DELAY | TF_CLOSEPEND))
      arm(s, mono(s) + FAST_NS);
    due = MIN(due, pcb_due(pcb));
  }
  for (const struct tcp_pcb *pcb = tcp_tw_pcbs; pcb; pcb = pcb->next)
    due = MIN(due, until(pcb->tmr, 2 * TCP_MSL / TCP_SLOW_INTERVAL));
  if (due != NEVER)
    arm(s, s->tick_ns + (uint64_t)due * TICK_NS);
}

static void on_tick(void *arg) {
  struct stack *s = arg;
  s->tick_deadline = 0;
  stack_sync(s);
  tcp_fasttmr();
  if (s->slow_done != tcp_ticks) {
    s->slow_done = tcp_ticks;
    s->cause = STACK_END_TIMED_OUT;
    tcp_slowtmr();
    s->cause = STACK_END_NONE;
    stack_tcp_trim_time_wait(s);
  }
  arm_next(s);
  loop_task_queue(s->loop, &s->turn);
}

void stack_tick_soon(struct stack *s) {
  if (tcp_active_pcbs || tcp_tw_pcbs)
    arm(s, mono(s) + FAST_NS);
}

static void on_second(void *arg) {
  struct stack *s = arg;
  stack_sync(s);
  loop_task_queue(s->loop, &s->turn);
}

void stack_second_check(struct stack *s) {
  if (!stack_neigh_waits() && !stack_port_reassembling())
    loop_timer_clear(s->second);
  else if (!loop_timer_armed(s->second))
    loop_timer_set(s->second, s->second_ns + NSEC_PER_SEC);
}

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
  s->slow_done = tcp_ticks = MAX(tcp_ticks, 1u); /* 0 means "no measurement" to lwIP */
  int r = loop_timer_new(s->loop, CLOCK_ID_MONO, on_tick, s, &s->tick);
  return r < 0 ? r : loop_timer_new(s->loop, CLOCK_ID_MONO, on_second, s, &s->second);
}

void stack_timers_done(struct stack *s) {
  s->tick = loop_timer_free(s->tick);
  s->second = loop_timer_free(s->second);
}
