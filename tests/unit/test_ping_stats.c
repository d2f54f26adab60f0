/* SPDX-License-Identifier: BSD-3-Clause
 * clients/ping_stats.h: the summary's numbers, up to absurd ones.
 */
#include "clients/ping_stats.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define US UINT64_C(1000)

static char *summary_of(const struct ping_stats *s, uint64_t elapsed_ms) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  ping_summary(f, "host", s, elapsed_ms);
  (void)fclose(f);
  return text;
}

Test(ping_stats, the_four_numbers) {
  struct ping_stats s = {0};
  static const uint64_t rtts[] = {2, 4, 4, 4, 5, 5, 7, 9};
  for (size_t i = 0; i < 8; i++) {
    ping_stats_rtt(&s, rtts[i] * US);
  }
  cr_assert_eq(s.min_us, 2);
  cr_assert_eq(s.max_us, 9);
  cr_assert_eq(ping_stats_avg_us(&s), 5);
  cr_assert_eq(ping_stats_mdev_us(&s), 2);
}

Test(ping_stats, none_and_one) {
  struct ping_stats s = {0};
  cr_assert_eq(ping_stats_avg_us(&s), 0);
  cr_assert_eq(ping_stats_mdev_us(&s), 0);
  ping_stats_rtt(&s, 777 * US);
  cr_assert_eq(s.min_us, 777);
  cr_assert_eq(ping_stats_avg_us(&s), 777);
  cr_assert_eq(ping_stats_mdev_us(&s), 0);
}

Test(ping_stats, a_zero_round_trip_is_the_minimum) {
  struct ping_stats s = {0};
  ping_stats_rtt(&s, 0);
  ping_stats_rtt(&s, 5 * US);
  cr_assert_eq(s.min_us, 0);
  cr_assert_eq(s.max_us, 5);
}

Test(ping_stats, absurd_round_trips_are_a_day_and_overflow_nothing) {
  struct ping_stats s = {0};
  ping_stats_rtt(&s, PING_RTT_MAX_US * 1000);
  cr_assert_eq(s.max_us, PING_RTT_MAX_US);
  ping_stats_rtt(&s, (PING_RTT_MAX_US + 1) * 1000);
  ping_stats_rtt(&s, UINT64_MAX);
  cr_assert_eq(s.max_us, PING_RTT_MAX_US);
  cr_assert_eq(ping_stats_avg_us(&s), PING_RTT_MAX_US);
  cr_assert_eq(ping_stats_mdev_us(&s), 0);
}

Test(ping_stats, extremes_side_by_side) {
  struct ping_stats s = {0};
  ping_stats_rtt(&s, 0);
  ping_stats_rtt(&s, UINT64_MAX);
  cr_assert_eq(ping_stats_avg_us(&s), PING_RTT_MAX_US / 2);
  cr_assert_eq(ping_stats_mdev_us(&s), PING_RTT_MAX_US / 2);
}

/* The state after 2^53 - 1 round trips of a day, put together rather than counted up. */
Test(ping_stats, the_count_of_round_trips_is_bounded) {
  uint64_t n = (UINT64_C(1) << 53) - 1;
  struct ping_stats s = {.n_rtt = n, .min_us = PING_RTT_MAX_US, .max_us = PING_RTT_MAX_US};
  s.sum_us = (unsigned __int128)n * PING_RTT_MAX_US;
  s.sum_squares_us = (unsigned __int128)n * PING_RTT_MAX_US * PING_RTT_MAX_US;
  ping_stats_rtt(&s, UINT64_MAX);
  cr_assert_eq(s.n_rtt, n + 1);
  cr_assert_eq(ping_stats_avg_us(&s), PING_RTT_MAX_US);
  cr_assert_eq(ping_stats_mdev_us(&s), 0);
  ping_stats_rtt(&s, 0);
  cr_assert_eq(s.n_rtt, n + 1, "one more is not taken");
  cr_assert_eq(s.min_us, PING_RTT_MAX_US);
}

Test(ping_stats, loss_is_rounded_down_and_never_above_100) {
  struct ping_stats s = {0};
  cr_assert_eq(ping_stats_loss_percent(&s), 0);
  s.sent = 3;
  s.received = 1;
  cr_assert_eq(ping_stats_loss_percent(&s), 66);
  s.received = 0;
  cr_assert_eq(ping_stats_loss_percent(&s), 100);
  s.received = 4;
  cr_assert_eq(ping_stats_loss_percent(&s), 0);
  s.sent = UINT64_MAX;
  s.received = 1;
  cr_assert_eq(ping_stats_loss_percent(&s), 99);
}

Test(ping_stats, times_have_three_digits) {
  static const struct {
    uint64_t ns;
    const char *text;
  } rows[] = {{0, "0.000"},
              {999, "0.000"},
              {45000, "0.045"},
              {999999, "0.999"},
              {1000000, "1.00"},
              {9999999, "9.99"},
              {10000000, "10.0"},
              {99999999, "99.9"},
              {100000000, "100"},
              {1234567890, "1234"},
              {UINT64_MAX, "18446744073709"}};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char *text = ping_time_text(rows[i].ns);
    cr_assert_str_eq(text, rows[i].text);
    free(text);
  }
}

Test(ping_stats, the_summary_reads_as_pings) {
  struct ping_stats s = {.sent = 4, .received = 3, .duplicates = 1, .errors = 1};
  ping_stats_rtt(&s, 120 * US);
  ping_stats_rtt(&s, 120 * US);
  ping_stats_rtt(&s, 1500 * US);
  char *text = summary_of(&s, 3004);
  cr_assert_str_eq(text, "\n--- host ping statistics ---\n"
                         "4 packets transmitted, 3 received, +1 duplicates, +1 errors, 25% packet loss, time 3004ms\n"
                         "rtt min/avg/max/mdev = 0.120/0.580/1.500/0.650 ms\n");
  free(text);
}

Test(ping_stats, without_a_reply_there_is_no_rtt_line) {
  struct ping_stats s = {.sent = 2};
  char *text = summary_of(&s, 1000);
  cr_assert_str_eq(
      text, "\n--- host ping statistics ---\n2 packets transmitted, 0 received, 100% packet loss, time 1000ms\n");
  free(text);
}

Test(ping_stats, codes_beyond_the_table_have_a_text) {
  cr_assert_str_eq(ping_unreachable_text(1), "Destination Host Unreachable");
  cr_assert_str_eq(ping_unreachable_text(13), "Packet filtered");
  cr_assert_str_eq(ping_unreachable_text(15), "Precedence Cutoff");
  cr_assert_str_eq(ping_unreachable_text(16), "Destination Unreachable, Bad Code");
  cr_assert_str_eq(ping_unreachable_text(UINT32_MAX), "Destination Unreachable, Bad Code");
  cr_assert_str_eq(ping_unreachable_text6(0), "No route");
  cr_assert_str_eq(ping_unreachable_text6(6), "Reject route to destination");
  cr_assert_str_eq(ping_unreachable_text6(7), "Unknown code");
  cr_assert_str_eq(ping_exceeded_text6(0), "Time exceeded: Hop limit");
  cr_assert_str_eq(ping_exceeded_text6(2), "Time exceeded: Unknown code");
  cr_assert_str_eq(ping_parameter_text6(2), "Unknown option");
  cr_assert_str_eq(ping_parameter_text6(UINT32_MAX), "Unknown code");
}
