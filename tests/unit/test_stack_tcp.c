/* SPDX-License-Identifier: BSD-3-Clause
 * TCP of the stack: opening, both queues, both ways to close, every reason to end, time-outs, what is told of it.
 */
#include "stack_end.h"

static struct net net;
static struct end client, server;

static void setup(void) {
  net_open(&net, NULL);
  memset(&client, 0, sizeof client);
  memset(&server, 0, sizeof server);
}

static void teardown(void) {
  client.c = stack_conn_close(client.c);
  server.c = stack_conn_close(server.c);
  run(&net, 120 * SEC);
  struct stack_stats st = stats_of(&net);
  cr_expect_eq(st.asserts, 0, "%lu assertions of lwIP failed", (unsigned long)st.asserts);
  cr_expect_eq(st.tcp_active, 0);
  cr_expect_eq(st.tcp_time_wait, 0);
  cr_expect_eq(st.tcp_listening, 0);
  cr_expect_eq(st.udp, 0);
  cr_expect_eq(st.pbuf_bytes, 0, "%lu bytes of packets are left", (unsigned long)st.pbuf_bytes);
  net_close(&net);
}

TestSuite(stack_tcp, .init = setup, .fini = teardown, .timeout = 60);

Test(stack_tcp, connects_and_moves_bytes_both_ways) {
  client.to_send = 1000000;
  server.to_send = 700001;
  end_pair(&net, &client, &server);
  end_send(&server);
  run(&net, 20 * SEC);
  cr_expect_eq(client.connected, 1);
  cr_expect_eq(server.got, client.to_send);
  cr_expect_eq(client.got, server.to_send);
  cr_expect(!client.bad && !server.bad);
  cr_expect_eq(stack_conn_unacked(client.c), 0);
  cr_expect_gt(client.acked, 0);
  end_close(&client);
  run(&net, 1 * SEC);
  cr_expect(server.eof);
  cr_expect_eq(server.ended, 0, "half closed only");
}

Test(stack_tcp, half_close_goes_both_ways) {
  client.to_send = 10;
  client.shut_after = true;
  end_pair(&net, &client, &server);
  run(&net, 1 * SEC);
  cr_expect(server.eof);
  cr_expect_eq(server.ended, 0);
  struct iovec iov[2];
  cr_expect_eq(stack_conn_send_space(client.c, iov), 0);
  cr_expect_eq(stack_conn_send_commit(client.c, 0), -EPIPE);
  server.to_send = 5000;
  server.shut_after = true;
  end_send(&server);
  run(&net, 1 * SEC);
  cr_expect_eq(client.got, 5000);
  cr_expect(client.eof);
  cr_expect_eq(client.ended, 1);
  cr_expect_eq(client.why, STACK_END_CLOSED);
  cr_expect_eq(server.why, STACK_END_CLOSED);
  cr_expect_eq(stats_of(&net).tcp_time_wait, 1);
}

Test(stack_tcp, refused) {
  end_connect(&client, &net, 81);
  run(&net, 1 * SEC);
  cr_expect_eq(client.ended, 1);
  cr_expect_eq(client.why, STACK_END_REFUSED);
  struct stack_conn_info info;
  stack_conn_info(client.c, &info);
  cr_expect_eq(info.end_error, -ECONNREFUSED);
  cr_expect_eq(info.remote.port, 81);
}

Test(stack_tcp, close_with_unread_bytes_resets) {
  end_pair(&net, &client, &server);
  server.hold = true;
  client.to_send = 100;
  end_send(&client);
  run(&net, 1 * SEC);
  cr_expect_eq(stack_conn_unread(server.c), 100);
  end_close(&server);
  run(&net, 1 * SEC);
  cr_expect_eq(client.ended, 1);
  cr_expect_eq(client.why, STACK_END_RESET_BY_PEER);
}

Test(stack_tcp, close_after_reading_is_a_fin_even_with_a_small_window) {
  end_pair(&net, &client, &server);
  stack_conn_set_rcvbuf(server.c, 8192);
  client.to_send = 100;
  end_send(&client);
  run(&net, 1 * SEC);
  end_close(&server);
  run(&net, 1 * SEC);
  cr_expect(client.eof);
  cr_expect_eq(client.ended, 0);
}

