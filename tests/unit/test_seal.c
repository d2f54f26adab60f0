/* SPDX-License-Identifier: BSD-3-Clause
 * Sealed namespaces: true addresses, resets, accept queues, and that nothing stays behind.
 */
#include "seal_util.h"

#include "base/util.h"

#include "seal/seal_internal.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>

static struct seal_chamber *chamber(struct seal *s, uint64_t owner) {
  struct seal_chamber *c = NULL;
  cr_assert_eq(seal_chamber_get(s, owner, &c), 0);
  return c;
}

static void end_to_end(const char *local, const char *remote) {
  struct seal *s = seal_or_skip();
  struct seal_chamber *c = chamber(s, 1);
  int ours, program;
  char buf[8];
  const struct net_endpoint l = at(local), r = at(remote);
  cr_assert_eq(seal_connect(c, &l, &r, &ours, &program), 0);
  cr_expect_str_eq(name_of(program, false), local);
  cr_expect_str_eq(name_of(program, true), remote);
  cr_assert_eq(write(program, "up", 2), 2);
  cr_expect(becomes(ours, POLLIN));
  cr_expect_eq(read(ours, buf, sizeof buf), 2);
  cr_assert_eq(write(ours, "down", 4), 4);
  cr_expect_eq(read(program, buf, sizeof buf), 4);
  cr_assert_eq(shutdown(ours, SHUT_WR), 0);
  cr_expect_eq(read(program, buf, sizeof buf), 0, "half closed");
  cr_assert_eq(write(program, "up", 2), 2);
  cr_expect(becomes(ours, POLLIN));
  cr_expect_eq(read(ours, buf, sizeof buf), 2);
  close(ours);
  close(program);
  seal_chamber_unref(c);
  seal_end(s);
}

Test(seal, addresses_are_true) { end_to_end("10.0.2.15:40000", "192.0.2.7:443"); }
Test(seal, addresses_are_true_ipv6) { end_to_end("[2001:db8::15]:40000", "[2001:db8:1::7]:443"); }

Test(seal, addresses_are_true_link_local) { end_to_end("[fe80::15]:40000", "[fe80::2:7]:443"); }

/* Who a listening socket at `where` lets in: of each family one comes. */
static void listens(struct seal_chamber *c, const struct net_endpoint *where, const char *v4_peer, const char *v6_peer) {
  const char *const peers[2] = {v4_peer, v6_peer};
  const struct net_endpoint to[2] = {at("10.0.2.15:8080"), at("[2001:db8::15]:8080")},
                            from[2] = {at("192.0.2.7:50000"), at("[2001:db8:1::7]:50000")};
  int listener, ours, program;
  char byte;
  cr_assert_eq(seal_listen(c, where, 5, &listener), 0);
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(seal_enter(c, &to[i], &from[i], &ours), 0);
    if (peers[i]) {
      cr_assert(becomes(listener, POLLIN));
      program = accept(listener, NULL, NULL);
      cr_assert_geq(program, 0);
      cr_expect_str_eq(name_of(program, true), peers[i]);
      close(program);
    } else {
      cr_expect(becomes(ours, POLLERR | POLLHUP));
      cr_expect_eq(read(ours, &byte, 1), -1);
      cr_expect_eq(errno, ECONNREFUSED);
    }
    close(ours);
  }
  close(listener);
}

Test(seal, a_listener_of_both_families_or_of_one) {
  struct seal *s = seal_or_skip();
  struct seal_chamber *c = chamber(s, 1);
  const struct net_endpoint both = {.port = 8080}, v4 = at("0.0.0.0:8080"), v6 = at("[::]:8080"),
                            one = at("[2001:db8::15]:8080");
  listens(c, &both, "[::ffff:192.0.2.7]:50000", "[2001:db8:1::7]:50000");
  listens(c, &v4, "192.0.2.7:50000", NULL);
  listens(c, &v6, NULL, "[2001:db8:1::7]:50000");
  listens(c, &one, NULL, "[2001:db8:1::7]:50000");
  seal_chamber_unref(c);
  seal_end(s);
}

