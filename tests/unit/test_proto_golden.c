/* SPDX-License-Identifier: BSD-3-Clause
 * Holds the numbers of the wire: what the linked descriptors say against tests/golden/proto.txt. Numbers are
 * append-only: a line may be added, none may change or go, for an older client goes on using them. After an addition:
 *
 *   CAPNET_GOLDEN=write make check TESTS=tests/unit/test_proto_golden
 *
 * writes the file anew (and still fails when a line of the old one is gone).
 */
#include "base/util.h"
#include "proto/capability.pb-c.h"
#include "proto/dns.pb-c.h"
#include "proto/frame.pb-c.h"
#include "proto/grant.pb-c.h"
#include "proto/manager.pb-c.h"
#include "proto/ping.pb-c.h"
#include "proto/status.pb-c.h"
#include "proto/tcp.pb-c.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define TYPES_MAX 256

static const ProtobufCServiceDescriptor *const services[] = {
    &capnet__capability__descriptor,          &capnet__grant__descriptor,
    &capnet__network_manager__descriptor,     &capnet__network_status__descriptor,
    &capnet__tcp_connect_authority__descriptor, &capnet__tcp_listen_authority__descriptor,
    &capnet__tcp_listener__descriptor,        &capnet__tcp_socket__descriptor,
    &capnet__dns_resolver__descriptor,        &capnet__ping__descriptor,
};

/* Every message and enum that a service reaches, and Frame. */
static const ProtobufCMessageDescriptor *messages[TYPES_MAX];
static const ProtobufCEnumDescriptor *enums[TYPES_MAX];
static unsigned n_messages, n_enums;

static void add_enum(const ProtobufCEnumDescriptor *d) {
  for (unsigned i = 0; i < n_enums; i++)
    if (enums[i] == d)
      return;
  cr_assert_lt(n_enums, TYPES_MAX);
  enums[n_enums++] = d;
}

