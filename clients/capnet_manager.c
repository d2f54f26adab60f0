/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-manager: what a NetworkManager capability may change of an interface: renew, release, start over, a configured
 * address, DHCP. Each command prints the configuration as it is afterwards.
 */
#include "clients/client.h"
#include "clients/text.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_GRANT "admin"
#define LIST_MAX 16

struct options {
  const char *grant, *interface;
  unsigned timeout_ms;
  bool json, ip6;
  const char *dns[LIST_MAX], *search[LIST_MAX], *more[LIST_MAX];
  struct capnet_static fixed;
};

static const char help[] =
    "Usage: capnet-manager [OPTION]… [show]\n"
    "       capnet-manager [OPTION]… renew | release | dhcp | reconfigure\n"
    "       capnet-manager -6 [OPTION]… renew | release | auto\n"
    "       capnet-manager [OPTION]… static ADDRESS/LENGTH [gateway ADDRESS] [dns ADDRESS]… [search DOMAIN]…\n"
    "Change the configuration of an interface while the daemon runs, and print what it is afterwards.\n\n"
    "  renew        ask for the lease anew, at its server\n"
    "  release      give the lease back, and the address up\n"
    "  reconfigure  forget what was changed live, and start over with the configuration file's\n"
    "  static       this address, whatever a server says; a live lease waits beside it. Of IPv6 'and ADDRESS/LENGTH'\n"
    "               adds more\n"
    "  dhcp         back to DHCP\n"
    "  auto         of IPv6: back to what routers and DHCPv6 give\n\n"
    "  -6                     renew and release a lease of DHCPv6\n"
    "  -g, --grant NAME       the grant to use (a name or a path; default: admin)\n"
    "  -i, --interface NAME   which interface; may be left out when there is one\n"
    "  -j, --json             one JSON object (docs/json.md)\n"
    "  -W, --timeout SECONDS  give up after that long (default: 5)\n"
    "  -h, --help\n"
    "  -V, --version\n\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 refused, 4 no daemon answers.\n";

typedef int (*change_fn)(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                         struct capnet_error *err);

static const struct {
  const char *name;
  change_fn ip4, ip6; /* NULL: not of this family */
} commands[] = {
    {"show", capnet_manager_get, capnet_manager_get},
    {"renew", capnet_manager_renew, capnet_manager_renew6},
    {"release", capnet_manager_release, capnet_manager_release6},
    {"reconfigure", capnet_manager_reconfigure, capnet_manager_reconfigure},
    {"dhcp", capnet_manager_use_dhcp, NULL},
    {"auto", NULL, capnet_manager_use_auto6},
};

/* -1, or an exit code. */
static int parse_options(int argc, char **argv, struct options *o) {
  static const struct option longs[] = {
      {"grant", required_argument, NULL, 'g'},   {"interface", required_argument, NULL, 'i'},
      {"json", no_argument, NULL, 'j'},          {"timeout", required_argument, NULL, 'W'},
      {"help", no_argument, NULL, 'h'},          {"version", no_argument, NULL, 'V'},
      {NULL, 0, NULL, 0},
  };
  int c;
  while ((c = getopt_long(argc, argv, "+6g:i:jW:hV", longs, NULL)) != -1) {
    switch (c) {
    case '6': o->ip6 = true; break;
    case 'g': o->grant = optarg; break;
    case 'i': o->interface = optarg; break;
    case 'j': o->json = true; break;
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
  return -1;
}

/* static ADDRESS/LENGTH, then pairs of words. */
static int parse_static(int argc, char **argv, struct options *o) {
  if (argc < 1) {
    return client_usage("static wants ADDRESS/LENGTH");
  }
  o->fixed = (struct capnet_static){.address = argv[0], .dns = o->dns, .search = o->search, .more = o->more};
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) {
      return client_usage("%s wants a value", client_safe(argv[i]));
    }
    if (strcmp(argv[i], "gateway") == 0 && !o->fixed.gateway) {
      o->fixed.gateway = argv[i + 1];
    } else if (strcmp(argv[i], "dns") == 0 && o->fixed.n_dns < LIST_MAX) {
      o->dns[o->fixed.n_dns++] = argv[i + 1];
    } else if (strcmp(argv[i], "search") == 0 && o->fixed.n_search < LIST_MAX) {
      o->search[o->fixed.n_search++] = argv[i + 1];
    } else if (strcmp(argv[i], "and") == 0 && o->fixed.n_more < LIST_MAX) {
      o->more[o->fixed.n_more++] = argv[i + 1];
    } else {
      return client_usage("'%s' is none of gateway (once), dns, search, and (%d at most)", client_safe(argv[i]), LIST_MAX);
    }
  }
  return -1;
}

