/* SPDX-License-Identifier: BSD-3-Clause
 * What outlives a restart: the text of a lease, whole or refused with the reason, its times across boots and steps of the
 * clock; and the file, written by another thread, whole or not at all.
 */
#include "base/util.h"
#include "loop/loop.h"
#include "netconf/duid.h"
#include "netconf/lease_file.h"
#include "netconf/lease_store.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define S NSEC_PER_SEC
static const struct dhcp4_identity who = {.mac = {2, 0, 0, 0, 0, 7}, .hostname = "box"};
#define WALL UINT64_C(1700000000)

static struct lease_clock clock_at(uint64_t boot_s, uint64_t wall_s) {
  return (struct lease_clock){"11111111-2222-3333-4444-555555555555", boot_s * S, wall_s};
}
static struct lease_clock other_boot(uint64_t boot_s, uint64_t wall_s) {
  return (struct lease_clock){"99999999-2222-3333-4444-555555555555", boot_s * S, wall_s};
}

static struct dhcp4_lease full(void) {
  struct dhcp4_lease l = {.t1_ns = 1500 * S, .t2_ns = 1875 * S, .expiry_ns = 2000 * S};
  struct dhcp4_params *p = &l.params;
  p->addr = net_addr_v4(0x0a010005);
  p->prefix_len = 24;
  p->gateway = p->server = net_addr_v4(0x0a010001);
  for (; p->n_spares < DHCP4_SPARES_MAX; p->n_spares++)
    p->spares[p->n_spares] = net_addr_v4(0x0a010002 + p->n_spares);
  p->broadcast = net_addr_v4(0x0a0100ff);
  for (p->n_dns = 0; p->n_dns < NAMES_SERVERS_MAX; p->n_dns++)
    p->dns[p->n_dns] = net_addr_v4(0x0a010100 + p->n_dns);
  for (p->n_ntp = 0; p->n_ntp < DHCP4_NTP_MAX; p->n_ntp++)
    p->ntp[p->n_ntp] = net_addr_v4(0x0a010200 + p->n_ntp);
  for (; p->n_routes < DHCP4_ROUTES_MAX; p->n_routes++) {
    p->routes[p->n_routes].dst = (struct net_prefix){net_addr_v4(0x0a020000 + (p->n_routes << 8)), 24};
    if (p->n_routes % 2)
      p->routes[p->n_routes].gateway = net_addr_v4(0x0a010001);
  }
  for (; p->n_search < NAMES_SEARCH_MAX; p->n_search++) {
    memset(p->search[p->n_search], 'a' + (int)p->n_search, NAMES_NAME_MAX - 1);
    p->search[p->n_search][NAMES_NAME_MAX - 1] = 0;
  }
  p->search_present = true;
  p->mtu = 1400;
  return l;
}

static struct lease_result {
  int r;
  struct dhcp4_lease l;
  bool live;
  const char *why;
} parse(const char *text, size_t len, struct lease_clock now) {
  struct lease_result x = {.why = ""};
  x.r = lease_file_parse(text, len, &who, &now, &x.l, &x.live, &x.why);
  return x;
}

static size_t written(char buf[LEASE_FILE_MAX], const struct dhcp4_lease *l) {
  struct lease_clock now = clock_at(1000, WALL);
  return lease_file_format(&who, &now, l, buf);
}

Test(lease_file, all_of_it_comes_back) {
  static char buf[LEASE_FILE_MAX];
  struct dhcp4_lease l = full();
  size_t len = written(buf, &l);
  cr_assert_lt(len, LEASE_FILE_MAX - 1);
  struct lease_result x = parse(buf, len, clock_at(1100, WALL + 100));
  cr_assert_eq(x.r, 0);
  cr_assert(x.live);
  cr_assert_null(x.why);
  cr_assert_eq(memcmp(&x.l, &l, sizeof(l)), 0);
  memset(&l, 0, sizeof(l)); /* for ever, and nothing but an address */
  l.params.addr = net_addr_v4(0x0a010005);
  l.params.prefix_len = 32;
  l.params.server = net_addr_v4(0x0a010001);
  len = written(buf, &l);
  x = parse(buf, len, other_boot(1, 1));
  cr_assert_eq(x.r, 0);
  cr_assert(x.live, "for ever is for ever, whatever time it is");
  cr_assert_eq(memcmp(&x.l, &l, sizeof(l)), 0);
}

