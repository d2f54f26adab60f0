/* SPDX-License-Identifier: BSD-3-Clause
 * Frames to bytes and back, and the two system calls that move them with their descriptors.
 *
 * Unpacking goes through an allocator that counts: 64 KiB of two-byte fields would otherwise become megabytes of
 * bookkeeping. What was unpacked is plain malloc memory, so that it can be freed without the counter.
 */
#include "proto/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct cap {
  struct arena *arena; /* NULL: malloc */
  size_t left;
  int exhausted;
};

struct arena_spill {
  struct arena_spill *next;
  _Alignas(max_align_t) unsigned char data[];
};

static void *spill(struct arena *a, size_t size) {
  struct arena_spill *s = malloc(sizeof *s + size);
  if (!s)
    return NULL;
  s->next = a->spilled;
  a->spilled = s;
  a->spills++;
  return s->data;
}

static void *take(struct arena *a, size_t size) {
  const size_t aligned = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
  if (aligned > sizeof a->block - a->used)
    return spill(a, size);
  void *p = a->block + a->used;
  a->used += aligned;
  return p;
}

void arena_reset(struct arena *a) {
  while (a->spilled) {
    struct arena_spill *s = a->spilled;
    a->spilled = s->next;
    free(s);
  }
  a->used = 0;
}

static void *cap_alloc(void *data, size_t size) {
  struct cap *cap = data;
  void *p = NULL;
  if (size <= cap->left && (p = cap->arena ? take(cap->arena, size ? size : 1) : malloc(size ? size : 1)))
    cap->left -= size;
  else
    cap->exhausted = 1;
  return p;
}

/* What is given back during unpacking is not given back to the cap: it bounds the work as well. */
static void cap_free(void *data, void *p) {
  const struct cap *cap = data;
  if (!cap->arena)
    free(p);
}

static int unpack(struct arena *a, const ProtobufCMessageDescriptor *type, const void *data, size_t len,
                  ProtobufCMessage **ret) {
  struct cap cap = {.arena = a, .left = FRAME_ALLOC_MAX};
  ProtobufCAllocator allocator = {.alloc = cap_alloc, .free = cap_free, .allocator_data = &cap};
  ProtobufCMessage *m = protobuf_c_message_unpack(type, &allocator, len, data);
  if (!m)
    return cap.exhausted ? -ENOMEM : -EBADMSG;
  *ret = m;
  return 0;
}

static int frame_valid(const Capnet__Frame *f) {
  if (!f->has_kind)
    return 0;
  switch (f->kind) {
  case CAPNET__FRAME__KIND__REQUEST:
  case CAPNET__FRAME__KIND__REPLY:
  case CAPNET__FRAME__KIND__ERROR:
  case CAPNET__FRAME__KIND__CANCEL: return f->has_call && f->call != 0;
  case CAPNET__FRAME__KIND__TERMINAL: return 1;
  case CAPNET__FRAME__KIND__INVALID:
  case _CAPNET__FRAME__KIND_IS_INT_SIZE: break;
  }
  return 0; /* also for numbers that the enum does not have: protobuf-c lets them through */
}

int frame_decode_in(struct arena *a, const void *data, size_t len, Capnet__Frame **ret) {
  if (len > FRAME_MAX)
    return -EMSGSIZE;
  ProtobufCMessage *m;
  int r = unpack(a, &capnet__frame__descriptor, data, len, &m);
  if (r < 0)
    return r;
  Capnet__Frame *f = (Capnet__Frame *)m;
  if (!frame_valid(f)) {
    if (!a)
      frame_free(f);
    return -EBADMSG;
  }
  *ret = f;
  return 0;
}

int frame_decode(const void *data, size_t len, Capnet__Frame **ret) { return frame_decode_in(NULL, data, len, ret); }

void frame_free(Capnet__Frame *f) {
  if (f)
    capnet__frame__free_unpacked(f, NULL);
}

void frame_freep(Capnet__Frame **f) { frame_free(*f); }

int body_decode(const ProtobufCMessageDescriptor *type, const ProtobufCBinaryData *body, ProtobufCMessage **ret) {
  return unpack(NULL, type, body->data, body->len, ret);
}

int body_decode_in(struct arena *a, const ProtobufCMessageDescriptor *type, const ProtobufCBinaryData *body,
                   ProtobufCMessage **ret) {
  return unpack(a, type, body->data, body->len, ret);
}

void body_free(ProtobufCMessage *m) {
  if (m)
    protobuf_c_message_free_unpacked(m, NULL);
}

