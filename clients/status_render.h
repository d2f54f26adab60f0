/* SPDX-License-Identifier: BSD-3-Clause
 * What capnet-status prints. The input is the object of capnet_status_get (its keys are the fields of status.proto);
 * status_shape turns it into the object that --json prints (docs/json.md), and that is what the rendering reads.
 */
#ifndef CAPNET_CLIENTS_STATUS_RENDER_H
#define CAPNET_CLIENTS_STATUS_RENDER_H

#include "clients/text.h"

#include <jansson.h>

/* In the order in which they are printed. */
extern const char *const status_sections[];
extern const unsigned status_n_sections;
bool status_section_known(const char *name);

/* sections: n of them, 0 for all. Every list that was asked for is there, empty when the daemon has none; grants become
 * a tree. A new reference. */
json_t *status_shape(const json_t *raw, const char *const *sections, size_t n);

/* verbose: every counter of a socket and every limit of a grant. Titles only above more than one section. */
void status_render(const json_t *shaped, const struct style *style, bool verbose);
void status_render_route(const json_t *route, const char *destination, const struct style *style);

/* One for each section that is more than a table, called by status_render. */
void status_render_sockets(const json_t *sockets, const struct style *style, bool verbose);
void status_render_grants(const json_t *grants, const struct style *style, bool verbose);

/* NULL, or false with *ret untouched, when the key is absent: the daemon cannot know it. */
const char *status_string(const json_t *object, const char *key);
bool status_number(const json_t *object, const char *key, uint64_t *ret);
/* Empty when absent; to be freed. */
char *status_bytes(const json_t *object, const char *key);
char *status_seconds(const json_t *object, const char *key);

#endif
