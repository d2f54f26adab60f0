/* SPDX-License-Identifier: BSD-3-Clause
 * The table of IPv6 addresses. An address is tentative until it is verified; without a link it stays so. What was
 * verified keeps its state while the link is away, and is tentative again when that is back.
 */
#include "netconf/dad_addrs.h"

#include "base/util.h"

const char *addr6_origin_name(enum addr6_origin o) {
  static const char *const names[] = {"static", "link-local", "dhcp6", "slaac"};
  return names[o];
}

const char *addr6_state_name(enum addr6_state s) {
  static const char *const names[] = {"gone", "tentative", "preferred", "deprecated", "duplicate", "refused"};
  return names[s];
}

void addrs6_init(struct addrs6 *t, bool link, uint32_t (*random)(void *arg), void *arg) {
  *t = (struct addrs6){.link = link, .random = random, .random_arg = arg};
}

static struct addr6_action *act(struct addrs6_actions *acts) {
  /* Of each address an event makes two at most. */
  struct addr6_action *a = &acts->a[MIN(acts->n, ADDRS6_ACTIONS_MAX - 1)];
  acts->n = MIN(acts->n + 1, ADDRS6_ACTIONS_MAX);
  *a = (struct addr6_action){0};
  return a;
}

static void set_state(struct addr6 *e, enum addr6_state to, const char *why, struct addrs6_actions *acts) {
  if (e->state == to)
    return;
  struct addr6_action *a = act(acts);
  a->addr = e->addr;
  a->prefix_len = e->prefix_len;
  a->origin = e->origin;
  a->from = e->state;
  a->to = to;
  a->why = why;
  e->state = to;
}

static void drop(struct addrs6 *t, struct addr6 *e, const char *why, struct addrs6_actions *acts) {
  set_state(e, ADDR6_GONE, why, acts);
  *e = t->a[--t->n];
}

static void verify(struct addrs6 *t, struct addr6 *e, bool delay, uint64_t now) {
  e->retry_ns = 0;
  dad_start(&e->dad, &e->addr, t->retrans_ms, delay, delay ? t->random(t->random_arg) : 0, now);
}

static void is_duplicate(struct addr6 *e, const char *why, uint64_t now, struct addrs6_actions *acts) {
  e->why = why;
  set_state(e, ADDR6_DUPLICATE, why, acts);
  /* What was derived or leased is given up by who derived or leased it. A line of configuration stays, and may be right
   * again when the other is gone. */
  if (e->origin == ADDR6_STATIC)
    e->retry_ns = now + ADDRS6_RETRY_S * NSEC_PER_SEC;
}

/* From the beginning; without a link that waits for it. */
static void try_again(struct addrs6 *t, struct addr6 *e, const char *why, uint64_t now, struct addrs6_actions *acts) {
  dad_stop(&e->dad);
  e->retry_ns = 0;
  set_state(e, ADDR6_TENTATIVE, why, acts);
  if (t->link)
    verify(t, e, false, now);
}

/* What its lifetimes say of a verified address. */
static void live(struct addr6 *e, uint64_t now, struct addrs6_actions *acts) {
  e->refusals = 0;
  if (now < e->preferred_until)
    set_state(e, ADDR6_PREFERRED, NULL, acts);
  else
    set_state(e, ADDR6_DEPRECATED, "its preferred lifetime is over", acts);
}

static void run_dad(struct addrs6 *t, struct addr6 *e, uint64_t now, struct addrs6_actions *acts) {
  uint8_t nonce[DAD_NONCE];
  if (dad_timeout(&e->dad, t->random, t->random_arg, now, nonce)) {
    struct addr6_action *a = act(acts);
    a->probe = true;
    a->addr = e->addr;
    memcpy(a->nonce, nonce, DAD_NONCE);
  }
}

/* Lets time work on all of them, and says when it is to be called next. Each event ends with it. */
static void settle(struct addrs6 *t, uint64_t now, struct addrs6_actions *acts) {
  t->deadline_ns = ADDRS6_FOREVER;
  for (unsigned i = 0; i < t->n;) {
    struct addr6 *e = &t->a[i];
    if (now >= e->valid_until) {
      drop(t, e, "its lifetime is over", acts);
      continue;
    }
    i++;
    if (t->link && e->retry_ns != 0 && now >= e->retry_ns)
      try_again(t, e, "tried again", now, acts);
    if (t->link)
      run_dad(t, e, now, acts);
    if (e->dad.state == DAD_UNIQUE)
      live(e, now, acts);
    t->deadline_ns = MIN(t->deadline_ns, e->valid_until);
    if (e->state == ADDR6_PREFERRED)
      t->deadline_ns = MIN(t->deadline_ns, e->preferred_until);
    if (t->link && e->dad.deadline_ns != 0)
      t->deadline_ns = MIN(t->deadline_ns, e->dad.deadline_ns);
    if (t->link && e->retry_ns != 0)
      t->deadline_ns = MIN(t->deadline_ns, e->retry_ns);
  }
  if (t->deadline_ns == ADDRS6_FOREVER)
    t->deadline_ns = 0;
}

