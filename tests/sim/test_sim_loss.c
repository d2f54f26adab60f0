/* SPDX-License-Identifier: BSD-3-Clause
 * The sender of TCP over bad wires: every byte arrives within a bound of the manual clock, whatever happens to the
 * frames, the books of every connection stay in order, and the goodput is what the loss allows (Mathis et al. 1997).
 */
#include "../unit/stack_end.h"
#include "../unit/stack_score.h"
#include "nic_between.h"

TestSuite(sim_loss, .timeout = 300);

/* --- a wire without SACK, without timestamps -------------------------------------------------------------------- */

enum { SACK_PERMITTED = 4, TIMESTAMPS = 8 };

/* Takes an option out of each SYN that is sent through it: both ends then believe that the other does not have it. */
struct strip {
  struct nic_between between;
  uint8_t option;
};

/* And the checksum: RFC 1624 3. */
static void set_byte(uint8_t *f, size_t at, uint8_t v) {
  unsigned shift = at % 2 ? 0 : 8;
  uint32_t sum = (uint16_t)~(f[50] << 8 | f[51]);
  sum += 0xffffu - ((uint32_t)f[at] << shift) + ((uint32_t)v << shift);
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  f[at] = v;
  f[50] = (uint8_t)(~sum >> 8);
  f[51] = (uint8_t)~sum;
}

static void strip_option(uint8_t *f, size_t len, uint8_t option) {
  size_t end = len >= 54 ? 34 + (size_t)(f[46] >> 4) * 4 : 0;
  if (len < 54 || f[12] != 8 || f[23] != 6 || !(f[47] & TCP_SYN) || end > len)
    return;
  for (size_t at = 54; at + 1 < end && f[at] != 0; at += f[at] == 1 ? 1 : MAX(f[at + 1], 1))
    if (f[at] == option)
      for (size_t n = MIN(f[at + 1], end - at); n > 0; n--)
        set_byte(f, at + n - 1, 1);
}

static void strip_sent(struct nic_between *b, size_t len) {
  strip_option(b->frame, len, container_of(b, struct strip, between)->option);
  nic_send_one(b->inner, b->frame, len);
}

static void strip_free(struct nic_between *b) { free(container_of(b, struct strip, between)); }

static struct nic *strip_wrap(struct nic *inner, uint8_t option) {
  struct strip *s = calloc(1, sizeof(*s));
  cr_assert_not_null(s);
  nic_between_init(&s->between, inner);
  s->between.sent = strip_sent;
  s->between.free = strip_free;
  s->option = option;
  return &s->between.nic;
}

/* --- runs ------------------------------------------------------------------------------------------------------- */

struct plan {
  struct nic_fault_config fault;
  uint64_t bytes;        /* each way */
  size_t rcvbuf;         /* 0: as it is */
  size_t piece;          /* what is written at once, and read each millisecond; 0: all that goes */
  uint64_t limit;        /* of the clock, ns */
  bool no_sack, no_ts, one_way, check;
  const struct tcp_cc *cc;
};

static void open_wire(struct net *n, const struct plan *p) {
  struct nic *na, *nb;
  net_wire(n, 8192, &p->fault, &na, &nb);
  if (p->no_sack) {
    na = strip_wrap(na, SACK_PERMITTED);
    nb = strip_wrap(nb, SACK_PERMITTED);
  }
  if (p->no_ts) {
    na = strip_wrap(na, TIMESTAMPS);
    nb = strip_wrap(nb, TIMESTAMPS);
  }
  net_start(n, na, nb);
}

/* Reads not more than so much, and checks it. */
static void read_piece(struct end *e, size_t most) {
  struct iovec iov;
  while (most && stack_conn_peek(e->c, &iov, 1) > 0) {
    size_t k = MIN(iov.iov_len, most);
    for (size_t i = 0; i < k; i++)
      e->bad |= ((uint8_t *)iov.iov_base)[i] != pattern(e->got + i);
    stack_conn_consume(e->c, k);
    e->got += k;
    most -= k;
  }
  e->eof = stack_conn_eof(e->c);
}

