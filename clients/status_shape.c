/* SPDX-License-Identifier: BSD-3-Clause
 * From what the daemon says to what --json prints: the sections that were asked for, and the grants as a tree.
 */
#include "clients/status_render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TREE_DEPTH_MAX 64 /* deeper nodes stand at the top again, with their parent's id */

const char *const status_sections[] = {"daemon", "interfaces", "routes",  "neighbours",
                                       "resolver", "leases", "sockets", "grants"};
const unsigned status_n_sections = sizeof(status_sections) / sizeof(status_sections[0]);

bool status_section_known(const char *name) {
  for (unsigned i = 0; i < status_n_sections; i++) {
    if (strcmp(name, status_sections[i]) == 0) {
      return true;
    }
  }
  return false;
}

static bool is_list(const char *section) {
  return strcmp(section, "daemon") != 0 && strcmp(section, "resolver") != 0;
}

static json_t *by_id(const json_t *index, const json_t *node, const char *key) {
  const json_t *id = json_object_get(node, key);
  char text[24];
  if (!json_is_integer(id)) {
    return NULL;
  }
  (void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(id));
  return json_object_get(index, text);
}

/* Where a node hangs: NULL at the top. A parent outside the holder's scope is not in the index; a loop, which no honest
 * daemon sends, must not hide nodes or recurse. */
static json_t *parent_of(const json_t *index, const json_t *node) {
  json_t *parent = by_id(index, node, "parent"), *up = parent;
  unsigned depth = 0;
  while (up && ++depth < TREE_DEPTH_MAX && up != node) {
    up = by_id(index, up, "parent");
  }
  return up ? NULL : parent;
}

static json_t *grants_tree(const json_t *flat) {
  json_t *nodes = json_array(), *index = json_object(), *tree = json_array();
  size_t i;
  json_t *g;
  json_array_foreach(flat, i, g) {
    json_t *node = json_copy(g);
    (void)json_object_set_new(node, "children", json_array());
    const json_t *id = json_object_get(node, "id");
    char text[24];
    (void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(id));
    if (json_is_integer(id) && !json_object_get(index, text)) {
      (void)json_object_set(index, text, node);
    }
    (void)json_array_append_new(nodes, node);
  }
  json_array_foreach(nodes, i, g) {
    json_t *parent = parent_of(index, g);
    (void)json_array_append(parent ? json_object_get(parent, "children") : tree, g);
  }
  json_decref(index);
  json_decref(nodes);
  return tree;
}

static json_t *shape_section(const json_t *raw, const char *section) {
  json_t *value = json_object_get(raw, section);
  if (strcmp(section, "grants") == 0) {
    return grants_tree(value);
  }
  if (is_list(section)) {
    return json_is_array(value) ? json_incref(value) : json_array();
  }
  json_t *object = json_is_object(value) ? json_copy(value) : json_object();
  if (strcmp(section, "resolver") == 0) {
    for (unsigned i = 0; i < 2; i++) {
      const char *key = i ? "search" : "servers";
      if (!json_is_array(json_object_get(object, key))) {
        (void)json_object_set_new(object, key, json_array());
      }
    }
  }
  return object;
}

json_t *status_shape(const json_t *raw, const char *const *sections, size_t n) {
  json_t *out = json_object();
  for (unsigned s = 0; s < status_n_sections; s++) {
    bool wanted = n == 0;
    for (size_t i = 0; i < n && !wanted; i++) {
      wanted = strcmp(sections[i], status_sections[s]) == 0;
    }
    if (wanted) {
      (void)json_object_set_new(out, status_sections[s], shape_section(raw, status_sections[s]));
    }
  }
  return out;
}
