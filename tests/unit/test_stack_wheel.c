/* SPDX-License-Identifier: BSD-3-Clause
 * The timer wheel against a list that is walked: every deadline expires at its tick, neither before nor after.
 */
#include "stack/stack_wheel.h"

#include <criterion/criterion.h>

TestSuite(stack_wheel, .timeout = 60);

enum { TIMERS = 400 };

struct item {
  struct wheel_timer t;
  bool filed;
  uint32_t due;
};

static struct wheel w;
static struct item items[TIMERS];
static uint64_t seed;

static uint32_t draw(uint32_t n) {
  seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
  return (uint32_t)(seed >> 33) % n;
}

/* Any magnitude, so that all levels are used; now and then one that has passed. */
static uint32_t some_deadline(void) {
  return draw(16) ? w.now + draw(1u << (1 + draw(29))) + 1 : w.now - draw(1000);
}

static void add(struct item *i) {
  i->due = some_deadline();
  i->filed = true;
  wheel_add(&w, &i->t, i->due);
}

/* By walking over all: the ticks to the nearest deadline. */
static uint32_t nearest(void) {
  uint32_t best = UINT32_MAX;
  for (int i = 0; i < TIMERS; i++)
    if (items[i].filed)
      best = MIN(best, (int32_t)(items[i].due - w.now) <= 0 ? 0 : items[i].due - w.now);
  return best;
}

static void expire(uint32_t now) {
  wheel_advance(&w, now);
  cr_assert_eq(w.now, now);
  for (struct wheel_timer *t; (t = wheel_pop(&w));) {
    struct item *i = container_of(t, struct item, t);
    cr_assert(i->filed);
    cr_assert_leq((int32_t)(i->due - now), 0, "%u ticks too early", i->due - now);
    i->filed = false;
  }
  for (int i = 0; i < TIMERS; i++)
    cr_assert(!items[i].filed || (int32_t)(items[i].due - now) > 0, "%u ticks too late", now - items[i].due);
}

static void random_walk(uint32_t start, bool by_its_own_word) {
  memset(items, 0, sizeof(items));
  wheel_init(&w, start);
  for (int step = 0; step < 30000; step++) {
    struct item *i = &items[draw(TIMERS)];
    if (!i->filed)
      add(i);
    else if (draw(3) == 0) {
      wheel_remove(&w, &i->t);
      i->filed = false;
    }
    cr_assert_leq(wheel_next(&w), nearest(), "it would miss one");
    if (draw(2))
      continue;
    uint32_t next = wheel_next(&w);
    expire(w.now + (by_its_own_word && next != UINT32_MAX ? next : draw(1u << (1 + draw(20)))));
  }
}

Test(stack_wheel, nothing_early_nothing_late) {
  for (seed = 1; seed < 4000000000; seed += 1000000007)
    random_walk((uint32_t)seed, false);
}

/* Who sleeps as long as it says wakes at each deadline, also where the ticks wrap around. */
Test(stack_wheel, what_it_says_is_enough) {
  for (seed = 3; seed < 4000000000; seed += 1000000007)
    random_walk(UINT32_MAX - 50000, true);
}

Test(stack_wheel, a_far_deadline_wakes_a_few_times) {
  struct wheel_timer t;
  unsigned wakes = 0;
  wheel_init(&w, 12345);
  cr_expect_eq(wheel_next(&w), UINT32_MAX);
  wheel_add(&w, &t, 12345 + WHEEL_AHEAD_MAX);
  while (!wheel_pop(&w)) {
    wheel_advance(&w, w.now + wheel_next(&w));
    wakes++;
  }
  cr_expect_eq(w.now, 12345 + WHEEL_AHEAD_MAX);
  cr_expect_leq(wakes, WHEEL_LEVELS);
  cr_expect_eq(wheel_next(&w), UINT32_MAX);
}