static void write_piece(struct end *e, size_t most, uint64_t all) {
  e->to_send = MIN(e->to_send + most, all);
  e->shut_after = e->to_send == all;
  end_send(e);
}

static void tune(struct end *e, const struct plan *p) {
  if (p->rcvbuf)
    stack_conn_set_rcvbuf(e->c, p->rcvbuf);
  e->hold = p->piece != 0;
}

/* Returns how long the transfer took, and leaves nothing behind. */
static uint64_t transfer(const struct plan *p) {
  struct net n;
  struct end end[2] = {{0}, {0}};
  uint64_t want[2] = {p->one_way ? 0 : p->bytes, p->bytes}, took = 0;
  open_wire(&n, p);
  end_pair(&n, &end[0], &end[1]);
  if (p->cc)
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
      (pcb->cc = p->cc)->init(pcb);
  for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
    cr_assert(!(pcb->flags & TF_SACK) == p->no_sack && !(pcb->flags & TF_TIMESTAMP) == p->no_ts);
  tune(&end[0], p);
  tune(&end[1], p);
  for (; took < p->limit && !(end[0].eof && end[1].eof && end[0].ended && end[1].ended); took += MS) {
    for (int i = 0; i < 2; i++) {
      if (end[i].to_send < want[!i] || !end[i].shut_after)
        write_piece(&end[i], p->piece ? p->piece : p->bytes, want[!i]);
      if (p->piece)
        read_piece(&end[i], p->piece);
      else
        end_recv(&end[i]);
    }
    run(&n, 1 * MS);
    if (p->check)
      score_check("transfer", took / MS);
  }
  for (int i = 0; i < 2; i++) {
    cr_expect_eq(end[i].got, want[i], "timestamps %d seed %lu loss %u reorder %u delay %lu: %lu of %lu bytes after %lu ms",
                 !p->no_ts, (unsigned long)p->fault.seed, p->fault.loss_permille, p->fault.reorder_permille,
                 (unsigned long)(p->fault.delay_ns / MS), (unsigned long)end[i].got, (unsigned long)want[i],
                 (unsigned long)(took / MS));
    cr_expect(!end[i].bad);
    cr_expect_eq(end[i].why, STACK_END_CLOSED);
  }
  score_check("at the end", 0);
  end_last(&n, &end[0], &end[1]);
  return took;
}

/* --- everything at once ------------------------------------------------------------------------------------------ */

static const unsigned losses[] = {0, 1, 10, 50};
static const uint64_t delays[] = {0, 10 * MS, 50 * MS};

static void matrix(struct plan p, uint64_t seeds) {
  for (uint64_t seed = 1; seed <= seeds; seed++)
    for (size_t l = 0; l < ARRAY_SIZE(losses); l++)
      for (size_t d = 0; d < ARRAY_SIZE(delays); d++)
        for (unsigned bits = 0; bits < 8; bits++) {
          p.fault = (struct nic_fault_config){.seed = seed * 1000003 + l * 101 + d * 11 + bits,
                                              .loss_permille = losses[l],
                                              .reorder_permille = bits & 1 ? 20 : 0,
                                              .duplicate_permille = bits & 2 ? 20 : 0,
                                              .corrupt_permille = bits & 4 ? 10 : 0,
                                              .delay_ns = delays[d],
                                              .jitter_ns = seed % 2 ? 0 : delays[d] / 4};
          for (int ts = 0; ts < 2; ts++) {
            p.no_ts = !ts;
            transfer(&p);
          }
        }
}

Test(sim_loss, large_writes) { matrix((struct plan){.bytes = 300000, .limit = 300 * SEC}, 2); }

Test(sim_loss, large_writes_the_books_checked_each_millisecond) {
  matrix((struct plan){.bytes = 150000, .limit = 300 * SEC, .check = true}, 1);
}

Test(sim_loss, tiny_writes_and_a_reader_as_slow) {
  matrix((struct plan){.bytes = 30000, .piece = 137, .limit = 600 * SEC, .check = true}, 1);
}

