/* SPDX-License-Identifier: BSD-3-Clause
 * The table of sockets: what lives, and for a while what ended and why.
 */
#include "flow/flow_impl.h"

#include <stdio.h>

#define WHO_LOOK 16 /* texts of labels that are compared, the last used ones; others are merely not shared */

struct flow_dead {
  struct list link;
  struct flow_who *who;
  struct flow_label label;
  struct flow_info info;
};

int flow_table_new(struct loop *loop, struct stack *stack, struct flow_table **ret) {
  struct flow_table *t = calloc(1, sizeof *t);
  if (!t)
    return -ENOMEM;
  t->loop = loop;
  t->stack = stack;
  list_init(&t->whos);
  list_init(&t->live);
  list_init(&t->dead);
  *ret = t;
  return 0;
}

/* --- labels ----------------------------------------------------------------------------------------------------------- */

static bool is_who(const struct flow_who *w, const struct flow_label *l) {
  return strncmp(w->grant, l->grant, sizeof w->grant - 1) == 0 &&
         strncmp(w->taken_by, l->taken_by, sizeof w->taken_by - 1) == 0;
}

static struct flow_who *who_find(struct flow_table *t, const struct flow_label *l) {
  unsigned looked = 0;
  list_for_each(pos, &t->whos) {
    struct flow_who *w = list_entry(pos, struct flow_who, link);
    if (is_who(w, l))
      return w;
    if (++looked == WHO_LOOK)
      break;
  }
  return NULL;
}

/* NULL: no memory. */
static struct flow_who *who_get(struct flow_table *t, const struct flow_label *l) {
  struct flow_who *w = who_find(t, l);
  if (!w) {
    w = calloc(1, sizeof *w);
    if (!w)
      return NULL;
    list_init(&w->link);
    (void)snprintf(w->grant, sizeof w->grant, "%s", l->grant);
    (void)snprintf(w->taken_by, sizeof w->taken_by, "%s", l->taken_by);
  }
  list_remove(&w->link);
  list_prepend(&t->whos, &w->link);
  w->refs++;
  return w;
}

static void who_unref(struct flow_who *w) {
  if (!w || --w->refs)
    return;
  list_remove(&w->link);
  free(w);
}

static struct flow_label label_of(const struct flow_label *l, const struct flow_who *w) {
  return (struct flow_label){.cap_id = l->cap_id, .owner = l->owner, .grant = w->grant, .taken_by = w->taken_by};
}

/* --- entries ---------------------------------------------------------------------------------------------------------- */

static void dead_free(struct flow_table *t, struct flow_dead *d) {
  who_unref(d->who);
  list_remove(&d->link);
  t->n_dead--;
  free(d);
}

struct flow_table *flow_table_free(struct flow_table *t) {
  if (!t)
    return NULL;
  list_for_each(pos, &t->dead) dead_free(t, list_entry(pos, struct flow_dead, link));
  free(t);
  return NULL;
}

struct stack *flow_stack(const struct flow_table *t) { return t->stack; }
uint64_t flow_next_id(struct flow_table *t) { return ++t->last_id; }

int flow_entry_init(struct flow_table *t, struct flow_entry *e, enum flow_kind kind, const struct flow_label *label) {
  e->who = who_get(t, label);
  if (!e->who)
    return -ENOMEM;
  list_init(&e->link);
  e->kind = kind;
  e->label = label_of(label, e->who);
  return 0;
}

void flow_entry_done(struct flow_entry *e) {
  who_unref(e->who);
  e->who = NULL;
}

void flow_entry_add(struct flow_table *t, struct flow_entry *e) {
  e->id = flow_next_id(t);
  e->opened_ns = loop_now(t->loop, CLOCK_ID_BOOT);
  list_append(&t->live, &e->link);
  t->n_live[e->kind]++;
}

void flow_entry_remove(struct flow_table *t, struct flow_entry *e) {
  if (list_empty(&e->link))
    return;
  list_remove(&e->link);
  t->n_live[e->kind]--;
}

