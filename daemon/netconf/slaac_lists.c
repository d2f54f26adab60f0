/* SPDX-License-Identifier: BSD-3-Clause
 * The lists that router advertisements fill: how their entries end, and what routes follow from them.
 */
#include "netconf/slaac_lists.h"

#include "base/util.h"

uint64_t slaac_until(uint64_t now, uint32_t seconds) {
  if (seconds == 0)
    return 0;
  return seconds == RA_FOREVER ? SLAAC_FOREVER : now + seconds * NSEC_PER_SEC;
}

struct slaac_action *slaac_act(struct slaac_actions *acts, enum slaac_action_kind kind) {
  /* An event says at most two things of each prefix and of each router, and one more of each. */
  struct slaac_action *a = &acts->a[MIN(acts->n, SLAAC_ACTIONS_MAX - 1)];
  acts->n = MIN(acts->n + 1, SLAAC_ACTIONS_MAX);
  *a = (struct slaac_action){.kind = kind};
  return a;
}

void slaac_act_address(struct slaac_actions *acts, const struct slaac_prefix *p) {
  struct slaac_action *a = slaac_act(acts, SLAAC_ACT_ADDRESS);
  a->addr = p->addr;
  a->preferred_until = p->preferred_until;
  a->valid_until = p->valid_until;
}

const char *slaac_router_state(const struct slaac_router *r) { return r->default_until != 0 ? "valid" : "information"; }

uint64_t slaac_router_until(const struct slaac_router *r) { return MAX(r->default_until, r->info_until); }

