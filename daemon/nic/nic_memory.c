/* SPDX-License-Identifier: BSD-3-Clause
 * The memory pair: two devices back to back, for tests of the whole stack without a kernel in between. Frames are
 * copied into buffers of the receiver's inbox and delivered by a task at the end of the loop's turn, so a sender is never called
 * back from inside its own send.
 */
#include "nic/nic.h"

#include <stdio.h>

struct nic_memory {
  struct nic nic;
  struct nic_memory *peer; /* NULL once the other end is freed */
  unsigned queued, room, limit;
  struct nic_rx *inbox; /* has room for `room`, grows to limit; moved out for a delivery */
  bool *ret_freed;      /* set by free while a delivery is on the stack */
  struct loop_task task;
};

/* Runs at the end of a turn. The upcall may free this device: the batch is ours until it returns. */
static void memory_deliver(void *arg) {
  struct nic_memory *m = arg;
  _cleanup_free_ struct nic_rx *batch = TAKE_PTR(m->inbox);
  unsigned n = m->queued;
  bool freed = false;

  m->queued = m->room = 0;
  m->ret_freed = &freed;
  nic_deliver(&m->nic, batch, n);
  if (!freed && !m->peer)
    nic_set_link(&m->nic, false);
  if (!freed)
    m->ret_freed = NULL;
}

static bool memory_put(struct nic_memory *to, const struct nic_frame *frame) {
  if (to->queued == to->room) {
    unsigned room = MIN(MAX(2 * to->room, 16u), to->limit);
    struct nic_rx *inbox = room > to->room ? realloc(to->inbox, room * sizeof *inbox) : NULL;
    if (!inbox)
      return false;
    to->inbox = inbox;
    to->room = room;
  }
  struct nic_buf *b = nic_buf_copy(frame);
  if (!b)
    return false;
  to->inbox[to->queued++] = (struct nic_rx){.buf = b, .len = frame->len, .off = frame->off};
  return true;
}

static unsigned memory_send(struct nic *nic, const struct nic_frame *frames, unsigned n) {
  struct nic_memory *m = container_of(nic, struct nic_memory, nic);
  struct nic_memory *to = m->peer;
  unsigned taken = 0;
  if (!to)
    return 0;
  while (taken < n && memory_put(to, &frames[taken]))
    taken++;
  if (taken > 0 && to->nic.up)
    loop_task_queue(to->nic.loop, &to->task);
  return taken;
}

static int memory_start(struct nic *nic) {
  struct nic_memory *m = container_of(nic, struct nic_memory, nic);
  if (m->queued > 0 || !m->peer)
    loop_task_queue(nic->loop, &m->task);
  return 0;
}

static void memory_free(struct nic *nic) {
  struct nic_memory *m = container_of(nic, struct nic_memory, nic);
  loop_task_cancel(&m->task);
  if (m->ret_freed)
    *m->ret_freed = true;
  if (m->peer) {
    m->peer->peer = NULL;
    if (m->peer->nic.up)
      loop_task_queue(m->peer->nic.loop, &m->peer->task);
  }
  for (unsigned i = 0; i < m->queued; i++)
    nic_buf_free(m->inbox[i].buf);
  free(m->inbox);
  free(m);
}

static const struct nic_ops memory_ops = {
    .kind = "memory",
    .send = memory_send,
    .start = memory_start,
    .free = memory_free,
};

static struct nic_memory *memory_new(struct loop *loop, unsigned mtu, unsigned queue, unsigned index) {
  struct nic_memory *m = calloc(1, sizeof *m);
  if (!m)
    return NULL;
  m->nic = (struct nic){
      .ops = &memory_ops,
      .loop = loop,
      .mac = {0x02, 0, 0, 0, 0, (uint8_t)(index + 1)},
      .mtu = mtu,
      .mtu_origin = "configuration",
      .link_up = true,
  };
  (void)snprintf(m->nic.name, sizeof m->nic.name, "mem%u", index);
  m->limit = queue;
  loop_task_init(&m->task, memory_deliver, m);
  return m;
}

int nic_memory_pair(struct loop *loop, unsigned mtu, unsigned queue, struct nic **ret_a, struct nic **ret_b) {
  if (mtu < NIC_MTU_MIN || mtu > NIC_MTU_MAX || queue == 0)
    return -EINVAL;
  struct nic_memory *a = memory_new(loop, mtu, queue, 0);
  struct nic_memory *b = a ? memory_new(loop, mtu, queue, 1) : NULL;
  if (!b) {
    if (a)
      memory_free(&a->nic);
    return -ENOMEM;
  }
  a->peer = b;
  b->peer = a;
  *ret_a = &a->nic;
  *ret_b = &b->nic;
  return 0;
}
