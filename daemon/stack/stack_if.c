/* SPDX-License-Identifier: BSD-3-Clause
 * An interface: a device below, a netif of lwIP above. What is too short for the headers that lwIP will look at, not for
 * us, or of a protocol that is not configured ends here.
 *
 * No byte is copied on the way, but those of short frames. A frame that came lies in a buffer of the device's, and lwIP
 * gets that as a pbuf; one that lwIP made goes to the device while it is still in lwIP's hands, from where its bytes lie: an acknowledgement in
 * the same turn may free them, and a segment that somebody else refers to is not retransmitted.
 */
#include "stack/stack_arp.h"
#include "stack/stack_ip6.h"
#include "stack/stack_listen_private.h"
#include "stack/stack_route.h"

#include "nic/nic_gso.h"

#include "lwip/etharp.h"
#include "lwip/ip4.h"
#include "lwip/ip6.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "netif/ethernet.h"

#define ETH_LEN 14u
#define ARP_LEN 28u
/* Data of one segment. With all its headers it fits the 16 bits in which lwIP counts. What the device does not cut by
 * itself nic_send does. */
#define SEGMENT_MAX (UINT16_MAX - ETH_LEN - 120u)
#define COPIED_MAX 700u
#define CHECK_L4 (NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP)

_Static_assert(2 * TCP_MSS <= 0xffff, "lwipopts.h");
_Static_assert(TCP_SND_BUF >= 2 * TCP_MSS && TCP_WND >= 2 * TCP_MSS, "two segments are under way");
_Static_assert(TCP_SND_QUEUELEN >= 2 * (TCP_SND_BUF / TCP_MSS) && TCP_SNDQUEUELOWAT < TCP_SND_QUEUELEN, "as init.c asks");

struct stack_if *stack_if_of(const struct netif *n) { return n->state; }

/* What lwIP makes and checks of checksums on this interface: TCP's are the device's to complete where it can. UDP's
 * never: a datagram may leave in fragments. */
static u16_t checksums(const struct stack_if *i) {
  return (u16_t)(NETIF_CHECKSUM_ENABLE_ALL & ~(i->nic->features & NIC_TX_CSUM ? NETIF_CHECKSUM_GEN_TCP : 0));
}

/* --- out -------------------------------------------------------------------------------------------------------- */

static unsigned pieces_of(const struct pbuf *p, struct iovec iov[NIC_IOV_MAX]) {
  unsigned n = 0;
  for (; p && n < NIC_IOV_MAX; p = p->next)
    if (p->len > 0)
      iov[n++] = (struct iovec){.iov_base = p->payload, .iov_len = p->len};
  return p ? 0 : n;
}

/* gso_size > 0 on the first buffer: a segment of many packets, which the device cuts. */
static err_t output(struct stack_if *i, struct pbuf *p) {
  struct iovec iov[NIC_IOV_MAX];
  struct nic_frame f = {.iov = iov, .len = p->tot_len};
  f.n_iov = pieces_of(p, iov);
  if (f.n_iov == 0) { /* in too many pieces for one call */
    struct pbuf *flat = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
    err_t e = flat ? output(i, flat) : ERR_MEM;
    if (flat)
      pbuf_free(flat);
    return e;
  }
  if ((p->gso_size > 0 || (i->nic->features & NIC_TX_CSUM)) &&
      nic_tcp_partial(p->payload, p->len, p->tot_len, p->gso_size, &f.off) < 0) {
    i->nic->counters.tx_dropped++;
    return ERR_OK;
  }
  nic_send(i->nic, &f, 1);
  return ERR_OK;
}

/* What the device refuses is lost as on a wire: sending again is TCP's. */
static err_t linkoutput(struct netif *n, struct pbuf *p) {
  struct stack_if *i = stack_if_of(n);
  if (i->gone || !netif_is_link_up(n)) {
    i->nic->counters.tx_dropped++;
    return ERR_OK;
  }
  return output(i, p);
}

