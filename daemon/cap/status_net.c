/* SPDX-License-Identifier: BSD-3-Clause
 * Status of what the network is: interfaces, routes, neighbours, resolver, leases.
 */
#include "cap/status.h"

struct ctx {
  struct cap_status_room *room;
  struct status_page *page;
};

static uint64_t seconds_left(uint64_t until_ns, uint64_t now) {
  return until_ns > now ? (until_ns - now) / NSEC_PER_SEC : 0;
}

/* --- interfaces ------------------------------------------------------------------------------------------------------------------- */

static bool netconf_of(const struct cap_status_room *room, const char *ifname, struct netconf_info *ret) {
  for (unsigned i = 0; i < room->interfaces->n; i++) {
    netconf_info(room->interfaces->list[i], ret);
    if (strcmp(ret->ifname, ifname) == 0)
      return true;
  }
  return false;
}

static void add_address(struct ctx *c, Capnet__StatusInterface *m, const struct netconf_info *nc, uint64_t now) {
  Capnet__StatusAddress *a = page_alloc(c->page, sizeof *a);
  Capnet__StatusAddress **list = page_alloc(c->page, sizeof *list);
  char text[NET_ADDR_STRLEN];
  if (!a || !list)
    return;
  capnet__status_address__init(a);
  a->address = page_string(c->page, net_addr_format(&nc->addr, text));
  a->has_prefix = 1;
  a->prefix = nc->prefix_len;
  a->origin = page_string(c->page, nc->origin);
  a->has_valid_for_s = nc->valid_until_ns != 0;
  a->valid_for_s = seconds_left(nc->valid_until_ns, now);
  list[0] = a;
  m->addresses = list;
  m->n_addresses = 1;
}

static void fill_counters(Capnet__StatusInterface *m, const struct nic_counters *n) {
  m->has_rx_frames = m->has_rx_bytes = m->has_rx_dropped = 1;
  m->has_tx_frames = m->has_tx_bytes = m->has_tx_dropped = 1;
  m->rx_frames = n->rx_frames;
  m->rx_bytes = n->rx_bytes;
  m->rx_dropped = n->rx_dropped;
  m->tx_frames = n->tx_frames;
  m->tx_bytes = n->tx_bytes;
  m->tx_dropped = n->tx_dropped;
}

static void on_interface(void *arg, const struct stack_if_info *info) {
  struct ctx *c = arg;
  struct netconf_info nc;
  char mac[NET_MAC_STRLEN];
  Capnet__StatusInterface *m = page_append(c->page, &capnet__status_interface__descriptor, &c->page->msg.n_interfaces,
                                           (void ***)&c->page->msg.interfaces);
  if (!m)
    return;
  m->name = page_string(c->page, info->name);
  m->device = page_string(c->page, info->device);
  m->kind = page_string(c->page, info->kind);
  m->has_link = m->has_mtu = 1;
  m->link = info->link_up;
  m->mac = page_string(c->page, net_mac_format(info->mac, mac));
  m->mtu = info->mtu;
  m->mtu_origin = page_string(c->page, info->mtu_origin);
  m->offloads = page_string(c->page, info->offloads);
  fill_counters(m, &info->nic);
  if (!netconf_of(c->room, info->name, &nc))
    return;
  m->mode = page_string(c->page, netconf_mode_name(nc.mode));
  if (nc.addr.family)
    add_address(c, m, &nc, loop_now(caps_loop(c->room->caps), CLOCK_ID_BOOT));
}

void status_interfaces(struct cap_status_room *room, struct status_page *p) {
  stack_if_each(room->stack, on_interface, &(struct ctx){room, p});
}

/* --- routes ------------------------------------------------------------------------------------------------------------------------- */

static void on_route(void *arg, const struct stack_route_info *info) {
  struct ctx *c = arg;
  struct netconf_info nc;
  char buf[NET_PREFIX_STRLEN];
  Capnet__StatusRoute *m = page_append(c->page, &capnet__status_route__descriptor, &c->page->msg.n_routes,
                                       (void ***)&c->page->msg.routes);
  if (!m)
    return;
  m->destination = page_string(c->page, net_prefix_format(&info->dst, buf));
  if (info->gateway.family)
    m->gateway = page_string(c->page, net_addr_format(&info->gateway, buf));
  m->interface = page_string(c->page, info->ifname);
  m->source = page_string(c->page, net_addr_format(&info->source, buf));
  if (netconf_of(c->room, info->ifname, &nc))
    m->origin = page_string(c->page, nc.origin);
}

void status_routes(struct cap_status_room *room, struct status_page *p) {
  stack_route_each(room->stack, on_route, &(struct ctx){room, p});
}

/* --- neighbours ----------------------------------------------------------------------------------------------------------------------- */

static const char *neighbour_state(enum stack_neigh_state s) {
  switch (s) {
  case STACK_NEIGH_PENDING: return "pending";
  case STACK_NEIGH_STABLE: return "reachable";
  case STACK_NEIGH_REREQUESTING: return "stale";
  }
  return "?";
}

