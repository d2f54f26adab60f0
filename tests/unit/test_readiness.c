/* SPDX-License-Identifier: BSD-3-Clause
 * core/readiness.h: once, when all was reached, or when patience ends.
 */
#include "core/readiness.h"

#include <criterion/criterion.h>

#include "base/util.h"

static struct loop *loop;
static struct readiness *r;
static unsigned told;

static void on_ready(void *arg _unused_) { told++; }

static void setup(void) {
  told = 0;
  cr_assert_eq(loop_sim_new(&loop), 0);
  cr_assert_eq(readiness_new(loop, on_ready, NULL, &r), 0);
}
static void teardown(void) {
  r = readiness_free(r);
  loop = loop_free(loop);
}
TestSuite(readiness, .init = setup, .fini = teardown, .timeout = 10);

static void pass(uint64_t s) { cr_assert_geq(loop_sim_advance(loop, s * NSEC_PER_SEC), 0); }

Test(readiness, when_all_was_reached) {
  readiness_reach(r, READINESS_SOCKETS);
  readiness_reach(r, READINESS_SOCKETS);
  pass(1);
  cr_expect_eq(told, 0);
  readiness_reach(r, READINESS_ADDRESSES);
  cr_expect_eq(told, 0, "not from inside the call");
  cr_expect_not(readiness_reached(r));
  pass(0);
  cr_expect_eq(told, 1);
  cr_expect(readiness_reached(r));
  readiness_reach(r, READINESS_ADDRESSES);
  pass(2 * READINESS_PATIENCE_S);
  cr_expect_eq(told, 1);
}

Test(readiness, not_for_ever) {
  readiness_reach(r, READINESS_ADDRESSES);
  pass(READINESS_PATIENCE_S - 1);
  cr_expect_eq(told, 0);
  pass(1);
  cr_expect_eq(told, 1);
  readiness_reach(r, READINESS_SOCKETS);
  pass(1);
  cr_expect_eq(told, 1);
}

Test(readiness, freed_before) {
  readiness_reach(r, READINESS_ADDRESSES);
  readiness_reach(r, READINESS_SOCKETS);
  r = readiness_free(r);
  pass(2 * READINESS_PATIENCE_S);
  cr_expect_eq(told, 0);
  cr_expect_not(readiness_reached(NULL));
  readiness_reach(NULL, READINESS_SOCKETS);
}
