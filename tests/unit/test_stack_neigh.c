/* SPDX-License-Identifier: BSD-3-Clause
 * Neighbours and the link: who does not answer, who is asked again, what happens when the link or the device goes; and
 * that looking at a stack, or leaving it alone, makes it do nothing.
 */
#include "stack_peer.h"

TestSuite(stack_neigh, .init = setup, .fini = teardown, .timeout = 60);

#define NOBODY 0x0a000042u
#define GATEWAY 0x0a0000feu

struct heard {
  unsigned errors, events;
  int error;
  struct net_endpoint remote;
  struct stack_echo_event ev;
  struct stack_udp *u;    /* closed when told */
  struct stack_echo *echo;
};

static void on_error(void *arg, const struct net_endpoint *remote, int error) {
  struct heard *h = arg;
  h->errors++;
  h->error = error;
  h->remote = *remote;
  h->u = stack_udp_close(h->u);
}
static void on_echo(void *arg, const struct stack_echo_event *ev) {
  struct heard *h = arg;
  h->events++;
  h->ev = *ev;
  h->echo = stack_echo_close(h->echo);
}
static const struct stack_udp_ops udp_ops = {.error = on_error};

/* ARP requests for addr among the newest frames since `since`; -1 in ret_unicast: none was unicast. */
static unsigned asked_for(uint32_t addr, unsigned since, unsigned *ret_unicast) {
  unsigned n = 0;
  for (unsigned k = 0; k + since < w.n; k++) {
    const uint8_t *f = wire_last(&w, k);
    if (!f || wire_get(f + 12, 2) != 0x0806 || wire_get(f + 20, 2) != 1 || wire_get(f + 38, 4) != addr)
      continue;
    n++;
    if (ret_unicast)
      *ret_unicast += !(f[0] & 1);
  }
  return n;
}

static void find_peer(void *arg, const struct stack_neigh_info *i) {
  struct net_addr peer = net_addr_v4(WIRE_PEER);
  if (net_addr_equal(&i->addr, &peer))
    *(int *)arg = (int)i->state;
}
static int peer_state(void) {
  int state = -1;
  stack_neigh_each(w.s, find_peer, &state);
  return state;
}

static void connect_to(struct end *x, uint32_t addr) {
  struct net_endpoint to = ep(net_addr_v4(addr), 80);
  cr_assert_eq(stack_tcp_connect(w.s, NULL, &to, &end_ops, x, &x->c), 0);
}

/* --- who does not answer ---------------------------------------------------------------------------------------- */

Test(stack_neigh, connecting_to_nobody_is_unreachable) {
  struct stack_conn_info info;
  unsigned before = w.n;
  connect_to(&e, NOBODY);
  wire_run(&w, 2900 * MS);
  cr_expect_eq(e.ended, 0);
  wire_run(&w, 1200 * MS);
  cr_expect_eq(e.ended, 1);
  cr_expect_eq(e.why, STACK_END_UNREACHABLE);
  stack_conn_info(e.c, &info);
  cr_expect_eq(info.end_error, -EHOSTUNREACH);
  cr_expect_eq(info.remote.port, 80);
  unsigned asked = asked_for(NOBODY, before, NULL);
  cr_expect(asked >= 3 && asked <= 4, "%u requests", asked);
  before = w.n;
  wire_run(&w, 60 * SEC);
  cr_expect_eq(w.n, before, "and that was all");
}

/* Their SYNs do not all find room in the neighbour's queue. */
Test(stack_neigh, many_that_connect_to_nobody) {
  static struct end many[100];
  for (size_t i = 0; i < ARRAY_SIZE(many); i++)
    connect_to(&many[i], i < 50 ? NOBODY : 0x08080808);
  connect_to(&e, WIRE_PEER); /* known; it just says nothing */
  wire_run(&w, 5 * SEC);
  for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
    cr_expect_eq(many[i].why, STACK_END_UNREACHABLE, "%zu: %s", i, stack_end_name(many[i].why));
    end_close(&many[i]);
  }
  cr_expect_eq(e.ended, 0);
}

