/* SPDX-License-Identifier: BSD-3-Clause
 * Router solicitations out, router advertisements in (RFC 4861 4.1, 4.2, 4.6; RFC 4191; RFC 8106) as plain values. Any
 * bytes are fine: what is wrong as a whole is refused, an option that is wrong by itself is left out and counted.
 */
#ifndef CAPNET_RA_MSG_H
#define CAPNET_RA_MSG_H

#include "base/resolvconf.h"

#define RA_PREFIXES_MAX 16
#define RA_ROUTES_MAX 16
#define RA_FOREVER UINT32_MAX /* a lifetime without end */
#define RA_MTU_MIN 1280       /* RFC 8200 5 */

struct ra_prefix {
  struct net_prefix prefix; /* host bits are zero */
  bool on_link, autonomous;
  uint32_t valid_s, preferred_s;
};
struct ra_route {
  struct net_prefix prefix;
  int preference; /* as below */
  uint32_t lifetime_s;
};
struct ra_server {
  struct net_addr addr;
  uint32_t lifetime_s;
};
struct ra_domain {
  char name[NAMES_NAME_MAX];
  uint32_t lifetime_s;
};

struct ra_message {
  uint8_t hop_limit; /* 0: not said, as with the next two */
  uint32_t reachable_ms, retrans_ms;
  bool managed, other; /* M, O */
  int preference;      /* 1 high, 0 medium, -1 low (RFC 4191 2.1) */
  uint16_t router_s;   /* lifetime as a default router */
  uint32_t mtu;        /* 0: not said, or below 1280 */
  struct ra_prefix prefixes[RA_PREFIXES_MAX];
  unsigned n_prefixes;
  struct ra_route routes[RA_ROUTES_MAX];
  unsigned n_routes;
  struct ra_server servers[NAMES_SERVERS_MAX];
  unsigned n_servers;
  struct ra_domain domains[NAMES_SEARCH_MAX];
  unsigned n_domains;
  unsigned left_out; /* options, addresses and names that made no sense or were too many */
};

/* The ICMPv6 message, from its type on. The caller has checked what is outside it: hop limit 255, the checksum, that the
 * source is link-local (RFC 4861 6.1.2). -EBADMSG: it is none, too short, or an option has no length or runs over. */
int ra_decode(const uint8_t *icmp, size_t len, struct ra_message *ret);

#define RS_LEN 16
/* A router solicitation with our link-layer address; the checksum is left to the sender. */
void rs_encode(const uint8_t mac[6], uint8_t ret[RS_LEN]);

#endif
