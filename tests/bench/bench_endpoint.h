/* SPDX-License-Identifier: BSD-3-Clause
 * A numeric address of either family, as the kernel's sockets want it.
 */
#ifndef CAPNET_BENCH_ENDPOINT_H
#define CAPNET_BENCH_ENDPOINT_H

#include "tests/bench/bench.h"

#include <arpa/inet.h>

union bench_endpoint {
  struct sockaddr any;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
};

static inline socklen_t bench_endpoint_of(const char *address, uint16_t port, union bench_endpoint *ret) {
  memset(ret, 0, sizeof(*ret));
  if (inet_pton(AF_INET6, address, &ret->in6.sin6_addr) == 1) {
    ret->in6.sin6_family = AF_INET6;
    ret->in6.sin6_port = htons(port);
    return sizeof(ret->in6);
  }
  ret->in.sin_family = AF_INET;
  ret->in.sin_port = htons(port);
  if (inet_pton(AF_INET, address, &ret->in.sin_addr) != 1) {
    errno = EINVAL;
    bench_die(address);
  }
  return sizeof(ret->in);
}

#endif
