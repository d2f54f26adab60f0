/* SPDX-License-Identifier: BSD-3-Clause
 * What a call costs its program: system calls, counted where the library makes them. And that waiting in the receive itself
 * keeps what waiting before it kept: deadlines, signals, the stop descriptor, a descriptor that others see, fork.
 */
#include "fake_daemon.h"
#include "fd_util.h"
#include "proto/grant.pb-c.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#define M(index) (METHOD_KIND_BASE + (index))

static unsigned fds_before;
static void setup(void) { fds_before = fd_count(); }
static void teardown(void) { cr_assert_eq(fd_count(), fds_before); }
TestSuite(libcapnet_cost, .init = setup, .fini = teardown, .timeout = 20);

/* --- counting: these come before libc's --------------------------------------------------------------------------------- */

static struct {
  unsigned getpid, ppoll, setsockopt;
} calls;

pid_t getpid(void) {
  calls.getpid++;
  return (pid_t)syscall(SYS_getpid);
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask) {
  struct timespec left, *at = NULL;
  calls.ppoll++;
  if (timeout) {
    left = *timeout;
    at = &left;
  }
  return (int)syscall(SYS_ppoll, fds, n, at, mask, sizeof(long));
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len) {
  calls.setsockopt++;
  return (int)syscall(SYS_setsockopt, fd, level, option, value, len);
}

/* Who is late waits in two calls: where they are counted nobody is. */
static bool time_stands;

int clock_gettime(clockid_t clock, struct timespec *ts) {
  static const struct timespec then = {.tv_sec = 1000000};
  if (time_stands && clock == CLOCK_MONOTONIC) {
    *ts = then;
    return 0;
  }
  return (int)syscall(SYS_clock_gettime, clock, ts);
}

/* --- a handle that the library made ------------------------------------------------------------------------------------- */

static void describe(int fd) {
  Capnet__Frame *f;
  while ((f = fake_frame(fd))) {
    Capnet__DescribeReply r = CAPNET__DESCRIBE_REPLY__INIT;
    r.kind = (char *)"ping";
    if (f->kind == CAPNET__FRAME__KIND__REQUEST)
      fake_reply(fd, f->call, &r, false, NULL, 0);
    frame_free(f);
  }
}

static void silent(int fd) {
  Capnet__Frame *f;
  while ((f = fake_frame(fd)))
    frame_free(f);
}

static void take_script(int fd, void *arg) {
  Capnet__GrantTakeReply reply = CAPNET__GRANT_TAKE_REPLY__INIT;
  Capnet__Descriptor d = CAPNET__DESCRIPTOR__INIT;
  int pair[2];
  const uint64_t call = fake_request(fd, M(2), NULL, NULL);
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  d.has_slot = 1;
  reply.endpoint = &d;
  fake_reply(fd, call, &reply, false, pair, 1);
  close(pair[0]);
  ((void (*)(int fd))arg)(pair[1]);
  close(pair[1]);
}

static capnet *taken(struct fake *f, void (*serve)(int fd)) {
  capnet *grant = fake_start(f, take_script, (void *)serve), *cap = NULL;
  cr_assert_eq(capnet_take(grant, "ping", 0, &cap, NULL), 0);
  capnet_close(grant);
  return cap;
}

static int ask(capnet *cap, unsigned timeout_ms, struct capnet_error *err) {
  char *json = NULL;
  int r = capnet_describe(cap, timeout_ms, &json, err);
  free(json);
  return r;
}

static void finish(struct fake *f, capnet *cap) {
  capnet_close(cap);
  fake_stop(f);
}

Test(libcapnet_cost, a_call_is_one_send_and_one_receive) {
  struct fake f;
  capnet *cap = taken(&f, describe);
  time_stands = true;
  for (unsigned ms = 0; ms <= 5000; ms += 5000) {
    cr_assert_eq(ask(cap, ms, NULL), 0);
    memset(&calls, 0, sizeof calls);
    for (int i = 0; i < 100; i++)
      cr_assert_eq(ask(cap, ms, NULL), 0);
    cr_expect_eq(calls.getpid + calls.ppoll + calls.setsockopt, 0, "%u ms: %u %u %u", ms, calls.getpid, calls.ppoll,
                 calls.setsockopt);
  }
  /* Another time costs one more, once. */
  cr_assert_eq(ask(cap, 7000, NULL), 0);
  cr_expect_eq(calls.setsockopt, 1);
  finish(&f, cap);
}

