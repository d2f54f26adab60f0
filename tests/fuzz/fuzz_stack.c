/* SPDX-License-Identifier: BSD-3-Clause
 * Any bytes as frames from the wire, for a stack with a listener, UDP sockets and an echo session, IPv4 and IPv6, the
 * latter with an address that is tentative, a router, and somebody who listens to neighbour discovery. The input is a
 * row of: 2 bytes of length, 1 of flags, the frame without its destination. Flags: 1 put the checksums right, 2 put the
 * acknowledgement right (that of the last segment we sent), 4 let a second pass, 8 count a leading SACK option's blocks
 * back from there, and acknowledge 4,000 bytes less, 16 echo the timestamp of that segment. Afterwards everything must be
 * gone.
 */
#include "../unit/stack_wire6.h"
#include "../unit/stack_wire_open.h"
#include "fuzz.h"

enum { FIX_SUMS = 1, FIX_ACK = 2, WAIT = 4, FIX_SACKS = 8, FIX_ECHO = 16 };

static struct wire w;
static struct stack_conn *conns[8];
static unsigned n_conns;
static struct stack_listener *listener;

static void echo_event(void *arg _unused_, const struct stack_echo_event *ev _unused_) {}

/* Sends some, reads some, and leaves the rest. */
static void on_acceptable(void *arg _unused_) {
  static const struct stack_conn_ops ops = {0};
  struct iovec iov[2];
  while (n_conns < ARRAY_SIZE(conns) && stack_listener_accept(listener, &ops, NULL, &conns[n_conns]) == 0) {
    struct stack_conn *c = conns[n_conns++];
    stack_conn_set_rcvbuf(c, 8192);
    if (stack_conn_send_space(c, iov) > 0) {
      memset(iov[0].iov_base, 'x', 5000);
      stack_conn_send_commit(c, 5000);
    }
  }
}

static void fix_ack(uint8_t *f) {
  const uint8_t *out = wire_last(&w, 0);
  if (!out || wire_get(out + 12, 2) != 0x0800 || out[23] != 6 || f[23] != 6)
    return;
  uint32_t len = wire_get(out + 16, 2) - 20 - (out[46] >> 4) * 4u + ((out[47] & (WIRE_SYN | WIRE_FIN)) != 0);
  wire_put(f + 42, wire_get(out + 38, 4) + len, 4);
}

/* Behind fix_ack. The option stands first, or behind two NOPs. */
static void fix_sacks(uint8_t *f, size_t len) {
  uint32_t sent = wire_get(f + 42, 4);
  size_t at = f[54] == 1 ? 56 : 54, end = MIN(at + f[at + 1], len);
  if (f[23] != 6 || f[at] != 5)
    return;
  wire_put(f + 42, sent - 4000, 4);
  for (at += 2; at + 4 <= end; at += 4)
    wire_put(f + at, sent - wire_get(f + at, 4), 4);
}

/* The timestamps option behind two NOPs, as everybody has it; in a SYN of ours it is behind the MSS. */
static void fix_echo(uint8_t *f) {
  const uint8_t *out = wire_last(&w, 0);
  if (!out || wire_get(out + 12, 2) != 0x0800 || out[23] != 6 || f[23] != 6 || wire_get(f + 54, 4) != 0x0101080a)
    return;
  memcpy(f + 62, out + (out[47] & WIRE_SYN ? 62 : 58), 4);
}

/* Over those extension headers that are there whole. */
static void fix_sums6(uint8_t *f, size_t len) {
  static const uint8_t at_of[256] = {[6] = 16, [17] = 6, [58] = 2}, min[256] = {[6] = 20, [17] = 8, [58] = 4};
  size_t at = WIRE6_AT, end = MIN(len, WIRE6_AT + (size_t)wire_get(f + 18, 2));
  uint8_t next = f[20];
  while ((next == 0 || next == 43 || next == 44 || next == 60) && at + 8 <= end) {
    size_t n = next == 44 ? 8 : 8u * (1u + f[at + 1]);
    next = f[at];
    at += n;
  }
  if (at > end || !at_of[next] || end - at < min[next])
    return;
  wire_put(f + at + at_of[next], 0, 2);
  wire_put(f + at + at_of[next], wire6_sum(f, f + at, next, end - at), 2);
}

