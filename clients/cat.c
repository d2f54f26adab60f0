/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-cat: standard input and output over one TCP connection. It is also the tutorial of libcapnet; read it from
 * main() upwards:
 *
 *   1. A program has no network. It opens a grant and takes a capability out of it: capnet_open does both (main).
 *   2. The capability is asked for a connection (dial), or for a listener and then a connection (serve). What comes
 *      back is a struct capnet_tcp: `fd`, a plain descriptor that carries the bytes, and `control`, a capability that
 *      knows about the connection.
 *   3. The bytes need nothing of libcapnet: poll, read, write, shutdown (relay). Only the end does: a descriptor reads
 *      end of file whether the peer finished or was cut off, and capnet_tcp_read asks the control which it was
 *      (from_peer).
 *   4. Every failure is a struct capnet_error: a code for the program, a sentence for the person (client_fail).
 */
#include "clients/client.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char help[] =
    "Usage: capnet-cat [OPTION...] HOST PORT\n"
    "       capnet-cat [OPTION...] -l [ADDRESS] PORT\n"
    "\n"
    "Copies standard input to a TCP connection and the connection to standard output. At the end of its input it\n"
    "finishes its side (FIN) and keeps reading until the peer does.\n"
    "\n"
    "  -l, --listen         wait for one connection; ADDRESS may be * or interface-address\n"
    "  -g, --grant NAME     take the capability from this grant (otherwise: inherited, $CAPNET_GRANT, \"cat\")\n"
    "  -4, -6               only IPv4, only IPv6 addresses of HOST; with -l, listen on those alone\n"
    "  -w, --wait SECONDS   give up connecting or waiting after so long (0: never; the default)\n"
    "  -d, --no-input       do not read standard input (but do not finish this side either)\n"
    "  -v, --verbose        say on standard error who is connected to whom\n"
    "      --help           show this\n"
    "      --version        show the version\n"
    "\n"
    "HOST is an address, or a name that a resolver (\"dns\") of the same grant may resolve.\n"
    "\n"
    "Exit status: 0 both sides finished in good order; 1 not connected, or cut off: reset, timed out, revoked - what\n"
    "was printed may be incomplete; 2 wrong usage; 3 refused by the grant; 4 no daemon answers.\n"
    "\n"
    "See capnet-cat(1).\n";

struct options {
  const char *grant;
  unsigned wait_ms;
  int family;
  bool listen, no_input, verbose;
};

static const char default_grant[] = "cat";

/* --- 3. the bytes ------------------------------------------------------------------------------------------------- */

static bool write_all(int fd, const char *p, size_t len) {
  while (len) {
    ssize_t n = write(fd, p, len);
    if (n < 0 && errno == EAGAIN) { /* shared with someone who made it non-blocking */
      struct pollfd room = {.fd = fd, .events = POLLOUT};
      (void)poll(&room, 1, -1);
      continue;
    }
    if (n < 0 && errno != EINTR)
      return false;
    if (n > 0) {
      p += n;
      len -= (size_t)n;
    }
  }
  return true;
}

/* > 0: bytes went to standard output; 0: the peer has finished, in good order; < 0: the exit code, negated. */
static int from_peer(struct capnet_tcp *tcp) {
  static char buf[65536];
  struct capnet_error err;
  ssize_t n = capnet_tcp_read(tcp, buf, sizeof buf, 0, &err);
  if (n < 0)
    return -client_fail(&err, "connection");
  if (!write_all(STDOUT_FILENO, buf, (size_t)n)) {
    client_warn("standard output: %s", strerror(errno));
    return -CLIENT_FAILED;
  }
  return n > 0;
}

struct input {
  char buf[65536];
  size_t have, sent;
  bool open; /* more may come */
};

