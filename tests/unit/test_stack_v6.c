/* SPDX-License-Identifier: BSD-3-Clause
 * TCP, listeners, UDP and echo over IPv6, between two interfaces of one stack: what they do over IPv4 they do here.
 */
#include "stack_end.h"
#include "stack_seen.h"
#include "stack_util6.h"

static struct net net;
static struct net_addr v4_a, v4_b, link_a, link_b;

static void prefer(struct stack_if *i, const struct net_addr *a) {
  cr_assert_eq(stack_if_set_ipv6(i, a, 64, STACK_ADDR_PREFERRED), 0);
}

static void add_v6(void) {
  net_add_v6(&net);
  v4_a = net.addr_a;
  v4_b = net.addr_b;
  link_a = addr_of("fe80::1");
  link_b = addr_of("fe80::2");
  net.addr_a = addr_of("2001:db8::1");
  net.addr_b = addr_of("2001:db8::2");
}

static void setup(void) {
  net_open(&net, NULL);
  add_v6();
}

static void finish(void) {
  run(&net, 400 * SEC);
  struct stack_stats st = stats_of(&net);
  cr_expect_eq(st.asserts, 0);
  cr_expect_eq(st.tcp_active, 0);
  cr_expect_eq(st.tcp_time_wait, 0);
  cr_expect_eq(st.tcp_listening, 0);
  cr_expect_eq(st.udp, 0);
  cr_expect_eq(st.pbuf_bytes, 0, "%lu", (unsigned long)st.pbuf_bytes);
  cr_expect_eq(st.bad_checksum, 0);
  net_close(&net);
}

TestSuite(stack_v6, .init = setup, .fini = finish, .timeout = 60);

/* --- TCP -------------------------------------------------------------------------------------------------------- */

static void exchange(size_t there, size_t back) {
  struct end client = {.to_send = there, .shut_after = true}, server = {.to_send = back, .shut_after = true};
  end_pair(&net, &client, &server);
  end_send(&server);
  run(&net, 60 * SEC);
  cr_expect_eq(server.got, there);
  cr_expect_eq(client.got, back);
  cr_expect_not(client.bad || server.bad);
  cr_expect_eq(client.why, STACK_END_CLOSED);
  cr_expect_eq(server.why, STACK_END_CLOSED);
  end_close(&client);
  end_close(&server);
}

Test(stack_v6, bytes_both_ways) { exchange(1000000, 700000); }

Test(stack_v6, the_segment_is_what_the_headers_leave) {
  struct end client = {0}, server = {0};
  struct stack_conn_info info;
  end_pair(&net, &client, &server);
  stack_conn_info(client.c, &info);
  cr_expect_eq(info.mss, 1500 - 40 - 20 - 12, "%u: IPv6, TCP and timestamps", info.mss);
  cr_expect(net_addr_equal(&info.local.addr, &net.addr_a));
  cr_expect(net_addr_equal(&info.remote.addr, &net.addr_b));
  cr_expect_eq(info.path_mtu, 1500);
  end_close(&client);
  end_close(&server);
}

Test(stack_v6, a_smaller_mtu_of_the_link_counts) {
  struct end client = {0}, server = {0};
  struct stack_conn_info info;
  cr_assert_eq(stack_if_limit_mtu(net.a, AF_INET6, 1280, "test"), 0);
  end_pair(&net, &client, &server);
  stack_conn_info(server.c, &info);
  cr_expect_eq(info.mss, 1220 - 12, "%u", info.mss);
  end_close(&client);
  end_close(&server);
  exchange(100000, 100000);
}

Test(stack_v6, link_local_to_link_local) {
  net.addr_a = link_a;
  net.addr_b = link_b;
  exchange(30000, 30000);
}

/* Without a local address it is the one that RFC 6724 chooses. */
Test(stack_v6, the_source_is_chosen) {
  struct end client = {0};
  struct stack_conn_info info;
  struct net_endpoint to = ep(addr_of("2001:db8::77"), 80);
  cr_assert_eq(stack_tcp_connect(net.s, NULL, &to, &end_ops, &client, &client.c), 0);
  stack_conn_info(client.c, &info);
  cr_expect(net_addr_equal(&info.local.addr, &net.addr_a) || net_addr_equal(&info.local.addr, &net.addr_b));
  run(&net, 10 * SEC);
  cr_expect_eq(client.why, STACK_END_UNREACHABLE, "the neighbour does not answer");
  stack_conn_info(client.c, &info);
  cr_expect_eq(info.end_error, -EHOSTUNREACH);
  end_close(&client);
}

