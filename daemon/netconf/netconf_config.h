/* SPDX-License-Identifier: BSD-3-Clause
 * What is configured of an interface's addresses, as plain values.
 */
#ifndef CAPNET_NETCONF_CONFIG_H
#define CAPNET_NETCONF_CONFIG_H

#include "base/resolvconf.h"

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

#endif
