/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv4 codec: what it keeps, what it leaves out, and what makes it refuse a message.
 */
#include "dhcp4_util.h"

#include <criterion/criterion.h>

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
#define XID 0x01020304u
#define ADDR 0xc0a80105u   /* 192.168.1.5 */
#define SERVER 0xc0a80101u /* 192.168.1.1 */

static struct raw offer_of(uint32_t yiaddr) {
  struct raw r;
  raw_begin(&r, DHCP4_OFFER, XID, mac, yiaddr);
  raw_opt32(&r, 54, SERVER);
  raw_opt32(&r, 51, 3600);
  return r;
}

static struct dhcp4_reply decoded(struct raw r) {
  struct dhcp4_reply reply;
  raw_end(&r);
  cr_assert_eq(dhcp4_decode(r.b, r.len, &reply), 0);
  return reply;
}

static bool is_v4(const struct net_addr *a, uint32_t v) { return a->family == AF_INET && net_addr_to_v4(a) == v; }

Test(dhcp4_msg, ordinary) {
  struct raw r = offer_of(ADDR);
  raw_opt32(&r, 1, 0xffffff00);
  raw_opt(&r, 3, "\xc0\xa8\x01\x01\xc0\xa8\x01\x02", 8);
  raw_opt(&r, 6, "\x08\x08\x08\x08\xc0\xa8\x01\x01", 8);
  raw_opt(&r, 15, "Example.ORG", 12); /* RFC 2132 2: with a NUL, which does not belong to it */
  raw_opt(&r, 26, "\x05\x78", 2);
  raw_opt32(&r, 58, 100);
  raw_opt32(&r, 59, 200);
  struct dhcp4_reply d = decoded(r);
  cr_assert_eq(d.type, DHCP4_OFFER);
  cr_assert_eq(d.xid, XID);
  cr_assert_arr_eq(d.mac, mac, 6);
  cr_assert(is_v4(&d.params.addr, ADDR));
  cr_assert_eq(d.params.prefix_len, 24);
  cr_assert(is_v4(&d.params.gateway, SERVER));
  cr_assert(is_v4(&d.params.server, SERVER));
  cr_assert_eq(d.params.n_dns, 2);
  cr_assert(is_v4(&d.params.dns[0], 0x08080808));
  cr_assert_eq(d.params.n_search, 1);
  cr_assert_str_eq(d.params.search[0], "example.org");
  cr_assert(d.params.search_present);
  cr_assert_eq(d.params.mtu, 1400);
  cr_assert(d.has_lease);
  cr_assert_eq(d.lease_s, 3600);
  cr_assert_eq(d.t1_s, 100);
  cr_assert_eq(d.t2_s, 200);
}

Test(dhcp4_msg, nothing_but_the_least) {
  struct dhcp4_reply d = decoded(offer_of(ADDR));
  cr_assert_eq(d.params.prefix_len, 24, "the class of 192.168.1.5");
  cr_assert_eq(d.params.gateway.family, 0);
  cr_assert_eq(d.params.n_dns, 0);
  cr_assert_not(d.params.search_present);
  cr_assert_eq(d.params.mtu, 0);
  cr_assert_eq(d.t1_s, 0);
  cr_assert_eq(decoded(offer_of(0x0a000005)).params.prefix_len, 8);
  cr_assert_eq(decoded(offer_of(0xac100005)).params.prefix_len, 16);
}

