/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-run as a process, against a daemon of a few lines whose listeners are on the loopback: how it ends when its
 * listener does, what it makes of a name's addresses, and whom its inetd says is there, over IPv6 too.
 */
#include "fake_daemon.h"
#include "proto/dns.pb-c.h"
#include "proto/grant.pb-c.h"
#include "proto/tcp.pb-c.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/un.h>
#include <sys/wait.h>

#define ENDPOINTS_MAX 64
enum { OPEN = METHOD_KIND_BASE, LIST, TAKE, FIRST = METHOD_KIND_BASE };

struct world;
struct endpoint {
  int fd;
  char kind[16];
  struct world *world;
  pthread_t thread;
};
struct world {
  char dir[64], path[96], out[96];
  int listen_fd, stop[2];
  pthread_t acceptor;
  struct endpoint endpoints[ENDPOINTS_MAX];
  _Atomic unsigned n;
  bool old;                         /* knows no listening sockets */
  const char *addresses[2][3];      /* of every name: A, AAAA */
  const char *answers, *denies;     /* the one that a connection to succeeds, and one that no rule covers */
  char asked[256];                  /* for connections, in this order */
  pid_t pid;
  _Atomic int socket, control;      /* our copies, of the listener that was asked for last */
  uint16_t port;                    /* where it is */
};

/* --- the daemon --------------------------------------------------------------------------------------------------- */

static void *serve(void *arg);

static void start_endpoint(struct world *w, int fd, const char *kind) {
  struct endpoint *e = &w->endpoints[w->n++];
  cr_assert_lt(w->n, ENDPOINTS_MAX);
  e->fd = fd;
  e->world = w;
  (void)snprintf(e->kind, sizeof e->kind, "%s", kind);
  cr_assert_eq(pthread_create(&e->thread, NULL, serve, e), 0);
}

static void reply_endpoint(struct endpoint *e, uint64_t call, ProtobufCMessage *reply, const char *kind) {
  int pair[2];
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  start_endpoint(e->world, pair[0], kind);
  fake_reply(e->fd, call, reply, false, &pair[1], 1);
  close(pair[1]);
}

static void on_grant(struct endpoint *e, Capnet__Frame *f) {
  static char *const kinds[] = {"tcp-listen", "tcp-connect", "dns"};
  Capnet__Descriptor slot = CAPNET__DESCRIPTOR__INIT;
  slot.has_slot = 1;
  if (f->method == OPEN) {
    Capnet__GrantOpenReply reply = CAPNET__GRANT_OPEN_REPLY__INIT;
    reply.endpoint = &slot;
    reply_endpoint(e, f->call, &reply.base, "grant");
  } else if (f->method == LIST) {
    Capnet__GrantListReply reply = CAPNET__GRANT_LIST_REPLY__INIT;
    Capnet__GrantItem items[ARRAY_SIZE(kinds)], *list[ARRAY_SIZE(kinds)];
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
      capnet__grant_item__init(list[i] = &items[i]);
      items[i].name = items[i].kind = kinds[i];
    }
    reply.n_items = ARRAY_SIZE(kinds);
    reply.items = list;
    fake_reply(e->fd, f->call, &reply, false, NULL, 0);
  } else {
    Capnet__GrantTakeReply reply = CAPNET__GRANT_TAKE_REPLY__INIT;
    ProtobufCMessage *rq;
    cr_assert_eq(f->method, TAKE);
    cr_assert_eq(body_decode(&capnet__grant_take_request__descriptor, &f->body, &rq), 0);
    reply.endpoint = &slot;
    reply_endpoint(e, f->call, &reply.base, ((Capnet__GrantTakeRequest *)rq)->name);
    body_free(rq);
  }
}

/* A listener of IPv6 that takes IPv4 as well, so that its peers can be of both. */
static int loopback(uint16_t *ret_port) {
  struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
  socklen_t len = sizeof sa;
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int no = 0;
  cr_assert(fd >= 0 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no) == 0);
  cr_assert(bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && listen(fd, 8) == 0);
  cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
  *ret_port = ntohs(sa.sin6_port);
  return fd;
}

