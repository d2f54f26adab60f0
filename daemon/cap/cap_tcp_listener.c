/* SPDX-License-Identifier: BSD-3-Clause
 * TcpListener: Accept calls park in order of arrival; a connection goes to the oldest. An accept channel, once asked for,
 * takes what no call waits for: it is a SEQPACKET socket that only we write, one connection at a time, padded so that the
 * kernel reports it writable again only after the client took the message. A listener with a real listening socket does
 * neither: each connection goes into that socket's accept queue as soon as there is room.
 */
#include "cap/tcp_listener.h"

#include "base/pair.h"
#include "cap/tcp.h"

#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct waiter {
  struct list link;
  struct call *call;
  enum flow_form_wish form;
};

struct channel {
  int fd; /* -1: nobody asked for one */
  enum flow_form_wish form;
  struct loop_watch *watch;
};

struct cap_tcp_listener {
  struct cap cap;
  struct flow_listener *listener;
  struct list waiters;
  struct channel channel;
  bool charged;
  enum stack_end why; /* it ended: its address is gone, … */
};

#define CHANNEL_PADDING 1400 /* with SO_SNDBUF at its least, one message of this size fills the socket */

/* --- the accept channel ------------------------------------------------------------------------------------------------------- */

static void channel_close(struct cap_tcp_listener *l) {
  l->channel.watch = loop_watch_free(l->channel.watch);
  l->channel.fd = fd_close(l->channel.fd);
}

static bool channel_idle(const struct cap_tcp_listener *l) {
  int queued = 0;
  return ioctl(l->channel.fd, SIOCOUTQ, &queued) == 0 && queued == 0;
}

static int channel_send(struct cap_tcp_listener *l, struct tcp_handover *h) {
  static uint8_t zeros[CHANNEL_PADDING];
  Capnet__Frame frame = CAPNET__FRAME__INIT;
  frame.has_kind = frame.has_call = 1;
  frame.kind = CAPNET__FRAME__KIND__REPLY;
  frame.call = flow_next_id(cap_room(&l->cap));
  h->data_slot.has_slot = h->control_slot.has_slot = 1;
  h->data_slot.slot = 0;
  h->control_slot.slot = 1;
  h->msg.has_padding = 1;
  h->msg.padding = (ProtobufCBinaryData){.len = sizeof zeros, .data = zeros};
  _cleanup_free_ uint8_t *data = NULL;
  size_t len;
  int r = frame_encode(&frame, &h->msg.base, &data, &len);
  return r < 0 ? r : frame_send(l->channel.fd, data, len, (int[]){h->data, h->control}, 2, 1);
}

/* Sends one connection if the client has taken the last; failing that, it is reset: the client broke the channel. */
static void channel_pump(struct cap_tcp_listener *l) {
  struct stack_conn *conn;
  struct tcp_handover h;
  struct auth_refusal why;
  if (l->channel.fd < 0)
    return;
  if (!channel_idle(l)) {
    /* The kernel says "writable" an instant before it takes the last byte off its count: ask again. */
    (void)loop_watch_set(l->channel.watch, LOOP_HANGUP | LOOP_WRITE);
    return;
  }
  if (flow_accept(l->listener, &conn) < 0) {
    (void)loop_watch_set(l->channel.watch, LOOP_HANGUP);
    return;
  }
  /* If not, that one was reset; the next must not wait for a newcomer. */
  if (tcp_hand_over(&l->cap, conn, l->channel.form, true, &h, &why) < 0) {
    (void)loop_watch_set(l->channel.watch, LOOP_HANGUP | LOOP_WRITE);
    return;
  }
  int r = channel_send(l, &h);
  fd_close(h.data);
  fd_close(h.control);
  if (r < 0)
    channel_close(l);
  else
    (void)loop_watch_set(l->channel.watch, LOOP_HANGUP | LOOP_WRITE);
}

