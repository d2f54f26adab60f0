/* SPDX-License-Identifier: BSD-3-Clause
 * Rules and requests as text. A formatted rule parses to the same rule again.
 */
#include "authority/rights.h"
#include "authority/rights_internal.h"
#include "base/util.h"

#include <stdio.h>
#include <sys/socket.h>

const char *rights_scope_name(enum auth_scope s) {
  switch (s) {
  case AUTH_SCOPE_OWN: return "own";
  case AUTH_SCOPE_GRANT: return "grant";
  case AUTH_SCOPE_ALL: return "all";
  }
  return "unknown";
}

static const char *dest_format(const struct auth_rule *r, bool brackets, char buf[NET_PREFIX_STRLEN + 2]) {
  char text[NET_PREFIX_STRLEN];
  if (r->where == AUTH_WHERE_ANY)
    return "*";
  if (r->where == AUTH_WHERE_INTERFACE)
    return "interface-address";
  bool v6 = r->prefix.addr.family == AF_INET6;
  if (r->prefix.len == (v6 ? 128 : 32))
    (void)net_addr_format(&r->prefix.addr, text);
  else
    (void)net_prefix_format(&r->prefix, text);
  bool wrap = v6 && brackets;
  (void)snprintf(buf, NET_PREFIX_STRLEN + 2, "%s%s%s", wrap ? "[" : "", text, wrap ? "]" : "");
  return buf;
}

static const char *ports_format(const struct net_ports *p, char buf[12]) {
  if (p->first == 0 && p->last == UINT16_MAX)
    return "*";
  if (p->first == p->last)
    (void)snprintf(buf, 12, "%u", p->first);
  else
    (void)snprintf(buf, 12, "%u-%u", p->first, p->last);
  return buf;
}

static const char *mask_format(unsigned mask, const char *const names[], unsigned n, char buf[40]) {
  size_t len = 0;
  buf[0] = 0;
  for (unsigned i = 0; i < n; i++)
    if (mask & (1u << i))
      len += (size_t)snprintf(buf + len, 40 - len, "%s%s", len ? "," : "", names[i]);
  return buf;
}
static const char *ops_format(unsigned mask, char buf[40]) {
  static const char *const names[] = {"get", "set", "renew", "release"};
  return mask_format(mask, names, ARRAY_SIZE(names), buf);
}
static const char *types_format(unsigned mask, char buf[40]) {
  static const char *const names[] = {"A", "AAAA"};
  return mask_format(mask, names, ARRAY_SIZE(names), buf);
}

const char *auth_rule_format(enum auth_kind kind, const struct auth_rule *r, char buf[AUTH_RULE_STRLEN]) {
  char dest[NET_PREFIX_STRLEN + 2], ports[12], words[40];
  buf[0] = 0;
  switch (kind) {
  case AUTH_TCP_CONNECT:
  case AUTH_TCP_LISTEN:
    (void)snprintf(buf, AUTH_RULE_STRLEN, "%s:%s%s%s", dest_format(r, true, dest), ports_format(&r->ports, ports),
                   r->via[0] ? " via " : "", r->via);
    break;
  case AUTH_PING:
    (void)snprintf(buf, AUTH_RULE_STRLEN, "%s%s%s", dest_format(r, false, dest), r->via[0] ? " via " : "", r->via);
    break;
  case AUTH_DNS:
    (void)snprintf(buf, AUTH_RULE_STRLEN, "%s %s", r->name[0] ? r->name : "*", types_format(r->mask, words));
    break;
  case AUTH_STATUS:
    (void)snprintf(buf, AUTH_RULE_STRLEN, "%s", rights_scope_name(r->scope));
    break;
  case AUTH_MANAGER:
    (void)snprintf(buf, AUTH_RULE_STRLEN, "%s %s", r->name[0] ? r->name : "*", ops_format(r->mask, words));
    break;
  case AUTH_GRANT:
  case AUTH_TCP_LISTENER:
  case AUTH_TCP_SOCKET:
  case AUTH_KIND_COUNT:
    break;
  }
  return buf;
}

/* A client's name inside a sentence: nothing that a terminal could take as a command, and not too long. */
static const char *name_format(const char *name, char buf[128]) {
  size_t n = 0;
  for (; name && name[n] && n < 127; n++)
    buf[n] = name[n] > ' ' && name[n] < 0x7f ? name[n] : '?';
  buf[n] = 0;
  return buf;
}

static void listen_format(const struct auth_request *rq, char buf[AUTH_RULE_STRLEN]) {
  char addr[NET_ENDPOINT_STRLEN];
  if (rq->interface_address)
    (void)snprintf(buf, AUTH_RULE_STRLEN, "listen on interface-address:%u", rq->to.port);
  else if (rq->to.addr.family == 0)
    (void)snprintf(buf, AUTH_RULE_STRLEN, "listen on *:%u", rq->to.port);
  else
    (void)snprintf(buf, AUTH_RULE_STRLEN, "listen on %s", net_endpoint_format(&rq->to, addr));
}

const char *auth_request_format(const struct auth_request *rq, char buf[AUTH_RULE_STRLEN]) {
  char addr[NET_ENDPOINT_STRLEN], words[40], name[128];
  buf[0] = 0;
  switch (rq->kind) {
  case AUTH_TCP_CONNECT:
    (void)snprintf(buf, AUTH_RULE_STRLEN, "connect to %s", net_endpoint_format(&rq->to, addr));
    break;
  case AUTH_TCP_LISTEN:
    listen_format(rq, buf);
    break;
  case AUTH_PING:
    (void)snprintf(buf, AUTH_RULE_STRLEN, "ping %s", net_addr_format(&rq->to.addr, addr));
    break;
  case AUTH_DNS:
    (void)snprintf(buf, AUTH_RULE_STRLEN, "resolve %s (%s)", name_format(rq->name, name),
                   types_format(rq->mask, words));
    break;
  case AUTH_STATUS:
    (void)snprintf(buf, AUTH_RULE_STRLEN, "read the status of scope %s", rights_scope_name(rq->scope));
    break;
  case AUTH_MANAGER:
    (void)snprintf(buf, AUTH_RULE_STRLEN, "%s interface %s", ops_format(rq->mask, words), name_format(rq->name, name));
    break;
  case AUTH_GRANT:
  case AUTH_TCP_LISTENER:
  case AUTH_TCP_SOCKET:
  case AUTH_KIND_COUNT:
    (void)snprintf(buf, AUTH_RULE_STRLEN, "use a %s", auth_kind_name(rq->kind));
    break;
  }
  return buf;
}
