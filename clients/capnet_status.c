/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-status: what a NetworkStatus capability may see, for a person or as JSON. Reads only.
 */
#include "clients/client.h"
#include "clients/status_render.h"

#include <getopt.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_GRANT "status"

struct options {
  const char *grant;
  const char *route; /* the destination of `capnet-status route` */
  const char *const *sections;
  size_t n_sections;
  unsigned timeout_ms;
  unsigned width; /* 0: the terminal's */
  bool json, watch, verbose;
};

static const char help[] =
    "Usage: capnet-status [OPTION]… [SECTION]…\n"
    "       capnet-status [OPTION]… route DEST\n"
    "Show the network as capnetd sees it. Sections, all by default:\n"
    "  daemon interfaces routes neighbours resolver leases sockets grants\n"
    "lease is leases: 'capnet-status --watch lease' prints each transition and what is due next.\n"
    "route DEST tells which way a packet to the address DEST would take, and from which address.\n\n"
    "  -g, --grant NAME       the grant to ask (a name or a path; default: status)\n"
    "  -j, --json             one JSON object (docs/json.md); with --watch one a line\n"
    "  -v, --verbose          all counters of sockets, all limits of grants\n"
    "  -w, --watch            show, then print what changes until interrupted\n"
    "      --width COLUMNS    fold tables to this width (default: the terminal's)\n"
    "  -W, --timeout SECONDS  give up after that long (default: 5)\n"
    "  -h, --help\n"
    "  -V, --version\n\n"
    "Exit codes: 0 shown, 1 failed (route: no way there), 2 usage, 3 refused, 4 no daemon answers.\n";

static int parse_sections(int argc, char **argv, struct options *o) {
  if (argc > 0 && strcmp(argv[0], "route") == 0) {
    if (argc != 2) {
      return client_usage("route takes one address");
    }
    if (o->watch) {
      return client_usage("route cannot be watched");
    }
    o->route = argv[1];
    return -1;
  }
  for (int i = 0; i < argc; i++) {
    if (strcmp(argv[i], "lease") == 0) {
      argv[i] = (char *)"leases";
    }
    if (!status_section_known(argv[i])) {
      return client_usage("no section '%s'", client_safe(argv[i]));
    }
  }
  o->sections = (const char *const *)argv;
  o->n_sections = (size_t)argc;
  return -1;
}

/* An exit code, or -1 to go on. */
static int parse(int argc, char **argv, struct options *o) {
  enum { OPT_WIDTH = 256 };
  static const struct option longs[] = {
      {"grant", required_argument, NULL, 'g'},   {"json", no_argument, NULL, 'j'},
      {"verbose", no_argument, NULL, 'v'},       {"watch", no_argument, NULL, 'w'},
      {"width", required_argument, NULL, OPT_WIDTH}, {"timeout", required_argument, NULL, 'W'},
      {"help", no_argument, NULL, 'h'},          {"version", no_argument, NULL, 'V'},
      {NULL, 0, NULL, 0},
  };
  uint64_t n;
  int c;
  while ((c = getopt_long(argc, argv, "g:jvwW:hV", longs, NULL)) != -1) {
    switch (c) {
    case 'g': o->grant = optarg; break;
    case 'j': o->json = true; break;
    case 'v': o->verbose = true; break;
    case 'w': o->watch = true; break;
    case OPT_WIDTH:
      if (!client_number(optarg, 20, 10000, &n)) {
        return client_usage("the width is 20 to 10000 columns");
      }
      o->width = (unsigned)n;
      break;
    case 'W':
      if (!client_seconds(optarg, 1, 3600 * 1000, &o->timeout_ms)) {
        return client_usage("the timeout is 0.001 to 3600 seconds");
      }
      break;
    case 'h': (void)fputs(help, stdout); return client_done(CLIENT_OK);
    case 'V': return client_version();
    default: return client_usage("bad option");
    }
  }
  return parse_sections(argc - optind, argv + optind, o);
}

static struct style style_for(const struct options *o) {
  struct style s = style_of(stdout);
  s.width = o->width ? o->width : s.width;
  return s;
}

