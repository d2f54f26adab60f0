/* SPDX-License-Identifier: BSD-3-Clause
 * Controllers of the congestion window, by name.
 */
#include "stack/stack_tcp_private.h"

#include "lwip/priv/tcp_rexmit.h"

#include <stdio.h>

static const struct tcp_cc *find(const char *name) {
  for (unsigned i = 0; tcp_ccs[i]; i++)
    if (strcmp(tcp_ccs[i]->name, name) == 0)
      return tcp_ccs[i];
  return NULL;
}

const char *stack_congestion_names(char buf[STACK_CONGESTION_STRLEN]) {
  size_t len = 0;
  for (unsigned i = 0; tcp_ccs[i] && len < STACK_CONGESTION_STRLEN; i++)
    len += (size_t)snprintf(buf + len, STACK_CONGESTION_STRLEN - len, "%s%s", i ? ", " : "", tcp_ccs[i]->name);
  return buf;
}

const char *stack_congestion_find(const char *name) {
  const struct tcp_cc *cc = find(name);
  return cc ? cc->name : NULL;
}

void conn_use_congestion(struct stack_conn *c, const char *name) { tcp_cc_use(c->pcb, find(name)); }
