/* SPDX-License-Identifier: BSD-3-Clause
 * ICMPv6 against a wire that may lie: errors about what we sent, and only that; the path MTU; how much is answered.
 */
#include "stack_end.h"
#include "stack_wire_open.h"
#include "stack_wire6.h"

#define OWN "2001:db8::1"
#define PEER "2001:db8::9"
#define ROUTER "fe80::9"

static struct wire w;

struct seen {
  unsigned n, errors, events;
  int error;
  struct stack_echo_event ev;
};

static struct stack_stats stats(void) {
  struct stack_stats st;
  stack_get_stats(w.s, &st);
  return st;
}

static void setup(void) {
  struct net_addr own = wire6_addr(OWN), link = wire6_addr("fe80::1");
  struct stack_route on_link = {.dst = {.addr = wire6_addr("2001:db8::"), .len = 64}};
  cr_assert_eq(wire_open(&w), 0);
  cr_assert_eq(stack_if_set_ipv6(w.i, &own, 64, STACK_ADDR_PREFERRED), 0);
  cr_assert_eq(stack_if_set_ipv6(w.i, &link, 64, STACK_ADDR_PREFERRED), 0);
  cr_assert_eq(stack_if_set_routes(w.i, AF_INET6, &on_link, 1), 0);
  wire6_nd(&w, PEER, OWN, 135, 0, OWN, WIRE6_SLLA);
  wire6_nd(&w, ROUTER, "fe80::1", 135, 0, "fe80::1", WIRE6_SLLA);
  wire_run(&w, 1 * SEC);
}
static void teardown(void) {
  wire_run(&w, 120 * SEC);
  cr_expect_eq(stats().pbuf_bytes, 0);
  cr_expect_eq(stats().tcp_active, 0);
  cr_expect_eq(stats().asserts, 0);
  wire_close(&w);
}
TestSuite(stack_icmp6, .init = setup, .fini = teardown, .timeout = 60);

/* --- what the router says --------------------------------------------------------------------------------------- */

/* About the packet in a frame of ours, of which it quotes so many bytes. */
static void says(uint8_t type, uint8_t code, uint32_t word, const uint8_t *frame, size_t quoted) {
  uint8_t m[8 + 1232] = {type, code};
  wire_put(m + 4, word, 4);
  memcpy(m + 8, frame + 14, quoted);
  wire6_icmp(&w, ROUTER, OWN, 60, m, 8 + quoted);
}

/* The newest frame of IPv6 with this protocol, a copy. */
static uint8_t *newest(uint8_t proto) {
  static uint8_t copy[1600];
  for (unsigned k = 0; k < MIN(w.n, (unsigned)WIRE_KEEP); k++) {
    const uint8_t *f = wire_last(&w, k);
    if (wire_get(f + 12, 2) != 0x86dd || f[20] != proto)
      continue;
    memcpy(copy, f, sizeof copy);
    return copy;
  }
  cr_assert(false, "nothing was sent");
  return NULL;
}

/* --- TCP -------------------------------------------------------------------------------------------------------- */

static void begin(struct end *e) {
  struct net_endpoint to = ep(wire6_addr(PEER), 80);
  *e = (struct end){0};
  cr_assert_eq(stack_tcp_connect(w.s, NULL, &to, &end_ops, e, &e->c), 0);
  wire_run(&w, 1 * MS);
}

static void stop(struct end *e) { e->c = stack_conn_abort(e->c, STACK_END_REVOKED); }

