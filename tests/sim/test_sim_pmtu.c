/* SPDX-License-Identifier: BSD-3-Clause
 * Wires that let no packet over a size pass: with a router that says so, with one whose word is often lost, and with
 * nobody who says anything. Every byte arrives in its place within a bound of the manual clock, whatever else is lost,
 * and the books of every connection stay in order.
 */
#include "../unit/stack_end.h"
#include "../unit/stack_score.h"
#include "../unit/stack_wire.h"
#include "nic_between.h"

TestSuite(sim_pmtu, .timeout = 300);

/* --- a narrow wire ------------------------------------------------------------------------------------------------ */

#define WORDS 64u /* of the router, on their way back */
#define WORD_LEN (14u + 20 + 8 + 28)

/* Between the stack and the wire: what is sent and too large does not get further. */
struct narrow {
  struct nic_between between;
  struct loop_timer *timer;
  struct loop *loop;
  unsigned size;         /* IP packets up to it pass */
  unsigned told_permille; /* of those that do not pass, how many the router speaks of */
  bool names_size;
  uint64_t seed, dropped, told;
  unsigned n_words;
  uint8_t words[WORDS][WORD_LEN];
};

static uint32_t draw(struct narrow *s) {
  s->seed ^= s->seed << 13;
  s->seed ^= s->seed >> 7;
  s->seed ^= s->seed << 17;
  return (uint32_t)(s->seed >> 20) % 1000;
}

/* RFC 1191 4, from 10.0.0.99. */
static void say(struct narrow *s, const uint8_t *f) {
  uint8_t *to = s->words[s->n_words++], *ip = to + 14, *h = ip + 20;
  memset(to, 0, WORD_LEN);
  memcpy(to, f + 6, 6);
  memcpy(to + 6, f, 6);
  wire_put(to + 12, 0x0800, 2);
  ip[0] = 0x45;
  wire_put(ip + 2, WORD_LEN - 14, 2);
  ip[8] = 64;
  ip[9] = 1;
  wire_put(ip + 12, 0x0a000063, 4);
  memcpy(ip + 16, f + 26, 4);
  wire_put(ip + 10, wire_sum(ip, 20, 0), 2);
  h[0] = 3;
  h[1] = 4;
  wire_put(h + 6, s->names_size ? s->size : 0, 2);
  memcpy(h + 8, f + 14, 28);
  wire_put(h + 2, wire_sum(h, 36, 0), 2);
  loop_timer_set(s->timer, loop_now(s->loop, CLOCK_ID_MONO) + 5 * MS);
}

static void deliver_words(void *arg) {
  struct narrow *s = arg;
  for (unsigned i = 0; i < s->n_words; i++) {
    struct nic_slot slot = {0};
    struct iovec iov[NIC_SLOT_IOV];
    struct nic_rx rx = {.len = WORD_LEN};
    if (nic_slot_prepare(&slot, 2048, iov) > 0) {
      memcpy(iov[0].iov_base, s->words[i], WORD_LEN);
      rx.buf = nic_slot_take(&slot, WORD_LEN);
    }
    nic_slot_done(&slot);
    if (rx.buf)
      nic_deliver(&s->between.nic, &rx, 1);
    s->told++;
  }
  s->n_words = 0;
}

static void narrow_sent(struct nic_between *b, size_t len) {
  struct narrow *s = container_of(b, struct narrow, between);
  const uint8_t *f = b->frame;
  if (f[12] != 8 || f[13] != 0 || len <= 14u + s->size) {
    nic_send_one(b->inner, f, len);
    return;
  }
  cr_assert_eq(f[20], 0x40, "nothing may be fragmented");
  s->dropped++;
  if (draw(s) < s->told_permille && s->n_words < WORDS)
    say(s, f);
}

static void narrow_free(struct nic_between *b) {
  struct narrow *s = container_of(b, struct narrow, between);
  loop_timer_free(s->timer);
  free(s);
}

