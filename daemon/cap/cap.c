/* SPDX-License-Identifier: BSD-3-Clause
 * What all kinds share: joining a node with an endpoint, and the two ways out.
 */
#include "cap/cap.h"

#include "base/log.h"
#include "base/pair.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

#define REAP_TURN 64 /* nodes torn down in one turn */

struct caps {
  struct loop *loop;
  struct auth_tree *tree;
  void *rooms[AUTH_KIND_COUNT];
  struct loop_task reap;
  struct loop_timer *expiry;
  caps_audit_fn audit;
  void *audit_arg;
  uint64_t n_caps;
};

struct auth_tree *caps_tree(struct caps *cs) { return cs->tree; }
struct loop *caps_loop(struct caps *cs) { return cs->loop; }
void *cap_room(const struct cap *c) { return c->caps->rooms[c->kind->kind]; }
void caps_set_room(struct caps *cs, enum auth_kind kind, void *room) { cs->rooms[kind] = room; }
struct cap *cap_of(const struct call *call) { return call_owner(call); }

/* --- audit ----------------------------------------------------------------------------------------------------------- */

void caps_on_audit(struct caps *cs, caps_audit_fn fn, void *arg) {
  cs->audit = fn;
  cs->audit_arg = arg;
}

void cap_audit(struct caps *cs, const char *verb, const struct auth_node *n, const char *detail) {
  struct auth_node_info info;
  auth_info(n, &info);
  char id[24], pid[16], uid[16], taker[CAP_TAKER_STRLEN], line[512];
  (void)snprintf(id, sizeof id, "%" PRIu64, info.id);
  (void)snprintf(pid, sizeof pid, "%d", (int)info.taker.pid);
  (void)snprintf(uid, sizeof uid, "%u", (unsigned)info.taker.uid);
  const struct log_field fields[] = {{"CAPNET_VERB", verb},
                                     {"CAPNET_GRANT", info.grant},
                                     {"CAPNET_CAP_ID", id},
                                     {"CAPNET_PID", pid},
                                     {"CAPNET_UID", uid},
                                     {"CAPNET_UNIT", info.taker.unit}};
  (void)cap_taker_format(&info.taker, taker);
  (void)snprintf(line, sizeof line, "%s grant=%s cap=%s kind=%s name=%s%s%s%s%s", verb, info.grant, id,
                 auth_kind_name(info.kind), info.name, *taker ? " by " : "", taker, *detail ? ": " : "", detail);
  log_event(LOG_LVL_NOTICE, fields, ARRAY_SIZE(fields), "%s", line);
  if (cs->audit)
    cs->audit(cs->audit_arg, n, line);
}

/* --- endings ------------------------------------------------------------------------------------------------------ */

static void cap_release(struct cap *c) {
  if (c->released)
    return;
  c->released = true;
  c->kind->release(c);
}

/* The budget counts endpoints, not capabilities: one that lives on without is charged for what it holds only. */
static void close_endpoint(struct cap *c, const Capnet__Error *e) {
  if (!c->ep)
    return;
  c->ep = endpoint_free(c->ep, e);
  auth_uncharge(c->node, LIMIT_ENDPOINTS, 1);
}

static void cap_detach(struct cap *c) {
  if (c->detached)
    return;
  c->detached = true;
  auth_release(c->node); /* on_node_freed may run inside */
}

/* What was taken through a grant's endpoint hangs below the item, not below it: its end is carried over here, in the same
 * turn. Endpoints opened through it do hang below it, so this goes no deeper than the tree. */
static void revoke_minted(struct cap *c, int error) {
  if (c->kind->kind != AUTH_GRANT)
    return;
  list_for_each(pos, &c->minted) {
    struct cap *child = list_entry(pos, struct cap, by_link);
    auth_revoke(child->node, error);
    revoke_minted(child, error);
  }
  loop_task_queue(c->caps->loop, &c->caps->reap);
}

