/* SPDX-License-Identifier: BSD-3-Clause
 * A query's way: candidates (the name as it is, or with each search domain), for each of them the servers, beginning
 * with the one that answered last. A server that fails, refuses or cannot be reached is left at once, a silent one
 * after TRY_MS; silent ones are asked again, twice, for twice as long each time, while the query's time lasts.
 *
 * Everything happens in the query's task, at the end of a turn: no callback runs inside another call.
 */
#include "names/names_impl.h"

#include "base/util.h"

#include <stdio.h>

#define TRY_MS 1500 /* so that the next server is asked in less than two seconds */
#define ROUNDS 3
#define DEFAULT_TIMEOUT_MS 10000
#define MEMORY_RETRY_NS NSEC_PER_SEC
#define CANDIDATES_MAX (NAMES_SEARCH_MAX + 1)

/* A configuration is shared by the queries that began under it. */
struct conf {
  unsigned refs;
  struct names_config cfg;
};

struct names {
  struct loop *loop;
  struct stack *stack;
  struct conf *conf;
  struct conf none;           /* in force while there is no memory for another; not counted, never freed */
  struct names_config wanted; /* tried again at the retry then */
  struct loop_timer *retry;
  struct list queries;
  unsigned n_queries;
  int in_use;
  char last_error[400];
  uint64_t total, failures;
};

struct names_query {
  struct list link;
  struct names *names;
  struct conf *conf;
  names_fn fn;
  void *arg;
  char name[NAMES_NAME_MAX]; /* canonical, as asked */
  enum names_type type;
  bool as_is_only;
  bool (*may_ask)(void *arg, const char *name);
  size_t answer_max;
  uint64_t began_ns, ends_ns;

  struct loop_task task;
  struct loop_timer *timer;
  int verdict; /* an end decided from outside: configuration gone. 0: none */

  unsigned candidate;                   /* place in the order of candidates */
  char current[NAMES_NAME_MAX];         /* its name */
  unsigned server, asked, round;        /* index; how many in this round */
  unsigned gone;                        /* bit set of the servers that will not be asked again for this candidate */
  struct names_attempt *attempt;
  uint64_t attempt_ends_ns;

  int worst;                            /* what the servers did to this candidate, by rank */
  unsigned worst_server;
  bool no_data;                         /* an earlier candidate exists, without such a record */
  struct names_parsed *parsed;
};

/* --- names -------------------------------------------------------------------------------------------------------- */

int names_canonical(const char *name, char ret[NAMES_NAME_MAX]) {
  char out[NAMES_NAME_MAX];
  size_t len = strnlen(name, NAMES_NAME_MAX + 1), label = 0;
  if (len > 0 && name[len - 1] == '.')
    len--;
  if (len == 0 || len >= NAMES_NAME_MAX)
    return -EINVAL;
  for (size_t i = 0; i < len; i++) {
    char c = name[i];
    if (c >= 'A' && c <= 'Z')
      c = (char)(c - 'A' + 'a');
    bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (c == '.' ? label == 0 : !ok || label == 63)
      return -EINVAL;
    label = c == '.' ? 0 : label + 1;
    out[i] = c;
  }
  if (label == 0)
    return -EINVAL;
  out[len] = '\0';
  memcpy(ret, out, len + 1);
  return 0;
}

/* What was meant for one domain never reaches the servers of another: a name with a dot is asked as it is only. */
int names_candidate(const struct names_config *cfg, const char *name, bool no_search, unsigned i,
                    char ret[NAMES_NAME_MAX]) {
  unsigned n = no_search || strchr(name, '.') != NULL ? 0 : cfg->n_search;
  if (i > n)
    return -ENOENT;
  if (i == n) {
    memmove(ret, name, strlen(name) + 1);
    return 0;
  }
  char text[2 * NAMES_NAME_MAX];
  snprintf(text, sizeof(text), "%s.%s", name, cfg->search[i].name);
  return names_canonical(text, ret);
}

