/* SPDX-License-Identifier: BSD-3-Clause
 * Peers of UNIX sockets: credentials, groups, name and unit.
 */
#include "core/peer.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* Reads at most size - 1 bytes of a small file; "" when it cannot be read. */
static void read_small(const char *path, char *buf, size_t size) {
  buf[0] = '\0';
  _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);
  buf[n > 0 ? n : 0] = '\0';
}

/* The last path element of the cgroup that looks like a unit: "…/system.slice/foo.service" gives "foo.service". */
static void unit_of(const char *cgroup, char *unit, size_t size) {
  unit[0] = '\0';
  const char *suffixes[] = {".service", ".scope"};
  for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
    const char *end = strstr(cgroup, suffixes[i]);
    if (!end)
      continue;
    const char *start = end;
    while (start > cgroup && start[-1] != '/' && start[-1] != '\n')
      start--;
    (void)snprintf(unit, size, "%.*s", (int)(end - start + (ptrdiff_t)strlen(suffixes[i])), start);
    return;
  }
}

static int pin(int fd, pid_t pid) {
  int pidfd = -1;
  socklen_t len = sizeof pidfd;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0)
    return pidfd;
  return (int)syscall(SYS_pidfd_open, pid, 0);
}

static bool alive(int pidfd) {
  struct pollfd p = {.fd = pidfd, .events = POLLIN};
  return pidfd >= 0 && poll(&p, 1, 0) == 0;
}

int peer_identify(int fd, struct auth_taker *ret) {
  struct ucred cred;
  socklen_t len = sizeof cred;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
    return -errno;
  memset(ret, 0, sizeof *ret);
  ret->pid = cred.pid > 0 ? cred.pid : -1; /* 0: of a process that our pid namespace does not show; 0 is nobody here */
  ret->uid = cred.uid;
  ret->gid = cred.gid;
  _cleanup_close_ int pidfd = pin(fd, cred.pid);
  char path[64], cgroup[1024];
  (void)snprintf(path, sizeof path, "/proc/%d/comm", (int)cred.pid);
  read_small(path, ret->comm, sizeof ret->comm);
  ret->comm[strcspn(ret->comm, "\n")] = '\0';
  (void)snprintf(path, sizeof path, "/proc/%d/cgroup", (int)cred.pid);
  read_small(path, cgroup, sizeof cgroup);
  unit_of(cgroup, ret->unit, sizeof ret->unit);
  if (!alive(pidfd)) {
    ret->comm[0] = '\0';
    ret->unit[0] = '\0';
  }
  return 0;
}

#define GROUPS_MAX 1024

bool peer_in_groups(int fd, gid_t gid, const gid_t *list, size_t n) {
  gid_t groups[GROUPS_MAX];
  socklen_t len = sizeof groups;
  size_t have = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0 ? len / sizeof *groups : 0;
  for (size_t i = 0; i < n; i++) {
    if (list[i] == gid)
      return true;
    for (size_t k = 0; k < have; k++)
      if (list[i] == groups[k])
        return true;
  }
  return false;
}

uid_t peer_overflow_uid(void) {
  char text[32];
  read_small("/proc/sys/kernel/overflowuid", text, sizeof text);
  unsigned long v = strtoul(text, NULL, 10);
  return v ? (uid_t)v : 65534;
}
