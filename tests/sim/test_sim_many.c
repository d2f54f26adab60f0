/* SPDX-License-Identifier: BSD-3-Clause
 * Cost that does not grow: very many connections in one stack, and how many of them a timer of TCP looks at. Counts
 * only, never time.
 */
#include "../unit/stack_crowd.h"
#include "../unit/stack_end.h"

#include "stack/stack_table.h"

#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"

TestSuite(sim_many, .timeout = 300);

static struct crowd w;

static uint64_t visits(void) { return stats_of(&w.n).timer_visits; }

/* Visits in so long. */
static uint64_t visits_in(uint64_t ns) {
  uint64_t before = visits();
  run(&w.n, ns);
  return visits() - before;
}

Test(sim_many, a_turn_costs_what_it_changes) {
  enum { N = 50000 };
  struct stack_conn_options keepalive = {.keepalive_idle_s = 60, .keepalive_interval_s = 10, .keepalive_count = 3};
  struct stack_stats st;
  crowd_open(&w, N);
  crowd_fill(&w, N);
  st = stats_of(&w.n);
  cr_expect_eq(st.tcp_active, 2 * N, "more than a port number can count");
  cr_expect_eq(st.asserts, 0);
  cr_expect_eq(visits_in(3600 * SEC), 0, "idle ones are looked at by nobody");
  crowd_say(&w.clients[N / 2], 10);
  cr_expect_eq(visits_in(10 * SEC), 1, "the delayed ACK");
  uint64_t got = 0;
  for (unsigned i = 0; i < N; i++)
    got += w.servers[i].got;
  cr_expect_eq(got, 10);
  cr_assert_eq(stack_conn_set_options(w.clients[7].c, &keepalive), 0);
  uint64_t probes = visits_in(600 * SEC);
  cr_expect(probes >= 1 && probes <= 12, "one with keepalive: %lu", (unsigned long)probes);
  crowd_close(&w);
}

/* The peers are there no more: everything that was in flight is sent again until it is given up, and only that. */
Test(sim_many, only_what_waits_is_looked_at) {
  enum { N = 3000, BUSY = 10 };
  crowd_open(&w, N);
  crowd_fill(&w, N);
  stack_if_clear_ipv4(w.n.b);
  run(&w.n, 1 * SEC);
  cr_expect_eq(stats_of(&w.n).tcp_active, N, "what had the address went, the others do not know yet");
  for (unsigned i = 0; i < BUSY; i++)
    crowd_say(&w.clients[i * 100], 100);
  uint64_t n = visits_in(2000 * SEC);
  cr_expect(n >= BUSY * TCP_MAXRTX && n <= BUSY * (TCP_MAXRTX + 2), "%lu visits", (unsigned long)n);
  for (unsigned i = 0; i < N; i++)
    cr_assert_eq(w.clients[i].ended, i % 100 == 0 && i / 100 < BUSY, "%u", i);
  cr_expect_eq(w.clients[0].why, STACK_END_TIMED_OUT);
  crowd_close(&w);
}

/* Short connections one after another, the server closes first: its TIME_WAIT is in nobody's way. */
Test(sim_many, a_hundred_thousand_short_connections) {
  enum { N = 100000 };
  struct stack_stats st;
  crowd_open(&w, N);
  w.server_closes = true;
  for (size_t closed = 0; w.n_clients < N;) {
    for (unsigned i = 0; i < CROWD_BATCH; i++)
      crowd_connect(&w);
    run(&w.n, 1 * MS);
    for (; closed < w.n_clients; closed++) {
      cr_assert_eq(w.clients[closed].connected, 1, "connection %zu", closed);
      w.clients[closed].c = stack_conn_close(w.clients[closed].c);
    }
    run(&w.n, 1 * MS);
  }
  st = stats_of(&w.n);
  cr_expect_eq(w.n_servers, N);
  cr_expect_eq(st.tcp_active, 0);
  cr_expect_leq(st.tcp_time_wait, 16384);
  cr_expect_eq(st.syn_dropped, 0);
  cr_expect_eq(st.asserts, 0);
  run(&w.n, 31 * SEC);
  cr_expect_eq(stats_of(&w.n).tcp_time_wait, 0);
  crowd_close(&w);
}

/* What is left of the oldest gives way one by one, and each stays two MSL. */
Test(sim_many, time_wait_is_a_queue) {
  struct stack_limits limits = STACK_LIMITS_DEFAULT;
  limits.time_wait = 100;
  crowd_open(&w, 1000);
  stack_set_limits(w.n.s, &limits);
  w.server_closes = true;
  for (unsigned i = 0; i < 150; i++) {
    crowd_connect(&w);
    run(&w.n, 0);
    w.clients[i].c = stack_conn_close(w.clients[i].c);
    run(&w.n, 100 * MS);
  }
  struct stack_stats st = stats_of(&w.n);
  cr_expect_eq(st.tcp_time_wait, 100);
  cr_expect_eq(st.refused[STACK_LIMIT_TIME_WAIT], 50);
  uint64_t before = st.timer_visits;
  run(&w.n, 20 * SEC + 50 * MS); /* the oldest that is left has waited for ten already */
  st = stats_of(&w.n);
  cr_expect(st.tcp_time_wait >= 99 && st.tcp_time_wait <= 100, "%lu", (unsigned long)st.tcp_time_wait);
  run(&w.n, 5 * SEC);
  st = stats_of(&w.n);
  cr_expect(st.tcp_time_wait >= 49 && st.tcp_time_wait <= 51, "%lu", (unsigned long)st.tcp_time_wait);
  cr_expect_eq(st.timer_visits - before, 100 - st.tcp_time_wait, "each is looked at when it goes");
  crowd_close(&w);
}

