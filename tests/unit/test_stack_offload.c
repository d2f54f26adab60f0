/* SPDX-License-Identifier: BSD-3-Clause
 * Offloads as the stack sees them: super-frames in, checksums that somebody vouches for or not, what is left to a device
 * on the way out, and that buffers over the limit cost packets and nothing else.
 */
#include "nic/nic_gso.h"
#include "stack_peer.h"

#include "lwip/netif.h"
#include "lwip/pbuf.h"

TestSuite(stack_offload, .init = setup, .fini = teardown, .timeout = 60);

static uint8_t frame[NIC_SUPER_MAX + 64], options[12];
static size_t n_options;

/* A segment of n bytes of the pattern from `from` on, of the connection that handshake() made. */
static size_t segment(uint32_t seq, uint32_t ack, uint64_t from, size_t n) {
  uint8_t *h = frame + 34;
  memset(frame, 0, 54);
  memcpy(h + 20, options, n_options);
  wire_put(h, 999, 2);
  wire_put(h + 2, 80, 2);
  wire_put(h + 4, seq, 4);
  wire_put(h + 8, ack, 4);
  h[12] = (uint8_t)((20 + n_options) / 4 << 4);
  h[13] = WIRE_ACK;
  wire_put(h + 14, 65000, 2);
  for (size_t i = 0; i < n; i++)
    frame[54 + n_options + i] = pattern(from + i);
  return wire_ip(&w, frame, 6, 20 + n_options + n);
}

/* As the TAP does: read into a small and a big buffer. */
static bool deliver(size_t len, const struct nic_offload *off) {
  struct nic_slot s = {0};
  struct iovec iov[NIC_SLOT_IOV];
  struct nic_rx f = {.len = len, .off = *off};
  if (nic_slot_prepare(&s, NIC_SUPER_MAX, iov) > 0) {
    size_t head = MIN(len, iov[0].iov_len);
    memcpy(iov[0].iov_base, frame, head);
    memcpy(iov[1].iov_base, frame + head, MIN(len - head, iov[1].iov_len));
    f.buf = nic_slot_take(&s, len);
  }
  nic_slot_done(&s);
  bool there = f.buf;
  if (there)
    nic_deliver(w.near, &f, 1);
  wire_run(&w, 0);
  return there;
}

static const struct nic_offload super = {.gso = NIC_GSO_TCP4, .csum = NIC_CSUM_PARTIAL, .gso_size = 1460, .hdr_len = 54,
                                         .csum_start = 34, .csum_offset = 16};
static const struct nic_offload partial = {.csum = NIC_CSUM_PARTIAL, .csum_start = 34, .csum_offset = 16};

Test(stack_offload, super_frames_of_every_size_arrive_whole) {
  static const size_t sizes[] = {1461, 1992, 1993, 5000, 18000, 18377, 18378, 40000, 65535 - 40};
  uint32_t ack = handshake(NULL, 0), seq = 1001;
  e.hold = false;
  for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
    uint64_t before = e.got;
    cr_assert(deliver(segment(seq, ack, before, sizes[i]), &super));
    seq += (uint32_t)sizes[i];
    wire_run(&w, 300 * MS);
    cr_expect_eq(e.got - before, sizes[i], "%zu of %zu", (size_t)(e.got - before), sizes[i]);
    const uint8_t *f = wire_last(&w, 0);
    cr_expect_eq(wire_get(f + 42, 4), seq, "and is acknowledged");
  }
  cr_expect_not(e.bad);
  cr_expect_eq(stats().bad_checksum, 0);
}

/* Packets that the kernel joins have the same timestamp: the frame's is that of each of them. */
Test(stack_offload, super_frames_with_timestamps) {
  uint8_t o[16] = {2, 4, 5, 0xb4, 1, 1, 8, 10, 0, 0, 0, 9};
  struct nic_offload off = super;
  listen_on(80, 8);
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1000, .flags = WIRE_SYN, .wnd = 65000,
                                  .options = o, .n_options = sizeof o});
  uint32_t ack = wire_get(wire_last(&w, 0) + 38, 4) + 1, seq = 1001;
  memcpy(options, o + 4, 12);
  n_options = 12;
  off.hdr_len = 66;
  off.gso_size = 1448;
  cr_assert(deliver(segment(seq, ack, 0, 0), &partial));
  cr_assert_eq(stack_listener_accept(l, &end_ops, &e, &e.c), 0);
  wire_run(&w, 30 * MS);
  for (uint32_t i = 0; i < 4; i++) {
    unsigned before = w.n;
    wire_put(options + 4, 10 + i, 4);
    cr_assert(deliver(segment(seq, ack, seq - 1001, 2 * 1448), &off));
    seq += 2 * 1448;
    const uint8_t *f = wire_last(&w, 0);
    cr_expect_eq(w.n, before + 1, "two packets are acknowledged at once");
    cr_expect_eq(wire_get(f + 42, 4), seq);
    cr_expect_eq(wire_get(f + 62, 4), 10 + i, "and the echo is theirs");
  }
  wire_put(options + 4, 12, 4);
  cr_assert(deliver(segment(seq, ack, 0, 20000), &off));
  cr_expect_eq(e.got, seq - 1001, "an old one, whole");
  cr_expect_not(e.bad);
}

