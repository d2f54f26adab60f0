/* SPDX-License-Identifier: BSD-3-Clause
 * ICMPv6 but neighbour discovery and groups: echo, and errors about what we sent (RFC 4443, RFC 8201, RFC 5927). lwIP
 * has verified the checksum, and answers the requests that it may.
 */
#include "stack/stack_icmp_private.h"
#include "stack/stack_ip6.h"
#include "stack/stack_route.h"

#include "capnet_hooks.h"
#include "lwip/icmp6.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip6.h"
#include "lwip/prot/ip6.h"

#define INNER_MIN 8u /* ports and sequence number of TCP, the identifier of echo */
#define FRAG_OFFSET 0xfff8u

/* What an error says about: a packet of ours, as far as it is quoted. */
struct quote {
  struct net_endpoint local, remote;
  uint8_t proto;
  const uint8_t *inner; /* INNER_MIN bytes */
  size_t len;           /* of the whole packet, as its header says */
};

/* We send no extension header but that of fragments. */
static bool parse_quote(const uint8_t *q, size_t len, struct quote *ret) {
  size_t at = IP6_HLEN;
  if (len < at + INNER_MIN || q[0] >> 4 != 6)
    return false;
  *ret = (struct quote){.local.addr = stack_from_ip6(q + 8), .remote.addr = stack_from_ip6(q + 24), .proto = q[6],
                        .len = IP6_HLEN + get16(q + 4)};
  if (ret->proto == IP6_NEXTH_FRAGMENT) {
    if (get16(q + at + 2) & FRAG_OFFSET)
      return false;
    ret->proto = q[at];
    at += IP6_FRAG_HLEN;
  }
  if (len < at + INNER_MIN)
    return false;
  ret->inner = q + at;
  ret->local.port = get16(ret->inner);
  ret->remote.port = get16(ret->inner + 2);
  return true;
}

/* --- errors ----------------------------------------------------------------------------------------------------- */

/* RFC 4443 3.1, in the words of stack_icmp.c: what a filter forbids is unreachable, "denied" is what grants say. 0: no
 * reason to give up. */
static int error_of(uint8_t type, uint8_t code) {
  if (type == ICMP6_TYPE_TE)
    return code == ICMP6_TE_HL ? -EHOSTUNREACH : 0;
  if (type == ICMP6_TYPE_PP) /* it does not know the protocol */
    return code == ICMP6_PP_HEADER ? -ECONNREFUSED : 0;
  if (type != ICMP6_TYPE_DUR)
    return 0;
  switch (code) {
  case ICMP6_DUR_NO_ROUTE:
  case ICMP6_DUR_REJECT_ROUTE:
    return -ENETUNREACH;
  case ICMP6_DUR_PORT:
    return -ECONNREFUSED;
  default:
    return code <= ICMP6_DUR_REJECT_ROUTE ? -EHOSTUNREACH : 0;
  }
}

static enum stack_echo_kind kind_of(uint8_t type) {
  return type == ICMP6_TYPE_PTB  ? STACK_ECHO_TOO_BIG
         : type == ICMP6_TYPE_TE ? STACK_ECHO_TTL_EXCEEDED
         : type == ICMP6_TYPE_PP ? STACK_ECHO_PARAMETER_PROBLEM
                                 : STACK_ECHO_UNREACHABLE;
}

static bool echo_error(struct stack *s, const struct net_addr *from, uint8_t ttl, const uint8_t *icmp,
                       const struct quote *q) {
  struct stack_echo *e = q->inner[0] == ICMP6_TYPE_EREQ ? stack_echo_find(s, AF_INET6, get16(q->inner + 4)) : NULL;
  if (!e)
    return false;
  struct stack_echo_event ev = {.kind = kind_of(icmp[0]),
                                .from = *from,
                                .code = icmp[1],
                                .ttl = ttl,
                                .seq = get16(q->inner + 6),
                                .word = get32(icmp + 4)};
  e->event(e->arg, &ev);
  return true;
}

/* RFC 8201 4: nothing below what every link carries, nor what is no smaller than what was sent. TCP knows what of its own
 * is on its way; for the others the size is only that of fragments. */
static void too_big(struct stack *s, const uint8_t *icmp, const struct quote *q) {
  uint32_t mtu = get32(icmp + 4);
  if (mtu < IP6_MTU_MIN || mtu >= q->len) {
    s->pmtu_refused++;
  } else if (q->proto == IP6_NEXTH_TCP) {
    stack_tcp_too_big(s, &q->local, &q->remote, get32(q->inner + 4), mtu, q->len);
  } else {
    ip_addr_t local = stack_to_lwip(&q->local.addr), remote = stack_to_lwip(&q->remote.addr);
    stack_pmtu_learn(s, &local, &remote, true, (uint16_t)mtu);
  }
}

