/* SPDX-License-Identifier: BSD-3-Clause
 * A lease of DHCPv6 as text that outlives the daemon: whose it is, its server, addresses and options, and when each ends,
 * in the machine's own time and in the time of day, as lease_file.h has it for DHCPv4. Checked like any other input.
 *
 * Where the time of day is behind what was written the ends are unknown, and the lease is refused: a server gives the
 * same addresses to the same client anyway.
 */
#ifndef CAPNET_LEASE6_FILE_H
#define CAPNET_LEASE6_FILE_H

#include "netconf/dhcp6_machine.h"
#include "netconf/lease_text.h"

struct lease6 {
  struct dhcp6_lease lease;
  struct dhcp6_params params;
};

/* The length; without a NUL behind it. Of cfg the client's identifier and that of its IA. */
size_t lease6_file_format(const struct dhcp6_config *cfg, const struct lease_clock *now, const struct lease6 *l,
                          char buf[LEASE_FILE_MAX]);

/* 0: ret is the lease, its times on the boot-time clock of now, without addresses that are over; one of another boot is to be
 * renewed at once. -ESTALE: all of it is over,
 * or nobody can know. -EBADMSG: damaged, or another version. -EPERM: another client's. *ret_why is a clause for a person,
 * static, when it is not 0. */
int lease6_file_parse(const char *text, size_t len, const struct dhcp6_config *cfg, const struct lease_clock *now,
                      struct lease6 *ret, const char **ret_why);

#endif
