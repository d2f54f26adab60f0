/* SPDX-License-Identifier: BSD-3-Clause
 * The kernel's side of a chamber, over rtnetlink(7) and /proc/sys/net. Both sides get the same set-up, once, so that no
 * privilege is needed when addresses change later:
 *   rule 1     what this host sends goes by the main table: everything crosses the veth
 *   rule 10    what comes in goes by the local table: every address is this host's
 * Loopback stays down, addresses are never configured, neighbours never asked for (no ARP, both ends have one address).
 */
#include "seal/seal_net.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "base/util.h"

#define LINK "seal"
#define LINK_MTU 65535
#define OPER_UP 6      /* IF_OPER_UP: <linux/if.h> and <net/if.h> exclude each other */
#define SETTLE_MS 1000 /* that a link may take; after that it works by retransmission */
/* Least, first and largest buffer of one direction of one socket, bytes in the kernel's own accounting. Small, so that
 * the wire's backpressure is the program's; our end sends from the first byte on with all of it. */
#define BUFFERS "4096 131072 409600"
#define BUFFERS_OUT "4096 409600 409600"

/* --- /proc/sys/net ------------------------------------------------------------------------------------------------ */

struct setting {
  unsigned sides; /* bits */
  bool optional;  /* not in every kernel */
  const char *path, *value;
};
#define OURS (1u << SEAL_OURS)
#define PROGRAMS (1u << SEAL_PROGRAMS)
#define BOTH (OURS | PROGRAMS)

/* In this order: the range of ephemeral ports must not reach into the privileged ones. 65535 is SEAL_PROGRAMS_PORT. */
static const struct setting settings[] = {
    {PROGRAMS, false, "ipv4/ip_local_port_range", "65535 65535"},
    {PROGRAMS, false, "ipv4/ip_unprivileged_port_start", "65535"},
    {OURS, false, "ipv4/ip_unprivileged_port_start", "0"},
    {BOTH, false, "ipv4/tcp_max_tw_buckets", "0"}, /* the same four-tuple can be used again at once */
    {BOTH, false, "ipv4/conf/all/rp_filter", "0"},
    {BOTH, false, "ipv4/conf/default/rp_filter", "0"},
    {BOTH, false, "ipv4/conf/all/accept_local", "1"},
    {BOTH, false, "ipv4/conf/all/accept_source_route", "0"},
    {BOTH, false, "ipv4/conf/default/accept_source_route", "0"},
    {BOTH, false, "ipv4/ip_forward", "0"},
    {BOTH, false, "ipv4/tcp_rmem", BUFFERS},
    {OURS, false, "ipv4/tcp_wmem", BUFFERS_OUT},
    {PROGRAMS, false, "ipv4/tcp_wmem", BUFFERS},
    {BOTH, false, "ipv4/tcp_slow_start_after_idle", "0"},
    {OURS, false, "ipv4/tcp_keepalive_time", "2"}, /* of a half-closed end that asks for it (flow/form_socket.c), seconds */
    {OURS, false, "ipv4/tcp_keepalive_intvl", "2"},
    {BOTH, true, "ipv4/tcp_no_metrics_save", "1"},
    {BOTH, true, "ipv4/tcp_ecn", "0"},
    {BOTH, true, "ipv6/conf/all/accept_ra", "0"},
    {BOTH, true, "ipv6/conf/default/accept_ra", "0"},
    {BOTH, true, "ipv6/conf/default/addr_gen_mode", "1"},
    {BOTH, true, "ipv6/conf/default/dad_transmits", "0"},
};

static int write_setting(const struct setting *s, char why[SEAL_WHY_MAX]) {
  char path[96];
  (void)snprintf(path, sizeof path, "/proc/sys/net/%s", s->path);
  _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
  const size_t len = strlen(s->value);
  if (fd >= 0 && write(fd, s->value, len) == (ssize_t)len)
    return 0;
  if (s->optional)
    return 0;
  const int r = errno ? -errno : -EIO;
  if (r == -EROFS)
    (void)snprintf(why, SEAL_WHY_MAX, "/proc/sys/net is read-only here (in a unit: ReadWritePaths=/proc/sys/net)");
  else
    (void)snprintf(why, SEAL_WHY_MAX, "%s cannot be set: %s", s->path, strerror(-r));
  return r;
}

