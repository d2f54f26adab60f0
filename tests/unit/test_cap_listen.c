/* SPDX-License-Identifier: BSD-3-Clause
 * Listening and accepting, over frames: where a listener may stand, both ways to accept, and how it ends.
 */
#include "cap_client.h"

TestSuite(cap_listen, .timeout = 60);

static const struct item_spec items[] = {
    {"iface", AUTH_TCP_LISTEN, {"interface-address:8080-8090"}, {{LIMIT_SOCKETS, 4}, {LIMIT_LISTEN_BACKLOG, 20}}, 0},
    {"any", AUTH_TCP_LISTEN, {"*:9000-9010"}, {{0}}, 0},
    {"exact", AUTH_TCP_LISTEN, {"10.0.0.2:9000", "10.0.0.9:9001", "10.0.0.1:9002"}, {{0}}, 0},
    {"tight", AUTH_TCP_LISTEN, {"*:9100"}, {{LIMIT_SOCKETS, 2}}, 0},
};
#define N_ITEMS ARRAY_SIZE(items)

/* Where "interface-address" is, and a client on the other host. */
static struct net_addr here(struct world *w, int listen_fd, uint32_t port, int *ret_listener) {
  _answer_ struct answer a = listen_at(w, listen_fd, "interface-address", port, 0);
  cr_assert_eq(a.n_fds, 1, "code %d: %s", a.code, a.frame->error ? a.frame->error->message : "");
  *ret_listener = a.fds[0];
  return addr_of(((Capnet__TcpListenReply *)a.body)->local->address);
}

static void dial(struct world *w, struct end *e, struct net_addr to, uint16_t port) {
  struct net_addr from = net_addr_equal(&to, &w->n.addr_a) ? w->n.addr_b : w->n.addr_a;
  struct net_endpoint l = ep(from, 0), r = ep(to, port);
  *e = (struct end){.n = &w->n};
  cr_assert_eq(stack_tcp_connect(w->n.s, &l, &r, &end_ops, e, &e->c), 0);
}

static void hang_up(struct end *e) { e->c = stack_conn_abort(e->c, STACK_END_RESET_LOCAL); }

Test(cap_listen, only_where_the_rights_say) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int iface = take_one(&w, "iface"), any = take_one(&w, "any"), exact = take_one(&w, "exact");
  const struct {
    int fd;
    const char *addr;
    uint32_t port;
    int code;
  } all[] = {{iface, "interface-address", 8079, ERR(DENIED)},
             {iface, "interface-address", 8091, ERR(DENIED)},
             {iface, "*", 8080, ERR(DENIED)},
             {iface, "10.0.0.9", 8080, ERR(DENIED)},
             {iface, "10.0.0.1", 8085, 0}, /* the same, by number */
             {iface, "127.0.0.1", 8080, ERR(DENIED)},
             {iface, "interface-address", 8080, 0},
             {iface, NULL, 8081, 0},
             {iface, "", 8090, 0},
             {any, "*", 8999, ERR(DENIED)},
             {any, "*", 9000, 0},
             {any, "0.0.0.0", 9001, 0},
             {any, "::", 9002, 0}, /* of IPv6 alone */
             {any, NULL, 9003, 0},
             {exact, "10.0.0.2", 9000, ERR(ADDRESS_IN_USE)}, /* beside the wildcard of another grant's item */
             {exact, "10.0.0.9", 9001, ERR(ADDRESS_NOT_AVAILABLE)},
             {exact, "10.0.0.2", 9001, ERR(DENIED)},
             {exact, "10.0.0.1", 9002, 0},
             {exact, "*", 9000, ERR(DENIED)},
             {exact, "224.0.0.1", 9000, ERR(DENIED)},
             {exact, "10.0.0.255", 9000, ERR(DENIED)},
             {iface, "interface-address", 0, ERR(MALFORMED)},
             {iface, "interface-address", 65536, ERR(MALFORMED)},
             {iface, "localhost", 8080, ERR(MALFORMED)},
             {iface, "10.0.0.1/32", 8080, ERR(MALFORMED)}};
  for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
    _answer_ struct answer a = listen_at(&w, all[i].fd, all[i].addr, all[i].port, 0);
    cr_expect_eq(a.code, all[i].code, "%zu: %s", i, a.code ? error_code_name((Capnet__ErrorCode)a.code) : "a reply");
  }
  expect_code(code_of(&w, iface, LISTEN, NULL), MALFORMED);
  world_close(&w);
}

