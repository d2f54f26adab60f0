/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-status grants: the tree of capabilities. Each node is one line, then what it may do, what is used of its
 * budgets, and what they refused.
 */
#include "clients/status_render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct tree_glyphs {
  const char *branch, *last, *down, *none;
};
static const struct tree_glyphs box = {"\u251c\u2500 ", "\u2514\u2500 ", "\u2502  ", "   "};
static const struct tree_glyphs ascii = {"|- ", "`- ", "|  ", "   "};

struct grants_view {
  const struct style *style;
  const struct tree_glyphs *glyphs;
  bool verbose;
};

/* "sockets 3/64 (2 refused)". An empty string for what is neither used nor refused, unless all is wanted. */
static char *limit_text(const json_t *limit, bool all) {
  uint64_t max = 0, used = 0, refused = 0;
  const char *name = status_string(limit, "name"), *unit = status_string(limit, "unit");
  bool budget = status_number(limit, "used", &used), bounded = status_number(limit, "max", &max);
  (void)status_number(limit, "refused", &refused);
  if (!name || (!all && !used && !refused)) {
    return text_format("%s", "");
  }
  bool bytes = unit && strcmp(unit, "bytes") == 0;
  char *most = !bounded ? text_format("no limit") : bytes ? text_bytes(max) : text_format("%" PRIu64, max);
  char *now = !budget ? text_format("%s", "") : bytes ? text_bytes(used) : text_format("%" PRIu64, used);
  char *tail = refused ? text_format(" (%" PRIu64 " refused)", refused) : text_format("%s", "");
  char *line = text_format("%s %s%s%s%s%s%s", name, now, budget ? "/" : "", most, unit && *unit && !bytes ? " " : "",
                           unit && !bytes ? unit : "", tail);
  char *safe = text_escape(line);
  free(line);
  free(tail);
  free(now);
  free(most);
  return safe;
}

/* One labelled list under a node, wrapped beside the tree's lines. */
struct node_list {
  struct wrap wrap;
  const char *prefix, *label;
  char *lead;
};

static void node_list_put(struct node_list *l, const char *item) {
  if (!*item) {
    return;
  }
  if (!l->wrap.started) {
    (void)fprintf(l->wrap.style->out, "%s%s ", l->prefix, l->label);
    l->wrap.column = l->wrap.indent_width;
    l->wrap.indent = l->lead;
  }
  wrap_item(&l->wrap, item);
}

static struct node_list node_list_of(const struct grants_view *v, const char *prefix, unsigned depth,
                                     const char *label) {
  unsigned label_width = (unsigned)strlen(label) + 1;
  return (struct node_list){
      .wrap = {.style = v->style, .separator = ", ", .indent_width = 2 + 3 * depth + label_width},
      .prefix = prefix,
      .label = label,
      .lead = text_format("%s%*s", prefix, (int)label_width, ""),
  };
}

static void node_list_end(struct node_list *l) {
  if (l->wrap.started) {
    (void)fputc('\n', l->wrap.style->out);
  }
  free(l->lead);
}

static void render_strings(const struct grants_view *v, const json_t *node, const char *key, const char *label,
                           const char *prefix, unsigned depth) {
  struct node_list l = node_list_of(v, prefix, depth, label);
  size_t i;
  const json_t *text;
  json_array_foreach(json_object_get(node, key), i, text) {
    if (json_is_string(text)) {
      char *safe = text_escape(json_string_value(text));
      node_list_put(&l, safe);
      free(safe);
    }
  }
  node_list_end(&l);
}

static void render_limits(const struct grants_view *v, const json_t *node, const char *prefix, unsigned depth) {
  struct node_list l = node_list_of(v, prefix, depth, "budget");
  size_t i;
  const json_t *limit;
  json_array_foreach(json_object_get(node, "limits"), i, limit) {
    char *text = limit_text(limit, v->verbose);
    node_list_put(&l, text);
    free(text);
  }
  node_list_end(&l);
}

/* An item of a node's first line, when there is one. */
static void put_word(struct wrap *w, enum colour c, const char *label, const char *value) {
  if (value && *value) {
    char *text = text_format("%s%s", label, value), *safe = text_escape(text);
    wrap_paint(w, c, safe);
    free(safe);
    free(text);
  }
}

/* "connect #4 tcp-connect, taken by …": the root of a grant shows the grant's name. beside stands before what follows
 * in further lines. */
static void render_head(const struct grants_view *v, const json_t *node, const char *beside, unsigned depth) {
  const struct style *s = v->style;
  const char *name = status_string(node, "name"), *grant = status_string(node, "grant");
  const char *state = status_string(node, "state"), *reason = status_string(node, "reason");
  const char *shown = depth == 0 && grant ? grant : name && *name ? name : grant ? grant : "?";
  struct wrap w = {
      .style = s, .separator = " ", .indent = beside, .indent_width = 5 + 3 * depth, .column = 2 + 3 * depth};
  put_word(&w, COLOUR_BOLD, "", shown);
  uint64_t n;
  if (status_number(node, "id", &n)) {
    char *id = text_format("%" PRIu64, n);
    put_word(&w, COLOUR_DIM, "#", id);
    free(id);
  }
  put_word(&w, COLOUR_NONE, "", status_string(node, "kind"));
  w.separator = ", ";
  put_word(&w, COLOUR_NONE, "taken by ", status_string(node, "taken_by"));
  put_word(&w, COLOUR_NONE, "unit ", status_string(node, "unit"));
  if (status_number(node, "expires_in_ms", &n)) {
    char *left = text_duration(n / 1000);
    put_word(&w, COLOUR_NONE, "expires in ", left);
    free(left);
  }
  if (state && strcmp(state, "live") != 0) {
    char *why = text_format("%s%s%s", state, reason ? ": " : "", reason ? reason : "");
    put_word(&w, strcmp(state, "husk") == 0 ? COLOUR_DIM : COLOUR_RED, "", why);
    free(why);
  }
  (void)fputc('\n', s->out);
}

/* The depth is bounded by status_shape. */
static void render_node(const struct grants_view *v, const json_t *node, const char *prefix, unsigned depth,
                        bool last) {
  bool root = depth == 0;
  const char *glyph = root ? "" : last ? v->glyphs->last : v->glyphs->branch;
  (void)fprintf(v->style->out, "%s%s", prefix, glyph);
  const json_t *children = json_object_get(node, "children");
  size_t n = json_array_size(children);
  char *below = text_format("%s%s", prefix, root ? "" : last ? v->glyphs->none : v->glyphs->down);
  char *beside = text_format("%s%s", below, n ? v->glyphs->down : v->glyphs->none);
  render_head(v, node, beside, depth);
  render_strings(v, node, "rights", "may", beside, depth + 1);
  render_strings(v, node, "narrowed", "narrowed by", beside, depth + 1);
  render_limits(v, node, beside, depth + 1);
  for (size_t i = 0; i < n; i++) {
    render_node(v, json_array_get(children, i), below, depth + 1, i + 1 == n);
  }
  free(beside);
  free(below);
}

void status_render_grants(const json_t *tree, const struct style *s, bool verbose) {
  struct grants_view v = {.style = s, .glyphs = s->utf8 ? &box : &ascii, .verbose = verbose};
  size_t i;
  const json_t *root;
  json_array_foreach(tree, i, root) { render_node(&v, root, "  ", 0, true); }
}
