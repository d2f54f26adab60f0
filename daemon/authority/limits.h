/* SPDX-License-Identifier: BSD-3-Clause
 * Every limit of a capability, in one table (limits.c): name, unit, default, ceiling. A budget is something held for a
 * while and given back; a bound holds for one request. The same names stand in a grant file, in Describe, in
 * Attenuate and in refusals.
 */
#ifndef CAPNET_AUTHORITY_LIMITS_H
#define CAPNET_AUTHORITY_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

enum auth_limit {
  /* budgets */
  LIMIT_ENDPOINTS,   /* "endpoints": open endpoints of the node and below */
  LIMIT_CHILDREN,    /* "children": nodes below */
  LIMIT_CALLS,       /* "calls": parked calls */
  LIMIT_BYTES,       /* "bytes": bytes of requests and replies held */
  LIMIT_SOCKETS,     /* "sockets": connections, listeners among them */
  LIMIT_LOOKUPS,     /* "lookups": in flight */
  LIMIT_PINGS,       /* "pings": echo requests in flight */
  AUTH_BUDGET_COUNT,
  /* bounds */
  LIMIT_PING_COUNT = AUTH_BUDGET_COUNT, /* "ping.count": requests of one call */
  LIMIT_PING_INTERVAL_MIN, /* "ping.interval.min": ms, not less */
  LIMIT_PING_PAYLOAD,      /* "ping.payload": bytes */
  LIMIT_DNS_NAME,          /* "dns.name": bytes of a name */
  LIMIT_DNS_ANSWER,        /* "dns.answer": bytes of an answer's addresses */
  LIMIT_DNS_TIME,          /* "dns.time": ms for one call */
  LIMIT_CONNECT_TIME,      /* "connect.time": ms until an attempt is given up */
  LIMIT_LISTEN_BACKLOG,    /* "listen.backlog": connections waiting */
  LIMIT_SOCKET_RCVBUF,     /* "socket.rcvbuf": bytes the stack queues for one connection, at most */
  AUTH_LIMIT_COUNT
};

#define AUTH_LIMIT_INHERIT UINT64_MAX
#define AUTH_BUDGET_CEILING UINT32_MAX /* of every budget: what is in use is counted in 32 bits */

struct auth_limit_def {
  const char *name;
  const char *unit; /* "", "bytes", "ms" */
  uint64_t fallback; /* of a grant that does not say */
  uint64_t ceiling;  /* no configuration can exceed it (for a minimum: go below it) */
  uint64_t per_uid;  /* over all grants of one uid, budgets only; 0: none */
  bool budget;
  bool minimum; /* the value is the least allowed, so tighter means larger */
};
extern const struct auth_limit_def auth_limits[AUTH_LIMIT_COUNT];

/* -EINVAL: no such limit. */
int auth_limit_by_name(const char *name, enum auth_limit *ret);
/* Decimal with an optional suffix K M G (1024) for bytes, ms s m for times. -EINVAL, -ERANGE over the ceiling. */
int auth_limit_parse(enum auth_limit l, const char *text, uint64_t *ret);
bool auth_limit_tighter(enum auth_limit l, uint64_t child, uint64_t parent); /* or equal */

#endif
