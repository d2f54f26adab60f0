/* SPDX-License-Identifier: BSD-3-Clause
 * IPv6 configuration where something is in the way: a device that takes too little, a stack that refuses an address,
 * another interface that has it, another origin that gives it too.
 */
#include "netconf_rig6.h"

#include "nic/nic.h"

TestSuite(netconf_ip6_ways, .init = setup, .fini = teardown, .timeout = 60);

#define SHORT "the device's MTU is below the 1280 that IPv6 needs"

/* The device's, as its upcall would say. */
static void mtu(unsigned to) {
  nic_set_mtu(w.near, to);
  netconf_mtu(nc);
}
static const char *why(void) {
  struct netconf_info info;
  netconf_info(nc, &info);
  return info.ip6_why;
}
static unsigned mtu6(void) {
  struct stack_if_info info;
  stack_if_info(w.i, &info);
  return info.mtu6;
}

struct find_counter {
  const char *name;
  uint64_t value;
};
static void on_counter(void *arg, const char *name, uint64_t value) {
  struct find_counter *f = arg;
  if (strcmp(name, f->name) == 0)
    f->value = value;
}
static uint64_t counted(const char *name) {
  struct find_counter f = {.name = name};
  netconf_each_counter(nc, on_counter, &f);
  return f.value;
}

/* --- the device's MTU --------------------------------------------------------------------------------------------- */

Test(netconf_ip6_ways, an_mtu_too_small_ends_all_of_it_at_once) {
  far.rapid = true;
  ra_begin(&far.advert, 0x80, 1800);
  ra_prefix(&far.advert, PREFIX, 64, 0xc0, 7200, 3600);
  ra_server(&far.advert, "2001:db8::53", 600);
  ra_mtu(&far.advert, 1400);
  begin_with((struct netconf_config){.ip6 = NETCONF_IP6_AUTO, .fixed6 = fixed("2001:db8:2::5", ROUTER)});
  pass(5 * SEC);
  cr_assert_eq(usable(), 4, "link-local, static, slaac, dhcp6");
  cr_assert_eq(told.resolv.n_servers, 2);
  cr_assert(way(FAR, ROUTER));
  struct net_addr slaac = address("slaac").addr, ll = address("link-local").addr;
  open_user(slaac);
  mtu(1280);
  cr_expect_eq(user_ended, 0, "just enough");
  cr_expect_eq(usable(), 4);
  mtu(1279);
  cr_expect_eq(user_ended, 1);
  cr_expect_eq(usable(), 0);
  cr_expect(no_way(FAR));
  cr_expect(no_way("2001:db8:1::77"));
  cr_expect_eq(told.resolv.n_servers, 0);
  cr_expect_null(lease("ra").protocol);
  cr_expect_null(lease("dhcp6").protocol);
  cr_expect_eq(mtu6(), 0);
  cr_assert_not_null(why());
  cr_expect_str_eq(why(), SHORT);
  cr_expect_str_eq(address("static").state, "standby");
  cr_expect_str_eq(address("static").why, SHORT);
  cr_expect_not_null(strstr(told.all, "/64 gone (slaac): " SHORT "\n"), "%s", told.all);
  cr_expect_not_null(strstr(told.all, "\nra gone: " SHORT ", router fe80::9\n"), "and nothing is due");
  cr_expect_not_null(strstr(told.all, "\nipv6 off: " SHORT "\n"));
  user = stack_udp_close(user);
  pass(5 * SEC);
  unsigned quiet = w.n;
  advertise();
  pass(4000 * SEC);
  cr_expect_eq(w.n, quiet, "nothing is sent");
  mtu(1500);
  cr_expect_null(why());
  pass(8 * SEC);
  cr_expect_not_null(strstr(told.all, "\nipv6 on: the device's MTU is enough for IPv6 again\n"));
  cr_expect_eq(usable(), 4);
  cr_expect(has("slaac", slaac) && has("link-local", ll), "the same ones again");
  cr_expect_str_eq(address("static").state, "preferred");
  cr_expect(way(FAR, ROUTER));
  cr_expect_eq(told.resolv.n_servers, 2);
  cr_expect_eq(mtu6(), 1400);
}

