/* SPDX-License-Identifier: BSD-3-Clause
 * A resolver's configuration as a plain value: what a lease or a file brings, with its origin.
 */
#ifndef CAPNET_BASE_RESOLVCONF_H
#define CAPNET_BASE_RESOLVCONF_H

#include "base/net.h"

#define NAMES_SERVERS_MAX 8
#define NAMES_SEARCH_MAX 16
#define NAMES_NAME_MAX 254 /* canonical text, with the NUL */

struct names_server {
  struct net_endpoint addr; /* port 53 unless configured */
  const char *origin;       /* "dhcp", "static": static string */
};
struct names_domain {
  char name[NAMES_NAME_MAX];
  const char *origin;
};
struct names_config {
  struct names_server servers[NAMES_SERVERS_MAX];
  /* Of each, the interface that told of it, over which it is asked; NULL: not known. The same link-local address on
   * another link is somebody else. Outlives the configuration. */
  const char *server_if[NAMES_SERVERS_MAX];
  unsigned n_servers;
  struct names_domain search[NAMES_SEARCH_MAX];
  unsigned n_search;
  bool search_present; /* an empty list that somebody configured differs from none */
};

/* Adds what one has and all has not yet, in order, and leaves out what does not fit. ifname: the interface that one is
 * of, for its servers that are asked over it (not for configured ones, which go by the routes); NULL: not known. */
void names_config_merge(struct names_config *all, const struct names_config *one, const char *ifname);

#endif
