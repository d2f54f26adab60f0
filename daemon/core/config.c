/* SPDX-License-Identifier: BSD-3-Clause
 * capnetd.conf: the daemon, its interfaces, the resolver, and ceilings by uid.
 */
#include "core/config.h"
#include "core/config_ini.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/socket.h>

/* --- [daemon] ----------------------------------------------------------------------------------------------------- */

static int set_dir(char into[CONFIG_PATH_MAX], const char *value, char reason[REASON_MAX]) {
  if (value[0] != '/')
    return config_reason(reason, "\"%.60s\" is not an absolute path", value);
  return config_text(into, CONFIG_PATH_MAX, value, reason);
}
static int set_runtime_dir(void *c, const char *value, char reason[REASON_MAX]) {
  return set_dir(((struct config *)c)->runtime_dir, value, reason);
}
static int set_state_dir(void *c, const char *value, char reason[REASON_MAX]) {
  return set_dir(((struct config *)c)->state_dir, value, reason);
}
static int set_user(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config *c = arg;
  if (!config_plain_name(value, sizeof(c->user) - 1))
    return config_reason(reason, "\"%.60s\" is no user's name", value);
  return config_text(c->user, sizeof(c->user), value, reason);
}
static int set_log_level(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config *c = arg;
  if (log_level_parse(value, &c->log_level) < 0)
    return config_reason(reason, "\"%.40s\" is none of error, warning, notice, info, debug", value);
  return 0;
}

static int set_sockets(void *arg, const char *value, char reason[REASON_MAX]) {
  static const char *const words[] = {"auto", "real", "pair"};
  struct config *c = arg;
  for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
    if (strcmp(value, words[i]) == 0) {
      c->sockets = (enum config_sockets)i;
      return 0;
    }
  return config_reason(reason, "\"%.40s\" is none of auto, real, pair", value);
}

static const struct config_key daemon_keys[] = {
    {"runtime-dir", false, set_runtime_dir},
    {"state-dir", false, set_state_dir},
    {"user", false, set_user},
    {"log-level", false, set_log_level},
    {"sockets", false, set_sockets},
};

/* --- [resolver] --------------------------------------------------------------------------------------------------- */

static int add_server(struct names_config *rc, const char *word, char reason[REASON_MAX]) {
  struct net_endpoint e = {.port = 53};
  if (net_addr_parse(word, &e.addr) < 0 && net_endpoint_parse(word, &e) < 0)
    return config_reason(reason, "\"%.60s\" is neither ADDRESS nor ADDRESS:PORT nor [V6]:PORT", word);
  enum net_class class = net_addr_class(&e.addr);
  if (e.port == 0 || (class != NET_UNICAST && class != NET_LOOPBACK && class != NET_LINK_LOCAL))
    return config_reason(reason, "\"%.60s\" cannot be the address of a server", word);
  if (rc->n_servers == NAMES_SERVERS_MAX)
    return config_reason(reason, "more than %d servers", NAMES_SERVERS_MAX);
  rc->servers[rc->n_servers++] = (struct names_server){e, "static"};
  return 0;
}
static int set_servers(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config *c = arg;
  char copy[CONFIG_LINE_MAX + 1], *list = copy, *word;
  int r = config_text(copy, sizeof(copy), value, reason);
  while (r == 0 && (word = config_word(&list)))
    r = add_server(&c->resolver, word, reason);
  return r;
}

/* A search domain is what a dns rule without a type list names: the grammar is asked, so there is one. */
static int add_search(struct names_config *rc, const char *word, char reason[REASON_MAX]) {
  struct auth_rule rule;
  char err[160];
  if (auth_rule_parse(AUTH_DNS, word, &rule, err) < 0)
    return config_reason(reason, "%s", err);
  if (rule.name[0] == 0)
    return config_reason(reason, "\"%.60s\" is no domain", word);
  if (rc->n_search == NAMES_SEARCH_MAX)
    return config_reason(reason, "more than %d search domains", NAMES_SEARCH_MAX);
  struct names_domain *d = &rc->search[rc->n_search++];
  memcpy(d->name, rule.name, sizeof(d->name));
  d->origin = "static";
  return 0;
}
static int set_search(void *arg, const char *value, char reason[REASON_MAX]) {
  struct config *c = arg;
  char copy[CONFIG_LINE_MAX + 1], *list = copy, *word;
  int r = 0;
  (void)snprintf(copy, sizeof(copy), "%s", value);
  c->resolver.search_present = true;
  while (r == 0 && (word = config_word(&list)))
    r = add_search(&c->resolver, word, reason);
  return r;
}

static const struct config_key resolver_keys[] = {
    {"servers", true, set_servers},
    {"search", true, set_search},
};

/* --- [limits] ----------------------------------------------------------------------------------------------------- */

static int set_uid_limit(void *arg, const char *key, const char *value, char reason[REASON_MAX]) {
  struct config *c = arg;
  enum auth_limit l;
  if (strncmp(key, "uid.", 4) != 0 || auth_limit_by_name(key + 4, &l) < 0 || !auth_limits[l].budget)
    return -ENOENT;
  return config_limit(c->uid_limits, l, value, reason);
}

