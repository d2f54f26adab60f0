/* SPDX-License-Identifier: BSD-3-Clause
 * A server's DHCPv6 messages, byte by byte, for tests: nothing of the codec under test is used to build them.
 */
#ifndef CAPNET_TESTS_DHCP6_UTIL_H
#define CAPNET_TESTS_DHCP6_UTIL_H

#include "base/util.h"
#include "netconf/dhcp6_msg.h"

struct raw6 {
  uint8_t b[1500];
  size_t len;
  size_t ia; /* where the IA_NA's length stands; 0: none is open */
};

static inline void raw6_u16(uint8_t *p, unsigned v) {
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}
static inline void raw6_u32(uint8_t *p, uint32_t v) {
  raw6_u16(p, v >> 16);
  raw6_u16(p + 2, v & 0xffff);
}
static inline struct net_addr raw6_addr(const char *s) {
  struct net_addr a = {0};
  if (net_addr_parse(s, &a) < 0)
    abort();
  return a;
}

/* Goes into the IA_NA while one is open. */
static inline void raw6_opt(struct raw6 *r, unsigned code, const void *data, size_t len) {
  raw6_u16(r->b + r->len, code);
  raw6_u16(r->b + r->len + 2, (unsigned)len);
  if (len > 0)
    memcpy(r->b + r->len + 4, data, len);
  r->len += 4 + len;
  if (r->ia != 0)
    raw6_u16(r->b + r->ia, (unsigned)(r->len - r->ia - 2));
}
static inline void raw6_begin(struct raw6 *r, uint8_t type, uint32_t xid, const struct dhcp6_duid *client, const char *server) {
  memset(r, 0, sizeof(*r));
  raw6_u32(r->b, xid);
  r->b[0] = type;
  r->len = 4;
  raw6_opt(r, 1, client->b, client->len);
  raw6_opt(r, 2, server, strlen(server));
}
static inline void raw6_opt32(struct raw6 *r, unsigned code, uint32_t v) {
  uint8_t b[4];
  raw6_u32(b, v);
  raw6_opt(r, code, b, 4);
}
static inline void raw6_status(struct raw6 *r, unsigned status) {
  uint8_t b[2];
  raw6_u16(b, status);
  raw6_opt(r, 13, b, 2);
}
static inline void raw6_ia_begin(struct raw6 *r, uint32_t iaid, uint32_t t1, uint32_t t2) {
  uint8_t b[12];
  raw6_u32(b, iaid);
  raw6_u32(b + 4, t1);
  raw6_u32(b + 8, t2);
  raw6_opt(r, 3, b, sizeof(b));
  r->ia = r->len - 14;
}
static inline void raw6_ia_addr(struct raw6 *r, const char *addr, uint32_t preferred, uint32_t valid) {
  uint8_t b[24];
  struct net_addr a = raw6_addr(addr);
  memcpy(b, a.b, 16);
  raw6_u32(b + 16, preferred);
  raw6_u32(b + 20, valid);
  raw6_opt(r, 5, b, sizeof(b));
}
static inline void raw6_ia_end(struct raw6 *r) { r->ia = 0; }

/* The value of an option of what a client sent; NULL: absent. */
static inline const uint8_t *raw6_find(const uint8_t *data, size_t len, unsigned code, size_t *ret_len) {
  for (size_t i = 4; i + 4 <= len;) {
    size_t size = (size_t)(data[i + 2] << 8 | data[i + 3]);
    if ((unsigned)(data[i] << 8 | data[i + 1]) == code) {
      *ret_len = size;
      return data + i + 4;
    }
    i += 4 + size;
  }
  return NULL;
}

#endif
