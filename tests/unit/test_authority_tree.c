/* SPDX-License-Identifier: BSD-3-Clause
 * The tree: narrowing, decisions, revocation, husks, expiry, depth and number.
 */
#include "authority/authority.h"
#include "authority_util.h"

#include <stdio.h>

#define EVENTS 64

static struct auth_tree *tree;
static struct {
  uint64_t ended[EVENTS], freed[EVENTS];
  int errors[EVENTS];
  unsigned n_ended, n_freed;
} seen;

static uint64_t id_of(const struct auth_node *n) {
  struct auth_node_info info;
  auth_info(n, &info);
  return info.id;
}
static void on_ended(void *arg, struct auth_node *n, int error) {
  cr_assert_eq(arg, &seen);
  cr_assert_lt(seen.n_ended, EVENTS);
  seen.errors[seen.n_ended] = error;
  seen.ended[seen.n_ended++] = id_of(n);
}
static void on_freed(void *arg _unused_, struct auth_node *n) {
  cr_assert_lt(seen.n_freed, EVENTS);
  seen.freed[seen.n_freed++] = id_of(n);
}
static const struct auth_tree_ops ops = {on_ended, on_freed};

static void setup(void) {
  memset(&seen, 0, sizeof(seen));
  cr_assert_eq(auth_tree_new(&ops, &seen, &tree), 0);
}
static void teardown(void) { tree = auth_tree_free(tree); }
TestSuite(authority_tree, .init = setup, .fini = teardown);

/* rule NULL: the parent's. */
static int try_mint(struct auth_node *parent, enum auth_kind kind, const char *rule, struct auth_node **ret,
                    struct auth_refusal *why) {
  char err[160];
  _cleanup_free_ struct auth_rights *rights = NULL;
  if (rule)
    cr_assert_eq(auth_rights_parse(kind, &rule, 1, &rights, err), 0, "%s", err);
  struct auth_spec spec = {.kind = kind, .grant = parent ? NULL : "web", .rights = rights};
  return auth_mint(tree, parent, &spec, ret, why);
}
static struct auth_node *mint(struct auth_node *parent, enum auth_kind kind, const char *rule) {
  struct auth_node *n = NULL;
  struct auth_refusal why = {0};
  cr_assert_eq(try_mint(parent, kind, rule, &n, &why), 0, "%s", why.text);
  return n;
}
static int decide_ping(struct auth_node *n, const char *addr, bool own, struct auth_refusal *why) {
  struct auth_request rq = {.kind = AUTH_PING, .own = own};
  cr_assert_eq(net_addr_parse(addr, &rq.to.addr), 0);
  return auth_decide(n, &rq, 1, why);
}

Test(authority_tree, decisions_name_grant_rule_and_request) {
  struct auth_node *root = mint(NULL, AUTH_PING, "10.0.0.0/8");
  struct auth_refusal why = {0};
  cr_expect_eq(decide_ping(root, "10.0.0.1", false, &why), 0);
  cr_expect_eq(decide_ping(root, "11.0.0.1", false, &why), -EACCES);
  cr_expect_eq(why.error, -EACCES);
  cr_expect_str_eq(why.grant, "web");
  cr_expect_str_eq(why.rule, "ping");
  cr_expect_str_eq(why.text, "grant web: its rights do not cover: ping 11.0.0.1");
  struct auth_request other = {.kind = AUTH_DNS, .name = "x", .mask = AUTH_TYPE_A};
  cr_expect_eq(auth_decide(root, &other, 1, NULL), -EACCES);
  struct auth_node_info info;
  auth_info(root, &info);
  cr_expect_eq(info.denied, 2u);
}

Test(authority_tree, a_child_cannot_widen) {
  struct auth_node *root = mint(NULL, AUTH_PING, "10.0.0.0/8"), *n = NULL;
  struct auth_refusal why = {0};
  cr_expect_eq(try_mint(root, AUTH_PING, "0.0.0.0/0", &n, &why), -EPERM);
  cr_expect_str_eq(why.text, "grant web: \"0.0.0.0/0\" is not within its rights");
  cr_expect_null(n);
  cr_expect_eq(auth_count(tree), 1u);
  struct auth_limit_use use;
  auth_limit_use(root, LIMIT_CHILDREN, &use);
  cr_expect_eq(use.used, 0u, "a refused mint charges nothing");
  n = mint(root, AUTH_PING, "10.1.0.0/16");
  cr_expect_eq(decide_ping(n, "10.1.0.1", false, NULL), 0);
  cr_expect_eq(decide_ping(n, "10.0.0.1", false, NULL), -EACCES);
  struct auth_node *same = mint(n, AUTH_PING, NULL);
  cr_expect_eq(decide_ping(same, "10.1.0.1", false, NULL), 0);
  cr_expect_eq(decide_ping(same, "10.0.0.1", false, NULL), -EACCES);
}

