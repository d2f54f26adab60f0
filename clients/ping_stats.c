/* SPDX-License-Identifier: BSD-3-Clause
 * ping_stats.h. Sums are 128 bits: 2^53 round trips of a day each (37 bits) have squares that sum up to 2^127.
 */
#include "clients/ping_stats.h"
#include "clients/text.h"

#include <inttypes.h>

#define N_RTT_MAX (UINT64_C(1) << 53)

void ping_stats_rtt(struct ping_stats *s, uint64_t rtt_ns) {
  uint64_t us = rtt_ns / 1000;
  us = us > PING_RTT_MAX_US ? PING_RTT_MAX_US : us;
  if (s->n_rtt >= N_RTT_MAX) {
    return;
  }
  s->min_us = s->n_rtt == 0 || us < s->min_us ? us : s->min_us;
  s->max_us = us > s->max_us ? us : s->max_us;
  s->sum_us += us;
  s->sum_squares_us += (unsigned __int128)us * us;
  s->n_rtt++;
}

uint64_t ping_stats_avg_us(const struct ping_stats *s) {
  return s->n_rtt ? (uint64_t)(s->sum_us / s->n_rtt) : 0;
}

/* Largest r with r*r <= n; n is at most PING_RTT_MAX_US squared. */
static uint64_t root(unsigned __int128 n) {
  uint64_t low = 0, high = PING_RTT_MAX_US;
  while (low < high) {
    uint64_t mid = low + (high - low + 1) / 2;
    if ((unsigned __int128)mid * mid <= n) {
      low = mid;
    } else {
      high = mid - 1;
    }
  }
  return low;
}

/* sqrt(E[x²] − E[x]²). E[x]² comes from sum and remainder, so that the rounding of the mean does not grow with it. */
uint64_t ping_stats_mdev_us(const struct ping_stats *s) {
  if (!s->n_rtt) {
    return 0;
  }
  unsigned __int128 mean = s->sum_us / s->n_rtt, rest = s->sum_us % s->n_rtt;
  /* sum² / n² = mean² + 2·mean·rest/n + (rest/n)², the last term being below 1 */
  unsigned __int128 mean_squared = mean * mean + 2 * mean * rest / s->n_rtt;
  unsigned __int128 squares = s->sum_squares_us / s->n_rtt;
  return squares > mean_squared ? root(squares - mean_squared) : 0;
}

unsigned ping_stats_loss_percent(const struct ping_stats *s) {
  if (!s->sent || s->received >= s->sent) {
    return 0;
  }
  return (unsigned)((unsigned __int128)(s->sent - s->received) * 100 / s->sent);
}

char *ping_time_text(uint64_t rtt_ns) {
  uint64_t us = rtt_ns / 1000;
  if (us < 1000) {
    return text_format("0.%03" PRIu64, us);
  }
  if (us < 10000) {
    return text_format("%" PRIu64 ".%02" PRIu64, us / 1000, us % 1000 / 10);
  }
  if (us < 100000) {
    return text_format("%" PRIu64 ".%" PRIu64, us / 1000, us % 1000 / 100);
  }
  return text_format("%" PRIu64, us / 1000);
}

static void put_ms(FILE *out, uint64_t us, char after) {
  (void)fprintf(out, "%" PRIu64 ".%03" PRIu64 "%c", us / 1000, us % 1000, after);
}

void ping_summary(FILE *out, const char *target, const struct ping_stats *s, uint64_t elapsed_ms) {
  (void)fprintf(out, "\n--- %s ping statistics ---\n", target);
  (void)fprintf(out, "%" PRIu64 " packets transmitted, %" PRIu64 " received", s->sent, s->received);
  if (s->duplicates) {
    (void)fprintf(out, ", +%" PRIu64 " duplicates", s->duplicates);
  }
  if (s->errors) {
    (void)fprintf(out, ", +%" PRIu64 " errors", s->errors);
  }
  (void)fprintf(out, ", %u%% packet loss, time %" PRIu64 "ms\n", ping_stats_loss_percent(s), elapsed_ms);
  if (s->n_rtt) {
    (void)fputs("rtt min/avg/max/mdev = ", out);
    put_ms(out, s->min_us, '/');
    put_ms(out, ping_stats_avg_us(s), '/');
    put_ms(out, s->max_us, '/');
    put_ms(out, ping_stats_mdev_us(s), ' ');
    (void)fputs("ms\n", out);
  }
}

#define TEXT_OF(texts, code, otherwise) ((code) < sizeof(texts) / sizeof(texts[0]) ? texts[code] : (otherwise))

const char *ping_unreachable_text6(uint32_t code) {
  static const char *const texts[] = {
      "No route",         "Administratively prohibited",
      "Beyond scope of source address", "Address unreachable",
      "Port unreachable", "Source address failed ingress/egress policy",
      "Reject route to destination",
  };
  return TEXT_OF(texts, code, "Unknown code");
}

const char *ping_exceeded_text6(uint32_t code) {
  static const char *const texts[] = {"Time exceeded: Hop limit", "Time exceeded: Defragmentation failure"};
  return TEXT_OF(texts, code, "Time exceeded: Unknown code");
}

const char *ping_parameter_text6(uint32_t code) {
  static const char *const texts[] = {"Wrong header field", "Unknown header", "Unknown option"};
  return TEXT_OF(texts, code, "Unknown code");
}

const char *ping_unreachable_text(uint32_t code) {
  static const char *const texts[] = {
      "Destination Net Unreachable",  "Destination Host Unreachable", "Destination Protocol Unreachable",
      "Destination Port Unreachable", "Frag needed and DF set",       "Source Route Failed",
      "Destination Net Unknown",      "Destination Host Unknown",     "Source Host Isolated",
      "Destination Net Prohibited",   "Destination Host Prohibited",  "Destination Net Unreachable for Type of Service",
      "Destination Host Unreachable for Type of Service",             "Packet filtered",
      "Precedence Violation",         "Precedence Cutoff",
  };
  return TEXT_OF(texts, code, "Destination Unreachable, Bad Code");
}
