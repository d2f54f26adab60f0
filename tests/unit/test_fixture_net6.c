/* SPDX-License-Identifier: BSD-3-Clause
 * The far end over IPv6, frame against frame: neighbour and router discovery, DHCPv6.
 */
#include "fixture_util.h"

static struct far far;
static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
static const uint8_t all_dhcp_mac[6] = {0x33, 0x33, 0, 1, 0, 2};
static const uint8_t mac_of_1[6] = {2, 0xf6, 0, 0, 0, 1};
static struct net_addr me, any, group;

static void begin(const char *script, bool follow) {
  far_open(&far, script, follow);
  me = far_addr("fe80::7");
  group = far_addr("ff02::1:ff00:1");
  any = (struct net_addr){.family = AF_INET6};
}
static void end(void) { far_close(&far); }
TestSuite(fixture_net6, .fini = end);

static const char *next(void) {
  far_run(&far, 1);
  return far_next(&far);
}
static const uint8_t *icmp(void) { return far_last(&far) + 54; }

/* Is the checksum of the last frame right? */
static bool sum_is_right(void) {
  const uint8_t *ip = far_last(&far) + 14;
  struct net_addr src = wire_get_addr(AF_INET6, ip + 8), dst = wire_get_addr(AF_INET6, ip + 24);
  return wire_checksum(&src, &dst, ip[6], ip + 40, get16(ip + 4)) == 0;
}

static void solicit(const struct net_addr *from, const char *target, uint8_t hops) {
  uint8_t b[32] = {135};
  struct net_addr t = far_addr(target);
  memcpy(b + 8, t.b, 16);
  b[24] = b[25] = 1;
  memcpy(b + 26, machine_mac, 6);
  far_send_ip(&far, (const uint8_t[]){0x33, 0x33, 0xff, 0, 0, 1}, from, &group, IP_ICMP6, hops, b, from == &any ? 24 : 32);
}

Test(fixture_net6, neighbours) {
  begin("host 2001:db8::1\nhost 2001:db8::2\nrouter fe80::1\nat 1s host 2001:db8::1 gone\n", true);
  solicit(&me, "2001:db8::1", 255);
  cr_expect_str_eq(next(), "NA 2001:db8::1 from 2001:db8::1");
  cr_expect_eq(memcmp(far_last(&far), machine_mac, 6), 0);
  cr_expect_eq(icmp()[4], 0x60, "solicited, override");
  cr_expect_eq(memcmp(icmp() + 24, "\2\1\2\xf6\0\0\0\1", 8), 0, "with the target's hardware address");
  cr_expect_eq(far_last(&far)[14 + 7], 255);
  cr_expect(sum_is_right());
  solicit(&me, "fe80::1", 255);
  cr_expect_str_eq(next(), "NA fe80::1 from fe80::1");
  cr_expect_eq(icmp()[4], 0xe0, "a router");
  solicit(&any, "2001:db8::1", 255);
  cr_expect_str_eq(next(), "NA 2001:db8::1 from 2001:db8::1", "duplicate address detection");
  cr_expect_eq(memcmp(far_last(&far), all_nodes_mac, 6), 0, "to all");
  cr_expect_eq(icmp()[4], 0x20, "not solicited");
  solicit(&me, "2001:db8::1", 64);
  solicit(&me, "2001:db8::9", 255);
  cr_expect_str_eq(next(), "", "from beyond the link; nobody's");
  far_run(&far, 1000);
  solicit(&any, "2001:db8::1", 255);
  cr_expect_str_eq(next(), "", "gone");
}

Test(fixture_net6, echo) {
  begin("host 2001:db8::1\nhost fe80::1\n", false);
  struct net_addr to = far_addr("2001:db8::1");
  uint8_t b[16] = {128, 0, 0, 0, 1, 2, 3, 4};
  far_send_ip(&far, mac_of_1, &me, &to, IP_ICMP6, 64, b, sizeof b);
  cr_expect_str_eq(next(), "ICMPv6 echo reply 2001:db8::1 > fe80::7");
  cr_expect(sum_is_right());
}

static void ask_routers(void) {
  uint8_t rs[8] = {133};
  struct net_addr all = far_addr("ff02::2");
  far_send_ip(&far, (const uint8_t[]){0x33, 0x33, 0, 0, 0, 2}, &me, &all, IP_ICMP6, 255, rs, sizeof rs);
}

