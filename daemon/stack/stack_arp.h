/* SPDX-License-Identifier: BSD-3-Clause
 * ARP for those who look for conflicts (RFC 5227): every valid frame of an interface, before lwIP sees it, and frames of
 * one's own making. Answering and resolving stay lwIP's.
 */
#ifndef CAPNET_STACK_ARP_H
#define CAPNET_STACK_ARP_H

#include "stack/stack.h"

#define STACK_ARP_REQUEST 1
#define STACK_ARP_REPLY 2

/* RFC 826 for Ethernet and IPv4. An address of 0.0.0.0 has its family. */
struct stack_arp_packet {
  uint16_t op;
  uint8_t sender_mac[6], target_mac[6];
  struct net_addr sender, target;
};

struct stack_arp;
/* received may close this one, or any other. -ENOMEM. */
int stack_arp_open(struct stack_if *i, void (*received)(void *arg, const struct stack_arp_packet *p), void *arg,
                   struct stack_arp **ret);
/* To everybody on the link. -ENETDOWN without one, -ENODEV when the device is gone, -EINVAL: an address is not IPv4. */
int stack_arp_send(struct stack_arp *a, const struct stack_arp_packet *p);
struct stack_arp *stack_arp_close(struct stack_arp *a); /* returns NULL; NULL is fine */

/* For stack_if.c: a frame with an ARP packet, of at least 42 bytes. */
void stack_arp_input(struct stack_if *i, const uint8_t *frame);

#endif
