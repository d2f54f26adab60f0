/* SPDX-License-Identifier: BSD-3-Clause
 * The groups of an interface, and telling the link about them: MLDv2 (RFC 3810) as a host that listens to all sources,
 * and MLDv1 (RFC 2710) where a router speaks only that. A report goes out at once and once more (robustness variable 2);
 * a query is answered for all groups together, at random within the time that it gives. Nothing else runs by itself.
 */
#include "stack/stack_ip6.h"

#define GROUPS_MAX (2 * STACK_IPV6_ADDRESSES)
#define REPEAT_NS NSEC_PER_SEC            /* RFC 3810 9.11: unsolicited report interval, the most */
#define V1_NS (260 * NSEC_PER_SEC)        /* RFC 3810 9.12: older version querier present */
#define V1_QUERY_LEN 24u
#define V2_QUERY_LEN 28u
enum { IS_EXCLUDE = 2, TO_INCLUDE = 3, TO_EXCLUDE = 4 }; /* RFC 3810 5.2.12 */

struct group {
  struct list link;
  struct net_addr addr;
  unsigned joined;
  bool again;   /* the report is to be repeated */
  uint64_t due; /* 0: nothing */
};

static uint64_t now_of(const struct stack *s) { return loop_now(s->loop, CLOCK_ID_MONO); }
static uint64_t within(uint64_t ns) { return ns ? stack_rand32() % MAX(ns / NSEC_PER_MSEC, 1u) * NSEC_PER_MSEC : 0; }

static struct group *find(const struct stack_if *i, const struct net_addr *a) {
  list_for_each(l, &i->groups) {
    struct group *g = list_entry(l, struct group, link);
    if (net_addr_equal(&g->addr, a))
      return g;
  }
  return NULL;
}

bool stack_mld_member(const struct stack_if *i, const struct net_addr *group) { return find(i, group) != NULL; }

/* --- reports ---------------------------------------------------------------------------------------------------- */

/* A link-local address, or "::" while there is none that is not tentative (RFC 3590 4). */
static struct net_addr source_of(const struct stack_if *i) {
  static const struct net_addr any_link_local = {.family = AF_INET6, .b = {0xfe, 0x80}};
  int k = stack_source6(i, &any_link_local);
  struct net_addr a = k < 0 ? (struct net_addr){0} : stack_from_ip6(netif_ip6_addr(&i->netif, k)->addr);
  return k >= 0 && net_addr_class(&a) == NET_LINK_LOCAL ? a : (struct net_addr){0};
}

static void report_v1(struct stack_if *i, const struct net_addr *group, uint8_t type) {
  static const struct net_addr routers = {.family = AF_INET6, .b = {0xff, 2, [15] = 2}};
  struct net_addr src = source_of(i);
  uint8_t m[24] = {type};
  memcpy(m + 8, group->b, 16);
  (void)stack_ip6_send(i, &src, type == ICMP6_MLD_DONE ? &routers : group, 1, true, m, sizeof m, NULL);
}

/* One report for one group, or, group NULL, for all of them. */
static void report_v2(struct stack_if *i, const struct net_addr *group, uint8_t type) {
  static const struct net_addr mld_routers = {.family = AF_INET6, .b = {0xff, 2, [15] = 0x16}};
  struct net_addr src = source_of(i);
  uint8_t m[8 + 20 * GROUPS_MAX] = {ICMP6_MLD2_REPORT};
  unsigned n = 0;
  list_for_each(l, &i->groups) {
    const struct group *g = list_entry(l, struct group, link);
    if ((group && !net_addr_equal(&g->addr, group)) || n >= GROUPS_MAX)
      continue;
    m[8 + 20 * n] = type;
    memcpy(m + 12 + 20 * n, g->addr.b, 16);
    n++;
  }
  m[7] = (uint8_t)n;
  if (n)
    (void)stack_ip6_send(i, &src, &mld_routers, 1, true, m, 8 + 20 * n, NULL);
}

static bool v1(const struct stack_if *i) { return i->mld_v1_until > now_of(i->s); }

static void report(struct stack_if *i, const struct group *g, uint8_t type) {
  if (!netif_is_link_up(&i->netif))
    return;
  if (v1(i))
    report_v1(i, &g->addr, type == TO_INCLUDE ? ICMP6_MLD_DONE : ICMP6_MLD_REPORT);
  else
    report_v2(i, &g->addr, type);
}

/* --- the timer -------------------------------------------------------------------------------------------------- */