Test(libcapnet_cost, a_deadline_comes_all_the_same) {
  struct fake f;
  struct capnet_error err;
  capnet *cap = taken(&f, silent);
  for (int i = 0; i < 2; i++) {
    cr_expect_eq(ask(cap, 10, &err), -ETIME);
    cr_expect_str_eq(err.code, "DEADLINE");
  }
  finish(&f, cap);
}

static void on_alarm(int signo) { (void)signo; }

/* Each one ends the wait in the kernel, which would begin anew with the whole time. */
Test(libcapnet_cost, signals_do_not_put_the_deadline_off) {
  struct fake f;
  struct capnet_error err;
  const struct sigaction act = {.sa_handler = on_alarm}; /* no SA_RESTART */
  const struct itimerval often = {.it_interval = {.tv_usec = 3000}, .it_value = {.tv_usec = 3000}}, never = {0};
  capnet *cap = taken(&f, silent);
  cr_assert_eq(sigaction(SIGALRM, &act, NULL), 0);
  cr_assert_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
  cr_expect_eq(ask(cap, 50, &err), -ETIME);
  cr_expect_str_eq(err.code, "DEADLINE");
  cr_assert_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
  finish(&f, cap);
}

Test(libcapnet_cost, a_stop_descriptor_is_heard) {
  struct fake f;
  struct capnet_error err;
  capnet *cap = taken(&f, silent);
  int stop = eventfd(1, EFD_CLOEXEC);
  cr_assert_geq(stop, 0);
  cr_expect_eq(ask(cap, 5, &err), -ETIME);
  capnet_set_stop_fd(cap, stop);
  cr_expect_eq(ask(cap, 0, &err), -ECANCELED);
  close(stop);
  finish(&f, cap);
}

static time_t wait_of(int fd) {
  struct timeval tv = {0};
  socklen_t len = sizeof tv;
  cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len), 0);
  return tv.tv_sec * 1000 + tv.tv_usec / 1000;
}

/* Whoever waits on the descriptor by himself, or in another process, must not find a time in it that is not his. */
Test(libcapnet_cost, a_descriptor_that_is_shown_has_no_time_of_ours) {
  struct fake f;
  capnet *cap = taken(&f, describe);
  cr_assert_eq(ask(cap, 5000, NULL), 0);
  const int fd = capnet_fd(cap);
  cr_expect_eq(wait_of(fd), 0);
  cr_assert_eq(ask(cap, 5000, NULL), 0);
  cr_expect_eq(wait_of(fd), 0);
  finish(&f, cap);
}

/* A child that looks at the descriptor leaves the parent's waiting alone: it is one socket. */
static int refused(capnet *cap) {
  struct capnet_error err;
  (void)capnet_fd(cap);
  return ask(cap, 0, &err) == -EOWNERDEAD && strcmp(err.code, "FORKED") == 0 ? 0 : 1;
}

static int status_of(pid_t pid) {
  int status = -1;
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  return status;
}

Test(libcapnet_cost, every_kind_of_child_is_another_process) {
  struct fake f;
  struct capnet_error err;
  capnet *cap = taken(&f, describe);
  time_stands = true;
  cr_assert_eq(ask(cap, 5000, NULL), 0);
  pid_t pid = fork();
  if (pid == 0)
    _exit(refused(cap));
  cr_expect_eq(status_of(pid), 0, "fork");
  /* As _Fork(3), or a language's own runtime: no handler of pthread_atfork(3) is run. */
  pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
  if (pid == 0)
    _exit(refused(cap));
  cr_expect_eq(status_of(pid), 0, "clone");
  memset(&calls, 0, sizeof calls);
  cr_assert_eq(ask(cap, 5000, &err), 0);
  cr_expect_eq(calls.setsockopt + calls.ppoll, 0, "the parent's is as it was");
  finish(&f, cap);
}
