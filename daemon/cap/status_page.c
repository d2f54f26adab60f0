/* SPDX-License-Identifier: BSD-3-Clause
 * Pages of NetworkStatus.Get: memory for their parts, and the way to a client that may read slowly. The walk over the rooms
 * is done within one turn, so the answer is of one moment; only its sending is spread.
 */
#include "cap/status.h"

#include <stdarg.h>
#include <stdio.h>

struct status_chunk {
  struct status_chunk *next;
  size_t used;
  _Alignas(16) char data[16 * 1024];
};

/* A page that waits, packed: a third of what its parts take. */
struct status_sheet {
  struct list link;
  size_t len;
  uint8_t data[];
};

/* --- memory --------------------------------------------------------------------------------------------------------- */

static void fail(struct status_page *p, int error) {
  if (!p->failed && p->why.error == 0) {
    p->why.error = error;
    (void)snprintf(p->why.text, sizeof p->why.text, "%s", error_code_sentence(error_code_from_errno(error)));
  }
  p->failed = true;
}

void *page_alloc(struct status_page *p, size_t size) {
  size = (size + 15) & ~(size_t)15;
  if (!p->arena || sizeof p->arena->data - p->arena->used < size) {
    struct status_chunk *c = size <= sizeof c->data ? calloc(1, sizeof *c) : NULL;
    if (!c) {
      fail(p, -ENOMEM);
      return NULL;
    }
    c->next = p->arena;
    p->arena = c;
  }
  void *out = p->arena->data + p->arena->used;
  p->arena->used += size;
  p->bytes += size;
  return out;
}

char *page_string(struct status_page *p, const char *s) {
  char *out = s ? page_alloc(p, strlen(s) + 1) : NULL;
  return out ? strcpy(out, s) : NULL;
}

char *page_printf(struct status_page *p, const char *fmt, ...) {
  char buf[512];
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(buf, sizeof buf, fmt, ap);
  va_end(ap);
  return page_string(p, buf);
}

static void page_reset(struct status_page *p) {
  while (p->arena) {
    struct status_chunk *next = p->arena->next;
    free(p->arena);
    p->arena = next;
  }
  capnet__status_page__init(&p->msg);
  p->parts = p->bytes = 0;
}

static void sheet_free(struct status_page *p, struct status_sheet *s) {
  list_remove(&s->link);
  auth_uncharge(p->cap->node, LIMIT_BYTES, s->len);
  free(s);
}

static void page_free(struct status_page *p) {
  while (!list_empty(&p->waiting))
    sheet_free(p, list_first(&p->waiting, struct status_sheet, link));
  page_reset(p);
  free(p);
}

struct status_page *page_new(struct call *call) {
  struct status_page *p = calloc(1, sizeof *p);
  if (!p)
    return NULL;
  p->call = call;
  p->cap = cap_of(call);
  list_init(&p->waiting);
  page_reset(p);
  return p;
}

/* --- sending -------------------------------------------------------------------------------------------------------- */

/* The page under way joins those that wait. */
static void page_wait(struct status_page *p) {
  const size_t len = protobuf_c_message_get_packed_size(&p->msg.base);
  struct status_sheet *s = malloc(sizeof *s + len);
  int r = s ? auth_charge(p->cap->node, LIMIT_BYTES, len, &p->why) : -ENOMEM;
  if (r < 0) {
    fail(p, r);
    free(s);
    return;
  }
  s->len = protobuf_c_message_pack(&p->msg.base, s->data);
  list_append(&p->waiting, &s->link);
}

static void page_flush(struct status_page *p) {
  int r = list_empty(&p->waiting) ? call_reply_more(p->call, &p->msg.base) : -ENOBUFS;
  if (r == -ENOBUFS)
    page_wait(p);
  else if (r < 0)
    fail(p, r);
  page_reset(p);
}

void *page_append(struct status_page *p, const ProtobufCMessageDescriptor *type, size_t *n, void ***list) {
  if (p->parts >= STATUS_PAGE_PARTS || p->bytes >= STATUS_PAGE_BYTES)
    page_flush(p);
  if (p->failed)
    return NULL;
  if (!*list)
    *list = page_alloc(p, STATUS_PAGE_PARTS * sizeof(void *));
  void *m = *list ? page_alloc(p, type->sizeof_message) : NULL;
  if (!m)
    return NULL;
  protobuf_c_message_init(type, m);
  (*list)[(*n)++] = m;
  p->parts++;
  return m;
}

/* 0, 1 when it was the last, or -errno. */
static int send_sheet(struct status_page *p, const struct status_sheet *s) {
  ProtobufCMessage *m = protobuf_c_message_unpack(&capnet__status_page__descriptor, NULL, s->len, s->data);
  int r = m ? 1 : -ENOMEM;
  if (m && s->link.next == &p->waiting)
    call_reply(p->call, m);
  else if (m)
    r = call_reply_more(p->call, m);
  protobuf_c_message_free_unpacked(m, NULL);
  return r;
}

static void on_writable(void *arg) {
  struct status_page *p = arg;
  int r;
  do {
    struct status_sheet *s = list_first(&p->waiting, struct status_sheet, link);
    r = send_sheet(p, s);
    if (r == 0)
      sheet_free(p, s);
  } while (r == 0);
  if (r == -ENOBUFS)
    return;
  if (r < 0)
    call_error(p->call, r, NULL, NULL, "%s", error_code_sentence(error_code_from_errno(r)));
  page_free(p);
}

static void on_cancel(void *arg, int reason) {
  (void)reason;
  page_free(arg);
}

void page_end(struct status_page *p) {
  if (!p->failed && list_empty(&p->waiting)) {
    call_reply(p->call, &p->msg.base);
    page_free(p);
    return;
  }
  if (!p->failed)
    page_wait(p);
  if (p->failed) {
    cap_refuse(p->call, &p->why);
    page_free(p);
    return;
  }
  call_on_cancel(p->call, on_cancel, p);
  call_on_writable(p->call, on_writable, p);
}
