/* SPDX-License-Identifier: BSD-3-Clause
 * IPv6 configuration on the real stack: what routers, a DHCPv6 server and the configuration give, and how it ends.
 */
#include "netconf_rig6.h"

TestSuite(netconf_ip6, .init = setup, .fini = teardown, .timeout = 60);

/* --- routers ------------------------------------------------------------------------------------------------------ */

Test(netconf_ip6, off_says_nothing) {
  unsigned before = w.n;
  begin(NETCONF_IP6_OFF);
  pass(60 * SEC);
  cr_expect_eq(w.n, before);
  cr_expect_eq(usable(), 0);
}

Test(netconf_ip6, link_local_only) {
  begin(NETCONF_IP6_LINK_LOCAL);
  pass(60 * SEC);
  cr_expect_eq(usable(), 1);
  cr_expect_eq(far.probes, 1);
  cr_expect_eq(far.solicits, 0);
  advertise();
  cr_expect_eq(usable(), 1);
  cr_expect_str_eq(address("link-local").state, "preferred");
}

Test(netconf_ip6, slaac) {
  ra_server(&far.advert, "2001:db8::53", 600);
  ra_domain(&far.advert, "\3lan\4test\0", 10, 600);
  ra_mtu(&far.advert, 1400);
  begin(NETCONF_IP6_AUTO);
  pass(3 * SEC);
  struct netconf_address a = address("slaac");
  cr_assert_eq(a.addr.family, AF_INET6);
  struct net_addr prefix = wire6_addr(PREFIX), router = wire6_addr(ROUTER);
  cr_expect_eq(memcmp(a.addr.b, prefix.b, 8), 0);
  cr_expect_str_eq(a.state, "preferred");
  cr_expect(a.valid_until_ns > now() + 7190 * SEC && a.valid_until_ns < now() + 7200 * SEC);
  cr_expect_eq(usable(), 2);
  cr_expect_eq(far.probes, 2, "each address is probed for");
  cr_expect_eq(far.solicits, 1);
  cr_expect(way(FAR, ROUTER));
  cr_expect(way("2001:db8:1::77", NULL));
  cr_expect_eq(told.resolv.n_servers, 1);
  cr_expect_str_eq(told.resolv.servers[0].origin, "ra");
  cr_expect_str_eq(told.resolv.search[0].name, "lan.test");
  struct stack_if_info info;
  stack_if_info(w.i, &info);
  cr_expect_eq(info.mtu6, 1400);
  struct netconf_lease l = lease("ra");
  cr_expect_str_eq(l.state, "valid");
  cr_expect_str_eq(l.next, "expiry");
  cr_expect(net_addr_equal(&l.server, &router));
  cr_expect_not_null(strstr(told.all, "ra valid: a router advertised itself, router fe80::9, expiry in 7200 s\n"), "%s", told.all);
  cr_expect_not_null(strstr(told.all, "/64 preferred (slaac)\n"));
}

Test(netconf_ip6, the_same_identifier_at_each_start) {
  begin(NETCONF_IP6_AUTO);
  pass(3 * SEC);
  struct net_addr ll = address("link-local").addr, a = address("slaac").addr;
  nc = netconf_free(nc);
  (void)stack_if_remove_ipv6(w.i, &ll);
  (void)stack_if_remove_ipv6(w.i, &a);
  begin(NETCONF_IP6_AUTO);
  pass(3 * SEC);
  cr_expect(has("slaac", a));
  cr_expect(has("link-local", ll));
  cr_expect_neq(memcmp(a.b + 8, ll.b + 8, 8), 0, "but another in each network");
}

