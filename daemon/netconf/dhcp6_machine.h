/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv6 client as a pure state machine (RFC 8415 18.2): events and the time go in, actions come out in the order in
 * which they are to be done. One IA_NA, or options alone.
 *
 * What holds after every event (tests/unit/test_dhcp6_ways.c draws random ones to prove it): the addresses that were
 * told and not forgotten are those of the lease, and none is over; options are in force while a lease is or until
 * info_until_ns; deadline_ns is the next moment at which dhcp6_timeout must be called, and is set unless the machine is
 * off, released, for ever content, or has neither link nor anything that ends.
 */
#ifndef CAPNET_DHCP6_MACHINE_H
#define CAPNET_DHCP6_MACHINE_H

#include "netconf/dhcp6_msg.h"

#define DHCP6_NEVER UINT64_MAX

enum dhcp6_mode { DHCP6_MODE_OFF, DHCP6_MODE_INFORMATION, DHCP6_MODE_ADDRESSES };

enum dhcp6_state {
  DHCP6_OFF,
  DHCP6_INIT,        /* no link, or a wait before the next attempt */
  DHCP6_SOLICITING,
  DHCP6_REQUESTING,
  DHCP6_BOUND,
  DHCP6_RENEWING,    /* its server is asked */
  DHCP6_REBINDING,   /* any server is asked */
  DHCP6_CONFIRMING,  /* is this still our link? */
  DHCP6_DECLINING,   /* another node has an address that we were given */
  DHCP6_RELEASING,
  DHCP6_RELEASED,
  DHCP6_ASKING,      /* for options */
  DHCP6_INFORMED
};
const char *dhcp6_state_name(enum dhcp6_state s); /* "bound", … */

struct dhcp6_config {
  struct dhcp6_duid duid;
  uint32_t iaid;
  uint32_t (*random)(void *arg);
  void *random_arg;
};

struct dhcp6_lease_addr {
  struct net_addr addr;
  uint64_t preferred_until, valid_until; /* boot-time; DHCP6_NEVER */
};
struct dhcp6_lease {
  struct dhcp6_lease_addr addrs[DHCP6_ADDRS_MAX];
  unsigned n_addrs;        /* 0: no lease */
  uint64_t t1_ns, t2_ns;   /* DHCP6_NEVER */
  struct dhcp6_duid server;
  struct net_addr from; /* where the server speaks from */
};

struct dhcp6_action {
  enum dhcp6_action_kind {
    DHCP6_ACT_SEND,    /* message to ff02::1:2 */
    DHCP6_ACT_ADDRESS, /* new, or other lifetimes */
    DHCP6_ACT_FORGET,  /* addr is none any more */
    DHCP6_ACT_PARAMS,  /* machine.params is another */
    DHCP6_ACT_STATE
  } kind;
  struct dhcp6_send message;
  struct dhcp6_lease_addr addr;
  enum dhcp6_state from, to;
  const char *why; /* static */
};
#define DHCP6_ACTIONS_MAX 24
struct dhcp6_actions {
  struct dhcp6_action a[DHCP6_ACTIONS_MAX];
  unsigned n;
};

struct dhcp6_machine {
  struct dhcp6_config cfg;
  enum dhcp6_mode mode;
  enum dhcp6_state state;
  bool link; /* with a link-local address to speak from */
  uint64_t deadline_ns;

  /* The exchange that runs: 15. */
  uint32_t xid;
  unsigned tries;
  uint64_t first_ns, rt_ns, next_ns; /* its first message; the last wait; the next message, 0: none */
  struct dhcp6_send message;         /* what is repeated */
  unsigned failures;                 /* in a row, slow the next attempt */

  bool has_offer; /* the best advertisement so far */
  uint8_t offer_preference;
  struct dhcp6_duid offer_server;
  struct net_addr offer_addrs[DHCP6_ADDRS_MAX];
  unsigned n_offer_addrs;

  struct dhcp6_lease lease, memory; /* in force; of an earlier run, n_addrs 0: none */
  struct dhcp6_params params, memory_params; /* in force; of that */
  const char *memory_why; /* there is none: static, or NULL */
  bool has_params;
  bool unconfirmed; /* an address was declined before the link was confirmed */
  uint64_t refresh_ns, info_until_ns; /* of options without a lease; 0: none */
  uint32_t sol_max_rt_s, inf_max_rt_s;
  uint32_t offer_sol_s, offer_inf_s; /* what the advertisements of this exchange said of them; 0: nothing, 1: this and that */
  uint64_t ignored, left_out;
};

void dhcp6_init(struct dhcp6_machine *m, const struct dhcp6_config *cfg, bool link);

/* What outlived a restart: when addresses are wanted it is taken up as after a link that was away, in force and to be
 * confirmed (18.2.3). Once, before the first dhcp6_want. */
void dhcp6_remember(struct dhcp6_machine *m, const struct dhcp6_lease *lease, const struct dhcp6_params *params);

/* Each event first ends what is over. acts is written anew. */
void dhcp6_want(struct dhcp6_machine *m, enum dhcp6_mode mode, uint64_t now, struct dhcp6_actions *acts);
void dhcp6_link(struct dhcp6_machine *m, bool up, uint64_t now, struct dhcp6_actions *acts);
void dhcp6_timeout(struct dhcp6_machine *m, uint64_t now, struct dhcp6_actions *acts); /* early calls are harmless */
void dhcp6_receive(struct dhcp6_machine *m, const struct net_addr *from, const struct dhcp6_reply *r, uint64_t now,
                   struct dhcp6_actions *acts);
void dhcp6_duplicate(struct dhcp6_machine *m, const struct net_addr *addr, uint64_t now, struct dhcp6_actions *acts);
/* A stronger origin that had this address has given it up: if it is of the lease, it is given again. */
void dhcp6_again(struct dhcp6_machine *m, const struct net_addr *addr, uint64_t now, struct dhcp6_actions *acts);
void dhcp6_renew(struct dhcp6_machine *m, uint64_t now, struct dhcp6_actions *acts);
int dhcp6_release(struct dhcp6_machine *m, uint64_t now, struct dhcp6_actions *acts); /* -ENODATA: no lease */

#endif