Test(netconf_ip6_ways, an_mtu_too_small_from_the_start) {
  unsigned before = w.n;
  nic_set_mtu(w.near, 576);
  begin(NETCONF_IP6_AUTO);
  pass(60 * SEC);
  cr_expect_eq(w.n, before);
  cr_expect_str_eq(why(), SHORT);
  cr_expect_not_null(strstr(told.all, "ipv6 off: " SHORT "\n"), "%s", told.all);
  netconf_link(nc, false);
  netconf_link(nc, true);
  struct netconf_static6 s = fixed("2001:db8:2::5", NULL);
  cr_expect_eq(netconf_ip6_set_static(nc->ip6, &s), 0, "it waits");
  cr_expect_str_eq(address("static").state, "standby");
  cr_expect_eq(usable(), 0);
  mtu(577);
  cr_expect_str_eq(why(), SHORT);
  mtu(1280);
  pass(3 * SEC);
  cr_expect_null(why());
  cr_expect_str_eq(address("static").state, "preferred");
  mtu(1000);
  cr_assert_eq(netconf_ip6_configure(nc->ip6, NETCONF_IP6_OFF, NETCONF_DHCP6_AUTO, &(struct netconf_static6){0}), 0);
  cr_expect_null(why(), "it is off, and that is why");
  mtu(1500);
  pass(3 * SEC);
  cr_expect_eq(usable(), 0);
}

Test(netconf_ip6_ways, the_mtu_of_a_router_is_judged_by_the_device_of_now) {
  ra_mtu(&far.advert, 4000);
  begin(NETCONF_IP6_AUTO);
  pass(3 * SEC);
  cr_expect_eq(mtu6(), 1500);
  cr_expect_eq(counted("ra-left-out"), 1);
  mtu(9000);
  advertise();
  cr_expect_eq(mtu6(), 4000);
  mtu(2000);
  cr_expect_eq(mtu6(), 2000);
  ra_begin(&far.advert, 0, 1800);
  ra_mtu(&far.advert, 3000);
  advertise();
  cr_expect_eq(mtu6(), 2000);
  cr_expect_eq(counted("ra-left-out"), 2);
  /* What DHCP asks for is about IPv4. */
  cr_assert_eq(stack_if_limit_mtu(w.i, AF_INET, 1300, "dhcp"), 0);
  mtu(1900);
  ra_begin(&far.advert, 0, 1800);
  ra_mtu(&far.advert, 1800);
  advertise();
  cr_expect_eq(mtu6(), 1800);
}

/* --- addresses that the stack does not take ----------------------------------------------------------------------- */

/* Another interface of the same stack, on no wire, has it; nic_free the result when the stack is gone. */
static struct stack_if *other;
static struct nic *other_far;
static void other_has(struct net_addr a) {
  struct nic *nic;
  if (other == NULL) {
    cr_assert_eq(nic_memory_pair(w.loop, 1500, 8, &nic, &other_far), 0);
    cr_assert_eq(stack_if_add(w.s, nic, "net1", NULL, NULL, &other), 0);
  }
  cr_assert_eq(stack_if_set_ipv6(other, &a, 64, STACK_ADDR_PREFERRED), 0);
}
static void other_gone(void) {
  nc = netconf_free(nc);
  other_far = nic_free(other_far); /* the near end is the stack's */
  other = NULL;
}

Test(netconf_ip6_ways, another_interface_has_the_configured_address) {
  other_has(wire6_addr("2001:db8:2::5"));
  begin_with((struct netconf_config){.ip6 = NETCONF_IP6_STATIC, .fixed6 = fixed("2001:db8:2::5", ROUTER)});
  cr_expect_str_eq(address("static").state, "duplicate");
  cr_expect_str_eq(address("static").why, "another interface has this address");
  cr_expect_eq(far.probes, 1, "the link-local address alone");
  cr_expect_eq(counted("ip6-refused"), 1);
  cr_expect_not_null(strstr(told.all, "duplicate (static): another interface has this address\n"), "%s", told.all);
  struct net_addr a = wire6_addr("2001:db8:2::5");
  cr_assert_eq(stack_if_remove_ipv6(other, &a), 0);
  pass(62 * SEC);
  cr_expect_str_eq(address("static").state, "preferred");
  other_gone();
}

Test(netconf_ip6_ways, another_interface_has_the_link_local_address) {
  begin(NETCONF_IP6_AUTO);
  pass(3 * SEC);
  struct net_addr ll = address("link-local").addr, a = address("slaac").addr;
  nc = netconf_free(nc);
  (void)stack_if_remove_ipv6(w.i, &ll);
  (void)stack_if_remove_ipv6(w.i, &a);
  other_has(ll);
  other_has(a);
  begin(NETCONF_IP6_AUTO);
  pass(10 * SEC);
  cr_expect_str_eq(address("link-local").state, "preferred", "another identifier");
  cr_expect(!has("link-local", ll));
  cr_expect_str_eq(address("slaac").state, "preferred");
  cr_expect(!has("slaac", a));
  cr_expect_eq(counted("ip6-refused"), 2);
  other_gone();
}

Test(netconf_ip6_ways, another_interface_has_the_leased_address) {
  other_has(wire6_addr(LEASE));
  managed(true);
  pass(20 * SEC);
  cr_expect_eq(far.seen6[DHCP6_DECLINE], 1);
  cr_expect(has("dhcp6", wire6_addr("2001:db8:1::2000")));
  cr_expect_str_eq(address("dhcp6").state, "preferred");
  other_gone();
}