/* The reverse: a wildcard does not take what a specific bind holds; an address that is nobody's cannot be bound. */
Test(cap_listen, a_wildcard_beside_a_specific_bind) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int any = take_one(&w, "any"), exact = take_one(&w, "exact");
  int l = listener_of(&w, exact, NULL, 9000);
  _answer_ struct answer taken = listen_at(&w, any, "*", 9000, 0);
  expect_code(taken.code, ADDRESS_IN_USE);
  drop(&w, l);
  world_run(&w, 0);
  _answer_ struct answer now = listen_at(&w, any, "*", 9000, 0);
  cr_expect_eq(now.code, 0);
  _answer_ struct answer nobody = listen_at(&w, exact, "10.0.0.9", 9001, 0);
  expect_code(nobody.code, ADDRESS_NOT_AVAILABLE);
  world_close(&w);
}

Test(cap_listen, backlog_and_sockets_at_their_bounds) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "iface"), tight = take_one(&w, "tight"), l;
  _answer_ struct answer over = listen_at(&w, fd, "interface-address", 8080, 21);
  expect_code(over.code, DENIED);
  cr_expect_str_eq(rule_of(&over), "listen.backlog");
  _answer_ struct answer most = listen_at(&w, fd, "interface-address", 8080, 20);
  cr_expect_eq(most.code, 0);
  Capnet__TcpListenRequest rq = CAPNET__TCP_LISTEN_REQUEST__INIT;
  rq.has_port = rq.has_backlog = 1;
  rq.port = 8081;
  expect_code(code_of(&w, fd, LISTEN, &rq.base), MALFORMED);
  for (uint32_t port = 8081; port < 8084; port++)
    (void)here(&w, fd, port, &l);
  _answer_ struct answer fifth = listen_at(&w, fd, "interface-address", 8084, 0);
  expect_code(fifth.code, OVER_BUDGET);
  cr_expect_str_eq(rule_of(&fifth), "sockets");
  cr_expect_str_eq(fifth.frame->error->grant, "web");
  drop(&w, l);
  world_run(&w, 0);
  (void)here(&w, fd, 8084, &l);
  /* A listener is a socket of the budget, and so is each connection it hands over. */
  struct end e[3];
  l = listener_of(&w, tight, "*", 9100);
  for (int i = 0; i < 2; i++) {
    dial(&w, &e[i], w.n.addr_b, 9100);
    world_run(&w, 1000);
    (void)ask(l, ACCEPT, NULL);
    world_run(&w, 0);
    _answer_ struct answer a = hear(&w, l, &capnet__tcp_connection__descriptor);
    if (i == 0) {
      (void)conn_of(&a);
    } else {
      expect_code(a.code, OVER_BUDGET);
      cr_expect_str_eq(rule_of(&a), "sockets");
      cr_expect_str_eq(a.frame->error->grant, "web");
    }
  }
  world_run(&w, 1000);
  cr_expect_eq(e[0].ended, 0);
  cr_expect_eq(e[1].why, STACK_END_RESET_BY_PEER);
  for (int i = 0; i < 2; i++)
    hang_up(&e[i]);
  world_close(&w);
}

Test(cap_listen, no_configuration_before_an_address) {
  struct world w;
  world_open_bare(&w, items, N_ITEMS);
  _answer_ struct answer a = listen_at(&w, take_one(&w, "iface"), "interface-address", 8080, 0),
                         b = listen_at(&w, take_one(&w, "any"), "*", 9000, 0),
                         c = listen_at(&w, take_one(&w, "iface"), NULL, 8080, 0),
                         d = listen_at(&w, take_one(&w, "exact"), "10.0.0.2", 9000, 0);
  expect_code(a.code, NO_CONFIGURATION);
  expect_code(b.code, NO_CONFIGURATION);
  expect_code(c.code, NO_CONFIGURATION);
  expect_code(d.code, NO_CONFIGURATION);
  world_close(&w);
}

/* --- accepting ---------------------------------------------------------------------------------------------------------- */

