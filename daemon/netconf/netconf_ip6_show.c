/* SPDX-License-Identifier: BSD-3-Clause
 * What status shows of one interface's IPv6.
 */
#include "netconf/netconf_ip6.h"
#include "netconf/slaac_lists.h"

#include "base/util.h"

static uint64_t end_of(uint64_t until) { return until == ADDRS6_FOREVER ? 0 : until; }

static const char *at(uint64_t *into, uint64_t when, const char *what) {
  *into = when;
  return what;
}

const char *netconf_ip6_dhcp_next(const struct netconf_ip6 *p, uint64_t *ret_ns) {
  const struct dhcp6_machine *m = &p->dhcp;
  uint64_t end = DHCP6_NEVER;
  for (unsigned i = 0; i < m->lease.n_addrs; i++)
    end = MIN(end, m->lease.addrs[i].valid_until);
  *ret_ns = 0;
  if (m->state == DHCP6_BOUND && end_of(m->lease.t1_ns) != 0)
    return at(ret_ns, m->lease.t1_ns, "renew");
  if (m->state == DHCP6_RENEWING && end_of(m->lease.t2_ns) != 0)
    return at(ret_ns, m->lease.t2_ns, "rebind");
  if (m->lease.n_addrs > 0 && end_of(end) != 0)
    return at(ret_ns, end, "expiry");
  if (m->state == DHCP6_INFORMED && m->refresh_ns != 0)
    return at(ret_ns, m->refresh_ns, "renew");
  if (m->link && m->next_ns != 0)
    return at(ret_ns, m->next_ns, "retry");
  return NULL;
}

const struct netconf_brought *netconf_ip6_brought(const struct netconf_ip6 *p) { return &p->brought; }

void netconf_ip6_info(const struct netconf_ip6 *p, struct netconf_info *ret) {
  ret->ip6 = p->mode;
  ret->ip6_why = p->mode != NETCONF_IP6_OFF && !p->running && p->n->begun ? netconf_ip6_why_not(p) : NULL;
}

/* Configured, and not in force since nothing of IPv6 is. */
static void each_waiting(const struct netconf_ip6 *p, void (*fn)(void *arg, const struct netconf_address *a), void *arg) {
  for (unsigned i = 0; i < p->fixed.n && p->mode != NETCONF_IP6_OFF; i++)
    fn(arg, &(struct netconf_address){.addr = p->fixed.list[i].addr,
                                      .prefix_len = p->fixed.list[i].prefix_len,
                                      .origin = addr6_origin_name(ADDR6_STATIC),
                                      .state = "standby",
                                      .why = netconf_ip6_why_not(p)});
}

void netconf_ip6_each_address(const struct netconf_ip6 *p, void (*fn)(void *arg, const struct netconf_address *a),
                              void *arg) {
  if (!p->running && p->n->begun)
    each_waiting(p, fn, arg);
  for (unsigned i = 0; i < p->addrs.n; i++) {
    const struct addr6 *e = &p->addrs.a[i];
    fn(arg, &(struct netconf_address){.addr = e->addr,
                                      .prefix_len = e->prefix_len,
                                      .origin = addr6_origin_name(e->origin),
                                      .state = addr6_state_name(e->state),
                                      .why = e->state == ADDR6_DUPLICATE || e->state == ADDR6_REFUSED ? e->why : NULL,
                                      .preferred_until_ns = end_of(e->preferred_until),
                                      .valid_until_ns = end_of(e->valid_until)});
  }
}

static void each_router(const struct netconf_ip6 *p, void (*fn)(void *arg, const struct netconf_lease *l), void *arg) {
  for (unsigned i = 0; i < p->slaac.n_routers; i++) {
    const struct slaac_router *r = &p->slaac.routers[i];
    uint64_t end = end_of(slaac_router_until(r));
    fn(arg, &(struct netconf_lease){.protocol = "ra",
                                    .state = slaac_router_state(r),
                                    .server = r->addr,
                                    .expiry_ns = end,
                                    .in_force = true,
                                    .reason = r->default_until != 0 ? "it advertises itself" : "it is no default router",
                                    .next = end != 0 ? "expiry" : NULL,
                                    .next_ns = end});
  }
}

void netconf_ip6_each_lease(const struct netconf_ip6 *p, void (*fn)(void *arg, const struct netconf_lease *l), void *arg) {
  const struct dhcp6_lease *l = &p->dhcp.lease;
  each_router(p, fn, arg);
  if (p->dhcp.mode == DHCP6_MODE_OFF)
    return;
  struct netconf_lease out = {.protocol = "dhcp6",
                              .state = dhcp6_state_name(p->dhcp.state),
                              .in_force = l->n_addrs > 0 || p->dhcp.has_params,
                              .reason = p->dhcp_reason};
  if (l->n_addrs > 0) {
    out.addr = l->addrs[0].addr;
    out.prefix_len = 128;
    out.server = l->from;
    out.t1_ns = end_of(l->t1_ns);
    out.t2_ns = end_of(l->t2_ns);
    out.expiry_ns = end_of(l->addrs[0].valid_until);
  }
  out.next = netconf_ip6_dhcp_next(p, &out.next_ns);
  fn(arg, &out);
}

void netconf_ip6_each_counter(const struct netconf_ip6 *p, void (*fn)(void *arg, const char *name, uint64_t value),
                              void *arg) {
  fn(arg, "ra-ignored", p->slaac.ignored);
  fn(arg, "ra-left-out", p->slaac.left_out);
  fn(arg, "dad-conflicts", p->addrs.conflicts);
  fn(arg, "ip6-refused", p->addrs.refused);
  fn(arg, "dhcp6-ignored", p->dhcp.ignored);
  fn(arg, "dhcp6-left-out", p->dhcp.left_out);
}
