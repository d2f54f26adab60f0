/* SPDX-License-Identifier: BSD-3-Clause
 * Rules from text, one parser for each kind, and the table that names the kinds. Text comes from operators' files and
 * from Attenuate alike, so nothing of it is trusted and every refusal is a sentence.
 */
#include "authority/rights.h"
#include "authority/rights_internal.h"
#include "base/util.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#define ERR_LEN 160
#define INTERFACE_MAX 15

static int _printf_(2, 3) refuse(char err[ERR_LEN], const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(err, ERR_LEN, fmt, ap);
  va_end(ap);
  return -EINVAL;
}

/* Cuts DEST:PORTS or [v6]:PORTS in two; text is changed. */
static int split_ports(char *text, char **ret_dest, const char **ret_ports, char err[ERR_LEN]) {
  char *dest = text, *colon;
  if (*text == '[') {
    char *close = strchr(text, ']');
    if (!close || close[1] != ':')
      return refuse(err, "\"%.60s\" is not [ADDRESS]:PORTS", text);
    *close = 0;
    dest = text + 1;
    colon = close + 1;
    if (!strchr(dest, ':'))
      return refuse(err, "only an IPv6 address stands in brackets, not \"%.60s\"", dest);
  } else {
    colon = strchr(text, ':');
    if (!colon)
      return refuse(err, "\"%.60s\" has no :PORTS", text);
    if (strchr(colon + 1, ':'))
      return refuse(err, "an IPv6 address stands in brackets: [%.50s]:PORTS", text);
    *colon = 0;
  }
  *ret_dest = dest;
  *ret_ports = colon + 1;
  return 0;
}

static int parse_dest(const char *s, struct auth_rule *r, char err[ERR_LEN]) {
  if (strcmp(s, "*") == 0) {
    r->where = AUTH_WHERE_ANY;
    return 0;
  }
  r->where = AUTH_WHERE_PREFIX;
  if (net_prefix_parse(s, &r->prefix) < 0)
    return refuse(err, "\"%.60s\" is neither an address nor a prefix whose host bits are zero, nor *", s);
  return 0;
}

static int parse_tcp_connect(char *text, struct auth_rule *r, char err[ERR_LEN]) {
  char *dest;
  const char *ports;
  int e = split_ports(text, &dest, &ports, err);
  if (e == 0)
    e = parse_dest(dest, r, err);
  if (e == 0 && net_ports_parse(ports, &r->ports) < 0)
    e = refuse(err, "\"%.40s\" is neither a port nor a range N-M nor *", ports);
  return e;
}

static int parse_tcp_listen(char *text, struct auth_rule *r, char err[ERR_LEN]) {
  char *dest;
  const char *ports;
  struct net_addr addr;
  int e = split_ports(text, &dest, &ports, err);
  if (e < 0)
    return e;
  if (strcmp(dest, "interface-address") == 0)
    r->where = AUTH_WHERE_INTERFACE;
  else if (strcmp(dest, "*") == 0)
    r->where = AUTH_WHERE_ANY;
  else if (net_addr_parse(dest, &addr) < 0)
    return refuse(err, "\"%.60s\" is neither an address nor interface-address nor *", dest);
  else if (net_addr_class(&addr) == NET_UNSPECIFIED)
    return refuse(err, "\"%.60s\" is no address to listen on; every address is *", dest);
  else if (!rights_bindable(&addr))
    return refuse(err, "\"%.60s\" is no address to listen on", dest);
  else {
    r->where = AUTH_WHERE_PREFIX;
    r->prefix = (struct net_prefix){addr, addr.family == AF_INET ? 32 : 128};
  }
  if (net_ports_parse(ports, &r->ports) < 0)
    return refuse(err, "\"%.40s\" is neither a port nor a range N-M nor *", ports);
  return 0;
}

