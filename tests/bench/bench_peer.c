/* SPDX-License-Identifier: BSD-3-Clause
 * The far end of the TCP figures: bench-peer ADDRESS PORT. One process for each connection; prints "ready" once it
 * listens; ends when its standard input does.
 */
#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>

static char chunk[BENCH_CHUNK];

static void serve_up(int fd) {
  uint64_t sum = 0;
  for (ssize_t n; (n = read(fd, chunk, sizeof(chunk))) > 0;) {
    sum += (uint64_t)n;
  }
  sum = htobe64(sum);
  bench_write(fd, &sum, sizeof(sum));
}

static void serve_down(int fd) {
  uint64_t left;
  if (!bench_read(fd, &left, sizeof(left))) {
    return;
  }
  for (left = be64toh(left); left;) {
    size_t n = left < sizeof(chunk) ? left : sizeof(chunk);
    bench_write(fd, chunk, n);
    left -= n;
  }
}

static void serve(int fd) {
  char what;
  if (!bench_read(fd, &what, 1)) {
    return;
  }
  switch (what) {
  case 'U': serve_up(fd); break;
  case 'D': serve_down(fd); break;
  case 'R':
    while (bench_read(fd, &what, 1)) {
      bench_write(fd, &what, 1);
    }
    break;
  }
}

int main(int argc, char **argv) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  if (argc != 3 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1) {
    (void)fprintf(stderr, "usage: bench-peer ADDRESS PORT\n");
    return 2;
  }
  at.sin_port = htons((uint16_t)atoi(argv[2]));
  (void)signal(SIGCHLD, SIG_IGN);
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 1024) < 0) {
    bench_die("listen");
  }
  (void)puts("ready");
  (void)fflush(stdout);
  for (;;) {
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    if (poll(fds, 2, -1) > 0 && fds[1].revents) {
      return 0;
    }
    int c = accept(fd, NULL, NULL);
    if (c < 0) {
      continue;
    }
    (void)setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    char what = 0;
    /* Connection after connection is not held up by fork: what needs none is served here, its byte read, so that the
     * close is a FIN. */
    if (recv(c, &what, 1, MSG_PEEK) == 1 && what != 'C' && fork() == 0) {
      (void)close(fd);
      serve(c);
      _exit(0);
    }
    if (what == 'C') {
      (void)bench_read(c, &what, 1);
    }
    (void)close(c);
  }
}