/* The same for a query, which passes over what it may not ask (-EPERM). */
static int candidate_name(const struct names_query *q, unsigned i, char ret[NAMES_NAME_MAX]) {
  int r = names_candidate(&q->conf->cfg, q->name, q->as_is_only, i, ret);
  return r == 0 && q->may_ask != NULL && !q->may_ask(q->arg, ret) ? -EPERM : r;
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void conf_unref(struct conf *c) {
  if (--c->refs == 0)
    free(c);
}

static void query_free(struct names_query *q) {
  loop_task_cancel(&q->task);
  q->timer = loop_timer_free(q->timer);
  q->attempt = names_attempt_free(q->attempt);
  list_remove(&q->link);
  q->names->n_queries--;
  conf_unref(q->conf);
  free(q->parsed);
  free(q);
}

static const char *error_text(int error) {
  switch (error) {
  case -ETIMEDOUT:
    return "no server answered in time";
  case -EREMOTEIO:
    return "the server failed";
  case -ECONNREFUSED:
    return "the server refused";
  case -EHOSTUNREACH:
    return "the server cannot be reached";
  case -EBADMSG:
    return "the answer is malformed";
  case -EADDRNOTAVAIL:
    return "there are no servers";
  case -ENONET:
    return "there is no address or no route";
  case -EMSGSIZE:
    return "the answer is too large";
  default:
    return "out of memory";
  }
}

/* Calls back; the query is gone before. upstream is the server that the end is about, -1: none. */
static bool reachable(struct stack *s, const struct names_answer *a) {
  struct stack_route_info route;
  for (unsigned i = 0; i < a->n_addresses; i++)
    if (stack_route_lookup(s, &a->addresses[i].addr, &route) == 0)
      return true;
  return false;
}

static void finish(struct names_query *q, int error, int upstream, bool answered) {
  struct names *n = q->names;
  struct names_parsed none = {0};
  struct names_parsed *p = TAKE_PTR(q->parsed);
  struct names_answer a = {.source = "dns", .elapsed_ns = loop_now(n->loop, CLOCK_ID_MONO) - q->began_ns};
  char server[NET_ENDPOINT_STRLEN] = "";
  memcpy(a.name, error == 0 ? q->current : q->name, sizeof(a.name));
  if (upstream >= 0) {
    net_endpoint_format(&q->conf->cfg.servers[upstream].addr, server);
    if (answered || error == -EREMOTEIO || error == -ECONNREFUSED || error == -EBADMSG)
      a.upstream = q->conf->cfg.servers[upstream].addr;
  }
  if (error == 0 || error == -ENOENT || error == -ENODATA) {
    n->last_error[0] = '\0';
    a.addresses = error == 0 ? p->addresses : NULL;
    a.n_addresses = error == 0 ? p->n_addresses : 0;
    a.reachable = reachable(n->stack, &a);
    a.aliases = p != NULL ? p->aliases : none.aliases;
    a.n_aliases = p != NULL && answered ? p->n_aliases : 0;
  } else {
    n->failures++;
    snprintf(n->last_error, sizeof(n->last_error), "%s %s: %s%s%s%s", q->current, q->type == NAMES_A ? "A" : "AAAA",
             error_text(error), server[0] != '\0' ? " (" : "", server, server[0] != '\0' ? ")" : "");
  }
  names_fn fn = q->fn;
  void *arg = q->arg;
  query_free(q);
  fn(arg, error, &a);
  free(p);
}

/* --- one candidate, all servers ----------------------------------------------------------------------------------- */

/* Which failure tells most, when servers failed in different ways. */
static int rank(int error) {
  switch (error) {
  case -EMSGSIZE:
    return 8;
  case -EREMOTEIO:
    return 7;
  case -ECONNREFUSED:
    return 6;
  case -EBADMSG:
    return 5;
  case -EHOSTUNREACH:
    return 4;
  case -ETIMEDOUT:
    return 3;
  case -ENONET:
    return 2;
  default:
    return 1; /* ours: memory, sockets */
  }
}

static void note(struct names_query *q, int error) {
  if (q->worst == 0 || rank(error) > rank(q->worst)) {
    q->worst = error;
    q->worst_server = q->server;
  }
}

static int end_error(int error) {
  switch (error) {
  case -ENETUNREACH:
    return -ENONET;
  case -EADDRINUSE: /* no port left */
  case -ENOBUFS:
    return -ENOMEM;
  default:
    return error;
  }
}

static void arm(struct names_query *q) {
  loop_timer_set(q->timer, MIN(q->ends_ns, q->attempt != NULL ? q->attempt_ends_ns : q->ends_ns));
}

static void on_done(void *arg) {
  struct names_query *q = arg;
  loop_task_queue(q->names->loop, &q->task);
}

static void candidate_begin(struct names_query *q) {
  q->server = q->names->in_use >= 0 && q->conf == q->names->conf ? (unsigned)q->names->in_use : 0;
  q->asked = q->round = q->gone = 0;
  q->worst = 0;
}

/* On to the next server that is worth asking. -ENOENT: none is left. */
static int server_next(struct names_query *q, bool forget_this) {
  unsigned n = q->conf->cfg.n_servers;
  if (forget_this)
    q->gone |= 1U << q->server;
  for (;;) {
    q->server = (q->server + 1) % n;
    if (++q->asked >= n) {
      q->asked = 0;
      if (++q->round >= ROUNDS)
        return -ENOENT;
    }
    if (!(q->gone & 1U << q->server))
      return 0;
  }
}

/* Begins attempts until one is under way. -ENOENT when no server is left. */
static int attempt_begin(struct names_query *q) {
  for (;;) {
    q->attempt_ends_ns = loop_now(q->names->loop, CLOCK_ID_MONO) + ((uint64_t)TRY_MS << q->round) * NSEC_PER_MSEC;
    const struct names_config *cfg = &q->conf->cfg;
    int r = names_attempt_new(q->names->stack, &cfg->servers[q->server].addr, cfg->server_if[q->server], q->current, q->type,
                              on_done, q, &q->attempt);
    if (r == 0)
      return 0;
    note(q, end_error(r));
    r = server_next(q, true);
    if (r < 0)
      return r;
  }
}

/* --- the walk ----------------------------------------------------------------------------------------------------- */

/* The next candidate, or the end: the name does not exist, or not with such a record. */
static void candidate_next(struct names_query *q, int why, bool answered) {
  unsigned server = q->server;
  q->no_data |= why == -ENODATA;
  for (;;) {
    char next[NAMES_NAME_MAX];
    int r = candidate_name(q, ++q->candidate, next);
    if (r == -ENOENT) {
      finish(q, q->no_data ? -ENODATA : -ENOENT, (int)server, answered);
      return;
    }
    if (r == 0) {
      memcpy(q->current, next, sizeof(next));
      break;
    }
  }
  candidate_begin(q);
  if (attempt_begin(q) < 0)
    finish(q, q->worst, (int)q->worst_server, false);
  else
    arm(q);
}

/* The attempt has come to an end, or to the end of its time. */
static void attempt_over(struct names_query *q, bool in_time) {
  int error = -ETIMEDOUT;
  bool answered = false;
  if (in_time) {
    struct names_attempt_result r = names_attempt_result(q->attempt);
    answered = r.error == 0;
    error = r.error < 0 ? end_error(r.error)
                        : names_parse(r.msg, r.len, q->current, q->type, q->answer_max, q->parsed);
  } else if (names_attempt_saw_garbage(q->attempt)) {
    error = -EBADMSG;
  }
  q->attempt = names_attempt_free(q->attempt);
  if (answered && (error == 0 || error == -ENOENT || error == -ENODATA || error == -EMSGSIZE)) {
    if (q->conf == q->names->conf)
      q->names->in_use = (int)q->server;
    if (error == 0 || error == -EMSGSIZE)
      finish(q, error, (int)q->server, true);
    else
      candidate_next(q, error, true);
    return;
  }
  if (error == -ENOENT) { /* never asked: c-ares knows that it cannot exist */
    candidate_next(q, error, false);
    return;
  }
  if (error == -ENONET) { /* the address is gone: no server can be reached */
    finish(q, error, -1, false);
    return;
  }
  note(q, error);
  if (server_next(q, in_time || error != -ETIMEDOUT) < 0 || attempt_begin(q) < 0)
    finish(q, q->worst, (int)q->worst_server, false);
  else
    arm(q);
}

/* Without servers: before a lease there is no address either, which is another thing than a network without servers. Where
 * there is one, of IPv4 or IPv6, that is not what is missing. */
static int without_servers(const struct names_query *q) {
  const struct net_addr anywhere = {.family = AF_INET6, .b = {0x20, 0x01, 0x0d, 0xb8}}; /* RFC 3849: somebody elsewhere */
  struct stack_route_info route;
  return stack_route_lookup(q->names->stack, &anywhere, &route) == -ENONET ? -ENONET : -EADDRNOTAVAIL;
}

static void begin(struct names_query *q) {
  if (q->conf->cfg.n_servers == 0) {
    finish(q, without_servers(q), -1, false);
    return;
  }
  if (candidate_name(q, 0, q->current) < 0) {
    candidate_next(q, -ENOENT, false);
    return;
  }
  candidate_begin(q);
  if (attempt_begin(q) < 0)
    finish(q, q->worst, -1, false);
  else
    arm(q);
}

/* The one place where a query moves. */
static void on_task(void *arg) {
  struct names_query *q = arg;
  if (q->verdict != 0) {
    finish(q, q->verdict, -1, false);
    return;
  }
  if (q->attempt == NULL) {
    begin(q);
    return;
  }
  if (names_attempt_done(q->attempt))
    attempt_over(q, true);
}

static void on_timer(void *arg) {
  struct names_query *q = arg;
  uint64_t now = loop_now(q->names->loop, CLOCK_ID_MONO);
  if (q->attempt != NULL && names_attempt_done(q->attempt))
    return; /* its task is queued */
  if (now < q->ends_ns && q->attempt != NULL && now >= q->attempt_ends_ns) {
    attempt_over(q, false);
    return;
  }
  if (now < q->ends_ns) {
    arm(q);
    return;
  }
  /* Silence now must not hide what a server did say. */
  note(q, q->attempt != NULL && names_attempt_saw_garbage(q->attempt) ? -EBADMSG : -ETIMEDOUT);
  finish(q, q->worst, (int)q->worst_server, false);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static int conf_new(const struct names_config *cfg, struct conf **ret) {
  struct conf *c = calloc(1, sizeof(*c));
  if (c == NULL)
    return -ENOMEM;
  c->refs = 1;
  if (cfg != NULL)
    c->cfg = *cfg;
  c->cfg.n_servers = MIN(c->cfg.n_servers, (unsigned)NAMES_SERVERS_MAX);
  c->cfg.n_search = MIN(c->cfg.n_search, (unsigned)NAMES_SEARCH_MAX);
  *ret = c;
  return 0;
}

static void on_retry(void *arg) {
  struct names *n = arg;
  (void)names_configure(n, &n->wanted);
}

int names_new(struct loop *loop, struct stack *stack, struct names **ret) {
  struct names *n = calloc(1, sizeof(*n));
  if (n == NULL)
    return -ENOMEM;
  n->loop = loop;
  n->stack = stack;
  n->in_use = -1;
  n->none.refs = 1;
  list_init(&n->queries);
  int r = loop_timer_new(loop, CLOCK_ID_MONO, on_retry, n, &n->retry);
  if (r == 0)
    r = conf_new(NULL, &n->conf);
  if (r < 0) {
    n->retry = loop_timer_free(n->retry);
    free(n);
    return r;
  }
  *ret = n;
  return 0;
}

struct names *names_free(struct names *n) {
  if (n == NULL)
    return NULL;
  while (!list_empty(&n->queries))
    query_free(list_first(&n->queries, struct names_query, link));
  conf_unref(n->conf);
  n->retry = loop_timer_free(n->retry);
  free(n);
  return NULL;
}

/* Whom nobody vouches for any more is not asked, also when there is no memory to say who is to be asked instead. */
static struct conf *conf_none(struct names *n) {
  n->none.refs++;
  return &n->none;
}

int names_configure(struct names *n, const struct names_config *cfg) {
  struct conf *c;
  int r = conf_new(cfg, &c);
  loop_timer_clear(n->retry);
  if (r < 0) {
    c = conf_none(n);
    memmove(&n->wanted, cfg, sizeof(n->wanted));
    loop_timer_set(n->retry, loop_now(n->loop, CLOCK_ID_MONO) + MEMORY_RETRY_NS);
  }
  int in_use = -1;
  for (unsigned i = 0; i < c->cfg.n_servers && n->in_use >= 0; i++)
    if (net_endpoint_equal(&c->cfg.servers[i].addr, &n->conf->cfg.servers[n->in_use].addr))
      in_use = (int)i;
  n->in_use = in_use;
  conf_unref(n->conf);
  n->conf = c;
  if (c->cfg.n_servers > 0)
    return r;
  list_for_each(l, &n->queries) {
    struct names_query *q = list_entry(l, struct names_query, link);
    if (q->attempt == NULL)
      continue; /* not begun: it will see the configuration that it was made under */
    q->verdict = -ENONET;
    loop_task_queue(n->loop, &q->task);
  }
  return r;
}

int names_resolve(struct names *n, const struct names_request *rq, names_fn fn, void *arg, struct names_query **ret) {
  char name[NAMES_NAME_MAX] = "";
  if ((rq->type != NAMES_A && rq->type != NAMES_AAAA) || names_canonical(rq->name, name) < 0)
    return -EINVAL;
  if (n->n_queries >= NAMES_QUERIES_MAX)
    return -ENOBUFS;
  struct names_query *q = calloc(1, sizeof(*q));
  struct names_parsed *parsed = calloc(1, sizeof(*parsed));
  struct loop_timer *timer = NULL;
  if (q == NULL || parsed == NULL || loop_timer_new(n->loop, CLOCK_ID_MONO, on_timer, q, &timer) < 0) {
    free(q);
    free(parsed);
    return -ENOMEM;
  }
  q->names = n;
  q->conf = n->conf;
  q->conf->refs++;
  q->fn = fn;
  q->arg = arg;
  memcpy(q->name, name, sizeof(name));
  memcpy(q->current, name, sizeof(name));
  q->type = rq->type;
  q->as_is_only = rq->no_search || strchr(rq->name, '.') != NULL;
  q->may_ask = rq->may_ask;
  q->answer_max = rq->answer_max;
  q->began_ns = loop_now(n->loop, CLOCK_ID_MONO);
  uint64_t ms = rq->timeout_ms != 0 ? MIN(rq->timeout_ms, (uint64_t)UINT32_MAX) : DEFAULT_TIMEOUT_MS;
  q->ends_ns = q->began_ns + ms * NSEC_PER_MSEC;
  q->timer = timer;
  q->parsed = parsed;
  loop_task_init(&q->task, on_task, q);
  loop_task_queue(n->loop, &q->task);
  list_append(&n->queries, &q->link);
  n->n_queries++;
  n->total++;
  *ret = q;
  return 0;
}

struct names_query *names_cancel(struct names_query *q) {
  if (q != NULL)
    query_free(q);
  return NULL;
}

void names_info(const struct names *n, struct names_info *ret) {
  *ret = (struct names_info){.config = &n->conf->cfg,
                             .in_use = n->in_use,
                             .queries = n->total,
                             .failures = n->failures,
                             .in_flight = n->n_queries};
  memcpy(ret->last_error, n->last_error, sizeof(ret->last_error));
}
