/* SPDX-License-Identifier: BSD-3-Clause
 * The tree itself: minting, holds, husks, and the walk.
 */
#include "authority/tree_internal.h"

#include <stdio.h>

int auth_tree_new(const struct auth_tree_ops *ops, void *arg, struct auth_tree **ret) {
  struct auth_tree *t = calloc(1, sizeof(*t));
  if (!t)
    return -ENOMEM;
  t->ops = ops;
  t->arg = arg;
  t->next_id = 1;
  list_init(&t->roots);
  list_init(&t->doomed);
  list_init(&t->expiring);
  for (unsigned i = 0; i < UID_BUCKETS; i++)
    list_init(&t->uids[i]);
  for (unsigned i = 0; i < AUTH_LIMIT_COUNT; i++)
    t->uid_max[i] = auth_limits[i].per_uid;
  *ret = t;
  return 0;
}

void auth_tree_set_uid_limit(struct auth_tree *t, enum auth_limit l, uint64_t max) { t->uid_max[l] = max; }

static void node_free(struct auth_node *n) {
  uid_unref(n->uid);
  if (n->own_identity)
    free((void *)n->identity);
  if (n->own_rights)
    free((void *)n->rights);
  if (n->own_limits)
    free((void *)n->limits);
  free(n->refused);
  free(n);
}

/* Gives back what it still has charged; an owner that forgot costs nobody anything. */
static void node_destroy(struct auth_node *n) {
  struct auth_tree *t = n->tree;
  if (t->ops && t->ops->freed)
    t->ops->freed(t->arg, n);
  for (unsigned l = 0; l < AUTH_BUDGET_COUNT; l++)
    if (n->own[l] > 0)
      chain_uncharge(n, n->uid, (enum auth_limit)l, n->own[l]);
  list_remove(&n->sibling);
  list_remove(&n->doomed);
  list_remove(&n->expiring);
  if (n->parent) {
    n->parent->n_children--;
    chain_uncharge(n->parent, n->uid, LIMIT_CHILDREN, 1);
  }
  t->count--;
  node_free(n);
}

/* A dead node waits for its `ended`, so that each gets exactly one. */
void node_collect(struct auth_node *n) {
  while (n && n->holds == 0 && n->pins == 0 && n->n_children == 0 && (n->reaped || node_ended(n) == 0)) {
    struct auth_node *parent = n->parent;
    node_destroy(n);
    n = parent;
  }
}

static void destroy_below(struct list *children) {
  while (!list_empty(children)) {
    struct auth_node *n = list_first(children, struct auth_node, sibling);
    destroy_below(&n->children);
    node_destroy(n);
  }
}

struct auth_tree *auth_tree_free(struct auth_tree *t) {
  if (t) {
    destroy_below(&t->roots);
    free(t);
  }
  return NULL;
}

static bool wants_limits(const uint64_t *want) {
  for (unsigned i = 0; want && i < AUTH_LIMIT_COUNT; i++)
    if (want[i] != AUTH_LIMIT_INHERIT)
      return true;
  return false;
}

static int tighten(const struct auth_node *n, const struct auth_node *parent, const uint64_t *want, uint64_t *limits,
                   struct auth_refusal *why) {
  for (unsigned i = 0; i < AUTH_LIMIT_COUNT; i++) {
    enum auth_limit l = (enum auth_limit)i;
    const struct auth_limit_def *def = &auth_limits[i];
    if (!want || want[i] == AUTH_LIMIT_INHERIT) {
      limits[i] = parent ? parent->limits[i] : def->fallback;
      continue;
    }
    uint64_t most = parent ? parent->limits[i] : def->ceiling;
    if (!auth_limit_tighter(l, want[i], most))
      return refuse(parent ? parent : n, -EPERM, def->name, why, "%s of %llu would be looser than %llu", def->name,
                    (unsigned long long)want[i], (unsigned long long)most);
    limits[i] = want[i];
  }
  return 0;
}

/* Limits from spec and parent. -EPERM when looser than the parent or, for a root, than the table allows. */
static int resolve_limits(struct auth_node *n, const struct auth_node *parent, const uint64_t *want,
                          struct auth_refusal *why) {
  if (parent && !wants_limits(want)) {
    n->limits = parent->limits;
    return 0;
  }
  uint64_t *limits = calloc(AUTH_LIMIT_COUNT, sizeof(*limits));
  if (!limits)
    return refuse(n, -ENOMEM, "memory", why, "out of memory");
  n->limits = limits;
  n->own_limits = true;
  return tighten(n, parent, want, limits, why);
}

static int resolve_rights(struct auth_node *n, const struct auth_node *parent, const struct auth_rights *want,
                          struct auth_refusal *why) {
  bool same = parent && parent->kind == n->kind;
  const struct auth_rule *first = NULL;
  char text[AUTH_RULE_STRLEN];
  if (want && want->kind != n->kind)
    return refuse(n, -EINVAL, auth_kind_name(n->kind), why, "rights of a %s do not suit a %s",
                  auth_kind_name(want->kind), auth_kind_name(n->kind));
  if (want && same && !auth_rights_subset(want, parent->rights, &first))
    return refuse(parent, -EPERM, auth_kind_name(n->kind), why, "\"%.80s\" is not within its rights",
                  auth_rule_format(n->kind, first, text));
  n->own_rights = want != NULL;
  n->rights = want ? auth_rights_copy(want) : same ? parent->rights : auth_rights_none(n->kind);
  return n->rights ? 0 : refuse(n, -ENOMEM, "memory", why, "out of memory");
}

