/* SPDX-License-Identifier: BSD-3-Clause
 * What a connection costs the daemon between the request and the answer: system calls about sockets, counted where they are
 * made. The loop's own are in test_loop.c, those for bytes in test_flow_turn.c.
 */
#include "cap_client.h"

#include <sys/syscall.h>

TestSuite(cap_cost, .timeout = 60);

static const struct item_spec items[] = {{"connect", AUTH_TCP_CONNECT, {"10.0.0.2:80"}, {{0}}, 0}};

static struct {
  unsigned socketpair, setsockopt, shutdown;
} calls;

int socketpair(int domain, int type, int protocol, int sv[2]) {
  calls.socketpair++;
  return (int)syscall(SYS_socketpair, domain, type, protocol, sv);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len) {
  calls.setsockopt++;
  return (int)syscall(SYS_setsockopt, fd, level, option, value, len);
}

int shutdown(int fd, int how) {
  calls.shutdown++;
  return (int)syscall(SYS_shutdown, fd, how);
}

static struct conn bare(struct world *w, int fd) {
  struct connect_request c;
  Capnet__TcpEndpoint local = CAPNET__TCP_ENDPOINT__INIT;
  connect_request(&c, "10.0.0.2", 80);
  local.address = (char *)"10.0.0.1";
  c.rq.local = &local;
  c.rq.has_control = c.rq.has_form = 1;
  c.rq.control = 0;
  c.rq.form = CAPNET__TCP_FORM__TCP_FORM_PAIR;
  _answer_ struct answer a = connect_answer(w, fd, &c.rq);
  const Capnet__TcpConnection *m = (Capnet__TcpConnection *)a.body;
  cr_assert_eq(a.n_fds, 1, "code %d", a.code);
  cr_expect_null(m->control);
  return (struct conn){.data = a.fds[m->data->slot], .control = -1, .id = m->id};
}

Test(cap_cost, a_connection_with_its_control) {
  struct world w;
  world_open(&w, items, 1);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  memset(&calls, 0, sizeof calls);
  struct conn c = connected(&w, fd, 80);
  cr_expect_eq(calls.socketpair, 2);
  cr_expect_leq(calls.setsockopt, 2, "%u: no descriptors for the endpoint, and what the client may write ahead", calls.setsockopt);
  drop(&w, c.data);
  drop(&w, c.control);
  world_run(&w, 1000);
  cr_expect_eq(calls.shutdown, 0, "%u", calls.shutdown);
  world_close(&w);
}

Test(cap_cost, a_connection_without) {
  struct world w;
  world_open(&w, items, 1);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  memset(&calls, 0, sizeof calls);
  struct conn c = bare(&w, fd);
  cr_expect_eq(calls.socketpair, 1);
  cr_expect_leq(calls.setsockopt, 1, "%u", calls.setsockopt);
  drop(&w, c.data);
  world_run(&w, 1000);
  cr_expect_eq(calls.shutdown, 0, "%u", calls.shutdown);
  world_close(&w);
}

/* Nobody holds its capability: it ends with the connection, with its right, and is charged for no endpoint. */
Test(cap_cost, a_connection_without_control_lives_and_ends_as_any) {
  struct world w;
  world_open(&w, items, 1);
  world_serve(&w, 80);
  int fd = take_one(&w, "connect");
  const struct caps_stats before = caps_now(&w);
  struct rpc_stats rpc_before, rpc_now;
  rpc_get_stats(&rpc_before);
  struct conn c = bare(&w, fd), d = bare(&w, fd);
  rpc_get_stats(&rpc_now);
  cr_expect_eq(rpc_now.endpoints, rpc_before.endpoints);
  cr_expect_eq(caps_now(&w).caps, before.caps + 2);
  cr_assert_eq(send(c.data, "still", 5, 0), 5);
  world_run(&w, 1000);
  cr_expect_eq(w.peers[0].got, 5);
  drop(&w, c.data);
  world_run(&w, 1000);
  cr_expect(w.peers[0].eof);
  cr_expect_eq(caps_now(&w).caps, before.caps + 1);
  cr_expect_eq(revoke_id(&w, fd, 0), 0);
  world_run(&w, 1000);
  cr_expect_eq(w.peers[1].why, STACK_END_RESET_BY_PEER);
  cr_expect_eq(recv(d.data, (char[1]){0}, 1, MSG_DONTWAIT), 0);
  world_close(&w);
}
