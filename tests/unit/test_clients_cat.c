/* SPDX-License-Identifier: BSD-3-Clause
 * capnet, capnet-run and capnet-cat as processes, against a grant's socket that a thread of the test serves: what they
 * print, and what they exit with.
 */
#include "fake_daemon.h"
#include "proto/dns.pb-c.h"
#include "proto/grant.pb-c.h"
#include "proto/tcp.pb-c.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/un.h>
#include <sys/wait.h>

/* --- a daemon that has one connection to give --------------------------------------------------------------------- */

struct world {
  char dir[64], path[108];
  int listener, stop[2];
  Capnet__ErrorCode refuse; /* of Connect */
  Capnet__TcpEnd end;       /* of the connection */
  const char *say;          /* sent before the end */
  bool hear_first;          /* reads to the end of file before */
  char heard[64];
  pthread_t thread;
};

static int pair_with(int fd, uint64_t call, ProtobufCMessage *reply, Capnet__Descriptor *d) {
  int pair[2];
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  d->has_slot = 1;
  fake_reply(fd, call, reply, false, &pair[1], 1);
  close(pair[1]);
  return pair[0];
}

/* The bytes of the connection; then the control's answers until the client lets go. */
static void converse(struct world *w, int data, int control) {
  size_t have = 0;
  for (ssize_t n; w->hear_first && (n = read(data, w->heard + have, sizeof w->heard - 1 - have)) > 0;)
    have += (size_t)n;
  if (w->say)
    cr_assert_eq(send(data, w->say, strlen(w->say), MSG_NOSIGNAL), (ssize_t)strlen(w->say));
  close(data);
  Capnet__Frame *f;
  while ((f = fake_frame(control))) {
    Capnet__TcpStatusReply reply = CAPNET__TCP_STATUS_REPLY__INIT;
    reply.has_end = 1;
    reply.end = w->end;
    if (f->kind == CAPNET__FRAME__KIND__REQUEST)
      fake_reply(control, f->call, &reply, false, NULL, 0);
    frame_free(f);
  }
  close(control);
}

static void connecting(struct world *w, int fd) {
  Capnet__Frame *f = fake_frame(fd);
  int data[2], control[2];
  if (f && w->refuse) {
    fake_error(fd, f->call, w->refuse, "not \033[31mhere", "cat", "connect");
  } else if (f) {
    Capnet__TcpConnection c = CAPNET__TCP_CONNECTION__INIT;
    Capnet__Descriptor d[2] = {CAPNET__DESCRIPTOR__INIT, CAPNET__DESCRIPTOR__INIT};
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data), 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
    d[0].has_slot = d[1].has_slot = d[1].slot = 1;
    c.data = &d[0];
    c.control = &d[1];
    fake_reply(fd, f->call, &c, false, (int[]){data[1], control[1]}, 2);
    close(data[1]);
    close(control[1]);
    converse(w, data[0], control[0]);
  }
  frame_free(f);
  close(fd);
}

/* Open, then Take by name (refused) and by kind, then Connect: what capnet-cat asks for, in its order. */
static void session(struct world *w, int shared) {
  Capnet__GrantOpenReply open = CAPNET__GRANT_OPEN_REPLY__INIT;
  Capnet__GrantTakeReply take = CAPNET__GRANT_TAKE_REPLY__INIT;
  Capnet__Descriptor d = CAPNET__DESCRIPTOR__INIT;
  Capnet__Frame *f = fake_frame(shared);
  if (!f)
    return;
  cr_assert_eq(f->method, METHOD_KIND_BASE);
  open.endpoint = take.endpoint = &d;
  int private = pair_with(shared, f->call, &open.base, &d);
  frame_free(f);
  for (int taken = 0; !taken && (f = fake_frame(private)); frame_free(f)) {
    ProtobufCMessage *body;
    cr_assert_eq(f->method, METHOD_KIND_BASE + 2);
    cr_assert_eq(body_decode(&capnet__grant_take_request__descriptor, &f->body, &body), 0);
    const char *name = ((Capnet__GrantTakeRequest *)body)->name; /* a kind, when no item has that name */
    taken = name && strcmp(name, "tcp-connect") == 0;
    if (taken)
      connecting(w, pair_with(private, f->call, &take.base, &d));
    else
      fake_error(private, f->call, CODE(NOT_FOUND), "there is only connect", "cat", NULL);
    body_free(body);
  }
  close(private);
}

