/* SPDX-License-Identifier: BSD-3-Clause
 * text.h: escaping, units, colour, wrapping. Tables are in table.c.
 */
#include "clients/text.h"

#include <inttypes.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define KIB UINT64_C(1024)

static void *need(void *p) {
  if (!p) {
    (void)fputs("out of memory\n", stderr);
    exit(1);
  }
  return p;
}

char *text_format(const char *fmt, ...) {
  char *out = NULL;
  va_list ap;
  va_start(ap, fmt);
  int n = vasprintf(&out, fmt, ap);
  va_end(ap);
  return need(n < 0 ? NULL : out);
}

char *text_escape(const char *s) {
  char *out = need(malloc(4 * strlen(s) + 1)), *o = out;
  for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
    if (*p == '\\') {
      *o++ = '\\';
      *o++ = '\\';
    } else if (*p >= 0x20 && *p < 0x7f) {
      *o++ = (char)*p;
    } else {
      o += sprintf(o, "\\x%02x", *p);
    }
  }
  *o = '\0';
  return out;
}

json_t *text_json(const char *s) {
  json_t *json = json_string(s);
  if (!json) {
    char *safe = text_escape(s);
    json = json_string(safe);
    free(safe);
  }
  return json;
}

char *text_bytes(uint64_t n) {
  static const char units[] = "KMGTPE";
  if (n < 1000) {
    return text_format("%" PRIu64, n);
  }
  unsigned u = 0;
  uint64_t whole = n / KIB, rest = n % KIB;
  while (whole >= 1000 && u + 1 < sizeof(units) - 1) {
    rest = whole % KIB;
    whole /= KIB;
    u++;
  }
  uint64_t tenths = rest * 10 / KIB;
  if (whole >= 100 || tenths == 0) {
    return text_format("%" PRIu64 "%c", whole, units[u]);
  }
  return text_format("%" PRIu64 ".%" PRIu64 "%c", whole, tenths, units[u]);
}

char *text_count(uint64_t n) {
  char digits[24], out[32], *o = out;
  int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
  for (int i = 0; i < len; i++) {
    if (i && (len - i) % 3 == 0) {
      *o++ = ',';
    }
    *o++ = digits[i];
  }
  *o = '\0';
  return text_format("%s", out);
}

char *text_duration(uint64_t s) {
  if (s < 60) {
    return text_format("%" PRIu64 "s", s);
  }
  if (s < 3600) {
    return text_format("%" PRIu64 "m %02" PRIu64 "s", s / 60, s % 60);
  }
  if (s < 86400) {
    return text_format("%" PRIu64 "h %02" PRIu64 "m", s / 3600, s % 3600 / 60);
  }
  return text_format("%" PRIu64 "d %02" PRIu64 "h", s / 86400, s % 86400 / 3600);
}

char *text_microseconds(uint64_t us) {
  if (us < 10000) {
    return text_format("%" PRIu64 ".%03" PRIu64 " ms", us / 1000, us % 1000);
  }
  if (us < 1000000) {
    return text_format("%" PRIu64 ".%" PRIu64 " ms", us / 1000, us % 1000 / 100);
  }
  return text_format("%" PRIu64 ".%02" PRIu64 " s", us / 1000000, us % 1000000 / 10000);
}

struct style style_of(FILE *out) {
  struct style s = {.out = out};
  int fd = fileno(out);
  const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
  if (fd >= 0 && isatty(fd)) {
    struct winsize ws;
    s.width = ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 ? ws.ws_col : 80;
    s.colour = !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
  }
  s.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
  return s;
}

void style_put(const struct style *s, enum colour c, const char *text) {
  static const char *const codes[] = {"", "1", "2", "32", "33", "31", "36"};
  if (s->colour && c != COLOUR_NONE) {
    (void)fprintf(s->out, "\033[%sm%s\033[0m", codes[c], text);
  } else {
    (void)fputs(text, s->out);
  }
}

void wrap_item(struct wrap *w, const char *item) { wrap_paint(w, COLOUR_NONE, item); }

void wrap_paint(struct wrap *w, enum colour c, const char *item) {
  unsigned len = (unsigned)strlen(item), sep = w->started ? (unsigned)strlen(w->separator) : 0;
  if (w->started && w->style->width && w->column + sep + len > w->style->width) {
    (void)fprintf(w->style->out, "\n%s", w->indent);
    w->column = w->indent_width;
    sep = 0;
  }
  if (sep) {
    (void)fputs(w->separator, w->style->out);
  }
  style_put(w->style, c, item);
  w->column += sep + len;
  w->started = true;
}
