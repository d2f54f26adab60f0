/* SPDX-License-Identifier: BSD-3-Clause
 * Echo sessions, and ICMP: errors about what we sent, which lwIP tells nobody (RFC 792, RFC 1122 3.2.2, RFC 5927).
 * A raw pcb sees every ICMP packet for us first; requests go on to lwIP, which answers them.
 */
#include "stack/stack_icmp_private.h"

#include "lwip/icmp.h"
#include "lwip/inet_chksum.h"
#include "lwip/prot/ip4.h"
#include "lwip/raw.h"

/* --- errors ----------------------------------------------------------------------------------------------------- */

/* RFC 1122 3.2.2.1, in the words that Linux has for the codes; 0 for what is not a reason to give up. */
static int error_of(uint8_t type, uint8_t code) {
  if (type == ICMP_TE)
    return code == 0 ? -EHOSTUNREACH : 0;
  switch (code) {
  case 0:  /* net */
  case 6:  /* net unknown */
  case 9:  /* net prohibited */
  case 11: /* net, for this type of service */
    return -ENETUNREACH;
  case 2: /* protocol */
  case 3: /* port */
    return -ECONNREFUSED;
  case 4: /* fragmentation needed: no error */
    return 0;
  default:
    return code <= 15 ? -EHOSTUNREACH : 0;
  }
}

static void echo_error(struct stack *s, const struct net_addr *from, uint8_t ttl, const uint8_t *icmp,
                       const uint8_t *inner) {
  struct stack_echo *e = inner[0] == ICMP_ECHO ? stack_echo_find(s, AF_INET, get16(inner + 4)) : NULL;
  if (!e) {
    s->icmp_malformed++;
    return;
  }
  struct stack_echo_event ev = {
      .kind = icmp[0] == ICMP_TE ? STACK_ECHO_TTL_EXCEEDED : STACK_ECHO_UNREACHABLE,
      .from = *from,
      .code = icmp[1],
      .ttl = ttl,
      .seq = get16(inner + 6),
  };
  e->event(e->arg, &ev);
}

/* The error quotes the header and the first 8 bytes of what we sent: it must be ours to the last field. */
static void on_error(struct stack *s, const struct net_addr *from, uint8_t ttl, const uint8_t *icmp, size_t len) {
  const uint8_t *q = icmp + ICMP_HLEN;
  size_t qlen = len - ICMP_HLEN;
  size_t hlen = qlen ? (size_t)(q[0] & 15) * 4 : 0;
  if (qlen < IP_HLEN || q[0] >> 4 != 4 || hlen < IP_HLEN || qlen < hlen + 8) {
    s->icmp_malformed++;
    return;
  }
  struct net_endpoint local = {.addr = net_addr_v4(get32(q + 12))}, remote = {.addr = net_addr_v4(get32(q + 16))};
  const uint8_t *inner = q + hlen;
  int error = error_of(icmp[0], icmp[1]);
  if (!stack_is_own(s, &local.addr) || (get16(q + 6) & IP_OFFMASK)) {
    s->icmp_malformed++;
    return;
  }
  local.port = get16(inner);
  remote.port = get16(inner + 2);
  if (q[9] == IP_PROTO_ICMP)
    echo_error(s, from, ttl, icmp, inner);
  else if (q[9] == IP_PROTO_TCP && icmp[0] == ICMP_DUR && icmp[1] == ICMP_DUR_FRAG)
    stack_tcp_too_big(s, &local, &remote, get32(inner + 4), get16(icmp + 6), get16(q + 2));
  else if (q[9] == IP_PROTO_TCP && error)
    stack_tcp_icmp(s, &local, &remote, get32(inner + 4), error);
  else if (q[9] == IP_PROTO_UDP && error)
    stack_udp_icmp(s, &local, &remote, error);
}

/* Told as Linux tells it: host unreachable, from the address that the packet would have left from. TCP hears of it from
 * the neighbour, not from each segment. */
void stack_icmp_undelivered(struct stack *s, const uint8_t *q, size_t len) {
  if (q[0] >> 4 == 6) {
    stack_icmp6_undelivered(s, q, len);
    return;
  }
  size_t hlen = (size_t)(q[0] & 15) * 4;
  if (len < hlen + 8 || (get16(q + 6) & IP_OFFMASK))
    return;
  struct net_endpoint local = {.addr = net_addr_v4(get32(q + 12)), .port = get16(q + hlen)};
  struct net_endpoint remote = {.addr = net_addr_v4(get32(q + 16)), .port = get16(q + hlen + 2)};
  bool echo = q[9] == IP_PROTO_ICMP && q[hlen] == ICMP_ECHO;
  struct stack_echo *e = echo ? stack_echo_find(s, AF_INET, get16(q + hlen + 4)) : NULL;
  struct stack_echo_event ev = {.kind = STACK_ECHO_UNREACHABLE,
                                .from = local.addr,
                                .code = ICMP_DUR_HOST,
                                .ttl = ECHO_DEFAULT_TTL,
                                .seq = get16(q + hlen + 6)};
  if (e)
    e->event(e->arg, &ev);
  else if (q[9] == IP_PROTO_UDP)
    stack_udp_icmp(s, &local, &remote, -EHOSTUNREACH);
}

/* --- input ------------------------------------------------------------------------------------------------------ */

void stack_echo_replied(struct stack *s, uint8_t family, const struct net_addr *from, uint8_t ttl, const uint8_t *icmp,
                        size_t len) {
  struct stack_echo *e = stack_echo_find(s, family, get16(icmp + 4));
  if (!e) {
    s->icmp_malformed++;
    return;
  }
  struct stack_echo_event ev = {.kind = STACK_ECHO_REPLY,
                                .from = *from,
                                .code = icmp[1],
                                .ttl = ttl,
                                .seq = get16(icmp + 6),
                                .payload = icmp + ICMP_HLEN,
                                .len = len - ICMP_HLEN};
  e->event(e->arg, &ev);
}

