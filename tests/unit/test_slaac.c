/* SPDX-License-Identifier: BSD-3-Clause
 * The SLAAC machine with its table of addresses under a clock moved by hand: honest routers, hostile ones, links that come
 * and go, and seeded random histories that must keep the invariants.
 */
#include "slaac_settle.h"

Test(slaac, link_local_first_then_a_router_is_asked) {
  struct rig r = rig_new(true);
  start(&r);
  const struct addr6 *ll = of(&r, "fe80::");
  cr_assert_not_null(ll);
  cr_assert_eq(ll->origin, ADDR6_LINK_LOCAL);
  cr_assert_eq(ll->state, ADDR6_TENTATIVE);
  cr_assert_eq(r.solicits, 0);
  run_until(&r, r.now + 2 * S);
  cr_assert_eq(of(&r, "fe80::")->state, ADDR6_PREFERRED);
  cr_assert_eq(r.solicits, 1);
  struct rig again = rig_new(true);
  start(&again);
  cr_assert(net_addr_equal(&of(&again, "fe80::")->addr, &of(&r, "fe80::")->addr), "the same at the next start");
}

Test(slaac, solicitations_slow_down_and_never_end) {
  struct rig r = ready();
  uint64_t gap = 0;
  for (int i = 0; i < 20; i++) {
    uint64_t due = r.m.solicit_ns, before = gap;
    cr_assert_neq(due, 0);
    run_until(&r, due);
    gap = r.m.solicit_ns - due;
    if (i < 9)
      cr_assert(gap > before * 18 / 10 || before == 0);
    cr_assert_leq(gap, 3960 * S);
  }
  cr_assert_geq(gap, 3240 * S, "RFC 7559: about an hour");
  common(&r, R1, P1, 0, 600, 600);
  cr_assert_neq(r.m.solicit_ns, 0, "it is no default router");
  common(&r, R1, P1, 1800, 600, 600);
  cr_assert_eq(r.m.solicit_ns, 0);
}

Test(slaac, the_first_interval_is_four_seconds) {
  struct rig r = ready();
  cr_assert_eq(r.solicits, 1);
  cr_assert_geq(r.m.solicit_rt_ns, 36 * S / 10);
  cr_assert_leq(r.m.solicit_rt_ns, 44 * S / 10);
}

Test(slaac, a_router_gives_an_address_a_subnet_and_a_way_out) {
  struct rig r = ready();
  common(&r, R1, P1, 1800, 7200, 3600);
  const struct addr6 *a = of(&r, P1);
  cr_assert_not_null(a);
  cr_assert_eq(a->origin, ADDR6_SLAAC);
  cr_assert_eq(a->valid_until, r.now + 7200 * S);
  cr_assert_eq(a->preferred_until, r.now + 3600 * S);
  cr_assert_eq(r.n_hops, 2);
  cr_assert(hop_is(&r.hops[0], 64, NULL));
  cr_assert(hop_is(&r.hops[1], 0, R1));
  run_until(&r, r.now + 2 * S);
  cr_assert_eq(of(&r, P1)->state, ADDR6_PREFERRED);
  unsigned events = r.router_events;
  common(&r, R1, P1, 1800, 7200, 3600);
  cr_assert_eq(r.router_events, events, "a repetition is no news");
  cr_assert_not(r.a.routes);
  cr_assert_eq(of(&r, P1)->state, ADDR6_PREFERRED);
}

