/* SPDX-License-Identifier: BSD-3-Clause
 * How many descriptors this process has: tests compare before and after.
 */
#ifndef CAPNET_TEST_FD_UTIL_H
#define CAPNET_TEST_FD_UTIL_H

#include <dirent.h>

static inline unsigned fd_count(void) {
  unsigned n = 0;
  DIR *d = opendir("/proc/self/fd");
  while (d && readdir(d))
    n++;
  if (d)
    closedir(d);
  return n;
}

#endif
