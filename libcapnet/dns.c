/* SPDX-License-Identifier: BSD-3-Clause
 * DnsResolver: names to addresses.
 */
#include "libcapnet/conn.h"
#include "proto/dns.pb-c.h"

#include <stdio.h>

void capnet_dns_result_free(struct capnet_dns_result *d) {
  if (!d)
    return;
  free(d->name);
  for (size_t i = 0; i < d->n_aliases; i++)
    free(d->aliases[i]);
  free(d->aliases);
  for (size_t i = 0; i < d->n_answers; i++)
    free(d->answers[i].addresses);
  free(d->answers);
  free(d);
}

static unsigned type_bit(Capnet__DnsType type) {
  switch (type) {
  case CAPNET__DNS_TYPE__DNS_TYPE_A: return CAPNET_DNS_A;
  case CAPNET__DNS_TYPE__DNS_TYPE_AAAA: return CAPNET_DNS_AAAA;
  case CAPNET__DNS_TYPE__DNS_TYPE_INVALID:
  case _CAPNET__DNS_TYPE_IS_INT_SIZE: break;
  }
  return 0;
}

static int fill_answer(struct capnet_dns_answer *to, const Capnet__DnsAnswer *from) {
  *to = (struct capnet_dns_answer){.type = type_bit(from->type), .elapsed_us = from->elapsed_us};
  (void)snprintf(to->source, sizeof to->source, "%s", from->source ? from->source : "");
  (void)snprintf(to->upstream, sizeof to->upstream, "%s", from->upstream ? from->upstream : "");
  if (from->error) {
    (void)fail_wire(&to->error, from->error);
    return 0;
  }
  to->addresses = calloc(from->n_addresses + 1, sizeof *to->addresses);
  if (!to->addresses)
    return -ENOMEM;
  for (size_t i = 0; i < from->n_addresses; i++) {
    const Capnet__DnsAddress *a = from->addresses[i];
    (void)snprintf(to->addresses[i].address, sizeof to->addresses[i].address, "%s", a->address ? a->address : "");
    to->addresses[i].ttl = a->ttl;
  }
  to->n_addresses = from->n_addresses;
  if (!to->n_addresses)
    (void)fail_code(&to->error, CAPNET__ERROR_CODE__ERROR_NO_DATA, NULL);
  return 0;
}

static int fill_result(struct capnet_dns_result *to, const Capnet__DnsResolveReply *from) {
  to->name = strdup(from->name ? from->name : "");
  to->aliases = calloc(from->n_aliases + 1, sizeof *to->aliases);
  to->answers = calloc(from->n_answers + 1, sizeof *to->answers);
  if (!to->name || !to->aliases || !to->answers)
    return -ENOMEM;
  for (; to->n_aliases < from->n_aliases; to->n_aliases++)
    if (!(to->aliases[to->n_aliases] = strdup(from->aliases[to->n_aliases])))
      return -ENOMEM;
  for (size_t i = 0; i < from->n_answers; i++) {
    if (!type_bit(from->answers[i]->type))
      continue; /* a type of a later daemon: nobody asked for it */
    if (from->answers[i]->has_reachable && from->answers[i]->reachable)
      to->reachable |= type_bit(from->answers[i]->type);
    if (fill_answer(&to->answers[to->n_answers], from->answers[i]) < 0)
      return -ENOMEM;
    to->n_answers++;
  }
  return 0;
}

int capnet_resolve(capnet *cap, const char *name, unsigned types, unsigned flags, unsigned timeout_ms,
                   struct capnet_dns_result **ret, struct capnet_error *err) {
  struct call c;
  Capnet__DnsResolveRequest request = CAPNET__DNS_RESOLVE_REQUEST__INIT;
  Capnet__DnsType list[2];
  request.name = (char *)name;
  request.types = list;
  if (types & CAPNET_DNS_A)
    list[request.n_types++] = CAPNET__DNS_TYPE__DNS_TYPE_A;
  if (types & CAPNET_DNS_AAAA)
    list[request.n_types++] = CAPNET__DNS_TYPE__DNS_TYPE_AAAA;
  if (!request.n_types || (types & ~(CAPNET_DNS_A | CAPNET_DNS_AAAA)))
    return fail(err, EINVAL, "ARGUMENT", "no type, or an unknown one");
  request.has_no_search = request.no_search = (flags & CAPNET_DNS_NO_SEARCH) != 0;
  /* timeout_ms of the request stays absent: more than the grant's dns.time would be DENIED, and the deadline bounds the
   * call as well. */
  call_init(&c, cap, &capnet__dns_resolver__descriptor, timeout_ms, err);
  capnet__dns_resolver__resolve(&c.service, &request, NULL, NULL);
  Capnet__DnsResolveReply *reply;
  int r = call_one(&c, (void **)&reply);
  if (r == 0) {
    struct capnet_dns_result *result = calloc(1, sizeof *result);
    if (result && fill_result(result, reply) == 0)
      *ret = TAKE_PTR(result);
    else
      r = fail_errno(c.err, ENOMEM, "resolve");
    capnet_dns_result_free(result);
  }
  return call_done(&c, r);
}