Test(stack_v6, where_there_is_no_way) {
  struct stack_conn *c = NULL;
  const struct net_endpoint far = ep(addr_of("2001:db8:1::1"), 80), group = ep(addr_of("ff02::1"), 80),
                            from = ep(addr_of("2001:db8::9"), 0), other = ep(v4_a, 0), to = ep(net.addr_b, 80);
  cr_expect_eq(stack_tcp_connect(net.s, NULL, &far, &end_ops, NULL, &c), -ENETUNREACH);
  cr_expect_eq(stack_tcp_connect(net.s, NULL, &group, &end_ops, NULL, &c), -ENETUNREACH);
  cr_expect_eq(stack_tcp_connect(net.s, &from, &to, &end_ops, NULL, &c), -EADDRNOTAVAIL);
  cr_expect_eq(stack_tcp_connect(net.s, &other, &to, &end_ops, NULL, &c), -EADDRNOTAVAIL, "of another family");
}

Test(stack_v6, a_closed_port_refuses) {
  struct end client = {0};
  end_connect(&client, &net, 81);
  run(&net, 1 * SEC);
  cr_expect_eq(client.why, STACK_END_REFUSED);
  end_close(&client);
}

Test(stack_v6, an_address_that_is_lost_takes_its_connections_along) {
  struct end client = {0}, server = {0}, other[2] = {{0}};
  struct net_addr second = addr_of("2001:db8::22"), first = net.addr_b;
  end_pair(&net, &client, &server);
  prefer(net.b, &second);
  run(&net, 1 * SEC);
  net.addr_b = second;
  end_pair(&net, &other[0], &other[1]);
  cr_assert_eq(stack_if_remove_ipv6(net.b, &first), 0);
  run(&net, 1 * SEC);
  cr_expect_eq(server.why, STACK_END_ADDRESS_LOST);
  cr_expect_eq(client.ended, 0, "nothing is sent from it");
  cr_expect_eq(other[1].ended, 0);
  end_close(&server);
  stack_conn_abort(client.c, STACK_END_REVOKED);
  for (int i = 0; i < 2; i++)
    end_close(&other[i]);
}

/* --- offloads --------------------------------------------------------------------------------------------------- */

static void with_features(unsigned features, uint64_t *ret_frames) {
  struct nic *a, *b;
  struct stack_if_info info;
  finish();
  net_wire(&net, 4096, NULL, &a, &b);
  a->features = b->features = features;
  net_start(&net, a, b);
  add_v6();
  exchange(1000000, 100);
  stack_if_info(net.a, &info);
  *ret_frames = info.nic.tx_frames;
}

Test(stack_v6, segments_that_the_device_cuts) {
  uint64_t frames;
  with_features(NIC_TX_CSUM | NIC_TX_TSO6 | NIC_RX_CSUM | NIC_RX_TSO6, &frames);
  cr_expect_lt(frames, 1000000 / 1440 / 2, "%lu", (unsigned long)frames);
}

Test(stack_v6, segments_that_are_cut_for_the_device) {
  uint64_t frames;
  with_features(NIC_TX_CSUM | NIC_RX_CSUM, &frames);
  cr_expect_geq(frames, 1000000 / 1440, "%lu", (unsigned long)frames);
}

/* --- listeners -------------------------------------------------------------------------------------------------- */

static const struct stack_listener_ops count_ops = {.acceptable = count_acceptable};

static struct stack_listener *listens(struct net_addr at, const struct stack_listen_options *o) {
  static unsigned ignored;
  struct net_endpoint e = ep(at, 80);
  struct stack_listener *l = NULL;
  cr_assert_eq(stack_tcp_listen(net.s, &e, o, &count_ops, &ignored, &l), 0);
  return l;
}

static int may_listen(struct net_addr at, const struct stack_listen_options *o) {
  struct net_endpoint e = ep(at, 80);
  struct stack_listener *l = NULL;
  int r = stack_tcp_listen(net.s, &e, o, &count_ops, NULL, &l);
  stack_listener_close(l);
  return r;
}

/* Does a connection from a to this address of b come to be? */
static bool reached(struct net_addr from, struct net_addr to) {
  struct end client = {0};
  struct net_endpoint l = ep(from, 0), r = ep(to, 80);
  cr_assert_eq(stack_tcp_connect(net.s, &l, &r, &end_ops, &client, &client.c), 0);
  run(&net, 1 * SEC);
  bool yes = client.connected;
  if (!yes)
    cr_expect_eq(client.why, STACK_END_REFUSED);
  stack_conn_abort(client.c, STACK_END_REVOKED);
  run(&net, 1 * SEC);
  return yes;
}

