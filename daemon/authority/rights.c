/* SPDX-License-Identifier: BSD-3-Clause
 * Sets of rules: one allocation each, never changed once made.
 */
#include "authority/rights.h"
#include "authority/rights_internal.h"
#include "base/util.h"

#include <stdio.h>

static size_t rights_size(unsigned n) { return sizeof(struct auth_rights) + n * sizeof(struct auth_rule); }

int auth_rights_parse(enum auth_kind kind, const char *const *lines, size_t n, struct auth_rights **ret,
                      char err[160]) {
  if (n > AUTH_RULES_MAX) {
    (void)snprintf(err, 160, "at most %d rules, not %zu", AUTH_RULES_MAX, n);
    return -E2BIG;
  }
  _cleanup_free_ struct auth_rights *r = calloc(1, rights_size((unsigned)n));
  if (!r) {
    (void)snprintf(err, 160, "out of memory");
    return -ENOMEM;
  }
  r->kind = kind;
  for (size_t i = 0; i < n; i++) {
    int e = auth_rule_parse(kind, lines[i], &r->rules[i], err);
    if (e < 0)
      return e;
    r->n++;
  }
  *ret = TAKE_PTR(r);
  return 0;
}

struct auth_rights *auth_rights_copy(const struct auth_rights *r) {
  struct auth_rights *copy = malloc(rights_size(r->n));
  if (copy)
    memcpy(copy, r, rights_size(r->n));
  return copy;
}

const struct auth_rights *auth_rights_none(enum auth_kind kind) {
  static const struct auth_rights grant = {.kind = AUTH_GRANT}, manager = {.kind = AUTH_MANAGER},
                                  status = {.kind = AUTH_STATUS}, connect = {.kind = AUTH_TCP_CONNECT},
                                  listen = {.kind = AUTH_TCP_LISTEN}, listener = {.kind = AUTH_TCP_LISTENER},
                                  socket = {.kind = AUTH_TCP_SOCKET}, dns = {.kind = AUTH_DNS}, ping = {.kind = AUTH_PING};
  switch (kind) {
  case AUTH_GRANT: return &grant;
  case AUTH_MANAGER: return &manager;
  case AUTH_STATUS: return &status;
  case AUTH_TCP_CONNECT: return &connect;
  case AUTH_TCP_LISTEN: return &listen;
  case AUTH_TCP_LISTENER: return &listener;
  case AUTH_TCP_SOCKET: return &socket;
  case AUTH_DNS: return &dns;
  case AUTH_PING:
  case AUTH_KIND_COUNT: break;
  }
  return &ping;
}

/* A kind without rules is covered by holding it. */
bool auth_rights_cover(const struct auth_rights *r, const struct auth_request *rq) {
  if (r->kind != rq->kind)
    return false;
  if (!rights_kind_has_rules(r->kind))
    return true;
  for (unsigned i = 0; i < r->n; i++)
    if (auth_rule_covers(r->kind, &r->rules[i], rq))
      return true;
  return false;
}

static bool within_any(enum auth_kind kind, const struct auth_rule *rule, const struct auth_rights *parent) {
  for (unsigned i = 0; i < parent->n; i++)
    if (auth_rule_subset(kind, rule, &parent->rules[i]))
      return true;
  return false;
}

bool auth_rights_subset(const struct auth_rights *child, const struct auth_rights *parent,
                        const struct auth_rule **ret_first) {
  if (child->kind != parent->kind) {
    if (ret_first)
      *ret_first = NULL;
    return false;
  }
  for (unsigned i = 0; i < child->n; i++)
    if (!within_any(child->kind, &child->rules[i], parent)) {
      if (ret_first)
        *ret_first = &child->rules[i];
      return false;
    }
  return true;
}
