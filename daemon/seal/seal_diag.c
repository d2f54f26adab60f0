/* SPDX-License-Identifier: BSD-3-Clause
 * What lies in the program's end of a connection, by sock_diag(7): its descriptor is not ours, but its namespace is.
 */
#include "seal/seal_internal.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

static void ask_for(struct inet_diag_req_v2 *q, const struct net_endpoint *local, const struct net_endpoint *remote) {
  *q = (struct inet_diag_req_v2){.sdiag_family = local->addr.family,
                                 .sdiag_protocol = IPPROTO_TCP,
                                 .idiag_ext = 1u << (INET_DIAG_SKMEMINFO - 1),
                                 .idiag_states = ~0u};
  q->id.idiag_sport = htons(local->port);
  q->id.idiag_dport = htons(remote->port);
  memcpy(q->id.idiag_src, local->addr.b, sizeof q->id.idiag_src);
  memcpy(q->id.idiag_dst, remote->addr.b, sizeof q->id.idiag_dst);
  q->id.idiag_cookie[0] = q->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

static int on_attribute(const struct nlattr *a, void *arg) {
  struct seal_queues *q = arg;
  const uint32_t *memory = mnl_attr_get_payload(a);
  if (mnl_attr_get_type(a) == INET_DIAG_SKMEMINFO && mnl_attr_get_payload_len(a) > SK_MEMINFO_SNDBUF * sizeof *memory) {
    q->recv_capacity = memory[SK_MEMINFO_RCVBUF];
    q->send_capacity = memory[SK_MEMINFO_SNDBUF];
  }
  return MNL_CB_OK;
}

bool seal_program_queues(const struct seal_chamber *c, const struct net_endpoint *local, const struct net_endpoint *remote,
                         struct seal_queues *ret) {
  _Alignas(struct nlmsghdr) char buf[1024];
  struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
  h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
  h->nlmsg_flags = NLM_F_REQUEST;
  ask_for(mnl_nlmsg_put_extra_header(h, sizeof(struct inet_diag_req_v2)), local, remote);
  if (c->diag < 0 || send(c->diag, h, h->nlmsg_len, MSG_DONTWAIT) < 0)
    return false;
  const ssize_t n = recv(c->diag, buf, sizeof buf, MSG_DONTWAIT); /* the kernel answers within send(2) */
  if (n < 0 || !mnl_nlmsg_ok(h, (int)n) || h->nlmsg_type != SOCK_DIAG_BY_FAMILY)
    return false;
  const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);
  *ret = (struct seal_queues){.unread = m->idiag_rqueue, .unsent = m->idiag_wqueue};
  (void)mnl_attr_parse(h, sizeof *m, on_attribute, ret);
  return true;
}
