/* SPDX-License-Identifier: BSD-3-Clause
 * Level 0 has a slot for each of the next 63 ticks, each further level slots 64 times as wide. When time reaches the
 * beginning of a wide slot, what is in it is filed again: it is near enough now for a narrower one.
 */
#include "stack/stack_wheel.h"

#define SLOT_EXPIRED (WHEEL_LEVELS * WHEEL_SLOTS)

static unsigned shift(unsigned level) { return level * 6; }
static unsigned index_at(uint32_t tick, unsigned level) { return tick >> shift(level) & (WHEEL_SLOTS - 1); }

void wheel_init(struct wheel *w, uint32_t now) {
  *w = (struct wheel){.now = now};
  for (unsigned i = 0; i < WHEEL_LEVELS * WHEEL_SLOTS; i++)
    list_init(&w->slots[i]);
  list_init(&w->expired);
}

void wheel_add(struct wheel *w, struct wheel_timer *t, uint32_t due) {
  uint32_t ahead = due - w->now;
  unsigned level = 0;
  t->due = due;
  if ((int32_t)ahead <= 0) {
    t->slot = SLOT_EXPIRED;
    list_append(&w->expired, &t->link);
    return;
  }
  while (level < WHEEL_LEVELS - 1 && ahead >> shift(level + 1))
    level++;
  unsigned i = index_at(due, level);
  t->slot = (uint16_t)(level * WHEEL_SLOTS + i);
  w->used[level] |= UINT64_C(1) << i;
  list_append(&w->slots[t->slot], &t->link);
}

void wheel_remove(struct wheel *w, struct wheel_timer *t) {
  list_remove(&t->link);
  if (t->slot != SLOT_EXPIRED && list_empty(&w->slots[t->slot]))
    w->used[t->slot / WHEEL_SLOTS] &= ~(UINT64_C(1) << t->slot % WHEEL_SLOTS);
}

/* Ticks from now to the beginning of the next slot of this level that is not empty: 1 to 64 slots ahead. */
static uint32_t level_next(const struct wheel *w, unsigned level) {
  uint64_t used = w->used[level];
  unsigned from = (index_at(w->now, level) + 1) % WHEEL_SLOTS;
  if (!used)
    return UINT32_MAX;
  if (from)
    used = used >> from | used << (WHEEL_SLOTS - from);
  uint32_t ahead = (uint32_t)__builtin_ctzll(used) + 1;
  return (((w->now >> shift(level)) + ahead) << shift(level)) - w->now;
}

static uint32_t next_slot(const struct wheel *w) {
  uint32_t next = UINT32_MAX;
  for (unsigned level = 0; level < WHEEL_LEVELS; level++)
    next = MIN(next, level_next(w, level));
  return next;
}

uint32_t wheel_next(const struct wheel *w) { return list_empty(&w->expired) ? next_slot(w) : 0; }

/* Files again what is in the slot that begins now. */
static void empty_slot(struct wheel *w, unsigned level) {
  unsigned i = index_at(w->now, level);
  struct list *from = &w->slots[level * WHEEL_SLOTS + i], work;
  list_take(from, &work);
  w->used[level] &= ~(UINT64_C(1) << i);
  while (!list_empty(&work)) {
    struct wheel_timer *t = list_first(&work, struct wheel_timer, link);
    list_remove(&t->link);
    wheel_add(w, t, t->due);
  }
}

/* The narrow slots first: what a wider one gives back for later may have the index of one that ends here. */
void wheel_advance(struct wheel *w, uint32_t now) {
  for (uint32_t next; (next = next_slot(w)) != UINT32_MAX && next <= now - w->now;) {
    w->now += next;
    for (unsigned level = 0; level < WHEEL_LEVELS && !(w->now & ((1u << shift(level)) - 1)); level++)
      empty_slot(w, level);
  }
  w->now = now;
}

struct wheel_timer *wheel_pop(struct wheel *w) {
  if (list_empty(&w->expired))
    return NULL;
  struct wheel_timer *t = list_first(&w->expired, struct wheel_timer, link);
  list_remove(&t->link);
  return t;
}
