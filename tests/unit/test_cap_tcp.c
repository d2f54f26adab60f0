/* SPDX-License-Identifier: BSD-3-Clause
 * Connecting and the control of a connection, over frames: each refusal its own, each end its own.
 */
#include "cap_client.h"

#include <fcntl.h>
#include <sys/resource.h>

TestSuite(cap_tcp, .timeout = 60);

static const struct item_spec items[] = {
    {"connect", AUTH_TCP_CONNECT, {"*:*", "10.0.0.2:80"}, {{LIMIT_SOCKETS, 8}, {LIMIT_CONNECT_TIME, 30000}}, 0},
    {"host", AUTH_TCP_CONNECT, {"10.0.0.2:80", "[::ffff:10.0.0.2]:81", "10.0.0.1:80", "10.0.0.255:80"}, {{0}}, 0},
    {"loop", AUTH_TCP_CONNECT, {"127.0.0.0/8:*"}, {{0}}, 0},
    {"small", AUTH_TCP_CONNECT, {"10.0.0.2:80"}, {{LIMIT_SOCKET_RCVBUF, 65536}}, 0},
};
#define N_ITEMS ARRAY_SIZE(items)

static const Capnet__TcpStatusReply *status_of(struct world *w, int control, struct answer *a) {
  *a = call(w, control, SOCKET_STATUS, NULL, &capnet__tcp_status_reply__descriptor);
  cr_assert_eq(a->code, 0);
  return (Capnet__TcpStatusReply *)a->body;
}

Test(cap_tcp, special_destinations_are_denied_unless_named) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int all = take_one(&w, "connect"), host = take_one(&w, "host"), loop = take_one(&w, "loop");
  const uint64_t before = world_frames(&w);
  static const char *const special[] = {"10.0.0.1",    "127.0.0.1", "127.255.255.254", "255.255.255.255", "10.0.0.255",
                                        "224.0.0.1",   "0.0.0.0",   "0.1.2.3",         "169.254.1.1",     "240.0.0.1",
                                        "::1",         "::",        "fe80::1",         "ff02::1",         "::ffff:127.0.0.1",
                                        "::ffff:10.0.0.1"};
  for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
    (void)ask_connect(all, special[i], 443);
    world_run(&w, 0);
    _answer_ struct answer a = hear(&w, all, NULL);
    expect_code(a.code, DENIED);
    cr_expect_str_eq(a.frame->error->grant, "web", "%s", special[i]);
    cr_expect_str_eq(rule_of(&a), "tcp-connect");
  }
  cr_expect_eq(world_frames(&w), before, "nothing of it reaches the wire");
  expect_code(connect_code(&w, all, "10.0.0.2", 81), DENIED); /* an own address: only as named */
  expect_code(connect_code(&w, all, "10.0.0.2", 80), REFUSED);
  expect_code(connect_code(&w, host, "::ffff:10.0.0.2", 80), REFUSED); /* the same address */
  expect_code(connect_code(&w, host, "10.0.0.2", 81), REFUSED);
  expect_code(connect_code(&w, host, "10.0.0.255", 80), UNREACHABLE); /* named, and still no host */
  expect_code(connect_code(&w, loop, "127.0.0.1", 80), UNREACHABLE);
  world_close(&w);
}

