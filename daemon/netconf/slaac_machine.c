/* SPDX-License-Identifier: BSD-3-Clause
 * Life of the machine: the link-local address, solicitations, the link, time. What an advertisement says is taken in
 * slaac_take.c.
 */
#include "netconf/slaac_machine.h"

#include "base/util.h"
#include "netconf/backoff.h"
#include "netconf/slaac_lists.h"

#define SOLICIT_DELAY_MS 1000    /* MAX_RTR_SOLICITATION_DELAY */
#define SOLICIT_FIRST_MS 4000    /* RTR_SOLICITATION_INTERVAL */
#define SOLICIT_MAX_MS 3600000   /* RFC 7559 3, MAX_RTR_SOLICITATION_INTERVAL */
#define DOUBT_NS (13 * NSEC_PER_SEC) /* three solicitations of the early kind */

static uint32_t draw(struct slaac_machine *m) { return m->cfg.random(m->cfg.random_arg); }

/* --- time --------------------------------------------------------------------------------------------------------- */

static uint64_t min_due(uint64_t a, uint64_t b) { return b != 0 && b < a ? b : a; }

static void solicit_stop(struct slaac_machine *m) {
  m->solicit_ns = m->solicit_rt_ns = 0;
  m->solicited = 0;
}

/* RFC 4861 6.3.7: after a random delay, unless the one before duplicate address detection has been waited for. A router that
 * says goodbye says so to all of its hosts at once. */
static void solicit_start(struct slaac_machine *m, bool delay, uint64_t now) {
  solicit_stop(m);
  if (m->cfg.listen && m->running && m->link && m->link_local_unique)
    m->solicit_ns = now + (delay ? draw(m) % (SOLICIT_DELAY_MS + 1) * NSEC_PER_MSEC : 0);
}

/* RFC 7559 2: as a DHCPv6 client repeats, without an end: at first about 4 s, then doubled up to about an hour. */
static void solicit(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts) {
  acts->solicit = true;
  m->solicited++;
  m->solicit_rt_ns =
      backoff_next(m->solicit_rt_ns, SOLICIT_FIRST_MS * NSEC_PER_MSEC, SOLICIT_MAX_MS * NSEC_PER_MSEC, draw(m));
  m->solicit_ns = now + m->solicit_rt_ns;
}

static bool default_router(const struct slaac_machine *m) {
  for (unsigned i = 0; i < m->n_routers; i++)
    if (m->routers[i].default_until != 0)
      return true;
  return false;
}

/* Each event ends with it. Where there is no default router, one is looked for: at first, and when the last one is gone. */
static void settle(struct slaac_machine *m, uint64_t now) {
  if (m->cfg.listen && m->running && m->solicit_ns == 0 && !default_router(m))
    solicit_start(m, true, now);
  uint64_t next = slaac_next_end(m);
  if (m->link) {
    next = min_due(next, m->retry_ns);
    next = min_due(next, m->solicit_ns);
    next = min_due(next, m->doubt_ns);
  }
  m->deadline_ns = next == SLAAC_FOREVER ? 0 : next;
}

static void begin(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts) {
  *acts = (struct slaac_actions){.n = 0};
  slaac_expire(m, now, acts);
}

/* --- the link-local address --------------------------------------------------------------------------------------- */

static void give_link_local(struct slaac_machine *m, struct slaac_actions *acts) {
  struct slaac_action *a = slaac_act(acts, SLAAC_ACT_ADDRESS);
  m->link_local_unique = false;
  a->addr = m->link_local;
  a->link_local = true;
  a->preferred_until = a->valid_until = SLAAC_FOREVER;
}

static void make_link_local(struct slaac_machine *m, struct slaac_actions *acts) {
  const struct net_addr prefix = {AF_INET6, {0xfe, 0x80}};
  m->retry_ns = 0;
  m->link_local = iid_address(m->cfg.secret, &prefix, m->cfg.ifname, m->dad_counter);
  give_link_local(m, acts);
}

