/* SPDX-License-Identifier: BSD-3-Clause
 * Neighbour discovery (RFC 4861): the states of a neighbour, what its messages change, what is answered, what those who
 * configure are told, and what breaks the rules.
 */
#include "stack_util.h"
#include "stack_wire_open.h"
#include "stack_wire6.h"

static struct wire w;
static struct stack_udp *u;
static struct net_addr own, peer;
static struct net_endpoint to;

struct seen {
  unsigned n, errors;
  int error;
  struct net_addr from, to;
  uint8_t icmp[64];
  size_t len;
  struct stack_nd *nd; /* closed when told */
};
static struct seen seen;

static void on_error(void *arg _unused_, const struct net_endpoint *remote _unused_, int error) {
  seen.errors++;
  seen.error = error;
}
static const struct stack_udp_ops uops = {.error = on_error};

static void setup(void) {
  cr_assert_eq(wire_open(&w), 0);
  memset(&seen, 0, sizeof seen);
  own = wire6_addr(WIRE6_OWN);
  peer = wire6_addr(WIRE6_PEER);
  to = ep(peer, 9);
  cr_assert_eq(stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_PREFERRED), 0);
  cr_assert_eq(stack_udp_open(w.s, NULL, &uops, NULL, &u), 0);
  wire_run(&w, 10 * SEC);
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
TestSuite(stack_nd, .init = setup, .fini = teardown, .timeout = 60);

static void look(void *arg, const struct stack_neigh_info *i) {
  if (net_addr_equal(&i->addr, &peer))
    *(struct stack_neigh_info *)arg = *i;
}
static struct stack_neigh_info of_peer(void) {
  struct stack_neigh_info i = {.state = (enum stack_neigh_state) - 1};
  stack_neigh_each(w.s, look, &i);
  return i;
}
static int state(void) { return (int)of_peer().state; }
static void send_one(void) { cr_assert_eq(stack_udp_send(u, &to, "x", 1), 0); }
static void na(uint8_t flags, uint8_t opt) { wire6_nd(&w, WIRE6_PEER, WIRE6_OWN, 136, flags, WIRE6_PEER, opt); }
static unsigned datagrams(unsigned since) {
  unsigned n = 0;
  for (unsigned k = 0; k + since < w.n; k++)
    n += wire_get(wire_last(&w, k) + 12, 2) == 0x86dd && wire_last(&w, k)[20] == 17;
  return n;
}

/* --- the life of a neighbour (7.2, 7.3) -------------------------------------------------------------------------- */

Test(stack_nd, asked_for_answered_used_and_asked_again) {
  const uint8_t *ns;
  unsigned before = w.n;
  send_one();
  wire_run(&w, 0);
  const uint8_t *f = wire6_find(&w, before, 135, &ns);
  cr_assert(f != NULL);
  cr_expect_eq(wire_get(f, 2), 0x3333);
  cr_expect_eq(wire_get(f + 2, 4), 0xff000009u, "the solicited-node group");
  cr_expect_eq(f[21], 255);
  cr_expect_eq(ns[24], 1);
  cr_expect_arr_eq(ns + 26, w.mac, 6);
  cr_expect_eq(wire6_sum(f, ns, 58, 32), 0);
  cr_expect_eq(state(), STACK_NEIGH_PENDING);
  na(WIRE6_NA_S | WIRE6_NA_O, WIRE6_TLLA);
  cr_expect_eq(state(), STACK_NEIGH_STABLE);
  cr_expect_eq(datagrams(before), 1, "what waited");
  cr_expect_arr_eq(wire_last(&w, 0), wire_peer_mac, 6);
  wire_run(&w, 46 * SEC);
  cr_expect_eq(state(), STACK_NEIGH_STALE, "within one and a half times 30 s");
  before = w.n;
  send_one();
  wire_run(&w, 4 * SEC);
  cr_expect_eq(w.n - before, 1, "sent at once");
  cr_expect_eq(state(), STACK_NEIGH_DELAY);
  wire_run(&w, 1500 * MS);
  cr_expect_eq(state(), STACK_NEIGH_PROBE);
  f = wire6_find(&w, before, 135, NULL);
  cr_assert(f != NULL);
  cr_expect_arr_eq(f, wire_peer_mac, 6, "to itself");
  na(WIRE6_NA_S, 0);
  cr_expect_eq(state(), STACK_NEIGH_STABLE);
  wire_run(&w, 46 * SEC);
  before = w.n;
  send_one();
  wire_run(&w, 20 * SEC);
  cr_expect_eq(wire6_count(&w, before, 135), 3);
  cr_expect_eq(state(), -1, "forgotten");
}