static int parse_ping(char *text, struct auth_rule *r, char err[ERR_LEN]) {
  size_t n = strlen(text);
  if (n >= 2 && text[0] == '[' && text[n - 1] == ']' && strchr(text, ':')) {
    text[n - 1] = 0;
    text++;
  }
  return parse_dest(text, r, err);
}

/* Splits off the first word; the rest starts at its first byte that is no blank. */
static char *next_word(char *text) {
  char *p = text + strcspn(text, " \t");
  if (*p) {
    *p++ = 0;
    p += strspn(p, " \t");
  }
  return p;
}

struct word {
  const char *name;
  unsigned bit;
};
static const struct word ops[] = {
    {"get", AUTH_OP_GET}, {"set", AUTH_OP_SET}, {"renew", AUTH_OP_RENEW}, {"release", AUTH_OP_RELEASE}};
static const struct word types[] = {{"A", AUTH_TYPE_A}, {"AAAA", AUTH_TYPE_AAAA}};

/* A list with commas and no blanks, each word once. */
static int parse_mask(char *text, const struct word *words, size_t n_words, const char *what, unsigned *ret,
                      char err[ERR_LEN]) {
  unsigned mask = 0;
  char *item, *rest = text;
  while ((item = strsep(&rest, ","))) {
    unsigned bit = 0;
    for (size_t i = 0; i < n_words; i++)
      if (strcmp(words[i].name, item) == 0)
        bit = words[i].bit;
    if (bit == 0)
      return refuse(err, "\"%.40s\" is no %s", item, what);
    if (mask & bit)
      return refuse(err, "%s %.40s stands twice", what, item);
    mask |= bit;
  }
  *ret = mask;
  return 0;
}

static bool label_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Lower case, no final dot, labels of 1..63. */
static int parse_suffix(const char *s, char ret[AUTH_SUFFIX_MAX], char err[ERR_LEN]) {
  size_t n = strlen(s), label = 0;
  if (n > 1 && s[n - 1] == '.')
    n--;
  if (n == 0 || n >= AUTH_SUFFIX_MAX)
    return refuse(err, "a domain has 1 to %d bytes, this one %zu", AUTH_SUFFIX_MAX - 1, n);
  if (s[0] == '*' || s[0] == '.')
    return refuse(err, "\"%.60s\": a domain without * or first dot; it covers itself and what is below", s);
  for (size_t i = 0; i < n; i++) {
    char c = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];
    if (c == '.' ? label == 0 : !label_char(c))
      return refuse(err, "\"%.60s\" is not a domain: letters, digits, - and _ in labels divided by one dot", s);
    label = c == '.' ? 0 : label + 1;
    if (label > 63)
      return refuse(err, "\"%.60s\" has a label of more than 63 bytes", s);
    ret[i] = c;
  }
  if (label == 0)
    return refuse(err, "\"%.60s\" ends in an empty label", s);
  ret[n] = 0;
  return 0;
}

static int parse_dns(char *text, struct auth_rule *r, char err[ERR_LEN]) {
  char *rest = next_word(text);
  r->mask = AUTH_TYPE_A | AUTH_TYPE_AAAA;
  if (*rest) {
    int e = parse_mask(rest, types, ARRAY_SIZE(types), "record type (A, AAAA)", &r->mask, err);
    if (e < 0)
      return e;
  }
  if (strcmp(text, "*") == 0)
    return 0;
  return parse_suffix(text, r->name, err);
}

static int parse_status(char *text, struct auth_rule *r, char err[ERR_LEN]) {
  for (enum auth_scope s = AUTH_SCOPE_OWN; s <= AUTH_SCOPE_ALL; s++)
    if (strcmp(rights_scope_name(s), text) == 0) {
      r->scope = s;
      return 0;
    }
  return refuse(err, "\"%.60s\" is no scope: own, grant or all", text);
}

