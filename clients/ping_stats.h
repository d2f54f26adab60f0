/* SPDX-License-Identifier: BSD-3-Clause
 * The numbers of ping's summary. Arithmetic is bounded: no count and no round-trip time, however absurd, overflows.
 */
#ifndef CAPNET_CLIENTS_PING_STATS_H
#define CAPNET_CLIENTS_PING_STATS_H

#include <stdint.h>
#include <stdio.h>

#define PING_RTT_MAX_US UINT64_C(86400000000) /* a day: anything longer counts as that */

struct ping_stats {
  uint64_t sent, received, duplicates, errors; /* errors: unreachable, hop limit, not sent */
  uint64_t min_us, max_us;
  unsigned __int128 sum_us, sum_squares_us;
  uint64_t n_rtt; /* round trips in the sums */
};

void ping_stats_rtt(struct ping_stats *s, uint64_t rtt_ns);
uint64_t ping_stats_avg_us(const struct ping_stats *s);  /* 0 without a reply */
uint64_t ping_stats_mdev_us(const struct ping_stats *s); /* standard deviation */
unsigned ping_stats_loss_percent(const struct ping_stats *s); /* rounded down as ping does; 0..100 */

char *ping_time_text(uint64_t rtt_ns); /* milliseconds in three digits or more, to be freed */
/* target is already escaped. */
void ping_summary(FILE *out, const char *target, const struct ping_stats *s, uint64_t elapsed_ms);
const char *ping_unreachable_text(uint32_t code); /* RFC 792 and 1122 */
const char *ping_unreachable_text6(uint32_t code); /* RFC 4443 3.1 */
const char *ping_exceeded_text6(uint32_t code);    /* 3.3 */
const char *ping_parameter_text6(uint32_t code);   /* 3.4 */

#endif
