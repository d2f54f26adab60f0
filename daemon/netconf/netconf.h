/* SPDX-License-Identifier: BSD-3-Clause
 * Which address an interface has and where it came from: static lines, DHCP, precedence, and what a lease brings along
 * (resolver, search domains). At expiry everything the lease gave is gone in the same turn: fail closed.
 */
#ifndef CAPNET_NETCONF_H
#define CAPNET_NETCONF_H

#include "base/resolvconf.h"
#include "stack/stack.h"

struct netconf; /* of one interface */

enum netconf_mode { NETCONF_NONE, NETCONF_STATIC, NETCONF_DHCP };
const char *netconf_mode_name(enum netconf_mode m); /* "none", "static", "dhcp" */

struct netconf_static {
  struct net_addr addr;
  uint8_t prefix_len;
  struct net_addr gateway; /* family 0: none */
};

/* RFC 2131 figure 5, and the two ends that are not in it. */
enum dhcp_state {
  DHCP_OFF,
  DHCP_INIT,
  DHCP_SELECTING,
  DHCP_REQUESTING,
  DHCP_BOUND,
  DHCP_RENEWING,
  DHCP_REBINDING,
  DHCP_EXPIRED,  /* asking again from the start, with nothing in force */
  DHCP_RELEASED
};
const char *dhcp_state_name(enum dhcp_state s); /* "bound", … */

struct netconf_config {
  enum netconf_mode mode;
  struct netconf_static fixed;       /* NETCONF_STATIC */
  char hostname[64];                 /* option 12; "" sends none */
  /* From the configuration; they come before those of the lease. */
  struct names_config resolver;
};

struct netconf_upcalls {
  /* The address in force changed; family 0: none now. */
  void (*address)(void *arg, const struct net_addr *addr, uint8_t prefix_len, const char *origin);
  void (*resolver)(void *arg, const struct names_config *cfg); /* what is in force now */
  void (*lease)(void *arg, enum dhcp_state from, enum dhcp_state to, const char *text); /* one line for a person */
};

/* Borrows the interface. Applies a static address, or starts DHCP, as soon as the link is up. */
int netconf_new(struct loop *loop, struct stack_if *iface, const struct netconf_config *cfg,
                const struct netconf_upcalls *up, void *arg, struct netconf **ret);
struct netconf *netconf_free(struct netconf *n); /* stops; the lease is kept */
void netconf_link(struct netconf *n, bool up);

int netconf_set_static(struct netconf *n, const struct netconf_static *s, const struct names_config *resolver);
int netconf_use_dhcp(struct netconf *n);
int netconf_renew(struct netconf *n);   /* -EPROTONOSUPPORT: the mode is not DHCP */
int netconf_release(struct netconf *n); /* -ENODATA: no lease */

struct netconf_info {
  const char *ifname;
  enum netconf_mode mode;
  struct net_addr addr; /* in force */
  uint8_t prefix_len;
  struct net_addr gateway;
  const char *origin;     /* "dhcp", "static"; NULL: no address */
  uint64_t valid_until_ns; /* boot-time; 0: no end */
  enum dhcp_state dhcp;
  struct net_addr server;
  uint64_t t1_ns, t2_ns;   /* boot-time, 0: none */
  const struct names_config *resolver;
};
void netconf_info(const struct netconf *n, struct netconf_info *ret);

#endif
