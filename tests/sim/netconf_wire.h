/* SPDX-License-Identifier: BSD-3-Clause
 * The other end of the wire: a scripted DHCP server, and a host that claims addresses.
 */
#ifndef CAPNET_TESTS_NETCONF_WIRE_H
#define CAPNET_TESTS_NETCONF_WIRE_H

#include "../unit/dhcp4_util.h"
#include "../unit/stack_util.h"
#include "stack/stack_arp.h"

#define ADDR 0x0a010005u   /* 10.1.0.5 */
#define SERVER 0x0a010001u /* 10.1.0.1, interface b */

static struct net net;
static struct stack_udp *server; /* port 67 of b */
static struct stack_arp *host;   /* of b */
static uint32_t taken;           /* what that host says it has; 0: nothing */
static unsigned probes, announcements;
static const uint8_t host_mac[6] = {2, 0, 0, 0, 0, 0x99};
static struct {
  bool silent, nak, broadcast, rapid, route, spare, ntp;
  uint32_t addr, lease_s, dns;
  unsigned seen[9]; /* by type */
  uint8_t last[600];
  size_t last_len;
  struct net_endpoint from, to;
} srv;

static inline void answer(const uint8_t *data, uint8_t type) {
  struct raw r;
  size_t n;
  bool inform = *raw_find(data, srv.last_len, 53, &n) == DHCP4_INFORM;
  raw_begin(&r, type, (uint32_t)data[4] << 24 | (uint32_t)data[5] << 16 | (uint32_t)data[6] << 8 | data[7], data + 28,
            inform ? 0 : srv.addr);
  raw_opt32(&r, 54, SERVER);
  if (type != DHCP4_NAK) {
    if (!inform)
      raw_opt32(&r, 51, srv.lease_s);
    if (srv.rapid && type == DHCP4_ACK)
      raw_opt(&r, 80, "", 0);
    raw_opt32(&r, 1, 0xffffff00);
    if (srv.spare) /* nobody is 10.1.0.250 */
      raw_opt(&r, 3, "\x0a\1\0\xfa\x0a\1\0\1", 8);
    else
      raw_opt32(&r, 3, SERVER);
    if (srv.ntp)
      raw_opt(&r, 42, "\x0a\1\0\7\x0a\1\0\x08", 8);
    raw_opt32(&r, 6, srv.dns);
    raw_opt(&r, 15, "lan.test", 8);
    if (srv.route) /* 192.0.2.0/24, and everywhere, through 10.1.0.9 */
      raw_opt(&r, 121, "\x18\xc0\0\2\x0a\1\0\x09\0\x0a\1\0\x09", 13);
  }
  raw_end(&r);
  /* Unicast to an address that the client does not have yet would need its hardware address: a server on a general
   * stack broadcasts. test_stack_dgram has the other way. */
  struct net_endpoint to = ep(net_addr_v4(srv.broadcast ? 0xffffffff : srv.addr), 68);
  cr_assert_eq(stack_udp_send(server, &to, r.b, r.len), 0);
}

static inline void on_received(void *arg _unused_, const struct net_endpoint *from, const struct net_endpoint *to,
                        const uint8_t *data, size_t len) {
  size_t n;
  const uint8_t *type = raw_find(data, len, 53, &n);
  cr_assert(type != NULL && *type < ARRAY_SIZE(srv.seen) && len <= sizeof(srv.last));
  srv.seen[*type]++;
  memcpy(srv.last, data, len);
  srv.last_len = len;
  srv.from = *from;
  srv.to = *to;
  if (*type == DHCP4_DECLINE)
    srv.addr++;
  if (srv.silent || *type == DHCP4_RELEASE || *type == DHCP4_DECLINE)
    return;
  answer(data, *type == DHCP4_DISCOVER && !srv.rapid ? DHCP4_OFFER : srv.nak ? DHCP4_NAK : DHCP4_ACK);
}
static const struct stack_udp_ops server_ops = {.received = on_received};

/* The other host: answers who asks for what it has, and who probes for it. */
static inline void claim(uint32_t addr) {
  struct stack_arp_packet p = {.op = STACK_ARP_REPLY, .sender = net_addr_v4(addr), .target = net_addr_v4(0)};
  memcpy(p.sender_mac, host_mac, 6);
  cr_assert_eq(stack_arp_send(host, &p), 0);
}
static inline void on_arp(void *arg _unused_, const struct stack_arp_packet *p) {
  bool probe = p->op == STACK_ARP_REQUEST && net_addr_is_unspecified(&p->sender);
  probes += probe;
  announcements += p->op == STACK_ARP_REQUEST && !probe && net_addr_equal(&p->sender, &p->target);
  if (taken != 0 && p->op == STACK_ARP_REQUEST && net_addr_to_v4(&p->target) == taken)
    claim(taken);
}

#endif
