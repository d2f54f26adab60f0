/* SPDX-License-Identifier: BSD-3-Clause
 * NetworkStatus: pages of one call become one JSON object.
 */
#include "libcapnet/conn.h"
#include "proto/status.pb-c.h"

#include <jansson.h>

#define PAGES_MAX 4096 /* of 64 KiB at most: a daemon that never ends its answer must not eat our memory */

static bool asked(const char *const *sections, size_t n, const char *name) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(sections[i], name) == 0)
      return true;
  return n == 0;
}

/* Every page has every list, mostly empty: those that nobody asked for go. */
static void drop_unasked(json_t *root, const char *const *sections, size_t n) {
  const ProtobufCMessageDescriptor *d = &capnet__status_page__descriptor;
  for (unsigned i = 0; i < d->n_fields; i++)
    if (!asked(sections, n, d->fields[i].name))
      (void)json_object_del(root, d->fields[i].name);
}

int capnet_status_get(capnet *cap, const char *const *sections, size_t n, unsigned timeout_ms, char **ret_json,
                      struct capnet_error *err) {
  struct call c;
  Capnet__StatusGetRequest request = CAPNET__STATUS_GET_REQUEST__INIT;
  Capnet__StatusPage none = CAPNET__STATUS_PAGE__INIT;
  request.n_sections = n;
  request.sections = (char **)sections;
  call_init(&c, cap, &capnet__network_status__descriptor, timeout_ms, err);
  capnet__network_status__get(&c.service, &request, NULL, NULL);
  json_t *root = json_of_message(&none.base);
  ProtobufCMessage *page;
  int r;
  for (size_t pages = 0; (r = call_next(&c, (void **)&page)) > 0; pages++) {
    if (pages == PAGES_MAX) {
      r = fail(c.err, EPROTO, "PROTOCOL", "the answer has no end");
      break;
    }
    if (json_merge(root, json_of_message(page)) < 0) {
      r = fail_errno(c.err, ENOMEM, "JSON");
      break;
    }
  }
  if (r == 0) {
    drop_unasked(root, sections, n);
    r = json_text(json_incref(root), ret_json, c.err);
  }
  json_decref(root);
  return call_done(&c, r);
}

int capnet_status_route(capnet *cap, const char *destination, unsigned timeout_ms, char **ret_json,
                        struct capnet_error *err) {
  struct call c;
  Capnet__StatusRouteRequest request = CAPNET__STATUS_ROUTE_REQUEST__INIT;
  request.destination = (char *)destination;
  call_init(&c, cap, &capnet__network_status__descriptor, timeout_ms, err);
  capnet__network_status__lookup_route(&c.service, &request, NULL, NULL);
  return json_reply(&c, ret_json);
}

int capnet_status_watch(capnet *cap, const char *const *sections, size_t n, unsigned timeout_ms, capnet_status_cb cb,
                        void *user, struct capnet_error *err) {
  struct call c;
  Capnet__StatusWatchRequest request = CAPNET__STATUS_WATCH_REQUEST__INIT;
  request.n_sections = n;
  request.sections = (char **)sections;
  call_init(&c, cap, &capnet__network_status__descriptor, timeout_ms, err);
  capnet__network_status__watch(&c.service, &request, NULL, NULL);
  Capnet__StatusEvent *e;
  int r;
  while ((r = call_next(&c, (void **)&e)) > 0) {
    _cleanup_free_ char *json = NULL;
    r = json_text(json_of_message(&e->base), &json, c.err);
    if (r < 0)
      break;
    struct capnet_status_event event = {.at_us = e->at_us,
                                        .section = e->section ? e->section : "",
                                        .text = e->text ? e->text : "",
                                        .lost = e->lost,
                                        .json = json};
    r = cb(&event, user);
    if (r)
      break;
  }
  return call_done(&c, r);
}
