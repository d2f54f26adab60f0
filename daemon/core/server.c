/* SPDX-License-Identifier: BSD-3-Clause
 * Grant sockets: binding, access lists, accepting.
 */
#include "core/server.h"

#include "core/peer.h"
#include "rpc/rpc.h"

#include <acl/libacl.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/acl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

#define ACCEPT_TURN_MAX 16
#define RETRY_NS NSEC_PER_SEC /* after EMFILE with nothing to close */

struct door {
  struct loop *loop;
  int fd, reserve; /* reserve: one descriptor to close when there is no other, so that a peer can be turned away */
  struct loop_watch *watch;
  struct loop_timer *retry;
  char *path;
  uid_t *uids;
  size_t n_uids;
  gid_t *gids;
  size_t n_gids;
  bool everyone;
  const struct door_ops *ops;
  void *arg;
};

/* --- the runtime directory ---------------------------------------------------------------------------------------------------- */

static int make_dir(const char *path) {
  if (mkdir(path, 0755) < 0 && errno != EEXIST)
    return -errno;
  return 0;
}

int runtime_lock(const char *runtime_dir, int *ret_fd) {
  char path[4096];
  int r = make_dir(runtime_dir);
  if (r < 0)
    return r;
  if ((size_t)snprintf(path, sizeof path, "%s/grants", runtime_dir) >= sizeof path)
    return -ENAMETOOLONG;
  r = make_dir(path);
  if (r < 0)
    return r;
  (void)snprintf(path, sizeof path, "%s/lock", runtime_dir);
  _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return -errno;
  if (flock(fd, LOCK_EX | LOCK_NB) < 0)
    return errno == EWOULDBLOCK ? -EBUSY : -errno;
  *ret_fd = TAKE_FD(fd);
  return 0;
}

/* --- the access list ------------------------------------------------------------------------------------------------------------ */

static int acl_add(acl_t *acl, acl_tag_t tag, const void *id) {
  acl_entry_t e;
  acl_permset_t perms;
  if (acl_create_entry(acl, &e) < 0 || acl_set_tag_type(e, tag) < 0 || (id && acl_set_qualifier(e, id) < 0) ||
      acl_get_permset(e, &perms) < 0 || acl_clear_perms(perms) < 0 || acl_add_perm(perms, ACL_READ) < 0 ||
      acl_add_perm(perms, ACL_WRITE) < 0)
    return -errno;
  return 0;
}

/* The owner may set the list without any privilege, so a reload works after the daemon dropped them all. */
static int set_acl(const struct door *d) {
  acl_t acl = acl_from_text("user::rw-,group::---,other::---");
  if (!acl)
    return -errno;
  int r = 0;
  for (size_t i = 0; r == 0 && i < d->n_uids; i++)
    r = acl_add(&acl, ACL_USER, &d->uids[i]);
  for (size_t i = 0; r == 0 && i < d->n_gids; i++)
    r = acl_add(&acl, ACL_GROUP, &d->gids[i]);
  if (r == 0 && (acl_calc_mask(&acl) < 0 || acl_set_file(d->path, ACL_TYPE_ACCESS, acl) < 0))
    r = -errno;
  acl_free(acl);
  return r;
}

static int set_access(const struct door *d) {
  if (d->everyone)
    return chmod(d->path, 0666) < 0 ? -errno : 0;
  if (d->n_uids + d->n_gids == 0)
    return chmod(d->path, 0600) < 0 ? -errno : 0;
  return set_acl(d);
}

/* --- accepting --------------------------------------------------------------------------------------------------------------------- */

static bool may_enter(const struct door *d, const struct auth_taker *t, int fd) {
  if (t->uid == peer_overflow_uid())
    return false;
  if (d->everyone || t->uid == 0 || t->uid == geteuid())
    return true;
  for (size_t i = 0; i < d->n_uids; i++)
    if (d->uids[i] == t->uid)
      return true;
  return peer_in_groups(fd, t->gid, d->gids, d->n_gids);
}

static void turn_away(struct door *d, int fd, Capnet__ErrorCode code, const char *message) {
  Capnet__Error e = CAPNET__ERROR__INIT;
  e.has_code = 1;
  e.code = code;
  e.message = (char *)message;
  endpoint_turn_away(d->loop, fd, &e);
}

static void admit(struct door *d, int fd) {
  struct auth_taker taker;
  if (peer_identify(fd, &taker) < 0) {
    turn_away(d, fd, CAPNET__ERROR_CODE__ERROR_NOT_PERMITTED, "this peer cannot be identified");
    return;
  }
  if (may_enter(d, &taker, fd)) {
    d->ops->enter(d->arg, fd, &taker);
    return;
  }
  turn_away(d, fd, CAPNET__ERROR_CODE__ERROR_NOT_PERMITTED, "this user is not among those that the grant names");
  d->ops->refused(d->arg, &taker);
}

