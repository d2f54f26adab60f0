/* SPDX-License-Identifier: BSD-3-Clause
 * The DHCPv4 codec. Options are looked up one code at a time over the areas that may hold them; pieces of one code are
 * put together in the order of RFC 3396: options field, file, sname.
 */
#include "netconf/dhcp4_msg.h"

#include "base/util.h"

#include <arpa/inet.h>

/* Offsets of the fixed part, RFC 2131 figure 1. */
enum {
  OFF_OP = 0,
  OFF_HTYPE = 1,
  OFF_HLEN = 2,
  OFF_XID = 4,
  OFF_SECS = 8,
  OFF_FLAGS = 10,
  OFF_CIADDR = 12,
  OFF_YIADDR = 16,
  OFF_CHADDR = 28,
  OFF_SNAME = 44,
  OFF_FILE = 108,
  OFF_COOKIE = 236,
  OFF_OPTIONS = 240
};
#define LEN_SNAME 64
#define LEN_FILE 128
#define BOOTREQUEST 1
#define BOOTREPLY 2
#define HTYPE_ETHERNET 1
#define FLAG_BROADCAST 0x8000

enum {
  OPT_PAD = 0,
  OPT_MASK = 1,
  OPT_ROUTER = 3,
  OPT_DNS = 6,
  OPT_HOSTNAME = 12,
  OPT_DOMAIN = 15,
  OPT_MTU = 26,
  OPT_REQUESTED = 50,
  OPT_LEASE = 51,
  OPT_OVERLOAD = 52,
  OPT_TYPE = 53,
  OPT_SERVER = 54,
  OPT_PARAMETERS = 55,
  OPT_MAX_SIZE = 57,
  OPT_T1 = 58,
  OPT_T2 = 59,
  OPT_CLIENT_ID = 61,
  OPT_SEARCH = 119,
  OPT_END = 255
};

static const uint8_t cookie[4] = {99, 130, 83, 99};

/* One option put together never exceeds what one message can carry. */
#define OPTION_MAX 2048

struct area {
  const uint8_t *data;
  size_t len;
};
struct areas {
  struct area a[3];
  unsigned n;
};

static uint32_t get32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static void put32(uint8_t *p, uint32_t v) {
  v = htonl(v);
  memcpy(p, &v, 4);
}
static void put16(uint8_t *p, uint16_t v) {
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}

/* --- options in -------------------------------------------------------------------------------------------------- */

/* Steps over one option; *pos is at its code. Returns 1 with the option's place, 0 at the end, -EBADMSG on overrun. */
static int option_next(const struct area *a, size_t *pos, uint8_t *ret_code, const uint8_t **ret_data,
                       size_t *ret_len) {
  while (*pos < a->len && a->data[*pos] == OPT_PAD)
    (*pos)++;
  if (*pos >= a->len || a->data[*pos] == OPT_END)
    return 0;
  if (*pos + 2 > a->len)
    return -EBADMSG;
  size_t len = a->data[*pos + 1];
  if (*pos + 2 + len > a->len)
    return -EBADMSG;
  *ret_code = a->data[*pos];
  *ret_data = a->data + *pos + 2;
  *ret_len = len;
  *pos += 2 + len;
  return 1;
}

static int area_check(const struct area *a) {
  size_t pos = 0, len;
  uint8_t code;
  const uint8_t *data;
  int r;
  do
    r = option_next(a, &pos, &code, &data, &len);
  while (r > 0);
  return r;
}

/* Puts all pieces of one option together. Returns its length, or -1 when it is absent. What does not fit is left out.
 * */
static ssize_t option_get(const struct areas *areas, uint8_t want, uint8_t out[OPTION_MAX]) {
  ssize_t total = -1;
  for (unsigned i = 0; i < areas->n; i++) {
    size_t pos = 0, len;
    uint8_t code;
    const uint8_t *data;
    while (option_next(&areas->a[i], &pos, &code, &data, &len) > 0) {
      if (code != want)
        continue;
      if (total < 0)
        total = 0;
      len = MIN(len, (size_t)(OPTION_MAX - total));
      memcpy(out + total, data, len);
      total += (ssize_t)len;
    }
  }
  return total;
}

static bool option_u32(const struct areas *areas, uint8_t code, uint32_t *ret) {
  uint8_t buf[OPTION_MAX];
  if (option_get(areas, code, buf) != 4)
    return false;
  *ret = get32(buf);
  return true;
}