/* 32,767 ports may be chosen; 32,766 are taken. */
Test(sim_many, the_last_free_port_is_found) {
  enum { PORTS = 32767 };
  static struct stack_conn *c[PORTS];
  static uint8_t seen[65536];
  struct stack_conn *more;
  struct stack_conn_info info;
  crowd_open(&w, 1);
  struct net_endpoint from = ep(w.n.addr_a, 0), nobody = ep(addr_of("10.0.0.77"), 9), other = ep(addr_of("10.0.0.78"), 9);
  for (unsigned i = 0; i < PORTS; i++) {
    cr_assert_eq(stack_tcp_connect(w.n.s, &from, &nobody, &crowd_ops, NULL, &c[i]), 0, "%u", i);
    stack_conn_info(c[i], &info);
    cr_assert_eq(seen[info.local.port]++, 0, "port %u twice", info.local.port);
  }
  cr_expect_eq(stack_tcp_connect(w.n.s, &from, &nobody, &crowd_ops, NULL, &more), -EADDRINUSE);
  stack_conn_info(c[4711], &info);
  uint16_t free_port = info.local.port;
  stack_conn_abort(c[4711], STACK_END_REVOKED);
  run(&w.n, 0);
  cr_assert_eq(stack_tcp_connect(w.n.s, &from, &nobody, &crowd_ops, NULL, &c[4711]), 0);
  stack_conn_info(c[4711], &info);
  cr_expect_eq(info.local.port, free_port);
  cr_assert_eq(stack_tcp_connect(w.n.s, &from, &other, &crowd_ops, NULL, &more), 0, "another peer has all of them");
  stack_conn_abort(more, STACK_END_REVOKED);
  for (unsigned i = 0; i < PORTS; i++)
    stack_conn_abort(c[i], STACK_END_REVOKED);
  crowd_close(&w);
}

/* Segments that left for the wire, whoever sent them. */
static STAT_COUNTER sent(void) { return lwip_stats.tcp.xmit; }

/* Connections over a bad wire, and after each millisecond a walk over all of them as lwIP does it: it finds nothing that
 * the deadlines have missed. */
Test(sim_many, a_walk_over_all_finds_nothing_to_do) {
  enum { N = 6 };
  struct nic_fault_config f = {.seed = 11, .loss_permille = 100, .reorder_permille = 50, .delay_ns = 7 * MS, .jitter_ns = 3 * MS};
  static struct end client[N], server[N];
  struct stack_conn_options keepalive = {.keepalive_idle_s = 2, .keepalive_interval_s = 1, .keepalive_count = 30};
  struct net n;
  net_open(&n, &f);
  for (unsigned i = 0; i < N; i++) {
    client[i] = (struct end){.to_send = 600000 + i * 1000};
    end_pair(&n, &client[i], &server[i]);
  }
  server[0].hold = true; /* a closed window, so a persist timer */
  stack_conn_set_rcvbuf(server[0].c, 4096);
  cr_assert_eq(stack_conn_set_options(client[1].c, &keepalive), 0);
  for (unsigned ms = 0; ms < 60000; ms++) {
    if (ms == 20000)
      end_close(&client[2]), end_close(&server[3]);
    run(&n, 1 * MS);
    STAT_COUNTER before = sent();
    uint64_t active = stats_of(&n).tcp_active, waits = stats_of(&n).tcp_time_wait;
    tcp_slowtmr();
    cr_assert_eq(sent(), before, "at %u ms a timer was missed", ms);
    cr_assert_eq(stats_of(&n).tcp_active, active);
    cr_assert_eq(stats_of(&n).tcp_time_wait, waits);
  }
  cr_expect_gt(stats_of(&n).timer_visits, 100);
  for (unsigned i = 0; i < N; i++) {
    cr_expect(server[i].got == client[i].to_send || i == 0 || i == 3, "%u: %lu bytes", i, (unsigned long)server[i].got);
    stack_conn_abort(client[i].c, STACK_END_REVOKED);
    stack_conn_abort(server[i].c, STACK_END_REVOKED);
  }
  net_close(&n);
}

Test(sim_many, an_address_goes_with_its_connections_alone) {
  enum { N = 2000 };
  crowd_open(&w, N);
  crowd_fill(&w, N);
  stack_if_clear_ipv4(w.n.a);
  run(&w.n, 0);
  for (unsigned i = 0; i < N; i++) {
    cr_assert_eq(w.clients[i].why, STACK_END_ADDRESS_LOST);
    cr_assert_eq(w.servers[i].ended, 0);
  }
  cr_expect_eq(stats_of(&w.n).tcp_active, N);
  crowd_close(&w);
}
