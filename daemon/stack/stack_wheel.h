/* SPDX-License-Identifier: BSD-3-Clause
 * A timer wheel: filing a deadline and taking it back cost the same however many are filed, and nothing allocates. Ticks
 * are 32 bits that wrap around; a deadline lies less than 2^30 of them ahead.
 */
#ifndef CAPNET_STACK_WHEEL_H
#define CAPNET_STACK_WHEEL_H

#include "base/list.h"

#define WHEEL_LEVELS 5
#define WHEEL_SLOTS 64u
#define WHEEL_AHEAD_MAX ((1u << 30) - 1) /* ticks */

/* In what is timed. While it is in no wheel the owner may use the link. */
struct wheel_timer {
  struct list link;
  uint32_t due;
  uint16_t slot; /* where it is filed: the wheel's business */
};

struct wheel {
  uint32_t now;
  uint64_t used[WHEEL_LEVELS]; /* a bit for each slot that is not empty */
  struct list slots[WHEEL_LEVELS * WHEEL_SLOTS];
  struct list expired;
};

void wheel_init(struct wheel *w, uint32_t now);
/* t is in no wheel. A deadline that has passed expires at once. */
void wheel_add(struct wheel *w, struct wheel_timer *t, uint32_t due);
void wheel_remove(struct wheel *w, struct wheel_timer *t); /* t is in w */
/* Time passes: what is due by now expires. */
void wheel_advance(struct wheel *w, uint32_t now);
/* Takes out one that has expired; NULL: none has (any more). */
struct wheel_timer *wheel_pop(struct wheel *w);
/* Ticks until wheel_advance has something to do; UINT32_MAX: nothing is filed. A deadline is never missed; for one that
 * is more than 63 ticks ahead there are up to WHEEL_LEVELS - 1 occasions before it that only file it more finely. */
uint32_t wheel_next(const struct wheel *w);

#endif
