/* SPDX-License-Identifier: BSD-3-Clause
 * IPv6 of one interface: which machines run, the link, the clock and what comes in for them, and what there is to show.
 */
#include "netconf/netconf_ip6.h"

#include "base/util.h"
#include "netconf/slaac_lists.h"

#include <assert.h>

/* Nobody takes another's room: the link-local address, those of prefixes, of a lease, of the configuration. */
static_assert(1 + SLAAC_ADDRESSES_MAX + DHCP6_ADDRS_MAX + NETCONF_FIXED6_MAX <= ADDRS6_MAX, "room in the table");
static_assert(ADDRS6_MAX <= STACK_IPV6_ADDRESSES, "room in the stack");

uint64_t netconf_ip6_now(const struct netconf_ip6 *p) { return loop_now(p->n->loop, CLOCK_ID_BOOT); }

static uint32_t draw(void *arg) { return netconf_random(arg); }

/* --- time and messages -------------------------------------------------------------------------------------------- */

void netconf_ip6_arm(struct netconf_ip6 *p) {
  uint64_t all[] = {p->addrs.deadline_ns, p->slaac.deadline_ns, p->dhcp.deadline_ns}, due = 0;
  for (size_t i = 0; i < ARRAY_SIZE(all); i++)
    if (all[i] != 0 && (due == 0 || all[i] < due))
      due = all[i];
  if (due != 0)
    loop_timer_set(p->timer, due);
  else
    loop_timer_clear(p->timer);
}

/* What brings resolvers comes first: none outlives the address that it would be asked from. */
static void on_timer(void *arg) {
  struct netconf_ip6 *p = arg;
  struct slaac_actions s;
  struct dhcp6_actions d;
  struct addrs6_actions a;
  slaac_timeout(&p->slaac, netconf_ip6_now(p), &s);
  netconf_ip6_run_slaac(p, &s);
  dhcp6_timeout(&p->dhcp, netconf_ip6_now(p), &d);
  netconf_ip6_run_dhcp(p, &d);
  addrs6_timeout(&p->addrs, netconf_ip6_now(p), &a);
  netconf_ip6_run_addrs(p, &a);
  netconf_ip6_arm(p);
}

static void on_nd(void *arg, const struct net_addr *from, const struct net_addr *to _unused_, const uint8_t *icmp, size_t len) {
  struct netconf_ip6 *p = arg;
  struct ra_message ra;
  struct dad_message dad;
  if (ra_decode(icmp, len, &ra) == 0) {
    struct slaac_actions s;
    slaac_receive(&p->slaac, from, &ra, netconf_ip6_now(p), &s);
    netconf_ip6_run_slaac(p, &s);
  } else if (dad_decode(from, icmp, len, &dad) == 0) {
    struct addrs6_actions a;
    addrs6_receive(&p->addrs, &dad, netconf_ip6_now(p), &a);
    netconf_ip6_run_addrs(p, &a);
  }
  netconf_ip6_arm(p);
}
static const struct stack_nd_ops nd_ops = {.received = on_nd};

/* --- configured addresses ----------------------------------------------------------------------------------------- */

int netconf_static6_check(const struct netconf_static6 *s) {
  if (s->n > NETCONF_FIXED6_MAX)
    return -EINVAL;
  for (unsigned i = 0; i < s->n; i++) {
    const struct netconf_fixed6 *f = &s->list[i];
    enum net_class c = net_addr_class(&f->addr);
    if (f->addr.family != AF_INET6 || net_addr_canonical(f->addr).family != AF_INET6 || f->prefix_len == 0 ||
        f->prefix_len > 128 || (c != NET_UNICAST && c != NET_LINK_LOCAL))
      return -EINVAL;
  }
  enum net_class c = net_addr_class(&s->gateway);
  if (s->gateway.family != 0 && (s->gateway.family != AF_INET6 || (c != NET_UNICAST && c != NET_LINK_LOCAL)))
    return -EINVAL;
  return 0;
}

static const char short_mtu[] = "the device's MTU is below the 1280 that IPv6 needs";

const char *netconf_ip6_why_not(const struct netconf_ip6 *p) {
  if (p->mode == NETCONF_IP6_OFF)
    return "IPv6 is off";
  return p->mtu < IP6_MTU_MIN ? short_mtu : "the stack has no room for neighbour discovery";
}

static bool is_fixed(const struct netconf_static6 *s, const struct net_addr *a) {
  for (unsigned i = 0; i < s->n; i++)
    if (net_addr_equal(&s->list[i].addr, a))
      return true;
  return false;
}