/* The dead are forgotten by age when the table is touched or read: no timer wakes an idle daemon for them. */
static void forget_old(struct flow_table *t, uint64_t now) {
  while (!list_empty(&t->dead)) {
    struct flow_dead *d = list_first(&t->dead, struct flow_dead, link);
    if (t->n_dead <= FLOW_DEAD_MAX && now - d->info.ended_ns < FLOW_DEAD_NS)
      return;
    dead_free(t, d);
  }
}

void flow_bury(struct flow_table *t, const struct flow_info *info) {
  struct flow_dead *d = calloc(1, sizeof *d);
  if (!d)
    return;
  d->who = who_get(t, info->label);
  if (!d->who) {
    free(d);
    return;
  }
  d->label = label_of(info->label, d->who);
  d->info = *info;
  d->info.label = &d->label;
  d->info.dead = true;
  d->info.blocked = FLOW_BLOCKED_NOTHING;
  d->info.has_client = false;
  d->info.ended_ns = loop_now(t->loop, CLOCK_ID_BOOT);
  list_append(&t->dead, &d->link);
  t->n_dead++;
  if (t->change)
    t->change(t->change_arg, &d->info);
  forget_old(t, d->info.ended_ns);
}

void flow_entry_info(const struct flow_entry *e, struct flow_info *ret) {
  memset(ret, 0, sizeof *ret);
  ret->id = e->id;
  ret->kind = e->kind;
  ret->label = &e->label;
  ret->opened_ns = e->opened_ns;
}

static void live_info(const struct flow_entry *e, struct flow_info *ret) {
  switch (e->kind) {
  case FLOW_TCP: flow_tcp_info(e, ret); break;
  case FLOW_LISTENER: flow_listener_entry_info(e, ret); break;
  case FLOW_ATTEMPT: flow_attempt_info(e, ret); break;
  }
}

void flow_on_change(struct flow_table *t, flow_change_fn fn, void *arg) {
  t->change = fn;
  t->change_arg = arg;
}

void flow_announce(struct flow_table *t, const struct flow_entry *e) {
  struct flow_info info;
  if (!t->change)
    return;
  if (e->kind == FLOW_TCP)
    flow_tcp_born_info(e, &info); /* the queues of its descriptor are empty: not worth three system calls */
  else
    live_info(e, &info);
  t->change(t->change_arg, &info);
}

void flow_each(struct flow_table *t, void (*fn)(void *arg, const struct flow_info *info), void *arg) {
  forget_old(t, loop_now(t->loop, CLOCK_ID_BOOT));
  list_for_each(pos, &t->live) {
    const struct flow_entry *e = list_entry(pos, struct flow_entry, link);
    struct flow_info info;
    live_info(e, &info);
    fn(arg, &info);
  }
  list_for_each(pos, &t->dead) fn(arg, &list_entry(pos, struct flow_dead, link)->info);
}

void flow_get_stats(const struct flow_table *t, struct flow_stats *ret) {
  *ret = (struct flow_stats){.live = t->n_live[FLOW_TCP],
                             .listeners = t->n_live[FLOW_LISTENER],
                             .attempts = t->n_live[FLOW_ATTEMPT],
                             .dead = t->n_dead,
                             .total = t->last_id,
                             .sockets = t->n_sockets,
                             .fallbacks = t->n_fallbacks,
                             .io = t->io};
  if (t->seal)
    seal_get_stats(t->seal, &ret->seal);
}

const char *flow_blocked_name(enum flow_blocked b) {
  switch (b) {
  case FLOW_BLOCKED_NOTHING: return "nothing";
  case FLOW_BLOCKED_CLIENT_READING: return "client-not-reading";
  case FLOW_BLOCKED_CLIENT_SENDING: return "client-not-sending";
  case FLOW_BLOCKED_PEER_WINDOW: return "peer-window";
  case FLOW_BLOCKED_ACCEPT_QUEUE: return "accept-queue";
  }
  return "?";
}
