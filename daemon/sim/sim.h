/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-sim: a script run on the whole stack over the fixture, by clocks that it moves itself. sim_main.c reads, sim.c runs,
 * sim_machine.c does what the machine is told, sim_expect.c compares, sim_print.c writes the timeline.
 */
#ifndef CAPNET_SIM_H
#define CAPNET_SIM_H

#include "fixture/fixture.h"
#include "names/names.h"
#include "netconf/netconf.h"

#define SIM_CONNECTIONS_MAX 8

/* What a line of the timeline is about. */
enum sim_kind { SIM_SCRIPT, SIM_SENT, SIM_RECEIVED, SIM_CHANGE, SIM_PASSED, SIM_FAILED };

struct sim_connection {
  struct sim *sim;
  struct stack_conn *conn; /* NULL: free */
  unsigned number;
  bool connected;
};

struct sim {
  const char *file; /* for messages */
  const struct fixture_script *script;
  bool json, quiet;
  struct loop *loop;
  struct stack *stack;
  struct nic *nic; /* the stack's */
  struct stack_if *iface;
  struct names *names;
  struct netconf *netconf;
  uint64_t start_ns; /* boot-time */
  uint64_t random;   /* what netconf draws from */
  unsigned *counts;  /* frames that each `expect sent` and `expect received` has seen */
  bool gone;
  unsigned passed, failed;
  struct stack_echo *echo;
  uint16_t echo_seq;
  unsigned pings; /* replies */
  struct names_query *query;
  char answer[256]; /* of the last look-up; "": none yet */
  struct sim_connection connections[SIM_CONNECTIONS_MAX];
  unsigned n_connections;
};

/* sim.c: runs it all. 0, or -errno when it could not be run; failed expectations are counted. */
int sim_run(struct sim *sim);

/* sim_machine.c */
void sim_do(struct sim *sim, const struct fixture_step *step);
void sim_machine_done(struct sim *sim); /* before the stack goes */

/* sim_expect.c. check: is there such an expectation? -EINVAL with the reason. */
int sim_expect_check(const struct fixture_step *step, char *reason, size_t size);
void sim_expect(struct sim *sim, const struct fixture_step *step);
void sim_expect_frame(struct sim *sim, bool sent, const char *text);

/* sim_print.c */
void sim_print(struct sim *sim, enum sim_kind kind, const char *fmt, ...) _printf_(3, 4);
void sim_print_event(struct sim *sim, const struct netconf_event *ev);
void sim_print_failed(struct sim *sim, unsigned line, const char *text, const char *wanted, const char *got);
uint64_t sim_elapsed(const struct sim *sim); /* ns since the beginning, suspensions counted */

#endif
