/* SPDX-License-Identifier: BSD-3-Clause
 * What every child process of the daemon does first: it keeps one descriptor, default signals, and its parent's life.
 * For a process that was just forked and has one thread. 0 or -errno. And how its parent ends it.
 */
#ifndef CAPNET_BASE_CHILD_H
#define CAPNET_BASE_CHILD_H

#include <sys/types.h>

/* Moves fd to 3 with /dev/null below it, so that no socket the child makes can become somebody's standard error, and
 * closes everything else. Returns 3. */
int child_keep_only(int fd);
/* The terminal's and the service manager's signals are the daemon's to answer: the child ends when its parent does. */
void child_reset_signals(void);
/* No new privileges, no core dumps and no ptrace by equals, SIGKILL when parent ends. After the last change of ids or
 * capabilities, which would undo it. -ESRCH: the parent is gone already. */
int child_lock(pid_t parent);

/* For the parent: ends and reaps *pid, and makes it 0; 0 is fine. */
void child_end(pid_t *pid);

#endif
