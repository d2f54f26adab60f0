/* SPDX-License-Identifier: BSD-3-Clause
 * Duplicate address detection of one address as a pure state machine (RFC 4862 5.4, RFC 7527): events and the time go
 * in, what is to be sent comes out.
 */
#ifndef CAPNET_DAD_MACHINE_H
#define CAPNET_DAD_MACHINE_H

#include "netconf/dad_msg.h"

#define DAD_TRANSMITS 1        /* RFC 4862 5.1, DupAddrDetectTransmits */
#define DAD_LOOPED_TRANSMITS 3 /* RFC 7527 4.1: after a probe that came back, MAX_MULTICAST_SOLICIT more */
#define DAD_RETRANS_MS 1000    /* RetransTimer, where no router says otherwise */
#define DAD_DELAY_MS 1000      /* MAX_RTR_SOLICITATION_DELAY */

enum dad_state {
  DAD_IDLE,
  DAD_PROBING,
  DAD_UNIQUE,
  DAD_DUPLICATE
};

struct dad_machine {
  struct net_addr addr;
  enum dad_state state;
  uint64_t deadline_ns; /* 0: none; set exactly while probing */
  uint32_t retrans_ms;
  unsigned left;                                 /* probes of this round that are still to be sent */
  uint8_t nonces[DAD_LOOPED_TRANSMITS][DAD_NONCE]; /* of the last probes */
  unsigned n_sent;
  bool looped; /* one of them came back in this round */
};

/* delay: the first probe waits for a random part of a second, since others may begin at the same moment (5.4.2). */
void dad_start(struct dad_machine *m, const struct net_addr *addr, uint32_t retrans_ms, bool delay, uint32_t random,
               uint64_t now);
void dad_stop(struct dad_machine *m);
/* Returns true when a probe with that nonce is to be sent now; random is asked for it. The state may be another. */
bool dad_timeout(struct dad_machine *m, uint32_t (*random)(void *arg), void *arg, uint64_t now, uint8_t ret_nonce[DAD_NONCE]);
void dad_receive(struct dad_machine *m, const struct dad_message *msg); /* the state may be another */

#endif
