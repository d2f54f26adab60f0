/* SPDX-License-Identifier: BSD-3-Clause
 * A lease of DHCPv6 as text: whole or refused with the reason, its times across boots and steps of the clock.
 */
#include "base/util.h"
#include "netconf/lease6_file.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define S NSEC_PER_SEC
#define WALL UINT64_C(1700000000)
static const struct dhcp6_config who = {.duid = {{0, 4, 1, 2, 3, 4}, 6}, .iaid = 0x89abcdef};

static struct net_addr addr(const char *s) {
  struct net_addr a = {0};
  cr_assert_eq(net_addr_parse(s, &a), 0);
  return a;
}
static struct lease_clock clock_at(bool same_boot, uint64_t boot_s, uint64_t wall_s) {
  struct lease_clock c = {"11111111-2222-3333-4444-555555555555", boot_s * S, wall_s};
  if (!same_boot)
    memset(c.boot_id, '9', 8);
  return c;
}

/* As much as there can be. Written at 1000 s. */
static struct lease6 full(void) {
  struct lease6 l = {.lease = {.t1_ns = 1500 * S, .t2_ns = 1800 * S, .from = addr("fe80::9"), .n_addrs = DHCP6_ADDRS_MAX}};
  l.lease.server.len = DUID_MAX;
  memset(l.lease.server.b, 0xfe, DUID_MAX);
  for (unsigned i = 0; i < DHCP6_ADDRS_MAX; i++) {
    l.lease.addrs[i] = (struct dhcp6_lease_addr){addr("2001:db8:1111:2222:3333:4444:5555:0"), (1600 + i) * S, (2000 + i) * S};
    l.lease.addrs[i].addr.b[15] = (uint8_t)(i + 1);
  }
  l.lease.addrs[1].valid_until = DHCP6_NEVER;
  for (; l.params.n_dns < NAMES_SERVERS_MAX; l.params.n_dns++)
    l.params.dns[l.params.n_dns] = addr("fe80::1111:2222:3333:4444");
  for (; l.params.n_search < NAMES_SEARCH_MAX; l.params.n_search++) {
    memset(l.params.search[l.params.n_search], 'a' + (int)l.params.n_search, NAMES_NAME_MAX - 1);
    l.params.search[l.params.n_search][NAMES_NAME_MAX - 1] = 0;
  }
  for (; l.params.n_ntp < ARRAY_SIZE(l.params.ntp); l.params.n_ntp++)
    l.params.ntp[l.params.n_ntp] = addr("2001:db8:1111:2222:3333:4444:5555:123");
  return l;
}
static size_t written(char buf[LEASE_FILE_MAX], const struct lease6 *l) {
  struct lease_clock now = clock_at(true, 1000, WALL);
  return lease6_file_format(&who, &now, l, buf);
}
static struct result {
  int r;
  struct lease6 l;
  const char *why;
} got;
static struct result *parse(const char *text, size_t len, struct lease_clock now) {
  got = (struct result){.why = ""};
  got.r = lease6_file_parse(text, len, &who, &now, &got.l, &got.why);
  return &got;
}
static char buf[LEASE_FILE_MAX];

static bool same(const struct dhcp6_lease *a, const struct dhcp6_lease *b) {
  bool all = a->n_addrs == b->n_addrs && a->t1_ns == b->t1_ns && a->t2_ns == b->t2_ns && a->server.len == b->server.len &&
             memcmp(a->server.b, b->server.b, a->server.len) == 0 && net_addr_equal(&a->from, &b->from);
  for (unsigned i = 0; all && i < a->n_addrs; i++)
    all = net_addr_equal(&a->addrs[i].addr, &b->addrs[i].addr) && a->addrs[i].valid_until == b->addrs[i].valid_until &&
          a->addrs[i].preferred_until == b->addrs[i].preferred_until;
  return all;
}

Test(lease6_file, all_of_it_comes_back) {
  struct lease6 l = full();
  size_t len = written(buf, &l);
  cr_assert_lt(len, LEASE_FILE_MAX - 1);
  cr_assert_eq(parse(buf, len, clock_at(true, 1100, WALL + 100))->r, 0);
  cr_assert_null(got.why);
  cr_assert(same(&got.l.lease, &l.lease));
  cr_assert_eq(memcmp(&got.l.params, &l.params, sizeof(l.params)), 0);
  l = (struct lease6){.lease = {.t1_ns = DHCP6_NEVER, .t2_ns = DHCP6_NEVER, .server = {{1}, 1}, .from = addr("fe80::9"), .n_addrs = 1}};
  l.lease.addrs[0] = (struct dhcp6_lease_addr){addr("2001:db8::1"), DHCP6_NEVER, DHCP6_NEVER};
  len = written(buf, &l);
  cr_assert_eq(parse(buf, len, clock_at(false, 5, WALL + 1000000))->r, 0, "for ever, in another boot too");
  l.lease.t1_ns = 5 * S; /* but asked for at once */
  cr_assert(same(&got.l.lease, &l.lease));
}