/* Bounded (NETIF_LOOP_POLL_MAX): who answers each packet of his own could go on for ever. The rest is the next turn's. */
void stack_if_poll_loopback(struct stack *s) {
  bool more = false;
  list_for_each(l, &s->ifs) {
    struct stack_if *i = list_entry(l, struct stack_if, link);
    if (!i->netif.loop_first)
      continue;
    stack_sync(s);
    s->looping = true;
    NETIF_SET_CHECKSUM_CTRL(&i->netif, (u16_t)(checksums(i) & ~CHECK_L4)); /* it never left this memory */
    netif_poll(&i->netif);
    NETIF_SET_CHECKSUM_CTRL(&i->netif, checksums(i));
    s->looping = false;
    more |= i->netif.loop_first != NULL;
  }
  if (more)
    loop_task_queue(s->loop, &s->turn);
}

/* --- in --------------------------------------------------------------------------------------------------------- */

static unsigned ethertype(const uint8_t *frame) { return (unsigned)frame[12] << 8 | frame[13]; }

/* What is more packets than one must be so of its own family. Four bytes over the MTU are a VLAN tag's, which a device may
 * count differently. */
static size_t longest(const struct stack_if *i, const struct nic_rx *f) {
  unsigned type = ethertype(f->buf->data);
  bool super = f->off.gso == NIC_GSO_TCP4 ? type == ETHTYPE_IP : f->off.gso == NIC_GSO_TCP6 && type == ETHTYPE_IPV6;
  return super ? NIC_SUPER_MAX : i->nic->mtu + ETH_LEN + 4u;
}

static bool acceptable(struct stack_if *i, const struct nic_rx *f) {
  struct stack *s = i->s;
  const uint8_t *data = f->buf->data;
  size_t head = f->buf->len;
  if (head <= ETH_LEN || f->len > longest(i, f)) {
    s->short_frames++;
    return false;
  }
  bool group = data[0] & 1;
  if (!group && memcmp(data, i->netif.hwaddr, 6) != 0)
    return false;
  switch (ethertype(data)) {
  case ETHTYPE_ARP:
    if (head >= ETH_LEN + ARP_LEN && !f->buf->next)
      return true;
    s->short_arp++;
    return false;
  case ETHTYPE_IP:
    if (head >= ETH_LEN + IP_HLEN)
      return true;
    s->short_frames++;
    return false;
  case ETHTYPE_IPV6:
    if (head >= ETH_LEN + IP6_HLEN)
      return true;
    s->short_frames++;
    return false;
  default:
    s->bad_ethertype++;
    return false;
  }
}

_Static_assert(sizeof(struct pbuf_custom) <= NIC_BUF_USER, "a buffer has room for its pbuf");

static void rx_free(struct pbuf *p) {
  struct nic_buf *b = container_of(p, struct nic_buf, user);
  stack_port_release(b->size);
  nic_buf_free(b);
}

/* One buffer from skip on, as lwIP's. It refers to the bytes: lwIP does not put headers in front of them. */
static struct pbuf *wrap(struct nic_buf *b, size_t skip) {
  struct pbuf_custom *pc = (struct pbuf_custom *)(void *)b->user;
  u16_t len = (u16_t)(b->len - skip);
  b->next = NULL;
  pc->custom_free_function = rx_free;
  return pbuf_alloced_custom(PBUF_RAW, len, PBUF_REF, pc, b->data + skip, len);
}

/* What is short is copied, and counts as what it is: a peer whose single bytes each held a buffer of 2 KiB could have
 * them all. */
static struct pbuf *copy_frame(const struct nic_rx *f, size_t skip) {
  struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)(f->len - skip), PBUF_RAM);
  if (p)
    memcpy(p->payload, f->buf->data + skip, f->len - skip);
  return p;
}

/* What lwIP has of the device's buffers counts as its memory. */
static bool may_hold(const struct nic_rx *f) {
  size_t size = 0;
  for (const struct nic_buf *b = f->buf; b; b = b->next)
    size += b->size;
  return stack_port_hold(size);
}

static struct pbuf *wrap_frame(struct nic_rx *f, size_t skip) {
  if (f->len <= COPIED_MAX && !f->buf->next)
    return copy_frame(f, skip);
  if (!may_hold(f))
    return NULL;
  struct nic_buf *b = nic_rx_take(f), *behind = b->next;
  struct pbuf *p = wrap(b, skip);
  if (behind)
    pbuf_cat(p, wrap(behind, 0));
  return p;
}

/* Somebody below vouches for the checksum of just what lwIP would verify. That of a fragment covers what is not here. */
static bool vouched(const struct nic_rx *f) {
  struct nic_headers h;
  if (f->off.csum == NIC_CSUM_NONE || nic_headers_parse(f->buf->data, f->buf->len, &h) < 0 || h.fragment)
    return false;
  return f->off.csum == NIC_CSUM_VALID || f->off.csum_start == h.l4;
}