Test(sim_loss, small_windows_that_close) {
  matrix((struct plan){.bytes = 60000, .rcvbuf = 4096, .piece = 1000, .limit = 600 * SEC, .check = true}, 1);
}

Test(sim_loss, without_sack) { matrix((struct plan){.bytes = 150000, .limit = 600 * SEC, .no_sack = true, .check = true}, 1); }

/* --- goodput ------------------------------------------------------------------------------------------------------ */

#define WINDOW 400000u
#define MSS 1460u

static double rate(struct plan p, unsigned loss, uint64_t each_way, uint64_t bytes, uint64_t seeds) {
  double bytes_in_all = 0, took = 0;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    p.fault = (struct nic_fault_config){.seed = seed * 65537, .loss_permille = loss, .delay_ns = each_way};
    p.bytes = bytes;
    p.one_way = true;
    p.limit = 600 * SEC;
    p.rcvbuf = WINDOW;
    took += (double)transfer(&p) / 1e9;
    bytes_in_all += (double)bytes;
  }
  return bytes_in_all / took;
}

/* MSS / RTT * 1.22 / sqrt(p), bytes a second; not over the window. The roots are those of 0.001 and 0.01. */
static double mathis(unsigned loss, double rtt) {
  double root = loss == 1 ? 0.0316228 : 0.1, m = MSS / rtt * 1.22 / root;
  return MIN(m, WINDOW / rtt);
}

static void expect_rate(double got, double least, const char *what) {
  cr_log_info("%s: %.0f bytes/s, at least %.0f\n", what, got, least);
  cr_expect_geq(got, least, "%s: %.0f bytes/s, at least %.0f", what, got, least);
}

Test(sim_loss, goodput_over_20_ms) {
  expect_rate(rate((struct plan){0}, 0, 10 * MS, 20000000, 1), 0.8 * WINDOW / 0.020, "no loss");
  expect_rate(rate((struct plan){0}, 1, 10 * MS, 4000000, 3), 0.8 * mathis(1, 0.020), "0.1 %");
  expect_rate(rate((struct plan){0}, 10, 10 * MS, 2000000, 3), 0.8 * mathis(10, 0.020), "1 %");
}

Test(sim_loss, goodput_over_100_ms) {
  expect_rate(rate((struct plan){0}, 0, 50 * MS, 20000000, 1), 0.8 * WINDOW / 0.100, "no loss");
  expect_rate(rate((struct plan){0}, 1, 50 * MS, 4000000, 3), 0.8 * mathis(1, 0.100), "0.1 %");
}

Test(sim_loss, goodput_without_timestamps) {
  struct plan p = {.no_ts = true};
  expect_rate(rate(p, 0, 10 * MS, 20000000, 1), 0.8 * WINDOW / 0.020, "20 ms, no loss");
  expect_rate(rate(p, 1, 10 * MS, 4000000, 3), 0.8 * mathis(1, 0.020), "20 ms, 0.1 %");
  expect_rate(rate(p, 10, 10 * MS, 2000000, 3), 0.8 * mathis(10, 0.020), "20 ms, 1 %");
  expect_rate(rate(p, 1, 50 * MS, 4000000, 3), 0.8 * mathis(1, 0.100), "100 ms, 0.1 %");
}

Test(sim_loss, goodput_of_reno) {
  expect_rate(rate((struct plan){.cc = &tcp_cc_reno}, 1, 10 * MS, 4000000, 3), 0.8 * mathis(1, 0.020), "0.1 %");
  expect_rate(rate((struct plan){.cc = &tcp_cc_reno}, 10, 10 * MS, 2000000, 3), 0.8 * mathis(10, 0.020), "1 %");
}

Test(sim_loss, goodput_without_sack) {
  struct plan p = {.no_sack = true};
  expect_rate(rate(p, 0, 10 * MS, 20000000, 1), 0.8 * WINDOW / 0.020, "no loss");
  expect_rate(rate(p, 1, 10 * MS, 4000000, 3), 0.5 * mathis(1, 0.020), "0.1 %");
  expect_rate(rate(p, 10, 10 * MS, 2000000, 3), 0.5 * mathis(10, 0.020), "1 %");
}