static struct addr6 *find(struct addrs6 *t, const struct net_addr *addr) {
  for (unsigned i = 0; i < t->n; i++)
    if (net_addr_equal(&t->a[i].addr, addr))
      return &t->a[i];
  return NULL;
}

const struct addr6 *addrs6_find(const struct addrs6 *t, const struct net_addr *addr) {
  for (unsigned i = 0; i < t->n; i++)
    if (net_addr_equal(&t->a[i].addr, addr))
      return &t->a[i];
  return NULL;
}

int addrs6_set(struct addrs6 *t, const struct addr6 *given, bool delay, uint64_t now, struct addrs6_actions *acts) {
  int r = 0;
  acts->n = 0;
  struct addr6 *e = find(t, &given->addr);
  if (given->addr.family != AF_INET6 || given->prefix_len == 0 || given->prefix_len > 128 || now >= given->valid_until ||
      given->preferred_until > given->valid_until)
    r = -EINVAL;
  else if (e != NULL && e->origin < given->origin)
    r = -EEXIST;
  else if (e == NULL && t->n == ADDRS6_MAX)
    r = -ENOBUFS;
  if (r == 0 && e == NULL) {
    e = &t->a[t->n++];
    *e = (struct addr6){.addr = given->addr, .prefix_len = given->prefix_len, .origin = given->origin};
    set_state(e, ADDR6_TENTATIVE, NULL, acts);
    if (t->link)
      verify(t, e, delay, now);
  }
  if (r == 0) {
    bool taken_over = e->origin != given->origin;
    e->prefix_len = given->prefix_len;
    e->origin = given->origin;
    e->preferred_until = given->preferred_until;
    e->valid_until = given->valid_until;
    if (taken_over && e->state == ADDR6_DUPLICATE) /* its new owner is to hear what becomes of it */
      try_again(t, e, "it was given anew", now, acts);
  }
  settle(t, now, acts);
  return r;
}

int addrs6_remove(struct addrs6 *t, const struct net_addr *addr, enum addr6_origin origin, const char *why, uint64_t now,
                  struct addrs6_actions *acts) {
  acts->n = 0;
  struct addr6 *e = find(t, addr);
  bool found = e != NULL && e->origin == origin;
  if (found)
    drop(t, e, why, acts);
  settle(t, now, acts);
  return found ? 0 : -ENOENT;
}

int addrs6_refused(struct addrs6 *t, const struct net_addr *addr, bool in_use, const char *why, uint64_t now,
                   struct addrs6_actions *acts) {
  acts->n = 0;
  struct addr6 *e = find(t, addr);
  if (e != NULL) {
    uint64_t wait_s = MIN(UINT64_C(1) << MIN(e->refusals, 6u), (uint64_t)ADDRS6_RETRY_S);
    t->refused++;
    dad_stop(&e->dad);
    e->why = why;
    if (in_use) {
      is_duplicate(e, why, now, acts);
    } else {
      e->refusals++;
      e->retry_ns = now + wait_s * NSEC_PER_SEC;
      set_state(e, ADDR6_REFUSED, why, acts);
    }
  }
  settle(t, now, acts);
  return e != NULL ? 0 : -ENOENT;
}

void addrs6_link(struct addrs6 *t, bool up, uint64_t now, struct addrs6_actions *acts) {
  acts->n = 0;
  bool back = up && !t->link;
  t->link = up;
  for (unsigned i = 0; i < t->n; i++) {
    struct addr6 *e = &t->a[i];
    if (back) {
      /* 5.4: the wire may be another one, and somebody may have come. */
      set_state(e, ADDR6_TENTATIVE, "the link is back", acts);
      verify(t, e, true, now);
    } else if (!up && e->dad.state == DAD_PROBING) {
      dad_stop(&e->dad);
    }
  }
  settle(t, now, acts);
}

void addrs6_timeout(struct addrs6 *t, uint64_t now, struct addrs6_actions *acts) {
  acts->n = 0;
  settle(t, now, acts);
}

void addrs6_receive(struct addrs6 *t, const struct dad_message *msg, uint64_t now, struct addrs6_actions *acts) {
  acts->n = 0;
  struct addr6 *e = t->link ? find(t, &msg->target) : NULL;
  if (e != NULL) {
    enum dad_state was = e->dad.state;
    dad_receive(&e->dad, msg);
    if (was == DAD_PROBING && e->dad.state == DAD_DUPLICATE) {
      t->conflicts++;
      is_duplicate(e, "another node has this address", now, acts);
    }
    if (was == DAD_UNIQUE && msg->advertisement)
      t->conflicts++; /* 5.4.4: an address in use is not taken away by a stranger's word; it is counted */
  }
  settle(t, now, acts);
}
