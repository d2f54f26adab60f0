/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv6 machine under a clock moved by hand: each exchange of RFC 8415 18.2 until a lease is confirmed.
 */
#include "dhcp6_rig.h"

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
