/* SPDX-License-Identifier: BSD-3-Clause
 * The embedded network as a device: the daemon's half. It forks the child early, waits for its one word, and from then
 * on moves frames over the pair. The child is ours to reap: it is killed and waited for when the device is freed, or
 * when its end of the pair closes.
 */
#include "nic/nic_slirp.h"

#include "base/child.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

static bool port_parse(const char *s, const char *end, uint16_t *ret) {
  unsigned long v = 0;
  if (s == end || end - s > 5 || *s == '0')
    return false;
  for (; s < end; s++) {
    if (*s < '0' || *s > '9')
      return false;
    v = v * 10 + (unsigned long)(*s - '0');
  }
  if (v > UINT16_MAX)
    return false;
  *ret = (uint16_t)v;
  return true;
}

int nic_forward_parse(const char *s, struct nic_forward *ret) {
  struct nic_forward f = {0};
  struct in_addr addr;
  char text[INET_ADDRSTRLEN];

  if (strncmp(s, "tcp:", 4) != 0 && strncmp(s, "udp:", 4) != 0)
    return -EINVAL;
  f.udp = s[0] == 'u';
  s += 4;
  const char *colon = strchr(s, ':'), *dash = colon ? strchr(colon, '-') : NULL;
  if (!dash || (size_t)(colon - s) >= sizeof text)
    return -EINVAL;
  memcpy(text, s, (size_t)(colon - s));
  text[colon - s] = '\0';
  if (inet_pton(AF_INET, text, &addr) != 1)
    return -EINVAL;
  f.host_addr = ntohl(addr.s_addr);
  if (!port_parse(colon + 1, dash, &f.host_port) || !port_parse(dash + 1, dash + strlen(dash), &f.guest_port))
    return -EINVAL;
  *ret = f;
  return 0;
}

#ifdef HAVE_SLIRP

#define SLIRP_START_TIMEOUT_S 10

struct nic_slirp {
  struct nic nic;
  int fd;
  pid_t child; /* 0 once reaped */
  struct loop_watch *watch;
  struct nic_slot slots[SLIRP_BATCH];
  unsigned n_slots; /* of them in use: fewer where frames are large */
  struct nic_trim trim;
};

static void slirp_ended(struct nic_slirp *s) {
  s->watch = loop_watch_free(s->watch);
  child_end(&s->child);
  s->nic.link_up = false;
  nic_gone(&s->nic, -ECONNRESET);
}

/* Makes ready to read up to n_slots frames; fewer when there are no buffers. What then is left waits in the pair: that
 * is the backpressure to the child. */
static unsigned slirp_prepare(struct nic_slirp *s, struct mmsghdr *msgs, struct iovec (*iov)[NIC_SLOT_IOV]) {
  unsigned n = 0;
  for (; n < s->n_slots; n++) {
    unsigned pieces = nic_slot_prepare(&s->slots[n], nic_frame_max(&s->nic), iov[n]);
    if (pieces == 0)
      break;
    msgs[n].msg_hdr = (struct msghdr){.msg_iov = iov[n], .msg_iovlen = pieces};
  }
  return n;
}

static void slirp_slots_done(struct nic_slirp *s) {
  for (unsigned i = 0; i < s->n_slots; i++)
    nic_slot_done(&s->slots[i]);
}

/* Without any buffer a frame is read all the same: nothing would tell when to try again. */
static void slirp_forget_one(struct nic_slirp *s) {
  uint8_t nowhere;
  ssize_t n = recv(s->fd, &nowhere, 1, MSG_DONTWAIT);
  if (n > 0)
    s->nic.counters.rx_dropped++;
  else if (n == 0)
    slirp_ended(s);
}

static void slirp_event(void *arg, unsigned events) {
  struct nic_slirp *s = arg;
  struct mmsghdr msgs[SLIRP_BATCH] = {0};
  struct iovec iov[SLIRP_BATCH][NIC_SLOT_IOV];
  struct nic_rx batch[SLIRP_BATCH];
  unsigned n_frames = 0;
  (void)events;

  unsigned ready = slirp_prepare(s, msgs, iov);
  if (ready == 0) {
    slirp_forget_one(s);
    return;
  }
  int n = recvmmsg(s->fd, msgs, ready, MSG_DONTWAIT, NULL);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0 || msgs[0].msg_len == 0) {
    slirp_ended(s);
    return;
  }
  for (int i = 0; i < n && msgs[i].msg_len > 0; i++) {
    struct nic_rx f = {.len = msgs[i].msg_len};
    if (f.len >= NIC_HEADER_LEN && f.len <= nic_frame_max(&s->nic))
      f.buf = nic_slot_take(&s->slots[i], f.len);
    if (f.buf)
      batch[n_frames++] = f;
    else
      s->nic.counters.rx_dropped++;
  }
  slirp_slots_done(s);
  nic_trim_used(&s->trim);
  nic_deliver(&s->nic, batch, n_frames);
}

