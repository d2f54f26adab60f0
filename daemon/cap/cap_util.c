/* SPDX-License-Identifier: BSD-3-Clause
 * What handlers say most often: refusals, and text for replies.
 */
#include "cap/cap.h"

#include "base/log.h"

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

void cap_lines_free(char **lines, size_t n) {
  for (size_t i = 0; i < n; i++)
    free(lines[i]);
  free(lines);
}

void cap_audit(const char *verb, const struct auth_node *n, const char *detail) {
  struct auth_node_info info;
  auth_info(n, &info);
  char id[24], pid[16], uid[16], taker[CAP_TAKER_STRLEN];
  (void)snprintf(id, sizeof id, "%" PRIu64, info.id);
  (void)snprintf(pid, sizeof pid, "%d", (int)info.taker.pid);
  (void)snprintf(uid, sizeof uid, "%u", (unsigned)info.taker.uid);
  const struct log_field fields[] = {{"CAPNET_VERB", verb},
                                     {"CAPNET_GRANT", info.grant},
                                     {"CAPNET_CAP_ID", id},
                                     {"CAPNET_PID", pid},
                                     {"CAPNET_UID", uid},
                                     {"CAPNET_UNIT", info.taker.unit}};
  log_event(LOG_LVL_NOTICE, fields, ARRAY_SIZE(fields), "%s grant=%s cap=%s kind=%s name=%s%s%s%s%s", verb, info.grant, id,
            auth_kind_name(info.kind), info.name, info.taker.pid ? " by " : "", cap_taker_format(&info.taker, taker),
            *detail ? ": " : "", detail);
}