Test(cap_tcp, odd_fields_are_malformed) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "connect");
  static const struct {
    const char *addr;
    uint32_t port;
    bool has_port;
  } odd[] = {{NULL, 80, true},       {"", 80, true},         {"host.test", 80, true}, {"10.0.0.2 ", 80, true}, {"10.0.0.02", 80, true},
             {"10.0.0.2", 0, true}, {"10.0.0.2", 0, false}, {"10.0.0.2", 65536, true}, {"10.0.0.2", UINT32_MAX, true}};
  for (size_t i = 0; i < 2 * ARRAY_SIZE(odd); i++) {
    Capnet__TcpConnectRequest rq = CAPNET__TCP_CONNECT_REQUEST__INIT;
    Capnet__TcpEndpoint good = CAPNET__TCP_ENDPOINT__INIT, bad = CAPNET__TCP_ENDPOINT__INIT;
    good.address = (char *)"10.0.0.2";
    good.has_port = 1;
    good.port = 80;
    bad.address = (char *)odd[i / 2].addr;
    bad.has_port = odd[i / 2].has_port;
    bad.port = odd[i / 2].port;
    rq.remote = i % 2 ? &good : &bad;
    rq.local = i % 2 ? &bad : NULL;
    if (i % 2 && odd[i / 2].port == 0)
      continue; /* a local port may be left out */
    _answer_ struct answer a = call(&w, fd, CONNECT, &rq.base, NULL);
    expect_code(a.code, MALFORMED);
    cr_expect_str_eq(rule_of(&a), i % 2 ? "local" : "remote");
  }
  expect_code(code_of(&w, fd, CONNECT, NULL), MALFORMED);
  struct connect_request c;
  Capnet__TcpOptions o = CAPNET__TCP_OPTIONS__INIT;
  connect_request(&c, "10.0.0.2", 80);
  c.rq.options = &o;
  o.has_keepalive_idle_s = 1;
  o.keepalive_idle_s = UINT32_MAX;
  expect_code(code_of(&w, fd, CONNECT, &c.rq.base), MALFORMED);
  Capnet__TcpEndpoint local = CAPNET__TCP_ENDPOINT__INIT;
  local.address = (char *)"10.0.0.9"; /* nobody's */
  c.rq.options = NULL;
  c.rq.local = &local;
  expect_code(code_of(&w, fd, CONNECT, &c.rq.base), ADDRESS_NOT_AVAILABLE);
  world_close(&w);
}

/* A source port may not be one that a listener, maybe another grant's, stands on. */
Test(cap_tcp, a_source_port_is_not_a_way_to_take_a_listener_s) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  struct stack_listener *l;
  struct net_endpoint at = ep(w.n.addr_a, 8080);
  static const struct stack_listener_ops none = {0};
  cr_assert_eq(stack_tcp_listen(w.n.s, &at, BACKLOG(1), &none, NULL, &l), 0);
  struct connect_request c;
  Capnet__TcpEndpoint local = CAPNET__TCP_ENDPOINT__INIT;
  connect_request(&c, "10.0.0.2", 80);
  local.address = (char *)"10.0.0.1";
  local.has_port = 1;
  local.port = 8080;
  c.rq.local = &local;
  expect_code(code_of(&w, fd, CONNECT, &c.rq.base), ADDRESS_IN_USE);
  stack_listener_close(l);
  _answer_ struct answer a = connect_answer(&w, fd, &c.rq);
  (void)conn_of(&a);
  cr_expect_eq(((Capnet__TcpConnection *)a.body)->local->port, 8080);
  expect_code(code_of(&w, fd, CONNECT, &c.rq.base), ADDRESS_IN_USE);
  world_close(&w);
}

Test(cap_tcp, no_configuration_before_an_address) {
  struct world w;
  world_open_bare(&w, items, N_ITEMS);
  const uint64_t before = world_frames(&w);
  expect_code(connect_code(&w, take_one(&w, "connect"), "10.0.0.2", 80), NO_CONFIGURATION);
  expect_code(connect_code(&w, take_one(&w, "connect"), "192.0.2.1", 80), NO_CONFIGURATION);
  cr_expect_eq(world_frames(&w), before);
  world_close(&w);
}

/* --- attempts --------------------------------------------------------------------------------------------------------------- */

static const char *last_end(struct world *w);

/* From now on frames for this address arrive where nobody has it: no ARP question is open, and nothing is answered. */
static void make_silent(struct world *w, const char *address) {
  static const struct stack_udp_ops ops = {0};
  struct net_addr a = addr_of(address);
  struct net_endpoint local = ep(w->n.addr_a, 0), remote = ep(a, 9);
  struct stack_udp *u;
  cr_assert_eq(stack_if_set_ipv4(w->n.b, &a, 24, NULL), 0);
  cr_assert_eq(stack_udp_open(w->n.s, &local, &ops, NULL, &u), 0);
  cr_assert_eq(stack_udp_send(u, &remote, "x", 1), 0);
  world_run(w, 10);
  stack_udp_close(u);
  cr_assert_eq(stack_if_set_ipv4(w->n.b, &w->n.addr_b, 24, NULL), 0);
}

