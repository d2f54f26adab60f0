/* SPDX-License-Identifier: BSD-3-Clause
 * Capability discipline over frames: what a holder can do, and above all what it cannot.
 */
#include "cap_client.h"

TestSuite(cap_grant, .timeout = 60);

#define NEAR "10.0.0.2:80-90"
static const struct item_spec items[] = {
    {"connect", AUTH_TCP_CONNECT, {NEAR}, {{LIMIT_SOCKETS, 3}}, 0},
    {"listen", AUTH_TCP_LISTEN, {"interface-address:8080-8090"}, {{LIMIT_SOCKETS, 3}}, 0},
    {"ping", AUTH_PING, {"10.0.0.2"}, {{0}}, 0},
    {"dns", AUTH_DNS, {"test A,AAAA"}, {{0}}, 0},
    {"status", AUTH_STATUS, {"own"}, {{0}}, 0},
    {"status-all", AUTH_STATUS, {"all"}, {{0}}, 0},
};
#define N_ITEMS ARRAY_SIZE(items)

/* --- the grant itself ----------------------------------------------------------------------------------------------- */

Test(cap_grant, a_shared_endpoint_answers_only_open) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int shared = grant_fd(&w, w.bundle);
  Capnet__GrantTakeRequest rq = CAPNET__GRANT_TAKE_REQUEST__INIT;
  rq.name = (char *)"connect";
  expect_code(code_of(&w, shared, GRANT_TAKE, &rq.base), DENIED);
  expect_code(code_of(&w, shared, GRANT_LIST, NULL), DENIED);
  for (uint32_t m = 0; m < METHOD_KIND_BASE; m++)
    expect_code(code_of(&w, shared, m, NULL), UNKNOWN_METHOD);
  expect_code(code_of(&w, shared, GRANT_TAKE + 1, NULL), UNKNOWN_METHOD);
  expect_code(code_of(&w, shared, UINT32_MAX, NULL), UNKNOWN_METHOD);
  _answer_ struct answer a = call(&w, shared, GRANT_OPEN, NULL, &capnet__grant_open_reply__descriptor);
  _answer_ struct answer b = call(&w, shared, GRANT_OPEN, NULL, &capnet__grant_open_reply__descriptor);
  cr_assert(a.n_fds == 1 && b.n_fds == 1);
  /* What one process opened goes on when the shared descriptor is closed, and is nobody else's to revoke. */
  drop(&w, shared);
  world_run(&w, 0);
  int fd = take(&w, a.fds[0], "ping");
  expect_code(revoke_id(&w, b.fds[0], 1), NOT_FOUND);
  cr_expect_eq(revoke_id(&w, b.fds[0], 0), 0);
  world_run(&w, 0);
  expect_terminal(&w, b.fds[0], REVOKED);
  cr_expect_eq(code_of(&w, fd, DESCRIBE, NULL), 0);
  world_close(&w);
}

Test(cap_grant, list_and_take) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int g = open_grant(&w);
  _answer_ struct answer a = call(&w, g, GRANT_LIST, NULL, &capnet__grant_list_reply__descriptor);
  const Capnet__GrantListReply *l = (Capnet__GrantListReply *)a.body;
  cr_assert_eq(l->n_items, N_ITEMS);
  cr_expect_str_eq(l->description, "for tests");
  cr_expect_str_eq(l->items[0]->name, "connect");
  cr_expect_str_eq(l->items[0]->kind, "tcp-connect");
  cr_assert_eq(l->items[0]->n_rights, 1);
  cr_expect_str_eq(l->items[0]->rights[0], NEAR);
  Capnet__GrantTakeRequest rq = CAPNET__GRANT_TAKE_REQUEST__INIT;
  expect_code(code_of(&w, g, GRANT_TAKE, &rq.base), NOT_FOUND);
  rq.kind = (char *)"status";
  expect_code(code_of(&w, g, GRANT_TAKE, &rq.base), NOT_FOUND); /* there are two */
  rq.kind = (char *)"ping";
  cr_expect_eq(code_of(&w, g, GRANT_TAKE, &rq.base), 0);
  rq.name = (char *)"connect"; /* of another kind */
  expect_code(code_of(&w, g, GRANT_TAKE, &rq.base), NOT_FOUND);
  rq.kind = NULL;
  rq.name = (char *)"nothing";
  _answer_ struct answer none = call(&w, g, GRANT_TAKE, &rq.base, NULL);
  expect_code(none.code, NOT_FOUND);
  cr_expect(strstr(none.frame->error->message, "connect, listen"));
  cr_expect_str_eq(none.frame->error->grant, "web");
  world_close(&w);
}