Test(slaac, everything_ends_in_the_turn_in_which_it_is_over) {
  struct rig r = ready();
  struct raw_ra raw;
  uint64_t t = r.now;
  ra_begin(&raw, 0, 30);
  ra_prefix(&raw, P1, 64, 0xc0, 50, 40);
  ra_server(&raw, "2001:db8::53", 20);
  ra_domain(&raw, "\4corp\0", 6, 10);
  ra_route(&raw, "2001:db8:ff::", 48, 0, 45);
  hear(&r, R1, &raw);
  cr_assert_str_eq(r.resolver, "2001:db8::53 corp ");
  run_until(&r, t + 10 * S - 1);
  cr_assert_str_eq(r.resolver, "2001:db8::53 corp ");
  run_until(&r, t + 10 * S);
  cr_assert_str_eq(r.resolver, "2001:db8::53 ");
  run_until(&r, t + 20 * S);
  cr_assert_str_eq(r.resolver, "");
  cr_assert_eq(r.n_hops, 3);
  run_until(&r, t + 30 * S);
  cr_assert_eq(r.n_hops, 2, "no default route");
  cr_assert_eq(r.m.n_routers, 1, "but still one that gave something");
  run_until(&r, t + 40 * S);
  cr_assert_eq(of(&r, P1)->state, ADDR6_DEPRECATED);
  run_until(&r, t + 45 * S);
  cr_assert_eq(r.n_hops, 1);
  run_until(&r, t + 50 * S);
  cr_assert_null(of(&r, P1));
  cr_assert_eq(r.n_hops, 0);
  cr_assert_eq(r.m.n_routers, 0);
  cr_assert_neq(r.m.solicit_ns, 0, "and another is looked for");
}

Test(slaac, suspended_across_all_of_it) {
  struct rig r = ready();
  common(&r, R1, P1, 30, 50, 40);
  r.now += 100000 * S;
  at(&r, r.now);
  cr_assert_eq(r.n_hops, 0);
  cr_assert_null(of(&r, P1));
}

Test(slaac, for_ever_is_for_ever) {
  struct rig r = ready();
  common(&r, R1, P1, 65535, RA_FOREVER, RA_FOREVER);
  cr_assert_eq(of(&r, P1)->valid_until, SLAAC_FOREVER);
  r.now += UINT64_C(400) * 86400 * S;
  at(&r, r.now);
  cr_assert_not_null(of(&r, P1));
  common(&r, R1, P1, 65535, RA_FOREVER - 1, 1);
  cr_assert_eq(of(&r, P1)->valid_until, r.now + (uint64_t)(RA_FOREVER - 1) * S, "huge, but with an end");
}

/* RFC 4862 5.5.3 e. */
Test(slaac, two_hour_rule) {
  struct rig r = ready();
  common(&r, R1, P1, 1800, 86400, 86400);
  uint64_t end = r.now + 86400 * S;
  common(&r, R1, P1, 1800, 10, 10);
  cr_assert_eq(of(&r, P1)->valid_until, r.now + 7200 * S, "not sooner than in two hours");
  cr_assert_eq(of(&r, P1)->preferred_until, r.now + 10 * S, "but deprecated when it says so");
  end = r.now + 7200 * S;
  run_until(&r, r.now + 3600 * S);
  common(&r, R1, P1, 1800, 10, 0);
  cr_assert_eq(of(&r, P1)->valid_until, end, "less than two hours are left: it stays");
  cr_assert_eq(of(&r, P1)->state, ADDR6_DEPRECATED);
  common(&r, R1, P1, 1800, 0, 0);
  cr_assert_eq(of(&r, P1)->valid_until, end, "zero is no exception");
  common(&r, R1, P1, 1800, 3700, 3700);
  cr_assert_eq(of(&r, P1)->valid_until, r.now + 3700 * S, "longer than what is left");
  common(&r, R1, P1, 1800, 7201, 0);
  cr_assert_eq(of(&r, P1)->valid_until, r.now + 7201 * S, "more than two hours");
}

Test(slaac, lifetime_zero) {
  struct rig r = ready();
  common(&r, R1, P1, 1800, 7200, 7200);
  common(&r, R1, P1, 0, 7200, 7200);
  cr_assert_eq(r.n_hops, 1, "no default router any more, at once");
  cr_assert(hop_is(&r.hops[0], 64, NULL));
  cr_assert(r.m.solicit_ns > r.now && r.m.solicit_ns <= r.now + S, "another is looked for, not by all hosts in one instant");
  struct raw_ra raw;
  ra_begin(&raw, 0, 0);
  ra_prefix(&raw, P1, 64, 0x80, 0, 0);
  hear(&r, R1, &raw);
  cr_assert_eq(r.n_hops, 0, "not on link, at once");
  cr_assert_not_null(of(&r, P1), "the address has two hours");
  cr_assert_eq(r.m.n_routers, 0);
  common(&r, R2, P2, 0, 0, 0);
  cr_assert_null(of(&r, P2));
  cr_assert_eq(r.m.n_routers, 0, "what was never given cannot be taken back");
}

