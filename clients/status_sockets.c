/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-status sockets, as ss(8) shows them: a listener's queues are connections waiting (in the stack, and in the accept
 * queue of a listening socket) and backlog, a connection's are bytes on the stack's side and on the descriptor's together.
 * What ended stands in a table of its own.
 */
#include "clients/status_render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { COL_KIND, COL_STATE, COL_RECV, COL_SEND, COL_LOCAL, COL_PEER, COL_GRANT, COL_TAKEN, COL_BLOCKED, N_COLS };

static const struct column live_columns[N_COLS] = {
    [COL_KIND] = {.title = "KIND", .fold = 1, .label = "kind"},
    [COL_STATE] = {.title = "STATE"},
    [COL_RECV] = {.title = "RECV-Q", .right = true},
    [COL_SEND] = {.title = "SEND-Q", .right = true},
    [COL_LOCAL] = {.title = "LOCAL", .ragged = true},
    [COL_PEER] = {.title = "PEER", .fold = 5, .label = "peer", .ragged = true},
    [COL_GRANT] = {.title = "GRANT", .fold = 4, .label = "grant"},
    [COL_TAKEN] = {.title = "TAKEN BY", .fold = 2, .label = "taken by"},
    [COL_BLOCKED] = {.title = "BLOCKED ON", .fold = 3, .label = "blocked on"},
};

/* The sum of what is known of the two, or nothing. */
static char *queue(const json_t *socket, const char *stack_key, const char *client_key) {
  uint64_t stack = 0, client = 0;
  bool known = status_number(socket, stack_key, &stack);
  known = status_number(socket, client_key, &client) || known;
  return known ? text_bytes(stack + client) : text_format("%s", "");
}

static void detail(FILE *f, const json_t *o, const char *key, const char *label, char *(*format)(uint64_t)) {
  uint64_t n;
  if (status_number(o, key, &n)) {
    char *text = format(n);
    (void)fprintf(f, "%s%s %s", ftell(f) ? ", " : "", label, text);
    free(text);
  }
}

static void queue_detail(FILE *f, const json_t *o, const char *side, const char *way) {
  char *queue_key = text_format("%s_%s_queue", side, way), *room_key = text_format("%s_%s_capacity", side, way);
  char *used = status_bytes(o, queue_key), *room = status_bytes(o, room_key);
  if (*used) {
    (void)fprintf(f, "%s%s %s %s/%s", ftell(f) ? ", " : "", side, way, used, *room ? room : "?");
  }
  free(queue_key);
  free(room_key);
  free(used);
  free(room);
}

static char *milliseconds(uint64_t ms) {
  return ms >= 1000 && ms % 1000 == 0 ? text_duration(ms / 1000) : text_format(ms ? "%" PRIu64 " ms" : "off", ms);
}
static char *plain(uint64_t n) { return text_format("%" PRIu64, n); }

/* A keepalive of 0 is switched off; the three numbers belong together. */
static void options_detail(FILE *f, const json_t *o) {
  uint64_t idle = 0, interval = 0, count = 0;
  if (status_number(o, "keepalive_idle_s", &idle)) {
    (void)status_number(o, "keepalive_interval_s", &interval);
    (void)status_number(o, "keepalive_count", &count);
    if (idle) {
      (void)fprintf(f, ", keepalive %" PRIu64 "s+%" PRIu64 "x%" PRIu64 "s", idle, count, interval);
    } else {
      (void)fputs(", keepalive off", f);
    }
  }
  detail(f, o, "user_timeout_ms", "user timeout", milliseconds);
  detail(f, o, "idle_timeout_ms", "idle timeout", milliseconds);
  if (json_is_true(json_object_get(o, "nodelay"))) {
    (void)fputs(", nodelay", f);
  }
}

static void path_detail(FILE *f, const json_t *o) {
  const char *origin = status_string(o, "path_mtu_origin"), *error = status_string(o, "icmp_error");
  detail(f, o, "path_mtu", "path mtu", plain);
  if (origin) {
    (void)fprintf(f, " (%s)", origin);
  }
  if (error) {
    (void)fprintf(f, ", ICMP says %s", error);
  }
}

