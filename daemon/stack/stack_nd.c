/* SPDX-License-Identifier: BSD-3-Clause
 * Neighbour discovery messages (RFC 4861): checked here, answered where they ask for an address of ours, noted in the
 * neighbour cache, and handed to who configures the interface. lwIP's nd6.c is not compiled.
 *
 * Redirects are not followed (ADR 0016), only counted: all that one could tell is who else on the link to send to.
 */
#include "stack/stack_ip6.h"

#define OPT_SOURCE_LLADDR 1
#define OPT_TARGET_LLADDR 2
#define NA_ROUTER 0x80
#define NA_SOLICITED 0x40
#define NA_OVERRIDE 0x20
#define NS_LEN 24u /* and of an advertisement, without options */
#define RA_LEN 16u
#define RS_LEN 8u

struct stack_nd {
  struct stack_if *i;
  const struct stack_nd_ops *ops;
  void *arg;
};

const struct net_addr stack_all_nodes = {.family = AF_INET6, .b = {0xff, 2, [15] = 1}};

struct net_addr stack_solicited_node(const struct net_addr *a) {
  struct net_addr g = {.family = AF_INET6, .b = {0xff, 2, [11] = 1, [12] = 0xff}};
  memcpy(g.b + 13, a->b + 13, 3);
  return g;
}

static bool is_solicited_node(const struct net_addr *a) {
  struct net_addr g = stack_solicited_node(a);
  return net_addr_equal(a, &g);
}

/* --- checks ----------------------------------------------------------------------------------------------------- */

struct message {
  const struct ip6_in *in;
  const uint8_t *icmp;
  size_t len;
  struct net_addr target; /* of a solicitation or advertisement */
  const uint8_t *source_mac, *target_mac;
};

/* None has length zero, and all end where the message ends. */
static bool parse_options(struct message *m, size_t at) {
  while (at < m->len) {
    const uint8_t *o = m->icmp + at;
    if (m->len - at < 8 || o[1] == 0 || (size_t)o[1] * 8 > m->len - at)
      return false;
    if (o[0] == OPT_SOURCE_LLADDR)
      m->source_mac = o + 2;
    else if (o[0] == OPT_TARGET_LLADDR)
      m->target_mac = o + 2;
    at += (size_t)o[1] * 8;
  }
  return true;
}

static bool unspecified(const struct net_addr *a) { return net_addr_is_unspecified(a); }

/* RFC 4861 7.1.1. */
static bool valid_ns(const struct message *m) {
  if (net_addr_class(&m->target) == NET_MULTICAST || unspecified(&m->target))
    return false;
  return !unspecified(&m->in->src) || (is_solicited_node(&m->in->dst) && !m->source_mac);
}

/* RFC 4861 7.1.2. */
static bool valid_na(const struct message *m) {
  if (net_addr_class(&m->target) == NET_MULTICAST || unspecified(&m->target) || unspecified(&m->in->src))
    return false;
  return net_addr_class(&m->in->dst) != NET_MULTICAST || !(m->icmp[4] & NA_SOLICITED);
}

static bool group_address(const uint8_t *mac) { return mac && (mac[0] & 1); }

static bool valid(struct message *m) {
  static const size_t fixed[] = {[ICMP6_ND_RS - ICMP6_ND_RS] = RS_LEN,
                                 [ICMP6_ND_RA - ICMP6_ND_RS] = RA_LEN,
                                 [ICMP6_ND_NS - ICMP6_ND_RS] = NS_LEN,
                                 [ICMP6_ND_NA - ICMP6_ND_RS] = NS_LEN};
  size_t at = fixed[m->icmp[0] - ICMP6_ND_RS];
  if (m->len < at || m->icmp[1] != 0 || !parse_options(m, at) || group_address(m->source_mac) ||
      group_address(m->target_mac))
    return false;
  if (at == NS_LEN)
    m->target = stack_from_ip6(m->icmp + 8);
  switch (m->icmp[0]) {
  case ICMP6_ND_RS:
    return !unspecified(&m->in->src) || !m->source_mac;
  case ICMP6_ND_RA:
    return net_addr_class(&m->in->src) == NET_LINK_LOCAL;
  case ICMP6_ND_NS:
    return valid_ns(m);
  default:
    return valid_na(m);
  }
}