Test(stack_offload, a_super_frame_crosses_the_memory_pair_when_a_test_says_so) {
  uint32_t ack = handshake(NULL, 0);
  e.hold = false;
  size_t len = segment(1001, ack, 0, 30000);
  struct iovec iov[] = {{frame, 54}, {frame + 54, 10000}, {frame + 10054, len - 10054}};
  struct nic_frame f = {.iov = iov, .n_iov = 3, .len = len, .off = super};
  cr_assert_eq(nic_tcp_partial(frame, 54, len, 1460, &f.off), 0);
  cr_expect_eq(nic_send(w.far, &f, 1), 1u);
  wire_run(&w, 1 * SEC);
  cr_expect_eq(e.got, 30000u);
  cr_expect_eq(w.far->counters.tx_frames - 3u, 21u, "three of the handshake and ARP, then each packet");
  w.far->features = NIC_TX_CSUM | NIC_TX_TSO4;
  segment(31001, ack, 30000, 30000);
  cr_assert_eq(nic_tcp_partial(frame, 54, len, 1460, &f.off), 0);
  cr_expect_eq(nic_send(w.far, &f, 1), 1u);
  wire_run(&w, 1 * SEC);
  cr_expect_eq(e.got, 60000u);
  cr_expect_eq(w.far->counters.tx_frames - 3u, 22u, "one super-frame");
  cr_expect(!e.bad && stats().bad_checksum == 0);
}

Test(stack_offload, only_a_super_frame_may_be_longer_than_the_mtu) {
  uint32_t ack = handshake(NULL, 0);
  uint64_t refused = stats().short_frames;
  struct nic_offload six = super;
  six.gso = NIC_GSO_TCP6;
  cr_assert(deliver(segment(1001, ack, 0, 1464), &partial));
  cr_expect_eq(stats().short_frames, refused, "four bytes of slack");
  cr_assert(deliver(segment(1001, ack, 0, 1465), &partial));
  cr_assert(deliver(segment(1001, ack, 0, 3000), &six));
  cr_expect_eq(stats().short_frames, refused + 2);
  cr_expect_eq(stack_conn_unread(e.c), 1464u);
}

Test(stack_offload, a_checksum_is_checked_exactly_where_nobody_vouches) {
  uint32_t ack = handshake(NULL, 0);
  static const struct {
    struct nic_offload off;
    bool taken;
  } cases[] = {
      {{0}, false},
      {{.csum = NIC_CSUM_VALID}, true},
      {{.csum = NIC_CSUM_PARTIAL, .csum_start = 34, .csum_offset = 16}, true},
      {{.csum = NIC_CSUM_PARTIAL, .csum_start = 54, .csum_offset = 16}, false}, /* of something inside */
      {{.gso = NIC_GSO_TCP4, .gso_size = 100}, false},
  };
  uint32_t seq = 1001;
  uint64_t bad = 0;
  for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
    size_t len = segment(seq, ack, 0, 700); /* checksum 0: wrong */
    cr_assert(deliver(len, &cases[i].off));
    seq += cases[i].taken ? 700 : 0;
    bad += !cases[i].taken;
    cr_expect_eq(stack_conn_unread(e.c), seq - 1001, "case %zu", i);
    cr_expect_eq(stats().bad_checksum, bad, "case %zu", i);
  }
  size_t len = segment(seq, ack, 0, 700);
  frame[24] ^= 1;
  cr_assert(deliver(len, &cases[1].off));
  cr_expect_eq(stats().bad_checksum, bad + 1, "nobody vouches for the IP header");
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = seq, .ack = ack, .flags = WIRE_ACK, .wnd = 65000, .len = 9});
  cr_expect_eq(stack_conn_unread(e.c), seq - 1001 + 9, "a good one needs nobody");
}