Test(fixture_net6, advertisement_to_the_byte) {
  begin("router fe80::1 lifetime 30m prefix 2001:db8::/64 valid 1h preferred 30m prefix 2001:db8:1::/64 no-auto no-onlink "
        "dns 2001:db8::53 dns-lifetime 60s search lan.test search-lifetime 2m mtu 1400 hop-limit 32 reachable 5s retrans 1s "
        "managed other\n", false);
  ask_routers();
  cr_expect_str_eq(next(), "RA from fe80::1 lifetime 1800s managed other mtu 1400 prefix 2001:db8::/64 valid 3600s preferred "
                           "1800s prefix 2001:db8:1::/64 valid 3600s preferred 1800s dns 2001:db8::53 search list");
  static const uint8_t want[] = {
      134, 0, 0, 0, 32, 0xc0, 0x07, 0x08, 0, 0, 0x13, 0x88, 0, 0, 0x03, 0xe8,      /* header */
      1, 1, 2, 0xf6, 0, 0, 0, 1, 5, 1, 0, 0, 0, 0, 0x05, 0x78,                     /* source, MTU */
      3, 4, 64, 0xc0, 0, 0, 0x0e, 0x10, 0, 0, 0x07, 0x08, 0, 0, 0, 0,              /* prefixes */
      0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      3, 4, 64, 0, 0, 0, 0x0e, 0x10, 0, 0, 0x07, 0x08, 0, 0, 0, 0,
      0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      25, 3, 0, 0, 0, 0, 0, 60, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53, /* RDNSS */
      31, 3, 0, 0, 0, 0, 0, 120, 3, 'l', 'a', 'n', 4, 't', 'e', 's', 't', 0, 0, 0, 0, 0, 0, 0, /* DNSSL */
  };
  uint8_t got[sizeof want];
  cr_assert_eq(far_last_len(&far), 54 + sizeof want);
  cr_expect(sum_is_right());
  memcpy(got, icmp(), sizeof got);
  put16(got + 2, 0);
  cr_expect_eq(memcmp(got, want, sizeof want), 0);
  cr_expect_eq(memcmp(far_last(&far), all_nodes_mac, 6), 0);
  cr_expect_eq(far_last(&far)[14 + 7], 255);
}

Test(fixture_net6, advertisements_come_by_themselves) {
  begin("router fe80::1 interval 10s prefix 2001:db8::/64 dns 2001:db8::53\nat 25s router silent\nat 45s router normal lifetime 0s\n"
        "at 46s router advertise\nat 50s router interval 0\n", true);
  far_run(&far, 24000);
  cr_expect_eq(far.sink.n, 2);
  cr_expect_str_eq(far_next(&far), "RA from fe80::1 lifetime 1800s prefix 2001:db8::/64 valid 3600s preferred 1800s dns 2001:db8::53");
  far_run(&far, 20000);
  cr_expect_eq(far.sink.n, 2, "silent");
  far_run(&far, 3000);
  cr_expect_eq(far.sink.n, 3);
  far_run(&far, 60000);
  cr_expect_eq(far.sink.n, 3, "none at 50 s, and no more");
  (void)loop_sim_suspend(far.loop, 3600 * NSEC_PER_SEC);
  cr_expect_eq(far.sink.n, 3);
}

/* --- DHCPv6 ------------------------------------------------------------------------------------------------------- */

static const uint8_t duid[] = {0, 1, 0, 10, 0, 3, 0, 1, 2, 0, 0, 0, 0, 7};           /* the client's, as an option */
static const uint8_t server_duid[] = {0, 2, 0, 10, 0, 3, 0, 1, 2, 0xf6, 0, 0, 0, 1}; /* that of fe80::1 */

/* ia: an address to ask for, "": an IA without, NULL: none. */
static void send_dhcp(uint8_t type, const char *ia, bool server, bool rapid) {
  uint8_t b[200] = {0};
  struct wire w = {.b = b, .max = sizeof b};
  struct net_addr all = far_addr("ff02::1:2");
  wire_u16(&w, 546);
  wire_u16(&w, 547);
  wire_zero(&w, 4);
  wire_u32(&w, (uint32_t)type << 24 | 0xabcdef);
  wire_bytes(&w, duid, sizeof duid);
  if (server)
    wire_bytes(&w, server_duid, sizeof server_duid);
  if (rapid)
    wire_u32(&w, 14 << 16);
  if (ia != NULL) {
    wire_u32(&w, 3 << 16 | (ia[0] != 0 ? 40 : 12));
    wire_u32(&w, 0x01020304);
    wire_zero(&w, 8);
    if (ia[0] != 0) {
      struct net_addr a = far_addr(ia);
      wire_u32(&w, 5 << 16 | 24);
      wire_addr(&w, &a);
      wire_zero(&w, 8);
    }
  }
  put16(b + 4, (unsigned)w.len);
  far_send_ip(&far, all_dhcp_mac, &me, &all, IP_UDP, 1, b, w.len);
}