Test(authority_tree, a_child_that_names_an_own_address_gains_nothing) {
  struct auth_node *wide = mint(NULL, AUTH_PING, "10.0.0.0/8"), *exact = mint(NULL, AUTH_PING, "10.0.0.1");
  struct auth_node *child = mint(wide, AUTH_PING, "10.0.0.1");
  cr_expect_eq(decide_ping(wide, "10.0.0.1", true, NULL), -EACCES);
  cr_expect_eq(decide_ping(child, "10.0.0.1", true, NULL), -EACCES);
  cr_expect_eq(decide_ping(child, "10.0.0.1", false, NULL), 0);
  cr_expect_eq(decide_ping(exact, "10.0.0.1", true, NULL), 0);
}

Test(authority_tree, rights_must_suit_the_kind) {
  const char *rule = "*";
  char err[160];
  struct auth_rights *rights = NULL;
  struct auth_node *n = NULL;
  cr_assert_eq(auth_rights_parse(AUTH_DNS, &rule, 1, &rights, err), 0);
  struct auth_spec spec = {.kind = AUTH_PING, .grant = "web", .rights = rights};
  cr_expect_eq(auth_mint(tree, NULL, &spec, &n, NULL), -EINVAL);
  free(rights);
  struct auth_node *root = mint(NULL, AUTH_GRANT, NULL), *ping = mint(root, AUTH_PING, "*");
  cr_expect_eq(decide_ping(ping, "10.0.0.1", false, NULL), 0, "another kind than its parent's");
  struct auth_node *none = mint(root, AUTH_PING, NULL);
  cr_expect_eq(decide_ping(none, "10.0.0.1", false, NULL), -EACCES, "no rights given, none to inherit");
}

Test(authority_tree, provenance_is_inherited_or_replaced) {
  struct auth_node *root = mint(NULL, AUTH_PING, "*"), *a = NULL, *b;
  struct auth_taker taker = {.pid = 77, .uid = 1000, .gid = 100, .comm = "curl", .unit = "x.service"};
  struct auth_spec spec = {.kind = AUTH_PING, .name = "mine", .taker = &taker, .taken_at_us = 5};
  cr_assert_eq(auth_mint(tree, root, &spec, &a, NULL), 0);
  b = mint(a, AUTH_PING, NULL);
  struct auth_node_info info;
  auth_info(b, &info);
  cr_expect_eq(info.taker.pid, 77);
  cr_expect_str_eq(info.taker.comm, "curl");
  cr_expect_str_eq(info.grant, "web");
  cr_expect_str_eq(info.name, "mine");
  cr_expect_eq(info.parent_id, id_of(a));
  auth_info(root, &info);
  cr_expect_eq(info.parent_id, 0u);
  cr_expect_eq(info.taker.pid, 0);
  cr_expect(auth_is_below(b, root) && auth_is_below(b, b) && !auth_is_below(root, b));
  cr_expect_eq(auth_parent(b), a);
  cr_expect_null(auth_parent(root));
}

Test(authority_tree, names_are_cut_to_fit) {
  char name[AUTH_NAME_MAX + 2];
  memset(name, 'x', sizeof(name));
  name[AUTH_NAME_MAX] = 0;
  struct auth_spec spec = {.kind = AUTH_GRANT, .grant = name};
  struct auth_node *n = NULL;
  struct auth_node_info info;
  cr_assert_eq(auth_mint(tree, NULL, &spec, &n, NULL), 0);
  auth_info(n, &info);
  cr_expect_eq(strlen(info.grant), AUTH_NAME_MAX - 1);
}

Test(authority_tree, depth_at_n_and_n_plus_1) {
  struct auth_node *n = mint(NULL, AUTH_PING, "*"), *more = NULL;
  for (unsigned i = 1; i < AUTH_DEPTH_MAX; i++)
    n = mint(n, AUTH_PING, NULL);
  struct auth_refusal why = {0};
  cr_expect_eq(try_mint(n, AUTH_PING, NULL, &more, &why), -ENOSPC);
  cr_expect_eq(auth_count(tree), (size_t)AUTH_DEPTH_MAX);
}

