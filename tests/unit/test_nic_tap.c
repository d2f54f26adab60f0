/* SPDX-License-Identifier: BSD-3-Clause
 * The TAP device against the kernel's end of it, in a network namespace of the test's own. Needs root and /dev/net/tun;
 * skipped otherwise. The kernel's end is read and written by a packet socket with an experimental EtherType
 * (IEEE 802 local experimental 1), so nothing the kernel itself says is mistaken for the test's frames.
 */
#include "nic/nic_gso.h"
#include "nic_util.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
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
    cr_expect_eq(nic_send_one(nic, out, fill_frame(out, i, sizeof out)), 1u);
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
      {.fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC)},
      {.fd = open("/dev/null", O_RDWR | O_CLOEXEC)},
  };
  for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
    cr_expect_eq(nic_tap_open(loop, &wrong[i], &nic), -EINVAL, "case %zu", i);
  cr_expect_null(nic);
  cr_expect_eq(open_fds(), before);
  loop_free(loop);
}

/* --- offloads --------------------------------------------------------------------------------------------------- */

#define ALL_FEATURES (NIC_TX_CSUM | NIC_TX_TSO4 | NIC_TX_TSO6 | NIC_RX_CSUM | NIC_RX_TSO4 | NIC_RX_TSO6)
#define GSO_PAYLOAD 20000u
#define GSO_SIZE 1460u

struct vnet_frame {
  struct virtio_net_hdr hdr;
  uint8_t frame[54 + GSO_PAYLOAD];
};

/* A TCP segment of many packets, to the broadcast address so that nobody else minds it; its checksum is left open. */
static void fill_super(uint8_t *f, size_t payload) {
  static const uint8_t ip[] = {0x45, 0, 0, 0, 0, 1, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2};
  uint32_t sum = 0;
  memset(f, 0, 54);
  memset(f, 0xff, 6);
  f[6] = 0x02;
  f[12] = 8;
  memcpy(f + 14, ip, sizeof ip);
  f[16] = (uint8_t)((40 + payload) >> 8);
  f[17] = (uint8_t)(40 + payload);
  for (int i = 0; i < 20; i += 2)
    sum += (uint32_t)f[14 + i] << 8 | f[15 + i];
  sum = ~((sum & 0xffff) + (sum >> 16));
  f[24] = (uint8_t)(sum >> 8);
  f[25] = (uint8_t)sum;
  f[46] = 5 << 4;
  f[47] = 0x10;
  for (size_t i = 0; i < payload; i++)
    f[54 + i] = (uint8_t)(i * 13 + (i >> 8));
}

static int vnet_socket(const char *name) {
  struct sockaddr_ll at = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex(name)};
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_IP)), one = 1;
  struct timeval tv = {.tv_sec = 5};
  cr_assert_eq(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one), 0);
  cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  return fd;
}

static struct vnet_frame big;

static void kernel_send_super(int sock) {
  struct nic_offload off;
  fill_super(big.frame, GSO_PAYLOAD);
  cr_assert_eq(nic_tcp_partial(big.frame, 54, sizeof big.frame, GSO_SIZE, &off), 0);
  big.hdr = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                    .hdr_len = 54, .gso_size = GSO_SIZE, .csum_start = 34, .csum_offset = 16};
  cr_assert_eq(send(sock, &big, sizeof big, 0), (ssize_t)sizeof big, "send: %s", strerror(errno));
}

static unsigned send_super(struct nic *nic) {
  struct nic_frame f = {.n_iov = 3, .len = sizeof big.frame};
  struct iovec iov[] = {{big.frame, 54}, {big.frame + 54, 7000}, {big.frame + 7054, sizeof big.frame - 7054}};
  f.iov = iov;
  fill_super(big.frame, GSO_PAYLOAD);
  cr_assert_eq(nic_tcp_partial(big.frame, 54, f.len, GSO_SIZE, &f.off), 0);
  return nic_send(nic, &f, 1);
}

