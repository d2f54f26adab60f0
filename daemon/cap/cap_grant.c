/* SPDX-License-Identifier: BSD-3-Clause
 * Grant: the bundle of a grant file. In the tree: the grant's root, below it one node for each item, below those what was
 * taken, so that an item's budget is one for all its takers. Endpoints of the bundle itself hang below the root, or below
 * the endpoint they were opened through; what was taken through one is remembered by it (minted) and ends with it when it
 * is revoked, not when it is closed.
 */
#include "cap/cap_grant.h"

#include "proto/grant.pb-c.h"

#include <stdio.h>

#define ITEMS_MAX 64

struct item {
  char *name;
  enum auth_kind kind;
  struct auth_node *node;
};

struct cap_bundle {
  unsigned refs; /* core's, and one for each endpoint */
  struct caps *caps;
  char *name, *description;
  struct auth_node *root;
  struct item items[ITEMS_MAX];
  size_t n;
};

struct cap_grant {
  struct cap cap;
  struct cap_bundle *bundle;
};

static struct cap_bundle *bundle_of(struct call *call) { return ((struct cap_grant *)cap_of(call))->bundle; }

static void bundle_unref(struct cap_bundle *b) {
  if (--b->refs > 0)
    return;
  for (size_t i = 0; i < b->n; i++)
    free(b->items[i].name);
  free(b->name);
  free(b->description);
  free(b);
}

/* --- requests ------------------------------------------------------------------------------------------------------------- */

static int open_endpoint(struct cap_bundle *b, const struct auth_taker *taker, struct cap *by, struct cap **ret, int fd,
                         int *ret_client, struct auth_refusal *why) {
  const struct auth_spec spec = {.kind = AUTH_GRANT, .taker = taker, .taken_at_us = clock_wall_us()};
  int r;
  if (ret_client) /* below the one it was opened through, so that it ends with that */
    r = cap_mint(b->caps, by ? by->node : b->root, &spec, by, ret, ret_client, why);
  else {
    struct auth_node *node;
    r = auth_mint(caps_tree(b->caps), b->root, &spec, &node, why);
    if (r < 0)
      cap_turn_away(b->caps, fd, why);
    else
      r = cap_new(b->caps, node, fd, ret, NULL);
  }
  if (r < 0)
    return r;
  ((struct cap_grant *)*ret)->bundle = b;
  b->refs++;
  return 0;
}

static void grant_open(Capnet__Grant_Service *service, const Capnet__GrantOpenRequest *rq,
                       Capnet__GrantOpenReply_Closure closure, void *data) {
  (void)service, (void)rq, (void)closure;
  struct call *call = data;
  struct cap_bundle *b = bundle_of(call);
  struct auth_node_info info;
  struct auth_refusal why = {0};
  struct cap *c;
  int client;
  auth_info(cap_of(call)->node, &info);
  /* Nobody may revoke what another process opened through a shared descriptor. */
  if (open_endpoint(b, &info.taker, cap_of(call)->shared ? NULL : cap_of(call), &c, -1, &client, &why) < 0) {
    cap_refuse(call, &why);
    return;
  }
  Capnet__GrantOpenReply reply = CAPNET__GRANT_OPEN_REPLY__INIT;
  Capnet__Descriptor slot = CAPNET__DESCRIPTOR__INIT;
  slot.has_slot = 1;
  (void)call_add_fd(call, client, &slot.slot);
  reply.endpoint = &slot;
  reply.grant = b->name;
  call_reply(call, &reply.base);
}

static bool is_private(struct call *call) {
  if (!cap_of(call)->shared)
    return true;
  call_error(call, -EACCES, bundle_of(call)->name, "open",
             "this descriptor may be shared by several processes and answers only Open");
  return false;
}

static void grant_list(Capnet__Grant_Service *service, const Capnet__GrantListRequest *rq,
                       Capnet__GrantListReply_Closure closure, void *data) {
  (void)service, (void)rq, (void)closure;
  struct call *call = data;
  struct cap_bundle *b = bundle_of(call);
  if (!is_private(call))
    return;
  Capnet__GrantItem items[ITEMS_MAX], *list[ITEMS_MAX];
  Capnet__GrantListReply reply = CAPNET__GRANT_LIST_REPLY__INIT;
  for (size_t i = 0; i < b->n; i++) {
    struct auth_node_info info;
    auth_info(b->items[i].node, &info);
    capnet__grant_item__init(&items[i]);
    items[i].name = b->items[i].name;
    items[i].kind = (char *)auth_kind_name(b->items[i].kind);
    items[i].rights = cap_rights_lines(info.rights, &items[i].n_rights);
    list[i] = &items[i];
  }
  reply.grant = b->name;
  reply.description = b->description;
  reply.items = list;
  reply.n_items = b->n;
  call_reply(call, &reply.base);
  for (size_t i = 0; i < b->n; i++)
    cap_lines_free(items[i].rights, items[i].n_rights);
}

/* The one item of a kind; NULL when there is none, or several. */
static struct item *only_of_kind(struct cap_bundle *b, const char *kind) {
  struct item *found = NULL;
  for (size_t i = 0; i < b->n; i++) {
    if (strcmp(auth_kind_name(b->items[i].kind), kind) != 0)
      continue;
    if (found)
      return NULL;
    found = &b->items[i];
  }
  return found;
}

