/* SPDX-License-Identifier: BSD-3-Clause
 * Limits: how many of each, how fast, and what was refused.
 */
#include "stack/stack_private.h"

#include "capnet_hooks.h"

const char *stack_limit_name(enum stack_limit l) {
  static const char *const names[] = {
      [STACK_LIMIT_CONNECTIONS] = "connections",
      [STACK_LIMIT_LISTENERS] = "listeners",
      [STACK_LIMIT_UDP_SOCKETS] = "udp_sockets",
      [STACK_LIMIT_ECHO_SESSIONS] = "echo_sessions",
      [STACK_LIMIT_INTERFACES] = "interfaces",
      [STACK_LIMIT_TIME_WAIT] = "time_wait",
      [STACK_LIMIT_MEMORY] = "memory",
      [STACK_LIMIT_SEND_MEMORY] = "send_memory",
      [STACK_LIMIT_ICMP_ERRORS] = "icmp_errors",
      [STACK_LIMIT_ECHO_REPLIES] = "echo_replies",
      [STACK_LIMIT_RESETS] = "resets",
      [STACK_LIMIT_NEIGHBOURS] = "neighbours",
      [STACK_LIMIT_NEIGHBOUR_QUEUE] = "neighbour_queue",
      [STACK_LIMIT_FRAGMENTS] = "fragments",
      [STACK_LIMIT_OUT_OF_ORDER] = "out_of_order",
      [STACK_LIMIT_LOOPBACK] = "loopback",
  };
  _Static_assert(ARRAY_SIZE(names) == STACK_LIMIT_COUNT, "a name for each");
  return (unsigned)l < STACK_LIMIT_COUNT ? names[l] : "unknown";
}

void stack_set_limits(struct stack *s, const struct stack_limits *l) {
  s->limits = *l;
  stack_port_set_limit(l->memory);
  nic_buf_set_limit(MAX(l->memory / 2, (size_t)NIC_BUF_LIMIT_DEFAULT)); /* what is received is most of it */
}

int stack_refuse(struct stack *s, enum stack_limit l) {
  s->refused[l]++;
  return -ENOBUFS;
}

void stack_hook_limit(enum stack_limit l) {
  if (stack_the())
    stack_the()->refused[l]++;
}

/* Each take moves the bucket's instant on by a step; it may lie at most a burst ahead of now. */
static bool take(struct stack *s, uint64_t *bucket, unsigned per_second, unsigned burst) {
  uint64_t now = loop_now(s->loop, CLOCK_ID_MONO), step = NSEC_PER_SEC / MAX(per_second, 1u);
  uint64_t at = MAX(*bucket, now);
  if (at + step > now + burst * step)
    return false;
  *bucket = at + step;
  return true;
}

static int allowed(enum stack_limit l, unsigned per_second, unsigned burst) {
  struct stack *s = stack_the();
  if (take(s, &s->buckets[l], per_second, burst))
    return 1;
  s->refused[l]++;
  return 0;
}

int stack_hook_icmp_error(void) {
  const struct stack_limits *l = &stack_the()->limits;
  return allowed(STACK_LIMIT_ICMP_ERRORS, l->icmp_errors, l->icmp_errors_burst);
}

int stack_hook_rst(void) {
  const struct stack_limits *l = &stack_the()->limits;
  return allowed(STACK_LIMIT_RESETS, l->resets, l->resets_burst);
}

bool stack_echo_reply_allowed(struct stack *s) {
  return allowed(STACK_LIMIT_ECHO_REPLIES, s->limits.echo_replies, s->limits.echo_replies_burst);
}
