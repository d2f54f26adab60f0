/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv4 machine under a clock moved by hand: each way through RFC 2131 figure 5, hostile and confused servers, and
 * seeded random histories that must keep the machine's invariants.
 */
#include "base/util.h"
#include "netconf/dhcp4_machine.h"

#include <criterion/criterion.h>

#define S NSEC_PER_SEC
static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
#define ADDR 0xc0a80105u
#define SERVER 0xc0a80101u
#define OTHER 0xc0a80102u

static uint64_t lcg_state;
static uint32_t lcg(void *arg _unused_) {
  lcg_state = lcg_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(lcg_state >> 33);
}

/* A machine, its clock, what its last event made, and what the world believes because of the actions so far. */
struct rig {
  struct dhcp4_machine m;
  struct dhcp4_actions a;
  uint64_t now;
  bool applied;
  unsigned sent, drops, applies;
};

static void settle(struct rig *r) {
  cr_assert_lt(r->a.n, DHCP4_ACTIONS_MAX, "no event fills the list of actions");
  for (unsigned i = 0; i < r->a.n; i++) {
    switch (r->a.a[i].kind) {
    case DHCP4_ACT_SEND:
      r->sent++;
      break;
    case DHCP4_ACT_APPLY:
      r->applied = true;
      r->applies++;
      break;
    case DHCP4_ACT_DROP:
      r->applied = false;
      r->drops++;
      break;
    case DHCP4_ACT_STATE:
      cr_assert_neq(r->a.a[i].from, r->a.a[i].state);
      cr_assert_not_null(r->a.a[i].why);
      break;
    }
  }
  cr_assert_eq(r->applied, r->m.has_lease);
  if (r->m.has_lease && r->m.lease.expiry_ns != 0)
    cr_assert_lt(r->now, r->m.lease.expiry_ns, "never an address without a live lease");
  bool for_ever = r->m.state == DHCP_BOUND && r->m.lease.expiry_ns == 0;
  bool waits = r->m.state == DHCP_OFF || r->m.state == DHCP_RELEASED || for_ever || (!r->m.link && !r->m.has_lease);
  cr_assert_eq(r->m.deadline_ns == 0, waits, "a next event, state %s", dhcp_state_name(r->m.state));
  if (r->m.has_lease && r->m.lease.expiry_ns != 0)
    cr_assert_leq(r->m.deadline_ns, r->m.lease.expiry_ns, "never sleeps past the end of the lease");
}

static const struct dhcp4_action *sent(const struct rig *r) {
  const struct dhcp4_action *last = NULL;
  for (unsigned i = 0; i < r->a.n; i++)
    if (r->a.a[i].kind == DHCP4_ACT_SEND)
      last = &r->a.a[i];
  return last;
}

static struct rig rig_new(bool link) {
  struct dhcp4_config cfg = {.random = lcg, .hostname = "box"};
  memcpy(cfg.mac, mac, 6);
  struct rig r = {.now = 1000 * S};
  lcg_state = 42;
  dhcp4_init(&r.m, &cfg, link);
  dhcp4_start(&r.m, r.now, &r.a);
  settle(&r);
  return r;
}

static void timer(struct rig *r) {
  cr_assert_neq(r->m.deadline_ns, 0);
  r->now = MAX(r->now, r->m.deadline_ns);
  dhcp4_timeout(&r->m, r->now, &r->a);
  settle(r);
}
static void at(struct rig *r, uint64_t when) {
  r->now = when;
  dhcp4_timeout(&r->m, r->now, &r->a);
  settle(r);
}

static struct dhcp4_reply reply(const struct rig *r, enum dhcp4_type type, uint32_t server, uint32_t lease_s) {
  struct dhcp4_reply d = {.type = type, .xid = r->m.xid, .has_lease = true, .lease_s = lease_s};
  memcpy(d.mac, mac, 6);
  d.params.addr = net_addr_v4(ADDR);
  d.params.prefix_len = 24;
  d.params.server = net_addr_v4(server);
  return d;
}
static void receive(struct rig *r, const struct dhcp4_reply *d) {
  dhcp4_receive(&r->m, d, r->now, &r->a);
  settle(r);
}
static void answer(struct rig *r, enum dhcp4_type type, uint32_t lease_s) {
  struct dhcp4_reply d = reply(r, type, SERVER, lease_s);
  receive(r, &d);
}
static struct rig bound(uint32_t lease_s) {
  struct rig r = rig_new(true);
  answer(&r, DHCP4_OFFER, lease_s);
  answer(&r, DHCP4_ACK, lease_s);
  cr_assert_eq(r.m.state, DHCP_BOUND);
  return r;
}
static bool is_v4(const struct net_addr *a, uint32_t v) { return a->family == AF_INET && net_addr_to_v4(a) == v; }

