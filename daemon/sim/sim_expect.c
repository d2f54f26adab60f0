/* SPDX-License-Identifier: BSD-3-Clause
 * Expectations: each aspect of what is so is a line of text, and so is what the script wants; "none" is what "no" means.
 */
#include "sim/sim.h"

#include <stdarg.h>
#include <stdio.h>

#define GOT_MAX 640
#define WORD_CHARS " "

struct got {
  char text[GOT_MAX];
  size_t used;
};

_printf_(2, 3) static void say(struct got *g, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(g->text + g->used, sizeof g->text - g->used, fmt, ap);
  va_end(ap);
  g->used = MIN(g->used + (size_t)MAX(n, 0), sizeof g->text - 1);
}

/* --- aspects ------------------------------------------------------------------------------------------------------ */

static void add_address(void *arg, const struct netconf_address *a) {
  struct got *g = arg;
  char addr[NET_ADDR_STRLEN];
  if (strcmp(a->state, "preferred") == 0 || strcmp(a->state, "deprecated") == 0)
    say(g, "%s%s/%u", g->used > 0 ? " " : "", net_addr_format(&a->addr, addr), a->prefix_len);
}

static void get_address(struct sim *sim, const char *rest, struct got *g) {
  (void)rest;
  netconf_each_address(sim->netconf, add_address, g);
}

static void add_standby(void *arg, const struct netconf_address *a) {
  struct got *g = arg;
  char addr[NET_ADDR_STRLEN];
  if (strcmp(a->state, "preferred") != 0)
    say(g, "%s%s/%u %s", g->used > 0 ? " " : "", net_addr_format(&a->addr, addr), a->prefix_len, a->state);
}

static void get_waiting(struct sim *sim, const char *rest, struct got *g) {
  (void)rest;
  netconf_each_address(sim->netconf, add_standby, g);
}

static void get_origin(struct sim *sim, const char *rest, struct got *g) {
  struct netconf_info info;
  (void)rest;
  netconf_info(sim->netconf, &info);
  if (info.origin != NULL)
    say(g, "%s", info.origin);
}

static void get_gateway(struct sim *sim, const char *rest, struct got *g) {
  struct netconf_info info;
  char addr[NET_ADDR_STRLEN];
  (void)rest;
  netconf_info(sim->netconf, &info);
  say(g, "%s", net_addr_format(&info.gateway, addr));
}

static void get_resolver(struct sim *sim, const char *rest, struct got *g) {
  struct netconf_info info;
  char addr[NET_ADDR_STRLEN];
  (void)rest;
  netconf_info(sim->netconf, &info);
  for (unsigned i = 0; i < info.resolver->n_servers; i++)
    say(g, "%s%s", i > 0 ? " " : "", net_addr_format(&info.resolver->servers[i].addr.addr, addr));
}

static void get_search(struct sim *sim, const char *rest, struct got *g) {
  struct netconf_info info;
  (void)rest;
  netconf_info(sim->netconf, &info);
  for (unsigned i = 0; i < info.resolver->n_search; i++)
    say(g, "%s%s", i > 0 ? " " : "", info.resolver->search[i].name);
}

/* Of one protocol. */
struct lease_wanted {
  struct sim *sim;
  const char *protocol;
  size_t len;
  bool next;
  struct got *got;
};

static void add_lease(void *arg, const struct netconf_lease *l) {
  struct lease_wanted *w = arg;
  if (strlen(l->protocol) != w->len || strncmp(l->protocol, w->protocol, w->len) != 0 || w->got->used > 0)
    return;
  if (!w->next)
    say(w->got, "%s", l->state);
  else if (l->next != NULL)
    say(w->got, "%s %llus", l->next,
        (unsigned long long)((l->next_ns - w->sim->start_ns + NSEC_PER_SEC / 2) / NSEC_PER_SEC));
}

static void get_state(struct sim *sim, const char *rest, struct got *g) {
  struct lease_wanted w = {sim, "dhcp4", 5, false, g};
  (void)rest;
  netconf_each_lease(sim->netconf, add_lease, &w);
}

static void get_next(struct sim *sim, const char *rest, struct got *g) {
  struct lease_wanted w = {sim, "dhcp4", 5, true, g};
  (void)rest;
  netconf_each_lease(sim->netconf, add_lease, &w);
}

/* The protocol is the first word of what is wanted, and of what there is. */
static void get_lease(struct sim *sim, const char *rest, struct got *g) {
  struct got state = {0};
  struct lease_wanted w = {sim, rest, strcspn(rest, WORD_CHARS), false, &state};
  netconf_each_lease(sim->netconf, add_lease, &w);
  say(g, "%.*s %s", (int)w.len, rest, state.used > 0 ? state.text : "none");
}

static void get_link(struct sim *sim, const char *rest, struct got *g) {
  struct stack_if_info info;
  (void)rest;
  stack_if_info(sim->iface, &info);
  say(g, "%s", info.link_up ? "up" : "down");
}

static void get_pings(struct sim *sim, const char *rest, struct got *g) {
  (void)rest;
  say(g, "%u", sim->pings);
}

static void get_answer(struct sim *sim, const char *rest, struct got *g) {
  (void)rest;
  say(g, "%s", sim->answer);
}

