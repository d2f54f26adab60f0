/* SPDX-License-Identifier: BSD-3-Clause
 * Journal and service manager. Without libsystemd the log stays on standard error and nobody is notified.
 */
#include "core/report.h"

#include "core/systemd.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>

#ifdef HAVE_SYSTEMD
#define FIELDS_MAX 16

static void journal_sink(enum log_level level, const char *text, const struct log_field *fields, size_t n) {
  struct iovec iov[FIELDS_MAX + 3];
  char *lines[FIELDS_MAX + 3];
  size_t used = 0;
  if (asprintf(&lines[used], "PRIORITY=%d", (int)level) >= 0)
    used++;
  if (asprintf(&lines[used], "MESSAGE=%s", text) >= 0)
    used++;
  if (asprintf(&lines[used], "SYSLOG_IDENTIFIER=capnetd") >= 0)
    used++;
  for (size_t i = 0; i < n && i < FIELDS_MAX; i++)
    if (fields[i].value && asprintf(&lines[used], "%s=%s", fields[i].key, fields[i].value) >= 0)
      used++;
  for (size_t i = 0; i < used; i++)
    iov[i] = (struct iovec){.iov_base = lines[i], .iov_len = strlen(lines[i])};
  (void)systemd_get()->journal_sendv(iov, (int)used);
  for (size_t i = 0; i < used; i++)
    free(lines[i]);
}

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of the stream that it connected. */
static bool stderr_is_journal(void) {
  const char *env = getenv("JOURNAL_STREAM");
  struct stat st;
  char mine[64];
  if (!env || fstat(STDERR_FILENO, &st) < 0)
    return false;
  (void)snprintf(mine, sizeof mine, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
  return strcmp(env, mine) == 0;
}

static void use_journal(void) {
  if (systemd_get())
    log_set_sink(journal_sink);
}

static void notify(const char *state) {
  const struct systemd *sd = getenv("NOTIFY_SOCKET") ? systemd_get() : NULL;
  if (sd)
    (void)sd->notify(0, state);
}

static int watchdog_period(uint64_t *ret_usec) {
  const struct systemd *sd = getenv("WATCHDOG_USEC") ? systemd_get() : NULL;
  return sd ? sd->watchdog_enabled(0, ret_usec) : 0;
}
#else
static bool stderr_is_journal(void) { return false; }
static void use_journal(void) {}
static void notify(const char *state) { (void)state; }
static int watchdog_period(uint64_t *ret_usec) {
  (void)ret_usec;
  return 0;
}
#endif

int report_set_target(const char *target) {
  if (strcmp(target, "journal") == 0 || (strcmp(target, "auto") == 0 && stderr_is_journal()))
    use_journal();
  else if (strcmp(target, "stderr") == 0 || strcmp(target, "auto") == 0)
    log_set_sink(NULL);
  else
    return -EINVAL;
  return 0;
}

void report_config_error(void *arg, const char *file, unsigned line, const char *key, const char *reason) {
  (void)arg;
  char where[32] = "";
  if (line)
    (void)snprintf(where, sizeof where, ":%u", line);
  log_error("%s%s: %s%s%s", file, where, key ? key : "", key ? ": " : "", reason);
}

void report_ready(const char *status) {
  char state[256];
  (void)snprintf(state, sizeof state, "READY=1\nSTATUS=%s", status);
  notify(state);
}

void report_reloading(void) {
  char state[96];
  (void)snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                 clock_real_ns(CLOCK_ID_MONO) / NSEC_PER_USEC);
  notify(state);
}

void report_stopping(void) { notify("STOPPING=1"); }

/* --- watchdog -------------------------------------------------------------------------------------------------------------------- */

struct watchdog {
  struct loop *loop;
  struct loop_timer *timer;
  uint64_t period_ns;
};

static void on_watchdog(void *arg) {
  struct watchdog *w = arg;
  notify("WATCHDOG=1");
  loop_timer_set(w->timer, loop_now(w->loop, CLOCK_ID_MONO) + w->period_ns / 2);
}

int watchdog_new(struct loop *loop, struct watchdog **ret) {
  uint64_t usec = 0;
  *ret = NULL;
  if (watchdog_period(&usec) <= 0 || usec == 0)
    return 0;
  struct watchdog *w = calloc(1, sizeof *w);
  if (!w)
    return -ENOMEM;
  *w = (struct watchdog){.loop = loop, .period_ns = usec * NSEC_PER_USEC};
  int r = loop_timer_new(loop, CLOCK_ID_MONO, on_watchdog, w, &w->timer);
  if (r < 0) {
    free(w);
    return r;
  }
  on_watchdog(w);
  *ret = w;
  return 0;
}

struct watchdog *watchdog_free(struct watchdog *w) {
  if (!w)
    return NULL;
  w->timer = loop_timer_free(w->timer);
  free(w);
  return NULL;
}
