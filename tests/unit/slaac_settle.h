/* SPDX-License-Identifier: BSD-3-Clause
 * What must hold after each event of slaac_rig.h, and the events.
 */
#ifndef CAPNET_TESTS_SLAAC_SETTLE_H
#define CAPNET_TESTS_SLAAC_SETTLE_H

#include "slaac_rig.h"

static inline bool live(uint64_t until, uint64_t now) { return until != 0 && now < until; }

static inline void check_lists(const struct rig *r) {
  const struct slaac_machine *m = &r->m;
  uint64_t due = SLAAC_FOREVER;
  for (unsigned i = 0; i < m->n_routers; i++) {
    cr_assert(live(slaac_router_until(&m->routers[i]), r->now), "a router that is over");
    due = MIN(due, slaac_router_until(&m->routers[i]));
  }
  for (unsigned i = 0; i < m->n_prefixes; i++) {
    const struct slaac_prefix *p = &m->prefixes[i];
    cr_assert(p->on_link_until == 0 || r->now < p->on_link_until);
    cr_assert(p->on_link_until != 0 || p->addr.family != 0, "a prefix for nothing");
    if (p->addr.family == 0)
      continue;
    cr_assert(live(p->valid_until, r->now));
    cr_assert_leq(p->preferred_until, p->valid_until);
    const struct addr6 *e = addrs6_find(&r->t, &p->addr);
    cr_assert_not_null(e, "an address of a prefix is in the table");
    cr_assert_eq(e->valid_until, p->valid_until);
    cr_assert_eq(e->preferred_until, p->preferred_until);
    due = MIN(due, p->valid_until);
  }
  for (unsigned i = 0; i < m->n_servers; i++) {
    cr_assert(live(m->servers[i].until, r->now), "a stale resolver");
    due = MIN(due, m->servers[i].until);
  }
  for (unsigned i = 0; i < m->n_domains; i++)
    cr_assert(live(m->domains[i].until, r->now));
  for (unsigned i = 0; i < m->n_routes; i++)
    cr_assert(live(m->routes[i].until, r->now));
  if (due != SLAAC_FOREVER)
    cr_assert(m->deadline_ns != 0 && m->deadline_ns <= due, "a next event");
}

static inline void check(struct rig *r) {
  char text[4096];
  struct slaac_hop hops[SLAAC_HOPS_MAX];
  pump_slaac(r);
  check_lists(r);
  resolver_text(&r->m, text, sizeof(text));
  cr_assert_str_eq(text, r->resolver, "the world knows the resolvers that are in force");
  unsigned n = slaac_hops(&r->m, hops);
  cr_assert_eq(n, r->n_hops, "and the routes");
  for (unsigned i = 0; i < n; i++)
    cr_assert(net_addr_equal(&hops[i].gateway, &r->hops[i].gateway) && hops[i].dst.len == r->hops[i].dst.len);
  cr_assert_eq(r->dhcp, r->m.dhcp);
  bool router = false;
  for (unsigned i = 0; i < r->m.n_routers; i++)
    router = router || r->m.routers[i].default_until != 0;
  if (r->m.running && r->m.link && r->m.cfg.listen && r->m.link_local_unique && !router)
    cr_assert_neq(r->m.solicit_ns, 0, "a router is looked for");
  for (unsigned i = 0; i < r->t.n; i++)
    cr_assert(r->now < r->t.a[i].valid_until);
}

/* Both clocks are one: what is due first comes first. */
static inline void at(struct rig *r, uint64_t when) {
  struct addrs6_actions acts;
  r->now = when;
  slaac_timeout(&r->m, r->now, &r->a);
  pump_slaac(r);
  addrs6_timeout(&r->t, r->now, &acts);
  pump_addrs(r, &acts);
  slaac_timeout(&r->m, r->now, &r->a);
  check(r);
  cr_assert(next(r) == 0 || next(r) > r->now, "what is done is not due any more");
}
static inline void run_until(struct rig *r, uint64_t when) {
  while (next(r) != 0 && next(r) <= when)
    at(r, MAX(next(r), r->now));
  at(r, when);
}
static inline void start(struct rig *r) {
  slaac_start(&r->m, r->now, &r->a);
  check(r);
}
static inline struct rig ready(void) {
  struct rig r = rig_new(true);
  start(&r);
  run_until(&r, r.now + 3 * S);
  cr_assert(r.m.link_local_unique);
  return r;
}
static inline void link_to(struct rig *r, bool up) {
  struct addrs6_actions acts;
  addrs6_link(&r->t, up, r->now, &acts);
  pump_addrs(r, &acts);
  slaac_link(&r->m, up, r->now, &r->a);
  check(r);
}
static inline void hear(struct rig *r, const char *from, const struct raw_ra *raw) {
  struct ra_message m;
  struct net_addr a = ra_addr(from);
  cr_assert_eq(ra_decode(raw->b, raw->len, &m), 0);
  slaac_receive(&r->m, &a, &m, r->now, &r->a);
  check(r);
}
/* A router of the common kind: a default route and one prefix for both purposes. */
static inline void common(struct rig *r, const char *from, const char *prefix, uint16_t lifetime, uint32_t valid, uint32_t preferred) {
  struct raw_ra raw;
  ra_begin(&raw, 0, lifetime);
  ra_prefix(&raw, prefix, 64, 0xc0, valid, preferred);
  hear(r, from, &raw);
}
static inline const struct addr6 *of(const struct rig *r, const char *prefix) {
  struct net_prefix p = {ra_addr(prefix), 64};
  for (unsigned i = 0; i < r->t.n; i++)
    if (net_prefix_contains(&p, &r->t.a[i].addr))
      return &r->t.a[i];
  return NULL;
}
static inline bool hop_is(const struct slaac_hop *h, unsigned len, const char *gateway) {
  struct net_addr g = {0};
  if (gateway != NULL)
    g = ra_addr(gateway);
  return h->dst.len == len && net_addr_equal(&h->gateway, &g);
}

#endif
