/* SPDX-License-Identifier: BSD-3-Clause
 * getaddrinfo over a granted resolver (RFC 3493 6.1, with glibc's habits). Each node of a result is one allocation of
 * ours, so that any part of a list can be freed.
 *
 * Where it differs from glibc: of RFC 6724's order only whether the daemon's stack has a way to them counts, and then
 * AAAA before A; AI_ADDRCONFIG removes what it has no way to; internationalised names are asked as they are.
 */
#include "clients/gai.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef AI_IDN
#define AI_IDN 0x40
#define AI_CANONIDN 0x80
#endif
#define FLAGS_KNOWN                                                                                                    \
  (AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_V4MAPPED | AI_ALL | AI_ADDRCONFIG | AI_NUMERICSERV | AI_IDN |       \
   AI_CANONIDN | 0x100 | 0x200)

/* --- numeric hosts ------------------------------------------------------------------------------------------------ */

static bool parse_scope(const char *text, const struct in6_addr *a, uint32_t *ret) {
  char *end;
  if (IN6_IS_ADDR_LINKLOCAL(a) || IN6_IS_ADDR_MC_LINKLOCAL(a)) {
    *ret = if_nametoindex(text);
    if (*ret)
      return true;
  }
  unsigned long n = strtoul(text, &end, 10);
  *ret = (uint32_t)n;
  return *text >= '0' && *text <= '9' && !*end && n <= UINT32_MAX;
}

/* Forms of inet_aton too ("127.1"), as glibc takes them, but nothing behind them. */
static bool parse_v4(const char *node, struct in_addr *ret) {
  return strspn(node, "0123456789abcdefABCDEFxX.") == strlen(node) && inet_aton(node, ret);
}

static bool parse_v6(const char *node, struct gai_addr *ret) {
  char text[INET6_ADDRSTRLEN];
  size_t len = strcspn(node, "%");
  if (len >= sizeof text)
    return false;
  memcpy(text, node, len);
  text[len] = 0;
  return inet_pton(AF_INET6, text, &ret->v6) == 1 && (!node[len] || parse_scope(node + len + 1, &ret->v6, &ret->scope));
}

/* 1: it was numeric; 0: it is a name; else an EAI_ value. */
static int numeric(const char *node, const struct addrinfo *hints, struct gai_addrs *ret) {
  struct gai_addr a = {.family = AF_INET};
  if (parse_v4(node, &a.v4)) {
    if (hints->ai_family == AF_INET6) {
      if (!(hints->ai_flags & AI_V4MAPPED))
        return EAI_ADDRFAMILY;
      a = gai_mapped(&a);
    }
    gai_add(ret, &a);
    return 1;
  }
  if (!strchr(node, ':'))
    return 0;
  a = (struct gai_addr){.family = AF_INET6};
  if (!parse_v6(node, &a))
    return EAI_NONAME; /* no name has a colon */
  if (hints->ai_family == AF_INET) {
    if (!IN6_IS_ADDR_V4MAPPED(&a.v6))
      return EAI_ADDRFAMILY;
    struct gai_addr v4 = {.family = AF_INET};
    memcpy(&v4.v4, a.v6.s6_addr + 12, 4);
    a = v4;
  }
  gai_add(ret, &a);
  return 1;
}

/* --- no host ------------------------------------------------------------------------------------------------------ */

static void no_host(const struct addrinfo *hints, struct gai_addrs *ret) {
  bool passive = hints->ai_flags & AI_PASSIVE;
  struct gai_addr v4 = {.family = AF_INET}, v6 = {.family = AF_INET6};
  v4.v4.s_addr = htonl(passive ? INADDR_ANY : INADDR_LOOPBACK);
  v6.v6 = passive ? in6addr_any : in6addr_loopback;
  if (passive && hints->ai_family != AF_INET6)
    gai_add(ret, &v4);
  if (hints->ai_family != AF_INET)
    gai_add(ret, &v6);
  if (!passive && hints->ai_family != AF_INET6)
    gai_add(ret, &v4);
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

union sockaddr_any {
  struct sockaddr sa;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
};
struct node {
  struct addrinfo ai;
  union sockaddr_any addr;
  char canonical[];
};

static struct addrinfo *node_new(const struct gai_addr *a, const struct gai_type *t, int flags, const char *canonical) {
  struct node *n = calloc(1, sizeof *n + (canonical ? strlen(canonical) + 1 : 0));
  if (!n)
    return NULL;
  n->ai = (struct addrinfo){.ai_flags = flags, .ai_family = a->family, .ai_socktype = t->socktype,
                            .ai_protocol = t->protocol, .ai_addr = &n->addr.sa};
  if (a->family == AF_INET) {
    n->addr.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(t->port), .sin_addr = a->v4};
    n->ai.ai_addrlen = sizeof n->addr.in;
  } else {
    n->addr.in6 = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htons(t->port), .sin6_addr = a->v6, .sin6_scope_id = a->scope};
    n->ai.ai_addrlen = sizeof n->addr.in6;
  }
  if (canonical)
    n->ai.ai_canonname = strcpy(n->canonical, canonical);
  return &n->ai;
}