Test(stack_tcp, close_delivers_what_is_queued) {
  end_pair(&net, &client, &server);
  server.hold = true;
  client.to_send = 400000;
  stack_conn_set_rcvbuf(server.c, 16384);
  end_send(&client);
  cr_assert_eq(client.sent, 400000);
  end_close(&client);
  run(&net, 5 * SEC);
  server.hold = false;
  for (int i = 0; i < 200 && !server.eof; i++) {
    end_recv(&server);
    run(&net, 1 * SEC);
  }
  cr_expect_eq(server.got, 400000);
  cr_expect(server.eof && !server.bad);
}

Test(stack_tcp, abort_resets) {
  end_pair(&net, &client, &server);
  client.c = stack_conn_abort(client.c, STACK_END_REVOKED);
  run(&net, 1 * SEC);
  cr_expect_eq(server.why, STACK_END_RESET_BY_PEER);
}

/* The peer may send what the capacity allows and not a byte more, and goes on when there is room again. */
Test(stack_tcp, unconsumed_bytes_never_exceed_the_capacity) {
  end_pair(&net, &client, &server);
  server.hold = true;
  stack_conn_set_rcvbuf(server.c, 20000);
  run(&net, 100 * MS);
  client.to_send = 300000;
  end_send(&client);
  run(&net, 10 * SEC);
  cr_expect_leq(stack_conn_unread(server.c), 20000);
  cr_expect_gt(stack_conn_unread(server.c), 17000);
  struct stack_conn_info info;
  stack_conn_info(server.c, &info);
  cr_expect_eq(info.recv_capacity, 20000);
  cr_expect_lt(info.our_window, 2000);
  server.hold = false;
  end_recv(&server);
  run(&net, 30 * SEC);
  cr_expect_eq(server.got, 300000);
  cr_expect(!server.bad);
}

Test(stack_tcp, small_segments_do_not_cost_a_buffer_each) {
  end_pair(&net, &client, &server);
  server.hold = true;
  struct stack_conn_options o = {.nodelay = true};
  cr_assert_eq(stack_conn_set_options(client.c, &o), 0);
  for (int i = 0; i < 1000; i++) {
    client.to_send++;
    end_send(&client);
    run(&net, 1 * MS);
  }
  run(&net, 1 * SEC);
  cr_expect_eq(stack_conn_unread(server.c), 1000);
  cr_expect_lt(stats_of(&net).pbuf_bytes, 5000);
}

Test(stack_tcp, keepalive_finds_a_dead_peer) {
  end_pair(&net, &client, &server);
  struct stack_conn_options o = {.keepalive_idle_s = 10, .keepalive_interval_s = 2, .keepalive_count = 3};
  cr_assert_eq(stack_conn_set_options(client.c, &o), 0);
  run(&net, 60 * SEC);
  cr_expect_eq(client.ended, 0, "the peer answers");
  server.c = stack_conn_abort(server.c, STACK_END_REVOKED);
  memset(&server, 0, sizeof server);
  run(&net, 1 * SEC);
  cr_expect_eq(client.why, STACK_END_RESET_BY_PEER);
}

Test(stack_tcp, options_are_checked) {
  end_pair(&net, &client, &server);
  struct stack_conn_options bad[] = {
      {.keepalive_idle_s = 32768, .keepalive_interval_s = 1, .keepalive_count = 1},
      {.keepalive_idle_s = 1, .keepalive_interval_s = 0, .keepalive_count = 1},
      {.keepalive_idle_s = 1, .keepalive_interval_s = 32768, .keepalive_count = 1},
      {.keepalive_idle_s = 1, .keepalive_interval_s = 1, .keepalive_count = 128},
  };
  struct stack_conn_options most = {.keepalive_idle_s = 32767, .keepalive_interval_s = 32767, .keepalive_count = 127};
  cr_expect_eq(stack_conn_set_options(client.c, &most), 0);
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
    cr_expect_eq(stack_conn_set_options(client.c, &bad[i]), -EINVAL, "%zu", i);
}

Test(stack_tcp, idle_timeout) {
  end_pair(&net, &client, &server);
  struct stack_conn_options o = {.idle_timeout_ms = 5000};
  cr_assert_eq(stack_conn_set_options(client.c, &o), 0);
  run(&net, 3 * SEC);
  client.to_send = 1;
  end_send(&client);
  run(&net, 4 * SEC);
  cr_expect_eq(client.ended, 0, "it sent something");
  run(&net, 2 * SEC);
  cr_expect_eq(client.why, STACK_END_TIMED_OUT);
  cr_expect_eq(server.why, STACK_END_RESET_BY_PEER);
}

