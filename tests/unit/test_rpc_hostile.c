/* SPDX-License-Identifier: BSD-3-Clause
 * Clients that break the rules, send what they must not, do not read, or go in the middle of it: typed errors, others
 * unaffected, live objects and descriptors back to where they were.
 */
#include "rpc_util.h"

#include "proto/status.pb-c.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct loop *loop;
static struct rig rig, other;
static unsigned fds_before;

static void setup(void) {
  fds_before = fd_count();
  cr_assert_eq(loop_sim_new(&loop), 0);
  rig_open(&rig, loop);
  rig_open(&other, loop);
  other.other = &rig;
}

static void teardown(void) {
  rig_close(&rig);
  rig_close(&other);
  loop_run(loop);
  loop_free(loop);
  expect_no_leak(fds_before);
}

TestSuite(rpc_hostile, .init = setup, .fini = teardown, .timeout = 120);

static void expect_other_served(void) {
  send_echo(other.client, 77, "", 77);
  cr_assert_eq(loop_run(loop), 0);
  cr_assert_eq(expect_reply(other.client, 77, false), 77);
}

static void send_method(uint64_t call, uint32_t method) {
  Capnet__Frame f = request_frame(call, method);
  send_frame(rig.client, &f, NULL);
  loop_run(loop);
}

Test(rpc_hostile, method_numbers) {
  static const uint32_t wrong[] = {0,  1,          2,         15,        ECHO + 1, ECHO + 2, 31, 32,
                                   255, INT32_MAX, 1u << 31, UINT32_MAX, UINT32_MAX - METHOD_KIND_BASE};
  for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
    send_method(i + 1, wrong[i]);
    expect_error(rig.client, i + 1, UNKNOWN_METHOD);
  }
  Capnet__Frame f = request_frame(99, 0);
  f.has_method = 0;
  send_frame(rig.client, &f, NULL);
  loop_run(loop);
  expect_error(rig.client, 99, UNKNOWN_METHOD);
  cr_assert_eq(rig.handled, 0);
  send_method(100, ECHO); /* an empty body is a request with no field */
  expect_reply(rig.client, 100, false);
  rig.common = true;
  send_method(101, 0);
  expect_reply(rig.client, 101, false);
  send_method(102, 1);
  expect_error(rig.client, 102, UNKNOWN_METHOD);
  cr_assert_eq(rig.handled, 2);
}

Test(rpc_hostile, bodies) {
  Capnet__Frame f = request_frame(1, ECHO);
  f.has_body = 1;
  f.body = (ProtobufCBinaryData){.data = (uint8_t *)"\xff\xff\xff", .len = 3};
  send_frame(rig.client, &f, NULL);
  loop_run(loop);
  expect_error(rig.client, 1, MALFORMED);

  enum { N = 30000 }; /* so many unknown fields take more memory than a request may */
  uint8_t *bytes = malloc(2 * N);
  for (int i = 0; i < 2 * N; i += 2) {
    bytes[i] = 15 << 3 | 2;
    bytes[i + 1] = 0;
  }
  f.body = (ProtobufCBinaryData){.data = bytes, .len = 2 * N};
  send_frame(rig.client, &f, NULL);
  free(bytes);
  loop_run(loop);
  expect_error(rig.client, 1, LIMIT);
  cr_assert_eq(rig.handled, 0);
  cr_assert_eq(rig.hangups, 0, "a bad body costs the call, not the endpoint");
}

Test(rpc_hostile, an_id_twice) {
  send_echo(rig.client, 5, "park", 0);
  send_echo(rig.client, 5, "", 0);
  loop_run(loop);
  expect_error(rig.client, 5, MALFORMED);
  cr_assert_eq(rig.handled, 1);
  cr_assert_eq(endpoint_calls(rig.ep), 1);
}

static void expect_breach(const void *data, size_t len, int code) {
  struct rig bad;
  rig_open(&bad, loop);
  rig_forget_duplicate(&bad);
  send_echo(bad.client, 1, "park", 0);
  cr_assert_eq(send(bad.client, data, len, 0), (ssize_t)len);
  send_echo(bad.client, 2, "", 0);
  loop_run(loop);
  expect_failure(bad.client, CAPNET__FRAME__KIND__TERMINAL, 0, code);
  expect_eof(bad.client);
  cr_assert_eq(bad.hangups, 1);
  cr_assert_eq(bad.n_cancelled, 1);
  cr_assert_eq(bad.handled, 1);
  rig_close(&bad);
}