Test(lease6_file, time_within_one_boot) {
  struct lease6 l = full();
  l.lease.addrs[1].valid_until = 2001 * S;
  size_t len = written(buf, &l);
  cr_assert_eq(parse(buf, len, clock_at(true, 1900, WALL - 100000))->r, 0, "the time of day says nothing");
  cr_assert(same(&got.l.lease, &l.lease));
  cr_assert_eq(parse(buf, len, clock_at(true, 2001, WALL))->r, 0);
  cr_assert_eq(got.l.lease.n_addrs, 1, "without those that are over");
  cr_assert(net_addr_equal(&got.l.lease.addrs[0].addr, &l.lease.addrs[3].addr));
  cr_assert_eq(parse(buf, len, clock_at(true, 2003, WALL))->r, -ESTALE);
  cr_assert_str_eq(got.why, "it is over");
}

Test(lease6_file, time_across_boots) {
  struct lease6 l = full();
  l.lease.addrs[1].valid_until = 2001 * S;
  size_t len = written(buf, &l);
  cr_assert_eq(parse(buf, len, clock_at(false, 30, WALL + 100))->r, 0);
  cr_assert_eq(got.l.lease.addrs[0].valid_until, (30 + 1000 - 101) * S, "never longer than it was");
  cr_assert_eq(got.l.lease.addrs[0].preferred_until, (30 + 600 - 101) * S);
  cr_assert_eq(got.l.lease.t1_ns, 30 * S, "asked for at once");
  cr_assert_eq(got.l.lease.t2_ns, (30 + 800 - 101) * S);
  cr_assert_eq(parse(buf, len, clock_at(false, 30, WALL + 700))->r, 0);
  cr_assert_eq(parse(buf, len, clock_at(false, 30, WALL + 1100))->r, -ESTALE);
  cr_assert_eq(parse(buf, len, clock_at(false, 30, WALL - 2))->r, 0, "rounding");
  cr_assert_eq(parse(buf, len, clock_at(false, 30, WALL - 3))->r, -ESTALE);
  cr_assert_str_eq(got.why, "the time of day is behind it: its end is unknown");
  cr_assert_eq(parse(buf, len, clock_at(true, 999, WALL + 100))->r, 0, "the same boot cannot be before: it is another");
  cr_assert_eq(got.l.lease.t1_ns, 999 * S);
}

Test(lease6_file, foreign) {
  struct lease6 l = full();
  struct lease_clock now = clock_at(true, 1000, WALL);
  struct dhcp6_config other = who;
  other.iaid++;
  size_t len = lease6_file_format(&other, &now, &l, buf);
  cr_assert_eq(parse(buf, len, now)->r, -EPERM);
  cr_assert_not_null(got.why);
  other = who;
  other.duid.b[5]++;
  len = lease6_file_format(&other, &now, &l, buf);
  cr_assert_eq(parse(buf, len, now)->r, -EPERM);
}

Test(lease6_file, damaged_everywhere) {
  struct lease6 l = full();
  struct lease_clock now = clock_at(true, 1000, WALL);
  size_t len = written(buf, &l);
  for (size_t i = 0; i < len; i++) {
    buf[i] ^= 1;
    cr_assert_eq(parse(buf, len, now)->r, -EBADMSG, "%zu", i);
    buf[i] ^= 1;
    cr_assert_eq(parse(buf, i, now)->r, -EBADMSG, "cut at %zu", i);
    cr_assert_not_null(got.why);
  }
  cr_assert_eq(parse(buf, len, now)->r, 0);
}

/* With a right sum; one line is another, or there twice, or not at all. */
Test(lease6_file, lines_that_make_no_sense) {
  static const char *const good[] = {"duid 000401020304", "iaid 2309737967", "written-boot 1000", "written 1700000000", "server 0a",
                                     "from fe80::9", "t1-boot 1500000000000", "t2-boot 1800000000000",
                                     "address 2001:db8::1 never never"};
  static const struct {
    unsigned at;
    const char *line;
  } bad[] = {{0, NULL}, {0, "duid 0"}, {0, "duid xx"}, {1, NULL}, {1, "iaid -1"}, {4, NULL}, {4, "server "}, {5, NULL},
             {5, "from 10.0.0.1"}, {5, "from ff02::1"}, {6, NULL}, {6, "t1-boot 1900000000000"}, {6, "t1-boot soon"}, {7, NULL},
             {8, NULL}, {8, "address fe80::1 never never"}, {8, "address 2001:db8::1 never"}, {8, "address 2001:db8::1 never 5"},
             {8, "address 2001:db8::1"}, {8, "address ::1 never never"}, {8, "address 2001:db8::1 1 2\naddress 2001:db8::1 1 2"},
             {8, "address 10.0.0.1 never never"}, {3, "dns 127.0.0.1"}, {3, "search UPPER"}, {3, "search "}, {3, "what is this"},
             {3, "nothing"}, {3, "boot-id 11111111-2222-3333-4444-5555555555555"}};
  struct lease_clock now = clock_at(true, 1000, WALL);
  for (size_t i = 0; i <= ARRAY_SIZE(bad); i++) {
    struct lease_text o = {.buf = buf};
    lease_text_put(&o, "capnet-lease6 1\n");
    for (unsigned k = 0; k < ARRAY_SIZE(good); k++) {
      const char *line = i < ARRAY_SIZE(bad) && bad[i].at == k ? bad[i].line : good[k];
      if (line != NULL)
        lease_text_put(&o, "%s\n", line);
    }
    lease_text_end(&o);
    int r = parse(buf, o.len, now)->r;
    if (i == ARRAY_SIZE(bad))
      cr_assert_eq(r, 0);
    else
      cr_assert(r == -EBADMSG || (bad[i].at == 1 && bad[i].line == NULL && r == -EPERM), "row %zu: %d", i, r);
  }
}
