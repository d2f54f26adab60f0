/* SPDX-License-Identifier: BSD-3-Clause
 * What a program can do with the sockets that it holds: nothing but use them. The attacker is another user (as root), or
 * is in a user namespace of its own, as a confined program is; it holds a connection and a listening socket. After each
 * attack everybody else's sockets are as they were: those of another program of the same grant, those of another grant
 * on the same addresses and ports, and the host's.
 */
#include "seal_util.h"

#include "base/util.h"
#include "seal/seal_internal.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#define ATTACKER_UID 61841u

struct side { /* of one program: a connection, and a listening socket */
  int ours, program, listener;
  uint16_t port;
};
struct world {
  struct seal *s;
  struct seal_chamber *mine, *theirs;
  struct side attacker, neighbour, stranger; /* the first two of one grant */
  int host;
  struct net_endpoint host_at;
};

static struct side open_side(struct seal_chamber *c, const char *local, uint16_t port) {
  struct side s = {.port = port};
  const struct net_endpoint l = at(local), r = at("192.0.2.7:443"), any = {.port = port};
  /* with more patience than the daemon has: a handshake that a busy machine is late with is not what is tested */
  cr_assert_eq(seal_connect_within(c, &l, &r, 5000, &s.ours, &s.program), 0);
  cr_assert_eq(seal_listen(c, &any, 5, &s.listener), 0);
  return s;
}

static void close_side(struct side *s) {
  close(s->ours);
  close(s->program);
  close(s->listener);
}

static void open_world(struct world *w) {
  struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof sa;
  *w = (struct world){.s = seal_or_skip()};
  cr_assert_eq(seal_chamber_get(w->s, 1, &w->mine), 0);
  cr_assert_eq(seal_chamber_get(w->s, 2, &w->theirs), 0);
  w->attacker = open_side(w->mine, "10.0.2.15:40000", 8080);
  w->neighbour = open_side(w->mine, "10.0.2.15:40001", 9090);
  w->stranger = open_side(w->theirs, "10.0.2.15:40000", 8080);
  w->host = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  cr_assert_eq(bind(w->host, (struct sockaddr *)&sa, sizeof sa), 0);
  cr_assert_eq(listen(w->host, 5), 0);
  cr_assert_eq(getsockname(w->host, (struct sockaddr *)&sa, &len), 0);
  w->host_at = (struct net_endpoint){.addr = net_addr_v4(INADDR_LOOPBACK), .port = ntohs(sa.sin_port)};
}

static void close_world(struct world *w) {
  close_side(&w->attacker);
  close_side(&w->neighbour);
  close_side(&w->stranger);
  close(w->host);
  seal_chamber_unref(w->mine);
  seal_chamber_unref(w->theirs);
  seal_end(w->s);
}

/* --- what must hold afterwards ---------------------------------------------------------------------------------------- */

static void passes(int from, int to) {
  char byte = 0;
  cr_assert_eq(send(from, "x", 1, MSG_NOSIGNAL), 1, "%s", strerror(errno));
  cr_assert(becomes(to, POLLIN));
  cr_assert_eq(recv(to, &byte, 1, MSG_DONTWAIT), 1);
  cr_assert_eq(byte, 'x');
}

static void unharmed_side(struct seal_chamber *c, const struct side *s, uint16_t from) {
  int ours;
  passes(s->ours, s->program);
  passes(s->program, s->ours);
  cr_expect_eq(try_accept(s->listener), -1, "somebody came in on port %u", s->port);
  const struct net_endpoint l = {.addr = net_addr_v4(0x0a00020f), .port = s->port},
                            r = {.addr = net_addr_v4(0xc0000207), .port = from};
  cr_assert_eq(seal_enter(c, &l, &r, &ours), 0);
  cr_assert(becomes(s->listener, POLLIN));
  const int program = accept(s->listener, NULL, NULL);
  passes(ours, program);
  passes(program, ours);
  close(ours);
  close(program);
}

