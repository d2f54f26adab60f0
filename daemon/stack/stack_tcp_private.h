/* SPDX-License-Identifier: BSD-3-Clause
 * A TCP connection as the files stack_tcp*.c share it.
 *
 * Sending: bytes lie in chunks, and lwIP's segments point into them without copying; a chunk is freed when all of it
 * was acknowledged, or the pcb is gone. Receiving: lwIP's buffers in a list with a tail; small ones are copied together,
 * or a peer that sends single bytes would make us hold hundreds for each.
 *
 * The receive window: rcv_wnd + rx_bytes + credit - debt is the capacity, always. What is consumed becomes credit, and
 * is given to lwIP once a turn; shrinking the capacity makes a debt that consumption pays first.
 */
#ifndef CAPNET_STACK_TCP_PRIVATE_H
#define CAPNET_STACK_TCP_PRIVATE_H

#include "base/block.h"
#include "stack/stack_private.h"

/* Queues at first; they grow with what the path carries in one round trip (stack_tcp_tune.c). */
#define STACK_SNDBUF (512u * 1024)
#define STACK_SNDBUF_MAX (6u * 1024 * 1024)
#define STACK_SNDBUF_PACKETS 4500u /* with a peer of small packets: each acknowledgement looks at all that are out */
#define STACK_RCVBUF (512u * 1024) /* stack_conn_set_rcvbuf: up to TCP_WND */
/* Where memory is promised to others already: what the SYN said, also until somebody accepts it. Never less (or two
 * packets, where these are larger): a peer's first flight fits (RFC 6928), and nothing that was offered is taken back. */
#define STACK_RCVBUF_FLOOR TCP_SYN_WND
#define STACK_RCVBUF_MIN 4096u
#define STACK_CHUNK_FIRST (16u * 1024) /* of an empty queue: most exchanges are small */
#define STACK_CHUNK_MORE (BLOCK_SIZE - sizeof(struct tx_chunk)) /* a block */
#define STACK_SMALL 700u             /* a payload shorter than this is copied */
#define STACK_COALESCE 2048u         /* into buffers of this size */
#define STACK_ORPHAN_NS (60 * NSEC_PER_SEC) /* a closed connection whose peer takes nothing more */

/* What is thought of the size of packets, and until when: stack_tcp_path.c */
enum conn_path_state {
  PATH_KNOWN,   /* it is as large as it can be, or was lowered for a reason, until raise_ns */
  PATH_SUSPECT, /* lowered, for nothing that was sent since seq is answered; before is put back if that does not help */
  PATH_CLEARED, /* ... and it did not: the size is not asked again before something is answered */
  PATH_TRIAL    /* larger ones than before are tried */
};
struct conn_path {
  uint64_t raise_ns; /* monotonic; 0: nothing is to be raised, or it is not known yet when */
  uint32_t seq, pending_seq;
  uint16_t ceiling; /* pcb->mss_max before the interface's MTU went below it; 0: it did not */
  uint16_t before, pending; /* an MSS; an MTU that was claimed and is not believed yet, 0: none */
  uint8_t state, origin;    /* enum conn_path_state, enum stack_path_origin */
  uint8_t next;             /* of pcb->nrtx, at which the next size is tried */
  bool found;               /* a black hole, once */
};

enum conn_events {
  CONN_CONNECTED = 1,
  CONN_READABLE = 2,
  CONN_WRITABLE = 4,
  CONN_ACKED = 8,
  CONN_ENDED = 16
};

struct tx_chunk {
  struct list link;
  size_t cap, start, written, end; /* start <= written (handed to lwIP) <= end (committed) */
  uint8_t data[];
};

struct stack_conn {
  struct list link, dirty_link, wait_link, starved_link; /* wait_link: of its listener, or of who is connecting */
  struct stack *s;
  struct tcp_pcb *pcb;              /* NULL: over */
  struct stack_listener *listener;  /* waits to be accepted */
  const struct stack_conn_ops *ops; /* NULL: nobody holds it */
  void *arg;
  unsigned events;
  bool held, connected, fin_in, fin_wanted, fin_sent, tx_blocked;

