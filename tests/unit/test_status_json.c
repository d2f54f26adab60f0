/* SPDX-License-Identifier: BSD-3-Clause
 * The keys of `capnet-status --json` are append-only. Three lists must agree: status.proto's fields, the keys of the
 * rich fixture as it is printed, and tests/golden/status-keys.txt; and docs/json.md must explain each.
 */
#include "clients/status_render.h"
#include "proto/status.pb-c.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Lines "interfaces[].mtu number" as keys of an object: a set. */
static const char *type_of(ProtobufCType type) {
  return type == PROTOBUF_C_TYPE_STRING ? "string" : type == PROTOBUF_C_TYPE_BOOL ? "boolean" : "number";
}

static void add(json_t *set, const char *path, const char *type) {
  char *line = text_format("%s %s", path, type);
  (void)json_object_set_new(set, line, json_true());
  free(line);
}

static void walk_schema(const ProtobufCMessageDescriptor *message, const char *prefix, json_t *set) {
  for (unsigned i = 0; i < message->n_fields; i++) {
    const ProtobufCFieldDescriptor *f = &message->fields[i];
    bool list = f->label == PROTOBUF_C_LABEL_REPEATED;
    char *path = text_format("%s%s%s", prefix, f->name, list ? "[]" : "");
    if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
      char *below = text_format("%s.", path);
      walk_schema(f->descriptor, below, set);
      free(below);
    } else {
      add(set, path, type_of(f->type));
    }
    free(path);
  }
}

/* Children of a grant have the keys of a grant. */
static void walk_json(const json_t *v, const char *path, json_t *set) {
  const char *key;
  json_t *child;
  size_t i;
  if (json_is_object(v)) {
    json_object_foreach((json_t *)v, key, child) {
      bool nested = strcmp(path, "grants[]") == 0 && strcmp(key, "children") == 0;
      char *below = nested ? text_format("grants") : text_format("%s%s%s", path, *path ? "." : "", key);
      walk_json(child, below, set);
      free(below);
    }
  } else if (json_is_array(v)) {
    char *below = text_format("%s[]", path);
    json_array_foreach(v, i, child) { walk_json(child, below, set); }
    free(below);
  } else {
    add(set, path, json_is_string(v) ? "string" : json_is_boolean(v) ? "boolean" : "number");
  }
}

static FILE *open_source(const char *name) {
  const char *top = getenv("top_srcdir");
  char *path = text_format("%s/%s", top ? top : ".", name);
  FILE *f = fopen(path, "r");
  cr_assert_not_null(f, "%s", path);
  free(path);
  return f;
}

static json_t *golden(void) {
  FILE *f = open_source("tests/golden/status-keys.txt");
  json_t *set = json_object();
  char line[256];
  while (fgets(line, sizeof(line), f)) {
    line[strcspn(line, "\n")] = '\0';
    if (*line && *line != '#') {
      cr_assert_null(json_object_get(set, line), "twice: %s", line);
      (void)json_object_set_new(set, line, json_true());
    }
  }
  (void)fclose(f);
  cr_assert_gt(json_object_size(set), 50);
  return set;
}

static void subset(json_t *a, json_t *b, const char *complaint) {
  const char *key;
  json_t *v;
  json_object_foreach(a, key, v) { cr_expect_not_null(json_object_get(b, key), "%s: %s", complaint, key); }
}

Test(status_json, the_schemas_fields_are_the_golden_keys) {
  json_t *set = json_object(), *want = golden();
  walk_schema(&capnet__status_page__descriptor, "", set);
  subset(want, set, "a key was renamed or removed from the schema");
  subset(set, want, "new in the schema: append it to tests/golden/status-keys.txt and to docs/json.md");
  json_decref(set);
  json_decref(want);
}

Test(status_json, the_fixture_prints_every_golden_key_and_no_other) {
  const char *top = getenv("top_srcdir");
  char *path = text_format("%s/tests/fixtures/status.json", top ? top : ".");
  json_t *raw = json_load_file(path, 0, NULL), *shaped = status_shape(raw, NULL, 0), *set = json_object(),
         *want = golden();
  walk_json(shaped, "", set);
  subset(want, set, "not printed");
  subset(set, want, "printed, but not in the golden list");
  json_decref(shaped);
  json_decref(raw);
  json_decref(set);
  json_decref(want);
  free(path);
}

Test(status_json, the_document_explains_every_key) {
  FILE *f = open_source("docs/json.md");
  char *text = NULL;
  size_t size = 0;
  cr_assert_gt(getdelim(&text, &size, '\0', f), 0);
  (void)fclose(f);
  json_t *want = golden();
  const char *line;
  json_t *v;
  json_object_foreach(want, line, v) {
    char *row = text_format("| `%.*s` |", (int)strcspn(line, " "), line);
    cr_expect_not_null(strstr(text, row), "docs/json.md has no row %s", row);
    free(row);
  }
  json_decref(want);
  free(text);
}
