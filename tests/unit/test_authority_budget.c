/* SPDX-License-Identifier: BSD-3-Clause
 * Budgets and bounds: each at N and N+1, shared by children, ceilings by uid, refusals counted, all given back.
 */
#include "authority/authority.h"
#include "base/util.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct auth_tree *tree;
static void setup(void) { cr_assert_eq(auth_tree_new(NULL, NULL, &tree), 0); }
static void teardown(void) { tree = auth_tree_free(tree); }
TestSuite(authority_budget, .init = setup, .fini = teardown);

static void inherit_all(uint64_t limits[AUTH_LIMIT_COUNT]) {
  for (unsigned i = 0; i < AUTH_LIMIT_COUNT; i++)
    limits[i] = AUTH_LIMIT_INHERIT;
}
/* uid -1: nobody took it */
static int try_mint(struct auth_node *parent, int uid, enum auth_limit l, uint64_t value, struct auth_node **ret,
                    struct auth_refusal *why) {
  uint64_t limits[AUTH_LIMIT_COUNT];
  inherit_all(limits);
  limits[l] = value;
  struct auth_taker taker = {.pid = 1, .uid = (uid_t)uid};
  struct auth_spec spec = {
      .kind = AUTH_GRANT, .grant = parent ? NULL : "web", .limits = limits, .taker = uid < 0 ? NULL : &taker};
  return auth_mint(tree, parent, &spec, ret, why);
}
static struct auth_node *mint(struct auth_node *parent, int uid, enum auth_limit l, uint64_t value) {
  struct auth_node *n = NULL;
  struct auth_refusal why = {0};
  cr_assert_eq(try_mint(parent, uid, l, value, &n, &why), 0, "%s", why.text);
  return n;
}
static struct auth_limit_use use_of(const struct auth_node *n, enum auth_limit l) {
  struct auth_limit_use u;
  auth_limit_use(n, l, &u);
  return u;
}

Test(authority_budget, each_budget_at_n_and_n_plus_1) {
  for (unsigned i = 0; i < AUTH_LIMIT_COUNT; i++) {
    if (!auth_limits[i].budget)
      continue;
    enum auth_limit l = (enum auth_limit)i;
    struct auth_node *n = mint(NULL, -1, l, 5);
    struct auth_refusal why = {0};
    for (unsigned j = 0; j < 5; j++)
      cr_expect_eq(auth_charge(n, l, 1, &why), 0, "%s", why.text);
    cr_expect_eq(auth_charge(n, l, 1, &why), -EDQUOT);
    cr_expect_str_eq(why.rule, auth_limits[i].name);
    cr_expect_str_eq(why.grant, "web");
    cr_expect_not_null(strstr(why.text, "5 of 5"), "%s", why.text);
    cr_expect_eq(use_of(n, l).refused, 1u);
    cr_expect_eq(use_of(n, l).used, 5u);
    auth_uncharge(n, l, 1);
    cr_expect_eq(auth_charge(n, l, 2, NULL), -EDQUOT);
    cr_expect_eq(auth_charge(n, l, 1, NULL), 0);
    auth_uncharge(n, l, 99);
    cr_expect_eq(use_of(n, l).used, 0u, "clamped");
    cr_expect_eq(auth_charge(n, l, UINT64_MAX, NULL), -EDQUOT, "no wrap");
    cr_expect_eq(auth_charge(n, l, 5, NULL), 0);
    cr_expect_eq(auth_charge(n, l, UINT64_MAX - 2, NULL), -EDQUOT, "no wrap");
    cr_expect_eq(auth_charge(n, l, 0, NULL), 0);
  }
}

Test(authority_budget, each_bound_at_n_and_n_plus_1) {
  for (unsigned i = 0; i < AUTH_LIMIT_COUNT; i++) {
    const struct auth_limit_def *d = &auth_limits[i];
    if (d->budget)
      continue;
    enum auth_limit l = (enum auth_limit)i;
    struct auth_node *n = mint(NULL, -1, l, d->fallback);
    struct auth_refusal why = {0};
    cr_expect_eq(auth_limit_value(n, l), d->fallback);
    cr_expect_eq(auth_bound(n, l, d->fallback, &why), 0);
    cr_expect_eq(use_of(n, l).refused, 0u);
    cr_expect_eq(auth_bound(n, l, d->minimum ? d->fallback - 1 : d->fallback + 1, &why), -ERANGE, "%s", d->name);
    cr_expect_str_eq(why.rule, d->name);
    cr_expect_not_null(strstr(why.text, d->minimum ? "is below" : "is over"), "%s", why.text);
    cr_expect_eq(use_of(n, l).refused, 1u);
    cr_expect_eq(auth_bound(n, l, d->minimum ? UINT64_MAX : 0, NULL), 0);
  }
}

