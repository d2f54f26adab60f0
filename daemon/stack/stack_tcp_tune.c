/* SPDX-License-Identifier: BSD-3-Clause
 * How large the queues of a connection are: what its path carries in three round trips, since a lost packet is repaired
 * within the second. They begin with enough for a short path, where more only wastes the processor's cache, and grow up
 * to what the grant and the stack allow.
 */
#include "stack/stack_tcp_private.h"

#define SHORT_PATH_US 1000u /* STACK_SNDBUF in such a time is 4 Gbit/s */
#define TUNE_MIN_US 50u

/* The shortest round trip is the path's; what it takes longer now is spent in queues, and larger ones of ours would only
 * add to that. */
static uint64_t path_us(const struct stack_conn *c) { return c->pcb->min_rtt; }

size_t conn_send_limit(const struct stack_conn *c) {
  if (!c->pcb)
    return STACK_SNDBUF;
  size_t most = MIN((size_t)STACK_SNDBUF_MAX, (size_t)STACK_SNDBUF_PACKETS * c->pcb->mss);
  if (path_us(c) <= SHORT_PATH_US)
    return MIN(most, (size_t)STACK_SNDBUF);
  size_t carried = (size_t)(c->pcb->cwnd * path_us(c) / c->pcb->srtt);
  size_t left = (c->s->limits.send_memory - MIN(c->s->send_memory, c->s->limits.send_memory)) / 8;
  return MIN(MAX(MIN(carried * 3, left), (size_t)STACK_SNDBUF), most);
}

/* What the windows of all connections have grown to is promised, and may come to lie here when their programs stop
 * reading: a quarter of what may be received, so that everybody else goes on. */
static void grow(struct stack_conn *c, size_t bytes) {
  size_t before = c->rx_capacity;
  if (c->s->rx_grown + (bytes - before) > c->s->limits.memory / 8)
    return;
  conn_set_capacity(c, bytes); /* as far as the peer can be told */
  c->s->rx_grown += c->rx_capacity - before;
  c->rx_grown += c->rx_capacity - before;
}

void conn_shrunk(struct stack_conn *c) {
  c->s->rx_grown -= c->rx_grown;
  c->rx_grown = 0;
}

/* The room above took n bytes: did it take more than half of the window in one round trip? Then the window is what holds
 * the peer back. */
void conn_tune_receive(struct stack_conn *c, size_t n) {
  if (!c->pcb || c->rx_capacity >= c->rx_max)
    return;
  uint64_t now = loop_now(c->s->loop, CLOCK_ID_MONO);
  c->tune_bytes += n;
  if (now - c->tune_ns < MAX(path_us(c), TUNE_MIN_US) * NSEC_PER_USEC)
    return;
  if (c->tune_bytes * 2 > c->rx_capacity)
    grow(c, MIN(c->tune_bytes * 2, c->rx_max));
  c->tune_bytes = 0;
  c->tune_ns = now;
}

static void set(struct stack_conn *c, size_t max, size_t at_first) {
  c->rx_max = max;
  conn_shrunk(c);
  conn_set_capacity(c, at_first);
}

void stack_conn_set_rcvbuf(struct stack_conn *c, size_t bytes) { set(c, bytes, bytes); }
void stack_conn_set_rcvbuf_max(struct stack_conn *c, size_t bytes) { set(c, bytes, MIN(bytes, (size_t)STACK_RCVBUF)); }