Test(rpc_hostile, not_a_frame) {
  expect_breach("\xff\xff\xff\xff", 4, CAPNET__ERROR_CODE__ERROR_MALFORMED);
  static uint8_t big[FRAME_MAX + 1];
  expect_breach(big, FRAME_MAX, CAPNET__ERROR_CODE__ERROR_MALFORMED);
  expect_breach(big, FRAME_MAX + 1, CAPNET__ERROR_CODE__ERROR_TOO_LARGE);
  static const int kinds[] = {CAPNET__FRAME__KIND__REPLY, CAPNET__FRAME__KIND__ERROR, CAPNET__FRAME__KIND__TERMINAL};
  for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
    Capnet__Frame f = request_frame(1, 0);
    uint8_t *data;
    size_t len;
    f.kind = (Capnet__Frame__Kind)kinds[i];
    cr_assert_eq(frame_encode(&f, NULL, &data, &len), 0);
    expect_breach(data, len, CAPNET__ERROR_CODE__ERROR_MALFORMED);
    free(data);
  }
  expect_other_served();
}

static uint64_t rng_state = 0x9e3779b97f4a7c15;
static uint32_t rng(void) {
  rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(rng_state >> 33);
}

/* Half of them noise, half a good frame with a few bytes changed. */
static size_t hostile_frame(uint8_t *buf, size_t size) {
  static const char *const targets[] = {"", "park", "stream", "fds", "free"};
  size_t len = 0;
  if (rng() % 2) {
    len = 1 + rng() % size;
    for (size_t i = 0; i < len; i++)
      buf[i] = (uint8_t)rng();
    return len;
  }
  Capnet__PingEchoRequest rq = CAPNET__PING_ECHO_REQUEST__INIT;
  Capnet__Frame f = request_frame(1 + rng() % 100, ECHO);
  rq.target = (char *)targets[rng() % ARRAY_SIZE(targets)];
  rq.has_count = 1;
  rq.count = rng() % 20;
  if (rng() % 4 == 0)
    f.kind = CAPNET__FRAME__KIND__CANCEL;
  uint8_t *data;
  cr_assert_eq(frame_encode(&f, &rq.base, &data, &len), 0);
  memcpy(buf, data, len);
  free(data);
  for (unsigned i = rng() % 4; i > 0; i--)
    buf[rng() % len] ^= (uint8_t)(1u << rng() % 8);
  return len;
}

Test(rpc_hostile, a_hundred_thousand_random_frames) {
  unsigned seen[CAPNET__FRAME__KIND__TERMINAL + 1] = {0};
  uint8_t buf[200];
  unsigned begins = 0, ends = 0;
  for (unsigned i = 0; i < 100000; i++) {
    size_t len = hostile_frame(buf, sizeof buf);
    cr_assert_eq(send(rig.client, buf, len, MSG_NOSIGNAL), (ssize_t)len);
    cr_assert_eq(loop_run(loop), 0);
    Capnet__Frame *f;
    while ((f = receive(rig.client, NULL, NULL))) {
      seen[f->kind]++;
      frame_free(f);
    }
    if (!rig.ep) {
      begins += rig.begins;
      ends += rig.ends;
      rig_close(&rig);
      rig_open(&rig, loop);
      rig.owned_fd = dup(rig.client);
    }
  }
  cr_assert_gt(seen[CAPNET__FRAME__KIND__REPLY], 1000);
  cr_assert_gt(seen[CAPNET__FRAME__KIND__ERROR], 1000);
  cr_assert_gt(seen[CAPNET__FRAME__KIND__TERMINAL], 1000);
  cr_assert_eq(begins, ends);
  expect_other_served();
}

/* A kernel that knows SO_PASSRIGHTS refuses at the sender; what an older one lets through is tried by switching it
 * on. */
static bool let_descriptors_through(struct rig *r) {
  int on = 1;
  if (setsockopt(r->daemon, SOL_SOCKET, RPC_PASSRIGHTS, &on, sizeof on) < 0)
    return false;
  rig_forget_duplicate(r);
  return true;
}

static void send_echo_with(int client, uint64_t call, const int *fds, size_t n) {
  Capnet__Frame f = request_frame(call, ECHO);
  uint8_t *data;
  size_t len;
  cr_assert_eq(frame_encode(&f, NULL, &data, &len), 0);
  cr_assert_eq(frame_send(client, data, len, fds, n, 1), 0);
  free(data);
}

