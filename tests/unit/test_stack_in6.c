/* SPDX-License-Identifier: BSD-3-Clause
 * IPv6 packets that want to harm: chains of extension headers, options, routing headers, fragments that overlap, lie about
 * their end or never become whole. And that what is right passes.
 */
#include "stack_util.h"
#include "stack_wire_open.h"
#include "stack_wire6.h"

#include "nic/nic_buf.h"

static struct wire w;
static struct stack_udp *u;
static struct {
  unsigned n;
  size_t len;
  uint8_t data[65536];
} got;

static void on_received(void *arg _unused_, const struct net_endpoint *from _unused_, const struct net_endpoint *to _unused_,
                        const uint8_t *data, size_t len) {
  got.n++;
  got.len = len;
  memcpy(got.data, data, len);
}
static const struct stack_udp_ops ops = {.received = on_received};

static void setup(void) {
  struct net_addr own = wire6_addr(WIRE6_OWN);
  cr_assert_eq(wire_open(&w), 0);
  memset(&got, 0, sizeof got);
  cr_assert_eq(stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_PREFERRED), 0);
  cr_assert_eq(stack_udp_open(w.s, &(struct net_endpoint){.port = 9}, &ops, NULL, &u), 0);
  wire_run(&w, 60 * SEC);
  wire6_nd(&w, WIRE6_PEER, "ff02::1:ff00:1", 135, 0, WIRE6_OWN, WIRE6_SLLA);
}
static struct stack_stats stats(void) {
  struct stack_stats st;
  stack_get_stats(w.s, &st);
  return st;
}
static void teardown(void) {
  stack_udp_close(u);
  wire_run(&w, 120 * SEC);
  cr_expect_eq(stats().pbuf_bytes, 0);
  cr_expect_eq(stats().asserts, 0);
  wire_close(&w);
}
TestSuite(stack_in6, .init = setup, .fini = teardown, .timeout = 60);

/* A datagram of one byte behind len bytes of extension headers of which the first is `next` and the last says UDP. */
static void behind(uint8_t next, const uint8_t *ext, size_t len) {
  uint8_t f[1600] = {0}, *udp = f + WIRE6_AT + len;
  memcpy(f + WIRE6_AT, ext, len);
  wire_put(udp, 9, 2);
  wire_put(udp + 2, 9, 2);
  wire_put(udp + 4, 9, 2);
  udp[8] = 'x';
  size_t n = wire6_ip(&w, f, WIRE6_PEER, WIRE6_OWN, next, 64, len + 9);
  wire_put(udp + 6, wire6_sum(f, udp, 17, 9), 2);
  wire_inject(&w, f, n);
}

/* --- extension headers ---------------------------------------------------------------------------------------------- */

Test(stack_in6, headers_that_pass) {
  static const struct {
    uint8_t next, ext[24], len;
  } good[] = {{0, {17, 0, 1, 4}, 8},                                 /* hop by hop, PadN */
              {0, {17, 0, 5, 2, 0, 0, 0, 0}, 8},                     /* a router alert and Pad1 twice */
              {60, {17, 0, 1, 4}, 8},                                /* destination options */
              {43, {17, 0, 0, 0}, 8},                                /* a routing header that is at its end */
              {0, {60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4}, 16},
              {60, {17, 0, 0x1e, 4}, 8},                             /* not known, to be skipped */
              {44, {17, 0, 0, 0, 1, 2, 3, 4}, 8}};                   /* an atomic fragment (RFC 6946) */
  for (size_t k = 0; k < ARRAY_SIZE(good); k++) {
    behind(good[k].next, good[k].ext, good[k].len);
    cr_expect_eq(got.n, k + 1, "%zu", k);
  }
  cr_expect_eq(stats().ip6_refused, 0);
}

Test(stack_in6, headers_that_do_not) {
  static const struct {
    uint8_t next, ext[24], len;
  } bad[] = {{60, {0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4}, 16},        /* hop by hop is not the first */
             {60, {17, 0, 1, 5}, 8},                                 /* an option longer than its header */
             {60, {17, 0, 1, 3, 0, 0, 0, 9}, 8},                     /* one whose length is behind the end */
             {60, {17, 200, 1, 4}, 8},                               /* a header longer than the packet */
             {0, {17, 0, 0xc2, 4, 0, 1, 0, 0}, 8},                   /* a jumbogram */
             {43, {17, 0, 2, 1}, 8},                                 /* routing: there is a way still to go */
             {43, {17, 0, 3, 1}, 8},
             {44, {44, 0, 0, 0, 1, 2, 3, 4, 17, 0, 0, 0, 1, 2, 3, 4}, 16}}; /* two fragment headers */
  unsigned before = w.n;
  for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
    behind(bad[k].next, bad[k].ext, bad[k].len);
    cr_expect_eq(stats().ip6_refused, k + 1, "%zu", k);
  }
  cr_expect_eq(got.n, 0);
  cr_expect_eq(w.n, before, "nobody is told");
}

