/* SPDX-License-Identifier: BSD-3-Clause
 * The resolver against a scripted server, over two interfaces of the stack and a clock moved by hand.
 */
#include "../unit/stack_util6.h"
#include "dns_server.h"

/* Nothing can be had while this is set (-Wl,--wrap=calloc). */
static bool out_of_memory;
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size) { return out_of_memory ? NULL : __real_calloc(n, size); }

static struct net net;
static struct dns_server dns;
static struct names *names;
static struct stack_stats before;

struct seen {
  unsigned calls;
  int error;
  struct names_answer a;
  struct names_address addresses[NAMES_ADDRESSES_MAX];
  char aliases[NAMES_ALIASES_MAX][NAMES_NAME_MAX];
};

static void on_answer(void *arg, int error, const struct names_answer *a) {
  struct seen *s = arg;
  s->calls++;
  s->error = error;
  s->a = *a;
  for (unsigned i = 0; i < a->n_addresses; i++)
    s->addresses[i] = a->addresses[i];
  for (unsigned i = 0; i < a->n_aliases; i++)
    memcpy(s->aliases[i], a->aliases[i], NAMES_NAME_MAX);
}

static struct names_config config(unsigned servers) {
  struct names_config c = {.n_servers = servers};
  for (unsigned i = 0; i < servers; i++)
    c.servers[i] = (struct names_server){ep(net.addr_b, i == 0 ? 53 : 5353), "static"};
  return c;
}
static void configure(struct names_config c) { cr_assert_eq(names_configure(names, &c), 0); }

static void setup(void) {
  /* What a host has configured must not matter. */
  setenv("LOCALDOMAIN", "evil.example", 1);
  setenv("RES_OPTIONS", "ndots:9 attempts:9 timeout:90 rotate", 1);
  net_open(&net, NULL);
  dns_open(&dns, &net);
  cr_assert_eq(names_new(net.loop, net.s, &names), 0);
  configure(config(2));
  run(&net, 1 * SEC);
  before = stats_of(&net);
}
static void teardown(void) {
  names = names_free(names);
  run(&net, 300 * SEC); /* past TIME_WAIT */
  struct stack_stats after = stats_of(&net);
  cr_expect_eq(after.udp, before.udp - (dns.ports[0].udp == NULL) - (dns.ports[1].udp == NULL));
  cr_expect_eq(after.tcp_active + after.tcp_time_wait, 0);
  cr_expect_eq(after.pbuf_bytes, before.pbuf_bytes);
  cr_expect_eq(after.asserts, 0);
  dns_close(&dns);
  net_close(&net);
}
TestSuite(names, .init = setup, .fini = teardown, .timeout = 30);

static struct seen s; /* the latest */
static struct names_request rq_of(const char *name) {
  return (struct names_request){.name = name, .type = NAMES_A, .timeout_ms = 20000, .answer_max = 4096};
}
static struct names_query *start(const struct names_request *rq) {
  struct names_query *q = NULL;
  s = (struct seen){0};
  cr_assert_eq(names_resolve(names, rq, on_answer, &s, &q), 0);
  cr_assert_eq(s.calls, 0, "never from inside the call");
  return q;
}
static int ask_for(uint64_t ns, struct names_request rq) {
  (void)start(&rq);
  run(&net, ns);
  cr_assert_eq(s.calls, 1, "%s", rq.name);
  struct names_info i;
  names_info(names, &i);
  cr_expect_eq(i.in_flight, 0);
  return s.error;
}
static int ask(const char *name) { return ask_for(500 * MS, rq_of(name)); }
static uint32_t v4(unsigned i) { return net_addr_to_v4(&s.addresses[i].addr); }
static struct names_info info(void) {
  struct names_info i;
  names_info(names, &i);
  return i;
}

Test(names, address) {
  cr_assert_eq(ask("Host.Test"), 0);
  cr_expect_eq(s.a.n_addresses, 1);
  cr_expect_eq(v4(0), 0xc0000201);
  cr_expect_eq(s.addresses[0].ttl, 77);
  cr_expect_str_eq(s.a.name, "host.test");
  cr_expect_str_eq(s.a.source, "dns");
  cr_expect_eq(s.a.n_aliases, 0);
  struct net_endpoint at = ep(net.addr_b, 53);
  cr_expect(net_endpoint_equal(&s.a.upstream, &at));
  cr_expect_eq(info().in_use, 0);
  cr_expect_eq(info().queries, 1);
  struct names_request rq = rq_of("host.test");
  rq.type = NAMES_AAAA;
  cr_assert_eq(ask_for(SEC, rq), 0);
  char text[NET_ADDR_STRLEN];
  cr_expect_str_eq(net_addr_format(&s.addresses[0].addr, text), "2001:db8::1");
  cr_expect_eq(s.addresses[0].ttl, 78);
}

