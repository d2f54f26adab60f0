/* SPDX-License-Identifier: BSD-3-Clause
 * Names: c-ares over the stack's own UDP and TCP. No cache and no rights here; one query asks for one name and type.
 * A fresh random port and id for each query; UDP first, TCP after truncation; the next server when one is silent,
 * refuses or fails. Never touches the host's network, its resolv.conf or its hosts file.
 */
#ifndef CAPNET_NAMES_H
#define CAPNET_NAMES_H

#include "base/resolvconf.h"
#include "stack/stack.h"

struct names;
struct names_query;

#define NAMES_ADDRESSES_MAX 128 /* of one answer */
#define NAMES_ALIASES_MAX 16    /* CNAME chain */
#define NAMES_QUERIES_MAX 1024  /* in flight, whatever the budgets say: -ENOBUFS */

int names_new(struct loop *loop, struct stack *stack, struct names **ret);
struct names *names_free(struct names *n); /* queries under way are cancelled without their callback */
/* Replaces the configuration; queries under way go on where they are, unless no server is left: then they end with
 * -ENONET. -ENOMEM: there is no server from now on, and cfg is tried again each second. */
int names_configure(struct names *n, const struct names_config *cfg);

enum names_type { NAMES_A = 1, NAMES_AAAA = 28 };

struct names_address {
  struct net_addr addr;
  uint32_t ttl; /* seconds */
};
struct names_answer {
  char name[NAMES_NAME_MAX]; /* that was found, after search; on an error the name asked */
  const struct names_address *addresses;
  unsigned n_addresses;
  bool reachable; /* the stack has a way to one of them at least (RFC 6724 6, rule 1) */
  const char (*aliases)[NAMES_NAME_MAX];
  unsigned n_aliases;
  const char *source;          /* "dns" */
  struct net_endpoint upstream; /* that answered, or whose failure this is; family 0 if none did */
  uint64_t elapsed_ns;
};
/* error: 0, -ENOENT no such name, -ENODATA no such record, -ETIMEDOUT, -EREMOTEIO the server failed (SERVFAIL),
 * -ECONNREFUSED the server refused (REFUSED, or nothing listens there), -EHOSTUNREACH an ICMP error said that it
 * cannot be reached, -EBADMSG malformed, -EADDRNOTAVAIL no servers, -ENONET no address or route, -EMSGSIZE over
 * answer_max, -ENOMEM. answer is never NULL; borrowed until return. The query is gone once fn is called. */
typedef void (*names_fn)(void *arg, int error, const struct names_answer *answer);

struct names_request {
  const char *name; /* canonical or not; a dot in it, also at its end, means no search */
  enum names_type type;
  bool no_search;
  uint64_t timeout_ms;  /* for the whole query, all servers and search domains; 0: ten seconds */
  size_t answer_max;    /* bytes of addresses (4 or 16 each) */
  /* May this name be asked upstream? Called with the query's arg for each name that a search would try; one that may
   * not is passed over. NULL: all may. */
  bool (*may_ask)(void *arg, const char *name);
};
/* fn is called once, from the loop, never from inside this call. -EINVAL (not a name), -ENOBUFS, -ENOMEM. */
int names_resolve(struct names *n, const struct names_request *rq, names_fn fn, void *arg, struct names_query **ret);
struct names_query *names_cancel(struct names_query *q); /* fn is not called; NULL is fine */

/* The i-th name that a query for `name` (canonical) tries: one without a dot with each search domain, then as it is; any
 * other as it is only. 0, -ENOENT when there are no more, -EINVAL for one that is too long and is passed over. */
int names_candidate(const struct names_config *cfg, const char *name, bool no_search, unsigned i,
                    char ret[NAMES_NAME_MAX]);

/* Lower case, no final dot, each label 1..63 of letters, digits, '-' and '_', 253 in all. -EINVAL. */
int names_canonical(const char *name, char ret[NAMES_NAME_MAX]);

struct names_info {
  const struct names_config *config;
  int in_use;            /* index of the server that answered last, -1: none yet */
  char last_error[400]; /* "" when the last query was answered (that there is no such name too), or none was made */
  uint64_t queries, failures; /* a failure: no answer, or one that nobody can use */
  unsigned in_flight;
};
void names_info(const struct names *n, struct names_info *ret);

#endif
