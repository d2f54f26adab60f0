/* SPDX-License-Identifier: BSD-3-Clause
 * The receive buffers of the process.
 */
#include "nic/nic_buf.h"

#include "base/block.h"

enum kind { SMALL, BIG, EXACT };

#define PAD 2u /* in front of the frame: the IP header, 14 bytes behind, is then aligned */
#define HEAD sizeof(struct nic_buf)
#define SMALL_KEEP 512u /* so many wait for a frame at the most */
#define TRIM_AFTER_NS NSEC_PER_SEC
#define TRIM_KEEP (256u * 1024) /* waiting bytes that are not worth a timer */

_Static_assert(HEAD + NIC_BUF_BIG <= BLOCK_SIZE, "a big buffer is a block");
_Static_assert(NIC_BUF_SMALL + NIC_BUF_BIG > NIC_SUPER_MAX, "a frame that is too long shows");

static const size_t sizes[] = {[SMALL] = HEAD + PAD + NIC_BUF_SMALL, [BIG] = BLOCK_SIZE};

static struct {
  size_t limit, allocated, held;
  uint64_t refused;
  struct nic_buf *waiting; /* small ones */
  unsigned n_waiting;
  bool quiet; /* trimmed, and nothing was wanted since */
} pool = {.limit = NIC_BUF_LIMIT_DEFAULT};

static void give_back(struct nic_buf *b) {
  pool.allocated -= b->size;
  if (b->kind == BIG)
    (void)block_put(b);
  else
    free(b);
}

static struct nic_buf *pop(void) {
  struct nic_buf *b = pool.waiting;
  if (b) {
    pool.waiting = b->next;
    pool.n_waiting--;
    b->next = NULL;
  }
  return b;
}

/* What waits in vain makes room for what is wanted. */
static bool fits(size_t size) {
  while (pool.allocated + size > pool.limit && pool.waiting)
    give_back(pop());
  return pool.allocated + size <= pool.limit;
}

static struct nic_buf *make(enum kind kind, size_t size) {
  struct nic_buf *b;
  if (!fits(size))
    return NULL;
  b = kind == BIG ? block_get() : malloc(size);
  if (!b)
    return NULL;
  b->kind = kind;
  b->size = (uint32_t)size;
  b->next = NULL;
  pool.allocated += size;
  return b;
}

static struct nic_buf *get(enum kind kind) {
  pool.quiet = false;
  struct nic_buf *b = kind == SMALL ? pop() : NULL;
  if (!b)
    b = make(kind, sizes[kind]);
  if (b) {
    b->data = (uint8_t *)b + HEAD + (kind == SMALL ? PAD : 0);
    b->len = 0;
  }
  return b;
}

/* A buffer of just the size, which never waits for another frame. */
static struct nic_buf *make_exact(size_t pad, size_t len) {
  struct nic_buf *b = make(EXACT, HEAD + pad + len);
  if (b) {
    b->data = (uint8_t *)b + HEAD + pad;
    b->len = (uint32_t)len;
  }
  return b;
}

/* Who holds so much does not give it back at once: the room that a buffer has behind its frame is worth a copy. */
static bool tight(void) { return pool.held > pool.limit / 4; }

/* Not handed out, or not any more. */
static void put(struct nic_buf *b) {
  if (b->kind != SMALL || pool.quiet || pool.n_waiting >= SMALL_KEEP) {
    give_back(b);
    return;
  }
  b->next = pool.waiting;
  pool.waiting = b;
  pool.n_waiting++;
}

struct nic_buf *nic_buf_free(struct nic_buf *b) {
  while (b) {
    struct nic_buf *next = b->next;
    pool.held -= b->size;
    put(b);
    b = next;
  }
  return NULL;
}

/* The last part of the limit is for short frames. */
static bool may_hold(size_t size, size_t frame) {
  size_t limit = frame <= NIC_BUF_SHORT_FRAME ? pool.limit : pool.limit - pool.limit / 16;
  return pool.held + size <= limit;
}

