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
  size_t left;
  int exhausted;
};

static void *cap_alloc(void *data, size_t size) {
  struct cap *cap = data;
  void *p = NULL;
  if (size <= cap->left && (p = malloc(size ? size : 1)))
    cap->left -= size;
  else
    cap->exhausted = 1;
  return p;
}

/* What is given back during unpacking is not given back to the cap: it bounds the work as well. */
static void cap_free(void *data, void *p) {
  (void)data;
  free(p);
}

static int unpack(const ProtobufCMessageDescriptor *type, const void *data, size_t len, ProtobufCMessage **ret) {
  struct cap cap = {.left = FRAME_ALLOC_MAX};
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

int frame_decode(const void *data, size_t len, Capnet__Frame **ret) {
  if (len > FRAME_MAX)
    return -EMSGSIZE;
  ProtobufCMessage *m;
  int r = unpack(&capnet__frame__descriptor, data, len, &m);
  if (r < 0)
    return r;
  Capnet__Frame *f = (Capnet__Frame *)m;
  if (!frame_valid(f)) {
    frame_free(f);
    return -EBADMSG;
  }
  *ret = f;
  return 0;
}

void frame_free(Capnet__Frame *f) {
  if (f)
    capnet__frame__free_unpacked(f, NULL);
}

void frame_freep(Capnet__Frame **f) { frame_free(*f); }

int body_decode(const ProtobufCMessageDescriptor *type, const ProtobufCBinaryData *body, ProtobufCMessage **ret) {
  return unpack(type, body->data, body->len, ret);
}

void body_free(ProtobufCMessage *m) {
  if (m)
    protobuf_c_message_free_unpacked(m, NULL);
}

/* One allocation: the frame in front, the packed body, which the frame copies from, behind it. */
int frame_encode(const Capnet__Frame *f, const ProtobufCMessage *body, uint8_t **ret, size_t *ret_len) {
  Capnet__Frame frame = *f;
  size_t body_len = 0;
  if (body) {
    body_len = protobuf_c_message_get_packed_size(body);
    if (body_len > FRAME_MAX)
      return -EMSGSIZE;
    frame.has_body = 1;
    frame.body.len = body_len;
  }
  size_t len = capnet__frame__get_packed_size(&frame);
  if (len > FRAME_MAX)
    return -EMSGSIZE;
  uint8_t *buf = malloc(len + body_len + 1);
  if (!buf)
    return -ENOMEM;
  if (body) {
    frame.body.data = buf + len;
    protobuf_c_message_pack(body, frame.body.data);
  }
  capnet__frame__pack(&frame, buf);
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
  *ret_n_fds = 0;
  *ret_lost = 0;
  do {
    msg = (struct msghdr){
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof control.buf};
    n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | (nonblock ? MSG_DONTWAIT : 0));
  } while (n < 0 && errno == EINTR);
  if (n < 0)
    return -errno;
  *ret_n_fds = collect_fds(&msg, fds);
  *ret_lost = (msg.msg_flags & MSG_CTRUNC) != 0;
  return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}
