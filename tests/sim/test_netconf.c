/* SPDX-License-Identifier: BSD-3-Clause
 * Addresses and leases on the real stack: a scripted DHCP server on the other end of the wire, clocks moved by hand.
 */
#include "netconf_rig.h"

TestSuite(netconf, .init = setup, .fini = teardown, .timeout = 30);

Test(netconf, no_upcall_from_inside) {
  struct netconf_config c = {.mode = NETCONF_DHCP};
  cr_assert_eq(netconf_new(net.loop, net.a, &c, &upcalls, NULL, &nc), 0);
  cr_assert_eq(told.address + told.resolver + told.lease, 0);
}

Test(netconf, lease) {
  begin(NETCONF_DHCP);
  cr_assert(stack_has(ADDR));
  cr_expect_eq(told.address, 1);
  cr_expect_str_eq(told.origin, "dhcp");
  cr_expect_eq(told.prefix_len, 24);
  cr_expect_str_eq(told.state, "bound");
  cr_expect_str_eq(told.text, "dhcp4 bound: the server granted a lease: 10.1.0.5/24 from 10.1.0.1 for 3600 s, renew in 1800 s");
  cr_expect_eq(told.resolv.n_servers, 2);
  cr_expect_str_eq(told.resolv.servers[0].origin, "static", "what is configured comes first");
  cr_expect_str_eq(told.resolv.servers[1].origin, "dhcp");
  cr_expect(told.resolv.search_present);
  cr_expect_str_eq(told.resolv.search[0].name, "lan.test");
  size_t n;
  const uint8_t *name = raw_find(srv.last, srv.last_len, 12, &n);
  cr_expect(name != NULL && n == 3 && memcmp(name, "box", 3) == 0);
  struct netconf_info i = info();
  cr_expect_eq(i.dhcp, DHCP_BOUND);
  cr_expect_eq(net_addr_to_v4(&i.gateway), SERVER);
  struct netconf_lease l = lease();
  cr_expect_eq(net_addr_to_v4(&l.server), SERVER);
  cr_expect(l.in_force);
  cr_expect_leq(l.expiry_ns, now() + 3600 * SEC);
  cr_expect_gt(l.expiry_ns, now() + 3599 * SEC);
  cr_expect_lt(l.t1_ns, l.t2_ns);
  cr_expect_str_eq(l.next, "renew");
  cr_expect_eq(l.next_ns, l.t1_ns);
}

Test(netconf, renewal_touches_nothing) {
  begin(NETCONF_DHCP);
  open_user();
  unsigned requests = srv.seen[DHCP4_REQUEST];
  for (int i = 0; i < 10; i++)
    run(&net, 1800 * SEC);
  cr_expect_eq(srv.seen[DHCP4_REQUEST], requests + 10);
  cr_expect_eq(srv.seen[DHCP4_DISCOVER], 1);
  cr_expect_eq(net_addr_to_v4(&srv.to.addr), SERVER, "renewed by unicast");
  cr_expect_eq(net_addr_to_v4(&srv.from.addr), ADDR);
  cr_expect_eq(user_ended, 0);
  cr_expect_eq(told.address, 1);
  cr_expect_eq(told.resolver, 2, "what is configured, then what the lease added");
  user = stack_udp_close(user);
}

Test(netconf, unicast_answers_before_the_address) {
  srv.silent = true;
  begin(NETCONF_DHCP);
  cr_expect_eq(net_addr_is_unspecified(&srv.from.addr), true);
  cr_expect_eq(net_addr_to_v4(&srv.to.addr), 0xffffffff);
  cr_expect_eq(srv.last[10] & 0x80, 0, "no broadcast flag");
}

Test(netconf, expiry_takes_everything_in_the_same_turn) {
  begin(NETCONF_DHCP);
  open_user();
  srv.silent = true;
  uint64_t left = lease().expiry_ns - now();
  run(&net, left - 1 * MS);
  cr_expect(stack_has(ADDR));
  cr_expect_str_eq(told.state, "rebinding");
  run(&net, 1 * MS);
  cr_expect(stack_has(0));
  cr_expect_str_eq(told.state, "expired");
  cr_expect_eq(told.addr.family, 0);
  cr_expect_eq(told.resolv.n_servers, 1);
  cr_expect_not(told.resolv.search_present);
  cr_expect_eq(user_ended, 1);
  struct stack_route_info route;
  struct net_addr far = addr_of("192.0.2.1");
  cr_expect_lt(stack_route_lookup(net.s, &far, &route), 0);
  cr_expect_null(info().origin);
  user = stack_udp_close(user);
  run(&net, 3600 * SEC);
  cr_expect_gt(srv.seen[DHCP4_DISCOVER], 30, "asks for ever");
  srv.silent = false;
  run(&net, 70 * SEC);
  cr_expect(stack_has(ADDR));
}