static int write_settings(enum seal_side side, char why[SEAL_WHY_MAX]) {
  for (unsigned i = 0; i < ARRAY_SIZE(settings); i++) {
    int r = settings[i].sides & (1u << side) ? write_setting(&settings[i], why) : 0;
    if (r < 0)
      return r;
  }
  return 0;
}

/* --- rtnetlink ---------------------------------------------------------------------------------------------------- */

struct request {
  struct mnl_socket *nl;
  struct nlmsghdr *head;
  char buf[1024]; /* each of ours is under 300 bytes */
};

static void *begin(struct request *q, uint16_t type, uint16_t flags, size_t extra) {
  q->head = mnl_nlmsg_put_header(q->buf);
  q->head->nlmsg_type = type;
  q->head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
  q->head->nlmsg_seq = 1;
  return mnl_nlmsg_put_extra_header(q->head, extra);
}

/* One answer: what was asked for, or whether it was done. */
static int ask(struct request *q, mnl_cb_t answered, void *arg) {
  char answer[8192];
  if (mnl_socket_sendto(q->nl, q->head, q->head->nlmsg_len) < 0)
    return -errno;
  ssize_t n = mnl_socket_recvfrom(q->nl, answer, sizeof answer);
  if (n < 0 || mnl_cb_run(answer, (size_t)n, 1, mnl_socket_get_portid(q->nl), answered, arg) < 0)
    return -errno;
  return 0;
}

static int talk(struct request *q) { return ask(q, NULL, NULL); }

static const uint8_t mac[6] = {0x02, 'c', 'a', 'p', 'n', 't'};

static void put_link(struct nlmsghdr *h) {
  mnl_attr_put_strz(h, IFLA_IFNAME, LINK);
  mnl_attr_put(h, IFLA_ADDRESS, sizeof mac, mac);
  mnl_attr_put_u32(h, IFLA_MTU, LINK_MTU);
}

/* Here one end, in the other namespace its peer. */
static int make_veth(struct request *q, int other) {
  struct ifinfomsg *i = begin(q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *i);
  i->ifi_index = SEAL_LINK_INDEX;
  put_link(q->head);
  struct nlattr *info = mnl_attr_nest_start(q->head, IFLA_LINKINFO);
  mnl_attr_put_strz(q->head, IFLA_INFO_KIND, "veth");
  struct nlattr *data = mnl_attr_nest_start(q->head, IFLA_INFO_DATA);
  struct nlattr *peer = mnl_attr_nest_start(q->head, VETH_INFO_PEER);
  i = mnl_nlmsg_put_extra_header(q->head, sizeof *i);
  i->ifi_index = SEAL_LINK_INDEX;
  put_link(q->head);
  mnl_attr_put_u32(q->head, IFLA_NET_NS_FD, (uint32_t)other);
  mnl_attr_nest_end(q->head, peer);
  mnl_attr_nest_end(q->head, data);
  mnl_attr_nest_end(q->head, info);
  return talk(q);
}

static int link_up(struct request *q) {
  struct ifinfomsg *i = begin(q, RTM_NEWLINK, 0, sizeof *i);
  i->ifi_flags = i->ifi_change = IFF_UP | IFF_NOARP;
  mnl_attr_put_strz(q->head, IFLA_IFNAME, LINK);
  return talk(q);
}

static int operstate_of(const struct nlmsghdr *h, void *ret) {
  struct nlattr *a;
  mnl_attr_for_each(a, h, sizeof(struct ifinfomsg)) {
    if (mnl_attr_get_type(a) == IFLA_OPERSTATE)
      *(uint8_t *)ret = mnl_attr_get_u8(a);
  }
  return MNL_CB_OK;
}

