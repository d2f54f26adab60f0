/* SPDX-License-Identifier: BSD-3-Clause
 * Neighbour solicitations and advertisements, as far as they tell who has an address.
 */
#include "netconf/dad_msg.h"

#include "base/util.h"

#define TYPE_NS 135
#define TYPE_NA 136
#define HEADER 24
#define OPT_NONCE 14 /* RFC 3971 5.3.2 */

int dad_decode(const struct net_addr *from, const uint8_t *icmp, size_t len, struct dad_message *ret) {
  if (len < HEADER || (icmp[0] != TYPE_NS && icmp[0] != TYPE_NA) || icmp[1] != 0)
    return -EBADMSG;
  struct dad_message m = {.advertisement = icmp[0] == TYPE_NA, .target = {.family = AF_INET6}};
  memcpy(m.target.b, icmp + 8, 16);
  if (net_addr_class(&m.target) == NET_MULTICAST)
    return -EBADMSG;
  for (size_t at = HEADER, size; at < len; at += size) {
    if (len - at < 2 || icmp[at + 1] == 0 || (size_t)icmp[at + 1] * 8 > len - at)
      return -EBADMSG;
    size = (size_t)icmp[at + 1] * 8;
    if (icmp[at] == OPT_NONCE && size == 2 + DAD_NONCE && !m.advertisement) {
      m.has_nonce = true;
      memcpy(m.nonce, icmp + at + 2, DAD_NONCE);
    }
  }
  if (!m.advertisement && !net_addr_is_unspecified(from))
    return -ENOMSG;
  *ret = m;
  return 0;
}

void dad_encode(const struct net_addr *target, const uint8_t nonce[DAD_NONCE], uint8_t ret[DAD_NS_LEN]) {
  memset(ret, 0, DAD_NS_LEN);
  ret[0] = TYPE_NS;
  memcpy(ret + 8, target->b, 16);
  ret[HEADER] = OPT_NONCE;
  ret[HEADER + 1] = 1;
  memcpy(ret + HEADER + 2, nonce, DAD_NONCE);
}

struct net_addr dad_group(const struct net_addr *target) {
  struct net_addr g = {AF_INET6, {0xff, 0x02, [11] = 0x01, [12] = 0xff}};
  memcpy(g.b + 13, target->b + 13, 3);
  return g;
}
