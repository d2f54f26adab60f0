/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv6 client's states and its clock. Numbers in comments are sections of RFC 8415.
 *
 * An exchange is one message, repeated under one transaction id until it is answered or given up; it is what each state
 * but OFF, INIT, BOUND, RELEASED and INFORMED is. Without a link there is none, and only lifetimes go on.
 */
#include "netconf/dhcp6_machine.h"

#include "base/util.h"
#include "netconf/backoff.h"
#include "netconf/dhcp6_private.h"

#define DELAY_MS 1000 /* SOL_MAX_DELAY, CNF_MAX_DELAY, INF_MAX_DELAY */
#define INFO_DOUBT_NS (10 * NSEC_PER_SEC) /* options on a link that is back hold as long as a Confirm may take */
#define FAILURES_MAX 7 /* 1, 2, 4 … 64 s */

const char *dhcp6_state_name(enum dhcp6_state s) {
  static const char *const names[] = {"off",        "init",      "soliciting", "requesting", "bound",  "renewing", "rebinding",
                                      "confirming", "declining", "releasing",  "released",   "asking", "informed"};
  return names[s];
}

/* 7.6. What the state's message is, and how it is repeated; 0: no limit. */
static const struct exchange {
  enum dhcp6_type type;
  uint32_t first_s, most_s, tries, duration_s;
} exchanges[] = {
    [DHCP6_SOLICITING] = {DHCP6_SOLICIT, 1, DHCP6_MAX_RT_S, 0, 0},
    [DHCP6_REQUESTING] = {DHCP6_REQUEST, 1, 30, 10, 0},
    [DHCP6_RENEWING] = {DHCP6_RENEW, 10, 600, 0, 0},
    [DHCP6_REBINDING] = {DHCP6_REBIND, 10, 600, 0, 0},
    [DHCP6_CONFIRMING] = {DHCP6_CONFIRM, 1, 4, 0, 10},
    [DHCP6_DECLINING] = {DHCP6_DECLINE, 1, 0, 4, 0},
    [DHCP6_RELEASING] = {DHCP6_RELEASE, 1, 0, 4, 0},
    [DHCP6_ASKING] = {DHCP6_INFORMATION_REQUEST, 1, DHCP6_MAX_RT_S, 0, 0},
    [DHCP6_INFORMED] = {0},
};

static uint32_t draw(struct dhcp6_machine *m) { return m->cfg.random(m->cfg.random_arg); }

/* --- actions out -------------------------------------------------------------------------------------------------- */

struct dhcp6_action *dhcp6_act(struct dhcp6_actions *acts, enum dhcp6_action_kind kind) {
  /* At most two of each address, and a few more. */
  struct dhcp6_action *a = &acts->a[MIN(acts->n, DHCP6_ACTIONS_MAX - 1)];
  acts->n = MIN(acts->n + 1, DHCP6_ACTIONS_MAX);
  *a = (struct dhcp6_action){.kind = kind};
  return a;
}

void dhcp6_set_state(struct dhcp6_machine *m, struct dhcp6_actions *acts, enum dhcp6_state to, const char *why) {
  m->next_ns = 0;
  if (m->state == to)
    return;
  struct dhcp6_action *a = dhcp6_act(acts, DHCP6_ACT_STATE);
  a->from = m->state;
  a->to = to;
  a->why = why;
  m->state = to;
}

void dhcp6_set_params(struct dhcp6_machine *m, const struct dhcp6_params *p, struct dhcp6_actions *acts) {
  static const struct dhcp6_params none;
  if (m->has_params == (p != NULL) && memcmp(&m->params, p != NULL ? p : &none, sizeof(none)) == 0)
    return;
  m->params = p != NULL ? *p : none;
  m->has_params = p != NULL;
  (void)dhcp6_act(acts, DHCP6_ACT_PARAMS);
}

void dhcp6_forget(struct dhcp6_machine *m, unsigned i, const char *why, struct dhcp6_actions *acts) {
  struct dhcp6_action *a = dhcp6_act(acts, DHCP6_ACT_FORGET);
  a->addr = m->lease.addrs[i];
  a->why = why;
  m->lease.addrs[i] = m->lease.addrs[--m->lease.n_addrs];
}

/* First what would be asked without a way to ask it, then the addresses. */
void dhcp6_drop(struct dhcp6_machine *m, const char *why, struct dhcp6_actions *acts) {
  dhcp6_set_params(m, NULL, acts);
  while (m->lease.n_addrs > 0)
    dhcp6_forget(m, m->lease.n_addrs - 1, why, acts);
  m->lease = (struct dhcp6_lease){0};
  m->unconfirmed = false;
  m->refresh_ns = m->info_until_ns = 0;
}

