/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv4 client's events. Numbers in comments are sections of RFC 2131.
 *
 * A lease is held in BOUND, RENEWING, REBINDING, and in REBOOTING after the link came back, and only there. EXPIRED is
 * SELECTING with the memory that a lease was lost.
 */
#include "netconf/dhcp4_private.h"

#include "base/util.h"

#define QUICK_TRIES 4

/* --- replies ------------------------------------------------------------------------------------------------------ */

static void ignore(struct dhcp4_machine *m, enum dhcp4_reason why) { m->ignored[why]++; }

static bool selecting(const struct dhcp4_machine *m) {
  return m->state == DHCP_SELECTING || m->state == DHCP_EXPIRED;
}

/* Is it an offer, or a grant, that could be used? Counts why not. */
static bool usable(struct dhcp4_machine *m, const struct dhcp4_reply *r, uint64_t since, uint64_t now,
                   struct dhcp4_lease *l) {
  bool odd;
  *l = (struct dhcp4_lease){.params = r->params};
  if (r->params.server.family == 0) {
    ignore(m, DHCP4_NO_SERVER);
    return false;
  }
  if (r->params.addr.family == 0) {
    ignore(m, DHCP4_NO_ADDRESS);
    return false;
  }
  if (!dhcp4_lease_times(r, since, now, m->cfg.random(m->cfg.random_arg), l, &odd)) {
    ignore(m, DHCP4_NO_LEASE);
    return false;
  }
  if (odd)
    ignore(m, DHCP4_ODD_TIMES);
  if (r->odd_search)
    ignore(m, DHCP4_ODD_NAMES);
  return true;
}

/* RFC 8925 3.2: an offer, or an ACK in INIT-REBOOT. In other states an address that was granted is used, and a lease that
 * is held is not given up for it: that would end every connection. */
static bool prefers_v6(struct dhcp4_machine *m, const struct dhcp4_reply *r, uint64_t now, struct dhcp4_actions *acts) {
  bool heeded = r->type == DHCP4_OFFER || m->state == DHCP_REBOOTING;
  if (!m->cfg.v6only || !r->has_v6only || m->has_lease || !heeded)
    return false;
  dhcp4_wait_v6only(m, r->v6only_s, now, acts);
  return true;
}

static void receive_offer(struct dhcp4_machine *m, const struct dhcp4_reply *r, uint64_t now,
                          struct dhcp4_actions *acts) {
  struct dhcp4_lease l;
  if (!selecting(m)) {
    ignore(m, DHCP4_UNEXPECTED);
    return;
  }
  /* With that word there may be no address in it, 0.0.0.0 (RFC 8925 3.3); of several offers it is the one that counts. */
  if (r->params.server.family != 0 && prefers_v6(m, r, now, acts))
    return;
  if (usable(m, r, now, now, &l))
    dhcp4_offered(m, r, now, acts);
}

/* Is this server the one that we asked? While rebinding, and after a reboot, any may answer. */
static bool server_expected(struct dhcp4_machine *m, const struct net_addr *server) {
  const struct net_addr *asked = NULL;
  if (m->state == DHCP_REQUESTING)
    asked = &m->pending.params.server;
  if (m->state == DHCP_RENEWING)
    asked = &m->lease.params.server;
  if (server->family == 0)
    ignore(m, DHCP4_NO_SERVER);
  else if (asked != NULL && !net_addr_equal(server, asked))
    ignore(m, DHCP4_OTHER_SERVER);
  else
    return true;
  return false;
}

/* The address that an ACK must grant; NULL: whichever, it answers a DISCOVER. A renewal that moved it would end every
 * connection by surprise. */
static const struct net_addr *address_asked(const struct dhcp4_machine *m) {
  if (m->has_lease)
    return &m->lease.params.addr;
  if (m->state == DHCP_REBOOTING)
    return &m->memory.lease.params.addr;
  return m->state == DHCP_REQUESTING ? &m->pending.params.addr : NULL;
}