/* Returns 1 when p was eaten. */
static u8_t on_icmp(void *arg, struct raw_pcb *pcb _unused_, struct pbuf *p, const ip_addr_t *addr) {
  struct stack *s = arg;
  const struct ip_hdr *h = p->payload;
  u16_t hlen = IPH_HL_BYTES(h);
  size_t len = p->tot_len > hlen ? (size_t)(p->tot_len - hlen) : 0;
  _cleanup_free_ uint8_t *copy = NULL;
  const uint8_t *icmp = (const uint8_t *)p->payload + hlen;
  if (len > p->len - (size_t)MIN(hlen, p->len)) {
    copy = malloc(len);
    if (copy)
      pbuf_copy_partial(p, copy, (u16_t)len, hlen);
    icmp = copy;
  }
  if (!icmp || len < ICMP_HLEN || inet_chksum(icmp, (u16_t)len) != 0) {
    s->icmp_malformed++;
    pbuf_free(p);
    return 1;
  }
  struct net_addr from = stack_from_lwip(addr);
  uint8_t ttl = IPH_TTL(h);
  switch (icmp[0]) {
  case ICMP_ER:
    stack_echo_replied(s, AF_INET, &from, ttl, icmp, len);
    break;
  case ICMP_DUR:
  case ICMP_TE:
    on_error(s, &from, ttl, icmp, len);
    break;
  case ICMP_ECHO:
    if (stack_echo_reply_allowed(s))
      return 0;
    break;
  default:
    return 0;
  }
  pbuf_free(p);
  return 1;
}

int stack_icmp_init(struct stack *s) {
  s->icmp = raw_new_ip_type(IPADDR_TYPE_V4, IP_PROTO_ICMP);
  if (!s->icmp)
    return -ENOBUFS;
  raw_recv(s->icmp, on_icmp, s);
  return 0;
}

void stack_icmp_done(struct stack *s) {
  if (s->icmp)
    raw_remove(s->icmp);
  s->icmp = NULL;
}

/* --- sessions --------------------------------------------------------------------------------------------------- */

static struct stack_echo *by_id(struct stack *s, uint16_t id) {
  list_for_each(l, &s->echoes) {
    struct stack_echo *e = list_entry(l, struct stack_echo, link);
    if (e->id == id)
      return e;
  }
  return NULL;
}

struct stack_echo *stack_echo_find(struct stack *s, uint8_t family, uint16_t id) {
  struct stack_echo *e = by_id(s, id);
  return e && e->family == family ? e : NULL;
}

int stack_echo_open(struct stack *s, void (*event)(void *arg, const struct stack_echo_event *ev), void *arg,
                    struct stack_echo **ret) {
  if (s->n_echoes >= s->limits.echo_sessions)
    return stack_refuse(s, STACK_LIMIT_ECHO_SESSIONS);
  struct stack_echo *e = calloc(1, sizeof(*e));
  if (!e)
    return -ENOBUFS;
  *e = (struct stack_echo){.s = s, .event = event, .arg = arg};
  do
    e->id = (uint16_t)stack_rand32();
  while (by_id(s, e->id));
  list_append(&s->echoes, &e->link);
  s->n_echoes++;
  *ret = e;
  return 0;
}

struct pbuf *stack_echo_packet(const struct stack_echo *e, uint8_t type, uint16_t seq, const void *payload, size_t len) {
  struct pbuf *p = pbuf_alloc(PBUF_IP, (u16_t)(ICMP_HLEN + len), PBUF_RAM);
  if (!p)
    return NULL;
  uint8_t *icmp = p->payload;
  memset(icmp, 0, ICMP_HLEN);
  icmp[0] = type;
  put16(icmp + 4, e->id);
  put16(icmp + 6, seq);
  if (len)
    memcpy(icmp + ICMP_HLEN, payload, len);
  return p;
}

int stack_echo_send(struct stack_echo *e, const struct net_addr *to, uint16_t seq, uint8_t ttl, const void *payload,
                    size_t len) {
  if (to->family == AF_INET6)
    return stack_echo_send6(e, to, seq, ttl, payload, len);
  struct stack_if *i;
  int r = stack_route(e->s, to, &i);
  if (r < 0)
    return r;
  if (len + IP_HLEN + ICMP_HLEN > i->nic->mtu)
    return -EMSGSIZE;
  struct pbuf *p = stack_echo_packet(e, ICMP_ECHO, seq, payload, len);
  if (!p)
    return -ENOBUFS;
  e->family = AF_INET;
  u16_t sum = inet_chksum(p->payload, p->tot_len); /* already in network order */
  memcpy((uint8_t *)p->payload + 2, &sum, 2);
  struct net_addr own = stack_if_addr(i);
  ip_addr_t src = stack_to_lwip(&own), dst = stack_to_lwip(to);
  stack_sync(e->s);
  err_t err =
      ip4_output_if(p, ip_2_ip4(&src), ip_2_ip4(&dst), ttl ? ttl : ECHO_DEFAULT_TTL, 0, IP_PROTO_ICMP, &i->netif);
  pbuf_free(p);
  stack_kick(e->s);
  return stack_errno(err);
}

struct stack_echo *stack_echo_close(struct stack_echo *e) {
  if (!e)
    return NULL;
  list_remove(&e->link);
  e->s->n_echoes--;
  free(e);
  return NULL;
}
