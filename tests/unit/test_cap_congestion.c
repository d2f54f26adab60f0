/* SPDX-License-Identifier: BSD-3-Clause
 * The controller of the congestion window, over frames: what a grant presets, what a program asks for, on a live
 * connection too, and a name that nobody knows.
 */
#include "cap_client.h"

TestSuite(cap_congestion, .timeout = 60);

static const struct item_spec items[] = {
    {"connect", AUTH_TCP_CONNECT, {"10.0.0.2:80"}, {{0}}, 0},
    {"listen", AUTH_TCP_LISTEN, {"10.0.0.1:8080-8090"}, {{0}}, 0},
};

/* The same rights, in a grant that presets reno. */
static struct cap_bundle *tuned(struct world *w) {
  return world_tuned_bundle(w, "tuned", items, ARRAY_SIZE(items), "reno");
}

static int take_from(struct world *w, struct cap_bundle *b, const char *name) {
  int shared = grant_fd(w, b);
  _answer_ struct answer a = call(w, shared, GRANT_OPEN, NULL, &capnet__grant_open_reply__descriptor);
  cr_assert_eq(a.n_fds, 1);
  return take(w, a.fds[0], name);
}

/* Connects with the controller named (NULL: none); returns the control. */
static int dial(struct world *w, int fd, const char *congestion) {
  struct connect_request c;
  Capnet__TcpOptions o = CAPNET__TCP_OPTIONS__INIT;
  connect_request(&c, "10.0.0.2", 80);
  o.congestion = (char *)congestion;
  c.rq.options = congestion ? &o : NULL;
  _answer_ struct answer a = connect_answer(w, fd, &c.rq);
  return conn_of(&a).control;
}

static void expect_controller(struct world *w, int control, const char *want) {
  _answer_ struct answer a = call(w, control, SOCKET_STATUS, NULL, &capnet__tcp_status_reply__descriptor);
  cr_assert_eq(a.code, 0);
  cr_expect_str_eq(((Capnet__TcpStatusReply *)a.body)->options->congestion, want);
}

static void expect_unknown(const struct answer *a) {
  expect_code(a->code, MALFORMED);
  cr_expect_str_eq(rule_of(a), "options.congestion");
  cr_expect_not_null(strstr(a->frame->error->message, "cubic, reno"), "%s", a->frame->error->message);
}

Test(cap_congestion, the_default_the_grant_s_and_the_program_s) {
  struct world w;
  world_open(&w, items, ARRAY_SIZE(items));
  world_serve(&w, 80);
  struct cap_bundle *b = tuned(&w);
  int plain = take_one(&w, "connect"), preset = take_from(&w, b, "connect");
  expect_controller(&w, dial(&w, plain, NULL), "cubic");
  expect_controller(&w, dial(&w, plain, "reno"), "reno");
  expect_controller(&w, dial(&w, preset, NULL), "reno");
  expect_controller(&w, dial(&w, preset, "cubic"), "cubic");
  int child = child_of(&w, preset, &(struct narrow){.limit = "sockets", .max = 2}, NULL);
  expect_controller(&w, dial(&w, child, NULL), "reno");
  _answer_ struct answer d = call(&w, child, DESCRIBE, NULL, &capnet__describe_reply__descriptor);
  cr_expect_str_eq(((Capnet__DescribeReply *)d.body)->congestion, "reno");
  _answer_ struct answer e = call(&w, plain, DESCRIBE, NULL, &capnet__describe_reply__descriptor);
  cr_expect_null(((Capnet__DescribeReply *)e.body)->congestion);
  cap_bundle_revoke(b);
  world_close(&w);
}

Test(cap_congestion, of_a_connection_that_lives) {
  struct world w;
  world_open(&w, items, ARRAY_SIZE(items));
  world_serve(&w, 80);
  int control = dial(&w, take_one(&w, "connect"), NULL);
  Capnet__TcpSetOptionsRequest rq = CAPNET__TCP_SET_OPTIONS_REQUEST__INIT;
  Capnet__TcpOptions o = CAPNET__TCP_OPTIONS__INIT;
  rq.options = &o;
  o.congestion = (char *)"reno";
  _answer_ struct answer a = call(&w, control, SOCKET_OPTIONS, &rq.base, &capnet__tcp_set_options_reply__descriptor);
  cr_assert_eq(a.code, 0);
  cr_expect_str_eq(((Capnet__TcpSetOptionsReply *)a.body)->options->congestion, "reno");
  o.congestion = NULL; /* what is absent stays */
  o.has_nodelay = o.nodelay = 1;
  cr_expect_eq(code_of(&w, control, SOCKET_OPTIONS, &rq.base), 0);
  expect_controller(&w, control, "reno");
  static const char *const unknown[] = {"", "bbr", "Reno", "reno ", "cubic, reno", "%n%s"};
  for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
    o.congestion = (char *)unknown[i];
    o.nodelay = 0;
    _answer_ struct answer no = call(&w, control, SOCKET_OPTIONS, &rq.base, NULL);
    expect_unknown(&no);
  }
  _answer_ struct answer s = call(&w, control, SOCKET_STATUS, NULL, &capnet__tcp_status_reply__descriptor);
  cr_expect(((Capnet__TcpStatusReply *)s.body)->options->nodelay, "nothing of a refused request is done");
  world_close(&w);
}

