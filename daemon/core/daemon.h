/* SPDX-License-Identifier: BSD-3-Clause
 * The daemon as a whole: the only place that sees every room, and only to join them.
 */
#ifndef CAPNET_CORE_DAEMON_H
#define CAPNET_CORE_DAEMON_H

#include "core/config.h"

struct daemon_options {
  const char *config_file;
  const char *grants_dir;
  const char *runtime_dir;
  const char *state_dir;
  bool level_fixed; /* the command line named a log level: a reload keeps it */
};

/* Runs until SIGTERM or SIGINT, or until the last device is gone. cfg and set are taken over. Returns what main returns. */
int daemon_run(const struct daemon_options *opt, struct config *cfg, struct grant_set *set);

#define EXIT_CONFIG 1 /* configuration, or any other reason not to start */
#define EXIT_LOCKED 3 /* another daemon is alive */
#define EXIT_DEVICE 4 /* a device cannot be had, or went away */

#endif
