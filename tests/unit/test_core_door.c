/* SPDX-License-Identifier: BSD-3-Clause
 * Doors, peers and privileges: who comes in, who is told that he may not, and what the daemon has left of its powers.
 */
#include "config_util.h"
#include "core/peer.h"
#include "core/privilege.h"
#include "core/server.h"
#include "fd_util.h"
#include "proto/codec.h"

#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

TestSuite(core_door, .timeout = 60);

struct hall {
  unsigned fds;
  char dir[64], path[96];
  struct loop *loop;
  struct door *door;
  unsigned entered, refused;
  struct auth_taker last;
};

static void on_enter(void *arg, int fd, const struct auth_taker *taker) {
  struct hall *h = arg;
  h->entered++;
  h->last = *taker;
  cr_expect_eq(send(fd, "in", 2, MSG_NOSIGNAL), 2);
  fd_close(fd);
}
static void on_refused(void *arg, const struct auth_taker *taker) {
  struct hall *h = arg;
  h->refused++;
  h->last = *taker;
}
static const struct door_ops ops = {.enter = on_enter, .refused = on_refused};

static void hall_open(struct hall *h) {
  memset(h, 0, sizeof *h);
  h->fds = fd_count();
  (void)snprintf(h->dir, sizeof h->dir, "/tmp/capnet-door-XXXXXX");
  cr_assert_not_null(mkdtemp(h->dir));
  cr_assert_eq(chmod(h->dir, 0755), 0);
  (void)snprintf(h->path, sizeof h->path, "%s/web.sock", h->dir);
  cr_assert_eq(loop_sim_new(&h->loop), 0);
}

static void hall_close(struct hall *h) {
  h->door = door_close(h->door);
  cr_expect_lt(access(h->path, F_OK), 0, "the socket is removed");
  h->loop = loop_free(h->loop);
  cr_expect_eq(fd_count(), h->fds);
  remove_tree(h->dir);
}

static void admit(struct hall *h, struct door_config cfg) {
  cfg.path = h->path;
  cr_assert_eq(door_open(h->loop, &cfg, &ops, h, &h->door), 0);
}

