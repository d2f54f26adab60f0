/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-ping, capnet-resolve and capnet-status as programs, against a daemon of a few lines that serves a grant's
 * socket: what they ask, what they print, and how they exit.
 */
#include "fake_daemon.h"
#include "proto/dns.pb-c.h"
#include "proto/grant.pb-c.h"
#include "proto/ping.pb-c.h"
#include "proto/status.pb-c.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/un.h>
#include <sys/wait.h>

#define ENDPOINTS_MAX 32
#define PING_COUNT 2 /* what the grant allows in one call */
enum { DESCRIBE = 0, OPEN = 16, TAKE = 18, FIRST = 16, SECOND = 17 };

struct endpoint {
  int fd;
  char kind[16]; /* "grant", "ping", "dns", "status" */
  struct world *world;
  pthread_t thread;
};
struct world {
  char dir[64], path[96];
  int listen_fd, stop[2];
  pthread_t acceptor;
  struct endpoint endpoints[ENDPOINTS_MAX];
  _Atomic unsigned n;
  _Atomic unsigned pings, calls, largest; /* echo requests, calls, and the largest count of one */
};

static void *serve(void *arg);

static void start_endpoint(struct world *w, int fd, const char *kind) {
  struct endpoint *e = &w->endpoints[w->n++];
  cr_assert_lt(w->n, ENDPOINTS_MAX);
  e->fd = fd;
  e->world = w;
  (void)snprintf(e->kind, sizeof(e->kind), "%s", kind);
  cr_assert_eq(pthread_create(&e->thread, NULL, serve, e), 0);
}

/* The client's end of a new endpoint. */
static int new_endpoint(struct world *w, const char *kind) {
  int pair[2];
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  start_endpoint(w, pair[0], kind);
  return pair[1];
}

static void *body_of(Capnet__Frame *f, const ProtobufCMessageDescriptor *type) {
  ProtobufCMessage *m = NULL;
  cr_assert_eq(body_decode(type, &f->body, &m), 0);
  return m;
}

static void on_grant(struct endpoint *e, Capnet__Frame *f) {
  Capnet__Descriptor slot = CAPNET__DESCRIPTOR__INIT;
  slot.has_slot = 1;
  Capnet__GrantOpenReply opened = CAPNET__GRANT_OPEN_REPLY__INIT;
  Capnet__GrantTakeReply taken = CAPNET__GRANT_TAKE_REPLY__INIT;
  opened.endpoint = taken.endpoint = &slot;
  if (f->method == OPEN) {
    int fd = new_endpoint(e->world, "grant");
    fake_reply(e->fd, f->call, &opened, false, &fd, 1);
    (void)close(fd);
    return;
  }
  cr_assert_eq(f->method, TAKE);
  Capnet__GrantTakeRequest *rq = body_of(f, &capnet__grant_take_request__descriptor);
  int fd = new_endpoint(e->world, rq->name ? rq->name : rq->kind);
  fake_reply(e->fd, f->call, &taken, false, &fd, 1);
  (void)close(fd);
  capnet__grant_take_request__free_unpacked(rq, NULL);
}

static void describe(struct endpoint *e, Capnet__Frame *f) {
  Capnet__Limit limit = CAPNET__LIMIT__INIT, *limits[] = {&limit};
  Capnet__DescribeReply r = CAPNET__DESCRIBE_REPLY__INIT;
  limit.name = (char *)"ping.count";
  limit.has_max = 1;
  limit.max = PING_COUNT;
  r.n_limits = 1;
  r.limits = limits;
  fake_reply(e->fd, f->call, &r, false, NULL, 0);
}

/* What becomes of the requests to 2001:db8::e, in this order, and then of all. */
static void fill_errors6(Capnet__PingEchoEvent *ev) {
  static const struct {
    Capnet__PingEchoEvent__Kind kind;
    uint32_t code;
  } errors[] = {{CAPNET__PING_ECHO_EVENT__KIND__UNREACHABLE, 0},       {CAPNET__PING_ECHO_EVENT__KIND__UNREACHABLE, 1},
                {CAPNET__PING_ECHO_EVENT__KIND__UNREACHABLE, 3},       {CAPNET__PING_ECHO_EVENT__KIND__UNREACHABLE, 4},
                {CAPNET__PING_ECHO_EVENT__KIND__TTL_EXCEEDED, 0},      {CAPNET__PING_ECHO_EVENT__KIND__TOO_BIG, 0},
                {CAPNET__PING_ECHO_EVENT__KIND__PARAMETER_PROBLEM, 1}};
  static unsigned next;
  ev->kind = errors[next].kind;
  ev->code = errors[next].code;
  next = (next + 1) % ARRAY_SIZE(errors);
  ev->from = (char *)"2001:db8::1";
  ev->has_code = ev->has_mtu = ev->has_pointer = 1;
  ev->mtu = 1280;
  ev->pointer = 6;
}

