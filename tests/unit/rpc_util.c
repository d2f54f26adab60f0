/* SPDX-License-Identifier: BSD-3-Clause
 * See rpc_util.h.
 */
#include "rpc_util.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

static struct rig *rig_of(void *owner) { return owner; }

static void rig_cancelled(void *arg, int reason) {
  struct rig *r = arg;
  r->n_cancelled++;
  r->cancel_reason = reason;
}

static void rig_free_data(void *data) { rig_of(data)->freed_data++; }

static void rig_stream(struct rig *r, struct call *c, unsigned n) {
  Capnet__PingEchoEvent ev = CAPNET__PING_ECHO_EVENT__INIT;
  ev.has_seq = 1;
  for (ev.seq = 1; ev.seq < n && r->stream_result == 0; ev.seq++)
    r->stream_result = call_reply_more(c, &ev.base);
  call_reply(c, &ev.base);
}

static void rig_reply_fds(struct rig *r, struct call *c, unsigned n) {
  Capnet__PingEchoEvent ev = CAPNET__PING_ECHO_EVENT__INIT;
  uint32_t slot = 99;
  int e = 0;
  for (unsigned i = 0; i < n && e == 0; i++)
    e = call_add_fd(c, fcntl(r->owned_fd, F_DUPFD_CLOEXEC, 0), &slot);
  if (e < 0) {
    call_error(c, e, "web", "fds", "descriptor %u of %u does not fit", n, FRAME_FDS_MAX);
    return;
  }
  ev.has_seq = 1;
  ev.seq = slot;
  call_reply(c, &ev.base);
}

static void rig_echo(Capnet__Ping_Service *s _unused_, const Capnet__PingEchoRequest *rq,
                            Capnet__PingEchoEvent_Closure closure, void *closure_data) {
  struct call *c = closure_data;
  struct rig *r = call_owner(c);
  const char *what = rq->target ? rq->target : "";
  Capnet__PingEchoEvent ev = CAPNET__PING_ECHO_EVENT__INIT;
  r->handled++;
  r->other_handled = r->other ? r->other->handled : 0;
  call_set_data(c, r, rig_free_data);
  if (rq->has_timeout_ms)
    call_limit_deadline(c, rq->timeout_ms);
  ev.has_seq = 1;
  ev.seq = rq->count;
  if (!strcmp(what, "park") || !strcmp(what, "park-deaf")) {
    r->parked = c;
    r->n_parked++;
    if (!strcmp(what, "park"))
      call_on_cancel(c, rig_cancelled, r);
  } else if (!strcmp(what, "stream")) {
    rig_stream(r, c, rq->count);
  } else if (!strcmp(what, "fds")) {
    rig_reply_fds(r, c, rq->count);
  } else if (!strcmp(what, "big")) {
    ev.from = malloc(rq->count + 1);
    memset(ev.from, 'x', rq->count);
    ev.from[rq->count] = 0;
    call_reply(c, &ev.base);
    free(ev.from);
  } else if (!strcmp(what, "free")) {
    r->ep = endpoint_free(r->ep, NULL);
    closure(&ev, c);
  } else if (!strcmp(what, "free-park")) {
    r->ep = endpoint_free(r->ep, NULL);
    call_on_cancel(c, rig_cancelled, r);
  } else {
    closure(&ev, c);
  }
}

static Capnet__Ping_Service rig_ping = CAPNET__PING__INIT(rig_);
static ProtobufCService *rig_service(void *owner _unused_) { return &rig_ping.base; }

static ProtobufCService *rig_common(void *owner) { return rig_of(owner)->common ? &rig_ping.base : NULL; }

static int rig_begin(void *owner, size_t bytes, Capnet__Error *ret_error) {
  struct rig *r = owner;
  cr_assert_gt(bytes, 0);
  if (r->refuse) {
    ret_error->grant = (char *)"web";
    ret_error->rule = (char *)"calls";
    return r->refuse;
  }
  r->begins++;
  return 0;
}
static void rig_end(void *owner, size_t bytes _unused_) { rig_of(owner)->ends++; }
static void rig_done(void *owner, const struct call_summary *s) {
  struct rig *r = owner;
  r->dones++;
  r->last_error = s->error;
  snprintf(r->last_message, sizeof r->last_message, "%s", s->message ? s->message : "");
  snprintf(r->last_method, sizeof r->last_method, "%s.%s", s->service ? s->service : "-", s->method ? s->method : "-");
  if (r->free_in_done)
    r->ep = endpoint_free(r->ep, NULL);
}
static void rig_hangup(void *owner) {
  struct rig *r = owner;
  r->hangups++;
  if (!r->keep_on_hangup)
    r->ep = endpoint_free(r->ep, NULL);
}

static const struct endpoint_ops rig_ops = {.service = rig_service,
                                            .common = rig_common,
                                            .call_begin = rig_begin,
                                            .call_end = rig_end,
                                            .call_done = rig_done,
                                            .hangup = rig_hangup};

