/* SPDX-License-Identifier: BSD-3-Clause
 * The getaddrinfo shim: numeric hosts, services and hints against libc's own as the oracle; names against a scripted
 * resolver that is reached as a program reaches it, through CAPNET_FDS.
 */
#include "clients/gai.h"
#include "fake_daemon.h"
#include "fd_util.h"
#include "proto/dns.pb-c.h"
#include "proto/grant.pb-c.h"

#include <arpa/inet.h>
#include <fcntl.h>

/* --- against libc ------------------------------------------------------------------------------------------------- */

static void setup(void) {
  unsetenv("CAPNET_FDS");
  unsetenv("CAPNET_GRANT");
  setenv("CAPNET_GRANTS_DIR", "/nonexistent", 1);
}
TestSuite(gai, .init = setup, .timeout = 60);

static const char *text_of(const struct addrinfo *a, char buf[160]) {
  char host[64] = "?";
  uint16_t port = 0;
  uint32_t scope = 0;
  if (a->ai_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)a->ai_addr;
    inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
    port = ntohs(in->sin_port);
  } else {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)a->ai_addr;
    inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
    port = ntohs(in6->sin6_port);
    scope = in6->sin6_scope_id;
  }
  (void)snprintf(buf, 160, "%d %s %u%%%u type %d proto %d len %u family %d name %s", a->ai_family, host, port, scope,
                 a->ai_socktype, a->ai_protocol, a->ai_addrlen, a->ai_addr->sa_family,
                 a->ai_canonname ? a->ai_canonname : "-");
  return buf;
}

/* Returns whether it was a success, so that the caller can see that the table is no list of failures. */
static int compare(const char *node, const char *service, const struct addrinfo *hints) {
  struct addrinfo *ours = NULL, *libc = NULL;
  int r = gai_getaddrinfo(node, service, hints, &ours), expected = getaddrinfo(node, service, hints, &libc);
  char what[200], a[160], b[160];
  (void)snprintf(what, sizeof what, "node %s service %s flags %x family %d type %d protocol %d", node ? node : "NULL",
                 service ? service : "NULL", hints ? hints->ai_flags : -1, hints ? hints->ai_family : -1,
                 hints ? hints->ai_socktype : -1, hints ? hints->ai_protocol : -1);
  cr_assert_eq(r, expected, "%s: %d, libc says %d", what, r, expected);
  struct addrinfo *x = ours, *y = libc;
  for (; r == 0 && x && y; x = x->ai_next, y = y->ai_next)
    cr_assert_str_eq(text_of(x, a), text_of(y, b), "%s", what);
  if (r == 0)
    cr_assert(!x && !y, "%s: lengths differ", what);
  gai_freeaddrinfo(ours);
  if (expected == 0)
    freeaddrinfo(libc);
  return r == 0;
}

/* No row asks anything of the network: hosts are numeric, or absent. */
Test(gai, numeric_hosts_and_hints_as_libc) {
  static const char *const nodes[] = {"192.0.2.1", "127.1",   "0x7f.1",         "2001:db8::1",   "::ffff:192.0.2.1",
                                      "fe80::1%7", "fe80::1", "2001:db8::1%99", "255.255.255.255"};
  static const char *const services[] = {NULL, "", "80", "0", "65535", "http", "domain", "no-such-service"};
  static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX};
  static const int types[][2] = {{0, 0},           {SOCK_STREAM, 0},           {SOCK_DGRAM, 0},
                                 {SOCK_RAW, 0},    {0, IPPROTO_TCP},           {0, IPPROTO_UDP},
                                 {SOCK_RAW, 47},   {SOCK_STREAM, IPPROTO_UDP}, {SOCK_STREAM, IPPROTO_SCTP},
                                 {SOCK_RDM, 0},    {0, 47},                    {SOCK_DGRAM, IPPROTO_UDPLITE}};
  static const int flags[] = {0, AI_NUMERICHOST, AI_NUMERICSERV, AI_PASSIVE, AI_CANONNAME, AI_V4MAPPED,
                              AI_V4MAPPED | AI_ALL, 0x4000};
  unsigned good = 0;
  for (size_t n = 0; n < ARRAY_SIZE(nodes); n++)
    for (size_t s = 0; s < ARRAY_SIZE(services); s++)
      for (size_t f = 0; f < ARRAY_SIZE(families); f++)
        for (size_t t = 0; t < ARRAY_SIZE(types); t++)
          for (size_t g = 0; g < ARRAY_SIZE(flags); g++) {
            struct addrinfo hints = {.ai_flags = flags[g], .ai_family = families[f], .ai_socktype = types[t][0],
                                     .ai_protocol = types[t][1]};
            good += (unsigned)compare(nodes[n], services[s], &hints);
          }
  cr_assert_gt(good, 1000);
}

