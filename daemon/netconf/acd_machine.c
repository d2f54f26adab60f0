/* SPDX-License-Identifier: BSD-3-Clause
 * Numbers in comments are sections of RFC 5227.
 */
#include "netconf/acd_machine.h"

#include "base/util.h"

/* 1.1, in milliseconds where they are scaled. */
#define PROBE_WAIT 1000u
#define PROBE_MIN 1000u
#define PROBE_MAX 2000u
#define ANNOUNCE_WAIT 2000u
#define ANNOUNCE_NUM 2u
#define ANNOUNCE_INTERVAL_NS (2 * NSEC_PER_SEC)
#define MAX_CONFLICTS 10u
#define RATE_LIMIT_INTERVAL_NS (60 * NSEC_PER_SEC)
#define FORGET_NS (MAX_CONFLICTS * RATE_LIMIT_INTERVAL_NS) /* at most as many then, were they to begin again */
#define DEFEND_INTERVAL_NS (10 * NSEC_PER_SEC)
#define FAST_DIVISOR 10u

static void act(struct acd_actions *acts, enum acd_action_kind kind, const uint8_t mac[6]) {
  struct acd_action *a = &acts->a[MIN(acts->n, ACD_ACTIONS_MAX - 1)];
  acts->n = MIN(acts->n + 1, ACD_ACTIONS_MAX);
  *a = (struct acd_action){.kind = kind};
  if (mac != NULL)
    memcpy(a->mac, mac, sizeof(a->mac));
}

void acd_init(struct acd_machine *m, const struct acd_config *cfg) { *m = (struct acd_machine){.cfg = *cfg}; }

/* Uniform in [min, max] milliseconds of the RFC, as ns of ours. */
static uint64_t draw(struct acd_machine *m, unsigned min, unsigned max) {
  uint64_t us = (uint64_t)min * 1000 + m->cfg.random(m->cfg.random_arg) % ((max - min) * 1000 + 1);
  return us * NSEC_PER_USEC / (m->cfg.fast ? FAST_DIVISOR : 1);
}

void acd_probe(struct acd_machine *m, const struct net_addr *addr, uint64_t now) {
  uint64_t at = now;
  if (now - m->conflict_ns >= FORGET_NS)
    m->conflicts = 0;
  if (m->conflicts >= MAX_CONFLICTS && m->began_ns != 0)
    at = MAX(at, m->began_ns + RATE_LIMIT_INTERVAL_NS); /* 2.1.1 */
  m->state = ACD_PROBING;
  m->addr = *addr;
  m->sent = 0;
  m->began_ns = at;
  at += draw(m, 0, PROBE_WAIT);
  for (unsigned i = 0; i < ACD_PROBES; i++) {
    m->probe_ns[i] = at;
    at += draw(m, PROBE_MIN, PROBE_MAX);
  }
  m->clear_ns = m->probe_ns[ACD_PROBES - 1] + draw(m, ANNOUNCE_WAIT, ANNOUNCE_WAIT);
  m->deadline_ns = m->probe_ns[0];
}

void acd_guard(struct acd_machine *m, const struct net_addr *addr, bool keep, uint64_t now) {
  m->keep = keep;
  m->state = ACD_GUARDING;
  m->addr = *addr;
  m->sent = 1;
  m->defended_ns = 0;
  m->deadline_ns = now + ANNOUNCE_INTERVAL_NS;
}

void acd_announce(struct acd_machine *m, uint64_t now) {
  if (m->state != ACD_GUARDING)
    return;
  m->sent = 0;
  m->deadline_ns = now;
}

void acd_count_conflict(struct acd_machine *m, uint64_t now) {
  m->conflicts++;
  m->conflict_ns = now;
}

void acd_stop(struct acd_machine *m) {
  m->state = ACD_IDLE;
  m->addr = (struct net_addr){0};
  m->deadline_ns = 0;
}

static void probe_step(struct acd_machine *m, struct acd_actions *acts) {
  if (m->sent < ACD_PROBES) {
    m->sent++;
    m->deadline_ns = m->sent < ACD_PROBES ? m->probe_ns[m->sent] : m->clear_ns;
    act(acts, ACD_ACT_PROBE, NULL);
    return;
  }
  acd_stop(m);
  act(acts, ACD_ACT_CLEAR, NULL);
}

/* A timer that comes late (the machine was suspended, say) takes one step; the next waits its time from now. Who could
 * not listen in between has not probed. */
void acd_timeout(struct acd_machine *m, uint64_t now, struct acd_actions *acts) {
  acts->n = 0;
  if (m->deadline_ns == 0 || now < m->deadline_ns)
    return;
  uint64_t late = now - m->deadline_ns;
  if (m->state == ACD_PROBING) {
    for (unsigned i = m->sent; i < ACD_PROBES; i++)
      m->probe_ns[i] += late;
    m->clear_ns += m->sent < ACD_PROBES ? late : 0;
    probe_step(m, acts);
    return;
  }
  act(acts, ACD_ACT_ANNOUNCE, NULL);
  m->deadline_ns = ++m->sent < ANNOUNCE_NUM ? now + ANNOUNCE_INTERVAL_NS : 0;
}

/* 2.1.1: anybody who has it, or probes for it as we do. Our own frames, which some switches and radios give back, are
 * neither. */
static bool claims(const struct acd_machine *m, const struct stack_arp_packet *p) {
  if (memcmp(p->sender_mac, m->cfg.mac, sizeof(p->sender_mac)) == 0)
    return false;
  if (net_addr_equal(&p->sender, &m->addr))
    return true;
  return m->state == ACD_PROBING && p->op == STACK_ARP_REQUEST && net_addr_is_unspecified(&p->sender) &&
         net_addr_equal(&p->target, &m->addr);
}

/* 2.4. */
static void defend(struct acd_machine *m, const uint8_t mac[6], uint64_t now, struct acd_actions *acts) {
  bool again = m->defended_ns != 0 && now - m->defended_ns < DEFEND_INTERVAL_NS;
  if (!again) {
    m->defended_ns = now;
    act(acts, ACD_ACT_ANNOUNCE, NULL);
    act(acts, ACD_ACT_DEFENDED, mac);
  } else if (!m->keep) {
    acd_stop(m);
    act(acts, ACD_ACT_LOST, mac);
  }
}

void acd_receive(struct acd_machine *m, const struct stack_arp_packet *p, uint64_t now, struct acd_actions *acts) {
  acts->n = 0;
  if (m->state == ACD_IDLE || !claims(m, p))
    return;
  m->seen++;
  if (m->state == ACD_GUARDING) {
    defend(m, p->sender_mac, now, acts);
    return;
  }
  acd_count_conflict(m, now);
  acd_stop(m);
  act(acts, ACD_ACT_CONFLICT, p->sender_mac);
}
