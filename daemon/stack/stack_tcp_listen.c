/* SPDX-License-Identifier: BSD-3-Clause
 * Listeners. Half-open and waiting connections together fill the backlog; a connection that dies before it is accepted
 * disappears (POSIX would call it ECONNABORTED) and gives its place back.
 *
 * A listener is bound (pcb), or follows an interface that has no address just now (no pcb, follows), or has ended
 * (neither). The first two reserve its port. lwIP's pcb of one that follows is bound to no address: which connections
 * are its own is said here, by whose address they are for.
 */
#include "stack/stack_listen_private.h"
#include "stack/stack_table.h"
#include "stack/stack_tcp_private.h"

#include "lwip/priv/tcp_priv.h"

struct stack_listener {
  struct list link, dirty_link;
  struct stack_listener *port_next; /* of the same port: stack.on_port */
  struct stack *s;
  struct tcp_pcb_listen *pcb; /* NULL: its address is gone */
  struct stack_if *follows;   /* whose addresses it is at, and whose next it takes; NULL: it ends with its own */
  const struct stack_listener_ops *ops;
  void *arg;
  struct list waiting; /* stack_conn.wait_link */
  unsigned n_waiting, backlog;
  enum stack_overflow overflow;
  struct stack_conn_options conn; /* of each that comes */
  bool tell_acceptable, tell_ended;
  enum stack_end why;
  struct net_endpoint local; /* family 0: every address, or those of follows */
  uint8_t family;            /* AF_INET, AF_INET6; 0: both */
  uint64_t accepted, dropped, refused;
};

static bool reserves(const struct stack_listener *l) { return l->pcb || l->follows; }

bool stack_listener_on_port(struct stack *s, uint16_t port) {
  for (const struct stack_listener *l = s->on_port[port]; l; l = l->port_next)
    if (reserves(l))
      return true;
  return false;
}

/* No two of one port can be meant: conflicts() sees to that. */
static bool is_at(const struct stack_listener *l, const struct net_addr *a) {
  if (!l->pcb || (l->family && l->family != a->family))
    return false;
  if (l->follows)
    return stack_if_owner(l->s, a) == l->follows;
  return !l->local.addr.family || net_addr_is_unspecified(&l->local.addr) || net_addr_equal(&l->local.addr, a);
}

struct tcp_pcb_listen *stack_listener_find(struct stack *s, const ip_addr_t *local, uint16_t port) {
  struct net_addr a = stack_from_lwip(local);
  for (const struct stack_listener *l = s->on_port[port]; l; l = l->port_next)
    if (is_at(l, &a))
      return l->pcb;
  return NULL;
}

/* Of the interface's addresses of that family (0: of either, IPv4 first) one other than `but` (NULL: any). */
static struct net_addr first_address(const struct stack_if *i, uint8_t family, const struct net_addr *but) {
  struct net_addr a = stack_if_addr(i);
  if (a.family && family != AF_INET6 && !(but && net_addr_equal(&a, but)))
    return a;
  for (int k = 0; k < LWIP_IPV6_NUM_ADDRESSES && family != AF_INET; k++) {
    a = stack_from_lwip(netif_ip_addr6(&i->netif, k));
    if (ip6_addr_isvalid(netif_ip6_addr_state(&i->netif, k)) && !(but && net_addr_equal(&a, but)))
      return a;
  }
  return (struct net_addr){0};
}

static bool has_address(const struct stack_if *i, uint8_t family, const struct net_addr *but) {
  return first_address(i, family, but).family;
}

static void dirty(struct stack_listener *l) {
  if (!list_empty(&l->dirty_link))
    return;
  list_append(&l->s->dirty_listeners, &l->dirty_link);
  stack_kick(l->s);
}

struct net_addr stack_interface_address(struct stack *s, const char *ifname, uint8_t family) {
  struct net_addr a = {0};
  list_for_each(l, &s->ifs) {
    const struct stack_if *i = list_entry(l, struct stack_if, link);
    if (!a.family && (!ifname || strcmp(i->name, ifname) == 0))
      a = first_address(i, family, NULL);
  }
  return a;
}

