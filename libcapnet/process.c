/* SPDX-License-Identifier: BSD-3-Clause
 * Which process this is, asked at each call: a capability belongs to the process that took it. The answer is kept in a page
 * that the kernel wipes in every child, however that was made: handlers of fork(2) are not run for all of them.
 */
#include "libcapnet/conn.h"

#include <stdatomic.h>
#include <sys/mman.h>

static _Atomic pid_t *kept; /* NULL: the kernel does not do that, so it is asked each time */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void setup(void) {
  const size_t size = (size_t)sysconf(_SC_PAGESIZE);
  void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED)
    return;
  if (madvise(page, size, MADV_WIPEONFORK) == 0)
    kept = page;
  else
    (void)munmap(page, size);
}

pid_t process_id(void) {
  (void)pthread_once(&once, setup);
  if (!kept)
    return getpid();
  pid_t pid = atomic_load_explicit(kept, memory_order_relaxed);
  if (pid == 0) {
    pid = getpid();
    atomic_store_explicit(kept, pid, memory_order_relaxed);
  }
  return pid;
}
