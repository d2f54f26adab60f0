/* SPDX-License-Identifier: BSD-3-Clause
 * Random trees against a slow model: the same steps, drawn from a seed, and after each the invariants of authority.h.
 */
#include "authority/authority.h"
#include "authority_util.h"

#include <stdio.h>

#define NODES 400 /* ever minted in one run */
#define STEPS 1200

struct model {
  struct auth_node *node; /* NULL: gone */
  int parent;             /* index, -1: root */
  bool held, revoked, ended;
  uint64_t own[AUTH_LIMIT_COUNT]; /* charged at it */
  uid_t uid;
};

static struct model m[NODES];
static int n_model;
static struct auth_tree *tree;
static uint64_t seed;
static unsigned minted, charged, refused; /* that the properties were tried at all */

static int index_of(const struct auth_node *n) {
  for (int i = 0; i < n_model; i++)
    if (m[i].node == n)
      return i;
  cr_assert_fail("an unknown node");
  return -1;
}
static bool model_dead(int i) {
  for (; i >= 0; i = m[i].parent)
    if (m[i].revoked)
      return true;
  return false;
}
static bool model_below(int i, int ancestor) {
  while (i >= 0 && i != ancestor)
    i = m[i].parent;
  return i == ancestor;
}

static void on_ended(void *arg _unused_, struct auth_node *n, int error) {
  int i = index_of(n);
  cr_assert_not(m[i].ended, "ended twice");
  cr_assert(model_dead(i));
  cr_assert_eq(error, -EKEYREVOKED);
  for (int j = 0; j < n_model; j++)
    if (m[j].node && m[j].parent == i)
      cr_assert(m[j].ended, "a parent before its child");
  m[i].ended = true;
  if (m[i].held && rnd_below(&seed, 2)) {
    m[i].held = false;
    auth_release(n);
  }
}
static void on_freed(void *arg _unused_, struct auth_node *n) {
  int i = index_of(n);
  cr_assert_not(m[i].held);
  cr_assert(!model_dead(i) || m[i].ended, "gone without its end");
  for (int j = 0; j < n_model; j++)
    cr_assert(!m[j].node || m[j].parent != i, "gone before its child");
  m[i].node = NULL;
  memset(m[i].own, 0, sizeof(m[i].own));
}
static const struct auth_tree_ops ops = {on_ended, on_freed};

static int pick_held(void) {
  for (int tries = 0; tries < 20; tries++) {
    int i = (int)rnd_below(&seed, (unsigned)n_model);
    if (m[i].node && m[i].held)
      return i;
  }
  return -1;
}

static void step_mint(enum auth_kind kind) {
  if (n_model == NODES)
    return;
  int p = n_model == 0 || rnd_below(&seed, 8) == 0 ? -1 : pick_held();
  struct auth_taker taker = {.pid = 1, .uid = 1000 + rnd_below(&seed, 3) * UINT32_C(64)};
  uint64_t limits[AUTH_LIMIT_COUNT];
  for (unsigned l = 0; l < AUTH_LIMIT_COUNT; l++)
    limits[l] = !auth_limits[l].budget || rnd_below(&seed, 4) ? AUTH_LIMIT_INHERIT : 30 + rnd_below(&seed, 90);
  limits[LIMIT_CHILDREN] = AUTH_LIMIT_INHERIT;
  _cleanup_free_ struct auth_rights *rights = p < 0 || rnd_below(&seed, 3) ? rnd_rights(&seed, kind, 3) : NULL;
  struct auth_spec spec = {.kind = kind, .grant = "g", .rights = rights, .limits = limits, .taker = &taker};
  struct auth_node *n = NULL;
  struct auth_refusal why;
  int r = auth_mint(tree, p < 0 ? NULL : m[p].node, &spec, &n, &why);
  if (p >= 0 && model_dead(p))
    cr_assert_eq(r, -EKEYREVOKED);
  if (r < 0)
    return;
  minted += p >= 0;
  struct auth_node_info mine, parents;
  auth_info(n, &mine);
  if (p >= 0) {
    auth_info(m[p].node, &parents);
    cr_assert(auth_rights_subset(mine.rights, parents.rights, NULL), "a child was minted wider");
    for (unsigned l = 0; l < AUTH_LIMIT_COUNT; l++)
      cr_assert(auth_limit_tighter((enum auth_limit)l, auth_limit_value(n, (enum auth_limit)l),
                                   auth_limit_value(m[p].node, (enum auth_limit)l)));
  }
  m[n_model++] = (struct model){.node = n, .parent = p, .held = true, .uid = taker.uid};
}