Test(stack_v6, every_address_of_both_families_or_of_one) {
  static const struct {
    const char *at;
    uint8_t family;
    bool v4, v6;
  } cases[] = {{NULL, 0, true, true},        {NULL, AF_INET, true, false},   {NULL, AF_INET6, false, true},
               {"0.0.0.0", 0, true, false},  {"::", 0, false, true},         {"::", AF_INET6, false, true}};
  for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
    const struct stack_listen_options o = {.backlog = 4, .family = cases[i].family};
    struct stack_listener *l = listens(cases[i].at ? addr_of(cases[i].at) : (struct net_addr){0}, &o);
    cr_expect_eq(reached(v4_a, v4_b), cases[i].v4, "case %zu", i);
    cr_expect_eq(reached(net.addr_a, net.addr_b), cases[i].v6, "case %zu", i);
    cr_expect_eq(reached(link_a, link_b), cases[i].v6, "case %zu", i);
    stack_listener_close(l);
  }
}

Test(stack_v6, two_families_are_two_ports) {
  const struct stack_listen_options both = {.backlog = 4}, v4 = {.backlog = 4, .family = AF_INET},
                                    v6 = {.backlog = 4, .family = AF_INET6}, follow = {.backlog = 4, .follow = true};
  const struct net_addr every = {0};
  struct stack_listener *l = listens(every, &v4);
  cr_expect_eq(may_listen(every, &both), -EADDRINUSE);
  cr_expect_eq(may_listen(every, &v4), -EADDRINUSE);
  cr_expect_eq(may_listen(every, &v6), 0);
  cr_expect_eq(may_listen(net.addr_b, &both), 0);
  cr_expect_eq(may_listen(v4_b, &both), -EADDRINUSE);
  cr_expect_eq(may_listen(net.addr_b, &follow), -EADDRINUSE, "it is at the IPv4 address, too");
  stack_listener_close(l);
  cr_expect_eq(may_listen(net.addr_b, &v4), -EINVAL);
  cr_expect_eq(may_listen(addr_of("::"), &v4), -EINVAL);
  cr_expect_eq(may_listen(every, &(const struct stack_listen_options){.backlog = 4, .family = 99}), -EINVAL);
  cr_expect_eq(may_listen(addr_of("2001:db8::9"), &both), -EADDRNOTAVAIL);
}

static struct stack_listener_info info_of(const struct stack_listener *l) {
  struct stack_listener_info info;
  stack_listener_info(l, &info);
  return info;
}

static bool is_at(const struct stack_listener *l, const struct net_addr *a) {
  struct stack_listener_info info = info_of(l);
  return net_addr_equal(&info.local.addr, a);
}

/* All addresses of the interface, as they come and go; bound as long as there is one. */
Test(stack_v6, who_follows_is_at_all_addresses) {
  const struct stack_listen_options o = {.backlog = 4, .follow = true};
  struct stack_listener *l = listens(net.addr_b, &o);
  struct net_addr late = addr_of("2001:db8::22");
  cr_expect(is_at(l, &v4_b), "IPv4's first");
  cr_expect(reached(v4_a, v4_b));
  cr_expect(reached(net.addr_a, net.addr_b));
  cr_expect(reached(link_a, link_b));
  cr_expect(!reached(link_b, link_a), "another interface's");
  prefer(net.b, &late);
  run(&net, 1 * SEC);
  cr_expect(reached(net.addr_a, late));
  stack_if_clear_ipv4(net.b);
  cr_assert_eq(stack_if_remove_ipv6(net.b, &net.addr_b), 0);
  cr_assert_eq(stack_if_remove_ipv6(net.b, &link_b), 0);
  cr_expect(info_of(l).bound);
  cr_expect(is_at(l, &late));
  cr_assert_eq(stack_if_remove_ipv6(net.b, &late), 0);
  cr_expect(!info_of(l).bound);
  cr_expect_eq(info_of(l).local.addr.family, 0);
  cr_assert_eq(stack_if_set_ipv6(net.b, &late, 64, STACK_ADDR_TENTATIVE), 0);
  cr_expect(!info_of(l).bound);
  prefer(net.b, &late);
  cr_expect(info_of(l).bound);
  run(&net, 1 * SEC);
  cr_expect(reached(net.addr_a, late));
  stack_listener_close(l);
}

Test(stack_v6, who_follows_one_family) {
  const struct stack_listen_options o = {.backlog = 4, .follow = true, .family = AF_INET6};
  struct stack_listener *l = listens(net.addr_b, &o);
  cr_expect_eq(info_of(l).local.addr.family, AF_INET6);
  cr_expect(!reached(v4_a, v4_b));
  cr_expect(reached(net.addr_a, net.addr_b));
  cr_assert_eq(stack_if_remove_ipv6(net.b, &net.addr_b), 0);
  cr_assert_eq(stack_if_remove_ipv6(net.b, &link_b), 0);
  cr_expect(!info_of(l).bound, "the IPv4 address is not its");
  stack_listener_close(l);
}

