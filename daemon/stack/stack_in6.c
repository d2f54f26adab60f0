/* SPDX-License-Identifier: BSD-3-Clause
 * The look at an IPv6 packet before lwIP has it: is it possible, is it for us, are its extension headers such that lwIP may
 * walk over them. Fragments go to be put together, neighbour discovery and queries for groups go to their files; the rest
 * is lwIP's.
 *
 * Chains are bounded (RFC 8504 5.3): so many headers, so many options in each, all in the first piece (RFC 7112), the
 * transport's header too: lwIP reads it there alone.
 */
#include "stack/stack_ip6.h"

#include "capnet_hooks.h"
#include "lwip/inet_chksum.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/icmp6.h"
#include "lwip/prot/tcp.h"
#include "lwip/prot/udp.h"

#define HEADERS_MAX 8u
#define OPTIONS_MAX 16u
#define OPT_PAD1 0
#define OPT_ROUTER_ALERT 5
#define OPT_JUMBO 0xc2

/* --- extension headers ------------------------------------------------------------------------------------------ */

/* Every option lies within its header. A jumbogram (RFC 2675) is none that we could take. */
static bool options_ok(struct ip6_in *in, size_t at, size_t len) {
  unsigned n = 0;
  for (size_t k = 2; k < len; n++) {
    const uint8_t *o = in->h + at + k;
    if (n >= OPTIONS_MAX || o[0] == OPT_JUMBO)
      return false;
    if (o[0] == OPT_PAD1) {
      k++;
      continue;
    }
    if (len - k < 2 || (size_t)o[1] + 2 > len - k)
      return false;
    in->router_alert |= o[0] == OPT_ROUTER_ALERT;
    k += 2u + o[1];
  }
  return true;
}

/* RFC 5095: a routing header with a way still to go is refused; lwIP says so to whom it does not know the type of, and
 * would accept two types that it should not. */
static bool routing_ok(const uint8_t *h) { return h[3] == 0 || (h[2] != IP6_ROUT_TYPE2 && h[2] != IP6_ROUT_RPL); }

static bool extension(uint8_t proto) {
  return proto == IP6_NEXTH_HOPBYHOP || proto == IP6_NEXTH_DESTOPTS || proto == IP6_NEXTH_ROUTING ||
         proto == IP6_NEXTH_FRAGMENT;
}

static size_t extension_len(const uint8_t *h, uint8_t proto) {
  return proto == IP6_NEXTH_FRAGMENT ? IP6_FRAG_HLEN : 8u * (1u + h[1]);
}

/* RFC 6946: one that is all of its packet belongs to no other. */
static bool atomic(const uint8_t *h) { return (h[2] | (h[3] & 0xf9)) == 0; }

static bool header_ok(struct ip6_in *in, size_t len) {
  const uint8_t *h = in->h + in->at;
  switch (in->proto) {
  case IP6_NEXTH_HOPBYHOP:
    return in->at == IP6_HLEN && options_ok(in, in->at, len);
  case IP6_NEXTH_DESTOPTS:
    return options_ok(in, in->at, len);
  case IP6_NEXTH_ROUTING:
    return routing_ok(h);
  default: /* a fragment header: one, and none in what was put together */
    return !in->fragment;
  }
}

/* Ends at what is no extension header, or at the header of a fragment. False: no chain that we walk over. */
static bool walk(struct ip6_in *in) {
  in->proto = in->h[6];
  in->at = IP6_HLEN;
  for (unsigned n = 0; extension(in->proto); n++) {
    const uint8_t *h = in->h + in->at;
    size_t room = in->here - in->at;
    size_t len = room >= 8 ? extension_len(h, in->proto) : SIZE_MAX;
    if (n >= HEADERS_MAX || len > room || !header_ok(in, len))
      return false;
    if (in->proto == IP6_NEXTH_FRAGMENT) {
      in->fragment = true;
      if (!atomic(h))
        return true;
    }
    in->proto = h[0];
    in->at += len;
  }
  return true;
}

/* --- addresses -------------------------------------------------------------------------------------------------- */

static bool v4_mapped(const struct net_addr *a) {
  static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
  return memcmp(a->b, prefix, 12) == 0;
}

/* Never seen on a wire, by who speaks the truth. Our own address as a source: neighbour discovery may have to hear of
 * it, nobody else. */
static bool martian(const struct ip6_in *in, bool link_group) {
  enum net_class src = net_addr_class(&in->src), dst = net_addr_class(&in->dst);
  unsigned scope = in->dst.b[1] & 15;
  if (src == NET_MULTICAST || src == NET_LOOPBACK || dst == NET_LOOPBACK || dst == NET_UNSPECIFIED)
    return true;
  if (v4_mapped(&in->src) || v4_mapped(&in->dst))
    return true;
  return dst == NET_MULTICAST ? scope < 2 : link_group;
}

/* The strong host model: for an address of the interface that it came in by, or a group that this is in. */
static bool for_us(const struct ip6_in *in) {
  if (net_addr_class(&in->dst) == NET_MULTICAST)
    return net_addr_equal(&in->dst, &stack_all_nodes) || stack_mld_member(in->i, &in->dst);
  return stack_if6_usable(in->i, &in->dst);
}

