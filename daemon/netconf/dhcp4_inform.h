/* SPDX-License-Identifier: BSD-3-Clause
 * DHCPINFORM as a pure machine (RFC 2131 4.4.3): who has an address asks for options. There is no lease: what came stays
 * until it is asked for again, or the address changes.
 */
#ifndef CAPNET_DHCP4_INFORM_H
#define CAPNET_DHCP4_INFORM_H

#include "netconf/dhcp4_machine.h"

struct dhcp4_inform {
  const struct dhcp4_config *cfg;
  struct net_addr addr; /* family 0: off */
  bool link, answered;
  bool silent; /* nobody answered four tries, nor since: people should know (4.4.3) */
  uint32_t xid;
  unsigned tries;
  uint64_t begun_ns, deadline_ns; /* 0: nothing is due */
  struct dhcp4_params params;     /* of the answer; its address is none */
};

/* Each but _init and _receive returns true when *msg is to be sent, to everybody. */
void dhcp4_inform_init(struct dhcp4_inform *i, const struct dhcp4_config *cfg, bool link);
/* family 0: off, and nothing is known any more. Asks anew, also for the same address. */
bool dhcp4_inform_set(struct dhcp4_inform *i, const struct net_addr *addr, uint64_t now, struct dhcp4_send *msg);
bool dhcp4_inform_link(struct dhcp4_inform *i, bool up, uint64_t now, struct dhcp4_send *msg);
bool dhcp4_inform_timeout(struct dhcp4_inform *i, uint64_t now, struct dhcp4_send *msg);
/* True: it was the answer, and params is what it says. */
bool dhcp4_inform_receive(struct dhcp4_inform *i, const struct dhcp4_reply *r);

#endif
