/* SPDX-License-Identifier: BSD-3-Clause
 * One call over an endpoint: matching, errors, deadlines, cancellation, and daemons that break the protocol.
 */
#include "fake_daemon.h"
#include "fd_util.h"
#include "proto/dns.pb-c.h"
#include "proto/ping.pb-c.h"
#include "proto/status.pb-c.h"
#include "proto/tcp.pb-c.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#define M(index) (METHOD_KIND_BASE + (index))

static unsigned fds_before;
static void setup(void) { fds_before = fd_count(); }
static void teardown(void) { cr_assert_eq(fd_count(), fds_before, "%u descriptors, %u before", fd_count(), fds_before); }
TestSuite(libcapnet_call, .init = setup, .fini = teardown, .timeout = 20);

static void finish(struct fake *f, capnet *cap) {
  capnet_close(cap);
  fake_stop(f);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void describe_twice(int fd, void *arg) {
  (void)arg;
  for (int i = 0; i < 2; i++) {
    uint64_t call = fake_request(fd, 0, NULL, NULL);
    Capnet__DescribeReply r = CAPNET__DESCRIBE_REPLY__INIT;
    r.kind = (char *)"ping";
    fake_reply(fd, call, &r, false, NULL, 0);
  }
}

Test(libcapnet_call, describe_is_json) {
  struct fake f;
  capnet *cap = fake_start(&f, describe_twice, NULL);
  for (int i = 0; i < 2; i++) {
    char *json = NULL;
    cr_assert_eq(capnet_describe(cap, 0, &json, NULL), 0);
    cr_assert_str_eq(json, "{\"kind\":\"ping\",\"rights\":[],\"limits\":[],\"chain\":[]}");
    free(json);
  }
  finish(&f, cap);
}

static void deny(int fd, void *arg) {
  fake_error(fd, fake_request(fd, 0, NULL, NULL), *(Capnet__ErrorCode *)arg, "not \033[31m here", "web", "connect");
}

Test(libcapnet_call, errors_are_typed) {
  static const struct {
    Capnet__ErrorCode code;
    int error;
    const char *name;
  } cases[] = {{CODE(DENIED), EACCES, "DENIED"},
               {CODE(REVOKED), EKEYREVOKED, "REVOKED"},
               {CODE(OVER_BUDGET), EDQUOT, "OVER_BUDGET"},
               {CODE(NOT_SUBSET), EDOM, "NOT_SUBSET"}};
  for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
    struct fake f;
    struct capnet_error err;
    char *json = (char *)1;
    capnet *cap = fake_start(&f, deny, (void *)&cases[i].code);
    cr_assert_eq(capnet_describe(cap, 0, &json, &err), -cases[i].error);
    cr_assert_eq(json, (char *)1, "untouched on failure");
    cr_assert_eq(err.error, cases[i].error);
    cr_assert_str_eq(err.code, cases[i].name);
    cr_assert_str_eq(err.grant, "web");
    cr_assert_str_eq(err.rule, "connect");
    finish(&f, cap);
  }
}

static void long_text(int fd, void *arg) {
  (void)arg;
  char text[1000];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = 0;
  fake_error(fd, fake_request(fd, 0, NULL, NULL), (Capnet__ErrorCode)4711, text, text, text);
}

Test(libcapnet_call, long_text_and_unknown_code_are_cut_and_kept) {
  struct fake f;
  struct capnet_error err;
  char *json;
  capnet *cap = fake_start(&f, long_text, NULL);
  cr_assert_eq(capnet_describe(cap, 0, &json, &err), -EIO);
  cr_assert_eq(strlen(err.message), sizeof err.message - 1);
  cr_assert_eq(strlen(err.grant), sizeof err.grant - 1);
  cr_assert_neq(err.code[0], 0);
  finish(&f, cap);
}