static void unharmed(struct world *w) {
  static uint16_t from = 50000;
  struct side more;
  unharmed_side(w->mine, &w->neighbour, ++from);
  unharmed_side(w->theirs, &w->stranger, ++from);
  cr_expect_eq(accept(w->host, NULL, NULL), -1, "the host was reached");
  /* New connections and listeners, on what the attacker may have taken. */
  const struct net_endpoint l = at("10.0.2.15:40000"), r = at("198.51.100.1:80");
  const int got = seal_connect(w->theirs, &l, &r, &more.ours, &more.program);
  cr_assert_eq(got, 0, "%d", got);
  passes(more.ours, more.program);
  close(more.ours);
  close(more.program);
  const struct net_endpoint l2 = at("10.0.2.15:40002");
  cr_assert_eq(seal_connect(w->mine, &l2, &r, &more.ours, &more.program), 0);
  close(more.ours);
  close(more.program);
  cr_expect_null(seal_why_not(w->s));
}

/* --- the attacker ------------------------------------------------------------------------------------------------------- */

/* A statement of the attacker's: when it does not hold, the test fails with its line. */
#define MUST(what)                                                                                                    \
  do {                                                                                                                \
    if (!(what))                                                                                                      \
      return __LINE__;                                                                                                \
  } while (0)

static void attack(int (*fn)(struct world *w)) {
  struct world w;
  int status = 0, line[2];
  open_world(&w);
  cr_assert_eq(pipe(line), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    const bool other = getuid() == 0 ? seteuid(0) == 0 && setresuid(ATTACKER_UID, ATTACKER_UID, ATTACKER_UID) == 0
                                     : unshare(CLONE_NEWUSER) == 0;
    const int failed = other ? fn(&w) : __LINE__;
    (void)!write(line[1], &failed, sizeof failed);
    _exit(0);
  }
  int failed = -1;
  close(line[1]);
  cr_expect_eq(read(line[0], &failed, sizeof failed), (ssize_t)sizeof failed, "the attacker died");
  cr_expect_eq(failed, 0, "the attacker's line %d does not hold", failed);
  close(line[0]);
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  unharmed(&w);
  close_world(&w);
}

static int disconnect(int fd) {
  const struct sockaddr none = {.sa_family = AF_UNSPEC};
  return connect(fd, &none, sizeof none);
}

static struct sockaddr_in to(const struct net_endpoint *e) {
  struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(e->port)};
  memcpy(&sa.sin_addr, e->addr.b, 4);
  return sa;
}

/* Did fd get a connection to anybody? A SYN that nobody answers is given up after a moment. */
static bool reaches(int fd, const struct net_endpoint *e) {
  const struct sockaddr_in sa = to(e);
  struct pollfd p = {.fd = fd, .events = POLLOUT};
  int error = 0, flags = fcntl(fd, F_GETFL);
  socklen_t len = sizeof error;
  (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  bool yes = connect(fd, (const struct sockaddr *)&sa, sizeof sa) == 0;
  if (!yes && errno == EINPROGRESS && poll(&p, 1, 300) == 1)
    yes = getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
  (void)disconnect(fd);
  return yes;
}

static bool reaches_anything(const struct world *w, int fd) {
  static const char *const places[] = {"10.0.2.15:9090", "10.0.2.15:8080",  "10.0.2.15:40001", "10.0.2.15:65535",
                                       "0.0.0.0:9090",   "127.0.0.1:9090",  "192.0.2.7:443",   "192.0.2.7:9090",
                                       "10.0.2.2:53",    "224.0.0.1:9090",  "169.254.1.1:80",  "255.255.255.255:9090"};
  for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
    const struct net_endpoint e = at(places[i]);
    if (reaches(fd, &e))
      return true;
  }
  return reaches(fd, &w->host_at);
}

static int connect_elsewhere(struct world *w) {
  MUST(!reaches(w->attacker.program, &w->host_at)); /* connected: EISCONN, and reaches() disconnects it */
  MUST(!reaches_anything(w, w->attacker.program));
  MUST(disconnect(w->attacker.listener) == 0);
  MUST(!reaches_anything(w, w->attacker.listener));
  return 0;
}
Test(seal_attack, disconnect_and_connect_elsewhere, .timeout = 60) { attack(connect_elsewhere); }

