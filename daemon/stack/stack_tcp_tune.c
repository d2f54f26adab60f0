/* SPDX-License-Identifier: BSD-3-Clause
 * How large the queues of a connection are: what its path carries in three round trips, since a lost packet is repaired
 * within the second. They begin with enough for a short path, where more only wastes the processor's cache, and grow up
 * to what the grant and the stack allow; the receiving ones with less, where many are.
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

/* --- what is promised ------------------------------------------------------------------------------------------------
 *
 * A window is a promise: so many bytes may come and lie here when the program does not read. What all windows promise
 * together stays within half of what may be received (stack_limits.memory), so that who does not read fills no more than
 * that, and everybody else goes on: a quarter for windows as they are at first, a quarter for what those have grown that
 * were read from. The nearer a quarter is to its end, the less of it each newcomer gets, so it is never at its end: of
 * the first windows a 64th of what is left, down to STACK_RCVBUF_FLOOR; of the growth a fourth, so that one who needs
 * much finds some after many others. The floor is not refused to anybody: beyond some 350 windows that nobody lets go
 * each costs the floor, which with the limits as they are is room for 6,000 that are full. Those of one uid are 1,024
 * unless the operator says otherwise. A buffer may hold more than came with it, little more when many are held
 * (nic_buf.h). What was promised is not taken back. */

static size_t share(const struct stack *s) { return s->limits.memory / 8; }

size_t tune_first(size_t share, size_t others) {
  size_t left = share - MIN(others, share);
  return MAX(MIN(left / 64, (size_t)STACK_RCVBUF), (size_t)STACK_RCVBUF_FLOOR);
}

size_t conn_first_window(const struct stack_conn *c) {
  return MIN(c->rx_max, tune_first(share(c->s), c->s->rx_first - c->rx_first));
}

size_t tune_grown(size_t share, size_t others) { return (share - MIN(others, share)) / 4; }

/* What it may come to hold: all that was offered, or when nothing comes any more what lies here. */
void conn_promise(struct stack_conn *c) {
  size_t all = c->connected && c->pcb ? c->rx_capacity + c->rx_debt : c->rx_bytes;
  if (!c->pcb) {
    c->s->rx_grown -= c->rx_grown;
    c->rx_grown = 0;
  }
  size_t first = all - MIN(c->rx_grown, all);
  c->s->rx_first += first - c->rx_first;
  c->rx_first = first;
}

void conn_promise_nothing(struct stack_conn *c) {
  c->s->rx_first -= c->rx_first;
  c->s->rx_grown -= c->rx_grown;
  c->rx_first = c->rx_grown = 0;
}

static void grow(struct stack_conn *c, size_t bytes) {
  size_t before = c->rx_capacity, most = tune_grown(share(c->s), c->s->rx_grown - c->rx_grown);
  if (most <= c->rx_grown)
    return;
  conn_set_capacity(c, MIN(bytes, before + most - c->rx_grown)); /* as far as the peer can be told */
  size_t more = c->rx_capacity - before;
  c->s->rx_grown += more;
  c->rx_grown += more;
  conn_promise(c);
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

/* What it has grown counts as what it has at first from now on. */
static void set(struct stack_conn *c, size_t max, size_t at_first) {
  c->rx_max = max;
  c->s->rx_grown -= c->rx_grown;
  c->rx_grown = 0;
  conn_set_capacity(c, at_first);
  conn_promise(c);
}

void stack_conn_set_rcvbuf(struct stack_conn *c, size_t bytes) { set(c, bytes, bytes); }

void stack_conn_set_rcvbuf_max(struct stack_conn *c, size_t bytes) {
  c->rx_max = bytes;
  set(c, bytes, conn_first_window(c));
}
