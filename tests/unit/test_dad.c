/* SPDX-License-Identifier: BSD-3-Clause
 * Duplicate address detection and the table of addresses under a clock moved by hand.
 */
#include "netconf/dad_addrs.h"
#include "ra_util.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define S NSEC_PER_SEC
#define MS NSEC_PER_MSEC

static uint64_t lcg_state;
static uint32_t lcg(void *arg _unused_) {
  lcg_state = lcg_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(lcg_state >> 33);
}

struct rig {
  struct addrs6 t;
  struct addrs6_actions a;
  uint64_t now;
  unsigned probes;
  uint8_t nonce[DAD_NONCE]; /* of the last probe */
};

/* What must hold after each event. */
static void settle(struct rig *r) {
  uint64_t due = ADDRS6_FOREVER;
  cr_assert_lt(r->a.n, ADDRS6_ACTIONS_MAX);
  for (unsigned i = 0; i < r->a.n; i++)
    if (r->a.a[i].probe) {
      r->probes++;
      memcpy(r->nonce, r->a.a[i].nonce, DAD_NONCE);
    } else {
      cr_assert_neq(r->a.a[i].from, r->a.a[i].to);
    }
  for (unsigned i = 0; i < r->t.n; i++) {
    const struct addr6 *e = &r->t.a[i];
    cr_assert_lt(r->now, e->valid_until, "never an address that is over");
    if (e->state == ADDR6_PREFERRED)
      cr_assert_lt(r->now, e->preferred_until);
    if (e->state == ADDR6_DEPRECATED)
      cr_assert_geq(r->now, e->preferred_until);
    cr_assert_eq(e->state == ADDR6_PREFERRED || e->state == ADDR6_DEPRECATED, e->dad.state == DAD_UNIQUE, "in use when verified");
    if (r->t.link)
      cr_assert(e->state != ADDR6_TENTATIVE || e->dad.deadline_ns != 0, "what is tentative is being verified");
    due = MIN(due, e->valid_until);
    if (e->state == ADDR6_PREFERRED)
      due = MIN(due, e->preferred_until);
    if (r->t.link && e->dad.deadline_ns != 0)
      due = MIN(due, e->dad.deadline_ns);
  }
  if (due != ADDRS6_FOREVER)
    cr_assert(r->t.deadline_ns != 0 && r->t.deadline_ns <= due, "a next event");
}

static struct rig rig_new(bool link) {
  struct rig r = {.now = 1000 * S};
  lcg_state = 7;
  addrs6_init(&r.t, link, lcg, NULL);
  return r;
}
static int set(struct rig *r, const char *text, enum addr6_origin origin, uint64_t preferred, uint64_t valid) {
  struct addr6 e = {.addr = ra_addr(text), .prefix_len = 64, .origin = origin, .preferred_until = preferred, .valid_until = valid};
  int ret = addrs6_set(&r->t, &e, false, r->now, &r->a);
  settle(r);
  return ret;
}
static int set_for_ever(struct rig *r, const char *text, enum addr6_origin origin) {
  return set(r, text, origin, ADDRS6_FOREVER, ADDRS6_FOREVER);
}
static void at(struct rig *r, uint64_t when) {
  r->now = when;
  addrs6_timeout(&r->t, r->now, &r->a);
  settle(r);
  cr_assert(r->t.deadline_ns == 0 || r->t.deadline_ns > r->now, "what is done is not due any more");
}
static void link_to(struct rig *r, bool up) {
  addrs6_link(&r->t, up, r->now, &r->a);
  settle(r);
}
static void hear(struct rig *r, const char *target, bool advertisement, const uint8_t *nonce) {
  struct dad_message m = {.advertisement = advertisement, .target = ra_addr(target), .has_nonce = nonce != NULL};
  if (nonce != NULL)
    memcpy(m.nonce, nonce, DAD_NONCE);
  addrs6_receive(&r->t, &m, r->now, &r->a);
  settle(r);
}
static enum addr6_state state(const struct rig *r, const char *text) {
  struct net_addr a = ra_addr(text);
  const struct addr6 *e = addrs6_find(&r->t, &a);
  return e != NULL ? e->state : ADDR6_GONE;
}
#define ONE "2001:db8::1"
#define TWO "2001:db8::2"

