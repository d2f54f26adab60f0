/* SPDX-License-Identifier: BSD-3-Clause
 * Packet scripts with timestamps (RFC 7323): what the peer sends with them, and those of what came out. Goes with
 * stack_script.h.
 */
#ifndef CAPNET_TEST_STACK_SCRIPT_TS_H
#define CAPNET_TEST_STACK_SCRIPT_TS_H

#include "stack_script.h"

/* The newest segment that came out. */
static inline const uint8_t *last_tcp(void) {
  const uint8_t *f = NULL;
  for (unsigned k = 0; k < WIRE_KEEP && (f = wire_last(&w, k)); k++)
    if (wire_get(f + 12, 2) == 0x0800 && f[23] == 6)
      return f;
  cr_assert_fail("nothing came out");
  return NULL;
}

/* The option of a segment; false: it has none. */
static inline bool stamp_of(const uint8_t *f, uint32_t *ret_val, uint32_t *ret_ecr) {
  size_t end = 34 + (size_t)(f[46] >> 4) * 4;
  for (size_t at = 54; at + 1 < end && f[at] != 0; at += f[at] == 1 ? 1 : f[at + 1]) {
    if (f[at] != 8)
      continue;
    cr_assert_eq(f[at + 1], 10);
    *ret_val = wire_get(f + at + 2, 4);
    *ret_ecr = wire_get(f + at + 6, 4);
    return true;
  }
  return false;
}
static inline uint32_t last_val(void) {
  uint32_t val, ecr;
  cr_assert(stamp_of(last_tcp(), &val, &ecr));
  return val;
}
static inline uint32_t last_echo(void) {
  uint32_t val, ecr;
  cr_assert(stamp_of(last_tcp(), &val, &ecr));
  return ecr;
}
static inline bool last_has_stamp(void) {
  uint32_t val, ecr;
  return stamp_of(last_tcp(), &val, &ecr);
}

/* Connected, with timestamps; the peer's clock is at tsval. */
static inline void open_stamped(unsigned rtt_us, bool sack, uint32_t tsval) {
  script.ts = true;
  script.tsval = tsval;
  script.tsecr = 0;
  open_script(rtt_us, sack);
}

/* The peer sends len bytes of fill from its byte number at on, with its clock at tsval. */
static inline void peer(uint8_t flags, uint32_t at, size_t len, uint8_t fill, uint32_t tsval) {
  uint8_t o[12];
  script.tsval = tsval;
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1001 + at, .ack = script.base, .flags = flags,
                                  .wnd = script.wnd, .options = o, .n_options = stamp(o), .len = len, .fill = fill});
}
static inline void data(uint32_t at, size_t len, uint8_t fill, uint32_t tsval) { peer(WIRE_ACK, at, len, fill, tsval); }

/* All that lies here to be read, as "100a 20b". */
static inline const char *received(void) {
  struct iovec iov[64];
  int n = stack_conn_peek(e.c, iov, 64);
  size_t len = 0, run = 0;
  uint8_t last = 0;
  script.text[0] = 0;
  for (int i = 0; i < n; i++)
    for (size_t k = 0; k < iov[i].iov_len; k++, run++) {
      uint8_t b = ((const uint8_t *)iov[i].iov_base)[k];
      if (run && b != last) {
        len += (size_t)snprintf(script.text + len, sizeof(script.text) - len, "%zu%c ", run, last);
        run = 0;
      }
      last = b;
    }
  if (run)
    snprintf(script.text + len, sizeof(script.text) - len, "%zu%c", run, last);
  return script.text;
}
#define expect_received(want)                   \
  do {                                          \
    const char *r_ = received();                \
    cr_expect_str_eq(r_, want, "got: %s", r_);  \
  } while (0)

#endif
