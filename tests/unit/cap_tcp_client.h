/* SPDX-License-Identifier: BSD-3-Clause
 * What the client of the tests asks of TCP capabilities. Part of cap_client.h.
 */
#ifndef CAPNET_TEST_CAP_TCP_CLIENT_H
#define CAPNET_TEST_CAP_TCP_CLIENT_H

#include "cap_client.h"

struct conn {
  int data, control;
  uint64_t id;
};
/* rq asks for a connection to addr and port; the rest is to be filled in. Both borrow. */
struct connect_request {
  Capnet__TcpConnectRequest rq;
  Capnet__TcpEndpoint remote;
};
void connect_request(struct connect_request *ret, const char *addr, uint32_t port);
struct answer connect_answer(struct world *w, int fd, const Capnet__TcpConnectRequest *rq); /* after a second */
uint64_t ask_connect(int fd, const char *addr, uint32_t port);
int connect_code(struct world *w, int fd, const char *addr, uint32_t port);
struct conn connected(struct world *w, int fd, uint32_t port); /* to the far host, which must serve */
struct conn conn_of(const struct answer *a);
struct answer listen_at(struct world *w, int fd, const char *addr, uint32_t port, uint32_t backlog);
int listener_of(struct world *w, int fd, const char *addr, uint32_t port);

#endif
