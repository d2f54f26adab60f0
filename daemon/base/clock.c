/* SPDX-License-Identifier: BSD-3-Clause
 * The kernel's clocks.
 */
#include "base/clock.h"

#include "base/util.h"

#include <time.h>

uint64_t clock_real_ns(enum clock_id id) {
  struct timespec ts;
  (void)clock_gettime(id == CLOCK_ID_BOOT ? CLOCK_BOOTTIME : CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t clock_wall_us(void) {
  struct timespec ts;
  (void)clock_gettime(CLOCK_REALTIME, &ts);
  return (uint64_t)ts.tv_sec * UINT64_C(1000000) + (uint64_t)ts.tv_nsec / 1000;
}
