/* SPDX-License-Identifier: BSD-3-Clause
 * Status of the tree of capabilities, and of the daemon itself.
 */
#include "cap/status.h"

#include <dirent.h>
#include <unistd.h>

/* --- grants ----------------------------------------------------------------------------------------------------------------------- */

struct ctx {
  struct cap_status_room *room;
  struct status_page *page;
  const struct status_scope *scope;
  uint64_t now;
};

/* Only limits that say something: budgets in use, and whatever refused. */
static void fill_limits(struct ctx *c, Capnet__StatusGrant *m, const struct auth_node *n) {
  m->limits = page_alloc(c->page, AUTH_LIMIT_COUNT * sizeof *m->limits);
  for (int l = 0; m->limits && l < AUTH_LIMIT_COUNT; l++) {
    struct auth_limit_use use;
    auth_limit_use(n, (enum auth_limit)l, &use);
    if (use.used == 0 && use.refused == 0)
      continue;
    Capnet__Limit *lim = page_alloc(c->page, sizeof *lim);
    if (!lim)
      return;
    capnet__limit__init(lim);
    lim->name = (char *)auth_limits[l].name;
    lim->unit = (char *)auth_limits[l].unit;
    lim->has_max = lim->has_refused = 1;
    lim->max = auth_limit_value(n, (enum auth_limit)l);
    lim->refused = use.refused;
    lim->has_used = auth_limits[l].budget;
    lim->used = use.used;
    m->limits[m->n_limits++] = lim;
  }
}

static void fill_rights(struct ctx *c, Capnet__StatusGrant *m, const struct auth_rights *r) {
  if (!r || r->n == 0)
    return;
  m->rights = page_alloc(c->page, r->n * sizeof *m->rights);
  for (unsigned i = 0; m->rights && i < r->n; i++) {
    char buf[AUTH_RULE_STRLEN];
    char *s = page_string(c->page, auth_rule_format(r->kind, &r->rules[i], buf));
    if (s)
      m->rights[m->n_rights++] = s;
  }
}

static void fill_narrowed(struct ctx *c, Capnet__StatusGrant *m, const struct auth_node *n) {
  size_t count;
  char **lines = cap_narrowed_lines(n, &count);
  if (count)
    m->narrowed = page_alloc(c->page, count * sizeof *m->narrowed);
  for (size_t i = 0; m->narrowed && i < count; i++)
    if ((m->narrowed[m->n_narrowed] = page_string(c->page, lines[i])))
      m->n_narrowed++;
  cap_lines_free(lines, count);
}

static void on_node(void *arg, struct auth_node *n) {
  struct ctx *c = arg;
  struct auth_node_info info;
  char taker[CAP_TAKER_STRLEN];
  auth_info(n, &info);
  if (!status_visible(c->scope, info.grant, cap_taker_format(&info.taker, taker)))
    return;
  Capnet__StatusGrant *m =
      page_append(c->page, &capnet__status_grant__descriptor, &c->page->msg.n_grants, (void ***)&c->page->msg.grants);
  if (!m)
    return;
  m->has_id = 1;
  m->id = info.id;
  m->has_parent = info.parent_id != 0;
  m->parent = info.parent_id;
  m->grant = page_string(c->page, info.grant);
  m->kind = page_string(c->page, auth_kind_name(info.kind));
  m->name = page_string(c->page, info.name);
  m->state = page_string(c->page, info.ended ? "revoked" : info.husk ? "husk" : "live");
  if (info.ended)
    m->reason = page_string(c->page, error_code_name(error_code_from_errno(info.ended)));
  if (info.taker.pid) {
    m->taken_by = page_string(c->page, taker);
    m->unit = info.taker.unit[0] ? page_string(c->page, info.taker.unit) : NULL;
    m->has_taken_at_us = 1;
    m->taken_at_us = info.taken_at_us;
  }
  m->has_expires_in_ms = info.expires_ns != 0;
  m->expires_in_ms = info.expires_ns > c->now ? (info.expires_ns - c->now) / NSEC_PER_MSEC : 0;
  fill_rights(c, m, info.rights);
  fill_narrowed(c, m, n);
  fill_limits(c, m, n);
}

void status_grants(struct cap_status_room *room, struct status_page *p, const struct status_scope *scope) {
  struct ctx c = {room, p, scope, loop_now(caps_loop(room->caps), CLOCK_ID_BOOT)};
  auth_each(caps_tree(room->caps), on_node, &c);
}

/* --- the daemon ----------------------------------------------------------------------------------------------------------------------- */

static uint64_t open_descriptors(void) {
  uint64_t n = 0;
  DIR *d = opendir("/proc/self/fd");
  while (d && readdir(d))
    n++;
  if (d)
    closedir(d);
  return n > 3 ? n - 3 : 0; /* ".", ".." and the directory's own */
}

#define COUNTERS_MAX (256 + STACK_LIMIT_COUNT)

static void counter(struct status_page *p, Capnet__StatusDaemon *m, const char *name, uint64_t value) {
  Capnet__StatusCounter *c = m->n_counters < COUNTERS_MAX && name ? page_alloc(p, sizeof *c) : NULL;
  if (!c)
    return;
  capnet__status_counter__init(c);
  c->name = (char *)name;
  c->has_value = 1;
  c->value = value;
  m->counters[m->n_counters++] = c;
}

