/* SPDX-License-Identifier: BSD-3-Clause
 * Connections and listening sockets of a chamber. The handshake crosses the veth inside of connect(2), so it is over
 * when that returns; a busy machine may leave it to a kernel thread, which is waited for a moment. A program can make it
 * fail (a dead socket of its own with the same addresses, which answers nothing): a chamber where that happened a few
 * times is not waited for any more.
 */
#include "seal/seal_internal.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#define HANDSHAKE_MS 250
#define LATE_MAX 3

union address {
  struct sockaddr any;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
};

static socklen_t address_of(const struct net_endpoint *e, union address *ret) {
  *ret = (union address){0};
  if (e->addr.family == AF_INET6) {
    ret->in6.sin6_family = AF_INET6;
    ret->in6.sin6_port = htons(e->port);
    if (net_addr_class(&e->addr) == NET_LINK_LOCAL)
      ret->in6.sin6_scope_id = SEAL_LINK_INDEX;
    memcpy(&ret->in6.sin6_addr, e->addr.b, 16);
    return sizeof ret->in6;
  }
  ret->in.sin_family = AF_INET;
  ret->in.sin_port = htons(e->port);
  memcpy(&ret->in.sin_addr, e->addr.b, 4);
  return sizeof ret->in;
}

static int bind_to(int fd, const struct net_endpoint *e) {
  union address a;
  const socklen_t len = address_of(e, &a);
  return bind(fd, &a.any, len) < 0 ? -errno : 0;
}

/* RFC 3493 5.3 */
static int take_both_families(int fd) {
  const int off = 0;
  return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0 ? -errno : 0;
}

static int listen_at(struct seal_chamber *c, const struct net_endpoint *local, bool both, unsigned backlog, int *ret) {
  if (local->port == SEAL_PROGRAMS_PORT)
    return -EADDRINUSE;
  _cleanup_close_ int fd = seal_take(c, SEAL_PROGRAMS, local->addr.family);
  if (fd < 0)
    return fd;
  int r = both ? take_both_families(fd) : 0;
  if (r == 0)
    r = bind_to(fd, local);
  if (r < 0)
    return r;
  if (listen(fd, (int)backlog) < 0)
    return -errno;
  *ret = TAKE_FD(fd);
  return 0;
}

int seal_listen(struct seal_chamber *c, const struct net_endpoint *local, unsigned backlog, int *ret_program) {
  _cleanup_close_ int fd = -1;
  struct net_endpoint every = {.addr = {.family = AF_INET6}, .port = local->port};
  const bool both = !local->addr.family;
  int r = listen_at(c, both ? &every : local, both, backlog, &fd);
  if (both && (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)) { /* IPv6 is off in the kernel */
    every.addr.family = AF_INET;
    r = listen_at(c, &every, false, backlog, &fd);
  }
  if (r < 0)
    return r;
  if (fcntl(fd, F_SETFL, 0) < 0)
    return -errno;
  *ret_program = TAKE_FD(fd);
  return 0;
}

int seal_enter(struct seal_chamber *c, const struct net_endpoint *local, const struct net_endpoint *remote,
               int *ret_ours) {
  union address a;
  _cleanup_close_ int fd = seal_take(c, SEAL_OURS, remote->addr.family);
  if (fd < 0)
    return fd;
  int r = bind_to(fd, remote);
  if (r < 0)
    return r;
  const socklen_t len = address_of(local, &a);
  if (connect(fd, &a.any, len) < 0 && errno != EINPROGRESS)
    return -errno;
  *ret_ours = TAKE_FD(fd);
  return 0;
}

static int accept_one(int listener, int timeout_ms) {
  struct pollfd p = {.fd = listener, .events = POLLIN};
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0 && errno == EAGAIN && poll(&p, 1, timeout_ms) > 0)
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  return fd >= 0 ? fd : errno == EAGAIN ? -ETIME : -errno;
}

int seal_connect_within(struct seal_chamber *c, const struct net_endpoint *local, const struct net_endpoint *remote,
                        int timeout_ms, int *ret_ours, int *ret_program) {
  _cleanup_close_ int listener = -1, ours = -1;
  int r = listen_at(c, local, false, 1, &listener);
  if (r == 0)
    r = seal_enter(c, local, remote, &ours);
  if (r < 0)
    return r;
  const int program = accept_one(listener, timeout_ms);
  c->late += program == -ETIME;
  if (program < 0)
    return program;
  *ret_ours = TAKE_FD(ours);
  *ret_program = program;
  return 0;
}

int seal_connect(struct seal_chamber *c, const struct net_endpoint *local, const struct net_endpoint *remote,
                 int *ret_ours, int *ret_program) {
  return seal_connect_within(c, local, remote, c->late < LATE_MAX ? HANDSHAKE_MS : 0, ret_ours, ret_program);
}

/* A listening socket's TCP_INFO has the accept queue where a connection's has its segments (tcp_diag's convention). */
bool seal_queue(int listener, unsigned *ret_waiting, unsigned *ret_backlog) {
  struct tcp_info info;
  socklen_t len = sizeof info;
  if (getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || info.tcpi_state != TCP_LISTEN)
    return false;
  *ret_waiting = info.tcpi_unacked;
  *ret_backlog = info.tcpi_sacked;
  return true;
}

void seal_end_listener(int listener) { (void)shutdown(listener, SHUT_RDWR); }
