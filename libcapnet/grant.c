/* SPDX-License-Identifier: BSD-3-Clause
 * Grants. A Grant handle keeps the shared connection (inherited, or to the grant's socket), of which only Open is ever
 * asked, and a private endpoint that Open gave: made on first use, and made anew in a child after fork.
 */
#include "libcapnet/conn.h"
#include "proto/grant.pb-c.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

/* --- the shared descriptor ---------------------------------------------------------------------------------------- */

static int connect_path(const char *path, int *ret, struct capnet_error *err) {
  struct sockaddr_un sa = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof sa.sun_path)
    return fail(err, ENAMETOOLONG, "ARGUMENT", "the path of the grant's socket is too long");
  strcpy(sa.sun_path, path);
  /* Non-blocking for the connect alone: a daemon with a full backlog must not hold us. */
  _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return fail_errno(err, errno, "socket");
  if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
    int error = errno;
    if (error == ECONNREFUSED || error == ENOENT || error == ENOTDIR || error == EAGAIN)
      return fail(err, error, "NO_DAEMON", "no daemon answers at %s", path);
    if (error == EACCES || error == EPERM)
      return fail(err, error, "NOT_PERMITTED", "this user may not take the grant at %s", path);
    return fail_errno(err, error, path);
  }
  (void)fcntl(fd, F_SETFL, 0);
  *ret = TAKE_FD(fd);
  return 0;
}

static bool name_valid(const char *name) {
  return *name && *name != '.' && strlen(name) < 64 && !strchr(name, '/');
}

/* Tries the directories in order; the error is that of the last, or of the first that exists but refuses. */
static int connect_name(const char *name, int *ret, struct capnet_error *err) {
  if (strchr(name, '/'))
    return connect_path(name, ret, err);
  if (!name_valid(name))
    return fail(err, EINVAL, "ARGUMENT", "\"%s\" is no name of a grant", name);
  char path[512];
  const char *dir = secure_getenv("CAPNET_GRANTS_DIR"), *user = secure_getenv("XDG_RUNTIME_DIR");
  if (dir && *dir) {
    (void)snprintf(path, sizeof path, "%s/%s.sock", dir, name);
    return connect_path(path, ret, err);
  }
  struct capnet_error system_err, user_err;
  (void)snprintf(path, sizeof path, CAPNET_RUNSTATEDIR "/grants/%s.sock", name);
  int r = connect_path(path, ret, &system_err);
  if (r == 0 || !user || !*user)
    return r == 0 ? 0 : fail_copy(err, &system_err);
  (void)snprintf(path, sizeof path, "%s/capnet/grants/%s.sock", user, name);
  int r2 = connect_path(path, ret, &user_err);
  if (r2 == 0)
    return 0;
  return fail_copy(err, r == -ENOENT && r2 != -ENOENT ? &user_err : &system_err);
}

/* A duplicate, so that handles may come and go while the inherited one stays. */
static int share(int fd, int *ret, struct capnet_error *err) {
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0)
    return fail_errno(err, errno, "duplicate");
  *ret = copy;
  return 0;
}

int capnet_grant_connect(const char *name, int *ret_fd, struct capnet_error *err) {
  if (!name)
    return fail(err, EINVAL, "ARGUMENT", "no grant was named");
  struct inherited list[INHERIT_MAX];
  size_t n = inherit_list(list);
  for (size_t i = 0; i < n; i++)
    if (strcmp(list[i].name, name) == 0)
      return share(list[i].fd, ret_fd, err);
  return connect_name(name, ret_fd, err);
}

/* --- the private endpoint ----------------------------------------------------------------------------------------- */

static pthread_mutex_t fork_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void fork_prepare(void) { pthread_mutex_lock(&fork_lock); }
static void fork_release(void) { pthread_mutex_unlock(&fork_lock); }
static void fork_setup(void) { (void)pthread_atfork(fork_prepare, fork_release, fork_release); }

void grant_after_fork(capnet *cap) {
  if (cap->shared_fd < 0)
    return;
  pthread_mutex_lock(&fork_lock);
  if (cap->owner != process_id()) {
    cap->fd = fd_close(cap->fd);
    cap->ended = false;
    pthread_mutex_init(&cap->lock, NULL); /* a thread that is not here may have held it */
    cap->owner = process_id();
  }
  pthread_mutex_unlock(&fork_lock);
}

/* The shared descriptor has other readers: any Open's reply will do, whichever process asked, and readiness is only a
 * hint. No deadline and no cancel are sent, or one process would spoil another's reply. */
static int open_private(struct call *c) {
  Capnet__GrantOpenRequest request = CAPNET__GRANT_OPEN_REQUEST__INIT;
  capnet__grant__open(&c->service, &request, NULL, NULL);
  if (c->result < 0)
    return c->result;
  c->finished = true;
  _cleanup_(frame_freep) Capnet__Frame *frame = NULL;
  int r = call_frame(c, &frame);
  if (r < 0)
    return r;
  if (frame->kind == CAPNET__FRAME__KIND__ERROR)
    return fail_wire(c->err, frame->error);
  r = call_unpack(c, frame);
  if (r < 0)
    return r;
  if (c->reply->descriptor != &capnet__grant_open_reply__descriptor)
    return -EPROTO;
  return 0;
}

