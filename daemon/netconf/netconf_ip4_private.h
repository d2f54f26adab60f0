/* SPDX-License-Identifier: BSD-3-Clause
 * IPv4 of one interface: what netconf_ip4.c (which address is in force) and netconf_dhcp4.c (what a server says) share.
 */
#ifndef CAPNET_NETCONF_IP4_PRIVATE_H
#define CAPNET_NETCONF_IP4_PRIVATE_H

#include "netconf/acd_client.h"
#include "netconf/dhcp4_client.h"
#include "netconf/lease_store.h"
#include "netconf/netconf_private.h"

/* The configured address, in mode static. */
enum fixed_state {
  FIXED_WAITS,    /* for the link; or there is none */
  FIXED_PROBED,   /* is it free? What was in force stays so meanwhile */
  FIXED_IN_FORCE,
  FIXED_REFUSED   /* somebody else has it, or the stack; tried again at retry_ns */
};

/* For whom `probe` works. The configured address has a prober of its own: it may be looked at while a lease is held. */
enum probe_for { PROBE_NOBODY, PROBE_LEASE, PROBE_IN_FORCE /* the link was away */ };

#define WHY_MAX 80
struct netconf_ip4 {
  struct netconf *n;
  enum netconf_mode mode;
  struct netconf_static fixed;
  const char *fixed_origin; /* "static", or another one's that the configuration names */
  enum fixed_state fixed_state;
  char fixed_why[WHY_MAX]; /* FIXED_REFUSED */
  struct loop_timer *retry;
  uint64_t retry_ns;

  struct acd_client *probe, *probe_fixed, *guard; /* NULL: conflicts are not looked for */
  enum probe_for probing;

  struct dhcp4_client *dhcp; /* NULL until a server is wanted for something */
  const char *reason;        /* of its last transition */
  struct lease_store *store;
  bool remembered, remembered_live, remembered_ask; /* what the store had */
  struct dhcp4_lease memory;
  const char *memory_why; /* it was ignored, or in part; NULL: nothing to tell */

  /* In force. */
  struct net_addr addr, gateway;
  uint8_t prefix_len;
  const char *origin;
  struct netconf_brought brought;
};

/* netconf_ip4.c */
int ip4_set_address(struct netconf_ip4 *p, const struct net_addr *addr, uint8_t len, const struct net_addr *gateway,
                    const char *origin);
void ip4_clear_address(struct netconf_ip4 *p, const char *reason);
void ip4_probe_lease(struct netconf_ip4 *p, const struct net_addr *addr); /* NULL: no more */

/* netconf_dhcp4.c */
int ip4_store_open(struct netconf_ip4 *p); /* and what is in it */
int ip4_dhcp_open(struct netconf_ip4 *p);  /* when it is not open yet */
void ip4_dhcp_start(struct netconf_ip4 *p);
void ip4_dhcp_reset(struct netconf_ip4 *p, const char *why); /* closes it, forgets all it had */
/* What a lease or an answer brings besides an address; NULL: nothing. */
void ip4_bring(struct netconf_ip4 *p, const struct dhcp4_params *params);

#endif
