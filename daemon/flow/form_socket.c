/* SPDX-License-Identifier: BSD-3-Clause
 * The real socket: one end of a kernel TCP connection in the sealed namespaces (daemon/seal). Its client sees true
 * addresses, and a reset as a reset. Our end lingers for nothing (SO_LINGER of 0), so every close that both FINs did not
 * come before is a reset, that of a daemon that crashed included: bytes that the client was owed are waited for first.
 */
#include "flow/flow_impl.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int flow_socket_open(struct flow_table *t, const struct stack_conn *conn, uint64_t owner, struct flow_ends *ret) {
  struct flow_ends e = FLOW_ENDS_NONE;
  struct stack_conn_info info;
  if (!t->seal)
    return -ENOPKG;
  e.form = &flow_form_socket;
  stack_conn_info(conn, &info);
  int r = seal_chamber_get(t->seal, owner, &e.chamber);
  if (r == 0)
    r = seal_connect(e.chamber, &info.local, &info.remote, &e.ours, &e.client);
  if (r < 0 && e.chamber && flow_make_way(t, e.chamber, &info))
    r = seal_connect(e.chamber, &info.local, &info.remote, &e.ours, &e.client);
  if (r < 0) {
    flow_ends_done(&e);
    return r;
  }
  *ret = e;
  return 0;
}

static struct tcp_info info_of(int fd) {
  struct tcp_info info = {0};
  socklen_t len = sizeof info;
  (void)getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
  return info;
}

static void socket_close(int ours, enum stack_end why, bool eof) {
  (void)why, (void)eof; /* a reset, unless both FINs are exchanged */
  fd_close(ours);
}

/* On a busy machine our end may still be on its way to the program's; shutdown(2) would take it back. */
static bool socket_shut(int ours) {
  if (info_of(ours).tcpi_state == TCP_SYN_SENT)
    return false;
  (void)shutdown(ours, SHUT_WR);
  return true;
}

/* Acknowledged by the kernel at the program's end, the FIN as well. Sent is not enough: what finds no room there is
 * dropped, and must be sent again. */
static bool socket_delivered(int ours) {
  int n = 0;
  return (ioctl(ours, SIOCOUTQ, &n) == 0 && n == 0) || info_of(ours).tcpi_state == TCP_CLOSE;
}

/* TCP knows no way to stop the other side. */
static void socket_stop(int ours) { (void)ours; }

/* A closed end and one that only finished writing look the same until something is sent to it: the kernel does so every two
 * seconds, as the namespace is set (seal_net.c), and the daemon sleeps. */
static void socket_half(int ours) {
  const int on = 1;
  (void)setsockopt(ours, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

/* A reset that answered a probe tells that the end was closed in good order before. */
static bool socket_unread(int ours) { return info_of(ours).tcpi_probes == 0; }

const struct flow_form flow_form_socket = {.name = "socket",
                                           .close = socket_close,
                                           .shut = socket_shut,
                                           .delivered = socket_delivered,
                                           .stop = socket_stop,
                                           .half = socket_half,
                                           .unread = socket_unread};