Test(dhcp4_machine, acquire) {
  struct rig r = rig_new(true);
  cr_assert_eq(r.m.state, DHCP_SELECTING);
  const struct dhcp4_action *s = sent(&r);
  cr_assert_eq(s->message.type, DHCP4_DISCOVER);
  cr_assert_eq(s->to.family, 0);
  cr_assert_str_eq(s->message.hostname, "box");
  uint32_t xid = r.m.xid;
  r.now += 3 * S;
  answer(&r, DHCP4_OFFER, 100);
  cr_assert_eq(r.m.state, DHCP_REQUESTING);
  s = sent(&r);
  cr_assert_eq(s->message.type, DHCP4_REQUEST);
  cr_assert_eq(s->message.xid, xid, "the request carries the offer's id");
  cr_assert_eq(s->message.secs, 3);
  cr_assert(is_v4(&s->message.requested, ADDR));
  cr_assert(is_v4(&s->message.server, SERVER));
  cr_assert_eq(s->message.ciaddr.family, 0);
  uint64_t asked = r.now;
  r.now += 2 * S;
  answer(&r, DHCP4_ACK, 100);
  cr_assert_eq(r.m.state, DHCP_BOUND);
  cr_assert_eq(r.m.lease.t1_ns, asked + 50 * S);
  cr_assert_eq(r.m.lease.t2_ns, asked + 875 * S / 10);
  cr_assert_eq(r.m.lease.expiry_ns, asked + 100 * S, "counts from the request, not from the answer");
  cr_assert_null(sent(&r));
}

Test(dhcp4_machine, silent_server_is_asked_for_ever_and_ever_more_slowly) {
  struct rig r = rig_new(true);
  static const uint64_t want[] = {4, 8, 16, 32, 64, 64, 64};
  for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
    uint64_t gap = r.m.deadline_ns - r.now;
    cr_assert(gap >= (want[i] - 1) * S && gap <= (want[i] + 1) * S, "gap %zu", i);
    timer(&r);
    cr_assert_eq(sent(&r)->message.type, DHCP4_DISCOVER);
  }
  for (int i = 0; i < 1100; i++)
    timer(&r);
  cr_assert_eq(sent(&r)->message.type, DHCP4_DISCOVER);
  cr_assert_eq(sent(&r)->message.secs, UINT16_MAX, "saturates");
}

Test(dhcp4_machine, jitter_comes_from_the_injected_source) {
  struct rig a = rig_new(true), b;
  lcg_state = 43;
  b = a;
  dhcp4_stop(&b.m, b.now, &b.a);
  dhcp4_start(&b.m, b.now, &b.a);
  cr_assert_neq(a.m.deadline_ns, b.m.deadline_ns);
  cr_assert_neq(a.m.xid, b.m.xid);
}

Test(dhcp4_machine, server_silent_after_its_offer) {
  struct rig r = rig_new(true);
  answer(&r, DHCP4_OFFER, 100);
  for (int i = 1; i < 4; i++) {
    timer(&r);
    cr_assert_eq(sent(&r)->message.type, DHCP4_REQUEST);
  }
  uint32_t xid = r.m.xid;
  timer(&r);
  cr_assert_eq(r.m.state, DHCP_SELECTING);
  cr_assert_eq(sent(&r)->message.type, DHCP4_DISCOVER);
  cr_assert_neq(r.m.xid, xid);
}

Test(dhcp4_machine, renewal_at_t1_keeps_everything) {
  struct rig r = bound(1000);
  uint64_t t1 = r.m.lease.t1_ns;
  at(&r, t1 - 1);
  cr_assert_eq(r.a.n, 0, "a nanosecond early nothing happens");
  at(&r, t1);
  cr_assert_eq(r.m.state, DHCP_RENEWING);
  const struct dhcp4_action *s = sent(&r);
  cr_assert(is_v4(&s->to, SERVER), "to the server alone");
  cr_assert(is_v4(&s->message.ciaddr, ADDR));
  cr_assert_eq(s->message.requested.family, 0, "4.3.2: neither option 50 nor 54 in RENEWING");
  cr_assert_eq(s->message.server.family, 0);
  answer(&r, DHCP4_ACK, 1000);
  cr_assert_eq(r.m.state, DHCP_BOUND);
  cr_assert_eq(r.m.lease.expiry_ns, t1 + 1000 * S);
  cr_assert_eq(r.drops, 0);
}

