/* SPDX-License-Identifier: BSD-3-Clause
 * A scripted DNS server on the far interface of tests/unit/stack_util.h: what it does is said by the first label of the
 * name asked, or by a mode of the port that was asked. UDP and TCP.
 */
#ifndef CAPNET_TESTS_DNS_SERVER_H
#define CAPNET_TESTS_DNS_SERVER_H

#include "base/util.h"
#include "names/names.h"
#include "../unit/stack_util.h"

enum dns_mode { DNS_ANSWER, DNS_SILENT, DNS_SERVFAIL, DNS_REFUSED, DNS_JUNK };

struct dns_port {
  struct dns_server *server;
  uint16_t port;
  enum dns_mode mode;
  struct stack_udp *udp;
  struct stack_listener *tcp;
  struct stack_conn *conn;
  unsigned queries, tcp_queries;
  struct net_endpoint client[64]; /* of each query */
};
struct dns_server {
  struct net *net;
  struct dns_port ports[2]; /* 53, 5353 */
  char asked[32][NAMES_NAME_MAX];
  unsigned n_asked;
};

void dns_open(struct dns_server *s, struct net *net);
void dns_close(struct dns_server *s);
void dns_deaf(struct dns_port *p); /* nothing listens on its UDP port any more */

#endif
