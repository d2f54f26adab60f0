/* SPDX-License-Identifier: BSD-3-Clause
 * NetworkManager: read and change the configuration of granted interfaces. Each method asks for its own operation; each
 * answers with the configuration as it is afterwards.
 */
#include "cap/interfaces.h"

#include "cap/cap.h"
#include "proto/manager.pb-c.h"

#include <stdio.h>

static struct netconf *find(const struct cap_interfaces *all, const char *name) {
  if (!name || !*name)
    return all->n == 1 ? all->list[0] : NULL;
  for (unsigned i = 0; i < all->n; i++) {
    struct netconf_info info;
    netconf_info(all->list[i], &info);
    if (strcmp(info.ifname, name) == 0)
      return all->list[i];
  }
  return NULL;
}

/* The interface a request is about, if the rights cover it; otherwise the call is answered. Rights come first: who may not
 * even look is not told whether it exists. */
static struct netconf *interface_of(struct call *call, const char *name, enum auth_op op) {
  struct netconf *n = find(cap_room(cap_of(call)), name);
  struct netconf_info info = {.ifname = name ? name : ""};
  if (n)
    netconf_info(n, &info);
  const struct auth_request rq = {.kind = AUTH_MANAGER, .name = info.ifname, .mask = op};
  if (!cap_decide(call, &rq))
    return NULL;
  if (!n)
    call_error(call, -ENOENT, NULL, "interface", "no such interface, or several and none named");
  return n;
}

#define ADDRESSES_MAX 32 /* that are told */

struct addresses {
  Capnet__ManagerAddress list[ADDRESSES_MAX], *pointers[ADDRESSES_MAX];
  char texts[ADDRESSES_MAX][NET_ADDR_STRLEN];
  size_t n;
};

static void on_address(void *arg, const struct netconf_address *a) {
  struct addresses *all = arg;
  if (all->n == ADDRESSES_MAX)
    return;
  Capnet__ManagerAddress *m = all->pointers[all->n] = &all->list[all->n];
  capnet__manager_address__init(m);
  m->address = (char *)net_addr_format(&a->addr, all->texts[all->n++]);
  m->has_prefix = 1;
  m->prefix = a->prefix_len;
  m->origin = (char *)a->origin;
  m->state = (char *)a->state;
  m->why = (char *)a->why;
}

static void reply(struct call *call, const struct netconf *n) {
  struct netconf_info info;
  netconf_info(n, &info);
  char address[NET_PREFIX_STRLEN], gateway[NET_ADDR_STRLEN], servers[NAMES_SERVERS_MAX][NET_ENDPOINT_STRLEN];
  char *dns[NAMES_SERVERS_MAX], *search[NAMES_SEARCH_MAX];
  Capnet__ManagerConfig m = CAPNET__MANAGER_CONFIG__INIT;
  m.interface = (char *)info.ifname;
  m.mode = (char *)netconf_mode_name(info.mode);
  if (info.addr.family) {
    char addr[NET_ADDR_STRLEN];
    (void)snprintf(address, sizeof address, "%s/%u", net_addr_format(&info.addr, addr), info.prefix_len);
    m.address = address;
  }
  if (info.gateway.family)
    m.gateway = (char *)net_addr_format(&info.gateway, gateway);
  m.origin = (char *)info.origin;
  if (info.mode == NETCONF_DHCP)
    m.lease_state = (char *)dhcp_state_name(info.dhcp);
  for (; m.n_dns < info.resolver->n_servers; m.n_dns++)
    dns[m.n_dns] = (char *)net_endpoint_format(&info.resolver->servers[m.n_dns].addr, servers[m.n_dns]);
  for (; m.n_search < info.resolver->n_search; m.n_search++)
    search[m.n_search] = (char *)info.resolver->search[m.n_search].name;
  struct addresses addresses;
  addresses.n = 0;
  netconf_each_address(n, on_address, &addresses);
  m.n_addresses = addresses.n;
  m.addresses = addresses.pointers;
  m.dns = dns;
  m.search = search;
  call_reply(call, &m.base);
}