static void step_charge(void) {
  int i = pick_held();
  enum auth_limit l = (enum auth_limit)rnd_below(&seed, LIMIT_PINGS + 1);
  uint64_t amount = rnd_below(&seed, 40);
  if (i < 0 || l == LIMIT_CHILDREN)
    return;
  if (rnd_below(&seed, 3) == 0) {
    amount = MIN(amount, m[i].own[l]);
    auth_uncharge(m[i].node, l, amount);
    m[i].own[l] -= amount;
  } else if (auth_charge(m[i].node, l, amount, NULL) == 0) {
    cr_assert_not(model_dead(i));
    m[i].own[l] += amount;
    charged++;
  } else
    refused += !model_dead(i);
}

static void check_budgets(void) {
  for (int i = 0; i < n_model; i++) {
    if (!m[i].node)
      continue;
    for (unsigned l = 0; l <= LIMIT_PINGS; l++) {
      uint64_t sum = 0;
      for (int j = 0; j < n_model; j++)
        if (m[j].node && model_below(j, i))
          sum += l == LIMIT_CHILDREN ? j != i : m[j].own[l];
      struct auth_limit_use use;
      auth_limit_use(m[i].node, (enum auth_limit)l, &use);
      cr_assert_eq(use.used, sum, "%s: %llu, model %llu", auth_limits[l].name, (unsigned long long)use.used,
                   (unsigned long long)sum);
      cr_assert_leq(use.used, use.max);
    }
  }
}

/* Whatever the rights look like: covered by a child is covered by its parent, and nothing dead is covered. */
static unsigned check_decisions(enum auth_kind kind) {
  unsigned covered = 0;
  for (int i = 0; i < n_model; i++) {
    if (!m[i].node)
      continue;
    struct auth_request rq = rnd_request(&seed, kind);
    int r = auth_decide(m[i].node, &rq, 1, NULL);
    if (model_dead(i))
      cr_assert_eq(r, -EKEYREVOKED);
    else if (r == 0 && m[i].parent >= 0) {
      cr_assert_eq(auth_decide(m[m[i].parent].node, &rq, 1, NULL), 0);
      covered++;
    }
  }
  return covered;
}

static unsigned run(uint64_t run_seed) {
  seed = run_seed;
  n_model = 0;
  memset(m, 0, sizeof(m));
  cr_assert_eq(auth_tree_new(&ops, NULL, &tree), 0);
  enum auth_kind kind = PICK(&seed, world_kinds);
  unsigned covered = 0;
  for (unsigned step = 0; step < STEPS; step++) {
    unsigned what = rnd_below(&seed, 100);
    int i;
    if (what < 40 || n_model == 0)
      step_mint(kind);
    else if (what < 75)
      step_charge();
    else if (what < 90 && (i = pick_held()) >= 0) {
      m[i].held = false;
      auth_release(m[i].node);
    } else if (what < 91 && (i = pick_held()) >= 0) {
      m[i].revoked |= !model_dead(i);
      auth_revoke(m[i].node, -EKEYREVOKED);
    } else
      (void)auth_reap(tree, rnd_below(&seed, 4));
    if (step % 100 == 0)
      check_budgets();
    if (step % 5 == 0)
      covered += check_decisions(kind);
  }
  check_budgets();
  while (auth_reap(tree, 3))
    ;
  for (int i = 0; i < n_model; i++)
    if (m[i].node && m[i].held) {
      m[i].held = false;
      auth_release(m[i].node);
    }
  cr_assert_eq(auth_count(tree), 0u, "all were released, so all are gone");
  tree = auth_tree_free(tree);
  return covered;
}

Test(authority_random, invariants_hold_over_random_lives) {
  unsigned covered = 0;
  for (uint64_t s = 1; s <= 60; s++)
    covered += run(s * UINT64_C(0x9e3779b97f4a7c15));
  cr_expect(covered > 2000 && minted > 2000 && charged > 2000 && refused > 500, "hardly tried: %u %u %u %u", covered,
            minted, charged, refused);
}
