/* SPDX-License-Identifier: BSD-3-Clause
 * What the kernel says of its network devices (rtnetlink(7)): link, MTU, name, coming and going. One listener for all
 * interfaces. Its sockets are of the network namespace in which they were opened, whatever the process does later, and
 * need no privilege.
 */
#ifndef CAPNET_NIC_LINK_H
#define CAPNET_NIC_LINK_H

#include "nic/nic.h"

#define NIC_LINK_NOBODY UINT32_MAX /* no owner, no group: everybody may attach to that TAP */

/* A device as one message tells of it. */
struct nic_link_state {
  unsigned index;
  char name[NIC_NAME_MAX]; /* "": the message did not say, or it has no place here */
  bool deleted;            /* it is not, or no longer, in this network namespace */
  bool up;                 /* administratively up, and has a carrier */
  unsigned mtu;            /* 0: not said */
  bool has_mac;
  uint8_t mac[6];
  uint32_t owner, group; /* of a TAP, tun(4): uid and gid that may attach; NIC_LINK_NOBODY */
};

/* state NULL: messages were lost (the queue overflowed), ask anew. fn may take its own watch out, and free what it likes. */
typedef void (*nic_link_fn)(void *arg, const struct nic_link_state *state);

/* Calls fn for each message about a device; other messages, and what is not well-formed, are passed over. buf is aligned
 * to four bytes. Pure. */
void nic_link_parse(const void *buf, size_t len, nic_link_fn fn, void *arg);

struct nic_links;
/* Opens the sockets. -errno of socket(2), bind(2). */
int nic_links_open(struct nic_links **ret);
/* Begins to tell, of what happens from now on. Once, before devices are started. */
int nic_links_start(struct nic_links *l, struct loop *loop);
struct nic_links *nic_links_free(struct nic_links *l); /* after its watches are gone; NULL is fine */

/* How a device is now, by its index, or by name when index is 0. The kernel answers at once. -ENODEV: there is none. */
int nic_links_get(struct nic_links *l, unsigned index, const char *name, struct nic_link_state *ret);

/* Embedded in its owner. */
struct nic_link_watch {
  struct list link;
  nic_link_fn fn;
  void *arg;
};
void nic_links_watch(struct nic_links *l, struct nic_link_watch *w, nic_link_fn fn, void *arg);
void nic_links_unwatch(struct nic_links *l, struct nic_link_watch *w); /* harmless when it is not watching */

#endif