Test(cap_grant, describe_tells_rights_limits_and_who_took_it) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "connect");
  uint64_t id;
  const struct narrow n = {.rules = {"10.0.0.2:81"}, .limit = "sockets", .max = 2, .expires_ms = 5000};
  int child = child_of(&w, fd, &n, &id);
  _answer_ struct answer a = call(&w, child, DESCRIBE, NULL, &capnet__describe_reply__descriptor);
  const Capnet__DescribeReply *d = (Capnet__DescribeReply *)a.body;
  cr_expect_str_eq(d->kind, "tcp-connect");
  cr_expect_str_eq(d->grant, "web");
  cr_assert_eq(d->n_rights, 1);
  cr_expect_str_eq(d->rights[0], "10.0.0.2:81");
  cr_expect(d->has_expires_in_ms && d->expires_in_ms <= 5000 && d->expires_in_ms > 0);
  cr_assert_eq(d->n_limits, AUTH_LIMIT_COUNT);
  cr_expect_eq(d->limits[LIMIT_SOCKETS]->max, 2);
  cr_expect_eq(d->limits[LIMIT_SOCKETS]->used, 0);
  cr_assert_eq(d->n_chain, 4); /* child, taken, item, grant */
  cr_expect_eq(d->chain[0]->id, id);
  cr_expect_eq(d->chain[0]->parent, d->chain[1]->id);
  cr_expect_eq(d->chain[0]->pid, 4711);
  cr_expect_eq(d->chain[0]->uid, 1000);
  cr_expect_str_eq(d->chain[1]->comm, "test");
  cr_expect(d->chain[1]->has_taken_at_us);
  cr_expect(!d->chain[3]->has_parent && !d->chain[3]->has_pid);
  world_close(&w);
}

/* A narrowed grant would hold nothing back, and has no bundle. */
Test(cap_grant, a_grant_is_not_narrowed) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int g = open_grant(&w);
  expect_code(code_of(&w, g, ATTENUATE, NULL), UNKNOWN_METHOD);
  for (unsigned depth = 1; depth + 1 < AUTH_DEPTH_MAX; depth++) {
    _answer_ struct answer a = call(&w, g, GRANT_OPEN, NULL, NULL);
    cr_assert_eq(a.n_fds, 1, "%s", a.frame->error ? a.frame->error->message : "");
    g = a.fds[0];
  }
  expect_code(code_of(&w, g, GRANT_OPEN, NULL), LIMIT);
  (void)take(&w, g, "ping");
  world_close(&w);
}

/* --- forging ---------------------------------------------------------------------------------------------------------- */

Test(cap_grant, a_status_holder_cannot_reach_the_wire) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "status-all");
  const uint64_t before = world_frames(&w);
  struct connect_request c;
  connect_request(&c, "10.0.0.2", 80);
  /* Every number the kind does not have; and its own, with the bytes of a connect. */
  for (uint32_t m = 3; m < 40; m++)
    if (m < STATUS_GET || m > STATUS_WATCH)
      expect_code(code_of(&w, fd, m, &c.rq.base), UNKNOWN_METHOD);
  for (uint32_t m = STATUS_GET; m <= STATUS_WATCH; m++) {
    (void)ask(fd, m, &c.rq.base);
    world_run(&w, 0);
    _answer_ struct answer a = hear(&w, fd, NULL);
    cr_expect(a.got || m == STATUS_WATCH, "method %u is served, and is no connect", m);
    cr_expect_eq(a.n_fds, 0);
  }
  world_run(&w, 10000);
  cr_expect_eq(world_frames(&w), before);
  cr_expect_eq(w.n_peers, 0);
  world_close(&w);
}

