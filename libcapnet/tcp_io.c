/* SPDX-License-Identifier: BSD-3-Clause
 * The bytes of a connection. Its descriptor is a plain socket, but an AF_UNIX one cannot say why it ended: FIN, reset,
 * time-out and revocation all read as end of file (or as ECONNRESET, when our own bytes lay unread in the daemon). So
 * at the end, and only there, the control is asked.
 */
#include "libcapnet/tcp.h"

#include <poll.h>
#include <sys/socket.h>

#define ASK_MS 5000u /* the daemon answers a status at once; this guards against one that is stuck */

/* 0 when the end was in good order, or nobody can tell. */
static int ask_why(struct capnet_tcp *tcp, struct capnet_error *err) {
  struct capnet_tcp_status status;
  if (!tcp->control)
    return 0;
  int r = capnet_tcp_get_status(tcp->control, ASK_MS, &status, err);
  return r < 0 ? r : tcp_end_error(&status, err);
}

static int stop_fd_of(const struct capnet_tcp *tcp) { return tcp->control ? tcp->control->stop_fd : -1; }

static int ended(struct capnet_tcp *tcp, int error, const char *what, struct capnet_error *err) {
  if (error != ECONNRESET && error != EPIPE)
    return fail_errno(err, error, what);
  int r = ask_why(tcp, err);
  return r < 0 ? r : fail_code(err, CAPNET__ERROR_CODE__ERROR_RESET, "the connection is over");
}

ssize_t capnet_tcp_read(struct capnet_tcp *tcp, void *buf, size_t len, unsigned timeout_ms, struct capnet_error *err) {
  uint64_t deadline = deadline_in(timeout_ms);
  for (;;) {
    ssize_t n = recv(tcp->fd, buf, len, MSG_DONTWAIT);
    if (n > 0)
      return n;
    if (n == 0)
      return len ? ask_why(tcp, err) : 0;
    if (errno == EINTR)
      continue;
    if (errno != EAGAIN)
      return ended(tcp, errno, "read", err);
    int r = wait_fd(tcp->fd, POLLIN, stop_fd_of(tcp), deadline, err);
    if (r < 0)
      return r;
  }
}

int capnet_tcp_write(struct capnet_tcp *tcp, const void *buf, size_t len, unsigned timeout_ms,
                     struct capnet_error *err) {
  uint64_t deadline = deadline_in(timeout_ms);
  for (const char *p = buf; len > 0;) {
    ssize_t n = send(tcp->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
      p += n;
      len -= (size_t)n;
      continue;
    }
    if (errno == EINTR)
      continue;
    if (errno != EAGAIN)
      return ended(tcp, errno, "write", err);
    int r = wait_fd(tcp->fd, POLLOUT, stop_fd_of(tcp), deadline, err);
    if (r < 0)
      return r;
  }
  return 0;
}

void capnet_tcp_close(struct capnet_tcp *tcp) {
  if (!tcp)
    return;
  tcp->fd = fd_close(tcp->fd);
  capnet_closep(&tcp->control);
}