static void on_neighbour(void *arg, const struct stack_neigh_info *info) {
  struct ctx *c = arg;
  struct netconf_info nc;
  char buf[NET_ADDR_STRLEN];
  Capnet__StatusNeighbour *m = page_append(c->page, &capnet__status_neighbour__descriptor, &c->page->msg.n_neighbours,
                                           (void ***)&c->page->msg.neighbours);
  if (!m)
    return;
  m->interface = page_string(c->page, info->ifname);
  m->address = page_string(c->page, net_addr_format(&info->addr, buf));
  if (info->state != STACK_NEIGH_PENDING)
    m->mac = page_string(c->page, net_mac_format(info->mac, buf));
  m->state = page_string(c->page, neighbour_state(info->state));
  m->has_gateway = 1;
  m->gateway = netconf_of(c->room, info->ifname, &nc) && net_addr_equal(&nc.gateway, &info->addr);
}

void status_neighbours(struct cap_status_room *room, struct status_page *p) {
  stack_neigh_each(room->stack, on_neighbour, &(struct ctx){room, p});
}

/* --- resolver --------------------------------------------------------------------------------------------------------------------------- */

static Capnet__StatusServer *server_new(struct status_page *p, const struct names_server *s, bool in_use) {
  Capnet__StatusServer *m = page_alloc(p, sizeof *m);
  char buf[NET_ENDPOINT_STRLEN];
  if (!m)
    return NULL;
  capnet__status_server__init(m);
  m->address = page_string(p, s->addr.port == 53 ? net_addr_format(&s->addr.addr, buf) : net_endpoint_format(&s->addr, buf));
  m->origin = page_string(p, s->origin);
  m->has_in_use = 1;
  m->in_use = in_use;
  return m;
}

static Capnet__StatusSearch *search_new(struct status_page *p, const struct names_domain *d) {
  Capnet__StatusSearch *m = page_alloc(p, sizeof *m);
  if (!m)
    return NULL;
  capnet__status_search__init(m);
  m->domain = page_string(p, d->name);
  m->origin = page_string(p, d->origin);
  return m;
}

void status_resolver(struct cap_status_room *room, struct status_page *p) {
  struct names_info info;
  names_info(room->names, &info);
  Capnet__StatusResolver *m = page_alloc(p, sizeof *m);
  Capnet__StatusServer **servers = page_alloc(p, NAMES_SERVERS_MAX * sizeof *servers);
  Capnet__StatusSearch **search = page_alloc(p, NAMES_SEARCH_MAX * sizeof *search);
  if (!m || !servers || !search)
    return;
  capnet__status_resolver__init(m);
  for (unsigned i = 0; i < info.config->n_servers; i++)
    if ((servers[m->n_servers] = server_new(p, &info.config->servers[i], info.in_use == (int)i)))
      m->n_servers++;
  for (unsigned i = 0; i < info.config->n_search; i++)
    if ((search[m->n_search] = search_new(p, &info.config->search[i])))
      m->n_search++;
  m->servers = servers;
  m->search = search;
  m->has_search_present = m->has_queries = m->has_failures = 1;
  m->search_present = info.config->search_present;
  m->last_error = info.last_error[0] ? page_string(p, info.last_error) : NULL;
  m->queries = info.queries;
  m->failures = info.failures;
  p->msg.resolver = m;
}

/* --- leases ------------------------------------------------------------------------------------------------------------------------------- */

static void add_lease(struct status_page *p, const struct netconf_info *nc, uint64_t now) {
  char buf[NET_ADDR_STRLEN];
  Capnet__StatusLease *m =
      page_append(p, &capnet__status_lease__descriptor, &p->msg.n_leases, (void ***)&p->msg.leases);
  if (!m)
    return;
  m->interface = page_string(p, nc->ifname);
  m->state = page_string(p, dhcp_state_name(nc->dhcp));
  if (nc->server.family)
    m->server = page_string(p, net_addr_format(&nc->server, buf));
  m->has_t1_s = nc->t1_ns > now;
  m->t1_s = seconds_left(nc->t1_ns, now);
  m->has_t2_s = nc->t2_ns > now;
  m->t2_s = seconds_left(nc->t2_ns, now);
  m->has_expiry_s = nc->valid_until_ns > now;
  m->expiry_s = seconds_left(nc->valid_until_ns, now);
  if (nc->addr.family)
    m->address = page_string(p, net_addr_format(&nc->addr, buf));
}

void status_leases(struct cap_status_room *room, struct status_page *p) {
  const uint64_t now = loop_now(caps_loop(room->caps), CLOCK_ID_BOOT);
  for (unsigned i = 0; i < room->interfaces->n; i++) {
    struct netconf_info nc;
    netconf_info(room->interfaces->list[i], &nc);
    if (nc.mode == NETCONF_DHCP)
      add_lease(p, &nc, now);
  }
}
