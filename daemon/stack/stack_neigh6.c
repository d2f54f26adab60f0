/* SPDX-License-Identifier: BSD-3-Clause
 * The neighbour cache of IPv6 (RFC 4861 5.1, 7.2, 7.3.3). An entry that nobody uses needs no timer: that it has become
 * stale is seen when it is used next. One timer of the loop runs to the next of those that are being asked.
 *
 * What a stranger claims of himself makes an entry, too, at the end where the next one that needs room is taken from; one
 * that we send to moves to the other end. Routers that do not answer are kept, so that routing knows (RFC 4191 3.2).
 */
#include "stack/stack_ip6.h"
#include "stack/stack_route.h"

#include "capnet_hooks.h"
#include "lwip/pbuf.h"
#include "lwip/prot/ethernet.h"
#include "netif/ethernet.h"

#define BUCKETS 64u
#define DELAY_NS (5 * NSEC_PER_SEC) /* DELAY_FIRST_PROBE_TIME */
#define SOLICITS 3u                 /* MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */
#define REVIVE_NS (60 * NSEC_PER_SEC)

enum state { INCOMPLETE, REACHABLE, STALE, DELAY, PROBE, FAILED };

struct waiting {
  struct list link;
  struct pbuf *p;
};

struct neigh6 {
  struct list link, age;
  struct stack_if *i;
  struct net_addr addr;
  uint8_t mac[6];
  enum state state;
  bool router, down; /* down: did not answer when last asked */
  unsigned asked, n_waiting;
  uint64_t due;             /* of what is to happen by itself; 0: nothing */
  uint64_t reachable_until; /* REACHABLE */
  uint64_t failed_ns;
  struct list waiting;
};

struct stack_neigh6 {
  struct list buckets[BUCKETS];
  struct list age; /* the next to give way first */
  unsigned n;
  struct loop_timer *timer;
  uint64_t armed; /* 0: not */
};

static uint64_t now_of(const struct stack *s) { return loop_now(s->loop, CLOCK_ID_MONO); }

static unsigned bucket_of(const struct net_addr *a) {
  ip_addr_t ip = stack_to_lwip(a);
  return stack_index_hash(&ip, 0, &ip, 0) % BUCKETS;
}

static struct neigh6 *find(const struct stack_if *i, const struct net_addr *a) {
  list_for_each(l, &i->s->neigh6->buckets[bucket_of(a)]) {
    struct neigh6 *n = list_entry(l, struct neigh6, link);
    if (n->i == i && memcmp(n->addr.b, a->b, 16) == 0)
      return n;
  }
  return NULL;
}

/* --- packets that wait ------------------------------------------------------------------------------------------ */

static void drop_waiting(struct neigh6 *n, struct waiting *w) {
  list_remove(&w->link);
  n->n_waiting--;
  pbuf_free(w->p);
  free(w);
}

/* The oldest falls off (RFC 4861 7.2.2). Copied: its payload lies in a send queue that may be freed meanwhile. */
static err_t wait_for(struct neigh6 *n, struct pbuf *p) {
  struct waiting *w = calloc(1, sizeof(*w));
  struct pbuf *copy = w ? pbuf_clone(PBUF_LINK, PBUF_RAM, p) : NULL;
  if (!copy) {
    free(w);
    return ERR_MEM;
  }
  if (n->n_waiting >= ARP_QUEUE_LEN) {
    n->i->s->refused[STACK_LIMIT_NEIGHBOUR_QUEUE]++;
    drop_waiting(n, list_first(&n->waiting, struct waiting, link));
  }
  w->p = copy;
  list_append(&n->waiting, &w->link);
  n->n_waiting++;
  return ERR_OK;
}

static err_t transmit(struct neigh6 *n, struct pbuf *p) {
  struct netif *netif = &n->i->netif;
  struct eth_addr mac;
  memcpy(mac.addr, n->mac, 6);
  return ethernet_output(netif, p, (const struct eth_addr *)netif->hwaddr, &mac, ETHTYPE_IPV6);
}

/* --- the timer -------------------------------------------------------------------------------------------------- */

static void arm(struct stack *s, uint64_t due) {
  struct stack_neigh6 *c = s->neigh6;
  if (!due || (c->armed && c->armed <= due))
    return;
  c->armed = due;
  loop_timer_set(c->timer, due);
}

static void due_in(struct neigh6 *n, uint64_t ns) {
  n->due = now_of(n->i->s) + ns;
  arm(n->i->s, n->due);
}

static uint64_t retrans_of(const struct neigh6 *n) { return n->i->nd_params.retrans_ms * NSEC_PER_MSEC; }

/* --- solicitations ---------------------------------------------------------------------------------------------- */

