/* SPDX-License-Identifier: BSD-3-Clause
 * IPv6 packets put together from fragments (RFC 8200 4.5). lwIP's ip6_reass is not compiled.
 *
 * A fragment that overlaps another one, or contradicts where the packet ends, ends the whole packet, and what still comes
 * of it is refused as long as it would have been waited for (RFC 5722). The first one must hold all headers (RFC 7112);
 * those behind the fragment header are looked at again when the packet is whole (stack_in6.c).
 *
 * Held are REASS6_FRAGMENTS at most, of at most as many packets, for REASS6_NS; the packet that waits longest gives way.
 */
#include "stack/stack_ip6.h"

#include "lwip/icmp6.h"
#include "lwip/pbuf.h"
#include "lwip/prot/ip6.h"

#define REASS6_FRAGMENTS IP_REASS_MAX_PBUFS
#define REASS6_NS (60 * NSEC_PER_SEC)
#define PACKET_MAX 65535u /* what lwIP can count; with its header, which RFC 8200 would not count */

struct fragment {
  struct list link;
  struct pbuf *p; /* from the IPv6 header on */
  uint16_t data;  /* where its part of the packet begins in p */
  uint16_t start, end;
};

struct packet {
  struct list link; /* the oldest first */
  struct stack_if *i;
  struct net_addr src, dst;
  uint8_t id[4];
  uint64_t until;
  uint32_t total; /* of the parts; 0: the last one is not here yet */
  uint32_t have;
  bool dead;
  struct list fragments; /* by where they start */
};

struct stack_reass6 {
  struct list packets;
  unsigned n_packets, n_fragments;
  struct loop_timer *timer;
};

static uint64_t now_of(const struct stack *s) { return loop_now(s->loop, CLOCK_ID_MONO); }

/* --- giving up -------------------------------------------------------------------------------------------------- */

static void drop_fragments(struct stack_reass6 *r, struct packet *k) {
  while (!list_empty(&k->fragments)) {
    struct fragment *f = list_first(&k->fragments, struct fragment, link);
    list_remove(&f->link);
    pbuf_free(f->p);
    free(f);
    r->n_fragments--;
  }
}

static void forget(struct stack_reass6 *r, struct packet *k) {
  drop_fragments(r, k);
  list_remove(&k->link);
  r->n_packets--;
  free(k);
}

/* RFC 8200 4.5: who sent the first one is told. */
static void expire(struct stack *s, struct packet *k) {
  struct fragment *f = list_empty(&k->fragments) ? NULL : list_first(&k->fragments, struct fragment, link);
  if (f && f->start == 0 && net_addr_class(&k->dst) != NET_MULTICAST) {
    ip6_addr_t src = stack_to_ip6(&k->src), dst = stack_to_ip6(&k->dst);
    icmp6_time_exceeded_with_addrs(f->p, ICMP6_TE_FRAG, &src, &dst);
  }
  forget(s->reass6, k);
}

static void arm(struct stack_reass6 *r) {
  if (list_empty(&r->packets))
    loop_timer_clear(r->timer);
  else
    loop_timer_set(r->timer, list_first(&r->packets, struct packet, link)->until);
}

static void on_timer(void *arg) {
  struct stack *s = arg;
  struct list *packets = &s->reass6->packets;
  stack_sync(s);
  while (!list_empty(packets) && list_first(packets, struct packet, link)->until <= now_of(s))
    expire(s, list_first(packets, struct packet, link));
  arm(s->reass6);
  stack_kick(s);
}

/* The one that waits longest, but for the one that this is for. */
static void make_room(struct stack *s, const struct packet *keep) {
  list_for_each(l, &s->reass6->packets) {
    struct packet *k = list_entry(l, struct packet, link);
    if (k == keep)
      continue;
    s->refused[STACK_LIMIT_FRAGMENTS]++;
    forget(s->reass6, k);
    return;
  }
}

/* --- finding its place ------------------------------------------------------------------------------------------ */

static struct packet *packet_of(const struct ip6_in *in) {
  struct stack *s = in->i->s;
  struct stack_reass6 *r = s->reass6;
  const uint8_t *id = in->h + in->at + 4;
  list_for_each(l, &r->packets) {
    struct packet *k = list_entry(l, struct packet, link);
    if (k->i == in->i && memcmp(k->id, id, 4) == 0 && net_addr_equal(&k->src, &in->src) && net_addr_equal(&k->dst, &in->dst))
      return k;
  }
  if (r->n_packets >= REASS6_FRAGMENTS)
    make_room(s, NULL);
  struct packet *k = calloc(1, sizeof(*k));
  if (!k)
    return NULL;
  *k = (struct packet){.i = in->i, .src = in->src, .dst = in->dst, .until = now_of(s) + REASS6_NS};
  memcpy(k->id, id, 4);
  list_init(&k->fragments);
  list_append(&r->packets, &k->link);
  r->n_packets++;
  arm(r);
  return k;
}

/* Where f belongs; NULL: it overlaps. Exactly the same one again is none of these: *ret_again. */
static struct list *place_for(struct packet *k, uint32_t start, uint32_t end, bool *ret_again) {
  *ret_again = false;
  list_for_each(l, &k->fragments) {
    const struct fragment *f = list_entry(l, struct fragment, link);
    if (start == f->start && end == f->end) {
      *ret_again = true;
      return NULL;
    }
    if (end <= f->start)
      return l;
    if (start < f->end)
      return NULL;
  }
  return &k->fragments;
}

