/* SPDX-License-Identifier: BSD-3-Clause
 * Inside the room: the helper as the daemon sees it, a chamber and what of its sockets lies in store.
 */
#ifndef CAPNET_SEAL_INTERNAL_H
#define CAPNET_SEAL_INTERNAL_H

#include "base/list.h"
#include "seal/seal_protocol.h"

enum { SEAL_V4, SEAL_V6, SEAL_FAMILIES };

struct seal_pool {
  int fds[SEAL_BATCH_MAX]; /* n that are ours alone, then those that the helper has not closed yet */
  unsigned n, arrived, target;
  bool asked;
  uint64_t asked_ns; /* monotonic, last */
};

struct seal_chamber {
  struct list link; /* of seal.chambers, the one used last at the end */
  struct seal *s;
  uint64_t number, owner; /* owner 0: nobody's yet */
  unsigned refs;
  bool ready;
  unsigned late; /* handshakes that did not come to be in time */
  int diag; /* a sock_diag(7) socket of the programs' side; -1: none */
  struct seal_pool pools[SEAL_SIDES][SEAL_FAMILIES];
};

/* The start: the helper confines itself, makes the first chamber, fills its store; a connection is tried. */
enum seal_phase { SEAL_CONFINES, SEAL_MAKES, SEAL_FILLS, SEAL_TRIED, SEAL_SETTLED };

struct seal {
  int fd; /* -1: the helper is gone */
  pid_t child;
  enum seal_phase phase;
  bool asked; /* for the first chamber */
  struct loop *loop; /* NULL: not joined */
  struct loop_watch *watch;
  struct loop_timer *limit; /* of the start */
  struct loop_task settled;
  struct list chambers;
  unsigned n, n_idle;
  uint64_t last_number, waits;
  bool late; /* the helper let us wait too long, and has not answered since */
  char why[SEAL_WHY_MAX];
};

/* seal.c */
void seal_helper_gone(struct seal *s, const char *why); /* why counts if there is no better word */
int seal_request_chamber(struct seal *s);
void seal_forget(struct seal_chamber *c);
struct seal_chamber *seal_spare(struct seal *s); /* nobody's, and ready; NULL */
/* Waits for the next message, but not again for a helper that is late: -ETIME. -EPIPE: it is gone. */
int seal_wait_answer(struct seal *s, struct seal_message *m, int timeout_ms);
void seal_on_helper(void *arg, unsigned events); /* of the loop's watch */

/* seal_start.c: after each message of the start; and when it is over. */
void seal_start_step(struct seal *s, const struct seal_message *m);
void seal_settle(struct seal *s);

/* As seal_connect, waiting at most so long for the handshake, which is usually over at once. */
int seal_connect_within(struct seal_chamber *c, const struct net_endpoint *local, const struct net_endpoint *remote,
                        int timeout_ms, int *ret_ours, int *ret_program);

/* A fresh socket of the chamber, the caller's. -EPIPE, -ETIME, or what the helper says. */
int seal_take(struct seal_chamber *c, enum seal_side side, uint8_t family);

#endif
