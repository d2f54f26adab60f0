/* SPDX-License-Identifier: BSD-3-Clause
 * Walks through every function of libcapnet against a real daemon, with one success and one typed failure of each.
 * tests/e2e/case_lib.py starts it with two grants: "walk" and "narrow" (what it holds is written there). The kernel's
 * end of the TAP, 10.99.0.1, is in this program's namespace, so peers are sockets of its own. Prints what failed; the
 * exit status is 0 only when nothing did.
 */
#include <arpa/inet.h>
#include <capnet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEER "10.99.0.1"
#define OWN "10.99.0.2"
#define T 10000u

static unsigned checks, failures;
static struct capnet_error err;

static void check(bool ok, int line, const char *what) {
  checks++;
  if (ok)
    return;
  failures++;
  printf("lib_walk.c:%d: %s (last error: %d %s: %s)\n", line, what, err.error, err.code, err.message);
}
#define CHECK(x) check((x), __LINE__, #x)
#define WORKS(call) (memset(&err, 0, sizeof err), check((call) == 0, __LINE__, #call))
/* Errno and code say the same, and there is a sentence for a person. */
#define FAILS(call, errno_, code_)                                                                                     \
  (memset(&err, 0, sizeof err), check((call) == -(errno_) && err.error == (errno_) && strcmp(err.code, code_) == 0 &&  \
                                          *err.message, __LINE__, #call " must fail: " code_))

/* The text is JSON that holds part; freed. */
static bool text_has(char **text, const char *part) {
  bool found = *text && **text == '{' && strstr(*text, part);
  if (!found)
    printf("%s is not in: %s\n", part, *text ? *text : "(nothing)");
  free(*text);
  *text = NULL;
  return found;
}

static capnet *take(const char *kind) {
  capnet *cap = NULL;
  WORKS(capnet_open("walk", NULL, kind, T, &cap, &err));
  if (!cap)
    exit(1);
  return cap;
}

/* --- grants, and what every capability answers -------------------------------------------------------------------- */

static void grants(void) {
  capnet *grant = NULL, *cap = NULL, *none = NULL;
  char *text = NULL;
  int fd = -1, pair[2];
  WORKS(capnet_grant_open("walk", NULL, T, &grant, &err));
  FAILS(capnet_grant_open("absent", NULL, T, &none, &err), ENOENT, "NO_DAEMON");
  FAILS(capnet_grant_open(NULL, NULL, T, &none, &err), ENOENT, "NO_GRANT");
  FAILS(capnet_grant_open("", NULL, T, &none, &err), EINVAL, "ARGUMENT");
  WORKS(capnet_list(grant, T, &text, &err));
  CHECK(text_has(&text, "\"tcp-connect\""));
  WORKS(capnet_take(grant, "ping", T, &cap, &err));
  FAILS(capnet_take(grant, "no-such", T, &none, &err), ENOENT, "NOT_FOUND");
  FAILS(capnet_list(cap, T, &text, &err), ENOSYS, "UNKNOWN_METHOD");
  FAILS(capnet_open(NULL, NULL, "ping", T, &none, &err), ENOENT, "NO_GRANT");
  WORKS(capnet_describe(cap, T, &text, &err));
  CHECK(text_has(&text, "\"ping.count\""));

  fd = dup(capnet_fd(cap));
  capnet_closep(&cap);
  WORKS(capnet_adopt(fd, &cap, &err));
  WORKS(capnet_describe(cap, T, &text, &err));
  CHECK(text_has(&text, "\"walk\""));
  capnet_closep(&cap);
  CHECK(pipe2(pair, O_CLOEXEC) == 0);
  FAILS(capnet_adopt(pair[0], &none, &err), EBADF, "ARGUMENT");
  close(pair[0]);
  close(pair[1]);

  WORKS(capnet_grant_connect("walk", &fd, &err));
  CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
  close(fd);
  FAILS(capnet_grant_connect("absent", &fd, &err), ENOENT, "NO_DAEMON");
  FAILS(capnet_grant_connect(NULL, &fd, &err), EINVAL, "ARGUMENT");
  CHECK(!none);
  capnet_close(grant);
}

/* A reply whose descriptor found no room here costs that reply, not the endpoint. */
static void no_descriptor_left(void) {
  capnet *grant = NULL, *cap = NULL;
  struct rlimit old, tight;
  WORKS(capnet_grant_open("walk", NULL, T, &grant, &err));
  int next = dup(0);
  close(next);
  CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
  tight = (struct rlimit){(rlim_t)next, old.rlim_max};
  CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
  FAILS(capnet_take(grant, "ping", T, &cap, &err), EMFILE, "SYSTEM");
  CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
  WORKS(capnet_take(grant, "ping", T, &cap, &err));
  capnet_close(cap);
  capnet_close(grant);
}

static int ignore(const struct capnet_ping_event *e, void *user) {
  if (user)
    *(struct capnet_ping_event *)user = *e;
  return 0;
}

static void children(void) {
  capnet *ping = take("ping"), *child = NULL, *none = NULL;
  uint64_t id = 0;
  const char *near[] = {PEER}, *nonsense[] = {"no rule at all"};
  struct capnet_limit two = {"ping.count", 2}, more = {"ping.count", 1000000};
  struct capnet_narrow narrow = {near, 1, &two, 1, 0, "child"};
  WORKS(capnet_attenuate(ping, &narrow, T, &child, &id, &err));
  CHECK(id != 0);
  WORKS(capnet_ping(child, PEER, NULL, T, ignore, NULL, &err));
  FAILS(capnet_ping(child, "10.98.0.2", NULL, T, ignore, NULL, &err), EACCES, "DENIED");
  CHECK(strcmp(err.grant, "walk") == 0);
  FAILS(capnet_attenuate(child, &(struct capnet_narrow){.limits = &more, .n_limits = 1}, T, &none, NULL, &err), EDOM,
        "NOT_SUBSET");
  CHECK(strcmp(err.rule, "ping.count") == 0);
  FAILS(capnet_attenuate(ping, &(struct capnet_narrow){.rights = nonsense, .n_rights = 1}, T, &none, NULL, &err),
        EINVAL, "MALFORMED");
  FAILS(capnet_revoke(ping, id + 1000, T, &err), ENOENT, "NOT_FOUND");
  WORKS(capnet_revoke(ping, id, T, &err));
  for (int i = 0; i < 2; i++) /* the first may find the reason on its way, the second finds it kept */
    FAILS(capnet_ping(child, PEER, NULL, T, ignore, NULL, &err), EKEYREVOKED, "REVOKED");
  WORKS(capnet_ping(ping, PEER, NULL, T, ignore, NULL, &err));
  CHECK(!none);
  capnet_close(child);
  capnet_close(ping);
}

static void in_a_child(capnet *grant, capnet *ping) {
  char *text = NULL;
  WORKS(capnet_list(grant, T, &text, &err));
  CHECK(text_has(&text, "\"items\""));
  FAILS(capnet_describe(ping, T, &text, &err), EOWNERDEAD, "FORKED");
  capnet_close(ping);
  capnet *own = NULL;
  WORKS(capnet_take(grant, "ping", T, &own, &err));
  WORKS(capnet_ping(own, PEER, NULL, T, ignore, NULL, &err));
  capnet_close(own);
  capnet_close(grant);
}

static void forks(void) {
  capnet *grant = NULL, *ping = take("ping");
  char *text = NULL;
  WORKS(capnet_grant_open("walk", NULL, T, &grant, &err));
  (void)fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    failures = 0;
    in_a_child(grant, ping);
    (void)fflush(stdout);
    _exit(failures != 0);
  }
  int status = -1;
  CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
  WORKS(capnet_list(grant, T, &text, &err));
  free(text);
  WORKS(capnet_ping(ping, PEER, NULL, T, ignore, NULL, &err));
  capnet_close(grant);
  capnet_close(ping);
}

/* --- tcp ---------------------------------------------------------------------------------------------------------- */

/* A listening socket of the kernel. */
static int kernel_listen(uint16_t *ret_port) {
  struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(PEER)};
  socklen_t len = sizeof sa;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct timeval patience = {10, 0}; /* inherited by what is accepted: a check that failed must not hang the others */
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  CHECK(bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && listen(fd, 8) == 0);
  CHECK(getsockname(fd, (struct sockaddr *)&sa, &len) == 0);
  *ret_port = ntohs(sa.sin_port);
  return fd;
}

