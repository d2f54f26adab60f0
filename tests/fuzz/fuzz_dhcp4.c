/* SPDX-License-Identifier: BSD-3-Clause
 * Any bytes as messages for a DHCP client: each is decoded, then given to a machine in each state. The transaction id
 * and hardware address are put right, or nearly every input would end at that check.
 */
#include "fuzz.h"

#include "base/util.h"
#include "netconf/dhcp4_machine.h"

static uint32_t same(void *arg _unused_) { return 0x01020304; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct dhcp4_reply r;
  if (dhcp4_decode(data, size, &r) < 0)
    return 0;
  struct dhcp4_config cfg = {.mac = {2, 0, 0, 0, 0, 7}, .random = same};
  struct dhcp4_machine m;
  struct dhcp4_actions acts;
  uint64_t now = NSEC_PER_SEC;
  dhcp4_init(&m, &cfg, true);
  dhcp4_start(&m, now, &acts);
  static const enum dhcp4_type order[] = {DHCP4_OFFER, DHCP4_ACK, DHCP4_ACK, DHCP4_NAK};
  for (unsigned i = 0; i < 12; i++) {
    r.xid = m.xid;
    memcpy(r.mac, cfg.mac, 6);
    r.type = order[i % ARRAY_SIZE(order)];
    dhcp4_receive(&m, &r, now, &acts);
    if (acts.n >= DHCP4_ACTIONS_MAX || (m.has_lease && m.lease.expiry_ns != 0 && m.lease.expiry_ns <= now))
      abort();
    if (m.deadline_ns == 0 && !(m.has_lease && m.lease.expiry_ns == 0))
      abort();
    if (m.deadline_ns != 0)
      now = MAX(now, m.deadline_ns);
    dhcp4_timeout(&m, now, &acts);
  }
  return 0;
}
