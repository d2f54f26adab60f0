/* SPDX-License-Identifier: BSD-3-Clause
 * What a handler sees of a request under way, and how it ends: by the handler, or from our side.
 *
 * A call leaves its endpoint exactly once (call_leave). It is freed once it has left, the handler is done with it, and
 * no callback of ours will look at it again (pins). So a handler that answers late, after cancellation or after the
 * endpoint went, answers into nothing, safely.
 */
#include "rpc/rpc_internal.h"

#include <stdarg.h>
#include <stdio.h>

#if defined(__has_include) && __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, size) ((void)(p), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(p, size) ((void)(p), (void)(size))
#endif

#define MESSAGE_MAX 512
#define DEADLINE_MS_MAX (UINT64_C(366) * 86400 * 1000) /* beyond it: a year; no overflow in nanoseconds */

/* Calls come and go by the thousand, few at a time. What lies here is poisoned: used after its end it is still found. */
static struct call *spare[16];
static unsigned n_spare;

static struct call *call_memory(void) {
  if (n_spare == 0) {
    rpc_stats.allocations++;
    return malloc(sizeof(struct call));
  }
  struct call *c = spare[--n_spare];
  ASAN_UNPOISON_MEMORY_REGION(c, sizeof *c);
  return c;
}

static void call_memory_free(struct call *c) {
  if (n_spare == ARRAY_SIZE(spare)) {
    free(c);
    return;
  }
  ASAN_POISON_MEMORY_REGION(c, sizeof *c);
  spare[n_spare++] = c;
}

struct call *call_new(struct endpoint *ep, uint64_t id, size_t bytes, uint64_t begun_ns) {
  struct call *c = call_memory();
  if (!c)
    return NULL;
  *c = (struct call){.ep = ep, .loop = ep->loop, .id = id, .bytes = bytes, .begun_ns = begun_ns};
  list_append(&ep->calls, &c->link);
  ep->n_calls++;
  rpc_stats.calls++;
  return c;
}

static void close_attached(struct call *c) {
  for (size_t i = 0; i < c->n_fds; i++)
    fd_close(c->fds[i]);
  c->n_fds = 0;
}

void call_pin(struct call *c) { c->pins++; }

static void call_settle(struct call *c) {
  if (c->pins || c->ep || !c->ended)
    return;
  close_attached(c);
  if (c->free_data)
    c->free_data(c->data);
  rpc_stats.calls--;
  call_memory_free(c);
}

void call_unpin(struct call *c) {
  /* The endpoint went while the handler ran, and the handler parked the call all the same. */
  if (c->pins == 1 && !c->ep && !c->ended && c->cancel) {
    c->ended = true;
    c->cancel(c->cancel_arg, -ECONNRESET);
  }
  c->pins--;
  call_settle(c);
}

static struct endpoint *detach(struct call *c) {
  struct endpoint *ep = TAKE_PTR(c->ep);
  list_remove(&c->link);
  ep->n_calls--;
  close_attached(c);
  return ep;
}

/* The account and the log hear of it; both may free the endpoint. */
static void report(struct endpoint *ep, struct call *c, int error, const char *message) {
  struct call_summary s = {.service = c->service,
                           .method = c->method,
                           .error = error,
                           .message = message,
                           .elapsed_ns = loop_now(c->loop, CLOCK_ID_BOOT) - c->begun_ns};
  ep->ops->call_end(ep->owner, c->bytes);
  ep->ops->call_done(ep->owner, &s);
  endpoint_arm(ep);
}

static void call_leave(struct call *c, int error, const char *message) {
  struct endpoint *ep = detach(c);
  endpoint_ref(ep);
  call_pin(c);
  c->ended = true;
  report(ep, c, error, message);
  call_unpin(c);
  endpoint_unref(ep);
}

void call_abort(struct call *c, int reason, const char *message) {
  struct endpoint *ep = c->ep;
  endpoint_ref(ep);
  call_pin(c);
  if (message) {
    Capnet__Error e = CAPNET__ERROR__INIT;
    e.has_code = 1;
    e.code = error_code_from_errno(reason);
    e.message = (char *)message;
    (void)endpoint_send_error(ep, c->id, &e);
  }
  detach(c);
  if (c->cancel) {
    c->ended = true;
    c->cancel(c->cancel_arg, reason);
  }
  report(ep, c, reason, message ? message : "the endpoint is gone");
  call_unpin(c);
  endpoint_unref(ep);
}

/* --- for handlers ------------------------------------------------------------------------------------------------- */