static void *serve(void *arg) {
  struct world *w = arg;
  for (;;) {
    struct pollfd p[2] = {{.fd = w->listener, .events = POLLIN}, {.fd = w->stop[0], .events = POLLIN}};
    cr_assert_gt(poll(p, 2, -1), 0);
    if (p[1].revents)
      return NULL;
    int fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
    session(w, fd);
    close(fd);
  }
}

static void begin(struct world *w) {
  struct sockaddr_un sa = {.sun_family = AF_UNIX};
  strcpy(w->dir, "/tmp/capnet-test.XXXXXX");
  cr_assert_not_null(mkdtemp(w->dir));
  (void)snprintf(w->path, sizeof w->path, "%s/cat.sock", w->dir);
  strcpy(sa.sun_path, w->path);
  w->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  cr_assert_eq(bind(w->listener, (struct sockaddr *)&sa, sizeof sa), 0);
  cr_assert_eq(listen(w->listener, 8), 0);
  cr_assert_eq(pipe2(w->stop, O_CLOEXEC), 0);
  setenv("CAPNET_GRANTS_DIR", w->dir, 1);
  unsetenv("CAPNET_FDS");
  unsetenv("CAPNET_GRANT");
  cr_assert_eq(pthread_create(&w->thread, NULL, serve, w), 0);
}

static void end(struct world *w) {
  cr_assert_eq(write(w->stop[1], "x", 1), 1);
  pthread_join(w->thread, NULL);
  close(w->stop[0]);
  close(w->stop[1]);
  close(w->listener);
  cr_assert_eq(unlink(w->path), 0);
  cr_assert_eq(rmdir(w->dir), 0);
}

/* --- programs ----------------------------------------------------------------------------------------------------- */

/* Runs a shell command in the build directory; stdout and stderr in out. The exit status. */
static int run(const char *command, char out[2048]) {
  const char *top = getenv("top_builddir");
  char line[1024];
  size_t have = 0;
  (void)snprintf(line, sizeof line, "cd '%s' && { %s ; } 2>&1", top ? top : ".", command);
  FILE *p = popen(line, "re");
  cr_assert_not_null(p);
  for (size_t n; have < 2047 && (n = fread(out + have, 1, 2047 - have, p)) > 0;)
    have += n;
  out[have] = 0;
  int status = pclose(p);
  cr_assert(WIFEXITED(status), "%s: status %x", command, status);
  return WEXITSTATUS(status);
}

TestSuite(clients_cat, .timeout = 60);

Test(clients_cat, half_close_goes_both_ways) {
  struct world w = {.hear_first = true, .say = "pong\n", .end = CAPNET__TCP_END__TCP_END_CLOSED};
  char out[2048];
  begin(&w);
  cr_assert_eq(run("printf 'ping' | ./capnet-cat 10.0.0.1 80", out), 0, "%s", out);
  end(&w);
  cr_assert_str_eq(out, "pong\n");
  cr_assert_str_eq(w.heard, "ping");
}

Test(clients_cat, a_reset_is_no_end) {
  struct world w = {.say = "part\n", .end = CAPNET__TCP_END__TCP_END_RESET_BY_PEER};
  char out[2048];
  begin(&w);
  cr_assert_eq(run("./capnet-cat -d 10.0.0.1 80", out), 1);
  end(&w);
  cr_assert_str_eq(out, "part\ncapnet-cat: connection: the peer reset the connection\n");
}

