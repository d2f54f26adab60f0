/* SPDX-License-Identifier: BSD-3-Clause
 * Packet scripts: what the stack sends is text (stack_script_out.h), and so is what the peer answers. Bytes are counted
 * from the first one of the stream; a packet carries 1000 of them, so that it has a number. The peer has no timestamps
 * unless a script says so. Included by one source of a program.
 */
#ifndef CAPNET_TEST_STACK_SCRIPT_H
#define CAPNET_TEST_STACK_SCRIPT_H

#include "stack_peer.h"

#include "lwip/priv/tcp_priv.h"

#include <stdlib.h>

#define K 1000u

/* The peer. */
static struct {
  uint32_t base;     /* the number of the first byte that the stack sends */
  uint32_t seq;      /* of the peer's next byte */
  uint16_t wnd;
  unsigned seen;     /* frames that were read */
  bool ts;           /* the peer has timestamps: they are */
  uint32_t tsval, tsecr;
  char text[4096];
} script;

static inline void pass(unsigned ms) { wire_run(&w, ms * MS); }

/* The option, where there is one. */
static inline size_t stamp(uint8_t *o) {
  if (!script.ts)
    return 0;
  memcpy(o, (const uint8_t[]){1, 1, 8, 10}, 4);
  wire_put(o + 4, script.tsval, 4);
  wire_put(o + 8, script.tsecr, 4);
  return 12;
}

/* Connected, the stack's SYN was answered after so many microseconds, and nothing was sent. */
static inline void open_script_mss(unsigned rtt_us, bool sack, uint16_t mss) {
  uint8_t o[24] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss, 1, 3, 3, 0, 1, 1, 4, 2};
  size_t n = sack ? 12 : 8;
  n += stamp(o + n);
  listen_on(80, 8);
  struct wire_tcp t = {.sport = 999, .dport = 80, .seq = 1000, .flags = WIRE_SYN, .wnd = 65000, .options = o,
                       .n_options = n};
  wire_tcp(&w, &t);
  const uint8_t *f = wire_last(&w, 0);
  cr_assert(f && f[23] == 6 && f[47] == (WIRE_SYN | WIRE_ACK));
  script.base = wire_get(f + 38, 4) + 1;
  script.seq = 1001;
  script.wnd = 65000;
  wire_run(&w, rtt_us * 1000ull);
  t = (struct wire_tcp){.sport = 999, .dport = 80, .seq = 1001, .ack = script.base, .flags = WIRE_ACK, .wnd = 65000,
                        .options = o, .n_options = stamp(o)};
  wire_tcp(&w, &t);
  cr_assert_eq(waiting, 1);
  cr_assert_eq(stack_listener_accept(l, &end_ops, &e, &e.c), 0);
  e.hold = true;
  wire_run(&w, 0);
  script.seen = w.n;
}

/* Packets of K bytes, whatever options they have. */
static inline void open_script(unsigned rtt_us, bool sack) { open_script_mss(rtt_us, sack, script.ts ? K + 12 : K); }

/* The holder writes so many bytes more of the pattern. */
static inline void put(size_t n) {
  e.to_send += n;
  end_send(&e);
  wire_run(&w, 0);
}

/* "3 4-7 9.5-10": acknowledges 3000, has 4000 to 7000 and 9500 to 10000. */
static inline void ack(const char *text) {
  uint8_t o[40];
  char *p;
  struct wire_tcp t = {.sport = 999, .dport = 80, .seq = script.seq, .flags = WIRE_ACK, .wnd = script.wnd, .options = o};
  size_t n = stamp(o);
  memcpy(o + n, (const uint8_t[]){1, 1, 5, 2}, 4);
  t.n_options = n;
  t.ack = script.base + (uint32_t)(int64_t)(strtod(text, &p) * K);
  for (size_t at = n + 4; *p; at += 8) {
    cr_assert_leq(at, sizeof o - 8);
    wire_put(o + at, script.base + (uint32_t)(int64_t)(strtod(p, &p) * K), 4);
    wire_put(o + at + 4, script.base + (uint32_t)(int64_t)(strtod(p + 1, &p) * K), 4);
    o[n + 3] = (uint8_t)(o[n + 3] + 8);
    t.n_options = at + 8;
  }
  wire_tcp(&w, &t);
}

/* The peer's window becomes n, smaller or not: a byte of data goes ahead (peer_window of stack_peer.h). */
static inline void window(const char *acked, uint16_t n) {
  uint8_t o[12];
  struct wire_tcp t = {.sport = 999, .dport = 80, .seq = script.seq++, .flags = WIRE_ACK, .wnd = script.wnd, .len = 1};
  t.options = o;
  t.n_options = stamp(o);
  t.ack = script.base;
  wire_tcp(&w, &t);
  script.wnd = n;
  ack(acked);
}

static inline struct stack_conn_info info(void) {
  struct stack_conn_info i;
  stack_conn_info(e.c, &i);
  return i;
}

/* The only connection's own counts. */
static inline const struct tcp_pcb *pcb(void) {
  cr_assert(tcp_active_pcbs && !tcp_active_pcbs->next);
  return tcp_active_pcbs;
}

#include "stack_script_out.h"

#endif