/* Super-frames both ways as they are; what the kernel tells of them is told above. */
static void super_case(struct nic *nic) {
  cr_assert_eq(nic_start(nic, &sink_upcalls, &sink), 0);
  int sock = vnet_socket(TAP);
  kernel_send_super(sock);
  run_until(sink.n >= 1);
  cr_assert_eq(sink.n, 1u);
  cr_expect_eq(sink.got[0].len, sizeof big.frame);
  cr_expect_eq(sink.got[0].pieces, 2u);
  cr_expect_arr_eq(sink.got[0].data, big.frame, SINK_FRAME_MAX);
  const struct nic_offload *off = &sink.got[0].off;
  cr_expect(off->gso == NIC_GSO_TCP4 && off->csum == NIC_CSUM_PARTIAL && off->gso_size == GSO_SIZE);
  cr_expect(off->csum_start == 34 && off->csum_offset == 16);
  cr_expect_eq(nic->counters.rx_bytes, sizeof big.frame);

  static struct vnet_frame in;
  cr_expect_eq(send_super(nic), 1u);
  ssize_t n;
  do { /* the socket hears its own frame as well */
    n = recv(sock, &in, sizeof in, 0);
  } while (n > 0 && in.frame[6] != 0x02);
  cr_assert_eq(n, (ssize_t)sizeof in);
  cr_expect_eq(in.hdr.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
  cr_expect_eq(in.hdr.gso_size, GSO_SIZE);
  cr_expect_eq(memcmp(in.frame, big.frame, sizeof big.frame), 0);
  (void)close(sock);
  nic_free(nic);
  loop = loop_free(loop);
  struct nic_buf_stats st;
  nic_buf_get_stats(&st);
  cr_expect_eq(st.held, 0u);
}

Test(nic_tap, a_tap_made_by_us_has_the_offloads_of_the_kernel) {
  need_tap();
  struct nic *nic = tap_open(0);
  cr_expect_eq(nic->features, ALL_FEATURES, "%x", nic->features);
  super_case(nic);
}

Test(nic_tap, an_inherited_descriptor_with_the_header_has_them_too) {
  need_tap();
  struct nic_tap_config cfg = {.fd = make_tap(TAP, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, false)};
  int len = 12;
  cr_assert_eq(ioctl(cfg.fd, TUNSETVNETHDRSZ, &len), 0);
  if_request(TAP, SIOCSIFFLAGS, IFF_UP);
  struct nic *nic = NULL;
  cr_assert_eq(nic_tap_open(loop, &cfg, &nic), 0);
  cr_expect_eq(nic->features, ALL_FEATURES, "%x", nic->features);
  super_case(nic);
}

Test(nic_tap, without_the_header_both_ends_cut) {
  need_tap();
  struct nic_tap_config cfg = {.fd = make_tap(TAP, IFF_TAP | IFF_NO_PI, false)};
  cr_assert_eq(ioctl(cfg.fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4), 0); /* somebody before us */
  if_request(TAP, SIOCSIFFLAGS, IFF_UP);
  struct nic *nic = NULL;
  cr_assert_eq(nic_tap_open(loop, &cfg, &nic), 0);
  cr_expect_eq(nic->features, 0u);
  cr_assert_eq(nic_start(nic, &sink_upcalls, &sink), 0);
  int sock = vnet_socket(TAP);
  unsigned packets = (GSO_PAYLOAD + GSO_SIZE - 1) / GSO_SIZE;
  kernel_send_super(sock);
  run_until(sink.n >= packets);
  cr_assert_eq(sink.n, packets);
  size_t all = 0;
  for (unsigned i = 0; i < packets; i++) {
    cr_expect_leq(sink.got[i].len, 1514u);
    cr_expect_eq(sink.got[i].off.csum, NIC_CSUM_NONE);
    cr_expect_eq(memcmp(sink.got[i].data + 54, big.frame + 54 + all, sink.got[i].len - 54), 0);
    all += sink.got[i].len - 54;
  }
  cr_expect_eq(all, GSO_PAYLOAD);
  (void)close(sock);

  sock = vnet_socket(TAP);
  static struct vnet_frame in;
  cr_expect_eq(send_super(nic), 1u);
  cr_expect_eq(nic->counters.tx_frames, packets);
  for (size_t at = 0; at < GSO_PAYLOAD;) {
    ssize_t n = recv(sock, &in, sizeof in, 0);
    cr_assert_gt(n, 64);
    size_t here = (size_t)n - sizeof in.hdr - 54;
    cr_expect(here <= GSO_SIZE && in.hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE);
    cr_expect_eq(memcmp(in.frame + 54, big.frame + 54 + at, here), 0);
    at += here;
  }
  (void)close(sock);
  nic_free(nic);
  loop_free(loop);
}

Test(nic_tap, with_no_buffer_left_frames_are_read_and_counted) {
  need_tap();
  struct nic *nic = tap_open(0);
  struct nic_buf_stats st;
  cr_assert_eq(nic_start(nic, &sink_upcalls, &sink), 0);
  int sock = packet_socket(TAP);
  nic_buf_set_limit(1000);
  for (uint32_t i = 0; i < 10; i++)
    kernel_send(sock, i, 60);
  run_until(nic->counters.rx_dropped >= 10);
  cr_expect_eq(nic->counters.rx_dropped, 10u);
  nic_buf_get_stats(&st);
  cr_expect_geq(st.refused, 10u);
  cr_expect_eq(sink.n, 0u);
  nic_buf_set_limit(NIC_BUF_LIMIT_DEFAULT);
  kernel_send(sock, 42, 60);
  run_until(sink.n >= 1);
  cr_expect_eq(sink_id(&sink, 0), 42u);
  (void)close(sock);
  nic_free(nic);
  loop_free(loop);
}

/* A turn reads no more than the last one found, so the call that learns only EAGAIN is rare. */
Test(nic_tap, after_a_lone_frame_a_turn_reads_one) {
  need_tap();
  struct nic *nic = tap_open(0);
  cr_assert_eq(nic_start(nic, &sink_upcalls, &sink), 0);
  int sock = packet_socket(TAP);
  kernel_send(sock, 1, 60);
  run_until(sink.n >= 1);
  unsigned calls = sink.calls;
  kernel_send(sock, 2, 60);
  kernel_send(sock, 3, 60);
  kernel_send(sock, 4, 60);
  run_until(sink.n >= 4);
  cr_expect_eq(sink.calls - calls, 3u);
  for (uint32_t i = 0; i < 200; i++)
    kernel_send(sock, i, 60);
  calls = sink.calls;
  run_until(sink.n >= 204);
  cr_expect_eq(sink.n, 204u);
  cr_expect_leq(sink.calls - calls, 30u, "%u turns: it reads more where more is", sink.calls - calls);
  (void)close(sock);
  nic_free(nic);
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
