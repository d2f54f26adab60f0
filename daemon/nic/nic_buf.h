/* SPDX-License-Identifier: BSD-3-Clause
 * Receive buffers. A device reads a frame into a small buffer and, behind it, a big one; a frame that fits the small
 * one keeps only that. Whoever has a buffer owns it until nic_buf_free. Freed ones wait for the next frame, the one used
 * last first, the big ones among the blocks of base/block.h; they go back to the system when nothing is received any more.
 *
 * One limit in bytes holds for all buffers of the process. What is above 15/16 of it is for short frames alone, so that
 * who does not read cannot keep acknowledgements, ARP and new connections out. While more than a quarter of it is held,
 * a frame is moved into buffers of its size: what is held then is little more than what came.
 */
#ifndef CAPNET_NIC_BUF_H
#define CAPNET_NIC_BUF_H

#include "loop/loop.h"
#include "nic/nic_frame.h"

#include <stdalign.h>

#define NIC_BUF_LIMIT_DEFAULT (64u * 1024 * 1024) /* until somebody sets another: the stack does */
#define NIC_BUF_SMALL 2046u    /* frame bytes in a small buffer; two more in front put the IP header on a multiple of 4 */
#define NIC_BUF_BIG 63504u     /* in a big one: the rest of the largest super-frame, and a byte that shows a larger one */
#define NIC_BUF_COPY 16384u    /* a rest shorter than this moves to a buffer of its size */
#define NIC_BUF_SHORT_FRAME 256u /* taken from the last 16th of the limit */
#define NIC_BUF_USER 64u

struct nic_buf {
  struct nic_buf *next; /* of the same frame */
  uint8_t *data;
  uint32_t len;
  uint32_t size; /* what it counts against the limit */
  uint8_t kind;  /* private */
  alignas(16) uint8_t user[NIC_BUF_USER]; /* its owner's */
};

/* Frees the chain; NULL is fine. Returns NULL. */
struct nic_buf *nic_buf_free(struct nic_buf *b);
/* One buffer of just the size, filled with the frame. NULL: over the limit (counted), or no memory. */
struct nic_buf *nic_buf_copy(const struct nic_frame *f);

struct nic_buf_stats {
  size_t limit, allocated; /* bytes; allocated has the small ones that wait for a frame */
  size_t held;             /* bytes of buffers that somebody owns */
  uint64_t refused;        /* frames for which there was none */
};
void nic_buf_get_stats(struct nic_buf_stats *ret);
void nic_buf_set_limit(size_t bytes); /* what is held already stays */
void nic_buf_trim(void); /* gives back all that wait for a frame, and each one when it is freed from now on; blocks as well */

/* --- for devices: a place to read one frame into ------------------------------------------------------------------ */

struct nic_slot {
  struct nic_buf *small, *big;
  uint8_t spill; /* where there is no big buffer: one byte that shows a frame too long */
};
#define NIC_SLOT_IOV 2
/* Fills the slot for frames of up to max bytes and writes where to read. Returns the number of pieces, 0: none to be had
 * (counted): the frame is to be read and forgotten. */
unsigned nic_slot_prepare(struct nic_slot *s, size_t max, struct iovec ret[NIC_SLOT_IOV]);
/* The frame of len bytes that was read there; what it does not need stays in the slot. NULL (counted): no room. */
struct nic_buf *nic_slot_take(struct nic_slot *s, size_t len);
void nic_slot_done(struct nic_slot *s);

/* Trims when a device that has received or sent much (who sends receives acknowledgements) is quiet for a second. Without
 * need no timer is armed. */
struct nic_trim {
  struct loop *loop;
  struct loop_timer *timer;
  bool used; /* since the timer was armed */
};
int nic_trim_init(struct nic_trim *t, struct loop *loop);
void nic_trim_used(struct nic_trim *t); /* after each turn that received */
void nic_trim_done(struct nic_trim *t);

#endif
