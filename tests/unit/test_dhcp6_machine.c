/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv6 machine under a clock moved by hand: each exchange of RFC 8415 18.2, hostile and confused servers, and seeded
 * random histories that must keep the machine's invariants.
 */
#include "base/util.h"
#include "netconf/dhcp6_machine.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define S NSEC_PER_SEC
#define ONE "2001:db8::5"
#define TWO "2001:db8::6"
#define FOR_EVER DHCP6_FOREVER

static uint64_t lcg_state;
static uint32_t lcg(void *arg _unused_) {
  lcg_state = lcg_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(lcg_state >> 33);
}
static struct net_addr addr(const char *s) {
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

static void believe(struct rig *r, const struct dhcp6_action *a) {
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

static bool idle(const struct rig *r) {
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

static void settle(struct rig *r) {
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

static struct rig rig_new(enum dhcp6_mode mode, bool link) {
  struct dhcp6_config cfg = {.duid = {{0, 4, 1, 2, 3, 4}, 6}, .iaid = 77, .random = lcg};
  struct rig r = {.now = 1000 * S};
  lcg_state = 42;
  dhcp6_init(&r.m, &cfg, link);
  dhcp6_want(&r.m, mode, r.now, &r.a);
  settle(&r);
  return r;
}
static void at(struct rig *r, uint64_t when) {
  r->now = when;
  dhcp6_timeout(&r->m, r->now, &r->a);
  settle(r);
  cr_assert(r->m.deadline_ns == 0 || r->m.deadline_ns > r->now, "what is done is not due any more");
}
static void timer(struct rig *r) {
  cr_assert_neq(r->m.deadline_ns, 0);
  at(r, MAX(r->now, r->m.deadline_ns));
}
static void link_to(struct rig *r, bool up) {
  dhcp6_link(&r->m, up, r->now, &r->a);
  settle(r);
}
static struct dhcp6_reply reply(const struct rig *r, enum dhcp6_type type, const char *server) {
  struct dhcp6_reply d = {.type = type, .xid = r->m.xid, .client = r->m.cfg.duid};
  d.server.len = strlen(server);
  memcpy(d.server.b, server, d.server.len);
  return d;
}
static struct dhcp6_reply grant(const struct rig *r, enum dhcp6_type type, const char *server, uint32_t preferred, uint32_t valid) {
  struct dhcp6_reply d = reply(r, type, server);
  d.has_ia = true;
  d.n_addrs = 1;
  d.addrs[0] = (struct dhcp6_addr){addr(ONE), preferred, valid};
  d.params.n_dns = 1;
  d.params.dns[0] = addr("2001:db8::53");
  return d;
}
static void receive(struct rig *r, const struct dhcp6_reply *d) {
  struct net_addr from = addr("fe80::1");
  dhcp6_receive(&r->m, &from, d, r->now, &r->a);
  settle(r);
}
static void status(struct rig *r, const char *server, uint16_t code, bool in_ia) {
  struct dhcp6_reply d = reply(r, DHCP6_REPLY, server);
  d.has_ia = in_ia;
  *(in_ia ? &d.ia_status : &d.status) = code;
  receive(r, &d);
}
static struct rig soliciting(void) {
  struct rig r = rig_new(DHCP6_MODE_ADDRESSES, true);
  if (r.sent == 0)
    timer(&r);
  cr_assert_eq(r.last.type, DHCP6_SOLICIT);
  return r;
}
static struct rig bound(uint32_t preferred, uint32_t valid) {
  struct rig r = soliciting();
  struct dhcp6_reply d = grant(&r, DHCP6_ADVERTISE, "one", preferred, valid);
  d.preference = 255;
  receive(&r, &d);
  d = grant(&r, DHCP6_REPLY, "one", preferred, valid);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP6_BOUND);
  return r;
}

Test(dhcp6_machine, four_messages) {
  struct rig r = rig_new(DHCP6_MODE_ADDRESSES, true);
  cr_assert_eq(r.m.state, DHCP6_SOLICITING);
  cr_assert_leq(r.m.deadline_ns, r.now + 1 * S, "a random delay of at most a second");
  timer(&r);
  cr_assert_eq(r.last.type, DHCP6_SOLICIT);
  cr_assert(r.last.with_ia && r.last.rapid_commit && r.last.server.len == 0);
  cr_assert_eq(r.last.elapsed_cs, 0);
  uint64_t first = r.now;
  struct dhcp6_reply d = grant(&r, DHCP6_ADVERTISE, "one", 100, 200);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP6_SOLICITING, "a better one may come");
  cr_assert_geq(r.m.deadline_ns, first + 1 * S);
  cr_assert_leq(r.m.deadline_ns, first + 11 * S / 10);
  timer(&r);
  cr_assert_eq(r.m.state, DHCP6_REQUESTING);
  cr_assert_eq(r.last.type, DHCP6_REQUEST);
  cr_assert_arr_eq(r.last.server.b, "one", 3);
  cr_assert_eq(r.last.n_addrs, 1);
  d = grant(&r, DHCP6_REPLY, "one", 100, 200);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP6_BOUND);
  cr_assert_eq(r.n_have, 1);
  cr_assert_eq(r.params.n_dns, 1);
  cr_assert_eq(r.m.lease.t1_ns, r.now + 50 * S);
  cr_assert_eq(r.m.lease.t2_ns, r.now + 80 * S);
  cr_assert_eq(r.m.lease.addrs[0].preferred_until, r.now + 100 * S);
  cr_assert_eq(r.m.lease.addrs[0].valid_until, r.now + 200 * S);
}

Test(dhcp6_machine, the_best_of_several_is_taken) {
  struct rig r = soliciting();
  static const struct { const char *server; uint8_t preference; } all[] = {{"a", 3}, {"b", 7}, {"c", 7}, {"d", 0}};
  for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
    struct dhcp6_reply d = grant(&r, DHCP6_ADVERTISE, all[i].server, 100, 200);
    d.preference = all[i].preference;
    receive(&r, &d);
  }
  timer(&r);
  cr_assert_arr_eq(r.last.server.b, "b", 1);
}