Test(dhcp4_msg, refused_whole) {
  struct dhcp4_reply d;
  struct raw good = offer_of(ADDR);
  raw_end(&good);
  static const struct {
    size_t at;
    uint8_t value;
    const char *what;
  } rows[] = {
      {0, 1, "a request"},     {1, 6, "not Ethernet"},      {2, 5, "short hardware address"},
      {236, 0, "wrong cookie"}, {242, DHCP4_DISCOVER, "a client's type"}, {242, 0, "no type"},
      {242, 8, "INFORM"},      {242, 200, "unknown type"},  {241, 2, "type of two bytes"},
      {244, 200, "an option over the end"},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    struct raw r = good;
    r.b[rows[i].at] = rows[i].value;
    memset(&d, 0xaa, sizeof(d));
    cr_assert_lt(dhcp4_decode(r.b, r.len, &d), 0, "%s", rows[i].what);
    cr_assert_eq(d.xid, 0xaaaaaaaa, "untouched: %s", rows[i].what);
  }
  for (size_t len = 0; len < 243; len++)
    cr_assert_lt(dhcp4_decode(good.b, len, &d), 0, "%zu bytes", len);
}

Test(dhcp4_msg, option_ends_at_the_end_and_one_byte_over) {
  struct dhcp4_reply d;
  struct raw r = offer_of(ADDR); /* without END */
  cr_assert_eq(dhcp4_decode(r.b, r.len, &d), 0);
  cr_assert_eq(dhcp4_decode(r.b, r.len - 1, &d), -EBADMSG);
  r.b[r.len++] = 3; /* a code without a length */
  cr_assert_eq(dhcp4_decode(r.b, r.len, &d), -EBADMSG);
}

Test(dhcp4_msg, addresses_no_host_can_have) {
  static const uint32_t bad[] = {0, 0xffffffff, 0x7f000001, 0xe0000001, 0xf0000001, 0xa9fe0101, 0xc0a80100, 0xc0a801ff};
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    struct raw r = offer_of(bad[i]);
    raw_opt32(&r, 1, 0xffffff00);
    cr_assert_eq(decoded(r).params.addr.family, 0, "%08x", bad[i]);
  }
  static const struct {
    uint32_t mask;
    uint8_t prefix;
  } masks[] = {{0xffffffff, 32}, {0xfffffffe, 31}, {0xfffffffc, 30}, {0x80000000, 1},
               {0, 24},          {0xff00ff00, 24}, {1, 24}};
  for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
    struct raw r = offer_of(ADDR);
    raw_opt32(&r, 1, masks[i].mask);
    cr_assert_eq(decoded(r).params.prefix_len, masks[i].prefix, "%08x", masks[i].mask);
  }
}

Test(dhcp4_msg, junk_from_the_server_is_left_out) {
  struct raw r = offer_of(ADDR);
  raw_opt(&r, 3, "\x00\x00\x00\x00\xc0\xa8\x01\x05\xff\xff\xff\xff\xc0\xa8\x01\x09", 16); /* none, us, broadcast */
  raw_opt(&r, 6, "\x7f\x00\x00\x01\xe0\x00\x00\xfb\x00\x00\x00\x00\x01\x01\x01\x01\x01\x01\x01\x01\x09", 21);
  raw_opt(&r, 26, "\x00\x43", 2); /* 67 */
  raw_opt(&r, 58, "\x00\x01", 2);
  raw_opt(&r, 15, "evil\x1b[31m.org", 13);
  struct dhcp4_reply d = decoded(r);
  cr_assert(is_v4(&d.params.gateway, 0xc0a80109));
  cr_assert_eq(d.params.n_dns, 1);
  cr_assert(is_v4(&d.params.dns[0], 0x01010101));
  cr_assert_eq(d.params.mtu, 0);
  cr_assert_eq(d.t1_s, 0);
  cr_assert_eq(d.params.n_search, 0);
  cr_assert(d.params.search_present, "somebody configured one, though nothing of it is usable");
}

Test(dhcp4_msg, dns_servers_up_to_the_limit) {
  for (unsigned n = NAMES_SERVERS_MAX; n <= NAMES_SERVERS_MAX + 1; n++) {
    struct raw r = offer_of(ADDR);
    uint8_t list[64];
    for (unsigned i = 0; i < n; i++)
      raw_u32(list + 4 * i, 0x0a000001 + i);
    raw_opt(&r, 6, list, 4 * n);
    cr_assert_eq(decoded(r).params.n_dns, NAMES_SERVERS_MAX);
  }
}

