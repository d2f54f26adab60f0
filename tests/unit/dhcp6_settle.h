/* SPDX-License-Identifier: BSD-3-Clause
 * A DHCPv6 machine under a clock moved by hand: what it does is looked at and kept until it has nothing more to do.
 */
#ifndef CAPNET_TEST_DHCP6_SETTLE_H
#define CAPNET_TEST_DHCP6_SETTLE_H

#include "base/util.h"
#include "netconf/dhcp6_machine.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define S NSEC_PER_SEC
#define ONE "2001:db8::5"
#define TWO "2001:db8::6"
#define FOR_EVER DHCP6_FOREVER

static uint64_t lcg_state;
static inline uint32_t lcg(void *arg _unused_) {
  lcg_state = lcg_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(lcg_state >> 33);
}
static inline struct net_addr addr(const char *s) {
  struct net_addr a = {0};
  cr_assert_eq(net_addr_parse(s, &a), 0);
  return a;
}

/* A machine, its clock, what its last event made, and what the world believes because of the actions so far. */
struct rig {
  struct dhcp6_machine m;
  struct dhcp6_actions a;
  uint64_t now;
  unsigned sent, total;
  struct dhcp6_send last;
  struct net_addr have[DHCP6_ADDRS_MAX];
  unsigned n_have;
  struct dhcp6_params params;
};

static inline void believe(struct rig *r, const struct dhcp6_action *a) {
  unsigned i = 0;
  while (i < r->n_have && !net_addr_equal(&r->have[i], &a->addr.addr))
    i++;
  if (a->kind == DHCP6_ACT_ADDRESS && i == r->n_have) {
    cr_assert_lt(r->n_have, DHCP6_ADDRS_MAX);
    r->have[r->n_have++] = a->addr.addr;
  } else if (a->kind == DHCP6_ACT_FORGET) {
    cr_assert_lt(i, r->n_have, "only what was told is forgotten");
    r->have[i] = r->have[--r->n_have];
  }
}

static inline bool idle(const struct rig *r) {
  const struct dhcp6_machine *m = &r->m;
  if (m->lease.n_addrs > 0) {
    for (unsigned i = 0; i < m->lease.n_addrs; i++)
      if (m->lease.addrs[i].valid_until != DHCP6_NEVER)
        return false;
    return !m->link || (m->state == DHCP6_BOUND && m->lease.t1_ns == DHCP6_NEVER && m->next_ns == 0);
  }
  if (m->info_until_ns != 0 && m->info_until_ns != DHCP6_NEVER)
    return false;
  return !m->link || m->state == DHCP6_OFF || m->state == DHCP6_RELEASED || (m->state == DHCP6_INFORMED && m->refresh_ns == 0);
}

static inline void settle(struct rig *r) {
  cr_assert_lt(r->a.n, DHCP6_ACTIONS_MAX);
  r->sent = 0;
  for (unsigned i = 0; i < r->a.n; i++) {
    const struct dhcp6_action *a = &r->a.a[i];
    believe(r, a);
    if (a->kind == DHCP6_ACT_SEND) {
      cr_assert(r->m.link, "nothing is sent without a link");
      r->sent++;
      r->last = a->message;
    } else if (a->kind == DHCP6_ACT_PARAMS) {
      r->params = r->m.params;
    } else if (a->kind == DHCP6_ACT_STATE) {
      cr_assert_neq(a->from, a->to);
    }
  }
  cr_assert_leq(r->sent, 2);
  r->total += r->sent;
  cr_assert_eq(r->n_have, r->m.lease.n_addrs);
  for (unsigned i = 0; i < r->m.lease.n_addrs; i++) {
    cr_assert_lt(r->now, r->m.lease.addrs[i].valid_until, "never an address without a live lease");
    cr_assert(r->m.deadline_ns != 0 || r->m.lease.addrs[i].valid_until == DHCP6_NEVER);
    cr_assert(r->m.deadline_ns <= r->m.lease.addrs[i].valid_until, "never sleeps past an end");
  }
  cr_assert_eq(memcmp(&r->params, &r->m.params, sizeof(r->params)), 0);
  if (r->m.has_params)
    cr_assert(r->m.lease.n_addrs > 0 || r->now < r->m.info_until_ns, "never a stale resolver");
  cr_assert_eq(r->m.deadline_ns == 0, idle(r), "a next event, state %s", dhcp6_state_name(r->m.state));
}

static inline struct rig rig_new(enum dhcp6_mode mode, bool link) {
  struct dhcp6_config cfg = {.duid = {{0, 4, 1, 2, 3, 4}, 6}, .iaid = 77, .random = lcg};
  struct rig r = {.now = 1000 * S};
  lcg_state = 42;
  dhcp6_init(&r.m, &cfg, link);
  dhcp6_want(&r.m, mode, r.now, &r.a);
  settle(&r);
  return r;
}
static inline void at(struct rig *r, uint64_t when) {
  r->now = when;
  dhcp6_timeout(&r->m, r->now, &r->a);
  settle(r);
  cr_assert(r->m.deadline_ns == 0 || r->m.deadline_ns > r->now, "what is done is not due any more");
}
static inline void timer(struct rig *r) {
  cr_assert_neq(r->m.deadline_ns, 0);
  at(r, MAX(r->now, r->m.deadline_ns));
}
static inline void link_to(struct rig *r, bool up) {
  dhcp6_link(&r->m, up, r->now, &r->a);
  settle(r);
}

#endif
