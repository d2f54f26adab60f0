/* SPDX-License-Identifier: BSD-3-Clause
 * loop/busy.h: who is idle never looks, who gets quick answers does, and looks in vain become rare.
 */
#include "loop/busy.h"

#include <criterion/criterion.h>

/* So many waits, each of the same length; of the looks among them one in `every` finds something, 0: none. Returns how
 * many looks there were. */
static unsigned run(struct busy *b, unsigned waits, uint64_t ns, unsigned every) {
  unsigned looks = 0;
  for (unsigned i = 0; i < waits; i++) {
    if (busy_worth(b)) {
      looks++;
      busy_looked(b, every && looks % every == 0);
    } else {
      busy_slept(b, ns);
    }
  }
  return looks;
}

Test(loop_busy, who_waits_long_never_looks) {
  struct busy b;
  busy_init(&b);
  cr_expect_eq(run(&b, 100000, BUSY_SHORT_NS, 1), 0u);
  cr_expect_eq(run(&b, BUSY_PRICE_MIN, BUSY_SHORT_NS - 1, 1), 0u, "trust is earned first");
  cr_expect_eq(run(&b, 1000, 1000, 1), 1000u, "quick answers: each wait is a look");
}

Test(loop_busy, one_long_wait_takes_all_trust_and_so_does_a_look_in_vain) {
  struct busy b;
  busy_init(&b);
  (void)run(&b, BUSY_PRICE_MIN - 1, 1000, 1);
  busy_slept(&b, NSEC_PER_SEC);
  cr_expect_eq(run(&b, BUSY_PRICE_MIN, 1000, 1), 0u);
  cr_expect(busy_worth(&b));
  busy_looked(&b, false);
  cr_expect_not(busy_worth(&b));
}

/* Short waits, but the event never comes while we look. */
Test(loop_busy, looks_in_vain_become_rare) {
  struct busy b;
  busy_init(&b);
  cr_expect_leq(run(&b, 10000, 1000, 0), 13u, "after 2, 4, 8 … waits");
  cr_expect_leq(run(&b, 1000000, 1000, 0), 1000000 / BUSY_PRICE_MAX + 1, "one in 4096");
}

Test(loop_busy, most_waits_are_looks_where_most_find_something) {
  struct busy b;
  unsigned looks = 0, found = 0;
  busy_init(&b);
  for (unsigned i = 0; i < 10000; i++) {
    if (busy_worth(&b)) {
      const bool hit = looks++ % 5 != 0;
      found += hit;
      busy_looked(&b, hit);
    } else {
      busy_slept(&b, 1000);
    }
  }
  cr_expect_gt(looks, 4500u, "%u", looks);
  cr_expect_gt(found, 3500u, "%u", found);
}

Test(loop_busy, it_comes_back_when_answers_come) {
  struct busy b;
  busy_init(&b);
  (void)run(&b, 2000000, 1000, 0);
  cr_expect_gt(run(&b, BUSY_PRICE_MAX + 100, 1000, 1), 50u);
  cr_expect_eq(b.price, BUSY_PRICE_MIN);
}
