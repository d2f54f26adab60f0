/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv4 machine under a clock moved by hand: the ways through RFC 2131 figure 5, hostile and confused servers.
 */
#include "dhcp4_rig.h"

Test(dhcp4_machine, acquire) {
  struct rig r = rig_new(true);
  cr_assert_eq(r.m.state, DHCP_SELECTING);
  const struct dhcp4_action *s = sent(&r);
  cr_assert_eq(s->message.type, DHCP4_DISCOVER);
  cr_assert_eq(s->to.family, 0);
  uint32_t xid = r.m.xid;
  timer(&r);
  timer(&r);
  uint16_t secs = sent(&r)->message.secs;
  cr_assert_geq(secs, 10);
  r.now += 3 * S;
  answer(&r, DHCP4_OFFER, 100);
  cr_assert_eq(r.m.state, DHCP_REQUESTING);
  s = sent(&r);
  cr_assert_eq(s->message.type, DHCP4_REQUEST);
  cr_assert_eq(s->message.xid, xid, "the request carries the offer's id");
  cr_assert_eq(s->message.secs, secs, "3.1 (3): as the DISCOVER that was answered");
  cr_assert(is_v4(&s->message.requested, ADDR));
  cr_assert(is_v4(&s->message.server, SERVER));
  cr_assert_eq(s->message.ciaddr.family, 0);
  uint64_t asked = r.now;
  r.now += 2 * S;
  answer(&r, DHCP4_ACK, 100);
  cr_assert_eq(r.m.state, DHCP_BOUND);
  NEAR(r.m.lease.t1_ns, asked + 50 * S);
  NEAR(r.m.lease.t2_ns, asked + 875 * S / 10);
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
  NEAR(t1, r.now + 500 * S);
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
  uint64_t start = r.now;
  static const uint64_t renew[] = {4000, 5500, 6250, 6625, 6812, 6906, 6966, 7000};
  for (size_t i = 0; i < ARRAY_SIZE(renew); i++) {
    timer(&r);
    cr_assert_eq((r.now + S / 2 - start) / S, renew[i], "message %zu", i);
    cr_assert_eq(r.m.state, i + 1 < ARRAY_SIZE(renew) ? DHCP_RENEWING : DHCP_REBINDING);
    cr_assert_not_null(sent(&r));
  }
  cr_assert_eq(sent(&r)->to.family, 0, "rebinding asks everybody");
  cr_assert(is_v4(&sent(&r)->message.ciaddr, ADDR));
  static const uint64_t rebind[] = {7500, 7750, 7875, 7937, 7997, 8000};
  for (size_t i = 0; i < ARRAY_SIZE(rebind); i++) {
    timer(&r);
    cr_assert_eq((r.now + S / 2 - start) / S, rebind[i], "message %zu", i);
  }
  cr_assert_eq(r.m.state, DHCP_EXPIRED);
}

Test(dhcp4_machine, expiry_to_the_nanosecond_then_discovery_for_ever) {
  struct rig r = bound(100);
  uint64_t expiry = r.m.lease.expiry_ns;
  at(&r, r.m.lease.t1_ns);
  at(&r, r.m.lease.t2_ns);
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
    cr_assert_eq(r.m.state, heard[i] ? DHCP_SELECTING : states[i], "NAK while %s", dhcp_state_name(states[i]));
    if (heard[i]) {
      cr_assert_not(r.applied);
      cr_assert_eq(r.forgets, 1);
      cr_assert_eq(sent(&r)->message.type, DHCP4_DISCOVER, "from the start, at once");
    }
  }
}