Test(slaac, several_routers_by_preference) {
  struct rig r = ready();
  struct raw_ra raw;
  static const struct { const char *from; uint8_t flags; } all[] = {{"fe80::a", 0x18}, {"fe80::b", 0}, {"fe80::c", 0x08}};
  for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
    ra_begin(&raw, all[i].flags, 1800);
    hear(&r, all[i].from, &raw);
  }
  cr_assert_eq(r.n_hops, 3);
  cr_assert(hop_is(&r.hops[0], 0, "fe80::c") && hop_is(&r.hops[1], 0, "fe80::b") && hop_is(&r.hops[2], 0, "fe80::a"));
  ra_begin(&raw, 0x08, 1800);
  hear(&r, "fe80::a", &raw);
  cr_assert(hop_is(&r.hops[0], 0, "fe80::a") || hop_is(&r.hops[1], 0, "fe80::a"));
  cr_assert(hop_is(&r.hops[2], 0, "fe80::b"));
}

Test(slaac, more_routers_than_there_is_room_for) {
  struct rig r = ready();
  struct raw_ra raw;
  char from[32];
  for (int i = 0; i < SLAAC_ROUTERS_MAX; i++) {
    snprintf(from, sizeof(from), "fe80::%x", i + 1);
    common(&r, from, P1, i == 2 ? 0 : 1800, 7200, 7200);
  }
  uint64_t ignored = r.m.ignored;
  common(&r, "fe80::77", P2, 0, 7200, 7200);
  cr_assert_eq(r.m.ignored, ignored + 1);
  cr_assert_null(of(&r, P2), "nothing of it is taken");
  common(&r, "fe80::88", P1, 1800, 7200, 7200);
  cr_assert_eq(r.n_hops, 1 + 4, "in place of the one that only informed");
  common(&r, "fe80::99", P1, 1800, 7200, 7200);
  cr_assert_eq(r.m.ignored, ignored + 2, "equals are not pushed out");
  ra_begin(&raw, 0x08, 1800);
  hear(&r, "fe80::aa", &raw);
  cr_assert(hop_is(&r.hops[1], 0, "fe80::aa"), "a better one is let in");
  cr_assert_eq(r.m.n_routers, SLAAC_ROUTERS_MAX);
}

Test(slaac, routes_more_specific) {
  struct rig r = ready();
  struct raw_ra raw;
  ra_begin(&raw, 0, 0);
  ra_route(&raw, "2001:db8:a::", 48, 0x18, 600);
  ra_route(&raw, "2001:db8:b::", 48, 0x08, 600);
  hear(&r, R1, &raw);
  cr_assert_eq(r.n_hops, 2);
  cr_assert_eq(r.hops[0].dst.addr.b[5], 0x0b);
  ra_begin(&raw, 0, 0);
  ra_route(&raw, "2001:db8:b::", 48, 0x08, 0);
  ra_route(&raw, "2001:db8:a::", 48, 0x18, 600);
  hear(&r, R1, &raw);
  cr_assert_eq(r.n_hops, 1, "withdrawn");
  ra_begin(&raw, 0x08, 1800);
  ra_route(&raw, "::", 0, 0x18, 60);
  hear(&r, R1, &raw);
  cr_assert_eq(r.m.routers[0].preference, -1, "RFC 4191 3.1: ::/0 says it of the default router");
  cr_assert_eq(r.m.routers[0].default_until, r.now + 60 * S);
  ra_begin(&raw, 0, 0);
  ra_route(&raw, "fe80::", 64, 0, 600);
  ra_route(&raw, "ff00::", 8, 0, 600);
  hear(&r, R2, &raw);
  cr_assert_eq(r.m.left_out, 2);
}