Test(seal, a_close_that_was_not_prepared_is_a_reset) {
  struct seal *s = seal_or_skip();
  struct seal_chamber *c = chamber(s, 1);
  int ours, program;
  char buf[8];
  const struct net_endpoint l = at("10.0.2.15:40000"), r = at("192.0.2.7:443");
  cr_assert_eq(seal_connect(c, &l, &r, &ours, &program), 0);
  cr_assert_eq(write(ours, "last", 4), 4);
  close(ours);
  cr_expect_eq(read(program, buf, sizeof buf), 4, "what was delivered stays readable");
  cr_expect_eq(read(program, buf, sizeof buf), -1);
  cr_expect_eq(errno, ECONNRESET);
  close(program);
  seal_chamber_unref(c);
  seal_end(s);
}

Test(seal, the_same_four_tuple_at_once) {
  struct seal *s = seal_or_skip();
  struct seal_chamber *c = chamber(s, 1);
  const unsigned before = fd_count();
  struct seal_stats stats, later;
  seal_get_stats(s, &stats);
  const struct net_endpoint l = at("10.0.2.15:40000"), r = at("192.0.2.7:443");
  for (int i = 0; i < 600; i++) {
    int ours, program;
    cr_assert_eq(seal_connect(c, &l, &r, &ours, &program), 0, "round %d", i);
    int *first = i % 2 ? &ours : &program, *second = i % 2 ? &program : &ours;
    if (i % 3 == 0) {
      (void)shutdown(*first, SHUT_WR);
      (void)shutdown(*second, SHUT_WR);
    }
    *first = fd_close(*first);
    *second = fd_close(*second);
  }
  seal_get_stats(s, &later);
  cr_expect_eq(fd_count() - later.sockets, before - stats.sockets);
  seal_chamber_unref(c);
  seal_end(s);
}

Test(seal, a_listener_s_queue) {
  struct seal *s = seal_or_skip();
  struct seal_chamber *c = chamber(s, 1);
  const struct net_endpoint l = at("10.0.2.15:8080"), any = {.port = 8080};
  int listener, ours[3], program;
  unsigned waiting = 9, backlog = 9;
  cr_assert_eq(seal_listen(c, &any, 5, &listener), 0);
  cr_assert(seal_queue(listener, &waiting, &backlog));
  cr_expect_eq(waiting, 0);
  cr_expect_eq(backlog, 5);
  cr_expect_eq(fcntl(listener, F_GETFL) & O_NONBLOCK, 0, "as accept(2) of any program expects it");
  cr_assert_eq(listen(listener, 2), 0, "the program's word");
  for (unsigned i = 0; i < 2; i++) {
    const struct net_endpoint r = {.addr = net_addr_v4(0xc0000207), .port = (uint16_t)(50000 + i)};
    cr_assert_eq(seal_enter(c, &l, &r, &ours[i]), 0);
    cr_expect(becomes(ours[i], POLLOUT));
  }
  cr_assert(seal_queue(listener, &waiting, &backlog));
  cr_expect_eq(waiting, 2);
  cr_expect_eq(backlog, 2);
  cr_expect(becomes(listener, POLLIN));
  program = accept(listener, NULL, NULL);
  cr_assert_geq(program, 0);
  cr_expect_str_eq(name_of(program, true), "[::ffff:192.0.2.7]:50000");
  cr_expect_str_eq(name_of(program, false), "[::ffff:10.0.2.15]:8080");
  /* The end: who waits is reset, who was accepted lives on, the listener accepts no more. */
  seal_end_listener(listener);
  cr_expect(!seal_queue(listener, &waiting, &backlog));
  cr_expect_eq(accept(listener, NULL, NULL), -1);
  cr_expect_eq(errno, EINVAL);
  cr_expect(becomes(ours[1], POLLERR | POLLHUP));
  cr_assert_eq(write(program, "on", 2), 2);
  cr_expect(becomes(ours[0], POLLIN));
  /* Nobody listens: our end is refused. */
  const struct net_endpoint r = at("192.0.2.7:50009");
  char byte;
  cr_assert_eq(seal_enter(c, &l, &r, &ours[2]), 0);
  cr_expect(becomes(ours[2], POLLERR | POLLHUP));
  cr_expect_eq(read(ours[2], &byte, 1), -1);
  cr_expect_eq(errno, ECONNREFUSED);
  for (unsigned i = 0; i < 3; i++)
    close(ours[i]);
  close(program);
  close(listener);
  seal_chamber_unref(c);
  seal_end(s);
}