/* The first fragment is marked, the last is not, and the other way round: the whole is wrong either way. */
Test(stack_offload, nobody_vouches_for_a_datagram_in_fragments) {
  handshake(NULL, 0);
  uint32_t bad = 0;
  for (int marked = 0; marked < 3; marked++) {
    for (int half = 0; half < 2; half++) {
      size_t len = segment(1001, 1, 0, 700);
      wire_put(frame + 16, half ? 20 + 320 : 20 + 400, 2);
      wire_put(frame + 18, 77u + (uint32_t)marked, 2);
      wire_put(frame + 20, half ? 400 / 8 : 0x2000, 2);
      wire_put(frame + 24, 0, 2);
      wire_put(frame + 24, wire_sum(frame + 14, 20, 0), 2);
      if (half)
        memmove(frame + 34, frame + 34 + 400, 320);
      len = half ? 34 + 320 : 34 + 400;
      struct nic_offload off = {.csum = marked == half || marked == 2 ? NIC_CSUM_VALID : NIC_CSUM_NONE};
      cr_assert(deliver(len, &off));
    }
    cr_expect_eq(stats().bad_checksum, ++bad, "case %d", marked);
  }
  cr_expect_eq(stack_conn_unread(e.c), 0u);
}

static size_t n_udp;
static void on_udp(void *arg _unused_, const struct net_endpoint *from _unused_, const struct net_endpoint *to _unused_,
                   const uint8_t *data _unused_, size_t len) {
  n_udp += len;
}

Test(stack_offload, datagrams_are_vouched_for_as_well) {
  static const struct stack_udp_ops ops = {.received = on_udp};
  struct net_endpoint at = ep(net_addr_v4(WIRE_OWN), 53);
  struct stack_udp *u[2];
  cr_assert_eq(stack_udp_open(w.s, &at, &ops, NULL, &u[0]), 0);
  cr_assert_eq(stack_udp_open_if(w.i, AF_INET, 68, &ops, NULL, &u[1]), 0);
  for (uint16_t k = 0; k < 2; k++) {
    struct nic_offload off = {.csum = NIC_CSUM_PARTIAL, .csum_start = 34, .csum_offset = 6};
    n_udp = 0;
    for (int vouch = 0; vouch < 2; vouch++) {
      memset(frame, 0, 100);
      wire_put(frame + 34, 5, 2);
      wire_put(frame + 36, k ? 68 : 53, 2);
      wire_put(frame + 38, 28, 2);
      wire_put(frame + 40, 0xbad, 2);
      size_t len = wire_ip(&w, frame, 17, 28);
      cr_assert(deliver(len, vouch ? &off : &(struct nic_offload){0}));
      cr_expect_eq(n_udp, vouch ? 20u : 0u);
    }
    cr_expect_eq(stats().bad_checksum, k + 1u);
  }
  stack_udp_close(u[0]);
  stack_udp_close(u[1]);
}

/* lwIP writes into what it received, and wants headers in front of it. */
Test(stack_offload, an_echo_is_answered_from_a_receive_buffer) {
  memset(frame, 0, 200);
  frame[34] = 8;
  wire_put(frame + 40, 5, 2);
  wire_put(frame + 36, wire_sum(frame + 34, 64, 0), 2);
  cr_assert(deliver(wire_ip(&w, frame, 1, 64), &(struct nic_offload){0}));
  const uint8_t *f = wire_last(&w, 0);
  cr_assert_eq(f[23], 1);
  cr_expect_eq(f[34], 0);
  cr_expect_eq(wire_sum(f + 34, 64, 0), 0);
  cr_expect_eq(wire_sum(f + 14, 20, 0), 0);
  cr_expect_arr_eq(f, wire_peer_mac, 6);
}

