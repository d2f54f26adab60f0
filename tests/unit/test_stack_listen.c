/* SPDX-License-Identifier: BSD-3-Clause
 * Listeners that follow the address of their interface: through its loss and return, what they reserve, how they end.
 */
#include "stack_end.h"

static struct net net;

static struct stack_listener_info info_of(const struct stack_listener *l) {
  struct stack_listener_info info;
  stack_listener_info(l, &info);
  return info;
}

/* A listener that writes down what it is told. */
struct ear {
  struct stack_listener *l;
  unsigned acceptable, ended;
  enum stack_end why;
};

static void ear_acceptable(void *arg) { ((struct ear *)arg)->acceptable++; }
static void ear_ended(void *arg, enum stack_end why) {
  struct ear *ear = arg;
  ear->ended++;
  ear->why = why;
}
static const struct stack_listener_ops ear_ops = {.acceptable = ear_acceptable, .ended = ear_ended};
static const struct stack_listen_options follows = {.backlog = 4, .follow = true};

static int ear_open(struct ear *ear, struct net_addr addr, uint16_t port, const struct stack_listen_options *o) {
  struct net_endpoint at = ep(addr, port);
  *ear = (struct ear){0};
  return stack_tcp_listen(net.s, &at, o, &ear_ops, ear, &ear->l);
}

/* Is it refused? Nothing is left behind when it is not. */
static int try_listen(struct net_addr addr, const struct stack_listen_options *o) {
  struct ear ear;
  int r = ear_open(&ear, addr, 80, o);
  stack_listener_close(ear.l);
  return r;
}

static void setup(void) { net_open(&net, NULL); }

static void teardown(void) {
  run(&net, 400 * SEC);
  struct stack_stats st = stats_of(&net);
  cr_expect_eq(st.asserts, 0);
  cr_expect_eq(st.tcp_active, 0);
  cr_expect_eq(st.tcp_time_wait, 0);
  cr_expect_eq(st.tcp_listening, 0);
  cr_expect_eq(st.pbuf_bytes, 0, "%lu", (unsigned long)st.pbuf_bytes);
  net_close(&net);
}

TestSuite(stack_follow, .init = setup, .fini = teardown, .timeout = 60);

static uint64_t frames_from_b(void) {
  struct stack_if_info info;
  stack_if_info(net.b, &info);
  return info.nic.tx_frames;
}

/* A connection from a to where the listener is now, accepted, with bytes both ways. */
static void reaches(struct ear *ear, struct net_addr addr, struct end *client, struct end *server) {
  net.addr_b = addr;
  *client = (struct end){.to_send = 3000};
  *server = (struct end){.to_send = 2000};
  unsigned told = ear->acceptable;
  end_connect(client, &net, info_of(ear->l).local.port);
  run(&net, 1 * SEC);
  cr_assert_eq(client->connected, 1);
  cr_assert_eq(ear->acceptable, told + 1);
  cr_assert_eq(stack_listener_accept(ear->l, &end_ops, server, &server->c), 0);
  end_send(server);
  run(&net, 1 * SEC);
  cr_expect_eq(client->got, 2000);
  cr_expect_eq(server->got, 3000);
}

static void leave(struct end *e1, struct end *e2) {
  e1->c = stack_conn_abort(e1->c, STACK_END_REVOKED);
  e2->c = stack_conn_abort(e2->c, STACK_END_REVOKED);
}

/* Loses its address with a connection accepted and one that waits, gets `next`, and is there again. */
static void goes_and_comes(struct net_addr next) {
  struct ear ear;
  struct end before[2], waits = {0}, after[2];
  cr_assert_eq(ear_open(&ear, net.addr_b, 0, &follows), 0);
  const struct net_endpoint first = info_of(ear.l).local;
  reaches(&ear, net.addr_b, &before[0], &before[1]);
  end_connect(&waits, &net, first.port);
  run(&net, 1 * SEC);
  struct stack_listener_info info = info_of(ear.l);
  cr_assert_eq(info.waiting, 1);
  cr_expect(info.bound);
  cr_expect(net_addr_equal(&info.local.addr, &net.addr_b));

  uint64_t sent = frames_from_b();
  stack_if_clear_ipv4(net.b);
  info = info_of(ear.l);
  cr_expect(!info.bound);
  cr_expect_eq(info.local.addr.family, 0);
  cr_expect_eq(info.local.port, first.port);
  cr_expect_eq(info.waiting + info.half_open, 0);
  cr_expect_eq(stats_of(&net).tcp_listening, 0);
  run(&net, 1 * SEC);
  cr_expect_eq(frames_from_b(), sent, "the address may be somebody else's already");
  cr_expect_eq(before[1].ended, 1);
  cr_expect_eq(before[1].why, STACK_END_ADDRESS_LOST);
  cr_expect_eq(ear.ended, 0);
  cr_expect_eq(stack_listener_accept(ear.l, &end_ops, &waits, &waits.c), -EAGAIN);

  cr_assert_eq(stack_if_set_ipv4(net.b, &next, 24, NULL), 0);
  info = info_of(ear.l);
  cr_expect(info.bound);
  cr_expect(net_addr_equal(&info.local.addr, &next));
  cr_expect_eq(info.local.port, first.port);
  cr_expect_eq(info.backlog, 4);
  reaches(&ear, next, &after[0], &after[1]);
  cr_expect_eq(ear.ended, 0);
  cr_expect_eq(info_of(ear.l).accepted, 2);
  leave(&before[0], &before[1]);
  leave(&after[0], &after[1]);
  stack_conn_abort(waits.c, STACK_END_REVOKED);
  stack_listener_close(ear.l);
}

