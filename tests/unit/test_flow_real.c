/* SPDX-License-Identifier: BSD-3-Clause
 * What only real sockets have: true addresses, listening sockets and their queues, and what becomes of connections when
 * they cannot be had. (tests/unit/test_flow.c runs on both forms.)
 */
#include "flow_client.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>

TestSuite(flow_real, .timeout = 120);

/* --- forms ------------------------------------------------------------------------------------------------------------ */

Test(flow_real, the_addresses_are_the_connection_s) {
  struct rig r;
  char local[NET_ENDPOINT_STRLEN], remote[NET_ENDPOINT_STRLEN];
  rig_open(&r, 0, false);
  struct flow_info i = rig_info(&r);
  cr_expect_str_eq(name_of(r.fd, false), net_endpoint_format(&i.conn.local, local));
  cr_expect_str_eq(name_of(r.fd, true), net_endpoint_format(&i.conn.remote, remote));
  cr_expect_str_eq(i.form, "socket");
  cr_expect(flow_is_socket(r.f));
  cr_expect_eq(rig_stats(&r).sockets, 1);
  rig_close(&r);
}

Test(flow_real, without_namespaces_a_pair_or_nothing) {
  struct rig r;
  rig_tables(&r);
  struct seal *seal = r.seal;
  flow_table_set_seal(r.t, NULL, "not on this machine");
  cr_expect_str_eq(flow_no_sockets(r.t), "not on this machine");
  struct end client = {0}, server = {0};
  end_pair(&r.n, &client, &server);
  r.server = server;
  stack_conn_set_ops(r.server.c, &end_ops, &r.server);
  cr_expect_eq(flow_new(r.t, client.c, FLOW_FORM_SOCKET, &rig_label, &rig_flow_ops, &r, &r.f, &r.fd), -ENOPKG);
  rig_run(&r, 1 * SEC);
  cr_expect_eq(r.server.why, STACK_END_RESET_BY_PEER);
  end_close(&r.server);
  end_pair(&r.n, &client, &server);
  r.server = server;
  cr_assert_eq(flow_new(r.t, client.c, FLOW_FORM_AUTO, &rig_label, &rig_flow_ops, &r, &r.f, &r.fd), 0);
  cr_expect_str_eq(rig_info(&r).form, "pair");
  r.seal = seal;
  rig_close(&r);
}

/* An error of the machinery, a program of its own grant in the way for one, costs the form, not the connection. */
Test(flow_real, who_is_in_the_way_gets_pairs) {
  struct rig r;
  struct seal_chamber *c;
  int listener = -1;
  rig_tables(&r);
  struct end client = {0}, server = {0};
  end_pair(&r.n, &client, &server);
  r.server = server;
  stack_conn_set_ops(r.server.c, &end_ops, &r.server);
  struct stack_conn_info info;
  stack_conn_info(client.c, &info);
  cr_assert_eq(seal_chamber_get(r.seal, rig_label.owner, &c), 0);
  cr_assert_eq(seal_listen(c, &info.local, 1, &listener), 0);
  cr_assert_eq(flow_new(r.t, client.c, FLOW_FORM_AUTO, &rig_label, &rig_flow_ops, &r, &r.f, &r.fd), 0);
  cr_expect_str_eq(rig_info(&r).form, "pair");
  cr_expect_eq(rig_stats(&r).fallbacks, 1);
  close(listener);
  seal_chamber_unref(c);
  rig_close(&r);
}

/* --- the end of a half-closed one ----------------------------------------------------------------------------------------- */

/* The client finished writing, read all that came, and closed; the peer says nothing more. */
Test(flow_real, a_close_after_a_half_close_is_in_good_order) {
  struct rig r;
  rig_open(&r, 1000, false);
  rig_client_write(&r, 10);
  cr_assert_eq(shutdown(r.fd, SHUT_WR), 0);
  rig_run(&r, 1 * SEC);
  rig_client_read(&r, 1000);
  cr_expect_eq(r.got, 1000);
  cr_expect_eq(r.overs, 0);
  r.fd = fd_close(r.fd);
  rig_until_over(&r);
  cr_expect_eq(r.why, STACK_END_CLOSED, "%s", stack_end_name(r.why));
  cr_expect_eq(r.server.ended, 0);
  rig_close(&r);
}

