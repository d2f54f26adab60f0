/* SPDX-License-Identifier: BSD-3-Clause
 * NAME.grant: who may take it, and a section for each capability of the bundle.
 */
#include "core/config.h"
#include "core/config_ini.h"
#include "stack/stack_tcp.h"

#include <stdio.h>

/* An item while it is read: rules are parsed one by one, so that an error has its own line. */
struct item_lines {
  char rules[AUTH_RULES_MAX][CONFIG_LINE_MAX + 1];
  unsigned n;
};

struct grant_context {
  struct grant *g;
  struct grant_item *item; /* NULL: in [grant] */
  struct item_lines lines;
  struct config_parser *p;
  bool seen;
};

/* --- what both have ----------------------------------------------------------------------------------------------- */

static int set_congestion(char into[AUTH_CONGESTION_MAX], const char *value, char reason[REASON_MAX]) {
  char known[STACK_CONGESTION_STRLEN];
  if (stack_congestion_find(value))
    return config_text(into, AUTH_CONGESTION_MAX, value, reason);
  return config_reason(reason, "\"%.40s\" is no congestion controller; there are %s", value,
                       stack_congestion_names(known));
}

/* --- [grant] ------------------------------------------------------------------------------------------------------ */

static int set_description(void *arg, const char *value, char reason[REASON_MAX]) {
  struct grant_context *ctx = arg;
  return config_text(ctx->g->description, sizeof(ctx->g->description), value, reason);
}

static int add_who(struct grant_context *ctx, struct grant_who *who, unsigned *n, const char *value,
                   char reason[REASON_MAX]) {
  char copy[CONFIG_LINE_MAX + 1], *list = copy, *word;
  int r = config_text(copy, sizeof(copy), value, reason);
  while (r == 0 && (word = config_word(&list))) {
    if (strcmp(word, "*") == 0)
      return config_reason(reason, "there is no everybody; name a group");
    if (!config_plain_name(word, sizeof(who->text) - 1) || word[0] == '-')
      return config_reason(reason, "\"%.60s\" is neither a name nor a number", word);
    if (*n == CONFIG_WHO_MAX)
      return config_reason(reason, "more than %d names", CONFIG_WHO_MAX);
    struct grant_who *w = &who[(*n)++];
    w->line = ctx->p->line;
    r = config_text(w->text, sizeof(w->text), word, reason);
  }
  return r;
}
static int set_users(void *arg, const char *value, char reason[REASON_MAX]) {
  struct grant_context *ctx = arg;
  return add_who(ctx, ctx->g->users, &ctx->g->n_users, value, reason);
}
static int set_groups(void *arg, const char *value, char reason[REASON_MAX]) {
  struct grant_context *ctx = arg;
  return add_who(ctx, ctx->g->groups, &ctx->g->n_groups, value, reason);
}

static int set_grant_congestion(void *arg, const char *value, char reason[REASON_MAX]) {
  return set_congestion(((struct grant_context *)arg)->g->congestion, value, reason);
}

static const struct config_key grant_keys[] = {
    {"description", false, set_description},
    {"users", true, set_users},
    {"groups", true, set_groups},
    {"socket.congestion", false, set_grant_congestion},
};

static int set_grant_limit(void *arg, const char *key, const char *value, char reason[REASON_MAX]) {
  struct grant_context *ctx = arg;
  enum auth_limit l;
  if (strncmp(key, "limit.", 6) != 0 || auth_limit_by_name(key + 6, &l) < 0)
    return -ENOENT;
  return config_limit(ctx->g->limits, l, value, reason);
}

/* --- items -------------------------------------------------------------------------------------------------------- */

static int set_allow(void *arg, const char *value, char reason[REASON_MAX]) {
  struct grant_context *ctx = arg;
  struct auth_rule rule;
  char err[160];
  if (auth_rule_parse(ctx->item->kind, value, &rule, err) < 0)
    return config_reason(reason, "%s", err);
  if (ctx->lines.n == AUTH_RULES_MAX)
    return config_reason(reason, "more than %d rules", AUTH_RULES_MAX);
  (void)snprintf(ctx->lines.rules[ctx->lines.n++], CONFIG_LINE_MAX + 1, "%s", value);
  return 0;
}

static int set_expires(void *arg, const char *value, char reason[REASON_MAX]) {
  static const struct {
    char suffix;
    uint64_t seconds;
  } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
  struct grant_context *ctx = arg;
  char *end;
  uint64_t n = value[0] >= '1' && value[0] <= '9' ? strtoull(value, &end, 10) : 0;
  for (size_t i = 0; i < ARRAY_SIZE(units) && n > 0 && n <= 100000; i++)
    if (end[0] == units[i].suffix && end[1] == 0) {
      ctx->item->expires_s = n * units[i].seconds;
      return 0;
    }
  return config_reason(reason, "\"%.40s\" is no span of time: 1 to 100000 with s, m, h or d", value);
}

