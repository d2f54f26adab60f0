/* SPDX-License-Identifier: BSD-3-Clause
 * The helper process: it stays when the daemon's privileges go, in a user namespace of its own, and makes chambers and
 * sockets. It sees no byte of a connection.
 *
 * Confinement, in order: 1 every other descriptor is closed, 2 default signals, 3 the daemon's user, 4 a user namespace
 * in which that user is the only one, 5 an empty network namespace instead of the host's, 6 of the user namespace's
 * capabilities only the two that chambers are made with, no new privileges, not dumpable, dies with the parent, 7 the
 * pair is read.
 */
#include "seal/seal_net.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

struct chamber {
  struct chamber *next;
  uint64_t number;
  struct seal_net net;
};

struct helper {
  int fd, home; /* the pair; the empty namespace */
  struct chamber *chambers;
  unsigned n;
};

/* --- who we are ----------------------------------------------------------------------------------------------------- */

static int write_text(const char *path, const char *text) {
  _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;
}

static int become_user(const struct seal_config *cfg) {
  if (!cfg->change_ids)
    return 0;
  if (setgroups(0, NULL) < 0 || setresgid(cfg->gid, cfg->gid, cfg->gid) < 0 ||
      setresuid(cfg->uid, cfg->uid, cfg->uid) < 0)
    return -errno;
  return 0;
}

static int no_user_namespace(char why[SEAL_WHY_MAX], int r) {
  (void)snprintf(why, SEAL_WHY_MAX, "user namespaces are %s: %s",
                 r == -ENOSPC ? "used up or switched off (user.max_user_namespaces)"
                              : "not allowed here (a container, a chroot, the kernel's policy or the unit's RestrictNamespaces=)",
                 strerror(-r));
  return r;
}

/* Only our own id is mapped, to itself. */
static int own_user_namespace(char why[SEAL_WHY_MAX]) {
  char map[64];
  const unsigned uid = geteuid(), gid = getegid();
  /* Who changed its user is not dumpable, and the files below belong to root then. */
  if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 || unshare(CLONE_NEWUSER) < 0)
    return no_user_namespace(why, -errno);
  int r = write_text("/proc/self/setgroups", "deny");
  (void)snprintf(map, sizeof map, "%u %u 1", gid, gid);
  if (r == 0)
    r = write_text("/proc/self/gid_map", map);
  (void)snprintf(map, sizeof map, "%u %u 1", uid, uid);
  if (r == 0)
    r = write_text("/proc/self/uid_map", map);
  if (r < 0)
    return no_user_namespace(why, r);
  if (unshare(CLONE_NEWNET) < 0) {
    r = -errno;
    (void)snprintf(why, SEAL_WHY_MAX, "network namespaces cannot be made: %s", strerror(-r));
  }
  return r;
}

static int keep_two_capabilities(void) {
  capng_clear(CAPNG_SELECT_BOTH);
  if (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_SYS_ADMIN, CAP_NET_ADMIN, -1) < 0)
    return -EPERM;
  (void)capng_apply(CAPNG_SELECT_BOUNDS);
  return capng_apply(CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}

/* --- requests --------------------------------------------------------------------------------------------------------- */

static struct chamber *find(const struct helper *h, uint64_t number) {
  struct chamber *c = h->chambers;
  while (c && c->number != number)
    c = c->next;
  return c;
}

static int make(struct helper *h, uint64_t number, char why[SEAL_WHY_MAX], int *ret_diag) {
  if (h->n >= SEAL_CHAMBERS_MAX || find(h, number)) {
    (void)snprintf(why, SEAL_WHY_MAX, "there are %u sealed namespaces already", h->n);
    return -ENOBUFS;
  }
  struct chamber *c = calloc(1, sizeof *c);
  int r = c ? seal_net_make(&c->net, why) : -ENOMEM;
  if (r < 0) {
    free(c);
    return r;
  }
  c->number = number;
  c->next = h->chambers;
  h->chambers = c;
  h->n++;
  *ret_diag = seal_net_diag(&c->net);
  return 0;
}