Test(flow_real, a_close_after_a_half_close_with_bytes_unread_is_a_reset) {
  struct rig r;
  rig_open(&r, 1000, false);
  cr_assert_eq(shutdown(r.fd, SHUT_WR), 0);
  rig_run(&r, 1 * SEC);
  rig_client_read(&r, 10);
  r.fd = fd_close(r.fd);
  rig_until_over(&r);
  cr_expect_eq(r.why, STACK_END_RESET_LOCAL, "%s", stack_end_name(r.why));
  cr_expect_eq(r.server.why, STACK_END_RESET_BY_PEER);
  rig_close(&r);
}

/* The end waits for a client that is slow, however slow: no byte is lost, and the end is the peer's FIN. */
Test(flow_real, a_fin_waits_behind_all_bytes) {
  struct rig r;
  rig_open(&r, 3000000, false);
  r.server.shut_after = true;
  cr_assert_eq(shutdown(r.fd, SHUT_WR), 0);
  rig_run(&r, 10 * SEC);
  cr_expect_eq(r.overs, 0);
  rig_run(&r, 300 * SEC);
  for (int i = 0; i < 3000 && !r.eof && !r.reset; i++) {
    rig_client_read(&r, r.got + 20000);
    rig_run(&r, 10 * MS);
  }
  cr_expect_eq(r.got, 3000000);
  cr_expect(r.eof && !r.bad && !r.reset);
  rig_until_over(&r);
  cr_expect_eq(r.why, STACK_END_CLOSED);
  rig_close(&r);
}

/* Urgent bytes arrive in their place, and nobody spins while they wait (RFC 6093). */
Test(flow_real, urgent_data_are_in_line) {
  struct rig r;
  struct loop_stats before, after;
  rig_open(&r, 0, true);
  for (int i = 0; i < 50; i++) {
    rig_client_write(&r, 50000000);
    rig_run(&r, 100 * MS);
  }
  const uint8_t urgent = pattern(r.written);
  if (send(r.fd, &urgent, 1, MSG_OOB | MSG_DONTWAIT) == 1)
    r.written++;
  loop_get_stats(r.n.loop, &before);
  for (int i = 0; i < 20; i++)
    rig_run(&r, 100 * MS);
  loop_get_stats(r.n.loop, &after);
  cr_expect_leq(after.watch_calls - before.watch_calls, 10, "%lu", (unsigned long)(after.watch_calls - before.watch_calls));
  r.server.hold = false;
  end_recv(&r.server);
  for (int k = 0; k < 1000 && r.server.got < r.written; k++)
    rig_run(&r, 100 * MS);
  cr_expect_eq(r.server.got, r.written);
  cr_expect(!r.server.bad);
  rig_close(&r);
}

/* --- listening sockets ------------------------------------------------------------------------------------------------------ */

struct ear {
  struct rig *r;
  struct flow_listener *l;
  int fd;
  struct flow *flows[16];
  unsigned n;
  bool ended;
};

static void flow_over(void *arg, enum stack_end why) {
  (void)arg;
  (void)why;
}
static const struct flow_ops ear_flow_ops = {.over = flow_over};

static void on_acceptable(void *arg) {
  struct ear *e = arg;
  struct stack_conn *conn;
  while (e->n < ARRAY_SIZE(e->flows) && flow_accept(e->l, &conn) == 0)
    if (flow_enter(e->l, conn, &rig_label, &ear_flow_ops, e, &e->flows[e->n]) == 0)
      e->n++;
}
static void on_ear_ended(void *arg, enum stack_end why) {
  (void)why;
  ((struct ear *)arg)->ended = true;
}
static const struct flow_listener_ops ear_ops = {.acceptable = on_acceptable, .ended = on_ear_ended};

static void ear_open(struct rig *r, struct ear *e, const struct stack_listen_options *o) {
  const struct net_endpoint here = ep(r->n.addr_b, 80);
  *e = (struct ear){.r = r, .fd = -1};
  cr_assert_eq(flow_listen(r->t, &here, o, true, &rig_label, &ear_ops, e, &e->l, &e->fd), 0);
}

static void ear_close(struct ear *e) {
  for (unsigned i = 0; i < e->n; i++)
    flow_free(e->flows[i]);
  e->l = flow_listener_free(e->l);
  e->fd = fd_close(e->fd);
}