Test(dhcp4_msg, overload) {
  for (uint8_t how = 0; how <= 4; how++) {
    struct raw r = offer_of(ADDR);
    raw_opt(&r, 52, &how, 1);
    raw_end(&r);
    memcpy(r.b + 108, "\x06\x04\x01\x01\x01\x01\xff", 7); /* file */
    memcpy(r.b + 44, "\x06\x04\x02\x02\x02\x02\xff", 7);  /* sname */
    struct dhcp4_reply d;
    int e = dhcp4_decode(r.b, r.len, &d);
    if (how == 4) {
      cr_assert_eq(e, -EBADMSG);
      continue;
    }
    cr_assert_eq(e, 0);
    cr_assert_eq(d.params.n_dns, (how & 1) + (how >> 1));
    if (how == 3)
      cr_assert(is_v4(&d.params.dns[0], 0x01010101), "file comes before sname");
  }
  struct raw r = offer_of(ADDR);
  raw_opt(&r, 52, "\x02", 1);
  r.b[44 + 62] = 6; /* runs over the end of sname */
  r.b[44 + 63] = 4;
  struct dhcp4_reply d;
  cr_assert_eq(dhcp4_decode(r.b, r.len, &d), -EBADMSG);
}

Test(dhcp4_msg, long_options_are_put_together) {
  struct raw r = offer_of(ADDR);
  raw_opt(&r, 6, "\x01\x01", 2); /* one address in two pieces, another option between */
  raw_opt32(&r, 58, 5);
  raw_opt(&r, 6, "\x01\x01", 2);
  raw_opt(&r, 119, "\x03"
                   "abc\x03",
          5);
  raw_opt(&r, 119, "org\x00", 4);
  struct dhcp4_reply d = decoded(r);
  cr_assert_eq(d.params.n_dns, 1);
  cr_assert(is_v4(&d.params.dns[0], 0x01010101));
  cr_assert_eq(d.params.n_search, 1);
  cr_assert_str_eq(d.params.search[0], "abc.org");
}

static struct dhcp4_params search_of(const char *bytes, size_t len) {
  struct raw r = offer_of(ADDR);
  raw_opt(&r, 15, "ignored.example", 15);
  raw_opt(&r, 119, bytes, len);
  return decoded(r).params;
}
#define SEARCH(s) search_of(s, sizeof(s) - 1)

Test(dhcp4_msg, search_list) {
  struct dhcp4_params p = SEARCH("\3eng\5apple\3com\0\11marketing\xc0\x04");
  cr_assert_eq(p.n_search, 2, "the example of RFC 3397");
  cr_assert_str_eq(p.search[0], "eng.apple.com");
  cr_assert_str_eq(p.search[1], "marketing.apple.com");
  p = SEARCH("\3eng\5apple\3com\0\3ENG\5apple\3com\0");
  cr_assert_eq(p.n_search, 1, "a repetition");
  p = SEARCH("\0");
  cr_assert_eq(p.n_search, 0);
  cr_assert(p.search_present);
  p = SEARCH("\3a b\0\2ok\0");
  cr_assert_eq(p.n_search, 1, "only the bad name is left out");
  cr_assert_str_eq(p.search[0], "ok");
}