Test(stack_offload, over_the_limit_frames_are_lost_and_short_ones_still_come) {
  static const uint8_t scale[] = {1, 3, 3, 0};
  uint32_t ack = handshake(scale, sizeof scale);
  struct nic_buf_stats before, after;
  e.hold = true;
  stack_conn_set_rcvbuf(e.c, 1024 * 1024);
  wire_run(&w, 100 * MS); /* its window opens now that it is accepted */
  nic_buf_get_stats(&before);
  nic_buf_set_limit(1024 * 1024);
  uint32_t seq = 1001;
  unsigned n = 0;
  while (n < 100 && deliver(segment(seq, ack, seq - 1001, 60000), &super)) {
    seq += 60000;
    n++;
  }
  nic_buf_get_stats(&after);
  cr_expect_eq(n, 15u, "%u below 15/16 of a MiB: four in buffers of 66 KiB, then each in its size", n);
  cr_expect_eq(after.refused - before.refused, 1u);
  cr_expect_leq(after.held, 1024u * 1024);
  cr_expect_eq(stack_conn_unread(e.c), n * 60000u);
  cr_expect_gt(stats().pbuf_bytes, n * 60000u, "they are told");
  cr_expect(deliver(segment(seq, ack, seq - 1001, 100), &partial), "a short frame");
  cr_expect_eq(stack_conn_unread(e.c), n * 60000u + 100);
  e.hold = false;
  end_recv(&e);
  cr_expect(!e.bad);
  cr_expect_eq(e.got, n * 60000u + 100);
  cr_expect(deliver(segment(seq + 100, ack, e.got, 60000), &super), "and all is as before");
  wire_run(&w, 1 * SEC);
  cr_expect_eq(e.got, n * 60000u + 60100);
  nic_buf_set_limit(NIC_BUF_LIMIT_DEFAULT);
}

/* --- out -------------------------------------------------------------------------------------------------------- */

static struct nic_offload last_off;
static uint8_t last[NIC_SUPER_MAX];
static size_t last_len;
static void keep_last(void *arg, struct nic_rx *f, unsigned n) {
  last_off = f[n - 1].off;
  last_len = f[n - 1].len;
  memcpy(last, f[n - 1].buf->data, last_len);
  wire_frames(arg, f, n);
}
static const struct nic_upcalls keeping = {.frames = keep_last};

static void check_partial(void) {
  uint32_t pseudo = 6 + (uint32_t)(last_len - 34);
  cr_expect_eq(last_off.csum, NIC_CSUM_PARTIAL);
  cr_expect_eq(last_off.csum_start, 34);
  cr_expect_eq(last_off.csum_offset, 16);
  cr_expect_eq(wire_get(last + 50, 2), (uint16_t)~wire_sum(last + 26, 8, pseudo), "the sum of the pseudo-header");
}

Test(stack_offload, tcp_leaves_its_checksum_to_a_device_that_can_and_nothing_else_does) {
  uint32_t ack = handshake(NULL, 0);
  w.near->features = NIC_TX_CSUM;
  w.far->up = &keeping;
  cr_assert(deliver(segment(1001, ack, 0, 10), &partial));
  e.to_send = 400;
  end_send(&e);
  wire_run(&w, 100 * MS);
  cr_assert_eq(last[23], 6);
  cr_expect_eq(last_len, 454u);
  check_partial();
  cr_assert_eq(nic_csum_complete(last, last_len, &last_off), 0);
  cr_expect_eq(wire_sum(last + 34, last_len - 34, 6 + (uint32_t)(last_len - 34) + (uint16_t)~wire_sum(last + 26, 8, 0)), 0);

  struct net_endpoint to = ep(net_addr_v4(WIRE_PEER), 9);
  static const struct stack_udp_ops ops = {0};
  struct stack_udp *u;
  cr_assert_eq(stack_udp_open(w.s, NULL, &ops, NULL, &u), 0);
  cr_assert_eq(stack_udp_send(u, &to, "abc", 3), 0);
  wire_run(&w, 0);
  cr_expect_eq(last[23], 17);
  cr_expect_eq(last_off.csum, NIC_CSUM_NONE);
  cr_expect_eq(wire_sum(last + 34, 11, 17 + 11 + (uint16_t)~wire_sum(last + 26, 8, 0)), 0);
  stack_udp_close(u);
}

/* What lwIP hands down with gso_size, as tcp_output does. */
static void hand_down(size_t payload, uint16_t gso_size, unsigned parts) {
  struct pbuf *p = pbuf_alloc(PBUF_RAW, 54, PBUF_RAM);
  size_t len = segment(7, 8, 0, payload);
  memcpy(frame, w.near->mac, 6);
  memcpy(p->payload, frame, 54);
  for (unsigned i = 0; i < parts; i++) {
    size_t from = payload * i / parts, to = payload * (i + 1) / parts;
    struct pbuf *q = pbuf_alloc(PBUF_RAW, (u16_t)(to - from), PBUF_REF);
    q->payload = frame + 54 + from;
    pbuf_cat(p, q);
  }
  cr_assert_eq(p->tot_len, len);
  p->gso_size = gso_size;
  cr_expect_eq(netif_list->linkoutput(netif_list, p), ERR_OK);
  pbuf_free(p);
  wire_run(&w, 0);
}

