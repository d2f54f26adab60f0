/* SPDX-License-Identifier: BSD-3-Clause
 * The data plane above the stack: a flow moves the bytes of one TCP connection between the stack and the descriptor that
 * the client holds. What the descriptor is, a stream pair or a real TCP socket, is a form: an ops table in flow_impl.h.
 *
 * A flow is born from an established connection and gives one descriptor away. It lives until the connection is over and
 * the client has what it is due, or until flow_abort; then `over` is called, once. Every flow and listener stands in the
 * table with its label, and for a while what it was when it ended.
 */
#ifndef CAPNET_FLOW_H
#define CAPNET_FLOW_H

#include "base/list.h"
#include "seal/seal.h"
#include "stack/stack_listen.h"

struct flow;
struct flow_table;
struct flow_listener;

/* Who a socket belongs to, as status prints it: raw text, escape before printing. The table keeps a copy for all alike. */
struct flow_label {
  uint64_t cap_id;
  uint64_t owner; /* the grant, as a number that is never used twice: whose sealed namespaces its real sockets are in */
  const char *grant, *taken_by; /* cut to these, with the NUL */
};
enum { FLOW_GRANT_MAX = 64, FLOW_TAKER_MAX = 96 };

#define FLOW_DEAD_MAX 256 /* ended sockets remembered */
#define FLOW_TURN_BYTES (256u * 1024) /* of one connection, each way, in one turn of the loop; reading may pass it once */
#define FLOW_DEAD_NS (UINT64_C(600) * NSEC_PER_SEC)

int flow_table_new(struct loop *loop, struct stack *stack, struct flow_table **ret);
struct flow_table *flow_table_free(struct flow_table *t); /* every flow and listener is gone before */
struct stack *flow_stack(const struct flow_table *t);
uint64_t flow_next_id(struct flow_table *t); /* ids of sockets, never used twice */

/* What a client's descriptor may be. AUTO: a real socket where it can be had, else a stream pair. */
enum flow_form_wish { FLOW_FORM_AUTO, FLOW_FORM_SOCKET, FLOW_FORM_PAIR };
/* Real sockets come from seal, borrowed, freed after the table; NULL: there are none, and why says so. A new table has none. */
void flow_table_set_seal(struct flow_table *t, struct seal *seal, const char *why);
/* NULL while real sockets can be had, else a sentence. While the seal starts the first waits, the second says so. */
const char *flow_no_sockets(struct flow_table *t);
const char *flow_why_no_sockets(const struct flow_table *t);

/* --- one connection ---------------------------------------------------------------------------------------------- */

struct flow_ops {
  void (*over)(void *arg, enum stack_end why); /* the flow may be freed inside */
};

/* Takes over conn, established, and returns the client's descriptor (blocking, close-on-exec, the caller's). -EMFILE,
 * -ENOMEM, and when a real socket must be -ENOPKG (none can be had) and the errors of seal_chamber_get and seal_connect:
 * conn is aborted then (STACK_END_LIMIT). */
int flow_new(struct flow_table *t, struct stack_conn *conn, enum flow_form_wish wish, const struct flow_label *label,
             const struct flow_ops *ops, void *arg, struct flow **ret, int *ret_fd);
/* Nobody was given the descriptor after all, or the authority is gone: RST towards the wire, the end of the client's. */
void flow_abort(struct flow *f, enum stack_end why);
/* Sends FIN after what the client has written so far. */
void flow_shutdown(struct flow *f);
int flow_set_options(struct flow *f, const struct stack_conn_options *o);
struct flow *flow_free(struct flow *f); /* aborts what is not over; returns NULL */
bool flow_is_over(const struct flow *f);
bool flow_is_socket(const struct flow *f); /* its form; of one that is over, what it was */
uint64_t flow_id(const struct flow *f);

/* --- listeners ---------------------------------------------------------------------------------------------------- */

struct flow_listener_ops {
  void (*acceptable)(void *arg); /* call flow_accept, as long as it gives one */
  /* Its address is gone (STACK_END_ADDRESS_LOST); a real socket's program shut it down (STACK_END_CLOSED), or no connection
   * can be brought to it any more (STACK_END_LIMIT): noticed by flow_accept, inside of which this may be called. */
  void (*ended)(void *arg, enum stack_end why);
};
/* With socket, *ret_fd is a real listening socket, the caller's: the connections that flow_accept gives belong into it
 * (flow_enter), and it gives none while the socket's accept queue is full, which is when as many wait as the least of
 * o->backlog and what the program said in listen(2). Such a queue is looked at again from time to time, but only while
 * somebody waits. Otherwise ret_fd is not used. -ENOPKG: no real sockets; the errors of stack_tcp_listen and of
 * seal_listen. */
