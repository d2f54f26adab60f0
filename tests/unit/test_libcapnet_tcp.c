/* SPDX-License-Identifier: BSD-3-Clause
 * TCP: connections out of replies and channels, and why the bytes ended.
 */
#include "fake_daemon.h"
#include "fd_util.h"
#include "proto/tcp.pb-c.h"

#include <fcntl.h>

#define M(index) (METHOD_KIND_BASE + (index))

static unsigned fds_before;
static void setup(void) { fds_before = fd_count(); }
static void teardown(void) { cr_assert_eq(fd_count(), fds_before); }
TestSuite(libcapnet_tcp, .init = setup, .fini = teardown, .timeout = 20);

/* What the daemon does with the connection that it gives. */
struct plan {
  Capnet__TcpEnd end;
  const char *bytes;
  bool no_control, no_data;
  bool drop_control; /* closes it without a reason */
  bool keep_unread;  /* leaves the client's bytes unread: the kernel says ECONNRESET */
  int seen_options;
  int seen_control; /* -1: not said */
};

/* data[0], control[0] are the client's. */
static void give(int fd, uint64_t call, const struct plan *p, int data[2], int control[2]) {
  Capnet__TcpConnection c = CAPNET__TCP_CONNECTION__INIT;
  Capnet__TcpEndpoint remote = CAPNET__TCP_ENDPOINT__INIT;
  Capnet__Descriptor first = CAPNET__DESCRIPTOR__INIT, second = CAPNET__DESCRIPTOR__INIT;
  cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data), 0);
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
  /* Slots in the other order than the fields. */
  int fds[2] = {control[0], data[0]};
  first.has_slot = second.has_slot = 1;
  first.slot = 1;
  c.data = p->no_data ? NULL : &first;
  c.control = p->no_control ? NULL : &second;
  remote.address = (char *)"10.0.0.1";
  remote.has_port = 1;
  remote.port = 80;
  c.remote = &remote;
  c.has_id = 1;
  c.id = 7;
  fake_reply(fd, call, &c, false, fds, 2);
  close(data[0]);
  close(control[0]);
}

static void play(const struct plan *p, int data, int control) {
  if (p->keep_unread) {
    struct pollfd w = {.fd = data, .events = POLLIN};
    cr_assert_eq(poll(&w, 1, -1), 1);
  }
  if (p->bytes)
    cr_assert_eq(send(data, p->bytes, strlen(p->bytes), MSG_NOSIGNAL), (ssize_t)strlen(p->bytes));
  close(data);
  if (!p->drop_control) {
    Capnet__Frame *f;
    while ((f = fake_frame(control))) {
      Capnet__TcpStatusReply reply = CAPNET__TCP_STATUS_REPLY__INIT;
      reply.has_end = 1;
      reply.end = p->end;
      if (f->kind == CAPNET__FRAME__KIND__REQUEST)
        fake_reply(control, f->call, &reply, false, NULL, 0);
      frame_free(f);
    }
  }
  close(control);
}

static void connect_script(int fd, void *arg) {
  struct plan *p = arg;
  ProtobufCMessage *body;
  uint64_t call = fake_request(fd, M(0), &capnet__tcp_connect_request__descriptor, &body);
  Capnet__TcpConnectRequest *q = (Capnet__TcpConnectRequest *)body;
  p->seen_options = q->options ? (q->options->has_nodelay ? 1 : 0) | (q->options->has_user_timeout_ms ? 2 : 0) : -1;
  if (q->options && q->options->congestion)
    p->seen_options |= strcmp(q->options->congestion, "reno") == 0 ? 4 : 8;
  p->seen_control = q->has_control ? q->control : -1;
  body_free(body);
  int data[2], control[2];
  give(fd, call, p, data, control);
  play(p, data[1], control[1]);
}

