/* SPDX-License-Identifier: BSD-3-Clause
 * The codec of router discovery. Offsets are those of the figures in RFC 4861 4.2 and 4.6, RFC 4191 2.3, RFC 8106 5.
 */
#include "netconf/ra_msg.h"

#include "base/util.h"
#include "base/wire.h"
#include "netconf/dns_name_wire.h"

#define TYPE_RS 133
#define TYPE_RA 134
#define RA_HEADER 16
#define FLAG_MANAGED 0x80
#define FLAG_OTHER 0x40

enum { OPT_SLLA = 1, OPT_PREFIX = 3, OPT_MTU = 5, OPT_ROUTE = 24, OPT_RDNSS = 25, OPT_DNSSL = 31 };


/* Two bits at 0x18. Returns false for the reserved value. */
static bool preference(uint8_t flags, int *ret) {
  static const int values[4] = {0, 1, 2, -1};
  int v = values[flags >> 3 & 3];
  *ret = v == 2 ? 0 : v;
  return v != 2;
}

/* Takes len bits of what is there; the rest is to be ignored, whatever it is. */
static struct net_prefix get_prefix(const uint8_t *bytes, size_t n_bytes, uint8_t len) {
  struct net_prefix p = {.addr = {.family = AF_INET6}, .len = len};
  memcpy(p.addr.b, bytes, MIN(n_bytes, (size_t)(len + 7) / 8));
  if (len % 8 != 0)
    p.addr.b[len / 8] &= (uint8_t)(0xff00 >> (len % 8));
  return p;
}

static struct net_addr get_addr(const uint8_t *p) {
  struct net_addr a = {.family = AF_INET6};
  memcpy(a.b, p, 16);
  return a;
}

/* Each returns false when the option makes no sense or there are too many. */

static bool decode_prefix(struct ra_message *m, const uint8_t *o, size_t len) {
  if (len != 32 || o[2] > 128 || m->n_prefixes == RA_PREFIXES_MAX)
    return false;
  m->prefixes[m->n_prefixes++] = (struct ra_prefix){.prefix = get_prefix(o + 16, 16, o[2]),
                                                    .on_link = (o[3] & 0x80) != 0,
                                                    .autonomous = (o[3] & 0x40) != 0,
                                                    .valid_s = get32(o + 4),
                                                    .preferred_s = get32(o + 8)};
  return true;
}

static bool decode_mtu(struct ra_message *m, const uint8_t *o, size_t len) {
  if (len != 8 || get32(o + 4) < RA_MTU_MIN)
    return false;
  m->mtu = get32(o + 4);
  return true;
}

/* RFC 4191 2.3: 8, 16 or 24 bytes, and as many as the prefix needs. */
static bool decode_route(struct ra_message *m, const uint8_t *o, size_t len) {
  int pref;
  if (len < 8 || len > 24 || o[2] > 128 || (len == 8 && o[2] > 0) || (len == 16 && o[2] > 64) ||
      !preference(o[3], &pref) || m->n_routes == RA_ROUTES_MAX)
    return false;
  m->routes[m->n_routes++] =
      (struct ra_route){.prefix = get_prefix(o + 8, len - 8, o[2]), .preference = pref, .lifetime_s = get32(o + 4)};
  return true;
}

/* RFC 8106 5.1: a server is a host; a link-local one is on this link. */
static bool is_server(const uint8_t *p) {
  struct net_addr a = get_addr(p);
  enum net_class c = net_addr_class(&a);
  return (c == NET_UNICAST || c == NET_LINK_LOCAL) && net_addr_canonical(a).family == AF_INET6;
}

/* 5.3.1: an option with an address that is none MUST be discarded, with all others in it. */
static bool decode_rdnss(struct ra_message *m, const uint8_t *o, size_t len) {
  if (len < 24 || len % 16 != 8)
    return false;
  for (size_t i = 8; i + 16 <= len; i += 16)
    if (!is_server(o + i))
      return false;
  for (size_t i = 8; i + 16 <= len; i += 16) {
    if (m->n_servers == NAMES_SERVERS_MAX)
      return false;
    m->servers[m->n_servers++] = (struct ra_server){get_addr(o + i), get32(o + 4)};
  }
  return true;
}

static bool decode_dnssl(struct ra_message *m, const uint8_t *o, size_t len) {
  if (len < 16)
    return false;
  bool all = true;
  for (size_t pos = 8; pos < len && o[pos] != 0;) { /* zeros after the last name are padding */
    char name[NAMES_NAME_MAX];
    int r = dns_name_read(o, len, &pos, name);
    if (r == -EBADMSG)
      return false;
    if (r < 0 || m->n_domains == NAMES_SEARCH_MAX) {
      all = false;
      continue;
    }
    struct ra_domain *d = &m->domains[m->n_domains++];
    memcpy(d->name, name, strlen(name) + 1);
    d->lifetime_s = get32(o + 4);
  }
  return all;
}

static bool decode_option(struct ra_message *m, const uint8_t *o, size_t len) {
  switch (o[0]) {
  case OPT_PREFIX:
    return decode_prefix(m, o, len);
  case OPT_MTU:
    return decode_mtu(m, o, len);
  case OPT_ROUTE:
    return decode_route(m, o, len);
  case OPT_RDNSS:
    return decode_rdnss(m, o, len);
  case OPT_DNSSL:
    return decode_dnssl(m, o, len);
  default: /* unknown ones are passed over; the router's link-layer address is the stack's affair */
    return true;
  }
}

int ra_decode(const uint8_t *icmp, size_t len, struct ra_message *ret) {
  if (len < RA_HEADER || icmp[0] != TYPE_RA || icmp[1] != 0)
    return -EBADMSG;
  /* All lengths first: a message that is wrong anywhere changes nothing (RFC 4861 6.1.2). */
  for (size_t at = RA_HEADER; at < len; at += (size_t)icmp[at + 1] * 8)
    if (len - at < 2 || icmp[at + 1] == 0 || (size_t)icmp[at + 1] * 8 > len - at)
      return -EBADMSG;
  *ret = (struct ra_message){.hop_limit = icmp[4],
                             .managed = (icmp[5] & FLAG_MANAGED) != 0,
                             .other = (icmp[5] & FLAG_OTHER) != 0,
                             .router_s = get16(icmp + 6),
                             .reachable_ms = get32(icmp + 8),
                             .retrans_ms = get32(icmp + 12)};
  (void)preference(icmp[5], &ret->preference); /* RFC 4191 2.2: a reserved value is medium here */
  for (size_t at = RA_HEADER; at < len; at += (size_t)icmp[at + 1] * 8)
    ret->left_out += !decode_option(ret, icmp + at, (size_t)icmp[at + 1] * 8);
  return 0;
}

void rs_encode(const uint8_t mac[6], uint8_t ret[RS_LEN]) {
  memset(ret, 0, RS_LEN);
  ret[0] = TYPE_RS;
  ret[8] = OPT_SLLA;
  ret[9] = 1;
  memcpy(ret + 10, mac, 6);
}