Test(cap_tcp, each_way_for_an_attempt_to_end) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "connect"), revoked = take_one(&w, "connect"), closed = take_one(&w, "connect");
  (void)ask_connect(fd, "10.0.0.77", 80); /* nobody answers ARP */
  world_run(&w, 4000);
  _answer_ struct answer nobody = hear(&w, fd, NULL);
  expect_code(nobody.code, UNREACHABLE);
  cr_expect_str_eq(last_end(&w), "unreachable");
  make_silent(&w, "10.0.0.77");
  (void)ask_connect(fd, "10.0.0.77", 80);
  world_run(&w, 29999);
  expect_silence(&w, fd);
  world_run(&w, 1);
  _answer_ struct answer late = hear(&w, fd, NULL);
  expect_code(late.code, DEADLINE); /* connect.time */
  cr_expect_str_eq(last_end(&w), "timed-out");
  struct connect_request c;
  connect_request(&c, "10.0.0.77", 80);
  (void)ask_until(fd, CONNECT, &c.rq.base, 500);
  (void)ask_until(fd, CONNECT, &c.rq.base, UINT64_MAX); /* a later deadline than the limit is the limit's */
  world_run(&w, 500);
  _answer_ struct answer sooner = hear(&w, fd, NULL);
  expect_code(sooner.code, DEADLINE);
  world_run(&w, 29500);
  _answer_ struct answer capped = hear(&w, fd, NULL);
  expect_code(capped.code, DEADLINE);
  uint64_t id = ask_connect(fd, "10.0.0.77", 80);
  world_run(&w, 0);
  cancel(fd, id);
  world_run(&w, 0);
  _answer_ struct answer cancelled = hear(&w, fd, NULL);
  expect_code(cancelled.code, CANCELLED);
  (void)ask_connect(revoked, "10.0.0.77", 80);
  (void)ask_connect(closed, "10.0.0.77", 80);
  world_run(&w, 10);
  drop(&w, closed);
  world_run(&w, 0);
  cr_expect_str_eq(last_end(&w), "reset-local");
  cr_expect_eq(revoke_id(&w, revoked, 0), 0);
  world_run(&w, 0);
  expect_terminal(&w, revoked, REVOKED);
  cr_expect_str_eq(last_end(&w), "revoked");
  struct flow_stats fs;
  flow_get_stats(w.flows, &fs);
  cr_expect_eq(fs.attempts, 0);
  expect_code(connect_code(&w, fd, "10.0.0.2", 80), REFUSED);
  cr_expect_str_eq(last_end(&w), "refused");
  world_run(&w, 10000); /* ARP gives up */
  const uint64_t frames = world_frames(&w);
  world_run(&w, 60000);
  cr_expect_eq(world_frames(&w), frames, "no SYN after the end");
  world_close(&w);
}

static void note_end(void *arg, const struct flow_info *i) {
  if (i->dead)
    *(const char **)arg = stack_end_name(i->conn.end);
}
static const char *last_end(struct world *w) {
  const char *s = "none";
  flow_each(w->flows, note_end, &s);
  return s;
}

/* --- a connection ------------------------------------------------------------------------------------------------------------ */

