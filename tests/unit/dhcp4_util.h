/* SPDX-License-Identifier: BSD-3-Clause
 * A server's DHCPv4 messages, byte by byte, for tests: nothing of the codec under test is used to build them.
 */
#ifndef CAPNET_TESTS_DHCP4_UTIL_H
#define CAPNET_TESTS_DHCP4_UTIL_H

#include "base/util.h"
#include "netconf/dhcp4_msg.h"

struct raw {
  uint8_t b[1500];
  size_t len;
};

static inline void raw_u32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* The fixed part and option 53. */
static inline void raw_begin(struct raw *r, uint8_t type, uint32_t xid, const uint8_t mac[6], uint32_t yiaddr) {
  memset(r, 0, sizeof(*r));
  r->b[0] = 2;
  r->b[1] = 1;
  r->b[2] = 6;
  raw_u32(r->b + 4, xid);
  raw_u32(r->b + 16, yiaddr);
  memcpy(r->b + 28, mac, 6);
  memcpy(r->b + 236, "\x63\x82\x53\x63\x35\x01", 6);
  r->b[242] = type;
  r->len = 243;
}

static inline void raw_opt(struct raw *r, uint8_t code, const void *data, size_t len) {
  r->b[r->len++] = code;
  r->b[r->len++] = (uint8_t)len;
  memcpy(r->b + r->len, data, len);
  r->len += len;
}

static inline void raw_opt32(struct raw *r, uint8_t code, uint32_t v) {
  uint8_t b[4];
  raw_u32(b, v);
  raw_opt(r, code, b, 4);
}

static inline void raw_end(struct raw *r) { r->b[r->len++] = 255; }

/* The value of an option of what a client sent; NULL: absent. Only the options field is looked at. */
static inline const uint8_t *raw_find(const uint8_t *data, size_t len, uint8_t code, size_t *ret_len) {
  for (size_t i = 240; i + 1 < len && data[i] != 255;) {
    if (data[i] == 0) {
      i++;
      continue;
    }
    if (data[i] == code) {
      *ret_len = data[i + 1];
      return data + i + 2;
    }
    i += 2 + (size_t)data[i + 1];
  }
  return NULL;
}

#endif