Test(dad, one_probe_a_second_of_silence_and_it_is_ours) {
  struct rig r = rig_new(true);
  cr_assert_eq(set_for_ever(&r, ONE, ADDR6_STATIC), 0);
  cr_assert_eq(state(&r, ONE), ADDR6_TENTATIVE);
  cr_assert_eq(r.probes, 1, "without a delay");
  at(&r, r.now + 1 * S - 1);
  cr_assert_eq(state(&r, ONE), ADDR6_TENTATIVE);
  at(&r, r.now + 1);
  cr_assert_eq(state(&r, ONE), ADDR6_PREFERRED);
  cr_assert_eq(r.probes, 1);
  cr_assert_eq(r.t.deadline_ns, 0, "nothing is due for ever");
}

Test(dad, the_delay_is_random_and_at_most_a_second) {
  bool differ = false;
  uint64_t first = 0;
  for (unsigned i = 0; i < 50; i++) {
    struct rig r = rig_new(true);
    lcg_state = i;
    struct addr6 e = {.addr = ra_addr(ONE), .prefix_len = 64, .preferred_until = ADDRS6_FOREVER, .valid_until = ADDRS6_FOREVER};
    cr_assert_eq(addrs6_set(&r.t, &e, true, r.now, &r.a), 0);
    settle(&r);
    uint64_t wait = r.t.deadline_ns - r.now;
    cr_assert_leq(wait, 1 * S);
    differ = differ || (i > 0 && wait != first);
    first = wait;
  }
  cr_assert(differ);
}

Test(dad, retrans_timer_of_the_router) {
  struct rig r = rig_new(true);
  r.t.retrans_ms = 250;
  (void)set_for_ever(&r, ONE, ADDR6_STATIC);
  at(&r, r.now + 250 * MS);
  cr_assert_eq(state(&r, ONE), ADDR6_PREFERRED);
}

Test(dad, an_advertisement_or_a_probe_of_another_ends_it) {
  static const uint8_t foreign[6] = {9, 9, 9, 9, 9, 9};
  for (int kind = 0; kind < 3; kind++) {
    struct rig r = rig_new(true);
    (void)set_for_ever(&r, ONE, ADDR6_SLAAC);
    hear(&r, TWO, true, NULL);
    cr_assert_eq(state(&r, ONE), ADDR6_TENTATIVE, "not about this one");
    hear(&r, ONE, kind == 0, kind == 2 ? foreign : NULL);
    cr_assert_eq(state(&r, ONE), ADDR6_DUPLICATE, "%d", kind);
    cr_assert_eq(r.t.conflicts, 1);
    at(&r, r.now + 1000 * S);
    cr_assert_eq(state(&r, ONE), ADDR6_DUPLICATE);
  }
}

Test(dad, our_own_probe_that_comes_back_is_no_conflict) {
  struct rig r = rig_new(true);
  (void)set_for_ever(&r, ONE, ADDR6_STATIC);
  hear(&r, ONE, false, r.nonce);
  cr_assert_eq(state(&r, ONE), ADDR6_TENTATIVE);
  at(&r, r.now + 1 * S);
  cr_assert_eq(r.probes, 2, "RFC 7527: three more, a second apart, each with another nonce");
  uint8_t second[6];
  memcpy(second, r.nonce, 6);
  hear(&r, ONE, false, second);
  at(&r, r.now + 1 * S);
  at(&r, r.now + 1 * S);
  cr_assert_eq(r.probes, 4);
  cr_assert_neq(memcmp(second, r.nonce, 6), 0);
  at(&r, r.now + 1 * S);
  cr_assert_eq(r.probes, 5, "as long as the link is a loop");
  at(&r, r.now + 1 * S);
  at(&r, r.now + 1 * S);
  at(&r, r.now + 1 * S);
  cr_assert_eq(state(&r, ONE), ADDR6_PREFERRED, "and then it is none any more");
  cr_assert_eq(r.probes, 7);
}

Test(dad, an_address_in_use_is_not_given_up_for_a_word) {
  struct rig r = rig_new(true);
  (void)set_for_ever(&r, ONE, ADDR6_SLAAC);
  at(&r, r.now + 1 * S);
  hear(&r, ONE, true, NULL);
  cr_assert_eq(state(&r, ONE), ADDR6_PREFERRED);
  cr_assert_eq(r.t.conflicts, 1);
}

