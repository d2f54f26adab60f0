/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-sim: a script run on the whole stack over the fixture, by clocks that it moves itself. sim_main.c reads, sim.c runs,
 * sim_boot.c makes the machine and sim_machine.c does what it is told, sim_port.c is the plug between it and the far end,
 * sim_expect.c compares, sim_print.c writes the timeline.
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
  struct nic *far; /* the fixture */
  /* The machine; NULL while it is stopped. */
  struct sim_port *port; /* the stack's */
  struct stack *stack;
  struct stack_if *iface;
  struct names *names;
  struct netconf *netconf;
  bool off;          /* stopped, or being so */
  unsigned starts;
  char state_dir[100]; /* of the file of the last lease; "": none */
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

/* sim_boot.c. An error of starting is none of a script: it cannot be run then. */
int sim_start_machine(struct sim *sim);
void sim_stop_machine(struct sim *sim); /* at once: no lease is given back, no connection reset */
int sim_state_open(struct sim *sim);
void sim_state_close(struct sim *sim);
int sim_lease_file(struct sim *sim, enum fixture_lease_file what); /* -ENOENT: there is none */

/* sim_port.c */
int sim_far_open(struct sim *sim, const struct fixture_config *cfg);
int sim_port_open(struct sim *sim, struct nic **ret);

/* sim_machine.c */
int sim_do(struct sim *sim, const struct fixture_step *step);
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
