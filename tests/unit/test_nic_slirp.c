/* SPDX-License-Identifier: BSD-3-Clause
 * The embedded network with a real child process: a guest made of raw frames on one side, this machine's loopback on
 * the other. Needs no privilege.
 */
#include "nic_util.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define GUEST 0x0a00020fu
#define HOST 0x0a000202u
#define TH_SYN 0x02
#define TH_ACK 0x10

static struct loop *loop;
static struct sink sink;
static const uint8_t guest_mac[6] = {0x02, 0xca, 0x9e, 0, 0, 1};

/* Five seconds at the most; the child answers in well under a millisecond. */
#define run_until(cond)                                                                                                \
  for (int _i = 0; _i < 2500 && ((void)loop_run(loop), !(cond)); _i++)                                                 \
  (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL)

static unsigned open_fds(void) {
  unsigned n = 0;
  DIR *d = opendir("/proc/self/fd");
  while (readdir(d))
    n++;
  closedir(d);
  return n;
}

/* A value of /proc/PID/status as text, "" when the process is gone. */
static void proc_status(pid_t pid, const char *key, char ret[64]) {
  char path[64], line[256];
  ret[0] = '\0';
  (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  FILE *f = fopen(path, "re");
  while (f && fgets(line, sizeof line, f))
    if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
      (void)sscanf(line + strlen(key) + 1, "%63s", ret);
  if (f)
    fclose(f);
}

static pid_t child_of(pid_t parent) {
  pid_t found = 0;
  char value[64], name[64];
  DIR *d = opendir("/proc");
  for (struct dirent *e = readdir(d); e; e = readdir(d)) {
    pid_t pid = atoi(e->d_name);
    if (pid <= 0)
      continue;
    proc_status(pid, "PPid", value);
    proc_status(pid, "Name", name);
    if (atoi(value) == (int)parent && strcmp(name, "capnet-slirp") == 0)
      found = pid;
  }
  closedir(d);
  return found;
}

static struct nic *slirp_open(const struct nic_slirp_config *cfg) {
  struct nic *nic = NULL;
  if (!loop)
    cr_assert_eq(loop_sim_new(&loop), 0);
  int r = nic_slirp_open(loop, cfg, &nic);
  if (r == -EOPNOTSUPP)
    cr_skip_test("built without libslirp");
  cr_assert_eq(r, 0, "nic_slirp_open: %s", strerror(-r));
  memset(&sink, 0, sizeof sink);
  cr_assert_eq(nic_start(nic, &sink_upcalls, &sink), 0);
  return nic;
}

static void finish(struct nic *nic) {
  nic_free(nic);
  cr_expect_eq(child_of(getpid()), 0, "no child is left");
  cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "no zombie is left");
  loop = loop_free(loop);
}

static void put16(uint8_t *p, uint16_t v) {
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}
static void put32(uint8_t *p, uint32_t v) {
  put16(p, (uint16_t)(v >> 16));
  put16(p + 2, (uint16_t)v);
}
static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) << 16 | get16(p + 2); }

