/* SPDX-License-Identifier: BSD-3-Clause
 * UDP sockets. One that is bound to an interface (DHCP's) takes its datagrams before lwIP looks at their destination:
 * a server may answer to an address that we do not have yet (RFC 2131 4.1).
 */
#include "stack/stack_ip6.h"
#include "stack/stack_route.h"

#include "lwip/inet_chksum.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/udp.h"
#include "lwip/udp.h"

struct stack_udp {
  struct list link;
  struct stack *s;
  struct stack_if *i; /* bound to it, or NULL */
  uint8_t family;     /* 0: both */
  struct udp_pcb *pcb;
  const struct stack_udp_ops *ops;
  void *arg;
};

/* Hands len bytes of p from offset to the room above in one piece. */
static void deliver(struct stack_udp *u, const struct net_endpoint *from, const struct net_endpoint *to, struct pbuf *p,
                    u16_t offset, u16_t len) {
  _cleanup_free_ uint8_t *copy = NULL;
  const uint8_t *data = (const uint8_t *)p->payload + offset;
  if (p->len < offset + len) {
    copy = malloc(MAX(len, 1));
    if (!copy)
      return;
    pbuf_copy_partial(p, copy, len, offset);
    data = copy;
  }
  if (u->ops->received)
    u->ops->received(u->arg, from, to, data, len);
}

static void on_recv(void *arg, struct udp_pcb *pcb _unused_, struct pbuf *p, const ip_addr_t *addr, u16_t port) {
  struct stack_udp *u = arg;
  /* lwIP has just stepped over the header, which lies in the same buffer. */
  const struct udp_hdr *h = (const struct udp_hdr *)((const uint8_t *)p->payload - UDP_HLEN);
  struct net_endpoint from = {.addr = stack_from_lwip(addr), .port = port};
  struct net_endpoint to = {.addr = stack_from_lwip(ip_current_dest_addr()), .port = pcb->local_port};
  u16_t len = lwip_ntohs(h->len);
  if (len >= UDP_HLEN && len - UDP_HLEN <= p->tot_len)
    deliver(u, &from, &to, p, 0, (u16_t)(len - UDP_HLEN));
  else
    u->s->short_frames++;
  pbuf_free(p);
}

/* --- sockets of one interface ----------------------------------------------------------------------------------- */

static struct stack_udp *of_interface(struct stack *s, const struct stack_if *i, uint8_t family, uint16_t port) {
  list_for_each(l, &s->udps) {
    struct stack_udp *u = list_entry(l, struct stack_udp, link);
    if (u->i == i && u->family == family && u->pcb && u->pcb->local_port == port)
      return u;
  }
  return NULL;
}

static bool udp_sum_ok(struct pbuf *p, u16_t hlen, u16_t udp_len, const struct ip_hdr *h, const struct udp_hdr *u) {
  ip_addr_t src = IPADDR4_INIT(0), dst = IPADDR4_INIT(0);
  if (u->chksum == 0)
    return true;
  ip4_addr_copy(*ip_2_ip4(&src), h->src);
  ip4_addr_copy(*ip_2_ip4(&dst), h->dest);
  struct pbuf view = {.payload = (uint8_t *)p->payload + hlen, .len = udp_len, .tot_len = udp_len, .ref = 1};
  return ip_chksum_pseudo(&view, IP_PROTO_UDP, udp_len, &src, &dst) == 0;
}

/* p is one buffer that starts with at least the fixed IP header. True: it was for such a socket, and is done with. */
bool stack_udp_take(struct stack *s, struct pbuf *p, struct netif *inp) {
  const struct ip_hdr *h = p->payload;
  u16_t hlen = IPH_HL_BYTES(h), total = lwip_ntohs(IPH_LEN(h));
  if (IPH_PROTO(h) != IP_PROTO_UDP || (IPH_OFFSET(h) & PP_HTONS(IP_OFFMASK | IP_MF)) || hlen < IP_HLEN ||
      total > p->len || total < hlen + UDP_HLEN)
    return false;
  const struct udp_hdr *uh = (const struct udp_hdr *)((const uint8_t *)p->payload + hlen);
  struct stack_udp *u = of_interface(s, stack_if_of(inp), AF_INET, lwip_ntohs(uh->dest));
  if (!u)
    return false;
  u16_t len = lwip_ntohs(uh->len);
  bool check = inp->chksum_flags & NETIF_CHECKSUM_CHECK_UDP; /* stack_if.c: nobody vouches for this one */
  if (len < UDP_HLEN || len > total - hlen) {
    s->short_frames++;
  } else if (inet_chksum(h, hlen) != 0 || (check && !udp_sum_ok(p, hlen, len, h, uh))) {
    s->bad_checksum++;
  } else {
    ip4_addr_t src, dst;
    ip4_addr_copy(src, h->src);
    ip4_addr_copy(dst, h->dest);
    struct net_endpoint from = {.addr = stack_from_ip4(&src), .port = lwip_ntohs(uh->src)};
    struct net_endpoint to = {.addr = stack_from_ip4(&dst), .port = lwip_ntohs(uh->dest)};
    deliver(u, &from, &to, p, (u16_t)(hlen + UDP_HLEN), (u16_t)(len - UDP_HLEN));
  }
  return true;
}