/* --- what lwIP reports ------------------------------------------------------------------------------------------ */

static err_t refuse(struct tcp_pcb *pcb) {
  tcp_abort(pcb);
  return ERR_ABRT;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err) {
  struct stack_listener *l = arg;
  if (!pcb || err != ERR_OK) { /* no memory for it: the SYN will come again */
    l->dropped++;
    return ERR_VAL;
  }
  if (!l->pcb)
    return refuse(pcb);
  struct stack_conn *c = conn_new(l->s);
  if (!c)
    return refuse(pcb);
  tcp_backlog_delayed(pcb);
  conn_attach(c, pcb);
  c->connected = true;
  c->rx_capacity = c->rx_max = STACK_RCVBUF_FLOOR; /* what the SYN said, until somebody accepts it */
  conn_window_open(c);
  (void)stack_conn_set_options(c, &l->conn);
  c->listener = l;
  list_append(&l->waiting, &c->wait_link);
  l->n_waiting++;
  l->tell_acceptable = true;
  dirty(l);
  return ERR_OK;
}

bool stack_listener_refuses(const struct tcp_pcb_listen *pcb) {
  const struct stack_listener *l = pcb->callback_arg;
  return l && l->overflow == STACK_OVERFLOW_REFUSE;
}

void stack_listener_overflow(struct stack *s, const struct tcp_pcb_listen *pcb, bool refused) {
  struct stack_listener *l = pcb->callback_arg;
  s->syn_dropped += !refused;
  if (l && refused)
    l->refused++;
  else if (l)
    l->dropped++;
}

/* The connection was accepted, or is over. */
void conn_left_queue(struct stack_conn *c) {
  list_remove(&c->wait_link);
  c->listener->n_waiting--;
  c->listener = NULL;
}

void stack_listeners_serve(struct stack *s) {
  while (!list_empty(&s->dirty_listeners)) {
    struct stack_listener *l = list_first(&s->dirty_listeners, struct stack_listener, dirty_link);
    list_remove(&l->dirty_link);
    bool acceptable = l->tell_acceptable && l->n_waiting > 0, ended = l->tell_ended;
    l->tell_acceptable = l->tell_ended = false;
    s->serving = l;
    if (acceptable && l->ops->acceptable)
      l->ops->acceptable(l->arg);
    if (s->serving && ended && l->ops->ended)
      l->ops->ended(l->arg, l->why);
    s->serving = NULL;
  }
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

static bool is_one_address(const struct stack_listener *l) {
  return !l->follows && !net_addr_is_unspecified(&l->local.addr);
}

/* A wildcard and a specific address of the same port exclude each other: one grant must not shadow another's. Nobody
 * knows which address a listener that follows will have next, so it excludes all: re-opening finds its place free. Two
 * families are two ports. */
static bool conflicts(const struct stack_listener *new) {
  for (const struct stack_listener *l = new->s->on_port[new->local.port]; l; l = l->port_next) {
    if (!reserves(l) || (l->family && new->family && l->family != new->family))
      continue;
    if (!is_one_address(l) || !is_one_address(new) || net_addr_equal(&l->local.addr, &new->local.addr))
      return true;
  }
  return false;
}

/* A random port is also free of connections, so that nobody's peer is surprised. */
static bool port_taken(void *arg, uint16_t port) {
  return stack_listener_on_port(arg, port) || stack_table_port_used(port);
}

/* Where lwIP has it: at its address, or at all of its families. */
static ip_addr_t place(const struct stack_listener *l) {
  if (is_one_address(l))
    return stack_to_lwip(&l->local.addr);
  return (ip_addr_t){.type = l->family == AF_INET    ? IPADDR_TYPE_V4
                             : l->family == AF_INET6 ? IPADDR_TYPE_V6
                                                     : IPADDR_TYPE_ANY};
}

static int open_pcb(struct stack_listener *l) {
  ip_addr_t a = place(l);
  struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(&a));
  if (!pcb)
    return -ENOBUFS;
  ip_set_option(pcb, SOF_REUSEADDR); /* connections of an earlier listener may be there still */
  err_t e = tcp_bind(pcb, &a, l->local.port);
  struct tcp_pcb *lp = e == ERR_OK ? tcp_listen_with_backlog_and_err(pcb, (u16_t)l->backlog, &e) : NULL;
  if (!lp) {
    tcp_abandon(pcb, 0);
    return stack_errno(e == ERR_OK ? ERR_MEM : e);
  }
  tcp_arg(lp, l);
  tcp_accept(lp, on_accept);
  l->pcb = (struct tcp_pcb_listen *)lp;
  l->s->n_bound++;
  return 0;
}