Test(cap_listen, accepts_park_in_order_and_are_cancelled) {
  struct world w;
  struct end e[3];
  int l;
  world_open(&w, items, N_ITEMS);
  struct net_addr at = here(&w, take_one(&w, "iface"), 8080, &l);
  uint64_t first = ask(l, ACCEPT, NULL), second = ask(l, ACCEPT, NULL), third = ask_until(l, ACCEPT, NULL, 5000);
  world_run(&w, 0);
  expect_silence(&w, l);
  cancel(l, first);
  world_run(&w, 0);
  _answer_ struct answer a = hear(&w, l, NULL);
  cr_expect_eq(a.call, first);
  expect_code(a.code, CANCELLED);
  dial(&w, &e[0], at, 8080);
  world_run(&w, 1000);
  _answer_ struct answer b = hear(&w, l, &capnet__tcp_connection__descriptor);
  cr_expect_eq(b.call, second);
  struct conn c = conn_of(&b);
  e[0].to_send = 1000;
  end_send(&e[0]);
  world_run(&w, 5000);
  char buf[2000];
  cr_expect_eq(recv(c.data, buf, sizeof buf, MSG_DONTWAIT), 1000);
  _answer_ struct answer d = hear(&w, l, NULL);
  cr_expect_eq(d.call, third);
  expect_code(d.code, DEADLINE);
  dial(&w, &e[1], at, 8080); /* delivered to no stale waiter */
  world_run(&w, 1000);
  expect_silence(&w, l);
  (void)ask(l, ACCEPT, NULL);
  world_run(&w, 0);
  _answer_ struct answer f = hear(&w, l, &capnet__tcp_connection__descriptor);
  (void)conn_of(&f);
  /* Closing the listener resets who waits and keeps who was accepted. */
  dial(&w, &e[2], at, 8080);
  world_run(&w, 1000);
  drop(&w, l);
  world_run(&w, 1000);
  cr_expect_eq(e[2].why, STACK_END_RESET_BY_PEER);
  cr_expect_eq(e[0].ended + e[1].ended, 0);
  for (int i = 0; i < 3; i++)
    hang_up(&e[i]);
  world_close(&w);
}

static int channel_of(struct world *w, int l) {
  _answer_ struct answer a = call(w, l, ACCEPT_CHANNEL, NULL, &capnet__tcp_accept_channel_reply__descriptor);
  cr_assert_eq(a.n_fds, 1);
  return a.fds[0];
}

Test(cap_listen, the_accept_channel_has_one_in_flight) {
  struct world w;
  struct end e[4];
  int l;
  world_open(&w, items, N_ITEMS);
  struct net_addr at = here(&w, take_one(&w, "iface"), 8080, &l);
  int ch = channel_of(&w, l);
  expect_code(code_of(&w, l, ACCEPT_CHANNEL, NULL), CONFLICT);
  for (int i = 0; i < 3; i++)
    dial(&w, &e[i], at, 8080);
  const uint64_t caps_before = caps_now(&w).caps;
  world_run(&w, 5000);
  cr_expect_eq(caps_now(&w).caps, caps_before + 1, "one made, the rest wait in the daemon");
  for (int i = 0; i < 3; i++) {
    _answer_ struct answer a = hear(&w, ch, &capnet__tcp_connection__descriptor);
    struct conn c = conn_of(&a);
    cr_expect_eq(a.kind, CAPNET__FRAME__KIND__REPLY);
    expect_silence(&w, ch);
    cr_assert_eq(send(c.data, "hi", 2, 0), 2);
    drop(&w, c.data);
    drop(&w, c.control);
    world_run(&w, 1000);
  }
  expect_silence(&w, ch);
  for (int i = 0; i < 3; i++) {
    cr_expect_eq(e[i].got, 2);
    hang_up(&e[i]);
  }
  /* A parked Accept goes before the channel; what nobody takes waits. */
  uint64_t id = ask(l, ACCEPT, NULL);
  world_run(&w, 0);
  dial(&w, &e[0], at, 8080);
  world_run(&w, 1000);
  _answer_ struct answer a = hear(&w, l, NULL);
  cr_expect_eq(a.call, id);
  expect_silence(&w, ch);
  /* A closed channel gives its place back. */
  drop(&w, ch);
  world_run(&w, 0);
  dial(&w, &e[1], at, 8080);
  world_run(&w, 1000);
  cr_expect_eq(e[1].ended, 0);
  ch = channel_of(&w, l);
  world_run(&w, 0);
  _answer_ struct answer b = hear(&w, ch, &capnet__tcp_connection__descriptor);
  (void)conn_of(&b);
  hang_up(&e[0]);
  hang_up(&e[1]);
  world_close(&w);
}

/* Each connection that the budget has no room for is reset; those behind it are not forgotten. */
Test(cap_listen, the_channel_goes_on_after_a_refusal) {
  struct world w;
  struct end e[5];
  world_open(&w, items, N_ITEMS);
  int l = listener_of(&w, take_one(&w, "tight"), "*", 9100), ch = channel_of(&w, l);
  (void)ask(l, ACCEPT, NULL);
  dial(&w, &e[0], w.n.addr_b, 9100);
  world_run(&w, 2000);
  _answer_ struct answer a = hear(&w, l, &capnet__tcp_connection__descriptor);
  struct conn c = conn_of(&a);
  for (int i = 1; i < 4; i++)
    dial(&w, &e[i], w.n.addr_b, 9100);
  world_run(&w, 2000);
  expect_silence(&w, ch);
  unsigned reset = 0;
  for (int i = 0; i < 4; i++)
    reset += e[i].why == STACK_END_RESET_BY_PEER;
  cr_expect_eq(reset, 3, "%u", reset);
  drop(&w, c.data);
  drop(&w, c.control);
  world_run(&w, 1000);
  dial(&w, &e[4], w.n.addr_b, 9100);
  world_run(&w, 1000);
  _answer_ struct answer b = hear(&w, ch, &capnet__tcp_connection__descriptor);
  (void)conn_of(&b);
  for (int i = 0; i < 5; i++)
    hang_up(&e[i]);
  world_close(&w);
}