static void on_channel(void *arg, unsigned events) {
  struct cap_tcp_listener *l = arg;
  if (events & LOOP_HANGUP)
    channel_close(l);
  else
    channel_pump(l);
}

/* --- requests ------------------------------------------------------------------------------------------------------------------- */

static void waiter_free(struct waiter *w) {
  list_remove(&w->link);
  free(w);
}

static void on_cancel(void *arg, int reason) {
  (void)reason;
  waiter_free(arg);
}

static void conflict(struct call *call, const char *why) { call_error(call, -EALREADY, NULL, NULL, "%s", why); }
static const char on_socket[] = "its connections arrive on the listening socket";

static void ended(struct call *call, enum stack_end why) {
  int e = why == STACK_END_CLOSED ? -ECANCELED : tcp_end_errno(why);
  call_error(call, e, NULL, NULL, "%s",
             why == STACK_END_CLOSED ? "the program shut its listening socket down"
             : why == STACK_END_LIMIT ? "real sockets cannot be had any more"
                                      : error_code_sentence(error_code_from_errno(e)));
}

static void tcp_listener_accept(Capnet__TcpListener_Service *service, const Capnet__TcpAcceptRequest *rq,
                                Capnet__TcpConnection_Closure closure, void *data) {
  (void)service, (void)closure;
  struct call *call = data;
  struct cap_tcp_listener *l = (struct cap_tcp_listener *)cap_of(call);
  struct stack_conn *conn;
  enum flow_form_wish form;
  if (l->why) {
    ended(call, l->why);
    return;
  }
  if (flow_listener_is_socket(l->listener)) {
    conflict(call, on_socket);
    return;
  }
  if (!tcp_form_parse(call, rq->has_form, rq->form, &form))
    return;
  if (list_empty(&l->waiters) && flow_accept(l->listener, &conn) == 0) {
    tcp_answer(call, &l->cap, conn, form, true);
    return;
  }
  struct waiter *w = malloc(sizeof *w);
  if (!w) {
    call_error(call, -ENOMEM, NULL, NULL, "out of memory");
    return;
  }
  *w = (struct waiter){.call = call, .form = form};
  list_append(&l->waiters, &w->link);
  call_on_cancel(call, on_cancel, w);
}

static int channel_open(struct cap_tcp_listener *l, int *ret_client) {
  _cleanup_close_ int ours = -1, client = -1;
  const int least = 1;
  int r = pair_new(SOCK_SEQPACKET, &ours, &client);
  if (r < 0)
    return r;
  if (shutdown(ours, SHUT_RD) < 0)
    return -errno;
  (void)setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
  r = loop_watch_new(caps_loop(l->cap.caps), ours, on_channel, l, &l->channel.watch);
  if (r < 0)
    return r;
  l->channel.fd = TAKE_FD(ours);
  *ret_client = TAKE_FD(client);
  return 0;
}

static void tcp_listener_accept_channel(Capnet__TcpListener_Service *service, const Capnet__TcpAcceptChannelRequest *rq,
                                        Capnet__TcpAcceptChannelReply_Closure closure, void *data) {
  (void)service, (void)closure;
  struct call *call = data;
  struct cap_tcp_listener *l = (struct cap_tcp_listener *)cap_of(call);
  int client = -1;
  if (l->why) {
    ended(call, l->why);
    return;
  }
  const bool socket = flow_listener_is_socket(l->listener);
  if (socket || l->channel.fd >= 0) {
    conflict(call, socket ? on_socket : "the listener has an accept channel already");
    return;
  }
  if (!tcp_form_parse(call, rq->has_form, rq->form, &l->channel.form))
    return;
  int r = channel_open(l, &client);
  if (r < 0) {
    call_error(call, r, NULL, NULL, "no channel can be made");
    return;
  }
  Capnet__TcpAcceptChannelReply reply = CAPNET__TCP_ACCEPT_CHANNEL_REPLY__INIT;
  Capnet__Descriptor slot = CAPNET__DESCRIPTOR__INIT;
  slot.has_slot = 1;
  (void)call_add_fd(call, client, &slot.slot);
  reply.channel = &slot;
  call_reply(call, &reply.base);
  channel_pump(l);
}