Test(dhcp4_msg, search_list_hostile) {
  cr_assert_eq(SEARCH("\xc0\x00").n_search, 0, "a pointer to itself");
  cr_assert_eq(SEARCH("\1a\xc0\x00").n_search, 0, "a loop through a label");
  cr_assert_eq(SEARCH("\2ok\0\xc0\x06\xc0\x04").n_search, 1, "two pointers at each other");
  cr_assert_eq(SEARCH("\2ok\0\1b\xc0\xff").n_search, 1, "a pointer behind the end");
  cr_assert_eq(SEARCH("\2ok\0\1b\xc0").n_search, 1, "half a pointer");
  cr_assert_eq(SEARCH("\2ok\0\12short").n_search, 1, "a label over the end");
  cr_assert_eq(SEARCH("\2ok\0\101long").n_search, 1, "a reserved label type");
  cr_assert_eq(SEARCH("\2ok").n_search, 0, "no end");
  char many[255];
  size_t len = 0;
  for (int i = 0; i < NAMES_SEARCH_MAX + 1; i++) {
    many[len++] = 1;
    many[len++] = (char)('a' + i);
    many[len++] = 0;
  }
  cr_assert_eq(search_of(many, len - 3).n_search, NAMES_SEARCH_MAX);
  cr_assert_eq(search_of(many, len).n_search, NAMES_SEARCH_MAX);
}

Test(dhcp4_msg, longest_name_and_one_more) {
  for (int last = 61; last <= 62; last++) { /* 63.63.63.61 is 253 characters */
    struct raw r = offer_of(ADDR);
    char name[300];
    size_t len = 0;
    for (int i = 0; i < 4; i++) {
      int n = i < 3 ? 63 : last;
      name[len++] = (char)n;
      memset(name + len, 'x', (size_t)n);
      len += (size_t)n;
    }
    name[len++] = 0;
    raw_opt(&r, 119, name, 200);
    raw_opt(&r, 119, name + 200, len - 200);
    cr_assert_eq(decoded(r).params.n_search, last == 61 ? 1 : 0);
  }
}

Test(dhcp4_msg, routers_in_their_order) {
  struct raw r = offer_of(ADDR);
  raw_opt(&r, 3, "\xc0\xa8\x01\x09\xc0\xa8\x01\x08\xc0\xa8\x01\x09\x7f\0\0\1\xc0\xa8\x01\x08\xc0\xa8\x01\x07", 24);
  struct dhcp4_params p = decoded(r).params;
  cr_assert(is_v4(&p.gateway, 0xc0a80109));
  cr_assert_eq(p.n_spares, 2, "each once");
  cr_assert(is_v4(&p.spares[0], 0xc0a80108));
  cr_assert(is_v4(&p.spares[1], 0xc0a80107));
  struct raw many = offer_of(ADDR);
  uint8_t list[4 * 63];
  for (int i = 0; i < 63; i++)
    memcpy(list + (size_t)4 * i, (uint8_t[]){192, 168, 1, (uint8_t)(100 + i)}, 4);
  raw_opt(&many, 3, list, sizeof list);
  cr_assert_eq(decoded(many).params.n_spares, DHCP4_SPARES_MAX);
  struct raw classless = offer_of(ADDR);
  raw_opt(&classless, 121, "\0\xc0\xa8\1\1\0\xc0\xa8\1\2", 10);
  p = decoded(classless).params;
  cr_assert(is_v4(&p.gateway, 0xc0a80101));
  cr_assert_eq(p.n_spares, 1);
  cr_assert(is_v4(&p.spares[0], 0xc0a80102));
}

/* --- routes, RFC 3442 and 2132 5.8 -------------------------------------------------------------------------------- */

static bool is_route(const struct dhcp4_route *r, uint32_t dst, uint8_t len, uint32_t gateway) {
  return is_v4(&r->dst.addr, dst) && r->dst.len == len &&
         (gateway == 0 ? r->gateway.family == 0 : is_v4(&r->gateway, gateway));
}