/* A client that never reads its channel holds one connection, and the backlog holds the rest. */
Test(cap_listen, an_unread_channel_spins_nothing) {
  struct world w;
  struct end e[6];
  int l;
  world_open(&w, items, N_ITEMS);
  struct net_addr at = here(&w, take_one(&w, "iface"), 8080, &l);
  (void)channel_of(&w, l);
  for (int i = 0; i < 6; i++)
    dial(&w, &e[i], at, 8080);
  world_run(&w, 5000);
  struct loop_stats before, after;
  loop_get_stats(w.n.loop, &before);
  world_run(&w, 1000);
  loop_get_stats(w.n.loop, &after);
  cr_expect_leq(after.watch_calls - before.watch_calls, 4, "%lu", (unsigned long)(after.watch_calls - before.watch_calls));
  for (int i = 0; i < 6; i++)
    hang_up(&e[i]);
  world_close(&w);
}

/* --- the address --------------------------------------------------------------------------------------------------------- */

Test(cap_listen, the_listener_follows_the_address) {
  struct world w;
  struct end e[2];
  int l;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "iface");
  struct net_addr at = here(&w, fd, 8080, &l);
  char text[NET_ADDR_STRLEN];
  /* By number it is bound to that address, whatever rule allowed it. */
  int exact = listener_of(&w, fd, net_addr_format(&at, text), 8081), parked = listener_of(&w, fd, text, 8082);
  int ch = channel_of(&w, parked);
  (void)ask(exact, ACCEPT, NULL);
  dial(&w, &e[0], at, 8080);
  world_run(&w, 1000);
  (void)ask(l, ACCEPT, NULL);
  world_run(&w, 0);
  _answer_ struct answer a = hear(&w, l, &capnet__tcp_connection__descriptor);
  struct conn c = conn_of(&a);
  (void)ask(l, ACCEPT, NULL);
  struct stack_if *i = net_addr_equal(&at, &w.n.addr_a) ? w.n.a : w.n.b;
  cr_assert_eq(stack_if_set_ipv4(i, &at, 24, NULL), 0); /* a renewal */
  world_run(&w, 1000);
  expect_silence(&w, l);
  cr_assert_eq(send(c.data, "x", 1, 0), 1);
  world_run(&w, 1000);
  cr_expect_eq(e[0].got, 1);
  struct net_addr other = addr_of("10.0.0.77");
  cr_assert_eq(stack_if_set_ipv4(i, &other, 24, NULL), 0);
  world_run(&w, 1000);
  _answer_ struct answer lost = hear(&w, exact, NULL);
  expect_code(lost.code, ADDRESS_LOST);
  expect_code(code_of(&w, exact, ACCEPT, NULL), ADDRESS_LOST);
  expect_code(code_of(&w, exact, ACCEPT_CHANNEL, NULL), ADDRESS_LOST);
  _answer_ struct answer eof = hear(&w, ch, NULL);
  cr_expect(eof.eof);
  (void)ask(c.control, SOCKET_STATUS, NULL);
  world_run(&w, 0);
  _answer_ struct answer s = hear(&w, c.control, &capnet__tcp_status_reply__descriptor);
  cr_expect_eq(((Capnet__TcpStatusReply *)s.body)->end, CAPNET__TCP_END__TCP_END_ADDRESS_LOST);
  /* "interface-address" is the new one now: the call that is parked gets who comes there. */
  expect_silence(&w, l);
  const struct net_endpoint from = ep(net_addr_equal(&at, &w.n.addr_a) ? w.n.addr_b : w.n.addr_a, 0), to = ep(other, 8080);
  e[1] = (struct end){.n = &w.n};
  cr_assert_eq(stack_tcp_connect(w.n.s, &from, &to, &end_ops, &e[1], &e[1].c), 0);
  world_run(&w, 1000);
  _answer_ struct answer came = hear(&w, l, &capnet__tcp_connection__descriptor);
  cr_assert_eq(came.code, 0);
  cr_expect_str_eq(((Capnet__TcpConnection *)came.body)->local->address, "10.0.0.77");
  struct net_addr now = here(&w, fd, 8082, &parked); /* the place is free */
  cr_expect(net_addr_equal(&now, &other));
  hang_up(&e[1]);
  hang_up(&e[0]);
  world_close(&w);
}