Test(clients_cat, exit_codes_tell_refusals_apart) {
  struct world w = {.refuse = CODE(DENIED)};
  char out[2048], expected[256];
  begin(&w);
  cr_assert_eq(run("./capnet-cat 10.0.0.1 80 </dev/null", out), 3);
  cr_assert_str_eq(out, "capnet-cat: 10.0.0.1: not \\x1b[31mhere (grant cat, rule connect)\n", "escaped");
  w.refuse = CODE(REFUSED);
  cr_assert_eq(run("./capnet-cat 10.0.0.1 80 </dev/null", out), 1);
  cr_assert_eq(run("./capnet-cat -g nobody 10.0.0.1 80 </dev/null", out), 4);
  (void)snprintf(expected, sizeof expected, "capnet-cat: no daemon answers at %s/nobody.sock\n", w.dir);
  cr_assert_str_eq(out, expected);
  static const char *const wrong[] = {"10.0.0.1", "10.0.0.1 0", "10.0.0.1 65536", "a 1 2", "-l", "-w x a 1", "-?"};
  for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
    char command[128];
    (void)snprintf(command, sizeof command, "./capnet-cat %s </dev/null", wrong[i]);
    cr_assert_eq(run(command, out), 2, "%s: %s", wrong[i], out);
  }
  end(&w);
}

Test(clients_cat, capnet_run_hands_grants_down) {
  struct world w = {.hear_first = true, .say = "pong\n", .end = CAPNET__TCP_END__TCP_END_CLOSED};
  char out[2048];
  begin(&w);
  /* Without the directory only what was inherited is left. */
  cr_assert_eq(run("printf 'ping' | ./capnet-run --grant cat -- env CAPNET_GRANTS_DIR=/nonexistent "
                   "./capnet-cat 10.0.0.1 80", out), 0, "%s", out);
  cr_assert_str_eq(out, "pong\n");
  cr_assert_eq(run("./capnet-run -g cat -g other=$CAPNET_GRANTS_DIR/cat.sock -- sh -c "
                   "'echo $CAPNET_FDS | sed s/[0-9][0-9]*/N/g; exit 7'", out), 7, "%s", out);
  cr_assert_str_eq(out, "cat=N,other=N\n");
  cr_assert_eq(run("./capnet-run -g cat -- ./no-such-program", out), 127);
  cr_assert_eq(run("./capnet-run -g cat -- /", out), 126);
  cr_assert_eq(run("./capnet-run -g nobody -- true", out), 4);
  static const char *const wrong[] = {"-- true", "-g cat", "-g a,b -- true", "-g cat -g cat -- true", "-g '' -- true"};
  for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
    char command[128];
    (void)snprintf(command, sizeof command, "./capnet-run %s", wrong[i]);
    cr_assert_eq(run(command, out), 2, "%s: %s", wrong[i], out);
  }
  end(&w);
}

Test(clients_cat, capnet_runs_and_lists) {
  char out[2048];
  cr_assert_eq(run("PATH=$PWD:$PATH ./capnet cat --version", out), 0);
  cr_assert_eq(strncmp(out, "capnet-cat (capnet) ", 20), 0, "%s", out);
  cr_assert_eq(run("PATH=$PWD:$PATH ./capnet", out), 0);
  cr_assert(strstr(out, "\n  cat\n") && strstr(out, "\n  run\n"), "%s", out);
  cr_assert_eq(run("./capnet no-such", out), 1);
  cr_assert_eq(run("./capnet ../cat", out), 2);
  static const char *const programs[] = {"capnet", "capnet-run", "capnet-cat"};
  for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
    char command[64];
    (void)snprintf(command, sizeof command, "./%s --help", programs[i]);
    cr_assert_eq(run(command, out), 0);
    cr_assert_eq(strncmp(out, "Usage: ", 7), 0);
    (void)snprintf(command, sizeof command, "./%s --help >/dev/full", programs[i]);
    cr_assert_eq(run(command, out), 1, "a full disk is no success");
  }
}