Test(names, each_failure_is_its_own) {
  configure(config(1));
  cr_expect_eq(ask("nx.test"), -ENOENT);
  cr_expect_eq(ask("nodata.test"), -ENODATA);
  cr_expect_str_eq(info().last_error, "", "these are answers");
  cr_expect_eq(info().failures, 0);
  cr_expect_eq(ask("servfail.test"), -EREMOTEIO);
  cr_expect_str_eq(info().last_error, "servfail.test A: the server failed (10.0.0.2:53)");
  cr_expect_eq(s.a.upstream.port, 53, "a failure names the server that told it");
  cr_expect_eq(ask("refused.test"), -ECONNREFUSED);
  cr_expect_eq(ask("badrr.test"), -EBADMSG);
  cr_expect_eq(ask("cut.test"), -EBADMSG);
  cr_expect_eq(ask_for(20 * SEC, rq_of("junk.test")), -EBADMSG);
  cr_expect_eq(ask_for(20 * SEC, rq_of("silent.test")), -ETIMEDOUT);
  cr_expect_eq(s.a.upstream.addr.family, 0, "nobody told anything");
  cr_expect_eq(ask_for(20 * SEC, rq_of("wrongid.test")), -ETIMEDOUT, "ignored, as if nobody had answered");
  cr_expect_eq(ask_for(20 * SEC, rq_of("stray.test")), -ETIMEDOUT, "from another port of the server");
  cr_expect_eq(info().failures, 8);
  cr_expect_eq(ask("host.test"), 0);
  cr_expect_str_eq(info().last_error, "");
}

Test(names, nobody_listens) {
  dns_deaf(&dns.ports[0]);
  dns_deaf(&dns.ports[1]);
  cr_expect_eq(ask("host.test"), -ECONNREFUSED, "at once, by ICMP");
}

Test(names, another_server_helps) {
  static const enum dns_mode bad[] = {DNS_SERVFAIL, DNS_REFUSED, DNS_SILENT, DNS_JUNK};
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    configure(config(0));
    configure(config(2)); /* forgets which one was in use */
    dns.ports[0].mode = bad[i];
    cr_expect_eq(ask_for(2 * SEC, rq_of("host.test")), 0, "in less than two seconds, row %zu", i);
    cr_expect_eq(s.a.upstream.port, 5353);
    cr_expect_eq(info().in_use, 1);
    unsigned asked = dns.ports[0].queries;
    cr_expect_eq(ask("host.test"), 0);
    cr_expect_eq(dns.ports[0].queries, asked, "the one that works is asked first");
  }
  dns_deaf(&dns.ports[1]);
  dns.ports[0].mode = DNS_ANSWER;
  cr_expect_eq(ask("host.test"), 0);
  cr_expect_eq(info().in_use, 0);
}

Test(names, the_error_that_tells_most) {
  dns.ports[0].mode = DNS_SERVFAIL;
  dns.ports[1].mode = DNS_SILENT;
  cr_expect_eq(ask_for(20 * SEC, rq_of("host.test")), -EREMOTEIO);
  cr_expect_eq(dns.ports[0].queries, 1, "a server that failed is not asked again");
  cr_expect_eq(dns.ports[1].queries, 3);
}

Test(names, fresh_port_and_id_for_each_query) {
  configure(config(1));
  for (int i = 0; i < 20; i++)
    cr_assert_eq(ask("host.test"), 0);
  unsigned same = 0;
  for (int i = 1; i < 20; i++)
    same += dns.ports[0].client[i].port == dns.ports[0].client[i - 1].port;
  cr_expect_eq(same, 0);
}

Test(names, truncated_goes_to_tcp) {
  cr_assert_eq(ask("trunc.test"), 0);
  cr_expect_eq(v4(0), 0xc0000201);
  cr_expect_eq(dns.ports[0].queries, 1);
  cr_expect_eq(dns.ports[0].tcp_queries, 1);
}