static void on_listen(struct endpoint *e, Capnet__Frame *f) {
  Capnet__TcpListenReply reply = CAPNET__TCP_LISTEN_REPLY__INIT;
  Capnet__Descriptor slots[2] = {CAPNET__DESCRIPTOR__INIT, CAPNET__DESCRIPTOR__INIT};
  struct world *w = e->world;
  int pair[2], fd = loopback(&w->port);
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  slots[0].has_slot = slots[1].has_slot = slots[1].slot = 1;
  reply.listener = &slots[0];
  reply.socket = w->old ? NULL : &slots[1];
  fake_reply(e->fd, f->call, &reply, false, (int[]){pair[1], fd}, w->old ? 1 : 2);
  close(pair[1]);
  w->control = pair[0];
  w->socket = fd;
}

static void on_connect(struct endpoint *e, Capnet__Frame *f) {
  Capnet__TcpConnection reply = CAPNET__TCP_CONNECTION__INIT;
  Capnet__Descriptor slot = CAPNET__DESCRIPTOR__INIT;
  struct world *w = e->world;
  ProtobufCMessage *body;
  int pair[2];
  cr_assert_eq(body_decode(&capnet__tcp_connect_request__descriptor, &f->body, &body), 0);
  const Capnet__TcpConnectRequest *rq = (Capnet__TcpConnectRequest *)body;
  const char *to = rq->remote->address;
  (void)snprintf(w->asked + strlen(w->asked), sizeof w->asked - strlen(w->asked), "%s ", to);
  if (w->denies && strcmp(to, w->denies) == 0) {
    fake_error(e->fd, f->call, CODE(DENIED), "not covered", "web", "tcp-connect");
  } else if (!w->answers || strcmp(to, w->answers) != 0) {
    fake_error(e->fd, f->call, CODE(REFUSED), "the peer refused the connection", NULL, NULL);
  } else {
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    slot.has_slot = 1;
    reply.data = &slot;
    fake_reply(e->fd, f->call, &reply, false, &pair[1], 1);
    cr_assert_eq(send(pair[0], "hello\n", 6, MSG_NOSIGNAL), 6);
    close(pair[0]);
    close(pair[1]);
  }
  body_free(body);
}

static void on_dns(struct endpoint *e, Capnet__Frame *f) {
  Capnet__DnsResolveReply reply = CAPNET__DNS_RESOLVE_REPLY__INIT;
  Capnet__DnsAddress addresses[2][3], *lists[2][3];
  Capnet__DnsAnswer answers[2], *list[2];
  Capnet__Error none = CAPNET__ERROR__INIT;
  none.has_code = 1;
  none.code = CODE(NO_DATA);
  for (size_t i = 0; i < 2; i++) { /* AAAA before A: the order of the reply says nothing */
    capnet__dns_answer__init(list[1 - i] = &answers[i]);
    answers[i].has_type = 1;
    answers[i].type = i ? CAPNET__DNS_TYPE__DNS_TYPE_AAAA : CAPNET__DNS_TYPE__DNS_TYPE_A;
    answers[i].addresses = lists[i];
    for (size_t k = 0; k < 3 && e->world->addresses[i][k]; k++) {
      capnet__dns_address__init(lists[i][k] = &addresses[i][k]);
      addresses[i][k].address = (char *)e->world->addresses[i][k];
      answers[i].n_addresses++;
    }
    if (answers[i].n_addresses == 0)
      answers[i].error = &none;
  }
  reply.n_answers = 2;
  reply.answers = list;
  fake_reply(e->fd, f->call, &reply, false, NULL, 0);
}

static void *serve(void *arg) {
  struct endpoint *e = arg;
  static const struct {
    const char *kind;
    void (*on)(struct endpoint *e, Capnet__Frame *f);
  } kinds[] = {{"grant", on_grant}, {"tcp-listen", on_listen}, {"tcp-connect", on_connect}, {"dns", on_dns}};
  for (Capnet__Frame *f; (f = fake_frame(e->fd)); frame_free(f))
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
      if (f->kind == CAPNET__FRAME__KIND__REQUEST && strcmp(kinds[i].kind, e->kind) == 0)
        kinds[i].on(e, f);
  close(e->fd);
  return NULL;
}

static void *accept_all(void *arg) {
  struct world *w = arg;
  for (;;) {
    struct pollfd p[] = {{.fd = w->listen_fd, .events = POLLIN}, {.fd = w->stop[0], .events = POLLIN}};
    (void)poll(p, 2, -1);
    if (p[1].revents)
      return NULL;
    int fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
      start_endpoint(w, fd, "grant");
  }
}