static void add_message(const ProtobufCMessageDescriptor *d) {
  for (unsigned i = 0; i < n_messages; i++)
    if (messages[i] == d)
      return;
  cr_assert_lt(n_messages, TYPES_MAX);
  messages[n_messages++] = d;
  for (unsigned i = 0; i < d->n_fields; i++) {
    if (d->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
      add_message(d->fields[i].descriptor);
    else if (d->fields[i].type == PROTOBUF_C_TYPE_ENUM)
      add_enum(d->fields[i].descriptor);
  }
}

static const char *field_type(const ProtobufCFieldDescriptor *f) {
  static const char *const names[] = {
      [PROTOBUF_C_TYPE_INT32] = "int32",   [PROTOBUF_C_TYPE_SINT32] = "sint32", [PROTOBUF_C_TYPE_SFIXED32] = "sfixed32",
      [PROTOBUF_C_TYPE_INT64] = "int64",   [PROTOBUF_C_TYPE_SINT64] = "sint64", [PROTOBUF_C_TYPE_SFIXED64] = "sfixed64",
      [PROTOBUF_C_TYPE_UINT32] = "uint32", [PROTOBUF_C_TYPE_FIXED32] = "fixed32", [PROTOBUF_C_TYPE_UINT64] = "uint64",
      [PROTOBUF_C_TYPE_FIXED64] = "fixed64", [PROTOBUF_C_TYPE_FLOAT] = "float", [PROTOBUF_C_TYPE_DOUBLE] = "double",
      [PROTOBUF_C_TYPE_BOOL] = "bool",     [PROTOBUF_C_TYPE_STRING] = "string", [PROTOBUF_C_TYPE_BYTES] = "bytes"};
  if (f->type == PROTOBUF_C_TYPE_MESSAGE)
    return ((const ProtobufCMessageDescriptor *)f->descriptor)->short_name;
  if (f->type == PROTOBUF_C_TYPE_ENUM)
    return ((const ProtobufCEnumDescriptor *)f->descriptor)->short_name;
  return names[f->type];
}

static void print_all(FILE *out) {
  add_message(&capnet__frame__descriptor);
  for (unsigned i = 0; i < ARRAY_SIZE(services); i++) {
    const ProtobufCServiceDescriptor *s = services[i];
    for (unsigned j = 0; j < s->n_methods; j++) {
      const ProtobufCMethodDescriptor *m = &s->methods[j];
      fprintf(out, "method %s.%s = %u (%s) returns (%s)\n", s->short_name, m->name, j, m->input->short_name,
              m->output->short_name);
      add_message(m->input);
      add_message(m->output);
    }
  }
  for (unsigned i = 0; i < n_messages; i++) {
    const ProtobufCMessageDescriptor *d = messages[i];
    fprintf(out, "message %s\n", d->name);
    for (unsigned j = 0; j < d->n_fields; j++) {
      const ProtobufCFieldDescriptor *f = &d->fields[j];
      cr_assert_neq(f->label, PROTOBUF_C_LABEL_REQUIRED, "%s.%s is required", d->name, f->name);
      fprintf(out, "field %s.%s = %u %s %s\n", d->name, f->name, f->id,
              f->label == PROTOBUF_C_LABEL_REPEATED ? "repeated" : "optional", field_type(f));
    }
  }
  for (unsigned i = 0; i < n_enums; i++)
    for (unsigned j = 0; j < enums[i]->n_values; j++)
      fprintf(out, "value %s.%s = %d\n", enums[i]->name, enums[i]->values[j].name, enums[i]->values[j].value);
}

/* Is this very line in text? */
static bool has_line(const char *text, const char *line, size_t len) {
  for (const char *p = text; *p; p = strchr(p, '\n') + 1)
    if (strncmp(p, line, len) == 0 && p[len] == '\n')
      return true;
  return false;
}

static unsigned missing(const char *from, const char *in, const char *why) {
  unsigned n = 0;
  for (const char *p = from; *p; p = strchr(p, '\n') + 1) {
    size_t len = (size_t)(strchr(p, '\n') - p);
    if (*p != '#' && !has_line(in, p, len)) {
      fprintf(stderr, "%s: %.*s\n", why, (int)len, p);
      n++;
    }
  }
  return n;
}

static char *read_all(const char *path) {
  char *text = NULL;
  size_t len = 0;
  FILE *out = open_memstream(&text, &len), *in = fopen(path, "re");
  for (int c; in && (c = getc(in)) != EOF;)
    putc(c, out);
  if (in)
    fclose(in);
  fclose(out);
  cr_assert(len == 0 || text[len - 1] == '\n', "%s does not end with a newline", path);
  return text;
}

/* A message whose descriptor is in the files but which nothing reaches would not be held. */
Test(proto_golden, numbers_are_append_only) {
  char *now = NULL, path[4096];
  size_t len = 0;
  FILE *out = open_memstream(&now, &len);
  print_all(out);
  fclose(out);
  const char *top = getenv("top_srcdir"), *mode = getenv("CAPNET_GOLDEN");
  snprintf(path, sizeof path, "%s/tests/golden/proto.txt", top ? top : ".");
  char *golden = read_all(path);
  unsigned gone = missing(golden, now, "gone or changed"), added = 0;
  if (mode && strcmp(mode, "write") == 0) {
    FILE *f = fopen(path, "we");
    cr_assert_not_null(f, "%s", path);
    fprintf(f, "# Numbers of the wire, append-only. Written by tests/unit/test_proto_golden.c; see there.\n%s", now);
    cr_assert_eq(fclose(f), 0);
  } else {
    added = missing(now, golden, "not in the golden file");
  }
  free(now);
  free(golden);
  cr_assert_eq(gone, 0, "%u numbers of the wire are gone or changed", gone);
  cr_assert_eq(added, 0, "%u are new: write the golden file anew", added);
}