static void arm(struct stack *s) {
  uint64_t due = 0;
  list_for_each(l, &s->ifs) {
    const struct stack_if *i = list_entry(l, struct stack_if, link);
    if (i->mld_due && (!due || i->mld_due < due))
      due = i->mld_due;
    list_for_each(k, &i->groups) {
      const struct group *g = list_entry(k, struct group, link);
      if (g->due && (!due || g->due < due))
        due = g->due;
    }
  }
  if (due)
    loop_timer_set(s->mld, due);
  else
    loop_timer_clear(s->mld);
}

static void serve(struct stack_if *i, uint64_t now) {
  if (i->mld_due && i->mld_due <= now) {
    i->mld_due = 0;
    if (netif_is_link_up(&i->netif))
      report_v2(i, NULL, IS_EXCLUDE);
  }
  list_for_each(l, &i->groups) {
    struct group *g = list_entry(l, struct group, link);
    if (!g->due || g->due > now)
      continue;
    g->due = 0;
    report(i, g, g->again ? TO_EXCLUDE : IS_EXCLUDE);
    g->again = false;
  }
}

static void on_timer(void *arg) {
  struct stack *s = arg;
  stack_sync(s);
  list_for_each(l, &s->ifs)
    serve(list_entry(l, struct stack_if, link), now_of(s));
  arm(s);
  stack_kick(s);
}

static void announce(struct stack_if *i, struct group *g) {
  report(i, g, TO_EXCLUDE);
  g->again = true;
  g->due = now_of(i->s) + NSEC_PER_MSEC + within(REPEAT_NS);
}

/* --- membership ------------------------------------------------------------------------------------------------- */

int stack_mld_join(struct stack_if *i, const struct net_addr *group) {
  struct group *g = find(i, group);
  if (!g) {
    g = calloc(1, sizeof(*g));
    if (!g)
      return -ENOBUFS;
    g->addr = *group;
    list_append(&i->groups, &g->link);
    announce(i, g);
    arm(i->s);
  }
  g->joined++;
  return 0;
}

void stack_mld_leave(struct stack_if *i, const struct net_addr *group) {
  struct group *g = find(i, group);
  if (!g || --g->joined > 0)
    return;
  report(i, g, TO_INCLUDE);
  list_remove(&g->link);
  free(g);
  arm(i->s);
}

/* Another link, perhaps, that knows nothing of us. */
void stack_mld_link_up(struct stack_if *i) {
  i->mld_v1_until = 0;
  list_for_each(l, &i->groups)
    announce(i, list_entry(l, struct group, link));
  arm(i->s);
}

void stack_mld_clear(struct stack_if *i) {
  while (!list_empty(&i->groups)) {
    struct group *g = list_first(&i->groups, struct group, link);
    list_remove(&g->link);
    free(g);
  }
  i->mld_due = 0;
}

/* --- queries ---------------------------------------------------------------------------------------------------- */

/* RFC 3810 5.1.3. */
static uint64_t delay_of(const uint8_t *q, size_t len) {
  uint32_t code = (uint32_t)q[4] << 8 | q[5];
  if (len != V1_QUERY_LEN && code >= 32768)
    code = ((code & 0xfff) | 0x1000) << (((code >> 12) & 7) + 3);
  return code * NSEC_PER_MSEC;
}

static void sooner(uint64_t *due, uint64_t at) {
  if (!*due || at < *due)
    *due = at;
}

void stack_mld_input(const struct ip6_in *in) {
  struct stack_if *i = in->i;
  const uint8_t *q = in->h + in->at;
  size_t len = in->len - in->at;
  bool is_v1 = len == V1_QUERY_LEN;
  if (net_addr_class(&in->src) != NET_LINK_LOCAL || in->h[7] != 1 || !in->router_alert || in->fragment ||
      (!is_v1 && len < V2_QUERY_LEN)) {
    i->s->nd_refused++;
    return;
  }
  struct net_addr asked = stack_from_ip6(q + 8);
  uint64_t now = now_of(i->s), most = delay_of(q, len);
  bool all = net_addr_is_unspecified(&asked);
  if (is_v1)
    i->mld_v1_until = now + V1_NS;
  if (all && !v1(i) && !list_empty(&i->groups))
    sooner(&i->mld_due, now + 1 + within(most));
  list_for_each(l, &i->groups) {
    struct group *g = list_entry(l, struct group, link);
    if (all ? v1(i) : net_addr_equal(&g->addr, &asked))
      sooner(&g->due, now + 1 + within(most));
  }
  arm(i->s);
}

int stack_mld_init(struct stack *s) { return loop_timer_new(s->loop, CLOCK_ID_MONO, on_timer, s, &s->mld); }
void stack_mld_done(struct stack *s) { s->mld = loop_timer_free(s->mld); }
