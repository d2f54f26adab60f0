/* SPDX-License-Identifier: BSD-3-Clause
 * The stack as a whole: its life, the end of a turn, its counters.
 */
#include "stack/stack_ip6.h"
#include "stack/stack_listen_private.h"
#include "stack/stack_table.h"

#include "lwip/init.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"

static struct stack *the;

struct stack *stack_the(void) { return the; }

/* What went on inside the turn has asked for another one, which would find nothing to do but cost the loop a wait. */
static bool turn_left_nothing(struct stack *s) {
  list_for_each(l, &s->ifs) {
    const struct stack_if *i = list_entry(l, struct stack_if, link);
    if (i->netif.loop_first)
      return false;
  }
  return list_empty(&s->dirty) && list_empty(&s->dirty_listeners) && list_empty(&s->undelivered);
}

/* Order matters: packets to ourselves make events. */
static void turn(void *arg) {
  struct stack *s = arg;
  s->in_turn = true;
  stack_if_poll_loopback(s);
  stack_neigh_serve(s);
  stack_tcp_serve(s);
  stack_listeners_serve(s);
  stack_second_check(s);
  stack_timers_file(s);
  s->in_turn = false;
  if (turn_left_nothing(s))
    loop_task_cancel(&s->turn);
}

void stack_kick(struct stack *s) { loop_task_queue(s->loop, &s->turn); }

static void init_once(void) {
  static bool done;
  if (done)
    return;
  done = true;
  lwip_init();
  stack_tcp_init();
}

int stack_new(struct loop *loop, struct stack **ret) {
  if (the)
    return -EBUSY;
  struct stack *s = calloc(1, sizeof(*s));
  if (!s)
    return -ENOMEM;
  s->loop = loop;
  list_init(&s->ifs);
  list_init(&s->conns);
  list_init(&s->connecting);
  list_init(&s->listeners);
  list_init(&s->udps);
  list_init(&s->echoes);
  list_init(&s->dirty);
  list_init(&s->dirty_listeners);
  list_init(&s->starved);
  list_init(&s->undelivered);
  stack_set_limits(s, &(struct stack_limits)STACK_LIMITS_DEFAULT);
  loop_task_init(&s->turn, turn, s);
  stack_rand_init();
  the = s;
  init_once();
  int r = stack_timers_init(s);
  if (r >= 0)
    r = stack_neigh6_init(s);
  if (r >= 0)
    r = stack_reass6_init(s);
  if (r >= 0)
    r = stack_mld_init(s);
  if (r >= 0)
    r = stack_icmp_init(s);
  if (r < 0) {
    stack_free(s);
    return r;
  }
  *ret = s;
  return 0;
}

struct stack *stack_free(struct stack *s) {
  if (!s)
    return NULL;
  stack_tcp_forget_all(s);
  stack_icmp_done(s);
  list_for_each(l, &s->ifs)
    stack_if_free(list_entry(l, struct stack_if, link));
  stack_neigh_forget(s);
  stack_mld_done(s);
  stack_reass6_done(s);
  stack_neigh6_done(s);
  stack_timers_done(s);
  loop_task_cancel(&s->turn);
  free(s);
  the = NULL;
  return NULL;
}

void stack_get_stats(const struct stack *s, struct stack_stats *ret) {
  struct stack_table_counts counts;
  stack_table_counts(&counts);
  *ret = (struct stack_stats){
      .asserts = stack_port_asserts(),
      .short_frames = s->short_frames,
      .short_arp = s->short_arp,
      .bad_ethertype = s->bad_ethertype,
      .bad_checksum = s->bad_checksum + lwip_stats.ip.chkerr + lwip_stats.tcp.chkerr + lwip_stats.udp.chkerr,
      .ip6_refused = s->ip6_refused,
      .nd_refused = s->nd_refused,
      .nd_redirects = s->nd_redirects,
      .icmp_malformed = s->icmp_malformed,
      .syn_dropped = s->syn_dropped,
      .pmtu_reduced = s->pmtu_reduced,
      .pmtu_black_holes = s->pmtu_black_holes,
      .pmtu_refused = s->pmtu_refused,
      .no_memory = s->no_memory + stack_port_failures(),
      .tcp_active = counts.active,
      .tcp_time_wait = counts.time_wait,
      .tcp_listening = s->n_bound,
      .timer_visits = s->timer_visits,
      .udp = s->n_udps,
      .pbuf_bytes = stack_port_pbuf_bytes(),
      .rx_promised = s->rx_first + s->rx_grown,
  };
  memcpy(ret->refused, s->refused, sizeof(ret->refused));
  ret->refused[STACK_LIMIT_MEMORY] = stack_port_refused();
}