Test(dhcp4_msg, classless_routes_override) {
  struct raw r = offer_of(ADDR);
  raw_opt32(&r, 3, 0xc0a801fe);
  raw_opt(&r, 33, "\x0a\0\0\0\xc0\xa8\1\xfd", 8);
  raw_opt(&r, 121,
          "\x00\xc0\xa8\1\1"              /* default */
          "\x18\x0a\1\2\xc0\xa8\1\2"      /* 10.1.2.0/24 */
          "\x20\x0a\1\2\3\0\0\0\0"        /* 10.1.2.3/32 on link */
          "\x09\x0a\xff\xc0\xa8\1\3",     /* 10.128.0.0/9 with bits beyond it */
          5 + 8 + 9 + 7);
  struct dhcp4_params p = decoded(r).params;
  cr_assert(is_v4(&p.gateway, 0xc0a80101), "3 does not count");
  cr_assert_eq(p.n_routes, 3, "nor does 33");
  cr_assert(is_route(&p.routes[0], 0x0a010200, 24, 0xc0a80102));
  cr_assert(is_route(&p.routes[1], 0x0a010203, 32, 0));
  cr_assert(is_route(&p.routes[2], 0x0a800000, 9, 0xc0a80103));
  r = offer_of(ADDR);
  raw_opt32(&r, 3, 0xc0a801fe);
  raw_opt(&r, 121, "\x18\x0a\1\2\xc0\xa8\1\2", 8);
  p = decoded(r).params;
  cr_assert_eq(p.gateway.family, 0, "no default route in 121: none at all");
}

Test(dhcp4_msg, classless_routes_hostile) {
  static const struct {
    const char *bytes;
    size_t len;
    unsigned n;
  } rows[] = {
      {"\x21\x0a\1\2\3\4\xc0\xa8\1\2", 10, 0},                            /* a length of 33 */
      {"\x18\x0a\1\2\xc0\xa8\1", 7, 0},                                   /* cut short */
      {"\x18\x0a\1\2\xc0\xa8\1\2\x18\x0a", 10, 1},                        /* the second is */
      {"\x08\x7f\xc0\xa8\1\2\x04\xe0\xc0\xa8\1\2", 12, 0},                /* loopback, multicast */
      {"\x18\x0a\1\2\xc0\xa8\1\5\x18\x0a\1\3\xe0\0\0\1", 16, 0},          /* through us, through a group */
      {"\x00\0\0\0\0\x18\x0a\1\2\xc0\xa8\1\2", 13, 1},                    /* everywhere on link */
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    struct raw r = offer_of(ADDR);
    raw_opt(&r, 121, rows[i].bytes, rows[i].len);
    struct dhcp4_params p = decoded(r).params;
    cr_assert_eq(p.n_routes, rows[i].n, "row %zu: %u", i, p.n_routes);
    cr_assert_eq(p.gateway.family, 0, "row %zu", i);
  }
  struct raw r = offer_of(ADDR);
  for (unsigned i = 0; i < DHCP4_ROUTES_MAX + 1; i++) { /* one option in pieces */
    uint8_t route[8] = {24, 10, 1, (uint8_t)i, 192, 168, 1, 2};
    raw_opt(&r, 121, route, 8);
  }
  cr_assert_eq(decoded(r).params.n_routes, DHCP4_ROUTES_MAX);
}

Test(dhcp4_msg, static_routes) {
  struct raw r = offer_of(ADDR);
  raw_opt(&r, 33,
          "\x0a\0\0\0\xc0\xa8\1\2"     /* class A */
          "\xac\x10\0\0\xc0\xa8\1\2"   /* B */
          "\xc6\x33\x64\x09\xc0\xa8\1\2" /* a host */
          "\0\0\0\0\xc0\xa8\1\2"       /* 5.8: never a default route */
          "\x0b\0\0\0\0\0\0\0",        /* no router */
          40);
  struct dhcp4_params p = decoded(r).params;
  cr_assert_eq(p.n_routes, 3);
  cr_assert(is_route(&p.routes[0], 0x0a000000, 8, 0xc0a80102));
  cr_assert(is_route(&p.routes[1], 0xac100000, 16, 0xc0a80102));
  cr_assert(is_route(&p.routes[2], 0xc6336409, 32, 0xc0a80102));
  cr_assert_eq(p.gateway.family, 0);
}

