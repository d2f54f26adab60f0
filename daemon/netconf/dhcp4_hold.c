/* SPDX-License-Identifier: BSD-3-Clause
 * A DHCPv4 lease that is in force: from its first instant to its last. Numbers in comments are sections of RFC 2131.
 */
#include "netconf/dhcp4_private.h"

#include "base/util.h"

#define RENEW_MIN_NS (60 * NSEC_PER_SEC) /* 4.4.5 */
#define RENEW_MIN_PART 16

void dhcp4_drop(struct dhcp4_machine *m, struct dhcp4_actions *acts, const char *why) {
  if (m->has_lease)
    dhcp4_act(acts, DHCP4_ACT_DROP)->why = why;
  m->has_lease = false;
  m->lease = (struct dhcp4_lease){0};
}

static bool over(const struct dhcp4_lease *l, uint64_t now) { return l->expiry_ns != 0 && now >= l->expiry_ns; }

bool dhcp4_step_begin(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  acts->n = 0;
  if (m->state == DHCP_STANDBY && over(&m->memory.lease, now)) {
    m->memory.live = m->memory.ask = false;
    m->deadline_ns = 0;
    dhcp4_set_state(m, acts, DHCP_OFF, "the lease ended on standby");
    return true;
  }
  if (!m->has_lease || !over(&m->lease, now))
    return false;
  m->memory = (struct dhcp4_memory){.hint = true, .lease = m->lease};
  dhcp4_drop(m, acts, "the lease is over");
  dhcp4_discover(m, DHCP_EXPIRED, now, acts, "the lease has expired");
  return true;
}

void dhcp4_bind(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts, const char *why) {
  m->lease = m->pending;
  m->server = m->lease.params.server;
  m->has_lease = true;
  m->naks = m->conflicts = 0;
  m->quick = false;
  m->memory = (struct dhcp4_memory){0};
  (void)dhcp4_act(acts, DHCP4_ACT_APPLY);
  dhcp4_set_state(m, acts, DHCP_BOUND, why);
  dhcp4_new_xid(m); /* a duplicate of the ACK is foreign from now on */
  m->deadline_ns = m->lease.t1_ns;
  if (m->lease.t1_ns != 0 && m->lease.t1_ns <= now)
    dhcp4_follow_schedule(m, now, acts);
}

/* Asks for the lease that is in force: at its server, at any server, or as after a reboot. Each message has an id of
 * its own, so the answer tells which of them the new lease counts from. */
static void send_extend(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  m->tries++;
  if (!m->link)
    return;
  dhcp4_new_xid(m);
  if (m->tries == 1)
    m->acquire_ns = now;
  m->request_ns = now;
  struct dhcp4_send *s = dhcp4_send_new(m, acts, DHCP4_REQUEST, m->acquire_ns, now);
  if (m->state == DHCP_REBOOTING)
    s->requested = m->lease.params.addr;
  else
    s->ciaddr = m->lease.params.addr;
  if (m->state == DHCP_RENEWING)
    acts->a[acts->n - 1].to = m->lease.params.server;
}

/* Half of what is left, but not more often than once a minute (4.4.5), and never past the limit. A minute is too long
 * for a lease of some minutes: there it is a sixteenth of all of it. */
static uint64_t next_try(const struct dhcp4_lease *l, uint64_t now, uint64_t limit) {
  /* T1 to the end is half of the lease, or what the server made of it. */
  uint64_t least = MIN(RENEW_MIN_NS, (l->expiry_ns - l->t1_ns) * 2 / RENEW_MIN_PART);
  uint64_t wait = MAX((limit - now) / 2, least);
  return limit - now <= wait ? limit : now + wait;
}

/* The state that the lease's own times ask for, now. The lease is live. */
static enum dhcp_state state_by_time(const struct dhcp4_lease *l, uint64_t now) {
  if (l->expiry_ns == 0 || now < l->t1_ns)
    return DHCP_BOUND;
  return now < l->t2_ns ? DHCP_RENEWING : DHCP_REBINDING;
}

void dhcp4_follow_schedule(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  const struct dhcp4_lease *l = &m->lease;
  m->quick = false;
  switch (state_by_time(l, now)) {
  case DHCP_RENEWING:
    dhcp4_set_state(m, acts, DHCP_RENEWING, "T1 is reached");
    send_extend(m, now, acts);
    m->deadline_ns = next_try(l, now, l->t2_ns);
    break;
  case DHCP_REBINDING:
    dhcp4_set_state(m, acts, DHCP_REBINDING, "T2 is reached");
    send_extend(m, now, acts);
    m->deadline_ns = next_try(l, now, l->expiry_ns);
    break;
  default:
    dhcp4_set_state(m, acts, DHCP_BOUND, "no server answered, the lease still holds");
    m->deadline_ns = l->t1_ns;
  }
}

void dhcp4_quick_try(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  send_extend(m, now, acts);
  m->deadline_ns = now + dhcp4_backoff(m, m->tries);
  if (m->lease.expiry_ns != 0)
    m->deadline_ns = MIN(m->deadline_ns, now < m->lease.t2_ns ? m->lease.t2_ns : m->lease.expiry_ns);
}