static void terminal(int fd, void *arg) {
  (void)arg;
  (void)fake_request(fd, 0, NULL, NULL);
  fake_error(fd, 0, CODE(REVOKED), "revoked by the operator", "web", NULL);
}

Test(libcapnet_call, terminal_is_the_reason_for_good) {
  struct fake f;
  capnet *cap = fake_start(&f, terminal, NULL);
  for (int i = 0; i < 2; i++) {
    struct capnet_error err;
    char *json;
    cr_assert_eq(capnet_describe(cap, 0, &json, &err), -EKEYREVOKED);
    cr_assert_str_eq(err.message, "revoked by the operator");
  }
  finish(&f, cap);
}

static void terminal_unasked(int fd, void *arg) {
  (void)arg;
  fake_error(fd, 0, CODE(SHUTTING_DOWN), "bye", NULL, NULL);
}

Test(libcapnet_call, terminal_is_found_although_sending_fails) {
  struct fake f;
  struct capnet_error err;
  char *json;
  capnet *cap = fake_start(&f, terminal_unasked, NULL);
  fake_stop(&f); /* its end is closed: the request meets EPIPE */
  cr_assert_eq(capnet_describe(cap, 0, &json, &err), -ESHUTDOWN);
  cr_assert_str_eq(err.message, "bye");
  capnet_close(cap);
}

static void terminal_on_its_way(int fd, void *arg) {
  cr_assert_eq(shutdown(fd, SHUT_RD), 0);
  cr_assert_eq(eventfd_write(*(int *)arg, 1), 0);
  (void)usleep(100000); /* the request is refused by the kernel meanwhile */
  fake_error(fd, 0, CODE(REVOKED), "revoked by the operator", NULL, NULL);
}

/* The daemon stops receiving before it says why. */
Test(libcapnet_call, terminal_is_waited_for_when_sending_fails) {
  struct fake f;
  struct capnet_error err;
  char *json;
  eventfd_t n;
  int down = eventfd(0, EFD_CLOEXEC);
  capnet *cap = fake_start(&f, terminal_on_its_way, &down);
  cr_assert_eq(eventfd_read(down, &n), 0);
  for (int i = 0; i < 2; i++)
    cr_assert_eq(capnet_describe(cap, 0, &json, &err), -EKEYREVOKED, "%s", err.code);
  close(down);
  finish(&f, cap);
}

static void hang_up(int fd, void *arg) {
  (void)arg;
  (void)fake_request(fd, 0, NULL, NULL);
}

Test(libcapnet_call, an_end_without_reason_is_gone) {
  struct fake f;
  struct capnet_error err;
  char *json;
  capnet *cap = fake_start(&f, hang_up, NULL);
  cr_assert_eq(capnet_describe(cap, 0, &json, &err), -ECONNRESET);
  cr_assert_str_eq(err.code, "GONE");
  finish(&f, cap);
}

/* --- deadlines and cancellation ----------------------------------------------------------------------------------- */

/* Keeps the first call waiting, sees its CANCEL, answers late and then the second call. */
static void late(int fd, void *arg) {
  (void)arg;
  Capnet__DescribeReply stale = CAPNET__DESCRIBE_REPLY__INIT, fresh = CAPNET__DESCRIBE_REPLY__INIT;
  stale.kind = (char *)"stale";
  fresh.kind = (char *)"fresh";
  uint64_t first = fake_request(fd, 0, NULL, NULL);
  Capnet__Frame *f = fake_frame(fd);
  cr_assert_eq(f->kind, CAPNET__FRAME__KIND__CANCEL);
  cr_assert_eq(f->call, first);
  frame_free(f);
  int extra = open("/dev/null", O_RDONLY | O_CLOEXEC);
  fake_reply(fd, first, &stale, true, &extra, 1);
  fake_error(fd, first, CODE(CANCELLED), NULL, NULL, NULL);
  close(extra);
  fake_reply(fd, fake_request(fd, 0, NULL, NULL), &fresh, false, NULL, 0);
}