Test(cap_tcp, status_and_options_of_a_connection) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  struct conn c = connected(&w, take_one(&w, "connect"), 80);
  cr_expect_neq(c.id, 0);
  cr_expect_eq(fcntl(c.data, F_GETFL) & O_NONBLOCK, 0, "as anyone expects of a fresh descriptor");
  cr_assert_eq(send(c.data, "12345", 5, 0), 5);
  world_run(&w, 1000);
  _answer_ struct answer a;
  const Capnet__TcpStatusReply *s = status_of(&w, c.control, &a);
  cr_expect_str_eq(s->state, "ESTAB");
  cr_expect_eq(s->end, CAPNET__TCP_END__TCP_END_NONE);
  cr_expect_null(s->error);
  cr_expect_eq(s->bytes_out, 5);
  cr_expect_str_eq(s->remote->address, "10.0.0.2");
  cr_expect_eq(s->remote->port, 80);
  Capnet__TcpSetOptionsRequest rq = CAPNET__TCP_SET_OPTIONS_REQUEST__INIT;
  Capnet__TcpOptions o = CAPNET__TCP_OPTIONS__INIT;
  o.has_keepalive_idle_s = o.has_keepalive_interval_s = o.has_keepalive_count = o.has_idle_timeout_ms = 1;
  o.keepalive_idle_s = 60;
  o.keepalive_interval_s = 5;
  o.keepalive_count = 3;
  o.idle_timeout_ms = 3600000;
  rq.options = &o;
  cr_expect_eq(code_of(&w, c.control, SOCKET_OPTIONS, &rq.base), 0);
  Capnet__TcpOptions only = CAPNET__TCP_OPTIONS__INIT; /* what is absent stays */
  only.has_nodelay = only.nodelay = 1;
  rq.options = &only;
  _answer_ struct answer b = call(&w, c.control, SOCKET_OPTIONS, &rq.base, &capnet__tcp_set_options_reply__descriptor);
  const Capnet__TcpOptions *in = ((Capnet__TcpSetOptionsReply *)b.body)->options;
  cr_expect(in->keepalive_idle_s == 60 && in->keepalive_interval_s == 5 && in->keepalive_count == 3);
  cr_expect(in->nodelay && in->idle_timeout_ms == 3600000 && in->user_timeout_ms == 0);
  o.keepalive_count = 128;
  rq.options = &o;
  expect_code(code_of(&w, c.control, SOCKET_OPTIONS, &rq.base), MALFORMED);
  rq.options = NULL;
  cr_expect_eq(code_of(&w, c.control, SOCKET_OPTIONS, &rq.base), 0);
  world_close(&w);
}

Test(cap_tcp, shutdown_abort_and_the_end_that_is_waited_for) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  struct conn c = connected(&w, fd, 80), d = connected(&w, fd, 80);
  uint64_t wait = ask(c.control, SOCKET_WAIT_END, NULL);
  (void)ask(c.control, SOCKET_WAIT_END, NULL);
  uint64_t gone = ask(c.control, SOCKET_WAIT_END, NULL);
  cancel(c.control, gone);
  world_run(&w, 0);
  _answer_ struct answer cancelled = hear(&w, c.control, NULL);
  expect_code(cancelled.code, CANCELLED);
  cr_assert_eq(send(c.data, "bye", 3, 0), 3);
  cr_expect_eq(code_of(&w, c.control, SOCKET_SHUTDOWN, NULL), 0);
  cr_expect_eq(code_of(&w, c.control, SOCKET_SHUTDOWN, NULL), 0);
  world_run(&w, 1000);
  cr_expect(w.peers[0].eof && w.peers[0].got == 3);
  expect_silence(&w, c.control);
  stack_conn_shutdown_write(w.peers[0].c);
  world_run(&w, 1000);
  _answer_ struct answer end = hear(&w, c.control, &capnet__tcp_status_reply__descriptor),
                         end2 = hear(&w, c.control, &capnet__tcp_status_reply__descriptor);
  cr_expect(end.call == wait && end2.got);
  cr_expect_eq(((Capnet__TcpStatusReply *)end.body)->end, CAPNET__TCP_END__TCP_END_CLOSED);
  cr_expect_null(((Capnet__TcpStatusReply *)end.body)->error);
  for (uint32_t m = SOCKET_OPTIONS; m <= SOCKET_ABORT; m++)
    expect_code(code_of(&w, c.control, m, NULL), CONFLICT);
  cr_expect_eq(code_of(&w, c.control, SOCKET_WAIT_END, NULL), 0);

  cr_expect_eq(code_of(&w, d.control, SOCKET_ABORT, NULL), 0);
  world_run(&w, 1000);
  cr_expect_eq(w.peers[1].why, STACK_END_RESET_BY_PEER);
  _answer_ struct answer a;
  const Capnet__TcpStatusReply *s = status_of(&w, d.control, &a);
  cr_expect_eq(s->end, CAPNET__TCP_END__TCP_END_RESET_LOCAL);
  cr_assert_not_null(s->error);
  expect_code(s->error->code, RESET);
  world_close(&w);
}

