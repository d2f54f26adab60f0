/* SPDX-License-Identifier: BSD-3-Clause
 * Addresses, prefixes, endpoints and port ranges as plain values, in one canonical form: an IPv4-mapped IPv6 address
 * is IPv4 (RFC 4291 2.5.5.2). Text follows RFC 5952.
 */
#ifndef CAPNET_BASE_NET_H
#define CAPNET_BASE_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* family is AF_INET, AF_INET6, or 0 for "no address"; b is in network order, the first 4 bytes for IPv4, the rest 0. */
struct net_addr {
  uint8_t family;
  uint8_t b[16];
};

struct net_prefix {
  struct net_addr addr; /* host bits are zero */
  uint8_t len;          /* 0..32 or 0..128 */
};

struct net_endpoint {
  struct net_addr addr;
  uint16_t port; /* host order */
};

/* Inclusive; 0-65535 is every port. */
struct net_ports {
  uint16_t first, last;
};

/* What an address is for, as far as rights must know. */
enum net_class {
  NET_UNICAST,
  NET_UNSPECIFIED,     /* 0.0.0.0/8 as a whole, :: */
  NET_LOOPBACK,        /* 127.0.0.0/8, ::1 */
  NET_LINK_LOCAL,      /* 169.254.0.0/16, fe80::/10 */
  NET_MULTICAST,       /* 224.0.0.0/4, ff00::/8 */
  NET_BROADCAST,       /* 255.255.255.255 (a subnet's own broadcast needs the subnet: net_prefix_broadcast) */
  NET_RESERVED         /* 240.0.0.0/4 but the broadcast */
};

#define NET_ADDR_STRLEN 46
#define NET_PREFIX_STRLEN 50
#define NET_ENDPOINT_STRLEN 54 /* [v6]:port */
#define NET_MAC_STRLEN 18

struct net_addr net_addr_v4(uint32_t host_order);
struct net_addr net_addr_canonical(struct net_addr a); /* v4-mapped becomes IPv4 */
uint32_t net_addr_to_v4(const struct net_addr *a);     /* host order; IPv4 only */
bool net_addr_equal(const struct net_addr *a, const struct net_addr *b);
bool net_addr_is_unspecified(const struct net_addr *a); /* no family, 0.0.0.0 or :: */
enum net_class net_addr_class(const struct net_addr *a);
bool net_endpoint_equal(const struct net_endpoint *a, const struct net_endpoint *b);

/* Parsers take the whole string, accept nothing around it, return 0 or -EINVAL and leave *ret alone on failure.
 * An address is canonical afterwards; leading zeros in an IPv4 octet are refused (they mean octal to some). */
int net_addr_parse(const char *s, struct net_addr *ret);
int net_prefix_parse(const char *s, struct net_prefix *ret);     /* "10.0.0.0/8", a bare address is a host prefix; host bits must be 0 */
int net_endpoint_parse(const char *s, struct net_endpoint *ret); /* "10.0.0.1:80", "[::1]:80" */
int net_ports_parse(const char *s, struct net_ports *ret);       /* "80", "80-443", "*" */
int net_mac_parse(const char *s, uint8_t ret[6]);

/* Formatters write into buf, which holds the *_STRLEN above, and return buf. No address is "". */
const char *net_addr_format(const struct net_addr *a, char buf[NET_ADDR_STRLEN]);
const char *net_prefix_format(const struct net_prefix *p, char buf[NET_PREFIX_STRLEN]);
const char *net_endpoint_format(const struct net_endpoint *e, char buf[NET_ENDPOINT_STRLEN]);
const char *net_mac_format(const uint8_t mac[6], char buf[NET_MAC_STRLEN]);

/* The prefix of that length that a lies in. */
struct net_prefix net_prefix_of(const struct net_addr *a, uint8_t len);
bool net_prefix_contains(const struct net_prefix *p, const struct net_addr *a);
bool net_prefix_subset(const struct net_prefix *child, const struct net_prefix *parent);
/* Is a the directed broadcast address of p (RFC 919)? Never for prefixes longer than 30 bits, nor for IPv6. */
bool net_prefix_broadcast(const struct net_prefix *p, const struct net_addr *a);

#endif