/* What another origin gives as well is its own from now on. */
static void offer_again(struct netconf_ip6 *p, const struct net_addr *addr) {
  struct slaac_actions s;
  struct dhcp6_actions d;
  slaac_again(&p->slaac, addr, netconf_ip6_now(p), &s);
  netconf_ip6_run_slaac(p, &s);
  dhcp6_again(&p->dhcp, addr, netconf_ip6_now(p), &d);
  netconf_ip6_run_dhcp(p, &d);
}

/* Those that stay are not touched. */
static void apply_fixed(struct netconf_ip6 *p, const struct netconf_static6 *was) {
  struct addrs6_actions acts;
  const char *why = p->running ? "it is not configured any more" : netconf_ip6_why_not(p);
  for (unsigned i = 0; i < was->n; i++)
    if (!p->running || !is_fixed(&p->fixed, &was->list[i].addr)) {
      (void)addrs6_remove(&p->addrs, &was->list[i].addr, ADDR6_STATIC, why, netconf_ip6_now(p), &acts);
      netconf_ip6_run_addrs(p, &acts);
      offer_again(p, &was->list[i].addr);
    }
  for (unsigned i = 0; i < p->fixed.n && p->running; i++) {
    struct addr6 e = {.addr = p->fixed.list[i].addr,
                      .prefix_len = p->fixed.list[i].prefix_len,
                      .origin = ADDR6_STATIC,
                      .preferred_until = ADDRS6_FOREVER,
                      .valid_until = ADDRS6_FOREVER};
    (void)addrs6_set(&p->addrs, &e, false, netconf_ip6_now(p), &acts);
    netconf_ip6_run_addrs(p, &acts);
    netconf_ip6_tell_length(p, &e.addr);
  }
  netconf_ip6_apply_routes(p);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void init_machines(struct netconf_ip6 *p) {
  struct stack_if_info info;
  struct slaac_config s = {.random = draw, .random_arg = p->n};
  struct dhcp6_config d = {.random = draw, .random_arg = p->n};
  stack_if_info(p->n->iface, &info);
  memcpy(p->mac, info.mac, sizeof(p->mac));
  iid_secret(s.secret);
  strncpy(s.ifname, info.name, sizeof(s.ifname) - 1);
  s.mtu = p->mtu = info.device_mtu;
  d.duid.len = duid_make(d.duid.b);
  d.iaid = duid_iaid(info.mac);
  addrs6_init(&p->addrs, p->n->link, draw, p->n);
  slaac_init(&p->slaac, &s, p->n->link);
  dhcp6_init(&p->dhcp, &d, false); /* its link begins with a link-local address */
}

int netconf_ip6_new(struct netconf *n, struct netconf_ip6 **ret) {
  struct netconf_ip6 *p = calloc(1, sizeof(*p));
  if (p == NULL)
    return -ENOMEM;
  p->n = n;
  p->mode = n->cfg.ip6;
  p->dhcp6 = n->cfg.dhcp6;
  p->fixed = n->cfg.fixed6;
  init_machines(p);
  int r = loop_timer_new(n->loop, CLOCK_ID_BOOT, on_timer, p, &p->timer);
  if (r == 0)
    r = netconf_ip6_lease_open(p);
  if (r < 0) {
    (void)netconf_ip6_free(p);
    return r;
  }
  *ret = p;
  return 0;
}

struct netconf_ip6 *netconf_ip6_free(struct netconf_ip6 *p) {
  if (p == NULL)
    return NULL;
  if (p->udp != NULL)
    p->udp = stack_udp_close(p->udp);
  p->nd = stack_nd_close(p->nd);
  p->store = lease_store_free(p->store);
  p->timer = loop_timer_free(p->timer);
  free(p);
  return NULL;
}

/* The link-local address first: solicitations and DHCPv6 speak from it. */
static int start(struct netconf_ip6 *p) {
  struct slaac_actions s;
  int r = p->nd != NULL ? 0 : stack_nd_open(p->n->iface, &nd_ops, p, &p->nd);
  if (r < 0)
    return r;
  p->running = true;
  slaac_listen(&p->slaac, p->mode == NETCONF_IP6_AUTO, netconf_ip6_now(p), &s);
  netconf_ip6_run_slaac(p, &s);
  slaac_start(&p->slaac, netconf_ip6_now(p), &s);
  netconf_ip6_run_slaac(p, &s);
  return 0;
}

static void stop(struct netconf_ip6 *p) {
  struct slaac_actions s;
  p->running = false;
  netconf_ip6_want_dhcp(p);
  slaac_stop(&p->slaac, netconf_ip6_why_not(p), netconf_ip6_now(p), &s);
  netconf_ip6_run_slaac(p, &s);
  p->nd = stack_nd_close(p->nd);
  if (p->udp != NULL)
    p->udp = stack_udp_close(p->udp);
}

/* What the mode asks for and the device lets be; fixed addresses as they were before. */
static int apply(struct netconf_ip6 *p, const struct netconf_static6 *was) {
  bool run = p->mode != NETCONF_IP6_OFF && p->mtu >= IP6_MTU_MIN;
  if (!run && p->running)
    stop(p);
  int r = run ? start(p) : 0;
  if (r < 0)
    return r;
  apply_fixed(p, was);
  netconf_ip6_want_dhcp(p);
  netconf_ip6_arm(p);
  return 0;
}

static void tell_running(struct netconf_ip6 *p, const char *why) {
  netconf_tell(p->n, &(struct netconf_event){.section = "interfaces",
                                             .protocol = "ipv6",
                                             .family = AF_INET6,
                                             .from = p->running ? "off" : "on",
                                             .to = p->running ? "on" : "off",
                                             .reason = why});
}

void netconf_ip6_begin(struct netconf_ip6 *p) {
  const struct netconf_static6 none = {0};
  (void)apply(p, &none);
  if (!p->running && p->mode != NETCONF_IP6_OFF)
    tell_running(p, netconf_ip6_why_not(p));
}

void netconf_ip6_mtu(struct netconf_ip6 *p) {
  struct stack_if_info info;
  bool was = p->running;
  stack_if_info(p->n->iface, &info);
  p->mtu = info.device_mtu;
  slaac_set_mtu(&p->slaac, p->mtu);
  if (!p->n->begun || was == (p->mtu >= IP6_MTU_MIN))
    return;
  (void)apply(p, &p->fixed);
  if (p->running != was)
    tell_running(p, p->running ? "the device's MTU is enough for IPv6 again" : netconf_ip6_why_not(p));
}

void netconf_ip6_link(struct netconf_ip6 *p, bool up) {
  struct addrs6_actions a;
  struct slaac_actions s;
  struct dhcp6_actions d;
  if (!up) {
    dhcp6_link(&p->dhcp, false, netconf_ip6_now(p), &d);
    netconf_ip6_run_dhcp(p, &d);
  }
  addrs6_link(&p->addrs, up, netconf_ip6_now(p), &a);
  netconf_ip6_run_addrs(p, &a);
  slaac_link(&p->slaac, up, netconf_ip6_now(p), &s);
  netconf_ip6_run_slaac(p, &s);
  netconf_ip6_arm(p);
  if (up && p->n->begun && !p->running && p->mode != NETCONF_IP6_OFF && p->mtu >= IP6_MTU_MIN)
    (void)apply(p, &p->fixed); /* there was no room for it */
}

bool netconf_ip6_settled(const struct netconf_ip6 *p) {
  for (unsigned i = 0; p->running && i < p->addrs.n; i++)
    if (p->addrs.a[i].origin == ADDR6_STATIC && p->addrs.a[i].state == ADDR6_TENTATIVE)
      return false;
  return true;
}

/* --- what an operator asks for ------------------------------------------------------------------------------------ */

int netconf_ip6_configure(struct netconf_ip6 *p, enum netconf_ip6_mode mode, enum netconf_dhcp6 dhcp6,
                          const struct netconf_static6 *fixed) {
  struct netconf_static6 was = p->fixed;
  int r = netconf_static6_check(fixed);
  if (r < 0)
    return r;
  enum netconf_ip6_mode old = p->mode;
  p->mode = mode;
  p->dhcp6 = dhcp6;
  p->fixed = *fixed;
  r = p->n->begun ? apply(p, &was) : 0;
  if (r < 0)
    p->mode = old;
  return r;
}

int netconf_ip6_set_static(struct netconf_ip6 *p, const struct netconf_static6 *fixed) {
  return netconf_ip6_configure(p, NETCONF_IP6_STATIC, p->dhcp6, fixed);
}
int netconf_ip6_use_auto(struct netconf_ip6 *p) {
  return netconf_ip6_configure(p, NETCONF_IP6_AUTO, p->dhcp6, &(struct netconf_static6){0});
}

int netconf_ip6_renew(struct netconf_ip6 *p) {
  struct dhcp6_actions acts;
  if (p->dhcp.mode == DHCP6_MODE_OFF)
    return -EPROTONOSUPPORT;
  dhcp6_renew(&p->dhcp, netconf_ip6_now(p), &acts);
  netconf_ip6_run_dhcp(p, &acts);
  netconf_ip6_arm(p);
  return 0;
}

int netconf_ip6_release(struct netconf_ip6 *p) {
  struct dhcp6_actions acts;
  int r = dhcp6_release(&p->dhcp, netconf_ip6_now(p), &acts);
  netconf_ip6_run_dhcp(p, &acts);
  netconf_ip6_arm(p);
  return r;
}
