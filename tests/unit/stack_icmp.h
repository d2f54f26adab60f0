/* SPDX-License-Identifier: BSD-3-Clause
 * Packet scripts: a router on the way says something about what the stack sent. Part of stack_script.h.
 */
#ifndef CAPNET_TEST_STACK_ICMP_H
#define CAPNET_TEST_STACK_ICMP_H

#include "stack_script.h"

/* It quotes the packet that begins at byte `at` of the stream and was `quoted` bytes long with its headers. */
static inline void icmp(uint8_t type, uint8_t code, uint16_t word, uint32_t at, uint16_t quoted) {
  uint8_t f[128] = {0}, *h = f + 34, *q = h + 8;
  h[0] = type;
  h[1] = code;
  wire_put(h + 6, word, 2);
  q[0] = 0x45;
  wire_put(q + 2, quoted, 2);
  wire_put(q + 6, 0x4000, 2);
  q[8] = 60;
  q[9] = 6;
  wire_put(q + 12, WIRE_OWN, 4);
  wire_put(q + 16, WIRE_PEER, 4);
  wire_put(q + 20, 80, 2);
  wire_put(q + 22, 999, 2);
  wire_put(q + 24, script.base + at, 4);
  wire_put(h + 2, wire_sum(h, 36, 0), 2);
  wire_inject(&w, f, wire_ip(&w, f, 1, 36));
}

/* "Fragmentation needed": the next link takes mtu, 0: it does not say. */
static inline void too_big(uint16_t mtu, uint32_t at, uint16_t quoted) { icmp(3, 4, mtu, at, quoted); }

/* The peer acknowledges what was sent, and what is sent then, until all is: but nothing that was taken for lost and has
 * not been sent again. */
static inline void answer_all(void) {
  for (unsigned i = 0; i < 200 && pcb()->unacked; i++) {
    uint32_t to = pcb()->snd_nxt;
    char text[32];
    for (const struct tcp_seg *seg = pcb()->unacked; seg; seg = seg->next)
      if ((seg->marks & TCP_SEG_LOST) && !(seg->marks & TCP_SEG_RETRANS)) {
        to = lwip_ntohl(seg->tcphdr->seqno);
        break;
      }
    (void)snprintf(text, sizeof text, "%.3f", (to - script.base) / 1000.0);
    pass(100);
    ack(text);
  }
  cr_assert_null(pcb()->unacked);
  (void)out();
}

#endif
