/* SPDX-License-Identifier: BSD-3-Clause
 * What the tests of daemon/fixture/ share: a far end made of a script, frames of a machine built byte by byte, and what
 * comes back.
 */
#ifndef CAPNET_TESTS_FIXTURE_UTIL_H
#define CAPNET_TESTS_FIXTURE_UTIL_H

#include "fixture/fixture.h"
#include "fixture/fixture_wire.h"
#include "nic_util.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const uint8_t machine_mac[6] = {2, 0, 0, 0, 0, 7};

struct far {
  struct loop *loop;
  struct fixture_script *script;
  struct nic *nic;
  struct sink sink;
  unsigned read; /* frames of the sink that a test has looked at */
};

static inline struct fixture_script *script_of(const char *text) {
  struct fixture_script *s = NULL;
  struct fixture_error err;
  int r = fixture_script_parse(text, strlen(text), &s, &err);
  cr_assert_eq(r, 0, "line %u: %s", err.line, err.reason);
  return s;
}

/* follow: the device does the script's steps by itself. */
static inline void far_open(struct far *f, const char *script, bool follow) {
  memset(f, 0, sizeof *f);
  cr_assert_eq(loop_sim_new(&f->loop), 0);
  f->script = script_of(script);
  struct fixture_config cfg = {.script = f->script, .follow = follow};
  memcpy(cfg.mac, machine_mac, 6);
  cr_assert_eq(fixture_open(f->loop, &cfg, &f->nic), 0);
  cr_assert_eq(nic_start(f->nic, &sink_upcalls, &f->sink), 0);
}

static inline void far_close(struct far *f) {
  f->nic = nic_free(f->nic);
  f->loop = loop_free(f->loop);
  f->script = fixture_script_free(f->script);
}

static inline void far_run(struct far *f, uint64_t ms) { cr_assert_eq(loop_sim_advance(f->loop, ms * NSEC_PER_MSEC), 0); }

/* The next frame in words; "": none came. */
static inline const char *far_next(struct far *f) {
  static char text[FIXTURE_TEXT_MAX];
  if (f->read == f->sink.n)
    return "";
  f->read++;
  return fixture_describe(f->sink.got[f->read - 1].data, f->sink.got[f->read - 1].len, text);
}
static inline const uint8_t *far_last(const struct far *f) { return f->sink.got[f->read - 1].data; }
static inline size_t far_last_len(const struct far *f) { return f->sink.got[f->read - 1].len; }

/* An IP packet of the machine. The checksum of its protocol is written into it. */
static inline void far_send_ip(struct far *f, const uint8_t to_mac[6], const struct net_addr *src, const struct net_addr *dst,
                               uint8_t proto, uint8_t hops, uint8_t *data, size_t len) {
  uint8_t b[1514] = {0}, *ip = b + 14;
  size_t header = src->family == AF_INET ? 20 : 40, at = proto == IP_TCP ? 16 : proto == IP_UDP ? 6 : 2;
  memcpy(b, to_mac, 6);
  memcpy(b + 6, machine_mac, 6);
  put16(data + at, 0);
  put16(data + at, wire_checksum(src, dst, proto, data, len));
  if (src->family == AF_INET) {
    put16(b + 12, ETH_IP4);
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)(20 + len));
    ip[8] = hops;
    ip[9] = proto;
    memcpy(ip + 12, src->b, 4);
    memcpy(ip + 16, dst->b, 4);
    put16(ip + 10, wire_fold(wire_sum(0, ip, 20)));
  } else {
    put16(b + 12, ETH_IP6);
    ip[0] = 0x60;
    put16(ip + 4, (unsigned)len);
    ip[6] = proto;
    ip[7] = hops;
    memcpy(ip + 8, src->b, 16);
    memcpy(ip + 24, dst->b, 16);
  }
  memcpy(ip + header, data, len);
  cr_assert_eq(nic_send_one(f->nic, b, 14 + header + len), 1u);
}

static inline struct net_addr far_addr(const char *text) {
  struct net_addr a;
  cr_assert_eq(net_addr_parse(text, &a), 0);
  return a;
}

#endif
