/* SPDX-License-Identifier: BSD-3-Clause
 * One measurement, one number on standard output:
 *   bench-run FIGURE kernel|capnet ADDRESS PORT AMOUNT     tcp-up tcp-down (MB/s), tcp-rr (us, median), connects (1/s)
 *   bench-run check-up|check-down …                        as tcp-up and tcp-down, with every byte compared
 *   bench-run hold …                                       opens AMOUNT connections, says "ready", waits for the end of
 *                                                          its standard input
 *   bench-run calls kernel|capnet - - AMOUNT               round trips/s: bare SEQPACKET, or Describe of the grant's ping
 *   bench-run names kernel|capnet SERVER NAME AMOUNT       look-ups/s of an A record, one at a time: c-ares, or capnet
 * capnet takes what it needs from the grant "bench"; BENCH_FORM (environment) is the form of its connections.
 */
#include "tests/bench/bench.h"

#include <ares.h>
#include <arpa/inet.h>
#include <capnet.h>
#include <endian.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define TIMEOUT_MS BENCH_TIMEOUT_MS

static char chunk[BENCH_CHUNK];

struct target {
  capnet *cap; /* NULL: the kernel */
  const char *address;
  uint16_t port;
};

static void die_of(const struct capnet_error *err) {
  (void)fprintf(stderr, "bench: %s: %s\n", err->code, err->message);
  exit(1);
}

static capnet *take(const char *kind) {
  struct capnet_error err;
  capnet *cap = NULL;
  if (capnet_open(BENCH_GRANT, BENCH_GRANT, kind, TIMEOUT_MS, &cap, &err) < 0) {
    die_of(&err);
  }
  return cap;
}

/* The data descriptor; the control is given up at once, as the kernel has none either. */
static int target_connect(const struct target *t) {
  if (t->cap) {
    struct capnet_error err;
    struct capnet_tcp tcp;
    struct capnet_tcp_options nodelay = {.set = CAPNET_TCP_NODELAY, .nodelay = 1};
    if (capnet_tcp_connect_form(t->cap, bench_form(), t->address, t->port, &nodelay, TIMEOUT_MS, &tcp, &err) < 0) {
      die_of(&err);
    }
    capnet_close(tcp.control);
    return tcp.fd;
  }
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(t->port)};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  (void)inet_pton(AF_INET, t->address, &to.sin_addr);
  if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
    bench_die("connect");
  }
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  return fd;
}

/* 10^6 bytes per second, from the first byte to the peer's word that all arrived. */
static double up(const struct target *t, uint64_t bytes, bool check) {
  int fd = target_connect(t);
  uint64_t got;
  double start = bench_now();
  bench_write(fd, check ? "S" : "U", 1);
  bench_send(fd, bytes, check, chunk);
  if (shutdown(fd, SHUT_WR) < 0 || !bench_read(fd, &got, sizeof(got)) || be64toh(got) != bytes) {
    bench_die("the peer did not get everything");
  }
  double took = bench_now() - start;
  (void)close(fd);
  return (double)bytes / 1e6 / took;
}

static double down(const struct target *t, uint64_t bytes, bool check) {
  int fd = target_connect(t);
  uint64_t want = htobe64(bytes);
  double start = bench_now();
  bench_write(fd, check ? "P" : "D", 1);
  bench_write(fd, &want, sizeof(want));
  if (bench_receive(fd, check, chunk) != bytes) {
    bench_die("not everything came");
  }
  double took = bench_now() - start;
  (void)close(fd);
  return (double)bytes / 1e6 / took;
}

static double tcp_up(const struct target *t, uint64_t bytes) { return up(t, bytes, false); }
static double tcp_down(const struct target *t, uint64_t bytes) { return down(t, bytes, false); }
static double check_up(const struct target *t, uint64_t bytes) { return up(t, bytes, true); }
static double check_down(const struct target *t, uint64_t bytes) { return down(t, bytes, true); }

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The median in microseconds. */
static double tcp_rr(const struct target *t, uint64_t n) {
  int fd = target_connect(t);
  double *times = calloc(n, sizeof(*times));
  char byte = 'R';
  if (!times) {
    bench_die("memory");
  }
  bench_write(fd, &byte, 1);
  for (uint64_t i = 0; i < n; i++) {
    double start = bench_now();
    bench_write(fd, &byte, 1);
    if (!bench_read(fd, &byte, 1)) {
      bench_die("the peer closed");
    }
    times[i] = (bench_now() - start) * 1e6;
  }
  qsort(times, n, sizeof(*times), by_size);
  double median = times[n / 2];
  free(times);
  (void)close(fd);
  return median;
}

/* Connect, one byte, the peer's close: a connection counts when it is over. */
static double connects(const struct target *t, uint64_t n) {
  double start = bench_now();
  for (uint64_t i = 0; i < n; i++) {
    char byte;
    int fd = target_connect(t);
    bench_write(fd, "C", 1);
    if (read(fd, &byte, 1) != 0) {
      bench_die("no clean end");
    }
    (void)close(fd);
  }
  return (double)n / (bench_now() - start);
}

/* All at once; 0 when they were kept. */
static double hold(const struct target *t, uint64_t n) {
  char byte;
  for (uint64_t i = 0; i < n; i++) {
    bench_write(target_connect(t), "H", 1);
  }
  (void)puts("ready");
  (void)fflush(stdout);
  while (read(0, &byte, 1) > 0) {
  }
  return 0;
}