Test(stack_icmp6, errors_end_what_is_connecting) {
  static const struct {
    uint8_t type, code;
    int error; /* 0: none */
  } cases[] = {{1, 0, -ENETUNREACH},  {1, 1, -EHOSTUNREACH}, {1, 2, -EHOSTUNREACH}, {1, 3, -EHOSTUNREACH},
               {1, 4, -ECONNREFUSED}, {1, 5, -EHOSTUNREACH}, {1, 6, -ENETUNREACH},  {1, 7, 0},
               {3, 0, -EHOSTUNREACH}, {3, 1, 0},             {4, 0, 0},             {4, 1, -ECONNREFUSED},
               {4, 2, 0},             {100, 0, 0}};
  for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
    struct end e;
    struct stack_conn_info info;
    begin(&e);
    says(cases[i].type, cases[i].code, 0, newest(6), 60);
    stack_conn_info(e.c, &info);
    cr_expect_eq(info.end_error, cases[i].error, "case %zu: %d", i, info.end_error);
    cr_expect_eq(e.why, cases[i].error ? STACK_END_UNREACHABLE : STACK_END_NONE, "case %zu", i);
    stop(&e);
  }
}

/* Each field of the quote must be that of a segment on its way. */
Test(stack_icmp6, what_is_not_about_us_is_refused) {
  static const unsigned at[] = {14 + 8 + 15 /* source */, 14 + 24 + 15 /* destination */, 55 /* port */, 57, 58 /* seq */};
  struct end e;
  begin(&e);
  for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
    uint64_t before = stats().icmp_malformed;
  uint8_t *f = newest(6);
    f[at[i]] ^= 0x40;
    says(1, 0, 0, f, 60);
    cr_expect_eq(stats().icmp_malformed, before + 1, "byte %u", at[i]);
    cr_expect_eq(e.ended, 0, "byte %u", at[i]);
  }
  for (size_t quoted = 0; quoted < 48; quoted++)
    says(1, 0, 0, newest(6), quoted);
  cr_expect_eq(e.ended, 0, "too short");
  says(1, 0, 0, newest(6), 48);
  cr_expect_eq(e.ended, 1, "and just enough");
  stop(&e);
}

static void put_tcp(uint8_t flags, uint32_t seq, uint32_t ack, uint16_t port, const uint8_t *options, size_t n) {
  uint8_t f[200] = {0}, *h = f + WIRE6_AT;
  wire_put(h, 80, 2);
  wire_put(h + 2, port, 2);
  wire_put(h + 4, seq, 4);
  wire_put(h + 8, ack, 4);
  h[12] = (uint8_t)((20 + n) / 4 << 4);
  h[13] = flags;
  wire_put(h + 14, 65000, 2);
  memcpy(h + 20, options, n);
  size_t len = wire6_ip(&w, f, PEER, OWN, 6, 64, 20 + n);
  wire_put(h + 16, wire6_sum(f, h, 6, 20 + n), 2);
  wire_inject(&w, f, len);
}

/* A connection whose peer takes segments of 1440. Returns its first sequence number. */
static uint32_t established(struct end *e, uint16_t *ret_port) {
  static const uint8_t mss[4] = {2, 4, 1440 >> 8, 1440 & 255};
  begin(e);
  const uint8_t *syn = newest(6);
  uint32_t seq = wire_get(syn + WIRE6_AT + 4, 4) + 1;
  cr_expect_eq(wire_get(syn + WIRE6_AT + 22, 2), 1440, "the MSS of the SYN");
  *ret_port = (uint16_t)wire_get(syn + WIRE6_AT, 2);
  put_tcp(0x12, 5000, seq, *ret_port, mss, 4);
  cr_assert_eq(e->connected, 1);
  return seq;
}

static struct stack_conn_info info_of(const struct end *e) {
  struct stack_conn_info info;
  stack_conn_info(e->c, &info);
  return info;
}

static void sends(struct end *e, size_t n) {
  e->to_send += n;
  end_send(e);
  wire_run(&w, 1 * MS);
}

Test(stack_icmp6, errors_of_an_established_connection_are_kept) {
  struct end e;
  uint16_t port;
  established(&e, &port);
  sends(&e, 100);
  says(1, 1, 0, newest(6), 48);
  cr_expect_eq(e.ended, 0);
  cr_expect_eq(info_of(&e).icmp_error, -EHOSTUNREACH);
  stop(&e);
}

