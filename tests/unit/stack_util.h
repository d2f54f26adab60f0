/* SPDX-License-Identifier: BSD-3-Clause
 * What the tests of daemon/stack/ share: two interfaces of one stack joined by a memory pair, so they behave like two
 * hosts, and ends of connections that write down what they are told.
 */
#ifndef CAPNET_TEST_STACK_UTIL_H
#define CAPNET_TEST_STACK_UTIL_H

#include "stack/stack.h"
#include "stack/stack_dgram.h"
#include "stack/stack_listen.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define MS NSEC_PER_MSEC
#define SEC NSEC_PER_SEC

/* A listener that is like most: it ends with its address, and a SYN too many waits. */
#define BACKLOG(n) (&(const struct stack_listen_options){.backlog = (n)})

struct net {
  struct loop *loop;
  struct stack *s;
  struct stack_if *a, *b;
  struct nic *nic_a;
  struct net_addr addr_a, addr_b;
};

static inline struct net_addr addr_of(const char *text) {
  struct net_addr a;
  cr_assert_eq(net_addr_parse(text, &a), 0);
  return a;
}

static inline struct net_endpoint ep(struct net_addr a, uint16_t port) {
  return (struct net_endpoint){.addr = a, .port = port};
}

/* The stack and its two interfaces over the ends of one wire. */
static inline void net_start(struct net *n, struct nic *na, struct nic *nb) {
  n->nic_a = na;
  cr_assert_eq(stack_new(n->loop, &n->s), 0);
  cr_assert_eq(stack_if_add(n->s, na, "a", NULL, NULL, &n->a), 0);
  cr_assert_eq(stack_if_add(n->s, nb, "b", NULL, NULL, &n->b), 0);
  n->addr_a = addr_of("10.0.0.1");
  n->addr_b = addr_of("10.0.0.2");
  cr_assert_eq(stack_if_set_ipv4(n->a, &n->addr_a, 24, NULL), 0);
  cr_assert_eq(stack_if_set_ipv4(n->b, &n->addr_b, 24, NULL), 0);
}

/* The loop, and a wire of so many frames each way. fault NULL: a perfect one. Each direction gets its own seed. */
static inline void net_wire(struct net *n, unsigned queue, const struct nic_fault_config *fault, struct nic **ret_a,
                            struct nic **ret_b) {
  memset(n, 0, sizeof(*n));
  cr_assert_eq(loop_sim_new(&n->loop), 0);
  cr_assert_eq(nic_memory_pair(n->loop, 1500, queue, ret_a, ret_b), 0);
  if (fault) {
    struct nic_fault_config f = *fault;
    cr_assert_eq(nic_fault_wrap(*ret_a, &f, ret_a), 0);
    f.seed = ~f.seed;
    cr_assert_eq(nic_fault_wrap(*ret_b, &f, ret_b), 0);
  }
}

static inline void net_open(struct net *n, const struct nic_fault_config *fault) {
  struct nic *na, *nb;
  net_wire(n, 4096, fault, &na, &nb);
  net_start(n, na, nb);
}

static inline void net_close(struct net *n) {
  n->s = stack_free(n->s);
  n->loop = loop_free(n->loop);
}

static inline void run(struct net *n, uint64_t ns) { cr_assert_eq(loop_sim_advance(n->loop, ns), 0); }

static inline struct stack_stats stats_of(struct net *n) {
  struct stack_stats st;
  stack_get_stats(n->s, &st);
  return st;
}

#endif
