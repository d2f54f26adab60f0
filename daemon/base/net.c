/* SPDX-License-Identifier: BSD-3-Clause
 * Addresses, prefixes and ports as values: comparison and classes. Text is in net_text.c.
 */
#include "base/net.h"

#include "base/util.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct net_addr net_addr_v4(uint32_t host_order) {
  struct net_addr a = {.family = AF_INET};
  for (int i = 0; i < 4; i++) {
    a.b[i] = (uint8_t)(host_order >> (24 - 8 * i));
  }
  return a;
}

uint32_t net_addr_to_v4(const struct net_addr *a) {
  return (uint32_t)a->b[0] << 24 | (uint32_t)a->b[1] << 16 | (uint32_t)a->b[2] << 8 | a->b[3];
}

struct net_addr net_addr_canonical(struct net_addr a) {
  if (a.family == AF_INET6 && memcmp(a.b, mapped_prefix, sizeof(mapped_prefix)) == 0) {
    struct net_addr v4 = {.family = AF_INET};
    memcpy(v4.b, a.b + 12, 4);
    return v4;
  }
  return a;
}

static size_t addr_size(const struct net_addr *a) { return a->family == AF_INET ? 4 : a->family == AF_INET6 ? 16 : 0; }

bool net_addr_equal(const struct net_addr *a, const struct net_addr *b) {
  struct net_addr x = net_addr_canonical(*a), y = net_addr_canonical(*b);
  return x.family == y.family && memcmp(x.b, y.b, addr_size(&x)) == 0;
}

bool net_addr_is_unspecified(const struct net_addr *a) {
  static const uint8_t zero[16];
  struct net_addr c = net_addr_canonical(*a);
  return memcmp(c.b, zero, addr_size(&c)) == 0;
}

static enum net_class class_v4(uint32_t v4) {
  uint8_t top = (uint8_t)(v4 >> 24);
  if (top == 0) {
    return NET_UNSPECIFIED;
  }
  if (top == 127) {
    return NET_LOOPBACK;
  }
  if (v4 >> 16 == 0xa9fe) {
    return NET_LINK_LOCAL;
  }
  if (top >= 240) {
    return v4 == UINT32_MAX ? NET_BROADCAST : NET_RESERVED;
  }
  return top >= 224 ? NET_MULTICAST : NET_UNICAST;
}

static enum net_class class_v6(const uint8_t b[16]) {
  static const uint8_t zero[15];
  if (memcmp(b, zero, 15) == 0 && b[15] <= 1) {
    return b[15] == 0 ? NET_UNSPECIFIED : NET_LOOPBACK;
  }
  if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) {
    return NET_LINK_LOCAL;
  }
  return b[0] == 0xff ? NET_MULTICAST : NET_UNICAST;
}

enum net_class net_addr_class(const struct net_addr *a) {
  struct net_addr c = net_addr_canonical(*a);
  if (c.family == AF_INET) {
    return class_v4(net_addr_to_v4(&c));
  }
  return c.family == AF_INET6 ? class_v6(c.b) : NET_UNSPECIFIED;
}

bool net_endpoint_equal(const struct net_endpoint *a, const struct net_endpoint *b) {
  return a->port == b->port && net_addr_equal(&a->addr, &b->addr);
}

struct net_prefix net_prefix_of(const struct net_addr *a, uint8_t len) {
  struct net_prefix p = {*a, len};
  for (unsigned i = 0; i < sizeof p.addr.b; i++) {
    unsigned bits = len > 8 * i ? MIN(len - 8 * i, 8U) : 0;
    p.addr.b[i] &= (uint8_t)(0xff00 >> bits);
  }
  return p;
}

bool net_prefix_contains(const struct net_prefix *p, const struct net_addr *a) {
  struct net_addr c = net_addr_canonical(*a);
  if (c.family == 0 || c.family != p->addr.family || p->len > 8 * addr_size(&c)) {
    return false;
  }
  size_t whole = p->len / 8;
  unsigned rest = p->len % 8;
  if (memcmp(p->addr.b, c.b, whole) != 0) {
    return false;
  }
  return rest == 0 || ((p->addr.b[whole] ^ c.b[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

bool net_prefix_subset(const struct net_prefix *child, const struct net_prefix *parent) {
  return child->len >= parent->len && child->len <= 8 * addr_size(&child->addr) &&
         child->addr.family == parent->addr.family && net_prefix_contains(parent, &child->addr);
}

bool net_prefix_broadcast(const struct net_prefix *p, const struct net_addr *a) {
  struct net_addr c = net_addr_canonical(*a);
  if (p->addr.family != AF_INET || p->len > 30 || !net_prefix_contains(p, &c)) {
    return false;
  }
  uint32_t host_bits = UINT32_MAX >> p->len;
  return (net_addr_to_v4(&c) & host_bits) == host_bits;
}