/* Before all else, so that refusals can name the grant. */
static int resolve_identity(struct auth_node *n, const struct auth_node *parent, const struct auth_spec *spec,
                            struct auth_refusal *why) {
  if (parent && !spec->grant && !spec->name && !spec->congestion && !spec->taker) {
    n->identity = parent->identity;
    return 0;
  }
  struct auth_identity *id = calloc(1, sizeof(*id));
  if (!id)
    return refuse(parent, -ENOMEM, "memory", why, "out of memory");
  if (parent)
    *id = *parent->identity;
  if (spec->grant)
    (void)snprintf(id->grant, sizeof(id->grant), "%s", spec->grant);
  if (spec->name)
    (void)snprintf(id->name, sizeof(id->name), "%s", spec->name);
  if (spec->congestion)
    (void)snprintf(id->congestion, sizeof(id->congestion), "%s", spec->congestion);
  if (spec->taker)
    id->taker = *spec->taker;
  id->taker.comm[sizeof(id->taker.comm) - 1] = 0;
  id->taker.unit[sizeof(id->taker.unit) - 1] = 0;
  n->identity = id;
  n->own_identity = true;
  return 0;
}

static int check_room(const struct auth_tree *t, const struct auth_node *parent, struct auth_refusal *why) {
  int ended = parent ? node_ended(parent) : 0;
  if (ended < 0)
    return refuse_ended(parent, ended, why);
  if (parent && parent->depth + 1 >= AUTH_DEPTH_MAX)
    return refuse(parent, -ENOSPC, "depth", why, "capabilities are narrowed at most %d times", AUTH_DEPTH_MAX - 1);
  if (t->count >= AUTH_NODES_MAX)
    return refuse(parent, -ENOSPC, "tree", why, "the daemon holds as many capabilities as it can");
  return 0;
}

static void node_insert(struct auth_tree *t, struct auth_node *n, struct auth_node *parent) {
  n->id = t->next_id++;
  n->holds = 1;
  n->parent = parent;
  n->depth = parent ? parent->depth + 1 : 0;
  /* At the head: what is alive stands before what was torn down. */
  if (parent) {
    list_prepend(&parent->children, &n->sibling);
    parent->n_children++;
  } else
    list_append(&t->roots, &n->sibling);
  if (n->expires_ns)
    list_append(&t->expiring, &n->expiring);
  t->count++;
}

static void node_discard(struct auth_node **n) {
  if (*n)
    node_free(*n);
}

int auth_mint(struct auth_tree *t, struct auth_node *parent, const struct auth_spec *spec, struct auth_node **ret,
              struct auth_refusal *why) {
  int r = check_room(t, parent, why);
  if (r < 0)
    return r;
  _cleanup_(node_discard) struct auth_node *n = calloc(1, sizeof(*n));
  if (!n)
    return refuse(parent, -ENOMEM, "memory", why, "out of memory");
  n->tree = t;
  n->kind = spec->kind;
  n->expires_ns = spec->expires_ns;
  n->taken_at_us = spec->taken_at_us;
  list_init(&n->sibling);
  list_init(&n->children);
  list_init(&n->doomed);
  list_init(&n->expiring);
  r = resolve_identity(n, parent, spec, why);
  if (r == 0)
    r = resolve_rights(n, parent, spec->rights, why);
  if (r == 0)
    r = resolve_limits(n, parent, spec->limits, why);
  if (r == 0 && n->identity->taker.pid != 0 && uid_ref(t, n->identity->taker.uid, &n->uid) < 0)
    r = refuse(parent, -ENOMEM, "memory", why, "out of memory");
  if (r == 0 && parent)
    r = chain_charge(parent, n->uid, LIMIT_CHILDREN, 1, why);
  if (r < 0)
    return r;
  node_insert(t, n, parent);
  *ret = TAKE_PTR(n);
  return 0;
}

void auth_hold(struct auth_node *n) { n->holds++; }

void auth_release(struct auth_node *n) {
  if (n->holds == 0)
    return;
  if (--n->holds == 0)
    node_collect(n);
}

static void each_below(struct list *children, void (*fn)(void *arg, struct auth_node *n), void *arg) {
  list_for_each(link, children) {
    struct auth_node *n = list_entry(link, struct auth_node, sibling);
    fn(arg, n);
    each_below(&n->children, fn, arg);
  }
}

void auth_each(struct auth_tree *t, void (*fn)(void *arg, struct auth_node *n), void *arg) {
  each_below(&t->roots, fn, arg);
}

size_t auth_count(const struct auth_tree *t) { return t->count; }

void auth_info(const struct auth_node *n, struct auth_node_info *ret) {
  *ret = (struct auth_node_info){.id = n->id,
                                 .parent_id = n->parent ? n->parent->id : 0,
                                 .kind = n->kind,
                                 .grant = n->identity->grant,
                                 .name = n->identity->name,
                                 .rights = n->rights,
                                 .congestion = n->identity->congestion,
                                 .taker = n->identity->taker,
                                 .taken_at_us = n->taken_at_us,
                                 .denied = n->denied,
                                 .holds = n->holds,
                                 .children = n->n_children,
                                 .ended = node_ended(n),
                                 .husk = n->holds == 0};
  for (const struct auth_node *p = n; p; p = p->parent)
    if (p->expires_ns && (ret->expires_ns == 0 || p->expires_ns < ret->expires_ns))
      ret->expires_ns = p->expires_ns;
}

struct auth_node *auth_parent(const struct auth_node *n) { return n->parent; }

bool auth_is_below(const struct auth_node *n, const struct auth_node *ancestor) {
  while (n && n != ancestor)
    n = n->parent;
  return n != NULL;
}

void auth_set_owner(struct auth_node *n, void *owner) { n->owner = owner; }
void *auth_owner(const struct auth_node *n) { return n->owner; }
