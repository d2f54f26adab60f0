/* SPDX-License-Identifier: BSD-3-Clause
 * The scripted DNS server: messages are built byte by byte, nothing of the resolver under test helps.
 */
#include "dns_server.h"

struct dns_msg {
  uint8_t b[65535 + 2];
  size_t len;
};

static void dns_u16(struct dns_msg *m, unsigned v) {
  m->b[m->len++] = (uint8_t)(v >> 8);
  m->b[m->len++] = (uint8_t)v;
}
static void dns_name(struct dns_msg *m, const char *name) {
  while (*name != '\0') {
    size_t n = strcspn(name, ".");
    m->b[m->len++] = (uint8_t)n;
    memcpy(m->b + m->len, name, n);
    m->len += n;
    name += n + (name[n] == '.');
  }
  m->b[m->len++] = 0;
}
static void dns_count(struct dns_msg *m) { /* one more answer */
  unsigned n = (unsigned)(m->b[6] << 8 | m->b[7]) + 1;
  m->b[6] = (uint8_t)(n >> 8);
  m->b[7] = (uint8_t)n;
}
static void dns_rr(struct dns_msg *m, const char *owner, unsigned type, unsigned ttl, size_t len) {
  dns_name(m, owner);
  dns_u16(m, type);
  dns_u16(m, 1);
  dns_u16(m, ttl >> 16);
  dns_u16(m, ttl & 0xffff);
  dns_u16(m, (unsigned)len);
  dns_count(m);
}
static void dns_a(struct dns_msg *m, const char *owner, unsigned ttl, uint32_t v) {
  dns_rr(m, owner, 1, ttl, 4);
  dns_u16(m, v >> 16);
  dns_u16(m, v & 0xffff);
}
static void dns_cname(struct dns_msg *m, const char *owner, unsigned ttl, const char *target) {
  dns_rr(m, owner, 5, ttl, strlen(target) + 2);
  dns_name(m, target);
}

/* The question's name as text; returns where the question ends. */
static size_t dns_question(const uint8_t *q, size_t len, char name[NAMES_NAME_MAX], unsigned *type) {
  size_t at = 12, used = 0;
  while (at < len && q[at] != 0) {
    used += (size_t)snprintf(name + used, NAMES_NAME_MAX - used, "%s%.*s", used > 0 ? "." : "", q[at], q + at + 1);
    at += 1 + (size_t)q[at];
  }
  *type = (unsigned)(q[at + 1] << 8 | q[at + 2]);
  return at + 5;
}

static bool dns_is(const char *name, const char *label) {
  size_t n = strlen(label);
  return strncmp(name, label, n) == 0 && (name[n] == '.' || name[n] == '\0');
}

