/* SPDX-License-Identifier: BSD-3-Clause
 * For the tests of authority: a seeded generator, and random rules and requests drawn from a world small enough that they
 * meet often.
 */
#ifndef CAPNET_TESTS_AUTHORITY_UTIL_H
#define CAPNET_TESTS_AUTHORITY_UTIL_H

#include "authority/rights.h"
#include "base/util.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* xorshift64*; never seeded with 0. */
static inline uint64_t rnd(uint64_t *s) {
  *s ^= *s >> 12;
  *s ^= *s << 25;
  *s ^= *s >> 27;
  return *s * UINT64_C(2685821657736338717);
}
static inline unsigned rnd_below(uint64_t *s, unsigned n) { return (unsigned)((rnd(s) >> 33) % n); }

static const char *const world_dests[] = {
    "*",           "0.0.0.0/0",       "10.0.0.0/8",      "10.0.0.0/24",     "10.0.0.1",       "10.0.0.255",
    "10.0.1.0/24", "127.0.0.0/8",     "127.0.0.1",       "126.0.0.0/7",     "224.0.0.0/4",    "224.0.0.1",
    "240.0.0.0/4", "255.255.255.255", "255.255.255.254/31", "169.254.0.0/16", "169.254.7.7",  "0.0.0.0/8",
    "0.0.0.0",     "::/0",            "::1",             "::",              "fe80::/10",      "fe80::1",
    "ff00::/8",    "ff02::1",         "2001:db8::/32",   "2001:db8::1",     "2001:db8:0:1::/64", "128.0.0.0/1"};
static const char *const world_addrs[] = {
    "10.0.0.1",       "10.0.0.2", "10.0.0.255", "10.0.1.9", "127.0.0.1",   "127.9.9.9",       "126.1.1.1", "224.0.0.1",
    "240.0.0.1",      "255.255.255.254", "255.255.255.255", "169.254.7.7", "0.0.0.0", "0.1.2.3", "::1", "::",
    "fe80::1",        "ff02::1",  "2001:db8::1", "2001:db8:0:1::5", "2600::1", "192.0.2.1", "::ffff:127.0.0.1"};
static const char *const world_ports[] = {"*", "80", "0-1023", "80-443", "443", "8080", "1024-65535"};
static const char *const world_listen[] = {"*", "interface-address", "10.0.0.1", "127.0.0.1", "[::1]", "[2001:db8::1]"};
static const char *const world_names[] = {"example.com", "a.example.com", "b.a.example.com", "badexample.com", "com",
                                          "example.net"};
static const char *const world_types[] = {"", " A", " AAAA", " A,AAAA"};
static const char *const world_ops[] = {"get", "set", "get,set", "get,renew,release", "get,set,renew,release"};
static const char *const world_ifs[] = {"*", "net0", "net1"};

#define PICK(s, table) ((table)[rnd_below(s, ARRAY_SIZE(table))])

static const enum auth_kind world_kinds[] = {AUTH_TCP_CONNECT, AUTH_TCP_LISTEN, AUTH_PING,
                                             AUTH_DNS,         AUTH_STATUS,     AUTH_MANAGER};

static inline void rnd_rule_text(uint64_t *s, enum auth_kind kind, char buf[AUTH_RULE_STRLEN]) {
  static const char *const scopes[] = {"own", "grant", "all"};
  const char *a;
  switch (kind) {
  case AUTH_TCP_CONNECT:
    a = PICK(s, world_dests);
    (void)snprintf(buf, AUTH_RULE_STRLEN, strchr(a, ':') ? "[%s]:%s" : "%s:%s", a, PICK(s, world_ports));
    break;
  case AUTH_TCP_LISTEN:
    a = PICK(s, world_listen);
    (void)snprintf(buf, AUTH_RULE_STRLEN, "%s:%s", a, PICK(s, world_ports));
    break;
  case AUTH_PING:
    (void)snprintf(buf, AUTH_RULE_STRLEN, "%s", PICK(s, world_dests));
    break;
  case AUTH_DNS:
    a = rnd_below(s, 5) == 0 ? "*" : PICK(s, world_names);
    (void)snprintf(buf, AUTH_RULE_STRLEN, "%s%s", a, PICK(s, world_types));
    break;
  case AUTH_STATUS:
    (void)snprintf(buf, AUTH_RULE_STRLEN, "%s", PICK(s, scopes));
    break;
  default:
    a = PICK(s, world_ifs);
    (void)snprintf(buf, AUTH_RULE_STRLEN, "%s %s", a, PICK(s, world_ops));
    break;
  }
  bool via = kind == AUTH_TCP_CONNECT || kind == AUTH_TCP_LISTEN || kind == AUTH_PING;
  if (via && rnd_below(s, 3) == 0)
    (void)strcat(strcat(buf, " via "), world_ifs[1 + rnd_below(s, 2)]);
}

static inline struct auth_rights *rnd_rights(uint64_t *s, enum auth_kind kind, unsigned max) {
  char text[8][AUTH_RULE_STRLEN], err[160];
  const char *lines[8];
  unsigned n = 1 + rnd_below(s, max < 8 ? max : 8);
  for (unsigned i = 0; i < n; i++) {
    rnd_rule_text(s, kind, text[i]);
    lines[i] = text[i];
  }
  struct auth_rights *r = NULL;
  cr_assert_eq(auth_rights_parse(kind, lines, n, &r, err), 0, "%s: %s", lines[0], err);
  return r;
}

static inline struct auth_request rnd_request(uint64_t *s, enum auth_kind kind) {
  static const uint16_t ports[] = {0, 1, 22, 80, 81, 443, 444, 1023, 1024, 8080, 65535};
  struct auth_request rq = {.kind = kind};
  (void)net_addr_parse(PICK(s, world_addrs), &rq.to.addr);
  rq.to.port = PICK(s, ports);
  rq.own = rnd_below(s, 4) == 0;
  rq.broadcast = rnd_below(s, 8) == 0;
  rq.mask = 1 + rnd_below(s, kind == AUTH_DNS ? 3 : 15);
  rq.interface = rnd_below(s, 3) ? world_ifs[1 + rnd_below(s, 2)] : NULL;
  rq.unrouted = !rq.interface && rnd_below(s, 2);
  rq.scope = (enum auth_scope)rnd_below(s, 3);
  rq.name = kind == AUTH_DNS ? PICK(s, world_names) : world_ifs[1 + rnd_below(s, 2)];
  if (kind == AUTH_TCP_LISTEN && rnd_below(s, 4) == 0) {
    rq.interface_address = rnd_below(s, 2);
    rq.to.addr = (struct net_addr){0};
  }
  return rq;
}

#endif
