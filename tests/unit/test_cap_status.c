/* SPDX-License-Identifier: BSD-3-Clause
 * NetworkStatus over frames: who sees what, that reading leaves no trace, and that an answer is whole or an error.
 */
#include "cap_client.h"

TestSuite(cap_status, .timeout = 120);

static const struct item_spec items[] = {
    {"own", AUTH_STATUS, {"own"}, {{0}}, 0},
    {"grant", AUTH_STATUS, {"grant"}, {{0}}, 0},
    {"all", AUTH_STATUS, {"all"}, {{0}}, 0},
    {"poor", AUTH_STATUS, {"all"}, {{LIMIT_BYTES, 8192}}, 0},
    {"connect", AUTH_TCP_CONNECT, {"10.0.0.2:80", "10.0.0.0/24:80"}, {{0}}, 0},
    {"listen", AUTH_TCP_LISTEN, {"interface-address:8080"}, {{0}}, 0},
    {"ping", AUTH_PING, {"10.0.0.2"}, {{0}}, 0},
};
#define N_ITEMS ARRAY_SIZE(items)

/* All pages of one answer, counted; the client reads nothing before all of `wait_ms` have passed. */
struct view {
  unsigned pages, sockets, dead, grants, interfaces, plain, daemon, routes, neighbours;
  uint64_t ids, frames;
  int code;
  bool whole;
  char first_peer[64], blocked[32], last_end[32];
};

static void count(struct view *v, const Capnet__StatusPage *m) {
  v->pages++;
  v->interfaces += m->n_interfaces;
  for (size_t i = 0; i < m->n_interfaces; i++)
    v->plain += m->interfaces[i]->offloads && strcmp(m->interfaces[i]->offloads, "none") == 0;
  v->routes += m->n_routes;
  v->neighbours += m->n_neighbours;
  v->sockets += m->n_sockets;
  v->grants += m->n_grants;
  v->daemon += m->daemon != NULL;
  for (size_t i = 0; i < m->n_sockets; i++) {
    const Capnet__StatusSocket *s = m->sockets[i];
    v->ids += s->id;
    v->dead += s->end != NULL;
    if (s->end)
      (void)snprintf(v->last_end, sizeof v->last_end, "%s", s->end);
    if (s->blocked_on)
      (void)snprintf(v->blocked, sizeof v->blocked, "%s", s->blocked_on);
    if (!v->first_peer[0] && s->peer)
      (void)snprintf(v->first_peer, sizeof v->first_peer, "%s", s->peer);
    cr_expect(s->grant && s->taken_by && s->kind && s->state);
    cr_expect(!s->end != !s->blocked_on, "a live one is blocked on something, a dead one ended somehow");
  }
}

static struct view get(struct world *w, int fd, const char *section, uint64_t wait_ms) {
  struct view v = {0};
  Capnet__StatusGetRequest rq = CAPNET__STATUS_GET_REQUEST__INIT;
  char *sections[] = {(char *)section};
  rq.sections = sections;
  rq.n_sections = section != NULL;
  (void)ask(fd, STATUS_GET, &rq.base);
  world_run(w, wait_ms);
  while (!v.whole && !v.code) {
    _answer_ struct answer a = hear(w, fd, &capnet__status_page__descriptor);
    cr_assert(a.got, "after %u pages", v.pages);
    v.code = a.code;
    v.whole = a.kind == CAPNET__FRAME__KIND__REPLY && !a.more;
    if (a.body)
      count(&v, (Capnet__StatusPage *)a.body);
    world_run(w, 0);
  }
  return v;
}

