/* SPDX-License-Identifier: BSD-3-Clause
 * Any bytes as messages for a DHCPv6 client: pieces of a byte that says what else happens, a length of two bytes, and a
 * message. Transaction id and client identifier are put right, or nearly every input would end at that check.
 */
#include "fuzz.h"

#include "base/util.h"
#include "netconf/dhcp6_machine.h"

#define IAID 0x01020304u

static uint64_t state;
static uint32_t draw(void *arg _unused_) {
  state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(state >> 33);
}

struct client {
  struct dhcp6_machine m;
  struct dhcp6_actions a;
  uint64_t now;
};

static void check(const struct client *c) {
  uint8_t buf[DHCP6_MSG_MAX];
  if (c->a.n >= DHCP6_ACTIONS_MAX)
    abort();
  for (unsigned i = 0; i < c->a.n; i++)
    if (c->a.a[i].kind == DHCP6_ACT_SEND && dhcp6_encode(&c->a.a[i].message, buf) > DHCP6_MSG_MAX)
      abort();
  for (unsigned i = 0; i < c->m.lease.n_addrs; i++)
    if (c->m.lease.addrs[i].valid_until <= c->now || (c->m.deadline_ns > c->m.lease.addrs[i].valid_until))
      abort();
  if (c->m.has_params && c->m.lease.n_addrs == 0 && c->m.info_until_ns <= c->now)
    abort();
}

static void event(struct client *c, uint8_t what, const uint8_t *data, size_t len) {
  struct net_addr from = {AF_INET6, {0xfe, 0x80, [15] = 1}};
  struct dhcp6_reply r;
  if ((what & 7) == 1)
    dhcp6_link(&c->m, (what & 8) != 0, c->now, &c->a);
  else if ((what & 7) == 2)
    (void)dhcp6_release(&c->m, c->now, &c->a);
  else if ((what & 7) == 3)
    dhcp6_renew(&c->m, c->now, &c->a);
  else if ((what & 7) == 4 && c->m.lease.n_addrs > 0)
    dhcp6_duplicate(&c->m, &c->m.lease.addrs[0].addr, c->now, &c->a);
  else
    dhcp6_timeout(&c->m, c->now, &c->a);
  check(c);
  if (dhcp6_decode(data, len, IAID, &r) < 0)
    return;
  if (what & 0x10)
    r.type = DHCP6_ADVERTISE;
  if (what & 0x20) {
    r.xid = c->m.xid;
    r.client = c->m.cfg.duid;
    if (c->m.message.server.len > 0 && (what & 0x40))
      r.server = c->m.message.server;
  }
  dhcp6_receive(&c->m, &from, &r, c->now, &c->a);
  check(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct dhcp6_config cfg = {.duid = {{0, 4, 1, 2, 3, 4}, 6}, .iaid = IAID, .random = draw};
  struct client c = {.now = NSEC_PER_SEC};
  state = 1;
  dhcp6_init(&c.m, &cfg, true);
  if (size > 0 && (data[0] & 0x40)) { /* it has been here before */
    const struct dhcp6_lease l = {.addrs = {{{AF_INET6, {0x20, 1, [15] = 1}}, 50 * NSEC_PER_SEC, 90 * NSEC_PER_SEC}},
                                  .n_addrs = 1, .t1_ns = 20 * NSEC_PER_SEC, .t2_ns = 40 * NSEC_PER_SEC, .server = {{1}, 1}};
    dhcp6_remember(&c.m, &l, &(struct dhcp6_params){.n_dns = 1, .dns = {{AF_INET6, {0x20, 1}}}});
  }
  dhcp6_want(&c.m, size > 0 && (data[0] & 0x80) ? DHCP6_MODE_INFORMATION : DHCP6_MODE_ADDRESSES, c.now, &c.a);
  check(&c);
  c.now += 2 * NSEC_PER_SEC;
  while (size >= 3) {
    size_t len = MIN((size_t)(data[1] << 8 | data[2]), size - 3);
    dhcp6_timeout(&c.m, c.now, &c.a);
    check(&c);
    event(&c, data[0], data + 3, len);
    c.now = c.m.deadline_ns != 0 ? MAX(c.now, c.m.deadline_ns) : c.now + 1;
    data += 3 + len;
    size -= 3 + len;
  }
  return 0;
}