/* The entry is too old, the peer does not answer for a while: an established connection outlives that. */
Test(stack_neigh, expiry_and_an_established_connection) {
  handshake(NULL, 0);
  wire_run(&w, 400 * SEC);
  cr_expect_eq(peer_state(), -1);
  unsigned before = w.n;
  e.to_send = 10;
  end_send(&e);
  wire_run(&w, 10 * SEC);
  cr_expect_geq(asked_for(WIRE_PEER, before, NULL), 3);
  cr_expect_eq(e.ended, 0);
  wire_arp(&w, 2, WIRE_PEER, WIRE_OWN);
  cr_expect_eq(peer_state(), STACK_NEIGH_STABLE);
  wire_run(&w, 20 * SEC);
  const uint8_t *f = wire_last(&w, 0);
  cr_expect_eq(f[23], 6);
  cr_expect_eq(wire_get(f + 16, 2), 50, "ten bytes");
}

Test(stack_neigh, datagrams_and_echoes_to_nobody) {
  struct heard h = {0};
  struct net_endpoint to = ep(net_addr_v4(NOBODY), 53);
  struct net_addr own = net_addr_v4(WIRE_OWN);
  cr_assert_eq(stack_udp_open(w.s, NULL, &udp_ops, &h, &h.u), 0);
  cr_assert_eq(stack_echo_open(w.s, on_echo, &h, &h.echo), 0);
  cr_assert_eq(stack_udp_send(h.u, &to, "question", 8), 0);
  cr_assert_eq(stack_echo_send(h.echo, &to.addr, 77, 0, "hello", 5), 0);
  wire_run(&w, 5 * SEC);
  cr_expect_eq(h.errors, 1);
  cr_expect_eq(h.error, -EHOSTUNREACH);
  cr_expect(net_endpoint_equal(&h.remote, &to));
  cr_expect_eq(h.events, 1);
  cr_expect_eq(h.ev.kind, STACK_ECHO_UNREACHABLE);
  cr_expect_eq(h.ev.code, 1);
  cr_expect_eq(h.ev.seq, 77);
  cr_expect(net_addr_equal(&h.ev.from, &own));
  cr_expect_eq(stats().icmp_malformed, 0);
}

/* The news may be found out inside a call on the very object that it ends, which has to survive that call. */
Test(stack_neigh, the_news_comes_in_the_turn) {
  struct heard h = {0};
  struct net_endpoint to = ep(net_addr_v4(NOBODY), 53);
  cr_assert_eq(stack_echo_open(w.s, on_echo, &h, &h.echo), 0);
  cr_assert_eq(stack_echo_send(h.echo, &to.addr, 1, 0, "", 0), 0);
  connect_to(&e, NOBODY);
  for (int i = 0; i < 50 && h.echo; i++) {
    wire_run(&w, 99 * MS);
    if (!h.echo)
      break;
    cr_assert_eq(stack_echo_send(h.echo, &to.addr, 2, 0, "", 0), 0);
    struct stack_conn_options o = {.nodelay = i & 1};
    cr_assert_eq(stack_conn_set_options(e.c, &o), 0);
  }
  cr_expect_eq(h.events, 1);
  cr_expect_eq(e.why, STACK_END_UNREACHABLE);
}

Test(stack_neigh, nobody_is_left_to_be_told) {
  struct heard h = {0};
  struct net_endpoint to = ep(net_addr_v4(NOBODY), 53);
  cr_assert_eq(stack_udp_open(w.s, NULL, &udp_ops, &h, &h.u), 0);
  cr_assert_eq(stack_echo_open(w.s, on_echo, &h, &h.echo), 0);
  cr_assert_eq(stack_udp_send(h.u, &to, "x", 1), 0);
  cr_assert_eq(stack_echo_send(h.echo, &to.addr, 1, 0, "", 0), 0);
  connect_to(&e, NOBODY);
  stack_udp_close(h.u);
  stack_echo_close(h.echo);
  end_close(&e);
  wire_run(&w, 10 * SEC);
  cr_expect_eq(h.errors + h.events, 0);
}

/* --- who is asked again ----------------------------------------------------------------------------------------- */

