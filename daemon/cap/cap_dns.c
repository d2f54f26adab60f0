/* SPDX-License-Identifier: BSD-3-Clause
 * DnsResolver: one Resolve call is one query for each type asked, side by side. Where search domains apply, rights decide
 * about each name that would be tried, and what they do not cover is passed over: it never goes upstream.
 */
#include "cap/cap.h"

#include "names/names.h"
#include "proto/dns.pb-c.h"

#include <stdio.h>

#define DNS_TYPES_MAX 2

/* One type's answer, copied out of the borrowed one. */
struct answer {
  enum names_type type;
  struct names_query *query; /* NULL once answered */
  int error;
  struct names_address *addresses;
  unsigned n;
  bool reachable;
  struct net_endpoint upstream;
  uint64_t elapsed_ns;
};

struct resolve {
  struct call *call;
  struct cap *cap;
  unsigned n, waiting;
  unsigned mask; /* of the types asked for */
  struct answer answers[DNS_TYPES_MAX];
  char name[NAMES_NAME_MAX];
  char aliases[NAMES_ALIASES_MAX][NAMES_NAME_MAX];
  unsigned n_aliases;
};

static void resolve_free(struct resolve *r) {
  for (unsigned i = 0; i < r->n; i++) {
    r->answers[i].query = names_cancel(r->answers[i].query);
    free(r->answers[i].addresses);
    auth_uncharge(r->cap->node, LIMIT_LOOKUPS, 1);
  }
  free(r);
}

/* --- the reply ------------------------------------------------------------------------------------------------------ */

/* The room's errno, in the wire's words: two of them mean something else elsewhere (names.h). */
static Capnet__ErrorCode dns_code(int error) {
  switch (error) {
  case -ECONNREFUSED: return CAPNET__ERROR_CODE__ERROR_SERVER_REFUSED;
  case -EADDRNOTAVAIL: return CAPNET__ERROR_CODE__ERROR_UNAVAILABLE;
  case -EREMOTEIO: return CAPNET__ERROR_CODE__ERROR_SERVER_FAILURE;
  case -EBADMSG: return CAPNET__ERROR_CODE__ERROR_MALFORMED_ANSWER;
  case -EMSGSIZE: return CAPNET__ERROR_CODE__ERROR_TOO_LARGE;
  default: return error_code_from_errno(error);
  }
}

/* Everything one answer of the reply points at. */
struct reply_answer {
  Capnet__DnsAnswer msg;
  Capnet__Error error;
  Capnet__DnsAddress *addresses, **list;
  char (*text)[NET_ADDR_STRLEN];
  char upstream[NET_ENDPOINT_STRLEN];
};

static void fill_addresses(struct reply_answer *ra, const struct answer *a) {
  ra->addresses = calloc(a->n, sizeof *ra->addresses);
  ra->list = calloc(a->n, sizeof *ra->list);
  ra->text = calloc(a->n, sizeof *ra->text);
  if (!ra->addresses || !ra->list || !ra->text)
    return;
  for (unsigned i = 0; i < a->n; i++) {
    capnet__dns_address__init(&ra->addresses[i]);
    ra->addresses[i].address = (char *)net_addr_format(&a->addresses[i].addr, ra->text[i]);
    ra->addresses[i].has_ttl = 1;
    ra->addresses[i].ttl = a->addresses[i].ttl;
    ra->list[i] = &ra->addresses[i];
  }
  ra->msg.addresses = ra->list;
  ra->msg.n_addresses = a->n;
}

static void fill_answer(struct reply_answer *ra, const struct answer *a) {
  capnet__dns_answer__init(&ra->msg);
  ra->msg.has_type = ra->msg.has_elapsed_us = 1;
  ra->msg.type = a->type == NAMES_AAAA ? CAPNET__DNS_TYPE__DNS_TYPE_AAAA : CAPNET__DNS_TYPE__DNS_TYPE_A;
  ra->msg.elapsed_us = a->elapsed_ns / NSEC_PER_USEC;
  if (a->upstream.addr.family) {
    ra->msg.source = (char *)"dns";
    ra->msg.upstream = (char *)net_endpoint_format(&a->upstream, ra->upstream);
  }
  if (a->error) {
    capnet__error__init(&ra->error);
    ra->error.has_code = 1;
    ra->error.code = dns_code(a->error);
    ra->error.message = (char *)error_code_sentence(ra->error.code);
    ra->msg.error = &ra->error;
  } else if (a->n) {
    fill_addresses(ra, a);
    ra->msg.has_reachable = 1;
    ra->msg.reachable = a->reachable;
  }
}

