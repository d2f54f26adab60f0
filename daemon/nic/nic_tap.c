/* SPDX-License-Identifier: BSD-3-Clause
 * The TAP device: a persistent one, one created here, or a descriptor that was handed to us.
 *
 * Link. tun(4) tells us no more than this: a write to an interface that is administratively down is EIO, POLLOUT is
 * raised again when it comes up, and everything is EBADFD once it was deleted. So a failed write takes the link down
 * and arms writability, which brings it back; no other watch is needed.
 */
#include "nic/nic.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define TAP_BATCH 32 /* frames read in one turn */
#define TAP_MTU_DEFAULT 1500

struct nic_tap {
  struct nic nic;
  int fd;
  struct loop_watch *watch;
  struct loop_task lost; /* says that the link is down, after the send that found out */
  size_t room;      /* of one buffer: one byte more than the largest frame, so a longer one shows */
  uint8_t *buffers; /* TAP_BATCH of them */
};

static void tap_fail(struct nic_tap *t, int error) {
  (void)loop_watch_set(t->watch, 0);
  t->nic.link_up = false;
  nic_gone(&t->nic, error);
}

/* A bounded batch, then back to the loop, which calls again while frames wait. One upcall, and it comes last. */
static void tap_read(struct nic_tap *t) {
  struct nic_frame batch[TAP_BATCH];
  unsigned n = 0;
  size_t max = nic_frame_max(&t->nic);

  for (unsigned i = 0; i < TAP_BATCH; i++) {
    uint8_t *buf = t->buffers + n * t->room;
    ssize_t len = read(t->fd, buf, t->room);
    if (len < 0 && errno == EINTR)
      continue;
    if (len < 0 && (errno == EAGAIN || errno == ENOBUFS))
      break;
    if (len <= 0) {
      if (n > 0)
        break; /* deliver first; the next turn meets the same error */
      tap_fail(t, len < 0 && errno != EBADFD ? -errno : -ENODEV);
      return;
    }
    if ((size_t)len > max || len < NIC_HEADER_LEN) {
      t->nic.counters.rx_dropped++;
      continue;
    }
    batch[n++] = (struct nic_frame){.data = buf, .len = (size_t)len};
  }
  nic_deliver(&t->nic, batch, n);
}

static void tap_event(void *arg, unsigned events) {
  struct nic_tap *t = arg;
  if ((events & LOOP_WRITE) && !t->nic.link_up) {
    struct pollfd p = {.fd = t->fd, .events = POLLOUT};
    /* An error also reads as writable: reading tells which it is. */
    if (poll(&p, 1, 0) == 1 && !(p.revents & (POLLERR | POLLHUP))) {
      (void)loop_watch_set(t->watch, LOOP_READ);
      nic_set_link(&t->nic, true); /* last: it may free us; reading is level-triggered and can wait a turn */
      return;
    }
  }
  tap_read(t);
}

static void tap_lost_link(void *arg) {
  struct nic_tap *t = arg;
  (void)loop_watch_set(t->watch, LOOP_READ | LOOP_WRITE);
  nic_set_link(&t->nic, false);
}

static unsigned tap_send(struct nic *nic, const struct nic_frame *frames, unsigned n) {
  struct nic_tap *t = container_of(nic, struct nic_tap, nic);
  if (!nic->link_up || !t->watch)
    return 0;
  for (unsigned i = 0; i < n; i++) {
    ssize_t len;
    do {
      len = write(t->fd, frames[i].data, frames[i].len);
    } while (len < 0 && errno == EINTR);
    if (len >= 0)
      continue;
    if (errno == EIO)
      loop_task_queue(nic->loop, &t->lost); /* not from here: the caller is in the middle of its own work */
    return i;
  }
  return n;
}

static int tap_start(struct nic *nic) {
  struct nic_tap *t = container_of(nic, struct nic_tap, nic);
  int r = loop_watch_new(nic->loop, t->fd, tap_event, t, &t->watch);
  if (r < 0)
    return r;
  r = loop_watch_set(t->watch, nic->link_up ? LOOP_READ : LOOP_READ | LOOP_WRITE);
  if (r < 0)
    t->watch = loop_watch_free(t->watch);
  return r;
}

static void tap_free(struct nic *nic) {
  struct nic_tap *t = container_of(nic, struct nic_tap, nic);
  loop_task_cancel(&t->lost);
  t->watch = loop_watch_free(t->watch);
  t->fd = fd_close(t->fd);
  free(t->buffers);
  free(t);
}

static const struct nic_ops tap_ops = {
    .kind = "tap",
    .send = tap_send,
    .start = tap_start,
    .free = tap_free,
};

static int tap_error(int error) {
  switch (error) {
  case EACCES:
    return -EPERM;
  case ENOENT:
  case ENXIO:
    return -ENODEV;
  default:
    return -error;
  }
}

static bool ifname_valid(const char *s) {
  return s && s[0] && strlen(s) < IFNAMSIZ && !strpbrk(s, "/%: \t\n") && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

/* Best effort: with no privilege the interface stays as it is, and the link says so. */
static void tap_bring_up(int sock, const char *ifname) {
  struct ifreq ifr = {0};
  (void)snprintf(ifr.ifr_name, IFNAMSIZ, "%s", ifname);
  if (ioctl(sock, SIOCGIFFLAGS, &ifr) < 0 || (ifr.ifr_flags & IFF_UP))
    return;
  ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_UP);
  (void)ioctl(sock, SIOCSIFFLAGS, &ifr);
}