Test(cap_grant, a_connection_is_no_authority) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  struct conn c = connected(&w, fd, 80);
  for (uint32_t m = SOCKET_WAIT_END + 1; m < 40; m++)
    expect_code(code_of(&w, c.control, m, NULL), UNKNOWN_METHOD);
  expect_code(code_of(&w, c.control, ATTENUATE, NULL), UNKNOWN_METHOD);
  cr_expect_eq(code_of(&w, c.control, DESCRIBE, NULL), 0);
  world_close(&w);
}

/* --- narrowing ---------------------------------------------------------------------------------------------------------- */

Test(cap_grant, a_child_cannot_widen) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "connect");
  static const struct narrow wider[] = {{.rules = {"*:*"}},
                                        {.rules = {"10.0.0.2:80-91"}},
                                        {.rules = {"10.0.0.2:79"}},
                                        {.rules = {"10.0.0.0/24:80"}},
                                        {.rules = {"10.0.0.2:80", "10.0.0.3:80"}},
                                        {.rules = {"10.0.0.3:80"}}};
  for (size_t i = 0; i < ARRAY_SIZE(wider); i++) {
    _answer_ struct answer a = attenuate(&w, fd, &wider[i]);
    expect_code(a.code, NOT_SUBSET);
    cr_expect_str_eq(rule_of(&a), "tcp-connect");
    cr_expect(strstr(a.frame->error->message, wider[i].rules[i == 4 ? 1 : 0]), "%s", a.frame->error->message);
  }
  static const struct {
    const char *name;
    uint64_t max;
  } limits[] = {{"sockets", 4}, {"ping.interval.min", 199}, {"endpoints", 100000}, {"connect.time", 130001}};
  for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
    const struct narrow n = {.limit = limits[i].name, .max = limits[i].max};
    _answer_ struct answer a = attenuate(&w, fd, &n);
    expect_code(a.code, NOT_SUBSET);
    cr_expect_str_eq(rule_of(&a), limits[i].name);
  }
  int child = child_of(&w, fd, &(struct narrow){.rules = {"10.0.0.2:80"}}, NULL);
  _answer_ struct answer a = attenuate(&w, child, &(struct narrow){.rules = {NEAR}});
  expect_code(a.code, NOT_SUBSET);
  expect_code(connect_code(&w, child, "10.0.0.2", 81), DENIED);
  expect_code(connect_code(&w, child, "10.0.0.2", 80), REFUSED);
  expect_code(connect_code(&w, fd, "10.0.0.2", 81), REFUSED);
  world_close(&w);
}

/* All ones would read as "inherit" inside: it must be a refusal or the tightest there is, never silently looser. */
Test(cap_grant, odd_limits_and_rights_are_malformed) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "ping");
  static const struct narrow odd[] = {{.limit = "sockets", .max = UINT64_MAX},
                                      {.limit = "ping.interval.min", .max = UINT64_MAX},
                                      {.limit = "sock", .max = 1},
                                      {.limit = "", .max = 1},
                                      {.rules = {""}},
                                      {.rules = {"10.0.0.2:80"}},
                                      {.rules = {"10.0.0.2", "nonsense"}},
                                      {.expires_ms = UINT64_MAX}};
  for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
    _answer_ struct answer a = attenuate(&w, fd, &odd[i]);
    expect_code(a.code, MALFORMED);
    cr_expect(*rule_of(&a), "%zu", i);
  }
  Capnet__AttenuateRequest rq = CAPNET__ATTENUATE_REQUEST__INIT;
  Capnet__Limit no_max = CAPNET__LIMIT__INIT, *limits[] = {&no_max};
  no_max.name = (char *)"sockets";
  rq.limits = limits;
  rq.n_limits = 1;
  expect_code(code_of(&w, fd, ATTENUATE, &rq.base), MALFORMED);
  rq.n_limits = 0;
  rq.has_expires_in_ms = 1;
  expect_code(code_of(&w, fd, ATTENUATE, &rq.base), MALFORMED);
  rq.has_expires_in_ms = 0;
  char label[65];
  memset(label, 'x', 64);
  label[64] = 0;
  rq.label = label;
  expect_code(code_of(&w, fd, ATTENUATE, &rq.base), MALFORMED);
  label[63] = 0;
  cr_expect_eq(code_of(&w, fd, ATTENUATE, &rq.base), 0);
  world_close(&w);
}