static void begin(struct world *w) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  w->socket = w->control = -1;
  strcpy(w->dir, "/tmp/capnet-run.XXXXXX");
  cr_assert_not_null(mkdtemp(w->dir));
  (void)snprintf(w->path, sizeof w->path, "%s/web.sock", w->dir);
  (void)snprintf(w->out, sizeof w->out, "%s/out", w->dir);
  strcpy(at.sun_path, w->path);
  w->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  cr_assert_eq(bind(w->listen_fd, (struct sockaddr *)&at, sizeof at), 0);
  cr_assert_eq(listen(w->listen_fd, 8), 0);
  cr_assert_eq(pipe2(w->stop, O_CLOEXEC), 0);
  cr_assert_eq(pthread_create(&w->acceptor, NULL, accept_all, w), 0);
  setenv("CAPNET_GRANTS_DIR", w->dir, 1);
  unsetenv("CAPNET_FDS");
  unsetenv("CAPNET_GRANT");
}

/* capnet-run is over, so each endpoint's thread sees its end. */
static void end(struct world *w) {
  close(w->stop[1]);
  pthread_join(w->acceptor, NULL);
  for (unsigned i = 0; i < w->n; i++)
    pthread_join(w->endpoints[i].thread, NULL);
  close(w->stop[0]);
  close(w->listen_fd);
  fd_close(w->socket);
  fd_close(w->control);
  unlink(w->path);
  unlink(w->out);
  cr_assert_eq(rmdir(w->dir), 0);
}

/* --- the program -------------------------------------------------------------------------------------------------- */

/* In the build directory; what it says goes to w->out. */
static void start(struct world *w, const char *command) {
  const char *top = getenv("top_builddir");
  w->pid = fork();
  if (w->pid == 0) {
    int fd = open(w->out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (dup2(fd, 1) == 1 && dup2(fd, 2) == 2 && close(fd) == 0 && chdir(top ? top : ".") == 0)
      execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(125);
  }
}

static int wait_end(struct world *w, char said[2048]) {
  int status;
  cr_assert_eq(waitpid(w->pid, &status, 0), w->pid);
  int fd = open(w->out, O_RDONLY | O_CLOEXEC);
  ssize_t n = read(fd, said, 2047);
  said[n > 0 ? n : 0] = 0;
  close(fd);
  cr_assert(WIFEXITED(status), "status %x: %s", status, said);
  return WEXITSTATUS(status);
}

static void until_listening(struct world *w) {
  while (w->socket < 0) {
    cr_assert_eq(waitpid(w->pid, NULL, WNOHANG), 0, "it is over already");
    (void)poll(NULL, 0, 2);
  }
}

/* What one connection to the listener says until its end. */
static void converse(const struct world *w, int family, char said[256]) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(w->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(w->port), .sin6_addr = in6addr_loopback};
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  size_t have = 0;
  cr_assert_eq(connect(fd, family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
                       family == AF_INET ? sizeof v4 : sizeof v6), 0);
  for (ssize_t n; have < 255 && (n = read(fd, said + have, 255 - have)) > 0;)
    have += (size_t)n;
  said[have] = 0;
  close(fd);
}

TestSuite(run_programs, .timeout = 60);

Test(run_programs, a_daemon_without_sockets_is_said) {
  struct world w = {.old = true};
  char said[2048];
  begin(&w);
  start(&w, "exec ./capnet-run -g web -l 80 -- echo ran");
  cr_assert_eq(wait_end(&w, said), 1);
  cr_assert_str_eq(said, "capnet-run: --listen 80: the daemon gives no listening sockets: it is an older one"
                         " (grant web)\n");
  end(&w);
}

