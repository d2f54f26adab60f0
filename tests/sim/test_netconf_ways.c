/* SPDX-License-Identifier: BSD-3-Clause
 * The ways between lease and static address on the real stack, restarts, what only options bring, and random histories in
 * which no address outlives its lease and no resolver its origin.
 */
#include "netconf_rig.h"

TestSuite(netconf_ways, .init = setup, .fini = teardown, .timeout = 60);

static char dir[64];
static void with_dir(void) {
  strcpy(dir, "/tmp/capnet-netconf-XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  strcpy(config.state_dir, dir);
}
static void without_dir(void) {
  char cmd[128];
  (void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
  cr_assert_eq(system(cmd), 0);
}
static void restart(void) {
  nc = netconf_free(nc);
  stack_if_clear_ipv4(net.a);
  memset(srv.seen, 0, sizeof(srv.seen));
  memset(&told, 0, sizeof(told));
  begin(NETCONF_DHCP);
}

/* --- across restarts ---------------------------------------------------------------------------------------------- */

Test(netconf_ways, restart_asks_for_the_last_address) {
  with_dir();
  begin(NETCONF_DHCP);
  cr_expect(stack_has(ADDR));
  run(&net, 100 * SEC);
  restart();
  cr_expect(stack_has(ADDR));
  cr_expect_eq(srv.seen[DHCP4_DISCOVER], 0);
  cr_expect_eq(srv.seen[DHCP4_REQUEST], 1);
  cr_expect_not_null(strstr(told.all, "rebooting: asking for the address of the last lease, server 10.1.0.1, retry in"));
  cr_expect_not_null(strstr(told.all, "bound: the server confirmed the last address"));
  without_dir();
}

Test(netconf_ways, restart_and_the_server_refuses) {
  with_dir();
  begin(NETCONF_DHCP);
  nc = netconf_free(nc);
  srv.addr = ADDR + 1;
  srv.nak = true;
  restart();
  cr_expect(stack_has(0));
  srv.nak = false;
  run(&net, 10 * SEC);
  cr_expect(stack_has(ADDR + 1));
  without_dir();
}

Test(netconf_ways, restart_and_nobody_is_there) {
  with_dir();
  begin(NETCONF_DHCP);
  srv.silent = true;
  run(&net, 600 * SEC);
  restart();
  cr_expect(stack_has(0));
  run(&net, 15 * SEC);
  cr_expect(stack_has(ADDR), "the lease has not ended");
  cr_expect_not_null(strstr(told.all, "no server answered, the last lease still holds"));
  cr_expect_eq(told.resolv.n_servers, 2, "its name servers, too");
  cr_expect_leq(lease().expiry_ns, now() + 3000 * SEC);
  run(&net, 3000 * SEC);
  cr_expect(stack_has(0), "and not a second longer");
  without_dir();
}

Test(netconf_ways, restart_after_the_end) {
  with_dir();
  begin(NETCONF_DHCP);
  srv.silent = true;
  run(&net, 3700 * SEC);
  srv.silent = false;
  srv.addr = ADDR;
  restart();
  cr_expect_eq(srv.seen[DHCP4_DISCOVER], 1);
  size_t n;
  const uint8_t *asked = raw_find(srv.last, srv.last_len, 50, &n);
  cr_expect(asked != NULL && memcmp(asked, "\x0a\1\0\5", 4) == 0);
  cr_expect_not_null(strstr(told.all, "the last lease is over"));
  cr_expect(stack_has(ADDR));
  without_dir();
}

Test(netconf_ways, damaged_file_is_ignored_with_the_reason) {
  char path[128];
  with_dir();
  (void)snprintf(path, sizeof(path), "%s/lease-a-v4", dir);
  FILE *f = fopen(path, "w");
  cr_assert_not_null(f);
  (void)fputs("capnet-lease 1\nmac 02", f);
  (void)fclose(f);
  begin(NETCONF_DHCP);
  cr_expect_eq(srv.seen[DHCP4_DISCOVER], 1);
  cr_expect_not_null(strstr(told.all, "the file of the last lease is ignored: it is damaged"));
  cr_expect(stack_has(ADDR));
  without_dir();
}

Test(netconf_ways, released_is_forgotten) {
  with_dir();
  begin(NETCONF_DHCP);
  cr_assert_eq(netconf_release(nc), 0);
  run(&net, SEC);
  restart();
  cr_expect_eq(srv.seen[DHCP4_DISCOVER], 1);
  without_dir();
}

/* --- several routers, time servers -------------------------------------------------------------------------------- */

static void way_out(const char *want) {
  struct stack_route_info i;
  struct net_addr to = addr_of("198.51.100.1");
  char gateway[NET_ADDR_STRLEN];
  cr_assert_eq(stack_route_lookup(net.s, &to, &i), 0);
  cr_expect_str_eq(net_addr_format(&i.gateway, gateway), want);
}

Test(netconf_ways, the_next_router_when_the_first_is_silent) {
  srv.spare = true;
  begin(NETCONF_DHCP);
  cr_assert(stack_has(ADDR));
  way_out("10.1.0.250");
  run(&net, 10 * SEC);
  way_out("10.1.0.1"); /* nobody answered when the address came into force */
  open_user();
  struct net_endpoint to = ep(addr_of("198.51.100.1"), 9);
  cr_expect_eq(stack_udp_send(user, &to, "x", 1), 0);
  run(&net, 2000 * SEC);
  cr_expect_eq(srv.seen[DHCP4_REQUEST], 2, "renewed");
  way_out("10.1.0.1");
  cr_assert_eq(netconf_release(nc), 0);
  struct stack_route_info i;
  cr_expect_eq(stack_route_lookup(net.s, &to.addr, &i), -ENETUNREACH, "gone with the lease");
  user = stack_udp_close(user);
}

static char ntp[200];
static void on_ntp(void *arg _unused_, const struct net_addr *a, const char *origin) {
  char text[NET_ADDR_STRLEN];
  size_t used = strlen(ntp);
  (void)snprintf(ntp + used, sizeof ntp - used, "%s %s;", net_addr_format(a, text), origin);
}
static const char *time_servers(void) {
  ntp[0] = 0;
  netconf_each_ntp(nc, on_ntp, NULL);
  return ntp;
}

Test(netconf_ways, time_servers_are_told) {
  srv.ntp = true;
  begin(NETCONF_DHCP);
  cr_expect_str_eq(time_servers(), "10.1.0.7 dhcp;10.1.0.8 dhcp;");
  srv.silent = true;
  run(&net, 3601 * SEC);
  cr_expect(stack_has(0));
  cr_expect_str_eq(time_servers(), "", "gone with the lease");
}

/* --- static over a lease, and back -------------------------------------------------------------------------------- */

static unsigned n_leases;
static void count_lease(void *arg, const struct netconf_lease *l) {
  (void)on_lease(arg, l);
  n_leases++;
}

Test(netconf_ways, static_over_lease_and_back) {
  begin(NETCONF_DHCP);
  struct netconf_static s = {net_addr_v4(ADDR + 7), 24, net_addr_v4(SERVER)};
  cr_assert_eq(netconf_set_static(nc, &s, NULL), 0);
  cr_expect(stack_has(ADDR + 7));
  struct netconf_lease l = lease();
  cr_expect_str_eq(l.state, "standby");
  cr_expect_not(l.in_force);
  cr_expect_str_eq(l.next, "expiry");
  cr_expect_eq(told.resolv.n_servers, 1);
  run(&net, 3000 * SEC);
  cr_expect_eq(srv.seen[DHCP4_REQUEST], 1, "not renewed");
  cr_assert_eq(netconf_use_dhcp(nc), 0);
  run(&net, 10 * MS);
  cr_expect(stack_has(ADDR));
  cr_expect_eq(srv.seen[DHCP4_DISCOVER], 1, "asked for as after a reboot");
  cr_expect_eq(srv.seen[DHCP4_REQUEST], 2);
  cr_expect_str_eq(info().origin, "dhcp");
}

/* The static address may be of another network, whose routes do not lead to the server. */
Test(netconf_ways, lease_is_given_back_on_standby_by_its_own_address) {
  begin(NETCONF_DHCP);
  struct netconf_static s = {addr_of("192.168.7.2"), 24, {0}};
  cr_assert_eq(netconf_set_static(nc, &s, NULL), 0);
  run(&net, 10 * SEC);
  cr_assert_eq(netconf_release(nc), 0);
  run(&net, 10 * MS);
  cr_assert_eq(srv.seen[DHCP4_RELEASE], 1);
  cr_expect_eq(net_addr_to_v4(&srv.from.addr), ADDR);
  cr_expect_eq(net_addr_to_v4(&srv.to.addr), SERVER, "to the server alone");
  cr_expect(memcmp(srv.last + 12, "\x0a\1\0\5", 4) == 0, "ciaddr");
  cr_expect(stack_has(0xc0a80702), "what is in force stays so");
  cr_expect_eq(netconf_release(nc), -ENODATA);
}

Test(netconf_ways, lease_ends_on_standby) {
  begin(NETCONF_DHCP);
  struct netconf_static s = {net_addr_v4(ADDR + 7), 24, {0}};
  cr_assert_eq(netconf_set_static(nc, &s, NULL), 0);
  run(&net, 3601 * SEC);
  cr_expect(stack_has(ADDR + 7));
  n_leases = 0;
  netconf_each_lease(nc, count_lease, &(struct netconf_lease){0});
  cr_expect_eq(n_leases, 0);
  cr_expect_str_eq(told.state, "off");
  cr_assert_eq(netconf_use_dhcp(nc), 0);
  run(&net, 10 * MS);
  cr_expect_eq(srv.seen[DHCP4_DISCOVER], 2);
}

Test(netconf_ways, reconfigure) {
  with_dir();
  begin(NETCONF_DHCP);
  struct names_config none = {0};
  struct netconf_static s = {net_addr_v4(ADDR + 7), 24, {0}};
  cr_assert_eq(netconf_set_static(nc, &s, &none), 0);
  run(&net, SEC);
  cr_assert_eq(netconf_reconfigure(nc), 0);
  cr_expect(stack_has(0));
  cr_expect_eq(told.resolv.n_servers, 1, "what the configuration says");
  run(&net, 10 * MS);
  cr_expect(stack_has(ADDR));
  cr_expect_eq(srv.seen[DHCP4_DISCOVER], 2, "the last lease is forgotten");
  cr_expect_eq(srv.seen[DHCP4_RELEASE], 0);
  cr_expect_eq(info().mode, NETCONF_DHCP);
  cr_assert_eq(netconf_reconfigure(nc), 0);
  run(&net, 10 * MS);
  cr_expect_eq(srv.seen[DHCP4_DISCOVER], 3);
  cr_expect(stack_has(ADDR));
  without_dir();
}

Test(netconf_ways, inform) {
  config.inform = true;
  begin(NETCONF_STATIC);
  cr_expect(stack_has(ADDR));
  cr_expect_eq(srv.seen[DHCP4_INFORM], 1);
  cr_expect_eq(net_addr_to_v4(&srv.from.addr), ADDR);
  cr_expect_eq(told.resolv.n_servers, 2);
  cr_expect_str_eq(told.resolv.servers[1].origin, "dhcp");
  cr_expect_str_eq(told.state, "informed");
  cr_expect_str_eq(info().origin, "static");
  unsigned resolvers = told.resolver;
  cr_assert_eq(netconf_renew(nc), 0);
  run(&net, 10 * MS);
  cr_expect_eq(srv.seen[DHCP4_INFORM], 2);
  cr_expect_eq(told.resolver, resolvers, "the same answer is no news");
  cr_assert_eq(netconf_use_dhcp(nc), 0);
  cr_expect_eq(told.resolv.n_servers, 1, "what was asked for the static address is gone with it");
}

/* --- options ------------------------------------------------------------------------------------------------------ */

Test(netconf_ways, changed_options_apply_and_touch_nothing_else) {
  begin(NETCONF_DHCP);
  open_user();
  srv.dns = 0x0a010036;
  run(&net, 1800 * SEC);
  cr_expect_eq(net_addr_to_v4(&told.resolv.servers[1].addr.addr), 0x0a010036);
  cr_expect_eq(user_ended, 0);
  cr_expect_eq(told.address, 1);
  user = stack_udp_close(user);
}

Test(netconf_ways, routes_come_and_go_with_the_lease) {
  struct stack_route_info r;
  struct net_addr far = addr_of("192.0.2.1"), anywhere = addr_of("198.51.100.1");
  srv.route = true;
  begin(NETCONF_DHCP);
  cr_assert_eq(stack_route_lookup(net.s, &far, &r), 0);
  cr_expect_eq(r.dst.len, 24);
  cr_expect_eq(net_addr_to_v4(&r.gateway), 0x0a010009);
  cr_assert_eq(stack_route_lookup(net.s, &anywhere, &r), 0);
  cr_expect_eq(net_addr_to_v4(&r.gateway), 0x0a010009, "121 overrides 3");
  srv.route = false;
  run(&net, 1800 * SEC);
  cr_assert_eq(stack_route_lookup(net.s, &far, &r), 0);
  cr_expect_eq(r.dst.len, 0, "the server changed its mind");
  cr_expect_eq(net_addr_to_v4(&r.gateway), SERVER);
  cr_assert_eq(netconf_release(nc), 0);
  cr_expect_lt(stack_route_lookup(net.s, &far, &r), 0);
}

Test(netconf_ways, rapid_commit) {
  config.rapid_commit = srv.rapid = true;
  begin(NETCONF_DHCP);
  cr_expect(stack_has(ADDR));
  cr_expect_eq(srv.seen[DHCP4_DISCOVER], 1);
  cr_expect_eq(srv.seen[DHCP4_REQUEST], 0);
}

Test(netconf_ways, identifier_and_vendor_class) {
  config.client_id = NETCONF_ID_DUID;
  strcpy(config.vendor_class, "capnet");
  begin(NETCONF_DHCP);
  size_t n;
  const uint8_t *id = raw_find(srv.last, srv.last_len, 61, &n);
  cr_expect(id != NULL && n == 23 && id[0] == 255);
  id = raw_find(srv.last, srv.last_len, 60, &n);
  cr_expect(id != NULL && n == 6 && memcmp(id, "capnet", 6) == 0);
}

Test(netconf_ways, six_seconds_and_ten_renewals) {
  srv.lease_s = 6;
  begin(NETCONF_DHCP);
  open_user();
  run(&net, 31 * SEC);
  cr_expect_geq(srv.seen[DHCP4_REQUEST], 11);
  cr_expect_eq(srv.seen[DHCP4_DISCOVER], 1);
  cr_expect_eq(user_ended, 0);
  user = stack_udp_close(user);
}

/* --- random histories --------------------------------------------------------------------------------------------- */

static uint64_t lcg_state;
static uint32_t lcg(uint32_t below) {
  lcg_state = lcg_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(lcg_state >> 33) % below;
}
static uint32_t lcg_random(void *arg _unused_) { return lcg(UINT32_MAX); }

struct seen {
  bool lease_in_force, dhcp_address, static_address;
  struct netconf_lease lease;
};
static void see_lease(void *arg, const struct netconf_lease *l) {
  struct seen *s = arg;
  if (l->in_force && l->addr.family != 0) {
    s->lease_in_force = true;
    s->lease = *l;
  }
  cr_assert_eq(l->next == NULL, l->next_ns == 0);
  if (l->next != NULL && strcmp(l->next, "renew") != 0)
    cr_assert_gt(l->next_ns + SEC, now(), "what is due lies ahead");
}
static void see_address(void *arg, const struct netconf_address *a) {
  struct seen *s = arg;
  bool in_force = strcmp(a->state, "preferred") == 0;
  s->dhcp_address |= in_force && strcmp(a->origin, "dhcp") == 0;
  s->static_address |= in_force && strcmp(a->origin, "static") == 0;
}

/* Never an address without a live lease or a static line, never a resolver of what is gone. */
static void check(uint64_t seed) {
  struct seen s = {0};
  struct netconf_info i = info();
  netconf_each_lease(nc, see_lease, &s);
  netconf_each_address(nc, see_address, &s);
  cr_assert(stack_has(i.addr.family != 0 ? net_addr_to_v4(&i.addr) : 0), "seed %llu", (unsigned long long)seed);
  cr_assert_eq(i.addr.family != 0, s.dhcp_address || s.static_address);
  cr_assert_not(s.dhcp_address && s.static_address);
  cr_assert_eq(s.dhcp_address, s.lease_in_force, "seed %llu: %s", (unsigned long long)seed, dhcp_state_name(i.dhcp));
  if (s.lease_in_force)
    cr_assert(net_addr_equal(&s.lease.addr, &i.addr) && (s.lease.expiry_ns == 0 || s.lease.expiry_ns > now()));
  cr_assert_eq(i.mode == NETCONF_STATIC || i.mode == NETCONF_DHCP, true);
  unsigned given = 0;
  for (unsigned k = 0; k < i.resolver->n_servers; k++)
    given += strcmp(i.resolver->servers[k].origin, "dhcp") == 0;
  cr_assert(given == 0 || s.lease_in_force || (config.inform && s.static_address), "seed %llu: a stale resolver",
            (unsigned long long)seed);
}

static void random_event(void) {
  struct netconf_static s = {net_addr_v4(ADDR + 7 + lcg(2)), 24, net_addr_v4(SERVER)};
  switch (lcg(16)) {
  case 0:
    srv.silent = !srv.silent;
    break;
  case 1:
    srv.nak = lcg(3) == 0;
    break;
  case 2:
    srv.lease_s = (const uint32_t[]){1, 6, 60, 3600, UINT32_MAX, 0}[lcg(6)];
    break;
  case 3:
    srv.addr = ADDR + lcg(3);
    break;
  case 4:
    taken = lcg(3) ? 0 : ADDR + lcg(9);
    break;
  case 5:
    claim(ADDR + lcg(9));
    break;
  case 6:
    netconf_link(nc, lcg(3) != 0);
    break;
  case 7:
    (void)netconf_renew(nc);
    break;
  case 8:
    (void)netconf_release(nc);
    break;
  case 9:
    cr_assert_eq(netconf_set_static(nc, &s, NULL), 0);
    break;
  case 10:
  case 11:
    cr_assert_eq(netconf_use_dhcp(nc), 0);
    break;
  case 12:
    cr_assert_eq(netconf_reconfigure(nc), 0);
    break;
  case 13:
    cr_assert_eq(loop_sim_suspend(net.loop, lcg(20) * SEC), 0);
    break;
  default:
    run(&net, lcg(8) * SEC);
  }
  run(&net, lcg(1000) * MS);
}

Test(netconf_ways, random_histories) {
  for (uint64_t seed = 1; seed <= 150; seed++) {
    lcg_state = seed;
    config.conflict_detection = (enum netconf_acd)(seed % 3);
    config.conflict_keep = seed & 8;
    config.rapid_commit = srv.rapid = seed & 16;
    config.inform = seed & 32;
    config.offer_wait_ms = seed & 64 ? 100 : 0;
    config.random = lcg_random;
    srv.silent = srv.nak = false;
    srv.lease_s = 60;
    srv.addr = ADDR;
    taken = 0;
    begin(NETCONF_DHCP);
    for (int i = 0; i < 60; i++) {
      told.all[0] = 0;
      random_event();
      check(seed);
    }
    nc = netconf_free(nc);
    stack_if_clear_ipv4(net.a);
  }
}
