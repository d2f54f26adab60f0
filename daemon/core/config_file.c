/* SPDX-License-Identifier: BSD-3-Clause
 * Reading files that nobody but root and ourselves can have written.
 */
#include "core/config_ini.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static int tell(config_report_fn report, void *arg, const char *path, int error, const char *reason) {
  if (report)
    report(arg, path, 0, NULL, reason);
  return error;
}

/* What is wrong with who may write it, or NULL. */
static const char *distrust(const struct stat *st) {
  if (st->st_uid != 0 && st->st_uid != geteuid())
    return "belongs neither to root nor to the daemon's user";
  if (st->st_mode & (S_IWGRP | S_IWOTH))
    return "is writable by its group or by others";
  return NULL;
}

int config_open_dir(const char *dir, config_report_fn report, void *arg) {
  _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0) {
    int e = -errno;
    return tell(report, arg, dir, e, strerror(-e));
  }
  const char *why = distrust(&st);
  if (why) {
    char reason[REASON_MAX];
    (void)config_reason(reason, "the directory %s", why);
    return tell(report, arg, dir, -EPERM, reason);
  }
  return TAKE_FD(fd);
}

static int read_all(int fd, char *buf, size_t size, size_t *ret_len) {
  size_t len = 0;
  while (len < size) {
    ssize_t n = read(fd, buf + len, size - len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -errno;
    if (n == 0)
      break;
    len += (size_t)n;
  }
  *ret_len = len;
  return 0;
}

/* O_NONBLOCK: opening a pipe that nobody writes would wait for ever. */
int config_read_at(int dirfd, const char *name, const char *path, char **ret, size_t *ret_len, config_report_fn report,
                   void *arg) {
  _cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0) {
    int e = -errno;
    return tell(report, arg, path, e, strerror(-e));
  }
  if (!S_ISREG(st.st_mode))
    return tell(report, arg, path, -EINVAL, "is not a regular file");
  const char *why = distrust(&st);
  if (why)
    return tell(report, arg, path, -EPERM, why);
  size_t len = 0;
  _cleanup_free_ char *buf = malloc(CONFIG_FILE_MAX + 1);
  if (!buf)
    return tell(report, arg, path, -ENOMEM, "out of memory");
  int r = read_all(fd, buf, CONFIG_FILE_MAX + 1, &len);
  if (r < 0)
    return tell(report, arg, path, r, strerror(-r));
  if (len > CONFIG_FILE_MAX)
    return tell(report, arg, path, -EFBIG, "has more than 64 KiB");
  *ret = TAKE_PTR(buf);
  *ret_len = len;
  return 0;
}