Test(stack_neigh, a_used_entry_is_confirmed_before_it_expires) {
  struct stack_udp *u;
  struct net_endpoint to = ep(net_addr_v4(WIRE_PEER), 9);
  unsigned unicast = 0;
  static const struct stack_udp_ops none = {0};
  cr_assert_eq(stack_udp_open(w.s, NULL, &none, NULL, &u), 0);
  wire_run(&w, 260 * SEC);
  unsigned before = w.n;
  cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
  wire_run(&w, 10 * MS);
  cr_expect_eq(asked_for(WIRE_PEER, before, NULL), 0, "not yet");
  wire_run(&w, 12 * SEC);
  before = w.n;
  cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
  wire_run(&w, 10 * MS);
  cr_expect_eq(asked_for(WIRE_PEER, before, &unicast), 1);
  cr_expect_eq(unicast, 1, "first without bothering the others");
  cr_expect_eq(w.n - before, 2, "the datagram does not wait for it");
  cr_expect_eq(peer_state(), STACK_NEIGH_REREQUESTING);
  wire_run(&w, 15 * SEC);
  before = w.n, unicast = 0;
  cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
  wire_run(&w, 10 * MS);
  cr_expect_eq(asked_for(WIRE_PEER, before, &unicast), 1);
  cr_expect_eq(unicast, 0, "then all");
  wire_arp(&w, 2, WIRE_PEER, WIRE_OWN);
  cr_expect_eq(peer_state(), STACK_NEIGH_STABLE);
  wire_run(&w, 200 * SEC);
  cr_expect_eq(peer_state(), STACK_NEIGH_STABLE);
  wire_run(&w, 101 * SEC);
  cr_expect_eq(peer_state(), -1, "too old to be shown, although nothing has entered lwIP since");
  stack_udp_close(u);
}

Test(stack_neigh, the_gateway_is_asked_for_again) {
  struct stack_udp *u;
  struct net_endpoint far = ep(net_addr_v4(0x08080808), 53);
  static const struct stack_udp_ops none = {0};
  cr_assert_eq(stack_udp_open(w.s, NULL, &none, NULL, &u), 0);
  wire_arp(&w, 1, GATEWAY, WIRE_OWN);
  wire_run(&w, 1000 * SEC);
  unsigned before = w.n;
  cr_assert_eq(stack_udp_send(u, &far, "x", 1), 0);
  wire_run(&w, 10 * MS);
  cr_expect_eq(asked_for(GATEWAY, before, NULL), 1);
  cr_expect_eq(w.n - before, 1, "the datagram waits");
  wire_arp(&w, 2, GATEWAY, WIRE_OWN);
  cr_expect_eq(wire_get(wire_last(&w, 0) + 30, 4), 0x08080808);
  stack_udp_close(u);
}

/* --- the link and the device ------------------------------------------------------------------------------------ */

Test(stack_neigh, link_down_and_up) {
  struct heard h = {0};
  struct net_endpoint to = ep(net_addr_v4(WIRE_PEER), 9);
  struct stack_if_info info;
  handshake(NULL, 0);
  cr_assert_eq(stack_udp_open(w.s, NULL, &udp_ops, &h, &h.u), 0);
  wire_run(&w, 10 * MS); /* the window that opened with the accept is told */
  nic_set_link(w.near, false);
  wire_run(&w, 1 * SEC);
  stack_if_info(w.i, &info);
  cr_expect(!info.link_up);
  cr_expect_eq(peer_state(), -1, "who is there is not known any more");
  cr_expect_eq(stack_udp_send(h.u, &to, "x", 1), -ENETUNREACH);
  cr_expect_eq(e.ended, 0);
  unsigned before = w.n;
  nic_set_link(w.near, true);
  wire_run(&w, 10 * MS);
  cr_expect_eq(asked_for(GATEWAY, before, NULL), 1);
  cr_expect_eq(asked_for(WIRE_OWN, before, NULL), 1, "and everybody learns where we are");
  wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
  before = w.n;
  cr_expect_eq(stack_udp_send(h.u, &to, "x", 1), 0);
  wire_run(&w, 10 * MS);
  cr_expect_eq(w.n - before, 1);
  stack_udp_close(h.u);
}

struct device {
  unsigned up, down, gone;
  int error;
};
static void on_link(void *arg, bool up) {
  struct device *d = arg;
  d->up += up;
  d->down += !up;
}
static void on_gone(void *arg, int error) {
  struct device *d = arg;
  d->gone++;
  d->error = error;
}

