/* SPDX-License-Identifier: BSD-3-Clause
 * What stack_icmp.c and stack_icmp6.c share: the sessions of echo, and who is told of an error.
 */
#ifndef CAPNET_STACK_ICMP_PRIVATE_H
#define CAPNET_STACK_ICMP_PRIVATE_H

#include "base/wire.h"
#include "stack/stack_private.h"

#define ICMP_HLEN 8u /* of both */
#define ECHO_DEFAULT_TTL 64

struct stack_echo {
  struct list link;
  struct stack *s;
  uint16_t id;
  uint8_t family; /* of what was sent last; 0: nothing yet */
  void (*event)(void *arg, const struct stack_echo_event *ev);
  void *arg;
};

/* Whose answer it is; NULL: nobody's. */
struct stack_echo *stack_echo_find(struct stack *s, uint8_t family, uint16_t id);
/* A reply came: whose it is hears of it, and what is nobody's is counted. */
void stack_echo_replied(struct stack *s, uint8_t family, const struct net_addr *from, uint8_t ttl, const uint8_t *icmp,
                        size_t len);
/* Headers and payload of a request, without its checksum; NULL: no memory. */
struct pbuf *stack_echo_packet(const struct stack_echo *e, uint8_t type, uint16_t seq, const void *payload, size_t len);

int stack_echo_send6(struct stack_echo *e, const struct net_addr *to, uint16_t seq, uint8_t ttl, const void *payload,
                     size_t len);
/* As stack_icmp_undelivered, of a packet of IPv6. */
void stack_icmp6_undelivered(struct stack *s, const uint8_t *quote, size_t len);

#endif