Test(cap_congestion, an_unknown_name_never_reaches_the_wire) {
  struct world w;
  world_open(&w, items, ARRAY_SIZE(items));
  world_serve(&w, 80);
  int fd = take_one(&w, "connect"), listen = take_one(&w, "listen");
  const uint64_t before = world_frames(&w);
  Capnet__TcpOptions o = CAPNET__TCP_OPTIONS__INIT;
  o.congestion = (char *)"vegas";
  struct connect_request c;
  connect_request(&c, "10.0.0.2", 80);
  c.rq.options = &o;
  _answer_ struct answer a = call(&w, fd, CONNECT, &c.rq.base, NULL);
  expect_unknown(&a);
  Capnet__TcpListenRequest lr = CAPNET__TCP_LISTEN_REQUEST__INIT;
  lr.has_port = 1;
  lr.port = 8080;
  lr.options = &o;
  _answer_ struct answer b = call(&w, listen, LISTEN, &lr.base, NULL);
  expect_unknown(&b);
  o.congestion = NULL;
  o.has_keepalive_idle_s = 1;
  o.keepalive_idle_s = UINT32_MAX;
  expect_code(code_of(&w, listen, LISTEN, &lr.base), MALFORMED);
  cr_expect_eq(world_frames(&w), before);
  world_close(&w);
}

/* What a listener was given its connections have, whoever connects. */
static int accepted(struct world *w, int listen, uint16_t port, const Capnet__TcpOptions *o, struct end *e) {
  Capnet__TcpListenRequest rq = CAPNET__TCP_LISTEN_REQUEST__INIT;
  rq.has_port = 1;
  rq.port = port;
  rq.options = (Capnet__TcpOptions *)o;
  _answer_ struct answer l = call(w, listen, LISTEN, &rq.base, &capnet__tcp_listen_reply__descriptor);
  cr_assert_eq(l.n_fds, 1, "code %d", l.code);
  struct net_endpoint from = ep(w->n.addr_b, 0), to = ep(w->n.addr_a, port);
  *e = (struct end){.n = &w->n};
  cr_assert_eq(stack_tcp_connect(w->n.s, &from, &to, &end_ops, e, &e->c), 0);
  (void)ask(l.fds[0], ACCEPT, NULL);
  world_run(w, 1000);
  _answer_ struct answer a = hear(w, l.fds[0], &capnet__tcp_connection__descriptor);
  cr_assert_eq(a.n_fds, 2, "code %d", a.code);
  return conn_of(&a).control;
}

Test(cap_congestion, connections_inherit_from_their_listener) {
  struct world w;
  struct end far[3];
  world_open(&w, items, ARRAY_SIZE(items));
  struct cap_bundle *b = tuned(&w);
  int plain = take_one(&w, "listen"), preset = take_from(&w, b, "listen");
  Capnet__TcpOptions o = CAPNET__TCP_OPTIONS__INIT;
  o.congestion = (char *)"cubic";
  o.has_keepalive_idle_s = 1;
  o.keepalive_idle_s = 60;
  expect_controller(&w, accepted(&w, plain, 8080, NULL, &far[0]), "cubic");
  expect_controller(&w, accepted(&w, preset, 8081, NULL, &far[1]), "reno");
  int control = accepted(&w, preset, 8082, &o, &far[2]);
  expect_controller(&w, control, "cubic");
  _answer_ struct answer s = call(&w, control, SOCKET_STATUS, NULL, &capnet__tcp_status_reply__descriptor);
  const Capnet__TcpOptions *in = ((Capnet__TcpStatusReply *)s.body)->options;
  cr_expect(in->keepalive_idle_s == 60 && in->keepalive_interval_s == 75 && in->keepalive_count == 9);
  for (size_t i = 0; i < 3; i++)
    far[i].c = stack_conn_abort(far[i].c, STACK_END_RESET_LOCAL);
  cap_bundle_revoke(b);
  world_close(&w);
}