Test(stack_nd, who_does_not_answer_is_unreachable) {
  unsigned before = w.n;
  send_one();
  wire_run(&w, 2900 * MS);
  cr_expect_eq(seen.errors, 0);
  wire_run(&w, 200 * MS);
  cr_expect_eq(wire6_count(&w, before, 135), 3);
  cr_expect_eq(state(), -1);
  before = w.n;
  wire_run(&w, 600 * SEC);
  cr_expect_eq(w.n, before, "and that was all");
}

Test(stack_nd, retransmission_and_reachability_as_the_link_says) {
  unsigned before = w.n;
  stack_if_set_nd(w.i, 0, 4000, 200);
  send_one();
  wire_run(&w, 590 * MS);
  cr_expect_eq(wire6_count(&w, before, 135), 3);
  na(WIRE6_NA_S | WIRE6_NA_O, WIRE6_TLLA);
  wire_run(&w, 1990 * MS);
  cr_expect_eq(state(), STACK_NEIGH_STABLE);
  wire_run(&w, 4100 * MS);
  cr_expect_eq(state(), STACK_NEIGH_STALE);
}

/* The oldest fall off, counted; the others go in order. */
Test(stack_nd, what_waits_for_a_neighbour_is_bounded) {
  for (int k = 0; k < 40; k++)
    send_one();
  cr_expect_eq(stats().refused[STACK_LIMIT_NEIGHBOUR_QUEUE], 8);
  unsigned before = w.n;
  na(WIRE6_NA_S | WIRE6_NA_O, WIRE6_TLLA);
  wire_run(&w, 0);
  cr_expect_eq(datagrams(before), 32);
}

/* --- advertisements (7.2.5) --------------------------------------------------------------------------------------- */

/* Changes the address that the peer claims in its option. */
static void na_of(uint8_t flags, uint8_t last) {
  uint8_t m[32] = {136, 0, 0, 0, flags};
  memcpy(m + 8, peer.b, 16);
  m[24] = 2;
  m[25] = 1;
  memcpy(m + 26, wire_peer_mac, 6);
  m[31] = last;
  wire6_icmp(&w, WIRE6_PEER, WIRE6_OWN, 255, m, sizeof m);
}

Test(stack_nd, advertisements_change_what_they_may) {
  na(WIRE6_NA_S | WIRE6_NA_O, WIRE6_TLLA);
  cr_expect_eq(state(), -1, "nobody asked");
  send_one();
  na(WIRE6_NA_S, 0);
  cr_expect_eq(state(), STACK_NEIGH_PENDING, "where is it?");
  na(0, WIRE6_TLLA);
  cr_expect_eq(state(), STACK_NEIGH_DELAY, "not because we asked: the packet goes, and then it is asked");
  na(WIRE6_NA_S, WIRE6_TLLA);
  cr_expect_eq(state(), STACK_NEIGH_STABLE);
  cr_expect(!of_peer().router);
  na_of(WIRE6_NA_S, 77);
  cr_expect_eq(state(), STACK_NEIGH_STALE, "another address, without override");
  cr_expect_arr_eq(of_peer().mac, wire_peer_mac, 6);
  na_of(WIRE6_NA_S, 77);
  cr_expect_eq(state(), STACK_NEIGH_STALE);
  na_of(WIRE6_NA_O | WIRE6_NA_R, 77);
  cr_expect_eq(state(), STACK_NEIGH_STALE);
  cr_expect_eq(of_peer().mac[5], 77);
  cr_expect(of_peer().router);
  na(WIRE6_NA_S, 0);
  cr_expect_eq(state(), STACK_NEIGH_STABLE);
}

Test(stack_nd, a_router_that_does_not_name_its_address) {
  uint8_t ra[16] = {134, [7] = 30};
  wire6_icmp(&w, WIRE6_PEER, "ff02::1", 255, ra, sizeof ra);
  cr_expect_eq(state(), -1, "nobody has asked for it");
  send_one();
  wire6_icmp(&w, WIRE6_PEER, "ff02::1", 255, ra, sizeof ra);
  cr_expect_eq(state(), STACK_NEIGH_PENDING, "where it is, is still not known");
  na(WIRE6_NA_S, WIRE6_TLLA);
  cr_expect(!of_peer().router);
  wire6_icmp(&w, WIRE6_PEER, "ff02::1", 255, ra, sizeof ra);
  cr_expect(of_peer().router, "RFC 4861 6.3.4");
  cr_expect_eq(state(), STACK_NEIGH_STABLE);
}

