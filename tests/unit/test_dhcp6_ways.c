/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv6 machine: leases of an earlier run, given back and declined, options alone, hostile and confused servers, and
 * seeded random histories that must keep the machine's invariants.
 */
#include "dhcp6_rig.h"

/* A machine that knows a lease of an earlier run: two addresses, the first until 50 s from now. */
static struct rig remembers(bool link) {
  struct dhcp6_config cfg = {.duid = {{0, 4, 1, 2, 3, 4}, 6}, .iaid = 77, .random = lcg};
  struct rig r = {.now = 1000 * S};
  struct dhcp6_lease l = {.n_addrs = 2, .t1_ns = r.now + 100 * S, .t2_ns = r.now + 160 * S, .server = {{'x'}, 1}};
  struct dhcp6_params p = {.n_dns = 1, .dns = {addr("2001:db8::53")}};
  l.addrs[0] = (struct dhcp6_lease_addr){addr(ONE), r.now + 40 * S, r.now + 50 * S};
  l.addrs[1] = (struct dhcp6_lease_addr){addr(TWO), r.now + 180 * S, r.now + 200 * S};
  lcg_state = 42;
  dhcp6_init(&r.m, &cfg, link);
  dhcp6_remember(&r.m, &l, &p);
  return r;
}
static void want(struct rig *r, enum dhcp6_mode mode) {
  dhcp6_want(&r->m, mode, r->now, &r->a);
  settle(r);
}

Test(dhcp6_ways, a_lease_of_an_earlier_run_is_confirmed) {
  struct rig r = remembers(true);
  want(&r, DHCP6_MODE_ADDRESSES);
  cr_assert_eq(r.m.state, DHCP6_CONFIRMING);
  cr_assert_eq(r.n_have, 2, "as after a link that was away");
  cr_assert_eq(r.params.n_dns, 1);
  timer(&r);
  cr_assert_eq(r.last.type, DHCP6_CONFIRM);
  cr_assert_eq(r.last.n_addrs, 2);
  status(&r, "any", DHCP6_SUCCESS, false);
  cr_assert_eq(r.m.state, DHCP6_BOUND);
  while (r.m.state == DHCP6_BOUND)
    timer(&r);
  cr_assert_eq(r.now, 1100 * S, "T1 is what it was");
  cr_assert_eq(r.last.type, DHCP6_RENEW);
  cr_assert_eq(r.last.server.b[0], 'x');
  want(&r, DHCP6_MODE_OFF);
  want(&r, DHCP6_MODE_ADDRESSES);
  cr_assert_eq(r.m.state, DHCP6_SOLICITING, "once");
}

Test(dhcp6_ways, a_lease_of_an_earlier_run_that_is_none) {
  struct rig r = remembers(true);
  want(&r, DHCP6_MODE_ADDRESSES);
  timer(&r);
  status(&r, "any", DHCP6_NOT_ON_LINK, false);
  cr_assert_eq(r.n_have, 0);
  cr_assert_eq(r.params.n_dns, 0);

  r = remembers(true);
  want(&r, DHCP6_MODE_ADDRESSES);
  while (r.m.state == DHCP6_CONFIRMING)
    timer(&r);
  cr_assert_eq(r.m.state, DHCP6_BOUND, "silence takes nothing away");
  cr_assert_eq(r.n_have, 2);

  r = remembers(true);
  r.now += 60 * S;
  want(&r, DHCP6_MODE_INFORMATION);
  cr_assert_eq(r.n_have, 0, "no addresses are wanted");
  want(&r, DHCP6_MODE_ADDRESSES);
  cr_assert_eq(r.n_have, 1, "the other is over");
  cr_assert(net_addr_equal(&r.have[0], &r.m.lease.addrs[0].addr));

  r = remembers(true);
  r.now += 200 * S;
  want(&r, DHCP6_MODE_ADDRESSES);
  cr_assert_eq(r.m.state, DHCP6_SOLICITING);
  cr_assert_eq(r.n_have, 0);

  r = remembers(false);
  want(&r, DHCP6_MODE_ADDRESSES);
  cr_assert_eq(r.m.state, DHCP6_BOUND);
  link_to(&r, true);
  cr_assert_eq(r.m.state, DHCP6_CONFIRMING);

  r = rig_new(DHCP6_MODE_OFF, true);
  r.m.memory_why = "damaged";
  want(&r, DHCP6_MODE_ADDRESSES);
  cr_assert_str_eq(r.a.a[0].why, "damaged");
  cr_assert_eq(r.m.state, DHCP6_SOLICITING);
}