Test(libcapnet_call, deadline_then_a_late_reply_is_not_mistaken) {
  struct fake f;
  struct capnet_error err;
  char *json;
  capnet *cap = fake_start(&f, late, NULL);
  cr_assert_eq(capnet_describe(cap, 20, &json, &err), -ETIME);
  cr_assert_str_eq(err.code, "DEADLINE");
  cr_assert_eq(capnet_describe(cap, 0, &json, &err), 0);
  cr_assert_not_null(strstr(json, "fresh"));
  free(json);
  finish(&f, cap);
}

Test(libcapnet_call, stop_descriptor_cancels) {
  struct fake f;
  struct capnet_error err;
  char *json;
  capnet *cap = fake_start(&f, late, NULL);
  int stop = eventfd(1, EFD_CLOEXEC);
  capnet_set_stop_fd(cap, stop);
  cr_assert_eq(capnet_describe(cap, 0, &json, &err), -ECANCELED);
  cr_assert_str_eq(err.code, "CANCELLED");
  capnet_set_stop_fd(cap, -1);
  cr_assert_eq(capnet_describe(cap, 0, &json, &err), 0);
  free(json);
  close(stop);
  finish(&f, cap);
}

static void deadline_is_sent(int fd, void *arg) {
  Capnet__Frame *f = fake_frame(fd);
  *(uint64_t *)arg = f->has_deadline_ms ? f->deadline_ms : 0;
  fake_error(fd, f->call, CODE(DEADLINE), "too late", NULL, NULL);
  frame_free(f);
}

