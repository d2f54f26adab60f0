/* SPDX-License-Identifier: BSD-3-Clause
 * A hardware address that stays the same across restarts: a hash of the interface's name under the machine's id.
 */
#include "base/machine.h"
#include "nic/nic.h"

#include <stdio.h>

void nic_stable_mac(const char *ifname, uint8_t ret[6]) {
  char purpose[32];

  (void)snprintf(purpose, sizeof purpose, "mac %.15s", ifname);
  uint64_t h = machine_hash(purpose);
  for (unsigned i = 0; i < 6; i++)
    ret[i] = (uint8_t)(h >> (8 * i));
  ret[0] = (uint8_t)((ret[0] & 0xfcu) | 0x02u); /* IEEE 802: locally administered, not a group */
}