static double calls_kernel(uint64_t n) {
  int pair[2];
  char buf[64] = {0};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
    bench_die("socketpair");
  }
  pid_t child = fork();
  if (child < 0) {
    bench_die("fork");
  }
  if (child == 0) {
    (void)close(pair[0]);
    for (ssize_t len; (len = recv(pair[1], buf, sizeof(buf), 0)) > 0;) {
      if (send(pair[1], buf, (size_t)len, MSG_NOSIGNAL) < 0) {
        break;
      }
    }
    _exit(0);
  }
  (void)close(pair[1]);
  double start = bench_now();
  for (uint64_t i = 0; i < n; i++) {
    if (send(pair[0], buf, sizeof(buf), MSG_NOSIGNAL) < 0 || recv(pair[0], buf, sizeof(buf), 0) <= 0) {
      bench_die("ping-pong");
    }
  }
  double rate = (double)n / (bench_now() - start);
  (void)close(pair[0]);
  (void)waitpid(child, NULL, 0);
  return rate;
}

static double calls_capnet(uint64_t n) {
  capnet *cap = take("ping");
  struct capnet_error err;
  double start = bench_now();
  for (uint64_t i = 0; i < n; i++) {
    char *text = NULL;
    if (capnet_describe(cap, TIMEOUT_MS, &text, &err) < 0) {
      die_of(&err);
    }
    free(text);
  }
  double rate = (double)n / (bench_now() - start);
  capnet_close(cap);
  return rate;
}

static void on_answer(void *arg, int status, int timeouts, struct hostent *host) {
  (void)timeouts;
  *(int *)arg = status == ARES_SUCCESS && host ? 1 : -1;
}

static double names_kernel(const char *server, const char *name, uint64_t n) {
  ares_channel channel;
  struct ares_options options = {.lookups = (char *)"b"};
  if (ares_library_init(ARES_LIB_INIT_ALL) || ares_init_options(&channel, &options, ARES_OPT_LOOKUPS) ||
      ares_set_servers_ports_csv(channel, server)) {
    bench_die("c-ares");
  }
  double start = bench_now();
  for (uint64_t i = 0; i < n; i++) {
    int done = 0;
    ares_gethostbyname(channel, name, AF_INET, on_answer, &done);
    while (!done) {
      fd_set in, out;
      FD_ZERO(&in);
      FD_ZERO(&out);
      struct timeval tv = {.tv_sec = 5};
      (void)select(ares_fds(channel, &in, &out), &in, &out, NULL, ares_timeout(channel, NULL, &tv) ? &tv : NULL);
      ares_process(channel, &in, &out);
    }
    if (done < 0) {
      bench_die("no answer");
    }
  }
  double rate = (double)n / (bench_now() - start);
  ares_destroy(channel);
  ares_library_cleanup();
  return rate;
}

static double names_capnet(const char *name, uint64_t n) {
  capnet *cap = take("dns");
  struct capnet_error err;
  double start = bench_now();
  for (uint64_t i = 0; i < n; i++) {
    struct capnet_dns_result *r = NULL;
    if (capnet_resolve(cap, name, CAPNET_DNS_A, CAPNET_DNS_NO_SEARCH, TIMEOUT_MS, &r, &err) < 0) {
      die_of(&err);
    }
    if (r->n_answers != 1 || !r->answers[0].n_addresses) {
      bench_die("no answer");
    }
    capnet_dns_result_free(r);
  }
  double rate = (double)n / (bench_now() - start);
  capnet_close(cap);
  return rate;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    double (*run)(const struct target *t, uint64_t amount);
  } tcp[] = {{"tcp-up", tcp_up},     {"tcp-down", tcp_down},     {"tcp-rr", tcp_rr},
             {"connects", connects}, {"check-up", check_up}, {"check-down", check_down}, {"hold", hold}};
  if (argc != 6 || strtoull(argv[5], NULL, 10) == 0) {
    (void)fprintf(stderr, "usage: bench-run FIGURE kernel|capnet ADDRESS|SERVER PORT|NAME AMOUNT\n");
    return 2;
  }
  uint64_t amount = strtoull(argv[5], NULL, 10);
  bool over = strcmp(argv[2], "capnet") == 0;
  double value = -1;
  if (strcmp(argv[1], "calls") == 0) {
    value = over ? calls_capnet(amount) : calls_kernel(amount);
  } else if (strcmp(argv[1], "names") == 0) {
    value = over ? names_capnet(argv[4], amount) : names_kernel(argv[3], argv[4], amount);
  }
  for (size_t i = 0; i < sizeof(tcp) / sizeof(tcp[0]); i++) {
    if (strcmp(argv[1], tcp[i].name) == 0) {
      struct target t = {.cap = over ? take("tcp-connect") : NULL, .address = argv[3], .port = (uint16_t)atoi(argv[4])};
      value = tcp[i].run(&t, amount);
      capnet_close(t.cap);
    }
  }
  if (value < 0) {
    (void)fprintf(stderr, "bench: no figure '%s'\n", argv[1]);
    return 2;
  }
  (void)printf("%.3f\n", value);
  return 0;
}