static struct narrow *narrow_wrap(struct loop *loop, struct nic *inner, uint64_t seed) {
  struct narrow *s = calloc(1, sizeof(*s));
  cr_assert_not_null(s);
  nic_between_init(&s->between, inner);
  s->between.sent = narrow_sent;
  s->between.free = narrow_free;
  s->loop = loop;
  s->seed = seed * 2 + 1;
  s->size = 1500;
  cr_assert_eq(loop_timer_new(loop, CLOCK_ID_MONO, deliver_words, s, &s->timer), 0);
  return s;
}

/* --- runs ------------------------------------------------------------------------------------------------------- */

struct plan {
  uint64_t seed, bytes, limit;
  unsigned size, told_permille, loss, narrow_after_ms; /* 0: from the beginning */
  uint64_t delay_ns;
  bool names_size;
};

struct result {
  uint64_t took, dropped, told, black_holes, reduced, refused;
  uint16_t mss[2];
};

static struct result transfer(const struct plan *p) {
  struct net n;
  struct end end[2] = {{0}, {0}};
  struct nic *na, *nb;
  struct narrow *wire[2];
  const struct nic_fault_config f = {.seed = p->seed, .loss_permille = p->loss, .delay_ns = p->delay_ns};
  struct result r = {0};
  net_wire(&n, 8192, &f, &na, &nb);
  wire[0] = narrow_wrap(n.loop, na, p->seed * 3);
  wire[1] = narrow_wrap(n.loop, nb, p->seed * 5);
  net_start(&n, &wire[0]->between.nic, &wire[1]->between.nic);
  end_pair(&n, &end[0], &end[1]);
  for (int i = 0; i < 2; i++) {
    wire[i]->told_permille = p->told_permille;
    wire[i]->names_size = p->names_size;
    end[i].to_send = p->bytes;
    end[i].shut_after = true;
    end_send(&end[i]);
  }
  for (; r.took < p->limit && !(end[0].ended && end[1].ended); r.took += MS) {
    if (r.took >= p->narrow_after_ms * MS)
      wire[0]->size = wire[1]->size = p->size;
    run(&n, 1 * MS);
    score_check("transfer", r.took / MS);
    for (int i = 0; i < 2; i++) {
      struct stack_conn_info info;
      stack_conn_info(end[i].c, &info);
      r.mss[i] = info.mss;
    }
  }
  for (int i = 0; i < 2; i++) {
    cr_expect_eq(end[i].got, p->bytes, "seed %lu size %u told %u loss %u: %lu bytes after %lu ms", (unsigned long)p->seed,
                 p->size, p->told_permille, p->loss, (unsigned long)end[i].got, (unsigned long)(r.took / MS));
    cr_expect(!end[i].bad);
    cr_expect_eq(end[i].why, STACK_END_CLOSED);
    r.dropped += wire[i]->dropped;
    r.told += wire[i]->told;
  }
  struct stack_stats st = stats_of(&n);
  r.black_holes = st.pmtu_black_holes;
  r.reduced = st.pmtu_reduced;
  r.refused = st.pmtu_refused;
  end_last(&n, &end[0], &end[1]);
  return r;
}

#define HEADERS (20u + 20 + 12) /* IP, TCP, timestamps */
static const unsigned sizes[] = {1499, 1400, 1280, 1006, 576};
static const uint64_t delays[] = {0, 10 * MS, 50 * MS};

/* A router that speaks costs a round trip, not a time-out: and what was dropped is not counted as congestion. */
Test(sim_pmtu, told) {
  for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
    for (size_t d = 0; d < ARRAY_SIZE(delays); d++) {
      struct plan p = {.seed = 1 + i, .bytes = 300000, .limit = 60 * SEC, .size = sizes[i], .told_permille = 1000,
                       .delay_ns = delays[d], .names_size = true};
      struct result r = transfer(&p);
      cr_expect(r.mss[0] == sizes[i] - HEADERS && r.mss[1] == r.mss[0], "%u %u of %u", r.mss[0], r.mss[1], sizes[i]);
      cr_expect_eq(r.reduced, 2);
      cr_expect_eq(r.black_holes, 0);
      cr_expect_leq(r.dropped, 40, "%lu of the first flights", (unsigned long)r.dropped);
      cr_expect_leq(r.took, 20 * delays[d] + 400 * MS, "%lu ms", (unsigned long)(r.took / MS));
    }
}