/* The Ethernet header is stepped over here: with it the largest super-frame is longer than lwIP can count. */
static void input_ip(struct stack_if *i, struct nic_rx *f, err_t (*ip_input)(struct pbuf *p, struct netif *inp)) {
  bool group = f->buf->data[0] & 1;
  u16_t gso_size = f->off.gso != NIC_GSO_NONE ? f->off.gso_size : 0;
  NETIF_SET_CHECKSUM_CTRL(&i->netif, vouched(f) ? (u16_t)(checksums(i) & ~CHECK_L4) : checksums(i));
  struct pbuf *p = wrap_frame(f, ETH_LEN);
  if (!p)
    return;
  p->if_idx = netif_get_index(&i->netif);
  p->gso_size = gso_size;
  if (group)
    p->flags |= PBUF_FLAG_LLBCAST;
  ip_input(p, &i->netif);
}

static void input(struct stack_if *i, struct nic_rx *f) {
  unsigned type = ethertype(f->buf->data);
  if (type == ETHTYPE_IP || type == ETHTYPE_IPV6) {
    input_ip(i, f, type == ETHTYPE_IP ? ip4_input : ip6_input);
    return;
  }
  stack_arp_input(i, f->buf->data);
  struct pbuf *p = wrap_frame(f, 0);
  if (p && i->netif.input(p, &i->netif) != ERR_OK)
    pbuf_free(p);
}

static void on_frames(void *arg, struct nic_rx *frames, unsigned n) {
  struct stack_if *i = arg;
  stack_sync(i->s);
  for (unsigned k = 0; k < n; k++)
    if (acceptable(i, &frames[k]))
      input(i, &frames[k]);
  NETIF_SET_CHECKSUM_CTRL(&i->netif, checksums(i));
  stack_kick(i->s);
}

/* What was known of the neighbours goes with the link: it may come back on another wire. */
static void set_link(struct stack_if *i, bool up) {
  if (up) {
    netif_set_link_up(&i->netif);
    memset(i->silent, 0, sizeof(i->silent));
    stack_if_ask_gateway(i);
    stack_mld_link_up(i);
  } else {
    netif_set_link_down(&i->netif);
    etharp_cleanup_netif(&i->netif);
    stack_neigh6_clear(i);
  }
}

void stack_if_forget_neighbours(struct stack_if *i) {
  if (i->gone)
    return;
  stack_sync(i->s);
  etharp_cleanup_netif(&i->netif);
  stack_neigh6_clear(i);
  memset(i->silent, 0, sizeof(i->silent));
  stack_if_ask_gateway(i);
  stack_mld_link_up(i);
  stack_kick(i->s);
}

static void on_link(void *arg, bool up) {
  struct stack_if *i = arg;
  if (i->gone)
    return;
  stack_sync(i->s);
  set_link(i, up);
  stack_kick(i->s);
  if (i->up && i->up->link)
    i->up->link(i->up_arg, up);
}

static void on_mtu(void *arg) {
  struct stack_if *i = arg;
  stack_sync(i->s);
  stack_if_mtu_changed(i);
  stack_kick(i->s);
  if (i->up && i->up->mtu)
    i->up->mtu(i->up_arg);
}

/* What it can do may be something else when it is back. */
static void on_away(void *arg, bool away) {
  struct stack_if *i = arg;
  NETIF_SET_CHECKSUM_CTRL(&i->netif, checksums(i));
  if (i->up && i->up->away)
    i->up->away(i->up_arg, away);
}

static void on_gone(void *arg, int error) {
  struct stack_if *i = arg;
  i->gone = true;
  set_link(i, false);
  stack_listeners_if_gone(i->s, i);
  stack_if_clear_ipv4(i); /* nobody will hear of it any more; what is bound to it ends now */
  stack_if6_clear(i);
  if (i->up && i->up->gone)
    i->up->gone(i->up_arg, error);
}

static const struct nic_upcalls nic_up = {
    .frames = on_frames, .link = on_link, .mtu = on_mtu, .away = on_away, .gone = on_gone};

/* --- life ------------------------------------------------------------------------------------------------------- */