Test(dhcp6_ways, the_lease_ends_while_the_link_is_away) {
  struct rig r = bound(100, 200);
  link_to(&r, false);
  timer(&r);
  cr_assert_eq(r.n_have, 0);
  cr_assert_eq(r.m.state, DHCP6_INIT);
  cr_assert_eq(r.m.deadline_ns, 0);
  link_to(&r, true);
  timer(&r);
  cr_assert_eq(r.last.type, DHCP6_SOLICIT);
}

Test(dhcp6_ways, decline) {
  struct rig r = bound(100, 200);
  struct net_addr a = addr(ONE), other = addr(TWO);
  dhcp6_duplicate(&r.m, &other, r.now, &r.a);
  settle(&r);
  cr_assert_eq(r.m.state, DHCP6_BOUND, "not ours");
  dhcp6_duplicate(&r.m, &a, r.now, &r.a);
  settle(&r);
  cr_assert_eq(r.n_have, 0);
  cr_assert_eq(r.last.type, DHCP6_DECLINE);
  cr_assert_arr_eq(r.last.server.b, "one", 3);
  cr_assert(r.last.n_addrs == 1 && net_addr_equal(&r.last.addrs[0], &a));
  struct rig silent = r;
  status(&r, "one", DHCP6_SUCCESS, false);
  cr_assert_eq(r.m.state, DHCP6_INIT);
  timer(&r);
  cr_assert_eq(r.last.type, DHCP6_SOLICIT);
  unsigned n = 1;
  while (timer(&silent), silent.m.state == DHCP6_DECLINING)
    n++;
  cr_assert_eq(n, 4, "DEC_MAX_RC");
  cr_assert_eq(silent.last.type, DHCP6_SOLICIT);
}

Test(dhcp6_ways, one_of_two_is_declined) {
  struct rig r = bound(100, 200);
  timer(&r);
  struct dhcp6_reply d = grant(&r, DHCP6_REPLY, "one", 100, 200);
  d.addrs[d.n_addrs++] = (struct dhcp6_addr){addr(TWO), 100, 200};
  receive(&r, &d);
  struct net_addr a = addr(ONE);
  dhcp6_duplicate(&r.m, &a, r.now, &r.a);
  settle(&r);
  cr_assert_eq(r.n_have, 1);
  cr_assert_eq(r.params.n_dns, 1, "the other one still has its options");
  status(&r, "one", DHCP6_SUCCESS, false);
  cr_assert_eq(r.m.state, DHCP6_BOUND);
}

/* The other one is not in force on a link that nobody has confirmed. */
Test(dhcp6_ways, a_decline_while_confirming_is_no_confirmation) {
  struct rig r = bound(100, 200);
  timer(&r);
  struct dhcp6_reply d = grant(&r, DHCP6_REPLY, "one", 100, 200);
  d.addrs[d.n_addrs++] = (struct dhcp6_addr){addr(TWO), 100, 200};
  receive(&r, &d);
  link_to(&r, false);
  link_to(&r, true);
  timer(&r);
  cr_assert_eq(r.m.state, DHCP6_CONFIRMING);
  struct net_addr a = addr(ONE);
  dhcp6_duplicate(&r.m, &a, r.now, &r.a);
  settle(&r);
  cr_assert_eq(r.m.state, DHCP6_DECLINING);
  status(&r, "one", DHCP6_SUCCESS, false);
  cr_assert_eq(r.m.state, DHCP6_CONFIRMING);
  timer(&r);
  status(&r, "any", DHCP6_NOT_ON_LINK, false);
  cr_assert_eq(r.n_have, 0);
}

Test(dhcp6_ways, release) {
  struct rig r = bound(100, 200);
  cr_assert_eq(dhcp6_release(&r.m, r.now, &r.a), 0);
  settle(&r);
  cr_assert_eq(r.n_have, 0);
  cr_assert_eq(r.params.n_dns, 0);
  cr_assert_eq(r.last.type, DHCP6_RELEASE);
  cr_assert_eq(r.last.n_addrs, 1);
  struct rig silent = r;
  status(&r, "one", DHCP6_NO_BINDING, false);
  cr_assert_eq(r.m.state, DHCP6_RELEASED);
  cr_assert_eq(r.m.deadline_ns, 0);
  unsigned n = 1;
  while (timer(&silent), silent.m.state == DHCP6_RELEASING)
    n++;
  cr_assert_eq(n, 4, "REL_MAX_RC");
  cr_assert_eq(silent.m.state, DHCP6_RELEASED);
  cr_assert_eq(dhcp6_release(&r.m, r.now, &r.a), -ENODATA);
  settle(&r);
  link_to(&r, false);
  link_to(&r, true);
  cr_assert_eq(r.m.state, DHCP6_RELEASED, "until somebody asks");
  dhcp6_renew(&r.m, r.now, &r.a);
  settle(&r);
  cr_assert_eq(r.m.state, DHCP6_SOLICITING);
}

