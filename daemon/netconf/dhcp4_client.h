/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv4 machines on a real interface: a UDP socket on port 68, a boot-time timer, the configuration's randomness.
 */
#ifndef CAPNET_DHCP4_CLIENT_H
#define CAPNET_DHCP4_CLIENT_H

#include "netconf/dhcp4_inform.h"
#include "netconf/dhcp4_machine.h"
#include "stack/stack.h"

struct dhcp4_client;

/* Called from the loop or from within the calls below. The client may not be freed inside. */
struct dhcp4_client_ops {
  void (*apply)(void *arg, const struct dhcp4_lease *lease); /* new, or renewed */
  void (*drop)(void *arg, const char *why);
  void (*state)(void *arg, const struct dhcp4_action *a); /* DHCP4_ACT_STATE */
  void (*probe)(void *arg, const struct net_addr *addr); /* NULL: the last one is of no interest any more */
  void (*forget)(void *arg);
  void (*informed)(void *arg, const struct dhcp4_params *params); /* NULL: nothing is known any more */
};

/* Borrows the interface, and copies cfg, whose mac is filled in. Opens port 68. */
int dhcp4_client_new(struct loop *loop, struct stack_if *iface, const struct dhcp4_config *cfg,
                     const struct dhcp4_client_ops *ops, void *arg, struct dhcp4_client **ret);
/* Without any callback and without telling the server. Returns NULL; NULL is fine. */
struct dhcp4_client *dhcp4_client_free(struct dhcp4_client *c);

/* As the machine's (dhcp4_machine.h). */
void dhcp4_client_remember(struct dhcp4_client *c, const struct dhcp4_lease *l, bool ask, bool live);
void dhcp4_client_start(struct dhcp4_client *c); /* or waits for the link */
void dhcp4_client_stop(struct dhcp4_client *c);
void dhcp4_client_standby(struct dhcp4_client *c);
void dhcp4_client_link(struct dhcp4_client *c, bool up);
void dhcp4_client_renew(struct dhcp4_client *c);
int dhcp4_client_release(struct dhcp4_client *c); /* -ENODATA */
void dhcp4_client_probed(struct dhcp4_client *c, bool conflict);
void dhcp4_client_conflict(struct dhcp4_client *c);

/* Asks for options for an address that did not come from a server; family 0: no more. */
void dhcp4_client_inform(struct dhcp4_client *c, const struct net_addr *addr);

const struct dhcp4_machine *dhcp4_client_machine(const struct dhcp4_client *c);
const struct dhcp4_inform *dhcp4_client_informing(const struct dhcp4_client *c);

#endif