/* --- events ----------------------------------------------------------------------------------------------------------------------- */

static void on_acceptable(void *arg) {
  struct cap_tcp_listener *l = arg;
  struct stack_conn *conn;
  struct auth_refusal why;
  if (flow_listener_is_socket(l->listener)) {
    while (flow_accept(l->listener, &conn) == 0)
      (void)tcp_enter(&l->cap, l->listener, conn, &why); /* that one was reset, and is counted where it was refused */
    return;
  }
  while (!list_empty(&l->waiters) && flow_accept(l->listener, &conn) == 0) {
    struct waiter *w = list_first(&l->waiters, struct waiter, link);
    struct call *call = w->call;
    const enum flow_form_wish form = w->form;
    waiter_free(w);
    tcp_answer(call, &l->cap, conn, form, true);
  }
  channel_pump(l);
}

static void uncharge(struct cap_tcp_listener *l) {
  if (l->charged)
    auth_uncharge(l->cap.node, LIMIT_SOCKETS, 1);
  l->charged = false;
}

static void on_ended(void *arg, enum stack_end why) {
  struct cap_tcp_listener *l = arg;
  l->why = why;
  uncharge(l);
  channel_close(l);
  while (!list_empty(&l->waiters)) {
    struct waiter *w = list_first(&l->waiters, struct waiter, link);
    struct call *call = w->call;
    waiter_free(w);
    ended(call, why);
  }
}

static const struct flow_listener_ops listener_ops = {.acceptable = on_acceptable, .ended = on_ended};

int cap_tcp_listener_open(struct cap *authority, const struct cap_listener_request *rq, struct cap_listener_handover *ret,
                          struct auth_refusal *why) {
  const struct auth_spec spec = {.kind = AUTH_TCP_LISTENER};
  struct cap *c;
  int r = cap_mint(authority->caps, authority->node, &spec, authority, &c, &ret->fd, why);
  if (r < 0)
    return r;
  struct cap_tcp_listener *l = (struct cap_tcp_listener *)c;
  struct tcp_label label;
  tcp_label(c->node, &label);
  r = auth_charge(c->node, LIMIT_SOCKETS, 1, why);
  if (r == 0) {
    l->charged = true;
    ret->socket = -1;
    r = flow_listen(cap_room(c), &rq->bind, &rq->options, rq->socket, &label.flow, &listener_ops, l, &l->listener, &ret->socket);
    why->error = r;
    (void)snprintf(why->text, sizeof why->text, "%s", error_code_sentence(error_code_from_errno(r)));
  }
  if (r < 0) {
    ret->fd = fd_close(ret->fd);
    cap_end(c, 0);
    return r;
  }
  struct stack_listener_info info;
  flow_listener_info(l->listener, &info);
  ret->local = info.local;
  ret->id = flow_listener_id(l->listener);
  return 0;
}

/* --- the table ---------------------------------------------------------------------------------------------------------------------- */

static void tcp_listener_init(struct cap *c) {
  struct cap_tcp_listener *l = (struct cap_tcp_listener *)c;
  list_init(&l->waiters);
  l->channel.fd = -1;
}

static void tcp_listener_release(struct cap *c) {
  struct cap_tcp_listener *l = (struct cap_tcp_listener *)c;
  channel_close(l);
  l->listener = flow_listener_free(l->listener);
  uncharge(l);
}

static Capnet__TcpListener_Service tcp_listener_service = CAPNET__TCP_LISTENER__INIT(tcp_listener_);

const struct cap_kind cap_tcp_listener_kind = {.kind = AUTH_TCP_LISTENER,
                                               .size = sizeof(struct cap_tcp_listener),
                                               .service = &tcp_listener_service.base,
                                               .init = tcp_listener_init,
                                               .release = tcp_listener_release};