static int connect_with(struct fake *f, struct plan *p, struct capnet_tcp *tcp, capnet **cap) {
  struct capnet_tcp_options o = {.set = CAPNET_TCP_NODELAY, .nodelay = 1, .user_timeout_ms = 5};
  *cap = fake_start(f, connect_script, p);
  return capnet_tcp_connect(*cap, "10.0.0.1", 80, &o, 0, tcp, NULL);
}

Test(libcapnet_tcp, the_end_tells_its_reason) {
  static const struct {
    Capnet__TcpEnd end;
    int result;
    const char *code;
  } cases[] = {{CAPNET__TCP_END__TCP_END_NONE, 0, NULL},
               {CAPNET__TCP_END__TCP_END_CLOSED, 0, NULL},
               {CAPNET__TCP_END__TCP_END_RESET_BY_PEER, -ECONNRESET, "RESET"},
               {CAPNET__TCP_END__TCP_END_RESET_LOCAL, -ECONNRESET, "RESET"},
               {CAPNET__TCP_END__TCP_END_TIMED_OUT, -ETIMEDOUT, "TIMED_OUT"},
               {CAPNET__TCP_END__TCP_END_UNREACHABLE, -EHOSTUNREACH, "UNREACHABLE"},
               {CAPNET__TCP_END__TCP_END_REVOKED, -EKEYREVOKED, "REVOKED"},
               {CAPNET__TCP_END__TCP_END_ADDRESS_LOST, -ENETRESET, "ADDRESS_LOST"},
               {CAPNET__TCP_END__TCP_END_LIMIT, -ENOBUFS, "LIMIT"},
               {(Capnet__TcpEnd)99, -EIO, "UNSPECIFIED"}};
  for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
    struct fake f;
    struct plan p = {.end = cases[i].end, .bytes = "hello"};
    struct capnet_tcp tcp;
    struct capnet_error err;
    capnet *cap;
    char buf[16];
    cr_assert_eq(connect_with(&f, &p, &tcp, &cap), 0);
    cr_assert_str_eq(tcp.remote.address, "10.0.0.1");
    cr_assert_eq(tcp.remote.port, 80);
    cr_assert_eq(tcp.id, 7);
    cr_assert_eq(p.seen_options, 1, "only what is in set");
    cr_assert_eq(capnet_tcp_read(&tcp, buf, sizeof buf, 0, &err), 5);
    cr_assert_eq(capnet_tcp_read(&tcp, buf, sizeof buf, 0, &err), cases[i].result, "end %d", cases[i].end);
    if (cases[i].code)
      cr_assert_str_eq(err.code, cases[i].code);
    capnet_tcp_close(&tcp);
    cr_assert_eq(tcp.fd, -1);
    capnet_close(cap);
    fake_stop(&f);
  }
}

/* A name is sent as it is, and only when its bit is set; one from an odd daemon is cut out, not cut off. */
static void options_script(int fd, void *arg) {
  for (unsigned i = 0; i < 2; i++) {
    ProtobufCMessage *body;
    uint64_t call = fake_request(fd, M(1), &capnet__tcp_set_options_request__descriptor, &body);
    Capnet__TcpSetOptionsRequest *q = (Capnet__TcpSetOptionsRequest *)body;
    *(int *)arg += q->options->congestion && strcmp(q->options->congestion, "reno") == 0;
    Capnet__TcpSetOptionsReply reply = CAPNET__TCP_SET_OPTIONS_REPLY__INIT;
    Capnet__TcpOptions o = CAPNET__TCP_OPTIONS__INIT;
    o.congestion = (char *)(i ? "a-controller-with-a-long-name" : "reno");
    reply.options = &o;
    fake_reply(fd, call, &reply, false, NULL, 0);
    body_free(body);
  }
}

