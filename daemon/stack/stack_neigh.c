/* SPDX-License-Identifier: BSD-3-Clause
 * Neighbours: what is known of them, and what becomes of packets for one that does not answer. That is found out while
 * lwIP's clock is being moved, in the middle of anybody's call, so it is only noted there and told in the turn.
 */
#include "stack/stack_ip6.h"
#include "stack/stack_route.h"

#include "capnet_hooks.h"
#include "lwip/etharp.h"

#define QUOTE_MAX (60u + 8u) /* the longest IPv4 header, and what identifies the sender behind it; enough for IPv6's */

struct undelivered {
  struct list link;
  struct stack_if *i;
  struct net_addr hop;
  size_t len; /* 0: the neighbour itself */
  uint8_t quote[QUOTE_MAX];
};

/* At most as many at once as there are neighbours, times ARP_QUEUE_LEN. Without memory nobody is told, and time-outs
 * decide. */
void stack_neigh_unanswered(struct stack_if *i, const struct net_addr *hop, const struct pbuf *p) {
  struct stack *s = i->s;
  struct undelivered *u = calloc(1, sizeof(*u));
  if (!u)
    return;
  u->i = i;
  u->hop = *hop;
  if (p)
    u->len = pbuf_copy_partial(p, u->quote, (u16_t)MIN(p->tot_len, QUOTE_MAX), 0);
  list_append(&s->undelivered, &u->link);
  loop_task_queue(s->loop, &s->turn);
}

void stack_hook_unanswered(struct netif *n, const ip4_addr_t *hop, struct pbuf *p) {
  struct stack_if *i = stack_if_of(n);
  struct net_addr a = stack_from_ip4(hop);
  if (!p)
    stack_route_unanswered(i, &a);
  stack_neigh_unanswered(i, &a, p);
}

void stack_neigh_serve(struct stack *s) {
  while (!list_empty(&s->undelivered)) {
    struct undelivered *u = list_first(&s->undelivered, struct undelivered, link);
    list_remove(&u->link);
    if (u->len)
      stack_icmp_undelivered(s, u->quote, u->len);
    else
      stack_tcp_unanswered(s, u->i, &u->hop);
    free(u);
  }
}

void stack_neigh_forget(struct stack *s) {
  while (!list_empty(&s->undelivered)) {
    struct undelivered *u = list_first(&s->undelivered, struct undelivered, link);
    list_remove(&u->link);
    free(u);
  }
}

bool stack_neigh_waits(void) {
  ip4_addr_t ip;
  struct netif *n;
  struct eth_addr mac;
  u8_t st = 1;
  u16_t age;
  for (size_t i = 0;; i++) {
    int r = etharp_get_state(i, &ip, &n, &mac, &st, &age);
    if (r < 0)
      return false;
    if (r > 0 && st != 1)
      return true;
  }
}

/* Entries age when somebody enters lwIP, and looking does not: what is too old by now is not shown. */
void stack_neigh_each(struct stack *s, void (*fn)(void *arg, const struct stack_neigh_info *info), void *arg) {
  static const enum stack_neigh_state states[] = {STACK_NEIGH_PENDING, STACK_NEIGH_STABLE, STACK_NEIGH_REREQUESTING};
  uint64_t behind = (loop_now(s->loop, CLOCK_ID_MONO) - s->second_ns) / NSEC_PER_SEC;
  ip4_addr_t ip;
  struct netif *n;
  struct eth_addr mac;
  u8_t st;
  u16_t age;
  stack_neigh6_each(s, fn, arg);
  for (size_t i = 0;; i++) {
    int r = etharp_get_state(i, &ip, &n, &mac, &st, &age);
    if (r < 0)
      return;
    if (r == 0 || age + behind >= ARP_MAXAGE)
      continue;
    struct stack_neigh_info info = {
        .ifname = stack_if_of(n)->name, .addr = stack_from_ip4(&ip), .state = states[st]};
    if (info.state != STACK_NEIGH_PENDING)
      memcpy(info.mac, mac.addr, 6);
    fn(arg, &info);
  }
}
