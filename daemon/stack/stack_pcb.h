/* SPDX-License-Identifier: BSD-3-Clause
 * What this room keeps in each of lwIP's pcbs (lwip-port/lwipopts.h puts it there): its place in the index of
 * connections and when it is due (stack_table.h).
 */
#ifndef CAPNET_STACK_PCB_H
#define CAPNET_STACK_PCB_H

#include "stack/stack_wheel.h"

struct tcp_pcb;

enum stack_pcb_filed {
  STACK_PCB_NOWHERE, /* nothing is due, ever */
  STACK_PCB_TOUCHED,
  STACK_PCB_IN_WHEEL,
  STACK_PCB_TIME_WAIT,
};

enum stack_pcb_indexed { STACK_PCB_UNKNOWN, STACK_PCB_ACTIVE, STACK_PCB_WAITS };

struct stack_pcb {
  struct wheel_timer timer; /* its link is used wherever it is filed */
  struct tcp_pcb *hash_next;
  uint32_t hash;
  uint32_t ack_due;  /* tick at which a delayed ACK or a FIN goes out, 0: none waits */
  uint32_t retry_at; /* tick before which what failed is not tried again, 0: nothing did */
  uint8_t filed;     /* enum stack_pcb_filed */
  uint8_t indexed;   /* enum stack_pcb_indexed */
};

#endif
