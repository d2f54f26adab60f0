/* SPDX-License-Identifier: BSD-3-Clause
 * What a host makes of router advertisements, as a pure state machine: solicitations (RFC 4861 6.3.7, RFC 7559), default
 * routers and routes (RFC 4861 6.3.4, RFC 4191), prefixes on link and for autoconfiguration (RFC 4862 5.5), resolvers
 * (RFC 8106), and the link-local address that all begins with (RFC 4862 5.3, RFC 7217). Events and the time go in, actions
 * come out. It owns no address: dad_addrs.h does, and says which are unique.
 *
 * What holds after every event: nothing whose lifetime is over is in any list; deadline_ns is never later than the first
 * end of a lifetime and, while a router is looked for, is set.
 */
#ifndef CAPNET_SLAAC_MACHINE_H
#define CAPNET_SLAAC_MACHINE_H

#include "netconf/iid.h"
#include "netconf/ra_msg.h"

#define SLAAC_ROUTERS_MAX 4
#define SLAAC_PREFIXES_MAX RA_PREFIXES_MAX
#define SLAAC_ADDRESSES_MAX 7 /* of the prefixes so many give an address: there must be room for others */
#define SLAAC_ROUTES_MAX RA_ROUTES_MAX
#define SLAAC_HOPS_MAX (SLAAC_ROUTERS_MAX + SLAAC_PREFIXES_MAX + SLAAC_ROUTES_MAX)
#define SLAAC_FOREVER UINT64_MAX

enum slaac_dhcp { SLAAC_DHCP_NONE, SLAAC_DHCP_INFORMATION, SLAAC_DHCP_ADDRESSES }; /* neither, O, M */

struct slaac_config {
  uint8_t secret[16];
  char ifname[16];
  unsigned mtu;   /* of the device; an advertised one can only be smaller. Later: slaac_set_mtu */
  bool listen;    /* to routers; else only the link-local address is made */
  uint32_t (*random)(void *arg);
  void *random_arg;
};

/* Lifetimes are boot-time ends, SLAAC_FOREVER, or 0: none. confirmed: heard of since the link is back. */
struct slaac_router {
  struct net_addr addr;
  int preference;
  uint64_t default_until, info_until; /* as a default router; the longest of what else it gave */
  bool managed, other, confirmed;
};
struct slaac_prefix {
  struct net_prefix prefix;
  uint64_t on_link_until;
  struct net_addr addr; /* family 0: not for autoconfiguration */
  uint64_t preferred_until, valid_until;
  unsigned dad_counter;
  uint64_t retry_ns;
  bool confirmed;
};
struct slaac_route {
  struct net_prefix dst;
  struct net_addr router;
  int preference;
  uint64_t until;
};
struct slaac_server {
  struct net_addr addr, router;
  uint64_t until;
};
struct slaac_domain {
  char name[NAMES_NAME_MAX];
  struct net_addr router;
  uint64_t until;
};

struct slaac_machine {
  struct slaac_config cfg;
  bool running, link;
  uint64_t deadline_ns; /* 0: nothing is due */

  struct net_addr link_local; /* family 0: none yet */
  bool link_local_unique;
  unsigned dad_counter;
  uint64_t retry_ns; /* to make another */

  uint64_t solicit_ns, solicit_rt_ns; /* the next solicitation, the last interval; 0: none */
  unsigned solicited;
  uint64_t doubt_ns; /* what was not confirmed until then is given up, if anything was */

  struct slaac_router routers[SLAAC_ROUTERS_MAX];
  unsigned n_routers;
  struct slaac_prefix prefixes[SLAAC_PREFIXES_MAX];
  unsigned n_prefixes;
  struct slaac_route routes[SLAAC_ROUTES_MAX];
  unsigned n_routes;
  struct slaac_server servers[NAMES_SERVERS_MAX];
  unsigned n_servers;
  struct slaac_domain domains[NAMES_SEARCH_MAX];
  unsigned n_domains;
  uint8_t hop_limit; /* 0: the default, as with the next three */
  uint32_t reachable_ms, retrans_ms;
  unsigned mtu;
  enum slaac_dhcp dhcp; /* only rises until the link is back: M and O say what there is, not what is over */
  uint64_t ignored, left_out;
};

/* One address or one router. */
struct slaac_action {
  enum slaac_action_kind { SLAAC_ACT_ADDRESS, SLAAC_ACT_FORGET, SLAAC_ACT_ROUTER } kind;
  struct net_addr addr;
  bool link_local;                       /* of an address */
  uint64_t preferred_until, valid_until; /* of ADDRESS; of ROUTER valid_until */
  const char *from, *to;                 /* of a router: "valid", "information", "gone" */
  const char *why;                       /* static */
};
#define SLAAC_ACTIONS_MAX 64
/* The flags say which of the machine's lists are to be looked at again; they come before the actions, but for solicit. */
struct slaac_actions {
  bool resolver, routes, link, dhcp, solicit;
  struct slaac_action a[SLAAC_ACTIONS_MAX];
  unsigned n;
};

void slaac_init(struct slaac_machine *m, const struct slaac_config *cfg, bool link);
/* Each event first ends what is over. acts is written anew. */
void slaac_start(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts);
/* why, here as elsewhere, is static, and what actions say. */
void slaac_stop(struct slaac_machine *m, const char *why, uint64_t now, struct slaac_actions *acts);
/* The device's is another: advertisements from now on are judged by it (RFC 4861 6.3.4). Not an event: nothing follows. */
void slaac_set_mtu(struct slaac_machine *m, unsigned mtu);
/* Not to listen any more forgets all that routers said; the link-local address stays. */
void slaac_listen(struct slaac_machine *m, bool listen, uint64_t now, struct slaac_actions *acts);
void slaac_link(struct slaac_machine *m, bool up, uint64_t now, struct slaac_actions *acts);
void slaac_timeout(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts); /* early calls are harmless */
void slaac_receive(struct slaac_machine *m, const struct net_addr *from, const struct ra_message *ra, uint64_t now,
                   struct slaac_actions *acts);
/* Duplicate address detection has ended for an address that came from here. */
void slaac_verified(struct slaac_machine *m, const struct net_addr *addr, bool unique, uint64_t now,
                    struct slaac_actions *acts);
/* The link-local address cannot be used for now, without being another node's: nothing is sent from it until it is verified. */
void slaac_unusable(struct slaac_machine *m, const struct net_addr *addr, uint64_t now, struct slaac_actions *acts);
/* A stronger origin that had this address has given it up: if it is one of ours too, it is given again. */
void slaac_again(struct slaac_machine *m, const struct net_addr *addr, uint64_t now, struct slaac_actions *acts);

#endif