/* The areas of a message. Only the options field may say that the others hold options (RFC 2132 9.3). */
static int areas_find(const uint8_t *data, size_t len, struct areas *ret) {
  struct areas areas = {.n = 1};
  areas.a[0] = (struct area){data + OFF_OPTIONS, len - OFF_OPTIONS};
  if (area_check(&areas.a[0]) < 0)
    return -EBADMSG;
  uint8_t buf[OPTION_MAX];
  uint8_t overload = 0;
  if (option_get(&areas, OPT_OVERLOAD, buf) == 1)
    overload = buf[0];
  if (overload > 3)
    return -EBADMSG;
  if (overload & 1)
    areas.a[areas.n++] = (struct area){data + OFF_FILE, LEN_FILE};
  if (overload & 2)
    areas.a[areas.n++] = (struct area){data + OFF_SNAME, LEN_SNAME};
  for (unsigned i = 1; i < areas.n; i++)
    if (area_check(&areas.a[i]) < 0)
      return -EBADMSG;
  *ret = areas;
  return 0;
}

/* --- names in ---------------------------------------------------------------------------------------------------- */

/* Appends one label to a name under construction, in lower case. The limits of RFC 1035 2.3.4; letters, digits, '-' and
 * '_' only, since these end up in queries and on terminals. */
static int name_append(char name[NAMES_NAME_MAX], size_t *used, const uint8_t *label, size_t len) {
  if (len == 0 || len > 63 || *used + (*used > 0) + len > NAMES_NAME_MAX - 1)
    return -EINVAL;
  if (*used > 0)
    name[(*used)++] = '.';
  for (size_t i = 0; i < len; i++) {
    uint8_t c = label[i];
    if (c >= 'A' && c <= 'Z')
      c = (uint8_t)(c - 'A' + 'a');
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
      return -EINVAL;
    name[(*used)++] = (char)c;
  }
  name[*used] = '\0';
  return 0;
}

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
    if (name_append(name, &used, text + start, end - start) < 0)
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
      bad = bad || name_append(name, &used, d + at + 1, c) < 0;
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

static void decode_search(const struct areas *areas, struct dhcp4_params *p) {
  uint8_t buf[OPTION_MAX];
  char name[NAMES_NAME_MAX];
  ssize_t len = option_get(areas, OPT_SEARCH, buf);
  if (len >= 0) {
    p->search_present = true;
    for (size_t pos = 0; pos < (size_t)len;) {
      int r = name_from_wire(buf, (size_t)len, &pos, name);
      if (r == -EBADMSG)
        break;
      if (r == 0)
        search_add(p, name);
    }
    return;
  }
  len = option_get(areas, OPT_DOMAIN, buf);
  if (len >= 0) {
    p->search_present = true;
    if (name_from_text(buf, (size_t)len, name) == 0)
      search_add(p, name);
  }
}

/* --- addresses in ------------------------------------------------------------------------------------------------ */

static bool host_address(const struct net_addr *a) { return net_addr_class(a) == NET_UNICAST; }

static uint8_t class_prefix(uint32_t addr) { return addr >> 31 == 0 ? 8 : addr >> 30 == 2 ? 16 : 24; }

static uint8_t decode_prefix(const struct areas *areas, uint32_t addr) {
  uint32_t mask;
  if (!option_u32(areas, OPT_MASK, &mask) || mask == 0)
    return class_prefix(addr);
  uint32_t host = ~mask;
  if (host & (host + 1)) /* not contiguous */
    return class_prefix(addr);
  return (uint8_t)__builtin_popcount(mask);
}

/* yiaddr must be an address that a host can have in its own subnet. */
static void decode_address(const uint8_t *data, const struct areas *areas, struct dhcp4_params *p) {
  uint32_t v = get32(data + OFF_YIADDR);
  struct net_addr a = net_addr_v4(v);
  if (!host_address(&a))
    return;
  uint8_t len = decode_prefix(areas, v);
  uint32_t host = len >= 32 ? 0 : UINT32_MAX >> len;
  if (len <= 30 && ((v & host) == 0 || (v & host) == host))
    return;
  p->addr = a;
  p->prefix_len = len;
}

static void decode_addresses(const struct areas *areas, struct dhcp4_params *p) {
  uint8_t buf[OPTION_MAX];
  ssize_t len = option_get(areas, OPT_ROUTER, buf);
  for (ssize_t i = 0; i + 4 <= len && p->gateway.family == 0; i += 4) {
    struct net_addr a = net_addr_v4(get32(buf + i));
    if ((host_address(&a) || net_addr_class(&a) == NET_LINK_LOCAL) && !net_addr_equal(&a, &p->addr))
      p->gateway = a;
  }
  len = option_get(areas, OPT_DNS, buf);
  for (ssize_t i = 0; i + 4 <= len && p->n_dns < NAMES_SERVERS_MAX; i += 4) {
    struct net_addr a = net_addr_v4(get32(buf + i));
    bool use = host_address(&a);
    for (unsigned j = 0; j < p->n_dns; j++)
      use = use && !net_addr_equal(&a, &p->dns[j]);
    if (use)
      p->dns[p->n_dns++] = a;
  }
  uint32_t server;
  if (option_u32(areas, OPT_SERVER, &server)) {
    struct net_addr a = net_addr_v4(server);
    if (host_address(&a) || net_addr_class(&a) == NET_LINK_LOCAL)
      p->server = a;
  }
}