/* --- sections ----------------------------------------------------------------------------------------------------- */

enum { SEEN_DAEMON = 1, SEEN_RESOLVER = 2, SEEN_LIMITS = 4 };

struct conf_context {
  struct config *c;
  unsigned seen;
  unsigned lines[CONFIG_INTERFACES_MAX];
};

static int begin_interface(struct config_parser *p, const char *name, char reason[REASON_MAX]) {
  struct conf_context *ctx = p->user;
  struct config *c = ctx->c;
  if (!config_plain_name(name, NIC_NAME_MAX - 1))
    return config_reason(reason, "\"%.40s\" is no name of an interface (at most %d letters, digits, - _ .)", name,
                         NIC_NAME_MAX - 1);
  for (unsigned i = 0; i < c->n_interfaces; i++)
    if (strcmp(c->interfaces[i].name, name) == 0)
      return config_reason(reason, "the interface stands twice");
  if (c->n_interfaces == CONFIG_INTERFACES_MAX)
    return config_reason(reason, "more than %d interfaces", CONFIG_INTERFACES_MAX);
  ctx->lines[c->n_interfaces] = p->line;
  struct config_interface *iface = &c->interfaces[c->n_interfaces++];
  memcpy(iface->name, name, strlen(name) + 1);
  p->keys = config_interface_keys;
  p->n_keys = config_interface_n_keys;
  p->into = iface;
  iface->netconf.mode = NETCONF_DHCP;
  iface->netconf.offer_wait_ms = CONFIG_OFFER_WAIT;
  iface->netconf.rapid_commit = true;
  strcpy(iface->netconf.vendor_class, "capnet");
  iface->netconf.ip6 = NETCONF_IP6_AUTO;
  return 0;
}

static int begin_section(struct config_parser *p, const char *name, char reason[REASON_MAX]) {
  struct conf_context *ctx = p->user;
  unsigned bit;
  if (strncmp(name, "interface ", 10) == 0)
    return begin_interface(p, name + 10, reason);
  p->into = ctx->c;
  if (strcmp(name, "daemon") == 0) {
    bit = SEEN_DAEMON;
    p->keys = daemon_keys;
    p->n_keys = ARRAY_SIZE(daemon_keys);
  } else if (strcmp(name, "resolver") == 0) {
    bit = SEEN_RESOLVER;
    p->keys = resolver_keys;
    p->n_keys = ARRAY_SIZE(resolver_keys);
  } else if (strcmp(name, "limits") == 0) {
    bit = SEEN_LIMITS;
    p->n_keys = 0;
    p->more = set_uid_limit;
  } else
    return config_reason(reason, "unknown section; there are daemon, interface NAME, resolver, limits");
  if (ctx->seen & bit)
    return config_reason(reason, "the section stands twice");
  ctx->seen |= bit;
  return 0;
}

int config_parse(const char *file, const char *text, size_t len, struct config **ret, config_report_fn report,
                 void *arg) {
  _cleanup_free_ struct config *c = calloc(1, sizeof(*c));
  if (!c)
    return -ENOMEM;
  struct conf_context ctx = {.c = c};
  struct config_parser p = {.file = file, .report = report, .arg = arg, .section = begin_section, .user = &ctx};
  c->log_level = LOG_LVL_NOTICE;
  config_limits_init(c->uid_limits);
  (void)config_run(&p, text, len);
  for (unsigned i = 0; i < c->n_interfaces; i++) {
    config_interface_check(&p, &c->interfaces[i], ctx.lines[i]);
    c->interfaces[i].netconf.resolver = c->resolver;
  }
  if (p.errors > 0)
    return -EINVAL;
  *ret = TAKE_PTR(c);
  return 0;
}

int config_load(const char *path, struct config **ret, config_report_fn report, void *arg) {
  _cleanup_free_ char *dir = strdup(path), *base = strdup(path), *text = NULL;
  size_t len = 0;
  if (!dir || !base)
    return -ENOMEM;
  _cleanup_close_ int fd = config_open_dir(dirname(dir), report, arg);
  if (fd < 0)
    return fd;
  int r = config_read_at(fd, basename(base), path, &text, &len, report, arg);
  struct config *c = NULL;
  if (r == 0)
    r = config_parse(path, text, len, &c, report, arg);
  for (unsigned i = 0; r == 0 && i < c->n_interfaces; i++)
    if (c->interfaces[i].device == CONFIG_FIXTURE)
      r = config_script_load(&c->interfaces[i], path, report, arg);
  if (r < 0) {
    config_free(c);
    return r;
  }
  *ret = c;
  return 0;
}

struct config *config_free(struct config *c) {
  for (unsigned i = 0; c && i < c->n_interfaces; i++)
    fixture_script_free(c->interfaces[i].fixture);
  free(c);
  return NULL;
}
