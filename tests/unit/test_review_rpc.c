/* SPDX-License-Identifier: BSD-3-Clause
 * Many clients that send descriptors where none belong: few are closed at a time, all of them in the end.
 */
#include "rpc_util.h"

TestSuite(review_rpc, .timeout = 60);

#define CLIENTS 9u

Test(review_rpc, foreign_descriptors_wait_for_a_closer) {
  struct loop *loop;
  struct rig rigs[CLIENTS];
  struct rpc_stats a, b;
  Capnet__Frame f = request_frame(1, ECHO);
  uint8_t *data;
  size_t len;
  int on = 1, null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  cr_assert_eq(loop_sim_new(&loop), 0);
  cr_assert_eq(frame_encode(&f, NULL, &data, &len), 0);
  for (unsigned i = 0; i < CLIENTS; i++) {
    rig_open(&rigs[i], loop);
    (void)setsockopt(rigs[i].daemon, SOL_SOCKET, RPC_PASSRIGHTS, &on, sizeof on);
    rig_forget_duplicate(&rigs[i]);
  }
  unsigned fds = fd_count();
  rpc_get_stats(&a);
  for (unsigned i = 0; i < CLIENTS; i++)
    cr_assert_eq(frame_send(rigs[i].client, data, len, (int[]){null, null}, 2, 1), 0);
  loop_run(loop);
  rpc_get_stats(&b);
  cr_expect_eq(b.descriptors_refused - a.descriptors_refused, 2 * CLIENTS);
  cr_expect_eq(fd_count(), fds);
  for (unsigned i = 0; i < CLIENTS; i++) {
    expect_error(rigs[i].client, 1, DESCRIPTOR);
    send_echo(rigs[i].client, 2, "", 7); /* it is read again */
  }
  loop_run(loop);
  for (unsigned i = 0; i < CLIENTS; i++) {
    cr_expect_eq(expect_reply(rigs[i].client, 2, false), 7);
    rig_close(&rigs[i]);
  }
  loop_free(loop);
  free(data);
  fd_close(null);
}
