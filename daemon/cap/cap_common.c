/* SPDX-License-Identifier: BSD-3-Clause
 * Describe, Attenuate, Revoke: what every kind answers. Minting a child is the tree's business; here rules and limits are
 * only carried between the wire and it.
 */
#include "cap/cap.h"

#include "proto/capability.pb-c.h"

#include <stdio.h>

/* --- Describe ------------------------------------------------------------------------------------------------------ */

static void fill_limit(const struct auth_node *n, enum auth_limit l, Capnet__Limit *ret) {
  struct auth_limit_use use;
  auth_limit_use(n, l, &use);
  capnet__limit__init(ret);
  ret->name = (char *)auth_limits[l].name;
  ret->unit = (char *)auth_limits[l].unit;
  ret->has_max = ret->has_refused = 1;
  ret->max = auth_limit_value(n, l);
  ret->refused = use.refused;
  ret->has_used = auth_limits[l].budget;
  ret->used = use.used;
}

/* What the reply points at until it was sent. */
struct chain {
  Capnet__Provenance nodes[AUTH_DEPTH_MAX], *list[AUTH_DEPTH_MAX];
  struct auth_node_info info[AUTH_DEPTH_MAX];
  size_t n;
};

static void fill_provenance(const struct auth_node *n, struct chain *c) {
  struct auth_node_info *info = &c->info[c->n];
  Capnet__Provenance *p = &c->nodes[c->n];
  auth_info(n, info);
  capnet__provenance__init(p);
  p->has_id = 1;
  p->id = info->id;
  p->grant = (char *)info->grant;
  p->has_parent = info->parent_id != 0;
  p->parent = info->parent_id;
  if (info->taker.pid) {
    p->has_pid = p->has_uid = 1;
    p->pid = (uint32_t)info->taker.pid;
    p->uid = info->taker.uid;
    p->comm = info->taker.comm;
    p->unit = info->taker.unit[0] ? info->taker.unit : NULL;
  }
  p->has_taken_at_us = info->taken_at_us != 0;
  p->taken_at_us = info->taken_at_us;
  p->narrowed = cap_narrowed_lines(n, &p->n_narrowed);
  c->list[c->n++] = p;
}

static void common_describe(Capnet__Capability_Service *service, const Capnet__DescribeRequest *rq,
                            Capnet__DescribeReply_Closure closure, void *data) {
  (void)service, (void)rq, (void)closure;
  struct call *call = data;
  struct cap *c = cap_of(call);
  struct auth_node_info info;
  auth_info(c->node, &info);
  struct chain chain = {0};
  for (struct auth_node *n = c->node; n && chain.n < AUTH_DEPTH_MAX; n = auth_parent(n))
    fill_provenance(n, &chain);
  Capnet__Limit limits[AUTH_LIMIT_COUNT], *limit_list[AUTH_LIMIT_COUNT];
  for (int l = 0; l < AUTH_LIMIT_COUNT; l++) {
    fill_limit(c->node, (enum auth_limit)l, &limits[l]);
    limit_list[l] = &limits[l];
  }
  Capnet__DescribeReply reply = CAPNET__DESCRIBE_REPLY__INIT;
  reply.kind = (char *)auth_kind_name(info.kind);
  reply.grant = (char *)info.grant;
  reply.rights = cap_rights_lines(info.rights, &reply.n_rights);
  reply.congestion = info.congestion[0] ? (char *)info.congestion : NULL;
  reply.n_limits = AUTH_LIMIT_COUNT;
  reply.limits = limit_list;
  const uint64_t now = loop_now(call_loop(call), CLOCK_ID_BOOT);
  reply.has_expires_in_ms = info.expires_ns != 0;
  reply.expires_in_ms = info.expires_ns > now ? (info.expires_ns - now) / NSEC_PER_MSEC : 0;
  reply.n_chain = chain.n;
  reply.chain = chain.list;
  call_reply(call, &reply.base);
  cap_lines_free(reply.rights, reply.n_rights);
  for (size_t i = 0; i < chain.n; i++)
    cap_lines_free(chain.nodes[i].narrowed, chain.nodes[i].n_narrowed);
}

/* --- Attenuate ----------------------------------------------------------------------------------------------------- */

static bool parse_limits(struct call *call, const Capnet__AttenuateRequest *rq, uint64_t ret[AUTH_LIMIT_COUNT]) {
  for (int l = 0; l < AUTH_LIMIT_COUNT; l++)
    ret[l] = AUTH_LIMIT_INHERIT;
  for (size_t i = 0; i < rq->n_limits; i++) {
    enum auth_limit l;
    if (!rq->limits[i]->name || !rq->limits[i]->has_max || auth_limit_by_name(rq->limits[i]->name, &l) < 0 ||
        rq->limits[i]->max == AUTH_LIMIT_INHERIT) {
      cap_malformed(call, "limits", "no such limit, or no max, or one out of range");
      return false;
    }
    ret[l] = rq->limits[i]->max;
  }
  return true;
}