Test(stack_tcp, an_address_that_is_given_up_to_another_host) {
  end_pair(&net, &client, &server);
  stack_if_reset_ipv4(net.a);
  stack_if_clear_ipv4(net.a);
  run(&net, 1 * SEC);
  cr_expect_eq(client.ended, 1);
  cr_expect_eq(client.why, STACK_END_ADDRESS_LOST);
  cr_expect_eq(server.why, STACK_END_RESET_BY_PEER, "RFC 5227 2.4: it is told");
  stack_if_reset_ipv4(net.a);
  run(&net, 1 * SEC);
}

Test(stack_tcp, losing_the_address_ends_what_is_bound_to_it) {
  end_pair(&net, &client, &server);
  struct stack_listener *l;
  struct net_endpoint at = ep(net.addr_a, 1000);
  static const struct stack_listener_ops ops = {0};
  cr_assert_eq(stack_tcp_listen(net.s, &at, BACKLOG(1), &ops, NULL, &l), 0);
  cr_assert_eq(stack_if_set_ipv4(net.a, &net.addr_a, 24, NULL), 0);
  run(&net, 1 * SEC);
  cr_expect_eq(client.ended, 0, "a renewal touches nothing");
  stack_if_clear_ipv4(net.a);
  run(&net, 1 * SEC);
  cr_expect_eq(client.ended, 1);
  cr_expect_eq(client.why, STACK_END_ADDRESS_LOST);
  struct stack_conn_info info;
  stack_conn_info(client.c, &info);
  cr_expect_eq(info.remote.port, 80);
  cr_expect_eq(stats_of(&net).tcp_listening, 0);
  stack_listener_close(l);
  client.c = stack_conn_close(client.c);
  struct net_endpoint r = ep(net.addr_b, 80), la = ep(net.addr_a, 0);
  cr_expect_eq(stack_tcp_connect(net.s, &la, &r, &end_ops, &client, &client.c), -EADDRNOTAVAIL);
  server.c = stack_conn_abort(server.c, STACK_END_REVOKED);
  stack_if_clear_ipv4(net.b);
  cr_expect_eq(stack_tcp_connect(net.s, NULL, &r, &end_ops, &client, &client.c), -ENONET);
}

Test(stack_tcp, what_it_tells_is_true) {
  client.to_send = 5000;
  end_pair(&net, &client, &server);
  run(&net, 2 * SEC);
  struct stack_conn_info i;
  stack_conn_info(client.c, &i);
  cr_expect_eq(i.state, STACK_TCP_ESTABLISHED);
  cr_expect_str_eq(stack_tcp_state_name(i.state), "ESTAB");
  cr_expect_eq(i.mss, 1460 - 12, "both ends have timestamps");
  cr_expect_eq(i.mtu, 1500);
  cr_expect(i.has_rtt);
  cr_expect_lt(i.rtt_us, 100000);
  cr_expect_eq(i.rto_ms, 200);
  cr_expect_eq(i.bytes_out, 5000);
  cr_expect_eq(i.send_queue, 0);
  cr_expect_eq(i.retransmits, 0);
  cr_expect_eq(i.end, STACK_END_NONE);
  cr_expect_geq(i.our_window, 512 * 1024 - 256, "what a short path needs");
  stack_conn_info(server.c, &i);
  cr_expect_eq(i.bytes_in, 5000);
  cr_expect_geq(i.peer_window, 512 * 1024 - 256);
}

Test(stack_tcp, ports_cannot_be_guessed) {
  uint16_t ports[20];
  unsigned same = 0, rising = 0;
  for (int i = 0; i < 20; i++) {
    struct stack_conn_info info;
    end_connect(&client, &net, 9);
    stack_conn_info(client.c, &info);
    ports[i] = info.local.port;
    cr_expect_geq(ports[i], 32768);
    client.c = stack_conn_abort(client.c, STACK_END_REVOKED);
    same += i > 0 && ports[i] == ports[i - 1];
    rising += i > 0 && ports[i] == (uint16_t)(ports[i - 1] + 1);
  }
  cr_expect_lt(same + rising, 3);
}