static int tap_attach(const char *ifname, int sock, int *ret_fd) {
  struct ifreq ifr = {0};
  if (!ifname_valid(ifname))
    return -EINVAL;
  bool existed = if_nametoindex(ifname) != 0;
  _cleanup_close_ int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return tap_error(errno);
  ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
  (void)snprintf(ifr.ifr_name, IFNAMSIZ, "%s", ifname);
  if (ioctl(fd, TUNSETIFF, &ifr) < 0)
    return tap_error(errno);
  if (!existed)
    tap_bring_up(sock, ifname);
  *ret_fd = TAKE_FD(fd);
  return 0;
}

/* A handed descriptor must be what we would have opened: frames with nothing in front of them. IFF_NO_PI cannot be
 * asked for: TUNGETIFF answers with IFF_NOFILTER in the same bit. */
static int tap_inherit(int fd, char ret_name[IFNAMSIZ]) {
  struct ifreq ifr = {0};
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0)
    return -errno;
  if (ioctl(fd, TUNGETIFF, &ifr) < 0)
    return -EINVAL;
  if (!(ifr.ifr_flags & IFF_TAP) || (ifr.ifr_flags & IFF_VNET_HDR))
    return -EINVAL;
  if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
    return -errno;
  (void)snprintf(ret_name, IFNAMSIZ, "%s", ifr.ifr_name);
  return 0;
}

/* The device's MTU, or 0. An inherited device may live in another namespace where its name means another interface:
 * the hardware addresses tell. */
static unsigned tap_device_mtu(int fd, int sock, const char *ifname) {
  struct ifreq by_name = {0}, by_fd = {0}, mtu = {0};
  (void)snprintf(by_name.ifr_name, IFNAMSIZ, "%s", ifname);
  (void)snprintf(mtu.ifr_name, IFNAMSIZ, "%s", ifname);
  if (ioctl(fd, SIOCGIFHWADDR, &by_fd) < 0 || ioctl(sock, SIOCGIFHWADDR, &by_name) < 0 ||
      memcmp(by_fd.ifr_hwaddr.sa_data, by_name.ifr_hwaddr.sa_data, 6) != 0 || ioctl(sock, SIOCGIFMTU, &mtu) < 0)
    return 0;
  return (unsigned)mtu.ifr_mtu;
}

static void tap_choose_mtu(struct nic_tap *t, const struct nic_tap_config *cfg, int sock) {
  unsigned device = cfg->mtu > 0 ? 0 : tap_device_mtu(t->fd, sock, t->nic.name);
  if (cfg->mtu > 0) {
    t->nic.mtu = cfg->mtu;
    t->nic.mtu_origin = "configuration";
  } else if (device > 0) {
    t->nic.mtu = MIN(MAX(device, (unsigned)NIC_MTU_MIN), (unsigned)NIC_MTU_MAX);
    t->nic.mtu_origin = "device";
  } else {
    t->nic.mtu = TAP_MTU_DEFAULT;
    t->nic.mtu_origin = "default";
  }
}

static int tap_init(struct nic_tap *t, const struct nic_tap_config *cfg) {
  static const uint8_t no_mac[6];
  /* A socket only for the interface ioctls; every family takes them, and this one can reach no network. */
  _cleanup_close_ int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (sock < 0)
    return -errno;
  if (cfg->mtu > 0 && (cfg->mtu < NIC_MTU_MIN || cfg->mtu > NIC_MTU_MAX))
    return -EINVAL;

  int r = t->fd >= 0 ? tap_inherit(t->fd, t->nic.name) : tap_attach(cfg->ifname, sock, &t->fd);
  if (r < 0)
    return r;
  if (!t->nic.name[0])
    (void)snprintf(t->nic.name, sizeof t->nic.name, "%s", cfg->ifname);
  tap_choose_mtu(t, cfg, sock);
  if (memcmp(cfg->mac, no_mac, 6) != 0)
    memcpy(t->nic.mac, cfg->mac, 6);
  else
    nic_stable_mac(t->nic.name, t->nic.mac);

  struct pollfd p = {.fd = t->fd, .events = POLLOUT};
  t->nic.link_up = poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
  t->room = nic_frame_max(&t->nic) + 1;
  t->buffers = malloc(TAP_BATCH * t->room);
  return t->buffers ? 0 : -ENOMEM;
}

int nic_tap_open(struct loop *loop, const struct nic_tap_config *cfg, struct nic **ret) {
  struct nic_tap *t = calloc(1, sizeof *t);
  if (!t) {
    (void)fd_close(cfg->fd);
    return -ENOMEM;
  }
  t->nic.ops = &tap_ops;
  t->nic.loop = loop;
  t->fd = cfg->fd;
  loop_task_init(&t->lost, tap_lost_link, t);
  int r = tap_init(t, cfg);
  if (r < 0) {
    tap_free(&t->nic);
    return r;
  }
  *ret = &t->nic;
  return 0;
}
