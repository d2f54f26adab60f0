/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-run: takes the connection of each grant's socket, hands them down in CAPNET_FDS, and becomes the program. The
 * shared connection is handed down, not a private endpoint: every process below opens its own from it. For programs
 * that know nothing of capnet it asks the grants for real sockets first, and hands those down (run_sockets.c,
 * run_fds.c), accepts for them (run_inetd.c), or leaves the sockets with systemd (run_store.c).
 */
#include "clients/run.h"

#include <getopt.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: capnet-run --grant NAME [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
    "       capnet-run --grant NAME --listen ... --fdstore\n"
    "\n"
    "Runs PROGRAM with the named grants inherited as open descriptors (CAPNET_FDS=NAME=FD,...). What was inherited\n"
    "by capnet-run itself under other names is not handed on.\n"
    "\n"
    "  -g, --grant NAME    a grant of the daemon, or PATH or NAME=PATH of a grant's socket; repeatable\n"
    "  -c, --check         ask each grant for its contents first, and fail when one is refused\n"
    "\n"
    "Real sockets out of the grants, for a PROGRAM that knows nothing of capnet:\n"
    "  -l, --listen [ADDRESS:]PORT[=FDNAME]\n"
    "                      a listening socket, handed down as systemd does: from descriptor 3 on, in this order,\n"
    "                      with LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES (FDNAME, else PORT); ADDRESS is an\n"
    "                      address ([IPv6]), * or interface-address, else what the rules name; repeatable\n"
    "      --both          * and interface-address take IPv6, too: sockets of IPv6, with IPv4 peers as ::ffff:a.b.c.d\n"
    "      --backlog N     connections that may wait at each listener (else the daemon's default)\n"
    "      --refuse        reset those beyond the backlog at once instead of letting them try again\n"
    "      --inetd         stay, accept, and run one PROGRAM for each connection: its standard input and output\n"
    "      --max N         with --inetd at most so many at a time (64)\n"
    "      --fdstore       run nothing: leave the listeners in the file descriptor store of the systemd unit whose\n"
    "                      ExecStartPre= this is\n"
    "      --connect HOST:PORT=FD\n"
    "                      a connection that is opened first and handed down as descriptor FD; HOST is an address\n"
    "                      ([IPv6]), or a name that a grant resolves; repeatable\n"
    "      --form FORM     of such connections: socket, pair, or auto, a real socket where it can be had (auto)\n"
    "\n"
    "      --help          show this\n"
    "      --version       show the version\n"
    "\n"
    "capnet-run hands out; it does not confine yet: PROGRAM keeps whatever else its user may do, the host's network\n"
    "and other grants' sockets among it.\n"
    "\n"
    "Exit status: that of PROGRAM (0 after a signal, with --inetd); 1 failed, 2 wrong usage, 3 refused, or a listener\n"
    "of --inetd ended, 4 no daemon answers, 126 PROGRAM cannot be run, 127 it was not found.\n"
    "\n"
    "See capnet-run(1).\n";

enum { OPT_BACKLOG = 256, OPT_REFUSE, OPT_INETD, OPT_MAX, OPT_FDSTORE, OPT_CONNECT, OPT_FORM, OPT_BOTH };

/* --- options ------------------------------------------------------------------------------------------------------ */

static int add_grant(struct run *r, const char *text) {
  struct run_grant *g = &r->grants[r->n_grants];
  if (r->n_grants == RUN_GRANTS_MAX)
    return client_usage("more than %d grants", RUN_GRANTS_MAX);
  if (!run_parse_grant(text, g))
    return client_usage("%s is no name of a grant", client_safe(text));
  for (size_t i = 0; i < r->n_grants; i++)
    if (strcmp(r->grants[i].name, g->name) == 0)
      return client_usage("the grant %s is named twice", client_safe(text));
  r->n_grants++;
  return CLIENT_OK;
}

static int add_listen(struct run *r, const char *text) {
  if (r->n_listens == RUN_LISTENS_MAX)
    return client_usage("more than %d times --listen", RUN_LISTENS_MAX);
  if (!run_parse_listen(text, &r->listens[r->n_listens]))
    return client_usage("--listen %s: not [ADDRESS:]PORT[=FDNAME]", client_safe(text));
  r->n_listens++;
  return CLIENT_OK;
}

