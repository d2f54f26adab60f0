/* SPDX-License-Identifier: BSD-3-Clause
 * What the rest of this room tells the listeners, and asks them.
 */
#ifndef CAPNET_STACK_LISTEN_PRIVATE_H
#define CAPNET_STACK_LISTEN_PRIVATE_H

#include "stack/stack_private.h"

void stack_listeners_serve(struct stack *s);

/* Who listens there: at this address rather than at any. */
struct tcp_pcb_listen *stack_listener_find(struct stack *s, const ip_addr_t *local, uint16_t port);

/* A SYN beyond the backlog: is it to be answered with a RST? Then, whether it was: counts it. */
bool stack_listener_refuses(const struct tcp_pcb_listen *pcb);
void stack_listener_overflow(struct stack *s, const struct tcp_pcb_listen *pcb, bool refused);

void stack_listeners_address_lost(struct stack *s, const struct net_addr *a);
void stack_listeners_address_gained(struct stack *s, const struct stack_if *i); /* it has the address already */
void stack_listeners_if_gone(struct stack *s, const struct stack_if *i);        /* none will come to it any more */

#endif