Test(netconf_ip6, expiry_takes_everything_in_the_same_turn) {
  ra_begin(&far.advert, 0, 30);
  ra_prefix(&far.advert, PREFIX, 64, 0xc0, 30, 20);
  ra_server(&far.advert, "2001:db8::53", 30);
  begin(NETCONF_IP6_AUTO);
  pass(3 * SEC);
  far.ra = false;
  struct netconf_address a = address("slaac");
  open_user(a.addr);
  pass(a.preferred_until_ns - now());
  cr_expect_str_eq(address("slaac").state, "deprecated");
  cr_expect_eq(user_ended, 0, "deprecation touches nothing that lives");
  cr_expect(way(FAR, ROUTER), "and is still used where there is no other");
  pass(a.valid_until_ns - now() - 1 * MS);
  cr_expect_eq(user_ended, 0);
  cr_expect_eq(told.resolv.n_servers, 1);
  pass(1 * MS);
  cr_expect_eq(address("slaac").addr.family, 0);
  cr_expect_eq(user_ended, 1);
  cr_expect_eq(told.resolv.n_servers, 0);
  cr_expect(no_way(FAR));
  cr_expect_null(lease("ra").protocol);
  cr_expect_eq(usable(), 1);
  user = stack_udp_close(user);
  far.ra = true;
  pass(30 * SEC);
  cr_expect_eq(usable(), 2, "and a router that is back is found");
}

Test(netconf_ip6, suspend_outlasts_all_of_it) {
  begin(NETCONF_IP6_AUTO);
  pass(3 * SEC);
  far.ra = false;
  cr_assert_eq(loop_sim_suspend(w.loop, 3 * 3600 * SEC), 0);
  pass(1);
  cr_expect_eq(usable(), 1);
  cr_expect(no_way(FAR));
}

Test(netconf_ip6, a_repetition_touches_nothing) {
  ra_server(&far.advert, "2001:db8::53", 600);
  begin(NETCONF_IP6_AUTO);
  pass(3 * SEC);
  open_user(address("slaac").addr);
  unsigned addresses = told.addresses, leases = told.leases, resolver = told.resolver, probes = far.probes;
  for (int i = 0; i < 20; i++) {
    pass(100 * SEC);
    advertise();
  }
  cr_expect_eq(user_ended, 0);
  cr_expect_eq(told.addresses, addresses);
  cr_expect_eq(told.leases, leases);
  cr_expect_eq(told.resolver, resolver);
  cr_expect_eq(far.probes, probes);
  user = stack_udp_close(user);
}

Test(netconf_ip6, another_node_has_the_address) {
  far.conflict_once = true;
  begin(NETCONF_IP6_AUTO);
  pass(10 * SEC);
  cr_expect_not(far.conflict_once);
  cr_expect_not_null(strstr(told.all, "duplicate (slaac): another node has this address\n"), "%s", told.all);
  cr_expect_str_eq(address("slaac").state, "preferred", "with another identifier");
  cr_expect_eq(usable(), 2);
}

Test(netconf_ip6, a_link_that_comes_and_goes) {
  begin(NETCONF_IP6_AUTO);
  pass(3 * SEC);
  open_user(address("slaac").addr);
  netconf_link(nc, false);
  pass(10 * SEC);
  cr_expect_str_eq(address("slaac").state, "preferred");
  unsigned probes = far.probes, solicits = far.solicits;
  netconf_link(nc, true);
  cr_expect_str_eq(address("slaac").state, "tentative");
  pass(5 * SEC);
  cr_expect_eq(far.probes, probes + 2, "verified again");
  cr_expect_eq(far.solicits, solicits + 1);
  cr_expect_str_eq(address("slaac").state, "preferred");
  cr_expect_eq(user_ended, 0);
  user = stack_udp_close(user);
}

Test(netconf_ip6, after_a_sleep_all_is_verified) {
  begin(NETCONF_IP6_AUTO);
  pass(3 * SEC);
  open_user(address("slaac").addr);
  unsigned probes = far.probes, solicits = far.solicits;
  cr_assert_eq(loop_sim_suspend(w.loop, 600 * SEC), 0);
  netconf_resumed(nc);
  cr_expect_str_eq(address("slaac").state, "tentative");
  pass(5 * SEC);
  cr_expect_eq(far.probes, probes + 2);
  cr_expect_eq(far.solicits, solicits + 1);
  cr_expect_str_eq(address("slaac").state, "preferred");
  cr_expect_eq(user_ended, 0);
  user = stack_udp_close(user);
}