Test(netconf, suspend_outlasts_the_lease) {
  begin(NETCONF_DHCP);
  srv.silent = true;
  cr_assert_eq(loop_sim_suspend(net.loop, 2 * 3600 * SEC), 0);
  run(&net, 1);
  cr_expect(stack_has(0));
  cr_expect_str_eq(told.state, "expired");
}

Test(netconf, refused_and_moved) {
  begin(NETCONF_DHCP);
  srv.nak = true;
  run(&net, 1801 * SEC);
  cr_expect(stack_has(0));
  srv.nak = false;
  srv.addr = ADDR + 1;
  run(&net, 120 * SEC);
  cr_expect(stack_has(ADDR + 1));
}

Test(netconf, renew_and_release) {
  begin(NETCONF_DHCP);
  unsigned requests = srv.seen[DHCP4_REQUEST];
  run(&net, 10 * SEC);
  cr_assert_eq(netconf_renew(nc), 0);
  run(&net, 100 * MS);
  cr_expect_eq(srv.seen[DHCP4_REQUEST], requests + 1);
  cr_expect_str_eq(told.state, "bound");
  cr_assert_eq(netconf_release(nc), 0);
  cr_expect(stack_has(0));
  run(&net, 100 * MS);
  cr_expect_eq(srv.seen[DHCP4_RELEASE], 1, "though the address is gone");
  cr_expect_eq(net_addr_to_v4(&srv.from.addr), ADDR);
  cr_expect_eq(netconf_release(nc), -ENODATA);
  run(&net, 3600 * SEC);
  cr_expect(stack_has(0), "stays away until asked");
  cr_assert_eq(netconf_renew(nc), 0);
  run(&net, 100 * MS);
  cr_expect(stack_has(ADDR));
}

/* Nobody has spoken to the server for so long that its hardware address is forgotten. */
Test(netconf, release_reaches_the_server) {
  begin(NETCONF_DHCP);
  run(&net, 1500 * SEC);
  cr_assert_eq(netconf_release(nc), 0);
  cr_expect(stack_has(0), "at once");
  cr_expect_str_eq(told.state, "released");
  run(&net, 10 * MS);
  cr_expect_eq(srv.seen[DHCP4_RELEASE], 1);
  cr_expect_eq(net_addr_to_v4(&srv.from.addr), ADDR);
  cr_expect_eq(net_addr_to_v4(&srv.to.addr), SERVER);
  run(&net, 10 * SEC);
  cr_expect_eq(srv.seen[DHCP4_RELEASE], 1);
}

/* One that would come late might end a lease that was granted meanwhile. */
Test(netconf, release_that_cannot_be_sent_is_forgotten) {
  begin(NETCONF_DHCP);
  run(&net, 1500 * SEC);
  stack_if_clear_ipv4(net.b); /* the server does not answer ARP */
  cr_assert_eq(netconf_release(nc), 0);
  run(&net, 1500 * MS);
  cr_assert_eq(stack_if_set_ipv4(net.b, &net.addr_b, 24, NULL), 0);
  run(&net, 10 * SEC);
  cr_expect_eq(srv.seen[DHCP4_RELEASE], 0, "after a second");
  cr_assert_eq(netconf_renew(nc), 0);
  run(&net, 1500 * SEC);
  cr_expect(stack_has(ADDR));
  cr_assert_eq(netconf_release(nc), 0);
  cr_assert_eq(netconf_renew(nc), 0);
  run(&net, 10 * SEC);
  cr_expect(stack_has(ADDR));
  cr_expect_eq(srv.seen[DHCP4_RELEASE], 0, "when a lease is asked for");
}

