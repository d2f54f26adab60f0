/* SPDX-License-Identifier: BSD-3-Clause
 * How often a client repeats itself (RFC 8415 15; RFC 7559 takes it for router solicitations).
 */
#ifndef CAPNET_BACKOFF_H
#define CAPNET_BACKOFF_H

#include <stdint.h>

/* The wait after the next message: first_ns, or twice the one before, up to most_ns (0: no limit), each a tenth more or
 * less at random. before_ns 0: it is the first. */
static inline uint64_t backoff_next(uint64_t before_ns, uint64_t first_ns, uint64_t most_ns, uint32_t random) {
  int64_t rand = (int64_t)(random % 2001) - 1000; /* RAND, in parts of ten thousand */
  uint64_t base = before_ns != 0 ? 2 * before_ns : first_ns, of = before_ns != 0 ? before_ns : first_ns;
  int64_t wait = (int64_t)base + rand * (int64_t)(of / 10000);
  if (most_ns != 0 && wait > (int64_t)most_ns)
    wait = (int64_t)most_ns + rand * (int64_t)(most_ns / 10000);
  return (uint64_t)wait;
}

#endif
