/* SPDX-License-Identifier: BSD-3-Clause
 * A DHCPv4 machine under a clock moved by hand, and a server's side of the talk.
 */
#ifndef CAPNET_TESTS_DHCP4_RIG_H
#define CAPNET_TESTS_DHCP4_RIG_H

#include "dhcp4_settle.h"

static inline const struct dhcp4_action *sent(const struct rig *r) {
  const struct dhcp4_action *last = NULL;
  for (unsigned i = 0; i < r->a.n; i++)
    if (r->a.a[i].kind == DHCP4_ACT_SEND)
      last = &r->a.a[i];
  return last;
}

static inline struct rig rig_with(bool link, const struct dhcp4_config *config) {
  struct dhcp4_config cfg = *config;
  cfg.random = lcg;
  strcpy(cfg.id.hostname, "box");
  memcpy(cfg.id.mac, mac, 6);
  struct rig r = {.now = 1000 * S};
  lcg_state = 42;
  dhcp4_init(&r.m, &cfg, link);
  return r;
}
static inline void start(struct rig *r) {
  dhcp4_start(&r->m, r->now, &r->a);
  settle(r);
}
static inline struct rig rig_new(bool link) {
  struct rig r = rig_with(link, &(struct dhcp4_config){0});
  start(&r);
  return r;
}

static inline void at(struct rig *r, uint64_t when) {
  r->now = when;
  dhcp4_timeout(&r->m, r->now, &r->a);
  settle(r);
}
static inline void timer(struct rig *r) {
  cr_assert_neq(r->m.deadline_ns, 0);
  at(r, MAX(r->now, r->m.deadline_ns));
}
static inline void link_to(struct rig *r, bool up) {
  dhcp4_link(&r->m, up, r->now, &r->a);
  settle(r);
}

static inline struct dhcp4_reply reply(const struct rig *r, enum dhcp4_type type, uint32_t server, uint32_t lease_s) {
  struct dhcp4_reply d = {.type = type, .xid = r->m.xid, .has_lease = true, .lease_s = lease_s};
  memcpy(d.mac, mac, 6);
  d.params.addr = net_addr_v4(ADDR);
  d.params.prefix_len = 24;
  d.params.server = net_addr_v4(server);
  return d;
}
static inline void receive(struct rig *r, const struct dhcp4_reply *d) {
  dhcp4_receive(&r->m, d, r->now, &r->a);
  settle(r);
}
static inline void answer(struct rig *r, enum dhcp4_type type, uint32_t lease_s) {
  struct dhcp4_reply d = reply(r, type, SERVER, lease_s);
  receive(r, &d);
}
static inline void probed(struct rig *r, bool conflict) {
  dhcp4_probed(&r->m, conflict, r->now, &r->a);
  settle(r);
}
static inline struct rig bound(uint32_t lease_s) {
  struct rig r = rig_new(true);
  answer(&r, DHCP4_OFFER, lease_s);
  answer(&r, DHCP4_ACK, lease_s);
  cr_assert_eq(r.m.state, DHCP_BOUND);
  return r;
}
static inline bool is_v4(const struct net_addr *a, uint32_t v) { return a->family == AF_INET && net_addr_to_v4(a) == v; }

static inline uint64_t ignored(const struct rig *r) {
  uint64_t n = 0;
  for (unsigned i = 0; i < DHCP4_REASONS; i++)
    n += r->m.ignored[i];
  return n;
}
/* In seconds of time, but for what is taken at random. */
#define NEAR(a, b) cr_assert((a) <= (b) && (a) + 400 * MS >= (b), "%s is %f s", #a, (double)(a) / 1e9)

#endif
