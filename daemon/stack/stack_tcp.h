/* SPDX-License-Identifier: BSD-3-Clause
 * TCP connections and listeners of the stack, pull style: the stack queues, the room above takes what it can pass on.
 *
 * Life of a connection: stack_tcp_connect or stack_listener_accept gives it to the caller, who ends it with exactly one
 * stack_conn_close or stack_conn_abort, also after `ended`. Neither calls `ended`. `ended` is the last upcall.
 */
#ifndef CAPNET_STACK_TCP_H
#define CAPNET_STACK_TCP_H

#include "stack/stack.h"

#include <sys/uio.h>

struct stack_conn;
struct stack_listener;

/* Why a connection ended; kept for status after its end. */
enum stack_end {
  STACK_END_NONE,          /* alive */
  STACK_END_CLOSED,        /* both FINs */
  STACK_END_RESET_BY_PEER,
  STACK_END_RESET_LOCAL,   /* the holder closed with unread data, or aborted */
  STACK_END_REFUSED,       /* RST in answer to our SYN */
  STACK_END_TIMED_OUT,     /* retransmissions, keepalive, user or idle timeout */
  STACK_END_UNREACHABLE,   /* while connecting: ICMP told so, or the next hop does not answer */
  STACK_END_REVOKED,
  STACK_END_ADDRESS_LOST,
  STACK_END_LIMIT,         /* the daemon's own limit */
  STACK_END_COUNT
};
const char *stack_end_name(enum stack_end e); /* "closed", "reset-by-peer", … */

/* Where the size of a connection's packets comes from. */
enum stack_path_origin { STACK_PATH_INTERFACE, STACK_PATH_ICMP, STACK_PATH_CACHE, STACK_PATH_BLACK_HOLE };
const char *stack_path_origin_name(enum stack_path_origin o); /* "interface", "icmp", "cache", "black-hole" */

/* Of stack_conn_info.icmp_error and of end_error: "host-unreachable", …; NULL: ICMP does not tell such a thing. */
const char *stack_icmp_error_name(int error);

enum stack_tcp_state { /* RFC 9293 3.3.2 */
  STACK_TCP_CLOSED,
  STACK_TCP_LISTEN,
  STACK_TCP_SYN_SENT,
  STACK_TCP_SYN_RECEIVED,
  STACK_TCP_ESTABLISHED,
  STACK_TCP_FIN_WAIT_1,
  STACK_TCP_FIN_WAIT_2,
  STACK_TCP_CLOSE_WAIT,
  STACK_TCP_CLOSING,
  STACK_TCP_LAST_ACK,
  STACK_TCP_TIME_WAIT
};
const char *stack_tcp_state_name(enum stack_tcp_state s); /* as ss prints it: "ESTAB", "SYN-SENT", … */

/* Called from the loop's turn, at most once a turn each; several causes are one call. NULL members are skipped.
 * Any call on the connection, its end included, is allowed inside. */
struct stack_conn_ops {
  void (*connected)(void *arg);
  void (*readable)(void *arg);                  /* bytes, or the peer's FIN, are queued */
  void (*writable)(void *arg);                  /* space after the send queue was full */
  void (*acked)(void *arg);                     /* the send queue became empty */
  void (*ended)(void *arg, enum stack_end why); /* the receive queue stays readable until close */
};

/* local may be NULL: address by route, a port that cannot be guessed (RFC 6056) and was not used for that destination
 * lately. Returns at once; `connected` or `ended` follows. -ENONET, -ENETUNREACH, -EADDRINUSE, -EADDRNOTAVAIL,
 * -ENOBUFS. */
int stack_tcp_connect(struct stack *s, const struct net_endpoint *local, const struct net_endpoint *remote,
                      const struct stack_conn_ops *ops, void *arg, struct stack_conn **ret);
void stack_conn_set_ops(struct stack_conn *c, const struct stack_conn_ops *ops, void *arg);

