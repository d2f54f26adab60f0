/* SPDX-License-Identifier: BSD-3-Clause
 * How the daemon's privileges shrink:
 *   0  started: root, or an ordinary user with ambient CAP_NET_ADMIN (the unit's way), or with nothing (rootless)
 *   1  configuration read; who it will be is decided (privilege_plan)
 *   2  devices opened, and the sockets that hear what happens to them, which stay in the host's network; the embedded
 *      network's child and the sealed namespaces' helper forked, runtime and state directories handed over
 *   3  the host's network left where that is allowed, everything dropped (privilege_drop), and from here on no socket of
 *      any network can be made (privilege_filter)
 *   4  grant sockets made, by the owner that remains; only then is a byte from wire or client read
 */
#include "core/privilege.h"

#include "base/util.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* What the unit sets. Budgets are made for thousands: with the usual 1024 one uid within its budget takes them all. */
#define DESCRIPTORS_WANTED 65536

int privilege_plan(const char *user, struct privilege *ret) {
  *ret = (struct privilege){.uid = geteuid(), .gid = getegid()};
  if (geteuid() != 0 || !user || !*user || strcmp(user, "root") == 0)
    return 0;
  errno = 0;
  const struct passwd *pw = getpwnam(user); /* at start, before the loop: nothing waits for it yet */
  if (!pw)
    return errno ? -errno : -ENOENT;
  *ret = (struct privilege){.uid = pw->pw_uid, .gid = pw->pw_gid, .change = 1};
  return 0;
}

/* A daemon of an earlier start may have written what is found there, and it may have been broken into: root neither
 * follows a link nor gives away what belongs to somebody else. */
int privilege_give_dir(const struct privilege *p, const char *dir) {
  struct stat st;
  if (mkdir(dir, 0755) < 0 && errno != EEXIST)
    return -errno;
  _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st) < 0)
    return -errno;
  if ((st.st_uid != 0 && st.st_uid != geteuid() && st.st_uid != p->uid) || (st.st_mode & (S_IWGRP | S_IWOTH)))
    return -EPERM;
  return p->change && fchown(fd, p->uid, p->gid) < 0 ? -errno : 0;
}

void privilege_raise_descriptors(void) {
  struct rlimit l;
  if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= DESCRIPTORS_WANTED)
    return;
  l.rlim_cur = MIN(l.rlim_max, (rlim_t)DESCRIPTORS_WANTED);
  (void)setrlimit(RLIMIT_NOFILE, &l);
}

/* The bounding set can be emptied only with CAP_SETPCAP; without it, no_new_privs keeps execve from raising anything. */
static int drop_capabilities(const struct privilege *p) {
  if (p->change) {
    capng_clear(CAPNG_SELECT_BOTH);
    return capng_change_id((int)p->uid, (int)p->gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) == 0 ? 0 : -EPERM;
  }
  capng_get_caps_process();
  const bool bounding = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
  capng_clear(CAPNG_SELECT_BOTH);
  if (bounding && capng_apply(CAPNG_SELECT_BOUNDS) != 0)
    return -EPERM;
  (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  capng_clear(CAPNG_SELECT_BOTH);
  return capng_apply(CAPNG_SELECT_CAPS) == 0 ? 0 : -EPERM;
}

int privilege_drop(const struct privilege *p, const char **ret_what) {
  *ret_what = "capabilities";
  int r = drop_capabilities(p);
  if (r < 0)
    return r;
  *ret_what = "no_new_privs";
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return -errno;
  *ret_what = "dumpable";
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return -errno;
  *ret_what = "a capability is left";
  capng_get_caps_process();
  return capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE ? 0 : -EPERM;
}

/* An abstract UNIX socket belongs to a network namespace: a service manager that listens on one would hear nothing. */
int privilege_leave_network(void) {
  const char *notify = secure_getenv("NOTIFY_SOCKET");
  if (notify && *notify == '@')
    return -EADDRINUSE;
  return unshare(CLONE_NEWNET) < 0 ? -errno : 0;
}

/* What makes a socket, or gets one of another process. io_uring makes them without socket(2); the C library takes ENOSYS
 * for "use clone", whose flags can be looked at. */
static int add_rules(scmp_filter_ctx f) {
  static const int never[] = {SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(ptrace), SCMP_SYS(pidfd_getfd),
                              SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev)};
  static const int unknown[] = {SCMP_SYS(io_uring_setup), SCMP_SYS(clone3)};
  const struct scmp_arg_cmp not_unix = SCMP_A0_64(SCMP_CMP_NE, AF_UNIX),
                            new_user = SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER);
  int r = seccomp_rule_add_array(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, &not_unix);
  if (r == 0)
    r = seccomp_rule_add_array(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socketpair), 1, &not_unix);
  if (r == 0)
    r = seccomp_rule_add_array(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, &new_user);
  for (unsigned i = 0; r == 0 && i < ARRAY_SIZE(never); i++)
    r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), never[i], 0);
  for (unsigned i = 0; r == 0 && i < ARRAY_SIZE(unknown); i++)
    r = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), unknown[i], 0);
  return r;
}

/* There is one thread yet, and those to come inherit it: no need to ask for more than prctl(2) can, which every filter
 * of a service manager lets through. */
int privilege_filter(void) {
  scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
  if (!f)
    return -ENOMEM;
  int r = add_rules(f);
  if (r == 0)
    r = seccomp_load(f);
  seccomp_release(f);
  return r;
}