static void send_reply(struct resolve *r) {
  struct reply_answer ra[DNS_TYPES_MAX] = {0};
  Capnet__DnsAnswer *list[DNS_TYPES_MAX];
  char *aliases[NAMES_ALIASES_MAX];
  Capnet__DnsResolveReply reply = CAPNET__DNS_RESOLVE_REPLY__INIT;
  for (unsigned i = 0; i < r->n; i++) {
    fill_answer(&ra[i], &r->answers[i]);
    list[i] = &ra[i].msg;
  }
  for (unsigned i = 0; i < r->n_aliases; i++)
    aliases[i] = r->aliases[i];
  reply.name = r->name;
  reply.answers = list;
  reply.n_answers = r->n;
  reply.aliases = aliases;
  reply.n_aliases = r->n_aliases;
  call_reply(r->call, &reply.base);
  for (unsigned i = 0; i < r->n; i++) {
    free(ra[i].addresses);
    free(ra[i].list);
    free(ra[i].text);
  }
  resolve_free(r);
}

/* --- events --------------------------------------------------------------------------------------------------------- */


static void take_answer(struct resolve *r, unsigned i, int error, const struct names_answer *ans) {
  struct answer *a = &r->answers[i];
  a->query = NULL;
  a->error = error;
  a->upstream = ans->upstream;
  a->reachable = ans->reachable;
  a->elapsed_ns = ans->elapsed_ns;
  if (error == 0 && ans->n_addresses) {
    a->addresses = malloc(ans->n_addresses * sizeof *a->addresses);
    if (a->addresses) {
      memcpy(a->addresses, ans->addresses, ans->n_addresses * sizeof *a->addresses);
      a->n = ans->n_addresses;
    } else
      a->error = -ENOMEM;
  }
  if (error == 0 || r->n_aliases == 0) {
    if (ans->name[0])
      memcpy(r->name, ans->name, sizeof r->name);
    r->n_aliases = MIN(ans->n_aliases, NAMES_ALIASES_MAX);
    for (unsigned k = 0; k < r->n_aliases; k++)
      memcpy(r->aliases[k], ans->aliases[k], NAMES_NAME_MAX);
  }
  if (--r->waiting == 0)
    send_reply(r);
}

static void on_first(void *arg, int error, const struct names_answer *ans) { take_answer(arg, 0, error, ans); }
static void on_second(void *arg, int error, const struct names_answer *ans) { take_answer(arg, 1, error, ans); }

static void on_cancel(void *arg, int reason) {
  (void)reason;
  resolve_free(arg);
}

/* --- the request ----------------------------------------------------------------------------------------------------- */

static bool parse_types(struct call *call, const Capnet__DnsResolveRequest *rq, enum names_type types[DNS_TYPES_MAX],
                        unsigned *ret_n) {
  types[0] = NAMES_A;
  *ret_n = 1;
  if (rq->n_types == 0)
    return true;
  bool ok = rq->n_types <= DNS_TYPES_MAX && !(rq->n_types == 2 && rq->types[0] == rq->types[1]);
  for (size_t i = 0; ok && i < rq->n_types; i++) {
    ok = rq->types[i] == CAPNET__DNS_TYPE__DNS_TYPE_A || rq->types[i] == CAPNET__DNS_TYPE__DNS_TYPE_AAAA;
    types[i] = rq->types[i] == CAPNET__DNS_TYPE__DNS_TYPE_A ? NAMES_A : NAMES_AAAA;
  }
  if (!ok)
    cap_malformed(call, "types", "A or AAAA, each once");
  *ret_n = (unsigned)rq->n_types;
  return ok;
}

static bool covers(const struct cap *cap, const char *name, unsigned mask) {
  const struct auth_request rq = {.kind = AUTH_DNS, .name = name, .mask = mask};
  struct auth_node_info info;
  auth_info(cap->node, &info);
  return auth_rights_cover(info.rights, &rq);
}

