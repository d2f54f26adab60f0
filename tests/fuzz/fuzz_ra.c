/* SPDX-License-Identifier: BSD-3-Clause
 * Any bytes as a history of messages for a host that listens to routers: pieces of a byte that says who speaks and how
 * much time passes, a length of two bytes, and an ICMPv6 message. The machines run as an interface joins them.
 */
#include "fuzz.h"

#include "base/util.h"
#include "netconf/dad_addrs.h"
#include "netconf/slaac_lists.h"

static uint64_t state;
static uint32_t draw(void *arg _unused_) {
  state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(state >> 33);
}

struct host {
  struct slaac_machine m;
  struct addrs6 t;
  uint64_t now;
  unsigned refuse; /* probes until the stack has no room for the address */
  bool refused_in_use;
};

static void run(struct host *h, const struct slaac_actions *s);

static void run_addrs(struct host *h, const struct addrs6_actions *acts) {
  if (acts->n >= ADDRS6_ACTIONS_MAX)
    abort();
  for (unsigned i = 0; i < acts->n; i++) {
    const struct addr6_action *a = &acts->a[i];
    struct slaac_actions s;
    if (a->probe && h->refuse-- == 0) {
      struct addrs6_actions more;
      (void)addrs6_refused(&h->t, &a->addr, h->refused_in_use, "refused", h->now, &more);
      run_addrs(h, &more);
      continue;
    }
    if (a->to == ADDR6_REFUSED) {
      slaac_unusable(&h->m, &a->addr, h->now, &s);
      run(h, &s);
    }
    if (a->probe || a->from != ADDR6_TENTATIVE || a->to == ADDR6_GONE || a->to == ADDR6_REFUSED)
      continue;
    slaac_verified(&h->m, &a->addr, a->to != ADDR6_DUPLICATE, h->now, &s);
    run(h, &s);
  }
}

static void run(struct host *h, const struct slaac_actions *s) {
  if (s->n >= SLAAC_ACTIONS_MAX)
    abort();
  for (unsigned i = 0; i < s->n; i++) {
    const struct slaac_action *a = &s->a[i];
    struct addrs6_actions acts;
    struct addr6 e = {.addr = a->addr, .prefix_len = 64, .origin = a->link_local ? ADDR6_LINK_LOCAL : ADDR6_SLAAC,
                      .preferred_until = a->preferred_until, .valid_until = a->valid_until};
    if (a->kind == SLAAC_ACT_ROUTER)
      continue;
    if (a->kind == SLAAC_ACT_FORGET)
      (void)addrs6_remove(&h->t, &a->addr, e.origin, a->why, h->now, &acts);
    else if (addrs6_set(&h->t, &e, true, h->now, &acts) < 0)
      abort(); /* what the one gives the other has room for */
    run_addrs(h, &acts);
  }
}

static void check(const struct host *h) {
  struct slaac_hop hops[SLAAC_HOPS_MAX];
  const struct slaac_machine *m = &h->m;
  uint64_t due = slaac_next_end(m);
  if (slaac_hops(m, hops) > SLAAC_HOPS_MAX || due <= h->now)
    abort();
  if (due != SLAAC_FOREVER && (m->deadline_ns == 0 || m->deadline_ns > due))
    abort();
  for (unsigned i = 0; i < h->t.n; i++)
    if (h->t.a[i].valid_until <= h->now)
      abort();
}

static void pass_time(struct host *h, uint64_t ns) {
  struct slaac_actions s;
  struct addrs6_actions acts;
  h->now += ns;
  slaac_timeout(&h->m, h->now, &s);
  run(h, &s);
  addrs6_timeout(&h->t, h->now, &acts);
  run_addrs(h, &acts);
  slaac_timeout(&h->m, h->now, &s);
  run(h, &s);
  check(h);
}

static void hear(struct host *h, uint8_t who, const uint8_t *data, size_t len) {
  struct net_addr from = {AF_INET6, {0xfe, 0x80, [15] = (uint8_t)(who & 7)}}, any = {AF_INET6, {0}};
  struct ra_message ra;
  struct dad_message dad;
  if (ra_decode(data, len, &ra) == 0) {
    struct slaac_actions s;
    slaac_receive(&h->m, &from, &ra, h->now, &s);
    run(h, &s);
  }
  if (dad_decode(who & 1 ? &from : &any, data, len, &dad) == 0) {
    struct addrs6_actions acts;
    if (who & 2)
      dad.target = h->t.n > 0 ? h->t.a[who % h->t.n].addr : dad.target; /* or nothing would ever be a conflict */
    addrs6_receive(&h->t, &dad, h->now, &acts);
    run_addrs(h, &acts);
  }
  check(h);
}

static void link_to(struct host *h, bool up) {
  struct slaac_actions s;
  struct addrs6_actions acts;
  addrs6_link(&h->t, up, h->now, &acts);
  run_addrs(h, &acts);
  slaac_link(&h->m, up, h->now, &s);
  run(h, &s);
  check(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint64_t steps[] = {0, 1, NSEC_PER_SEC, 5 * NSEC_PER_SEC, 601 * NSEC_PER_SEC, 7200 * NSEC_PER_SEC};
  struct slaac_config cfg = {.ifname = "net0", .mtu = 1500, .listen = true, .random = draw};
  struct slaac_actions s;
  struct host h = {.now = NSEC_PER_SEC};
  state = 1;
  addrs6_init(&h.t, true, draw, NULL);
  slaac_init(&h.m, &cfg, true);
  slaac_start(&h.m, h.now, &s);
  run(&h, &s);
  pass_time(&h, 2 * NSEC_PER_SEC);
  pass_time(&h, 2 * NSEC_PER_SEC);
  while (size >= 3) {
    size_t len = MIN((size_t)(data[1] << 8 | data[2]), size - 3);
    h.refuse = data[2] & 7;
    h.refused_in_use = data[2] & 8;
    slaac_set_mtu(&h.m, data[2] & 0x10 ? 1280 : 9000);
    if (data[0] & 0x40)
      link_to(&h, (data[0] & 0x80) != 0);
    hear(&h, data[0], data + 3, len);
    pass_time(&h, steps[(data[0] >> 3 & 7) % ARRAY_SIZE(steps)]);
    data += 3 + len;
    size -= 3 + len;
  }
  return 0;
}
