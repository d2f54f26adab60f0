/* SPDX-License-Identifier: BSD-3-Clause
 * What a UDP socket and an echo session were told last, and how often. A struct seen is their argument.
 */
#ifndef CAPNET_TEST_STACK_SEEN_H
#define CAPNET_TEST_STACK_SEEN_H

#include "stack_util.h"

struct seen {
  unsigned n, errors, ended, events;
  int error;
  struct net_endpoint from, to, remote;
  size_t len;
  uint8_t data[9000];
  struct stack_echo_event ev;
};

static inline void seen_received(void *arg, const struct net_endpoint *from, const struct net_endpoint *to,
                                 const uint8_t *data, size_t len) {
  struct seen *s = arg;
  s->n++;
  s->from = *from;
  s->to = *to;
  s->len = len;
  memcpy(s->data, data, MIN(len, sizeof s->data));
}
static inline void seen_error(void *arg, const struct net_endpoint *remote, int error) {
  struct seen *s = arg;
  s->errors++;
  s->error = error;
  s->remote = *remote;
}
static inline void seen_ended(void *arg) { ((struct seen *)arg)->ended++; }
static inline void seen_echo(void *arg, const struct stack_echo_event *ev) {
  struct seen *s = arg;
  s->events++;
  s->ev = *ev;
  s->len = ev->len;
  memcpy(s->data, ev->payload ? ev->payload : (const uint8_t *)"", MIN(ev->len, sizeof s->data));
}

static const struct stack_udp_ops seen_ops = {.received = seen_received, .error = seen_error, .ended = seen_ended};

#endif
