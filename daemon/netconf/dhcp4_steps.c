/* SPDX-License-Identifier: BSD-3-Clause
 * The steps of the DHCPv4 client: messages, their times, and the way to a lease. Numbers in comments are sections of
 * RFC 2131.
 *
 * SELECTING and REQUESTING run under one transaction id, unless a DISCOVER may be answered by a lease (RFC 4039).
 */
#include "netconf/dhcp4_private.h"

#include "base/util.h"

#define BACKOFF_FIRST_S 4 /* 4.1 */
#define BACKOFF_MAX_S 64
#define REQUEST_TRIES 4   /* 4.4.1: about a minute in all */
#define REBOOT_TRIES 2
#define REBOOT_WAIT_NS (2 * NSEC_PER_SEC + NSEC_PER_SEC / 2)
#define DECLINE_WAIT_S 10 /* 3.1.5, and then twice as long each time */
#define DECLINE_DOUBLED 5u
#define PROBE_GUARD_NS (120 * NSEC_PER_SEC) /* longer than any probing, RFC 5227's rate limit included */
#define V6ONLY_WAIT_MIN_S 300u /* RFC 8925 3.4 */

/* --- actions out -------------------------------------------------------------------------------------------------- */

struct dhcp4_action *dhcp4_act(struct dhcp4_actions *acts, enum dhcp4_action_kind kind) {
  /* No event makes more than ten. */
  struct dhcp4_action *a = &acts->a[MIN(acts->n, DHCP4_ACTIONS_MAX - 1)];
  acts->n = MIN(acts->n + 1, DHCP4_ACTIONS_MAX);
  *a = (struct dhcp4_action){.kind = kind};
  return a;
}

void dhcp4_set_state(struct dhcp4_machine *m, struct dhcp4_actions *acts, enum dhcp_state to, const char *why) {
  if (m->state == to)
    return;
  if (m->state == DHCP_PROBING)
    (void)dhcp4_act(acts, DHCP4_ACT_PROBE_END);
  m->tries = 0;
  struct dhcp4_action *a = dhcp4_act(acts, DHCP4_ACT_STATE);
  a->from = m->state;
  a->state = to;
  a->server = m->server;
  a->why = why;
  m->state = to;
}

struct dhcp4_send *dhcp4_send_new(struct dhcp4_machine *m, struct dhcp4_actions *acts, enum dhcp4_type type,
                                  uint64_t since, uint64_t now) {
  struct dhcp4_send *s = &dhcp4_act(acts, DHCP4_ACT_SEND)->message;
  s->type = type;
  s->xid = m->xid;
  s->secs = (uint16_t)MIN((now - since) / NSEC_PER_SEC, (uint64_t)UINT16_MAX);
  s->v6only = m->cfg.v6only;
  return s;
}

void dhcp4_new_xid(struct dhcp4_machine *m) { m->xid = m->cfg.random(m->cfg.random_arg); }

/* What is given or taken at random: a second more or less. */
static uint64_t jitter(struct dhcp4_machine *m, uint64_t ns, unsigned spread_ms) {
  return ns - spread_ms * NSEC_PER_MSEC + m->cfg.random(m->cfg.random_arg) % (2 * spread_ms + 1) * NSEC_PER_MSEC;
}

/* 4, 8, 16, 32, 64, 64 … seconds, each give or take one (4.1). */
uint64_t dhcp4_backoff(struct dhcp4_machine *m, unsigned n) {
  uint64_t s = n <= 4 ? (uint64_t)BACKOFF_FIRST_S << (n - 1) : BACKOFF_MAX_S;
  return jitter(m, s * NSEC_PER_SEC, 1000);
}

/* --- SELECTING ---------------------------------------------------------------------------------------------------- */

static void send_discover(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  if (m->cfg.rapid_commit) { /* this may be what the lease counts from, so the answer must tell which it is to (4.1) */
    dhcp4_new_xid(m);
    m->request_ns = now;
  }
  /* Our stack takes a unicast reply before it has an address, so no reply needs to be broadcast. */
  struct dhcp4_send *s = dhcp4_send_new(m, acts, DHCP4_DISCOVER, m->acquire_ns, now);
  m->discover_secs = s->secs;
  s->rapid = m->cfg.rapid_commit;
  if (m->memory.hint)
    s->requested = m->memory.lease.params.addr;
  m->tries++;
  m->deadline_ns = now + dhcp4_backoff(m, m->tries);
}

