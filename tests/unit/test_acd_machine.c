/* SPDX-License-Identifier: BSD-3-Clause
 * RFC 5227 under a clock moved by hand: the probes and their times, each kind of conflict, announcing, defending, and the
 * limits on both.
 */
#include "base/util.h"
#include "netconf/acd_machine.h"

#include <criterion/criterion.h>

#define S NSEC_PER_SEC
#define MS NSEC_PER_MSEC
#define ADDR 0xc0a80105u
static const uint8_t own[6] = {2, 0, 0, 0, 0, 7}, other[6] = {2, 0, 0, 0, 0, 9};

static uint64_t lcg_state;
static uint32_t lcg(void *arg _unused_) {
  lcg_state = lcg_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(lcg_state >> 33);
}

struct rig {
  struct acd_machine m;
  struct acd_actions a;
  uint64_t now;
};
static struct net_addr addr(void) { return net_addr_v4(ADDR); }

static struct rig rig_new(bool fast) {
  struct acd_config cfg = {.fast = fast, .random = lcg};
  struct rig r = {.now = 1000 * S};
  memcpy(cfg.mac, own, 6);
  acd_init(&r.m, &cfg);
  return r;
}
static void timer(struct rig *r) {
  cr_assert_neq(r->m.deadline_ns, 0);
  r->now = MAX(r->now, r->m.deadline_ns);
  acd_timeout(&r->m, r->now, &r->a);
}
static void probe(struct rig *r) {
  struct net_addr a = addr();
  acd_probe(&r->m, &a, r->now);
}
static void guard(struct rig *r, bool keep) {
  struct net_addr a = addr();
  acd_guard(&r->m, &a, keep, r->now);
}
static void hear(struct rig *r, uint16_t op, const uint8_t mac[6], uint32_t sender, uint32_t target) {
  struct stack_arp_packet p = {.op = op, .sender = net_addr_v4(sender), .target = net_addr_v4(target)};
  memcpy(p.sender_mac, mac, 6);
  acd_receive(&r->m, &p, r->now, &r->a);
}
static bool acted(const struct rig *r, enum acd_action_kind kind) {
  for (unsigned i = 0; i < r->a.n; i++)
    if (r->a.a[i].kind == kind)
      return true;
  return false;
}

Test(acd_machine, probes_and_their_times) {
  for (uint64_t seed = 0; seed < 200; seed++) {
    struct rig r = rig_new(false);
    uint64_t begun = r.now, last = 0;
    lcg_state = seed;
    probe(&r);
    uint64_t clear = r.m.clear_ns;
    for (int i = 0; i < 3; i++) {
      timer(&r);
      cr_assert(acted(&r, ACD_ACT_PROBE));
      if (i == 0)
        cr_assert_leq(r.now - begun, S, "PROBE_WAIT");
      else
        cr_assert(r.now - last >= S && r.now - last <= 2 * S, "PROBE_MIN and PROBE_MAX");
      last = r.now;
    }
    timer(&r);
    cr_assert(acted(&r, ACD_ACT_CLEAR));
    cr_assert_eq(r.now - last, 2 * S, "ANNOUNCE_WAIT");
    cr_assert_eq(r.now, clear, "as was said at first");
    cr_assert_eq(r.m.state, ACD_IDLE);
    cr_assert_eq(r.m.deadline_ns, 0);
  }
}

Test(acd_machine, fast_is_a_tenth) {
  for (uint64_t seed = 0; seed < 200; seed++) {
    struct rig r = rig_new(true);
    lcg_state = seed;
    probe(&r);
    cr_assert(r.m.clear_ns - r.now >= 400 * MS && r.m.clear_ns - r.now <= 700 * MS);
  }
}

Test(acd_machine, a_timer_that_comes_late_shortens_nothing) {
  struct rig r = rig_new(false);
  probe(&r);
  timer(&r);
  r.now += 1000 * S; /* suspended */
  for (int i = 0; i < 2; i++) {
    uint64_t before = r.now;
    timer(&r);
    cr_assert(acted(&r, ACD_ACT_PROBE));
    cr_assert(i == 0 || r.now - before >= S);
  }
  uint64_t before = r.now;
  timer(&r);
  cr_assert(acted(&r, ACD_ACT_CLEAR));
  cr_assert_eq(r.now - before, 2 * S, "there was time to answer");
}

Test(acd_machine, conflicts_while_probing) {
  static const struct {
    uint16_t op;
    bool own;
    uint32_t sender, target;
    bool conflict;
    const char *what;
  } rows[] = {
      {2, false, ADDR, 0, true, "a reply: it has it"},
      {1, false, ADDR, ADDR + 1, true, "it asks for somebody, from it"},
      {1, false, ADDR, ADDR, true, "an announcement"},
      {1, false, 0, ADDR, true, "it probes for it, too"},
      {1, true, 0, ADDR, false, "our own probe, given back"},
      {2, true, ADDR, 0, false, "our own"},
      {1, false, 0, ADDR + 1, false, "a probe for another"},
      {1, false, ADDR + 1, ADDR, false, "somebody looks for it: says nothing"},
      {2, false, ADDR + 1, ADDR, false, "a reply to whoever has it"},
      {2, false, 0, ADDR, false, "a reply of nobody is no probe"},
  };
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    for (int sent = 0; sent <= 3; sent++) { /* from the start to the end of ANNOUNCE_WAIT */
      struct rig r = rig_new(false);
      probe(&r);
      for (int k = 0; k < sent; k++)
        timer(&r);
      r.a.n = 0;
      hear(&r, rows[i].op, rows[i].own ? own : other, rows[i].sender, rows[i].target);
      cr_assert_eq(acted(&r, ACD_ACT_CONFLICT), rows[i].conflict, "%s", rows[i].what);
      cr_assert_eq(r.m.state, rows[i].conflict ? ACD_IDLE : ACD_PROBING, "%s", rows[i].what);
      if (rows[i].conflict)
        cr_assert_arr_eq(r.a.a[0].mac, other, 6);
    }
}

