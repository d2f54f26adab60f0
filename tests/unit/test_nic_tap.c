/* SPDX-License-Identifier: BSD-3-Clause
 * The TAP device against the kernel's end of it, in a network namespace of the test's own. Needs root and /dev/net/tun;
 * skipped otherwise. The kernel's end is read and written by a packet socket with an experimental EtherType
 * (IEEE 802 local experimental 1), so nothing the kernel itself says is mistaken for the test's frames.
 */
#include "nic_util.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define TEST_TYPE 0x88b5
#define TAP "captap0"

static struct loop *loop;
static struct sink sink;

static void need_tap(void) {
  if (geteuid() != 0)
    cr_skip_test("needs root for a network namespace and a TAP");
  if (access("/dev/net/tun", R_OK | W_OK) < 0)
    cr_skip_test("needs /dev/net/tun");
  if (unshare(CLONE_NEWNET) < 0)
    cr_skip_test("cannot make a network namespace: %s", strerror(errno));
  int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    (void)!write(fd, "1", 1);
    (void)close(fd);
  }
  cr_assert_eq(loop_sim_new(&loop), 0);
}

static unsigned open_fds(void) {
  unsigned n = 0;
  DIR *d = opendir("/proc/self/fd");
  while (readdir(d))
    n++;
  closedir(d);
  return n;
}

static int make_tap(const char *name, short flags, bool persist) {
  struct ifreq ifr = {.ifr_flags = flags};
  (void)snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  cr_assert_geq(fd, 0);
  cr_assert_eq(ioctl(fd, TUNSETIFF, &ifr), 0);
  if (persist)
    cr_assert_eq(ioctl(fd, TUNSETPERSIST, 1), 0);
  return fd;
}

static void if_request(const char *name, unsigned long request, int value) {
  struct ifreq ifr = {0};
  (void)snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
  int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (request == SIOCSIFMTU)
    ifr.ifr_mtu = value;
  else
    ifr.ifr_flags = (short)value;
  cr_assert_eq(ioctl(sock, request, &ifr), 0, "ioctl: %s", strerror(errno));
  (void)close(sock);
}

static int packet_socket(const char *name) {
  struct sockaddr_ll at = {
      .sll_family = AF_PACKET, .sll_protocol = htons(TEST_TYPE), .sll_ifindex = (int)if_nametoindex(name)};
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(TEST_TYPE));
  cr_assert_geq(fd, 0);
  cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
  struct timeval tv = {.tv_sec = 5};
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  return fd;
}

static size_t fill_frame(uint8_t *buf, uint32_t id, size_t len) {
  memset(buf, 0, len);
  memset(buf, 0xff, 6);
  buf[6] = 0x02;
  buf[12] = TEST_TYPE >> 8;
  buf[13] = TEST_TYPE & 0xff;
  memcpy(buf + NIC_HEADER_LEN, &id, sizeof id);
  return len;
}

static void kernel_send(int sock, uint32_t id, size_t len) {
  uint8_t buf[NIC_HEADER_LEN + NIC_MTU_MAX];
  cr_assert_eq(send(sock, buf, fill_frame(buf, id, len), 0), (ssize_t)len, "send: %s", strerror(errno));
}

static struct nic *tap_open(unsigned mtu) {
  struct nic *nic = NULL;
  struct nic_tap_config cfg = {.ifname = TAP, .fd = -1, .mtu = mtu};
  int r = nic_tap_open(loop, &cfg, &nic);
  cr_assert_eq(r, 0, "nic_tap_open: %s", strerror(-r));
  return nic;
}

/* The simulated loop does not wait for the kernel: call it until what is expected is there, two seconds at the most. */
#define run_until(cond)                                                                                                \
  for (int _i = 0; _i < 400 && ((void)loop_run(loop), !(cond)); _i++)                                                  \
  (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL)

Test(nic_tap, a_tap_made_by_us_is_up_carries_frames_both_ways_and_is_gone_afterwards) {
  need_tap();
  unsigned before = open_fds();
  struct nic *nic = tap_open(0);
  cr_expect_str_eq(nic->ops->kind, "tap");
  cr_expect_str_eq(nic->name, TAP);
  cr_expect_eq(nic->mtu, 1500u);
  cr_expect_str_eq(nic->mtu_origin, "device");
  cr_expect(nic->link_up);
  cr_expect_eq(nic->mac[0] & 3, 2);
  cr_assert_eq(nic_start(nic, &sink_upcalls, &sink), 0);
  int sock = packet_socket(TAP);

  for (uint32_t i = 0; i < 100; i++)
    kernel_send(sock, i, 60 + i);
  run_until(sink.n >= 100);
  cr_assert_eq(sink.n, 100u);
  cr_expect_geq(sink.calls, 4u, "a turn reads a bounded batch");
  for (uint32_t i = 0; i < 100; i++) {
    cr_expect_eq(sink_id(&sink, i), i);
    cr_expect_eq(sink.got[i].len, 60u + i);
  }

  uint8_t out[1514], in[1600];
  for (uint32_t i = 0; i < 3; i++)
    cr_expect_eq(nic_send(nic, &(struct nic_frame){out, fill_frame(out, i, sizeof out)}, 1), 1u);
  for (uint32_t i = 0; i < 3; i++) {
    cr_assert_eq(recv(sock, in, sizeof in, 0), (ssize_t)sizeof out);
    fill_frame(out, i, sizeof out);
    cr_expect_arr_eq(in, out, sizeof out);
  }
  (void)close(sock);
  nic = nic_free(nic);
  cr_expect_eq(if_nametoindex(TAP), 0u, "not persistent");
  cr_expect_eq(open_fds(), before);
  loop = loop_free(loop);
}

