/* SPDX-License-Identifier: BSD-3-Clause
 * Reads a DNS message (RFC 1035 4.1). Bounded in everything: records are at most what a message can hold, the chain of
 * aliases at most NAMES_ALIASES_MAX, and only records that belong to the name asked for count.
 */
#include "names/names_impl.h"

#include "base/util.h"
#include "base/wire.h"

#include <ares.h>
#include <strings.h>

#define HEADER_LEN 12
#define RR_FIXED_LEN 10
#define TYPE_CNAME 5
#define CLASS_IN 1

enum rcode { RCODE_NOERROR = 0, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };

struct cname {
  char owner[NAMES_NAME_MAX], target[NAMES_NAME_MAX];
  uint32_t ttl;
  bool used;
};

/* The chain may come in any order, and with records that belong to nobody. */
#define CNAMES_MAX (2 * NAMES_ALIASES_MAX)

struct reader {
  const uint8_t *msg;
  size_t len, pos;
};

struct record {
  char owner[NAMES_NAME_MAX];
  bool owner_ok; /* a name that could have been asked for */
  uint16_t type, class;
  uint32_t ttl;
  size_t data, data_len; /* offset of the data */
};

/* A name at pos; *ret_ok tells whether it is one of ours (canonical text). */
static int read_name(const struct reader *r, size_t pos, char ret[NAMES_NAME_MAX], bool *ret_ok, size_t *ret_len) {
  char *text = NULL;
  long len;
  if (pos >= r->len || ares_expand_name(r->msg + pos, r->msg, (int)r->len, &text, &len) != ARES_SUCCESS)
    return -EBADMSG;
  *ret_ok = names_canonical(text, ret) == 0;
  ares_free_string(text);
  *ret_len = (size_t)len;
  return 0;
}

static int read_record(struct reader *r, struct record *ret) {
  size_t n;
  if (read_name(r, r->pos, ret->owner, &ret->owner_ok, &n) < 0 || r->len - r->pos < n + RR_FIXED_LEN)
    return -EBADMSG;
  const uint8_t *p = r->msg + r->pos + n;
  ret->type = get16(p);
  ret->class = get16(p + 2);
  ret->ttl = (uint32_t)get16(p + 4) << 16 | get16(p + 6);
  if (ret->ttl > INT32_MAX) /* RFC 2181 8 */
    ret->ttl = 0;
  ret->data_len = get16(p + 8);
  ret->data = r->pos + n + RR_FIXED_LEN;
  if (r->len - ret->data < ret->data_len)
    return -EBADMSG;
  r->pos = ret->data + ret->data_len;
  return 0;
}

static int read_questions(struct reader *r, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    char name[NAMES_NAME_MAX];
    bool ok;
    size_t len;
    if (read_name(r, r->pos, name, &ok, &len) < 0 || r->len - r->pos < len + 4)
      return -EBADMSG;
    r->pos += len + 4;
  }
  return 0;
}

static int read_cnames(struct reader r, unsigned count, struct cname *cnames, unsigned *ret_n) {
  struct record rr;
  unsigned n = 0;
  for (unsigned i = 0; i < count; i++) {
    if (read_record(&r, &rr) < 0)
      return -EBADMSG;
    if (rr.type != TYPE_CNAME || rr.class != CLASS_IN || !rr.owner_ok)
      continue;
    bool ok;
    size_t len;
    if (n == CNAMES_MAX || read_name(&r, rr.data, cnames[n].target, &ok, &len) < 0 || !ok || len != rr.data_len)
      return -EBADMSG;
    memcpy(cnames[n].owner, rr.owner, sizeof(rr.owner));
    cnames[n].ttl = rr.ttl;
    cnames[n].used = false;
    n++;
  }
  *ret_n = n;
  return 0;
}

/* Follows the chain from name; last is where it ends. Each record is used once, so a loop ends: as malformed. */
static int follow(struct cname *cnames, unsigned n, const char *name, struct names_parsed *ret, const char **ret_last,
                  uint32_t *ret_ttl) {
  const char *at = name;
  uint32_t ttl = UINT32_MAX;
  for (;;) {
    struct cname *next = NULL;
    for (unsigned i = 0; i < n && next == NULL; i++)
      if (strcmp(cnames[i].owner, at) == 0)
        next = &cnames[i];
    if (next == NULL)
      break;
    if (next->used || ret->n_aliases == NAMES_ALIASES_MAX)
      return -EBADMSG;
    next->used = true;
    memcpy(ret->aliases[ret->n_aliases++], next->target, NAMES_NAME_MAX);
    ttl = MIN(ttl, next->ttl);
    at = next->target;
  }
  *ret_last = at;
  *ret_ttl = ttl;
  return 0;
}

static int read_addresses(struct reader r, unsigned count, const char *owner, enum names_type type, uint32_t ttl,
                          size_t answer_max, struct names_parsed *ret) {
  size_t size = type == NAMES_A ? 4 : 16;
  struct record rr;
  for (unsigned i = 0; i < count; i++) {
    if (read_record(&r, &rr) < 0)
      return -EBADMSG;
    if (rr.type != type || rr.class != CLASS_IN || !rr.owner_ok || strcmp(rr.owner, owner) != 0)
      continue;
    if (rr.data_len != size)
      return -EBADMSG;
    if (ret->n_addresses == NAMES_ADDRESSES_MAX || (ret->n_addresses + 1) * size > answer_max)
      return -EMSGSIZE;
    struct names_address *a = &ret->addresses[ret->n_addresses++];
    *a = (struct names_address){.addr = {.family = type == NAMES_A ? AF_INET : AF_INET6}, .ttl = MIN(ttl, rr.ttl)};
    memcpy(a->addr.b, r.msg + rr.data, size);
    a->addr = net_addr_canonical(a->addr);
  }
  return 0;
}

int names_parse(const uint8_t *msg, size_t len, const char *name, enum names_type type, size_t answer_max,
                struct names_parsed *ret) {
  if (len < HEADER_LEN || len > UINT16_MAX)
    return -EBADMSG;
  bool response = msg[2] & 0x80, truncated = msg[2] & 0x02;
  unsigned opcode = msg[2] >> 3 & 15, rcode = msg[3] & 15;
  if (!response || opcode != 0 || truncated)
    return -EBADMSG;
  if (rcode == RCODE_REFUSED)
    return -ECONNREFUSED;
  if (rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN)
    return -EREMOTEIO;
  struct reader r = {msg, len, HEADER_LEN};
  unsigned count = get16(msg + 6), n_cnames;
  _cleanup_free_ struct cname *cnames = malloc(CNAMES_MAX * sizeof(*cnames));
  if (cnames == NULL)
    return -ENOMEM;
  ret->n_addresses = ret->n_aliases = 0;
  const char *last;
  uint32_t ttl;
  int e = read_questions(&r, get16(msg + 4));
  if (e == 0)
    e = read_cnames(r, count, cnames, &n_cnames);
  if (e == 0)
    e = follow(cnames, n_cnames, name, ret, &last, &ttl);
  if (e == 0)
    e = read_addresses(r, count, last, type, ttl, answer_max, ret);
  if (e == 0 && ret->n_addresses == 0)
    e = rcode == RCODE_NXDOMAIN ? -ENOENT : -ENODATA;
  if (e < 0)
    ret->n_addresses = 0;
  return e;
}