Test(rpc_hostile, the_kernel_refuses_descriptors_for_us) {
  int value = -1;
  socklen_t len = sizeof value;
  if (getsockopt(rig.daemon, SOL_SOCKET, RPC_PASSRIGHTS, &value, &len) < 0)
    return; /* an older kernel */
  cr_assert_eq(value, 0);
  cr_assert_eq(frame_send(rig.client, "x", 1, (int[]){rig.client}, 1, 1), -EPERM);
}

Test(rpc_hostile, descriptors) {
  int fds[FRAME_SCM_MAX];
  struct rpc_stats a, b;
  let_descriptors_through(&rig);
  for (unsigned i = 0; i < FRAME_SCM_MAX; i++)
    fds[i] = dup(rig.client);
  unsigned before = fd_count();
  rpc_get_stats(&a);
  send_echo_with(rig.client, 1, fds, 1);
  send_echo_with(rig.client, 2, fds, FRAME_SCM_MAX);
  send_echo(rig.client, 3, "", 3);
  loop_run(loop);
  rpc_get_stats(&b);
  expect_error(rig.client, 1, DESCRIPTOR);
  expect_error(rig.client, 2, DESCRIPTOR);
  cr_assert_eq(expect_reply(rig.client, 3, false), 3);
  cr_assert_eq(rig.handled, 1);
  cr_assert_eq(b.descriptors_refused - a.descriptors_refused, 1 + FRAME_SCM_MAX);
  cr_assert_eq(fd_count(), before);

  send_echo_with(rig.client, 4, fds, FRAME_SCM_MAX); /* unread when the endpoint goes */
  rig.ep = endpoint_free(rig.ep, NULL);
  loop_run(loop);
  rpc_get_stats(&b);
  cr_assert_eq(b.descriptors_refused - a.descriptors_refused, 1 + 2 * FRAME_SCM_MAX);
  for (unsigned i = 0; i < FRAME_SCM_MAX; i++)
    close(fds[i]);
}

Test(rpc_hostile, half_open) {
  rig_forget_duplicate(&rig);
  send_echo(rig.client, 1, "park", 0);
  cr_assert_eq(shutdown(rig.client, SHUT_WR), 0);
  loop_run(loop);
  struct loop_stats a, b;
  loop_get_stats(loop, &a);
  loop_sim_advance(loop, 10 * NSEC_PER_SEC);
  loop_get_stats(loop, &b);
  cr_assert_eq(a.watch_calls, b.watch_calls, "a half-closed client is silent");
  cr_assert_eq(rig.hangups, 0);
  Capnet__PingEchoEvent ev = CAPNET__PING_ECHO_EVENT__INIT;
  call_reply(rig.parked, &ev.base);
  expect_reply(rig.client, 1, false);
  rig.client = fd_close(rig.client);
  loop_run(loop);
  cr_assert_eq(rig.hangups, 1);
}

Test(rpc_hostile, does_not_want_to_read) {
  rig_forget_duplicate(&rig);
  cr_assert_eq(shutdown(rig.client, SHUT_RD), 0);
  loop_run(loop);
  cr_assert_eq(rig.hangups, 0);
  send_echo(rig.client, 1, "stream", 100);
  send_echo(rig.client, 2, "", 0);
  loop_run(loop);
  cr_assert_eq(rig.handled, 1);
  cr_assert_eq(rig.hangups, 1);
  expect_other_served();
}

Test(rpc_hostile, an_empty_message_is_an_end_of_file) {
  cr_assert_eq(send(rig.client, "", 0, 0), 0);
  send_echo(rig.client, 1, "", 0);
  loop_run(loop);
  cr_assert_eq(rig.handled, 0);
  expect_other_served();
}