static void receive_ack(struct dhcp4_machine *m, const struct dhcp4_reply *r, uint64_t now,
                        struct dhcp4_actions *acts) {
  struct dhcp4_lease l;
  if (selecting(m) && !(m->cfg.rapid_commit && r->rapid)) {
    ignore(m, DHCP4_UNEXPECTED);
    return;
  }
  if (!server_expected(m, &r->params.server) || !usable(m, r, m->request_ns, now, &l))
    return;
  const struct net_addr *asked = address_asked(m);
  if (asked != NULL && !net_addr_equal(&r->params.addr, asked)) {
    ignore(m, DHCP4_OTHER_ADDRESS);
    return;
  }
  if (prefers_v6(m, r, now, acts))
    return;
  m->pending = l;
  if (m->has_lease)
    dhcp4_bind(m, now, acts, "the lease was renewed");
  else
    dhcp4_granted(m, now, acts,
                  m->state == DHCP_REBOOTING ? "the server confirmed the last address" : "the server granted a lease");
}

static void receive_nak(struct dhcp4_machine *m, const struct dhcp4_reply *r, uint64_t now,
                        struct dhcp4_actions *acts) {
  if (selecting(m)) {
    ignore(m, DHCP4_UNEXPECTED);
    return;
  }
  if (!server_expected(m, &r->params.server))
    return;
  dhcp4_drop(m, acts, "the server refused the address");
  m->memory = (struct dhcp4_memory){0};
  (void)dhcp4_act(acts, DHCP4_ACT_FORGET);
  m->quick = false;
  dhcp4_set_state(m, acts, DHCP_INIT, "the server refused the address");
  m->server = (struct net_addr){0};
  dhcp4_new_xid(m);
  /* From the start, at once (3.1.5, 3.2); but a server that offers and refuses in turn must not make us flood the link:
   * then 1, 2, 4 … 64 s. */
  m->naks = MIN(m->naks + 1, 8U);
  if (m->naks == 1)
    dhcp4_discover(m, DHCP_SELECTING, now, acts, "asking for a lease");
  else
    m->deadline_ns = now + (UINT64_C(1) << (m->naks - 2)) * NSEC_PER_SEC;
}

static bool asking(const struct dhcp4_machine *m) {
  return m->link && (selecting(m) || m->state == DHCP_REQUESTING || m->state == DHCP_REBOOTING ||
                     m->state == DHCP_RENEWING || m->state == DHCP_REBINDING);
}

void dhcp4_receive(struct dhcp4_machine *m, const struct dhcp4_reply *r, uint64_t now, struct dhcp4_actions *acts) {
  (void)dhcp4_step_begin(m, now, acts);
  if (r->xid != m->xid) {
    ignore(m, DHCP4_OTHER_XID);
  } else if (memcmp(r->mac, m->cfg.id.mac, sizeof(r->mac)) != 0) {
    ignore(m, DHCP4_OTHER_MAC);
  } else if (dhcp4_other_client(&m->cfg.id, r)) {
    ignore(m, DHCP4_OTHER_ID);
  } else if (!asking(m)) {
    ignore(m, DHCP4_UNEXPECTED);
  } else {
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
      ignore(m, DHCP4_UNEXPECTED);
    }
  }
}

/* --- conflicts ---------------------------------------------------------------------------------------------------- */

void dhcp4_probed(struct dhcp4_machine *m, bool conflict, uint64_t now, struct dhcp4_actions *acts) {
  (void)dhcp4_step_begin(m, now, acts);
  if (m->state != DHCP_PROBING)
    return;
  if (conflict)
    dhcp4_decline(m, &m->pending.params, now, acts, "another host has the address: declined");
  else if (m->pending.expiry_ns != 0 && m->pending.expiry_ns <= now)
    dhcp4_discover(m, DHCP_SELECTING, now, acts, "the lease ended while its address was probed");
  else
    dhcp4_bind(m, now, acts, "nobody else has the address");
}

