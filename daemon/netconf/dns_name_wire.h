/* SPDX-License-Identifier: BSD-3-Clause
 * Domain names from messages. Lists in the form of RFC 1035 3.1, as router advertisements and DHCPv6 carry them, are never
 * compressed; dhcp4_search.c has those that may be.
 */
#ifndef CAPNET_DNS_NAME_WIRE_H
#define CAPNET_DNS_NAME_WIRE_H

#include "base/resolvconf.h"

/* Appends one label to a name of *used bytes, in lower case, with a dot between. -EINVAL: over the limits of RFC 1035
 * 2.3.4, or a byte that is no letter, digit, - or _, since names end up in queries and on terminals; name is then of no use. */
int dns_name_add(char name[NAMES_NAME_MAX], size_t *used, const uint8_t *label, size_t len);
/* Reads the name at *pos, in lower case and without the last dot. 0, and *pos is behind it; -EINVAL: one to leave out (a
 * byte that is no letter, digit, - or _, or the empty name), *pos is behind it; -EBADMSG: nothing behind it can be read. */
int dns_name_read(const uint8_t *data, size_t len, size_t *pos, char ret[NAMES_NAME_MAX]);

#endif
