/* SPDX-License-Identifier: BSD-3-Clause
 * The kernel's messages about its devices.
 *
 * Two sockets: one is in the group of link messages, the other only asks, so that an answer is never behind a queue. The
 * kernel puts the answer about one device into the queue before sendto(2) returns: asking does not wait.
 */
#include "nic/nic_link.h"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/socket.h>

#define BUFFER 32768u   /* the kernel's messages about one device have no more */
#define TURN_MESSAGES 64 /* reads of one turn */

/* --- parsing ---------------------------------------------------------------------------------------------------- */

static uint32_t number(const struct nlattr *a, uint32_t otherwise) {
  return mnl_attr_validate(a, MNL_TYPE_U32) < 0 ? otherwise : mnl_attr_get_u32(a);
}

static int on_tun(const struct nlattr *a, void *arg) {
  struct nic_link_state *s = arg;
  if (mnl_attr_get_type(a) == IFLA_TUN_OWNER)
    s->owner = number(a, s->owner);
  else if (mnl_attr_get_type(a) == IFLA_TUN_GROUP)
    s->group = number(a, s->group);
  return MNL_CB_OK;
}

struct info {
  bool tun;
  const struct nlattr *data;
};

static int on_info(const struct nlattr *a, void *arg) {
  struct info *i = arg;
  if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
    i->tun = mnl_attr_get_payload_len(a) == sizeof "tun" && memcmp(mnl_attr_get_payload(a), "tun", sizeof "tun") == 0;
  else if (mnl_attr_get_type(a) == IFLA_INFO_DATA)
    i->data = a;
  return MNL_CB_OK;
}

static void take_name(struct nic_link_state *s, const struct nlattr *a) {
  size_t len = mnl_attr_get_payload_len(a);
  if (len > 1 && len <= sizeof s->name && memchr(mnl_attr_get_payload(a), 0, len) == mnl_attr_get_str(a) + len - 1)
    memcpy(s->name, mnl_attr_get_payload(a), len);
}

static int on_attribute(const struct nlattr *a, void *arg) {
  struct nic_link_state *s = arg;
  struct info info = {0};
  switch (mnl_attr_get_type(a)) {
  case IFLA_IFNAME:
    take_name(s, a);
    break;
  case IFLA_MTU:
    s->mtu = number(a, 0);
    break;
  case IFLA_CARRIER:
    s->up = s->up && mnl_attr_validate(a, MNL_TYPE_U8) == 0 && mnl_attr_get_u8(a) != 0;
    break;
  case IFLA_ADDRESS:
    s->has_mac = mnl_attr_get_payload_len(a) == sizeof s->mac;
    if (s->has_mac)
      memcpy(s->mac, mnl_attr_get_payload(a), sizeof s->mac);
    break;
  case IFLA_LINKINFO:
    (void)mnl_attr_parse_nested(a, on_info, &info);
    if (info.tun && info.data)
      (void)mnl_attr_parse_nested(info.data, on_tun, s);
    break;
  default:
    break;
  }
  return MNL_CB_OK;
}

/* A bridge tells of its ports in the same words, in its own family: one that leaves it is not gone. */
static void parse_one(const struct nlmsghdr *h, nic_link_fn fn, void *arg) {
  const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
  if ((h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK) || mnl_nlmsg_get_payload_len(h) < sizeof *m ||
      h->nlmsg_len % MNL_ALIGNTO != 0 || m->ifi_family != AF_UNSPEC || m->ifi_index <= 0)
    return;
  struct nic_link_state s = {.index = (unsigned)m->ifi_index,
                             .deleted = h->nlmsg_type == RTM_DELLINK,
                             .owner = NIC_LINK_NOBODY,
                             .group = NIC_LINK_NOBODY};
  s.up = !s.deleted && (m->ifi_flags & IFF_UP) && (m->ifi_flags & IFF_LOWER_UP);
  if (mnl_attr_parse(h, sizeof *m, on_attribute, &s) >= MNL_CB_STOP)
    fn(arg, &s);
}

void nic_link_parse(const void *buf, size_t len, nic_link_fn fn, void *arg) {
  const uint8_t *at = buf;
  while (len >= sizeof(struct nlmsghdr)) { /* mnl_nlmsg_ok() takes a length of 2 GiB for a negative one */
    const struct nlmsghdr *h = (const void *)at;
    if (h->nlmsg_len < sizeof *h || h->nlmsg_len > len)
      return;
    parse_one(h, fn, arg);
    size_t step = MIN((size_t)MNL_ALIGN(h->nlmsg_len), len);
    at += step;
    len -= step;
  }
}

/* --- sockets ---------------------------------------------------------------------------------------------------- */

struct nic_links {
  int events, queries;
  struct loop_watch *watch;
  struct list watches;
  struct list *next;  /* of the watches that are being told */
  bool *ret_freed;
};

static int open_socket(uint32_t groups) {
  struct sockaddr_nl at = {.nl_family = AF_NETLINK, .nl_groups = groups};
  _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof at) < 0)
    return -errno;
  return TAKE_FD(fd);
}