Test(dhcp4_msg, the_rest) {
  struct raw r = offer_of(ADDR);
  raw_opt32(&r, 1, 0xffffff00);
  raw_opt32(&r, 28, 0xc0a801ff);
  raw_opt(&r, 42, "\xc0\xa8\1\x09\x7f\0\0\1\xc0\xa8\1\x09\xc0\xa8\1\x0a", 16);
  raw_opt(&r, 80, "", 0);
  raw_opt32(&r, 108, 1800);
  raw_opt(&r, 61, "\1\2\0\0\0\0\7", 7);
  struct dhcp4_reply d = decoded(r);
  cr_assert(is_v4(&d.params.broadcast, 0xc0a801ff));
  cr_assert_eq(d.params.n_ntp, 2);
  cr_assert(is_v4(&d.params.ntp[1], 0xc0a8010a));
  cr_assert(d.rapid && d.has_v6only && d.has_client_id);
  cr_assert_eq(d.v6only_s, 1800);
  cr_assert_eq(d.client_id_len, 7);
  r = offer_of(ADDR);
  raw_opt32(&r, 28, 0xffffffff);
  raw_opt(&r, 80, "x", 1);
  raw_opt(&r, 108, "\0\1", 2);
  d = decoded(r);
  cr_assert_eq(d.params.broadcast.family, 0, "not the broadcast address of the prefix");
  cr_assert_not(d.rapid || d.has_v6only || d.has_client_id);
}

Test(dhcp4_msg, server_that_no_server_can_be) {
  static const uint32_t bad[] = {0, 0xe0000001, 0xffffffff, 0x7f000001, 0xf0000001};
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    struct raw r;
    raw_begin(&r, DHCP4_OFFER, XID, mac, ADDR);
    raw_opt32(&r, 54, bad[i]);
    cr_assert_eq(decoded(r).params.server.family, 0, "%08x", bad[i]);
  }
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

Test(dhcp4_msg, encode) {
  struct dhcp4_identity who = {.hostname = "box", .vendor_class = "capnet"};
  struct dhcp4_send m = {.type = DHCP4_REQUEST,
                         .xid = XID,
                         .secs = 258,
                         .requested = net_addr_v4(ADDR),
                         .server = net_addr_v4(SERVER)};
  memcpy(who.mac, mac, 6);
  uint8_t b[DHCP4_MSG_MAX];
  size_t n, len = dhcp4_encode(&who, &m, b);
  cr_assert_geq(len, DHCP4_MSG_MIN);
  cr_assert_arr_eq(b, "\1\1\6\0\1\2\3\4\1\2\0\0", 12);
  cr_assert_arr_eq(raw_find(b, len, 53, &n), "\3", 1);
  cr_assert_arr_eq(raw_find(b, len, 61, &n), "\1\2\0\0\0\0\7", 7);
  cr_assert_arr_eq(raw_find(b, len, 50, &n), "\xc0\xa8\1\5", 4);
  cr_assert_arr_eq(raw_find(b, len, 54, &n), "\xc0\xa8\1\1", 4);
  const uint8_t *name = raw_find(b, len, 12, &n);
  cr_assert(name != NULL && n == 3 && memcmp(name, "box", 3) == 0);
  name = raw_find(b, len, 60, &n);
  cr_assert(name != NULL && n == 6 && memcmp(name, "capnet", 6) == 0);
  const uint8_t *list = raw_find(b, len, 55, &n);
  for (const char *c = "\x01\x03\x06\x0f\x1a\x1c\x21\x2a\x33\x3a\x3b\x77\x79"; *c != 0; c++)
    cr_assert_not_null(memchr(list, *c, n), "option %d is asked for", *c);
  cr_assert_null(memchr(list, 108, n));
  cr_assert_lt(memchr(list, 121, n), memchr(list, 3, n), "RFC 3442: in this order");
  cr_assert_not_null(raw_find(b, len, 57, &n));
  cr_assert_null(raw_find(b, len, 80, &n));
  for (n = len; b[n - 1] == 0;)
    n--;
  cr_assert_eq(b[n - 1], 255, "4.1: the last option is the end");

  memset(who.hostname, 'h', sizeof(who.hostname) - 1);
  memcpy(who.client_id, "\xff\0\0\0\1\0\4", 7);
  who.client_id_len = 23;
  m.rapid = m.v6only = true;
  len = dhcp4_encode(&who, &m, b);
  cr_assert_leq(len, 576u);
  cr_assert_not_null(raw_find(b, len, 12, &n));
  cr_assert_eq(n, 63);
  cr_assert_not_null(raw_find(b, len, 61, &n));
  cr_assert_eq(n, 23);
  cr_assert_not_null(raw_find(b, len, 80, &n));
  cr_assert_eq(n, 0);
  list = raw_find(b, len, 55, &n);
  cr_assert_not_null(memchr(list, 108, n));
  who.hostname[0] = who.vendor_class[0] = '\0';
  m.broadcast = true;
  len = dhcp4_encode(&who, &m, b);
  cr_assert_null(raw_find(b, len, 12, &n));
  cr_assert_null(raw_find(b, len, 60, &n));
  cr_assert_eq(b[10], 0x80);
}