/* A namespace lives as long as somebody is in it. */
static void drop(struct helper *h, uint64_t number) {
  (void)setns(h->home, CLONE_NEWNET);
  for (struct chamber **at = &h->chambers; *at; at = &(*at)->next) {
    struct chamber *c = *at;
    if (c->number != number)
      continue;
    *at = c->next;
    seal_net_done(&c->net);
    free(c);
    h->n--;
    return;
  }
}

/* Fills fds; m->n and m->error say how far it got. */
static void sockets(const struct helper *h, struct seal_message *m, int fds[SEAL_BATCH_MAX]) {
  const struct chamber *c = find(h, m->chamber);
  const unsigned wanted = MIN(m->n, (unsigned)SEAL_BATCH_MAX);
  m->n = 0;
  if (!c || m->side >= SEAL_SIDES || (m->family != AF_INET && m->family != AF_INET6))
    m->error = -EINVAL;
  else
    m->error = seal_net_sockets(&c->net, (enum seal_side)m->side, m->family, fds, wanted, &m->n);
}

static int answer(int fd, struct seal_message *m, int *fds) {
  union {
    struct cmsghdr head;
    char buf[CMSG_SPACE(SEAL_BATCH_MAX * sizeof(int))];
  } control = {0};
  struct iovec iov = {.iov_base = m, .iov_len = sizeof *m};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
  if (fds && m->n > 0) {
    msg.msg_control = control.buf;
    msg.msg_controllen = CMSG_SPACE(m->n * sizeof(int));
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(m->n * sizeof(int));
    memcpy(CMSG_DATA(&control.head), fds, m->n * sizeof(int));
  }
  return sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Sockets that cannot be sent (too many descriptors in flight) are closed, and the daemon is told why it has none. */
static void serve_one(struct helper *h, struct seal_message *m) {
  int fds[SEAL_BATCH_MAX], r;
  unsigned n = 0;
  if (m->op == SEAL_DROP) {
    drop(h, m->chamber);
    return;
  }
  if (m->op == SEAL_MAKE) {
    fds[0] = -1;
    m->error = make(h, m->chamber, m->why, &fds[0]);
    m->n = fds[0] >= 0;
  } else if (m->op == SEAL_SOCKETS)
    sockets(h, m, fds);
  else {
    m->error = -EINVAL;
    m->n = 0;
  }
  n = m->n;
  r = answer(h->fd, m, fds);
  while (n > 0)
    (void)close(fds[--n]);
  if (m->op != SEAL_SOCKETS)
    return;
  m->op = SEAL_YOURS;
  if (r < 0)
    m->error = r;
  (void)answer(h->fd, m, NULL);
}

_noreturn_ static void serve(struct helper *h) {
  for (;;) {
    struct seal_message m;
    ssize_t n = recv(h->fd, &m, sizeof m, 0);
    if (n < 0 && errno == EINTR)
      continue;
    if (n != sizeof m)
      _exit(0);
    m.error = 0;
    m.why[0] = 0;
    serve_one(h, &m);
  }
}

void seal_helper_run(int fd, pid_t parent, const struct seal_config *cfg) {
  struct helper h = {.fd = fd};
  struct seal_message m = {.op = SEAL_READY};
  (void)prctl(PR_SET_NAME, "capnet-seal", 0, 0, 0);
  int r = child_keep_only(fd);
  if (r >= 0) {
    h.fd = r;
    child_reset_signals();
    r = become_user(cfg);
  }
  if (r >= 0)
    r = own_user_namespace(m.why);
  if (r >= 0) {
    h.home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    r = h.home < 0 ? -errno : keep_two_capabilities();
  }
  if (r >= 0)
    r = child_lock(parent);
  m.error = r;
  if (r < 0 && !m.why[0])
    (void)snprintf(m.why, sizeof m.why, "the helper process cannot be confined: %s", strerror(-r));
  if (answer(h.fd, &m, NULL) < 0 || r < 0)
    _exit(1);
  serve(&h);
}
