/* SPDX-License-Identifier: BSD-3-Clause
 * The steps that the events of dhcp4_machine.c are made of (dhcp4_steps.c).
 */
#ifndef CAPNET_DHCP4_PRIVATE_H
#define CAPNET_DHCP4_PRIVATE_H

#include "netconf/dhcp4_machine.h"

/* acts->n = 0, and a lease that is over ends. True: one has ended, and what follows from that is done. */
bool dhcp4_step_begin(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts);

struct dhcp4_action *dhcp4_act(struct dhcp4_actions *acts, enum dhcp4_action_kind kind);
void dhcp4_set_state(struct dhcp4_machine *m, struct dhcp4_actions *acts, enum dhcp_state to, const char *why);
struct dhcp4_send *dhcp4_send_new(struct dhcp4_machine *m, struct dhcp4_actions *acts, enum dhcp4_type type,
                                  uint64_t since, uint64_t now);
void dhcp4_new_xid(struct dhcp4_machine *m);
uint64_t dhcp4_backoff(struct dhcp4_machine *m, unsigned n); /* after the n-th message */

/* --- without a lease ---------------------------------------------------------------------------------------------- */

/* The last lease is asked for, or any. Without link this waits. */
void dhcp4_acquire(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts, const char *why);
/* Any. state: SELECTING, or EXPIRED: that with the memory that a lease was lost. */
void dhcp4_discover(struct dhcp4_machine *m, enum dhcp_state state, uint64_t now, struct dhcp4_actions *acts,
                    const char *why);
/* The deadline of one of those states has come. */
void dhcp4_acquire_timeout(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts);
void dhcp4_offered(struct dhcp4_machine *m, const struct dhcp4_reply *r, uint64_t now, struct dhcp4_actions *acts);
/* pending is ours, once nobody else uses it. */
void dhcp4_granted(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts, const char *why);
void dhcp4_decline(struct dhcp4_machine *m, const struct dhcp4_params *p, uint64_t now, struct dhcp4_actions *acts,
                   const char *why);
void dhcp4_wait_v6only(struct dhcp4_machine *m, uint32_t s, uint64_t now, struct dhcp4_actions *acts);

/* --- with one ----------------------------------------------------------------------------------------------------- */

void dhcp4_drop(struct dhcp4_machine *m, struct dhcp4_actions *acts, const char *why);
void dhcp4_bind(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts, const char *why); /* pending */
void dhcp4_follow_schedule(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts);
void dhcp4_quick_try(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts);

#endif
