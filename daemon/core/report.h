/* SPDX-License-Identifier: BSD-3-Clause
 * To the outside: the journal, the service manager, and errors of the configuration.
 */
#ifndef CAPNET_CORE_REPORT_H
#define CAPNET_CORE_REPORT_H

#include "base/log.h"
#include "loop/loop.h"

/* "journal", "stderr" or "auto" (the journal if standard error is connected to it). -EINVAL. */
int report_set_target(const char *target);
/* A config_report_fn: one line on the log. May be called from a worker thread. */
void report_config_error(void *arg, const char *file, unsigned line, const char *key, const char *reason);

/* sd_notify(3); without a service manager these do nothing. */
void report_ready(const char *status);
void report_reloading(void);
void report_stopping(void);
/* Answers the watchdog at half its period, if the service manager asked for it. */
struct watchdog;
int watchdog_new(struct loop *loop, struct watchdog **ret);
struct watchdog *watchdog_free(struct watchdog *w);

#endif
