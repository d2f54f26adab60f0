/* SPDX-License-Identifier: BSD-3-Clause
 * What third_party/lwip/patches change: a test for each patch that the other tests of the stack would not miss. Each
 * fails when its patch is left out. What the wire cannot reach, because stack_if.c filters first, is called directly.
 */
#include "stack_peer.h"

#include "lwip/etharp.h"
#include "lwip/ip6_addr.h"
#include "lwip/memp.h"
#include "lwip/netif.h"
#include "lwip/priv/memp_priv.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"

TestSuite(stack_lwip, .init = setup, .fini = teardown, .timeout = 60);

/* The newest segment that the wire has seen, and how much it carries. */
static const uint8_t *last_tcp(size_t *ret_len) {
  for (unsigned k = 0; k < 16; k++) {
    const uint8_t *f = wire_last(&w, k);
    if (f && wire_get(f + 12, 2) == 0x0800 && f[23] == 6) {
      *ret_len = wire_get(f + 16, 2) - 20 - (size_t)(f[46] >> 4) * 4;
      return f;
    }
  }
  return NULL;
}

/* 0001: one zero block at the end is no run of zeros, and there is no block behind it to look at. */
Test(stack_lwip, p0001_an_address_that_ends_in_zero) {
  ip6_addr_t a = {.addr = {lwip_htonl(0x00010002), lwip_htonl(0x00030004), lwip_htonl(0x00050006), lwip_htonl(0x00070000)}};
  char text[IP6ADDR_STRLEN_MAX];
  cr_assert(ip6addr_ntoa_r(&a, text, sizeof text));
  cr_expect_str_eq(text, "1:2:3:4:5:6:7:0");
  a.addr[3] = 0;
  cr_assert(ip6addr_ntoa_r(&a, text, sizeof text));
  cr_expect_str_eq(text, "1:2:3:4:5:6::");
}

/* 0004: in-order data that fills the window to its last byte and covers a queued FIN, whose place is one further. */
Test(stack_lwip, p0004_a_full_window_does_not_inherit_a_fin) {
  uint32_t ack = handshake(NULL, 0);
  stack_conn_set_rcvbuf(e.c, 4096);
  wire_run(&w, 10 * MS);
  struct wire_tcp t = {.sport = 999, .dport = 80, .ack = ack, .flags = WIRE_ACK | WIRE_FIN, .wnd = 65000};
  t.seq = 1001 + 3500, t.len = 596;
  wire_tcp(&w, &t);
  t.flags = WIRE_ACK;
  for (t.seq = 1001, t.len = 1024; t.seq < 1001 + 4096; t.seq += 1024)
    wire_tcp(&w, &t);
  cr_expect_eq(stack_conn_unread(e.c), 4096);
  cr_expect_eq(stats().asserts, 0);
  stack_conn_consume(e.c, 4096);
  cr_expect(!stack_conn_eof(e.c), "the FIN had no place in the window");
  wire_run(&w, 10 * MS);
  t.seq = 1001 + 4096, t.len = 0, t.flags = WIRE_ACK | WIRE_FIN;
  wire_tcp(&w, &t);
  cr_expect(stack_conn_eof(e.c), "it is taken when it is sent again");
}

/* 0005: the peer's window takes a part of the last segment: that part does not carry the FIN. */
Test(stack_lwip, p0005_a_split_segment_keeps_its_fin_for_the_end) {
  uint32_t ack = handshake(NULL, 0);
  size_t len = 0;
  struct wire_tcp t;
  peer_window(&t, ack, 100);
  e.to_send = 500;
  e.shut_after = true;
  end_send(&e);
  wire_run(&w, 5 * SEC); /* the persist timer sends what fits */
  const uint8_t *f = last_tcp(&len);
  cr_assert_eq(len, 100);
  cr_expect_eq(f[47] & (WIRE_FIN | WIRE_PSH), 0, "flags %#x of the first part", f[47]);
  t.ack = ack + 100, t.wnd = 1000;
  wire_tcp(&w, &t);
  wire_run(&w, 10 * MS);
  f = last_tcp(&len);
  cr_expect_eq(len, 400);
  cr_expect_eq(f[47] & WIRE_FIN, WIRE_FIN);
}

static void connect_out(uint64_t answer_after) {
  struct net_endpoint remote = ep(net_addr_v4(WIRE_PEER), 80);
  size_t len;
  cr_assert_eq(stack_tcp_connect(w.s, NULL, &remote, &end_ops, &e, &e.c), 0);
  wire_run(&w, answer_after);
  const uint8_t *f = last_tcp(&len);
  cr_assert(f && f[47] == WIRE_SYN);
  wire_tcp(&w, &(struct wire_tcp){.sport = 80, .dport = (uint16_t)wire_get(f + 34, 2), .seq = 5000,
                                  .ack = wire_get(f + 38, 4) + 1, .flags = WIRE_SYN | WIRE_ACK, .wnd = 60000});
  cr_assert_eq(e.connected, 1);
}

