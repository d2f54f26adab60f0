/* SPDX-License-Identifier: BSD-3-Clause
 * DHCPv6 messages (RFC 8415) as plain values. Decoding takes any bytes, encoding makes what this client sends. RFC numbers
 * without more are sections of RFC 8415.
 */
#ifndef CAPNET_DHCP6_MSG_H
#define CAPNET_DHCP6_MSG_H

#include "base/resolvconf.h"
#include "netconf/duid.h"

#define DHCP6_CLIENT_PORT 546
#define DHCP6_SERVER_PORT 547
#define DHCP6_ADDRS_MAX 4
#define DHCP6_NTP_MAX 4
#define DHCP6_FOREVER UINT32_MAX
#define DHCP6_MSG_MAX 600 /* what this client sends is bounded by construction */

enum dhcp6_type { /* 7.3 */
  DHCP6_SOLICIT = 1,
  DHCP6_ADVERTISE = 2,
  DHCP6_REQUEST = 3,
  DHCP6_CONFIRM = 4,
  DHCP6_RENEW = 5,
  DHCP6_REBIND = 6,
  DHCP6_REPLY = 7,
  DHCP6_RELEASE = 8,
  DHCP6_DECLINE = 9,
  DHCP6_RECONFIGURE = 10,
  DHCP6_INFORMATION_REQUEST = 11
};
enum dhcp6_status { /* 21.13; others count as a failure */
  DHCP6_SUCCESS = 0,
  DHCP6_UNSPEC_FAIL = 1,
  DHCP6_NO_ADDRS_AVAIL = 2,
  DHCP6_NO_BINDING = 3,
  DHCP6_NOT_ON_LINK = 4,
  DHCP6_USE_MULTICAST = 5
};

struct dhcp6_duid {
  uint8_t b[DUID_MAX];
  size_t len; /* 0: none */
};

struct dhcp6_addr {
  struct net_addr addr;
  uint32_t preferred_s, valid_s; /* valid 0: not any more */
};

/* What an interface is told besides addresses. */
struct dhcp6_params {
  struct net_addr dns[NAMES_SERVERS_MAX];
  unsigned n_dns;
  char search[NAMES_SEARCH_MAX][NAMES_NAME_MAX];
  unsigned n_search;
  struct net_addr ntp[DHCP6_NTP_MAX]; /* RFC 5908, addresses of servers only */
  unsigned n_ntp;
};

struct dhcp6_reply {
  enum dhcp6_type type; /* ADVERTISE, REPLY */
  uint32_t xid;         /* 24 bits */
  struct dhcp6_duid client, server;
  uint8_t preference;
  bool rapid_commit;
  uint16_t status; /* of the message */

  bool has_ia; /* an IA_NA of ours with T1 <= T2 */
  uint16_t ia_status;
  uint32_t t1_s, t2_s; /* 0: ours to choose */
  struct dhcp6_addr addrs[DHCP6_ADDRS_MAX]; /* with preferred <= valid */
  unsigned n_addrs;

  struct dhcp6_params params;
  uint32_t refresh_s;                  /* 21.23; 0: not said */
  uint32_t sol_max_rt_s, inf_max_rt_s; /* 21.24, 21.25; 0: not said, or out of bounds */
  unsigned left_out;                   /* what made no sense or was too much */
};

/* iaid: of our IA_NA, others are not ours. -EBADMSG: no message from a server to a client, or options that run over. */
int dhcp6_decode(const uint8_t *data, size_t len, uint32_t iaid, struct dhcp6_reply *ret);

struct dhcp6_send {
  enum dhcp6_type type;
  uint32_t xid, iaid;
  struct dhcp6_duid client, server; /* server.len 0: to all */
  uint16_t elapsed_cs;              /* hundredths of a second since the first message of this exchange */
  bool rapid_commit;
  bool with_ia;
  struct net_addr addrs[DHCP6_ADDRS_MAX]; /* in the IA_NA */
  unsigned n_addrs;
};
/* Returns the length. */
size_t dhcp6_encode(const struct dhcp6_send *m, uint8_t buf[DHCP6_MSG_MAX]);

#endif