/* To its group while its link-layer address is not known, else to itself (RFC 4861 4.3). */
static void solicit(struct neigh6 *n) {
  struct net_addr src = stack_source(n->i, &n->addr), group = stack_solicited_node(&n->addr);
  bool known = n->state == PROBE;
  uint8_t ns[32] = {[0] = ICMP6_ND_NS, [24] = 1, [25] = 1};
  memcpy(ns + 8, n->addr.b, 16);
  memcpy(ns + 26, n->i->netif.hwaddr, 6);
  n->asked++;
  due_in(n, retrans_of(n));
  if (src.family)
    (void)stack_ip6_send(n->i, &src, known ? &n->addr : &group, ND_HOP_LIMIT, false, ns, sizeof ns, known ? n->mac : NULL);
}

static void resolve(struct neigh6 *n) {
  n->state = INCOMPLETE;
  n->asked = 0;
  solicit(n);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void forget(struct neigh6 *n) {
  while (!list_empty(&n->waiting))
    drop_waiting(n, list_first(&n->waiting, struct waiting, link));
  list_remove(&n->link);
  list_remove(&n->age);
  n->i->s->neigh6->n--;
  free(n);
}

/* The oldest that nothing waits for and that is no gateway; if there is none such, the oldest. */
static void make_room(struct stack *s) {
  struct neigh6 *victim = NULL;
  list_for_each(l, &s->neigh6->age) {
    struct neigh6 *n = list_entry(l, struct neigh6, age);
    if (!victim)
      victim = n;
    if (list_empty(&n->waiting) && !stack_route_gateway(n->i, &n->addr)) {
      victim = n;
      break;
    }
  }
  s->refused[STACK_LIMIT_NEIGHBOURS]++;
  if (victim)
    forget(victim);
}

static struct neigh6 *add(struct stack_if *i, const struct net_addr *a) {
  struct stack_neigh6 *c = i->s->neigh6;
  if (c->n >= STACK_NEIGH6_MAX)
    make_room(i->s);
  struct neigh6 *n = calloc(1, sizeof(*n));
  if (!n)
    return NULL;
  n->i = i;
  n->addr = *a;
  n->state = FAILED;
  list_init(&n->waiting);
  list_append(&c->buckets[bucket_of(a)], &n->link);
  list_prepend(&c->age, &n->age);
  c->n++;
  return n;
}

/* It is told who waited for it. */
static void fail(struct neigh6 *n) {
  struct stack_if *i = n->i;
  if (n->state == INCOMPLETE) {
    stack_neigh_unanswered(i, &n->addr, NULL);
    list_for_each(l, &n->waiting)
      stack_neigh_unanswered(i, &n->addr, list_entry(l, struct waiting, link)->p);
  }
  if (!stack_route_gateway(i, &n->addr)) {
    forget(n);
    return;
  }
  while (!list_empty(&n->waiting))
    drop_waiting(n, list_first(&n->waiting, struct waiting, link));
  n->state = FAILED;
  n->down = true;
  n->due = 0;
  n->failed_ns = now_of(i->s);
}

static void on_due(struct neigh6 *n) {
  n->due = 0;
  if (n->state == DELAY) {
    n->state = PROBE;
    n->asked = 0;
    solicit(n);
  } else if (n->asked < SOLICITS) {
    solicit(n);
  } else {
    fail(n);
  }
}

static void on_timer(void *arg) {
  struct stack *s = arg;
  uint64_t now = now_of(s);
  s->neigh6->armed = 0;
  stack_sync(s);
  list_for_each(l, &s->neigh6->age) {
    struct neigh6 *n = list_entry(l, struct neigh6, age);
    if (n->due && n->due <= now)
      on_due(n);
    else
      arm(s, n->due);
  }
  stack_kick(s);
}

/* --- what is heard ---------------------------------------------------------------------------------------------- */

/* RFC 4861 6.3.2: uniformly between a half and one and a half times the base value. */
static void reachable(struct neigh6 *n) {
  uint64_t base = n->i->nd_params.reachable_ms;
  uint64_t ms = base / 2 + stack_rand32() % (base + 1);
  n->state = REACHABLE;
  n->due = 0;
  n->down = false;
  n->reachable_until = now_of(n->i->s) + ms * NSEC_PER_MSEC;
}

static void stale(struct neigh6 *n, const uint8_t mac[6]) {
  memcpy(n->mac, mac, 6);
  n->state = STALE;
  n->due = 0;
  n->down = false;
}

static bool resolved(const struct neigh6 *n) { return n->state != INCOMPLETE && n->state != FAILED; }

static err_t send_to(struct neigh6 *n, struct pbuf *p) {
  if (n->state == REACHABLE && now_of(n->i->s) >= n->reachable_until)
    n->state = STALE;
  if (n->state == STALE) {
    n->state = DELAY;
    due_in(n, DELAY_NS);
  }
  return transmit(n, p);
}

static void send_waiting(struct neigh6 *n) {
  while (!list_empty(&n->waiting)) {
    struct waiting *w = list_first(&n->waiting, struct waiting, link);
    (void)send_to(n, w->p);
    drop_waiting(n, w);
  }
}

void stack_neigh6_learn(struct stack_if *i, const struct net_addr *hop, const uint8_t mac[6], bool router) {
  if (stack_if6_slot(i, hop) >= 0) /* somebody who claims to be us */
    return;
  struct neigh6 *n = find(i, hop);
  if (!n && mac)
    n = add(i, hop);
  if (!n)
    return;
  n->router |= router;
  if (mac && (!resolved(n) || memcmp(n->mac, mac, 6) != 0))
    stale(n, mac);
  if (!resolved(n))
    return;
  if (router) /* whatever somebody said of it */
    n->down = false;
  send_waiting(n);
}

/* RFC 4861 7.2.5. */
void stack_neigh6_advertised(struct stack_if *i, const struct net_addr *hop, const struct neigh6_advert *a) {
  struct neigh6 *n = find(i, hop);
  if (!n)
    return;
  bool differs = a->mac && memcmp(n->mac, a->mac, 6) != 0;
  if (!resolved(n)) {
    if (!a->mac)
      return;
    stale(n, a->mac);
  } else if (differs && !a->override) {
    if (n->state == REACHABLE)
      n->state = STALE;
    return;
  } else if (differs) {
    stale(n, a->mac);
  }
  if (a->solicited)
    reachable(n);
  if (n->router && !a->router) /* it is no router any more: the next one's turn */
    n->down = true;
  n->router = a->router;
  send_waiting(n);
}

void stack_neigh6_confirm(struct stack_if *i, const struct net_addr *hop) {
  struct neigh6 *n = find(i, hop);
  if (n && resolved(n) && (n->state != REACHABLE || now_of(i->s) + NSEC_PER_SEC > n->reachable_until))
    reachable(n);
}

/* --- what is sent ----------------------------------------------------------------------------------------------- */

err_t stack_neigh6_output(struct stack_if *i, const struct net_addr *hop, struct pbuf *p) {
  struct neigh6 *n = find(i, hop);
  if (!n)
    n = add(i, hop);
  if (!n)
    return ERR_MEM;
  list_remove(&n->age);
  list_append(&i->s->neigh6->age, &n->age);
  if (resolved(n))
    return send_to(n, p);
  err_t e = wait_for(n, p);
  if (n->state == FAILED)
    resolve(n);
  return e;
}

bool stack_neigh6_dead(const struct stack_if *i, const struct net_addr *hop) {
  const struct neigh6 *n = find(i, hop);
  return n && n->down;
}

void stack_neigh6_revive(struct stack_if *i, const struct net_addr *hop) {
  struct neigh6 *n = find(i, hop);
  if (n && n->state == FAILED && now_of(i->s) - n->failed_ns >= REVIVE_NS)
    resolve(n);
}

void stack_neigh6_drop_from(struct stack_if *i, const struct net_addr *src) {
  list_for_each(l, &i->s->neigh6->age) {
    struct neigh6 *n = list_entry(l, struct neigh6, age);
    list_for_each(m, &n->waiting) {
      struct waiting *w = list_entry(m, struct waiting, link);
      if (n->i == i && w->p->len >= 24 && memcmp((const uint8_t *)w->p->payload + 8, src->b, 16) == 0)
        drop_waiting(n, w);
    }
  }
}

void stack_neigh6_clear(struct stack_if *i) {
  list_for_each(l, &i->s->neigh6->age) {
    struct neigh6 *n = list_entry(l, struct neigh6, age);
    if (n->i == i)
      forget(n);
  }
}

/* --- looking ---------------------------------------------------------------------------------------------------- */

void stack_neigh6_each(struct stack *s, void (*fn)(void *arg, const struct stack_neigh_info *info), void *arg) {
  static const enum stack_neigh_state states[] = {[INCOMPLETE] = STACK_NEIGH_PENDING,
                                                  [REACHABLE] = STACK_NEIGH_STABLE,
                                                  [STALE] = STACK_NEIGH_STALE,
                                                  [DELAY] = STACK_NEIGH_DELAY,
                                                  [PROBE] = STACK_NEIGH_PROBE,
                                                  [FAILED] = STACK_NEIGH_FAILED};
  uint64_t now = now_of(s);
  list_for_each(l, &s->neigh6->age) {
    const struct neigh6 *n = list_entry(l, struct neigh6, age);
    bool old = n->state == REACHABLE && now >= n->reachable_until;
    struct stack_neigh_info info = {.ifname = n->i->name,
                                    .addr = n->addr,
                                    .state = old ? STACK_NEIGH_STALE : states[n->state],
                                    .router = n->router};
    if (resolved(n))
      memcpy(info.mac, n->mac, 6);
    fn(arg, &info);
  }
}

int stack_neigh6_init(struct stack *s) {
  struct stack_neigh6 *c = calloc(1, sizeof(*c));
  if (!c)
    return -ENOMEM;
  for (unsigned k = 0; k < BUCKETS; k++)
    list_init(&c->buckets[k]);
  list_init(&c->age);
  s->neigh6 = c;
  return loop_timer_new(s->loop, CLOCK_ID_MONO, on_timer, s, &c->timer);
}

void stack_neigh6_done(struct stack *s) {
  if (!s->neigh6)
    return;
  s->neigh6->timer = loop_timer_free(s->neigh6->timer);
  free(TAKE_PTR(s->neigh6));
}
