/* SPDX-License-Identifier: BSD-3-Clause
 * From a frame to a handler: request → account → method → body → the generated service. What cannot be served is
 * answered here, at once, and never reaches a kind.
 */
#include "rpc/rpc_internal.h"

/* What was unpacked of the message at hand. One thread, and no message is read while a handler runs. */
static struct arena arena;

/* What a method number leads to. method is NULL when the service has none of that index: protobuf-c would assert. */
struct target {
  ProtobufCService *service;
  const ProtobufCMethodDescriptor *method;
  unsigned index;
};

static struct target target_of(struct endpoint *ep, const Capnet__Frame *f) {
  struct target t = {0};
  uint32_t number = f->has_method ? f->method : UINT32_MAX;
  if (number >= METHOD_KIND_BASE)
    t.service = ep->ops->service(ep->owner);
  else if (ep->ops->common)
    t.service = ep->ops->common(ep->owner);
  t.index = number >= METHOD_KIND_BASE ? number - METHOD_KIND_BASE : number;
  if (t.service && t.index < t.service->descriptor->n_methods)
    t.method = &t.service->descriptor->methods[t.index];
  return t;
}

/* Answers a request that never became a call. */
static void refuse(struct endpoint *ep, const struct target *t, uint64_t id, const Capnet__Error *e) {
  struct call_summary s = {.service = t->service ? t->service->descriptor->short_name : NULL,
                           .method = t->method ? t->method->name : NULL,
                           .error = -error_code_to_errno(e->code),
                           .message = e->message};
  if (endpoint_send_error(ep, id, e) < 0)
    endpoint_doom(ep);
  ep->ops->call_done(ep->owner, &s);
}

static void refuse_with(struct endpoint *ep, const struct target *t, uint64_t id, Capnet__ErrorCode code,
                        const char *rule, const char *message) {
  Capnet__Error e = CAPNET__ERROR__INIT;
  e.has_code = 1;
  e.code = code;
  e.rule = (char *)rule;
  e.message = (char *)(message ? message : error_code_sentence(code));
  refuse(ep, t, id, &e);
}

static struct call *find(struct endpoint *ep, uint64_t id) {
  list_for_each(l, &ep->calls) {
    struct call *c = list_entry(l, struct call, link);
    if (c->id == id)
      return c;
  }
  return NULL;
}

/* The generated services answer through a closure; ours is the call. */
static void closure(const ProtobufCMessage *m, void *arg) { call_reply(arg, m); }

static void invoke(struct call *c, const struct target *t, const ProtobufCBinaryData *body) {
  if (!t->method) {
    rpc_stats.unknown_method++;
    call_error(c, -ENOSYS, NULL, NULL, "%s has no method of this number",
               t->service ? t->service->descriptor->short_name : "this endpoint");
    return;
  }
  ProtobufCMessage *input;
  int r = body_decode_in(&arena, t->method->input, body, &input);
  if (r < 0) {
    rpc_stats.malformed++;
    call_error(c, r == -EBADMSG ? -EPROTO : r, NULL, NULL,
               r == -EBADMSG ? "the request is not a %s" : "this %s takes too much memory",
               t->method->input->short_name);
    return;
  }
  call_pin(c);
  t->service->invoke(t->service, t->index, input, closure, c);
  call_unpin(c);
}

static void begin(struct endpoint *ep, const Capnet__Frame *f, size_t bytes, const struct target *t) {
  Capnet__Error e = CAPNET__ERROR__INIT;
  int r = ep->ops->call_begin(ep->owner, bytes, &e);
  if (r < 0) {
    if (!e.has_code) {
      e.has_code = 1;
      e.code = error_code_from_errno(r);
    }
    if (!e.message)
      e.message = (char *)error_code_sentence(e.code);
    refuse(ep, t, f->call, &e);
    return;
  }
  uint64_t now = loop_now(ep->loop, CLOCK_ID_BOOT);
  struct call *c = call_new(ep, f->call, bytes, now);
  if (!c) {
    ep->ops->call_end(ep->owner, bytes);
    refuse_with(ep, t, f->call, CAPNET__ERROR_CODE__ERROR_LIMIT, NULL, NULL);
    return;
  }
  c->service = t->service ? t->service->descriptor->short_name : NULL;
  c->method = t->method ? t->method->name : NULL;
  if (f->deadline_ms)
    call_limit_deadline(c, f->deadline_ms);
  invoke(c, t, &f->body);
}

static void request(struct endpoint *ep, const Capnet__Frame *f, size_t bytes, bool had_fds) {
  struct target t = target_of(ep, f);
  rpc_stats.requests++;
  if (find(ep, f->call)) {
    rpc_stats.malformed++;
    refuse_with(ep, &t, f->call, CAPNET__ERROR_CODE__ERROR_MALFORMED, NULL, "a call of this id is under way");
  } else if (had_fds) {
    refuse_with(ep, &t, f->call, CAPNET__ERROR_CODE__ERROR_DESCRIPTOR, NULL, NULL);
  } else if (ep->n_calls >= ENDPOINT_CALLS_MAX) {
    refuse_with(ep, &t, f->call, CAPNET__ERROR_CODE__ERROR_LIMIT, "endpoint.calls",
                "too many calls are under way on this endpoint");
  } else {
    begin(ep, f, bytes, &t);
  }
}

static void dispatch(struct endpoint *ep, const uint8_t *data, size_t len, bool had_fds) {
  Capnet__Frame *f = NULL;
  if (frame_decode_in(&arena, data, len, &f) < 0) {
    rpc_stats.malformed++;
    endpoint_breach(ep, CAPNET__ERROR_CODE__ERROR_MALFORMED, "this is not a frame");
    return;
  }
  switch (f->kind) {
  case CAPNET__FRAME__KIND__REQUEST: request(ep, f, len, had_fds); return;
  case CAPNET__FRAME__KIND__CANCEL: {
    struct call *c = find(ep, f->call);
    if (c) /* else it ended while the frame was under way */
      call_abort(c, -ECANCELED, "the caller cancelled the call");
    return;
  }
  case CAPNET__FRAME__KIND__REPLY:
  case CAPNET__FRAME__KIND__ERROR:
  case CAPNET__FRAME__KIND__TERMINAL:
  case CAPNET__FRAME__KIND__INVALID:
  case _CAPNET__FRAME__KIND_IS_INT_SIZE: break;
  }
  rpc_stats.malformed++;
  endpoint_breach(ep, CAPNET__ERROR_CODE__ERROR_MALFORMED, "clients send requests and cancellations only");
}

void endpoint_dispatch(struct endpoint *ep, const uint8_t *data, size_t len, const int *fds, size_t n_fds) {
  endpoint_close_foreign(ep, fds, n_fds);
  const unsigned long spills = arena.spills;
  dispatch(ep, data, len, n_fds > 0);
  arena_reset(&arena);
  rpc_stats.allocations += arena.spills - spills;
}
