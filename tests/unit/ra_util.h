/* SPDX-License-Identifier: BSD-3-Clause
 * A router's messages, byte by byte, for tests: nothing of the codec under test is used to build them.
 */
#ifndef CAPNET_TESTS_RA_UTIL_H
#define CAPNET_TESTS_RA_UTIL_H

#include "base/util.h"
#include "netconf/ra_msg.h"

struct raw_ra {
  uint8_t b[1500];
  size_t len;
};

static inline void ra_u32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static inline struct net_addr ra_addr(const char *s) {
  struct net_addr a = {0};
  if (net_addr_parse(s, &a) < 0)
    abort();
  return a;
}

/* flags: 0x80 M, 0x40 O, 0x08 high preference, 0x18 low. */
static inline void ra_begin(struct raw_ra *r, uint8_t flags, uint16_t lifetime_s) {
  memset(r, 0, sizeof(*r));
  r->b[0] = 134;
  r->b[4] = 64;
  r->b[5] = flags;
  r->b[6] = (uint8_t)(lifetime_s >> 8);
  r->b[7] = (uint8_t)lifetime_s;
  r->len = 16;
}

/* A header of 8 bytes and data, filled up with zeros to whole units. Returns where it begins. */
static inline uint8_t *ra_option(struct raw_ra *r, uint8_t type, const void *data, size_t len) {
  uint8_t *o = r->b + r->len;
  size_t size = (8 + len + 7) / 8 * 8;
  o[0] = type;
  o[1] = (uint8_t)(size / 8);
  if (len > 0)
    memcpy(o + 8, data, len);
  r->len += size;
  return o;
}

/* flags: 0x80 on link, 0x40 autonomous. */
static inline void ra_prefix(struct raw_ra *r, const char *prefix, uint8_t len, uint8_t flags, uint32_t valid, uint32_t preferred) {
  struct net_addr a = ra_addr(prefix);
  uint8_t d[24] = {0};
  memcpy(d + 8, a.b, 16);
  uint8_t *o = ra_option(r, 3, d, sizeof(d));
  o[2] = len;
  o[3] = flags;
  ra_u32(o + 4, valid);
  ra_u32(o + 8, preferred);
}
static inline void ra_mtu(struct raw_ra *r, uint32_t mtu) { ra_u32(ra_option(r, 5, NULL, 0) + 4, mtu); }
static inline void ra_server(struct raw_ra *r, const char *server, uint32_t lifetime) {
  struct net_addr a = ra_addr(server);
  ra_u32(ra_option(r, 25, a.b, 16) + 4, lifetime);
}
static inline void ra_domain(struct raw_ra *r, const char *wire, size_t len, uint32_t lifetime) {
  ra_u32(ra_option(r, 31, wire, len) + 4, lifetime);
}
static inline void ra_route(struct raw_ra *r, const char *prefix, uint8_t len, uint8_t flags, uint32_t lifetime) {
  struct net_addr a = ra_addr(prefix);
  uint8_t *o = ra_option(r, 24, a.b, len == 0 ? 0 : len <= 64 ? 8 : 16);
  o[2] = len;
  o[3] = flags;
  ra_u32(o + 4, lifetime);
}

#endif
