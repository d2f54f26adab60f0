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

static const struct netconf *netconf_of(const struct cap_status_room *room, const char *ifname,
                                        struct netconf_info *ret) {
  for (unsigned i = 0; i < room->interfaces->n; i++) {
    netconf_info(room->interfaces->list[i], ret);
    if (strcmp(ret->ifname, ifname) == 0)
      return room->interfaces->list[i];
  }
  return NULL;
}

#define ADDRESSES_MAX 32 /* of one interface that are shown: more than it can have */

struct addresses {
  struct ctx *c;
  Capnet__StatusInterface *m;
  uint64_t now;
};

static void on_address(void *arg, const struct netconf_address *a) {
  struct addresses *to = arg;
  struct status_page *p = to->c->page;
  char text[NET_ADDR_STRLEN];
  Capnet__StatusAddress *out = to->m->n_addresses < ADDRESSES_MAX ? page_alloc(p, sizeof *out) : NULL;
  if (!out)
    return;
  capnet__status_address__init(out);
  out->address = page_string(p, net_addr_format(&a->addr, text));
  out->has_prefix = 1;
  out->prefix = a->prefix_len;
  out->origin = page_string(p, a->origin);
  out->has_valid_for_s = a->valid_until_ns != 0;
  out->valid_for_s = seconds_left(a->valid_until_ns, to->now);
  out->has_preferred_for_s = a->preferred_until_ns != 0;
  out->preferred_for_s = seconds_left(a->preferred_until_ns, to->now);
  out->state = page_string(p, a->state);
  out->why = a->why ? page_string(p, a->why) : NULL;
  to->m->addresses[to->m->n_addresses++] = out;
}

static void add_addresses(struct ctx *c, Capnet__StatusInterface *m, const struct netconf *n) {
  m->addresses = page_alloc(c->page, ADDRESSES_MAX * sizeof *m->addresses);
  if (m->addresses)
    netconf_each_address(n, on_address,
                         &(struct addresses){c, m, loop_now(caps_loop(c->room->caps), CLOCK_ID_BOOT)});
}

#define TIME_SERVERS_MAX 8 /* of both families */

static void on_time_server(void *arg, const struct net_addr *a, const char *origin) {
  struct addresses *to = arg;
  struct status_page *p = to->c->page;
  char text[NET_ADDR_STRLEN];
  Capnet__StatusTimeServer *out = to->m->n_time_servers < TIME_SERVERS_MAX ? page_alloc(p, sizeof *out) : NULL;
  if (!out)
    return;
  capnet__status_time_server__init(out);
  out->address = page_string(p, net_addr_format(a, text));
  out->origin = page_string(p, origin);
  to->m->time_servers[to->m->n_time_servers++] = out;
}

static void add_time_servers(struct ctx *c, Capnet__StatusInterface *m, const struct netconf *n) {
  m->time_servers = page_alloc(c->page, TIME_SERVERS_MAX * sizeof *m->time_servers);
  if (m->time_servers)
    netconf_each_ntp(n, on_time_server, &(struct addresses){c, m, 0});
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
  m->has_ipv6_mtu = info->mtu6 > 0;
  m->ipv6_mtu = info->mtu6;
  m->ipv6_mtu_origin = info->mtu6 > 0 ? page_string(c->page, info->mtu6_origin) : NULL;
  m->has_metric = 1;
  m->metric = info->metric;
  m->state = page_string(c->page, info->state);
  fill_counters(m, &info->nic);
  const struct netconf *n = netconf_of(c->room, info->name, &nc);
  if (!n)
    return;
  m->mode = page_string(c->page, netconf_mode_name(nc.mode));
  m->ipv6 = page_string(c->page, netconf_ip6_mode_name(nc.ip6));
  m->ipv6_why = nc.ip6_why ? page_string(c->page, nc.ip6_why) : NULL;
  add_addresses(c, m, n);
  add_time_servers(c, m, n);
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
  if (info->source.family)
    m->source = page_string(c->page, net_addr_format(&info->source, buf));
  if (info->origin)
    m->origin = page_string(c->page, info->origin);
  else if (netconf_of(c->room, info->ifname, &nc))
    m->origin = page_string(c->page, nc.origin);
  m->has_metric = m->has_unreachable = 1;
  m->metric = info->metric;
  m->unreachable = info->unreachable;
}

void status_routes(struct cap_status_room *room, struct status_page *p) {
  stack_route_each(room->stack, on_route, &(struct ctx){room, p});
}

/* --- neighbours ----------------------------------------------------------------------------------------------------------------------- */

static const char *neighbour_state(enum stack_neigh_state s) {
  switch (s) {
  case STACK_NEIGH_PENDING: return "pending";
  case STACK_NEIGH_STABLE: return "reachable";
  case STACK_NEIGH_REREQUESTING:
  case STACK_NEIGH_STALE: return "stale";
  case STACK_NEIGH_DELAY: return "delay";
  case STACK_NEIGH_PROBE: return "probe";
  case STACK_NEIGH_FAILED: return "failed";
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
  if (info->state != STACK_NEIGH_PENDING && info->state != STACK_NEIGH_FAILED)
    m->mac = page_string(c->page, net_mac_format(info->mac, buf));
  m->state = page_string(c->page, neighbour_state(info->state));
  m->has_gateway = 1;
  m->gateway = info->router || (netconf_of(c->room, info->ifname, &nc) && net_addr_equal(&nc.gateway, &info->addr));
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

struct leases {
  struct status_page *page;
  const char *ifname;
  uint64_t now;
};

static void fill_times(Capnet__StatusLease *m, const struct netconf_lease *l, uint64_t now) {
  m->has_t1_s = l->t1_ns > now;
  m->t1_s = seconds_left(l->t1_ns, now);
  m->has_t2_s = l->t2_ns > now;
  m->t2_s = seconds_left(l->t2_ns, now);
  m->has_expiry_s = l->expiry_ns > now;
  m->expiry_s = seconds_left(l->expiry_ns, now);
  m->has_next_s = l->next != NULL;
  m->next_s = seconds_left(l->next_ns, now);
}

static void on_lease(void *arg, const struct netconf_lease *l) {
  const struct leases *to = arg;
  struct status_page *p = to->page;
  char buf[NET_ADDR_STRLEN];
  Capnet__StatusLease *m =
      page_append(p, &capnet__status_lease__descriptor, &p->msg.n_leases, (void ***)&p->msg.leases);
  if (!m)
    return;
  m->interface = page_string(p, to->ifname);
  m->protocol = page_string(p, l->protocol);
  m->state = page_string(p, l->state);
  if (l->server.family)
    m->server = page_string(p, net_addr_format(&l->server, buf));
  if (l->addr.family) {
    m->address = page_string(p, net_addr_format(&l->addr, buf));
    m->has_prefix = m->has_in_force = 1;
    m->prefix = l->prefix_len;
    m->in_force = l->in_force;
  }
  m->reason = l->reason ? page_string(p, l->reason) : NULL;
  m->next = l->next ? page_string(p, l->next) : NULL;
  fill_times(m, l, to->now);
}

void status_leases(struct cap_status_room *room, struct status_page *p) {
  for (unsigned i = 0; i < room->interfaces->n; i++) {
    const struct netconf *n = room->interfaces->list[i];
    struct netconf_info nc;
    netconf_info(n, &nc);
    netconf_each_lease(n, on_lease, &(struct leases){p, nc.ifname, loop_now(caps_loop(room->caps), CLOCK_ID_BOOT)});
  }
}
