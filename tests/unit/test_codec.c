/* SPDX-License-Identifier: BSD-3-Clause
 * The codec: what is a frame and what is not, its bounds at N and N+1, descriptors beside a message, and the table of
 * errors.
 */
#include "proto/codec.h"

#include "base/util.h"
#include "proto/capability.pb-c.h"
#include "proto/ping.pb-c.h"
#include "proto/status.pb-c.h"
#include "fd_util.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

static int decode(const void *data, size_t len) {
  Capnet__Frame *f = NULL;
  int r = frame_decode(data, len, &f);
  cr_assert(r == 0 ? f != NULL : f == NULL);
  frame_free(f);
  return r;
}

static int encode_decode(const Capnet__Frame *f) {
  uint8_t *buf = NULL;
  size_t len = 0;
  cr_assert_eq(frame_encode(f, NULL, &buf, &len), 0);
  int r = decode(buf, len);
  free(buf);
  return r;
}

Test(codec, round_trip_with_body) {
  Capnet__PingEchoRequest body = CAPNET__PING_ECHO_REQUEST__INIT;
  body.target = (char *)"10.0.2.2";
  body.has_count = 1;
  body.count = 7;
  Capnet__Frame f = CAPNET__FRAME__INIT;
  f.has_kind = f.has_call = f.has_method = 1;
  f.kind = CAPNET__FRAME__KIND__REQUEST;
  f.call = UINT64_MAX;
  f.method = METHOD_KIND_BASE;
  uint8_t *buf = NULL;
  size_t len = 0;
  cr_assert_eq(frame_encode(&f, &body.base, &buf, &len), 0);
  Capnet__Frame *got = NULL;
  cr_assert_eq(frame_decode(buf, len, &got), 0);
  cr_assert_eq(got->call, UINT64_MAX);
  cr_assert_eq(got->method, METHOD_KIND_BASE);
  cr_assert_not(got->has_more);
  ProtobufCMessage *m = NULL;
  cr_assert_eq(body_decode(&capnet__ping_echo_request__descriptor, &got->body, &m), 0);
  const Capnet__PingEchoRequest *rq = (const Capnet__PingEchoRequest *)m;
  cr_assert_str_eq(rq->target, "10.0.2.2");
  cr_assert_eq(rq->count, 7);
  cr_assert_not(rq->has_ttl);
  body_free(m);
  frame_free(got);
  free(buf);
}

Test(codec, what_is_not_a_frame) {
  cr_assert_eq(decode("", 0), -EBADMSG);
  cr_assert_eq(decode("\xff\xff\xff\xff", 4), -EBADMSG);
  Capnet__Frame f = CAPNET__FRAME__INIT;
  f.has_call = f.call = 1;
  cr_assert_eq(encode_decode(&f), -EBADMSG, "no kind");
  f.has_kind = 1;
  cr_assert_eq(encode_decode(&f), -EBADMSG, "kind INVALID");
  f.kind = (Capnet__Frame__Kind)6;
  cr_assert_eq(encode_decode(&f), -EBADMSG, "a kind past the last");
  f.kind = (Capnet__Frame__Kind)-1;
  cr_assert_eq(encode_decode(&f), -EBADMSG);
  for (int kind = CAPNET__FRAME__KIND__REQUEST; kind <= CAPNET__FRAME__KIND__TERMINAL; kind++) {
    f = (Capnet__Frame)CAPNET__FRAME__INIT;
    f.has_kind = 1;
    f.kind = (Capnet__Frame__Kind)kind;
    int expected = kind == CAPNET__FRAME__KIND__TERMINAL ? 0 : -EBADMSG;
    cr_assert_eq(encode_decode(&f), expected, "call absent, kind %d", kind);
    f.has_call = 1;
    cr_assert_eq(encode_decode(&f), expected, "call 0, kind %d", kind);
    f.call = 1;
    cr_assert_eq(encode_decode(&f), 0, "kind %d", kind);
  }
}

