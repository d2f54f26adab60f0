/* SPDX-License-Identifier: BSD-3-Clause
 * A TAP whose link, MTU and existence change under it, in a network namespace of the test's own. Needs root and
 * /dev/net/tun; skipped otherwise. What the device does it does as an ordinary user; only its administrator is root.
 */
#include "nic/nic_link.h"
#include "nic_util.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define TAP "captap0"
#define NOBODY 65534u

static struct loop *loop;
static struct nic_links *links;
static struct nic *nic;
static struct sink sink;
static unsigned mtu_calls, away_calls;
static int admin; /* a socket for the administrator's ioctls */

static void on_mtu(void *arg _unused_) { mtu_calls++; }
static void on_away(void *arg _unused_, bool away) {
  away_calls++;
  cr_expect_eq(away, nic->away);
  cr_expect_not(nic->link_up, "away is told without a link, both times");
}
static const struct nic_upcalls upcalls = {
    .frames = sink_frames, .link = sink_link, .mtu = on_mtu, .away = on_away, .gone = sink_gone};

static void world(void) {
  if (geteuid() != 0)
    cr_skip_test("needs root for a network namespace and a TAP");
  if (access("/dev/net/tun", R_OK | W_OK) < 0)
    cr_skip_test("needs /dev/net/tun");
  if (unshare(CLONE_NEWNET) < 0)
    cr_skip_test("cannot make a network namespace: %s", strerror(errno));
  cr_assert_eq(loop_sim_new(&loop), 0);
  cr_assert_eq(nic_links_open(&links), 0);
  admin = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static void over(void) {
  nic = nic_free(nic);
  links = nic_links_free(links);
  loop = loop_free(loop);
  (void)close(admin);
}

static void request(const char *name, unsigned long request, int value) {
  struct ifreq ifr = {0};
  (void)snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
  if (request == SIOCSIFMTU)
    ifr.ifr_mtu = value;
  else
    ifr.ifr_flags = (short)value;
  cr_assert_eq(ioctl(admin, request, &ifr), 0, "ioctl: %s", strerror(errno));
}

/* As `ip tuntap add` does; the descriptor is its, until it is closed. */
static int make(uid_t owner) {
  struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  (void)snprintf(ifr.ifr_name, IFNAMSIZ, "%s", TAP);
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  cr_assert_eq(ioctl(fd, TUNSETIFF, &ifr), 0, "TUNSETIFF: %s", strerror(errno));
  cr_assert_eq(ioctl(fd, TUNSETOWNER, (unsigned long)owner), 0);
  cr_assert_eq(ioctl(fd, TUNSETPERSIST, 1), 0);
  return fd;
}

/* RTM_DELLINK by way of the one who may: the device's descriptor cannot, while another is attached. */
static void delete_device(void) { cr_assert_eq(system("ip link delete " TAP), 0); }

static void start(uid_t owner, unsigned mtu) {
  (void)close(make(owner));
  request(TAP, SIOCSIFFLAGS, IFF_UP);
  struct nic_tap_config cfg = {.ifname = TAP, .fd = -1, .mtu = mtu, .links = links, .uid = NOBODY, .gid = NOBODY};
  cr_assert_eq(nic_tap_open(loop, &cfg, &nic), 0);
  cr_assert_eq(nic_links_start(links, loop), 0);
  cr_assert_eq(nic_start(nic, &upcalls, &sink), 0);
  cr_assert_eq(seteuid(NOBODY), 0);
}

static void as_root(void) { cr_assert_eq(seteuid(0), 0); }
static void as_nobody(void) { cr_assert_eq(seteuid(NOBODY), 0); }

/* The simulated loop moves its clocks only when told: the retries run in its time. */
#define run_until(cond)                                                                                                \
  for (int _i = 0; _i < 400 && ((void)loop_sim_advance(loop, NSEC_PER_MSEC), !(cond)); _i++)                           \
  (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL)

Test(nic_tap_link, down_up_and_mtu_are_told_without_a_frame) {
  world();
  start(NOBODY, 0);
  cr_expect(nic->link_up);
  cr_expect_eq(nic->mtu, 1500u);
  as_root();
  request(TAP, SIOCSIFFLAGS, 0);
  run_until(!nic->link_up);
  cr_expect(!nic->link_up && sink.link_calls == 1 && !sink.link);
  request(TAP, SIOCSIFFLAGS, IFF_UP);
  run_until(nic->link_up);
  cr_expect(nic->link_up && sink.link_calls == 2 && sink.link);
  request(TAP, SIOCSIFMTU, 1400);
  run_until(nic->mtu == 1400);
  cr_expect_eq(nic->mtu, 1400u);
  cr_expect_eq(mtu_calls, 1u);
  request(TAP, SIOCSIFMTU, 300); /* less than any host has to take */
  run_until(nic->mtu != 1400);
  cr_expect_eq(nic->mtu, (unsigned)NIC_MTU_MIN);
  cr_expect(away_calls == 0 && sink.gone_calls == 0 && sink.link_calls == 2);
  over();
}

Test(nic_tap_link, a_carrier_that_is_taken_away_is_a_link_that_is_down) {
  world();
  start(NOBODY, 0);
  as_root();
  cr_assert_eq(system("ip link set " TAP " carrier off"), 0);
  run_until(!nic->link_up);
  cr_expect_not(nic->link_up);
  cr_assert_eq(system("ip link set " TAP " carrier on"), 0);
  run_until(nic->link_up);
  cr_expect(nic->link_up);
  cr_expect_eq(sink.link_calls, 2u);
  over();
}

Test(nic_tap_link, a_configured_mtu_stays) {
  world();
  start(NOBODY, 1300);
  as_root();
  request(TAP, SIOCSIFMTU, 1400);
  request(TAP, SIOCSIFFLAGS, 0);
  run_until(!nic->link_up);
  cr_expect_eq(nic->mtu, 1300u);
  cr_expect_eq(mtu_calls, 0u);
  over();
}

Test(nic_tap_link, a_new_name_is_followed) {
  world();
  start(NOBODY, 0);
  as_root();
  cr_assert_eq(system("ip link set " TAP " name othername0"), 0);
  run_until(strcmp(nic->name, TAP) != 0);
  cr_expect_str_eq(nic->name, "othername0");
  over();
}

Test(nic_tap_link, a_persistent_one_is_opened_again_by_its_owner) {
  world();
  start(NOBODY, 0);
  for (unsigned round = 1; round <= 3; round++) {
    as_root();
    delete_device();
    as_nobody();
    run_until(nic->away);
    cr_assert(nic->away && !nic->link_up);
    cr_expect_eq(sink.gone_calls, 0u);
    struct loop_stats before, after;
    loop_get_stats(loop, &before);
    (void)loop_sim_advance(loop, NSEC_PER_SEC);
    loop_get_stats(loop, &after);
    cr_expect_eq(before.watch_calls, after.watch_calls, "what is away is not watched");
    cr_expect_eq(before.timer_calls, after.timer_calls, "nor polled");

    as_root();
    int holder = make(NOBODY);
    for (int i = 0; i < 20; i++) /* each is told, and none of them is the last try */
      request(TAP, SIOCSIFMTU, 1400 + i);
    as_nobody();
    run_until(false); /* 0.4 s of its time: two tries find it busy */
    cr_expect(nic->away);
    (void)close(holder);
    as_root();
    request(TAP, SIOCSIFMTU, 1500 - (int)round);
    as_nobody();
    run_until(!nic->away);
    cr_assert_not(nic->away);
    cr_expect_eq(nic->mtu, 1500 - round);
    cr_expect_neq(nic->features & NIC_RX_TSO4, 0u);
    as_root();
    request(TAP, SIOCSIFFLAGS, IFF_UP);
    as_nobody();
    run_until(nic->link_up);
    cr_expect(nic->link_up);
    cr_expect_eq(away_calls, 2 * round);
    uint8_t frame[60] = {[0 ... 5] = 0xff, [6] = 2, [12] = 0x88, [13] = 0xb5};
    cr_expect_eq(nic_send_one(nic, frame, sizeof frame), 1u, "it carries frames again");
  }
  as_root();
  over();
}

Test(nic_tap_link, one_that_came_back_as_somebody_elses_is_lost) {
  world();
  start(NOBODY, 0);
  as_root();
  delete_device();
  as_nobody();
  run_until(nic->away);
  as_root();
  (void)close(make(0));
  as_nobody();
  (void)loop_sim_advance(loop, 10 * NSEC_PER_SEC);
  run_until(sink.gone_calls > 0);
  cr_expect_eq(sink.gone_calls, 1u);
  cr_expect_eq(sink.gone_error, -EPERM);
  as_root();
  over();
}

Test(nic_tap_link, one_that_could_not_be_opened_again_is_lost_at_once) {
  world();
  start(0, 0); /* root's: attached with its privilege */
  as_root();
  delete_device();
  as_nobody();
  run_until(sink.gone_calls > 0);
  cr_expect_eq(sink.gone_calls, 1u);
  cr_expect_eq(sink.gone_error, -ENODEV);
  cr_expect_eq(away_calls, 0u);
  as_root();
  over();
}

Test(nic_tap_link, messages_that_were_lost_are_made_up_for) {
  world();
  start(NOBODY, 0);
  as_root();
  for (int i = 0; i < 3000; i++) /* more than the socket's buffer has room for */
    request(TAP, SIOCSIFMTU, 1500 - i % 7);
  request(TAP, SIOCSIFMTU, 1450);
  request(TAP, SIOCSIFFLAGS, 0);
  run_until(!nic->link_up);
  cr_expect_not(nic->link_up);
  cr_expect_eq(nic->mtu, 1450u);
  over();
}

/* A process in a namespace of its own that brings the device up there when it is told to. */
static pid_t elsewhere(int *ret_tell) {
  int to[2], from[2];
  char c = 0;
  cr_assert(pipe(to) == 0 && pipe(from) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    bool ok = unshare(CLONE_NEWNET) == 0 && write(from[1], &c, 1) == 1 && read(to[0], &c, 1) == 1 &&
              system("ip link set " TAP " up") == 0;
    (void)!read(to[0], &c, ok);
    _exit(!ok);
  }
  cr_assert_eq(read(from[0], &c, 1), 1);
  *ret_tell = to[1];
  return pid;
}

Test(nic_tap_link, a_device_moved_to_another_namespace_works_on) {
  world();
  int tell;
  pid_t pid = elsewhere(&tell);
  char command[64];
  start(NOBODY, 0);
  as_root();
  (void)snprintf(command, sizeof command, "ip link set " TAP " netns %d", (int)pid);
  cr_assert_eq(system(command), 0);
  run_until(!nic->link_up);
  cr_expect_not(nic->link_up);
  cr_assert_eq(write(tell, "", 1), 1);
  run_until(nic->link_up);
  cr_expect(nic->link_up, "tun itself says that it is up");
  cr_expect(sink.gone_calls == 0 && away_calls == 0);
  over();
  (void)kill(pid, SIGKILL);
}
