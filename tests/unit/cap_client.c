/* SPDX-License-Identifier: BSD-3-Clause
 * See cap_client.h.
 */
#include "cap_client.h"

/* --- the world ---------------------------------------------------------------------------------------------------- */

struct cap_bundle *world_tuned_bundle(struct world *w, const char *name, const struct item_spec *items, size_t n,
                                      const char *congestion) {
  struct cap_bundle_item list[16];
  uint64_t limits[16][AUTH_LIMIT_COUNT];
  struct cap_bundle *b = NULL;
  struct auth_refusal why = {0};
  cr_assert_leq(n, ARRAY_SIZE(list));
  for (size_t i = 0; i < n; i++) {
    struct auth_rights *rights = NULL;
    char err[160];
    size_t k = 0;
    while (k < ARRAY_SIZE(items[i].rules) && items[i].rules[k])
      k++;
    if (k)
      cr_assert_eq(auth_rights_parse(items[i].kind, items[i].rules, k, &rights, err), 0, "%s", err);
    for (int l = 0; l < AUTH_LIMIT_COUNT; l++)
      limits[i][l] = AUTH_LIMIT_INHERIT;
    for (k = 0; k < ARRAY_SIZE(items[i].limits) && items[i].limits[k].max; k++)
      limits[i][items[i].limits[k].limit] = items[i].limits[k].max;
    list[i] = (struct cap_bundle_item){.name = items[i].name,
                                       .kind = items[i].kind,
                                       .rights = rights,
                                       .limits = limits[i],
                                       .congestion = congestion};
    if (items[i].expires_ms)
      list[i].expires_ns = loop_now(w->n.loop, CLOCK_ID_BOOT) + items[i].expires_ms * NSEC_PER_MSEC;
  }
  cr_assert_eq(cap_bundle_new(w->caps, name, "for tests", NULL, list, n, &b, &why), 0, "%s", why.text);
  for (size_t i = 0; i < n; i++)
    free((void *)list[i].rights);
  return b;
}

struct cap_bundle *world_bundle(struct world *w, const char *name, const struct item_spec *items, size_t n) {
  return world_tuned_bundle(w, name, items, n, NULL);
}

void world_open_bare(struct world *w, const struct item_spec *items, size_t n) {
  memset(w, 0, sizeof *w);
  w->fds_before = fd_count();
  net_open(&w->n, NULL);
  stack_if_clear_ipv4(w->n.a);
  stack_if_clear_ipv4(w->n.b);
  cr_assert_eq(names_new(w->n.loop, w->n.s, &w->names), 0);
  cr_assert_eq(flow_table_new(w->n.loop, w->n.s, &w->flows), 0);
  cap_status_room_init(&w->status);
  void *const rooms[AUTH_KIND_COUNT] = {[AUTH_MANAGER] = &w->interfaces,
                                        [AUTH_STATUS] = &w->status,
                                        [AUTH_TCP_CONNECT] = w->flows,
                                        [AUTH_TCP_LISTEN] = w->flows,
                                        [AUTH_TCP_LISTENER] = w->flows,
                                        [AUTH_TCP_SOCKET] = w->flows,
                                        [AUTH_DNS] = w->names,
                                        [AUTH_PING] = w->n.s};
  cr_assert_eq(caps_new(w->n.loop, rooms, &w->caps), 0);
  w->status.stack = w->n.s;
  w->status.flows = w->flows;
  w->status.names = w->names;
  w->status.interfaces = &w->interfaces;
  w->status.caps = w->caps;
  w->status.started_ns = loop_now(w->n.loop, CLOCK_ID_BOOT);
  w->n_items = n;
  w->bundle = world_bundle(w, "web", items, n);
  world_run(w, 1000);
}

void world_open(struct world *w, const struct item_spec *items, size_t n) {
  world_open_bare(w, items, n);
  cr_assert_eq(stack_if_set_ipv4(w->n.a, &w->n.addr_a, 24, NULL), 0);
  cr_assert_eq(stack_if_set_ipv4(w->n.b, &w->n.addr_b, 24, NULL), 0);
  world_run(w, 5000);
}

void world_run(struct world *w, uint64_t ms) { cr_assert_eq(loop_sim_advance(w->n.loop, ms * NSEC_PER_MSEC), 0); }

struct caps_stats caps_now(struct world *w) {
  struct caps_stats s;
  caps_get_stats(w->caps, &s);
  return s;
}

