/* SPDX-License-Identifier: BSD-3-Clause
 * Grants: what is inherited, what is connected to, and several processes over one shared descriptor.
 */
#include "fake_daemon.h"
#include "fd_util.h"
#include "proto/grant.pb-c.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define OPEN METHOD_KIND_BASE
#define LIST (METHOD_KIND_BASE + 1)
#define TAKE (METHOD_KIND_BASE + 2)

static unsigned fds_before;
static char dir[64];
static void setup(void) {
  unsetenv("CAPNET_FDS");
  unsetenv("LISTEN_FDS");
  unsetenv("CAPNET_GRANT");
  strcpy(dir, "/tmp/capnet-test.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  setenv("CAPNET_GRANTS_DIR", dir, 1);
  fds_before = fd_count();
}
static void teardown(void) {
  char path[128];
  (void)snprintf(path, sizeof path, "%s/web.sock", dir);
  (void)unlink(path);
  cr_assert_eq(rmdir(dir), 0);
  cr_assert_eq(fd_count(), fds_before);
}
TestSuite(libcapnet_grant, .init = setup, .fini = teardown, .timeout = 20);

/* --- a grant of a few lines --------------------------------------------------------------------------------------- */

/* Private endpoints: each answers List with a description of its own, and has "ping" to take. */
struct private {
  int fd;
  unsigned number;
};

static void take_reply(int fd, uint64_t call, const Capnet__GrantTakeRequest *q) {
  if (strcmp(q->name ? q->name : q->kind, "ping") != 0) {
    fake_error(fd, call, CODE(NOT_FOUND), "there is only ping", "web", NULL);
    return;
  }
  int pair[2];
  Capnet__GrantTakeReply reply = CAPNET__GRANT_TAKE_REPLY__INIT;
  Capnet__Descriptor d = CAPNET__DESCRIPTOR__INIT;
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  d.has_slot = 1;
  reply.endpoint = &d;
  fake_reply(fd, call, &reply, false, pair, 1);
  close(pair[0]);
  close(pair[1]);
}

static void private_request(struct private *p, const Capnet__Frame *f) {
  if (f->method == LIST) {
    char text[32];
    Capnet__GrantListReply reply = CAPNET__GRANT_LIST_REPLY__INIT;
    (void)snprintf(text, sizeof text, "%u", p->number);
    reply.description = text;
    fake_reply(p->fd, f->call, &reply, false, NULL, 0);
  } else {
    ProtobufCMessage *body;
    cr_assert_eq(f->method, TAKE);
    cr_assert_eq(body_decode(&capnet__grant_take_request__descriptor, &f->body, &body), 0);
    take_reply(p->fd, f->call, (Capnet__GrantTakeRequest *)body);
    body_free(body);
  }
}

/* Serves the shared descriptor and all private ones until every client is gone. opened counts. */
static void grant(int shared, void *arg) {
  struct private list[16];
  unsigned n = 0, *opened = arg, live = 1;
  while (live) {
    struct pollfd p[17] = {{.fd = shared, .events = POLLIN}};
    for (unsigned i = 0; i < n; i++)
      p[i + 1] = (struct pollfd){.fd = list[i].fd, .events = POLLIN};
    cr_assert_gt(poll(p, n + 1, -1), 0);
    for (unsigned i = n; i >= 1; i--) {
      Capnet__Frame *f = p[i].revents ? fake_frame(p[i].fd) : NULL;
      if (f)
        private_request(&list[i - 1], f);
      else if (p[i].revents) {
        close(list[i - 1].fd);
        list[i - 1].fd = -1;
      }
      frame_free(f);
    }
    if (!p[0].revents)
      continue;
    Capnet__Frame *f = fake_frame(shared);
    if (!f) {
      live = 0;
    } else {
      int pair[2];
      cr_assert_eq(f->method, OPEN, "a shared descriptor answers only Open");
      cr_assert(!f->has_deadline_ms, "a deadline would spoil another process's reply");
      cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
      Capnet__GrantOpenReply reply = CAPNET__GRANT_OPEN_REPLY__INIT;
      Capnet__Descriptor d = CAPNET__DESCRIPTOR__INIT;
      d.has_slot = 1;
      reply.endpoint = &d;
      fake_reply(shared, f->call, &reply, false, &pair[1], 1);
      close(pair[1]);
      list[n] = (struct private){pair[0], n};
      n++;
      ++*opened;
    }
    frame_free(f);
  }
  for (unsigned i = 0; i < n; i++)
    if (list[i].fd >= 0)
      close(list[i].fd);
}

/* Starts it and puts its descriptor into CAPNET_FDS; shared is the test's to close. */
static int inherit(struct fake *f, unsigned *opened, const char *name) {
  char text[64];
  capnet *cap = fake_start(f, grant, opened);
  int fd = fcntl(capnet_fd(cap), F_DUPFD, 3); /* inheritable, as after exec */
  capnet_close(cap);
  (void)snprintf(text, sizeof text, "bad=x,=3,%s=%d,none=9999", name, fd);
  setenv("CAPNET_FDS", text, 1);
  return fd;
}

/* --- inherited ---------------------------------------------------------------------------------------------------- */

Test(libcapnet_grant, inherited_by_name_or_because_it_is_the_only_one) {
  struct fake f;
  unsigned opened = 0;
  int fd = inherit(&f, &opened, "web");
  static const char *const names[] = {"web", NULL};
  for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
    capnet *g, *ping = NULL;
    struct capnet_error err;
    cr_assert_eq(capnet_grant_open(names[i], "other", 1000, &g, &err), 0, "%s", err.message);
    cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    cr_assert_eq(capnet_take(g, "ping", 1000, &ping, NULL), 0);
    capnet_close(ping);
    cr_assert_eq(capnet_take(g, "dns", 1000, &ping, &err), -ENOENT);
    cr_assert_str_eq(err.code, "NOT_FOUND");
    capnet_close(g);
  }
  capnet *ping;
  struct capnet_error err;
  cr_assert_eq(capnet_open(NULL, "other", "ping", 1000, &ping, NULL), 0);
  capnet_close(ping);
  /* What was inherited does not have it: the default grant is next, and nobody is there. */
  cr_assert_eq(capnet_open(NULL, "other", "dns", 1000, &ping, &err), -ENOENT);
  cr_assert_str_eq(err.code, "NO_DAEMON");
  close(fd);
  fake_stop(&f);
  cr_assert_eq(opened, 4);
}

