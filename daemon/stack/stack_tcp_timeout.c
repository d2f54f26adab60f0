/* SPDX-License-Identifier: BSD-3-Clause
 * The time-outs that lwIP does not have: unacknowledged data (RFC 5482), idleness, and a connection that nobody holds
 * any more and whose peer takes nothing. They are looked at together with those that it has (stack_timer.c).
 */
#include "stack/stack_tcp_private.h"

static uint64_t deadline(const struct stack_conn *c) {
  uint64_t at = UINT64_MAX;
  if (c->options.user_timeout_ms && c->tx_len)
    at = c->progress_ns + c->options.user_timeout_ms * NSEC_PER_MSEC;
  if (c->options.idle_timeout_ms && c->held)
    at = MIN(at, c->activity_ns + c->options.idle_timeout_ms * NSEC_PER_MSEC);
  if (!c->held)
    at = MIN(at, c->progress_ns + STACK_ORPHAN_NS);
  return at;
}

uint64_t stack_tcp_deadline(const struct tcp_pcb *pcb) {
  const struct stack_conn *c = conn_of_pcb(pcb);
  return c && !c->listener ? deadline(c) : UINT64_MAX;
}

bool stack_tcp_check_deadline(struct tcp_pcb *pcb) {
  struct stack_conn *c = conn_of_pcb(pcb);
  if (!c || stack_tcp_deadline(pcb) > loop_now(c->s->loop, CLOCK_ID_MONO))
    return false;
  conn_kill(c, STACK_END_TIMED_OUT, conn_timeout_error(c), true);
  return true;
}

void conn_timer_check(struct stack_conn *c) {
  if (c->pcb)
    stack_timer_touch(c->s, c->pcb);
}

/* Linux' bounds, and no sum that lwIP's 32 bits of milliseconds cannot hold. */
static bool keepalive_valid(const struct stack_conn_options *o) {
  uint64_t all = (uint64_t)o->keepalive_idle_s + (uint64_t)o->keepalive_interval_s * o->keepalive_count;
  return o->keepalive_idle_s <= 32767 && o->keepalive_interval_s >= 1 && o->keepalive_interval_s <= 32767 &&
         o->keepalive_count >= 1 && o->keepalive_count <= 127 && all * 1000 <= UINT32_MAX;
}

bool stack_conn_options_valid(const struct stack_conn_options *o) {
  return (!o->keepalive_idle_s || keepalive_valid(o)) && (!o->congestion || stack_congestion_find(o->congestion));
}

int stack_conn_set_options(struct stack_conn *c, const struct stack_conn_options *o) {
  if (!stack_conn_options_valid(o))
    return -EINVAL;
  c->options = *o;
  if (!c->pcb)
    return 0;
  if (o->keepalive_idle_s) {
    c->pcb->keep_idle = o->keepalive_idle_s * 1000;
    c->pcb->keep_intvl = o->keepalive_interval_s * 1000;
    c->pcb->keep_cnt = o->keepalive_count;
    ip_set_option(c->pcb, SOF_KEEPALIVE);
  } else {
    ip_reset_option(c->pcb, SOF_KEEPALIVE);
  }
  if (o->nodelay)
    tcp_nagle_disable(c->pcb);
  else
    tcp_nagle_enable(c->pcb);
  if (o->congestion)
    conn_use_congestion(c, o->congestion);
  conn_timer_check(c);
  return 0;
}
