/* SPDX-License-Identifier: BSD-3-Clause
 * The timeline: one line for each thing that happens, as text or as one JSON object.
 */
#include "sim/sim.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
  const char *mark, *name;
} kinds[] = {
    [SIM_SCRIPT] = {"=", "script"}, [SIM_SENT] = {">", "sent"},      [SIM_RECEIVED] = {"<", "received"},
    [SIM_CHANGE] = {"*", "change"}, [SIM_PASSED] = {"ok", "passed"}, [SIM_FAILED] = {"FAIL", "failed"},
};

uint64_t sim_elapsed(const struct sim *sim) { return loop_now(sim->loop, CLOCK_ID_BOOT) - sim->start_ns; }

static bool wanted(const struct sim *sim, enum sim_kind kind) {
  return !sim->quiet || kind == SIM_PASSED || kind == SIM_FAILED;
}

static void print_text(const struct sim *sim, enum sim_kind kind, const char *text) {
  uint64_t ms = sim_elapsed(sim) / NSEC_PER_MSEC;
  (void)printf("%9llu.%03u %-4s %s\n", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000), kinds[kind].mark, text);
}

static json_t *object_new(const struct sim *sim, enum sim_kind kind, const char *text) {
  json_t *o = json_object();
  (void)json_object_set_new(o, "time_ms", json_integer((json_int_t)(sim_elapsed(sim) / NSEC_PER_MSEC)));
  (void)json_object_set_new(o, "kind", json_string(kinds[kind].name));
  (void)json_object_set_new(o, "text", json_string(text));
  return o;
}

static void print_object(json_t *o) {
  (void)json_dumpf(o, stdout, JSON_COMPACT);
  (void)putchar('\n');
  json_decref(o);
}

void sim_print(struct sim *sim, enum sim_kind kind, const char *fmt, ...) {
  char text[1200];
  va_list ap;
  if (!wanted(sim, kind))
    return;
  va_start(ap, fmt);
  (void)vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  if (sim->json)
    print_object(object_new(sim, kind, text));
  else
    print_text(sim, kind, text);
}

void sim_print_failed(struct sim *sim, unsigned line, const char *text, const char *want, const char *got) {
  if (!sim->json) {
    sim_print(sim, SIM_FAILED, "%s:%u: %s: wanted %s, got %s", sim->file, line, text, want, got);
    return;
  }
  json_t *o = object_new(sim, SIM_FAILED, text);
  (void)json_object_set_new(o, "line", json_integer(line));
  (void)json_object_set_new(o, "wanted", json_string(want));
  (void)json_object_set_new(o, "got", json_string(got));
  print_object(o);
}

static void add(json_t *o, const char *key, const char *value) {
  if (value != NULL && value[0] != '\0')
    (void)json_object_set_new(o, key, json_string(value));
}

static void add_time(json_t *o, const char *key, const struct sim *sim, uint64_t ns) {
  if (ns > sim->start_ns)
    (void)json_object_set_new(o, key, json_integer((json_int_t)((ns - sim->start_ns) / NSEC_PER_MSEC)));
}

void sim_print_event(struct sim *sim, const struct netconf_event *ev) {
  char text[NETCONF_TEXT_MAX], addr[NET_ADDR_STRLEN];
  (void)netconf_event_text(ev, loop_now(sim->loop, CLOCK_ID_BOOT), text);
  if (!sim->json || !wanted(sim, SIM_CHANGE)) {
    sim_print(sim, SIM_CHANGE, "%s", text);
    return;
  }
  json_t *o = object_new(sim, SIM_CHANGE, text);
  add(o, "section", ev->section);
  add(o, "protocol", ev->protocol);
  add(o, "from", ev->from);
  add(o, "to", ev->to);
  add(o, "address", net_addr_format(&ev->addr, addr));
  if (ev->addr.family != 0)
    (void)json_object_set_new(o, "prefix", json_integer(ev->prefix_len));
  add(o, "server", net_addr_format(&ev->server, addr));
  add(o, "reason", ev->reason);
  add(o, "next", ev->next);
  add_time(o, "next_ms", sim, ev->next_ns);
  add_time(o, "valid_until_ms", sim, ev->valid_until_ns);
  print_object(o);
}
