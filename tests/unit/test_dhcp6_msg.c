/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv6 codec against messages made by hand.
 */
#include "dhcp6_util.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define IAID 0x01020304u
static const struct dhcp6_duid client = {{0, 4, 1, 2, 3, 4}, 6};

static int decode(const struct raw6 *r, struct dhcp6_reply *m) {
  uint8_t *exact = malloc(r->len ? r->len : 1); /* the sanitizer sees a byte too many */
  memcpy(exact, r->b, r->len);
  int ret = dhcp6_decode(exact, r->len, IAID, m);
  free(exact);
  return ret;
}
static bool is(const struct net_addr *a, const char *s) {
  struct net_addr b = raw6_addr(s);
  return net_addr_equal(a, &b);
}

Test(dhcp6_msg, all_that_one_can_say) {
  struct raw6 r;
  struct dhcp6_reply m;
  raw6_begin(&r, DHCP6_REPLY, 0xabcdef, &client, "server");
  raw6_opt(&r, 7, "\x11", 1);
  raw6_opt(&r, 14, NULL, 0);
  raw6_ia_begin(&r, IAID + 1, 1, 2); /* somebody else's */
  raw6_ia_addr(&r, "2001:db8::bad", 10, 10);
  raw6_ia_end(&r);
  raw6_ia_begin(&r, IAID, 100, 160);
  raw6_ia_addr(&r, "2001:db8::5", 200, 300);
  raw6_ia_addr(&r, "2001:db8::6", DHCP6_FOREVER, DHCP6_FOREVER);
  raw6_ia_end(&r);
  uint8_t two[32];
  struct net_addr a = raw6_addr("2001:db8::53"), b = raw6_addr("fe80::53");
  memcpy(two, a.b, 16);
  memcpy(two + 16, b.b, 16);
  raw6_opt(&r, 23, two, 32);
  raw6_opt(&r, 24, "\7Example\3net\0\4corp\0", 19);
  uint8_t ntp[20 + 6] = {0, 1, 0, 16};
  memcpy(ntp + 4, a.b, 16);
  memcpy(ntp + 20, "\0\3\0\2\1x", 6); /* a name, which is nobody's affair here */
  raw6_opt(&r, 56, ntp, sizeof(ntp));
  raw6_opt32(&r, 32, 1234);
  raw6_opt32(&r, 82, 60);
  raw6_opt32(&r, 83, 86400);
  raw6_opt(&r, 12, a.b, 16); /* server unicast */
  cr_assert_eq(decode(&r, &m), 0);
  cr_assert_eq(m.type, DHCP6_REPLY);
  cr_assert_eq(m.xid, 0xabcdef);
  cr_assert_eq(m.client.len, 6);
  cr_assert_eq(m.server.len, 6);
  cr_assert_arr_eq(m.server.b, "server", 6);
  cr_assert_eq(m.preference, 0x11);
  cr_assert(m.rapid_commit && m.has_ia);
  cr_assert(m.t1_s == 100 && m.t2_s == 160);
  cr_assert_eq(m.n_addrs, 2);
  cr_assert(is(&m.addrs[0].addr, "2001:db8::5") && m.addrs[0].preferred_s == 200 && m.addrs[0].valid_s == 300);
  cr_assert_eq(m.addrs[1].valid_s, DHCP6_FOREVER);
  cr_assert_eq(m.params.n_dns, 2);
  cr_assert(is(&m.params.dns[1], "fe80::53"));
  cr_assert_eq(m.params.n_search, 2);
  cr_assert_str_eq(m.params.search[0], "example.net");
  cr_assert_eq(m.params.n_ntp, 1);
  cr_assert(m.refresh_s == 1234 && m.sol_max_rt_s == 60 && m.inf_max_rt_s == 86400);
  cr_assert_eq(m.left_out, 1, "the other IA");
}

Test(dhcp6_msg, what_is_no_message_for_a_client) {
  struct raw6 r;
  struct dhcp6_reply m;
  static const uint8_t types[] = {0, 1, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 255}; /* reconfigure and relays among them */
  for (size_t i = 0; i < sizeof(types); i++) {
    raw6_begin(&r, types[i], 1, &client, "server");
    cr_assert_eq(decode(&r, &m), -EBADMSG, "%u", types[i]);
  }
  raw6_begin(&r, DHCP6_REPLY, 1, &client, "server");
  size_t whole = r.len;
  for (r.len = 0; r.len < whole; r.len++)
    cr_assert_eq(decode(&r, &m), r.len == 4 || r.len == 14 ? 0 : -EBADMSG, "%zu", r.len);
}

Test(dhcp6_msg, overruns_inside) {
  struct raw6 r;
  struct dhcp6_reply m;
  raw6_begin(&r, DHCP6_REPLY, 1, &client, "server");
  raw6_ia_begin(&r, IAID, 1, 2);
  raw6_ia_addr(&r, "2001:db8::5", 10, 10);
  raw6_ia_end(&r);
  r.b[r.len - 25] = 25; /* the address runs out of its IA */
  cr_assert_eq(decode(&r, &m), 0);
  cr_assert_not(m.has_ia);
  cr_assert_eq(m.left_out, 1);
  raw6_begin(&r, DHCP6_REPLY, 1, &client, "server");
  raw6_opt(&r, 3, "short", 5);
  raw6_opt(&r, 23, "0123456789abcde", 15);
  raw6_opt(&r, 24, "\7exam", 5);
  raw6_opt(&r, 24, "\xc0\0", 2); /* compression is not for DHCPv6, and this is a loop */
  raw6_opt(&r, 56, "\0\1\0\17", 4);
  raw6_opt(&r, 32, "abc", 3);
  raw6_opt(&r, 82, "abc", 3);
  raw6_opt(&r, 13, "a", 1);
  raw6_opt(&r, 7, "ab", 2);
  raw6_opt(&r, 14, "a", 1);
  raw6_opt(&r, 1, "again", 5);
  cr_assert_eq(decode(&r, &m), 0);
  cr_assert_eq(m.left_out, 11);
  cr_assert_eq(m.status, DHCP6_UNSPEC_FAIL, "an unreadable status is no success");
  cr_assert_eq(m.params.n_dns + m.params.n_search + m.params.n_ntp, 0);
}