Test(netconf, link) {
  begin(NETCONF_DHCP);
  netconf_link(nc, false);
  run(&net, 10 * SEC);
  cr_expect(stack_has(ADDR));
  unsigned requests = srv.seen[DHCP4_REQUEST];
  netconf_link(nc, true);
  run(&net, 100 * MS);
  cr_expect_eq(srv.seen[DHCP4_REQUEST], requests + 1, "asks whether this is still our network");
  cr_expect_str_eq(told.state, "bound");
  netconf_link(nc, false);
  srv.nak = true;
  netconf_link(nc, true);
  run(&net, 100 * MS);
  cr_expect(stack_has(0));
}

Test(netconf, fixed) {
  begin(NETCONF_STATIC);
  cr_expect(stack_has(ADDR));
  cr_expect_str_eq(info().origin, "static");
  cr_expect_eq(lease().expiry_ns, 0);
  cr_expect_eq(info().dhcp, DHCP_OFF);
  cr_expect_eq(netconf_renew(nc), -EPROTONOSUPPORT);
  cr_expect_eq(netconf_release(nc), -ENODATA);
  open_user();
  struct netconf_static same = {net_addr_v4(ADDR), 24, net_addr_v4(SERVER)};
  cr_expect_eq(netconf_set_static(nc, &same, NULL), 0);
  cr_expect_eq(user_ended, 0);
  cr_expect_eq(told.address, 1);
  struct names_config r = {.search_present = true};
  struct netconf_static other = {net_addr_v4(ADDR + 2), 24, {0}};
  cr_expect_eq(netconf_set_static(nc, &other, &r), 0);
  cr_expect(stack_has(ADDR + 2));
  cr_expect_eq(user_ended, 1);
  cr_expect_eq(info().resolver->n_servers, 0);
  cr_expect(info().resolver->search_present, "an empty list that somebody configured");
  user = stack_udp_close(user);
}

Test(netconf, between_dhcp_and_static) {
  begin(NETCONF_DHCP);
  struct netconf_static s = {net_addr_v4(ADDR), 24, {0}};
  open_user();
  cr_assert_eq(netconf_set_static(nc, &s, NULL), 0);
  cr_expect_eq(user_ended, 0, "the same address: nothing ends");
  cr_expect_str_eq(info().origin, "static");
  cr_expect_str_eq(told.origin, "static");
  cr_expect_str_eq(told.state, "standby");
  cr_expect_eq(told.resolv.n_servers, 1);
  run(&net, 7200 * SEC);
  cr_expect(stack_has(ADDR), "no lease runs on in secret");
  user = stack_udp_close(user);
  cr_assert_eq(netconf_use_dhcp(nc), 0);
  cr_expect(stack_has(0));
  run(&net, 100 * MS);
  cr_expect(stack_has(ADDR));
  cr_expect_str_eq(info().origin, "dhcp");
  cr_expect_eq(netconf_use_dhcp(nc), 0);
  cr_expect(stack_has(ADDR));
}

Test(netconf, what_is_no_address_for_a_host) {
  begin(NETCONF_NONE);
  cr_expect(stack_has(0));
  static const struct {
    const char *addr;
    uint8_t len;
    const char *gateway;
  } bad[] = {{"0.0.0.0", 24, NULL},      {"127.0.0.1", 8, NULL},   {"224.0.0.1", 24, NULL},     {"10.0.0.0", 24, NULL},
             {"10.0.0.255", 24, NULL},   {"10.0.0.1", 0, NULL},    {"10.0.0.1", 33, NULL},      {"::1", 24, NULL},
             {"10.0.0.1", 24, "10.0.0.1"}, {"10.0.0.1", 24, "::1"}, {"10.0.0.1", 24, "224.0.0.1"}};
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    struct netconf_static s = {addr_of(bad[i].addr), bad[i].len, {0}};
    if (bad[i].gateway != NULL)
      s.gateway = addr_of(bad[i].gateway);
    cr_expect_eq(netconf_set_static(nc, &s, NULL), -EINVAL, "row %zu", i);
    struct netconf_config c = {.mode = NETCONF_STATIC, .fixed = s};
    struct netconf *x;
    cr_expect_eq(netconf_new(net.loop, net.a, &c, &upcalls, NULL, &x), -EINVAL, "row %zu", i);
  }
  cr_expect_eq(info().mode, NETCONF_NONE);
}