void world_close(struct world *w) {
  while (w->n_owned)
    fd_close(w->owned[--w->n_owned]);
  world_run(w, 1000);
  for (unsigned i = 0; i < w->n_peers; i++)
    end_close(&w->peers[i]);
  world_run(w, 300000);
  struct rpc_stats rpc;
  rpc_get_stats(&rpc);
  cr_expect_eq(rpc.endpoints, 0, "%lu", (unsigned long)rpc.endpoints);
  cr_expect_eq(rpc.calls, 0, "%lu", (unsigned long)rpc.calls);
  cr_expect_eq(caps_now(w).caps, 0, "%lu", (unsigned long)caps_now(w).caps);
  if (w->bundle)
    cr_expect_eq(caps_now(w).nodes, 1 + w->n_items, "%lu", (unsigned long)caps_now(w).nodes);
  struct flow_stats fs;
  flow_get_stats(w->flows, &fs);
  cr_expect_eq(fs.live + fs.listeners + fs.attempts, 0, "%lu %lu %lu", (unsigned long)fs.live, (unsigned long)fs.listeners,
               (unsigned long)fs.attempts);
  w->bundle = cap_bundle_revoke(w->bundle);
  world_run(w, 0);
  cr_expect_eq(caps_now(w).nodes, 0);
  w->caps = caps_free(w->caps);
  w->listener = stack_listener_close(w->listener);
  w->flows = flow_table_free(w->flows);
  w->names = names_free(w->names);
  world_run(w, 600000);
  struct stack_stats st = stats_of(&w->n);
  cr_expect_eq(st.asserts, 0);
  cr_expect_eq(st.tcp_active + st.tcp_listening + st.udp, 0);
  cr_expect_eq(st.pbuf_bytes, 0);
  net_close(&w->n);
  cr_expect_eq(fd_count(), w->fds_before);
}

static void on_acceptable(void *arg) {
  struct world *w = arg;
  struct stack_conn *c;
  while (stack_listener_accept(w->listener, NULL, NULL, &c) == 0) {
    cr_assert_lt(w->n_peers, PEERS_MAX);
    struct end *e = &w->peers[w->n_peers++];
    *e = (struct end){.n = &w->n, .c = c};
    stack_conn_set_ops(c, &end_ops, e);
  }
}

void world_serve(struct world *w, uint16_t port) {
  static const struct stack_listener_ops ops = {.acceptable = on_acceptable};
  struct net_endpoint at = ep(w->n.addr_b, port);
  cr_assert_eq(stack_tcp_listen(w->n.s, &at, BACKLOG(255), &ops, w, &w->listener), 0);
}

uint64_t world_frames(struct world *w) {
  struct stack_if_info info;
  stack_if_info(w->n.b, &info);
  return info.nic.rx_frames;
}

int own(struct world *w, int fd) {
  cr_assert_geq(fd, 0);
  cr_assert_lt(w->n_owned, ARRAY_SIZE(w->owned));
  w->owned[w->n_owned++] = fd;
  return fd;
}

void drop(struct world *w, int fd) {
  for (size_t i = 0; i < w->n_owned; i++)
    if (w->owned[i] == fd) {
      fd_close(fd);
      w->owned[i] = w->owned[--w->n_owned];
      return;
    }
  cr_assert(false, "descriptor %d is not the world's", fd);
}

/* --- the client --------------------------------------------------------------------------------------------------- */

void answer_free(struct answer *a) {
  body_free(a->body);
  frame_free(a->frame);
  *a = (struct answer){0};
}

static void send_one(int fd, const Capnet__Frame *f, const ProtobufCMessage *body) {
  _cleanup_free_ uint8_t *data = NULL;
  size_t len = 0;
  cr_assert_eq(frame_encode(f, body, &data, &len), 0);
  int r = frame_send(fd, data, len, NULL, 0, 1);
  cr_assert_eq(r, 0, "%s", strerror(-r));
}

uint64_t ask_until(int fd, uint32_t method, const ProtobufCMessage *body, uint64_t deadline_ms) {
  static uint64_t last;
  Capnet__Frame f = CAPNET__FRAME__INIT;
  f.has_kind = f.has_call = f.has_method = 1;
  f.kind = CAPNET__FRAME__KIND__REQUEST;
  f.call = ++last;
  f.method = method;
  f.has_deadline_ms = deadline_ms != 0;
  f.deadline_ms = deadline_ms;
  send_one(fd, &f, body);
  return f.call;
}

