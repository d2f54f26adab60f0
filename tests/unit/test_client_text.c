/* SPDX-License-Identifier: BSD-3-Clause
 * clients/text.h: units at their edges, escaping, tables that fold without losing a cell.
 */
#include "clients/text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void expect(char *got, const char *want) {
  cr_assert_str_eq(got, want);
  free(got);
}

Test(client_text, bytes) {
  expect(text_bytes(0), "0");
  expect(text_bytes(999), "999");
  expect(text_bytes(1000), "0.9K");
  expect(text_bytes(1024), "1K");
  expect(text_bytes(1536), "1.5K");
  expect(text_bytes(65536), "64K");
  expect(text_bytes(1000 * 1024 - 1), "999K");
  expect(text_bytes(1000 * 1024), "0.9M");
  expect(text_bytes(1048576), "1M");
  expect(text_bytes(UINT64_MAX), "15.9E");
}

Test(client_text, counts_and_times) {
  expect(text_count(0), "0");
  expect(text_count(999), "999");
  expect(text_count(1000), "1,000");
  expect(text_count(UINT64_MAX), "18,446,744,073,709,551,615");
  expect(text_duration(0), "0s");
  expect(text_duration(59), "59s");
  expect(text_duration(60), "1m 00s");
  expect(text_duration(3599), "59m 59s");
  expect(text_duration(3600), "1h 00m");
  expect(text_duration(86399), "23h 59m");
  expect(text_duration(86400), "1d 00h");
  expect(text_duration(UINT64_MAX), "213503982334601d 07h");
  expect(text_microseconds(45), "0.045 ms");
  expect(text_microseconds(9999), "9.999 ms");
  expect(text_microseconds(10000), "10.0 ms");
  expect(text_microseconds(999999), "999.9 ms");
  expect(text_microseconds(1000000), "1.00 s");
}

Test(client_text, what_is_not_printable_ascii_is_escaped) {
  expect(text_escape("plain ~"), "plain ~");
  expect(text_escape("\033[2J\x7f\n"), "\\x1b[2J\\x7f\\x0a");
  expect(text_escape("a\\b"), "a\\\\b");
  expect(text_escape("\xc3\xa4\xff"), "\\xc3\\xa4\\xff");
  expect(text_escape(""), "");
}

static char *table_text(struct table *t, unsigned width, unsigned indent) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  struct style s = {.out = f, .width = width};
  table_print(t, &s, indent);
  (void)fclose(f);
  table_free(t);
  return text;
}

static const struct column columns[] = {
    {.title = "NAME"},
    {.title = "N", .right = true},
    {.title = "EMPTY"},
    {.title = "WHO", .fold = 2, .label = "by"},
    {.title = "NOTE", .fold = 1},
};

static struct table *sample(void) {
  struct table *t = table_new(columns, 5);
  table_row(t, (const char *[]){"a", "7", NULL, "someone", "short"});
  table_row(t, (const char *[]){"longer", "1234", "", "me", NULL});
  return t;
}

Test(client_text, a_table_fits_or_folds_and_no_line_ends_with_a_space) {
  expect(table_text(sample(), 0, 0), "NAME       N  WHO      NOTE\n"
                                     "a          7  someone  short\n"
                                     "longer  1234  me\n");
  /* 28 columns are needed: at 28 they stay, at 27 the note goes, and at 20 who as well. */
  expect(table_text(sample(), 28, 0), "NAME       N  WHO      NOTE\n"
                                      "a          7  someone  short\n"
                                      "longer  1234  me\n");
  expect(table_text(sample(), 27, 0), "NAME       N  WHO\n"
                                      "a          7  someone\n"
                                      "    short\n"
                                      "longer  1234  me\n");
  expect(table_text(sample(), 20, 2), "  NAME       N\n"
                                      "  a          7\n"
                                      "      by someone\n"
                                      "      short\n"
                                      "  longer  1234\n"
                                      "      by me\n");
}

Test(client_text, cells_and_notes_are_escaped_and_notes_wrap_between_items) {
  struct table *t = table_new(columns, 5);
  table_row(t, (const char *[]){"\033[31m", "1", NULL, NULL, NULL});
  table_note(t, "first item, second\nitem, third");
  expect(table_text(t, 29, 0), "NAME      N\n"
                               "\\x1b[31m  1\n"
                               "    first item\n"
                               "    second\\x0aitem, third\n");
}

Test(client_text, one_very_long_row_does_not_widen_the_others) {
  static const struct column ragged[] = {{.title = "FROM", .ragged = true},
                                         {.title = "TO", .ragged = true, .fold = 1, .label = "to"}};
  struct table *t = table_new(ragged, 2);
  table_row(t, (const char *[]){"10.0.0.1", "10.0.0.2"});
  table_row(t, (const char *[]){"2001:db8::1111:2222", "2001:db8::3333:4444"});
  expect(table_text(t, 30, 0), "FROM      TO\n"
                               "10.0.0.1  10.0.0.2\n"
                               "2001:db8::1111:2222\n"
                               "    to 2001:db8::3333:4444\n");
}

Test(client_text, a_table_without_rows_prints_nothing) { expect(table_text(table_new(columns, 5), 80, 0), ""); }

Test(client_text, colour_only_where_it_is_wanted) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  style_put(&(struct style){.out = f}, COLOUR_RED, "x");
  style_put(&(struct style){.out = f, .colour = true}, COLOUR_RED, "y");
  style_put(&(struct style){.out = f, .colour = true}, COLOUR_NONE, "z");
  (void)fclose(f);
  expect(text, "x\033[31my\033[0mz");
  FILE *file = tmpfile();
  cr_assert_not(style_of(file).colour, "a file is no terminal");
  cr_assert_eq(style_of(file).width, 0);
  (void)fclose(file);
}
