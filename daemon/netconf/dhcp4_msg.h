/* SPDX-License-Identifier: BSD-3-Clause
 * DHCPv4 messages (RFC 2131, options of RFC 2132, 3396, 3397, 3442, 4039, 4361, 8925) as plain values. Decoding survives
 * any bytes and keeps only what can be true: what a server may not say is left out, what makes the whole message
 * untrustworthy refuses it.
 */
#ifndef CAPNET_DHCP4_MSG_H
#define CAPNET_DHCP4_MSG_H

#include "base/resolvconf.h"

#define DHCP4_SERVER_PORT 67
#define DHCP4_CLIENT_PORT 68
#define DHCP4_MSG_MIN 300         /* what BOOTP relays and servers expect, RFC 1542 2.1 */
#define DHCP4_MSG_MAX 1024        /* of what we send; beyond 576 only a vendor class of hundreds of bytes leads */
#define DHCP4_RECEIVE_MAX 1472    /* UDP payload we announce to take (option 57, less headers) */
#define DHCP4_FOREVER UINT32_MAX  /* a lease without end, RFC 2131 3.3 */
#define DHCP4_MTU_MIN 68          /* RFC 2132 5.1 */
#define DHCP4_ROUTES_MAX 24
#define DHCP4_NTP_MAX 4
#define DHCP4_SPARES_MAX 3
#define DHCP4_CLIENT_ID_MAX 40
#define DHCP4_VENDOR_MAX 320

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

struct dhcp4_route {
  struct net_prefix dst;
  struct net_addr gateway; /* family 0: on link */
};

/* What a lease brings, filtered: every address here is one that can be used for its purpose. */
struct dhcp4_params {
  struct net_addr addr; /* family 0: none that a host could have */
  uint8_t prefix_len;   /* from option 1, else the class of the address */
  struct net_addr gateway; /* of the default route: option 121, where that is absent option 3 */
  struct net_addr spares[DHCP4_SPARES_MAX]; /* the next ones there, in their order: for when one does not answer */
  unsigned n_spares;
  struct net_addr server; /* option 54; family 0: absent */
  struct net_addr broadcast; /* option 28, when it is the broadcast address of the prefix; the stack has its own idea */
  struct net_addr dns[NAMES_SERVERS_MAX];
  unsigned n_dns;
  struct net_addr ntp[DHCP4_NTP_MAX]; /* option 42 */
  unsigned n_ntp;
  struct dhcp4_route routes[DHCP4_ROUTES_MAX]; /* but the default: option 121, where that is absent option 33 */
  unsigned n_routes;
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
  bool rapid;                   /* option 80: an ACK to a DISCOVER (RFC 4039) */
  bool has_v6only;              /* option 108 (RFC 8925) */
  uint32_t v6only_s;
  bool has_client_id; /* echoed (RFC 6842); the first bytes of it, and how long it is */
  uint8_t client_id[DHCP4_CLIENT_ID_MAX];
  size_t client_id_len;
  bool odd_search; /* of the names something was left out: a loop, a character, an end that is missing */
};

/* -EPROTO: not a server's DHCP message for Ethernet. -EBADMSG: its options run over its end, or contradict themselves.
 * ret is untouched then. */
int dhcp4_decode(const uint8_t *data, size_t len, struct dhcp4_reply *ret);

/* Who asks, the same in every message (RFC 2131 2, 4361 6.1: one identifier, always). */
struct dhcp4_identity {
  uint8_t mac[6];
  char hostname[64];                      /* option 12; "": none */
  uint8_t client_id[DHCP4_CLIENT_ID_MAX]; /* option 61; length 0: type 1 and the mac */
  size_t client_id_len;
  char vendor_class[DHCP4_VENDOR_MAX]; /* option 60; "": none */
};

struct dhcp4_send {
  enum dhcp4_type type; /* DISCOVER, REQUEST, DECLINE, RELEASE, INFORM */
  uint32_t xid;
  uint16_t secs;
  bool broadcast; /* ask for replies by broadcast */
  bool rapid;     /* option 80 */
  bool v6only;    /* asks for option 108 */
  struct net_addr ciaddr;    /* family 0: none; likewise below */
  struct net_addr requested; /* option 50 */
  struct net_addr server;    /* option 54 */
  const char *message;       /* option 56, a static string; NULL: none */
};

/* Returns the length, at most DHCP4_MSG_MAX, at least DHCP4_MSG_MIN. */
size_t dhcp4_encode(const struct dhcp4_identity *who, const struct dhcp4_send *m, uint8_t buf[DHCP4_MSG_MAX]);

#endif