Test(stack_offload, a_large_segment_goes_down_whole_to_a_device_that_cuts) {
  w.near->features = NIC_TX_CSUM | NIC_TX_TSO4;
  w.far->up = &keeping;
  for (unsigned parts = 1; parts <= 600; parts += 599) { /* 600: more than one call takes */
    unsigned before = w.n;
    hand_down(44 * 1460, 1460, parts);
    cr_assert_eq(w.n, before + 1);
    cr_expect_eq(last_len, 54u + 44 * 1460u);
    cr_expect_eq(last_off.gso, NIC_GSO_TCP4);
    cr_expect_eq(last_off.gso_size, 1460);
    cr_expect_eq(last_off.hdr_len, 54);
    check_partial();
    for (size_t i = 0; i < 44 * 1460; i++)
      if (last[54 + i] != pattern(i))
        cr_assert(false, "byte %zu", i);
  }
  hand_down(1460, 1460, 1);
  cr_expect_eq(last_off.gso, NIC_GSO_NONE, "one packet is an ordinary one");
  cr_expect_eq(last_len, 1514u);
}

/* TCP's options are a part of the header that each packet gets. */
Test(stack_offload, a_large_segment_with_timestamps) {
  uint8_t o[20] = {2, 4, 5, 0xb4, 1, 3, 3, 0, 1, 1, 8, 10, 0, 0, 0, 9};
  listen_on(80, 8);
  wire_tcp(&w, &(struct wire_tcp){.sport = 999, .dport = 80, .seq = 1000, .flags = WIRE_SYN, .wnd = 65000,
                                  .options = o, .n_options = sizeof o});
  uint32_t ack = wire_get(wire_last(&w, 0) + 38, 4) + 1;
  memcpy(options, o + 8, 12);
  n_options = 12;
  cr_assert(deliver(segment(1001, ack, 0, 0), &partial));
  cr_assert_eq(stack_listener_accept(l, &end_ops, &e, &e.c), 0);
  w.near->features = NIC_TX_CSUM | NIC_TX_TSO4;
  w.far->features = w.near->features;
  w.far->up = &keeping;
  e.to_send = 5 * 1448;
  end_send(&e);
  wire_run(&w, 0);
  cr_expect_eq(last_off.gso, NIC_GSO_TCP4);
  cr_expect_eq(last_off.gso_size, 1448);
  cr_expect_eq(last_off.hdr_len, 66);
  cr_expect_eq(last_len, 66u + 5 * 1448u);
  check_partial();
}

Test(stack_offload, and_as_packets_to_one_that_cannot) {
  unsigned before = w.n;
  hand_down(10 * 1460 + 7, 1460, 3);
  cr_assert_eq(w.n, before + 11);
  for (unsigned k = 0; k < 11; k++) {
    const uint8_t *f = wire_last(&w, 10 - k);
    uint32_t len = wire_get(f + 16, 2) - 20;
    cr_expect_eq(len, k < 10 ? 1480u : 27u);
    cr_expect_eq(wire_get(f + 38, 4), 7 + k * 1460);
    cr_expect_eq(wire_sum(f + 34, len, 6 + len + (uint16_t)~wire_sum(f + 26, 8, 0)), 0);
  }
  uint64_t dropped = w.near->counters.tx_dropped;
  hand_down(3000, 1461, 1);
  cr_expect_eq(w.near->counters.tx_dropped, dropped + 1, "pieces over the MTU");
  cr_expect_eq(w.n, before + 11);
}

Test(stack_offload, what_a_device_does_is_told) {
  struct stack_if_info info;
  stack_if_info(w.i, &info);
  cr_expect_str_eq(info.offloads, "none");
  w.near->features = NIC_TX_CSUM | NIC_TX_TSO4 | NIC_TX_TSO6 | NIC_RX_CSUM | NIC_RX_TSO4 | NIC_RX_TSO6;
  stack_if_info(w.i, &info);
  cr_expect_str_eq(info.offloads, "tx-csum tx-tso4 tx-tso6 rx-csum rx-tso4 rx-tso6");
}