static void cap_tell(struct cap *c, int error) {
  struct auth_refusal why = {0};
  (void)auth_alive(c->node, loop_now(c->caps->loop, CLOCK_ID_BOOT), &why);
  struct auth_node_info info;
  auth_info(c->node, &info);
  Capnet__Error e = CAPNET__ERROR__INIT;
  e.has_code = 1;
  e.code = error_code_from_errno(error);
  e.message = why.text[0] ? why.text : (char *)error_code_sentence(e.code);
  e.grant = (char *)info.grant;
  close_endpoint(c, &e);
}

void cap_end(struct cap *c, int error) {
  c->ended = error;
  if (error) {
    cap_tell(c, error);
    revoke_minted(c, error);
  }
  close_endpoint(c, NULL);
  cap_release(c);
  cap_detach(c);
}

static void on_hangup(void *owner) {
  struct cap *c = owner;
  close_endpoint(c, NULL);
  if (c->kind->survives && c->kind->survives(c))
    return;
  cap_release(c);
  cap_detach(c);
}

static void on_node_ended(void *arg, struct auth_node *n, int error) {
  (void)arg;
  struct cap *c = auth_owner(n);
  if (c)
    cap_end(c, error);
}

static void on_node_freed(void *arg, struct auth_node *n) {
  struct caps *cs = arg;
  struct cap *c = auth_owner(n);
  if (!c)
    return;
  list_for_each(pos, &c->minted) {
    list_entry(pos, struct cap, by_link)->by = NULL;
    list_remove(pos);
  }
  list_remove(&c->by_link);
  struct cap *by = c->by;
  cs->n_caps--;
  free(c);
  if (by)
    auth_release(by->node);
}

static const struct auth_tree_ops tree_ops = {.ended = on_node_ended, .freed = on_node_freed};

static void on_reap(void *arg) {
  struct caps *cs = arg;
  if (auth_reap(cs->tree, REAP_TURN))
    loop_task_queue(cs->loop, &cs->reap);
}

void caps_revoke(struct caps *cs, struct auth_node *n, int error) {
  cap_audit(cs, "revoke", n, error == -EKEYEXPIRED ? "its time is over" : "");
  auth_revoke(n, error);
  if (auth_owner(n))
    revoke_minted(auth_owner(n), error);
  loop_task_queue(cs->loop, &cs->reap);
}

/* What expired since the timer was set last is torn down as well: the timer may be moved past it here. */
void caps_watch_expiry(struct caps *cs) {
  uint64_t next = auth_expire(cs->tree, loop_now(cs->loop, CLOCK_ID_BOOT));
  loop_task_queue(cs->loop, &cs->reap);
  if (next)
    loop_timer_set(cs->expiry, next);
}

static void on_expiry(void *arg) { caps_watch_expiry(arg); }

/* --- the account that rpc counts through --------------------------------------------------------------------------- */

static int refusal_to_error(const struct auth_refusal *why, Capnet__Error *ret) {
  ret->has_code = 1;
  ret->code = error_code_from_errno(why->error);
  ret->message = (char *)why->text;
  ret->grant = why->grant[0] ? (char *)why->grant : NULL;
  ret->rule = (char *)why->rule;
  return why->error;
}

static int on_call_begin(void *owner, size_t bytes, Capnet__Error *ret_error) {
  struct cap *c = owner;
  static struct auth_refusal why; /* its text is borrowed by the error until the caller has sent it */
  int r = auth_alive(c->node, loop_now(c->caps->loop, CLOCK_ID_BOOT), &why);
  if (r < 0)
    return refusal_to_error(&why, ret_error);
  r = auth_charge(c->node, LIMIT_CALLS, 1, &why);
  if (r < 0)
    return refusal_to_error(&why, ret_error);
  r = auth_charge(c->node, LIMIT_BYTES, bytes, &why);
  if (r < 0) {
    auth_uncharge(c->node, LIMIT_CALLS, 1);
    return refusal_to_error(&why, ret_error);
  }
  return 0;
}