Test(cap_grant, narrowing_has_a_depth) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "ping");
  const struct narrow same = {.rules = {NULL}};
  for (unsigned depth = 2; depth + 1 < AUTH_DEPTH_MAX; depth++)
    fd = child_of(&w, fd, &same, NULL);
  _answer_ struct answer a = attenuate(&w, fd, &same);
  expect_code(a.code, LIMIT);
  world_close(&w);
}

/* --- budgets ---------------------------------------------------------------------------------------------------------------- */

Test(cap_grant, a_budget_is_one_for_all_takers_and_children) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int first = take_one(&w, "connect"), second = take_one(&w, "connect");
  const struct narrow same = {.rules = {NULL}};
  int child = child_of(&w, first, &same, NULL), other = child_of(&w, first, &same, NULL);
  int grandchild = child_of(&w, child, &(struct narrow){.limit = "sockets", .max = 1}, NULL);
  (void)connected(&w, grandchild, 80);
  expect_code(connect_code(&w, grandchild, "10.0.0.2", 80), OVER_BUDGET); /* its own: 1 */
  (void)connected(&w, other, 80);
  struct conn last = connected(&w, second, 80);
  const int all[] = {first, second, child, other};
  for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
    (void)ask_connect(all[i], "10.0.0.2", 80);
    world_run(&w, 0);
    _answer_ struct answer a = hear(&w, all[i], NULL);
    expect_code(a.code, OVER_BUDGET);
    cr_expect_str_eq(rule_of(&a), "sockets");
  }
  /* One more as soon as one is over, not when its descriptors are closed. */
  cr_expect_eq(code_of(&w, last.control, SOCKET_ABORT, NULL), 0);
  world_run(&w, 1000);
  (void)connected(&w, child, 80);
  expect_code(connect_code(&w, second, "10.0.0.2", 80), OVER_BUDGET);
  _answer_ struct answer a = call(&w, first, DESCRIBE, NULL, &capnet__describe_reply__descriptor);
  const Capnet__Limit *l = ((Capnet__DescribeReply *)a.body)->limits[LIMIT_SOCKETS];
  cr_expect_eq(l->used, 3);
  cr_expect_geq(l->refused, 1);
  world_close(&w);
}

/* An attempt holds its socket from the first SYN on. */
Test(cap_grant, attempts_count_as_sockets) {
  struct world w;
  static const struct item_spec far[] = {{"connect", AUTH_TCP_CONNECT, {"10.0.0.0/24:80"}, {{LIMIT_SOCKETS, 2}}, 0}};
  world_open(&w, far, 1);
  int fd = take_one(&w, "connect");
  uint64_t a1 = ask_connect(fd, "10.0.0.77", 80);
  (void)ask_connect(fd, "10.0.0.78", 80);
  world_run(&w, 0);
  expect_silence(&w, fd);
  expect_code(connect_code(&w, fd, "10.0.0.79", 80), OVER_BUDGET);
  cancel(fd, a1);
  world_run(&w, 0);
  _answer_ struct answer a = hear(&w, fd, NULL);
  expect_code(a.code, CANCELLED);
  (void)ask_connect(fd, "10.0.0.79", 80);
  world_run(&w, 0);
  expect_silence(&w, fd);
  world_close(&w);
}

/* Who knocks when the grant has no endpoint left is told so. */
Test(cap_grant, the_door_says_why_it_stays_shut) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int sv[2];
  const struct auth_taker taker = {.pid = 4711, .uid = 1000, .comm = "test"};
  for (unsigned i = 0; i < 512 - N_ITEMS; i++) /* the items are children, too */
    (void)grant_fd(&w, w.bundle);
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
  cr_expect_lt(cap_bundle_accept(w.bundle, sv[0], &taker), 0);
  world_run(&w, 0);
  expect_terminal(&w, own(&w, sv[1]), OVER_BUDGET);
  drop(&w, w.owned[0]);
  drop(&w, w.owned[1]);
  world_run(&w, 0);
  cr_expect_eq(code_of(&w, open_grant(&w), GRANT_LIST, NULL), 0);
  world_close(&w);
}

