/* SPDX-License-Identifier: BSD-3-Clause
 * Thousands of seeded random histories of the DHCPv4 machine. After each event the rig checks the invariants: never an
 * address without a live lease, never one in two minds, always a next event.
 */
#include "dhcp4_rig.h"

static void random_reply(struct rig *r) {
  static const uint32_t leases[] = {0, 1, 2, 6, 60, 120, 3600, DHCP4_FOREVER};
  static const enum dhcp4_type types[] = {DHCP4_OFFER, DHCP4_OFFER, DHCP4_ACK, DHCP4_ACK, DHCP4_NAK};
  struct dhcp4_reply d =
      reply(r, types[lcg(NULL) % ARRAY_SIZE(types)], lcg(NULL) % 8 ? SERVER : OTHER, leases[lcg(NULL) % ARRAY_SIZE(leases)]);
  d.xid += lcg(NULL) % 10 == 0;
  d.rapid = lcg(NULL) % 2;
  d.has_v6only = lcg(NULL) % 20 == 0;
  d.t1_s = lcg(NULL) % 3 ? 0 : lcg(NULL) % 5000;
  d.t2_s = lcg(NULL) % 3 ? 0 : lcg(NULL) % 5000;
  d.params.addr = net_addr_v4(ADDR + (lcg(NULL) % 8 == 0));
  d.params.n_dns = lcg(NULL) % 2;
  if (lcg(NULL) % 2)
    d.params.gateway = net_addr_v4(SERVER);
  receive(r, &d);
}

static void random_order(struct rig *r, uint32_t what) {
  switch (what) {
  case 0:
    dhcp4_renew(&r->m, r->now, &r->a);
    break;
  case 1:
    (void)dhcp4_release(&r->m, r->now, &r->a);
    break;
  case 2:
    dhcp4_stop(&r->m, r->now, &r->a);
    break;
  case 3:
    dhcp4_standby(&r->m, r->now, &r->a);
    break;
  case 4:
    dhcp4_conflict(&r->m, r->now, &r->a);
    break;
  default:
    dhcp4_start(&r->m, r->now, &r->a);
  }
  settle(r);
}

/* Mostly the timer and half-sensible servers. */
static void random_event(struct rig *r) {
  uint32_t what = lcg(NULL) % 100;
  r->now += lcg(NULL) % 4 == 0 ? lcg(NULL) % (30 * S) : lcg(NULL) % 1000000;
  if (what < 55) {
    random_reply(r);
  } else if (what < 80) {
    if (r->m.deadline_ns != 0)
      r->now = MAX(r->now, r->m.deadline_ns) + lcg(NULL) % 3 * S; /* late, too */
    at(r, r->now);
  } else if (what < 88) {
    probed(r, lcg(NULL) % 4 == 0);
  } else if (what < 91) {
    link_to(r, lcg(NULL) % 4 != 0);
  } else if (what < 92) {
    at(r, r->now + lcg(NULL) % (10000 * S)); /* suspended */
  } else {
    random_order(r, what - 92);
  }
}

static struct rig random_rig(uint64_t seed) {
  struct dhcp4_config cfg = {.probe = seed & 1,
                             .rapid_commit = seed & 2,
                             .v6only = seed & 4,
                             .offer_wait_ns = seed & 8 ? 100 * MS : 0};
  struct rig r = rig_with(seed % 16 != 0, &cfg);
  if (seed % 3 == 0) {
    struct dhcp4_lease l = {.expiry_ns = seed % 2 ? r.now + 100 * S : 0};
    l.t1_ns = l.expiry_ns == 0 ? 0 : r.now + 50 * S;
    l.t2_ns = l.expiry_ns == 0 ? 0 : r.now + 80 * S;
    l.params.addr = net_addr_v4(ADDR);
    l.params.server = net_addr_v4(SERVER);
    dhcp4_remember(&r.m, &l, true, seed % 5 != 0);
  }
  start(&r);
  lcg_state = seed;
  return r;
}

Test(dhcp4_random, histories, .timeout = 120) {
  unsigned seen[DHCP_IPV6_ONLY + 1] = {0};
  for (uint64_t seed = 1; seed <= 4000; seed++) {
    struct rig r = random_rig(seed);
    for (int i = 0; i < 200; i++) {
      random_event(&r);
      seen[r.m.state]++;
    }
  }
  for (int s = DHCP_OFF; s <= DHCP_IPV6_ONLY; s++)
    cr_assert_gt(seen[s], 0, "no history was ever %s", dhcp_state_name((enum dhcp_state)s));
}

/* A network that answers as it should: every history ends with a lease, and keeps it. */
Test(dhcp4_random, a_good_server_always_wins) {
  for (uint64_t seed = 1; seed <= 500; seed++) {
    struct rig r = random_rig(seed & ~UINT64_C(4));
    for (int i = 0; i < 40; i++)
      random_event(&r);
    if (!r.m.link)
      link_to(&r, true);
    start(&r);
    for (int i = 0; i < 60 && r.m.state != DHCP_BOUND; i++) {
      enum dhcp_state was = r.m.state;
      if ((r.m.state == DHCP_SELECTING || r.m.state == DHCP_EXPIRED) && r.m.n_offers == 0)
        answer(&r, DHCP4_OFFER, 1000);
      else if (r.m.state == DHCP_PROBING)
        probed(&r, false);
      else if (r.m.state == DHCP_REQUESTING || r.m.state == DHCP_RENEWING)
        answer(&r, DHCP4_ACK, 1000);
      if (r.m.state == was) /* it was about another's offer, or is a wait */
        timer(&r);
    }
    cr_assert_eq(r.m.state, DHCP_BOUND, "seed %u: %s", (unsigned)seed, dhcp_state_name(r.m.state));
  }
}