/* The largest body whose frame is FRAME_MAX goes, one byte more does not; both ways. */
Test(codec, frame_max) {
  Capnet__Frame f = CAPNET__FRAME__INIT;
  f.has_kind = f.has_call = f.has_body = 1;
  f.kind = CAPNET__FRAME__KIND__REPLY;
  f.call = 1;
  f.body.len = FRAME_MAX;
  size_t overhead = capnet__frame__get_packed_size(&f) - FRAME_MAX;
  uint8_t *big = calloc(1, FRAME_MAX + 1), *buf = NULL;
  size_t len = 0;
  f.body.data = big;
  f.body.len = FRAME_MAX - overhead;
  cr_assert_eq(frame_encode(&f, NULL, &buf, &len), 0);
  cr_assert_eq(len, FRAME_MAX);
  cr_assert_eq(decode(buf, len), 0);
  free(buf);
  buf = NULL;
  f.body.len++;
  cr_assert_eq(frame_encode(&f, NULL, &buf, &len), -EMSGSIZE);
  cr_assert_null(buf);
  cr_assert_eq(decode(big, FRAME_MAX + 1), -EMSGSIZE);

  Capnet__StatusWatchRequest body = CAPNET__STATUS_WATCH_REQUEST__INIT; /* through the body as well */
  char *huge = malloc(FRAME_MAX + 1);
  memset(huge, 'a', FRAME_MAX);
  huge[FRAME_MAX] = 0;
  body.sections = &huge;
  body.n_sections = 1;
  f.has_body = 0;
  cr_assert_eq(frame_encode(&f, &body.base, &buf, &len), -EMSGSIZE);
  free(huge);
  free(big);
}

/* Two bytes on the wire are dozens in memory: the cap stops what the frame's size does not. */
Test(codec, memory_is_capped) {
  enum { N = 30000 };
  uint8_t *bytes = malloc(2 * N);
  for (int i = 0; i < N; i++) {
    bytes[2 * i] = 2 << 3 | 2; /* StatusPage.routes, an empty one */
    bytes[2 * i + 1] = 0;
  }
  ProtobufCMessage *m = NULL;
  ProtobufCBinaryData body = {.data = bytes, .len = 2 * N};
  cr_assert_eq(body_decode(&capnet__status_page__descriptor, &body, &m), -ENOMEM);
  cr_assert_null(m);
  body.len = 2 * 3000;
  cr_assert_eq(body_decode(&capnet__status_page__descriptor, &body, &m), 0);
  cr_assert_eq(((Capnet__StatusPage *)m)->n_routes, 3000);
  body_free(m);
  free(bytes);
}

static void pair(int sv[2]) { cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0); }

