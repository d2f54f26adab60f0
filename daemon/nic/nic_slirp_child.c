/* SPDX-License-Identifier: BSD-3-Clause
 * The child process that holds libslirp: it turns the stack's frames into ordinary sockets of the host, so that the
 * daemon itself needs none. It shares nothing with the daemon but one end of a SEQPACKET pair.
 *
 * Confinement, in order: 1 every other descriptor is closed, 2 default signals, 3 forwards are bound (the last thing
 * that may need a privilege), 4 the daemon's user, no capability, no new privileges, not dumpable, dies with the
 * parent, 5 the pair is read.
 *
 * What libslirp would let through and we do not: a guest that addresses 127.0.0.0/8 or 0.0.0.0/8 itself, which libslirp
 * hands to connect() as it is; disable_host_loopback only covers the alias 10.0.2.2.
 */
#include "nic/nic_slirp.h"

#ifdef HAVE_SLIRP

#include "base/child.h"

#include <arpa/inet.h>
#include <cap-ng.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <net/ethernet.h>
#include <poll.h>
#include <signal.h>
#include <slirp/libslirp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define GUEST_NET 0x0a000200u
#define GUEST_MASK 0xffffff00u
#define GUEST_HOST 0x0a000202u
#define GUEST_DNS 0x0a000203u
#define GUEST_FIRST 0x0a00020fu
#define TIMERS_MAX 4 /* libslirp makes one, for router advertisements */
#define IPV4_DST_OFFSET (NIC_HEADER_LEN + 16)

struct child_timer {
  SlirpTimerCb cb;
  void *cb_opaque;
  int64_t due_ms; /* -1: not armed */
  bool used;
};

/* Loaded here and by nobody else: it brings GLib along, whose start every other daemon would pay for. */
#define LIBSLIRP "libslirp.so.0"
struct lib {
  __typeof__(&slirp_new) new;
  __typeof__(&slirp_add_hostfwd) add_hostfwd;
  __typeof__(&slirp_pollfds_fill) fill;
  __typeof__(&slirp_pollfds_poll) poll;
  __typeof__(&slirp_input) input;
};

struct child {
  struct lib lib;
  int fd;
  size_t room;
  Slirp *slirp;
  struct child_timer timers[TIMERS_MAX];
  struct pollfd *fds;
  size_t n_fds, cap_fds;
  uint8_t *buf;
};

static int64_t now_ns(void *opaque) {
  (void)opaque;
  return (int64_t)clock_real_ns(CLOCK_ID_MONO);
}

/* Blocks while the daemon has not read: that is the backpressure towards the host's sockets. The daemon never blocks
 * on us, so this cannot lock up. */
