/* SPDX-License-Identifier: BSD-3-Clause
 * The index of connections: lwIP's active pcbs and those in TIME_WAIT, by their four-tuple, in a table that grows and
 * shrinks with them, a few places at a time. The hash is keyed: who chooses addresses and ports cannot aim at a chain.
 * It answers lwIP's questions that would walk over all pcbs (patch tcp-look-up-by-hook).
 */
#ifndef CAPNET_STACK_TABLE_H
#define CAPNET_STACK_TABLE_H

#include "stack/stack_pcb.h"

#include "lwip/tcp.h"

struct stack_table_counts {
  size_t active, time_wait;
  size_t places;  /* of the table */
  bool moving;    /* from a smaller or larger one */
};

/* The pcb, active or in TIME_WAIT, or NULL. */
struct tcp_pcb *stack_table_find(const ip_addr_t *local, uint16_t lport, const ip_addr_t *remote, uint16_t rport);
/* Has an active connection this local port? */
bool stack_table_port_used(uint16_t port);
void stack_table_counts(struct stack_table_counts *ret);
/* What the hooks report: pcb has come among the active ones or into TIME_WAIT, or leaves either. To leave twice is
 * harmless. */
void stack_table_add(struct tcp_pcb *pcb);
void stack_table_remove(struct tcp_pcb *pcb);

#endif
