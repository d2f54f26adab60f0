/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv4 machine on a real interface: a UDP socket on port 68, a boot-time timer, the kernel's randomness.
 */
#ifndef CAPNET_DHCP4_CLIENT_H
#define CAPNET_DHCP4_CLIENT_H

#include "netconf/dhcp4_machine.h"
#include "stack/stack.h"

struct dhcp4_client;

/* Called from the loop or from within the calls below. The client may not be freed inside. */
struct dhcp4_client_ops {
  void (*apply)(void *arg, const struct dhcp4_lease *lease); /* new, or renewed */
  void (*drop)(void *arg);
  void (*state)(void *arg, enum dhcp_state from, enum dhcp_state to, const char *why);
};

/* Borrows the interface; hostname "" sends none. Opens port 68; dhcp4_client_start begins, or waits for the link. */
int dhcp4_client_new(struct loop *loop, struct stack_if *iface, const char *hostname,
                     const struct dhcp4_client_ops *ops, void *arg, struct dhcp4_client **ret);
/* Without any callback and without telling the server. Returns NULL; NULL is fine. */
struct dhcp4_client *dhcp4_client_free(struct dhcp4_client *c);
void dhcp4_client_start(struct dhcp4_client *c);
void dhcp4_client_link(struct dhcp4_client *c, bool up);
void dhcp4_client_renew(struct dhcp4_client *c);
int dhcp4_client_release(struct dhcp4_client *c); /* -ENODATA */
enum dhcp_state dhcp4_client_state(const struct dhcp4_client *c);
const struct dhcp4_lease *dhcp4_client_lease(const struct dhcp4_client *c); /* NULL: none */

#endif
