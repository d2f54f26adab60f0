/* SPDX-License-Identifier: BSD-3-Clause
 * The frame codec, shared by both ends: self-contained, libc and protobuf-c only. It survives any bytes.
 */
#ifndef CAPNET_PROTO_CODEC_H
#define CAPNET_PROTO_CODEC_H

#include "proto/frame.pb-c.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_MAX 65536u       /* bytes of one frame on the wire */
#define FRAME_FDS_MAX 8u       /* descriptors of one reply */
#define FRAME_SCM_MAX 253      /* the kernel's SCM_MAX_FD: room that a receiver keeps so as to leak none */
#define FRAME_ALLOC_MAX (1u << 20) /* memory that unpacking one frame or body may take */
#define METHOD_KIND_BASE 16u   /* method numbers below are service Capability's, from here on the kind's own */

/* Decodes one frame: -EBADMSG when it is not one (undecodable, kind or call id missing or out of range), -EMSGSIZE over
 * FRAME_MAX, -ENOMEM over FRAME_ALLOC_MAX. Free with frame_free. */
int frame_decode(const void *data, size_t len, Capnet__Frame **ret);
void frame_free(Capnet__Frame *f); /* NULL is fine */
void frame_freep(Capnet__Frame **f);

/* The same two without an allocation for each field: into an arena, under the same cap for each message. What was
 * unpacked lives until arena_reset, and is not freed by itself. What does not fit the arena's block is malloc'ed, and
 * counted in spills; reset frees it. */
struct arena {
  size_t used;
  unsigned long spills;
  struct arena_spill *spilled;
  _Alignas(max_align_t) unsigned char block[16 * 1024];
};
int frame_decode_in(struct arena *a, const void *data, size_t len, Capnet__Frame **ret);
int body_decode_in(struct arena *a, const ProtobufCMessageDescriptor *type, const ProtobufCBinaryData *body,
                   ProtobufCMessage **ret);
void arena_reset(struct arena *a);

/* Unpacks a body under the same cap; -EBADMSG, -ENOMEM. Free with body_free. */
int body_decode(const ProtobufCMessageDescriptor *type, const ProtobufCBinaryData *body, ProtobufCMessage **ret);
void body_free(ProtobufCMessage *m); /* NULL is fine */

/* Packs f, with body (may be NULL) packed into it, into a malloc'ed buffer. -EMSGSIZE over FRAME_MAX, -ENOMEM. */
int frame_encode(const Capnet__Frame *f, const ProtobufCMessage *body, uint8_t **ret, size_t *ret_len);
/* The same into a buffer of the caller's: FRAME_ENCODE_ROOM bytes are enough for any frame. */
#define FRAME_ENCODE_ROOM (2u * FRAME_MAX)
int frame_encode_to(const Capnet__Frame *f, const ProtobufCMessage *body, uint8_t buf[FRAME_ENCODE_ROOM],
                    size_t *ret_len);

/* One message with its descriptors; fds stay the caller's. MSG_NOSIGNAL, MSG_DONTWAIT when nonblock.
 * 0, -EAGAIN, -EPIPE, -ECONNRESET, -ETOOMANYREFS, -EMSGSIZE; -EPERM when the receiver takes no descriptors. */
int frame_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds, int nonblock);

/* Receives one message. fds (room for FRAME_SCM_MAX) get close-on-exec descriptors, the caller's from then on.
 * Returns its length (> 0), 0 at end of file, -EAGAIN, -ECONNRESET, -EMSGSIZE (truncated; its descriptors are
 * returned). 0 and -EMSGSIZE may come with descriptors as well. When this process has no descriptor left, the kernel
 * drops the rest of them and the message is still returned: a slot that is not there means EMFILE. Unless nonblock it waits,
 * for as long as SO_RCVTIMEO says (-EAGAIN then), and a signal ends the wait (-EINTR). */
ssize_t frame_recv(int sock, void *buf, size_t size, int fds[FRAME_SCM_MAX], size_t *ret_n_fds, int nonblock);
/* The same, and whether descriptors were dropped so. */
ssize_t frame_recv_lost(int sock, void *buf, size_t size, int fds[FRAME_SCM_MAX], size_t *ret_n_fds, int nonblock,
                        int *ret_lost);

/* --- errors.c: the wire's codes, the errno each becomes, and their names; the only place where they meet ---------- */

Capnet__ErrorCode error_code_from_errno(int error);          /* of a positive or negative errno */
int error_code_to_errno(Capnet__ErrorCode code);             /* positive; EIO for a code this build does not know */
const char *error_code_name(Capnet__ErrorCode code);         /* "DENIED" */
const char *error_code_sentence(Capnet__ErrorCode code);     /* what to print when the daemon gave no sentence */

#endif
