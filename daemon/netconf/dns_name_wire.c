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

/* Returns false when a byte does not belong into a name. There is room: the name on the wire is bounded. */
static bool append(char name[NAMES_NAME_MAX], size_t *used, const uint8_t *label, size_t len) {
  bool ok = true;
  if (*used > 0)
    name[(*used)++] = '.';
  for (size_t i = 0; i < len; i++) {
    uint8_t c = label[i] >= 'A' && label[i] <= 'Z' ? (uint8_t)(label[i] - 'A' + 'a') : label[i];
    ok = ok && plain(c);
    name[(*used)++] = (char)c;
  }
  return ok;
}

int dns_name_read(const uint8_t *data, size_t len, size_t *pos, char ret[NAMES_NAME_MAX]) {
  char name[WIRE_MAX + 1];
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
    ok = append(name, &used, data + at, label) && ok;
    at += label;
  }
  *pos = at;
  if (!ok || used == 0)
    return -EINVAL;
  memcpy(ret, name, used);
  ret[used] = '\0';
  return 0;
}
