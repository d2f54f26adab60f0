/* SPDX-License-Identifier: BSD-3-Clause
 * Descriptors that a parent handed down: capnet-run's CAPNET_FDS and systemd's LISTEN_FDS. The environment may say
 * anything; only what is a SEQPACKET UNIX socket counts.
 */
#include "libcapnet/conn.h"

#include <fcntl.h>
#include <stdio.h>

#define LISTEN_FIRST 3

static bool number(const char *s, const char *end, int *ret) {
  long n = 0;
  if (s == end)
    return false;
  for (; s < end; s++) {
    if (*s < '0' || *s > '9' || n > 1000000)
      return false;
    n = n * 10 + (*s - '0');
  }
  *ret = (int)n;
  return true;
}

static void add(struct inherited list[INHERIT_MAX], size_t *n, const char *name, size_t len, int fd) {
  if (*n == INHERIT_MAX || len == 0 || len >= sizeof list->name || fd < 0 || conn_check_fd(fd, NULL) < 0)
    return;
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  memcpy(list[*n].name, name, len);
  list[*n].name[len] = 0;
  list[(*n)++].fd = fd;
}

static void from_capnet(struct inherited list[INHERIT_MAX], size_t *n) {
  const char *s = secure_getenv("CAPNET_FDS");
  while (s && *s) {
    const char *end = strchrnul(s, ','), *eq = memchr(s, '=', (size_t)(end - s));
    int fd;
    if (eq && number(eq + 1, end, &fd))
      add(list, n, s, (size_t)(eq - s), fd);
    s = *end ? end + 1 : end;
  }
}

static void from_systemd(struct inherited list[INHERIT_MAX], size_t *n) {
  const char *pid = secure_getenv("LISTEN_PID"), *fds = secure_getenv("LISTEN_FDS"),
             *s = secure_getenv("LISTEN_FDNAMES");
  int who, count;
  if (!pid || !fds || !s || !number(pid, pid + strlen(pid), &who) || who != getpid() ||
      !number(fds, fds + strlen(fds), &count))
    return;
  for (int i = 0; i < count && *s; i++) {
    const char *end = strchrnul(s, ':');
    add(list, n, s, (size_t)(end - s), LISTEN_FIRST + i);
    s = *end ? end + 1 : end;
  }
}

size_t inherit_list(struct inherited ret[INHERIT_MAX]) {
  size_t n = 0;
  from_capnet(ret, &n);
  from_systemd(ret, &n);
  return n;
}