/* 0008: the round trip of the SYN is known when it is acknowledged, and what the peer idles afterwards is none of it. */
Test(stack_lwip, p0008_the_syn_is_a_round_trip) {
  struct stack_conn_info info;
  size_t len;
  connect_out(300 * MS);
  stack_conn_info(e.c, &info);
  cr_assert(info.has_rtt);
  cr_expect(info.rtt_us >= 250000 && info.rtt_us <= 350000, "%u us", info.rtt_us);
  cr_expect(info.rto_ms >= 750 && info.rto_ms <= 1050, "three times that: %u ms", info.rto_ms);
  wire_run(&w, 20 * SEC);
  const uint8_t *f = last_tcp(&len);
  wire_tcp(&w, &(struct wire_tcp){.sport = 80, .dport = (uint16_t)wire_get(f + 34, 2), .seq = 5001,
                                  .ack = wire_get(f + 38, 4), .flags = WIRE_ACK, .wnd = 60000, .len = 10});
  stack_conn_info(e.c, &info);
  cr_expect_lt(info.rtt_us, 350000);
}

/* 0010: the peer closed first and reads slowly. What is queued in front of our FIN is not given up after two MSL. */
Test(stack_lwip, p0010_last_ack_delivers_what_is_queued) {
  uint32_t ack = handshake(NULL, 0);
  size_t len = 0;
  struct wire_tcp t;
  peer_window(&t, ack, 0);
  t.flags |= WIRE_FIN;
  wire_tcp(&w, &t);
  e.to_send = 300;
  e.shut_after = true;
  end_send(&e);
  wire_run(&w, 100 * SEC);
  struct stack_conn_info info;
  stack_conn_info(e.c, &info);
  cr_expect_eq(info.state, STACK_TCP_LAST_ACK);
  cr_assert_eq(e.ended, 0);
  t.seq++, t.flags = WIRE_ACK, t.wnd = 1000;
  wire_tcp(&w, &t);
  wire_run(&w, 600 * SEC);
  const uint8_t *f = last_tcp(&len);
  cr_expect_eq(f[47] & WIRE_FIN, WIRE_FIN);
  cr_expect_eq(e.ended, 1, "twelve times, up to two minutes apart");
}

/* 0012: a frame one byte short of an ARP header, in a buffer that holds that byte, is not understood. */
Test(stack_lwip, p0012_a_short_arp_frame) {
  static const uint8_t request[SIZEOF_ETHARP_HDR] = {0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 7, 10, 0, 0, 77, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1};
  unsigned before = w.n;
  STAT_COUNTER errors = lwip_stats.etharp.lenerr;
  for (u16_t len = SIZEOF_ETHARP_HDR; len + 1 >= SIZEOF_ETHARP_HDR; len--) {
    struct pbuf *p = pbuf_alloc(PBUF_RAW, SIZEOF_ETHARP_HDR, PBUF_RAM);
    memcpy(p->payload, request, SIZEOF_ETHARP_HDR);
    p->len = p->tot_len = len;
    etharp_input(p, netif_list);
    wire_run(&w, 10 * MS);
    cr_expect_eq(w.n, before + 1, "the whole one is answered, the short one is not");
  }
  cr_expect_eq(lwip_stats.etharp.lenerr, errors + 1);
}

static void count_neigh(void *arg, const struct stack_neigh_info *i) { ((unsigned *)arg)[i->state]++; }

/* 0012: an entry that nobody has answered yet is seen. */
Test(stack_lwip, p0012_pending_neighbours_are_told) {
  struct stack_udp *u;
  static const struct stack_udp_ops ops = {0};
  struct net_endpoint to = ep(net_addr_v4(0x0a000042), 9);
  unsigned n[3] = {0};
  cr_assert_eq(stack_udp_open(w.s, NULL, &ops, NULL, &u), 0);
  cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0);
  stack_neigh_each(w.s, count_neigh, n);
  cr_expect_eq(n[STACK_NEIGH_PENDING], 1);
  cr_expect_eq(n[STACK_NEIGH_STABLE], 1);
  stack_udp_close(u);
}

