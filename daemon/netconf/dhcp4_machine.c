/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv4 client's states. Numbers in comments are sections of RFC 2131.
 *
 * An acquisition (SELECTING, REQUESTING) runs under one transaction id; EXPIRED is SELECTING with the memory that
 * a lease was lost. A lease is held in BOUND, RENEWING and REBINDING, and only there.
 */
#include "netconf/dhcp4_machine.h"

#include "base/util.h"

#define BACKOFF_FIRST_S 4 /* 4.1 */
#define BACKOFF_MAX_S 64
#define REQUEST_TRIES 4   /* 4.4.1: about a minute in all */
#define QUICK_TRIES 4
#define RENEW_MIN_NS (60 * NSEC_PER_SEC) /* 4.4.5 */

static bool lease_state(enum dhcp_state s) { return s == DHCP_BOUND || s == DHCP_RENEWING || s == DHCP_REBINDING; }

/* --- actions out ------------------------------------------------------------------------------------------------- */

static struct dhcp4_action *act(struct dhcp4_actions *acts, enum dhcp4_action_kind kind) {
  /* No event makes more than five. */
  struct dhcp4_action *a = &acts->a[MIN(acts->n, DHCP4_ACTIONS_MAX - 1)];
  acts->n = MIN(acts->n + 1, DHCP4_ACTIONS_MAX);
  *a = (struct dhcp4_action){.kind = kind};
  return a;
}

static void set_state(struct dhcp4_machine *m, struct dhcp4_actions *acts, enum dhcp_state to, const char *why) {
  if (m->state == to)
    return;
  m->tries = 0;
  struct dhcp4_action *a = act(acts, DHCP4_ACT_STATE);
  a->from = m->state;
  a->state = to;
  a->why = why;
  m->state = to;
}

static struct dhcp4_send *send_new(struct dhcp4_machine *m, struct dhcp4_actions *acts, enum dhcp4_type type,
                                   uint64_t since, uint64_t now) {
  struct dhcp4_send *s = &act(acts, DHCP4_ACT_SEND)->message;
  s->type = type;
  s->xid = m->xid;
  s->secs = (uint16_t)MIN((now - since) / NSEC_PER_SEC, (uint64_t)UINT16_MAX);
  memcpy(s->mac, m->cfg.mac, sizeof(s->mac));
  memcpy(s->hostname, m->cfg.hostname, sizeof(s->hostname));
  return s;
}

static void new_xid(struct dhcp4_machine *m) { m->xid = m->cfg.random(m->cfg.random_arg); }

/* 4, 8, 16, 32, 64, 64 … seconds, each give or take one, after the n-th message (4.1). */
static uint64_t backoff(struct dhcp4_machine *m, unsigned n) {
  uint64_t s = n <= 4 ? (uint64_t)BACKOFF_FIRST_S << (n - 1) : BACKOFF_MAX_S;
  return s * NSEC_PER_SEC - NSEC_PER_SEC + m->cfg.random(m->cfg.random_arg) % 2001 * NSEC_PER_MSEC;
}

/* --- acquisition ------------------------------------------------------------------------------------------------- */

static void send_discover(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  /* Our stack takes a unicast reply before it has an address, so no reply needs to be broadcast. */
  (void)send_new(m, acts, DHCP4_DISCOVER, m->acquire_ns, now);
  m->tries++;
  m->deadline_ns = now + backoff(m, m->tries);
}

/* Begins to look for a server, as SELECTING or, after an expiry, as EXPIRED. Without link it waits. */
static void discover(struct dhcp4_machine *m, enum dhcp_state state, uint64_t now, struct dhcp4_actions *acts,
                     const char *why) {
  m->quick = m->verify = false;
  if (!m->link && state == DHCP_SELECTING)
    state = DHCP_INIT;
  set_state(m, acts, state, why);
  m->tries = 0;
  m->deadline_ns = 0;
  if (!m->link)
    return;
  new_xid(m);
  m->acquire_ns = now;
  send_discover(m, now, acts);
}

