/* SPDX-License-Identifier: BSD-3-Clause
 * What an advertisement says, taken in the order of its parts: the router itself, parameters of the link, prefixes, routes,
 * resolvers. All lists are bounded; what finds no room is counted and changes nothing, so a flood of advertisements cannot
 * push out what is in force.
 */
#include "base/util.h"
#include "netconf/slaac_lists.h"

#define TWO_HOURS_NS (7200 * NSEC_PER_SEC)
#define REACHABLE_MAX_MS 3600000 /* RFC 4861 6.2.1 */
/* No router needs others, and with them one message would stop duplicate address detection, or flood the link. */
#define RETRANS_MIN_MS 100
#define RETRANS_MAX_MS 10000

/* --- the router --------------------------------------------------------------------------------------------------- */

static struct slaac_router *find_router(struct slaac_machine *m, const struct net_addr *addr) {
  for (unsigned i = 0; i < m->n_routers; i++)
    if (net_addr_equal(&m->routers[i].addr, addr))
      return &m->routers[i];
  return NULL;
}

/* Room for one of that preference: in place of one that only informs, or of the least preferred one. */
static struct slaac_router *room_for_router(struct slaac_machine *m, int preference, struct slaac_actions *acts) {
  if (m->n_routers < SLAAC_ROUTERS_MAX)
    return &m->routers[m->n_routers++];
  struct slaac_router *worst = NULL;
  for (unsigned i = 0; i < m->n_routers; i++) {
    struct slaac_router *r = &m->routers[i];
    int rank = r->default_until != 0 ? r->preference : -2;
    if (rank < preference && (worst == NULL || rank < (worst->default_until != 0 ? worst->preference : -2)))
      worst = r;
  }
  if (worst != NULL)
    slaac_act_router(acts, worst, slaac_router_state(worst), "gone", "there are better ones than it");
  return worst;
}

static void longest(uint64_t *until, uint64_t now, uint32_t seconds) { *until = MAX(*until, slaac_until(now, seconds)); }

/* How long the longest of what it brings besides itself lives. */
static uint64_t info_until(const struct ra_message *ra, uint64_t now) {
  uint64_t until = 0;
  for (unsigned i = 0; i < ra->n_prefixes; i++)
    longest(&until, now, ra->prefixes[i].valid_s);
  for (unsigned i = 0; i < ra->n_routes; i++)
    longest(&until, now, ra->routes[i].lifetime_s);
  for (unsigned i = 0; i < ra->n_servers; i++)
    longest(&until, now, ra->servers[i].lifetime_s);
  for (unsigned i = 0; i < ra->n_domains; i++)
    longest(&until, now, ra->domains[i].lifetime_s);
  return until;
}

/* RFC 4191 3.1: a route for ::/0 says more of the default router than the header does. */
static void default_of(const struct ra_message *ra, uint32_t *ret_s, int *ret_preference) {
  *ret_s = ra->router_s;
  *ret_preference = ra->preference;
  for (unsigned i = 0; i < ra->n_routes; i++)
    if (ra->routes[i].prefix.len == 0) {
      *ret_s = ra->routes[i].lifetime_s;
      *ret_preference = ra->routes[i].preference;
    }
}

/* Returns false when there is no room for it: then nothing that it says is taken. */
static bool take_router(struct slaac_machine *m, const struct net_addr *from, const struct ra_message *ra, uint64_t now,
                        struct slaac_actions *acts) {
  uint32_t lifetime_s;
  int preference;
  default_of(ra, &lifetime_s, &preference);
  uint64_t until = slaac_until(now, lifetime_s), info = info_until(ra, now);
  struct slaac_router *r = find_router(m, from);
  if (r == NULL && until == 0 && info == 0)
    return true; /* it withdraws what it gave before we knew it */
  const char *was = r != NULL ? slaac_router_state(r) : NULL;
  if (r == NULL) {
    r = room_for_router(m, until != 0 ? preference : -2, acts);
    if (r == NULL)
      return false;
    *r = (struct slaac_router){.addr = *from};
    acts->routes = true;
  }
  acts->routes |= (r->default_until != 0) != (until != 0) || r->preference != preference;
  r->preference = preference;
  r->default_until = until;
  r->info_until = info;
  r->managed = ra->managed;
  r->other = ra->other;
  r->confirmed = true;
  if (slaac_router_until(r) == 0) {
    slaac_act_router(acts, r, was, "gone", "it says that it is none any more");
    *r = m->routers[--m->n_routers];
    acts->routes = true; /* their order is another */
  } else if (was == NULL) {
    slaac_act_router(acts, r, "none", slaac_router_state(r), "a router advertised itself");
  } else if (strcmp(was, slaac_router_state(r)) != 0) {
    slaac_act_router(acts, r, was, slaac_router_state(r),
                     until != 0 ? "it is a default router now" : "it is no default router any more");
  }
  return true;
}

/* --- the link ----------------------------------------------------------------------------------------------------- */

