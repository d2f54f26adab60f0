/* SPDX-License-Identifier: BSD-3-Clause
 * The life of a connection: opening, what lwIP reports, upcalls, the end.
 *
 * lwIP's callbacks only note what happened; upcalls are made at the end of the turn, so the room above may do anything
 * in them. A pcb tells through its extension argument that it is freed, on whatever path: nobody keeps a stale one.
 */
#include "stack/stack_route.h"
#include "stack/stack_table.h"
#include "stack/stack_tcp_private.h"

#include "lwip/priv/tcp_priv.h"

static uint8_t ext_id;

struct stack_conn *conn_of_pcb(const struct tcp_pcb *pcb) { return tcp_ext_arg_get(pcb, ext_id); }

/* --- objects ---------------------------------------------------------------------------------------------------- */

struct stack_conn *conn_new(struct stack *s) {
  if (s->n_conns >= s->limits.connections) {
    (void)stack_refuse(s, STACK_LIMIT_CONNECTIONS);
    return NULL;
  }
  struct stack_conn *c = calloc(1, sizeof(*c));
  if (!c) {
    s->no_memory++;
    return NULL;
  }
  c->s = s;
  c->held = true;
  c->rx_capacity = STACK_RCVBUF;
  c->rx_max = TCP_WND;
  c->opened_ns = loop_now(s->loop, CLOCK_ID_BOOT);
  c->progress_ns = c->activity_ns = loop_now(s->loop, CLOCK_ID_MONO);
  list_init(&c->tx);
  list_init(&c->dirty_link);
  list_init(&c->wait_link);
  list_init(&c->starved_link);
  list_append(&s->conns, &c->link);
  s->n_conns++;
  return c;
}

struct stack_conn *conn_free(struct stack_conn *c) {
  struct stack *s = c->s;
  list_remove(&c->link);
  list_remove(&c->dirty_link);
  list_remove(&c->wait_link);
  list_remove(&c->starved_link);
  conn_rx_free(c);
  conn_tx_free(c);
  conn_promise_nothing(c);
  free(c->last);
  if (s->serving == c)
    s->serving = NULL;
  s->n_conns--;
  free(c);
  return NULL;
}

void conn_dirty(struct stack_conn *c) {
  if (!list_empty(&c->dirty_link))
    return;
  list_append(&c->s->dirty, &c->dirty_link);
  stack_kick(c->s);
}

void conn_event(struct stack_conn *c, unsigned events) {
  c->events |= events;
  conn_dirty(c);
}

void conn_end(struct stack_conn *c, enum stack_end why, int error) {
  if (c->end != STACK_END_NONE)
    return;
  c->end = why;
  c->end_error = error;
  if (c->listener) { /* died before anybody accepted it: nobody hears of it */
    conn_left_queue(c);
    c->held = false;
  }
  list_remove(&c->wait_link);
  conn_event(c, CONN_ENDED);
}

/* --- what lwIP reports ------------------------------------------------------------------------------------------ */

/* Only for whoever may ask still. */
static void remember(struct stack_conn *c) {
  if (!c->held)
    return;
  if (!c->last)
    c->last = calloc(1, sizeof(*c->last));
  if (c->last)
    conn_snapshot(c, c->last);
  else
    c->s->no_memory++;
}

void stack_tcp_leaves(struct tcp_pcb *pcb) {
  struct stack_conn *c = conn_of_pcb(pcb);
  if (c)
    remember(c);
}

static void on_destroyed(u8_t id _unused_, void *data) {
  struct stack_conn *c = data;
  if (!c)
    return;
  remember(c);
  c->pcb = NULL;
  conn_dirty(c);
}

static const struct tcp_ext_arg_callbacks ext_callbacks = {.destroy = on_destroyed};

static err_t on_recv(void *arg, struct tcp_pcb *pcb _unused_, struct pbuf *p, err_t err _unused_) {
  struct stack_conn *c = arg;
  if (p)
    conn_receive(c, p);
  else
    c->fin_in = true;
  conn_event(c, CONN_READABLE);
  return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb _unused_, u16_t len) {
  conn_sent(arg, len);
  return ERR_OK;
}

/* The pcb is gone already, or will be when this returns. */
static void on_err(void *arg, err_t err) {
  struct stack_conn *c = arg;
  struct stack *s = c->s;
  bool connecting = !c->connected;
  if (s->cause != STACK_END_NONE)
    conn_end(c, s->cause, s->cause == STACK_END_TIMED_OUT ? conn_timeout_error(c) : 0);
  else if (err == ERR_RST)
    conn_end(c, connecting ? STACK_END_REFUSED : STACK_END_RESET_BY_PEER, connecting ? -ECONNREFUSED : -ECONNRESET);
  else if (err == ERR_CLSD)
    conn_end(c, STACK_END_CLOSED, 0);
  else
    conn_end(c, STACK_END_LIMIT, -ENOBUFS);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb _unused_, err_t err _unused_) {
  struct stack_conn *c = arg;
  c->connected = true;
  list_remove(&c->wait_link);
  if (c->rx_capacity < c->rx_max) /* nobody has set it to just so much */
    c->rx_capacity = conn_first_window(c);
  conn_window_open(c);
  conn_event(c, CONN_CONNECTED);
  return ERR_OK;
}

