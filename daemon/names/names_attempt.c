/* SPDX-License-Identifier: BSD-3-Clause
 * One question to one server: a c-ares channel of its own over made-up descriptors, so each has a fresh random port,
 * and an id drawn by us. c-ares does the protocol: matching answers, EDNS and its fallback, TCP after truncation,
 * framing. It is told everything there is to configure, so it reads no file and no environment; it never decides about
 * time (its clock would be the kernel's): its timeout is out of reach, the query's timer rules.
 *
 * c-ares must not be destroyed from inside itself. So nothing here acts on an end: `done` queues the query's task.
 */
#include "names/names_impl.h"

#include "base/util.h"
#include "stack/stack_dgram.h"
#include "stack/stack_tcp.h"

#include <ares.h>
#include <sys/random.h>

/* Above any descriptor that the kernel can hand out, and known to this channel alone. */
#define FD_UDP 0x40000000
#define FD_TCP 0x40000001
#define NEVER_MS (24 * 3600 * 1000)
#define EDNS_SIZE 1232 /* what crosses every path unfragmented */
#define CLASS_IN 1

struct names_attempt {
  struct stack *stack;
  struct net_endpoint server;
  struct net_addr source;
  ares_channel channel;
  void (*done_fn)(void *arg);
  void *arg;
  bool done, dying, garbage;
  int error;
  uint8_t *msg;
  size_t msg_len;

  uint8_t *question; /* what was sent */
  int question_len;

  struct stack_udp *udp;
  const uint8_t *datagram; /* the one being taken; borrowed */
  size_t datagram_len;
  struct stack_conn *tcp;
  bool tcp_connected, tcp_write, tcp_ended;
};

/* The first end counts. */
static void end(struct names_attempt *a, int error) {
  if (a->done || a->dying)
    return;
  a->done = true;
  a->error = error;
  a->done_fn(a->arg);
}

/* --- what arrives on UDP ------------------------------------------------------------------------------------------ */

/* c-ares drops in silence what does not match the question. A late or forged answer is nothing to speak of; a server
 * that sends what is no answer to anything is worth an error of its own. */
static bool looks_like_answer(const struct names_attempt *a, const uint8_t *data, size_t len) {
  size_t q = (size_t)a->question_len - 12;
  if (q > 11) /* without the EDNS record */
    q -= 11;
  return len >= 12 + q && (data[2] & 0x80) && memcmp(data + 4, "\0\1", 2) == 0;
}

static void on_datagram(void *arg, const struct net_endpoint *from, const struct net_endpoint *to _unused_,
                        const uint8_t *data, size_t len) {
  struct names_attempt *a = arg;
  if (a->done || len == 0 || !net_endpoint_equal(from, &a->server))
    return;
  a->datagram = data;
  a->datagram_len = len;
  ares_process_fd(a->channel, FD_UDP, ARES_SOCKET_BAD);
  a->datagram = NULL;
  if (!a->done && a->tcp == NULL && !looks_like_answer(a, data, len))
    a->garbage = true;
}

static void on_udp_error(void *arg, const struct net_endpoint *remote, int error) {
  struct names_attempt *a = arg;
  if (net_endpoint_equal(remote, &a->server))
    end(a, error == -ENETUNREACH ? -EHOSTUNREACH : error);
}

static void on_udp_ended(void *arg) { end(arg, -ENONET); }

static const struct stack_udp_ops udp_ops = {on_datagram, on_udp_error, on_udp_ended};

/* --- what happens on TCP ------------------------------------------------------------------------------------------ */

/* c-ares reads a length, or a piece of a body, at each call. */
static void tcp_pump(struct names_attempt *a) {
  while (!a->done && a->tcp != NULL && (stack_conn_unread(a->tcp) > 0 || stack_conn_eof(a->tcp) || a->tcp_ended)) {
    bool over = stack_conn_unread(a->tcp) == 0;
    ares_process_fd(a->channel, FD_TCP, ARES_SOCKET_BAD);
    if (over)
      break;
  }
}

