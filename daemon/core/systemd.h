/* SPDX-License-Identifier: BSD-3-Clause
 * libsystemd, loaded when a service manager wants to be spoken to: it brings six libraries along (compression, encryption)
 * that a daemon without one has no use for.
 */
#ifndef CAPNET_CORE_SYSTEMD_H
#define CAPNET_CORE_SYSTEMD_H

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

struct systemd {
  __typeof__(&sd_notify) notify;
  __typeof__(&sd_watchdog_enabled) watchdog_enabled;
  __typeof__(&sd_listen_fds_with_names) listen_fds_with_names;
  __typeof__(&sd_journal_sendv) journal_sendv;
};

/* Loads it at the first call, so ask only when its part of the environment is set. NULL: it is not there; that was logged. */
const struct systemd *systemd_get(void);
#endif

#endif
