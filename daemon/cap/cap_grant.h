/* SPDX-License-Identifier: BSD-3-Clause
 * A bundle: what one grant file offers, as core/ hands it over.
 */
#ifndef CAPNET_CAP_GRANT_H
#define CAPNET_CAP_GRANT_H

#include "cap/cap.h"

struct cap_bundle;

struct cap_bundle_item {
  const char *name;
  enum auth_kind kind;
  const struct auth_rights *rights;
  const uint64_t *limits; /* AUTH_LIMIT_COUNT, or NULL */
  const char *congestion; /* of its connections; NULL: the default */
  uint64_t expires_ns;    /* boot-time; 0: no end */
};

/* Copies all it is given. -ENOMEM, -EINVAL with why filled in. */
int cap_bundle_new(struct caps *cs, const char *name, const char *description, const uint64_t *limits,
                   const struct cap_bundle_item *items, size_t n, struct cap_bundle **ret, struct auth_refusal *why);
/* Revokes the grant and all that was taken of it; the bundle is gone. NULL is fine. */
struct cap_bundle *cap_bundle_revoke(struct cap_bundle *b);
/* A client connected to the grant's socket: fd (consumed) becomes an endpoint that answers Open. Over a budget the client
 * is told so by Terminal. */
int cap_bundle_accept(struct cap_bundle *b, int fd, const struct auth_taker *taker);

#endif
