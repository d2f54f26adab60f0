/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-resolve: names to addresses over a DnsResolver capability, and nothing else: no hosts file, no other resolver.
 */
#include "clients/client.h"
#include "clients/resolve_render.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_GRANT "resolve"
#define OPEN_TIMEOUT_MS 5000

struct options {
  const char *grant;
  unsigned types, flags, timeout_ms;
  bool json;
};

static const char help[] =
    "Usage: capnet-resolve [OPTION]… NAME…\n"
    "Look names up through a granted resolver.\n\n"
    "  -t, --type A|AAAA      ask for this type only; may be repeated (default: both)\n"
    "  -S, --no-search        take each name as it is, without search domains\n"
    "  -W, --timeout SECONDS  give up on a name after that long (default: what the grant allows)\n"
    "  -g, --grant NAME       the grant to use (a name or a path; default: resolve)\n"
    "  -j, --json             one JSON object: {\"results\": […]}\n"
    "  -h, --help\n"
    "  -V, --version\n\n"
    "Exit codes: 0 each name has an address, 1 failed, 2 usage, 3 refused by the grant, 4 no daemon answers,\n"
    "5 no such name, 6 no such record, 7 timed out, 8 the server refused, 9 the server failed, 10 unreadable\n"
    "answer, 11 no name servers, 12 no address or route yet, 13 answer too large, 14 deadline. Of several names\n"
    "that fail, the first one's.\n";

/* An exit code, or -1 to go on. */
static int parse(int argc, char **argv, struct options *o) {
  static const struct option longs[] = {
      {"type", required_argument, NULL, 't'},    {"no-search", no_argument, NULL, 'S'},
      {"timeout", required_argument, NULL, 'W'}, {"grant", required_argument, NULL, 'g'},
      {"json", no_argument, NULL, 'j'},          {"help", no_argument, NULL, 'h'},
      {"version", no_argument, NULL, 'V'},       {NULL, 0, NULL, 0},
  };
  int c;
  while ((c = getopt_long(argc, argv, "t:SW:g:jhV", longs, NULL)) != -1) {
    switch (c) {
    case 't':
      if (strcasecmp(optarg, "A") == 0) {
        o->types |= CAPNET_DNS_A;
      } else if (strcasecmp(optarg, "AAAA") == 0) {
        o->types |= CAPNET_DNS_AAAA;
      } else {
        return client_usage("the type is A or AAAA");
      }
      break;
    case 'S': o->flags |= CAPNET_DNS_NO_SEARCH; break;
    case 'W':
      if (!client_seconds(optarg, 1, 3600 * 1000, &o->timeout_ms)) {
        return client_usage("the timeout is 0.001 to 3600 seconds");
      }
      break;
    case 'g': o->grant = optarg; break;
    case 'j': o->json = true; break;
    case 'h': (void)fputs(help, stdout); return client_done(CLIENT_OK);
    case 'V': return client_version();
    default: return client_usage("bad option");
    }
  }
  if (optind == argc) {
    return client_usage("a name is missing");
  }
  o->types = o->types ? o->types : CAPNET_DNS_A | CAPNET_DNS_AAAA;
  return -1;
}

/* An error of the whole call: its own code where the table has one, else the clients' common one. */
static int fail(const struct capnet_error *err, const char *name, json_t *results) {
  if (results) {
    json_t *line = client_json_error(err);
    (void)json_object_set_new(line, "asked", text_json(name));
    (void)json_array_append_new(results, line);
  }
  const struct resolve_failure *f = resolve_failure_of(err->code);
  if (!f) {
    return client_fail(err, name);
  }
  char *sentence = resolve_sentence(err, name, NULL);
  client_warn("%s", sentence);
  free(sentence);
  return f->exit;
}

static int resolve_one(capnet *cap, const struct options *o, const char *name, json_t *results,
                       const struct style *style) {
  struct capnet_error err;
  struct capnet_dns_result *r = NULL;
  if (capnet_resolve(cap, name, o->types, o->flags, o->timeout_ms, &r, &err) < 0) {
    return fail(&err, name, results);
  }
  if (results) {
    (void)json_array_append_new(results, resolve_json(r, name));
  } else {
    resolve_render(r, name, style);
  }
  int rc = resolve_exit(r);
  capnet_dns_result_free(r);
  return rc;
}

int main(int argc, char **argv) {
  struct options o = {0};
  client_init("capnet-resolve");
  int rc = parse(argc, argv, &o);
  if (rc >= 0) {
    return rc;
  }
  struct capnet_error err;
  capnet *cap = NULL;
  if (capnet_open(o.grant, DEFAULT_GRANT, "dns", OPEN_TIMEOUT_MS, &cap, &err) < 0) {
    return client_fail(&err, NULL);
  }
  int stop_fd = client_stop_fd();
  capnet_set_stop_fd(cap, stop_fd);
  struct style style = style_of(stdout);
  json_t *results = o.json ? json_array() : NULL;
  int code = CLIENT_OK;
  for (int i = optind; i < argc; i++) {
    rc = resolve_one(cap, &o, argv[i], results, &style);
    code = code ? code : rc;
  }
  if (results && client_json(json_pack("{s:o}", "results", results)) != CLIENT_OK) {
    code = CLIENT_FAILED;
  }
  capnet_close(cap);
  return client_done(code);
}