/* A peer may have what was closed in TIME_WAIT: a port comes back after all others. The last of all is left out, since no
 * real socket could have it; who names it gets it. */
Test(stack_tcp, a_port_towards_the_same_peer_comes_back_last, .timeout = 120) {
  enum { PORTS = 32767 };
  static uint8_t seen[65536];
  const struct net_endpoint last = ep(net.addr_a, UINT16_MAX), to = ep(net.addr_b, 9);
  cr_assert_eq(stack_tcp_connect(net.s, &last, &to, &end_ops, &client, &client.c), 0);
  client.c = stack_conn_abort(client.c, STACK_END_REVOKED);
  seen[UINT16_MAX] = UINT8_MAX;
  for (unsigned i = 0; i < 2 * PORTS; i++) {
    struct stack_conn_info info;
    end_connect(&client, &net, 9);
    stack_conn_info(client.c, &info);
    client.c = stack_conn_abort(client.c, STACK_END_REVOKED);
    cr_assert_eq(seen[info.local.port], i / PORTS, "port %u, connection %u", info.local.port, i);
    seen[info.local.port]++;
    if (i % 256 == 0)
      run(&net, 0);
  }
}

/* --- listeners -------------------------------------------------------------------------------------------------- */

Test(stack_tcp, backlog_at_n_and_one_more) {
  struct stack_listener *l;
  struct net_endpoint at = ep(net.addr_b, 80);
  static const struct stack_listener_ops ops = {.acceptable = count_acceptable};
  unsigned told = 0;
  struct end many[4] = {0};
  struct stack_listener_info info;
  cr_expect_eq(stack_tcp_listen(net.s, &at, BACKLOG(0), &ops, &told, &l), -EINVAL);
  cr_expect_eq(stack_tcp_listen(net.s, &at, BACKLOG(STACK_LISTEN_BACKLOG_MAX + 1), &ops, &told, &l), -EINVAL);
  cr_assert_eq(stack_tcp_listen(net.s, &at, BACKLOG(3), &ops, &told, &l), 0);
  for (int i = 0; i < 4; i++)
    end_connect(&many[i], &net, 80);
  run(&net, 500 * MS);
  stack_listener_info(l, &info);
  cr_expect_eq(info.waiting, 3);
  cr_expect_eq(info.dropped, 1);
  cr_expect_eq(stats_of(&net).syn_dropped, 1);
  cr_expect_eq(many[0].connected + many[1].connected + many[2].connected + many[3].connected, 3);
  cr_assert_eq(stack_listener_accept(l, &end_ops, &server, &server.c), 0);
  run(&net, 2 * SEC);
  stack_listener_info(l, &info);
  cr_expect_eq(info.waiting, 3, "the SYN that was sent again found a place");
  cr_expect_eq(info.accepted, 1);
  stack_listener_close(l);
  run(&net, 1 * SEC);
  unsigned reset = 0;
  for (int i = 0; i < 4; i++) {
    reset += many[i].why == STACK_END_RESET_BY_PEER;
    stack_conn_close(many[i].c);
  }
  cr_expect_eq(reset, 3, "closing a listener resets what waits");
}

Test(stack_tcp, wildcard_and_specific_exclude_each_other) {
  struct stack_listener *any, *one, *two, *x;
  static const struct stack_listener_ops ops = {0};
  struct net_endpoint a = ep(net.addr_a, 80), b = ep(net.addr_b, 80), all = {.port = 80};
  cr_assert_eq(stack_tcp_listen(net.s, &a, BACKLOG(1), &ops, NULL, &one), 0);
  cr_assert_eq(stack_tcp_listen(net.s, &b, BACKLOG(1), &ops, NULL, &two), 0);
  cr_expect_eq(stack_tcp_listen(net.s, &all, BACKLOG(1), &ops, NULL, &x), -EADDRINUSE);
  cr_expect_eq(stack_tcp_listen(net.s, &a, BACKLOG(1), &ops, NULL, &x), -EADDRINUSE);
  stack_listener_close(one);
  stack_listener_close(two);
  cr_assert_eq(stack_tcp_listen(net.s, &all, BACKLOG(1), &ops, NULL, &any), 0);
  cr_expect_eq(stack_tcp_listen(net.s, &a, BACKLOG(1), &ops, NULL, &x), -EADDRINUSE);
  struct net_endpoint foreign = ep(addr_of("10.0.0.9"), 81);
  cr_expect_eq(stack_tcp_listen(net.s, &foreign, BACKLOG(1), &ops, NULL, &x), -EADDRNOTAVAIL);
  stack_listener_close(any);
}