Test(names, truncated_and_nobody_on_tcp) {
  configure(config(1));
  dns.ports[0].tcp = stack_listener_close(dns.ports[0].tcp);
  cr_expect_eq(ask_for(10 * SEC, rq_of("trunc.test")), -ECONNREFUSED);
}

Test(names, aliases) {
  cr_assert_eq(ask("alias.test"), 0);
  cr_expect_eq(s.a.n_addresses, 1, "not the stranger's");
  cr_expect_eq(v4(0), 0xc0000209);
  cr_expect_eq(s.addresses[0].ttl, 30, "the least of the chain");
  cr_expect_eq(s.a.n_aliases, 2);
  cr_expect_str_eq(s.aliases[0], "one.test");
  cr_expect_str_eq(s.aliases[1], "two.test");
  cr_expect_eq(ask("loop.test"), -EBADMSG);
  cr_expect_eq(ask("chain16.test"), 0);
  cr_expect_eq(s.a.n_aliases, NAMES_ALIASES_MAX);
  cr_expect_eq(ask("chain17.test"), -EBADMSG);
}

Test(names, answers_up_to_the_limits) {
  cr_expect_eq(ask("many128.test"), 0);
  cr_expect_eq(s.a.n_addresses, NAMES_ADDRESSES_MAX);
  cr_expect_gt(dns.ports[0].queries + dns.ports[0].tcp_queries, 1, "too large for UDP");
  cr_expect_eq(ask("many129.test"), -EMSGSIZE);
  struct names_request rq = rq_of("many5.test");
  rq.answer_max = 20;
  cr_expect_eq(ask_for(SEC, rq), 0);
  rq.answer_max = 19;
  cr_expect_eq(ask_for(SEC, rq), -EMSGSIZE);
}

Test(names, time_is_up) {
  struct names_request rq = rq_of("silent.test");
  rq.timeout_ms = 700;
  (void)start(&rq);
  run(&net, 699 * MS);
  cr_expect_eq(s.calls, 0);
  run(&net, 2 * MS);
  cr_expect_eq(s.calls, 1);
  cr_expect_eq(s.error, -ETIMEDOUT);
  cr_expect_geq(s.a.elapsed_ns, 700 * MS);
}

static struct names_config with_search(bool present, unsigned n) {
  struct names_config c = config(1);
  static const char *const domains[] = {"nowhere.lan", "test"};
  c.search_present = present;
  c.n_search = n;
  for (unsigned i = 0; i < n; i++)
    c.search[i] = (struct names_domain){.origin = "dhcp"}, strcpy(c.search[i].name, domains[i]);
  return c;
}

static void asked_are(const char *const *want) {
  unsigned i = 0;
  for (; want[i] != NULL; i++)
    cr_expect(i < dns.n_asked && strcmp(dns.asked[i], want[i]) == 0, "question %u: %s", i, want[i]);
  cr_expect_eq(dns.n_asked, i);
  dns.n_asked = 0;
}

Test(names, search) {
  configure(with_search(false, 0));
  cr_expect_eq(ask("nx"), -ENOENT);
  asked_are((const char *const[]){"nx", NULL});
  configure(with_search(true, 0));
  cr_expect_eq(ask("nx"), -ENOENT);
  asked_are((const char *const[]){"nx", NULL});
  configure(with_search(true, 2));
  cr_expect_eq(ask("nx"), -ENOENT);
  asked_are((const char *const[]){"nx.nowhere.lan", "nx.test", "nx", NULL});
  cr_expect_eq(ask("nx.dot"), -ENOENT);
  asked_are((const char *const[]){"nx.dot", NULL});
  cr_expect_str_eq(s.a.name, "nx.dot");
  cr_expect_eq(ask("nx."), -ENOENT);
  asked_are((const char *const[]){"nx", NULL});
  cr_expect_eq(ask("host"), 0);
  cr_expect_str_eq(s.a.name, "host.nowhere.lan");
  asked_are((const char *const[]){"host.nowhere.lan", NULL});
  struct names_request rq = rq_of("nx");
  rq.no_search = true;
  cr_expect_eq(ask_for(SEC, rq), -ENOENT);
  asked_are((const char *const[]){"nx", NULL});
  cr_expect_eq(ask("nodata"), -ENODATA);
  dns.n_asked = 0;
  cr_expect_eq(ask("servfail"), -EREMOTEIO, "a failure ends the search: what comes after could be another name");
  asked_are((const char *const[]){"servfail.nowhere.lan", NULL});
}

