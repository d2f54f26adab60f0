/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-ping: ICMP and ICMPv6 echo over a Ping capability, with the habits of iputils' ping. Without -c it goes on for ever, in
 * calls of as many requests as the grant's ping.count allows.
 */
#include "clients/client.h"
#include "clients/ping_stats.h"
#include "clients/text.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_GRANT "ping"
#define RESOLVER_GRANT "resolve"
#define CALL_SLACK_MS 5000
/* ping's own exit codes; refusals and a missing daemon keep those of the other clients. */
enum { EXIT_REPLY = 0, EXIT_NO_REPLY = 1, EXIT_ERROR = 2 };

struct options {
  const char *grant, *resolver, *target;
  uint64_t count; /* 0: for ever */
  unsigned interval_ms, timeout_ms;
  uint32_t payload, ttl;
  int family; /* of a name's address; AF_UNSPEC: either */
  bool quiet, json, show_missing;
};

struct session {
  const struct options *o;
  capnet *cap;
  int stop_fd;
  char address[46];
  bool v6;
  const char *shown; /* the target, escaped */
  struct ping_stats stats;
  uint64_t seq_base, batch_max, started_ms;
};

static const char help[] =
    "Usage: capnet-ping [OPTION]… TARGET\n"
    "Send ICMP or ICMPv6 echo requests to TARGET, an address or a name, as far as the grant allows.\n\n"
    "  -4, -6                 only IPv4, only IPv6 addresses of TARGET\n"
    "  -c COUNT               stop after COUNT requests (default: go on until interrupted)\n"
    "  -i SECONDS             between two requests (default: 1)\n"
    "  -s BYTES               of payload (default: 56)\n"
    "  -t TTL                 hop limit (default: 64)\n"
    "  -W SECONDS             to wait for each reply (default: 1)\n"
    "  -O                     say when a reply is missing\n"
    "  -q                     only the summary\n"
    "  -n                     accepted: addresses are never turned into names\n"
    "  -g, --grant NAME       the grant to use (a name or a path; default: ping)\n"
    "      --resolver NAME    the grant whose resolver to use, when the first one has none (default: resolve)\n"
    "  -j, --json             one JSON object a line: each event, then the summary\n"
    "  -h, --help\n"
    "  -V, --version\n\n"
    "Exit codes: 0 a reply came, 1 none came, 2 usage or another error, 3 refused, 4 no daemon answers.\n";

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint32_t *ret) {
  uint64_t n;
  if (!client_number(text, min, max, &n)) {
    return false;
  }
  *ret = (uint32_t)n;
  return true;
}

/* NULL, or the sentence of what is wrong with the value. */
static const char *parse_value(int c, const char *text, struct options *o) {
  switch (c) {
  case 'c': return client_number(text, 1, UINT32_MAX, &o->count) ? NULL : "the count is 1 to 4294967295";
  case 'i':
    return client_seconds(text, 1, 86400 * 1000, &o->interval_ms) ? NULL : "the interval is 0.001 to 86400 seconds";
  case 's': return parse_number(text, 0, 65507, &o->payload) ? NULL : "the payload is 0 to 65507 bytes";
  case 't': return parse_number(text, 1, 255, &o->ttl) ? NULL : "the hop limit is 1 to 255";
  case 'W': return client_seconds(text, 1, 3600 * 1000, &o->timeout_ms) ? NULL : "the time is 0.001 to 3600 seconds";
  default: return "bad option";
  }
}

/* An exit code, or -1 to go on. */
static int parse(int argc, char **argv, struct options *o) {
  enum { OPT_RESOLVER = 256 };
  static const struct option longs[] = {
      {"grant", required_argument, NULL, 'g'}, {"resolver", required_argument, NULL, OPT_RESOLVER},
      {"json", no_argument, NULL, 'j'},        {"help", no_argument, NULL, 'h'},
      {"version", no_argument, NULL, 'V'},     {NULL, 0, NULL, 0},
  };
  const char *wrong;
  int c;
  while ((c = getopt_long(argc, argv, "46c:i:s:t:W:Oqng:jhV", longs, NULL)) != -1) {
    switch (c) {
    case '4': o->family = AF_INET; break;
    case '6': o->family = AF_INET6; break;
    case 'O': o->show_missing = true; break;
    case 'q': o->quiet = true; break;
    case 'n': break;
    case 'g': o->grant = optarg; break;
    case OPT_RESOLVER: o->resolver = optarg; break;
    case 'j': o->json = true; break;
    case 'h': (void)fputs(help, stdout); return client_done(CLIENT_OK);
    case 'V': return client_version();
    default:
      if ((wrong = parse_value(c, optarg, o))) {
        return client_usage("%s", wrong);
      }
    }
  }
  if (optind + 1 != argc) {
    return client_usage("%s", optind == argc ? "a target is missing" : "one target at a time");
  }
  o->target = argv[optind];
  return -1;
}