static void on_tcp_writable(void *arg) {
  struct names_attempt *a = arg;
  if (!a->done && a->tcp_write)
    ares_process_fd(a->channel, ARES_SOCKET_BAD, FD_TCP);
}

static void on_tcp_connected(void *arg) {
  struct names_attempt *a = arg;
  a->tcp_connected = true;
  on_tcp_writable(a);
}

static void on_tcp_readable(void *arg) { tcp_pump(arg); }

static int tcp_error(enum stack_end why) {
  switch (why) {
  case STACK_END_REFUSED:
    return -ECONNREFUSED;
  case STACK_END_TIMED_OUT:
    return -ETIMEDOUT;
  case STACK_END_UNREACHABLE:
    return -EHOSTUNREACH;
  case STACK_END_ADDRESS_LOST:
    return -ENONET;
  case STACK_END_NONE:
  case STACK_END_CLOSED:
  case STACK_END_RESET_BY_PEER:
  case STACK_END_RESET_LOCAL:
  case STACK_END_REVOKED:
  case STACK_END_LIMIT:
  case STACK_END_COUNT:
    return -EREMOTEIO;
  }
  return -EREMOTEIO;
}

static void on_tcp_ended(void *arg, enum stack_end why) {
  struct names_attempt *a = arg;
  if (why == STACK_END_CLOSED || why == STACK_END_RESET_BY_PEER) {
    a->tcp_ended = true;
    tcp_pump(a); /* the answer may lie in the queue */
  }
  end(a, tcp_error(why));
}

static const struct stack_conn_ops tcp_ops = {
    .connected = on_tcp_connected, .readable = on_tcp_readable, .writable = on_tcp_writable, .ended = on_tcp_ended};

/* --- the sockets that c-ares believes in -------------------------------------------------------------------------- */

static int fail(int error) {
  errno = -error;
  return -1;
}

static ares_socket_t sock_open(int family _unused_, int type, int protocol _unused_, void *arg) {
  struct names_attempt *a = arg;
  if (type == SOCK_STREAM)
    return a->tcp != NULL ? fail(-EMFILE) : FD_TCP;
  if (a->udp != NULL)
    return fail(-EMFILE);
  struct net_endpoint local = {a->source, 0};
  int r = stack_udp_open(a->stack, &local, &udp_ops, a, &a->udp);
  if (r < 0) {
    end(a, r);
    return fail(r);
  }
  return FD_UDP;
}

static int sock_close(ares_socket_t fd, void *arg) {
  struct names_attempt *a = arg;
  if (fd == FD_UDP && a->udp != NULL)
    a->udp = stack_udp_close(a->udp);
  if (fd == FD_TCP && a->tcp != NULL) /* in peace when the answer is here */
    a->tcp = a->done && a->error == 0 ? stack_conn_close(a->tcp) : stack_conn_abort(a->tcp, STACK_END_RESET_LOCAL);
  return 0;
}

/* The address that c-ares names is the one server of this attempt. */
static int sock_connect(ares_socket_t fd, const struct sockaddr *sa _unused_, ares_socklen_t len _unused_, void *arg) {
  struct names_attempt *a = arg;
  if (fd == FD_UDP)
    return 0;
  struct net_endpoint local = {a->source, 0};
  int r = stack_tcp_connect(a->stack, &local, &a->server, &tcp_ops, a, &a->tcp);
  if (r < 0) {
    end(a, r);
    return fail(r);
  }
  return fail(-EINPROGRESS);
}

static ares_ssize_t udp_recv(struct names_attempt *a, void *buf, size_t size, struct sockaddr *from,
                             ares_socklen_t *from_len) {
  if (a->datagram == NULL)
    return fail(-EAGAIN);
  size_t n = MIN(size, a->datagram_len);
  memcpy(buf, a->datagram, n);
  a->datagram = NULL;
  struct sockaddr_storage ss = {0};
  socklen_t len;
  if (a->server.addr.family == AF_INET) {
    struct sockaddr_in *in = (struct sockaddr_in *)&ss;
    in->sin_family = AF_INET;
    in->sin_port = htons(a->server.port);
    memcpy(&in->sin_addr, a->server.addr.b, 4);
    len = sizeof(*in);
  } else {
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(a->server.port);
    memcpy(&in6->sin6_addr, a->server.addr.b, 16);
    len = sizeof(*in6);
  }
  if (from != NULL && from_len != NULL) {
    len = MIN(len, *from_len);
    memcpy(from, &ss, len);
    *from_len = len;
  }
  return (ares_ssize_t)n;
}

