/* SPDX-License-Identifier: BSD-3-Clause
 * What the values of capnet-run's options mean.
 */
#include "clients/run.h"

#include <arpa/inet.h>
#include <string.h>

/* Copies len bytes where they fit with their NUL; empty is refused. */
static bool copy(char *to, size_t size, const char *from, size_t len) {
  if (len == 0 || len >= size)
    return false;
  memcpy(to, from, len);
  to[len] = 0;
  return true;
}

bool run_parse_grant(const char *text, struct run_grant *ret) {
  const char *eq = strchr(text, '='), *from = text;
  size_t len;
  *ret = (struct run_grant){.where = eq ? eq + 1 : text, .fd = -1};
  if (eq) {
    len = (size_t)(eq - text);
  } else {
    const char *slash = strrchr(text, '/');
    from = slash ? slash + 1 : text;
    len = strlen(from);
    if (slash && len > 5 && strcmp(from + len - 5, ".sock") == 0)
      len -= 5;
  }
  return *ret->where && !memchr(from, ',', len) && !memchr(from, '/', len) &&
         copy(ret->name, sizeof ret->name, from, len);
}

/* "HOST:PORT" or "[HOST]:PORT", HOST without the brackets; no colon: no host, and the port alone. */
static bool split_port(const char *text, size_t len, const char **ret_host, size_t *ret_host_len, uint16_t *ret_port) {
  const char *colon = memrchr(text, ':', len);
  const char *port_text = colon ? colon + 1 : text;
  char digits[8];
  uint64_t port;
  if (!copy(digits, sizeof digits, port_text, (size_t)(text + len - port_text)) ||
      !client_number(digits, 1, UINT16_MAX, &port))
    return false;
  *ret_port = (uint16_t)port;
  *ret_host = text;
  *ret_host_len = colon ? (size_t)(colon - text) : 0;
  if (colon && *ret_host_len > 2 && text[0] == '[' && colon[-1] == ']') {
    ++*ret_host;
    *ret_host_len -= 2;
    return memchr(*ret_host, ':', *ret_host_len); /* brackets are IPv6's */
  }
  return !colon || (*ret_host_len > 0 && strcspn(text, ":[]") == *ret_host_len);
}

static bool is_address(const char *text) {
  unsigned char b[sizeof(struct in6_addr)];
  return inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, b) == 1;
}

/* fdname_is_valid() of systemd, but not empty: ASCII without controls and without the colon that divides names. */
static bool valid_name(const char *name) {
  for (const char *s = name; *s; s++)
    if (*s < ' ' || *s >= 127 || *s == ':')
      return false;
  return *name;
}

bool run_parse_listen(const char *text, struct run_listen *ret) {
  const char *eq = strchrnul(text, '='), *host;
  size_t host_len;
  *ret = (struct run_listen){.text = text, .fd = -1};
  if (!split_port(text, (size_t)(eq - text), &host, &host_len, &ret->port))
    return false;
  if (host_len && (!copy(ret->address, sizeof ret->address, host, host_len) ||
                   (strcmp(ret->address, "*") != 0 && strcmp(ret->address, "interface-address") != 0 &&
                    !is_address(ret->address))))
    return false;
  if (!*eq) {
    (void)snprintf(ret->name, sizeof ret->name, "%u", ret->port);
    return true;
  }
  return copy(ret->name, sizeof ret->name, eq + 1, strlen(eq + 1)) && valid_name(ret->name);
}

bool run_parse_connect(const char *text, struct run_connect *ret) {
  const char *eq = strrchr(text, '='), *host;
  size_t host_len;
  uint64_t target;
  *ret = (struct run_connect){.text = text, .fd = -1};
  if (!eq || !client_number(eq + 1, 0, RUN_TARGET_MAX, &target) ||
      !split_port(text, (size_t)(eq - text), &host, &host_len, &ret->port) ||
      !copy(ret->host, sizeof ret->host, host, host_len))
    return false;
  ret->target = (int)target;
  return !strchr(ret->host, ':') || is_address(ret->host);
}

bool run_parse_form(const char *text, enum capnet_tcp_form *ret) {
  static const char *const names[] = {
      [CAPNET_FORM_AUTO] = "auto", [CAPNET_FORM_SOCKET] = "socket", [CAPNET_FORM_PAIR] = "pair"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(text, names[i]) == 0) {
      *ret = (enum capnet_tcp_form)i;
      return true;
    }
  return false;
}

static int check_targets(const struct run *r) {
  for (size_t i = 0; i < r->n_connects; i++) {
    const struct run_connect *c = &r->connects[i];
    if (c->target >= RUN_FIRST_FD && (size_t)(c->target - RUN_FIRST_FD) < r->n_listens)
      return client_usage("--connect %s: descriptor %d is a listener's", client_safe(c->text), c->target);
    for (size_t k = 0; k < i; k++)
      if (r->connects[k].target == c->target)
        return client_usage("--connect %s: descriptor %d is taken by %s", client_safe(c->text), c->target,
                            client_safe(r->connects[k].text));
  }
  return CLIENT_OK;
}

int run_parse_check(const struct run *r) {
  if (r->n_grants == 0)
    return client_usage("no --grant");
  if (r->n_listens == 0 && (r->inetd || r->fdstore || r->backlog || r->refuse || r->both))
    return client_usage("%s without --listen", r->inetd     ? "--inetd"
                                              : r->fdstore ? "--fdstore"
                                              : r->backlog ? "--backlog"
                                              : r->refuse  ? "--refuse"
                                                           : "--both");
  if (r->max && !r->inetd)
    return client_usage("--max without --inetd");
  if (r->form_given && r->n_connects == 0)
    return client_usage("--form without --connect");
  if (r->inetd && r->n_connects)
    return client_usage("--connect and --inetd exclude each other");
  if (r->fdstore && (r->inetd || r->n_connects))
    return client_usage("%s and --fdstore exclude each other", r->inetd ? "--inetd" : "--connect");
  for (size_t i = 0; i < r->n_listens && r->fdstore; i++)
    if (strlen(r->listens[i].name) + strlen(RUN_CONTROL_SUFFIX) >= RUN_NAME_SIZE)
      return client_usage("--listen %s: with --fdstore a name has %d bytes at most", client_safe(r->listens[i].text),
                          RUN_NAME_SIZE - (int)sizeof RUN_CONTROL_SUFFIX);
  return check_targets(r);
}
