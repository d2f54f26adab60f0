/* SPDX-License-Identifier: BSD-3-Clause
 * TCP: opening and accepting connections, and the control of one. The bytes are in tcp_io.c.
 */
#include "libcapnet/tcp.h"
#include "proto/tcp.pb-c.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

static_assert((int)CAPNET_END_CLOSED == (int)CAPNET__TCP_END__TCP_END_CLOSED, "numbers of the wire");
static_assert((int)CAPNET_FORM_PAIR == (int)CAPNET__TCP_FORM__TCP_FORM_PAIR, "numbers of the wire");
static_assert((int)CAPNET_END_LIMIT == (int)CAPNET__TCP_END__TCP_END_LIMIT, "numbers of the wire");

/* --- values ------------------------------------------------------------------------------------------------------- */

const char *capnet_tcp_end_name(enum capnet_tcp_end end) {
  switch (end) {
  case CAPNET_END_NONE: return "none";
  case CAPNET_END_CLOSED: return "closed";
  case CAPNET_END_RESET_BY_PEER: return "reset-by-peer";
  case CAPNET_END_RESET_LOCAL: return "reset-local";
  case CAPNET_END_REFUSED: return "refused";
  case CAPNET_END_TIMED_OUT: return "timed-out";
  case CAPNET_END_UNREACHABLE: return "unreachable";
  case CAPNET_END_REVOKED: return "revoked";
  case CAPNET_END_ADDRESS_LOST: return "address-lost";
  case CAPNET_END_LIMIT: return "limit";
  }
  return "unknown";
}

static int end_code(enum capnet_tcp_end end, struct capnet_error *err) {
  switch (end) {
  case CAPNET_END_NONE:
  case CAPNET_END_CLOSED: return 0;
  case CAPNET_END_RESET_BY_PEER:
    return fail_code(err, CAPNET__ERROR_CODE__ERROR_RESET, "the peer reset the connection");
  case CAPNET_END_RESET_LOCAL: return fail_code(err, CAPNET__ERROR_CODE__ERROR_RESET, "this side reset the connection");
  case CAPNET_END_REFUSED: return fail_code(err, CAPNET__ERROR_CODE__ERROR_REFUSED, NULL);
  case CAPNET_END_TIMED_OUT: return fail_code(err, CAPNET__ERROR_CODE__ERROR_TIMED_OUT, NULL);
  case CAPNET_END_UNREACHABLE: return fail_code(err, CAPNET__ERROR_CODE__ERROR_UNREACHABLE, NULL);
  case CAPNET_END_REVOKED: return fail_code(err, CAPNET__ERROR_CODE__ERROR_REVOKED, NULL);
  case CAPNET_END_ADDRESS_LOST: return fail_code(err, CAPNET__ERROR_CODE__ERROR_ADDRESS_LOST, NULL);
  case CAPNET_END_LIMIT: return fail_code(err, CAPNET__ERROR_CODE__ERROR_LIMIT, NULL);
  }
  return fail_code(err, CAPNET__ERROR_CODE__ERROR_UNSPECIFIED, NULL);
}

int tcp_end_error(const struct capnet_tcp_status *status, struct capnet_error *err) {
  int r = end_code(status->end, err);
  return r < 0 && status->reason.error ? fail_copy(err, &status->reason) : r;
}

static void fill_addr(struct capnet_addr *to, const Capnet__TcpEndpoint *from) {
  *to = (struct capnet_addr){0};
  if (!from)
    return;
  (void)snprintf(to->address, sizeof to->address, "%s", from->address ? from->address : "");
  to->port = (uint16_t)from->port;
}

static void options_to_wire(Capnet__TcpOptions *to, const struct capnet_tcp_options *o) {
#define PUT(bit, field) to->has_##field = (o->set & (bit)) != 0, to->field = o->field
  PUT(CAPNET_TCP_KEEPALIVE_IDLE, keepalive_idle_s);
  PUT(CAPNET_TCP_KEEPALIVE_INTERVAL, keepalive_interval_s);
  PUT(CAPNET_TCP_KEEPALIVE_COUNT, keepalive_count);
  PUT(CAPNET_TCP_USER_TIMEOUT, user_timeout_ms);
  PUT(CAPNET_TCP_IDLE_TIMEOUT, idle_timeout_ms);
  PUT(CAPNET_TCP_NODELAY, nodelay);
#undef PUT
  to->congestion = o->set & CAPNET_TCP_CONGESTION ? (char *)o->congestion : NULL;
}

