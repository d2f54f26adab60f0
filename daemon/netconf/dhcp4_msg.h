/* SPDX-License-Identifier: BSD-3-Clause
 * DHCPv4 messages (RFC 2131, options of RFC 2132, 3396, 3397) as plain values. Decoding survives any bytes and keeps
 * only what can be true: what a server may not say is left out, what makes the whole message untrustworthy refuses it.
 */
#ifndef CAPNET_DHCP4_MSG_H
#define CAPNET_DHCP4_MSG_H

#include "base/resolvconf.h"

#define DHCP4_SERVER_PORT 67
#define DHCP4_CLIENT_PORT 68
#define DHCP4_MSG_MIN 300         /* what BOOTP relays and servers expect, RFC 1542 2.1 */
#define DHCP4_MSG_MAX 576         /* of what we send */
#define DHCP4_RECEIVE_MAX 1472    /* UDP payload we announce to take (option 57, less headers) */
#define DHCP4_FOREVER UINT32_MAX  /* a lease without end, RFC 2131 3.3 */
#define DHCP4_MTU_MIN 68          /* RFC 2132 5.1 */

enum dhcp4_type {
  DHCP4_DISCOVER = 1,
  DHCP4_OFFER,
  DHCP4_REQUEST,
  DHCP4_DECLINE,
  DHCP4_ACK,
  DHCP4_NAK,
  DHCP4_RELEASE,
  DHCP4_INFORM
};

/* What a lease brings, filtered: every address here is one that can be used for its purpose. */
struct dhcp4_params {
  struct net_addr addr; /* family 0: none that a host could have */
  uint8_t prefix_len;   /* from option 1, else the class of the address */
  struct net_addr gateway;
  struct net_addr server; /* option 54; family 0: absent */
  struct net_addr dns[NAMES_SERVERS_MAX];
  unsigned n_dns;
  char search[NAMES_SEARCH_MAX][NAMES_NAME_MAX]; /* option 119, else 15; canonical */
  unsigned n_search;
  bool search_present; /* 119 or 15 was there, with whatever in it */
  uint16_t mtu;        /* option 26; 0: absent or below DHCP4_MTU_MIN */
};

struct dhcp4_reply {
  enum dhcp4_type type; /* OFFER, ACK or NAK */
  uint32_t xid;
  uint8_t mac[6];
  struct dhcp4_params params;
  bool has_lease;
  uint32_t lease_s, t1_s, t2_s; /* t1, t2: 0 when absent */
};

/* -EBADMSG: not a server's DHCP message for Ethernet, or its options run over its end. ret is untouched then. */
int dhcp4_decode(const uint8_t *data, size_t len, struct dhcp4_reply *ret);

struct dhcp4_send {
  enum dhcp4_type type; /* DISCOVER, REQUEST, RELEASE (or DECLINE) */
  uint32_t xid;
  uint16_t secs;
  bool broadcast; /* ask for replies by broadcast */
  uint8_t mac[6];
  struct net_addr ciaddr;    /* family 0: none; likewise below */
  struct net_addr requested; /* option 50 */
  struct net_addr server;    /* option 54 */
  char hostname[64];         /* option 12; "": none */
};

/* Returns the length, at most DHCP4_MSG_MAX, at least DHCP4_MSG_MIN. */
size_t dhcp4_encode(const struct dhcp4_send *m, uint8_t buf[DHCP4_MSG_MAX]);

#endif