static int set_item_congestion(void *arg, const char *value, char reason[REASON_MAX]) {
  struct grant_item *item = ((struct grant_context *)arg)->item;
  if (item->kind != AUTH_TCP_CONNECT && item->kind != AUTH_TCP_LISTEN)
    return config_reason(reason, "socket.congestion says nothing about %s", auth_kind_name(item->kind));
  return set_congestion(item->congestion, value, reason);
}

static const struct config_key item_keys[] = {
    {"allow", true, set_allow},
    {"expires", false, set_expires},
    {"socket.congestion", false, set_item_congestion},
};

/* Which limits say something about a kind; the others count for all. */
static bool limit_concerns(enum auth_limit l, enum auth_kind k) {
  switch (l) {
  case LIMIT_LOOKUPS:
  case LIMIT_DNS_NAME:
  case LIMIT_DNS_ANSWER:
  case LIMIT_DNS_TIME:
    return k == AUTH_DNS;
  case LIMIT_PINGS:
  case LIMIT_PING_COUNT:
  case LIMIT_PING_INTERVAL_MIN:
  case LIMIT_PING_PAYLOAD:
    return k == AUTH_PING;
  case LIMIT_CONNECT_TIME:
    return k == AUTH_TCP_CONNECT;
  case LIMIT_LISTEN_BACKLOG:
    return k == AUTH_TCP_LISTEN;
  case LIMIT_SOCKETS:
  case LIMIT_SOCKET_RCVBUF:
    return k == AUTH_TCP_CONNECT || k == AUTH_TCP_LISTEN;
  case LIMIT_ENDPOINTS:
  case LIMIT_CHILDREN:
  case LIMIT_CALLS:
  case LIMIT_BYTES:
  case AUTH_LIMIT_COUNT:
    return true;
  }
  return true;
}

static int set_item_limit(void *arg, const char *key, const char *value, char reason[REASON_MAX]) {
  struct grant_context *ctx = arg;
  enum auth_limit l;
  if (auth_limit_by_name(key, &l) < 0)
    return -ENOENT;
  if (!limit_concerns(l, ctx->item->kind))
    return config_reason(reason, "%s says nothing about %s", key, auth_kind_name(ctx->item->kind));
  return config_limit(ctx->item->limits, l, value, reason);
}

/* [connect] and [tcp-connect] name the item "connect"; [tcp-connect web] or [connect web] names it "web". */
static int parse_item_name(const char *section, enum auth_kind *ret_kind, char name[33], char reason[REASON_MAX]) {
  static const struct {
    const char *word;
    enum auth_kind kind;
  } kinds[] = {{"connect", AUTH_TCP_CONNECT}, {"listen", AUTH_TCP_LISTEN}, {"ping", AUTH_PING},
               {"dns", AUTH_DNS},             {"status", AUTH_STATUS},     {"manager", AUTH_MANAGER}};
  size_t n = strcspn(section, " \t");
  const char *label = section + n + strspn(section + n, " \t");
  for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
    const char *full = auth_kind_name(kinds[i].kind);
    if ((strncmp(section, kinds[i].word, n) != 0 || kinds[i].word[n]) && (strncmp(section, full, n) != 0 || full[n]))
      continue;
    if (section[n] && !config_plain_name(label, 32))
      return config_reason(reason, "\"%.40s\" is no name of an item (at most 32 letters, digits, - _ .)", label);
    *ret_kind = kinds[i].kind;
    (void)snprintf(name, 33, "%s", section[n] ? label : kinds[i].word);
    return 0;
  }
  return config_reason(reason, "unknown section; there are grant, connect, listen, ping, dns, status, manager, or one "
                               "of these and a name");
}

/* Turns the lines of the item that ends here into its rights. */
static void finish_item(struct grant_context *ctx) {
  const char *lines[AUTH_RULES_MAX];
  struct grant_item *item = ctx->item;
  char err[160] = "";
  if (!item)
    return;
  for (unsigned i = 0; i < ctx->lines.n; i++)
    lines[i] = ctx->lines.rules[i];
  if (ctx->lines.n == 0)
    config_error(ctx->p, item->line, item->name, "the section has no allow = RULE that holds");
  else if (auth_rights_parse(item->kind, lines, ctx->lines.n, &item->rights, err) < 0)
    config_error(ctx->p, item->line, item->name, err);
  ctx->lines.n = 0;
  ctx->item = NULL;
}