/* --- what follows ----------------------------------------------------------------------------------------------- */

static void deliver(const struct message *m) {
  struct stack_nd *nd = m->in->i->nd;
  if (nd && nd->ops->received)
    nd->ops->received(nd->arg, &m->in->src, &m->in->dst, m->icmp, m->len);
}

/* RFC 4861 7.2.4. Who has no address yet is told together with all others. */
static void answer(const struct message *m) {
  bool detects = unspecified(&m->in->src);
  uint8_t na[32] = {[0] = ICMP6_ND_NA, [24] = OPT_TARGET_LLADDR, [25] = 1};
  na[4] = detects ? NA_OVERRIDE : NA_OVERRIDE | NA_SOLICITED;
  memcpy(na + 8, m->target.b, 16);
  memcpy(na + 26, m->in->i->netif.hwaddr, 6);
  (void)stack_ip6_send(m->in->i, &m->target, detects ? &stack_all_nodes : &m->in->src, ND_HOP_LIMIT, false, na, sizeof na,
                       NULL);
}

static void on_ns(const struct message *m) {
  if (stack_if6_slot(m->in->i, &m->target) < 0)
    return;
  if (stack_if6_usable(m->in->i, &m->target)) {
    if (m->source_mac)
      stack_neigh6_learn(m->in->i, &m->in->src, m->source_mac, false);
    answer(m);
  }
  deliver(m);
}

static void on_na(const struct message *m) {
  struct neigh6_advert a = {.router = m->icmp[4] & NA_ROUTER,
                            .solicited = m->icmp[4] & NA_SOLICITED,
                            .override = m->icmp[4] & NA_OVERRIDE,
                            .mac = m->target_mac};
  if (stack_if6_slot(m->in->i, &m->target) >= 0)
    deliver(m);
  else
    stack_neigh6_advertised(m->in->i, &m->target, &a);
}

static void on_ra(const struct message *m) {
  stack_neigh6_learn(m->in->i, &m->in->src, m->source_mac, true); /* 6.3.4: a router, with and without its address */
  deliver(m);
}

/* The checksum was checked, and icmp has 4 bytes at least. */
void stack_nd_input(const struct ip6_in *in) {
  struct stack *s = in->i->s;
  struct message m = {.in = in, .icmp = in->h + in->at, .len = in->len - in->at};
  if (m.icmp[0] == ICMP6_ND_REDIRECT) {
    s->nd_redirects++;
    return;
  }
  if (in->h[7] != ND_HOP_LIMIT || in->fragment || !valid(&m)) { /* RFC 6980: not in fragments */
    s->nd_refused++;
    return;
  }
  switch (m.icmp[0]) {
  case ICMP6_ND_RA:
    on_ra(&m);
    break;
  case ICMP6_ND_NS:
    on_ns(&m);
    break;
  case ICMP6_ND_NA:
    on_na(&m);
    break;
  default: /* we are no router */
    break;
  }
}

/* --- for those who configure ------------------------------------------------------------------------------------ */

int stack_nd_open(struct stack_if *i, const struct stack_nd_ops *ops, void *arg, struct stack_nd **ret) {
  if (i->nd)
    return -EBUSY;
  struct stack_nd *nd = calloc(1, sizeof(*nd));
  if (!nd)
    return -ENOMEM;
  *nd = (struct stack_nd){.i = i, .ops = ops, .arg = arg};
  i->nd = nd;
  *ret = nd;
  return 0;
}

int stack_nd_send(struct stack_nd *nd, const struct net_addr *src, const struct net_addr *dst, const void *icmp, size_t len) {
  struct stack_if *i = nd->i;
  struct net_addr from = src ? *src : (struct net_addr){0};
  if (dst->family != AF_INET6 || unspecified(dst) || len < RS_LEN)
    return -EINVAL;
  if (from.family && !unspecified(&from) && stack_if6_slot(i, &from) < 0)
    return -EADDRNOTAVAIL;
  stack_sync(i->s);
  int r = stack_ip6_send(i, &from, dst, ND_HOP_LIMIT, false, icmp, len, NULL);
  stack_kick(i->s);
  return r;
}

struct stack_nd *stack_nd_close(struct stack_nd *nd) {
  if (!nd)
    return NULL;
  nd->i->nd = NULL;
  free(nd);
  return NULL;
}
