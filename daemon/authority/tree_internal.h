/* SPDX-License-Identifier: BSD-3-Clause
 * The insides of the tree, for the files of this room only.
 */
#ifndef CAPNET_AUTHORITY_TREE_INTERNAL_H
#define CAPNET_AUTHORITY_TREE_INTERNAL_H

#include "authority/authority.h"

#define UID_BUCKETS 64

/* What all nodes taken by one uid have charged; lives while one of them does. */
struct uid_use {
  struct list link;
  uid_t uid;
  unsigned nodes;
  uint64_t used[AUTH_LIMIT_COUNT];
};

struct auth_tree {
  const struct auth_tree_ops *ops;
  void *arg;
  struct list roots;
  struct list doomed;   /* nodes whose revocation has not been torn down */
  struct list expiring; /* live nodes with an end of their own */
  struct list uids[UID_BUCKETS];
  uint64_t uid_max[AUTH_LIMIT_COUNT]; /* 0: none */
  uint64_t next_id;
  size_t count;
};

/* What a node says of itself besides its rights and limits. */
struct auth_identity {
  char grant[AUTH_NAME_MAX], name[AUTH_NAME_MAX], congestion[AUTH_CONGESTION_MAX];
  struct auth_taker taker;
};

/* There may be one for each connection, so it is small: what is the same as the parent's is the parent's own, which outlives
 * its children. */
struct auth_node {
  struct auth_tree *tree;
  struct auth_node *parent;
  struct list sibling;
  struct list children; /* those still to be torn down come first */
  struct list doomed;
  struct list expiring;
  unsigned n_children, depth;
  unsigned holds;
  unsigned pins; /* upcalls under way: memory must stay */
  int ended;     /* -errno of its own revocation; an ancestor's counts as well (node_ended) */
  bool reaped;   /* `ended` was called; then all below were, too */
  bool own_identity, own_rights, own_limits; /* freed with the node */
  enum auth_kind kind;
  uint64_t id;
  const struct auth_identity *identity;
  const struct auth_rights *rights;
  const uint64_t *limits; /* AUTH_LIMIT_COUNT, inherited values filled in, so never looser than the parent's */
  struct uid_use *uid; /* NULL while nobody took it */
  uint64_t taken_at_us, expires_ns;
  uint64_t denied;
  uint64_t paced_ns; /* auth_pace: not before this */
  uint32_t used[AUTH_BUDGET_COUNT]; /* by the node and all below */
  uint32_t own[AUTH_BUDGET_COUNT];  /* the part charged at the node itself */
  uint64_t *refused;                /* AUTH_LIMIT_COUNT; NULL: nothing yet */
  void *owner;
};

/* tree.c: frees n and what above it is left without hold and child. */
void node_collect(struct auth_node *n);

/* decide.c */
int node_ended(const struct auth_node *n); /* 0, or the -errno of the nearest revocation upward */
int refuse(const struct auth_node *n, int error, const char *rule, struct auth_refusal *why, const char *fmt, ...)
    _printf_(5, 6);
int refuse_ended(const struct auth_node *n, int error, struct auth_refusal *why);

/* budget.c */
int uid_ref(struct auth_tree *t, uid_t uid, struct uid_use **ret);
void uid_unref(struct uid_use *u);
/* The chain from n to the root and u, or none of them. n may be NULL. */
int chain_charge(struct auth_node *n, struct uid_use *u, enum auth_limit l, uint64_t amount, struct auth_refusal *why);
void chain_uncharge(struct auth_node *n, struct uid_use *u, enum auth_limit l, uint64_t amount);
void count_refused(struct auth_node *n, enum auth_limit l); /* without memory not */

#endif