/* What it is to be, without a port where that is to be chosen. */
static int describe(struct stack *s, const struct net_endpoint *local, const struct stack_listen_options *o,
                    struct stack_listener *ret) {
  bool every = net_addr_is_unspecified(&local->addr);
  uint8_t family = o->family ? o->family : every ? local->addr.family : 0;
  if (o->backlog < 1 || o->backlog > STACK_LISTEN_BACKLOG_MAX || !stack_conn_options_valid(&o->conn) ||
      (o->family && o->family != AF_INET && o->family != AF_INET6) ||
      (o->family && every && local->addr.family && local->addr.family != o->family))
    return -EINVAL;
  if (!stack_has_address(s))
    return -ENONET;
  struct stack_if *i = every ? NULL : stack_if_owner(s, &local->addr);
  if (!every && !i)
    return -EADDRNOTAVAIL;
  *ret = (struct stack_listener){.s = s, .follows = o->follow && i ? i : NULL, .backlog = o->backlog,
                                 .overflow = o->overflow, .conn = o->conn, .family = family, .local = *local};
  if (ret->follows)
    ret->local.addr = (struct net_addr){0};
  else if (every)
    ret->local.addr = (struct net_addr){.family = family};
  else if (family && family != local->addr.family)
    return -EINVAL;
  else
    ret->family = local->addr.family;
  return ret->follows && !has_address(i, family, NULL) ? -EADDRNOTAVAIL : 0;
}

int stack_tcp_listen(struct stack *s, const struct net_endpoint *local, const struct stack_listen_options *o,
                     const struct stack_listener_ops *ops, void *arg, struct stack_listener **ret) {
  struct stack_listener new;
  int r = describe(s, local, o, &new);
  if (r < 0)
    return r;
  if (!new.local.port)
    new.local.port = stack_random_port(port_taken, s);
  if (!new.local.port || conflicts(&new))
    return -EADDRINUSE;
  if (s->n_listeners >= s->limits.listeners)
    return stack_refuse(s, STACK_LIMIT_LISTENERS);
  struct stack_listener *l = malloc(sizeof(*l));
  if (!l)
    return -ENOBUFS;
  *l = new;
  l->ops = ops;
  l->arg = arg;
  list_init(&l->waiting);
  list_init(&l->dirty_link);
  r = open_pcb(l);
  if (r < 0) {
    free(l);
    return r;
  }
  list_append(&s->listeners, &l->link);
  l->port_next = s->on_port[l->local.port];
  s->on_port[l->local.port] = l;
  s->n_listeners++;
  *ret = l;
  return 0;
}

/* --- accepting and closing -------------------------------------------------------------------------------------- */

int stack_listener_accept(struct stack_listener *l, const struct stack_conn_ops *ops, void *arg,
                          struct stack_conn **ret) {
  if (list_empty(&l->waiting))
    return -EAGAIN;
  struct stack_conn *c = list_first(&l->waiting, struct stack_conn, wait_link);
  conn_left_queue(c);
  if (c->pcb)
    tcp_backlog_accepted(c->pcb);
  l->accepted++;
  c->activity_ns = loop_now(l->s->loop, CLOCK_ID_MONO); /* its idle time-out begins with who holds it */
  conn_timer_check(c);
  stack_conn_set_rcvbuf_max(c, TCP_WND);
  stack_conn_set_ops(c, ops, arg);
  *ret = c;
  return 0;
}

