/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-run asks its grants for sockets. Each request goes to every capability of its kind, grant by grant in the
 * order of the options, until one covers it: what another one does not allow is no failure yet. Any other failure is,
 * so that which grant a socket comes from depends on the rules alone.
 */
#include "clients/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS 10000u /* what the daemon answers at once */
#define NO_LIMIT 0u   /* what the grant's dns.time and connect.time bound */
#define IN_USE_MS 2000
#define PAUSE_MS 20

/* --- grants ------------------------------------------------------------------------------------------------------- */

static int open_grant(struct run_grant *g, struct capnet_error *err) {
  return g->grant ? 0 : capnet_grant_open(g->where, NULL, ASK_MS, &g->grant, err);
}

/* The shared descriptor answers only Open: a Grant handle of its own asks for the list. */
static int check(struct run_grant *g, struct capnet_error *err) {
  char *json = NULL;
  int r = open_grant(g, err);
  if (r == 0)
    r = capnet_list(g->grant, ASK_MS, &json, err);
  free(json);
  return r;
}

int run_take_grants(struct run *r) {
  for (size_t i = 0; i < r->n_grants; i++) {
    struct run_grant *g = &r->grants[i];
    struct capnet_error err;
    if ((r->check && check(g, &err) < 0) || capnet_grant_connect(g->where, &g->fd, &err) < 0)
      return client_fail(&err, g->name);
  }
  return CLIENT_OK;
}

void run_close_grants(struct run *r) {
  for (size_t i = 0; i < r->n_grants; i++)
    capnet_closep(&r->grants[i].grant);
}

/* --- asking all of them ------------------------------------------------------------------------------------------- */

struct question {
  const char *kind;
  int (*fn)(capnet *cap, void *arg, struct capnet_error *err);
  void *arg;
};

/* This capability does not cover it, or is no more: another one may. */
static bool passes_on(const struct capnet_error *err) {
  return strcmp(err->code, "DENIED") == 0 || strcmp(err->code, "REVOKED") == 0 || strcmp(err->code, "EXPIRED") == 0;
}

static int ask_item(struct run_grant *g, const char *name, const struct question *q, struct capnet_error *err) {
  __attribute__((cleanup(capnet_closep))) capnet *cap = NULL;
  int r = capnet_take(g->grant, name, ASK_MS, &cap, err);
  return r < 0 ? r : q->fn(cap, q->arg, err);
}

/* By the names in the bundle: it may have several of the kind. *err stays as it is when it has none. */
static int ask_items(struct run_grant *g, const json_t *items, const struct question *q, struct capnet_error *err) {
  size_t i;
  const json_t *item;
  int r = -EACCES;
  json_array_foreach(items, i, item) {
    const char *name = json_string_value(json_object_get(item, "name"));
    const char *kind = json_string_value(json_object_get(item, "kind"));
    if (!name || !kind || strcmp(kind, q->kind) != 0)
      continue;
    r = ask_item(g, name, q, err);
    if (r == 0 || !passes_on(err))
      break;
  }
  return r;
}

static int ask_grant(struct run_grant *g, const struct question *q, struct capnet_error *err) {
  char *text = NULL;
  int r = open_grant(g, err);
  if (r == 0)
    r = capnet_list(g->grant, ASK_MS, &text, err);
  if (r == 0) {
    json_t *list = json_loads(text, 0, NULL);
    r = ask_items(g, json_object_get(list, "items"), q, err);
    json_decref(list);
  }
  free(text);
  return r;
}

static int ask(struct run *run, const struct question *q, struct capnet_error *err) {
  *err = (struct capnet_error){.error = EACCES, .code = "DENIED"};
  (void)snprintf(err->message, sizeof err->message, "no grant has a %s capability", q->kind);
  for (size_t i = 0; i < run->n_grants; i++) {
    struct run_grant *g = &run->grants[i];
    struct capnet_error why = {0};
    if (ask_grant(g, q, &why) == 0)
      return 0;
    if (!why.error && run->n_grants > 1)
      continue; /* it has none of the kind: no answer */
    if (why.error)
      *err = why;
    if (!*err->grant)
      (void)snprintf(err->grant, sizeof err->grant, "%s", g->name);
    if (!passes_on(err))
      break;
  }
  return -err->error;
}

static int fail(const char *option, const char *text, const struct capnet_error *err) {
  char what[512];
  (void)snprintf(what, sizeof what, "--%s %s", option, text);
  return client_fail(err, what);
}

/* --- listeners ---------------------------------------------------------------------------------------------------- */

struct listening {
  const struct run *run;
  struct run_listen *l;
};

static int try_listen(capnet *cap, void *arg, struct capnet_error *err) {
  struct listening *a = arg;
  const struct capnet_tcp_options family = {.set = a->run->both ? CAPNET_TCP_BOTH_FAMILIES : 0};
  return capnet_tcp_listen_options(cap, *a->l->address ? a->l->address : NULL, a->l->port, a->run->backlog,
                                   a->run->refuse, &family, ASK_MS, &a->l->fd, &a->l->control, NULL, err);
}

