/* SPDX-License-Identifier: BSD-3-Clause
 * NetworkStatus: where it reads, and how the rooms' changes reach those who watch. The files status_*.c translate one
 * section each from what a room exports; none of them knows more than that room.
 */
#ifndef CAPNET_CAP_STATUS_H
#define CAPNET_CAP_STATUS_H

#include "cap/cap.h"
#include "cap/interfaces.h"
#include "flow/flow.h"
#include "names/names.h"
#include "proto/status.pb-c.h"

struct cap_status_room {
  struct stack *stack;
  struct flow_table *flows;
  struct names *names;
  struct cap_interfaces *interfaces;
  struct caps *caps;
  uint64_t started_ns; /* boot-time */
  struct list watchers;
};
void cap_status_room_init(struct cap_status_room *room);

/* Tells everyone who watches the section; text is one line for a person, already safe to print. */
void cap_status_event(struct cap_status_room *room, const char *section, const char *text);

/* Who asks, and how much they may see. */
struct status_scope {
  enum auth_scope scope;
  const char *grant;
  const char *taken_by; /* formatted taker, for "own" */
};
bool status_visible(const struct status_scope *s, const char *grant, const char *taken_by);

/* One page under way. Memory for its parts comes from an arena that is emptied with the page. */
struct status_page {
  struct call *call;
  Capnet__StatusPage msg;
  size_t parts; /* repeated entries so far; a full page is sent */
  struct status_chunk *arena;
};
#define STATUS_PAGE_PARTS 32 /* at about 500 bytes each, well inside a frame */
void *page_alloc(struct status_page *p, size_t size); /* zeroed; NULL when there is none: leave the part out */
char *page_string(struct status_page *p, const char *s);
char *page_printf(struct status_page *p, const char *fmt, ...) _printf_(2, 3);
/* Room for one more entry of a repeated field, or NULL. Sends the page first when it is full. */
void *page_append(struct status_page *p, const ProtobufCMessageDescriptor *type, size_t *n, void ***list);
void page_flush(struct status_page *p);

void status_interfaces(struct cap_status_room *room, struct status_page *p);
void status_routes(struct cap_status_room *room, struct status_page *p);
void status_neighbours(struct cap_status_room *room, struct status_page *p);
void status_resolver(struct cap_status_room *room, struct status_page *p);
void status_leases(struct cap_status_room *room, struct status_page *p);
void status_sockets(struct cap_status_room *room, struct status_page *p, const struct status_scope *scope);
void status_grants(struct cap_status_room *room, struct status_page *p, const struct status_scope *scope);
void status_daemon(struct cap_status_room *room, struct status_page *p);

#endif