/* As a device delivers it that reads into two pieces: the first one has NIC_BUF_SMALL bytes. */
static void inject_pieces(const uint8_t *f, size_t len) {
  struct nic_slot slot = {0};
  struct iovec iov[NIC_SLOT_IOV];
  cr_assert_eq(nic_slot_prepare(&slot, len, iov), 2);
  memcpy(iov[0].iov_base, f, NIC_BUF_SMALL);
  memcpy(iov[1].iov_base, f + NIC_BUF_SMALL, len - NIC_BUF_SMALL);
  struct nic_rx rx = {.buf = nic_slot_take(&slot, len), .len = len};
  cr_assert_not_null(rx.buf);
  nic_deliver(w.near, &rx, 1);
  nic_slot_done(&slot);
  wire_run(&w, 0);
}

/* One header of len bytes in front, on a link of large frames. */
static void far_behind(uint8_t proto, size_t len, bool with_sum) {
  static uint8_t f[NIC_BUF_SMALL + 200];
  memset(f, 0, sizeof f);
  uint8_t *ext = f + WIRE6_AT, *l4 = ext + len;
  ext[0] = proto;
  ext[1] = (uint8_t)(len / 8 - 1);
  for (size_t at = 2, n; at < len; at += n) { /* PadN */
    n = MIN(len - at, (size_t)257);
    ext[at] = 1;
    ext[at + 1] = (uint8_t)(n - 2);
  }
  wire_put(l4, 9, 2);
  wire_put(l4 + 2, 9, 2);
  wire_put(l4 + 4, 100, 2);
  size_t n = wire6_ip(&w, f, WIRE6_PEER, WIRE6_OWN, 60, 64, len + 100);
  if (with_sum)
    wire_put(l4 + 6, wire6_sum(f, l4, proto, 100), 2);
  inject_pieces(f, n);
}

Test(stack_in6, a_transport_behind_the_first_piece) {
  const size_t here = NIC_BUF_SMALL - WIRE6_AT;
  struct net_addr own = wire6_addr(WIRE6_OWN);
  stack_udp_close(u);
  wire_close(&w);
  cr_assert_eq(wire_open_mtu(&w, 9000), 0);
  cr_assert_eq(stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_PREFERRED), 0);
  cr_assert_eq(stack_udp_open(w.s, &(struct net_endpoint){.port = 9}, &ops, NULL, &u), 0);
  cr_assert_eq(here % 8, 0);
  far_behind(17, here - 8, true);
  cr_expect_eq(got.n, 1, "its header ends with the piece");
  far_behind(17, here - 8, false);
  cr_expect_eq(stats().ip6_refused, 1, "no checksum");
  far_behind(17, here, false);
  cr_expect_eq(stats().ip6_refused, 2, "none, in the second piece");
  far_behind(17, here, true);
  cr_expect_eq(stats().ip6_refused, 3, "lwIP could not read it there");
  far_behind(6, here - 8, false);
  cr_expect_eq(stats().ip6_refused, 4, "and half a header of TCP");
  far_behind(58, here, false);
  cr_expect_eq(stats().ip6_refused, 5);
  cr_expect_eq(got.n, 1);
}

/* RFC 5095: refused, and the sender told; nothing is forwarded, whatever addresses it lists. */
Test(stack_in6, routing_header_of_type_0) {
  const uint8_t rh[24] = {17, 2, 0, 1, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8};
  unsigned before = w.n;
  behind(43, rh, sizeof rh);
  wire_run(&w, SEC);
  cr_expect_eq(got.n, 0);
  cr_assert_eq(w.n - before, 1);
  const uint8_t *f = wire_last(&w, 0), *icmp = f + WIRE6_AT;
  cr_expect(f[20] == 58 && icmp[0] == 4, "a parameter problem");
  cr_expect_arr_eq(f, wire_peer_mac, 6);
  cr_expect_eq(wire_get(icmp + 4, 4), 42, "the type of the routing header");
  cr_expect_eq(icmp[8], 0x60, "quoted from the beginning");
  cr_expect_eq(wire_get(icmp + 8 + 8, 2), 0xfe80);
  cr_expect_arr_eq(icmp + 48, rh, sizeof rh);
}

