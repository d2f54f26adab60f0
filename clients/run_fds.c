/* SPDX-License-Identifier: BSD-3-Clause
 * What PROGRAM inherits, and under which numbers: listeners from 3 on, connections where they were asked for, grants
 * and the controls of listeners out of the way of both. All else is close-on-exec.
 */
#include "clients/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Shells and scripts use the low numbers for their own. */
#define CONTROL_LEAST 128

static int saved_stderr = -1; /* close-on-exec; for what is to be said when there is no exec */

static int fail_errno(const char *what) {
  client_warn("%s: %s", client_safe(what), strerror(errno));
  return CLIENT_FAILED;
}

/* --- what we inherited -------------------------------------------------------------------------------------------- */

void run_drop_activation(void) {
  const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
  uint64_t who, n;
  if (pid && fds && client_number(pid, 1, INT32_MAX, &who) && (pid_t)who == getpid() &&
      client_number(fds, 1, RUN_TARGET_MAX, &n))
    for (int fd = RUN_FIRST_FD; fd < RUN_FIRST_FD + (int)n; fd++)
      (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  static const char *const names[] = {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    (void)unsetenv(names[i]);
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

/* Whether a number was promised to a listener or a connection. */
static bool promised(const struct run *r, int fd) {
  if (fd >= RUN_FIRST_FD && fd < RUN_FIRST_FD + (int)r->n_listens)
    return true;
  for (size_t i = 0; i < r->n_connects; i++)
    if (r->connects[i].target == fd)
      return true;
  return false;
}

/* A duplicate at the first number from `least` on that is free and not promised; -1 with errno. */
static int duplicate(const struct run *r, int fd, int least) {
  for (;;) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, least);
    if (copy < 0 || !promised(r, copy))
      return copy;
    (void)close(copy);
    least = copy + 1;
  }
}

static int move_away(const struct run *r, int *fd) {
  if (!promised(r, *fd))
    return 0;
  int copy = duplicate(r, *fd, RUN_FIRST_FD);
  if (copy < 0)
    return -1;
  (void)close(*fd);
  *fd = copy;
  return 0;
}

/* Everything that stays for PROGRAM or is still to be duplicated; the promised numbers are free of it then. */
static int clear(struct run *r) {
  int e = 0;
  for (size_t i = 0; i < r->n_grants && e == 0; i++)
    e = move_away(r, &r->grants[i].fd);
  for (size_t i = 0; i < r->n_listens && e == 0; i++)
    e = move_away(r, &r->listens[i].fd);
  for (size_t i = 0; i < r->n_connects && e == 0; i++)
    e = move_away(r, &r->connects[i].fd);
  return e;
}

/* The duplicate is PROGRAM's, and nobody's handle: it is left open. */
static int keep_control(const struct run *r, const struct run_listen *l) {
  int fd = capnet_fd(l->control), copy = duplicate(r, fd, CONTROL_LEAST);
  if (copy < 0) /* RLIMIT_NOFILE may be lower than that */
    copy = duplicate(r, fd, RUN_FIRST_FD);
  return copy < 0 ? -1 : fcntl(copy, F_SETFD, 0);
}

static int put(const struct run *r, int *fd, int target) {
  if (target == STDERR_FILENO)
    saved_stderr = duplicate(r, STDERR_FILENO, RUN_FIRST_FD);
  if (dup2(*fd, target) < 0)
    return -1;
  (void)close(*fd);
  *fd = target;
  return 0;
}

/* --- variables ---------------------------------------------------------------------------------------------------- */

int run_name_grants(const struct run *r) {
  char fds[RUN_GRANTS_MAX * 80], *to = fds;
  for (size_t i = 0; i < r->n_grants; i++) {
    if (fcntl(r->grants[i].fd, F_SETFD, 0) < 0)
      return fail_errno(r->grants[i].name);
    to += sprintf(to, "%s%s=%d", i ? "," : "", r->grants[i].name, r->grants[i].fd);
  }
  return setenv("CAPNET_FDS", fds, 1) < 0 ? fail_errno("CAPNET_FDS") : CLIENT_OK;
}

static int set_number(const char *name, long n) {
  char text[24];
  (void)snprintf(text, sizeof text, "%ld", n);
  return setenv(name, text, 1);
}

/* As sd_listen_fds(3) has them. The pid is ours: PROGRAM is what we become. */
static int name_listens(const struct run *r) {
  char names[RUN_LISTENS_MAX * sizeof r->listens[0].name], *to = names;
  for (size_t i = 0; i < r->n_listens; i++)
    to += sprintf(to, "%s%s", i ? ":" : "", r->listens[i].name);
  if (set_number("LISTEN_FDS", (long)r->n_listens) < 0 || set_number("LISTEN_PID", getpid()) < 0 ||
      setenv("LISTEN_FDNAMES", names, 1) < 0)
    return fail_errno("LISTEN_FDS");
  return CLIENT_OK;
}

static int no_number(const struct run_connect *c) {
  client_warn("--connect %s: %s", client_safe(c->text),
              errno == EBADF ? "the number is beyond the limit of open files" : strerror(errno));
  return CLIENT_FAILED;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

int run_place(struct run *r) {
  if (clear(r) < 0)
    return fail_errno("descriptors");
  for (size_t i = 0; i < r->n_listens; i++)
    if (keep_control(r, &r->listens[i]) < 0)
      return fail_errno("descriptors");
  int code = run_name_grants(r);
  if (code == CLIENT_OK && r->n_listens)
    code = name_listens(r);
  if (code != CLIENT_OK)
    return code;
  for (size_t i = 0; i < r->n_listens; i++)
    if (put(r, &r->listens[i].fd, RUN_FIRST_FD + (int)i) < 0)
      return fail_errno(r->listens[i].text);
  for (size_t i = 0; i < r->n_connects; i++)
    if (put(r, &r->connects[i].fd, r->connects[i].target) < 0)
      return no_number(&r->connects[i]);
  return CLIENT_OK;
}

int run_exec(char **argv) {
  (void)signal(SIGPIPE, SIG_DFL);
  execvp(*argv, argv);
  int error = errno;
  if (saved_stderr >= 0) /* 2 may be a connection by now */
    (void)dup2(saved_stderr, STDERR_FILENO);
  client_warn("%s: %s", client_safe(*argv), strerror(error));
  return error == ENOENT ? 127 : 126;
}