Test(dhcp4_machine, retransmissions_halve_the_rest_but_not_below_a_minute) {
  struct rig r = bound(8000); /* T1 4000, T2 7000 */
  uint64_t start = r.m.lease.t1_ns - 4000 * S;
  static const uint64_t renew[] = {4000, 5500, 6250, 6625, 6812, 6906, 6966, 7000};
  for (size_t i = 0; i < ARRAY_SIZE(renew); i++) {
    timer(&r);
    cr_assert_eq((r.now - start) / S, renew[i], "message %zu", i);
    cr_assert_eq(r.m.state, i + 1 < ARRAY_SIZE(renew) ? DHCP_RENEWING : DHCP_REBINDING);
    cr_assert_not_null(sent(&r));
  }
  cr_assert_eq(sent(&r)->to.family, 0, "rebinding asks everybody");
  cr_assert(is_v4(&sent(&r)->message.ciaddr, ADDR));
  static const uint64_t rebind[] = {7500, 7750, 7875, 7937, 7997, 8000};
  for (size_t i = 0; i < ARRAY_SIZE(rebind); i++) {
    timer(&r);
    cr_assert_eq((r.now - start) / S, rebind[i], "message %zu", i);
  }
  cr_assert_eq(r.m.state, DHCP_EXPIRED);
}

Test(dhcp4_machine, expiry_to_the_nanosecond_then_discovery_for_ever) {
  struct rig r = bound(100);
  uint64_t expiry = r.m.lease.expiry_ns;
  timer(&r);
  timer(&r);
  cr_assert_eq(r.m.state, DHCP_REBINDING);
  at(&r, expiry - 1);
  cr_assert(r.applied);
  at(&r, expiry);
  cr_assert_not(r.applied);
  cr_assert_eq(r.m.state, DHCP_EXPIRED);
  cr_assert_eq(r.a.a[0].kind, DHCP4_ACT_DROP, "the address goes before anything is sent");
  cr_assert_eq(sent(&r)->message.type, DHCP4_DISCOVER);
  for (int i = 0; i < 20; i++)
    timer(&r);
  cr_assert_eq(r.m.state, DHCP_EXPIRED);
  answer(&r, DHCP4_OFFER, 100);
  answer(&r, DHCP4_ACK, 100);
  cr_assert_eq(r.m.state, DHCP_BOUND);
}

Test(dhcp4_machine, suspend_past_everything) {
  struct rig r = bound(100);
  struct dhcp4_reply late = reply(&r, DHCP4_ACK, SERVER, 100);
  r.now = r.m.lease.expiry_ns + 1000 * S;
  receive(&r, &late); /* a frame is handled before the timer: the lease is over all the same */
  cr_assert_eq(r.m.state, DHCP_EXPIRED);
  cr_assert_not(r.applied);
  r = bound(100);
  at(&r, r.m.lease.t2_ns + 1);
  cr_assert_eq(r.m.state, DHCP_REBINDING, "slept past T1 and T2");
}

Test(dhcp4_machine, ack_that_comes_after_its_own_end) {
  struct rig r = rig_new(true);
  answer(&r, DHCP4_OFFER, 2);
  struct dhcp4_reply d = reply(&r, DHCP4_ACK, SERVER, 2);
  r.now += 2 * S;
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_REQUESTING);
  cr_assert_not(r.applied);
}