Test(stack_neigh, what_the_device_says_is_passed_up) {
  static const struct stack_if_upcalls up = {.link = on_link, .gone = on_gone};
  static struct device d;
  struct nic *near, *far;
  struct stack_if *i;
  struct stack_route_info route;
  struct net_addr own = net_addr_v4(0xc0000201), other = net_addr_v4(0xc0000202);
  cr_assert_eq(nic_memory_pair(w.loop, 1500, 16, &near, &far), 0);
  cr_assert_eq(stack_if_add(w.s, near, "net1", &up, &d, &i), 0);
  cr_assert_eq(stack_if_set_ipv4(i, &own, 24, NULL), 0);
  cr_assert_eq(stack_route_lookup(w.s, &other, &route), 0);
  cr_expect_str_eq(route.ifname, "net1");
  nic_set_link(near, false);
  nic_set_link(near, true);
  cr_expect_eq(d.down, 1);
  cr_expect_eq(d.up, 1);
  nic_gone(near, -ENODEV);
  wire_run(&w, 1 * SEC);
  cr_expect_eq(d.gone, 1);
  cr_expect_eq(d.error, -ENODEV);
  cr_assert_eq(stack_route_lookup(w.s, &other, &route), 0);
  cr_expect_str_eq(route.ifname, "net0", "only the other way is left");
  nic_set_link(near, false);
  nic_set_link(near, true);
  cr_assert_eq(stack_route_lookup(w.s, &other, &route), 0);
  cr_expect_str_eq(route.ifname, "net0", "gone is for good");
  cr_expect_eq(d.up, 1);
  nic_free(far);
}

/* --- doing nothing ---------------------------------------------------------------------------------------------- */

static uint64_t timer_calls(void) {
  struct loop_stats st;
  loop_get_stats(w.loop, &st);
  return st.timer_calls;
}

/* Exceptions, each for as long as it lasts: something to retransmit, to acknowledge or to reassemble, a neighbour that
 * is being asked for, TIME_WAIT, and keepalive, user and idle time-outs where they are set. */
Test(stack_neigh, an_idle_hour_with_neighbours_wakes_nobody) {
  struct stack_udp *u;
  static const struct stack_udp_ops none = {0};
  handshake(NULL, 0);
  cr_assert_eq(stack_udp_open(w.s, NULL, &none, NULL, &u), 0);
  for (uint32_t k = 1; k < 20; k++)
    wire_arp(&w, 1, WIRE_PEER + k, WIRE_OWN);
  wire_run(&w, 60 * SEC);
  uint64_t before = timer_calls();
  unsigned frames = w.n;
  wire_run(&w, 3600 * SEC);
  cr_expect_eq(timer_calls() - before, 0);
  cr_expect_eq(w.n, frames);
  stack_udp_close(u);
}

static void see_if(void *arg, const struct stack_if_info *i _unused_) { ++*(unsigned *)arg; }
static void see_route(void *arg, const struct stack_route_info *i _unused_) { ++*(unsigned *)arg; }
static void see_neigh(void *arg, const struct stack_neigh_info *i _unused_) { ++*(unsigned *)arg; }

static unsigned look_at_everything(struct stack_conn *connecting, struct stack_udp *u) {
  unsigned seen = 0;
  struct stack_if_info ifi;
  struct stack_route_info ri;
  struct stack_conn_info ci;
  struct stack_listener_info li;
  struct net_addr far = net_addr_v4(0x08080808), near = net_addr_v4(NOBODY);
  stack_if_info(w.i, &ifi);
  stack_if_each(w.s, see_if, &seen);
  stack_route_each(w.s, see_route, &seen);
  stack_neigh_each(w.s, see_neigh, &seen);
  seen += stack_route_lookup(w.s, &far, &ri) == 0;
  seen += stack_route_lookup(w.s, &near, &ri) == 0;
  seen += stack_is_own(w.s, &near) + stack_is_broadcast(w.s, &near);
  stack_conn_info(e.c, &ci);
  stack_conn_info(connecting, &ci);
  stack_listener_info(l, &li);
  (void)stack_udp_local(u);
  (void)stats();
  seen += stack_conn_unread(e.c) > 0 && stack_conn_unacked(e.c) > 0 && !stack_conn_eof(e.c);
  return seen;
}

/* Everything at once is under way: unacknowledged and untaken data, a SYN and a datagram that wait for neighbours, a
 * half-open connection, fragments, an entry out of date. */
