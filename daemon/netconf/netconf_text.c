/* SPDX-License-Identifier: BSD-3-Clause
 * The words for modes and lease states, as status and the log show them.
 */
#include "netconf/netconf.h"

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

const char *dhcp_state_name(enum dhcp_state s) {
  switch (s) {
  case DHCP_OFF:
    return "off";
  case DHCP_INIT:
    return "init";
  case DHCP_SELECTING:
    return "selecting";
  case DHCP_REQUESTING:
    return "requesting";
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
  }
  return "off";
}