static void drop_pcb(struct stack_listener *l, bool rst, enum stack_end why) {
  if (!l->pcb)
    return;
  stack_sync(l->s);
  while (!list_empty(&l->waiting))
    conn_kill(list_first(&l->waiting, struct stack_conn, wait_link), why, 0, rst);
  while (l->pcb->pending) /* half open */
    tcp_abandon(l->pcb->pending, rst);
  tcp_close((struct tcp_pcb *)l->pcb);
  l->pcb = NULL;
  l->s->n_bound--;
  stack_kick(l->s);
}

struct stack_listener *stack_listener_close(struct stack_listener *l) {
  if (!l)
    return NULL;
  drop_pcb(l, true, STACK_END_RESET_LOCAL);
  list_remove(&l->link);
  list_remove(&l->dirty_link);
  struct stack_listener **p = &l->s->on_port[l->local.port];
  while (*p != l)
    p = &(*p)->port_next;
  *p = l->port_next;
  l->s->n_listeners--;
  if (l->s->serving == l)
    l->s->serving = NULL;
  free(l);
  return NULL;
}

/* --- addresses that come and go --------------------------------------------------------------------------------- */

static void end(struct stack_listener *l, enum stack_end why) {
  l->follows = NULL;
  l->why = why;
  l->tell_ended = true;
  dirty(l);
}

/* a may be there still, or not any more. Who is at it and at others too has only lost connections, and stack_tcp.c has
 * ended those. */
void stack_listeners_address_lost(struct stack *s, const struct net_addr *a) {
  list_for_each(k, &s->listeners) {
    struct stack_listener *l = list_entry(k, struct stack_listener, link);
    if (!l->pcb || !(l->follows ? !has_address(l->follows, l->family, a)
                                : is_one_address(l) && net_addr_equal(&l->local.addr, a)))
      continue;
    drop_pcb(l, false, STACK_END_ADDRESS_LOST);
    if (!l->follows || l->follows->gone)
      end(l, STACK_END_ADDRESS_LOST);
  }
}

void stack_listeners_address_gained(struct stack *s, const struct stack_if *i) {
  list_for_each(k, &s->listeners) {
    struct stack_listener *l = list_entry(k, struct stack_listener, link);
    if (l->follows != i || l->pcb || !has_address(i, l->family, NULL))
      continue;
    if (open_pcb(l) < 0)
      end(l, STACK_END_LIMIT); /* conflicts() left no other reason than memory */
  }
}

/* One that has an address keeps it, and ends with that, unless the interface is forgotten altogether. */
void stack_listeners_if_gone(struct stack *s, const struct stack_if *i) {
  list_for_each(k, &s->listeners) {
    struct stack_listener *l = list_entry(k, struct stack_listener, link);
    if (l->follows != i || (l->pcb && i->gone))
      continue;
    drop_pcb(l, false, STACK_END_ADDRESS_LOST);
    end(l, STACK_END_ADDRESS_LOST);
  }
}

void stack_listener_info(const struct stack_listener *l, struct stack_listener_info *ret) {
  unsigned pending = l->pcb ? l->pcb->accepts_pending : 0;
  struct net_endpoint local = {.port = l->local.port};
  if (!l->follows)
    local.addr = l->local.addr;
  else if (l->pcb)
    local.addr = first_address(l->follows, l->family, NULL);
  *ret = (struct stack_listener_info){
      .local = local,
      .bound = l->pcb != NULL,
      .backlog = l->backlog,
      .waiting = l->n_waiting,
      .half_open = pending > l->n_waiting ? pending - l->n_waiting : 0,
      .accepted = l->accepted,
      .dropped = l->dropped,
      .refused = l->refused,
  };
}
