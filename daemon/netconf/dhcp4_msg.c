/* SPDX-License-Identifier: BSD-3-Clause
 * Reading DHCPv4 messages: what of them can be true.
 */
#include "netconf/dhcp4_wire.h"

static bool host_address(const struct net_addr *a) { return net_addr_class(a) == NET_UNICAST; }

/* A router or a server may live in 169.254/16, too. */
static bool neighbour_address(const struct net_addr *a) {
  return host_address(a) || net_addr_class(a) == NET_LINK_LOCAL;
}

static uint8_t class_prefix(uint32_t addr) { return addr >> 31 == 0 ? 8 : addr >> 30 == 2 ? 16 : 24; }

static uint8_t decode_prefix(const struct areas *areas, uint32_t addr) {
  uint32_t mask;
  if (!dhcp4_option_u32(areas, OPT_MASK, &mask) || mask == 0)
    return class_prefix(addr);
  uint32_t host = ~mask;
  if (host & (host + 1)) /* not contiguous */
    return class_prefix(addr);
  return (uint8_t)__builtin_popcount(mask);
}

/* yiaddr must be an address that a host can have in its own subnet. */
static void decode_address(const uint8_t *data, const struct areas *areas, struct dhcp4_params *p) {
  uint32_t v = get32(data + OFF_YIADDR), broadcast;
  struct net_addr a = net_addr_v4(v);
  if (!host_address(&a))
    return;
  uint8_t len = decode_prefix(areas, v);
  uint32_t host = len >= 32 ? 0 : UINT32_MAX >> len;
  if (len <= 30 && ((v & host) == 0 || (v & host) == host))
    return;
  p->addr = a;
  p->prefix_len = len;
  if (len <= 30 && dhcp4_option_u32(areas, OPT_BROADCAST, &broadcast) && broadcast == (v | host))
    p->broadcast = net_addr_v4(broadcast);
}

/* --- routes -------------------------------------------------------------------------------------------------------- */

static void add_gateway(struct dhcp4_params *p, const struct net_addr *a) {
  if (p->gateway.family == 0) {
    p->gateway = *a;
    return;
  }
  bool known = net_addr_equal(&p->gateway, a);
  for (unsigned i = 0; i < p->n_spares; i++)
    known = known || net_addr_equal(&p->spares[i], a);
  if (!known && p->n_spares < DHCP4_SPARES_MAX)
    p->spares[p->n_spares++] = *a;
}

static void add_route(struct dhcp4_params *p, uint32_t dst, uint8_t len, uint32_t gateway) {
  uint32_t mask = len == 0 ? 0 : UINT32_MAX << (32 - len);
  struct dhcp4_route r = {.dst = {net_addr_v4(dst & mask), len}};
  enum net_class c = net_addr_class(&r.dst.addr);
  if (gateway != 0) {
    r.gateway = net_addr_v4(gateway);
    if (!neighbour_address(&r.gateway) || net_addr_equal(&r.gateway, &p->addr))
      return;
  }
  if (len == 0) { /* to everywhere without a router is no route */
    if (gateway != 0)
      add_gateway(p, &r.gateway);
    return;
  }
  if (c == NET_LOOPBACK || c == NET_MULTICAST || c == NET_RESERVED || c == NET_BROADCAST || c == NET_UNSPECIFIED)
    return;
  if (p->n_routes < DHCP4_ROUTES_MAX)
    p->routes[p->n_routes++] = r;
}

/* RFC 3442: 121 decides alone; a router in it that is 0.0.0.0 means on link. What follows a length over 32 cannot be
 * read. */
static void decode_classless(const uint8_t *b, size_t len, struct dhcp4_params *p) {
  for (size_t pos = 0; pos < len;) {
    uint8_t width = b[pos++];
    size_t octets = (width + 7u) / 8u;
    if (width > 32 || pos + octets + 4 > len)
      return;
    uint8_t dst[4] = {0};
    memcpy(dst, b + pos, octets);
    add_route(p, get32(dst), width, get32(b + pos + octets));
    pos += octets + 4;
  }
}

/* RFC 2132 5.8: by class, never a default route. */
static void decode_static_routes(const uint8_t *b, size_t len, struct dhcp4_params *p) {
  for (size_t pos = 0; pos + 8 <= len; pos += 8) {
    uint32_t dst = get32(b + pos), gateway = get32(b + pos + 4), tail;
    if (dst == 0 || gateway == 0)
      continue;
    uint8_t width = class_prefix(dst);
    tail = UINT32_MAX >> width;
    add_route(p, dst, (dst & tail) != 0 ? 32 : width, gateway); /* to a host, when there is one in it */
  }
}

