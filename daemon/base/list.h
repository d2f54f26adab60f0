/* SPDX-License-Identifier: BSD-3-Clause
 * Intrusive circular doubly linked list: removal in O(1) without knowing the list.
 */
#ifndef CAPNET_BASE_LIST_H
#define CAPNET_BASE_LIST_H

#include "base/util.h"

struct list {
  struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }

static inline void list_insert_between(struct list *n, struct list *prev, struct list *next) {
  n->prev = prev;
  n->next = next;
  prev->next = n;
  next->prev = n;
}
static inline void list_prepend(struct list *head, struct list *n) { list_insert_between(n, head, head->next); }
static inline void list_append(struct list *head, struct list *n) { list_insert_between(n, head->prev, head); }

/* Leaves n pointing at itself, so a second removal is harmless. */
static inline void list_remove(struct list *n) {
  n->prev->next = n->next;
  n->next->prev = n->prev;
  list_init(n);
}

/* All that is in from is in to then, which need not be initialized; from is empty. */
static inline void list_take(struct list *from, struct list *to) {
  list_insert_between(to, from, from->next);
  list_remove(from);
}

/* The body may remove the current element; it may not remove the following one. */
#define list_for_each(pos, head) \
  for (struct list *pos = (head)->next, *_next_##pos = pos->next; pos != (head); pos = _next_##pos, _next_##pos = pos->next)
#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) container_of((head)->next, type, member)

#endif
