/* SPDX-License-Identifier: BSD-3-Clause
 * capnetd.conf, [interface NAME].
 */
#include "core/config_ini.h"

#include <stdio.h>
#include <sys/socket.h>

static int set_device(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  if (strcmp(value, "tap") == 0)
    i->device = CONFIG_TAP;
  else if (strcmp(value, "slirp") == 0)
    i->device = CONFIG_SLIRP;
  else if (strcmp(value, "fixture") == 0)
    i->device = CONFIG_FIXTURE;
  else
    return config_reason(reason, "\"%.40s\" is none of tap, slirp, fixture", value);
  return 0;
}

static int set_ifname(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  if (!config_plain_name(value, sizeof(i->ifname) - 1))
    return config_reason(reason, "\"%.40s\" is no name of a device (at most 15 letters, digits, - _ .)", value);
  return config_text(i->ifname, sizeof(i->ifname), value, reason);
}

static int set_fd(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  if (!config_plain_name(value, sizeof(i->fd) - 1))
    return config_reason(reason, "\"%.40s\" is no name of a descriptor", value);
  return config_text(i->fd, sizeof(i->fd), value, reason);
}

static int set_mtu(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  struct net_ports number; /* decimal to 65535, without sign or leading zero */
  if (net_ports_parse(value, &number) < 0 || number.first != number.last || number.first < NIC_MTU_MIN ||
      number.first > NIC_MTU_MAX)
    return config_reason(reason, "\"%.40s\" is no number from %d to %d", value, NIC_MTU_MIN, NIC_MTU_MAX);
  i->mtu = number.first;
  return 0;
}

static int set_mac(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  static const uint8_t none[6];
  uint8_t mac[6];
  if (net_mac_parse(value, mac) < 0)
    return config_reason(reason, "\"%.40s\" is no MAC address (02:00:00:00:00:01)", value);
  if ((mac[0] & 1) || memcmp(mac, none, 6) == 0)
    return config_reason(reason, "%.40s is not the address of one station", value);
  memcpy(i->mac, mac, 6);
  return 0;
}

static int set_mode(void *arg, const char *value, char reason[REASON_MAX]) {
  static const struct {
    const char *name;
    enum netconf_mode mode;
  } modes[] = {{"dhcp", NETCONF_DHCP}, {"static", NETCONF_STATIC}, {"none", NETCONF_NONE}};
  struct config_interface *i = arg;
  for (size_t k = 0; k < ARRAY_SIZE(modes); k++)
    if (strcmp(modes[k].name, value) == 0) {
      i->netconf.mode = modes[k].mode;
      i->mode_set = true;
      return 0;
    }
  return config_reason(reason, "\"%.40s\" is none of dhcp, static, none", value);
}

static int set_ipv6(void *arg, const char *value, char reason[REASON_MAX]) {
  static const struct {
    const char *name;
    enum netconf_ip6_mode mode;
  } modes[] = {{"auto", NETCONF_IP6_AUTO},
               {"static", NETCONF_IP6_STATIC},
               {"link-local", NETCONF_IP6_LINK_LOCAL},
               {"off", NETCONF_IP6_OFF}};
  struct config_interface *i = arg;
  for (size_t k = 0; k < ARRAY_SIZE(modes); k++)
    if (strcmp(modes[k].name, value) == 0) {
      i->netconf.ip6 = modes[k].mode;
      return 0;
    }
  return config_reason(reason, "\"%.40s\" is none of auto, static, link-local, off", value);
}

static int set_dhcp6(void *arg, const char *value, char reason[REASON_MAX]) {
  static const struct {
    const char *name;
    enum netconf_dhcp6 when;
  } all[] = {{"auto", NETCONF_DHCP6_AUTO}, {"always", NETCONF_DHCP6_ALWAYS}, {"off", NETCONF_DHCP6_OFF}};
  struct config_interface *i = arg;
  for (size_t k = 0; k < ARRAY_SIZE(all); k++)
    if (strcmp(all[k].name, value) == 0) {
      i->netconf.dhcp6 = all[k].when;
      return 0;
    }
  return config_reason(reason, "\"%.40s\" is none of auto, always, off", value);
}

