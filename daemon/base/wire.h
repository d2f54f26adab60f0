/* SPDX-License-Identifier: BSD-3-Clause
 * Numbers in network order, wherever they lie.
 */
#ifndef CAPNET_BASE_WIRE_H
#define CAPNET_BASE_WIRE_H

#include <stdint.h>

static inline uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) << 16 | get16(p + 2); }
static inline void put16(uint8_t *p, unsigned v) { /* its lower 16 bits */
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}
static inline void put32(uint8_t *p, uint32_t v) {
  put16(p, v >> 16);
  put16(p + 2, v);
}

#endif
