/* SPDX-License-Identifier: BSD-3-Clause
 * TCP super-frames cut in software, and Internet checksums (RFC 1071), which are summed in the machine's byte order: only
 * the swap at the end would differ.
 */
#include "nic/nic_gso.h"

#include "base/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define ETHERTYPE_4 0x0800u
#define ETHERTYPE_6 0x86ddu
#define IP4_MIN 20u
#define IP6_LEN 40u
#define TCP_MIN 20u
#define TCP_CSUM 16u
#define UDP_CSUM 6u
#define FRAGMENT_BITS 0x3fffu /* more fragments, and the offset */

enum { FIN = 0x01, PSH = 0x08, CWR = 0x80 };

/* --- sums ------------------------------------------------------------------------------------------------------- */

static uint64_t add(const uint8_t *p, size_t n, uint64_t acc) {
  uint32_t word;
  for (; n >= 4; p += 4, n -= 4) {
    memcpy(&word, p, 4);
    acc += word;
  }
  if (n > 0) {
    word = 0;
    memcpy(&word, p, n);
    acc += word;
  }
  return acc;
}

static uint16_t fold(uint64_t acc) {
  while (acc >> 16)
    acc = (acc & 0xffff) + (acc >> 16);
  return (uint16_t)acc;
}

static void store(uint8_t *at, uint16_t sum) { memcpy(at, &sum, 2); }

/* RFC 9293 3.1, RFC 8200 8.1 */
static uint64_t pseudo(const uint8_t *frame, const struct nic_headers *h, size_t l4_len) {
  const uint8_t *ip = frame + NIC_HEADER_LEN;
  uint64_t acc = h->v6 ? add(ip + 8, 32, 0) : add(ip + 12, 8, 0);
  return acc + htons(h->proto) + htons((uint16_t)l4_len);
}

int nic_csum_complete(uint8_t *p, size_t len, const struct nic_offload *off) {
  size_t field = (size_t)off->csum_start + off->csum_offset;
  if (off->csum_start >= len || field + 2 > len)
    return -EINVAL;
  uint16_t sum = (uint16_t)~fold(add(p + off->csum_start, len - off->csum_start, 0));
  if (sum == 0 && off->csum_offset == UDP_CSUM)
    sum = 0xffff; /* RFC 768: nought says that there is none */
  store(p + field, sum);
  return 0;
}

/* --- headers ---------------------------------------------------------------------------------------------------- */

static int parse_ip4(const uint8_t *p, size_t len, struct nic_headers *h) {
  const uint8_t *ip = p + NIC_HEADER_LEN;
  if (len < NIC_HEADER_LEN + IP4_MIN || ip[0] >> 4 != 4)
    return -EINVAL;
  size_t hlen = (ip[0] & 15u) * 4;
  if (hlen < IP4_MIN || len < NIC_HEADER_LEN + hlen)
    return -EINVAL;
  h->proto = ip[9];
  h->fragment = get16(ip + 6) & FRAGMENT_BITS;
  h->l4 = NIC_HEADER_LEN + hlen;
  return 0;
}

static int parse_ip6(const uint8_t *p, size_t len, struct nic_headers *h) {
  const uint8_t *ip = p + NIC_HEADER_LEN;
  if (len < NIC_HEADER_LEN + IP6_LEN || ip[0] >> 4 != 6)
    return -EINVAL;
  h->v6 = true;
  h->proto = ip[6];
  h->fragment = h->proto == IPPROTO_FRAGMENT;
  h->l4 = NIC_HEADER_LEN + IP6_LEN;
  return 0;
}

int nic_headers_parse(const uint8_t *p, size_t len, struct nic_headers *ret) {
  struct nic_headers h = {.l4 = NIC_HEADER_LEN};
  if (len < NIC_HEADER_LEN)
    return -EINVAL;
  unsigned type = get16(p + 12);
  int r = type == ETHERTYPE_4 ? parse_ip4(p, len, &h) : type == ETHERTYPE_6 ? parse_ip6(p, len, &h) : 0;
  if (r < 0)
    return r;
  h.end = h.l4;
  if (h.proto == IPPROTO_TCP && !h.fragment) {
    if (len < h.l4 + TCP_MIN)
      return -EINVAL;
    size_t hlen = (size_t)(p[h.l4 + 12] >> 4) * 4;
    if (hlen < TCP_MIN || len < h.l4 + hlen)
      return -EINVAL;
    h.end += hlen;
  }
  *ret = h;
  return 0;
}

