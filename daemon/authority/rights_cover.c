/* SPDX-License-Identifier: BSD-3-Clause
 * What a rule covers, and when one rule lies within another.
 */
#include "authority/rights.h"
#include "authority/rights_internal.h"
#include "base/util.h"

#include <sys/socket.h>

static bool is_host(const struct net_prefix *p) { return p->len == (p->addr.family == AF_INET ? 32 : 128); }

/* The blocks of net_addr_class. 240.0.0.0/4 stands for reserved; the limited broadcast inside it is a case of its
 * own. */
static const struct {
  enum net_class class;
  struct net_prefix block;
} special_blocks[] = {
    {NET_UNSPECIFIED, {{AF_INET, {0}}, 8}},
    {NET_UNSPECIFIED, {{AF_INET6, {0}}, 128}},
    {NET_LOOPBACK, {{AF_INET, {127}}, 8}},
    {NET_LOOPBACK, {{AF_INET6, {[15] = 1}}, 128}},
    {NET_LINK_LOCAL, {{AF_INET, {169, 254}}, 16}},
    {NET_LINK_LOCAL, {{AF_INET6, {0xfe, 0x80}}, 10}},
    {NET_MULTICAST, {{AF_INET, {224}}, 4}},
    {NET_MULTICAST, {{AF_INET6, {0xff}}, 8}},
    {NET_BROADCAST, {{AF_INET, {255, 255, 255, 255}}, 32}},
    {NET_RESERVED, {{AF_INET, {240}}, 4}},
};

/* The special class of which everything in p is a member; NET_UNICAST when p also names something else. */
static enum net_class prefix_class(const struct net_prefix *p) {
  for (size_t i = 0; i < ARRAY_SIZE(special_blocks); i++)
    if (net_prefix_subset(p, &special_blocks[i].block))
      return special_blocks[i].class;
  return NET_UNICAST;
}

/* Special addresses are covered only by a rule that names nothing else (rights.h). The loopback is always the
 * stack's own, so that flag says nothing more there. */
static bool dest_covers(const struct auth_rule *r, const struct auth_request *rq) {
  struct net_addr a = net_addr_canonical(rq->to.addr);
  enum net_class class = net_addr_class(&a);
  if (a.family != AF_INET && a.family != AF_INET6)
    return false;
  bool lone = class == NET_BROADCAST || rq->broadcast || (rq->own && class != NET_LOOPBACK);
  if (r->where == AUTH_WHERE_ANY)
    return class == NET_UNICAST && !lone;
  if (r->where != AUTH_WHERE_PREFIX || !net_prefix_contains(&r->prefix, &a))
    return false;
  if (lone)
    return is_host(&r->prefix);
  return class == NET_UNICAST || prefix_class(&r->prefix) == class;
}

/* A host rule within a wider one is a subset, though it could name an own address that the wider rule leaves out:
 * auth_decide asks every ancestor too, so narrowing gains nothing by it. */
static bool dest_subset(const struct auth_rule *c, const struct auth_rule *p) {
  if (c->where == AUTH_WHERE_ANY || c->where == AUTH_WHERE_INTERFACE)
    return p->where == c->where;
  enum net_class class = prefix_class(&c->prefix);
  if (p->where == AUTH_WHERE_ANY)
    return class == NET_UNICAST;
  return p->where == AUTH_WHERE_PREFIX && net_prefix_subset(&c->prefix, &p->prefix) &&
         (class == NET_UNICAST || class == prefix_class(&p->prefix));
}

bool rights_bindable(const struct net_addr *a) {
  switch (net_addr_class(a)) {
  case NET_UNICAST:
  case NET_LOOPBACK:
  case NET_LINK_LOCAL:
    return true;
  case NET_UNSPECIFIED:
  case NET_MULTICAST:
  case NET_BROADCAST:
  case NET_RESERVED:
    return false;
  }
  return false;
}

