/* SPDX-License-Identifier: BSD-3-Clause
 * What the measuring programs share. The first byte on a connection tells the peer what to do:
 *   'U'             read until the end, answer with the number of bytes read (8 bytes, network order), close
 *   'D' + 8 bytes   send that many bytes, close
 *   'R'             send each byte back
 *   'C'             close
 */
#ifndef CAPNET_BENCH_H
#define CAPNET_BENCH_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BENCH_CHUNK (256 * 1024)

static inline void bench_die(const char *what) {
  (void)fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
  exit(1);
}

static inline double bench_now(void) {
  struct timespec ts;
  (void)clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static inline void bench_write(int fd, const void *buf, size_t len) {
  for (const char *p = buf; len;) {
    ssize_t n = write(fd, p, len);
    if (n < 0) {
      bench_die("write");
    }
    p += n;
    len -= (size_t)n;
  }
}

/* False at the end of the stream before len bytes. */
static inline bool bench_read(int fd, void *buf, size_t len) {
  for (char *p = buf; len;) {
    ssize_t n = read(fd, p, len);
    if (n <= 0) {
      return false;
    }
    p += n;
    len -= (size_t)n;
  }
  return true;
}

#endif
