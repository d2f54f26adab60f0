/* SPDX-License-Identifier: BSD-3-Clause
 * Inside the flow room: the table's records, and the form that a client's descriptor takes.
 */
#ifndef CAPNET_FLOW_IMPL_H
#define CAPNET_FLOW_IMPL_H

#include "flow/flow.h"

/* A form of the client's descriptor. The pump knows only this. All calls are non-blocking. */
struct flow_form {
  const char *name;
  /* Makes the two ends; ret_ours is non-blocking. -EMFILE, -ENFILE, -ENOMEM. */
  int (*open)(int *ret_ours, int *ret_client);
  /* Ends our side so that the client sees the best it can of `why`. The descriptor is closed. */
  void (*close)(int ours, enum stack_end why);
};
extern const struct flow_form flow_form_pair;

/* Where every live thing stands in the table. */
struct flow_entry {
  struct list link;
  uint64_t id;
  enum flow_kind kind;
  struct flow_label label;
  uint64_t opened_ns;
};

struct flow_table {
  struct loop *loop;
  struct stack *stack;
  struct list live;
  unsigned n_live[3]; /* by kind */
  uint64_t last_id;
  struct list dead; /* of struct flow_dead, oldest first */
  unsigned n_dead;
  flow_change_fn change;
  void *change_arg;
};

void flow_entry_add(struct flow_table *t, struct flow_entry *e, enum flow_kind kind, const struct flow_label *label);
void flow_entry_remove(struct flow_table *t, struct flow_entry *e);
/* A socket came to be: tells whoever wants to know. */
void flow_announce(struct flow_table *t, const struct flow_entry *e);
/* Remembers what e was; info is what it said last, its end included. */
void flow_bury(struct flow_table *t, const struct flow_info *info);
/* Fills what every kind has in common. */
void flow_entry_info(const struct flow_entry *e, struct flow_info *ret);

void flow_tcp_info(const struct flow_entry *e, struct flow_info *ret);
void flow_listener_entry_info(const struct flow_entry *e, struct flow_info *ret);
void flow_attempt_info(const struct flow_entry *e, struct flow_info *ret);

#endif
