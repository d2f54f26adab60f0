/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv4 client as a pure state machine (RFC 2131 figure 5): events and the time go in, actions come out in the
 * order in which they are to be done. No input or output, no clock and no randomness of its own, no memory beyond its
 * struct.
 *
 * What holds after every event (tests/unit/test_dhcp4_random.c draws histories to prove it):
 *   - an address is applied exactly while a lease is live: machine.has_lease, and now < lease.expiry_ns;
 *   - deadline_ns is the one next moment at which dhcp4_timeout must be called, and it is set unless the machine is
 *     off, released, bound for ever (or on standby for ever), or has neither link nor lease.
 */
#ifndef CAPNET_DHCP4_MACHINE_H
#define CAPNET_DHCP4_MACHINE_H

#include "netconf/dhcp4_reply.h"
#include "netconf/netconf.h"

struct dhcp4_config {
  struct dhcp4_identity id;
  bool probe;             /* each new address is probed before it is used: DHCP4_ACT_PROBE, then dhcp4_probed */
  bool rapid_commit;      /* RFC 4039 */
  bool v6only;            /* RFC 8925: go without IPv4 where the network prefers that */
  uint64_t offer_wait_ns; /* for a better offer, from the first on; 0: the first good one is taken */
  uint32_t (*random)(void *arg);
  void *random_arg;
};

enum dhcp4_action_kind {
  DHCP4_ACT_SEND,      /* message to `to`:67; family 0 is the limited broadcast */
  DHCP4_ACT_APPLY,     /* machine.lease is new or renewed */
  DHCP4_ACT_DROP,      /* no lease is in force any more; why */
  DHCP4_ACT_STATE,     /* from one state to another, why: a static string */
  DHCP4_ACT_PROBE,     /* machine.pending.params.addr; dhcp4_probed is to follow */
  DHCP4_ACT_PROBE_END, /* the result is of no interest any more */
  DHCP4_ACT_FORGET     /* what is remembered of a lease, in a file too, must not be asked for again */
};
struct dhcp4_action {
  enum dhcp4_action_kind kind;
  struct dhcp4_send message;
  struct net_addr to;
  struct net_addr src, hop; /* of a RELEASE: the lease's address, which is gone by then, and the neighbour that it goes to */
  enum dhcp_state from, state;
  struct net_addr server; /* of a STATE: who it is about */
  const char *why;
};

#define DHCP4_ACTIONS_MAX 16
struct dhcp4_actions {
  struct dhcp4_action a[DHCP4_ACTIONS_MAX];
  unsigned n;
};

/* The last lease, when none is in force: of the time before a restart, or one that a static address put aside. */
struct dhcp4_memory {
  bool hint; /* its address is named in DISCOVER (RFC 2131 4.4.1) */
  bool ask;  /* and asked for at once (INIT-REBOOT, 4.4.2) */
  bool live; /* and it may be used to its end when nobody answers (3.2) */
  struct dhcp4_lease lease;
};

struct dhcp4_machine {
  struct dhcp4_config cfg;
  enum dhcp_state state;
  bool link;
  uint64_t deadline_ns; /* 0: none */

  uint32_t xid;
  unsigned tries;      /* messages of this state sent so far */
  unsigned naks;       /* in a row, slows the next discovery */
  unsigned conflicts;  /* declined in a row, likewise */
  uint64_t acquire_ns; /* when the acquisition began, for the secs field */
  uint16_t discover_secs; /* of the last DISCOVER: the REQUEST that follows from it says the same */
  uint64_t request_ns; /* when the first request under this xid was sent: a lease counts from there */
  bool quick;          /* asked on demand or after the link came back: a few quick tries, then the schedule */

  struct net_addr server; /* that the state is about, for who tells it; family 0: none */
  unsigned n_offers;          /* while selecting; pending is the best of them */
  unsigned score;
  struct dhcp4_lease pending; /* offered, being requested or probed */
  struct dhcp4_memory memory;

  bool has_lease;
  struct dhcp4_lease lease;
  uint64_t ignored[DHCP4_REASONS]; /* replies that were of no use, by reason */
};

void dhcp4_init(struct dhcp4_machine *m, const struct dhcp4_config *cfg, bool link);
/* What is known of the last lease; before dhcp4_start. live: its end is certain, and lies ahead. */
void dhcp4_remember(struct dhcp4_machine *m, const struct dhcp4_lease *l, bool ask, bool live);

/* Each event first ends a lease that is over. acts is written anew. */
void dhcp4_start(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts);
void dhcp4_stop(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts); /* the server is not told */
/* Something else is in force: a live lease is kept as it is, neither used nor renewed, until dhcp4_start asks for it
 * again or it ends. Without a lease this is dhcp4_stop. */
void dhcp4_standby(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts);
void dhcp4_link(struct dhcp4_machine *m, bool up, uint64_t now, struct dhcp4_actions *acts);
void dhcp4_timeout(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts); /* early calls are harmless */
void dhcp4_receive(struct dhcp4_machine *m, const struct dhcp4_reply *r, uint64_t now, struct dhcp4_actions *acts);
/* Of the address that was to be probed. */
void dhcp4_probed(struct dhcp4_machine *m, bool conflict, uint64_t now, struct dhcp4_actions *acts);
/* Somebody else uses the address in force and does not give way: it is given up (RFC 5227 2.4), the server is told. */
void dhcp4_conflict(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts);
/* Asks for the lease anew, or starts an acquisition when there is none. */
void dhcp4_renew(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts);
int dhcp4_release(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts); /* -ENODATA: no lease */

/* What is due next: "renew", "rebind", "expiry", "retry", "use" (of an address that is probed), and when; NULL:
 * nothing. */
const char *dhcp4_next(const struct dhcp4_machine *m, uint64_t *ret_ns);

#endif
