/* SPDX-License-Identifier: BSD-3-Clause
 * Numbers that a stranger cannot guess: initial sequence numbers (RFC 6528), the offsets of timestamps (RFC 7323 7.1),
 * ports (RFC 6056), identifiers. All are SipHash-2-4 under keys from getrandom, over a tuple or over a counter.
 */
#include "stack/stack_rand.h"
#include "stack/stack_private.h"

#include <sys/random.h>

#define PORT_FIRST 32768u /* and up to 65535, which leaves what people choose by hand alone */
#define PORT_COUNT 32768u
#define PORT_COUNTERS 256u

static struct {
  uint64_t isn_key[2], ts_key[2], rand_key[2], index_key[2], counter;
  uint16_t ports_given[PORT_COUNTERS];
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

static uint64_t seed[2];
static bool seeded;

void stack_rand_seed(uint64_t from) {
  seed[0] = from;
  seeded = true;
  state.ready = false;
}

/* Without the kernel's random numbers nothing here is safe to start. */
void stack_rand_init(void) {
  uint64_t k[8];
  if (state.ready)
    return;
  for (uint64_t i = 0; i < ARRAY_SIZE(k); i++)
    k[i] = siphash(seed, &i, 1);
  if (!seeded && getrandom(k, sizeof(k), 0) != (ssize_t)sizeof(k))
    abort();
  memcpy(state.isn_key, k, sizeof(state.isn_key));
  memcpy(state.rand_key, k + 2, sizeof(state.rand_key));
  memcpy(state.index_key, k + 4, sizeof(state.index_key));
  memcpy(state.ts_key, k + 6, sizeof(state.ts_key));
  state.ready = true;
  for (size_t i = 0; i < PORT_COUNTERS; i++)
    state.ports_given[i] = (uint16_t)stack_rand32();
}

uint32_t stack_rand32(void) {
  stack_rand_init();
  uint64_t c = state.counter++;
  return (uint32_t)siphash(state.rand_key, &c, 1);
}

static uint64_t tuple_hash(const uint64_t key[2], const ip_addr_t *local, uint16_t lport, const ip_addr_t *remote,
                           uint16_t rport) {
  struct net_addr l = stack_from_lwip(local), r = stack_from_lwip(remote);
  uint64_t w[5];
  memcpy(w, l.b, 16);
  memcpy(w + 2, r.b, 16);
  w[4] = (uint64_t)lport << 16 | rport;
  stack_rand_init();
  return siphash(key, w, ARRAY_SIZE(w));
}

uint32_t stack_isn_hash(const ip_addr_t *local, uint16_t lport, const ip_addr_t *remote, uint16_t rport) {
  return (uint32_t)tuple_hash(state.isn_key, local, lport, remote, rport);
}

uint32_t stack_ts_hash(const ip_addr_t *local, uint16_t lport, const ip_addr_t *remote, uint16_t rport) {
  return (uint32_t)tuple_hash(state.ts_key, local, lport, remote, rport);
}

/* For each segment that comes in: what IPv4 needs fits in two words. */
uint32_t stack_index_hash(const ip_addr_t *local, uint16_t lport, const ip_addr_t *remote, uint16_t rport) {
  if (!IP_IS_V4(local) || !IP_IS_V4(remote))
    return (uint32_t)tuple_hash(state.index_key, local, lport, remote, rport);
  uint64_t w[2] = {(uint64_t)ip4_addr_get_u32(ip_2_ip4(local)) << 32 | ip4_addr_get_u32(ip_2_ip4(remote)),
                   (uint64_t)lport << 16 | rport};
  return (uint32_t)siphash(state.index_key, w, 2);
}

/* RFC 6056 3.3.1. */
uint16_t stack_random_port(bool (*taken)(void *arg, uint16_t port), void *arg) {
  uint32_t at = stack_rand32() % PORT_COUNT;
  for (uint32_t n = 0; n < PORT_COUNT; n++) {
    uint16_t port = (uint16_t)(PORT_FIRST + (at + n) % PORT_COUNT);
    if (!taken(arg, port))
      return port;
  }
  return 0;
}

/* A permutation of 0..PORT_COUNT-1 that the seed chooses: Feistel rounds over 8 and 7 bits. */
static uint32_t shuffled(uint64_t seed, uint32_t x) {
  uint32_t high = x >> 7 & 0xff, low = x & 0x7f;
  for (uint64_t round = 0; round < 4; round++) {
    high ^= (uint32_t)siphash(state.rand_key, (uint64_t[]){seed, round << 17 | low}, 2) & 0xff;
    low ^= (uint32_t)siphash(state.rand_key, (uint64_t[]){seed, round << 17 | 1u << 16 | high}, 2) & 0x7f;
  }
  return high << 7 | low;
}

/* As RFC 6056 3.3.4, a counter and a keyed hash of the destination; the hash chooses an order of all ports instead of a
 * place to begin, so the next one cannot be told from the last. A port comes back only after all others: of ports drawn
 * at random, one of a few hundred is a recent one, which the peer, or a NAT on the way, may still have in TIME_WAIT. */
uint16_t stack_connection_port(const ip_addr_t *local, const ip_addr_t *remote, uint16_t rport,
                               bool (*taken)(void *arg, uint16_t port), void *arg) {
  uint64_t hash = tuple_hash(state.rand_key, local, 0, remote, rport);
  uint16_t *given = &state.ports_given[hash % PORT_COUNTERS];
  for (uint32_t n = 0; n < PORT_COUNT; n++) {
    uint16_t port = (uint16_t)(PORT_FIRST + shuffled(hash, (*given)++ % PORT_COUNT));
    if (!taken(arg, port))
      return port;
  }
  return 0;
}
