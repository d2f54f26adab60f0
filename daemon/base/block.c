/* SPDX-License-Identifier: BSD-3-Clause
 * Mappings, so that giving one back gives its pages back, too.
 */
#include "base/block.h"

#include <sys/mman.h>

struct waiting {
  struct waiting *next;
};

static struct {
  struct waiting *first;
  size_t n;
  bool quiet; /* trimmed, and nothing was wanted since */
} pool;

static void give_back(void *block) { (void)munmap(block, BLOCK_SIZE); }

static void *pop(void) {
  struct waiting *w = pool.first;
  if (w) {
    pool.first = w->next;
    pool.n--;
  }
  return w;
}

void *block_get(void) {
  pool.quiet = false;
  void *block = pop();
  if (block)
    return block;
  block = mmap(NULL, BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return block == MAP_FAILED ? NULL : block;
}

void *block_put(void *block) {
  struct waiting *w = block;
  if (!w)
    return NULL;
  if (pool.quiet || pool.n >= BLOCK_WAITING_MAX) {
    give_back(block);
    return NULL;
  }
  w->next = pool.first;
  pool.first = w;
  pool.n++;
  return NULL;
}

size_t block_waiting(void) { return pool.n * BLOCK_SIZE; }

void block_trim(void) {
  while (pool.first)
    give_back(pop());
  pool.quiet = true;
}
