/* SPDX-License-Identifier: BSD-3-Clause
 * The one decision, and the sentences of refusals.
 */
#include "authority/tree_internal.h"

#include <stdarg.h>
#include <stdio.h>

int node_ended(const struct auth_node *n) {
  for (; n; n = n->parent)
    if (n->ended < 0)
      return n->ended;
  return 0;
}

int refuse(const struct auth_node *n, int error, const char *rule, struct auth_refusal *why, const char *fmt, ...) {
  if (!why)
    return error;
  const char *grant = n ? n->identity->grant : "";
  why->error = error;
  (void)snprintf(why->grant, sizeof(why->grant), "%.*s", AUTH_NAME_MAX - 1, grant);
  why->rule = rule;
  int len = snprintf(why->text, sizeof(why->text), "%s%.*s%s", grant[0] ? "grant " : "", AUTH_NAME_MAX, grant,
                     grant[0] ? ": " : "");
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(why->text + len, sizeof(why->text) - (size_t)len, fmt, ap);
  va_end(ap);
  return error;
}

int refuse_ended(const struct auth_node *n, int error, struct auth_refusal *why) {
  if (error == -EKEYEXPIRED)
    return refuse(n, error, "expired", why, "this capability has expired");
  if (error == -EKEYREVOKED)
    return refuse(n, error, "revoked", why, "this capability was revoked");
  return refuse(n, error, "ended", why, "this capability has ended");
}

int auth_alive(const struct auth_node *n, uint64_t now_ns, struct auth_refusal *why) {
  for (const struct auth_node *p = n; p; p = p->parent) {
    int r = p->ended < 0 ? p->ended : p->expires_ns && p->expires_ns <= now_ns ? -EKEYEXPIRED : 0;
    if (r < 0)
      return refuse_ended(n, r, why);
  }
  return 0;
}

/* It is the interface alone that no rule names. */
static bool other_way(const struct auth_rights *r, const struct auth_request *rq) {
  struct auth_request any = *rq;
  any.unrouted = true;
  return rq->interface && auth_rights_cover(r, &any);
}

/* Each ancestor of the kind is asked as well: a child then covers nothing that its parent does not, whatever the two
 * sets of rules look like. Where the kind changes, who minted has decided. */
int auth_decide(struct auth_node *n, const struct auth_request *rq, uint64_t now_ns, struct auth_refusal *why) {
  int r = auth_alive(n, now_ns, why);
  if (r < 0) {
    n->denied++;
    return r;
  }
  for (const struct auth_node *p = n; p && p->kind == n->kind; p = p->parent)
    if (!auth_rights_cover(p->rights, rq)) {
      char text[AUTH_RULE_STRLEN];
      bool way = other_way(p->rights, rq);
      n->denied++;
      return refuse(n, -EACCES, auth_kind_name(n->kind), why, "its rights do not cover: %.100s%s%.15s",
                    auth_request_format(rq, text), way ? " via " : "", way ? rq->interface : "");
    }
  return 0;
}