Test(run_programs, the_listener_ends_and_the_control_knows_why) {
  static const struct {
    Capnet__ErrorCode code; /* of its last frame; 0: it just goes */
    const char *message, *said;
    int exit;
  } ends[] = {{CODE(REVOKED), "gone it is", "capnet-run: --listen 80=x: gone it is (grant web, rule r)\n", 3},
              {CODE(EXPIRED), "late it is", "capnet-run: --listen 80=x: late it is (grant web, rule r)\n", 3},
              {CODE(SHUTTING_DOWN), "bye", "capnet-run: --listen 80=x: bye (grant web, rule r)\n", 4},
              {0, NULL, "capnet-run: --listen 80=x: the endpoint ended without a reason\n", 4}};
  for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
    struct world w = {0};
    char said[2048];
    begin(&w);
    start(&w, "exec ./capnet-run -g web -l 80=x --inetd cat");
    until_listening(&w);
    if (ends[i].code)
      fake_error(w.control, 0, ends[i].code, ends[i].message, "web", "r");
    w.control = fd_close(w.control);
    cr_assert_eq(wait_end(&w, said), ends[i].exit, "%s", said);
    cr_assert_str_eq(said, ends[i].said);
    end(&w);
  }
}

/* Whoever holds a copy of the socket can shut it down: the daemon, asked, knows nothing of it. */
Test(run_programs, a_socket_that_was_shut_down) {
  struct world w = {0};
  char said[2048];
  begin(&w);
  start(&w, "exec ./capnet-run -g web -l 80 --inetd cat");
  until_listening(&w);
  cr_assert_eq(shutdown(w.socket, SHUT_RD), 0);
  Capnet__Frame *f = fake_frame(w.control);
  cr_assert_not_null(f);
  fake_error(w.control, f->call, CODE(CONFLICT), "its connections arrive on the listening socket", NULL, NULL);
  frame_free(f);
  cr_assert_eq(wait_end(&w, said), 1);
  cr_assert_str_eq(said, "capnet-run: --listen 80: the listening socket was shut down\n");
  end(&w);
}

Test(run_programs, inetd_says_who_is_there) {
  struct world w = {0};
  char said[2048], line[256];
  begin(&w);
  /* A parent that ignored SIGCHLD must not keep children from being counted. */
  start(&w, "trap '' CHLD; exec ./capnet-run -g web -l 80 --inetd --max 1 -- sh -c 'echo $REMOTE_ADDR'");
  until_listening(&w);
  for (int i = 0; i < 3; i++) {
    converse(&w, AF_INET, line);
    cr_assert_str_eq(line, "127.0.0.1\n", "without the mapping");
    converse(&w, AF_INET6, line);
    cr_assert_str_eq(line, "::1\n");
  }
  kill(w.pid, SIGTERM);
  cr_assert_eq(wait_end(&w, said), 0);
  cr_assert_str_eq(said, "");
  end(&w);
}

Test(run_programs, every_address_of_a_name_is_tried_in_order) {
  struct world w = {.addresses = {{"192.0.2.1", "192.0.2.2"}, {"2001:db8::1", "2001:db8::2"}},
                    .answers = "2001:db8::1"};
  char said[2048];
  begin(&w);
  start(&w, "exec ./capnet-run -g web --connect host.example:80=5 -- sh -c 'cat <&5'");
  cr_assert_eq(wait_end(&w, said), 0, "%s", said);
  cr_assert_str_eq(said, "hello\n");
  cr_assert_str_eq(w.asked, "192.0.2.1 192.0.2.2 2001:db8::1 ");
  end(&w);
}

/* That a rule does not cover one address says less than what became of another. */
Test(run_programs, the_most_telling_failure_is_told) {
  static const char *const denied[] = {"192.0.2.1", "192.0.2.2"};
  for (size_t i = 0; i < ARRAY_SIZE(denied); i++) {
    struct world w = {.addresses = {{"192.0.2.1", "192.0.2.2"}}, .denies = denied[i]};
    char said[2048];
    begin(&w);
    start(&w, "exec ./capnet-run -g web --connect host.example:80=5 true");
    cr_assert_eq(wait_end(&w, said), 1);
    cr_assert_str_eq(said, "capnet-run: --connect host.example:80=5: the peer refused the connection (grant web)\n");
    end(&w);
  }
  struct world w = {0};
  char said[2048];
  begin(&w);
  start(&w, "exec ./capnet-run -g web --connect host.example:80=5 true");
  cr_assert_eq(wait_end(&w, said), 1);
  cr_assert_str_eq(w.asked, "");
  cr_assert_not_null(strstr(said, "capnet-run: --connect host.example:80=5: "), "%s", said);
  end(&w);
}
