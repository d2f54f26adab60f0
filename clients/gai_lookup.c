/* SPDX-License-Identifier: BSD-3-Clause
 * The name half of getaddrinfo: a small pool of resolver capabilities, one for each look-up under way, so that threads
 * do not wait for each other. There is no other way to a name: without a resolver every look-up fails.
 *
 *   the resolver says                                   getaddrinfo returns
 *   NOT_FOUND                                           EAI_NONAME
 *   NO_DATA                                             EAI_NODATA
 *   TIMED_OUT, DEADLINE, SERVER_FAILURE, UNAVAILABLE,
 *   NO_CONFIGURATION, OVER_BUDGET, LIMIT                EAI_AGAIN
 *   out of memory                                       EAI_MEMORY
 *   a system call failed                                EAI_SYSTEM, errno
 *   everything else: SERVER_REFUSED, DENIED, no grant,
 *   no daemon, REVOKED …                                EAI_FAIL (errno: EACCES, ECONNREFUSED, …)
 */
#include "clients/gai.h"

#include <arpa/inet.h>
#include <capnet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define POOL_MAX 8
#define OPEN_MS 30000
#define LOOKUP_MS 0 /* the grant's dns.time bounds it; asking for more than that would be refused */

/* --- the pool ----------------------------------------------------------------------------------------------------- */

struct pooled {
  capnet *cap;
  dev_t dev;
  ino_t ino;
};
static struct pooled pool[POOL_MAX];
static size_t pool_n;
static pid_t pool_owner;
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;

static void lock(void) { pthread_mutex_lock(&pool_lock); }
static void unlock(void) { pthread_mutex_unlock(&pool_lock); }
static void setup(void) { (void)pthread_atfork(lock, unlock, unlock); }

/* Programs close descriptors they do not know (closefrom), and the number comes back as something else: then the handle
 * is abandoned, not closed. */
static bool still_ours(const struct pooled *p) {
  struct stat st;
  return fstat(capnet_fd(p->cap), &st) == 0 && st.st_dev == p->dev && st.st_ino == p->ino;
}

static capnet *pool_take(void) {
  capnet *cap = NULL;
  (void)pthread_once(&pool_once, setup);
  lock();
  while (pool_n && !cap) {
    struct pooled *p = &pool[--pool_n];
    if (!still_ours(p))
      continue;
    if (pool_owner == getpid())
      cap = p->cap;
    else
      capnet_close(p->cap); /* the parent's */
  }
  pool_owner = getpid();
  unlock();
  return cap;
}

static void pool_put(capnet *cap) {
  struct stat st;
  lock();
  if (pool_n < POOL_MAX && pool_owner == getpid() && fstat(capnet_fd(cap), &st) == 0) {
    pool[pool_n++] = (struct pooled){cap, st.st_dev, st.st_ino};
    cap = NULL;
  }
  unlock();
  capnet_close(cap);
}

static bool is_over(const struct capnet_error *err) {
  static const char *const codes[] = {"GONE", "REVOKED", "EXPIRED", "SHUTTING_DOWN", "PROTOCOL", "FORKED", "SYSTEM"};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (strcmp(err->code, codes[i]) == 0)
      return true;
  return false;
}

/* A pooled handle may be of a daemon that has ended since: the grant is then asked anew, once. */
static int resolve(const char *node, unsigned types, struct capnet_dns_result **ret, struct capnet_error *err) {
  capnet *cap = pool_take();
  if (cap) {
    int r = capnet_resolve(cap, node, types, 0, LOOKUP_MS, ret, err);
    if (r == 0 || !is_over(err)) {
      pool_put(cap);
      return r;
    }
    capnet_close(cap);
  }
  int r = capnet_open(NULL, "resolve", "dns", OPEN_MS, &cap, err);
  if (r < 0)
    return r;
  r = capnet_resolve(cap, node, types, 0, LOOKUP_MS, ret, err);
  if (r == 0 || !is_over(err))
    pool_put(cap);
  else
    capnet_close(cap);
  return r;
}

/* --- errors ------------------------------------------------------------------------------------------------------- */