  struct list tx;
  size_t tx_len, tx_unwritten; /* not acknowledged, of these not handed to lwIP */

  struct pbuf *rx_head, *rx_tail;
  uint16_t rx_off, rx_room; /* consumed of the head; free in the tail */
  size_t rx_bytes, rx_capacity, rx_credit, rx_debt;
  size_t rx_first, rx_grown;  /* its part of the stack's sums */
  size_t rx_max, tune_bytes;  /* how far the capacity may grow; taken since tune_ns */
  uint64_t tune_ns;

  struct stack_conn_options options;
  uint64_t progress_ns, activity_ns, opened_ns;
  uint64_t bytes_in, bytes_out;
  struct conn_path path;
  int icmp_error; /* that a router told of (RFC 1122 4.2.3.9), and when; 0: none */
  uint64_t icmp_ns;
  enum stack_end end;
  int end_error;
  struct stack_conn_info *last; /* what lwIP knew when the pcb went; NULL before, or without memory */
};

/* stack_tcp.c */
struct stack_conn *conn_new(struct stack *s); /* NULL: over the limit, counted */
struct stack_conn *conn_free(struct stack_conn *c);
void conn_attach(struct stack_conn *c, struct tcp_pcb *pcb);
struct stack_conn *conn_of_pcb(const struct tcp_pcb *pcb); /* NULL: nobody's (yet, or any more) */
struct tcp_pcb *conn_detach(struct stack_conn *c); /* returns the pcb, which no longer knows us */
void conn_dirty(struct stack_conn *c);
void conn_event(struct stack_conn *c, unsigned events);
void conn_end(struct stack_conn *c, enum stack_end why, int error);
void conn_kill(struct stack_conn *c, enum stack_end why, int error, bool rst);
int conn_icmp_error(const struct stack_conn *c);    /* that came since something was acknowledged, or 0 */
int conn_timeout_error(const struct stack_conn *c); /* what else is known of why nothing was answered */

/* stack_tcp_io.c */
void conn_receive(struct stack_conn *c, struct pbuf *p);
void conn_sent(struct stack_conn *c, size_t n);
void conn_set_capacity(struct stack_conn *c, size_t bytes);
void conn_window_open(struct stack_conn *c); /* once, when established */
void conn_output(struct stack_conn *c);
void conn_rx_free(struct stack_conn *c);
void conn_tx_free(struct stack_conn *c);

/* stack_tcp_tune.c */
size_t conn_send_limit(const struct stack_conn *c);
void conn_tune_receive(struct stack_conn *c, size_t n);
void conn_promise(struct stack_conn *c); /* what it may come to hold has changed */
void conn_promise_nothing(struct stack_conn *c);
size_t conn_first_window(const struct stack_conn *c); /* so much it may offer when it begins */
/* The sizes of windows, as numbers alone: share is what all connections together may have promised, others what those
 * others have. */
size_t tune_first(size_t share, size_t others);
size_t tune_grown(size_t share, size_t others); /* by how much a window may have grown */

/* stack_congestion.c */
void conn_use_congestion(struct stack_conn *c, const char *name); /* one that there is; pcb not NULL */

/* stack_tcp_path.c */
void conn_path_serve(struct stack_conn *c); /* something was acknowledged, or is about to be sent */
bool conn_path_timed_out(struct stack_conn *c);

/* stack_tcp_info.c */
void conn_snapshot(const struct stack_conn *c, struct stack_conn_info *ret);

/* stack_tcp_timeout.c */
void conn_timer_check(struct stack_conn *c); /* something it waits for, or how long, has changed */

/* stack_tcp_listen.c */
void conn_left_queue(struct stack_conn *c);
bool stack_listener_on_port(struct stack *s, uint16_t port);

#endif