static ares_ssize_t tcp_recv(struct names_attempt *a, void *buf, size_t size) {
  struct iovec iov;
  if (a->tcp == NULL)
    return fail(-ENOTCONN);
  if (stack_conn_peek(a->tcp, &iov, 1) == 0)
    return stack_conn_eof(a->tcp) || a->tcp_ended ? 0 : fail(-EAGAIN);
  size_t n = MIN(size, iov.iov_len);
  memcpy(buf, iov.iov_base, n);
  stack_conn_consume(a->tcp, n);
  return (ares_ssize_t)n;
}

static ares_ssize_t sock_recv(ares_socket_t fd, void *buf, size_t size, int flags _unused_, struct sockaddr *from,
                              ares_socklen_t *from_len, void *arg) {
  return fd == FD_UDP ? udp_recv(arg, buf, size, from, from_len) : tcp_recv(arg, buf, size);
}

static ares_ssize_t tcp_send(struct names_attempt *a, const struct iovec *vec, int n) {
  struct iovec space[2];
  ares_ssize_t sent = 0;
  if (a->tcp == NULL || !a->tcp_connected)
    return fail(-EAGAIN);
  for (int i = 0; i < n; i++) {
    for (size_t at = 0; at < vec[i].iov_len;) {
      if (stack_conn_send_space(a->tcp, space) == 0 || space[0].iov_len == 0)
        return sent > 0 ? sent : fail(-EAGAIN);
      size_t piece = MIN(space[0].iov_len, vec[i].iov_len - at);
      memcpy(space[0].iov_base, (const uint8_t *)vec[i].iov_base + at, piece);
      int r = stack_conn_send_commit(a->tcp, piece);
      if (r < 0)
        return fail(r);
      at += piece;
      sent += (ares_ssize_t)piece;
    }
  }
  return sent;
}

static ares_ssize_t sock_send(ares_socket_t fd, const struct iovec *vec, int n, void *arg) {
  struct names_attempt *a = arg;
  if (fd == FD_TCP)
    return tcp_send(a, vec, n);
  int r = a->udp != NULL && n == 1 ? stack_udp_send(a->udp, &a->server, vec[0].iov_base, vec[0].iov_len) : -EINVAL;
  if (r < 0) {
    end(a, r);
    return fail(r);
  }
  return (ares_ssize_t)vec[0].iov_len;
}

static const struct ares_socket_functions socket_functions = {sock_open, sock_close, sock_connect, sock_recv,
                                                              sock_send};

static void on_sock_state(void *arg, ares_socket_t fd, int readable _unused_, int writable) {
  struct names_attempt *a = arg;
  if (fd == FD_TCP)
    a->tcp_write = writable;
}