static void reply_or_error(struct call *call, const struct netconf *n, int r, const char *what) {
  if (r == 0)
    reply(call, n);
  else
    call_error(call, r == -EPROTONOSUPPORT || r == -ENODATA ? -EBUSY : r, NULL, NULL, "%s", what);
}

/* --- requests --------------------------------------------------------------------------------------------------------------- */

static void manager_get(Capnet__NetworkManager_Service *service, const Capnet__ManagerGetRequest *rq,
                        Capnet__ManagerConfig_Closure closure, void *data) {
  (void)service, (void)closure;
  struct netconf *n = interface_of(data, rq->interface, AUTH_OP_GET);
  if (n)
    reply(data, n);
}

/* "ADDRESS/LENGTH" */
static bool parse_address(const char *text, struct net_addr *ret, uint8_t *ret_len) {
  const char *slash = text ? strchr(text, '/') : NULL;
  char addr[NET_ADDR_STRLEN];
  if (!slash || (size_t)(slash - text) >= sizeof addr)
    return false;
  memcpy(addr, text, (size_t)(slash - text));
  addr[slash - text] = '\0';
  char *end;
  unsigned long len = strtoul(slash + 1, &end, 10);
  if (slash[1] < '0' || slash[1] > '9' || *end || net_addr_parse(addr, ret) < 0)
    return false;
  *ret_len = (uint8_t)len;
  return len >= 1 && len <= (ret->family == AF_INET ? 32 : 128);
}

struct fixed {
  struct netconf_static ip4;
  struct netconf_static6 ip6; /* n == 0: it is ip4 */
};

static bool parse_static(const Capnet__ManagerSetStaticRequest *rq, struct fixed *ret) {
  struct net_addr addr, gateway = {0};
  uint8_t len;
  if (!parse_address(rq->address, &addr, &len) ||
      (rq->gateway && (net_addr_parse(rq->gateway, &gateway) < 0 || gateway.family != addr.family)))
    return false;
  if (addr.family == AF_INET) {
    ret->ip4 = (struct netconf_static){addr, len, gateway};
    return rq->n_more == 0;
  }
  ret->ip6 = (struct netconf_static6){.list = {{addr, len}}, .n = 1, .gateway = gateway};
  for (size_t i = 0; i < rq->n_more; i++) {
    struct netconf_fixed6 *f = &ret->ip6.list[ret->ip6.n];
    if (ret->ip6.n++ == NETCONF_FIXED6_MAX || !parse_address(rq->more[i], &f->addr, &f->prefix_len) ||
        f->addr.family != AF_INET6)
      return false;
  }
  return true;
}

