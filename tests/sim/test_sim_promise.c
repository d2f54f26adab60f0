/* SPDX-License-Identifier: BSD-3-Clause
 * Thousands of connections whose programs do not read, each filled to the edge of its window: whoever reads still
 * receives, and what was promised to the others is kept. Counts only, never time.
 */
#include "../unit/stack_crowd.h"

#include "nic/nic_buf.h"

TestSuite(sim_promise, .timeout = 300);

static struct crowd w;

#define MIB ((size_t)1 << 20)

static struct nic_buf_stats buffers(void) {
  struct nic_buf_stats s;
  nic_buf_get_stats(&s);
  return s;
}

static size_t capacity(const struct crowd_end *e) {
  struct stack_conn_info i;
  stack_conn_info(e->c, &i);
  return i.recv_capacity;
}

/* One after the other, so that each finds all earlier ones; the i-th client is the i-th server's. */
static void join(void) {
  crowd_connect(&w);
  run(&w.n, 1 * MS);
  cr_assert_eq(w.n_servers, w.n_clients);
}

/* As far as the send queue takes it; returns how much. */
static size_t write_some(struct crowd_end *e, size_t n) {
  struct iovec iov[2];
  size_t all = 0;
  while (all < n && stack_conn_send_space(e->c, iov) == 1) {
    size_t k = MIN(n - all, iov[0].iov_len);
    memset(iov[0].iov_base, 'x', k);
    cr_assert_eq(stack_conn_send_commit(e->c, k), 0);
    all += k;
  }
  return all;
}

/* One more, whose program reads: all its bytes come. */
static void one_more_receives(size_t bytes) {
  join();
  struct crowd_end *from = &w.clients[w.n_clients - 1], *to = &w.servers[w.n_servers - 1];
  size_t sent = 0;
  for (unsigned turns = 0; to->got < bytes; turns++) {
    cr_assert_lt(turns, 20000u, "%lu of %zu bytes", (unsigned long)to->got, bytes);
    sent += write_some(from, bytes - sent);
    run(&w.n, 1 * MS);
  }
  cr_expect_eq(to->got, bytes);
}

Test(sim_promise, who_reads_receives_beside_thousands_who_do_not) {
  enum { N = 2000 };
  struct stack_limits limits = STACK_LIMITS_DEFAULT;
  uint64_t sent = 0, got = 0, filled = 0;
  limits.memory = 128 * MIB;
  crowd_open(&w, N + 10);
  stack_set_limits(w.n.s, &limits);
  w.deaf = N;
  const uint64_t refused = buffers().refused;
  for (unsigned i = 0; i < N; i++) {
    join();
    size_t n = capacity(&w.servers[i]) + 4096;
    cr_assert_eq(write_some(&w.clients[i], n), n);
    sent += n;
    run(&w.n, 1 * MS);
  }
  run(&w.n, 10 * SEC);
  for (unsigned i = 0; i < N; i++) {
    size_t unread = stack_conn_unread(w.servers[i].c);
    /* as full as whole packets, and windows in units of 256 bytes, can make it */
    cr_assert(unread <= capacity(&w.servers[i]) && unread + 1460 + 256 > capacity(&w.servers[i]), "%u has %zu: full", i, unread);
    filled += unread;
  }
  cr_expect_gt(capacity(&w.servers[0]), 100 * 1024u);
  cr_expect_eq(capacity(&w.servers[N - 1]), 16 * 1024u);
  cr_expect_geq(filled, (N - 400) * (16384ull - 1460));
  cr_expect_leq(stats_of(&w.n).rx_promised, 2 * limits.memory / 8 + 2ull * N * 16384, "both ends are here");
  cr_expect_eq(buffers().refused, refused, "no frame was without a buffer");
  one_more_receives(3 * MIB);
  one_more_receives(3 * MIB);
  cr_expect_eq(buffers().refused, refused);
  w.deaf = 0;
  for (unsigned i = 0; i < N; i++)
    crowd_readable(&w.servers[i]);
  run(&w.n, 200 * SEC);
  for (unsigned i = 0; i < N; i++)
    got += w.servers[i].got;
  cr_expect_eq(got, sent, "nothing that was promised was lost");
  cr_expect_eq(stats_of(&w.n).asserts, 0);
  crowd_close(&w);
  cr_expect_eq(buffers().held, 0);
}