Test(acd_machine, announced_twice) {
  struct rig r = rig_new(false);
  guard(&r, false);
  uint64_t begun = r.now;
  timer(&r);
  cr_assert(acted(&r, ACD_ACT_ANNOUNCE));
  cr_assert_eq(r.now - begun, 2 * S, "ANNOUNCE_INTERVAL after the stack's own");
  cr_assert_eq(r.m.deadline_ns, 0, "ANNOUNCE_NUM is 2");
  cr_assert_eq(r.m.state, ACD_GUARDING);
}

Test(acd_machine, announced_again_when_it_was_verified) {
  struct rig r = rig_new(false);
  acd_announce(&r.m, r.now);
  cr_assert_eq(r.m.deadline_ns, 0, "nothing is guarded");
  guard(&r, false);
  timer(&r);
  hear(&r, 1, other, ADDR, ADDR + 1);
  r.now += 8 * S;
  acd_announce(&r.m, r.now);
  for (int i = 0; i < 2; i++) {
    timer(&r);
    cr_assert(acted(&r, ACD_ACT_ANNOUNCE));
  }
  cr_assert_eq(r.m.deadline_ns, 0);
  r.now -= S;
  hear(&r, 1, other, ADDR, ADDR + 1);
  cr_assert(acted(&r, ACD_ACT_LOST), "the conflict before that is not forgotten");
}

Test(acd_machine, defended_once_then_given_up) {
  struct rig r = rig_new(false);
  guard(&r, false);
  hear(&r, 1, other, ADDR + 1, ADDR);
  cr_assert_eq(r.a.n, 0, "somebody asks for us");
  hear(&r, 1, other, 0, ADDR);
  cr_assert_eq(r.a.n, 0, "a probe: lwIP answers it");
  hear(&r, 2, own, ADDR, 0);
  cr_assert_eq(r.a.n, 0, "our own");
  hear(&r, 1, other, ADDR, ADDR + 1);
  cr_assert(acted(&r, ACD_ACT_ANNOUNCE) && acted(&r, ACD_ACT_DEFENDED));
  r.now += 10 * S;
  hear(&r, 1, other, ADDR, ADDR + 1);
  cr_assert(acted(&r, ACD_ACT_DEFENDED), "DEFEND_INTERVAL is over");
  r.now += 10 * S - 1;
  hear(&r, 1, other, ADDR, ADDR + 1);
  cr_assert(acted(&r, ACD_ACT_LOST));
  cr_assert_not(acted(&r, ACD_ACT_ANNOUNCE), "nothing is sent for what is given up");
  cr_assert_eq(r.m.state, ACD_IDLE);
  cr_assert_eq(r.m.seen, 3);
}

Test(acd_machine, kept_and_defended_not_too_often) {
  struct rig r = rig_new(false);
  unsigned announced = 0;
  guard(&r, true);
  for (int i = 0; i < 100; i++) { /* once a second */
    hear(&r, 1, other, ADDR, ADDR + 1);
    announced += acted(&r, ACD_ACT_ANNOUNCE);
    cr_assert_not(acted(&r, ACD_ACT_LOST));
    r.now += S;
  }
  cr_assert_eq(announced, 10, "once in DEFEND_INTERVAL, or two that think so would flood the link");
}

Test(acd_machine, many_conflicts_slow_down) {
  struct rig r = rig_new(false);
  for (int i = 0; i < 10; i++) {
    probe(&r);
    cr_assert_leq(r.m.deadline_ns, r.now + S);
    hear(&r, 2, other, ADDR, 0);
  }
  uint64_t last = r.m.began_ns;
  probe(&r);
  cr_assert_geq(r.m.deadline_ns, last + 60 * S, "RATE_LIMIT_INTERVAL after MAX_CONFLICTS");
  hear(&r, 2, other, ADDR, 0);
  probe(&r);
  cr_assert_geq(r.m.deadline_ns, last + 120 * S);
  for (int i = 0; i < 4; i++)
    timer(&r);
  cr_assert(acted(&r, ACD_ACT_CLEAR));
  acd_count_conflict(&r.m, r.now);
  last = r.m.began_ns;
  probe(&r);
  cr_assert_geq(r.m.deadline_ns, last + 60 * S, "2.1.1: what is free now and lost at once is another");
  r.now += 600 * S;
  probe(&r);
  cr_assert_leq(r.m.deadline_ns, r.now + S, "ten minutes without any: as before");
}

Test(acd_machine, idle_hears_nothing) {
  struct rig r = rig_new(false);
  hear(&r, 2, other, ADDR, 0);
  cr_assert_eq(r.a.n, 0);
  probe(&r);
  acd_stop(&r.m);
  hear(&r, 2, other, ADDR, 0);
  cr_assert_eq(r.a.n, 0);
  acd_timeout(&r.m, r.now + 100 * S, &r.a);
  cr_assert_eq(r.a.n, 0);
}