Test(stack_follow, to_the_same_address) { goes_and_comes(net.addr_b); }
Test(stack_follow, to_another_address) { goes_and_comes(addr_of("10.0.0.77")); }

/* In one step, without a moment in between: what was there ends all the same. */
Test(stack_follow, when_the_address_is_replaced) {
  struct ear ear;
  struct end before[2], after[2];
  struct net_addr next = addr_of("10.0.0.77"), old = net.addr_b;
  cr_assert_eq(ear_open(&ear, old, 80, &follows), 0);
  reaches(&ear, old, &before[0], &before[1]);
  cr_assert_eq(stack_if_set_ipv4(net.b, &old, 24, NULL), 0);
  run(&net, 1 * SEC);
  cr_expect_eq(before[1].ended, 0, "a renewal touches nothing");
  cr_assert_eq(stack_if_set_ipv4(net.b, &next, 24, NULL), 0);
  run(&net, 1 * SEC);
  cr_expect_eq(before[1].why, STACK_END_ADDRESS_LOST);
  reaches(&ear, next, &after[0], &after[1]);
  cr_expect_eq(ear.ended, 0);
  cr_expect_eq(stats_of(&net).tcp_listening, 1);
  leave(&before[0], &before[1]);
  leave(&after[0], &after[1]);
  stack_listener_close(ear.l);
}

/* Another interface's address, even the one that was lost, is none of its. */
Test(stack_follow, its_own_interface_only) {
  struct ear ear;
  struct end before[2];
  struct net_addr was = net.addr_b;
  cr_assert_eq(ear_open(&ear, was, 80, &follows), 0);
  stack_if_clear_ipv4(net.b);
  cr_assert_eq(stack_if_set_ipv4(net.a, &was, 24, NULL), 0);
  run(&net, 1 * SEC);
  cr_expect(!info_of(ear.l).bound);
  cr_expect_eq(stats_of(&net).tcp_listening, 0);
  cr_assert_eq(stack_if_set_ipv4(net.b, &net.addr_a, 24, NULL), 0);
  cr_expect(info_of(ear.l).bound);
  was = net.addr_a;
  net.addr_a = net.addr_b;
  reaches(&ear, was, &before[0], &before[1]);
  leave(&before[0], &before[1]);
  stack_listener_close(ear.l);
}

/* Without the option it ends, and nothing brings it back. */
Test(stack_follow, who_does_not_follow_ends) {
  struct ear ear;
  struct end client = {0};
  cr_assert_eq(ear_open(&ear, net.addr_b, 80, BACKLOG(4)), 0);
  stack_if_clear_ipv4(net.b);
  run(&net, 1 * SEC);
  cr_expect_eq(ear.ended, 1);
  cr_expect_eq(ear.why, STACK_END_ADDRESS_LOST);
  cr_assert_eq(stack_if_set_ipv4(net.b, &net.addr_b, 24, NULL), 0);
  cr_expect(!info_of(ear.l).bound);
  end_connect(&client, &net, 80);
  run(&net, 1 * SEC);
  cr_expect_eq(client.why, STACK_END_REFUSED);
  cr_expect_eq(try_listen(net.addr_b, &follows), 0, "its port is free");
  stack_conn_close(client.c);
  stack_listener_close(ear.l);
}

/* --- the port of who follows -------------------------------------------------------------------------------------- */