/* 0013: the clock moves by what has passed, neither by the number of looks at it nor only when something is due. */
Test(stack_lwip, p0013_time_passes_whoever_looks) {
  static const uint64_t steps[] = {1 * MS, 30 * MS, 170 * MS, 450 * MS};
  size_t len;
  handshake(NULL, 0);
  for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
    uint64_t start = loop_now(w.loop, CLOCK_ID_MONO);
    struct stack_conn_info info;
    stack_conn_info(e.c, &info);
    uint64_t sent = info.retransmits, rto = info.rto_ms * MS;
    e.to_send += 10;
    end_send(&e);
    while (info.retransmits == sent && loop_now(w.loop, CLOCK_ID_MONO) < start + 10 * SEC) {
      wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
      wire_run(&w, steps[i]);
      stack_conn_info(e.c, &info);
    }
    uint64_t took = loop_now(w.loop, CLOCK_ID_MONO) - start;
    cr_expect(took >= rto - 50 * MS && took <= rto + 50 * MS + steps[i], "%zu: %lu ms for %lu", i,
              (unsigned long)(took / MS), (unsigned long)(rto / MS));
    const uint8_t *f = last_tcp(&len);
    wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1001, .ack = wire_get(f + 38, 4) + (uint32_t)len,
                                    .flags = WIRE_ACK, .wnd = 65000});
  }
}

/* A connection that we closed first, in TIME_WAIT; returns our next sequence number. */
static uint32_t time_wait(void) {
  uint32_t ours = handshake(NULL, 0);
  cr_assert_eq(stack_conn_shutdown_write(e.c), 0);
  wire_run(&w, 0);
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1001, .ack = ours + 1, .flags = WIRE_FIN | WIRE_ACK,
                                  .wnd = 65000});
  cr_assert_eq(stats().tcp_time_wait, 1);
  return ours + 1;
}

/* The flags of the answer to a SYN with this number from where the old connection came; 0: none. */
static unsigned syn_again(uint32_t seq) {
  unsigned before = w.n;
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = seq, .flags = WIRE_SYN, .wnd = 65000});
  return w.n == before ? 0 : wire_last(&w, 0)[47];
}

Test(stack_lwip, a_newer_syn_reopens_from_time_wait) {
  uint32_t ours = time_wait();
  cr_expect_eq(syn_again(1001), WIRE_ACK, "an old one");
  cr_expect_eq(syn_again(1002), WIRE_RST | WIRE_ACK, "what would come next: not beyond it");
  cr_expect_eq(stats().tcp_time_wait, 1);
  cr_expect_eq(syn_again(1003), WIRE_SYN | WIRE_ACK);
  uint32_t isn = wire_get(wire_last(&w, 0) + 38, 4);
  cr_expect_gt((int32_t)(isn - ours), 0, "ours goes on behind what was sent: %u, %u", isn, ours);
  cr_expect_eq(stats().tcp_time_wait, 0);
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1004, .ack = isn + 1, .flags = WIRE_ACK, .wnd = 65000});
  cr_expect_eq(waiting, 2);
}

Test(stack_lwip, a_full_backlog_keeps_time_wait) {
  (void)time_wait();
  for (uint16_t i = 0; i < 8; i++)
    wire_tcp(&w, &(struct wire_tcp){.sport = (uint16_t)(5000 + i), .dport = 80, .flags = WIRE_SYN, .wnd = 100});
  cr_expect_eq(syn_again(1u << 30), 0);
  cr_expect_eq(stats().tcp_time_wait, 1);
  wire_tcp(&w, &(struct wire_tcp){.sport = 5000, .dport = 80, .seq = 1, .flags = WIRE_RST});
  cr_expect_eq(syn_again(1u << 30), WIRE_SYN | WIRE_ACK, "there is a place again");
}

Test(stack_lwip, time_wait_without_a_listener_refuses) {
  (void)time_wait();
  l = stack_listener_close(l);
  cr_expect_eq(syn_again(1u << 30), WIRE_RST | WIRE_ACK);
  cr_expect_eq(stats().tcp_time_wait, 1);
}

/* 0021: what ends in the middle of the list takes nobody with it; the order of the rest stays. */
Test(stack_lwip, p0021_any_pcb_leaves_alone) {
  static const uint16_t gone[] = {5002, 5004, 5000}; /* the middle, the newest, the oldest */
  listen_on(80, 8);
  for (uint16_t port = 5000; port < 5005; port++)
    wire_tcp(&w, &(struct wire_tcp){.sport = port, .dport = 80, .flags = WIRE_SYN, .wnd = 100});
  for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
    wire_tcp(&w, &(struct wire_tcp){.sport = gone[i], .dport = 80, .seq = 1, .flags = WIRE_RST});
    cr_expect_eq(stats().tcp_active, 4 - i);
  }
  cr_assert_eq(tcp_active_pcbs->remote_port, 5003);
  cr_assert_eq(tcp_active_pcbs->next->remote_port, 5001);
  cr_expect_null(tcp_active_pcbs->next->next);
  cr_expect_eq(tcp_active_pcbs->next->prev, tcp_active_pcbs);
}

