/* SPDX-License-Identifier: BSD-3-Clause */
#include "loop/busy.h"

void busy_init(struct busy *b) { *b = (struct busy){.price = BUSY_PRICE_MIN}; }

bool busy_worth(const struct busy *b) { return b->trust >= b->price; }

void busy_slept(struct busy *b, uint64_t ns) { b->trust = ns < BUSY_SHORT_NS ? MIN(b->trust + 1, BUSY_PRICE_MAX) : 0; }

void busy_looked(struct busy *b, bool found) {
  if (found) {
    b->price = MAX(b->price / 2, BUSY_PRICE_MIN);
  } else {
    b->price = MIN(b->price * 2, BUSY_PRICE_MAX);
    b->trust = 0;
  }
}
