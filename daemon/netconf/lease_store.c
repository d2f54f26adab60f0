/* SPDX-License-Identifier: BSD-3-Clause
 * Each write is a job of its own with its own copy of the text. Jobs may overtake each other, so they are numbered, and
 * an old one that comes late does nothing. What they share outlives the store, until the last of them is done.
 */
#include "netconf/lease_store.h"

#include "base/util.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct shared {
  pthread_mutex_t lock; /* held while the file is touched */
  uint64_t done;        /* the newest job that touched it */
  unsigned refs;        /* of the loop's thread alone */
  char dir[PATH_MAX], name[64];
};
struct lease_store {
  struct loop *loop;
  struct shared *shared;
  uint64_t last;
};
struct job {
  struct shared *shared;
  uint64_t number;
  bool remove;
  size_t len;
  char text[];
};

static struct shared *shared_unref(struct shared *h) {
  if (--h->refs > 0)
    return NULL;
  (void)pthread_mutex_destroy(&h->lock);
  free(h);
  return NULL;
}

int lease_store_new(struct loop *loop, const char *dir, const char *ifname, uint8_t family,
                    struct lease_store **ret) {
  _cleanup_free_ struct lease_store *s = calloc(1, sizeof(*s));
  _cleanup_free_ struct shared *h = calloc(1, sizeof(*h));
  if (s == NULL || h == NULL)
    return -ENOMEM;
  if (snprintf(h->dir, sizeof(h->dir), "%s", dir) >= (int)sizeof(h->dir) ||
      snprintf(h->name, sizeof(h->name), "lease-%s-%s", ifname, family == AF_INET6 ? "v6" : "v4") >= (int)sizeof(h->name))
    return -ENAMETOOLONG;
  int r = pthread_mutex_init(&h->lock, NULL);
  if (r != 0)
    return -r;
  h->refs = 1;
  s->loop = loop;
  s->shared = TAKE_PTR(h);
  *ret = TAKE_PTR(s);
  return 0;
}

struct lease_store *lease_store_free(struct lease_store *s) {
  if (s == NULL)
    return NULL;
  s->shared = shared_unref(s->shared);
  free(s);
  return NULL;
}

ssize_t lease_store_read(const struct lease_store *s, char *buf, size_t max) {
  const struct shared *h = s->shared;
  if (h->dir[0] == 0)
    return -ENOENT;
  _cleanup_close_ int dir = open(h->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  _cleanup_close_ int fd = dir >= 0 ? openat(dir, h->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0)
    return -errno;
  if (!S_ISREG(st.st_mode))
    return -EINVAL;
  size_t len = 0;
  for (;;) {
    char more;
    ssize_t n = len < max ? read(fd, buf + len, max - len) : read(fd, &more, 1);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -errno;
    if (n == 0)
      return (ssize_t)len;
    if (len == max)
      return -EFBIG;
    len += (size_t)n;
  }
}

/* --- on another thread -------------------------------------------------------------------------------------------- */

static int write_all(int fd, const char *p, size_t len) {
  while (len > 0) {
    ssize_t n = write(fd, p, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return -EIO;
    p += n;
    len -= (size_t)n;
  }
  return fsync(fd) < 0 ? -errno : 0;
}

static void replace(int dir, const struct job *j) {
  char temp[80];
  (void)snprintf(temp, sizeof(temp), ".%s.new", j->shared->name);
  (void)unlinkat(dir, temp, 0);
  _cleanup_close_ int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return;
  if (write_all(fd, j->text, j->len) < 0 || renameat(dir, temp, dir, j->shared->name) < 0)
    (void)unlinkat(dir, temp, 0);
}

/* A disk that is full costs a lease after the next start, no more: nobody is told. */
static void work(void *arg) {
  struct job *j = arg;
  struct shared *h = j->shared;
  (void)pthread_mutex_lock(&h->lock);
  _cleanup_close_ int dir = j->number > h->done ? open(h->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (dir >= 0) {
    h->done = j->number;
    if (j->remove)
      (void)unlinkat(dir, h->name, 0);
    else
      replace(dir, j);
    (void)fsync(dir);
  }
  (void)pthread_mutex_unlock(&h->lock);
}

/* --- on the loop's ------------------------------------------------------------------------------------------------ */

static void done(void *arg) {
  struct job *j = arg;
  j->shared = shared_unref(j->shared);
  free(j);
}

static void queue(struct lease_store *s, const char *text, size_t len, bool remove) {
  if (s->shared->dir[0] == 0)
    return;
  struct job *j = malloc(sizeof(*j) + len);
  if (j == NULL)
    return;
  *j = (struct job){.shared = s->shared, .number = ++s->last, .remove = remove, .len = len};
  if (len > 0)
    memcpy(j->text, text, len);
  s->shared->refs++;
  if (loop_offload(s->loop, work, done, j) < 0)
    done(j);
}

void lease_store_write(struct lease_store *s, const char *text, size_t len) { queue(s, text, len, false); }
void lease_store_remove(struct lease_store *s) { queue(s, NULL, 0, true); }