static change_fn command_of(const char *word, bool ip6) {
  for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
    if (strcmp(word, commands[i].name) == 0) {
      return ip6 || !commands[i].ip4 ? commands[i].ip6 : commands[i].ip4;
    }
  }
  return NULL;
}

static void print_value(const json_t *root, const char *key, const char *label) {
  const char *value = json_string_value(json_object_get(root, key));
  if (value) {
    (void)printf("  %-9s %s\n", label, client_safe(value));
  }
}

static void print_list(const json_t *root, const char *key, const char *label) {
  size_t i;
  const json_t *item;
  json_array_foreach(json_object_get(root, key), i, item) {
    (void)printf("  %-9s %s\n", i == 0 ? label : "", client_safe(json_string_value(item)));
  }
}

static void print_addresses(const json_t *root) {
  static const struct column columns[] = {{.title = "ADDRESS"}, {.title = "ORIGIN"}, {.title = "STATE"}};
  struct style style = style_of(stdout);
  struct table *t = table_new(columns, 3);
  size_t i;
  const json_t *a;
  json_array_foreach(json_object_get(root, "addresses"), i, a) {
    const char *why = json_string_value(json_object_get(a, "why"));
    char *text = text_format("%s/%lld", json_string_value(json_object_get(a, "address")),
                             (long long)json_integer_value(json_object_get(a, "prefix")));
    table_row(t, (const char *[]){text, json_string_value(json_object_get(a, "origin")),
                                  json_string_value(json_object_get(a, "state"))});
    if (why) {
      table_note(t, why);
    }
    free(text);
  }
  table_print(t, &style, 2);
  table_free(t);
  if (i == 0) {
    (void)puts("  no address");
  }
}

static int print_config(char *text, const struct options *o) {
  json_error_t why;
  json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &why);
  free(text);
  if (!root) {
    client_warn("the daemon's answer could not be read: %s", client_safe(why.text));
    return CLIENT_FAILED;
  }
  if (o->json) {
    return client_json(root);
  }
  (void)printf("%s  mode %s\n", client_safe(json_string_value(json_object_get(root, "interface"))),
               client_safe(json_string_value(json_object_get(root, "mode"))));
  print_value(root, "gateway", "gateway");
  print_value(root, "lease_state", "lease");
  print_list(root, "dns", "dns");
  print_list(root, "search", "search");
  print_addresses(root);
  json_decref(root);
  return CLIENT_OK;
}

static int run(const struct options *o, change_fn change) {
  struct capnet_error err;
  capnet *cap = NULL;
  char *text = NULL;
  if (capnet_open(o->grant, DEFAULT_GRANT, "manager", o->timeout_ms, &cap, &err) < 0) {
    return client_fail(&err, NULL);
  }
  int r = change ? change(cap, o->interface, o->timeout_ms, &text, &err)
                 : capnet_manager_set_static(cap, o->interface, &o->fixed, o->timeout_ms, &text, &err);
  capnet_close(cap);
  return r < 0 ? client_fail(&err, NULL) : print_config(text, o);
}

int main(int argc, char **argv) {
  struct options o = {.timeout_ms = 5000};
  client_init("capnet-manager");
  int rc = parse_options(argc, argv, &o);
  if (rc >= 0) {
    return rc;
  }
  const char *word = optind < argc ? argv[optind] : "show";
  change_fn change = NULL;
  if (strcmp(word, "static") == 0) {
    rc = parse_static(argc - optind - 1, argv + optind + 1, &o);
  } else if (!(change = command_of(word, o.ip6))) {
    rc = client_usage("no command '%s'", client_safe(word));
  } else if (argc - optind > 1) {
    rc = client_usage("%s takes no argument", word);
  }
  return rc >= 0 ? rc : client_done(run(&o, change));
}
