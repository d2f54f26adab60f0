/* SPDX-License-Identifier: BSD-3-Clause
 * The SLAAC machine: what ends solicitations, the MTU, addresses that the stack refuses or another origin has.
 */
#include "slaac_settle.h"

/* RFC 4191 3.1: such an option says what the header says of others, the good and the bad. */
Test(slaac_ways, a_default_route_in_an_option_ends_solicitations) {
  struct rig r = ready();
  struct raw_ra raw;
  ra_begin(&raw, 0, 1800);
  ra_route(&raw, "::", 0, 0, 0);
  hear(&r, R1, &raw);
  cr_assert_neq(r.m.solicit_ns, 0, "the option takes the header's word back");
  ra_begin(&raw, 0, 0);
  ra_route(&raw, "::", 0, 0, 600);
  hear(&r, R1, &raw);
  cr_assert_eq(r.n_hops, 1);
  cr_assert(hop_is(&r.hops[0], 0, R1));
  cr_assert_eq(r.m.solicit_ns, 0);
  unsigned before = r.solicits;
  run_until(&r, r.now + 599 * S);
  cr_assert_eq(r.solicits, before);
  run_until(&r, r.now + 2 * S); /* its end, and a random part of a second */
  cr_assert_eq(r.solicits, before + 1, "and then another is looked for");
}

/* After the link was away a router is asked for, although one is still known. */
Test(slaac_ways, what_is_not_taken_ends_no_solicitations) {
  struct rig r = ready();
  struct raw_ra raw;
  struct ra_message m;
  struct net_addr global = ra_addr("2001:db8::1");
  common(&r, R1, P1, 1800, 600, 600);
  link_to(&r, false);
  link_to(&r, true);
  run_until(&r, r.now + 3 * S);
  cr_assert_neq(r.m.solicit_ns, 0);
  ra_begin(&raw, 0, 1800);
  cr_assert_eq(ra_decode(raw.b, raw.len, &m), 0);
  slaac_receive(&r.m, &global, &m, r.now, &r.a);
  check(&r);
  cr_assert_neq(r.m.solicit_ns, 0, "no router speaks from there");
  hear(&r, R1, &raw);
  cr_assert_eq(r.m.solicit_ns, 0);
}

Test(slaac_ways, the_mtu_is_judged_by_the_device_of_now) {
  struct rig r = ready();
  struct raw_ra raw;
  ra_begin(&raw, 0, 1800);
  ra_mtu(&raw, 9000);
  hear(&r, R1, &raw);
  cr_assert_eq(r.m.mtu, 0, "more than the device takes");
  slaac_set_mtu(&r.m, 9000);
  hear(&r, R1, &raw);
  cr_assert_eq(r.m.mtu, 9000);
  slaac_set_mtu(&r.m, 1400);
  ra_begin(&raw, 0, 1800);
  ra_mtu(&raw, 1500);
  hear(&r, R1, &raw);
  cr_assert_eq(r.m.mtu, 9000, "left out; the smaller of this and the device's counts");
  cr_assert_eq(r.m.left_out, 2);
}

Test(slaac_ways, an_address_that_is_refused_for_a_while) {
  struct rig r = rig_new(true);
  r.refusals_left = 3;
  start(&r);
  run_until(&r, r.now + 1 * S);
  cr_assert_eq(of(&r, "fe80::")->state, ADDR6_REFUSED);
  cr_assert_eq(r.solicits, 0);
  run_until(&r, r.now + 9 * S);
  cr_assert_eq(of(&r, "fe80::")->state, ADDR6_PREFERRED);
  cr_assert_eq(r.solicits, 1);
  cr_assert_eq(r.m.dad_counter, 0, "nobody else has it");
}

Test(slaac_ways, an_address_that_another_gave_up_is_given_again) {
  struct rig r = ready();
  struct addrs6_actions acts;
  common(&r, R1, P1, 1800, 600, 500);
  run_until(&r, r.now + 3 * S);
  struct addr6 mine[2] = {*of(&r, "fe80::"), *of(&r, P1)};
  for (unsigned i = 0; i < 2; i++) {
    struct addr6 e = {.addr = mine[i].addr, .prefix_len = 64, .origin = ADDR6_STATIC,
                      .preferred_until = ADDRS6_FOREVER, .valid_until = ADDRS6_FOREVER};
    cr_assert_eq(addrs6_set(&r.t, &e, false, r.now, &acts), 0);
    pump_addrs(&r, &acts);
    cr_assert_eq(addrs6_remove(&r.t, &e.addr, ADDR6_STATIC, "not configured", r.now, &acts), 0);
    pump_addrs(&r, &acts);
    slaac_again(&r.m, &e.addr, r.now, &r.a);
    check(&r);
    cr_assert_not_null(addrs6_find(&r.t, &e.addr));
    cr_assert_eq(addrs6_find(&r.t, &e.addr)->origin, mine[i].origin);
    cr_assert_eq(addrs6_find(&r.t, &e.addr)->valid_until, mine[i].valid_until);
  }
  slaac_again(&r.m, &(struct net_addr){.family = AF_INET6, .b = {0x20, 1}}, r.now, &r.a);
  cr_assert_eq(r.a.n, 0, "not one of ours");
}
