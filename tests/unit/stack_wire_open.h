/* SPDX-License-Identifier: BSD-3-Clause
 * Opening and closing the wire of stack_wire.h; apart, since the fuzz target has no Criterion.
 */
#ifndef CAPNET_TEST_STACK_WIRE_OPEN_H
#define CAPNET_TEST_STACK_WIRE_OPEN_H

#include "stack_wire.h"

static inline int wire_open_mtu(struct wire *w, unsigned mtu) {
  struct stack_if_info info;
  struct net_addr own = net_addr_v4(WIRE_OWN), gw = net_addr_v4(0x0a0000fe);
  memset(w, 0, sizeof(*w));
  if (loop_sim_new(&w->loop) < 0 || nic_memory_pair(w->loop, mtu, 4096, &w->near, &w->far) < 0 ||
      stack_new(w->loop, &w->s) < 0 || stack_if_add(w->s, w->near, "net0", NULL, NULL, &w->i) < 0 ||
      nic_start(w->far, &wire_up, w) < 0 || stack_if_set_ipv4(w->i, &own, 24, &gw) < 0)
    return -1;
  stack_if_info(w->i, &info);
  memcpy(w->mac, info.mac, 6);
  wire_run(w, 10 * NSEC_PER_SEC); /* nobody is the gateway: it stops asking */
  return 0;
}

static inline int wire_open(struct wire *w) { return wire_open_mtu(w, 1500); }

static inline void wire_close(struct wire *w) {
  w->s = stack_free(w->s);
  nic_free(w->far);
  w->loop = loop_free(w->loop);
}

#endif
