/* SPDX-License-Identifier: BSD-3-Clause
 * What the four TCP kinds share: values between wire and stack, and the one way in which a connection is handed over.
 */
#ifndef CAPNET_CAP_TCP_COMMON_H
#define CAPNET_CAP_TCP_COMMON_H

#include "cap/cap.h"
#include "flow/flow.h"
#include "proto/tcp.pb-c.h"

/* Parses an endpoint of a request; answers MALFORMED and returns false. A missing port is 0 only if port_optional. */
bool tcp_endpoint_parse(struct call *call, const char *field, const Capnet__TcpEndpoint *e, bool port_optional,
                        struct net_endpoint *ret);
struct tcp_endpoint_text {
  Capnet__TcpEndpoint msg;
  char text[NET_ADDR_STRLEN];
};
Capnet__TcpEndpoint *tcp_endpoint_fill(struct tcp_endpoint_text *t, const struct net_endpoint *e);

/* What the connections of an authority begin with: all zero, but for what its grant presets. */
struct stack_conn_options tcp_options_preset(const struct cap *authority);
/* Absent members keep what *o has. Answers MALFORMED, naming the controllers that there are, and returns false. */
bool tcp_options_parse(struct call *call, const Capnet__TcpOptions *m, struct stack_conn_options *o);
void tcp_options_fill(Capnet__TcpOptions *m, const struct stack_conn_options *o);

/* Answers MALFORMED, or UNAVAILABLE for a real socket where there are none, and returns false. */
bool tcp_form_parse(struct call *call, bool has_form, Capnet__TcpForm form, enum flow_form_wish *ret);
void tcp_no_sockets(struct call *call);

struct tcp_label {
  struct flow_label flow;
  char taken_by[CAP_TAKER_STRLEN];
};
void tcp_label(const struct auth_node *n, struct tcp_label *ret); /* borrows of n */

/* How the end of a connection reads as an error of a call. */
int tcp_end_errno(enum stack_end why);

/* An established connection becomes a TcpSocket below `authority`, and a TcpConnection. On success the caller passes the
 * descriptors on; on failure the connection was reset and why says what to answer. Without control nobody holds the
 * TcpSocket: it lives as long as the connection. */
struct tcp_handover {
  Capnet__TcpConnection msg;
  struct tcp_endpoint_text local, remote;
  Capnet__Descriptor data_slot, control_slot;
  int data, control; /* the caller's; control -1: none */
};
int tcp_hand_over(struct cap *authority, struct stack_conn *conn, enum flow_form_wish wish, bool control,
                  struct tcp_handover *ret, struct auth_refusal *why);
/* The same, as the answer of a call. */
void tcp_answer(struct call *call, struct cap *authority, struct stack_conn *conn, enum flow_form_wish wish,
                bool control);
/* The same for who holds the listening socket: nobody is given the TcpSocket. */
int tcp_enter(struct cap *authority, struct flow_listener *l, struct stack_conn *conn, struct auth_refusal *why);

/* Of cap_tcp_socket.c: gives the control its flow. */
void cap_tcp_socket_attach(struct cap *c, struct flow *f);
extern const struct flow_ops cap_tcp_socket_flow_ops;

#endif
