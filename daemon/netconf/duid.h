/* SPDX-License-Identifier: BSD-3-Clause
 * Who this client is to DHCP servers of both families, on every interface and at every start (RFC 8415 11, RFC 4361).
 */
#ifndef CAPNET_DUID_H
#define CAPNET_DUID_H

#include <stddef.h>
#include <stdint.h>

#define DUID_MAX 130 /* RFC 8415 11.1: a type of two bytes and at most 128 more */
#define DUID_LEN 18  /* of ours */
#define DUID_CLIENT_ID_LEN (1 + 4 + DUID_LEN)

/* A DUID-UUID (RFC 6355) made from the machine's id, which it does not give away. Its length: DUID_LEN. */
size_t duid_make(uint8_t buf[DUID_MAX]);

/* Of the interface with that hardware address, for DHCPv6 and as the IAID of RFC 4361 6.1. */
uint32_t duid_iaid(const uint8_t mac[6]);
/* Option 61 of DHCPv4: 255, the IAID, the DUID. */
void duid_client_id(const uint8_t mac[6], uint8_t ret[DUID_CLIENT_ID_LEN]);

#endif