static void take_link(struct slaac_machine *m, const struct ra_message *ra, struct slaac_actions *acts) {
  uint8_t hop_limit = ra->hop_limit != 0 ? ra->hop_limit : m->hop_limit;
  uint32_t reachable = m->reachable_ms, retrans = m->retrans_ms;
  unsigned mtu = m->mtu;
  if (ra->reachable_ms != 0 && ra->reachable_ms <= REACHABLE_MAX_MS)
    reachable = ra->reachable_ms;
  else if (ra->reachable_ms != 0)
    m->left_out++;
  if (ra->retrans_ms >= RETRANS_MIN_MS && ra->retrans_ms <= RETRANS_MAX_MS)
    retrans = ra->retrans_ms;
  else if (ra->retrans_ms != 0)
    m->left_out++;
  if (ra->mtu != 0 && ra->mtu <= m->cfg.mtu) /* RFC 4861 6.3.4 */
    mtu = ra->mtu;
  else if (ra->mtu != 0)
    m->left_out++;
  if (hop_limit != m->hop_limit || reachable != m->reachable_ms || retrans != m->retrans_ms || mtu != m->mtu)
    acts->link = true;
  m->hop_limit = hop_limit;
  m->reachable_ms = reachable;
  m->retrans_ms = retrans;
  m->mtu = mtu;
}

static void take_flags(struct slaac_machine *m, struct slaac_actions *acts) {
  enum slaac_dhcp want = m->dhcp;
  for (unsigned i = 0; i < m->n_routers; i++) {
    const struct slaac_router *r = &m->routers[i];
    if (r->confirmed && r->managed)
      want = SLAAC_DHCP_ADDRESSES;
    else if (r->confirmed && r->other)
      want = MAX(want, SLAAC_DHCP_INFORMATION);
  }
  acts->dhcp |= want != m->dhcp;
  m->dhcp = want;
}

/* --- prefixes ----------------------------------------------------------------------------------------------------- */

static bool usable_prefix(const struct net_prefix *p) {
  const struct net_addr host = {AF_INET6, {[15] = 2}};
  struct net_addr first = p->addr;
  for (unsigned i = 0; i < 16; i++)
    first.b[i] |= p->len < 128 ? host.b[i] : 0;
  return p->len > 0 && net_addr_class(&first) == NET_UNICAST && net_addr_class(&p->addr) == NET_UNICAST &&
         net_addr_canonical(first).family == AF_INET6;
}

static struct slaac_prefix *find_prefix(struct slaac_machine *m, const struct net_prefix *p) {
  for (unsigned i = 0; i < m->n_prefixes; i++)
    if (m->prefixes[i].prefix.len == p->len && net_addr_equal(&m->prefixes[i].prefix.addr, &p->addr))
      return &m->prefixes[i];
  return NULL;
}

static bool room_for_address(const struct slaac_machine *m) {
  unsigned n = 0;
  for (unsigned i = 0; i < m->n_prefixes; i++)
    n += m->prefixes[i].addr.family != 0;
  return n < SLAAC_ADDRESSES_MAX;
}

/* RFC 4862 5.5.3 e: an advertisement that nobody has signed may not end an address sooner than in two hours. */
static uint64_t valid_until(const struct slaac_prefix *p, const struct ra_prefix *ra, uint64_t now) {
  uint64_t until = slaac_until(now, ra->valid_s);
  uint64_t two_hours = now + TWO_HOURS_NS;
  if (until > two_hours || until > p->valid_until)
    return until;
  return MIN(p->valid_until, two_hours);
}

/* 5.5.3. Returns false when there was no room. */
static bool take_autonomous(struct slaac_machine *m, struct slaac_prefix *p, const struct ra_prefix *ra, uint64_t now,
                            struct slaac_actions *acts) {
  if (p->addr.family == 0 && (ra->valid_s == 0 || !room_for_address(m)))
    return ra->valid_s == 0;
  if (p->addr.family == 0) {
    p->dad_counter = 0;
    p->addr = iid_address(m->cfg.secret, &p->prefix.addr, m->cfg.ifname, 0);
    p->valid_until = slaac_until(now, ra->valid_s);
  } else {
    p->valid_until = valid_until(p, ra, now);
  }
  uint64_t preferred = ra->preferred_s != 0 ? slaac_until(now, ra->preferred_s) : now;
  p->preferred_until = MIN(preferred, p->valid_until);
  slaac_act_address(acts, p);
  return true;
}

