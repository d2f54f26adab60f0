/* SPDX-License-Identifier: BSD-3-Clause
 * Blocks of memory for bytes on their way: receive buffers, send queues. To the system a block costs sixteen page faults
 * each time it is mapped, more than its bytes cost to copy; so what is put back waits here for the next taker, the one
 * used last first. Of one thread, the loop's.
 */
#ifndef CAPNET_BLOCK_H
#define CAPNET_BLOCK_H

#include "base/util.h"

#define BLOCK_SIZE 65536u
#define BLOCK_WAITING_MAX 512u /* 32 MiB: what eight streams have under way on a short path, and as much again */

/* A block of BLOCK_SIZE bytes, on a page boundary, with anything in it. NULL: no memory. */
void *block_get(void);
/* NULL is fine. Returns NULL. */
void *block_put(void *block);
/* Bytes of the blocks that wait. */
size_t block_waiting(void);
/* Gives back to the system all that wait, and each one when it is put, until one is wanted again: for who knows that
 * nothing is under way any more. */
void block_trim(void);

#endif