static int kernel_connect(uint16_t port) {
  struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(OWN), .sin_port = htons(port)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct timeval patience = {10, 0};
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  CHECK(connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0);
  return fd;
}

static void in_good_order(capnet *cap, int server, uint16_t port) {
  struct capnet_tcp_options o = {.set = CAPNET_TCP_KEEPALIVE_IDLE, .keepalive_idle_s = 33}, got;
  struct capnet_tcp_status s;
  struct capnet_tcp tcp;
  char buf[16];
  WORKS(capnet_tcp_connect(cap, PEER, port, &o, T, &tcp, &err));
  int peer = accept(server, NULL, NULL);
  CHECK(strcmp(tcp.local.address, OWN) == 0 && tcp.remote.port == port && tcp.id && tcp.control);
  FAILS(capnet_tcp_read(&tcp, buf, sizeof buf, 50, &err), ETIME, "DEADLINE");
  WORKS(capnet_tcp_write(&tcp, "hello", 5, T, &err));
  CHECK(recv(peer, buf, 5, MSG_WAITALL) == 5 && memcmp(buf, "hello", 5) == 0);
  CHECK(send(peer, "world!", 6, 0) == 6);
  CHECK(capnet_tcp_read(&tcp, buf, sizeof buf, T, &err) == 6 && memcmp(buf, "world!", 6) == 0);
  WORKS(capnet_tcp_get_status(tcp.control, T, &s, &err));
  CHECK(strcmp(s.state, "ESTAB") == 0 && s.end == CAPNET_END_NONE && s.bytes_in == 6 && s.bytes_out == 5);
  CHECK((s.options.set & CAPNET_TCP_KEEPALIVE_IDLE) && s.options.keepalive_idle_s == 33);
  o = (struct capnet_tcp_options){.set = CAPNET_TCP_USER_TIMEOUT | CAPNET_TCP_NODELAY, .user_timeout_ms = 20000,
                                  .nodelay = 1};
  WORKS(capnet_tcp_set_options(tcp.control, &o, T, &got, &err));
  CHECK((got.set & CAPNET_TCP_CONGESTION) && strcmp(got.congestion, "cubic") == 0);
  o = (struct capnet_tcp_options){.set = CAPNET_TCP_CONGESTION, .congestion = "vegas"};
  FAILS(capnet_tcp_set_options(tcp.control, &o, T, NULL, &err), EINVAL, "MALFORMED");
  CHECK(strstr(err.message, "cubic, reno"));
  strcpy(o.congestion, "reno");
  WORKS(capnet_tcp_set_options(tcp.control, &o, T, &got, &err));
  CHECK(strcmp(got.congestion, "reno") == 0);
  CHECK(got.user_timeout_ms == 20000 && got.keepalive_idle_s == 33 && got.keepalive_count == 9 && got.nodelay);
  FAILS(capnet_tcp_wait_end(tcp.control, 50, &s, &err), ETIME, "DEADLINE");
  WORKS(capnet_tcp_shutdown(tcp.control, T, &err));
  CHECK(recv(peer, buf, 1, 0) == 0);
  close(peer);
  CHECK(capnet_tcp_read(&tcp, buf, sizeof buf, T, &err) == 0);
  WORKS(capnet_tcp_wait_end(tcp.control, T, &s, &err));
  CHECK(s.end == CAPNET_END_CLOSED && s.reason.error == 0);
  capnet_tcp_close(&tcp);
}