static void on_call_end(void *owner, size_t bytes) {
  struct cap *c = owner;
  auth_uncharge(c->node, LIMIT_CALLS, 1);
  auth_uncharge(c->node, LIMIT_BYTES, bytes);
}

/* The one line where a request ends. Refusals are for the audit, the rest for who wants to see everything. */
static void on_call_done(void *owner, const struct call_summary *s) {
  struct cap *c = owner;
  struct auth_node_info info;
  auth_info(c->node, &info);
  char id[24];
  (void)snprintf(id, sizeof id, "%" PRIu64, info.id);
  const char *service = s->service ? s->service : "-", *method = s->method ? s->method : "-";
  const Capnet__ErrorCode code = s->error ? error_code_from_errno(s->error) : CAPNET__ERROR_CODE__ERROR_UNSPECIFIED;
  const struct log_field fields[] = {{"CAPNET_GRANT", info.grant},
                                     {"CAPNET_CAP_ID", id},
                                     {"CAPNET_METHOD", method},
                                     {"CAPNET_ERROR", s->error ? error_code_name(code) : "OK"}};
  const bool refused = s->error == -EACCES || s->error == -EDQUOT || s->error == -ERANGE || s->error == -EPERM;
  if (s->error)
    log_event(refused ? LOG_LVL_NOTICE : LOG_LVL_INFO, fields, ARRAY_SIZE(fields), "%s grant=%s cap=%s %s.%s: %s (%s)",
              refused ? "refuse" : "call", info.grant, id, service, method, s->message ? s->message : "",
              error_code_name(code));
  else
    log_event(LOG_LVL_DEBUG, fields, ARRAY_SIZE(fields), "call grant=%s cap=%s %s.%s: ok, %" PRIu64 " us", info.grant, id,
              service, method, s->elapsed_ns / 1000);
}

static ProtobufCService *on_service(void *owner) { return ((struct cap *)owner)->kind->service; }
static ProtobufCService *on_common(void *owner) {
  /* A shared endpoint answers only Open: Describe would be harmless, Revoke by another holder would not. */
  return ((struct cap *)owner)->shared ? NULL : cap_common_service;
}

static const struct endpoint_ops endpoint_ops = {.service = on_service,
                                                 .common = on_common,
                                                 .call_begin = on_call_begin,
                                                 .call_end = on_call_end,
                                                 .call_done = on_call_done,
                                                 .hangup = on_hangup};

void cap_turn_away(struct caps *cs, int fd, const struct auth_refusal *why) {
  Capnet__Error e = CAPNET__ERROR__INIT;
  (void)refusal_to_error(why, &e);
  endpoint_turn_away(cs->loop, fd, &e);
}

/* --- beginnings --------------------------------------------------------------------------------------------------- */

int cap_new(struct caps *cs, struct auth_node *node, int fd, struct cap **ret, int *ret_client) {
  _cleanup_close_ int ours = fd, client = -1;
  struct auth_node_info info;
  auth_info(node, &info);
  const struct cap_kind *kind = cap_kinds[info.kind];
  struct auth_refusal why;
  const bool endpoint = fd >= 0 || ret_client;
  int r = endpoint ? auth_charge(node, LIMIT_ENDPOINTS, 1, &why) : 0;
  if (r < 0) {
    if (ours >= 0)
      cap_turn_away(cs, TAKE_FD(ours), &why);
    auth_release(node);
    return r;
  }
  struct cap *c = calloc(1, kind->size);
  r = c ? 0 : -ENOMEM;
  if (r == 0 && ret_client)
    r = pair_new(SOCK_SEQPACKET, &ours, &client);
  if (r == 0) {
    *c = (struct cap){.kind = kind, .caps = cs, .node = node};
    list_init(&c->minted);
    list_init(&c->by_link);
    if (kind->init)
      kind->init(c);
    if (endpoint)
      r = endpoint_new(cs->loop, TAKE_FD(ours), &endpoint_ops, c, &c->ep);
  }
  if (r < 0) {
    free(c);
    if (endpoint)
      auth_uncharge(node, LIMIT_ENDPOINTS, 1);
    auth_release(node);
    return r;
  }
  auth_set_owner(node, c);
  cs->n_caps++;
  if (ret_client)
    *ret_client = TAKE_FD(client);
  *ret = c;
  return 0;
}