Test(netconf_ip6, rogue_and_malformed_advertisements) {
  begin(NETCONF_IP6_AUTO);
  pass(3 * SEC);
  struct raw_ra r;
  ra_begin(&r, 0, 0);
  wire6_icmp(&w, ROUTER, "ff02::1", 64, r.b, r.len);
  cr_expect(way(FAR, ROUTER), "from another link: hop limit");
  wire6_icmp(&w, "2001:db8::1", "ff02::1", 255, r.b, r.len);
  cr_expect(way(FAR, ROUTER), "not from a link-local address");
  ra_option(&r, 3, NULL, 0)[1] = 0;
  wire6_icmp(&w, ROUTER, "ff02::1", 255, r.b, r.len);
  cr_expect(way(FAR, ROUTER), "an option without length");
  ra_begin(&r, 0, 0);
  wire6_icmp(&w, ROUTER, "ff02::1", 255, r.b, r.len);
  cr_expect(no_way(FAR), "but it may withdraw itself");
  cr_expect_eq(usable(), 2);
}

/* --- DHCPv6 ------------------------------------------------------------------------------------------------------- */

Test(netconf_ip6, managed_address) {
  managed(false);
  struct netconf_address a = address("dhcp6");
  cr_assert_eq(a.addr.family, AF_INET6);
  cr_expect(has("dhcp6", wire6_addr(LEASE)));
  cr_expect_eq(a.prefix_len, 128);
  cr_expect_str_eq(a.state, "preferred");
  cr_expect_eq(far.seen6[DHCP6_SOLICIT], 1);
  cr_expect_eq(far.seen6[DHCP6_REQUEST], 1);
  cr_expect_eq(told.resolv.n_servers, 1);
  cr_expect_str_eq(told.resolv.servers[0].origin, "dhcp6");
  cr_expect(way(FAR, ROUTER));
  struct netconf_lease l = lease("dhcp6");
  cr_expect_str_eq(l.state, "bound");
  cr_expect_str_eq(l.next, "renew");
  cr_expect_eq(l.next_ns, l.t1_ns);
  cr_expect(l.in_force);
  cr_expect_not_null(strstr(told.all, "dhcp6 bound: the server granted a lease: 2001:db8:1::1000/128 from fe80::9 for 200 s, renew in 50 s\n"),
                     "%s", told.all);
}

Test(netconf_ip6, rapid_commit) {
  managed(true);
  cr_expect_eq(far.seen6[DHCP6_REQUEST], 0);
  cr_expect_str_eq(lease("dhcp6").state, "bound");
}

Test(netconf_ip6, renewals_touch_nothing_and_an_end_is_an_end) {
  managed(true);
  ra_begin(&far.advert, 0x80, 9000);
  ra_prefix(&far.advert, PREFIX, 64, 0x80, 86400, 3600);
  advertise();
  open_user(address("dhcp6").addr);
  unsigned addresses = told.addresses, resolver = told.resolver;
  pass(520 * SEC);
  cr_expect_geq(far.seen6[DHCP6_RENEW], 10);
  cr_expect_eq(user_ended, 0);
  cr_expect_eq(told.addresses, addresses);
  cr_expect_eq(told.resolver, resolver);
  far.dhcp = false;
  uint64_t end = lease("dhcp6").expiry_ns;
  pass(end - now() - 1 * MS);
  cr_expect_gt(far.seen6[DHCP6_REBIND], 0);
  cr_expect_eq(user_ended, 0);
  pass(1 * MS);
  cr_expect_eq(user_ended, 1);
  cr_expect_eq(address("dhcp6").addr.family, 0);
  cr_expect_eq(told.resolv.n_servers, 0);
  struct net_addr was = wire6_addr(LEASE);
  cr_expect_not(stack_is_own(w.s, &was));
  user = stack_udp_close(user);
}

