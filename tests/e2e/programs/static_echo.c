/* SPDX-License-Identifier: BSD-3-Clause
 * Linked statically: no library can come between it and the kernel. It echoes on each connection to the listening
 * socket that it inherits as descriptor 3, one after the other, and prints who was connected to whom, and how many
 * bytes that were.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int print_address(const struct sockaddr_in *a) {
  char text[INET_ADDRSTRLEN];
  if (a->sin_family != AF_INET || !inet_ntop(AF_INET, &a->sin_addr, text, sizeof text))
    return -1;
  return printf("%s:%u ", text, ntohs(a->sin_port));
}

static int write_all(int fd, const char *from, size_t left) {
  while (left) {
    ssize_t n = write(fd, from, left);
    if (n < 0)
      return -1;
    from += n;
    left -= (size_t)n;
  }
  return 0;
}

static long long echo(int fd) {
  static char buffer[1 << 16];
  long long total = 0;
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0) {
    if (write_all(fd, buffer, (size_t)n) < 0)
      return -1;
    total += n;
  }
  return n < 0 ? -1 : total;
}

int main(void) {
  for (;;) {
    struct sockaddr_in peer, own;
    socklen_t peer_len = sizeof peer, own_len = sizeof own;
    int fd = accept(3, NULL, NULL);
    if (fd < 0)
      return perror("accept"), 1;
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0 ||
        getsockname(fd, (struct sockaddr *)&own, &own_len) < 0)
      return perror("names"), 1;
    if (print_address(&peer) < 0 || print_address(&own) < 0)
      return 1;
    printf("%lld\n", echo(fd));
    (void)fflush(stdout);
    (void)close(fd);
  }
}