/* --- opening and closing ---------------------------------------------------------------------------------------- */

static bool port_taken(void *arg _unused_, uint16_t port) {
  for (const struct udp_pcb *p = udp_pcbs; p; p = p->next)
    if (p->local_port == port)
      return true;
  return false;
}

static uint8_t type_of(uint8_t family) {
  return family == AF_INET ? IPADDR_TYPE_V4 : family == AF_INET6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY;
}

static ip_addr_t bind_address(const struct net_addr *a) {
  ip_addr_t r = stack_to_lwip(a);
  if (!a->family)
    IP_SET_TYPE_VAL(r, IPADDR_TYPE_ANY);
  return r;
}

static int open_socket(struct stack *s, struct stack_if *i, const struct net_endpoint *local,
                       const struct stack_udp_ops *ops, void *arg, struct stack_udp **ret) {
  if (s->n_udps >= s->limits.udp_sockets)
    return stack_refuse(s, STACK_LIMIT_UDP_SOCKETS);
  uint16_t port = local->port ? local->port : stack_random_port(port_taken, NULL);
  if (!port)
    return -EADDRINUSE;
  struct stack_udp *u = calloc(1, sizeof(*u));
  struct udp_pcb *pcb = u ? udp_new_ip_type(type_of(local->addr.family)) : NULL;
  if (!pcb) {
    free(u);
    return -ENOBUFS;
  }
  if (i) {
    udp_bind_netif(pcb, &i->netif);
    ip_set_option(pcb, SOF_REUSEADDR); /* the same port may be open on several interfaces */
  }
  ip_set_option(pcb, SOF_BROADCAST);
  ip_addr_t a = bind_address(&local->addr);
  err_t e = udp_bind(pcb, &a, port);
  if (e != ERR_OK) {
    udp_remove(pcb);
    free(u);
    return stack_errno(e);
  }
  *u = (struct stack_udp){.s = s, .i = i, .family = local->addr.family, .pcb = pcb, .ops = ops, .arg = arg};
  udp_recv(pcb, on_recv, u);
  list_append(&s->udps, &u->link);
  s->n_udps++;
  *ret = u;
  return 0;
}

int stack_udp_open(struct stack *s, const struct net_endpoint *local, const struct stack_udp_ops *ops, void *arg,
                   struct stack_udp **ret) {
  struct net_endpoint l = local ? *local : (struct net_endpoint){0};
  if (!stack_has_address(s))
    return -ENONET;
  if (!net_addr_is_unspecified(&l.addr) && !stack_if_owner(s, &l.addr))
    return -EADDRNOTAVAIL;
  return open_socket(s, NULL, &l, ops, arg, ret);
}

int stack_udp_open_if(struct stack_if *i, uint8_t family, uint16_t port, const struct stack_udp_ops *ops, void *arg,
                      struct stack_udp **ret) {
  struct net_endpoint l = {.addr = {.family = family}, .port = port};
  if (!port || (family != AF_INET && family != AF_INET6))
    return -EINVAL;
  if (of_interface(i->s, i, family, port))
    return -EADDRINUSE;
  return open_socket(i->s, i, &l, ops, arg, ret);
}

static void drop_pcb(struct stack_udp *u) {
  if (u->pcb)
    udp_remove(u->pcb);
  u->pcb = NULL;
}

struct stack_udp *stack_udp_close(struct stack_udp *u) {
  if (!u)
    return NULL;
  drop_pcb(u);
  list_remove(&u->link);
  u->s->n_udps--;
  free(u);
  return NULL;
}

struct net_endpoint stack_udp_local(const struct stack_udp *u) {
  struct net_endpoint e = {0};
  if (!u->pcb)
    return e;
  e.port = u->pcb->local_port; /* "::" and "0.0.0.0" are told as no address */
  if (!ip_addr_isany(&u->pcb->local_ip))
    e.addr = stack_from_lwip(&u->pcb->local_ip);
  return e;
}