/* --- exchanges ---------------------------------------------------------------------------------------------------- */

static uint64_t lease_end(const struct dhcp6_machine *m) {
  uint64_t end = 0;
  for (unsigned i = 0; i < m->lease.n_addrs; i++)
    end = MAX(end, m->lease.addrs[i].valid_until);
  return end;
}

static void fill_addrs(struct dhcp6_send *s, const struct dhcp6_lease *l) {
  s->with_ia = true;
  for (s->n_addrs = 0; s->n_addrs < l->n_addrs; s->n_addrs++)
    s->addrs[s->n_addrs] = l->addrs[s->n_addrs].addr;
}

/* 18.2.1 to 18.2.8. DECLINING and RELEASING come with theirs. */
static void fill(struct dhcp6_machine *m) {
  struct dhcp6_send *s = &m->message;
  if (m->state != DHCP6_DECLINING && m->state != DHCP6_RELEASING)
    *s = (struct dhcp6_send){0};
  s->type = exchanges[m->state].type;
  s->xid = m->xid = draw(m) & 0xffffff;
  s->iaid = m->cfg.iaid;
  s->client = m->cfg.duid;
  switch (m->state) {
  case DHCP6_SOLICITING:
    s->with_ia = s->rapid_commit = true;
    break;
  case DHCP6_REQUESTING:
    s->server = m->offer_server;
    s->with_ia = true;
    s->n_addrs = m->n_offer_addrs;
    memcpy(s->addrs, m->offer_addrs, sizeof(s->addrs));
    break;
  case DHCP6_RENEWING:
    s->server = m->lease.server;
    fill_addrs(s, &m->lease);
    break;
  case DHCP6_REBINDING:
  case DHCP6_CONFIRMING:
    fill_addrs(s, &m->lease);
    break;
  default:
    break;
  }
}

/* Never past the moment at which the state itself ends. */
static uint64_t state_end(const struct dhcp6_machine *m) {
  const struct exchange *x = &exchanges[m->state];
  if (m->state == DHCP6_RENEWING)
    return m->lease.t2_ns;
  return x->duration_s != 0 && m->tries > 0 ? m->first_ns + x->duration_s * NSEC_PER_SEC : DHCP6_NEVER;
}

static void transmit(struct dhcp6_machine *m, uint64_t now, struct dhcp6_actions *acts) {
  const struct exchange *x = &exchanges[m->state];
  uint32_t most_s = m->state == DHCP6_SOLICITING ? m->sol_max_rt_s : m->state == DHCP6_ASKING ? m->inf_max_rt_s : x->most_s;
  uint32_t random = draw(m);
  if (m->tries == 0) {
    m->first_ns = now;
    m->rt_ns = 0;
    if (m->state == DHCP6_SOLICITING)
      random = 1001 + random % 1000; /* 18.2.1: here RAND is above 0, so the first wait is not cut short */
  }
  m->tries++;
  if (m->state == DHCP6_RENEWING || m->state == DHCP6_REBINDING || m->state == DHCP6_CONFIRMING)
    fill_addrs(&m->message, &m->lease); /* 15: what is over meanwhile is not named any more */
  m->rt_ns = backoff_next(m->rt_ns, x->first_s * NSEC_PER_SEC, most_s * NSEC_PER_SEC, random);
  m->next_ns = MIN(now + m->rt_ns, state_end(m));
  m->message.elapsed_cs = (uint16_t)MIN((now - m->first_ns) / (10 * NSEC_PER_MSEC), (uint64_t)UINT16_MAX); /* 21.9 */
  dhcp6_act(acts, DHCP6_ACT_SEND)->message = m->message;
}

void dhcp6_exchange(struct dhcp6_machine *m, enum dhcp6_state state, bool delay, const char *why, uint64_t now,
                    struct dhcp6_actions *acts) {
  dhcp6_set_state(m, acts, state, why);
  fill(m);
  m->tries = 0;
  m->has_offer = false;
  m->offer_sol_s = m->offer_inf_s = 0;
  if (delay)
    m->next_ns = now + draw(m) % (DELAY_MS + 1) * NSEC_PER_MSEC;
  if (!delay || m->next_ns <= now)
    transmit(m, now, acts);
}

