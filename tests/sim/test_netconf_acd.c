/* SPDX-License-Identifier: BSD-3-Clause
 * Conflicts on the real stack: an address that another host has is not used, one that another host takes is defended and
 * then given up, and what is bound to it ends.
 */
#include "netconf_rig.h"

#include "../unit/stack_end.h"

static void setup_acd(void) {
  setup();
  config.conflict_detection = NETCONF_ACD_RFC;
}
TestSuite(netconf_acd, .init = setup_acd, .fini = teardown, .timeout = 30);

static struct netconf_address addresses[8];
static unsigned n_addresses;
static void on_address(void *arg _unused_, const struct netconf_address *a) { addresses[n_addresses++] = *a; }
static const struct netconf_address *address(const char *origin, const char *state) {
  n_addresses = 0;
  netconf_each_address(nc, on_address, NULL);
  for (unsigned i = 0; i < n_addresses; i++)
    if (strcmp(addresses[i].origin, origin) == 0 && strcmp(addresses[i].state, state) == 0)
      return &addresses[i];
  return NULL;
}

Test(netconf_acd, lease_is_not_waited_for) {
  begin(NETCONF_DHCP);
  cr_expect(stack_has(0));
  cr_expect(netconf_settled(nc));
}

Test(netconf_acd, lease_is_probed_then_announced) {
  begin(NETCONF_DHCP);
  cr_expect(stack_has(0));
  cr_expect_str_eq(lease().state, "probing");
  cr_expect_str_eq(lease().next, "use");
  cr_expect_not(lease().in_force);
  cr_expect_not_null(address("dhcp", "tentative"));
  uint64_t use = lease().next_ns;
  cr_expect(use > now() + 3 * SEC && use < now() + 7 * SEC);
  run(&net, use - now() - 1);
  cr_expect(stack_has(0), "not a moment early");
  cr_expect_eq(probes, 3);
  cr_expect_eq(announcements, 0);
  run(&net, 1);
  cr_expect(stack_has(ADDR));
  run(&net, 10 * SEC);
  cr_expect_eq(announcements, 2, "ANNOUNCE_NUM: the stack's own, and one more");
  cr_expect_eq(probes, 3);
}

Test(netconf_acd, fast) {
  config.conflict_detection = NETCONF_ACD_FAST;
  begin(NETCONF_DHCP);
  run(&net, 650 * MS);
  cr_expect(stack_has(ADDR));
  cr_expect_eq(probes, 3);
}

Test(netconf_acd, conflict_then_decline_then_a_new_address) {
  taken = ADDR;
  begin(NETCONF_DHCP);
  run(&net, 2 * SEC);
  cr_expect(stack_has(0));
  cr_expect_eq(srv.seen[DHCP4_DECLINE], 1);
  cr_expect_eq(net_addr_is_unspecified(&srv.from.addr), true, "from no address");
  cr_expect_eq(told.duplicate, 1);
  cr_expect_str_eq(told.state, "init");
  cr_expect_str_eq(lease().next, "retry");
  cr_expect_not_null(strstr(told.all, "02:00:00:00:00:99 has the address"));
  run(&net, 20 * SEC);
  cr_expect(stack_has(ADDR + 1));
  cr_expect_eq(told.address, 1, "the first was never in force");
}

Test(netconf_acd, renewal_is_not_probed) {
  begin(NETCONF_DHCP);
  run(&net, 10 * SEC);
  open_user();
  run(&net, 4 * 1800 * SEC);
  cr_expect_eq(probes, 3);
  cr_expect_eq(user_ended, 0);
  user = stack_udp_close(user);
}

Test(netconf_acd, lease_defended_then_declined) {
  begin(NETCONF_DHCP);
  run(&net, 10 * SEC);
  open_user();
  unsigned before = announcements;
  claim(ADDR);
  run(&net, SEC);
  cr_expect(stack_has(ADDR), "once may be a mistake");
  cr_expect_eq(told.defended, 1);
  cr_expect_eq(announcements, before + 1);
  cr_expect_eq(user_ended, 0);
  claim(ADDR);
  run(&net, 1);
  cr_expect(stack_has(0));
  cr_expect_eq(user_ended, 1);
  cr_expect_eq(srv.seen[DHCP4_DECLINE], 1);
  cr_expect_eq(told.resolv.n_servers, 1, "nothing of the lease is left");
  run(&net, 30 * SEC);
  cr_expect(stack_has(ADDR + 1));
  user = stack_udp_close(user);
}

Test(netconf_acd, who_is_connected_is_told_when_the_address_is_given_up) {
  struct end here = {0}, there = {0};
  begin(NETCONF_DHCP);
  run(&net, 10 * SEC);
  net.addr_a = net_addr_v4(ADDR);
  end_pair(&net, &here, &there);
  claim(ADDR);
  run(&net, SEC);
  cr_expect_eq(here.ended + there.ended, 0);
  claim(ADDR);
  run(&net, SEC);
  cr_expect(stack_has(0));
  cr_expect_eq(here.why, STACK_END_ADDRESS_LOST);
  cr_expect_eq(there.why, STACK_END_RESET_BY_PEER, "RFC 5227 2.4: a connection is not to go on with the other host");
  end_close(&here);
  end_close(&there);
}

