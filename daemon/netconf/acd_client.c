/* SPDX-License-Identifier: BSD-3-Clause
 * Does what the machine says: sends, sets the one timer, tells. Decides nothing.
 */
#include "netconf/acd_client.h"

#include "base/util.h"

struct acd_client {
  struct acd_machine machine;
  struct loop *loop;
  struct loop_timer *timer;
  struct stack_arp *arp;
  acd_client_fn fn;
  void *arg;
};

static uint64_t now(const struct acd_client *c) { return loop_now(c->loop, CLOCK_ID_BOOT); }

static void set_timer(struct acd_client *c) {
  if (c->machine.deadline_ns != 0)
    loop_timer_set(c->timer, c->machine.deadline_ns);
  else
    loop_timer_clear(c->timer);
}

/* A probe says nothing of us, so nobody's table is spoiled (1.1); an announcement is what tables are to learn. */
static void send_arp(struct acd_client *c, const struct net_addr *sender, const struct net_addr *target) {
  struct stack_arp_packet p = {.op = STACK_ARP_REQUEST, .sender = *sender, .target = *target};
  memcpy(p.sender_mac, c->machine.cfg.mac, sizeof(p.sender_mac));
  (void)stack_arp_send(c->arp, &p); /* lost, as on a wire */
}

static void run(struct acd_client *c, const struct net_addr *addr, const struct acd_actions *acts) {
  struct net_addr none = net_addr_v4(0);
  set_timer(c);
  for (unsigned i = 0; i < acts->n; i++) {
    const struct acd_action *a = &acts->a[i];
    switch (a->kind) {
    case ACD_ACT_PROBE:
      send_arp(c, &none, addr);
      break;
    case ACD_ACT_ANNOUNCE:
      send_arp(c, addr, addr);
      break;
    case ACD_ACT_CLEAR:
      c->fn(c->arg, a->kind, addr, NULL);
      break;
    case ACD_ACT_CONFLICT:
    case ACD_ACT_DEFENDED:
    case ACD_ACT_LOST:
      c->fn(c->arg, a->kind, addr, a->mac);
      break;
    }
  }
}

static void on_timer(void *arg) {
  struct acd_client *c = arg;
  struct acd_actions acts;
  struct net_addr addr = c->machine.addr; /* the machine may be idle afterwards */
  acd_timeout(&c->machine, now(c), &acts);
  run(c, &addr, &acts);
}

static void on_arp(void *arg, const struct stack_arp_packet *p) {
  struct acd_client *c = arg;
  struct acd_actions acts;
  struct net_addr addr = c->machine.addr;
  acd_receive(&c->machine, p, now(c), &acts);
  run(c, &addr, &acts);
}

int acd_client_new(struct loop *loop, struct stack_if *iface, const struct acd_config *config, acd_client_fn fn, void *arg,
                   struct acd_client **ret) {
  struct acd_client *c = calloc(1, sizeof(*c));
  if (c == NULL)
    return -ENOMEM;
  struct acd_config cfg = *config;
  struct stack_if_info info;
  stack_if_info(iface, &info);
  memcpy(cfg.mac, info.mac, sizeof(cfg.mac));
  acd_init(&c->machine, &cfg);
  c->loop = loop;
  c->fn = fn;
  c->arg = arg;
  int r = loop_timer_new(loop, CLOCK_ID_BOOT, on_timer, c, &c->timer);
  if (r == 0)
    r = stack_arp_open(iface, on_arp, c, &c->arp);
  if (r < 0) {
    acd_client_free(c);
    return r;
  }
  *ret = c;
  return 0;
}

struct acd_client *acd_client_free(struct acd_client *c) {
  if (c == NULL)
    return NULL;
  c->arp = stack_arp_close(c->arp);
  c->timer = loop_timer_free(c->timer);
  free(c);
  return NULL;
}

void acd_client_probe(struct acd_client *c, const struct net_addr *addr) {
  if (c->machine.state == ACD_PROBING && net_addr_equal(&c->machine.addr, addr))
    return;
  acd_probe(&c->machine, addr, now(c));
  set_timer(c);
}

void acd_client_guard(struct acd_client *c, const struct net_addr *addr, bool keep) {
  acd_guard(&c->machine, addr, keep, now(c));
  set_timer(c);
}

void acd_client_announce(struct acd_client *c) {
  acd_announce(&c->machine, now(c));
  set_timer(c);
}

void acd_client_count_conflict(struct acd_client *c) { acd_count_conflict(&c->machine, now(c)); }

void acd_client_stop(struct acd_client *c) {
  acd_stop(&c->machine);
  set_timer(c);
}

const struct acd_machine *acd_client_machine(const struct acd_client *c) { return &c->machine; }
