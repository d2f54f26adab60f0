/* SPDX-License-Identifier: BSD-3-Clause
 * The lines of a DHCPv6 lease, out and in.
 */
#include "netconf/lease6_file.h"

#include "base/util.h"

#include <inttypes.h>
#include <stdio.h>

#define VERSION_LINE "capnet-lease6 1\n"
#define NEVER "never"

/* --- out ---------------------------------------------------------------------------------------------------------- */

static void put_duid(struct lease_text *o, const char *key, const struct dhcp6_duid *d) {
  lease_text_put_hex(o, key, d->b, MIN(d->len, sizeof(d->b)));
}

static const char *time_text(uint64_t t, char buf[24]) {
  if (t == DHCP6_NEVER)
    return NEVER;
  (void)snprintf(buf, 24, "%" PRIu64, t);
  return buf;
}

static void put_lease(struct lease_text *o, const struct dhcp6_lease *l) {
  char addr[NET_ADDR_STRLEN], one[24], other[24];
  put_duid(o, "server", &l->server);
  lease_text_put(o, "from %s\n", net_addr_format(&l->from, addr));
  lease_text_put(o, "t1-boot %s\n", time_text(l->t1_ns, one));
  lease_text_put(o, "t2-boot %s\n", time_text(l->t2_ns, one));
  for (unsigned i = 0; i < l->n_addrs; i++)
    lease_text_put(o, "address %s %s %s\n", net_addr_format(&l->addrs[i].addr, addr), time_text(l->addrs[i].preferred_until, one),
        time_text(l->addrs[i].valid_until, other));
}

