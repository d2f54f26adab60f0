/* SPDX-License-Identifier: BSD-3-Clause
 * The codec of router discovery and of duplicate address detection, against messages made by hand.
 */
#include "netconf/dad_msg.h"
#include "ra_util.h"

#include <criterion/criterion.h>
#include <stdio.h>

static int decode(const struct raw_ra *r, struct ra_message *m) {
  uint8_t *exact = malloc(r->len ? r->len : 1); /* the sanitizer sees a byte too many */
  memcpy(exact, r->b, r->len);
  int ret = ra_decode(exact, r->len, m);
  free(exact);
  return ret;
}
static bool is(const struct net_addr *a, const char *s) {
  struct net_addr b = ra_addr(s);
  return net_addr_equal(a, &b);
}

Test(ra_msg, all_that_one_can_say) {
  struct raw_ra r;
  struct ra_message m;
  ra_begin(&r, 0xc8, 1800);
  ra_u32(r.b + 8, 25000);
  ra_u32(r.b + 12, 2000);
  ra_option(&r, 1, NULL, 0); /* a link-layer address: not our affair */
  ra_prefix(&r, "2001:db8:1:2:ffff::", 64, 0xc0, 7200, 3600);
  ra_mtu(&r, 1400);
  ra_route(&r, "2001:db8:ff00::", 40, 0x18, 600);
  ra_route(&r, "2001:db8::5", 128, 0, RA_FOREVER);
  ra_route(&r, "::", 0, 0x08, 60);
  ra_server(&r, "2001:db8::53", 1200);
  ra_server(&r, "fe80::53", 0);
  ra_domain(&r, "\7Example\3net\0\4corp\0", 19, 900);
  ra_option(&r, 250, NULL, 0); /* nobody's */
  cr_assert_eq(decode(&r, &m), 0);
  cr_assert(m.managed && m.other);
  cr_assert_eq(m.hop_limit, 64);
  cr_assert_eq(m.preference, 1);
  cr_assert_eq(m.router_s, 1800);
  cr_assert_eq(m.reachable_ms, 25000);
  cr_assert_eq(m.retrans_ms, 2000);
  cr_assert_eq(m.mtu, 1400);
  cr_assert_eq(m.n_prefixes, 1);
  cr_assert(is(&m.prefixes[0].prefix.addr, "2001:db8:1:2::"), "bits behind the prefix are ignored");
  cr_assert(m.prefixes[0].on_link && m.prefixes[0].autonomous);
  cr_assert_eq(m.prefixes[0].valid_s, 7200);
  cr_assert_eq(m.prefixes[0].preferred_s, 3600);
  cr_assert_eq(m.n_routes, 3);
  cr_assert_eq(m.routes[0].preference, -1);
  cr_assert_eq(m.routes[0].prefix.len, 40);
  cr_assert_eq(m.routes[1].lifetime_s, RA_FOREVER);
  cr_assert_eq(m.routes[2].prefix.len, 0);
  cr_assert_eq(m.n_servers, 2);
  cr_assert_eq(m.servers[0].lifetime_s, 1200);
  cr_assert_eq(m.servers[1].lifetime_s, 0);
  cr_assert_eq(m.n_domains, 2);
  cr_assert_str_eq(m.domains[0].name, "example.net");
  cr_assert_str_eq(m.domains[1].name, "corp");
  cr_assert_eq(m.left_out, 0);
}

Test(ra_msg, a_message_that_is_wrong_anywhere_is_refused_whole) {
  struct raw_ra r;
  struct ra_message m;
  ra_begin(&r, 0, 1800);
  cr_assert_eq(decode(&r, &m), 0);
  r.len = 15;
  cr_assert_eq(decode(&r, &m), -EBADMSG, "too short");
  r.len = 16;
  r.b[1] = 1;
  cr_assert_eq(decode(&r, &m), -EBADMSG, "code");
  ra_begin(&r, 0, 1800);
  r.b[0] = 133;
  cr_assert_eq(decode(&r, &m), -EBADMSG, "type");
  ra_begin(&r, 0, 1800);
  ra_prefix(&r, "2001:db8::", 64, 0xc0, 60, 60);
  ra_option(&r, 200, NULL, 0)[1] = 0;
  cr_assert_eq(decode(&r, &m), -EBADMSG, "an option without length");
  r.b[16 + 32 + 1] = 2;
  cr_assert_eq(decode(&r, &m), -EBADMSG, "an option that runs over");
  r.b[16 + 32 + 1] = 1;
  cr_assert_eq(decode(&r, &m), 0);
  r.len -= 7;
  cr_assert_eq(decode(&r, &m), -EBADMSG, "one byte of an option");
}

