/* SPDX-License-Identifier: BSD-3-Clause
 * What servers say to the machine of dhcp6_settle.h, and machines that got as far as that.
 */
#ifndef CAPNET_TEST_DHCP6_RIG_H
#define CAPNET_TEST_DHCP6_RIG_H

#include "dhcp6_settle.h"

static inline struct dhcp6_reply reply(const struct rig *r, enum dhcp6_type type, const char *server) {
  struct dhcp6_reply d = {.type = type, .xid = r->m.xid, .client = r->m.cfg.duid};
  d.server.len = strlen(server);
  memcpy(d.server.b, server, d.server.len);
  return d;
}
static inline struct dhcp6_reply grant(const struct rig *r, enum dhcp6_type type, const char *server, uint32_t preferred, uint32_t valid) {
  struct dhcp6_reply d = reply(r, type, server);
  d.has_ia = true;
  d.n_addrs = 1;
  d.addrs[0] = (struct dhcp6_addr){addr(ONE), preferred, valid};
  d.params.n_dns = 1;
  d.params.dns[0] = addr("2001:db8::53");
  return d;
}
static inline void receive(struct rig *r, const struct dhcp6_reply *d) {
  struct net_addr from = addr("fe80::1");
  dhcp6_receive(&r->m, &from, d, r->now, &r->a);
  settle(r);
}
static inline void status(struct rig *r, const char *server, uint16_t code, bool in_ia) {
  struct dhcp6_reply d = reply(r, DHCP6_REPLY, server);
  d.has_ia = in_ia;
  *(in_ia ? &d.ia_status : &d.status) = code;
  receive(r, &d);
}
static inline struct rig soliciting(void) {
  struct rig r = rig_new(DHCP6_MODE_ADDRESSES, true);
  if (r.sent == 0)
    timer(&r);
  cr_assert_eq(r.last.type, DHCP6_SOLICIT);
  return r;
}
static inline struct rig bound(uint32_t preferred, uint32_t valid) {
  struct rig r = soliciting();
  struct dhcp6_reply d = grant(&r, DHCP6_ADVERTISE, "one", preferred, valid);
  d.preference = 255;
  receive(&r, &d);
  d = grant(&r, DHCP6_REPLY, "one", preferred, valid);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP6_BOUND);
  return r;
}

#endif