Test(cap_grant, endpoints_and_children_run_out) {
  struct world w;
  static const struct item_spec few[] = {{"a", AUTH_PING, {"10.0.0.2"}, {{LIMIT_ENDPOINTS, 3}}, 0},
                                         {"b", AUTH_PING, {"10.0.0.2"}, {{LIMIT_CHILDREN, 3}}, 0}};
  world_open(&w, few, 2);
  int g = open_grant(&w);
  const struct narrow same = {.rules = {NULL}};
  for (int i = 0; i < 2; i++) {
    const char *name = i ? "b" : "a";
    int one = take(&w, g, name), two = child_of(&w, one, &same, NULL), three = child_of(&w, two, &same, NULL);
    Capnet__GrantTakeRequest rq = CAPNET__GRANT_TAKE_REQUEST__INIT;
    rq.name = (char *)name;
    _answer_ struct answer a = call(&w, g, GRANT_TAKE, &rq.base, NULL);
    expect_code(a.code, OVER_BUDGET);
    cr_expect_str_eq(rule_of(&a), i ? "children" : "endpoints");
    cr_expect_str_eq(a.frame->error->grant, "web");
    _answer_ struct answer b = attenuate(&w, three, &same);
    expect_code(b.code, OVER_BUDGET);
    drop(&w, three);
    world_run(&w, 0);
    (void)child_of(&w, two, &same, NULL);
  }
  world_close(&w);
}

/* --- ends ------------------------------------------------------------------------------------------------------------------- */

Test(cap_grant, closing_a_parent_ends_nothing_below_it) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  int child = child_of(&w, fd, &(struct narrow){.rules = {"10.0.0.2:80"}}, NULL);
  struct conn c = connected(&w, fd, 80);
  drop(&w, fd);
  world_run(&w, 1000);
  cr_expect_eq(code_of(&w, c.control, SOCKET_STATUS, NULL), 0);
  (void)connected(&w, child, 80);
  cr_assert_eq(send(c.data, "hello", 5, 0), 5);
  world_run(&w, 1000);
  cr_expect_eq(w.peers[0].got, 5);
  world_close(&w);
}

Test(cap_grant, revoke_by_id_is_for_the_minter_husks_included) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int g = open_grant(&w), h = open_grant(&w);
  uint64_t taken, child_id, grandchild_id;
  int fd = take_id(&w, g, "ping", &taken), other = take(&w, h, "ping");
  const struct narrow same = {.rules = {NULL}};
  int child = child_of(&w, fd, &same, &child_id);
  int grandchild = child_of(&w, child, &same, &grandchild_id);
  expect_code(revoke_id(&w, other, child_id), NOT_FOUND);
  expect_code(revoke_id(&w, h, taken), NOT_FOUND);
  expect_code(revoke_id(&w, h, child_id), NOT_FOUND);
  expect_code(revoke_id(&w, child, taken), NOT_FOUND);
  expect_code(revoke_id(&w, fd, grandchild_id), NOT_FOUND);
  expect_code(revoke_id(&w, fd, UINT64_MAX), NOT_FOUND);
  drop(&w, child); /* a husk now: it has a child */
  world_run(&w, 0);
  cr_expect_eq(revoke_id(&w, fd, child_id), 0);
  world_run(&w, 0);
  expect_terminal(&w, grandchild, REVOKED);
  expect_code(revoke_id(&w, fd, child_id), NOT_FOUND); /* gone */
  cr_expect_eq(code_of(&w, fd, DESCRIBE, NULL), 0);
  cr_expect_eq(revoke_id(&w, g, taken), 0);
  world_run(&w, 0);
  expect_terminal(&w, fd, REVOKED);
  cr_expect_eq(code_of(&w, other, DESCRIBE, NULL), 0);
  world_close(&w);
}

