/* SPDX-License-Identifier: BSD-3-Clause
 * What lwIP asks of its platform: memory with one limit for all of it, a clock, random numbers, and assertions that
 * count.
 */
#include "stack/stack_private.h"

#include "lwip/memp.h"
#include "lwip/priv/memp_priv.h"
#include "lwip/sys.h"

static uint64_t asserts, failures, refused, used, limit;

/* Keeps what follows aligned as malloc would. */
union header {
  size_t size;
  max_align_t align;
};

void stack_port_assert(const char *message _unused_, const char *file _unused_, int line _unused_) { asserts++; }
uint64_t stack_port_asserts(void) { return asserts; }
uint64_t stack_port_failures(void) { return failures; }
uint64_t stack_port_refused(void) { return refused; }
void stack_port_set_limit(size_t bytes) { limit = bytes; }

static bool fits(size_t size) {
  bool yes = used <= limit && size <= limit - used;
  refused += !yes;
  return yes;
}

bool stack_port_hold(size_t size) {
  if (!fits(size)) {
    failures++;
    return false;
  }
  used += size;
  return true;
}

void stack_port_release(size_t size) { used -= size; }

void *stack_port_malloc(size_t size) {
  union header *h = fits(size) ? malloc(sizeof(*h) + size) : NULL;
  if (!h) {
    failures++;
    return NULL;
  }
  h->size = size;
  used += size;
  return h + 1;
}

void *stack_port_calloc(size_t n, size_t size) {
  size_t all;
  if (__builtin_mul_overflow(n, size, &all))
    return NULL;
  void *p = stack_port_malloc(all);
  if (p)
    memset(p, 0, all);
  return p;
}

void stack_port_free(void *p) {
  if (!p)
    return;
  union header *h = (union header *)p - 1;
  used -= h->size;
  free(h);
}

/* Everything but what the fixed-size objects take, of which the counts are told on their own. */
uint64_t stack_port_pbuf_bytes(void) {
  uint64_t objects = 0;
  for (int i = 0; i < MEMP_MAX; i++)
    if (i != MEMP_PBUF && i != MEMP_PBUF_POOL)
      objects += (uint64_t)memp_pools[i]->stats->used * LWIP_MEM_ALIGN_SIZE(memp_pools[i]->size);
  return used - objects;
}

bool stack_port_reassembling(void) { return memp_pools[MEMP_REASSDATA]->stats->used > 0; }

uint32_t stack_port_rand(void) { return stack_rand32(); }

u32_t sys_now(void) {
  struct stack *s = stack_the();
  return s ? (u32_t)(loop_now(s->loop, CLOCK_ID_MONO) / NSEC_PER_MSEC) : 0;
}