void dhcp6_failed(struct dhcp6_machine *m, const char *why, uint64_t now, struct dhcp6_actions *acts) {
  dhcp6_set_state(m, acts, m->lease.n_addrs > 0 ? DHCP6_BOUND : DHCP6_INIT, why);
  m->failures = MIN(m->failures + 1, (unsigned)FAILURES_MAX);
  m->next_ns = now + (UINT64_C(1) << (m->failures - 1)) * NSEC_PER_SEC;
}

/* Looks for a server, or waits for the link. */
static void acquire(struct dhcp6_machine *m, bool delay, const char *why, uint64_t now, struct dhcp6_actions *acts) {
  if (!m->link)
    dhcp6_set_state(m, acts, DHCP6_INIT, why);
  else if (m->mode == DHCP6_MODE_ADDRESSES)
    dhcp6_exchange(m, DHCP6_SOLICITING, delay, why, now, acts);
  else
    dhcp6_exchange(m, DHCP6_ASKING, delay, why, now, acts);
}

/* Is what is held of this link? Without one that waits. */
static void confirm(struct dhcp6_machine *m, const char *why, uint64_t now, struct dhcp6_actions *acts) {
  m->unconfirmed = !m->link;
  if (m->link)
    dhcp6_exchange(m, DHCP6_CONFIRMING, true, why, now, acts);
  else
    dhcp6_set_state(m, acts, DHCP6_BOUND, why);
}

