/* SPDX-License-Identifier: BSD-3-Clause
 * Within slaac_*: what the machine's files share, and what is read out of its lists.
 */
#ifndef CAPNET_SLAAC_LISTS_H
#define CAPNET_SLAAC_LISTS_H

#include "netconf/slaac_machine.h"

/* A way out: gateway family 0 is "on link". */
struct slaac_hop {
  struct net_prefix dst;
  struct net_addr gateway;
};
/* On-link prefixes, routes, default routers; for one prefix in order of preference. Returns how many. */
unsigned slaac_hops(const struct slaac_machine *m, struct slaac_hop ret[SLAAC_HOPS_MAX]);
uint64_t slaac_router_until(const struct slaac_router *r); /* the later of its two ends */

/* --- private to the machine --- */
uint64_t slaac_until(uint64_t now, uint32_t seconds); /* 0 for 0 */
struct slaac_action *slaac_act(struct slaac_actions *acts, enum slaac_action_kind kind);
void slaac_act_address(struct slaac_actions *acts, const struct slaac_prefix *p);
void slaac_act_router(struct slaac_actions *acts, const struct slaac_router *r, const char *from, const char *to,
                      const char *why);
const char *slaac_router_state(const struct slaac_router *r);
/* Ends what is over. */
void slaac_expire(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts);
/* Gives up what the link that is back did not bring again. */
void slaac_give_up_unconfirmed(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts);
/* slaac_take.c: what a valid advertisement says. Returns whether it left a default route, which is what solicitations ask
 * for (RFC 4861 6.3.7, RFC 7559 2): by its header, or by an option for ::/0 (RFC 4191 3.1). */
bool slaac_take(struct slaac_machine *m, const struct net_addr *from, const struct ra_message *ra, uint64_t now,
                struct slaac_actions *acts);
/* The next moment at which any entry changes by itself; SLAAC_FOREVER. */
uint64_t slaac_next_end(const struct slaac_machine *m);

#endif
