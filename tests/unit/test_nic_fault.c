/* SPDX-License-Identifier: BSD-3-Clause
 * The fault decorator between two ends of a memory pair, under the simulated clock: each fault alone, the bounds, and
 * that one seed is one sequence.
 */
#include "nic_util.h"

#include <criterion/criterion.h>

#define N_RATE 2000u
#define MS NSEC_PER_MSEC

static struct loop *loop;
static struct nic *a, *b;
static struct sink at_a, at_b;

static void begin(const struct nic_fault_config *cfg, unsigned queue) {
  struct nic *inner;
  cr_assert_eq(loop_sim_new(&loop), 0);
  cr_assert_eq(nic_memory_pair(loop, 1500, queue, &inner, &b), 0);
  cr_assert_eq(nic_fault_wrap(inner, cfg, &a), 0);
  memset(&at_a, 0, sizeof at_a);
  memset(&at_b, 0, sizeof at_b);
  at_a.loop = at_b.loop = loop;
  cr_assert_eq(nic_start(a, &sink_upcalls, &at_a), 0);
  cr_assert_eq(nic_start(b, &sink_upcalls, &at_b), 0);
}

static void end(void) {
  a = nic_free(a);
  b = nic_free(b);
  loop = loop_free(loop);
}

static void send_many(unsigned n) {
  for (uint32_t i = 0; i < n; i++) {
    cr_assert_eq(send_numbered(a, i, 60), 1u);
    if (i % 16 == 0)
      (void)loop_run(loop);
  }
  (void)loop_sim_advance(loop, NSEC_PER_SEC);
}

/* Order-sensitive digest of everything that arrived (FNV-1a). */
static uint64_t digest(const struct sink *s) {
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  for (unsigned i = 0; i < s->n; i++)
    for (size_t j = 0; j < s->got[i].len; j++)
      h = (h ^ s->got[i].data[j]) * UINT64_C(0x100000001b3);
  return h;
}

static uint64_t run_all_faults(uint64_t seed, unsigned *ret_n) {
  struct nic_fault_config cfg = {.seed = seed,
                                 .loss_permille = 50,
                                 .duplicate_permille = 50,
                                 .reorder_permille = 100,
                                 .corrupt_permille = 20,
                                 .delay_ns = 5 * MS,
                                 .jitter_ns = 3 * MS};
  begin(&cfg, 4096);
  send_many(N_RATE);
  uint64_t h = digest(&at_b);
  *ret_n = at_b.n;
  end();
  return h;
}

Test(nic_fault, no_fault_changes_nothing) {
  begin(&(struct nic_fault_config){.seed = 1}, 64);
  cr_expect_eq(a->mtu, 1500u);
  cr_expect_str_eq(a->name, "mem0");
  send_many(100);
  cr_assert_eq(at_b.n, 100u);
  for (uint32_t i = 0; i < 100; i++)
    cr_expect_eq(sink_id(&at_b, i), i);
  for (uint32_t i = 0; i < 10; i++)
    cr_expect_eq(send_numbered(b, i, 60), 1u);
  (void)loop_run(loop);
  cr_expect_eq(at_a.n, 10u, "the other way is not disturbed");
  cr_expect_eq(a->counters.rx_frames, 10u);
  cr_expect_eq(a->counters.tx_frames, 100u);
  end();
}

Test(nic_fault, one_seed_is_one_sequence) {
  unsigned n1, n2, n3;
  uint64_t h1 = run_all_faults(7, &n1), h2 = run_all_faults(7, &n2), h3 = run_all_faults(8, &n3);
  cr_expect_eq(h1, h2);
  cr_expect_eq(n1, n2);
  cr_expect_neq(h1, h3);
}

Test(nic_fault, loss_rate) {
  begin(&(struct nic_fault_config){.seed = 42, .loss_permille = 100}, 64);
  send_many(N_RATE);
  cr_expect_eq(at_b.n, N_RATE - 217, "%u", at_b.n);
  cr_expect_eq(a->counters.tx_frames, N_RATE, "a lost frame was sent");
  cr_expect_eq(a->counters.tx_dropped, 0u);
  end();
}

Test(nic_fault, loss_of_everything_and_of_nothing) {
  begin(&(struct nic_fault_config){.seed = 42, .loss_permille = 1000}, 64);
  send_many(100);
  cr_expect_eq(at_b.n, 0u);
  end();
}

Test(nic_fault, duplication_rate) {
  begin(&(struct nic_fault_config){.seed = 42, .duplicate_permille = 100}, 64);
  send_many(N_RATE);
  cr_expect_eq(at_b.n, N_RATE + 188, "%u", at_b.n);
  unsigned twice = 0;
  for (unsigned i = 1; i < at_b.n; i++)
    twice += sink_id(&at_b, i) == sink_id(&at_b, i - 1);
  cr_expect_eq(twice, at_b.n - N_RATE);
  end();
}