Test(dhcp6_machine, preference_255_and_late_offers_are_taken_at_once) {
  struct rig r = soliciting();
  struct dhcp6_reply d = grant(&r, DHCP6_ADVERTISE, "a", 100, 200);
  d.preference = 255;
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP6_REQUESTING);
  r = soliciting();
  timer(&r);
  d = grant(&r, DHCP6_ADVERTISE, "a", 100, 200);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP6_REQUESTING);
}

Test(dhcp6_machine, rapid_commit) {
  struct rig r = soliciting();
  struct dhcp6_reply d = grant(&r, DHCP6_REPLY, "a", 100, 200);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP6_SOLICITING, "18.2.1: only with the option");
  d.rapid_commit = true;
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP6_BOUND);
}

Test(dhcp6_machine, silence_is_asked_for_ever_and_ever_more_slowly) {
  struct rig r = soliciting();
  uint64_t first = r.now, gap = 0;
  for (int i = 0; i < 30; i++) {
    uint64_t before = gap, then = r.now;
    timer(&r);
    gap = r.now - then;
    cr_assert_eq(r.last.type, DHCP6_SOLICIT);
    cr_assert_eq(r.last.elapsed_cs, MIN((r.now - first) / (S / 100), (uint64_t)UINT16_MAX));
    if (i > 0 && i < 10)
      cr_assert(gap >= 19 * before / 10 && gap <= 21 * before / 10);
    cr_assert_leq(gap, 3960 * S);
  }
  cr_assert_geq(gap, 3240 * S);
}

Test(dhcp6_machine, sol_max_rt_counts_even_in_an_offer_of_nothing) {
  struct rig r = soliciting();
  struct dhcp6_reply d = reply(&r, DHCP6_ADVERTISE, "a");
  d.status = DHCP6_NO_ADDRS_AVAIL;
  d.sol_max_rt_s = 60;
  receive(&r, &d);
  for (int i = 0; i < 10; i++)
    timer(&r);
  uint64_t then = r.now;
  timer(&r);
  cr_assert(r.now - then >= 54 * S && r.now - then <= 66 * S);
}

