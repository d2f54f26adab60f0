/* SPDX-License-Identifier: BSD-3-Clause
 * Inside the flow room: the table's records, and the form that a client's descriptor takes.
 */
#ifndef CAPNET_FLOW_IMPL_H
#define CAPNET_FLOW_IMPL_H

#include "flow/flow.h"

/* A form of the client's descriptor. The pump knows only this. All calls are non-blocking. */
struct flow_form {
  const char *name;
  /* Ends our side so that the client sees the best it can of `why`. The descriptor is closed. eof: the client's end of
   * file was read. */
  void (*close)(int ours, enum stack_end why, bool eof);
  /* Passes the peer's FIN on. false: it cannot be yet; asked again when our end is writable. */
  bool (*shut)(int ours);
  /* Is all that our end was given, its own end of file included, with the client's end, or is that gone? If not, nothing
   * tells when. */
  bool (*delivered)(int ours);
  /* The client is to write no more, where that can be had: else what it writes from now on is not read. */
  void (*stop)(int ours);
  /* The client wrote its last byte. From now on a full close of its end is to be told, too, as a hang-up. */
  void (*half)(int ours);
  /* The client does not keep up: more room towards it, once in the life of a flow. false: there is none to be had. NULL: as
   * roomy as it gets. */
  bool (*grow)(int ours);
  /* After a hang-up: was the client's end closed with bytes unread? */
  bool (*unread)(int ours);
};
extern const struct flow_form flow_form_pair, flow_form_socket;

/* The two ends of a descriptor: ours is never waited on, the client's is blocking. */
struct flow_ends {
  const struct flow_form *form;
  int ours, client;
  struct seal_chamber *chamber; /* NULL: of a pair */
};
#define FLOW_ENDS_NONE ((struct flow_ends){.ours = -1, .client = -1})
int flow_pair_open(struct flow_ends *ret);
int flow_socket_open(struct flow_table *t, const struct stack_conn *conn, uint64_t owner, struct flow_ends *ret);
/* A flow over ends, which are taken over on success; on failure conn is aborted. */
int flow_start(struct flow_table *t, struct stack_conn *conn, struct flow_ends *ends, const struct flow_label *label,
               const struct flow_ops *ops, void *arg, struct flow **ret);
void flow_ends_done(struct flow_ends *e);
/* What is over on the wire, but stands in the chamber yet with these addresses, ends: its peer has begun anew. Also a
 * socket that a program kept from hearing of its end. false: there was nothing. */
bool flow_make_way(struct flow_table *t, const struct seal_chamber *c, const struct stack_conn_info *info);

/* The text of a label, shared by those that have the same. */
struct flow_who {
  struct list link; /* of the table: the one that was used last is the first */
  unsigned refs;
  char grant[FLOW_GRANT_MAX], taken_by[FLOW_TAKER_MAX];
};

/* Where every live thing stands in the table. */
struct flow_entry {
  struct list link;
  uint64_t id;
  enum flow_kind kind;
  struct flow_who *who;
  struct flow_label label; /* text of who's */
  uint64_t opened_ns;
};

struct flow_table {
  struct loop *loop;
  struct stack *stack;
  struct seal *seal; /* NULL: no real sockets */
  char no_seal[SEAL_WHY_MAX];
  uint64_t n_sockets, n_fallbacks;
  struct flow_io io;
  struct list whos;
  struct list live;
  unsigned n_live[3]; /* by kind */
  uint64_t last_id;
  struct list dead; /* of struct flow_dead, oldest first */
  unsigned n_dead;
  flow_change_fn change;
  void *change_arg;
};

/* First and last of an entry: its label. -ENOMEM. */
int flow_entry_init(struct flow_table *t, struct flow_entry *e, enum flow_kind kind, const struct flow_label *label);
void flow_entry_done(struct flow_entry *e); /* also of one that is all zero */
void flow_entry_add(struct flow_table *t, struct flow_entry *e);
void flow_entry_remove(struct flow_table *t, struct flow_entry *e);
/* A socket came to be: tells whoever wants to know. */
void flow_announce(struct flow_table *t, const struct flow_entry *e);
/* Remembers what e was; info is what it said last, its end included. */
void flow_bury(struct flow_table *t, const struct flow_info *info);
/* Fills what every kind has in common. */
void flow_entry_info(const struct flow_entry *e, struct flow_info *ret);

void flow_tcp_info(const struct flow_entry *e, struct flow_info *ret);
void flow_tcp_born_info(const struct flow_entry *e, struct flow_info *ret); /* without the client's side */
void flow_listener_entry_info(const struct flow_entry *e, struct flow_info *ret);
void flow_attempt_info(const struct flow_entry *e, struct flow_info *ret);

#endif
