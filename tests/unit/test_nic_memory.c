/* SPDX-License-Identifier: BSD-3-Clause
 * The memory pair: order, bounds, who is told what, and devices freed in the middle of it. The common part of every
 * device (counting, frame sizes) is tested here too, since this device has no surroundings.
 */
#include "nic_util.h"

#include <criterion/criterion.h>

#define MTU 1500u
#define QUEUE 8u

static struct loop *loop;
static struct nic *a, *b;
static struct sink at_a, at_b;

static void setup(void) {
  cr_assert_eq(loop_sim_new(&loop), 0);
  cr_assert_eq(nic_memory_pair(loop, MTU, QUEUE, &a, &b), 0);
  cr_assert_eq(nic_start(a, &sink_upcalls, &at_a), 0);
  cr_assert_eq(nic_start(b, &sink_upcalls, &at_b), 0);
}

static void teardown(void) {
  a = nic_free(a);
  b = nic_free(b);
  loop = loop_free(loop);
}

TestSuite(nic_memory, .init = setup, .fini = teardown);

Test(nic_memory, frames_arrive_in_order_in_one_batch_after_the_turn) {
  for (uint32_t i = 0; i < 5; i++)
    cr_assert_eq(send_numbered(a, i, 60), 1u);
  cr_expect_eq(at_b.n, 0u, "nothing may be delivered from inside send");
  cr_assert_eq(loop_run(loop), 0);
  cr_assert_eq(at_b.n, 5u);
  cr_expect_eq(at_b.calls, 1u);
  for (uint32_t i = 0; i < 5; i++)
    cr_expect_eq(sink_id(&at_b, i), i);
  cr_expect_eq(at_a.n, 0u);
  cr_expect_eq(a->counters.tx_frames, 5u);
  cr_expect_eq(a->counters.tx_bytes, 300u);
  cr_expect_eq(b->counters.rx_frames, 5u);
  cr_expect_eq(b->counters.rx_bytes, 300u);
}

Test(nic_memory, a_full_queue_refuses_and_counts_and_frees_up_again) {
  for (uint32_t i = 0; i < QUEUE; i++)
    cr_assert_eq(send_numbered(a, i, 60), 1u);
  cr_expect_eq(a->counters.tx_dropped, 0u);
  cr_expect_eq(send_numbered(a, QUEUE, 60), 0u);
  cr_expect_eq(a->counters.tx_dropped, 1u);
  cr_expect_eq(send_numbered(b, 7, 60), 1u, "the other direction has a queue of its own");
  (void)loop_run(loop);
  cr_expect_eq(at_b.n, QUEUE);
  cr_expect_eq(at_a.n, 1u);
  cr_expect_eq(send_numbered(a, 99, 60), 1u);
  (void)loop_run(loop);
  cr_expect_eq(sink_id(&at_b, QUEUE), 99u);
}

Test(nic_memory, frame_sizes_at_both_edges) {
  cr_expect_eq(send_numbered(a, 1, NIC_HEADER_LEN + MTU), 1u);
  cr_expect_eq(send_numbered(a, 2, NIC_HEADER_LEN + MTU + 1), 0u);
  cr_expect_eq(send_numbered(a, 3, NIC_HEADER_LEN), 1u);
  cr_expect_eq(send_numbered(a, 4, NIC_HEADER_LEN - 1), 0u);
  (void)loop_run(loop);
  cr_expect_eq(at_b.n, 2u);
  cr_expect_eq(at_b.got[0].len, NIC_HEADER_LEN + MTU);
  cr_expect_eq(a->counters.tx_dropped, 2u);
}

