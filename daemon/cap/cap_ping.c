/* SPDX-License-Identifier: BSD-3-Clause
 * Ping: bounded echo. One Echo call is one session of the stack with an identifier of its own; it streams an event for each
 * request and ends after the last. Requests go out at the interval whatever comes back, as ping(8) does, but never faster
 * than the least interval of the grant, whoever else pings by it. Each has its own timeout. Everything is checked before the
 * first frame: target, count, interval, payload, requests in flight.
 */
#include "cap/cap.h"

#include "proto/ping.pb-c.h"
#include "stack/stack_dgram.h"

#include <stdio.h>

#define PING_TIMEOUT_MS_MAX 60000u
#define PING_WINDOW 64u /* requests of one call that may be unanswered at once: interval below timeout / 64 is refused */

struct sent {
  uint64_t at_ns; /* monotonic; 0: the slot is free */
  bool answered;
};

struct ping_run {
  struct call *call;
  struct cap *cap;
  struct stack_echo *echo;
  struct net_addr target;
  const char *way; /* the interface that was decided for; NULL: there was none */
  uint32_t count, payload, ttl;
  uint64_t interval_ns, timeout_ns;
  uint32_t next; /* sequence of the next request, from 1 */
  uint32_t done; /* requests answered or given up */
  uint64_t next_at;
  struct loop_timer *timer;
  struct sent sent[PING_WINDOW];
  uint8_t data[65536];
};

/* --- events -------------------------------------------------------------------------------------------------------- */

static void run_free(struct ping_run *p) {
  auth_uncharge(p->cap->node, LIMIT_PINGS, 1);
  p->timer = loop_timer_free(p->timer);
  p->echo = stack_echo_close(p->echo);
  free(p);
}

/* Events of a client that does not read are dropped, except the last, which ends the call. */
/* p is gone after the last event. */
static void emit(struct ping_run *p, Capnet__PingEchoEvent *ev, bool counts) {
  if (counts)
    p->done++;
  if (p->done < p->count || !counts) {
    (void)call_reply_more(p->call, &ev->base);
    return;
  }
  call_reply(p->call, &ev->base);
  run_free(p);
}

static Capnet__PingEchoEvent__Kind kind_of(enum stack_echo_kind k, bool answered) {
  switch (k) {
  case STACK_ECHO_REPLY: break;
  case STACK_ECHO_UNREACHABLE: return CAPNET__PING_ECHO_EVENT__KIND__UNREACHABLE;
  case STACK_ECHO_TTL_EXCEEDED: return CAPNET__PING_ECHO_EVENT__KIND__TTL_EXCEEDED;
  case STACK_ECHO_TOO_BIG: return CAPNET__PING_ECHO_EVENT__KIND__TOO_BIG;
  case STACK_ECHO_PARAMETER_PROBLEM: return CAPNET__PING_ECHO_EVENT__KIND__PARAMETER_PROBLEM;
  }
  return answered ? CAPNET__PING_ECHO_EVENT__KIND__DUPLICATE : CAPNET__PING_ECHO_EVENT__KIND__REPLY;
}

static void on_echo(void *arg, const struct stack_echo_event *e) {
  struct ping_run *p = arg;
  struct sent *s = &p->sent[e->seq % PING_WINDOW];
  if (e->seq == 0 || e->seq >= p->next || p->next - e->seq > PING_WINDOW || s->at_ns == 0)
    return;
  if (e->kind == STACK_ECHO_REPLY && (e->len != p->payload || memcmp(e->payload, p->data, e->len) != 0))
    return;
  if (s->answered && e->kind != STACK_ECHO_REPLY)
    return;
  char from[NET_ADDR_STRLEN];
  Capnet__PingEchoEvent ev = CAPNET__PING_ECHO_EVENT__INIT;
  ev.has_kind = ev.has_seq = ev.has_ttl = ev.has_code = 1;
  ev.kind = kind_of(e->kind, s->answered);
  ev.seq = e->seq;
  ev.from = (char *)net_addr_format(&e->from, from);
  ev.ttl = e->ttl;
  ev.code = e->code;
  ev.has_mtu = e->kind == STACK_ECHO_TOO_BIG;
  ev.has_pointer = e->kind == STACK_ECHO_PARAMETER_PROBLEM;
  ev.mtu = ev.pointer = e->word;
  if (e->kind == STACK_ECHO_REPLY) {
    ev.has_rtt_ns = ev.has_bytes = 1;
    ev.rtt_ns = loop_now(call_loop(p->call), CLOCK_ID_MONO) - s->at_ns;
    ev.bytes = (uint32_t)e->len + 8;
  }
  bool counts = !s->answered;
  s->answered = true;
  emit(p, &ev, counts);
}