/* The whole chain of headers is in the first fragment (RFC 7112): at least what its last one begins with. */
static bool first_is_whole(const struct ip6_in *in) {
  const uint8_t *h = in->h + in->at;
  size_t room = in->here - in->at - IP6_FRAG_HLEN;
  switch (h[0]) {
  case IP6_NEXTH_TCP:
    return room >= 20;
  case IP6_NEXTH_UDP:
  case IP6_NEXTH_ICMP6:
    return room >= 8;
  default: /* an extension header, which is looked at later, or what lwIP answers */
    return room >= 2;
  }
}

/* --- together --------------------------------------------------------------------------------------------------- */

/* In one piece, so that all headers are. The next header of the fragment header moves to whoever named it. */
static struct pbuf *join(struct stack *s, struct packet *k) {
  const struct fragment *first = list_first(&k->fragments, struct fragment, link);
  uint16_t headers = (uint16_t)(first->data - IP6_FRAG_HLEN);
  if (headers + (uint32_t)k->total > PACKET_MAX) { /* each fragment was short of it with headers of its own */
    s->ip6_refused++;
    return NULL;
  }
  struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)(headers + k->total), PBUF_RAM);
  if (!p)
    return NULL;
  uint8_t *h = p->payload;
  pbuf_copy_partial(first->p, h, headers, 0);
  list_for_each(l, &k->fragments) {
    const struct fragment *f = list_entry(l, struct fragment, link);
    pbuf_copy_partial(f->p, h + headers + f->start, (u16_t)(f->end - f->start), f->data);
  }
  uint8_t *next = h + 6;
  for (size_t at = IP6_HLEN; *next != IP6_NEXTH_FRAGMENT && at < headers; at += 8u * (1u + h[at + 1]))
    next = h + at;
  *next = pbuf_get_at(first->p, headers);
  size_t payload = headers - IP6_HLEN + k->total;
  h[4] = (uint8_t)(payload >> 8);
  h[5] = (uint8_t)payload;
  p->if_idx = first->p->if_idx;
  return p;
}

/* False: that ends the packet. */
static bool insert(struct stack *s, struct packet *k, const struct ip6_in *in, struct pbuf **p) {
  const uint8_t *h = in->h + in->at;
  uint32_t start = (uint32_t)(h[2] << 8 | (h[3] & 0xf8)), data = (uint32_t)in->at + IP6_FRAG_HLEN;
  uint32_t len = (uint32_t)(in->len - data), end = start + len;
  bool more = h[3] & 1, again;
  if ((more && (len % 8 || !len)) || data - IP6_FRAG_HLEN + end > PACKET_MAX || (start == 0 && !first_is_whole(in)))
    return false;
  if (more ? k->total && end > k->total : k->total && end != k->total)
    return false;
  struct list *place = place_for(k, start, end, &again);
  if (again)
    return true;
  struct fragment *f = place ? calloc(1, sizeof(*f)) : NULL;
  if (!f)
    return false;
  if (!more) {
    if (!list_empty(&k->fragments) && container_of(k->fragments.prev, struct fragment, link)->end > end) {
      free(f);
      return false;
    }
    k->total = end;
  }
  *f = (struct fragment){.p = TAKE_PTR(*p), .data = (uint16_t)data, .start = (uint16_t)start, .end = (uint16_t)end};
  list_insert_between(&f->link, place->prev, place);
  k->have += len;
  s->reass6->n_fragments++;
  return true;
}

struct pbuf *stack_reass6(const struct ip6_in *in, struct pbuf *p) {
  struct stack *s = in->i->s;
  struct packet *k = packet_of(in);
  if (k && s->reass6->n_fragments >= REASS6_FRAGMENTS && !k->dead)
    make_room(s, k);
  if (!k || k->dead || s->reass6->n_fragments >= REASS6_FRAGMENTS) {
    s->refused[STACK_LIMIT_FRAGMENTS] += k && !k->dead;
    pbuf_free(p);
    return NULL;
  }
  if (!insert(s, k, in, &p)) {
    s->ip6_refused++;
    drop_fragments(s->reass6, k);
    k->dead = true;
  }
  if (p)
    pbuf_free(p);
  if (k->dead || !k->total || k->have < k->total)
    return NULL;
  struct pbuf *whole = join(s, k);
  forget(s->reass6, k);
  arm(s->reass6);
  return whole;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

void stack_reass6_forget(struct stack *s, const struct stack_if *i) {
  list_for_each(l, &s->reass6->packets) {
    struct packet *k = list_entry(l, struct packet, link);
    if (!i || k->i == i)
      forget(s->reass6, k);
  }
  arm(s->reass6);
}

int stack_reass6_init(struct stack *s) {
  s->reass6 = calloc(1, sizeof(*s->reass6));
  if (!s->reass6)
    return -ENOMEM;
  list_init(&s->reass6->packets);
  return loop_timer_new(s->loop, CLOCK_ID_MONO, on_timer, s, &s->reass6->timer);
}

void stack_reass6_done(struct stack *s) {
  if (!s->reass6)
    return;
  stack_reass6_forget(s, NULL);
  s->reass6->timer = loop_timer_free(s->reass6->timer);
  free(TAKE_PTR(s->reass6));
}
