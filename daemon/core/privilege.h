/* SPDX-License-Identifier: BSD-3-Clause
 * Privilege, in numbered stages (privilege.c tells them).
 */
#ifndef CAPNET_CORE_PRIVILEGE_H
#define CAPNET_CORE_PRIVILEGE_H

#include <sys/types.h>

/* Stage 1: who the daemon will be. uid 0 with a user named: that user's ids; otherwise the ids it has. -ENOENT. */
struct privilege {
  uid_t uid;
  gid_t gid;
  int change; /* ids are to be changed */
};
int privilege_plan(const char *user, struct privilege *ret);
/* Raises the soft limit of descriptors, as far as the hard one lets it. */
void privilege_raise_descriptors(void);
/* Stage 2: the directories the daemon writes in belong to who it will be. -errno; -EPERM: it is somebody else's, or others
 * may write in it. A link is not followed. */
int privilege_give_dir(const struct privilege *p, const char *dir);
/* Stage 3: everything is dropped: ids, capabilities (effective, permitted, inheritable, ambient, bounding where that is
 * allowed), new privileges, core dumps and ptrace by equals. 0, or -errno with *ret_what the step that failed. */
int privilege_drop(const struct privilege *p, const char **ret_what);
/* Before stage 3: out of the host's network into an empty one, where root's privilege suffices. -EPERM: it does not, and
 * the filter below alone stands between us and the host's network. -EADDRINUSE: the service manager is to be notified on an
 * abstract socket of it. */
int privilege_leave_network(void);
/* After it, while there is one thread: no socket but UNIX ones can be made any more, none be got out of another process,
 * and no namespace made or entered, by this process and its threads to come (seccomp). -errno: the kernel has no filters. */
int privilege_filter(void);

#endif