int nic_tcp_partial(uint8_t *head, size_t len, size_t total, uint16_t gso_size, struct nic_offload *ret) {
  struct nic_headers h;
  struct nic_offload off = {0};
  int r = nic_headers_parse(head, len, &h);
  if (r < 0)
    return r;
  if (h.proto != IPPROTO_TCP || h.fragment) {
    if (gso_size > 0 || h.proto == IPPROTO_TCP)
      return -EINVAL;
    *ret = off;
    return 0;
  }
  store(head + h.l4 + TCP_CSUM, fold(pseudo(head, &h, total - h.l4)));
  off.csum = NIC_CSUM_PARTIAL;
  off.csum_start = (uint16_t)h.l4;
  off.csum_offset = TCP_CSUM;
  if (gso_size > 0 && total - h.end > gso_size) {
    off.gso = h.v6 ? NIC_GSO_TCP6 : NIC_GSO_TCP4;
    off.gso_size = gso_size;
    off.hdr_len = (uint16_t)h.end;
  }
  *ret = off;
  return 0;
}

/* --- cutting ---------------------------------------------------------------------------------------------------- */

struct cut {
  const struct nic_headers *h;
  uint16_t id;
  uint32_t seq;
  uint8_t flags;
};

/* The headers of the piece number n, whose payload begins at off, for a frame of len bytes. */
static void finish_piece(uint8_t *p, size_t len, const struct cut *c, unsigned n, size_t off, bool last) {
  const struct nic_headers *h = c->h;
  uint8_t *ip = p + NIC_HEADER_LEN, *tcp = p + h->l4;
  uint32_t seq = htonl(c->seq + (uint32_t)off);
  uint8_t flags = c->flags;
  if (h->v6) {
    put16(ip + 4, len - h->l4);
  } else {
    put16(ip + 2, len - NIC_HEADER_LEN);
    put16(ip + 4, (uint16_t)(c->id + n));
    put16(ip + 10, 0);
    store(ip + 10, (uint16_t)~fold(add(ip, h->l4 - NIC_HEADER_LEN, 0)));
  }
  if (!last)
    flags &= (uint8_t)~(FIN | PSH);
  if (n > 0)
    flags &= (uint8_t)~CWR;
  memcpy(tcp + 4, &seq, 4);
  tcp[13] = flags;
  put16(tcp + TCP_CSUM, 0);
  store(tcp + TCP_CSUM, (uint16_t)~fold(add(tcp, len - h->l4, pseudo(p, h, len - h->l4))));
}

/* IP's own length must be the frame's: a super-frame has no padding. */
static bool is_super(const uint8_t *p, size_t len, const struct nic_offload *off, const struct nic_headers *h) {
  const uint8_t *ip = p + NIC_HEADER_LEN;
  size_t ip_len = h->v6 ? IP6_LEN + get16(ip + 4) : get16(ip + 2);
  return h->proto == IPPROTO_TCP && !h->fragment && off->gso_size > 0 && h->v6 == (off->gso == NIC_GSO_TCP6) &&
         NIC_HEADER_LEN + ip_len == len && len > h->end;
}

static int cut_flat(const uint8_t *p, size_t len, const struct nic_offload *off,
                    void (*emit)(void *arg, const struct nic_frame *piece), void *arg) {
  struct nic_headers h;
  int r = nic_headers_parse(p, len, &h);
  if (r < 0 || !is_super(p, len, off, &h))
    return -EINVAL;
  _cleanup_free_ uint8_t *piece = malloc(h.end + off->gso_size);
  if (!piece)
    return -ENOMEM;
  uint32_t seq;
  memcpy(&seq, p + h.l4 + 4, 4);
  struct cut c = {.h = &h, .id = h.v6 ? 0 : get16(p + NIC_HEADER_LEN + 4), .seq = ntohl(seq), .flags = p[h.l4 + 13]};
  size_t payload = len - h.end;
  unsigned n = 0;
  for (size_t at = 0; at < payload; at += off->gso_size, n++) {
    size_t here = MIN(payload - at, (size_t)off->gso_size);
    memcpy(piece, p, h.end);
    memcpy(piece + h.end, p + h.end + at, here);
    finish_piece(piece, h.end + here, &c, n, at, at + here == payload);
    struct iovec iov = {.iov_base = piece, .iov_len = h.end + here};
    emit(arg, &(struct nic_frame){.iov = &iov, .n_iov = 1, .len = iov.iov_len});
  }
  return 0;
}

int nic_gso_cut(const struct nic_frame *f, void (*emit)(void *arg, const struct nic_frame *piece), void *arg) {
  _cleanup_free_ uint8_t *flat = malloc(f->len);
  if (!flat)
    return -ENOMEM;
  nic_frame_gather(f, flat);
  if (f->off.gso != NIC_GSO_NONE)
    return cut_flat(flat, f->len, &f->off, emit, arg);
  int r = f->off.csum == NIC_CSUM_PARTIAL ? nic_csum_complete(flat, f->len, &f->off) : 0;
  if (r < 0)
    return r;
  struct iovec iov = {.iov_base = flat, .iov_len = f->len};
  emit(arg, &(struct nic_frame){.iov = &iov, .n_iov = 1, .len = f->len});
  return 0;
}
