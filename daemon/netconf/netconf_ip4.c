/* SPDX-License-Identifier: BSD-3-Clause
 * IPv4 of one interface: which address is in force. A configured one wins over a lease; a lease that it puts aside stands
 * by until it ends, or is asked for again. Whatever is to come into force is probed first, and guarded then (RFC 5227).
 *
 * What is in force stays so until its successor is: a static address takes over from a lease without a gap.
 */
#include "netconf/netconf_ip4_private.h"

#include "base/util.h"

#include <stdio.h>

#define REFUSED_RETRY_NS (60 * NSEC_PER_SEC) /* RFC 5227 1.1, RATE_LIMIT_INTERVAL */

/* --- the address -------------------------------------------------------------------------------------------------- */

static void probe(struct netconf_ip4 *p, enum probe_for who, const struct net_addr *addr) {
  p->probing = who;
  acd_client_probe(p->probe, addr);
}

static void probe_end(struct netconf_ip4 *p, enum probe_for who) {
  if (p->probing != who)
    return;
  p->probing = PROBE_NOBODY;
  acd_client_stop(p->probe);
}

void ip4_clear_address(struct netconf_ip4 *p, const char *reason) {
  if (p->addr.family == 0)
    return;
  struct net_addr was = p->addr;
  uint8_t len = p->prefix_len;
  const char *origin = p->origin;
  probe_end(p, PROBE_IN_FORCE);
  if (p->guard != NULL)
    acd_client_stop(p->guard);
  stack_if_clear_ipv4(p->n->iface);
  p->addr = p->gateway = (struct net_addr){0};
  p->prefix_len = 0;
  p->origin = NULL;
  netconf_tell_address(p->n, &was, len, origin, "gone", reason);
}

static bool is_lease(const char *origin) { return origin != NULL && strcmp(origin, "dhcp") == 0; }

/* A configured address is in force. */
static bool has_fixed(const struct netconf_ip4 *p) { return p->origin != NULL && !is_lease(p->origin); }

/* Nobody is told when all stays as it is: a renewal is no news. */
int ip4_set_address(struct netconf_ip4 *p, const struct net_addr *addr, uint8_t len, const struct net_addr *gateway,
                    const char *origin) {
  int r = stack_if_set_ipv4(p->n->iface, addr, len, gateway);
  if (r < 0)
    return r;
  bool stays = net_addr_equal(&p->addr, addr);
  bool same = stays && p->prefix_len == len && p->origin != NULL && is_lease(p->origin) == is_lease(origin);
  p->addr = *addr;
  p->prefix_len = len;
  p->gateway = *gateway;
  p->origin = origin;
  if (same)
    return 0;
  if (!stays)
    probe_end(p, PROBE_IN_FORCE);
  if (p->guard != NULL)
    acd_client_guard(p->guard, addr, !is_lease(origin) && p->n->cfg.conflict_keep);
  netconf_tell_address(p->n, addr, len, origin, "preferred", NULL);
  return 0;
}

int netconf_static_check(const struct netconf_static *s) {
  if (s->addr.family != AF_INET || s->prefix_len == 0 || s->prefix_len > 32)
    return -EINVAL;
  enum net_class c = net_addr_class(&s->addr);
  if (c != NET_UNICAST && c != NET_LINK_LOCAL)
    return -EINVAL;
  uint32_t host = s->prefix_len == 32 ? 0 : UINT32_MAX >> s->prefix_len, v = net_addr_to_v4(&s->addr);
  if (s->prefix_len <= 30 && ((v & host) == 0 || (v & host) == host))
    return -EINVAL;
  if (s->gateway.family == 0)
    return 0;
  if (s->gateway.family != AF_INET || net_addr_equal(&s->gateway, &s->addr))
    return -EINVAL;
  c = net_addr_class(&s->gateway);
  return c == NET_UNICAST || c == NET_LINK_LOCAL ? 0 : -EINVAL;
}

/* --- conflicts ---------------------------------------------------------------------------------------------------- */