static int add_connect(struct run *r, const char *text) {
  if (r->n_connects == RUN_CONNECTS_MAX)
    return client_usage("more than %d times --connect", RUN_CONNECTS_MAX);
  if (!run_parse_connect(text, &r->connects[r->n_connects]))
    return client_usage("--connect %s: not HOST:PORT=FD with FD 0 to %d", client_safe(text), RUN_TARGET_MAX);
  r->n_connects++;
  return CLIENT_OK;
}

static int set_number(const char *option, const char *text, uint64_t max, unsigned *ret) {
  uint64_t n;
  if (!client_number(text, 1, max, &n))
    return client_usage("--%s %s is no number from 1 to %u", option, client_safe(text), (unsigned)max);
  *ret = (unsigned)n;
  return CLIENT_OK;
}

static int set_form(struct run *r, const char *text) {
  r->form_given = run_parse_form(text, &r->form);
  return r->form_given ? CLIENT_OK : client_usage("--form %s: auto, socket or pair", client_safe(text));
}

static int on_option(struct run *r, int o) {
  switch (o) {
  case 'g': return add_grant(r, optarg);
  case 'c': r->check = true; return CLIENT_OK;
  case 'l': return add_listen(r, optarg);
  case OPT_BACKLOG: return set_number("backlog", optarg, 65535, &r->backlog);
  case OPT_REFUSE: r->refuse = true; return CLIENT_OK;
  case OPT_BOTH: r->both = true; return CLIENT_OK;
  case OPT_INETD: r->inetd = true; return CLIENT_OK;
  case OPT_MAX: return set_number("max", optarg, 65535, &r->max);
  case OPT_FDSTORE: r->fdstore = true; return CLIENT_OK;
  case OPT_CONNECT: return add_connect(r, optarg);
  case OPT_FORM: return set_form(r, optarg);
  default: return client_usage("see the options");
  }
}

/* An exit code; -1: go on. */
static int parse(int argc, char **argv, struct run *r) {
  static const struct option options[] = {{"grant", required_argument, NULL, 'g'},
                                          {"check", no_argument, NULL, 'c'},
                                          {"listen", required_argument, NULL, 'l'},
                                          {"backlog", required_argument, NULL, OPT_BACKLOG},
                                          {"refuse", no_argument, NULL, OPT_REFUSE},
                                          {"both", no_argument, NULL, OPT_BOTH},
                                          {"inetd", no_argument, NULL, OPT_INETD},
                                          {"max", required_argument, NULL, OPT_MAX},
                                          {"fdstore", no_argument, NULL, OPT_FDSTORE},
                                          {"connect", required_argument, NULL, OPT_CONNECT},
                                          {"form", required_argument, NULL, OPT_FORM},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {0}};
  for (int o; (o = getopt_long(argc, argv, "+g:cl:", options, NULL)) >= 0;) {
    if (o == 'h') {
      fputs(help, stdout);
      return client_done(CLIENT_OK);
    }
    if (o == 'V')
      return client_done(client_version());
    int code = on_option(r, o);
    if (code != CLIENT_OK)
      return code;
  }
  int code = run_parse_check(r);
  if (code == CLIENT_OK && optind < argc && r->fdstore)
    code = client_usage("--fdstore runs no program: %s", client_safe(argv[optind]));
  if (code == CLIENT_OK && optind == argc && !r->fdstore)
    code = client_usage("no program");
  return code == CLIENT_OK ? -1 : code;
}

/* --- the program -------------------------------------------------------------------------------------------------- */

int main(int argc, char **argv) {
  static struct run r;
  client_init("capnet-run");
  int code = parse(argc, argv, &r);
  if (code >= 0)
    return code;
  code = r.fdstore ? run_store_begin(&r) : CLIENT_OK;
  if (code == CLIENT_OK)
    code = run_take_grants(&r);
  if (code == CLIENT_OK)
    code = run_open_listens(&r);
  if (code == CLIENT_OK)
    code = run_open_connects(&r);
  run_close_grants(&r);
  if (code != CLIENT_OK)
    return code;
  if (r.fdstore)
    return run_store_end(&r);
  run_drop_activation();
  if (r.inetd)
    return run_inetd(&r, argv + optind);
  code = run_place(&r);
  return code == CLIENT_OK ? run_exec(argv + optind) : code;
}