Test(codec, send_and_receive) {
  int sv[2], fds[FRAME_SCM_MAX];
  size_t n_fds = 99;
  char buf[64];
  unsigned before = fd_count();
  pair(sv);
  cr_assert_eq(frame_recv(sv[1], buf, sizeof buf, fds, &n_fds, 1), -EAGAIN);
  cr_assert_eq(n_fds, 0);
  cr_assert_eq(frame_send(sv[0], "", 0, NULL, 0, 1), -EINVAL, "an empty message would be an end of file");
  cr_assert_eq(frame_send(sv[0], "abc", 3, NULL, 0, 1), 0);
  cr_assert_eq(frame_recv(sv[1], buf, sizeof buf, fds, &n_fds, 1), 3);
  cr_assert_eq(memcmp(buf, "abc", 3), 0);

  cr_assert_eq(frame_send(sv[0], "abcdefgh", 8, (int[]){sv[0]}, 1, 1), 0);
  cr_assert_eq(frame_recv(sv[1], buf, 4, fds, &n_fds, 1), -EMSGSIZE, "cut off");
  cr_assert_eq(n_fds, 1, "its descriptors are ours all the same");
  cr_assert(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
  close(fds[0]);

  int r = 0;
  for (int i = 0; i < 100000 && r == 0; i++)
    r = frame_send(sv[0], buf, sizeof buf, NULL, 0, 1);
  cr_assert_eq(r, -EAGAIN);
  close(sv[1]);
  r = frame_send(sv[0], buf, sizeof buf, NULL, 0, 1);
  cr_assert(r == -EPIPE || r == -ECONNRESET, "%d", r);
  close(sv[0]);
  cr_assert_eq(fd_count(), before);
}

/* Its own bytes lay unread there, which the kernel tells first, once. */
Test(codec, the_last_word_of_who_closes) {
  int sv[2], fds[FRAME_SCM_MAX];
  size_t n;
  char buf[8];
  for (int nonblock = 0; nonblock < 2; nonblock++) {
    pair(sv);
    cr_assert_eq(frame_send(sv[0], "q", 1, NULL, 0, 1), 0);
    cr_assert_eq(frame_send(sv[1], "bye", 3, NULL, 0, 1), 0);
    close(sv[1]);
    cr_expect_eq(frame_recv(sv[0], buf, sizeof buf, fds, &n, nonblock), 3);
    cr_expect_eq(frame_recv(sv[0], buf, sizeof buf, fds, &n, nonblock), 0);
    close(sv[0]);
  }
}

Test(codec, as_many_descriptors_as_the_kernel_allows) {
  int sv[2], fds[FRAME_SCM_MAX + 1], got[FRAME_SCM_MAX];
  size_t n = 0;
  char buf[16];
  unsigned before = fd_count();
  pair(sv);
  for (int i = 0; i <= FRAME_SCM_MAX; i++)
    fds[i] = sv[0];
  cr_assert_eq(frame_send(sv[0], "x", 1, fds, FRAME_SCM_MAX + 1, 1), -EINVAL);
  cr_assert_eq(frame_send(sv[0], "x", 1, fds, FRAME_SCM_MAX, 1), 0);
  cr_assert_eq(frame_recv(sv[1], buf, sizeof buf, got, &n, 1), 1);
  cr_assert_eq(n, FRAME_SCM_MAX);
  for (size_t i = 0; i < n; i++)
    close(got[i]);
  close(sv[0]);
  close(sv[1]);
  cr_assert_eq(fd_count(), before);
}

Test(codec, no_descriptor_left_loses_no_message) {
  int sv[2], got[FRAME_SCM_MAX];
  size_t n = 99;
  char buf[16];
  pair(sv);
  cr_assert_eq(frame_send(sv[0], "x", 1, (int[]){sv[0], sv[0]}, 2, 1), 0);
  struct rlimit old, none;
  getrlimit(RLIMIT_NOFILE, &old);
  none = old;
  none.rlim_cur = 0;
  setrlimit(RLIMIT_NOFILE, &none);
  ssize_t r = frame_recv(sv[1], buf, sizeof buf, got, &n, 1);
  setrlimit(RLIMIT_NOFILE, &old);
  cr_assert_eq(r, 1);
  cr_assert_eq(n, 0);
  close(sv[0]);
  close(sv[1]);
}

#define CODES (CAPNET__ERROR_CODE__ERROR_INTERNAL + 1)

Test(errors, each_code_its_own_errno_and_back) {
  cr_assert_eq(capnet__error_code__descriptor.n_values, CODES, "a code was appended: extend this test's last one");
  for (int i = 1; i < CODES; i++) {
    int e = error_code_to_errno((Capnet__ErrorCode)i);
    cr_assert_gt(e, 0);
    cr_assert_eq((int)error_code_from_errno(e), i, "%s", error_code_name((Capnet__ErrorCode)i));
    cr_assert_eq((int)error_code_from_errno(-e), i);
    for (int j = 1; j < i; j++)
      cr_assert_neq(e, error_code_to_errno((Capnet__ErrorCode)j), "%d and %d", i, j);
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(&capnet__error_code__descriptor, i);
    cr_assert_not_null(v);
    cr_assert_str_eq(v->name + strlen("ERROR_"), error_code_name((Capnet__ErrorCode)i));
    cr_assert_gt(strlen(error_code_sentence((Capnet__ErrorCode)i)), 10);
  }
}

Test(errors, strangers) {
  cr_assert_eq(error_code_to_errno((Capnet__ErrorCode)CODES), EIO);
  cr_assert_eq(error_code_to_errno((Capnet__ErrorCode)-1), EIO);
  cr_assert_eq(error_code_to_errno(CAPNET__ERROR_CODE__ERROR_UNSPECIFIED), EIO);
  cr_assert_str_eq(error_code_name((Capnet__ErrorCode)CODES), "UNKNOWN");
  cr_assert_eq(error_code_from_errno(0), CAPNET__ERROR_CODE__ERROR_INTERNAL);
  cr_assert_eq(error_code_from_errno(ENETUNREACH), CAPNET__ERROR_CODE__ERROR_UNREACHABLE);
  cr_assert_eq(error_code_from_errno(-ERANGE), CAPNET__ERROR_CODE__ERROR_DENIED);
  cr_assert_eq(error_code_from_errno(-EMFILE), CAPNET__ERROR_CODE__ERROR_LIMIT);
  cr_assert_eq(error_code_from_errno(12345), CAPNET__ERROR_CODE__ERROR_INTERNAL);
}

/* --- into an arena ---------------------------------------------------------------------------------------------------- */

static struct arena arena;

static size_t echo_frame(size_t target_len, uint8_t buf[FRAME_ENCODE_ROOM]) {
  static char target[FRAME_MAX];
  Capnet__PingEchoRequest body = CAPNET__PING_ECHO_REQUEST__INIT;
  Capnet__Frame f = CAPNET__FRAME__INIT;
  memset(target, 'x', target_len);
  target[target_len] = 0;
  body.target = target;
  f.has_kind = f.has_call = 1;
  f.kind = CAPNET__FRAME__KIND__REQUEST;
  f.call = 1;
  size_t len = 0;
  cr_assert_eq(frame_encode_to(&f, &body.base, buf, &len), 0);
  return len;
}

/* The same bytes by both ways of encoding, the same message by both ways of decoding; what does not fit the block is
 * counted, and reset gives everything back. */
Test(codec, the_arena_says_the_same) {
  static uint8_t buf[FRAME_ENCODE_ROOM];
  static const size_t sizes[] = {0, 10, 5000, 40000};
  for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
    const size_t len = echo_frame(sizes[i], buf);
    Capnet__Frame *f = NULL, *g = NULL;
    ProtobufCMessage *m = NULL;
    const unsigned long before = arena.spills;
    cr_assert_eq(frame_decode_in(&arena, buf, len, &f), 0);
    cr_assert_eq(body_decode_in(&arena, &capnet__ping_echo_request__descriptor, &f->body, &m), 0);
    cr_assert_eq(frame_decode(buf, len, &g), 0);
    cr_expect_eq(f->body.len, g->body.len);
    cr_expect_eq(memcmp(f->body.data, g->body.data, f->body.len), 0);
    cr_expect_eq(strlen(((Capnet__PingEchoRequest *)m)->target), sizes[i]);
    cr_expect_eq(arena.spills != before, sizes[i] > sizeof arena.block / 2, "%zu", sizes[i]);
    frame_free(g);
    arena_reset(&arena);
    cr_expect_eq(arena.used, 0);
    cr_expect_null(arena.spilled);
  }
}

