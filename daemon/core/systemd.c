/* SPDX-License-Identifier: BSD-3-Clause
 * dlopen(3) of libsystemd, once.
 */
#include "core/systemd.h"

#ifdef HAVE_SYSTEMD
#include "base/log.h"

#include <dlfcn.h>

#define LIBSYSTEMD "libsystemd.so.0"

static bool load(struct systemd *l) {
  void *so = dlopen(LIBSYSTEMD, RTLD_NOW | RTLD_LOCAL);
  if (!so) {
    log_error("the service manager cannot be spoken to: %s", dlerror());
    return false;
  }
  l->notify = (__typeof__(l->notify))dlsym(so, "sd_notify");
  l->watchdog_enabled = (__typeof__(l->watchdog_enabled))dlsym(so, "sd_watchdog_enabled");
  l->listen_fds_with_names = (__typeof__(l->listen_fds_with_names))dlsym(so, "sd_listen_fds_with_names");
  l->journal_sendv = (__typeof__(l->journal_sendv))dlsym(so, "sd_journal_sendv");
  const bool whole = l->notify && l->watchdog_enabled && l->listen_fds_with_names && l->journal_sendv;
  if (!whole)
    log_error("the service manager cannot be spoken to: " LIBSYSTEMD " is too old");
  return whole;
}

const struct systemd *systemd_get(void) {
  static struct systemd lib;
  static bool tried, there;
  if (!tried) {
    tried = true;
    there = load(&lib);
  }
  return there ? &lib : NULL;
}
#endif
