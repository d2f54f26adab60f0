/* SPDX-License-Identifier: BSD-3-Clause
 * Names in DHCPv4 messages: the search list (RFC 3397) and the domain name (RFC 2132 3.17).
 */
#include "netconf/dhcp4_wire.h"
#include "netconf/dns_name_wire.h"

static int name_from_text(const uint8_t *text, size_t len, char ret[NAMES_NAME_MAX]) {
  char name[NAMES_NAME_MAX] = "";
  size_t used = 0;
  while (len > 0 && text[len - 1] == '\0')
    len--;
  if (len > 0 && text[len - 1] == '.')
    len--;
  for (size_t start = 0; start <= len;) {
    size_t end = start;
    while (end < len && text[end] != '.')
      end++;
    if (dns_name_add(name, &used, text + start, end - start) < 0)
      return -EINVAL;
    start = end + 1;
  }
  memcpy(ret, name, sizeof(name));
  return 0;
}

/* One name of option 119, with compression (RFC 3397, RFC 1035 4.1.4). A pointer must point before the piece that
 * holds it, so a chain of them ends. Returns 0, -EINVAL for a name that is left out (*pos is behind it), -EBADMSG when
 * nothing behind it can be read. */
static int name_from_wire(const uint8_t *d, size_t len, size_t *pos, char ret[NAMES_NAME_MAX]) {
  char name[NAMES_NAME_MAX] = "";
  size_t used = 0, at = *pos, piece = *pos;
  bool jumped = false, bad = false;
  for (;;) {
    if (at >= len)
      return -EBADMSG;
    uint8_t c = d[at];
    if (c >= 0xc0) {
      if (at + 2 > len)
        return -EBADMSG;
      size_t target = (size_t)(c & 0x3f) << 8 | d[at + 1];
      if (target >= piece)
        return -EBADMSG;
      if (!jumped)
        *pos = at + 2;
      jumped = true;
      at = piece = target;
    } else if (c > 63) {
      return -EBADMSG;
    } else if (c == 0) {
      if (!jumped)
        *pos = at + 1;
      break;
    } else {
      if (at + 1 + c > len)
        return -EBADMSG;
      bad = bad || dns_name_add(name, &used, d + at + 1, c) < 0;
      at += 1 + (size_t)c;
    }
  }
  if (bad || used == 0)
    return -EINVAL;
  memcpy(ret, name, sizeof(name));
  return 0;
}

static void search_add(struct dhcp4_params *p, const char name[NAMES_NAME_MAX]) {
  for (unsigned i = 0; i < p->n_search; i++)
    if (strcmp(p->search[i], name) == 0)
      return;
  if (p->n_search < NAMES_SEARCH_MAX)
    memcpy(p->search[p->n_search++], name, NAMES_NAME_MAX);
}

bool dhcp4_decode_search(const struct areas *areas, struct dhcp4_params *p) {
  uint8_t buf[OPTION_MAX];
  char name[NAMES_NAME_MAX];
  bool whole = true;
  ssize_t len = dhcp4_option(areas, OPT_SEARCH, buf);
  if (len >= 0) {
    p->search_present = true;
    for (size_t pos = 0; pos < (size_t)len;) {
      int r = name_from_wire(buf, (size_t)len, &pos, name);
      whole = whole && r == 0;
      if (r == -EBADMSG)
        break;
      if (r == 0)
        search_add(p, name);
    }
    return whole;
  }
  len = dhcp4_option(areas, OPT_DOMAIN, buf);
  if (len < 0)
    return true;
  p->search_present = true;
  whole = name_from_text(buf, (size_t)len, name) == 0;
  if (whole)
    search_add(p, name);
  return whole;
}