Test(cap_status, scopes) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  /* Another grant, and another holder of this one. */
  struct cap_bundle *other = world_bundle(&w, "other", &items[4], 1);
  const struct auth_taker neighbour = {.pid = 99, .uid = 1000, .comm = "neighbour"};
  int sv[2];
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
  cr_assert_eq(cap_bundle_accept(w.bundle, sv[0], &neighbour), 0);
  int shared[] = {own(&w, sv[1]), grant_fd(&w, other)};
  for (int i = 0; i < 2; i++) {
    _answer_ struct answer a = call(&w, shared[i], GRANT_OPEN, NULL, NULL);
    (void)connected(&w, take(&w, a.fds[0], "connect"), 80);
  }
  int fd = take_one(&w, "connect");
  (void)connected(&w, fd, 80);
  struct view mine = get(&w, take_one(&w, "own"), "sockets", 0), grants = get(&w, take_one(&w, "grant"), "sockets", 0),
              all = get(&w, take_one(&w, "all"), "sockets", 0);
  cr_expect_eq(mine.sockets, 1, "%u", mine.sockets);
  cr_expect_eq(grants.sockets, 2, "%u", grants.sockets);
  cr_expect_eq(all.sockets, 3, "%u", all.sockets);
  cr_expect_str_eq(all.first_peer, "10.0.0.2:80");
  mine = get(&w, take_one(&w, "own"), "grants", 0);
  grants = get(&w, take_one(&w, "grant"), "grants", 0);
  all = get(&w, take_one(&w, "all"), "grants", 0);
  cr_expect_lt(mine.grants, grants.grants);
  cr_expect_lt(grants.grants, all.grants);
  cr_expect_eq(all.grants, caps_now(&w).nodes, "%u", all.grants);
  /* A narrowed child sees less. */
  int own_only = child_of(&w, take_one(&w, "all"), &(struct narrow){.rules = {"own"}}, NULL);
  cr_expect_eq(get(&w, own_only, "sockets", 0).sockets, 1);
  _answer_ struct answer wider = attenuate(&w, own_only, &(struct narrow){.rules = {"all"}});
  expect_code(wider.code, NOT_SUBSET);
  other = cap_bundle_revoke(other);
  world_close(&w);
}

Test(cap_status, reading_sends_no_frame_and_changes_nothing) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  (void)connected(&w, take_one(&w, "connect"), 80);
  int fd = take_one(&w, "all");
  world_run(&w, 10000);
  const uint64_t frames = world_frames(&w);
  const struct stack_stats before = stats_of(&w.n);
  const struct caps_stats caps = caps_now(&w);
  struct view first = get(&w, fd, NULL, 0), second = first;
  for (int i = 0; i < 50; i++)
    second = get(&w, fd, NULL, 0);
  Capnet__StatusRouteRequest rq = CAPNET__STATUS_ROUTE_REQUEST__INIT;
  rq.destination = (char *)"10.0.0.99"; /* a neighbour nobody knows: not asked for */
  cr_expect_eq(code_of(&w, fd, STATUS_ROUTE, &rq.base), 0);
  world_run(&w, 3000);
  cr_expect_eq(world_frames(&w), frames);
  const struct stack_stats after = stats_of(&w.n);
  cr_expect_eq(memcmp(&before, &after, sizeof before), 0);
  cr_expect_eq(memcmp(&first, &second, sizeof first), 0);
  cr_expect_eq(caps_now(&w).nodes, caps.nodes);
  cr_expect_eq(first.interfaces, 2);
  cr_expect_eq(first.plain, 2, "a memory device has no offloads");
  cr_expect_eq(first.daemon, 1);
  world_close(&w);
}

