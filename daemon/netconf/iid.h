/* SPDX-License-Identifier: BSD-3-Clause
 * Interface identifiers that stay the same on one network, differ between networks and tell nobody the hardware
 * address (RFC 7217).
 */
#ifndef CAPNET_IID_H
#define CAPNET_IID_H

#include "base/net.h"

#define IID_RETRIES 3           /* RFC 7217 7, IDGEN_RETRIES: after so many duplicates of one prefix it is given up */
#define IID_DELAY_NS 1000000000 /* IDGEN_DELAY, between two of them */

/* RFC 7217 5: F(prefix, interface, DAD counter, secret). There is no network id: none is known of a wire. The address is
 * the prefix's first 64 bits and the identifier; reserved identifiers (RFC 5453) are passed over. */
struct net_addr iid_address(const uint8_t secret[16], const struct net_addr *prefix, const char *ifname, unsigned dad_counter);

/* RFC 5453: the subnet-router anycast address, those of RFC 2526, and IANA's own. */
bool iid_reserved(const uint8_t iid[8]);

/* From the machine's id; the same at every start. */
void iid_secret(uint8_t ret[16]);

#endif
