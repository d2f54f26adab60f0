/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-run --fdstore against a service manager of a few lines: what is in its store, under which names and in which
 * order, what an earlier run left, and a manager that has no room or does not answer.
 */
#include "clients/run.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

TestSuite(run_store, .timeout = 60);

#ifdef HAVE_SYSTEMD
#define STORE_MAX 80

/* What it was told, in order, is in the store; first stored, first here. */
struct manager {
  int fd, stop[2];
  char dir[64], path[96];
  pthread_t thread;
  unsigned max; /* FileDescriptorStoreMax= */
  bool mute;
  unsigned n, barriers, bad;
  struct {
    int fd;
    char name[512];
  } store[STORE_MAX];
};

/* --- the manager -------------------------------------------------------------------------------------------------- */

static void keep(struct manager *m, int fd, const char *name) {
  if (m->n == m->max) {
    close(fd);
    return;
  }
  m->store[m->n].fd = fd;
  (void)snprintf(m->store[m->n++].name, sizeof m->store[0].name, "%s", name);
}

static void drop(struct manager *m, const char *name) {
  unsigned to = 0;
  for (unsigned i = 0; i < m->n; i++)
    if (strcmp(m->store[i].name, name) == 0)
      close(m->store[i].fd);
    else
      m->store[to++] = m->store[i];
  m->n = to;
}

static void on_message(struct manager *m, const char *text, const int *fds, unsigned n) {
  const char *store = "FDSTORE=1\nFDNAME=", *remove = "FDSTOREREMOVE=1\nFDNAME=";
  if (strncmp(text, store, strlen(store)) == 0 && n > 0) {
    for (unsigned i = 0; i < n; i++)
      keep(m, fds[i], text + strlen(store));
  } else if (strncmp(text, remove, strlen(remove)) == 0 && n == 0) {
    drop(m, text + strlen(remove));
  } else if (strcmp(text, "BARRIER=1") == 0 && n == 1) {
    m->barriers++;
    if (!m->mute) /* else it stays open */
      close(fds[0]);
  } else {
    m->bad++;
  }
}

static void receive(struct manager *m) {
  char text[512], control[CMSG_SPACE(STORE_MAX * sizeof(int))];
  struct iovec iov = {text, sizeof text - 1};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t len = recvmsg(m->fd, &msg, MSG_CMSG_CLOEXEC);
  int fds[STORE_MAX];
  unsigned n = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c && len >= 0; c = CMSG_NXTHDR(&msg, c))
    if (c->cmsg_type == SCM_RIGHTS) {
      n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
      memcpy(fds, CMSG_DATA(c), n * sizeof(int));
    }
  text[len > 0 ? len : 0] = 0;
  on_message(m, text, fds, n);
}

static void *manage(void *arg) {
  struct manager *m = arg;
  for (;;) {
    struct pollfd p[] = {{.fd = m->fd, .events = POLLIN}, {.fd = m->stop[0], .events = POLLIN}};
    (void)poll(p, 2, -1);
    if (p[0].revents)
      receive(m);
    else if (p[1].revents)
      return NULL;
  }
}

static void begin(struct manager *m) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  strcpy(m->dir, "/tmp/capnet-store.XXXXXX");
  cr_assert_not_null(mkdtemp(m->dir));
  (void)snprintf(m->path, sizeof m->path, "%s/notify", m->dir);
  strcpy(at.sun_path, m->path);
  m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  cr_assert_eq(bind(m->fd, (struct sockaddr *)&at, sizeof at), 0);
  cr_assert_eq(pipe2(m->stop, O_CLOEXEC), 0);
  cr_assert_eq(pthread_create(&m->thread, NULL, manage, m), 0);
  cr_assert_eq(setenv("NOTIFY_SOCKET", m->path, 1), 0);
  client_init("capnet-run");
}

/* After it the store may be looked at. */
static void stop(struct manager *m) {
  close(m->stop[1]);
  pthread_join(m->thread, NULL);
  cr_assert_eq(m->bad, 0, "messages that no manager knows");
}

static void end(struct manager *m) {
  for (unsigned i = 0; i < m->n; i++)
    close(m->store[i].fd);
  close(m->stop[0]);
  close(m->fd);
  unlink(m->path);
  cr_assert_eq(rmdir(m->dir), 0);
}

/* --- the listeners ------------------------------------------------------------------------------------------------ */

