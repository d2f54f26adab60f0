/* SPDX-License-Identifier: BSD-3-Clause
 * Which addresses an interface has and where each came from: static lines, leases, router advertisements, precedence, and
 * what they bring along (resolver, search domains). At expiry everything that a lease gave is gone in the same turn: fail
 * closed.
 */
#ifndef CAPNET_NETCONF_H
#define CAPNET_NETCONF_H

#include "base/resolvconf.h"
#include "stack/stack.h"

struct netconf; /* of one interface */

enum netconf_mode { NETCONF_NONE, NETCONF_STATIC, NETCONF_DHCP }; /* of IPv4 */
const char *netconf_mode_name(enum netconf_mode m); /* "none", "static", "dhcp" */

struct netconf_static {
  struct net_addr addr;
  uint8_t prefix_len;
  struct net_addr gateway; /* family 0: none */
};

/* Of IPv6. Every mode but off has a link-local address, and may have configured ones. */
enum netconf_ip6_mode { NETCONF_IP6_OFF, NETCONF_IP6_LINK_LOCAL, NETCONF_IP6_STATIC, NETCONF_IP6_AUTO };
const char *netconf_ip6_mode_name(enum netconf_ip6_mode m); /* "off", "link-local", "static", "auto" */
enum netconf_dhcp6 { NETCONF_DHCP6_AUTO, NETCONF_DHCP6_ALWAYS, NETCONF_DHCP6_OFF }; /* AUTO: as routers say */

#define NETCONF_FIXED6_MAX 4
struct netconf_static6 {
  struct netconf_fixed6 {
    struct net_addr addr;
    uint8_t prefix_len; /* its prefix is on link */
  } list[NETCONF_FIXED6_MAX];
  unsigned n;
  struct net_addr gateway; /* family 0: none; before those that advertise themselves */
};
int netconf_static6_check(const struct netconf_static6 *s); /* -EINVAL: no host could have it */

/* RFC 2131 figure 5, and what is not in it. */
enum dhcp_state {
  DHCP_OFF,
  DHCP_INIT,       /* waiting: for the link, or after a refusal or a conflict */
  DHCP_REBOOTING,  /* is the address of the last lease still ours? Meanwhile a live lease is in force when the link was away */
  DHCP_SELECTING,
  DHCP_REQUESTING,
  DHCP_PROBING,    /* granted; does somebody else use it (RFC 5227)? Not in force yet */
  DHCP_BOUND,
  DHCP_RENEWING,
  DHCP_REBINDING,
  DHCP_EXPIRED,    /* asking again from the start, with nothing in force */
  DHCP_RELEASED,
  DHCP_STANDBY,    /* live, not renewed: something else is in force */
  DHCP_IPV6_ONLY   /* the network prefers to have no IPv4 (RFC 8925) */
};
const char *dhcp_state_name(enum dhcp_state s); /* "bound", … */

/* Is an address in use by somebody else? RFC 5227 before it is used, and all the while. */
enum netconf_acd {
  NETCONF_ACD_OFF,
  NETCONF_ACD_FAST, /* three probes in less than a second */
  NETCONF_ACD_RFC   /* with the times of RFC 5227: 4 to 7 seconds */
};
enum netconf_client_id { NETCONF_ID_MAC, NETCONF_ID_DUID }; /* RFC 2132 9.14, RFC 4361 */

struct netconf_config {
  enum netconf_mode mode;
  struct netconf_static fixed;       /* NETCONF_STATIC */
  const char *fixed_origin;          /* where it comes from, a static string; NULL: "static" */
  enum netconf_ip6_mode ip6;
  enum netconf_dhcp6 dhcp6;
  struct netconf_static6 fixed6;     /* with each mode but off */
  char hostname[64];                 /* option 12; "" sends none */
  char vendor_class[192];            /* option 60; "" sends none */
  char state_dir[108];               /* where leases outlive the daemon; "": nowhere */
  enum netconf_acd conflict_detection; /* of IPv4 */
  bool conflict_keep;                /* a static address is defended for ever, else given up to who insists (RFC 5227 2.4) */
  enum netconf_client_id client_id;
  bool rapid_commit;                 /* RFC 4039 */
  bool ipv6_only_preferred;          /* RFC 8925 */
  bool inform;                       /* a static address, and options from a server */
  uint32_t offer_wait_ms;            /* for a better offer; 0: the first good one */
  /* From the configuration; they come before those of the lease. */
  struct names_config resolver;
  uint32_t (*random)(void *arg); /* transaction ids, jitter; NULL: the kernel's */
  void *random_arg;
  uint64_t (*wall_s)(void *arg); /* the time of day, for leases across restarts; NULL: the system's */
  void *wall_arg;
};

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
  enum netconf_ip6_mode ip6; /* in force */
  const struct names_config *resolver; /* of both families, merged */
};
void netconf_info(const struct netconf *n, struct netconf_info *ret);

/* An address that the interface has, is to get, or could have. */
struct netconf_address {
  struct net_addr addr;
  uint8_t prefix_len;
  const char *origin; /* "static", "dhcp", "dhcp6", "slaac", "link-local", "fixture" */
  const char *state;  /* "tentative", "preferred", "deprecated", "duplicate"; "standby": something else is in force */
  const char *why;    /* of "duplicate" and "standby", NULL otherwise */
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

/* What was received and not used, by reason: "dhcp4-other-xid", … Names are static. */
void netconf_each_counter(const struct netconf *n, void (*fn)(void *arg, const char *name, uint64_t value), void *arg);

#endif