Test(dhcp6_machine, servers_that_disagree_about_sol_max_rt) {
  struct rig r = soliciting();
  struct dhcp6_reply d = reply(&r, DHCP6_ADVERTISE, "a");
  d.sol_max_rt_s = d.inf_max_rt_s = 86400;
  receive(&r, &d);
  receive(&r, &d);
  cr_assert(r.m.sol_max_rt_s == 86400 && r.m.inf_max_rt_s == 86400);
  d.sol_max_rt_s = 60;
  for (int i = 0; i < 2; i++) {
    receive(&r, &d);
    cr_assert_eq(r.m.sol_max_rt_s, 3600, "18.2.9: the default");
    cr_assert_eq(r.m.inf_max_rt_s, 86400);
  }
  d = grant(&r, DHCP6_ADVERTISE, "a", 100, 200);
  d.preference = 255;
  receive(&r, &d);
  d = grant(&r, DHCP6_REPLY, "a", 100, 200);
  d.sol_max_rt_s = 120;
  receive(&r, &d);
  cr_assert_eq(r.m.sol_max_rt_s, 120, "a reply is one server's word");
}

Test(dhcp6_machine, a_request_is_repeated_ten_times) {
  struct rig r = soliciting();
  struct dhcp6_reply d = grant(&r, DHCP6_ADVERTISE, "a", 100, 200);
  d.preference = 255;
  receive(&r, &d);
  unsigned n = 1;
  while (timer(&r), r.m.state == DHCP6_REQUESTING)
    n++;
  cr_assert_eq(n, 10);
  cr_assert_eq(r.last.type, DHCP6_SOLICIT);
}

Test(dhcp6_machine, renew_rebind_expire) {
  struct rig r = bound(100, 200);
  uint64_t t = r.now;
  cr_assert_eq(r.m.deadline_ns, t + 50 * S);
  timer(&r);
  cr_assert_eq(r.m.state, DHCP6_RENEWING);
  cr_assert_eq(r.last.type, DHCP6_RENEW);
  cr_assert_arr_eq(r.last.server.b, "one", 3);
  cr_assert_eq(r.last.n_addrs, 1);
  while (r.m.state == DHCP6_RENEWING)
    timer(&r);
  cr_assert_eq(r.now, t + 80 * S);
  cr_assert_eq(r.m.state, DHCP6_REBINDING);
  cr_assert_eq(r.last.type, DHCP6_REBIND);
  cr_assert_eq(r.last.server.len, 0);
  while (r.m.state == DHCP6_REBINDING)
    timer(&r);
  cr_assert_eq(r.now, t + 200 * S);
  cr_assert_eq(r.n_have, 0);
  cr_assert_eq(r.params.n_dns, 0);
  cr_assert_eq(r.last.type, DHCP6_SOLICIT);
}

Test(dhcp6_machine, a_renewal_renews) {
  struct rig r = bound(100, 200);
  for (int i = 0; i < 10; i++) {
    timer(&r);
    cr_assert_eq(r.m.state, DHCP6_RENEWING);
    struct dhcp6_reply d = grant(&r, DHCP6_REPLY, "other", 100, 200);
    receive(&r, &d);
    cr_assert_eq(r.m.state, DHCP6_RENEWING, "another server was not asked");
    d = grant(&r, DHCP6_REPLY, "one", 100, 200);
    receive(&r, &d);
    cr_assert_eq(r.m.state, DHCP6_BOUND);
    cr_assert_eq(r.n_have, 1);
  }
  at(&r, r.m.lease.t2_ns);
  cr_assert_eq(r.m.state, DHCP6_REBINDING, "T1 was slept through");
  struct dhcp6_reply d = grant(&r, DHCP6_REPLY, "other", 100, 200);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP6_BOUND, "any server may answer");
  cr_assert_arr_eq(r.m.lease.server.b, "other", 5);
}

Test(dhcp6_machine, suspended_across_the_end) {
  struct rig r = bound(100, 200);
  at(&r, r.now + 5000 * S);
  cr_assert_eq(r.n_have, 0);
  cr_assert_eq(r.m.state, DHCP6_SOLICITING);
}