static int begin_section(struct config_parser *p, const char *name, char reason[REASON_MAX]) {
  struct grant_context *ctx = p->user;
  struct grant *g = ctx->g;
  enum auth_kind kind = AUTH_GRANT;
  char label[33];
  finish_item(ctx);
  p->into = ctx;
  if (strcmp(name, "grant") == 0) {
    if (ctx->seen)
      return config_reason(reason, "the section stands twice");
    ctx->seen = true;
    p->keys = grant_keys;
    p->n_keys = ARRAY_SIZE(grant_keys);
    p->more = set_grant_limit;
    return 0;
  }
  int r = parse_item_name(name, &kind, label, reason);
  if (r < 0)
    return r;
  for (unsigned i = 0; i < g->n_items; i++)
    if (strcmp(g->items[i].name, label) == 0)
      return config_reason(reason, "there is an item %s already, in line %u", label, g->items[i].line);
  if (g->n_items == CONFIG_ITEMS_MAX)
    return config_reason(reason, "more than %d items", CONFIG_ITEMS_MAX);
  ctx->item = &g->items[g->n_items++];
  ctx->item->kind = kind;
  ctx->item->line = p->line;
  memcpy(ctx->item->name, label, sizeof(label));
  config_limits_init(ctx->item->limits);
  p->keys = item_keys;
  p->n_keys = ARRAY_SIZE(item_keys);
  p->more = set_item_limit;
  return 0;
}

/* An item may not be looser than its grant; where the grant says nothing it is as loose as its loosest item. */
static void settle_limits(struct config_parser *p, struct grant *g) {
  for (unsigned l = 0; l < AUTH_LIMIT_COUNT; l++) {
    bool said = g->limits[l] != AUTH_LIMIT_INHERIT;
    for (unsigned i = 0; i < g->n_items; i++) {
      uint64_t v = g->items[i].limits[l];
      uint64_t most = g->limits[l] != AUTH_LIMIT_INHERIT ? g->limits[l] : auth_limits[l].fallback;
      if (v == AUTH_LIMIT_INHERIT || auth_limit_tighter((enum auth_limit)l, v, most))
        continue;
      if (said)
        config_error(p, g->items[i].line, auth_limits[l].name, "looser than the grant's own limit");
      else
        g->limits[l] = v;
    }
  }
}

int grant_parse(const char *file, const char *name, const char *text, size_t len, struct grant **ret,
                config_report_fn report, void *arg) {
  _cleanup_free_ struct grant_context *ctx = calloc(1, sizeof(*ctx));
  struct grant *g = calloc(1, sizeof(*g));
  if (!ctx || !g) {
    free(g);
    return -ENOMEM;
  }
  struct config_parser p = {.file = file, .report = report, .arg = arg, .section = begin_section, .user = ctx};
  ctx->g = g;
  ctx->p = &p;
  (void)snprintf(g->name, sizeof(g->name), "%s", name);
  (void)snprintf(g->file, sizeof(g->file), "%s", file);
  config_limits_init(g->limits);
  (void)config_run(&p, text, len);
  finish_item(ctx);
  settle_limits(&p, g);
  if (p.errors == 0 && !ctx->seen)
    config_error(&p, 0, NULL, "there is no section [grant]");
  if (p.errors == 0 && g->n_items == 0)
    config_error(&p, 0, NULL, "nothing is granted: there is no section of an item");
  if (p.errors > 0) {
    grant_free(g);
    return -EINVAL;
  }
  *ret = g;
  return 0;
}

struct grant *grant_free(struct grant *g) {
  for (unsigned i = 0; g && i < g->n_items; i++)
    free(g->items[i].rights);
  free(g);
  return NULL;
}

static bool who_equal(const struct grant_who *a, unsigned n_a, const struct grant_who *b, unsigned n_b) {
  for (unsigned i = 0; n_a == n_b && i < n_a; i++)
    if (strcmp(a[i].text, b[i].text) != 0)
      return false;
  return n_a == n_b;
}

static bool rights_equal(const struct auth_rights *a, const struct auth_rights *b) {
  char x[AUTH_RULE_STRLEN], y[AUTH_RULE_STRLEN];
  for (unsigned i = 0; a->n == b->n && i < a->n; i++)
    if (strcmp(auth_rule_format(a->kind, &a->rules[i], x), auth_rule_format(b->kind, &b->rules[i], y)) != 0)
      return false;
  return a->kind == b->kind && a->n == b->n;
}

static bool item_equal(const struct grant_item *a, const struct grant_item *b) {
  return strcmp(a->name, b->name) == 0 && a->kind == b->kind && a->expires_s == b->expires_s &&
         strcmp(a->congestion, b->congestion) == 0 && memcmp(a->limits, b->limits, sizeof(a->limits)) == 0 &&
         rights_equal(a->rights, b->rights);
}

bool grant_equal(const struct grant *a, const struct grant *b) {
  if (strcmp(a->name, b->name) != 0 || strcmp(a->description, b->description) != 0 ||
      strcmp(a->congestion, b->congestion) != 0 ||
      !who_equal(a->users, a->n_users, b->users, b->n_users) ||
      !who_equal(a->groups, a->n_groups, b->groups, b->n_groups) ||
      memcmp(a->limits, b->limits, sizeof(a->limits)) != 0 || a->n_items != b->n_items)
    return false;
  if (a->resolved && b->resolved &&
      (memcmp(a->uids, b->uids, sizeof(a->uids)) != 0 || memcmp(a->gids, b->gids, sizeof(a->gids)) != 0))
    return false;
  for (unsigned i = 0; i < a->n_items; i++)
    if (!item_equal(&a->items[i], &b->items[i]))
      return false;
  return true;
}
