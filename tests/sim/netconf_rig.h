/* SPDX-License-Identifier: BSD-3-Clause
 * An interface with its configuration, and what was told of it.
 */
#ifndef CAPNET_TESTS_NETCONF_RIG_H
#define CAPNET_TESTS_NETCONF_RIG_H

#include "netconf/netconf.h"
#include "netconf_wire.h"

struct told {
  unsigned address, resolver, lease;
  struct net_addr addr;
  uint8_t prefix_len;
  const char *origin;
  struct names_config resolv;
  const char *state;
  char text[NETCONF_TEXT_MAX], all[16384]; /* the last event, and all of them, a line each */
  unsigned tentative, duplicate, defended;
};

static struct netconf *nc;
static struct told told;
static struct netconf_config config; /* what begin() adds to */
static uint64_t wall;
static inline uint64_t wall_now(void *arg _unused_) { return wall; }

static inline void on_resolver(void *arg _unused_, const struct names_config *c) {
  told.resolver++;
  told.resolv = *c;
}
static inline void on_event(void *arg _unused_, const struct netconf_event *ev) {
  netconf_event_text(ev, loop_now(net.loop, CLOCK_ID_BOOT), told.text);
  size_t used = strlen(told.all);
  (void)snprintf(told.all + used, sizeof(told.all) - used, "%s\n", told.text);
  if (strcmp(ev->section, "interfaces") == 0) {
    if (strcmp(ev->to, "tentative") == 0 || strcmp(ev->to, "duplicate") == 0) {
      (*ev->to == 't' ? &told.tentative : &told.duplicate)[0]++;
      return;
    }
    if (ev->reason != NULL && strstr(ev->reason, "defended") != NULL) {
      told.defended++;
      return;
    }
    bool gone = strcmp(ev->to, "gone") == 0;
    told.address++;
    told.addr = gone ? (struct net_addr){0} : ev->addr;
    told.prefix_len = gone ? 0 : ev->prefix_len;
    told.origin = gone ? NULL : ev->protocol;
    return;
  }
  cr_expect_str_eq(ev->protocol, "dhcp4");
  cr_expect_str_neq(ev->from, ev->to);
  told.lease++;
  told.state = ev->to;
}
static const struct netconf_upcalls upcalls = {on_event, on_resolver};

static inline void setup(void) {
  net_open(&net, NULL);
  stack_if_clear_ipv4(net.a);
  net.addr_b = net_addr_v4(SERVER);
  cr_assert_eq(stack_if_set_ipv4(net.b, &net.addr_b, 24, NULL), 0);
  cr_assert_eq(stack_udp_open_if(net.b, AF_INET, 67, &server_ops, NULL, &server), 0);
  cr_assert_eq(stack_arp_open(net.b, on_arp, NULL, &host), 0);
  memset(&told, 0, sizeof(told));
  memset(&srv, 0, sizeof(srv));
  memset(&config, 0, sizeof(config));
  taken = 0;
  wall = 1700000000;
  srv.dns = 0x0a010035;
  srv.addr = ADDR;
  srv.lease_s = 3600;
  srv.broadcast = true;
  run(&net, MS); /* what the wire still has is not of the test */
}
static inline void teardown(void) {
  nc = netconf_free(nc);
  server = stack_udp_close(server);
  host = stack_arp_close(host);
  cr_expect_eq(stats_of(&net).asserts, 0);
  cr_expect_eq(stats_of(&net).udp, 0);
  net_close(&net);
}

static inline void begin(enum netconf_mode mode) {
  struct netconf_config c = config;
  c.mode = mode;
  strcpy(c.hostname, "box");
  c.wall_s = wall_now;
  probes = announcements = 0;
  if (mode == NETCONF_STATIC)
    c.fixed = (struct netconf_static){net_addr_v4(ADDR), 24, net_addr_v4(SERVER)};
  c.resolver.servers[0] = (struct names_server){ep(addr_of("192.0.2.53"), 53), "static"};
  c.resolver.n_servers = 1;
  cr_assert_eq(netconf_new(net.loop, net.a, &c, &upcalls, NULL, &nc), 0);
  run(&net, 100 * MS);
}
static inline void on_lease(void *arg, const struct netconf_lease *l) { *(struct netconf_lease *)arg = *l; }
static inline struct netconf_lease lease(void) {
  struct netconf_lease l = {0};
  netconf_each_lease(nc, on_lease, &l);
  return l;
}
static inline struct netconf_info info(void) {
  struct netconf_info i;
  netconf_info(nc, &i);
  return i;
}
static inline bool stack_has(uint32_t v) {
  struct stack_if_info i;
  stack_if_info(net.a, &i);
  return v == 0 ? i.addr.family == 0 : i.addr.family == AF_INET && net_addr_to_v4(&i.addr) == v;
}
static inline uint64_t now(void) { return loop_now(net.loop, CLOCK_ID_BOOT); }

static struct stack_udp *user;
static unsigned user_ended;
static inline void on_user_ended(void *arg _unused_) { user_ended++; }
static const struct stack_udp_ops user_ops = {.ended = on_user_ended};
static inline void open_user(void) {
  struct net_endpoint at = ep(net_addr_v4(ADDR), 0);
  user_ended = 0;
  cr_assert_eq(stack_udp_open(net.s, &at, &user_ops, NULL, &user), 0);
}

#endif