Test(dhcp4_machine, nak_in_each_state) {
  static const enum dhcp_state states[] = {DHCP_SELECTING, DHCP_REQUESTING, DHCP_BOUND, DHCP_RENEWING, DHCP_REBINDING};
  static const bool heard[] = {false, true, false, true, true};
  for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
    struct rig r = rig_new(true);
    for (int guard = 0; r.m.state != states[i] && guard < 10; guard++) {
      if (r.m.state == DHCP_SELECTING)
        answer(&r, DHCP4_OFFER, 1000);
      else if (r.m.state == DHCP_REQUESTING)
        answer(&r, DHCP4_ACK, 1000);
      else
        timer(&r);
      if (r.m.state == DHCP_RENEWING && states[i] == DHCP_REBINDING)
        at(&r, r.m.lease.t2_ns);
    }
    cr_assert_eq(r.m.state, states[i]);
    if (states[i] != DHCP_SELECTING && states[i] != DHCP_REBINDING) {
      struct dhcp4_reply d = reply(&r, DHCP4_NAK, OTHER, 0);
      receive(&r, &d);
      cr_assert_eq(r.m.state, states[i], "a server that we did not ask");
    }
    answer(&r, DHCP4_NAK, 0);
    cr_assert_eq(r.m.state, heard[i] ? DHCP_INIT : states[i], "NAK while %s", dhcp_state_name(states[i]));
    if (heard[i]) {
      cr_assert_not(r.applied);
      timer(&r);
      cr_assert_eq(r.m.state, DHCP_SELECTING);
    }
  }
}

Test(dhcp4_machine, offers_and_refusals_in_turn_slow_down) {
  struct rig r = rig_new(true);
  uint64_t gap = 0;
  for (int i = 0; i < 10; i++) {
    answer(&r, DHCP4_OFFER, 100);
    answer(&r, DHCP4_NAK, 0);
    uint64_t g = r.m.deadline_ns - r.now;
    cr_assert(g > gap || g == 64 * S);
    gap = g;
    timer(&r);
  }
  cr_assert_eq(gap, 64 * S);
}

Test(dhcp4_machine, foreign_duplicate_and_nonsense_replies) {
  struct rig r = rig_new(true);
  struct dhcp4_reply d = reply(&r, DHCP4_OFFER, SERVER, 100), bad;
  unsigned n = 0;
#define IGNORED(change)                                                                                               \
  do {                                                                                                                \
    bad = d;                                                                                                          \
    change;                                                                                                           \
    receive(&r, &bad);                                                                                                \
    cr_assert_eq(r.a.n, 0, #change);                                                                                  \
    cr_assert_eq(r.m.ignored, ++n, #change);                                                                          \
  } while (0)
  IGNORED(bad.xid++);
  IGNORED(bad.mac[5]++);
  IGNORED(bad.params.addr.family = 0);
  IGNORED(bad.params.server.family = 0);
  IGNORED(bad.lease_s = 0);
  IGNORED(bad.has_lease = false);
  IGNORED(bad.type = DHCP4_ACK);
  IGNORED(bad.type = DHCP4_NAK);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_REQUESTING);
  d.type = DHCP4_ACK;
  IGNORED(bad.type = DHCP4_OFFER); /* the second server's */
  IGNORED(bad.params.server = net_addr_v4(OTHER));
  IGNORED(bad.params.server.family = 0);
  IGNORED(bad.params.addr = net_addr_v4(ADDR + 1));
  IGNORED(bad.lease_s = 0);
  IGNORED(bad.xid--);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_BOUND);
  IGNORED((void)0); /* the ACK again */
  timer(&r);
  cr_assert_eq(r.m.state, DHCP_RENEWING);
  IGNORED((void)0); /* and as late as this */
  d.xid = r.m.xid;
  IGNORED(bad.params.addr = net_addr_v4(ADDR + 1));
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_BOUND);
#undef IGNORED
}

Test(dhcp4_machine, times_that_make_no_sense) {
  static const struct {
    uint32_t lease, t1, t2, want_t1, want_t2;
  } rows[] = {
      {800, 100, 200, 100, 200}, {800, 0, 0, 400, 700},     {800, 300, 200, 400, 700}, {800, 200, 200, 400, 700},
      {800, 100, 800, 400, 700}, {800, 900, 950, 400, 700}, {800, 799, 0, 400, 700},   {800, 100, 0, 100, 700},
      {800, 0, 500, 400, 500},   {800, 0, 300, 400, 700},   {800, UINT32_MAX, UINT32_MAX, 400, 700},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    struct rig r = rig_new(true);
    answer(&r, DHCP4_OFFER, rows[i].lease);
    struct dhcp4_reply d = reply(&r, DHCP4_ACK, SERVER, rows[i].lease);
    d.t1_s = rows[i].t1;
    d.t2_s = rows[i].t2;
    receive(&r, &d);
    cr_assert_eq(r.m.lease.t1_ns, r.now + rows[i].want_t1 * S, "row %zu", i);
    cr_assert_eq(r.m.lease.t2_ns, r.now + rows[i].want_t2 * S, "row %zu", i);
  }
}