static void get_connections(struct sim *sim, const char *rest, struct got *g) {
  unsigned n = 0;
  (void)rest;
  for (unsigned i = 0; i < SIM_CONNECTIONS_MAX; i++)
    n += sim->connections[i].connected;
  say(g, "%u", n);
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

/* Do the words stand in the text, in their order, the first as its first? */
static bool matches(const char *words, const char *text) {
  const char *at = text;
  bool first = true;
  while (*words != '\0') {
    size_t len = strcspn(words, WORD_CHARS), here;
    for (;; at += here + strspn(at + here, WORD_CHARS)) {
      here = strcspn(at, WORD_CHARS);
      if (here == 0)
        return false;
      if (here == len && strncmp(at, words, len) == 0)
        break;
      if (first)
        return false;
    }
    at += here + strspn(at + here, WORD_CHARS);
    words += len + strspn(words + len, WORD_CHARS);
    first = false;
  }
  return true;
}

/* "sent 2 DHCPREQUEST …": the words behind the number; NULL: it is not about such frames. */
static const char *frame_words(const char *text, const char *aspect) {
  size_t len = strlen(aspect);
  if (strncmp(text, aspect, len) != 0 || text[len] != ' ')
    return NULL;
  text += len + 1;
  text += strspn(text, "0123456789");
  return *text == ' ' && text[1] != '\0' ? text + 1 : NULL;
}

void sim_expect_frame(struct sim *sim, bool sent, const char *text) {
  for (unsigned i = 0; i < sim->script->n; i++) {
    const struct fixture_step *s = &sim->script->steps[i];
    const char *words = s->key == KEY_EXPECT ? frame_words(s->v.text, sent ? "sent" : "received") : NULL;
    if (words != NULL && matches(words, text))
      sim->counts[i]++;
  }
}

static void get_frames(struct sim *sim, const char *rest, struct got *g) {
  for (unsigned i = 0; i < sim->script->n; i++) {
    const char *text = sim->script->steps[i].v.text;
    if (text != NULL && rest >= text && rest <= text + strlen(text))
      say(g, "%u%s", sim->counts[i], rest + strspn(rest, "0123456789"));
  }
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

static const struct aspect {
  const char *word;
  void (*get)(struct sim *sim, const char *rest, struct got *g);
} aspects[] = {
    {"address", get_address},   {"waiting", get_waiting}, {"origin", get_origin}, {"gateway", get_gateway},
    {"resolver", get_resolver}, {"search", get_search},   {"state", get_state},   {"next", get_next},
    {"lease", get_lease},       {"link", get_link},       {"pings", get_pings},   {"answer", get_answer},
    {"sent", get_frames},       {"received", get_frames}, {"connections", get_connections},
};

/* The aspect at the beginning of the text, and what is wanted of it: "none" after "no". */
static const struct aspect *find_aspect(const char *text, const char **ret_wanted, bool *ret_not) {
  *ret_not = strncmp(text, "no ", 3) == 0;
  text += *ret_not ? 3 : 0;
  size_t len = strcspn(text, WORD_CHARS);
  for (size_t i = 0; i < ARRAY_SIZE(aspects); i++)
    if (strlen(aspects[i].word) == len && strncmp(aspects[i].word, text, len) == 0) {
      *ret_wanted = text[len] == ' ' ? text + len + 1 : *ret_not ? "none" : "";
      return &aspects[i];
    }
  return NULL;
}

int sim_expect_check(const struct fixture_step *step, char *reason, size_t size) {
  const char *wanted, *text = step->v.text;
  bool not_so;
  const struct aspect *a = find_aspect(text, &wanted, &not_so);
  if (a == NULL)
    (void)snprintf(reason, size, "expect: \"%.60s\" is not known", text);
  else if (*wanted == '\0')
    (void)snprintf(reason, size, "expect %s: what?", a->word);
  else if (a->get == get_frames && (not_so || frame_words(text, a->word) == NULL))
    (void)snprintf(reason, size, "expect %s: NUMBER and the words of the frame", a->word);
  else
    return 0;
  return -EINVAL;
}

/* One of several words, as addresses are. */
static bool has_word(const char *text, const char *word) {
  size_t len = strlen(word);
  for (const char *at = text; *at != '\0'; at += strspn(at, WORD_CHARS)) {
    size_t here = strcspn(at, WORD_CHARS);
    if (here == len && strncmp(at, word, len) == 0)
      return true;
    at += here;
  }
  return false;
}

void sim_expect(struct sim *sim, const struct fixture_step *step) {
  struct got g = {0};
  const char *wanted;
  bool not_so, good;
  const struct aspect *a = find_aspect(step->v.text, &wanted, &not_so);
  if (sim->netconf != NULL || a->get == get_frames)
    a->get(sim, wanted, &g);
  if (g.used == 0)
    say(&g, "none");
  good = a->get == get_address ? has_word(g.text, wanted) : strcmp(g.text, wanted) == 0;
  if (not_so && strcmp(wanted, "none") != 0)
    good = !good;
  if (good) {
    sim->passed++;
    sim_print(sim, SIM_PASSED, "expect %s", step->v.text);
  } else {
    sim->failed++;
    char want[300];
    (void)snprintf(want, sizeof want, "%s%.250s", not_so && strcmp(wanted, "none") != 0 ? "not " : "", wanted);
    sim_print_failed(sim, step->line, "expect", want, g.text);
  }
}
