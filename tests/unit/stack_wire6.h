/* SPDX-License-Identifier: BSD-3-Clause
 * IPv6 on the wire of stack_wire.h: any packet by hand, the messages of neighbour discovery, and what the stack answered.
 */
#ifndef CAPNET_TEST_STACK_WIRE6_H
#define CAPNET_TEST_STACK_WIRE6_H

#include "stack/stack_if6.h"

#include "stack_wire.h"

#define WIRE6_OWN "fe80::1"
#define WIRE6_PEER "fe80::9"
#define WIRE6_AT 54 /* what is behind Ethernet and IPv6 */

static inline struct net_addr wire6_addr(const char *text) {
  struct net_addr a = {0};
  if (net_addr_parse(text, &a) < 0)
    abort();
  return a;
}

static inline uint16_t wire6_sum(const uint8_t *f, const uint8_t *l4, uint8_t proto, size_t len) {
  uint32_t acc = proto + (uint32_t)len;
  for (int k = 22; k < 54; k += 2)
    acc += wire_get(f + k, 2);
  return wire_sum(l4, len, acc);
}

/* Ethernet and IPv6 in front of len bytes at f + WIRE6_AT; a group goes to its own link-layer address. */
static inline size_t wire6_ip(struct wire *w, uint8_t *f, const char *src, const char *dst, uint8_t next, uint8_t hops,
                              size_t len) {
  struct net_addr s = wire6_addr(src), d = wire6_addr(dst);
  memcpy(f, w->mac, 6);
  if (d.b[0] == 0xff) {
    f[0] = f[1] = 0x33;
    memcpy(f + 2, d.b + 12, 4);
  }
  memcpy(f + 6, wire_peer_mac, 6);
  wire_put(f + 12, 0x86dd, 2);
  memset(f + 14, 0, 40);
  f[14] = 0x60;
  wire_put(f + 18, (uint32_t)len, 2);
  f[20] = next;
  f[21] = hops;
  memcpy(f + 22, s.b, 16);
  memcpy(f + 38, d.b, 16);
  return WIRE6_AT + len;
}

/* ICMPv6; the checksum is put right. */
static inline void wire6_icmp(struct wire *w, const char *src, const char *dst, uint8_t hops, const void *icmp, size_t len) {
  uint8_t f[1600] = {0};
  memcpy(f + WIRE6_AT, icmp, len);
  size_t n = wire6_ip(w, f, src, dst, 58, hops, len);
  wire_put(f + WIRE6_AT + 2, 0, 2);
  wire_put(f + WIRE6_AT + 2, wire6_sum(f, f + WIRE6_AT, 58, len), 2);
  wire_inject(w, f, n);
}

/* A neighbour solicitation (135) or advertisement (136) with the peer's link-layer address as its option; opt 0: without. */
static inline void wire6_nd(struct wire *w, const char *src, const char *dst, uint8_t type, uint8_t flags,
                            const char *target, uint8_t opt) {
  uint8_t m[32] = {type, 0, 0, 0, flags};
  struct net_addr t = wire6_addr(target);
  memcpy(m + 8, t.b, 16);
  m[24] = opt;
  m[25] = 1;
  memcpy(m + 26, wire_peer_mac, 6);
  wire6_icmp(w, src, dst, 255, m, opt ? 32 : 24);
}
enum { WIRE6_NA_R = 0x80, WIRE6_NA_S = 0x40, WIRE6_NA_O = 0x20, WIRE6_SLLA = 1, WIRE6_TLLA = 2 };

static inline void wire6_udp(struct wire *w, const char *src, const char *dst, uint16_t sport, uint16_t dport,
                             const void *data, size_t len) {
  uint8_t f[1600] = {0}, *u = f + WIRE6_AT;
  wire_put(u, sport, 2);
  wire_put(u + 2, dport, 2);
  wire_put(u + 4, (uint32_t)len + 8, 2);
  memcpy(u + 8, data, len);
  size_t n = wire6_ip(w, f, src, dst, 17, 64, len + 8);
  wire_put(u + 6, wire6_sum(f, u, 17, len + 8), 2);
  wire_inject(w, f, n);
}

/* The newest frame since `since` that is ICMPv6 of this type; NULL: none. A router alert is stepped over; *ret_icmp. */
static inline const uint8_t *wire6_find(const struct wire *w, unsigned since, uint8_t type, const uint8_t **ret_icmp) {
  for (unsigned k = 0; k + since < w->n; k++) {
    const uint8_t *f = wire_last(w, k);
    if (!f || wire_get(f + 12, 2) != 0x86dd)
      continue;
    const uint8_t *icmp = f + WIRE6_AT + (f[20] == 0 ? 8 : 0);
    if ((f[20] == 58 || f[20] == 0) && icmp[0] == type) {
      if (ret_icmp)
        *ret_icmp = icmp;
      return f;
    }
  }
  return NULL;
}

static inline unsigned wire6_count(const struct wire *w, unsigned since, uint8_t type) {
  unsigned n = 0;
  for (unsigned k = 0; k + since < w->n; k++) {
    const uint8_t *f = wire_last(w, k);
    if (f && wire_get(f + 12, 2) == 0x86dd)
      n += (f[20] == 58 && f[WIRE6_AT] == type) || (f[20] == 0 && f[WIRE6_AT + 8] == type);
  }
  return n;
}

#endif