/* ss -i in words. To be freed; empty when nothing more is known. */
static char *details(const json_t *o) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  if (!f) {
    return NULL;
  }
  const char *form = status_string(o, "form");
  if (form) {
    (void)fputs(strcmp(form, "socket") == 0 ? "real socket" : "stream pair", f);
  }
  static const char *const sides[] = {"stack", "client"};
  for (unsigned i = 0; i < 4; i++) {
    queue_detail(f, o, sides[i / 2], i % 2 ? "send" : "recv");
  }
  const char *congestion = status_string(o, "congestion"), *origin = status_string(o, "mtu_origin");
  if (congestion) {
    (void)fprintf(f, ", %s", congestion);
  }
  detail(f, o, "cwnd", "cwnd", text_bytes);
  detail(f, o, "peer_window", "peer window", text_bytes);
  detail(f, o, "mss", "mss", plain);
  detail(f, o, "mtu", "mtu", plain);
  if (origin) {
    (void)fprintf(f, " (%s)", origin);
  }
  path_detail(f, o);
  detail(f, o, "rtt_us", "rtt", text_microseconds);
  detail(f, o, "rttvar_us", "rttvar", text_microseconds);
  detail(f, o, "rto_ms", "rto", milliseconds);
  detail(f, o, "retransmits", "retransmits", plain);
  detail(f, o, "bytes_in", "in", text_bytes);
  detail(f, o, "bytes_out", "out", text_bytes);
  detail(f, o, "accepted", "accepted", plain);
  detail(f, o, "dropped", "dropped", plain);
  detail(f, o, "refused", "refused", plain);
  detail(f, o, "waiting", "waiting", plain);
  detail(f, o, "queue", "in its queue", plain);
  detail(f, o, "queue_backlog", "which holds", plain);
  options_detail(f, json_object_get(o, "options"));
  detail(f, o, "age_s", "age", text_duration);
  detail(f, o, "id", "id", plain);
  (void)fclose(f);
  return text;
}

/* Who waits for accept(2), wherever. */
static char *waiting(const json_t *listener) {
  uint64_t stack = 0, queued = 0;
  bool known = status_number(listener, "waiting", &stack);
  (void)status_number(listener, "queue", &queued);
  return known ? plain(stack + queued) : text_format("%s", "");
}

static void live_row(struct table *t, const json_t *o, bool verbose) {
  const char *kind = status_string(o, "kind"), *blocked = status_string(o, "blocked_on");
  bool listener = kind && strcmp(kind, "tcp-listener") == 0;
  uint64_t n;
  char *recv = listener ? waiting(o) : queue(o, "stack_recv_queue", "client_recv_queue");
  char *send = listener ? (status_number(o, "backlog", &n) ? plain(n) : text_format("%s", ""))
                        : queue(o, "stack_send_queue", "client_send_queue");
  bool blocks = blocked && strcmp(blocked, "nothing") != 0;
  table_row(t, (const char *[N_COLS]){
                   [COL_KIND] = kind,
                   [COL_STATE] = status_string(o, "state"),
                   [COL_RECV] = recv,
                   [COL_SEND] = send,
                   [COL_LOCAL] = status_string(o, "local"),
                   [COL_PEER] = status_string(o, "peer"),
                   [COL_GRANT] = status_string(o, "grant"),
                   [COL_TAKEN] = status_string(o, "taken_by"),
                   [COL_BLOCKED] = blocks ? blocked : NULL,
               });
  table_paint(t, COL_STATE, listener ? COLOUR_CYAN : COLOUR_GREEN);
  table_paint(t, COL_BLOCKED, COLOUR_YELLOW);
  free(recv);
  free(send);
  char *more = verbose ? details(o) : NULL;
  if (more && *more) {
    table_note(t, more);
  }
  free(more);
}

static const struct column ended_columns[] = {
    {.title = "ENDED", .right = true},
    {.title = "REASON"},
    {.title = "LOCAL", .ragged = true},
    {.title = "PEER", .fold = 5, .label = "peer", .ragged = true},
    {.title = "KIND", .fold = 1, .label = "kind"},
    {.title = "GRANT", .fold = 4, .label = "grant"},
    {.title = "TAKEN BY", .fold = 2, .label = "taken by"},
};

static void ended_row(struct table *t, const json_t *o, bool verbose) {
  const char *end = status_string(o, "end");
  char *since = status_seconds(o, "ended_ago_s");
  char *ago = text_format(*since ? "%s ago" : "%s", since);
  table_row(t, (const char *[]){ago, end, status_string(o, "local"), status_string(o, "peer"), status_string(o, "kind"),
                                status_string(o, "grant"), status_string(o, "taken_by")});
  table_paint(t, 1, strcmp(end, "closed") == 0 ? COLOUR_NONE : COLOUR_RED);
  free(since);
  free(ago);
  char *more = verbose ? details(o) : NULL;
  if (more && *more) {
    table_note(t, more);
  }
  free(more);
}

void status_render_sockets(const json_t *list, const struct style *s, bool verbose) {
  struct table *live = table_new(live_columns, N_COLS);
  struct table *ended = table_new(ended_columns, sizeof(ended_columns) / sizeof(ended_columns[0]));
  size_t i, n_live = 0, n_ended = 0;
  const json_t *o;
  json_array_foreach(list, i, o) {
    if (status_string(o, "end")) {
      ended_row(ended, o, verbose);
      n_ended++;
    } else {
      live_row(live, o, verbose);
      n_live++;
    }
  }
  table_print(live, s, 2);
  if (n_live && n_ended) {
    (void)fputc('\n', s->out);
  }
  table_print(ended, s, 2);
  table_free(live);
  table_free(ended);
}