/* Is there a name to ask that the rights cover? Decided for the first such, or refused for the name as it was given. */
static bool decide(struct call *call, const char *name, unsigned mask, bool no_search) {
  struct cap *cap = cap_of(call);
  struct names_info info;
  char candidate[NAMES_NAME_MAX];
  const char *decided = name;
  names_info(cap_room(cap), &info);
  for (unsigned i = 0;; i++) {
    int r = names_candidate(info.config, name, no_search, i, candidate);
    if (r == -ENOENT)
      break;
    if (r == 0 && covers(cap, candidate, mask)) {
      decided = candidate;
      break;
    }
  }
  const struct auth_request rq = {.kind = AUTH_DNS, .name = decided, .mask = mask};
  return cap_decide(call, &rq);
}

static bool may_ask(void *arg, const char *name) {
  const struct resolve *r = arg;
  return covers(r->cap, name, r->mask);
}

static struct resolve *resolve_new(struct call *call, const char *name, unsigned n) {
  struct resolve *r = calloc(1, sizeof *r);
  struct auth_refusal why = {0};
  if (!r) {
    call_error(call, -ENOMEM, NULL, NULL, "out of memory");
    return NULL;
  }
  r->call = call;
  r->cap = cap_of(call);
  (void)snprintf(r->name, sizeof r->name, "%s", name);
  for (; r->n < n; r->n++)
    if (auth_charge(r->cap->node, LIMIT_LOOKUPS, 1, &why) < 0) {
      cap_refuse(call, &why);
      resolve_free(r);
      return NULL;
    }
  return r;
}

static void start(struct resolve *r, struct names *names, struct names_request *nr, const enum names_type *types) {
  r->waiting = r->n;
  for (unsigned i = 0; i < r->n; i++) {
    nr->type = r->answers[i].type = types[i];
    int e = names_resolve(names, nr, i ? on_second : on_first, r, &r->answers[i].query);
    if (e < 0) {
      call_error(r->call, e, NULL, NULL, "the query cannot be made: %s", error_code_sentence(error_code_from_errno(e)));
      resolve_free(r);
      return;
    }
  }
  call_on_cancel(r->call, on_cancel, r);
}

static void dns_resolve(Capnet__DnsResolver_Service *service, const Capnet__DnsResolveRequest *rq,
                        Capnet__DnsResolveReply_Closure closure, void *data) {
  (void)service, (void)closure;
  struct call *call = data;
  struct cap *cap = cap_of(call);
  char name[NAMES_NAME_MAX];
  enum names_type types[DNS_TYPES_MAX];
  unsigned n;
  if (!rq->name || !cap_bound(call, LIMIT_DNS_NAME, strlen(rq->name))) {
    if (!rq->name)
      cap_malformed(call, "name", "is missing");
    return;
  }
  if (names_canonical(rq->name, name) < 0) {
    cap_malformed(call, "name", "not a host name");
    return;
  }
  if (!parse_types(call, rq, types, &n))
    return;
  unsigned mask = 0;
  for (unsigned i = 0; i < n; i++)
    mask |= types[i] == NAMES_A ? AUTH_TYPE_A : AUTH_TYPE_AAAA;
  const bool no_search = rq->no_search || strchr(rq->name, '.') != NULL;
  const uint64_t time_max = auth_limit_value(cap->node, LIMIT_DNS_TIME);
  if (!decide(call, name, mask, no_search) ||
      (rq->has_timeout_ms && !cap_bound(call, LIMIT_DNS_TIME, rq->timeout_ms)))
    return;
  struct resolve *r = resolve_new(call, name, n);
  if (!r)
    return;
  r->mask = mask;
  struct names_request nr = {.name = rq->name,
                             .no_search = no_search,
                             .timeout_ms = rq->has_timeout_ms && rq->timeout_ms ? rq->timeout_ms : time_max,
                             .answer_max = auth_limit_value(cap->node, LIMIT_DNS_ANSWER),
                             .may_ask = may_ask};
  start(r, cap_room(cap), &nr, types);
}

/* --- the table ------------------------------------------------------------------------------------------------------- */

static void dns_release(struct cap *c) { (void)c; } /* queries end with their calls */

static Capnet__DnsResolver_Service dns_service = CAPNET__DNS_RESOLVER__INIT(dns_);

const struct cap_kind cap_dns_kind = {
    .kind = AUTH_DNS, .size = sizeof(struct cap), .service = &dns_service.base, .release = dns_release};