static void send_select(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  struct dhcp4_send *s = send_new(m, acts, DHCP4_REQUEST, m->acquire_ns, now);
  s->requested = m->offer.addr;
  s->server = m->offer.server;
  m->tries++;
  m->deadline_ns = now + backoff(m, m->tries);
}

/* --- a lease ----------------------------------------------------------------------------------------------------- */

static void drop(struct dhcp4_machine *m, struct dhcp4_actions *acts) {
  if (m->has_lease)
    (void)act(acts, DHCP4_ACT_DROP);
  m->has_lease = false;
  m->lease = (struct dhcp4_lease){0};
}

static bool expire(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  if (!m->has_lease || m->lease.expiry_ns == 0 || now < m->lease.expiry_ns)
    return false;
  drop(m, acts);
  discover(m, DHCP_EXPIRED, now, acts, "the lease has expired");
  return true;
}

static void begin(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  acts->n = 0;
  (void)expire(m, now, acts);
}

/* 4.4.5. The server's T1 and T2 count only when T1 < T2 < lease; else a half and seven eighths. Returns false when the
 * lease would be over already. */
static bool lease_times(const struct dhcp4_reply *r, uint64_t since, uint64_t now, struct dhcp4_lease *l) {
  l->t1_ns = l->t2_ns = l->expiry_ns = 0;
  if (!r->has_lease || r->lease_s == 0)
    return false;
  if (r->lease_s == DHCP4_FOREVER)
    return true;
  uint64_t len = r->lease_s * NSEC_PER_SEC;
  uint64_t t1 = r->t1_s != 0 ? r->t1_s * NSEC_PER_SEC : len / 2;
  uint64_t t2 = r->t2_s != 0 ? r->t2_s * NSEC_PER_SEC : len / 8 * 7;
  if (t1 >= t2 || t2 >= len) {
    t1 = len / 2;
    t2 = len / 8 * 7;
  }
  l->t1_ns = since + t1;
  l->t2_ns = since + t2;
  l->expiry_ns = since + len;
  return l->expiry_ns > now;
}

/* Asks for the lease that is in force: at its server, at any server, or as after a reboot. Each message has an id of
 * its own, so the answer tells which of them the new lease counts from. */
static void send_extend(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  m->tries++;
  if (!m->link)
    return;
  new_xid(m);
  if (m->tries == 1)
    m->acquire_ns = now;
  m->request_ns = now;
  struct dhcp4_send *s = send_new(m, acts, DHCP4_REQUEST, m->acquire_ns, now);
  if (m->verify)
    s->requested = m->lease.params.addr;
  else
    s->ciaddr = m->lease.params.addr;
  if (m->state == DHCP_RENEWING)
    acts->a[acts->n - 1].to = m->lease.params.server;
}

/* Half of what is left, but not more often than once a minute (4.4.5), and never past the limit. */
static uint64_t next_try(uint64_t now, uint64_t limit) {
  uint64_t wait = MAX((limit - now) / 2, RENEW_MIN_NS);
  return limit - now <= wait ? limit : now + wait;
}

/* The state that the lease's own times ask for, now. The lease is live. */
static enum dhcp_state state_by_time(const struct dhcp4_lease *l, uint64_t now) {
  if (l->expiry_ns == 0 || now < l->t1_ns)
    return DHCP_BOUND;
  return now < l->t2_ns ? DHCP_RENEWING : DHCP_REBINDING;
}

static void follow_schedule(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  const struct dhcp4_lease *l = &m->lease;
  m->quick = m->verify = false;
  switch (state_by_time(l, now)) {
  case DHCP_RENEWING:
    set_state(m, acts, DHCP_RENEWING, "T1 is reached");
    send_extend(m, now, acts);
    m->deadline_ns = next_try(now, l->t2_ns);
    break;
  case DHCP_REBINDING:
    set_state(m, acts, DHCP_REBINDING, "T2 is reached");
    send_extend(m, now, acts);
    m->deadline_ns = next_try(now, l->expiry_ns);
    break;
  default:
    set_state(m, acts, DHCP_BOUND, "no server answered, the lease still holds");
    m->deadline_ns = l->t1_ns;
  }
}

