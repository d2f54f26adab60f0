/* SPDX-License-Identifier: BSD-3-Clause
 * The MTU of an interface: the device's, which may change at any time, and below it what the network asked for (DHCP
 * option 26, a router advertisement), for each family its own.
 */
#include "stack/stack_if6.h"
#include "stack/stack_private.h"

#define IP4_MTU_MIN 68u   /* RFC 791 3.2 */

unsigned stack_if_mtu(const struct stack_if *i, uint8_t family) {
  const struct stack_mtu_limit *l = &i->mtu_limit[family == AF_INET6];
  return l->mtu ? MIN(i->nic->mtu, l->mtu) : i->nic->mtu;
}

const char *stack_if_mtu_origin(const struct stack_if *i, uint8_t family) {
  const struct stack_mtu_limit *l = &i->mtu_limit[family == AF_INET6];
  return l->mtu && l->mtu < i->nic->mtu ? l->origin : i->nic->mtu_origin;
}

/* Connections that are open take notice at once: nobody else would tell them, since the device takes what is too large
 * for it from nobody. */
void stack_if_mtu_changed(struct stack_if *i) {
  i->netif.mtu = (u16_t)stack_if_mtu(i, AF_INET);
  i->netif.mtu6 = (u16_t)stack_if_mtu(i, AF_INET6);
  stack_tcp_mtu_changed(i);
}

int stack_if_limit_mtu(struct stack_if *i, uint8_t family, unsigned mtu, const char *origin) {
  if ((family != AF_INET && family != AF_INET6) || (mtu && mtu < (family == AF_INET ? IP4_MTU_MIN : IP6_MTU_MIN)))
    return -EINVAL;
  struct stack_mtu_limit *l = &i->mtu_limit[family == AF_INET6];
  unsigned before = stack_if_mtu(i, family);
  *l = (struct stack_mtu_limit){.mtu = mtu, .origin = origin};
  if (stack_if_mtu(i, family) == before)
    return 0;
  stack_sync(i->s);
  stack_if_mtu_changed(i);
  stack_kick(i->s);
  return 0;
}