void slaac_act_router(struct slaac_actions *acts, const struct slaac_router *r, const char *from, const char *to,
                      const char *why) {
  struct slaac_action *a = slaac_act(acts, SLAAC_ACT_ROUTER);
  a->addr = r->addr;
  a->from = from;
  a->to = to;
  a->why = why;
  a->valid_until = slaac_router_until(r);
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void expire_routers(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts) {
  for (unsigned i = 0; i < m->n_routers;) {
    struct slaac_router *r = &m->routers[i];
    const char *was = slaac_router_state(r);
    if (r->default_until != 0 && now >= r->default_until) {
      r->default_until = 0;
      acts->routes = true;
    }
    if (r->info_until != 0 && now >= r->info_until)
      r->info_until = 0;
    if (slaac_router_until(r) == 0) {
      slaac_act_router(acts, r, was, "gone", "its lifetime is over");
      m->routers[i] = m->routers[--m->n_routers];
      acts->routes = true; /* their order is another */
      continue;
    }
    if (was != slaac_router_state(r))
      slaac_act_router(acts, r, was, slaac_router_state(r), "its lifetime as a default router is over");
    i++;
  }
}

static void forget_address(struct slaac_prefix *p, const char *why, struct slaac_actions *acts) {
  struct slaac_action *a = slaac_act(acts, SLAAC_ACT_FORGET);
  a->addr = p->addr;
  a->why = why;
  p->addr = (struct net_addr){0};
  p->preferred_until = p->valid_until = p->retry_ns = 0;
  p->dad_counter = 0;
}

static void expire_prefixes(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts) {
  for (unsigned i = 0; i < m->n_prefixes;) {
    struct slaac_prefix *p = &m->prefixes[i];
    if (p->on_link_until != 0 && now >= p->on_link_until) {
      p->on_link_until = 0;
      acts->routes = true;
    }
    if (p->addr.family != 0 && now >= p->valid_until)
      forget_address(p, "its lifetime is over", acts);
    if (p->on_link_until == 0 && p->addr.family == 0) {
      m->prefixes[i] = m->prefixes[--m->n_prefixes];
      acts->routes = true;
    } else {
      i++;
    }
  }
}

/* Servers and names keep their order. */
static void expire_rest(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts) {
  unsigned n = 0;
  for (unsigned i = 0; i < m->n_routes; i++)
    if (now < m->routes[i].until)
      m->routes[n++] = m->routes[i];
  acts->routes |= n != m->n_routes;
  m->n_routes = n;
  n = 0;
  for (unsigned i = 0; i < m->n_servers; i++)
    if (now < m->servers[i].until)
      m->servers[n++] = m->servers[i];
  acts->resolver |= n != m->n_servers;
  m->n_servers = n;
  n = 0;
  for (unsigned i = 0; i < m->n_domains; i++)
    if (now < m->domains[i].until)
      m->domains[n++] = m->domains[i];
  acts->resolver |= n != m->n_domains;
  m->n_domains = n;
}

void slaac_expire(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts) {
  expire_rest(m, now, acts);
  expire_prefixes(m, now, acts);
  expire_routers(m, now, acts);
}

static uint64_t min_end(uint64_t a, uint64_t b) { return b != 0 && b < a ? b : a; }

uint64_t slaac_next_end(const struct slaac_machine *m) {
  uint64_t next = SLAAC_FOREVER;
  for (unsigned i = 0; i < m->n_routers; i++)
    next = min_end(min_end(next, m->routers[i].default_until), m->routers[i].info_until);
  for (unsigned i = 0; i < m->n_prefixes; i++) {
    const struct slaac_prefix *p = &m->prefixes[i];
    next = min_end(min_end(min_end(next, p->on_link_until), p->valid_until), p->retry_ns);
  }
  for (unsigned i = 0; i < m->n_routes; i++)
    next = min_end(next, m->routes[i].until);
  for (unsigned i = 0; i < m->n_servers; i++)
    next = min_end(next, m->servers[i].until);
  for (unsigned i = 0; i < m->n_domains; i++)
    next = min_end(next, m->domains[i].until);
  return next;
}

/* --- a link that is back ------------------------------------------------------------------------------------------ */

static bool given_up(const struct slaac_machine *m, const struct net_addr *router) {
  for (unsigned i = 0; i < m->n_routers; i++)
    if (net_addr_equal(&m->routers[i].addr, router))
      return !m->routers[i].confirmed;
  return false;
}

/* Only when another router has answered: then it is another network, or those are gone. Silence proves nothing, and
 * lifetimes go on. An address is deprecated and not taken away: connections may still be alive on it. */
void slaac_give_up_unconfirmed(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts) {
  bool any = false;
  for (unsigned i = 0; i < m->n_routers; i++)
    any = any || m->routers[i].confirmed;
  if (!any)
    return;
  for (unsigned i = 0; i < m->n_routes; i++)
    if (given_up(m, &m->routes[i].router))
      m->routes[i].until = now;
  for (unsigned i = 0; i < m->n_servers; i++)
    if (given_up(m, &m->servers[i].router))
      m->servers[i].until = now;
  for (unsigned i = 0; i < m->n_domains; i++)
    if (given_up(m, &m->domains[i].router))
      m->domains[i].until = now;
  for (unsigned i = 0; i < m->n_prefixes; i++) {
    struct slaac_prefix *p = &m->prefixes[i];
    if (p->confirmed)
      continue;
    if (p->on_link_until != 0)
      p->on_link_until = now;
    if (p->addr.family != 0 && p->preferred_until > now) {
      p->preferred_until = now;
      slaac_act_address(acts, p);
    }
  }
  for (unsigned i = 0; i < m->n_routers; i++) {
    struct slaac_router *r = &m->routers[i];
    if (r->confirmed)
      continue;
    r->default_until = r->default_until != 0 ? now : 0;
    r->info_until = r->info_until != 0 ? now : 0;
  }
  slaac_expire(m, now, acts);
}

/* --- routes ------------------------------------------------------------------------------------------------------- */

unsigned slaac_hops(const struct slaac_machine *m, struct slaac_hop ret[SLAAC_HOPS_MAX]) {
  unsigned n = 0;
  for (unsigned i = 0; i < m->n_prefixes; i++)
    if (m->prefixes[i].on_link_until != 0)
      ret[n++] = (struct slaac_hop){.dst = m->prefixes[i].prefix};
  for (int preference = 1; preference >= -1; preference--) {
    for (unsigned i = 0; i < m->n_routes; i++)
      if (m->routes[i].preference == preference)
        ret[n++] = (struct slaac_hop){m->routes[i].dst, m->routes[i].router};
    for (unsigned i = 0; i < m->n_routers; i++)
      if (m->routers[i].default_until != 0 && m->routers[i].preference == preference)
        ret[n++] = (struct slaac_hop){{.addr = {.family = AF_INET6}}, m->routers[i].addr};
  }
  return n;
}