Test(netconf_ip6, a_conflict_is_declined) {
  far.conflict_once = true;
  managed(true);
  pass(20 * SEC);
  cr_expect_eq(far.seen6[DHCP6_DECLINE], 1);
  cr_expect_str_eq(address("dhcp6").state, "preferred");
  cr_expect_eq(address("dhcp6").addr.b[14], 0x20);
}

Test(netconf_ip6, confirmed_when_the_link_is_back) {
  managed(true);
  netconf_link(nc, false);
  netconf_link(nc, true);
  pass(5 * SEC);
  cr_expect_eq(far.seen6[DHCP6_CONFIRM], 1);
  cr_expect_str_eq(lease("dhcp6").state, "bound");
  cr_expect_str_eq(address("dhcp6").state, "preferred");
}

Test(netconf_ip6, renew_and_release) {
  begin(NETCONF_IP6_AUTO);
  cr_expect_eq(netconf_ip6_renew(nc->ip6), -EPROTONOSUPPORT);
  cr_expect_eq(netconf_ip6_release(nc->ip6), -ENODATA);
  nc = netconf_free(nc);
  managed(true);
  cr_expect_eq(netconf_ip6_renew(nc->ip6), 0);
  pass(1 * SEC);
  cr_expect_eq(far.seen6[DHCP6_RENEW], 1);
  cr_expect_eq(netconf_ip6_release(nc->ip6), 0);
  cr_expect_eq(address("dhcp6").addr.family, 0);
  pass(1 * SEC);
  cr_expect_eq(far.seen6[DHCP6_RELEASE], 1);
  cr_expect_str_eq(lease("dhcp6").state, "released");
}

Test(netconf_ip6, options_alone) {
  ra_begin(&far.advert, 0x40, 1800);
  ra_prefix(&far.advert, PREFIX, 64, 0xc0, 7200, 3600);
  ra_server(&far.advert, "2001:db8::53", 600);
  begin(NETCONF_IP6_AUTO);
  pass(5 * SEC);
  cr_expect_eq(far.seen6[DHCP6_INFORMATION_REQUEST], 1);
  cr_expect_eq(far.seen6[DHCP6_SOLICIT], 0);
  cr_expect_eq(told.resolv.n_servers, 2);
  cr_expect_str_eq(told.resolv.servers[0].origin, "dhcp6", "RFC 8106 5.3.1: before the router's");
  cr_expect_str_eq(lease("dhcp6").state, "informed");
}

Test(netconf_ip6, dhcp6_always_and_never) {
  begin_with((struct netconf_config){.ip6 = NETCONF_IP6_LINK_LOCAL, .dhcp6 = NETCONF_DHCP6_ALWAYS});
  pass(5 * SEC);
  cr_expect_str_eq(lease("dhcp6").state, "bound");
  nc = netconf_free(nc);
  memset(far.seen6, 0, sizeof(far.seen6));
  ra_begin(&far.advert, 0x80, 1800);
  begin_with((struct netconf_config){.ip6 = NETCONF_IP6_AUTO, .dhcp6 = NETCONF_DHCP6_OFF});
  pass(5 * SEC);
  cr_expect_eq(far.seen6[DHCP6_SOLICIT], 0);
}

/* --- configured addresses ----------------------------------------------------------------------------------------- */

struct find_len {
  struct net_addr addr;
  unsigned len;
};
static void on_len(void *arg, const struct stack_if_addr_info *i) {
  struct find_len *f = arg;
  if (net_addr_equal(&i->addr, &f->addr))
    f->len = i->prefix_len;
}
static unsigned length_of(const char *a) {
  struct find_len f = {wire6_addr(a), 0};
  stack_if_addr_each(w.i, on_len, &f);
  return f.len;
}

