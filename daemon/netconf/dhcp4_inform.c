/* SPDX-License-Identifier: BSD-3-Clause
 * Numbers in comments are sections of RFC 2131.
 */
#include "netconf/dhcp4_inform.h"

#include "base/util.h"

#define TRIES 4
#define LATER_NS (1800 * NSEC_PER_SEC) /* after as many: nobody there, it seems */

void dhcp4_inform_init(struct dhcp4_inform *i, const struct dhcp4_config *cfg, bool link) {
  *i = (struct dhcp4_inform){.cfg = cfg, .link = link};
}

/* 4, 8, 16 … seconds, give or take one (4.1). */
static bool ask(struct dhcp4_inform *i, uint64_t now, struct dhcp4_send *msg) {
  uint32_t jitter = i->cfg->random(i->cfg->random_arg) % 2001;
  i->deadline_ns = now + ((UINT64_C(4) << i->tries) - 1) * NSEC_PER_SEC + jitter * NSEC_PER_MSEC;
  if (++i->tries == TRIES) {
    i->deadline_ns = now + LATER_NS;
    i->silent = true;
  }
  *msg = (struct dhcp4_send){.type = DHCP4_INFORM, .xid = i->xid, .ciaddr = i->addr};
  msg->secs = (uint16_t)MIN((now - i->begun_ns) / NSEC_PER_SEC, (uint64_t)UINT16_MAX);
  return true;
}

static bool begin(struct dhcp4_inform *i, uint64_t now, struct dhcp4_send *msg) {
  i->answered = false;
  i->tries = 0;
  i->deadline_ns = 0;
  if (i->addr.family == 0 || !i->link)
    return false;
  i->xid = i->cfg->random(i->cfg->random_arg);
  i->begun_ns = now;
  return ask(i, now, msg);
}

bool dhcp4_inform_set(struct dhcp4_inform *i, const struct net_addr *addr, uint64_t now, struct dhcp4_send *msg) {
  if (!net_addr_equal(&i->addr, addr))
    i->params = (struct dhcp4_params){0};
  i->addr = *addr;
  i->silent = false;
  return begin(i, now, msg);
}

bool dhcp4_inform_link(struct dhcp4_inform *i, bool up, uint64_t now, struct dhcp4_send *msg) {
  if (i->link == up)
    return false;
  i->link = up;
  i->silent = false;
  return begin(i, now, msg);
}

bool dhcp4_inform_timeout(struct dhcp4_inform *i, uint64_t now, struct dhcp4_send *msg) {
  if (i->deadline_ns == 0 || now < i->deadline_ns)
    return false;
  return i->tries < TRIES ? ask(i, now, msg) : begin(i, now, msg);
}

/* A server must not fill in yiaddr or lease times (4.3.5); what it says of them is not looked at. */
bool dhcp4_inform_receive(struct dhcp4_inform *i, const struct dhcp4_reply *r) {
  if (i->addr.family == 0 || !i->link || i->answered || r->xid != i->xid || r->type != DHCP4_ACK ||
      r->params.server.family == 0 || memcmp(r->mac, i->cfg->id.mac, sizeof(r->mac)) != 0 ||
      dhcp4_other_client(&i->cfg->id, r))
    return false;
  i->answered = true;
  i->silent = false;
  i->deadline_ns = 0;
  i->params = r->params;
  i->params.addr = (struct net_addr){0};
  i->params.prefix_len = 0;
  return true;
}