static void dial(struct rig *r, struct end *e) {
  const struct net_endpoint l = ep(r->n.addr_a, 0), to = ep(r->n.addr_b, 80);
  *e = (struct end){.n = &r->n};
  cr_assert_eq(stack_tcp_connect(r->n.s, &l, &to, &end_ops, e, &e->c), 0);
  rig_run(r, 1 * SEC);
}

static void find_listener(void *arg, const struct flow_info *i) {
  if (i->kind == FLOW_LISTENER && !i->dead)
    *(struct flow_info *)arg = *i;
}
static struct flow_info ear_info(struct ear *e) {
  struct flow_info i = {0};
  flow_each(e->r->t, find_listener, &i);
  return i;
}

static int take(struct ear *e) { return try_accept(e->fd); }

Test(flow_real, connections_arrive_on_the_socket) {
  struct rig r;
  struct ear e;
  struct end peer;
  char name[NET_ENDPOINT_STRLEN], byte = 0;
  rig_tables(&r);
  ear_open(&r, &e, BACKLOG(4));
  cr_expect(flow_listener_is_socket(e.l));
  dial(&r, &peer);
  cr_expect_eq(ear_info(&e).queue, 1);
  const int fd = accept4(e.fd, NULL, NULL, SOCK_CLOEXEC);
  cr_assert_geq(fd, 0);
  struct flow_info i;
  flow_info(e.flows[0], &i);
  cr_expect_str_eq(name_of(fd, true), net_endpoint_format(&i.conn.remote, name));
  cr_expect_str_eq(name_of(fd, false), net_endpoint_format(&i.conn.local, name));
  peer.to_send = 1;
  end_send(&peer);
  rig_run(&r, 1 * SEC);
  cr_expect_eq(read(fd, &byte, 1), 1);
  cr_expect_eq(ear_info(&e).queue, 0);
  close(fd);
  end_close(&peer);
  rig_run(&r, 1 * SEC);
  ear_close(&e);
  rig_close(&r);
}

/* At N and at N + 1: the queue is the program's word in listen(2), then the stack waits, then its policy. */
static void queue_fills(enum stack_overflow overflow) {
  struct rig r;
  struct ear e;
  struct end peers[6];
  int fds[6] = {-1, -1, -1, -1, -1, -1};
  rig_tables(&r);
  ear_open(&r, &e, &(const struct stack_listen_options){.backlog = 3, .overflow = overflow});
  cr_assert_eq(listen(e.fd, 2), 0);
  for (int i = 0; i < 2; i++)
    dial(&r, &peers[i]);
  struct flow_info at_n = ear_info(&e);
  cr_expect_eq(at_n.queue, 2);
  cr_expect_eq(at_n.queue_backlog, 2);
  cr_expect_eq(at_n.listener.waiting, 0);
  for (int i = 2; i < 5; i++)
    dial(&r, &peers[i]);
  struct flow_info more = ear_info(&e);
  cr_expect_eq(more.queue, 2);
  cr_expect_eq(more.listener.waiting, 3);
  cr_expect_eq(more.blocked, FLOW_BLOCKED_ACCEPT_QUEUE);
  dial(&r, &peers[5]);
  struct flow_info over = ear_info(&e);
  cr_expect_eq(over.listener.refused, overflow == STACK_OVERFLOW_REFUSE);
  cr_expect_eq(over.listener.dropped > 0, overflow == STACK_OVERFLOW_WAIT);
  cr_expect_eq(peers[5].ended, overflow == STACK_OVERFLOW_REFUSE);
  /* The program accepts: those who wait come in, in their order. */
  const unsigned most = overflow == STACK_OVERFLOW_WAIT ? 6 : 5;
  unsigned n = 0;
  for (int k = 0; k < 500 && n < most; k++) {
    const int fd = take(&e);
    if (fd >= 0)
      fds[n++] = fd;
    rig_run(&r, 500 * MS);
  }
  cr_expect_eq(n, most, "%u", n);
  for (unsigned i = 0; i < n; i++)
    close(fds[i]);
  for (int i = 0; i < 6; i++)
    end_close(&peers[i]);
  rig_run(&r, 1 * SEC);
  ear_close(&e);
  rig_close(&r);
}
Test(flow_real, a_full_queue_lets_wait) { queue_fills(STACK_OVERFLOW_WAIT); }
Test(flow_real, a_full_queue_refuses) { queue_fills(STACK_OVERFLOW_REFUSE); }

