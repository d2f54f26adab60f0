/* SPDX-License-Identifier: BSD-3-Clause
 * Ways in which a holder once hurt the daemon or outlived a revocation, each as it was found.
 */
#include "cap_client.h"

TestSuite(review_cap, .timeout = 60);

#define FAR "10.0.0.2:80-90"
static const struct item_spec items[] = {
    {"connect", AUTH_TCP_CONNECT, {FAR}, {{0}}, 0},
    {"few-endpoints", AUTH_TCP_CONNECT, {FAR}, {{LIMIT_ENDPOINTS, 2}}, 0},
    {"listen", AUTH_TCP_LISTEN, {"interface-address:8080-8090"}, {{LIMIT_SOCKETS, 1}}, 0},
    {"ping", AUTH_PING, {"10.0.0.2"}, {{0}}, 0},
};
#define N_ITEMS ARRAY_SIZE(items)

/* A narrowed grant had no bundle behind it, and would have narrowed nothing. */
Test(review_cap, a_grant_cannot_be_narrowed) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int g = open_grant(&w);
  _answer_ struct answer a = attenuate(&w, g, &(struct narrow){.expires_ms = 1000});
  expect_code(a.code, UNKNOWN_METHOD);
  cr_expect_eq(a.n_fds, 0);
  cr_expect_eq(code_of(&w, g, GRANT_LIST, NULL), 0);
  world_close(&w);
}

/* Once the connection was there and its control could not be made, the refusal pointed at nothing. */
Test(review_cap, a_connection_over_the_budget_of_endpoints) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "few-endpoints");
  (void)connected(&w, fd, 80);
  uint64_t id = ask_connect(fd, "10.0.0.2", 80);
  world_run(&w, 100);
  _answer_ struct answer a = hear(&w, fd, NULL);
  cr_assert(a.got && a.call == id);
  expect_code(a.code, OVER_BUDGET);
  cr_assert(a.frame->error->grant && a.frame->error->rule);
  cr_expect_str_eq(a.frame->error->grant, "web");
  cr_expect_str_eq(a.frame->error->rule, "endpoints");
  world_close(&w);
}

/* The refusal outlives the node that was made for the listener and is gone again. */
Test(review_cap, a_listener_over_the_budget_of_sockets) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "listen");
  (void)listener_of(&w, fd, "interface-address", 8080);
  for (unsigned i = 0; i < 3; i++) {
    _answer_ struct answer a = listen_at(&w, fd, "interface-address", 8081, 4);
    expect_code(a.code, OVER_BUDGET);
    cr_assert(a.frame->error->grant && a.frame->error->rule);
    cr_expect_str_eq(a.frame->error->grant, "web");
    cr_expect_str_eq(a.frame->error->rule, "sockets");
  }
  world_close(&w);
}

/* A delegate that takes and then closes its grant's endpoint keeps nothing that the delegator cannot end. */
Test(review_cap, closing_the_endpoint_that_took_does_not_escape_revocation) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int shared = grant_fd(&w, w.bundle);
  _answer_ struct answer mine = call(&w, shared, GRANT_OPEN, NULL, &capnet__grant_open_reply__descriptor);
  _answer_ struct answer theirs = call(&w, mine.fds[0], GRANT_OPEN, NULL, &capnet__grant_open_reply__descriptor);
  cr_assert(mine.n_fds == 1 && theirs.n_fds == 1);
  int taken = take(&w, theirs.fds[0], "ping");
  drop(&w, theirs.fds[0]);
  world_run(&w, 10);
  cr_expect_eq(code_of(&w, taken, DESCRIBE, NULL), 0);
  cr_expect_eq(revoke_id(&w, mine.fds[0], 0), 0);
  world_run(&w, 10);
  expect_terminal(&w, taken, REVOKED);
  world_close(&w);
}

/* Minting with an end moves the timer; what had expired by then stayed up until the timer came round. */
Test(review_cap, an_expired_capability_is_torn_down_whoever_notices) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  int brief = child_of(&w, fd, &(struct narrow){.expires_ms = 1000}, NULL);
  (void)child_of(&w, fd, &(struct narrow){.expires_ms = 3600 * 1000}, NULL);
  struct conn c = connected(&w, brief, 80);
  cr_assert_eq(loop_sim_suspend(w.n.loop, 2 * SEC), 0); /* the clock is past the end, no timer has run */
  caps_watch_expiry(w.caps);
  world_run(&w, 1);
  char byte;
  cr_expect_eq(recv(c.data, &byte, 1, MSG_DONTWAIT), 0);
  expect_terminal(&w, brief, EXPIRED);
  world_close(&w);
}

/* Who is turned away at the door hears why, and the daemon's loop does not close what they sent. */
Test(review_cap, a_door_over_its_budget_says_so) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  const struct item_spec one[] = {{"ping", AUTH_PING, {"10.0.0.2"}, {{0}}, 0}};
  struct cap_bundle *b = world_bundle(&w, "small", one, 1);
  int fd = -1;
  for (unsigned i = 0; i < 511; i++) /* the table's "children", one being the item */
    fd = grant_fd(&w, b);
  expect_silence(&w, fd);
  const struct auth_taker taker = {.pid = 4711, .uid = 1000, .gid = 1000, .comm = "test"};
  int sv[2];
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
  cr_expect_lt(cap_bundle_accept(b, sv[0], &taker), 0);
  expect_terminal(&w, own(&w, sv[1]), OVER_BUDGET);
  for (unsigned i = 0; i < 511; i++)
    drop(&w, w.owned[w.n_owned - 1]);
  world_run(&w, 10);
  (void)cap_bundle_revoke(b);
  world_run(&w, 10);
  world_close(&w);
}

static int connect_from(struct world *w, int fd, uint32_t local_port) {
  struct connect_request c;
  Capnet__TcpEndpoint local = CAPNET__TCP_ENDPOINT__INIT;
  connect_request(&c, "10.0.0.2", 80);
  local.address = (char *)"10.0.0.1";
  local.has_port = 1;
  local.port = local_port;
  c.rq.local = &local;
  uint64_t id = ask(fd, CONNECT, &c.rq.base);
  world_run(w, 100);
  _answer_ struct answer a = hear(w, fd, NULL);
  cr_assert(a.got && a.call == id);
  return a.code;
}

/* Peers take a port below 1024 for the word of an administrator: no rule gives it away. */
Test(review_cap, no_privileged_source_port) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  uint64_t before = world_frames(&w);
  expect_code(connect_from(&w, fd, 1), DENIED);
  expect_code(connect_from(&w, fd, 1023), DENIED);
  cr_expect_eq(world_frames(&w), before);
  cr_expect_eq(connect_from(&w, fd, 1024), 0);
  cr_expect_eq(connect_from(&w, fd, 0), 0);
  world_close(&w);
}

/* The rule interface-address names that address too, as rights.h says. */
Test(review_cap, interface_address_covers_the_address_itself) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "listen");
  _answer_ struct answer other = listen_at(&w, fd, "10.0.0.9", 8080, 4);
  expect_code(other.code, DENIED);
  (void)listener_of(&w, fd, "10.0.0.1", 8080);
  world_close(&w);
}