Test(dad, a_configured_address_is_tried_again) {
  struct rig r = rig_new(true);
  (void)set_for_ever(&r, ONE, ADDR6_STATIC);
  hear(&r, ONE, true, NULL);
  cr_assert_eq(r.t.deadline_ns, r.now + ADDRS6_RETRY_S * S);
  at(&r, r.t.deadline_ns);
  cr_assert_eq(state(&r, ONE), ADDR6_TENTATIVE);
  at(&r, r.t.deadline_ns);
  cr_assert_eq(state(&r, ONE), ADDR6_PREFERRED);
}

Test(dad, a_duplicate_that_another_origin_gives_is_tried_again) {
  struct rig r = rig_new(true);
  (void)set_for_ever(&r, ONE, ADDR6_SLAAC);
  hear(&r, ONE, true, NULL);
  cr_assert_eq(state(&r, ONE), ADDR6_DUPLICATE);
  cr_assert_eq(set_for_ever(&r, ONE, ADDR6_STATIC), 0);
  cr_assert_eq(state(&r, ONE), ADDR6_TENTATIVE);
  hear(&r, ONE, true, NULL);
  cr_assert_eq(state(&r, ONE), ADDR6_DUPLICATE, "it still is");
  unsigned probes = r.probes;
  cr_assert_eq(set_for_ever(&r, ONE, ADDR6_STATIC), 0);
  cr_assert_eq(state(&r, ONE), ADDR6_DUPLICATE, "given once more is nothing new");
  cr_assert_eq(r.probes, probes);
  at(&r, r.now + ADDRS6_RETRY_S * S);
  at(&r, r.now + 1 * S);
  cr_assert_eq(state(&r, ONE), ADDR6_PREFERRED, "and then each minute");

  struct rig away = rig_new(true);
  (void)set_for_ever(&away, ONE, ADDR6_SLAAC);
  hear(&away, ONE, true, NULL);
  link_to(&away, false);
  cr_assert_eq(set_for_ever(&away, ONE, ADDR6_DHCP), 0);
  cr_assert_eq(state(&away, ONE), ADDR6_TENTATIVE, "it waits for the link");
  link_to(&away, true);
  at(&away, away.t.deadline_ns);
  at(&away, away.t.deadline_ns);
  cr_assert_eq(state(&away, ONE), ADDR6_PREFERRED);
}

static void refuse(struct rig *r, const char *text, bool in_use) {
  struct net_addr a = ra_addr(text);
  cr_assert_eq(addrs6_refused(&r->t, &a, in_use, in_use ? "in use" : "no room", r->now, &r->a), 0);
  settle(r);
}

Test(dad, what_the_stack_refuses_is_tried_again_and_less_and_less_often) {
  static const unsigned waits[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
  struct rig r = rig_new(true);
  (void)set(&r, ONE, ADDR6_SLAAC, r.now + 500 * S, r.now + 500 * S);
  for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
    refuse(&r, ONE, false);
    struct net_addr a = ra_addr(ONE);
    cr_assert_eq(state(&r, ONE), ADDR6_REFUSED);
    cr_assert_str_eq(addrs6_find(&r.t, &a)->why, "no room");
    cr_assert_eq(r.t.deadline_ns, r.now + waits[i] * S, "%zu", i);
    at(&r, r.t.deadline_ns);
    cr_assert_eq(state(&r, ONE), ADDR6_TENTATIVE);
  }
  cr_assert_eq(r.t.refused, ARRAY_SIZE(waits));
  at(&r, r.now + 1 * S);
  cr_assert_eq(state(&r, ONE), ADDR6_PREFERRED);
  refuse(&r, ONE, false);
  cr_assert_eq(r.t.deadline_ns, r.now + 1 * S, "from the beginning");
  link_to(&r, false);
  at(&r, r.now + 10 * S);
  cr_assert_eq(state(&r, ONE), ADDR6_REFUSED, "without a link nothing is tried");
  refuse(&r, ONE, false);
  at(&r, r.now + 400 * S);
  cr_assert_eq(state(&r, ONE), ADDR6_GONE, "and its lifetime goes on");
  struct net_addr a = ra_addr(ONE);
  cr_assert_eq(addrs6_refused(&r.t, &a, false, "no room", r.now, &r.a), -ENOENT);
}