Test(nic_tap, a_frame_over_the_configured_mtu_is_counted_and_the_next_one_is_read) {
  need_tap();
  struct nic *nic = tap_open(1000);
  cr_expect_str_eq(nic->mtu_origin, "configuration");
  cr_assert_eq(nic_start(nic, &sink_upcalls, &sink), 0);
  int sock = packet_socket(TAP);
  kernel_send(sock, 1, NIC_HEADER_LEN + 1001);
  kernel_send(sock, 2, NIC_HEADER_LEN + 1000);
  run_until(sink.n >= 1);
  cr_assert_eq(sink.n, 1u);
  cr_expect_eq(sink_id(&sink, 0), 2u);
  cr_expect_eq(nic->counters.rx_dropped, 1u);
  (void)close(sock);
  nic_free(nic);
  loop_free(loop);
}

Test(nic_tap, a_persistent_tap_keeps_its_mtu_and_its_life_and_admin_state) {
  need_tap();
  (void)close(make_tap(TAP, IFF_TAP | IFF_NO_PI, true));
  if_request(TAP, SIOCSIFMTU, 1400);
  struct nic *nic = tap_open(0);
  cr_expect_eq(nic->mtu, 1400u);
  cr_expect_not(nic->link_up, "an administrator's down stays down");
  cr_assert_eq(nic_start(nic, &sink_upcalls, &sink), 0);
  cr_expect_eq(send_numbered(nic, 1, 60), 0u);
  cr_expect_eq(nic->counters.tx_dropped, 1u);
  if_request(TAP, SIOCSIFFLAGS, IFF_UP);
  run_until(sink.link_calls > 0);
  cr_expect(nic->link_up);
  cr_expect_eq(sink.link_calls, 1u);
  cr_expect_eq(send_numbered(nic, 1, 60), 1u);
  nic_free(nic);
  cr_expect_neq(if_nametoindex(TAP), 0u);
  loop_free(loop);
}

Test(nic_tap, link_goes_down_with_the_interface_and_comes_back_without_spinning) {
  need_tap();
  struct nic *nic = tap_open(0);
  cr_assert_eq(nic_start(nic, &sink_upcalls, &sink), 0);
  if_request(TAP, SIOCSIFFLAGS, 0);
  (void)loop_run(loop);
  cr_expect_eq(send_numbered(nic, 1, 60), 0u);
  cr_expect_eq(sink.link_calls, 0u, "never from inside send");
  (void)loop_run(loop);
  cr_expect_eq(sink.link_calls, 1u);
  cr_expect_not(sink.link);

  struct loop_stats before, after;
  loop_get_stats(loop, &before);
  for (int i = 0; i < 50; i++)
    (void)loop_run(loop);
  loop_get_stats(loop, &after);
  cr_expect_leq(after.watch_calls - before.watch_calls, 2u, "idle while down");

  if_request(TAP, SIOCSIFFLAGS, IFF_UP);
  run_until(sink.link_calls >= 2);
  cr_expect_eq(sink.link_calls, 2u);
  cr_expect(nic->link_up);
  cr_expect_eq(send_numbered(nic, 1, 60), 1u);
  nic_free(nic);
  loop_free(loop);
}

static void stop_when_gone(void *arg, int error) {
  sink_gone(arg, error);
  loop_stop(loop);
}

static void gone_case(int (*loop_new)(struct loop **)) {
  static const struct nic_upcalls up = {.frames = sink_frames, .link = sink_link, .gone = stop_when_gone};
  loop = loop_free(loop);
  cr_assert_eq(loop_new(&loop), 0);
  struct nic *nic = tap_open(0);
  cr_assert_eq(nic_start(nic, &up, &sink), 0);
  cr_assert_eq(system("ip link del " TAP), 0);
  (void)loop_run(loop);
  cr_expect_eq(sink.gone_calls, 1u);
  cr_expect_eq(sink.gone_error, -ENODEV);
  cr_expect_eq(send_numbered(nic, 1, 60), 0u);

  struct loop_stats before, after;
  loop_get_stats(loop, &before);
  if (loop_new == loop_sim_new)
    for (int i = 0; i < 50; i++)
      (void)loop_run(loop);
  loop_get_stats(loop, &after);
  cr_expect_eq(after.watch_calls, before.watch_calls);
  nic_free(nic);
  loop = loop_free(loop);
}

