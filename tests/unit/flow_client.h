/* SPDX-License-Identifier: BSD-3-Clause
 * The client of a rig: it writes and reads the pattern, learns how it was cut off, and closes.
 */
#ifndef CAPNET_TEST_FLOW_CLIENT_H
#define CAPNET_TEST_FLOW_CLIENT_H

#include "flow_util.h"

static inline void rig_client_write(struct rig *r, uint64_t upto) {
  uint8_t buf[16384];
  while (r->written < upto) {
    size_t n = MIN(sizeof buf, upto - r->written);
    for (size_t i = 0; i < n; i++)
      buf[i] = pattern(r->written + i);
    ssize_t k = send(r->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (k <= 0)
      return;
    r->written += (uint64_t)k;
  }
}

static inline void rig_client_read(struct rig *r, uint64_t upto) {
  uint8_t buf[16384];
  while (r->got < upto) {
    ssize_t k = recv(r->fd, buf, MIN(sizeof buf, upto - r->got), MSG_DONTWAIT);
    if (k <= 0) {
      r->eof = r->eof || k == 0;
      r->reset = r->reset || (k < 0 && errno == ECONNRESET);
      return;
    }
    for (ssize_t i = 0; i < k; i++)
      r->bad |= buf[i] != pattern(r->got + (uint64_t)i);
    r->got += (uint64_t)k;
  }
}

/* A real socket's close without a peer's FIN is noticed by the kernel's keepalive, seconds of the real clock later. */
static inline void rig_until_over(struct rig *r) {
  for (int i = 0; i < 200 && rig_sockets && r->overs == 0; i++) {
    (void)poll(NULL, 0, 50);
    run(&r->n, 100 * MS);
  }
}

/* The client was cut off: a real socket says so, a stream pair cannot. */
static inline bool rig_cut(const struct rig *r) { return rig_sockets ? r->reset && !r->eof : r->eof; }

/* Everything that lives is gone, in the rooms and in the kernel. */
static inline void rig_close(struct rig *r) {
  r->fd = fd_close(r->fd);
  end_close(&r->server);
  r->l = stack_listener_close(r->l);
  rig_run(r, 600 * SEC);
  r->f = flow_free(r->f);
  struct flow_stats s = rig_stats(r);
  cr_expect_eq(s.live, 0);
  cr_expect_eq(s.listeners, 0);
  cr_expect_eq(s.attempts, 0);
  r->t = flow_table_free(r->t);
  run(&r->n, 600 * SEC);
  struct stack_stats st = stats_of(&r->n);
  cr_expect_eq(st.asserts, 0);
  cr_expect_eq(st.tcp_active, 0);
  cr_expect_eq(st.tcp_listening, 0);
  cr_expect_eq(st.pbuf_bytes, 0);
  if (r->seal)
    seal_end(r->seal);
  net_close(&r->n);
  cr_expect_eq(fd_count(), r->fds_before);
}

#endif
