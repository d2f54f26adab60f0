/* SPDX-License-Identifier: BSD-3-Clause
 * An interface: a device below, a netif of lwIP above. What is too short for the headers that lwIP will look at, not for
 * us, or of a protocol that is not configured ends here. Frames that lwIP makes are copied and leave in one batch at the
 * end of the turn: lwIP must be alone with its buffers again, or it does not retransmit them.
 */
#include "stack/stack_listen_private.h"

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "netif/ethernet.h"

#define ETH_LEN 14u
#define ARP_LEN 28u

struct stack_if *stack_if_of(const struct netif *n) { return n->state; }

/* --- out -------------------------------------------------------------------------------------------------------- */

static void flush(struct stack_if *i) {
  unsigned n = i->n_out;
  i->n_out = 0;
  i->out_used = 0;
  if (i->gone || !netif_is_link_up(&i->netif))
    i->nic->counters.tx_dropped += n;
  else if (n)
    nic_send(i->nic, i->out, n);
}

_Static_assert(STACK_OUT_BYTES > UINT16_MAX, "any packet fits an empty batch");

static err_t linkoutput(struct netif *n, struct pbuf *p) {
  struct stack_if *i = stack_if_of(n);
  if (i->n_out == ARRAY_SIZE(i->out) || i->out_used + p->tot_len > sizeof(i->out_bytes))
    flush(i);
  uint8_t *at = i->out_bytes + i->out_used;
  pbuf_copy_partial(p, at, p->tot_len, 0);
  i->out[i->n_out++] = (struct nic_frame){.data = at, .len = p->tot_len};
  i->out_used += p->tot_len;
  loop_task_queue(i->s->loop, &i->s->turn);
  return ERR_OK;
}

void stack_if_flush_all(struct stack *s) {
  list_for_each(l, &s->ifs)
    flush(list_entry(l, struct stack_if, link));
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
    netif_poll(&i->netif);
    s->looping = false;
    more |= i->netif.loop_first != NULL;
    stack_tick_soon(s);
  }
  if (more)
    loop_task_queue(s->loop, &s->turn);
}

/* --- in --------------------------------------------------------------------------------------------------------- */

static bool acceptable(struct stack_if *i, const struct nic_frame *f) {
  struct stack *s = i->s;
  if (f->len <= ETH_LEN || f->len > i->nic->mtu + ETH_LEN + 4u) {
    s->short_frames++;
    return false;
  }
  bool group = f->data[0] & 1;
  if (!group && memcmp(f->data, i->netif.hwaddr, 6) != 0)
    return false;
  unsigned type = (unsigned)f->data[12] << 8 | f->data[13];
  switch (type) {
  case ETHTYPE_ARP:
    if (f->len >= ETH_LEN + ARP_LEN)
      return true;
    s->short_arp++;
    return false;
  case ETHTYPE_IP:
    if (f->len >= ETH_LEN + IP_HLEN)
      return true;
    s->short_frames++;
    return false;
  case ETHTYPE_IPV6: /* no address, hence nobody to be asked for */
    return false;
  default:
    s->bad_ethertype++;
    return false;
  }
}

/* Two bytes in front put the IP header on a multiple of four. */
static void input(struct stack_if *i, const struct nic_frame *f) {
  struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)(f->len + 2), PBUF_RAM);
  if (!p)
    return;
  pbuf_remove_header(p, 2);
  memcpy(p->payload, f->data, f->len);
  if (i->netif.input(p, &i->netif) != ERR_OK)
    pbuf_free(p);
}

static void on_frames(void *arg, const struct nic_frame *frames, unsigned n) {
  struct stack_if *i = arg;
  stack_sync(i->s);
  for (unsigned k = 0; k < n; k++)
    if (acceptable(i, &frames[k]))
      input(i, &frames[k]);
  stack_kick(i->s);
}

/* What was known of the neighbours goes with the link: it may come back on another wire. */
static void set_link(struct stack_if *i, bool up) {
  if (up) {
    netif_set_link_up(&i->netif);
    stack_if_ask_gateway(i);
  } else {
    netif_set_link_down(&i->netif);
    etharp_cleanup_netif(&i->netif);
  }
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

static void on_gone(void *arg, int error) {
  struct stack_if *i = arg;
  i->gone = true;
  set_link(i, false);
  stack_listeners_if_gone(i->s, i);
  if (i->up && i->up->gone)
    i->up->gone(i->up_arg, error);
}

static const struct nic_upcalls nic_up = {.frames = on_frames, .link = on_link, .gone = on_gone};

/* --- life ------------------------------------------------------------------------------------------------------- */

static err_t init_netif(struct netif *n) {
  struct stack_if *i = n->state;
  n->name[0] = 'c';
  n->name[1] = 'n';
  n->mtu = (u16_t)i->nic->mtu;
  n->hwaddr_len = ETH_HWADDR_LEN;
  memcpy(n->hwaddr, i->nic->mac, ETH_HWADDR_LEN);
  n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
  n->output = etharp_output;
  n->output_ip6 = ethip6_output;
  n->linkoutput = linkoutput;
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
  stack_listeners_if_gone(i->s, i);
  flush(i);
  netif_remove(&i->netif);
  list_remove(&i->link);
  i->s->n_ifs--;
  nic_free(i->nic);
  free(i);
  return NULL;
}

void stack_if_info(const struct stack_if *i, struct stack_if_info *ret) {
  *ret = (struct stack_if_info){
      .name = i->name,
      .device = i->nic->name,
      .kind = i->nic->ops->kind,
      .mtu = i->nic->mtu,
      .mtu_origin = i->nic->mtu_origin,
      .link_up = netif_is_link_up(&i->netif),
      .addr = stack_if_addr(i),
      .prefix_len = i->prefix_len,
      .nic = i->nic->counters,
  };
  memcpy(ret->mac, i->nic->mac, 6);
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
