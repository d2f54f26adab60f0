/* SPDX-License-Identifier: BSD-3-Clause
 * Round trips, connection after connection, and connections on which nothing happens.
 */
#include "tests/bench/bench_run.h"

#include <sys/socket.h>

#define WARM_UP 200

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double trip(int fd) {
  char byte = 'x';
  double start = bench_now();
  bench_write(fd, &byte, 1);
  if (!bench_read(fd, &byte, 1)) {
    bench_die("the peer closed");
  }
  return (bench_now() - start) * 1e6;
}

void bench_rr(const struct target *t, const struct load *load) {
  int fd = bench_connect(t);
  double *times = calloc(load->count, sizeof(*times));
  if (!times) {
    bench_die("memory");
  }
  bench_write(fd, "R", 1);
  for (uint64_t i = 0; i < WARM_UP; i++) {
    (void)trip(fd);
  }
  for (uint64_t i = 0; i < load->count; i++) {
    times[i] = trip(fd);
  }
  qsort(times, load->count, sizeof(*times), by_size);
  (void)printf("{\"p50\": %.3f, \"p99\": %.3f}\n", times[load->count / 2], times[load->count * 99 / 100]);
  free(times);
  (void)close(fd);
}

/* One connection from its first byte to its end. NULL, or what went wrong. */
static const char *once(const struct target *t, bool server_first) {
  static char why[256];
  char byte = server_first ? 'C' : 'A';
  int fd = bench_try_connect(t, NULL, why);
  if (fd < 0)
    return why;
  const char *wrong = NULL;
  if (write(fd, &byte, 1) != 1) {
    wrong = "write: the connection is gone";
  } else if (read(fd, &byte, 1) != (server_first ? 0 : 1)) {
    wrong = server_first ? "no clean end" : "no answer";
  }
  (void)close(fd);
  return wrong;
}

void bench_connects(const struct target *t, const struct load *load, bool server_first) {
  uint64_t refused = 0;
  double start = bench_now();
  for (uint64_t i = 0; i < load->count; i++) {
    const char *wrong = once(t, server_first);
    if (wrong && refused++ == 0) {
      (void)fprintf(stderr, "bench: connection %llu: %s\n", (unsigned long long)i + 1, wrong);
    }
    if (refused > load->count / 10 + 10) {
      (void)fprintf(stderr, "bench: %llu of %llu connections refused\n", (unsigned long long)refused,
                    (unsigned long long)i + 1);
      exit(1);
    }
  }
  (void)printf("{\"rate\": %.2f, \"refused\": %llu}\n", (double)(load->count - refused) / (bench_now() - start),
               (unsigned long long)refused);
}

void bench_hold(const struct target *t, const struct load *load, bool control) {
  char byte;
  for (uint64_t i = 0; i < load->count; i++) {
    char why[256];
    capnet *kept;
    int fd = bench_try_connect(t, control ? &kept : NULL, why);
    if (fd < 0) {
      (void)fprintf(stderr, "bench: connection %llu: %s\n", (unsigned long long)i + 1, why);
      exit(1);
    }
    bench_write(fd, "H", 1);
  }
  (void)alarm(0);
  (void)puts("ready");
  (void)fflush(stdout);
  while (read(0, &byte, 1) > 0) {
  }
}
