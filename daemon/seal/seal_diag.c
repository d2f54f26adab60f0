/* SPDX-License-Identifier: BSD-3-Clause
 * The program's end of a connection, by sock_diag(7): its descriptor is not ours, but its namespace is. The kernel
 * answers within send(2).
 */
#include "seal/seal_internal.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static int on_attribute(const struct nlattr *a, void *arg) {
  struct seal_queues *q = arg;
  const uint32_t *memory = mnl_attr_get_payload(a);
  if (mnl_attr_get_type(a) == INET_DIAG_SKMEMINFO && mnl_attr_get_payload_len(a) > SK_MEMINFO_SNDBUF * sizeof *memory) {
    q->recv_capacity = memory[SK_MEMINFO_RCVBUF];
    q->send_capacity = memory[SK_MEMINFO_SNDBUF];
  }
  return MNL_CB_OK;
}

struct answer {
  _Alignas(struct nlmsghdr) char buf[1024];
  const struct nlmsghdr *head; /* in buf */
};

static bool request(const struct seal_chamber *c, uint16_t type, uint16_t flags, const struct inet_diag_req_v2 *what,
                    struct answer *ret) {
  struct nlmsghdr *h = mnl_nlmsg_put_header(ret->buf);
  h->nlmsg_type = type;
  h->nlmsg_flags = NLM_F_REQUEST | flags;
  memcpy(mnl_nlmsg_put_extra_header(h, sizeof *what), what, sizeof *what);
  if (c->diag < 0 || send(c->diag, h, h->nlmsg_len, MSG_DONTWAIT) < 0)
    return false;
  const ssize_t n = recv(c->diag, ret->buf, sizeof ret->buf, MSG_DONTWAIT);
  ret->head = h;
  return n >= 0 && mnl_nlmsg_ok(h, (int)n);
}

/* Where no connection has these addresses the kernel finds who listens there: that is not meant. */
static const struct inet_diag_msg *find(const struct seal_chamber *c, const struct net_endpoint *local,
                                        const struct net_endpoint *remote, struct answer *a) {
  struct inet_diag_req_v2 q = {.sdiag_family = local->addr.family,
                               .sdiag_protocol = IPPROTO_TCP,
                               .idiag_ext = 1u << (INET_DIAG_SKMEMINFO - 1),
                               .idiag_states = ~0u};
  q.id.idiag_sport = htons(local->port);
  q.id.idiag_dport = htons(remote->port);
  memcpy(q.id.idiag_src, local->addr.b, sizeof q.id.idiag_src);
  memcpy(q.id.idiag_dst, remote->addr.b, sizeof q.id.idiag_dst);
  if (net_addr_class(&local->addr) == NET_LINK_LOCAL)
    q.id.idiag_if = SEAL_LINK_INDEX;
  q.id.idiag_cookie[0] = q.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (!request(c, SOCK_DIAG_BY_FAMILY, 0, &q, a) || a->head->nlmsg_type != SOCK_DIAG_BY_FAMILY)
    return NULL;
  const struct inet_diag_msg *m = mnl_nlmsg_get_payload(a->head);
  return m->idiag_state != TCP_LISTEN && m->id.idiag_dport == q.id.idiag_dport ? m : NULL;
}

bool seal_program_queues(const struct seal_chamber *c, const struct net_endpoint *local, const struct net_endpoint *remote,
                         struct seal_queues *ret) {
  struct answer a;
  const struct inet_diag_msg *m = find(c, local, remote, &a);
  if (!m)
    return false;
  *ret = (struct seal_queues){.unread = m->idiag_rqueue, .unsent = m->idiag_wqueue};
  (void)mnl_attr_parse(a.head, sizeof *m, on_attribute, ret);
  return true;
}

/* By its cookie, so that it is that socket and no other. */
bool seal_program_destroy(const struct seal_chamber *c, const struct net_endpoint *local,
                          const struct net_endpoint *remote) {
  struct answer a;
  const struct inet_diag_msg *m = find(c, local, remote, &a);
  if (!m)
    return false;
  const struct inet_diag_req_v2 q = {
      .sdiag_family = m->idiag_family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u, .id = m->id};
  if (!request(c, SOCK_DESTROY, NLM_F_ACK, &q, &a) || a.head->nlmsg_type != NLMSG_ERROR)
    return false;
  return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(a.head))->error == 0;
}
