/* SPDX-License-Identifier: BSD-3-Clause
 * Datagrams of the stack: UDP sockets, and ICMP echo with its errors. Buffers passed to upcalls are borrowed.
 */
#ifndef CAPNET_STACK_DGRAM_H
#define CAPNET_STACK_DGRAM_H

#include "stack/stack.h"

struct stack_udp;
struct stack_udp_ops {
  void (*received)(void *arg, const struct net_endpoint *from, const struct net_endpoint *to, const uint8_t *data,
                   size_t len);
  /* An ICMP error about a datagram of ours: -ECONNREFUSED (port), -EHOSTUNREACH (also: its next hop does not answer),
   * -ENETUNREACH. May be NULL. */
  void (*error)(void *arg, const struct net_endpoint *remote, int error);
  /* The bound address is gone. May be NULL. */
  void (*ended)(void *arg);
};

/* local NULL or port 0: a random port (RFC 6056). Without an address it is of both families, with "0.0.0.0" or "::" of
 * the one. -EADDRINUSE, -ENONET, -EADDRNOTAVAIL. */
int stack_udp_open(struct stack *s, const struct net_endpoint *local, const struct stack_udp_ops *ops, void *arg,
                   struct stack_udp **ret);
/* Bound to one interface, for DHCP. IPv4: it need not have an address; may send and receive broadcasts, from 0.0.0.0
 * while there is no address, and what arrives for `port` is taken whatever its destination address. IPv6: sends from the
 * link-local address (-EADDRNOTAVAIL while there is none that is usable), to other addresses of this link and to groups.
 * -EINVAL: no port, no family. */
int stack_udp_open_if(struct stack_if *i, uint8_t family, uint16_t port, const struct stack_udp_ops *ops, void *arg,
                      struct stack_udp **ret);
struct stack_udp *stack_udp_close(struct stack_udp *u);
struct net_endpoint stack_udp_local(const struct stack_udp *u);
int stack_udp_send(struct stack_udp *u, const struct net_endpoint *to, const void *data, size_t len);
/* Is the hardware address of this IPv4 neighbour known? Where it is not, and ask, it is asked for: once, and again each
 * second. From no address where the interface has none. */
bool stack_if_resolves(struct stack_if *i, const struct net_addr *hop, bool ask);
/* From an address that the interface need not have, to `hop` on its link, whatever the routes say: how a lease that is
 * not in force is given back. IPv4, of a socket that is bound to an interface: -EINVAL. */
int stack_udp_send_by(struct stack_udp *u, const struct net_addr *from, const struct net_addr *hop,
                      const struct net_endpoint *to, const void *data, size_t len);

/* --- echo of ICMP and ICMPv6 ------------------------------------------------------------------------------------- */

enum stack_echo_kind {
  STACK_ECHO_REPLY,
  STACK_ECHO_UNREACHABLE,
  STACK_ECHO_TTL_EXCEEDED,
  STACK_ECHO_TOO_BIG, /* ICMPv6; ICMP's "fragmentation needed" is unreachable, code 4 */
  STACK_ECHO_PARAMETER_PROBLEM /* ICMPv6 */
};
struct stack_echo_event {
  enum stack_echo_kind kind;
  struct net_addr from; /* who sent this; ourselves (code 1, of ICMPv6 3): the next hop does not answer */
  uint8_t code;         /* RFC 792, RFC 4443 */
  uint8_t ttl;          /* hop limit of the packet that brought it */
  uint16_t seq;
  uint32_t word;          /* TOO_BIG: the MTU that was told; PARAMETER_PROBLEM: which byte of the request */
  const uint8_t *payload; /* of a reply */
  size_t len;
};

/* One echo session: an identifier of its own, chosen at random and used by no other; only what answers it is delivered, and
 * of the family that was sent to last.
 * What cannot be an answer (bad checksum, too short, wrong identifier) is dropped and counted in stack_stats. */
struct stack_echo;
int stack_echo_open(struct stack *s, void (*event)(void *arg, const struct stack_echo_event *ev), void *arg,
                    struct stack_echo **ret);
/* ttl 0: the default of 64. -ENONET, -ENETUNREACH, -EMSGSIZE (over the MTU), -ENOBUFS. */
int stack_echo_send(struct stack_echo *e, const struct net_addr *to, uint16_t seq, uint8_t ttl, const void *payload,
                    size_t len);
struct stack_echo *stack_echo_close(struct stack_echo *e);

#endif
