/* SPDX-License-Identifier: BSD-3-Clause
 * Ping and DnsResolver over frames: each bound at N and N+1, what is denied reaches nobody, and every end gives back.
 */
#include "cap_client.h"
#include "proto/dns.pb-c.h"

TestSuite(cap_echo, .timeout = 60);

static const struct item_spec items[] = {
    {"ping", AUTH_PING, {"10.0.0.0/24"}, {{LIMIT_PING_COUNT, 5}, {LIMIT_PING_INTERVAL_MIN, 300}, {LIMIT_PING_PAYLOAD, 100}, {LIMIT_PINGS, 2}}, 0},
    {"dns", AUTH_DNS, {"test A,AAAA", "only-a.org A"}, {{LIMIT_DNS_NAME, 20}, {LIMIT_DNS_TIME, 4000}, {LIMIT_LOOKUPS, 3}}, 0},
};
#define N_ITEMS ARRAY_SIZE(items)

struct echo {
  const char *target;
  int count, interval, payload, timeout, ttl; /* -1: absent */
};

static uint64_t ask_echo(int fd, const struct echo *e) {
  Capnet__PingEchoRequest rq = CAPNET__PING_ECHO_REQUEST__INIT;
  rq.target = (char *)e->target;
  rq.has_count = e->count >= 0;
  rq.count = (uint32_t)e->count;
  rq.has_interval_ms = e->interval >= 0;
  rq.interval_ms = (uint32_t)e->interval;
  rq.has_payload = e->payload >= 0;
  rq.payload = (uint32_t)e->payload;
  rq.has_timeout_ms = e->timeout >= 0;
  rq.timeout_ms = (uint32_t)e->timeout;
  rq.has_ttl = e->ttl >= 0;
  rq.ttl = (uint32_t)e->ttl;
  return ask(fd, ECHO, &rq.base);
}

#define PEER "10.0.0.77" /* nobody is there: each request times out */

Test(cap_echo, each_bound_of_ping_at_n_and_one_over) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "ping");
  const uint64_t before = world_frames(&w);
  const struct {
    struct echo e;
    int code;
    const char *rule;
  } all[] = {{{PEER, 6, -1, -1, -1, -1}, ERR(DENIED), "ping.count"},
             {{PEER, 2, 299, -1, -1, -1}, ERR(DENIED), "ping.interval.min"},
             {{PEER, 1, -1, 101, -1, -1}, ERR(DENIED), "ping.payload"},
             {{"10.0.1.1", 1, -1, -1, -1, -1}, ERR(DENIED), "ping"},
             {{"10.0.0.1", 1, -1, -1, -1, -1}, ERR(DENIED), "ping"}, /* an own address */
             {{"10.0.0.255", 1, -1, -1, -1, -1}, ERR(DENIED), "ping"},
             {{"::ffff:10.0.0.255", 1, -1, -1, -1, -1}, ERR(DENIED), "ping"},
             {{"255.255.255.255", 1, -1, -1, -1, -1}, ERR(DENIED), "ping"},
             {{"127.0.0.1", 1, -1, -1, -1, -1}, ERR(DENIED), "ping"},
             {{NULL, 1, -1, -1, -1, -1}, ERR(MALFORMED), "target"},
             {{"host.test", 1, -1, -1, -1, -1}, ERR(MALFORMED), "target"},
             {{PEER, 0, -1, -1, -1, -1}, ERR(MALFORMED), NULL},
             {{PEER, 65536, -1, -1, -1, -1}, ERR(MALFORMED), NULL},
             {{PEER, 1, -1, -1, 0, -1}, ERR(MALFORMED), NULL},
             {{PEER, 1, -1, -1, 60001, -1}, ERR(MALFORMED), NULL},
             {{PEER, 1, -1, -1, -1, 0}, ERR(MALFORMED), NULL},
             {{PEER, 1, -1, -1, -1, 256}, ERR(MALFORMED), NULL},
             {{PEER, 1, -1, 65508, -1, -1}, ERR(MALFORMED), NULL},
             {{PEER, 2, 3600001, -1, -1, -1}, ERR(MALFORMED), NULL},
             {{PEER, 5, 300, -1, 19201, -1}, ERR(MALFORMED), "interval_ms"}};
  for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
    (void)ask_echo(fd, &all[i].e);
    world_run(&w, 0);
    _answer_ struct answer a = hear(&w, fd, NULL);
    cr_expect_eq(a.code, all[i].code, "%zu: %s", i, a.code ? error_code_name((Capnet__ErrorCode)a.code) : "a reply");
    if (all[i].rule)
      cr_expect_str_eq(rule_of(&a), all[i].rule, "%zu", i);
  }
  cr_expect_eq(world_frames(&w), before, "nothing of it reaches the wire");
  const struct echo most = {PEER, 5, 300, 100, 1000, 255};
  uint64_t id = ask_echo(fd, &most);
  world_run(&w, 10000);
  for (uint32_t seq = 1; seq <= 5; seq++) {
    _answer_ struct answer a = hear(&w, fd, &capnet__ping_echo_event__descriptor);
    cr_assert(a.got && a.call == id && !a.code);
    const Capnet__PingEchoEvent *ev = (Capnet__PingEchoEvent *)a.body;
    cr_expect_eq(ev->kind, CAPNET__PING_ECHO_EVENT__KIND__TIMEOUT);
    cr_expect_eq(ev->seq, seq);
    cr_expect_eq(a.more, seq < 5);
  }
  world_close(&w);
}