/* Of 65535 ports the last is the programs' own. */
Test(seal, ports_at_n_and_one_more) {
  struct seal *s = seal_or_skip();
  struct seal_chamber *c = chamber(s, 1);
  int ours = -1, program = -1;
  const struct net_endpoint last = at("10.0.2.15:65534"), over = at("10.0.2.15:65535"), r = at("192.0.2.7:65535");
  cr_assert_eq(seal_connect(c, &last, &r, &ours, &program), 0);
  close(ours);
  close(program);
  cr_expect_eq(seal_connect(c, &over, &r, &ours, &program), -EADDRINUSE);
  cr_expect_eq(seal_listen(c, &over, 1, &program), -EADDRINUSE);
  seal_chamber_unref(c);
  seal_end(s);
}

Test(seal, owners_do_not_meet) {
  struct seal *s = seal_or_skip();
  struct seal_chamber *one = chamber(s, 1), *two = chamber(s, 2);
  const struct net_endpoint any = {.port = 8080}, r = at("192.0.2.7:50000"), l = at("10.0.2.15:8080");
  int a, b, ours;
  cr_expect_neq(one, two);
  cr_assert_eq(seal_listen(one, &any, 5, &a), 0);
  cr_expect_eq(seal_listen(one, &any, 5, &b), -EADDRINUSE);
  cr_assert_eq(seal_listen(two, &any, 5, &b), 0);
  cr_assert_eq(seal_enter(two, &l, &r, &ours), 0);
  cr_expect(becomes(b, POLLIN));
  cr_expect_eq(try_accept(a), -1);
  struct seal_chamber *again = chamber(s, 2);
  cr_expect_eq(again, two);
  seal_chamber_unref(again);
  close(a);
  close(b);
  close(ours);
  seal_chamber_unref(one);
  seal_chamber_unref(two);
  seal_end(s);
}

/* Idle chambers are kept up to a number; those in use are bounded as well. */
Test(seal, chambers_at_n_and_one_more, .timeout = 120) {
  struct seal *s = seal_or_skip();
  struct seal_chamber *held[SEAL_CHAMBERS_MAX], *more = NULL;
  struct seal_stats stats;
  unsigned n = 0;
  for (uint64_t owner = 1; owner <= SEAL_IDLE_MAX + 5; owner++) {
    struct seal_chamber *c = chamber(s, owner);
    seal_chamber_unref(c);
  }
  seal_get_stats(s, &stats);
  cr_expect_leq(stats.chambers, SEAL_IDLE_MAX + 2, "%lu", (unsigned long)stats.chambers);
  int r = 0;
  while (n < SEAL_CHAMBERS_MAX && (r = seal_chamber_get(s, 1000 + n, &held[n])) == 0)
    n++;
  if (r == 0)
    r = seal_chamber_get(s, 5000, &more);
  cr_expect_null(more);
  cr_expect_eq(r, -ENOBUFS, "%d", r);
  cr_expect_geq(n, 200, "%u (a machine may have a bound of its own)", n);
  seal_chamber_unref(held[--n]);
  cr_expect_eq(seal_chamber_get(s, 6000, &more), 0, "the idle one made room");
  seal_chamber_unref(more);
  while (n > 0)
    seal_chamber_unref(held[--n]);
  seal_end(s);
}

