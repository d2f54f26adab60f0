/* SPDX-License-Identifier: BSD-3-Clause
 * Receive buffers: which a frame keeps, the one limit for all, what short frames have left, and that an idle process
 * holds none.
 */
#include "nic_util.h"

#include <criterion/criterion.h>

static struct nic_buf_stats stats(void) {
  struct nic_buf_stats s;
  nic_buf_get_stats(&s);
  return s;
}

/* "Reads" a frame of len bytes, each its position's. NULL as nic_slot_take says, or no slot. */
static struct nic_buf *receive(struct nic_slot *s, size_t max, size_t len) {
  struct iovec iov[NIC_SLOT_IOV];
  unsigned n = nic_slot_prepare(s, max, iov);
  size_t at = 0;
  for (unsigned i = 0; i < n; i++)
    for (size_t j = 0; j < iov[i].iov_len && at < len; j++, at++)
      ((uint8_t *)iov[i].iov_base)[j] = (uint8_t)(at * 31 + (at >> 8));
  return n ? nic_slot_take(s, len) : NULL;
}

static void check(const struct nic_buf *b, size_t len, size_t first) {
  size_t at = 0;
  cr_expect_eq(b->len, first);
  cr_expect_eq((uintptr_t)(b->data + NIC_HEADER_LEN) % 4, 0u, "the IP header is aligned");
  for (; b; b = b->next)
    for (size_t j = 0; j < b->len; j++, at++)
      if (b->data[j] != (uint8_t)(at * 31 + (at >> 8)))
        cr_assert(false, "byte %zu", at);
  cr_expect_eq(at, len);
}

static void none_left(void) {
  nic_buf_trim();
  cr_expect_eq(stats().held, 0u);
  cr_expect_eq(stats().allocated, 0u);
}

Test(nic_buf, a_frame_keeps_no_more_than_it_needs) {
  static const struct {
    size_t len, first, pins;
  } cases[] = {
      {14, 14, 2500},
      {NIC_BUF_SMALL, NIC_BUF_SMALL, 2500},
      {NIC_BUF_SMALL + 1, NIC_BUF_SMALL, 2700},
      {NIC_BUF_SMALL + NIC_BUF_COPY - 1, NIC_BUF_SMALL, 2500 + NIC_BUF_COPY + 200},
      {NIC_BUF_SMALL + NIC_BUF_COPY, NIC_BUF_SMALL, 2500 + 65536},
      {NIC_SUPER_MAX, NIC_BUF_SMALL, 2500 + 65536},
  };
  struct nic_slot s = {0};
  for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
    struct nic_buf *b = receive(&s, NIC_SUPER_MAX, cases[i].len);
    cr_assert_not_null(b);
    check(b, cases[i].len, cases[i].first);
    cr_expect_leq(stats().held, cases[i].pins, "%zu bytes pin %zu", cases[i].len, stats().held);
    nic_buf_free(b);
    cr_expect_eq(stats().held, 0u);
  }
  nic_slot_done(&s);
  none_left();
}

Test(nic_buf, a_device_of_small_frames_has_no_big_buffer_and_a_longer_frame_shows) {
  struct nic_slot s = {0};
  struct iovec iov[NIC_SLOT_IOV];
  cr_assert_eq(nic_slot_prepare(&s, 1514, iov), 2u);
  cr_expect_null(s.big);
  cr_expect_eq(iov[0].iov_len + iov[1].iov_len, NIC_BUF_SMALL + 1u);
  cr_expect_null(nic_slot_take(&s, NIC_BUF_SMALL + 1), "there is no place for the last byte");
  cr_expect_eq(stats().refused, 1u);
  nic_slot_done(&s);
  none_left();
}

Test(nic_buf, the_one_freed_last_is_used_first) {
  struct nic_slot s = {0};
  struct nic_buf *a = receive(&s, 1514, 60), *b = receive(&s, 1514, 60);
  nic_buf_free(a);
  nic_buf_free(b);
  cr_expect_eq(receive(&s, 1514, 60), b);
  cr_expect_eq(receive(&s, 1514, 60), a);
  nic_buf_free(a);
  nic_buf_free(b);
  nic_slot_done(&s);
  none_left();
}

static struct nic_buf *fill(struct nic_slot *s, size_t len, unsigned *ret_n) {
  struct nic_buf *all = NULL, *b;
  for (*ret_n = 0; (b = receive(s, 1514, len)); (*ret_n)++) {
    b->next = all;
    all = b;
  }
  return all;
}

