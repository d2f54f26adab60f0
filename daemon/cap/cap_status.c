/* SPDX-License-Identifier: BSD-3-Clause
 * NetworkStatus: Get walks the sections and streams pages; Watch parks and is told. Reading changes nothing and sends no
 * frame: everything here calls only const or X_each functions of the rooms.
 */
#include "cap/status.h"

#include "base/log.h"

#include <stdio.h>

/* --- scope --------------------------------------------------------------------------------------------------------------------- */

bool status_visible(const struct status_scope *s, const char *grant, const char *taken_by) {
  switch (s->scope) {
  case AUTH_SCOPE_ALL: return true;
  case AUTH_SCOPE_GRANT: return strcmp(grant, s->grant) == 0;
  case AUTH_SCOPE_OWN: return strcmp(grant, s->grant) == 0 && strcmp(taken_by, s->taken_by) == 0;
  }
  return false;
}

static struct status_scope scope_of(const struct auth_node_info *info, char taker[CAP_TAKER_STRLEN]) {
  struct status_scope s = {.scope = AUTH_SCOPE_OWN, .grant = info->grant, .taken_by = cap_taker_format(&info->taker, taker)};
  for (unsigned i = 0; info->rights && i < info->rights->n; i++)
    s.scope = MAX(s.scope, info->rights->rules[i].scope);
  return s;
}

/* --- requests ------------------------------------------------------------------------------------------------------------------ */

static const char *const section_names[] = {"interfaces", "routes",  "neighbours", "resolver",
                                            "leases",     "sockets", "grants",     "daemon"};

static bool wants(const char *section, char *const *list, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(list[i], section) == 0)
      return true;
  return n == 0;
}

static bool check_sections(struct call *call, char *const *list, size_t n) {
  const struct auth_request rq = {.kind = AUTH_STATUS, .scope = AUTH_SCOPE_OWN};
  if (!cap_decide(call, &rq))
    return false;
  for (size_t i = 0; i < n; i++) {
    bool known = false;
    for (size_t k = 0; k < ARRAY_SIZE(section_names); k++)
      known = known || strcmp(list[i], section_names[k]) == 0;
    if (!known) {
      cap_malformed(call, "sections", "no such section");
      return false;
    }
  }
  return true;
}

static void status_get(Capnet__NetworkStatus_Service *service, const Capnet__StatusGetRequest *rq,
                       Capnet__StatusPage_Closure closure, void *data) {
  (void)service, (void)closure;
  struct call *call = data;
  struct cap_status_room *room = cap_room(cap_of(call));
  if (!check_sections(call, rq->sections, rq->n_sections))
    return;
  struct auth_node_info info;
  char taker[CAP_TAKER_STRLEN];
  auth_info(cap_of(call)->node, &info);
  const struct status_scope scope = scope_of(&info, taker);
  struct status_page *page = page_new(call);
  if (!page) {
    call_error(call, -ENOMEM, NULL, NULL, "out of memory");
    return;
  }
  static void (*const plain[])(struct cap_status_room *, struct status_page *) = {
      status_interfaces, status_routes, status_neighbours, status_resolver, status_leases};
  for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
    if (wants(section_names[i], rq->sections, rq->n_sections))
      plain[i](room, page);
  if (wants("sockets", rq->sections, rq->n_sections))
    status_sockets(room, page, &scope);
  if (wants("grants", rq->sections, rq->n_sections))
    status_grants(room, page, &scope);
  if (wants("daemon", rq->sections, rq->n_sections))
    status_daemon(room, page);
  page_end(page);
}

static void status_lookup_route(Capnet__NetworkStatus_Service *service, const Capnet__StatusRouteRequest *rq,
                                Capnet__StatusRoute_Closure closure, void *data) {
  (void)service, (void)closure;
  struct call *call = data;
  struct cap_status_room *room = cap_room(cap_of(call));
  struct net_addr dst;
  struct stack_route_info info;
  if (!check_sections(call, NULL, 0))
    return;
  if (!rq->destination || net_addr_parse(rq->destination, &dst) < 0) {
    cap_malformed(call, "destination", "not an address");
    return;
  }
  int r = stack_route_lookup(room->stack, &dst, &info);
  if (r < 0) {
    call_error(call, r, NULL, NULL, "%s", error_code_sentence(error_code_from_errno(r)));
    return;
  }
  char prefix[NET_PREFIX_STRLEN], gateway[NET_ADDR_STRLEN], source[NET_ADDR_STRLEN];
  Capnet__StatusRoute m = CAPNET__STATUS_ROUTE__INIT;
  m.destination = (char *)net_prefix_format(&info.dst, prefix);
  m.gateway = info.gateway.family ? (char *)net_addr_format(&info.gateway, gateway) : NULL;
  m.interface = (char *)info.ifname;
  m.source = info.source.family ? (char *)net_addr_format(&info.source, source) : NULL;
  m.has_metric = m.has_unreachable = 1;
  m.metric = info.metric;
  m.unreachable = info.unreachable;
  call_reply(call, &m.base);
}

