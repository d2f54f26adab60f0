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

/* Tells those who watch the section; text is one raw line for a person, escaped on its way. grant and taken_by, of what
 * belongs to someone, decide who may hear of it; NULL: everyone. Neighbours and the daemon's counters are not told. */
struct status_event {
  const char *section, *text, *grant, *taken_by;
  const char *ifname;                       /* with transition */
  const struct netconf_event *transition; /* NULL: it is none */
};
void cap_status_event(struct cap_status_room *room, const struct status_event *ev);

/* Who asks, and how much they may see. */
struct status_scope {
  enum auth_scope scope;
  const char *grant;
  const char *taken_by; /* formatted taker, for "own" */
};
bool status_visible(const struct status_scope *s, const char *grant, const char *taken_by);

/* The answer of one Get, page by page. Pages are sent as they fill; when the client does not read so fast, what was
 * already gathered waits here, charged to the capability's "bytes", and goes on when there is room. The answer is whole, or
 * ends with an error. */
struct status_page {
  struct call *call;
  struct cap *cap;
  Capnet__StatusPage msg; /* the page under way; memory for its parts comes from an arena that goes with it */
  size_t parts, bytes;    /* repeated entries so far, and what they take: a full page is sent */
  struct status_chunk *arena;
  struct list waiting; /* pages that were full and could not be sent yet */
  bool failed;
  struct auth_refusal why;
};
#define STATUS_PAGE_PARTS 32
#define STATUS_PAGE_BYTES 32768u /* of memory; one entry more (a grant of 64 rules: 21 KiB) still fits a frame */
struct status_page *page_new(struct call *call);
/* Sends the rest and ends the call, now or when the client has read; p is gone for the caller. */
void page_end(struct status_page *p);
void *page_alloc(struct status_page *p, size_t size); /* zeroed; NULL when there is none: leave the part out */
char *page_string(struct status_page *p, const char *s);
char *page_printf(struct status_page *p, const char *fmt, ...) _printf_(2, 3);
/* Room for one more entry of a repeated field, or NULL. Sends the page first when it is full. */
void *page_append(struct status_page *p, const ProtobufCMessageDescriptor *type, size_t *n, void ***list);

void status_interfaces(struct cap_status_room *room, struct status_page *p);
void status_routes(struct cap_status_room *room, struct status_page *p);
void status_neighbours(struct cap_status_room *room, struct status_page *p);
void status_resolver(struct cap_status_room *room, struct status_page *p);
void status_leases(struct cap_status_room *room, struct status_page *p);
void status_sockets(struct cap_status_room *room, struct status_page *p, const struct status_scope *scope);
void status_grants(struct cap_status_room *room, struct status_page *p, const struct status_scope *scope);
void status_daemon(struct cap_status_room *room, struct status_page *p);

#endif
