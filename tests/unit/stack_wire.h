/* SPDX-License-Identifier: BSD-3-Clause
 * One interface of the stack and, at the other end of the wire, the test itself: it sees every frame and makes any.
 */
#ifndef CAPNET_TEST_STACK_WIRE_H
#define CAPNET_TEST_STACK_WIRE_H

#include "nic/nic.h"
#include "stack/stack.h"
#include "stack/stack_dgram.h"
#include "stack/stack_listen.h"

#define WIRE_KEEP 256

struct wire {
  struct loop *loop;
  struct stack *s;
  struct stack_if *i;
  struct nic *far, *near;
  uint8_t mac[6];
  unsigned n;
  struct {
    uint8_t data[1600];
    size_t len;
  } got[WIRE_KEEP]; /* the newest */
};

/* The stack is 10.0.0.1/24, the test 10.0.0.2 (and whoever else it claims to be). */
#define WIRE_OWN 0x0a000001u
#define WIRE_PEER 0x0a000002u
static const uint8_t wire_peer_mac[6] = {2, 0, 0, 0, 0, 9};

static inline void wire_frames(void *arg, struct nic_rx *f, unsigned n) {
  struct wire *w = arg;
  for (unsigned i = 0; i < n; i++, w->n++) {
    w->got[w->n % WIRE_KEEP].len = MIN(f[i].len, sizeof w->got[0].data);
    memcpy(w->got[w->n % WIRE_KEEP].data, f[i].buf->data, w->got[w->n % WIRE_KEEP].len);
  }
}
static const struct nic_upcalls wire_up = {.frames = wire_frames};

static inline void wire_put(uint8_t *p, uint32_t v, int bytes) {
  for (int i = 0; i < bytes; i++)
    p[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}
static inline uint32_t wire_get(const uint8_t *p, int bytes) {
  uint32_t v = 0;
  for (int i = 0; i < bytes; i++)
    v = v << 8 | p[i];
  return v;
}

static inline uint16_t wire_sum(const uint8_t *p, size_t len, uint32_t acc) {
  for (size_t i = 0; i < len; i++)
    acc += (uint32_t)p[i] << (i & 1 ? 0 : 8);
  while (acc >> 16)
    acc = (acc & 0xffff) + (acc >> 16);
  return (uint16_t)~acc;
}

static inline void wire_run(struct wire *w, uint64_t ns) { (void)loop_sim_advance(w->loop, ns); }
static inline void wire_inject(struct wire *w, const void *frame, size_t len) {
  nic_send_one(w->far, frame, len);
  wire_run(w, 0);
}

/* The frame k back from the newest; NULL when there were not so many. */
static inline const uint8_t *wire_last(const struct wire *w, unsigned k) {
  return k < w->n && k < WIRE_KEEP ? w->got[(w->n - 1 - k) % WIRE_KEEP].data : NULL;
}

/* Fills in Ethernet and IPv4 around len bytes of payload at frame + 34, returns the frame's length. */
static inline size_t wire_ip(struct wire *w, uint8_t *frame, uint8_t proto, size_t len) {
  memcpy(frame, w->mac, 6);
  memcpy(frame + 6, wire_peer_mac, 6);
  wire_put(frame + 12, 0x0800, 2);
  uint8_t *ip = frame + 14;
  memset(ip, 0, 20);
  ip[0] = 0x45;
  wire_put(ip + 2, (uint32_t)(20 + len), 2);
  ip[8] = 64;
  ip[9] = proto;
  wire_put(ip + 12, WIRE_PEER, 4);
  wire_put(ip + 16, WIRE_OWN, 4);
  wire_put(ip + 10, wire_sum(ip, 20, 0), 2);
  return 34 + len;
}

/* Puts the checksum of a TCP (offset 16) or UDP (offset 6) payload into its place. */
static inline void wire_l4_sum(uint8_t *frame, size_t len, size_t at) {
  uint8_t *l4 = frame + 34;
  uint32_t pseudo = 0;
  wire_put(l4 + at, 0, 2);
  for (int i = 0; i < 8; i += 2)
    pseudo += wire_get(frame + 26 + i, 2);
  pseudo += frame[23] + (uint32_t)len;
  wire_put(l4 + at, wire_sum(l4, len, pseudo), 2);
}

static inline void wire_arp(struct wire *w, uint16_t op, uint32_t from, uint32_t to) {
  uint8_t f[42] = {0};
  memset(f, 0xff, 6);
  memcpy(f + 6, wire_peer_mac, 6);
  wire_put(f + 12, 0x0806, 2);
  wire_put(f + 14, 1, 2);
  wire_put(f + 16, 0x0800, 2);
  f[18] = 6;
  f[19] = 4;
  wire_put(f + 20, op, 2);
  memcpy(f + 22, wire_peer_mac, 6);
  wire_put(f + 28, from, 4);
  memcpy(f + 32, w->mac, 6);
  wire_put(f + 38, to, 4);
  wire_inject(w, f, sizeof f);
}

struct wire_tcp {
  uint16_t sport, dport;
  uint32_t seq, ack;
  uint8_t flags, fill;
  uint16_t wnd;
  const uint8_t *options;
  size_t n_options; /* a multiple of 4 */
  size_t len;       /* of data, each byte of it fill */
};
enum { WIRE_FIN = 1, WIRE_SYN = 2, WIRE_RST = 4, WIRE_PSH = 8, WIRE_ACK = 16 };
/* On its way, and not looked at before wire_run: several of them are one batch. */
static inline void wire_tcp_later(struct wire *w, const struct wire_tcp *t) {
  uint8_t f[1600] = {0};
  uint8_t *h = f + 34;
  size_t len = 20 + t->n_options + t->len;
  wire_put(h, t->sport, 2);
  wire_put(h + 2, t->dport, 2);
  wire_put(h + 4, t->seq, 4);
  wire_put(h + 8, t->ack, 4);
  h[12] = (uint8_t)((20 + t->n_options) / 4 << 4);
  h[13] = t->flags;
  wire_put(h + 14, t->wnd, 2);
  if (t->n_options)
    memcpy(h + 20, t->options, t->n_options);
  memset(h + 20 + t->n_options, t->fill, t->len);
  size_t n = wire_ip(w, f, 6, len);
  wire_l4_sum(f, len, 16);
  nic_send_one(w->far, f, n);
}
static inline void wire_tcp(struct wire *w, const struct wire_tcp *t) {
  wire_tcp_later(w, t);
  wire_run(w, 0);
}

#endif