static void fix_sums(uint8_t *f, size_t len) {
  static const struct {
    uint8_t proto, at, min;
  } sums[] = {{6, 16, 20}, {17, 6, 8}};
  wire_put(f + 24, 0, 2);
  wire_put(f + 24, wire_sum(f + 14, 20, 0), 2);
  for (size_t i = 0; i < ARRAY_SIZE(sums); i++)
    if (f[23] == sums[i].proto && len >= 34u + sums[i].min)
      wire_l4_sum(f, len - 34, sums[i].at);
  if (f[23] == 1 && len >= 42) {
    wire_put(f + 36, 0, 2);
    wire_put(f + 36, wire_sum(f + 34, len - 34, 0), 2);
  }
}

static void frame(const uint8_t *data, size_t n, unsigned flags) {
  uint8_t f[1514] = {0};
  size_t len = MIN(n + 6, sizeof f);
  memcpy(f, w.mac, 6);
  memcpy(f + 6, data, len - 6);
  if ((flags & FIX_ACK) && len >= 54)
    fix_ack(f);
  if ((flags & FIX_SACKS) && len >= 66)
    fix_sacks(f, len);
  if ((flags & FIX_ECHO) && len >= 66)
    fix_echo(f);
  if ((flags & FIX_SUMS) && len >= WIRE6_AT && wire_get(f + 12, 2) == 0x86dd)
    fix_sums6(f, len);
  else if ((flags & FIX_SUMS) && len >= 34)
    fix_sums(f, len);
  wire_inject(&w, f, len);
  if (flags & WAIT)
    wire_run(&w, NSEC_PER_SEC);
}

static void check_gone(void) {
  struct stack_stats st;
  wire_run(&w, 120 * NSEC_PER_SEC);
  stack_get_stats(w.s, &st);
  if (st.tcp_active || st.tcp_time_wait || st.tcp_listening || st.udp || st.pbuf_bytes || st.asserts)
    abort();
}

static void on_nd(void *arg _unused_, const struct net_addr *from _unused_, const struct net_addr *to _unused_,
                  const uint8_t *icmp, size_t len) {
  if (len < 8 || icmp[0] < 134 || icmp[0] > 136)
    abort();
}

static int open_ip6(struct stack_nd **ret_nd, struct stack_udp **ret_udp) {
  static const struct stack_nd_ops nops = {.received = on_nd};
  static const struct stack_udp_ops uops = {0};
  struct net_addr own = wire6_addr(WIRE6_OWN), maybe = wire6_addr("2001:db8::1");
  struct stack_route r[] = {{.dst = {.addr = {.family = AF_INET6}}, .gateway = wire6_addr(WIRE6_PEER)}};
  if (stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_PREFERRED) < 0 ||
      stack_if_set_ipv6(w.i, &maybe, 64, STACK_ADDR_TENTATIVE) < 0 || stack_if_set_routes(w.i, AF_INET6, r, 1) < 0 ||
      stack_nd_open(w.i, &nops, NULL, ret_nd) < 0)
    return -1;
  return stack_udp_open(w.s, &(struct net_endpoint){.port = 9}, &uops, NULL, ret_udp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct stack_listener_ops lops = {.acceptable = on_acceptable};
  static const struct stack_listen_options lopts = {.backlog = 4, .overflow = STACK_OVERFLOW_REFUSE};
  static const struct stack_udp_ops uops = {0};
  struct net_endpoint at = {.addr = net_addr_v4(WIRE_OWN), .port = 80};
  struct stack_udp *u, *both;
  struct stack_echo *e;
  struct stack_nd *nd;
  n_conns = 0;
  if (wire_open(&w) < 0 || stack_tcp_listen(w.s, &at, &lopts, &lops, NULL, &listener) < 0 ||
      stack_udp_open(w.s, &at, &uops, NULL, &u) < 0 || stack_echo_open(w.s, echo_event, NULL, &e) < 0 || open_ip6(&nd, &both) < 0)
    abort();
  for (size_t at_byte = 0, frames = 0; at_byte + 3 <= size && frames < 64; frames++) {
    size_t n = MIN((size_t)wire_get(data + at_byte, 2), size - at_byte - 3);
    frame(data + at_byte + 3, n, data[at_byte + 2]);
    at_byte += 3 + n;
  }
  listener = stack_listener_close(listener);
  for (unsigned i = 0; i < n_conns; i++)
    stack_conn_abort(conns[i], STACK_END_REVOKED);
  stack_udp_close(u);
  stack_udp_close(both);
  stack_nd_close(nd);
  stack_echo_close(e);
  check_gone();
  wire_close(&w);
  return 0;
}
