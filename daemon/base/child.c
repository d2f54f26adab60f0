/* SPDX-License-Identifier: BSD-3-Clause
 * The first steps of a child process.
 */
#include "base/child.h"

#include "base/util.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

int child_keep_only(int fd) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0)
    return -errno;
  int high = fcntl(fd, F_DUPFD, 4);
  if (high < 0)
    return -errno;
  null = fcntl(null, F_DUPFD, 4);
  if (null < 0)
    return -errno;
  for (int i = 0; i < 3; i++)
    if (dup2(null, i) < 0)
      return -errno;
  if (dup2(high, 3) < 0 || close_range(4, ~0u, 0) < 0)
    return -errno;
  return 3;
}

void child_reset_signals(void) {
  sigset_t none;
  for (int s = 1; s < NSIG; s++)
    (void)signal(s, SIG_DFL);
  (void)signal(SIGPIPE, SIG_IGN);
  (void)signal(SIGINT, SIG_IGN);
  (void)signal(SIGTERM, SIG_IGN);
  (void)signal(SIGHUP, SIG_IGN);
  (void)sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

int child_lock(pid_t parent) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
      prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
    return -errno;
  return getppid() == parent ? 0 : -ESRCH;
}

void child_end(pid_t *pid) {
  if (*pid <= 0)
    return;
  (void)kill(*pid, SIGKILL);
  while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
    ;
  *pid = 0;
}
