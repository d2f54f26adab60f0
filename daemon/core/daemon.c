/* SPDX-License-Identifier: BSD-3-Clause
 * Start, run, stop: rooms are made from the bottom up and freed from the top down. The order of privileges is told at the
 * head of privilege.c.
 */
#include "core/daemon.h"

#include "core/events.h"
#include "core/grants.h"
#include "core/interfaces.h"
#include "core/privilege.h"
#include "core/readiness.h"
#include "core/report.h"
#include "core/server.h"

#include <signal.h>
#include <stdio.h>

struct daemon {
  const struct daemon_options *opt;
  struct config *cfg;
  struct loop *loop;
  struct interfaces *interfaces;
  const char *state_dir; /* "": there is none */
  int lock;
  struct stack *stack;
  struct names *names;
  struct seal *seal; /* NULL: data descriptors are stream pairs, and no_seal says why */
  char no_seal[SEAL_WHY_MAX];
  struct flow_table *flows;
  struct cap_status_room status;
  struct caps *caps;
  struct offers *offers;
  struct readiness *readiness;
  struct loop_task look; /* whether configured addresses are settled, when the turn is over that changed one */
  struct watchdog *watchdog;
  int exit_code;
  bool again; /* a reload was asked for while one was under way */
};

/* --- signals and reload ------------------------------------------------------------------------------------------------------------ */

/* Also after a reload, but not before its time. */
static void say_ready(struct daemon *d) {
  char text[64];
  if (!readiness_reached(d->readiness))
    return;
  (void)snprintf(text, sizeof text, "%u interfaces, %u grants", d->cfg->n_interfaces, offers_count(d->offers));
  report_ready(text);
}

static void on_stop(void *arg, int signo) {
  struct daemon *d = arg;
  log_notice("stopping: %s", strsignal(signo));
  report_stopping();
  loop_stop(d->loop);
}

static void on_reload(void *arg, int signo);

static void on_reloaded(void *arg, int r) {
  struct daemon *d = arg;
  if (r == 0)
    log_notice("reloaded: %u grants", offers_count(d->offers));
  else
    log_error("reload failed: %s", strerror(-r));
  if (d->again)
    on_reload(d, SIGHUP);
  else
    say_ready(d);
}

/* What of capnetd.conf can change while the daemon runs: the log's level and the ceilings of a uid. */
static void reload_config(struct daemon *d) {
  struct config *cfg = NULL;
  if (config_load(d->opt->config_file, &cfg, report_config_error, NULL) < 0) {
    log_error("%s is not read again; what was in force stays", d->opt->config_file);
    return;
  }
  if (!d->opt->level_fixed)
    log_set_level(cfg->log_level);
  for (int l = 0; l < AUTH_LIMIT_COUNT; l++)
    if (cfg->uid_limits[l] != AUTH_LIMIT_INHERIT)
      auth_tree_set_uid_limit(caps_tree(d->caps), (enum auth_limit)l, cfg->uid_limits[l]);
  config_free(cfg);
}

static void on_reload(void *arg, int signo) {
  struct daemon *d = arg;
  (void)signo;
  d->again = false;
  report_reloading();
  reload_config(d);
  int r = offers_reload(d->offers, d->opt->grants_dir, on_reloaded, d);
  if (r == -EBUSY) /* what it reads may be older than this request */
    d->again = true;
  else if (r < 0) {
    log_error("the grants are not read again, the old ones stay: %s", strerror(-r));
    say_ready(d);
  }
}

static void on_ready(void *arg) {
  struct daemon *d = arg;
  log_notice("ready: %u interfaces, %u grants at %s/grants", d->cfg->n_interfaces, offers_count(d->offers), d->opt->runtime_dir);
  say_ready(d);
}

static void on_look(void *arg) {
  struct daemon *d = arg;
  if (interfaces_settled(d->interfaces))
    readiness_reach(d->readiness, READINESS_ADDRESSES);
}

static void on_changed(void *arg) {
  struct daemon *d = arg;
  loop_task_queue(d->loop, &d->look);
}

static void on_device_gone(void *arg) {
  struct daemon *d = arg;
  log_error("no device is left: the daemon ends, so that the service manager can start it again");
  d->exit_code = EXIT_DEVICE;
  loop_stop(d->loop);
}

static const struct interfaces_upcalls interfaces_upcalls = {.changed = on_changed, .gone = on_device_gone};