/* The same by who was passed the descriptors. */
static int by_a_child(struct world *w) {
  int status = 1;
  const pid_t pid = fork();
  if (pid == 0)
    _exit(connect_elsewhere(w) != 0);
  MUST(waitpid(pid, &status, 0) == pid && status == 0);
  return 0;
}
Test(seal_attack, passed_on, .timeout = 60) { attack(by_a_child); }

static int fast_open(struct world *w) {
  const struct sockaddr_in neighbour = {
      .sin_family = AF_INET, .sin_port = htons(9090), .sin_addr.s_addr = htonl(0x0a00020f)};
  MUST(disconnect(w->attacker.program) == 0);
  (void)sendto(w->attacker.program, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&neighbour,
               sizeof neighbour);
  return 0;
}
Test(seal_attack, data_with_the_syn) { attack(fast_open); }

static int take_ports(struct world *w) {
  static const uint16_t ports[] = {1, 80, 1023, 1024, 8080, 9090, 40000, 40001, 40002, 65534};
  MUST(disconnect(w->attacker.program) == 0);
  for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(ports[i]), .sin_addr.s_addr = htonl(0x0a00020f)};
    MUST(bind(w->attacker.program, (struct sockaddr *)&sa, sizeof sa) == -1 && errno == EACCES);
    sa.sin_addr.s_addr = INADDR_ANY;
    MUST(bind(w->attacker.program, (struct sockaddr *)&sa, sizeof sa) == -1 && errno == EACCES);
  }
  /* The one that is left is nobody's: the stack gives it to no connection. */
  MUST(listen(w->attacker.program, 100) == 0);
  MUST(strstr(name_of(w->attacker.program, false), ":65535"));
  return 0;
}
Test(seal_attack, take_a_port) { attack(take_ports); }

static int source_route(struct world *w) {
  /* IPOPT_LSRR by way of the peer, to the neighbour (RFC 791). */
  const unsigned char lsrr[] = {131, 11, 4, 192, 0, 2, 7, 10, 0, 2, 15, 0};
  MUST(disconnect(w->attacker.program) == 0);
  (void)setsockopt(w->attacker.program, IPPROTO_IP, IP_OPTIONS, lsrr, sizeof lsrr);
  MUST(!reaches_anything(w, w->attacker.program));
  return 0;
}
Test(seal_attack, source_routes, .timeout = 60) { attack(source_route); }

