/* SPDX-License-Identifier: BSD-3-Clause
 * What the start and the reload once did to those who were patient: links followed as root, a reload that outlived the
 * grants it was for, a client's descriptors closed on the loop.
 */
#include "config_util.h"
#include "core/grants.h"
#include "core/privilege.h"
#include "core/server.h"
#include "fd_util.h"
#include "rpc/rpc.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

TestSuite(review_core, .timeout = 60);

/* libuv keeps some descriptors of its own once it has been used. */
static unsigned fds_with_uv(void) {
  struct loop *loop;
  cr_assert_eq(loop_uv_new(&loop), 0);
  (void)loop_free(loop);
  return fd_count();
}

static void temp_dir(char dir[64]) {
  (void)snprintf(dir, 64, "/tmp/capnet-review-XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
}

Test(review_core, a_directory_is_given_away_only_if_it_is_one_and_ours) {
  char dir[64], path[128], target[128];
  struct privilege p = {.uid = geteuid(), .gid = getegid(), .change = geteuid() == 0};
  temp_dir(dir);
  (void)snprintf(target, sizeof target, "%s/target", dir);
  (void)snprintf(path, sizeof path, "%s/grants", dir);
  cr_assert_eq(mkdir(target, 0755), 0);
  cr_assert_eq(symlink(target, path), 0);
  cr_expect_lt(privilege_give_dir(&p, path), 0);
  cr_assert_eq(unlink(path), 0);
  cr_expect_eq(privilege_give_dir(&p, path), 0);
  cr_assert_eq(chmod(path, 0775), 0);
  cr_expect_eq(privilege_give_dir(&p, path), -EPERM);
  cr_assert_eq(chmod(path, 01777), 0);
  cr_expect_eq(privilege_give_dir(&p, path), -EPERM);
  cr_assert_eq(chmod(path, 0755), 0);
  cr_expect_eq(privilege_give_dir(&p, path), 0);
  if (geteuid() == 0) {
    cr_assert_eq(chown(path, 12345, 12345), 0);
    cr_expect_eq(privilege_give_dir(&p, path), -EPERM);
  }
  remove_tree(dir);
}

static void not_called(void *arg, int r) {
  (void)r;
  ++*(unsigned *)arg;
}

/* SIGTERM while names are looked up: the answer finds nobody. */
Test(review_core, a_reload_may_outlive_the_grants) {
  static const char text[] = "[grant]\nusers = root\n[status]\nallow = own\n";
  void *const rooms[AUTH_KIND_COUNT] = {NULL};
  char dir[64], grants[128], run_dir[128], run_grants[140];
  unsigned fds = fds_with_uv(), called = 0;
  struct reports reports = {0};
  struct loop *loop;
  struct caps *caps;
  struct grant_set *set;
  struct offers *o;
  temp_dir(dir);
  (void)snprintf(grants, sizeof grants, "%s/g", dir);
  (void)snprintf(run_dir, sizeof run_dir, "%s/r", dir);
  (void)snprintf(run_grants, sizeof run_grants, "%s/grants", run_dir);
  cr_assert_eq(mkdir(grants, 0755) | mkdir(run_dir, 0755) | mkdir(run_grants, 0755), 0);
  write_file(grants, "a.grant", text, sizeof text - 1, 0644);
  cr_assert_eq(loop_uv_new(&loop), 0);
  cr_assert_eq(caps_new(loop, rooms, &caps), 0);
  cr_assert_eq(grants_load(grants, &set, collect, &reports), 0);
  cr_assert_eq(config_grant_resolve(set->grants[0], NULL, NULL), 0);
  cr_assert_eq(offers_new(caps, run_dir, set, &o), 0);
  cr_assert_eq(offers_reload(o, grants, not_called, &called), 0);
  cr_expect_eq(offers_reload(o, grants, not_called, &called), -EBUSY);
  o = offers_free(o);
  caps = caps_free(caps);
  loop = loop_free(loop); /* waits for the look-up */
  cr_expect_eq(called, 0);
  cr_expect_eq(fd_count(), fds);
  remove_tree(dir);
}

/* --- doors ---------------------------------------------------------------------------------------------------------- */

static void on_enter(void *arg, int fd, const struct auth_taker *taker) {
  cr_expect_neq(taker->pid, 0);
  ++*(unsigned *)arg;
  fd_close(fd);
}
static void on_refused(void *arg, const struct auth_taker *taker) { (void)arg, (void)taker; }
static const struct door_ops door_ops = {.enter = on_enter, .refused = on_refused};

static int knock(const char *path) {
  struct sockaddr_un sa = {.sun_family = AF_UNIX};
  (void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
  return fd;
}

static int terminal_code(int fd) {
  uint8_t buf[4096];
  ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
  Capnet__Frame *f = NULL;
  int code = -1;
  if (n > 0 && frame_decode(buf, (size_t)n, &f) == 0 && f->kind == CAPNET__FRAME__KIND__TERMINAL && f->error)
    code = (int)f->error->code;
  frame_free(f);
  return code;
}

/* Whoever stands before the door when it closes is told; nobody can have put a descriptor into the queue where the
 * kernel lets us say so, and elsewhere it is closed off the loop. */
Test(review_core, a_door_that_closes_turns_away_who_waits) {
  char dir[64], path[96];
  unsigned fds = fds_with_uv(), entered = 0;
  struct loop *loop;
  struct door *d;
  struct rpc_stats before, after;
  temp_dir(dir);
  (void)snprintf(path, sizeof path, "%s/x.sock", dir);
  const struct door_config cfg = {.path = path};
  cr_assert_eq(loop_uv_new(&loop), 0);
  cr_assert_eq(door_open(loop, &cfg, &door_ops, &entered, &d), 0);
  int a = knock(path), b = knock(path);
  union {
    struct cmsghdr align;
    char buf[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec iov = {.iov_base = (char[]){'x'}, .iov_len = 1};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof control.buf};
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
  memcpy(CMSG_DATA(c), &a, sizeof a);
  rpc_get_stats(&before);
  bool sent = sendmsg(b, &msg, MSG_NOSIGNAL) > 0;
  cr_expect(sent || errno == EPERM, "%s", strerror(errno));
  d = door_close(d);
  cr_expect_eq(terminal_code(a), CAPNET__ERROR_CODE__ERROR_REVOKED);
  cr_expect_eq(terminal_code(b), CAPNET__ERROR_CODE__ERROR_REVOKED);
  rpc_get_stats(&after);
  cr_expect_eq(after.descriptors_refused - before.descriptors_refused, sent ? 1 : 0);
  cr_expect_eq(entered, 0);
  fd_close(a);
  fd_close(b);
  loop = loop_free(loop);
  cr_expect_eq(fd_count(), fds);
  remove_tree(dir);
}

Test(review_core, limits_of_descriptors_are_raised_and_never_lowered) {
  struct rlimit before, after;
  cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
  struct rlimit low = {.rlim_cur = MIN(before.rlim_max, (rlim_t)256), .rlim_max = before.rlim_max};
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
  privilege_raise_descriptors();
  cr_assert_eq(getrlimit(RLIMIT_NOFILE, &after), 0);
  cr_expect_eq(after.rlim_cur, MIN(before.rlim_max, (rlim_t)65536));
  cr_expect_eq(after.rlim_max, before.rlim_max);
}
