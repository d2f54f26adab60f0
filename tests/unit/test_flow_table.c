/* SPDX-License-Identifier: BSD-3-Clause
 * The table of sockets: attempts, listeners, the ring of the dead, and descriptors that run out.
 */
#include "flow_client.h"

#include <sys/resource.h>

TestSuite(flow_table, .timeout = 60);

struct seen {
  unsigned alive, dead, by_kind[3], by_end[STACK_END_COUNT];
  uint64_t first_dead;
  struct flow_info last;
};

static void see(void *arg, const struct flow_info *i) {
  struct seen *s = arg;
  if (i->dead && s->dead++ == 0)
    s->first_dead = i->id;
  s->alive += !i->dead;
  s->by_kind[i->kind]++;
  s->by_end[i->conn.end]++;
  s->last = *i;
  cr_expect_str_eq(i->label->grant, "web");
}

static struct seen look(struct rig *r) {
  struct seen s = {0};
  flow_each(r->t, see, &s);
  return s;
}

Test(flow_table, an_attempt_is_seen_from_the_first_syn_and_may_be_refused) {
  struct rig r;
  rig_tables(&r);
  (void)rig_attempt(&r, 81);
  struct seen s = look(&r);
  cr_expect_eq(s.alive, 1);
  cr_expect_eq(s.by_kind[FLOW_ATTEMPT], 1);
  cr_expect_eq(s.last.conn.state, STACK_TCP_SYN_SENT);
  cr_expect_eq(rig_stats(&r).attempts, 1);
  run(&r.n, 1 * SEC);
  cr_expect_eq(r.failed, 1);
  cr_expect_eq(r.why, STACK_END_REFUSED);
  s = look(&r);
  cr_expect_eq(s.dead, 1);
  cr_expect_eq(s.by_end[STACK_END_REFUSED], 1);
  cr_expect_eq(s.last.ended_ns >= s.last.opened_ns, true);
  cr_expect_eq(rig_stats(&r).attempts, 0);
  rig_close(&r);
}

Test(flow_table, a_cancelled_attempt_tells_nobody) {
  struct rig r;
  rig_tables(&r);
  struct flow_attempt *a = rig_attempt(&r, 81);
  cr_expect_null(flow_attempt_cancel(a, STACK_END_TIMED_OUT));
  cr_expect_null(flow_attempt_cancel(NULL, STACK_END_TIMED_OUT));
  run(&r.n, 10 * SEC);
  cr_expect_eq(r.failed + r.connected, 0);
  cr_expect_eq(look(&r).by_end[STACK_END_TIMED_OUT], 1);
  rig_close(&r);
}

Test(flow_table, an_attempt_that_cannot_begin_leaves_nothing) {
  struct rig r;
  struct flow_attempt *a = NULL;
  rig_tables(&r);
  struct net_endpoint local = ep(addr_of("10.9.9.9"), 0), remote = ep(r.n.addr_b, 80);
  cr_expect_eq(flow_connect(r.t, &local, &remote, NULL, &rig_label, &rig_attempt_ops, &r, &a), -EADDRNOTAVAIL);
  const struct stack_conn_options odd = {.keepalive_idle_s = UINT32_MAX};
  local.addr = r.n.addr_a;
  cr_expect_eq(flow_connect(r.t, &local, &remote, &odd, &rig_label, &rig_attempt_ops, &r, &a), -EINVAL);
  cr_expect_null(a);
  cr_expect_eq(rig_stats(&r).total, 0);
  rig_close(&r);
}

static void on_ended(void *arg, enum stack_end why) { ((struct rig *)arg)->why = why; }
static void on_acceptable(void *arg) { ((struct rig *)arg)->waiting++; }
static const struct flow_listener_ops listener_ops = {.acceptable = on_acceptable, .ended = on_ended};

Test(flow_table, a_listener_with_a_full_queue_and_one_whose_address_goes) {
  struct rig r;
  struct flow_listener *l = NULL;
  struct end clients[3] = {0};
  struct stack_conn *conn;
  rig_tables(&r);
  struct net_endpoint at = ep(r.n.addr_b, 80);
  cr_assert_eq(flow_listen(r.t, &at, BACKLOG(2), false, &rig_label, &listener_ops, &r, &l, NULL), 0);
  struct flow_listener *again = NULL;
  cr_expect_eq(flow_listen(r.t, &at, BACKLOG(2), false, &rig_label, &listener_ops, &r, &again, NULL), -EADDRINUSE);
  cr_expect_null(again);
  cr_expect_eq(rig_stats(&r).listeners, 1);
  cr_expect_eq(look(&r).last.blocked, FLOW_BLOCKED_NOTHING);
  cr_expect_eq(flow_accept(l, &conn), -EAGAIN);
  for (int i = 0; i < 3; i++)
    end_connect(&clients[i], &r.n, 80);
  run(&r.n, 500 * MS);
  struct seen s = look(&r);
  cr_expect_eq(s.last.listener.waiting, 2);
  cr_expect_eq(s.last.blocked, FLOW_BLOCKED_ACCEPT_QUEUE);
  cr_expect_geq(s.last.listener.dropped, 1);
  cr_assert_eq(flow_accept(l, &conn), 0);
  stack_conn_close(conn);
  stack_if_clear_ipv4(r.n.b);
  run(&r.n, 1 * SEC);
  cr_expect_eq(r.why, STACK_END_ADDRESS_LOST);
  cr_expect_eq(rig_stats(&r).listeners, 0);
  cr_expect_eq(look(&r).by_end[STACK_END_ADDRESS_LOST], 1);
  cr_expect_neq(flow_listener_id(l), 0);
  struct stack_listener_info info;
  flow_listener_info(l, &info);
  l = flow_listener_free(l);
  cr_expect_eq(rig_stats(&r).dead, 1, "it died once");
  for (int i = 0; i < 3; i++)
    clients[i].c = stack_conn_abort(clients[i].c, STACK_END_RESET_LOCAL);
  rig_close(&r);
}

