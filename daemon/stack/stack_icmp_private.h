/* SPDX-License-Identifier: BSD-3-Clause
 * What stack_icmp.c and stack_icmp6.c share: the sessions of echo, and who is told of an error.
 */
#ifndef CAPNET_STACK_ICMP_PRIVATE_H
#define CAPNET_STACK_ICMP_PRIVATE_H

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
/* Headers and payload of a request, without its checksum; NULL: no memory. */
struct pbuf *stack_echo_packet(const struct stack_echo *e, uint8_t type, uint16_t seq, const void *payload, size_t len);

int stack_echo_send6(struct stack_echo *e, const struct net_addr *to, uint16_t seq, uint8_t ttl, const void *payload,
                     size_t len);
/* As stack_icmp_undelivered, of a packet of IPv6. */
void stack_icmp6_undelivered(struct stack *s, const uint8_t *quote, size_t len);

static inline uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) << 16 | get16(p + 2); }
static inline void put16(uint8_t *p, uint16_t v) {
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}

#endif