/* While the queue is full and nobody waits for it, nobody looks. */
Test(flow_real, a_full_queue_alone_wakes_nobody) {
  struct rig r;
  struct ear e;
  struct end peer;
  struct loop_stats before, after;
  rig_tables(&r);
  ear_open(&r, &e, BACKLOG(1));
  dial(&r, &peer);
  cr_expect_eq(ear_info(&e).queue, 1);
  rig_run(&r, 10 * SEC);
  loop_get_stats(r.n.loop, &before);
  rig_run(&r, 100 * SEC);
  loop_get_stats(r.n.loop, &after);
  cr_expect_leq(after.timer_calls - before.timer_calls, 30, "lwIP's own, for a connection");
  end_close(&peer);
  ear_close(&e);
  rig_close(&r);
}

Test(flow_real, the_end_of_a_listener) {
  struct rig r;
  struct ear e;
  struct end waits, accepted;
  rig_tables(&r);
  ear_open(&r, &e, BACKLOG(4));
  dial(&r, &accepted);
  const int fd = take(&e);
  cr_assert_geq(fd, 0);
  dial(&r, &waits);
  e.l = flow_listener_free(e.l);
  cr_expect_eq(take(&e), -1);
  cr_expect_eq(errno, EINVAL);
  rig_run(&r, 1 * SEC);
  cr_expect_eq(waits.why, STACK_END_RESET_BY_PEER, "%s", stack_end_name(waits.why));
  cr_expect_eq(accepted.ended, 0);
  close(fd);
  end_close(&accepted);
  end_close(&waits);
  rig_run(&r, 1 * SEC);
  ear_close(&e);
  rig_close(&r);
}

/* It follows the interface to its next address, and the program keeps its socket. */
static void a_listener_follows(uint8_t family, const char *socket, const char *connection) {
  struct rig r;
  struct ear e;
  struct end before, after;
  rig_tables(&r);
  ear_open(&r, &e, &(const struct stack_listen_options){.backlog = 4, .follow = true, .family = family});
  cr_expect_str_eq(name_of(e.fd, false), socket);
  dial(&r, &before);
  const int first = take(&e);
  const struct net_addr next = addr_of("10.0.0.77");
  cr_assert_eq(stack_if_set_ipv4(r.n.b, &next, 24, NULL), 0);
  rig_run(&r, 1 * SEC);
  char byte;
  cr_assert_geq(first, 0);
  cr_expect_eq(recv(first, &byte, 1, MSG_DONTWAIT), -1);
  cr_expect_eq(errno, ECONNRESET, "the old address is lost");
  r.n.addr_b = next;
  dial(&r, &after);
  const int second = take(&e);
  cr_assert_geq(second, 0);
  cr_expect_str_eq(name_of(second, false), connection);
  cr_expect(!e.ended);
  close(first);
  close(second);
  end_close(&before);
  end_close(&after);
  rig_run(&r, 1 * SEC);
  ear_close(&e);
  rig_close(&r);
}

Test(flow_real, a_listener_of_both_families_that_follows) { a_listener_follows(0, "[::]:80", "[::ffff:10.0.0.77]:80"); }
Test(flow_real, a_listener_of_ipv4_that_follows) { a_listener_follows(AF_INET, "0.0.0.0:80", "10.0.0.77:80"); }

/* What the program has not read lies in its own end: status shows it, though the descriptor is not ours. */
Test(flow_real, the_queues_of_the_program_s_end) {
  struct rig r;
  rig_open(&r, 10000, true);
  rig_run(&r, 1 * SEC);
  struct flow_info i = rig_info(&r);
  cr_expect_eq(i.client_recv_queue, 10000, "%zu", i.client_recv_queue);
  cr_expect_gt(i.client_recv_capacity, 10000);
  rig_client_read(&r, 4000);
  i = rig_info(&r);
  cr_expect_eq(i.client_recv_queue, 6000, "%zu", i.client_recv_queue);
  for (int k = 0; k < 50; k++) {
    rig_client_write(&r, 50000000);
    rig_run(&r, 100 * MS);
  }
  i = rig_info(&r);
  const uint64_t all = i.client_send_queue + i.conn.send_queue + stack_conn_unread(r.server.c);
  cr_expect(all == r.written || all == r.written + 1, "%lu of %lu (a probe of the closed window is one byte twice)",
            (unsigned long)all, (unsigned long)r.written);
  rig_close(&r);
}

