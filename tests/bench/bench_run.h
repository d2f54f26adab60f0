/* SPDX-License-Identifier: BSD-3-Clause
 * The parts of bench-run. Each measurement prints one JSON object and returns; an error ends the process with a sentence.
 */
#ifndef CAPNET_BENCH_RUN_H
#define CAPNET_BENCH_RUN_H

#include "tests/bench/bench.h"

struct target {
  capnet *cap; /* tcp-connect; NULL: the kernel's own TCP */
  const char *address;
  uint16_t port;
};

struct load {
  unsigned streams; /* of bulk */
  uint64_t bytes;   /* of a stream, at most */
  uint64_t ms;      /* of a stream, at most */
  uint64_t count;   /* round trips, connections, calls */
};

_Noreturn void bench_die_of(const struct capnet_error *err);
/* A capability of this kind out of the grant "bench". */
capnet *bench_take(const char *kind);

/* The data descriptor, blocking, without Nagle's algorithm; negative: refused, and why says so. ret_control (may be NULL)
 * is the control of a capnet connection; without it that is given up, as the kernel has none either. */
int bench_try_connect(const struct target *t, capnet **ret_control, char why[256]);
int bench_connect(const struct target *t); /* or dies */

/* tx, rx: bytes/s over all streams and the whole machine's busy seconds. check: with the pattern, and every byte counts. */
void bench_bulk(const struct target *t, const struct load *load, bool tx, bool check);

void bench_rr(const struct target *t, const struct load *load);
/* server_first: the peer closes first. A refused connection is counted, and the next one is tried. */
void bench_connects(const struct target *t, const struct load *load, bool server_first);
/* Opens count connections, prints "ready", keeps them until standard input ends. */
void bench_hold(const struct target *t, const struct load *load, bool control);

void bench_calls(bool over_capnet, const struct load *load);
void bench_lookups(bool over_capnet, const char *server, const char *name, const struct load *load);

/* Waits until there is an IPv4 address; "at" is when, in seconds of CLOCK_MONOTONIC. */
void bench_address(bool over_capnet, const char *ifname);

#endif