static void forget_link_local(struct slaac_machine *m, const char *why, struct slaac_actions *acts) {
  if (m->link_local.family == 0)
    return;
  struct slaac_action *a = slaac_act(acts, SLAAC_ACT_FORGET);
  a->addr = m->link_local;
  a->link_local = true;
  a->why = why;
  m->link_local = (struct net_addr){0};
  m->link_local_unique = false;
}

/* RFC 7217 6: another identifier, a while later, for so many times. */
static bool try_again(unsigned *dad_counter, uint64_t *retry_ns, uint64_t now) {
  if (*dad_counter >= IID_RETRIES)
    return false;
  (*dad_counter)++;
  *retry_ns = now + IID_DELAY_NS;
  return true;
}

void slaac_verified(struct slaac_machine *m, const struct net_addr *addr, bool unique, uint64_t now,
                    struct slaac_actions *acts) {
  begin(m, now, acts);
  if (m->link_local.family != 0 && net_addr_equal(addr, &m->link_local)) {
    bool was = m->link_local_unique;
    m->link_local_unique = unique;
    if (!unique) {
      solicit_stop(m);
      (void)try_again(&m->dad_counter, &m->retry_ns, now);
    } else if (!was) {
      solicit_start(m, false, now);
    }
  }
  for (unsigned i = 0; i < m->n_prefixes && !unique; i++) {
    struct slaac_prefix *p = &m->prefixes[i];
    if (p->addr.family != 0 && net_addr_equal(addr, &p->addr))
      (void)try_again(&p->dad_counter, &p->retry_ns, now);
  }
  settle(m, now);
}

static bool is_link_local(const struct slaac_machine *m, const struct net_addr *addr) {
  return m->link_local.family != 0 && net_addr_equal(addr, &m->link_local);
}

void slaac_unusable(struct slaac_machine *m, const struct net_addr *addr, uint64_t now, struct slaac_actions *acts) {
  begin(m, now, acts);
  if (is_link_local(m, addr)) {
    m->link_local_unique = false;
    solicit_stop(m);
  }
  settle(m, now);
}

void slaac_again(struct slaac_machine *m, const struct net_addr *addr, uint64_t now, struct slaac_actions *acts) {
  begin(m, now, acts);
  if (is_link_local(m, addr)) {
    solicit_stop(m);
    give_link_local(m, acts);
  }
  for (unsigned i = 0; i < m->n_prefixes; i++)
    if (m->prefixes[i].addr.family != 0 && net_addr_equal(addr, &m->prefixes[i].addr))
      slaac_act_address(acts, &m->prefixes[i]);
  settle(m, now);
}