/* ADDRESS/LENGTH, whatever its family. Negative: it is not that. */
static int split(const char *value, struct net_addr *ret, unsigned *ret_len) {
  char text[NET_PREFIX_STRLEN];
  struct net_ports len;
  if (strlen(value) >= sizeof(text))
    return -EINVAL;
  (void)strcpy(text, value);
  char *slash = strchr(text, '/');
  if (slash)
    *slash++ = 0;
  if (!slash || net_addr_parse(text, ret) < 0 || net_ports_parse(slash, &len) < 0 || len.first != len.last)
    return -EINVAL;
  *ret_len = len.first;
  return 0;
}

static int set_ipv6_address(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  struct netconf_static6 *s = &i->netconf.fixed6;
  struct netconf_static6 one = {.n = 1};
  unsigned len;
  if (split(value, &one.list[0].addr, &len) < 0 || one.list[0].addr.family != AF_INET6 || len < 1 || len > 128)
    return config_reason(reason, "\"%.60s\" is not IPv6-ADDRESS/LENGTH (2001:db8::2/64)", value);
  one.list[0].prefix_len = (uint8_t)len;
  if (netconf_static6_check(&one) < 0)
    return config_reason(reason, "%.60s is no address of a host", value);
  for (unsigned k = 0; k < s->n; k++)
    if (net_addr_equal(&s->list[k].addr, &one.list[0].addr))
      return config_reason(reason, "%.60s stands twice", value);
  if (s->n == NETCONF_FIXED6_MAX)
    return config_reason(reason, "more than %d addresses", NETCONF_FIXED6_MAX);
  s->list[s->n++] = one.list[0];
  return 0;
}

static int set_ipv6_gateway(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  struct netconf_static6 one = {0};
  if (net_addr_parse(value, &one.gateway) < 0 || one.gateway.family != AF_INET6 || netconf_static6_check(&one) < 0)
    return config_reason(reason, "\"%.60s\" is no IPv6 address of a host", value);
  i->netconf.fixed6.gateway = one.gateway;
  return 0;
}

static int set_address(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  struct net_addr a;
  unsigned len;
  if (split(value, &a, &len) < 0 || a.family != AF_INET || len < 1 || len > 32)
    return config_reason(reason, "\"%.60s\" is not IPv4-ADDRESS/LENGTH (10.0.0.2/24)", value);
  struct net_prefix p = net_prefix_of(&a, (uint8_t)len);
  enum net_class class = net_addr_class(&a);
  if ((class != NET_UNICAST && class != NET_LINK_LOCAL) || net_prefix_broadcast(&p, &a) ||
      (len < 31 && net_addr_equal(&p.addr, &a)))
    return config_reason(reason, "%.60s is no address of a host in its network", value);
  i->netconf.fixed.addr = a;
  i->netconf.fixed.prefix_len = (uint8_t)len;
  return 0;
}

static int set_gateway(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  struct net_addr a;
  if (net_addr_parse(value, &a) < 0 || a.family != AF_INET)
    return config_reason(reason, "\"%.60s\" is no IPv4 address", value);
  i->netconf.fixed.gateway = a;
  return 0;
}

static int set_metric(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  size_t n = strlen(value);
  unsigned long long v = 0;
  bool digits = n > 0 && n <= 10 && strspn(value, "0123456789") == n && (value[0] != '0' || n == 1);
  for (size_t k = 0; digits && k < n; k++)
    v = v * 10 + (unsigned)(value[k] - '0');
  if (!digits || v > UINT32_MAX)
    return config_reason(reason, "\"%.40s\" is no number from 0 to 4294967295", value);
  i->metric = (uint32_t)v;
  return 0;
}

static int set_hostname(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  struct auth_rule rule;
  char err[160];
  i->hostname_set = true;
  i->netconf.hostname[0] = 0;
  if (value[0] == 0)
    return 0; /* asks without one */
  if (strlen(value) >= sizeof(i->netconf.hostname) || auth_rule_parse(AUTH_DNS, value, &rule, err) < 0 ||
      rule.name[0] == 0 || strcspn(value, " \t") != strlen(value))
    return config_reason(reason, "\"%.60s\" is no host name of at most 63 bytes", value);
  return config_text(i->netconf.hostname, sizeof(i->netconf.hostname), rule.name, reason);
}