/* The answers by first label; false: stay silent. */
static bool dns_by_label(struct dns_msg *m, const char *name, unsigned type, bool tcp) {
  unsigned many = 0;
  if (dns_is(name, "nx"))
    m->b[3] |= 3;
  else if (dns_is(name, "silent"))
    return false;
  else if (dns_is(name, "servfail"))
    m->b[3] |= 2;
  else if (dns_is(name, "refused"))
    m->b[3] |= 5;
  else if (dns_is(name, "wrongid"))
    m->b[0] ^= 1, dns_a(m, name, 60, 0x06060606);
  else if (dns_is(name, "junk"))
    m->len = 12 + 3, memset(m->b, 0xff, m->len);
  else if (dns_is(name, "badrr"))
    dns_rr(m, name, 1, 60, 3), m->len += 3;
  else if (dns_is(name, "cut"))
    dns_rr(m, name, 1, 60, 400);
  else if (dns_is(name, "trunc") && !tcp)
    m->b[2] |= 2;
  else if (dns_is(name, "alias")) {
    dns_cname(m, "one.test", 30, "two.test"); /* in the wrong order, and with a stranger */
    dns_a(m, "stranger.test", 60, 0x06060606);
    dns_cname(m, name, 300, "one.test");
    dns_a(m, "two.test", 60, 0xc0000209);
  } else if (dns_is(name, "loop")) {
    dns_cname(m, name, 60, "loop2.test");
    dns_cname(m, "loop2.test", 60, name);
  } else if (sscanf(name, "many%u", &many) == 1) {
    for (unsigned i = 0; i < many; i++)
      dns_a(m, name, 60, 0x0a000000 + i);
  } else if (sscanf(name, "chain%u", &many) == 1) {
    char from[NAMES_NAME_MAX], to[32];
    snprintf(from, sizeof(from), "%s", name);
    for (unsigned i = 0; i < many; i++) {
      snprintf(to, sizeof(to), "link%u.test", i);
      dns_cname(m, from, 60, to);
      snprintf(from, sizeof(from), "%s", to);
    }
    dns_a(m, from, 60, 0xc0000207);
  } else if (dns_is(name, "host") || dns_is(name, "trunc") || dns_is(name, "stray")) {
    if (type == 1)
      dns_a(m, name, 77, 0xc0000201);
    else if (type == 28) {
      dns_rr(m, name, 28, 78, 16);
      memcpy(m->b + m->len, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
      m->len += 16;
    }
  } else if (!dns_is(name, "nodata"))
    m->b[3] |= 3;
  return true;
}

static bool dns_reply(struct dns_port *p, const uint8_t *q, size_t len, bool tcp, struct dns_msg *m) {
  char name[NAMES_NAME_MAX] = "";
  unsigned type;
  size_t end = dns_question(q, len, name, &type);
  struct dns_server *s = p->server;
  if (s->n_asked < ARRAY_SIZE(s->asked))
    memcpy(s->asked[s->n_asked++], name, sizeof(name));
  m->len = end;
  memcpy(m->b, q, end);
  m->b[2] = 0x81;
  m->b[3] = 0x80;
  memset(m->b + 6, 0, 6);
  if (p->mode == DNS_SILENT)
    return false;
  if (p->mode == DNS_SERVFAIL || p->mode == DNS_REFUSED)
    m->b[3] |= p->mode == DNS_SERVFAIL ? 2 : 5;
  else if (p->mode == DNS_JUNK)
    m->len = 3;
  else
    return dns_by_label(m, name, type, tcp);
  return true;
}

static struct dns_msg dns_buf; /* 64 KiB, too large for a stack */

static void dns_on_udp(void *arg, const struct net_endpoint *from, const struct net_endpoint *to _unused_,
                              const uint8_t *data, size_t len) {
  struct dns_port *p = arg;
  if (p->queries < ARRAY_SIZE(p->client))
    p->client[p->queries] = *from;
  p->queries++;
  bool answer = dns_reply(p, data, len, false, &dns_buf);
  if (dns_is(p->server->asked[p->server->n_asked - 1], "stray")) /* the answer, but from somewhere else */
    p = p == &p->server->ports[0] ? &p->server->ports[1] : &p->server->ports[0];
  if (answer)
    (void)stack_udp_send(p->udp, from, dns_buf.b, dns_buf.len);
}

static void dns_on_readable(void *arg) {
  struct dns_port *p = arg;
  struct iovec v[8], space[2];
  uint8_t q[600];
  size_t len = 0;
  int n = stack_conn_peek(p->conn, v, 8);
  for (int i = 0; i < n && len + v[i].iov_len <= sizeof(q); i++) {
    memcpy(q + len, v[i].iov_base, v[i].iov_len);
    len += v[i].iov_len;
  }
  if (len < 2 || len < 2 + (size_t)(q[0] << 8 | q[1]))
    return;
  stack_conn_consume(p->conn, len);
  p->tcp_queries++;
  if (!dns_reply(p, q + 2, len - 2, true, &dns_buf))
    return;
  uint8_t prefix[2] = {(uint8_t)(dns_buf.len >> 8), (uint8_t)dns_buf.len};
  for (size_t at = 0; at < dns_buf.len + 2;) {
    cr_assert_gt(stack_conn_send_space(p->conn, space), 0);
    size_t k = MIN(space[0].iov_len, at < 2 ? 2 - at : dns_buf.len + 2 - at);
    memcpy(space[0].iov_base, at < 2 ? prefix + at : dns_buf.b + at - 2, k);
    cr_assert_eq(stack_conn_send_commit(p->conn, k), 0);
    at += k;
  }
  stack_conn_shutdown_write(p->conn);
}
static void dns_on_ended(void *arg, enum stack_end why _unused_) {
  struct dns_port *p = arg;
  p->conn = stack_conn_close(p->conn);
}
static const struct stack_conn_ops dns_conn_ops = {.readable = dns_on_readable, .ended = dns_on_ended};
static void dns_on_accept(void *arg) {
  struct dns_port *p = arg;
  if (p->conn == NULL)
    cr_assert_eq(stack_listener_accept(p->tcp, &dns_conn_ops, p, &p->conn), 0);
}
static const struct stack_udp_ops dns_udp_ops = {.received = dns_on_udp};
static const struct stack_listener_ops dns_listen_ops = {.acceptable = dns_on_accept};

void dns_open(struct dns_server *s, struct net *net) {
  static const uint16_t ports[2] = {53, 5353};
  memset(s, 0, sizeof(*s));
  s->net = net;
  for (int i = 0; i < 2; i++) {
    struct dns_port *p = &s->ports[i];
    struct net_endpoint at = ep(net->addr_b, ports[i]);
    p->server = s;
    p->port = ports[i];
    cr_assert_eq(stack_udp_open(net->s, &at, &dns_udp_ops, p, &p->udp), 0);
    cr_assert_eq(stack_tcp_listen(net->s, &at, BACKLOG(8), &dns_listen_ops, p, &p->tcp), 0);
  }
}
void dns_deaf(struct dns_port *p) {
  if (p->udp != NULL)
    p->udp = stack_udp_close(p->udp);
}
void dns_close(struct dns_server *s) {
  for (int i = 0; i < 2; i++) {
    dns_deaf(&s->ports[i]);
    s->ports[i].conn = stack_conn_close(s->ports[i].conn);
    s->ports[i].tcp = stack_listener_close(s->ports[i].tcp);
  }
}
