/* SPDX-License-Identifier: BSD-3-Clause
 * The log's one exit: filtering by level, escaping, the default sink.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#define LOG_TEXT_MAX 4096
#define ELLIPSIS "\xe2\x80\xa6"
#define ELLIPSIS_LEN (sizeof(ELLIPSIS) - 1)

static enum log_level max_level = LOG_LVL_NOTICE;
static log_sink_fn sink_fn;

static const struct {
  const char *name;
  enum log_level level;
} level_names[] = {
    {"error", LOG_LVL_ERROR}, {"warning", LOG_LVL_WARNING}, {"notice", LOG_LVL_NOTICE},
    {"info", LOG_LVL_INFO},   {"debug", LOG_LVL_DEBUG},
};

void log_set_level(enum log_level max) { max_level = max; }
enum log_level log_get_level(void) { return max_level; }
void log_set_sink(log_sink_fn sink) { sink_fn = sink; }

int log_level_parse(const char *s, enum log_level *ret) {
  for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
    if (strcmp(s, level_names[i].name) == 0) {
      *ret = level_names[i].level;
      return 0;
    }
  }
  return -EINVAL;
}

/* Where a service manager reads the stream (INVOCATION_ID is set, systemd.exec(5)) the level goes in front as
 * sd-daemon(3) has it; a person reads who speaks. */
static void sink_stderr(enum log_level level, const char *text, const struct log_field *fields _unused_,
                        size_t n_fields _unused_) {
  if (getenv("INVOCATION_ID") && !isatty(STDERR_FILENO))
    (void)fprintf(stderr, "<%d>%s\n", (int)level, text);
  else
    (void)fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
}

static void log_va(enum log_level level, const struct log_field *fields, size_t n_fields, const char *fmt,
                   va_list args) {
  if (level > max_level) {
    return;
  }
  int saved = errno;
  _cleanup_free_ char *raw = NULL;
  char text[LOG_TEXT_MAX];
  int len = vasprintf(&raw, fmt, args);
  if (len < 0) {
    raw = NULL; /* undefined after a failure */
    (void)escape_text(fmt, strlen(fmt), text, sizeof(text));
  } else {
    (void)escape_text(raw, (size_t)len, text, sizeof(text));
  }
  (sink_fn ? sink_fn : sink_stderr)(level, text, fields, n_fields);
  errno = saved;
}

void log_msg(enum log_level level, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  log_va(level, NULL, 0, fmt, args);
  va_end(args);
}

void log_event(enum log_level level, const struct log_field *fields, size_t n_fields, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  log_va(level, fields, n_fields, fmt, args);
  va_end(args);
}

/* Length of the valid UTF-8 sequence at s (RFC 3629: shortest form, no surrogates, at most U+10FFFF), or 0. */
static size_t utf8_sequence(const unsigned char *s, size_t len, uint32_t *ret) {
  size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] < 0xf5 ? 4 : 0;
  if (n == 0 || n > len || (n == 4 && s[0] < 0xf0)) {
    return 0;
  }
  uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
  for (size_t i = 1; i < n; i++) {
    if ((s[i] & 0xc0) != 0x80) {
      return 0;
    }
    c = c << 6 | (s[i] & 0x3f);
  }
  if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) || (c >= 0xd800 && c < 0xe000)) {
    return 0;
  }
  *ret = c;
  return n;
}

/* C1 controls act on terminals as ESC sequences do; line separators and bidirectional controls forge what is read. */
static bool is_printable(uint32_t c) {
  return c >= 0x20 && !(c >= 0x7f && c < 0xa0) && !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069) &&
         c != 0x200e && c != 0x200f && c != 0x061c;
}

/* Writes the next unit (a character, or one escaped byte) to out, returns how many bytes of s it stands for. */
static size_t escape_unit(const unsigned char *s, size_t len, char out[5], size_t *ret_len) {
  uint32_t c = 0;
  size_t n = utf8_sequence(s, len, &c);
  if (c == '\\') {
    memcpy(out, "\\\\", 2);
    *ret_len = 2;
    return 1;
  }
  if (n > 0 && is_printable(c)) {
    memcpy(out, s, n);
    *ret_len = n;
    return n;
  }
  (void)snprintf(out, 5, "\\x%02x", s[0]);
  *ret_len = 4;
  return 1;
}

char *escape_text(const char *in, size_t len, char *out, size_t size) {
  if (size == 0) {
    return out;
  }
  size_t pos = 0, room = size - 1;
  size_t cut = 0; /* the last place where the ellipsis still fits */
  for (size_t i = 0; i < len;) {
    char unit[5];
    size_t unit_len;
    i += escape_unit((const unsigned char *)in + i, len - i, unit, &unit_len);
    if (unit_len > room - pos) {
      pos = cut;
      if (ELLIPSIS_LEN <= room - pos) {
        memcpy(out + pos, ELLIPSIS, ELLIPSIS_LEN);
        pos += ELLIPSIS_LEN;
      }
      break;
    }
    memcpy(out + pos, unit, unit_len);
    pos += unit_len;
    if (ELLIPSIS_LEN <= room - pos) {
      cut = pos;
    }
  }
  out[pos] = '\0';
  return out;
}