/* The port is still in use for a moment when an earlier run's listener has only just left the store: systemd may close
 * it after it said so, and the daemon has to see it. */
static int listen_one(struct run *r, struct listening *a, struct capnet_error *err) {
  for (int waited = 0;; waited += PAUSE_MS) {
    int e = ask(r, &(struct question){"tcp-listen", try_listen, a}, err);
    if (e == 0 || !r->fdstore || strcmp(err->code, "ADDRESS_IN_USE") != 0 || waited >= IN_USE_MS)
      return e;
    (void)poll(NULL, 0, PAUSE_MS);
  }
}

int run_open_listens(struct run *r) {
  for (size_t i = 0; i < r->n_listens; i++) {
    struct listening a = {.run = r, .l = &r->listens[i]};
    struct capnet_error err;
    if (listen_one(r, &a, &err) < 0)
      return fail("listen", a.l->text, &err);
  }
  return CLIENT_OK;
}

/* --- connections -------------------------------------------------------------------------------------------------- */

struct connecting {
  const struct run_connect *c;
  enum capnet_tcp_form form;
  const char *address;
  struct capnet_dns_result *found;
  int fd;
};

/* A grant may resolve one type and not the other; the question for both is denied then. The first refusal is told. */
static int try_resolve(capnet *cap, void *arg, struct capnet_error *err) {
  static const unsigned types[] = {CAPNET_DNS_A | CAPNET_DNS_AAAA, CAPNET_DNS_A, CAPNET_DNS_AAAA};
  struct connecting *a = arg;
  struct capnet_error one;
  int r = 0;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    int e = capnet_resolve(cap, a->c->host, types[i], 0, NO_LIMIT, &a->found, &one);
    if (i == 0 || e != -EACCES) {
      r = e;
      *err = one;
    }
    if (e != -EACCES)
      break;
  }
  return r;
}

/* PROGRAM gets a descriptor, not a capability: no control is made. */
static int try_connect(capnet *cap, void *arg, struct capnet_error *err) {
  struct connecting *a = arg;
  const struct capnet_tcp_options bare = {.set = CAPNET_TCP_NO_CONTROL};
  struct capnet_tcp tcp;
  int r = capnet_tcp_connect_form(cap, a->form, a->address, a->c->port, &bare, NO_LIMIT, &tcp, err);
  if (r < 0)
    return r;
  a->fd = tcp.fd;
  return 0;
}

static int connect_one(struct run *r, struct connecting *a, const char *address, struct capnet_error *err) {
  a->address = address;
  return ask(r, &(struct question){"tcp-connect", try_connect, a}, err);
}

/* Of several addresses' failures the one that is told: that a rule does not cover one says less than what became of one
 * that it covers. */
static void keep_error(struct capnet_error *kept, const struct capnet_error *err) {
  if (!kept->error || passes_on(kept) || !passes_on(err))
    *kept = *err;
}

static int connect_any(struct run *r, struct connecting *a, struct capnet_error *ret_err) {
  struct capnet_error kept = {0}, none = {.error = ENODATA, .code = "NO_DATA", .message = "the name has no address"};
  for (unsigned type = CAPNET_DNS_A; type <= CAPNET_DNS_AAAA; type <<= 1)
    for (size_t i = 0; i < a->found->n_answers; i++) {
      const struct capnet_dns_answer *answer = &a->found->answers[i];
      if (answer->type != type)
        continue;
      if (answer->error.error && !passes_on(&answer->error) && strcmp(none.code, "NO_DATA") == 0)
        none = answer->error;
      for (size_t k = 0; k < answer->n_addresses; k++) {
        struct capnet_error err;
        if (connect_one(r, a, answer->addresses[k].address, &err) == 0)
          return 0;
        keep_error(&kept, &err);
      }
    }
  *ret_err = kept.error ? kept : none;
  return -ret_err->error;
}

static bool numeric(const char *host) {
  unsigned char b[sizeof(struct in6_addr)];
  return inet_pton(AF_INET, host, b) == 1 || inet_pton(AF_INET6, host, b) == 1;
}

int run_open_connects(struct run *r) {
  for (size_t i = 0; i < r->n_connects; i++) {
    struct run_connect *c = &r->connects[i];
    struct connecting a = {.c = c, .form = r->form, .fd = -1};
    struct capnet_error err;
    int e;
    if (numeric(c->host)) {
      e = connect_one(r, &a, c->host, &err);
    } else {
      e = ask(r, &(struct question){"dns", try_resolve, &a}, &err);
      if (e == 0)
        e = connect_any(r, &a, &err);
      capnet_dns_result_free(a.found);
    }
    if (e < 0)
      return fail("connect", c->text, &err);
    c->fd = a.fd;
  }
  return CLIENT_OK;
}
