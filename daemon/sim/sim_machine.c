/* SPDX-License-Identifier: BSD-3-Clause
 * What the machine under test is told: by an operator (renew, release, a static address), or by a program (a ping, a
 * look-up, a connection).
 */
#include "sim/sim.h"

#include "stack/stack_dgram.h"
#include "stack/stack_tcp.h"

#include <stdio.h>

/* --- echo --------------------------------------------------------------------------------------------------------- */

static void on_echo(void *arg, const struct stack_echo_event *ev) {
  struct sim *sim = arg;
  char from[NET_ADDR_STRLEN];
  static const char *const what[] = {"reply", "unreachable", "time exceeded"};
  sim->pings += ev->kind == STACK_ECHO_REPLY;
  sim_print(sim, SIM_CHANGE, "ping: %s from %s", what[ev->kind], net_addr_format(&ev->from, from));
}

static int do_ping(struct sim *sim, const struct net_addr *to) {
  int r = sim->echo != NULL ? 0 : stack_echo_open(sim->stack, on_echo, sim, &sim->echo);
  return r < 0 ? r : stack_echo_send(sim->echo, to, ++sim->echo_seq, 0, "capnet", 6);
}

/* --- look-ups ----------------------------------------------------------------------------------------------------- */

static const char *error_word(int error) {
  switch (error) {
  case -ENOENT: return "no-such-name";
  case -ENODATA: return "no-such-record";
  case -ETIMEDOUT: return "timed-out";
  case -EREMOTEIO: return "server-failed";
  case -ECONNREFUSED: return "refused";
  case -ENONET:
  case -EADDRNOTAVAIL: return "no-configuration";
  default: return "failed";
  }
}

static void on_answer(void *arg, int error, const struct names_answer *a) {
  struct sim *sim = arg;
  char addr[NET_ADDR_STRLEN];
  size_t used = 0;
  sim->query = NULL;
  (void)snprintf(sim->answer, sizeof sim->answer, "%s", error < 0 ? error_word(error) : "");
  for (unsigned i = 0; error == 0 && i < a->n_addresses && used < sizeof sim->answer; i++)
    used += (size_t)snprintf(sim->answer + used, sizeof sim->answer - used, "%s%s", i > 0 ? " " : "",
                             net_addr_format(&a->addresses[i].addr, addr));
  sim_print(sim, SIM_CHANGE, "resolve %s: %s", a->name, sim->answer);
}

static int do_resolve(struct sim *sim, const char *name) {
  const struct names_request rq = {.name = name, .type = NAMES_A, .answer_max = 4096};
  sim->query = names_cancel(sim->query);
  sim->answer[0] = '\0';
  return names_resolve(sim->names, &rq, on_answer, sim, &sim->query);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static void on_connected(void *arg) {
  struct sim_connection *c = arg;
  struct iovec iov[2];
  c->connected = true;
  sim_print(c->sim, SIM_CHANGE, "connection %u: open", c->number);
  if (stack_conn_send_space(c->conn, iov) > 0 && iov[0].iov_len >= 5) {
    memcpy(iov[0].iov_base, "hello", 5);
    (void)stack_conn_send_commit(c->conn, 5);
  }
}

static void on_readable(void *arg) {
  struct sim_connection *c = arg;
  size_t n = stack_conn_unread(c->conn);
  stack_conn_consume(c->conn, n);
  sim_print(c->sim, SIM_CHANGE, "connection %u: %zu bytes%s", c->number, n,
            stack_conn_eof(c->conn) ? ", and the end" : "");
}

static void on_ended(void *arg, enum stack_end why) {
  struct sim_connection *c = arg;
  c->connected = false;
  sim_print(c->sim, SIM_CHANGE, "connection %u: ended: %s", c->number, stack_end_name(why));
  c->conn = stack_conn_close(c->conn);
}

static int do_connect(struct sim *sim, const struct net_addr *to, uint16_t port) {
  static const struct stack_conn_ops ops = {.connected = on_connected, .readable = on_readable, .ended = on_ended};
  for (unsigned i = 0; i < SIM_CONNECTIONS_MAX; i++) {
    struct sim_connection *c = &sim->connections[i];
    if (c->conn != NULL)
      continue;
    *c = (struct sim_connection){.sim = sim, .number = ++sim->n_connections};
    return stack_tcp_connect(sim->stack, NULL, &(struct net_endpoint){*to, port}, &ops, c, &c->conn);
  }
  return -ENOBUFS;
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

static int set_static(struct sim *sim, const struct fixture_value *v) {
  struct netconf_static s = {.addr = v->addr[0], .prefix_len = v->prefix_len};
  if (v->n_addr > 1)
    s.gateway = v->addr[1];
  return netconf_set_static(sim->netconf, &s, NULL);
}

void sim_do(struct sim *sim, const struct fixture_step *step) {
  const struct fixture_value *v = &step->v;
  int r = 0;
  switch (step->key) {
  case KEY_RENEW: r = netconf_renew(sim->netconf); break;
  case KEY_RELEASE: r = netconf_release(sim->netconf); break;
  case KEY_SET_STATIC: r = set_static(sim, v); break;
  case KEY_USE_DHCP: r = netconf_use_dhcp(sim->netconf); break;
  case KEY_RESOLVE: r = do_resolve(sim, v->text != NULL ? v->text : "none"); break;
  case KEY_PING: r = do_ping(sim, &v->addr[0]); break;
  case KEY_CONNECT: r = do_connect(sim, &v->addr[0], (uint16_t)v->number); break;
  case KEY_EXPECT: sim_expect(sim, step); break;
  default: break;
  }
  if (r < 0)
    sim_print(sim, SIM_CHANGE, "that cannot be done: %s", strerror(-r));
}

void sim_machine_done(struct sim *sim) {
  for (unsigned i = 0; i < SIM_CONNECTIONS_MAX; i++)
    sim->connections[i].conn = stack_conn_abort(sim->connections[i].conn, STACK_END_RESET_LOCAL);
  sim->query = names_cancel(sim->query);
  if (sim->echo != NULL)
    sim->echo = stack_echo_close(sim->echo);
}