Test(dad, what_another_interface_has_is_a_duplicate) {
  struct rig r = rig_new(true);
  (void)set_for_ever(&r, ONE, ADDR6_STATIC);
  (void)set_for_ever(&r, TWO, ADDR6_SLAAC);
  refuse(&r, ONE, true);
  refuse(&r, TWO, true);
  cr_assert_eq(state(&r, ONE), ADDR6_DUPLICATE);
  cr_assert_eq(state(&r, TWO), ADDR6_DUPLICATE);
  cr_assert_eq(r.t.conflicts, 0, "it is no other node");
  at(&r, r.now + ADDRS6_RETRY_S * S);
  cr_assert_eq(state(&r, ONE), ADDR6_TENTATIVE);
  cr_assert_eq(state(&r, TWO), ADDR6_DUPLICATE, "that is for who derived it");
}

Test(dad, without_a_link_nothing_is_sent_and_nothing_is_ours) {
  struct rig r = rig_new(false);
  (void)set(&r, ONE, ADDR6_SLAAC, r.now + 50 * S, r.now + 100 * S);
  cr_assert_eq(r.probes, 0);
  cr_assert_eq(state(&r, ONE), ADDR6_TENTATIVE);
  link_to(&r, true);
  at(&r, r.t.deadline_ns);
  link_to(&r, false);
  at(&r, r.now + 10 * S);
  cr_assert_eq(state(&r, ONE), ADDR6_TENTATIVE, "interrupted");
  link_to(&r, true);
  at(&r, r.t.deadline_ns);
  at(&r, r.t.deadline_ns);
  cr_assert_eq(state(&r, ONE), ADDR6_PREFERRED);
}

Test(dad, a_link_that_is_back_has_all_verified_again) {
  struct rig r = rig_new(true);
  (void)set_for_ever(&r, ONE, ADDR6_LINK_LOCAL);
  (void)set_for_ever(&r, TWO, ADDR6_STATIC);
  at(&r, r.now + 1 * S);
  link_to(&r, false);
  cr_assert_eq(state(&r, ONE), ADDR6_PREFERRED, "it stays while the link is away");
  link_to(&r, true);
  cr_assert_eq(state(&r, ONE), ADDR6_TENTATIVE);
  cr_assert_eq(state(&r, TWO), ADDR6_TENTATIVE);
  hear(&r, TWO, true, NULL);
  at(&r, r.now + 1 * S);
  at(&r, r.now + 1 * S);
  cr_assert_eq(state(&r, ONE), ADDR6_PREFERRED);
  cr_assert_eq(state(&r, TWO), ADDR6_DUPLICATE);
  link_to(&r, true);
  cr_assert_eq(state(&r, ONE), ADDR6_PREFERRED, "up twice is no return");
}

Test(dad, lifetimes_to_the_nanosecond) {
  struct rig r = rig_new(true);
  uint64_t preferred = r.now + 10 * S, valid = r.now + 20 * S;
  (void)set(&r, ONE, ADDR6_SLAAC, preferred, valid);
  at(&r, r.now + 1 * S);
  cr_assert_eq(r.t.deadline_ns, preferred);
  at(&r, preferred - 1);
  cr_assert_eq(state(&r, ONE), ADDR6_PREFERRED);
  at(&r, preferred);
  cr_assert_eq(state(&r, ONE), ADDR6_DEPRECATED);
  cr_assert_eq(r.t.deadline_ns, valid);
  unsigned probes = r.probes;
  (void)set(&r, ONE, ADDR6_SLAAC, r.now + 5 * S, r.now + 30 * S);
  cr_assert_eq(state(&r, ONE), ADDR6_PREFERRED, "longer lifetimes: no new verification");
  cr_assert_eq(r.probes, probes);
  at(&r, r.now + 30 * S - 1);
  cr_assert_eq(state(&r, ONE), ADDR6_DEPRECATED);
  at(&r, r.now + 1);
  cr_assert_eq(state(&r, ONE), ADDR6_GONE);
  cr_assert_eq(r.t.n, 0);
}