/* --- solicitations (7.2.3, 7.2.4) --------------------------------------------------------------------------------- */

Test(stack_nd, who_asks_is_known_and_answered) {
  unsigned before = w.n;
  const uint8_t *a;
  wire6_nd(&w, WIRE6_PEER, "ff02::1:ff00:1", 135, 0, WIRE6_OWN, WIRE6_SLLA);
  cr_expect_eq(state(), STACK_NEIGH_DELAY, "the answer was sent to it");
  const uint8_t *f = wire6_find(&w, before, 136, &a);
  cr_assert(f != NULL);
  cr_expect_arr_eq(f + 38, peer.b, 16);
  before = w.n;
  wire6_nd(&w, "::", "ff02::1:ff00:1", 135, 0, WIRE6_OWN, 0);
  f = wire6_find(&w, before, 136, &a);
  cr_assert(f != NULL, "who wants our address is told that it is ours");
  cr_expect_eq(a[4], WIRE6_NA_O);
  cr_expect_eq(wire_get(f + 38, 4), 0xff020000u);
  before = w.n;
  wire6_nd(&w, WIRE6_PEER, "ff02::1:ff00:1", 135, 0, "fe80::1:0:0:1", WIRE6_SLLA);
  cr_expect_eq(w.n, before, "the group of ours, another address");
}

Test(stack_nd, strangers_cannot_fill_the_cache) {
  char text[NET_ADDR_STRLEN];
  struct net_addr a = wire6_addr("fe80::1:0");
  send_one();
  na(WIRE6_NA_S | WIRE6_NA_O, WIRE6_TLLA);
  for (unsigned k = 0; k < 2 * STACK_NEIGH6_MAX; k++) {
    a.b[14] = (uint8_t)(k >> 8);
    a.b[15] = (uint8_t)k;
    wire6_nd(&w, net_addr_format(&a, text), "ff02::1:ff00:1", 135, 0, WIRE6_OWN, WIRE6_SLLA);
  }
  cr_expect_geq(stats().refused[STACK_LIMIT_NEIGHBOURS], STACK_NEIGH6_MAX);
  cr_expect_geq(stats().refused[STACK_LIMIT_NEIGHBOURS], 1);
}

/* --- the rules ------------------------------------------------------------------------------------------------------ */

struct bad {
  const char *src, *dst;
  uint8_t hops, code;
  size_t len;
  uint8_t type, flags;
  const char *target;
  uint8_t opt, opt_len;
};