/* Listening: "*" is every address at once and each alone; interface-address is also the address it stands for now. */
static bool listen_covers(const struct auth_rule *r, const struct auth_request *rq) {
  struct net_addr a = net_addr_canonical(rq->to.addr);
  bool every = !rq->interface_address && net_addr_is_unspecified(&a);
  bool bindable = rq->interface_address || every || (!rq->broadcast && rights_bindable(&a));
  if (!bindable)
    return false;
  switch (r->where) {
  case AUTH_WHERE_ANY:
    return true;
  case AUTH_WHERE_INTERFACE:
    return rq->interface_address || (!every && rq->own && net_addr_class(&a) != NET_LOOPBACK);
  case AUTH_WHERE_PREFIX:
    return !rq->interface_address && !every && net_addr_equal(&r->prefix.addr, &a);
  }
  return false;
}

static bool listen_subset(const struct auth_rule *c, const struct auth_rule *p) {
  if (p->where == AUTH_WHERE_ANY)
    return true;
  return c->where == p->where &&
         (c->where == AUTH_WHERE_INTERFACE || net_addr_equal(&c->prefix.addr, &p->prefix.addr));
}

static bool ports_cover(const struct net_ports *p, uint16_t port) { return port >= p->first && port <= p->last; }
static bool ports_subset(const struct net_ports *c, const struct net_ports *p) {
  return c->first >= p->first && c->last <= p->last;
}

/* Whole labels: "example.com" covers "a.example.com" and not "badexample.com". Both are canonical. */
static bool suffix_covers(const char *suffix, const char *name) {
  size_t s = strlen(suffix), n = strlen(name);
  if (s == 0)
    return true;
  return n >= s && memcmp(name + n - s, suffix, s) == 0 && (n == s || name[n - s - 1] == '.');
}

static bool mask_covers(unsigned have, unsigned want) { return want != 0 && (want & ~have) == 0; }

static bool interface_covers(const char *rule, const char *name) {
  return rule[0] == 0 || (name && strcmp(rule, name) == 0);
}

static bool via_covers(const struct auth_rule *r, const struct auth_request *rq) {
  return r->via[0] == 0 || rq->unrouted || (rq->interface && strcmp(r->via, rq->interface) == 0);
}
static bool via_subset(const struct auth_rule *c, const struct auth_rule *p) {
  return p->via[0] == 0 || strcmp(c->via, p->via) == 0;
}

bool auth_rule_covers(enum auth_kind kind, const struct auth_rule *r, const struct auth_request *rq) {
  if (rq->kind != kind)
    return false;
  switch (kind) {
  case AUTH_TCP_CONNECT:
    return ports_cover(&r->ports, rq->to.port) && dest_covers(r, rq) && via_covers(r, rq);
  case AUTH_TCP_LISTEN:
    return ports_cover(&r->ports, rq->to.port) && listen_covers(r, rq) && via_covers(r, rq);
  case AUTH_PING:
    return dest_covers(r, rq) && via_covers(r, rq);
  case AUTH_DNS:
    return rq->name && rq->name[0] && mask_covers(r->mask, rq->mask) && suffix_covers(r->name, rq->name);
  case AUTH_STATUS:
    return rq->scope <= r->scope;
  case AUTH_MANAGER:
    return mask_covers(r->mask, rq->mask) && interface_covers(r->name, rq->name);
  case AUTH_GRANT:
  case AUTH_TCP_LISTENER:
  case AUTH_TCP_SOCKET:
  case AUTH_KIND_COUNT:
    return false;
  }
  return false;
}

bool auth_rule_subset(enum auth_kind kind, const struct auth_rule *c, const struct auth_rule *p) {
  switch (kind) {
  case AUTH_TCP_CONNECT:
    return ports_subset(&c->ports, &p->ports) && dest_subset(c, p) && via_subset(c, p);
  case AUTH_TCP_LISTEN:
    return ports_subset(&c->ports, &p->ports) && listen_subset(c, p) && via_subset(c, p);
  case AUTH_PING:
    return dest_subset(c, p) && via_subset(c, p);
  case AUTH_DNS:
    return mask_covers(p->mask, c->mask) && (c->name[0] ? suffix_covers(p->name, c->name) : p->name[0] == 0);
  case AUTH_STATUS:
    return c->scope <= p->scope;
  case AUTH_MANAGER:
    return mask_covers(p->mask, c->mask) && (p->name[0] == 0 || strcmp(p->name, c->name) == 0);
  case AUTH_GRANT:
  case AUTH_TCP_LISTENER:
  case AUTH_TCP_SOCKET:
  case AUTH_KIND_COUNT:
    return false;
  }
  return false;
}