void dhcp6_schedule(struct dhcp6_machine *m, const char *why, uint64_t now, struct dhcp6_actions *acts) {
  const struct dhcp6_lease *l = &m->lease;
  if (l->n_addrs == 0)
    acquire(m, false, why, now, acts);
  else if (m->link && m->unconfirmed)
    confirm(m, "is it the same link?", now, acts);
  else if (!m->link || now < l->t1_ns)
    dhcp6_set_state(m, acts, DHCP6_BOUND, why);
  else if (now < l->t2_ns)
    dhcp6_exchange(m, DHCP6_RENEWING, false, "T1 is reached", now, acts);
  else
    dhcp6_exchange(m, DHCP6_REBINDING, false, "T2 is reached", now, acts);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static bool lease_state(enum dhcp6_state s) {
  return s == DHCP6_BOUND || s == DHCP6_RENEWING || s == DHCP6_REBINDING || s == DHCP6_CONFIRMING;
}

static void begin(struct dhcp6_machine *m, uint64_t now, struct dhcp6_actions *acts) {
  acts->n = 0;
  bool had = m->lease.n_addrs > 0;
  if (had && now >= lease_end(m))
    dhcp6_set_params(m, NULL, acts);
  for (unsigned i = m->lease.n_addrs; i-- > 0;)
    if (now >= m->lease.addrs[i].valid_until)
      dhcp6_forget(m, i, "its lifetime is over", acts);
  if (had && m->lease.n_addrs == 0) {
    m->lease = (struct dhcp6_lease){0};
    if (lease_state(m->state) || m->state == DHCP6_REQUESTING)
      acquire(m, false, "the lease has expired", now, acts);
  }
  if (m->info_until_ns != 0 && now >= m->info_until_ns) {
    m->info_until_ns = 0;
    dhcp6_set_params(m, NULL, acts);
  }
}

static uint64_t min_due(uint64_t a, uint64_t b) { return b != 0 && b < a ? b : a; }

static void settle(struct dhcp6_machine *m) {
  uint64_t due = DHCP6_NEVER;
  for (unsigned i = 0; i < m->lease.n_addrs; i++)
    due = min_due(due, m->lease.addrs[i].valid_until);
  due = min_due(due, m->info_until_ns);
  if (m->link) {
    due = min_due(due, m->next_ns);
    if (m->state == DHCP6_BOUND && m->next_ns == 0)
      due = min_due(due, m->lease.t1_ns);
    if (m->state == DHCP6_INFORMED)
      due = min_due(due, m->refresh_ns);
  }
  m->deadline_ns = due == DHCP6_NEVER ? 0 : due;
}

/* The exchange has run its course without an answer. */
static void give_up(struct dhcp6_machine *m, uint64_t now, struct dhcp6_actions *acts) {
  switch (m->state) {
  case DHCP6_REQUESTING:
    dhcp6_schedule(m, "the server that made the offer is silent", now, acts);
    break;
  case DHCP6_RELEASING:
    dhcp6_set_state(m, acts, DHCP6_RELEASED, "no server confirmed the release");
    break;
  case DHCP6_CONFIRMING: /* 18.2.3: what is held may be used on */
    dhcp6_schedule(m, "no server answered, the lease still holds", now, acts);
    break;
  default:
    dhcp6_schedule(m, "no server answered", now, acts);
  }
}

static void exchange_timeout(struct dhcp6_machine *m, uint64_t now, struct dhcp6_actions *acts) {
  const struct exchange *x = &exchanges[m->state];
  if (m->state == DHCP6_SOLICITING && m->has_offer)
    dhcp6_exchange(m, DHCP6_REQUESTING, false, "a server made an offer", now, acts);
  else if ((x->tries != 0 && m->tries >= x->tries) || now >= state_end(m))
    give_up(m, now, acts);
  else
    transmit(m, now, acts);
}

void dhcp6_timeout(struct dhcp6_machine *m, uint64_t now, struct dhcp6_actions *acts) {
  begin(m, now, acts);
  if (m->link && m->next_ns != 0 && now >= m->next_ns) {
    if (m->state == DHCP6_INIT || m->state == DHCP6_BOUND)
      dhcp6_schedule(m, "asking again", now, acts);
    else
      exchange_timeout(m, now, acts);
  } else if (m->link && m->state == DHCP6_BOUND && m->next_ns == 0 && now >= m->lease.t1_ns) {
    dhcp6_schedule(m, NULL, now, acts);
  } else if (m->link && m->state == DHCP6_INFORMED && m->refresh_ns != 0 && now >= m->refresh_ns) {
    dhcp6_exchange(m, DHCP6_ASKING, true, "what was told is old", now, acts); /* 21.23: MUST be delayed */
  }
  settle(m);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

void dhcp6_init(struct dhcp6_machine *m, const struct dhcp6_config *cfg, bool link) {
  *m = (struct dhcp6_machine){.cfg = *cfg, .link = link, .sol_max_rt_s = DHCP6_MAX_RT_S, .inf_max_rt_s = DHCP6_MAX_RT_S};
}

void dhcp6_remember(struct dhcp6_machine *m, const struct dhcp6_lease *lease, const struct dhcp6_params *params) {
  m->memory = *lease;
  m->memory_params = *params;
}

/* Returns whether there was something. */
static bool recall(struct dhcp6_machine *m, uint64_t now, struct dhcp6_actions *acts) {
  struct dhcp6_lease *l = &m->lease;
  if (m->memory.n_addrs == 0 || l->n_addrs > 0)
    return false;
  unsigned n = m->memory.n_addrs;
  *l = m->memory;
  l->n_addrs = m->memory.n_addrs = 0;
  for (unsigned i = 0; i < n; i++)
    if (now < m->memory.addrs[i].valid_until) {
      l->addrs[l->n_addrs++] = m->memory.addrs[i];
      dhcp6_act(acts, DHCP6_ACT_ADDRESS)->addr = m->memory.addrs[i];
    }
  if (l->n_addrs == 0) {
    *l = (struct dhcp6_lease){0};
    return false;
  }
  m->info_until_ns = m->refresh_ns = 0;
  dhcp6_set_params(m, &m->memory_params, acts);
  return true;
}

void dhcp6_want(struct dhcp6_machine *m, enum dhcp6_mode mode, uint64_t now, struct dhcp6_actions *acts) {
  begin(m, now, acts);
  enum dhcp6_mode was = m->mode;
  m->mode = mode;
  if (mode == DHCP6_MODE_OFF) {
    dhcp6_drop(m, "DHCPv6 is not used any more", acts);
    dhcp6_set_state(m, acts, DHCP6_OFF, "DHCPv6 is not used any more");
  } else if (mode != was) {
    if (mode == DHCP6_MODE_INFORMATION)
      dhcp6_drop(m, "only options are asked for", acts);
    m->failures = 0;
    if (mode == DHCP6_MODE_ADDRESSES && recall(m, now, acts))
      confirm(m, "the lease of the last run: is it the same link?", now, acts);
    else if (mode == DHCP6_MODE_ADDRESSES)
      acquire(m, true, m->memory_why != NULL ? TAKE_PTR(m->memory_why) : "asking for an address", now, acts);
    else
      acquire(m, true, "asking for options", now, acts);
  }
  settle(m);
}

static void link_is_back(struct dhcp6_machine *m, uint64_t now, struct dhcp6_actions *acts) {
  m->sol_max_rt_s = m->inf_max_rt_s = DHCP6_MAX_RT_S;
  m->failures = 0;
  if (m->info_until_ns != 0)
    m->info_until_ns = MIN(m->info_until_ns, now + INFO_DOUBT_NS);
  if (m->lease.n_addrs > 0)
    confirm(m, "the link can be used again: is it the same one?", now, acts);
  else
    acquire(m, true, "the link can be used again", now, acts);
}

void dhcp6_link(struct dhcp6_machine *m, bool up, uint64_t now, struct dhcp6_actions *acts) {
  bool changed = up != m->link;
  m->link = up; /* first: what ends now asks for another only where it can */
  begin(m, now, acts);
  if (changed && m->state == DHCP6_RELEASING)
    dhcp6_set_state(m, acts, DHCP6_RELEASED, "the link cannot be used");
  if (changed && m->state != DHCP6_OFF && m->state != DHCP6_RELEASED) {
    if (up)
      link_is_back(m, now, acts);
    else
      dhcp6_set_state(m, acts, m->lease.n_addrs > 0 ? DHCP6_BOUND : DHCP6_INIT, "the link cannot be used, or has no address of its own yet");
  }
  settle(m);
}

void dhcp6_receive(struct dhcp6_machine *m, const struct net_addr *from, const struct dhcp6_reply *r, uint64_t now,
                   struct dhcp6_actions *acts) {
  begin(m, now, acts);
  m->left_out += r->left_out;
  bool asking = m->link && m->next_ns != 0 && m->tries > 0 && m->state != DHCP6_INIT && m->state != DHCP6_BOUND;
  /* 16.3, 16.10: our transaction, our identifier, and a server that has one. */
  if (!asking || r->xid != m->xid || r->client.len != m->cfg.duid.len || r->server.len == 0 ||
      memcmp(r->client.b, m->cfg.duid.b, r->client.len) != 0)
    m->ignored++;
  else
    dhcp6_take(m, from, r, now, acts);
  settle(m);
}

void dhcp6_duplicate(struct dhcp6_machine *m, const struct net_addr *addr, uint64_t now, struct dhcp6_actions *acts) {
  begin(m, now, acts);
  for (unsigned i = 0; i < m->lease.n_addrs; i++) {
    if (!net_addr_equal(&m->lease.addrs[i].addr, addr))
      continue;
    struct dhcp6_duid server = m->lease.server;
    if (m->lease.n_addrs == 1)
      dhcp6_set_params(m, NULL, acts);
    dhcp6_forget(m, i, "another node has this address", acts);
    if (m->lease.n_addrs == 0)
      m->lease = (struct dhcp6_lease){0};
    m->unconfirmed = m->lease.n_addrs > 0 && (m->unconfirmed || m->state == DHCP6_CONFIRMING);
    m->message = (struct dhcp6_send){.server = server, .with_ia = true, .addrs = {*addr}, .n_addrs = 1};
    if (m->link)
      dhcp6_exchange(m, DHCP6_DECLINING, false, "another node has the address", now, acts); /* 18.2.8 */
    else
      dhcp6_schedule(m, "another node has the address", now, acts);
    break;
  }
  settle(m);
}

void dhcp6_again(struct dhcp6_machine *m, const struct net_addr *addr, uint64_t now, struct dhcp6_actions *acts) {
  begin(m, now, acts);
  for (unsigned i = 0; i < m->lease.n_addrs; i++)
    if (net_addr_equal(&m->lease.addrs[i].addr, addr))
      dhcp6_act(acts, DHCP6_ACT_ADDRESS)->addr = m->lease.addrs[i];
  settle(m);
}

void dhcp6_renew(struct dhcp6_machine *m, uint64_t now, struct dhcp6_actions *acts) {
  begin(m, now, acts);
  m->failures = 0;
  if (m->mode != DHCP6_MODE_OFF) {
    if (m->link && m->lease.n_addrs > 0)
      dhcp6_exchange(m, now < m->lease.t2_ns ? DHCP6_RENEWING : DHCP6_REBINDING, false, "asked to", now, acts);
    else if (m->lease.n_addrs == 0)
      acquire(m, false, "asked to", now, acts);
  }
  settle(m);
}

int dhcp6_release(struct dhcp6_machine *m, uint64_t now, struct dhcp6_actions *acts) {
  begin(m, now, acts);
  bool any = m->lease.n_addrs > 0;
  if (any) {
    m->message = (struct dhcp6_send){.server = m->lease.server};
    fill_addrs(&m->message, &m->lease);
    dhcp6_drop(m, "it was released", acts); /* 18.2.7: first not used any more, then given back */
    if (m->link)
      dhcp6_exchange(m, DHCP6_RELEASING, false, "asked to", now, acts);
    else
      dhcp6_set_state(m, acts, DHCP6_RELEASED, "asked to");
  }
  settle(m);
  return any ? 0 : -ENODATA;
}