Test(nic_tap, a_deleted_device_is_gone_once_in_the_simulated_loop) {
  need_tap();
  gone_case(loop_sim_new);
}

Test(nic_tap, a_deleted_device_is_gone_once_in_the_real_loop, .timeout = 20) {
  need_tap();
  gone_case(loop_uv_new);
}

Test(nic_tap, an_inherited_descriptor_works_and_the_wrong_ones_are_refused_and_closed) {
  need_tap();
  unsigned before = open_fds();
  struct nic *nic = NULL;
  struct nic_tap_config cfg = {.fd = make_tap(TAP, IFF_TAP | IFF_NO_PI, false), .mac = {2, 1, 2, 3, 4, 5}};
  if_request(TAP, SIOCSIFMTU, 1280);
  if_request(TAP, SIOCSIFFLAGS, IFF_UP);
  cr_assert_eq(nic_tap_open(loop, &cfg, &nic), 0);
  cr_expect_str_eq(nic->name, TAP);
  cr_expect_eq(nic->mtu, 1280u);
  cr_expect_arr_eq(nic->mac, cfg.mac, 6);
  cr_assert_eq(nic_start(nic, &sink_upcalls, &sink), 0);
  int sock = packet_socket(TAP);
  kernel_send(sock, 7, 60);
  run_until(sink.n >= 1);
  cr_expect_eq(sink.n, 1u);
  (void)close(sock);
  nic = nic_free(nic);

  struct nic_tap_config wrong[] = {
      {.fd = make_tap("captun0", IFF_TUN | IFF_NO_PI, false)},
      {.fd = make_tap("capvh0", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, false)},
      {.fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC)},
      {.fd = open("/dev/null", O_RDWR | O_CLOEXEC)},
  };
  for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
    cr_expect_eq(nic_tap_open(loop, &wrong[i], &nic), -EINVAL, "case %zu", i);
  cr_expect_null(nic);
  cr_expect_eq(open_fds(), before);
  loop_free(loop);
}

Test(nic_tap, an_inherited_device_of_another_namespace_does_not_borrow_a_namesakes_mtu) {
  need_tap();
  struct nic *nic = NULL;
  struct nic_tap_config cfg = {.fd = make_tap(TAP, IFF_TAP | IFF_NO_PI, false)};
  if_request(TAP, SIOCSIFMTU, 1280);
  cr_assert_eq(unshare(CLONE_NEWNET), 0);
  int namesake = make_tap(TAP, IFF_TAP | IFF_NO_PI, false);
  if_request(TAP, SIOCSIFMTU, 1300);
  cr_assert_eq(nic_tap_open(loop, &cfg, &nic), 0);
  cr_expect_eq(nic->mtu, 1500u);
  cr_expect_str_eq(nic->mtu_origin, "default");
  nic_free(nic);
  (void)close(namesake);
  loop_free(loop);
}

Test(nic_tap, errors_are_told_apart) {
  need_tap();
  struct nic *nic = NULL;
  int busy = make_tap(TAP, IFF_TAP | IFF_NO_PI, false);
  struct nic_tap_config cfg = {.ifname = TAP, .fd = -1};
  cr_expect_eq(nic_tap_open(loop, &cfg, &nic), -EBUSY);
  (void)close(busy);

  const char *bad[] = {NULL, "", "a/b", "cap%d", "sixteen-chars-xx", "lo", "..", "a b"};
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    cfg.ifname = bad[i];
    cr_expect_eq(nic_tap_open(loop, &cfg, &nic), -EINVAL, "case %zu", i);
  }
  cfg.ifname = "fifteen-chars-x";
  cr_assert_eq(nic_tap_open(loop, &cfg, &nic), 0);
  nic = nic_free(nic);

  cfg.ifname = TAP;
  unsigned mtus[] = {NIC_MTU_MIN - 1, NIC_MTU_MAX + 1};
  for (size_t i = 0; i < ARRAY_SIZE(mtus); i++) {
    cfg.mtu = mtus[i];
    cr_expect_eq(nic_tap_open(loop, &cfg, &nic), -EINVAL);
  }
  cfg.mtu = 0;
  cr_assert_eq(setresuid(65534, 65534, 65534), 0);
  cr_expect_eq(nic_tap_open(loop, &cfg, &nic), -EPERM);
  cr_expect_null(nic);
  loop_free(loop);
}
