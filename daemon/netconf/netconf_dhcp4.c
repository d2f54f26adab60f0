/* SPDX-License-Identifier: BSD-3-Clause
 * What a DHCPv4 server says, and what becomes of it: the lease in force, one on standby, options for a static address, and
 * the file that lets the last lease outlive the daemon.
 */
#include "netconf/duid.h"
#include "netconf/lease_file.h"
#include "netconf/netconf_ip4_private.h"
#include "stack/stack_if6.h"

#include "base/util.h"

/* --- what it brings ----------------------------------------------------------------------------------------------- */

void ip4_bring(struct netconf_ip4 *p, const struct dhcp4_params *params) {
  struct netconf_brought *b = &p->brought;
  *b = (struct netconf_brought){0};
  if (params != NULL) {
    for (unsigned i = 0; i < params->n_dns; i++)
      b->resolver.servers[b->resolver.n_servers++] = (struct names_server){{params->dns[i], 53}, "dhcp"};
    for (unsigned i = 0; i < params->n_search; i++) {
      struct names_domain *d = &b->resolver.search[b->resolver.n_search++];
      memcpy(d->name, params->search[i], sizeof(d->name));
      d->origin = "dhcp";
    }
    b->resolver.search_present = params->search_present;
    b->mtu = params->mtu;
    b->mtu_origin = "dhcp";
    b->ntp_origin = "dhcp";
    for (unsigned i = 0; i < MIN(params->n_ntp, (unsigned)NETCONF_NTP_MAX); i++)
      b->ntp[b->n_ntp++] = params->ntp[i];
  }
  netconf_changed(p->n);
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static void identity(const struct netconf_ip4 *p, struct dhcp4_identity *ret) {
  const struct netconf_config *cfg = &p->n->cfg;
  struct stack_if_info info;
  stack_if_info(p->n->iface, &info);
  *ret = (struct dhcp4_identity){0};
  memcpy(ret->mac, info.mac, sizeof(ret->mac));
  memcpy(ret->hostname, cfg->hostname, sizeof(ret->hostname));
  _Static_assert(sizeof(cfg->hostname) == sizeof(ret->hostname), "both are terminated");
  _Static_assert(sizeof(cfg->vendor_class) <= sizeof(ret->vendor_class), "it fits");
  memcpy(ret->vendor_class, cfg->vendor_class, strnlen(cfg->vendor_class, sizeof(cfg->vendor_class)));
  if (cfg->client_id == NETCONF_ID_DUID) {
    _Static_assert(DUID_CLIENT_ID_LEN <= DHCP4_CLIENT_ID_MAX, "it fits");
    duid_client_id(info.mac, ret->client_id);
    ret->client_id_len = DUID_CLIENT_ID_LEN;
  }
}

static const char *refused(int error, const char *why) {
  /* Events carry static strings, so each is written out. */
  if (error == -EPERM)
    return "the file of the last lease is ignored: it is another client's";
  if (error == -ESTALE)
    return "the last lease is over, its address is asked for all the same";
  if (error < 0)
    return "the file of the last lease is ignored: it is damaged, or of another version";
  return why != NULL ? "the time of day is behind the last lease: it must be confirmed" : NULL;
}

int ip4_store_open(struct netconf_ip4 *p) {
  struct stack_if_info info;
  stack_if_info(p->n->iface, &info);
  int r = lease_store_new(p->n->loop, p->n->cfg.state_dir, info.name, AF_INET, &p->store);
  if (r < 0)
    return r;
  _cleanup_free_ char *text = malloc(LEASE_FILE_MAX);
  if (text == NULL)
    return -ENOMEM;
  ssize_t len = lease_store_read(p->store, text, LEASE_FILE_MAX);
  if (len < 0) {
    p->memory_why = netconf_lease_unreadable(len);
    return 0;
  }
  struct dhcp4_identity who;
  struct lease_clock now;
  const char *why;
  identity(p, &who);
  netconf_lease_clock(p->n, &now);
  r = lease_file_parse(text, (size_t)len, &who, &now, &p->memory, &p->remembered_live, &why);
  p->remembered = r == 0 || r == -ESTALE;
  p->remembered_ask = r == 0;
  p->memory_why = refused(r, why);
  return 0;
}

static void save(struct netconf_ip4 *p, const struct dhcp4_lease *l) {
  struct lease_clock now;
  if (p->n->cfg.state_dir[0] == 0)
    return;
  _cleanup_free_ char *text = malloc(LEASE_FILE_MAX);
  if (text == NULL)
    return;
  netconf_lease_clock(p->n, &now);
  size_t len = lease_file_format(&dhcp4_client_machine(p->dhcp)->cfg.id, &now, l, text);
  lease_store_write(p->store, text, len);
}

/* --- what the client says ----------------------------------------------------------------------------------------- */

/* Options 121 and 33, and the routers behind the first, which goes with the address. An answer to INFORM has no say in it: who configures an address by hand configures its routes. */
static void set_routes(struct netconf_ip4 *p, const struct dhcp4_params *params) {
  struct stack_route list[DHCP4_ROUTES_MAX + DHCP4_SPARES_MAX];
  unsigned n = 0;
  _Static_assert(ARRAY_SIZE(list) <= STACK_ROUTES_MAX, "the stack takes them all");
  for (; params != NULL && n < params->n_routes; n++)
    list[n] = (struct stack_route){params->routes[n].dst, params->routes[n].gateway, "dhcp"};
  for (unsigned i = 0; params != NULL && i < params->n_spares; i++)
    list[n++] = (struct stack_route){{net_addr_v4(0), 0}, params->spares[i], "dhcp"};
  if (stack_if_set_routes(p->n->iface, AF_INET, list, n) < 0)
    (void)stack_if_set_routes(p->n->iface, AF_INET, NULL, 0);
}

static void on_apply(void *arg, const struct dhcp4_lease *lease) {
  struct netconf_ip4 *p = arg;
  const struct dhcp4_params *params = &lease->params;
  /* A gateway that the stack cannot use costs the way out, not the subnet. */
  int r = ip4_set_address(p, &params->addr, params->prefix_len, &params->gateway, "dhcp");
  if (r < 0)
    r = ip4_set_address(p, &params->addr, params->prefix_len, &(struct net_addr){0}, "dhcp");
  if (r < 0) { /* nothing of it is used; the next renewal tries again */
    set_routes(p, NULL);
    ip4_bring(p, NULL);
    netconf_tell_address(p->n, &params->addr, params->prefix_len, "dhcp", "duplicate",
                         r == -EADDRINUSE ? "another interface has the address" : "the stack refuses the address");
    return;
  }
  set_routes(p, params);
  ip4_bring(p, params);
  save(p, lease);
}

static void on_drop(void *arg, const char *why) {
  struct netconf_ip4 *p = arg;
  /* First what would be asked without a way to ask it, then the address; unless another has taken its place. */
  ip4_bring(p, NULL);
  set_routes(p, NULL);
  if (p->origin != NULL && strcmp(p->origin, "dhcp") == 0)
    ip4_clear_address(p, why);
}

/* What is due next. An address that is probed comes into force when its probing ends. */
static const char *next_of(const struct netconf_ip4 *p, uint64_t *ret_ns) {
  const struct dhcp4_machine *m = dhcp4_client_machine(p->dhcp);
  const char *next = dhcp4_next(m, ret_ns);
  if (m->state == DHCP_PROBING && p->probing == PROBE_LEASE)
    *ret_ns = acd_client_machine(p->probe)->clear_ns;
  return next;
}

/* The lease that the client is about: in force, on standby, or granted and probed. */
static const struct dhcp4_lease *lease_of(const struct dhcp4_machine *m) {
  if (m->has_lease)
    return &m->lease;
  if (m->state == DHCP_STANDBY)
    return &m->memory.lease;
  return m->state == DHCP_PROBING ? &m->pending : NULL;
}

static void on_state(void *arg, const struct dhcp4_action *a) {
  struct netconf_ip4 *p = arg;
  const struct dhcp4_machine *m = dhcp4_client_machine(p->dhcp);
  /* More than one step may have been taken: each is told with what was its own. */
  const struct dhcp4_lease *l = m->state == a->state ? lease_of(m) : NULL;
  struct netconf_event ev = {.section = "leases",
                             .protocol = "dhcp4",
                             .family = AF_INET,
                             .from = dhcp_state_name(a->from),
                             .to = dhcp_state_name(a->state),
                             .server = a->server,
                             .reason = a->why};
  p->reason = a->why;
  if (l != NULL) {
    ev.addr = l->params.addr;
    ev.prefix_len = l->params.prefix_len;
    ev.server = l->params.server;
    ev.valid_until_ns = l->expiry_ns;
  }
  if (m->state == a->state)
    ev.next = next_of(p, &ev.next_ns);
  netconf_tell(p->n, &ev);
}

static void on_probe(void *arg, const struct net_addr *addr) { ip4_probe_lease(arg, addr); }

static void on_forget(void *arg) {
  struct netconf_ip4 *p = arg;
  lease_store_remove(p->store);
}

static void on_informed(void *arg, const struct dhcp4_params *params) {
  struct netconf_ip4 *p = arg;
  if (p->mode == NETCONF_STATIC)
    ip4_bring(p, params);
  netconf_tell(p->n, &(struct netconf_event){
                         .section = "leases",
                         .protocol = "dhcp4",
                         .family = AF_INET,
                         .from = params != NULL ? "informing" : "informed",
                         .to = params != NULL ? "informed" : "off",
                         .server = params != NULL ? params->server : (struct net_addr){0},
                         .reason = params != NULL ? "a server gave options for the static address"
                                                  : "options of the server do not count any more"});
}

static const struct dhcp4_client_ops client_ops = {.apply = on_apply,
                                                   .drop = on_drop,
                                                   .state = on_state,
                                                   .probe = on_probe,
                                                   .forget = on_forget,
                                                   .informed = on_informed};

static uint32_t random32(void *arg) { return netconf_random(arg); }

int ip4_dhcp_open(struct netconf_ip4 *p) {
  const struct netconf_config *n = &p->n->cfg;
  if (p->dhcp != NULL)
    return 0;
  struct dhcp4_config cfg = {.probe = p->probe != NULL,
                             .rapid_commit = n->rapid_commit,
                             .v6only = n->ipv6_only_preferred,
                             .offer_wait_ns = n->offer_wait_ms * NSEC_PER_MSEC,
                             .random = random32,
                             .random_arg = p->n};
  identity(p, &cfg.id);
  int r = dhcp4_client_new(p->n->loop, p->n->iface, &cfg, &client_ops, p, &p->dhcp);
  if (r == 0 && p->remembered)
    dhcp4_client_remember(p->dhcp, &p->memory, p->remembered_ask, p->remembered_live);
  p->remembered = false; /* from now on the client knows better */
  return r;
}

void ip4_dhcp_start(struct netconf_ip4 *p) {
  if (p->memory_why != NULL)
    netconf_tell(p->n, &(struct netconf_event){.section = "leases",
                                               .protocol = "dhcp4",
                                               .family = AF_INET,
                                               .from = "off",
                                               .to = "init",
                                               .reason = p->memory_why});
  p->memory_why = NULL;
  dhcp4_client_start(p->dhcp);
}

void ip4_dhcp_reset(struct netconf_ip4 *p, const char *why) {
  p->remembered = false;
  p->memory_why = NULL;
  lease_store_remove(p->store);
  if (p->dhcp == NULL)
    return;
  dhcp4_client_stop(p->dhcp);
  p->dhcp = dhcp4_client_free(p->dhcp);
  p->reason = why;
}

/* --- what an operator asks for ------------------------------------------------------------------------------------ */

int netconf_ip4_renew(struct netconf_ip4 *p) {
  if (p->mode == NETCONF_DHCP) {
    int r = ip4_dhcp_open(p); /* it could not be had when the configuration was applied anew */
    if (r == 0)
      dhcp4_client_renew(p->dhcp);
    return r;
  }
  if (p->mode != NETCONF_STATIC || !p->n->cfg.inform)
    return -EPROTONOSUPPORT;
  if (p->fixed_state == FIXED_IN_FORCE)
    dhcp4_client_inform(p->dhcp, &p->fixed.addr);
  return 0;
}

int netconf_ip4_release(struct netconf_ip4 *p) { return p->dhcp != NULL ? dhcp4_client_release(p->dhcp) : -ENODATA; }

/* --- what there is ------------------------------------------------------------------------------------------------ */

static void each_lease(const struct netconf_ip4 *p, void (*fn)(void *arg, const struct netconf_lease *l), void *arg) {
  const struct dhcp4_machine *m = dhcp4_client_machine(p->dhcp);
  const struct dhcp4_lease *l = lease_of(m);
  struct netconf_lease out = {
      .protocol = "dhcp4", .state = dhcp_state_name(m->state), .server = m->server, .reason = p->reason};
  if (m->state == DHCP_OFF && p->mode != NETCONF_DHCP)
    return;
  if (l != NULL) {
    out.addr = l->params.addr;
    out.prefix_len = l->params.prefix_len;
    out.server = l->params.server;
    out.t1_ns = l->t1_ns;
    out.t2_ns = l->t2_ns;
    out.expiry_ns = l->expiry_ns;
    out.in_force = m->has_lease && net_addr_equal(&p->addr, &m->lease.params.addr);
  }
  out.next = next_of(p, &out.next_ns);
  fn(arg, &out);
}

void netconf_ip4_each_lease(const struct netconf_ip4 *p, void (*fn)(void *arg, const struct netconf_lease *l), void *arg) {
  if (p->dhcp == NULL)
    return;
  each_lease(p, fn, arg);
  const struct dhcp4_inform *i = dhcp4_client_informing(p->dhcp);
  if (i->addr.family == 0)
    return;
  bool known = i->params.server.family != 0;
  fn(arg, &(struct netconf_lease){.protocol = "dhcp4",
                                  .state = known ? "informed" : "informing",
                                  .server = i->params.server,
                                  .in_force = known,
                                  .reason = i->silent ? "no server answers for the static address: asked again later"
                                                      : "options are asked for, for the static address",
                                  .next = i->deadline_ns != 0 ? "retry" : NULL,
                                  .next_ns = i->deadline_ns});
}

void netconf_ip4_each_counter(const struct netconf_ip4 *p, void (*fn)(void *arg, const char *name, uint64_t value),
                              void *arg) {
  if (p->dhcp != NULL)
    for (unsigned i = 0; i < DHCP4_REASONS; i++)
      fn(arg, dhcp4_reason_name((enum dhcp4_reason)i), dhcp4_client_machine(p->dhcp)->ignored[i]);
  if (p->guard != NULL)
    fn(arg, "acd-conflicts",
       acd_client_machine(p->guard)->seen + acd_client_machine(p->probe)->seen +
           acd_client_machine(p->probe_fixed)->seen);
}