/* RFC 4443 2.2: whoever was spoken to answers. */
Test(stack_in6, errors_come_from_the_address_that_was_meant) {
  static const char *const all[] = {WIRE6_OWN, "2001:db8::1", "2001:db8::2", "fe80::2"};
  for (size_t k = 0; k < ARRAY_SIZE(all); k++) {
    struct net_addr a = wire6_addr(all[k]);
    cr_assert_eq(stack_if_set_ipv6(w.i, &a, 64, STACK_ADDR_DEPRECATED), 0);
    wire6_udp(&w, WIRE6_PEER, all[k], 9, 10, "x", 1);
    wire_run(&w, 0);
    const uint8_t *f = wire_last(&w, 0);
    cr_expect(f[20] == 58 && f[WIRE6_AT] == 1 && f[WIRE6_AT + 1] == 4, "%s", all[k]);
    cr_expect_arr_eq(f + 22, a.b, 16);
  }
}

Test(stack_in6, chains_are_bounded) {
  uint8_t ext[9 * 8] = {0};
  for (int k = 0; k < 9; k++) {
    ext[8 * k] = 60;
    ext[8 * k + 2] = 1;
    ext[8 * k + 3] = 4;
  }
  ext[56] = 17;
  behind(60, ext, 64);
  cr_expect_eq(got.n, 1, "eight");
  ext[56] = 60;
  ext[64] = 17;
  behind(60, ext, 72);
  cr_expect_eq(got.n, 1);
  cr_expect_eq(stats().ip6_refused, 1);
  uint8_t many[24] = {17, 2}; /* 22 times Pad1 */
  behind(60, many, sizeof many);
  cr_expect_eq(stats().ip6_refused, 2);
}

/* Every length of a chain of headers, cut where the packet ends. */
Test(stack_in6, cut_anywhere) {
  const uint8_t ext[32] = {60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0, 17};
  uint8_t f[200] = {0};
  for (size_t len = 0; len < sizeof ext; len++) {
    memcpy(f + WIRE6_AT, ext, sizeof ext);
    size_t n = wire6_ip(&w, f, WIRE6_PEER, WIRE6_OWN, 0, 64, len);
    wire_inject(&w, f, n);
  }
  for (size_t len = 15; len < WIRE6_AT; len++)
    wire_inject(&w, f, len);
  wire6_ip(&w, f, WIRE6_PEER, WIRE6_OWN, 17, 64, 500);
  wire_inject(&w, f, 100);
  cr_expect_eq(stats().short_frames, WIRE6_AT - 15 + 1);
  cr_expect_eq(got.n, 0);
}

Test(stack_in6, udp_without_a_checksum) {
  uint8_t f[100] = {0};
  wire_put(f + WIRE6_AT + 2, 9, 2);
  wire_put(f + WIRE6_AT + 4, 8, 2);
  wire_inject(&w, f, wire6_ip(&w, f, WIRE6_PEER, WIRE6_OWN, 17, 64, 8));
  cr_expect_eq(got.n, 0);
  cr_expect_eq(stats().ip6_refused, 1);
}

/* --- fragments ------------------------------------------------------------------------------------------------------ */

static uint8_t whole[4096]; /* a datagram with its header */

static void make_datagram(size_t len) {
  uint8_t f[WIRE6_AT] = {0};
  wire6_ip(&w, f, WIRE6_PEER, WIRE6_OWN, 17, 64, len);
  for (size_t k = 8; k < len; k++)
    whole[k] = (uint8_t)(k * 13);
  memset(whole, 0, 8);
  wire_put(whole, 9, 2);
  wire_put(whole + 2, 9, 2);
  wire_put(whole + 4, (uint32_t)len, 2);
  wire_put(whole + 6, wire6_sum(f, whole, 17, len), 2);
}

static void fragment(uint8_t next, uint32_t id, size_t at, size_t len, bool more) {
  uint8_t f[1600] = {0};
  f[WIRE6_AT] = next;
  wire_put(f + WIRE6_AT + 2, (uint32_t)at | more, 2);
  wire_put(f + WIRE6_AT + 4, id, 4);
  memcpy(f + WIRE6_AT + 8, whole + at, len);
  wire_inject(&w, f, wire6_ip(&w, f, WIRE6_PEER, WIRE6_OWN, 44, 64, len + 8));
}

