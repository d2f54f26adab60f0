/* SPDX-License-Identifier: BSD-3-Clause
 * What the measuring programs share. The first byte on a connection tells the peer what to do:
 *   'U'              read until the end, answer with the number of bytes read (8 bytes, network order), close
 *   'D' + 2 numbers  send that many bytes, but no longer than so many milliseconds (8 bytes each, network order), close
 *   'R'              send each byte back
 *   'C'              close: the peer closes first
 *   'A'              send this byte back and close after the other side did
 *   'H'              keep the connection and do nothing with it
 *   'S', 'P'         as 'U' and 'D' with the pattern; 'S' counts only bytes up to the first that is wrong
 */
#ifndef CAPNET_BENCH_H
#define CAPNET_BENCH_H

#include <capnet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BENCH_CHUNK (256 * 1024)
#define BENCH_PERIOD 65521 /* of the pattern: a prime, so that a lost or doubled buffer of any usual size shows */
#define BENCH_GRANT "bench"
#define BENCH_TIMEOUT_MS 20000

static inline _Noreturn void bench_die(const char *what) {
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

/* BENCH_CHUNK bytes of the pattern, from this offset of the stream on. */
static inline const char *bench_pattern(uint64_t offset) {
  static char bytes[BENCH_PERIOD + BENCH_CHUNK];
  static bool done;
  uint64_t x = 88172645463325252u; /* xorshift64 */
  for (size_t i = 0; !done && i < sizeof(bytes); i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    bytes[i] = i < BENCH_PERIOD ? (char)x : bytes[i - BENCH_PERIOD];
  }
  done = true;
  return bytes + offset % BENCH_PERIOD;
}

/* Up to this many bytes, until this many milliseconds are over; the number of bytes. */
static inline uint64_t bench_send(int fd, uint64_t bytes, uint64_t ms, bool pattern, const char *zeros) {
  double end = bench_now() + (double)ms / 1e3;
  uint64_t at = 0;
  while (at < bytes && bench_now() < end) {
    size_t n = bytes - at < BENCH_CHUNK ? bytes - at : BENCH_CHUNK;
    bench_write(fd, pattern ? bench_pattern(at) : zeros, n);
    at += n;
  }
  return at;
}

/* Reads to the end of the stream; the number of bytes, up to the first wrong one; UINT64_MAX: it ended with an error. buf
 * has BENCH_CHUNK bytes. */
static inline uint64_t bench_receive(int fd, bool pattern, char *buf) {
  uint64_t sum = 0;
  bool good = true;
  ssize_t n;
  while ((n = read(fd, buf, BENCH_CHUNK)) > 0) {
    good = good && (!pattern || memcmp(buf, bench_pattern(sum), (size_t)n) == 0);
    sum += good ? (uint64_t)n : 0;
  }
  return n < 0 ? UINT64_MAX : sum;
}

/* As many descriptors as the hard limit gives. */
static inline void bench_more_descriptors(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/* The kernel's end of a figure: no Nagle, and CUBIC whatever the machine's default is; listeners hand both on. */
static inline void bench_kernel_options(int fd) {
  int one = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) < 0) {
    bench_die("TCP_CONGESTION cubic");
  }
}

/* BENCH_FORM: "socket" and "pair"; otherwise the daemon chooses. */
static inline enum capnet_tcp_form bench_form(void) {
  const char *form = getenv("BENCH_FORM");
  if (!form)
    return CAPNET_FORM_AUTO;
  return strcmp(form, "socket") == 0 ? CAPNET_FORM_SOCKET : strcmp(form, "pair") == 0 ? CAPNET_FORM_PAIR : CAPNET_FORM_AUTO;
}

#endif
