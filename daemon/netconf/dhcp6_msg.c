/* SPDX-License-Identifier: BSD-3-Clause
 * The codec of DHCPv6. A message is a type, a transaction id and options; options may hold options. Lengths are checked at
 * each level before anything of that level is taken.
 */
#include "netconf/dhcp6_msg.h"

#include "base/util.h"
#include "base/wire.h"
#include "netconf/dns_name_wire.h"

enum {
  OPT_CLIENTID = 1,
  OPT_SERVERID = 2,
  OPT_IA_NA = 3,
  OPT_IAADDR = 5,
  OPT_ORO = 6,
  OPT_PREFERENCE = 7,
  OPT_ELAPSED = 8,
  OPT_STATUS = 13,
  OPT_RAPID_COMMIT = 14,
  OPT_DNS = 23,
  OPT_DOMAINS = 24,
  OPT_REFRESH = 32,
  OPT_NTP = 56,
  OPT_SOL_MAX_RT = 82,
  OPT_INF_MAX_RT = 83
};
#define NTP_SUB_ADDR 1 /* RFC 5908 4.1 */
#define HEADER 4
#define MAX_RT_LEAST_S 60 /* 21.24 */
#define MAX_RT_MOST_S 86400

static struct net_addr get_addr(const uint8_t *p) {
  struct net_addr a = {.family = AF_INET6};
  memcpy(a.b, p, 16);
  return a;
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

/* Do the options fill the bytes to the last one? */
static bool options_check(const uint8_t *p, size_t len) {
  while (len > 0) {
    if (len < 4 || get16(p + 2) > len - 4u)
      return false;
    size_t size = 4 + (size_t)get16(p + 2);
    p += size;
    len -= size;
  }
  return true;
}

/* Calls fn for each; what it refuses is counted. The lengths were checked. */
static void options_each(const uint8_t *p, size_t len, struct dhcp6_reply *r,
                         bool (*fn)(struct dhcp6_reply *r, unsigned code, const uint8_t *data, size_t len)) {
  while (len > 0) {
    size_t size = get16(p + 2);
    r->left_out += !fn(r, get16(p), p + 4, size);
    p += 4 + size;
    len -= 4 + size;
  }
}

static bool is_host(const struct net_addr *a) {
  enum net_class c = net_addr_class(a);
  return (c == NET_UNICAST || c == NET_LINK_LOCAL) && net_addr_canonical(*a).family == AF_INET6;
}

/* A list of addresses; one that is no host's or has no room is left out. */
static bool decode_addrs(const uint8_t *d, size_t len, struct net_addr *list, unsigned *n, unsigned max) {
  if (len == 0 || len % 16 != 0)
    return false;
  bool all = true;
  for (size_t i = 0; i < len; i += 16) {
    struct net_addr a = get_addr(d + i);
    bool known = false;
    for (unsigned k = 0; k < *n; k++)
      known = known || net_addr_equal(&a, &list[k]);
    if (!is_host(&a) || (!known && *n == max))
      all = false;
    else if (!known)
      list[(*n)++] = a;
  }
  return all;
}

static bool decode_domains(struct dhcp6_params *p, const uint8_t *d, size_t len) {
  bool all = true;
  for (size_t pos = 0; pos < len;) {
    char name[NAMES_NAME_MAX];
    bool known = false;
    int r = dns_name_read(d, len, &pos, name);
    if (r == -EBADMSG)
      return false;
    for (unsigned i = 0; i < p->n_search && r == 0; i++)
      known = known || strcmp(p->search[i], name) == 0;
    if (r < 0 || (!known && p->n_search == NAMES_SEARCH_MAX))
      all = false;
    else if (!known)
      memcpy(p->search[p->n_search++], name, strlen(name) + 1);
  }
  return all;
}

static bool decode_ntp_sub(struct dhcp6_reply *r, unsigned code, const uint8_t *d, size_t len) {
  /* Groups and names are for those who speak NTP. */
  return code != NTP_SUB_ADDR || (len == 16 && decode_addrs(d, len, r->params.ntp, &r->params.n_ntp, DHCP6_NTP_MAX));
}

static bool decode_duid(struct dhcp6_duid *duid, const uint8_t *d, size_t len) {
  if (len < 3 || len > DUID_MAX || duid->len != 0)
    return false;
  memcpy(duid->b, d, len);
  duid->len = len;
  return true;
}

static bool decode_addr_sub(struct dhcp6_reply *r, unsigned code, const uint8_t *d, size_t len) {
  /* An address with a status of failure is none (18.2.10.1); it is the last one that was read. */
  if (code == OPT_STATUS && len >= 2 && get16(d) != DHCP6_SUCCESS && r->n_addrs > 0)
    r->addrs[r->n_addrs - 1].valid_s = r->addrs[r->n_addrs - 1].preferred_s = 0;
  return true;
}

/* 21.6 */
static bool decode_addr(struct dhcp6_reply *r, const uint8_t *d, size_t len) {
  if (len < 24 || !options_check(d + 24, len - 24) || r->n_addrs == DHCP6_ADDRS_MAX)
    return false;
  struct dhcp6_addr a = {get_addr(d), get32(d + 16), get32(d + 20)};
  if (a.preferred_s > a.valid_s || net_addr_class(&a.addr) != NET_UNICAST || net_addr_canonical(a.addr).family != AF_INET6)
    return false;
  for (unsigned i = 0; i < r->n_addrs; i++)
    if (net_addr_equal(&r->addrs[i].addr, &a.addr))
      return false;
  r->addrs[r->n_addrs++] = a;
  options_each(d + 24, len - 24, r, decode_addr_sub);
  return true;
}

static bool decode_ia_sub(struct dhcp6_reply *r, unsigned code, const uint8_t *d, size_t len) {
  if (code == OPT_IAADDR)
    return decode_addr(r, d, len);
  if (code == OPT_STATUS) {
    r->ia_status = len >= 2 ? get16(d) : DHCP6_UNSPEC_FAIL;
    return len >= 2;
  }
  return true;
}

/* 21.4. One that has another id is somebody else's, a second one nobody's. */
static bool decode_ia(struct dhcp6_reply *r, uint32_t iaid, const uint8_t *d, size_t len) {
  if (len < 12 || get32(d) != iaid || r->has_ia || !options_check(d + 12, len - 12))
    return false;
  uint32_t t1 = get32(d + 4), t2 = get32(d + 8);
  if (t1 > t2 && t2 > 0)
    return false;
  r->has_ia = true;
  r->t1_s = t1;
  r->t2_s = t2;
  options_each(d + 12, len - 12, r, decode_ia_sub);
  return true;
}

static bool decode_max_rt(uint32_t *into, const uint8_t *d, size_t len) {
  if (len != 4 || get32(d) < MAX_RT_LEAST_S || get32(d) > MAX_RT_MOST_S)
    return false;
  *into = get32(d);
  return true;
}

static bool decode_option(struct dhcp6_reply *r, unsigned code, const uint8_t *d, size_t len) {
  switch (code) {
  case OPT_CLIENTID:
    return decode_duid(&r->client, d, len);
  case OPT_SERVERID:
    return decode_duid(&r->server, d, len);
  case OPT_PREFERENCE:
    r->preference = len == 1 ? d[0] : 0;
    return len == 1;
  case OPT_STATUS:
    r->status = len >= 2 ? get16(d) : DHCP6_UNSPEC_FAIL;
    return len >= 2;
  case OPT_RAPID_COMMIT:
    r->rapid_commit = len == 0;
    return len == 0;
  case OPT_DNS:
    return decode_addrs(d, len, r->params.dns, &r->params.n_dns, NAMES_SERVERS_MAX);
  case OPT_DOMAINS:
    return decode_domains(&r->params, d, len);
  case OPT_NTP:
    if (!options_check(d, len))
      return false;
    options_each(d, len, r, decode_ntp_sub);
    return true;
  case OPT_REFRESH:
    r->refresh_s = len == 4 ? MAX(get32(d), 1u) : 0; /* none at all is short, too */
    return len == 4;
  case OPT_SOL_MAX_RT:
    return decode_max_rt(&r->sol_max_rt_s, d, len);
  case OPT_INF_MAX_RT:
    return decode_max_rt(&r->inf_max_rt_s, d, len);
  default: /* the IA_NA apart, what is not asked for: server unicast, reconfigure accept, … */
    return true;
  }
}

int dhcp6_decode(const uint8_t *data, size_t len, uint32_t iaid, struct dhcp6_reply *ret) {
  if (len < HEADER || (data[0] != DHCP6_ADVERTISE && data[0] != DHCP6_REPLY) || !options_check(data + HEADER, len - HEADER))
    return -EBADMSG;
  *ret = (struct dhcp6_reply){.type = (enum dhcp6_type)data[0], .xid = get32(data) & 0xffffff};
  options_each(data + HEADER, len - HEADER, ret, decode_option);
  const uint8_t *p = data + HEADER;
  for (size_t left = len - HEADER, size; left > 0; p += size, left -= size) {
    size = 4 + (size_t)get16(p + 2);
    if (get16(p) == OPT_IA_NA)
      ret->left_out += !decode_ia(ret, iaid, p + 4, size - 4);
  }
  return 0;
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

struct writer {
  uint8_t *buf;
  size_t len;
};

static void add16(struct writer *w, unsigned v) {
  put16(w->buf + w->len, v);
  w->len += 2;
}
static void add32(struct writer *w, uint32_t v) {
  put32(w->buf + w->len, v);
  w->len += 4;
}
static void put_option(struct writer *w, unsigned code, const void *data, size_t len) {
  add16(w, code);
  add16(w, (unsigned)len);
  if (len > 0)
    memcpy(w->buf + w->len, data, len);
  w->len += len;
}

/* 21.4, 21.6: lifetimes are left to the server. */
static void put_ia(struct writer *w, const struct dhcp6_send *m) {
  add16(w, OPT_IA_NA);
  add16(w, 12 + m->n_addrs * 28);
  add32(w, m->iaid);
  add32(w, 0);
  add32(w, 0);
  for (unsigned i = 0; i < m->n_addrs; i++) {
    add16(w, OPT_IAADDR);
    add16(w, 24);
    memcpy(w->buf + w->len, m->addrs[i].b, 16);
    w->len += 16;
    add32(w, 0);
    add32(w, 0);
  }
}

/* 21.7: what each kind of message must ask for. */
static void put_wanted(struct writer *w, enum dhcp6_type type) {
  bool info = type == DHCP6_INFORMATION_REQUEST;
  if (type == DHCP6_RELEASE || type == DHCP6_DECLINE || type == DHCP6_CONFIRM)
    return;
  add16(w, OPT_ORO);
  add16(w, info ? 10 : 8);
  add16(w, OPT_DNS);
  add16(w, OPT_DOMAINS);
  add16(w, OPT_NTP);
  if (info)
    add16(w, OPT_REFRESH);
  add16(w, info ? OPT_INF_MAX_RT : OPT_SOL_MAX_RT);
}

size_t dhcp6_encode(const struct dhcp6_send *m, uint8_t buf[DHCP6_MSG_MAX]) {
  struct writer w = {buf, 0};
  add32(&w, (uint32_t)m->type << 24 | (m->xid & 0xffffff));
  put_option(&w, OPT_CLIENTID, m->client.b, m->client.len);
  if (m->server.len > 0)
    put_option(&w, OPT_SERVERID, m->server.b, m->server.len);
  uint8_t elapsed[2] = {(uint8_t)(m->elapsed_cs >> 8), (uint8_t)m->elapsed_cs};
  put_option(&w, OPT_ELAPSED, elapsed, sizeof(elapsed));
  if (m->rapid_commit)
    put_option(&w, OPT_RAPID_COMMIT, NULL, 0);
  if (m->with_ia)
    put_ia(&w, m);
  put_wanted(&w, m->type);
  return w.len;
}