/* What was taken through a private endpoint does not hang below it, and still ends with it. */
Test(cap_grant, revoking_a_private_endpoint_ends_what_was_taken_through_it) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int g = open_grant(&w), spared = take_one(&w, "ping");
  _answer_ struct answer a = call(&w, g, GRANT_OPEN, NULL, &capnet__grant_open_reply__descriptor);
  int through = a.fds[0];
  int fd = take(&w, through, "connect"), direct = take(&w, g, "connect");
  /* At once: in the same turn nothing of it may act any more. */
  const uint64_t before = world_frames(&w);
  (void)ask(g, REVOKE, NULL);
  (void)ask_connect(fd, "10.0.0.2", 80);
  (void)ask_connect(direct, "10.0.0.2", 80);
  world_run(&w, 1000);
  cr_expect_eq(world_frames(&w), before);
  _answer_ struct answer done = hear(&w, g, NULL), e1 = hear(&w, fd, NULL), e2 = hear(&w, direct, NULL);
  cr_expect_eq(done.code, 0);
  expect_code(e1.code, REVOKED);
  expect_code(e2.code, REVOKED);
  expect_terminal(&w, g, REVOKED);
  expect_terminal(&w, through, REVOKED);
  expect_terminal(&w, fd, REVOKED);
  expect_terminal(&w, direct, REVOKED);
  cr_expect_eq(code_of(&w, spared, DESCRIBE, NULL), 0);
  world_close(&w);
}

Test(cap_grant, revoking_the_grant_ends_calls_and_sockets) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect"), l = take_one(&w, "listen"), ping = take_one(&w, "ping"), dns = take_one(&w, "dns"),
      status = take_one(&w, "status");
  int shared = grant_fd(&w, w.bundle);
  struct conn c = connected(&w, fd, 80);
  int listener = listener_of(&w, l, "interface-address", 8080);
  (void)ask(listener, ACCEPT, NULL);
  (void)ask(c.control, SOCKET_WAIT_END, NULL);
  (void)ask(status, STATUS_WATCH, NULL);
  Capnet__PingEchoRequest echo = CAPNET__PING_ECHO_REQUEST__INIT;
  echo.target = (char *)"10.0.0.2";
  echo.has_count = 1;
  echo.count = 50;
  (void)ask(ping, ECHO, &echo.base);
  (void)ask_connect(fd, "10.0.0.2", 81);
  world_run(&w, 100);
  for (;;) { /* the first echo, and the refused connect */
    _answer_ struct answer a = hear(&w, ping, NULL);
    if (!a.got)
      break;
  }
  _answer_ struct answer refused = hear(&w, fd, NULL);
  expect_code(refused.code, REFUSED);
  w.peers[0].to_send = 7;
  end_send(&w.peers[0]);
  world_run(&w, 100);
  w.bundle = cap_bundle_revoke(w.bundle);
  cr_assert_eq(send(c.data, "too late", 8, MSG_NOSIGNAL), 8);
  world_run(&w, 1000);
  expect_terminal(&w, fd, REVOKED);
  expect_terminal(&w, l, REVOKED);
  expect_terminal(&w, ping, REVOKED);
  expect_terminal(&w, dns, REVOKED);
  expect_terminal(&w, status, REVOKED);
  expect_terminal(&w, listener, REVOKED);
  expect_terminal(&w, c.control, REVOKED);
  expect_terminal(&w, shared, REVOKED);
  cr_expect_eq(w.peers[0].why, STACK_END_RESET_BY_PEER);
  cr_expect_eq(w.peers[0].got, 0, "bytes not yet taken are discarded");
  char buf[16];
  cr_expect_eq(recv(c.data, buf, sizeof buf, MSG_DONTWAIT), 7, "bytes in the client's queue stay");
  cr_expect_leq(recv(c.data, buf, sizeof buf, MSG_DONTWAIT), 0);
  cr_expect_eq(caps_now(&w).caps, 0);
  cr_expect_eq(caps_now(&w).nodes, 0);
  const uint64_t frames = world_frames(&w);
  world_run(&w, 60000);
  cr_expect_eq(world_frames(&w), frames, "no echo, no SYN, nothing");
  world_close(&w);
}