static void on_answer(void *arg, int status, int timeouts _unused_, unsigned char *msg, int len) {
  struct names_attempt *a = arg;
  if (a->done || a->dying)
    return;
  if (status != ARES_SUCCESS || msg == NULL || len < 0) {
    end(a, status == ARES_ENOMEM ? -ENOMEM : -EREMOTEIO); /* on TCP: closed before the answer */
    return;
  }
  a->msg = malloc((size_t)len + 1);
  if (a->msg == NULL) {
    end(a, -ENOMEM);
    return;
  }
  memcpy(a->msg, msg, (size_t)len);
  a->msg_len = (size_t)len;
  end(a, 0);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* With all of these set c-ares does not look for more: it reads neither resolv.conf nor RES_OPTIONS nor LOCALDOMAIN. */
static int channel_new(struct names_attempt *a) {
  struct in_addr placeholder = {0};
  struct ares_options o = {.flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
                           .timeout = NEVER_MS,
                           .tries = 1,
                           .ndots = 1,
                           .udp_port = 53,
                           .tcp_port = 53,
                           .servers = &placeholder,
                           .nservers = 1,
                           .lookups = (char *)"b",
                           .sock_state_cb = on_sock_state,
                           .sock_state_cb_data = a,
                           .ednspsz = EDNS_SIZE};
  int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_UDP_PORT |
             ARES_OPT_TCP_PORT | ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
             ARES_OPT_SORTLIST | ARES_OPT_EDNSPSZ | ARES_OPT_NOROTATE;
  if (ares_init_options(&a->channel, &o, mask) != ARES_SUCCESS)
    return -ENOMEM;
  struct ares_addr_port_node server = {.family = a->server.addr.family,
                                       .udp_port = a->server.port,
                                       .tcp_port = a->server.port};
  memcpy(&server.addr, a->server.addr.b, a->server.addr.family == AF_INET ? 4 : 16);
  if (ares_set_servers_ports(a->channel, &server) != ARES_SUCCESS)
    return -ENOMEM;
  ares_set_socket_functions(a->channel, &socket_functions, a);
  return 0;
}

static int question_new(struct names_attempt *a, const char *name, enum names_type type) {
  uint16_t id;
  if (getrandom(&id, sizeof(id), 0) != sizeof(id))
    return -ENOMEM;
  switch (ares_create_query(name, CLASS_IN, type, id, 1, &a->question, &a->question_len, EDNS_SIZE)) {
  case ARES_SUCCESS:
    return 0;
  case ARES_ENOMEM:
    return -ENOMEM;
  default:
    return -ENOENT;
  }
}

/* A server is asked over the interface that told of it: what it knows may be known there alone. What is sent from an
 * address leaves by its interface. */
static int choose_source(struct stack *stack, const struct net_addr *server, const char *ifname, struct net_addr *ret) {
  struct stack_route_info route;
  bool on_link = ifname && net_addr_class(server) == NET_LINK_LOCAL;
  int r = ifname ? stack_route_lookup_on(stack, ifname, server, &route) : -ENODEV;
  if (r < 0 && !on_link)
    r = stack_route_lookup(stack, server, &route);
  if (r < 0)
    return r == -ENODEV ? -ENETUNREACH : r;
  *ret = route.source;
  return ret->family ? 0 : -ENETUNREACH;
}

int names_attempt_new(struct stack *stack, const struct net_endpoint *server, const char *ifname, const char *name,
                      enum names_type type, void (*done)(void *arg), void *arg, struct names_attempt **ret) {
  struct net_addr source;
  int r = choose_source(stack, &server->addr, ifname, &source);
  if (r < 0)
    return r;
  struct names_attempt *a = calloc(1, sizeof(*a));
  if (a == NULL)
    return -ENOMEM;
  *a = (struct names_attempt){.stack = stack, .server = *server, .source = source, .done_fn = done, .arg = arg};
  r = question_new(a, name, type);
  if (r == 0)
    r = channel_new(a);
  if (r < 0) {
    names_attempt_free(a);
    return r;
  }
  *ret = a;
  ares_send(a->channel, a->question, a->question_len, on_answer, a);
  return 0;
}

struct names_attempt *names_attempt_free(struct names_attempt *a) {
  if (a == NULL)
    return NULL;
  a->dying = true;
  if (a->channel != NULL)
    ares_destroy(a->channel);
  (void)sock_close(FD_UDP, a);
  (void)sock_close(FD_TCP, a);
  ares_free_string(a->question);
  free(a->msg);
  free(a);
  return NULL;
}

bool names_attempt_done(const struct names_attempt *a) { return a->done; }

struct names_attempt_result names_attempt_result(const struct names_attempt *a) {
  return (struct names_attempt_result){a->error, a->msg, a->msg_len};
}

bool names_attempt_saw_garbage(const struct names_attempt *a) { return a->garbage; }
