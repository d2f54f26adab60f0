/* SPDX-License-Identifier: BSD-3-Clause
 * The neighbour discovery messages that duplicate address detection is about (RFC 4861 4.3, 4.4; RFC 7527): a solicitation
 * with a nonce out, solicitations and advertisements in. Any bytes are fine.
 */
#ifndef CAPNET_DAD_MSG_H
#define CAPNET_DAD_MSG_H

#include "base/net.h"

#define DAD_NONCE 6 /* bytes; RFC 3971 5.3.2 wants at least that */
#define DAD_NS_LEN 32

/* Of a solicitation that was sent from ::, or of an advertisement. */
struct dad_message {
  bool advertisement;
  struct net_addr target;
  bool has_nonce; /* one of our length */
  uint8_t nonce[DAD_NONCE];
};

/* from: the source of the packet. -EBADMSG: neither of the two, or malformed; -ENOMSG: a solicitation that asks where
 * the target is, which says nothing about whose it is (RFC 4862 5.4.3). */
int dad_decode(const struct net_addr *from, const uint8_t *icmp, size_t len, struct dad_message *ret);

/* A solicitation, to be sent from :: to dad_group; the checksum is left to the sender. */
void dad_encode(const struct net_addr *target, const uint8_t nonce[DAD_NONCE], uint8_t ret[DAD_NS_LEN]);
struct net_addr dad_group(const struct net_addr *target); /* solicited-node multicast address, RFC 4291 2.7.1 */

#endif