size_t lease6_file_format(const struct dhcp6_config *cfg, const struct lease_clock *now, const struct lease6 *l,
                          char buf[LEASE_FILE_MAX]) {
  struct lease_text o = {.buf = buf};
  char addr[NET_ADDR_STRLEN];
  lease_text_put(&o, VERSION_LINE);
  put_duid(&o, "duid", &cfg->duid);
  lease_text_put(&o, "iaid %" PRIu32 "\n", cfg->iaid);
  lease_text_put_clock(&o, now);
  put_lease(&o, &l->lease);
  for (unsigned i = 0; i < l->params.n_dns; i++)
    lease_text_put(&o, "dns %s\n", net_addr_format(&l->params.dns[i], addr));
  for (unsigned i = 0; i < l->params.n_search; i++)
    lease_text_put(&o, "search %s\n", l->params.search[i]);
  for (unsigned i = 0; i < l->params.n_ntp; i++)
    lease_text_put(&o, "ntp %s\n", net_addr_format(&l->params.ntp[i], addr));
  lease_text_end(&o);
  return o.len;
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

struct in {
  struct dhcp6_duid duid;
  uint64_t iaid;
  struct lease_clock written;
  struct lease6 l;
};

static int get_duid(const char *s, struct dhcp6_duid *d) { return lease_text_hex(s, d->b, sizeof(d->b), &d->len); }

static int get_addr(const char *s, bool link_local, struct net_addr *ret) {
  struct net_addr a;
  if (net_addr_parse(s, &a) < 0 || a.family != AF_INET6)
    return -EBADMSG;
  enum net_class c = net_addr_class(&a);
  if (c != NET_UNICAST && (!link_local || c != NET_LINK_LOCAL))
    return -EBADMSG;
  *ret = a;
  return 0;
}

static int get_time(const char *s, uint64_t *ret) {
  if (strcmp(s, NEVER) != 0)
    return lease_text_u64(s, ret);
  *ret = DHCP6_NEVER;
  return 0;
}

static int get_lease_addr(const char *s, struct dhcp6_lease *l) {
  char copy[NET_ADDR_STRLEN + 48], *preferred, *valid;
  struct dhcp6_lease_addr a;
  if (strlen(s) >= sizeof(copy) || l->n_addrs >= DHCP6_ADDRS_MAX)
    return -EBADMSG;
  strcpy(copy, s);
  preferred = strchr(copy, ' ');
  valid = preferred != NULL ? strchr(preferred + 1, ' ') : NULL;
  if (valid == NULL)
    return -EBADMSG;
  *preferred++ = *valid++ = 0;
  if (get_addr(copy, false, &a.addr) < 0 || get_time(preferred, &a.preferred_until) < 0 ||
      get_time(valid, &a.valid_until) < 0 || a.preferred_until > a.valid_until)
    return -EBADMSG;
  for (unsigned i = 0; i < l->n_addrs; i++)
    if (net_addr_equal(&l->addrs[i].addr, &a.addr))
      return -EBADMSG;
  l->addrs[l->n_addrs++] = a;
  return 0;
}

static int get_addr_list(const char *s, struct net_addr *list, unsigned *n, unsigned max) {
  if (*n >= max)
    return -EBADMSG;
  int r = get_addr(s, true, &list[*n]);
  *n += r == 0;
  return r;
}

static int get_line(void *arg, const char *key, const char *value) {
  struct in *in = arg;
  struct lease6 *l = &in->l;
  int r;
  if (lease_text_clock(key, value, &in->written, &r))
    return r;
  if (strcmp(key, "duid") == 0)
    return get_duid(value, &in->duid);
  if (strcmp(key, "iaid") == 0)
    return lease_text_u64(value, &in->iaid);
  if (strcmp(key, "server") == 0)
    return get_duid(value, &l->lease.server);
  if (strcmp(key, "from") == 0)
    return get_addr(value, true, &l->lease.from);
  if (strcmp(key, "t1-boot") == 0)
    return get_time(value, &l->lease.t1_ns);
  if (strcmp(key, "t2-boot") == 0)
    return get_time(value, &l->lease.t2_ns);
  if (strcmp(key, "address") == 0)
    return get_lease_addr(value, &l->lease);
  if (strcmp(key, "dns") == 0)
    return get_addr_list(value, l->params.dns, &l->params.n_dns, ARRAY_SIZE(l->params.dns));
  if (strcmp(key, "ntp") == 0)
    return get_addr_list(value, l->params.ntp, &l->params.n_ntp, ARRAY_SIZE(l->params.ntp));
  return strcmp(key, "search") == 0 ? lease_text_search(value, l->params.search, &l->params.n_search) : -EBADMSG;
}

static bool whole(const struct in *in) {
  const struct dhcp6_lease *l = &in->l.lease;
  return in->duid.len > 0 && l->server.len > 0 && l->from.family != 0 && l->n_addrs > 0 && l->t1_ns != 0 &&
         l->t1_ns <= l->t2_ns;
}

/* --- the clock ---------------------------------------------------------------------------------------------------- */

/* t, which was of the clock of the writer, after so much time has passed since; never 0, which means something else. */
static uint64_t moved(uint64_t t, uint64_t written_ns, uint64_t passed_ns, uint64_t now_ns) {
  if (t == DHCP6_NEVER)
    return t;
  uint64_t left = t > written_ns ? t - written_ns : 0;
  return MAX(now_ns + (left > passed_ns ? left - passed_ns : 0), UINT64_C(1));
}

static void move(struct in *in, uint64_t passed_ns, uint64_t now_ns) {
  struct dhcp6_lease *l = &in->l.lease;
  l->t1_ns = moved(l->t1_ns, in->written.boot_ns, passed_ns, now_ns);
  l->t2_ns = moved(l->t2_ns, in->written.boot_ns, passed_ns, now_ns);
  for (unsigned i = 0; i < l->n_addrs; i++) {
    struct dhcp6_lease_addr *a = &l->addrs[i];
    a->preferred_until = moved(a->preferred_until, in->written.boot_ns, passed_ns, now_ns);
    a->valid_until = moved(a->valid_until, in->written.boot_ns, passed_ns, now_ns);
  }
}

/* Moves the times to the clock of now, and leaves out what is over. */
static int place(struct in *in, const struct lease_clock *now, const char **ret_why) {
  struct dhcp6_lease *l = &in->l.lease;
  bool same_boot = lease_clock_same_boot(&in->written, now);
  unsigned n = 0;
  if (!same_boot && lease_clock_behind(&in->written, now)) {
    *ret_why = "the time of day is behind it: its end is unknown";
    return -ESTALE;
  }
  /* The time of day may have stood still while we were off, and a server
   * confirms the link, not the lease (RFC 8415 18.3.3): it is asked for it at once. */
  if (!same_boot) {
    uint64_t passed_s = lease_clock_passed_s(&in->written, now);
    move(in, MIN(passed_s, UINT64_MAX / NSEC_PER_SEC) * NSEC_PER_SEC, now->boot_ns);
    l->t1_ns = MAX(now->boot_ns, UINT64_C(1));
  }
  for (unsigned i = 0; i < l->n_addrs; i++)
    if (l->addrs[i].valid_until > now->boot_ns + NSEC_PER_SEC)
      l->addrs[n++] = l->addrs[i];
  l->n_addrs = n;
  if (n > 0)
    return 0;
  *ret_why = "it is over";
  return -ESTALE;
}

int lease6_file_parse(const char *text, size_t len, const struct dhcp6_config *cfg, const struct lease_clock *now,
                      struct lease6 *ret, const char **ret_why) {
  _cleanup_free_ struct in *in = calloc(1, sizeof(*in));
  size_t body;
  *ret_why = "there is no memory";
  if (in == NULL)
    return -ESTALE;
  if (lease_text_check(text, len, VERSION_LINE, &body, ret_why) < 0 || lease_text_lines(text, body, get_line, in) < 0 ||
      !whole(in))
    return -EBADMSG;
  if (in->iaid != cfg->iaid || in->duid.len != cfg->duid.len || memcmp(in->duid.b, cfg->duid.b, in->duid.len) != 0) {
    *ret_why = "it is another client's: the machine's identifier or the hardware address differs";
    return -EPERM;
  }
  int r = place(in, now, ret_why);
  if (r < 0)
    return r;
  *ret_why = NULL;
  *ret = in->l;
  return 0;
}