Test(libcapnet_grant, systemd_descriptors_need_our_pid) {
  struct fake f;
  unsigned opened = 0;
  int fd = inherit(&f, &opened, "web");
  capnet *g = NULL;
  char pid[32];
  struct capnet_error err;
  unsetenv("CAPNET_FDS");
  /* LISTEN_FDS begin at 3: put it there, keeping what is there. */
  int kept = fcntl(3, F_DUPFD_CLOEXEC, 10);
  cr_assert_eq(dup2(fd, 3), 3);
  setenv("LISTEN_FDS", "1", 1);
  setenv("LISTEN_FDNAMES", "web", 1);
  setenv("LISTEN_PID", "1", 1);
  cr_assert_eq(capnet_grant_open("web", NULL, 1000, &g, &err), -ENOENT);
  (void)snprintf(pid, sizeof pid, "%d", getpid());
  setenv("LISTEN_PID", pid, 1);
  cr_assert_eq(capnet_grant_open("web", NULL, 1000, &g, &err), 0, "%s", err.message);
  capnet_close(g);
  if (kept >= 0) {
    dup2(kept, 3);
    close(kept);
  } else {
    close(3);
  }
  if (fd != 3)
    close(fd);
  fake_stop(&f);
}

Test(libcapnet_grant, what_is_no_seqpacket_socket_is_not_taken) {
  int pair[2];
  char text[64];
  capnet *g = NULL;
  cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  (void)snprintf(text, sizeof text, "web=%d", pair[0]);
  setenv("CAPNET_FDS", text, 1);
  cr_assert_eq(capnet_grant_open("web", NULL, 100, &g, NULL), -ENOENT);
  cr_assert_eq(fcntl(pair[0], F_GETFD), 0, "untouched");
  close(pair[0]);
  close(pair[1]);
}

