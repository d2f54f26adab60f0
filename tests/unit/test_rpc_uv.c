/* SPDX-License-Identifier: BSD-3-Clause
 * What only the real loop can show: a client's descriptor that blocks when it is closed stalls nobody, and a
 * half-closed client does not spin.
 */
#include "rpc_util.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define LINGER_S 600 /* longer than the suite's patience */

static struct loop *loop;
static struct loop_timer *pause_timer;
static struct rig rig, other;
static unsigned fds_before;

static void stop(void *arg _unused_) { loop_stop(loop); }

static void run_for(uint64_t ms) {
  loop_timer_set(pause_timer, loop_now(loop, CLOCK_ID_MONO) + ms * NSEC_PER_MSEC);
  cr_assert_eq(loop_run(loop), 0);
}

static void setup(void) {
  cr_assert_eq(loop_uv_new(&loop), 0);
  cr_assert_eq(loop_timer_new(loop, CLOCK_ID_MONO, stop, NULL, &pause_timer), 0);
  run_for(1);
  fds_before = fd_count();
  rig_open(&rig, loop);
  rig_open(&other, loop);
}

static void teardown(void) {
  rig_close(&rig);
  rig_close(&other);
  struct rpc_stats s;
  do {
    run_for(10);
    rpc_get_stats(&s);
  } while (s.endpoints); /* what the helper thread closes holds them */
  expect_no_leak(fds_before);
  loop_timer_free(pause_timer);
  loop_free(loop);
}

TestSuite(rpc_uv, .init = setup, .fini = teardown, .timeout = 60);

/* A TCP socket whose peer takes nothing: close would wait for LINGER_S seconds. Returns the peer. */
static int lingering(int *ret) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  _cleanup_close_ int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  cr_assert_eq(bind(l, (struct sockaddr *)&a, len), 0);
  cr_assert_eq(listen(l, 1), 0);
  cr_assert_eq(getsockname(l, (struct sockaddr *)&a, &len), 0);
  int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  cr_assert_eq(connect(s, (struct sockaddr *)&a, len), 0);
  int peer = accept4(l, NULL, NULL, SOCK_CLOEXEC);
  cr_assert_geq(peer, 0);
  static char block[65536];
  while (send(s, block, sizeof block, MSG_DONTWAIT) > 0)
    ;
  cr_assert_eq(setsockopt(s, SOL_SOCKET, SO_LINGER, &(struct linger){1, LINGER_S}, sizeof(struct linger)), 0);
  *ret = s;
  return peer;
}

static void send_lingering(int client, uint64_t call, int *ret_peer) {
  Capnet__Frame f = request_frame(call, ECHO);
  uint8_t *data;
  size_t len;
  int fd;
  *ret_peer = lingering(&fd);
  cr_assert_eq(frame_encode(&f, NULL, &data, &len), 0);
  cr_assert_eq(frame_send(client, data, len, &fd, 1, 1), 0);
  free(data);
  close(fd); /* the one in flight is the last */
}

static void let_descriptors_through(struct rig *r) {
  int on = 1;
  (void)setsockopt(r->daemon, SOL_SOCKET, RPC_PASSRIGHTS, &on, sizeof on);
  rig_forget_duplicate(r);
}

static void expect_served(void) {
  send_echo(other.client, 1, "", 5);
  while (other.handled == 0)
    run_for(5);
  cr_assert_eq(expect_reply(other.client, 1, false), 5);
}

Test(rpc_uv, a_lingering_socket_stalls_nobody) {
  int peer;
  let_descriptors_through(&rig);
  send_lingering(rig.client, 1, &peer);
  expect_served();
  while (rig.dones == 0)
    run_for(5);
  expect_error(rig.client, 1, DESCRIPTOR);
  close(peer);
}

Test(rpc_uv, nor_does_one_that_was_never_read) {
  int peer;
  let_descriptors_through(&rig);
  send_lingering(rig.client, 1, &peer);
  rig.ep = endpoint_free(rig.ep, NULL);
  expect_served();
  close(peer);
}

Test(rpc_uv, half_closed_is_quiet) {
  rig_forget_duplicate(&rig);
  send_echo(rig.client, 1, "park", 0);
  cr_assert_eq(shutdown(rig.client, SHUT_WR), 0);
  run_for(20);
  struct loop_stats a, b;
  loop_get_stats(loop, &a);
  run_for(100);
  loop_get_stats(loop, &b);
  cr_assert_leq(b.watch_calls - a.watch_calls, 2);
  cr_assert_eq(rig.hangups, 0);
  Capnet__PingEchoEvent ev = CAPNET__PING_ECHO_EVENT__INIT;
  call_reply(rig.parked, &ev.base);
  expect_reply(rig.client, 1, false);
  rig.client = fd_close(rig.client);
  while (rig.hangups == 0)
    run_for(5);
}