Test(rpc_hostile, killed_in_the_middle) {
  rig_forget_duplicate(&rig);
  int sync[2];
  cr_assert_eq(pipe2(sync, O_CLOEXEC), 0);
  pid_t pid = fork();
  cr_assert_geq(pid, 0);
  if (pid == 0) {
    uint8_t *data;
    size_t len;
    for (uint64_t id = 1;; id++) {
      Capnet__PingEchoRequest rq = CAPNET__PING_ECHO_REQUEST__INIT;
      Capnet__Frame f = request_frame(id, ECHO);
      rq.target = (char *)(id % 2 ? "park" : "stream");
      rq.has_count = rq.count = 5;
      if (frame_encode(&f, &rq.base, &data, &len) < 0 || frame_send(rig.client, data, len, NULL, 0, 1) < 0)
        break;
      free(data);
    }
    (void)!write(sync[1], "x", 1);
    for (;;)
      pause();
  }
  char c;
  cr_assert_eq(read(sync[0], &c, 1), 1);
  rig.client = fd_close(rig.client);
  loop_run(loop);
  cr_assert_gt(rig.n_parked, 0);
  cr_assert_eq(rig.hangups, 0);
  cr_assert_eq(kill(pid, SIGKILL), 0);
  cr_assert_eq(waitpid(pid, NULL, 0), pid);
  loop_run(loop);
  cr_assert_eq(rig.hangups, 1);
  cr_assert_eq(rig.n_cancelled, rig.n_parked);
  close(sync[0]);
  close(sync[1]);
  expect_other_served();
}

/* One turn takes so many frames of the flood and then the other's only one. */
Test(rpc_hostile, a_flood_costs_the_others_one_slice) {
  enum { N = 200 };
  for (unsigned i = 1; i <= N; i++)
    send_echo(rig.client, i, "", i);
  send_echo(other.client, 1, "", 1);
  loop_run(loop);
  cr_assert_eq(rig.handled, N);
  cr_assert_eq(other.handled, 1);
  cr_assert_eq(other.other_handled, ENDPOINT_TURN_MAX);
  for (unsigned i = 1; i <= N; i++)
    cr_assert_eq(expect_reply(rig.client, i, false), i);
}

Test(rpc_hostile, does_not_read) {
  struct rpc_stats a, b;
  rpc_get_stats(&a);
  send_echo(rig.client, 1, "stream", 1000000);
  send_echo(rig.client, 2, "", 2);
  loop_run(loop);
  rpc_get_stats(&b);
  cr_assert_eq(rig.stream_result, -ENOBUFS);
  cr_assert_eq(b.stalled - a.stalled, 1);
  cr_assert_eq(rig.handled, 1, "nothing is read while the queue is full");
  expect_other_served();
  unsigned n = 0; /* all that was accepted arrives, in order, and then the rest goes on */
  Capnet__Frame *f;
  for (;; n++) {
    f = receive(rig.client, NULL, NULL);
    loop_run(loop);
    cr_assert_not_null(f);
    bool last = !f->more;
    frame_free(f);
    if (last)
      break;
  }
  cr_assert_gt(n, 1000);
  cr_assert_eq(expect_reply(rig.client, 2, false), 2);
  expect_nothing(rig.client);
}

/* More descriptors in flight than our uid may have: an error, from a direct send and from the queue alike. */
Test(rpc_hostile, too_many_descriptors_in_flight) {
  int sv[2];
  struct rlimit few = {64, 64};
  rig.owned_fd = dup(rig.client);
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
  if (geteuid() == 0) { /* root may have as many as it likes; and nobody else's are counted for this uid */
    cr_assert_eq(setresgid(54321, 54321, 54321), 0);
    cr_assert_eq(setresuid(54321, 54321, 54321), 0);
    cr_assert_eq(prctl(PR_SET_DUMPABLE, 1), 0); /* or /proc/self/fd is root's */
  }
  send_echo(rig.client, 1, "stream", 2000); /* more than the socket buffers take: the rest is queued */
  send_echo(rig.client, 2, "fds", 1);
  loop_run(loop);
  cr_assert_eq(rig.handled, 2);
  int r = 0, sent = 0;
  for (; r == 0 && sent < 100; sent++)
    r = frame_send(sv[0], "x", 1, (int[]){sv[0], sv[0]}, 2, 1);
  cr_assert_eq(r, -ETOOMANYREFS, "%d after %d", r, sent);
  send_echo(other.client, 1, "fds", 1);
  other.owned_fd = dup(rig.client);
  loop_run(loop);
  expect_error(other.client, 1, LIMIT);
  for (unsigned i = 1; i <= 2000; i++) {
    cr_assert_eq(expect_reply(rig.client, 1, i < 2000), i);
    loop_run(loop);
  }
  expect_error(rig.client, 2, LIMIT);
  close(sv[0]);
  close(sv[1]);
}