Test(stack_nd, what_breaks_the_rules_is_counted_and_nothing_else) {
  static const struct bad bad[] = {
      {WIRE6_PEER, WIRE6_OWN, 254, 0, 32, 135, 0, WIRE6_OWN, 1, 1},          /* came over a router */
      {WIRE6_PEER, WIRE6_OWN, 255, 1, 32, 135, 0, WIRE6_OWN, 1, 1},          /* code */
      {WIRE6_PEER, WIRE6_OWN, 255, 0, 23, 135, 0, WIRE6_OWN, 1, 1},          /* short */
      {WIRE6_PEER, WIRE6_OWN, 255, 0, 32, 135, 0, "ff02::1", 1, 1},          /* a group as target */
      {WIRE6_PEER, WIRE6_OWN, 255, 0, 32, 135, 0, WIRE6_OWN, 1, 0},          /* an option of no length */
      {WIRE6_PEER, WIRE6_OWN, 255, 0, 32, 135, 0, WIRE6_OWN, 1, 2},          /* one that is longer than the message */
      {WIRE6_PEER, WIRE6_OWN, 255, 0, 25, 135, 0, WIRE6_OWN, 1, 1},          /* one that is cut */
      {"::", WIRE6_OWN, 255, 0, 24, 135, 0, WIRE6_OWN, 0, 0},                /* detection not to the group */
      {"::", "ff02::1:ff00:1", 255, 0, 32, 135, 0, WIRE6_OWN, 1, 1},         /* and with an address */
      {WIRE6_PEER, "ff02::1", 255, 0, 32, 136, 0x40, WIRE6_PEER, 2, 1},      /* solicited, and to all */
      {WIRE6_PEER, WIRE6_OWN, 255, 0, 32, 136, 0, "ff02::1", 2, 1},
      {WIRE6_PEER, WIRE6_OWN, 64, 0, 32, 136, 0x60, WIRE6_PEER, 2, 1},
      {"2001:db8::9", "ff02::1", 255, 0, 16, 134, 0, "::", 0, 0},            /* no router's address */
      {WIRE6_PEER, "ff02::1", 255, 0, 15, 134, 0, "::", 0, 0},
      {WIRE6_PEER, "ff02::1", 64, 0, 16, 134, 0, "::", 0, 0},
      {"::", "ff02::1", 255, 0, 16, 133, 0, "::", 0, 0},                     /* an option of no length again: zeros */
  };
  static const struct stack_nd_ops none = {0};
  struct stack_nd *nd;
  cr_assert_eq(stack_nd_open(w.i, &none, NULL, &nd), 0);
  send_one();
  wire_run(&w, 0);
  unsigned before = w.n;
  for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
    const struct bad *b = &bad[k];
    uint8_t m[32] = {b->type, b->code, 0, 0, b->flags};
    struct net_addr t = wire6_addr(b->target);
    if (b->type >= 135)
      memcpy(m + 8, t.b, 16);
    m[24] = b->opt;
    m[25] = b->opt_len;
    memcpy(m + 26, wire_peer_mac, 6);
    wire6_icmp(&w, b->src, b->dst, b->hops, m, b->len);
    cr_expect_eq(stats().nd_refused, k + 1, "%zu", k);
  }
  cr_expect_eq(w.n, before);
  cr_expect_eq(state(), STACK_NEIGH_PENDING);
  stack_nd_close(nd);
}

Test(stack_nd, redirects_are_counted_and_not_followed) {
  uint8_t m[48] = {137};
  struct net_addr other = wire6_addr("fe80::66"), dst = wire6_addr("2001:db8::9");
  memcpy(m + 8, other.b, 16);
  memcpy(m + 24, dst.b, 16);
  m[40] = 2;
  m[41] = 1;
  memcpy(m + 42, wire_peer_mac, 6);
  unsigned before = w.n;
  wire6_icmp(&w, WIRE6_PEER, WIRE6_OWN, 255, m, sizeof m);
  cr_expect_eq(stats().nd_redirects, 1);
  cr_expect_eq(w.n, before);
  cr_expect_eq(state(), -1);
}

Test(stack_nd, a_bad_checksum_is_one) {
  uint8_t f[100] = {0};
  f[WIRE6_AT] = 135;
  memcpy(f + WIRE6_AT + 8, own.b, 16);
  unsigned before = w.n;
  uint64_t bad = stats().bad_checksum;
  wire_inject(&w, f, wire6_ip(&w, f, WIRE6_PEER, WIRE6_OWN, 58, 255, 24));
  cr_expect_eq(stats().bad_checksum, bad + 1);
  cr_expect_eq(w.n, before);
}

/* --- for those who configure -------------------------------------------------------------------------------------- */

static void on_nd(void *arg, const struct net_addr *from, const struct net_addr *dst, const uint8_t *icmp, size_t len) {
  struct seen *s = arg;
  s->n++;
  s->from = *from;
  s->to = *dst;
  s->len = len;
  memcpy(s->icmp, icmp, MIN(len, sizeof s->icmp));
  if (s->nd)
    s->nd = stack_nd_close(s->nd);
}
static const struct stack_nd_ops nd_ops = {.received = on_nd};