void rig_open(struct rig *r, struct loop *loop) {
  int sv[2];
  *r = (struct rig){.loop = loop, .owned_fd = -1};
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
  r->client = sv[0];
  r->daemon = fcntl(sv[1], F_DUPFD_CLOEXEC, 0);
  cr_assert_eq(endpoint_new(loop, sv[1], &rig_ops, r, &r->ep), 0);
}

/* The duplicate would keep the socket open. */
void rig_forget_duplicate(struct rig *r) { r->daemon = fd_close(r->daemon); }

void rig_close(struct rig *r) {
  rig_forget_duplicate(r);
  r->client = fd_close(r->client);
  r->owned_fd = fd_close(r->owned_fd);
  r->ep = endpoint_free(r->ep, NULL);
  cr_assert_eq(r->begins, r->ends, "%u begun, %u ended", r->begins, r->ends);
}

/* --- the client ---------------------------------------------------------------------------------------------------- */

void send_frame(int fd, const Capnet__Frame *f, const ProtobufCMessage *body) {
  uint8_t *data = NULL;
  size_t len = 0;
  cr_assert_eq(frame_encode(f, body, &data, &len), 0);
  cr_assert_eq(frame_send(fd, data, len, NULL, 0, 1), 0);
  free(data);
}

Capnet__Frame request_frame(uint64_t call, uint32_t method) {
  Capnet__Frame f = CAPNET__FRAME__INIT;
  f.has_kind = f.has_call = f.has_method = 1;
  f.kind = CAPNET__FRAME__KIND__REQUEST;
  f.call = call;
  f.method = method;
  return f;
}

void send_echo(int fd, uint64_t call, const char *target, uint32_t count) {
  Capnet__PingEchoRequest rq = CAPNET__PING_ECHO_REQUEST__INIT;
  Capnet__Frame f = request_frame(call, ECHO);
  rq.target = (char *)target;
  rq.has_count = 1;
  rq.count = count;
  send_frame(fd, &f, &rq.base);
}

void send_cancel(int fd, uint64_t call) {
  Capnet__Frame f = CAPNET__FRAME__INIT;
  f.has_kind = f.has_call = 1;
  f.kind = CAPNET__FRAME__KIND__CANCEL;
  f.call = call;
  send_frame(fd, &f, NULL);
}

/* The next frame, NULL at end of file or when there is none (*ret_error then says which). Its descriptors are counted
 * and closed. */
Capnet__Frame *receive(int fd, size_t *ret_n_fds, int *ret_error) {
  static uint8_t buf[FRAME_MAX];
  int fds[FRAME_SCM_MAX];
  size_t n_fds;
  Capnet__Frame *f = NULL;
  ssize_t n = frame_recv(fd, buf, sizeof buf, fds, &n_fds, 1);
  for (size_t i = 0; i < n_fds; i++)
    close(fds[i]);
  if (ret_n_fds)
    *ret_n_fds = n_fds;
  if (ret_error)
    *ret_error = n < 0 ? (int)n : 0;
  if (n > 0)
    cr_assert_eq(frame_decode(buf, (size_t)n, &f), 0);
  return f;
}

void expect_nothing(int fd) {
  int error;
  cr_assert_null(receive(fd, NULL, &error));
  cr_assert_eq(error, -EAGAIN, "%d", error);
}

void expect_eof(int fd) {
  int error;
  cr_assert_null(receive(fd, NULL, &error));
  cr_assert_eq(error, 0, "end of file, not %d", error);
}

/* A reply; returns its seq. */
uint32_t expect_reply(int fd, uint64_t call, bool more) {
  int error;
  _cleanup_(frame_freep) Capnet__Frame *f = receive(fd, NULL, &error);
  cr_assert_not_null(f, "call %llu: no frame, %d", (unsigned long long)call, error);
  cr_assert_eq(f->kind, CAPNET__FRAME__KIND__REPLY, "kind %d: %s", f->kind, f->error ? f->error->message : "");
  cr_assert_eq(f->call, call);
  cr_assert_eq(f->has_more && f->more, more);
  ProtobufCMessage *m;
  cr_assert_eq(body_decode(&capnet__ping_echo_event__descriptor, &f->body, &m), 0);
  uint32_t seq = ((Capnet__PingEchoEvent *)m)->seq;
  body_free(m);
  return seq;
}

void expect_failure(int fd, int kind, uint64_t call, int code) {
  int error;
  _cleanup_(frame_freep) Capnet__Frame *f = receive(fd, NULL, &error);
  cr_assert_not_null(f, "no frame, %d", error);
  cr_assert_eq((int)f->kind, kind, "kind %d", f->kind);
  cr_assert_eq(f->call, call);
  cr_assert_not_null(f->error);
  cr_assert_eq((int)f->error->code, code, "%s: %s", error_code_name(f->error->code), f->error->message);
  cr_assert_gt(strlen(f->error->message), 5);
}
void expect_no_leak(unsigned fds_before) {
  struct rpc_stats s;
  rpc_get_stats(&s);
  cr_assert_eq(s.endpoints, 0, "%llu endpoints", (unsigned long long)s.endpoints);
  cr_assert_eq(s.calls, 0, "%llu calls", (unsigned long long)s.calls);
  cr_assert_eq(fd_count(), fds_before, "%u descriptors, %u before", fd_count(), fds_before);
}