Test(libcapnet_tcp, a_congestion_controller_by_name) {
  struct fake f;
  int seen = 0;
  struct capnet_tcp_options o = {.set = CAPNET_TCP_CONGESTION, .congestion = "reno"}, got;
  capnet *cap = fake_start(&f, options_script, &seen);
  cr_assert_eq(capnet_tcp_set_options(cap, &o, 0, &got, NULL), 0);
  cr_expect_eq(got.set, CAPNET_TCP_CONGESTION);
  cr_expect_str_eq(got.congestion, "reno");
  o.set = 0;
  cr_assert_eq(capnet_tcp_set_options(cap, &o, 0, &got, NULL), 0);
  cr_expect_eq(got.set, 0);
  cr_expect_str_eq(got.congestion, "");
  capnet_close(cap);
  fake_stop(&f);
  cr_expect_eq(seen, 1);
}

Test(libcapnet_tcp, a_control_that_is_gone_is_no_good_end) {
  struct fake f;
  struct plan p = {.drop_control = true};
  struct capnet_tcp tcp;
  struct capnet_error err;
  capnet *cap;
  char c;
  cr_assert_eq(connect_with(&f, &p, &tcp, &cap), 0);
  fake_stop(&f);
  cr_assert_eq(capnet_tcp_read(&tcp, &c, 1, 0, &err), -ECONNRESET);
  cr_assert_str_eq(err.code, "GONE");
  capnet_tcp_close(&tcp);
  capnet_close(cap);
}

Test(libcapnet_tcp, without_a_control_the_end_is_the_end) {
  struct fake f;
  struct plan p = {.no_control = true, .drop_control = true};
  struct capnet_tcp tcp;
  capnet *cap;
  char c;
  cr_assert_eq(connect_with(&f, &p, &tcp, &cap), 0);
  fake_stop(&f);
  cr_assert_null(tcp.control);
  cr_assert_eq(capnet_tcp_read(&tcp, &c, 1, 0, NULL), 0);
  capnet_tcp_close(&tcp);
  capnet_close(cap);
}

/* An older daemon does not know the wish, and gives one: it is closed, and the daemon hears of it. */
Test(libcapnet_tcp, a_control_that_is_not_wanted_is_not_kept) {
  for (int wanted = 0; wanted <= 1; wanted++) {
    struct fake f;
    struct plan p = {0};
    struct capnet_tcp tcp;
    const struct capnet_tcp_options o = {.set = wanted ? 0 : CAPNET_TCP_NO_CONTROL};
    capnet *cap = fake_start(&f, connect_script, &p);
    cr_assert_eq(capnet_tcp_connect(cap, "10.0.0.1", 80, &o, 0, &tcp, NULL), 0);
    cr_expect_eq(p.seen_control, wanted ? -1 : 0);
    cr_expect_eq(tcp.control != NULL, wanted);
    capnet_tcp_close(&tcp);
    capnet_close(cap);
    fake_stop(&f);
  }
}

Test(libcapnet_tcp, writing_to_what_is_over_tells_the_reason) {
  struct fake f;
  struct plan p = {.keep_unread = true, .end = CAPNET__TCP_END__TCP_END_TIMED_OUT};
  struct capnet_tcp tcp;
  struct capnet_error err;
  capnet *cap;
  int r = 0;
  char c;
  cr_assert_eq(connect_with(&f, &p, &tcp, &cap), 0);
  for (int i = 0; i < 1000 && r == 0; i++)
    r = capnet_tcp_write(&tcp, "x", 1, 0, &err);
  cr_assert_eq(r, -ETIMEDOUT);
  cr_assert_eq(capnet_tcp_read(&tcp, &c, 1, 0, &err), -ETIMEDOUT);
  capnet_tcp_close(&tcp);
  capnet_close(cap);
  fake_stop(&f);
}

Test(libcapnet_tcp, a_connection_without_data_is_a_broken_daemon) {
  struct fake f;
  struct plan p = {.no_data = true, .drop_control = true};
  struct capnet_tcp tcp = {.fd = -42};
  capnet *cap;
  cr_assert_eq(connect_with(&f, &p, &tcp, &cap), -EPROTO);
  cr_assert_eq(tcp.fd, -42);
  capnet_close(cap);
  fake_stop(&f);
}

