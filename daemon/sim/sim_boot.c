/* SPDX-License-Identifier: BSD-3-Clause
 * The machine: its rooms from the bottom up, how it is stopped and started again, and the file of its last lease. What is
 * random is drawn from the script's seed, and goes on where it was at a restart.
 */
#include "sim/sim.h"

#include "base/machine.h"
#include "stack/stack_rand.h"

#include <fcntl.h>
#include <stdio.h>

#define IFNAME "net0"
#define WALL_S UINT64_C(1700000000)      /* the time of day when the script begins */

static const char *const lease_files[] = {"lease-" IFNAME "-v4", "lease-" IFNAME "-v6"}; /* lease_store.c */

/* --- what happens ------------------------------------------------------------------------------------------------- */

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
  netconf_mtu(sim->netconf);
}

static void on_gone(void *arg, int error) {
  struct sim *sim = arg;
  sim_print(sim, SIM_CHANGE, "the device is gone: %s", strerror(-error));
  sim->gone = true;
}

static uint32_t on_random(void *arg) { return fixture_random(&((struct sim *)arg)->random); }
static uint64_t on_wall(void *arg) { return WALL_S + sim_elapsed(arg) / NSEC_PER_SEC; }

/* --- configuration ------------------------------------------------------------------------------------------------ */

/* Keys and identifiers of the machine, as the seed has them. */
static void be_somebody(struct sim *sim) {
  uint64_t state = sim->script->machine.seed ^ UINT64_C(0x3c6ef372fe94f82b);
  uint8_t id[16];
  for (int i = 0; i < 16; i++)
    id[i] = (uint8_t)fixture_random(&state);
  machine_pretend(id);
  stack_rand_seed(sim->script->machine.seed + sim->starts);
}

static void set_ipv6(struct netconf_config *cfg, const struct fixture_machine *m) {
  cfg->ip6 = strcmp(m->ipv6, "auto") == 0         ? NETCONF_IP6_AUTO
             : strcmp(m->ipv6, "link-local") == 0 ? NETCONF_IP6_LINK_LOCAL
                                                  : NETCONF_IP6_OFF;
  cfg->dhcp6 = strcmp(m->dhcp6, "off") == 0      ? NETCONF_DHCP6_OFF
               : strcmp(m->dhcp6, "always") == 0 ? NETCONF_DHCP6_ALWAYS
                                                 : NETCONF_DHCP6_AUTO;
  if (m->addr6.family == 0)
    return;
  cfg->fixed6 = (struct netconf_static6){
      .list = {{.addr = m->addr6, .prefix_len = m->prefix6_len}}, .n = 1, .gateway = m->gateway6};
  if (cfg->ip6 != NETCONF_IP6_AUTO)
    cfg->ip6 = NETCONF_IP6_STATIC;
}

static void set_ipv4(struct netconf_config *cfg, const struct fixture_machine *m) {
  cfg->mode = m->mode == FIXTURE_MODE_DHCP ? NETCONF_DHCP : m->mode == FIXTURE_MODE_NONE ? NETCONF_NONE : NETCONF_STATIC;
  cfg->fixed = (struct netconf_static){.addr = m->addr, .prefix_len = m->prefix_len, .gateway = m->gateway};
  cfg->fixed_origin = m->given ? "fixture" : NULL;
  cfg->conflict_detection = strcmp(m->conflicts, "yes") == 0    ? NETCONF_ACD_RFC
                            : strcmp(m->conflicts, "fast") == 0 ? NETCONF_ACD_FAST
                                                                : NETCONF_ACD_OFF;
  cfg->offer_wait_ms = (uint32_t)(m->offer_wait_ns / NSEC_PER_MSEC);
  cfg->rapid_commit = m->rapid;
}

static int start_netconf(struct sim *sim) {
  static const struct netconf_upcalls up = {.event = on_event, .resolver = on_resolver};
  const struct fixture_machine *m = &sim->script->machine;
  struct netconf_config *cfg = calloc(1, sizeof *cfg);
  if (cfg == NULL)
    return -ENOMEM;
  cfg->random = on_random;
  cfg->wall_s = on_wall;
  cfg->random_arg = cfg->wall_arg = sim;
  set_ipv4(cfg, m);
  set_ipv6(cfg, m);
  (void)snprintf(cfg->hostname, sizeof cfg->hostname, "%s", m->hostname);
  (void)snprintf(cfg->state_dir, sizeof cfg->state_dir, "%s", sim->state_dir);
  int r = netconf_new(sim->loop, sim->iface, cfg, &up, sim, &sim->netconf);
  free(cfg);
  return r;
}