static int eai_of(const struct capnet_error *err) {
  static const char *const again[] = {"TIMED_OUT",        "DEADLINE",    "SERVER_FAILURE", "UNAVAILABLE",
                                      "NO_CONFIGURATION", "OVER_BUDGET", "LIMIT"};
  if (strcmp(err->code, "NOT_FOUND") == 0)
    return EAI_NONAME;
  if (strcmp(err->code, "NO_DATA") == 0)
    return EAI_NODATA;
  for (size_t i = 0; i < sizeof again / sizeof *again; i++)
    if (strcmp(err->code, again[i]) == 0)
      return EAI_AGAIN;
  if (strcmp(err->code, "SYSTEM") == 0)
    return err->error == ENOMEM ? EAI_MEMORY : EAI_SYSTEM;
  return EAI_FAIL;
}

/* Of two types that both failed the one that leaves most open wins; a type that is merely not granted says least. */
static int rank(const struct capnet_error *err) {
  if (strcmp(err->code, "DENIED") == 0)
    return 0;
  switch (eai_of(err)) {
  case EAI_NONAME: return 1;
  case EAI_NODATA: return 2;
  case EAI_FAIL: return 3;
  default: return 4;
  }
}

static int worst(const struct capnet_dns_result *found) {
  const struct capnet_error *err = NULL;
  for (size_t i = 0; i < found->n_answers; i++)
    if (found->answers[i].error.error && (!err || rank(&found->answers[i].error) > rank(err)))
      err = &found->answers[i].error;
  if (!err)
    return EAI_NODATA;
  errno = err->error;
  return eai_of(err);
}

/* --- addresses ---------------------------------------------------------------------------------------------------- */

void gai_add(struct gai_addrs *to, const struct gai_addr *a) {
  if (to->n < GAI_ADDRS_MAX)
    to->list[to->n++] = *a;
}

struct gai_addr gai_mapped(const struct gai_addr *v4) {
  struct gai_addr a = {.family = AF_INET6};
  a.v6.s6_addr[10] = a.v6.s6_addr[11] = 0xff;
  memcpy(a.v6.s6_addr + 12, &v4->v4, 4);
  return a;
}

static void add_type(struct gai_addrs *to, const struct capnet_dns_result *found, unsigned type, bool mapped) {
  for (size_t i = 0; i < found->n_answers; i++)
    for (size_t k = 0; found->answers[i].type == type && k < found->answers[i].n_addresses; k++) {
      struct gai_addr a = {.family = type == CAPNET_DNS_A ? AF_INET : AF_INET6};
      if (inet_pton(a.family, found->answers[i].addresses[k].address, &a.v6) != 1)
        continue;
      if (mapped)
        a = gai_mapped(&a);
      gai_add(to, &a);
    }
}

/* RFC 6724 6, as far as a resolver knows: what cannot be reached comes last (with AI_ADDRCONFIG not at all), and IPv6
 * before IPv4 where both can be. From a daemon that does not say all come, IPv4 first. */
static void add_types(struct gai_addrs *to, const struct capnet_dns_result *found, int family, int flags) {
  const unsigned wanted = (family != AF_INET6 ? CAPNET_DNS_A : 0) | (family != AF_INET ? CAPNET_DNS_AAAA : 0);
  const unsigned good = found->reachable & wanted;
  const bool v6_first = good & CAPNET_DNS_AAAA;
  const unsigned order[2] = {v6_first ? CAPNET_DNS_AAAA : CAPNET_DNS_A, v6_first ? CAPNET_DNS_A : CAPNET_DNS_AAAA};
  for (int i = 0; i < 2; i++)
    if ((order[i] & wanted) && (!good || (order[i] & good) || !(flags & AI_ADDRCONFIG)))
      add_type(to, found, order[i], false);
}

int gai_lookup(const char *node, int family, int flags, struct gai_addrs *ret) {
  bool mapped = family == AF_INET6 && (flags & AI_V4MAPPED);
  unsigned types = (family != AF_INET6 || mapped ? CAPNET_DNS_A : 0) | (family != AF_INET ? CAPNET_DNS_AAAA : 0);
  struct capnet_dns_result *found;
  struct capnet_error err;
  if (resolve(node, types, &found, &err) < 0) {
    errno = err.error;
    return eai_of(&err);
  }
  add_types(ret, found, family, flags);
  if (mapped && (ret->n == 0 || (flags & AI_ALL)))
    add_type(ret, found, CAPNET_DNS_A, true);
  (void)snprintf(ret->canonical, sizeof ret->canonical, "%s",
                 found->n_aliases ? found->aliases[found->n_aliases - 1] : found->name);
  int r = ret->n ? 0 : worst(found);
  capnet_dns_result_free(found);
  return r;
}