Test(stack_nd, advertisements_and_conflicts_are_handed_up) {
  struct stack_nd *nd, *x;
  struct net_addr maybe = wire6_addr("2001:db8::5");
  uint8_t ra[24] = {134, [5] = 0, [7] = 30, [16] = 1, [17] = 1};
  memcpy(ra + 18, wire_peer_mac, 6);
  cr_assert_eq(stack_nd_open(w.i, &nd_ops, &seen, &nd), 0);
  cr_expect_eq(stack_nd_open(w.i, &nd_ops, &seen, &x), -EBUSY);
  wire6_icmp(&w, WIRE6_PEER, "ff02::1", 255, ra, sizeof ra);
  cr_expect_eq(seen.n, 1);
  cr_expect_eq(seen.len, sizeof ra);
  cr_expect(net_addr_equal(&seen.from, &peer));
  cr_expect_arr_eq(seen.icmp + 4, ra + 4, 20);
  cr_expect(of_peer().router, "its address is noted");
  cr_expect_eq(state(), STACK_NEIGH_STALE);
  cr_assert_eq(stack_if_set_ipv6(w.i, &maybe, 64, STACK_ADDR_TENTATIVE), 0);
  wire6_nd(&w, "::", "ff02::1:ff00:5", 135, 0, "2001:db8::5", 0);
  cr_expect_eq(seen.n, 2, "another one wants it too");
  wire6_nd(&w, "2001:db8::5", "ff02::1", 136, WIRE6_NA_O, "2001:db8::5", WIRE6_TLLA);
  cr_expect_eq(seen.n, 3, "somebody has it");
  wire6_nd(&w, WIRE6_PEER, WIRE6_OWN, 136, WIRE6_NA_S, WIRE6_PEER, WIRE6_TLLA);
  cr_expect_eq(seen.n, 3, "not about ours");
  wire6_nd(&w, WIRE6_OWN, "ff02::1", 136, WIRE6_NA_O, WIRE6_OWN, WIRE6_TLLA);
  cr_expect_eq(seen.n, 4, "somebody claims what we use");
  seen.nd = nd;
  wire6_icmp(&w, WIRE6_PEER, "ff02::1", 255, ra, sizeof ra);
  wire6_icmp(&w, WIRE6_PEER, "ff02::1", 255, ra, sizeof ra);
  cr_expect_eq(seen.n, 5, "closed when told");
  cr_assert_eq(stack_if_remove_ipv6(w.i, &maybe), 0);
}

Test(stack_nd, messages_of_ones_own) {
  struct stack_nd *nd;
  struct net_addr maybe = wire6_addr("2001:db8::5"), group = wire6_addr("ff02::1:ff00:5"), all = wire6_addr("ff02::2");
  uint8_t ns[24] = {135}, rs[8] = {133};
  const uint8_t *icmp;
  memcpy(ns + 8, maybe.b, 16);
  cr_assert_eq(stack_nd_open(w.i, &nd_ops, &seen, &nd), 0);
  unsigned before = w.n;
  cr_expect_eq(stack_nd_send(nd, NULL, &group, ns, sizeof ns), 0);
  wire_run(&w, 0);
  const uint8_t *f = wire6_find(&w, before, 135, &icmp);
  cr_assert(f != NULL);
  cr_expect_eq(wire_get(f + 22, 4), 0);
  cr_expect_eq(f[21], 255);
  cr_expect_eq(wire6_sum(f, icmp, 58, 24), 0);
  cr_expect_eq(stack_nd_send(nd, &own, &all, rs, sizeof rs), 0);
  wire_run(&w, 0);
  f = wire6_find(&w, before, 133, NULL);
  cr_assert(f != NULL);
  cr_expect_arr_eq(f + 22, own.b, 16);
  cr_expect_eq(stack_nd_send(nd, &maybe, &all, rs, sizeof rs), -EADDRNOTAVAIL);
  cr_expect_eq(stack_nd_send(nd, NULL, &all, rs, 4), -EINVAL);
  cr_expect_eq(stack_nd_send(nd, NULL, &(struct net_addr){.family = AF_INET}, rs, 8), -EINVAL);
  stack_nd_close(nd);
}

Test(stack_nd, without_a_link_nothing_is_sent_and_nothing_kept) {
  struct stack_nd *nd;
  uint8_t rs[8] = {133};
  struct net_addr all = wire6_addr("ff02::2");
  cr_assert_eq(stack_nd_open(w.i, &nd_ops, &seen, &nd), 0);
  send_one();
  na(WIRE6_NA_S | WIRE6_NA_O, WIRE6_TLLA);
  nic_set_link(w.near, false);
  cr_expect_eq(state(), -1);
  cr_expect_eq(stack_nd_send(nd, NULL, &all, rs, sizeof rs), -ENETDOWN);
  cr_expect_eq(stack_udp_send(u, &to, "x", 1), -ENETUNREACH);
  unsigned before = w.n;
  wire_run(&w, 30 * SEC);
  nic_set_link(w.near, true);
  wire_run(&w, 30 * SEC);
  cr_expect_eq(wire6_count(&w, before, 143), 2, "the groups are told anew");
  stack_nd_close(nd);
}
