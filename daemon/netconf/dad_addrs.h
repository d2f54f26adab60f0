/* SPDX-License-Identifier: BSD-3-Clause
 * The IPv6 addresses of one interface, whoever gave them, as a pure state machine: each is verified before it is used
 * (RFC 4862 5.4) and again when the link is back, and lives as long as it was given (5.5.4).
 *
 * What holds after every event: no address that is over is in the table; none is preferred or deprecated that was not
 * verified; deadline_ns is set whenever time alone will change something, and is never later than the first end of a
 * lifetime.
 */
#ifndef CAPNET_DAD_ADDRS_H
#define CAPNET_DAD_ADDRS_H

#include "netconf/dad_machine.h"

#define ADDRS6_MAX 16
#define ADDRS6_FOREVER UINT64_MAX
#define ADDRS6_RETRY_S 60 /* a configured address that another node had is tried again; the longest wait after a refusal */

/* Of two that give the same address the earlier one in this list has it. */
enum addr6_origin { ADDR6_STATIC, ADDR6_LINK_LOCAL, ADDR6_DHCP, ADDR6_SLAAC };
const char *addr6_origin_name(enum addr6_origin o); /* "static", "link-local", "dhcp6", "slaac" */

/* REFUSED: the stack did not take it, for the moment. */
enum addr6_state { ADDR6_GONE, ADDR6_TENTATIVE, ADDR6_PREFERRED, ADDR6_DEPRECATED, ADDR6_DUPLICATE, ADDR6_REFUSED };
const char *addr6_state_name(enum addr6_state s); /* "gone", "tentative", … */

struct addr6 {
  struct net_addr addr;
  uint8_t prefix_len;
  enum addr6_origin origin;
  enum addr6_state state;
  uint64_t preferred_until, valid_until; /* boot-time; ADDRS6_FOREVER */
  const char *why;                       /* of DUPLICATE and REFUSED; static */
  uint64_t retry_ns;                     /* of those; 0: never */
  unsigned refusals;                     /* in a row */
  struct dad_machine dad;
};

/* A probe to send, or a change that has happened, in order. */
struct addr6_action {
  bool probe;
  struct net_addr addr;
  uint8_t nonce[DAD_NONCE]; /* of a probe */
  uint8_t prefix_len;       /* of a change, as what follows */
  enum addr6_origin origin;
  enum addr6_state from, to;
  const char *why; /* static; NULL: nothing to say */
};
#define ADDRS6_ACTIONS_MAX 40
struct addrs6_actions {
  struct addr6_action a[ADDRS6_ACTIONS_MAX];
  unsigned n;
};

struct addrs6 {
  struct addr6 a[ADDRS6_MAX];
  unsigned n;
  bool link;
  uint32_t retrans_ms; /* 0: the default; for detections that begin from now on */
  uint64_t deadline_ns;
  uint64_t conflicts; /* addresses that another node had or claimed */
  uint64_t refused;   /* times that the stack took none */
  uint32_t (*random)(void *arg);
  void *random_arg;
};

void addrs6_init(struct addrs6 *t, bool link, uint32_t (*random)(void *arg), void *arg);

/* Each event writes acts anew. */
/* Adds an address, or gives it other lifetimes or another length, which does not verify it again; but a duplicate that
 * another origin gives is. -EINVAL: over, or preferred longer than valid; -EEXIST: a stronger origin has it; -ENOBUFS: no room. */
int addrs6_set(struct addrs6 *t, const struct addr6 *given, bool delay, uint64_t now, struct addrs6_actions *acts);
int addrs6_remove(struct addrs6 *t, const struct net_addr *addr, enum addr6_origin origin, const char *why, uint64_t now,
                  struct addrs6_actions *acts); /* -ENOENT */
/* The stack does not take it as it was told. in_use: another interface of ours has it, which is a duplicate; else it is
 * tried again, after 1, 2, 4 … ADDRS6_RETRY_S seconds, for as long as it lives. -ENOENT. */
int addrs6_refused(struct addrs6 *t, const struct net_addr *addr, bool in_use, const char *why, uint64_t now,
                   struct addrs6_actions *acts);
void addrs6_link(struct addrs6 *t, bool up, uint64_t now, struct addrs6_actions *acts);
void addrs6_timeout(struct addrs6 *t, uint64_t now, struct addrs6_actions *acts);
void addrs6_receive(struct addrs6 *t, const struct dad_message *msg, uint64_t now, struct addrs6_actions *acts);

const struct addr6 *addrs6_find(const struct addrs6 *t, const struct net_addr *addr); /* NULL */

#endif