void ip4_probe_lease(struct netconf_ip4 *p, const struct net_addr *addr) {
  if (addr == NULL) {
    probe_end(p, PROBE_LEASE);
    return;
  }
  netconf_tell_address(p->n, addr, dhcp4_client_machine(p->dhcp)->pending.params.prefix_len, "dhcp", "tentative",
                       "is it free?");
  probe(p, PROBE_LEASE, addr);
}

static const char *who_has(const uint8_t mac[6], const char *what, char buf[WHY_MAX]) {
  char text[NET_MAC_STRLEN];
  (void)snprintf(buf, WHY_MAX, "%s %s", net_mac_format(mac, text), what);
  return buf;
}

/* Tried again after a while: who has it may be gone by then. */
static void fixed_refused(struct netconf_ip4 *p, const char *why) {
  if (why != p->fixed_why)
    (void)snprintf(p->fixed_why, sizeof(p->fixed_why), "%s", why);
  p->fixed_state = FIXED_REFUSED;
  p->retry_ns = loop_now(p->n->loop, CLOCK_ID_BOOT) + REFUSED_RETRY_NS;
  loop_timer_set(p->retry, p->retry_ns);
  netconf_tell(p->n, &(struct netconf_event){.section = "interfaces",
                                             .protocol = p->fixed_origin,
                                             .family = AF_INET,
                                             .to = "duplicate",
                                             .addr = p->fixed.addr,
                                             .prefix_len = p->fixed.prefix_len,
                                             .reason = p->fixed_why,
                                             .next = "retry",
                                             .next_ns = p->retry_ns});
}

/* An address that was in force is another host's now. */
static void lose(struct netconf_ip4 *p, const uint8_t mac[6]) {
  if (p->origin == NULL)
    return;
  if (is_lease(p->origin)) {
    dhcp4_client_conflict(p->dhcp);
    return;
  }
  bool wanted = net_addr_equal(&p->addr, &p->fixed.addr); /* else another one is being probed to replace it */
  if (p->dhcp != NULL)
    dhcp4_client_inform(p->dhcp, &(struct net_addr){0});
  ip4_bring(p, NULL);
  ip4_clear_address(p, "another host uses it");
  if (wanted)
    fixed_refused(p, who_has(mac, "uses the address", p->fixed_why));
}

static void tell_defended(struct netconf_ip4 *p, const uint8_t mac[6]) {
  char why[WHY_MAX];
  netconf_tell_address(p->n, &p->addr, p->prefix_len, p->origin, "preferred",
                       who_has(mac, "claims it too: defended", why));
}

/* After the link was away. The neighbours here may know the address as another's, so it is announced (2.3). */
static void verified(struct netconf_ip4 *p, bool conflict, const uint8_t *mac) {
  if (p->origin == NULL)
    return;
  if (!conflict)
    acd_client_announce(p->guard);
  else if (has_fixed(p) && p->n->cfg.conflict_keep)
    tell_defended(p, mac);
  else
    lose(p, mac);
}

static void fixed_take(struct netconf_ip4 *p);

static void on_fixed_probed(void *arg, enum acd_action_kind what, const struct net_addr *addr _unused_,
                            const uint8_t *mac) {
  struct netconf_ip4 *p = arg;
  char why[WHY_MAX];
  if (what != ACD_ACT_CONFLICT) {
    fixed_take(p);
    return;
  }
  if (has_fixed(p)) /* the one before, which nobody wants any more */
    ip4_clear_address(p, "another is configured");
  fixed_refused(p, who_has(mac, "has the address", why));
}