Test(slaac, prefixes_that_give_no_address) {
  struct rig r = ready();
  struct raw_ra raw;
  unsigned before = r.t.n;
  ra_begin(&raw, 0, 1800);
  ra_prefix(&raw, "fe80::", 64, 0xc0, 600, 600);          /* 5.5.3 b */
  ra_prefix(&raw, P1, 64, 0x40, 600, 601);                /* c */
  ra_prefix(&raw, "2001:db8:3::", 63, 0x40, 600, 600);    /* d */
  ra_prefix(&raw, "2001:db8:4::", 64, 0x40, 0, 0);
  ra_prefix(&raw, "ff02::", 64, 0xc0, 600, 600);
  ra_prefix(&raw, "::", 64, 0xc0, 600, 600);
  ra_prefix(&raw, "::", 0, 0x80, 600, 600);
  ra_prefix(&raw, "2001:db8:5::", 64, 0, 600, 600);       /* for nothing */
  hear(&r, R1, &raw);
  cr_assert_eq(r.t.n, before);
  cr_assert_eq(r.m.n_prefixes, 0);
  cr_assert_eq(r.n_hops, 1);
  ra_begin(&raw, 0, 1800);
  ra_prefix(&raw, "2001:db8:3::", 56, 0xc0, 600, 600);
  hear(&r, R1, &raw);
  cr_assert(hop_is(&r.hops[0], 56, NULL), "on link all the same");
  ra_begin(&raw, 0, 1800);
  ra_prefix(&raw, P1, 64, 0x40, 600, 600);
  hear(&r, R1, &raw);
  cr_assert_not_null(of(&r, P1));
  cr_assert_eq(r.n_hops, 2, "an address without a subnet on link");
  common(&r, R1, P1, 1800, 600, 600);
  cr_assert_eq(r.n_hops, 3);
  hear(&r, R1, &raw);
  cr_assert_eq(r.n_hops, 3, "RFC 4861 6.3.4: without the flag nothing is said of what is on link");
}

Test(slaac, a_flood_is_bounded_and_changes_nothing_that_is_in_force) {
  struct rig r = ready();
  common(&r, R1, P1, 1800, 7200, 7200);
  run_until(&r, r.now + 3 * S);
  for (int i = 0; i < 500; i++) {
    struct raw_ra raw;
    char text[64];
    ra_begin(&raw, 0, (uint16_t)lcg(NULL));
    for (int k = 0; k < 20; k++) {
      snprintf(text, sizeof(text), "2001:db8:%x:%x::", i + 100, k);
      ra_prefix(&raw, text, 64, 0xc0, RA_FOREVER, RA_FOREVER);
    }
    for (int k = 0; k < 10; k++) {
      snprintf(text, sizeof(text), "2001:db8:%x::%x", i, k + 1);
      ra_server(&raw, text, RA_FOREVER);
    }
    snprintf(text, sizeof(text), "fe80::%x", i + 50);
    hear(&r, text, &raw);
  }
  cr_assert_not_null(of(&r, P1));
  cr_assert_eq(of(&r, P1)->state, ADDR6_PREFERRED);
  cr_assert_leq(r.t.n, 1 + SLAAC_ADDRESSES_MAX);
  bool there = false;
  for (unsigned i = 0; i < r.n_hops; i++)
    there = there || hop_is(&r.hops[i], 0, R1);
  cr_assert(there);
  cr_assert_gt(r.m.ignored, 400);
}

Test(slaac, resolvers_of_two_routers) {
  struct rig r = ready();
  struct raw_ra raw;
  ra_begin(&raw, 0, 1800);
  ra_server(&raw, "2001:db8::1", 600);
  ra_server(&raw, "2001:db8::2", 600);
  hear(&r, R1, &raw);
  ra_begin(&raw, 0, 1800);
  ra_server(&raw, "2001:db8::3", 600);
  ra_server(&raw, "2001:db8::1", 30);
  hear(&r, R2, &raw);
  cr_assert_str_eq(r.resolver, "2001:db8::1 2001:db8::2 2001:db8::3 ");
  ra_begin(&raw, 0, 1800);
  ra_server(&raw, "2001:db8::2", 0);
  hear(&r, R1, &raw);
  cr_assert_str_eq(r.resolver, "2001:db8::1 2001:db8::3 ", "withdrawn, in order");
  run_until(&r, r.now + 30 * S);
  cr_assert_str_eq(r.resolver, "2001:db8::3 ", "as the last one said");
}

