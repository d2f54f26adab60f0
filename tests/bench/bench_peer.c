/* SPDX-License-Identifier: BSD-3-Clause
 * The far end of the TCP figures: bench-peer ADDRESS PORT, over the kernel; or bench-peer capnet PORT, over a listener
 * of the grant "bench". Prints "ready" once it listens; ends when its standard input does. One process for each connection
 * that takes time.
 */
#include "tests/bench/bench.h"
#include "tests/bench/bench_endpoint.h"

#include <capnet.h>
#include <endian.h>
#include <poll.h>
#include <signal.h>

#define CLOSE_WAIT_S 5 /* for the other side to close first */

static char chunk[BENCH_CHUNK];

static void serve_up(int fd, bool pattern) {
  uint64_t sum = htobe64(bench_receive(fd, pattern, chunk));
  bench_write(fd, &sum, sizeof(sum));
}

static void serve_down(int fd, bool pattern) {
  uint64_t want[2];
  if (bench_read(fd, want, sizeof(want))) {
    (void)bench_send(fd, be64toh(want[0]), be64toh(want[1]), pattern, chunk);
  }
}

static void serve(int fd) {
  char what;
  if (!bench_read(fd, &what, 1)) {
    return;
  }
  switch (what) {
  case 'U':
  case 'S': serve_up(fd, what == 'S'); break;
  case 'D':
  case 'P': serve_down(fd, what == 'P'); break;
  case 'R':
    while (bench_read(fd, &what, 1)) {
      bench_write(fd, &what, 1);
    }
    break;
  }
}

static int listen_kernel(const char *address, uint16_t port) {
  union bench_endpoint at;
  socklen_t len = bench_endpoint_of(address, port, &at);
  int one = 1, fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (at.any.sa_family == AF_INET6) {
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
  }
  bench_kernel_options(fd);
  if (bind(fd, &at.any, len) < 0 || listen(fd, 1024) < 0) {
    bench_die("listen");
  }
  return fd;
}

static int accept_kernel(int listener) { return accept(listener, NULL, NULL); }

static capnet *listen_capnet(uint16_t port) {
  struct capnet_error err = {0};
  capnet *cap = NULL, *listener = NULL, *channel = NULL;
  if (capnet_open(BENCH_GRANT, BENCH_GRANT, "tcp-listen", BENCH_TIMEOUT_MS, &cap, &err) < 0 ||
      capnet_tcp_listen(cap, "interface-address", port, 0, BENCH_TIMEOUT_MS, &listener, NULL, &err) < 0 ||
      capnet_tcp_accept_channel_form(listener, bench_form(), BENCH_TIMEOUT_MS, &channel, &err) < 0) {
    (void)fprintf(stderr, "bench: %s: %s\n", err.code, err.message);
    exit(1);
  }
  return channel; /* the other two are kept open to the end */
}

/* A real listening socket; the rest is as with any other. */
static int listen_socket(uint16_t port) {
  struct capnet_error err = {0};
  capnet *cap = NULL, *listener = NULL;
  int fd = -1;
  if (capnet_open(BENCH_GRANT, BENCH_GRANT, "tcp-listen", BENCH_TIMEOUT_MS, &cap, &err) < 0 ||
      capnet_tcp_listen_socket(cap, "interface-address", port, 0, 0, BENCH_TIMEOUT_MS, &fd, &listener, NULL, &err) < 0) {
    (void)fprintf(stderr, "bench: %s: %s\n", err.code, err.message);
    exit(1);
  }
  return fd; /* the other two are kept open to the end */
}

/* Nagle's algorithm stays on: nothing here writes twice without reading, and the option would be one more call. */
static int accept_capnet(capnet *channel) {
  struct capnet_error err;
  struct capnet_tcp tcp;
  if (capnet_tcp_channel_accept(channel, BENCH_TIMEOUT_MS, &tcp, &err) < 0) {
    (void)fprintf(stderr, "bench: %s: %s\n", err.code, err.message);
    exit(1);
  }
  capnet_close(tcp.control);
  return tcp.fd;
}

/* The connection's side that closes second. */
static void close_second(int fd) {
  struct timeval limit = {.tv_sec = CLOSE_WAIT_S};
  char what;
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  if (bench_read(fd, &what, 1)) {
    bench_write(fd, &what, 1);
    (void)bench_read(fd, &what, 1);
  }
}

/* Connection after connection is not held up by fork: what needs none is done here. 'C' has its byte read, so that the
 * close is a FIN. */
static void handle(int fd, int listener) {
  char what = 0;
  if (recv(fd, &what, 1, MSG_PEEK) == 1 && what == 'H') {
    return; /* kept until this process ends */
  }
  if (what == 'C') {
    (void)bench_read(fd, &what, 1);
  } else if (what == 'A') {
    close_second(fd);
  } else if (what && fork() == 0) {
    (void)close(listener);
    serve(fd);
    _exit(0);
  }
  (void)close(fd);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    (void)fprintf(stderr, "usage: bench-peer ADDRESS|capnet|capnet-socket PORT\n");
    return 2;
  }
  (void)signal(SIGCHLD, SIG_IGN);
  (void)signal(SIGPIPE, SIG_IGN);
  bench_more_descriptors();
  uint16_t port = (uint16_t)atoi(argv[2]);
  capnet *channel = strcmp(argv[1], "capnet") == 0 ? listen_capnet(port) : NULL;
  int listener = channel                                     ? capnet_fd(channel)
                 : strcmp(argv[1], "capnet-socket") == 0 ? listen_socket(port)
                                                             : listen_kernel(argv[1], port);
  (void)puts("ready");
  (void)fflush(stdout);
  for (;;) {
    struct pollfd fds[2] = {{.fd = listener, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    if (poll(fds, 2, -1) > 0 && fds[1].revents) {
      return 0;
    }
    int fd = channel ? accept_capnet(channel) : accept_kernel(listener);
    if (fd >= 0) {
      handle(fd, listener);
    }
  }
}