void dhcp4_conflict(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  (void)dhcp4_step_begin(m, now, acts);
  if (m->has_lease)
    dhcp4_decline(m, &m->lease.params, now, acts, "another host uses the address: given up and declined");
}

/* --- time --------------------------------------------------------------------------------------------------------- */

void dhcp4_timeout(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  if (dhcp4_step_begin(m, now, acts) || m->deadline_ns == 0 || now < m->deadline_ns)
    return;
  /* At T2 it is time to ask everybody (4.4.5), whatever was asked of the one server. */
  bool rebind = m->state == DHCP_RENEWING && m->lease.expiry_ns != 0 && now >= m->lease.t2_ns;
  if (!m->has_lease)
    dhcp4_acquire_timeout(m, now, acts);
  else if (m->quick && m->tries < QUICK_TRIES && !rebind)
    dhcp4_quick_try(m, now, acts);
  else
    dhcp4_follow_schedule(m, now, acts);
}

const char *dhcp4_next(const struct dhcp4_machine *m, uint64_t *ret_ns) {
  bool ends = m->has_lease && m->lease.expiry_ns != 0;
  *ret_ns = m->deadline_ns;
  if (m->deadline_ns == 0)
    return NULL;
  switch (m->state) {
  case DHCP_BOUND:
    return "renew";
  case DHCP_RENEWING:
    *ret_ns = ends ? m->lease.t2_ns : 0;
    return ends ? "rebind" : NULL;
  case DHCP_REBINDING:
    *ret_ns = ends ? m->lease.expiry_ns : 0;
    return ends ? "expiry" : NULL;
  case DHCP_STANDBY:
    return "expiry";
  case DHCP_PROBING:
    return "use";
  default:
    return "retry";
  }
}

/* --- what people and the link do ---------------------------------------------------------------------------------- */

void dhcp4_init(struct dhcp4_machine *m, const struct dhcp4_config *cfg, bool link) {
  *m = (struct dhcp4_machine){.cfg = *cfg, .state = DHCP_OFF, .link = link};
}

void dhcp4_remember(struct dhcp4_machine *m, const struct dhcp4_lease *l, bool ask, bool live) {
  m->memory = (struct dhcp4_memory){.hint = true, .ask = ask, .live = live, .lease = *l};
}

void dhcp4_start(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  (void)dhcp4_step_begin(m, now, acts);
  if (m->state != DHCP_OFF && m->state != DHCP_RELEASED && m->state != DHCP_STANDBY)
    return;
  m->naks = m->conflicts = 0;
  dhcp4_acquire(m, now, acts, m->link ? "asking for a lease" : "waiting for the link");
}

void dhcp4_stop(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  bool had = m->has_lease;
  acts->n = 0;
  (void)now; /* what an expiry would do besides is not wanted any more */
  if (had)
    dhcp4_remember(m, &m->lease, false, false);
  dhcp4_drop(m, acts, "DHCP is switched off");
  m->memory.ask = m->memory.live = false;
  m->deadline_ns = 0;
  dhcp4_set_state(m, acts, DHCP_OFF, "DHCP is switched off");
}

void dhcp4_standby(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  static const char why[] = "a static address is in force";
  struct dhcp4_lease l = m->state == DHCP_PROBING ? m->pending : m->lease;
  acts->n = 0;
  if (m->state == DHCP_STANDBY)
    return;
  bool live = (m->has_lease || m->state == DHCP_PROBING) && (l.expiry_ns == 0 || l.expiry_ns > now);
  dhcp4_drop(m, acts, why);
  m->deadline_ns = live ? l.expiry_ns : 0;
  dhcp4_remember(m, &l, live, live);
  m->memory.hint = l.params.addr.family != 0;
  dhcp4_set_state(m, acts, live ? DHCP_STANDBY : DHCP_OFF, why);
}