Test(cap_echo, sessions_of_ping_run_out_and_come_back) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int fd = take_one(&w, "ping"), other = take_one(&w, "ping");
  const struct echo e = {PEER, 5, 1000, -1, 1000, -1};
  uint64_t id = ask_echo(fd, &e);
  (void)ask_echo(other, &e);
  world_run(&w, 0);
  (void)ask_echo(fd, &e);
  world_run(&w, 0);
  _answer_ struct answer third = hear(&w, fd, NULL);
  expect_code(third.code, OVER_BUDGET);
  cr_expect_str_eq(rule_of(&third), "pings");
  cancel(fd, id);
  world_run(&w, 0);
  _answer_ struct answer cancelled = hear(&w, fd, NULL);
  expect_code(cancelled.code, CANCELLED);
  drop(&w, other);
  world_run(&w, 10000);
  const uint64_t quiet = world_frames(&w);
  world_run(&w, 10000);
  cr_expect_eq(world_frames(&w), quiet, "no request after the end");
  (void)ask_echo(fd, &e);
  (void)ask_echo(fd, &e);
  world_run(&w, 0);
  expect_silence(&w, fd);
  world_close(&w);
}

/* --- names ------------------------------------------------------------------------------------------------------------------- */

static uint64_t ask_name(int fd, const char *name, int n_types, const Capnet__DnsType *types, uint32_t timeout_ms) {
  Capnet__DnsResolveRequest rq = CAPNET__DNS_RESOLVE_REQUEST__INIT;
  rq.name = (char *)name;
  rq.types = (Capnet__DnsType *)types;
  rq.n_types = (size_t)n_types;
  rq.has_timeout_ms = timeout_ms != 0;
  rq.timeout_ms = timeout_ms;
  return ask(fd, RESOLVE, &rq.base);
}

static const Capnet__DnsType both[] = {CAPNET__DNS_TYPE__DNS_TYPE_A, CAPNET__DNS_TYPE__DNS_TYPE_AAAA},
                             twice[] = {CAPNET__DNS_TYPE__DNS_TYPE_A, CAPNET__DNS_TYPE__DNS_TYPE_A},
                             odd[] = {(Capnet__DnsType)15};

static void silent_server(struct world *w) {
  struct names_config c = {.n_servers = 1};
  c.servers[0] = (struct names_server){ep(addr_of("10.0.0.77"), 53), "static"};
  cr_assert_eq(names_configure(w->names, &c), 0);
}

Test(cap_echo, short_calls_keep_the_interval_together) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  int a = take_one(&w, "ping"), b = take_one(&w, "ping");
  const struct echo one = {PEER, 1, -1, -1, 50, -1};
  uint64_t first = ask_echo(a, &one), second = ask_echo(b, &one);
  world_run(&w, 100);
  _answer_ struct answer now = hear(&w, a, &capnet__ping_echo_event__descriptor);
  cr_expect(now.got && now.call == first && !now.more, "sent at once, timed out after 50 ms");
  expect_silence(&w, b);
  world_run(&w, 200);
  expect_silence(&w, b); /* its request leaves at 300 ms: the least interval is the item's, not the call's */
  world_run(&w, 60);
  _answer_ struct answer later = hear(&w, b, &capnet__ping_echo_event__descriptor);
  cr_expect(later.got && later.call == second && !later.more);
  world_close(&w);
}