Test(nic_buf, the_limit_is_exact_and_its_last_part_is_for_short_frames) {
  struct nic_slot s = {0};
  struct nic_buf *b = receive(&s, 1514, 60);
  size_t size = b->size;
  nic_buf_free(b);
  nic_slot_done(&s);
  none_left();

  unsigned n, m;
  nic_buf_set_limit(160 * size + size - 1); /* 15/16 of it: 150 and a bit */
  struct nic_buf *full = fill(&s, NIC_BUF_SMALL, &n);
  cr_expect_eq(n, 150u, "%u", n);
  cr_expect_eq(stats().refused, 1u);
  struct nic_buf *shorts = fill(&s, NIC_BUF_SHORT_FRAME, &m);
  /* each as long as its frame by now; the slot has a whole one */
  cr_expect_eq(m, (10 * size - 1) / (size - NIC_BUF_SMALL + NIC_BUF_SHORT_FRAME), "%u", m);
  cr_expect_eq(stats().refused, 2u);
  cr_expect_leq(stats().allocated, stats().limit);
  struct iovec iov;
  cr_expect_null(nic_buf_copy(&(struct nic_frame){.iov = &iov, .len = 2000}), "for whoever makes one otherwise");

  struct nic_buf *second = full->next;
  full->next = NULL;
  nic_buf_free(full);
  b = receive(&s, 1514, NIC_BUF_SHORT_FRAME);
  cr_expect_not_null(b, "one came back");
  nic_buf_free(b);
  nic_buf_free(second);
  nic_buf_free(shorts);
  nic_slot_done(&s);
  none_left();
  nic_buf_set_limit(NIC_BUF_LIMIT_DEFAULT);
}

Test(nic_buf, while_much_is_held_a_frame_keeps_its_bytes_alone) {
  static const size_t lens[] = {700, NIC_BUF_SMALL, NIC_BUF_SMALL + 1, NIC_BUF_SMALL + NIC_BUF_COPY, NIC_SUPER_MAX};
  struct nic_slot s = {0};
  unsigned n = 0;
  nic_buf_set_limit(4 * 1024 * 1024);
  struct nic_buf *all = NULL, *b;
  while (stats().held <= 1024 * 1024) { /* a quarter; the last one goes beyond it */
    cr_assert_not_null(b = receive(&s, NIC_SUPER_MAX, NIC_BUF_SMALL + NIC_BUF_COPY));
    struct nic_buf *rest = b->next;
    rest->next = all;
    b->next = rest;
    all = b;
    n++;
  }
  cr_expect_leq(n, 16u, "64 KiB each until then: %u", n);
  for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
    size_t before = stats().held;
    cr_assert_not_null(b = receive(&s, NIC_SUPER_MAX, lens[i]));
    check(b, lens[i], MIN(lens[i], (size_t)NIC_BUF_SMALL));
    cr_expect_leq(stats().held - before, lens[i] + 300, "%zu bytes pin %zu", lens[i], stats().held - before);
    nic_buf_free(b);
    cr_expect_eq(stats().held, before);
  }
  nic_buf_free(all);
  nic_slot_done(&s);
  none_left();
  nic_buf_set_limit(NIC_BUF_LIMIT_DEFAULT);
}

Test(nic_buf, what_waits_makes_room_for_what_is_wanted) {
  struct nic_slot s = {0};
  struct nic_buf *all = NULL;
  for (unsigned i = 0; i < 40; i++) {
    struct nic_buf *b = receive(&s, 1514, 60);
    b->next = all;
    all = b;
  }
  nic_buf_free(all);
  nic_slot_done(&s);
  size_t waiting = stats().allocated;
  cr_expect_geq(waiting, 40u * 2048u);
  nic_buf_set_limit(waiting + 3000);
  struct nic_buf *b = receive(&s, NIC_SUPER_MAX, NIC_SUPER_MAX);
  cr_expect_not_null(b, "small ones were given back for a big one");
  cr_expect_leq(stats().allocated, waiting + 3000);
  nic_buf_free(b);
  nic_slot_done(&s);
  none_left();
}

Test(nic_buf, after_a_quiet_second_nothing_waits_and_no_timer_either) {
  struct loop *loop;
  struct nic_trim t = {0};
  struct nic_slot s = {0};
  struct loop_stats before, after;
  cr_assert_eq(loop_sim_new(&loop), 0);
  cr_assert_eq(nic_trim_init(&t, loop), 0);
  nic_buf_free(receive(&s, 1514, 60));
  nic_slot_done(&s);
  nic_trim_used(&t);
  cr_expect_not(loop_timer_armed(t.timer), "a few small ones are not worth a wake-up");

  struct nic_buf *held = NULL;
  for (unsigned i = 0; i < 20; i++) {
    struct nic_buf *b = receive(&s, NIC_SUPER_MAX, NIC_SUPER_MAX);
    b->next->next = held;
    held = b;
  }
  nic_slot_done(&s);
  nic_trim_used(&t);
  (void)loop_sim_advance(loop, NSEC_PER_SEC / 2);
  nic_trim_used(&t);
  (void)loop_sim_advance(loop, NSEC_PER_SEC);
  cr_expect(loop_timer_armed(t.timer), "it was used within the second");
  (void)loop_sim_advance(loop, NSEC_PER_SEC);
  cr_expect_not(loop_timer_armed(t.timer));
  nic_buf_free(held);
  cr_expect_eq(stats().allocated, 0u, "what comes back later does not wait either");
  loop_get_stats(loop, &before);
  (void)loop_sim_advance(loop, 100 * NSEC_PER_SEC);
  loop_get_stats(loop, &after);
  cr_expect_eq(after.timer_calls, before.timer_calls);
  nic_trim_done(&t);
  loop_free(loop);
}
