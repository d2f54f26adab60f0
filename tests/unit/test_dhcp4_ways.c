/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv4 machine where it has a choice: which offer, the last lease after a restart, conflicts, standby, rapid commit,
 * networks that want no IPv4.
 */
#include "dhcp4_rig.h"

#include "netconf/dhcp4_inform.h"

static struct dhcp4_reply offer(const struct rig *r, uint32_t server, uint32_t addr, bool router, bool dns) {
  struct dhcp4_reply d = reply(r, DHCP4_OFFER, server, 3600);
  d.params.addr = net_addr_v4(addr);
  if (router)
    d.params.gateway = net_addr_v4(server);
  if (dns)
    d.params.dns[d.params.n_dns++] = net_addr_v4(server);
  return d;
}

static struct dhcp4_lease last_lease(uint64_t now, uint32_t s) {
  struct dhcp4_lease l = {.t1_ns = now + s * S / 2, .t2_ns = now + s * S / 8 * 7, .expiry_ns = now + s * S};
  l.params.addr = net_addr_v4(ADDR);
  l.params.prefix_len = 24;
  l.params.server = net_addr_v4(SERVER);
  return l;
}

/* --- which offer -------------------------------------------------------------------------------------------------- */

static struct rig waiting(void) {
  struct rig r = rig_with(true, &(struct dhcp4_config){.offer_wait_ns = 100 * MS});
  start(&r);
  return r;
}
static void offered(struct rig *r, uint32_t server, uint32_t addr, bool router, bool dns) {
  struct dhcp4_reply d = offer(r, server, addr, router, dns);
  receive(r, &d);
}

Test(dhcp4_ways, best_offer_within_the_wait) {
  struct rig r = waiting();
  offered(&r, SERVER, ADDR, false, false);
  cr_assert_eq(r.m.state, DHCP_SELECTING);
  cr_assert_eq(r.m.deadline_ns, r.now + 100 * MS);
  r.now += 50 * MS;
  offered(&r, OTHER, ADDR + 1, true, false);
  offered(&r, OTHER + 1, ADDR + 2, false, true);
  cr_assert_eq(r.m.deadline_ns, r.now + 50 * MS, "the wait is bounded from the first");
  timer(&r);
  cr_assert_eq(r.m.state, DHCP_REQUESTING);
  cr_assert(is_v4(&sent(&r)->message.server, OTHER), "a router is worth more than name servers");
  cr_assert(is_v4(&sent(&r)->message.requested, ADDR + 1));
  cr_assert_str_eq(r.a.a[0].why, "the best of several offers");
  offered(&r, SERVER, ADDR, true, true);
  cr_assert_eq(r.m.ignored[DHCP4_UNEXPECTED], 1, "too late");
}

Test(dhcp4_ways, complete_offer_ends_the_wait) {
  struct rig r = waiting();
  offered(&r, SERVER, ADDR, true, true);
  cr_assert_eq(r.m.state, DHCP_REQUESTING);
  r = waiting();
  offered(&r, SERVER, ADDR, false, true);
  offered(&r, OTHER, ADDR, true, true);
  cr_assert_eq(r.m.state, DHCP_REQUESTING);
  cr_assert(is_v4(&sent(&r)->message.server, OTHER));
}

Test(dhcp4_ways, equal_offers_longer_lease_then_first) {
  struct rig r = waiting();
  offered(&r, SERVER, ADDR, false, false);
  struct dhcp4_reply d = offer(&r, OTHER, ADDR + 1, false, false);
  receive(&r, &d);
  timer(&r);
  cr_assert(is_v4(&sent(&r)->message.server, SERVER), "the first");
  r = waiting();
  offered(&r, SERVER, ADDR, false, false);
  d = offer(&r, OTHER, ADDR + 1, false, false);
  d.lease_s = 7200;
  receive(&r, &d);
  d = offer(&r, OTHER + 1, ADDR + 2, false, false);
  d.lease_s = 60;
  receive(&r, &d);
  timer(&r);
  cr_assert(is_v4(&sent(&r)->message.server, OTHER), "the longer");
}