Test(dhcp4_machine, lease_of_one_second_and_for_ever) {
  struct rig r = bound(1);
  timer(&r);
  cr_assert_eq(r.m.state, DHCP_RENEWING);
  timer(&r);
  cr_assert_eq(r.m.state, DHCP_REBINDING);
  timer(&r);
  cr_assert_eq(r.m.state, DHCP_EXPIRED);
  r = bound(DHCP4_FOREVER);
  cr_assert_eq(r.m.deadline_ns, 0);
  r.now += 1000000000 * S / 10;
  dhcp4_renew(&r.m, r.now, &r.a);
  settle(&r);
  cr_assert_eq(r.m.state, DHCP_RENEWING);
  for (int i = 0; i < 4; i++)
    timer(&r);
  cr_assert_eq(r.m.state, DHCP_BOUND, "nobody answered: it is still ours");
  cr_assert_eq(r.m.deadline_ns, 0);
  r = bound(DHCP4_FOREVER - 1);
  cr_assert_neq(r.m.deadline_ns, 0);
}

Test(dhcp4_machine, renew_on_demand) {
  struct rig r = bound(8000);
  uint64_t start = r.now;
  dhcp4_renew(&r.m, r.now, &r.a);
  settle(&r);
  cr_assert_eq(r.m.state, DHCP_RENEWING);
  cr_assert(is_v4(&sent(&r)->to, SERVER));
  struct rig silent = r;
  answer(&r, DHCP4_ACK, 8000);
  cr_assert_eq(r.m.state, DHCP_BOUND);
  for (int i = 0; i < 3; i++) {
    timer(&silent);
    cr_assert_not_null(sent(&silent), "a few quick tries");
  }
  timer(&silent);
  cr_assert_eq(silent.m.state, DHCP_BOUND, "then as before");
  cr_assert_lt(silent.now, start + 70 * S);
  cr_assert_eq(silent.m.deadline_ns, start + 4000 * S);
  r = rig_new(true);
  dhcp4_renew(&r.m, r.now, &r.a);
  settle(&r);
  cr_assert_eq(sent(&r)->message.type, DHCP4_DISCOVER);
}

Test(dhcp4_machine, release) {
  struct rig r = rig_new(true);
  cr_assert_eq(dhcp4_release(&r.m, r.now, &r.a), -ENODATA);
  settle(&r);
  r = bound(100);
  cr_assert_eq(dhcp4_release(&r.m, r.now, &r.a), 0);
  cr_assert_eq(r.a.a[0].kind, DHCP4_ACT_SEND, "while there is an address to send from");
  cr_assert_eq(r.a.a[1].kind, DHCP4_ACT_DROP);
  const struct dhcp4_send *s = &sent(&r)->message;
  cr_assert_eq(s->type, DHCP4_RELEASE);
  cr_assert(is_v4(&s->ciaddr, ADDR));
  cr_assert(is_v4(&s->server, SERVER));
  settle(&r);
  cr_assert_eq(r.m.state, DHCP_RELEASED);
  cr_assert_eq(dhcp4_release(&r.m, r.now, &r.a), -ENODATA);
  answer(&r, DHCP4_ACK, 100);
  cr_assert_eq(r.m.state, DHCP_RELEASED);
  dhcp4_renew(&r.m, r.now, &r.a);
  settle(&r);
  cr_assert_eq(r.m.state, DHCP_SELECTING);
}

static void link_to(struct rig *r, bool up) {
  dhcp4_link(&r->m, up, r->now, &r->a);
  settle(r);
}

Test(dhcp4_machine, link_without_lease) {
  struct rig r = rig_new(false);
  cr_assert_eq(r.m.state, DHCP_INIT);
  cr_assert_eq(r.sent, 0);
  link_to(&r, true);
  cr_assert_eq(r.m.state, DHCP_SELECTING);
  answer(&r, DHCP4_OFFER, 100);
  link_to(&r, false);
  cr_assert_eq(r.m.state, DHCP_INIT);
  link_to(&r, true);
  cr_assert_eq(sent(&r)->message.type, DHCP4_DISCOVER);
}

