/* SPDX-License-Identifier: BSD-3-Clause
 * The stream pair: an AF_UNIX stream socketpair. It needs nothing of the system. Its client cannot be shown a reset (all
 * ends look like end of file, unless bytes of the client lie unread in the daemon: then it is ECONNRESET), so the
 * TcpSocket control tells the reason.
 */
#include "base/pair.h"
#include "flow/flow_impl.h"

#include <sys/socket.h>

/* Limits, of which an idle pair uses nothing; the kernel's own (net.core.wmem_max) may be below. Towards the client, and set
 * when what the kernel gives unasked was full: there is room again when a quarter is left, so the client still has something
 * to read while the daemon wakes up. From the client: what the daemon has not read, a super-frame or two beyond the ring. */
#define PAIR_TO_CLIENT (2 * 1024 * 1024)
#define PAIR_FROM_CLIENT (400 * 1024)

int flow_pair_open(struct flow_ends *ret) {
  struct flow_ends e = {.form = &flow_form_pair};
  int r = pair_new(SOCK_STREAM, &e.ours, &e.client);
  if (r < 0)
    return r;
  const int up = PAIR_FROM_CLIENT;
  (void)setsockopt(e.client, SOL_SOCKET, SO_SNDBUF, &up, sizeof up);
  *ret = e;
  return 0;
}

/* A clean end must look clean: bytes that the client sent after the connection was over would turn the close into
 * ECONNRESET, so they are drained. Every other end may look as hard as it can. */
static void pair_close(int ours, enum stack_end why, bool eof) {
  if (why == STACK_END_CLOSED && !eof) {
    char sink[4096];
    (void)shutdown(ours, SHUT_RD);
    for (unsigned i = 0; i < 256 && recv(ours, sink, sizeof sink, MSG_DONTWAIT) > 0; i++)
      ;
  }
  fd_close(ours);
}

/* What was given is in the client's own queue, whatever becomes of our end; its close is told without being asked for, and
 * with bytes unread as ECONNRESET. */
static bool pair_delivered(int ours) {
  (void)ours;
  return true;
}
static bool pair_shut(int ours) {
  (void)shutdown(ours, SHUT_WR);
  return true;
}
static bool pair_grow(int ours) {
  const int down = PAIR_TO_CLIENT;
  return setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &down, sizeof down) == 0;
}
static void pair_stop(int ours) { (void)shutdown(ours, SHUT_RD); }
static void pair_half(int ours) { (void)ours; }
static bool pair_unread(int ours) {
  (void)ours;
  return false;
}

const struct flow_form flow_form_pair = {.name = "pair",
                                         .close = pair_close,
                                         .shut = pair_shut,
                                         .delivered = pair_delivered,
                                         .stop = pair_stop,
                                         .half = pair_half,
                                         .grow = pair_grow,
                                         .unread = pair_unread};