Test(dhcp4_ways, the_address_that_we_had_is_worth_most) {
  struct rig r = rig_with(true, &(struct dhcp4_config){.offer_wait_ns = 100 * MS});
  struct dhcp4_lease l = last_lease(r.now, 100);
  dhcp4_remember(&r.m, &l, false, false);
  start(&r);
  cr_assert_eq(sent(&r)->message.type, DHCP4_DISCOVER);
  cr_assert(is_v4(&sent(&r)->message.requested, ADDR), "named in DISCOVER");
  offered(&r, OTHER, ADDR + 1, true, true);
  cr_assert_eq(r.m.state, DHCP_SELECTING, "another may still offer it");
  offered(&r, SERVER, ADDR, false, false);
  timer(&r);
  cr_assert(is_v4(&sent(&r)->message.server, SERVER));
}

Test(dhcp4_ways, unusable_offers_start_no_wait) {
  struct rig r = waiting();
  struct dhcp4_reply d = offer(&r, SERVER, ADDR, true, true);
  uint64_t deadline = r.m.deadline_ns;
  d.lease_s = 0;
  receive(&r, &d);
  cr_assert_eq(r.m.deadline_ns, deadline);
  cr_assert_eq(r.m.n_offers, 0);
}

/* --- the last lease ----------------------------------------------------------------------------------------------- */

static struct rig rebooted(bool live, const struct dhcp4_config *cfg) {
  struct rig r = rig_with(true, cfg);
  struct dhcp4_lease l = last_lease(r.now, 1000);
  dhcp4_remember(&r.m, &l, true, live);
  start(&r);
  cr_assert_eq(r.m.state, DHCP_REBOOTING);
  return r;
}

Test(dhcp4_ways, init_reboot) {
  struct rig r = rebooted(true, &(struct dhcp4_config){0});
  const struct dhcp4_action *s = sent(&r);
  cr_assert_eq(s->message.type, DHCP4_REQUEST);
  cr_assert_eq(s->to.family, 0, "to everybody");
  cr_assert(is_v4(&s->message.requested, ADDR));
  cr_assert_eq(s->message.server.family, 0, "4.3.2: no server identifier");
  cr_assert_eq(s->message.ciaddr.family, 0, "4.3.2: no ciaddr");
  struct dhcp4_reply d = reply(&r, DHCP4_ACK, OTHER, 500);
  d.params.addr = net_addr_v4(ADDR + 1);
  receive(&r, &d);
  cr_assert_eq(r.m.ignored[DHCP4_OTHER_ADDRESS], 1);
  uint64_t asked = r.now;
  r.now += S;
  answer(&r, DHCP4_ACK, 500);
  cr_assert_eq(r.m.state, DHCP_BOUND);
  cr_assert_eq(r.m.lease.expiry_ns, asked + 500 * S);
}

Test(dhcp4_ways, init_reboot_refused) {
  struct rig r = rebooted(true, &(struct dhcp4_config){0});
  answer(&r, DHCP4_NAK, 0);
  cr_assert_eq(r.m.state, DHCP_SELECTING, "from the start, at once");
  cr_assert_eq(r.forgets, 1);
  cr_assert_eq(sent(&r)->message.type, DHCP4_DISCOVER);
  cr_assert_eq(sent(&r)->message.requested.family, 0, "it is not ours any more");
}

Test(dhcp4_ways, init_reboot_unanswered) {
  for (int live = 0; live < 2; live++) {
    struct rig r = rebooted(live, &(struct dhcp4_config){0});
    uint64_t begun = r.now;
    timer(&r);
    cr_assert_eq(sent(&r)->message.type, DHCP4_REQUEST, "a second time");
    timer(&r);
    cr_assert_eq(r.m.state, DHCP_SELECTING);
    cr_assert_eq(sent(&r)->message.type, DHCP4_DISCOVER);
    cr_assert_leq(r.now, begun + 6 * S);
    cr_assert_not(r.applied, "whoever offers something now knows better");
    timer(&r);
    cr_assert_eq(r.m.state, live ? DHCP_BOUND : DHCP_SELECTING, "nobody speaks at all");
    cr_assert_leq(r.now, begun + 11 * S);
    if (live)
      cr_assert_eq(r.m.lease.expiry_ns, begun + 1000 * S, "not a second more than it had");
  }
}