static uint16_t checksum(uint32_t sum, const uint8_t *p, size_t len) {
  for (size_t i = 0; i < len; i++)
    sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

static void send_frame(struct nic *nic, uint8_t *f, size_t len, uint16_t type) {
  memset(f, 0xff, 6);
  memcpy(f + 6, guest_mac, 6);
  put16(f + 12, type);
  cr_assert_eq(nic_send_one(nic, f, len), 1u);
}

static void send_ip(struct nic *nic, uint8_t *f, uint8_t proto, uint32_t src, uint32_t dst, size_t payload) {
  uint8_t *ip = f + 14, *l4 = ip + 20;
  ip[0] = 0x45;
  put16(ip + 2, (uint16_t)(20 + payload));
  ip[8] = 64;
  ip[9] = proto;
  put32(ip + 12, src);
  put32(ip + 16, dst);
  put16(ip + 10, checksum(0, ip, 20));
  if (proto == IPPROTO_TCP) {
    uint32_t pseudo = (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + proto + (uint32_t)payload;
    put16(l4 + 16, checksum(pseudo, l4, payload));
  }
  send_frame(nic, f, 34 + payload, 0x0800);
}

static void send_syn(struct nic *nic, uint32_t dst, uint16_t sport, uint16_t dport) {
  uint8_t f[54] = {0}, *tcp = f + 34;
  put16(tcp, sport);
  put16(tcp + 2, dport);
  put32(tcp + 4, 1000);
  tcp[12] = 5 << 4;
  tcp[13] = TH_SYN;
  put16(tcp + 14, 65535);
  send_ip(nic, f, IPPROTO_TCP, GUEST, dst, 20);
}

/* The first TCP segment to the guest's port seen so far, its flags in *ret; false when there is none. */
static bool got_tcp(uint16_t dport, uint8_t *ret_flags) {
  for (unsigned i = 0; i < sink.n; i++) {
    const uint8_t *f = sink.got[i].data;
    if (sink.got[i].len < 54 || get16(f + 12) != 0x0800 || f[23] != IPPROTO_TCP || get16(f + 36) != dport)
      continue;
    *ret_flags = f[47];
    return true;
  }
  return false;
}

static unsigned arp_replies(void) {
  unsigned n = 0;
  for (unsigned i = 0; i < sink.n; i++)
    n += get16(sink.got[i].data + 12) == 0x0806 && get16(sink.got[i].data + 20) == 2;
  return n;
}

/* Asks for the gateway and waits for the answer. Frames are handled in order, so all sent before have been too. */
static void arp_barrier(struct nic *nic) {
  uint8_t f[60] = {0};
  unsigned before = arp_replies();
  put16(f + 14, 1);
  put16(f + 16, 0x0800);
  f[18] = 6;
  f[19] = 4;
  put16(f + 20, 1);
  memcpy(f + 22, guest_mac, 6);
  put32(f + 28, GUEST);
  put32(f + 38, HOST);
  send_frame(nic, f, 42, 0x0806);
  run_until(arp_replies() > before);
  cr_assert_gt(arp_replies(), before, "10.0.2.2 does not answer");
}

static int loopback_socket(int type, bool listening, uint16_t *ret_port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t len = sizeof at;
  int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
  if (listening)
    cr_assert_eq(listen(fd, 8), 0);
  cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
  *ret_port = ntohs(at.sin_port);
  return fd;
}

static bool has_connection(int listener, int wait_ms) {
  struct pollfd p = {.fd = listener, .events = POLLIN};
  return poll(&p, 1, wait_ms) == 1;
}

Test(nic_slirp, discover_is_answered_with_an_offer) {
  struct nic *nic = slirp_open(&(struct nic_slirp_config){0});
  uint8_t f[14 + 20 + 8 + 300] = {0}, *udp = f + 34, *bootp = udp + 8;
  put16(udp, 68);
  put16(udp + 2, 67);
  put16(udp + 4, 308);
  bootp[0] = 1;
  bootp[1] = 1;
  bootp[2] = 6;
  put32(bootp + 4, 0x12345678);
  memcpy(bootp + 28, guest_mac, 6);
  memcpy(bootp + 236, "\x63\x82\x53\x63\x35\x01\x01\xff", 8);
  send_ip(nic, f, IPPROTO_UDP, 0, 0xffffffff, 308);
  run_until(sink.n > 0);
  cr_assert_geq(sink.n, 1u);
  const uint8_t *got = sink.got[0].data;
  cr_assert_gt(sink.got[0].len, 285u);
  cr_expect_eq(get16(got + 36), 68);
  cr_expect_eq(got[42], 2, "a reply");
  cr_expect_eq(get32(got + 46), 0x12345678u);
  cr_expect_eq(get32(got + 58), GUEST, "10.0.2.15 is offered");
  cr_expect_arr_eq(got + 282, "\x35\x01\x02", 3, "DHCPOFFER");
  finish(nic);
}

Test(nic_slirp, host_loopback_is_reached_only_when_configured) {
  uint16_t port;
  uint8_t flags = 0;
  int listener = loopback_socket(SOCK_STREAM, true, &port);

  struct nic *nic = slirp_open(&(struct nic_slirp_config){.host_loopback = false});
  arp_barrier(nic);
  /* The alias, and the addresses that the host's connect() would take for loopback. */
  const uint32_t ways_in[] = {HOST, 0x7f000001, 0x7f010203, 0, 0xffffffff};
  for (unsigned i = 0; i < ARRAY_SIZE(ways_in); i++)
    send_syn(nic, ways_in[i], (uint16_t)(4000 + i), port);
  arp_barrier(nic);
  cr_expect_not(has_connection(listener, 200));
  for (unsigned i = 0; i < ARRAY_SIZE(ways_in); i++)
    cr_expect(!got_tcp((uint16_t)(4000 + i), &flags) || !(flags & TH_SYN), "way %u", i);
  finish(nic);

  nic = slirp_open(&(struct nic_slirp_config){.host_loopback = true});
  arp_barrier(nic);
  for (unsigned i = 1; i < ARRAY_SIZE(ways_in) - 1; i++)
    send_syn(nic, ways_in[i], (uint16_t)(4000 + i), port);
  arp_barrier(nic);
  cr_expect_not(has_connection(listener, 200), "even then a loopback address does not belong on a wire");
  send_syn(nic, HOST, 5000, port);
  run_until(got_tcp(5000, &flags));
  cr_expect_eq(flags, TH_SYN | TH_ACK);
  cr_expect(has_connection(listener, 5000));
  (void)close(listener);
  finish(nic);
}

Test(nic_slirp, a_forward_brings_connections_in) {
  uint16_t port;
  uint8_t flags = 0;
  (void)close(loopback_socket(SOCK_STREAM, false, &port));
  struct nic_forward fwd = {.host_addr = INADDR_LOOPBACK, .host_port = port, .guest_port = 80};
  struct nic *nic = slirp_open(&(struct nic_slirp_config){.forwards = &fwd, .n_forwards = 1});
  arp_barrier(nic);

  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
  run_until(got_tcp(80, &flags));
  cr_expect_eq(flags, TH_SYN);
  (void)close(fd);
  finish(nic);
}

Test(nic_slirp, a_forward_that_cannot_be_bound_fails_the_open_and_leaves_nothing) {
  struct nic *nic = NULL;
  unsigned before;
  cr_assert_eq(loop_sim_new(&loop), 0);
  for (int udp = 0; udp < 2; udp++) {
    uint16_t port;
    int fd = loopback_socket(udp ? SOCK_DGRAM : SOCK_STREAM, !udp, &port);
    struct nic_forward fwd = {.udp = udp, .host_addr = INADDR_LOOPBACK, .host_port = port, .guest_port = 80};
    before = open_fds();
    int r = nic_slirp_open(loop, &(struct nic_slirp_config){.forwards = &fwd, .n_forwards = 1}, &nic);
    if (r == -EOPNOTSUPP)
      cr_skip_test("built without libslirp");
    cr_expect_eq(r, -EADDRINUSE, "udp %d: %s", udp, strerror(-r));
    cr_expect_eq(open_fds(), before);
    (void)close(fd);
  }
  cr_expect_null(nic);
  finish(NULL);
}

Test(nic_slirp, a_killed_child_is_gone_once) {
  struct nic *nic = slirp_open(&(struct nic_slirp_config){0});
  pid_t child = child_of(getpid());
  cr_assert_gt(child, 0);
  (void)kill(child, SIGTERM);
  (void)kill(child, SIGINT);
  arp_barrier(nic); /* those are the daemon's to answer */
  cr_assert_eq(kill(child, SIGKILL), 0);
  run_until(sink.gone_calls > 0);
  cr_expect_eq(sink.gone_error, -ECONNRESET);
  for (int i = 0; i < 20; i++)
    (void)loop_run(loop);
  cr_expect_eq(sink.gone_calls, 1u);
  cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "reaped");
  cr_expect_eq(send_numbered(nic, 1, 60), 0u);
  cr_expect_eq(nic->counters.tx_dropped, 1u);
  finish(nic);
}

Test(nic_slirp, the_child_holds_nothing_of_ours) {
  char value[64], path[64];
  int ours = open("/etc/hostname", O_RDONLY); /* on purpose inheritable */
  int high = fcntl(ours, F_DUPFD, 500);
  struct nic *nic = slirp_open(&(struct nic_slirp_config){0});
  pid_t child = child_of(getpid());
  cr_assert_gt(child, 0);
  static const char *const keys[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};
  for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
    proc_status(child, keys[i], value);
    cr_expect_str_eq(value, "0000000000000000", "%s", keys[i]);
  }
  if (geteuid() == 0) {
    proc_status(child, "CapBnd", value);
    cr_expect_str_eq(value, "0000000000000000");
  }
  proc_status(child, "NoNewPrivs", value);
  cr_expect_str_eq(value, "1");

  (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)child);
  DIR *d = opendir(path); /* not dumpable: only root may look */
  unsigned n = 0;
  for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
    n += e->d_name[0] != '.';
    cr_expect_leq(atoi(e->d_name), 3, "descriptor %s", e->d_name);
  }
  if (d) {
    cr_expect_eq(n, 4u, "/dev/null three times and the pair");
    closedir(d);
  }
  (void)close(ours);
  (void)close(high);
  finish(nic);
}

