/* SPDX-License-Identifier: BSD-3-Clause
 * Numbers that a stranger cannot guess: initial sequence numbers (RFC 6528), ports (RFC 6056), identifiers. All are
 * SipHash-2-4 under keys from getrandom, over a tuple or over a counter.
 */
#include "stack/stack_private.h"

#include <sys/random.h>

static struct {
  uint64_t isn_key[2], rand_key[2], counter;
  bool ready;
} state;

static uint64_t rotl(uint64_t x, int b) { return (x << b) | (x >> (64 - b)); }

static void sip_round(uint64_t v[4]) {
  v[0] += v[1];
  v[1] = rotl(v[1], 13) ^ v[0];
  v[0] = rotl(v[0], 32);
  v[2] += v[3];
  v[3] = rotl(v[3], 16) ^ v[2];
  v[0] += v[3];
  v[3] = rotl(v[3], 21) ^ v[0];
  v[2] += v[1];
  v[1] = rotl(v[1], 17) ^ v[2];
  v[2] = rotl(v[2], 32);
}

/* SipHash-2-4 of n whole 64-bit words. */
static uint64_t siphash(const uint64_t key[2], const uint64_t *words, size_t n) {
  uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                   key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
  for (size_t i = 0; i <= n; i++) {
    uint64_t m = i < n ? words[i] : (uint64_t)(n * 8) << 56;
    v[3] ^= m;
    sip_round(v);
    sip_round(v);
    v[0] ^= m;
  }
  v[2] ^= 0xff;
  for (int i = 0; i < 4; i++)
    sip_round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Without the kernel's random numbers nothing here is safe to start. */
void stack_rand_init(void) {
  uint64_t k[4];
  if (state.ready)
    return;
  if (getrandom(k, sizeof(k), 0) != (ssize_t)sizeof(k))
    abort();
  memcpy(state.isn_key, k, sizeof(state.isn_key));
  memcpy(state.rand_key, k + 2, sizeof(state.rand_key));
  state.ready = true;
}

uint32_t stack_rand32(void) {
  stack_rand_init();
  uint64_t c = state.counter++;
  return (uint32_t)siphash(state.rand_key, &c, 1);
}

uint32_t stack_isn_hash(const ip_addr_t *local, uint16_t lport, const ip_addr_t *remote, uint16_t rport) {
  struct net_addr l = stack_from_lwip(local), r = stack_from_lwip(remote);
  uint64_t w[5];
  memcpy(w, l.b, 16);
  memcpy(w + 2, r.b, 16);
  w[4] = (uint64_t)lport << 16 | rport;
  stack_rand_init();
  return (uint32_t)siphash(state.isn_key, w, ARRAY_SIZE(w));
}

/* RFC 6056 3.3.1 over 32768..65535, which leaves what people choose by hand alone. */
uint16_t stack_random_port(bool (*taken)(void *arg, uint16_t port), void *arg) {
  enum { FIRST = 32768, COUNT = 32768 };
  uint32_t at = stack_rand32() % COUNT;
  for (uint32_t n = 0; n < COUNT; n++) {
    uint16_t port = (uint16_t)(FIRST + (at + n) % COUNT);
    if (!taken(arg, port))
      return port;
  }
  return 0;
}