Test(dhcp6_msg, what_makes_no_sense) {
  struct raw6 r;
  struct dhcp6_reply m;
  raw6_begin(&r, DHCP6_REPLY, 1, &client, "server");
  raw6_ia_begin(&r, IAID, 3, 2); /* 21.4: T1 after T2 */
  raw6_ia_addr(&r, "2001:db8::5", 10, 10);
  raw6_ia_end(&r);
  cr_assert_eq(decode(&r, &m), 0);
  cr_assert_not(m.has_ia);
  raw6_begin(&r, DHCP6_REPLY, 1, &client, "server");
  raw6_ia_begin(&r, IAID, 3, 0);
  raw6_ia_addr(&r, "2001:db8::5", 11, 10); /* 21.6: preferred longer than valid */
  raw6_ia_addr(&r, "ff02::1", 10, 10);
  raw6_ia_addr(&r, "fe80::1", 10, 10);
  raw6_ia_addr(&r, "::1", 10, 10);
  raw6_ia_addr(&r, "2001:db8::6", 10, 10);
  raw6_ia_addr(&r, "2001:db8::6", 20, 20); /* twice */
  raw6_status(&r, DHCP6_NO_BINDING);
  raw6_ia_end(&r);
  raw6_opt32(&r, 32, 0);
  raw6_opt32(&r, 82, 59);
  raw6_opt32(&r, 83, 86401);
  cr_assert_eq(decode(&r, &m), 0);
  cr_assert(m.has_ia);
  cr_assert_eq(m.ia_status, DHCP6_NO_BINDING);
  cr_assert_eq(m.n_addrs, 1);
  cr_assert_eq(m.addrs[0].valid_s, 10);
  cr_assert_eq(m.refresh_s, 1, "21.23: less than the least, not left unsaid");
  cr_assert(m.sol_max_rt_s == 0 && m.inf_max_rt_s == 0);
  cr_assert_eq(m.left_out, 7);
}

Test(dhcp6_msg, an_address_that_failed_is_none) {
  struct raw6 r;
  struct dhcp6_reply m;
  uint8_t b[24 + 6] = {0};
  struct net_addr a = raw6_addr("2001:db8::5");
  memcpy(b, a.b, 16);
  raw6_u32(b + 16, 10);
  raw6_u32(b + 20, 10);
  memcpy(b + 24, "\0\15\0\2\0\1", 6);
  raw6_begin(&r, DHCP6_REPLY, 1, &client, "server");
  raw6_ia_begin(&r, IAID, 0, 0);
  raw6_opt(&r, 5, b, sizeof(b));
  raw6_ia_end(&r);
  cr_assert_eq(decode(&r, &m), 0);
  cr_assert_eq(m.n_addrs, 1);
  cr_assert_eq(m.addrs[0].valid_s, 0);
}

Test(dhcp6_msg, what_is_sent) {
  struct dhcp6_send s = {.type = DHCP6_REQUEST, .xid = 0xabcdef, .iaid = IAID, .client = client, .elapsed_cs = 258,
                         .rapid_commit = true, .with_ia = true, .n_addrs = 1};
  uint8_t b[DHCP6_MSG_MAX];
  size_t n, len;
  memcpy(s.server.b, "server", 6);
  s.server.len = 6;
  s.addrs[0] = raw6_addr("2001:db8::5");
  len = dhcp6_encode(&s, b);
  cr_assert_arr_eq(b, "\3\xab\xcd\xef", 4);
  cr_assert_arr_eq(raw6_find(b, len, 1, &n), client.b, 6);
  cr_assert_eq(n, 6);
  cr_assert_arr_eq(raw6_find(b, len, 2, &n), "server", 6);
  cr_assert_arr_eq(raw6_find(b, len, 8, &n), "\1\2", 2);
  cr_assert_not_null(raw6_find(b, len, 14, &n));
  cr_assert_eq(n, 0);
  const uint8_t *ia = raw6_find(b, len, 3, &n);
  cr_assert_eq(n, 40);
  cr_assert_arr_eq(ia, "\1\2\3\4\0\0\0\0\0\0\0\0\0\5\0\30", 16);
  cr_assert_arr_eq(ia + 16, s.addrs[0].b, 16);
  cr_assert_arr_eq(raw6_find(b, len, 6, &n), "\0\27\0\30\0\70\0\122", 8);
  cr_assert_eq(n, 8);
  s.type = DHCP6_INFORMATION_REQUEST;
  s.with_ia = s.rapid_commit = false;
  len = dhcp6_encode(&s, b);
  cr_assert_null(raw6_find(b, len, 3, &n));
  cr_assert_arr_eq(raw6_find(b, len, 6, &n), "\0\27\0\30\0\70\0\40\0\123", 10);
}

Test(dhcp6_msg, the_longest_message_fits) {
  struct dhcp6_send s = {.type = DHCP6_SOLICIT, .with_ia = true, .rapid_commit = true, .n_addrs = DHCP6_ADDRS_MAX};
  uint8_t b[DHCP6_MSG_MAX];
  s.client.len = s.server.len = DUID_MAX;
  cr_assert_leq(dhcp6_encode(&s, b), DHCP6_MSG_MAX);
}
