/* SPDX-License-Identifier: BSD-3-Clause
 * The stream pair: an AF_UNIX stream socketpair. It needs nothing of the system. Its client cannot be shown a reset (all
 * ends look like end of file, unless bytes of the client lie unread in the daemon: then it is ECONNRESET), so the
 * TcpSocket control tells the reason.
 */
#include "base/pair.h"
#include "flow/flow_impl.h"

#include <sys/socket.h>

/* Towards the client: small enough that the wire's backpressure is the client's, large enough for a super-frame or two. */
#define PAIR_SNDBUF (400 * 1024)

static int pair_open(int *ret_ours, int *ret_client) {
  int r = pair_new(SOCK_STREAM, ret_ours, ret_client);
  if (r < 0)
    return r;
  const int size = PAIR_SNDBUF;
  (void)setsockopt(*ret_ours, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  (void)setsockopt(*ret_client, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  return 0;
}

/* A clean end must look clean: bytes that the client sent after the connection was over would turn the close into
 * ECONNRESET, so they are drained. Every other end may look as hard as it can. */
static void pair_close(int ours, enum stack_end why) {
  if (why == STACK_END_CLOSED) {
    char sink[4096];
    (void)shutdown(ours, SHUT_RD);
    for (unsigned i = 0; i < 256 && recv(ours, sink, sizeof sink, MSG_DONTWAIT) > 0; i++)
      ;
  }
  fd_close(ours);
}

const struct flow_form flow_form_pair = {.name = "pair", .open = pair_open, .close = pair_close};
