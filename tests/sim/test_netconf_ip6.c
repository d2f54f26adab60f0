/* SPDX-License-Identifier: BSD-3-Clause
 * IPv6 configuration on the real stack: at the far end of the wire a router and a DHCPv6 server made by hand, clocks moved
 * by hand.
 */
#include "../unit/stack_util.h"
#include "../unit/stack_wire_open.h"
#include "../unit/stack_wire6.h"

#include "../unit/dhcp6_util.h"
#include "../unit/ra_util.h"
#include "netconf/netconf_private.h"

#define ROUTER "fe80::9"
#define PREFIX "2001:db8:1::"
#define LEASE "2001:db8:1::1000"
#define FAR "2001:db8:ffff::1"

static struct wire w;
static struct netconf *nc;
static struct {
  unsigned resolver, addresses, leases;
  struct names_config resolv;
  char last_address[NETCONF_TEXT_MAX], last_lease[NETCONF_TEXT_MAX], all[16384];
} told;

/* The far end. */
static struct {
  bool ra, dhcp, rapid, conflict_once;
  struct raw_ra advert;
  uint32_t preferred, valid;
  unsigned solicits, probes, seen6[16];
  unsigned at; /* frames looked at */
  const char *lease;
} far;

static void on_resolver(void *arg _unused_, const struct names_config *c) {
  told.resolver++;
  told.resolv = *c;
}
static void on_event(void *arg _unused_, const struct netconf_event *ev) {
  char text[NETCONF_TEXT_MAX];
  netconf_event_text(ev, loop_now(w.loop, CLOCK_ID_BOOT), text);
  bool address = strcmp(ev->section, "interfaces") == 0;
  *(address ? &told.addresses : &told.leases) += 1;
  snprintf(address ? told.last_address : told.last_lease, NETCONF_TEXT_MAX, "%s", text);
  if (strlen(told.all) + strlen(text) + 2 < sizeof(told.all))
    sprintf(told.all + strlen(told.all), "%s\n", text);
}
static const struct netconf_upcalls upcalls = {on_event, on_resolver};

static void advertise(void) { wire6_icmp(&w, ROUTER, "ff02::1", 255, far.advert.b, far.advert.len); }

static void dhcp_answer(const uint8_t *m, size_t len, const char *to) {
  struct raw6 r;
  struct dhcp6_duid client = {0};
  size_t n;
  const uint8_t *id = raw6_find(m, len, 1, &n);
  memcpy(client.b, id, n);
  client.len = n;
  uint32_t xid = (uint32_t)m[1] << 16 | (uint32_t)m[2] << 8 | m[3];
  const uint8_t *ia = raw6_find(m, len, 3, &n);
  bool rapid = m[0] == DHCP6_SOLICIT && far.rapid && raw6_find(m, len, 14, &n);
  raw6_begin(&r, m[0] == DHCP6_SOLICIT && !rapid ? DHCP6_ADVERTISE : DHCP6_REPLY, xid, &client, "server");
  if (rapid)
    raw6_opt(&r, 14, NULL, 0);
  if (m[0] == DHCP6_CONFIRM || m[0] == DHCP6_RELEASE || m[0] == DHCP6_DECLINE) {
    raw6_status(&r, 0);
  } else if (ia != NULL) {
    raw6_ia_begin(&r, (uint32_t)ia[0] << 24 | (uint32_t)ia[1] << 16 | (uint32_t)ia[2] << 8 | ia[3], 0, 0);
    raw6_ia_addr(&r, far.lease, far.preferred, far.valid);
    raw6_ia_end(&r);
  }
  struct net_addr dns = raw6_addr("2001:db8::547");
  raw6_opt(&r, 23, dns.b, 16);
  wire6_udp(&w, ROUTER, to, 547, 546, r.b, r.len);
}

static void look(const uint8_t *f, size_t len) {
  if (wire_get(f + 12, 2) != 0x86dd)
    return;
  struct net_addr src = {.family = AF_INET6}, target = {.family = AF_INET6};
  char text[NET_ADDR_STRLEN];
  memcpy(src.b, f + 22, 16);
  net_addr_format(&src, text);
  const uint8_t *p = f + WIRE6_AT;
  if (f[20] == 58 && p[0] == 133) {
    far.solicits++;
    if (far.ra)
      advertise();
  } else if (f[20] == 58 && p[0] == 135 && net_addr_is_unspecified(&src)) {
    far.probes++;
    memcpy(target.b, p + 8, 16);
    if (far.conflict_once && net_addr_class(&target) == NET_UNICAST) {
      far.conflict_once = false;
      net_addr_format(&target, text);
      wire6_nd(&w, text, "ff02::1", 136, WIRE6_NA_O, text, WIRE6_TLLA);
    }
  } else if (f[20] == 58 && p[0] == 135) {
    memcpy(target.b, p + 8, 16); /* somebody asks for the router */
    char who[NET_ADDR_STRLEN];
    net_addr_format(&target, who);
    if (strcmp(who, ROUTER) == 0)
      wire6_nd(&w, ROUTER, text, 136, WIRE6_NA_R | WIRE6_NA_S | WIRE6_NA_O, ROUTER, WIRE6_TLLA);
  } else if (f[20] == 17 && wire_get(p + 2, 2) == 547) {
    cr_expect_eq(net_addr_class(&src), NET_LINK_LOCAL, "from the link-local address");
    far.seen6[p[8] & 15]++;
    if (p[8] == DHCP6_DECLINE)
      far.lease = "2001:db8:1::2000";
    if (far.dhcp)
      dhcp_answer(p + 8, len - WIRE6_AT - 8, text);
  }
}