Test(stack_v6, one_address_by_number_ends_with_it) {
  struct stack_listener *l = listens(net.addr_b, BACKLOG(4));
  cr_expect(reached(net.addr_a, net.addr_b));
  cr_expect(!reached(link_a, link_b));
  cr_assert_eq(stack_if_remove_ipv6(net.b, &net.addr_b), 0);
  cr_expect(!info_of(l).bound);
  stack_listener_close(l);
}

/* --- datagrams -------------------------------------------------------------------------------------------------- */

static struct seen a, b;

Test(stack_v6, udp_there_and_back) {
  struct stack_udp *ua, *ub;
  struct net_endpoint la = ep(net.addr_a, 0), lb = ep(net.addr_b, 53), nobody = ep(net.addr_b, 54);
  static uint8_t big[9000];
  for (size_t i = 0; i < sizeof big; i++)
    big[i] = (uint8_t)(i * 7);
  cr_assert_eq(stack_udp_open(net.s, &la, &seen_ops, &a, &ua), 0);
  cr_assert_eq(stack_udp_open(net.s, &lb, &seen_ops, &b, &ub), 0);
  cr_assert_eq(stack_udp_send(ua, &lb, "question", 8), 0);
  run(&net, 2 * SEC);
  cr_expect_eq(b.n, 1);
  cr_expect(net_addr_equal(&b.from.addr, &net.addr_a));
  cr_expect(net_endpoint_equal(&b.to, &lb));
  cr_assert_eq(stack_udp_send(ub, &b.from, NULL, 0), 0);
  run(&net, 1 * SEC);
  cr_expect_eq(a.n, 1);
  cr_assert_eq(stack_udp_send(ua, &lb, big, sizeof big), 0);
  run(&net, 1 * SEC);
  cr_expect_eq(b.n, 2, "its fragments are one datagram");
  cr_expect_eq(b.len, sizeof big);
  cr_expect_arr_eq(b.data, big, sizeof big);
  cr_assert_eq(stack_udp_send(ua, &nobody, "x", 1), 0);
  run(&net, 1 * SEC);
  cr_expect_eq(a.errors, 1);
  cr_expect_eq(a.error, -ECONNREFUSED);
  cr_expect(net_endpoint_equal(&a.remote, &nobody));
  nobody.addr = addr_of("2001:db8::77");
  cr_assert_eq(stack_udp_send(ua, &nobody, "x", 1), 0);
  run(&net, 10 * SEC);
  cr_expect_eq(a.errors, 2);
  cr_expect_eq(a.error, -EHOSTUNREACH, "the neighbour does not answer");
  stack_udp_close(ua);
  stack_udp_close(ub);
}

Test(stack_v6, echo_there_and_back) {
  struct stack_echo *e;
  struct net_addr absent = addr_of("2001:db8::77");
  static uint8_t payload[1452];
  for (size_t i = 0; i < sizeof payload; i++)
    payload[i] = (uint8_t)(i * 3);
  cr_assert_eq(stack_echo_open(net.s, seen_echo, &a, &e), 0);
  /* Without a source, b speaks to itself. */
  cr_assert_eq(stack_echo_send(e, &net.addr_b, 7, 9, payload, 1452), 0);
  run(&net, 2 * SEC);
  cr_assert_eq(a.events, 1);
  cr_expect_eq(a.ev.kind, STACK_ECHO_REPLY);
  cr_expect_eq(a.ev.seq, 7);
  cr_expect(net_addr_equal(&a.ev.from, &net.addr_b));
  cr_expect_eq(a.len, sizeof payload);
  cr_expect_arr_eq(a.data, payload, sizeof payload);
  cr_expect_eq(stack_echo_send(e, &net.addr_b, 8, 0, payload, 1453), -EMSGSIZE);
  cr_assert_eq(stack_echo_send(e, &absent, 9, 0, "x", 1), 0);
  run(&net, 10 * SEC);
  cr_assert_eq(a.events, 2);
  cr_expect_eq(a.ev.kind, STACK_ECHO_UNREACHABLE);
  cr_expect_eq(a.ev.code, 3, "address unreachable, as RFC 4443 3.1 has it");
  cr_expect_eq(a.ev.seq, 9);
  cr_expect(stack_is_own(net.s, &a.ev.from));
  cr_assert_eq(stack_echo_send(e, &v4_b, 10, 0, "x", 1), 0, "and then IPv4");
  run(&net, 1 * SEC);
  cr_expect_eq(a.events, 3);
  cr_expect_eq(a.ev.kind, STACK_ECHO_REPLY);
  struct net_addr far = addr_of("2001:db8:1::1");
  cr_expect_eq(stack_echo_send(e, &far, 11, 0, "x", 1), -ENETUNREACH);
  stack_echo_close(e);
}
