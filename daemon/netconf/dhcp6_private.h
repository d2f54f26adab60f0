/* SPDX-License-Identifier: BSD-3-Clause
 * Within dhcp6_*: what the machine and its reading of replies share.
 */
#ifndef CAPNET_DHCP6_PRIVATE_H
#define CAPNET_DHCP6_PRIVATE_H

#include "netconf/dhcp6_machine.h"

#define DHCP6_MAX_RT_S 3600 /* 7.6: SOL_MAX_RT, INF_MAX_RT, unless a server says otherwise */

struct dhcp6_action *dhcp6_act(struct dhcp6_actions *acts, enum dhcp6_action_kind kind);
void dhcp6_set_state(struct dhcp6_machine *m, struct dhcp6_actions *acts, enum dhcp6_state to, const char *why);

/* Begins an exchange, after a random wait of at most a second if delay is set. */
void dhcp6_exchange(struct dhcp6_machine *m, enum dhcp6_state state, bool delay, const char *why, uint64_t now,
                    struct dhcp6_actions *acts);
/* Waits, longer after each failure, and then begins anew. What is in force stays. */
void dhcp6_failed(struct dhcp6_machine *m, const char *why, uint64_t now, struct dhcp6_actions *acts);
/* Where the lease's own times say that it is; or an acquisition, where there is none. */
void dhcp6_schedule(struct dhcp6_machine *m, const char *why, uint64_t now, struct dhcp6_actions *acts);

/* The lease: lifetimes count from now. */
void dhcp6_forget(struct dhcp6_machine *m, unsigned i, const char *why, struct dhcp6_actions *acts);
void dhcp6_drop(struct dhcp6_machine *m, const char *why, struct dhcp6_actions *acts); /* options as well */
void dhcp6_set_params(struct dhcp6_machine *m, const struct dhcp6_params *p, struct dhcp6_actions *acts); /* NULL: none */

/* dhcp6_take.c: a reply to the exchange that runs; xid and client were checked. */
void dhcp6_take(struct dhcp6_machine *m, const struct net_addr *from, const struct dhcp6_reply *r, uint64_t now,
                struct dhcp6_actions *acts);

#endif
