/* SPDX-License-Identifier: BSD-3-Clause
 * The kinds of capability, one file each, all of one shape: theory, struct, requests in .proto order, events from below,
 * release, table. A struct cap joins a node of the authority's tree with the endpoint that speaks for it.
 *
 * One connect, from here on (docs/ARCHITECTURE.md walks all of it): rpc calls the handler tcp_connect_connect, which asks
 * cap_decide (rights, one decision for every path) and cap_charge (budget), then flow_connect; on_connected makes the flow,
 * the control capability and the reply.
 *
 * Two ways out, both idempotent: cap_end (revoked, expired, the daemon stops: the client is told why) and the client's
 * hang-up. The kind's release runs once in either, then the node's hold is given up. Memory goes with the node, which
 * stays as a husk while it has children.
 */
#ifndef CAPNET_CAP_H
#define CAPNET_CAP_H

#include "authority/authority.h"
#include "rpc/rpc.h"

struct cap;
struct caps;
struct stack;

struct cap_kind {
  enum auth_kind kind;
  size_t size; /* of the kind's own struct, which begins with struct cap */
  ProtobufCService *service;
  void (*init)(struct cap *c); /* of zeroed memory; may be NULL */
  /* Ends what the endpoint holds (not its parked calls: rpc cancelled them). */
  void (*release)(struct cap *c);
  /* true: the capability outlives its endpoint until cap_free (a connection whose control was closed). May be NULL. */
  bool (*survives)(const struct cap *c);
};
extern const struct cap_kind *const cap_kinds[AUTH_KIND_COUNT];

struct cap {
  const struct cap_kind *kind;
  struct caps *caps;
  struct auth_node *node;
  struct endpoint *ep; /* NULL once gone */
  bool shared;         /* several processes may hold the other end: only the kind's own first method is safe */
  bool released, detached;
  int ended; /* why cap_end was called: 0, -EKEYREVOKED, …; for the kind's release */
  struct list minted;  /* caps that this endpoint minted (by_link): what Revoke may name, and what dies when it is revoked */
  struct list by_link;
  struct cap *by; /* the minter, held, when it is not an ancestor in the tree */
};

/* All capabilities of the daemon. rooms[kind] is what that kind works with (struct stack *, struct names *, …). */
int caps_new(struct loop *loop, void *const rooms[AUTH_KIND_COUNT], struct caps **ret);
/* Ends every capability with Terminal{SHUTTING_DOWN}: before what would give another reason is freed. */
void caps_shutdown(struct caps *cs);
/* The same, and frees the tree. */
struct caps *caps_free(struct caps *cs);
struct auth_tree *caps_tree(struct caps *cs);
struct loop *caps_loop(struct caps *cs);
void *cap_room(const struct cap *c);
void caps_set_room(struct caps *cs, enum auth_kind kind, void *room);

/* Counts, for status and the tests that look for leaks. */
struct caps_stats {
  uint64_t caps, nodes;
};
void caps_get_stats(const struct caps *cs, struct caps_stats *ret);

/* Revokes a subtree: dead at once, torn down in slices over the next turns. */
void caps_revoke(struct caps *cs, struct auth_node *n, int error);

/* After minting a node with an end by other means than cap_mint. */
void caps_watch_expiry(struct caps *cs);

/* Hears of every take, narrow and revoke after it was logged; line is raw. */
typedef void (*caps_audit_fn)(void *arg, const struct auth_node *n, const char *line);
void caps_on_audit(struct caps *cs, caps_audit_fn fn, void *arg);

/* --- for kinds ---------------------------------------------------------------------------------------------------- */

/* Takes over node (one hold) and fd, or makes a socketpair when ret_client is not NULL; with neither (fd -1) it has no
 * endpoint from the start, and its kind ends it. On failure the hold is given up. */
int cap_new(struct caps *cs, struct auth_node *node, int fd, struct cap **ret, int *ret_client);
/* Tells a client that got no endpoint why, and closes fd. */
void cap_turn_away(struct caps *cs, int fd, const struct auth_refusal *why);
/* Mints a child of `parent` and an endpoint for it (none without ret_client); spec's kind decides which. `by` remembers it
 * for Revoke (may be NULL). Charges "endpoints" and "children". -EDQUOT, -EPERM, -EMFILE, … with why filled in. */
int cap_mint(struct caps *cs, struct auth_node *parent, const struct auth_spec *spec, struct cap *by, struct cap **ret,
             int *ret_client, struct auth_refusal *why);
/* The kind is done with a capability that outlived its endpoint, or ends it itself. error 0: no Terminal is due. */
void cap_end(struct cap *c, int error);

/* What this endpoint minted under that id, a husk included; NULL. */
struct cap *cap_find_minted(struct cap *c, uint64_t id);

/* The capability a call came in on, as the kind's own struct. */
struct cap *cap_of(const struct call *call);

/* Each answers the call with the typed error and returns false when refused. */
/* Fills in which way a packet to `to` takes now, from `from` when that has a family (NULL: whatever the stack chooses). */
void cap_way(struct auth_request *rq, struct stack *stack, const struct net_addr *from, const struct net_addr *to);
bool cap_decide(struct call *call, const struct auth_request *rq);
bool cap_bound(struct call *call, enum auth_limit l, uint64_t value);
bool cap_charge(struct call *call, enum auth_limit l, uint64_t amount);
void cap_refuse(struct call *call, const struct auth_refusal *why);
void cap_malformed(struct call *call, const char *field, const char *why);

/* "comm[pid] uid N" of who took it. */
#define CAP_TAKER_STRLEN 96
const char *cap_taker_format(const struct auth_taker *t, char buf[CAP_TAKER_STRLEN]);

/* Rights as lines for a reply, into a NULL-terminated array that cap_lines_free frees. */
char **cap_rights_lines(const struct auth_rights *r, size_t *ret_n);
/* What n was narrowed to against its parent of the same kind: its rules if they differ, "LIMIT = MAX" for each tighter
 * limit. None for what was not narrowed. */
char **cap_narrowed_lines(const struct auth_node *n, size_t *ret_n);
void cap_lines_free(char **lines, size_t n);

/* What each kind calls when something ends: one audit line with ids. verb is "take", "refuse", "narrow", "revoke". */
void cap_audit(struct caps *cs, const char *verb, const struct auth_node *n, const char *detail);

extern ProtobufCService *const cap_common_service; /* Describe, Attenuate, Revoke */

#endif