/* A quick try, bounded by the end of the lease. */
static void quick_try(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  send_extend(m, now, acts);
  m->deadline_ns = now + backoff(m, m->tries);
  if (m->lease.expiry_ns != 0)
    m->deadline_ns = MIN(m->deadline_ns, m->lease.expiry_ns);
}

/* --- replies ----------------------------------------------------------------------------------------------------- */

static void receive_offer(struct dhcp4_machine *m, const struct dhcp4_reply *r, uint64_t now,
                          struct dhcp4_actions *acts) {
  struct dhcp4_lease times;
  if ((m->state != DHCP_SELECTING && m->state != DHCP_EXPIRED) || r->params.addr.family == 0 ||
      r->params.server.family == 0 || !lease_times(r, now, now, &times)) {
    m->ignored++;
    return;
  }
  m->offer = r->params;
  m->request_ns = now;
  set_state(m, acts, DHCP_REQUESTING, "a server made an offer");
  send_select(m, now, acts);
}

/* Is this server the one that we asked? While rebinding any may answer. */
static bool server_expected(const struct dhcp4_machine *m, const struct net_addr *server) {
  switch (m->state) {
  case DHCP_REQUESTING:
    return net_addr_equal(server, &m->offer.server);
  case DHCP_RENEWING:
    return net_addr_equal(server, &m->lease.params.server);
  case DHCP_REBINDING:
    return server->family != 0;
  default:
    return false;
  }
}

/* An ACK must grant the address that was asked for: a renewal that moved it would end every connection by surprise. */
static void receive_ack(struct dhcp4_machine *m, const struct dhcp4_reply *r, uint64_t now,
                        struct dhcp4_actions *acts) {
  const struct dhcp4_params *asked = m->state == DHCP_REQUESTING ? &m->offer : &m->lease.params;
  struct dhcp4_lease l = {.params = r->params};
  if (!server_expected(m, &r->params.server) || !net_addr_equal(&r->params.addr, &asked->addr) ||
      !lease_times(r, m->request_ns, now, &l)) {
    m->ignored++;
    return;
  }
  bool renewed = m->has_lease;
  m->lease = l;
  m->has_lease = true;
  m->naks = 0;
  m->quick = m->verify = false;
  (void)act(acts, DHCP4_ACT_APPLY);
  set_state(m, acts, DHCP_BOUND, renewed ? "the lease was renewed" : "the server granted a lease");
  new_xid(m); /* a duplicate of this ACK is foreign from now on */
  m->deadline_ns = l.t1_ns;
  if (l.t1_ns != 0 && l.t1_ns <= now)
    follow_schedule(m, now, acts);
}

static void receive_nak(struct dhcp4_machine *m, const struct dhcp4_reply *r, uint64_t now,
                        struct dhcp4_actions *acts) {
  if (!server_expected(m, &r->params.server)) {
    m->ignored++;
    return;
  }
  drop(m, acts);
  m->quick = m->verify = false;
  set_state(m, acts, DHCP_INIT, "the server refused the address");
  new_xid(m);
  /* A server that offers and refuses in turn must not make us flood the link: 1, 2, 4 … 64 s. */
  m->naks = MIN(m->naks + 1, 7U);
  m->deadline_ns = now + (UINT64_C(1) << (m->naks - 1)) * NSEC_PER_SEC;
}

void dhcp4_receive(struct dhcp4_machine *m, const struct dhcp4_reply *r, uint64_t now, struct dhcp4_actions *acts) {
  begin(m, now, acts);
  bool asking = m->link && (m->state == DHCP_SELECTING || m->state == DHCP_EXPIRED || m->state == DHCP_REQUESTING ||
                            m->state == DHCP_RENEWING || m->state == DHCP_REBINDING);
  if (!asking || r->xid != m->xid || memcmp(r->mac, m->cfg.mac, sizeof(r->mac)) != 0) {
    m->ignored++;
    return;
  }
  switch (r->type) {
  case DHCP4_OFFER:
    receive_offer(m, r, now, acts);
    break;
  case DHCP4_ACK:
    receive_ack(m, r, now, acts);
    break;
  case DHCP4_NAK:
    receive_nak(m, r, now, acts);
    break;
  default:
    m->ignored++;
  }
}

