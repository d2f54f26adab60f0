/* SPDX-License-Identifier: BSD-3-Clause
 * From configured interfaces to devices, stack interfaces and their addresses.
 */
#ifndef CAPNET_CORE_INTERFACES_H
#define CAPNET_CORE_INTERFACES_H

#include "cap/interfaces.h"
#include "cap/status.h"
#include "core/config.h"
#include "core/privilege.h"

struct interfaces;

/* Stage 2 of privilege.c: opens each device; nothing is read from it yet. Child processes become who the daemon will be.
 * A failure was logged. */
int interfaces_open(struct loop *loop, const struct config *cfg, const struct privilege *who, struct interfaces **ret);
struct interfaces_upcalls {
  loop_fn changed; /* an address, a link or a device */
  loop_fn gone;    /* the last device cannot be used any more, nor be opened again */
};
/* Puts the devices under the stack and starts their configuration. */
int interfaces_start(struct interfaces *is, struct stack *stack, struct names *names, struct cap_status_room *status,
                     const char *state_dir, const struct interfaces_upcalls *up, void *arg);
bool interfaces_settled(const struct interfaces *is); /* netconf_settled, each */
struct cap_interfaces *interfaces_list(struct interfaces *is);
/* Two steps: before the stack is freed, which frees the devices that were started, and after it. NULL is fine. */
void interfaces_stop(struct interfaces *is);
struct interfaces *interfaces_free(struct interfaces *is);

#endif