static void nobody_else_has_port_80(void) {
  const struct net_endpoint from = ep(net.addr_a, 80), to = ep(addr_of("10.0.0.9"), 9);
  struct stack_conn *c = NULL;
  cr_expect_eq(try_listen(net.addr_a, BACKLOG(1)), -EADDRINUSE);
  cr_expect_eq(try_listen(net.addr_a, &follows), -EADDRINUSE);
  cr_expect_eq(try_listen((struct net_addr){0}, BACKLOG(1)), -EADDRINUSE);
  cr_expect_eq(stack_tcp_connect(net.s, &from, &to, &end_ops, NULL, &c), -EADDRINUSE, "nor as a source port");
}

Test(stack_follow, the_port_is_kept) {
  struct ear ear;
  cr_assert_eq(ear_open(&ear, net.addr_b, 80, &follows), 0);
  nobody_else_has_port_80();
  cr_expect_eq(try_listen(net.addr_b, BACKLOG(1)), -EADDRINUSE);
  stack_if_clear_ipv4(net.b);
  nobody_else_has_port_80();
  cr_assert_eq(stack_if_set_ipv4(net.b, &(struct net_addr){0}, 24, NULL), -EINVAL);
  nobody_else_has_port_80();
  cr_assert_eq(stack_if_set_ipv4(net.b, &net.addr_b, 24, NULL), 0);
  nobody_else_has_port_80();
  stack_listener_close(ear.l);
  cr_expect_eq(try_listen(net.addr_a, BACKLOG(1)), 0);
  cr_expect_eq(try_listen((struct net_addr){0}, BACKLOG(1)), 0);
  cr_expect_eq(try_listen(net.addr_b, &follows), 0);
}

/* It could have to go where somebody stands already, so it does not begin. */
Test(stack_follow, not_beside_another_s_port) {
  struct ear other;
  cr_assert_eq(ear_open(&other, net.addr_a, 80, BACKLOG(1)), 0);
  cr_expect_eq(try_listen(net.addr_b, &follows), -EADDRINUSE);
  cr_expect_eq(try_listen(net.addr_b, BACKLOG(1)), 0, "who stays where it is may");
  stack_listener_close(other.l);
}

Test(stack_follow, closed_while_it_is_nowhere) {
  struct ear ear;
  struct end client = {0};
  cr_assert_eq(ear_open(&ear, net.addr_b, 80, &follows), 0);
  stack_if_clear_ipv4(net.b);
  stack_listener_close(ear.l);
  cr_expect_eq(try_listen((struct net_addr){0}, BACKLOG(1)), 0, "the port is free at once");
  cr_assert_eq(stack_if_set_ipv4(net.b, &net.addr_b, 24, NULL), 0);
  cr_expect_eq(stats_of(&net).tcp_listening, 0);
  end_connect(&client, &net, 80);
  run(&net, 1 * SEC);
  cr_expect_eq(client.why, STACK_END_REFUSED);
  cr_expect_eq(ear.ended, 0);
  stack_conn_close(client.c);
}

/* --- the end of who follows --------------------------------------------------------------------------------------- */

Test(stack_follow, no_memory_to_open_again) {
  struct ear ear;
  struct stack_limits limits = STACK_LIMITS_DEFAULT;
  cr_assert_eq(ear_open(&ear, net.addr_b, 80, &follows), 0);
  stack_if_clear_ipv4(net.b);
  limits.memory = 1;
  stack_set_limits(net.s, &limits);
  cr_assert_eq(stack_if_set_ipv4(net.b, &net.addr_b, 24, NULL), 0, "that is not the interface's trouble");
  stack_set_limits(net.s, &(struct stack_limits)STACK_LIMITS_DEFAULT);
  run(&net, 1 * SEC);
  cr_expect_eq(ear.ended, 1);
  cr_expect_eq(ear.why, STACK_END_LIMIT);
  cr_expect(!info_of(ear.l).bound);
  cr_expect_eq(try_listen(net.addr_b, &follows), 0, "its port is free");
  stack_if_clear_ipv4(net.b);
  cr_assert_eq(stack_if_set_ipv4(net.b, &net.addr_b, 24, NULL), 0);
  run(&net, 1 * SEC);
  cr_expect_eq(stats_of(&net).tcp_listening, 0, "it is over for good");
  cr_expect_eq(ear.ended, 1);
  stack_listener_close(ear.l);
}