void *call_owner(const struct call *c) { return c->ep ? c->ep->owner : NULL; }
struct loop *call_loop(const struct call *c) { return c->loop; }
uint64_t call_deadline_ns(const struct call *c) { return c->deadline_ns; }

void call_limit_deadline(struct call *c, uint64_t ms) {
  uint64_t at = c->begun_ns + MIN(ms, DEADLINE_MS_MAX) * NSEC_PER_MSEC;
  if (c->deadline_ns && c->deadline_ns <= at)
    return;
  c->deadline_ns = at;
  if (c->ep)
    endpoint_arm(c->ep);
}

void call_on_cancel(struct call *c, void (*fn)(void *arg, int reason), void *arg) {
  c->cancel = fn;
  c->cancel_arg = arg;
}

void call_on_writable(struct call *c, void (*fn)(void *arg), void *arg) {
  c->writable = fn;
  c->writable_arg = arg;
}

void call_set_data(struct call *c, void *data, void (*free_fn)(void *data)) {
  if (c->free_data)
    c->free_data(c->data);
  c->data = data;
  c->free_data = free_fn;
}

int call_add_fd(struct call *c, int fd, uint32_t *ret_slot) {
  if (!c->ep || c->n_fds == FRAME_FDS_MAX) {
    fd_close(fd);
    return c->ep ? -E2BIG : -ECONNRESET;
  }
  *ret_slot = (uint32_t)c->n_fds;
  c->fds[c->n_fds++] = fd;
  return 0;
}

static int send_reply(struct call *c, const ProtobufCMessage *m, bool more) {
  Capnet__Frame f = CAPNET__FRAME__INIT;
  f.has_kind = f.has_call = 1;
  f.kind = CAPNET__FRAME__KIND__REPLY;
  f.call = c->id;
  f.has_more = f.more = more;
  size_t len;
  int r = frame_encode_to(&f, m, rpc_send_buf, &len);
  if (r < 0) {
    close_attached(c);
    return r;
  }
  size_t n_fds = c->n_fds;
  c->n_fds = 0; /* endpoint_send consumes them */
  return endpoint_send(c->ep, c->id, more, rpc_send_buf, len, c->fds, n_fds);
}

/* The handler answers a call that is over for the client. */
static void end_unheard(struct call *c) {
  close_attached(c);
  c->ended = true;
  call_settle(c);
}

void call_reply(struct call *c, const ProtobufCMessage *m) {
  if (!c->ep) {
    end_unheard(c);
    return;
  }
  int r = send_reply(c, m, false);
  if (r < 0)
    call_error(c, r, NULL, NULL, "%s",
               r == -EMSGSIZE ? "the answer does not fit into a frame" : "the answer could not be sent");
  else
    call_leave(c, 0, NULL);
}

int call_reply_more(struct call *c, const ProtobufCMessage *m) {
  if (!c->ep || endpoint_full(c->ep)) {
    close_attached(c);
    c->starved = true;
    return c->ep ? -ENOBUFS : -ECONNRESET;
  }
  int r = send_reply(c, m, true);
  return r == -ETOOMANYREFS ? -ENOBUFS : r;
}

static struct call *starved(struct endpoint *ep) {
  list_for_each(l, &ep->calls) {
    struct call *c = list_entry(l, struct call, link);
    if (c->starved && c->writable)
      return c;
  }
  return NULL;
}

void endpoint_tell_writable(struct endpoint *ep) {
  struct call *c;
  while (ep->state == EP_OPEN && !ep->doomed && !endpoint_full(ep) && (c = starved(ep))) {
    c->starved = false;
    call_pin(c);
    c->writable(c->writable_arg);
    call_unpin(c);
  }
}

void call_end_with(struct call *c, const Capnet__Error *e) {
  if (!c->ep) {
    end_unheard(c);
    return;
  }
  if (endpoint_send_error(c->ep, c->id, e) < 0)
    endpoint_doom(c->ep); /* it must not wait for an answer that never comes */
  call_leave(c, -error_code_to_errno(e->code), e->message);
}

void call_error(struct call *c, int error, const char *grant, const char *rule, const char *fmt, ...) {
  char message[MESSAGE_MAX];
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(message, sizeof message, fmt, ap);
  va_end(ap);
  Capnet__Error e = CAPNET__ERROR__INIT;
  e.has_code = 1;
  e.code = error_code_from_errno(error);
  e.message = message;
  e.grant = (char *)grant;
  e.rule = (char *)rule;
  call_end_with(c, &e);
}
