/* SPDX-License-Identifier: BSD-3-Clause
 * When to look a moment for events before sleeping. To sleep and be woken costs some microseconds, and several times that
 * where a core halts meanwhile; where the next event comes sooner, looking is cheaper, but only on a core that nobody else
 * wants. This is the decision alone: no clock and no system call. Times are nanoseconds.
 *
 * Waits that were short earn trust, a long one loses all of it: who is idle, or has slow peers, sleeps at once. A look in
 * vain takes the trust as well and doubles how much of it the next one needs; one that found something halves that. So where
 * looking helps most waits are looks, and where the others need the core to go on hardly any.
 */
#ifndef CAPNET_LOOP_BUSY_H
#define CAPNET_LOOP_BUSY_H

#include "base/util.h"

#define BUSY_LOOK_NS 30000u  /* a look lasts so long at the most */
#define BUSY_SHORT_NS 60000u /* a shorter wait, with the time to be woken, is a short one */
#define BUSY_PRICE_MIN 2u    /* short waits in a row before a look */
#define BUSY_PRICE_MAX 4096u

struct busy {
  unsigned trust, price;
};

void busy_init(struct busy *b);
/* Is it worth looking before the next sleep? */
bool busy_worth(const struct busy *b);
/* A wait ended after so long, without a look. */
void busy_slept(struct busy *b, uint64_t ns);
/* A look ended. */
void busy_looked(struct busy *b, bool found);

#endif
