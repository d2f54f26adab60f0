/* SPDX-License-Identifier: BSD-3-Clause
 * A DHCPv4 machine with what the world believes because of its actions, and the invariants that are checked after each
 * event.
 */
#ifndef CAPNET_TESTS_DHCP4_SETTLE_H
#define CAPNET_TESTS_DHCP4_SETTLE_H

#include "base/util.h"
#include "netconf/dhcp4_machine.h"

#include <criterion/criterion.h>

#define S NSEC_PER_SEC
#define MS NSEC_PER_MSEC
static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
#define ADDR 0xc0a80105u
#define SERVER 0xc0a80101u
#define OTHER 0xc0a80102u

static uint64_t lcg_state;
static inline uint32_t lcg(void *arg _unused_) {
  lcg_state = lcg_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(lcg_state >> 33);
}

struct rig {
  struct dhcp4_machine m;
  struct dhcp4_actions a;
  uint64_t now;
  bool applied, probing;
  unsigned sent, drops, applies, forgets;
};

static inline void settle_action(struct rig *r, const struct dhcp4_action *a) {
  switch (a->kind) {
  case DHCP4_ACT_SEND:
    r->sent++;
    break;
  case DHCP4_ACT_APPLY:
    r->applied = true;
    r->applies++;
    break;
  case DHCP4_ACT_DROP:
    cr_assert_not_null(a->why);
    r->applied = false;
    r->drops++;
    break;
  case DHCP4_ACT_STATE:
    cr_assert_neq(a->from, a->state);
    cr_assert_not_null(a->why);
    break;
  case DHCP4_ACT_PROBE:
    cr_assert_not(r->probing);
    r->probing = true;
    break;
  case DHCP4_ACT_PROBE_END:
    r->probing = false;
    break;
  case DHCP4_ACT_FORGET:
    r->forgets++;
    break;
  }
}

static inline void settle(struct rig *r) {
  const struct dhcp4_machine *m = &r->m;
  cr_assert_lt(r->a.n, DHCP4_ACTIONS_MAX, "no event fills the list of actions");
  for (unsigned i = 0; i < r->a.n; i++)
    settle_action(r, &r->a.a[i]);
  cr_assert_eq(r->applied, m->has_lease);
  cr_assert_eq(r->probing, m->state == DHCP_PROBING);
  if (m->has_lease && m->lease.expiry_ns != 0)
    cr_assert_lt(r->now, m->lease.expiry_ns, "never an address without a live lease");
  bool holds = m->state == DHCP_BOUND || m->state == DHCP_RENEWING || m->state == DHCP_REBINDING;
  cr_assert(holds ? m->has_lease : !m->has_lease || m->state == DHCP_REBOOTING, "state %s", dhcp_state_name(m->state));
  bool for_ever = (m->state == DHCP_BOUND && m->lease.expiry_ns == 0) ||
                  (m->state == DHCP_STANDBY && m->memory.lease.expiry_ns == 0);
  bool waits = m->state == DHCP_OFF || m->state == DHCP_RELEASED || for_ever ||
               (!m->link && !m->has_lease && m->state != DHCP_STANDBY);
  cr_assert_eq(m->deadline_ns == 0, waits, "a next event, state %s", dhcp_state_name(m->state));
  if (m->has_lease && m->lease.expiry_ns != 0)
    cr_assert_leq(m->deadline_ns, m->lease.expiry_ns, "never sleeps past the end of the lease");
  uint64_t next_ns;
  const char *next = dhcp4_next(m, &next_ns);
  cr_assert_eq(next == NULL, waits || (m->lease.expiry_ns == 0 && (m->state == DHCP_RENEWING || m->state == DHCP_REBINDING)));
}

#endif