Test(dhcp4_ways, init_reboot_elsewhere) {
  struct rig r = rebooted(true, &(struct dhcp4_config){0});
  timer(&r);
  timer(&r);
  struct dhcp4_reply d = offer(&r, OTHER, ADDR + 9, true, true);
  receive(&r, &d);
  d.type = DHCP4_ACK;
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_BOUND);
  cr_assert(is_v4(&r.m.lease.params.addr, ADDR + 9));
}

Test(dhcp4_ways, last_lease_past_its_t1_and_its_end) {
  struct rig r = rebooted(true, &(struct dhcp4_config){0});
  timer(&r);
  timer(&r);
  at(&r, r.m.memory.lease.t2_ns + S);
  cr_assert_eq(r.m.state, DHCP_REBINDING, "used, and T2 is over");
  r = rebooted(true, &(struct dhcp4_config){0});
  timer(&r);
  timer(&r);
  at(&r, r.m.memory.lease.expiry_ns);
  cr_assert_eq(r.m.state, DHCP_SELECTING);
  cr_assert_not(r.applied);
  r = rig_with(true, &(struct dhcp4_config){0});
  struct dhcp4_lease l = last_lease(r.now, 10);
  dhcp4_remember(&r.m, &l, true, true);
  r.now += 11 * S;
  start(&r);
  cr_assert_eq(r.m.state, DHCP_SELECTING, "over before the start");
}

Test(dhcp4_ways, last_lease_is_probed_too) {
  struct rig r = rebooted(true, &(struct dhcp4_config){.probe = true});
  for (int i = 0; i < 3; i++)
    timer(&r);
  cr_assert_eq(r.m.state, DHCP_PROBING);
  struct rig taken = r;
  probed(&r, false);
  cr_assert_eq(r.m.state, DHCP_BOUND);
  probed(&taken, true);
  cr_assert_eq(taken.m.state, DHCP_INIT);
  cr_assert_eq(sent(&taken)->message.type, DHCP4_DECLINE);
}

/* --- conflicts ---------------------------------------------------------------------------------------------------- */

static struct rig probing(void) {
  struct rig r = rig_with(true, &(struct dhcp4_config){.probe = true});
  start(&r);
  answer(&r, DHCP4_OFFER, 100);
  answer(&r, DHCP4_ACK, 100);
  cr_assert_eq(r.m.state, DHCP_PROBING);
  cr_assert_not(r.applied);
  return r;
}

Test(dhcp4_ways, probed_before_use) {
  struct rig r = probing();
  uint64_t asked = r.now;
  uint64_t next;
  cr_assert_str_eq(dhcp4_next(&r.m, &next), "use");
  answer(&r, DHCP4_ACK, 100);
  cr_assert_eq(r.m.state, DHCP_PROBING, "a duplicate changes nothing");
  r.now += 5 * S;
  probed(&r, false);
  cr_assert_eq(r.m.state, DHCP_BOUND);
  cr_assert_eq(r.m.lease.expiry_ns, asked + 100 * S, "counts from the request all the same");
  timer(&r);
  answer(&r, DHCP4_ACK, 100);
  cr_assert_eq(r.m.state, DHCP_BOUND, "a renewal is not probed");
  probed(&r, true);
  cr_assert_eq(r.m.state, DHCP_BOUND, "a result that nobody waits for");
}