Test(dhcp6_ways, options_alone) {
  struct rig r = rig_new(DHCP6_MODE_INFORMATION, true);
  cr_assert_eq(r.m.state, DHCP6_ASKING);
  timer(&r);
  cr_assert_eq(r.last.type, DHCP6_INFORMATION_REQUEST);
  cr_assert_not(r.last.with_ia);
  struct dhcp6_reply d = grant(&r, DHCP6_REPLY, "a", 100, 200);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP6_INFORMED);
  cr_assert_eq(r.n_have, 0, "an address that was not asked for");
  cr_assert_eq(r.params.n_dns, 1);
  cr_assert_eq(r.m.deadline_ns, r.now + 86400 * S, "21.23: a day, unless it is said");
  timer(&r);
  cr_assert_eq(r.m.state, DHCP6_ASKING);
  cr_assert_eq(r.sent, 0, "21.23: after a random delay");
  cr_assert_leq(r.m.deadline_ns, r.now + S);
  cr_assert_eq(r.params.n_dns, 1, "the old ones hold meanwhile");
  timer(&r);
  cr_assert_eq(r.sent, 1);
  d = reply(&r, DHCP6_REPLY, "a");
  d.refresh_s = 5;
  d.inf_max_rt_s = 60;
  receive(&r, &d);
  cr_assert_eq(r.params.n_dns, 0);
  cr_assert_eq(r.m.refresh_ns, r.now + 600 * S, "and no less than ten minutes");
  uint64_t end = r.now + 1200 * S;
  d = grant(&r, DHCP6_REPLY, "a", 1, 1);
  timer(&r);
  timer(&r);
  d.xid = r.m.xid;
  d.refresh_s = FOR_EVER;
  receive(&r, &d);
  cr_assert_eq(r.m.deadline_ns, 0);
  at(&r, end);
  cr_assert_eq(r.params.n_dns, 1);
}

Test(dhcp6_ways, options_end_when_nobody_confirms_them) {
  struct rig r = rig_new(DHCP6_MODE_INFORMATION, true);
  timer(&r);
  struct dhcp6_reply d = grant(&r, DHCP6_REPLY, "a", 1, 1);
  d.refresh_s = 600;
  receive(&r, &d);
  struct rig other = r;
  uint64_t t = r.now;
  while (r.params.n_dns > 0)
    timer(&r);
  cr_assert_eq(r.now, t + 1200 * S);
  link_to(&other, false);
  link_to(&other, true);
  t = other.now;
  while (other.params.n_dns > 0)
    timer(&other);
  cr_assert_eq(other.now, t + 10 * S, "a link that is back may be another one");
}

Test(dhcp6_ways, options_first_and_then_an_address) {
  struct rig r = rig_new(DHCP6_MODE_INFORMATION, true);
  timer(&r);
  struct dhcp6_reply d = grant(&r, DHCP6_REPLY, "a", 1, 1);
  receive(&r, &d);
  dhcp6_want(&r.m, DHCP6_MODE_ADDRESSES, r.now, &r.a);
  settle(&r);
  cr_assert_eq(r.m.state, DHCP6_SOLICITING);
  cr_assert_eq(r.params.n_dns, 1);
  dhcp6_want(&r.m, DHCP6_MODE_OFF, r.now, &r.a);
  settle(&r);
  cr_assert_eq(r.m.state, DHCP6_OFF);
  cr_assert_eq(r.params.n_dns, 0);
}

Test(dhcp6_ways, foreign_late_and_unasked_messages) {
  struct rig r = soliciting();
  struct dhcp6_reply good = grant(&r, DHCP6_REPLY, "a", 100, 200), d;
  good.rapid_commit = true;
  d = good;
  d.xid ^= 1;
  receive(&r, &d);
  d = good;
  d.client.b[0] ^= 1;
  receive(&r, &d);
  d = good;
  d.client.len = 0;
  receive(&r, &d);
  d = good;
  d.server.len = 0;
  receive(&r, &d);
  d = good;
  d.addrs[0].valid_s = d.addrs[0].preferred_s = 0;
  receive(&r, &d);
  cr_assert_eq(r.m.ignored, 5);
  cr_assert_eq(r.m.state, DHCP6_SOLICITING);
  receive(&r, &good);
  cr_assert_eq(r.m.state, DHCP6_BOUND);
  receive(&r, &good);
  cr_assert_eq(r.m.ignored, 6, "twice");
  struct rig none = rig_new(DHCP6_MODE_ADDRESSES, false);
  good.xid = none.m.xid;
  receive(&none, &good);
  cr_assert_eq(none.m.ignored, 1, "nobody asked");
}

