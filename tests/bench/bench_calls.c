/* SPDX-License-Identifier: BSD-3-Clause
 * Requests to the daemon itself, and what they are compared with: a bare ping-pong between two processes, and c-ares.
 */
#include "tests/bench/bench_run.h"

#include <ares.h>
#include <netdb.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>

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
  capnet *cap = bench_take("ping");
  struct capnet_error err;
  double start = bench_now();
  for (uint64_t i = 0; i < n; i++) {
    char *text = NULL;
    if (capnet_describe(cap, BENCH_TIMEOUT_MS, &text, &err) < 0) {
      bench_die_of(&err);
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

static double lookups_kernel(const char *server, const char *name, uint64_t n) {
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

static double lookups_capnet(const char *name, uint64_t n) {
  capnet *cap = bench_take("dns");
  struct capnet_error err;
  double start = bench_now();
  for (uint64_t i = 0; i < n; i++) {
    struct capnet_dns_result *r = NULL;
    if (capnet_resolve(cap, name, CAPNET_DNS_A, CAPNET_DNS_NO_SEARCH, BENCH_TIMEOUT_MS, &r, &err) < 0) {
      bench_die_of(&err);
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

static void print_rate(double rate) { (void)printf("{\"rate\": %.2f}\n", rate); }

void bench_calls(bool over_capnet, const struct load *load) {
  print_rate(over_capnet ? calls_capnet(load->count) : calls_kernel(load->count));
}

void bench_lookups(bool over_capnet, const char *server, const char *name, const struct load *load) {
  print_rate(over_capnet ? lookups_capnet(name, load->count) : lookups_kernel(server, name, load->count));
}