static void on_probed(void *arg, enum acd_action_kind what, const struct net_addr *addr, const uint8_t *mac) {
  struct netconf_ip4 *p = arg;
  enum probe_for who = p->probing;
  bool conflict = what == ACD_ACT_CONFLICT;
  char why[WHY_MAX];
  p->probing = PROBE_NOBODY;
  switch (who) {
  case PROBE_LEASE:
    if (conflict)
      netconf_tell_address(p->n, addr, dhcp4_client_machine(p->dhcp)->pending.params.prefix_len, "dhcp", "duplicate",
                           who_has(mac, "has the address", why));
    dhcp4_client_probed(p->dhcp, conflict);
    break;
  case PROBE_IN_FORCE:
    verified(p, conflict, mac);
    break;
  case PROBE_NOBODY:
    break;
  }
}

static void on_guarded(void *arg, enum acd_action_kind what, const struct net_addr *addr _unused_, const uint8_t *mac) {
  struct netconf_ip4 *p = arg;
  if (what == ACD_ACT_DEFENDED) {
    tell_defended(p, mac);
  } else if (what == ACD_ACT_LOST) {
    acd_client_count_conflict(p->probe);
    /* Who is connected to it is told not to go on with the other host (RFC 5227 2.4). Not where a link that came back is
     * perhaps another network, on which the address never was ours (verified). */
    stack_if_reset_ipv4(p->n->iface);
    lose(p, mac);
  }
}

static uint32_t random32(void *arg) { return netconf_random(arg); }

static int open_acd(struct netconf_ip4 *p) {
  struct acd_config cfg = {
      .fast = p->n->cfg.conflict_detection == NETCONF_ACD_FAST, .random = random32, .random_arg = p->n};
  if (p->n->cfg.conflict_detection == NETCONF_ACD_OFF)
    return 0;
  int r = acd_client_new(p->n->loop, p->n->iface, &cfg, on_probed, p, &p->probe);
  if (r == 0)
    r = acd_client_new(p->n->loop, p->n->iface, &cfg, on_fixed_probed, p, &p->probe_fixed);
  return r < 0 ? r : acd_client_new(p->n->loop, p->n->iface, &cfg, on_guarded, p, &p->guard);
}

/* --- the configured address --------------------------------------------------------------------------------------- */

/* It comes into force now; a lease stands by. */
static void fixed_take(struct netconf_ip4 *p) {
  const struct netconf_static *s = &p->fixed;
  int r = ip4_set_address(p, &s->addr, s->prefix_len, &s->gateway, p->fixed_origin);
  if (r < 0) {
    fixed_refused(p, r == -EADDRINUSE ? "another interface has the address" : "the stack refuses the address");
    return;
  }
  p->fixed_state = FIXED_IN_FORCE;
  const struct dhcp4_inform *i = p->dhcp != NULL ? dhcp4_client_informing(p->dhcp) : NULL;
  if (p->dhcp != NULL)
    dhcp4_client_standby(p->dhcp);
  ip4_bring(p, i != NULL && net_addr_equal(&i->addr, &s->addr) && i->params.server.family != 0 ? &i->params : NULL);
  if (p->n->cfg.inform && ip4_dhcp_open(p) == 0)
    dhcp4_client_inform(p->dhcp, &s->addr);
}

static void fixed_leave(struct netconf_ip4 *p) {
  if (p->probe_fixed != NULL)
    acd_client_stop(p->probe_fixed);
  loop_timer_clear(p->retry);
  p->fixed_state = FIXED_WAITS;
  p->fixed_why[0] = 0;
}

static void fixed_want(struct netconf_ip4 *p) {
  fixed_leave(p);
  if (!p->n->link)
    return;
  if (p->probe_fixed == NULL || net_addr_equal(&p->addr, &p->fixed.addr)) {
    fixed_take(p);
    return;
  }
  p->fixed_state = FIXED_PROBED;
  netconf_tell_address(p->n, &p->fixed.addr, p->fixed.prefix_len, p->fixed_origin, "tentative", "is it free?");
  acd_client_probe(p->probe_fixed, &p->fixed.addr);
}