Test(libcapnet_tcp, read_times_out_locally) {
  struct capnet_tcp tcp = {0};
  struct capnet_error err;
  int pair[2];
  char c;
  cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  tcp.fd = pair[0];
  cr_assert_eq(capnet_tcp_read(&tcp, &c, 1, 10, &err), -ETIME);
  cr_assert_str_eq(err.code, "DEADLINE");
  capnet_tcp_close(&tcp);
  close(pair[1]);
}

/* --- listeners ---------------------------------------------------------------------------------------------------- */

static void channel_script(int fd, void *arg) {
  struct plan *p = arg;
  uint64_t call = fake_request(fd, M(1), NULL, NULL);
  Capnet__TcpAcceptChannelReply reply = CAPNET__TCP_ACCEPT_CHANNEL_REPLY__INIT;
  Capnet__Descriptor d = CAPNET__DESCRIPTOR__INIT;
  int channel[2], data[2], control[2];
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel), 0);
  d.has_slot = 1;
  reply.channel = &d;
  fake_reply(fd, call, &reply, false, channel, 1);
  close(channel[0]);
  for (uint64_t i = 1; i <= 2; i++) {
    give(channel[1], i, p, data, control);
    close(data[1]);
    close(control[1]);
  }
  fake_error(channel[1], 0, CODE(ADDRESS_LOST), NULL, NULL, NULL);
  close(channel[1]);
}

Test(libcapnet_tcp, an_accept_channel_gives_connections_then_its_reason) {
  struct fake f;
  struct plan p = {0};
  struct capnet_error err;
  struct capnet_tcp tcp;
  capnet *listener = fake_start(&f, channel_script, &p), *channel;
  cr_assert_eq(capnet_tcp_accept_channel(listener, 0, &channel, &err), 0);
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(capnet_tcp_channel_accept(channel, 0, &tcp, &err), 0, "%s", err.message);
    cr_assert_eq(tcp.id, 7);
    capnet_tcp_close(&tcp);
  }
  cr_assert_eq(capnet_tcp_channel_accept(channel, 0, &tcp, &err), -ENETRESET);
  cr_assert_str_eq(err.code, "ADDRESS_LOST");
  capnet_close(channel);
  capnet_close(listener);
  fake_stop(&f);
}

static void listen_script(int fd, void *arg) {
  (void)arg;
  ProtobufCMessage *body;
  uint64_t call = fake_request(fd, M(0), &capnet__tcp_listen_request__descriptor, &body);
  Capnet__TcpListenRequest *q = (Capnet__TcpListenRequest *)body;
  cr_assert_null(q->address);
  cr_assert(!q->has_backlog && q->has_port && q->port == 0);
  body_free(body);
  Capnet__TcpListenReply reply = CAPNET__TCP_LISTEN_REPLY__INIT;
  Capnet__TcpEndpoint local = CAPNET__TCP_ENDPOINT__INIT;
  Capnet__Descriptor d = CAPNET__DESCRIPTOR__INIT;
  int pair[2];
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  d.has_slot = 1;
  local.address = (char *)"10.0.2.15";
  local.has_port = 1;
  local.port = 4000;
  reply.listener = &d;
  reply.local = &local;
  fake_reply(fd, call, &reply, false, pair, 1);
  close(pair[0]);
  close(pair[1]);
}

Test(libcapnet_tcp, listen) {
  struct fake f;
  struct capnet_addr local;
  capnet *cap = fake_start(&f, listen_script, NULL), *listener;
  cr_assert_eq(capnet_tcp_listen(cap, NULL, 0, 0, 0, &listener, &local, NULL), 0);
  cr_assert_str_eq(local.address, "10.0.2.15");
  cr_assert_eq(local.port, 4000);
  capnet_close(listener);
  capnet_close(cap);
  fake_stop(&f);
}