Test(names, search_passes_over_what_is_too_long) {
  char name[NAMES_NAME_MAX];
  memset(name, 'x', sizeof(name));
  for (int i = 60; i < 250; i += 60)
    name[i] = '.';
  name[250] = '\0';
  struct names_config c = with_search(true, 2);
  strcpy(c.search[0].name, name);
  configure(c);
  cr_expect_eq(ask("host"), 0);
  cr_expect_str_eq(s.a.name, "host.test");
  cr_expect_eq(dns.n_asked, 1);
}

Test(names, nothing_to_ask) {
  configure(config(0));
  cr_expect_eq(ask_for(1 * MS, rq_of("host.test")), -EADDRNOTAVAIL);
  configure(config(2));
  stack_if_clear_ipv4(net.a);
  stack_if_clear_ipv4(net.b);
  cr_expect_eq(ask_for(1 * MS, rq_of("host.test")), -ENONET);
  cr_expect_eq(dns.ports[0].queries, 0);
}

Test(names, the_address_goes_while_asking) {
  struct names_request rq = rq_of("silent.test");
  (void)start(&rq);
  run(&net, 100 * MS);
  stack_if_clear_ipv4(net.a);
  run(&net, 1 * MS);
  cr_expect_eq(s.calls, 1);
  cr_expect_eq(s.error, -ENONET);
}

Test(names, configuration_changes_while_asking) {
  struct names_request rq = rq_of("host.test");
  dns.ports[0].mode = DNS_SILENT;
  (void)start(&rq);
  run(&net, 100 * MS);
  configure(config(1));
  run(&net, 2 * SEC);
  cr_expect_eq(s.calls, 1, "goes on under what it began with");
  cr_expect_eq(s.error, 0);
  cr_expect_eq(info().in_use, -1, "and says nothing of the new servers");
  (void)start(&rq);
  run(&net, 100 * MS);
  configure(config(0));
  cr_expect_eq(s.calls, 0);
  run(&net, 1 * MS);
  cr_expect_eq(s.calls, 1);
  cr_expect_eq(s.error, -ENONET);
}

Test(names, cancel) {
  static const char *const at[] = {"silent.test", "trunc.test", "host.test"};
  for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
    for (unsigned steps = 0; steps < 3; steps++) {
      struct names_request rq = rq_of(at[i]);
      struct names_query *q = start(&rq);
      if (steps > 0 && i == 0)
        run(&net, steps * SEC);
      q = names_cancel(q);
      cr_expect_null(q);
      run(&net, 1 * SEC);
      cr_expect_eq(s.calls, 0);
      cr_expect_eq(info().in_flight, 0);
    }
  }
  cr_expect_null(names_cancel(NULL));
}

Test(names, free_with_queries_under_way) {
  struct names_request rq = rq_of("silent.test");
  for (int i = 0; i < 10; i++)
    (void)start(&rq);
  run(&net, 100 * MS);
  names = names_free(names);
  run(&net, 10 * SEC);
  cr_expect_eq(s.calls, 0);
}

static unsigned answered;
static void count(void *arg _unused_, int error _unused_, const struct names_answer *a _unused_) { answered++; }

Test(names, as_many_as_allowed_and_one_more) {
  struct names_request rq = rq_of("silent.test");
  struct names_query *q;
  rq.timeout_ms = 1000;
  for (int i = 0; i < NAMES_QUERIES_MAX; i++)
    cr_assert_eq(names_resolve(names, &rq, count, NULL, &q), 0);
  cr_expect_eq(names_resolve(names, &rq, count, NULL, &q), -ENOBUFS);
  run(&net, 5 * SEC);
  cr_expect_eq(answered, NAMES_QUERIES_MAX);
}

Test(names, idle_is_idle) {
  cr_assert_eq(ask("host.test"), 0);
  run(&net, 300 * SEC);
  struct loop_stats a, b;
  loop_get_stats(net.loop, &a);
  run(&net, 3600 * SEC);
  loop_get_stats(net.loop, &b);
  /* The stack's neighbours age; nothing of ours may tick each second. */
  cr_expect_lt(b.timer_calls - a.timer_calls, 3600 / 2);
}

