/* SPDX-License-Identifier: BSD-3-Clause
 * What a server's message does to the exchange that runs. Numbers in comments are sections of RFC 8415.
 */
#include "base/util.h"
#include "netconf/dhcp6_private.h"

#define REFRESH_DEFAULT_S 86400 /* 21.23, IRT_DEFAULT */
#define REFRESH_LEAST_S 600     /* IRT_MINIMUM */

static uint64_t until(uint64_t now, uint32_t seconds) {
  return seconds == DHCP6_FOREVER ? DHCP6_NEVER : now + seconds * NSEC_PER_SEC;
}

static bool same_duid(const struct dhcp6_duid *a, const struct dhcp6_duid *b) {
  return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

static unsigned usable_addrs(const struct dhcp6_reply *r) {
  unsigned n = 0;
  for (unsigned i = 0; i < r->n_addrs; i++)
    n += r->addrs[i].valid_s > 0;
  return n;
}

/* --- advertisements ----------------------------------------------------------------------------------------------- */

/* 18.2.9: the most preferred of those that come within the first wait; after it, the first. */
static void take_advertise(struct dhcp6_machine *m, const struct dhcp6_reply *r, uint64_t now, struct dhcp6_actions *acts) {
  if (m->state != DHCP6_SOLICITING || r->status != DHCP6_SUCCESS || !r->has_ia || r->ia_status != DHCP6_SUCCESS ||
      usable_addrs(r) == 0 || (m->has_offer && r->preference <= m->offer_preference)) {
    m->ignored++;
    return;
  }
  m->has_offer = true;
  m->offer_preference = r->preference;
  m->offer_server = r->server;
  m->n_offer_addrs = 0;
  for (unsigned i = 0; i < r->n_addrs; i++)
    if (r->addrs[i].valid_s > 0)
      m->offer_addrs[m->n_offer_addrs++] = r->addrs[i].addr;
  if (r->preference == 255 || m->tries > 1)
    dhcp6_exchange(m, DHCP6_REQUESTING, false, "a server made an offer", now, acts);
}

/* --- leases ------------------------------------------------------------------------------------------------------- */

#define TIMES_LEAST_NS NSEC_PER_SEC

/* T2 is ours to choose, and T1, the server's, comes late: between it and the end. */
static uint64_t after(uint64_t t1, uint64_t now, uint64_t valid) {
  return t1 + (valid != DHCP6_NEVER && t1 < valid ? valid - t1 : t1 - now) / 2;
}

/* 14.2, 21.4. The server's times count when they come before the first end; else half and four fifths of the shortest
 * preferred lifetime, or of the shortest valid one when nothing is preferred. A server that lets a lease run out would be
 * asked for the half of each rest, without an end: not sooner than in a second. */
static void set_times(struct dhcp6_machine *m, const struct dhcp6_reply *r, uint64_t now) {
  uint64_t preferred = DHCP6_NEVER, valid = DHCP6_NEVER;
  for (unsigned i = 0; i < m->lease.n_addrs; i++) {
    const struct dhcp6_lease_addr *a = &m->lease.addrs[i];
    valid = MIN(valid, a->valid_until);
    if (a->preferred_until > now)
      preferred = MIN(preferred, a->preferred_until);
  }
  uint64_t end = MIN(preferred, valid);
  uint64_t half = end == DHCP6_NEVER ? end : now + MAX((end - now) / 2, TIMES_LEAST_NS);
  uint64_t most = end == DHCP6_NEVER ? end : now + MAX((end - now) / 10 * 8, TIMES_LEAST_NS);
  m->lease.t1_ns = r->t1_s != 0 ? until(now, r->t1_s) : half;
  m->lease.t2_ns = r->t2_s != 0 ? until(now, r->t2_s) : most;
  if (r->t2_s == 0 && r->t1_s != 0 && m->lease.t1_ns != DHCP6_NEVER && m->lease.t1_ns >= most)
    m->lease.t2_ns = after(m->lease.t1_ns, now, valid);
  if (valid != DHCP6_NEVER && m->lease.t2_ns >= valid) {
    m->lease.t2_ns = most;
    m->lease.t1_ns = MIN(m->lease.t1_ns, half);
  }
  if (m->lease.t1_ns > m->lease.t2_ns)
    m->lease.t1_ns = MIN(half, m->lease.t2_ns);
}

static int find_addr(const struct dhcp6_lease *l, const struct net_addr *a) {
  for (unsigned i = 0; i < l->n_addrs; i++)
    if (net_addr_equal(&l->addrs[i].addr, a))
      return (int)i;
  return -1;
}

/* 18.2.10.1: what the reply names lives as it says; what it does not name lives on as before. */
static void take_addrs(struct dhcp6_machine *m, const struct dhcp6_reply *r, uint64_t now, struct dhcp6_actions *acts) {
  for (unsigned i = 0; i < r->n_addrs; i++) {
    const struct dhcp6_addr *a = &r->addrs[i];
    int at = find_addr(&m->lease, &a->addr);
    if (a->valid_s == 0) {
      if (at >= 0)
        dhcp6_forget(m, (unsigned)at, "the server took it back", acts);
      continue;
    }
    if (at < 0 && m->lease.n_addrs == DHCP6_ADDRS_MAX) {
      m->left_out++;
      continue;
    }
    if (at < 0)
      at = (int)m->lease.n_addrs++;
    m->lease.addrs[at] = (struct dhcp6_lease_addr){a->addr, until(now, a->preferred_s), until(now, a->valid_s)};
    dhcp6_act(acts, DHCP6_ACT_ADDRESS)->addr = m->lease.addrs[at];
  }
}

static void take_lease(struct dhcp6_machine *m, const struct net_addr *from, const struct dhcp6_reply *r, uint64_t now,
                       struct dhcp6_actions *acts) {
  bool renewed = m->lease.n_addrs > 0;
  if (renewed && usable_addrs(r) == 0 && r->n_addrs >= m->lease.n_addrs)
    dhcp6_set_params(m, NULL, acts); /* before the way to ask is gone */
  take_addrs(m, r, now, acts);
  if (m->lease.n_addrs == 0) {
    dhcp6_drop(m, "the server took it back", acts);
    dhcp6_failed(m, "the server gave no address", now, acts);
    return;
  }
  m->failures = 0;
  m->unconfirmed = false;
  m->lease.server = r->server;
  m->lease.from = *from;
  set_times(m, r, now);
  m->info_until_ns = m->refresh_ns = 0;
  dhcp6_set_params(m, &r->params, acts);
  dhcp6_set_state(m, acts, DHCP6_BOUND, renewed ? "the lease was renewed" : "the server granted a lease");
}

/* Is this server the one that we asked? */
static bool server_expected(const struct dhcp6_machine *m, const struct dhcp6_reply *r) {
  return m->message.server.len == 0 || same_duid(&m->message.server, &r->server);
}

/* 18.2.10.1: a server that knows nothing of the lease is asked for it. */
static void no_binding(struct dhcp6_machine *m, const struct dhcp6_reply *r, uint64_t now, struct dhcp6_actions *acts) {
  m->offer_server = r->server;
  m->n_offer_addrs = m->lease.n_addrs;
  for (unsigned i = 0; i < m->lease.n_addrs; i++)
    m->offer_addrs[i] = m->lease.addrs[i].addr;
  dhcp6_exchange(m, DHCP6_REQUESTING, false, "the server does not know the lease", now, acts);
}

/* Solicited with rapid commit, requested, renewed, rebound. */
static void take_ia(struct dhcp6_machine *m, const struct net_addr *from, const struct dhcp6_reply *r, uint64_t now,
                    struct dhcp6_actions *acts) {
  bool extending = m->state == DHCP6_RENEWING || m->state == DHCP6_REBINDING;
  uint16_t status = r->status != DHCP6_SUCCESS ? r->status : r->ia_status;
  if (status == DHCP6_UNSPEC_FAIL || status == DHCP6_USE_MULTICAST ||
      (m->state == DHCP6_SOLICITING && (!r->rapid_commit || status != DHCP6_SUCCESS || usable_addrs(r) == 0))) {
    m->ignored++; /* the message is repeated, no sooner than it would be */
  } else if (status == DHCP6_NO_BINDING && extending) {
    no_binding(m, r, now, acts);
  } else if (status == DHCP6_NOT_ON_LINK) {
    dhcp6_drop(m, "it does not belong to this link", acts);
    dhcp6_failed(m, "the addresses are of another link", now, acts);
  } else if (status != DHCP6_SUCCESS) {
    if (extending)
      m->ignored++; /* another server may do better, and lifetimes go on */
    else
      dhcp6_failed(m, "the server refused", now, acts);
  } else if (!r->has_ia) {
    m->ignored++;
  } else {
    take_lease(m, from, r, now, acts);
  }
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static void take_confirm(struct dhcp6_machine *m, const struct dhcp6_reply *r, uint64_t now, struct dhcp6_actions *acts) {
  if (r->status == DHCP6_NOT_ON_LINK) {
    dhcp6_drop(m, "it does not belong to this link", acts);
    dhcp6_failed(m, "the addresses are of another link", now, acts);
  } else if (r->status == DHCP6_SUCCESS) {
    dhcp6_schedule(m, "the link is the same", now, acts);
  } else {
    m->ignored++;
  }
}

/* 18.2.10.4. Options without a lease have no lifetime: ours ends when two refreshes in a row have failed. */
static void take_information(struct dhcp6_machine *m, const struct dhcp6_reply *r, uint64_t now, struct dhcp6_actions *acts) {
  if (r->status != DHCP6_SUCCESS) {
    m->ignored++;
    return;
  }
  uint32_t refresh_s = r->refresh_s != 0 ? MAX(r->refresh_s, (uint32_t)REFRESH_LEAST_S) : REFRESH_DEFAULT_S;
  m->refresh_ns = refresh_s == DHCP6_FOREVER ? 0 : now + refresh_s * NSEC_PER_SEC;
  m->info_until_ns = refresh_s == DHCP6_FOREVER ? DHCP6_NEVER : now + 2 * (refresh_s * NSEC_PER_SEC);
  m->failures = 0;
  dhcp6_set_params(m, &r->params, acts);
  dhcp6_set_state(m, acts, DHCP6_INFORMED, "a server told its options");
}

/* 18.2.9, 18.2.10: these count whatever else the message says. When advertisements disagree, none of them is believed. */
static void take_max_rt(uint32_t *value, uint32_t says, bool offer, uint32_t *offered) {
  if (says == 0)
    return;
  *value = says;
  if (offer && *offered != 0 && *offered != says) {
    *value = DHCP6_MAX_RT_S;
    *offered = 1;
  } else if (offer) {
    *offered = says;
  }
}

void dhcp6_take(struct dhcp6_machine *m, const struct net_addr *from, const struct dhcp6_reply *r, uint64_t now,
                struct dhcp6_actions *acts) {
  take_max_rt(&m->sol_max_rt_s, r->sol_max_rt_s, r->type == DHCP6_ADVERTISE, &m->offer_sol_s);
  take_max_rt(&m->inf_max_rt_s, r->inf_max_rt_s, r->type == DHCP6_ADVERTISE, &m->offer_inf_s);
  if (r->type == DHCP6_ADVERTISE) {
    take_advertise(m, r, now, acts);
    return;
  }
  if (!server_expected(m, r)) {
    m->ignored++;
    return;
  }
  switch (m->state) {
  case DHCP6_SOLICITING:
  case DHCP6_REQUESTING:
  case DHCP6_RENEWING:
  case DHCP6_REBINDING:
    take_ia(m, from, r, now, acts);
    break;
  case DHCP6_CONFIRMING:
    take_confirm(m, r, now, acts);
    break;
  case DHCP6_DECLINING: /* 18.2.10.2: whatever it says, the server knows */
    if (m->lease.n_addrs > 0)
      dhcp6_schedule(m, "the server knows of the conflict", now, acts);
    else
      dhcp6_failed(m, "the server knows of the conflict", now, acts); /* a node that claims all must not make us flood */
    break;
  case DHCP6_RELEASING: /* 18.2.10.2 */
    dhcp6_set_state(m, acts, DHCP6_RELEASED, "the server knows of the release");
    break;
  case DHCP6_ASKING:
    take_information(m, r, now, acts);
    break;
  default:
    m->ignored++;
  }
}