Test(cap_grant, expiry_ends_a_subtree_on_time) {
  struct world w;
  static const struct item_spec timed[] = {{"ping", AUTH_PING, {"10.0.0.2"}, {{0}}, 60000}};
  world_open(&w, timed, 1);
  int fd = take_one(&w, "ping");
  const struct narrow soon = {.expires_ms = 10000}, later = {.expires_ms = 20000};
  int child = child_of(&w, fd, &soon, NULL), long_child = child_of(&w, child, &later, NULL), second = child_of(&w, fd, &later, NULL);
  world_run(&w, 9999);
  cr_expect_eq(code_of(&w, child, DESCRIBE, NULL), 0);
  world_run(&w, 1);
  expect_terminal(&w, child, EXPIRED);
  expect_terminal(&w, long_child, EXPIRED);
  cr_expect_eq(code_of(&w, second, DESCRIBE, NULL), 0);
  cr_assert_eq(loop_sim_suspend(w.n.loop, 10 * SEC), 0); /* the clock of leases and grants counts sleep */
  expect_terminal(&w, second, EXPIRED);
  cr_expect_eq(code_of(&w, fd, DESCRIBE, NULL), 0);
  world_run(&w, 60000);
  expect_terminal(&w, fd, EXPIRED);
  Capnet__GrantTakeRequest rq = CAPNET__GRANT_TAKE_REQUEST__INIT;
  rq.name = (char *)"ping";
  expect_code(code_of(&w, open_grant(&w), GRANT_TAKE, &rq.base), EXPIRED);
  world_close(&w);
}

Test(cap_grant, the_end_of_all_says_so) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  struct conn c = connected(&w, fd, 80);
  caps_shutdown(w.caps);
  w.bundle = cap_bundle_revoke(w.bundle); /* the first word holds */
  world_run(&w, 0);
  expect_terminal(&w, fd, SHUTTING_DOWN);
  expect_terminal(&w, c.control, SHUTTING_DOWN);
  world_close(&w);
}

/* --- descriptors ------------------------------------------------------------------------------------------------------------ */

Test(cap_grant, a_descriptor_passed_on_keeps_working) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect"), sv[2];
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
  cr_assert_eq(frame_send(sv[0], "x", 1, &fd, 1, 1), 0);
  drop(&w, fd); /* only in flight now */
  world_run(&w, 1000);
  int fds[FRAME_SCM_MAX];
  size_t n;
  char byte;
  cr_assert_eq(frame_recv(sv[1], &byte, 1, fds, &n, 1), 1);
  cr_assert_eq(n, 1);
  close(sv[0]);
  close(sv[1]);
  struct conn c = connected(&w, own(&w, fds[0]), 80);
  cr_assert_eq(send(c.data, "hi", 2, 0), 2);
  world_run(&w, 1000);
  cr_expect_eq(w.peers[0].got, 2);
  world_close(&w);
}

/* One client floods, one reads nothing: a third is answered within a few turns of the loop. */
Test(cap_grant, a_flood_and_a_stall_cost_only_themselves) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int flood = take_one(&w, "ping"), stalled = take_one(&w, "status-all"), calm = take_one(&w, "ping");
  struct answer a = {0};
  for (int round = 0; round < 40; round++) {
    struct loop_stats before, after;
    int n = 0;
    Capnet__Frame f = CAPNET__FRAME__INIT;
    uint8_t *data;
    size_t len;
    f.has_kind = f.has_call = f.has_method = 1;
    f.kind = CAPNET__FRAME__KIND__REQUEST;
    f.call = 1;
    cr_assert_eq(frame_encode(&f, NULL, &data, &len), 0);
    while (n < 200 && frame_send(flood, data, len, NULL, 0, 1) == 0)
      n++;
    free(data);
    f.method = STATUS_GET;
    cr_assert_eq(frame_encode(&f, NULL, &data, &len), 0);
    while (frame_send(stalled, data, len, NULL, 0, 1) == 0)
      ;
    free(data);
    (void)ask(calm, DESCRIBE, NULL);
    loop_get_stats(w.n.loop, &before);
    for (a.got = false; !a.got;) {
      struct loop_task stop;
      loop_task_init(&stop, (loop_fn)loop_stop, w.n.loop);
      loop_task_queue(w.n.loop, &stop);
      cr_assert_eq(loop_run(w.n.loop), 0);
      a = hear(&w, calm, NULL);
      loop_get_stats(w.n.loop, &after);
      cr_assert_leq(after.turns - before.turns, 3);
    }
    cr_expect_eq(a.code, 0);
    answer_free(&a);
    do { /* this one reads */
      answer_free(&a);
      a = hear(&w, flood, NULL);
    } while (a.got);
  }
  struct rpc_stats rpc;
  rpc_get_stats(&rpc);
  cr_expect_geq(rpc.stalled, 1);
  world_close(&w);
}
