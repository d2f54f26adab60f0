/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-run: takes the connection of each grant's socket, hands them down in CAPNET_FDS, and becomes the program. The
 * shared connection is handed down, not a private endpoint: every process below opens its own from it.
 */
#include "clients/client.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GRANTS_MAX 64

static const char help[] =
    "Usage: capnet-run --grant NAME [--grant NAME...] [--] PROGRAM [ARGUMENT...]\n"
    "\n"
    "Runs PROGRAM with the named grants inherited as open descriptors (CAPNET_FDS=NAME=FD,...). What was inherited\n"
    "by capnet-run itself under other names is not handed on.\n"
    "\n"
    "  -g, --grant NAME    a grant of the daemon, or PATH or NAME=PATH of a grant's socket\n"
    "  -c, --check         ask each grant for its contents first, and fail when one is refused\n"
    "      --help          show this\n"
    "      --version       show the version\n"
    "\n"
    "capnet-run hands out; it does not confine yet: PROGRAM keeps whatever else its user may do, the host's network\n"
    "and other grants' sockets among it.\n"
    "\n"
    "Exit status: that of PROGRAM; 1 failed, 2 wrong usage, 3 refused, 4 no daemon answers, 126 PROGRAM cannot be\n"
    "run, 127 it was not found.\n"
    "\n"
    "See capnet-run(1).\n";

struct grant {
  char name[64];
  const char *where;
  int fd;
};

/* "web", "/path/web.sock" (named by its file, without the suffix), "name=/path". */
static bool parse_grant(const char *text, struct grant *g) {
  const char *eq = strchr(text, '='), *from = text;
  size_t len;
  g->where = eq ? eq + 1 : text;
  if (eq) {
    len = (size_t)(eq - text);
  } else {
    const char *slash = strrchr(text, '/');
    from = slash ? slash + 1 : text;
    len = strlen(from);
    if (slash && len > 5 && strcmp(from + len - 5, ".sock") == 0)
      len -= 5;
  }
  if (len == 0 || len >= sizeof g->name || !*g->where || memchr(from, ',', len) || memchr(from, '/', len))
    return false;
  memcpy(g->name, from, len);
  g->name[len] = 0;
  return true;
}

/* The shared descriptor answers only Open: a Grant handle of its own asks for the list. */
static int check(const struct grant *g, struct capnet_error *err) {
  __attribute__((cleanup(capnet_closep))) capnet *grant = NULL;
  char *json = NULL;
  int r = capnet_grant_open(g->where, NULL, 10000, &grant, err);
  if (r == 0)
    r = capnet_list(grant, 10000, &json, err);
  free(json);
  return r;
}

static int take(struct grant *g, bool checking) {
  struct capnet_error err;
  int r = checking ? check(g, &err) : 0;
  if (r == 0)
    r = capnet_grant_connect(g->where, &g->fd, &err);
  if (r < 0)
    return client_fail(&err, g->name);
  if (fcntl(g->fd, F_SETFD, 0) < 0) {
    client_warn("%s: %s", client_safe(g->name), strerror(errno));
    return CLIENT_FAILED;
  }
  return CLIENT_OK;
}

static int hand_down(const struct grant *grants, size_t n) {
  char fds[GRANTS_MAX * 80], *to = fds;
  for (size_t i = 0; i < n; i++)
    to += sprintf(to, "%s%s=%d", i ? "," : "", grants[i].name, grants[i].fd);
  return setenv("CAPNET_FDS", fds, 1);
}

static int run(char **argv) {
  (void)signal(SIGPIPE, SIG_DFL);
  execvp(*argv, argv);
  int error = errno;
  client_warn("%s: %s", client_safe(*argv), strerror(error));
  return error == ENOENT ? 127 : 126;
}

int main(int argc, char **argv) {
  static const struct option options[] = {{"grant", required_argument, NULL, 'g'},
                                          {"check", no_argument, NULL, 'c'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {0}};
  struct grant grants[GRANTS_MAX];
  size_t n = 0;
  bool checking = false;
  client_init("capnet-run");
  for (int o; (o = getopt_long(argc, argv, "+g:c", options, NULL)) >= 0;)
    switch (o) {
    case 'g':
      if (n == GRANTS_MAX)
        return client_usage("more than %d grants", GRANTS_MAX);
      if (!parse_grant(optarg, &grants[n]))
        return client_usage("%s is no name of a grant", client_safe(optarg));
      for (size_t i = 0; i < n; i++)
        if (strcmp(grants[i].name, grants[n].name) == 0)
          return client_usage("the grant %s is named twice", client_safe(optarg));
      n++;
      break;
    case 'c': checking = true; break;
    case 'h': fputs(help, stdout); return client_done(CLIENT_OK);
    case 'V': return client_done(client_version());
    default: return client_usage("see the options");
    }
  if (n == 0)
    return client_usage("no --grant");
  if (optind == argc)
    return client_usage("no program");
  for (size_t i = 0; i < n; i++) {
    int code = take(&grants[i], checking);
    if (code != CLIENT_OK)
      return code;
  }
  if (hand_down(grants, n) < 0) {
    client_warn("%s", strerror(errno));
    return CLIENT_FAILED;
  }
  return run(argv + optind);
}