static int set_host_loopback(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  i->host_loopback = strcmp(value, "yes") == 0;
  if (i->host_loopback || strcmp(value, "no") == 0)
    return 0;
  return config_reason(reason, "\"%.40s\" is neither yes nor no", value);
}

static int set_script(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  return config_text(i->script, sizeof(i->script), value, reason);
}

static int set_forward(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  if (i->n_forwards == CONFIG_FORWARDS_MAX)
    return config_reason(reason, "more than %d forwards", CONFIG_FORWARDS_MAX);
  if (nic_forward_parse(value, &i->forwards[i->n_forwards]) < 0)
    return config_reason(reason, "\"%.60s\" is not tcp:HOSTADDRESS:HOSTPORT-PORT (tcp:127.0.0.1:8080-80)", value);
  i->n_forwards++;
  return 0;
}

static int set_yes(bool *into, const char *value, char reason[REASON_MAX]) {
  *into = strcmp(value, "yes") == 0;
  if (*into || strcmp(value, "no") == 0)
    return 0;
  return config_reason(reason, "\"%.40s\" is neither yes nor no", value);
}

static int set_inform(void *arg, const char *value, char reason[REASON_MAX]) {
  return set_yes(&((struct config_interface *)arg)->netconf.inform, value, reason);
}

static int set_rapid_commit(void *arg, const char *value, char reason[REASON_MAX]) {
  return set_yes(&((struct config_interface *)arg)->netconf.rapid_commit, value, reason);
}

static int set_ipv6_only(void *arg, const char *value, char reason[REASON_MAX]) {
  return set_yes(&((struct config_interface *)arg)->netconf.ipv6_only_preferred, value, reason);
}

static int set_conflict_detection(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  i->conflict_detection_set = true;
  if (strcmp(value, "yes") == 0)
    i->netconf.conflict_detection = NETCONF_ACD_RFC;
  else if (strcmp(value, "fast") == 0)
    i->netconf.conflict_detection = NETCONF_ACD_FAST;
  else if (strcmp(value, "no") == 0)
    i->netconf.conflict_detection = NETCONF_ACD_OFF;
  else
    return config_reason(reason, "\"%.40s\" is none of yes, fast, no", value);
  return 0;
}

static int set_on_conflict(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  i->netconf.conflict_keep = strcmp(value, "keep") == 0;
  if (i->netconf.conflict_keep || strcmp(value, "give-up") == 0)
    return 0;
  return config_reason(reason, "\"%.40s\" is neither give-up nor keep", value);
}

static int set_client_id(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  i->netconf.client_id = strcmp(value, "duid") == 0 ? NETCONF_ID_DUID : NETCONF_ID_MAC;
  if (i->netconf.client_id == NETCONF_ID_DUID || strcmp(value, "mac") == 0)
    return 0;
  return config_reason(reason, "\"%.40s\" is neither mac nor duid", value);
}

static int set_vendor_class(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  i->netconf.vendor_class[0] = 0;
  if (value[0] == 0)
    return 0; /* asks without one */
  for (const char *c = value; *c != 0; c++)
    if (*c < ' ' || *c > '~')
      return config_reason(reason, "not all of it is printable ASCII");
  return config_text(i->netconf.vendor_class, sizeof(i->netconf.vendor_class), value, reason);
}

static int set_offer_wait(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config_interface *i = arg;
  struct net_ports ms;
  if (net_ports_parse(value, &ms) < 0 || ms.first != ms.last || ms.first > CONFIG_OFFER_WAIT_MAX)
    return config_reason(reason, "\"%.40s\" is no number of milliseconds from 0 to %d", value, CONFIG_OFFER_WAIT_MAX);
  i->netconf.offer_wait_ms = ms.first;
  return 0;
}

const struct config_key config_interface_keys[] = {
    {"device", false, set_device},
    {"ifname", false, set_ifname},
    {"fd", false, set_fd},
    {"mtu", false, set_mtu},
    {"mac", false, set_mac},
    {"mode", false, set_mode},
    {"address", false, set_address},
    {"gateway", false, set_gateway},
    {"metric", false, set_metric},
    {"ipv6", false, set_ipv6},
    {"ipv6-address", true, set_ipv6_address},
    {"ipv6-gateway", false, set_ipv6_gateway},
    {"dhcp6", false, set_dhcp6},
    {"hostname", false, set_hostname},
    {"vendor-class", false, set_vendor_class},
    {"client-id", false, set_client_id},
    {"rapid-commit", false, set_rapid_commit},
    {"offer-wait", false, set_offer_wait},
    {"ipv6-only-preferred", false, set_ipv6_only},
    {"inform", false, set_inform},
    {"conflict-detection", false, set_conflict_detection},
    {"on-conflict", false, set_on_conflict},
    {"host-loopback", false, set_host_loopback},
    {"forward", true, set_forward},
    {"script", false, set_script},
};
const size_t config_interface_n_keys = ARRAY_SIZE(config_interface_keys);

