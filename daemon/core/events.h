/* SPDX-License-Identifier: BSD-3-Clause
 * What changes in flow/ and cap/ becomes a line for those who watch.
 */
#ifndef CAPNET_CORE_EVENTS_H
#define CAPNET_CORE_EVENTS_H

#include "cap/status.h"

/* From now on sockets and grants are told to the room's watchers. */
void events_connect(struct cap_status_room *room);

#endif
