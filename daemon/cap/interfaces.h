/* SPDX-License-Identifier: BSD-3-Clause
 * The interfaces as a list: what NetworkManager changes and NetworkStatus shows.
 */
#ifndef CAPNET_CAP_INTERFACES_H
#define CAPNET_CAP_INTERFACES_H

#include "netconf/netconf.h"

#define CAP_INTERFACES_MAX 8
struct cap_interfaces {
  struct netconf *list[CAP_INTERFACES_MAX];
  unsigned n;
};

#endif
