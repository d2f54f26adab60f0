/* SPDX-License-Identifier: BSD-3-Clause
 * What endpoint.c, dispatch.c and call.c share; nobody outside daemon/rpc/ includes it.
 *
 * Who holds what: the owner holds the endpoint; callbacks under way and descriptors being closed hold a reference, so
 * the memory may outlive endpoint_free. The endpoint holds the calls under way. A call that left its endpoint without
 * the handler's having ended it (and without a function to tell it so) belongs to the handler until that ends it.
 */
#ifndef CAPNET_RPC_INTERNAL_H
#define CAPNET_RPC_INTERNAL_H

#include "rpc/rpc.h"

enum endpoint_state {
  EP_OPEN,  /* frames go both ways */
  EP_HUNG,  /* the socket is closed, no call is under way, the owner was told */
  EP_FREED, /* the owner gave it up: no callback any more */
};

struct endpoint {
  struct loop *loop;
  int fd;
  const struct endpoint_ops *ops;
  void *owner;
  enum endpoint_state state;
  bool takes_fds;   /* the kernel is too old to refuse descriptors for us */
  bool eof;         /* the client has stopped sending; replies still go */
  bool gone;        /* the client closed its end */
  bool doomed;      /* sending failed: hang up at the end of the turn, not inside the handler that sent */
  bool paused;      /* requests are not read since the queue is over its bound */
  unsigned closing; /* batches of the client's descriptors on the helper thread; requests are not read meanwhile */
  uint8_t alone, unasked; /* turns that had one frame and no more; turns since it was looked for more */
  unsigned refs;
  struct loop_watch *watch;
  struct loop_timer *timer; /* the earliest deadline of the calls */
  struct loop_task doom;
  struct list calls;
  unsigned n_calls;
  struct list queue; /* struct out, oldest first */
  size_t queued;
};

struct call {
  struct list link;
  struct endpoint *ep; /* NULL once it is over for the client */
  struct loop *loop;
  uint64_t id, begun_ns, deadline_ns; /* boot-time */
  size_t bytes;                       /* as the account was told */
  const char *service, *method;       /* of the generated descriptors: static */
  unsigned pins;                      /* callbacks under way that will look at it afterwards */
  bool ended;                         /* the handler will not touch it any more */
  void (*cancel)(void *arg, int reason);
  void *cancel_arg;
  void (*writable)(void *arg);
  void *writable_arg;
  bool starved; /* a reply was dropped since the queue was full: writable is due */
  void *data;
  void (*free_data)(void *data);
  int fds[FRAME_FDS_MAX];
  size_t n_fds;
};

extern struct rpc_stats rpc_stats;

/* --- endpoint.c --- */
void endpoint_ref(struct endpoint *ep);
void endpoint_unref(struct endpoint *ep);
/* Where frames are made that are sent at once. One thread. */
extern uint8_t rpc_send_buf[FRAME_ENCODE_ROOM];
/* Sends now or queues a copy. Consumes fds. 0, also when the endpoint is beyond use; -ETOOMANYREFS or -EMSGSIZE when
 * the kernel does not take this one: nothing was sent. */
int endpoint_send(struct endpoint *ep, uint64_t call, bool more, const uint8_t *data, size_t len, const int *fds,
                  size_t n_fds);
/* An Error frame for a call id, whether or not there is such a call. As endpoint_send; also -ENOMEM, -EMSGSIZE. */
int endpoint_send_error(struct endpoint *ep, uint64_t call, const Capnet__Error *e);
bool endpoint_full(const struct endpoint *ep);
/* Ends it on our side: Terminal{code}, calls cancelled, owner told. Not from inside a handler. */
void endpoint_breach(struct endpoint *ep, Capnet__ErrorCode code, const char *message);
/* Hangs up at the end of the turn. */
void endpoint_doom(struct endpoint *ep);
/* Closes descriptors that came from the client, elsewhere. */
void endpoint_close_foreign(struct endpoint *ep, const int *fds, size_t n);
/* Sets the timer to the earliest deadline. */
void endpoint_arm(struct endpoint *ep);

/* --- dispatch.c --- */
/* One message. fds are consumed. The endpoint may be over afterwards; the caller holds a reference. */
void endpoint_dispatch(struct endpoint *ep, const uint8_t *data, size_t len, const int *fds, size_t n_fds);

/* --- call.c --- */
struct call *call_new(struct endpoint *ep, uint64_t id, size_t bytes, uint64_t begun_ns); /* NULL: no memory */
void call_pin(struct call *c);
void call_unpin(struct call *c);
/* There is room in the queue again: tells those that found it full, as long as there is. */
void endpoint_tell_writable(struct endpoint *ep);
/* Ends the call from our side: answers with code unless message is NULL, and tells the handler. */
void call_abort(struct call *c, int reason, const char *message);
void call_end_with(struct call *c, const Capnet__Error *e); /* as call_error, ready-made */

#endif