Test(lease_file, time_within_one_boot) {
  static char buf[LEASE_FILE_MAX];
  struct dhcp4_lease l = full();
  size_t len = written(buf, &l);
  struct lease_result x = parse(buf, len, clock_at(1999, WALL - 1000000));
  cr_assert_eq(x.r, -ESTALE, "the last second does not count");
  x = parse(buf, len, clock_at(1998, WALL - 1000000));
  cr_assert_eq(x.r, 0, "the time of day may say what it likes");
  cr_assert(x.live);
  cr_assert_eq(x.l.expiry_ns, 2000 * S);
  x = parse(buf, len, clock_at(2001, WALL));
  cr_assert_eq(x.r, -ESTALE);
  cr_assert_eq(net_addr_to_v4(&x.l.params.addr), 0x0a010005, "a hint all the same");
}

Test(lease_file, time_across_boots) {
  static char buf[LEASE_FILE_MAX];
  struct dhcp4_lease l = full(); /* 1000 s left */
  size_t len = written(buf, &l);
  struct lease_result x = parse(buf, len, other_boot(5, WALL + 400));
  cr_assert_eq(x.r, 0);
  cr_assert(x.live);
  cr_assert(x.l.expiry_ns <= 605 * S && x.l.expiry_ns >= 603 * S, "never later than it was");
  cr_assert_eq(x.l.expiry_ns - x.l.t2_ns, 125 * S);
  x = parse(buf, len, other_boot(5, WALL + 999));
  cr_assert_eq(x.r, -ESTALE);
  x = parse(buf, len, other_boot(5, WALL + 100000));
  cr_assert_eq(x.r, -ESTALE);
  x = parse(buf, len, other_boot(5, WALL - 100));
  cr_assert_eq(x.r, 0);
  cr_assert_not(x.live, "the clock was set back: it may be asked for, not used unasked");
  cr_assert_not_null(x.why);
  x = parse(buf, len, other_boot(5, WALL + 900));
  cr_assert_eq(x.l.t1_ns, 1, "long over: a time that is, and lies behind");
  x = parse(buf, len, clock_at(10, WALL + 400)); /* the same id, a clock that is behind: not the same boot after all */
  cr_assert_eq(x.r, 0);
  cr_assert_leq(x.l.expiry_ns, 610 * S);
}

Test(lease_file, foreign) {
  static char buf[LEASE_FILE_MAX];
  struct dhcp4_lease l = full(), ret;
  struct dhcp4_identity other = who;
  struct lease_clock now = clock_at(1100, WALL);
  bool live;
  const char *why;
  size_t len = written(buf, &l);
  other.mac[5]++;
  cr_assert_eq(lease_file_parse(buf, len, &other, &now, &ret, &live, &why), -EPERM);
  other = who;
  duid_client_id(who.mac, other.client_id);
  other.client_id_len = DUID_CLIENT_ID_LEN;
  cr_assert_eq(lease_file_parse(buf, len, &other, &now, &ret, &live, &why), -EPERM);
  len = lease_file_format(&other, &now, &l, buf);
  cr_assert_eq(lease_file_parse(buf, len, &other, &now, &ret, &live, &why), 0);
  cr_assert_eq(lease_file_parse(buf, len, &who, &now, &ret, &live, &why), -EPERM);
}