static unsigned section_bit(const char *name) {
  for (unsigned i = 0; i < ARRAY_SIZE(section_names); i++)
    if (strcmp(name, section_names[i]) == 0)
      return 1u << i;
  return 0;
}

/* --- Watch ----------------------------------------------------------------------------------------------------------------------- */

struct watcher {
  struct list link;
  struct call *call;
  unsigned sections; /* bit per section_names */
  uint64_t lost;
};

static void on_watch_cancel(void *arg, int reason) {
  (void)reason;
  struct watcher *w = arg;
  list_remove(&w->link);
  free(w);
}

static void status_watch(Capnet__NetworkStatus_Service *service, const Capnet__StatusWatchRequest *rq,
                         Capnet__StatusEvent_Closure closure, void *data) {
  (void)service, (void)closure;
  struct call *call = data;
  struct cap_status_room *room = cap_room(cap_of(call));
  if (!check_sections(call, rq->sections, rq->n_sections))
    return;
  struct watcher *w = calloc(1, sizeof *w);
  if (!w) {
    call_error(call, -ENOMEM, NULL, NULL, "out of memory");
    return;
  }
  w->call = call;
  for (unsigned i = 0; i < ARRAY_SIZE(section_names); i++)
    w->sections |= wants(section_names[i], rq->sections, rq->n_sections) ? 1u << i : 0;
  list_append(&room->watchers, &w->link);
  call_on_cancel(call, on_watch_cancel, w);
}

void cap_status_room_init(struct cap_status_room *room) { list_init(&room->watchers); }

static bool hears(const struct watcher *w, const struct status_event *ev) {
  struct auth_node_info info;
  char taker[CAP_TAKER_STRLEN];
  if (!(w->sections & section_bit(ev->section)))
    return false;
  if (!ev->grant)
    return true;
  auth_info(cap_of(w->call)->node, &info);
  const struct status_scope scope = scope_of(&info, taker);
  return status_visible(&scope, ev->grant, ev->taken_by);
}

/* The strings that a transition needs. */
struct transition {
  Capnet__StatusTransition msg;
  char addr[NET_ADDR_STRLEN], server[NET_ADDR_STRLEN];
};

static void fill_transition(struct transition *t, const struct status_event *ev, uint64_t now) {
  const struct netconf_event *e = ev->transition;
  Capnet__StatusTransition *m = &t->msg;
  capnet__status_transition__init(m);
  m->interface = (char *)ev->ifname;
  m->protocol = (char *)e->protocol;
  m->from = (char *)e->from;
  m->to = (char *)e->to;
  m->reason = (char *)e->reason;
  m->next = (char *)e->next;
  if (e->addr.family) {
    m->address = (char *)net_addr_format(&e->addr, t->addr);
    m->has_prefix = 1;
    m->prefix = e->prefix_len;
    m->has_valid_for_s = e->valid_until_ns != 0;
    m->valid_for_s = netconf_seconds(e->valid_until_ns, now);
  }
  m->server = e->server.family ? (char *)net_addr_format(&e->server, t->server) : NULL;
  m->has_next_s = e->next != NULL;
  m->next_s = netconf_seconds(e->next_ns, now);
}

void cap_status_event(struct cap_status_room *room, const struct status_event *ev) {
  char safe[1024];
  struct transition t;
  Capnet__StatusEvent m = CAPNET__STATUS_EVENT__INIT;
  m.has_at_us = 1;
  m.at_us = clock_wall_us();
  m.section = (char *)ev->section;
  m.text = escape_text(ev->text, strlen(ev->text), safe, sizeof safe);
  if (ev->transition) {
    fill_transition(&t, ev, loop_now(caps_loop(room->caps), CLOCK_ID_BOOT));
    m.transition = &t.msg;
  }
  list_for_each(pos, &room->watchers) {
    struct watcher *w = list_entry(pos, struct watcher, link);
    if (!hears(w, ev))
      continue;
    m.has_lost = w->lost != 0;
    m.lost = w->lost;
    w->lost = call_reply_more(w->call, &m.base) < 0 ? w->lost + 1 : 0;
  }
}

/* --- the table ---------------------------------------------------------------------------------------------------------------------- */

static void status_release(struct cap *c) { (void)c; } /* watchers end with their calls */

static Capnet__NetworkStatus_Service status_service = CAPNET__NETWORK_STATUS__INIT(status_);

const struct cap_kind cap_status_kind = {
    .kind = AUTH_STATUS, .size = sizeof(struct cap), .service = &status_service.base, .release = status_release};
