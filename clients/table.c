/* SPDX-License-Identifier: BSD-3-Clause
 * text.h's tables: as wide as needed, and no cell is ever cut. A table too wide for the terminal moves its foldable
 * columns under each row, one after the other, until the rest fits.
 */
#include "clients/text.h"

#include <stdlib.h>
#include <string.h>

#define GAP 2
#define NOTES_MAX 4
#define COLUMNS_MAX 16

struct row {
  char *cells[COLUMNS_MAX];
  enum colour paint[COLUMNS_MAX];
  char *notes[NOTES_MAX];
  unsigned n_notes;
  bool wild; /* its ragged cells alone would make the table too wide */
};
struct table {
  const struct column *columns; /* the caller's, static */
  unsigned n_columns;
  struct row *rows;
  size_t n_rows, room;
};
struct layout {
  unsigned width[COLUMNS_MAX]; /* 0: not shown at all */
  bool folded[COLUMNS_MAX];
};

static void *grown(void *p, size_t size) {
  void *q = realloc(p, size);
  if (!q) {
    (void)fputs("out of memory\n", stderr);
    exit(1);
  }
  return q;
}

struct table *table_new(const struct column *columns, unsigned n_columns) {
  struct table *t = grown(NULL, sizeof(*t));
  *t = (struct table){.columns = columns, .n_columns = n_columns < COLUMNS_MAX ? n_columns : COLUMNS_MAX};
  return t;
}

struct table *table_free(struct table *t) {
  if (!t) {
    return NULL;
  }
  for (size_t i = 0; i < t->n_rows; i++) {
    for (unsigned c = 0; c < t->n_columns; c++) {
      free(t->rows[i].cells[c]);
    }
    for (unsigned n = 0; n < t->rows[i].n_notes; n++) {
      free(t->rows[i].notes[n]);
    }
  }
  free(t->rows);
  free(t);
  return NULL;
}

void table_row(struct table *t, const char *const *cells) {
  if (t->n_rows == t->room) {
    t->room = t->room ? 2 * t->room : 16;
    t->rows = grown(t->rows, t->room * sizeof(*t->rows));
  }
  struct row *r = &t->rows[t->n_rows++];
  *r = (struct row){0};
  for (unsigned c = 0; c < t->n_columns; c++) {
    r->cells[c] = text_escape(cells[c] ? cells[c] : "");
  }
}

void table_paint(struct table *t, unsigned column, enum colour c) {
  if (t->n_rows && column < t->n_columns) {
    t->rows[t->n_rows - 1].paint[column] = c;
  }
}

void table_note(struct table *t, const char *text) {
  if (t->n_rows && t->rows[t->n_rows - 1].n_notes < NOTES_MAX) {
    struct row *r = &t->rows[t->n_rows - 1];
    r->notes[r->n_notes++] = text_escape(text);
  }
}

static unsigned layout_width(const struct table *t, const struct layout *l) {
  unsigned sum = 0;
  for (unsigned c = 0; c < t->n_columns; c++) {
    if (l->width[c] && !l->folded[c]) {
      sum += (sum ? GAP : 0) + l->width[c];
    }
  }
  return sum;
}

/* Of the rows that are not wild. */
static unsigned column_width(const struct table *t, unsigned c) {
  unsigned width = 0;
  for (size_t i = 0; i < t->n_rows; i++) {
    unsigned len = (unsigned)strlen(t->rows[i].cells[c]);
    width = len > width && !(t->columns[c].ragged && t->rows[i].wild) ? len : width;
  }
  unsigned title = (unsigned)strlen(t->columns[c].title);
  return width && title > width ? title : width;
}

/* Sets wild where a row's own ragged cells, beside the full width of all other unfoldable columns, exceed the room. If
 * that is so of every row, of none. */
static void find_wild(struct table *t, unsigned room) {
  unsigned base = 0;
  for (unsigned c = 0; c < t->n_columns; c++) {
    unsigned width = t->columns[c].ragged || t->columns[c].fold ? 0 : column_width(t, c);
    base += width ? width + GAP : 0;
  }
  size_t n = 0;
  for (size_t i = 0; i < t->n_rows; i++) {
    unsigned need = base;
    for (unsigned c = 0; c < t->n_columns; c++) {
      need += t->columns[c].ragged ? (unsigned)strlen(t->rows[i].cells[c]) + GAP : 0;
    }
    t->rows[i].wild = room && need > room + GAP;
    n += t->rows[i].wild;
  }
  for (size_t i = 0; n == t->n_rows && i < t->n_rows; i++) {
    t->rows[i].wild = false;
  }
}