Test(nic_slirp, free_leaves_no_descriptor) {
  cr_assert_eq(loop_sim_new(&loop), 0);
  unsigned before = open_fds();
  struct nic *nic = slirp_open(&(struct nic_slirp_config){0});
  cr_expect_gt(open_fds(), before);
  arp_barrier(nic);
  nic = nic_free(nic);
  cr_expect_eq(open_fds(), before);
  finish(NULL);
}

Test(nic_slirp, the_child_does_not_outlive_a_killed_daemon) {
  int up[2], status;
  pid_t grandchild = 0;
  cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
  cr_assert_eq(pipe(up), 0);
  pid_t daemon_pid = fork();
  if (daemon_pid == 0) {
    struct nic *nic = NULL;
    if (loop_sim_new(&loop) < 0 || nic_slirp_open(loop, &(struct nic_slirp_config){0}, &nic) < 0)
      _exit(1);
    grandchild = child_of(getpid());
    (void)!write(up[1], &grandchild, sizeof grandchild);
    for (;;)
      (void)pause();
  }
  (void)close(up[1]);
  ssize_t n = read(up[0], &grandchild, sizeof grandchild);
  (void)kill(daemon_pid, SIGKILL);
  cr_assert_eq(waitpid(daemon_pid, &status, 0), daemon_pid);
  (void)close(up[0]);
  if (n == 0)
    cr_skip_test("built without libslirp");
  cr_assert_gt(grandchild, 0);
  cr_expect_eq(waitpid(grandchild, &status, 0), grandchild); /* hangs until Criterion's limit when it lives on */
}

