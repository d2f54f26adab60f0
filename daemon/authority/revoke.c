/* SPDX-License-Identifier: BSD-3-Clause
 * Ends. A revocation is one store, seen by every check that walks up; telling the owners is spread over turns.
 */
#include "authority/tree_internal.h"

void auth_revoke(struct auth_node *n, int error) {
  if (node_ended(n) < 0)
    return;
  n->ended = error < 0 ? error : -EKEYREVOKED;
  list_remove(&n->expiring);
  list_append(&n->tree->doomed, &n->doomed);
}

/* The upcall may release anything, n too: the pin keeps n's memory, and nothing else is touched afterwards. */
static void reap_one(struct auth_node *n) {
  struct auth_tree *t = n->tree;
  n->reaped = true;
  list_remove(&n->doomed);
  list_remove(&n->expiring);
  if (n->parent) {
    list_remove(&n->sibling);
    list_append(&n->parent->children, &n->sibling);
  }
  n->pins++;
  if (t->ops && t->ops->ended)
    t->ops->ended(t->arg, n, node_ended(n));
  n->pins--;
  node_collect(n);
}

/* Down to a node whose children, if any, were all torn down: those stand last, so the first tells. */
static struct auth_node *deepest(struct auth_node *n) {
  while (!list_empty(&n->children)) {
    struct auth_node *child = list_first(&n->children, struct auth_node, sibling);
    if (child->reaped)
      break;
    n = child;
  }
  return n;
}

bool auth_reap(struct auth_tree *t, unsigned max) {
  for (; max > 0 && !list_empty(&t->doomed); max--)
    reap_one(deepest(list_first(&t->doomed, struct auth_node, doomed)));
  return !list_empty(&t->doomed);
}

uint64_t auth_expire(struct auth_tree *t, uint64_t now_ns) {
  uint64_t next = 0;
  list_for_each(link, &t->expiring) {
    struct auth_node *n = list_entry(link, struct auth_node, expiring);
    if (node_ended(n) < 0)
      continue;
    if (n->expires_ns <= now_ns)
      auth_revoke(n, -EKEYEXPIRED);
    else if (next == 0 || n->expires_ns < next)
      next = n->expires_ns;
  }
  return next;
}