Test(libcapnet_call, the_daemon_is_told_the_deadline) {
  struct fake f;
  uint64_t seen = 0;
  char *json;
  capnet *cap = fake_start(&f, deadline_is_sent, &seen);
  cr_assert_eq(capnet_describe(cap, 12345, &json, NULL), -ETIME);
  finish(&f, cap);
  cr_assert_eq(seen, 12345);
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

static void echo(int fd, void *arg) {
  ProtobufCMessage *body;
  uint64_t call = fake_request(fd, M(0), &capnet__ping_echo_request__descriptor, &body);
  Capnet__PingEchoRequest *q = (Capnet__PingEchoRequest *)body;
  cr_assert_str_eq(q->target, "10.0.2.2");
  cr_assert(q->has_payload && q->payload == 0);
  cr_assert(!q->has_ttl);
  for (uint32_t i = 1; i <= q->count; i++) {
    Capnet__PingEchoEvent e = CAPNET__PING_ECHO_EVENT__INIT;
    e.has_kind = e.has_seq = e.has_rtt_ns = 1;
    e.kind = CAPNET__PING_ECHO_EVENT__KIND__REPLY;
    e.seq = i;
    e.rtt_ns = 1000 * i;
    e.from = (char *)"10.0.2.2";
    fake_reply(fd, call, &e, i < q->count, NULL, 0);
  }
  body_free(body);
  Capnet__Frame *f = fake_frame(fd);
  *(bool *)arg = f && f->kind == CAPNET__FRAME__KIND__CANCEL && f->call == call;
  frame_free(f);
}

static int count_up_to(const struct capnet_ping_event *e, void *user) {
  uint32_t *seen = user;
  cr_assert_eq(e->seq, seen[0] + 1);
  cr_assert_eq(e->rtt_ns, 1000 * e->seq);
  return ++seen[0] == seen[1] ? 77 : 0;
}

Test(libcapnet_call, ping_streams_and_stops) {
  struct capnet_ping_params params = {.count = 5, .flags = CAPNET_PING_PAYLOAD_SET};
  struct fake f;
  bool cancelled;
  uint32_t all[2] = {0, 99}, some[2] = {0, 3};
  capnet *cap = fake_start(&f, echo, &cancelled);
  cr_assert_eq(capnet_ping(cap, "10.0.2.2", &params, 0, count_up_to, all, NULL), 0);
  finish(&f, cap);
  cr_assert_eq(all[0], 5);
  cr_assert(!cancelled);
  cap = fake_start(&f, echo, &cancelled);
  cr_assert_eq(capnet_ping(cap, "10.0.2.2", &params, 0, count_up_to, some, NULL), 77);
  finish(&f, cap);
  cr_assert_eq(some[0], 3);
  cr_assert(cancelled);
}

static int stop_at_three(const struct capnet_ping_event *e, void *user) {
  uint64_t one = 1;
  if (e->seq == 3)
    cr_assert_eq(write(*(int *)user, &one, sizeof one), (ssize_t)sizeof one);
  cr_assert_leq(e->seq, 3, "events that are ready do not outrun the wish to stop");
  return 0;
}

Test(libcapnet_call, stop_goes_before_what_is_ready) {
  struct capnet_ping_params params = {.count = 5, .flags = CAPNET_PING_PAYLOAD_SET};
  struct fake f;
  bool cancelled;
  int stop = eventfd(0, EFD_CLOEXEC);
  capnet *cap = fake_start(&f, echo, &cancelled);
  capnet_set_stop_fd(cap, stop);
  cr_assert_eq(capnet_ping(cap, "10.0.2.2", &params, 0, stop_at_three, &stop, NULL), -ECANCELED);
  finish(&f, cap);
  cr_assert(cancelled);
  close(stop);
}

static void pages(int fd, void *arg) {
  (void)arg;
  uint64_t call = fake_request(fd, M(0), NULL, NULL);
  for (int i = 0; i < 2; i++) {
    Capnet__StatusPage page = CAPNET__STATUS_PAGE__INIT;
    Capnet__StatusSocket s = CAPNET__STATUS_SOCKET__INIT, *sockets[] = {&s};
    Capnet__TcpOptions o = CAPNET__TCP_OPTIONS__INIT;
    o.has_nodelay = o.nodelay = 1;
    s.has_id = 1;
    s.id = i ? UINT64_MAX : 0;
    s.state = (char *)"ESTAB\xff";
    s.options = i ? &o : NULL;
    page.n_sockets = 1;
    page.sockets = sockets;
    fake_reply(fd, call, &page, i == 0, NULL, 0);
  }
}

Test(libcapnet_call, status_pages_become_one_object) {
  struct fake f;
  char *json;
  const char *sections[] = {"sockets", "routes"};
  capnet *cap = fake_start(&f, pages, NULL);
  cr_assert_eq(capnet_status_get(cap, sections, 2, 0, &json, NULL), 0);
  cr_assert_str_eq(json, "{\"routes\":[],\"sockets\":[{\"id\":0,\"state\":\"ESTAB\xef\xbf\xbd\"},"
                         "{\"id\":9223372036854775807,\"state\":\"ESTAB\xef\xbf\xbd\",\"options\":{\"nodelay\":true}}]}");
  free(json);
  finish(&f, cap);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static void answer(int fd, void *arg) {
  (void)arg;
  ProtobufCMessage *body;
  uint64_t call = fake_request(fd, M(0), &capnet__dns_resolve_request__descriptor, &body);
  cr_assert_eq(((Capnet__DnsResolveRequest *)body)->n_types, 2);
  cr_assert(!((Capnet__DnsResolveRequest *)body)->no_search);
  cr_assert(!((Capnet__DnsResolveRequest *)body)->has_timeout_ms, "over dns.time it would be denied");
  body_free(body);
  Capnet__DnsResolveReply reply = CAPNET__DNS_RESOLVE_REPLY__INIT;
  Capnet__DnsAnswer a = CAPNET__DNS_ANSWER__INIT, aaaa = CAPNET__DNS_ANSWER__INIT, *answers[] = {&a, &aaaa};
  Capnet__DnsAddress addr = CAPNET__DNS_ADDRESS__INIT, *addrs[] = {&addr};
  Capnet__Error e = CAPNET__ERROR__INIT;
  char *aliases[] = {(char *)"www.example.test"};
  addr.address = (char *)"192.0.2.1";
  addr.has_ttl = 1;
  addr.ttl = 60;
  a.has_type = aaaa.has_type = 1;
  a.type = CAPNET__DNS_TYPE__DNS_TYPE_A;
  a.n_addresses = 1;
  a.addresses = addrs;
  aaaa.type = CAPNET__DNS_TYPE__DNS_TYPE_AAAA;
  e.has_code = 1;
  e.code = CODE(NO_DATA);
  aaaa.error = &e;
  reply.name = (char *)"example.test";
  reply.n_aliases = 1;
  reply.aliases = aliases;
  reply.n_answers = 2;
  reply.answers = answers;
  fake_reply(fd, call, &reply, false, NULL, 0);
}

Test(libcapnet_call, resolve) {
  struct fake f;
  struct capnet_dns_result *r;
  capnet *cap = fake_start(&f, answer, NULL);
  cr_assert_eq(capnet_resolve(cap, "www", CAPNET_DNS_A | CAPNET_DNS_AAAA, 0, 30000, &r, NULL), 0);
  cr_assert_str_eq(r->name, "example.test");
  cr_assert_str_eq(r->aliases[0], "www.example.test");
  cr_assert_eq(r->n_answers, 2);
  cr_assert_str_eq(r->answers[0].addresses[0].address, "192.0.2.1");
  cr_assert_eq(r->answers[0].addresses[0].ttl, 60);
  cr_assert_eq(r->answers[0].error.error, 0);
  cr_assert_str_eq(r->answers[1].error.code, "NO_DATA");
  capnet_dns_result_free(r);
  cr_assert_eq(capnet_resolve(cap, "www", 0, 0, 0, &r, NULL), -EINVAL);
  cr_assert_eq(capnet_resolve(cap, "www", 4, 0, 0, &r, NULL), -EINVAL);
  finish(&f, cap);
}

/* --- hostile daemons ---------------------------------------------------------------------------------------------- */

enum lie { GARBAGE, WRONG_CALL, CLIENT_KIND, BAD_BODY, NO_SLOT, SLOT_TOO_FAR, SLOT_NOT_UNIX, MORE, TOO_MANY, TOO_LONG };

static void lie(int fd, void *arg) {
  enum lie how = *(enum lie *)arg;
  uint64_t call = fake_request(fd, 1, NULL, NULL);
  Capnet__AttenuateReply reply = CAPNET__ATTENUATE_REPLY__INIT;
  Capnet__Descriptor d = CAPNET__DESCRIPTOR__INIT;
  Capnet__Frame f = CAPNET__FRAME__INIT;
  static const uint8_t garbage[FRAME_MAX + 2] = {0xff, 0xff, 0xff};
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC), many[FRAME_FDS_MAX + 1];
  for (size_t i = 0; i < ARRAY_SIZE(many); i++)
    many[i] = null;
  d.has_slot = 1;
  d.slot = how == SLOT_TOO_FAR ? 1 : 0;
  reply.endpoint = how == NO_SLOT ? NULL : &d;
  f.kind = CAPNET__FRAME__KIND__REPLY;
  f.has_call = 1;
  f.call = call;
  switch (how) {
  case GARBAGE: cr_assert_eq(send(fd, garbage, 3, 0), 3); break;
  case TOO_LONG: cr_assert_eq(send(fd, garbage, sizeof garbage, 0), (ssize_t)sizeof garbage); break;
  case WRONG_CALL: fake_reply(fd, call + 1, &reply, false, &null, 1); break;
  case CLIENT_KIND:
    f.kind = CAPNET__FRAME__KIND__REQUEST;
    fake_send(fd, &f, &reply, &null, 1);
    break;
  case BAD_BODY:
    f.has_body = 1;
    f.body = (ProtobufCBinaryData){3, (uint8_t *)garbage};
    fake_send(fd, &f, NULL, &null, 1);
    break;
  case TOO_MANY: fake_reply(fd, call, &reply, false, many, ARRAY_SIZE(many)); break;
  case MORE: fake_reply(fd, call, &reply, true, &null, 1); break;
  case NO_SLOT:
  case SLOT_TOO_FAR:
  case SLOT_NOT_UNIX: fake_reply(fd, call, &reply, false, &null, 1); break;
  }
  close(null);
  Capnet__Frame *rest;
  while ((rest = fake_frame(fd)))
    frame_free(rest);
}

Test(libcapnet_call, a_broken_daemon_ends_in_protocol_and_leaks_nothing) {
  for (enum lie how = GARBAGE; how <= TOO_LONG; how++) {
    struct fake f;
    struct capnet_error err;
    struct capnet_narrow narrow = {0};
    capnet *child = NULL, *cap = fake_start(&f, lie, &how);
    uint64_t id;
    cr_assert_eq(capnet_attenuate(cap, &narrow, 0, &child, &id, &err), -EPROTO, "lie %d", how);
    cr_assert_str_eq(err.code, "PROTOCOL");
    cr_assert_null(child);
    cr_assert_eq(capnet_revoke(cap, 0, 0, &err), -EPROTO, "unusable from then on");
    finish(&f, cap);
    cr_assert_eq(fd_count(), fds_before, "lie %d leaks", how);
  }
}

static void flood_of_stale(int fd, void *arg) {
  (void)arg;
  uint64_t call = fake_request(fd, 0, NULL, NULL);
  Capnet__DescribeReply r = CAPNET__DESCRIBE_REPLY__INIT;
  Capnet__Frame *f = fake_frame(fd); /* CANCEL */
  frame_free(f);
  uint64_t second = fake_request(fd, 0, NULL, NULL);
  for (int i = 0; i < 500; i++)
    fake_reply(fd, call, &r, true, NULL, 0);
  fake_reply(fd, second, &r, false, NULL, 0);
}

Test(libcapnet_call, stale_replies_in_any_number) {
  struct fake f;
  char *json;
  capnet *cap = fake_start(&f, flood_of_stale, NULL);
  cr_assert_eq(capnet_describe(cap, 10, &json, NULL), -ETIME);
  cr_assert_eq(capnet_describe(cap, 0, &json, NULL), 0);
  free(json);
  finish(&f, cap);
}

/* --- fork, adoption ----------------------------------------------------------------------------------------------- */

Test(libcapnet_call, a_child_is_refused_before_a_byte_is_sent) {
  int pair[2];
  capnet *cap;
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  cr_assert_eq(capnet_adopt(pair[1], &cap, NULL), 0);
  pid_t pid = fork();
  if (pid == 0) {
    struct capnet_error err;
    char *json;
    int r = capnet_describe(cap, 0, &json, &err);
    _exit(r == -EOWNERDEAD && strcmp(err.code, "FORKED") == 0 ? 0 : 1);
  }
  int status;
  waitpid(pid, &status, 0);
  cr_assert_eq(status, 0);
  struct pollfd p = {.fd = pair[0], .events = POLLIN};
  cr_assert_eq(poll(&p, 1, 0), 0);
  capnet_close(cap);
  close(pair[0]);
}

Test(libcapnet_call, only_a_seqpacket_unix_socket_is_adopted) {
  int pair[2];
  capnet *cap = NULL;
  struct capnet_error err;
  cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  cr_assert_eq(capnet_adopt(pair[0], &cap, &err), -EBADF);
  cr_assert_eq(capnet_adopt(-1, &cap, &err), -EBADF);
  cr_assert_str_eq(err.code, "ARGUMENT");
  cr_assert_null(cap);
  cr_assert_eq(fcntl(pair[0], F_GETFD), FD_CLOEXEC, "still the caller's");
  close(pair[0]);
  close(pair[1]);
}