/* Every option there is, with values that mean something for many: what it does to its own socket is its affair. */
static int every_option(struct world *w) {
  static const int levels[] = {SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, 255, 282, 284};
  const int listening = w->attacker.listener;
  for (unsigned l = 0; l < ARRAY_SIZE(levels); l++)
    for (int option = 0; option < 256; option++)
      for (int value = -1; value < 4; value++) {
        const int values[16] = {value, value};
        const int fd = option % 2 ? listening : w->attacker.program;
        if (levels[l] == SOL_SOCKET && (option == SO_LINGER || option == SO_RCVTIMEO || option == SO_SNDTIMEO))
          continue; /* they would only make this test wait for itself */
        (void)setsockopt(fd, levels[l], option, values, sizeof values);
        (void)setsockopt(fd, levels[l], option, &value, sizeof value);
      }
  (void)setsockopt(w->attacker.program, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
  (void)disconnect(w->attacker.program);
  MUST(!reaches_anything(w, w->attacker.program));
  (void)disconnect(listening);
  MUST(!reaches_anything(w, listening));
  return 0;
}
Test(seal_attack, every_option, .timeout = 60) { attack(every_option); }

static int every_ioctl(struct world *w) {
  static const int privileged[] = {SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFMTU,   SIOCSIFHWADDR, SIOCADDRT, SIOCDELRT,
                                   SIOCGSKNS,    SIOCSARP,    SIOCBRADDBR, SIOCSIFNAME,   SIOCDARP};
  for (unsigned i = 0; i < ARRAY_SIZE(privileged); i++) {
    union {
      struct ifreq link;
      struct rtentry route;
      char room[512];
    } a = {0};
    strcpy(a.link.ifr_name, "seal");
    MUST(ioctl(w->attacker.program, (unsigned long)privileged[i], &a) < 0);
  }
  for (unsigned long request = 0x8900; request < 0x8a00; request++) {
    char room[512] = "seal";
    if (request == FIOSETOWN || request == SIOCSPGRP)
      continue; /* signals to ourselves */
    (void)ioctl(w->attacker.program, request, room);
    (void)ioctl(w->attacker.listener, request, room);
  }
  MUST(disconnect(w->attacker.program) == 0);
  MUST(!reaches_anything(w, w->attacker.program));
  return 0;
}
Test(seal_attack, every_ioctl, .timeout = 60) { attack(every_ioctl); }

/* --- in the way ----------------------------------------------------------------------------------------------------------- */

/* A socket that ended and is kept by its program listens again: nothing comes in, and only its own grant is told that
 * the port is not free. Closing it frees the port. */
Test(seal_attack, listen_again_after_the_end) {
  struct world w;
  int fd = -1, ours;
  const struct net_endpoint any = {.port = 8080}, l = at("10.0.2.15:8080"), r = at("192.0.2.7:50000");
  open_world(&w);
  seal_end_listener(w.attacker.listener);
  cr_assert_eq(listen(w.attacker.listener, 100), 0);
  cr_expect_eq(seal_listen(w.mine, &any, 5, &fd), -EADDRINUSE);
  unharmed(&w);
  close(w.attacker.listener);
  cr_assert_eq(seal_listen(w.mine, &any, 5, &w.attacker.listener), 0);
  cr_assert_eq(seal_enter(w.mine, &l, &r, &ours), 0);
  cr_expect(becomes(w.attacker.listener, POLLIN));
  close(ours);
  close_world(&w);
}

static int keep_the_address(struct world *w) {
  const int no = 0;
  MUST(setsockopt(w->attacker.program, SOL_SOCKET, SO_REUSEADDR, &no, sizeof no) == 0);
  return 0;
}
Test(seal_attack, keep_an_address_for_oneself) {
  struct world w;
  int ours, program;
  const struct net_endpoint l = at("10.0.2.15:40000"), r = at("198.51.100.1:80");
  attack(keep_the_address); /* another grant is not in its way */
  open_world(&w);
  cr_assert_eq(keep_the_address(&w), 0);
  cr_expect_eq(seal_connect(w.mine, &l, &r, &ours, &program), -EADDRINUSE, "its own grant is told");
  close(w.attacker.program);
  int got = -EADDRINUSE; /* until our end's delayed acknowledgement of the FIN */
  for (int i = 0; i < 100 && got == -EADDRINUSE; i++, (void)poll(NULL, 0, 20))
    got = seal_connect(w.mine, &l, &r, &ours, &program);
  cr_assert_eq(got, 0, "%d", got);
  close(ours);
  close(program);
  w.attacker.program = -1;
  close_world(&w);
}

/* Urgent data are data (RFC 6093), and nobody spins on them: the byte is read in its place. */
Test(seal_attack, urgent_data_are_in_line) {
  struct world w;
  char buf[8] = "";
  open_world(&w);
  cr_assert_eq(send(w.attacker.program, "ab", 2, 0), 2);
  cr_assert_eq(send(w.attacker.program, "c", 1, MSG_OOB), 1);
  cr_assert_eq(send(w.attacker.program, "d", 1, 0), 1);
  size_t got = 0;
  while (got < 4) {
    cr_assert(becomes(w.attacker.ours, POLLIN));
    const ssize_t n = recv(w.attacker.ours, buf + got, sizeof buf - got, 0);
    cr_assert_gt(n, 0);
    got += (size_t)n;
  }
  cr_expect_str_eq(buf, "abcd");
  unharmed(&w);
  close_world(&w);
}
