/* SPDX-License-Identifier: BSD-3-Clause
 * Addresses, prefixes, endpoints, ports and MAC addresses from text and to text (RFC 5952).
 */
#include "base/net.h"

#include "base/util.h"

#include <arpa/inet.h>
#include <stdio.h>

/* A decimal number as we write it: digits only, no leading zero, at most max. */
static int parse_number(const char *s, size_t len, unsigned max, unsigned *ret) {
  unsigned v = 0;
  if (len == 0 || len > 5 || (len > 1 && s[0] == '0')) {
    return -EINVAL;
  }
  for (size_t i = 0; i < len; i++) {
    if (s[i] < '0' || s[i] > '9') {
      return -EINVAL;
    }
    v = v * 10 + (unsigned)(s[i] - '0');
  }
  if (v > max) {
    return -EINVAL;
  }
  *ret = v;
  return 0;
}

static int parse_v4(const char *s, uint8_t ret[4]) {
  uint8_t b[4];
  for (int i = 0; i < 4; i++) {
    size_t len = strcspn(s, ".");
    unsigned v;
    if ((s[len] == '.') != (i < 3) || parse_number(s, len, 255, &v) < 0) {
      return -EINVAL;
    }
    b[i] = (uint8_t)v;
    s += len + (i < 3);
  }
  memcpy(ret, b, 4);
  return 0;
}

/* As written, before v4-mapped becomes IPv4. The C library's IPv6 parser takes neither scopes nor leading zeros in
 * an embedded IPv4 address. */
static int parse_raw(const char *s, struct net_addr *ret) {
  struct net_addr a = {0};
  if (strchr(s, ':')) {
    a.family = AF_INET6;
    if (inet_pton(AF_INET6, s, a.b) != 1) {
      return -EINVAL;
    }
  } else {
    a.family = AF_INET;
    if (parse_v4(s, a.b) < 0) {
      return -EINVAL;
    }
  }
  *ret = a;
  return 0;
}

int net_addr_parse(const char *s, struct net_addr *ret) {
  struct net_addr a;
  int r = parse_raw(s, &a);
  if (r == 0) {
    *ret = net_addr_canonical(a);
  }
  return r;
}

/* Parses the part of s of that length. Longer than any address is -EINVAL. */
static int parse_raw_part(const char *s, size_t len, struct net_addr *ret) {
  char text[NET_ADDR_STRLEN];
  if (len >= sizeof(text)) {
    return -EINVAL;
  }
  memcpy(text, s, len);
  text[len] = '\0';
  return parse_raw(text, ret);
}

static bool host_bits_zero(const struct net_addr *a, unsigned len, unsigned bits) {
  for (unsigned i = len; i < bits; i++) {
    if (a->b[i / 8] & (0x80 >> i % 8)) {
      return false;
    }
  }
  return true;
}

int net_prefix_parse(const char *s, struct net_prefix *ret) {
  struct net_addr a;
  size_t part = strcspn(s, "/");
  int r = parse_raw_part(s, part, &a);
  if (r < 0) {
    return r;
  }
  unsigned bits = a.family == AF_INET ? 32 : 128, len = bits;
  if (s[part] == '/') {
    r = parse_number(s + part + 1, strlen(s + part + 1), bits, &len);
    if (r < 0) {
      return r;
    }
  }
  if (!host_bits_zero(&a, len, bits)) {
    return -EINVAL;
  }
  struct net_addr c = net_addr_canonical(a);
  if (c.family != a.family) {
    if (len < 96) { /* ::ffff:0:0 with its host bits zero cannot be shorter; kept against wrapping below */
      return -EINVAL;
    }
    len -= 96;
  }
  *ret = (struct net_prefix){.addr = c, .len = (uint8_t)len};
  return 0;
}

int net_endpoint_parse(const char *s, struct net_endpoint *ret) {
  const char *colon = strrchr(s, ':');
  const char *from = s, *to = colon;
  struct net_addr a;
  unsigned port;
  if (!colon) {
    return -EINVAL;
  }
  bool brackets = s[0] == '[';
  if (brackets) {
    from++;
    to--;
    if (to < from || *to != ']') {
      return -EINVAL;
    }
  }
  if (parse_raw_part(from, (size_t)(to - from), &a) < 0 || (a.family == AF_INET6) != brackets ||
      parse_number(colon + 1, strlen(colon + 1), UINT16_MAX, &port) < 0) {
    return -EINVAL;
  }
  *ret = (struct net_endpoint){.addr = net_addr_canonical(a), .port = (uint16_t)port};
  return 0;
}