Test(cap_status, sections_and_routes) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "own");
  Capnet__StatusGetRequest rq = CAPNET__STATUS_GET_REQUEST__INIT;
  char *sections[] = {(char *)"sockets", (char *)"secrets"};
  rq.sections = sections;
  rq.n_sections = 2;
  expect_code(code_of(&w, fd, STATUS_GET, &rq.base), MALFORMED);
  expect_code(code_of(&w, fd, STATUS_WATCH, &rq.base), MALFORMED);
  struct view v = get(&w, fd, "routes", 0);
  cr_expect(v.routes == 2 && !v.interfaces && !v.daemon && !v.grants);
  Capnet__StatusRouteRequest to = CAPNET__STATUS_ROUTE_REQUEST__INIT;
  expect_code(code_of(&w, fd, STATUS_ROUTE, &to.base), MALFORMED);
  to.destination = (char *)"host.test";
  expect_code(code_of(&w, fd, STATUS_ROUTE, &to.base), MALFORMED);
  to.destination = (char *)"192.0.2.1";
  expect_code(code_of(&w, fd, STATUS_ROUTE, &to.base), UNREACHABLE);
  stack_if_clear_ipv4(w.n.a);
  stack_if_clear_ipv4(w.n.b);
  expect_code(code_of(&w, fd, STATUS_ROUTE, &to.base), NO_CONFIGURATION);
  cr_expect_eq(get(&w, fd, NULL, 0).interfaces, 2, "without an address there is still a status");
  world_close(&w);
}

Test(cap_status, what_a_connection_says_of_itself) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int connect = take_one(&w, "connect"), fd = take_one(&w, "all");
  struct conn c = connected(&w, connect, 80);
  cr_expect_str_eq(get(&w, fd, "sockets", 0).blocked, "client-not-sending");
  w.peers[0].to_send = 10000000;
  end_send(&w.peers[0]);
  world_run(&w, 10000);
  cr_expect_str_eq(get(&w, fd, "sockets", 0).blocked, "client-not-reading");
  cr_expect_eq(code_of(&w, c.control, SOCKET_ABORT, NULL), 0);
  world_run(&w, 100);
  struct view v = get(&w, fd, "sockets", 0);
  cr_expect_eq(v.dead, v.sockets);
  cr_expect_str_eq(v.last_end, "reset-local");
  world_run(&w, FLOW_DEAD_NS / NSEC_PER_MSEC);
  cr_expect_eq(get(&w, fd, "sockets", 0).sockets, 0, "forgotten");
  world_close(&w);
}

/* --- many --------------------------------------------------------------------------------------------------------------- */

/* Grants are the cheap way to make an answer long: each taken capability is one entry. */
static unsigned many(struct world *w, unsigned n) {
  const struct auth_taker taker = {.pid = 5, .uid = 5, .comm = "many"};
  struct auth_rights *rights = NULL;
  char err[160], lines[40][32];
  const char *list[40];
  for (int i = 0; i < 40; i++) {
    (void)snprintf(lines[i], sizeof lines[i], "10.%d.0.0/16:80-90", i);
    list[i] = lines[i];
  }
  cr_assert_eq(auth_rights_parse(AUTH_TCP_CONNECT, list, 40, &rights, err), 0, "%s", err);
  for (unsigned i = 0; i < n; i++) {
    struct auth_node *node;
    struct auth_refusal why;
    const struct auth_spec spec = {.kind = AUTH_TCP_CONNECT, .grant = "many", .name = "many", .taker = &taker, .rights = rights};
    cr_assert_eq(auth_mint(caps_tree(w->caps), NULL, &spec, &node, &why), 0);
  }
  free(rights);
  return n;
}

static void release_many(void *arg, struct auth_node *n) {
  struct auth_node_info info;
  struct auth_node ***next = arg;
  auth_info(n, &info);
  if (strcmp(info.grant, "many") == 0)
    *(*next)++ = n;
}

static void no_more(struct world *w, unsigned n) {
  struct auth_node **list = calloc(n, sizeof *list), **next = list;
  auth_each(caps_tree(w->caps), release_many, &next);
  for (unsigned i = 0; i < n; i++)
    auth_release(list[i]);
  free(list);
}

