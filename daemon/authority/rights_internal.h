/* SPDX-License-Identifier: BSD-3-Clause
 * What the files of rights share among themselves.
 */
#ifndef CAPNET_AUTHORITY_RIGHTS_INTERNAL_H
#define CAPNET_AUTHORITY_RIGHTS_INTERNAL_H

#include "authority/rights.h"

bool rights_kind_has_rules(enum auth_kind k);
const char *rights_scope_name(enum auth_scope s);

/* Can a socket be bound to it, in principle? */
bool rights_bindable(const struct net_addr *a);

#endif