Test(dhcp4_machine, link_comes_back_with_a_live_lease) {
  struct rig r = bound(8000);
  link_to(&r, false);
  cr_assert(r.applied);
  r.now += 100 * S;
  link_to(&r, true);
  cr_assert_eq(r.m.state, DHCP_REBINDING);
  const struct dhcp4_action *s = sent(&r);
  cr_assert_eq(s->to.family, 0);
  cr_assert(is_v4(&s->message.requested, ADDR), "as after a reboot");
  cr_assert_eq(s->message.ciaddr.family, 0);
  cr_assert_eq(s->message.server.family, 0);
  struct rig yes = r, no = r;
  struct dhcp4_reply d = reply(&yes, DHCP4_ACK, OTHER, 8000);
  receive(&yes, &d);
  cr_assert_eq(yes.m.state, DHCP_BOUND);
  cr_assert_eq(yes.drops, 0);
  d = reply(&no, DHCP4_NAK, OTHER, 0);
  receive(&no, &d);
  cr_assert_not(no.applied);
  for (int i = 0; i < 4; i++)
    timer(&r);
  cr_assert_eq(r.m.state, DHCP_BOUND, "nobody knows: the lease holds until its end");
}

Test(dhcp4_machine, lease_ends_while_the_link_is_down) {
  struct rig r = bound(100);
  link_to(&r, false);
  unsigned before = r.sent;
  while (r.m.has_lease)
    timer(&r);
  cr_assert_eq(r.m.state, DHCP_EXPIRED);
  cr_assert_eq(r.sent, before, "nothing is sent into a dead link");
  link_to(&r, true);
  cr_assert_eq(sent(&r)->message.type, DHCP4_DISCOVER);
}

Test(dhcp4_machine, stop_and_start) {
  struct rig r = bound(100);
  dhcp4_stop(&r.m, r.now, &r.a);
  settle(&r);
  cr_assert_eq(r.m.state, DHCP_OFF);
  cr_assert_not(r.applied);
  dhcp4_start(&r.m, r.now, &r.a);
  settle(&r);
  cr_assert_eq(r.m.state, DHCP_SELECTING);
}

/* One random event: mostly the timer and half-sensible servers. settle() checks the invariants after each. */
static void random_event(struct rig *r) {
  static const uint32_t leases[] = {0, 1, 2, 60, 120, 3600, DHCP4_FOREVER};
  uint32_t what = lcg(NULL) % 100;
  r->now += lcg(NULL) % 4 == 0 ? lcg(NULL) % (30 * S) : lcg(NULL) % 1000000;
  if (what < 60) {
    uint32_t lease_s = leases[lcg(NULL) % ARRAY_SIZE(leases)];
    struct dhcp4_reply d = reply(r, DHCP4_OFFER, lcg(NULL) % 8 ? SERVER : OTHER, lease_s);
    static const enum dhcp4_type types[] = {DHCP4_OFFER, DHCP4_OFFER, DHCP4_ACK, DHCP4_ACK, DHCP4_NAK};
    d.type = types[lcg(NULL) % ARRAY_SIZE(types)];
    d.xid += lcg(NULL) % 10 == 0;
    d.t1_s = lcg(NULL) % 3 ? 0 : lcg(NULL) % 5000;
    d.t2_s = lcg(NULL) % 3 ? 0 : lcg(NULL) % 5000;
    receive(r, &d);
  } else if (what < 90) {
    if (r->m.deadline_ns != 0)
      r->now = MAX(r->now, r->m.deadline_ns) + lcg(NULL) % 3 * S; /* late, too */
    at(r, r->now);
  } else if (what < 94) {
    link_to(r, lcg(NULL) % 4 != 0);
  } else if (what < 96) {
    dhcp4_renew(&r->m, r->now, &r->a);
    settle(r);
  } else if (what < 97) {
    (void)dhcp4_release(&r->m, r->now, &r->a);
    settle(r);
  } else if (what < 98) {
    dhcp4_stop(&r->m, r->now, &r->a);
    settle(r);
  } else {
    dhcp4_start(&r->m, r->now, &r->a);
    settle(r);
  }
}

Test(dhcp4_machine, random_histories) {
  unsigned seen[DHCP_RELEASED + 1] = {0};
  for (uint64_t seed = 1; seed <= 200; seed++) {
    struct rig r = rig_new(true);
    lcg_state = seed;
    for (int i = 0; i < 500; i++) {
      random_event(&r);
      seen[r.m.state]++;
    }
  }
  for (int s = DHCP_OFF; s <= DHCP_RELEASED; s++)
    cr_assert_gt(seen[s], 0, "no history was ever %s", dhcp_state_name((enum dhcp_state)s));
}
