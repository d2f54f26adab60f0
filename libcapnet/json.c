/* SPDX-License-Identifier: BSD-3-Clause
 * Messages to JSON by their descriptors alone, so that the vocabulary of status.proto is the vocabulary of --json
 * (docs/json.md), and a new field needs no code here.
 */
#include "libcapnet/conn.h"

#include <jansson.h>

#define DEPTH_MAX 8 /* the schema has no recursive types; a guard all the same */

static json_t *of_message(const ProtobufCMessage *m, unsigned depth);

/* Bytes of a valid UTF-8 sequence at s as jansson sees it (RFC 3629), or 0. */
static size_t utf8_len(const unsigned char *s) {
  size_t n = s[0] < 0x80                     ? 1
             : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
             : (s[0] & 0xf0) == 0xe0       ? 3
             : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                           : 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80)
      return 0;
  if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
      (s[0] == 0xf4 && s[1] >= 0x90))
    return 0;
  return n;
}

/* Bytes that are no UTF-8 become U+FFFD each. */
static json_t *of_string(const char *text) {
  json_t *j = json_string(text);
  if (j)
    return j;
  _cleanup_free_ char *clean = malloc(strlen(text) * 3 + 1);
  if (!clean)
    return NULL;
  char *to = clean;
  for (const unsigned char *s = (const unsigned char *)text; *s;) {
    size_t n = utf8_len(s);
    memcpy(to, n ? (const char *)s : "\xef\xbf\xbd", n ? n : 3);
    to += n ? n : 3;
    s += n ? n : 1;
  }
  *to = 0;
  return json_string(clean);
}

/* "TCP_END_RESET_BY_PEER" is "reset_by_peer": what all values of the enum have in front, up to a '_', is its name. */
static json_t *of_enum(const ProtobufCEnumDescriptor *d, int value) {
  const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, value);
  if (!v)
    return json_integer(value);
  size_t common = strlen(d->values[0].name);
  for (unsigned i = 1; i < d->n_values; i++)
    for (size_t k = 0; k < common; k++)
      if (d->values[i].name[k] != d->values[0].name[k])
        common = k;
  while (d->n_values > 1 && common > 0 && d->values[0].name[common - 1] != '_')
    common--;
  if (d->n_values == 1)
    common = 0;
  char word[64];
  size_t n = 0;
  for (const char *s = v->name + common; *s && n < sizeof word - 1; s++)
    word[n++] = *s >= 'A' && *s <= 'Z' ? (char)(*s | 0x20) : *s;
  word[n] = 0;
  return json_string(word);
}

static json_t *of_uint(uint64_t v) { return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v); }

/* One value at p, of the field's type. The schema has no floats, and bytes only in frames. */
static json_t *of_value(const ProtobufCFieldDescriptor *f, const void *p, unsigned depth) {
  switch (f->type) {
  case PROTOBUF_C_TYPE_INT32:
  case PROTOBUF_C_TYPE_SINT32:
  case PROTOBUF_C_TYPE_SFIXED32: return json_integer(*(const int32_t *)p);
  case PROTOBUF_C_TYPE_INT64:
  case PROTOBUF_C_TYPE_SINT64:
  case PROTOBUF_C_TYPE_SFIXED64: return json_integer(*(const int64_t *)p);
  case PROTOBUF_C_TYPE_UINT32:
  case PROTOBUF_C_TYPE_FIXED32: return json_integer(*(const uint32_t *)p);
  case PROTOBUF_C_TYPE_UINT64:
  case PROTOBUF_C_TYPE_FIXED64: return of_uint(*(const uint64_t *)p);
  case PROTOBUF_C_TYPE_BOOL: return json_boolean(*(const protobuf_c_boolean *)p);
  case PROTOBUF_C_TYPE_ENUM: return of_enum(f->descriptor, *(const int *)p);
  case PROTOBUF_C_TYPE_STRING: return of_string(*(char *const *)p);
  case PROTOBUF_C_TYPE_MESSAGE: return of_message(*(ProtobufCMessage *const *)p, depth + 1);
  case PROTOBUF_C_TYPE_FLOAT: return json_real((double)*(const float *)p);
  case PROTOBUF_C_TYPE_DOUBLE: return json_real(*(const double *)p);
  case PROTOBUF_C_TYPE_BYTES: return json_null();
  }
  return NULL;
}

static size_t size_of(ProtobufCType type) {
  switch (type) {
  case PROTOBUF_C_TYPE_INT64:
  case PROTOBUF_C_TYPE_SINT64:
  case PROTOBUF_C_TYPE_SFIXED64:
  case PROTOBUF_C_TYPE_UINT64:
  case PROTOBUF_C_TYPE_FIXED64:
  case PROTOBUF_C_TYPE_DOUBLE: return 8;
  case PROTOBUF_C_TYPE_STRING:
  case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
  case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
  case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
  default: return 4;
  }
}

static json_t *of_repeated(const ProtobufCFieldDescriptor *f, const char *base, unsigned depth) {
  size_t n = *(const size_t *)(base + f->quantifier_offset), step = size_of(f->type);
  const char *items = *(const char *const *)(base + f->offset);
  json_t *array = json_array();
  for (size_t i = 0; array && i < n; i++)
    if (json_array_append_new(array, of_value(f, items + i * step, depth)) < 0) {
      json_decref(array);
      return NULL;
    }
  return array;
}

static bool present(const ProtobufCFieldDescriptor *f, const char *base) {
  if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE) {
    const void *p = *(const void *const *)(base + f->offset);
    return p && p != f->default_value;
  }
  return *(const protobuf_c_boolean *)(base + f->quantifier_offset);
}

static json_t *of_message(const ProtobufCMessage *m, unsigned depth) {
  if (depth > DEPTH_MAX)
    return json_null();
  const char *base = (const char *)m;
  json_t *object = json_object();
  for (unsigned i = 0; object && i < m->descriptor->n_fields; i++) {
    const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
    /* A slot means nothing to a reader. */
    if (f->type == PROTOBUF_C_TYPE_MESSAGE && f->descriptor == &capnet__descriptor__descriptor)
      continue;
    json_t *value;
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
      value = of_repeated(f, base, depth);
    else if (present(f, base))
      value = of_value(f, base + f->offset, depth);
    else
      continue;
    if (json_object_set_new(object, f->name, value) < 0) {
      json_decref(object);
      return NULL;
    }
  }
  return object;
}

json_t *json_of_message(const ProtobufCMessage *m) { return of_message(m, 0); }

int json_merge(json_t *into, json_t *from) {
  const char *key;
  json_t *value;
  int r = into && from ? 0 : -ENOMEM;
  json_object_foreach(from, key, value) {
    json_t *have = json_object_get(into, key);
    if (r < 0)
      break;
    if (json_is_array(have) && json_is_array(value))
      r = json_array_extend(have, value);
    else if (json_is_object(have) && json_is_object(value))
      r = json_merge(have, json_incref(value));
    else
      r = json_object_set(into, key, value);
  }
  json_decref(from);
  return r < 0 ? -ENOMEM : 0;
}

int json_text(json_t *root, char **ret, struct capnet_error *err) {
  char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
  json_decref(root);
  if (!text)
    return fail_errno(err, ENOMEM, "JSON");
  *ret = text;
  return 0;
}

int json_reply(struct call *c, char **ret) {
  ProtobufCMessage *reply;
  int r = call_one(c, (void **)&reply);
  if (r == 0 && ret)
    r = json_text(json_of_message(reply), ret, c->err);
  return call_done(c, r);
}
