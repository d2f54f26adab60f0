/* SPDX-License-Identifier: BSD-3-Clause
 * Configurations of a resolver put together.
 */
#include "base/resolvconf.h"

#include "base/util.h"

static bool has_server(const struct names_config *c, const struct names_server *s) {
  for (unsigned i = 0; i < c->n_servers; i++)
    if (net_endpoint_equal(&c->servers[i].addr, &s->addr))
      return true;
  return false;
}

static bool has_domain(const struct names_config *c, const struct names_domain *d) {
  for (unsigned i = 0; i < c->n_search; i++)
    if (strcmp(c->search[i].name, d->name) == 0)
      return true;
  return false;
}

/* A configured server is one for all interfaces, and the routes decide; but a link-local address is one of its link. */
static bool of_interface(const struct names_server *s) {
  return strcmp(s->origin, "static") != 0 || net_addr_class(&s->addr.addr) == NET_LINK_LOCAL;
}

void names_config_merge(struct names_config *all, const struct names_config *one, const char *ifname) {
  for (unsigned i = 0; i < MIN(one->n_servers, (unsigned)NAMES_SERVERS_MAX) && all->n_servers < NAMES_SERVERS_MAX; i++)
    if (!has_server(all, &one->servers[i])) {
      all->server_if[all->n_servers] = of_interface(&one->servers[i]) ? ifname : NULL;
      all->servers[all->n_servers++] = one->servers[i];
    }
  for (unsigned i = 0; i < MIN(one->n_search, (unsigned)NAMES_SEARCH_MAX) && all->n_search < NAMES_SEARCH_MAX; i++)
    if (!has_domain(all, &one->search[i]))
      all->search[all->n_search++] = one->search[i];
  all->search_present |= one->search_present || one->n_search > 0;
}