void dhcp4_discover(struct dhcp4_machine *m, enum dhcp_state state, uint64_t now, struct dhcp4_actions *acts,
                    const char *why) {
  m->quick = false;
  if (!m->link && state == DHCP_SELECTING)
    state = DHCP_INIT;
  dhcp4_set_state(m, acts, state, why);
  m->server = (struct net_addr){0};
  m->tries = m->n_offers = 0;
  m->deadline_ns = 0;
  if (!m->link)
    return;
  dhcp4_new_xid(m);
  m->acquire_ns = m->request_ns = now;
  send_discover(m, now, acts);
}

static void send_select(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  struct dhcp4_send *s = dhcp4_send_new(m, acts, DHCP4_REQUEST, m->acquire_ns, now);
  s->secs = m->discover_secs; /* 3.1.3: so that relays take it to the same servers */
  s->requested = m->pending.params.addr;
  s->server = m->pending.params.server;
  m->tries++;
  m->deadline_ns = now + dhcp4_backoff(m, m->tries);
}

static void select_best(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  m->request_ns = now;
  m->server = m->pending.params.server;
  dhcp4_set_state(m, acts, DHCP_REQUESTING, m->n_offers > 1 ? "the best of several offers" : "a server made an offer");
  m->n_offers = 0;
  send_select(m, now, acts);
}

/* The best so far is kept; between equals the longer lease, then the one that came first. The wait ends at once when
 * nothing better can come. */
void dhcp4_offered(struct dhcp4_machine *m, const struct dhcp4_reply *r, uint64_t now, struct dhcp4_actions *acts) {
  struct net_addr none = {0}, *wanted = m->memory.hint ? &m->memory.lease.params.addr : &none;
  struct dhcp4_lease l = {.params = r->params};
  unsigned score = dhcp4_score(&r->params, wanted);
  bool odd;
  (void)dhcp4_lease_times(r, now, now, 0, &l, &odd);
  bool longer = m->pending.expiry_ns != 0 && (l.expiry_ns == 0 || l.expiry_ns > m->pending.expiry_ns);
  if (m->n_offers == 0 || score > m->score || (score == m->score && longer)) {
    m->pending = l;
    m->score = score;
  }
  if (m->n_offers++ == 0)
    m->deadline_ns = now + m->cfg.offer_wait_ns;
  if (m->cfg.offer_wait_ns == 0 || m->score == DHCP4_SCORE_BEST)
    select_best(m, now, acts);
}

void dhcp4_wait_v6only(struct dhcp4_machine *m, uint32_t s, uint64_t now, struct dhcp4_actions *acts) {
  m->n_offers = 0;
  m->memory = (struct dhcp4_memory){0};
  dhcp4_new_xid(m);
  dhcp4_set_state(m, acts, DHCP_IPV6_ONLY, "the network prefers IPv6 alone");
  m->deadline_ns = now + MAX(s, V6ONLY_WAIT_MIN_S) * NSEC_PER_SEC;
}

/* --- INIT-REBOOT -------------------------------------------------------------------------------------------------- */

static void send_reboot(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  dhcp4_new_xid(m);
  m->request_ns = now;
  struct dhcp4_send *s = dhcp4_send_new(m, acts, DHCP4_REQUEST, m->acquire_ns, now);
  s->requested = m->memory.lease.params.addr;
  m->tries++;
  /* Sooner than 4.1 has it: on another network nobody may answer this at all, and who waits wants an address. */
  m->deadline_ns = now + jitter(m, REBOOT_WAIT_NS, 500);
}