static int parse_interface(const char *text, char ret[INTERFACE_MAX + 1], char err[ERR_LEN]) {
  size_t n = strlen(text);
  for (const char *p = text; *p; p++)
    if (!label_char(*p) && *p != '.' && !(*p >= 'A' && *p <= 'Z'))
      n = INTERFACE_MAX + 1;
  if (n == 0 || n > INTERFACE_MAX)
    return refuse(err, "\"%.40s\" is no name of an interface (at most %d letters, digits, - _ .)", text, INTERFACE_MAX);
  memcpy(ret, text, n + 1);
  return 0;
}

/* "via INTERFACE", behind the first word. */
static int parse_via(char *text, struct auth_rule *r, char err[ERR_LEN]) {
  char *word = next_word(text);
  if (*word == 0)
    return 0;
  char *name = next_word(word);
  if (strcmp(word, "via") != 0)
    return refuse(err, "\"%.60s\": behind it only via INTERFACE may stand, not \"%.40s\"", text, word);
  return parse_interface(name, r->via, err);
}

static int parse_manager(char *text, struct auth_rule *r, char err[ERR_LEN]) {
  char *rest = next_word(text);
  if (*rest == 0)
    return refuse(err, "INTERFACE OPERATIONS: \"%.40s\" names no operation (get,set,renew,release)", text);
  int e = parse_mask(rest, ops, ARRAY_SIZE(ops), "operation (get, set, renew, release)", &r->mask, err);
  if (e < 0 || strcmp(text, "*") == 0)
    return e;
  return parse_interface(text, r->name, err);
}

/* In the order of enum auth_kind. parse NULL: the kind has no rules. via: a rule may name the way. */
static const struct {
  const char *name;
  int (*parse)(char *text, struct auth_rule *r, char err[ERR_LEN]);
  bool via;
} kinds[AUTH_KIND_COUNT] = {
    [AUTH_GRANT] = {"grant", NULL, false},
    [AUTH_MANAGER] = {"manager", parse_manager, false},
    [AUTH_STATUS] = {"status", parse_status, false},
    [AUTH_TCP_CONNECT] = {"tcp-connect", parse_tcp_connect, true},
    [AUTH_TCP_LISTEN] = {"tcp-listen", parse_tcp_listen, true},
    [AUTH_TCP_LISTENER] = {"tcp-listener", NULL, false},
    [AUTH_TCP_SOCKET] = {"tcp-socket", NULL, false},
    [AUTH_DNS] = {"dns", parse_dns, false},
    [AUTH_PING] = {"ping", parse_ping, true},
};

const char *auth_kind_name(enum auth_kind k) { return (unsigned)k < AUTH_KIND_COUNT ? kinds[k].name : "unknown"; }

int auth_kind_by_name(const char *name, enum auth_kind *ret) {
  for (unsigned k = 0; k < AUTH_KIND_COUNT; k++)
    if (strcmp(kinds[k].name, name) == 0) {
      *ret = (enum auth_kind)k;
      return 0;
    }
  return -EINVAL;
}

bool rights_kind_has_rules(enum auth_kind k) { return kinds[k].parse != NULL; }

int auth_rule_parse(enum auth_kind kind, const char *text, struct auth_rule *ret, char err[160]) {
  char copy[AUTH_RULE_STRLEN];
  struct auth_rule r = {0};
  text += strspn(text, " \t");
  size_t n = strlen(text);
  while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
    n--;
  if (!rights_kind_has_rules(kind))
    return refuse(err, "%s takes no rules", auth_kind_name(kind));
  if (n == 0)
    return refuse(err, "the rule is empty");
  if (n >= sizeof(copy))
    return refuse(err, "a rule has at most %zu bytes", sizeof(copy) - 1);
  memcpy(copy, text, n);
  copy[n] = 0;
  int e = kinds[kind].via ? parse_via(copy, &r, err) : 0;
  if (e == 0)
    e = kinds[kind].parse(copy, &r, err);
  if (e == 0)
    *ret = r;
  return e;
}
