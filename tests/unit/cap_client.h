/* SPDX-License-Identifier: BSD-3-Clause
 * What the tests of daemon/cap/ share: all rooms over the simulated loop and two interfaces that behave like two hosts,
 * one grant, and a client that speaks frames over the descriptors it was given. The loop turns between a request and its
 * answer, and nowhere else.
 */
#ifndef CAPNET_TEST_CAP_CLIENT_H
#define CAPNET_TEST_CAP_CLIENT_H

#include "cap/cap_grant.h"
#include "cap/status.h"
#include "cap_methods.h"
#include "fd_util.h"
#include "names/names.h"
#include "proto/capability.pb-c.h"
#include "proto/grant.pb-c.h"
#include "proto/ping.pb-c.h"
#include "proto/status.pb-c.h"
#include "proto/tcp.pb-c.h"
#include "stack_end.h"

#include <sys/socket.h>

#define PEERS_MAX 64

struct world {
  unsigned fds_before;
  struct net n;
  struct names *names;
  struct flow_table *flows;
  struct cap_interfaces interfaces;
  struct cap_status_room status;
  struct caps *caps;
  struct cap_bundle *bundle;
  size_t n_items;
  int owned[2048]; /* closed with the world */
  size_t n_owned;
  /* What listens on the far host. */
  struct stack_listener *listener;
  struct end peers[PEERS_MAX];
  unsigned n_peers;
};

struct item_spec {
  const char *name;
  enum auth_kind kind;
  const char *rules[6];
  struct {
    enum auth_limit limit;
    uint64_t max;
  } limits[4]; /* max 0: no more */
  uint64_t expires_ms;
};

void world_open(struct world *w, const struct item_spec *items, size_t n);
/* Without any address: as before the first lease. */
void world_open_bare(struct world *w, const struct item_spec *items, size_t n);
/* Closes what the test holds; every capability, call, connection and descriptor must be gone then. */
void world_close(struct world *w);
void world_run(struct world *w, uint64_t ms);
/* The far host accepts on port, into peers. */
void world_serve(struct world *w, uint16_t port);
uint64_t world_frames(struct world *w); /* that have reached the far host */
struct cap_bundle *world_bundle(struct world *w, const char *name, const struct item_spec *items, size_t n);
/* ... with the controller of all its connections. */
struct cap_bundle *world_tuned_bundle(struct world *w, const char *name, const struct item_spec *items, size_t n,
                                      const char *congestion);

int own(struct world *w, int fd); /* returns fd */
void drop(struct world *w, int fd);

/* --- the client --------------------------------------------------------------------------------------------------- */

struct answer {
  bool got, eof;
  int kind, code; /* of the frame; of its error, 0 without */
  uint64_t call;
  bool more;
  Capnet__Frame *frame;
  ProtobufCMessage *body;
  int fds[FRAME_FDS_MAX]; /* owned by the world */
  size_t n_fds;
};
void answer_free(struct answer *a);
#define _answer_ _cleanup_(answer_free)

/* Sends; returns the call's id. body NULL: an empty one. */
uint64_t ask(int fd, uint32_t method, const ProtobufCMessage *body);
uint64_t ask_until(int fd, uint32_t method, const ProtobufCMessage *body, uint64_t deadline_ms);
void cancel(int fd, uint64_t call);
/* The next frame there is; type NULL: the body is left alone. */
struct answer hear(struct world *w, int fd, const ProtobufCMessageDescriptor *type);
/* Sends, turns the loop, hears. */
struct answer call(struct world *w, int fd, uint32_t method, const ProtobufCMessage *body,
                   const ProtobufCMessageDescriptor *type);
/* The code that a call ends with, 0 for a reply. */
int code_of(struct world *w, int fd, uint32_t method, const ProtobufCMessage *body);
const char *rule_of(const struct answer *a);

#define ERR(code) CAPNET__ERROR_CODE__ERROR_##code
#define expect_code(got, want)                                                                                        \
  do {                                                                                                                \
    int _got = (got);                                                                                                 \
    cr_expect_eq(_got, ERR(want), "%s, not " #want, _got ? error_code_name((Capnet__ErrorCode)_got) : "a reply");     \
  } while (0)
/* The endpoint was ended by the daemon: Terminal with this code, then end of file. */
#define expect_terminal(w, fd, want)                                                                                  \
  do {                                                                                                                \
    _answer_ struct answer _a = hear((w), (fd), NULL);                                                                \
    cr_expect(_a.got && _a.kind == CAPNET__FRAME__KIND__TERMINAL, "kind %d, eof %d", _a.kind, _a.eof);                \
    expect_code(_a.code, want);                                                                                       \
    _answer_ struct answer _b = hear((w), (fd), NULL);                                                                \
    cr_expect(_b.eof);                                                                                                \
  } while (0)
#define expect_silence(w, fd)                                                                                         \
  do {                                                                                                                \
    _answer_ struct answer _a = hear((w), (fd), NULL);                                                                \
    cr_expect(!_a.got && !_a.eof, "kind %d code %d eof %d", _a.kind, _a.code, _a.eof);                                \
  } while (0)

int grant_fd(struct world *w, struct cap_bundle *b); /* as from the grant's socket */
int open_grant(struct world *w);                     /* a private endpoint of the world's grant */
int take(struct world *w, int grant, const char *name);
int take_id(struct world *w, int grant, const char *name, uint64_t *ret_id);
int take_one(struct world *w, const char *name); /* through an endpoint that is closed again */

/* Narrows by rules (NULL-terminated; NULL: none) and one limit (name NULL: none). */
struct narrow {
  const char *rules[4];
  const char *limit;
  uint64_t max;
  uint64_t expires_ms;
};
struct answer attenuate(struct world *w, int fd, const struct narrow *n);
int child_of(struct world *w, int fd, const struct narrow *n, uint64_t *ret_id);
int revoke_id(struct world *w, int fd, uint64_t id); /* 0: itself; returns the code */

struct caps_stats caps_now(struct world *w);

#include "cap_tcp_client.h"

#endif
