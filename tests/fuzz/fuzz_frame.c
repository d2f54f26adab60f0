/* SPDX-License-Identifier: BSD-3-Clause
 * Any bytes as a frame, and any bytes as the body of every message that travels in one. What decodes must encode again.
 */
#include "fuzz.h"

#include "base/util.h"
#include "proto/capability.pb-c.h"
#include "proto/codec.h"
#include "proto/dns.pb-c.h"
#include "proto/grant.pb-c.h"
#include "proto/manager.pb-c.h"
#include "proto/ping.pb-c.h"
#include "proto/status.pb-c.h"
#include "proto/tcp.pb-c.h"

static const ProtobufCServiceDescriptor *const services[] = {
    &capnet__capability__descriptor,          &capnet__grant__descriptor,
    &capnet__network_manager__descriptor,     &capnet__network_status__descriptor,
    &capnet__tcp_connect_authority__descriptor, &capnet__tcp_listen_authority__descriptor,
    &capnet__tcp_listener__descriptor,        &capnet__tcp_socket__descriptor,
    &capnet__dns_resolver__descriptor,        &capnet__ping__descriptor,
};

static void body(const ProtobufCMessageDescriptor *type, const ProtobufCBinaryData *data) {
  ProtobufCMessage *m = NULL;
  if (body_decode(type, data, &m) == 0)
    (void)protobuf_c_message_get_packed_size(m);
  body_free(m);
}

static void bodies(const ProtobufCBinaryData *data) {
  for (size_t i = 0; i < ARRAY_SIZE(services); i++)
    for (unsigned j = 0; j < services[i]->n_methods; j++) {
      body(services[i]->methods[j].input, data);
      body(services[i]->methods[j].output, data);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Capnet__Frame *f = NULL;
  uint8_t *again = NULL;
  size_t len;
  if (frame_decode(data, size, &f) == 0) {
    bodies(&f->body);
    if (frame_encode(f, NULL, &again, &len) == 0)
      free(again);
  } else {
    bodies(&(ProtobufCBinaryData){.len = size, .data = (uint8_t *)data});
  }
  frame_free(f);
  return 0;
}
