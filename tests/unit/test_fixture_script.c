/* SPDX-License-Identifier: BSD-3-Clause
 * The language of scripts: what is read, and what is refused, with its line.
 */
#include "fixture_util.h"

static unsigned line_of(const char *text, char reason[200]) {
  struct fixture_script *s = NULL;
  struct fixture_error err;
  int r = fixture_script_parse(text, strlen(text), &s, &err);
  if (r == 0) {
    fixture_script_free(s);
    return 0;
  }
  cr_expect_eq(r, -EINVAL, "%s", text);
  snprintf(reason, 200, "%s", err.reason);
  return err.line;
}

Test(fixture_script, steps_in_their_order) {
  struct fixture_script *s = script_of("# a comment\n"
                                       "server 10.0.0.1 pool 10.0.0.5-10.0.0.9 lease 1h30m # and another\n"
                                       "\n"
                                       "at 200ms server silent delay 5ms\n"
                                       "at +1d suspend 2h\n"
                                       "at +0 expect no address\n"
                                       "end 2d\n");
  cr_assert_eq(s->n, 8);
  cr_expect_eq(s->steps[0].key, KEY_HERE);
  cr_expect(s->steps[0].begins && s->steps[0].first);
  cr_expect_eq(s->steps[1].key, KEY_POOL);
  cr_expect(!s->steps[1].first);
  cr_expect_eq(s->steps[2].v.number, 5400);
  cr_expect_eq(s->steps[3].at_ns, 200 * NSEC_PER_MSEC);
  cr_expect_eq(s->steps[3].v.number, FIXTURE_SILENT);
  cr_expect_eq(s->steps[3].who.family, 0, "all servers");
  cr_expect(!s->steps[3].begins);
  cr_expect_eq(s->steps[4].v.number, 5 * NSEC_PER_MSEC);
  cr_expect_eq(s->steps[5].at_ns, 200 * NSEC_PER_MSEC + 86400 * NSEC_PER_SEC);
  cr_expect_eq(s->steps[6].at_ns, s->steps[5].at_ns + 7200 * NSEC_PER_SEC, "after the suspension");
  cr_expect_str_eq(s->steps[6].v.text, "no address");
  cr_expect_eq(s->steps[7].at_ns, 2 * 86400 * NSEC_PER_SEC);
  cr_expect_str_eq(fixture_script_line(s, 4), "at 200ms server silent delay 5ms");
  cr_expect_str_eq(fixture_script_line(s, 99), "");
  fixture_script_free(s);
}

Test(fixture_script, who_the_machine_is) {
  struct fixture_script *a = script_of("seed 5\nmachine hostname box\naddress 10.0.0.2/24 gateway 10.0.0.1\n");
  struct fixture_script *b = script_of("seed 5\nmachine mode none\n"), *c = script_of("seed 6\nset-static 10.0.0.2/8\n");
  struct fixture_script *d = script_of("machine mac 02:00:00:00:00:09\n");
  cr_expect_eq(a->n, 0);
  cr_expect_str_eq(a->machine.hostname, "box");
  cr_expect_eq(a->machine.mode, FIXTURE_MODE_STATIC);
  cr_expect(a->machine.given);
  cr_expect_eq(a->machine.gateway.b[3], 1);
  cr_expect_eq(b->machine.mode, FIXTURE_MODE_NONE);
  cr_expect(!c->machine.given);
  cr_expect_eq(memcmp(a->machine.mac, b->machine.mac, 6), 0, "the seed decides");
  cr_expect_neq(memcmp(a->machine.mac, c->machine.mac, 6), 0);
  cr_expect_eq(d->machine.mac[5], 9);
  fixture_script_free(a);
  fixture_script_free(b);
  fixture_script_free(c);
  fixture_script_free(d);
}

Test(fixture_script, bytes_and_lists) {
  struct fixture_script *s = script_of("server 10.0.0.1 option 43 01:02ff03 \n"
                                       "server dns 10.0.0.2,10.0.0.3 search a.test,b.test router none\n"
                                       "at 0 send ffffffffffff 020000000001 0806\n");
  cr_assert_eq(s->n, 6);
  cr_expect_eq(s->steps[1].v.number, 43);
  cr_expect_eq(s->steps[1].v.len, 4);
  cr_expect_eq(memcmp(s->steps[1].v.text, "\x01\x02\xff\x03", 4), 0);
  cr_expect_eq(s->steps[2].v.n_addr, 2);
  cr_expect_str_eq(s->steps[3].v.text, "a.test,b.test");
  cr_expect_eq(s->steps[4].v.n_addr, 0);
  cr_expect_eq(s->steps[5].v.len, 14);
  fixture_script_free(s);
}