Test(flow_table, the_dead_are_kept_to_the_last_256) {
  struct rig r;
  rig_tables(&r);
  for (unsigned i = 0; i < FLOW_DEAD_MAX; i++)
    (void)flow_attempt_cancel(rig_attempt(&r, 81), STACK_END_RESET_LOCAL);
  struct seen s = look(&r);
  cr_expect_eq(s.dead, FLOW_DEAD_MAX);
  cr_expect_eq(s.first_dead, 1);
  (void)flow_attempt_cancel(rig_attempt(&r, 81), STACK_END_RESET_LOCAL);
  s = look(&r);
  cr_expect_eq(s.dead, FLOW_DEAD_MAX);
  cr_expect_eq(s.first_dead, 2, "the oldest went");
  cr_expect_eq(rig_stats(&r).total, FLOW_DEAD_MAX + 1);
  rig_close(&r);
}

Test(flow_table, the_dead_are_forgotten_with_time) {
  struct rig r;
  rig_tables(&r);
  (void)flow_attempt_cancel(rig_attempt(&r, 81), STACK_END_RESET_LOCAL);
  run(&r.n, FLOW_DEAD_NS / 2);
  (void)flow_attempt_cancel(rig_attempt(&r, 81), STACK_END_RESET_LOCAL);
  run(&r.n, FLOW_DEAD_NS / 2 - 1);
  cr_expect_eq(look(&r).dead, 2);
  run(&r.n, 1);
  cr_expect_eq(look(&r).dead, 1);
  cr_assert_eq(loop_sim_suspend(r.n.loop, FLOW_DEAD_NS), 0);
  cr_expect_eq(look(&r).dead, 0, "sleeping counts");
  cr_expect_eq(rig_stats(&r).dead, 0);
  rig_close(&r);
}

/* Neither end of the pair can be made: the peer hears a reset, and nothing is left. */
Test(flow_table, no_descriptor_left) {
  struct rig r;
  rig_tables(&r);
  struct end client = {0}, server = {0};
  end_pair(&r.n, &client, &server);
  r.server = server;
  stack_conn_set_ops(r.server.c, &end_ops, &r.server);
  struct rlimit was, now;
  cr_assert_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
  now = was;
  int probe = dup(0);
  now.rlim_cur = (rlim_t)probe + 1; /* room for one, where two are needed */
  close(probe);
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
  cr_expect_eq(flow_new(r.t, client.c, FLOW_FORM_PAIR, &rig_label, &rig_flow_ops, &r, &r.f, &r.fd), -EMFILE);
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
  cr_expect_null(r.f);
  run(&r.n, 1 * SEC);
  cr_expect_eq(r.server.why, STACK_END_RESET_BY_PEER);
  cr_expect_eq(rig_stats(&r).total, 0);
  rig_close(&r);
}

/* --- labels ----------------------------------------------------------------------------------------------------------------- */

enum { LABELS = 40 }; /* more than are compared, so that some are kept twice */

static void label_for(uint64_t i, char taker[200]) {
  (void)snprintf(taker, 200, "%lu%s", (unsigned long)(i % LABELS), i % 2 ? " a name that is longer than what is kept of it, by far: "
                 "the rest of it is cut off, here as anywhere else, and this is nearly the rest of it" : "");
}

static void see_label(void *arg, const struct flow_info *i) {
  unsigned *seen = arg;
  char taker[200];
  label_for(i->label->cap_id, taker);
  cr_expect_eq(strncmp(i->label->taken_by, taker, FLOW_TAKER_MAX - 1), 0, "%s", i->label->taken_by);
  cr_expect_lt(strlen(i->label->taken_by), FLOW_TAKER_MAX);
  cr_expect_str_eq(i->label->grant, "web");
  (*seen)++;
}

Test(flow_table, each_socket_has_its_own_label_though_text_is_shared) {
  struct rig r;
  rig_tables(&r);
  static struct flow_attempt *a[3 * LABELS];
  struct net_endpoint local = ep(r.n.addr_a, 0), at = ep(r.n.addr_b, 81);
  static const struct flow_attempt_ops ops = {.connected = rig_connected, .failed = rig_failed};
  for (uint64_t i = 0; i < ARRAY_SIZE(a); i++) {
    char taker[200];
    label_for(i, taker);
    const struct flow_label label = {.cap_id = i, .owner = 1, .grant = "web", .taken_by = taker};
    cr_assert_eq(flow_connect(r.t, &local, &at, NULL, &label, &ops, &r, &a[i]), 0);
    memset(taker, 'x', sizeof taker - 1); /* nothing of the caller's is kept */
  }
  unsigned seen = 0;
  flow_each(r.t, see_label, &seen);
  cr_expect_eq(seen, ARRAY_SIZE(a));
  for (size_t i = 0; i < ARRAY_SIZE(a); i += 2)
    a[i] = flow_attempt_cancel(a[i], STACK_END_TIMED_OUT);
  seen = 0;
  flow_each(r.t, see_label, &seen);
  cr_expect_eq(seen, ARRAY_SIZE(a), "the dead as well");
  for (size_t i = 1; i < ARRAY_SIZE(a); i += 2)
    a[i] = flow_attempt_cancel(a[i], STACK_END_TIMED_OUT);
  rig_close(&r);
}