/* Free while it is probed, claimed as soon as it is in use: a server that gives such addresses for ever must not make us
 * flood the link. */
Test(netconf_acd, addresses_lost_in_use_slow_down_too) {
  begin(NETCONF_DHCP);
  unsigned lost = 0;
  uint64_t begun = now(), tenth = 0;
  while (now() - begun < 1500 * SEC) {
    run(&net, SEC);
    struct netconf_lease l = lease();
    if (l.in_force)
      claim(net_addr_to_v4(&l.addr));
    if (srv.seen[DHCP4_DECLINE] == lost)
      continue;
    lost = srv.seen[DHCP4_DECLINE];
    if (lost == 10)
      tenth = now();
  }
  cr_expect_neq(tenth, 0);
  cr_expect_leq(lost - 10, (now() - tenth) / (60 * SEC) + 1, "RATE_LIMIT_INTERVAL after MAX_CONFLICTS");
}

Test(netconf_acd, fixed_is_probed) {
  begin(NETCONF_STATIC);
  cr_expect(stack_has(0));
  cr_expect_not_null(address("static", "tentative"));
  cr_expect_not(netconf_settled(nc));
  run(&net, 7 * SEC);
  cr_expect(stack_has(ADDR));
  cr_expect(netconf_settled(nc));
  cr_expect_not_null(address("static", "preferred"));
  cr_expect_eq(probes, 3);
}

Test(netconf_acd, fixed_that_somebody_has) {
  taken = ADDR;
  begin(NETCONF_STATIC);
  cr_expect_not(netconf_settled(nc));
  netconf_link(nc, false);
  cr_expect(netconf_settled(nc), "it cannot be tried");
  netconf_link(nc, true);
  run(&net, 5 * SEC);
  cr_expect(stack_has(0));
  cr_expect(netconf_settled(nc), "tried, and that is what there is to know");
  const struct netconf_address *a = address("static", "duplicate");
  cr_assert_not_null(a);
  cr_expect_str_eq(a->why, "02:00:00:00:00:99 has the address");
  run(&net, 120 * SEC);
  cr_expect(stack_has(0));
  cr_expect_geq(told.duplicate, 2, "tried again each minute");
  taken = 0;
  run(&net, 70 * SEC);
  cr_expect(stack_has(ADDR), "free at last");
}

Test(netconf_acd, fixed_given_up_in_use) {
  begin(NETCONF_STATIC);
  run(&net, 10 * SEC);
  open_user();
  claim(ADDR);
  run(&net, SEC);
  cr_expect_eq(told.defended, 1);
  claim(ADDR);
  run(&net, 1);
  cr_expect(stack_has(0));
  cr_expect_eq(user_ended, 1);
  cr_assert_not_null(address("static", "duplicate"));
  run(&net, 70 * SEC);
  cr_expect(stack_has(ADDR), "the other is gone");
  user = stack_udp_close(user);
}

Test(netconf_acd, fixed_kept) {
  config.conflict_keep = true;
  begin(NETCONF_STATIC);
  run(&net, 10 * SEC);
  for (int i = 0; i < 30; i++) {
    claim(ADDR);
    run(&net, SEC);
  }
  cr_expect(stack_has(ADDR));
  cr_expect_eq(told.defended, 3, "once in ten seconds");
}

Test(netconf_acd, fixed_takes_over_without_a_gap) {
  begin(NETCONF_DHCP);
  run(&net, 10 * SEC);
  struct netconf_static s = {net_addr_v4(ADDR + 7), 24, net_addr_v4(SERVER)};
  cr_assert_eq(netconf_set_static(nc, &s, NULL), 0);
  run(&net, SEC);
  cr_expect(stack_has(ADDR), "in force while the other is probed");
  cr_expect_not_null(address("static", "tentative"));
  run(&net, 7 * SEC);
  cr_expect(stack_has(ADDR + 7));
  cr_expect_not_null(address("dhcp", "standby"));
  cr_expect_str_eq(address("dhcp", "standby")->why, "a static address is in force");
  cr_expect_str_eq(lease().state, "standby");
}

Test(netconf_acd, fixed_refused_and_the_lease_goes_on) {
  begin(NETCONF_DHCP);
  run(&net, 10 * SEC);
  taken = ADDR + 7;
  struct netconf_static s = {net_addr_v4(ADDR + 7), 24, net_addr_v4(SERVER)};
  cr_assert_eq(netconf_set_static(nc, &s, NULL), 0);
  run(&net, 7200 * SEC);
  cr_expect(stack_has(ADDR), "renewed, too");
  cr_expect_geq(told.duplicate, 100, "tried again each minute");
  cr_expect_null(address("static", "preferred"));
  cr_expect_not_null(address("dhcp", "preferred"));
  cr_assert_eq(netconf_use_dhcp(nc), 0);
  cr_expect(stack_has(ADDR), "it was there all the time");
  cr_expect_null(address("static", "duplicate"));
}