Test(cap_echo, each_bound_of_dns_at_n_and_one_over) {
  struct world w;
  world_open(&w, items, N_ITEMS);
  silent_server(&w);
  int fd = take_one(&w, "dns");
  const uint64_t before = world_frames(&w);
  const struct {
    const char *name;
    int n;
    const Capnet__DnsType *types;
    uint32_t timeout;
    int code;
    const char *rule;
  } all[] = {{"abcdefghijklmnop.test", 0, NULL, 0, ERR(DENIED), "dns.name"}, /* 21 bytes */
             {"host.test", 0, NULL, 4001, ERR(DENIED), "dns.time"},
             {"host.example", 0, NULL, 0, ERR(DENIED), "dns"},
             {"test.example", 0, NULL, 0, ERR(DENIED), "dns"},
             {"nottest", 0, NULL, 0, ERR(DENIED), "dns"},
             {"only-a.org", 2, both, 0, ERR(DENIED), "dns"},
             {NULL, 0, NULL, 0, ERR(MALFORMED), "name"},
             {"", 0, NULL, 0, ERR(MALFORMED), "name"},
             {"a..test", 0, NULL, 0, ERR(MALFORMED), "name"},
             {"host name.test", 0, NULL, 0, ERR(MALFORMED), "name"},
             {"host.test", 2, twice, 0, ERR(MALFORMED), "types"},
             {"host.test", 1, odd, 0, ERR(MALFORMED), "types"}};
  for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
    (void)ask_name(fd, all[i].name, all[i].n, all[i].types, all[i].timeout);
    world_run(&w, 0);
    _answer_ struct answer a = hear(&w, fd, NULL);
    cr_expect_eq(a.code, all[i].code, "%zu: %s", i, a.code ? error_code_name((Capnet__ErrorCode)a.code) : "a reply");
    cr_expect_str_eq(rule_of(&a), all[i].rule, "%zu", i);
  }
  cr_expect_eq(world_frames(&w), before, "nothing of it goes upstream");
  (void)ask_name(fd, "abcdefghijklmno.test", 2, both, 4000); /* 20 bytes, 4 s */
  world_run(&w, 0);
  expect_silence(&w, fd);
  (void)ask_name(fd, "b.test", 2, both, 0); /* four of three look-ups: and neither is begun */
  world_run(&w, 0);
  _answer_ struct answer over = hear(&w, fd, NULL);
  expect_code(over.code, OVER_BUDGET);
  cr_expect_str_eq(rule_of(&over), "lookups");
  uint64_t id = ask_name(fd, "c.test", 0, NULL, 0);
  world_run(&w, 0);
  expect_silence(&w, fd);
  cancel(fd, id);
  world_run(&w, 0);
  _answer_ struct answer cancelled = hear(&w, fd, NULL);
  expect_code(cancelled.code, CANCELLED);
  world_run(&w, 5000);
  _answer_ struct answer done = hear(&w, fd, &capnet__dns_resolve_reply__descriptor);
  cr_assert(done.got && done.body);
  const Capnet__DnsResolveReply *r = (Capnet__DnsResolveReply *)done.body;
  cr_assert_eq(r->n_answers, 2);
  for (int i = 0; i < 2; i++) {
    cr_assert_not_null(r->answers[i]->error);
    cr_expect_neq(r->answers[i]->error->code, ERR(UNAVAILABLE));
  }
  world_close(&w);
}

Test(cap_echo, before_an_address_and_without_servers) {
  struct world w;
  world_open_bare(&w, items, N_ITEMS);
  const uint64_t before = world_frames(&w);
  int ping = take_one(&w, "ping"), dns = take_one(&w, "dns");
  (void)ask_echo(ping, &(struct echo){PEER, 1, -1, -1, -1, -1});
  world_run(&w, 0);
  _answer_ struct answer a = hear(&w, ping, NULL);
  expect_code(a.code, NO_CONFIGURATION);
  for (int i = 0; i < 2; i++) {
    if (i)
      silent_server(&w);
    (void)ask_name(dns, "host.test", 0, NULL, 0);
    world_run(&w, 5000);
    _answer_ struct answer b = hear(&w, dns, &capnet__dns_resolve_reply__descriptor);
    int code = b.code;
    if (b.body) {
      const Capnet__DnsResolveReply *r = (Capnet__DnsResolveReply *)b.body;
      cr_assert_eq(r->n_answers, 1);
      cr_assert_not_null(r->answers[0]->error);
      code = (int)r->answers[0]->error->code;
    }
    if (i)
      expect_code(code, NO_CONFIGURATION);
    else
      cr_expect(code == ERR(UNAVAILABLE) || code == ERR(NO_CONFIGURATION), "%s", error_code_name((Capnet__ErrorCode)code));
  }
  cr_expect_eq(world_frames(&w), before);
  world_close(&w);
}