static int knock(const char *path) {
  struct sockaddr_un sa = {.sun_family = AF_UNIX};
  (void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
    return fd;
  fd_close(fd);
  return -1;
}

enum { IN, OUT, TURNED_AWAY, NO_WAY };

/* What the peer at fd hears. */
static int verdict(int fd) {
  uint8_t buf[1024];
  ssize_t n = fd < 0 ? -1 : recv(fd, buf, sizeof buf, 0);
  Capnet__Frame *f = NULL;
  int r = fd < 0 ? NO_WAY : OUT;
  if (n == 2 && memcmp(buf, "in", 2) == 0)
    r = IN;
  else if (n > 0 && frame_decode(buf, (size_t)n, &f) == 0 && f->kind == CAPNET__FRAME__KIND__TERMINAL && f->error &&
           f->error->code == CAPNET__ERROR_CODE__ERROR_NOT_PERMITTED)
    r = TURNED_AWAY;
  frame_free(f);
  fd_close(fd);
  return r;
}

/* Knocks as somebody else, from a process of its own. */
static int as(struct hall *h, uid_t uid, gid_t gid, gid_t supplementary) {
  pid_t pid = fork();
  int status;
  cr_assert_geq(pid, 0);
  if (pid == 0) {
    if (setgroups(supplementary ? 1 : 0, &supplementary) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
      _exit(99);
    _exit(verdict(knock(h->path)));
  }
  while (waitpid(pid, &status, WNOHANG) == 0) {
    cr_assert_eq(loop_run(h->loop), 0);
    (void)usleep(1000);
  }
  cr_assert(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void need_root(void) {
  if (geteuid() != 0)
    cr_skip_test("other uids need root");
}

Test(core_door, our_own_uid_comes_in_and_is_known) {
  struct hall h;
  hall_open(&h);
  admit(&h, (struct door_config){0});
  struct stat st;
  cr_assert_eq(stat(h.path, &st), 0);
  cr_expect_eq(st.st_mode & 0777, 0600);
  int fd = knock(h.path);
  cr_assert_eq(loop_run(h.loop), 0);
  cr_expect_eq(verdict(fd), IN);
  cr_expect_eq(h.last.pid, getpid());
  cr_expect_eq(h.last.uid, geteuid());
  char comm[32] = "";
  cr_assert_eq(prctl(PR_GET_NAME, comm), 0);
  cr_expect_str_eq(h.last.comm, comm);
  hall_close(&h);
}

Test(core_door, users_and_groups_of_the_list) {
  need_root();
  struct hall h;
  const uid_t uids[] = {4242};
  const gid_t gids[] = {4343};
  hall_open(&h);
  admit(&h, (struct door_config){.uids = uids, .n_uids = 1, .gids = gids, .n_gids = 1});
  cr_expect_eq(as(&h, 4242, 4242, 0), IN);
  cr_expect_eq(h.last.uid, 4242);
  cr_expect_eq(as(&h, 4244, 4343, 0), IN, "by primary group");
  cr_expect_eq(as(&h, 4244, 4244, 4343), IN, "by supplementary group");
  cr_expect_eq(as(&h, 0, 0, 0), IN, "root");
  cr_expect_eq(as(&h, 4244, 4244, 0), NO_WAY, "the file's list keeps strangers out");
  cr_expect_eq(h.refused, 0);
  /* Whoever loosens the file's mode opens nothing: the peer is looked at as well. */
  cr_assert_eq(chmod(h.path, 0666), 0);
  cr_expect_eq(as(&h, 4244, 4244, 0), TURNED_AWAY);
  cr_expect_eq(h.refused, 1);
  cr_expect_eq(h.last.uid, 4244);
  cr_expect_eq(as(&h, 4244, 4244, 4343), IN);
  cr_expect_eq(as(&h, peer_overflow_uid(), 4343, 4343), TURNED_AWAY, "that uid is nobody in particular");
  hall_close(&h);
}

Test(core_door, everyone_is_everyone_but_the_overflow_uid) {
  need_root();
  struct hall h;
  hall_open(&h);
  admit(&h, (struct door_config){.everyone = true});
  cr_expect_eq(as(&h, 4244, 4244, 0), IN);
  cr_expect_eq(as(&h, peer_overflow_uid(), 4244, 0), TURNED_AWAY);
  hall_close(&h);
}

Test(core_door, a_stale_socket_is_replaced_and_a_lock_is_kept) {
  struct hall h;
  int lock = -1, second = -1;
  hall_open(&h);
  struct sockaddr_un sa = {.sun_family = AF_UNIX};
  (void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s", h.path);
  int stale = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  cr_assert_eq(bind(stale, (struct sockaddr *)&sa, sizeof sa), 0);
  fd_close(stale);
  cr_expect_eq(knock(h.path), -1);
  admit(&h, (struct door_config){0});
  int fd = knock(h.path);
  cr_assert_eq(loop_run(h.loop), 0);
  cr_expect_eq(verdict(fd), IN);
  cr_assert_eq(runtime_lock(h.dir, &lock), 0);
  cr_expect_eq(runtime_lock(h.dir, &second), -EBUSY);
  fd_close(lock);
  cr_expect_eq(runtime_lock(h.dir, &second), 0, "the lock goes with its holder");
  fd_close(second);
  hall_close(&h);
}

/* No descriptor left: who knocks sees the end at once instead of waiting, nothing spins, and the next one comes in. */
Test(core_door, out_of_descriptors) {
  struct hall h;
  struct rlimit was;
  hall_open(&h);
  admit(&h, (struct door_config){0});
  int a = knock(h.path), b = knock(h.path);
  cr_assert_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
  int probe = dup(0);
  struct rlimit now = {.rlim_cur = (rlim_t)probe, .rlim_max = was.rlim_max};
  fd_close(probe);
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
  struct loop_stats before, after;
  loop_get_stats(h.loop, &before);
  cr_assert_eq(loop_sim_advance(h.loop, NSEC_PER_SEC), 0);
  loop_get_stats(h.loop, &after);
  cr_expect_leq(after.watch_calls - before.watch_calls, 8);
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
  cr_expect_eq(h.entered, 0);
  cr_expect_eq(verdict(a), OUT);
  cr_expect_eq(verdict(b), OUT);
  int c = knock(h.path);
  cr_assert_eq(loop_sim_advance(h.loop, 2 * NSEC_PER_SEC), 0);
  cr_expect_eq(verdict(c), IN);
  hall_close(&h);
}

/* --- privileges ---------------------------------------------------------------------------------------------------------- */

static bool status_says(const char *key, const char *value) {
  char line[256];
  bool found = false;
  FILE *f = fopen("/proc/self/status", "re");
  while (f && fgets(line, sizeof line, f))
    if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
      found = strcmp(line + strlen(key) + 2, value) == 0;
  if (f)
    (void)fclose(f);
  return found;
}

static int drop_in_child(const char *user) {
  pid_t pid = fork();
  int status;
  cr_assert_geq(pid, 0);
  if (pid == 0) {
    struct privilege p;
    const char *what = "";
    const char none[] = "0000000000000000\n";
    if (privilege_plan(user, &p) < 0 || privilege_drop(&p, &what) < 0)
      _exit(1);
    if (!status_says("CapInh", none) || !status_says("CapPrm", none) || !status_says("CapEff", none) ||
        !status_says("CapAmb", none) || !status_says("CapBnd", none))
      _exit(2);
    if (!status_says("NoNewPrivs", "1\n") || prctl(PR_GET_DUMPABLE) != 0)
      _exit(3);
    if (user && (geteuid() == 0 || getuid() == 0 || getgroups(0, NULL) != 0 || setuid(0) == 0))
      _exit(4);
    if (!user && geteuid() != p.uid)
      _exit(5);
    _exit(0);
  }
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert(WIFEXITED(status));
  return WEXITSTATUS(status);
}

Test(core_door, nothing_is_left_of_root) {
  need_root();
  struct privilege p;
  cr_expect_eq(drop_in_child("daemon"), 0);
  cr_expect_eq(drop_in_child(NULL), 0);
  cr_expect_eq(privilege_plan("no-such-user-at-all", &p), -ENOENT);
}
