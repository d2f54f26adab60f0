/* SPDX-License-Identifier: BSD-3-Clause
 * Lines over inih. Its handler is told no line number and nothing of an empty section, it cuts what is too long and
 * takes an indented line for the continuation of a value. So the reader below hands it one checked line at a time: what
 * arrives at the handler belongs to the line just read.
 */
#include "core/config_ini.h"

#include <ini.h>
#include <stdarg.h>
#include <stdio.h>

int config_reason(char reason[REASON_MAX], const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(reason, REASON_MAX, fmt, ap);
  va_end(ap);
  return -EINVAL;
}

void config_error(struct config_parser *p, unsigned line, const char *key, const char *reason) {
  p->errors++;
  if (p->report)
    p->report(p->arg, p->file, line, key, reason);
}

/* A key alone, for messages: in[0..len) without the blanks at its end. */
static void cut_key(const char *in, size_t len, char key[WORD_MAX + 1]) {
  while (len > 0 && (in[len - 1] == ' ' || in[len - 1] == '\t'))
    len--;
  len = MIN(len, WORD_MAX);
  memcpy(key, in, len);
  key[len] = 0;
}

static bool key_ok(const char *in, size_t len) {
  while (len > 0 && (in[len - 1] == ' ' || in[len - 1] == '\t'))
    len--;
  for (size_t i = 0; i < len; i++)
    if (!((in[i] >= 'a' && in[i] <= 'z') || (in[i] >= '0' && in[i] <= '9') || in[i] == '.' || in[i] == '-'))
      return false;
  return len > 0 && len <= WORD_MAX;
}

static void begin_section(struct config_parser *p, const char *line, size_t len) {
  char name[WORD_MAX + 1], reason[REASON_MAX] = "";
  p->in_section = true;
  p->skip = true;
  p->seen = 0;
  while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
    len--;
  if (len < 3 || line[len - 1] != ']' || memchr(line, ']', len) != line + len - 1) {
    config_error(p, p->line, NULL, "a section is [NAME], with nothing after it");
    return;
  }
  if (len - 2 > WORD_MAX) {
    config_error(p, p->line, NULL, "the section's name is too long");
    return;
  }
  memcpy(name, line + 1, len - 2);
  name[len - 2] = 0;
  p->more = NULL;
  if (p->section(p, name, reason) < 0)
    config_error(p, p->line, name, reason);
  else
    p->skip = false;
}

/* Is the line one that inih may see? Reports why not. */
static bool check_line(struct config_parser *p, const char *line, size_t len, size_t max) {
  char key[WORD_MAX + 1];
  if (len > max) {
    char reason[REASON_MAX];
    (void)config_reason(reason, "the line has more than %zu bytes", max);
    config_error(p, p->line, NULL, reason);
    return false;
  }
  for (size_t i = 0; i < len; i++)
    if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f) {
      config_error(p, p->line, NULL, line[i] ? "the line has a control byte" : "the line has a NUL byte");
      return false;
    }
  size_t blanks = 0;
  while (blanks < len && (line[blanks] == ' ' || line[blanks] == '\t'))
    blanks++;
  if (blanks == len || line[blanks] == ';' || line[blanks] == '#')
    return false;
  if (blanks > 0) {
    config_error(p, p->line, NULL, "the line begins with white space; there are no continued lines");
    return false;
  }
  if (line[0] == '[') {
    begin_section(p, line, len);
    return false;
  }
  const char *equals = memchr(line, '=', len);
  if (!equals || !key_ok(line, (size_t)(equals - line))) {
    config_error(p, p->line, NULL, "not KEY = VALUE, nor [SECTION], nor a comment");
    return false;
  }
  cut_key(line, (size_t)(equals - line), key);
  if (!p->in_section)
    config_error(p, p->line, key, "the key stands before the first section");
  return p->in_section && !p->skip;
}

/* fgets for inih, but for lines that it should not see. */
static char *next_line(char *into, int size, void *arg) {
  struct config_parser *p = arg;
  while (p->pos < p->len) {
    const char *line = p->text + p->pos, *end = memchr(line, '\n', p->len - p->pos);
    size_t len = end ? (size_t)(end - line) : p->len - p->pos;
    p->pos += len + (end != NULL);
    p->line++;
    if (len > 0 && line[len - 1] == '\r')
      len--;
    if (!check_line(p, line, len, MIN((size_t)size - 1, CONFIG_LINE_MAX)))
      continue;
    memcpy(into, line, len);
    into[len] = 0;
    return into;
  }
  return NULL;
}

static int set_key(struct config_parser *p, const char *key, const char *value, char reason[REASON_MAX]) {
  for (size_t i = 0; i < p->n_keys; i++) {
    if (strcmp(p->keys[i].name, key) != 0)
      continue;
    if (!p->keys[i].repeat && (p->seen & (UINT64_C(1) << i)))
      return config_reason(reason, "the key stands twice in its section");
    p->seen |= UINT64_C(1) << i;
    return p->keys[i].set(p->into, value, reason);
  }
  int r = p->more ? p->more(p->into, key, value, reason) : -ENOENT;
  return r == -ENOENT ? config_reason(reason, "unknown key") : r;
}

static int on_key(void *arg, const char *section _unused_, const char *key, const char *value) {
  struct config_parser *p = arg;
  char reason[REASON_MAX] = "";
  if (set_key(p, key, value, reason) < 0)
    config_error(p, p->line, key, reason);
  return 1;
}

int config_run(struct config_parser *p, const char *text, size_t len) {
  p->text = text;
  p->len = len;
  int r = ini_parse_stream(next_line, p, on_key, p);
  if (r != 0 && p->errors == 0)
    config_error(p, p->line, NULL, "out of memory, or a line that the INI parser does not take");
  return p->errors ? -EINVAL : 0;
}