uint64_t ask(int fd, uint32_t method, const ProtobufCMessage *body) { return ask_until(fd, method, body, 0); }

void cancel(int fd, uint64_t id) {
  Capnet__Frame f = CAPNET__FRAME__INIT;
  f.has_kind = f.has_call = 1;
  f.kind = CAPNET__FRAME__KIND__CANCEL;
  f.call = id;
  send_one(fd, &f, NULL);
}

struct answer hear(struct world *w, int fd, const ProtobufCMessageDescriptor *type) {
  static uint8_t buf[FRAME_MAX];
  struct answer a = {0};
  int fds[FRAME_SCM_MAX];
  size_t n_fds = 0;
  ssize_t n = frame_recv(fd, buf, sizeof buf, fds, &n_fds, 1);
  cr_assert_leq(n_fds, FRAME_FDS_MAX);
  for (size_t i = 0; i < n_fds; i++)
    a.fds[a.n_fds++] = own(w, fds[i]);
  a.eof = n == 0;
  if (n <= 0) {
    cr_expect(n == 0 || n == -EAGAIN, "%s", strerror((int)-n));
    return a;
  }
  a.got = true;
  cr_assert_eq(frame_decode(buf, (size_t)n, &a.frame), 0);
  a.kind = (int)a.frame->kind;
  a.call = a.frame->call;
  a.more = a.frame->has_more && a.frame->more;
  a.code = a.frame->error ? (int)a.frame->error->code : 0;
  if (a.frame->error)
    cr_expect(a.frame->error->message && a.frame->error->message[0], "an error without its sentence");
  if (type && a.kind == CAPNET__FRAME__KIND__REPLY)
    cr_assert_eq(body_decode(type, &a.frame->body, &a.body), 0);
  return a;
}

struct answer call(struct world *w, int fd, uint32_t method, const ProtobufCMessage *body,
                   const ProtobufCMessageDescriptor *type) {
  uint64_t id = ask(fd, method, body);
  world_run(w, 0);
  struct answer a = hear(w, fd, type);
  cr_assert(a.got, "no answer to method %u, eof %d", method, a.eof);
  cr_assert_eq(a.call, id);
  return a;
}

int code_of(struct world *w, int fd, uint32_t method, const ProtobufCMessage *body) {
  _answer_ struct answer a = call(w, fd, method, body, NULL);
  return a.code;
}

const char *rule_of(const struct answer *a) { return a->frame && a->frame->error && a->frame->error->rule ? a->frame->error->rule : ""; }

/* --- grants --------------------------------------------------------------------------------------------------------- */

int grant_fd(struct world *w, struct cap_bundle *b) {
  const struct auth_taker taker = {.pid = 4711, .uid = 1000, .gid = 1000, .comm = "test"};
  int sv[2];
  cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
  cr_assert_eq(cap_bundle_accept(b, sv[0], &taker), 0);
  return own(w, sv[1]);
}

int open_grant(struct world *w) {
  int shared = grant_fd(w, w->bundle);
  _answer_ struct answer a = call(w, shared, GRANT_OPEN, NULL, &capnet__grant_open_reply__descriptor);
  cr_assert_eq(a.n_fds, 1);
  cr_assert_str_eq(((Capnet__GrantOpenReply *)a.body)->grant, "web");
  drop(w, shared);
  return a.fds[0];
}

int take_id(struct world *w, int grant, const char *name, uint64_t *ret_id) {
  Capnet__GrantTakeRequest rq = CAPNET__GRANT_TAKE_REQUEST__INIT;
  rq.name = (char *)name;
  _answer_ struct answer a = call(w, grant, GRANT_TAKE, &rq.base, &capnet__grant_take_reply__descriptor);
  cr_assert_eq(a.n_fds, 1, "%s: code %d", name, a.code);
  const Capnet__GrantTakeReply *r = (Capnet__GrantTakeReply *)a.body;
  cr_assert_str_eq(r->name, name);
  if (ret_id)
    *ret_id = r->id;
  return a.fds[0];
}

int take(struct world *w, int grant, const char *name) { return take_id(w, grant, name, NULL); }

int take_one(struct world *w, const char *name) {
  int g = open_grant(w);
  int fd = take(w, g, name);
  drop(w, g);
  world_run(w, 0);
  return fd;
}

