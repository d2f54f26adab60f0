/* SPDX-License-Identifier: BSD-3-Clause
 * Tests that need the kernel's sealed namespaces. Where user namespaces are forbidden they are skipped, with the reason.
 */
#ifndef CAPNET_TEST_SEAL_UTIL_H
#define CAPNET_TEST_SEAL_UTIL_H

#include "fd_util.h"
#include "seal/seal.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define SEAL_UID 61840u /* who the helper becomes when the tests are root's */

static inline struct seal *seal_or_skip(void) {
  struct seal *s = NULL;
  const struct seal_config cfg = {.change_ids = geteuid() == 0, .uid = SEAL_UID, .gid = SEAL_UID};
  cr_assert_eq(seal_start(&cfg, &s), 0);
  if (seal_wait(s) < 0) {
    char why[SEAL_WHY_MAX];
    (void)snprintf(why, sizeof why, "%s", seal_why_not(s));
    seal_free(s);
    cr_skip_test("no sealed namespaces here: %s", why);
  }
  /* The daemon's part is done by the owner of the namespaces, without a capability. */
  if (geteuid() == 0)
    cr_assert(setegid(SEAL_UID) == 0 && seteuid(SEAL_UID) == 0);
  return s;
}

/* Back to who we were, for the leak checker as well, which traces us. */
static inline void seal_end(struct seal *s) {
  seal_free(s);
  if (getuid() == 0)
    cr_assert(seteuid(0) == 0 && setegid(0) == 0 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
}

static inline struct net_endpoint at(const char *text) {
  struct net_endpoint e;
  cr_assert_eq(net_endpoint_parse(text, &e), 0, "%s", text);
  return e;
}

static inline const char *name_of(int fd, bool peer) {
  static char text[2][64];
  struct sockaddr_storage ss;
  socklen_t len = sizeof ss;
  char a[INET6_ADDRSTRLEN] = "?";
  int r = peer ? getpeername(fd, (struct sockaddr *)&ss, &len) : getsockname(fd, (struct sockaddr *)&ss, &len);
  if (r < 0)
    return strerror(errno);
  const struct sockaddr_in *in = (const struct sockaddr_in *)&ss;
  const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&ss;
  const bool v6 = ss.ss_family == AF_INET6;
  (void)inet_ntop(ss.ss_family, v6 ? (const void *)&in6->sin6_addr : &in->sin_addr, a, sizeof a);
  (void)snprintf(text[peer], sizeof text[peer], v6 ? "[%s]:%u" : "%s:%u", a, ntohs(v6 ? in6->sin6_port : in->sin_port));
  return text[peer];
}

static inline bool becomes(int fd, short events) {
  struct pollfd p = {.fd = fd, .events = events};
  return poll(&p, 1, 5000) == 1 && (p.revents & events);
}

/* accept(2) on a blocking listener without waiting: EAGAIN. */
static inline int try_accept(int listener) {
  struct pollfd p = {.fd = listener, .events = POLLIN};
  if (poll(&p, 1, 0) == 1)
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  errno = EAGAIN;
  return -1;
}

#endif
