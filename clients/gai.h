/* SPDX-License-Identifier: BSD-3-Clause
 * Inside libcapnet-getaddrinfo.so.
 */
#ifndef CAPNET_GAI_H
#define CAPNET_GAI_H

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GAI_ADDRS_MAX 64
#define GAI_TYPES_MAX 8

struct gai_addr {
  int family; /* AF_INET, AF_INET6 */
  union {
    struct in_addr v4;
    struct in6_addr v6;
  };
  uint32_t scope;
};
struct gai_addrs {
  struct gai_addr list[GAI_ADDRS_MAX];
  size_t n;
  char canonical[NI_MAXHOST]; /* empty: the name that was asked */
};
/* One kind of socket each address is given for. */
struct gai_type {
  int socktype, protocol;
  uint16_t port; /* host order */
};

int gai_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res);
void gai_freeaddrinfo(struct addrinfo *res);
const char *gai_error_text(int code);

/* gai_service.c: socket types and ports, as glibc expands them. Their number, or a negative EAI_ value. */
int gai_types(const char *service, const struct addrinfo *hints, struct gai_type ret[GAI_TYPES_MAX]);

/* gai_lookup.c: over a granted resolver, never over anything else. 0 or an EAI_ value; errno says more. */
int gai_lookup(const char *node, int family, int flags, struct gai_addrs *ret);
void gai_add(struct gai_addrs *to, const struct gai_addr *a);
struct gai_addr gai_mapped(const struct gai_addr *v4);

#endif