/* A name of the bundle comes before a kind of the same spelling. */
static struct item *find_item(struct cap_bundle *b, const char *name, const char *kind) {
  for (size_t i = 0; name && i < b->n; i++)
    if (strcmp(b->items[i].name, name) == 0)
      return !kind || strcmp(auth_kind_name(b->items[i].kind), kind) == 0 ? &b->items[i] : NULL;
  return kind ? only_of_kind(b, kind) : name ? only_of_kind(b, name) : NULL;
}

static void say_not_found(struct call *call, const struct cap_bundle *b, const char *what) {
  char have[256] = "";
  size_t len = 0;
  for (size_t i = 0; i < b->n && len < sizeof have; i++)
    len += (size_t)snprintf(have + len, sizeof have - len, "%s%s", i ? ", " : "", b->items[i].name);
  call_error(call, -ENOENT, b->name, NULL, "grant %s has no one item \"%.64s\"; it has: %s", b->name, what, have);
}

static void grant_take(Capnet__Grant_Service *service, const Capnet__GrantTakeRequest *rq,
                       Capnet__GrantTakeReply_Closure closure, void *data) {
  (void)service, (void)closure;
  struct call *call = data;
  struct cap_bundle *b = bundle_of(call);
  struct cap *by = cap_of(call), *c;
  if (!is_private(call))
    return;
  struct item *it = find_item(b, rq->name, rq->kind);
  if (!it) {
    say_not_found(call, b, rq->name ? rq->name : rq->kind ? rq->kind : "");
    return;
  }
  struct auth_node_info info;
  struct auth_refusal why = {0};
  int client;
  auth_info(by->node, &info);
  const struct auth_spec spec = {.kind = it->kind, .taker = &info.taker};
  if (cap_mint(b->caps, it->node, &spec, by, &c, &client, &why) < 0) {
    cap_refuse(call, &why);
    return;
  }
  cap_audit(b->caps, "take", c->node, "");
  auth_info(c->node, &info);
  Capnet__GrantTakeReply reply = CAPNET__GRANT_TAKE_REPLY__INIT;
  Capnet__Descriptor slot = CAPNET__DESCRIPTOR__INIT;
  slot.has_slot = 1;
  (void)call_add_fd(call, client, &slot.slot);
  reply.endpoint = &slot;
  reply.name = it->name;
  reply.kind = (char *)auth_kind_name(it->kind);
  reply.has_id = 1;
  reply.id = info.id;
  call_reply(call, &reply.base);
}

/* --- bundles ---------------------------------------------------------------------------------------------------------------- */

static int add_item(struct cap_bundle *b, const struct cap_bundle_item *item, struct auth_refusal *why) {
  const struct auth_spec spec = {.kind = item->kind,
                                 .grant = b->name,
                                 .name = item->name,
                                 .rights = item->rights,
                                 .limits = item->limits,
                                 .congestion = item->congestion,
                                 .expires_ns = item->expires_ns};
  struct item *it = &b->items[b->n];
  it->name = strdup(item->name);
  if (!it->name)
    return -ENOMEM;
  it->kind = item->kind;
  int r = auth_mint(caps_tree(b->caps), b->root, &spec, &it->node, why);
  if (r < 0)
    free(it->name);
  else
    b->n++;
  return r;
}

int cap_bundle_new(struct caps *cs, const char *name, const char *description, const uint64_t *limits,
                   const struct cap_bundle_item *items, size_t n, struct cap_bundle **ret, struct auth_refusal *why) {
  struct cap_bundle *b = n <= ITEMS_MAX ? calloc(1, sizeof *b) : NULL;
  if (!b)
    return n <= ITEMS_MAX ? -ENOMEM : -EINVAL;
  b->refs = 1;
  b->caps = cs;
  b->name = strdup(name);
  b->description = strdup(description ? description : "");
  const struct auth_spec spec = {.kind = AUTH_GRANT, .grant = name, .name = name, .limits = limits};
  int r = b->name && b->description ? auth_mint(caps_tree(cs), NULL, &spec, &b->root, why) : -ENOMEM;
  for (size_t i = 0; r == 0 && i < n; i++)
    r = add_item(b, &items[i], why);
  if (r < 0) {
    if (b->root)
      cap_bundle_revoke(b);
    else
      bundle_unref(b);
    return r;
  }
  caps_watch_expiry(cs);
  *ret = b;
  return 0;
}

struct cap_bundle *cap_bundle_revoke(struct cap_bundle *b) {
  if (!b)
    return NULL;
  caps_revoke(b->caps, b->root, -EKEYREVOKED);
  for (size_t i = 0; i < b->n; i++)
    auth_release(b->items[i].node);
  auth_release(b->root);
  bundle_unref(b);
  return NULL;
}

int cap_bundle_accept(struct cap_bundle *b, int fd, const struct auth_taker *taker) {
  struct auth_refusal why = {0};
  struct cap *c;
  int r = open_endpoint(b, taker, NULL, &c, fd, NULL, &why);
  if (r == 0)
    c->shared = true;
  return r;
}

/* --- the table ---------------------------------------------------------------------------------------------------------------- */

static void grant_release(struct cap *c) {
  struct cap_grant *g = (struct cap_grant *)c;
  if (g->bundle)
    bundle_unref(TAKE_PTR(g->bundle));
}

static Capnet__Grant_Service grant_service = CAPNET__GRANT__INIT(grant_);

const struct cap_kind cap_grant_kind = {
    .kind = AUTH_GRANT, .size = sizeof(struct cap_grant), .service = &grant_service.base, .release = grant_release};
