/* SPDX-License-Identifier: BSD-3-Clause
 * Grants through a reload, as their holders feel it: from files and sockets to frames.
 */
#include "cap_client.h"
#include "config_util.h"
#include "core/grants.h"

#include <sys/un.h>

TestSuite(core_grants, .timeout = 60);

struct house {
  struct world w;
  char dir[64], grants[80], run[80], sockets[96];
  struct offers *offers;
  unsigned done;
  int result;
};

#define KEPT "[grant]\nusers = root\n[ping]\nallow = 10.0.0.2\n"
#define OLD "[grant]\nusers = root\n[ping]\nallow = 10.0.0.2\nallow = 10.0.0.3\n"
#define NEW "[grant]\nusers = root\n[ping]\nallow = 10.0.0.3\n"

static void put(struct house *h, const char *name, const char *text) { write_file(h->grants, name, text, strlen(text), 0644); }

static void house_open(struct house *h) {
  struct reports reports = {0};
  struct grant_set *set;
  memset(h, 0, sizeof *h);
  world_open_bare(&h->w, NULL, 0);
  (void)snprintf(h->dir, sizeof h->dir, "/tmp/capnet-grants-XXXXXX");
  cr_assert_not_null(mkdtemp(h->dir));
  (void)snprintf(h->grants, sizeof h->grants, "%s/g", h->dir);
  (void)snprintf(h->run, sizeof h->run, "%s/r", h->dir);
  (void)snprintf(h->sockets, sizeof h->sockets, "%s/grants", h->run);
  cr_assert_eq(mkdir(h->grants, 0755) | mkdir(h->run, 0755) | mkdir(h->sockets, 0755), 0);
  put(h, "kept.grant", KEPT);
  put(h, "changed.grant", OLD);
  put(h, "gone.grant", KEPT);
  cr_assert_eq(grants_load(h->grants, &set, collect, &reports), 0, "%s", reports.text[0]);
  for (unsigned i = 0; i < set->n; i++)
    cr_assert_eq(config_grant_resolve(set->grants[i], NULL, NULL), 0);
  cr_assert_eq(offers_new(h->w.caps, h->run, set, &h->offers), 0);
  cr_assert_eq(offers_count(h->offers), 3);
}

static void house_close(struct house *h) {
  h->offers = offers_free(h->offers);
  world_close(&h->w);
  remove_tree(h->dir);
}

static void on_done(void *arg, int r) {
  struct house *h = arg;
  h->done++;
  h->result = r;
}

static int reload(struct house *h) {
  unsigned before = h->done;
  int r = offers_reload(h->offers, h->grants, on_done, h);
  if (r < 0)
    return r;
  world_run(&h->w, 0);
  cr_assert_eq(h->done, before + 1);
  return h->result;
}

/* The door of a grant; -1 when there is none. */
static int knock(struct house *h, const char *name) {
  struct sockaddr_un sa = {.sun_family = AF_UNIX};
  (void)snprintf(sa.sun_path, sizeof sa.sun_path, "%.80s/%.16s.sock", h->sockets, name);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0)
    return fd_close(fd);
  world_run(&h->w, 0);
  return own(&h->w, fd);
}

static int take_ping(struct house *h, const char *name) {
  _answer_ struct answer a = call(&h->w, knock(h, name), GRANT_OPEN, NULL, &capnet__grant_open_reply__descriptor);
  cr_assert_eq(a.n_fds, 1);
  return take(&h->w, a.fds[0], "ping");
}

static size_t n_rights(struct house *h, int fd) {
  _answer_ struct answer a = call(&h->w, fd, DESCRIBE, NULL, &capnet__describe_reply__descriptor);
  cr_assert_eq(a.code, 0);
  return ((Capnet__DescribeReply *)a.body)->n_rights;
}

Test(core_grants, a_reload_is_felt_only_where_something_changed) {
  struct house h;
  house_open(&h);
  int kept = take_ping(&h, "kept"), kept_shared = knock(&h, "kept"), changed = take_ping(&h, "changed"),
      changed_shared = knock(&h, "changed"), gone = take_ping(&h, "gone");
  cr_expect_eq(n_rights(&h, changed), 2);
  cr_expect_eq(reload(&h), 0, "nothing changed, nothing happens");
  cr_expect_eq(n_rights(&h, changed), 2);
  put(&h, "changed.grant", NEW);
  put(&h, "fresh.grant", KEPT);
  put(&h, "kept.grant", "# told otherwise, meant the same\n" KEPT);
  char path[128];
  (void)snprintf(path, sizeof path, "%s/gone.grant", h.grants);
  cr_assert_eq(unlink(path), 0);
  cr_expect_eq(reload(&h), 0);
  expect_terminal(&h.w, changed, REVOKED);
  expect_terminal(&h.w, changed_shared, REVOKED);
  expect_terminal(&h.w, gone, REVOKED);
  cr_expect_eq(knock(&h, "gone"), -1);
  cr_expect_eq(n_rights(&h, kept), 1);
  cr_expect_eq(code_of(&h.w, kept_shared, GRANT_OPEN, NULL), 0);
  cr_expect_eq(n_rights(&h, take_ping(&h, "changed")), 1);
  cr_expect_eq(n_rights(&h, take_ping(&h, "fresh")), 1);
  cr_expect_eq(offers_count(h.offers), 3);
  house_close(&h);
}

Test(core_grants, any_error_keeps_the_old_set) {
  struct house h;
  house_open(&h);
  int changed = take_ping(&h, "changed"), gone = take_ping(&h, "gone");
  char path[128];
  (void)snprintf(path, sizeof path, "%s/gone.grant", h.grants);
  cr_assert_eq(unlink(path), 0);
  put(&h, "changed.grant", NEW);
  static const char *const broken[] = {"[grant]\nusers = root\n[ping]\nallow = nonsense\n", "[grant]\nuser = root\n",
                                       "[grant]\nusers = no-such-user-at-all\n[ping]\nallow = *\n"};
  for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
    put(&h, "broken.grant", broken[i]);
    cr_expect_lt(reload(&h), 0, "%zu", i);
    cr_expect_eq(n_rights(&h, changed), 2);
    cr_expect_eq(n_rights(&h, gone), 1);
    cr_expect_eq(n_rights(&h, take_ping(&h, "gone")), 1, "its door is still there");
    cr_expect_eq(knock(&h, "broken"), -1);
  }
  put(&h, "broken.grant", KEPT);
  cr_expect_eq(reload(&h), 0);
  expect_terminal(&h.w, gone, REVOKED);
  expect_terminal(&h.w, changed, REVOKED);
  house_close(&h);
}
