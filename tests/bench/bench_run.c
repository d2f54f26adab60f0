/* SPDX-License-Identifier: BSD-3-Clause
 * One measurement, one JSON object on standard output:
 *   bench-run [OPTIONS] tx|rx|check-tx|check-rx kernel|capnet ADDRESS PORT
 *   bench-run [OPTIONS] rr|connects|connects-serverclose kernel|capnet ADDRESS PORT
 *   bench-run [OPTIONS] hold|hold-control kernel|capnet ADDRESS PORT
 *   bench-run [OPTIONS] calls kernel|capnet - -            bare SEQPACKET, or Describe of the grant's ping
 *   bench-run [OPTIONS] lookups kernel|capnet SERVER NAME  A records, one at a time: c-ares, or capnet
 *   bench-run [OPTIONS] address kernel|capnet IFNAME -     waits for an address of this interface, or of the daemon
 * -n streams, -b bytes of each, -t milliseconds of each, -a how many, -c the CPU to be on, -l seconds until it gives up.
 * capnet takes what it needs from the grant "bench"; BENCH_FORM (environment) is the form of its connections.
 */
#include "tests/bench/bench_endpoint.h"
#include "tests/bench/bench_run.h"

#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

void bench_die_of(const struct capnet_error *err) {
  (void)fprintf(stderr, "bench: %s: %s\n", err->code, err->message);
  exit(1);
}

capnet *bench_take(const char *kind) {
  struct capnet_error err;
  capnet *cap = NULL;
  if (capnet_open(BENCH_GRANT, BENCH_GRANT, kind, BENCH_TIMEOUT_MS, &cap, &err) < 0) {
    bench_die_of(&err);
  }
  return cap;
}

static int connect_capnet(const struct target *t, capnet **ret_control, char why[256]) {
  struct capnet_error err;
  struct capnet_tcp tcp;
  const unsigned control = ret_control ? 0 : CAPNET_TCP_NO_CONTROL;
  struct capnet_tcp_options o = {.set = CAPNET_TCP_NODELAY | control, .nodelay = 1};
  if (capnet_tcp_connect_form(t->cap, bench_form(), t->address, t->port, &o, BENCH_TIMEOUT_MS, &tcp, &err) < 0) {
    (void)snprintf(why, 256, "%s: %.200s", err.code, err.message);
    return -1;
  }
  if (ret_control) {
    *ret_control = tcp.control;
  } else {
    capnet_close(tcp.control); /* of a libcapnet that does not know the bit */
  }
  return tcp.fd;
}

int bench_try_connect(const struct target *t, capnet **ret_control, char why[256]) {
  if (t->cap) {
    return connect_capnet(t, ret_control, why);
  }
  union bench_endpoint to;
  socklen_t len = bench_endpoint_of(t->address, t->port, &to);
  int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) {
    bench_kernel_options(fd);
  }
  if (fd < 0 || connect(fd, &to.any, len) < 0) {
    (void)snprintf(why, 256, "connect: %s", strerror(errno));
    (void)close(fd);
    return -1;
  }
  return fd;
}

int bench_connect(const struct target *t) {
  char why[256];
  int fd = bench_try_connect(t, NULL, why);
  if (fd < 0) {
    (void)fprintf(stderr, "bench: %s\n", why);
    exit(1);
  }
  return fd;
}

static void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((unsigned)cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set) < 0) {
    bench_die("sched_setaffinity");
  }
}

static void over_tcp(const char *mode, const struct target *t, const struct load *load) {
  if (strcmp(mode, "rr") == 0) {
    bench_rr(t, load);
  } else if (strncmp(mode, "connects", 8) == 0) {
    bench_connects(t, load, strcmp(mode, "connects-serverclose") == 0);
  } else if (strncmp(mode, "hold", 4) == 0) {
    bench_hold(t, load, strcmp(mode, "hold-control") == 0);
  } else if (strlen(mode) >= 2) {
    bench_bulk(t, load, mode[strlen(mode) - 2] == 't', strncmp(mode, "check-", 6) == 0);
  }
}

static void options(int argc, char **argv, struct load *load) {
  for (int c; (c = getopt(argc, argv, "n:b:t:a:c:l:")) != -1;) {
    unsigned long long value = optarg ? strtoull(optarg, NULL, 10) : 0;
    switch (c) {
    case 'n': load->streams = (unsigned)value; break;
    case 'b': load->bytes = value; break;
    case 't': load->ms = value; break;
    case 'a': load->count = value; break;
    case 'c': pin((int)value); break;
    case 'l': (void)alarm((unsigned)value); break;
    default: exit(2);
    }
  }
}

static bool known(const char *mode) {
  static const char *const modes[] = {"tx",       "rx",           "check-tx", "check-rx",
                                      "rr",       "connects",     "hold",     "connects-serverclose",
                                      "hold-control", "calls",        "lookups",  "address"};
  for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
    if (strcmp(mode, modes[i]) == 0)
      return true;
  }
  return false;
}

int main(int argc, char **argv) {
  struct load load = {.streams = 1, .bytes = UINT64_MAX, .ms = 1000, .count = 1000};
  options(argc, argv, &load);
  argv += optind;
  if (argc - optind != 4 || !known(argv[0]) || load.streams == 0 || load.count == 0) {
    (void)fprintf(stderr, "usage: bench-run [-n -b -t -a -c -l] MODE kernel|capnet ADDRESS|SERVER PORT|NAME\n");
    return 2;
  }
  (void)signal(SIGPIPE, SIG_IGN);
  bench_more_descriptors();
  bool over = strcmp(argv[1], "capnet") == 0;
  if (strcmp(argv[0], "calls") == 0) {
    bench_calls(over, &load);
  } else if (strcmp(argv[0], "lookups") == 0) {
    bench_lookups(over, argv[2], argv[3], &load);
  } else if (strcmp(argv[0], "address") == 0) {
    bench_address(over, argv[2]);
  } else {
    struct target t = {.cap = over ? bench_take("tcp-connect") : NULL, .address = argv[2], .port = (uint16_t)atoi(argv[3])};
    over_tcp(argv[0], &t, &load);
    capnet_close(t.cap);
  }
  return 0;
}