static int read_input(struct input *in) {
  ssize_t n = read(STDIN_FILENO, in->buf, sizeof in->buf);
  if (n < 0 && errno != EINTR && errno != EAGAIN) {
    client_warn("standard input: %s", strerror(errno));
    return -CLIENT_FAILED;
  }
  if (n == 0)
    in->open = false;
  in->have = n > 0 ? (size_t)n : 0;
  in->sent = 0;
  return 0;
}

/* Never waits for room: a peer that does not read until it was read from must not block us. */
static int to_peer(struct capnet_tcp *tcp, struct input *in) {
  ssize_t n = send(tcp->fd, in->buf + in->sent, in->have - in->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n >= 0)
    in->sent += (size_t)n;
  else if (errno != EAGAIN && errno != EINTR) {
    /* The peer is gone. Writing again through the library asks the control for the reason. */
    struct capnet_error err;
    int r = capnet_tcp_write(tcp, in->buf + in->sent, in->have - in->sent, 0, &err);
    return r < 0 ? -client_fail(&err, "connection") : -CLIENT_FAILED;
  }
  return 0;
}

static int relay(struct capnet_tcp *tcp, bool no_input) {
  static struct input in;
  bool peer_open = true, own_open = true;
  in.open = !no_input;
  while (peer_open || (own_open && !no_input)) {
    bool pending = in.sent < in.have;
    struct pollfd p[2] = {{.fd = pending || !in.open ? -1 : STDIN_FILENO, .events = POLLIN},
                          {.fd = tcp->fd, .events = (short)((peer_open ? POLLIN : 0) | (pending ? POLLOUT : 0))}};
    if (poll(p, 2, -1) < 0) {
      if (errno == EINTR)
        continue;
      return CLIENT_FAILED;
    }
    if (!peer_open && !pending && (p[1].revents & POLLHUP))
      break; /* the connection is over: more input has nowhere to go */
    int r = 0;
    if (peer_open && (p[1].revents & (POLLIN | POLLHUP | POLLERR))) {
      r = from_peer(tcp);
      peer_open = r > 0;
    }
    if (r >= 0 && p[0].revents)
      r = read_input(&in);
    if (r >= 0 && in.sent < in.have)
      r = to_peer(tcp, &in);
    if (r < 0)
      return -r;
    /* Half-close: all of the input is written, so say so, and go on reading. */
    if (own_open && !in.open && !no_input && in.sent == in.have) {
      (void)shutdown(tcp->fd, SHUT_WR);
      own_open = false;
    }
  }
  return CLIENT_OK;
}

/* After both sides finished the connection may still fail while the last bytes are on their way. */
static int last_word(struct capnet_tcp *tcp, const struct options *o) {
  struct capnet_tcp_status status;
  struct capnet_error err;
  if (!tcp->control || capnet_tcp_get_status(tcp->control, 5000, &status, &err) < 0)
    return CLIENT_OK;
  if (status.end != CAPNET_END_NONE && status.end != CAPNET_END_CLOSED) {
    client_warn("connection: %s", capnet_tcp_end_name(status.end));
    return CLIENT_FAILED;
  }
  if (o->verbose)
    client_warn("%llu bytes in, %llu bytes out", (unsigned long long)status.bytes_in,
                (unsigned long long)status.bytes_out);
  return CLIENT_OK;
}

/* --- 2. the connection -------------------------------------------------------------------------------------------- */

static int dial(const char *host, uint16_t port, const struct options *o, capnet *cap, struct capnet_tcp *ret) {
  struct capnet_error err;
  char address[46];
  if (client_resolve(host, o->grant, default_grant, o->family, -1, o->wait_ms, address, &err) < 0)
    return client_fail(&err, host);
  if (capnet_tcp_connect(cap, address, port, NULL, o->wait_ms, ret, &err) < 0)
    return client_fail(&err, host);
  if (o->verbose)
    client_warn("connected to %s port %u from %s port %u", client_safe(ret->remote.address), ret->remote.port,
                client_safe(ret->local.address), ret->local.port);
  return CLIENT_OK;
}