Test(dhcp4_ways, conflict_then_decline_then_a_new_address) {
  struct rig r = probing();
  probed(&r, true);
  cr_assert_eq(r.m.state, DHCP_INIT);
  const struct dhcp4_action *s = sent(&r);
  cr_assert_eq(s->message.type, DHCP4_DECLINE);
  cr_assert_eq(s->to.family, 0, "4.4.4: broadcast");
  cr_assert(is_v4(&s->message.requested, ADDR));
  cr_assert(is_v4(&s->message.server, SERVER));
  cr_assert_eq(s->message.ciaddr.family, 0);
  cr_assert_eq(s->message.secs, 0, "table 5");
  cr_assert_not_null(s->message.message, "table 5: it says why");
  cr_assert_eq(r.m.deadline_ns, r.now + 10 * S, "3.1.5: ten seconds at least");
  cr_assert_eq(r.forgets, 1);
  timer(&r);
  cr_assert_eq(sent(&r)->message.type, DHCP4_DISCOVER);
  struct dhcp4_reply d = reply(&r, DHCP4_OFFER, SERVER, 100);
  d.params.addr = net_addr_v4(ADDR + 1);
  receive(&r, &d);
  d.type = DHCP4_ACK;
  receive(&r, &d);
  probed(&r, false);
  cr_assert(is_v4(&r.m.lease.params.addr, ADDR + 1));
  cr_assert_eq(r.m.conflicts, 0);
}

Test(dhcp4_ways, server_that_offers_a_taken_address_for_ever) {
  struct rig r = probing();
  uint64_t gap = 0;
  for (int i = 0; i < 9; i++) {
    probed(&r, true);
    cr_assert_geq(r.m.deadline_ns - r.now, MAX(gap, 10 * S));
    gap = r.m.deadline_ns - r.now;
    timer(&r);
    answer(&r, DHCP4_OFFER, 100);
    answer(&r, DHCP4_ACK, 100);
    cr_assert_eq(r.m.state, DHCP_PROBING);
  }
  cr_assert_eq(gap, 320 * S, "bounded");
}

Test(dhcp4_ways, conflict_in_use) {
  struct rig r = bound(1000);
  dhcp4_conflict(&r.m, r.now, &r.a);
  settle(&r);
  cr_assert_eq(r.m.state, DHCP_INIT);
  cr_assert_eq(r.a.a[0].kind, DHCP4_ACT_DROP, "the address goes first");
  cr_assert_eq(sent(&r)->message.type, DHCP4_DECLINE);
  cr_assert(is_v4(&sent(&r)->message.requested, ADDR));
  timer(&r);
  cr_assert_eq(r.m.state, DHCP_SELECTING);
  dhcp4_conflict(&r.m, r.now, &r.a);
  cr_assert_eq(r.a.n, 0);
}

Test(dhcp4_ways, probing_is_bounded_by_the_lease_and_the_link) {
  struct rig r = probing();
  at(&r, r.m.pending.expiry_ns);
  cr_assert_eq(r.m.state, DHCP_SELECTING, "over before it was used");
  r = probing();
  link_to(&r, false);
  cr_assert_eq(r.m.state, DHCP_INIT);
  link_to(&r, true);
  cr_assert_eq(r.m.state, DHCP_REBOOTING, "it was granted: is it still ours?");
}

/* --- rapid commit, RFC 4039 --------------------------------------------------------------------------------------- */

Test(dhcp4_ways, rapid_commit) {
  struct rig r = rig_with(true, &(struct dhcp4_config){.rapid_commit = true});
  start(&r);
  cr_assert(sent(&r)->message.rapid);
  answer(&r, DHCP4_ACK, 100);
  cr_assert_eq(r.m.state, DHCP_SELECTING, "an ACK without the option is none that was asked for");
  timer(&r);
  uint64_t asked = r.now;
  struct dhcp4_reply d = reply(&r, DHCP4_ACK, SERVER, 100);
  d.rapid = true;
  r.now += S;
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_BOUND);
  cr_assert_eq(r.m.lease.expiry_ns, asked + 100 * S, "from the DISCOVER that it answers");
  r = rig_new(true);
  cr_assert_not(sent(&r)->message.rapid);
  d = reply(&r, DHCP4_ACK, SERVER, 100);
  d.rapid = true;
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_SELECTING, "not asked for");
}