int flow_listen(struct flow_table *t, const struct net_endpoint *local, const struct stack_listen_options *o, bool socket,
                const struct flow_label *label, const struct flow_listener_ops *ops, void *arg,
                struct flow_listener **ret, int *ret_fd);
int flow_accept(struct flow_listener *l, struct stack_conn **ret); /* -EAGAIN */
/* As flow_new, but the client's end is what its accept(2) on the listening socket gives. */
int flow_enter(struct flow_listener *l, struct stack_conn *conn, const struct flow_label *label, const struct flow_ops *ops,
               void *arg, struct flow **ret);
/* Ends it; a real socket's accept(2) wakes with EINVAL. */
struct flow_listener *flow_listener_free(struct flow_listener *l);
void flow_listener_info(const struct flow_listener *l, struct stack_listener_info *ret);
uint64_t flow_listener_id(const struct flow_listener *l);
bool flow_listener_is_socket(const struct flow_listener *l);

/* --- attempts: connections that are not established yet, in the table like everything else -------------------------- */

struct flow_attempt;
struct flow_attempt_ops {
  void (*connected)(void *arg, struct stack_conn *conn);  /* conn is the caller's now; the attempt is gone */
  void (*failed)(void *arg, enum stack_end why, int error); /* the attempt is gone */
};
int flow_connect(struct flow_table *t, const struct net_endpoint *local, const struct net_endpoint *remote,
                 const struct stack_conn_options *options, const struct flow_label *label,
                 const struct flow_attempt_ops *ops, void *arg, struct flow_attempt **ret);
struct flow_attempt *flow_attempt_cancel(struct flow_attempt *a, enum stack_end why); /* no upcall; NULL is fine */

/* --- what status shows -------------------------------------------------------------------------------------------- */

enum flow_kind { FLOW_TCP, FLOW_LISTENER, FLOW_ATTEMPT };
enum flow_blocked {
  FLOW_BLOCKED_NOTHING,
  FLOW_BLOCKED_CLIENT_READING, /* the client does not read */
  FLOW_BLOCKED_CLIENT_SENDING, /* the client has nothing to send */
  FLOW_BLOCKED_PEER_WINDOW,
  FLOW_BLOCKED_ACCEPT_QUEUE
};
const char *flow_blocked_name(enum flow_blocked b);

struct flow_info {
  uint64_t id;
  enum flow_kind kind;
  const struct flow_label *label;
  bool dead;
  uint64_t ended_ns; /* boot-time, when dead */
  uint64_t opened_ns;
  struct stack_conn_info conn;         /* FLOW_TCP, FLOW_ATTEMPT */
  struct stack_listener_info listener; /* FLOW_LISTENER */
  enum flow_blocked blocked;
  const char *form; /* "pair", "socket"; NULL: none (yet) */
  bool has_queue;   /* a listener's real socket: its accept queue, and the backlog that the program gave it */
  unsigned queue, queue_backlog;
  bool has_client; /* the four below are known */
  size_t client_recv_queue, client_recv_capacity; /* towards the client, in the kernel's accounting of buffers */
  size_t client_send_queue, client_send_capacity; /* from the client, bytes */
};
void flow_each(struct flow_table *t, void (*fn)(void *arg, const struct flow_info *info), void *arg);
void flow_info(const struct flow *f, struct flow_info *ret);
/* Told when a socket came to be and when it ended (info->dead). The table itself must not be changed inside. */
typedef void (*flow_change_fn)(void *arg, const struct flow_info *info);
void flow_on_change(struct flow_table *t, flow_change_fn fn, void *arg);

struct flow_io { /* system calls on clients' descriptors, of all connections so far */
  uint64_t reads, reads_empty /* EAGAIN */, writes, writes_short, writes_refused; /* took a part, nothing */
};
struct flow_stats {
  uint64_t live, listeners, attempts, dead, total;
  uint64_t sockets, fallbacks; /* connections that became real sockets; that would have, but for an error: pairs */
  struct flow_io io;
  struct seal_stats seal;
};
void flow_get_stats(const struct flow_table *t, struct flow_stats *ret);

#endif