static void open_listens(struct run *r) {
  for (size_t i = 0; i < r->n_listens; i++) {
    struct run_listen *l = &r->listens[i];
    int pair[2];
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(l->fd >= 0 && listen(l->fd, 1) == 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    cr_assert_eq(capnet_adopt(pair[1], &l->control, NULL), 0);
    close(pair[0]);
  }
}

static void close_listens(struct run *r) {
  for (size_t i = 0; i < r->n_listens; i++) {
    close(r->listens[i].fd);
    capnet_closep(&r->listens[i].control);
  }
}

static bool same(int a, int b) {
  struct stat x, y;
  return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Number i of those that systemd would hand out. */
static void check_handed(const struct manager *m, unsigned i, int fd, const char *name, bool listens) {
  const unsigned at = m->n - 1 - i;
  int value = 0;
  socklen_t len = sizeof value;
  cr_assert_str_eq(m->store[at].name, name, "%u: %s", i, m->store[at].name);
  cr_assert(same(m->store[at].fd, fd), "%s", name);
  cr_assert_eq(getsockopt(m->store[at].fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len), 0);
  cr_assert_eq(value, listens, "%s", name);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

Test(run_store, listeners_come_first_in_their_order) {
  struct manager m = {.max = 4};
  static struct run r = {.n_listens = 2, .listens = {{.name = "web"}, {.name = "8443"}}};
  begin(&m);
  cr_assert_eq(run_store_begin(&r), CLIENT_OK);
  open_listens(&r);
  cr_assert_eq(run_store_end(&r), CLIENT_OK);
  stop(&m);
  cr_assert_eq(m.n, 4);
  cr_assert_eq(m.barriers, 2);
  check_handed(&m, 0, r.listens[0].fd, "web", true);
  check_handed(&m, 1, r.listens[1].fd, "8443", true);
  check_handed(&m, 2, capnet_fd(r.listens[0].control), "web.control", false);
  check_handed(&m, 3, capnet_fd(r.listens[1].control), "8443.control", false);
  close_listens(&r);
  end(&m);
}

/* Its listeners and their controls, and nothing else, are gone before new ones are asked for. */
Test(run_store, what_an_earlier_run_left_goes_first) {
  struct manager m = {.max = 3};
  static struct run r = {.n_listens = 1, .listens = {{.name = "web"}}};
  for (int i = 0; i < 2; i++) /* systemd stores two of a name */
    keep(&m, open("/dev/null", O_RDONLY | O_CLOEXEC), i ? "web" : "web.control");
  keep(&m, open("/dev/null", O_RDONLY | O_CLOEXEC), "theirs");
  begin(&m);
  cr_assert_eq(run_store_begin(&r), CLIENT_OK);
  stop(&m);
  cr_assert_eq(m.n, 1);
  cr_assert_str_eq(m.store[0].name, "theirs");
  end(&m);
}

/* As many as there can be, with the longest of names; another time one too few, none, one that is taken. */
Test(run_store, the_store_has_room_or_it_is_said, .init = cr_redirect_stderr) {
  static struct run r = {.n_listens = RUN_LISTENS_MAX};
  static const struct {
    unsigned max, taken;
    const char *said;
  } t[] = {{64, 0, NULL}, {65, 1, NULL}, {63, 0, "63 of 64"}, {0, 0, "0 of 64"}, {64, 1, "63 of 64"}};
  char expected[1024] = "";
  for (size_t i = 0; i < RUN_LISTENS_MAX; i++)
    (void)snprintf(r.listens[i].name, sizeof r.listens[i].name, "%0247zu", i);
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct manager m = {.max = t[i].max};
    if (t[i].taken)
      keep(&m, open("/dev/null", O_RDONLY | O_CLOEXEC), "theirs");
    begin(&m);
    cr_assert_eq(run_store_begin(&r), t[i].said ? CLIENT_FAILED : CLIENT_OK, "%zu", i);
    if (t[i].said)
      (void)snprintf(expected + strlen(expected), sizeof expected - strlen(expected),
                     "capnet-run: --fdstore: the store takes %s descriptors: FileDescriptorStoreMax= of the unit says "
                     "how many\n", t[i].said);
    stop(&m);
    cr_assert_eq(m.n, t[i].taken, "nothing of the trial stays");
    end(&m);
  }
  cr_assert_stderr_eq_str(expected);
}

Test(run_store, a_manager_that_does_not_answer, .init = cr_redirect_stderr) {
  struct manager m = {.max = 2, .mute = true};
  static struct run r = {.n_listens = 1, .listens = {{.name = "web"}}};
  begin(&m);
  cr_assert_eq(run_store_begin(&r), CLIENT_FAILED);
  stop(&m);
  end(&m);
  cr_assert_stderr_eq_str("capnet-run: --fdstore: the service manager does not answer\n");
}

Test(run_store, a_manager_that_goes_away_in_between, .init = cr_redirect_stderr) {
  struct manager m = {.max = 2};
  static struct run r = {.n_listens = 1, .listens = {{.name = "web"}}};
  begin(&m);
  cr_assert_eq(run_store_begin(&r), CLIENT_OK);
  open_listens(&r);
  stop(&m);
  end(&m);
  cr_assert_eq(run_store_end(&r), CLIENT_FAILED);
  close_listens(&r);
  cr_assert_stderr_eq_str("capnet-run: --fdstore: the service manager cannot be told: No such file or directory\n");
}

Test(run_store, no_manager, .init = cr_redirect_stderr) {
  static struct run r = {.n_listens = 1, .listens = {{.name = "web"}}};
  client_init("capnet-run");
  unsetenv("NOTIFY_SOCKET");
  cr_assert_eq(run_store_begin(&r), CLIENT_FAILED);
  setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
  cr_assert_eq(run_store_begin(&r), CLIENT_FAILED);
  cr_assert_stderr_eq_str("capnet-run: --fdstore: there is no NOTIFY_SOCKET: it is for a service of systemd with "
                          "NotifyAccess=exec or all\n"
                          "capnet-run: --fdstore: the service manager cannot be told: No such file or directory\n");
}

#else
Test(run_store, without_libsystemd, .init = cr_redirect_stderr) {
  static struct run r = {.n_listens = 1, .listens = {{.name = "web"}}};
  client_init("capnet-run");
  cr_assert_eq(run_store_begin(&r), CLIENT_FAILED);
  cr_assert_stderr_eq_str("capnet-run: --fdstore: this capnet-run was built without libsystemd\n");
}
#endif
