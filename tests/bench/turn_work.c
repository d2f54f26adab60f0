/* SPDX-License-Identifier: BSD-3-Clause
 * What a turn of the stack costs while very many connections are idle: the thread's CPU time, how many connections it
 * looked at, and the memory of each. The wire is a memory pair, both ends are in one stack, there are no data
 * descriptors. Prints one line of JSON a figure. Usage: turn_work [PCBS]
 */
#include "stack/stack_listen.h"

#include <malloc.h>
#include <stdio.h>
#include <time.h>

#define MS NSEC_PER_MSEC
#define PCBS 95000u
#define LISTENERS 8u
#define BATCH 200u
#define TURNS 2001u
#define ACK_MS 40u /* the delayed ACK has left by then */

static struct {
  struct loop *loop;
  struct stack *s;
  struct stack_listener *l[LISTENERS];
  struct net_addr a, b;
  size_t accepted;
} w;

static void die(const char *what) {
  (void)fprintf(stderr, "turn_work: %s\n", what);
  exit(1);
}

static void run(uint64_t ns) {
  if (loop_sim_advance(w.loop, ns) < 0)
    die("loop");
}

static void on_readable(void *arg) {
  struct stack_conn *c = arg;
  stack_conn_consume(c, stack_conn_unread(c));
}
static const struct stack_conn_ops ops = {.readable = on_readable};

static void on_acceptable(void *arg _unused_) {
  struct stack_conn *c;
  for (unsigned k = 0; k < LISTENERS; k++)
    while (stack_listener_accept(w.l[k], &ops, NULL, &c) == 0) {
      stack_conn_set_ops(c, &ops, c);
      w.accepted++;
    }
}
static const struct stack_listener_ops listener_ops = {.acceptable = on_acceptable};

static void open_stack(void) {
  struct nic *na, *nb;
  struct stack_if *a, *b;
  if (loop_sim_new(&w.loop) < 0 || nic_memory_pair(w.loop, 1500, 4096, &na, &nb) < 0 || stack_new(w.loop, &w.s) < 0 ||
      stack_if_add(w.s, na, "a", NULL, NULL, &a) < 0 || stack_if_add(w.s, nb, "b", NULL, NULL, &b) < 0 ||
      net_addr_parse("10.0.0.1", &w.a) < 0 || net_addr_parse("10.0.0.2", &w.b) < 0 ||
      stack_if_set_ipv4(a, &w.a, 24, NULL) < 0 || stack_if_set_ipv4(b, &w.b, 24, NULL) < 0)
    die("stack");
  for (unsigned k = 0; k < LISTENERS; k++) {
    struct net_endpoint at = {.addr = w.b, .port = (uint16_t)(80 + k)};
    struct stack_listen_options o = {.backlog = BATCH};
    if (stack_tcp_listen(w.s, &at, &o, &listener_ops, NULL, &w.l[k]) < 0)
      die("listen");
  }
}

static struct stack_conn *connect_one(size_t i) {
  struct net_endpoint from = {.addr = w.a}, to = {.addr = w.b, .port = (uint16_t)(80 + i % LISTENERS)};
  struct stack_conn *c;
  if (stack_tcp_connect(w.s, &from, &to, &ops, NULL, &c) < 0)
    die("connect");
  stack_conn_set_ops(c, &ops, c);
  return c;
}

static void say(struct stack_conn *c) {
  struct iovec iov[2];
  if (stack_conn_send_space(c, iov) < 1)
    die("no space");
  *(char *)iov[0].iov_base = 'x';
  (void)stack_conn_send_commit(c, 1);
}

static uint64_t cpu_ns(void) {
  struct timespec ts;
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t visits(void) {
  struct stack_stats st;
  stack_get_stats(w.s, &st);
  return st.timer_visits;
}

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* One byte goes over one connection; what is measured is the turn of the timer that sends its delayed ACK. */
static void measure(struct stack_conn *c, size_t pcbs) {
  static uint64_t took[TURNS];
  uint64_t touched = visits();
  for (unsigned i = 0; i < TURNS; i++) {
    say(c);
    run(0);
    uint64_t start = cpu_ns();
    run(ACK_MS * MS);
    took[i] = cpu_ns() - start;
  }
  touched = visits() - touched;
  qsort(took, TURNS, sizeof(took[0]), by_value);
  printf("{\"figure\":\"turn_work_95k\",\"unit\":\"ms\",\"pcbs\":%zu,\"value\":%.4f,\"low\":%.4f,\"high\":%.4f,"
         "\"pcbs_per_turn\":%.2f}\n",
         pcbs, (double)took[TURNS / 2] / 1e6, (double)took[TURNS / 40] / 1e6, (double)took[TURNS - TURNS / 40] / 1e6,
         (double)touched / TURNS);
}

int main(int argc, char **argv) {
  size_t pcbs = argc > 1 ? strtoul(argv[1], NULL, 10) : PCBS, n = MAX(pcbs / 2, 1u);
  open_stack();
  struct stack_conn *busy = connect_one(0);
  run(1 * NSEC_PER_SEC);
  size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  for (size_t i = 1; i < n;) {
    for (unsigned k = 0; k < BATCH && i < n; k++, i++)
      connect_one(i);
    run(1 * MS);
  }
  run(10 * NSEC_PER_SEC);
  if (w.accepted != n)
    die("not all were accepted");
  size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
  measure(busy, 2 * n);
  printf("{\"figure\":\"mem_idle_stack\",\"unit\":\"bytes\",\"pcbs\":%zu,\"value\":%.0f}\n", 2 * n,
         (double)(after - before) / (double)MAX(2 * (n - 1), 1u));
  return 0;
}