Test(nic_fault, corruption_flips_one_bit) {
  begin(&(struct nic_fault_config){.seed = 42, .corrupt_permille = 1000}, 64);
  uint8_t zero[60] = {0};
  for (unsigned i = 0; i < 50; i++)
    (void)nic_send_one(a, zero, sizeof zero);
  (void)loop_run(loop);
  cr_assert_eq(at_b.n, 50u);
  for (unsigned i = 0; i < 50; i++) {
    unsigned bits = 0;
    for (size_t j = 0; j < sizeof zero; j++)
      bits += (unsigned)__builtin_popcount(at_b.got[i].data[j]);
    cr_expect_eq(bits, 1u);
  }
  for (size_t j = 0; j < sizeof zero; j++)
    cr_expect_eq(zero[j], 0, "the caller's frame is the caller's");
  end();
}

Test(nic_fault, delay_is_exact_and_keeps_order_with_jitter) {
  begin(&(struct nic_fault_config){.seed = 3, .delay_ns = 50 * MS, .jitter_ns = 20 * MS}, 4096);
  uint64_t t0 = loop_now(loop, CLOCK_ID_MONO);
  for (uint32_t i = 0; i < 200; i++)
    cr_assert_eq(send_numbered(a, i, 60), 1u);
  (void)loop_sim_advance(loop, 50 * MS - 1);
  cr_expect_eq(at_b.n, 0u);
  (void)loop_sim_advance(loop, 20 * MS + 1);
  cr_assert_eq(at_b.n, 200u);
  for (uint32_t i = 0; i < 200; i++) {
    cr_expect_eq(sink_id(&at_b, i), i);
    cr_expect_geq(at_b.got[i].at, t0 + 50 * MS);
    cr_expect_leq(at_b.got[i].at, t0 + 70 * MS);
  }
  cr_expect_lt(at_b.got[0].at, at_b.got[199].at, "jitter spreads");
  end();
}

Test(nic_fault, a_reordered_frame_goes_behind_the_next_one_or_waits_ten_milliseconds) {
  begin(&(struct nic_fault_config){.seed = 42, .reorder_permille = 1000}, 64);
  (void)send_numbered(a, 1, 60);
  (void)loop_sim_advance(loop, 10 * MS - 1);
  cr_expect_eq(at_b.n, 0u);
  (void)loop_sim_advance(loop, 1);
  cr_expect_eq(at_b.n, 1u);
  end();

  begin(&(struct nic_fault_config){.seed = 42, .reorder_permille = 200}, 64);
  send_many(500);
  cr_assert_eq(at_b.n, 500u);
  unsigned late = 0;
  uint32_t highest = 0;
  for (unsigned i = 0; i < 500; i++) {
    late += sink_id(&at_b, i) < highest;
    highest = MAX(highest, sink_id(&at_b, i));
  }
  cr_expect_eq(late, 111u, "%u", late);
  end();
}

Test(nic_fault, frames_under_way_are_bounded) {
  begin(&(struct nic_fault_config){.seed = 1, .delay_ns = NSEC_PER_SEC}, 4);
  for (uint32_t i = 0; i < NIC_FAULT_HELD; i++)
    cr_assert_eq(send_numbered(a, i, 60), 1u);
  cr_expect_eq(a->counters.tx_dropped, 0u);
  cr_expect_eq(send_numbered(a, 0, 60), 0u);
  cr_expect_eq(a->counters.tx_dropped, 1u);
  (void)loop_sim_advance(loop, NSEC_PER_SEC);
  cr_expect_eq(at_b.n, 4u, "what is behind it has a bound of its own");
  cr_expect_eq(a->counters.tx_dropped, 1u + NIC_FAULT_HELD - 4u);
  cr_expect_eq(send_numbered(a, 0, 60), 1u);
  end();
}

Test(nic_fault, link_passes_up_and_freeing_with_frames_under_way_is_clean) {
  begin(&(struct nic_fault_config){.seed = 1, .delay_ns = NSEC_PER_SEC, .reorder_permille = 500}, 64);
  for (uint32_t i = 0; i < 50; i++)
    (void)send_numbered(a, i, 60);
  b = nic_free(b);
  (void)loop_run(loop);
  cr_expect_eq(at_a.link_calls, 1u);
  cr_expect_not(a->link_up);
  cr_expect_eq(send_numbered(a, 1, 60), 0u);
  end();
}

Test(nic_fault, limits_of_the_configuration_and_the_inner_device_is_consumed) {
  const struct nic_fault_config bad[] = {
      {.loss_permille = 1001},   {.duplicate_permille = 1001},
      {.reorder_permille = 1001}, {.corrupt_permille = 1001},
      {.delay_ns = NIC_FAULT_DELAY_MAX_NS + 1}, {.jitter_ns = NIC_FAULT_DELAY_MAX_NS + 1},
  };
  cr_assert_eq(loop_sim_new(&loop), 0);
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    struct nic *inner, *outer = NULL;
    cr_assert_eq(nic_memory_pair(loop, 1500, 4, &inner, &b), 0);
    cr_expect_eq(nic_fault_wrap(inner, &bad[i], &outer), -EINVAL, "case %zu", i);
    cr_expect_null(outer);
    b = nic_free(b);
  }
  loop = loop_free(loop);
}