Test(fixture_script, what_is_refused_and_where) {
  static const struct {
    const char *text;
    unsigned line;
    const char *reason; /* begins so */
  } rows[] = {
      {"colour blue", 1, "\"colour\" is no statement"},
      {"\n\nserver 10.0.0.1 colour", 3, "server: \"colour\" is not known"},
      {"server silent", 1, "server: an address is missing"},
      {"server ::1 silent", 1, "server: the address is of the wrong family"},
      {"server 224.0.0.1", 1, "server: no host has this address"},
      {"server 10.0.0.1 lease 1x", 1, "lease: \"1x\" is no time"},
      {"server 10.0.0.1 lease 1500ms", 1, "lease: \"1500ms\" is no time in whole seconds"},
      {"server 10.0.0.1 lease", 1, "lease: a value is missing"},
      {"server 10.0.0.1 pool 10.0.0.9-10.0.0.5", 1, "pool: the first address"},
      {"server 10.0.0.1 pool 2001:db8::1", 1, "pool: \"2001:db8::1\" is no IPv4 address"},
      {"server6 fe80::1 pool 2001:db8::1-2001:db9::1", 1, "pool: the addresses of a range differ"},
      {"server 10.0.0.1 prefix 33", 1, "prefix: \"33\" is no number of at most 32"},
      {"server 10.0.0.1 option 43 0", 1, "option: \"0\" is not made of bytes"},
      {"server 10.0.0.1 search a..b", 1, "search: \"a..b\" is no name"},
      {"renew", 1, "renew: when?"},
      {"at 1s", 1, "a statement is missing"},
      {"at renew", 1, "at: \"renew\" is no time"},
      {"at 99999d renew", 1, "at: \"99999d\" is no time"},
      {"at 9999d renew\nat +2d renew", 2, "at: more than 10000 days"},
      {"at 2s renew\nat 1s renew", 2, "at: that is before"},
      {"at 1s suspend 10s\nat 5s renew", 2, "at: the machine is suspended"},
      {"at 1s renew\nhost 10.0.0.1", 2, "after the first `at`"},
      {"at 1s seed 3", 1, "seed has no `at`"},
      {"at 5s renew\nend 4s", 2, "the end is before"},
      {"end 4s\nend 5s", 2, "nothing comes after the end"},
      {"at 1s renew now", 1, "\"now\" is too much"},
      {"address 10.0.0.1", 1, "address: \"10.0.0.1\" is not ADDRESS/LENGTH"},
      {"address 10.0.0.1/0", 1, "address: \"10.0.0.1\" has no length"},
      {"address ::2/64", 1, "an IPv4 address is needed"},
      {"set-static 10.0.0.2/24 gateway fe80::1", 1, "the gateway is of another family"},
      {"machine conflict-detection perhaps", 1, "\"perhaps\" is none of no, fast, yes"},
      {"machine offer-wait soon", 1, "offer-wait: "},
      {"at 1s lease-file eaten", 1, "lease-file: \"eaten\" is not known"},
      {"restart", 1, "restart: when?"},
      {"server 10.0.0.1 lose many", 1, "lose: "},
      {"machine mode fast", 1, "\"fast\" is neither dhcp nor none"},
      {"machine", 1, "machine: what about it?"},
      {"machine mac 01:00:00:00:00:01", 1, "mac: \"01:00:00:00:00:01\" is no MAC address"},
      {"host 10.0.0.1 tcp 65536", 1, "tcp: \"65536\" is no number"},
      {"host 10.0.0.1 \x01", 1, "a byte that is no plain text"},
      {"host 10.0.0.1 \xc3\xa9", 1, "a byte that is no plain text"},
      {"at 1s connect 10.0.0.1", 1, "connect: \"\" is no number"},
  };
  char reason[200];
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    unsigned line = line_of(rows[i].text, reason);
    cr_expect_eq(line, rows[i].line, "row %zu: line %u: %s", i, line, reason);
    if (line != 0)
      cr_expect_eq(strncmp(reason, rows[i].reason, strlen(rows[i].reason)), 0, "row %zu: %s", i, reason);
  }
}

