/* SPDX-License-Identifier: BSD-3-Clause
 * Within netconf_ip6*: the part that joins the IPv6 machines of one interface with its stack and its clock.
 */
#ifndef CAPNET_NETCONF_IP6_H
#define CAPNET_NETCONF_IP6_H

#include "netconf/dad_addrs.h"
#include "netconf/dhcp6_machine.h"
#include "netconf/lease_store.h"
#include "netconf/netconf_private.h"
#include "netconf/slaac_machine.h"
#include "stack/stack_dgram.h"
#include "stack/stack_if6.h"

struct netconf_ip6 {
  struct netconf *n;
  enum netconf_ip6_mode mode; /* in force; cfg's until begun */
  enum netconf_dhcp6 dhcp6;
  struct netconf_static6 fixed;
  bool running;
  unsigned mtu; /* of the device: below IP6_MTU_MIN nothing runs (RFC 8200 5) */
  uint8_t mac[6];

  struct addrs6 addrs;
  struct slaac_machine slaac;
  struct dhcp6_machine dhcp;
  const char *dhcp_reason; /* of its last transition */
  struct loop_timer *timer;
  struct stack_nd *nd;
  struct stack_udp *udp; /* port 546, from the first message on */
  struct netconf_brought brought;
  struct lease_store *store;
  struct dhcp6_lease saved; /* what the file has */
};

uint64_t netconf_ip6_now(const struct netconf_ip6 *p);
void netconf_ip6_arm(struct netconf_ip6 *p); /* the one timer, after any event */

/* netconf_ip6_run.c: does what the machines say. One may move another: an address that is a duplicate is declined, a
 * prefix makes an address; each call returns when all of that has been done. */
void netconf_ip6_run_addrs(struct netconf_ip6 *p, const struct addrs6_actions *acts);
void netconf_ip6_run_slaac(struct netconf_ip6 *p, const struct slaac_actions *acts);
void netconf_ip6_run_dhcp(struct netconf_ip6 *p, const struct dhcp6_actions *acts);
void netconf_ip6_want_dhcp(struct netconf_ip6 *p); /* as the configuration and the routers say */
void netconf_ip6_apply_routes(struct netconf_ip6 *p);
void netconf_ip6_tell_length(struct netconf_ip6 *p, const struct net_addr *addr); /* it may be another than the stack's */

const char *netconf_ip6_why_not(const struct netconf_ip6 *p); /* why nothing runs, when nothing does */
/* netconf_ip6_lease.c. _open reads the file, before the loop runs: -ENOMEM, -ENAMETOOLONG. _save after each event of DHCPv6. */
int netconf_ip6_lease_open(struct netconf_ip6 *p);
void netconf_ip6_lease_save(struct netconf_ip6 *p);
const char *netconf_ip6_dhcp_next(const struct netconf_ip6 *p, uint64_t *ret_ns);

#endif
