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

#endif