Test(stack_in6, fragments_in_any_order) {
  static const uint8_t order[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {2, 0, 1}, {0, 2, 1}, {1, 2, 0}};
  make_datagram(3000);
  for (uint32_t k = 0; k < ARRAY_SIZE(order); k++) {
    for (int m = 0; m < 3; m++) {
      size_t at = order[k][m] * 1000u;
      fragment(17, k, at, 1000, order[k][m] != 2);
      if (m == 1)
        fragment(17, k, at, 1000, order[k][m] != 2); /* once more */
    }
    cr_expect_eq(got.n, k + 1, "%u", k);
    cr_expect_eq(got.len, 2992);
    cr_expect_arr_eq(got.data, whole + 8, 2992);
  }
  cr_expect_eq(stats().ip6_refused, 0);
}

/* RFC 5722: all of it is dropped, and what comes later is not the rest of it. */
Test(stack_in6, overlapping_fragments_end_the_packet) {
  static const struct {
    size_t at, len;
    bool more;
  } overlap[] = {{992, 1000, true}, {0, 1008, true}, {8, 16, true}, {992, 1008, false}, {0, 992, true}};
  make_datagram(2000);
  for (uint32_t k = 0; k < ARRAY_SIZE(overlap); k++) {
    fragment(17, k, 0, 1000, true);
    fragment(17, k, overlap[k].at, overlap[k].len, overlap[k].more);
    cr_expect_eq(stats().ip6_refused, k + 1, "%u", k);
    fragment(17, k, 0, 1000, true);
    fragment(17, k, 1000, 1000, false);
    cr_expect_eq(got.n, 0);
  }
  wire_run(&w, 61 * SEC);
  fragment(17, 0, 0, 1000, true);
  fragment(17, 0, 1000, 1000, false);
  cr_expect_eq(got.n, 1, "the identification is free again");
}

Test(stack_in6, fragments_that_lie) {
  static const struct {
    uint32_t id;
    size_t at, len;
    bool more, bad;
  } f[] = {{1, 0, 1001, true, true}, /* not a multiple of 8 */
           {2, 0, 0, true, true},    /* nothing */
           {3, 2000, 1000, false, false},
           {3, 2008, 1000, true, true}, /* behind the end */
           {4, 2000, 1000, false, false},
           {4, 1000, 1000, false, true}, /* another end */
           {5, 1000, 1000, true, false},
           {5, 8, 992, false, true}}; /* an end before what is there */
  uint64_t refused = 0;
  make_datagram(3000);
  for (size_t k = 0; k < ARRAY_SIZE(f); k++) {
    fragment(17, f[k].id, f[k].at, f[k].len, f[k].more);
    cr_expect_eq(stats().ip6_refused, refused += f[k].bad, "%zu", k);
  }
  fragment(6, 6, 0, 16, true); /* TCP, and its header is in pieces (RFC 7112) */
  cr_expect_eq(stats().ip6_refused, ++refused);
  uint8_t far[100] = {0}; /* beyond 65,535 */
  far[WIRE6_AT] = 17;
  wire_put(far + WIRE6_AT + 2, 0xfff8, 2);
  wire_inject(&w, far, wire6_ip(&w, far, WIRE6_PEER, WIRE6_OWN, 44, 64, 8 + 16));
  cr_expect_eq(stats().ip6_refused, ++refused);
  cr_expect_eq(got.n, 0);
}

Test(stack_in6, what_hides_in_fragments) {
  memset(whole, 0, sizeof whole);
  memcpy(whole, (const uint8_t[]){44, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 1}, 12);
  fragment(60, 1, 0, 64, true);
  fragment(60, 1, 64, 64, false);
  cr_expect_eq(stats().ip6_refused, 1, "a fragment header");
  memcpy(whole, (const uint8_t[]){0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4}, 12);
  fragment(60, 2, 0, 64, true);
  fragment(60, 2, 64, 64, false);
  cr_expect_eq(stats().ip6_refused, 2, "hop by hop");
  memcpy(whole, (const uint8_t[]){60, 255, 1, 4}, 4);
  fragment(60, 3, 0, 64, true);
  fragment(60, 3, 64, 64, false);
  cr_expect_eq(stats().ip6_refused, 3, "longer than the packet");
  cr_expect_eq(got.n, 0);
}

/* RFC 6980. */
Test(stack_in6, neighbour_discovery_in_fragments) {
  struct net_addr own = wire6_addr(WIRE6_OWN);
  uint8_t f[WIRE6_AT] = {0};
  unsigned before = w.n;
  memset(whole, 0, 64);
  whole[0] = 135;
  memcpy(whole + 8, own.b, 16);
  whole[24] = 1;
  whole[25] = 5;
  wire6_ip(&w, f, WIRE6_PEER, WIRE6_OWN, 58, 64, 64);
  wire_put(whole + 2, wire6_sum(f, whole, 58, 64), 2);
  fragment(58, 1, 0, 32, true);
  fragment(58, 1, 32, 32, false);
  cr_expect_eq(stats().nd_refused, 1);
  cr_expect_eq(w.n, before);
}