Test(ra_msg, options_that_make_no_sense_are_left_out) {
  struct raw_ra r;
  struct ra_message m;
  ra_begin(&r, 0x10, 1800); /* the reserved preference */
  ra_mtu(&r, 1279);
  ra_prefix(&r, "2001:db8::", 129, 0xc0, 60, 60);
  ra_route(&r, "2001:db8::", 64, 0x10, 60);      /* the reserved preference: RFC 4191 2.3 */
  ra_route(&r, "2001:db8::", 64, 0, 60);
  r.b[r.len - 16 + 2] = 65;                      /* its prefix is longer than its bytes */
  ra_server(&r, "ff02::1", 60);
  ra_server(&r, "::1", 60);
  ra_option(&r, 25, (const uint8_t[16]){[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}, 16); /* IPv4 in disguise */
  static const uint8_t two[32] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1, [16] = 0xff, [17] = 2, [31] = 1};
  ra_option(&r, 25, two, sizeof(two));           /* RFC 8106 5.3.1: a host and a group */
  ra_option(&r, 25, NULL, 0);                    /* no server at all */
  ra_option(&r, 25, "0123456789abcdef01234567", 24); /* one and a half */
  ra_domain(&r, "\3a b\0\2ok", 9, 60);
  ra_domain(&r, "\xc0\x08", 2, 60);
  ra_option(&r, 31, NULL, 0);
  cr_assert_eq(decode(&r, &m), 0);
  cr_assert_eq(m.preference, 0);
  cr_assert_eq(m.mtu, 0);
  cr_assert_eq(m.n_prefixes + m.n_routes + m.n_servers, 0);
  cr_assert_eq(m.n_domains, 1);
  cr_assert_str_eq(m.domains[0].name, "ok", "what is behind a name that is left out is still read");
  cr_assert_eq(m.left_out, 13);
}

Test(ra_msg, more_than_there_is_room_for_is_counted) {
  struct raw_ra r;
  struct ra_message m;
  char text[64];
  ra_begin(&r, 0, 1800);
  for (int i = 0; i < RA_PREFIXES_MAX + 3; i++) {
    snprintf(text, sizeof(text), "2001:db8:%x::", i + 1);
    ra_prefix(&r, text, 64, 0xc0, 60, 60);
  }
  for (int i = 0; i < NAMES_SERVERS_MAX + 2; i++) {
    snprintf(text, sizeof(text), "2001:db8::%x", i + 1);
    ra_server(&r, text, 60);
  }
  cr_assert_eq(decode(&r, &m), 0);
  cr_assert_eq(m.n_prefixes, RA_PREFIXES_MAX);
  cr_assert_eq(m.n_servers, NAMES_SERVERS_MAX);
  cr_assert_eq(m.left_out, 5);
}

Test(ra_msg, solicitation) {
  uint8_t b[RS_LEN];
  rs_encode((const uint8_t[]){2, 0, 0, 0, 0, 7}, b);
  cr_assert_arr_eq(b, ((const uint8_t[]){133, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 7}), RS_LEN);
}

Test(dad_msg, what_is_sent_is_understood_and_goes_to_the_group) {
  struct net_addr target = ra_addr("2001:db8::1234:5678"), group = dad_group(&target), any = {AF_INET6, {0}};
  uint8_t b[DAD_NS_LEN];
  struct dad_message m;
  cr_assert(is(&group, "ff02::1:ff34:5678"));
  dad_encode(&target, (const uint8_t[]){1, 2, 3, 4, 5, 6}, b);
  cr_assert_eq(dad_decode(&any, b, sizeof(b), &m), 0);
  cr_assert_not(m.advertisement);
  cr_assert(net_addr_equal(&m.target, &target));
  cr_assert(m.has_nonce);
  cr_assert_arr_eq(m.nonce, ((const uint8_t[]){1, 2, 3, 4, 5, 6}), 6);
  cr_assert_eq(dad_decode(&target, b, sizeof(b), &m), -ENOMSG, "somebody asks where it is");
  b[0] = 136;
  cr_assert_eq(dad_decode(&target, b, 24, &m), 0);
  cr_assert(m.advertisement);
}

Test(dad_msg, malformed) {
  struct net_addr target = ra_addr("2001:db8::1"), any = {AF_INET6, {0}};
  uint8_t b[DAD_NS_LEN];
  struct dad_message m;
  dad_encode(&target, (const uint8_t[6]){0}, b);
  for (size_t len = 0; len < sizeof(b); len++)
    if (len != 24)
      cr_assert_eq(dad_decode(&any, b, len, &m), -EBADMSG, "%zu", len);
  b[25] = 0;
  cr_assert_eq(dad_decode(&any, b, sizeof(b), &m), -EBADMSG, "an option without length");
  b[25] = 1;
  b[8] = 0xff;
  cr_assert_eq(dad_decode(&any, b, sizeof(b), &m), -EBADMSG, "a group is nobody's");
  b[8] = 0x20;
  b[0] = 133;
  cr_assert_eq(dad_decode(&any, b, sizeof(b), &m), -EBADMSG);
}
