/* SPDX-License-Identifier: BSD-3-Clause
 * What reading and writing of DHCPv4 messages share: places, codes, and the areas that may hold options.
 */
#ifndef CAPNET_DHCP4_WIRE_H
#define CAPNET_DHCP4_WIRE_H

#include "netconf/dhcp4_msg.h"

#include "base/util.h"
#include "base/wire.h"

/* Offsets of the fixed part, RFC 2131 figure 1. */
enum {
  OFF_OP = 0,
  OFF_HTYPE = 1,
  OFF_HLEN = 2,
  OFF_XID = 4,
  OFF_SECS = 8,
  OFF_FLAGS = 10,
  OFF_CIADDR = 12,
  OFF_YIADDR = 16,
  OFF_CHADDR = 28,
  OFF_SNAME = 44,
  OFF_FILE = 108,
  OFF_COOKIE = 236,
  OFF_OPTIONS = 240
};
#define LEN_SNAME 64
#define LEN_FILE 128
#define BOOTREQUEST 1
#define BOOTREPLY 2
#define HTYPE_ETHERNET 1
#define FLAG_BROADCAST 0x8000

enum {
  OPT_PAD = 0,
  OPT_MASK = 1,
  OPT_ROUTER = 3,
  OPT_DNS = 6,
  OPT_HOSTNAME = 12,
  OPT_DOMAIN = 15,
  OPT_MTU = 26,
  OPT_BROADCAST = 28,
  OPT_STATIC_ROUTES = 33,
  OPT_NTP = 42,
  OPT_REQUESTED = 50,
  OPT_LEASE = 51,
  OPT_OVERLOAD = 52,
  OPT_TYPE = 53,
  OPT_SERVER = 54,
  OPT_PARAMETERS = 55,
  OPT_MESSAGE = 56,
  OPT_MAX_SIZE = 57,
  OPT_T1 = 58,
  OPT_T2 = 59,
  OPT_VENDOR_CLASS = 60,
  OPT_CLIENT_ID = 61,
  OPT_RAPID_COMMIT = 80,
  OPT_V6ONLY = 108,
  OPT_SEARCH = 119,
  OPT_CLASSLESS = 121,
  OPT_END = 255
};

extern const uint8_t dhcp4_cookie[4];

/* One option put together never exceeds what one message can carry. */
#define OPTION_MAX 2048

struct area {
  const uint8_t *data;
  size_t len;
};
struct areas {
  struct area a[3];
  unsigned n;
};

/* The areas of a message of at least OFF_OPTIONS bytes. Only the options field may say that the others hold options
 * (RFC 2132 9.3). -EBADMSG: an option runs over the end of its area. */
int dhcp4_areas(const uint8_t *data, size_t len, struct areas *ret);
/* Puts all pieces of one option together, in the order of RFC 3396. Returns its length, or -1 when it is absent. What
 * does not fit is left out. */
ssize_t dhcp4_option(const struct areas *areas, uint8_t want, uint8_t out[OPTION_MAX]);
bool dhcp4_option_u32(const struct areas *areas, uint8_t code, uint32_t *ret);
/* Options 119 and 15. False: something of it was left out. */
bool dhcp4_decode_search(const struct areas *areas, struct dhcp4_params *p);

#endif