static void attenuate(struct call *call, const Capnet__AttenuateRequest *rq, const struct auth_rights *rights) {
  struct cap *c = cap_of(call), *child;
  struct auth_node_info info;
  auth_info(c->node, &info);
  uint64_t limits[AUTH_LIMIT_COUNT];
  if (!parse_limits(call, rq, limits))
    return;
  struct auth_spec spec = {.kind = info.kind, .rights = rights, .limits = limits, .name = rq->label};
  if (rq->has_expires_in_ms) {
    if (rq->expires_in_ms == 0 || rq->expires_in_ms > UINT64_MAX / NSEC_PER_MSEC / 2) {
      cap_malformed(call, "expires_in_ms", "out of range");
      return;
    }
    spec.expires_ns = loop_now(call_loop(call), CLOCK_ID_BOOT) + rq->expires_in_ms * NSEC_PER_MSEC;
  }
  struct auth_refusal why = {0};
  int client;
  if (cap_mint(c->caps, c->node, &spec, c, &child, &client, &why) < 0) {
    why.error = why.error == -EPERM ? -EDOM : why.error; /* not a subset, which is not the same as not permitted */
    cap_refuse(call, &why);
    return;
  }
  cap_audit(c->caps, "narrow", child->node, rq->label ? rq->label : "");
  struct auth_node_info child_info;
  auth_info(child->node, &child_info);
  Capnet__AttenuateReply reply = CAPNET__ATTENUATE_REPLY__INIT;
  Capnet__Descriptor slot = CAPNET__DESCRIPTOR__INIT;
  slot.has_slot = 1;
  (void)call_add_fd(call, client, &slot.slot);
  reply.endpoint = &slot;
  reply.has_id = 1;
  reply.id = child_info.id;
  call_reply(call, &reply.base);
}

/* What has no rights of its own, or gives out rights that are not its own, cannot be narrowed. A grant's items are taken
 * below the item, not below the endpoint that asked: a narrowed grant would narrow nothing. NULL: it can be. */
static const char *narrow_instead(enum auth_kind kind) {
  switch (kind) {
  case AUTH_GRANT: return "what was taken from it";
  case AUTH_TCP_LISTENER:
  case AUTH_TCP_SOCKET: return "the authority it came from";
  case AUTH_MANAGER:
  case AUTH_STATUS:
  case AUTH_TCP_CONNECT:
  case AUTH_TCP_LISTEN:
  case AUTH_DNS:
  case AUTH_PING:
  case AUTH_KIND_COUNT: break;
  }
  return NULL;
}

static void common_attenuate(Capnet__Capability_Service *service, const Capnet__AttenuateRequest *rq,
                             Capnet__AttenuateReply_Closure closure, void *data) {
  (void)service, (void)closure;
  struct call *call = data;
  const enum auth_kind kind = cap_of(call)->kind->kind;
  const char *instead = narrow_instead(kind);
  if (instead) {
    call_error(call, -ENOSYS, NULL, NULL, "a %s cannot be narrowed: narrow %s", auth_kind_name(kind), instead);
    return;
  }
  if (rq->label && strlen(rq->label) >= AUTH_NAME_MAX) {
    cap_malformed(call, "label", "longer than 63 bytes");
    return;
  }
  _cleanup_free_ struct auth_rights *rights = NULL;
  char err[160];
  if (rq->n_rights &&
      auth_rights_parse(kind, (const char *const *)rq->rights, rq->n_rights, &rights, err) < 0) {
    cap_malformed(call, "rights", err);
    return;
  }
  attenuate(call, rq, rights);
}

/* --- Revoke -------------------------------------------------------------------------------------------------------- */

static void common_revoke(Capnet__Capability_Service *service, const Capnet__RevokeRequest *rq,
                          Capnet__RevokeReply_Closure closure, void *data) {
  (void)service, (void)closure;
  struct call *call = data;
  struct cap *c = cap_of(call);
  struct cap *target = rq->has_id ? cap_find_minted(c, rq->id) : c;
  if (!target) {
    call_error(call, -ENOENT, NULL, NULL, "this endpoint minted no capability with that id that is still alive");
    return;
  }
  Capnet__RevokeReply reply = CAPNET__REVOKE_REPLY__INIT;
  call_reply(call, &reply.base);
  caps_revoke(c->caps, target->node, -EKEYREVOKED);
}

static Capnet__Capability_Service common_service = CAPNET__CAPABILITY__INIT(common_);
ProtobufCService *const cap_common_service = &common_service.base;