/* For each segment, before lwIP handles it, and for each of its timers: some changes of state have no callback. */
void stack_tcp_dirty(struct tcp_pcb *pcb) {
  struct stack_conn *c = conn_of_pcb(pcb);
  if (c)
    conn_dirty(c);
}

bool stack_tcp_unwritten(const struct tcp_pcb *pcb) {
  const struct stack_conn *c = conn_of_pcb(pcb);
  return c && c->tx_unwritten && !pcb->unsent && !pcb->unacked;
}

/* One ACK a turn for all that came in it, with the window and the data that the room above made of it: the end of the
 * turn sends. What is about to leave our hands does not wait for that. */
bool stack_tcp_output_later(const struct tcp_pcb *pcb) {
  const struct stack_conn *c = conn_of_pcb(pcb);
  return c && c->connected && pcb->state != TIME_WAIT && !list_empty(&c->dirty_link);
}

void stack_tcp_init(void) { ext_id = tcp_ext_arg_alloc_id(); }

/* RFC 4861 6.3.2: what the routers of the link say. */
static void set_hop_limit(struct stack *s, struct tcp_pcb *pcb) {
  struct net_addr own = stack_from_lwip(&pcb->local_ip);
  struct stack_if *i = own.family == AF_INET6 ? stack_if_owner(s, &own) : NULL;
  if (i)
    pcb->ttl = i->nd_params.hop_limit;
}

void conn_attach(struct stack_conn *c, struct tcp_pcb *pcb) {
  c->pcb = pcb;
  set_hop_limit(c->s, pcb);
  tcp_arg(pcb, c);
  tcp_ext_arg_set(pcb, ext_id, c);
  tcp_ext_arg_set_callbacks(pcb, ext_id, &ext_callbacks);
  tcp_recv(pcb, on_recv);
  tcp_sent(pcb, on_sent);
  tcp_err(pcb, on_err);
}

struct tcp_pcb *conn_detach(struct stack_conn *c) {
  struct tcp_pcb *pcb = c->pcb;
  remember(c);
  tcp_ext_arg_set(pcb, ext_id, NULL);
  tcp_arg(pcb, NULL);
  tcp_recv(pcb, NULL);
  tcp_sent(pcb, NULL);
  tcp_err(pcb, NULL);
  c->pcb = NULL;
  return pcb;
}

/* Ends it from our side: the segments go with the pcb, and only then what they point to. */
void conn_kill(struct stack_conn *c, enum stack_end why, int error, bool rst) {
  if (c->pcb) {
    enum tcp_state st = c->pcb->state;
    stack_sync(c->s);
    tcp_abandon(conn_detach(c), rst && st != SYN_SENT && st != CLOSED);
    conn_tx_free(c);
  }
  conn_end(c, why, error);
}

/* --- upcalls ---------------------------------------------------------------------------------------------------- */

static void upcall(struct stack_conn *c, unsigned event, void (*fn)(void *arg)) {
  if (!(c->events & event))
    return;
  c->events &= ~event;
  if (fn)
    fn(c->arg);
}

/* Each upcall may free the connection; serving is NULL then. */
static void serve(struct stack_conn *c) {
  struct stack *s = c->s;
  if (c->pcb && c->pcb->state == TIME_WAIT)
    conn_detach(c);
  if (!c->pcb) {
    conn_tx_free(c);
    conn_promise(c);
    conn_end(c, STACK_END_CLOSED, 0);
  }
  if (!c->held || c->listener || !c->ops)
    return;
  s->serving = c;
  upcall(c, CONN_CONNECTED, c->ops->connected);
  if (s->serving && c->ops)
    upcall(c, CONN_READABLE, c->ops->readable);
  if (s->serving && c->ops)
    upcall(c, CONN_WRITABLE, c->end == STACK_END_NONE ? c->ops->writable : NULL);
  if (s->serving && c->ops)
    upcall(c, CONN_ACKED, c->end == STACK_END_NONE ? c->ops->acked : NULL);
  if (s->serving && c->ops && (c->events & CONN_ENDED)) {
    c->events &= ~(unsigned)CONN_ENDED;
    if (c->ops->ended)
      c->ops->ended(c->arg, c->end);
  }
  s->serving = NULL;
}