Test(nic_slirp, limits_of_the_mtu) {
  struct nic *nic = NULL;
  cr_assert_eq(loop_sim_new(&loop), 0);
  if (nic_slirp_open(loop, &(struct nic_slirp_config){.mtu = NIC_MTU_MIN - 1}, &nic) == -EOPNOTSUPP)
    cr_skip_test("built without libslirp");
  cr_expect_eq(nic_slirp_open(loop, &(struct nic_slirp_config){.mtu = NIC_MTU_MIN - 1}, &nic), -EINVAL);
  cr_expect_eq(nic_slirp_open(loop, &(struct nic_slirp_config){.mtu = NIC_MTU_MAX + 1}, &nic), -EINVAL);
  nic = slirp_open(&(struct nic_slirp_config){.mtu = NIC_MTU_MAX});
  arp_barrier(nic);
  cr_expect_eq(send_numbered(nic, 1, NIC_HEADER_LEN + NIC_MTU_MAX), 1u);
  cr_expect_eq(send_numbered(nic, 1, NIC_HEADER_LEN + NIC_MTU_MAX + 1), 0u);
  arp_barrier(nic);
  finish(nic);
}

Test(nic_forward, parse) {
  static const struct {
    const char *text;
    struct nic_forward want;
  } good[] = {
      {"tcp:127.0.0.1:8080-80", {false, 0x7f000001, 8080, 80}},
      {"udp:0.0.0.0:1-65535", {true, 0, 1, 65535}},
      {"tcp:255.255.255.255:65535-1", {false, 0xffffffff, 65535, 1}},
  };
  for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
    struct nic_forward f = {0};
    cr_expect_eq(nic_forward_parse(good[i].text, &f), 0, "%s", good[i].text);
    cr_expect(f.udp == good[i].want.udp && f.host_addr == good[i].want.host_addr &&
                  f.host_port == good[i].want.host_port && f.guest_port == good[i].want.guest_port,
              "%s", good[i].text);
  }
  static const char *const bad[] = {
      "", "tcp", "tcp:", "tcp::80-80", "sctp:127.0.0.1:80-80", "TCP:127.0.0.1:80-80", "tcp:127.0.0.1:80",
      "tcp:127.0.0.1:80-", "tcp:127.0.0.1:-80", "tcp:127.0.0.1:0-80", "tcp:127.0.0.1:80-0", "tcp:127.0.0.1:65536-80",
      "tcp:127.0.0.1:80-65536", "tcp:127.0.0.1:99999-80", "tcp:127.0.0.1:080-80", "tcp:127.0.0.1:80-80 ",
      " tcp:127.0.0.1:80-80", "tcp:127.0.0.1:+80-80", "tcp:127.0.1:80-80", "tcp:256.0.0.1:80-80", "tcp:[::1]:80-80",
      "tcp:localhost:80-80", "tcp:127.0.0.1:80-80-80", "tcp:127.0.0.1:80:80-80", "tcp:127.0.0.1.127.0.0.1.1:80-80",
  };
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    struct nic_forward f = {.guest_port = 7};
    cr_expect_eq(nic_forward_parse(bad[i], &f), -EINVAL, "%s", bad[i]);
    cr_expect_eq(f.guest_port, 7, "untouched: %s", bad[i]);
  }
}

Test(nic_mac, stable_local_unicast_and_different_for_each_name) {
  uint8_t a[6], again[6], b[6];
  nic_stable_mac("cap0", a);
  nic_stable_mac("cap0", again);
  nic_stable_mac("cap1", b);
  cr_expect_arr_eq(a, again, 6);
  cr_expect_neq(memcmp(a, b, 6), 0);
  cr_expect_eq(a[0] & 3, 2);
  cr_expect_eq(b[0] & 3, 2);
}