static void on_retry(void *arg) {
  struct netconf_ip4 *p = arg;
  if (p->mode == NETCONF_STATIC && p->fixed_state == FIXED_REFUSED)
    fixed_want(p);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void take_configuration(struct netconf_ip4 *p) {
  const struct netconf_config *cfg = &p->n->cfg;
  p->mode = cfg->mode;
  p->fixed = cfg->fixed;
  p->fixed_origin = cfg->fixed_origin != NULL ? cfg->fixed_origin : "static";
}

int netconf_ip4_new(struct netconf *n, struct netconf_ip4 **ret) {
  struct netconf_ip4 *p = calloc(1, sizeof(*p));
  if (p == NULL)
    return -ENOMEM;
  p->n = n;
  take_configuration(p);
  int r = loop_timer_new(n->loop, CLOCK_ID_BOOT, on_retry, p, &p->retry);
  if (r == 0)
    r = open_acd(p);
  if (r == 0)
    r = ip4_store_open(p);
  if (r == 0 && p->mode == NETCONF_DHCP)
    r = ip4_dhcp_open(p);
  if (r < 0) {
    netconf_ip4_free(p);
    return r;
  }
  *ret = p;
  return 0;
}

void netconf_ip4_begin(struct netconf_ip4 *p) {
  if (p->mode == NETCONF_STATIC)
    fixed_want(p);
  if (p->mode == NETCONF_DHCP)
    ip4_dhcp_start(p);
}

struct netconf_ip4 *netconf_ip4_free(struct netconf_ip4 *p) {
  if (p == NULL)
    return NULL;
  p->dhcp = dhcp4_client_free(p->dhcp);
  p->probe = acd_client_free(p->probe);
  p->probe_fixed = acd_client_free(p->probe_fixed);
  p->guard = acd_client_free(p->guard);
  p->store = lease_store_free(p->store);
  p->retry = loop_timer_free(p->retry);
  free(p);
  return NULL;
}

/* What is in force stays so when the link goes: nobody else can have it meanwhile. When the link is back, it may be
 * another network: a server is asked whether the lease still holds (dhcp4_machine.h), and the neighbours whether one of
 * them has the address. */
void netconf_ip4_link(struct netconf_ip4 *p, bool up) {
  if (!up && p->probing == PROBE_IN_FORCE)
    probe_end(p, PROBE_IN_FORCE);
  if (!up && p->fixed_state == FIXED_PROBED)
    fixed_leave(p);
  if (up && p->probe != NULL && p->addr.family != 0 && p->probing == PROBE_NOBODY)
    probe(p, PROBE_IN_FORCE, &p->addr);
  if (p->dhcp != NULL)
    dhcp4_client_link(p->dhcp, up);
  if (up && p->n->begun && p->mode == NETCONF_STATIC && p->fixed_state != FIXED_IN_FORCE)
    fixed_want(p);
}

bool netconf_ip4_settled(const struct netconf_ip4 *p) { return p->fixed_state != FIXED_PROBED; }

/* --- what an operator asks for ------------------------------------------------------------------------------------ */

int netconf_ip4_set_static(struct netconf_ip4 *p, const struct netconf_static *s) {
  bool was_fixed = p->mode == NETCONF_STATIC && p->fixed_state == FIXED_IN_FORCE;
  if (p->n->link && (p->probe == NULL || net_addr_equal(&p->addr, &s->addr))) {
    /* The stack decides first; only then the old way is given up. */
    int r = ip4_set_address(p, &s->addr, s->prefix_len, &s->gateway, "static");
    if (r < 0)
      return r;
  }
  p->mode = NETCONF_STATIC;
  p->fixed = *s;
  p->fixed_origin = "static";
  if (p->dhcp != NULL && was_fixed)
    dhcp4_client_inform(p->dhcp, &(struct net_addr){0});
  if (!p->n->link) {
    fixed_leave(p);
    if (p->dhcp != NULL)
      dhcp4_client_standby(p->dhcp);
    ip4_clear_address(p, "another is configured");
    ip4_bring(p, NULL);
  } else if (p->n->begun) {
    /* A lease that is in force stays while the other address is probed; one that is only being asked for is not wanted. */
    if (p->dhcp != NULL && !dhcp4_client_machine(p->dhcp)->has_lease)
      dhcp4_client_standby(p->dhcp);
    fixed_want(p);
  }
  return 0;
}

int netconf_ip4_use_dhcp(struct netconf_ip4 *p) {
  if (p->mode == NETCONF_DHCP && p->dhcp != NULL)
    return 0;
  int r = ip4_dhcp_open(p);
  if (r < 0)
    return r;
  p->mode = NETCONF_DHCP;
  fixed_leave(p);
  dhcp4_client_inform(p->dhcp, &(struct net_addr){0});
  if (has_fixed(p)) {
    ip4_clear_address(p, "DHCP is asked instead");
    ip4_bring(p, NULL);
  }
  if (p->n->begun)
    ip4_dhcp_start(p); /* a lease that is in force, since the static one was refused, goes on */
  return 0;
}

int netconf_ip4_reconfigure(struct netconf_ip4 *p) {
  static const char why[] = "the configuration is applied anew";
  fixed_leave(p);
  ip4_dhcp_reset(p, why);
  take_configuration(p);
  ip4_bring(p, NULL);
  if (p->mode != NETCONF_STATIC || !net_addr_equal(&p->addr, &p->fixed.addr))
    ip4_clear_address(p, why);
  int r = p->mode == NETCONF_DHCP ? ip4_dhcp_open(p) : 0;
  if (r == 0 && p->n->begun)
    netconf_ip4_begin(p);
  return r;
}

/* --- what there is ------------------------------------------------------------------------------------------------ */

const struct netconf_brought *netconf_ip4_brought(const struct netconf_ip4 *p) { return &p->brought; }

void netconf_ip4_info(const struct netconf_ip4 *p, struct netconf_info *ret) {
  ret->mode = p->mode;
  ret->addr = p->addr;
  ret->prefix_len = p->prefix_len;
  ret->gateway = p->gateway;
  ret->origin = p->origin;
  ret->dhcp = p->dhcp != NULL ? dhcp4_client_machine(p->dhcp)->state : DHCP_OFF;
}

static struct netconf_address of_lease(const struct dhcp4_lease *l, const char *state, const char *why) {
  return (struct netconf_address){.addr = l->params.addr,
                                  .prefix_len = l->params.prefix_len,
                                  .origin = "dhcp",
                                  .state = state,
                                  .why = why,
                                  .preferred_until_ns = l->expiry_ns,
                                  .valid_until_ns = l->expiry_ns};
}

void netconf_ip4_each_address(const struct netconf_ip4 *p, void (*fn)(void *arg, const struct netconf_address *a),
                              void *arg) {
  const struct dhcp4_machine *m = p->dhcp != NULL ? dhcp4_client_machine(p->dhcp) : NULL;
  struct netconf_address a = {.addr = p->addr, .prefix_len = p->prefix_len, .origin = p->origin, .state = "preferred"};
  if (m != NULL && m->has_lease)
    a = of_lease(&m->lease, "preferred", NULL);
  if (p->addr.family != 0)
    fn(arg, &a);
  a = (struct netconf_address){.addr = p->fixed.addr, .prefix_len = p->fixed.prefix_len, .origin = p->fixed_origin};
  a.state = p->fixed_state == FIXED_PROBED ? "tentative" : "duplicate";
  a.why = p->fixed_state == FIXED_REFUSED ? p->fixed_why : NULL;
  if (p->mode == NETCONF_STATIC && (p->fixed_state == FIXED_PROBED || p->fixed_state == FIXED_REFUSED))
    fn(arg, &a);
  if (m != NULL && m->state == DHCP_PROBING) {
    a = of_lease(&m->pending, "tentative", NULL);
    fn(arg, &a);
  }
  if (m != NULL && m->state == DHCP_STANDBY) {
    a = of_lease(&m->memory.lease, "standby", "a static address is in force");
    fn(arg, &a);
  }
}