static ssize_t on_send_packet(const void *buf, size_t len, void *opaque) {
  struct child *c = opaque;
  ssize_t n;
  if (len == 0)
    return 0;
  do {
    n = send(c->fd, buf, len, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno != ENOBUFS && errno != ENOMEM && errno != EMSGSIZE)
    _exit(0);
  return (ssize_t)len;
}

static void on_guest_error(const char *msg, void *opaque) {
  (void)msg;
  (void)opaque;
}

static void *on_timer_new(SlirpTimerCb cb, void *cb_opaque, void *opaque) {
  struct child *c = opaque;
  for (unsigned i = 0; i < TIMERS_MAX; i++) {
    if (c->timers[i].used)
      continue;
    c->timers[i] = (struct child_timer){.cb = cb, .cb_opaque = cb_opaque, .due_ms = -1, .used = true};
    return &c->timers[i];
  }
  _exit(1);
}

static void on_timer_free(void *timer, void *opaque) {
  (void)opaque;
  ((struct child_timer *)timer)->used = false;
}

static void on_timer_mod(void *timer, int64_t expire_ms, void *opaque) {
  (void)opaque;
  ((struct child_timer *)timer)->due_ms = expire_ms;
}

static void on_poll_fd(int fd, void *opaque) {
  (void)fd;
  (void)opaque;
}

static void on_notify(void *opaque) { (void)opaque; }

static const SlirpCb callbacks = {
    .send_packet = on_send_packet,
    .guest_error = on_guest_error,
    .clock_get_ns = now_ns,
    .timer_new = on_timer_new,
    .timer_free = on_timer_free,
    .timer_mod = on_timer_mod,
    .register_poll_fd = on_poll_fd,
    .unregister_poll_fd = on_poll_fd,
    .notify = on_notify,
};

static int on_add_poll(int fd, int events, void *opaque) {
  struct child *c = opaque;
  if (c->n_fds == c->cap_fds) {
    size_t cap = c->cap_fds * 2;
    struct pollfd *fds = realloc(c->fds, cap * sizeof *fds);
    if (!fds)
      _exit(1);
    c->fds = fds;
    c->cap_fds = cap;
  }
  short want = (short)((events & SLIRP_POLL_IN ? POLLIN : 0) | (events & SLIRP_POLL_OUT ? POLLOUT : 0) |
                       (events & SLIRP_POLL_PRI ? POLLPRI : 0));
  c->fds[c->n_fds] = (struct pollfd){.fd = fd, .events = want};
  return (int)c->n_fds++;
}

static int on_get_revents(int idx, void *opaque) {
  const struct child *c = opaque;
  short got = c->fds[idx].revents;
  return (got & POLLIN ? SLIRP_POLL_IN : 0) | (got & POLLOUT ? SLIRP_POLL_OUT : 0) |
         (got & POLLPRI ? SLIRP_POLL_PRI : 0) | (got & (POLLERR | POLLNVAL) ? SLIRP_POLL_ERR : 0) |
         (got & POLLHUP ? SLIRP_POLL_HUP : 0);
}

/* RFC 1122 3.2.1.3: neither may appear as a destination on a wire. */
static bool frame_is_martian(const uint8_t *frame, size_t len) {
  if (len <= IPV4_DST_OFFSET || frame[12] != ETHERTYPE_IP >> 8 || frame[13] != (ETHERTYPE_IP & 0xff))
    return false;
  return frame[IPV4_DST_OFFSET] == 127 || frame[IPV4_DST_OFFSET] == 0;
}

static void read_frames(struct child *c) {
  for (unsigned i = 0; i < SLIRP_BATCH; i++) {
    ssize_t len = recv(c->fd, c->buf, c->room, MSG_DONTWAIT | MSG_TRUNC);
    if (len < 0 && errno == EINTR)
      continue;
    if (len < 0 && errno == EAGAIN)
      return;
    if (len <= 0)
      _exit(0); /* the daemon closed its end */
    if (len >= NIC_HEADER_LEN && (size_t)len <= c->room && !frame_is_martian(c->buf, (size_t)len))
      c->lib.input(c->slirp, c->buf, (int)len);
  }
}

static void run_timers(struct child *c) {
  int64_t now_ms = now_ns(NULL) / (int64_t)NSEC_PER_MSEC;
  for (unsigned i = 0; i < TIMERS_MAX; i++) {
    struct child_timer *t = &c->timers[i];
    if (!t->used || t->due_ms < 0 || t->due_ms > now_ms)
      continue;
    t->due_ms = -1;
    t->cb(t->cb_opaque);
  }
}

static int poll_timeout(const struct child *c, uint32_t timeout_ms) {
  int64_t now_ms = now_ns(NULL) / (int64_t)NSEC_PER_MSEC, wait = timeout_ms == UINT32_MAX ? -1 : (int64_t)timeout_ms;
  for (unsigned i = 0; i < TIMERS_MAX; i++) {
    if (!c->timers[i].used || c->timers[i].due_ms < 0)
      continue;
    int64_t left = MAX(c->timers[i].due_ms - now_ms, 0);
    wait = wait < 0 ? left : MIN(wait, left);
  }
  return (int)MIN(wait, INT_MAX);
}

_noreturn_ static void serve(struct child *c) {
  for (;;) {
    uint32_t timeout = UINT32_MAX;
    c->n_fds = 1;
    c->fds[0] = (struct pollfd){.fd = c->fd, .events = POLLIN};
    c->lib.fill(c->slirp, &timeout, on_add_poll, c);
    int r = poll(c->fds, c->n_fds, poll_timeout(c, timeout));
    if (r < 0 && errno != EINTR)
      _exit(1);
    c->lib.poll(c->slirp, r < 0, on_get_revents, c);
    run_timers(c);
    if (r > 0 && c->fds[0].revents)
      read_frames(c);
  }
}

static int drop_privileges(pid_t parent, const struct nic_slirp_config *cfg) {
  capng_clear(CAPNG_SELECT_ALL);
  if (cfg->change_ids &&
      capng_change_id((int)cfg->uid, (int)cfg->gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) != 0)
    return -EPERM;
  /* The bounding set can only be emptied by who may; with nothing to gain from execve it is the second lock. */
  (void)capng_apply(CAPNG_SELECT_BOUNDS);
  if (capng_apply(CAPNG_SELECT_CAPS) < 0)
    return -EPERM;
  (void)capng_apply(CAPNG_SELECT_AMBIENT);
  return child_lock(parent);
}

static int load(struct lib *l) {
  void *so = dlopen(LIBSLIRP, RTLD_NOW | RTLD_LOCAL);
  if (!so)
    return -ELIBACC;
  l->new = (__typeof__(l->new))dlsym(so, "slirp_new");
  l->add_hostfwd = (__typeof__(l->add_hostfwd))dlsym(so, "slirp_add_hostfwd");
  l->fill = (__typeof__(l->fill))dlsym(so, "slirp_pollfds_fill");
  l->poll = (__typeof__(l->poll))dlsym(so, "slirp_pollfds_poll");
  l->input = (__typeof__(l->input))dlsym(so, "slirp_input");
  return l->new && l->add_hostfwd && l->fill && l->poll && l->input ? 0 : -ELIBBAD;
}

static int add_forwards(const struct child *c, const struct nic_slirp_config *cfg) {
  for (unsigned i = 0; i < cfg->n_forwards; i++) {
    const struct nic_forward *f = &cfg->forwards[i];
    struct in_addr host = {htonl(f->host_addr)}, guest = {htonl(GUEST_FIRST)};
    errno = 0;
    if (c->lib.add_hostfwd(c->slirp, f->udp, host, f->host_port, guest, f->guest_port) < 0)
      return errno ? -errno : -EADDRNOTAVAIL;
  }
  return 0;
}

static int start_slirp(struct child *c, const struct nic_slirp_config *cfg) {
  SlirpConfig sc = {
      .version = 4,
      .in_enabled = true,
      .vnetwork = {htonl(GUEST_NET)},
      .vnetmask = {htonl(GUEST_MASK)},
      .vhost = {htonl(GUEST_HOST)},
      .vnameserver = {htonl(GUEST_DNS)},
      .vdhcp_start = {htonl(GUEST_FIRST)},
      .if_mtu = cfg->mtu,
      .if_mru = cfg->mtu,
      .disable_host_loopback = !cfg->host_loopback,
  };
  c->room = NIC_HEADER_LEN + cfg->mtu;
  c->cap_fds = 64;
  c->fds = calloc(c->cap_fds, sizeof *c->fds);
  c->buf = malloc(c->room);
  if (!c->fds || !c->buf)
    return -ENOMEM;
  int r = load(&c->lib);
  if (r < 0)
    return r;
  c->slirp = c->lib.new(&sc, &callbacks, c);
  return c->slirp ? add_forwards(c, cfg) : -ENOMEM;
}

void slirp_child_run(int fd, pid_t parent, const struct nic_slirp_config *cfg) {
  static struct child c; /* outlives every frame of the stack; the process has one */
  (void)prctl(PR_SET_NAME, "capnet-slirp", 0, 0, 0);
  int r = child_keep_only(fd);
  c.fd = r < 0 ? fd : r;
  if (r >= 0) {
    child_reset_signals();
    r = start_slirp(&c, cfg);
  }
  if (r >= 0)
    r = drop_privileges(parent, cfg);
  if (send(c.fd, &r, sizeof r, MSG_NOSIGNAL) != sizeof r || r < 0)
    _exit(1);
  serve(&c);
}

#endif