Test(netconf_acd, link_returns_to_a_network_where_the_address_is_taken) {
  begin(NETCONF_STATIC);
  run(&net, 10 * SEC);
  netconf_link(nc, false);
  taken = ADDR;
  netconf_link(nc, true);
  cr_expect(stack_has(ADDR), "in force until somebody speaks up");
  run(&net, 5 * SEC);
  cr_expect(stack_has(0));
  cr_expect_not_null(address("static", "duplicate"));
}

/* The configured address, which somebody has, is tried again when the link is back; that is no reason not to look whether
 * the lease is still ours. */
Test(netconf_acd, link_returns_while_the_configured_address_is_refused) {
  begin(NETCONF_DHCP);
  run(&net, 10 * SEC);
  open_user();
  taken = ADDR + 7;
  struct netconf_static s = {net_addr_v4(ADDR + 7), 24, net_addr_v4(SERVER)};
  cr_assert_eq(netconf_set_static(nc, &s, NULL), 0);
  run(&net, 10 * SEC);
  cr_assert_not_null(address("static", "duplicate"));
  netconf_link(nc, false);
  taken = ADDR;
  netconf_link(nc, true);
  cr_expect(stack_has(ADDR), "in force until somebody speaks up");
  cr_expect_not_null(address("static", "tentative"));
  run(&net, 2 * SEC);
  cr_expect(stack_has(0));
  cr_expect_eq(user_ended, 1);
  cr_expect_eq(srv.seen[DHCP4_DECLINE], 1);
  run(&net, 6 * SEC);
  cr_expect(stack_has(ADDR + 7), "and that one is free by now");
  user = stack_udp_close(user);
}

/* A new lease and the configured address are probed side by side. */
Test(netconf_acd, lease_is_probed_while_the_configured_address_is) {
  srv.lease_s = 60;
  begin(NETCONF_DHCP);
  run(&net, 10 * SEC);
  taken = ADDR + 7;
  struct netconf_static s = {net_addr_v4(ADDR + 7), 24, net_addr_v4(SERVER)};
  cr_assert_eq(netconf_set_static(nc, &s, NULL), 0);
  srv.silent = true;
  run(&net, 120 * SEC); /* fewer conflicts than slow the next probing down */
  cr_assert(stack_has(0), "the lease is over");
  srv.silent = false;
  netconf_link(nc, false);
  netconf_link(nc, true);
  run(&net, 10 * MS);
  cr_expect_not_null(address("static", "tentative"));
  cr_expect_not_null(address("dhcp", "tentative"));
  run(&net, 7 * SEC);
  cr_expect(stack_has(ADDR));
  cr_expect_not_null(address("static", "duplicate"));
}

Test(netconf_acd, link_returns_and_the_address_is_announced) {
  begin(NETCONF_STATIC);
  run(&net, 10 * SEC);
  netconf_link(nc, false);
  netconf_link(nc, true);
  probes = announcements = 0;
  run(&net, 10 * SEC);
  cr_expect_eq(probes, 3);
  cr_expect_eq(announcements, 2, "ANNOUNCE_NUM, after the probes");
}

/* RFC 5227 2.1: the server is asked, and the neighbours. */
Test(netconf_acd, after_a_sleep_the_lease_is_verified) {
  begin(NETCONF_DHCP);
  run(&net, 10 * SEC);
  open_user();
  probes = 0;
  unsigned requests = srv.seen[DHCP4_REQUEST];
  cr_assert_eq(loop_sim_suspend(net.loop, 600 * SEC), 0);
  netconf_resumed(nc);
  run(&net, 10 * SEC);
  cr_expect(stack_has(ADDR));
  cr_expect_eq(srv.seen[DHCP4_REQUEST], requests + 1);
  cr_expect_eq(srv.seen[DHCP4_DISCOVER], 1);
  cr_expect_eq(probes, 3);
  cr_expect_eq(user_ended, 0, "it is still ours");
  taken = ADDR;
  netconf_resumed(nc);
  run(&net, 10 * SEC);
  cr_expect(stack_has(0));
  cr_expect_eq(user_ended, 1);
  user = stack_udp_close(user);
}

static uint64_t conflicts;
static void on_counter(void *arg _unused_, const char *name, uint64_t value) {
  if (strcmp(name, "acd-conflicts") == 0)
    conflicts = value;
}

Test(netconf_acd, counted) {
  taken = ADDR;
  begin(NETCONF_DHCP);
  run(&net, 30 * SEC);
  netconf_each_counter(nc, on_counter, NULL);
  cr_expect_eq(conflicts, 1);
}