/* First the upcalls, each connection at most once, then what they and the wire asked lwIP to send. */
void stack_tcp_serve(struct stack *s) {
  struct list work;
  list_take(&s->dirty, &work);
  while (!list_empty(&work)) {
    struct stack_conn *c = list_first(&work, struct stack_conn, dirty_link);
    list_remove(&c->dirty_link);
    list_append(&s->dirty, &c->dirty_link);
    serve(c);
  }
  list_take(&s->dirty, &work);
  if (!list_empty(&work))
    stack_sync(s);
  while (!list_empty(&work)) {
    struct stack_conn *c = list_first(&work, struct stack_conn, dirty_link);
    list_remove(&c->dirty_link);
    if (c->pcb) {
      stack_timer_touch(s, c->pcb);
      conn_output(c);
    } else if (!c->held)
      conn_free(c);
  }
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

struct tuple {
  struct stack *s;
  ip_addr_t local, remote;
  uint16_t port, remote_port;
};

/* The same local port may serve connections to different peers. The last one is not chosen: the room above could not give
 * it a real socket (SEAL_PROGRAMS_PORT). Who names it gets it. */
static bool port_taken(void *arg, uint16_t port) {
  const struct tuple *t = arg;
  return (port == UINT16_MAX && !t->port) || stack_listener_on_port(t->s, port) ||
         stack_table_find(&t->local, port, &t->remote, t->remote_port);
}

static int choose_source(struct stack *s, const struct net_endpoint *local, const struct net_endpoint *remote,
                         struct net_addr *ret) {
  struct stack_if *i;
  if (!stack_has_address(s))
    return -ENONET;
  if (!remote->addr.family || net_addr_class(&remote->addr) == NET_MULTICAST || net_addr_is_unspecified(&remote->addr) ||
      stack_is_broadcast(s, &remote->addr))
    return -ENETUNREACH;
  if (!remote->port)
    return -EINVAL;
  return stack_path(s, local ? &local->addr : NULL, &remote->addr, &i, ret);
}

static int open_pcb(struct stack *s, const struct tuple *t, struct stack_conn *c) {
  struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(&t->local));
  if (!pcb)
    return -ENOBUFS;
  ip_set_option(pcb, SOF_REUSEADDR); /* uniqueness is that of the four-tuple; port_taken and tcp_connect hold it */
  err_t e = tcp_bind(pcb, &t->local, t->port);
  if (e == ERR_OK) {
    conn_attach(c, pcb);
    e = tcp_connect(pcb, &t->remote, t->remote_port, on_connected);
    if (e == ERR_OK)
      return 0;
    conn_detach(c);
  }
  s->cause = STACK_END_RESET_LOCAL;
  tcp_abandon(pcb, 0);
  s->cause = STACK_END_NONE;
  return stack_errno(e);
}

int stack_tcp_connect(struct stack *s, const struct net_endpoint *local, const struct net_endpoint *remote,
                      const struct stack_conn_ops *ops, void *arg, struct stack_conn **ret) {
  struct net_addr source;
  int r = choose_source(s, local, remote, &source);
  if (r < 0)
    return r;
  struct tuple t = {.s = s, .local = stack_to_lwip(&source), .remote = stack_to_lwip(&remote->addr),
                    .remote_port = remote->port};
  t.port = local && local->port ? local->port
                                : stack_connection_port(&t.local, &t.remote, t.remote_port, port_taken, &t);
  if (!t.port || (local && local->port && port_taken(&t, t.port)))
    return -EADDRINUSE;
  struct stack_conn *c = conn_new(s);
  if (!c)
    return -ENOBUFS;
  stack_sync(s);
  r = open_pcb(s, &t, c);
  if (r < 0) {
    conn_free(c);
    return r;
  }
  list_append(&s->connecting, &c->wait_link);
  stack_conn_set_ops(c, ops, arg);
  stack_kick(s);
  *ret = c;
  return 0;
}

void stack_conn_set_ops(struct stack_conn *c, const struct stack_conn_ops *ops, void *arg) {
  c->ops = ops;
  c->arg = arg;
  if (c->events)
    conn_dirty(c);
}

/* --- closing ---------------------------------------------------------------------------------------------------- */

/* Nobody looks at it any more; its memory goes when the pcb has, at the end of a turn. */
static void let_go(struct stack_conn *c) {
  c->held = false;
  c->ops = NULL;
  c->events = 0;
  if (c->s->serving == c)
    c->s->serving = NULL;
  conn_rx_free(c);
  conn_promise_nothing(c); /* what comes now is answered with a RST */
  if (c->pcb)
    conn_dirty(c);
  else
    conn_free(c);
}