Test(cap_tcp, the_end_is_told_apart) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  struct conn reset = connected(&w, fd, 80), idle = connected(&w, fd, 80), lost = connected(&w, fd, 80);
  w.peers[0].c = stack_conn_abort(w.peers[0].c, STACK_END_RESET_LOCAL);
  Capnet__TcpSetOptionsRequest rq = CAPNET__TCP_SET_OPTIONS_REQUEST__INIT;
  Capnet__TcpOptions o = CAPNET__TCP_OPTIONS__INIT;
  o.has_idle_timeout_ms = 1;
  o.idle_timeout_ms = 1000;
  rq.options = &o;
  cr_expect_eq(code_of(&w, idle.control, SOCKET_OPTIONS, &rq.base), 0);
  world_run(&w, 2000);
  _answer_ struct answer a, b, c;
  cr_expect_eq(status_of(&w, reset.control, &a)->end, CAPNET__TCP_END__TCP_END_RESET_BY_PEER);
  cr_expect_eq(status_of(&w, idle.control, &b)->end, CAPNET__TCP_END__TCP_END_TIMED_OUT);
  expect_code(((Capnet__TcpStatusReply *)b.body)->error->code, TIMED_OUT);
  /* A renewal of the same address touches nothing; another address ends it. */
  cr_assert_eq(stack_if_set_ipv4(w.n.a, &w.n.addr_a, 24, NULL), 0);
  world_run(&w, 1000);
  cr_assert_eq(send(lost.data, "x", 1, 0), 1);
  world_run(&w, 1000);
  cr_expect_eq(w.peers[2].got, 1);
  struct net_addr other = addr_of("10.0.0.7");
  cr_assert_eq(stack_if_set_ipv4(w.n.a, &other, 24, NULL), 0);
  world_run(&w, 1000);
  cr_expect_eq(status_of(&w, lost.control, &c)->end, CAPNET__TCP_END__TCP_END_ADDRESS_LOST);
  expect_code(((Capnet__TcpStatusReply *)c.body)->error->code, ADDRESS_LOST);
  world_close(&w);
}

static void root_endpoints(void *arg, struct auth_node *n) {
  struct auth_limit_use use;
  auth_limit_use(n, LIMIT_ENDPOINTS, &use);
  if (!auth_parent(n))
    *(uint64_t *)arg += use.used;
}

static uint64_t endpoints_charged(struct world *w) {
  uint64_t sum = 0;
  auth_each(caps_tree(w->caps), root_endpoints, &sum);
  return sum;
}

Test(cap_tcp, control_and_data_are_closed_apart) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  struct conn c = connected(&w, fd, 80), d = connected(&w, fd, 80), e = connected(&w, fd, 80);
  const uint64_t charged = endpoints_charged(&w);
  drop(&w, c.control);
  world_run(&w, 1000);
  cr_expect_eq(endpoints_charged(&w), charged - 1, "a connection without its control has no endpoint");
  cr_assert_eq(send(c.data, "still", 5, 0), 5);
  world_run(&w, 1000);
  cr_expect_eq(w.peers[0].got, 5);
  uint64_t live = caps_now(&w).caps;
  drop(&w, c.data);
  world_run(&w, 1000);
  cr_expect_eq(caps_now(&w).caps, live - 1, "nobody holds it any more");
  cr_expect(w.peers[0].eof);
  drop(&w, d.data);
  world_run(&w, 1000);
  cr_expect(w.peers[1].eof);
  _answer_ struct answer a;
  cr_expect_eq(status_of(&w, d.control, &a)->end, CAPNET__TCP_END__TCP_END_CLOSED);
  /* Revoked while only the data are held. */
  drop(&w, e.control);
  world_run(&w, 0);
  cr_expect_eq(revoke_id(&w, fd, 0), 0);
  world_run(&w, 1000);
  cr_expect_eq(w.peers[2].why, STACK_END_RESET_BY_PEER);
  cr_expect_eq(recv(e.data, (char[1]){0}, 1, MSG_DONTWAIT), 0);
  world_close(&w);
}