void dhcp4_acquire(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts, const char *why) {
  if (m->memory.live && m->memory.lease.expiry_ns != 0 && m->memory.lease.expiry_ns <= now)
    m->memory.live = m->memory.ask = false;
  m->server = (struct net_addr){0}; /* of whatever was before */
  if (!m->link || !m->memory.ask) {
    dhcp4_discover(m, m->state == DHCP_EXPIRED ? DHCP_EXPIRED : DHCP_SELECTING, now, acts, why);
    return;
  }
  m->memory.ask = false;
  m->quick = false;
  m->server = m->memory.lease.params.server;
  dhcp4_set_state(m, acts, DHCP_REBOOTING, "asking for the address of the last lease");
  m->tries = 0;
  m->acquire_ns = now;
  send_reboot(m, now, acts);
}

/* 3.2: when no server speaks at all, the rest of a lease that has not ended may be used. Who offers something knows
 * better, so this comes only after a DISCOVER, too, got no answer: we may be elsewhere. */
static bool use_memory(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  const struct dhcp4_lease *l = &m->memory.lease;
  if (!m->memory.live || m->n_offers > 0)
    return false;
  m->memory.live = false;
  if (l->expiry_ns != 0 && l->expiry_ns <= now)
    return false;
  m->pending = *l;
  dhcp4_granted(m, now, acts, "no server answered, the last lease still holds");
  return true;
}

/* --- a grant ------------------------------------------------------------------------------------------------------ */

void dhcp4_granted(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts, const char *why) {
  m->n_offers = 0;
  m->server = m->pending.params.server;
  if (!m->cfg.probe) {
    dhcp4_bind(m, now, acts, why);
    return;
  }
  dhcp4_new_xid(m);
  (void)dhcp4_act(acts, DHCP4_ACT_PROBE);
  dhcp4_set_state(m, acts, DHCP_PROBING, why);
  m->deadline_ns = now + PROBE_GUARD_NS;
  if (m->pending.expiry_ns != 0)
    m->deadline_ns = MIN(m->deadline_ns, m->pending.expiry_ns);
}

void dhcp4_decline(struct dhcp4_machine *m, const struct dhcp4_params *p, uint64_t now, struct dhcp4_actions *acts,
                   const char *why) {
  struct net_addr addr = p->addr, server = p->server; /* p may be the lease that is dropped */
  dhcp4_drop(m, acts, why);
  m->memory = (struct dhcp4_memory){0};
  (void)dhcp4_act(acts, DHCP4_ACT_FORGET);
  if (m->link && server.family != 0) {
    dhcp4_new_xid(m);
    struct dhcp4_send *s = dhcp4_send_new(m, acts, DHCP4_DECLINE, now, now);
    s->requested = addr;
    s->server = server;
    s->message = why; /* table 5: SHOULD, for who administers the server */
  }
  dhcp4_new_xid(m);
  dhcp4_set_state(m, acts, DHCP_INIT, why);
  m->deadline_ns = m->link ? now + ((uint64_t)DECLINE_WAIT_S << MIN(m->conflicts, DECLINE_DOUBLED)) * NSEC_PER_SEC : 0;
  m->conflicts++;
}

/* --- time --------------------------------------------------------------------------------------------------------- */

void dhcp4_acquire_timeout(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  switch (m->state) {
  case DHCP_INIT:
  case DHCP_IPV6_ONLY:
    dhcp4_acquire(m, now, acts, "asking for a lease");
    break;
  case DHCP_SELECTING:
  case DHCP_EXPIRED:
    if (m->n_offers > 0)
      select_best(m, now, acts);
    else if (!use_memory(m, now, acts))
      send_discover(m, now, acts);
    break;
  case DHCP_REBOOTING:
    if (m->tries < REBOOT_TRIES)
      send_reboot(m, now, acts);
    else
      dhcp4_discover(m, DHCP_SELECTING, now, acts, "no server answered for the last address");
    break;
  case DHCP_REQUESTING:
    if (m->tries < REQUEST_TRIES)
      send_select(m, now, acts);
    else
      dhcp4_discover(m, DHCP_SELECTING, now, acts, "the server that made the offer is silent");
    break;
  default: /* PROBING: the lease has ended meanwhile, or nobody told the result */
    dhcp4_discover(m, DHCP_SELECTING, now, acts, "the probing did not end in time");
  }
}