/* A full pair or a dead child refuses; the watch tells the latter. */
static unsigned slirp_send(struct nic *nic, const struct nic_frame *frames, unsigned n) {
  struct nic_slirp *s = container_of(nic, struct nic_slirp, nic);
  unsigned taken = 0;
  if (s->child == 0)
    return 0;
  while (taken < n) {
    struct mmsghdr msgs[SLIRP_BATCH] = {0};
    unsigned count = MIN(n - taken, (unsigned)SLIRP_BATCH);
    for (unsigned i = 0; i < count; i++) {
      const struct nic_frame *f = &frames[taken + i];
      msgs[i].msg_hdr = (struct msghdr){.msg_iov = (struct iovec *)(uintptr_t)f->iov, .msg_iovlen = f->n_iov};
    }
    int r = sendmmsg(s->fd, msgs, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (r < 0 && errno == EINTR)
      continue;
    if (r <= 0)
      break;
    taken += (unsigned)r;
    if ((unsigned)r < count)
      break;
  }
  return taken;
}

static int slirp_start(struct nic *nic) {
  struct nic_slirp *s = container_of(nic, struct nic_slirp, nic);
  int r = loop_watch_new(nic->loop, s->fd, slirp_event, s, &s->watch);
  if (r < 0)
    return r;
  r = loop_watch_set(s->watch, LOOP_READ);
  if (r < 0)
    s->watch = loop_watch_free(s->watch);
  return r;
}

static void slirp_free(struct nic *nic) {
  struct nic_slirp *s = container_of(nic, struct nic_slirp, nic);
  s->watch = loop_watch_free(s->watch);
  s->fd = fd_close(s->fd);
  child_end(&s->child);
  slirp_slots_done(s);
  nic_trim_done(&s->trim);
  free(s);
}

static const struct nic_ops slirp_ops = {
    .kind = "slirp",
    .send = slirp_send,
    .start = slirp_start,
    .free = slirp_free,
};

static int slirp_await(struct nic_slirp *s) {
  struct timeval limit = {.tv_sec = SLIRP_START_TIMEOUT_S}, none = {0};
  int status;
  if (setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
    return -errno;
  ssize_t n;
  do {
    n = recv(s->fd, &status, sizeof status, 0);
  } while (n < 0 && errno == EINTR);
  if (n < 0)
    return errno == EAGAIN ? -ETIMEDOUT : -errno;
  if (n != sizeof status)
    return -ECONNRESET;
  (void)setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  return status;
}

static void pair_buffers(const int pair[2]) {
  int size = SLIRP_PAIR_BUFFER;
  for (unsigned i = 0; i < 2; i++)
    if (setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
      (void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static int slirp_spawn(struct nic_slirp *s, const struct nic_slirp_config *cfg) {
  struct nic_slirp_config child_cfg = *cfg;
  int pair[2];
  pid_t parent = getpid();
  child_cfg.mtu = s->nic.mtu;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return -errno;
  pair_buffers(pair);
  pid_t pid = fork();
  if (pid == 0)
    slirp_child_run(pair[1], parent, &child_cfg);
  int r = pid < 0 ? -errno : 0;
  (void)fd_close(pair[1]);
  s->fd = pair[0];
  if (r < 0)
    return r;
  s->child = pid;
  return slirp_await(s);
}

int nic_slirp_open(struct loop *loop, const struct nic_slirp_config *cfg, struct nic **ret) {
  static const uint8_t no_mac[6];
  if (cfg->mtu > 0 && (cfg->mtu < NIC_MTU_MIN || cfg->mtu > NIC_MTU_MAX))
    return -EINVAL;
  struct nic_slirp *s = calloc(1, sizeof *s);
  if (!s)
    return -ENOMEM;
  s->nic.ops = &slirp_ops;
  s->nic.loop = loop;
  s->nic.mtu = cfg->mtu > 0 ? cfg->mtu : NIC_MTU_MAX;
  s->nic.mtu_origin = cfg->mtu > 0 ? "configuration" : "default";
  s->nic.link_up = true;
  s->fd = -1;
  (void)snprintf(s->nic.name, sizeof s->nic.name, "slirp0");
  if (memcmp(cfg->mac, no_mac, 6) != 0)
    memcpy(s->nic.mac, cfg->mac, 6);
  else
    nic_stable_mac(s->nic.name, s->nic.mac);
  s->n_slots = nic_frame_max(&s->nic) < NIC_BUF_SMALL ? SLIRP_BATCH : SLIRP_BATCH_LARGE;
  int r = nic_trim_init(&s->trim, loop);
  if (r >= 0)
    r = slirp_spawn(s, cfg);
  if (r < 0) {
    slirp_free(&s->nic);
    return r;
  }
  *ret = &s->nic;
  return 0;
}

#else

int nic_slirp_open(struct loop *loop, const struct nic_slirp_config *cfg, struct nic **ret) {
  (void)loop;
  (void)cfg;
  (void)ret;
  return -EOPNOTSUPP;
}

#endif
