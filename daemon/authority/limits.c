/* SPDX-License-Identifier: BSD-3-Clause
 * The table of limits, and the text of one limit.
 */
#include "authority/limits.h"
#include "base/util.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define SECOND UINT64_C(1000) /* times are in ms */

#define BUDGET(n, u, dflt, ceil, uid) \
  {.name = n, .unit = u, .fallback = dflt, .ceiling = ceil, .per_uid = uid, .budget = true}
#define BOUND(n, u, dflt, ceil) {.name = n, .unit = u, .fallback = dflt, .ceiling = ceil}
#define LEAST(n, u, dflt, floor) {.name = n, .unit = u, .fallback = dflt, .ceiling = floor, .minimum = true}

/* A connection takes one each of sockets, children and (for its control) endpoints, so those two defaults are
 * larger. */
const struct auth_limit_def auth_limits[AUTH_LIMIT_COUNT] = {
    [LIMIT_ENDPOINTS] = BUDGET("endpoints", "", 512, 65535, 2048),
    [LIMIT_CHILDREN] = BUDGET("children", "", 512, 65535, 2048),
    [LIMIT_CALLS] = BUDGET("calls", "", 256, 65535, 1024),
    [LIMIT_BYTES] = BUDGET("bytes", "bytes", MIB, 256 * MIB, 16 * MIB),
    [LIMIT_SOCKETS] = BUDGET("sockets", "", 256, 65535, 1024),
    [LIMIT_LOOKUPS] = BUDGET("lookups", "", 32, 1024, 128),
    [LIMIT_PINGS] = BUDGET("pings", "", 16, 1024, 64),

    [LIMIT_PING_COUNT] = BOUND("ping.count", "", 100, 65535),
    [LIMIT_PING_INTERVAL_MIN] = LEAST("ping.interval.min", "ms", 200, 10),
    [LIMIT_PING_PAYLOAD] = BOUND("ping.payload", "bytes", 1472, 65507),
    [LIMIT_DNS_NAME] = BOUND("dns.name", "bytes", 253, 253),
    [LIMIT_DNS_ANSWER] = BOUND("dns.answer", "bytes", 2048, 2048), /* 128 IPv6 addresses: names.h holds no more */
    [LIMIT_DNS_TIME] = BOUND("dns.time", "ms", 10 * SECOND, 120 * SECOND),
    [LIMIT_CONNECT_TIME] = BOUND("connect.time", "ms", 130 * SECOND, 600 * SECOND),
    [LIMIT_LISTEN_BACKLOG] = BOUND("listen.backlog", "", 64, 4096), /* the bound of the stack */
    [LIMIT_SOCKET_RCVBUF] = BOUND("socket.rcvbuf", "bytes", 6 * MIB, 8 * MIB),
};

int auth_limit_by_name(const char *name, enum auth_limit *ret) {
  for (unsigned i = 0; i < AUTH_LIMIT_COUNT; i++)
    if (strcmp(auth_limits[i].name, name) == 0) {
      *ret = (enum auth_limit)i;
      return 0;
    }
  return -EINVAL;
}

/* What a suffix multiplies by; 0 when the unit has no such suffix. */
static uint64_t suffix_factor(const char *unit, const char *suffix) {
  static const struct {
    const char *unit, *suffix;
    uint64_t factor;
  } table[] = {{"bytes", "K", KIB}, {"bytes", "M", MIB},    {"bytes", "G", KIB *MIB},
               {"ms", "ms", 1},     {"ms", "s", SECOND},    {"ms", "m", 60 * SECOND}};
  if (*suffix == 0)
    return 1;
  for (size_t i = 0; i < ARRAY_SIZE(table); i++)
    if (strcmp(table[i].unit, unit) == 0 && strcmp(table[i].suffix, suffix) == 0)
      return table[i].factor;
  return 0;
}

int auth_limit_parse(enum auth_limit l, const char *text, uint64_t *ret) {
  const struct auth_limit_def *def = &auth_limits[l];
  uint64_t v = 0;
  const char *p = text;
  if (*p < '0' || *p > '9')
    return -EINVAL;
  for (; *p >= '0' && *p <= '9'; p++) {
    if (__builtin_mul_overflow(v, UINT64_C(10), &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
      return -ERANGE;
  }
  uint64_t factor = suffix_factor(def->unit, p);
  if (factor == 0)
    return -EINVAL;
  if (__builtin_mul_overflow(v, factor, &v) || !auth_limit_tighter(l, v, def->ceiling))
    return -ERANGE;
  *ret = v;
  return 0;
}

bool auth_limit_tighter(enum auth_limit l, uint64_t child, uint64_t parent) {
  return auth_limits[l].minimum ? child >= parent : child <= parent;
}