Test(netconf_ip6, configured) {
  begin_with((struct netconf_config){.ip6 = NETCONF_IP6_STATIC, .fixed6 = fixed("2001:db8:2::5", ROUTER)});
  pass(2 * SEC);
  cr_expect_str_eq(address("static").state, "preferred");
  cr_expect_eq(usable(), 2);
  cr_expect_eq(far.solicits, 0);
  cr_expect(way(FAR, ROUTER));
  cr_expect(way("2001:db8:2::77", NULL));
  open_user(address("static").addr);
  struct netconf_static6 two = fixed("2001:db8:2::5", ROUTER);
  two.list[two.n++] = (struct netconf_fixed6){wire6_addr("2001:db8:3::5"), 64};
  cr_assert_eq(netconf_ip6_set_static(nc->ip6, &two), 0);
  pass(2 * SEC);
  cr_expect_eq(usable(), 3);
  cr_expect_eq(user_ended, 0, "what stays is not touched");
  two.list[0].prefix_len = 56;
  cr_assert_eq(netconf_ip6_set_static(nc->ip6, &two), 0);
  cr_expect_eq(length_of("2001:db8:2::5"), 56);
  cr_expect(way("2001:db8:2:ff::77", NULL));
  cr_expect_eq(user_ended, 0, "another length is no other address");
  struct netconf_static6 other = fixed("2001:db8:3::5", NULL);
  cr_assert_eq(netconf_ip6_set_static(nc->ip6, &other), 0);
  cr_expect_eq(user_ended, 1);
  cr_expect(no_way(FAR));
  cr_expect(way("2001:db8:3::77", NULL));
  user = stack_udp_close(user);
  cr_assert_eq(netconf_ip6_use_auto(nc->ip6), 0);
  pass(5 * SEC);
  cr_expect_eq(address("static").addr.family, 0);
  cr_expect_str_eq(address("slaac").state, "preferred");
  cr_assert_eq(netconf_ip6_set_static(nc->ip6, &other), 0);
  cr_expect_eq(address("slaac").addr.family, 0, "routers are not listened to");
  cr_expect(no_way(FAR));
  cr_assert_eq(netconf_ip6_configure(nc->ip6, NETCONF_IP6_OFF, NETCONF_DHCP6_AUTO, &other), 0);
  cr_expect_eq(usable(), 0);
}

Test(netconf_ip6, a_configured_duplicate_is_not_used_and_tried_again) {
  far.conflict_once = true;
  begin_with((struct netconf_config){.ip6 = NETCONF_IP6_STATIC, .fixed6 = fixed("2001:db8:2::5", ROUTER)});
  cr_expect_str_eq(address("static").state, "duplicate");
  cr_expect_str_eq(address("static").why, "another node has this address");
  cr_expect(no_way(FAR));
  pass(62 * SEC);
  cr_expect_str_eq(address("static").state, "preferred");
  cr_expect(way(FAR, ROUTER));
}

Test(netconf_ip6, what_is_no_address_for_a_host) {
  begin(NETCONF_IP6_STATIC);
  static const struct {
    const char *addr;
    uint8_t len;
    const char *gateway;
  } bad[] = {{"::", 64, NULL},        {"::1", 128, NULL},           {"ff02::1", 64, NULL},
             {"10.0.0.1", 24, NULL},  {"2001:db8::1", 0, NULL},     {"2001:db8::1", 129, NULL},
             {"2001:db8::1", 64, "::1"}, {"2001:db8::1", 64, "ff02::2"}, {"2001:db8::1", 64, "10.0.0.1"}};
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    struct netconf_static6 s = {.list = {{wire6_addr(bad[i].addr), bad[i].len}}, .n = 1};
    if (bad[i].gateway != NULL)
      s.gateway = wire6_addr(bad[i].gateway);
    cr_expect_eq(netconf_ip6_set_static(nc->ip6, &s), -EINVAL, "row %zu", i);
    struct netconf_config c = {.ip6 = NETCONF_IP6_STATIC, .fixed6 = s};
    struct netconf *x;
    cr_expect_eq(netconf_new(w.loop, w.i, &c, &upcalls, NULL, &x), -EINVAL, "row %zu", i);
  }
}