/* -ENOPKG: the configuration does not let us go on without. */
static int without_sockets(struct daemon *d, const char *why) {
  if (d->cfg->sockets == CONFIG_SOCKETS_REAL) {
    log_error("the configuration says sockets = real, but %s", why);
    d->exit_code = EXIT_CONFIG;
    return -ENOPKG;
  }
  log_warning("data descriptors are stream pairs, not real sockets: %s", why);
  return 0;
}

/* Whether data descriptors can be real sockets is known. */
static void on_sealed(void *arg) {
  struct daemon *d = arg;
  const char *why = seal_why_not(d->seal);
  if (why && without_sockets(d, why) < 0)
    loop_stop(d->loop);
  else
    readiness_reach(d->readiness, READINESS_SOCKETS);
}

static int watch_signals(struct daemon *d) {
  (void)signal(SIGPIPE, SIG_IGN);
  int r = loop_signal(d->loop, SIGTERM, on_stop, d);
  if (r == 0)
    r = loop_signal(d->loop, SIGINT, on_stop, d);
  return r == 0 ? loop_signal(d->loop, SIGHUP, on_reload, d) : r;
}

/* --- rooms ---------------------------------------------------------------------------------------------------------------------------- */

static int make_rooms(struct daemon *d) {
  cap_status_room_init(&d->status);
  int r = stack_new(d->loop, &d->stack);
  if (r == 0)
    r = names_new(d->loop, d->stack, &d->names);
  if (r == 0)
    r = flow_table_new(d->loop, d->stack, &d->flows);
  if (r == 0 && d->seal)
    r = seal_join(d->seal, d->loop, on_sealed, d);
  if (r < 0)
    return r;
  flow_table_set_seal(d->flows, d->seal, d->no_seal);
  void *const rooms[AUTH_KIND_COUNT] = {[AUTH_MANAGER] = interfaces_list(d->interfaces),
                                        [AUTH_STATUS] = &d->status,
                                        [AUTH_TCP_CONNECT] = d->flows,
                                        [AUTH_TCP_LISTEN] = d->flows,
                                        [AUTH_TCP_LISTENER] = d->flows,
                                        [AUTH_TCP_SOCKET] = d->flows,
                                        [AUTH_DNS] = d->names,
                                        [AUTH_PING] = d->stack};
  r = caps_new(d->loop, rooms, &d->caps);
  if (r < 0)
    return r;
  for (int l = 0; l < AUTH_LIMIT_COUNT; l++)
    if (d->cfg->uid_limits[l] != AUTH_LIMIT_INHERIT)
      auth_tree_set_uid_limit(caps_tree(d->caps), (enum auth_limit)l, d->cfg->uid_limits[l]);
  d->status.stack = d->stack;
  d->status.flows = d->flows;
  d->status.names = d->names;
  d->status.interfaces = interfaces_list(d->interfaces);
  d->status.caps = d->caps;
  events_connect(&d->status);
  d->status.started_ns = loop_now(d->loop, CLOCK_ID_BOOT);
  return 0;
}

static int resolve_grants(struct grant_set *set) {
  for (unsigned i = 0; i < set->n; i++) {
    int r = config_grant_resolve(set->grants[i], report_config_error, NULL);
    if (r < 0)
      return r;
  }
  return 0;
}

static int lock_runtime(struct daemon *d) {
  int r = runtime_lock(d->opt->runtime_dir, &d->lock);
  if (r == -EBUSY)
    log_error("a daemon is alive at %s", d->opt->runtime_dir);
  else if (r < 0)
    log_error("%s cannot be used: %s", d->opt->runtime_dir, strerror(-r));
  d->exit_code = r == 0 ? d->exit_code : r == -EBUSY ? EXIT_LOCKED : EXIT_CONFIG;
  return r;
}

/* First of all that takes time: the helper makes its namespaces while we do the rest. */
static int start_seal(struct daemon *d, const struct privilege *p) {
  const struct seal_config cfg = {.change_ids = p->change, .uid = p->uid, .gid = p->gid};
  if (d->cfg->sockets == CONFIG_SOCKETS_PAIR) {
    (void)snprintf(d->no_seal, sizeof d->no_seal, "the configuration says sockets = pair");
    return 0;
  }
  int r = seal_start(&cfg, &d->seal);
  if (r == 0)
    return 0;
  (void)snprintf(d->no_seal, sizeof d->no_seal, "the helper process cannot be started: %s", strerror(-r));
  return without_sockets(d, d->no_seal);
}