/* It quotes what we sent, as much as fits: it must be ours to the last field. */
static void on_error(struct stack *s, const struct net_addr *from, uint8_t ttl, const uint8_t *icmp, size_t len) {
  struct quote q;
  int error = error_of(icmp[0], icmp[1]);
  if (!parse_quote(icmp + ICMP_HLEN, len - ICMP_HLEN, &q) || !stack_is_own(s, &q.local.addr)) {
    s->icmp_malformed++;
    return;
  }
  bool ours = true;
  if (q.proto == IP6_NEXTH_ICMP6)
    ours = echo_error(s, from, ttl, icmp, &q);
  else if (q.proto == IP6_NEXTH_UDP)
    ours = stack_udp_icmp(s, &q.local, &q.remote, error);
  else if (q.proto == IP6_NEXTH_TCP && error)
    stack_tcp_icmp(s, &q.local, &q.remote, get32(q.inner + 4), error);
  else if (q.proto != IP6_NEXTH_TCP)
    ours = false;
  if (!ours)
    s->icmp_malformed++;
  else if (icmp[0] == ICMP6_TYPE_PTB)
    too_big(s, icmp, &q);
}

/* RFC 4443 3.1: address unreachable, from ourselves. TCP hears of it from the neighbour, not from each segment. */
void stack_icmp6_undelivered(struct stack *s, const uint8_t *packet, size_t len) {
  static const uint8_t icmp[ICMP_HLEN] = {ICMP6_TYPE_DUR, ICMP6_DUR_ADDRESS};
  struct quote q;
  if (!parse_quote(packet, len, &q))
    return;
  if (q.proto == IP6_NEXTH_ICMP6)
    (void)echo_error(s, &q.local.addr, ECHO_DEFAULT_TTL, icmp, &q);
  else if (q.proto == IP6_NEXTH_UDP)
    (void)stack_udp_icmp(s, &q.local, &q.remote, -EHOSTUNREACH);
}

/* --- input ------------------------------------------------------------------------------------------------------ */

static void take(struct stack *s, const struct pbuf *p, uint8_t type) {
  _cleanup_free_ uint8_t *copy = NULL;
  const uint8_t *icmp = p->payload;
  if (p->len < p->tot_len) {
    copy = malloc(p->tot_len);
    if (!copy)
      return;
    pbuf_copy_partial(p, copy, p->tot_len, 0);
    icmp = copy;
  }
  struct net_addr from = stack_from_ip6(ip6_current_src_addr()->addr);
  uint8_t ttl = IP6H_HOPLIM(ip6_current_header());
  if (type == ICMP6_TYPE_EREP)
    stack_echo_replied(s, AF_INET6, &from, ttl, icmp, p->tot_len);
  else
    on_error(s, &from, ttl, icmp, p->tot_len);
}

/* Not 0 when p was eaten. lwIP has seen to it that the fixed header is in one piece. */
int stack_hook_icmp6_input(struct pbuf *p, struct netif *inp _unused_) {
  struct stack *s = stack_the();
  uint8_t type = *(const uint8_t *)p->payload;
  switch (type) {
  case ICMP6_TYPE_EREP:
  case ICMP6_TYPE_DUR:
  case ICMP6_TYPE_PTB:
  case ICMP6_TYPE_TE:
  case ICMP6_TYPE_PP:
    take(s, p, type);
    break;
  case ICMP6_TYPE_EREQ:
    if (stack_echo_reply_allowed(s))
      return 0;
    break;
  default:
    return 0;
  }
  pbuf_free(p);
  return 1;
}

/* What the fragments of UDP and echo may measure; TCP has its own way (stack_tcp_path.c). */
u16_t stack_hook_path_mtu6(const void *ip6hdr, const ip6_addr_t *dest, const struct netif *n) {
  struct net_addr from = stack_from_ip6((const uint8_t *)ip6hdr + 8), to = stack_from_ip6(dest->addr);
  ip_addr_t local = stack_to_lwip(&from), remote = stack_to_lwip(&to);
  u16_t mtu = stack_pmtu_find(stack_the(), &local, &remote, true, NULL);
  return mtu ? MIN(mtu, netif_mtu6(n)) : netif_mtu6(n);
}

/* --- requests --------------------------------------------------------------------------------------------------- */

int stack_echo_send6(struct stack_echo *e, const struct net_addr *to, uint16_t seq, uint8_t ttl, const void *payload,
                     size_t len) {
  struct stack_if *i;
  struct net_addr from;
  int r = stack_path(e->s, NULL, to, &i, &from);
  if (r < 0)
    return r;
  if (len + IP6_HLEN + ICMP_HLEN > netif_mtu6(&i->netif))
    return -EMSGSIZE;
  struct pbuf *p = stack_echo_packet(e, ICMP6_TYPE_EREQ, seq, payload, len);
  if (!p)
    return -ENOBUFS;
  e->family = AF_INET6;
  ip6_addr_t src = stack_to_ip6(&from), dst = stack_to_ip6(to);
  u16_t sum = ip6_chksum_pseudo(p, IP6_NEXTH_ICMP6, p->tot_len, &src, &dst);
  memcpy((uint8_t *)p->payload + 2, &sum, 2);
  stack_sync(e->s);
  err_t err = ip6_output_if_src(p, &src, &dst, ttl ? ttl : i->nd_params.hop_limit, 0, IP6_NEXTH_ICMP6, &i->netif);
  pbuf_free(p);
  stack_kick(e->s);
  return stack_errno(err);
}
