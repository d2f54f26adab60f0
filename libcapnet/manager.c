/* SPDX-License-Identifier: BSD-3-Clause
 * NetworkManager: reading and changing an interface's configuration. Every call answers with the configuration
 * after it.
 */
#include "libcapnet/conn.h"
#include "proto/manager.pb-c.h"

int capnet_manager_get(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                       struct capnet_error *err) {
  struct call c;
  Capnet__ManagerGetRequest request = CAPNET__MANAGER_GET_REQUEST__INIT;
  request.interface = (char *)interface;
  call_init(&c, cap, &capnet__network_manager__descriptor, timeout_ms, err);
  capnet__network_manager__get(&c.service, &request, NULL, NULL);
  return json_reply(&c, ret_json);
}

static int renew(capnet *cap, const char *interface, Capnet__ManagerFamily family, unsigned timeout_ms, char **ret_json,
                 struct capnet_error *err) {
  struct call c;
  Capnet__ManagerRenewRequest request = CAPNET__MANAGER_RENEW_REQUEST__INIT;
  request.interface = (char *)interface;
  request.has_family = 1;
  request.family = family;
  call_init(&c, cap, &capnet__network_manager__descriptor, timeout_ms, err);
  capnet__network_manager__renew(&c.service, &request, NULL, NULL);
  return json_reply(&c, ret_json);
}

int capnet_manager_renew(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                         struct capnet_error *err) {
  return renew(cap, interface, CAPNET__MANAGER_FAMILY__MANAGER_FAMILY_IPV4, timeout_ms, ret_json, err);
}

int capnet_manager_renew6(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                          struct capnet_error *err) {
  return renew(cap, interface, CAPNET__MANAGER_FAMILY__MANAGER_FAMILY_IPV6, timeout_ms, ret_json, err);
}

static int release(capnet *cap, const char *interface, Capnet__ManagerFamily family, unsigned timeout_ms, char **ret_json,
                   struct capnet_error *err) {
  struct call c;
  Capnet__ManagerReleaseRequest request = CAPNET__MANAGER_RELEASE_REQUEST__INIT;
  request.interface = (char *)interface;
  request.has_family = 1;
  request.family = family;
  call_init(&c, cap, &capnet__network_manager__descriptor, timeout_ms, err);
  capnet__network_manager__release(&c.service, &request, NULL, NULL);
  return json_reply(&c, ret_json);
}

int capnet_manager_release(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                           struct capnet_error *err) {
  return release(cap, interface, CAPNET__MANAGER_FAMILY__MANAGER_FAMILY_IPV4, timeout_ms, ret_json, err);
}

int capnet_manager_release6(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                            struct capnet_error *err) {
  return release(cap, interface, CAPNET__MANAGER_FAMILY__MANAGER_FAMILY_IPV6, timeout_ms, ret_json, err);
}

static int use_dhcp(capnet *cap, const char *interface, Capnet__ManagerFamily family, unsigned timeout_ms, char **ret_json,
                    struct capnet_error *err) {
  struct call c;
  Capnet__ManagerUseDhcpRequest request = CAPNET__MANAGER_USE_DHCP_REQUEST__INIT;
  request.interface = (char *)interface;
  request.has_family = 1;
  request.family = family;
  call_init(&c, cap, &capnet__network_manager__descriptor, timeout_ms, err);
  capnet__network_manager__use_dhcp(&c.service, &request, NULL, NULL);
  return json_reply(&c, ret_json);
}

int capnet_manager_use_dhcp(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                            struct capnet_error *err) {
  return use_dhcp(cap, interface, CAPNET__MANAGER_FAMILY__MANAGER_FAMILY_IPV4, timeout_ms, ret_json, err);
}

int capnet_manager_use_auto6(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                             struct capnet_error *err) {
  return use_dhcp(cap, interface, CAPNET__MANAGER_FAMILY__MANAGER_FAMILY_IPV6, timeout_ms, ret_json, err);
}

int capnet_manager_reconfigure(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                               struct capnet_error *err) {
  struct call c;
  Capnet__ManagerReconfigureRequest request = CAPNET__MANAGER_RECONFIGURE_REQUEST__INIT;
  request.interface = (char *)interface;
  call_init(&c, cap, &capnet__network_manager__descriptor, timeout_ms, err);
  capnet__network_manager__reconfigure(&c.service, &request, NULL, NULL);
  return json_reply(&c, ret_json);
}

int capnet_manager_set_static(capnet *cap, const char *interface, const struct capnet_static *config,
                              unsigned timeout_ms, char **ret_json, struct capnet_error *err) {
  struct call c;
  Capnet__ManagerSetStaticRequest request = CAPNET__MANAGER_SET_STATIC_REQUEST__INIT;
  request.interface = (char *)interface;
  request.address = (char *)config->address;
  request.gateway = (char *)config->gateway;
  request.n_dns = config->n_dns;
  request.dns = (char **)config->dns;
  request.n_search = config->n_search;
  request.search = (char **)config->search;
  request.n_more = config->n_more;
  request.more = (char **)config->more;
  call_init(&c, cap, &capnet__network_manager__descriptor, timeout_ms, err);
  capnet__network_manager__set_static(&c.service, &request, NULL, NULL);
  return json_reply(&c, ret_json);
}
