/* SPDX-License-Identifier: BSD-3-Clause
 * Inside the room: a query walks candidates (search) and servers; one attempt asks one server for one name; an answer
 * is parsed here, because the TTLs, the chain of aliases and the kind of failure all matter.
 */
#ifndef CAPNET_NAMES_IMPL_H
#define CAPNET_NAMES_IMPL_H

#include "names/names.h"

/* --- names_parse.c ------------------------------------------------------------------------------------------------ */

struct names_parsed {
  struct names_address addresses[NAMES_ADDRESSES_MAX];
  unsigned n_addresses;
  char aliases[NAMES_ALIASES_MAX][NAMES_NAME_MAX];
  unsigned n_aliases;
};

/* What the server's message says about name. 0, -ENOENT, -ENODATA, -EREMOTEIO (SERVFAIL and other codes that mean "not
 * me, not now"), -ECONNREFUSED (REFUSED), -EBADMSG, -EMSGSIZE (more than answer_max bytes or NAMES_ADDRESSES_MAX). */
int names_parse(const uint8_t *msg, size_t len, const char *name, enum names_type type, size_t answer_max,
                struct names_parsed *ret);

/* --- names_attempt.c ---------------------------------------------------------------------------------------------- */

struct names_attempt;

struct names_attempt_result {
  int error;          /* 0: msg holds the server's message. -ETIMEDOUT is not decided here, but by the query's timer. */
  const uint8_t *msg; /* borrowed until the attempt is freed */
  size_t len;
};

/* Asks one server for one name, UDP first; a link-local one by that interface (NULL: any). done is called once, at any time, also from inside this call; it may not
 * free the attempt: it queues a task. -ENONET, -ENETUNREACH (no way to the server), -ENOBUFS, -ENOMEM, -ENOENT (a name
 * that is never asked: RFC 7686). */
int names_attempt_new(struct stack *stack, const struct net_endpoint *server, const char *ifname, const char *name,
                      enum names_type type, void (*done)(void *arg), void *arg, struct names_attempt **ret);
struct names_attempt *names_attempt_free(struct names_attempt *a);
bool names_attempt_done(const struct names_attempt *a);
/* Valid once it is done. */
struct names_attempt_result names_attempt_result(const struct names_attempt *a);
/* The server has sent something that is not even a late answer. */
bool names_attempt_saw_garbage(const struct names_attempt *a);

#endif
