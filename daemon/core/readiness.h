/* SPDX-License-Identifier: BSD-3-Clause
 * When the daemon says that it is ready (sd_notify(3), READY=1): a program that starts after it finds what the
 * configuration promises, or an error that says what is wrong, and not a start that is not over. An address that a server
 * or a router gives is not waited for: nobody knows when one comes.
 */
#ifndef CAPNET_CORE_READINESS_H
#define CAPNET_CORE_READINESS_H

#include "loop/loop.h"

/* RFC 5227's whole probe takes 7 s at most, RFC 4862's 2 s: who is later has something wrong with it. */
#define READINESS_PATIENCE_S 10

enum readiness_of {
  READINESS_ADDRESSES, /* each configured one has been tried */
  READINESS_SOCKETS,   /* whether real sockets can be had is known */
  READINESS_COUNT
};

struct readiness;

/* ready is called once, in a turn of its own: when all of it was reached, or READINESS_PATIENCE_S after this call. -ENOMEM */
int readiness_new(struct loop *loop, loop_fn ready, void *arg, struct readiness **ret);
struct readiness *readiness_free(struct readiness *r);        /* NULL is fine */
void readiness_reach(struct readiness *r, enum readiness_of what); /* again: nothing. NULL: too early or too late to count */
bool readiness_reached(const struct readiness *r);            /* ready was called */

#endif