/* Returns false when it is left out. */
static bool take_prefix(struct slaac_machine *m, const struct ra_prefix *ra, uint64_t now, struct slaac_actions *acts) {
  /* 5.5.3 b, c and d, and what no host can have. */
  bool autonomous = ra->autonomous && ra->prefix.len == 64 && ra->preferred_s <= ra->valid_s;
  bool left_out = ra->autonomous && !autonomous;
  if (!usable_prefix(&ra->prefix))
    return false;
  struct slaac_prefix *p = find_prefix(m, &ra->prefix);
  if (p == NULL) {
    if (ra->valid_s == 0 || (!ra->on_link && !autonomous))
      return !left_out;
    if (m->n_prefixes == SLAAC_PREFIXES_MAX)
      return false;
    p = &m->prefixes[m->n_prefixes++];
    *p = (struct slaac_prefix){.prefix = ra->prefix};
  }
  p->confirmed = true;
  if (ra->on_link) {
    acts->routes |= (p->on_link_until != 0) != (ra->valid_s != 0);
    p->on_link_until = slaac_until(now, ra->valid_s);
  }
  if (autonomous)
    left_out |= !take_autonomous(m, p, ra, now, acts);
  if (p->on_link_until == 0 && p->addr.family == 0) {
    *p = m->prefixes[--m->n_prefixes];
    acts->routes = true;
  }
  return !left_out;
}

/* --- routes and resolvers ----------------------------------------------------------------------------------------- */

static bool take_route(struct slaac_machine *m, const struct net_addr *from, const struct ra_route *ra, uint64_t now,
                       struct slaac_actions *acts) {
  unsigned i = 0;
  if (ra->prefix.len == 0)
    return true; /* see default_of */
  if (!usable_prefix(&ra->prefix))
    return false;
  while (i < m->n_routes && !(m->routes[i].dst.len == ra->prefix.len && net_addr_equal(&m->routes[i].router, from) &&
                              net_addr_equal(&m->routes[i].dst.addr, &ra->prefix.addr)))
    i++;
  if (i == SLAAC_ROUTES_MAX)
    return false;
  if (ra->lifetime_s == 0) {
    if (i < m->n_routes) {
      m->routes[i] = m->routes[--m->n_routes];
      acts->routes = true;
    }
    return true;
  }
  acts->routes |= i == m->n_routes || m->routes[i].preference != ra->preference;
  m->routes[i] = (struct slaac_route){ra->prefix, *from, ra->preference, slaac_until(now, ra->lifetime_s)};
  m->n_routes = MAX(m->n_routes, i + 1);
  return true;
}

/* RFC 8106 6.2. A server that two routers tell of lives as the last of them said. */
static bool take_server(struct slaac_machine *m, const struct net_addr *from, const struct ra_server *ra, uint64_t now,
                        struct slaac_actions *acts) {
  unsigned i = 0;
  while (i < m->n_servers && !net_addr_equal(&m->servers[i].addr, &ra->addr))
    i++;
  if (ra->lifetime_s == 0) {
    if (i < m->n_servers)
      m->servers[i].until = now; /* ends below, and the others keep their order */
    return true;
  }
  if (i == NAMES_SERVERS_MAX)
    return false;
  acts->resolver |= i == m->n_servers;
  m->servers[i] = (struct slaac_server){ra->addr, *from, slaac_until(now, ra->lifetime_s)};
  m->n_servers = MAX(m->n_servers, i + 1);
  return true;
}

static bool take_domain(struct slaac_machine *m, const struct net_addr *from, const struct ra_domain *ra, uint64_t now,
                        struct slaac_actions *acts) {
  unsigned i = 0;
  while (i < m->n_domains && strcmp(m->domains[i].name, ra->name) != 0)
    i++;
  if (ra->lifetime_s == 0) {
    if (i < m->n_domains)
      m->domains[i].until = now;
    return true;
  }
  if (i == NAMES_SEARCH_MAX)
    return false;
  acts->resolver |= i == m->n_domains;
  struct slaac_domain *d = &m->domains[i];
  memcpy(d->name, ra->name, sizeof(d->name));
  d->router = *from;
  d->until = slaac_until(now, ra->lifetime_s);
  m->n_domains = MAX(m->n_domains, i + 1);
  return true;
}

bool slaac_take(struct slaac_machine *m, const struct net_addr *from, const struct ra_message *ra, uint64_t now,
                struct slaac_actions *acts) {
  m->left_out += ra->left_out;
  if (!take_router(m, from, ra, now, acts)) {
    m->ignored++;
    return false;
  }
  take_link(m, ra, acts);
  for (unsigned i = 0; i < ra->n_prefixes; i++)
    m->left_out += !take_prefix(m, &ra->prefixes[i], now, acts);
  for (unsigned i = 0; i < ra->n_routes; i++)
    m->left_out += !take_route(m, from, &ra->routes[i], now, acts);
  for (unsigned i = 0; i < ra->n_servers; i++)
    m->left_out += !take_server(m, from, &ra->servers[i], now, acts);
  for (unsigned i = 0; i < ra->n_domains; i++)
    m->left_out += !take_domain(m, from, &ra->domains[i], now, acts);
  take_flags(m, acts);
  slaac_expire(m, now, acts);
  const struct slaac_router *r = find_router(m, from);
  return r != NULL && r->default_until != 0;
}