static int hand_directories_over(struct daemon *d, const struct privilege *p) {
  char grants[CONFIG_PATH_MAX + 8];
  (void)snprintf(grants, sizeof grants, "%s/grants", d->opt->runtime_dir);
  int r = privilege_give_dir(p, d->opt->runtime_dir);
  if (r == 0)
    r = privilege_give_dir(p, grants);
  if (r < 0)
    log_error("%s cannot be used: %s", d->opt->runtime_dir,
              r == -EPERM ? "it and grants/ must belong to root or the daemon's user, writable by nobody else" : strerror(-r));
  return r;
}

/* Leases are kept there. Without it the daemon runs all the same, and asks for a lease as if for the first time. */
static void hand_state_over(struct daemon *d, const struct privilege *p) {
  int r = privilege_give_dir(p, d->opt->state_dir);
  d->state_dir = r < 0 ? "" : d->opt->state_dir;
  if (r < 0)
    log_warning("leases are not kept over a restart: %s: %s", d->opt->state_dir,
                r == -EPERM ? "it must belong to root or the daemon's user, writable by nobody else" : strerror(-r));
}

static int drop_privileges(const struct privilege *p) {
  const char *what = "";
  int r = privilege_leave_network();
  if (r < 0)
    log_debug("the host's network cannot be left (%s): no socket of it can be made, all the same", strerror(-r));
  r = privilege_drop(p, &what);
  if (r < 0) {
    log_error("privileges cannot be dropped (%s): %s", what, strerror(-r));
    return r;
  }
  r = privilege_filter();
  if (r < 0)
    log_error("sockets of the host's network cannot be given up: %s", strerror(-r));
  return r;
}

/* Stages 1 to 3 of privilege.c. */
static int become_small(struct daemon *d) {
  struct privilege p;
  int r = privilege_plan(d->cfg->user, &p);
  if (r < 0) {
    log_error("user \"%s\" does not exist", d->cfg->user);
    return r;
  }
  r = lock_runtime(d);
  if (r < 0)
    return r;
  privilege_raise_descriptors(); /* first: what lies unread is counted by the limit of who sent it */
  r = start_seal(d, &p);
  if (r < 0)
    return r;
  r = interfaces_open(d->loop, d->cfg, &p, &d->interfaces);
  if (r < 0) {
    d->exit_code = EXIT_DEVICE;
    return r;
  }
  r = hand_directories_over(d, &p);
  if (r == 0)
    hand_state_over(d, &p);
  return r < 0 ? r : drop_privileges(&p);
}

static int start(struct daemon *d, struct grant_set **set) {
  int r = loop_uv_new(&d->loop);
  if (r == 0)
    r = resolve_grants(*set);
  if (r == 0)
    r = become_small(d);
  if (r == 0)
    r = make_rooms(d);
  if (r == 0)
    r = readiness_new(d->loop, on_ready, d, &d->readiness);
  if (r == 0 && !d->seal)
    readiness_reach(d->readiness, READINESS_SOCKETS);
  if (r == 0)
    r = interfaces_start(d->interfaces, d->stack, d->names, &d->status, d->state_dir, &interfaces_upcalls, d);
  if (r == 0)
    on_changed(d); /* where there is nothing to try */
  if (r == 0)
    r = offers_new(d->caps, d->opt->runtime_dir, TAKE_PTR(*set), &d->offers);
  if (r == 0)
    r = watch_signals(d);
  if (r == 0)
    r = watchdog_new(d->loop, &d->watchdog);
  return r;
}

static void stop(struct daemon *d) {
  d->watchdog = watchdog_free(d->watchdog);
  d->readiness = readiness_free(d->readiness);
  if (d->caps)
    caps_shutdown(d->caps);
  d->offers = offers_free(d->offers);
  d->caps = caps_free(d->caps);
  interfaces_stop(d->interfaces);
  loop_task_cancel(&d->look);
  d->flows = flow_table_free(d->flows);
  d->seal = seal_free(d->seal);
  d->names = names_free(d->names);
  d->stack = stack_free(d->stack);
  d->interfaces = interfaces_free(d->interfaces);
  d->loop = loop_free(d->loop);
  d->lock = fd_close(d->lock);
  d->cfg = config_free(d->cfg);
}

int daemon_run(const struct daemon_options *opt, struct config *cfg, struct grant_set *set) {
  struct daemon d = {.opt = opt, .cfg = cfg, .lock = -1};
  loop_task_init(&d.look, on_look, &d);
  int r = start(&d, &set);
  set = grants_free(set);
  if (r == 0)
    r = loop_run(d.loop);
  if (r < 0 && d.exit_code == 0)
    d.exit_code = EXIT_CONFIG;
  stop(&d);
  return d.exit_code;
}