Test(authority_budget, a_root_respects_the_ceilings_and_a_child_its_parent) {
  for (unsigned i = 0; i < AUTH_LIMIT_COUNT; i++) {
    const struct auth_limit_def *d = &auth_limits[i];
    enum auth_limit l = (enum auth_limit)i;
    uint64_t looser = d->minimum ? d->ceiling - 1 : d->ceiling + 1, tight = d->minimum ? d->ceiling + 5 : d->ceiling - 5;
    struct auth_node *n = NULL, *child;
    struct auth_refusal why = {0};
    cr_expect_eq(try_mint(NULL, -1, l, looser, &n, &why), -EPERM, "%s", d->name);
    cr_expect_str_eq(why.rule, d->name);
    n = mint(NULL, -1, l, d->ceiling);
    child = mint(n, -1, l, tight);
    cr_expect_eq(auth_limit_value(child, l), tight);
    cr_expect_eq(try_mint(child, -1, l, d->ceiling, &n, &why), -EPERM, "%s", d->name);
    struct auth_node *grandchild = mint(child, -1, l, AUTH_LIMIT_INHERIT);
    cr_expect_eq(auth_limit_value(grandchild, l), tight, "inherited");
  }
}

Test(authority_budget, children_share_and_cannot_multiply) {
  struct auth_node *root = mint(NULL, -1, LIMIT_SOCKETS, 3);
  struct auth_node *a = mint(root, -1, LIMIT_SOCKETS, 2), *b = mint(root, -1, LIMIT_SOCKETS, 3);
  struct auth_refusal why = {0};
  cr_expect_eq(auth_charge(a, LIMIT_SOCKETS, 2, NULL), 0);
  cr_expect_eq(auth_charge(a, LIMIT_SOCKETS, 1, NULL), -EDQUOT, "its own");
  cr_expect_eq(auth_charge(b, LIMIT_SOCKETS, 1, NULL), 0);
  cr_expect_eq(auth_charge(b, LIMIT_SOCKETS, 1, &why), -EDQUOT, "its parent's");
  cr_expect_not_null(strstr(why.text, "above it"), "%s", why.text);
  cr_expect_eq(use_of(root, LIMIT_SOCKETS).used, 3u);
  cr_expect_eq(use_of(root, LIMIT_SOCKETS).refused, 1u);
  cr_expect_eq(use_of(b, LIMIT_SOCKETS).refused, 1u);
  auth_uncharge(b, LIMIT_SOCKETS, 9);
  cr_expect_eq(use_of(root, LIMIT_SOCKETS).used, 2u, "what others hold stays counted");
}

Test(authority_budget, what_a_node_forgot_is_given_back_when_it_goes) {
  struct auth_node *root = mint(NULL, -1, LIMIT_SOCKETS, 3), *a = mint(root, 1000, LIMIT_SOCKETS, 3);
  struct auth_node *keep = mint(root, 1000, LIMIT_SOCKETS, 3);
  auth_tree_set_uid_limit(tree, LIMIT_SOCKETS, 2);
  cr_expect_eq(auth_charge(a, LIMIT_SOCKETS, 2, NULL), 0);
  cr_expect_eq(auth_charge(keep, LIMIT_SOCKETS, 1, NULL), -EDQUOT);
  cr_expect_eq(use_of(root, LIMIT_CHILDREN).used, 2u);
  auth_release(a);
  cr_expect_eq(use_of(root, LIMIT_SOCKETS).used, 0u);
  cr_expect_eq(use_of(root, LIMIT_CHILDREN).used, 1u);
  cr_expect_eq(auth_charge(keep, LIMIT_SOCKETS, 2, NULL), 0, "the uid's too");
}

