/* SPDX-License-Identifier: BSD-3-Clause
 * What the tests of daemon/rpc/ share: an endpoint over the simulated loop that serves Ping, whose target says what the
 * handler does, and a client that speaks raw frames.
 */
#ifndef CAPNET_TEST_RPC_UTIL_H
#define CAPNET_TEST_RPC_UTIL_H

#include "rpc/rpc.h"

#include "fd_util.h"
#include "proto/capability.pb-c.h"
#include "proto/ping.pb-c.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#define RPC_PASSRIGHTS 83 /* SO_PASSRIGHTS */
#define ECHO METHOD_KIND_BASE

struct rig {
  struct loop *loop;
  struct endpoint *ep;
  int client, daemon; /* daemon: a duplicate of the endpoint's own descriptor, -1 once closed */
  int refuse;         /* what call_begin says */
  unsigned begins, ends, dones, hangups, handled, freed_data;
  int last_error;
  char last_message[128], last_method[32];
  struct call *parked;
  unsigned n_parked, n_cancelled;
  int cancel_reason;
  int stream_result;
  int owned_fd; /* a descriptor that "fd" hands out duplicates of */
  bool free_in_done, keep_on_hangup;
  bool common;         /* methods below METHOD_KIND_BASE are served (by Ping as well) */
  struct rig *other;   /* another client, whose handled is noted when a request of ours is */
  unsigned other_handled;
};

void rig_open(struct rig *r, struct loop *loop);
/* The duplicate would keep the socket open. */
void rig_forget_duplicate(struct rig *r);
void rig_close(struct rig *r);

/* --- the client --- */
void send_frame(int fd, const Capnet__Frame *f, const ProtobufCMessage *body);
Capnet__Frame request_frame(uint64_t call, uint32_t method);
void send_echo(int fd, uint64_t call, const char *target, uint32_t count);
void send_cancel(int fd, uint64_t call);
/* The next frame, NULL at end of file or when there is none (*ret_error then says which). Its descriptors are counted
 * and closed. */
Capnet__Frame *receive(int fd, size_t *ret_n_fds, int *ret_error);
void expect_nothing(int fd);
void expect_eof(int fd);
/* A reply; returns its seq. */
uint32_t expect_reply(int fd, uint64_t call, bool more);
void expect_failure(int fd, int kind, uint64_t call, int code);
#define expect_error(fd, call, code) \
  expect_failure(fd, CAPNET__FRAME__KIND__ERROR, call, CAPNET__ERROR_CODE__ERROR_##code)
#define expect_terminal(fd, code) \
  expect_failure(fd, CAPNET__FRAME__KIND__TERMINAL, 0, CAPNET__ERROR_CODE__ERROR_##code)
void expect_no_leak(unsigned fds_before);

#endif
