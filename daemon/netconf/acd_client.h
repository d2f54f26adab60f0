/* SPDX-License-Identifier: BSD-3-Clause
 * The machine of RFC 5227 on a real interface: ARP frames and a boot-time timer.
 */
#ifndef CAPNET_ACD_CLIENT_H
#define CAPNET_ACD_CLIENT_H

#include "netconf/acd_machine.h"

struct acd_client;

/* mac: of the other host; NULL for ACD_ACT_CLEAR. PROBE and ANNOUNCE are not told. The client may not be freed inside. */
typedef void (*acd_client_fn)(void *arg, enum acd_action_kind what, const struct net_addr *addr, const uint8_t mac[6]);

/* Borrows the interface; cfg's mac is filled in. */
int acd_client_new(struct loop *loop, struct stack_if *iface, const struct acd_config *cfg, acd_client_fn fn, void *arg,
                   struct acd_client **ret);
struct acd_client *acd_client_free(struct acd_client *c); /* returns NULL; NULL is fine */

/* fn is called later, never from inside. Probing what is being probed changes nothing. */
void acd_client_probe(struct acd_client *c, const struct net_addr *addr);
void acd_client_guard(struct acd_client *c, const struct net_addr *addr, bool keep);
void acd_client_announce(struct acd_client *c);
void acd_client_count_conflict(struct acd_client *c);
void acd_client_stop(struct acd_client *c);
const struct acd_machine *acd_client_machine(const struct acd_client *c);

#endif
