/* SPDX-License-Identifier: BSD-3-Clause
 * A lease as text that outlives the daemon: of whom it is, what it says, and when it ends, in the machine's own time and in
 * the time of day. The text is checked like any other input: a file that is damaged, foreign or of another version is
 * refused with the reason.
 *
 * Time. Within one boot the boot-time clock decides, whatever is done to the time of day. After another boot only the
 * time of day can: it is believed as long as it is not behind what was written, and never makes a lease longer than it
 * was. A clock that is behind makes the end unknown: the address can be asked for, but not used without an answer.
 */
#ifndef CAPNET_LEASE_FILE_H
#define CAPNET_LEASE_FILE_H

#include "netconf/dhcp4_reply.h"
#include "netconf/lease_text.h"

/* The length; without a NUL behind it. */
size_t lease_file_format(const struct dhcp4_identity *who, const struct lease_clock *now, const struct dhcp4_lease *l,
                         char buf[LEASE_FILE_MAX]);

/* 0: ret is the lease, its times on the boot-time clock of now; *ret_live tells whether its end is certain.
 * -ESTALE: it is over; ret is filled in, as a hint. -EBADMSG: damaged, or another version. -EPERM: another interface's or
 * client's. *ret_why is a clause for a person, when the result is not 0 or it is not live. */
int lease_file_parse(const char *text, size_t len, const struct dhcp4_identity *who, const struct lease_clock *now,
                     struct dhcp4_lease *ret, bool *ret_live, const char **ret_why);

#endif
