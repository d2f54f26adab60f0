/* SPDX-License-Identifier: BSD-3-Clause
 * What every capability answers: Describe, Attenuate, Revoke.
 */
#include "libcapnet/conn.h"

int capnet_describe(capnet *cap, unsigned timeout_ms, char **ret_json, struct capnet_error *err) {
  struct call c;
  Capnet__DescribeRequest request = CAPNET__DESCRIBE_REQUEST__INIT;
  call_init(&c, cap, &capnet__capability__descriptor, timeout_ms, err);
  capnet__capability__describe(&c.service, &request, NULL, NULL);
  return json_reply(&c, ret_json);
}

static int attenuate(capnet *cap, Capnet__AttenuateRequest *request, const struct capnet_narrow *narrow,
                     unsigned timeout_ms, capnet **ret, uint64_t *ret_id, struct capnet_error *err) {
  request->n_rights = narrow->n_rights;
  request->rights = (char **)narrow->rights;
  request->n_limits = narrow->n_limits;
  if (narrow->expires_in_ms) {
    request->has_expires_in_ms = 1;
    request->expires_in_ms = narrow->expires_in_ms;
  }
  request->label = (char *)narrow->label;
  struct call c;
  Capnet__AttenuateReply *reply;
  call_init(&c, cap, &capnet__capability__descriptor, timeout_ms, err);
  capnet__capability__attenuate(&c.service, request, NULL, NULL);
  int r = call_one(&c, (void **)&reply);
  if (r == 0)
    r = conn_from_slot(&c, reply->endpoint, ret);
  if (r == 0 && ret_id)
    *ret_id = reply->id;
  return call_done(&c, r);
}

int capnet_attenuate(capnet *cap, const struct capnet_narrow *narrow, unsigned timeout_ms, capnet **ret,
                     uint64_t *ret_id, struct capnet_error *err) {
  Capnet__AttenuateRequest request = CAPNET__ATTENUATE_REQUEST__INIT;
  if (narrow->n_limits > 1024 || narrow->n_rights > 1024)
    return fail(err, E2BIG, "ARGUMENT", "too many rules or limits");
  _cleanup_free_ Capnet__Limit *limits = calloc(narrow->n_limits + 1, sizeof *limits);
  _cleanup_free_ Capnet__Limit **pointers = calloc(narrow->n_limits + 1, sizeof *pointers);
  if (!limits || !pointers)
    return fail_errno(err, ENOMEM, "attenuate");
  for (size_t i = 0; i < narrow->n_limits; i++) {
    limits[i] = (Capnet__Limit)CAPNET__LIMIT__INIT;
    limits[i].name = (char *)narrow->limits[i].name;
    limits[i].has_max = 1;
    limits[i].max = narrow->limits[i].max;
    pointers[i] = &limits[i];
  }
  request.limits = pointers;
  return attenuate(cap, &request, narrow, timeout_ms, ret, ret_id, err);
}

int capnet_revoke(capnet *cap, uint64_t id, unsigned timeout_ms, struct capnet_error *err) {
  struct call c;
  Capnet__RevokeRequest request = CAPNET__REVOKE_REQUEST__INIT;
  Capnet__RevokeReply *reply;
  if (id) {
    request.has_id = 1;
    request.id = id;
  }
  call_init(&c, cap, &capnet__capability__descriptor, timeout_ms, err);
  capnet__capability__revoke(&c.service, &request, NULL, NULL);
  return call_done(&c, call_one(&c, (void **)&reply));
}