/* Between the handshake and the answer the client may be gone: nobody holds the connection then. */
Test(cap_tcp, an_answer_that_nobody_reads) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  (void)ask_connect(fd, "10.0.0.2", 80);
  world_run(&w, 1000); /* the reply, with both descriptors, lies in the socket */
  cr_expect_eq(w.n_peers, 1);
  drop(&w, fd);
  world_run(&w, 1000);
  cr_expect_eq(caps_now(&w).caps, 0);
  cr_expect(w.peers[0].eof || w.peers[0].ended);
  world_close(&w);
}

static void note_info(void *arg, const struct flow_info *i) { *(struct flow_info *)arg = *i; }

Test(cap_tcp, the_receive_buffer_is_within_its_limit) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  struct conn c = connected(&w, take_one(&w, "small"), 80);
  (void)c;
  w.peers[0].to_send = 10000000;
  end_send(&w.peers[0]);
  world_run(&w, 60000);
  struct flow_info info = {0};
  flow_each(w.flows, note_info, &info);
  cr_expect_leq(info.conn.recv_capacity, 65536);
  cr_expect_leq(info.conn.recv_queue, 65536, "%zu", info.conn.recv_queue);
  cr_expect_eq(info.blocked, FLOW_BLOCKED_CLIENT_READING);
  world_close(&w);
}

/* Every budget that a connection takes besides its socket: the call ends with the reason, the peer with a reset. */
Test(cap_tcp, a_connection_that_cannot_be_handed_over) {
  struct world w;
  static const struct item_spec few[] = {{"a", AUTH_TCP_CONNECT, {"10.0.0.2:80"}, {{LIMIT_ENDPOINTS, 2}}, 0},
                                         {"b", AUTH_TCP_CONNECT, {"10.0.0.2:80"}, {{LIMIT_CHILDREN, 2}}, 0}};
  world_open(&w, few, 2);
  world_serve(&w, 80);
  for (int i = 0; i < 2; i++) {
    int fd = take_one(&w, i ? "b" : "a");
    struct conn c = connected(&w, fd, 80);
    (void)ask_connect(fd, "10.0.0.2", 80);
    world_run(&w, 1000);
    _answer_ struct answer a = hear(&w, fd, NULL);
    expect_code(a.code, OVER_BUDGET);
    cr_expect_str_eq(rule_of(&a), i ? "children" : "endpoints");
    cr_expect_str_eq(a.frame->error->grant, "web");
    drop(&w, c.data);
    drop(&w, c.control);
    world_run(&w, 1000);
    (void)connected(&w, fd, 80);
  }
  cr_expect_eq(w.n_peers, 4, "the others were reset before the far host could accept them: %u", w.n_peers);
  world_close(&w);
}

static const struct rlimit *lower_nofile(struct rlimit *was, unsigned left);

Test(cap_tcp, no_descriptor_left_for_a_connection) {
  struct world w;
  struct rlimit was;
  world_open(&w, items, N_ITEMS);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  for (unsigned left = 0; left < 4; left++) { /* control: two, data: two */
    (void)ask_connect(fd, "10.0.0.2", 80);
    (void)lower_nofile(&was, left);
    world_run(&w, 1000);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
    _answer_ struct answer a = hear(&w, fd, NULL);
    expect_code(a.code, LIMIT);
    world_run(&w, 1000);
  }
  (void)connected(&w, fd, 80);
  cr_expect_eq(w.n_peers, 1);
  world_close(&w);
}

static const struct rlimit *lower_nofile(struct rlimit *was, unsigned left) {
  cr_assert_eq(getrlimit(RLIMIT_NOFILE, was), 0);
  int probe = dup(0);
  cr_assert_geq(probe, 0);
  close(probe);
  struct rlimit now = {.rlim_cur = (rlim_t)probe + left, .rlim_max = was->rlim_max};
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
  return was;
}
