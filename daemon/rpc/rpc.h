/* SPDX-License-Identifier: BSD-3-Clause
 * An endpoint speaks frames with one client; a call is one request under way. The room knows neither rights nor kinds:
 * it counts through an account, and hands each request to a generated protobuf-c service.
 *
 * Straight way: watch readable → frame_recv → frame_decode → account → method index checked → body_decode →
 * service->invoke(service, index, body, closure, call): a handler gets its struct call as closure_data.
 *
 * Rules for handlers: each call ends exactly once, by call_reply or call_error. It may be parked for as long as it
 * needs; a parked call must set call_on_cancel. When the client cancels, the deadline passes or the endpoint goes, rpc
 * answers by itself, calls that function, and the call must not be touched after it returned. (A call without such a
 * function whose endpoint went answers into nothing.) The request is borrowed until the handler returns.
 *
 * How a kind defines its service (a method without its handler does not compile):
 *
 *   static void ping_echo(Capnet__Ping_Service *s, const Capnet__PingEchoRequest *rq,
 *                         Capnet__PingEchoEvent_Closure closure, void *closure_data) {
 *     struct call *c = closure_data;                 // closure(&ev, c) is call_reply(c, &ev.base)
 *     struct ping *p = call_owner(c);
 *     …
 *   }
 *   static Capnet__Ping_Service service = CAPNET__PING__INIT(ping_);   // ping_echo, and so on for each method
 *
 * and returns &service.base from endpoint_ops.service. Services hold no state: what a call is about is its owner.
 */
#ifndef CAPNET_RPC_H
#define CAPNET_RPC_H

#include "base/list.h"
#include "loop/loop.h"
#include "proto/codec.h"

struct endpoint;
struct call;

/* What a finished call was, for the one log line. */
struct call_summary {
  const char *service, *method; /* "Ping", "Echo"; NULL when there is none */
  int error;                    /* 0 or -errno */
  const char *message;          /* of the error */
  uint64_t elapsed_ns;
};

struct endpoint_ops {
  /* The kind's own service and the one for methods below METHOD_KIND_BASE (may be NULL). */
  ProtobufCService *(*service)(void *owner);
  ProtobufCService *(*common)(void *owner);
  /* The account: may one more call of so many bytes begin? 0 or -errno (then *ret_error may be filled for the client;
   * its strings must stay until call_done for it). Every begin that was 0 is followed by one end. */
  int (*call_begin)(void *owner, size_t bytes, Capnet__Error *ret_error);
  void (*call_end)(void *owner, size_t bytes);
  void (*call_done)(void *owner, const struct call_summary *s); /* each request, refused ones as well */
  /* The client closed, or broke the protocol beyond repair. All its calls were cancelled before. The owner frees the
   * endpoint, now or later. */
  void (*hangup)(void *owner);
};

#define ENDPOINT_CALLS_MAX 64            /* under way on one endpoint, whatever the account says */
#define ENDPOINT_QUEUE_MAX (256u * 1024) /* bytes of replies the client has not read; requests are not read meanwhile */
#define ENDPOINT_TURN_MAX 16             /* frames taken in one turn: a flood costs the others nothing */

/* fd is consumed, also on failure. */
int endpoint_new(struct loop *loop, int fd, const struct endpoint_ops *ops, void *owner, struct endpoint **ret);
/* Sends Terminal{error}, if the client can take it at once, and closes (DESIGN section 2). Calls under way are
 * cancelled without an answer of their own. error NULL: just closes. Returns NULL; NULL is fine. Safe inside any
 * handler. */
struct endpoint *endpoint_free(struct endpoint *ep, const Capnet__Error *error);
/* Turns a client away that never had an endpoint, as endpoint_free does: fd is consumed, and what lies unread in it is
 * closed elsewhere. A plain close() here could block the loop for as long as the client likes. */
void endpoint_turn_away(struct loop *loop, int fd, const Capnet__Error *error);
unsigned endpoint_calls(const struct endpoint *ep);

struct rpc_stats {
  uint64_t endpoints, calls; /* live */
  uint64_t requests, malformed, unknown_method, descriptors_refused, stalled;
  uint64_t reads, reads_empty; /* system calls that asked for a frame; of those, found none */
  uint64_t allocations;        /* for calls, their bodies and answers: one at a time needs none */
};
void rpc_get_stats(struct rpc_stats *ret);

/* --- for handlers ------------------------------------------------------------------------------------------------ */

void *call_owner(const struct call *c); /* NULL once the call is over for the client */
struct loop *call_loop(const struct call *c);
uint64_t call_deadline_ns(const struct call *c); /* boot-time; 0: none */
/* The kind's default or its ceiling, when the client gave none or a later one. */
void call_limit_deadline(struct call *c, uint64_t ms);
/* fn ends what the handler had under way; reason is -ECANCELED, -ETIME or -ECONNRESET (the endpoint is gone). */
void call_on_cancel(struct call *c, void (*fn)(void *arg, int reason), void *arg);

/* Attaches a descriptor to the next reply, which carries its slot; the descriptor is consumed. -E2BIG over
 * FRAME_FDS_MAX (closed then). */
int call_add_fd(struct call *c, int fd, uint32_t *ret_slot);
/* Ends the call; m NULL: an empty body. A reply that does not fit a frame becomes TOO_LARGE; descriptors that cannot
 * be passed, LIMIT. */
void call_reply(struct call *c, const ProtobufCMessage *m);
/* One of several. 0, or it was dropped: -ENOBUFS the client is not reading and the queue is full (or too many
 * descriptors are in flight), -ENOMEM, -EMSGSIZE, -ECONNRESET the call is over. */
int call_reply_more(struct call *c, const ProtobufCMessage *m);
/* fn is called, from the loop, when there is room again after the queue was full for this call. */
void call_on_writable(struct call *c, void (*fn)(void *arg), void *arg);
/* Ends the call with the code that error (-errno) maps to. */
void call_error(struct call *c, int error, const char *grant, const char *rule, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Attaches an object of the caller's that wants to know the call is over, however it ends: freed with the call. */
void call_set_data(struct call *c, void *data, void (*free_fn)(void *data));

#endif