/* A client that reads slowly gets all the same every page: about 1.2 MB here, more than socket and queue hold. */
Test(cap_status, a_long_answer_is_whole) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  unsigned n = many(&w, 1000);
  int fd = take_one(&w, "all");
  struct rpc_stats before, after;
  rpc_get_stats(&before);
  struct view v = get(&w, fd, "grants", 10000);
  rpc_get_stats(&after);
  cr_expect_eq(v.code, 0, "%d", v.code);
  cr_expect_eq(v.grants, caps_now(&w).nodes, "%u of %lu", v.grants, (unsigned long)caps_now(&w).nodes);
  cr_expect_geq(v.pages, n / STATUS_PAGE_PARTS);
  cr_expect_gt(after.stalled, before.stalled, "else this proves nothing");
  /* What waited is given back. */
  _answer_ struct answer a = call(&w, fd, DESCRIBE, NULL, &capnet__describe_reply__descriptor);
  cr_expect_lt(((Capnet__DescribeReply *)a.body)->limits[LIMIT_BYTES]->used, 1000);
  v = get(&w, fd, "grants", 0);
  cr_expect_eq(v.grants, caps_now(&w).nodes);
  no_more(&w, n);
  world_close(&w);
}

/* Over its budget of bytes the answer ends with an error: never with a hole. */
Test(cap_status, an_answer_over_budget_is_an_error) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  unsigned n = many(&w, 1000);
  int fd = take_one(&w, "poor");
  struct view v = get(&w, fd, "grants", 10000);
  expect_code(v.code, OVER_BUDGET);
  cr_expect(!v.whole);
  no_more(&w, n);
  v = get(&w, fd, "grants", 10000);
  cr_expect_eq(v.code, 0);
  cr_expect_eq(v.grants, caps_now(&w).nodes);
  world_close(&w);
}

Test(cap_status, a_long_answer_is_cancelled_revoked_and_left) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  unsigned n = many(&w, 1000);
  int cancelled = take_one(&w, "all"), revoked = take_one(&w, "all"), left = take_one(&w, "all"), by = take_one(&w, "all");
  uint64_t id;
  int child = child_of(&w, by, &(struct narrow){.rules = {"all"}}, &id);
  uint64_t id_of_cancelled = ask(cancelled, STATUS_GET, NULL);
  (void)ask(revoked, STATUS_GET, NULL);
  (void)ask(left, STATUS_GET, NULL);
  (void)ask(child, STATUS_GET, NULL);
  world_run(&w, 1000);
  drop(&w, left);
  cr_expect_eq(revoke_id(&w, by, id), 0);
  drop(&w, revoked);
  world_run(&w, 1000);
  unsigned pages = 0;
  for (bool end = false; !end; pages++) { /* the client reads on, then thinks better of it */
    if (pages == 1)
      cancel(cancelled, id_of_cancelled);
    _answer_ struct answer a = hear(&w, cancelled, NULL);
    cr_assert(a.got);
    end = !a.more;
    if (end)
      expect_code(a.code, CANCELLED);
    world_run(&w, 0);
  }
  no_more(&w, n);
  world_close(&w);
}

/* --- Watch ----------------------------------------------------------------------------------------------------------------- */