void dhcp4_link(struct dhcp4_machine *m, bool up, uint64_t now, struct dhcp4_actions *acts) {
  (void)dhcp4_step_begin(m, now, acts);
  if (m->link == up)
    return;
  m->link = up;
  if (m->state == DHCP_OFF || m->state == DHCP_RELEASED || m->state == DHCP_STANDBY)
    return;
  if (!up) {
    /* A live lease stays in force and its schedule runs on; an acquisition waits. */
    if (m->has_lease)
      return;
    m->deadline_ns = 0;
    m->n_offers = 0;
    if (m->state == DHCP_PROBING)
      dhcp4_remember(m, &m->pending, true, true);
    if (m->state == DHCP_REBOOTING)
      m->memory.ask = true;
    m->server = (struct net_addr){0};
    if (m->state != DHCP_EXPIRED)
      dhcp4_set_state(m, acts, DHCP_INIT, "the link is down");
    return;
  }
  if (!m->has_lease) {
    dhcp4_acquire(m, now, acts, "the link is up");
    return;
  }
  m->quick = true;
  dhcp4_set_state(m, acts, DHCP_REBOOTING, "the link is back: is this still our network?");
  m->tries = 0;
  dhcp4_quick_try(m, now, acts);
}

void dhcp4_renew(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  (void)dhcp4_step_begin(m, now, acts);
  if (m->state == DHCP_PROBING)
    return; /* as fresh as can be */
  if (!m->has_lease) {
    m->naks = m->conflicts = 0;
    dhcp4_acquire(m, now, acts, m->link ? "asking for a lease" : "waiting for the link");
    return;
  }
  m->quick = true;
  if (m->state != DHCP_REBINDING && m->state != DHCP_REBOOTING)
    dhcp4_set_state(m, acts, DHCP_RENEWING, "asked to renew");
  m->tries = 0;
  dhcp4_quick_try(m, now, acts);
}

/* Where a lease's own routes lead: what is in force besides it may be of another network. */
static struct net_addr hop_of(const struct dhcp4_params *p, const struct net_addr *to) {
  struct net_prefix own = net_prefix_of(&p->addr, p->prefix_len);
  struct net_addr hop = p->gateway;
  unsigned len = 0;
  if (net_prefix_contains(&own, to)) {
    hop = (struct net_addr){0};
    len = own.len;
  }
  for (unsigned i = 0; i < p->n_routes; i++)
    if (p->routes[i].dst.len > len && net_prefix_contains(&p->routes[i].dst, to)) {
      hop = p->routes[i].gateway;
      len = p->routes[i].dst.len;
    }
  return hop.family != 0 ? hop : *to;
}

int dhcp4_release(struct dhcp4_machine *m, uint64_t now, struct dhcp4_actions *acts) {
  (void)dhcp4_step_begin(m, now, acts);
  bool standby = m->state == DHCP_STANDBY;
  if (!m->has_lease && !standby)
    return -ENODATA;
  struct dhcp4_params p = standby ? m->memory.lease.params : m->lease.params;
  /* Nothing else leaves from the address once the server may give it away. */
  dhcp4_drop(m, acts, "the lease was given back");
  dhcp4_new_xid(m);
  if (m->link && p.server.family != 0) {
    struct dhcp4_send *s = dhcp4_send_new(m, acts, DHCP4_RELEASE, now, now);
    s->ciaddr = p.addr;
    s->server = p.server;
    s->message = "the lease is given back";
    struct dhcp4_action *a = &acts->a[acts->n - 1];
    a->to = p.server;
    a->src = p.addr; /* unicast (4.4.4): whose it is the server sees by the source, too */
    a->hop = hop_of(&p, &p.server);
  }
  m->memory = (struct dhcp4_memory){0};
  (void)dhcp4_act(acts, DHCP4_ACT_FORGET);
  m->deadline_ns = 0;
  dhcp4_set_state(m, acts, DHCP_RELEASED, "the lease was given back");
  return 0;
}