Test(nic_memory, a_bad_frame_in_a_batch_is_dropped_alone) {
  uint8_t data[60] = {0};
  static const size_t lens[] = {60, 5, 59, 5};
  struct iovec iov[4];
  struct nic_frame batch[4];
  for (int i = 0; i < 4; i++) {
    iov[i] = (struct iovec){.iov_base = data, .iov_len = lens[i]};
    batch[i] = (struct nic_frame){.iov = &iov[i], .n_iov = 1, .len = lens[i]};
  }
  cr_expect_eq(nic_send(a, batch, 4), 2u);
  (void)loop_run(loop);
  cr_assert_eq(at_b.n, 2u);
  cr_expect_eq(at_b.got[1].len, 59u);
  cr_expect_eq(a->counters.tx_dropped, 2u);
}

Test(nic_memory, freeing_one_end_takes_the_others_link_down_after_its_last_frames) {
  (void)send_numbered(a, 5, 60);
  a = nic_free(a);
  (void)loop_run(loop);
  cr_expect_eq(at_b.n, 1u);
  cr_expect_eq(at_b.link_calls, 1u);
  cr_expect_not(b->link_up);
  cr_expect_eq(send_numbered(b, 6, 60), 0u);
  cr_expect_eq(b->counters.tx_dropped, 1u);
}

static void free_b(void *arg, struct nic_rx *frames, unsigned n) {
  (void)arg;
  b = nic_free(b);
  /* What was delivered must still be readable. */
  for (unsigned i = 0; i < n; i++)
    cr_expect_eq(frames[i].buf->data[0] + frames[i].buf->data[frames[i].len - 1], 0);
}

Test(nic_memory, a_device_may_be_freed_in_its_own_upcall) {
  static const struct nic_upcalls killer = {.frames = free_b};
  b->up = &killer;
  (void)send_numbered(a, 1, 60);
  (void)send_numbered(a, 2, 60);
  (void)loop_run(loop);
  cr_expect_null(b);
  cr_expect_not(a->link_up);
}

static void echo(void *arg, struct nic_rx *frames, unsigned n) {
  struct nic *nic = arg;
  for (unsigned i = 0; i < n; i++)
    cr_expect_eq(nic_send_one(nic, frames[i].buf->data, frames[i].len), 1u);
}

Test(nic_memory, replies_sent_from_an_upcall_arrive) {
  static const struct nic_upcalls echoes = {.frames = echo};
  b->up = &echoes;
  b->up_arg = b;
  for (uint32_t i = 0; i < QUEUE; i++)
    (void)send_numbered(a, i, 60);
  (void)loop_run(loop);
  cr_expect_eq(at_a.n, QUEUE);
  cr_expect_eq(sink_id(&at_a, QUEUE - 1), QUEUE - 1);
}

Test(nic_memory, what_was_sent_before_start_waits_and_a_second_start_is_refused) {
  struct nic *c, *d;
  cr_assert_eq(nic_memory_pair(loop, MTU, QUEUE, &c, &d), 0);
  static struct sink late;
  cr_assert_eq(nic_start(c, &sink_upcalls, &at_a), 0);
  (void)send_numbered(c, 42, 60);
  (void)loop_run(loop);
  cr_assert_eq(nic_start(d, &sink_upcalls, &late), 0);
  (void)loop_run(loop);
  cr_expect_eq(late.n, 1u);
  cr_expect_eq(nic_start(d, &sink_upcalls, &late), -EALREADY);
  nic_free(c);
  nic_free(d);
}

Test(nic_memory, limits_of_the_configuration) {
  struct nic *c = NULL, *d = NULL;
  cr_expect_eq(nic_memory_pair(loop, NIC_MTU_MIN - 1, QUEUE, &c, &d), -EINVAL);
  cr_expect_eq(nic_memory_pair(loop, NIC_MTU_MAX + 1, QUEUE, &c, &d), -EINVAL);
  cr_expect_eq(nic_memory_pair(loop, MTU, 0, &c, &d), -EINVAL);
  cr_expect_null(c);
  cr_assert_eq(nic_memory_pair(loop, NIC_MTU_MIN, 1, &c, &d), 0);
  cr_expect_neq(memcmp(c->mac, d->mac, 6), 0);
  nic_free(c);
  nic_free(d);
}
