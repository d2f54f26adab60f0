/* SPDX-License-Identifier: BSD-3-Clause
 * Sockets and grants as events of NetworkStatus.Watch. Who may hear of one is decided where they are told.
 */
#include "core/events.h"

#include <stdio.h>

static void on_audit(void *arg, const struct auth_node *n, const char *line) {
  struct auth_node_info info;
  char taker[CAP_TAKER_STRLEN];
  auth_info(n, &info);
  cap_status_event(arg, &(struct status_event){.section = "grants",
                                               .text = line,
                                               .grant = info.grant,
                                               .taken_by = cap_taker_format(&info.taker, taker)});
}

static const char *kind_name(enum flow_kind k) {
  switch (k) {
  case FLOW_TCP: return "tcp";
  case FLOW_LISTENER: return "tcp-listener";
  case FLOW_ATTEMPT: return "tcp attempt";
  }
  return "?";
}

static void on_change(void *arg, const struct flow_info *f) {
  char local[NET_ENDPOINT_STRLEN] = "", remote[NET_ENDPOINT_STRLEN] = "", text[320];
  const struct net_endpoint *at = f->kind == FLOW_LISTENER ? &f->listener.local : &f->conn.local;
  if (at->addr.family)
    (void)net_endpoint_format(at, local);
  else
    (void)snprintf(local, sizeof local, "*:%u", at->port);
  if (f->kind != FLOW_LISTENER)
    (void)net_endpoint_format(&f->conn.remote, remote);
  (void)snprintf(text, sizeof text, "%s #%llu %s%s%s %s%s, grant %s, %s", kind_name(f->kind), (unsigned long long)f->id,
                 local, *remote ? " -> " : "", remote, f->dead ? "ended: " : "open",
                 f->dead ? stack_end_name(f->conn.end) : "", f->label->grant, f->label->taken_by);
  cap_status_event(arg, &(struct status_event){.section = "sockets",
                                               .text = text,
                                               .grant = f->label->grant,
                                               .taken_by = f->label->taken_by});
}

void events_connect(struct cap_status_room *room) {
  caps_on_audit(room->caps, on_audit, room);
  flow_on_change(room->flows, on_change, room);
}
