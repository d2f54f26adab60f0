/* SPDX-License-Identifier: BSD-3-Clause
 * The parts of one interface's configuration and what joins them. Each family is a part with functions of one shape; a part
 * owns its addresses and routes in the stack, and tells what it brings along. netconf.c merges that, and tells the rooms
 * above.
 */
#ifndef CAPNET_NETCONF_PRIVATE_H
#define CAPNET_NETCONF_PRIVATE_H

#include "netconf/lease_text.h"
#include "netconf/netconf.h"

struct netconf {
  struct loop *loop;
  struct stack_if *iface;
  struct netconf_config cfg; /* its resolver can change live */
  const struct netconf_upcalls *up;
  void *arg;
  struct loop_task begin;
  bool begun, link;
  struct netconf_ip4 *ip4;
  struct netconf_ip6 *ip6;
  struct names_config configured; /* cfg.resolver as it was at first */
  struct names_config resolver;   /* in force */
  bool resolver_told;
};

#define NETCONF_NTP_MAX 4

/* What is in force of a part besides its addresses. */
struct netconf_brought {
  struct names_config resolver; /* each with its origin */
  unsigned mtu;                 /* 0: nothing is said of it */
  const char *mtu_origin;
  struct net_addr ntp[NETCONF_NTP_MAX];
  const char *ntp_origin;
  unsigned n_ntp;
};

/* For parts. */
void netconf_tell(struct netconf *n, const struct netconf_event *ev);
void netconf_tell_address(struct netconf *n, const struct net_addr *addr, uint8_t prefix_len, const char *origin,
                          const char *state, const char *reason); /* a short form of it */
void netconf_changed(struct netconf *n); /* what a part brings is another: merged and told in this turn */
uint32_t netconf_random(struct netconf *n);

/* netconf.c, for the files of leases: the clocks, and why one cannot be read, static (NULL: there is none). */
void netconf_lease_clock(const struct netconf *n, struct lease_clock *ret);
const char *netconf_lease_unreadable(ssize_t error);

/* netconf_ip4.c: a configured address, DHCP, and which of them is in force. _new does nothing to the stack yet. */
int netconf_ip4_new(struct netconf *n, struct netconf_ip4 **ret);
void netconf_ip4_begin(struct netconf_ip4 *p);
struct netconf_ip4 *netconf_ip4_free(struct netconf_ip4 *p);
void netconf_ip4_link(struct netconf_ip4 *p, bool up);
bool netconf_ip4_settled(const struct netconf_ip4 *p); /* no configured address is being verified */
const struct netconf_brought *netconf_ip4_brought(const struct netconf_ip4 *p); /* never NULL */
int netconf_ip4_set_static(struct netconf_ip4 *p, const struct netconf_static *s);
int netconf_ip4_use_dhcp(struct netconf_ip4 *p);
int netconf_ip4_renew(struct netconf_ip4 *p);
int netconf_ip4_release(struct netconf_ip4 *p);
int netconf_ip4_reconfigure(struct netconf_ip4 *p);
void netconf_ip4_each_counter(const struct netconf_ip4 *p, void (*fn)(void *arg, const char *name, uint64_t value),
                              void *arg);
void netconf_ip4_info(const struct netconf_ip4 *p, struct netconf_info *ret);
void netconf_ip4_each_address(const struct netconf_ip4 *p, void (*fn)(void *arg, const struct netconf_address *a),
                              void *arg);
void netconf_ip4_each_lease(const struct netconf_ip4 *p, void (*fn)(void *arg, const struct netconf_lease *l), void *arg);
int netconf_static_check(const struct netconf_static *s); /* -EINVAL: no host could have it */

/* netconf_ip6.c: the link-local address, configured ones, what routers and DHCPv6 give. The same shape. */
int netconf_ip6_new(struct netconf *n, struct netconf_ip6 **ret);
void netconf_ip6_begin(struct netconf_ip6 *p);
struct netconf_ip6 *netconf_ip6_free(struct netconf_ip6 *p);
void netconf_ip6_link(struct netconf_ip6 *p, bool up);
bool netconf_ip6_settled(const struct netconf_ip6 *p);
void netconf_ip6_mtu(struct netconf_ip6 *p); /* the device's is another */
const struct netconf_brought *netconf_ip6_brought(const struct netconf_ip6 *p); /* never NULL */
/* What stays is not touched. -EINVAL: see netconf_static6_check; what opening the interface for it says. */
int netconf_ip6_configure(struct netconf_ip6 *p, enum netconf_ip6_mode mode, enum netconf_dhcp6 dhcp6,
                          const struct netconf_static6 *fixed);
int netconf_ip6_set_static(struct netconf_ip6 *p, const struct netconf_static6 *fixed); /* and routers are not listened to */
int netconf_ip6_use_auto(struct netconf_ip6 *p);                                        /* and no configured address */
int netconf_ip6_renew(struct netconf_ip6 *p);   /* DHCPv6; -EPROTONOSUPPORT: it is not used */
int netconf_ip6_release(struct netconf_ip6 *p); /* -ENODATA: no lease */
void netconf_ip6_each_counter(const struct netconf_ip6 *p, void (*fn)(void *arg, const char *name, uint64_t value),
                              void *arg);
void netconf_ip6_info(const struct netconf_ip6 *p, struct netconf_info *ret);
void netconf_ip6_each_address(const struct netconf_ip6 *p, void (*fn)(void *arg, const struct netconf_address *a),
                              void *arg);
void netconf_ip6_each_lease(const struct netconf_ip6 *p, void (*fn)(void *arg, const struct netconf_lease *l), void *arg);

#endif