static void random_reply(struct rig *r) {
  static const uint32_t lives[] = {0, 1, 2, 60, 3600, FOR_EVER};
  static const uint16_t codes[] = {0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 77};
  uint32_t valid = lives[lcg(NULL) % ARRAY_SIZE(lives)], preferred = MIN(valid, lives[lcg(NULL) % ARRAY_SIZE(lives)]);
  struct dhcp6_reply d = grant(r, lcg(NULL) % 3 ? DHCP6_REPLY : DHCP6_ADVERTISE, lcg(NULL) % 8 ? "one" : "two", preferred, valid);
  char text[32];
  d.n_addrs = lcg(NULL) % (DHCP6_ADDRS_MAX + 1);
  unsigned base = lcg(NULL) % 4;
  for (unsigned i = 0; i < d.n_addrs; i++) {
    snprintf(text, sizeof(text), "2001:db8::%x", base + i + 1);
    d.addrs[i] = (struct dhcp6_addr){addr(text), preferred, valid};
  }
  d.has_ia = lcg(NULL) % 8 != 0;
  d.xid += lcg(NULL) % 10 == 0;
  d.rapid_commit = lcg(NULL) % 3 == 0;
  d.preference = lcg(NULL) % 4 ? 0 : (uint8_t)lcg(NULL);
  d.status = lcg(NULL) % 3 ? 0 : codes[lcg(NULL) % ARRAY_SIZE(codes)];
  d.ia_status = lcg(NULL) % 3 ? 0 : codes[lcg(NULL) % ARRAY_SIZE(codes)];
  d.t2_s = lcg(NULL) % 3 ? 0 : lcg(NULL) % 5000;
  d.t1_s = lcg(NULL) % 3 || d.t2_s == 0 ? 0 : lcg(NULL) % (d.t2_s + 1);
  d.refresh_s = lives[lcg(NULL) % ARRAY_SIZE(lives)];
  d.params.n_dns = lcg(NULL) % 2;
  if (d.params.n_dns == 0)
    d.params.dns[0] = (struct net_addr){0};
  receive(r, &d);
}

static void random_event(struct rig *r) {
  uint32_t what = lcg(NULL) % 200;
  r->now += lcg(NULL) % 4 == 0 ? lcg(NULL) % (30 * S) : lcg(NULL) % 1000000;
  if (what < 100) {
    random_reply(r);
  } else if (what < 170) {
    if (r->m.deadline_ns != 0)
      r->now = MAX(r->now, r->m.deadline_ns) + lcg(NULL) % 3 * (lcg(NULL) % 2) * S; /* late, too */
    at(r, r->now);
  } else if (what < 180) {
    link_to(r, lcg(NULL) % 4 != 0);
  } else if (what < 184) {
    dhcp6_renew(&r->m, r->now, &r->a);
    settle(r);
  } else if (what < 186) {
    (void)dhcp6_release(&r->m, r->now, &r->a);
    settle(r);
  } else if (what < 192) {
    struct net_addr a = r->n_have > 0 ? r->have[lcg(NULL) % r->n_have] : addr(ONE);
    dhcp6_duplicate(&r->m, &a, r->now, &r->a);
    settle(r);
  } else {
    static const enum dhcp6_mode modes[] = {DHCP6_MODE_ADDRESSES, DHCP6_MODE_ADDRESSES, DHCP6_MODE_INFORMATION, DHCP6_MODE_OFF};
    dhcp6_want(&r->m, modes[lcg(NULL) % 4], r->now, &r->a);
    settle(r);
  }
}

Test(dhcp6_ways, random_histories, .timeout = 120) {
  unsigned seen[DHCP6_INFORMED + 1] = {0};
  for (uint64_t seed = 1; seed <= 3000; seed++) {
    struct rig r = rig_new(seed % 5 ? DHCP6_MODE_ADDRESSES : DHCP6_MODE_INFORMATION, true);
    lcg_state = seed;
    for (int i = 0; i < 150; i++) {
      random_event(&r);
      seen[r.m.state]++;
    }
  }
  for (int s = DHCP6_OFF; s <= DHCP6_INFORMED; s++)
    cr_assert_gt(seen[s], 50, "no history was ever %s", dhcp6_state_name((enum dhcp6_state)s));
}