static void retry_addresses(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts) {
  static const char why[] = "another node has this address";
  if (m->retry_ns != 0 && now >= m->retry_ns) {
    forget_link_local(m, why, acts);
    make_link_local(m, acts);
  }
  for (unsigned i = 0; i < m->n_prefixes; i++) {
    struct slaac_prefix *p = &m->prefixes[i];
    if (p->retry_ns == 0 || now < p->retry_ns)
      continue;
    struct slaac_action *a = slaac_act(acts, SLAAC_ACT_FORGET);
    a->addr = p->addr;
    a->why = why;
    p->retry_ns = 0;
    p->addr = iid_address(m->cfg.secret, &p->prefix.addr, m->cfg.ifname, p->dad_counter);
    slaac_act_address(acts, p);
  }
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void slaac_init(struct slaac_machine *m, const struct slaac_config *cfg, bool link) {
  *m = (struct slaac_machine){.cfg = *cfg, .link = link};
  m->cfg.ifname[sizeof(m->cfg.ifname) - 1] = '\0';
}

void slaac_start(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts) {
  begin(m, now, acts);
  if (!m->running) {
    m->running = true;
    m->dad_counter = 0;
    make_link_local(m, acts);
  }
  settle(m, now);
}

static void forget_learned(struct slaac_machine *m, const char *why, struct slaac_actions *acts) {
  acts->resolver |= m->n_servers > 0 || m->n_domains > 0;
  acts->routes |= m->n_routes > 0 || m->n_routers > 0 || m->n_prefixes > 0;
  acts->link |= m->hop_limit != 0 || m->reachable_ms != 0 || m->retrans_ms != 0 || m->mtu != 0;
  acts->dhcp |= m->dhcp != SLAAC_DHCP_NONE;
  for (unsigned i = 0; i < m->n_prefixes; i++)
    if (m->prefixes[i].addr.family != 0) {
      struct slaac_action *a = slaac_act(acts, SLAAC_ACT_FORGET);
      a->addr = m->prefixes[i].addr;
      a->why = why;
    }
  for (unsigned i = 0; i < m->n_routers; i++)
    slaac_act_router(acts, &m->routers[i], slaac_router_state(&m->routers[i]), "gone", why);
  m->n_routers = m->n_prefixes = m->n_routes = m->n_servers = m->n_domains = 0;
  m->hop_limit = 0;
  m->reachable_ms = m->retrans_ms = 0;
  m->mtu = 0;
  m->dhcp = SLAAC_DHCP_NONE;
  m->doubt_ns = 0;
  solicit_stop(m);
}

void slaac_listen(struct slaac_machine *m, bool listen, uint64_t now, struct slaac_actions *acts) {
  begin(m, now, acts);
  m->cfg.listen = listen;
  if (!listen)
    forget_learned(m, "routers are not listened to any more", acts);
  settle(m, now);
}

void slaac_set_mtu(struct slaac_machine *m, unsigned mtu) { m->cfg.mtu = mtu; }

void slaac_stop(struct slaac_machine *m, const char *why, uint64_t now, struct slaac_actions *acts) {
  begin(m, now, acts);
  forget_learned(m, why, acts);
  forget_link_local(m, why, acts);
  m->running = false;
  m->retry_ns = 0;
  settle(m, now);
}

/* The addresses themselves are verified again by their table, and those that were given up as well. */
static void link_is_back(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts) {
  m->link_local_unique = false;
  m->dhcp = SLAAC_DHCP_NONE;
  acts->dhcp = true;
  solicit_stop(m);
  m->doubt_ns = m->n_routers > 0 || m->n_prefixes > 0 ? now + DOUBT_NS : 0;
  for (unsigned i = 0; i < m->n_routers; i++)
    m->routers[i].confirmed = false;
  for (unsigned i = 0; i < m->n_prefixes; i++)
    m->prefixes[i].confirmed = false;
}

/* What was to be tried again is verified anyway when the link is back. */
static void link_is_gone(struct slaac_machine *m) {
  solicit_stop(m);
  m->retry_ns = 0;
  for (unsigned i = 0; i < m->n_prefixes; i++)
    m->prefixes[i].retry_ns = 0;
}

void slaac_link(struct slaac_machine *m, bool up, uint64_t now, struct slaac_actions *acts) {
  begin(m, now, acts);
  bool back = up && !m->link;
  m->link = up;
  if (back && m->running)
    link_is_back(m, now, acts);
  if (!up)
    link_is_gone(m);
  settle(m, now);
}

void slaac_timeout(struct slaac_machine *m, uint64_t now, struct slaac_actions *acts) {
  begin(m, now, acts);
  if (m->running && m->link) {
    retry_addresses(m, now, acts);
    if (m->doubt_ns != 0 && now >= m->doubt_ns) {
      m->doubt_ns = 0;
      slaac_give_up_unconfirmed(m, now, acts);
    }
    if (m->solicit_ns != 0 && now >= m->solicit_ns)
      solicit(m, now, acts);
  }
  settle(m, now);
}

void slaac_receive(struct slaac_machine *m, const struct net_addr *from, const struct ra_message *ra, uint64_t now,
                   struct slaac_actions *acts) {
  begin(m, now, acts);
  /* RFC 4861 6.1.2: routers speak from their link-local address. */
  if (!m->running || !m->link || !m->cfg.listen || from->family != AF_INET6 || net_addr_class(from) != NET_LINK_LOCAL)
    m->ignored++;
  else if (slaac_take(m, from, ra, now, acts))
    solicit_stop(m);
  settle(m, now);
}
