/* SPDX-License-Identifier: BSD-3-Clause
 * Numbers in comments are sections of RFC 2131.
 */
#include "netconf/dhcp4_reply.h"

#include "base/util.h"

#define FUZZ_MAX_NS (400 * NSEC_PER_MSEC)

const char *dhcp4_reason_name(enum dhcp4_reason r) {
  static const char *const names[] = {
      [DHCP4_NOT_DHCP] = "dhcp4-not-dhcp",
      [DHCP4_MALFORMED] = "dhcp4-malformed",
      [DHCP4_OTHER_XID] = "dhcp4-other-xid",
      [DHCP4_OTHER_MAC] = "dhcp4-other-mac",
      [DHCP4_OTHER_ID] = "dhcp4-other-client",
      [DHCP4_UNEXPECTED] = "dhcp4-unexpected",
      [DHCP4_NO_SERVER] = "dhcp4-no-server-id",
      [DHCP4_OTHER_SERVER] = "dhcp4-other-server",
      [DHCP4_NO_ADDRESS] = "dhcp4-no-address",
      [DHCP4_OTHER_ADDRESS] = "dhcp4-other-address",
      [DHCP4_NO_LEASE] = "dhcp4-no-lease",
      [DHCP4_ODD_TIMES] = "dhcp4-odd-times",
      [DHCP4_ODD_NAMES] = "dhcp4-odd-names",
  };
  _Static_assert(ARRAY_SIZE(names) == DHCP4_REASONS, "each has a name");
  return names[r];
}

bool dhcp4_other_client(const struct dhcp4_identity *who, const struct dhcp4_reply *r) {
  if (!r->has_client_id)
    return false;
  if (who->client_id_len > 0)
    return r->client_id_len != who->client_id_len || memcmp(r->client_id, who->client_id, who->client_id_len) != 0;
  return r->client_id_len != 7 || r->client_id[0] != 1 || memcmp(r->client_id + 1, who->mac, sizeof(who->mac)) != 0;
}

bool dhcp4_lease_times(const struct dhcp4_reply *r, uint64_t since, uint64_t now, uint32_t random,
                       struct dhcp4_lease *l, bool *ret_odd) {
  *ret_odd = false;
  l->t1_ns = l->t2_ns = l->expiry_ns = 0;
  if (!r->has_lease || r->lease_s == 0)
    return false;
  if (r->lease_s == DHCP4_FOREVER)
    return true;
  uint64_t len = r->lease_s * NSEC_PER_SEC;
  uint64_t t1 = r->t1_s != 0 ? r->t1_s * NSEC_PER_SEC : len / 2;
  uint64_t t2 = r->t2_s != 0 ? r->t2_s * NSEC_PER_SEC : len / 8 * 7;
  if (t1 >= t2 || t2 >= len) {
    *ret_odd = true;
    t1 = len / 2;
    t2 = len / 8 * 7;
  }
  uint64_t fuzz = random % (MIN(MIN(t1, t2 - t1) / 16, FUZZ_MAX_NS) + 1);
  l->t1_ns = since + t1 - fuzz;
  l->t2_ns = since + t2 - fuzz;
  l->expiry_ns = since + len;
  return l->expiry_ns > now;
}

/* An address that we had is worth most: what is bound to it, or known by it, lives on. Then a way out, then names. */
unsigned dhcp4_score(const struct dhcp4_params *p, const struct net_addr *wanted) {
  bool kept = wanted->family == 0 || net_addr_equal(&p->addr, wanted);
  return (kept ? 4u : 0u) + (p->gateway.family != 0 ? 2u : 0u) + (p->n_dns > 0 ? 1u : 0u);
}