/* Addresses of nobody's take all the room there is in the stack. */
static struct net_addr filler(unsigned k) { return (struct net_addr){AF_INET6, {0x20, 1, 0xd, 0xb8, [15] = (uint8_t)k}}; }
static void fill(bool full) {
  for (unsigned k = 1; k <= STACK_IPV6_ADDRESSES; k++) {
    struct net_addr a = filler(k);
    if (full)
      (void)stack_if_set_ipv6(w.i, &a, 64, STACK_ADDR_TENTATIVE);
    else
      (void)stack_if_remove_ipv6(w.i, &a);
  }
}

Test(netconf_ip6_ways, no_room_in_the_stack_is_no_end) {
  fill(true);
  begin(NETCONF_IP6_AUTO);
  pass(4 * SEC);
  cr_expect_str_eq(address("link-local").state, "refused");
  cr_expect_str_eq(address("link-local").why, "the stack has no room for it");
  cr_expect_eq(far.probes, 0);
  cr_expect_geq(counted("ip6-refused"), 2);
  cr_expect_not_null(strstr(told.all, "refused (link-local): the stack has no room for it\n"), "%s", told.all);
  unsigned before = told.addresses;
  pass(3600 * SEC);
  cr_expect_leq(told.addresses - before, 70, "once a minute");
  fill(false);
  pass(64 * SEC);
  cr_expect_str_eq(address("link-local").state, "preferred");
  cr_expect_str_eq(address("slaac").state, "preferred", "and all that follows");
  cr_expect(way(FAR, ROUTER));
}

Test(netconf_ip6_ways, a_lease_waits_for_room) {
  begin(NETCONF_IP6_AUTO);
  pass(3 * SEC);
  fill(true);
  ra_begin(&far.advert, 0x80, 1800);
  far.rapid = true;
  far.valid = far.preferred = 1000;
  advertise();
  pass(3 * SEC);
  cr_expect_str_eq(lease("dhcp6").state, "bound");
  cr_expect_str_eq(address("dhcp6").state, "refused");
  cr_expect_eq(far.seen6[DHCP6_DECLINE], 0, "nobody else has it");
  fill(false);
  pass(60 * SEC);
  cr_expect_str_eq(address("dhcp6").state, "preferred");
}

/* --- a lease that outlives the daemon ----------------------------------------------------------------------------- */

static char dir[64];
static uint64_t wall = 1700000000;
static uint64_t wall_now(void *arg _unused_) { return wall; }

