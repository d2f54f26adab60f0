/* SPDX-License-Identifier: BSD-3-Clause
 * Who may do what: the tree of capabilities, their rights, budgets and provenance, and the one function that decides.
 * Pure: no I/O, no clock of its own (times are passed in, boot-time ns), knows only base/.
 *
 * A node is born live. auth_revoke ends it and everything below for every check at once (a check walks to the root, whose
 * depth is bounded); the tear-down upcalls follow in slices (auth_reap). A node whose last hold is released stays as a
 * husk while it has children, then goes, with its charges.
 *
 * Errors of this room, -errno: -EACCES denied, -EKEYREVOKED, -EKEYEXPIRED, -EDQUOT over budget, -ERANGE over a bound of a
 * single request, -EPERM not a subset, -EINVAL not in the grammar, -ENOSPC the tree is full.
 */
#ifndef CAPNET_AUTHORITY_H
#define CAPNET_AUTHORITY_H

#include "authority/limits.h"
#include "authority/rights.h"
#include "base/list.h"

#include <sys/types.h>

struct auth_tree;
struct auth_node;

#define AUTH_DEPTH_MAX 16
#define AUTH_NODES_MAX 131072
#define AUTH_NAME_MAX 64 /* grant and item names, labels; with the NUL */
#define AUTH_CONGESTION_MAX 16 /* name of a congestion controller, with the NUL */

/* Who took it. Strings are cut to fit, and raw: escape before printing. */
struct auth_taker {
  pid_t pid; /* 0: nobody yet (a root) */
  uid_t uid;
  gid_t gid;
  char comm[32];
  char unit[64];
};

struct auth_spec {
  enum auth_kind kind;
  const char *grant;               /* NULL: the parent's */
  const char *name;                /* of the item in its grant, or a label; NULL: the parent's */
  const struct auth_rights *rights; /* NULL: the parent's (copied) */
  const uint64_t *limits;          /* AUTH_LIMIT_COUNT values, AUTH_LIMIT_INHERIT where the parent's; NULL: all inherited */
  const char *congestion;          /* controller of its connections unless they ask; NULL: the parent's */
  uint64_t expires_ns;             /* boot-time; 0: never (a parent's earlier end still holds) */
  const struct auth_taker *taker;  /* NULL: the parent's */
  uint64_t taken_at_us;            /* wall clock */
};

/* Why something was refused. It stands alone: whoever was refused may be gone before it is told. rule is static. */
struct auth_refusal {
  int error;            /* -errno as above */
  char grant[AUTH_NAME_MAX]; /* "": none */
  const char *rule;     /* "connect", "ping.count", …; NULL: none */
  char text[160];       /* one sentence, names the grant and what was asked */
};

struct auth_tree_ops {
  /* Once for each node in a revoked or expired subtree, husks too. May release and revoke what it likes. */
  void (*ended)(void *arg, struct auth_node *n, int error);
  void (*freed)(void *arg, struct auth_node *n);            /* the last moment: n goes */
};

int auth_tree_new(const struct auth_tree_ops *ops, void *arg, struct auth_tree **ret);
struct auth_tree *auth_tree_free(struct auth_tree *t); /* frees all nodes, calling freed */
/* Per-uid ceilings over all grants; the defaults are in the table of limits. */
void auth_tree_set_uid_limit(struct auth_tree *t, enum auth_limit l, uint64_t max);

/* A root (parent NULL) or a child. A child's rights must be a subset of its parent's unless their kinds differ (a taken
 * item, a listener of an authority: the caller has decided), limits no looser: else -EPERM with why. Starts with one hold. */
int auth_mint(struct auth_tree *t, struct auth_node *parent, const struct auth_spec *spec, struct auth_node **ret,
              struct auth_refusal *why);
void auth_hold(struct auth_node *n);
/* Gives up one hold; n may be gone afterwards. What n has charged itself stays charged until it goes. A node that is dead
 * goes only after its `ended`, so the owner's object lives until `freed`, or takes itself out with auth_set_owner. */
void auth_release(struct auth_node *n);

/* Dead for every check from now on. `error` (-EKEYREVOKED, -EKEYEXPIRED) is what checks then say. Idempotent. */
void auth_revoke(struct auth_node *n, int error);
/* Calls `ended` for up to max nodes of revoked subtrees, parents after children; true when more are left. */
bool auth_reap(struct auth_tree *t, unsigned max);
/* Revokes what has expired by now; returns when the next one will, 0 if none. */
uint64_t auth_expire(struct auth_tree *t, uint64_t now_ns);

/* The one decision: is n alive at now, and do its rights, and those of each ancestor of its kind, cover rq? 0, or -errno with
 * why filled in. Counts refusals. */
int auth_decide(struct auth_node *n, const struct auth_request *rq, uint64_t now_ns, struct auth_refusal *why);
/* Alive at all? Same errors. */
int auth_alive(const struct auth_node *n, uint64_t now_ns, struct auth_refusal *why);

/* Budgets: charges n, every ancestor, and the taker's uid, or none of them. 0, -EDQUOT. A child that multiplies itself still
 * shares its parent's. Uncharging more than was charged is a bug of the caller and is clamped. */
int auth_charge(struct auth_node *n, enum auth_limit l, uint64_t amount, struct auth_refusal *why);
void auth_uncharge(struct auth_node *n, enum auth_limit l, uint64_t amount);
/* Bounds of one request: is value allowed? 0, -ERANGE. Counts refusals. */
int auth_bound(struct auth_node *n, enum auth_limit l, uint64_t value, struct auth_refusal *why);
/* A least interval (ms) over all that is done below an authority: may n do it at now_ns? Returns now_ns if so, and the
 * interval begins; otherwise the moment to ask again. Nothing is reserved, so who gives up holds nobody up. Narrowing or
 * taking again multiplies nothing: each ancestor of n's kind keeps its own. */
uint64_t auth_pace(struct auth_node *n, enum auth_limit l, uint64_t now_ns);
uint64_t auth_limit_value(const struct auth_node *n, enum auth_limit l); /* the tightest on the way to the root */

/* What Describe and status show. */
struct auth_node_info {
  uint64_t id, parent_id; /* parent 0: root */
  enum auth_kind kind;
  const char *grant, *name;
  const struct auth_rights *rights;
  const char *congestion; /* as in the spec, never checked here; "": none is named */
  struct auth_taker taker;
  uint64_t taken_at_us, expires_ns;
  unsigned holds, children;
  uint64_t denied; /* decisions against it */
  int ended; /* 0 alive, else -errno */
  bool husk;
};
void auth_info(const struct auth_node *n, struct auth_node_info *ret);
struct auth_limit_use {
  uint64_t max, used, refused;
};
void auth_limit_use(const struct auth_node *n, enum auth_limit l, struct auth_limit_use *ret);
struct auth_node *auth_parent(const struct auth_node *n); /* NULL for a root */
bool auth_is_below(const struct auth_node *n, const struct auth_node *ancestor); /* n itself counts */
/* Parents first. fn neither mints nor releases. */
void auth_each(struct auth_tree *t, void (*fn)(void *arg, struct auth_node *n), void *arg);
size_t auth_count(const struct auth_tree *t);
/* For the owner's object: a pointer the tree carries and never reads. */
void auth_set_owner(struct auth_node *n, void *owner);
void *auth_owner(const struct auth_node *n);

#endif