Test(slaac, parameters_of_the_link) {
  struct rig r = ready();
  struct raw_ra raw;
  ra_begin(&raw, 0, 1800);
  ra_mtu(&raw, 1400);
  ra_u32(raw.b + 8, 20000);
  ra_u32(raw.b + 12, 500);
  hear(&r, R1, &raw);
  cr_assert(r.m.mtu == 1400 && r.m.reachable_ms == 20000 && r.m.retrans_ms == 500 && r.m.hop_limit == 64);
  ra_begin(&raw, 0, 1800);
  raw.b[4] = 0;
  ra_mtu(&raw, 9000);
  ra_u32(raw.b + 8, UINT32_MAX);
  ra_u32(raw.b + 12, UINT32_MAX);
  uint64_t before = r.m.left_out;
  hear(&r, R1, &raw);
  cr_assert_eq(r.m.left_out, before + 3, "the MTU and both times");
  cr_assert(r.m.mtu == 1400 && r.m.reachable_ms == 20000 && r.m.retrans_ms == 500 && r.m.hop_limit == 64,
            "nonsense and silence change nothing");
  ra_begin(&raw, 0, 1800);
  ra_u32(raw.b + 12, 1);
  hear(&r, R1, &raw);
  cr_assert_eq(r.m.retrans_ms, 500, "too short to detect anything");
}

Test(slaac, flags_start_dhcpv6) {
  struct rig r = ready();
  struct raw_ra raw;
  ra_begin(&raw, 0, 1800);
  hear(&r, R1, &raw);
  cr_assert_eq(r.dhcp, SLAAC_DHCP_NONE);
  ra_begin(&raw, 0x40, 1800);
  hear(&r, R1, &raw);
  cr_assert_eq(r.dhcp, SLAAC_DHCP_INFORMATION);
  ra_begin(&raw, 0xc0, 1800);
  hear(&r, R2, &raw);
  cr_assert_eq(r.dhcp, SLAAC_DHCP_ADDRESSES);
  ra_begin(&raw, 0, 1800);
  hear(&r, R2, &raw);
  cr_assert_eq(r.dhcp, SLAAC_DHCP_ADDRESSES, "RFC 4862 5.5.2's successors: what runs is not stopped");
  link_to(&r, false);
  link_to(&r, true);
  cr_assert_eq(r.dhcp, SLAAC_DHCP_NONE, "another link, another answer");
}

Test(slaac, duplicates_are_replaced_a_few_times) {
  struct rig r = ready();
  r.duplicates_left = 2;
  common(&r, R1, P1, 1800, 7200, 7200);
  struct net_addr first = of(&r, P1)->addr;
  run_until(&r, r.now + 20 * S);
  cr_assert_eq(r.duplicates_left, 0);
  cr_assert_eq(of(&r, P1)->state, ADDR6_PREFERRED);
  cr_assert_not(net_addr_equal(&first, &of(&r, P1)->addr));

  struct rig given_up = ready();
  given_up.duplicates_left = 100;
  common(&given_up, R1, P1, 1800, 7200, 7200);
  run_until(&given_up, given_up.now + 100 * S);
  cr_assert_eq(given_up.duplicates_left, 100 - 1 - IID_RETRIES);
  cr_assert_eq(of(&given_up, P1)->state, ADDR6_DUPLICATE);
  given_up.duplicates_left = 0;
  link_to(&given_up, false);
  link_to(&given_up, true);
  run_until(&given_up, given_up.now + 5 * S);
  cr_assert_eq(of(&given_up, P1)->state, ADDR6_PREFERRED, "tried again when the link is back");
}

Test(slaac, without_a_link_local_address_no_router_is_asked) {
  struct rig r = rig_new(true);
  r.duplicates_left = 100;
  start(&r);
  run_until(&r, r.now + 100 * S);
  cr_assert_eq(r.duplicates_left, 100 - 1 - IID_RETRIES);
  cr_assert_eq(r.solicits, 0);
  cr_assert_eq(of(&r, "fe80::")->state, ADDR6_DUPLICATE);
}

Test(slaac, who_may_advertise) {
  struct rig r = ready();
  common(&r, "2001:db8::1", P1, 1800, 600, 600);
  cr_assert_eq(r.m.n_routers, 0, "not from a global address");
  link_to(&r, false);
  common(&r, R1, P1, 1800, 600, 600);
  cr_assert_eq(r.m.n_routers, 0, "not without a link");
}