static uint64_t now_ms(void) {
  struct timespec ts;
  (void)clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void count_event(struct ping_stats *s, const struct capnet_ping_event *e) {
  switch (e->kind) {
  case CAPNET_PING_REPLY:
    s->received++;
    ping_stats_rtt(s, e->rtt_ns);
    break;
  case CAPNET_PING_DUPLICATE:
    s->duplicates++;
    return;
  case CAPNET_PING_UNREACHABLE:
  case CAPNET_PING_TTL_EXCEEDED:
  case CAPNET_PING_TOO_BIG:
  case CAPNET_PING_PARAMETER_PROBLEM:
    s->errors++;
    break;
  case CAPNET_PING_SEND_FAILED:
    s->errors++;
    return;
  case CAPNET_PING_TIMEOUT:
    break;
  }
  s->sent++;
}

/* What a router, or the target, has to say of a request. */
static void print_error(const struct session *p, const struct capnet_ping_event *e, const char *from, uint64_t seq) {
  (void)printf("From %s icmp_seq=%" PRIu64 " ", from, seq);
  if (e->kind == CAPNET_PING_TOO_BIG) {
    (void)printf("Packet too big: mtu=%" PRIu32 "\n", e->mtu);
  } else if (e->kind == CAPNET_PING_PARAMETER_PROBLEM) {
    (void)printf("Parameter problem: %s at %" PRIu32 "\n", ping_parameter_text6(e->code), e->pointer);
  } else if (e->kind == CAPNET_PING_TTL_EXCEEDED) {
    (void)printf("%s\n", p->v6 ? ping_exceeded_text6(e->code) : "Time to live exceeded");
  } else if (p->v6) {
    (void)printf("Destination unreachable: %s\n", ping_unreachable_text6(e->code));
  } else {
    (void)printf("%s\n", ping_unreachable_text(e->code));
  }
}

static void print_event(const struct session *p, const struct capnet_ping_event *e, uint64_t seq) {
  const char *from = *e->from ? client_safe(e->from) : p->address;
  switch (e->kind) {
  case CAPNET_PING_REPLY:
  case CAPNET_PING_DUPLICATE: {
    char *time = ping_time_text(e->rtt_ns);
    (void)printf("%" PRIu32 " bytes from %s: icmp_seq=%" PRIu64, e->bytes, from, seq);
    if (e->ttl) {
      (void)printf(" ttl=%" PRIu32, e->ttl);
    }
    (void)printf(" time=%s ms%s\n", time, e->kind == CAPNET_PING_DUPLICATE ? " (DUP!)" : "");
    free(time);
    return;
  }
  case CAPNET_PING_UNREACHABLE:
  case CAPNET_PING_TTL_EXCEEDED:
  case CAPNET_PING_TOO_BIG:
  case CAPNET_PING_PARAMETER_PROBLEM:
    print_error(p, e, from, seq);
    return;
  case CAPNET_PING_SEND_FAILED:
    (void)printf("icmp_seq=%" PRIu64 " not sent: %s\n", seq, client_safe(e->error.message));
    return;
  case CAPNET_PING_TIMEOUT:
    if (p->o->show_missing) {
      (void)printf("no answer for icmp_seq=%" PRIu64 "\n", seq);
    }
    return;
  }
}

static int print_json(json_t *line) {
  int rc = line ? json_dumpf(line, stdout, JSON_COMPACT | JSON_ENSURE_ASCII) : -1;
  json_decref(line);
  return rc < 0 || fputc('\n', stdout) == EOF ? -1 : 0;
}

/* The inner object of client_json_error. */
static json_t *error_json(const struct capnet_error *e) {
  json_t *whole = client_json_error(e), *inner = json_incref(json_object_get(whole, "error"));
  json_decref(whole);
  return inner;
}

static int print_event_json(const struct capnet_ping_event *e, uint64_t seq) {
  static const char *const names[] = {
      [CAPNET_PING_REPLY] = "reply",
      [CAPNET_PING_TIMEOUT] = "timeout",
      [CAPNET_PING_UNREACHABLE] = "unreachable",
      [CAPNET_PING_TTL_EXCEEDED] = "ttl-exceeded",
      [CAPNET_PING_SEND_FAILED] = "send-failed",
      [CAPNET_PING_DUPLICATE] = "duplicate",
      [CAPNET_PING_TOO_BIG] = "too-big",
      [CAPNET_PING_PARAMETER_PROBLEM] = "parameter-problem",
  };
  bool known = (unsigned)e->kind < sizeof(names) / sizeof(names[0]) && names[e->kind];
  json_t *line = json_pack("{s:s, s:I}", "event", known ? names[e->kind] : "unknown", "seq", (json_int_t)seq);
  if (*e->from) {
    (void)json_object_set_new(line, "from", text_json(e->from));
  }
  if (e->kind == CAPNET_PING_REPLY || e->kind == CAPNET_PING_DUPLICATE) {
    (void)json_object_set_new(line, "bytes", json_integer(e->bytes));
    (void)json_object_set_new(line, "rtt_ns", json_integer((json_int_t)e->rtt_ns));
    if (e->ttl) {
      (void)json_object_set_new(line, "ttl", json_integer(e->ttl));
    }
  }
  if (e->kind == CAPNET_PING_UNREACHABLE || e->kind == CAPNET_PING_TTL_EXCEEDED ||
      e->kind == CAPNET_PING_PARAMETER_PROBLEM) {
    (void)json_object_set_new(line, "code", json_integer(e->code));
  }
  if (e->kind == CAPNET_PING_TOO_BIG) {
    (void)json_object_set_new(line, "mtu", json_integer(e->mtu));
  }
  if (e->kind == CAPNET_PING_PARAMETER_PROBLEM) {
    (void)json_object_set_new(line, "pointer", json_integer(e->pointer));
  }
  if (e->kind == CAPNET_PING_SEND_FAILED) {
    (void)json_object_set_new(line, "error", error_json(&e->error));
  }
  return print_json(line);
}

static int on_event(const struct capnet_ping_event *e, void *user) {
  struct session *p = user;
  uint64_t seq = p->seq_base + e->seq;
  count_event(&p->stats, e);
  if (p->o->quiet) {
    return 0;
  }
  if (p->o->json) {
    if (print_event_json(e, seq) < 0) {
      return 1;
    }
  } else {
    print_event(p, e, seq);
  }
  return fflush(stdout) == 0 ? 0 : 1;
}

/* The grant's ping.count: 1 when the daemon does not say, since one is the least that a bound can be. */
static uint64_t batch_bound(capnet *cap) {
  char *text = NULL;
  if (capnet_describe(cap, CALL_SLACK_MS, &text, NULL) < 0) {
    return 1;
  }
  json_t *root = json_loads(text, 0, NULL);
  free(text);
  uint64_t bound = 1;
  size_t i;
  json_t *limit;
  json_array_foreach(json_object_get(root, "limits"), i, limit) {
    const char *name = json_string_value(json_object_get(limit, "name"));
    json_int_t max = json_integer_value(json_object_get(limit, "max"));
    if (name && strcmp(name, "ping.count") == 0 && max > 0) {
      bound = (uint64_t)max > UINT32_MAX ? UINT32_MAX : (uint64_t)max;
    }
  }
  json_decref(root);
  return bound;
}

/* True when stopped. */
static bool sleep_until(int stop_fd, uint64_t at_ms) {
  struct pollfd pfd = {.fd = stop_fd, .events = POLLIN};
  for (uint64_t now = now_ms(); now < at_ms; now = now_ms()) {
    uint64_t left = at_ms - now;
    if (poll(&pfd, 1, left > 60000 ? 60000 : (int)left) > 0) {
      return true;
    }
  }
  return poll(&pfd, 1, 0) > 0;
}

/* One call after the other. 0: all sent or interrupted; else what the library returned. */
static int ping_all(struct session *p, struct capnet_error *err) {
  const struct options *o = p->o;
  for (;;) {
    uint64_t left = o->count ? o->count - p->seq_base : UINT64_MAX;
    uint64_t n = left < p->batch_max ? left : p->batch_max;
    struct capnet_ping_params params = {
        .count = (uint32_t)n,
        .interval_ms = o->interval_ms,
        .payload = o->payload,
        .timeout_ms = o->timeout_ms,
        .ttl = o->ttl,
        .flags = CAPNET_PING_PAYLOAD_SET,
    };
    uint64_t start = now_ms(), longest = n * o->interval_ms + o->timeout_ms + CALL_SLACK_MS;
    int rc = capnet_ping(p->cap, p->address, &params, longest > INT32_MAX ? 0 : (unsigned)longest, on_event, p, err);
    if (rc != 0) {
      return rc < 0 && strcmp(err->code, "CANCELLED") == 0 ? 0 : rc;
    }
    p->seq_base += n;
    if ((o->count && p->seq_base >= o->count) || sleep_until(p->stop_fd, start + n * o->interval_ms)) {
      return 0;
    }
  }
}

static int summary_json(const struct session *p, uint64_t elapsed_ms) {
  const struct ping_stats *s = &p->stats;
  json_t *line = json_pack("{s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:i, s:I}", "event", "summary", "target",
                           text_json(p->o->target), "address", p->address, "transmitted", (json_int_t)s->sent, "received",
                           (json_int_t)s->received, "duplicates", (json_int_t)s->duplicates, "errors",
                           (json_int_t)s->errors, "loss_percent", (int)ping_stats_loss_percent(s), "time_ms",
                           (json_int_t)elapsed_ms);
  if (s->n_rtt) {
    (void)json_object_set_new(line, "rtt_min_us", json_integer((json_int_t)s->min_us));
    (void)json_object_set_new(line, "rtt_avg_us", json_integer((json_int_t)ping_stats_avg_us(s)));
    (void)json_object_set_new(line, "rtt_max_us", json_integer((json_int_t)s->max_us));
    (void)json_object_set_new(line, "rtt_mdev_us", json_integer((json_int_t)ping_stats_mdev_us(s)));
  }
  return print_json(line);
}

/* ping's 2 for what is neither a refusal nor a missing daemon. */
static int fail(const struct options *o, const struct capnet_error *err, const char *what) {
  if (o->json) {
    (void)print_json(json_pack("{s:s, s:o}", "event", "error", "error", error_json(err)));
  }
  int code = client_fail(err, what);
  return code == CLIENT_REFUSED || code == CLIENT_NO_DAEMON ? code : EXIT_ERROR;
}

static bool is_address(const char *text, int family) {
  struct in6_addr in;
  return family != AF_UNSPEC ? inet_pton(family, text, &in) == 1
                             : is_address(text, AF_INET) || is_address(text, AF_INET6);
}

/* A numeric target needs no resolver. A name goes to the bundle that has the ping, if it has a resolver too. */
static int find_target(struct session *p, struct capnet_error *err) {
  const struct options *o = p->o;
  if (is_address(o->target, o->family)) {
    (void)snprintf(p->address, sizeof(p->address), "%s", o->target);
    return 0;
  }
  capnet *resolver = NULL;
  bool same = !o->resolver && capnet_open(o->grant, DEFAULT_GRANT, "dns", CALL_SLACK_MS, &resolver, NULL) == 0;
  capnet_close(resolver);
  return client_resolve(o->target, same ? o->grant : o->resolver, same ? DEFAULT_GRANT : RESOLVER_GRANT, o->family,
                        p->stop_fd, 2 * CALL_SLACK_MS, p->address, err);
}

static int run(struct session *p) {
  const struct options *o = p->o;
  struct capnet_error err = {0};
  if (!o->json) {
    if (p->v6) {
      (void)printf("PING %s (%s) %" PRIu32 " data bytes\n", p->shown, p->address, o->payload);
    } else {
      (void)printf("PING %s (%s) %" PRIu32 "(%" PRIu32 ") bytes of data.\n", p->shown, p->address, o->payload,
                   o->payload + 28);
    }
    (void)fflush(stdout);
  }
  capnet_set_stop_fd(p->cap, p->stop_fd);
  p->started_ms = now_ms();
  int rc = ping_all(p, &err);
  uint64_t elapsed = now_ms() - p->started_ms;
  int code = rc < 0 ? fail(o, &err, o->target) : rc > 0 ? EXIT_ERROR : -1;
  if (code < 0 || p->stats.sent) {
    if (o->json) {
      (void)summary_json(p, elapsed);
    } else {
      ping_summary(stdout, p->shown, &p->stats, elapsed);
    }
  }
  return code >= 0 ? code : p->stats.received ? EXIT_REPLY : EXIT_NO_REPLY;
}

int main(int argc, char **argv) {
  struct options o = {.interval_ms = 1000, .timeout_ms = 1000, .payload = 56, .ttl = 64};
  client_init("capnet-ping");
  int rc = parse(argc, argv, &o);
  if (rc >= 0) {
    return rc;
  }
  struct session p = {.o = &o, .stop_fd = client_stop_fd()};
  struct capnet_error err;
  if (capnet_open(o.grant, DEFAULT_GRANT, "ping", CALL_SLACK_MS, &p.cap, &err) < 0) {
    return client_done(fail(&o, &err, NULL));
  }
  if (find_target(&p, &err) < 0) {
    rc = fail(&o, &err, o.target);
  } else {
    char *shown = text_escape(o.target);
    p.shown = shown;
    p.v6 = is_address(p.address, AF_INET6);
    p.batch_max = batch_bound(p.cap);
    rc = run(&p);
    free(shown);
  }
  capnet_close(p.cap);
  return client_done(rc);
}
