/* SPDX-License-Identifier: BSD-3-Clause
 * Cutting super-frames and completing checksums in software: packets checked by hand, then random ones whose pieces must
 * be the original again. Checksums are verified by a summation of the test's own, byte by byte.
 */
#include "nic/nic_gso.h"
#include "nic_util.h"

#include <criterion/criterion.h>

#define PIECES_MAX 512

static struct {
  uint8_t *data;
  size_t len;
} pieces[PIECES_MAX];
static unsigned n_pieces;

static void keep(void *arg _unused_, const struct nic_frame *f) {
  cr_assert_lt(n_pieces, PIECES_MAX);
  cr_assert_eq(f->n_iov, 1u);
  cr_assert_eq(f->iov[0].iov_len, f->len);
  cr_expect(f->off.gso == NIC_GSO_NONE && f->off.csum == NIC_CSUM_NONE, "complete");
  pieces[n_pieces].data = malloc(f->len);
  memcpy(pieces[n_pieces].data, f->iov[0].iov_base, f->len);
  pieces[n_pieces++].len = f->len;
}

static void forget(void) {
  while (n_pieces > 0)
    free(pieces[--n_pieces].data);
}

static uint32_t get(const uint8_t *p, int bytes) {
  uint32_t v = 0;
  for (int i = 0; i < bytes; i++)
    v = v << 8 | p[i];
  return v;
}
static void put(uint8_t *p, uint32_t v, int bytes) {
  for (int i = 0; i < bytes; i++)
    p[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

/* RFC 1071, the slow way: 0xffff when the checksum is in it and right. */
static uint32_t sum(const uint8_t *p, size_t n, uint32_t acc) {
  for (size_t i = 0; i < n; i++)
    acc += (uint32_t)p[i] << (i & 1 ? 0 : 8);
  while (acc >> 16)
    acc = (acc & 0xffff) + (acc >> 16);
  return acc;
}

struct packet {
  bool v6;
  size_t ip_options, tcp_options, payload;
  uint8_t flags;
  uint16_t id;
  uint32_t seq;
};

static size_t ip_len(const struct packet *k) { return k->v6 ? 40 : 20 + k->ip_options; }
static size_t headers(const struct packet *k) { return 14 + ip_len(k) + 20 + k->tcp_options; }

static uint32_t pseudo_sum(const uint8_t *f, const struct packet *k, size_t l4_len) {
  uint32_t acc = 6 + (uint32_t)l4_len;
  acc = k->v6 ? sum(f + 14 + 8, 32, acc) : sum(f + 14 + 12, 8, acc);
  return acc;
}

/* A frame as linkoutput gets it: everything but TCP's checksum. */
static size_t build(uint8_t *f, const struct packet *k) {
  size_t total = headers(k) + k->payload;
  uint8_t *ip = f + 14, *tcp = f + 14 + ip_len(k);
  for (size_t i = 0; i < total; i++)
    f[i] = (uint8_t)(i * 7 + (i >> 8));
  put(f + 12, k->v6 ? 0x86dd : 0x0800, 2);
  if (k->v6) {
    ip[0] = 0x60;
    put(ip + 4, (uint32_t)(total - 14 - 40), 2);
    ip[6] = 6;
  } else {
    ip[0] = (uint8_t)(0x40 | ip_len(k) / 4);
    put(ip + 2, (uint32_t)(total - 14), 2);
    put(ip + 4, k->id, 2);
    put(ip + 6, 0, 2);
    ip[9] = 6;
    put(ip + 10, 0, 2);
    put(ip + 10, ~sum(ip, ip_len(k), 0), 2);
  }
  put(tcp + 4, k->seq, 4);
  tcp[12] = (uint8_t)((20 + k->tcp_options) / 4 << 4);
  tcp[13] = k->flags;
  put(tcp + 16, 0, 2);
  return total;
}

static void check_sums(const uint8_t *f, size_t len, const struct packet *k) {
  size_t l4 = 14 + ip_len(k);
  if (!k->v6)
    cr_expect_eq(sum(f + 14, ip_len(k), 0), 0xffffu, "IP header");
  cr_expect_eq(sum(f + l4, len - l4, pseudo_sum(f, k, len - l4)), 0xffffu, "TCP");
}

/* Cuts, after checking what is left to the device. The frame is given in several pieces. */
static int cut(uint8_t *f, size_t len, const struct packet *k, uint16_t gso_size) {
  struct nic_offload off;
  size_t l4 = 14 + ip_len(k);
  cr_assert_eq(nic_tcp_partial(f, headers(k), len, gso_size, &off), 0);
  cr_expect_eq(off.csum, NIC_CSUM_PARTIAL);
  cr_expect_eq(off.csum_start, l4);
  cr_expect_eq(off.csum_offset, 16);
  cr_expect_eq(get(f + l4 + 16, 2), pseudo_sum(f, k, len - l4), "the pseudo-header's sum, not inverted");
  cr_expect_eq(off.gso, k->payload <= gso_size ? NIC_GSO_NONE : k->v6 ? NIC_GSO_TCP6 : NIC_GSO_TCP4);
  size_t a = headers(k), b = MIN(len, a + k->payload / 3);
  struct iovec iov[] = {{f, a}, {f + a, b - a}, {f + b, len - b}};
  return nic_gso_cut(&(struct nic_frame){.iov = iov, .n_iov = 3, .len = len, .off = off}, keep, NULL);
}

Test(nic_gso, a_super_frame_by_hand) {
  /* 10.0.0.1:1000 > 10.0.0.2:2000, six bytes in pieces of four. The sums were worked out apart from the code. */
  uint8_t f[60] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,                                          /**/
                   0x45, 0, 0, 46, 0x12, 0x34, 0x40, 0, 64, 6, 0x14, 0x94, 10, 0, 0, 1, 10, 0, 0, 2,  /**/
                   3, 0xe8, 7, 0xd0, 0, 0, 1, 0, 0, 0, 2, 0, 0x50, 0x99, 0xff, 0xff, 0, 0, 0, 0,      /**/
                   'a', 'b', 'c', 'd', 'e', 'f'};
  struct packet k = {.payload = 6};
  cr_assert_eq(cut(f, sizeof f, &k, 4), 0);
  cr_assert_eq(n_pieces, 2u);
  const uint8_t *p = pieces[0].data, *q = pieces[1].data;
  cr_expect_eq(pieces[0].len, 58u);
  cr_expect_arr_eq(p, f, 14);
  cr_expect_eq(get(p + 16, 2), 44u);
  cr_expect_eq(get(p + 18, 2), 0x1234u);
  cr_expect_eq(get(p + 24, 2), 0x1496u, "0x1494 + 2: two bytes shorter");
  cr_expect_eq(get(p + 38, 4), 0x100u);
  cr_expect_eq(p[47], 0x90, "CWR and ACK; FIN and PSH wait");
  cr_expect_eq(get(p + 50, 2), 0xc7cfu, "%x", get(p + 50, 2));
  cr_expect_arr_eq(p + 54, "abcd", 4);
  cr_expect_eq(pieces[1].len, 56u);
  cr_expect_eq(get(q + 16, 2), 42u);
  cr_expect_eq(get(q + 18, 2), 0x1235u);
  cr_expect_eq(get(q + 24, 2), 0x1497u);
  cr_expect_eq(get(q + 38, 4), 0x104u);
  cr_expect_eq(q[47], 0x19, "FIN, PSH and ACK; CWR was said");
  cr_expect_eq(get(q + 50, 2), 0x27a5u, "%x", get(q + 50, 2));
  cr_expect_arr_eq(q + 54, "ef", 2);
  forget();
}

static uint32_t state;
static uint32_t draw(uint32_t below) {
  state = state * 1664525u + 1013904223u;
  return (state >> 8) % below;
}

static void check_pieces(const uint8_t *f, const struct packet *k, uint16_t gso_size) {
  size_t at = 0, h = headers(k), l4 = 14 + ip_len(k);
  for (unsigned i = 0; i < n_pieces; i++) {
    const uint8_t *p = pieces[i].data;
    size_t here = pieces[i].len - h;
    bool last = i + 1 == n_pieces;
    cr_expect(last ? here > 0 && here <= gso_size : here == gso_size);
    cr_expect_eq(memcmp(p + h, f + h + at, here), 0);
    cr_expect_eq(memcmp(p, f, 16), 0);
    if (!k->v6) {
      cr_expect_eq(get(p + 16, 2), pieces[i].len - 14);
      cr_expect_eq(get(p + 18, 2), (k->id + i) & 0xffff);
    } else {
      cr_expect_eq(get(p + 18, 2), pieces[i].len - l4);
    }
    cr_expect_eq(get(p + l4 + 4, 4), k->seq + (uint32_t)at);
    cr_expect_eq(p[l4 + 13], k->flags & ~(last ? 0 : 0x09) & ~(i ? 0x80 : 0));
    check_sums(p, pieces[i].len, k);
    at += here;
  }
  cr_expect_eq(at, k->payload);
}

Test(nic_gso, pieces_of_random_frames_are_the_frame_again, .timeout = 60) {
  static uint8_t f[NIC_SUPER_MAX];
  for (state = 1; n_pieces == 0 && state < 500; state++) {
    uint32_t seed = state;
    struct packet k = {.v6 = draw(2), .ip_options = draw(3) * 4, .tcp_options = draw(11) * 4, .flags = (uint8_t)draw(256),
                       .id = (uint16_t)draw(65536), .seq = draw(1u << 24) << 8};
    k.payload = 1 + draw(draw(2) ? 65535 - 80 : 3000);
    uint16_t gso_size = (uint16_t)(k.payload / 400 + 1 + draw(2000));
    size_t len = build(f, &k);
    cr_assert_eq(cut(f, len, &k, gso_size), 0, "seed %u", seed);
    cr_expect_eq(n_pieces, (k.payload + gso_size - 1) / gso_size, "seed %u", seed);
    check_pieces(f, &k, gso_size);
    forget();
    state = seed;
  }
}

Test(nic_gso, the_largest_of_all) {
  static uint8_t f[NIC_SUPER_MAX];
  struct packet k = {.payload = 65535 - 40, .flags = 0x18, .id = 65530};
  cr_assert_eq(build(f, &k), NIC_SUPER_MAX);
  cr_assert_eq(cut(f, sizeof f, &k, 1460), 0);
  check_pieces(f, &k, 1460);
  forget();
}

Test(nic_gso, a_partial_checksum_of_udp_that_comes_to_nought_is_ffff) {
  uint8_t f[14 + 20 + 8 + 2] = {[12] = 8, [14] = 0x45, [23] = 17};
  struct nic_offload off = {.csum = NIC_CSUM_PARTIAL, .csum_start = 34, .csum_offset = 6};
  put(f + 40, 0x1234, 2);
  put(f + 42, 0xffff - 0x1234, 2);
  cr_assert_eq(nic_csum_complete(f, sizeof f, &off), 0);
  cr_expect_eq(get(f + 40, 2), 0xffffu);
  off.csum_start = sizeof f - 2;
  cr_expect_eq(nic_csum_complete(f, sizeof f, &off), -EINVAL);
  off.csum_start = 65535;
  off.csum_offset = 65535;
  cr_expect_eq(nic_csum_complete(f, sizeof f, &off), -EINVAL);
}

Test(nic_gso, headers_that_are_not_whole_or_lie_are_refused) {
  static uint8_t f[4000];
  for (int v6 = 0; v6 < 2; v6++) {
    struct packet k = {.v6 = v6, .tcp_options = 12, .payload = 3000};
    struct nic_headers h;
    size_t len = build(f, &k);
    for (size_t n = 0; n < headers(&k); n++)
      cr_expect_eq(nic_headers_parse(f, n, &h), -EINVAL, "%zu", n);
    cr_assert_eq(nic_headers_parse(f, headers(&k), &h), 0);
    cr_expect(h.v6 == v6 && h.proto == 6 && h.l4 == 14 + ip_len(&k) && h.end == headers(&k));

    struct nic_offload good = {.gso = v6 ? NIC_GSO_TCP6 : NIC_GSO_TCP4, .csum = NIC_CSUM_PARTIAL, .gso_size = 1000,
                               .hdr_len = (uint16_t)headers(&k)};
    struct nic_offload other = good, none = good;
    other.gso = v6 ? NIC_GSO_TCP4 : NIC_GSO_TCP6;
    none.gso_size = 0;
    struct iovec iov = {f, len};
    struct nic_frame frame = {.iov = &iov, .n_iov = 1, .len = len, .off = other};
    cr_expect_eq(nic_gso_cut(&frame, keep, NULL), -EINVAL, "the other family");
    frame.off = none;
    cr_expect_eq(nic_gso_cut(&frame, keep, NULL), -EINVAL, "no size");
    frame.off = good;
    frame.len = iov.iov_len = len - 1;
    cr_expect_eq(nic_gso_cut(&frame, keep, NULL), -EINVAL, "shorter than IP says");
    frame.len = iov.iov_len = len;
    f[14 + (v6 ? 6 : 9)] = 17;
    cr_expect_eq(nic_gso_cut(&frame, keep, NULL), -EINVAL, "not TCP");
    cr_expect_eq(n_pieces, 0u);
  }
}

Test(nic_gso, a_fragment_of_tcp_has_no_header_to_complete) {
  uint8_t f[200];
  struct packet k = {.payload = 100};
  struct nic_offload off;
  size_t len = build(f, &k);
  put(f + 20, 0x2000, 2);
  cr_expect_eq(nic_tcp_partial(f, len, len, 0, &off), -EINVAL);
  f[23] = 17;
  cr_expect_eq(nic_tcp_partial(f, len, len, 0, &off), 0);
  cr_expect_eq(off.csum, NIC_CSUM_NONE);
  cr_expect_eq(nic_tcp_partial(f, len, len, 10, &off), -EINVAL, "only TCP is cut");
}

/* Behind an extension header nobody looks: no sum is made there, and nothing is cut. */
Test(nic_gso, extension_headers_of_ipv6_are_not_cut) {
  static const uint8_t extensions[] = {0, 43, 44, 60}; /* hop by hop, routing, fragment, destination */
  static uint8_t f[4000];
  struct packet k = {.v6 = true, .payload = 3000};
  size_t len = build(f, &k);
  for (size_t i = 0; i < sizeof extensions; i++) {
    struct nic_headers h;
    struct nic_offload off = {.gso = NIC_GSO_TCP6, .csum = NIC_CSUM_PARTIAL, .gso_size = 1000, .hdr_len = 74};
    struct iovec iov = {f, len};
    struct nic_frame frame = {.iov = &iov, .n_iov = 1, .len = len, .off = off};
    f[20] = extensions[i];
    cr_assert_eq(nic_headers_parse(f, len, &h), 0);
    cr_expect_eq(h.fragment, extensions[i] == 44);
    cr_expect_eq(h.proto, extensions[i]);
    cr_expect_eq(h.l4, 54);
    cr_expect_eq(nic_gso_cut(&frame, keep, NULL), -EINVAL);
    cr_expect_eq(nic_tcp_partial(f, len, len, 1000, &off), -EINVAL);
    cr_expect_eq(nic_tcp_partial(f, len, len, 0, &off), 0);
    cr_expect_eq(off.csum, NIC_CSUM_NONE);
  }
  cr_expect_eq(n_pieces, 0u);
}
