/* SPDX-License-Identifier: BSD-3-Clause
 * The stack and one peer that the test plays by hand, frame by frame. Included by one source of a program.
 */
#ifndef CAPNET_TEST_STACK_PEER_H
#define CAPNET_TEST_STACK_PEER_H

#include "stack_end.h"
#include "stack_wire_open.h"

static struct wire w;
static struct end e;
static struct stack_listener *l;
static unsigned waiting;
static const struct stack_listener_ops lops = {.acceptable = count_acceptable};

static inline void setup(void) {
  cr_assert_eq(wire_open(&w), 0);
  wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
  memset(&e, 0, sizeof e);
  waiting = 0;
  l = NULL;
}

static inline struct stack_stats stats(void) {
  struct stack_stats st;
  stack_get_stats(w.s, &st);
  return st;
}

static inline void teardown(void) {
  stack_conn_abort(e.c, STACK_END_REVOKED);
  stack_listener_close(l);
  wire_run(&w, 120 * SEC);
  struct stack_stats st = stats();
  cr_expect_eq(st.asserts, 0);
  cr_expect_eq(st.tcp_active, 0);
  cr_expect_eq(st.tcp_time_wait, 0);
  cr_expect_eq(st.pbuf_bytes, 0, "%lu", (unsigned long)st.pbuf_bytes);
  wire_close(&w);
}

static inline void listen_on(uint16_t port, unsigned backlog) {
  struct net_endpoint at = ep(net_addr_v4(WIRE_OWN), port);
  cr_assert_eq(stack_tcp_listen(w.s, &at, BACKLOG(backlog), &lops, &waiting, &l), 0);
}

/* The wire connects: returns our next sequence number as the peer sees it. */
static inline uint32_t handshake(const uint8_t *options, size_t n) {
  listen_on(80, 8);
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1000, .flags = WIRE_SYN, .wnd = 65000,
                                  .options = options, .n_options = n});
  const uint8_t *f = wire_last(&w, 0);
  cr_assert(f && f[23] == 6 && f[47] == (WIRE_SYN | WIRE_ACK));
  uint32_t theirs = wire_get(f + 38, 4) + 1;
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1001, .ack = theirs, .flags = WIRE_ACK, .wnd = 65000});
  cr_assert_eq(waiting, 1);
  cr_assert_eq(stack_listener_accept(l, &end_ops, &e, &e.c), 0);
  e.hold = true;
  return theirs;
}

/* After the handshake: the peer's window becomes wnd. A smaller one in a segment like the last would be taken for an
 * old one (RFC 9293 3.10.7.4), so a byte goes ahead of it. t is then the peer's next segment. */
static inline void peer_window(struct wire_tcp *t, uint32_t ack, uint16_t wnd) {
  *t = (struct wire_tcp){.sport = 999, .dport = 80, .seq = 1001, .ack = ack, .flags = WIRE_ACK, .wnd = wnd, .len = 1};
  wire_tcp(&w, t);
  t->seq++;
  t->len = 0;
  wire_tcp(&w, t);
}

#endif