/* --- stop and start ----------------------------------------------------------------------------------------------- */

static void on_resume(void *arg, uint64_t slept_ns) {
  struct sim *sim = arg;
  sim_print(sim, SIM_CHANGE, "the machine was asleep for %.0f s", (double)slept_ns / NSEC_PER_SEC);
  netconf_resumed(sim->netconf);
}

int sim_start_machine(struct sim *sim) {
  static const struct stack_if_upcalls if_up = {.link = on_link, .mtu = on_mtu, .gone = on_gone};
  struct nic *nic;
  be_somebody(sim);
  sim->starts++;
  sim->off = false;
  int r = stack_new(sim->loop, &sim->stack);
  if (r == 0)
    r = names_new(sim->loop, sim->stack, &sim->names);
  if (r == 0)
    r = sim_port_open(sim, &nic);
  if (r == 0)
    r = stack_if_add(sim->stack, nic, IFNAME, &if_up, sim, &sim->iface);
  if (r == 0)
    r = start_netconf(sim);
  if (r == 0)
    loop_on_resume(sim->loop, on_resume, sim);
  return r;
}

/* What ends with it is no news, and the network hears nothing of it. */
void sim_stop_machine(struct sim *sim) {
  bool quiet = sim->quiet;
  sim->quiet = sim->off = true;
  loop_on_resume(sim->loop, NULL, NULL);
  if (sim->stack != NULL)
    sim_machine_done(sim);
  sim->netconf = netconf_free(sim->netconf);
  sim->names = names_free(sim->names);
  if (sim->stack != NULL)
    sim->stack = stack_free(sim->stack);
  sim->iface = NULL;
  sim->quiet = quiet;
}

/* --- the file of the last lease ----------------------------------------------------------------------------------- */

/* Only a script that starts the machine again needs one. */
int sim_state_open(struct sim *sim) {
  bool wanted = false;
  for (unsigned i = 0; i < sim->script->n; i++)
    wanted = wanted || sim->script->steps[i].key == KEY_START;
  if (!wanted)
    return 0;
  const char *tmp = getenv("TMPDIR");
  if (snprintf(sim->state_dir, sizeof sim->state_dir, "%s/capnet-sim.XXXXXX", tmp != NULL && *tmp != '\0' ? tmp : "/tmp") >=
      (int)sizeof sim->state_dir) {
    sim->state_dir[0] = '\0';
    return -ENAMETOOLONG;
  }
  if (mkdtemp(sim->state_dir) != NULL)
    return 0;
  sim->state_dir[0] = '\0';
  return -errno;
}

static int open_state(const struct sim *sim) { return open(sim->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

void sim_state_close(struct sim *sim) {
  if (sim->state_dir[0] == '\0')
    return;
  _cleanup_close_ int dir = open_state(sim);
  for (size_t i = 0; dir >= 0 && i < ARRAY_SIZE(lease_files); i++)
    (void)unlinkat(dir, lease_files[i], 0);
  (void)rmdir(sim->state_dir);
}

static int spoil(int dir, const char *name, enum fixture_lease_file what) {
  char b;
  if (what == FIXTURE_FILE_LOST)
    return unlinkat(dir, name, 0) < 0 ? -errno : 0;
  _cleanup_close_ int fd = openat(dir, name, O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  off_t middle = lseek(fd, 0, SEEK_END) / 2;
  if (pread(fd, &b, 1, middle) != 1)
    return -EIO;
  b ^= 1;
  return pwrite(fd, &b, 1, middle) == 1 ? 0 : -EIO;
}

/* Of each family that has one. */
int sim_lease_file(struct sim *sim, enum fixture_lease_file what) {
  int r = -ENOENT;
  _cleanup_close_ int dir = sim->state_dir[0] != '\0' ? open_state(sim) : -1;
  for (size_t i = 0; dir >= 0 && i < ARRAY_SIZE(lease_files) && (r == 0 || r == -ENOENT); i++) {
    int one = spoil(dir, lease_files[i], what);
    r = one == -ENOENT ? r : one;
  }
  return r;
}