/* --- sending ------------------------------------------------------------------------------------------------------- */

static void send_failed(struct ping_run *p, uint32_t seq, int error) {
  Capnet__PingEchoEvent ev = CAPNET__PING_ECHO_EVENT__INIT;
  Capnet__Error e = CAPNET__ERROR__INIT;
  ev.has_kind = ev.has_seq = 1;
  ev.kind = CAPNET__PING_ECHO_EVENT__KIND__SEND_FAILED;
  ev.seq = seq;
  e.has_code = 1;
  e.code = error_code_from_errno(error);
  e.message = (char *)error_code_sentence(e.code);
  ev.error = &e;
  emit(p, &ev, true);
}

static struct auth_request request(struct stack *stack, const struct net_addr *target) {
  struct auth_request rq = {.kind = AUTH_PING,
                            .to = {.addr = *target},
                            .own = stack_is_own(stack, target),
                            .broadcast = stack_is_broadcast(stack, target)};
  cap_way(&rq, stack, NULL, target);
  return rq;
}

/* A session is bound to no address: when its way has become another one, rights are asked again. */
static int still_allowed(struct ping_run *p) {
  struct auth_request rq = request(cap_room(p->cap), &p->target);
  if (!rq.interface || (p->way && strcmp(rq.interface, p->way) == 0))
    return 0;
  int r = auth_decide(p->cap->node, &rq, loop_now(call_loop(p->call), CLOCK_ID_BOOT), NULL);
  if (r == 0)
    p->way = rq.interface;
  return r;
}

/* Returns false when the call is over. */
static bool send_one(struct ping_run *p, uint64_t now) {
  uint32_t seq = p->next++;
  struct sent *s = &p->sent[seq % PING_WINDOW];
  *s = (struct sent){.at_ns = now};
  p->next_at = now + p->interval_ns;
  int r = still_allowed(p);
  if (r == 0)
    r = stack_echo_send(p->echo, &p->target, (uint16_t)seq, (uint8_t)p->ttl, p->data, p->payload);
  if (r == 0)
    return true;
  s->answered = true;
  bool last = p->done + 1 >= p->count;
  send_failed(p, seq, r);
  return !last;
}

static uint32_t oldest_waiting(const struct ping_run *p) {
  return p->next > PING_WINDOW ? p->next - PING_WINDOW : 1;
}

/* Gives up what is too old; false when the call is over. */
static bool time_out(struct ping_run *p, uint64_t now) {
  for (uint32_t seq = oldest_waiting(p); seq < p->next; seq++) {
    struct sent *s = &p->sent[seq % PING_WINDOW];
    if (s->answered || s->at_ns + p->timeout_ns > now)
      continue;
    s->answered = true;
    s->at_ns = 0; /* a late answer is nobody's */
    Capnet__PingEchoEvent ev = CAPNET__PING_ECHO_EVENT__INIT;
    ev.has_kind = ev.has_seq = 1;
    ev.kind = CAPNET__PING_ECHO_EVENT__KIND__TIMEOUT;
    ev.seq = seq;
    bool last = p->done + 1 >= p->count;
    emit(p, &ev, true);
    if (last)
      return false;
  }
  return true;
}

static void arm(struct ping_run *p) {
  uint64_t at = p->next <= p->count ? p->next_at : UINT64_MAX;
  for (uint32_t seq = oldest_waiting(p); seq < p->next; seq++) {
    const struct sent *s = &p->sent[seq % PING_WINDOW];
    if (!s->answered)
      at = MIN(at, s->at_ns + p->timeout_ns);
  }
  if (at != UINT64_MAX)
    loop_timer_set(p->timer, at);
}

/* The interval asked for is over; the least interval of the grant, over all its holders, must be as well. */
static bool may_send(struct ping_run *p, uint64_t now) {
  if (p->next > p->count || now < p->next_at)
    return false;
  p->next_at = auth_pace(p->cap->node, LIMIT_PING_INTERVAL_MIN, now);
  return p->next_at <= now;
}

static void on_timer(void *arg) {
  struct ping_run *p = arg;
  uint64_t now = loop_now(call_loop(p->call), CLOCK_ID_MONO);
  if (!time_out(p, now))
    return;
  if (may_send(p, now) && !send_one(p, now))
    return;
  arm(p);
}

/* --- the request ---------------------------------------------------------------------------------------------------- */