Test(seal, nothing_of_the_helper_is_left) {
  const unsigned before = fd_count();
  struct seal *s = seal_or_skip();
  struct seal_chamber *c = chamber(s, 1);
  cr_expect_null(seal_why_not(s));
  seal_chamber_unref(c);
  seal_end(s);
  cr_expect_eq(fd_count(), before);
}

/* --- starts that fail ----------------------------------------------------------------------------------------------- */

static struct seal *start(void) {
  struct seal *s = NULL;
  const struct seal_config cfg = {.change_ids = geteuid() == 0, .uid = SEAL_UID, .gid = SEAL_UID};
  cr_assert_eq(seal_start(&cfg, &s), 0);
  return s;
}

static unsigned settled;
static void on_settled(void *arg) {
  settled++;
  loop_stop(arg);
}

/* As RestrictAddressFamilies= of a unit does it, for this process and what it forks. */
static void forbid_sockets(void) {
  scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
  cr_assert_not_null(f);
  for (int i = 0; i < 2; i++)
    cr_assert_eq(seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                  SCMP_A0_64(SCMP_CMP_EQ, (scmp_datum_t)(i ? AF_INET6 : AF_INET))), 0);
  cr_assert_eq(seccomp_load(f), 0);
  seccomp_release(f);
}

Test(seal, sockets_that_cannot_be_made) {
  seal_end(seal_or_skip()); /* whatever else is in the way is another test's */
  forbid_sockets();
  struct seal *s = start();
  cr_expect_eq(seal_wait(s), -EPIPE);
  cr_expect_not_null(strstr(seal_why_not(s), "no connection can be made in a sealed namespace"), "%s", seal_why_not(s));
  seal_free(s);

  struct loop *loop;
  cr_assert_eq(loop_uv_new(&loop), 0);
  s = start();
  cr_assert_eq(seal_join(s, loop, on_settled, loop), 0);
  cr_assert_eq(loop_run(loop), 0);
  cr_expect_eq(settled, 1);
  cr_expect_not_null(seal_why_not(s));
  seal_free(s);
  loop_free(loop);
}

Test(seal, settles_by_the_loop_alone) {
  struct loop *loop;
  seal_end(seal_or_skip());
  cr_assert_eq(loop_uv_new(&loop), 0);
  struct seal *s = start();
  cr_expect_not_null(seal_why_not(s), "not known yet");
  cr_assert_eq(seal_join(s, loop, on_settled, loop), 0);
  cr_assert_eq(loop_run(loop), 0);
  cr_expect_eq(settled, 1);
  cr_expect_null(seal_why_not(s), "%s", seal_why_not(s));
  seal_free(s);
  loop_free(loop);
}

/* Nobody of the loop waits for it for long, and no chamber is promised. */
Test(seal, a_helper_that_says_nothing) {
  struct loop *loop;
  struct seal_chamber *c = NULL;
  seal_end(seal_or_skip());
  cr_assert_eq(loop_uv_new(&loop), 0);
  struct seal *s = start();
  kill(s->child, SIGSTOP);
  cr_assert_eq(seal_join(s, loop, on_settled, loop), 0);
  cr_expect_eq(seal_wait(s), -ETIME);
  cr_expect_eq(seal_chamber_get(s, 1, &c), -ETIME);
  cr_expect_not_null(seal_why_not(s));
  kill(s->child, SIGCONT);
  cr_assert_eq(loop_run(loop), 0);
  cr_expect_eq(settled, 1);
  cr_expect_null(seal_why_not(s), "%s", seal_why_not(s));
  seal_free(s);
  loop_free(loop);
}

Test(seal, a_helper_that_ends) {
  struct seal *s = start();
  kill(s->child, SIGKILL);
  cr_expect_eq(seal_wait(s), -EPIPE);
  cr_expect_str_eq(seal_why_not(s), "the helper process ended");
  seal_free(s);
}