int dhcp4_decode(const uint8_t *data, size_t len, struct dhcp4_reply *ret) {
  if (len < OFF_OPTIONS || data[OFF_OP] != BOOTREPLY || data[OFF_HTYPE] != HTYPE_ETHERNET || data[OFF_HLEN] != 6 ||
      memcmp(data + OFF_COOKIE, cookie, sizeof(cookie)) != 0)
    return -EBADMSG;
  struct areas areas;
  if (areas_find(data, len, &areas) < 0)
    return -EBADMSG;
  uint8_t buf[OPTION_MAX];
  if (option_get(&areas, OPT_TYPE, buf) != 1 ||
      (buf[0] != DHCP4_OFFER && buf[0] != DHCP4_ACK && buf[0] != DHCP4_NAK))
    return -EBADMSG;

  struct dhcp4_reply r = {.type = (enum dhcp4_type)buf[0], .xid = get32(data + OFF_XID)};
  memcpy(r.mac, data + OFF_CHADDR, sizeof(r.mac));
  decode_address(data, &areas, &r.params);
  decode_addresses(&areas, &r.params);
  decode_search(&areas, &r.params);
  if (option_get(&areas, OPT_MTU, buf) == 2 && get16(buf) >= DHCP4_MTU_MIN)
    r.params.mtu = get16(buf);
  r.has_lease = option_u32(&areas, OPT_LEASE, &r.lease_s);
  (void)option_u32(&areas, OPT_T1, &r.t1_s);
  (void)option_u32(&areas, OPT_T2, &r.t2_s);
  *ret = r;
  return 0;
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

struct writer {
  uint8_t *buf;
  size_t len;
};

/* What we send is bounded by construction: fixed options and one host name of at most 63 bytes. */
static void put_option(struct writer *w, uint8_t code, const void *data, size_t len) {
  w->buf[w->len++] = code;
  w->buf[w->len++] = (uint8_t)len;
  memcpy(w->buf + w->len, data, len);
  w->len += len;
}

static void put_addr_option(struct writer *w, uint8_t code, const struct net_addr *a) {
  if (a->family == AF_INET)
    put_option(w, code, a->b, 4);
}

size_t dhcp4_encode(const struct dhcp4_send *m, uint8_t buf[DHCP4_MSG_MAX]) {
  static const uint8_t wanted[] = {OPT_MASK,  OPT_ROUTER, OPT_DNS, OPT_DOMAIN, OPT_MTU,
                                   OPT_LEASE, OPT_T1,     OPT_T2,  OPT_SEARCH};
  memset(buf, 0, DHCP4_MSG_MAX);
  buf[OFF_OP] = BOOTREQUEST;
  buf[OFF_HTYPE] = HTYPE_ETHERNET;
  buf[OFF_HLEN] = 6;
  put32(buf + OFF_XID, m->xid);
  put16(buf + OFF_SECS, m->secs);
  put16(buf + OFF_FLAGS, m->broadcast ? FLAG_BROADCAST : 0);
  if (m->ciaddr.family == AF_INET)
    memcpy(buf + OFF_CIADDR, m->ciaddr.b, 4);
  memcpy(buf + OFF_CHADDR, m->mac, sizeof(m->mac));
  memcpy(buf + OFF_COOKIE, cookie, sizeof(cookie));

  struct writer w = {buf, OFF_OPTIONS};
  uint8_t type = (uint8_t)m->type;
  put_option(&w, OPT_TYPE, &type, 1);
  uint8_t id[7] = {HTYPE_ETHERNET};
  memcpy(id + 1, m->mac, sizeof(m->mac));
  put_option(&w, OPT_CLIENT_ID, id, sizeof(id));
  put_addr_option(&w, OPT_REQUESTED, &m->requested);
  put_addr_option(&w, OPT_SERVER, &m->server);
  if (m->type == DHCP4_DISCOVER || m->type == DHCP4_REQUEST) {
    size_t n = strnlen(m->hostname, sizeof(m->hostname) - 1);
    if (n > 0)
      put_option(&w, OPT_HOSTNAME, m->hostname, n);
    uint8_t max[2];
    put16(max, DHCP4_RECEIVE_MAX + 28);
    put_option(&w, OPT_MAX_SIZE, max, sizeof(max));
    put_option(&w, OPT_PARAMETERS, wanted, sizeof(wanted));
  }
  w.buf[w.len++] = OPT_END;
  return MAX(w.len, (size_t)DHCP4_MSG_MIN);
}
