/* SPDX-License-Identifier: BSD-3-Clause
 * What handlers say most often: refusals, and text for replies.
 */
#include "cap/cap.h"

#include "base/log.h"
#include "stack/stack.h"

#include <inttypes.h>
#include <stdio.h>

void cap_refuse(struct call *call, const struct auth_refusal *why) {
  call_error(call, why->error, why->grant[0] ? why->grant : NULL, why->rule, "%s", why->text);
}

bool cap_decide(struct call *call, const struct auth_request *rq) {
  struct auth_refusal why = {0};
  int r = auth_decide(cap_of(call)->node, rq, loop_now(call_loop(call), CLOCK_ID_BOOT), &why);
  if (r < 0)
    cap_refuse(call, &why);
  return r == 0;
}

/* What has an address leaves by the interface that has it, or not at all. */
void cap_way(struct auth_request *rq, struct stack *stack, const struct net_addr *from, const struct net_addr *to) {
  struct stack_route_info route;
  if (from && from->family && !net_addr_is_unspecified(from))
    rq->interface = stack_if_with(stack, from);
  else if (stack_route_lookup(stack, to, &route) == 0)
    rq->interface = route.ifname;
  rq->unrouted = !rq->interface;
}

bool cap_bound(struct call *call, enum auth_limit l, uint64_t value) {
  struct auth_refusal why = {0};
  int r = auth_bound(cap_of(call)->node, l, value, &why);
  if (r < 0)
    cap_refuse(call, &why);
  return r == 0;
}

bool cap_charge(struct call *call, enum auth_limit l, uint64_t amount) {
  struct auth_refusal why = {0};
  int r = auth_charge(cap_of(call)->node, l, amount, &why);
  if (r < 0)
    cap_refuse(call, &why);
  return r == 0;
}

void cap_malformed(struct call *call, const char *field, const char *why) {
  call_error(call, -EINVAL, NULL, field, "%s: %s", field, why);
}

const char *cap_taker_format(const struct auth_taker *t, char buf[CAP_TAKER_STRLEN]) {
  if (t->pid == 0)
    buf[0] = '\0';
  else
    (void)snprintf(buf, CAP_TAKER_STRLEN, "%s[%d] uid %u", t->comm, (int)t->pid, (unsigned)t->uid);
  return buf;
}

char **cap_rights_lines(const struct auth_rights *r, size_t *ret_n) {
  *ret_n = 0;
  if (!r || r->n == 0)
    return NULL;
  char **lines = calloc(r->n, sizeof *lines);
  for (unsigned i = 0; lines && i < r->n; i++) {
    char buf[AUTH_RULE_STRLEN];
    lines[*ret_n] = strdup(auth_rule_format(r->kind, &r->rules[i], buf));
    if (lines[*ret_n])
      ++*ret_n;
  }
  return lines;
}

static bool same_rights(const struct auth_rights *a, const struct auth_rights *b) {
  const struct auth_rule *first;
  return (!a || a->n == 0) == (!b || b->n == 0) &&
         (!a || !b || (auth_rights_subset(a, b, &first) && auth_rights_subset(b, a, &first)));
}

static void add_line(char ***lines, size_t *n, const char *text) {
  char **more = reallocarray(*lines, *n + 1, sizeof **lines);
  if (!more)
    return;
  *lines = more;
  if ((more[*n] = strdup(text)))
    ++*n;
}

char **cap_narrowed_lines(const struct auth_node *n, size_t *ret_n) {
  const struct auth_node *parent = auth_parent(n);
  struct auth_node_info info, above;
  *ret_n = 0;
  auth_info(n, &info);
  if (!parent)
    return NULL;
  auth_info(parent, &above);
  if (above.kind != info.kind)
    return NULL;
  char **lines = same_rights(info.rights, above.rights) ? NULL : cap_rights_lines(info.rights, ret_n);
  for (int l = 0; l < AUTH_LIMIT_COUNT; l++) {
    const uint64_t mine = auth_limit_value(n, (enum auth_limit)l);
    char text[64];
    if (mine == auth_limit_value(parent, (enum auth_limit)l))
      continue;
    (void)snprintf(text, sizeof text, "%s = %" PRIu64, auth_limits[l].name, mine);
    add_line(&lines, ret_n, text);
  }
  return lines;
}

void cap_lines_free(char **lines, size_t n) {
  for (size_t i = 0; i < n; i++)
    free(lines[i]);
  free(lines);
}

