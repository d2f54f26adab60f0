/* SPDX-License-Identifier: BSD-3-Clause
 * DUID-UUID: the type, and 128 bits hashed under the machine's id.
 */
#include "netconf/duid.h"

#include "base/machine.h"
#include "base/util.h"

#define TYPE_UUID 4 /* RFC 6355 4 */

size_t duid_make(uint8_t buf[DUID_MAX]) {
  uint64_t half[2] = {machine_hash("duid high"), machine_hash("duid low")};
  uint8_t *uuid = buf + 2;
  buf[0] = 0;
  buf[1] = TYPE_UUID;
  for (unsigned i = 0; i < 16; i++)
    uuid[i] = (uint8_t)(half[i / 8] >> (8 * (7 - i % 8)));
  uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x80); /* RFC 9562 5.8: a version of our own making */
  uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
  return DUID_LEN;
}

uint32_t duid_iaid(const uint8_t mac[6]) {
  return (uint32_t)mac[2] << 24 | (uint32_t)mac[3] << 16 | (uint32_t)mac[4] << 8 | mac[5];
}

void duid_client_id(const uint8_t mac[6], uint8_t ret[DUID_CLIENT_ID_LEN]) {
  uint8_t duid[DUID_MAX];
  uint32_t iaid = duid_iaid(mac);
  ret[0] = 255;
  for (unsigned i = 0; i < 4; i++)
    ret[1 + i] = (uint8_t)(iaid >> (24 - 8 * i));
  (void)duid_make(duid);
  memcpy(ret + 5, duid, DUID_LEN);
}