Test(dhcp6_machine, times_of_the_server) {
  static const struct { uint32_t t1, t2, preferred, valid; uint64_t want1, want2; } all[] = {
      {10, 20, 100, 200, 10, 20},
      {0, 0, 100, 200, 50, 80},
      {0, 30, 100, 200, 30, 30},         /* never after T2 */
      {90, 0, 100, 200, 90, 145},        /* MUST be used, so T2 has to follow */
      {90, 0, 100, FOR_EVER, 90, 135},
      {90, 0, 95, 95, 90, 92},
      {250, 0, 100, 200, 50, 80},
      {150, 300, 100, 200, 50, 80},      /* too late */
      {0, 0, 0, 200, 100, 160},          /* deprecated from the start */
      {FOR_EVER, FOR_EVER, 100, 200, 50, 80},
  };
  for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
    struct rig r = soliciting();
    struct dhcp6_reply d = grant(&r, DHCP6_REPLY, "a", all[i].preferred, all[i].valid);
    d.rapid_commit = true;
    d.t1_s = all[i].t1;
    d.t2_s = all[i].t2;
    receive(&r, &d);
    cr_assert_eq(r.m.lease.t1_ns / S, r.now / S + all[i].want1, "%zu", i);
    cr_assert_eq(r.m.lease.t2_ns / S, r.now / S + all[i].want2, "%zu", i);
  }
  struct rig r = bound(FOR_EVER, FOR_EVER);
  cr_assert_eq(r.m.deadline_ns, 0, "for ever");
}

Test(dhcp6_machine, a_lease_that_runs_out_is_not_asked_for_ever_faster) {
  struct rig r = bound(1000, 1000);
  unsigned before = r.total;
  uint64_t end = r.m.lease.addrs[0].valid_until, last = 0;
  while (r.n_have > 0) { /* the server answers, and names no address: it lives on as before, 18.2.10.1 */
    timer(&r);
    if (r.n_have == 0 || r.sent == 0)
      continue;
    cr_assert_geq(r.now - last, S, "14.2: no storm of packets");
    last = r.now;
    struct dhcp6_reply d = reply(&r, DHCP6_REPLY, "one");
    d.has_ia = true;
    receive(&r, &d);
  }
  cr_assert_eq(r.now, end);
  cr_assert_leq(r.total - before, 14u);
}

Test(dhcp6_machine, a_server_that_takes_the_address_back) {
  struct rig r = bound(100, 200);
  timer(&r);
  struct dhcp6_reply d = grant(&r, DHCP6_REPLY, "one", 0, 0);
  receive(&r, &d);
  cr_assert_eq(r.n_have, 0);
  cr_assert_eq(r.params.n_dns, 0);
  cr_assert_eq(r.m.state, DHCP6_INIT);
  timer(&r);
  cr_assert_eq(r.m.state, DHCP6_SOLICITING);
}

Test(dhcp6_machine, what_a_renewal_does_not_name_lives_on) {
  struct rig r = bound(100, 200);
  uint64_t end = r.m.lease.addrs[0].valid_until;
  timer(&r);
  struct dhcp6_reply d = grant(&r, DHCP6_REPLY, "one", 100, 200);
  d.addrs[0].addr = addr(TWO);
  receive(&r, &d);
  cr_assert_eq(r.n_have, 2);
  cr_assert_eq(r.m.lease.addrs[0].valid_until, end);
  at(&r, end);
  cr_assert_eq(r.n_have, 1);
}

Test(dhcp6_machine, what_is_over_is_not_asked_for) {
  struct rig r = bound(100, 200);
  timer(&r);
  struct dhcp6_reply d = grant(&r, DHCP6_REPLY, "one", 100, 200);
  d.addrs[d.n_addrs++] = (struct dhcp6_addr){addr(TWO), 60, 90};
  receive(&r, &d);
  cr_assert_eq(r.n_have, 2);
  while (r.n_have == 2)
    timer(&r);
  cr_assert_eq(r.m.state, DHCP6_REBINDING);
  cr_assert_eq(r.last.n_addrs, 2);
  uint32_t xid = r.last.xid;
  while (r.sent == 0)
    timer(&r);
  cr_assert_eq(r.last.xid, xid, "a repetition");
  cr_assert_eq(r.last.n_addrs, 1, "18.2.4: MUST NOT name one that is no longer valid");
  cr_assert(net_addr_equal(&r.last.addrs[0], &r.have[0]));
}

Test(dhcp6_machine, no_binding_means_request) {
  struct rig r = bound(100, 200);
  timer(&r);
  status(&r, "one", DHCP6_NO_BINDING, true);
  cr_assert_eq(r.m.state, DHCP6_REQUESTING);
  cr_assert_eq(r.last.n_addrs, 1);
  cr_assert_eq(r.n_have, 1, "it holds all the same");
  status(&r, "one", DHCP6_NO_ADDRS_AVAIL, true);
  cr_assert_eq(r.m.state, DHCP6_BOUND);
  cr_assert_eq(r.sent, 0);
  unsigned before = r.total;
  for (int i = 0; i < 40 && r.m.lease.n_addrs > 0; i++) {
    timer(&r);
    if (r.m.state == DHCP6_RENEWING || r.m.state == DHCP6_REBINDING)
      status(&r, "one", DHCP6_NO_BINDING, true);
    if (r.m.state == DHCP6_REQUESTING)
      status(&r, "one", DHCP6_NO_ADDRS_AVAIL, true);
  }
  cr_assert_leq(r.total - before, 20, "a confused server makes no flood");
}