Test(slaac, only_a_link_local_address_is_wanted) {
  struct rig r = rig_new(true);
  r.m.cfg.listen = false;
  start(&r);
  run_until(&r, r.now + 100 * S);
  cr_assert_eq(r.solicits, 0);
  common(&r, R1, P1, 1800, 600, 600);
  cr_assert_eq(r.t.n, 1);
}

Test(slaac, the_same_network_after_the_link_was_away) {
  struct rig r = ready();
  common(&r, R1, P1, 1800, 7200, 7200);
  run_until(&r, r.now + 3 * S);
  unsigned solicits = r.solicits;
  link_to(&r, false);
  cr_assert_eq(of(&r, P1)->state, ADDR6_PREFERRED);
  r.now += 60 * S;
  link_to(&r, true);
  cr_assert_eq(of(&r, P1)->state, ADDR6_TENTATIVE);
  run_until(&r, r.now + 3 * S);
  cr_assert_gt(r.solicits, solicits, "the router is asked anew");
  common(&r, R1, P1, 1800, 7200, 7200);
  run_until(&r, r.now + 60 * S);
  cr_assert_eq(of(&r, P1)->state, ADDR6_PREFERRED);
  cr_assert_eq(r.n_hops, 2);
}

Test(slaac, another_network_after_the_link_was_away) {
  struct rig r = ready();
  struct raw_ra raw;
  ra_begin(&raw, 0, 1800);
  ra_prefix(&raw, P1, 64, 0xc0, 7200, 7200);
  ra_server(&raw, "2001:db8::53", 7200);
  hear(&r, R1, &raw);
  run_until(&r, r.now + 3 * S);
  link_to(&r, false);
  link_to(&r, true);
  run_until(&r, r.now + 3 * S);
  common(&r, R2, P2, 1800, 7200, 7200);
  run_until(&r, r.now + 20 * S);
  cr_assert_str_eq(r.resolver, "", "the old resolver is gone");
  cr_assert_eq(r.n_hops, 2);
  cr_assert(hop_is(&r.hops[1], 0, R2), "and the old router");
  cr_assert_eq(of(&r, P1)->state, ADDR6_DEPRECATED, "the old address is used by what has it, and by nothing new");
  cr_assert_eq(of(&r, P2)->state, ADDR6_PREFERRED);
}

Test(slaac, nobody_answers_after_the_link_was_away) {
  struct rig r = ready();
  common(&r, R1, P1, 1800, 7200, 7200);
  link_to(&r, false);
  link_to(&r, true);
  run_until(&r, r.now + 100 * S);
  cr_assert_eq(r.n_hops, 2, "silence proves nothing: lifetimes go on");
  cr_assert_eq(of(&r, P1)->state, ADDR6_PREFERRED);
}

Test(slaac, renumbering) {
  struct rig r = ready();
  struct raw_ra raw;
  common(&r, R1, P1, 1800, 86400, 86400);
  run_until(&r, r.now + 3 * S);
  ra_begin(&raw, 0, 1800);
  ra_prefix(&raw, P1, 64, 0xc0, 7201, 0);
  ra_prefix(&raw, P2, 64, 0xc0, 86400, 86400);
  hear(&r, R1, &raw);
  cr_assert_eq(of(&r, P1)->state, ADDR6_DEPRECATED);
  run_until(&r, r.now + 3 * S);
  cr_assert_eq(of(&r, P2)->state, ADDR6_PREFERRED);
  run_until(&r, r.now + 7201 * S);
  cr_assert_null(of(&r, P1));
}

Test(slaac, stop_takes_all_away) {
  struct rig r = ready();
  struct raw_ra raw;
  ra_begin(&raw, 0xc0, 1800);
  ra_prefix(&raw, P1, 64, 0xc0, 600, 600);
  ra_server(&raw, "2001:db8::1", 600);
  hear(&r, R1, &raw);
  slaac_stop(&r.m, "IPv6 is off", r.now, &r.a);
  check(&r);
  cr_assert_eq(r.t.n, 0);
  cr_assert_eq(r.n_hops, 0);
  cr_assert_str_eq(r.resolver, "");
  start(&r);
  cr_assert_eq(r.t.n, 1);
}