Test(dhcp4_ways, rapid_commit_wanted_and_an_offer_comes) {
  struct rig r = rig_with(true, &(struct dhcp4_config){.rapid_commit = true});
  start(&r);
  answer(&r, DHCP4_OFFER, 100);
  cr_assert_eq(r.m.state, DHCP_REQUESTING);
  cr_assert_not(sent(&r)->message.rapid);
  answer(&r, DHCP4_ACK, 100);
  cr_assert_eq(r.m.state, DHCP_BOUND);
}

/* --- IPv6-only preferred, RFC 8925 -------------------------------------------------------------------------------- */

Test(dhcp4_ways, ipv6_only_preferred) {
  static const struct {
    uint32_t says, waits;
  } rows[] = {{0, 300}, {299, 300}, {1800, 1800}};
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    struct rig r = rig_with(true, &(struct dhcp4_config){.v6only = true});
    start(&r);
    cr_assert(sent(&r)->message.v6only);
    struct dhcp4_reply d = reply(&r, DHCP4_OFFER, SERVER, 100);
    d.has_v6only = true;
    d.v6only_s = rows[i].says;
    receive(&r, &d);
    cr_assert_eq(r.m.state, DHCP_IPV6_ONLY);
    cr_assert_null(sent(&r), "nothing is requested");
    cr_assert_eq(r.m.deadline_ns, r.now + rows[i].waits * S, "not less than MIN_V6ONLY_WAIT");
    struct rig back = r;
    timer(&r);
    cr_assert_eq(sent(&r)->message.type, DHCP4_DISCOVER);
    link_to(&back, false);
    link_to(&back, true);
    cr_assert_eq(sent(&back)->message.type, DHCP4_DISCOVER, "another attachment to a network");
  }
}

Test(dhcp4_ways, ipv6_only_offer_without_an_address) {
  struct rig r = rig_with(true, &(struct dhcp4_config){.v6only = true, .offer_wait_ns = 100 * MS});
  start(&r);
  offered(&r, OTHER, ADDR, false, false);
  cr_assert_eq(r.m.state, DHCP_SELECTING);
  struct dhcp4_reply d = {.type = DHCP4_OFFER, .xid = r.m.xid, .has_v6only = true, .v6only_s = 1800};
  memcpy(d.mac, mac, 6);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_SELECTING, "of no server");
  d.params.server = net_addr_v4(SERVER);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_IPV6_ONLY, "3.3: 0.0.0.0 is what a server should offer then");
  cr_assert_eq(r.m.deadline_ns, r.now + 1800 * S);
}

Test(dhcp4_ways, ipv6_only_is_heard_only_by_who_asked) {
  struct rig r = rig_new(true);
  cr_assert_not(sent(&r)->message.v6only);
  struct dhcp4_reply d = reply(&r, DHCP4_OFFER, SERVER, 100);
  d.has_v6only = true;
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_REQUESTING);
  r = rebooted(true, &(struct dhcp4_config){.v6only = true});
  d = reply(&r, DHCP4_ACK, SERVER, 100);
  d.has_v6only = true;
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_IPV6_ONLY, "nothing was in use yet");
  r = rig_with(true, &(struct dhcp4_config){.v6only = true});
  start(&r);
  answer(&r, DHCP4_OFFER, 100);
  d = reply(&r, DHCP4_ACK, SERVER, 100);
  d.has_v6only = true;
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_BOUND, "3.2: in any other state the address that was granted is used");
  timer(&r);
  d = reply(&r, DHCP4_ACK, SERVER, 100);
  d.has_v6only = true;
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_BOUND, "what is in use is not taken away");
}

/* --- standby ------------------------------------------------------------------------------------------------------ */

static void standby(struct rig *r) {
  dhcp4_standby(&r->m, r->now, &r->a);
  settle(r);
}