/* Fills in what of f the body decides. -EMSGSIZE. */
static int measure(Capnet__Frame *f, const ProtobufCMessage *body, size_t *ret_len) {
  if (body) {
    f->body.len = protobuf_c_message_get_packed_size(body);
    if (f->body.len > FRAME_MAX)
      return -EMSGSIZE;
    f->has_body = 1;
  }
  *ret_len = capnet__frame__get_packed_size(f);
  return *ret_len > FRAME_MAX ? -EMSGSIZE : 0;
}

/* The frame in front, the packed body, which the frame copies from, behind it. */
static void pack(Capnet__Frame *f, const ProtobufCMessage *body, uint8_t *buf, size_t len) {
  if (body) {
    f->body.data = buf + len;
    protobuf_c_message_pack(body, f->body.data);
  }
  capnet__frame__pack(f, buf);
}

int frame_encode_to(const Capnet__Frame *f, const ProtobufCMessage *body, uint8_t buf[FRAME_ENCODE_ROOM],
                    size_t *ret_len) {
  Capnet__Frame frame = *f;
  size_t len;
  int r = measure(&frame, body, &len);
  if (r < 0)
    return r;
  pack(&frame, body, buf, len);
  *ret_len = len;
  return 0;
}

int frame_encode(const Capnet__Frame *f, const ProtobufCMessage *body, uint8_t **ret, size_t *ret_len) {
  Capnet__Frame frame = *f;
  size_t len;
  int r = measure(&frame, body, &len);
  if (r < 0)
    return r;
  uint8_t *buf = malloc(len + (body ? frame.body.len : 0) + 1);
  if (!buf)
    return -ENOMEM;
  pack(&frame, body, buf, len);
  *ret = buf;
  *ret_len = len;
  return 0;
}

/* Room for the descriptors, aligned as CMSG_FIRSTHDR wants it. A receiver keeps some more, for credentials that a
 * socket from elsewhere may be set to carry: they must not push descriptors out. */
union control {
  struct cmsghdr align;
  char buf[CMSG_SPACE(FRAME_SCM_MAX * sizeof(int)) + 512];
};

int frame_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds, int nonblock) {
  if (len == 0 || n_fds > FRAME_SCM_MAX)
    return -EINVAL; /* an empty message would read as end of file */
  if (len > FRAME_MAX)
    return -EMSGSIZE;
  struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
  union control control;
  if (n_fds) {
    memset(&control, 0, CMSG_SPACE(n_fds * sizeof(int))); /* the padding goes to the kernel, too */
    msg.msg_control = control.buf;
    msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
    memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
  }
  for (;;) {
    if (sendmsg(sock, &msg, MSG_NOSIGNAL | (nonblock ? MSG_DONTWAIT : 0)) >= 0)
      return 0;
    if (errno != EINTR)
      return -errno;
  }
}

static size_t collect_fds(struct msghdr *msg, int fds[FRAME_SCM_MAX]) {
  size_t n = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    size_t got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    if (got > FRAME_SCM_MAX - n)
      got = FRAME_SCM_MAX - n; /* cannot be: the kernel refuses to send more, and merges no two messages */
    memcpy(fds + n, CMSG_DATA(c), got * sizeof(int));
    n += got;
  }
  return n;
}

ssize_t frame_recv(int sock, void *buf, size_t size, int fds[FRAME_SCM_MAX], size_t *ret_n_fds, int nonblock) {
  int lost;
  return frame_recv_lost(sock, buf, size, fds, ret_n_fds, nonblock, &lost);
}

ssize_t frame_recv_lost(int sock, void *buf, size_t size, int fds[FRAME_SCM_MAX], size_t *ret_n_fds, int nonblock,
                        int *ret_lost) {
  struct iovec iov = {.iov_base = buf, .iov_len = size};
  union control control;
  ssize_t n;
  struct msghdr msg;
  int again, resets = 0; /* the kernel tells a reset once, and before what the other side said last */
  *ret_n_fds = 0;
  *ret_lost = 0;
  do {
    msg = (struct msghdr){
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof control.buf};
    n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | (nonblock ? MSG_DONTWAIT : 0));
    if (n < 0 && errno == ECONNRESET)
      again = resets++ == 0;
    else
      again = n < 0 && errno == EINTR && nonblock;
  } while (again);
  if (n < 0)
    return -errno;
  *ret_n_fds = collect_fds(&msg, fds);
  *ret_lost = (msg.msg_flags & MSG_CTRUNC) != 0;
  return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}
