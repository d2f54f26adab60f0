/* SPDX-License-Identifier: BSD-3-Clause
 * Which of an interface's IPv6 addresses is the source of a packet (RFC 6724 5). Rules 4 and 7 are about mobile nodes and
 * temporary addresses, which there are none of, and the candidates of rule 5 are those of the interface.
 */
#include "stack/stack_ip6.h"

/* RFC 6724 3.1: site-local ones apart, unicast addresses are link-local or global. As the scope of a group. */
enum { SCOPE_LINK = 2, SCOPE_SITE = 5, SCOPE_GLOBAL = 14 };

static int scope_of(const uint8_t *a) {
  static const uint8_t loopback[16] = {[15] = 1};
  if (a[0] == 0xff)
    return a[1] & 15;
  if ((a[0] == 0xfe && (a[1] & 0xc0) == 0x80) || memcmp(a, loopback, 16) == 0)
    return SCOPE_LINK;
  return a[0] == 0xfe && (a[1] & 0xc0) == 0xc0 ? SCOPE_SITE : SCOPE_GLOBAL;
}

/* The default policy table of RFC 6724 2.1; the longest prefix first. */
static int label_of(const uint8_t *a) {
  static const struct {
    uint8_t prefix[16], len, label;
  } table[] = {
      {{[15] = 1}, 128, 0},
      {{[10] = 0xff, [11] = 0xff}, 96, 4},
      {{0}, 96, 3},
      {{0x20, 0x01}, 32, 5},
      {{0x20, 0x02}, 16, 2},
      {{0x3f, 0xfe}, 16, 12},
      {{0xfe, 0xc0}, 10, 11},
      {{0xfc}, 7, 13},
  };
  struct net_addr addr = {.family = AF_INET6};
  memcpy(addr.b, a, 16);
  for (size_t k = 0; k < ARRAY_SIZE(table); k++) {
    struct net_prefix p = {.addr = {.family = AF_INET6}, .len = table[k].len};
    memcpy(p.addr.b, table[k].prefix, 16);
    if (net_prefix_contains(&p, &addr))
      return table[k].label;
  }
  return 1;
}

/* RFC 6724 2.2: no further than the source's prefix goes. */
static int common_bits(const uint8_t *source, const uint8_t *dst, int limit) {
  int n = 0;
  while (n < limit && !((source[n / 8] ^ dst[n / 8]) & (0x80 >> n % 8)))
    n++;
  return n;
}

struct candidate {
  const uint8_t *addr;
  int scope, label, bits;
  bool same, deprecated;
};

/* Is a better than b, for a destination of this scope and label? */
static bool preferred(const struct candidate *a, const struct candidate *b, int scope, int label) {
  if (a->same != b->same)
    return a->same;
  if (a->scope != b->scope)
    return a->scope < b->scope ? a->scope >= scope : b->scope < scope;
  if (a->deprecated != b->deprecated)
    return b->deprecated;
  if ((a->label == label) != (b->label == label))
    return a->label == label;
  return a->bits > b->bits;
}

int stack_source6(const struct stack_if *i, const struct net_addr *dst) {
  int scope = scope_of(dst->b), label = label_of(dst->b), best = -1;
  struct candidate chosen = {0};
  for (int k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++) {
    uint8_t state = netif_ip6_addr_state(&i->netif, k);
    if (!ip6_addr_isvalid(state))
      continue;
    const uint8_t *a = (const uint8_t *)netif_ip6_addr(&i->netif, k)->addr;
    struct candidate c = {.addr = a,
                          .scope = scope_of(a),
                          .label = label_of(a),
                          .bits = common_bits(a, dst->b, i->prefix_len6[k]),
                          .same = memcmp(a, dst->b, 16) == 0,
                          .deprecated = state == IP6_ADDR_DEPRECATED};
    if (best < 0 || preferred(&c, &chosen, scope, label)) {
      best = k;
      chosen = c;
    }
  }
  return best;
}