static uint32_t some_lifetime(void) {
  static const uint32_t all[] = {0, 0, 1, 5, 30, 600, 7200, 7201, 86400, RA_FOREVER - 1, RA_FOREVER};
  return all[lcg(NULL) % ARRAY_SIZE(all)];
}

static void random_advertisement(struct rig *r) {
  static const uint8_t flags[] = {0, 0x08, 0x18, 0x10, 0x40, 0x80};
  struct raw_ra raw;
  char text[64], from[32];
  ra_begin(&raw, flags[lcg(NULL) % ARRAY_SIZE(flags)], (uint16_t)some_lifetime());
  for (uint32_t i = lcg(NULL) % 4; i > 0; i--) {
    snprintf(text, sizeof(text), "2001:db8:%x::", lcg(NULL) % 24);
    ra_prefix(&raw, text, lcg(NULL) % 8 ? 64 : (uint8_t)(lcg(NULL) % 129), (uint8_t)lcg(NULL), some_lifetime(), some_lifetime());
  }
  for (uint32_t i = lcg(NULL) % 3; i > 0; i--) {
    snprintf(text, sizeof(text), "2001:db8::%x", lcg(NULL) % 12);
    ra_server(&raw, text, some_lifetime());
    snprintf(text, sizeof(text), "2001:db8:%x::", 0x100 + lcg(NULL) % 20);
    ra_route(&raw, text, 48, (uint8_t)(lcg(NULL) & 0x18), some_lifetime());
    char wire[8] = {2, 'n', (char)('a' + lcg(NULL) % 20), 0};
    ra_domain(&raw, wire, 4, some_lifetime());
  }
  if (lcg(NULL) % 4 == 0)
    ra_mtu(&raw, lcg(NULL) % 2000);
  if (lcg(NULL) % 10 == 0)
    ra_route(&raw, "::", 0, 0x08, some_lifetime());
  snprintf(from, sizeof(from), "fe80::%x", 1 + lcg(NULL) % 7);
  hear(r, from, &raw);
}

static void random_event(struct rig *r) {
  uint32_t what = lcg(NULL) % 100;
  r->now += lcg(NULL) % 4 == 0 ? lcg(NULL) % (20 * S) : lcg(NULL) % MS;
  if (next(r) != 0 && r->now > next(r) && lcg(NULL) % 2)
    r->now = next(r);
  if (what < 40) {
    random_advertisement(r);
  } else if (what < 85) {
    at(r, next(r) != 0 && lcg(NULL) % 2 ? MAX(next(r), r->now) : r->now);
  } else if (what < 92) {
    link_to(r, lcg(NULL) % 3 != 0);
  } else if (what < 95) {
    r->duplicates_left = lcg(NULL) % 6;
    r->refusals_left = lcg(NULL) % 3;
    slaac_set_mtu(&r->m, 1280 + lcg(NULL) % 1000);
  } else if (what < 97) {
    slaac_stop(&r->m, "IPv6 is off", r->now, &r->a);
    check(r);
  } else {
    start(r);
  }
}

Test(slaac, random_histories, .timeout = 120) {
  unsigned addresses = 0, given_up = 0, routers = 0, refused = 0;
  for (uint64_t seed = 1; seed <= 2000; seed++) {
    struct rig r = rig_new(seed % 5 != 0);
    lcg_state = seed;
    start(&r);
    for (int i = 0; i < 120; i++) {
      random_event(&r);
      routers += r.m.n_routers;
      for (unsigned k = 0; k < r.t.n; k++) {
        addresses += r.t.a[k].state == ADDR6_PREFERRED && r.t.a[k].origin == ADDR6_SLAAC;
        given_up += r.t.a[k].state == ADDR6_DUPLICATE;
        refused += r.t.a[k].state == ADDR6_REFUSED;
      }
    }
  }
  cr_assert(addresses > 10000 && given_up > 100 && routers > 10000 && refused > 100, "%u %u %u %u", addresses, given_up,
            routers, refused);
}