static bool parse_resolver(const Capnet__ManagerSetStaticRequest *rq, struct names_config *ret) {
  if (rq->n_dns > NAMES_SERVERS_MAX || rq->n_search > NAMES_SEARCH_MAX)
    return false;
  for (size_t i = 0; i < rq->n_dns; i++) {
    struct names_server *s = &ret->servers[ret->n_servers++];
    *s = (struct names_server){.addr.port = 53, .origin = "static"};
    if (net_addr_parse(rq->dns[i], &s->addr.addr) < 0 && net_endpoint_parse(rq->dns[i], &s->addr) < 0)
      return false;
    const enum net_class class = net_addr_class(&s->addr.addr);
    if ((class != NET_UNICAST && class != NET_LINK_LOCAL) || s->addr.port == 0)
      return false;
  }
  for (size_t i = 0; i < rq->n_search; i++) {
    struct names_domain *d = &ret->search[ret->n_search++];
    d->origin = "static";
    size_t len = strlen(rq->search[i]);
    if (len == 0 || len >= sizeof d->name ||
        strspn(rq->search[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != len)
      return false;
    for (size_t k = 0; k <= len; k++)
      d->name[k] = rq->search[i][k] >= 'A' && rq->search[i][k] <= 'Z' ? (char)(rq->search[i][k] | 0x20) : rq->search[i][k];
  }
  ret->search_present = rq->n_search > 0;
  return true;
}

static void manager_set_static(Capnet__NetworkManager_Service *service, const Capnet__ManagerSetStaticRequest *rq,
                               Capnet__ManagerConfig_Closure closure, void *data) {
  (void)service, (void)closure;
  struct netconf *n = interface_of(data, rq->interface, AUTH_OP_SET);
  if (!n)
    return;
  struct fixed fixed = {0};
  struct names_config resolver = {0};
  if (!parse_static(rq, &fixed)) {
    cap_malformed(data, "address, gateway, more", "addresses of one family with their prefix length, and a gateway of it");
    return;
  }
  if (!parse_resolver(rq, &resolver)) {
    cap_malformed(data, "dns, search", "not an address, not a domain, or too many");
    return;
  }
  int r = fixed.ip6.n > 0 ? netconf_set_static6(n, &fixed.ip6, &resolver) : netconf_set_static(n, &fixed.ip4, &resolver);
  if (r == -EINVAL)
    cap_malformed(data, "address, gateway", "no host of that network could have this address, or this gateway");
  else
    reply_or_error(data, n, r, r == -EPROTONOSUPPORT ? "the interface has no IPv6" : "the address cannot be set");
}

/* False: the call is answered. */
static bool check_family(struct call *call, Capnet__ManagerFamily family) {
  if ((unsigned)family <= CAPNET__MANAGER_FAMILY__MANAGER_FAMILY_IPV6)
    return true;
  cap_malformed(call, "family", "no such family");
  return false;
}

static void manager_renew(Capnet__NetworkManager_Service *service, const Capnet__ManagerRenewRequest *rq,
                          Capnet__ManagerConfig_Closure closure, void *data) {
  (void)service, (void)closure;
  const bool ip6 = rq->family == CAPNET__MANAGER_FAMILY__MANAGER_FAMILY_IPV6;
  struct netconf *n = check_family(data, rq->family) ? interface_of(data, rq->interface, AUTH_OP_RENEW) : NULL;
  if (n)
    reply_or_error(data, n, ip6 ? netconf_renew6(n) : netconf_renew(n),
                   ip6 ? "the interface does not use DHCPv6" : "the interface does not use DHCP");
}

static void manager_release(Capnet__NetworkManager_Service *service, const Capnet__ManagerReleaseRequest *rq,
                            Capnet__ManagerConfig_Closure closure, void *data) {
  (void)service, (void)closure;
  const bool ip6 = rq->family == CAPNET__MANAGER_FAMILY__MANAGER_FAMILY_IPV6;
  struct netconf *n = check_family(data, rq->family) ? interface_of(data, rq->interface, AUTH_OP_RELEASE) : NULL;
  if (n)
    reply_or_error(data, n, ip6 ? netconf_release6(n) : netconf_release(n), "there is no lease to release");
}

static void manager_use_dhcp(Capnet__NetworkManager_Service *service, const Capnet__ManagerUseDhcpRequest *rq,
                             Capnet__ManagerConfig_Closure closure, void *data) {
  (void)service, (void)closure;
  const bool ip6 = rq->family == CAPNET__MANAGER_FAMILY__MANAGER_FAMILY_IPV6;
  struct netconf *n = check_family(data, rq->family) ? interface_of(data, rq->interface, AUTH_OP_SET) : NULL;
  if (n)
    reply_or_error(data, n, ip6 ? netconf_set_static6(n, &(struct netconf_static6){0}, NULL) : netconf_use_dhcp(n),
                   ip6 ? "the interface has no IPv6" : "DHCP cannot be started");
}

static void manager_reconfigure(Capnet__NetworkManager_Service *service, const Capnet__ManagerReconfigureRequest *rq,
                                Capnet__ManagerConfig_Closure closure, void *data) {
  (void)service, (void)closure;
  struct netconf *n = interface_of(data, rq->interface, AUTH_OP_SET);
  if (n)
    reply_or_error(data, n, netconf_reconfigure(n), "the configuration cannot be applied");
}

/* --- the table ---------------------------------------------------------------------------------------------------------------- */

static void manager_kind_release(struct cap *c) { (void)c; }

static Capnet__NetworkManager_Service manager_service = CAPNET__NETWORK_MANAGER__INIT(manager_);

const struct cap_kind cap_manager_kind = {
    .kind = AUTH_MANAGER, .size = sizeof(struct cap), .service = &manager_service.base, .release = manager_kind_release};
