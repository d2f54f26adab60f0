/* SPDX-License-Identifier: BSD-3-Clause
 * What capnet-resolve prints, and which exit code each way to fail has.
 */
#ifndef CAPNET_CLIENTS_RESOLVE_RENDER_H
#define CAPNET_CLIENTS_RESOLVE_RENDER_H

#include "clients/text.h"

#include <capnet.h>
#include <jansson.h>

struct resolve_failure {
  const char *code;     /* of frame.proto */
  int exit;
  const char *sentence; /* begins after the name: "there is no such name" */
};
/* NULL for a code that is none of name resolution's own. */
const struct resolve_failure *resolve_failure_of(const char *code);

/* The exit code of a result: 0 when there is an address, else that of the first answer that failed. */
int resolve_exit(const struct capnet_dns_result *r);
/* asked is what the user typed. */
void resolve_render(const struct capnet_dns_result *r, const char *asked, const struct style *s);
json_t *resolve_json(const struct capnet_dns_result *r, const char *asked);
/* One sentence about an error of the whole call or of one type (which may be NULL). To be freed, escaped. */
char *resolve_sentence(const struct capnet_error *e, const char *asked, const char *type);

#endif
