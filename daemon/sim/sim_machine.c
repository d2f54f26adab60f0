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
  static const char *const what[] = {[STACK_ECHO_REPLY] = "reply",
                                     [STACK_ECHO_UNREACHABLE] = "unreachable",
                                     [STACK_ECHO_TTL_EXCEEDED] = "time exceeded",
                                     [STACK_ECHO_TOO_BIG] = "packet too big",
                                     [STACK_ECHO_PARAMETER_PROBLEM] = "parameter problem"};
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

static int set_static6(struct sim *sim, const struct fixture_value *v) {
  struct netconf_static6 s = {.list = {{.addr = v->addr[0], .prefix_len = v->prefix_len}}, .n = 1};
  if (v->n_addr > 1)
    s.gateway = v->addr[1];
  return netconf_set_static6(sim->netconf, &s, NULL);
}

static int set_static(struct sim *sim, const struct fixture_value *v) {
  if (v->addr[0].family == AF_INET6)
    return set_static6(sim, v);
  struct netconf_static s = {.addr = v->addr[0], .prefix_len = v->prefix_len};
  if (v->n_addr > 1)
    s.gateway = v->addr[1];
  return netconf_set_static(sim->netconf, &s, NULL);
}

/* What only a machine that runs can do. */
static int do_running(struct sim *sim, const struct fixture_step *step) {
  const struct fixture_value *v = &step->v;
  if (sim->netconf == NULL)
    return -ENOTCONN;
  switch (step->key) {
  case KEY_RENEW: return netconf_renew(sim->netconf);
  case KEY_RELEASE: return netconf_release(sim->netconf);
  case KEY_SET_STATIC: return set_static(sim, v);
  case KEY_USE_DHCP: return netconf_use_dhcp(sim->netconf);
  case KEY_RENEW6: return netconf_renew6(sim->netconf);
  case KEY_RELEASE6: return netconf_release6(sim->netconf);
  case KEY_USE_AUTO: return netconf_set_static6(sim->netconf, &(struct netconf_static6){0}, NULL);
  case KEY_RESOLVE: return do_resolve(sim, v->text != NULL ? v->text : "none");
  case KEY_PING: return do_ping(sim, &v->addr[0]);
  case KEY_CONNECT: return do_connect(sim, &v->addr[0], (uint16_t)v->number);
  default: return 0;
  }
}

int sim_do(struct sim *sim, const struct fixture_step *step) {
  int r = 0;
  switch (step->key) {
  case KEY_EXPECT:
    sim_expect(sim, step);
    break;
  case KEY_STOP:
    sim_stop_machine(sim);
    break;
  case KEY_START:
    sim_stop_machine(sim);
    return sim_start_machine(sim);
  case KEY_LEASE_FILE:
    r = sim_lease_file(sim, (enum fixture_lease_file)step->v.number);
    break;
  default:
    r = do_running(sim, step);
  }
  if (r < 0)
    sim_print(sim, SIM_CHANGE, "that cannot be done: %s", r == -ENOTCONN ? "it is stopped" : strerror(-r));
  return 0;
}

void sim_machine_done(struct sim *sim) {
  for (unsigned i = 0; i < SIM_CONNECTIONS_MAX; i++) {
    sim->connections[i].conn = stack_conn_abort(sim->connections[i].conn, STACK_END_RESET_LOCAL);
    sim->connections[i].connected = false;
  }
  sim->query = names_cancel(sim->query);
  if (sim->echo != NULL)
    sim->echo = stack_echo_close(sim->echo);
}