/* --- programs that are in the way --------------------------------------------------------------------------------------------- */

/* Whoever fails to come in costs no descriptor of ours, 0 least of all. */
Test(flow_real, who_cannot_enter_costs_nothing) {
  struct rig r;
  struct ear e;
  struct end peers[2];
  rig_tables(&r);
  ear_open(&r, &e, BACKLOG(4));
  dial(&r, &peers[0]);
  const int first = take(&e);
  cr_assert_geq(first, 0);
  /* Our end's place is taken: what a socket of the same addresses does. */
  struct seal_chamber *c;
  int ours = -1;
  const struct net_endpoint from = ep(r.n.addr_a, 4444), to = ep(r.n.addr_b, 80);
  cr_assert_eq(seal_chamber_get(r.seal, rig_label.owner, &c), 0);
  cr_assert_eq(seal_enter(c, &to, &from, &ours), 0);
  cr_assert_geq(fcntl(0, F_GETFD), 0);
  peers[1] = (struct end){.n = &r.n};
  cr_assert_eq(stack_tcp_connect(r.n.s, &from, &to, &end_ops, &peers[1], &peers[1].c), 0);
  rig_run(&r, 1 * SEC);
  cr_expect_geq(fcntl(0, F_GETFD), 0, "descriptor 0 is gone");
  close(ours);
  seal_chamber_unref(c);
  close(first);
  for (int i = 0; i < 2; i++)
    end_close(&peers[i]);
  rig_run(&r, 1 * SEC);
  ear_close(&e);
  rig_close(&r);
}

/* The peer was reset while the program still reads, and begins anew from the same port: the old one makes way. */
Test(flow_real, the_same_peer_again) {
  struct rig r;
  struct ear e;
  struct end old, new;
  const struct net_endpoint from = ep(addr_of("10.0.0.1"), 4444), to = ep(addr_of("10.0.0.2"), 80);
  rig_tables(&r);
  ear_open(&r, &e, BACKLOG(4));
  old = (struct end){.n = &r.n, .to_send = 2000000};
  cr_assert_eq(stack_tcp_connect(r.n.s, &from, &to, &end_ops, &old, &old.c), 0);
  rig_run(&r, 10 * SEC);
  const int first = take(&e);
  cr_assert_geq(first, 0);
  old.c = stack_conn_abort(old.c, STACK_END_RESET_LOCAL);
  rig_run(&r, 1 * SEC);
  cr_expect(!flow_is_over(e.flows[0]), "it is still being read");
  new = (struct end){.n = &r.n, .to_send = 1};
  cr_assert_eq(stack_tcp_connect(r.n.s, &from, &to, &end_ops, &new, &new.c), 0);
  rig_run(&r, 2 * SEC);
  const int second = take(&e);
  cr_assert_geq(second, 0);
  cr_expect(flow_is_over(e.flows[0]));
  char byte;
  cr_expect_eq(recv(second, &byte, 1, MSG_DONTWAIT), 1);
  close(first);
  close(second);
  end_close(&new);
  rig_run(&r, 1 * SEC);
  ear_close(&e);
  rig_close(&r);
}

static void hear_nothing(int fd) {
  struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
  const struct sock_fprog none = {.len = 1, .filter = &drop};
  cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &none, sizeof none), 0);
}

/* A program that lets nothing in does not hear of its end either: its socket ends all the same, its listener does not. */
Test(flow_real, who_hears_nothing_ends_too) {
  struct rig r;
  struct ear e;
  struct end peer;
  rig_tables(&r);
  ear_open(&r, &e, BACKLOG(4));
  dial(&r, &peer);
  const int fd = take(&e);
  cr_assert_geq(fd, 0);
  hear_nothing(fd);
  flow_abort(e.flows[0], STACK_END_REVOKED);
  struct pollfd p = {.fd = fd, .events = POLLIN};
  cr_expect_eq(poll(&p, 1, 1000), 1);
  cr_expect(p.revents & POLLHUP, "%x", p.revents);
  end_close(&peer);
  dial(&r, &peer);
  const int next = take(&e);
  cr_expect_geq(next, 0, "the listener");
  close(fd);
  close(next);
  end_close(&peer);
  rig_run(&r, 1 * SEC);
  ear_close(&e);
  rig_close(&r);
}