Test(gai, no_host_as_libc) {
  static const int families[] = {AF_INET, AF_INET6};
  static const int flags[] = {0, AI_PASSIVE, AI_CANONNAME, AI_PASSIVE | AI_NUMERICSERV};
  for (size_t f = 0; f < ARRAY_SIZE(families); f++)
    for (size_t g = 0; g < ARRAY_SIZE(flags); g++) {
      struct addrinfo hints = {.ai_flags = flags[g], .ai_family = families[f]};
      (void)compare(NULL, "80", &hints);
      (void)compare(NULL, "http", &hints);
      (void)compare(NULL, NULL, &hints);
      (void)compare("not-numeric", "80", &(struct addrinfo){.ai_flags = AI_NUMERICHOST, .ai_family = families[f]});
    }
  (void)compare("192.0.2.1", "80", NULL);
  struct addrinfo *res, hints = {.ai_socktype = SOCK_STREAM};
  cr_assert_eq(gai_getaddrinfo(NULL, "80", &hints, &res), 0);
  cr_assert(res->ai_next && !res->ai_next->ai_next, "both families");
  /* Any part of a list can be freed by itself. */
  struct addrinfo *second = res->ai_next;
  res->ai_next = NULL;
  gai_freeaddrinfo(res);
  gai_freeaddrinfo(second);
  gai_freeaddrinfo(NULL);
}

Test(gai, limits) {
  struct addrinfo *res, hints = {0};
  char name[NI_MAXHOST + 1];
  cr_assert_eq(gai_getaddrinfo("192.0.2.1", "65536", &hints, &res), EAI_SERVICE);
  memset(name, 'a', sizeof name - 1);
  name[NI_MAXHOST] = 0;
  cr_assert_eq(gai_getaddrinfo(name, NULL, &hints, &res), EAI_NONAME);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

struct script {
  int shared;
  struct fake fake;
  Capnet__ErrorCode a, aaaa, whole; /* UNSPECIFIED: an address, or no error at all */
  unsigned asked_a, asked_aaaa, resolvers;
  bool says_reachable, reaches4, reaches6;
};

static void give_endpoint(int fd, uint64_t call, bool opened, int *ret) {
  int pair[2];
  Capnet__Descriptor d = CAPNET__DESCRIPTOR__INIT;
  Capnet__GrantOpenReply open = CAPNET__GRANT_OPEN_REPLY__INIT;
  Capnet__GrantTakeReply take = CAPNET__GRANT_TAKE_REPLY__INIT;
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  d.has_slot = 1;
  open.endpoint = take.endpoint = &d;
  if (opened)
    fake_reply(fd, call, &open, false, &pair[1], 1);
  else
    fake_reply(fd, call, &take, false, &pair[1], 1);
  close(pair[1]);
  *ret = pair[0];
}

static void answer(struct script *s, int fd, const Capnet__Frame *f) {
  ProtobufCMessage *body;
  cr_assert_eq(body_decode(&capnet__dns_resolve_request__descriptor, &f->body, &body), 0);
  Capnet__DnsResolveRequest *q = (Capnet__DnsResolveRequest *)body;
  Capnet__DnsResolveReply reply = CAPNET__DNS_RESOLVE_REPLY__INIT;
  Capnet__DnsAnswer answers[2], *list[2];
  Capnet__Error errors[2];
  Capnet__DnsAddress addr = CAPNET__DNS_ADDRESS__INIT, addr6 = addr, *addrs[] = {&addr}, *addrs6[] = {&addr6};
  char *aliases[] = {(char *)"real.example.test"};
  addr.address = (char *)"192.0.2.7";
  addr6.address = (char *)"2001:db8::7";
  for (size_t i = 0; i < q->n_types; i++) {
    bool v6 = q->types[i] == CAPNET__DNS_TYPE__DNS_TYPE_AAAA;
    Capnet__ErrorCode code = v6 ? s->aaaa : s->a;
    s->asked_a += !v6;
    s->asked_aaaa += v6;
    answers[i] = (Capnet__DnsAnswer)CAPNET__DNS_ANSWER__INIT;
    errors[i] = (Capnet__Error)CAPNET__ERROR__INIT;
    errors[i].has_code = answers[i].has_type = 1;
    errors[i].code = code;
    answers[i].type = q->types[i];
    answers[i].error = code ? &errors[i] : NULL;
    answers[i].n_addresses = code ? 0 : 1;
    answers[i].addresses = v6 ? addrs6 : addrs;
    answers[i].has_reachable = s->says_reachable;
    answers[i].reachable = v6 ? s->reaches6 : s->reaches4;
    list[i] = &answers[i];
  }
  reply.name = q->name;
  reply.n_aliases = 1;
  reply.aliases = aliases;
  reply.n_answers = q->n_types;
  reply.answers = list;
  if (s->whole)
    fake_error(fd, f->call, s->whole, "not here", "web", "dns");
  else
    fake_reply(fd, f->call, &reply, false, NULL, 0);
  body_free(body);
}

/* One thread serves the shared descriptor, private endpoints and resolvers: which is which, kind says. */
static void serve(int shared, void *arg) {
  struct script *s = arg;
  struct pollfd p[64] = {{.fd = shared, .events = POLLIN}};
  char kind[64] = {'s'};
  unsigned n = 1;
  while (p[0].fd >= 0) {
    cr_assert_gt(poll(p, n, -1), 0);
    for (unsigned i = 0, have = n; i < have; i++) {
      Capnet__Frame *f = p[i].revents ? fake_frame(p[i].fd) : NULL;
      if (p[i].revents && !f) {
        if (i)
          close(p[i].fd);
        p[i].fd = -1;
      } else if (f && kind[i] == 'r') {
        answer(s, p[i].fd, f);
      } else if (f && f->kind == CAPNET__FRAME__KIND__REQUEST) {
        p[n] = (struct pollfd){.events = POLLIN};
        give_endpoint(p[i].fd, f->call, kind[i] == 's', &p[n].fd);
        s->resolvers += kind[i] == 'g';
        kind[n++] = kind[i] == 's' ? 'g' : 'r';
      }
      frame_free(f);
    }
  }
  for (unsigned i = 1; i < n; i++)
    if (p[i].fd >= 0)
      close(p[i].fd);
}

static void begin(struct script *s) {
  char text[64];
  capnet *cap = fake_start(&s->fake, serve, s);
  s->shared = fcntl(capnet_fd(cap), F_DUPFD, 3);
  capnet_close(cap);
  (void)snprintf(text, sizeof text, "web=%d", s->shared);
  setenv("CAPNET_FDS", text, 1);
}
static void end(struct script *s) {
  close(s->shared);
  fake_stop(&s->fake);
}

/* The addresses of a result in order, as one line. */
static int look_up(int family, int flags, char ret[200]) {
  struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = flags}, *res;
  int r = gai_getaddrinfo("www", "443", &hints, &res);
  char buf[64];
  *ret = 0;
  if (r)
    return r;
  for (struct addrinfo *a = res; a; a = a->ai_next) {
    if (a->ai_family == AF_INET)
      inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)a->ai_addr)->sin_addr, buf, sizeof buf);
    else
      inet_ntop(AF_INET6, &((struct sockaddr_in6 *)(void *)a->ai_addr)->sin6_addr, buf, sizeof buf);
    strcat(strcat(ret, *ret ? " " : ""), buf);
    if (a->ai_canonname)
      strcat(strcat(ret, " = "), a->ai_canonname);
  }
  gai_freeaddrinfo(res);
  return 0;
}