static void stack_counters(struct cap_status_room *room, struct status_page *p, Capnet__StatusDaemon *m) {
  struct stack_stats s;
  stack_get_stats(room->stack, &s);
  counter(p, m, "stack.asserts", s.asserts);
  counter(p, m, "stack.short_frames", s.short_frames);
  counter(p, m, "stack.short_arp", s.short_arp);
  counter(p, m, "stack.bad_ethertype", s.bad_ethertype);
  counter(p, m, "stack.bad_checksum", s.bad_checksum);
  counter(p, m, "stack.icmp_malformed", s.icmp_malformed);
  counter(p, m, "stack.syn_dropped", s.syn_dropped);
  counter(p, m, "stack.pmtu_reduced", s.pmtu_reduced);
  counter(p, m, "stack.pmtu_black_holes", s.pmtu_black_holes);
  counter(p, m, "stack.pmtu_refused", s.pmtu_refused);
  counter(p, m, "stack.ip6_refused", s.ip6_refused);
  counter(p, m, "stack.nd_refused", s.nd_refused);
  counter(p, m, "stack.nd_redirects", s.nd_redirects);
  counter(p, m, "stack.no_memory", s.no_memory);
  counter(p, m, "stack.tcp_active", s.tcp_active);
  counter(p, m, "stack.tcp_time_wait", s.tcp_time_wait);
  counter(p, m, "stack.tcp_listening", s.tcp_listening);
  counter(p, m, "stack.udp", s.udp);
  counter(p, m, "stack.pbuf_bytes", s.pbuf_bytes);
  for (unsigned i = 0; i < STACK_LIMIT_COUNT; i++)
    counter(p, m, page_printf(p, "stack.refused.%s", stack_limit_name((enum stack_limit)i)), s.refused[i]);
}

struct netconf_counters {
  struct status_page *page;
  Capnet__StatusDaemon *msg;
  const char *ifname;
};

static void on_netconf_counter(void *arg, const char *name, uint64_t value) {
  const struct netconf_counters *c = arg;
  counter(c->page, c->msg, page_printf(c->page, "netconf.%s.%s", c->ifname, name), value);
}

static void netconf_counters(struct cap_status_room *room, struct status_page *p, Capnet__StatusDaemon *m) {
  for (unsigned i = 0; i < room->interfaces->n; i++) {
    struct netconf_info info;
    netconf_info(room->interfaces->list[i], &info);
    netconf_each_counter(room->interfaces->list[i], on_netconf_counter, &(struct netconf_counters){p, m, info.ifname});
  }
}

static void room_counters(struct cap_status_room *room, struct status_page *p, Capnet__StatusDaemon *m) {
  struct rpc_stats rpc;
  struct caps_stats caps;
  struct flow_stats flows;
  struct names_info names;
  struct loop_stats loop;
  rpc_get_stats(&rpc);
  caps_get_stats(room->caps, &caps);
  flow_get_stats(room->flows, &flows);
  names_info(room->names, &names);
  loop_get_stats(caps_loop(room->caps), &loop);
  counter(p, m, "rpc.requests", rpc.requests);
  counter(p, m, "rpc.malformed", rpc.malformed);
  counter(p, m, "rpc.unknown_method", rpc.unknown_method);
  counter(p, m, "rpc.descriptors_refused", rpc.descriptors_refused);
  counter(p, m, "rpc.stalled", rpc.stalled);
  counter(p, m, "cap.live", caps.caps);
  counter(p, m, "cap.nodes", caps.nodes);
  counter(p, m, "flow.live", flows.live);
  counter(p, m, "flow.listeners", flows.listeners);
  counter(p, m, "flow.attempts", flows.attempts);
  counter(p, m, "flow.dead", flows.dead);
  counter(p, m, "flow.sockets", flows.sockets);
  counter(p, m, "flow.fallbacks", flows.fallbacks);
  counter(p, m, "seal.chambers", flows.seal.chambers);
  counter(p, m, "seal.store", flows.seal.sockets);
  counter(p, m, "seal.waits", flows.seal.waits);
  counter(p, m, "names.in_flight", names.in_flight);
  counter(p, m, "loop.turns", loop.turns);
}

void status_daemon(struct cap_status_room *room, struct status_page *p) {
  struct rpc_stats rpc;
  rpc_get_stats(&rpc);
  Capnet__StatusDaemon *m = page_alloc(p, sizeof *m);
  if (!m)
    return;
  capnet__status_daemon__init(m);
  m->counters = page_alloc(p, COUNTERS_MAX * sizeof *m->counters);
  m->version = (char *)PACKAGE_VERSION;
  m->has_pid = m->has_uptime_s = m->has_endpoints = m->has_calls_parked = m->has_descriptors = 1;
  m->pid = (uint32_t)getpid();
  m->uptime_s = (loop_now(caps_loop(room->caps), CLOCK_ID_BOOT) - room->started_ns) / NSEC_PER_SEC;
  m->endpoints = rpc.endpoints;
  m->calls_parked = rpc.calls;
  m->descriptors = open_descriptors();
  m->has_sockets = 1;
  m->no_sockets = (char *)flow_why_no_sockets(room->flows);
  m->sockets = !m->no_sockets;
  if (m->counters) {
    stack_counters(room, p, m);
    room_counters(room, p, m);
    netconf_counters(room, p, m);
  }
  p->msg.daemon = m;
}
