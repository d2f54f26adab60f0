/* SPDX-License-Identifier: BSD-3-Clause
 * ARP beside lwIP: listening before it, and sending past it.
 */
#include "stack/stack_private.h"

#include "base/wire.h"
#include "stack/stack_arp.h"

#include "lwip/prot/ethernet.h"

#define ETH_LEN 14u
#define ARP_LEN 28u
static const uint8_t head[8] = {0, 1, 8, 0, 6, 4}; /* Ethernet, IPv4, the lengths of their addresses; then the operation */

struct stack_arp {
  struct list link;
  struct stack_if *i;
  void (*received)(void *arg, const struct stack_arp_packet *p);
  void *arg;
};

int stack_arp_open(struct stack_if *i, void (*received)(void *arg, const struct stack_arp_packet *p), void *arg,
                   struct stack_arp **ret) {
  struct stack_arp *a = calloc(1, sizeof(*a));
  if (!a)
    return -ENOMEM;
  *a = (struct stack_arp){.i = i, .received = received, .arg = arg};
  list_append(&i->arps, &a->link);
  *ret = a;
  return 0;
}

struct stack_arp *stack_arp_close(struct stack_arp *a) {
  if (!a)
    return NULL;
  list_remove(&a->link);
  free(a);
  return NULL;
}

static struct net_addr address(const uint8_t *p) {
  return net_addr_v4(get32(p));
}

/* frame has at least ETH_LEN + ARP_LEN bytes. Each listener of now is told once, whoever closes meanwhile. */
void stack_arp_input(struct stack_if *i, const uint8_t *frame) {
  const uint8_t *b = frame + ETH_LEN;
  if (list_empty(&i->arps) || memcmp(b, head, 6) != 0)
    return;
  struct stack_arp_packet p = {.op = get16(b + 6), .sender = address(b + 14), .target = address(b + 24)};
  if (p.op != STACK_ARP_REQUEST && p.op != STACK_ARP_REPLY)
    return;
  memcpy(p.sender_mac, b + 8, 6);
  memcpy(p.target_mac, b + 18, 6);
  struct list todo;
  list_take(&i->arps, &todo);
  while (!list_empty(&todo)) {
    struct stack_arp *a = list_first(&todo, struct stack_arp, link);
    list_remove(&a->link);
    list_append(&i->arps, &a->link);
    a->received(a->arg, &p);
  }
}

int stack_arp_send(struct stack_arp *a, const struct stack_arp_packet *p) {
  uint8_t f[ETH_LEN + ARP_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  uint8_t *b = f + ETH_LEN;
  struct stack_if *i = a->i;
  if (p->sender.family != AF_INET || p->target.family != AF_INET)
    return -EINVAL;
  if (i->gone)
    return -ENODEV;
  if (!netif_is_link_up(&i->netif))
    return -ENETDOWN;
  memcpy(f + 6, p->sender_mac, 6);
  f[12] = ETHTYPE_ARP >> 8;
  f[13] = ETHTYPE_ARP & 0xff;
  memcpy(b, head, 6);
  b[6] = (uint8_t)(p->op >> 8);
  b[7] = (uint8_t)p->op;
  memcpy(b + 8, p->sender_mac, 6);
  memcpy(b + 14, p->sender.b, 4);
  memcpy(b + 18, p->target_mac, 6);
  memcpy(b + 24, p->target.b, 4);
  (void)nic_send_one(i->nic, f, sizeof(f)); /* what the device refuses is lost, as on a wire */
  return 0;
}
