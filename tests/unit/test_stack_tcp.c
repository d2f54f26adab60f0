/* SPDX-License-Identifier: BSD-3-Clause
 * TCP of the stack: opening, both queues, both ways to close, every reason to end, time-outs, what is told of it.
 */
#include "stack_util.h"

static struct net net;
static struct end client, server;

static void setup(void) {
  net_open(&net, NULL);
  memset(&client, 0, sizeof client);
  memset(&server, 0, sizeof server);
}

static void teardown(void) {
  client.c = stack_conn_close(client.c);
  server.c = stack_conn_close(server.c);
  run(&net, 120 * SEC);
  struct stack_stats st = stats_of(&net);
  cr_expect_eq(st.asserts, 0, "%lu assertions of lwIP failed", (unsigned long)st.asserts);
  cr_expect_eq(st.tcp_active, 0);
  cr_expect_eq(st.tcp_time_wait, 0);
  cr_expect_eq(st.tcp_listening, 0);
  cr_expect_eq(st.udp, 0);
  cr_expect_eq(st.pbuf_bytes, 0, "%lu bytes of packets are left", (unsigned long)st.pbuf_bytes);
  net_close(&net);
}

TestSuite(stack_tcp, .init = setup, .fini = teardown, .timeout = 60);

Test(stack_tcp, connects_and_moves_bytes_both_ways) {
  client.to_send = 1000000;
  server.to_send = 700001;
  end_pair(&net, &client, &server);
  end_send(&server);
  run(&net, 20 * SEC);
  cr_expect_eq(client.connected, 1);
  cr_expect_eq(server.got, client.to_send);
  cr_expect_eq(client.got, server.to_send);
  cr_expect(!client.bad && !server.bad);
  cr_expect_eq(stack_conn_unacked(client.c), 0);
  cr_expect_gt(client.acked, 0);
  end_close(&client);
  run(&net, 1 * SEC);
  cr_expect(server.eof);
  cr_expect_eq(server.ended, 0, "half closed only");
}

Test(stack_tcp, half_close_goes_both_ways) {
  client.to_send = 10;
  client.shut_after = true;
  end_pair(&net, &client, &server);
  run(&net, 1 * SEC);
  cr_expect(server.eof);
  cr_expect_eq(server.ended, 0);
  struct iovec iov[2];
  cr_expect_eq(stack_conn_send_space(client.c, iov), 0);
  cr_expect_eq(stack_conn_send_commit(client.c, 0), -EPIPE);
  server.to_send = 5000;
  server.shut_after = true;
  end_send(&server);
  run(&net, 1 * SEC);
  cr_expect_eq(client.got, 5000);
  cr_expect(client.eof);
  cr_expect_eq(client.ended, 1);
  cr_expect_eq(client.why, STACK_END_CLOSED);
  cr_expect_eq(server.why, STACK_END_CLOSED);
  cr_expect_eq(stats_of(&net).tcp_time_wait, 1);
}

Test(stack_tcp, refused) {
  end_connect(&client, &net, 81);
  run(&net, 1 * SEC);
  cr_expect_eq(client.ended, 1);
  cr_expect_eq(client.why, STACK_END_REFUSED);
  struct stack_conn_info info;
  stack_conn_info(client.c, &info);
  cr_expect_eq(info.end_error, -ECONNREFUSED);
  cr_expect_eq(info.remote.port, 81);
}
