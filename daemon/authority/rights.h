/* SPDX-License-Identifier: BSD-3-Clause
 * Rights: a set of rules of one kind, in the grammar of capnet.grant(5), which operators, Describe and Attenuate share.
 *
 *   tcp-connect   DEST:PORTS         DEST is an address, a prefix, [v6 prefix], or *; PORTS is N, N-M or *
 *   tcp-listen    ADDR:PORTS         ADDR is interface-address, an address, [v6], or * (every address)
 *   ping          DEST
 *   dns           SUFFIX [TYPES]     SUFFIX covers itself and what is below; * is every name; TYPES A,AAAA or both
 *   status        own | grant | all
 *   manager       INTERFACE OPS      INTERFACE or *; OPS of get,set,renew,release
 *   grant, tcp-listener, tcp-socket  no rules
 *
 * A rule of tcp-connect, tcp-listen and ping may end in "via INTERFACE": only over that one.
 *
 * "*" as a destination is every unicast address but the special ones: the stack's own addresses, loopback, link-local,
 * broadcast, multicast, reserved and the unspecified address are covered only by a rule whose prefix names nothing else
 * (127.0.0.0/8 names loopback; 0.0.0.0/0 does not; an own or broadcast address must be named as /32 or /128).
 */
#ifndef CAPNET_AUTHORITY_RIGHTS_H
#define CAPNET_AUTHORITY_RIGHTS_H

#include "base/net.h"

enum auth_kind {
  AUTH_GRANT,
  AUTH_MANAGER,
  AUTH_STATUS,
  AUTH_TCP_CONNECT,
  AUTH_TCP_LISTEN,
  AUTH_TCP_LISTENER,
  AUTH_TCP_SOCKET,
  AUTH_DNS,
  AUTH_PING,
  AUTH_KIND_COUNT
};
const char *auth_kind_name(enum auth_kind k); /* "tcp-connect" */
int auth_kind_by_name(const char *name, enum auth_kind *ret);

enum auth_where { AUTH_WHERE_PREFIX, AUTH_WHERE_ANY, AUTH_WHERE_INTERFACE };
enum auth_scope { AUTH_SCOPE_OWN, AUTH_SCOPE_GRANT, AUTH_SCOPE_ALL }; /* each covers the ones before */
enum auth_op { AUTH_OP_GET = 1, AUTH_OP_SET = 2, AUTH_OP_RENEW = 4, AUTH_OP_RELEASE = 8 };
enum auth_type { AUTH_TYPE_A = 1, AUTH_TYPE_AAAA = 2 };

#define AUTH_RULES_MAX 64      /* of one rights set */
#define AUTH_RULE_STRLEN 320   /* any rule as text */
#define AUTH_SUFFIX_MAX 254    /* canonical: lower case, no final dot; "" is every name */

struct auth_rule {
  enum auth_where where;     /* tcp-connect, tcp-listen, ping */
  struct net_prefix prefix;
  struct net_ports ports;    /* tcp-* */
  enum auth_scope scope;     /* status */
  unsigned mask;             /* enum auth_op or enum auth_type */
  char via[16];              /* tcp-connect, tcp-listen, ping: interface; "": any */
  char name[AUTH_SUFFIX_MAX]; /* dns: suffix; manager: interface, "" for * */
};

struct auth_rights {
  enum auth_kind kind;
  unsigned n;
  struct auth_rule rules[]; /* flexible: one allocation */
};

/* What someone wants to do. kind says which members matter. */
struct auth_request {
  enum auth_kind kind;
  struct net_endpoint to;  /* tcp-connect: remote; ping: target; tcp-listen: where to bind (family 0: every address) */
  bool interface_address;  /* tcp-listen: whatever address the interface has */
  bool own, broadcast;     /* what the stack knows of `to` */
  /* Over which interface that would be. NULL: none, or several, and no rule that names one covers it; but unrouted: there
   * is no way now, so that it fails whatever the rule says (no address, no route), and for that reason. */
  const char *interface;
  bool unrouted;
  const char *name;        /* dns, canonical; manager: interface */
  unsigned mask;           /* auth_op or auth_type */
  enum auth_scope scope;   /* status */
};

/* Parses one rule; -EINVAL with a sentence in err. */
int auth_rule_parse(enum auth_kind kind, const char *text, struct auth_rule *ret, char err[160]);
const char *auth_rule_format(enum auth_kind kind, const struct auth_rule *r, char buf[AUTH_RULE_STRLEN]);
bool auth_rule_covers(enum auth_kind kind, const struct auth_rule *r, const struct auth_request *rq);
bool auth_rule_subset(enum auth_kind kind, const struct auth_rule *child, const struct auth_rule *parent);

/* n lines into one malloc'ed set; -EINVAL with err, -E2BIG over AUTH_RULES_MAX, -ENOMEM. Zero lines: covers nothing. */
int auth_rights_parse(enum auth_kind kind, const char *const *lines, size_t n, struct auth_rights **ret, char err[160]);
struct auth_rights *auth_rights_copy(const struct auth_rights *r);
const struct auth_rights *auth_rights_none(enum auth_kind kind); /* a set without rules, static */
bool auth_rights_cover(const struct auth_rights *r, const struct auth_request *rq);
/* Every child's rule lies within one rule of the parent; ret_first (may be NULL) is the first that does not. A host
 * rule lies within a wider one though it may name an own or broadcast address that the wider one leaves out: a
 * decision asks the whole chain of ancestors (auth_decide), so nothing is gained. */
bool auth_rights_subset(const struct auth_rights *child, const struct auth_rights *parent,
                        const struct auth_rule **ret_first);
/* "connect to 10.0.0.1:80", for sentences. */
const char *auth_request_format(const struct auth_request *rq, char buf[AUTH_RULE_STRLEN]);

#endif
