/* SPDX-License-Identifier: BSD-3-Clause
 * Packet scripts: what came out of the stack. Part of stack_script.h.
 */
#ifndef CAPNET_TEST_STACK_SCRIPT_OUT_H
#define CAPNET_TEST_STACK_SCRIPT_OUT_H

/* One packet that came out; 0: it carries nothing. */
static inline size_t packet_at(const uint8_t *f, uint32_t *ret_at, uint8_t *ret_flags) {
  const uint8_t *data = f + 34 + (f[46] >> 4) * 4;
  size_t len = wire_get(f + 16, 2) - 20 - (size_t)(f[46] >> 4) * 4;
  *ret_at = wire_get(f + 38, 4) - script.base;
  *ret_flags = f[47];
  for (size_t i = 0; i < len; i++)
    cr_assert_eq(data[i], pattern(*ret_at + i), "byte %u of the stream", (unsigned)(*ret_at + i));
  return len;
}

/* What came out since the last call, without empty ACKs: "0..9 3 2500+300F", a packet by its number, or first byte and
 * length when it is no whole one; F has a FIN, R is a RST. */
static inline const char *out(void) {
  size_t n = 0;
  uint32_t next = UINT32_MAX, first = 0;
  script.text[0] = 0;
  cr_assert_leq(w.n - script.seen, WIRE_KEEP);
  for (; script.seen < w.n; script.seen++) {
    const uint8_t *f = w.got[script.seen % WIRE_KEEP].data;
    uint32_t at;
    uint8_t flags;
    if (wire_get(f + 12, 2) != 0x0800 || f[23] != 6)
      continue;
    size_t len = packet_at(f, &at, &flags), room = sizeof(script.text) - n;
    bool plain = len == K && at % K == 0 && !(flags & (WIRE_FIN | WIRE_RST));
    if (len == 0 && !(flags & (WIRE_FIN | WIRE_RST)))
      continue;
    if (plain && at == next) {
      char *range = strstr(script.text + first, "..");
      n = range ? (size_t)(range - script.text) : n;
      n += (size_t)snprintf(script.text + n, sizeof(script.text) - n, "..%u", at / K);
    } else {
      first = (uint32_t)n;
      n += (size_t)(plain ? snprintf(script.text + n, room, "%s%u", n ? " " : "", at / K)
                          : snprintf(script.text + n, room, "%s%u+%zu%s%s", n ? " " : "", at, len,
                                     flags & WIRE_FIN ? "F" : "", flags & WIRE_RST ? "R" : ""));
    }
    next = plain ? at + K : UINT32_MAX;
    cr_assert_lt(n, sizeof(script.text));
  }
  return script.text;
}
#define expect_out(want)                            \
  do {                                              \
    const char *o_ = out();                         \
    cr_expect_str_eq(o_, want, "came out: %s", o_); \
  } while (0)

/* How many ms pass until something comes out, at most max. */
static inline unsigned until_out(unsigned max) {
  unsigned ms = 0;
  while (ms < max && !*out()) {
    pass(1);
    ms++;
  }
  return ms;
}
/* What comes out next does so after so many ms (TCP counts in whole ones, and begins in the middle of one). */
#define expect_after(ms, want)                                                                            \
  do {                                                                                                    \
    unsigned took_ = until_out((ms) + 3);                                                                 \
    cr_expect(took_ >= (ms) && took_ <= (ms) + 2, "after %u ms", took_);                                  \
    cr_expect_str_eq(script.text, want, "came out: %s", script.text);                                     \
  } while (0)
#define expect_quiet(ms) \
  do {                   \
    pass(ms);            \
    expect_out("");      \
  } while (0)

#endif