/* 0023: the listener knows those that wait, and who was accepted does not know it any more. */
Test(stack_lwip, p0023_an_accepted_connection_forgets_its_listener) {
  (void)handshake(NULL, 0);
  struct tcp_pcb_listen *lp = tcp_listen_pcbs.listen_pcbs;
  cr_assert_null(lp->pending);
  cr_expect_null(tcp_active_pcbs->listener);
  wire_tcp(&w, &(struct wire_tcp){.sport = 5000, .dport = 80, .flags = WIRE_SYN, .wnd = 100});
  cr_assert_eq(lp->pending, tcp_active_pcbs);
  cr_expect_eq(lp->pending->listener, lp);
  wire_tcp(&w, &(struct wire_tcp){.sport = 5000, .dport = 80, .seq = 1, .flags = WIRE_RST});
  cr_expect_null(lp->pending);
  wire_tcp(&w, &(struct wire_tcp){.sport = 5001, .dport = 80, .flags = WIRE_SYN, .wnd = 100});
  l = stack_listener_close(l);
  cr_expect_eq(stats().tcp_active, 1, "the half-open one goes with the listener, the accepted one stays");
}

/* 0024: a backlog of more than a byte can count, to its last place. */
Test(stack_lwip, p0024_a_backlog_of_three_hundred) {
  struct stack_listener_info info;
  listen_on(80, 300);
  for (uint16_t i = 0; i < 301; i++) {
    wire_tcp(&w, &(struct wire_tcp){.sport = (uint16_t)(5000 + i), .dport = 80, .flags = WIRE_SYN, .wnd = 100});
    wire_run(&w, 0);
  }
  stack_listener_info(l, &info);
  cr_expect_eq(info.half_open, 300);
  cr_expect_eq(info.dropped, 1);
}

static size_t lwip_memory(void) {
  size_t n = stats().pbuf_bytes;
  for (int i = 0; i < MEMP_MAX; i++)
    if (i != MEMP_PBUF && i != MEMP_PBUF_POOL)
      n += (size_t)memp_pools[i]->stats->used * LWIP_MEM_ALIGN_SIZE(memp_pools[i]->size);
  return n;
}

/* 0025: no memory for a new connection, though for its SYN: TIME_WAIT gives way, what is alive does not. */
Test(stack_lwip, p0025_time_wait_makes_room) {
  struct stack_limits tight = STACK_LIMITS_DEFAULT;
  bool alive = false;
  (void)time_wait();
  wire_tcp(&w, &(struct wire_tcp){.sport = 5000, .dport = 80, .flags = WIRE_SYN, .wnd = 100});
  cr_assert_eq(stats().tcp_active, 1);
  tight.memory = lwip_memory() + sizeof(struct tcp_pcb) - 8;
  stack_set_limits(w.s, &tight);
  for (uint16_t port = 5001; port < 5004; port++)
    wire_tcp(&w, &(struct wire_tcp){.sport = port, .dport = 80, .flags = WIRE_SYN, .wnd = 100});
  cr_expect_eq(stats().tcp_time_wait, 0);
  cr_expect_eq(stats().refused[STACK_LIMIT_TIME_WAIT], 1);
  for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
    alive |= pcb->remote_port == 5000;
  cr_expect(alive, "it waits, however many others come");
  cr_expect_leq(stats().tcp_active, 2);
}

/* 0026: time-outs of more than 65 s, which 16 bits of milliseconds do not hold: the SYN, sent again after 1, 2, 4 … s. */
Test(stack_lwip, p0026_timers_of_minutes) {
  static const unsigned at[] = {0, 1, 3, 7, 15, 31, 63};
  struct net_endpoint remote = ep(net_addr_v4(WIRE_PEER), 80);
  struct stack_conn_info info;
  cr_assert_eq(stack_tcp_connect(w.s, NULL, &remote, &end_ops, &e, &e.c), 0);
  for (size_t i = 1; i < ARRAY_SIZE(at); i++) {
    wire_run(&w, (at[i] - at[i - 1]) * SEC - (i == 1 ? 2 * MS : 0));
    stack_conn_info(e.c, &info);
    cr_expect_eq(info.retransmits, i - 1, "before %u s", at[i]);
    wire_arp(&w, 1, WIRE_PEER, WIRE_OWN);
  }
  wire_run(&w, 4 * MS);
  stack_conn_info(e.c, &info);
  cr_expect_eq(info.retransmits, 6);
  wire_run(&w, 64 * SEC - 10 * MS);
  cr_expect_eq(e.ended, 0);
  wire_run(&w, 10 * MS);
  cr_expect_eq(e.ended, 1);
  cr_expect_eq(e.why, STACK_END_TIMED_OUT);
}
