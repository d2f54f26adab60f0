/* SPDX-License-Identifier: BSD-3-Clause
 * Identifiers that a machine keeps: the DUID, interface identifiers (RFC 7217); and names as they stand on the wire.
 */
#include "base/machine.h"
#include "base/util.h"
#include "netconf/dns_name_wire.h"
#include "netconf/duid.h"
#include "netconf/iid.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct net_addr addr(const char *s) {
  struct net_addr a;
  cr_assert_eq(net_addr_parse(s, &a), 0, "%s", s);
  return a;
}

/* The vector of the paper on SipHash: key 00..0f, input 00..0e. */
Test(netconf_ids, siphash_is_the_published_function) {
  uint8_t key[16], in[15];
  for (unsigned i = 0; i < 16; i++)
    key[i] = (uint8_t)i;
  memcpy(in, key, sizeof(in));
  cr_assert_eq(siphash24(key, in, sizeof(in)), UINT64_C(0xa129ca6149be45e5));
}

Test(netconf_ids, duid_is_a_uuid_that_stays_and_tells_nothing) {
  uint8_t a[DUID_MAX], b[DUID_MAX], id[16];
  cr_assert_eq(duid_make(a), 18);
  cr_assert_eq(duid_make(b), 18);
  cr_assert_arr_eq(a, b, 18);
  cr_assert_arr_eq(a, ((uint8_t[]){0, 4}), 2);
  cr_assert_eq(a[2 + 6] >> 4, 8, "RFC 9562: version 8");
  cr_assert_eq(a[2 + 8] >> 6, 2, "RFC 9562: the variant");
  if (machine_id(id) == 0)
    cr_assert_neq(memcmp(a + 2, id, 16), 0);
  cr_assert_eq(duid_iaid((const uint8_t[]){2, 0, 1, 2, 3, 4}), 0x01020304);
}

Test(netconf_ids, an_identifier_is_stable_and_differs_by_all_that_goes_in) {
  uint8_t secret[16] = {1}, other[16] = {2};
  struct net_addr p = addr("2001:db8:1:2::"), q = addr("2001:db8:1:3::");
  struct net_addr a = iid_address(secret, &p, "net0", 0), b;
  b = iid_address(secret, &p, "net0", 0);
  cr_assert(net_addr_equal(&a, &b));
  cr_assert_arr_eq(a.b, p.b, 8, "the prefix stays");
  struct net_addr all[] = {a, iid_address(secret, &q, "net0", 0), iid_address(secret, &p, "net1", 0),
                           iid_address(secret, &p, "net0", 1), iid_address(other, &p, "net0", 0)};
  for (size_t i = 0; i < ARRAY_SIZE(all); i++)
    for (size_t j = i + 1; j < ARRAY_SIZE(all); j++)
      cr_assert_neq(memcmp(all[i].b + 8, all[j].b + 8, 8), 0, "%zu and %zu", i, j);
}

Test(netconf_ids, no_identifier_is_a_reserved_one) {
  cr_assert(iid_reserved((const uint8_t[8]){0}));
  cr_assert(iid_reserved((const uint8_t[8]){0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80}));
  cr_assert_not(iid_reserved((const uint8_t[8]){0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}));
  cr_assert(iid_reserved((const uint8_t[8]){0x02, 0x00, 0x5e, 0xff, 0xfe, 0x12, 0x34, 0x56}));
  cr_assert_not(iid_reserved((const uint8_t[8]){0x02, 0x00, 0x5e, 0xff, 0xfd, 0x12, 0x34, 0x56}));
}

static int name(const void *data, size_t len, size_t *pos, char ret[NAMES_NAME_MAX]) {
  uint8_t *exact = malloc(len + 1); /* the sanitizer sees a byte too many */
  memcpy(exact, data, len);
  exact = realloc(exact, MAX(len, (size_t)1));
  int r = dns_name_read(exact, len, pos, ret);
  free(exact);
  return r;
}

Test(netconf_ids, names) {
  char n[NAMES_NAME_MAX];
  size_t pos = 0;
  static const char two[] = "\7Example\3net\0\1a";
  cr_assert_eq(name(two, sizeof(two), &pos, n), 0);
  cr_assert_str_eq(n, "example.net");
  cr_assert_eq(pos, 13);
  cr_assert_eq(name(two, sizeof(two), &pos, n), 0);
  cr_assert_str_eq(n, "a");

  pos = 0;
  cr_assert_eq(name("\3a b\0\1c", 8, &pos, n), -EINVAL, "no space in a name");
  cr_assert_eq(pos, 5, "the next one can be read");
  pos = 0;
  cr_assert_eq(name("\0", 1, &pos, n), -EINVAL);
  pos = 0;
  cr_assert_eq(name("\3ab", 3, &pos, n), -EBADMSG);
  pos = 0;
  cr_assert_eq(name("\1a", 2, &pos, n), -EBADMSG, "no end");
  pos = 0;
  cr_assert_eq(name("\xc0\0", 2, &pos, n), -EBADMSG, "compression, and a loop");
  pos = 0;
  cr_assert_eq(name("", 0, &pos, n), -EBADMSG);
}

Test(netconf_ids, names_of_the_longest_kind) {
  uint8_t d[300];
  char n[NAMES_NAME_MAX];
  size_t len = 0, pos = 0;
  while (len + 64 <= 192) { /* three labels of 63 */
    d[len] = 63;
    memset(d + len + 1, 'x', 63);
    len += 64;
  }
  d[len] = 61; /* 192 + 62 + 1 = 255 */
  memset(d + len + 1, 'y', 61);
  d[len + 62] = 0;
  cr_assert_eq(name(d, len + 63, &pos, n), 0);
  cr_assert_eq(strlen(n), 253);
  d[len] = 62;
  memset(d + len + 1, 'y', 62);
  d[len + 63] = 0;
  pos = 0;
  cr_assert_eq(name(d, len + 64, &pos, n), -EBADMSG, "256 bytes are one too many");
}