struct stack_conn *stack_conn_close(struct stack_conn *c) {
  if (!c)
    return NULL;
  if (c->pcb && (c->rx_bytes > 0 || !c->connected)) {
    conn_kill(c, STACK_END_RESET_LOCAL, 0, true);
  } else if (c->pcb) {
    c->fin_wanted = true;
    c->progress_ns = loop_now(c->s->loop, CLOCK_ID_MONO);
    tcp_shutdown(c->pcb, 1, 0); /* data that comes now is answered with a RST */
  }
  let_go(c);
  return NULL;
}

struct stack_conn *stack_conn_abort(struct stack_conn *c, enum stack_end why) {
  if (!c)
    return NULL;
  if (c->pcb)
    conn_kill(c, why, 0, true);
  let_go(c);
  return NULL;
}

/* --- ICMP -------------------------------------------------------------------------------------------------------- */

static bool told_lately(const struct stack_conn *c) { return c->icmp_error && c->icmp_ns >= c->progress_ns; }

int conn_timeout_error(const struct stack_conn *c) { return told_lately(c) && c->tx_len ? c->icmp_error : -ETIMEDOUT; }
int conn_icmp_error(const struct stack_conn *c) { return told_lately(c) ? c->icmp_error : 0; }

bool stack_tcp_timed_out(const struct tcp_pcb *pcb) {
  struct stack_conn *c = conn_of_pcb(pcb);
  return c && conn_path_timed_out(c);
}

/* RFC 5927 4.1: only what quotes a segment in flight counts, and only while connecting may it end anything. Else it is
 * kept (RFC 1122 4.2.3.9): when nothing is answered any more it tells why. */
void stack_tcp_icmp(struct stack *s, const struct net_endpoint *local, const struct net_endpoint *remote, uint32_t seq,
                    int error) {
  ip_addr_t l = stack_to_lwip(&local->addr), r = stack_to_lwip(&remote->addr);
  struct tcp_pcb *pcb = stack_table_find(&l, local->port, &r, remote->port);
  struct stack_conn *c = pcb ? conn_of_pcb(pcb) : NULL;
  if (!c || TCP_SEQ_LT(seq, pcb->lastack) || !TCP_SEQ_LT(seq, pcb->snd_nxt)) {
    s->icmp_malformed++;
  } else if (pcb->state == SYN_SENT) {
    conn_kill(c, STACK_END_UNREACHABLE, error, false);
  } else {
    c->icmp_error = error;
    c->icmp_ns = loop_now(s->loop, CLOCK_ID_MONO);
  }
}

/* --- what befalls many at once ---------------------------------------------------------------------------------- */

/* The next hop does not answer: who is connecting through it has nothing to wait for (RFC 1122 3.3.1.1, 4.2.3.9). What
 * is established may outlive it. */
void stack_tcp_unanswered(struct stack *s, const struct stack_if *i, const struct net_addr *hop) {
  list_for_each(l, &s->connecting) {
    struct stack_conn *c = list_entry(l, struct stack_conn, wait_link);
    if (!c->pcb || c->pcb->state != SYN_SENT || IP_IS_V6(&c->pcb->local_ip) != (hop->family == AF_INET6))
      continue;
    struct net_addr local = stack_from_lwip(&c->pcb->local_ip), remote = stack_from_lwip(&c->pcb->remote_ip);
    if (stack_if_owner(s, &local) != i)
      continue;
    struct net_addr via = stack_if_next_hop(i, &remote);
    if (net_addr_equal(&via, hop))
      conn_kill(c, STACK_END_UNREACHABLE, -EHOSTUNREACH, false);
  }
}

/* Nothing that lwIP reports meanwhile ends another one. */
static void abandon_list(struct tcp_pcb *pcb, const ip_addr_t *local, bool reset) {
  for (struct tcp_pcb *next; pcb; pcb = next) {
    next = pcb->next;
    if (!local || ip_addr_eq(&pcb->local_ip, local))
      tcp_abandon(pcb, reset);
  }
}

/* local NULL: all. Sends nothing but resets. The one walk over all pcbs, once for each address that is lost. */
static void abandon(struct stack *s, const ip_addr_t *local, bool reset, enum stack_end why) {
  s->cause = why;
  abandon_list(tcp_active_pcbs, local, reset);
  abandon_list(tcp_tw_pcbs, local, false);
  s->cause = STACK_END_NONE;
}

void stack_tcp_address_lost(struct stack *s, const struct net_addr *a) {
  ip_addr_t local = stack_to_lwip(a);
  abandon(s, &local, false, STACK_END_ADDRESS_LOST);
}

void stack_tcp_reset(struct stack *s, const struct net_addr *a) {
  ip_addr_t local = stack_to_lwip(a);
  abandon(s, &local, true, STACK_END_ADDRESS_LOST);
}

void stack_tcp_forget_all(struct stack *s) {
  abandon(s, NULL, false, STACK_END_LIMIT);
  while (!list_empty(&s->conns))
    conn_free(list_first(&s->conns, struct stack_conn, link));
}