Test(dhcp4_machine, offers_and_refusals_in_turn_slow_down) {
  struct rig r = rig_new(true);
  uint64_t gap = 0;
  answer(&r, DHCP4_OFFER, 100);
  answer(&r, DHCP4_NAK, 0);
  cr_assert_eq(r.m.state, DHCP_SELECTING, "the first time at once");
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
#define IGNORED(change, reason)                                                                                       \
  do {                                                                                                                \
    uint64_t was = r.m.ignored[reason];                                                                               \
    bad = d;                                                                                                          \
    change;                                                                                                           \
    receive(&r, &bad);                                                                                                \
    cr_assert_eq(r.a.n, 0, #change);                                                                                  \
    cr_assert_eq(r.m.ignored[reason], was + 1, #change);                                                              \
    cr_assert_eq(ignored(&r), ++n, #change);                                                                          \
  } while (0)
  IGNORED(bad.xid++, DHCP4_OTHER_XID);
  IGNORED(bad.mac[5]++, DHCP4_OTHER_MAC);
  IGNORED(bad.params.addr.family = 0, DHCP4_NO_ADDRESS);
  IGNORED(bad.params.server.family = 0, DHCP4_NO_SERVER);
  IGNORED(bad.lease_s = 0, DHCP4_NO_LEASE);
  IGNORED(bad.has_lease = false, DHCP4_NO_LEASE);
  IGNORED(bad.type = DHCP4_ACK, DHCP4_UNEXPECTED);
  IGNORED(bad.type = DHCP4_NAK, DHCP4_UNEXPECTED);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_REQUESTING);
  d.type = DHCP4_ACK;
  IGNORED(bad.type = DHCP4_OFFER, DHCP4_UNEXPECTED); /* the second server's */
  IGNORED(bad.params.server = net_addr_v4(OTHER), DHCP4_OTHER_SERVER);
  IGNORED(bad.params.server.family = 0, DHCP4_NO_SERVER);
  IGNORED(bad.params.addr = net_addr_v4(ADDR + 1), DHCP4_OTHER_ADDRESS);
  IGNORED(bad.lease_s = 0, DHCP4_NO_LEASE);
  IGNORED(bad.xid--, DHCP4_OTHER_XID);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_BOUND);
  IGNORED((void)0, DHCP4_OTHER_XID); /* the ACK again */
  timer(&r);
  cr_assert_eq(r.m.state, DHCP_RENEWING);
  IGNORED((void)0, DHCP4_OTHER_XID); /* and as late as this */
  d.xid = r.m.xid;
  IGNORED(bad.params.addr = net_addr_v4(ADDR + 1), DHCP4_OTHER_ADDRESS);
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
    NEAR(r.m.lease.t1_ns, r.now + rows[i].want_t1 * S);
    NEAR(r.m.lease.t2_ns, r.now + rows[i].want_t2 * S);
    cr_assert_eq(r.m.ignored[DHCP4_ODD_TIMES] > 0, rows[i].want_t1 == 400 && rows[i].want_t2 == 700 && i != 1, "row %zu", i);
  }
}

Test(dhcp4_machine, lease_of_one_second_and_for_ever) {
  struct rig r = bound(1);
  timer(&r);
  cr_assert_eq(r.m.state, DHCP_RENEWING);
  while (r.m.state == DHCP_RENEWING)
    timer(&r);
  cr_assert_eq(r.m.state, DHCP_REBINDING);
  while (r.m.state == DHCP_REBINDING)
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
  NEAR(silent.m.deadline_ns, start + 4000 * S);
  r = rig_new(true);
  dhcp4_renew(&r.m, r.now, &r.a);
  settle(&r);
  cr_assert_eq(sent(&r)->message.type, DHCP4_DISCOVER);
}

Test(dhcp4_machine, renew_on_demand_of_a_short_lease) {
  struct rig r = bound(40); /* T2 at 35 s; the fourth quick try would wait beyond its end */
  uint64_t t2 = r.m.lease.t2_ns;
  dhcp4_renew(&r.m, r.now, &r.a);
  settle(&r);
  while (r.now < t2) {
    cr_assert(is_v4(&sent(&r)->to, SERVER));
    timer(&r);
  }
  cr_assert_eq(r.now, t2);
  cr_assert_eq(r.m.state, DHCP_REBINDING);
  cr_assert_eq(sent(&r)->to.family, 0, "everybody is asked before the lease ends");
}

Test(dhcp4_machine, release) {
  struct rig r = rig_new(true);
  cr_assert_eq(dhcp4_release(&r.m, r.now, &r.a), -ENODATA);
  settle(&r);
  r = bound(100);
  cr_assert_eq(dhcp4_release(&r.m, r.now, &r.a), 0);
  cr_assert_eq(r.a.a[0].kind, DHCP4_ACT_DROP, "nothing else leaves from the address once the server knows");
  cr_assert_eq(r.a.a[1].kind, DHCP4_ACT_SEND);
  cr_assert(is_v4(&r.a.a[1].src, ADDR), "from it all the same");
  cr_assert_eq(r.a.a[2].kind, DHCP4_ACT_FORGET);
  const struct dhcp4_send *s = &sent(&r)->message;
  cr_assert_eq(s->type, DHCP4_RELEASE);
  cr_assert(is_v4(&s->ciaddr, ADDR));
  cr_assert(is_v4(&s->server, SERVER));
  cr_assert_not_null(s->message, "table 5");
  settle(&r);
  cr_assert_eq(r.m.state, DHCP_RELEASED);
  cr_assert_eq(dhcp4_release(&r.m, r.now, &r.a), -ENODATA);
  answer(&r, DHCP4_ACK, 100);
  cr_assert_eq(r.m.state, DHCP_RELEASED);
  dhcp4_renew(&r.m, r.now, &r.a);
  settle(&r);
  cr_assert_eq(r.m.state, DHCP_SELECTING);
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
  cr_assert_eq(r.m.state, DHCP_REBOOTING);
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
