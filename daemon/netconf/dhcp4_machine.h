/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv4 client as a pure state machine (RFC 2131 figure 5): events and the time go in, actions come out in the
 * order in which they are to be done. No input or output, no clock and no randomness of its own, no memory beyond its
 * struct.
 *
 * What holds after every event (tests/unit/test_dhcp4_machine.c draws random ones to prove it):
 *   - an address is applied exactly while a lease is live: machine.has_lease, and now < lease.expiry_ns;
 *   - deadline_ns is the one next moment at which dhcp4_timeout must be called, and it is set unless the machine is
 *     off, released, bound for ever, or has neither link nor lease.
 */
#ifndef CAPNET_DHCP4_MACHINE_H
#define CAPNET_DHCP4_MACHINE_H

#include "netconf/dhcp4_msg.h"
#include "netconf/netconf.h"

struct dhcp4_lease {
  struct dhcp4_params params;
  uint64_t t1_ns, t2_ns, expiry_ns; /* boot-time clock; 0: a lease without end */
};

struct dhcp4_config {
  uint8_t mac[6];
  char hostname[64];
  uint32_t (*random)(void *arg);
  void *random_arg;
};

enum dhcp4_action_kind {
  DHCP4_ACT_SEND,  /* message to `to`:67; family 0 is the limited broadcast */
  DHCP4_ACT_APPLY, /* machine.lease is new or renewed */
  DHCP4_ACT_DROP,  /* no lease is in force any more */
  DHCP4_ACT_STATE  /* from one state to another, why: a static string */
};
struct dhcp4_action {
  enum dhcp4_action_kind kind;
  struct dhcp4_send message;
  struct net_addr to;
  enum dhcp_state from, state;
  const char *why;
};

#define DHCP4_ACTIONS_MAX 8
struct dhcp4_actions {
  struct dhcp4_action a[DHCP4_ACTIONS_MAX];
  unsigned n;
};

struct dhcp4_machine {
  struct dhcp4_config cfg;
  enum dhcp_state state;
  bool link;
  uint64_t deadline_ns; /* 0: none */

  uint32_t xid;
  unsigned tries;          /* messages of this state sent so far */
  unsigned naks;           /* in a row, slows the next discovery */
  uint64_t acquire_ns;     /* when the acquisition began, for the secs field */
  uint64_t request_ns;     /* when the first request under this xid was sent: a lease counts from there */
  bool quick;              /* asked on demand or after the link came back: a few quick tries, then the schedule */
  bool verify;             /* those tries ask as after a reboot (RFC 2131 4.3.2): is this still our network? */
  struct dhcp4_params offer; /* while requesting */

  bool has_lease;
  struct dhcp4_lease lease;
  uint64_t ignored; /* replies that were not for us, late, or made no sense */
};

void dhcp4_init(struct dhcp4_machine *m, const struct dhcp4_config *cfg, bool link);

/* Each event first ends a lease that is over. acts is written anew. */
void dhcp4_start(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts);
void dhcp4_stop(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts); /* the server is not told */
void dhcp4_link(struct dhcp4_machine *m, bool up, uint64_t now, struct dhcp4_actions *acts);
void dhcp4_timeout(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts); /* early calls are harmless */
void dhcp4_receive(struct dhcp4_machine *m, const struct dhcp4_reply *r, uint64_t now, struct dhcp4_actions *acts);
/* Asks for the lease anew, or starts an acquisition when there is none. */
void dhcp4_renew(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts);
int dhcp4_release(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts); /* -ENODATA: no lease */

#endif