/* Little room at the program's end: the kernel drops what does not fit, and it is sent again before anything ends. */
static void little_room(bool reset) {
  struct rig r;
  const int size = 4096;
  rig_open(&r, 0, false);
  cr_assert_eq(setsockopt(r.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
  for (uint64_t sent = 5000; sent <= 45000; sent += 20000) {
    r.server.to_send = sent;
    r.server.shut_after = sent == 45000 && !reset;
    end_send(&r.server);
    rig_run(&r, 1 * SEC);
  }
  if (reset)
    r.server.c = stack_conn_abort(r.server.c, STACK_END_RESET_LOCAL);
  else
    cr_assert_eq(shutdown(r.fd, SHUT_WR), 0);
  for (int i = 0; i < 3000 && !r.eof && !r.reset; i++) {
    rig_client_read(&r, r.got + 3000);
    rig_run(&r, 20 * MS);
  }
  cr_expect_eq(r.got, 45000, "%lu", (unsigned long)r.got);
  cr_expect_eq(r.reset, reset);
  cr_expect_eq(r.eof, !reset);
  rig_until_over(&r);
  cr_expect_eq(r.why, reset ? STACK_END_RESET_BY_PEER : STACK_END_CLOSED);
  rig_close(&r);
}
Test(flow_real, little_room_and_a_fin) { little_room(false); }
Test(flow_real, little_room_and_a_reset) { little_room(true); }

/* What the program wrote and its kernel keeps back (TCP_CORK) comes before the FIN that the control asks for. */
Test(flow_real, shutdown_from_the_control_waits_for_the_cork) {
  struct rig r;
  const int yes = 1;
  rig_open(&r, 0, false);
  cr_assert_eq(setsockopt(r.fd, IPPROTO_TCP, TCP_CORK, &yes, sizeof yes), 0);
  rig_client_write(&r, 300);
  flow_shutdown(r.f);
  for (int i = 0; i < 100 && !r.server.eof; i++) {
    (void)poll(NULL, 0, 20);
    rig_run(&r, 100 * MS);
  }
  cr_expect(r.server.eof);
  cr_expect_eq(r.server.got, 300);
  rig_close(&r);
}

/* A program resets its end while the peer's window is closed and the ring full: nothing of it stays. */
Test(flow_real, a_reset_behind_a_full_ring) {
  struct rig r;
  const struct linger now = {.l_onoff = 1};
  rig_open(&r, 0, true);
  for (int i = 0; i < 50; i++) {
    rig_client_write(&r, 50000000);
    rig_run(&r, 100 * MS);
  }
  cr_assert_eq(setsockopt(r.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
  r.fd = fd_close(r.fd);
  rig_run(&r, 1 * SEC);
  cr_expect_eq(r.overs, 1);
  cr_expect_eq(r.why, STACK_END_RESET_LOCAL, "%s", stack_end_name(r.why));
  rig_close(&r);
}

/* A backlog of 0 is one of 1, as the kernel has it; a listener that its program shut down is over for its peers, too. */
Test(flow_real, odd_words_to_the_listener) {
  struct rig r;
  struct ear e;
  struct end peer, late;
  rig_tables(&r);
  ear_open(&r, &e, BACKLOG(4));
  cr_assert_eq(listen(e.fd, 0), 0);
  dial(&r, &peer);
  const int fd = take(&e);
  cr_expect_geq(fd, 0);
  close(fd);
  end_close(&peer);
  cr_assert_eq(shutdown(e.fd, SHUT_RD), 0);
  dial(&r, &peer);
  cr_expect_eq(peer.why, STACK_END_RESET_BY_PEER);
  cr_expect(e.ended);
  dial(&r, &late);
  cr_expect_eq(late.why, STACK_END_REFUSED, "%s", stack_end_name(late.why));
  end_close(&peer);
  end_close(&late);
  ear_close(&e);
  rig_close(&r);
}