/* The library's text as JSON; NULL after a message. */
static json_t *load(char *text) {
  json_error_t why = {.text = "out of memory"};
  json_t *root = text ? json_loads(text, JSON_REJECT_DUPLICATES, &why) : NULL;
  free(text);
  if (!root) {
    client_warn("the daemon's answer could not be read: %s", client_safe(why.text));
  }
  return root;
}

static int show_route(capnet *cap, const struct options *o) {
  struct capnet_error err;
  char *text = NULL;
  if (capnet_status_route(cap, o->route, o->timeout_ms, &text, &err) < 0) {
    return client_fail(&err, o->route);
  }
  json_t *route = load(text);
  if (!route) {
    return CLIENT_FAILED;
  }
  if (o->json) {
    return client_json(route);
  }
  struct style style = style_for(o);
  status_render_route(route, o->route, &style);
  json_decref(route);
  return CLIENT_OK;
}

/* One object is one line when lines follow each other. */
static int print_line(json_t *root) {
  int rc = json_dumpf(root, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
  json_decref(root);
  (void)fputc('\n', stdout);
  return rc < 0 || fflush(stdout) != 0 ? CLIENT_FAILED : CLIENT_OK;
}

static int show(capnet *cap, const struct options *o) {
  struct capnet_error err;
  char *text = NULL;
  if (capnet_status_get(cap, o->sections, o->n_sections, o->timeout_ms, &text, &err) < 0) {
    return client_fail(&err, NULL);
  }
  json_t *raw = load(text);
  if (!raw) {
    return CLIENT_FAILED;
  }
  json_t *shaped = status_shape(raw, o->sections, o->n_sections);
  json_decref(raw);
  if (o->json) {
    return o->watch ? print_line(shaped) : client_json(shaped);
  }
  struct style style = style_for(o);
  status_render(shaped, &style, o->verbose);
  json_decref(shaped);
  return CLIENT_OK;
}

static int on_event(const struct capnet_status_event *e, void *user) {
  const struct options *o = user;
  if (o->json) {
    json_t *line = load(strdup(e->json));
    if (line && !json_object_get(line, "lost")) {
      (void)json_object_set_new(line, "lost", json_integer(0));
    }
    return line && print_line(line) == CLIENT_OK ? 0 : 1;
  }
  time_t at = (time_t)(e->at_us / 1000000);
  struct tm tm;
  char clock[32] = "";
  if (localtime_r(&at, &tm)) {
    (void)strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
  }
  if (e->lost) {
    (void)printf("%s  (%llu events lost: they came faster than they were read)\n", clock, (unsigned long long)e->lost);
  }
  (void)printf("%s  %-10s  %s\n", clock, client_safe(e->section), client_safe(e->text));
  return fflush(stdout) == 0 ? 0 : 1;
}

static int watch(capnet *cap, const struct options *o) {
  int stop = client_stop_fd();
  capnet_set_stop_fd(cap, stop);
  int rc = show(cap, o);
  if (rc != CLIENT_OK || fflush(stdout) != 0) {
    return rc != CLIENT_OK ? rc : CLIENT_FAILED;
  }
  struct capnet_error err;
  rc = capnet_status_watch(cap, o->sections, o->n_sections, 0, on_event, (void *)o, &err);
  if (rc < 0 && strcmp(err.code, "CANCELLED") != 0) {
    return client_fail(&err, "watch");
  }
  return rc > 0 ? CLIENT_FAILED : CLIENT_OK;
}

int main(int argc, char **argv) {
  struct options o = {.timeout_ms = 5000};
  (void)setlocale(LC_CTYPE, "");
  client_init("capnet-status");
  int rc = parse(argc, argv, &o);
  if (rc >= 0) {
    return rc;
  }
  struct capnet_error err;
  capnet *cap = NULL;
  if (capnet_open(o.grant, DEFAULT_GRANT, "status", o.timeout_ms, &cap, &err) < 0) {
    return client_fail(&err, NULL);
  }
  rc = o.route ? show_route(cap, &o) : o.watch ? watch(cap, &o) : show(cap, &o);
  capnet_close(cap);
  return client_done(rc);
}
