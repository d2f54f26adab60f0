/* SPDX-License-Identifier: BSD-3-Clause
 * RFC 7217. F is SipHash-2-4, a pseudorandom function of 64 bits, which is what an identifier has.
 */
#include "netconf/iid.h"

#include "base/machine.h"
#include "base/util.h"

#define NAME_MAX_LEN 16

bool iid_reserved(const uint8_t iid[8]) {
  static const uint8_t zero[8], anycast[7] = {0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, iana[5] = {0x02, 0x00, 0x5e, 0xff, 0xfe};
  return memcmp(iid, zero, 8) == 0 || (memcmp(iid, anycast, 7) == 0 && iid[7] >= 0x80) || memcmp(iid, iana, 5) == 0;
}

struct net_addr iid_address(const uint8_t secret[16], const struct net_addr *prefix, const char *ifname, unsigned dad_counter) {
  uint8_t in[8 + NAME_MAX_LEN + 8] = {0};
  struct net_addr a = {.family = AF_INET6};
  size_t len = strnlen(ifname, NAME_MAX_LEN);
  memcpy(in, prefix->b, 8);
  memcpy(in + 8, ifname, len);
  for (unsigned i = 0; i < 4; i++)
    in[24 + i] = (uint8_t)(dad_counter >> (24 - 8 * i));
  memcpy(a.b, prefix->b, 8);
  /* A reserved one is next to never drawn; the last byte counts such draws, apart from the DAD counter. */
  do {
    uint64_t h = siphash24(secret, in, sizeof(in));
    for (unsigned i = 0; i < 8; i++)
      a.b[8 + i] = (uint8_t)(h >> (56 - 8 * i));
    in[31]++;
  } while (iid_reserved(a.b + 8) && in[31] != 0);
  return a;
}

void iid_secret(uint8_t ret[16]) {
  uint64_t half[2] = {machine_hash("iid high"), machine_hash("iid low")};
  memcpy(ret, half, 16);
}