Test(authority_tree, revocation_is_live_at_once_for_everything_below) {
  struct auth_node *root = mint(NULL, AUTH_PING, "*"), *a = mint(root, AUTH_PING, NULL), *b = mint(a, AUTH_PING, NULL),
                   *c = mint(root, AUTH_PING, NULL), *more = NULL;
  struct auth_refusal why = {0};
  auth_revoke(a, -EKEYREVOKED);
  cr_expect_eq(decide_ping(a, "10.0.0.1", false, NULL), -EKEYREVOKED);
  cr_expect_eq(decide_ping(b, "10.0.0.1", false, &why), -EKEYREVOKED);
  cr_expect_str_eq(why.text, "grant web: this capability was revoked");
  cr_expect_eq(auth_alive(b, 1, NULL), -EKEYREVOKED);
  cr_expect_eq(auth_charge(b, LIMIT_SOCKETS, 1, NULL), -EKEYREVOKED);
  cr_expect_eq(auth_bound(b, LIMIT_PING_COUNT, 1, NULL), -EKEYREVOKED);
  cr_expect_eq(try_mint(b, AUTH_PING, NULL, &more, &why), -EKEYREVOKED);
  cr_expect_eq(decide_ping(c, "10.0.0.1", false, NULL), 0, "a sibling feels nothing");
  cr_expect_eq(decide_ping(root, "10.0.0.1", false, NULL), 0);
  cr_expect_eq(seen.n_ended, 0u, "the upcalls come with auth_reap only");
}

Test(authority_tree, reaping_is_sliced_children_first_and_once) {
  struct auth_node *root = mint(NULL, AUTH_PING, "*"), *a = mint(root, AUTH_PING, NULL);
  struct auth_node *aa = mint(a, AUTH_PING, NULL), *ab = mint(a, AUTH_PING, NULL);
  auth_revoke(ab, -EKEYEXPIRED);
  auth_revoke(root, -EKEYREVOKED);
  auth_revoke(root, -EKEYREVOKED);
  auth_revoke(aa, -EKEYEXPIRED);
  cr_expect(auth_reap(tree, 1));
  cr_expect_eq(seen.n_ended, 1u);
  cr_expect_eq(seen.ended[0], id_of(ab));
  cr_expect_eq(seen.errors[0], -EKEYEXPIRED, "its own end came first");
  cr_expect(auth_reap(tree, 2));
  cr_expect_eq(seen.n_ended, 3u);
  cr_expect_eq(seen.ended[1], id_of(aa));
  cr_expect_eq(seen.errors[1], -EKEYREVOKED, "a second revocation changes nothing");
  cr_expect_eq(seen.ended[2], id_of(a));
  cr_expect_not(auth_reap(tree, 1));
  cr_expect_eq(seen.ended[3], id_of(root));
  cr_expect_not(auth_reap(tree, 100));
  cr_expect_eq(seen.n_ended, 4u);
  cr_expect_eq(seen.n_freed, 0u, "all are still held");
}

Test(authority_tree, release_keeps_husks_until_the_children_are_gone) {
  struct auth_node *root = mint(NULL, AUTH_PING, "*"), *a = mint(root, AUTH_PING, NULL), *b = mint(a, AUTH_PING, NULL);
  struct auth_node_info info;
  uint64_t a_id = id_of(a), b_id = id_of(b);
  int object;
  auth_set_owner(a, &object);
  auth_hold(a);
  auth_release(a);
  cr_expect_eq(auth_owner(a), &object);
  auth_release(a);
  auth_info(a, &info);
  cr_expect(info.husk);
  cr_expect_eq(info.children, 1u);
  cr_expect_eq(auth_owner(a), &object, "until it is freed");
  cr_expect_eq(decide_ping(b, "10.0.0.1", false, NULL), 0, "releasing a parent does not end its children");
  cr_expect_eq(seen.n_freed, 0u);
  auth_release(b);
  cr_expect_eq(seen.n_freed, 2u);
  cr_expect_eq(seen.freed[0], b_id);
  cr_expect_eq(seen.freed[1], a_id);
  cr_expect_eq(seen.n_ended, 0u);
  cr_expect_eq(auth_count(tree), 1u);
  auth_release(root);
  cr_expect_eq(auth_count(tree), 0u);
}

Test(authority_tree, the_dead_are_told_once_even_when_released_before) {
  struct auth_node *root = mint(NULL, AUTH_PING, "*"), *husk = mint(root, AUTH_PING, NULL),
                   *leaf = mint(husk, AUTH_PING, NULL), *early = mint(root, AUTH_PING, NULL);
  auth_release(husk);
  auth_revoke(root, -EKEYREVOKED);
  auth_release(early);
  auth_release(leaf);
  cr_expect_eq(seen.n_freed, 0u);
  cr_expect_not(auth_reap(tree, 10));
  cr_expect_eq(seen.n_ended, 4u);
  cr_expect_eq(seen.n_freed, 3u);
  cr_expect_eq(auth_count(tree), 1u);
  auth_release(root);
  cr_expect_eq(auth_count(tree), 0u);
  cr_expect_eq(seen.n_ended, 4u);
}