/* Received bytes not yet consumed, as up to max pieces; returns how many pieces. They stay valid until the next call. */
int stack_conn_peek(struct stack_conn *c, struct iovec *iov, int max);
/* Drops n bytes (at most what was queued) from the front and opens the receive window by as much. */
void stack_conn_consume(struct stack_conn *c, size_t n);
size_t stack_conn_unread(const struct stack_conn *c);
bool stack_conn_eof(const struct stack_conn *c); /* the peer's FIN has come and every byte before it was consumed */
/* How much the stack will queue for receiving: the window never exceeds it. Rounded to what TCP can offer. Shrinking it
 * after the first byte takes back no window that was promised: it counts as that is used up. _max: up to so much, as
 * long as the holder takes what comes; less at first, and the less the more the windows of all others promise. */
void stack_conn_set_rcvbuf(struct stack_conn *c, size_t bytes);
void stack_conn_set_rcvbuf_max(struct stack_conn *c, size_t bytes);

/* Where the next bytes to send go: free space of the send queue as up to two pieces, to read into, then commit, before
 * the loop's turn ends; committing 0 gives the space back. */
int stack_conn_send_space(struct stack_conn *c, struct iovec iov[2]);
int stack_conn_send_commit(struct stack_conn *c, size_t n); /* -EPIPE after shutdown, -ECONNRESET after the end */
size_t stack_conn_unacked(const struct stack_conn *c);      /* bytes in the send queue, sent or not */
int stack_conn_shutdown_write(struct stack_conn *c);        /* FIN after what is queued; idempotent */

/* The holder is gone: FIN after what is queued, or RST when received bytes were never consumed (as Linux does, RFC 2525
 * 2.17). The connection ends its life inside the stack. Return NULL; NULL is fine. */
struct stack_conn *stack_conn_close(struct stack_conn *c);
struct stack_conn *stack_conn_abort(struct stack_conn *c, enum stack_end why); /* RST now */

/* 0 switches off. Keepalive: RFC 9293 3.8.4. User timeout: RFC 5482, data may stay unacknowledged so long. Idle
 * timeout: no byte in either direction for so long. */
struct stack_conn_options {
  uint32_t keepalive_idle_s, keepalive_interval_s, keepalive_count;
  uint32_t user_timeout_ms, idle_timeout_ms;
  bool nodelay;
  const char *congestion; /* controller by name; NULL: as it is, the default of a new connection */
};
int stack_conn_set_options(struct stack_conn *c, const struct stack_conn_options *o); /* -EINVAL */
bool stack_conn_options_valid(const struct stack_conn_options *o);
const char *stack_congestion_find(const char *name); /* that controller's name, static; NULL: there is none */
#define STACK_CONGESTION_STRLEN 64
const char *stack_congestion_names(char buf[STACK_CONGESTION_STRLEN]); /* of all, the default first: "cubic, reno" */

struct stack_conn_info {
  struct net_endpoint local, remote;
  enum stack_tcp_state state;
  enum stack_end end;
  int end_error; /* -errno that says it finer, 0 when end says it all; of a time-out: what a router said before */
  struct stack_conn_options options;
  size_t recv_queue, recv_capacity; /* bytes the room above has not taken */
  size_t send_queue, send_capacity; /* bytes not acknowledged */
  uint32_t peer_window, our_window;
  uint32_t cwnd, ssthresh;
  uint16_t mss;
  unsigned mtu;
  const char *mtu_origin;
  unsigned path_mtu; /* largest packet sent; 0: not known any more */
  enum stack_path_origin path_origin;
  int icmp_error;               /* -errno of the last ICMP error since something was acknowledged, 0: none */
  const char *congestion;       /* controller by name */
  uint64_t bytes_in, bytes_out; /* payload, accepted in order / acknowledged */
  uint64_t retransmits;
  bool has_rtt;                       /* a sample exists */
  uint32_t rtt_us, rttvar_us, rto_ms; /* the last with its back-off */
  uint64_t opened_ns;                 /* boot-time clock */
};
void stack_conn_info(const struct stack_conn *c, struct stack_conn_info *ret);

#endif