/* --- fork --------------------------------------------------------------------------------------------------------- */

/* Every List on this handle must say the same number, for it is this process's own endpoint. */
static int list_many(capnet *g, char first[64]) {
  for (int i = 0; i < 200; i++) {
    char *json = NULL;
    if (capnet_list(g, 5000, &json, NULL) != 0)
      return 1;
    if (i == 0)
      (void)snprintf(first, 64, "%s", json);
    int differs = strcmp(first, json) != 0;
    free(json);
    if (differs)
      return 2;
  }
  return 0;
}

Test(libcapnet_grant, children_of_one_shared_descriptor_never_see_each_others_replies) {
  struct fake f;
  unsigned opened = 0;
  int fd = inherit(&f, &opened, "web"), report[2];
  capnet *g;
  char mine[64], theirs[2][64] = {{0}};
  cr_assert_eq(pipe2(report, O_CLOEXEC), 0);
  cr_assert_eq(capnet_grant_open("web", NULL, 1000, &g, NULL), 0);
  pid_t pids[2];
  for (int i = 0; i < 2; i++) {
    pids[i] = fork();
    if (pids[i] == 0) {
      char text[64] = {0};
      int r = list_many(g, text); /* the parent's handle: opens an endpoint of this process */
      if (r == 0 && write(report[1], text, sizeof text) != sizeof text)
        r = 3;
      _exit(r);
    }
  }
  cr_assert_eq(list_many(g, mine), 0);
  for (int i = 0; i < 2; i++) {
    int status;
    cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
    cr_assert_eq(status, 0);
    cr_assert_eq(read(report[0], theirs[i], 64), 64);
    cr_assert_str_neq(theirs[i], mine);
  }
  cr_assert_str_neq(theirs[0], theirs[1]);
  capnet_close(g);
  close(report[0]);
  close(report[1]);
  close(fd);
  fake_stop(&f);
  cr_assert_eq(opened, 3);
}

/* --- the grant's socket ------------------------------------------------------------------------------------------- */

Test(libcapnet_grant, a_socket_that_nobody_serves_is_no_daemon) {
  struct sockaddr_un sa = {.sun_family = AF_UNIX};
  struct capnet_error err;
  capnet *g = NULL;
  char expected[300];
  (void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s/web.sock", dir);
  (void)snprintf(expected, sizeof expected, "no daemon answers at %s", sa.sun_path);
  cr_assert_eq(capnet_grant_open("web", NULL, 100, &g, &err), -ENOENT);
  cr_assert_str_eq(err.code, "NO_DAEMON");
  cr_assert_str_eq(err.message, expected);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
  cr_assert_eq(capnet_grant_open("web", NULL, 100, &g, &err), -ECONNREFUSED);
  cr_assert_str_eq(err.code, "NO_DAEMON");
  cr_assert_eq(capnet_grant_open(sa.sun_path, NULL, 100, &g, &err), -ECONNREFUSED, "a path is used as it is");
  /* Listening, but silent: the time given is the limit. */
  cr_assert_eq(listen(fd, 1), 0);
  cr_assert_eq(capnet_grant_open("web", NULL, 20, &g, &err), -ETIME);
  setenv("CAPNET_GRANT", "web", 1);
  cr_assert_eq(capnet_grant_open(NULL, "other", 20, &g, &err), -ETIME);
  close(fd);
}

Test(libcapnet_grant, names_that_are_none) {
  static const char *const names[] = {"", ".", "..", ".hidden"};
  struct capnet_error err;
  capnet *g = NULL;
  for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
    cr_assert_eq(capnet_grant_open(names[i], NULL, 100, &g, &err), -EINVAL);
    cr_assert_str_eq(err.code, "ARGUMENT");
  }
  cr_assert_eq(capnet_grant_open(NULL, NULL, 100, &g, &err), -ENOENT);
  cr_assert_str_eq(err.code, "NO_GRANT");
}
