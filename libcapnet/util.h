/* SPDX-License-Identifier: BSD-3-Clause
 * Automatic cleanup and moves of ownership, for the library alone: it includes nothing of the daemon.
 */
#ifndef LIBCAPNET_UTIL_H
#define LIBCAPNET_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _unused_ __attribute__((unused))

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define TAKE_PTR(p)                                                                                                   \
  ({                                                                                                                  \
    __typeof__(p) _taken = (p);                                                                                       \
    (p) = NULL;                                                                                                       \
    _taken;                                                                                                           \
  })
#define TAKE_FD(fd)                                                                                                   \
  ({                                                                                                                  \
    int _taken = (fd);                                                                                                \
    (fd) = -1;                                                                                                        \
    _taken;                                                                                                           \
  })

static inline void freep(void *p) { free(*(void **)p); }

/* Closes and returns -1; a negative descriptor is fine. errno is kept. */
static inline int fd_close(int fd) {
  if (fd >= 0) {
    int saved = errno;
    (void)close(fd);
    errno = saved;
  }
  return -1;
}
static inline void fd_closep(int *fd) { *fd = fd_close(*fd); }

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(fd_closep)

#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)

#endif