/* --- sending ---------------------------------------------------------------------------------------------------- */

/* The interface and source address of a datagram to `to`. */
static int path(struct stack_udp *u, const struct net_addr *to, struct netif **ret_netif, ip_addr_t *ret_src) {
  static const struct net_addr any_link_local = {.family = AF_INET6, .b = {0xfe, 0x80}};
  struct stack_if *i = u->i;
  struct net_addr src = {0};
  if (i) {
    src = stack_source(i, to->family == AF_INET6 ? &any_link_local : to);
    if (to->family == AF_INET6 && (!src.family || net_addr_class(&src) != NET_LINK_LOCAL))
      return -EADDRNOTAVAIL;
  } else {
    struct net_addr bound = stack_udp_local(u).addr;
    int r = stack_path(u->s, &bound, to, &i, &src);
    if (r < 0)
      return r;
  }
  *ret_netif = &i->netif;
  *ret_src = stack_to_lwip(&src);
  return 0;
}

static int check_send(const struct stack_udp *u, const struct net_endpoint *to, size_t len) {
  if (!u->pcb)
    return -EADDRNOTAVAIL;
  if (!to->addr.family || !to->port || (u->family && u->family != to->addr.family))
    return -EINVAL;
  return len > 65535u - UDP_HLEN - (to->addr.family == AF_INET6 ? IP6_HLEN : IP_HLEN) ? -EMSGSIZE : 0;
}

static int send_on(struct stack_udp *u, struct netif *n, const ip_addr_t *src, const struct net_endpoint *to,
                   const void *data, size_t len) {
  struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)len, PBUF_RAM);
  if (!p)
    return -ENOBUFS;
  if (len)
    memcpy(p->payload, data, len);
  ip_addr_t dst = stack_to_lwip(&to->addr);
  if (to->addr.family == AF_INET6)
    u->pcb->ttl = stack_if_of(n)->nd_params.hop_limit; /* RFC 4861 6.3.2 */
  stack_sync(u->s);
  err_t e = udp_sendto_if_src(u->pcb, p, &dst, to->port, n, src);
  pbuf_free(p);
  stack_kick(u->s);
  return stack_errno(e);
}

int stack_udp_send(struct stack_udp *u, const struct net_endpoint *to, const void *data, size_t len) {
  struct netif *n = NULL;
  ip_addr_t src = {0};
  int r = check_send(u, to, len);
  if (r == 0)
    r = path(u, &to->addr, &n, &src);
  return r < 0 ? r : send_on(u, n, &src, to, data, len);
}

int stack_udp_send_by(struct stack_udp *u, const struct net_addr *from, const struct net_addr *hop,
                      const struct net_endpoint *to, const void *data, size_t len) {
  int r = check_send(u, to, len);
  if (r < 0)
    return r;
  if (!u->i || to->addr.family != AF_INET || net_addr_class(from) != NET_UNICAST || hop->family != AF_INET)
    return -EINVAL;
  ip_addr_t src = stack_to_lwip(from);
  stack_sync(u->s); /* what that sends goes its own way */
  u->i->hop = *hop;
  r = send_on(u, &u->i->netif, &src, to, data, len);
  u->i->hop = (struct net_addr){0};
  return r;
}

/* --- what happens to them --------------------------------------------------------------------------------------- */

bool stack_udp_icmp(struct stack *s, const struct net_endpoint *local, const struct net_endpoint *remote, int error) {
  list_for_each(l, &s->udps) {
    struct stack_udp *u = list_entry(l, struct stack_udp, link);
    struct net_endpoint own = stack_udp_local(u);
    if (!u->pcb || own.port != local->port || (u->family && u->family != local->addr.family) ||
        (own.addr.family && !net_addr_equal(&own.addr, &local->addr)))
      continue;
    if (error && u->ops->error)
      u->ops->error(u->arg, remote, error);
    return true;
  }
  return false;
}

void stack_udp_address_lost(struct stack *s, const struct net_addr *a) {
  struct list lost;
  list_init(&lost);
  list_for_each(l, &s->udps) {
    struct net_endpoint own = stack_udp_local(list_entry(l, struct stack_udp, link));
    if (!own.addr.family || !net_addr_equal(&own.addr, a))
      continue;
    list_remove(l);
    list_append(&lost, l);
  }
  while (!list_empty(&lost)) { /* ended() may close this one, or others */
    struct stack_udp *u = list_first(&lost, struct stack_udp, link);
    list_remove(&u->link);
    list_append(&s->udps, &u->link);
    drop_pcb(u);
    if (u->ops->ended)
      u->ops->ended(u->arg);
  }
}