int net_ports_parse(const char *s, struct net_ports *ret) {
  unsigned first = 0, last = UINT16_MAX;
  if (strcmp(s, "*") != 0) {
    size_t part = strcspn(s, "-");
    if (parse_number(s, part, UINT16_MAX, &first) < 0) {
      return -EINVAL;
    }
    last = first;
    if (s[part] == '-' && parse_number(s + part + 1, strlen(s + part + 1), UINT16_MAX, &last) < 0) {
      return -EINVAL;
    }
    if (last < first) {
      return -EINVAL;
    }
  }
  *ret = (struct net_ports){.first = (uint16_t)first, .last = (uint16_t)last};
  return 0;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int net_mac_parse(const char *s, uint8_t ret[6]) {
  uint8_t mac[6];
  if (strlen(s) != NET_MAC_STRLEN - 1) {
    return -EINVAL;
  }
  for (int i = 0; i < 6; i++, s += 3) {
    int high = hex_digit(s[0]), low = hex_digit(s[1]);
    if (high < 0 || low < 0 || s[2] != (i < 5 ? ':' : '\0')) {
      return -EINVAL;
    }
    mac[i] = (uint8_t)(high << 4 | low);
  }
  memcpy(ret, mac, 6);
  return 0;
}

/* RFC 5952 4.2: the longest run of zero groups, the first of equals, never a single one. */
static int longest_zero_run(const uint16_t g[8], int *ret_start) {
  int best = 1;
  for (int i = 0; i < 8; i++) {
    int n = 0;
    while (i + n < 8 && g[i + n] == 0) {
      n++;
    }
    if (n > best) {
      best = n;
      *ret_start = i;
    }
    i += n;
  }
  return best > 1 ? best : 0;
}

static void format_v6(const uint8_t b[16], char buf[NET_ADDR_STRLEN]) {
  uint16_t g[8];
  int start = 8, pos = 0;
  for (int i = 0; i < 8; i++) {
    g[i] = (uint16_t)(b[2 * i] << 8 | b[2 * i + 1]);
  }
  int run = longest_zero_run(g, &start);
  for (int i = 0; i < 8; i++) {
    if (i == start) {
      pos += snprintf(buf + pos, (size_t)(NET_ADDR_STRLEN - pos), "::");
      i += run - 1;
      continue;
    }
    const char *colon = i == 0 || i == start + run ? "" : ":";
    pos += snprintf(buf + pos, (size_t)(NET_ADDR_STRLEN - pos), "%s%x", colon, g[i]);
  }
}

const char *net_addr_format(const struct net_addr *a, char buf[NET_ADDR_STRLEN]) {
  struct net_addr c = net_addr_canonical(*a);
  buf[0] = '\0';
  if (c.family == AF_INET) {
    (void)snprintf(buf, NET_ADDR_STRLEN, "%u.%u.%u.%u", c.b[0], c.b[1], c.b[2], c.b[3]);
  } else if (c.family == AF_INET6) {
    format_v6(c.b, buf);
  }
  return buf;
}

const char *net_prefix_format(const struct net_prefix *p, char buf[NET_PREFIX_STRLEN]) {
  char addr[NET_ADDR_STRLEN];
  if (p->addr.family == 0) {
    buf[0] = '\0';
  } else {
    (void)snprintf(buf, NET_PREFIX_STRLEN, "%s/%u", net_addr_format(&p->addr, addr), p->len);
  }
  return buf;
}

const char *net_endpoint_format(const struct net_endpoint *e, char buf[NET_ENDPOINT_STRLEN]) {
  char addr[NET_ADDR_STRLEN];
  struct net_addr c = net_addr_canonical(e->addr);
  if (c.family == 0) {
    buf[0] = '\0';
  } else {
    const char *fmt = c.family == AF_INET6 ? "[%s]:%u" : "%s:%u";
    (void)snprintf(buf, NET_ENDPOINT_STRLEN, fmt, net_addr_format(&c, addr), e->port);
  }
  return buf;
}

const char *net_mac_format(const uint8_t mac[6], char buf[NET_MAC_STRLEN]) {
  (void)snprintf(buf, NET_MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                 mac[5]);
  return buf;
}