/* RFC 8201: believed when it is about a packet of ours that is larger; never below 1280. */
Test(stack_icmp6, packet_too_big) {
  struct end e;
  uint16_t port;
  struct stack_conn_info info;
  uint32_t seq = established(&e, &port);
  sends(&e, 2880);
  uint8_t *f = newest(6);
  uint64_t refused = stats().pmtu_refused;
  says(2, 0, 1279, f, 1200);
  says(2, 0, 0, f, 1200);
  says(2, 0, 68, f, 1200);
  cr_expect_eq(stats().pmtu_refused, refused + 3);
  cr_expect_eq(info_of(&e).mss, 1440);
  says(2, 0, 1500, f, 1200);
  says(2, 0, UINT32_MAX, f, 1200);
  cr_expect_eq(stats().pmtu_refused, refused + 5, "no smaller than what was sent");
  says(2, 0, 1400, f, 1200);
  info = info_of(&e);
  cr_expect_eq(info.mss, 1340, "%u", info.mss);
  cr_expect_eq(info.path_mtu, 1400);
  cr_expect_eq(info.path_origin, STACK_PATH_ICMP);
  cr_expect_eq(stats().pmtu_reduced, 1);
  wire_run(&w, 1 * MS);
  cr_expect_leq(wire_get(newest(6) + 18, 2) + 40, 1400, "it goes out again in smaller packets");
  put_tcp(0x10, 5001, seq + 2880, port, (const uint8_t *)"", 0);
  /* The next connection there begins with it. */
  struct end next;
  established(&next, &port);
  cr_expect_eq(info_of(&next).mss, 1340);
  cr_expect_eq(info_of(&next).path_mtu, 1400);
  stop(&e);
  stop(&next);
}

/* --- datagrams -------------------------------------------------------------------------------------------------- */

static void on_received(void *arg, const struct net_endpoint *from _unused_, const struct net_endpoint *to _unused_,
                        const uint8_t *data _unused_, size_t len _unused_) {
  ((struct seen *)arg)->n++;
}
static void on_error(void *arg, const struct net_endpoint *remote _unused_, int error) {
  struct seen *s = arg;
  s->errors++;
  s->error = error;
}
static void on_echo(void *arg, const struct stack_echo_event *ev) {
  struct seen *s = arg;
  s->events++;
  s->ev = *ev;
}
static const struct stack_udp_ops udp_ops = {.received = on_received, .error = on_error};

Test(stack_icmp6, errors_about_datagrams) {
  struct seen s = {0};
  struct stack_udp *u;
  struct net_endpoint to = ep(wire6_addr(PEER), 53);
  cr_assert_eq(stack_udp_open(w.s, NULL, &udp_ops, &s, &u), 0);
  cr_assert_eq(stack_udp_send(u, &to, "question", 8), 0);
  wire_run(&w, 1 * MS);
  says(1, 4, 0, newest(17), 56);
  cr_expect_eq(s.errors, 1);
  cr_expect_eq(s.error, -ECONNREFUSED);
  says(1, 0, 0, newest(17), 56);
  cr_expect_eq(s.error, -ENETUNREACH);
  says(3, 1, 0, newest(17), 56);
  cr_expect_eq(s.errors, 2, "fragments that did not meet are no reason");
  uint8_t *f = newest(17);
  f[55] ^= 1; /* a port that nobody has */
  says(1, 4, 0, f, 56);
  cr_expect_eq(s.errors, 2);
  stack_udp_close(u);
}

/* The size of the longest of the last n frames, and how many of IPv6 there are. */
static unsigned longest(unsigned since, unsigned *ret_n) {
  unsigned max = 0;
  *ret_n = 0;
  for (unsigned k = 0; k + since < w.n; k++) {
    const uint8_t *f = wire_last(&w, k);
    if (wire_get(f + 12, 2) != 0x86dd)
      continue;
    ++*ret_n;
    max = MAX(max, wire_get(f + 18, 2) + 40);
  }
  return max;
}