static void options_from_wire(struct capnet_tcp_options *to, const Capnet__TcpOptions *o) {
  *to = (struct capnet_tcp_options){0};
  if (!o)
    return;
#define GET(bit, field) to->set |= o->has_##field ? (bit) : 0, to->field = o->field
  GET(CAPNET_TCP_KEEPALIVE_IDLE, keepalive_idle_s);
  GET(CAPNET_TCP_KEEPALIVE_INTERVAL, keepalive_interval_s);
  GET(CAPNET_TCP_KEEPALIVE_COUNT, keepalive_count);
  GET(CAPNET_TCP_USER_TIMEOUT, user_timeout_ms);
  GET(CAPNET_TCP_IDLE_TIMEOUT, idle_timeout_ms);
  GET(CAPNET_TCP_NODELAY, nodelay);
#undef GET
  if (o->congestion && strlen(o->congestion) < sizeof to->congestion) {
    to->set |= CAPNET_TCP_CONGESTION;
    strcpy(to->congestion, o->congestion);
  }
}

/* Takes a connection out of the reply that c holds. A control that is not wanted, as an older daemon gives it all the same,
 * is closed with the call. */
static int fill_tcp(struct call *c, const Capnet__TcpConnection *from, bool wants_control, struct capnet_tcp *ret) {
  _cleanup_close_ int fd = -1;
  capnet *control = NULL;
  int r = call_take_fd(c, from->data, &fd);
  if (r == 0 && from->control && wants_control)
    r = conn_from_slot(c, from->control, &control);
  if (r < 0)
    return r;
  const int flags = from->has_form ? 0 : fcntl(fd, F_GETFL); /* who tells the form promises that it blocks */
  if (flags >= 0 && (flags & O_NONBLOCK))
    (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
  *ret = (struct capnet_tcp){.fd = TAKE_FD(fd), .control = control, .id = from->id,
                              .form = (enum capnet_tcp_form)from->form};
  fill_addr(&ret->local, from->local);
  fill_addr(&ret->remote, from->remote);
  return 0;
}

/* --- authorities -------------------------------------------------------------------------------------------------- */

int capnet_tcp_connect_form(capnet *cap, enum capnet_tcp_form form, const char *address, uint16_t port,
                            const struct capnet_tcp_options *options, unsigned timeout_ms, struct capnet_tcp *ret,
                            struct capnet_error *err) {
  struct call c;
  Capnet__TcpConnectRequest request = CAPNET__TCP_CONNECT_REQUEST__INIT;
  Capnet__TcpEndpoint remote = CAPNET__TCP_ENDPOINT__INIT;
  Capnet__TcpOptions wire = CAPNET__TCP_OPTIONS__INIT;
  remote.address = (char *)address;
  remote.has_port = 1;
  remote.port = port;
  request.remote = &remote;
  request.has_form = form != CAPNET_FORM_AUTO;
  request.form = (Capnet__TcpForm)form;
  const bool control = !options || !(options->set & CAPNET_TCP_NO_CONTROL);
  if (options) {
    options_to_wire(&wire, options);
    request.options = &wire;
    request.has_control = !control;
  }
  call_init(&c, cap, &capnet__tcp_connect_authority__descriptor, timeout_ms, err);
  capnet__tcp_connect_authority__connect(&c.service, &request, NULL, NULL);
  Capnet__TcpConnection *reply;
  int r = call_one(&c, (void **)&reply);
  if (r == 0 && form == CAPNET_FORM_SOCKET && reply->form != CAPNET__TCP_FORM__TCP_FORM_SOCKET)
    r = fail(err, ENOPKG, "UNAVAILABLE", "the daemon gives no real sockets: it is an older one");
  if (r == 0)
    r = fill_tcp(&c, reply, control, ret);
  return call_done(&c, r);
}

int capnet_tcp_connect(capnet *cap, const char *address, uint16_t port, const struct capnet_tcp_options *options,
                       unsigned timeout_ms, struct capnet_tcp *ret, struct capnet_error *err) {
  return capnet_tcp_connect_form(cap, CAPNET_FORM_AUTO, address, port, options, timeout_ms, ret, err);
}

/* ret_fd NULL: a listener for Accept calls. */
static int do_listen(capnet *cap, Capnet__TcpListenRequest *request, unsigned timeout_ms, int *ret_fd,
                     capnet **ret_listener, struct capnet_addr *ret_local, struct capnet_error *err) {
  struct call c;
  _cleanup_close_ int fd = -1;
  call_init(&c, cap, &capnet__tcp_listen_authority__descriptor, timeout_ms, err);
  capnet__tcp_listen_authority__listen(&c.service, request, NULL, NULL);
  Capnet__TcpListenReply *reply;
  int r = call_one(&c, (void **)&reply);
  if (r == 0 && ret_fd)
    r = reply->socket ? call_take_fd(&c, reply->socket, &fd)
                      : fail(err, ENOPKG, "UNAVAILABLE", "the daemon gives no listening sockets: it is an older one");
  if (r == 0)
    r = conn_from_slot(&c, reply->listener, ret_listener);
  if (r == 0 && ret_fd) {
    const int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK))
      (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    *ret_fd = TAKE_FD(fd);
  }
  if (r == 0 && ret_local)
    fill_addr(ret_local, reply->local);
  return call_done(&c, r);
}