Test(sim_pmtu, told_without_a_size) {
  for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
    struct plan p = {.seed = 77 + i, .bytes = 300000, .limit = 60 * SEC, .size = sizes[i], .told_permille = 1000,
                     .delay_ns = 10 * MS};
    struct result r = transfer(&p);
    cr_expect(r.mss[0] <= sizes[i] - HEADERS && r.mss[1] <= sizes[i] - HEADERS, "%u %u of %u", r.mss[0], r.mss[1], sizes[i]);
    cr_expect_eq(r.black_holes, 0);
  }
}

/* Both losses at once, and a router of few words. */
Test(sim_pmtu, told_now_and_then_with_loss) {
  static const unsigned losses[] = {0, 10, 50}, told[] = {1000, 500, 50};
  for (uint64_t seed = 1; seed <= 3; seed++)
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
      for (size_t l = 0; l < ARRAY_SIZE(losses); l++)
        for (size_t t = 0; t < ARRAY_SIZE(told); t++) {
          struct plan p = {.seed = seed * 1000003 + i * 101 + l * 11 + t, .bytes = 100000, .limit = 300 * SEC,
                           .size = sizes[i], .told_permille = told[t], .loss = losses[l], .delay_ns = delays[seed % 3],
                           .names_size = seed % 3 != 0};
          transfer(&p);
        }
}

Test(sim_pmtu, a_black_hole) {
  static const unsigned losses[] = {0, 10, 50};
  for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
    for (size_t d = 0; d < ARRAY_SIZE(delays); d++)
      for (size_t l = 0; l < ARRAY_SIZE(losses); l++) {
        struct plan p = {.seed = 4711 + i * 31 + d * 7 + l, .bytes = 200000, .limit = 300 * SEC, .size = sizes[i],
                         .loss = losses[l], .delay_ns = delays[d]};
        struct result r = transfer(&p);
        uint16_t mss = (uint16_t)((sizes[i] >= 1280 ? 1240 : 576) - HEADERS);
        /* where the smaller packet was lost as well, and again, the smallest was tried */
        for (unsigned k = 0; k < 2; k++)
          cr_expect(r.mss[k] == mss || (losses[l] && r.mss[k] == 576 - HEADERS), "%u of %u, loss %u", r.mss[k], sizes[i], losses[l]);
        cr_expect_eq(r.black_holes, 2);
        if (!losses[l]) { /* three time-outs, or five, and then the transfer */
          cr_expect_leq(r.took, (sizes[i] >= 1280 ? 8 : 30) * SEC, "%lu ms", (unsigned long)(r.took / MS));
          cr_expect_leq(r.dropped, 200);
        }
      }
}

/* The path changes in the middle, when large packets had been arriving for long. */
Test(sim_pmtu, it_becomes_narrow_later) {
  for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
    for (unsigned told = 0; told <= 1000; told += 500) {
      struct plan p = {.seed = 99 + i + told, .bytes = 3000000, .limit = 300 * SEC, .size = sizes[i], .told_permille = told,
                       .narrow_after_ms = 60, .delay_ns = 10 * MS, .names_size = true};
      struct result r = transfer(&p);
      cr_expect(r.mss[0] < 1500 - HEADERS && r.mss[1] < 1500 - HEADERS, "%u %u of %u after %lu ms", r.mss[0], r.mss[1], sizes[i], (unsigned long)(r.took / MS));
      if (told == 1000)
        cr_expect(r.mss[0] == sizes[i] - HEADERS && r.mss[1] == r.mss[0], "%u %u of %u after %lu ms", r.mss[0], r.mss[1], sizes[i], (unsigned long)(r.took / MS));
    }
}