Test(stack_tcp, what_dies_before_accept_disappears) {
  struct stack_listener *l;
  struct net_endpoint at = ep(net.addr_b, 80);
  static const struct stack_listener_ops ops = {.acceptable = count_acceptable};
  unsigned told = 0;
  cr_assert_eq(stack_tcp_listen(net.s, &at, BACKLOG(1), &ops, &told, &l), 0);
  for (int i = 0; i < 5; i++) {
    end_connect(&client, &net, 80);
    run(&net, 200 * MS);
    cr_expect_eq(client.connected, 1u + (unsigned)i, "its place is free again");
    client.c = stack_conn_abort(client.c, STACK_END_REVOKED);
    run(&net, 200 * MS);
    cr_expect_eq(stack_listener_accept(l, &end_ops, &server, &server.c), -EAGAIN);
  }
  stack_listener_close(l);
}

/* --- nobody wakes ----------------------------------------------------------------------------------------------- */

static uint64_t timer_calls(void) {
  struct loop_stats st;
  loop_get_stats(net.loop, &st);
  return st.timer_calls;
}

Test(stack_tcp, idle_connections_wake_nobody) {
  client.to_send = 100000;
  end_pair(&net, &client, &server);
  run(&net, 60 * SEC);
  uint64_t before = timer_calls();
  run(&net, 3600 * SEC);
  cr_expect_eq(timer_calls() - before, 0, "%lu wake-ups in an idle hour", (unsigned long)(timer_calls() - before));
  client.to_send += 1000;
  end_send(&client);
  run(&net, 5 * SEC);
  cr_expect_eq(server.got, 101000, "and it works after that");
}

Test(stack_tcp, after_time_wait_nobody_wakes) {
  end_pair(&net, &client, &server);
  end_close(&client);
  run(&net, 1 * SEC);
  end_close(&server);
  run(&net, 10 * SEC);
  cr_expect_eq(stats_of(&net).tcp_time_wait, 1);
  run(&net, 30 * SEC);
  cr_expect_eq(stats_of(&net).tcp_time_wait, 0);
  uint64_t before = timer_calls();
  run(&net, 3600 * SEC);
  cr_expect_eq(timer_calls() - before, 0);
}

Test(stack_tcp, a_connection_to_oneself) {
  struct stack_listener *l;
  struct net_endpoint at = ep(net.addr_a, 80);
  static const struct stack_listener_ops ops = {.acceptable = count_acceptable};
  unsigned told = 0;
  cr_assert_eq(stack_tcp_listen(net.s, &at, BACKLOG(1), &ops, &told, &l), 0);
  client.to_send = 100000;
  cr_assert_eq(stack_tcp_connect(net.s, &(struct net_endpoint){.addr = net.addr_a}, &at, &end_ops, &client, &client.c), 0);
  run(&net, 1 * SEC);
  cr_assert_eq(stack_listener_accept(l, &end_ops, &server, &server.c), 0);
  run(&net, 5 * SEC);
  cr_expect_eq(server.got, 100000);
  stack_listener_close(l);
}

Test(stack_tcp, a_link_that_comes_back_carries_on) {
  end_pair(&net, &client, &server);
  struct stack_if_info info;
  client.to_send = 200000;
  end_send(&client);
  nic_set_link(net.nic_a, false);
  run(&net, 20 * SEC);
  stack_if_info(net.a, &info);
  cr_expect(!info.link_up);
  cr_expect_lt(server.got, 200000);
  cr_expect_eq(client.ended, 0);
  struct net_endpoint local = ep(net.addr_a, 0), far = ep(net.addr_b, 80);
  struct stack_conn *x;
  cr_expect_eq(stack_tcp_connect(net.s, &local, &far, &end_ops, NULL, &x), -ENETUNREACH);
  nic_set_link(net.nic_a, true);
  run(&net, 60 * SEC);
  cr_expect_eq(server.got, 200000);
  cr_expect(!server.bad);
}
