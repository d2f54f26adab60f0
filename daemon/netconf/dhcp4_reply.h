/* SPDX-License-Identifier: BSD-3-Clause
 * What a server's reply is worth: is it for us, what lease would it make, and which of several offers is the best.
 */
#ifndef CAPNET_DHCP4_REPLY_H
#define CAPNET_DHCP4_REPLY_H

#include "netconf/dhcp4_msg.h"

struct dhcp4_lease {
  struct dhcp4_params params;
  uint64_t t1_ns, t2_ns, expiry_ns; /* boot-time clock; 0: a lease without end */
};

/* Why a reply was not used; the last two are of replies that were used all the same. */
enum dhcp4_reason {
  DHCP4_NOT_DHCP,    /* no server's DHCP message for Ethernet, or not from its port */
  DHCP4_MALFORMED,   /* options over the end */
  DHCP4_OTHER_XID,   /* late, a duplicate, or a guess */
  DHCP4_OTHER_MAC,
  DHCP4_OTHER_ID,    /* another client's identifier is echoed */
  DHCP4_UNEXPECTED,  /* nothing of this type was asked for, in this state */
  DHCP4_NO_SERVER,   /* no server identifier that a server could have */
  DHCP4_OTHER_SERVER,
  DHCP4_NO_ADDRESS,  /* none that a host could have */
  DHCP4_OTHER_ADDRESS,
  DHCP4_NO_LEASE,    /* no lease time, zero, or over already */
  DHCP4_ODD_TIMES,   /* T1 < T2 < lease does not hold: a half and seven eighths */
  DHCP4_ODD_NAMES,   /* of the search list something was left out */
  DHCP4_REASONS
};
const char *dhcp4_reason_name(enum dhcp4_reason r); /* "dhcp4-other-xid", … */

/* Does the reply repeat an identifier that is not ours (RFC 6842)? */
bool dhcp4_other_client(const struct dhcp4_identity *who, const struct dhcp4_reply *r);

/* RFC 2131 4.4.5: the end is to the second of the request, `since`. The server's T1 and T2 count only when
 * T1 < T2 < lease (*ret_odd tells otherwise), else a half and seven eighths; both then come earlier by up to 0.4 s,
 * at random, as the hosts of a network should not ask in one instant. False: there is no lease, or it is over. */
bool dhcp4_lease_times(const struct dhcp4_reply *r, uint64_t since, uint64_t now, uint32_t random,
                       struct dhcp4_lease *l, bool *ret_odd);

/* Of an offer, bigger is better; wanted, family 0 when there is none, is the address that we had. */
#define DHCP4_SCORE_BEST 7u /* no other offer can be better, but in the length of its lease */
unsigned dhcp4_score(const struct dhcp4_params *p, const struct net_addr *wanted);

#endif