Test(lease_file, damaged_everywhere) {
  static char buf[LEASE_FILE_MAX], bad[LEASE_FILE_MAX];
  struct dhcp4_lease l = full();
  l.params.n_search = 1;
  size_t len = written(buf, &l);
  for (size_t cut = 0; cut < len; cut++)
    cr_assert_eq(parse(buf, cut, clock_at(1100, WALL)).r, -EBADMSG, "cut at %zu", cut);
  for (size_t i = 0; i < len; i++) {
    memcpy(bad, buf, len);
    bad[i] ^= 1;
    struct lease_result x = parse(bad, len, clock_at(1100, WALL));
    cr_assert_eq(x.r, -EBADMSG, "a bit of byte %zu", i);
    cr_assert_not_null(x.why);
  }
  memcpy(bad, buf, len);
  memcpy(bad + len, "x\n", 2);
  cr_assert_eq(parse(bad, len + 2, clock_at(1100, WALL)).r, -EBADMSG);
  cr_assert_eq(parse("", 0, clock_at(1100, WALL)).r, -EBADMSG);
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static char dir[64];
static void setup(void) {
  strcpy(dir, "/tmp/capnet-lease-XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
}
static void teardown(void) {
  char cmd[128];
  (void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
  cr_assert_eq(system(cmd), 0);
}

Test(lease_file, stored_replaced_removed, .init = setup, .fini = teardown) {
  struct loop *loop;
  struct lease_store *s;
  char buf[64], path[128];
  cr_assert_eq(loop_sim_new(&loop), 0);
  cr_assert_eq(lease_store_new(loop, dir, "net0", AF_INET, &s), 0);
  cr_assert_eq(lease_store_read(s, buf, sizeof(buf)), -ENOENT);
  lease_store_write(s, "one", 3);
  cr_assert_eq(lease_store_read(s, buf, sizeof(buf)), -ENOENT, "not on the loop's thread");
  lease_store_write(s, "two", 3);
  cr_assert_eq(loop_run(loop), 0);
  cr_assert_eq(lease_store_read(s, buf, sizeof(buf)), 3);
  cr_assert_arr_eq(buf, "two", 3);
  cr_assert_eq(lease_store_read(s, buf, 2), -EFBIG);
  (void)snprintf(path, sizeof(path), "%s/lease-net0-v4", dir);
  struct stat st;
  cr_assert_eq(stat(path, &st), 0);
  cr_assert_eq(st.st_mode & 0777, 0600u);
  (void)snprintf(path, sizeof(path), "%s/.lease-net0-v4.new", dir);
  cr_assert_eq(symlink("/etc/passwd", path), 0, "what lies in the way is not followed");
  lease_store_write(s, "three", 5);
  s = lease_store_free(s); /* what is queued is still done */
  cr_assert_eq(loop_run(loop), 0);
  cr_assert_eq(lease_store_new(loop, dir, "net0", AF_INET, &s), 0);
  cr_assert_eq(lease_store_read(s, buf, sizeof(buf)), 5);
  cr_assert_neq(lstat(path, &st), 0, "nothing is left beside it");
  lease_store_remove(s);
  cr_assert_eq(loop_run(loop), 0);
  cr_assert_eq(lease_store_read(s, buf, sizeof(buf)), -ENOENT);
  s = lease_store_free(s);
  loop = loop_free(loop);
}

Test(lease_file, threads_may_overtake_each_other, .init = setup, .fini = teardown) {
  struct loop *loop;
  struct lease_store *s;
  char buf[64];
  cr_assert_eq(loop_uv_new(&loop), 0);
  cr_assert_eq(lease_store_new(loop, dir, "net0", AF_INET, &s), 0);
  for (int i = 0; i < 50; i++) {
    int n = snprintf(buf, sizeof(buf), "%d", i);
    lease_store_write(s, buf, (size_t)n);
  }
  s = lease_store_free(s);
  loop = loop_free(loop);
  cr_assert_eq(loop_sim_new(&loop), 0);
  cr_assert_eq(lease_store_new(loop, dir, "net0", AF_INET, &s), 0);
  cr_assert_eq(lease_store_read(s, buf, sizeof(buf)), 2);
  cr_assert_arr_eq(buf, "49", 2, "the last one counts");
  s = lease_store_free(s);
  loop = loop_free(loop);
}

Test(lease_file, no_directory) {
  struct loop *loop;
  struct lease_store *s;
  char buf[64];
  cr_assert_eq(loop_sim_new(&loop), 0);
  cr_assert_eq(lease_store_new(loop, "", "net0", AF_INET, &s), 0);
  lease_store_write(s, "one", 3);
  lease_store_remove(s);
  cr_assert_eq(loop_run(loop), 0);
  cr_assert_eq(lease_store_read(s, buf, sizeof(buf)), -ENOENT);
  s = lease_store_free(s);
  cr_assert_eq(lease_store_new(loop, "/nonexistent/dir", "net0", AF_INET, &s), 0);
  lease_store_write(s, "one", 3);
  cr_assert_eq(loop_run(loop), 0);
  cr_assert_lt(lease_store_read(s, buf, sizeof(buf)), 0);
  s = lease_store_free(s);
  loop = loop_free(loop);
}

Test(lease_file, identifier_of_the_machine) {
  uint8_t a[DUID_CLIENT_ID_LEN], b[DUID_CLIENT_ID_LEN], other[6] = {2, 0, 0, 0, 0, 8};
  duid_client_id(who.mac, a);
  duid_client_id(who.mac, b);
  cr_assert_arr_eq(a, b, sizeof(a), "the same each time");
  cr_assert_arr_eq(a, "\xff\0\0\0\7\0\4", 7, "RFC 4361: type 255, IAID, a DUID of type 4");
  duid_client_id(other, b);
  cr_assert_arr_eq(a + 5, b + 5, DUID_LEN, "one machine");
  cr_assert_neq(memcmp(a, b, 5), 0, "two interfaces");
}