static err_t init_netif(struct netif *n) {
  struct stack_if *i = n->state;
  n->name[0] = 'c';
  n->name[1] = 'n';
  n->mtu = n->mtu6 = (u16_t)i->nic->mtu;
  n->hwaddr_len = ETH_HWADDR_LEN;
  memcpy(n->hwaddr, i->nic->mac, ETH_HWADDR_LEN);
  n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
  n->output = stack_output_ip4;
  n->output_ip6 = stack_output_ip6;
  n->linkoutput = linkoutput;
  n->gso_max = SEGMENT_MAX;
  NETIF_SET_CHECKSUM_CTRL(n, checksums(i));
  return ERR_OK;
}

static int check_new(struct stack *s, const struct nic *nic, const char *name) {
  if (!*name || strlen(name) >= NIC_NAME_MAX || nic->mtu < NIC_MTU_MIN || nic->mtu > NIC_MTU_MAX)
    return -EINVAL;
  if (s->n_ifs >= s->limits.interfaces)
    return stack_refuse(s, STACK_LIMIT_INTERFACES);
  list_for_each(l, &s->ifs)
    if (strcmp(list_entry(l, struct stack_if, link)->name, name) == 0)
      return -EEXIST;
  return 0;
}

int stack_if_add(struct stack *s, struct nic *nic, const char *name, const struct stack_if_upcalls *up, void *arg,
                 struct stack_if **ret) {
  int r = check_new(s, nic, name);
  struct stack_if *i = r < 0 ? NULL : calloc(1, sizeof(*i));
  if (!i) {
    nic_free(nic);
    return r < 0 ? r : -ENOMEM;
  }
  i->s = s;
  i->nic = nic;
  i->up = up;
  i->up_arg = arg;
  strcpy(i->name, name);
  list_init(&i->groups);
  stack_if_set_nd(i, 0, 0, 0);
  list_init(&i->arps);
  list_append(&s->ifs, &i->link);
  s->n_ifs++;
  netif_add_noaddr(&i->netif, i, init_netif, ethernet_input);
  netif_set_up(&i->netif);
  r = nic_start(nic, &nic_up, i);
  if (r < 0) {
    stack_if_free(i);
    return r;
  }
  if (nic->link_up)
    netif_set_link_up(&i->netif);
  *ret = i;
  return 0;
}

struct stack_if *stack_if_free(struct stack_if *i) {
  stack_if_clear_ipv4(i);
  stack_if6_clear(i);
  stack_nd_close(i->nd);
  stack_listeners_if_gone(i->s, i);
  netif_remove(&i->netif);
  stack_reass6_forget(i->s, i);
  stack_mld_clear(i);
  stack_route_clear(i);
  list_remove(&i->link);
  i->s->n_ifs--;
  nic_free(i->nic);
  free(i);
  return NULL;
}

static const char *state_name(const struct stack_if *i) {
  if (i->gone || i->nic->away)
    return "gone";
  return netif_is_link_up(&i->netif) ? "up" : "down";
}

void stack_if_info(const struct stack_if *i, struct stack_if_info *ret) {
  *ret = (struct stack_if_info){
      .name = i->name,
      .device = i->nic->name,
      .kind = i->nic->ops->kind,
      .device_mtu = i->nic->mtu,
      .mtu = stack_if_mtu(i, AF_INET),
      .mtu_origin = stack_if_mtu_origin(i, AF_INET),
      .mtu6 = stack_if_can_ip6(i) ? stack_if_mtu(i, AF_INET6) : 0,
      .mtu6_origin = stack_if_mtu_origin(i, AF_INET6),
      .metric = i->metric,
      .link_up = netif_is_link_up(&i->netif),
      .state = state_name(i),
      .addr = stack_if_addr(i),
      .prefix_len = i->prefix_len,
      .nic = i->nic->counters,
  };
  memcpy(ret->mac, i->nic->mac, 6);
  nic_features_text(i->nic->features, ret->offloads);
  if (!ip4_addr_isany(netif_ip4_gw(&i->netif)))
    ret->gateway = stack_from_ip4(netif_ip4_gw(&i->netif));
}

void stack_if_each(struct stack *s, void (*fn)(void *arg, const struct stack_if_info *info), void *arg) {
  list_for_each(l, &s->ifs) {
    struct stack_if_info info;
    stack_if_info(list_entry(l, struct stack_if, link), &info);
    fn(arg, &info);
  }
}
