/* SPDX-License-Identifier: BSD-3-Clause
 * The MTU of an interface, for the files of this room.
 */
#ifndef CAPNET_STACK_IF_MTU_H
#define CAPNET_STACK_IF_MTU_H

#include <stdint.h>

struct stack_if;

struct stack_mtu_limit {
  unsigned mtu; /* 0: none */
  const char *origin;
};

/* stack_if_mtu.c: the smaller one of the device's and what the network asks for, and who says so. */
unsigned stack_if_mtu(const struct stack_if *i, uint8_t family);
const char *stack_if_mtu_origin(const struct stack_if *i, uint8_t family);
void stack_if_mtu_changed(struct stack_if *i); /* nic->mtu has */

/* stack_tcp_path.c: the connections of the interface take it up. */
void stack_tcp_mtu_changed(struct stack_if *i);

#endif
