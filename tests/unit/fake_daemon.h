/* SPDX-License-Identifier: BSD-3-Clause
 * A daemon of a few lines for libcapnet's tests: a thread at the other end of a socket pair that follows a script, good
 * or hostile.
 */
#ifndef TESTS_FAKE_DAEMON_H
#define TESTS_FAKE_DAEMON_H

#include "base/util.h"
#include "proto/capability.pb-c.h"
#include "proto/codec.h"

#include <capnet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

struct fake {
  int fd;
  void (*script)(int fd, void *arg);
  void *arg;
  pthread_t thread;
};

static inline void *fake_run(void *p) {
  struct fake *f = p;
  f->script(f->fd, f->arg);
  f->fd = fd_close(f->fd);
  return NULL;
}

/* The client's end; the script runs until it returns, its end is closed then. */
static inline capnet *fake_start(struct fake *f, void (*script)(int fd, void *arg), void *arg) {
  int pair[2];
  capnet *cap = NULL;
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  *f = (struct fake){.fd = pair[0], .script = script, .arg = arg};
  cr_assert_eq(capnet_adopt(pair[1], &cap, NULL), 0);
  cr_assert_eq(pthread_create(&f->thread, NULL, fake_run, f), 0);
  return cap;
}
static inline void fake_stop(struct fake *f) { pthread_join(f->thread, NULL); }

/* The next frame of the client, or NULL when it closed. */
static inline Capnet__Frame *fake_frame(int fd) {
  static _Thread_local uint8_t buf[FRAME_MAX];
  int fds[FRAME_SCM_MAX];
  size_t n_fds;
  Capnet__Frame *f = NULL;
  ssize_t n = frame_recv(fd, buf, sizeof buf, fds, &n_fds, 0);
  /* A client that closes with unread replies makes an error that comes before its last frame. */
  if (n == -ECONNRESET)
    n = frame_recv(fd, buf, sizeof buf, fds, &n_fds, 0);
  if (n <= 0)
    return NULL;
  cr_assert_eq(n_fds, 0, "a client sends no descriptors");
  cr_assert_eq(frame_decode(buf, (size_t)n, &f), 0);
  return f;
}

/* The next request; its body when wanted. */
static inline uint64_t fake_request(int fd, uint32_t method, const ProtobufCMessageDescriptor *type,
                                    ProtobufCMessage **ret) {
  Capnet__Frame *f = fake_frame(fd);
  cr_assert_not_null(f);
  cr_assert_eq(f->kind, CAPNET__FRAME__KIND__REQUEST);
  cr_assert_eq(f->method, method);
  if (ret)
    cr_assert_eq(body_decode(type, &f->body, ret), 0);
  uint64_t call = f->call;
  frame_free(f);
  return call;
}

static inline void fake_send(int fd, Capnet__Frame *f, const void *body, const int *fds, size_t n_fds) {
  uint8_t *data;
  size_t len;
  f->has_kind = 1;
  cr_assert_eq(frame_encode(f, body, &data, &len), 0);
  (void)frame_send(fd, data, len, fds, n_fds, 0); /* a hostile script may have lost its client */
  free(data);
}

static inline void fake_reply(int fd, uint64_t call, const void *body, bool more, const int *fds, size_t n_fds) {
  Capnet__Frame f = CAPNET__FRAME__INIT;
  f.kind = CAPNET__FRAME__KIND__REPLY;
  f.has_call = 1;
  f.call = call;
  f.has_more = f.more = more;
  fake_send(fd, &f, body, fds, n_fds);
}

/* call 0: TERMINAL. */
static inline void fake_error(int fd, uint64_t call, Capnet__ErrorCode code, const char *message, const char *grant,
                              const char *rule) {
  Capnet__Frame f = CAPNET__FRAME__INIT;
  Capnet__Error e = CAPNET__ERROR__INIT;
  f.kind = call ? CAPNET__FRAME__KIND__ERROR : CAPNET__FRAME__KIND__TERMINAL;
  f.has_call = call != 0;
  f.call = call;
  e.has_code = 1;
  e.code = code;
  e.message = (char *)message;
  e.grant = (char *)grant;
  e.rule = (char *)rule;
  f.error = &e;
  fake_send(fd, &f, NULL, NULL, 0);
}

#define CODE(x) CAPNET__ERROR_CODE__ERROR_##x

#endif
