/* SPDX-License-Identifier: BSD-3-Clause
 * The far end of the wire: a router and a DHCPv6 server made by hand.
 */
#ifndef CAPNET_TESTS_NETCONF_FAR6_H
#define CAPNET_TESTS_NETCONF_FAR6_H

#include "../unit/stack_util.h"
#include "../unit/stack_wire_open.h"
#include "../unit/stack_wire6.h"

#include "../unit/dhcp6_util.h"
#include "../unit/ra_util.h"

#define ROUTER "fe80::9"
#define PREFIX "2001:db8:1::"
#define LEASE "2001:db8:1::1000"
#define FAR "2001:db8:ffff::1"

static struct wire w;
/* The far end. */
static struct {
  bool ra, dhcp, rapid, conflict_once;
  struct raw_ra advert;
  uint32_t preferred, valid;
  unsigned solicits, probes, seen6[16];
  unsigned at; /* frames looked at */
  const char *lease;
} far;

static inline void advertise(void) { wire6_icmp(&w, ROUTER, "ff02::1", 255, far.advert.b, far.advert.len); }

static inline void dhcp_answer(const uint8_t *m, size_t len, const char *to) {
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

static inline void look(const uint8_t *f, size_t len) {
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
static inline void pass(uint64_t ns) {
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

#endif
