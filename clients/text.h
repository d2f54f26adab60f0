/* SPDX-License-Identifier: BSD-3-Clause
 * Text for a person: escaping what came from outside, units, and tables that fit their terminal.
 * Memory that cannot be had ends the program (exit code 1): a client has nothing to save.
 */
#ifndef CAPNET_CLIENTS_TEXT_H
#define CAPNET_CLIENTS_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum colour { COLOUR_NONE, COLOUR_BOLD, COLOUR_DIM, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED, COLOUR_CYAN };

struct style {
  FILE *out;
  unsigned width; /* columns to stay within; 0: no limit (not a terminal) */
  bool colour;
  bool utf8; /* lines of a tree may be drawn with box characters */
};
/* Width, colour and character set of a stream: colour only on a terminal, and not with NO_COLOR or TERM=dumb. */
struct style style_of(FILE *out);
void style_put(const struct style *s, enum colour c, const char *text); /* text is already escaped */

/* Every returned string is the caller's to free. */
char *text_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Printable ASCII stays, a backslash is doubled, any other byte becomes \xNN: one byte of the result is one column. */
char *text_escape(const char *s);
/* A JSON string of s, escaped when it is no UTF-8 (which JSON cannot hold); new reference. */
json_t *text_json(const char *s);
char *text_bytes(uint64_t n);      /* "0", "999", "1.5K", "64K", "3.2G": units of 1024, three digits */
char *text_count(uint64_t n);      /* "1,234,567" */
char *text_duration(uint64_t s);   /* "45s", "12m 05s", "23h 59m", "6d 04h" */
char *text_microseconds(uint64_t us); /* "0.045 ms", "12.3 ms", "1.20 s" */

/* A list on one or more lines: items are added with the separator, and wrapped at the style's width. */
struct wrap {
  const struct style *style;
  const char *separator;
  const char *indent; /* before each further line; one column for each byte unless indent_width says otherwise */
  unsigned indent_width;
  unsigned column; /* where the line stands */
  bool started;
};
void wrap_item(struct wrap *w, const char *item);
void wrap_paint(struct wrap *w, enum colour c, const char *item);

struct column {
  const char *title;
  bool right;
  /* Not 0: a table that is too wide moves this column under its row, "label value", the lowest number first. */
  unsigned fold;
  const char *label;
  /* A few rows with very long cells here (an IPv6 address) stand on their own instead of widening the column. */
  bool ragged;
};
struct table;
struct table *table_new(const struct column *columns, unsigned n_columns);
struct table *table_free(struct table *t);
/* One cell for each column, NULL for an empty one; copied and escaped. A column that is empty in every row is not
 * shown. */
void table_row(struct table *t, const char *const *cells);
void table_paint(struct table *t, unsigned column, enum colour c); /* a cell of the last row */
/* Under the last row: a list separated by ", ", escaped, wrapped between its items. */
void table_note(struct table *t, const char *text);
void table_print(struct table *t, const struct style *s, unsigned indent);

#endif
