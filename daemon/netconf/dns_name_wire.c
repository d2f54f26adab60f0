/* SPDX-License-Identifier: BSD-3-Clause
 * One name from the wire. What it gives ends up in queries, in logs and on terminals: letters, digits, '-' and '_' only.
 */
#include "netconf/dns_name_wire.h"

#include "base/util.h"

#define LABEL_MAX 63
#define WIRE_MAX 255 /* RFC 1035 2.3.4, with all length bytes */

static bool plain(uint8_t c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

int dns_name_add(char name[NAMES_NAME_MAX], size_t *used, const uint8_t *label, size_t len) {
  if (len == 0 || len > LABEL_MAX || *used + (*used > 0) + len > NAMES_NAME_MAX - 1)
    return -EINVAL;
  if (*used > 0)
    name[(*used)++] = '.';
  for (size_t i = 0; i < len; i++) {
    uint8_t c = label[i] >= 'A' && label[i] <= 'Z' ? (uint8_t)(label[i] - 'A' + 'a') : label[i];
    if (!plain(c))
      return -EINVAL;
    name[(*used)++] = (char)c;
  }
  name[*used] = '\0';
  return 0;
}

int dns_name_read(const uint8_t *data, size_t len, size_t *pos, char ret[NAMES_NAME_MAX]) {
  char name[NAMES_NAME_MAX];
  size_t used = 0, at = *pos;
  bool ok = true;
  for (;;) {
    if (at >= len || data[at] > LABEL_MAX) /* RFC 8106 5.2, RFC 8415 10: no compression */
      return -EBADMSG;
    size_t label = data[at++];
    if (label == 0)
      break;
    if (label > len - at || at - *pos + label + 1 > WIRE_MAX)
      return -EBADMSG;
    ok = ok && dns_name_add(name, &used, data + at, label) == 0;
    at += label;
  }
  *pos = at;
  if (!ok || used == 0)
    return -EINVAL;
  memcpy(ret, name, used + 1);
  return 0;
}