/* 10.0.0.1 answers, 10.0.0.9 is silent, 10.0.0.3 is denied. */
static void on_ping(struct endpoint *e, Capnet__Frame *f) {
  Capnet__PingEchoRequest *rq = body_of(f, &capnet__ping_echo_request__descriptor);
  struct world *w = e->world;
  w->calls++;
  w->pings += rq->count;
  w->largest = MAX(w->largest, rq->count);
  if (strcmp(rq->target, "10.0.0.3") == 0) {
    fake_error(e->fd, f->call, CODE(DENIED), "the grant does not cover 10.0.0.3", "ping", "ping");
  } else {
    for (uint32_t i = 1; i <= rq->count; i++) {
      Capnet__PingEchoEvent ev = CAPNET__PING_ECHO_EVENT__INIT;
      bool silent = strcmp(rq->target, "10.0.0.9") == 0;
      ev.has_kind = ev.has_seq = 1;
      ev.kind = silent ? CAPNET__PING_ECHO_EVENT__KIND__TIMEOUT : CAPNET__PING_ECHO_EVENT__KIND__REPLY;
      ev.seq = i;
      if (!silent) {
        ev.from = (char *)"10.0.0.1\033";
        ev.has_ttl = ev.has_bytes = ev.has_rtt_ns = 1;
        ev.ttl = rq->ttl;
        ev.bytes = rq->payload + 8;
        ev.rtt_ns = 1230000;
      }
      if (strcmp(rq->target, "2001:db8::e") == 0)
        fill_errors6(&ev);
      fake_reply(e->fd, f->call, &ev, i < rq->count, NULL, 0);
    }
  }
  capnet__ping_echo_request__free_unpacked(rq, NULL);
}

static void on_dns(struct endpoint *e, Capnet__Frame *f) {
  Capnet__DnsResolveRequest *rq = body_of(f, &capnet__dns_resolve_request__descriptor);
  Capnet__DnsAddress address = CAPNET__DNS_ADDRESS__INIT, *addresses[] = {&address};
  Capnet__DnsAnswer answers[2], *list[2];
  Capnet__DnsResolveReply r = CAPNET__DNS_RESOLVE_REPLY__INIT;
  Capnet__Error none = CAPNET__ERROR__INIT;
  bool known = strcmp(rq->name, "host.example") == 0;
  address.address = (char *)"10.0.0.1";
  address.has_ttl = 1;
  address.ttl = 60;
  none.has_code = 1;
  none.code = known ? CODE(NO_DATA) : CODE(NOT_FOUND);
  for (size_t i = 0; i < rq->n_types && i < 2; i++) {
    capnet__dns_answer__init(&answers[i]);
    answers[i].has_type = 1;
    answers[i].type = rq->types[i];
    if (known && rq->types[i] == CAPNET__DNS_TYPE__DNS_TYPE_A) {
      answers[i].n_addresses = 1;
      answers[i].addresses = addresses;
    } else {
      answers[i].error = &none;
    }
    list[i] = &answers[i];
  }
  r.name = rq->name;
  r.n_answers = MIN(rq->n_types, (size_t)2);
  r.answers = list;
  fake_reply(e->fd, f->call, &r, false, NULL, 0);
  capnet__dns_resolve_request__free_unpacked(rq, NULL);
}

static void on_status(struct endpoint *e, Capnet__Frame *f) {
  if (f->method == SECOND) {
    fake_error(e->fd, f->call, CODE(UNREACHABLE), "no route covers it", NULL, NULL);
    return;
  }
  Capnet__StatusRoute route = CAPNET__STATUS_ROUTE__INIT, *routes[] = {&route};
  Capnet__StatusPage page = CAPNET__STATUS_PAGE__INIT;
  route.destination = (char *)"10.0.0.0/24";
  route.interface = (char *)"net\0330";
  page.n_routes = 1;
  page.routes = routes;
  fake_reply(e->fd, f->call, &page, true, NULL, 0);
  route.destination = (char *)"0.0.0.0/0";
  route.gateway = (char *)"10.0.0.1";
  fake_reply(e->fd, f->call, &page, false, NULL, 0);
}

