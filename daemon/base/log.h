/* SPDX-License-Identifier: BSD-3-Clause
 * The log: levels, and structured fields beside the sentence. Only the request boundary and core/ call it (STYLE 11);
 * rooms below report through return values and upcalls.
 *
 * Every byte that came from the wire, a process name or the configuration is escaped here, at the one exit, before a
 * terminal can see it: control bytes, DEL, and bytes that are not valid UTF-8 become \xNN; a backslash becomes \\.
 */
#ifndef CAPNET_BASE_LOG_H
#define CAPNET_BASE_LOG_H

#include "base/util.h"

enum log_level { LOG_LVL_ERROR = 3, LOG_LVL_WARNING = 4, LOG_LVL_NOTICE = 5, LOG_LVL_INFO = 6, LOG_LVL_DEBUG = 7 };

/* key is upper case with underscores, as the journal wants it: CAPNET_GRANT, CAPNET_CAP_ID, … */
struct log_field {
  const char *key;
  const char *value;
};

/* Where lines go: text is already escaped, without newline. Fields are raw (a journal takes binary). */
typedef void (*log_sink_fn)(enum log_level level, const char *text, const struct log_field *fields, size_t n_fields);

void log_set_level(enum log_level max); /* default NOTICE */
enum log_level log_get_level(void);
int log_level_parse(const char *s, enum log_level *ret); /* error warning notice info debug; -EINVAL */
/* NULL: standard error, "program: text"; "<level>text" where a service manager reads it. */
void log_set_sink(log_sink_fn sink);

void log_msg(enum log_level level, const char *fmt, ...) _printf_(2, 3);
void log_event(enum log_level level, const struct log_field *fields, size_t n_fields, const char *fmt, ...)
    _printf_(4, 5);

#define log_error(...) log_msg(LOG_LVL_ERROR, __VA_ARGS__)
#define log_warning(...) log_msg(LOG_LVL_WARNING, __VA_ARGS__)
#define log_notice(...) log_msg(LOG_LVL_NOTICE, __VA_ARGS__)
#define log_info(...) log_msg(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_LVL_DEBUG, __VA_ARGS__)

/* Escapes len bytes of in into out (size includes the NUL), cutting with "…" when it does not fit. Returns out. */
char *escape_text(const char *in, size_t len, char *out, size_t size);

#endif