Test(dhcp4_ways, standby_and_back) {
  struct rig r = bound(1000);
  uint64_t expiry = r.m.lease.expiry_ns;
  standby(&r);
  cr_assert_eq(r.m.state, DHCP_STANDBY);
  cr_assert_not(r.applied);
  cr_assert_null(sent(&r), "the server is not told");
  uint64_t next;
  cr_assert_str_eq(dhcp4_next(&r.m, &next), "expiry");
  cr_assert_eq(next, expiry);
  at(&r, r.now + 900 * S);
  cr_assert_eq(r.sent, 2, "not renewed");
  struct rig over = r;
  start(&r);
  cr_assert_eq(r.m.state, DHCP_REBOOTING, "still live: is it still ours?");
  answer(&r, DHCP4_ACK, 1000);
  cr_assert_eq(r.m.state, DHCP_BOUND);
  timer(&over);
  cr_assert_eq(over.now, expiry);
  cr_assert_eq(over.m.state, DHCP_OFF);
  start(&over);
  cr_assert_eq(over.m.state, DHCP_SELECTING);
  cr_assert(is_v4(&sent(&over)->message.requested, ADDR), "named, as the address that we had");
}

Test(dhcp4_ways, standby_without_a_lease_released_and_for_ever) {
  struct rig r = rig_new(true);
  standby(&r);
  cr_assert_eq(r.m.state, DHCP_OFF);
  r = bound(1000);
  standby(&r);
  cr_assert_eq(dhcp4_release(&r.m, r.now, &r.a), 0);
  settle(&r);
  cr_assert_eq(r.m.state, DHCP_RELEASED);
  cr_assert(is_v4(&sent(&r)->message.ciaddr, ADDR));
  cr_assert(is_v4(&sent(&r)->src, ADDR), "by its own address");
  cr_assert(is_v4(&sent(&r)->hop, SERVER), "which is on its link");
  r = bound(1000);
  cr_assert_eq(dhcp4_release(&r.m, r.now, &r.a), 0);
  cr_assert(is_v4(&sent(&r)->src, ADDR), "in force, too");
  settle(&r);
  cr_assert_not(r.applied);
  r = bound(DHCP4_FOREVER);
  standby(&r);
  cr_assert_eq(r.m.state, DHCP_STANDBY);
  cr_assert_eq(r.m.deadline_ns, 0);
  r = probing();
  standby(&r);
  cr_assert_eq(r.m.state, DHCP_STANDBY, "granted, though not in use yet");
}

/* The server of a lease may be behind a relay; the way there is the lease's. */
Test(dhcp4_ways, released_on_standby_by_the_way_of_the_lease) {
  struct rig r = bound(1000);
  struct dhcp4_params *p = &r.m.lease.params;
  p->server = net_addr_v4(0xc0000209); /* 192.0.2.9 */
  p->gateway = net_addr_v4(SERVER);
  struct rig routed = r;
  standby(&r);
  cr_assert_eq(dhcp4_release(&r.m, r.now, &r.a), 0);
  cr_assert(is_v4(&sent(&r)->hop, SERVER), "the router");
  cr_assert(net_addr_equal(&sent(&r)->to, &sent(&r)->message.server));
  p = &routed.m.lease.params;
  p->routes[p->n_routes++] = (struct dhcp4_route){{net_addr_v4(0xc0000200), 24}, net_addr_v4(SERVER + 1)};
  standby(&routed);
  cr_assert_eq(dhcp4_release(&routed.m, routed.now, &routed.a), 0);
  cr_assert(is_v4(&sent(&routed)->hop, SERVER + 1), "option 121 knows better");
}

/* --- short leases ------------------------------------------------------------------------------------------------- */

Test(dhcp4_ways, six_seconds) {
  struct rig r = bound(6);
  uint64_t begun = r.now;
  NEAR(r.m.deadline_ns, begun + 3 * S);
  timer(&r);
  unsigned renews = 0, rebinds = 0;
  for (; r.m.state == DHCP_RENEWING; renews++)
    timer(&r);
  NEAR(r.now, begun + 5250 * MS);
  for (; r.m.state == DHCP_REBINDING; rebinds++)
    timer(&r);
  cr_assert_eq(r.now, begun + 6 * S);
  cr_assert_eq(r.m.state, DHCP_EXPIRED);
  cr_assert(renews >= 3 && rebinds >= 2, "%u, %u: a lost message is not the end", renews, rebinds);
  r = bound(6);
  for (int i = 0; i < 10; i++) {
    timer(&r);
    answer(&r, DHCP4_ACK, 6);
    cr_assert_eq(r.m.state, DHCP_BOUND);
  }
  cr_assert_eq(r.drops, 0);
}