static void *serve(void *arg) {
  struct endpoint *e = arg;
  static const struct {
    const char *kind;
    void (*on)(struct endpoint *e, Capnet__Frame *f);
  } kinds[] = {{"grant", on_grant}, {"ping", on_ping}, {"dns", on_dns}, {"status", on_status}};
  for (Capnet__Frame *f; (f = fake_frame(e->fd)); frame_free(f)) {
    if (f->kind != CAPNET__FRAME__KIND__REQUEST) {
      continue;
    }
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
      if (strcmp(kinds[i].kind, e->kind) == 0) {
        (f->method == DESCRIBE ? describe : kinds[i].on)(e, f);
      }
    }
  }
  (void)close(e->fd);
  return NULL;
}

static void *accept_all(void *arg) {
  struct world *w = arg;
  for (;;) {
    struct pollfd fds[] = {{.fd = w->listen_fd, .events = POLLIN}, {.fd = w->stop[0], .events = POLLIN}};
    (void)poll(fds, 2, -1);
    if (fds[1].revents) {
      return NULL;
    }
    int fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
      start_endpoint(w, fd, "grant");
    }
  }
}

static struct world *world_new(const char *grant) {
  struct world *w = calloc(1, sizeof(*w));
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  (void)snprintf(w->dir, sizeof(w->dir), "/tmp/capnet-programs.XXXXXX");
  cr_assert_not_null(mkdtemp(w->dir));
  (void)snprintf(w->path, sizeof(w->path), "%s/%s.sock", w->dir, grant);
  (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", w->path);
  w->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  cr_assert_eq(bind(w->listen_fd, (struct sockaddr *)&at, sizeof(at)), 0);
  cr_assert_eq(listen(w->listen_fd, 8), 0);
  cr_assert_eq(pipe2(w->stop, O_CLOEXEC), 0);
  cr_assert_eq(pthread_create(&w->acceptor, NULL, accept_all, w), 0);
  (void)setenv("CAPNET_GRANTS_DIR", w->dir, 1);
  (void)unsetenv("CAPNET_FDS");
  (void)unsetenv("CAPNET_GRANT");
  return w;
}

/* The program is over, so each endpoint's thread sees its end. */
static void world_free(struct world *w) {
  (void)close(w->stop[1]);
  pthread_join(w->acceptor, NULL);
  for (unsigned i = 0; i < w->n; i++) {
    pthread_join(w->endpoints[i].thread, NULL);
  }
  (void)close(w->stop[0]);
  (void)close(w->listen_fd);
  (void)unlink(w->path);
  (void)rmdir(w->dir);
  free(w);
}

static char output[65536];

/* Both streams into output; the exit code. before: what stands before the program. */
static int run(const char *before, const char *arguments) {
  const char *top = getenv("top_builddir");
  char command[512];
  (void)snprintf(command, sizeof(command), "%s %s/%s 2>&1", before, top ? top : ".", arguments);
  FILE *f = popen(command, "re");
  cr_assert_not_null(f);
  output[fread(output, 1, sizeof(output) - 1, f)] = '\0';
  int status = pclose(f);
  cr_assert(WIFEXITED(status), "%s", output);
  return WEXITSTATUS(status);
}
static void says(const char *part) { cr_assert_not_null(strstr(output, part), "no '%s' in:\n%s", part, output); }

Test(client_programs, ping_asks_no_more_at_a_time_than_the_grant_allows) {
  struct world *w = world_new("ping");
  cr_assert_eq(run("", "capnet-ping -c 5 -i 0.001 -s 100 -t 7 10.0.0.1"), 0, "%s", output);
  says("PING 10.0.0.1 (10.0.0.1) 100(128) bytes of data.\n"
       "108 bytes from 10.0.0.1\\x1b: icmp_seq=1 ttl=7 time=1.23 ms\n");
  says("icmp_seq=5 ttl=7");
  says("5 packets transmitted, 5 received, 0% packet loss");
  says("rtt min/avg/max/mdev = 1.230/1.230/1.230/0.000 ms");
  cr_assert_eq(w->pings, 5);
  cr_assert_eq(w->calls, 3);
  cr_assert_eq(w->largest, PING_COUNT);
  world_free(w);
}

Test(client_programs, ping_goes_on_until_it_is_interrupted_and_sums_up) {
  struct world *w = world_new("ping");
  /* In the foreground timeout(1) sends no SIGCONT, which would undo the stop by which LeakSanitizer looks at who ends. */
  cr_assert_eq(run("timeout --foreground --preserve-status -s INT 1", "capnet-ping -i 0.01 10.0.0.1"), 0, "%s", output);
  says("icmp_seq=3 ");
  says("--- 10.0.0.1 ping statistics ---");
  world_free(w);
}

Test(client_programs, ping_exits_1_without_a_reply_and_3_when_refused) {
  struct world *w = world_new("ping");
  cr_assert_eq(run("", "capnet-ping -c 1 -O 10.0.0.9"), 1, "%s", output);
  says("no answer for icmp_seq=1");
  says("100% packet loss");
  cr_assert_eq(run("", "capnet-ping -c 1 10.0.0.3"), 3, "%s", output);
  says("the grant does not cover 10.0.0.3");
  cr_assert_eq(run("", "capnet-ping -q -c 2 -i 0.001 --json 10.0.0.1"), 0, "%s", output);
  says("{\"event\":\"summary\",\"target\":\"10.0.0.1\",\"address\":\"10.0.0.1\",\"transmitted\":2,\"received\":2");
  world_free(w);
}

Test(client_programs, ping_looks_names_up_in_its_own_bundle) {
  struct world *w = world_new("ping");
  cr_assert_eq(run("", "capnet-ping -c 1 host.example"), 0, "%s", output);
  says("PING host.example (10.0.0.1) 56(84) bytes of data.");
  cr_assert_eq(run("", "capnet-ping -c 1 other.example"), 2, "%s", output);
  world_free(w);
}

Test(client_programs, ping_of_ipv6_prints_as_iputils_does) {
  struct world *w = world_new("ping");
  cr_assert_eq(run("", "capnet-ping -6 -c 1 -s 100 -t 9 2001:db8::1"), 0, "%s", output);
  says("PING 2001:db8::1 (2001:db8::1) 100 data bytes\n108 bytes from ");
  says(": icmp_seq=1 ttl=9 time=1.23 ms\n");
  cr_assert_eq(run("", "capnet-ping -c 7 -i 0.001 2001:db8::e"), 1, "%s", output);
  says("From 2001:db8::1 icmp_seq=1 Destination unreachable: No route\n"
       "From 2001:db8::1 icmp_seq=2 Destination unreachable: Administratively prohibited\n"
       "From 2001:db8::1 icmp_seq=3 Destination unreachable: Address unreachable\n"
       "From 2001:db8::1 icmp_seq=4 Destination unreachable: Port unreachable\n"
       "From 2001:db8::1 icmp_seq=5 Time exceeded: Hop limit\n"
       "From 2001:db8::1 icmp_seq=6 Packet too big: mtu=1280\n"
       "From 2001:db8::1 icmp_seq=7 Parameter problem: Unknown header at 6\n");
  says("7 packets transmitted, 0 received, +7 errors, 100% packet loss");
  cr_assert_eq(run("", "capnet-ping --json -c 7 -i 0.001 2001:db8::e"), 1, "%s", output);
  says("{\"event\":\"too-big\",\"seq\":6,\"from\":\"2001:db8::1\",\"mtu\":1280}");
  says("{\"event\":\"parameter-problem\",\"seq\":7,\"from\":\"2001:db8::1\",\"code\":1,\"pointer\":6}");
  cr_assert_eq(run("", "capnet-ping -4 -c 1 2001:db8::1"), 2, "%s", output);
  cr_assert_eq(run("", "capnet-ping -6 -c 1 host.example"), 2, "%s", output);
  world_free(w);
}

Test(client_programs, resolve_prints_answers_and_exits_by_the_first_failure) {
  struct world *w = world_new("resolve");
  cr_assert_eq(run("", "capnet-resolve host.example"), 0, "%s", output);
  says("  A     10.0.0.1  ttl 1m 00s\n");
  says("host.example AAAA: the name exists, but has no such record");
  cr_assert_eq(run("", "capnet-resolve -t AAAA host.example other.example"), 6, "%s", output);
  cr_assert_eq(run("", "capnet-resolve host.example other.example"), 5, "%s", output);
  says("there is no such name");
  world_free(w);
}

Test(client_programs, status_merges_pages_and_prints_json) {
  struct world *w = world_new("status");
  cr_assert_eq(run("", "capnet-status routes"), 0, "%s", output);
  says("10.0.0.0/24          on link   net\\x1b0");
  says("default (0.0.0.0/0)  10.0.0.1");
  cr_assert_eq(run("", "capnet-status --json routes"), 0, "%s", output);
  json_error_t why;
  json_t *root = json_loads(output, 0, &why);
  cr_assert_not_null(root, "%s in %s", why.text, output);
  cr_assert_eq(json_object_size(root), 1);
  cr_assert_eq(json_array_size(json_object_get(root, "routes")), 2);
  json_decref(root);
  cr_assert_eq(run("", "capnet-status route 192.0.2.1"), 1, "%s", output);
  says("no route covers it");
  world_free(w);
}