Test(authority_tree, expiry_of_the_node_and_of_what_is_above) {
  struct auth_node *root = mint(NULL, AUTH_PING, "*"), *a = NULL, *b = NULL;
  struct auth_spec spec = {.kind = AUTH_PING, .expires_ns = 100};
  cr_assert_eq(auth_mint(tree, root, &spec, &a, NULL), 0);
  spec.expires_ns = 200;
  cr_assert_eq(auth_mint(tree, a, &spec, &b, NULL), 0);
  struct auth_refusal why = {0};
  struct auth_node_info info;
  auth_info(b, &info);
  cr_expect_eq(info.expires_ns, 100u, "the earlier end above holds");
  cr_expect_eq(auth_alive(b, 99, NULL), 0);
  cr_expect_eq(auth_alive(b, 100, &why), -EKEYEXPIRED, "even before anybody called auth_expire");
  cr_expect_str_eq(why.text, "grant web: this capability has expired");
  cr_expect_eq(auth_expire(tree, 99), 100u);
  cr_expect_eq(seen.n_ended, 0u);
  cr_expect_eq(auth_expire(tree, 100), 0u, "what is left below a dead node needs no timer");
  cr_expect_not(auth_reap(tree, 10));
  cr_expect_eq(seen.n_ended, 2u);
  cr_expect_eq(seen.errors[0], -EKEYEXPIRED);
  cr_expect_eq(auth_alive(root, 1000, NULL), 0);
  cr_expect_eq(auth_expire(tree, 5000), 0u);
}

Test(authority_tree, a_tree_goes_with_all_its_nodes) {
  struct auth_node *root = mint(NULL, AUTH_PING, "*");
  (void)mint(mint(root, AUTH_PING, NULL), AUTH_PING, NULL);
  auth_revoke(root, -EKEYREVOKED);
  tree = auth_tree_free(tree);
  cr_expect_eq(seen.n_freed, 3u);
  cr_expect_eq(seen.n_ended, 0u);
}

static struct auth_node *order[8];
static unsigned n_order;
static void on_each(void *arg _unused_, struct auth_node *n) { order[n_order++] = n; }

Test(authority_tree, each_tells_parents_first) {
  struct auth_node *r1 = mint(NULL, AUTH_PING, "*"), *r2 = mint(NULL, AUTH_PING, "*");
  struct auth_node *a = mint(r1, AUTH_PING, NULL), *b = mint(a, AUTH_PING, NULL);
  auth_each(tree, on_each, NULL);
  cr_assert_eq(n_order, 4u);
  cr_expect(order[0] == r1 && order[1] == a && order[2] == b && order[3] == r2);
}

/* The upcall of one node releases it and its parent, and revokes a neighbour: nothing of it may hurt the walk. */
static struct auth_node *victim, *neighbour;
static void on_ended_meddle(void *arg _unused_, struct auth_node *n, int error _unused_) {
  seen.n_ended++;
  auth_release(n);
  if (victim) {
    struct auth_node *v = TAKE_PTR(victim);
    auth_release(v);
    auth_revoke(neighbour, -EKEYREVOKED);
  }
}
Test(authority_lone_tree, upcalls_may_meddle) {
  static const struct auth_tree_ops meddle = {on_ended_meddle, on_freed};
  memset(&seen, 0, sizeof(seen));
  cr_assert_eq(auth_tree_new(&meddle, NULL, &tree), 0);
  struct auth_node *root = mint(NULL, AUTH_PING, "*");
  victim = mint(root, AUTH_PING, NULL);
  (void)mint(victim, AUTH_PING, NULL);
  neighbour = mint(NULL, AUTH_PING, "*");
  auth_hold(victim); /* its own `ended` releases one, the child's the other */
  auth_revoke(root, -EKEYREVOKED);
  while (auth_reap(tree, 1))
    ;
  cr_expect_eq(seen.n_ended, 4u);
  cr_expect_eq(auth_count(tree), 0u);
  tree = auth_tree_free(tree);
}

static void ignore_freed(void *arg _unused_, struct auth_node *n _unused_) {}
Test(authority_lone_tree, number_of_nodes_at_n_and_n_plus_1) {
  static const struct auth_tree_ops quiet = {NULL, ignore_freed};
  cr_assert_eq(auth_tree_new(&quiet, NULL, &tree), 0);
  struct auth_spec spec = {.kind = AUTH_GRANT, .grant = "many"};
  struct auth_node *n = NULL;
  for (unsigned i = 0; i < AUTH_NODES_MAX; i++)
    if (auth_mint(tree, NULL, &spec, &n, NULL) < 0)
      cr_assert_fail("node %u", i);
  struct auth_node *more = NULL;
  struct auth_refusal why = {0};
  cr_expect_eq(auth_mint(tree, NULL, &spec, &more, &why), -ENOSPC);
  cr_expect(strlen(why.text) > 0);
  auth_release(n);
  cr_expect_eq(auth_mint(tree, NULL, &spec, &more, NULL), 0);
  tree = auth_tree_free(tree);
}
