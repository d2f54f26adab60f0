/* SPDX-License-Identifier: BSD-3-Clause
 * Opening a TAP: a persistent one, one created here, or a descriptor that was handed to us.
 *
 * Offloads are found out step by step, the most first. A header of offload metadata in front of each frame
 * (IFF_VNET_HDR) is all that sending needs; what may be received is what TUNSETOFFLOAD grants. UDP segmentation (USO) is
 * never asked for: its super-frames are many datagrams, which the stack would only have to take apart again.
 */
#include "nic/nic_tap.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define TAP_MTU_DEFAULT 1500

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

/* A device of that name with these flags; one that exists keeps its life, and takes the flags. */
static int tap_set_device(int fd, const char *ifname, int flags) {
  struct ifreq ifr = {.ifr_flags = (short)flags};
  (void)snprintf(ifr.ifr_name, IFNAMSIZ, "%s", ifname);
  return ioctl(fd, TUNSETIFF, &ifr) < 0 ? tap_error(errno) : 0;
}

static int tap_attach_as(const char *ifname, int flags, int *ret_fd) {
  _cleanup_close_ int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return tap_error(errno);
  int r = tap_set_device(fd, ifname, flags);
  if (r == 0)
    *ret_fd = TAKE_FD(fd);
  return r;
}

/* The length of the header in front of each frame, made little-endian (TUNSETVNETLE) and short where the kernel lets us.
 * 0: it cannot be used. */
static size_t tap_vnet_len(int fd) {
  int len = (int)TAP_VNET_MIN, one = 1;
  if (ioctl(fd, TUNSETVNETLE, &one) < 0)
    return 0;
  if (ioctl(fd, TUNSETVNETHDRSZ, &len) < 0 && ioctl(fd, TUNGETVNETHDRSZ, &len) < 0)
    return 0;
  return len >= (int)TAP_VNET_MIN && len <= (int)TAP_VNET_MAX ? (size_t)len : 0;
}

/* A device without that header must not be left with offloads by who had it before: their frames cannot be told. */
static void tap_offloads(struct nic_tap *t) {
  static const struct {
    unsigned long flags;
    unsigned features;
  } steps[] = {
      {TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, NIC_RX_CSUM | NIC_RX_TSO4 | NIC_RX_TSO6},
      {TUN_F_CSUM | TUN_F_TSO4, NIC_RX_CSUM | NIC_RX_TSO4},
      {TUN_F_CSUM, NIC_RX_CSUM},
      {0, 0},
  };
  size_t i = t->vnet_len > 0 ? 0 : ARRAY_SIZE(steps) - 1;
  while (ioctl(t->fd, TUNSETOFFLOAD, steps[i].flags) < 0 && i < ARRAY_SIZE(steps) - 1)
    i++;
  t->nic.features = steps[i].features;
  if (t->vnet_len > 0)
    t->nic.features |= NIC_TX_CSUM | NIC_TX_TSO4 | NIC_TX_TSO6;
}

static int tap_attach(struct nic_tap *t, const char *ifname, int sock) {
  if (!ifname_valid(ifname))
    return -EINVAL;
  bool existed = if_nametoindex(ifname) != 0;
  int r = tap_attach_as(ifname, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, &t->fd);
  if (r >= 0)
    t->vnet_len = tap_vnet_len(t->fd);
  if (r == -EINVAL || (r >= 0 && t->vnet_len == 0)) { /* no such header here: a plain TAP */
    t->fd = fd_close(t->fd);
    r = tap_attach_as(ifname, IFF_TAP | IFF_NO_PI, &t->fd);
  }
  if (r < 0)
    return r;
  if (!existed)
    tap_bring_up(sock, ifname);
  return 0;
}

int tap_attach_again(struct nic_tap *t) {
  struct ifreq ifr = {0};
  int r = tap_set_device(t->fd, t->ifname, IFF_TAP | IFF_NO_PI | (t->vnet_len > 0 ? IFF_VNET_HDR : 0));
  if (r == -EEXIST) /* attached by an earlier try */
    r = 0;
  if (r < 0)
    return r;
  if (t->vnet_len > 0 && (t->vnet_len = tap_vnet_len(t->fd)) == 0)
    return -EINVAL;
  tap_offloads(t);
  t->persistent = ioctl(t->fd, TUNGETIFF, &ifr) == 0 && (ifr.ifr_flags & IFF_PERSIST);
  return 0;
}

/* IFF_NO_PI cannot be asked for: TUNGETIFF answers with IFF_NOFILTER in the same bit. */
static int tap_inherit(struct nic_tap *t) {
  struct ifreq ifr = {0};
  int flags = fcntl(t->fd, F_GETFL);
  if (flags < 0)
    return -errno;
  if (ioctl(t->fd, TUNGETIFF, &ifr) < 0 || !(ifr.ifr_flags & IFF_TAP))
    return -EINVAL;
  if ((ifr.ifr_flags & IFF_VNET_HDR) && (t->vnet_len = tap_vnet_len(t->fd)) == 0)
    return -EINVAL;
  if (fcntl(t->fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(t->fd, F_SETFD, FD_CLOEXEC) < 0)
    return -errno;
  (void)snprintf(t->nic.name, sizeof t->nic.name, "%s", ifr.ifr_name);
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

int tap_set_up(struct nic_tap *t, const struct nic_tap_config *cfg) {
  static const uint8_t no_mac[6];
  /* A socket only for the interface ioctls; every family takes them, and this one can reach no network. */
  _cleanup_close_ int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (sock < 0)
    return -errno;
  if (cfg->mtu > 0 && (cfg->mtu < NIC_MTU_MIN || cfg->mtu > NIC_MTU_MAX))
    return -EINVAL;

  int r = t->fd >= 0 ? tap_inherit(t) : tap_attach(t, cfg->ifname, sock);
  if (r < 0)
    return r;
  tap_offloads(t);
  struct ifreq ifr = {0};
  t->persistent = ioctl(t->fd, TUNGETIFF, &ifr) == 0 && (ifr.ifr_flags & IFF_PERSIST);
  if (!t->nic.name[0])
    (void)snprintf(t->nic.name, sizeof t->nic.name, "%s", cfg->ifname);
  tap_choose_mtu(t, cfg, sock);
  if (memcmp(cfg->mac, no_mac, 6) != 0)
    memcpy(t->nic.mac, cfg->mac, 6);
  else
    nic_stable_mac(t->nic.name, t->nic.mac);

  struct pollfd p = {.fd = t->fd, .events = POLLOUT};
  t->nic.link_up = poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
  return 0;
}