/* 64 KiB of two-byte fields: bounded as without an arena, and nothing leaks of a message that is half unpacked. */
Test(codec, the_arena_is_capped_too) {
  static uint8_t bytes[FRAME_MAX];
  for (size_t i = 0; i + 1 < sizeof bytes; i += 2) {
    bytes[i] = 0x7a; /* field 15, length-delimited: unknown to a frame */
    bytes[i + 1] = 0;
  }
  Capnet__Frame *f = NULL;
  const int r = frame_decode_in(&arena, bytes, sizeof bytes, &f);
  cr_expect_eq(r, frame_decode(bytes, sizeof bytes, &f));
  cr_expect_lt(r, 0);
  arena_reset(&arena);
  cr_expect_eq(frame_decode_in(&arena, "\x08", 1, &f), -EBADMSG);
  cr_expect_null(f);
  arena_reset(&arena);
  cr_expect_null(arena.spilled);
}

Test(codec, encoding_in_place_has_the_same_bound) {
  static uint8_t buf[FRAME_ENCODE_ROOM];
  static char text[2 * FRAME_MAX];
  Capnet__PingEchoRequest body = CAPNET__PING_ECHO_REQUEST__INIT;
  Capnet__Frame f = CAPNET__FRAME__INIT;
  uint8_t *data = NULL;
  size_t len = 0;
  memset(text, 'x', sizeof text - 1);
  body.target = text;
  for (size_t n = FRAME_MAX - 20; n < FRAME_MAX + 2; n++) {
    text[n] = 0;
    const int r = frame_encode(&f, &body.base, &data, &len);
    size_t len_to = 0;
    cr_expect_eq(frame_encode_to(&f, &body.base, buf, &len_to), r);
    if (r == 0) {
      cr_expect_eq(len, len_to);
      cr_expect_eq(memcmp(buf, data, len), 0);
      free(data);
    }
    text[n] = 'x';
  }
}
