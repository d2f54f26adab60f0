/* SPDX-License-Identifier: BSD-3-Clause
 * Budgets and bounds: what is held is charged at the node, at each ancestor and at the taker's uid, or nowhere.
 */
#include "authority/tree_internal.h"

#include <assert.h>

int uid_ref(struct auth_tree *t, uid_t uid, struct uid_use **ret) {
  struct list *bucket = &t->uids[uid % UID_BUCKETS];
  list_for_each(link, bucket) {
    struct uid_use *u = list_entry(link, struct uid_use, link);
    if (u->uid == uid) {
      u->nodes++;
      *ret = u;
      return 0;
    }
  }
  struct uid_use *u = calloc(1, sizeof(*u));
  if (!u)
    return -ENOMEM;
  u->uid = uid;
  u->nodes = 1;
  list_append(bucket, &u->link);
  *ret = u;
  return 0;
}

void uid_unref(struct uid_use *u) {
  if (u && --u->nodes == 0) {
    list_remove(&u->link);
    free(u);
  }
}

void count_refused(struct auth_node *n, enum auth_limit l) {
  if (!n->refused)
    n->refused = calloc(AUTH_LIMIT_COUNT, sizeof(*n->refused));
  if (n->refused)
    n->refused[l]++;
}

static bool fits(uint64_t used, uint64_t max, uint64_t amount) { return amount <= max && used <= max - amount; }

/* A refusal counts where the budget is, and where it was asked. */
static int over(struct auth_node *asked, struct auth_node *at, enum auth_limit l, uint64_t amount,
                struct auth_refusal *why) {
  count_refused(at, l);
  if (at != asked)
    count_refused(asked, l);
  return refuse(asked, -EDQUOT, auth_limits[l].name, why, "%llu more %s with %llu of %llu in use%s",
                (unsigned long long)amount, auth_limits[l].name, (unsigned long long)at->used[l],
                (unsigned long long)at->limits[l], at != asked ? " above it" : "");
}

int chain_charge(struct auth_node *n, struct uid_use *u, enum auth_limit l, uint64_t amount, struct auth_refusal *why) {
  assert(l < AUTH_BUDGET_COUNT);
  for (struct auth_node *p = n; p; p = p->parent)
    if (!fits(p->used[l], p->limits[l], amount))
      return over(n, p, l, amount, why);
  uint64_t uid_max = n ? n->tree->uid_max[l] : 0;
  if (u && uid_max && !fits(u->used[l], uid_max, amount)) {
    count_refused(n, l);
    return refuse(n, -EDQUOT, auth_limits[l].name, why, "%llu more %s with %llu of %llu in use by uid %u",
                  (unsigned long long)amount, auth_limits[l].name, (unsigned long long)u->used[l],
                  (unsigned long long)uid_max, (unsigned)u->uid);
  }
  for (struct auth_node *p = n; p; p = p->parent)
    p->used[l] += (uint32_t)amount; /* within its limit, so within 32 bits */
  if (u)
    u->used[l] += amount;
  return 0;
}

void chain_uncharge(struct auth_node *n, struct uid_use *u, enum auth_limit l, uint64_t amount) {
  for (struct auth_node *p = n; p; p = p->parent)
    p->used[l] -= (uint32_t)MIN(amount, p->used[l]);
  if (u)
    u->used[l] -= MIN(amount, u->used[l]);
}

int auth_charge(struct auth_node *n, enum auth_limit l, uint64_t amount, struct auth_refusal *why) {
  int r = node_ended(n);
  if (r < 0)
    return refuse_ended(n, r, why);
  r = chain_charge(n, n->uid, l, amount, why);
  if (r == 0)
    n->own[l] += (uint32_t)amount;
  return r;
}

/* Clamped to what was charged here: what others hold below or beside stays counted. */
void auth_uncharge(struct auth_node *n, enum auth_limit l, uint64_t amount) {
  assert(l < AUTH_BUDGET_COUNT);
  amount = MIN(amount, n->own[l]);
  n->own[l] -= (uint32_t)amount;
  chain_uncharge(n, n->uid, l, amount);
}

int auth_bound(struct auth_node *n, enum auth_limit l, uint64_t value, struct auth_refusal *why) {
  int r = node_ended(n);
  if (r < 0)
    return refuse_ended(n, r, why);
  if (auth_limit_tighter(l, value, n->limits[l]))
    return 0;
  count_refused(n, l);
  return refuse(n, -ERANGE, auth_limits[l].name, why, "%s of %llu is %s %llu", auth_limits[l].name,
                (unsigned long long)value, auth_limits[l].minimum ? "below" : "over", (unsigned long long)n->limits[l]);
}

uint64_t auth_limit_value(const struct auth_node *n, enum auth_limit l) { return n->limits[l]; }

void auth_limit_use(const struct auth_node *n, enum auth_limit l, struct auth_limit_use *ret) {
  *ret = (struct auth_limit_use){.max = n->limits[l],
                                 .used = l < AUTH_BUDGET_COUNT ? n->used[l] : 0,
                                 .refused = n->refused ? n->refused[l] : 0};
}

uint64_t auth_pace(struct auth_node *n, enum auth_limit l, uint64_t now_ns) {
  uint64_t at = now_ns;
  for (struct auth_node *p = n; p && p->kind == n->kind; p = p->parent)
    at = MAX(at, p->paced_ns);
  for (struct auth_node *p = n; at == now_ns && p && p->kind == n->kind; p = p->parent)
    p->paced_ns = now_ns + p->limits[l] * NSEC_PER_MSEC;
  return at;
}