/* Out of descriptors: the reserve turns one peer away, so that it is told and the queue moves on. */
static void on_exhausted(struct door *d) {
  d->reserve = fd_close(d->reserve);
  int fd = accept4(d->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0)
    turn_away(d, fd, CAPNET__ERROR_CODE__ERROR_LIMIT, "the daemon has no descriptor left");
  d->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (fd >= 0 && d->reserve >= 0)
    return;
  (void)loop_watch_set(d->watch, 0);
  loop_timer_set(d->retry, loop_now(d->loop, CLOCK_ID_MONO) + RETRY_NS);
}

static void on_retry(void *arg) {
  struct door *d = arg;
  if (d->reserve < 0)
    d->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
  (void)loop_watch_set(d->watch, LOOP_READ);
}

static void on_door(void *arg, unsigned events) {
  struct door *d = arg;
  (void)events;
  for (unsigned i = 0; i < ACCEPT_TURN_MAX; i++) {
    int fd = accept4(d->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
      admit(d, fd);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      on_exhausted(d);
      return;
    } else if (errno != EINTR && errno != ECONNABORTED)
      return;
  }
}

/* --- opening and closing --------------------------------------------------------------------------------------------------------------- */

static int bind_socket(struct door *d) {
  struct sockaddr_un sa = {.sun_family = AF_UNIX};
  if (strlen(d->path) >= sizeof sa.sun_path)
    return -ENAMETOOLONG;
  memcpy(sa.sun_path, d->path, strlen(d->path));
  d->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (d->fd < 0)
    return -errno;
  if (unlink(d->path) < 0 && errno != ENOENT)
    return -errno;
  mode_t old = umask(0177);
  /* Accepted sockets inherit it where the kernel has it: nobody sends descriptors before the endpoint says no. */
  const int off = 0;
  (void)setsockopt(d->fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off);
  int r = bind(d->fd, (struct sockaddr *)&sa, sizeof sa) < 0 ? -errno : 0;
  (void)umask(old);
  if (r == 0)
    r = set_access(d);
  if (r == 0 && listen(d->fd, 128) < 0)
    r = -errno;
  return r;
}

static int copy_lists(struct door *d, const struct door_config *cfg) {
  d->path = strdup(cfg->path);
  d->uids = calloc(cfg->n_uids + 1, sizeof *d->uids);
  d->gids = calloc(cfg->n_gids + 1, sizeof *d->gids);
  if (!d->path || !d->uids || !d->gids)
    return -ENOMEM;
  for (; d->n_uids < cfg->n_uids; d->n_uids++)
    d->uids[d->n_uids] = cfg->uids[d->n_uids];
  for (; d->n_gids < cfg->n_gids; d->n_gids++)
    d->gids[d->n_gids] = cfg->gids[d->n_gids];
  d->everyone = cfg->everyone;
  return 0;
}

int door_open(struct loop *loop, const struct door_config *cfg, const struct door_ops *ops, void *arg, struct door **ret) {
  struct door *d = calloc(1, sizeof *d);
  if (!d)
    return -ENOMEM;
  *d = (struct door){.loop = loop, .fd = -1, .ops = ops, .arg = arg};
  d->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int r = d->reserve < 0 ? -errno : copy_lists(d, cfg);
  if (r == 0)
    r = bind_socket(d);
  if (r == 0)
    r = loop_watch_new(loop, d->fd, on_door, d, &d->watch);
  if (r == 0)
    r = loop_timer_new(loop, CLOCK_ID_MONO, on_retry, d, &d->retry);
  if (r == 0)
    r = loop_watch_set(d->watch, LOOP_READ);
  if (r < 0) {
    door_close(d);
    return r;
  }
  *ret = d;
  return 0;
}

/* Who is still waiting to be let in: closing the listener would close their messages with it, on the loop. After shutdown
 * nobody joins the queue. */
static void empty_queue(struct door *d) {
  int fd;
  d->reserve = fd_close(d->reserve);
  (void)shutdown(d->fd, SHUT_RDWR);
  while ((fd = accept4(d->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
    turn_away(d, fd, CAPNET__ERROR_CODE__ERROR_REVOKED, "the grant is no longer offered");
}

struct door *door_close(struct door *d) {
  if (!d)
    return NULL;
  d->watch = loop_watch_free(d->watch);
  d->retry = loop_timer_free(d->retry);
  if (d->fd >= 0 && d->path)
    (void)unlink(d->path);
  if (d->fd >= 0)
    empty_queue(d);
  fd_close(d->fd);
  fd_close(d->reserve);
  free(d->path);
  free(d->uids);
  free(d->gids);
  free(d);
  return NULL;
}
