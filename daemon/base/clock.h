/* SPDX-License-Identifier: BSD-3-Clause
 * The two clocks (DESIGN section 9). Each is real, or moved by hand in tests. Times are nanoseconds since an
 * arbitrary origin; 0 never occurs, so it can mean "no time".
 */
#ifndef CAPNET_BASE_CLOCK_H
#define CAPNET_BASE_CLOCK_H

#include <stdint.h>

enum clock_id {
  CLOCK_ID_MONO, /* CLOCK_MONOTONIC: TCP's timers; stands still during suspend */
  CLOCK_ID_BOOT, /* CLOCK_BOOTTIME: leases, caches, expiry; counts suspend */
  CLOCK_ID_COUNT
};

/* Reads the kernel's clock. */
uint64_t clock_real_ns(enum clock_id id);

/* Wall-clock time in microseconds since the epoch, for provenance and logs only: never for a decision. */
uint64_t clock_wall_us(void);

#endif
