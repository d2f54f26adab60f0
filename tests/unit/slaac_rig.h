/* SPDX-License-Identifier: BSD-3-Clause
 * The SLAAC machine with its table of addresses, joined as an interface joins them, under a clock moved by hand.
 */
#ifndef CAPNET_TESTS_SLAAC_RIG_H
#define CAPNET_TESTS_SLAAC_RIG_H

#include "netconf/dad_addrs.h"
#include "netconf/slaac_lists.h"
#include "ra_util.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define S NSEC_PER_SEC
#define MS NSEC_PER_MSEC
#define R1 "fe80::1"
#define R2 "fe80::2"
#define P1 "2001:db8:1::"
#define P2 "2001:db8:2::"

static uint64_t lcg_state;
static inline uint32_t lcg(void *arg _unused_) {
  lcg_state = lcg_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(lcg_state >> 33);
}

/* Both machines, joined as an interface joins them, and what the world was told. */
struct rig {
  struct slaac_machine m;
  struct addrs6 t;
  struct slaac_actions a;
  uint64_t now;
  unsigned solicits, duplicates_left; /* so many of the next addresses are another node's */
  unsigned refusals_left;             /* so many the stack has no room for */
  struct slaac_hop hops[SLAAC_HOPS_MAX];
  unsigned n_hops;
  char resolver[4096];
  enum slaac_dhcp dhcp;
  unsigned router_events;
};

static inline void resolver_text(const struct slaac_machine *m, char *buf, size_t size) {
  char a[NET_ADDR_STRLEN];
  buf[0] = '\0';
  for (unsigned i = 0; i < m->n_servers; i++)
    snprintf(buf + strlen(buf), size - strlen(buf), "%s ", net_addr_format(&m->servers[i].addr, a));
  for (unsigned i = 0; i < m->n_domains; i++)
    snprintf(buf + strlen(buf), size - strlen(buf), "%.40s ", m->domains[i].name);
}

static inline void pump_slaac(struct rig *r);

static inline void pump_addrs(struct rig *r, const struct addrs6_actions *acts) {
  cr_assert_lt(acts->n, ADDRS6_ACTIONS_MAX);
  for (unsigned i = 0; i < acts->n; i++) {
    const struct addr6_action *a = &acts->a[i];
    if (a->probe && r->duplicates_left > 0) {
      struct addrs6_actions more;
      struct dad_message d = {.advertisement = true, .target = a->addr};
      r->duplicates_left--;
      addrs6_receive(&r->t, &d, r->now, &more);
      pump_addrs(r, &more);
    }
    if (a->probe && r->refusals_left > 0) {
      struct addrs6_actions more;
      r->refusals_left--;
      cr_assert_eq(addrs6_refused(&r->t, &a->addr, false, "no room", r->now, &more), 0);
      pump_addrs(r, &more);
    }
    if (a->to == ADDR6_REFUSED) {
      slaac_unusable(&r->m, &a->addr, r->now, &r->a);
      pump_slaac(r);
    }
    if (!a->probe && (a->to == ADDR6_DUPLICATE || (a->from == ADDR6_TENTATIVE && (a->to == ADDR6_PREFERRED || a->to == ADDR6_DEPRECATED)))) {
      slaac_verified(&r->m, &a->addr, a->to != ADDR6_DUPLICATE, r->now, &r->a);
      pump_slaac(r);
    }
  }
}

static inline void pump_slaac(struct rig *r) {
  struct slaac_actions s = r->a;
  struct addrs6_actions acts;
  cr_assert_lt(s.n, SLAAC_ACTIONS_MAX);
  if (s.resolver)
    resolver_text(&r->m, r->resolver, sizeof(r->resolver));
  if (s.routes)
    r->n_hops = slaac_hops(&r->m, r->hops);
  if (s.link)
    r->t.retrans_ms = r->m.retrans_ms;
  if (s.dhcp)
    r->dhcp = r->m.dhcp;
  for (unsigned i = 0; i < s.n; i++) {
    const struct slaac_action *a = &s.a[i];
    struct addr6 e = {.addr = a->addr, .prefix_len = 64, .origin = a->link_local ? ADDR6_LINK_LOCAL : ADDR6_SLAAC,
                      .preferred_until = a->preferred_until, .valid_until = a->valid_until};
    if (a->kind == SLAAC_ACT_ADDRESS) {
      cr_assert_eq(addrs6_set(&r->t, &e, true, r->now, &acts), 0);
      pump_addrs(r, &acts);
    } else if (a->kind == SLAAC_ACT_FORGET) {
      (void)addrs6_remove(&r->t, &a->addr, e.origin, a->why, r->now, &acts); /* its lifetime may have ended it already */
      pump_addrs(r, &acts);
    } else {
      cr_assert_str_neq(a->from, a->to);
      r->router_events++;
    }
  }
  r->solicits += s.solicit;
}

static inline struct rig rig_new(bool link) {
  struct rig r = {.now = 1000 * S};
  struct slaac_config cfg = {.ifname = "net0", .mtu = 1500, .listen = true, .random = lcg, .secret = {1, 2, 3}};
  lcg_state = 5;
  addrs6_init(&r.t, link, lcg, NULL);
  slaac_init(&r.m, &cfg, link);
  return r;
}

static inline uint64_t next(const struct rig *r) {
  uint64_t a = r->m.deadline_ns, b = r->t.deadline_ns;
  return a == 0 ? b : b == 0 ? a : MIN(a, b);
}

#endif