Test(names, what_is_a_name) {
  char out[NAMES_NAME_MAX], label[80], name[300] = "";
  static const char *const bad[] = {"", ".", "..", ".a", "a..b", "a b", "a\x1b", "caf\xc3\xa9", "a/b", "a.b.."};
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    struct names_request rq = rq_of(bad[i]);
    struct names_query *q;
    cr_expect_eq(names_canonical(bad[i], out), -EINVAL, "%zu", i);
    cr_expect_eq(names_resolve(names, &rq, on_answer, &s, &q), -EINVAL, "%zu", i);
  }
  cr_expect_eq(names_canonical("WWW.Example_1-x.ORG.", out), 0);
  cr_expect_str_eq(out, "www.example_1-x.org");
  memset(label, 'l', sizeof(label));
  label[63] = '\0';
  cr_expect_eq(names_canonical(label, out), 0);
  label[63] = 'l';
  label[64] = '\0';
  cr_expect_eq(names_canonical(label, out), -EINVAL);
  label[63] = '\0';
  for (int last = 61; last <= 62; last++) {
    snprintf(name, sizeof(name), "%s.%s.%s.%.*s", label, label, label, last, label);
    cr_expect_eq(names_canonical(name, out), last == 61 ? 0 : -EINVAL);
  }
}

/* A server of IPv6, by UDP and after truncation by TCP; and a link-local one, which is one of its link. */
static void asks_over_ipv6(const char *server, const char *ifname) {
  net_add_v6(&net);
  dns_close(&dns);
  net.addr_b = addr_of(server);
  dns_open(&dns, &net);
  struct names_config c = config(1);
  c.server_if[0] = ifname;
  configure(c);
  cr_expect_eq(ask_for(3 * SEC, rq_of("host.test")), 0);
  cr_expect_eq(s.a.n_addresses, 1);
  cr_expect(net_endpoint_equal(&s.a.upstream, &c.servers[0].addr));
  cr_expect_eq(ask_for(3 * SEC, rq_of("trunc.test")), 0);
  cr_expect_eq(dns.ports[0].tcp_queries, 1);
}

Test(names, servers_of_ipv6) { asks_over_ipv6("2001:db8::2", NULL); }
Test(names, a_link_local_server_is_asked_on_its_link) { asks_over_ipv6("fe80::2", "a"); }

Test(names, a_link_local_server_of_a_link_that_is_gone) {
  struct names_config c = config(1);
  net_add_v6(&net);
  c.servers[0].addr.addr = addr_of("fe80::2");
  c.server_if[0] = "gone";
  configure(c);
  cr_expect_eq(ask("host.test"), -ENONET, "no way there");
}

/* Who is not vouched for any more is not asked, even when those who are cannot be written down. */
Test(names, out_of_memory_leaves_no_stale_server) {
  cr_assert_eq(ask("host.test"), 0);
  struct names_config other = config(1);
  other.servers[0].addr.port = 5353;
  struct names_request rq = rq_of("slow.test");
  dns.ports[0].mode = DNS_SILENT;
  (void)start(&rq);
  run(&net, 10 * MS);
  out_of_memory = true;
  cr_expect_eq(names_configure(names, &other), -ENOMEM);
  out_of_memory = false;
  cr_expect_eq(info().config->n_servers, 0);
  cr_expect_eq(info().in_use, -1);
  run(&net, 1 * MS);
  cr_assert_eq(s.calls, 1, "what was under way ends");
  cr_expect_eq(s.error, -ENONET);
  dns.ports[0].mode = DNS_ANSWER;
  cr_expect_eq(ask_for(10 * MS, rq_of("host.test")), -EADDRNOTAVAIL);
  out_of_memory = true;
  run(&net, 1500 * MS);
  out_of_memory = false;
  cr_expect_eq(info().config->n_servers, 0);
  run(&net, 1 * SEC);
  cr_assert_eq(info().config->n_servers, 1, "there is memory again");
  cr_assert_eq(ask("host.test"), 0);
  struct net_endpoint at = ep(net.addr_b, 5353);
  cr_expect(net_endpoint_equal(&s.a.upstream, &at));
}