Test(gai, families_and_flags_of_names) {
  static const struct {
    int family, flags;
    Capnet__ErrorCode a, aaaa;
    const char *expected;
    unsigned asked_a, asked_aaaa;
  } cases[] = {
      {AF_INET, 0, 0, 0, "192.0.2.7", 1, 0},
      {AF_INET6, 0, 0, 0, "2001:db8::7", 0, 1},
      {AF_UNSPEC, 0, 0, 0, "192.0.2.7 2001:db8::7", 1, 1},
      {AF_UNSPEC, AI_ADDRCONFIG, 0, CODE(NO_DATA), "192.0.2.7", 1, 1},
      {AF_UNSPEC, 0, CODE(TIMED_OUT), 0, "2001:db8::7", 1, 1},
      {AF_INET6, AI_V4MAPPED, 0, 0, "2001:db8::7", 1, 1},
      {AF_INET6, AI_V4MAPPED, 0, CODE(NO_DATA), "::ffff:192.0.2.7", 1, 1},
      {AF_INET6, AI_V4MAPPED | AI_ALL, 0, 0, "2001:db8::7 ::ffff:192.0.2.7", 1, 1},
      {AF_UNSPEC, AI_V4MAPPED | AI_ALL, 0, 0, "192.0.2.7 2001:db8::7", 1, 1},
      {AF_INET, AI_CANONNAME, 0, 0, "192.0.2.7 = real.example.test", 1, 0},
  };
  struct script s = {0};
  begin(&s);
  for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
    char got[200];
    s.a = cases[i].a;
    s.aaaa = cases[i].aaaa;
    s.asked_a = s.asked_aaaa = 0;
    cr_assert_eq(look_up(cases[i].family, cases[i].flags, got), 0, "case %zu", i);
    cr_assert_str_eq(got, cases[i].expected, "case %zu", i);
    cr_assert_eq(s.asked_a, cases[i].asked_a, "case %zu", i);
    cr_assert_eq(s.asked_aaaa, cases[i].asked_aaaa, "case %zu", i);
  }
  cr_assert_eq(s.resolvers, 1, "the capability is kept");
  end(&s);
}