static void decode_routers(const uint8_t *b, size_t len, struct dhcp4_params *p) {
  for (size_t i = 0; i + 4 <= len; i += 4) {
    struct net_addr a = net_addr_v4(get32(b + i));
    if (neighbour_address(&a) && !net_addr_equal(&a, &p->addr))
      add_gateway(p, &a);
  }
}

static void decode_routes(const struct areas *areas, struct dhcp4_params *p) {
  uint8_t buf[OPTION_MAX];
  ssize_t len = dhcp4_option(areas, OPT_CLASSLESS, buf);
  if (len >= 5) {
    decode_classless(buf, (size_t)len, p);
    return;
  }
  len = dhcp4_option(areas, OPT_ROUTER, buf);
  decode_routers(buf, (size_t)MAX(len, 0), p);
  len = dhcp4_option(areas, OPT_STATIC_ROUTES, buf);
  decode_static_routes(buf, (size_t)MAX(len, 0), p);
}

/* --- lists of addresses -------------------------------------------------------------------------------------------- */

static unsigned decode_hosts(const struct areas *areas, uint8_t code, struct net_addr *ret, unsigned max) {
  uint8_t buf[OPTION_MAX];
  unsigned n = 0;
  ssize_t len = dhcp4_option(areas, code, buf);
  for (ssize_t i = 0; i + 4 <= len && n < max; i += 4) {
    struct net_addr a = net_addr_v4(get32(buf + i));
    bool use = host_address(&a);
    for (unsigned j = 0; j < n; j++)
      use = use && !net_addr_equal(&a, &ret[j]);
    if (use)
      ret[n++] = a;
  }
  return n;
}

static void decode_server(const struct areas *areas, struct dhcp4_params *p) {
  uint32_t server;
  if (!dhcp4_option_u32(areas, OPT_SERVER, &server))
    return;
  struct net_addr a = net_addr_v4(server);
  if (neighbour_address(&a))
    p->server = a;
}

static void decode_rest(const struct areas *areas, struct dhcp4_reply *r) {
  uint8_t buf[OPTION_MAX];
  if (dhcp4_option(areas, OPT_MTU, buf) == 2 && get16(buf) >= DHCP4_MTU_MIN)
    r->params.mtu = get16(buf);
  r->has_lease = dhcp4_option_u32(areas, OPT_LEASE, &r->lease_s);
  (void)dhcp4_option_u32(areas, OPT_T1, &r->t1_s);
  (void)dhcp4_option_u32(areas, OPT_T2, &r->t2_s);
  r->rapid = dhcp4_option(areas, OPT_RAPID_COMMIT, buf) == 0;
  r->has_v6only = dhcp4_option_u32(areas, OPT_V6ONLY, &r->v6only_s);
  ssize_t len = dhcp4_option(areas, OPT_CLIENT_ID, buf);
  if (len < 0)
    return;
  r->has_client_id = true;
  r->client_id_len = (size_t)len;
  memcpy(r->client_id, buf, MIN((size_t)len, sizeof(r->client_id)));
}

int dhcp4_decode(const uint8_t *data, size_t len, struct dhcp4_reply *ret) {
  if (len < OFF_OPTIONS || data[OFF_OP] != BOOTREPLY || data[OFF_HTYPE] != HTYPE_ETHERNET || data[OFF_HLEN] != 6 ||
      memcmp(data + OFF_COOKIE, dhcp4_cookie, sizeof(dhcp4_cookie)) != 0)
    return -EPROTO;
  struct areas areas;
  if (dhcp4_areas(data, len, &areas) < 0)
    return -EBADMSG;
  uint8_t buf[OPTION_MAX];
  if (dhcp4_option(&areas, OPT_TYPE, buf) != 1 ||
      (buf[0] != DHCP4_OFFER && buf[0] != DHCP4_ACK && buf[0] != DHCP4_NAK))
    return -EPROTO;

  struct dhcp4_reply r = {.type = (enum dhcp4_type)buf[0], .xid = get32(data + OFF_XID)};
  memcpy(r.mac, data + OFF_CHADDR, sizeof(r.mac));
  decode_address(data, &areas, &r.params);
  decode_routes(&areas, &r.params);
  r.params.n_dns = decode_hosts(&areas, OPT_DNS, r.params.dns, NAMES_SERVERS_MAX);
  r.params.n_ntp = decode_hosts(&areas, OPT_NTP, r.params.ntp, DHCP4_NTP_MAX);
  decode_server(&areas, &r.params);
  r.odd_search = !dhcp4_decode_search(&areas, &r.params);
  decode_rest(&areas, &r);
  *ret = r;
  return 0;
}
