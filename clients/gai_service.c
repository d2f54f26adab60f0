/* SPDX-License-Identifier: BSD-3-Clause
 * The service half of getaddrinfo: which socket types an address is given for, and with which port. Services come from
 * /etc/services alone.
 */
#include "clients/gai.h"

#include <nss.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct row {
  int socktype, protocol;
  bool any_protocol; /* takes the protocol of the hints */
  bool no_service;
  bool by_default;   /* when the hints name neither type nor protocol */
  const char *name;  /* of the protocol in /etc/services */
};
static const struct row rows[] = {
    {SOCK_STREAM, IPPROTO_TCP, false, false, true, "tcp"},
    {SOCK_DGRAM, IPPROTO_UDP, false, false, true, "udp"},
    {SOCK_DCCP, IPPROTO_DCCP, false, false, false, "dccp"},
    {SOCK_DGRAM, IPPROTO_UDPLITE, false, false, false, "udplite"},
    {SOCK_STREAM, IPPROTO_SCTP, false, false, false, "sctp"},
    {SOCK_SEQPACKET, IPPROTO_SCTP, false, false, false, "sctp"},
    {SOCK_RAW, 0, true, true, true, "raw"},
};
#define N_ROWS (sizeof rows / sizeof *rows)

static void services_from_files(void) { (void)__nss_configure_lookup("services", "files"); }

static bool lookup(const char *service, const char *protocol, uint16_t *ret) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  struct servent entry, *found = NULL;
  char buf[4096];
  (void)pthread_once(&once, services_from_files);
  if (getservbyname_r(service, protocol, &entry, buf, sizeof buf, &found) != 0 || !found)
    return false;
  *ret = ntohs((uint16_t)found->s_port);
  return true;
}

static struct gai_type type_of(const struct row *row, const struct addrinfo *hints, uint16_t port) {
  return (struct gai_type){row->socktype, row->any_protocol ? hints->ai_protocol : row->protocol, port};
}

static bool fits(const struct row *row, const struct addrinfo *hints) {
  return (hints->ai_socktype == 0 || hints->ai_socktype == row->socktype) &&
         (hints->ai_protocol == 0 || row->any_protocol || hints->ai_protocol == row->protocol);
}

/* Numeric, or none at all (NULL). */
static int parse_port(const char *service, bool numeric_only, bool *ret_numeric, uint16_t *ret) {
  char *end;
  *ret_numeric = true;
  *ret = 0;
  if (!service)
    return 0;
  unsigned long n = strtoul(service, &end, 10);
  if (*service >= '0' && *service <= '9' && !*end) {
    if (n > 65535)
      return EAI_SERVICE;
    *ret = (uint16_t)n;
    return 0;
  }
  *ret_numeric = false;
  return numeric_only ? EAI_NONAME : 0;
}

static int all_types(const char *service, bool numeric, uint16_t port, const struct addrinfo *hints,
                     struct gai_type ret[GAI_TYPES_MAX]) {
  int n = 0;
  for (size_t i = 0; i < N_ROWS; i++) {
    if (numeric ? !rows[i].by_default : rows[i].no_service)
      continue;
    if (!numeric && !lookup(service, rows[i].name, &port))
      continue;
    ret[n++] = type_of(&rows[i], hints, port);
  }
  return n ? n : EAI_SERVICE;
}

int gai_types(const char *service, const struct addrinfo *hints, struct gai_type ret[GAI_TYPES_MAX]) {
  bool numeric;
  uint16_t port;
  int r = parse_port(service, hints->ai_flags & AI_NUMERICSERV, &numeric, &port);
  if (r)
    return r;
  if (!hints->ai_socktype && !hints->ai_protocol)
    return all_types(service, numeric, port, hints, ret);
  size_t i = 0;
  while (i < N_ROWS && !fits(&rows[i], hints))
    i++;
  if (i == N_ROWS)
    return hints->ai_socktype ? EAI_SOCKTYPE : EAI_SERVICE;
  if (service && rows[i].no_service)
    return EAI_SERVICE;
  if (!numeric && !lookup(service, rows[i].name, &port))
    return EAI_SERVICE;
  ret[0] = type_of(&rows[i], hints, port);
  return 1;
}