static void check_static(struct config_parser *p, const struct config_interface *i, unsigned line) {
  const struct netconf_static *s = &i->netconf.fixed;
  bool fixed = i->netconf.mode == NETCONF_STATIC;
  if (fixed && s->addr.family == 0)
    config_error(p, line, "address", "mode = static needs an address");
  if (!fixed && s->addr.family != 0)
    config_error(p, line, "address", "an address needs mode = static");
  if (!fixed && s->gateway.family != 0)
    config_error(p, line, "gateway", "a gateway needs mode = static");
  if (fixed && s->addr.family != 0 && s->gateway.family != 0) {
    struct net_prefix net = net_prefix_of(&s->addr, s->prefix_len);
    if (!net_prefix_contains(&net, &s->gateway) || net_addr_equal(&s->addr, &s->gateway) ||
        net_prefix_broadcast(&net, &s->gateway))
      config_error(p, line, "gateway", "the gateway is not another host of the address's network");
  }
}

static void check_ipv6(struct config_parser *p, const struct config_interface *i, unsigned line) {
  const struct netconf_static6 *s = &i->netconf.fixed6;
  if (i->netconf.ip6 == NETCONF_IP6_STATIC && s->n == 0)
    config_error(p, line, "ipv6-address", "ipv6 = static needs an ipv6-address");
  if (i->netconf.ip6 == NETCONF_IP6_OFF && (s->n > 0 || s->gateway.family != 0))
    config_error(p, line, "ipv6", "with ipv6 = off there is neither address nor gateway");
  if (i->netconf.ip6 != NETCONF_IP6_OFF && s->gateway.family != 0 && s->n == 0)
    config_error(p, line, "ipv6-gateway", "a gateway needs an ipv6-address");
  for (unsigned k = 0; k < s->n; k++)
    if (net_addr_equal(&s->list[k].addr, &s->gateway))
      config_error(p, line, "ipv6-gateway", "the gateway is another host");
}

void config_interface_check(struct config_parser *p, struct config_interface *i, unsigned line) {
  check_static(p, i, line);
  /* The embedded network has no other host. */
  if (!i->conflict_detection_set)
    i->netconf.conflict_detection = i->device == CONFIG_SLIRP ? NETCONF_ACD_OFF : NETCONF_ACD_FAST;
  if (i->netconf.inform && i->netconf.mode != NETCONF_STATIC)
    config_error(p, line, "inform", "only mode = static has it");
  check_ipv6(p, i, line);
  if (i->device != CONFIG_SLIRP && i->host_loopback)
    config_error(p, line, "host-loopback", "only device = slirp has it");
  if (i->device != CONFIG_SLIRP && i->n_forwards > 0)
    config_error(p, line, "forward", "only device = slirp has it");
  if (i->device != CONFIG_TAP && i->ifname[0])
    config_error(p, line, "ifname", "only device = tap has it");
  if (i->device != CONFIG_TAP && i->fd[0])
    config_error(p, line, "fd", "only device = tap has it");
  if (i->device != CONFIG_FIXTURE && i->script[0])
    config_error(p, line, "script", "only device = fixture has it");
  if (i->device == CONFIG_FIXTURE && !i->script[0])
    config_error(p, line, "script", "device = fixture needs a script");
  if (i->device == CONFIG_FIXTURE && i->mtu > FIXTURE_MTU_MAX)
    config_error(p, line, "mtu", "device = fixture has no more than 1500");
  if (i->fd[0] && i->ifname[0])
    config_error(p, line, "fd", "either fd or ifname");
  if (i->device == CONFIG_TAP && !i->fd[0] && !i->ifname[0])
    (void)snprintf(i->ifname, sizeof(i->ifname), "%s", i->name);
}