/* --- what is not lwIP's ----------------------------------------------------------------------------------------- */

static bool icmp_sum_ok(const struct ip6_in *in, struct pbuf *p) {
  ip6_addr_t src = stack_to_ip6(&in->src), dst = stack_to_ip6(&in->dst);
  u16_t len = (u16_t)(in->len - in->at);
  struct pbuf view = {.payload = (uint8_t *)p->payload + in->at, .len = len, .tot_len = len, .ref = 1};
  return ip6_chksum_pseudo(&view, IP6_NEXTH_ICMP6, len, &src, &dst) == 0;
}

static bool about_the_link(uint8_t type) {
  return (type >= ICMP6_ND_RS && type <= ICMP6_ND_REDIRECT) || (type >= ICMP6_MLD_QUERY && type <= ICMP6_MLD_DONE) ||
         type == ICMP6_MLD2_REPORT;
}

/* True: p was neighbour discovery or about groups. */
static bool take_icmp(const struct ip6_in *in, struct pbuf *p) {
  struct stack *s = in->i->s;
  const uint8_t *icmp = in->h + in->at;
  if (in->proto != IP6_NEXTH_ICMP6 || in->here < in->at + 4 || !about_the_link(icmp[0]))
    return false;
  if (in->here < in->len) { /* longer than a frame is, and in two pieces */
    s->nd_refused++;
  } else if (!icmp_sum_ok(in, p)) {
    s->bad_checksum++;
  } else if (icmp[0] >= ICMP6_ND_RS && icmp[0] <= ICMP6_ND_REDIRECT) {
    stack_nd_input(in);
  } else if (icmp[0] == ICMP6_MLD_QUERY) {
    stack_mld_input(in);
  }
  return true;
}

static size_t transport_len(uint8_t proto) {
  switch (proto) {
  case IP6_NEXTH_UDP:
    return UDP_HLEN;
  case IP6_NEXTH_TCP:
    return TCP_HLEN;
  case IP6_NEXTH_ICMP6:
    return sizeof(struct icmp6_hdr);
  default:
    return 0;
  }
}

/* A header that the packet ends in is lwIP's to count. RFC 8200 8.1: UDP's checksum is not optional; lwIP takes zero for
 * "none". */
static bool transport_ok(const struct ip6_in *in) {
  const uint8_t *h = in->h + in->at;
  size_t need = MIN(transport_len(in->proto), in->len - in->at);
  if (in->here < in->at + need)
    return false;
  return in->proto != IP6_NEXTH_UDP || need < UDP_HLEN || h[6] != 0 || h[7] != 0;
}

static bool is_tentative(const struct ip6_in *in) {
  int k = stack_if6_slot(in->i, &in->dst);
  return k >= 0 && !ip6_addr_isvalid(netif_ip6_addr_state(&in->i->netif, k));
}

/* True: p is done with. *ret_whole: it was the last fragment of that packet. */
static bool take(struct ip6_in *in, struct pbuf *p, struct pbuf **ret_whole) {
  struct stack *s = in->i->s;
  bool link_group = p->flags & (PBUF_FLAG_LLBCAST | PBUF_FLAG_LLMCAST);
  if (martian(in, link_group) || !walk(in)) {
    s->ip6_refused++;
    pbuf_free(p);
    return true;
  }
  if (for_us(in) ? take_icmp(in, p) : (is_tentative(in) && take_icmp(in, p))) {
    pbuf_free(p);
    return true;
  }
  if (!for_us(in)) {
    pbuf_free(p);
    return true;
  }
  if (net_addr_is_unspecified(&in->src) || stack_if6_usable(in->i, &in->src) || !transport_ok(in)) {
    s->ip6_refused++;
    pbuf_free(p);
    return true;
  }
  if (in->proto == IP6_NEXTH_FRAGMENT) {
    *ret_whole = stack_reass6(in, p);
    return true;
  }
  return false;
}

/* lwIP has looked at the version only. */
int stack_hook_ip6_input(struct pbuf *p, struct netif *inp) {
  struct stack *s = stack_the();
  const uint8_t *h = p->payload;
  if (!s || p->len < IP6_HLEN || IP6_HLEN + (h[4] << 8 | h[5]) > p->tot_len) {
    if (s)
      s->short_frames++;
    pbuf_free(p);
    return 1;
  }
  if (s->looping)
    return 0;
  size_t len = IP6_HLEN + (size_t)(h[4] << 8 | h[5]);
  struct ip6_in in = {.i = stack_if_of(inp),
                      .src = stack_from_ip6(h + 8),
                      .dst = stack_from_ip6(h + 24),
                      .h = h,
                      .len = len,
                      .here = MIN(len, p->len),
                      .fragment = s->reassembled};
  struct pbuf *whole = NULL;
  if (!take(&in, p, &whole))
    return 0;
  if (whole) {
    s->reassembled = true;
    (void)ip6_input(whole, inp);
    s->reassembled = false;
  }
  return 1;
}