static void on_cancel(void *arg, int reason) {
  (void)reason;
  run_free(arg);
}

static bool check(struct call *call, const Capnet__PingEchoRequest *rq, struct stack *stack, struct net_addr *ret) {
  if (!rq->target || net_addr_parse(rq->target, ret) < 0) {
    cap_malformed(call, "target", "not an address");
    return false;
  }
  const struct auth_request ar = request(stack, ret);
  if (!cap_decide(call, &ar))
    return false;
  const uint64_t interval = rq->has_interval_ms ? rq->interval_ms : 1000;
  const uint64_t timeout = rq->has_timeout_ms ? rq->timeout_ms : 1000;
  if ((rq->has_ttl && (rq->ttl < 1 || rq->ttl > 255)) || timeout < 1 || timeout > PING_TIMEOUT_MS_MAX ||
      (rq->has_count && rq->count == 0) || (rq->has_count && rq->count > UINT16_MAX) || interval > 3600000 ||
      (rq->has_payload && rq->payload > 65507)) {
    cap_malformed(call, "count, timeout_ms, ttl, interval_ms or payload", "out of range");
    return false;
  }
  const uint64_t count = rq->has_count ? rq->count : 1;
  if (!cap_bound(call, LIMIT_PING_COUNT, count) || !cap_bound(call, LIMIT_PING_PAYLOAD, rq->has_payload ? rq->payload : 56))
    return false;
  if (count > 1 && !cap_bound(call, LIMIT_PING_INTERVAL_MIN, interval))
    return false;
  if (count > 1 && interval * PING_WINDOW < timeout) {
    cap_malformed(call, "interval_ms", "more than 64 requests would wait for an answer at once");
    return false;
  }
  return true;
}

static int run_new(struct call *call, struct stack *stack, const Capnet__PingEchoRequest *rq,
                   const struct net_addr *target, struct ping_run **ret) {
  struct ping_run *p = calloc(1, sizeof *p);
  if (!p)
    return -ENOMEM;
  int r = loop_timer_new(call_loop(call), CLOCK_ID_MONO, on_timer, p, &p->timer);
  if (r == 0)
    r = stack_echo_open(stack, on_echo, p, &p->echo);
  if (r < 0) {
    loop_timer_free(p->timer);
    free(p);
    return r;
  }
  p->call = call;
  p->cap = cap_of(call);
  p->target = *target;
  p->way = request(stack, target).interface;
  p->count = rq->has_count ? rq->count : 1;
  p->payload = rq->has_payload ? rq->payload : 56;
  p->ttl = rq->has_ttl ? rq->ttl : 0;
  p->interval_ns = (rq->has_interval_ms ? rq->interval_ms : 1000) * NSEC_PER_MSEC;
  p->timeout_ns = (rq->has_timeout_ms ? rq->timeout_ms : 1000) * NSEC_PER_MSEC;
  p->next = 1;
  for (uint32_t i = 0; i < p->payload; i++)
    p->data[i] = (uint8_t)i;
  *ret = p;
  return 0;
}

static void ping_echo(Capnet__Ping_Service *service, const Capnet__PingEchoRequest *rq,
                      Capnet__PingEchoEvent_Closure closure, void *data) {
  (void)service, (void)closure;
  struct call *call = data;
  struct cap *cap = cap_of(call);
  struct stack *stack = cap_room(cap);
  struct net_addr target;
  struct stack_route_info route;
  if (!check(call, rq, stack, &target))
    return;
  int r = stack_route_lookup(stack, &target, &route);
  if (r < 0) {
    call_error(call, r, NULL, NULL, "no way to %s: %s", rq->target, error_code_sentence(error_code_from_errno(r)));
    return;
  }
  if (!cap_charge(call, LIMIT_PINGS, 1))
    return;
  struct ping_run *p;
  r = run_new(call, stack, rq, &target, &p);
  if (r < 0) {
    auth_uncharge(cap->node, LIMIT_PINGS, 1);
    call_error(call, r, NULL, NULL, "no echo session can be opened");
    return;
  }
  call_on_cancel(call, on_cancel, p);
  on_timer(p);
}

/* --- the table ------------------------------------------------------------------------------------------------------ */

static void ping_release(struct cap *c) { (void)c; } /* runs end with their calls */

static Capnet__Ping_Service ping_service = CAPNET__PING__INIT(ping_);

const struct cap_kind cap_ping_kind = {
    .kind = AUTH_PING, .size = sizeof(struct cap), .service = &ping_service.base, .release = ping_release};
