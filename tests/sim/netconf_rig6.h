/* SPDX-License-Identifier: BSD-3-Clause
 * IPv6 configuration on the real stack, clocks moved by hand: what it told, and what there is.
 */
#ifndef CAPNET_TESTS_NETCONF_RIG6_H
#define CAPNET_TESTS_NETCONF_RIG6_H

#include "netconf_far6.h"

#include "netconf/netconf_private.h"

static struct netconf *nc;
static struct {
  unsigned resolver, addresses, leases;
  struct names_config resolv;
  char last_address[NETCONF_TEXT_MAX], last_lease[NETCONF_TEXT_MAX], all[16384];
} told;

static inline void on_resolver(void *arg _unused_, const struct names_config *c) {
  told.resolver++;
  told.resolv = *c;
}
static inline void on_event(void *arg _unused_, const struct netconf_event *ev) {
  char text[NETCONF_TEXT_MAX];
  netconf_event_text(ev, loop_now(w.loop, CLOCK_ID_BOOT), text);
  bool address = strcmp(ev->section, "interfaces") == 0;
  *(address ? &told.addresses : &told.leases) += 1;
  snprintf(address ? told.last_address : told.last_lease, NETCONF_TEXT_MAX, "%s", text);
  if (strlen(told.all) + strlen(text) + 2 < sizeof(told.all))
    sprintf(told.all + strlen(told.all), "%s\n", text);
}
static const struct netconf_upcalls upcalls = {on_event, on_resolver};

static inline void setup(void) {
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
static inline void teardown(void) {
  struct stack_stats st;
  nc = netconf_free(nc);
  wire_run(&w, 120 * SEC);
  stack_get_stats(w.s, &st);
  cr_expect_eq(st.asserts, 0);
  cr_expect_eq(st.pbuf_bytes, 0);
  cr_expect_eq(st.udp, 0);
  wire_close(&w);
}

static inline uint32_t seven(void *arg _unused_) {
  static uint32_t n = 7;
  return n = n * 1664525 + 1013904223;
}

static inline void begin_with(struct netconf_config c) {
  c.random = seven;
  cr_assert_eq(netconf_new(w.loop, w.i, &c, &upcalls, NULL, &nc), 0);
  pass(3 * SEC);
}
static inline void begin(enum netconf_ip6_mode mode) { begin_with((struct netconf_config){.ip6 = mode}); }

static inline uint64_t now(void) { return loop_now(w.loop, CLOCK_ID_BOOT); }

struct find {
  const char *origin;
  struct netconf_address found;
};
static inline void on_address(void *arg, const struct netconf_address *a) {
  struct find *f = arg;
  if (strcmp(a->origin, f->origin) == 0)
    f->found = *a;
}
/* The (last) address of that origin; family 0: none. */
static inline struct netconf_address address(const char *origin) {
  struct find f = {.origin = origin};
  netconf_each_address(nc, on_address, &f);
  return f.found;
}
static inline bool has(const char *origin, struct net_addr a) {
  struct netconf_address found = address(origin);
  return net_addr_equal(&found.addr, &a);
}
struct find_lease {
  const char *protocol;
  struct netconf_lease found;
};
static inline void on_lease(void *arg, const struct netconf_lease *l) {
  struct find_lease *f = arg;
  if (strcmp(l->protocol, f->protocol) == 0)
    f->found = *l;
}
static inline struct netconf_lease lease(const char *protocol) {
  struct find_lease f = {.protocol = protocol};
  netconf_each_lease(nc, on_lease, &f);
  return f.found;
}
static inline void count_usable(void *arg, const struct stack_if_addr_info *i) {
  *(unsigned *)arg += i->addr.family == AF_INET6 && i->state != STACK_ADDR_TENTATIVE;
}
static inline unsigned usable(void) {
  unsigned n = 0;
  stack_if_addr_each(w.i, count_usable, &n);
  return n;
}
static inline bool way(const char *to, const char *gateway) {
  struct stack_route_info r;
  struct net_addr dst = wire6_addr(to), gw = {0};
  if (gateway != NULL)
    gw = wire6_addr(gateway);
  return stack_route_lookup(w.s, &dst, &r) == 0 && r.source.family != 0 && net_addr_equal(&r.gateway, &gw);
}
static inline bool no_way(const char *to) {
  struct stack_route_info r;
  struct net_addr dst = wire6_addr(to);
  return stack_route_lookup(w.s, &dst, &r) < 0 || r.source.family == 0;
}

static struct stack_udp *user _unused_;
static unsigned user_ended _unused_;
static inline void on_user_ended(void *arg _unused_) { user_ended++; }
static const struct stack_udp_ops user_ops _unused_ = {.ended = on_user_ended};
static inline void open_user(struct net_addr a) {
  struct net_endpoint at = ep(a, 0);
  user_ended = 0;
  cr_assert_eq(stack_udp_open(w.s, &at, &user_ops, NULL, &user), 0);
}

static inline struct netconf_static6 fixed(const char *a, const char *gateway) {
  struct netconf_static6 s = {.list = {{wire6_addr(a), 64}}, .n = 1};
  if (gateway != NULL)
    s.gateway = wire6_addr(gateway);
  return s;
}

static inline void managed(bool rapid) {
  far.rapid = rapid;
  ra_begin(&far.advert, 0x80, 1800);
  ra_prefix(&far.advert, PREFIX, 64, 0x80, 7200, 3600);
  begin(NETCONF_IP6_AUTO);
  pass(5 * SEC);
}

#endif