/* Time passes, and what the stack sends is answered within 10 ms. */
static void pass(uint64_t ns) {
  for (uint64_t left = ns;;) {
    uint64_t step = MIN(left, left > 100 * SEC ? SEC : 10 * MS);
    wire_run(&w, step);
    for (; far.at < w.n; far.at++)
      look(w.got[far.at % WIRE_KEEP].data, w.got[far.at % WIRE_KEEP].len);
    left -= step;
    if (left == 0)
      break;
  }
}

static void setup(void) {
  memset(&far, 0, sizeof(far));
  memset(&told, 0, sizeof(told));
  cr_assert_eq(wire_open(&w), 0);
  stack_if_clear_ipv4(w.i);
  far.ra = far.dhcp = true;
  far.preferred = 100;
  far.valid = 200;
  far.lease = LEASE;
  ra_begin(&far.advert, 0, 1800);
  ra_prefix(&far.advert, PREFIX, 64, 0xc0, 7200, 3600);
}
static void teardown(void) {
  struct stack_stats st;
  nc = netconf_free(nc);
  wire_run(&w, 120 * SEC);
  stack_get_stats(w.s, &st);
  cr_expect_eq(st.asserts, 0);
  cr_expect_eq(st.pbuf_bytes, 0);
  cr_expect_eq(st.udp, 0);
  wire_close(&w);
}
TestSuite(netconf_ip6, .init = setup, .fini = teardown, .timeout = 60);

static uint32_t seven(void *arg _unused_) {
  static uint32_t n = 7;
  return n = n * 1664525 + 1013904223;
}

static void begin_with(struct netconf_config c) {
  c.random = seven;
  cr_assert_eq(netconf_new(w.loop, w.i, &c, &upcalls, NULL, &nc), 0);
  pass(3 * SEC);
}
static void begin(enum netconf_ip6_mode mode) { begin_with((struct netconf_config){.ip6 = mode}); }

static uint64_t now(void) { return loop_now(w.loop, CLOCK_ID_BOOT); }

struct find {
  const char *origin;
  struct netconf_address found;
};
static void on_address(void *arg, const struct netconf_address *a) {
  struct find *f = arg;
  if (strcmp(a->origin, f->origin) == 0)
    f->found = *a;
}
/* The (last) address of that origin; family 0: none. */
static struct netconf_address address(const char *origin) {
  struct find f = {.origin = origin};
  netconf_each_address(nc, on_address, &f);
  return f.found;
}
static bool has(const char *origin, struct net_addr a) {
  struct netconf_address found = address(origin);
  return net_addr_equal(&found.addr, &a);
}
struct find_lease {
  const char *protocol;
  struct netconf_lease found;
};
static void on_lease(void *arg, const struct netconf_lease *l) {
  struct find_lease *f = arg;
  if (strcmp(l->protocol, f->protocol) == 0)
    f->found = *l;
}
static struct netconf_lease lease(const char *protocol) {
  struct find_lease f = {.protocol = protocol};
  netconf_each_lease(nc, on_lease, &f);
  return f.found;
}
static void count_usable(void *arg, const struct stack_if_addr_info *i) {
  *(unsigned *)arg += i->addr.family == AF_INET6 && i->state != STACK_ADDR_TENTATIVE;
}
static unsigned usable(void) {
  unsigned n = 0;
  stack_if_addr_each(w.i, count_usable, &n);
  return n;
}
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
static bool way(const char *to, const char *gateway) {
  struct stack_route_info r;
  struct net_addr dst = wire6_addr(to), gw = {0};
  if (gateway != NULL)
    gw = wire6_addr(gateway);
  return stack_route_lookup(w.s, &dst, &r) == 0 && r.source.family != 0 && net_addr_equal(&r.gateway, &gw);
}
static bool no_way(const char *to) {
  struct stack_route_info r;
  struct net_addr dst = wire6_addr(to);
  return stack_route_lookup(w.s, &dst, &r) < 0 || r.source.family == 0;
}

static struct stack_udp *user;
static unsigned user_ended;
static void on_user_ended(void *arg _unused_) { user_ended++; }
static const struct stack_udp_ops user_ops = {.ended = on_user_ended};
static void open_user(struct net_addr a) {
  struct net_endpoint at = ep(a, 0);
  user_ended = 0;
  cr_assert_eq(stack_udp_open(w.s, &at, &user_ops, NULL, &user), 0);
}

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

static void managed(bool rapid) {
  far.rapid = rapid;
  ra_begin(&far.advert, 0x80, 1800);
  ra_prefix(&far.advert, PREFIX, 64, 0x80, 7200, 3600);
  begin(NETCONF_IP6_AUTO);
  pass(5 * SEC);
}

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

static struct netconf_static6 fixed(const char *a, const char *gateway) {
  struct netconf_static6 s = {.list = {{wire6_addr(a), 64}}, .n = 1};
  if (gateway != NULL)
    s.gateway = wire6_addr(gateway);
  return s;
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