int grant_ensure(capnet *cap, uint64_t deadline_ns, struct capnet_error *err) {
  if (cap->fd >= 0)
    return 0;
  capnet *shared;
  int fd = -1, r = share(cap->shared_fd, &fd, err);
  if (r < 0)
    return r;
  r = conn_new(fd, &shared, err);
  if (r < 0)
    return r;
  shared->stop_fd = cap->stop_fd;
  shared->last_call = (uint64_t)process_id() << 20; /* for a reader of the trace; any reply is taken */
  struct call c;
  call_init(&c, shared, &capnet__grant__descriptor, 0, err);
  c.deadline_ns = deadline_ns;
  r = open_private(&c);
  if (r == 0)
    r = call_take_fd(&c, ((Capnet__GrantOpenReply *)c.reply)->endpoint, &cap->fd);
  if (r == 0 && conn_check_fd(cap->fd, NULL) < 0) {
    cap->fd = fd_close(cap->fd);
    r = fail(err, EPROTO, "PROTOCOL", "the peer broke the protocol: a descriptor of another kind");
  }
  r = call_done(&c, r);
  capnet_close(shared);
  cap->ours_alone = r == 0;
  cap->patience_ms = 0;
  return r;
}

/* Consumes fd. */
static int grant_new(int fd, unsigned timeout_ms, capnet **ret, struct capnet_error *err) {
  (void)pthread_once(&fork_once, fork_setup);
  _cleanup_(capnet_closep) capnet *cap = NULL;
  int r = conn_new(-1, &cap, err);
  if (r < 0) {
    (void)fd_close(fd);
    return r;
  }
  cap->shared_fd = fd;
  struct capnet_error scratch; /* grant_ensure reports into one in any case */
  r = grant_ensure(cap, deadline_in(timeout_ms), err ? err : &scratch);
  if (r < 0)
    return r;
  *ret = TAKE_PTR(cap);
  return 0;
}

static const char *default_grant(const char *default_name) {
  const char *env = secure_getenv("CAPNET_GRANT");
  return env && *env ? env : default_name;
}

static int open_inherited(const struct inherited *in, unsigned timeout_ms, capnet **ret, struct capnet_error *err) {
  int fd = -1, r = share(in->fd, &fd, err);
  return r < 0 ? r : grant_new(fd, timeout_ms, ret, err);
}

int capnet_grant_open(const char *name, const char *default_name, unsigned timeout_ms, capnet **ret,
                      struct capnet_error *err) {
  if (!name) {
    struct inherited list[INHERIT_MAX];
    size_t n = inherit_list(list);
    for (size_t i = 0; i < n; i++)
      if (n == 1 || (default_name && strcmp(list[i].name, default_name) == 0))
        return open_inherited(&list[i], timeout_ms, ret, err);
    name = default_grant(default_name);
  }
  if (!name)
    return fail(err, ENOENT, "NO_GRANT", "no grant was inherited and none was named");
  int fd, r = capnet_grant_connect(name, &fd, err);
  return r < 0 ? r : grant_new(fd, timeout_ms, ret, err);
}

int capnet_open(const char *name, const char *default_name, const char *name_or_kind, unsigned timeout_ms, capnet **ret,
                struct capnet_error *err) {
  struct inherited list[INHERIT_MAX];
  struct capnet_error inherited_err = {0};
  size_t n = name ? 0 : inherit_list(list);
  for (size_t i = 0; i < n; i++) {
    _cleanup_(capnet_closep) capnet *grant = NULL;
    int r = open_inherited(&list[i], timeout_ms, &grant, &inherited_err);
    if (r == 0)
      r = capnet_take(grant, name_or_kind, timeout_ms, ret, &inherited_err);
    if (r == 0 || strcmp(inherited_err.code, "NOT_FOUND") != 0)
      return r == 0 ? 0 : fail_copy(err, &inherited_err);
  }
  if (!name)
    name = default_grant(default_name);
  if (!name && n)
    return fail_copy(err, &inherited_err);
  _cleanup_(capnet_closep) capnet *grant = NULL;
  /* Not capnet_grant_open with NULL: what was inherited has had its turn. */
  int r = name ? capnet_grant_open(name, NULL, timeout_ms, &grant, err)
               : fail(err, ENOENT, "NO_GRANT", "no grant was inherited and none was named");
  return r < 0 ? r : capnet_take(grant, name_or_kind, timeout_ms, ret, err);
}

/* --- what a Grant answers ----------------------------------------------------------------------------------------- */

/* A name of the bundle comes before a kind: the daemon knows both. */
int capnet_take(capnet *grant, const char *name_or_kind, unsigned timeout_ms, capnet **ret, struct capnet_error *err) {
  struct call c;
  Capnet__GrantTakeReply *reply;
  Capnet__GrantTakeRequest request = CAPNET__GRANT_TAKE_REQUEST__INIT;
  request.name = (char *)name_or_kind;
  call_init(&c, grant, &capnet__grant__descriptor, timeout_ms, err);
  capnet__grant__take(&c.service, &request, NULL, NULL);
  int r = call_one(&c, (void **)&reply);
  if (r == 0)
    r = conn_from_slot(&c, reply->endpoint, ret);
  return call_done(&c, r);
}

int capnet_list(capnet *grant, unsigned timeout_ms, char **ret_json, struct capnet_error *err) {
  struct call c;
  Capnet__GrantListRequest request = CAPNET__GRANT_LIST_REQUEST__INIT;
  call_init(&c, grant, &capnet__grant__descriptor, timeout_ms, err);
  capnet__grant__list(&c.service, &request, NULL, NULL);
  return json_reply(&c, ret_json);
}