Test(authority_budget, children_are_a_budget_of_every_ancestor) {
  struct auth_node *root = mint(NULL, -1, LIMIT_CHILDREN, 3), *n = NULL;
  struct auth_node *a = mint(root, -1, LIMIT_CHILDREN, 3);
  (void)mint(a, -1, LIMIT_CHILDREN, 3);
  n = mint(a, -1, LIMIT_CHILDREN, 3);
  struct auth_refusal why = {0};
  struct auth_node *more = NULL;
  cr_expect_eq(try_mint(n, -1, LIMIT_CHILDREN, 3, &more, &why), -EDQUOT);
  cr_expect_str_eq(why.rule, "children");
  cr_expect_null(more);
  auth_release(n);
  cr_expect_eq(try_mint(a, -1, LIMIT_CHILDREN, 3, &more, &why), 0);
}

Test(authority_budget, ceilings_by_uid_hold_over_all_grants) {
  for (unsigned i = 0; i < AUTH_LIMIT_COUNT; i++) {
    enum auth_limit l = (enum auth_limit)i;
    if (!auth_limits[i].budget || l == LIMIT_CHILDREN)
      continue;
    auth_tree_set_uid_limit(tree, l, 4);
    struct auth_node *r1 = mint(NULL, -1, l, 100), *r2 = mint(NULL, -1, l, 100);
    struct auth_node *a = mint(r1, 1000, l, 100), *b = mint(r2, 1000, l, 100), *other = mint(r2, 1064, l, 100);
    struct auth_refusal why = {0};
    cr_expect_eq(auth_charge(a, l, 3, NULL), 0);
    cr_expect_eq(auth_charge(b, l, 1, NULL), 0);
    cr_expect_eq(auth_charge(b, l, 1, &why), -EDQUOT);
    cr_expect_not_null(strstr(why.text, "by uid 1000"), "%s", why.text);
    cr_expect_eq(use_of(b, l).refused, 1u);
    cr_expect_eq(use_of(r2, l).used, 1u, "refused by the uid: charged nowhere");
    cr_expect_eq(auth_charge(other, l, 4, NULL), 0, "another uid, in the same bucket");
    cr_expect_eq(auth_charge(r1, l, 50, NULL), 0, "what nobody took has no uid");
    auth_uncharge(a, l, 3);
    auth_uncharge(b, l, 1);
    auth_uncharge(other, l, 4);
  }
}

Test(authority_budget, the_defaults_by_uid_are_those_of_the_table) {
  struct auth_node *a = mint(mint(NULL, -1, LIMIT_LOOKUPS, 1024), 1000, LIMIT_LOOKUPS, 1024);
  cr_expect_eq(auth_charge(a, LIMIT_LOOKUPS, auth_limits[LIMIT_LOOKUPS].per_uid, NULL), 0);
  cr_expect_eq(auth_charge(a, LIMIT_LOOKUPS, 1, NULL), -EDQUOT);
}

Test(authority_budget, a_pace_is_one_for_all_below) {
  const uint64_t ms = NSEC_PER_MSEC, start = 1000 * NSEC_PER_SEC;
  struct auth_node *item = mint(NULL, -1, LIMIT_PING_INTERVAL_MIN, 200);
  struct auth_node *a = mint(item, -1, LIMIT_PING_INTERVAL_MIN, 200), *b = mint(item, -1, LIMIT_PING_INTERVAL_MIN, 500);
  const enum auth_limit l = LIMIT_PING_INTERVAL_MIN;
  cr_expect_eq(auth_pace(a, l, start), start, "the first goes at once");
  for (unsigned i = 0; i < 100; i++)
    cr_expect_eq(auth_pace(b, l, start), start + 200 * ms, "a brother waits for it, and asking reserves nothing");
  cr_expect_eq(auth_pace(b, l, start + 200 * ms), start + 200 * ms);
  cr_expect_eq(auth_pace(a, l, start + 300 * ms), start + 400 * ms, "the item's interval is for both");
  cr_expect_eq(auth_pace(b, l, start + 400 * ms), start + 700 * ms, "and b's own is longer");
  cr_expect_eq(auth_pace(a, l, start + 400 * ms), start + 400 * ms);
  cr_expect_eq(auth_pace(a, l, start + 5000 * ms), start + 5000 * ms, "idle time is not saved up");
  cr_expect_eq(auth_pace(a, l, start + 5000 * ms), start + 5200 * ms);
}
