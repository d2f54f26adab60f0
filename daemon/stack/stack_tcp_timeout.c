/* SPDX-License-Identifier: BSD-3-Clause
 * The time-outs that lwIP does not have: unacknowledged data (RFC 5482), idleness, and a connection that nobody holds
 * any more and whose peer takes nothing. One timer a connection, moved lazily: it looks again when it fires.
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

static void on_timer(void *arg) {
  struct stack_conn *c = arg;
  if (!c->pcb)
    return;
  if (deadline(c) <= loop_now(c->s->loop, CLOCK_ID_MONO))
    conn_kill(c, STACK_END_TIMED_OUT, -ETIMEDOUT, true);
  else
    conn_timer_check(c);
}

void conn_timer_check(struct stack_conn *c) {
  uint64_t at = deadline(c);
  if (at == UINT64_MAX || !c->pcb || c->listener) {
    if (c->timer)
      loop_timer_clear(c->timer);
    return;
  }
  if (!c->timer && loop_timer_new(c->s->loop, CLOCK_ID_MONO, on_timer, c, &c->timer) < 0) {
    c->s->no_memory++;
    return;
  }
  if (!loop_timer_armed(c->timer))
    loop_timer_set(c->timer, at);
}

/* Linux' bounds, and no sum that lwIP's 32 bits of milliseconds cannot hold. */
static bool keepalive_valid(const struct stack_conn_options *o) {
  uint64_t all = (uint64_t)o->keepalive_idle_s + (uint64_t)o->keepalive_interval_s * o->keepalive_count;
  return o->keepalive_idle_s <= 32767 && o->keepalive_interval_s >= 1 && o->keepalive_interval_s <= 32767 &&
         o->keepalive_count >= 1 && o->keepalive_count <= 127 && all * 1000 <= UINT32_MAX;
}

int stack_conn_set_options(struct stack_conn *c, const struct stack_conn_options *o) {
  if (o->keepalive_idle_s && !keepalive_valid(o))
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
  if (c->timer)
    loop_timer_clear(c->timer);
  conn_timer_check(c);
  stack_kick(c->s);
  return 0;
}