Test(dad, suspended_across_both_ends) {
  struct rig r = rig_new(true);
  (void)set(&r, ONE, ADDR6_SLAAC, r.now + 10 * S, r.now + 20 * S);
  at(&r, r.now + 1 * S);
  at(&r, r.now + 10000 * S);
  cr_assert_eq(state(&r, ONE), ADDR6_GONE);
  cr_assert_eq(r.a.n, 1);
}

Test(dad, refusals) {
  struct rig r = rig_new(true);
  cr_assert_eq(set(&r, ONE, ADDR6_SLAAC, r.now, r.now), -EINVAL, "over");
  cr_assert_eq(set(&r, ONE, ADDR6_SLAAC, r.now + 2, r.now + 1), -EINVAL);
  cr_assert_eq(set(&r, "10.0.0.1", ADDR6_SLAAC, r.now + 2, r.now + 2), -EINVAL);
  cr_assert_eq(set_for_ever(&r, ONE, ADDR6_DHCP), 0);
  cr_assert_eq(set_for_ever(&r, ONE, ADDR6_SLAAC), -EEXIST);
  struct net_addr a = ra_addr(ONE);
  cr_assert_eq(addrs6_remove(&r.t, &a, ADDR6_SLAAC, "x", r.now, &r.a), -ENOENT);
  cr_assert_eq(set_for_ever(&r, ONE, ADDR6_STATIC), 0, "the stronger one takes it over");
  cr_assert_eq(addrs6_remove(&r.t, &a, ADDR6_DHCP, "x", r.now, &r.a), -ENOENT);
  cr_assert_eq(addrs6_remove(&r.t, &a, ADDR6_STATIC, "x", r.now, &r.a), 0);
  cr_assert_eq(r.t.n, 0);
  char text[64];
  for (int i = 0; i < ADDRS6_MAX; i++) {
    snprintf(text, sizeof(text), "2001:db8::%x", i + 1);
    cr_assert_eq(set_for_ever(&r, text, ADDR6_SLAAC), 0);
  }
  cr_assert_eq(set_for_ever(&r, "2001:db8::ff", ADDR6_SLAAC), -ENOBUFS);
}

static void random_event(struct rig *r) {
  char text[64];
  uint32_t what = lcg(NULL) % 100;
  r->now += lcg(NULL) % 4 == 0 ? lcg(NULL) % (20 * S) : lcg(NULL) % MS;
  snprintf(text, sizeof(text), "2001:db8::%x", 1 + lcg(NULL) % 20);
  if (what < 30) {
    uint64_t valid = lcg(NULL) % 8 ? r->now + lcg(NULL) % 60 * S : ADDRS6_FOREVER;
    uint64_t preferred = lcg(NULL) % 8 ? r->now + lcg(NULL) % 40 * S : valid;
    (void)set(r, text, (enum addr6_origin)(lcg(NULL) % 4), preferred, valid);
  } else if (what < 75) {
    at(r, MAX(r->now, r->t.deadline_ns) + lcg(NULL) % 3 * lcg(NULL) % S);
  } else if (what < 82) {
    link_to(r, lcg(NULL) % 3 != 0);
  } else if (what < 84) {
    struct net_addr a = ra_addr(text);
    if (addrs6_refused(&r->t, &a, lcg(NULL) % 4 == 0, "refused", r->now, &r->a) == 0)
      settle(r);
  } else if (what < 90) {
    hear(r, text, lcg(NULL) % 2 == 0, lcg(NULL) % 2 ? r->nonce : NULL);
  } else {
    struct net_addr a = ra_addr(text);
    (void)addrs6_remove(&r->t, &a, (enum addr6_origin)(lcg(NULL) % 4), "taken away", r->now, &r->a);
    settle(r);
  }
}

Test(dad, random_histories) {
  unsigned seen[ADDR6_REFUSED + 1] = {0};
  for (uint64_t seed = 1; seed <= 3000; seed++) {
    struct rig r = rig_new(seed % 4 != 0);
    lcg_state = seed;
    for (int i = 0; i < 120; i++) {
      random_event(&r);
      for (unsigned k = 0; k < r.t.n; k++)
        seen[r.t.a[k].state]++;
    }
  }
  for (int s = ADDR6_TENTATIVE; s <= ADDR6_REFUSED; s++)
    cr_assert_gt(seen[s], 100, "%s", addr6_state_name((enum addr6_state)s));
}
