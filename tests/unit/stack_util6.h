/* SPDX-License-Identifier: BSD-3-Clause
 * IPv6 for the two interfaces of stack_util.h: 2001:db8::1 and ::2 on one link, with fe80::1 and ::2.
 */
#ifndef CAPNET_TEST_STACK_UTIL6_H
#define CAPNET_TEST_STACK_UTIL6_H

#include "stack/stack_if6.h"

#include "stack_util.h"

static inline void prefer6(struct stack_if *i, const char *text) {
  struct net_addr a = addr_of(text);
  cr_assert_eq(stack_if_set_ipv6(i, &a, 64, STACK_ADDR_PREFERRED), 0);
}

static inline void net_add_v6(struct net *n) {
  const struct stack_route on_link = {.dst = {.addr = addr_of("2001:db8::"), .len = 64}};
  prefer6(n->a, "fe80::1");
  prefer6(n->b, "fe80::2");
  prefer6(n->a, "2001:db8::1");
  prefer6(n->b, "2001:db8::2");
  cr_assert_eq(stack_if_set_routes(n->a, AF_INET6, &on_link, 1), 0);
  cr_assert_eq(stack_if_set_routes(n->b, AF_INET6, &on_link, 1), 0);
  run(n, 3 * SEC);
}

#endif