/* One connection only: closing the listener afterwards turns others away. */
static int serve(const char *address, uint16_t port, const struct options *o, capnet *cap, struct capnet_tcp *ret) {
  struct capnet_error err;
  struct capnet_addr local;
  __attribute__((cleanup(capnet_closep))) capnet *listener = NULL;
  const struct capnet_tcp_options family = {.set = o->family == AF_INET    ? CAPNET_TCP_IPV4_ONLY
                                                   : o->family == AF_INET6 ? CAPNET_TCP_IPV6_ONLY
                                                                           : 0};
  if (capnet_tcp_listen_options(cap, address, port, 1, 0, &family, 10000, NULL, &listener, &local, &err) < 0)
    return client_fail(&err, "listen");
  if (o->verbose)
    client_warn("listening on %s port %u", client_safe(local.address), local.port);
  if (capnet_tcp_accept(listener, o->wait_ms, ret, &err) < 0)
    return client_fail(&err, "accept");
  if (o->verbose)
    client_warn("connection from %s port %u", client_safe(ret->remote.address), ret->remote.port);
  return CLIENT_OK;
}

/* --- 1. the capability -------------------------------------------------------------------------------------------- */

static int run(const struct options *o, const char *host, uint16_t port) {
  struct capnet_error err;
  struct capnet_tcp tcp = {.fd = -1};
  __attribute__((cleanup(capnet_closep))) capnet *cap = NULL;
  if (capnet_open(o->grant, default_grant, o->listen ? "tcp-listen" : "tcp-connect", 10000, &cap, &err) < 0)
    return client_fail(&err, NULL);
  int code = o->listen ? serve(host, port, o, cap, &tcp) : dial(host, port, o, cap, &tcp);
  if (code == CLIENT_OK)
    code = relay(&tcp, o->no_input);
  if (code == CLIENT_OK)
    code = last_word(&tcp, o);
  capnet_tcp_close(&tcp);
  return code;
}

static int parse(int argc, char **argv, struct options *o) {
  static const struct option options[] = {
      {"listen", no_argument, NULL, 'l'},      {"grant", required_argument, NULL, 'g'},
      {"wait", required_argument, NULL, 'w'},  {"no-input", no_argument, NULL, 'd'},
      {"verbose", no_argument, NULL, 'v'},     {"help", no_argument, NULL, 'h'},
      {"version", no_argument, NULL, 'V'},     {0}};
  for (int c; (c = getopt_long(argc, argv, "lg:w:dv46", options, NULL)) >= 0;)
    switch (c) {
    case 'l': o->listen = true; break;
    case 'g': o->grant = optarg; break;
    case '4': o->family = AF_INET; break;
    case '6': o->family = AF_INET6; break;
    case 'd': o->no_input = true; break;
    case 'v': o->verbose = true; break;
    case 'w':
      if (!client_seconds(optarg, 0, UINT32_MAX, &o->wait_ms))
        return client_usage("%s is no number of seconds", client_safe(optarg));
      break;
    case 'h': fputs(help, stdout); return client_done(CLIENT_OK);
    case 'V': return client_done(client_version());
    default: return client_usage("see the options");
    }
  return -1;
}

int main(int argc, char **argv) {
  struct options o = {.family = AF_UNSPEC};
  client_init("capnet-cat");
  int code = parse(argc, argv, &o);
  if (code >= 0)
    return code;
  int given = argc - optind;
  if (given > 2 || given < (o.listen ? 1 : 2))
    return client_usage(o.listen ? "-l wants [ADDRESS] PORT" : "HOST and PORT are wanted");
  uint64_t port;
  if (!client_number(argv[argc - 1], o.listen ? 0 : 1, 65535, &port))
    return client_usage("%s is no port", client_safe(argv[argc - 1]));
  return run(&o, given == 2 ? argv[optind] : NULL, (uint16_t)port);
}
