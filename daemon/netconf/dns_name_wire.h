/* SPDX-License-Identifier: BSD-3-Clause
 * Lists of domain names in the form of RFC 1035 3.1, as router advertisements and DHCPv6 carry them: never compressed.
 */
#ifndef CAPNET_DNS_NAME_WIRE_H
#define CAPNET_DNS_NAME_WIRE_H

#include "base/resolvconf.h"

/* Reads the name at *pos, in lower case and without the last dot. 0, and *pos is behind it; -EINVAL: one to leave out (a
 * byte that is no letter, digit, - or _, or the empty name), *pos is behind it; -EBADMSG: nothing behind it can be read. */
int dns_name_read(const uint8_t *data, size_t len, size_t *pos, char ret[NAMES_NAME_MAX]);

#endif
