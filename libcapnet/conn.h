/* SPDX-License-Identifier: BSD-3-Clause
 * Inside libcapnet: the handle, and one call on it. Every public function has the same shape:
 *
 *   struct call c;
 *   call_init(&c, cap, &capnet__KIND__descriptor, timeout_ms, err);   takes the handle's lock
 *   capnet__KIND__METHOD(&c.service, &request, NULL, NULL);           the generated stub: sends the request
 *   r = call_one(&c, (void *)&reply);                                 or call_next in a loop, for streams
 *   …
 *   return call_done(&c, r);                                          cancels what is unfinished, unlocks
 */
#ifndef LIBCAPNET_CONN_H
#define LIBCAPNET_CONN_H

#include "libcapnet/util.h"
#include "proto/capability.pb-c.h"
#include "proto/codec.h"

#include <capnet.h>
#include <pthread.h>
#include <stdatomic.h>

#define LAST_WORD_MS 1000u /* between closing its receiving side and TERMINAL the daemon takes no longer than this */
#define PATIENCE_SLACK_MS 1u /* of a call's time may be gone when the kernel is told to wait for the whole of it */
#define CALL_GRACE_MS 100u /* the daemon's own DEADLINE may take this long before the local guard ends a call */

struct capnet {
  int fd;            /* the endpoint; -1: not open (a Grant before its first use) */
  int shared_fd;     /* Grant: what Open is asked of; else -1 */
  int stop_fd;       /* not ours */
  pid_t owner;       /* whose private endpoint fd is */
  _Atomic bool ours_alone; /* fd was made for this handle and never shown to anybody: its options are nobody else's affair */
  uint64_t patience_ms;    /* its SO_RCVTIMEO; 0: none */
  uint64_t last_call;
  bool ended;        /* by TERMINAL, end of file or a broken protocol: why is in end */
  struct capnet_error end;
  pthread_mutex_t lock;
  uint8_t *buf;      /* FRAME_MAX + 1, for receiving */
};

struct call {
  ProtobufCService service; /* invoke sends */
  capnet *cap;
  struct capnet_error *err; /* never NULL: points to scratch where the caller gave none */
  struct capnet_error scratch;
  const ProtobufCMessageDescriptor *reply_type;
  unsigned timeout_ms;
  uint64_t deadline_ns; /* monotonic; 0: none */
  uint64_t id;
  int result;           /* 0, or the -errno that stopped it */
  bool locked, started, finished;
  bool asked; /* a moment ago: no answer is there yet, so it is waited for before it is looked for */
  ProtobufCMessage *reply;
  int fds[FRAME_SCM_MAX];
  size_t n_fds;
  int fds_lost; /* there was no room for more of them in this process */
};

/* A handle of fd (consumed also on failure; -1 is fine). */
int conn_new(int fd, capnet **ret, struct capnet_error *err);
/* For the descriptor slot of a reply. */
int conn_from_slot(struct call *c, const Capnet__Descriptor *d, capnet **ret);
/* 0 when fd is a SEQPACKET UNIX socket, else -EBADF with err. */
int conn_check_fd(int fd, struct capnet_error *err);

void call_init(struct call *c, capnet *cap, const ProtobufCServiceDescriptor *service, unsigned timeout_ms,
               struct capnet_error *err);
/* The next reply, valid until the next call_… : 1; 0 when the last one was read; -errno. */
int call_next(struct call *c, void **ret_message);
/* The only reply; 0 or -errno. */
int call_one(struct call *c, void **ret_message);
/* Takes a descriptor of the reply; when it is not there -EPROTO, or -EMFILE when this process had no room for it.
 * Unclaimed ones are closed. */
int call_take_fd(struct call *c, const Capnet__Descriptor *d, int *ret);
/* Returns r (or the failure kept in c when r is 0). */
int call_done(struct call *c, int r);
/* Receives one frame of the handle into c, whatever its call id, as accept channels and shared descriptors need it. */
int call_frame(struct call *c, Capnet__Frame **ret);
int call_unpack(struct call *c, const Capnet__Frame *frame);

/* Waits for events on fd (-1: none) until deadline_ns or the stop descriptor: 0, -ETIME, -ECANCELED with err. */
int wait_fd(int fd, short events, int stop_fd, uint64_t deadline_ns, struct capnet_error *err);
uint64_t deadline_in(unsigned timeout_ms); /* 0 for 0 */

/* --- process.c ---------------------------------------------------------------------------------------------------- */

pid_t process_id(void); /* as getpid(2), without a system call, also right after any kind of fork */

/* --- error.c ------------------------------------------------------------------------------------------------------ */

/* Fills err (may be NULL), returns -error. */
int fail(struct capnet_error *err, int error, const char *code, const char *format, ...) _printf_(4, 5);
int fail_errno(struct capnet_error *err, int error, const char *what); /* SYSTEM, or the code that fits */
int fail_wire(struct capnet_error *err, const Capnet__Error *e);       /* e may be NULL */
int fail_copy(struct capnet_error *err, const struct capnet_error *from);
int fail_code(struct capnet_error *err, Capnet__ErrorCode code, const char *message); /* message NULL: the code's own */

/* --- grant.c ------------------------------------------------------------------------------------------------------ */

/* Under the handle's lock: opens the private endpoint of a Grant where there is none; FORKED for other kinds. */
int grant_ensure(capnet *cap, uint64_t deadline_ns, struct capnet_error *err);
/* Before the lock: a Grant handle that came through fork forgets the parent's endpoint. */
void grant_after_fork(capnet *cap);

/* --- inherit.c ---------------------------------------------------------------------------------------------------- */

#define INHERIT_MAX 64
struct inherited {
  char name[64];
  int fd;
};
/* What CAPNET_FDS and LISTEN_FDS name and is a SEQPACKET UNIX socket; close-on-exec is set on each. Their number. */
size_t inherit_list(struct inherited ret[INHERIT_MAX]);

/* --- json.c ------------------------------------------------------------------------------------------------------- */

struct json_t;
/* Field names are the keys, absent fields absent keys, repeated fields always an array, enums lower-case words. */
struct json_t *json_of_message(const ProtobufCMessage *m);
/* Adds what another page has: arrays grow, objects merge. 0 or -ENOMEM. Steals from. */
int json_merge(struct json_t *into, struct json_t *from);
/* To malloc'ed text; steals. */
int json_text(struct json_t *root, char **ret, struct capnet_error *err);
/* The only reply of a call that was sent, as text (ret may be NULL), and call_done. */
int json_reply(struct call *c, char **ret);

#endif