/* RFC 8201 5.3: what cannot be made smaller goes in fragments that fit. */
Test(stack_icmp6, datagrams_fit_the_path) {
  static uint8_t data[1400];
  struct seen s = {0};
  struct stack_udp *u;
  struct net_endpoint to = ep(wire6_addr(PEER), 53);
  unsigned n, before = w.n;
  cr_assert_eq(stack_udp_open(w.s, NULL, &udp_ops, &s, &u), 0);
  cr_assert_eq(stack_udp_send(u, &to, data, sizeof data), 0);
  wire_run(&w, 1 * MS);
  cr_expect_eq(longest(before, &n), 1448);
  cr_expect_eq(n, 1);
  uint8_t *f = newest(17);
  f[57] ^= 1;
  says(2, 0, 1300, f, 1200);
  f[57] ^= 1;
  f[55] ^= 1;
  says(2, 0, 1300, f, 1200);
  f[55] ^= 1;
  before = w.n;
  cr_assert_eq(stack_udp_send(u, &to, data, sizeof data), 0);
  wire_run(&w, 1 * MS);
  cr_expect_eq(n, 1, "not from a socket of ours");
  says(2, 0, 1300, newest(17), 1200);
  before = w.n;
  cr_assert_eq(stack_udp_send(u, &to, data, sizeof data), 0);
  wire_run(&w, 1 * MS);
  cr_expect_leq(longest(before, &n), 1300);
  cr_expect_eq(n, 2);
  cr_expect_eq(s.errors, 0, "that is no error");
  wire_run(&w, 601 * SEC);
  wire6_nd(&w, PEER, OWN, 135, 0, OWN, WIRE6_SLLA);
  before = w.n;
  cr_assert_eq(stack_udp_send(u, &to, data, sizeof data), 0);
  wire_run(&w, 1 * MS);
  cr_expect_eq(longest(before, &n), 1448, "forgotten after ten minutes");
  stack_udp_close(u);
}

/* --- echo ------------------------------------------------------------------------------------------------------- */

Test(stack_icmp6, errors_about_echo_are_told_as_they_are) {
  static const struct {
    uint8_t type, code;
    uint32_t word;
    enum stack_echo_kind kind;
  } cases[] = {{1, 0, 0, STACK_ECHO_UNREACHABLE},  {1, 1, 0, STACK_ECHO_UNREACHABLE},
               {1, 6, 0, STACK_ECHO_UNREACHABLE},  {2, 0, 1280, STACK_ECHO_TOO_BIG},
               {3, 0, 0, STACK_ECHO_TTL_EXCEEDED}, {4, 1, 6, STACK_ECHO_PARAMETER_PROBLEM}};
  static uint8_t data[1400];
  struct seen s = {0};
  struct stack_echo *e;
  struct net_addr to = wire6_addr(PEER), router = wire6_addr(ROUTER);
  cr_assert_eq(stack_echo_open(w.s, on_echo, &s, &e), 0);
  for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
    cr_assert_eq(stack_echo_send(e, &to, (uint16_t)(100 + i), 3, data, 200), 0);
    wire_run(&w, 1 * MS);
    const uint8_t *f = newest(58);
    cr_expect_eq(f[21], 3, "the hop limit");
    cr_expect_eq(f[WIRE6_AT], 128);
    says(cases[i].type, cases[i].code, cases[i].word, f, 240);
    cr_assert_eq(s.events, i + 1, "case %u", i);
    cr_expect_eq(s.ev.kind, cases[i].kind, "case %u", i);
    cr_expect_eq(s.ev.code, cases[i].code, "case %u", i);
    cr_expect_eq(s.ev.word, cases[i].word, "case %u", i);
    cr_expect_eq(s.ev.seq, 100 + i, "case %u", i);
    cr_expect_eq(s.ev.ttl, 60);
    cr_expect(net_addr_equal(&s.ev.from, &router));
  }
  uint64_t before = stats().icmp_malformed;
  uint8_t *f = newest(58);
  f[WIRE6_AT + 4] ^= 1; /* somebody else's identifier */
  says(1, 0, 0, f, 240);
  cr_expect_eq(s.events, ARRAY_SIZE(cases));
  cr_expect_eq(stats().icmp_malformed, before + 1);
  stack_echo_close(e);
}