static void begin_with_dir(void) {
  struct netconf_config c = {.ip6 = NETCONF_IP6_AUTO, .wall_s = wall_now};
  strcpy(c.state_dir, dir);
  memset(&told, 0, sizeof(told));
  memset(far.seen6, 0, sizeof(far.seen6));
  begin_with(c);
  pass(5 * SEC);
}
static void managed_with_dir(void) {
  strcpy(dir, "/tmp/capnet-netconf6-XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  far.rapid = true;
  ra_begin(&far.advert, 0x80, 1800);
  ra_prefix(&far.advert, PREFIX, 64, 0x80, 7200, 3600);
  begin_with_dir();
  cr_assert_str_eq(lease("dhcp6").state, "bound");
}
/* The daemon ends, and begins again so much later. */
static void restart(uint64_t ns) {
  struct net_addr leased = address("dhcp6").addr, ll = address("link-local").addr;
  nc = netconf_free(nc);
  (void)stack_if_remove_ipv6(w.i, &leased);
  (void)stack_if_remove_ipv6(w.i, &ll);
  pass(ns);
  begin_with_dir();
}
static void without_dir(void) {
  char cmd[128];
  (void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
  cr_assert_eq(system(cmd), 0);
}

Test(netconf_ip6_ways, the_last_lease_is_confirmed) {
  managed_with_dir();
  uint64_t end = lease("dhcp6").expiry_ns;
  far.lease = "2001:db8:1::2000"; /* to who begins anew */
  restart(20 * SEC);
  cr_expect_eq(far.seen6[DHCP6_CONFIRM], 1);
  cr_expect_eq(far.seen6[DHCP6_SOLICIT], 0);
  cr_expect(has("dhcp6", wire6_addr(LEASE)));
  cr_expect_str_eq(address("dhcp6").state, "preferred");
  cr_expect_eq(lease("dhcp6").expiry_ns, end);
  cr_expect_eq(told.resolv.n_servers, 1);
  cr_expect_not_null(strstr(told.all, "dhcp6 confirming: the lease of the last run: is it the same link?"), "%s", told.all);
  pass(50 * SEC);
  cr_expect_geq(far.seen6[DHCP6_RENEW], 1, "and renewed when its time has come");
  end = lease("dhcp6").expiry_ns;
  restart(SEC);
  cr_expect_eq(lease("dhcp6").expiry_ns, end, "the file has the renewal");
  restart(250 * SEC);
  cr_expect_eq(far.seen6[DHCP6_SOLICIT], 1, "what is over is not asked for");
  cr_expect_not_null(strstr(told.all, "dhcp6 soliciting: the last lease is over"), "%s", told.all);
  without_dir();
}

Test(netconf_ip6_ways, what_was_given_back_is_not_remembered) {
  managed_with_dir();
  cr_assert_eq(netconf_release6(nc), 0);
  pass(2 * SEC);
  restart(SEC);
  cr_expect_eq(far.seen6[DHCP6_CONFIRM], 0);
  cr_expect_eq(far.seen6[DHCP6_SOLICIT], 1);
  without_dir();
}

Test(netconf_ip6_ways, a_damaged_file_is_ignored_with_the_reason) {
  char path[128];
  managed_with_dir();
  (void)snprintf(path, sizeof(path), "%s/lease-net0-v6", dir);
  FILE *f = fopen(path, "a");
  cr_assert_not_null(f);
  (void)fputs("x", f);
  (void)fclose(f);
  restart(SEC);
  cr_expect_eq(far.seen6[DHCP6_SOLICIT], 1);
  cr_expect_not_null(strstr(told.all, "dhcp6 soliciting: the file of the last lease is ignored: it is damaged"), "%s", told.all);
  cr_expect_str_eq(lease("dhcp6").state, "bound");
  without_dir();
}

/* --- two origins of one address ----------------------------------------------------------------------------------- */

Test(netconf_ip6_ways, what_is_configured_and_made_as_well) {
  char text[NET_ADDR_STRLEN];
  begin(NETCONF_IP6_AUTO);
  pass(3 * SEC);
  struct net_addr ll = address("link-local").addr, a = address("slaac").addr;
  nc = netconf_free(nc);
  (void)stack_if_remove_ipv6(w.i, &ll);
  (void)stack_if_remove_ipv6(w.i, &a);
  struct netconf_static6 both = fixed(net_addr_format(&ll, text), NULL);
  both.list[both.n++] = (struct netconf_fixed6){a, 64};
  ra_begin(&far.advert, 0x80, 1800);
  ra_prefix(&far.advert, PREFIX, 64, 0xc0, 7200, 3600);
  far.rapid = true;
  begin_with((struct netconf_config){.ip6 = NETCONF_IP6_AUTO, .fixed6 = both});
  pass(5 * SEC);
  cr_expect_eq(usable(), 3);
  cr_expect_eq(address("link-local").addr.family, 0, "it is static");
  cr_expect(way(FAR, ROUTER), "and a router is asked from it");
  cr_expect_str_eq(lease("dhcp6").state, "bound", "and a server");
  open_user(a);
  cr_assert_eq(netconf_ip6_use_auto(nc->ip6), 0);
  cr_expect_eq(user_ended, 1);
  pass(3 * SEC);
  cr_expect(has("link-local", ll), "what routers and we give is there at once");
  cr_expect(has("slaac", a));
  cr_expect_eq(usable(), 3);
  user = stack_udp_close(user);
}

Test(netconf_ip6_ways, a_lease_that_was_configured_is_the_lease_s_again) {
  managed(true);
  struct netconf_static6 s = fixed(LEASE, NULL);
  cr_assert_eq(netconf_ip6_configure(nc->ip6, NETCONF_IP6_AUTO, NETCONF_DHCP6_AUTO, &s), 0);
  cr_expect(has("static", wire6_addr(LEASE)));
  cr_assert_eq(netconf_ip6_use_auto(nc->ip6), 0);
  pass(2 * SEC);
  cr_expect(has("dhcp6", wire6_addr(LEASE)));
  cr_expect_str_eq(address("dhcp6").state, "preferred");
}

Test(netconf_ip6_ways, a_duplicate_that_is_then_configured) {
  const struct netconf_config c = {.ip6 = NETCONF_IP6_AUTO, .random = seven};
  far.conflict_once = true;
  cr_assert_eq(netconf_new(w.loop, w.i, &c, &upcalls, NULL, &nc), 0);
  for (unsigned i = 0; far.conflict_once && i < 500; i++)
    pass(10 * MS);
  cr_assert_str_eq(address("slaac").state, "duplicate");
  struct netconf_static6 s = {.list = {{address("slaac").addr, 64}}, .n = 1};
  cr_assert_eq(netconf_ip6_configure(nc->ip6, NETCONF_IP6_AUTO, NETCONF_DHCP6_AUTO, &s), 0);
  pass(5 * SEC);
  cr_expect_str_eq(address("static").state, "preferred");
  cr_expect_str_eq(address("slaac").state, "preferred", "with another identifier");
}