Test(stack_follow, the_interface_goes_while_it_has_no_address) {
  struct ear ear;
  cr_assert_eq(ear_open(&ear, net.addr_a, 80, &follows), 0);
  stack_if_clear_ipv4(net.a);
  run(&net, 1 * SEC);
  cr_expect_eq(ear.ended, 0);
  nic_gone(net.nic_a, -EIO);
  run(&net, 1 * SEC);
  cr_expect_eq(ear.ended, 1);
  cr_expect_eq(ear.why, STACK_END_ADDRESS_LOST);
  cr_expect_eq(try_listen(net.addr_b, BACKLOG(1)), 0, "its port is free");
  stack_listener_close(ear.l);
}

Test(stack_follow, the_interface_goes_with_its_address) {
  struct ear ear;
  cr_assert_eq(ear_open(&ear, net.addr_a, 80, &follows), 0);
  nic_gone(net.nic_a, -EIO);
  cr_expect_eq(try_listen(net.addr_a, &follows), -EADDRNOTAVAIL);
  run(&net, 1 * SEC);
  cr_expect_eq(ear.ended, 1);
  cr_expect_eq(ear.why, STACK_END_ADDRESS_LOST);
  stack_listener_close(ear.l);
}

Test(stack_follow, a_wildcard_is_everywhere_anyway) {
  struct ear ear;
  struct end before[2];
  struct net_addr next = addr_of("10.0.0.77");
  cr_assert_eq(ear_open(&ear, (struct net_addr){0}, 80, &follows), 0);
  stack_if_clear_ipv4(net.a);
  stack_if_clear_ipv4(net.b);
  cr_expect(info_of(ear.l).bound);
  cr_assert_eq(stack_if_set_ipv4(net.a, &net.addr_a, 24, NULL), 0);
  cr_assert_eq(stack_if_set_ipv4(net.b, &next, 24, NULL), 0);
  reaches(&ear, next, &before[0], &before[1]);
  cr_expect_eq(ear.ended, 0);
  leave(&before[0], &before[1]);
  stack_listener_close(ear.l);
}

/* --- a SYN too many, as the peer's TCP sees it; test_stack_overflow.c has the rest -------------------------------- */

TestSuite(stack_listen, .init = setup, .fini = teardown, .timeout = 60);

Test(stack_listen, who_is_refused_knows_at_once) {
  const struct stack_listen_options o = {.backlog = 1, .overflow = STACK_OVERFLOW_REFUSE};
  struct ear ear;
  struct end in = {0}, out = {0};
  struct stack_conn_info info;
  cr_assert_eq(ear_open(&ear, net.addr_b, 80, &o), 0);
  end_connect(&in, &net, 80);
  run(&net, 100 * MS);
  end_connect(&out, &net, 80);
  run(&net, 100 * MS);
  cr_expect_eq(in.connected, 1);
  cr_expect_eq(in.ended, 0);
  cr_expect_eq(out.why, STACK_END_REFUSED);
  stack_conn_info(out.c, &info);
  cr_expect_eq(info.end_error, -ECONNREFUSED);
  cr_expect_eq(info_of(ear.l).refused, 1);
  stack_conn_close(in.c);
  stack_conn_close(out.c);
  stack_listener_close(ear.l);
}

/* Before anybody accepts it, and before its first byte. */
Test(stack_listen, connections_begin_with_the_listener_s_options) {
  const struct stack_listen_options o = {.backlog = 4, .conn = {.congestion = "reno", .nodelay = true, .idle_timeout_ms = 5000}};
  const struct stack_listen_options bad[] = {{.backlog = 4, .conn = {.congestion = "vegas"}},
                                             {.backlog = 4, .conn = {.keepalive_idle_s = 32768}}};
  struct ear ear;
  struct end client = {0}, server = {0};
  struct stack_conn_info info;
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
    cr_expect_eq(try_listen(net.addr_b, &bad[i]), -EINVAL);
  cr_assert_eq(ear_open(&ear, net.addr_b, 80, &o), 0);
  end_connect(&client, &net, 80);
  run(&net, 20 * SEC);
  cr_expect_eq(client.connected, 1);
  cr_expect_eq(client.ended, 0, "what waits in the backlog is nobody's idle connection yet");
  cr_assert_eq(stack_listener_accept(ear.l, &end_ops, &server, &server.c), 0);
  stack_conn_info(server.c, &info);
  cr_expect_str_eq(info.congestion, "reno");
  cr_expect(info.options.nodelay);
  stack_conn_info(client.c, &info);
  cr_expect_str_eq(info.congestion, "cubic", "the peer's is its own affair");
  run(&net, 4900 * MS);
  cr_expect_eq(server.ended, 0);
  run(&net, 200 * MS);
  cr_expect_eq(server.why, STACK_END_TIMED_OUT);
  stack_conn_close(client.c);
  stack_conn_close(server.c);
  stack_listener_close(ear.l);
}
