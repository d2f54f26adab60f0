/* SPDX-License-Identifier: BSD-3-Clause
 * The words for modes, lease states and transitions, as status and the log show them.
 */
#include "netconf/netconf.h"

#include "base/util.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

const char *netconf_mode_name(enum netconf_mode m) {
  switch (m) {
  case NETCONF_NONE:
    return "none";
  case NETCONF_STATIC:
    return "static";
  case NETCONF_DHCP:
    return "dhcp";
  }
  return "none";
}

const char *netconf_ip6_mode_name(enum netconf_ip6_mode m) {
  switch (m) {
  case NETCONF_IP6_OFF:
    return "off";
  case NETCONF_IP6_LINK_LOCAL:
    return "link-local";
  case NETCONF_IP6_STATIC:
    return "static";
  case NETCONF_IP6_AUTO:
    return "auto";
  }
  return "off";
}

const char *dhcp_state_name(enum dhcp_state s) {
  switch (s) {
  case DHCP_OFF:
    return "off";
  case DHCP_INIT:
    return "init";
  case DHCP_REBOOTING:
    return "rebooting";
  case DHCP_SELECTING:
    return "selecting";
  case DHCP_REQUESTING:
    return "requesting";
  case DHCP_PROBING:
    return "probing";
  case DHCP_BOUND:
    return "bound";
  case DHCP_RENEWING:
    return "renewing";
  case DHCP_REBINDING:
    return "rebinding";
  case DHCP_EXPIRED:
    return "expired";
  case DHCP_RELEASED:
    return "released";
  case DHCP_STANDBY:
    return "standby";
  case DHCP_IPV6_ONLY:
    return "ipv6-only";
  }
  return "off";
}

/* A lease of 60 s is one of 60 s for half a second. */
uint64_t netconf_seconds(uint64_t until_ns, uint64_t now_ns) {
  return until_ns > now_ns ? (until_ns - now_ns + NSEC_PER_SEC / 2) / NSEC_PER_SEC : 0;
}

_printf_(3, 4) static void append(char *buf, size_t *used, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(buf + *used, NETCONF_TEXT_MAX - *used, fmt, ap);
  va_end(ap);
  *used = MIN(*used + (size_t)MAX(n, 0), (size_t)NETCONF_TEXT_MAX - 1);
}

static void append_lease(char *buf, size_t *used, const struct netconf_event *ev, uint64_t now) {
  char addr[NET_ADDR_STRLEN];
  if (ev->addr.family != 0)
    append(buf, used, ": %s/%u", net_addr_format(&ev->addr, addr), ev->prefix_len);
  if (ev->server.family != 0)
    append(buf, used, "%s %s", ev->addr.family != 0 ? " from" : strcmp(ev->protocol, "ra") == 0 ? ", router" : ", server",
           net_addr_format(&ev->server, addr));
  if (ev->addr.family != 0 && ev->valid_until_ns != 0)
    append(buf, used, " for %" PRIu64 " s", netconf_seconds(ev->valid_until_ns, now));
  else if (ev->addr.family != 0)
    append(buf, used, " for ever");
}

const char *netconf_event_text(const struct netconf_event *ev, uint64_t now_ns, char buf[NETCONF_TEXT_MAX]) {
  char addr[NET_ADDR_STRLEN];
  size_t used = 0;
  buf[0] = '\0';
  if (strcmp(ev->section, "interfaces") == 0 && ev->addr.family != 0) {
    append(buf, &used, "address %s/%u %s (%s)", net_addr_format(&ev->addr, addr), ev->prefix_len, ev->to, ev->protocol);
    if (ev->reason != NULL)
      append(buf, &used, ": %s", ev->reason);
    return buf;
  }
  append(buf, &used, "%s %s: %s", ev->protocol, ev->to, ev->reason != NULL ? ev->reason : "no reason given");
  append_lease(buf, &used, ev, now_ns);
  if (ev->next != NULL)
    append(buf, &used, ", %s in %" PRIu64 " s", ev->next, netconf_seconds(ev->next_ns, now_ns));
  return buf;
}