Test(dhcp4_ways, t1_is_drawn_close_before_its_time) {
  uint64_t least = UINT64_MAX, most = 0;
  for (uint64_t seed = 0; seed < 100; seed++) {
    struct rig r = rig_new(true);
    answer(&r, DHCP4_OFFER, 1000);
    lcg_state = seed;
    answer(&r, DHCP4_ACK, 1000);
    NEAR(r.m.lease.t1_ns, r.now + 500 * S);
    least = MIN(least, r.m.lease.t1_ns);
    most = MAX(most, r.m.lease.t1_ns);
  }
  cr_assert_gt(most - least, 100 * MS, "hosts that began together do not ask in one instant");
}

Test(dhcp4_ways, another_client_s_identifier) {
  struct rig r = rig_new(true);
  struct dhcp4_reply d = reply(&r, DHCP4_OFFER, SERVER, 100);
  d.has_client_id = true;
  d.client_id_len = 7;
  memcpy(d.client_id, "\1\2\0\0\0\0\10", 7);
  receive(&r, &d);
  cr_assert_eq(r.m.ignored[DHCP4_OTHER_ID], 1);
  memcpy(d.client_id, "\1\2\0\0\0\0\7", 7);
  receive(&r, &d);
  cr_assert_eq(r.m.state, DHCP_REQUESTING);
}

/* --- INFORM ------------------------------------------------------------------------------------------------------- */

Test(dhcp4_ways, inform) {
  struct dhcp4_config cfg = {.random = lcg};
  memcpy(cfg.id.mac, mac, 6);
  struct dhcp4_inform i;
  struct dhcp4_send m;
  uint64_t now = 1000 * S;
  struct net_addr a = net_addr_v4(ADDR);
  dhcp4_inform_init(&i, &cfg, false);
  cr_assert_not(dhcp4_inform_set(&i, &a, now, &m), "no link");
  cr_assert(dhcp4_inform_link(&i, true, now, &m));
  cr_assert_eq(m.type, DHCP4_INFORM);
  cr_assert(is_v4(&m.ciaddr, ADDR));
  cr_assert_eq(m.requested.family, 0);
  struct dhcp4_reply d = {.type = DHCP4_ACK, .xid = i.xid};
  memcpy(d.mac, mac, 6);
  cr_assert_not(dhcp4_inform_receive(&i, &d), "no server identifier");
  d.params.server = net_addr_v4(SERVER);
  d.params.addr = net_addr_v4(ADDR + 5);
  d.params.n_dns = 1;
  d.xid++;
  cr_assert_not(dhcp4_inform_receive(&i, &d));
  d.xid--;
  struct dhcp4_inform silent = i;
  cr_assert(dhcp4_inform_receive(&i, &d));
  cr_assert_eq(i.params.addr.family, 0, "the address is ours to say");
  cr_assert_eq(i.params.n_dns, 1);
  cr_assert_eq(i.deadline_ns, 0);
  cr_assert_not(dhcp4_inform_receive(&i, &d), "a duplicate");
  cr_assert(dhcp4_inform_set(&i, &a, now, &m), "asked again");
  cr_assert_eq(i.params.n_dns, 1, "and kept meanwhile");
  for (int n = 0; n < 20; n++) {
    now = silent.deadline_ns;
    cr_assert(dhcp4_inform_timeout(&silent, now, &m));
    cr_assert_gt(silent.deadline_ns, now + 2 * S);
    cr_assert_eq(silent.silent, n >= 2, "4.4.3: after four tries people are told, until there is an answer");
  }
  cr_assert_not(i.silent);
  struct net_addr none = {0};
  cr_assert_not(dhcp4_inform_set(&i, &none, now, &m));
  cr_assert_eq(i.params.n_dns, 0);
  cr_assert_eq(i.deadline_ns, 0);
}
