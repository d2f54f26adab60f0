/* SPDX-License-Identifier: BSD-3-Clause
 * For the tests of the configuration: reports are collected as "LINE KEY: REASON", files live in a directory of their own.
 */
#ifndef CAPNET_TESTS_CONFIG_UTIL_H
#define CAPNET_TESTS_CONFIG_UTIL_H

#include "core/config.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct reports {
  unsigned n;
  char text[16][320];
  char file[16][320];
};

static inline void collect(void *arg, const char *file, unsigned line, const char *key, const char *reason) {
  struct reports *r = arg;
  cr_assert_not_null(file);
  cr_assert_not_null(reason);
  if (r->n < 16) {
    (void)snprintf(r->text[r->n], 320, "%u %s: %s", line, key ? key : "-", reason);
    (void)snprintf(r->file[r->n], 320, "%s", file);
  }
  r->n++;
}

static inline bool reported(const struct reports *r, const char *part) {
  for (unsigned i = 0; i < r->n && i < 16; i++)
    if (strstr(r->text[i], part))
      return true;
  return false;
}

static inline void write_file(const char *dir, const char *name, const char *text, size_t len, mode_t mode) {
  char path[256];
  (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  cr_assert_geq(fd, 0);
  cr_assert_eq(write(fd, text, len), (ssize_t)len);
  cr_assert_eq(fchmod(fd, mode), 0);
  (void)close(fd);
}

static inline void remove_tree(const char *dir) {
  char command[300];
  (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
  cr_assert_eq(system(command), 0);
}

#endif