int nic_links_open(struct nic_links **ret) {
  struct nic_links *l = calloc(1, sizeof *l);
  if (!l)
    return -ENOMEM;
  list_init(&l->watches);
  l->events = open_socket(RTMGRP_LINK);
  l->queries = l->events < 0 ? -1 : open_socket(0);
  if (l->queries < 0) {
    int r = l->events < 0 ? l->events : l->queries;
    l->events = l->events < 0 ? -1 : l->events;
    l->queries = -1;
    nic_links_free(l);
    return r;
  }
  *ret = l;
  return 0;
}

struct nic_links *nic_links_free(struct nic_links *l) {
  if (!l)
    return NULL;
  if (l->ret_freed)
    *l->ret_freed = true;
  l->watch = loop_watch_free(l->watch);
  l->events = fd_close(l->events);
  l->queries = fd_close(l->queries);
  free(l);
  return NULL;
}

/* What the kernel sent, and nobody else: 0 when there is nothing. */
static ssize_t receive(int fd, void *buf, size_t size) {
  struct sockaddr_nl from = {0};
  socklen_t from_len = sizeof from;
  ssize_t n;
  do {
    n = recvfrom(fd, buf, size, 0, (struct sockaddr *)&from, &from_len);
  } while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid != 0));
  if (n < 0)
    return errno == EAGAIN ? 0 : -errno;
  return n;
}

static void forget(int fd, void *buf, size_t size) {
  while (receive(fd, buf, size) != 0)
    ;
}

/* --- asking ----------------------------------------------------------------------------------------------------- */

static void first(void *arg, const struct nic_link_state *state) {
  struct nic_link_state *ret = arg;
  if (ret->index == 0)
    *ret = *state;
}

int nic_links_get(struct nic_links *l, unsigned index, const char *name, struct nic_link_state *ret) {
  uint8_t buf[BUFFER] __attribute__((aligned(MNL_ALIGNTO)));
  struct nic_link_state got = {0};
  forget(l->queries, buf, sizeof buf);
  struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
  h->nlmsg_type = RTM_GETLINK;
  h->nlmsg_flags = NLM_F_REQUEST;
  struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
  m->ifi_index = (int)index;
  if (index == 0)
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
  if (send(l->queries, h, h->nlmsg_len, 0) < 0)
    return -errno;
  ssize_t n = receive(l->queries, buf, sizeof buf);
  if (n > 0)
    nic_link_parse(buf, (size_t)n, first, &got);
  if (got.index == 0)
    return n < 0 ? (int)n : -ENODEV;
  *ret = got;
  return 0;
}

/* --- telling ---------------------------------------------------------------------------------------------------- */

void nic_links_watch(struct nic_links *l, struct nic_link_watch *w, nic_link_fn fn, void *arg) {
  w->fn = fn;
  w->arg = arg;
  list_append(&l->watches, &w->link);
}

void nic_links_unwatch(struct nic_links *l, struct nic_link_watch *w) {
  if (!w->fn)
    return;
  if (l->next == &w->link)
    l->next = w->link.next;
  list_remove(&w->link);
  w->fn = NULL;
}

struct telling {
  struct nic_links *l;
  bool freed;
};

static void tell(void *arg, const struct nic_link_state *state) {
  struct telling *t = arg;
  for (struct list *at = t->freed ? NULL : t->l->watches.next; at && at != &t->l->watches; at = t->freed ? NULL : t->l->next) {
    struct nic_link_watch *w = list_entry(at, struct nic_link_watch, link);
    t->l->next = at->next;
    w->fn(w->arg, state);
  }
}

/* Not inlined, or gcc 12 says of on_readable that the pointer outlives what it points at: unless *l is gone, it is taken
 * back there. */
__attribute__((noinline)) static void set_ret_freed(struct nic_links *l, bool *ret) { l->ret_freed = ret; }

/* Bounded: the rest is the next turn's. The buffer is the stack's own while it is told, since the listener may go. */
static void on_readable(void *arg, unsigned events _unused_) {
  uint8_t buf[BUFFER] __attribute__((aligned(MNL_ALIGNTO)));
  struct telling t = {.l = arg};
  set_ret_freed(t.l, &t.freed);
  for (int i = 0; i < TURN_MESSAGES && !t.freed; i++) {
    ssize_t n = receive(t.l->events, buf, sizeof buf);
    if (n == 0)
      break;
    if (n > 0) {
      nic_link_parse(buf, (size_t)n, tell, &t);
      continue;
    }
    forget(t.l->events, buf, sizeof buf); /* ENOBUFS: what is there is older than what was lost */
    tell(&t, NULL);
  }
  if (!t.freed)
    set_ret_freed(t.l, NULL);
}

int nic_links_start(struct nic_links *l, struct loop *loop) {
  uint8_t buf[BUFFER];
  forget(l->events, buf, sizeof buf);
  int r = loop_watch_new_socket(loop, l->events, on_readable, l, &l->watch);
  if (r == 0)
    r = loop_watch_set(l->watch, LOOP_READ);
  return r;
}