/* RFC 6724 6 rule 1, as the daemon tells of its stack. */
Test(gai, what_can_be_reached_comes_first) {
  static const struct {
    int family, flags;
    bool reaches4, reaches6;
    const char *expected;
  } cases[] = {
      {AF_UNSPEC, 0, true, true, "2001:db8::7 192.0.2.7"},
      {AF_UNSPEC, 0, true, false, "192.0.2.7 2001:db8::7"},
      {AF_UNSPEC, 0, false, true, "2001:db8::7 192.0.2.7"},
      {AF_UNSPEC, 0, false, false, "192.0.2.7 2001:db8::7"},
      {AF_UNSPEC, AI_ADDRCONFIG, true, false, "192.0.2.7"},
      {AF_UNSPEC, AI_ADDRCONFIG, false, true, "2001:db8::7"},
      {AF_UNSPEC, AI_ADDRCONFIG, false, false, "192.0.2.7 2001:db8::7"},
      {AF_INET6, 0, true, false, "2001:db8::7"},
  };
  struct script s = {.says_reachable = true};
  begin(&s);
  for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
    char got[200];
    s.reaches4 = cases[i].reaches4;
    s.reaches6 = cases[i].reaches6;
    cr_assert_eq(look_up(cases[i].family, cases[i].flags, got), 0, "case %zu", i);
    cr_assert_str_eq(got, cases[i].expected, "case %zu", i);
  }
  end(&s);
}

Test(gai, each_failure_is_its_own) {
  static const struct {
    Capnet__ErrorCode a, aaaa, whole;
    int expected, error;
  } cases[] = {
      {CODE(NOT_FOUND), CODE(NOT_FOUND), 0, EAI_NONAME, 0},
      {CODE(NO_DATA), CODE(NO_DATA), 0, EAI_NODATA, 0},
      {CODE(NO_DATA), CODE(TIMED_OUT), 0, EAI_AGAIN, 0},
      {CODE(SERVER_FAILURE), CODE(NO_DATA), 0, EAI_AGAIN, 0},
      {CODE(SERVER_REFUSED), CODE(NO_DATA), 0, EAI_FAIL, 0},
      {CODE(MALFORMED_ANSWER), CODE(MALFORMED_ANSWER), 0, EAI_FAIL, 0},
      {CODE(NO_DATA), CODE(DENIED), 0, EAI_NODATA, 0},
      {CODE(DENIED), CODE(DENIED), 0, EAI_FAIL, EACCES},
      {0, 0, CODE(DENIED), EAI_FAIL, EACCES},
      {0, 0, CODE(NO_CONFIGURATION), EAI_AGAIN, ENONET},
      {0, 0, CODE(UNAVAILABLE), EAI_AGAIN, 0},
      {0, 0, CODE(OVER_BUDGET), EAI_AGAIN, EDQUOT},
      {0, 0, CODE(REVOKED), EAI_FAIL, EKEYREVOKED},
      {0, 0, CODE(NOT_FOUND), EAI_NONAME, 0},
  };
  struct script s = {0};
  begin(&s);
  for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
    char got[200];
    s.a = cases[i].a;
    s.aaaa = cases[i].aaaa;
    s.whole = cases[i].whole;
    errno = 0;
    cr_assert_eq(look_up(AF_UNSPEC, 0, got), cases[i].expected, "case %zu", i);
    if (cases[i].error)
      cr_assert_eq(errno, cases[i].error, "case %zu", i);
  }
  end(&s);
}

Test(gai, without_a_capability_there_is_no_other_way) {
  char got[200];
  cr_assert_eq(look_up(AF_UNSPEC, 0, got), EAI_FAIL);
  struct addrinfo *res;
  cr_assert_eq(gai_getaddrinfo("localhost", NULL, NULL, &res), EAI_FAIL, "libc would know it");
}

static void *many(void *arg) {
  (void)arg;
  for (int i = 0; i < 50; i++) {
    char got[200];
    cr_assert_eq(look_up(AF_UNSPEC, 0, got), 0);
    cr_assert_str_eq(got, "192.0.2.7 2001:db8::7");
  }
  return NULL;
}

Test(gai, threads) {
  struct script s = {0};
  pthread_t threads[4];
  begin(&s);
  for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
    cr_assert_eq(pthread_create(&threads[i], NULL, many, NULL), 0);
  for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
    pthread_join(threads[i], NULL);
  cr_assert_leq(s.resolvers, ARRAY_SIZE(threads));
  end(&s);
}