struct answer attenuate(struct world *w, int fd, const struct narrow *n) {
  Capnet__AttenuateRequest rq = CAPNET__ATTENUATE_REQUEST__INIT;
  Capnet__Limit limit = CAPNET__LIMIT__INIT, *limits[] = {&limit};
  char *rules[ARRAY_SIZE(n->rules)];
  for (; rq.n_rights < ARRAY_SIZE(rules) && n->rules[rq.n_rights]; rq.n_rights++)
    rules[rq.n_rights] = (char *)n->rules[rq.n_rights];
  rq.rights = rules;
  if (n->limit) {
    limit.name = (char *)n->limit;
    limit.has_max = 1;
    limit.max = n->max;
    rq.limits = limits;
    rq.n_limits = 1;
  }
  rq.has_expires_in_ms = n->expires_ms != 0;
  rq.expires_in_ms = n->expires_ms;
  return call(w, fd, ATTENUATE, &rq.base, &capnet__attenuate_reply__descriptor);
}

int child_of(struct world *w, int fd, const struct narrow *n, uint64_t *ret_id) {
  _answer_ struct answer a = attenuate(w, fd, n);
  cr_assert_eq(a.n_fds, 1, "code %d: %s", a.code, a.frame->error ? a.frame->error->message : "");
  if (ret_id)
    *ret_id = ((Capnet__AttenuateReply *)a.body)->id;
  return a.fds[0];
}

int revoke_id(struct world *w, int fd, uint64_t id) {
  Capnet__RevokeRequest rq = CAPNET__REVOKE_REQUEST__INIT;
  rq.has_id = id != 0;
  rq.id = id;
  return code_of(w, fd, REVOKE, &rq.base);
}

/* --- TCP ------------------------------------------------------------------------------------------------------------ */

void connect_request(struct connect_request *ret, const char *addr, uint32_t port) {
  capnet__tcp_connect_request__init(&ret->rq);
  capnet__tcp_endpoint__init(&ret->remote);
  ret->remote.address = (char *)addr;
  ret->remote.has_port = 1;
  ret->remote.port = port;
  ret->rq.remote = &ret->remote;
}

struct answer connect_answer(struct world *w, int fd, const Capnet__TcpConnectRequest *rq) {
  (void)ask(fd, CONNECT, &rq->base);
  world_run(w, 1000);
  return hear(w, fd, &capnet__tcp_connection__descriptor);
}

uint64_t ask_connect(int fd, const char *addr, uint32_t port) {
  struct connect_request c;
  Capnet__TcpEndpoint local = CAPNET__TCP_ENDPOINT__INIT;
  connect_request(&c, addr, port);
  local.address = (char *)"10.0.0.1"; /* both hosts are one stack: this one is near */
  c.rq.local = &local;
  return ask(fd, CONNECT, &c.rq.base);
}

int connect_code(struct world *w, int fd, const char *addr, uint32_t port) {
  uint64_t id = ask_connect(fd, addr, port);
  world_run(w, 0);
  _answer_ struct answer a = hear(w, fd, NULL);
  if (!a.got) {
    world_run(w, 300000);
    a = hear(w, fd, NULL);
  }
  cr_assert(a.got && a.call == id);
  return a.code;
}

struct conn conn_of(const struct answer *a) {
  cr_assert_eq(a->n_fds, 2, "code %d: %s", a->code, a->frame && a->frame->error ? a->frame->error->message : "");
  const Capnet__TcpConnection *m = (Capnet__TcpConnection *)a->body;
  return (struct conn){.data = a->fds[m->data->slot], .control = a->fds[m->control->slot], .id = m->id};
}

struct conn connected(struct world *w, int fd, uint32_t port) {
  (void)ask_connect(fd, "10.0.0.2", port);
  world_run(w, 1000);
  _answer_ struct answer a = hear(w, fd, &capnet__tcp_connection__descriptor);
  return conn_of(&a);
}

struct answer listen_at(struct world *w, int fd, const char *addr, uint32_t port, uint32_t backlog) {
  Capnet__TcpListenRequest rq = CAPNET__TCP_LISTEN_REQUEST__INIT;
  rq.address = (char *)addr;
  rq.has_port = 1;
  rq.port = port;
  rq.has_backlog = backlog != 0;
  rq.backlog = backlog;
  return call(w, fd, LISTEN, &rq.base, &capnet__tcp_listen_reply__descriptor);
}

int listener_of(struct world *w, int fd, const char *addr, uint32_t port) {
  _answer_ struct answer a = listen_at(w, fd, addr, port, 0);
  cr_assert_eq(a.n_fds, 1, "code %d: %s", a.code, a.frame->error ? a.frame->error->message : "");
  return a.fds[0];
}
