/* SPDX-License-Identifier: BSD-3-Clause
 * Runs a script: makes the rooms from the bottom up, moves the clocks from step to step, and tells what happens. What is
 * random is drawn from the script's seed.
 */
#include "sim/sim.h"

#include "base/machine.h"
#include "stack/stack_rand.h"

#include <stdio.h>

/* --- what happens ------------------------------------------------------------------------------------------------- */

static void on_frame(void *arg, bool from_machine, const uint8_t *frame, size_t len) {
  struct sim *sim = arg;
  char text[FIXTURE_TEXT_MAX];
  (void)fixture_describe(frame, len, text);
  sim_expect_frame(sim, from_machine, text);
  sim_print(sim, from_machine ? SIM_SENT : SIM_RECEIVED, "%s", text);
}

static void on_event(void *arg, const struct netconf_event *ev) { sim_print_event(arg, ev); }

static void on_resolver(void *arg, const struct names_config *cfg) {
  struct sim *sim = arg;
  char text[700] = "", addr[NET_ENDPOINT_STRLEN];
  size_t used = 0;
  (void)names_configure(sim->names, cfg);
  for (unsigned i = 0; i < cfg->n_servers && used < sizeof text; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, " %s (%s)",
                             net_addr_format(&cfg->servers[i].addr.addr, addr), cfg->servers[i].origin);
  for (unsigned i = 0; i < cfg->n_search && used < sizeof text; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%s %s", i == 0 ? ", search" : "", cfg->search[i].name);
  sim_print(sim, SIM_CHANGE, "resolver:%s", used > 0 ? text : " none");
}

static void on_link(void *arg, bool up) {
  struct sim *sim = arg;
  sim_print(sim, SIM_CHANGE, "link is %s", up ? "up" : "down");
  netconf_link(sim->netconf, up);
}

static void on_mtu(void *arg) {
  struct sim *sim = arg;
  struct stack_if_info info;
  stack_if_info(sim->iface, &info);
  sim_print(sim, SIM_CHANGE, "mtu is %u", info.mtu);
}

static void on_gone(void *arg, int error) {
  struct sim *sim = arg;
  sim_print(sim, SIM_CHANGE, "the device is gone: %s", strerror(-error));
  sim->gone = true;
}

static uint32_t on_random(void *arg) { return fixture_random(&((struct sim *)arg)->random); }

/* --- rooms -------------------------------------------------------------------------------------------------------- */

/* Keys and identifiers of the machine, as the seed has them. */
static void be_somebody(struct sim *sim) {
  uint64_t state = sim->script->machine.seed ^ UINT64_C(0x3c6ef372fe94f82b);
  uint8_t id[16];
  for (int i = 0; i < 16; i++)
    id[i] = (uint8_t)fixture_random(&state);
  machine_pretend(id);
  stack_rand_seed(sim->script->machine.seed);
}

static void set_ipv6(struct netconf_config *cfg, const struct fixture_machine *m) {
  cfg->ip6 = strcmp(m->ipv6, "auto") == 0         ? NETCONF_IP6_AUTO
             : strcmp(m->ipv6, "link-local") == 0 ? NETCONF_IP6_LINK_LOCAL
                                                  : NETCONF_IP6_OFF;
  cfg->dhcp6 = strcmp(m->dhcp6, "off") == 0      ? NETCONF_DHCP6_OFF
               : strcmp(m->dhcp6, "always") == 0 ? NETCONF_DHCP6_ALWAYS
                                                 : NETCONF_DHCP6_AUTO;
}

static int start_netconf(struct sim *sim) {
  static const struct netconf_upcalls up = {.event = on_event, .resolver = on_resolver};
  const struct fixture_machine *m = &sim->script->machine;
  struct netconf_config *cfg = calloc(1, sizeof *cfg);
  if (cfg == NULL)
    return -ENOMEM;
  cfg->random = on_random;
  cfg->random_arg = sim;
  cfg->mode = m->mode == FIXTURE_MODE_DHCP ? NETCONF_DHCP : m->mode == FIXTURE_MODE_NONE ? NETCONF_NONE : NETCONF_STATIC;
  cfg->fixed = (struct netconf_static){.addr = m->addr, .prefix_len = m->prefix_len, .gateway = m->gateway};
  cfg->fixed_origin = m->given ? "fixture" : NULL;
  set_ipv6(cfg, m);
  (void)snprintf(cfg->hostname, sizeof cfg->hostname, "%s", m->hostname);
  int r = netconf_new(sim->loop, sim->iface, cfg, &up, sim, &sim->netconf);
  free(cfg);
  return r;
}

static int start(struct sim *sim) {
  static const struct stack_if_upcalls if_up = {.link = on_link, .mtu = on_mtu, .gone = on_gone};
  const struct fixture_config cfg = {.script = sim->script, .frame = on_frame, .arg = sim};
  sim->random = sim->script->machine.seed ^ UINT64_C(0xbb67ae8584caa73b);
  be_somebody(sim);
  sim->counts = calloc(sim->script->n + 1, sizeof *sim->counts);
  if (sim->counts == NULL)
    return -ENOMEM;
  int r = loop_sim_new(&sim->loop);
  if (r < 0)
    return r;
  sim->start_ns = loop_now(sim->loop, CLOCK_ID_BOOT);
  r = stack_new(sim->loop, &sim->stack);
  if (r == 0)
    r = names_new(sim->loop, sim->stack, &sim->names);
  if (r == 0)
    r = fixture_open(sim->loop, &cfg, &sim->nic);
  if (r == 0)
    r = stack_if_add(sim->stack, sim->nic, "net0", &if_up, sim, &sim->iface);
  return r < 0 ? r : start_netconf(sim);
}

static void stop(struct sim *sim) {
  sim->quiet = true; /* what ends now is no news */
  if (sim->stack != NULL)
    sim_machine_done(sim);
  sim->netconf = netconf_free(sim->netconf);
  sim->names = names_free(sim->names);
  if (sim->stack != NULL)
    sim->stack = stack_free(sim->stack);
  if (sim->loop != NULL)
    sim->loop = loop_free(sim->loop);
  free(sim->counts);
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

static int advance_to(struct sim *sim, uint64_t at_ns) {
  uint64_t now = sim_elapsed(sim);
  return at_ns > now ? loop_sim_advance(sim->loop, at_ns - now) : loop_run(sim->loop);
}

/* Without `at TIME`. */
static const char *statement(const char *line) {
  if (strncmp(line, "at ", 3) != 0)
    return line;
  line += 3 + strspn(line + 3, " ");
  line += strcspn(line, " ");
  return line + strspn(line, " ");
}

static int do_step(struct sim *sim, const struct fixture_step *step) {
  int r = advance_to(sim, step->at_ns);
  if (r < 0 || sim->gone)
    return r;
  if (step->first && step->key != KEY_EXPECT) {
    sim_print(sim, SIM_SCRIPT, "%s", statement(fixture_script_line(sim->script, step->line)));
  }
  if (step->key == KEY_SUSPEND)
    return loop_sim_suspend(sim->loop, step->v.number);
  if (step->object == FIXTURE_MACHINE)
    sim_do(sim, step);
  else
    fixture_do(sim->nic, step);
  return loop_run(sim->loop);
}

int sim_run(struct sim *sim) {
  int r = start(sim);
  if (r == 0)
    r = loop_run(sim->loop);
  for (unsigned i = 0; r == 0 && i < sim->script->n && !sim->gone; i++)
    if (!sim->script->steps[i].begins)
      r = do_step(sim, &sim->script->steps[i]);
  stop(sim);
  return r;
}
