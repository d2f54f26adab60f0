/* SPDX-License-Identifier: BSD-3-Clause
 * Status of sockets, alive and dead.
 */
#include "cap/status.h"
#include "cap/tcp.h"

struct ctx {
  struct cap_status_room *room;
  struct status_page *page;
  const struct status_scope *scope;
  uint64_t now;
};

static void fill_queues(Capnet__StatusSocket *m, const struct flow_info *f) {
  m->has_stack_recv_queue = m->has_stack_recv_capacity = m->has_stack_send_queue = m->has_stack_send_capacity = 1;
  m->stack_recv_queue = f->conn.recv_queue;
  m->stack_recv_capacity = f->conn.recv_capacity;
  m->stack_send_queue = f->conn.send_queue;
  m->stack_send_capacity = f->conn.send_capacity;
  if (!f->has_client)
    return;
  m->has_client_recv_queue = m->has_client_recv_capacity = m->has_client_send_queue = m->has_client_send_capacity = 1;
  m->client_recv_queue = f->client_recv_queue;
  m->client_recv_capacity = f->client_recv_capacity;
  m->client_send_queue = f->client_send_queue;
  m->client_send_capacity = f->client_send_capacity;
}

static void fill_path(struct ctx *c, Capnet__StatusSocket *m, const struct flow_info *f) {
  const struct stack_conn_info *i = &f->conn;
  m->congestion = page_string(c->page, i->congestion);
  m->has_mss = m->has_retransmits = m->has_rto_ms = m->has_cwnd = m->has_peer_window = 1;
  m->has_mtu = i->mtu != 0; /* gone with the interface of a lost address */
  m->mss = i->mss;
  m->mtu = i->mtu;
  m->mtu_origin = page_string(c->page, i->mtu_origin);
  m->has_path_mtu = i->path_mtu != 0;
  m->path_mtu = i->path_mtu;
  m->path_mtu_origin = i->path_mtu ? page_string(c->page, stack_path_origin_name(i->path_origin)) : NULL;
  m->icmp_error = i->icmp_error ? page_string(c->page, stack_icmp_error_name(i->icmp_error)) : NULL;
  m->retransmits = i->retransmits;
  m->rto_ms = i->rto_ms;
  m->cwnd = i->cwnd;
  m->peer_window = i->peer_window;
  m->has_rtt_us = m->has_rttvar_us = i->has_rtt;
  m->rtt_us = i->rtt_us;
  m->rttvar_us = i->rttvar_us;
  m->has_bytes_in = m->has_bytes_out = 1;
  m->bytes_in = i->bytes_in;
  m->bytes_out = i->bytes_out;
}

static void fill_connection(struct ctx *c, Capnet__StatusSocket *m, const struct flow_info *f) {
  char buf[NET_ENDPOINT_STRLEN];
  m->kind = page_string(c->page, "tcp");
  m->state = page_string(c->page, stack_tcp_state_name(f->dead ? STACK_TCP_CLOSED : f->conn.state));
  m->local = page_string(c->page, net_endpoint_format(&f->conn.local, buf));
  m->peer = page_string(c->page, net_endpoint_format(&f->conn.remote, buf));
  if (!f->dead)
    fill_queues(m, f);
  fill_path(c, m, f);
  Capnet__TcpOptions *o = page_alloc(c->page, sizeof *o);
  if (o)
    tcp_options_fill(o, &f->conn.options);
  m->options = o;
}

static void fill_listener(struct ctx *c, Capnet__StatusSocket *m, const struct flow_info *f) {
  char buf[NET_ENDPOINT_STRLEN];
  m->kind = page_string(c->page, "tcp-listener");
  m->state = page_string(c->page, stack_tcp_state_name(f->dead ? STACK_TCP_CLOSED : STACK_TCP_LISTEN));
  m->local = f->listener.local.addr.family ? page_string(c->page, net_endpoint_format(&f->listener.local, buf))
                                           : page_printf(c->page, f->dead || f->listener.bound ? "*:%u" : "none:%u",
                                                         f->listener.local.port);
  m->has_backlog = m->has_waiting = m->has_accepted = m->has_dropped = 1;
  m->backlog = f->listener.backlog;
  m->waiting = f->listener.waiting;
  m->accepted = f->listener.accepted;
  m->dropped = f->listener.dropped;
  m->has_refused = 1;
  m->refused = f->listener.refused;
  m->has_queue = m->has_queue_backlog = f->has_queue;
  m->queue = f->queue;
  m->queue_backlog = f->queue_backlog;
}

static void on_flow(void *arg, const struct flow_info *f) {
  struct ctx *c = arg;
  if (!status_visible(c->scope, f->label->grant, f->label->taken_by))
    return;
  Capnet__StatusSocket *m = page_append(c->page, &capnet__status_socket__descriptor, &c->page->msg.n_sockets,
                                        (void ***)&c->page->msg.sockets);
  if (!m)
    return;
  m->has_id = m->has_age_s = 1;
  m->id = f->id;
  m->grant = page_string(c->page, f->label->grant);
  m->taken_by = page_string(c->page, f->label->taken_by);
  m->form = f->form ? page_string(c->page, f->form) : NULL;
  m->age_s = ((f->dead ? f->ended_ns : c->now) - f->opened_ns) / NSEC_PER_SEC;
  if (f->kind == FLOW_LISTENER)
    fill_listener(c, m, f);
  else
    fill_connection(c, m, f);
  if (!f->dead) {
    m->blocked_on = page_string(c->page, flow_blocked_name(f->blocked));
    return;
  }
  m->end = page_string(c->page, stack_end_name(f->conn.end));
  m->has_ended_ago_s = 1;
  m->ended_ago_s = (c->now - f->ended_ns) / NSEC_PER_SEC;
}

void status_sockets(struct cap_status_room *room, struct status_page *p, const struct status_scope *scope) {
  struct ctx c = {room, p, scope, loop_now(caps_loop(room->caps), CLOCK_ID_BOOT)};
  flow_each(room->flows, on_flow, &c);
}