/* Each bound at N and at N + 1. */
Test(fixture_script, bounds) {
  static char text[FIXTURE_SCRIPT_MAX + 64];
  char reason[200];
  size_t used = 0;
  for (unsigned i = 0; i < 32; i++)
    used += (size_t)sprintf(text + used, "host 10.0.0.%u\n", i + 1);
  cr_expect_eq(line_of(text, reason), 0);
  sprintf(text + used, "host 10.0.1.1\n");
  cr_expect_eq(line_of(text, reason), 33);
  sprintf(text + used, "host 10.0.0.32 gone\n");
  cr_expect_eq(line_of(text, reason), 0, "one that is known");

  used = 0;
  for (unsigned i = 0; i < 64; i++)
    used += (size_t)sprintf(text + used, "name n%u.test 10.0.0.1\nname n%u.test\n", i, i);
  cr_expect_eq(line_of(text, reason), 0);
  sprintf(text + used, "name m.test\n");
  cr_expect_eq(line_of(text, reason), 129);

  used = (size_t)sprintf(text, "router fe80::1 prefix 2001:db8::/64 prefix 2001:db8:1::/64 prefix 2001:db8:2::/64\n"
                               "router fe80::1 prefix 2001:db8:3::/64\nat 1s router fe80::1 prefix 2001:db8::/64 valid 0s\n");
  cr_expect_eq(line_of(text, reason), 0);
  sprintf(text + used, "at 1s router prefix 2001:db8:4::/64\n");
  cr_expect_eq(line_of(text, reason), 4);

  used = (size_t)sprintf(text, "host 10.0.0.1");
  for (unsigned i = 0; i < 8; i++)
    used += (size_t)sprintf(text + used, " tcp %u", i);
  cr_expect_eq(line_of(text, reason), 0);
  sprintf(text + used, " tcp 9");
  cr_expect_eq(line_of(text, reason), 1);

  used = (size_t)sprintf(text, "server 10.0.0.1");
  for (unsigned i = 0; i < 16; i++)
    used += (size_t)sprintf(text + used, i % 2 ? " no-option %u" : " option %u 00", i + 1);
  cr_expect_eq(line_of(text, reason), 0);
  sprintf(text + used, " option 44 00");
  cr_expect_eq(line_of(text, reason), 1);

  used = 0;
  for (unsigned i = 0; i < FIXTURE_STEPS_MAX; i++)
    used += (size_t)sprintf(text + used, "at 0 renew\n");
  cr_expect_eq(line_of(text, reason), 0);
  sprintf(text + used, "at 0 renew\n");
  cr_expect_eq(line_of(text, reason), FIXTURE_STEPS_MAX + 1);

  memset(text, '\n', sizeof text);
  struct fixture_script *s = NULL;
  struct fixture_error err;
  cr_expect_eq(fixture_script_parse(text, FIXTURE_SCRIPT_MAX, &s, &err), 0);
  fixture_script_free(s);
  cr_expect_eq(fixture_script_parse(text, FIXTURE_SCRIPT_MAX + 1, &s, &err), -EINVAL);
  cr_expect_eq(fixture_script_parse("seed 1\0\n", 8, &s, &err), -EINVAL);

  used = (size_t)sprintf(text, "at 0 expect address");
  for (unsigned i = 4; i < FIXTURE_WORDS_MAX; i++)
    used += (size_t)sprintf(text + used, " x");
  cr_expect_eq(line_of(text, reason), 0);
  sprintf(text + used, " x");
  cr_expect_eq(line_of(text, reason), 1);

  used = (size_t)sprintf(text, "server 10.0.0.1 dns 10.0.0.1");
  for (unsigned i = 1; i < FIXTURE_ADDRS_MAX; i++)
    used += (size_t)sprintf(text + used, ",10.0.0.1");
  cr_expect_eq(line_of(text, reason), 0);
  sprintf(text + used, ",10.0.0.1");
  cr_expect_eq(line_of(text, reason), 1);
}