static bool link_is_settled(struct request *q) {
  uint8_t state = 0;
  (void)begin(q, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
  q->head->nlmsg_flags = NLM_F_REQUEST; /* the link is the answer */
  mnl_attr_put_strz(q->head, IFLA_IFNAME, LINK);
  return ask(q, operstate_of, &state) < 0 || state == OPER_UP;
}

/* The whole of a family: to this host (table local) or out by the link (table main). */
static int add_route(struct request *q, uint8_t family, bool local, unsigned index) {
  struct rtmsg *r = begin(q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof *r);
  *r = (struct rtmsg){.rtm_family = family,
                      .rtm_table = local ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
                      .rtm_protocol = RTPROT_BOOT,
                      .rtm_scope = local ? RT_SCOPE_HOST : RT_SCOPE_LINK,
                      .rtm_type = local ? RTN_LOCAL : RTN_UNICAST};
  mnl_attr_put_u32(q->head, RTA_OIF, index);
  return talk(q);
}

static int rule(struct request *q, uint8_t family, uint16_t type, uint32_t preference, uint8_t table, const char *iif) {
  struct fib_rule_hdr *r = begin(q, type, type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0, sizeof *r);
  *r = (struct fib_rule_hdr){.family = family, .table = table, .action = FR_ACT_TO_TBL};
  mnl_attr_put_u32(q->head, FRA_PRIORITY, preference);
  if (iif)
    mnl_attr_put_strz(q->head, FRA_IIFNAME, iif);
  return talk(q);
}

/* IPv6 may be off in the kernel: such a chamber carries IPv4 alone. A route of IPv6 must not go through a loopback that is
 * down, one of IPv4 may. */
static int add_routes(struct request *q, uint8_t family, const char **ret_what) {
  const unsigned link = if_nametoindex(LINK), lo = if_nametoindex("lo");
  *ret_what = "the route of what comes in";
  int r = add_route(q, family, true, family == AF_INET ? lo : link);
  if (r < 0)
    return r;
  *ret_what = "the route of what goes out";
  r = add_route(q, family, false, link);
  if (r < 0)
    return r;
  *ret_what = "the rules of routing";
  r = rule(q, family, RTM_NEWRULE, 1, RT_TABLE_MAIN, "lo");
  if (r == 0)
    r = rule(q, family, RTM_NEWRULE, 10, RT_TABLE_LOCAL, NULL);
  return r < 0 ? r : rule(q, family, RTM_DELRULE, 0, RT_TABLE_LOCAL, NULL);
}

/* --- the pair ----------------------------------------------------------------------------------------------------- */

static int said(char why[SEAL_WHY_MAX], const char *what, int r) {
  if (r < 0)
    (void)snprintf(why, SEAL_WHY_MAX, "%s of a sealed namespace cannot be made: %s", what, strerror(-r));
  return r;
}

static int enter(const struct seal_net *n, enum seal_side side) {
  return setns(n->ns[side], CLONE_NEWNET) < 0 ? -errno : 0;
}

static int open_link(struct seal_net *n, char why[SEAL_WHY_MAX]) {
  struct request q;
  int r = enter(n, SEAL_OURS);
  if (r < 0)
    return said(why, "the inside", r);
  q.nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (!q.nl)
    return said(why, "the netlink socket", -errno);
  r = make_veth(&q, n->ns[SEAL_PROGRAMS]);
  (void)mnl_socket_close(q.nl);
  return said(why, "the veth pair", r);
}

/* Routes through the link want it up, and it is up when both ends are. */
static int side_up(const struct seal_net *n, enum seal_side side, char why[SEAL_WHY_MAX]) {
  struct request q;
  int r = enter(n, side);
  if (r < 0)
    return said(why, "the inside", r);
  q.nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  r = q.nl ? link_up(&q) : -errno;
  if (q.nl)
    (void)mnl_socket_close(q.nl);
  return said(why, "the link", r);
}

/* The kernel throws away what is sent over a link until a worker of its own has taken notice of the carrier, and that one
 * waits while other namespaces end. A SYN that is lost so costs the second until it is sent again. */
static int side_settled(const struct seal_net *n, enum seal_side side, char why[SEAL_WHY_MAX]) {
  const struct timespec ms = {.tv_nsec = NSEC_PER_MSEC};
  struct request q;
  int r = enter(n, side);
  if (r < 0)
    return said(why, "the inside", r);
  q.nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (!q.nl)
    return said(why, "the netlink socket", -errno);
  for (unsigned i = 0; i < SETTLE_MS && !link_is_settled(&q); i++)
    (void)nanosleep(&ms, NULL);
  (void)mnl_socket_close(q.nl);
  return 0; /* a link that is late still works */
}

static int side_routes(const struct seal_net *n, enum seal_side side, char why[SEAL_WHY_MAX]) {
  struct request q;
  const char *what = "the inside", *v6;
  int r = enter(n, side);
  if (r < 0)
    return said(why, what, r);
  q.nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (!q.nl)
    return said(why, "the netlink socket", -errno);
  r = add_routes(&q, AF_INET, &what);
  if (r == 0)
    (void)add_routes(&q, AF_INET6, &v6);
  (void)mnl_socket_close(q.nl);
  return said(why, what, r);
}

static int new_namespace(enum seal_side side, int *ret, char why[SEAL_WHY_MAX]) {
  if (unshare(CLONE_NEWNET) < 0)
    return said(why, "the namespace", -errno);
  int r = write_settings(side, why);
  if (r < 0)
    return r;
  *ret = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  return *ret < 0 ? said(why, "the handle", -errno) : 0;
}

int seal_net_make(struct seal_net *ret, char why[SEAL_WHY_MAX]) {
  struct seal_net n = {{-1, -1}};
  int r = 0;
  for (int s = 0; s < SEAL_SIDES && r == 0; s++)
    r = new_namespace((enum seal_side)s, &n.ns[s], why);
  if (r == 0)
    r = open_link(&n, why);
  for (int s = 0; s < SEAL_SIDES && r == 0; s++)
    r = side_up(&n, (enum seal_side)s, why);
  for (int s = 0; s < SEAL_SIDES && r == 0; s++)
    r = side_settled(&n, (enum seal_side)s, why);
  for (int s = 0; s < SEAL_SIDES && r == 0; s++)
    r = side_routes(&n, (enum seal_side)s, why);
  if (r < 0) {
    seal_net_done(&n);
    return r;
  }
  *ret = n;
  return 0;
}

void seal_net_done(struct seal_net *n) {
  for (int s = 0; s < SEAL_SIDES; s++)
    n->ns[s] = fd_close(n->ns[s]);
}

/* --- sockets ------------------------------------------------------------------------------------------------------ */

int seal_net_diag(const struct seal_net *n) {
  int r = enter(n, SEAL_PROGRAMS);
  if (r < 0)
    return r;
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  return fd < 0 ? -errno : fd;
}

static void set(int fd, int level, int option, int value) { (void)setsockopt(fd, level, option, &value, sizeof value); }

static int new_socket(enum seal_side side, int family) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -errno;
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* what is accepted from a listening socket has it, too */
  if (family == AF_INET6) {
    set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
  }
  if (side == SEAL_OURS) {
    const struct linger reset = {.l_onoff = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    set(fd, SOL_SOCKET, SO_OOBINLINE, 1); /* RFC 6093: urgent bytes are bytes */
  }
  return fd;
}

int seal_net_sockets(const struct seal_net *n, enum seal_side side, int family, int *fds, unsigned wanted,
                     unsigned *ret_n) {
  int r = enter(n, side);
  for (*ret_n = 0; r == 0 && *ret_n < wanted; (*ret_n)++) {
    const int fd = new_socket(side, family);
    if (fd < 0)
      return fd;
    fds[*ret_n] = fd;
  }
  return r;
}