int capnet_tcp_listen_options(capnet *cap, const char *address, uint16_t port, unsigned backlog, int refuse,
                              const struct capnet_tcp_options *options, unsigned timeout_ms, int *ret_fd,
                              capnet **ret_listener, struct capnet_addr *ret_local, struct capnet_error *err) {
  Capnet__TcpListenRequest request = CAPNET__TCP_LISTEN_REQUEST__INIT;
  Capnet__TcpOptions wire = CAPNET__TCP_OPTIONS__INIT;
  request.address = (char *)address;
  request.has_port = 1;
  request.port = port;
  request.has_backlog = backlog != 0;
  request.backlog = backlog;
  request.has_socket = request.socket = ret_fd != NULL;
  request.has_overflow = 1;
  request.overflow = refuse ? CAPNET__TCP_OVERFLOW__TCP_OVERFLOW_REFUSE : CAPNET__TCP_OVERFLOW__TCP_OVERFLOW_WAIT;
  if (options) {
    options_to_wire(&wire, options);
    request.options = &wire;
    request.has_family =
        (options->set & (CAPNET_TCP_IPV4_ONLY | CAPNET_TCP_IPV6_ONLY | CAPNET_TCP_BOTH_FAMILIES)) != 0;
    request.family = options->set & CAPNET_TCP_IPV4_ONLY   ? CAPNET__TCP_FAMILY__TCP_FAMILY_IPV4
                     : options->set & CAPNET_TCP_IPV6_ONLY ? CAPNET__TCP_FAMILY__TCP_FAMILY_IPV6
                                                           : CAPNET__TCP_FAMILY__TCP_FAMILY_BOTH;
  }
  return do_listen(cap, &request, timeout_ms, ret_fd, ret_listener, ret_local, err);
}

int capnet_tcp_listen(capnet *cap, const char *address, uint16_t port, unsigned backlog, unsigned timeout_ms,
                      capnet **ret_listener, struct capnet_addr *ret_local, struct capnet_error *err) {
  return capnet_tcp_listen_options(cap, address, port, backlog, 0, NULL, timeout_ms, NULL, ret_listener, ret_local, err);
}

int capnet_tcp_listen_socket(capnet *cap, const char *address, uint16_t port, unsigned backlog, int refuse,
                             unsigned timeout_ms, int *ret_fd, capnet **ret_listener, struct capnet_addr *ret_local,
                             struct capnet_error *err) {
  return capnet_tcp_listen_options(cap, address, port, backlog, refuse, NULL, timeout_ms, ret_fd, ret_listener, ret_local,
                                   err);
}

/* --- listeners ---------------------------------------------------------------------------------------------------- */

int capnet_tcp_accept(capnet *listener, unsigned timeout_ms, struct capnet_tcp *ret, struct capnet_error *err) {
  struct call c;
  Capnet__TcpAcceptRequest request = CAPNET__TCP_ACCEPT_REQUEST__INIT;
  call_init(&c, listener, &capnet__tcp_listener__descriptor, timeout_ms, err);
  capnet__tcp_listener__accept(&c.service, &request, NULL, NULL);
  Capnet__TcpConnection *reply;
  int r = call_one(&c, (void **)&reply);
  if (r == 0)
    r = fill_tcp(&c, reply, true, ret);
  return call_done(&c, r);
}

int capnet_tcp_accept_channel(capnet *listener, unsigned timeout_ms, capnet **ret_channel, struct capnet_error *err) {
  return capnet_tcp_accept_channel_form(listener, CAPNET_FORM_AUTO, timeout_ms, ret_channel, err);
}

int capnet_tcp_accept_channel_form(capnet *listener, enum capnet_tcp_form form, unsigned timeout_ms,
                                   capnet **ret_channel, struct capnet_error *err) {
  struct call c;
  Capnet__TcpAcceptChannelRequest request = CAPNET__TCP_ACCEPT_CHANNEL_REQUEST__INIT;
  request.has_form = form != CAPNET_FORM_AUTO;
  request.form = (Capnet__TcpForm)form;
  call_init(&c, listener, &capnet__tcp_listener__descriptor, timeout_ms, err);
  capnet__tcp_listener__accept_channel(&c.service, &request, NULL, NULL);
  Capnet__TcpAcceptChannelReply *reply;
  int r = call_one(&c, (void **)&reply);
  if (r == 0)
    r = conn_from_slot(&c, reply->channel, ret_channel);
  return call_done(&c, r);
}