/* --- time -------------------------------------------------------------------------------------------------------- */

static void timeout_acquiring(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  if (m->state == DHCP_INIT)
    discover(m, DHCP_SELECTING, now, acts, "asking for a lease");
  else if (m->state != DHCP_REQUESTING)
    send_discover(m, now, acts);
  else if (m->tries < REQUEST_TRIES)
    send_select(m, now, acts);
  else
    discover(m, DHCP_SELECTING, now, acts, "the server that made the offer is silent");
}

void dhcp4_timeout(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  acts->n = 0;
  if (expire(m, now, acts) || m->deadline_ns == 0 || now < m->deadline_ns)
    return;
  if (!lease_state(m->state))
    timeout_acquiring(m, now, acts);
  else if (m->quick && m->tries < QUICK_TRIES)
    quick_try(m, now, acts);
  else
    follow_schedule(m, now, acts);
}

/* --- what people and the link do --------------------------------------------------------------------------------- */

void dhcp4_init(struct dhcp4_machine *m, const struct dhcp4_config *cfg, bool link) {
  *m = (struct dhcp4_machine){.cfg = *cfg, .state = DHCP_OFF, .link = link};
}

void dhcp4_start(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  begin(m, now, acts);
  if (m->state == DHCP_OFF || m->state == DHCP_RELEASED) {
    m->naks = 0;
    discover(m, DHCP_SELECTING, now, acts, m->link ? "asking for a lease" : "waiting for the link");
  }
}

void dhcp4_stop(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  begin(m, now, acts);
  acts->n = 0; /* what the expiry would have sent is not wanted any more */
  if (m->state == DHCP_EXPIRED)
    (void)act(acts, DHCP4_ACT_DROP);
  drop(m, acts);
  m->deadline_ns = 0;
  set_state(m, acts, DHCP_OFF, "DHCP is switched off");
}

void dhcp4_link(struct dhcp4_machine *m, bool up, uint64_t now, struct dhcp4_actions *acts) {
  begin(m, now, acts);
  if (m->link == up)
    return;
  m->link = up;
  if (m->state == DHCP_OFF || m->state == DHCP_RELEASED)
    return;
  if (!up) {
    /* A live lease stays in force and its schedule runs on; an acquisition waits. */
    if (lease_state(m->state))
      return;
    m->deadline_ns = 0;
    if (m->state != DHCP_EXPIRED)
      set_state(m, acts, DHCP_INIT, "the link is down");
    return;
  }
  if (!lease_state(m->state)) {
    discover(m, m->state == DHCP_EXPIRED ? DHCP_EXPIRED : DHCP_SELECTING, now, acts, "the link is up");
    return;
  }
  m->quick = m->verify = true;
  set_state(m, acts, DHCP_REBINDING, "the link is back: is this still our network?");
  m->tries = 0;
  quick_try(m, now, acts);
}

void dhcp4_renew(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  begin(m, now, acts);
  if (!lease_state(m->state)) {
    m->naks = 0;
    discover(m, m->state == DHCP_EXPIRED ? DHCP_EXPIRED : DHCP_SELECTING, now, acts,
             m->link ? "asking for a lease" : "waiting for the link");
    return;
  }
  m->quick = true;
  if (m->state != DHCP_REBINDING)
    set_state(m, acts, DHCP_RENEWING, "asked to renew");
  m->tries = 0;
  quick_try(m, now, acts);
}

int dhcp4_release(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  begin(m, now, acts);
  if (!m->has_lease)
    return -ENODATA;
  new_xid(m);
  if (m->link) {
    /* The server learns it from our address, so this goes out before the address is dropped. */
    struct dhcp4_send *s = send_new(m, acts, DHCP4_RELEASE, now, now);
    s->ciaddr = m->lease.params.addr;
    s->server = m->lease.params.server;
    acts->a[acts->n - 1].to = m->lease.params.server;
  }
  drop(m, acts);
  m->deadline_ns = 0;
  set_state(m, acts, DHCP_RELEASED, "the lease was given back");
  return 0;
}