static void cut_off(capnet *cap, int server, uint16_t port) {
  struct linger now = {1, 0};
  struct capnet_tcp_status s;
  struct capnet_tcp tcp;
  char buf[16];
  WORKS(capnet_tcp_connect(cap, PEER, port, NULL, T, &tcp, &err));
  int peer = accept(server, NULL, NULL);
  WORKS(capnet_tcp_abort(tcp.control, T, &err));
  WORKS(capnet_tcp_wait_end(tcp.control, T, &s, &err));
  CHECK(s.end == CAPNET_END_RESET_LOCAL);
  FAILS(capnet_tcp_read(&tcp, buf, sizeof buf, T, &err), ECONNRESET, "RESET");
  CHECK(recv(peer, buf, 1, 0) < 0 && errno == ECONNRESET);
  close(peer);
  capnet_tcp_close(&tcp);

  WORKS(capnet_tcp_connect(cap, PEER, port, NULL, T, &tcp, &err));
  peer = accept(server, NULL, NULL);
  CHECK(setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
  close(peer);
  WORKS(capnet_tcp_wait_end(tcp.control, T, &s, &err));
  CHECK(s.end == CAPNET_END_RESET_BY_PEER);
  FAILS(capnet_tcp_read(&tcp, buf, sizeof buf, T, &err), ECONNRESET, "RESET");
  FAILS(capnet_tcp_write(&tcp, "x", 1, T, &err), ECONNRESET, "RESET");
  capnet_tcp_close(&tcp);
}

static void connections(void) {
  capnet *cap = take("tcp-connect"), *narrow = NULL, *ping = take("ping");
  struct capnet_tcp_options none = {0};
  struct capnet_tcp tcp = {.fd = -1};
  struct capnet_tcp_status s;
  uint16_t port;
  int server = kernel_listen(&port);
  in_good_order(cap, server, port);
  cut_off(cap, server, port);
  close(server);
  FAILS(capnet_tcp_connect(cap, PEER, port, NULL, T, &tcp, &err), ECONNREFUSED, "REFUSED");
  FAILS(capnet_tcp_connect(cap, "nonsense", port, NULL, T, &tcp, &err), EINVAL, "MALFORMED");
  WORKS(capnet_open("narrow", NULL, "tcp-connect", T, &narrow, &err));
  FAILS(capnet_tcp_connect(narrow, PEER, port, NULL, T, &tcp, &err), EACCES, "DENIED");
  CHECK(strcmp(err.grant, "narrow") == 0);
  /* A control's methods on something that is none. */
  FAILS(capnet_tcp_get_status(ping, T, &s, &err), EINVAL, "MALFORMED");
  FAILS(capnet_tcp_set_options(ping, &none, T, NULL, &err), ENOSYS, "UNKNOWN_METHOD");
  FAILS(capnet_tcp_shutdown(ping, T, &err), ENOSYS, "UNKNOWN_METHOD");
  FAILS(capnet_tcp_abort(ping, T, &err), ENOSYS, "UNKNOWN_METHOD");
  FAILS(capnet_tcp_wait_end(ping, T, &s, &err), ENOSYS, "UNKNOWN_METHOD");
  CHECK(tcp.fd == -1);
  capnet_close(ping);
  capnet_close(narrow);
  capnet_close(cap);
}

/* Forms by name; a listening socket for accept(2). The case knows that this machine has real sockets. */
static void real_sockets(void) {
  capnet *cap = take("tcp-connect"), *listen = take("tcp-listen"), *listener = NULL, *channel = NULL, *none = NULL;
  struct capnet_tcp tcp = {.fd = -1};
  struct sockaddr_in sa = {0};
  socklen_t len = sizeof sa;
  uint16_t port;
  int server = kernel_listen(&port), fd = -1;
  WORKS(capnet_tcp_connect_form(cap, CAPNET_FORM_SOCKET, PEER, port, NULL, T, &tcp, &err));
  CHECK(tcp.form == CAPNET_FORM_SOCKET && getpeername(tcp.fd, (struct sockaddr *)&sa, &len) == 0);
  CHECK(sa.sin_family == AF_INET && sa.sin_addr.s_addr == inet_addr(PEER) && ntohs(sa.sin_port) == port);
  capnet_tcp_close(&tcp);
  WORKS(capnet_tcp_connect_form(cap, CAPNET_FORM_PAIR, PEER, port, NULL, T, &tcp, &err));
  CHECK(tcp.form == CAPNET_FORM_PAIR);
  capnet_tcp_close(&tcp);
  FAILS(capnet_tcp_connect_form(cap, (enum capnet_tcp_form)7, PEER, port, NULL, T, &tcp, &err), EINVAL, "MALFORMED");
  close(server);

  FAILS(capnet_tcp_listen_socket(listen, NULL, 9999, 0, 0, T, &fd, &none, NULL, &err), EACCES, "DENIED");
  WORKS(capnet_tcp_listen_socket(listen, NULL, 8081, 4, 1, T, &fd, &listener, NULL, &err));
  int peer = kernel_connect(8081), mine = accept(fd, (struct sockaddr *)&sa, &len);
  CHECK(mine >= 0 && sa.sin_addr.s_addr == inet_addr(PEER));
  FAILS(capnet_tcp_accept(listener, T, &tcp, &err), EBUSY, "CONFLICT");
  FAILS(capnet_tcp_accept_channel_form(listener, CAPNET_FORM_PAIR, T, &none, &err), EBUSY, "CONFLICT");
  close(mine);
  close(peer);
  capnet_close(listener);
  CHECK(accept(fd, NULL, NULL) < 0 && errno == EINVAL); /* it ended with its control */
  close(fd);

  WORKS(capnet_tcp_listen(listen, NULL, 8082, 4, T, &listener, NULL, &err));
  WORKS(capnet_tcp_accept_channel_form(listener, CAPNET_FORM_PAIR, T, &channel, &err));
  peer = kernel_connect(8082);
  WORKS(capnet_tcp_channel_accept(channel, T, &tcp, &err));
  CHECK(tcp.form == CAPNET_FORM_PAIR);
  capnet_tcp_close(&tcp);
  close(peer);
  capnet_close(channel);
  capnet_close(listener);
  capnet_close(listen);
  capnet_close(cap);
}

static void accepted(struct capnet_tcp *tcp, int peer) {
  char buf[4];
  CHECK(strcmp(tcp->remote.address, PEER) == 0);
  CHECK(send(peer, "in", 2, 0) == 2 && capnet_tcp_read(tcp, buf, sizeof buf, T, &err) == 2);
  close(peer);
  CHECK(capnet_tcp_read(tcp, buf, sizeof buf, T, &err) == 0);
  capnet_tcp_close(tcp);
}

static void listeners(void) {
  capnet *cap = take("tcp-listen"), *listener = NULL, *channel = NULL, *none = NULL;
  struct capnet_tcp tcp = {.fd = -1};
  struct capnet_addr local;
  FAILS(capnet_tcp_listen(cap, "interface-address", 9999, 0, T, &none, NULL, &err), EACCES, "DENIED");
  WORKS(capnet_tcp_listen(cap, "interface-address", 8080, 4, T, &listener, &local, &err));
  CHECK(strcmp(local.address, OWN) == 0 && local.port == 8080);
  FAILS(capnet_tcp_listen(cap, "interface-address", 8080, 4, T, &none, NULL, &err), EADDRINUSE, "ADDRESS_IN_USE");
  FAILS(capnet_tcp_accept(listener, 50, &tcp, &err), ETIME, "DEADLINE");
  int stop = eventfd(1, EFD_CLOEXEC);
  capnet_set_stop_fd(listener, stop);
  FAILS(capnet_tcp_accept(listener, 0, &tcp, &err), ECANCELED, "CANCELLED");
  capnet_set_stop_fd(listener, -1);
  int peer = kernel_connect(8080);
  WORKS(capnet_tcp_accept(listener, T, &tcp, &err));
  accepted(&tcp, peer);

  WORKS(capnet_tcp_accept_channel(listener, T, &channel, &err));
  FAILS(capnet_tcp_channel_accept(channel, 50, &tcp, &err), ETIME, "DEADLINE");
  capnet_set_stop_fd(channel, stop);
  FAILS(capnet_tcp_channel_accept(channel, 0, &tcp, &err), ECANCELED, "CANCELLED");
  capnet_set_stop_fd(channel, -1);
  peer = kernel_connect(8080);
  WORKS(capnet_tcp_channel_accept(channel, T, &tcp, &err));
  accepted(&tcp, peer);
  FAILS(capnet_tcp_accept_channel(cap, T, &none, &err), ENOSYS, "UNKNOWN_METHOD");
  CHECK(!none);
  close(stop);
  capnet_close(channel);
  capnet_close(listener);
  capnet_close(cap);
}

/* --- names, ping -------------------------------------------------------------------------------------------------- */

static void names(void) {
  capnet *cap = take("dns");
  struct capnet_dns_result *found = NULL;
  WORKS(capnet_resolve(cap, "gw.lab.test", CAPNET_DNS_A, CAPNET_DNS_NO_SEARCH, T, &found, &err));
  CHECK(found && found->n_answers == 1 && found->answers[0].n_addresses == 1 &&
        strcmp(found->answers[0].addresses[0].address, PEER) == 0 && *found->answers[0].upstream);
  capnet_dns_result_free(found);
  found = NULL;
  WORKS(capnet_resolve(cap, "alias.lab.test", CAPNET_DNS_A | CAPNET_DNS_AAAA, 0, T, &found, &err));
  CHECK(found && found->n_answers == 2 && found->n_aliases >= 1);
  capnet_dns_result_free(found);
  found = NULL;
  WORKS(capnet_resolve(cap, "absent.lab.test", CAPNET_DNS_A, CAPNET_DNS_NO_SEARCH, T, &found, &err));
  CHECK(found && found->answers[0].n_addresses == 0 && strcmp(found->answers[0].error.code, "NOT_FOUND") == 0);
  capnet_dns_result_free(found);
  found = NULL;
  FAILS(capnet_resolve(cap, "www.example.org", CAPNET_DNS_A, CAPNET_DNS_NO_SEARCH, T, &found, &err), EACCES, "DENIED");
  FAILS(capnet_resolve(cap, "gw.lab.test", 0, 0, T, &found, &err), EINVAL, "ARGUMENT");
  CHECK(!found);
  capnet_dns_result_free(NULL);
  capnet_close(cap);
}

static int stop_at_two(const struct capnet_ping_event *e, void *user) {
  ++*(unsigned *)user;
  return e->seq == 2 ? 7 : 0;
}

static void pings(void) {
  capnet *cap = take("ping");
  struct capnet_ping_event e = {0};
  struct capnet_ping_params p = {.count = 1, .flags = CAPNET_PING_PAYLOAD_SET};
  unsigned seen = 0;
  WORKS(capnet_ping(cap, PEER, &p, T, ignore, &e, &err));
  CHECK(e.kind == CAPNET_PING_REPLY && e.seq == 1 && e.bytes == 8 && e.ttl == 64 && strcmp(e.from, PEER) == 0);
  p = (struct capnet_ping_params){.count = 10, .interval_ms = 200};
  CHECK(capnet_ping(cap, PEER, &p, T, stop_at_two, &seen, &err) == 7 && seen == 2);
  WORKS(capnet_ping(cap, PEER, NULL, T, ignore, NULL, &err)); /* what the stopped call left behind disturbs nobody */
  p.count = 11;
  FAILS(capnet_ping(cap, PEER, &p, T, ignore, NULL, &err), EACCES, "DENIED");
  CHECK(strcmp(err.rule, "ping.count") == 0);
  FAILS(capnet_ping(cap, "nonsense", NULL, T, ignore, NULL, &err), EINVAL, "MALFORMED");
  capnet_close(cap);
}

/* --- status, manager ---------------------------------------------------------------------------------------------- */

struct watching {
  capnet *manager;
  atomic_bool seen;
  struct capnet_error err;
};

/* There is no telling when the daemon has begun to watch, so the address changes until the watcher has seen it. */
static void *change(void *arg) {
  struct watching *w = arg;
  for (unsigned i = 0; !w->seen; i++) {
    struct capnet_static config = {.address = i % 2 ? OWN "/24" : "10.99.0.3/24", .gateway = PEER};
    if (capnet_manager_set_static(w->manager, NULL, &config, T, NULL, &w->err) < 0)
      break;
    usleep(20000);
  }
  return NULL;
}

static int saw(const struct capnet_status_event *e, void *user) {
  struct watching *w = user;
  w->seen = strcmp(e->section, "interfaces") == 0 && *e->text && e->at_us;
  return w->seen ? 5 : 0;
}

static void status(capnet *manager) {
  capnet *cap = take("status");
  const char *two[] = {"interfaces", "routes"}, *wrong[] = {"nonsense"};
  char *text = NULL;
  pthread_t thread;
  struct watching w = {.manager = manager};
  WORKS(capnet_status_get(cap, two, 2, T, &text, &err));
  CHECK(text && !strstr(text, "\"sockets\""));
  CHECK(text_has(&text, OWN));
  WORKS(capnet_status_get(cap, NULL, 0, T, &text, &err));
  CHECK(text_has(&text, "\"sockets\""));
  FAILS(capnet_status_get(cap, wrong, 1, T, &text, &err), EINVAL, "MALFORMED");
  WORKS(capnet_status_route(cap, "10.98.0.2", T, &text, &err));
  CHECK(text_has(&text, "\"gateway\":\"" PEER "\""));
  FAILS(capnet_status_route(cap, "nonsense", T, &text, &err), EINVAL, "MALFORMED");
  FAILS(capnet_status_watch(cap, wrong, 1, T, saw, &w, &err), EINVAL, "MALFORMED");
  FAILS(capnet_status_watch(cap, two, 1, 50, saw, &w, &err), ETIME, "DEADLINE");
  CHECK(pthread_create(&thread, NULL, change, &w) == 0);
  CHECK(capnet_status_watch(cap, two, 1, T, saw, &w, &err) == 5);
  w.seen = true;
  pthread_join(thread, NULL);
  CHECK(w.err.error == 0);
  capnet_close(cap);
}

static void manages(capnet *cap) {
  const char *dns[] = {PEER}, *search[] = {"lab.test"};
  struct capnet_static config = {.address = OWN "/24", .gateway = PEER, .dns = dns, .n_dns = 1, .search = search, .n_search = 1}, wrong = {.address = "10.99.0.2"};
  capnet *narrow = NULL;
  char *text = NULL;
  WORKS(capnet_manager_get(cap, "net0", T, &text, &err));
  CHECK(text_has(&text, "\"static\""));
  FAILS(capnet_manager_get(cap, "net7", T, &text, &err), ENOENT, "NOT_FOUND");
  WORKS(capnet_manager_set_static(cap, NULL, &config, T, &text, &err));
  CHECK(text_has(&text, "\"search\":[\"lab.test\"]"));
  FAILS(capnet_manager_set_static(cap, NULL, &wrong, T, &text, &err), EINVAL, "MALFORMED");
  FAILS(capnet_manager_renew(cap, NULL, T, &text, &err), EBUSY, "CONFLICT");
  FAILS(capnet_manager_release(cap, NULL, T, &text, &err), EBUSY, "CONFLICT");
  WORKS(capnet_manager_use_dhcp(cap, NULL, T, &text, &err));
  CHECK(text_has(&text, "\"dhcp\""));
  for (bool bound = false; !bound; usleep(50000)) { /* the runner ends us when it never comes */
    WORKS(capnet_manager_get(cap, NULL, T, &text, &err));
    bound = text && strstr(text, "\"lease_state\":\"bound\"");
    free(text);
    text = NULL;
  }
  WORKS(capnet_manager_renew(cap, NULL, T, NULL, &err));
  WORKS(capnet_manager_release(cap, NULL, T, &text, &err));
  CHECK(text && !strstr(text, "\"origin\":\"dhcp\""));
  CHECK(text_has(&text, "\"interface\""));
  WORKS(capnet_open("narrow", NULL, "manager", T, &narrow, &err));
  FAILS(capnet_manager_use_dhcp(narrow, NULL, T, &text, &err), EACCES, "DENIED");
  capnet_close(narrow);
}

int main(void) {
  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  grants();
  no_descriptor_left();
  children();
  forks();
  connections();
  listeners();
  real_sockets();
  names();
  pings();
  capnet *manager = take("manager");
  status(manager);
  manages(manager);
  capnet_close(manager);
  printf("%u checks, %u failed\n", checks, failures);
  return failures != 0;
}