/* Nothing is ever sent on a channel: its frames just come. */
int capnet_tcp_channel_accept(capnet *channel, unsigned timeout_ms, struct capnet_tcp *ret, struct capnet_error *err) {
  struct call c;
  _cleanup_(frame_freep) Capnet__Frame *frame = NULL;
  call_init(&c, channel, &capnet__tcp_listener__descriptor, timeout_ms, err);
  c.reply_type = &capnet__tcp_connection__descriptor;
  if (timeout_ms)
    c.deadline_ns -= CALL_GRACE_MS * NSEC_PER_MSEC; /* nobody else watches it */
  int r = c.result < 0 ? c.result : call_frame(&c, &frame);
  if (r == 0 && frame->kind == CAPNET__FRAME__KIND__ERROR)
    r = fail_wire(c.err, frame->error);
  else if (r == 0)
    r = call_unpack(&c, frame);
  if (r == 0)
    r = fill_tcp(&c, (Capnet__TcpConnection *)c.reply, true, ret);
  return call_done(&c, r);
}

/* --- the control of one connection -------------------------------------------------------------------------------- */

static int status_reply(struct call *c, struct capnet_tcp_status *ret) {
  Capnet__TcpStatusReply *reply;
  int r = call_one(c, (void **)&reply);
  if (r < 0)
    return call_done(c, r);
  struct capnet_tcp_status s = {
      .end = (enum capnet_tcp_end)reply->end, .bytes_in = reply->bytes_in, .bytes_out = reply->bytes_out};
  (void)snprintf(s.state, sizeof s.state, "%s", reply->state ? reply->state : "");
  if (reply->error)
    (void)fail_wire(&s.reason, reply->error);
  options_from_wire(&s.options, reply->options);
  fill_addr(&s.local, reply->local);
  fill_addr(&s.remote, reply->remote);
  *ret = s;
  return call_done(c, 0);
}

int capnet_tcp_get_status(capnet *control, unsigned timeout_ms, struct capnet_tcp_status *ret,
                          struct capnet_error *err) {
  struct call c;
  Capnet__TcpStatusRequest request = CAPNET__TCP_STATUS_REQUEST__INIT;
  call_init(&c, control, &capnet__tcp_socket__descriptor, timeout_ms, err);
  capnet__tcp_socket__status(&c.service, &request, NULL, NULL);
  return status_reply(&c, ret);
}

int capnet_tcp_set_options(capnet *control, const struct capnet_tcp_options *options, unsigned timeout_ms,
                           struct capnet_tcp_options *ret, struct capnet_error *err) {
  struct call c;
  Capnet__TcpSetOptionsRequest request = CAPNET__TCP_SET_OPTIONS_REQUEST__INIT;
  Capnet__TcpOptions wire = CAPNET__TCP_OPTIONS__INIT;
  options_to_wire(&wire, options);
  request.options = &wire;
  call_init(&c, control, &capnet__tcp_socket__descriptor, timeout_ms, err);
  capnet__tcp_socket__set_options(&c.service, &request, NULL, NULL);
  Capnet__TcpSetOptionsReply *reply;
  int r = call_one(&c, (void **)&reply);
  if (r == 0 && ret)
    options_from_wire(ret, reply->options);
  return call_done(&c, r);
}

int capnet_tcp_shutdown(capnet *control, unsigned timeout_ms, struct capnet_error *err) {
  struct call c;
  Capnet__TcpShutdownRequest request = CAPNET__TCP_SHUTDOWN_REQUEST__INIT;
  Capnet__TcpShutdownReply *reply;
  call_init(&c, control, &capnet__tcp_socket__descriptor, timeout_ms, err);
  capnet__tcp_socket__shutdown(&c.service, &request, NULL, NULL);
  return call_done(&c, call_one(&c, (void **)&reply));
}

int capnet_tcp_abort(capnet *control, unsigned timeout_ms, struct capnet_error *err) {
  struct call c;
  Capnet__TcpAbortRequest request = CAPNET__TCP_ABORT_REQUEST__INIT;
  Capnet__TcpAbortReply *reply;
  call_init(&c, control, &capnet__tcp_socket__descriptor, timeout_ms, err);
  capnet__tcp_socket__abort(&c.service, &request, NULL, NULL);
  return call_done(&c, call_one(&c, (void **)&reply));
}

int capnet_tcp_wait_end(capnet *control, unsigned timeout_ms, struct capnet_tcp_status *ret, struct capnet_error *err) {
  struct call c;
  Capnet__TcpWaitEndRequest request = CAPNET__TCP_WAIT_END_REQUEST__INIT;
  call_init(&c, control, &capnet__tcp_socket__descriptor, timeout_ms, err);
  capnet__tcp_socket__wait_end(&c.service, &request, NULL, NULL);
  return status_reply(&c, ret);
}