Test(stack_icmp6, only_the_answer_is_delivered) {
  struct seen s = {0};
  struct stack_echo *e;
  struct net_addr to = wire6_addr(PEER);
  uint8_t m[12] = {129};
  cr_assert_eq(stack_echo_open(w.s, on_echo, &s, &e), 0);
  cr_assert_eq(stack_echo_send(e, &to, 7, 0, "abcd", 4), 0);
  wire_run(&w, 1 * MS);
  const uint8_t *f = newest(58);
  memcpy(m + 4, f + WIRE6_AT + 4, 8);
  m[4] ^= 1;
  wire6_icmp(&w, PEER, OWN, 61, m, sizeof m);
  cr_expect_eq(s.events, 0);
  m[4] ^= 1;
  uint8_t bad[100] = {0};
  memcpy(bad + WIRE6_AT, m, sizeof m);
  wire_inject(&w, bad, wire6_ip(&w, bad, PEER, OWN, 58, 61, sizeof m));
  cr_expect_eq(s.events, 0, "its checksum is wrong");
  wire6_icmp(&w, PEER, OWN, 61, m, sizeof m);
  cr_assert_eq(s.events, 1);
  cr_expect_eq(s.ev.kind, STACK_ECHO_REPLY);
  cr_expect_eq(s.ev.ttl, 61);
  cr_expect_eq(s.ev.seq, 7);
  stack_echo_close(e);
}

/* --- what we answer --------------------------------------------------------------------------------------------- */

static struct stack_limits limited(void) {
  struct stack_limits l = STACK_LIMITS_DEFAULT;
  l.echo_replies = l.icmp_errors = 10;
  l.echo_replies_burst = l.icmp_errors_burst = 5;
  return l;
}

Test(stack_icmp6, replies_are_limited) {
  struct stack_limits l = limited();
  const uint8_t m[12] = {128, 0, 0, 0, 1, 2, 0, 3, 'a', 'b', 'c', 'd'};
  stack_set_limits(w.s, &l);
  unsigned before = w.n;
  for (int i = 0; i < 50; i++)
    wire6_icmp(&w, PEER, OWN, 64, m, sizeof m);
  cr_expect_eq(wire6_count(&w, before, 129), 5);
  cr_expect_eq(stats().refused[STACK_LIMIT_ECHO_REPLIES], 45);
  const uint8_t *icmp;
  cr_assert_not_null(wire6_find(&w, before, 129, &icmp));
  cr_expect_arr_eq(icmp + 4, m + 4, 8);
  wire_run(&w, 1 * SEC);
  before = w.n;
  wire6_icmp(&w, PEER, "ff02::1", 64, m, sizeof m);
  cr_expect_eq(wire6_count(&w, before, 129), 0, "nobody asks all at once");
}

Test(stack_icmp6, our_errors_are_limited) {
  struct stack_limits l = limited();
  stack_set_limits(w.s, &l);
  unsigned before = w.n;
  for (int i = 0; i < 50; i++)
    wire6_udp(&w, PEER, OWN, 1000, 2000, "x", 1);
  cr_expect_eq(wire6_count(&w, before, 1), 5);
  cr_expect_eq(stats().refused[STACK_LIMIT_ICMP_ERRORS], 45);
  const uint8_t *icmp;
  cr_assert_not_null(wire6_find(&w, before, 1, &icmp));
  cr_expect_eq(icmp[1], 4, "port unreachable");
  wire_run(&w, 1 * SEC);
  before = w.n;
  wire6_udp(&w, PEER, "ff02::1", 1000, 2000, "x", 1);
  cr_expect_eq(wire6_count(&w, before, 1), 0, "RFC 4443 2.4 (e)");
  static const uint8_t error[56] = {1, 4};
  wire6_icmp(&w, PEER, OWN, 64, error, sizeof error);
  wire_run(&w, 1 * SEC);
  cr_expect_eq(wire6_count(&w, before, 1), 0, "nor about an error");
}