#define ONE "server6 fe80::1 pool 2001:db8::100-2001:db8::101 preferred 30m valid 1h "
enum { SOLICIT = 1, REQUEST = 3, CONFIRM = 4, RENEW = 5, REBIND = 6, RELEASE = 8, DECLINE = 9, INFORMATION = 11 };

Test(fixture_net6, dhcp_address) {
  begin(ONE "t1 15m t2 24m dns 2001:db8::53 search lan.test preference 7 refresh 1d\n", false);
  send_dhcp(SOLICIT, "", false, false);
  cr_expect_str_eq(next(), "DHCPv6 ADVERTISE 2001:db8::100 preferred 1800s valid 3600s xid abcdef");
  cr_expect(sum_is_right());
  const uint8_t *m = far_last(&far) + 62;
  cr_expect_eq(memcmp(m + 4, duid, sizeof duid), 0);
  cr_expect_eq(memcmp(m + 18, server_duid, sizeof server_duid), 0);
  cr_expect_eq(memcmp(m + 32, "\0\7\0\1\7\0\3\0\x28\1\2\3\4\0\0\x03\x84\0\0\x05\xa0", 21), 0, "preference, IA with T1 and T2");
  cr_expect_eq(memcmp(far_last(&far) + far_last_len(&far) - 8, "\0\x20\0\4\0\1\x51\x80", 8), 0, "refresh time");
  send_dhcp(REQUEST, "2001:db8::100", true, false);
  cr_expect_str_eq(next(), "DHCPv6 REPLY 2001:db8::100 preferred 1800s valid 3600s xid abcdef");
  send_dhcp(RENEW, "2001:db8::100", true, false);
  cr_expect_str_eq(next(), "DHCPv6 REPLY 2001:db8::100 preferred 1800s valid 3600s xid abcdef");
  send_dhcp(REBIND, "2001:db8::101", false, false);
  cr_expect_str_eq(next(), "DHCPv6 REPLY status 3 xid abcdef", "that is not his");
  send_dhcp(CONFIRM, "2001:db8::100", false, false);
  cr_expect_str_eq(next(), "DHCPv6 REPLY status 0 xid abcdef");
  send_dhcp(CONFIRM, "2001:db8:9::100", false, false);
  cr_expect_str_eq(next(), "DHCPv6 REPLY status 4 xid abcdef");
  send_dhcp(DECLINE, "2001:db8::100", true, false);
  cr_expect_str_eq(next(), "DHCPv6 REPLY status 0 xid abcdef");
  send_dhcp(SOLICIT, "", false, false);
  cr_expect_str_eq(next(), "DHCPv6 ADVERTISE 2001:db8::101 preferred 1800s valid 3600s xid abcdef");
}

Test(fixture_net6, dhcp_stateless_and_rapid) {
  begin(ONE "rapid-commit dns 2001:db8::53\n", false);
  send_dhcp(INFORMATION, NULL, false, false);
  cr_expect_str_eq(next(), "DHCPv6 REPLY xid abcdef");
  cr_expect_eq(memcmp(far_last(&far) + far_last_len(&far) - 20, "\0\x17\0\x10\x20\1\x0d\xb8", 8), 0);
  send_dhcp(SOLICIT, "", false, true);
  cr_expect_str_eq(next(), "DHCPv6 REPLY rapid-commit 2001:db8::100 preferred 1800s valid 3600s xid abcdef");
  send_dhcp(RELEASE, "2001:db8::100", true, false);
  cr_expect_str_eq(next(), "DHCPv6 REPLY status 0 xid abcdef");
}

Test(fixture_net6, dhcp_faults) {
  static const struct {
    const char *how, *reply;
  } rows[] = {
      {"silent", ""},
      {"wrong-xid", "DHCPv6 ADVERTISE 2001:db8::100 preferred 1800s valid 3600s xid abcdee"},
      {"no-address", "DHCPv6 ADVERTISE status 2 xid abcdef"},
      {"valid infinite preferred infinite", "DHCPv6 ADVERTISE 2001:db8::100 preferred forever valid forever xid abcdef"},
  };
  char script[200];
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    snprintf(script, sizeof script, ONE "%s\n", rows[i].how);
    begin(script, false);
    send_dhcp(SOLICIT, "", false, false);
    cr_expect_str_eq(next(), rows[i].reply, "%s", rows[i].how);
    end();
  }
  begin(ONE "no-binding\n", false);
  send_dhcp(RENEW, "2001:db8::100", true, false);
  cr_expect_str_eq(next(), "DHCPv6 REPLY status 3 xid abcdef");
}
