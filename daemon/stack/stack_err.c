/* SPDX-License-Identifier: BSD-3-Clause
 * lwIP's errors and addresses into ours and back: the one file that knows both.
 */
#include "stack/stack_private.h"

int stack_errno(err_t e) {
  switch ((err_enum_t)e) {
  case ERR_OK:
    return 0;
  case ERR_MEM:
  case ERR_BUF:
    return -ENOBUFS;
  case ERR_TIMEOUT:
    return -ETIMEDOUT;
  case ERR_RTE:
    return -ENETUNREACH;
  case ERR_INPROGRESS:
  case ERR_WOULDBLOCK:
    return -EAGAIN;
  case ERR_USE:
    return -EADDRINUSE;
  case ERR_ALREADY:
    return -EALREADY;
  case ERR_ISCONN:
    return -EISCONN;
  case ERR_CONN:
  case ERR_CLSD:
    return -ENOTCONN;
  case ERR_ABRT:
    return -ECONNABORTED;
  case ERR_RST:
    return -ECONNRESET;
  case ERR_IF:
    return -ENETDOWN;
  case ERR_VAL:
  case ERR_ARG:
    return -EINVAL;
  }
  return -EINVAL;
}

ip_addr_t stack_to_lwip(const struct net_addr *a) {
  ip_addr_t r = {0};
  if (a && a->family == AF_INET6) {
    IP_SET_TYPE_VAL(r, IPADDR_TYPE_V6);
    memcpy(ip_2_ip6(&r)->addr, a->b, 16);
  } else {
    uint32_t v = 0;
    if (a && a->family == AF_INET)
      memcpy(&v, a->b, 4);
    ip_addr_set_ip4_u32_val(r, v);
  }
  return r;
}

struct net_addr stack_from_ip4(const ip4_addr_t *a) {
  struct net_addr r = {.family = AF_INET};
  uint32_t v = ip4_addr_get_u32(a);
  memcpy(r.b, &v, 4);
  return r;
}

struct net_addr stack_from_lwip(const ip_addr_t *a) {
  if (!IP_IS_V6(a))
    return stack_from_ip4(ip_2_ip4(a));
  struct net_addr r = {.family = AF_INET6};
  memcpy(r.b, ip_2_ip6(a)->addr, 16);
  return net_addr_canonical(r);
}