Test(stack_neigh, looking_changes_nothing_and_sends_nothing) {
  struct heard h = {0};
  struct end out = {0};
  wire_arp(&w, 1, WIRE_PEER + 1, WIRE_OWN);
  wire_run(&w, 310 * SEC);
  wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
  uint32_t ack = handshake(NULL, 0);
  e.to_send = 100000;
  end_send(&e);
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1001, .ack = ack, .flags = WIRE_ACK, .wnd = 65000, .len = 100});
  wire_tcp(&w, &(struct wire_tcp){.sport = 777, .dport = 80, .seq = 1, .flags = WIRE_SYN, .wnd = 100});
  connect_to(&out, NOBODY);
  cr_assert_eq(stack_udp_open(w.s, NULL, &udp_ops, &h, &h.u), 0);
  struct net_endpoint to = ep(net_addr_v4(NOBODY + 1), 53);
  cr_assert_eq(stack_udp_send(h.u, &to, "x", 1), 0);
  wire_run(&w, 100 * MS);
  struct stack_stats before = stats(), after;
  struct stack_if_info if_before, if_after;
  struct stack_conn_info c_before, c_after;
  uint64_t timers = timer_calls();
  unsigned frames = w.n;
  stack_if_info(w.i, &if_before);
  stack_conn_info(e.c, &c_before);
  for (int i = 0; i < 100; i++)
    cr_assert_eq(look_at_everything(out.c, h.u), 1 + 2 + 3 + 2 + 1);
  wire_run(&w, 0);
  after = stats();
  stack_if_info(w.i, &if_after);
  stack_conn_info(e.c, &c_after);
  cr_expect_eq(w.n, frames);
  cr_expect_eq(timer_calls(), timers);
  cr_expect_eq(memcmp(&before, &after, sizeof before), 0);
  cr_expect_eq(memcmp(&if_before.nic, &if_after.nic, sizeof if_before.nic), 0);
  cr_expect_eq(c_before.send_queue, c_after.send_queue);
  cr_expect_eq(c_before.retransmits, c_after.retransmits);
  stack_udp_close(h.u);
  end_close(&out);
}

/* --- to oneself ------------------------------------------------------------------------------------------------- */

struct bounce {
  struct stack_udp *u;
  unsigned n, most;
};
static void on_bounce(void *arg, const struct net_endpoint *from, const struct net_endpoint *to _unused_,
                      const uint8_t *data, size_t len) {
  struct bounce *b = arg;
  if (++b->n < b->most)
    cr_assert_eq(stack_udp_send(b->u, from, data, len), 0);
}

/* A socket that answers itself from the upcall: others have their turn meanwhile. */
Test(stack_neigh, who_talks_to_himself_does_not_keep_the_loop) {
  static const struct stack_udp_ops ops = {.received = on_bounce};
  struct bounce b = {.most = 6400};
  struct loop_stats before, after;
  struct net_endpoint at = ep(net_addr_v4(WIRE_OWN), 4000);
  cr_assert_eq(stack_udp_open(w.s, &at, &ops, &b, &b.u), 0);
  loop_get_stats(w.loop, &before);
  cr_assert_eq(stack_udp_send(b.u, &at, "x", 1), 0);
  wire_run(&w, 0);
  loop_get_stats(w.loop, &after);
  cr_expect_eq(b.n, b.most);
  cr_expect_geq(after.turns - before.turns, b.most / 64);
  stack_udp_close(b.u);
}

Test(stack_neigh, what_waits_for_oneself_is_bounded) {
  static const struct stack_udp_ops none = {0};
  struct stack_udp *u;
  struct net_endpoint at = ep(net_addr_v4(WIRE_OWN), 4000);
  cr_assert_eq(stack_udp_open(w.s, &at, &none, NULL, &u), 0);
  for (int i = 0; i < 128; i++)
    cr_assert_eq(stack_udp_send(u, &at, "x", 1), 0);
  cr_expect_eq(stack_udp_send(u, &at, "x", 1), -ENOBUFS);
  cr_expect_eq(stats().refused[STACK_LIMIT_LOOPBACK], 1);
  wire_run(&w, 0);
  cr_expect_eq(stack_udp_send(u, &at, "x", 1), 0);
  stack_udp_close(u);
}