Test(dhcp6_machine, statuses_of_a_request) {
  static const uint16_t all[] = {DHCP6_NO_ADDRS_AVAIL, DHCP6_NOT_ON_LINK, DHCP6_NO_BINDING, 99};
  for (size_t i = 0; i < 2 * ARRAY_SIZE(all); i++) {
    struct rig r = soliciting();
    struct dhcp6_reply d = grant(&r, DHCP6_ADVERTISE, "a", 100, 200);
    d.preference = 255;
    receive(&r, &d);
    status(&r, "a", all[i / 2], i % 2);
    cr_assert_eq(r.m.state, DHCP6_INIT, "%zu", i);
    timer(&r);
    cr_assert_eq(r.last.type, DHCP6_SOLICIT);
  }
  struct rig r = soliciting();
  struct dhcp6_reply d = grant(&r, DHCP6_ADVERTISE, "a", 100, 200);
  d.preference = 255;
  receive(&r, &d);
  status(&r, "a", DHCP6_UNSPEC_FAIL, false);
  status(&r, "a", DHCP6_USE_MULTICAST, false);
  cr_assert_eq(r.m.state, DHCP6_REQUESTING, "repeated no sooner than it would be");
  cr_assert_eq(r.sent, 0);
}

Test(dhcp6_machine, not_on_link_ends_it_at_once) {
  struct rig r = bound(100, 200);
  timer(&r);
  status(&r, "one", DHCP6_NOT_ON_LINK, false);
  cr_assert_eq(r.n_have, 0);
}

Test(dhcp6_machine, confirm_when_the_link_is_back) {
  struct rig r = bound(100, 200);
  link_to(&r, false);
  r.now += 10 * S;
  at(&r, r.now);
  cr_assert_eq(r.n_have, 1);
  link_to(&r, true);
  cr_assert_eq(r.m.state, DHCP6_CONFIRMING);
  timer(&r);
  cr_assert_eq(r.last.type, DHCP6_CONFIRM);
  cr_assert_eq(r.last.server.len, 0);
  cr_assert_eq(r.last.n_addrs, 1);
  status(&r, "any", DHCP6_SUCCESS, false);
  cr_assert_eq(r.m.state, DHCP6_BOUND);
  cr_assert_eq(r.n_have, 1);

  r = bound(100, 200);
  link_to(&r, false);
  link_to(&r, true);
  timer(&r);
  status(&r, "any", DHCP6_NOT_ON_LINK, false);
  cr_assert_eq(r.n_have, 0);
  cr_assert_eq(r.params.n_dns, 0);

  r = bound(100, 200);
  link_to(&r, false);
  link_to(&r, true);
  timer(&r);
  uint64_t first = r.now;
  while (r.m.state == DHCP6_CONFIRMING)
    timer(&r);
  cr_assert_eq(r.now, first + 10 * S, "CNF_MAX_RD");
  cr_assert_eq(r.m.state, DHCP6_BOUND);
  cr_assert_eq(r.n_have, 1, "nobody said no");
}

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

Test(dhcp6_machine, a_lease_of_an_earlier_run_is_confirmed) {
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

Test(dhcp6_machine, a_lease_of_an_earlier_run_that_is_none) {
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

Test(dhcp6_machine, the_lease_ends_while_the_link_is_away) {
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

Test(dhcp6_machine, decline) {
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

Test(dhcp6_machine, one_of_two_is_declined) {
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

Test(dhcp6_machine, release) {
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

Test(dhcp6_machine, options_alone) {
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

Test(dhcp6_machine, options_end_when_nobody_confirms_them) {
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

Test(dhcp6_machine, options_first_and_then_an_address) {
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

Test(dhcp6_machine, foreign_late_and_unasked_messages) {
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

Test(dhcp6_machine, random_histories, .timeout = 120) {
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