void gai_freeaddrinfo(struct addrinfo *res) {
  while (res) {
    struct addrinfo *next = res->ai_next;
    free(res);
    res = next;
  }
}

static int build(const struct gai_addrs *addrs, const struct gai_type *types, int n_types, int flags,
                 const char *canonical, struct addrinfo **ret) {
  struct addrinfo *first = NULL, **last = &first;
  for (size_t i = 0; i < addrs->n; i++)
    for (int k = 0; k < n_types; k++) {
      *last = node_new(&addrs->list[i], &types[k], flags, first ? NULL : canonical);
      if (!*last) {
        gai_freeaddrinfo(first);
        return EAI_MEMORY;
      }
      last = &(*last)->ai_next;
    }
  *ret = first;
  return 0;
}

/* --- getaddrinfo -------------------------------------------------------------------------------------------------- */

static int check(const char *node, const char *service, const struct addrinfo *h) {
  if (!node && !service)
    return EAI_NONAME;
  if (h->ai_flags & ~FLAGS_KNOWN)
    return EAI_BADFLAGS;
  if ((h->ai_flags & AI_CANONNAME) && !node)
    return EAI_BADFLAGS;
  if (h->ai_family != AF_UNSPEC && h->ai_family != AF_INET && h->ai_family != AF_INET6)
    return EAI_FAMILY;
  return 0;
}

static int addresses(const char *node, const struct addrinfo *hints, struct gai_addrs *ret) {
  if (!node) {
    no_host(hints, ret);
    return 0;
  }
  int r = numeric(node, hints, ret);
  if (r)
    return r == 1 ? 0 : r;
  if ((hints->ai_flags & AI_NUMERICHOST) || !*node || strlen(node) >= NI_MAXHOST)
    return EAI_NONAME;
  return gai_lookup(node, hints->ai_family, hints->ai_flags, ret);
}

int gai_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res) {
  static const struct addrinfo none = {.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG};
  struct gai_type types[GAI_TYPES_MAX];
  struct gai_addrs addrs = {.n = 0};
  if (!hints)
    hints = &none;
  if (node && strcmp(node, "*") == 0)
    node = NULL;
  if (service && (!*service || strcmp(service, "*") == 0))
    service = NULL;
  int r = check(node, service, hints);
  if (r)
    return r;
  int n_types = gai_types(service, hints, types);
  if (n_types < 0)
    return n_types;
  r = addresses(node, hints, &addrs);
  if (r)
    return r;
  const char *canonical = *addrs.canonical ? addrs.canonical : node;
  return build(&addrs, types, n_types, hints->ai_flags, hints->ai_flags & AI_CANONNAME ? canonical : NULL, res);
}

const char *gai_error_text(int code) {
  switch (code) {
  case 0: return "No error";
  case EAI_ADDRFAMILY: return "The host has no address of this family";
  case EAI_AGAIN: return "The name could not be resolved at present";
  case EAI_BADFLAGS: return "The flags are not valid";
  case EAI_FAIL: return "The name may not or cannot be resolved";
  case EAI_FAMILY: return "The address family is not supported";
  case EAI_MEMORY: return "Out of memory";
  case EAI_NODATA: return "The name has no address";
  case EAI_NONAME: return "The name or service is not known";
  case EAI_OVERFLOW: return "An argument is too long";
  case EAI_SERVICE: return "The service is not known for this socket type";
  case EAI_SOCKTYPE: return "The socket type is not supported";
  case EAI_SYSTEM: return "System error";
  default: return "Unknown error";
  }
}
