/* SPDX-License-Identifier: BSD-3-Clause
 * Probe, wait, decide. Our own probe that a link throws back is told from another node's by its nonce.
 */
#include "netconf/dad_machine.h"

#include "base/util.h"

void dad_start(struct dad_machine *m, const struct net_addr *addr, uint32_t retrans_ms, bool delay, uint32_t random,
               uint64_t now) {
  *m = (struct dad_machine){.addr = *addr,
                            .state = DAD_PROBING,
                            .retrans_ms = retrans_ms != 0 ? retrans_ms : DAD_RETRANS_MS,
                            .left = DAD_TRANSMITS};
  m->deadline_ns = now + (delay ? random % (DAD_DELAY_MS + 1) * NSEC_PER_MSEC : 0);
}

void dad_stop(struct dad_machine *m) {
  m->state = DAD_IDLE;
  m->deadline_ns = 0;
}

static void end(struct dad_machine *m, enum dad_state state) {
  m->state = state;
  m->deadline_ns = 0;
}

bool dad_timeout(struct dad_machine *m, uint32_t (*random)(void *arg), void *arg, uint64_t now, uint8_t ret_nonce[DAD_NONCE]) {
  if (m->state != DAD_PROBING || now < m->deadline_ns)
    return false;
  if (m->left == 0) {
    if (!m->looped) {
      end(m, DAD_UNIQUE);
      return false;
    }
    /* Nothing is known as long as the link is a loop: what would answer might not hear us. */
    m->looped = false;
    m->left = DAD_LOOPED_TRANSMITS;
  }
  uint32_t r[2] = {random(arg), random(arg)};
  uint8_t *nonce = m->nonces[m->n_sent++ % DAD_LOOPED_TRANSMITS];
  memcpy(nonce, r, DAD_NONCE);
  memcpy(ret_nonce, nonce, DAD_NONCE);
  m->left--;
  m->deadline_ns = now + m->retrans_ms * NSEC_PER_MSEC;
  return true;
}

static bool own_nonce(const struct dad_machine *m, const uint8_t nonce[DAD_NONCE]) {
  for (unsigned i = 0; i < MIN(m->n_sent, (unsigned)DAD_LOOPED_TRANSMITS); i++)
    if (memcmp(m->nonces[i], nonce, DAD_NONCE) == 0)
      return true;
  return false;
}

void dad_receive(struct dad_machine *m, const struct dad_message *msg) {
  if (m->state != DAD_PROBING || !net_addr_equal(&m->addr, &msg->target))
    return;
  if (!msg->advertisement && msg->has_nonce && own_nonce(m, msg->nonce))
    m->looped = true;
  else
    end(m, DAD_DUPLICATE);
}
