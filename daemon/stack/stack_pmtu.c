/* SPDX-License-Identifier: BSD-3-Clause
 * The path MTU of destinations: a table of fixed size.
 */
#include "stack/stack_pmtu.h"

#include "stack/stack_private.h"

#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/priv/tcp_priv.h"

#define FLOOR4 576u  /* RFC 1122 3.3.3: each host takes so much, and of claims below it next to all are attacks */
#define FLOOR6 1280u /* RFC 8200 5 */

static struct stack_pmtu *place(struct stack *s, const ip_addr_t *local, const ip_addr_t *remote) {
  return &s->pmtu[stack_index_hash(local, 0, remote, 0) % STACK_PMTU_PLACES * STACK_PMTU_WAYS];
}

static bool is_about(const struct stack_pmtu *e, const ip_addr_t *local, const ip_addr_t *remote) {
  return e->until_ns && ip_addr_eq(&e->local, local) && ip_addr_eq(&e->remote, remote);
}

uint16_t stack_pmtu_find(struct stack *s, const ip_addr_t *local, const ip_addr_t *remote, bool weak_counts,
                         uint64_t *ret_until_ns) {
  const struct stack_pmtu *e = place(s, local, remote);
  for (unsigned i = 0; i < STACK_PMTU_WAYS; i++, e++) {
    if (!is_about(e, local, remote) || (e->weak && !weak_counts) || e->until_ns <= loop_now(s->loop, CLOCK_ID_MONO))
      continue;
    if (ret_until_ns)
      *ret_until_ns = e->until_ns;
    return e->mtu;
  }
  return 0;
}

void stack_pmtu_learn(struct stack *s, const ip_addr_t *local, const ip_addr_t *remote, bool weak, uint16_t mtu) {
  struct stack_pmtu *e = place(s, local, remote), *to = e;
  uint64_t now = loop_now(s->loop, CLOCK_ID_MONO);
  for (unsigned i = 0; i < STACK_PMTU_WAYS; i++, e++) {
    if (is_about(e, local, remote)) {
      to = e;
      break;
    }
    if (e->until_ns < to->until_ns)
      to = e;
  }
  if (weak && !to->weak && to->until_ns > now)
    return;
  to->weak = weak;
  to->local = *local;
  to->remote = *remote;
  to->mtu = mtu;
  to->until_ns = now + STACK_PMTU_LIFETIME_NS;
}

uint16_t stack_pmtu_plateau(uint16_t len) {
  static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};
  for (unsigned i = 0; i < ARRAY_SIZE(plateaus); i++)
    if (plateaus[i] < len)
      return plateaus[i];
  return 68;
}

uint16_t stack_pmtu_floor(const ip_addr_t *remote) { return IP_IS_V6(remote) ? FLOOR6 : FLOOR4; }

uint16_t stack_pmtu_headers(const struct tcp_pcb *pcb) {
  const unsigned stamps = pcb->flags & TF_TIMESTAMP ? LWIP_TCP_OPT_LEN_TS_OUT : 0;
  return (uint16_t)((IP_IS_V6(&pcb->remote_ip) ? IP6_HLEN : IP_HLEN) + TCP_HLEN + stamps);
}
