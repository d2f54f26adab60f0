/* SPDX-License-Identifier: BSD-3-Clause
 * Bulk: a process for each stream, all let go at the same moment. What the machine was busy for is read around just that.
 */
#include "tests/bench/bench_run.h"

#include <endian.h>
#include <sys/socket.h>
#include <sys/wait.h>

static char chunk[BENCH_CHUNK];

/* Seconds that all processors together were busy since boot, whoever it was for (proc_stat(5)); what a hypervisor took is
 * not among it. */
static double busy(void) {
  unsigned long long user, nice, system, idle, iowait, irq, softirq;
  FILE *f = fopen("/proc/stat", "re");
  if (!f || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &iowait, &irq, &softirq) != 7) {
    bench_die("/proc/stat");
  }
  (void)fclose(f);
  return (double)(user + nice + system + irq + softirq) / (double)sysconf(_SC_CLK_TCK);
}

static uint64_t tx(int fd, const struct load *load, bool check) {
  uint64_t got;
  uint64_t sent = bench_send(fd, load->bytes, load->ms, check, chunk);
  if (shutdown(fd, SHUT_WR) < 0 || !bench_read(fd, &got, sizeof(got))) {
    bench_die("the peer did not say what it got");
  }
  if (be64toh(got) != sent) {
    (void)fprintf(stderr, "bench: of %llu bytes the peer got %llu%s\n", (unsigned long long)sent,
                  (unsigned long long)be64toh(got), check ? " right ones" : "");
    exit(1);
  }
  return sent;
}

static uint64_t rx(int fd, const struct load *load, bool check) {
  uint64_t got = bench_receive(fd, check, chunk);
  bool whole = load->bytes == UINT64_MAX || got == load->bytes;
  if (got == UINT64_MAX || !whole || got == 0) {
    (void)fprintf(stderr, "bench: %llu bytes came%s\n", (unsigned long long)got, check ? " right" : "");
    exit(1);
  }
  return got;
}

/* Connected, it says so with a byte to up; the end of go lets it run; the bytes that it moved go to up. */
static void stream(const struct target *t, const struct load *load, bool send, bool check, int go, int up) {
  int fd = bench_connect(t);
  char what = send ? (check ? 'S' : 'U') : (check ? 'P' : 'D'), none;
  uint64_t want[2] = {htobe64(load->bytes), htobe64(load->ms)};
  bench_write(up, "r", 1);
  (void)bench_read(go, &none, 1);
  bench_write(fd, &what, 1);
  if (!send) {
    bench_write(fd, want, sizeof(want));
  }
  uint64_t moved = send ? tx(fd, load, check) : rx(fd, load, check);
  bench_write(up, &moved, sizeof(moved));
}

static void start_stream(const struct target *t, const struct load *load, bool send, bool check, const int go[2],
                         const int up[2]) {
  pid_t pid = fork();
  if (pid < 0) {
    bench_die("fork");
  }
  if (pid == 0) {
    struct target own = *t;
    own.cap = t->cap ? bench_take("tcp-connect") : NULL; /* an endpoint has one reader */
    (void)close(go[1]);
    (void)close(up[0]);
    stream(&own, load, send, check, go[0], up[1]);
    exit(0);
  }
}

void bench_bulk(const struct target *t, const struct load *load, bool send, bool check) {
  int go[2], up[2];
  char ready;
  uint64_t moved, sum = 0;
  if (pipe(go) < 0 || pipe(up) < 0) {
    bench_die("pipe");
  }
  (void)bench_pattern(0); /* before anybody's time runs */
  for (unsigned i = 0; i < load->streams; i++) {
    start_stream(t, load, send, check, go, up);
  }
  (void)close(up[1]);
  (void)close(go[0]);
  for (unsigned i = 0; i < load->streams; i++) {
    if (!bench_read(up[0], &ready, 1))
      exit(1);
  }
  double start = bench_now(), before = busy();
  (void)close(go[1]);
  for (unsigned i = 0; i < load->streams; i++) {
    if (!bench_read(up[0], &moved, sizeof(moved)))
      exit(1); /* the child said why */
    sum += moved;
  }
  double took = bench_now() - start, used = busy() - before;
  while (wait(NULL) > 0) {
  }
  (void)printf("{\"mb_s\": %.4f, \"s_gb\": %.5f, \"bytes\": %llu}\n", (double)sum / 1e6 / took, used * 1e9 / (double)sum,
               (unsigned long long)sum);
}
