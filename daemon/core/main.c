/* SPDX-License-Identifier: BSD-3-Clause
 * capnetd: the command line.
 */
#include "core/daemon.h"
#include "core/report.h"

#include <getopt.h>
#include <stdio.h>

#define EXIT_USAGE 2

static const char usage[] =
    "Usage: capnetd [OPTION]...\n"
    "Own a network interface and a TCP/IP stack, and hand out pieces of it as file descriptors.\n\n"
    "  -c, --config FILE        configuration, capnetd.conf(5) [" CAPNET_SYSCONFDIR "/capnetd.conf]\n"
    "  -g, --grants DIR         grants, capnet.grant(5) [grants.d beside the configuration]\n"
    "  -r, --runtime-dir DIR    sockets and lock [as root " CAPNET_RUNSTATEDIR ", else $XDG_RUNTIME_DIR/capnet]\n"
    "  -s, --state-dir DIR      what outlives a restart [as root " CAPNET_STATEDIR ", else $XDG_STATE_HOME/capnet]\n"
    "      --check-config       read configuration and grants, say what is wrong, and end: 0 good, 1 not\n"
    "  -l, --log-level LEVEL    error, warning, notice, info or debug [notice, or log-level= of the configuration]\n"
    "      --log-target WHERE   journal, stderr or auto [auto]\n"
    "  -V, --version            print the version and end\n"
    "  -h, --help               print this and end\n\n"
    "SIGHUP reads the grants again. SIGTERM and SIGINT end the daemon, and with it every capability it gave.\n"
    "Exit: 0 ended as asked, 1 configuration, 2 usage, 3 a daemon is alive already, 4 no device or device lost.\n";

struct arguments {
  const char *config, *grants, *runtime, *state, *log_level;
  bool check;
};

enum { OPT_CHECK = 256, OPT_TARGET };
static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                        {"grants", required_argument, NULL, 'g'},
                                        {"runtime-dir", required_argument, NULL, 'r'},
                                        {"state-dir", required_argument, NULL, 's'},
                                        {"check-config", no_argument, NULL, OPT_CHECK},
                                        {"log-level", required_argument, NULL, 'l'},
                                        {"log-target", required_argument, NULL, OPT_TARGET},
                                        {"version", no_argument, NULL, 'V'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static int usage_error(const char *what) {
  (void)fprintf(stderr, "capnetd: %s\nTry 'capnetd --help'.\n", what);
  return EXIT_USAGE;
}

/* -1: go on; otherwise the exit code. */
static int parse(int argc, char **argv, struct arguments *a) {
  int c;
  while ((c = getopt_long(argc, argv, "c:g:r:s:l:Vh", options, NULL)) != -1)
    switch (c) {
    case 'c': a->config = optarg; break;
    case 'g': a->grants = optarg; break;
    case 'r': a->runtime = optarg; break;
    case 's': a->state = optarg; break;
    case 'l': a->log_level = optarg; break;
    case OPT_CHECK: a->check = true; break;
    case OPT_TARGET:
      if (report_set_target(optarg) < 0)
        return usage_error("--log-target takes journal, stderr or auto");
      break;
    case 'V': (void)puts("capnetd " PACKAGE_VERSION); return 0;
    case 'h': (void)fputs(usage, stdout); return 0;
    default: return usage_error("that option is not known, or lacks its argument");
    }
  return optind < argc ? usage_error("no argument is expected") : -1;
}

/* Command line, configuration, the service manager's directory, root's, the user's: the first that is there. */
static int choose_dir(char out[CONFIG_PATH_MAX], const char *arg, const char *configured, const char *service_env,
                      const char *root_dir, const char *user_env, const char *user_fallback) {
  const char *home = secure_getenv("HOME"), *env = secure_getenv(service_env), *user = secure_getenv(user_env);
  int n;
  if (arg)
    n = snprintf(out, CONFIG_PATH_MAX, "%s", arg);
  else if (*configured)
    n = snprintf(out, CONFIG_PATH_MAX, "%s", configured);
  else if (env && *env && !strchr(env, ':'))
    n = snprintf(out, CONFIG_PATH_MAX, "%s", env);
  else if (geteuid() == 0)
    n = snprintf(out, CONFIG_PATH_MAX, "%s", root_dir);
  else if (user && *user)
    n = snprintf(out, CONFIG_PATH_MAX, "%s/capnet", user);
  else if (user_fallback && home)
    n = snprintf(out, CONFIG_PATH_MAX, "%s/%s", home, user_fallback);
  else
    return -ENOENT;
  return n < CONFIG_PATH_MAX ? 0 : -ENAMETOOLONG;
}

static char *grants_dir_beside(const char *config) {
  const char *slash = strrchr(config, '/');
  char *out;
  return asprintf(&out, "%.*sgrants.d", slash ? (int)(slash - config) + 1 : 0, config) < 0 ? NULL : out;
}

static int load(const struct arguments *a, const char *config, const char *grants, struct config **ret_cfg,
                struct grant_set **ret_set) {
  int r = config_load(config, ret_cfg, report_config_error, NULL);
  int g = grants_load(grants, ret_set, report_config_error, NULL);
  for (unsigned i = 0; a->check && *ret_set && i < (*ret_set)->n; i++) {
    int e = config_grant_resolve((*ret_set)->grants[i], report_config_error, NULL);
    g = g ? g : e;
  }
  return r ? r : g;
}

static int run(const struct arguments *a, struct daemon_options *opt, struct config *cfg, struct grant_set *set) {
  char runtime[CONFIG_PATH_MAX], state[CONFIG_PATH_MAX];
  if (choose_dir(runtime, a->runtime, cfg->runtime_dir, "RUNTIME_DIRECTORY", CAPNET_RUNSTATEDIR, "XDG_RUNTIME_DIR", NULL) < 0 ||
      choose_dir(state, a->state, cfg->state_dir, "STATE_DIRECTORY", CAPNET_STATEDIR, "XDG_STATE_HOME",
                 ".local/state/capnet") < 0) {
    log_error("there is no runtime or state directory: set XDG_RUNTIME_DIR, or give --runtime-dir and --state-dir");
    config_free(cfg);
    grants_free(set);
    return EXIT_CONFIG;
  }
  opt->runtime_dir = runtime;
  opt->state_dir = state;
  return daemon_run(opt, cfg, set);
}

int main(int argc, char **argv) {
  struct arguments a = {.config = CAPNET_SYSCONFDIR "/capnetd.conf"};
  (void)report_set_target("auto");
  int code = parse(argc, argv, &a);
  if (code >= 0)
    return code;
  enum log_level level = LOG_LVL_NOTICE;
  if (a.log_level && log_level_parse(a.log_level, &level) < 0)
    return usage_error("--log-level takes error, warning, notice, info or debug");
  _cleanup_free_ char *beside = grants_dir_beside(a.config);
  struct daemon_options opt = {
      .config_file = a.config, .grants_dir = a.grants ? a.grants : beside, .level_fixed = a.log_level != NULL};
  struct config *cfg = NULL;
  struct grant_set *set = NULL;
  int r = load(&a, a.config, opt.grants_dir, &cfg, &set);
  if (r < 0 || a.check) {
    config_free(cfg);
    grants_free(set);
    return r < 0 ? EXIT_CONFIG : 0;
  }
  log_set_level(a.log_level ? level : cfg->log_level);
  return run(&a, &opt, cfg, set);
}
