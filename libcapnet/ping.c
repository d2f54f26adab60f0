/* SPDX-License-Identifier: BSD-3-Clause
 * Ping: one Echo call streams an event for each request.
 */
#include "libcapnet/conn.h"
#include "proto/ping.pb-c.h"

#include <assert.h>
#include <stdio.h>

static_assert((int)CAPNET_PING_REPLY == (int)CAPNET__PING_ECHO_EVENT__KIND__REPLY, "numbers of the wire");
static_assert((int)CAPNET_PING_PARAMETER_PROBLEM == (int)CAPNET__PING_ECHO_EVENT__KIND__PARAMETER_PROBLEM, "numbers of the wire");

static void fill_request(Capnet__PingEchoRequest *q, const struct capnet_ping_params *p) {
  q->has_count = p->count != 0;
  q->count = p->count;
  q->has_interval_ms = p->interval_ms != 0;
  q->interval_ms = p->interval_ms;
  q->has_payload = p->payload != 0 || (p->flags & CAPNET_PING_PAYLOAD_SET);
  q->payload = p->payload;
  q->has_timeout_ms = p->timeout_ms != 0;
  q->timeout_ms = p->timeout_ms;
  q->has_ttl = p->ttl != 0;
  q->ttl = p->ttl;
}

static void fill_event(struct capnet_ping_event *to, const Capnet__PingEchoEvent *e) {
  *to = (struct capnet_ping_event){
      .kind = (enum capnet_ping_kind)e->kind, .seq = e->seq, .ttl = e->ttl, .bytes = e->bytes, .rtt_ns = e->rtt_ns,
      .code = e->code, .mtu = e->mtu, .pointer = e->pointer};
  (void)snprintf(to->from, sizeof to->from, "%s", e->from ? e->from : "");
  if (e->error)
    (void)fail_wire(&to->error, e->error);
}

int capnet_ping(capnet *cap, const char *target, const struct capnet_ping_params *params, unsigned timeout_ms,
                capnet_ping_cb cb, void *user, struct capnet_error *err) {
  struct call c;
  Capnet__PingEchoRequest request = CAPNET__PING_ECHO_REQUEST__INIT;
  request.target = (char *)target;
  if (params)
    fill_request(&request, params);
  call_init(&c, cap, &capnet__ping__descriptor, timeout_ms, err);
  capnet__ping__echo(&c.service, &request, NULL, NULL);
  Capnet__PingEchoEvent *e;
  int r;
  while ((r = call_next(&c, (void **)&e)) > 0) {
    struct capnet_ping_event event;
    fill_event(&event, e);
    r = cb(&event, user);
    if (r)
      break;
  }
  return call_done(&c, r);
}