Test(stack_in6, fragments_are_bounded_in_number_and_time) {
  make_datagram(3000);
  for (uint32_t k = 0; k < 300; k++)
    fragment(17, 1000 + k, 0, 8 + 8 * (k & 1), true);
  cr_expect_geq(stats().refused[STACK_LIMIT_FRAGMENTS], 300 - 128);
  fragment(17, 1299, 0, 16, true);
  cr_expect_leq(stats().pbuf_bytes, 128u * 400);
  wire_run(&w, 70 * SEC);
  cr_expect_eq(stats().pbuf_bytes, 0);
  struct loop_stats before, after;
  wire_run(&w, 60 * SEC);
  loop_get_stats(w.loop, &before);
  wire_run(&w, 600 * SEC);
  loop_get_stats(w.loop, &after);
  cr_expect_eq(after.timer_calls, before.timer_calls);
}

/* Each fragment counts its end with headers of its own: the first one has 1,400 bytes of options before it, the last one
 * none, and what they make together is longer than a packet can be. */
Test(stack_in6, headers_of_the_first_fragment_count_for_the_whole) {
  enum { OPTIONS = 1400, PART = 1424, END = 65495 };
  uint8_t f[1600] = {0}, *frag = f + WIRE6_AT + OPTIONS;
  f[WIRE6_AT] = 44;
  f[WIRE6_AT + 1] = OPTIONS / 8 - 1;
  for (size_t at = 2; at < OPTIONS; at += 2 + f[WIRE6_AT + at + 1]) { /* PadN */
    f[WIRE6_AT + at] = 1;
    f[WIRE6_AT + at + 1] = (uint8_t)MIN(OPTIONS - at - 2, 255u);
  }
  frag[0] = 17;
  wire_put(frag + 2, 1, 2);
  wire_put(frag + 4, 9, 4);
  wire_inject(&w, f, wire6_ip(&w, f, WIRE6_PEER, WIRE6_OWN, 60, 64, OPTIONS + 8 + 8));
  for (size_t at = 8; at < END; at += PART) {
    size_t len = MIN((size_t)PART, END - at);
    uint8_t g[1600] = {0};
    g[WIRE6_AT] = 17;
    wire_put(g + WIRE6_AT + 2, (uint32_t)at | (at + len < END), 2);
    wire_put(g + WIRE6_AT + 4, 9, 4);
    wire_inject(&w, g, wire6_ip(&w, g, WIRE6_PEER, WIRE6_OWN, 44, 64, len + 8));
  }
  cr_expect_eq(stats().ip6_refused, 1, "%lu, %lu bytes", (unsigned long)stats().ip6_refused, (unsigned long)stats().pbuf_bytes);
  cr_expect_eq(stats().pbuf_bytes, 0);
  cr_expect_eq(got.n, 0);
}

/* One packet of many fragments cannot have more than all of them. */
Test(stack_in6, many_fragments_of_one_packet) {
  make_datagram(3000);
  for (size_t k = 0; k < 200; k++)
    fragment(17, 7, 8 * k, 8, true);
  cr_expect_eq(stats().refused[STACK_LIMIT_FRAGMENTS], 200 - 128);
  cr_expect_eq(got.n, 0);
}

/* RFC 8200 4.5: the sender of the first fragment hears that the rest did not come. */
Test(stack_in6, who_sent_the_first_fragment_is_told) {
  make_datagram(3000);
  wire_run(&w, 30 * SEC);
  unsigned before = w.n;
  fragment(17, 7, 0, 1000, true);
  fragment(17, 8, 1000, 1000, true);
  wire_run(&w, 59 * SEC);
  cr_expect_eq(w.n, before);
  wire6_nd(&w, WIRE6_PEER, "ff02::1:ff00:1", 135, 0, WIRE6_OWN, WIRE6_SLLA);
  before = w.n;
  wire_run(&w, 2 * SEC);
  cr_expect_eq(wire6_count(&w, before, 3), 1);
}

Test(stack_in6, a_removed_interface_takes_its_fragments_along) {
  make_datagram(3000);
  fragment(17, 7, 0, 1000, true);
  cr_expect_gt(stats().pbuf_bytes, 0);
}