static struct layout layout_of(struct table *t, unsigned room) {
  struct layout l = {{0}, {false}};
  find_wild(t, room);
  for (unsigned c = 0; c < t->n_columns; c++) {
    l.width[c] = column_width(t, c);
  }
  while (room && layout_width(t, &l) > room) {
    unsigned best = t->n_columns;
    for (unsigned c = 0; c < t->n_columns; c++) {
      if (t->columns[c].fold && l.width[c] && !l.folded[c] &&
          (best == t->n_columns || t->columns[c].fold < t->columns[best].fold)) {
        best = c;
      }
    }
    if (best == t->n_columns) {
      break; /* addresses are not cut: the line is longer than the terminal */
    }
    l.folded[best] = true;
  }
  return l;
}

static void put_spaces(const struct style *s, unsigned n) { (void)fprintf(s->out, "%*s", (int)n, ""); }

/* A wild row keeps its unfoldable cells in the line; the others go under it. */
static bool is_under(const struct table *t, const struct layout *l, const struct row *r, unsigned c) {
  return l->folded[c] || (r && r->wild && t->columns[c].fold);
}

/* Spaces are only written before a cell, so no line ends with any. */
static void print_line(const struct table *t, const struct style *s, const struct layout *l, unsigned indent,
                       const struct row *r) {
  unsigned pending = indent;
  for (unsigned c = 0; c < t->n_columns; c++) {
    if (!l->width[c] || l->folded[c]) {
      continue;
    }
    const char *text = !r ? t->columns[c].title : is_under(t, l, r, c) ? "" : r->cells[c];
    unsigned len = (unsigned)strlen(text), pad = len < l->width[c] ? l->width[c] - len : 0;
    if (len) {
      put_spaces(s, pending + (t->columns[c].right ? pad : 0));
      style_put(s, r ? r->paint[c] : COLOUR_DIM, text);
      pending = GAP + (t->columns[c].right ? 0 : pad);
    } else {
      pending += GAP + l->width[c];
    }
  }
  (void)fputc('\n', s->out);
}

static void print_folded(const struct table *t, const struct style *s, const struct layout *l, unsigned indent,
                         const struct row *r) {
  char *lead = text_format("%*s", (int)indent, "");
  struct wrap w = {.style = s, .separator = ", ", .indent = lead, .indent_width = indent, .column = indent};
  for (unsigned c = 0; c < t->n_columns; c++) {
    if (is_under(t, l, r, c) && *r->cells[c]) {
      if (!w.started) {
        (void)fputs(lead, s->out);
      }
      const char *label = t->columns[c].label;
      char *item = text_format("%s%s%s", label ? label : "", label ? " " : "", r->cells[c]);
      wrap_item(&w, item);
      free(item);
    }
  }
  if (w.started) {
    (void)fputc('\n', s->out);
  }
  free(lead);
}

static void print_note(const struct style *s, unsigned indent, const char *note) {
  char *lead = text_format("%*s", (int)indent, ""), *copy = text_format("%s", note);
  struct wrap w = {.style = s, .separator = ", ", .indent = lead, .indent_width = indent, .column = indent};
  (void)fputs(lead, s->out);
  for (char *item = copy, *next; item; item = next) {
    next = strstr(item, ", ");
    if (next) {
      *next = '\0';
      next += 2;
    }
    wrap_paint(&w, COLOUR_DIM, item);
  }
  (void)fputc('\n', s->out);
  free(copy);
  free(lead);
}

void table_print(struct table *t, const struct style *s, unsigned indent) {
  if (!t->n_rows) {
    return;
  }
  struct layout l = layout_of(t, s->width > indent ? s->width - indent : s->width);
  print_line(t, s, &l, indent, NULL);
  for (size_t i = 0; i < t->n_rows; i++) {
    const struct row *r = &t->rows[i];
    print_line(t, s, &l, indent, r);
    print_folded(t, s, &l, indent + 4, r);
    for (unsigned n = 0; n < r->n_notes; n++) {
      print_note(s, indent + 4, r->notes[n]);
    }
  }
}
