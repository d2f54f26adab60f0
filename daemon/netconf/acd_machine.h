/* SPDX-License-Identifier: BSD-3-Clause
 * IPv4 address conflict detection (RFC 5227) as a pure state machine: is an address free, and does it stay ours? Events
 * and the time go in, actions come out. Two of them watch an interface: one probes what is to be used, one guards what is
 * in use.
 */
#ifndef CAPNET_ACD_MACHINE_H
#define CAPNET_ACD_MACHINE_H

#include "stack/stack_arp.h"

enum acd_state {
  ACD_IDLE,
  ACD_PROBING, /* not in use: any claim to it is a conflict (2.1.1) */
  ACD_GUARDING /* in use: announced, and defended (2.3, 2.4) */
};

struct acd_config {
  uint8_t mac[6];
  bool fast; /* all times a tenth of the RFC's or less: three probes in less than a second */
  uint32_t (*random)(void *arg);
  void *random_arg;
};

enum acd_action_kind {
  ACD_ACT_PROBE,    /* send one, for the address */
  ACD_ACT_ANNOUNCE, /* send one */
  ACD_ACT_CLEAR,    /* nobody claims it; the machine is idle */
  ACD_ACT_CONFLICT, /* somebody, `mac`, does; idle */
  ACD_ACT_DEFENDED, /* `mac` claimed what is in use, and was told so (that announcement comes before) */
  ACD_ACT_LOST      /* `mac` insists, and it is to be given up; idle */
};
struct acd_action {
  enum acd_action_kind kind;
  uint8_t mac[6];
};
#define ACD_ACTIONS_MAX 3
struct acd_actions {
  struct acd_action a[ACD_ACTIONS_MAX];
  unsigned n;
};

#define ACD_PROBES 3 /* PROBE_NUM; 1.1 has all of these */
struct acd_machine {
  struct acd_config cfg;
  enum acd_state state;
  struct net_addr addr;
  uint64_t deadline_ns; /* of the next step; 0: only a frame can bring news */

  bool keep;     /* while guarding: acd_guard */
  unsigned sent; /* probes or announcements */
  uint64_t probe_ns[ACD_PROBES], clear_ns;
  unsigned conflicts;   /* MAX_CONFLICTS of them slow the next probing down; forgotten after ten minutes without any */
  uint64_t conflict_ns; /* the last of them */
  uint64_t began_ns;    /* the last probing; 0: none */
  uint64_t defended_ns; /* 0: never */
  uint64_t seen;        /* conflicts in all */
};

void acd_init(struct acd_machine *m, const struct acd_config *cfg);
/* Is it free? Times are drawn at once: m->clear_ns is when it will be taken, unless somebody speaks up. */
void acd_probe(struct acd_machine *m, const struct net_addr *addr, uint64_t now);
/* It is in use from now on. The first announcement is the stack's own (stack_if_set_ipv4), the second is ordered here.
 * keep: it is defended for ever, once in DEFEND_INTERVAL (2.4 c); else given up at a second conflict within it (b). */
void acd_guard(struct acd_machine *m, const struct net_addr *addr, bool keep, uint64_t now);
/* What is guarded was verified anew: it is announced again, twice, from now on. */
void acd_announce(struct acd_machine *m, uint64_t now);
/* A conflict that the other machine of this interface met counts here, too (2.1.1). */
void acd_count_conflict(struct acd_machine *m, uint64_t now);
void acd_stop(struct acd_machine *m);
void acd_timeout(struct acd_machine *m, uint64_t now, struct acd_actions *acts); /* early calls are harmless */
void acd_receive(struct acd_machine *m, const struct stack_arp_packet *p, uint64_t now, struct acd_actions *acts);

#endif