struct cap *cap_find_minted(struct cap *c, uint64_t id) {
  list_for_each(pos, &c->minted) {
    struct cap *child = list_entry(pos, struct cap, by_link);
    struct auth_node_info info;
    auth_info(child->node, &info);
    if (info.id == id)
      return child;
  }
  return NULL;
}

/* A node keeps those it minted below it as its children. One minted elsewhere in the tree (taken from a grant) keeps its
 * minter as a husk in the same way: else closing the endpoint that took would put the taken beyond every Revoke. */
static void remember(struct cap *by, struct cap *c, const struct auth_node *parent) {
  list_append(&by->minted, &c->by_link);
  if (by->node == parent)
    return;
  c->by = by;
  auth_hold(by->node);
}

int cap_mint(struct caps *cs, struct auth_node *parent, const struct auth_spec *spec, struct cap *by, struct cap **ret,
             int *ret_client, struct auth_refusal *why) {
  struct auth_node *node;
  struct auth_spec with_time = *spec;
  with_time.taken_at_us = clock_wall_us();
  int r = auth_mint(cs->tree, parent, &with_time, &node, why);
  if (r < 0)
    return r;
  struct auth_node_info info;
  auth_info(node, &info);
  r = cap_new(cs, node, -1, ret, ret_client);
  if (r < 0) {
    auth_info(parent, &info);
    why->error = r;
    (void)snprintf(why->grant, sizeof why->grant, "%s", info.grant);
    why->rule = r == -EDQUOT ? "endpoints" : NULL;
    (void)snprintf(why->text, sizeof why->text, "no endpoint can be made: %s",
                   r == -EDQUOT ? "the budget \"endpoints\" is used up" : strerror(-r));
    return r;
  }
  if (by)
    remember(by, *ret, parent);
  if (info.expires_ns)
    caps_watch_expiry(cs);
  return 0;
}

int caps_new(struct loop *loop, void *const rooms[AUTH_KIND_COUNT], struct caps **ret) {
  struct caps *cs = calloc(1, sizeof *cs);
  if (!cs)
    return -ENOMEM;
  cs->loop = loop;
  memcpy(cs->rooms, rooms, sizeof cs->rooms);
  loop_task_init(&cs->reap, on_reap, cs);
  int r = auth_tree_new(&tree_ops, cs, &cs->tree);
  if (r == 0)
    r = loop_timer_new(loop, CLOCK_ID_BOOT, on_expiry, cs, &cs->expiry);
  if (r < 0) {
    auth_tree_free(cs->tree);
    free(cs);
    return r;
  }
  *ret = cs;
  return 0;
}

static void revoke_root(void *arg, struct auth_node *n) {
  (void)arg;
  if (!auth_parent(n))
    auth_revoke(n, -ESHUTDOWN);
}

void caps_shutdown(struct caps *cs) { auth_each(cs->tree, revoke_root, NULL); }

struct caps *caps_free(struct caps *cs) {
  if (!cs)
    return NULL;
  caps_shutdown(cs);
  while (auth_reap(cs->tree, REAP_TURN))
    ;
  loop_task_cancel(&cs->reap);
  cs->expiry = loop_timer_free(cs->expiry);
  cs->tree = auth_tree_free(cs->tree);
  free(cs);
  return NULL;
}

void caps_get_stats(const struct caps *cs, struct caps_stats *ret) {
  *ret = (struct caps_stats){.caps = cs->n_caps, .nodes = auth_count(cs->tree)};
}