Test(dhcp4_msg, encode_decline_release_inform) {
  struct dhcp4_identity who = {.hostname = "box", .vendor_class = "capnet"};
  uint8_t b[DHCP4_MSG_MAX];
  size_t n, len;
  for (int type = DHCP4_DECLINE; type <= DHCP4_RELEASE; type += DHCP4_RELEASE - DHCP4_DECLINE) {
    struct dhcp4_send m = {.type = (enum dhcp4_type)type, .server = net_addr_v4(SERVER), .message = "why"};
    len = dhcp4_encode(&who, &m, b);
    const uint8_t *message = raw_find(b, len, 56, &n);
    cr_assert(message != NULL && n == 3 && memcmp(message, "why", 3) == 0);
    cr_assert_null(raw_find(b, len, 55, &n), "RFC 2131 table 5: neither wishes nor names");
    cr_assert_null(raw_find(b, len, 12, &n));
    cr_assert_not_null(raw_find(b, len, 54, &n));
    cr_assert_not_null(raw_find(b, len, 61, &n), "the same identifier in all messages");
    cr_assert_null(raw_find(b, len, 57, &n));
    cr_assert_null(raw_find(b, len, 60, &n));
  }
  struct dhcp4_send m = {.type = DHCP4_INFORM, .ciaddr = net_addr_v4(ADDR)};
  len = dhcp4_encode(&who, &m, b);
  cr_assert_arr_eq(b + 12, "\xc0\xa8\1\5", 4);
  const uint8_t *list = raw_find(b, len, 55, &n);
  cr_assert(list != NULL && memchr(list, 6, n) != NULL && memchr(list, 51, n) == NULL, "no lease is asked for");
}

Test(dhcp4_msg, long_option_out) {
  struct dhcp4_identity who = {0};
  struct dhcp4_send m = {.type = DHCP4_DISCOVER};
  uint8_t b[DHCP4_MSG_MAX];
  memset(who.vendor_class, 'v', sizeof(who.vendor_class) - 1);
  size_t n, len = dhcp4_encode(&who, &m, b);
  const uint8_t *first = raw_find(b, len, 60, &n);
  cr_assert_eq(n, 255);
  cr_assert_eq(first[255], 60, "RFC 3396: the rest in another of the same code");
  cr_assert_eq(first[256], DHCP4_VENDOR_MAX - 1 - 255);
  cr_assert_leq(len, DHCP4_MSG_MAX);
}
