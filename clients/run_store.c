/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-run --fdstore: the listening sockets and their controls go into the file descriptor store of the systemd unit
 * that we run in, which hands them to a server that knows LISTEN_FDS alone.
 *
 * The store outlives the service's restarts, and what an earlier run left in it holds the ports. So that goes first; it
 * is over when its last holder has closed it, which is not told: run_open_listens() waits for it.
 *
 * That the store refuses a descriptor is not told either: the manager closes it. Pipes in the same number are stored
 * first, since a pipe shows whether the other end is still open somewhere.
 */
#include "clients/run.h"

#ifdef HAVE_SYSTEMD
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define ANSWER_US 5000000u /* as systemd-notify(1) has it */
#define TRIAL "capnet-run.trial"

static int fail_errno(int e) {
  client_warn("--fdstore: the service manager cannot be told: %s", strerror(-e));
  return CLIENT_FAILED;
}

/* 0 or -errno. One descriptor a message keeps an order; of several there is none. */
static int tell(const char *what, const char *name, const char *suffix, const int *fds, unsigned n) {
  char text[64 + RUN_NAME_SIZE + sizeof RUN_CONTROL_SUFFIX];
  (void)snprintf(text, sizeof text, "%s=1\nFDNAME=%s%s", what, name, suffix);
  int e = sd_pid_notify_with_fds(0, 0, text, fds, n);
  return e < 0 ? e : 0;
}

/* Until all that was told has been worked off: what comes from a process that is no more is anybody's. */
static int barrier(void) {
  int e = sd_notify_barrier(0, ANSWER_US);
  if (e == -ETIMEDOUT)
    client_warn("--fdstore: the service manager does not answer");
  else if (e < 0)
    return fail_errno(e);
  return e < 0 ? CLIENT_FAILED : CLIENT_OK;
}

/* --- before there are sockets ------------------------------------------------------------------------------------- */

static int remove_earlier(const struct run *r) {
  int e = 0;
  for (size_t i = 0; i < r->n_listens && e == 0; i++) {
    e = tell("FDSTOREREMOVE", r->listens[i].name, "", NULL, 0);
    if (e == 0)
      e = tell("FDSTOREREMOVE", r->listens[i].name, RUN_CONTROL_SUFFIX, NULL, 0);
  }
  return e;
}

struct trial {
  int ours[2 * RUN_LISTENS_MAX], stored[2 * RUN_LISTENS_MAX];
  unsigned n;
};

static int trial_send(struct trial *t, unsigned n) {
  for (int p[2]; t->n < n; t->n++) {
    if (pipe2(p, O_CLOEXEC) < 0)
      return -errno;
    t->stored[t->n] = p[0];
    t->ours[t->n] = p[1];
  }
  return tell("FDSTORE", TRIAL, "", t->stored, n);
}

static void close_all(const int *fds, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    (void)close(fds[i]);
}

/* How many of them the store has kept. */
static unsigned trial_kept(const struct trial *t) {
  unsigned kept = 0;
  for (unsigned i = 0; i < t->n; i++) {
    struct pollfd p = {.fd = t->ours[i]};
    kept += poll(&p, 1, 0) == 0; /* POLLERR: nobody could read from it any more */
  }
  return kept;
}

int run_store_begin(const struct run *r) {
  const unsigned wanted = 2 * (unsigned)r->n_listens;
  if (!getenv("NOTIFY_SOCKET")) {
    client_warn("--fdstore: there is no NOTIFY_SOCKET: it is for a service of systemd with NotifyAccess=exec or all");
    return CLIENT_FAILED;
  }
  struct trial t = {.n = 0};
  int e = remove_earlier(r), code = CLIENT_OK;
  if (e == 0)
    e = trial_send(&t, wanted);
  close_all(t.stored, t.n);
  if (e < 0)
    code = fail_errno(e);
  if (code == CLIENT_OK)
    code = barrier();
  unsigned kept = code == CLIENT_OK ? trial_kept(&t) : 0;
  if (code == CLIENT_OK && (e = tell("FDSTOREREMOVE", TRIAL, "", NULL, 0)) < 0)
    code = fail_errno(e);
  close_all(t.ours, t.n);
  if (code == CLIENT_OK && kept < wanted) {
    client_warn("--fdstore: the store takes %u of %u descriptors: FileDescriptorStoreMax= of the unit says how many",
                kept, wanted);
    return CLIENT_FAILED;
  }
  return code;
}

/* --- the sockets -------------------------------------------------------------------------------------------------- */

/* What is stored last is handed out first: the first listener becomes descriptor 3, the controls come after all. */
int run_store_end(const struct run *r) {
  int e = 0;
  for (size_t i = r->n_listens; i-- > 0 && e == 0;)
    e = tell("FDSTORE", r->listens[i].name, RUN_CONTROL_SUFFIX, (int[]){capnet_fd(r->listens[i].control)}, 1);
  for (size_t i = r->n_listens; i-- > 0 && e == 0;)
    e = tell("FDSTORE", r->listens[i].name, "", &r->listens[i].fd, 1);
  return e < 0 ? fail_errno(e) : barrier();
}

#else
int run_store_begin(const struct run *r) {
  (void)r;
  client_warn("--fdstore: this capnet-run was built without libsystemd");
  return CLIENT_FAILED;
}

int run_store_end(const struct run *r) {
  (void)r;
  return CLIENT_FAILED;
}
#endif