Test(cap_status, watch_tells_its_sections_and_counts_what_was_lost) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "all"), lazy = take_one(&w, "all");
  Capnet__StatusWatchRequest rq = CAPNET__STATUS_WATCH_REQUEST__INIT;
  char *sections[] = {(char *)"leases"};
  rq.sections = sections;
  rq.n_sections = 1;
  uint64_t id = ask(fd, STATUS_WATCH, &rq.base);
  (void)ask(lazy, STATUS_WATCH, NULL);
  world_run(&w, 0);
  cap_status_event(&w.status, &(struct status_event){.section = "interfaces", .text = "net0: not for everyone"});
  cap_status_event(&w.status, &(struct status_event){.section = "leases", .text = "net0: bound"});
  _answer_ struct answer a = hear(&w, fd, &capnet__status_event__descriptor);
  cr_assert(a.got && a.more && a.call == id);
  const Capnet__StatusEvent *ev = (Capnet__StatusEvent *)a.body;
  cr_expect_str_eq(ev->section, "leases");
  cr_expect_str_eq(ev->text, "net0: bound");
  cr_expect(!ev->has_lost && ev->has_at_us);
  expect_silence(&w, fd);
  cancel(fd, id);
  world_run(&w, 0);
  _answer_ struct answer end = hear(&w, fd, NULL);
  expect_code(end.code, CANCELLED);
  cap_status_event(&w.status, &(struct status_event){.section = "leases", .text = "nobody"});
  expect_silence(&w, fd);
  /* One that does not read loses events, and is told how many. */
  char text[200];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = 0;
  const unsigned sent = 5000;
  for (unsigned i = 0; i < sent; i++)
    cap_status_event(&w.status, &(struct status_event){.section = "leases", .text = text});
  uint64_t heard = 0, lost = 0;
  for (int round = 0; round < 2; round++) {
    for (;;) {
      _answer_ struct answer e = hear(&w, lazy, &capnet__status_event__descriptor);
      if (!e.got)
        break;
      heard++;
      lost += ((Capnet__StatusEvent *)e.body)->lost;
      world_run(&w, 0);
    }
    if (round == 0)
      cap_status_event(&w.status, &(struct status_event){.section = "leases", .text = "the last"});
  }
  cr_expect_gt(lost, 0);
  cr_expect_eq(heard + lost, sent + 4, "%lu heard, %lu lost", (unsigned long)heard, (unsigned long)lost);
  world_close(&w);
}

Test(cap_status, a_transition_is_told_with_its_parts) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "all");
  (void)ask(fd, STATUS_WATCH, NULL);
  world_run(&w, 0);
  uint64_t now = loop_now(caps_loop(w.status.caps), CLOCK_ID_BOOT);
  const struct netconf_event e = {.section = "leases",
                                  .protocol = "dhcp4",
                                  .from = "requesting",
                                  .to = "bound",
                                  .addr = net_addr_v4(0x0a000005),
                                  .prefix_len = 24,
                                  .server = net_addr_v4(0x0a000001),
                                  .reason = "the server granted a lease",
                                  .next = "renew",
                                  .next_ns = now + 30 * NSEC_PER_SEC,
                                  .valid_until_ns = now + 60 * NSEC_PER_SEC};
  cap_status_event(&w.status,
                   &(struct status_event){.section = "leases", .text = "bound", .ifname = "net0", .transition = &e});
  _answer_ struct answer a = hear(&w, fd, &capnet__status_event__descriptor);
  cr_assert(a.got);
  const Capnet__StatusTransition *t = ((Capnet__StatusEvent *)a.body)->transition;
  cr_assert_not_null(t);
  cr_expect_str_eq(t->interface, "net0");
  cr_expect_str_eq(t->protocol, "dhcp4");
  cr_expect_str_eq(t->from, "requesting");
  cr_expect_str_eq(t->to, "bound");
  cr_expect_str_eq(t->address, "10.0.0.5");
  cr_expect_eq(t->prefix, 24);
  cr_expect_str_eq(t->server, "10.0.0.1");
  cr_expect_str_eq(t->reason, "the server granted a lease");
  cr_expect_str_eq(t->next, "renew");
  cr_expect_eq(t->next_s, 30);
  cr_expect_eq(t->valid_for_s, 60);
  world_close(&w);
}

Test(cap_status, watch_keeps_to_its_scope) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int all = take_one(&w, "all"), own = take_one(&w, "own");
  (void)ask(all, STATUS_WATCH, NULL);
  (void)ask(own, STATUS_WATCH, NULL);
  world_run(&w, 0);
  cap_status_event(&w.status, &(struct status_event){.section = "sockets",
                                                     .text = "tcp #1 \x1b[31m of somebody else",
                                                     .grant = "another",
                                                     .taken_by = "thief[1] uid 9"});
  _answer_ struct answer a = hear(&w, all, &capnet__status_event__descriptor);
  cr_assert(a.got && a.more);
  cr_expect_str_eq(((Capnet__StatusEvent *)a.body)->text, "tcp #1 \\x1b[31m of somebody else");
  expect_silence(&w, own);
  world_close(&w);
}
