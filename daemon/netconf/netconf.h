/* SPDX-License-Identifier: BSD-3-Clause
 * Which addresses an interface has and where each came from: static lines, leases, router advertisements, precedence, and
 * what they bring along (resolver, search domains). At expiry everything that a lease gave is gone in the same turn: fail
 * closed.
 */
#ifndef CAPNET_NETCONF_H
#define CAPNET_NETCONF_H

#include "netconf/netconf_config.h"
#include "stack/stack.h"

struct netconf; /* of one interface */

/* A transition. Strings are static but for those of names; what does not apply is zero. */
struct netconf_event {
  const char *section;  /* of NetworkStatus: "leases" (of a lease or an advertisement), "interfaces" (an address) */
  const char *protocol; /* "dhcp4", "dhcp6", "ra", "dad", "acd", "static", … : who says it, or the address's origin */
  uint8_t family;
  const char *from, *to; /* states; an address: "preferred", "gone", … ; to is never NULL */
  struct net_addr addr;
  uint8_t prefix_len;
  struct net_addr server;  /* or router */
  const char *reason;      /* one clause for a person */
  const char *next;        /* what happens next: "renew", "rebind", "expiry", "retry", "use" (probed, then in force); NULL: nothing is due */
  uint64_t next_ns;        /* and when, boot-time */
  uint64_t valid_until_ns; /* boot-time; 0: no end, or no address */
};
uint64_t netconf_seconds(uint64_t until_ns, uint64_t now_ns); /* to the nearest one; 0 when it is past */
#define NETCONF_TEXT_MAX 320
/* One line without the interface's name: "bound: the server granted a lease: 10.0.0.5/24 from 10.0.0.1 for 60 s, renew in
 * 30 s". */
const char *netconf_event_text(const struct netconf_event *ev, uint64_t now_ns, char buf[NETCONF_TEXT_MAX]);

struct netconf_upcalls {
  void (*event)(void *arg, const struct netconf_event *ev);        /* what is told has already happened */
  void (*resolver)(void *arg, const struct names_config *cfg); /* what is in force now */
};

/* Borrows the interface. Applies a static address, or starts DHCP, as soon as the link is up. */
int netconf_new(struct loop *loop, struct stack_if *iface, const struct netconf_config *cfg,
                const struct netconf_upcalls *up, void *arg, struct netconf **ret);
struct netconf *netconf_free(struct netconf *n); /* stops; the lease is kept */
void netconf_link(struct netconf *n, bool up);
/* The machine was asleep: what is in force is verified as when a link is back, for the network may be another by now (RFC 5227 2.1,
 * RFC 8415 18.2.12). */
void netconf_resumed(struct netconf *n);
/* Each configured address has been tried: it is in force, or the events have said why not, or the link is down. */
bool netconf_settled(const struct netconf *n);
/* The device's MTU is another one (upcall mtu of the stack). Below 1280 there is no IPv6 (RFC 8200 5): what is of it is gone
 * when this returns, and is acquired again when the MTU is large enough again. */
void netconf_mtu(struct netconf *n);

/* resolver NULL: as it was. -EINVAL, and what the stack says of the address. */
int netconf_set_static(struct netconf *n, const struct netconf_static *s, const struct names_config *resolver);
int netconf_use_dhcp(struct netconf *n);
int netconf_renew(struct netconf *n);   /* -EPROTONOSUPPORT: the mode is not DHCP */
int netconf_release(struct netconf *n); /* -ENODATA: no lease */
/* The same for IPv6: configured addresses alone, without routers' word (n = 0: back to what routers and DHCPv6 give); a
 * lease of DHCPv6. -EPROTONOSUPPORT: the interface has no IPv6, or does not use DHCPv6. */
int netconf_set_static6(struct netconf *n, const struct netconf_static6 *s, const struct names_config *resolver);
int netconf_renew6(struct netconf *n);
int netconf_release6(struct netconf *n);
/* Forgets what was set and what was leased, and starts over with the configuration. No server is told. */
int netconf_reconfigure(struct netconf *n);

/* IPv4 in short. */
struct netconf_info {
  const char *ifname;
  enum netconf_mode mode;
  struct net_addr addr; /* in force */
  uint8_t prefix_len;
  struct net_addr gateway;
  const char *origin;     /* "dhcp", "static"; NULL: no address */
  enum dhcp_state dhcp;
  enum netconf_ip6_mode ip6; /* as it is configured */
  const char *ip6_why; /* why nothing of that is in force; NULL: it is, or the mode is off */
  const struct names_config *resolver; /* of both families, merged */
};
void netconf_info(const struct netconf *n, struct netconf_info *ret);

/* An address that the interface has, is to get, or could have. */
struct netconf_address {
  struct net_addr addr;
  uint8_t prefix_len;
  const char *origin; /* "static", "dhcp", "dhcp6", "slaac", "link-local", "fixture" */
  const char *state;  /* "tentative", "preferred", "deprecated", "duplicate", "refused" (by the stack, for the moment);
                       * "standby": something else is in force, or nothing */
  const char *why;    /* of the last three, NULL otherwise */
  uint64_t preferred_until_ns, valid_until_ns; /* boot-time; 0: no end */
};
void netconf_each_address(const struct netconf *n, void (*fn)(void *arg, const struct netconf_address *a), void *arg);

/* What a server or a router gave, or is asked for. */
struct netconf_lease {
  const char *protocol; /* "dhcp4", "dhcp6", "ra" */
  const char *state;
  struct net_addr addr; /* family 0: none */
  uint8_t prefix_len;
  struct net_addr server; /* or router */
  uint64_t t1_ns, t2_ns, expiry_ns; /* boot-time; 0: none */
  bool in_force;
  const char *reason; /* of the last transition */
  const char *next;   /* as in an event */
  uint64_t next_ns;
};
void netconf_each_lease(const struct netconf *n, void (*fn)(void *arg, const struct netconf_lease *l), void *arg);

/* Time servers that were given; nobody here asks them. origin: "dhcp", "dhcp6". */
void netconf_each_ntp(const struct netconf *n, void (*fn)(void *arg, const struct net_addr *a, const char *origin),
                      void *arg);

/* What was received and not used, by reason: "dhcp4-other-xid", … Names are static. */
void netconf_each_counter(const struct netconf *n, void (*fn)(void *arg, const char *name, uint64_t value), void *arg);

#endif