struct nic_buf *nic_buf_copy(const struct nic_frame *f) {
  size_t size = HEAD + PAD + f->len;
  struct nic_buf *b = may_hold(size, f->len) ? make_exact(PAD, f->len) : NULL;
  if (!b) {
    pool.refused++;
    return NULL;
  }
  nic_frame_gather(f, b->data);
  pool.held += size;
  return b;
}

void nic_buf_get_stats(struct nic_buf_stats *ret) {
  *ret = (struct nic_buf_stats){
      .limit = pool.limit, .allocated = pool.allocated, .held = pool.held, .refused = pool.refused};
}

void nic_buf_set_limit(size_t bytes) { pool.limit = bytes; }

void nic_buf_trim(void) {
  while (pool.waiting)
    give_back(pop());
  pool.quiet = true;
  block_trim();
}

/* --- slots ------------------------------------------------------------------------------------------------------ */

unsigned nic_slot_prepare(struct nic_slot *s, size_t max, struct iovec ret[NIC_SLOT_IOV]) {
  if (!s->small && !(s->small = get(SMALL))) {
    pool.refused++;
    return 0;
  }
  ret[0] = (struct iovec){.iov_base = s->small->data, .iov_len = NIC_BUF_SMALL};
  if (!s->big && max >= NIC_BUF_SMALL)
    s->big = get(BIG);
  ret[1] = s->big ? (struct iovec){.iov_base = s->big->data, .iov_len = NIC_BUF_BIG}
                  : (struct iovec){.iov_base = &s->spill, .iov_len = 1};
  return 2;
}

/* The buffer of the slot with len bytes in it, or a copy of these. */
static struct nic_buf *take_piece(struct nic_buf **from, size_t pad, size_t len, bool copy) {
  struct nic_buf *b = copy ? make_exact(pad, len) : TAKE_PTR(*from);
  if (copy && b)
    memcpy(b->data, (*from)->data, len);
  if (b)
    b->len = (uint32_t)len;
  return b;
}

struct nic_buf *nic_slot_take(struct nic_slot *s, size_t len) {
  size_t rest = len > NIC_BUF_SMALL ? len - NIC_BUF_SMALL : 0, first = len - rest;
  bool copy_first = tight(), copy_rest = rest < NIC_BUF_COPY || copy_first;
  size_t size = (copy_first ? HEAD + PAD + first : sizes[SMALL]) + (!rest ? 0 : copy_rest ? HEAD + rest : BLOCK_SIZE);
  struct nic_buf *b = NULL, *behind = NULL;
  bool ok = may_hold(size, len) && (!rest || (s->big && rest <= NIC_BUF_BIG));
  if (ok && rest)
    ok = (behind = take_piece(&s->big, 0, rest, copy_rest)) != NULL;
  if (ok)
    ok = (b = take_piece(&s->small, PAD, first, copy_first)) != NULL;
  if (!ok) {
    if (behind)
      put(behind);
    pool.refused++;
    return NULL;
  }
  b->next = behind;
  pool.held += size;
  return b;
}

void nic_slot_done(struct nic_slot *s) {
  if (s->small)
    put(TAKE_PTR(s->small));
  if (s->big)
    put(TAKE_PTR(s->big));
}

/* --- trimming --------------------------------------------------------------------------------------------------- */

static void arm(struct nic_trim *t) {
  t->used = false;
  loop_timer_set(t->timer, loop_now(t->loop, CLOCK_ID_MONO) + TRIM_AFTER_NS);
}

static void trim_due(void *arg) {
  struct nic_trim *t = arg;
  if (t->used)
    arm(t);
  else
    nic_buf_trim();
}

int nic_trim_init(struct nic_trim *t, struct loop *loop) {
  t->loop = loop;
  return loop_timer_new(loop, CLOCK_ID_MONO, trim_due, t, &t->timer);
}

void nic_trim_used(struct nic_trim *t) {
  t->used = true;
  if (pool.allocated + block_waiting() > TRIM_KEEP && !loop_timer_armed(t->timer))
    arm(t);
}

void nic_trim_done(struct nic_trim *t) { t->timer = loop_timer_free(t->timer); }
