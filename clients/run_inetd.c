/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-run --inetd: accepts on every listener and runs one process for each connection, the connection being its
 * standard input and output. Each is a process group of its own, so that what it started ends with it at our end.
 *
 * A listener that ends (revoked, expired, its address lost, the daemon gone) shows on its socket or on its control; the
 * control knows why. Any of them ends the whole service, as a signal does: who supervises us decides what comes next.
 */
#include "clients/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_DEFAULT 64 /* MaxConnections= of systemd.socket(5) */
#define RETRY_MS 200   /* after what another connection would run into as well */
#define KILL_MS 90000  /* DefaultTimeoutStopSec= of systemd */
#define WHY_MS 2000u

struct inetd {
  struct run *run;
  char **argv;
  int signals;
  sigset_t mask; /* as it was: PROGRAM's */
  pid_t *children;
  size_t n_children, max;
  uint64_t retry_at, kill_at; /* 0: nothing to wait for */
  bool stopping, hungry;      /* hungry: told that there is no more of something */
  int code;
};

static uint64_t now_ms(void) {
  struct timespec ts;
  (void)clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* --- children ----------------------------------------------------------------------------------------------------- */

static void signal_children(const struct inetd *s, int signo) {
  for (size_t i = 0; i < s->n_children; i++)
    (void)kill(-s->children[i], signo);
}

/* Whatever else may be our child (from before an exec) is reaped too, and not counted. */
static void reap(struct inetd *s) {
  pid_t pid;
  while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
    for (size_t i = 0; i < s->n_children; i++)
      if (s->children[i] == pid) {
        s->children[i] = s->children[--s->n_children];
        s->retry_at = 0; /* it gave back what may have been missing */
        break;
      }
}

/* REMOTE_ADDR and REMOTE_PORT as systemd.exec(5) has them. */
static void name_peer(const struct sockaddr_storage *peer) {
  char address[INET6_ADDRSTRLEN], port[8];
  const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
  const bool is_v4 = peer->ss_family == AF_INET;
  (void)unsetenv("REMOTE_ADDR");
  (void)unsetenv("REMOTE_PORT");
  if (!is_v4 && peer->ss_family != AF_INET6)
    return;
  const bool mapped = !is_v4 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
  const void *at = is_v4 ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr.s6_addr[mapped ? 12 : 0];
  (void)inet_ntop(is_v4 || mapped ? AF_INET : AF_INET6, at, address, sizeof address);
  (void)snprintf(port, sizeof port, "%u", ntohs(is_v4 ? v4->sin_port : v6->sin6_port));
  (void)setenv("REMOTE_ADDR", address, 1);
  (void)setenv("REMOTE_PORT", port, 1);
}

__attribute__((noreturn)) static void become(struct inetd *s, int fd, const struct sockaddr_storage *peer) {
  (void)setpgid(0, 0);
  (void)signal(SIGCHLD, SIG_DFL);
  if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0) {
    client_warn("descriptors: %s", strerror(errno));
    _exit(126);
  }
  name_peer(peer);
  (void)sigprocmask(SIG_SETMASK, &s->mask, NULL);
  _exit(run_exec(s->argv));
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void close_listens(struct inetd *s) {
  for (size_t i = 0; i < s->run->n_listens; i++) {
    struct run_listen *l = &s->run->listens[i];
    if (l->fd >= 0)
      (void)close(l->fd);
    l->fd = -1;
    capnet_closep(&l->control);
  }
}

static void stop(struct inetd *s, int code) {
  if (s->stopping)
    return;
  s->stopping = true;
  s->code = code;
  close_listens(s);
  signal_children(s, SIGTERM);
  s->kill_at = now_ms() + KILL_MS;
}

static int end_code(const struct capnet_error *err) {
  if (strcmp(err->code, "ADDRESS_LOST") == 0)
    return CLIENT_REFUSED; /* as with the others, what may be listened on is no more */
  return strcmp(err->code, "SHUTTING_DOWN") == 0 || strcmp(err->code, "GONE") == 0 ? CLIENT_NO_DAEMON
                                                                                   : (int)client_exit_code(err);
}

/* Accept is not for a listener with a socket of its own: CONFLICT is the answer of one that is well. */
static bool ended(struct run_listen *l, struct capnet_error *err) {
  struct capnet_tcp tcp;
  int r = capnet_tcp_accept(l->control, WHY_MS, &tcp, err);
  if (r == 0)
    capnet_tcp_close(&tcp);
  return r < 0 && strcmp(err->code, "CONFLICT") != 0 && strcmp(err->code, "DEADLINE") != 0;
}

static void stop_for(struct inetd *s, const struct run_listen *l, const struct capnet_error *err) {
  char what[512];
  (void)snprintf(what, sizeof what, "--listen %s", l->text);
  (void)client_fail(err, what);
  stop(s, end_code(err));
}

/* The socket does not listen any more. */
static void stop_because_ended(struct inetd *s, struct run_listen *l) {
  struct capnet_error err = {0};
  if (!ended(l, &err))
    err = (struct capnet_error){.error = EINVAL, .code = "SYSTEM", .message = "the listening socket was shut down"};
  stop_for(s, l, &err);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static void back_off(struct inetd *s, const char *what) {
  if (!s->hungry)
    client_warn("%s: %s", client_safe(what), strerror(errno));
  s->hungry = true;
  s->retry_at = now_ms() + RETRY_MS;
}

static void serve(struct inetd *s, struct run_listen *l, int fd, const struct sockaddr_storage *peer) {
  pid_t pid = fork();
  if (pid == 0)
    become(s, fd, peer);
  if (pid < 0) {
    back_off(s, l->text);
  } else {
    (void)setpgid(pid, pid); /* whoever is first: a signal must find the group */
    s->children[s->n_children++] = pid;
    s->hungry = false;
  }
  (void)close(fd);
}

/* accept(2): nothing there any more, or pending errors of a connection that is gone; the next may be well. */
static bool is_of_connection(int error) {
  static const int list[] = {EAGAIN,       EINTR,     ECONNABORTED, EPROTO,       ENOPROTOOPT, ENETDOWN,
                             ENETUNREACH,  EHOSTDOWN, EHOSTUNREACH, ENONET,       EOPNOTSUPP,  ETIMEDOUT};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++)
    if (error == list[i])
      return true;
  return false;
}

static void accept_one(struct inetd *s, struct run_listen *l) {
  struct sockaddr_storage peer = {0};
  socklen_t len = sizeof peer;
  int fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
  if (fd >= 0) {
    serve(s, l, fd, &peer);
    return;
  }
  if (errno == EINVAL)
    stop_because_ended(s, l);
  else if (!is_of_connection(errno))
    back_off(s, l->text);
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static void on_signals(struct inetd *s) {
  struct signalfd_siginfo info;
  while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
    if (info.ssi_signo == SIGCHLD)
      reap(s);
    else if (s->stopping)
      signal_children(s, SIGKILL);
    else
      stop(s, CLIENT_OK);
  }
}

static void on_listener(struct inetd *s, struct run_listen *l, short socket_events, short control_events) {
  struct capnet_error err = {0};
  if (!s->stopping && control_events && ended(l, &err))
    stop_for(s, l, &err);
  if (!s->stopping && (socket_events & ~POLLIN)) /* of a listening socket there is no other event */
    stop_because_ended(s, l);
  if (!s->stopping && socket_events && s->n_children < s->max)
    accept_one(s, l);
}

static void on_time(struct inetd *s) {
  uint64_t now = now_ms();
  if (s->retry_at && now >= s->retry_at)
    s->retry_at = 0;
  if (s->kill_at && now >= s->kill_at) {
    signal_children(s, SIGKILL);
    s->kill_at = 0;
  }
}

static int timeout_of(const struct inetd *s) {
  uint64_t at = s->kill_at ? s->kill_at : s->stopping ? 0 : s->retry_at, now = now_ms();
  return !at ? -1 : at > now ? (int)(at - now) : 0;
}

static void turn(struct inetd *s) {
  struct pollfd p[1 + 2 * RUN_LISTENS_MAX] = {{.fd = s->signals, .events = POLLIN}};
  const size_t n = s->run->n_listens;
  const short wanted = s->n_children < s->max && !s->retry_at ? POLLIN : 0; /* its end it tells in any case */
  for (size_t i = 0; i < n; i++) {
    struct run_listen *l = &s->run->listens[i];
    p[1 + i] = (struct pollfd){.fd = l->fd, .events = wanted};
    p[1 + n + i] = (struct pollfd){.fd = l->control ? capnet_fd(l->control) : -1, .events = POLLIN};
  }
  if (poll(p, 1 + 2 * n, timeout_of(s)) < 0)
    return;
  on_time(s);
  if (p[0].revents)
    on_signals(s);
  for (size_t i = 0; i < n; i++)
    on_listener(s, &s->run->listens[i], p[1 + i].revents, p[1 + n + i].revents);
}

static int prepare(struct inetd *s) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGCHLD);
  (void)signal(SIGCHLD, SIG_DFL); /* ignored, which is inherited, nothing could be waited for */
  s->children = calloc(s->max, sizeof *s->children);
  if (!s->children || sigprocmask(SIG_BLOCK, &set, &s->mask) < 0 ||
      (s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
    return -1;
  for (size_t i = 0; i < s->run->n_listens; i++)
    if (fcntl(s->run->listens[i].fd, F_SETFL, O_NONBLOCK) < 0) /* a connection may go between poll and accept */
      return -1;
  return 0;
}

int run_inetd(struct run *r, char **argv) {
  struct inetd s = {.run = r, .argv = argv, .signals = -1, .max = r->max ? r->max : MAX_DEFAULT};
  int code = run_name_grants(r);
  if (code == CLIENT_OK && prepare(&s) < 0) {
    client_warn("%s", strerror(errno));
    code = CLIENT_FAILED;
  }
  if (code == CLIENT_OK) {
    while (!s.stopping || s.n_children)
      turn(&s);
    code = s.code;
  }
  close_listens(&s);
  free(s.children);
  if (s.signals >= 0)
    (void)close(s.signals);
  return code;
}
